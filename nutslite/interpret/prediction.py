"""Predictions: what a model expects of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.interpret.asking import Asked, Options, ask
from nutslite.interpret.estimates import Estimates
from nutslite.interpret.streaming import Measure, Side

FloatArray = NDArray[np.float64]


@public
def predictions(
    model: Any,
    idata: Any,
    conditional: Any = None,
    average_by: Any = None,
    target: str = "mean",
    use_hdi: bool = True,
    prob: Any = None,
    transforms: Any = None,
    sample_new_groups: bool | None = None,
    *,
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
    """What the model expects, for its own rows, for rows of a grid, or on average.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned.
    conditional : str, list of str, or dict, optional
        Covariates to cross, with values as `datagrid` takes them; the others are held at their mean, or at their most
        frequent value where they are whole numbers or categories. By default the model's own rows.
    average_by, by : True, str or list of str, optional
        Average rows that agree in these columns, or all (True): draw by draw, before anything is summarised. The two
        are the same.
    target : str
        ``"mean"``: the mean of the response (of a binomial one its proportion), or the probabilities of its categories;
        ``"linpred"``: the linear predictor; a parameter by name (``"mu"``, ``"sigma"``) or its linear predictor
        (``"sigma_linpred"``); ``"quantile"`` with `quantile`; the name of the response: draws of it.
    use_hdi : bool
        Intervals of highest density, or with equal tails.
    prob : float or list of float, optional
        Of the intervals; 0.94 by default.
    transforms : dict, optional
        Functions by covariate, for tables and pictures; by the response's name, of the draws.
    sample_new_groups : bool, optional
        Whether rows of groups that the model has not seen get effects from the distribution of groups. They are an
        error otherwise.
    newdata : DataFrame, "mean" or "balanced", optional
        Rows to predict; ``"mean"`` is one row of typical values, ``"balanced"`` crosses all levels of categories.
    quantile : float, optional
        The level of the response's quantile.
    groups : {"observed", "typical", "new", "population"}, optional
        Whose group effects rows have: those of their own groups; none, which is a typical group; those of a new group,
        so that intervals hold what differs between groups; or averages over many new groups, which are means of the
        population of groups. By default observed groups where rows name them, else typical ones.
    integrate : int, optional
        Number of new groups for ``groups="population"``, 100 by default.
    wts : str or array_like, optional
        Weights of rows in averages, or the column that holds them.
    hypothesis, equivalence : optional
        As for `Estimates.hypothesis`.
    transform : callable, optional
        Of the draws of each answer, after averaging.
    draws : int, optional
        How many posterior draws to use, evenly spaced; all by default.
    random_seed : int
        For new groups and draws of the response.

    Returns
    -------
    Estimates

    Raises
    ------
    ArgumentError, DataError
        For covariates, targets and groups that the model does not have.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
    >>> results = model.fit(random_seed=1)  # doctest: +SKIP
    >>> nl.interpret.predictions(model, results, "Days")  # doctest: +SKIP
    """
    options = Options(
        conditional, newdata, one_of(average_by, by), target, quantile, use_hdi, prob, transforms, transform,
        sample_new_groups, groups, integrate, wts, hypothesis, equivalence, draws, random_seed,
    )  # fmt: skip
    return predicted(ask(model, idata, options))


@public
def avg_predictions(model: Any, idata: Any, by: Any = True, **options: Any) -> Estimates:
    """Average predictions: `predictions` with ``by=True``, or by the columns given; `options` as there."""
    return predictions(model, idata, by=by, **options)


def one_of(average_by: Any, by: Any) -> Any:
    """The one of two arguments that mean the same which is given.

    Raises
    ------
    ArgumentError
        Where both are.
    """
    from nutslite.exceptions import ArgumentError

    if average_by is not None and by is not None:
        raise ArgumentError("average_by= and by= mean the same: give one of the two.")
    return by if average_by is None else average_by


def predicted(asked: Asked) -> Estimates:
    """Answer a question for predictions."""

    def parts(sides: Sequence[Side], start: int, stop: int) -> list[FloatArray]:
        return [sides[0].value(asked.target, start, stop)]

    measure = Measure(parts, lambda value: value)
    found = asked.answer("predictions", iter([(pd.DataFrame(index=[0]), [asked.rows.frame], measure)]))
    return asked.with_points(found)
