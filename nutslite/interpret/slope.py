"""Slopes: the derivative of an answer by a covariate, at each row's own value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, refuse_other
from nutslite.interpret.asking import Asked, Options, ask
from nutslite.interpret.covariates import Covariate, known_covariate
from nutslite.interpret.estimates import Estimates
from nutslite.interpret.grid import named_values
from nutslite.interpret.prediction import one_of
from nutslite.interpret.streaming import Measure, Side, applied, name_of
from nutslite.results.predictions.target import Target

FloatArray = NDArray[np.float64]

SLOPES: dict[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = {
    "dydx": lambda slope, x, y: slope,
    "eyex": lambda slope, x, y: slope * x / y,
    "eydx": lambda slope, x, y: slope / y,
    "dyex": lambda slope, x, y: slope * x,
}
STEP = 1e-5  # of the covariate's range: the linear predictor's difference loses five digits of sixteen, no more
ETA_STEP = 6e-6  # the cube root of machine precision, best for a difference of both sides


@public
def slopes(
    model: Any,
    idata: Any,
    wrt: Any = None,
    conditional: Any = None,
    average_by: Any = None,
    eps: float | None = None,
    slope: Any = "dydx",
    target: str = "mean",
    use_hdi: bool = True,
    prob: Any = None,
    transforms: Any = None,
    sample_new_groups: bool | None = None,
    *,
    variables: Any = None,
    newdata: Any = None,
    by: Any = None,
    quantile: float | None = None,
    groups: str | None = None,
    integrate: int | None = None,
    wts: Any = None,
    hypothesis: Any = None,
    equivalence: Any = None,
    transform: Any = None,
    draws: int | None = None,
    random_seed: int = 0,
) -> Estimates:
    """How fast the answer changes with a covariate, at each row's own value, for each row or on average.

    The linear predictors change with the covariate by a difference of both sides, which is exact where they are
    straight in it; from there the derivative goes through links and means by a difference along these predictors.

    Parameters
    ----------
    model, idata, conditional, average_by, by, target, use_hdi, prob, transforms, sample_new_groups, newdata, quantile
        As for `predictions`.
    wrt : str, list of str, or dict
        The covariate, a number; a dict gives the value or values where the slope is taken.
    eps : float, optional
        Half the width of the difference, in the covariate's unit; a hundred-thousandth of its range by default.
    slope : {"dydx", "eyex", "eydx", "dyex"} or callable
        The derivative; the elasticity (per cent by per cent); per cent of the answer by unit; units by per cent; or a
        function of the derivative, the covariate and the answer.
    variables : optional
        `wrt` in another spelling.
    groups, integrate, wts, hypothesis, equivalence, transform, draws, random_seed : optional
        As for `predictions`.

    Returns
    -------
    Estimates
        Columns ``term`` and ``estimate_type`` come first.

    Raises
    ------
    ArgumentError, DataError
        As for `predictions`; for a covariate that is a category, and a target that jumps.
    """
    if wrt is not None and variables is not None:
        raise ArgumentError("wrt= and variables= mean the same: give one of the two.")
    given = variables if wrt is None else wrt
    if given is None:
        raise ArgumentError("slopes needs wrt=: the covariate that the slope is along.")
    name, function = _slope(slope)
    argument = "wrt" if variables is None else "variables"
    at = named_values(argument, given)
    conditional, newdata = _at(argument, at, conditional, newdata)
    options = Options(
        conditional, newdata, one_of(average_by, by), target, quantile, use_hdi, prob, transforms, transform,
        sample_new_groups, groups, integrate, wts, hypothesis, equivalence, draws, random_seed,
    )  # fmt: skip
    asked = ask(model, idata, options)
    if not asked.target.smooth:
        raise ArgumentError(f"target={target!r} jumps from value to value and has no slope: use comparisons.")
    return sloped(asked, argument, list(at), name, function, _half_width(eps))


@public
def avg_slopes(model: Any, idata: Any, wrt: Any = None, by: Any = True, **options: Any) -> Estimates:
    """Average slopes: `slopes` with ``by=True``, or by the columns given; `options` as there.

    Without `wrt`, of every covariate that is a number.
    """
    if wrt is None and options.get("variables") is None:
        from nutslite.interpret.covariates import changeable
        from nutslite.model.record.specification import specification_of

        wrt = [name for name, item in changeable(specification_of(model)).items() if item.numeric]
        if not wrt:
            raise DataError("The model has no covariate that is a number: use avg_comparisons.")
    return slopes(model, idata, wrt, by=by, **options)


def _slope(given: Any) -> tuple[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]]:
    if callable(given):
        return name_of(given), given
    if not isinstance(given, str):
        raise ArgumentTypeError(f"slope is a name or a function of derivative, x and y, not {given!r}.")
    refuse_other("slope", given, tuple(SLOPES))
    return given, SLOPES[given]


def _half_width(eps: Any) -> float | None:
    if eps is None:
        return None
    if isinstance(eps, bool | str) or not isinstance(eps, int | float | np.number) or not 0.0 < eps < np.inf:
        raise ArgumentError(f"eps is a small number above 0, not {eps!r}.")
    return float(eps)


def _at(argument: str, at: Mapping[str, Any], conditional: Any, newdata: Any) -> tuple[Any, Any]:
    """Values where slopes are taken are values of a grid."""
    values = {name: value for name, value in at.items() if value is not None}
    if not values:
        return conditional, newdata
    if newdata is not None:
        raise ArgumentError(f"{argument} gives values, and newdata= rows: use one of the two.")
    return {**values, **({} if conditional is None else named_values("conditional", conditional))}, None


def sloped(
    asked: Asked,
    argument: str,
    names: Sequence[str],
    name: str,
    function: Callable[[FloatArray, FloatArray, FloatArray], FloatArray],
    eps: float | None,
) -> Estimates:
    """Answer a question for slopes."""

    def questions() -> Iterator[tuple[pd.DataFrame, Sequence[pd.DataFrame], Measure]]:
        for covariate in names:
            item = known_covariate(covariate, asked.covariates, argument)
            if not item.numeric:
                raise DataError(f"'{covariate}' is a category and has no slope: comparisons compares its levels.")
            frame = asked.rows.frame
            labels = pd.DataFrame({"term": [covariate], "estimate_type": [name]})
            low, high = _sides(item, frame, eps)
            frames = (frame, frame.assign(**{covariate: low}), frame.assign(**{covariate: high}))
            yield labels, frames, _measure(asked, function, covariate)

    return asked.answer("slopes", questions())


def _sides(item: Covariate, frame: pd.DataFrame, eps: float | None) -> tuple[FloatArray, FloatArray]:
    """Values on both sides of each row's own, none farther out than the model's rows and this one are.

    Where all of the model's rows have one value, no side is farther out than the other.
    """
    x = frame[item.name].to_numpy(dtype=float)
    least, largest = float(item.column.min()), float(item.column.max())
    if least == largest:
        step = STEP * max(1.0, abs(largest)) if eps is None else eps
        return x - step, x + step
    step = (largest - least) * STEP if eps is None else eps
    return np.maximum(x - step, np.minimum(x, least)), np.minimum(x + step, np.maximum(x, largest))


def _measure(
    asked: Asked, function: Callable[[FloatArray, FloatArray, FloatArray], FloatArray], covariate: str
) -> Measure:
    """The derivative at each row, of three sides: the rows themselves, and a little below and above."""

    def parts(sides: Sequence[Side], start: int, stop: int) -> list[FloatArray]:
        own = sides[0]
        x, low, high = (side.frame[covariate].to_numpy(dtype=float) for side in sides)
        at, below, above = (side.rows.on_links(start, stop) for side in sides)
        width = high - low
        direction = {
            name: (above[name] - below[name]) / (width[:, None] if at[name].ndim == 3 else width)
            for name in own.rows.varying
        }
        derivative = _along(asked.target, own, at, direction)
        answer = asked.target.value(own.rows, at, own.companions)
        x = x[:, None] if derivative.ndim == 3 else x
        with np.errstate(divide="ignore", invalid="ignore"):
            return [applied("slope", function, derivative, x, answer)]

    return Measure(parts, lambda value: value)


def _along(target: Target, side: Side, at: Mapping[str, FloatArray], direction: Mapping[str, FloatArray]) -> FloatArray:
    """The derivative of the answer where linear predictors move along a direction."""
    speed = np.max([_largest(np.abs(step) / (1.0 + np.abs(at[name]))) for name, step in direction.items()], axis=0)
    t = np.where(speed > 0.0, ETA_STEP / np.where(speed > 0.0, speed, 1.0), 1.0)
    ends = []
    for sign in (-1.0, 1.0):
        moved = dict(at)
        for name, step in direction.items():
            moved[name] = at[name] + sign * (t[..., None] if step.ndim == 3 else t) * step
        ends.append(target.value(side.rows, moved, side.companions))
    difference = ends[1] - ends[0]
    return difference / (2.0 * (t[..., None] if difference.ndim == 3 else t))


def _largest(ratio: FloatArray) -> FloatArray:
    return ratio.max(axis=2) if ratio.ndim == 3 else ratio
