"""``t2(x, z, k=5, bs="cr")``: a smooth surface, whose bends along each column and of both together have scales apart.

Each column has a basis in the form of a mixed model: N, the constant and the line (a cyclic one has no line), which its
penalty says nothing of, and R, bends with independent weights of one variance. Products of one of these for each column
are the parts of the surface: those of N alone are coefficients, every other part has weights with a sigma of its own
(Wood, Scheipl and Faraway 2013, Statistics and Computing 23). Lines are in units of the columns' standard deviations,
so that units change nothing.

Over the rows all columns have mean zero, those of a part are orthogonal to each other and to what has no penalty, and a
part's sigma is the standard deviation that it adds, averaged over the rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, INTEGRATES, MATRIX, MERGES, PILOT
from nutslite.exceptions import FormulaError
from nutslite.formula.evaluation.sizes import check_basis
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity
from nutslite.formula.terms.penalised import line_coefficients, penalised_maps, rotated
from nutslite.formula.terms.splines import Spline, check_spline, learn_spline

FloatArray = NDArray[np.float64]

MOST_COLUMNS = 4
MOST_FUNCTIONS = 2000


@dataclass(frozen=True)
class Margin:
    """One column's basis: values of the spline times `free` are N, those times `bends` are R."""

    spline: Spline
    free: FloatArray
    bends: FloatArray

    def parts(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """N and R at rows, shapes (functions, n)."""
        basis = self.spline.columns(x[None])
        return (basis @ self.free).T, (basis @ self.bends).T


@dataclass(frozen=True)
class Memory:
    """A surface as learned from data.

    Attributes
    ----------
    margins : tuple of Margin
    common : ndarray, shape (p,)
        Means of the products without penalty, but for the constant.
    maps : tuple of ndarray
        For each part with a penalty, from [its products, products without penalty, constant] to its columns.
    texts : tuple of str
        The columns as the formula has them.
    """

    margins: tuple[Margin, ...]
    common: FloatArray
    maps: tuple[FloatArray, ...]
    texts: tuple[str, ...]

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """For each part with a penalty, which columns bend in it (1) and which do not (0)."""
        return _parts(len(self.margins))


def _parts(columns: int) -> tuple[tuple[int, ...], ...]:
    every = itertools.product((0, 1), repeat=columns)
    return tuple(sorted((part for part in every if any(part)), key=lambda part: (sum(part), *(-one for one in part))))


def learn(call: Call) -> Memory:
    """Place the knots, and find the columns.

    Raises
    ------
    FormulaError
        For one column or too many, for a basis that is not there, or a k that the data cannot have.
    """
    x = call.columns("x")
    texts = tuple(call.texts[f"x[{place}]"] for place in range(len(x)))
    if not 2 <= len(x) <= MOST_COLUMNS:
        instead = f"s({texts[0]})" if len(x) == 1 else "several surfaces of fewer columns"
        raise FormulaError(f"t2() takes 2 to {MOST_COLUMNS} columns, not {len(x)}; write {instead}.")
    sizes, kinds = _each(call, "k", len(x)), _each(call, "bs", len(x))
    for own, k, kind, text in zip(x, sizes, kinds, texts, strict=True):
        check_spline("t2", str(kind), own[None], int(k), text)
    if (total := prod(int(k) for k in sizes)) > MOST_FUNCTIONS:
        raise FormulaError(
            f"t2() would make {' x '.join(str(int(k)) for k in sizes)} = {total:,} columns, and makes at most "
            f"{MOST_FUNCTIONS:,}; give smaller k."
        )
    check_basis(total, call.rows)
    margins = tuple(_margin(str(kind), own, int(k)) for own, k, kind in zip(x, sizes, kinds, strict=True))
    free = _products(margins, x, (0,) * len(x))[1:]
    means = free.mean(axis=1) if len(free) else np.empty(0)
    outer = np.vstack([free, np.ones((1, call.rows))])
    maps = []
    for part in _parts(len(x)):
        products = _products(margins, x, part)
        left = np.linalg.lstsq(outer.T, products.T, rcond=None)[0]
        whole = np.vstack([products, outer])
        maps.append(rotated(whole.T, np.vstack([np.eye(len(products)), -left])))
    return Memory(margins, means, tuple(maps), texts)


def _each(call: Call, name: str, columns: int) -> tuple[Any, ...]:
    """One value for each column."""
    given = call.arguments[name]
    values = (given,) if isinstance(given, str) or np.ndim(given) == 0 else tuple(given)
    if len(values) not in (1, columns):
        raise FormulaError(f"{name} of t2() is one value, or one for each of its {columns} columns, not {len(values)}.")
    return values * columns if len(values) == 1 else values


def _margin(kind: str, x: FloatArray, k: int) -> Margin:
    spline = learn_spline(kind, x[None], k, None, None)
    basis = spline.columns(x[None])
    functions = [np.ones(x.size), (x - x.mean()) / x.std()][: 1 + spline.linear]
    free = line_coefficients(basis, np.array(functions))
    return Margin(spline, free, penalised_maps(basis, spline.penalty, free, centred=False))


def _products(margins: tuple[Margin, ...], x: FloatArray, part: tuple[int, ...]) -> FloatArray:
    """Products of one function of each column, shape (functions, n); the constant first where all are of N."""
    out = np.ones((1, x.shape[1]))
    for margin, own, bends in zip(margins, x, part, strict=True):
        functions = margin.parts(own)[bends]
        out = (out[:, None] * functions).reshape(-1, x.shape[1])
    return out


def apply(memory: Memory, call: Call) -> Basis:
    """The columns on any rows."""
    x = call.columns("x")
    free = _products(memory.margins, x, (0,) * len(x))[1:]
    outer = np.vstack([free, np.ones((1, call.rows))])
    weights = [
        maps.T @ np.vstack([_products(memory.margins, x, part), outer])
        for part, maps in zip(memory.parts, memory.maps, strict=True)
    ]
    return Basis(np.ascontiguousarray(free - memory.common[:, None]), np.ascontiguousarray(np.concatenate(weights)))


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """Coefficients of what has no penalty, and weights and a sigma for each part."""
    lines = [margin.free.shape[1] for margin in memory.margins]
    powers = list(itertools.product(*(range(size) for size in lines)))[1:]
    labels = tuple(":".join(text for text, one in zip(memory.texts, power, strict=True) if one) for power in powers)
    parts = tuple(":".join(text for text, one in zip(memory.texts, part, strict=True) if one) for part in memory.parts)
    functions = tuple(
        f"{label}, {place}" for label, maps in zip(parts, memory.maps, strict=True) for place in range(maps.shape[1])
    )
    linear = (TermQuantity("linear", "coefficients", labels),) if labels else ()
    return (
        *linear,
        TermQuantity("weights", "weights", functions),
        TermQuantity("sigma", "hyperparameter", axes=(("part", parts),)),
    )


def constants(memory: Memory) -> Mapping[str, Any]:
    """Which sigma is the scale of each column."""
    return {"scale_of": [part for part, maps in enumerate(memory.maps) for _ in range(maps.shape[1])]}


ALLOWS = frozenset({INTEGRATES, PILOT, MERGES, CODES, MATRIX})

TENSOR = TermKind(("t2",), "is a smooth surface", learn, apply, quantities, "shared", ALLOWS, constants=constants)
