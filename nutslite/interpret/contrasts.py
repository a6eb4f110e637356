"""Two values of a covariate that are compared, for every row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import ArgumentError, DataError, refuse_other
from nutslite.interpret.covariates import Covariate, known_covariate
from nutslite.interpret.grid import named_values

NUMERIC = ("sd", "2sd", "iqr", "minmax")
_WORDS = ("reference", "pairwise", "all", "sequential")
CATEGORIES = (*_WORDS, "minmax", *(f"rev{word}" for word in _WORDS))
MOST_PAIRS = 2_000


@dataclass(frozen=True)
class Contrast:
    """One comparison.

    Attributes
    ----------
    terms : tuple of str
        Covariates that change together.
    label : str
        What they change from and to: ``"a_vs_b"``, ``"+1"``.
    before, after : DataFrame
        All columns, with the values that are compared.
    """

    terms: tuple[str, ...]
    label: str
    before: pd.DataFrame
    after: pd.DataFrame


@dataclass(frozen=True)
class _Change:
    """Of one covariate: a label and its two columns."""

    label: str
    before: Any
    after: Any


def contrasts_of(
    argument: str,
    given: Any,
    covariates: Mapping[str, Covariate],
    frame: pd.DataFrame,
    *,
    pairs: str,
    cross: bool = False,
) -> Iterator[Contrast]:
    """The comparisons that an argument asks for.

    Parameters
    ----------
    argument : str
        Its name, for messages.
    given : str, list of str, or dict
        Covariates; of a number how far: a step around each row's own value, two or more values, ``"sd"``, ``"2sd"``,
        ``"iqr"``, ``"minmax"``, or a function of the column that gives two columns; of a category which levels:
        ``"reference"``, ``"pairwise"``, ``"sequential"``, ``"minmax"``, with ``"rev"`` before it the other way round,
        or two or more levels.
    covariates : mapping of str to Covariate
    frame : DataFrame
        The rows.
    pairs : str
        What is compared of categories where nothing is said.
    cross : bool
        Whether several covariates change together.

    Raises
    ------
    ArgumentError, DataError
    """
    changes = {
        name: list(_changes(known_covariate(name, covariates, argument), how, frame, pairs))
        for name, how in named_values(argument, given).items()
    }
    if not changes:
        raise ArgumentError(f"{argument} names no covariate.")
    if cross:
        for combination in itertools.product(*changes.values()):
            yield _contrast(tuple(changes), combination, covariates, frame)
        return
    for name, some in changes.items():
        for change in some:
            yield _contrast((name,), (change,), covariates, frame)


def _contrast(
    names: tuple[str, ...], changes: tuple[_Change, ...], covariates: Mapping[str, Covariate], frame: pd.DataFrame
) -> Contrast:
    before, after = frame.copy(deep=False), frame.copy(deep=False)
    for name, change in zip(names, changes, strict=True):
        before[name] = covariates[name].column_of(_spread(change.before, len(frame)), frame.index)
        after[name] = covariates[name].column_of(_spread(change.after, len(frame)), frame.index)
    return Contrast(names, ", ".join(change.label for change in changes), before, after)


def _spread(value: Any, n: int) -> Any:
    return value if isinstance(value, np.ndarray) else [value] * n


def _changes(item: Covariate, how: Any, frame: pd.DataFrame, pairs: str) -> Iterator[_Change]:
    if item.numeric:
        yield from _of_numbers(item, how, frame)
        return
    if how is None or isinstance(how, str):
        word = pairs if how is None else how
        if word not in item.levels:
            refuse_other(f"The contrast of '{item.name}'", word, CATEGORIES)
            yield from _of_levels(item, word)
            return
        how = [item.levels[0], word]
    levels = list(how) if isinstance(how, list | tuple | np.ndarray) else [how]
    for level in levels:
        if level not in item.levels:
            known = ", ".join(str(one) for one in item.levels[:8])
            raise DataError(f"'{level}' is not a level of '{item.name}' ({known}).")
    if len(levels) < 2:
        raise ArgumentError(f"A contrast of '{item.name}' is between two levels, and {how!r} is one.")
    yield from (_Change(_versus(a, b), a, b) for a, b in itertools.combinations(levels, 2))


def _of_levels(item: Covariate, word: str) -> Iterator[_Change]:
    levels = item.levels
    if len(levels) < 2:
        raise DataError(f"'{item.name}' has one level only: there is nothing to compare.")
    plain = word.removeprefix("rev")
    chosen: Any
    if plain == "reference":
        chosen = ((levels[0], level) for level in levels[1:])
    elif plain == "sequential":
        chosen = itertools.pairwise(levels)
    elif plain == "minmax":
        chosen = [(levels[0], levels[-1])]
    else:
        chosen = itertools.combinations(levels, 2)
    found = list(itertools.islice(chosen, MOST_PAIRS + 1))
    if len(found) > MOST_PAIRS:
        raise ArgumentError(f"'{item.name}' has {len(levels)} levels, of which there are too many pairs: name some.")
    for a, b in found:
        yield _Change(_versus(b, a), b, a) if word.startswith("rev") else _Change(_versus(a, b), a, b)


def _of_numbers(item: Covariate, how: Any, frame: pd.DataFrame) -> Iterator[_Change]:
    own = frame[item.name].to_numpy()
    if callable(how):
        given = how(frame[item.name])
        try:
            low, high = (np.asarray(part, dtype=float) for part in (given if len(given) == 2 else np.asarray(given).T))
        except (TypeError, ValueError):
            raise ArgumentError(f"The function for '{item.name}' gives two columns: before and after.") from None
        if low.shape != own.shape or high.shape != own.shape:
            raise ArgumentError(f"The function for '{item.name}' gives columns of other lengths than {len(own)} rows.")
        yield _Change("custom", low, high)
        return
    if isinstance(how, str):
        refuse_other(f"The contrast of '{item.name}'", how, NUMERIC)
        column = item.column
        if how in ("iqr", "minmax"):
            ends = (0.25, 0.75) if how == "iqr" else (0.0, 1.0)
            values = [float(column.quantile(q)) for q in ends]
            yield _Change(_versus(*values), *values)
            return
        width = float(column.std()) * (2.0 if how == "2sd" else 1.0)
        yield _Change(f"+{how}", own - 0.5 * width, own + 0.5 * width)
        return
    if isinstance(how, list | tuple | np.ndarray):
        values = list(how)
        item.check(values)
        if len(values) < 2:
            raise ArgumentError(f"A contrast of '{item.name}' is between two values, and {how!r} is one.")
        yield from (_Change(_versus(a, b), a, b) for a, b in itertools.combinations(values, 2))
        return
    if how is None and item.kind == "integer" and np.issubdtype(own.dtype, np.integer):
        own = own.astype(np.int64)  # 127 and 1 are -128 in the column's own int8
        yield _Change("+1", own, own + 1)  # half a year of school is no value that a row could have
        return
    step = 1.0 if how is None else how
    item.check([step])
    yield _Change(f"{float(step):+g}", own - 0.5 * step, own + 0.5 * step)


def _versus(before: Any, after: Any) -> str:
    return f"{_text(before)}_vs_{_text(after)}"


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)
