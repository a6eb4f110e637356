"""One short text for any value that decides about draws: equal values, equal text, in every process and on every day.

Serves checkpoints and stored fits, which must recognise the run that they belong to. Python's own `hash` changes from
process to process, and pickles change with the version of whatever they hold.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

LENGTH = 16
"""Bytes of a digest: two different values share one with probability 2**-128."""


def digest(value: Any) -> str:
    """A digest of numbers, texts, arrays, and tuples, lists, dicts, dataclasses and functions of them.

    Dicts count as their sorted items. A function counts by its code, what it closes over and the global constants that
    it names, so that an edit is seen (not one of a function that it calls), and a jitted one by the function that was
    decorated; other objects by their attributes, or by `repr` where they have none. A class whose objects also hold
    what does not decide about draws (something that was compiled, say) has a method `_digested` that leaves it out.

    >>> digest({"a": 1, "b": [2.0]}) == digest({"b": [2.0], "a": 1})
    True
    >>> digest(1) == digest(1.0)
    False
    """
    hasher = hashlib.blake2b(digest_size=LENGTH)
    _feed(hasher, value, ())
    return hasher.hexdigest()


def _feed(hasher: Any, value: Any, seen: tuple[int, ...]) -> None:
    """Hand `value` to `hasher`: first what it is, then its parts; `seen` are the functions that it is inside of."""
    function = getattr(value, "py_func", value)
    if isinstance(value, np.ndarray):
        _feed_array(hasher, value, seen)
    elif isinstance(value, np.generic):
        _feed_array(hasher, np.asarray(value), seen)
    elif value is None or isinstance(value, bool | int | float | complex | str | bytes):
        hasher.update(f"{type(value).__name__} {value!r};".encode(errors="surrogatepass"))
        if getattr(value, "__dict__", None) and id(value) not in seen:  # of a subclass
            _feed(hasher, _attributes(value), (*seen, id(value)))
    elif isinstance(value, Mapping):
        ordered = sorted(((digest(key), item) for key, item in value.items()), key=lambda pair: pair[0])
        _feed_parts(hasher, "dict", [part for pair in ordered for part in pair], seen)
    elif isinstance(value, list | tuple):
        _feed_parts(hasher, "sequence", value, seen)
    elif isinstance(value, set | frozenset):
        _feed_parts(hasher, "set", sorted(digest(item) for item in value), seen)
    elif isinstance(value, functools.partial):
        _feed_parts(hasher, "partial", [value.func, value.args, value.keywords], seen)
    elif isinstance(value, types.MethodType):
        _feed_parts(hasher, "method", [value.__func__, value.__self__], seen)
    elif isinstance(function, types.FunctionType):
        _feed_function(hasher, function, seen)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [getattr(value, item.name) for item in dataclasses.fields(value) if item.compare]
        _feed_parts(hasher, type(value).__qualname__, fields, seen)
    elif isinstance(value, types.CodeType):
        _feed_parts(hasher, "code", [value.co_code, value.co_names, *value.co_consts], seen)
    elif getattr(value, "__dict__", None) and not isinstance(value, type | types.ModuleType) and id(value) not in seen:
        hasher.update(f"{type(value).__module__}.{type(value).__qualname__};".encode())
        _feed(hasher, _attributes(value), (*seen, id(value)))
    else:
        hasher.update(f"{type(value).__module__}.{type(value).__qualname__} {_text(value)};".encode())


def _feed_parts(hasher: Any, kind: str, parts: Any, seen: tuple[int, ...]) -> None:
    hasher.update(f"{kind} {len(parts)}(".encode())
    for part in parts:
        _feed(hasher, part, seen)
    hasher.update(b")")


def _feed_array(hasher: Any, array: np.ndarray[Any, Any], seen: tuple[int, ...]) -> None:
    hasher.update(f"array {array.dtype.str} {array.shape};".encode())
    if array.dtype.hasobject:
        _feed_parts(hasher, "objects", array.ravel().tolist(), seen)
    else:
        hasher.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data if array.size else b"")


def _feed_function(hasher: Any, function: types.FunctionType, seen: tuple[int, ...]) -> None:
    """Name, code, defaults, closure, global constants; a function inside itself counts by its name."""
    hasher.update(f"function {function.__qualname__};".encode())
    if id(function) in seen:
        return
    inside = (*seen, id(function))
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    known = [function.__globals__.get(name) for name in function.__code__.co_names]
    constants = [value for value in known if isinstance(value, bool | int | float | str | tuple | np.ndarray)]
    _feed_parts(hasher, "made of", [function.__code__, function.__defaults__ or (), cells, constants], inside)


def _attributes(value: Any) -> Any:
    """The attributes of an object that decide: all of them, or what its method `_digested` returns."""
    return value._digested() if hasattr(type(value), "_digested") else vars(value)


def _text(value: Any) -> str:
    """`repr` without memory addresses, which differ from process to process."""
    text = repr(value)
    return text if " at 0x" not in text else text.partition(" at 0x")[0]
