"""Starting points that the user gives: values by name, for all chains or for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.points.points import PointMap, unconstrain_head
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import Target
from nutslite.sampler.start import MAX_ATTEMPTS

FloatArray = NDArray[np.float64]
Start = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def check_number_of_starts(start: Start, chains: int) -> None:
    """Refuse what is neither a dict nor one dict per chain.

    Raises
    ------
    SettingError
    """
    if isinstance(start, Mapping):
        return
    if not isinstance(start, Sequence) or isinstance(start, str) or not all(isinstance(s, Mapping) for s in start):
        raise SettingTypeError(
            f"start is a dict of values by name, or a list of such dicts, one per chain; not {start!r}."
        )
    if len(start) != chains:
        raise SettingError(f"start has values for {len(start)} chain(s), but there are chains={chains}.")


def check_start_values(assembled: Assembled, start: Start) -> None:
    """Refuse unknown names, wrong shapes, and values outside the support, before anything takes time.

    Raises
    ------
    SettingError
    """
    points = PointMap(assembled)
    for chain, point in enumerate([start] if isinstance(start, Mapping) else start):
        points.check(point, "start" if isinstance(start, Mapping) else f"start[{chain}]")


def given_starts(
    target: Target, start: Start, starts: FloatArray, jitter: float, rng: np.random.Generator
) -> FloatArray:
    """Starting positions with the given values put in.

    Parameters
    ----------
    target : Target
        After its launch.
    start : dict, or list of dict
        Values by name; see `nutslite.posterior.points.points` for names.
    starts : ndarray, shape (chains, dimension)
        Where chains would start otherwise.
    jitter : float
        What is not given is moved by up to that much, until the density is defined.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (chains, dimension)
        Whether the density is defined there is for the sampler to say.
    """
    given = [start] * len(starts) if isinstance(start, Mapping) else list(start)
    out = starts.copy()
    gradient = np.empty(target.dimension)
    for chain, point in enumerate(given):
        for _ in range(MAX_ATTEMPTS if jitter > 0.0 else 1):
            base = starts[chain] + (rng.uniform(-jitter, jitter, target.dimension) if jitter > 0.0 else 0.0)
            out[chain] = _put(target, point, base)
            if np.isfinite(target.logdensity(out[chain], gradient, target.data)) and np.isfinite(gradient).all():
                break
    if isinstance(target, MarginalTarget):
        _say_integrated(target, {name for point in given for name in point})
    return out


def _put(target: Any, point: Mapping[str, Any], base: FloatArray) -> FloatArray:
    """One position with a point's values."""
    if not isinstance(target, MarginalTarget):
        return _put_in_joint(target, point, base)
    points = PointMap(target.assembled)
    joint = points.position(point, starting_position(target.assembled), "start")
    values, _ = points.values(joint)
    kept, head = target.reduction.kept, target.reduction.data.head
    position = unconstrain_head(head.transforms, head.bounds, values[kept])
    return np.where(np.isin(kept, _given_elements(points, point)), position, base)


def _put_in_joint(target: Any, point: Mapping[str, Any], base: FloatArray) -> FloatArray:
    """By the model's own names, which are those of logarithms where the target has bent ones (`centring`)."""
    head, own = target.model.head, target.assembled.data.head
    bent = (head.transforms != own.transforms).nonzero()[0]
    points = PointMap(target.assembled, target.model._replace(head=own))
    position = target.joint_positions(base[None])[0].copy()
    values, _ = PointMap(target.assembled, target.model).values(position)
    position[bent] = unconstrain_head(own.transforms[bent], own.bounds[:, bent], values[bent])
    position = points.position(point, position, "start")
    values, _ = points.values(position)
    position[bent] = unconstrain_head(head.transforms[bent], head.bounds[:, bent], values[bent])
    own_position: FloatArray = target.own_positions(position[None])[0]
    return own_position


def _given_elements(points: PointMap, point: Mapping[str, Any]) -> NDArray[np.int64]:
    given = [free.index.ravel() for free in points.free if {free.name, free.unconstrained} & set(point)]
    return np.concatenate([np.empty(0, np.int64), *given])


def _say_integrated(target: MarginalTarget, names: set[str]) -> None:
    """Starting values of coefficients mean nothing where coefficients are integrated out."""
    points = PointMap(target.assembled)
    unused = [
        free.name
        for free in points.free
        if {free.name, free.unconstrained} & names and not np.isin(free.index, target.reduction.kept).any()
    ]
    if unused:
        log.info(
            "Starting values of %s have no use: the plan integrates them out and draws them exactly.", ", ".join(unused)
        )
