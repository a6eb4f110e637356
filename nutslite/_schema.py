"""What a record in a file may hold, said once as data, and the one function that compares a record with it.

A file is somebody else's text until `check` has seen it: types, ranges, lengths, fields that are missing or unknown,
and arrays whose shapes must fit each other.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nutslite.exceptions import shown

DEEPEST_JSON = 240
"""Levels of lists and dicts within each other."""

_STRING = re.compile(rb'"(?:[^"\\]+|\\.|\\\Z)*+(?:"|\Z)', re.DOTALL)


class Misfit(ValueError):  # noqa: N818  # what is wrong, for the error that also names the file
    """What a file holds is not what it should hold; the text says where and what."""


@dataclass(frozen=True)
class Text:
    """A text of at most `longest` characters, that matches `pattern` as a whole or is among some."""

    longest: int = 10_000
    pattern: str | None = None
    among: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Number:
    """A number, which is no truth value; `whole` ones are integers."""

    lowest: float = -math.inf
    highest: float = math.inf
    whole: bool = False


@dataclass(frozen=True)
class Constant:
    """One of a few values: True and False, or None."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Anything:
    """Whatever JSON holds; somebody else compares it."""


@dataclass(frozen=True)
class Listed:
    """A list whose items are all of one kind."""

    item: Any
    shortest: int = 0
    longest: int = 1 << 40


@dataclass(frozen=True)
class Row:
    """A list of a fixed length, each item of its own kind."""

    items: tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """A dict of any names, whose values are all of one kind."""

    value: Any


