"""Survival curves: the probability that a response is above a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, DataError
from nutslite.families.record.bounds import felt
from nutslite.families.record.inside import log_probability
from nutslite.families.record.variants import plain
from nutslite.formula.forms.truncated import LOWER, UPPER
from nutslite.interpret.asking import Options, ask
from nutslite.interpret.estimates import Estimates
from nutslite.interpret.streaming import Measure, Side
from nutslite.model.record.specification import Specification, specification_of
from nutslite.results.predictions.parameter_draws import ParameterDraws
from nutslite.results.predictions.target import Companions, Target

FloatArray = NDArray[np.float64]

TIME, SURVIVAL = "time", "survival"
_POINTS = 50  # of a curve


@public
def survival(
    model: Any,
    idata: Any,
    times: Any = None,
    conditional: Any = None,
    by: Any = None,
    use_hdi: bool = True,
    prob: Any = None,
    *,
    newdata: Any = None,
    groups: str | None = None,
    integrate: int | None = None,
    sample_new_groups: bool | None = None,
    wts: Any = None,
    draws: int | None = None,
    random_seed: int = 0,
) -> Estimates:
    """The probability S(t) that a response is above t, with its interval, and its picture by ``.plot()``.

    By default the mean over the model's own rows, which is what a Kaplan-Meier curve of the data estimates. A censored
    response counts as what it would have been. Of a truncated one S(t) is that of all responses, those that could not
    be seen included: of a study that people join late, from the time on that is zero for all.

    Parameters
    ----------
    model : Model
        Of a family that knows censored responses, whether or not some are.
    idata : InferenceData or DataTree
        What `fit` returned.
    times : array_like, optional
        Where to ask; by default 50 times from zero, or from the smallest response, to the largest.
    conditional, newdata, by, use_hdi, prob, groups, integrate, sample_new_groups, wts, draws, random_seed
        As for `predictions`: ``conditional="group"`` gives a curve for each group, the other covariates held.

    Returns
    -------
    Estimates
        Its table has a column ``time``.

    Raises
    ------
    ArgumentError, DataError
        For a family without such probabilities, and for arguments as in `predictions`.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("censored(time, status) ~ group", data, family="weibull")  # doctest: +SKIP
    >>> nl.interpret.survival(model, results, conditional="group").plot()  # doctest: +SKIP
    """
    specification = specification_of(model)
    at = _checked_times(times, specification)
    options = Options(
        conditional=conditional, newdata=newdata, by=by, use_hdi=use_hdi, prob=prob, groups=groups,
        integrate=integrate, sample_new_groups=sample_new_groups, wts=wts, draws=draws, random_seed=random_seed,
    )  # fmt: skip
    everyone = True if conditional is None and newdata is None else None
    asked = ask(model, idata, options, default_by=everyone)
    questions = (
        (pd.DataFrame({TIME: [time]}), [asked.rows.frame], _measure(_target(specification, time))) for time in at
    )
    found = replace(asked, target=_target(specification, 0.0)).answer(SURVIVAL, questions)
    return replace(found, by=(TIME, *found.by), numbers=found.numbers | {TIME})


def _measure(target: Target) -> Measure:
    def parts(sides: Sequence[Side], start: int, stop: int) -> list[FloatArray]:
        return [sides[0].value(target, start, stop)]

    return Measure(parts, lambda value: value)


def _target(specification: Specification, time: float) -> Target:
    """The probability to be above one time."""
    family = plain(specification.spec.family)

    def value(rows: ParameterDraws, on_links: Mapping[str, FloatArray], companions: Companions) -> FloatArray:
        natural = rows.to_natural(on_links)
        shape = np.broadcast_shapes(*(value.shape for value in natural.values()))
        flat = {name: np.broadcast_to(value, shape).reshape(-1) for name, value in natural.items()}
        size = int(np.prod(shape))
        after = np.floor(time) + 1.0 if family.discrete else time
        bounds = felt(family, np.full(size, after), np.full(size, np.inf))
        return np.exp(log_probability(family, bounds, flat, {})).reshape(shape)

    return Target(SURVIVAL, value)


def _checked_times(times: Any, specification: Specification) -> FloatArray:
    """Where to ask.

    Raises
    ------
    ArgumentError, DataError
    """
    spec = specification.spec
    family, response = spec.family, spec.design.response
    if "right" not in family.censored or family.combined:
        raise DataError(f"The family '{family.name}' does not say how probable a response above a time is.")
    more = [name for name in response.companions if name not in (LOWER, UPPER)]
    if more:
        raise DataError(f"Survival is of a response alone, and '{response.name}' comes with its {more[0]}.")
    if times is None:
        y = response.values[0]
        least = min(0.0, float(y.min())) if family.response_support == "real" else 0.0
        return np.linspace(least, float(y.max()), _POINTS)
    try:
        at = np.atleast_1d(np.asarray(times, dtype=float))
    except (TypeError, ValueError):
        raise ArgumentError(f"times are numbers, not {times!r}.") from None
    if at.ndim != 1 or at.size == 0 or not np.isfinite(at).all():
        raise ArgumentError("times is a list of finite numbers, with one at least.")
    return at
