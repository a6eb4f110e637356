"""``s(x, k=10, bs="cr", by=g)``: a penalised smooth, as a mixed model has it (`penalised`, `splines`).

Given the noise's sd s, the posterior mean is the penalised least-squares fit with smoothing parameter s^2 / sigma^2.
`linear` is the slope of the straight line that fits f best over the rows, and sigma the standard deviation that the
bends add, averaged over these rows.

With ``by=`` a factor there is a curve for each level, with a line and a sigma of its own, of the same knots, orthogonal
over the rows of its level. With ``by=`` numbers z the curve is a coefficient of z that changes with x: f(x) z. Then the
constant is a part of f: a slope of z.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, INTEGRATES, MATRIX, MERGES, PILOT
from nutslite.exceptions import FormulaError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation.sizes import check_basis
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity
from nutslite.formula.terms.penalised import line_coefficients, penalised_maps
from nutslite.formula.terms.splines import Spline, check_spline, learn_spline

FloatArray = NDArray[np.float64]

MOST_LEVELS = 200
USUAL = {1: 10, 2: 30, 3: 60}
"""k by the number of columns, where the formula does not say."""


@dataclass(frozen=True)
class Memory:
    """A smooth as learned from data: values of the spline's basis times coefficients are the term's columns.

    Attributes
    ----------
    spline : Spline
        Of k functions.
    lines : ndarray, shape (k, p)
        Coefficients of what the penalty says nothing of: lines through zero at the mean of each column, and before them
        the constant where ``by=`` is numeric.
    maps : tuple of ndarray, shape (k, m)
        Coefficients of the penalised columns, for each level of ``by=``.
    levels : tuple or None
        Of ``by=`` where it is a factor.
    numeric : bool
        Whether ``by=`` is numbers.
    texts : tuple of str
        The columns as the formula has them.
    """

    spline: Spline
    lines: FloatArray
    maps: tuple[FloatArray, ...]
    levels: tuple[Any, ...] | None
    numeric: bool
    texts: tuple[str, ...]


def learn(call: Call) -> Memory:
    """Place the knots, and find the columns.

    Raises
    ------
    FormulaError
        For a basis that is not there, or a k that the data cannot have.
    """
    x = call.columns("x")
    texts = tuple(call.texts[f"x[{place}]"] for place in range(len(x)))
    kind = call.arguments["bs"] or ("cr" if len(x) == 1 else "tp")
    if not isinstance(kind, str):
        raise FormulaError(f"bs of s() is a text, such as 'cr', not {call.texts['bs']}.")
    k = call.arguments["k"]
    k = USUAL.get(len(x), 0) if k is None else k
    if np.ndim(k):
        raise FormulaError(f"k of s() is a whole number, not {call.texts['k']}; t2() has one for each column.")
    bounds = call.arguments["lower_bound"], call.arguments["upper_bound"]
    check_spline("s", kind, x, int(k), ", ".join(texts))
    if kind == "tp" and bounds != (None, None):
        raise FormulaError("lower_bound= and upper_bound= of s() place knots, which bs='tp' has at the rows.")
    levels, codes, factors = _by(call)
    check_basis(int(k) * (1 if levels is None else len(levels)), call.rows)
    spline = learn_spline(kind, x, int(k), *bounds)
    basis, penalty = spline.columns(x), spline.penalty
    functions = x - x.mean(axis=1)[:, None] if spline.linear else np.empty((0, call.rows))
    if factors is not None:
        functions = np.vstack([np.ones(call.rows), functions])
    lines = line_coefficients(basis, functions) if len(functions) else np.empty((basis.shape[1], 0))
    maps: tuple[FloatArray, ...]
    if factors is not None:
        maps = (penalised_maps(basis * factors[:, None], penalty, lines, centred=False),)
    else:
        _check_levels(call, x, codes, levels, texts)
        groups = range(1 if levels is None else len(levels))
        maps = tuple(penalised_maps(basis[codes == g], penalty, lines, centred=True) for g in groups)
    return Memory(spline, lines, maps, levels, factors is not None, texts)


def _by(call: Call) -> tuple[tuple[Any, ...] | None, NDArray[np.int64], FloatArray | None]:
    """Levels of ``by=`` where it is a factor and those of the rows, or its numbers."""
    value, none = call.arguments["by"], np.zeros(call.rows, dtype=np.int64)
    if value is None:
        return None, none, None
    if not isinstance(value, Categories):
        numbers = call.numbers("by")
        if not np.ptp(numbers) > 0.0:
            raise FormulaError(f"by={call.texts['by']} of {call.name}() has the same value in all rows; leave it out.")
        return None, none, numbers
    if len(value.levels) > MOST_LEVELS:
        raise FormulaError(
            f"by= of {call.name}() makes a curve for each level, at most {MOST_LEVELS}, and {call.texts['by']} has "
            f"{len(value.levels):,}."
        )
    found = value.without_unused()
    return found.levels, found.codes.astype(np.int64), None


def _check_levels(
    call: Call, x: FloatArray, codes: NDArray[np.int64], levels: tuple[Any, ...] | None, texts: tuple[str, ...]
) -> None:
    """Every level needs rows of different values, or its line has no slope."""
    for group, level in enumerate(levels or ()):
        for own, text in zip(x[:, codes == group], texts, strict=True):
            if not np.ptp(own) > 0.0:
                raise FormulaError(
                    f"{text} has the same value in all rows of {call.texts['by']}='{level_name(level)}', so that a "
                    "curve of that level has nothing to go by. Leave these rows out, or join levels."
                )


def apply(memory: Memory, call: Call) -> Basis:
    """The columns on any rows; beyond its knots a natural spline is straight, and a cyclic one begins again.

    Raises
    ------
    DataError
        For levels of ``by=`` that the model has not seen.
    """
    basis = memory.spline.columns(call.columns("x"))
    if memory.numeric:
        basis = basis * call.numbers("by")[:, None]
    if memory.levels is None:
        return Basis(np.ascontiguousarray((basis @ memory.lines).T), np.ascontiguousarray((basis @ memory.maps[0]).T))
    if not isinstance(call.arguments["by"], Categories):
        raise FormulaError(f"{call.texts['by']} in s() was categorical when the model was built, and is numeric here.")
    inside = call.known_levels("by", memory.levels) == np.arange(len(memory.levels))[:, None]
    lines, rows = (basis @ memory.lines).T, call.rows
    common = (lines[:, None] * inside).reshape(-1, rows)
    weights = [(basis @ maps).T * own for maps, own in zip(memory.maps, inside, strict=True)]
    return Basis(np.ascontiguousarray(common), np.ascontiguousarray(np.concatenate(weights)))


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """The slopes of lines where there are some, the weights, and their scale: of each level where there are levels."""
    names = () if memory.levels is None else tuple(level_name(level) for level in memory.levels)
    count = memory.lines.shape[1]
    found = []
    if memory.numeric:
        found.append(TermQuantity("constant", "coefficients"))
        count -= 1
    several = memory.texts if count > 1 else ()
    if count:
        own = [axis for axis in (several, names) if axis]
        labels = tuple(", ".join(label) for label in itertools.product(*own)) if own else ()
        found.append(TermQuantity("linear", "coefficients", labels))
    functions = tuple(range(memory.maps[0].shape[1]))
    by = (("by", names),) if names else ()
    weights = TermQuantity("weights", "weights", axes=(*by, ("weights_dim", functions)))
    return (*found, weights, TermQuantity("sigma", "hyperparameter", axes=by))


def constants(memory: Memory) -> Mapping[str, Any]:
    """Which sigma is the scale of each column."""
    return {"scale_of": [level for level, maps in enumerate(memory.maps) for _ in range(maps.shape[1])]}


ALLOWS = frozenset({INTEGRATES, PILOT, MERGES, CODES, MATRIX})

SMOOTH = TermKind(("s",), "is a penalised smooth", learn, apply, quantities, "shared", ALLOWS, constants=constants)
