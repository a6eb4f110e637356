"""A warning before sampling: terms that give every response exactly leave a residual's sd nothing to be but zero.

Given all else, sigma's density rises as 1 / sigma to the number of rows that are left over. Where one row is more than
there are coefficients and effects it rises without bound, and its integral does, too: no posterior at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import warn
from nutslite.families.links.codes import is_custom, link_array
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.formula.records import CommonTerm, GroupFactor, GroupTerm, LinearPredictor

FloatArray = NDArray[np.float64]

COMPUTED = "A predictor that was computed from the response, or the response from it, has to go. "
RESIDUAL = "sigma"  # the parameter that makes rows differ in a linear way, in every family that has one
_ROUNDING = 1e-11  # of the response's range, left by terms that give it exactly ...
_LAST_DIGITS = 1e-14  # ... or of its size, where all responses are equal
_MOST_VALUES = 1_000_000  # in a matrix that is solved for a warning
_SAME_COLUMN = 1e-10  # of a column's length: less of it is rounding
_MOST_LEVELS = 5_000  # that are looked at one by one


def warn_where_exact(design: Design, family: Family, link: str, kept: list[int]) -> None:
    """Warn where common terms, or these and the effects of groups, give more rows exactly than they are themselves.

    `link` is that of the family's parent, `kept` are the common columns that others do not span.
    """
    if is_custom(link):
        return
    predictor = design.predictors[family.parent.name]
    matrices = [term.matrix for term in predictor.basis_terms if term.kind.extend is None]

    def columns_of(rows: Any) -> FloatArray:
        ones = np.broadcast_to(1.0, (int(predictor.intercept), design.n_rows))
        return np.vstack([predictor.matrix[:, rows][kept], *(matrix[:, rows] for matrix in matrices), ones[:, rows]])

    count = len(kept) + sum(map(len, matrices)) + int(predictor.intercept)
    few = count * design.n_rows <= _MOST_VALUES  # more are not looked at together, and not copied for it
    if not few and RESIDUAL not in design.predictors:
        return
    values = np.asarray(design.response.values[0], dtype=float)
    target = link_array(link, np.log(values) if family.response_support == "positive" else values)
    if not np.isfinite(target).all():  # a response that no predictor gives
        return
    spread = float(np.ptp(target))
    left = max(_ROUNDING * spread, _LAST_DIGITS * float(np.abs(target).max()))
    target = target - (0.0 if predictor.offset is None else predictor.offset)
    columns = columns_of(slice(None)) if few else np.empty((0, design.n_rows))
    name = design.response.name
    if few and _leaves_nothing(target, columns, left, None):
        if spread <= left:
            warn(f"Every response '{name}' is {values[0]:.6g}, which an intercept gives exactly: {_what_follows('')}")
        else:
            warn(f"The terms give every response '{name}' exactly: {_what_follows()}")
    elif any(factor.members is not None for factor in design.factors.values()):  # of which a row has several levels
        return
    elif few and predictor.group_terms and _groups_leave_nothing(target, columns, left, predictor, design.factors):
        factors = dict.fromkeys(term.factor for term in predictor.group_terms)
        listed = " and ".join(f"'{factor}'" for factor in factors)
        warn(
            f"The levels of {listed} give every response '{name}' exactly, as where responses are means of groups: "
            f"{_what_follows()} Rows that are means can be replaced by what they are means of, or by one row per "
            f"level without '{predictor.group_terms[0].name}'."
        )
    elif RESIDUAL in design.predictors:
        _warn_where_levels_are(target, columns_of, count, left, design, predictor)


def _warn_where_levels_are(
    target: FloatArray,
    columns_of: Callable[[Any], FloatArray],
    count: int,
    left: float,
    design: Design,
    predictor: LinearPredictor,
) -> None:
    """Warn where rows that have a sigma of their own are given exactly: a scale that runs away with the likelihood."""
    for term, codes in _own_scales(design):
        exact = []
        for code in range(min(int(codes.max()) + 1, _MOST_LEVELS)):
            rows = np.flatnonzero(codes == code)
            if rows.size < 2 or count * rows.size > _MOST_VALUES:
                continue
            effects = [_columns_of_rows(each, design.factors[each.factor], rows) for each in predictor.group_terms]
            if _leaves_nothing(target[rows], np.vstack([columns_of(rows), *effects]), left, None):
                exact.append(rows)
        if not exact:
            continue
        first = exact[0]
        where = f" of '{design.factors[term.factor].levels[codes[first[0]]]}'" if isinstance(term, GroupTerm) else ""
        more = f" So it is in {len(exact) - 1} other sets of rows." if len(exact) > 1 else ""
        held = "may not hold it" if isinstance(term, GroupTerm) else "alone hold it"
        warn(
            f"By '{term.name}' the {first.size} rows{where} like row {first[0]} have a {RESIDUAL} of their own, and "
            f"their responses '{design.response.name}' are given exactly, as where they are equal: the likelihood "
            f"rises without bound as that {RESIDUAL} nears 0, and priors {held}.{more} Leave '{term.name}' out of the "
            f"formula of {RESIDUAL}, or say by censored(...) what rounding made equal."
        )


def _own_scales(design: Design) -> Iterator[tuple[CommonTerm | GroupTerm, NDArray[np.int32]]]:
    """Terms of sigma by which it is free in some rows while it stays in all others, and codes of such rows."""
    spread = design.predictors[RESIDUAL]
    for group in spread.group_terms:
        if group.matrix is None:
            yield group, design.factors[group.factor].index
    for term in spread.terms:
        columns = spread.matrix[term.start : term.stop]
        if columns.size > _MOST_VALUES:
            continue
        patterns, codes = np.unique(columns, axis=1, return_inverse=True)
        if patterns.shape[1] <= patterns.shape[0] + spread.intercept:  # so that coefficients can single out each
            yield term, codes.reshape(-1).astype(np.int32)


def _columns_of_rows(term: GroupTerm, factor: GroupFactor, rows: NDArray[np.intp]) -> FloatArray:
    """The columns of a term's effects in some rows, of the levels that are there."""
    present, index = np.unique(factor.index[rows], return_inverse=True)
    levels: FloatArray = (index == np.arange(present.size)[:, None]).astype(float)
    if term.matrix is None:
        return levels
    return np.asarray((levels[:, None, :] * term.matrix[:, rows]).reshape(-1, rows.size))


