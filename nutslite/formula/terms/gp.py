"""``gp(x, cov="ExpQuad")``: an exact Gaussian process of one or several columns, for few different places.

f = sigma L z at the places of the data, z standard normal and L the Cholesky factor of their correlations
(`posterior.nodes.process` has the covariances, and the small number that is added to the diagonal). At other places f
is normal given these, draw by draw (Rasmussen and Williams 2006, equation 2.19); all places of one call are drawn
together. Where rows are at equal places these count once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CODES, MERGES
from nutslite.exceptions import DataError, FormulaError, did_you_mean
from nutslite.formula.evaluation.sizes import check_basis
from nutslite.formula.terms import box
from nutslite.formula.terms.kinds import Basis, Call, Interval, Settled, TermKind, TermQuantity

FloatArray = NDArray[np.float64]

MOST_PLACES = 300
MOST_NEW = 1000
COVARIANCES = ("ExpQuad", "Exponential", "Matern32", "Matern52")
JITTER = 1e-10  # as `posterior.nodes.process` has it: that room is to the right
_CHUNK = 2**22  # numbers of the matrices of some draws


@dataclass(frozen=True)
class Memory:
    """A process as learned from data.

    Attributes
    ----------
    places : ndarray, shape (q, D)
        Different rows, in order.
    covariance : str
    iso : bool
        Whether columns share one length scale.
    texts : tuple of str
        The columns as the formula has them.
    known : mapping of str to ndarray
        Hyperparameters that are numbers, which draws do not have.
    """

    places: FloatArray
    covariance: str
    iso: bool
    texts: tuple[str, ...]
    known: Mapping[str, FloatArray] = field(default_factory=dict)


def learn(call: Call) -> Memory:
    """Find the places.

    Raises
    ------
    FormulaError
        If there are too many, or arguments do not go together.
    """
    given, x = call.arguments, call.columns("x")
    texts = tuple(call.texts[f"x[{place}]"] for place in range(len(x)))
    if given["cov"] not in COVARIANCES:
        near = did_you_mean(str(given["cov"]), COVARIANCES)
        raise FormulaError(f"cov of gp() is one of {', '.join(COVARIANCES)}, not '{given['cov']}'.{near}")
    if len(x) == 1 and not given["iso"]:
        raise FormulaError("iso=False of gp() is about several columns, and here is one.")
    for own, text in zip(x, texts, strict=True):
        if not np.ptp(own) > 0.0:
            raise FormulaError(f"{text} has the same value in all rows, so there is nothing to model.")
    places = np.unique(x.T, axis=0)
    if len(places) > MOST_PLACES:
        raise FormulaError(
            f"{', '.join(texts)} has {len(places):,} different values, and gp() is for at most {MOST_PLACES}: every "
            f"gradient takes the factor of a matrix of that order. hsgp({', '.join(texts)}) is nearly the same "
            "process, for any number of rows; or round the values."
        )
    check_basis(len(places), call.rows)
    return Memory(places, given["cov"], bool(given["iso"]) or len(x) == 1, texts)


def settle(memory: Memory, interval: Interval) -> Settled:
    """Note which hyperparameters are numbers."""
    found = {name: interval(name, 0.5) for name in ("sigma", "ell")}
    known = {name: ends[0] for name, ends in found.items() if ends is not None and np.array_equal(*ends)}
    return Settled(replace(memory, known=known))


def apply(memory: Memory, call: Call) -> Basis:
    """One column for each place, one in its rows; rows at other places have none."""
    x = call.columns("x")
    inside = (x.T[None] == memory.places[:, None]).all(axis=2)
    return Basis(np.empty((0, call.rows)), np.ascontiguousarray(inside, dtype=float), x)


def quantities(memory: Memory) -> tuple[TermQuantity, ...]:
    """The standard deviation, the length scale, and a standard normal for each place."""
    extents = np.ptp(memory.places, axis=0)
    alpha, share = box.PRIOR
    beta = share * (np.atleast_1d(np.linalg.norm(extents)) if memory.iso else extents)
    labels: tuple[Any, ...] = tuple(memory.places[:, 0].tolist())
    if len(memory.texts) > 1:
        labels = tuple(", ".join(f"{value:.6g}" for value in place) for place in memory.places)
        labels = labels if len(set(labels)) == len(labels) else tuple(range(len(labels)))
    return (
        TermQuantity("sigma", "hyperparameter"),
        TermQuantity(
            "ell",
            "hyperparameter",
            prior=("InverseGamma", {"alpha": alpha, "beta": beta if beta.size > 1 else float(beta[0])}),
            axes=() if memory.iso else (("var", memory.texts),),
        ),
        TermQuantity("z", "standard", prior=("Normal", {"mu": 0.0, "sigma": 1.0}), axes=(("place", labels),)),
    )


def constants(memory: Memory) -> Mapping[str, Any]:
    """What the values depend on beside sigma, the length scale and z."""
    return {"covariance": memory.covariance, "places": memory.places, "iso": memory.iso, "known": memory.known}


def extend(
    name: str, constants: Mapping[str, Any], draws: Mapping[str, FloatArray], x: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Draws of f at rows: `TermKind.extend`.

    Raises
    ------
    DataError
        If there are too many new places to draw them together.
    """
    known = constants["places"]
    places, index = np.unique(x.T, axis=0, return_inverse=True)
    seen = (places[:, None] == known).all(axis=2)
    new = places[~seen.any(axis=1)]
    if len(new) > MOST_NEW:
        raise DataError(
            f"'{name}' is to be drawn at {len(new):,} places that the model has not seen, and draws at most "
            f"{MOST_NEW:,} together. Ask for fewer rows at a time."
        )
    values = _values(constants, draws, new, rng)
    where = np.where(seen.any(axis=1), seen.argmax(axis=1), len(known) + np.cumsum(~seen.any(axis=1)) - 1)
    return values, where[np.ravel(index)].astype(np.intp)


