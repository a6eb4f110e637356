"""Multi-membership: rows that belong to levels of several factors at once, ``mm(g1, g2, weights=[w1, w2])``.

The factors share their levels: pupils' schools of the first and of the second year. With u the effects of the levels, a
row gets the sum of w_j u[g_j], where the weights of a row sum to one unless ``scale=False``.

Source: Browne, Goldstein and Rasbash (2001), Statistical Modelling 1, 103-124.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.data import check_finite, matrix_of
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.language.algebra import Term
from nutslite.formula.records import GroupFactor, Members

FloatArray = NDArray[np.float64]

MOST_LEVELS = 2000  # each is a column of the design


def shared_levels(term: Term, parts: Sequence[Categories]) -> tuple[Any, ...]:
    """The levels of all factors: those of the first in their order, then others of the second; sorted if each is.

    Raises
    ------
    DataError
        Where two levels read the same, or there are too many.
    """
    found = tuple(dict.fromkeys(level for part in parts for level in part.levels))
    if all(_is_sorted(part.levels) for part in parts):
        with contextlib.suppress(TypeError):  # numbers in one factor, texts in another: names differ, or are refused
            found = tuple(sorted(found))
    names = [level_name(level) for level in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"The factors of '{term.name}' have two different levels that both read '{twice}' (a number and a text?)."
        )
    if len(found) > MOST_LEVELS:
        raise DataError(
            f"'{term.name}' has {len(found)} levels; at most {MOST_LEVELS} may be shared by several factors."
        )
    return found


def _is_sorted(levels: Sequence[Any]) -> bool:
    try:
        return all(a <= b for a, b in pairwise(levels))
    except TypeError:
        return False


def membership_factor(
    term: Term, parts: Sequence[Categories], levels: Sequence[Any], evaluator: Evaluator
) -> GroupFactor:
    """The factor of ``mm()`` on some rows; levels that are not among `levels` are new.

    Raises
    ------
    DataError
        For weights that are no numbers, or of which a row has none.
    """
    recoded = [part.recoded(levels, factor.name) for part, factor in zip(parts, term.factors, strict=True)]
    index = np.ascontiguousarray([part.codes for part in recoded], dtype=np.int32)
    new = tuple(dict.fromkeys(level_name(level) for part in recoded for level in part.unseen))
    names = tuple(level_name(level) for level in levels)
    if new:  # behind the known ones, in the order in which draws of new levels come
        places = {name: len(names) + place for place, name in enumerate(sorted(new))}
        for row, part in enumerate(recoded):
            index[row, index[row] < 0] = [places[level_name(level)] for level in part.unseen]
    members = Members(index, _weights(term, evaluator, len(parts)))
    return GroupFactor(term.name, np.maximum(index[0], 0), names, new, members=members)


def _weights(term: Term, evaluator: Evaluator, size: int) -> FloatArray:
    if not term.more:
        weights = np.ones((size, evaluator.rows))
    else:
        rows = [matrix_of(evaluator.evaluate(weight), evaluator.rows, weight.name) for weight in term.more]
        for row, weight in zip(rows, term.more, strict=True):
            check_finite(row, weight.name)
            if len(row) != 1:
                raise DataError(f"'{weight.name}' has {len(row)} columns; a weight of mm() has one.")
            if (row < 0.0).any():
                raise DataError(f"'{weight.name}' has negative numbers; the weights of mm() are 0 or more.")
        weights = np.concatenate(rows)
    if not _scales(term):
        return np.ascontiguousarray(weights, dtype=float)
    sums = weights.sum(axis=0)
    if not (sums > 0.0).all():
        place = int(np.argmin(sums))
        raise DataError(
            f"The weights of '{term.name}' are all 0 in row {place}: they cannot sum to one. Give such rows weights, "
            "or leave weights as they are by scale=False."
        )
    return np.ascontiguousarray(weights / sums)


def _scales(term: Term) -> bool:
    call: Any = None if term.call is None else term.call.tree
    return all(keyword.value.value for keyword in call.keywords if keyword.arg == "scale")
