"""A design of some of its rows, and of rows whose groups nobody has seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.columns.lent import Lender
from nutslite.formula.design import Design
from nutslite.formula.records import BasisTerm, GroupFactor, LinearPredictor, Members, Response

Rows = NDArray[np.int64]


def rows_of_design(design: Design, rows: Rows) -> Design:
    """The same design on some of its rows, by their places; levels of grouping factors stay what they are."""
    return replace(
        design,
        response=_response(design.response, rows),
        predictors={name: _predictor(predictor, rows) for name, predictor in design.predictors.items()},
        factors={name: _factor(factor, rows) for name, factor in design.factors.items()},
        weights=None if design.weights is None else design.weights[rows],
        n_rows=len(rows),
        rows=design.rows[rows],
        lender=Lender(),
    )


def with_new_groups(design: Design) -> Design:
    """The same rows with levels of all grouping factors taken for new ones, under their names.

    Raises
    ------
    DataError
        Where the levels have a known covariance: another member of such a population is one of its levels; where the
        predictors of their standard deviations differ between rows of one.
    """
    return replace(design, factors={name: _unseen(factor) for name, factor in design.factors.items()})


def _response(response: Response, rows: Rows) -> Response:
    censoring = response.censoring
    if censoring is not None:
        upper = None if censoring.upper is None else censoring.upper[rows]
        censoring = replace(censoring, status=censoring.status[rows], upper=upper)
    return replace(response, values=_columns(response.values, rows), censoring=censoring)


def _predictor(predictor: LinearPredictor, rows: Rows) -> LinearPredictor:
    return replace(
        predictor,
        matrix=_columns(predictor.matrix, rows),
        group_terms=tuple(
            term if term.matrix is None else replace(term, matrix=_columns(term.matrix, rows))
            for term in predictor.group_terms
        ),
        offset=None if predictor.offset is None else predictor.offset[rows],
        basis_terms=tuple(_basis_term(term, rows) for term in predictor.basis_terms),
    )


def _basis_term(term: BasisTerm, rows: Rows) -> BasisTerm:
    places = None if term.places is None else _columns(term.places, rows)
    return replace(term, matrix=_columns(term.matrix, rows), places=places)


def _factor(factor: GroupFactor, rows: Rows) -> GroupFactor:
    index = factor.index[rows]
    if factor.inside is not None:
        factor = replace(factor, inside=factor.inside[rows])
    if factor.members is not None:
        return replace(factor, index=index, members=factor.members.of_rows(rows))
    if not factor.new_levels:
        return replace(factor, index=index)
    names = levels_by_row(factor)[rows]
    return replace(factor, index=index, new_levels=tuple(names[index < 0].tolist()))


def _unseen(factor: GroupFactor) -> GroupFactor:
    if factor.covariance is not None and (factor.index >= 0).any():
        raise DataError(
            f"The levels of '{factor.name}' have a known covariance: effects of others are drawn given those of the "
            "model's, and its own levels cannot be taken for new ones."
        )
    if factor.sds is not None and factor.sds.fault:
        raise DataError(f"Groups are taken for new ones, of one z each in gr(g, sd=z): {factor.sds.fault}")
    if factor.members is not None:
        return _unseen_members(factor, factor.members)
    return replace(factor, index=np.full_like(factor.index, -1), new_levels=tuple(levels_by_row(factor).tolist()))


def _unseen_members(factor: GroupFactor, members: Members) -> GroupFactor:
    names = np.array([*factor.levels, *sorted(factor.new_levels)], dtype=object)
    wanted = sorted(set(names[members.index].ravel().tolist()))
    places = np.array([wanted.index(name) if name in wanted else -1 for name in names], dtype=np.int32)
    index = (places[members.index] + len(factor.levels)).astype(np.int32)
    return replace(factor, new_levels=tuple(wanted), members=replace(members, index=index))


def levels_by_row(factor: GroupFactor) -> NDArray[Any]:
    """Names of the levels of rows, new ones included."""
    names = np.empty(factor.index.size, dtype=object)
    new = factor.index < 0
    names[~new] = [factor.levels[place] for place in factor.index[~new]]
    names[new] = list(factor.new_levels)
    return names


def _columns(matrix: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    return np.ascontiguousarray(matrix[:, rows])
