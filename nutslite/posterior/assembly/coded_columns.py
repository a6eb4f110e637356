"""Coded columns of a model's data: put together, written out again as columns, and told in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.design import Design
from nutslite.posterior.assembly.code_search import CodeSet, find_code_sets, pays
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.layout import Variable
from nutslite.posterior.record.model_data import Codes, ModelData, sorting_block

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


class CodesBuilder:
    """`Codes` while a model is assembled, predictor by predictor.

    Parameters
    ----------
    sortable : bool
        Whether rows can be sorted by a code, because they will not be by a grouping factor.
    search : bool
        Whether to look for columns that pay; otherwise all are left.
    """

    def __init__(self, sortable: bool, search: bool = True) -> None:
        self.sortable, self.search = sortable, search
        self.levels: list[NDArray[np.int32]] = []
        self._rows: list[IndexArray] = []
        self._tables: list[FloatArray] = []
        self._coefficients: list[IndexArray] = []
        self._used = np.zeros(3, dtype=np.int64)  # effects, elements of tables, coefficients so far

    def take(
        self,
        predictor: int,
        matrix: FloatArray,
        means: FloatArray,
        spans: list[tuple[int, int]],
        coefficients: IndexArray,
    ) -> IndexArray:
        """Code what pays of a predictor's columns (p, n), centred at their `means`; the columns that are left."""
        left = np.ones(matrix.shape[0], dtype=bool)
        for one in find_code_sets(matrix, spans, self.sortable) if self.search else ():
            left[one.columns] = False
            table = matrix[one.columns[:, None], one.first] - means[one.columns, None]
            self.add(predictor, one, table, coefficients[one.columns])
        return np.flatnonzero(left)

    def add(self, predictor: int, found: CodeSet, table: FloatArray, coefficients: IndexArray) -> None:
        """One set: its table (columns, distinct rows) and the places of its coefficients."""
        row = np.zeros(md.CODE_FIELDS, dtype=np.int64)
        row[md.PREDICTOR], row[md.FACTOR], row[md.N_LEVELS] = predictor, self._factor(found.code), found.first.size
        row[md.N_COLUMNS], row[md.EFFECT_STRIDE] = 1, 1
        row[[md.EFFECT_START, md.TABLE_START, md.CODED_START]] = self._used
        row[md.CODED_COLUMNS] = coefficients.size
        self._used += found.first.size, table.size, coefficients.size
        self._rows.append(row)
        self._tables.append(table.reshape(-1))
        self._coefficients.append(coefficients)

    def _factor(self, code: NDArray[np.int32]) -> int:
        """Place of a code among `levels`; predictors with the same columns share it."""
        for place, known in enumerate(self.levels):
            if np.array_equal(known, code):
                return place
        self.levels.append(code)
        return len(self.levels) - 1

    def build(self, n_factors: int, n_effects: int, n_block_columns: int) -> Codes:
        """The record, for a model with so many grouping factors, group effects and rows of `block_columns`."""
        blocks = np.array(self._rows, dtype=np.int64).reshape(-1, md.CODE_FIELDS)
        blocks[:, md.FACTOR] += n_factors
        blocks[:, md.EFFECT_START] += n_effects
        blocks[:, md.COLUMN_TABLE] = n_block_columns
        return Codes(
            blocks=blocks,
            tables=np.concatenate([np.empty(0), *self._tables]),
            coefficients=np.concatenate([np.empty(0, dtype=np.int64), *self._coefficients]),
        )


def with_codes(added: IndexArray, n_block_columns: int, codes: Codes) -> IndexArray:
    """`ModelData.added` with these sets of coded columns behind its parts of group blocks, in place of others."""
    parts = added[added[:, md.COLUMN_TABLE] < n_block_columns]
    return np.ascontiguousarray(np.concatenate([parts, codes.blocks[:, : md.ADDED_FIELDS]]))


def sorted_by_groups(design: Design, has_weights: bool = False) -> bool:
    """Whether rows will be sorted by the largest grouping factor, as `model_data.sorting_block` will say.

    Without one, weights and coefficients that have hyperpriors are a factor of one level.
    """
    width: dict[str, int] = {}
    for predictor in design.predictors.values():
        for term in predictor.group_terms:
            if not design.factors[term.factor].takes_columns:
                width[term.factor] = width.get(term.factor, 0) + term.columns
    levels = {name: len(design.factors[name].levels) for name in width}
    largest = max(width, key=lambda name: width[name] * levels[name], default=None)
    if largest is None and has_weights:
        return md.is_sortable(design.n_rows, 1)
    return largest is not None and md.is_sortable(design.n_rows, levels[largest])


def coefficients_of(block: IndexArray, codes: Codes) -> IndexArray:
    """Indices into `values` of a coded set's coefficients."""
    return codes.coefficients[block[md.CODED_START] : block[md.CODED_START] + block[md.CODED_COLUMNS]]


def table_of(block: IndexArray, codes: Codes) -> FloatArray:
    """Distinct rows of a coded set's columns, shape (columns, distinct rows)."""
    shape = int(block[md.CODED_COLUMNS]), int(block[md.N_LEVELS])
    return codes.tables[block[md.TABLE_START] : block[md.TABLE_START] + shape[0] * shape[1]].reshape(shape)


