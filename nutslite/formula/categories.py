"""`Categories`: a categorical column as integer codes and levels, the one form that grouping and coding work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean

_SHOWN = 8


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

    @property
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
        for position, own in enumerate(self.levels):
            if own == level and isinstance(own, bool) == isinstance(level, bool):
                return position
        names = self.names
        if str(level) in names:
            return names.index(str(level))
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise DataError(f"'{level}' is not a level of {what} ({shown}).{did_you_mean(str(level), names)}")

    def without_unused(self) -> Categories:
        """The same rows without levels that no row has."""
        used = np.bincount(self.codes, minlength=len(self.levels)) > 0
        if used.all():
            return self
        new_codes = (np.cumsum(used) - 1).astype(np.int32)
        levels = tuple(level for level, kept in zip(self.levels, used, strict=True) if kept)
        return replace(self, codes=new_codes[self.codes], levels=levels)

    def recoded(self, levels: Sequence[Any]) -> Categories:
        """The same rows with codes that point into other `levels`; -1 and `unseen` where a level is not among them."""
        if tuple(levels) == self.levels and not self.unseen:
            return self
        position = {level: index for index, level in enumerate(levels)}
        own = np.array([position.get(level, -1) for level in self.levels] + [-1], dtype=np.int32)
        codes = own[self.codes]
        unseen = tuple(self.levels[code] for code in self.codes[codes < 0])
        return replace(self, codes=codes, levels=tuple(levels), unseen=unseen)


def first_level(levels: Sequence[Any]) -> Any:
    """The least of some levels, whatever order was declared; the first one where they cannot be compared."""
    try:
        return min(levels)
    except TypeError:
        return levels[0]


def level_name(level: Any) -> str:
    """A level as users see it: texts as they are, numbers and Booleans as Python writes them."""
    return level if isinstance(level, str) else str(level)


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
        codes = np.asarray(series.cat.codes, dtype=np.int32)
        found = Categories(codes, tuple(series.cat.categories.tolist())).without_unused()
    else:
        try:
            numbers, levels = pd.factorize(series, sort=True)
        except TypeError:
            raise DataError(f"The values of '{name}' cannot be levels: they mix types or are not hashable.") from None
        found = Categories(np.asarray(numbers, dtype=np.int32), tuple(pd.Index(levels).tolist()))
    names = found.names
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(text for text in names if text in seen or seen.add(text))  # type: ignore[func-returns-value]
        raise DataError(f"'{name}' has two different levels that both read '{twice}' (a number and a text?).")
    return found
