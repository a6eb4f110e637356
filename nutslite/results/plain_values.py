"""Arguments of a model as values that JSON holds, and back: numbers, texts, containers, arrays, formulas, priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nutslite.families.family import Family
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior

ARRAY_KINDS = "biufUSmM"


class Unstorable(TypeError):  # noqa: N818  # a reason to leave something out, not a failure
    """A value that no file can hold without running code when it is read; `what` names it."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


def to_plain(value: Any) -> Any:
    """A value as JSON; what JSON lacks is a dict of one entry, whose key says what it is.

    >>> to_plain({("x", "z"): Prior("Normal", mu=0, sigma=2)})
    {'dict': [[{'tuple': ['x', 'z']}, {'prior': ['Normal', True, None, [['mu', 0], ['sigma', 2]]]}]]}

    Raises
    ------
    Unstorable
        For functions, families of one's own, and objects of unknown classes.
    """
    if isinstance(value, Family):
        if value.is_custom:
            raise Unstorable(value.name)
        return {"family": value.name}
    if getattr(value, "is_custom", False):
        raise Unstorable(str(value))
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Prior):
        arguments = [[name, to_plain(argument)] for name, argument in value.args.items()]
        return {"prior": [value.name, value.auto_scale, value.noncentered, arguments]}
    if isinstance(value, Formula):
        return {"formula": [value.main, *value.additionals]}
    if isinstance(value, np.ndarray) and value.dtype.kind in ARRAY_KINDS:
        text = value.astype(np.int64) if value.dtype.kind in "mM" else value
        return {"array": [value.dtype.str, list(value.shape), text.ravel().tolist()]}
    if isinstance(value, Mapping):
        return {"dict": [[to_plain(key), to_plain(item)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [to_plain(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": [to_plain(item) for item in sorted(value, key=repr)]}
    if isinstance(value, list):
        return {"list": [to_plain(item) for item in value]}
    raise Unstorable(str(getattr(value, "__name__", type(value).__name__)))


def from_plain(value: Any) -> Any:
    """The value that `to_plain` was given; lists, tuples and numbers of NumPy come back as Python's.

    Raises
    ------
    ValueError
        For anything that `to_plain` does not make.
    """
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("a bare list")
        return value
    ((kind, content),) = value.items()
    if kind == "family":
        return content
    if kind == "prior":
        name, auto_scale, noncentered, arguments = content
        given = {key: from_plain(argument) for key, argument in arguments}
        return Prior(name, auto_scale=auto_scale, noncentered=noncentered, **given)
    if kind == "formula":
        return Formula(*content)
    if kind == "array":
        dtype, shape, items = content
        if np.dtype(dtype).kind not in ARRAY_KINDS:
            raise ValueError(f"an array of {dtype}")
        plain = np.array(items, dtype=np.int64) if np.dtype(dtype).kind in "mM" else np.array(items)
        return plain.astype(dtype).reshape(shape)
    items = [(from_plain(key), from_plain(item)) for key, item in content] if kind == "dict" else None
    if items is not None:
        return dict(items)
    makers: dict[str, Any] = {"tuple": tuple, "set": set, "list": list}
    if kind not in makers:
        raise ValueError(f"a '{kind}', which this version does not know")
    return makers[kind](from_plain(item) for item in content)
