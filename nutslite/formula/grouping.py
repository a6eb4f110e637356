"""Grouping factors: from the right of a bar to one level index per row. Never an indicator matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.algebra import Term
from nutslite.formula.categories import Categories, categories_of, level_name
from nutslite.formula.evaluation import Evaluator
from nutslite.formula.terms import GroupFactor


@dataclass(frozen=True)
class GroupPlan:
    """What new data need to find their levels again.

    Attributes
    ----------
    term : Term
        The grouping factor; several factors for an interaction.
    components : tuple of tuple
        Level values of each factor.
    observed : tuple of ndarray
        One per factor after the first: the sorted keys (code so far * levels of this factor + its code) of the
        combinations that occur.
    levels : tuple of str
        Names of the levels of the whole.
    """

    term: Term
    components: tuple[tuple[Any, ...], ...]
    observed: tuple[NDArray[np.int64], ...]
    levels: tuple[str, ...]


def learn_group(term: Term, evaluator: Evaluator) -> tuple[GroupPlan, GroupFactor]:
    """The levels of a grouping factor, and the index of each row.

    Interactions have the combinations that occur in the data, named ``"a:b"``, sorted by the first factor's levels,
    then by the second's.

    Raises
    ------
    DataError
        When values cannot be levels, or two combinations would have the same name.
    """
    parts = [_component(factor.name, evaluator.evaluate(factor), evaluator.rows) for factor in term.factors]
    codes, names = parts[0].codes, parts[0].names
    observed = []
    for part in parts[1:]:
        keys = codes.astype(np.int64) * len(part.levels) + part.codes
        numbers, found = pd.factorize(keys, sort=True)
        codes = np.asarray(numbers, dtype=np.int32)
        observed.append(np.asarray(found, dtype=np.int64))
        own = part.names
        names = tuple(f"{names[key // len(own)]}:{own[key % len(own)]}" for key in found.tolist())
    if len(set(names)) < len(names):
        raise DataError(f"Two levels of '{term.name}' would have the same name; take the colons out of its levels.")
    plan = GroupPlan(term, tuple(part.levels for part in parts), tuple(observed), names)
    return plan, GroupFactor(term.name, np.array(codes, dtype=np.int32), names)


def apply_group(plan: GroupPlan, evaluator: Evaluator) -> GroupFactor:
    """The same grouping factor on new data: index -1, and a name in `new_levels`, where a level is new."""
    terms = plan.term.factors
    parts = [_component(factor.name, evaluator.evaluate(factor), evaluator.rows) for factor in terms]
    recoded = [part.recoded(levels) for part, levels in zip(parts, plan.components, strict=True)]
    codes = recoded[0].codes.astype(np.int64)
    for part, keys in zip(recoded[1:], plan.observed, strict=True):
        wanted = codes * len(part.levels) + part.codes
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known = (codes >= 0) & (part.codes >= 0) & (keys[place] == wanted)
        codes = np.where(known, place, -1)
    rows = np.flatnonzero(codes < 0)
    new = tuple(_new_name(parts, plan.components, row) for row in rows.tolist())
    return GroupFactor(plan.term.name, np.array(codes, dtype=np.int32), plan.levels, new)


def _component(name: str, value: Any, rows: int) -> Categories:
    if not isinstance(value, Categories):
        array = np.asarray(value)
        if array.shape != (rows,):
            raise DataError(f"The grouping factor '{name}' must be one column with a value per row.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"The grouping factor '{name}' is not finite in some rows.")
        value = categories_of(array, name)
    found: Categories = value.without_unused()
    return found


def _new_name(parts: Sequence[Categories], components: Sequence[tuple[Any, ...]], row: int) -> str:
    """The name that a row's level would have had, had it been there from the start."""
    return ":".join(
        _spelled_like(part.levels[part.codes[row]], levels) for part, levels in zip(parts, components, strict=True)
    )


def _spelled_like(level: Any, levels: tuple[Any, ...]) -> str:
    """7.0 is '7' where levels are whole numbers: a missing value elsewhere in a CSV turns integers into floats."""
    if isinstance(level, float) and level.is_integer() and all(isinstance(item, int) for item in levels[:1]):
        return str(int(level))
    return level_name(level)
