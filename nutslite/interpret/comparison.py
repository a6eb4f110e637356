"""Comparisons: what would be otherwise, if a covariate were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, check_flags, refuse_other
from nutslite.interpret.asking import Asked, Options, ask
from nutslite.interpret.contrasts import contrasts_of
from nutslite.interpret.estimates import Estimates
from nutslite.interpret.grid import named_values
from nutslite.interpret.prediction import one_of
from nutslite.interpret.streaming import Measure, Side, applied, name_of

FloatArray = NDArray[np.float64]

COMPARISONS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "diff": lambda before, after: after - before,
    "ratio": lambda before, after: after / before,
    "lift": lambda before, after: (after - before) / before,
    "lnratio": lambda before, after: np.log(after / before),
    "lnor": lambda before, after: np.log(after / (1.0 - after)) - np.log(before / (1.0 - before)),
}
SPELLINGS = {"difference": "diff"}


@public
def comparisons(
    model: Any,
    idata: Any,
    contrast: Any = None,
    conditional: Any = None,
    average_by: Any = None,
    target: str = "mean",
    comparison: Any = "diff",
    use_hdi: bool = True,
    prob: Any = None,
    transforms: Any = None,
    sample_new_groups: bool | None = None,
    *,
    variables: Any = None,
    cross: bool = False,
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
    """How much the answer changes with a covariate, for each row or on average; the other covariates stay.

    Parameters
    ----------
    model, idata, conditional, average_by, by, target, use_hdi, prob, transforms, sample_new_groups, newdata, quantile
        As for `predictions`.
    contrast : str, list of str, or dict
        The covariate that changes, several of them, or a dict of what is compared: of numbers a step around each row's
        own value (1 by default; of whole numbers from it to the next), two or more values, ``"sd"``, ``"2sd"``,
        ``"iqr"``, ``"minmax"``, or a function of the column that gives two columns; of categories levels, or
        ``"pairwise"`` (the default), ``"reference"`` (each with the first), ``"sequential"``, ``"minmax"``.
    comparison : {"diff", "ratio", "lift", "lnratio", "lnor"} or callable
        Of the answers before and after: their difference, ratio, relative difference, log ratio, log odds ratio, or a
        function of two arrays of draws, those before and those after, in this order. Where rows are averaged both sides
        are averaged before they are compared, so that a ratio is one of averages.
    variables : optional
        `contrast` in another spelling, with ``"reference"`` as the default of categories.
    cross : bool
        Whether several covariates change together.
    groups, integrate, wts, hypothesis, equivalence, transform, draws, random_seed : optional
        As for `predictions`.

    Returns
    -------
    Estimates
        Columns ``term``, ``estimate_type`` and ``value`` (``"a_vs_b"``: from a to b) come first.

    Raises
    ------
    ArgumentError, DataError
        As for `predictions`, and for contrasts that the covariate does not have.
    """
    check_flags(cross=cross)
    if contrast is not None and variables is not None:
        raise ArgumentError("contrast= and variables= mean the same: give one of the two.")
    given = variables if contrast is None else contrast
    name, function = _comparison(comparison)
    options = Options(
        conditional, newdata, one_of(average_by, by), target, quantile, use_hdi, prob, transforms, transform,
        sample_new_groups, groups, integrate, wts, hypothesis, equivalence, draws, random_seed,
    )  # fmt: skip
    argument = "contrast" if variables is None else "variables"
    if given is None:
        raise ArgumentError("comparisons needs contrast=: the covariate that changes.")
    asked = ask(model, idata, options, moved=list(named_values(argument, given)))
    pairs = "pairwise" if variables is None else "reference"
    return compared(asked, argument, given, name, function, pairs, cross)


@public
def avg_comparisons(model: Any, idata: Any, contrast: Any = None, by: Any = True, **options: Any) -> Estimates:
    """Average comparisons: `comparisons` with ``by=True``, or by the columns given; `options` as there."""
    if contrast is None and options.get("variables") is None:
        from nutslite.interpret.covariates import changeable
        from nutslite.model.record.specification import specification_of

        options["variables"] = list(changeable(specification_of(model)))
        if not options["variables"]:
            raise ArgumentError("The model has no covariate, and so nothing to compare.")
    return comparisons(model, idata, contrast, by=by, **options)


def _comparison(given: Any) -> tuple[str, Callable[[FloatArray, FloatArray], FloatArray]]:
    if callable(given):
        return name_of(given), given
    if not isinstance(given, str):
        raise ArgumentTypeError(f"comparison is a name or a function of two arrays, not {given!r}.")
    name = SPELLINGS.get(given.removesuffix("avg"), given.removesuffix("avg"))
    refuse_other("comparison", name, tuple(COMPARISONS))
    return name, COMPARISONS[name]


def compared(
    asked: Asked,
    argument: str,
    given: Any,
    name: str,
    function: Callable[[FloatArray, FloatArray], FloatArray],
    pairs: str,
    cross: bool,
) -> Estimates:
    """Answer a question for comparisons."""

    def parts(sides: Sequence[Side], start: int, stop: int) -> list[FloatArray]:
        return [side.value(asked.target, start, stop) for side in sides]

    def finish(before: FloatArray, after: FloatArray) -> FloatArray:
        return applied("comparison", function, before, after)

    def questions() -> Iterator[tuple[pd.DataFrame, Sequence[pd.DataFrame], Measure]]:
        measure = Measure(parts, finish)
        for contrast in contrasts_of(argument, given, asked.covariates, asked.rows.frame, pairs=pairs, cross=cross):
            labels = pd.DataFrame(
                {"term": [", ".join(contrast.terms)], "estimate_type": [name], "value": [contrast.label]}
            )
            yield labels, (contrast.before, contrast.after), measure

    return asked.answer("comparisons", questions())
