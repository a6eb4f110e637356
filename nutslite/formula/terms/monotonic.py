"""``mo(x)``: the effect of an ordered predictor whose steps go in one direction, each by a share of its own.

For x from 0 to D, a slope b and shares z_1 ... z_D that are positive and sum to one,

    f(x) = b D (z_1 + ... + z_x),

so that b is the mean difference between neighbours (Buerkner and Charpentier 2020, British Journal of Mathematical and
Statistical Psychology 73, 420-451). As columns that is b x, and for each step the indicator of x being beyond it times
b (D z_i - 1), which is zero where all steps are equal. Times other factors, ``mo(x):z``, it has a slope for each of
their columns, and shares of its own, which these slopes have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, MERGES
from nutslite._log import log
from nutslite.exceptions import FormulaError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity

FloatArray = NDArray[np.float64]

MOST_STEPS = 200
LARGEST = 2.0**53 - 1.0  # below it every whole number is a float64
_SHOWN = 5


@dataclass(frozen=True)
class Memory:
    """The values of x in order: levels, or the least and the largest whole number.

    Attributes
    ----------
    levels : tuple or None
        Of a categorical x.
    first, last : int
        Of a numeric one.
    """

    levels: tuple[Any, ...] | None
    first: int
    last: int

    @property
    def steps(self) -> int:
        """D."""
        return self.last - self.first


def learn(call: Call) -> Memory:
    """Find the order.

    Raises
    ------
    FormulaError
        If there are fewer than two values, too many, or numbers that are not whole.
    """
    value, text = call.arguments["x"], call.texts.get("x", "x")
    if isinstance(value, Categories):
        memory = Memory(value.levels, 0, len(value.levels) - 1)
        if list(value.names) == sorted(value.names) and any(isinstance(level, str) for level in value.levels):
            log.info(
                "The levels of '%s' are taken in this order: %s. pandas.Categorical(..., categories=[...], "
                "ordered=True) gives them another.",
                text,
                " < ".join(value.names),
            )
    else:
        x = call.numbers("x")
        if np.abs(x).max() > LARGEST:
            raise FormulaError(
                f"{text} in mo() goes to {np.abs(x).max():.17g}, and beyond 2**53 float64 does not hold every whole "
                f"number. Subtract {int(x.min())} from the column."
            )
        if bad := int(np.count_nonzero(x != np.round(x))):
            raise FormulaError(
                f"mo() takes whole numbers or ordered categories, and {text} is neither in {bad} of {x.size} rows."
            )
        memory = Memory(None, int(x.min()), int(x.max()))
    if not 1 <= memory.steps <= MOST_STEPS:
        count = f"{memory.steps + 1} values" if memory.steps else "one value"
        remedy = "it needs at least two" if not memory.steps else f"mo() takes up to {MOST_STEPS + 1}; use s({text})"
        raise FormulaError(f"{text} in mo() has {count} in a row; {remedy}.")
    return memory


def apply(memory: Memory, call: Call) -> Basis:
    """The column x and one indicator for each step, shapes (1, n) and (D, n).

    Raises
    ------
    FormulaError
        For values that the model has not seen.
    """
    text = call.texts.get("x", "x")
    place = _places(memory, call, text)
    beyond = place >= np.arange(1, memory.steps + 1)[:, None]
    return Basis(place[None].astype(float), np.ascontiguousarray(beyond, dtype=float))


def _places(memory: Memory, call: Call, text: str) -> NDArray[np.int64]:
    value = call.arguments["x"]
    if memory.levels is not None:
        if not isinstance(value, Categories):
            raise FormulaError(f"{text} in mo() was categorical when the model was built, and is numeric here.")
        found = value.recoded(memory.levels, text)
        if found.unseen:
            _refuse(text, found.unseen, ", ".join(str(level) for level in memory.levels))
        return found.codes.astype(np.int64)
    x = call.numbers("x")
    outside = (x < memory.first) | (x > memory.last) | (x != np.round(x))
    if outside.any():
        _refuse(text, tuple(x[outside]), f"whole numbers from {memory.first} to {memory.last}")
    return x.astype(np.int64) - memory.first


def _refuse(text: str, values: tuple[Any, ...], known: str) -> None:
    shown = ", ".join(f"{value:g}" if isinstance(value, float) else f"{value}" for value in dict.fromkeys(values))
    given = shown if len(set(values)) <= _SHOWN else "something unknown"
    raise FormulaError(
        f"{text} in mo() is {given} in {len(values)} rows. The model knows {known}, and nothing of what lies beyond."
    )


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """The slope, which is called as the term is, and the shares."""
    shares = tuple(str(step) for step in range(1, memory.steps + 1))
    return (
        TermQuantity("slope", "coefficients", ending=""),
        TermQuantity("simplex", "simplex", shares, ("Dirichlet", {"a": 1.0})),
    )


def weigh(slopes: FloatArray, simplex: FloatArray) -> FloatArray:
    """The weights of the indicators, of draws: (draws, q) and (draws, D) to (draws, q D)."""
    weights = slopes[:, :, None] * (simplex.shape[1] * simplex - 1.0)[:, None]
    return np.asarray(weights.reshape(len(weights), -1), dtype=float)


MONOTONIC = TermKind(
    ("mo",),
    "is a monotonic effect",
    learn,
    apply,
    quantities,
    "monotonic",
    frozenset({MERGES, CODES}),
    weigh,
    multiplies=True,
)
