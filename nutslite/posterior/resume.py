"""Checkpoints of a model's run: where its chains were launched, so that going on needs no second pilot.

A pilot chooses starts, metric and coordinates. Doing that again would agree to many digits, but a checkpoint promises
all of them, on a machine that may be busier or have other libraries today.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.posterior.identity import run_identity
from nutslite.posterior.plan import Plan
from nutslite.posterior.target import JointTarget, MarginalTarget, Target
from nutslite.sampler.checkpoint import Checkpoint
from nutslite.sampler.independence import Proposal
from nutslite.sampler.metric import Metric

Arrays = dict[str, NDArray[Any]]


class Launched(NamedTuple):
    """What the sampler is started with.

    Attributes
    ----------
    initial : ndarray, shape (chains, dimension)
    jitter : float
    metric : Metric or str
        As for `nutslite.sampler.sample`.
    adapts : bool
    tune : int
    target_accept : float or None
        What a trial found necessary; None: the usual.
    """

    initial: NDArray[np.float64]
    jitter: float
    metric: Metric | str
    adapts: bool
    tune: int
    target_accept: float | None = None


@contextlib.contextmanager
def opened_checkpoint(plan: Plan, settings: Any) -> Iterator[Checkpoint | None]:
    """The checkpoint that the settings name, open; None where they name none.

    Raises
    ------
    SamplingError
        If it cannot be written or belongs to another run.
    """
    if settings.checkpoint is None or settings.laplace:  # which is done in no time
        yield None
        return
    identity = run_identity(plan, settings, numbered=False)
    with Checkpoint(settings.checkpoint, identity, settings.random_seed) as checkpoint:
        if checkpoint.resumed:
            log.info("Going on with the run of the checkpoint '%s'.", checkpoint.path)
        yield checkpoint


def launched(checkpoint: Checkpoint | None, target: Target, launch: Callable[[], Launched]) -> Launched:
    """What `launch` finds, or what it found when the checkpoint was begun; the target's coordinates included."""
    if checkpoint is None:
        return launch()
    if found := checkpoint.find("launch"):
        fields, arrays = checkpoint.read(found[0])
        _set_coordinates(target, {name: value for name, value in arrays.items() if name.startswith("data.")})
        metric: Metric | str = fields["metric"]
        if metric == "given":
            metric = Metric(int(fields["metric_kind"]), *(arrays[name] for name in Metric._fields[1:]))
        target_accept = fields.get("target_accept")
        return Launched(arrays["initial"], fields["jitter"], metric, fields["adapts"], fields["tune"], target_accept)
    before = _arrays_of(_coordinates(target))
    new = launch()
    after = _arrays_of(_coordinates(target))
    arrays = {"initial": new.initial, **{name: after[name] for name in after if after[name] is not before.get(name)}}
    fields = {"jitter": new.jitter, "adapts": new.adapts, "tune": new.tune, "metric": new.metric}
    fields |= {"target_accept": new.target_accept}
    if isinstance(new.metric, Metric):
        fields |= {"metric": "given", "metric_kind": int(new.metric.kind)}
        arrays |= {name: getattr(new.metric, name) for name in Metric._fields[1:]}
    if isinstance(target, JointTarget | MarginalTarget):  # any other is launched again, to the same end
        checkpoint.append("launch", arrays, **fields)
    return new


def proposed(checkpoint: Checkpoint | None, propose: Callable[[], Proposal]) -> Proposal:
    """The proposal of an independence sampler: what `propose` finds, or what it found for the checkpoint."""
    if checkpoint is not None and (found := checkpoint.find("proposal")):
        arrays = checkpoint.read(found[0]).arrays
        return Proposal(arrays["center"], arrays["factor"])
    proposal = propose()
    if checkpoint is not None:
        checkpoint.append("proposal", {"center": proposal.center, "factor": proposal.factor})
    return proposal


def _coordinates(target: Target) -> Any:
    """The record whose arrays a launch may replace."""
    if isinstance(target, JointTarget):
        return target.model
    return target.reduction.data if isinstance(target, MarginalTarget) else None


def _set_coordinates(target: Target, arrays: Arrays) -> None:
    record = _with_arrays(_coordinates(target), arrays)
    if isinstance(target, JointTarget):
        target.model = record
    elif isinstance(target, MarginalTarget):
        target.reduction = replace(target.reduction, data=record)


def _arrays_of(record: Any, path: str = "data") -> Arrays:
    """The arrays and whole numbers of a nested record, by the path to each."""
    if isinstance(record, np.ndarray):
        return {path: record}
    if isinstance(record, int):
        return {path: np.array([record])}
    found: Arrays = {}
    for name in getattr(record, "_fields", ()):
        found |= _arrays_of(getattr(record, name), f"{path}.{name}")
    return found


def _with_arrays(record: Any, arrays: Arrays, path: str = "data") -> Any:
    """The nested record with some of its arrays and whole numbers replaced."""
    if not hasattr(record, "_fields"):
        found = arrays.get(path, record)
        return int(found[0]) if isinstance(record, int) and isinstance(found, np.ndarray) else found
    return record._replace(
        **{name: _with_arrays(getattr(record, name), arrays, f"{path}.{name}") for name in record._fields}
    )