def common_columns(model: ModelData, j: int, rows: slice = slice(None)) -> FloatArray:
    """All common columns of predictor `j`, coded ones written out, in the order of its coefficients: a new array."""
    predictor = model.predictors[j]
    dense = slice(int(predictor[md.COLUMN_START]), int(predictor[md.COLUMN_STOP]))
    places = _all_coefficients(model, j)
    some = model.matrix[dense, rows]
    out = np.empty((places.size, some.shape[1]))
    out[np.searchsorted(places, model.coefficients[dense])] = some
    for block in model.codes.blocks:
        if block[md.PREDICTOR] == j:
            code = model.levels[block[md.FACTOR], rows]
            own = np.searchsorted(places, coefficients_of(block, model.codes))
            for place, column in zip(own, table_of(block, model.codes), strict=True):
                np.take(column, code, out=out[place])
    return out


def each_common_column(model: ModelData, j: int) -> list[FloatArray]:
    """The rows of `common_columns` one by one: where none is coded, they are the model's own."""
    if len(model.codes.blocks):
        return [*common_columns(model, j)]
    first, last = int(model.predictors[j, md.COLUMN_START]), int(model.predictors[j, md.COLUMN_STOP])
    return [model.matrix[first + at] for at in np.argsort(model.coefficients[first:last])]


def _all_coefficients(model: ModelData, j: int) -> IndexArray:
    """Indices into `values` of all coefficients of predictor `j`, in order: those of the head, then derived ones."""
    predictor = model.predictors[j]
    dense = model.coefficients[predictor[md.COLUMN_START] : predictor[md.COLUMN_STOP]]
    coded = [coefficients_of(block, model.codes) for block in model.codes.blocks if block[md.PREDICTOR] == j]
    places: IndexArray = np.sort(np.concatenate([dense, *coded]))
    return places


def without_codes(model: ModelData) -> ModelData:
    """The same model with all its columns in `matrix`."""
    return _keeping(model, np.zeros(model.codes.blocks.shape[0], dtype=bool))


def with_paying_codes(model: ModelData) -> ModelData:
    """The same model; sets that do not pay are columns again: because rows were merged, or are sorted otherwise."""
    n, sorting = model.y.shape[1], sorting_block(model)
    keep = []
    for block in model.codes.blocks:
        p = _all_coefficients(model, int(block[md.PREDICTOR])).size
        by_runs = sorting is not None and sorting[md.FACTOR] == block[md.FACTOR]
        keep.append(pays(n, p, int(block[md.CODED_COLUMNS]), int(block[md.N_LEVELS]), by_runs))
    return _keeping(model, np.array(keep, dtype=bool))


def coded_sentences(model: ModelData, variables: Iterable[Variable]) -> list[str]:
    """What is read by code, in plain words, one sentence for each set."""
    by_name = {
        variable.name: np.atleast_1d(variable.index)
        for variable in variables
        if variable.source == "values" and not variable.columns.size
    }
    sentences = []
    for block in model.codes.blocks:
        coded = coefficients_of(block, model.codes)
        counts = {name: int(np.isin(index, coded).sum()) for name, index in by_name.items()}
        terms = [f"{count} of {name}" for name, count in counts.items() if count]
        sentences.append(
            f"{coded.size} columns are read by code, as {block[md.N_LEVELS]:,} different rows: {', '.join(terms)}."
        )
    return sentences


def _keeping(model: ModelData, keep: NDArray[np.bool_]) -> ModelData:
    if keep.all():
        return model
    builder = CodesBuilder(sortable=False)
    n_factors = model.levels.shape[0] - np.unique(model.codes.blocks[:, md.FACTOR]).size
    predictors, columns, coefficients = model.predictors.copy(), [np.empty((0, model.y.shape[1]))], []
    used = 0
    for j, predictor in enumerate(predictors):
        own = [block for block, kept in zip(model.codes.blocks, keep, strict=True) if kept and block[md.PREDICTOR] == j]
        for block in own:
            code = model.levels[block[md.FACTOR]]
            found = CodeSet(np.empty(0, dtype=np.int64), code, np.empty(block[md.N_LEVELS], dtype=np.int64))
            builder.add(j, found, table_of(block, model.codes), coefficients_of(block, model.codes))
        places = _all_coefficients(model, j)
        dense = ~np.isin(places, np.concatenate([[-1], *(coefficients_of(block, model.codes) for block in own)]))
        if places.size:
            columns.append(common_columns(model, j)[dense])
        coefficients.append(places[dense])
        predictor[md.COLUMN_START], used = used, used + int(dense.sum())
        predictor[md.COLUMN_STOP] = used
    codes = builder.build(n_factors, model.centring.size, model.block_columns.shape[0])
    levels: Any = np.concatenate([model.levels[:n_factors], np.array(builder.levels).reshape(-1, model.y.shape[1])])
    return model._replace(
        predictors=predictors,
        matrix=np.ascontiguousarray(np.concatenate(columns)),
        coefficients=np.concatenate(coefficients).astype(np.int64),
        levels=np.ascontiguousarray(levels, dtype=np.int32),
        added=with_codes(model.added, model.block_columns.shape[0], codes),
        codes=codes,
    )