def _values(
    constants: Mapping[str, Any], draws: Mapping[str, FloatArray], new: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """f at the places of the data, then at new ones: shape (samples, q + p)."""
    known, z, q = constants["places"], draws["z"], len(constants["places"])
    every = np.concatenate([known, new])
    ells = np.broadcast_to(draws["ell"].reshape(-1, draws["ell"].shape[-1]), (len(z), known.shape[1]))
    sigma = np.broadcast_to(draws["sigma"].reshape(-1, 1), (len(z), 1))
    out = np.empty((len(z), len(every)))
    some = max(1, _CHUNK // len(every) ** 2)
    for start in range(0, len(z), some):
        rows = slice(start, start + some)
        scaled = every / ells[rows, None, :]
        squares = np.maximum(np.sum((scaled[:, :, None] - scaled[:, None]) ** 2, axis=3), 0.0)
        matrix = correlations(constants["covariance"], squares) + JITTER * np.eye(len(every))
        factor = np.linalg.cholesky(matrix)  # its first rows are the factor of the known places: one draw of all
        normals = np.concatenate([z[rows], rng.standard_normal((len(z[rows]), len(new)))], axis=1)
        out[rows] = sigma[rows] * np.einsum("sij,sj->si", factor, normals)
    return out[:, : q + len(new)]


def correlations(covariance: str, squares: FloatArray) -> FloatArray:
    """By squared distances in units of the length scales."""
    x = np.sqrt(squares)
    if covariance == "ExpQuad":
        found = np.exp(-0.5 * squares)
    elif covariance == "Exponential":
        found = np.exp(-x)
    elif covariance == "Matern32":
        found = (1.0 + np.sqrt(3.0) * x) * np.exp(-np.sqrt(3.0) * x)
    else:
        found = (1.0 + np.sqrt(5.0) * x + 5.0 / 3.0 * squares) * np.exp(-np.sqrt(5.0) * x)
    return np.asarray(found, dtype=float)


GP = TermKind(
    ("gp",),
    "is an exact Gaussian process",
    learn,
    apply,
    quantities,
    "exact",
    frozenset({MERGES, CODES}),
    constants=constants,
    settle=settle,
    extend=extend,
)
