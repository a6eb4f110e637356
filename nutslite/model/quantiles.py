"""Several quantiles of one response by separate fits, put in order where their curves cross."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import CallError, public
from nutslite.exceptions import DataError, shown
from nutslite.families.rows.levels import several_levels
from nutslite.formula.columns.data import as_frame
from nutslite.model.fits.fit_arguments import FitArguments
from nutslite.model.model import Model
from nutslite.model.record.specification import ModelArguments
from nutslite.scores.kinds.prediction import Prediction

FloatArray = NDArray[np.float64]


@public
@dataclass(frozen=True)
class QuantilePrediction:
    """Quantiles of some rows, in order.

    Attributes
    ----------
    table : DataFrame
        One row for each row of the data and level: posterior ``mean``, ends ``lower`` and ``upper`` of its interval.
    crossed_rows : float
        Share of the rows whose means were not in order of their levels before they were sorted.
    crossed_draws : float
        The same of single draws, of all rows.
    """

    table: pd.DataFrame
    crossed_rows: float
    crossed_draws: float

    @property
    def prediction(self) -> Prediction:
        """The means, as scores know them: for `scores.evaluate` and `scores.conformalize`."""
        means = self.table["mean"].unstack("quantile", sort=False)
        return Prediction.from_quantiles(means.to_numpy(), means.columns.to_numpy())


@public
@dataclass(frozen=True)
class QuantileFits:
    """One fit for each of several levels.

    Attributes
    ----------
    models : dict of float to Model
        By level, increasing.
    results : dict of float to InferenceData or DataTree
        By level; with intervals adjusted unless ``adjust=False``.
    """

    models: Mapping[float, Model]
    results: Mapping[float, Any]

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The levels, increasing."""
        return tuple(self.models)

    def predict(self, data: Any = None, interval: float = 0.95, **options: Any) -> QuantilePrediction:
        """Quantiles of the models' own rows, or of new ones, sorted over levels.

        Means, and both ends of intervals, are sorted each by themselves: no sorted curve is farther from the truth than
        the curves were (Chernozhukov, Fernandez-Val and Galichon, 2010, doi:10.3982/ECTA7880, and 2009,
        doi:10.1093/biomet/asp030).

        Parameters
        ----------
        data : DataFrame or the like, optional
        interval : float
            Share of the posterior between `lower` and `upper`.
        **options
            As for `Model.predict`: ``include_group_specific``, ``sample_new_groups``, ``random_seed``, ``draws``.

        Raises
        ------
        DataError
            As for `Model.predict`, and for an interval that is no share.
        """
        if not isinstance(interval, Real) or isinstance(interval, bool) or not 0.0 < float(interval) < 1.0:
            raise DataError(f"interval is a number between 0 and 1, such as 0.95, not {shown(interval)}.")
        tail = 0.5 * (1.0 - float(interval))
        rows = None if data is None else as_frame(data)
        before: FloatArray | None = None
        columns: dict[str, list[FloatArray]] = {"mean": [], "lower": [], "upper": []}
        crossed: NDArray[np.bool_] | None = None
        for level, model in self.models.items():
            drawn = _drawn_quantiles(model, self.results[level], rows, options)
            if before is not None:
                below = drawn[: len(before)] < before[: len(drawn)]
                crossed = below if crossed is None else crossed[: len(below)] | below[: len(crossed)]
            before = drawn
            columns["mean"].append(drawn.mean(axis=0))
            for name, share in (("lower", tail), ("upper", 1.0 - tail)):
                columns[name].append(np.quantile(drawn, share, axis=0))
        every = {name: np.stack(parts, axis=1) for name, parts in columns.items()}
        design = next(iter(self.models.values())).design
        labels = design.rows if rows is None else rows.index
        index = pd.MultiIndex.from_product([labels, self.quantiles], names=["row", "quantile"])
        table = pd.DataFrame({name: np.sort(part, axis=1).ravel() for name, part in every.items()}, index=index)
        apart = (np.diff(every["mean"], axis=1) < 0.0).any(axis=1)
        return QuantilePrediction(table, float(apart.mean()), 0.0 if crossed is None else float(crossed.mean()))


@public
def fit_quantiles(
    formula: Any,
    data: Any,
    quantiles: Sequence[float],
    family: Any = "elf",
    *,
    groups: Any = None,
    adjust: bool = True,
    fit: Mapping[str, Any] | None = None,
    **settings: Any,
) -> QuantileFits:
    """Fit a model for each of several levels.

    Parameters
    ----------
    formula, data, family
        As for `Model`.
    quantiles : sequence of float
        Levels between 0 and 1, in any order.
    groups
        As for `Model.adjust_intervals`.
    adjust : bool
        Whether to adjust intervals.
    fit : dict, optional
        Arguments of `Model.fit`: ``{"random_seed": 1}``.
    **settings
        Further arguments of `Model`.

    Raises
    ------
    FamilyError
        For levels that are none, or the same twice.
    NutsliteError
        As for `Model` and its methods.

    Examples
    --------
    >>> import nutslite as nl
    >>> sleep = nl.load_data("sleepstudy")
    >>> fits = nl.fit_quantiles("Reaction ~ Days", sleep, [0.1, 0.5, 0.9])  # doctest: +SKIP
    >>> fits.predict().crossed_rows  # doctest: +SKIP
    0.0
    """
    levels = several_levels("quantiles", quantiles)
    of_fit = {item.name for item in fields(FitArguments)} - {item.name for item in fields(ModelArguments)}
    for name in sorted(settings.keys() & of_fit):
        raise CallError(f"{name} is an argument of Model.fit: fit={{'{name}': {settings[name]!r}}}.")
    frame = as_frame(data)
    models = {level: Model(formula, frame, family=family, quantile=level, **settings) for level in levels}
    results = {}
    for level, model in models.items():
        drawn = model.fit(**dict(fit or {}))
        results[level] = model.adjust_intervals(drawn, groups) if adjust else drawn
    return QuantileFits(models, results)


def _drawn_quantiles(model: Model, results: Any, rows: Any, options: Mapping[str, Any]) -> FloatArray:
    """Draws of a model's quantile, shape (samples, rows)."""
    from nutslite.results.container.inference_data import get_group

    predicted = model.predict(results, data=rows, inplace=False, **options)
    group = get_group(predicted, "posterior" if rows is None else "predictions")
    values = group[model.family.parent.name].transpose("chain", "draw", ...).to_numpy()
    return np.asarray(values.reshape(-1, values.shape[-1]))
