"""A warning before sampling: terms that give every response exactly leave a residual's sd nothing to be but zero.

Given all else, sigma's density rises as 1 / sigma to the number of rows that are left over. Where one row is more than
there are coefficients and effects it rises without bound, and its integral does, too: no posterior at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import warn
from nutslite.families.links.codes import is_custom, link_array
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.formula.records import GroupFactor, GroupTerm, LinearPredictor

FloatArray = NDArray[np.float64]

COMPUTED = "A predictor that was computed from the response, or the response from it, has to go. "
RESIDUAL = "sigma"  # the parameter that makes rows differ in a linear way, in every family that has one
_ROUNDING = 1e-11  # of the response's range, left by terms that give it exactly ...
_LAST_DIGITS = 1e-14  # ... or of its size, where all responses are equal
_MOST_VALUES = 1_000_000  # in a matrix that is solved for a warning
_SAME_COLUMN = 1e-10  # of a column's length: less of it is rounding


def warn_where_exact(design: Design, family: Family, link: str, kept: list[int]) -> None:
    """Warn where common terms, or these and the effects of groups, give more rows exactly than they are themselves.

    `link` is that of the family's parent, `kept` are the common columns that others do not span.
    """
    if is_custom(link):
        return
    predictor = design.predictors[family.parent.name]
    values = np.asarray(design.response.values[0], dtype=float)
    target = link_array(link, np.log(values) if family.response_support == "positive" else values)
    spread = float(np.ptp(target)) if np.isfinite(target).all() else np.nan
    left = max(_ROUNDING * spread, _LAST_DIGITS * float(np.abs(target).max()))
    target = target - (0.0 if predictor.offset is None else predictor.offset)
    bases = [term.matrix for term in predictor.basis_terms]
    columns = np.vstack([predictor.matrix[kept], *bases, np.ones((int(predictor.intercept), design.n_rows))])
    if not np.isfinite(spread):  # a response that no predictor gives
        return
    name = design.response.name
    if _leaves_nothing(target, columns, left, None):
        if spread <= left:
            warn(f"Every response '{name}' is {values[0]:.6g}, which an intercept gives exactly: {_what_follows('')}")
        else:
            warn(f"The terms give every response '{name}' exactly: {_what_follows()}")
    elif predictor.group_terms and _groups_leave_nothing(target, columns, left, predictor, design.factors):
        factors = dict.fromkeys(term.factor for term in predictor.group_terms)
        listed = " and ".join(f"'{factor}'" for factor in factors)
        warn(
            f"The levels of {listed} give every response '{name}' exactly, as where responses are means of groups: "
            f"{_what_follows()} Rows that are means can be replaced by what they are means of, or by one row per "
            f"level without '{predictor.group_terms[0].name}'."
        )


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
