"""`Categories`: a categorical column as integer codes and levels, the one form that grouping and coding work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean
from nutslite.formula.columns.level_names import level_name, positions_among, python_levels

_SHOWN = 8
_PLAIN_NUMBERS = (np.dtype(np.int64), np.dtype(np.float64))
_ROWS_AT_ONCE = 1 << 17


@dataclass(frozen=True, eq=False)
class Categories:
    """Codes of the rows and the levels that they point to.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
        Position of each row's level; -1 where a row's level is not among `levels` (new data only).
    levels : tuple
        The level values as Python objects, in order.
    contrast : object or None
        A Patsy contrast, an explicit matrix, or None for treatment coding against the first level.
    unseen : tuple
        The values of the rows with code -1, in row order.
    """

    codes: NDArray[np.int32]
    levels: tuple[Any, ...]
    contrast: Any = None
    unseen: tuple[Any, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The levels as texts."""
        return tuple(level_name(level) for level in self.levels)

    def values(self) -> NDArray[np.object_]:
        """Each row's level as an object, for functions of the user's own."""
        levels = np.empty(len(self.levels), dtype=object)
        levels[:] = self.levels
        return levels[self.codes]

    def position(self, level: Any, what: str) -> int:
        """Position of `level`, given by its value or by its name.

        Raises
        ------
        DataError
            When there is no such level; `what` says whose levels these are.
        """
        names, name = self.names, level_name(level)
        if name in names:
            return names.index(name)
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise DataError(f"'{name}' is not a level of {what} ({shown}).{did_you_mean(name, names)}")

    def without_unused(self) -> Categories:
        """The same rows without levels that no row has."""
        used = np.bincount(self.codes, minlength=len(self.levels)) > 0
        if used.all():
            return self
        new_codes = (np.cumsum(used) - 1).astype(np.int32)
        levels = tuple(level for level, kept in zip(self.levels, used, strict=True) if kept)
        return replace(self, codes=new_codes[self.codes], levels=levels)

    def recoded(self, levels: Sequence[Any], what: str) -> Categories:
        """The same rows with codes that point into other `levels`; -1 and `unseen` where a level is not among them.

        Raises
        ------
        DataError
            Where a level is not among them but reads like one; `what` says whose levels these are.
        """
        own = np.array([*positions_among(self.levels, levels, what), -1], dtype=np.int32)
        codes = own[self.codes]
        unseen = tuple(self.levels[code] for code in self.codes[codes < 0])
        return replace(self, codes=codes, levels=tuple(levels), unseen=unseen)


def first_level(levels: Sequence[Any]) -> Any:
    """The least of some levels, whatever order was declared; the first one where they cannot be compared."""
    try:
        return min(levels)
    except TypeError:
        return levels[0]


def categories_of(values: Any, name: str) -> Categories:
    """Find the levels of a column without missing values.

    Parameters
    ----------
    values : Series, ndarray or Categories
        A pandas Categorical keeps its declared order (unused levels are dropped); anything else is sorted, numbers
        numerically.
    name : str
        For error messages.

    Raises
    ------
    DataError
        When the values cannot be levels (lists, for example) or two of them have the same text.
    """
    if isinstance(values, Categories):
        return values
    series = pd.Series(values, copy=False)
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes = np.asarray(series.array.codes, dtype=np.int32)  # type: ignore[attr-defined]  # a view of many
        found = Categories(codes, python_levels(series.cat.categories, name)).without_unused()
    else:
        if series.dtype == object:
            _refuse_equal_kinds(series, name)
        numbers, levels = _factorized(series, name)
        half = series.dtype == np.float16  # whose levels pandas gives as float32
        different: Any = np.asarray(levels, dtype=np.float16) if half else levels
        found = Categories(np.asarray(numbers, dtype=np.int32), python_levels(different, name))
    names = found.names
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(text for text in names if text in seen or seen.add(text))  # type: ignore[func-returns-value]
        raise DataError(f"'{name}' has two different levels that both read '{twice}' (a number and a text?).")
    return found


def _factorized(series: pd.Series, name: str) -> tuple[Any, Any]:
    """Codes, and the different values: sorted, by their names where Python knows no order of them."""
    if series.dtype in _PLAIN_NUMBERS:
        return _factorized_numbers(series.to_numpy())
    try:
        return pd.factorize(series, sort=True)
    except TypeError:
        pass
    try:
        codes, values = pd.factorize(series)
    except TypeError:
        lists = (type(value).__name__ for value in series if getattr(value, "__hash__", None) is None)
        kind = next(lists, "tuple of lists")
        raise DataError(f"The values of '{name}' cannot be levels: Python cannot look up a {kind}.") from None
    order = sorted(range(len(values)), key=lambda place: level_name(values[place]))
    return np.argsort(order)[codes], values[order]


def _factorized_numbers(values: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """The same of some rows at a time: pandas would make a table for as many values as there are rows."""
    pieces = [values[start : start + _ROWS_AT_ONCE] for start in range(0, values.size, _ROWS_AT_ONCE)]
    different, waiting = values[:0], [values[:0]]
    for piece in pieces:
        waiting.append(pd.unique(piece))
        if sum(new.size for new in waiting) >= different.size:  # so that all of them are looked at a few times only
            different, waiting = pd.unique(np.concatenate([different, *waiting])), []
    different = np.sort(pd.unique(np.concatenate([different, *waiting])))
    levels, codes = pd.Index(different), np.empty(values.size, dtype=np.int32)
    for place, piece in enumerate(pieces):
        codes[place * _ROWS_AT_ONCE :][: piece.size] = levels.get_indexer(pd.Index(piece))
    return codes, different


def _refuse_equal_kinds(series: pd.Series, name: str) -> None:
    """Raise for Booleans among numbers: Python takes True for 1, and they read differently."""
    kinds = {type(value) for value in series}
    booleans = [kind for kind in kinds if issubclass(kind, bool | np.bool_)]
    if booleans and any(issubclass(kind, Number) for kind in kinds.difference(booleans)):
        raise DataError(f"'{name}' has numbers and Booleans among its levels; make texts or numbers of them.")
