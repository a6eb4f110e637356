"""Tables of what a model estimates: coefficients, effects of groups, both together, and how much groups vary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.interpret.streaming import Draws, draws_of
from nutslite.interpret.summaries import Intervals, intervals_of, table_of
from nutslite.model.record.specification import Specification, specification_of
from nutslite.posterior.record.inventory import Quantity

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class _Column:
    """A column of a linear predictor, and draws of what multiplies it: a coefficient, or the effects of levels."""

    parameter: str
    name: str
    draws: FloatArray


@public
def fixef(model: Any, idata: Any, prob: Any = None, use_hdi: bool = True) -> pd.DataFrame:
    """Coefficients of common terms, intercepts and thresholds.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned.
    prob, use_hdi : optional
        As for `predictions`.

    Returns
    -------
    DataFrame
        One row for each, under its name in results (``"x"``, ``"f[b]"``): ``estimate``, ``sd``, ``lower``, ``upper``.

    Raises
    ------
    DataError
        For results of another model.

    Examples
    --------
    >>> import nutslite as nl
    >>> model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
    >>> results = model.fit(random_seed=1)  # doctest: +SKIP
    >>> nl.interpret.fixef(model, results)  # doctest: +SKIP
    """
    source = _Source.of(model, idata, prob, use_hdi)
    found: list[tuple[str, FloatArray]] = []
    for quantity in source.specification.posterior.inventory.of_kind("intercept", "coefficients", "constant"):
        if quantity.kind != "constant" or quantity.dims:
            own = source.specification.aliases.get(quantity.name, quantity.name)
            found += [(own + name.removeprefix(quantity.name), draws) for name, draws in source.elements(quantity)]
    return source.table(pd.DataFrame(index=[name for name, _ in found]), [draws for _, draws in found])


@public
def ranef(model: Any, idata: Any, prob: Any = None, use_hdi: bool = True) -> pd.DataFrame:
    """Effects of groups: how far each level is from the population. Arguments as for `fixef`.

    Returns
    -------
    DataFrame
        Columns ``group`` (the factor), ``level``, ``parameter``, ``term``, then as for `fixef`.

    Raises
    ------
    DataError
        For a model without groups.
    """
    source = _Source.of(model, idata, prob, use_hdi)
    lines, draws = [], []
    for group, levels, column in source.group_columns():
        lines += [(group, level, column.parameter, column.name) for level in levels]
        draws += list(column.draws.T)
    return source.table(pd.DataFrame(lines, columns=["group", "level", "parameter", "term"]), draws)


@public
def coef(model: Any, idata: Any, prob: Any = None, use_hdi: bool = True) -> pd.DataFrame:
    """Coefficients of each level: those of the population and the level's own effects added, draw by draw.

    Arguments as for `fixef`.

    Returns
    -------
    DataFrame
        Columns as for `ranef`. Coefficients that do not vary by group are `fixef`'s alone.

    Raises
    ------
    DataError
        For a model without groups.
    """
    source = _Source.of(model, idata, prob, use_hdi)
    common = {(column.parameter, column.name): column.draws for column in source.common_columns()}
    lines, draws = [], []
    for group, levels, column in source.group_columns():
        lines += [(group, level, column.parameter, column.name) for level in levels]
        own = common.get((column.parameter, column.name))
        draws += list(column.draws.T if own is None else column.draws.T + own)
    return source.table(pd.DataFrame(lines, columns=["group", "level", "parameter", "term"]), draws)


@public
def varcorr(model: Any, idata: Any, prob: Any = None, use_hdi: bool = True) -> pd.DataFrame:
    """Standard deviations and correlations of the effects of groups. Arguments as for `fixef`.

    Returns
    -------
    DataFrame
        Columns ``group``, ``kind`` (``"sd"`` or ``"cor"``), ``term`` (of correlations two), then as for `fixef`. A
        standard deviation of the response has the group ``"Residual"``. Where standard deviations are explained,
        ``gr(g, sd=z)``, ``"sd"`` is that of a group whose z is the mean, and ``"log sd"`` says by how much its
        logarithm grows with z.

    Raises
    ------
    DataError
        For a model without groups.
    """
    source = _Source.of(model, idata, prob, use_hdi)
    source.need_groups()
    inventory, lines, draws = source.specification.posterior.inventory, [], []
    for quantity in inventory.of_kind("hyperparameter", "correlations"):
        if quantity.kind == "correlations":
            labels = inventory.coords[quantity.dims[0]]
            values = source.draws.named.get(quantity.name, width=(len(labels),))
            lines += [(quantity.column, "cor", label) for label in labels]
            draws += list(values.T)
        elif quantity.is_group_scale:
            for name, values in source.elements(quantity):
                lines.append((quantity.column, "sd", name.split("|")[0] + name.partition("_sigma")[2]))
                draws.append(values)
        elif source.explains_sds(quantity):
            for name, values in source.elements(quantity):
                lines.append((quantity.column, "log sd", name.partition(f"{quantity.column}_sd_")[2]))
                draws.append(values)
    if "sigma" in inventory.by_name and inventory.by_name["sigma"].kind == "constant":
        lines.append(("Residual", "sd", ""))
        draws.append(source.draws.named.get("sigma", width=()))
    return source.table(pd.DataFrame(lines, columns=["group", "kind", "term"]), draws)


@dataclass(frozen=True)
class _Source:
    """A model's draws, and the intervals of its tables."""

    specification: Specification
    draws: Draws
    intervals: Intervals

    @classmethod
    def of(cls, model: Any, idata: Any, prob: Any, use_hdi: Any) -> _Source:
        specification = specification_of(model)
        intervals = intervals_of(prob, use_hdi)
        return cls(specification, draws_of(specification, idata), intervals)

    def table(self, labels: pd.DataFrame, draws: list[FloatArray]) -> pd.DataFrame:
        if not draws:
            raise DataError("The model has nothing of the kind to show.")
        return table_of(labels, self.intervals.columns(np.stack(draws, axis=1)), self.intervals)

    def need_groups(self) -> None:
        if not self.specification.spec.design.factors:
            raise DataError("The model has no group-specific terms: fixef has its coefficients.")

    def explains_sds(self, quantity: Quantity) -> bool:
        """Whether a hyperparameter is a coefficient of ``gr(g, sd=z)``."""
        factor = self.specification.spec.design.factors.get(quantity.term)
        return factor is not None and factor.sds is not None and len(quantity.arguments) == 1

    def elements(self, quantity: Quantity) -> list[tuple[str, FloatArray]]:
        """Names and draws of all numbers of a quantity, as ArviZ names them."""
        coords = self.specification.posterior.inventory.coords
        labels = [coords[dim] for dim in quantity.dims]
        width = tuple(len(each) for each in labels)
        values = self.draws.named.get(quantity.name, width=width).reshape(self.draws.samples, -1)
        names = [f"[{', '.join(str(label) for label in each)}]" if each else "" for each in itertools.product(*labels)]
        return [(f"{quantity.name}{name}", values[:, place]) for place, name in enumerate(names)]

    def common_columns(self) -> Iterator[_Column]:
        """Every column of the common terms with its coefficient; the intercept's is called ``Intercept``."""
        for parameter, predictor, prefix, rows in self._predictors():
            for row, suffix in rows:
                if predictor.intercept:
                    draws = self._of(f"{prefix}Intercept", (), row, len(rows))
                    yield _Column(parameter, f"Intercept{suffix}", draws)
                for term in predictor.terms:
                    draws = self._of(f"{prefix}{term.name}", (term.stop - term.start,), row, len(rows))
                    for place, label in enumerate(term.labels):
                        yield _Column(parameter, _named(term.name, label, term.scalar, suffix), draws[:, place])

    def group_columns(self) -> Iterator[tuple[str, tuple[str, ...], _Column]]:
        """Every column of the group-specific terms: the factor, its levels, and their effects, (samples, levels)."""
        self.need_groups()
        for parameter, predictor, prefix, rows in self._predictors():
            for row, suffix in rows:
                for term in predictor.group_terms:
                    levels = self.specification.spec.design.factors[term.factor].levels
                    width = (term.columns, len(levels))
                    draws = self._of(f"{prefix}{term.name}", width, row, len(rows))
                    for place, label in enumerate(term.labels):
                        name = "Intercept" if term.expression == "1" else term.expression
                        named = _named(name, label, term.scalar, suffix)
                        yield term.factor, tuple(levels), _Column(parameter, named, draws[:, place])

    def _predictors(self) -> Iterator[tuple[str, Any, str, list[tuple[int | None, str]]]]:
        """Parameter, predictor, prefix, and the rows of eta with what is added to names for them."""
        spec = self.specification.spec
        for parameter, predictor in spec.design.predictors.items():
            item = spec.family.parameter(parameter)
            rows: list[tuple[int | None, str]] = [(None, "")]
            if item.dim:
                rows = [(row, f" ({label})") for row, label in enumerate(item.labels)]
            yield parameter, predictor, spec.family.prefix(parameter), rows

    def _of(self, name: str, width: tuple[int, ...], row: int | None, rows: int) -> FloatArray:
        if row is None:
            return self.draws.named.get(name, width=width)
        return self.draws.named.get(name, width=(rows, *width))[:, row]


def _named(term: str, label: str, scalar: bool, suffix: str) -> str:
    return f"{term}{suffix}" if scalar else f"{term}[{label}]{suffix}"
