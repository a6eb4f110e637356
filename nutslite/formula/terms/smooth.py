"""``s(x, k=10, bs='cr')``: a penalised smooth, as a mixed model has it.

A function f with k coefficients b and the penalty b'Sb (the integral of f''^2) has the density of

    f = line * linear + sum over j of column_j * weight_j,      weight_j ~ N(0, sigma^2)

where the line is what the penalty says nothing of, and the columns are the other eigenvectors of S, divided by the
square roots of their eigenvalues (Wood 2017, section 5.4). Given the noise's sd s, the posterior mean is the penalised
least-squares fit with the smoothing parameter s^2 / sigma^2.

Of all ways to write that down this is the one whose columns are orthogonal to each other, to the line and to the
constant over the rows that the model is built from: `linear` is the slope of the straight line that fits f best there.
The columns are scaled so that sigma is the standard deviation that they add, averaged over these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, INTEGRATES, MATRIX, MERGES, PILOT
from nutslite.exceptions import FormulaError
from nutslite.formula.evaluation.sizes import check_basis
from nutslite.formula.evaluation.transforms import Cyclic, Natural
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity

FloatArray = NDArray[np.float64]

MOST_COLUMNS = 1000
FEWEST = {"cr": 3, "cc": 4}
_INSTEAD = {"tp": "cr", "ts": "cr", "cs": "cr", "ps": "cr", "bs": "cr", "gp": "cr", "cp": "cc"}


@dataclass(frozen=True)
class Memory:
    """A smooth as learned from data: values of the spline's basis times `maps` are the term's columns.

    Attributes
    ----------
    spline : Natural or Cyclic
        Its k columns are the basis functions that are one at one knot and zero at the others.
    line : ndarray, shape (k, 1) or (k, 0)
        Coefficients of the straight line through zero at the mean of x; a cyclic smooth has none.
    maps : ndarray, shape (k, m)
        Coefficients of the penalised columns.
    """

    spline: Any
    line: FloatArray
    maps: FloatArray


def learn(call: Call) -> Memory:
    """Place the knots, and find the columns.

    Raises
    ------
    FormulaError
        For a basis that is not there, or a k that the data cannot have.
    """
    x, k, kind = call.numbers("x"), int(call.arguments["k"]), call.arguments["bs"]
    bounds = [call.arguments[name] for name in ("lower_bound", "upper_bound")]
    _check(call, x, k, kind)
    spline = Natural() if kind == "cr" else Cyclic()
    spline.memorize_chunk(x, k if kind == "cr" else k - 1, None, *bounds)
    spline.memorize_finish()
    basis = np.asarray(spline.transform(x), dtype=float)
    knots = np.asarray(spline._all_knots, dtype=float)
    centre = basis.mean(axis=0)
    line = (knots - x.mean())[:, None] if kind == "cr" else np.empty((basis.shape[1], 0))
    return Memory(spline, line, _penalised(basis, centre, _penalty(knots, cyclic=kind == "cc"), line))


def _check(call: Call, x: FloatArray, k: int, kind: str) -> None:
    if kind not in FEWEST:
        near = f"; write bs='{_INSTEAD[kind]}'" if kind in _INSTEAD else ""
        raise FormulaError(f"bs of s() is 'cr' (natural cubic spline) or 'cc' (cyclic), not '{kind}'{near}.")
    distinct, rows = np.unique(x).size, x.size
    if not FEWEST[kind] <= k <= MOST_COLUMNS:
        raise FormulaError(f"k of s() is from {FEWEST[kind]} to {MOST_COLUMNS} for bs='{kind}', not {k}.")
    if distinct < k:
        text = call.texts.get("x", "x")
        less = f"; write k={distinct}" if distinct >= FEWEST[kind] else ""
        raise FormulaError(f"k={k} needs as many different values, and {text} has {distinct} in {rows} rows{less}.")
    check_basis(k, rows)


def _penalty(knots: FloatArray, *, cyclic: bool) -> FloatArray:
    """S with b'Sb the integral of the squared second derivative of the cubic spline with the values b at its knots.

    The second derivatives at the knots, g, solve B g = D b, and are linear in between (Wood 2017, table 5.1).
    """
    h = np.diff(knots)
    k = knots.size - cyclic
    curvature, difference = np.zeros((k, k)), np.zeros((k, k))  # B and D; of an open spline g is 0 at both ends
    inner = range(k) if cyclic else range(1, k - 1)
    for i in inner:
        before, after, left, right = h[i - 1], h[i % h.size], (i - 1) % k, (i + 1) % k
        curvature[i, i] += (before + after) / 3.0
        curvature[i, left] += before / 6.0
        curvature[i, right] += after / 6.0
        difference[i, i] -= 1.0 / before + 1.0 / after
        difference[i, left] += 1.0 / before
        difference[i, right] += 1.0 / after
    some = np.array(inner)
    own, rows = curvature[np.ix_(some, some)], difference[some]
    return np.asarray(rows.T @ np.linalg.solve(own, rows), dtype=float)


def _penalised(basis: FloatArray, centre: FloatArray, penalty: FloatArray, line: FloatArray) -> FloatArray:
    """Coefficients (k, m) of the penalised columns, orthogonal over rows to each other, the line and the constant."""
    free = line.shape[1]
    # sum to zero over rows: what is left of the k coefficients once the constraint is absorbed
    absorbed = np.linalg.qr(centre[:, None], mode="complete")[0][:, 1:]
    values, vectors = np.linalg.eigh(absorbed.T @ penalty @ absorbed)
    maps = absorbed @ (vectors[:, free:] / np.sqrt(values[free:]))
    columns = basis @ maps
    if free:
        straight = basis @ line
        maps = maps - line @ (straight.T @ columns / np.sum(straight**2))
    columns = basis @ maps
    rotation = np.linalg.svd(columns, full_matrices=False)[2]
    maps = maps @ rotation.T / np.sqrt(np.mean(np.sum(columns**2, axis=1)))
    signs = np.sign(maps[np.abs(maps).argmax(axis=0), np.arange(maps.shape[1])])  # not left to the linear algebra
    return np.ascontiguousarray(maps * signs)


def apply(memory: Memory, call: Call) -> Basis:
    """The columns on any rows; beyond its knots a natural spline is straight, and a cyclic one begins again."""
    basis = np.asarray(memory.spline.transform(call.numbers("x")), dtype=float)
    return Basis(np.ascontiguousarray((basis @ memory.line).T), np.ascontiguousarray((basis @ memory.maps).T))


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """The slope of the line where there is one, the weights, and their scale."""
    linear = (TermQuantity("linear", "coefficients"),) * memory.line.shape[1]
    weights = tuple(str(j) for j in range(memory.maps.shape[1]))
    return (*linear, TermQuantity("weights", "weights", weights), TermQuantity("sigma", "hyperparameter"))


ALLOWS = frozenset({INTEGRATES, PILOT, MERGES, CODES, MATRIX})

SMOOTH = TermKind(("s",), "is a penalised smooth", learn, apply, quantities, "shared", ALLOWS)
