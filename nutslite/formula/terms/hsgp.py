"""``hsgp(x, m=10, c=1.5)``: a Gaussian process of one column, by basis functions on an interval.

With x centred at its mean and inside (-L, L), the process is a sum of weights times

    phi_j(x) = L^(-1/2) sin(w_j (x + L)),      w_j = j pi / (2 L),      weight_j ~ N(0, S(w_j))

S the spectral density of the covariance (Solin and Sarkka 2020, Statistics and Computing 30; Riutort-Mayol et al. 2022,
arXiv:2004.11408). The rule for the weights' scales has S; this file has the basis, which is in the unit of x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, INTEGRATES, MERGES
from nutslite.exceptions import DataError, FormulaError, did_you_mean
from nutslite.formula.evaluation.sizes import check_basis
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity

FloatArray = NDArray[np.float64]

MOST_FUNCTIONS = 1000
COVARIANCES = ("ExpQuad", "Matern32", "Matern52")
_LATER = {
    "by": (None, "a process for each level of a factor"),
    "share_cov": (True, "covariances by the levels of by="),
    "iso": (True, "a length scale for each of several columns"),
}


@dataclass(frozen=True)
class Memory:
    """A process as learned from data.

    Attributes
    ----------
    mean, boundary : float
        Of x, and L, both in the unit of x.
    range : float
        The largest distance of two rows: the unit of the length scale where that is scaled.
    frequencies : ndarray, shape (m,)
        w_j, in the unit of 1 / x.
    covariance : str
    scale : bool or None
        Whether the length scale is in units of `range`; None: where its prior is the default.
    """

    mean: float
    boundary: float
    range: float
    frequencies: FloatArray
    covariance: str
    scale: bool | None


def learn(call: Call) -> Memory:
    """Place the boundary.

    Raises
    ------
    FormulaError
        For what is not there yet, and arguments that leave no room for the data.
    """
    given = call.arguments
    _check(call)
    x = _column(call)
    mean, extent = float(x.mean()), float(x.max() - x.min())
    half = float(np.abs(x - mean).max())
    if not extent > 0.0:
        raise FormulaError(f"{call.texts['x']} has the same value in all rows, so there is nothing to model.")
    boundary = float(given["c"]) * half if given.get("L") is None else float(given["L"])
    if boundary < half:
        less = f"c={given['c']}" if given.get("L") is None else f"L={given['L']}"
        raise FormulaError(
            f"{less} leaves rows outside: {call.texts['x']} goes to {half:.6g} from its mean, and the boundary would "
            f"be at {boundary:.6g}. c= is at least 1; 1.5 is usual."
        )
    j = np.arange(1 + bool(given["drop_first"]), int(given["m"]) + 1)
    frequencies = np.asarray(j * np.pi / (2.0 * boundary), dtype=float)
    return Memory(mean, boundary, extent, frequencies, given["cov"], given.get("scale"))


def _column(call: Call) -> FloatArray:
    (value,) = call.arguments["x"]
    return Call(call.name, call.term, {"x": value}, call.texts, call.rows).numbers("x")


def _check(call: Call) -> None:
    given = call.arguments
    if len(given["x"]) != 1:
        raise FormulaError(f"hsgp() is of one column here, not of {call.texts.get('x') or 'none'}.")
    for name, (usual, what) in _LATER.items():
        if given.get(name) is not usual and given.get(name) != usual:
            raise FormulaError(f"{name}= of hsgp(), {what}, is not there yet.")
    if given["centered"]:
        raise FormulaError(
            "centered= of hsgp() is not there: how weights are sampled is the plan's choice, and "
            "Model(..., noncentered=False) where there is none."
        )
    if given["cov"] not in COVARIANCES:
        near = did_you_mean(str(given["cov"]), COVARIANCES)
        raise FormulaError(f"cov of hsgp() is one of {', '.join(COVARIANCES)}, not '{given['cov']}'.{near}")
    if (given.get("L") is None) == (given.get("c") is None):
        raise FormulaError("hsgp() takes either c= or L=: hsgp(x, m=10, c=1.5).")
    fewest = 1 + bool(given["drop_first"])
    if not fewest <= given["m"] <= MOST_FUNCTIONS:
        raise FormulaError(f"m of hsgp() is from {fewest} to {MOST_FUNCTIONS}, not {given['m']}.")
    check_basis(int(given["m"]), call.rows)


def apply(memory: Memory, call: Call) -> Basis:
    """The basis functions at any rows within the boundary.

    Raises
    ------
    DataError
        For rows beyond it, where the basis is of no process.
    """
    x = _column(call) - memory.mean
    outside = np.abs(x) > memory.boundary
    if outside.any():
        lowest, highest = memory.mean - memory.boundary, memory.mean + memory.boundary
        raise DataError(
            f"{int(np.count_nonzero(outside))} of {x.size} rows of {call.texts['x']} lie beyond the boundary of "
            f"'{call.term}', {lowest:.6g} to {highest:.6g}. A larger c= or L= in the formula moves it."
        )
    basis = np.sin(memory.frequencies[:, None] * (x + memory.boundary)) / np.sqrt(memory.boundary)
    return Basis(np.empty((0, x.size)), np.ascontiguousarray(basis))


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """The weights, the process's standard deviation and its length scale, with Bambi's default priors."""
    labels = tuple(str(j) for j in range(memory.frequencies.size))
    return (
        TermQuantity("sigma", "hyperparameter", prior=("Exponential", {"lam": 1.0})),
        TermQuantity("ell", "hyperparameter", prior=("InverseGamma", {"alpha": 3.0, "beta": 2.0})),
        TermQuantity("weights", "weights", labels),
    )


def constants(memory: Memory) -> Mapping[str, Any]:
    """What the scales of the weights depend on beside sigma and the length scale."""
    return {
        "covariance": memory.covariance,
        "frequencies": memory.frequencies,
        "range": memory.range,
        "scale": memory.scale,
    }


ALLOWS = frozenset({INTEGRATES, MERGES, CODES})

HSGP = TermKind(("hsgp",), "is a Gaussian process", learn, apply, quantities, "spectral", ALLOWS, constants=constants)
