"""How large a design may get: columns are counted before they are made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from math import prod

from nutslite.exceptions import DataError

MOST_COLUMNS = 50_000
"""Of the terms of one formula; more would fill the memory with names alone."""

MOST_FACTORS = 10
"""Categories in one interaction; choosing a coding takes four times as long for each further one."""

_COPIES = 2  # of a matrix, while it is made


def check_interaction(term: str, levels: Sequence[int], rows: int, instead: str) -> None:
    """Raise where an interaction of categories would have too many columns, however it is coded.

    Parameters
    ----------
    term : str
        Its name.
    levels : sequence of int
        Numbers of levels of its categorical factors.
    rows : int
        Of the data.
    instead : str
        What to write instead.

    Raises
    ------
    DataError
        With the number, and what to write instead.
    """
    fewest = prod(max(number - 1, 1) for number in levels)
    if len(levels) > MOST_FACTORS or fewest > MOST_COLUMNS:
        sizes = " x ".join(str(number) for number in levels)
        raise DataError(
            f"The term '{term}' crosses {len(levels)} categories: it would have {sizes} = {prod(levels)} columns, one "
            f"per combination of levels, and the data have {rows} rows. {instead}"
        )


def check_columns(columns: Mapping[str, int], rows: int, instead: Callable[[str], str]) -> None:
    """Raise where the terms of a formula have too many columns together.

    Parameters
    ----------
    columns : mapping
        Name of each term -> its number of columns.
    rows : int
        Of the data.
    instead : callable
        What to write instead of a term, by its name.

    Raises
    ------
    DataError
        With the numbers, and what to write instead.
    """
    total = sum(columns.values())
    needed = _COPIES * 8 * total * rows
    if total <= MOST_COLUMNS and needed <= physical_memory():
        return
    worst = max(columns, key=lambda name: columns[name])
    why = f"at most {MOST_COLUMNS} are made"
    if total <= MOST_COLUMNS:
        why = f"with {rows} rows they would take {needed / 2**30:.0f} GiB, more than this machine has"
    beside = "" if len(columns) == 1 else f" of the formula's {total}"
    raise DataError(f"The term '{worst}' has {columns[worst]}{beside} columns; {why}. {instead(worst)}")


def check_basis(columns: int, rows: int) -> None:
    """Raise where a spline or polynomial would not fit into memory, with the copy that computing it takes.

    Raises
    ------
    ValueError
        In words that go on after "cannot be computed:".
    """
    needed = _COPIES * 8 * columns * rows
    if needed > physical_memory():
        raise ValueError(
            f"{columns} columns of {rows} rows take {needed / 2**30:.0f} GiB, more than this machine has; "
            "ask for fewer columns"
        )


def physical_memory() -> float:
    """Bytes that this machine has, or a guess where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows
        return 64.0 * 2**30