def _what_follows(remedy: str = COMPUTED) -> str:
    return (
        f"nothing is left for {RESIDUAL}, the posterior has no bound as it nears 0, and the draws cannot be trusted. "
        f"{remedy}A known {RESIDUAL} can be given, such as priors={{'{RESIDUAL}': 0.1}}."
    )


def _groups_leave_nothing(
    target: FloatArray,
    columns: FloatArray,
    left: float,
    predictor: LinearPredictor,
    factors: Mapping[str, GroupFactor],
) -> bool:
    """Whether effects do so: the largest factor's intercepts as means to subtract, all other effects as columns."""
    intercepts = [term for term in predictor.group_terms if term.matrix is None]
    largest = max(intercepts, key=lambda term: len(factors[term.factor].levels), default=None)
    others = [term for term in predictor.group_terms if term is not largest]
    count = len(columns) + sum(term.columns * len(factors[term.factor].levels) for term in others)
    if count * target.size > _MOST_VALUES:
        return False
    written = [_columns_of(term, factors[term.factor]) for term in others]
    index = None if largest is None else factors[largest.factor].index
    return _leaves_nothing(target, np.vstack([columns, *written]), left, index)


def _columns_of(term: GroupTerm, factor: GroupFactor) -> FloatArray:
    """The columns (levels * columns, n) of a term's effects, written out."""
    levels: FloatArray = (factor.index == np.arange(len(factor.levels))[:, None]).astype(float)
    if term.matrix is None:
        return levels
    return np.asarray((levels[:, None, :] * term.matrix).reshape(-1, factor.index.size))


def _leaves_nothing(target: FloatArray, columns: FloatArray, left: float, index: NDArray[np.int32] | None) -> bool:
    """Whether columns, and means of the levels of `index`, give the target but for `left`, and are fewer than rows."""
    rows = target.size
    if columns.size > _MOST_VALUES:
        return False
    columns = columns / np.maximum(np.linalg.norm(columns, axis=1, keepdims=True), np.finfo(float).tiny)
    levels = 0
    if index is not None:
        levels = np.unique(index).size
        target, columns = _without_means(target[None], index)[0], _without_means(columns, index)
    if rows <= levels:
        return False
    found, _, rank, _ = np.linalg.lstsq(columns.T, target, rcond=_SAME_COLUMN)
    return bool(rows > levels + int(rank) and np.abs(target - columns.T @ found).max() <= left)


def _without_means(columns: FloatArray, index: NDArray[np.int32]) -> FloatArray:
    counts = np.maximum(np.bincount(index), 1)
    return np.array([column - (np.bincount(index, column) / counts)[index] for column in columns]).reshape(
        columns.shape
    )
