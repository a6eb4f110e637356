"""Responses between bounds: how probable they are, draws of them, and their mean.

All by the kernels of censored rows, which say how probable a range of responses is, and so for every family that has
them. Draws are made as often as it takes; what is still outside after some rounds is drawn by the inverse of the
distribution function, so that bounds far out in a tail cost no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.codes import link_array
from nutslite.families.record.bounds import Bounds, felt
from nutslite.formula.forms.truncated import LOWER, UPPER
from nutslite.formula.records import STATUSES

if TYPE_CHECKING:
    from nutslite.families.record.family import Family

FloatArray = NDArray[np.float64]
Arrays = Mapping[str, Any]

ROUNDS = 12  # of draws that are made anew where they fall outside
_STEPS = 100  # of a bisection at most
_DOUBLINGS = 1100  # from the smallest to the largest number
_MOST_TERMS, _NEGLIGIBLE = 1_000_000, 1e-14


def log_probability(family: Family, bounds: Bounds, parameters: Arrays, companions: Arrays) -> FloatArray:
    """``log P(lower <= Y <= upper)``, shape (n,); `parameters` (n,) are on their natural scale."""
    return _log_probability(family, bounds, parameters, companions)[0]


def _log_probability(
    family: Family, bounds: Bounds, parameters: Arrays, companions: Arrays
) -> tuple[FloatArray, FloatArray]:
    """The same, and its derivative by the parent's native linear predictor."""
    from nutslite.families.record.family import compile_kernel

    codes = np.array([parameter.native_link for parameter in family.parameters], dtype=np.int64)
    varies, places = np.ones(codes.size, dtype=np.int64), bounds.places
    with np.errstate(all="ignore"):
        eta = np.array([link_array(item.native_name, parameters[item.name]) for item in family.parameters])
    others = np.array([companions[name] for name in family.companions], dtype=float).reshape(-1, places.size)
    ends = bounds.ends(family.discrete)
    out, slopes = np.zeros(places.size), np.zeros(places.size)
    for place in np.unique(places[places > 0]):
        rows = np.flatnonzero(places == place)
        kernel = family.censored[STATUSES[place]]
        kernel = compile_kernel(family, getattr(kernel, "inner", None) or kernel, codes)
        with np.errstate(all="ignore"):
            y = np.vstack([family.prepare(np.vstack([end[None, rows], others[:, rows]])) for end in ends])
            found, moved = np.empty(rows.size), np.empty((codes.size, rows.size))
            kernel(
                np.ascontiguousarray(y, dtype=float), np.empty(0), 0, np.ascontiguousarray(eta[:, rows]), varies,
                codes, found, moved,
            )  # fmt: skip
        out[rows], slopes[rows] = found, moved[0]
    return out, slopes


def draw(family: Family, rng: np.random.Generator, parameters: Arrays, companions: Arrays) -> NDArray[Any]:
    """Draws of the family's responses between bounds; see `Family.random`."""
    shape, parameters, companions, bounds = _flat(family, parameters, companions)
    drawn = np.array(family.random(rng, parameters, companions))
    rows = np.flatnonzero((drawn < bounds.lower) | (drawn > bounds.upper))
    for _ in range(ROUNDS):
        if rows.size == 0:
            break
        drawn[rows] = family.random(rng, _some(parameters, rows), _some(companions, rows))
        rows = rows[(drawn[rows] < bounds.lower[rows]) | (drawn[rows] > bounds.upper[rows])]
    if rows.size:
        few = Bounds(bounds.lower[rows], bounds.upper[rows])
        level = rng.uniform(size=rows.size)
        drawn[rows] = quantile(family, level, few, _some(parameters, rows), _some(companions, rows))
    return drawn.reshape(shape)


def mean(family: Family, parameters: Arrays, companions: Arrays) -> FloatArray:
    """Mean of the family's responses between bounds; see `Family.mean`.

    Where the score of the parent is linear in the response, ``d log P(inside) / d eta`` is its mean inside, which gives
    the mean of the response. Otherwise the probability to be above is integrated.
    """
    shape, parameters, companions, bounds = _flat(family, parameters, companions)
    if family.mean_of_score is not None:
        _, slopes = _log_probability(family, bounds, parameters, companions)
        found = family.mean_of_score(parameters, companions, slopes)
    elif family.discrete:
        found = _summed(family, parameters, companions, bounds)
    else:
        found = _integrated(family, parameters, companions, bounds)
    found = np.where(bounds.places > 0, found, family.mean(parameters, companions))
    return np.clip(found, bounds.lower, bounds.upper).reshape(shape)


def quantile(family: Family, level: FloatArray, bounds: Bounds, parameters: Arrays, companions: Arrays) -> NDArray[Any]:
    """The response, shape (n,), below which is the share `level` of what is between the bounds; by bisection."""
    log_level = np.log(level) + log_probability(family, bounds, parameters, companions)
    low, high = _bracket(family, log_level, bounds, parameters, companions)
    for _ in range(_STEPS):
        middle = np.floor(0.5 * (low + high)) if family.discrete else 0.5 * (low + high)
        left = (middle > low) & (middle < high)
        if not left.any():
            break
        reached = _reached(family, middle, log_level, bounds, parameters, companions)
        high = np.where(left & reached, middle, high)
        low = np.where(left & ~reached, middle, low)
    return high.astype(np.int64) if family.discrete else high