@dataclass(frozen=True)
class Record:
    """A dict of these fields; `optional` ones may be absent, and others there are none, or all are like `others`."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    optional: Mapping[str, Any] = field(default_factory=dict)
    others: Any = None


@dataclass(frozen=True)
class Variant:
    """A dict whose field `by` says which record it is."""

    by: str
    records: Mapping[str, Record]


@dataclass(frozen=True)
class Tagged:
    """A dict of one entry, whose name says of what kind its value is."""

    kinds: Mapping[str, Any]


@dataclass(frozen=True)
class Either:
    """One of several kinds; `named` says in words what they have in common."""

    kinds: tuple[Any, ...]
    named: str


@dataclass(frozen=True)
class Later:
    """A kind that contains itself."""

    kind: Callable[[], Any]


@dataclass(frozen=True)
class Numbers:
    """An array of these kinds of numbers.

    Attributes
    ----------
    shape : tuple of int or str
        A length, or the name of one: arrays that share a name share the length. None allows every shape.
    dtype : str
        NumPy's name of what it holds.
    finite : bool
        Whether infinity and nan are refused.
    """

    shape: tuple[int | str, ...] | None
    dtype: str = "float64"
    finite: bool = False


FLAG = Constant((True, False))
NOTHING = Constant((None,))


def check(value: Any, kind: Any, where: str, sizes: dict[str, int] | None = None) -> None:
    """Compare `value` with what it should be.

    Parameters
    ----------
    value : object
        What JSON or NumPy made of the file.
    kind : Text, Number, Record, ...
    where : str
        What the value is called, for the message: ``"the field 'chain'"``.
    sizes : dict, optional
        Lengths by name, those that are known; lengths that are met for the first time are added.

    Raises
    ------
    Misfit
        At the first difference.
    """
    match kind:
        case Anything():
            pass
        case Later():
            check(value, kind.kind(), where, sizes)
        case Text() | Number() | Constant():
            _check_scalar(value, kind, where)
        case Listed() | Row():
            _check_list(value, kind, where, sizes)
        case Numbers():
            _check_numbers(value, kind, where, {} if sizes is None else sizes)
        case Either():
            fitting = next((one for one in kind.kinds if _type_fits(value, one)), None)
            if fitting is None:
                raise Misfit(f"{where} is {shown(value)}, not {kind.named}")
            check(value, fitting, where, sizes)
        case _:
            _check_dict(value, kind, where, sizes)


def _check_scalar(value: Any, kind: Text | Number | Constant, where: str) -> None:
    match kind:
        case Constant():
            if not any(value is one for one in kind.values):
                raise Misfit(f"{where} is {shown(value)}, not {' or '.join(map(repr, kind.values))}")
        case Number():
            if not _type_fits(value, kind) or (kind.whole and not isinstance(value, int)):
                raise Misfit(f"{where} is {shown(value)}, not a {'whole ' if kind.whole else ''}number")
            if not kind.lowest <= value <= kind.highest and not (math.isnan(value) and kind.highest == math.inf):
                raise Misfit(f"{where} is {shown(value)}, not from {kind.lowest:g} to {kind.highest:g}")
        case Text():
            if not isinstance(value, str):
                raise Misfit(f"{where} is {shown(value)}, not a text")
            if len(value) > kind.longest:
                raise Misfit(f"{where} has {len(value)} characters, more than {kind.longest}")
            if kind.among is not None and value not in kind.among:
                raise Misfit(f"{where} is {shown(value)}, which this version does not know")
            if kind.pattern is not None and not re.fullmatch(kind.pattern, value):
                raise Misfit(f"{where} is {shown(value)}, which is none that is written there")


def _check_list(value: Any, kind: Listed | Row, where: str, sizes: dict[str, int] | None) -> None:
    if not isinstance(value, list):
        raise Misfit(f"{where} is {shown(value)}, not a list")
    if isinstance(kind, Row):
        if len(value) != len(kind.items):
            raise Misfit(f"{where} has {len(value)} items, not {len(kind.items)}")
        for place, item in enumerate(kind.items):
            check(value[place], item, f"item {place} of {where}", sizes)
        return
    if not kind.shortest <= len(value) <= kind.longest:
        raise Misfit(f"{where} has {len(value)} items, not {kind.shortest} to {kind.longest}")
    for place, one in enumerate(value):
        try:
            check(one, kind.item, where, sizes)
        except Misfit:  # a place in words for the one that is wrong: there may be millions
            check(one, kind.item, f"item {place} of {where}", sizes)
            raise


def _check_dict(value: Any, kind: Table | Record | Variant | Tagged, where: str, sizes: dict[str, int] | None) -> None:
    if not isinstance(value, dict):
        raise Misfit(f"{where} is {shown(value)}, not a dict")
    match kind:
        case Table():
            for name, one in value.items():
                check(one, kind.value, f"'{_short(name)}' of {where}", sizes)
        case Variant():
            tag = value.get(kind.by)
            if not isinstance(tag, str) or tag not in kind.records:
                raise Misfit(f"{where} has the {kind.by} {shown(tag)}, which this version does not know")
            check(value, kind.records[tag], where, sizes)
        case Tagged():
            tag = next(iter(value), "")
            if len(value) != 1 or tag not in kind.kinds:
                raise Misfit(f"{where} is a {shown(tag)}, which this version does not know")
            check(value[tag], kind.kinds[tag], where, sizes)
        case Record():
            for name in kind.fields:
                if name not in value:
                    raise Misfit(f"{where} lacks '{name}'")
            for name, one in value.items():
                known = kind.fields.get(name, kind.optional.get(name, kind.others))
                if known is None:
                    raise Misfit(f"{where} has '{_short(name)}', which this version does not know")
                check(one, known, f"'{_short(name)}' of {where}", sizes)


def _check_numbers(value: Any, kind: Numbers, where: str, sizes: dict[str, int]) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != kind.dtype:
        raise Misfit(f"{where} holds {getattr(value, 'dtype', type(value).__name__)}, not {kind.dtype}")
    if kind.shape is not None:
        wanted = tuple(sizes.get(n, n) if isinstance(n, str) else n for n in kind.shape)
        fits = len(wanted) == value.ndim and all(
            isinstance(n, str) or n == length for n, length in zip(wanted, value.shape, strict=True)
        )
        if not fits:
            raise Misfit(f"{where} has the shape {value.shape}, not ({', '.join(map(str, wanted))})")
        for name, length in zip(kind.shape, value.shape, strict=True):
            if isinstance(name, str) and sizes.setdefault(name, length) != length:
                raise Misfit(f"{where} has the shape {value.shape}, whose {name} differ")
    if kind.finite and not np.isfinite(value).all():
        raise Misfit(f"{where} holds numbers that are not finite")


def _type_fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the type that a kind is about, whatever is in it."""
    match kind:
        case Text():
            return isinstance(value, str)
        case Number():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Constant():
            return any(value is one for one in kind.values)
        case Listed() | Row():
            return isinstance(value, list)
        case Anything():
            return True
        case Later():
            return _type_fits(value, kind.kind())
        case Either():
            return any(_type_fits(value, one) for one in kind.kinds)
        case Numbers():
            return isinstance(value, np.ndarray)
        case Tagged():
            return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in kind.kinds
        case _:
            return isinstance(value, dict)


def read_json(text: bytes, where: str) -> Any:
    """What a JSON text says.

    Raises
    ------
    Misfit
        Where it is none, or is nested deeper than anything that is written there: Python's stack would end first.
    """
    brackets = np.frombuffer(_STRING.sub(b"", text), dtype=np.uint8)
    opened = (brackets == ord("[")) | (brackets == ord("{"))
    closed = (brackets == ord("]")) | (brackets == ord("}"))
    depth = np.cumsum(opened.astype(np.int32) - closed.astype(np.int32), dtype=np.int32)
    if depth.max(initial=0) > DEEPEST_JSON:
        raise Misfit(f"{where} is nested more than {DEEPEST_JSON} deep")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Misfit(f"{where} is no JSON: {_short(str(error))}") from None


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}..."
