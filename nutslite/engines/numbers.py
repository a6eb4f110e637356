"""A design's numbers as one matrix, and a design with other numbers in their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.design import Design
from nutslite.formula.records import GroupTerm, LinearPredictor

FloatArray = NDArray[np.float64]


def numbers_of(design: Design, response: bool) -> FloatArray:
    """Common columns, offsets and columns of group-specific terms of all predictors, shape (D, n); y last if asked."""
    parts = [part for predictor in design.predictors.values() for part in _parts(predictor)]
    if response:
        parts.append(design.response.values[:1])
    return np.concatenate([np.empty((0, design.n_rows)), *parts])


def with_numbers(design: Design, numbers: FloatArray, response: bool) -> Design:
    """The design with these numbers (D, n) in the order of `numbers_of`; the rows are as many as they were."""
    rows = iter(np.ascontiguousarray(numbers))
    predictors = {name: _replaced(predictor, rows) for name, predictor in design.predictors.items()}
    design = replace(design, predictors=predictors)
    if not response:
        return design
    companions = design.response.values[1:]
    values = np.concatenate([next(rows)[None], companions]) if len(companions) else next(rows)[None].copy()
    return replace(design, response=replace(design.response, values=values))


def with_means(design: Design, of: Design) -> Design:
    """The design, whose common columns are centred at the means of those of another one."""
    predictors = {
        name: replace(predictor, means=of.predictors[name].matrix.mean(axis=1))
        for name, predictor in design.predictors.items()
    }
    return replace(design, predictors=predictors)


def _parts(predictor: LinearPredictor) -> Iterator[FloatArray]:
    yield predictor.matrix
    if predictor.offset is not None:
        yield predictor.offset[None]
    yield from (term.matrix for term in predictor.group_terms if term.matrix is not None)


def _replaced(predictor: LinearPredictor, rows: Iterator[FloatArray]) -> LinearPredictor:
    matrix = _taken(rows, predictor.matrix)
    offset = None if predictor.offset is None else next(rows).copy()
    terms = tuple(_with_matrix(term, rows) for term in predictor.group_terms)
    return replace(predictor, matrix=matrix, offset=offset, group_terms=terms)


def _with_matrix(term: GroupTerm, rows: Iterator[FloatArray]) -> GroupTerm:
    return term if term.matrix is None else replace(term, matrix=_taken(rows, term.matrix))


def _taken(rows: Iterator[FloatArray], before: FloatArray) -> FloatArray:
    """As many rows as a matrix has, shape (columns, n)."""
    taken = [next(rows) for _ in range(before.shape[0])]
    return np.array(taken) if taken else np.empty_like(before)
