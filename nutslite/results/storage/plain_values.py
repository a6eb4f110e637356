"""Arguments of a model as values that JSON holds, and back: numbers, texts, containers, arrays, formulas, priors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._schema import Misfit
from nutslite.families.record.family import Family
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior

ARRAY_KINDS = "biufUSmM"
DEEPEST = 60
"""Containers and priors within each other."""

PRIOR_SETTINGS = ("name", "auto_scale", "noncentered", "dist")  # of `Prior`; no argument is called so
LARGEST_ARRAY = 64 * 2**20  # bytes


class Unstorable(TypeError):  # noqa: N818  # a reason to leave something out, not a failure
    """A value that no file can hold without running code when it is read; `what` names it."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


def to_plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON; what JSON lacks is a dict of one entry, whose key says what it is.

    >>> to_plain({("x", "z"): Prior("Normal", mu=0, sigma=2)})
    {'dict': [[{'tuple': ['x', 'z']}, {'prior': ['Normal', True, None, [['mu', 0], ['sigma', 2]]]}]]}

    Raises
    ------
    Unstorable
        For functions, families of one's own, objects of unknown classes, and what is nested very deeply.
    """
    if depth > DEEPEST:
        raise Unstorable("what is nested too deeply")
    depth += 1
    if isinstance(value, Family):
        if value.is_custom:
            raise Unstorable(value.name)
        return {"family": value.name}
    if getattr(value, "is_custom", False):
        raise Unstorable(str(value))
    if isinstance(value, np.generic):
        return to_plain(value.item(), depth)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Prior):
        arguments = [[name, to_plain(argument, depth)] for name, argument in value.args.items()]
        return {"prior": [value.name, value.auto_scale, value.noncentered, arguments]}
    if isinstance(value, Formula):
        return {"formula": [value.main, *value.additionals]}
    if isinstance(value, np.ndarray) and value.dtype.kind in ARRAY_KINDS:
        text = value.astype(np.int64) if value.dtype.kind in "mM" else value
        return {"array": [value.dtype.str, list(value.shape), text.ravel().tolist()]}
    if isinstance(value, pd.DataFrame) and value.to_numpy().dtype.kind in "biuf":  # a matrix with names
        labels = [[to_plain(label, depth) for label in axis.tolist()] for axis in value.axes]
        if any(isinstance(label, dict) for axis in labels for label in axis):
            raise Unstorable("DataFrame")
        return {"matrix": [*labels, to_plain(value.to_numpy(), depth)]}
    if isinstance(value, Mapping):
        return {"dict": [[to_plain(key, depth), to_plain(item, depth)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [to_plain(item, depth) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": [to_plain(item, depth) for item in sorted(value, key=repr)]}
    if isinstance(value, list):
        return {"list": [to_plain(item, depth) for item in value]}
    raise Unstorable(str(getattr(value, "__name__", type(value).__name__)))


def from_plain(value: Any) -> Any:
    """The value that `to_plain` was given; lists, tuples and numbers of NumPy come back as Python's.

    Parameters
    ----------
    value : object
        Checked already (`model_schema.PLAIN`).

    Raises
    ------
    Misfit
        For what a dict, a set or an array cannot hold.
    """
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "family":
        return content
    if kind == "prior":
        name, auto_scale, noncentered, arguments = content
        given = {key: from_plain(argument) for key, argument in arguments if key not in PRIOR_SETTINGS}
        return Prior(name, auto_scale=auto_scale, noncentered=noncentered, **given)
    if kind == "formula":
        return Formula(*content)
    if kind == "array":
        return _array(*content)
    if kind == "matrix":
        index, columns, values = content
        return _matrix(index, columns, from_plain(values))
    try:
        if kind == "dict":
            return {from_plain(key): from_plain(item) for key, item in content}
        makers: dict[str, Any] = {"tuple": tuple, "set": set, "list": list}
        return makers[kind]([from_plain(item) for item in content])
    except TypeError:
        raise Misfit(f"a {kind} of what has no hash, lists for example") from None


def _matrix(index: list[Any], columns: list[Any], values: NDArray[Any]) -> pd.DataFrame:
    if values.shape != (len(index), len(columns)):
        raise Misfit(f"a matrix of {len(index)} rows and {len(columns)} columns with numbers of shape {values.shape}")
    return pd.DataFrame(values, index=pd.Index(index), columns=pd.Index(columns))


def _array(dtype: str, shape: list[int], items: list[Any]) -> NDArray[Any]:
    if math.prod(shape) != len(items) or np.dtype(dtype).itemsize * len(items) > LARGEST_ARRAY:
        raise Misfit(f"an array of {dtype} with {len(items)} items, which do not make the shape {tuple(shape)}")
    try:
        plain = np.array(items, dtype=np.int64 if np.dtype(dtype).kind in "mM" else None)
        return plain.astype(dtype).reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise Misfit(f"an array of {dtype} holds something else: {str(error)[:100]}") from None