def _reached(
    family: Family, at: FloatArray, log_level: FloatArray, bounds: Bounds, parameters: Arrays, companions: Arrays
) -> NDArray[np.bool_]:
    """Whether the probability from the lower bound up to `at` is `log_level` or more."""
    part = Bounds(bounds.lower, np.minimum(at, bounds.upper))
    return np.asarray(log_probability(family, part, parameters, companions) >= log_level)


def _bracket(
    family: Family, log_level: FloatArray, bounds: Bounds, parameters: Arrays, companions: Arrays
) -> tuple[FloatArray, FloatArray]:
    """Numbers below and from where on the level is reached."""
    step = 1.0 if family.discrete else np.finfo(float).eps
    edge = -np.inf if family.response_support == "real" else -1.0 if family.discrete else 0.0
    low = np.where(bounds.has_lower, bounds.lower - (1.0 if family.discrete else 0.0), edge)
    high = bounds.upper.copy()
    top = {"unit": 1.0}.get(family.response_support, np.inf)
    high = np.where(bounds.has_upper, high, companions.get("trials", top))
    anchor = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high, 0.0))
    size = np.maximum(np.abs(anchor), 1.0) * step
    open_above, open_below = ~np.isfinite(high), ~np.isfinite(low)
    high, low = np.where(open_above, anchor + size, high), np.where(open_below, anchor - size, low)
    for _ in range(_DOUBLINGS):
        short = open_above & ~_reached(family, high, log_level, bounds, parameters, companions)
        long = open_below & _reached(family, low, log_level, bounds, parameters, companions)
        if not (short | long).any():
            break
        size = 2.0 * size
        low, high = np.where(short, high, low), np.where(long, low, high)
        high, low = np.where(short, anchor + size, high), np.where(long, anchor - size, low)
    return low, high


def _flat(family: Family, parameters: Arrays, companions: Arrays) -> tuple[Any, dict[str, Any], dict[str, Any], Bounds]:
    """The common shape, and everything as vectors of its size."""
    shape = np.broadcast_shapes(*(np.shape(value) for value in (*parameters.values(), *companions.values())))

    def flat(arrays: Arrays) -> dict[str, Any]:
        return {name: np.broadcast_to(value, shape).reshape(-1) for name, value in arrays.items()}

    parameters, companions = flat(parameters), flat(companions)
    bounds = felt(family, companions[LOWER], companions[UPPER], companions.get("trials"))
    return shape, parameters, companions, bounds


def _some(arrays: Arrays, rows: NDArray[np.int64]) -> dict[str, Any]:
    return {name: value[rows] for name, value in arrays.items()}


def _summed(family: Family, parameters: Arrays, companions: Arrays, bounds: Bounds) -> FloatArray:
    """``lower + sum(P(Y >= k), k > lower)`` of whole numbers, until nothing is left."""
    whole = log_probability(family, bounds, parameters, companions)
    low = np.where(bounds.has_lower, bounds.lower, 0.0)
    top = np.where(bounds.has_upper, bounds.upper, companions.get("trials", np.inf))
    found, at = low.copy(), low + 1.0
    for _ in range(_MOST_TERMS):
        part = Bounds(np.minimum(at, top), bounds.upper)
        share = np.where(at <= top, np.exp(log_probability(family, part, parameters, companions) - whole), 0.0)
        if not (share > _NEGLIGIBLE).any():
            break
        found += share
        at += 1.0
    return found


_PANELS = (0.75, 0.9, 0.99, 0.9999)  # levels between which the probability to be beyond is integrated
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_T = np.arange(-3.6, 3.6, 0.15)
_FAR, _FAR_WEIGHTS = np.exp(0.5 * np.pi * np.sinh(_T)), 0.15 * 0.5 * np.pi * np.cosh(_T)


def _integrated(family: Family, parameters: Arrays, companions: Arrays, bounds: Bounds) -> FloatArray:
    """The median plus ``integral of P(Y > t)`` above it, minus ``integral of P(Y < t)`` below."""
    whole = log_probability(family, bounds, parameters, companions)

    def at_level(level: float) -> FloatArray:
        levels = np.full(whole.size, level)
        return quantile(family, levels, bounds, parameters, companions)

    def beyond(at: FloatArray, side: float) -> FloatArray:
        part = Bounds(at, bounds.upper) if side > 0.0 else Bounds(bounds.lower, at)
        outside = at >= bounds.upper if side > 0.0 else at <= np.maximum(bounds.lower, edge)
        inside = np.exp(log_probability(family, part, parameters, companions) - whole)
        return np.where(outside, 0.0, inside)

    edge = -np.inf if family.response_support == "real" else 0.0
    median = at_level(0.5)
    found = median.copy()
    for side in (1.0, -1.0):
        first = median
        for level in _PANELS:
            last = at_level(level if side > 0.0 else 1.0 - level)
            half = 0.5 * (last - first)
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                found += weight * half * beyond(first + half * (1.0 + node), side)
            first = last
        width = np.abs(first - median)
        for node, weight in zip(_FAR, _FAR_WEIGHTS, strict=True):
            found += side * weight * width * node * beyond(first + side * width * node, side)
    return found
