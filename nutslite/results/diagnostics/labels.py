"""One name for every element of every variable: ``Intercept``, ``g[b]``, ``x|g[b, 308]``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, did_you_mean, refuse_other


def element_labels(
    name: str,
    shape: Sequence[int],
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
) -> list[str]:
    """Labels of a variable's elements in C order, as ArviZ writes them.

    Parameters
    ----------
    name : str
    shape : sequence of int
        Of the variable, without chain and draw.
    dims, coords : mappings, optional
        As in `inference_data.to_dataset`; elements along dimensions without coordinates are numbered.

    >>> element_labels("x|g", (2, 2), {"x|g": ("x__expr_dim", "g__factor_dim")}, {"g__factor_dim": ["a", "b"]})
    ['x|g[0, a]', 'x|g[0, b]', 'x|g[1, a]', 'x|g[1, b]']
    """
    if not shape:
        return [name]
    names = (dims or {}).get(name, ())
    axes = []
    for axis, size in enumerate(shape):
        values = (coords or {}).get(names[axis]) if axis < len(names) else None
        axes.append(range(size) if values is None or len(values) != size else list(values))
    return [f"{name}[{', '.join(str(value) for value in values)}]" for values in itertools.product(*axes)]


def choose_names(known: Sequence[str], wanted: str | Sequence[str] | None, filter_vars: str | None = None) -> list[str]:
    """The variables that `wanted` names, in its order as in ArviZ; names that begin with ``~`` are left out instead.

    Names may have other blanks than those of the results: ``I(x**2)`` is ``I(x ** 2)``.

    Parameters
    ----------
    filter_vars : {None, "like", "regex"}
        As in ArviZ, whether `wanted` has whole names, parts of names, or regular expressions.

    Raises
    ------
    DataError
        If there is no such variable.
    """
    if filter_vars is not None:
        refuse_other("filter_vars", filter_vars, ("like", "regex"))
    if wanted is None:
        return list(known)
    asked = [wanted] if isinstance(wanted, str) else []
    if isinstance(wanted, Iterable) and not isinstance(wanted, str | Mapping):
        asked = list(wanted)
    if not asked or not all(isinstance(name, str) for name in asked):
        raise DataTypeError(f"var_names is a variable's name or a list of names, not {wanted!r}.")
    if filter_vars is not None:
        asked = _matching(known, asked, filter_vars)
    asked = [_as_known(name, known) for name in asked]
    excluded = {name[1:] for name in asked if name.startswith("~") and name not in known}
    included = dict.fromkeys(name for name in asked if name in known or not name.startswith("~"))
    for name in sorted({*included, *excluded}):
        if name not in known:
            raise DataError(
                f"There is no variable '{name}' in the results.{did_you_mean(name, known)} "
                f"There are: {', '.join(known)}."
            )
    return [name for name in included or known if name not in excluded]


def _as_known(name: str, known: Sequence[str]) -> str:
    """The variable that `name` is another spelling of, its ``~`` kept."""
    sign, text = ("~", name[1:]) if name.startswith("~") else ("", name)
    if name in known or text in known:
        return name
    from nutslite.formula.language.spelling import as_spelled

    return f"{sign}{as_spelled(text, known)}"


def _matching(known: Sequence[str], asked: Sequence[str], filter_vars: str) -> list[str]:
    """Whole names, with ``~`` where it was, of the variables that parts of names or regular expressions find."""
    found = []
    for pattern in asked:
        sign, text = ("~", pattern[1:]) if pattern.startswith("~") else ("", pattern)
        try:
            expression = re.compile(text if filter_vars == "regex" else re.escape(text))
        except re.error as error:
            raise DataError(f"var_names: '{text}' is no regular expression: {error}.") from None
        names = [name for name in known if expression.search(name)]
        if not names:
            raise DataError(f"No variable has a name that fits '{text}'. There are: {', '.join(known)}.")
        found += [f"{sign}{name}" for name in names]
    return found


def as_columns(values: NDArray[Any]) -> NDArray[np.float64]:
    """Draws of one variable as (chains, draws, elements)."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DataError(f"Draws are real numbers, not {array.dtype}.")
    if array.ndim < 2:
        raise DataError(f"Draws must have shape (chains, draws, ...), not {array.shape}.")
    return np.asarray(array, dtype=float).reshape(*array.shape[:2], int(np.prod(array.shape[2:])))


def columns_of(draws: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    """Draws of several variables, of equally many chains and draws each, as (chains, draws, elements).

    In memory the draws of each element stand together, which is how they are read.
    """
    parts = [as_columns(values) for values in draws]
    ends = np.cumsum([part.shape[2] for part in parts]).tolist()
    found = np.empty((ends[-1], *parts[0].shape[:2]))
    for part, end in zip(parts, ends, strict=True):
        found[end - part.shape[2] : end] = np.moveaxis(part, 2, 0)
    return np.moveaxis(found, 0, 2)
