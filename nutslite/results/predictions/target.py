"""`Target`: the number of each row and draw that a question is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, DataError, did_you_mean
from nutslite.results.predictions.parameter_draws import ParameterDraws
from nutslite.results.predictions.response_draws import PredictionTask, ResponseDraws
from nutslite.scores.distributions import distribution, distribution_names

FloatArray = NDArray[np.float64]
Companions = Mapping[str, FloatArray]

MEAN, LINPRED, QUANTILE = "mean", "linpred", "quantile"
COMPANIONS = {"trials": "n"}
"""What distributions call companions of the response."""

_ON = "_linpred"  # "sigma_linpred" is sigma's linear predictor


@dataclass(frozen=True)
class Target:
    """What is computed of the parameters of rows at draws.

    Attributes
    ----------
    name : str
        What tables call it.
    value : callable
        ``value(rows, on_links, companions) -> ndarray (chunk, n)`` or, where it has a category for each element of
        `labels`, (chunk, n, K); `on_links` is what ``rows.on_links`` gives, or values near it.
    dim : str or None
        What the categories are of.
    labels : tuple of str
    smooth : bool
        Whether it has slopes.
    random : bool
        Whether it is drawn, so that it needs what responses come with.
    """

    name: str
    value: Callable[[ParameterDraws, Mapping[str, FloatArray], Companions], FloatArray]
    dim: str | None = None
    labels: tuple[str, ...] = ()
    smooth: bool = True
    random: bool = False


def target_of(name: Any, task: PredictionTask, response: str, quantile: Any = None, seed: Any = None) -> Target:
    """The target of that name.

    Parameters
    ----------
    name : str
        ``"mean"``: of the response, or the probabilities of its categories, or the quantiles where they are
        modelled; ``"linpred"``; ``"quantile"``; a parameter or its alias; a parameter with ``_linpred``; the response's
        name for draws of it.
    quantile : float, optional
        For ``"quantile"``, its level.
    seed : int, optional
        For draws of the response.

    Raises
    ------
    ArgumentError, DataError
        Where there is no such target, or the family does not have it.
    """
    if quantile is not None and name not in (QUANTILE, MEAN):
        raise ArgumentError(f"quantile={quantile!r} is about target='quantile', not target={name!r}.")
    if name == QUANTILE or quantile is not None:
        return _quantile(task, quantile, response)
    if name == MEAN:
        return _mean(task)
    aliases = {alias: own for own, alias in task.aliases.items()}
    own = aliases.get(name, name)
    parameters = [item.name for item in task.family.parameters]
    if own == LINPRED:
        return _linear(task, task.family.parent.name, LINPRED)
    if own in task.family.combined:
        return _natural(task, own, str(name))
    if own in parameters:
        return _natural(task, own, str(name))
    if isinstance(own, str) and own.endswith(_ON) and own.removesuffix(_ON) in parameters:
        return _linear(task, own.removesuffix(_ON), own)
    if own == response:
        return _response(task, str(name), seed)
    known = [MEAN, LINPRED, QUANTILE, *parameters, *(f"{item}{_ON}" for item in parameters), response]
    raise ArgumentError(f"target={name!r} is none of {', '.join(known)}.{did_you_mean(str(name), known)}")


def _mean(task: PredictionTask) -> Target:
    family = task.family
    if family.combined and family.response_dim is None:
        parameter = family.parent.name
        return _natural(task, parameter, parameter if family.composite else MEAN)
    if family.quantile is not None:  # the mean of a working distribution is nobody's question
        return _natural(task, family.parent.name, f"quantile {family.quantile:g}")

    def value(rows: ParameterDraws, on_links: Mapping[str, FloatArray], companions: Companions) -> FloatArray:
        return np.asarray(family.mean(rows.to_natural(on_links), companions), dtype=float)

    dim, labels = family.response_dim or (None, ())
    return Target(MEAN, value, dim, labels)


def _natural(task: PredictionTask, parameter: str, name: str) -> Target:
    dim, labels = task.family.combined.get(parameter, (None, ()))
    if dim is None and task.family.parameter(parameter).dim:
        item = task.family.parameter(parameter)
        dim, labels = item.dim, tuple(str(label) for label in item.labels)

    def value(rows: ParameterDraws, on_links: Mapping[str, FloatArray], companions: Companions) -> FloatArray:
        natural = rows.to_natural(on_links)  # a family that combines parameters has no others
        return natural[parameter] if parameter in natural else on_links[parameter]

    return Target(name, value, dim, tuple(str(label) for label in labels))


def _linear(task: PredictionTask, parameter: str, name: str) -> Target:
    item = task.family.parameter(parameter)

    def value(rows: ParameterDraws, on_links: Mapping[str, FloatArray], companions: Companions) -> FloatArray:
        if parameter not in rows.varying:
            raise DataError(f"'{parameter}' has no formula in this model, and so no linear predictor.")
        return on_links[parameter]

    return Target(name, value, item.dim or None, tuple(str(label) for label in item.labels))


def _quantile(task: PredictionTask, level: Any, response: str) -> Target:
    if level is None:
        raise ArgumentError("A quantile needs quantile=, a probability between 0 and 1.")
    if isinstance(level, bool) or not isinstance(level, int | float | np.number) or not 0.0 < level < 1.0:
        raise ArgumentError(f"quantile is a probability between 0 and 1, not {level!r}.")
    family = task.family
    if family.composite:
        raise DataError(f"The family '{family.name}' has the quantiles {family.quantile}: target='mu' gives them.")
    names = {parameter.name for parameter in family.parameters}
    extra = {companion: name for companion, name in COMPANIONS.items() if companion in family.companions}
    known = family.kind in distribution_names() and set(family.companions) == set(extra)
    if not known or set(distribution(family.kind).parameters) != names | {*extra.values()}:
        raise DataError(
            f"Quantiles of the family '{family.name}' are not known in closed form. predict(kind='response'), in "
            f"nutslite.interpret target='{response}', draws responses: take quantiles of these."
        )
    record = distribution(family.kind)

    def value(rows: ParameterDraws, on_links: Mapping[str, FloatArray], companions: Companions) -> FloatArray:
        found = {**rows.to_natural(on_links), **{own: companions[name] for name, own in extra.items()}}
        arrays = np.broadcast_arrays(*(found[name] for name in record.parameters))
        return np.asarray(record.quantile(np.full(arrays[0].shape, float(level)), *arrays))

    return Target(f"quantile {level:g}", value, smooth=not family.discrete)


def _response(task: PredictionTask, name: str, seed: Any) -> Target:
    rng = np.random.default_rng(seed)

    def value(rows: ParameterDraws, on_links: Mapping[str, FloatArray], companions: Companions) -> FloatArray:
        natural = rows.to_natural(on_links)
        size = next(iter(natural.values())).shape[0]
        drawn = ResponseDraws(task, companions, rng, size, rows.n_rows)
        drawn.add(natural, 0, size)
        drawn.warn()
        return np.asarray(drawn.values, dtype=float)

    dim, labels = task.family.response_dim or (None, ())
    return Target(name, value, dim, labels, smooth=False, random=True)
