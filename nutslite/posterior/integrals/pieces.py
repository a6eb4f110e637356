"""Densities of straight pieces, through concave log densities and their slopes at a few nodes.

Between two nodes a log density is the cubic polynomial that has their values and slopes (Hermite), within the bounds of
concave functions. The density is straight between a few points of each of these, and falls exponentially beyond the
last nodes. So it is integrated, drawn from and evaluated exactly. Of smooth integrands that vanish at both ends the
trapezium rule is nearly exact, and the integral is as good as the polynomials (Trefethen and Weideman 2014).

All lengths are in units of the distance between two nodes. Many densities are done at once, next to each other in
memory, so that loops over them become vector instructions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import MATRIX, VECTOR
from nutslite._special import exp
from nutslite.sampler.transition.compiling import uncounted

FLATTEST = 0.5  # rate at which a tail falls at least
DEEPEST = 700.0  # below the highest node: what is lower, or not a number, counts as this


class Pieces(NamedTuple):
    """So many densities in pieces; heights are relative to the highest node, whose logarithm is `tops`."""

    heights: NDArray[np.float64]  # (points, densities), equally many between any two nodes
    rates: NDArray[np.float64]  # (2, densities) of the left and the right tail
    totals: NDArray[np.float64]  # (densities,) integrals
    tops: NDArray[np.float64]  # (densities,)


PIECES_TYPE = types.NamedTuple([MATRIX, MATRIX, VECTOR, VECTOR], Pieces)


@uncounted
def fill_pieces(logs, slopes, pieces: Pieces):
    """Overwrite `pieces` by log densities and slopes (nodes, densities), which are overwritten, too."""
    n, nodes = pieces.totals.shape[0], logs.shape[0]
    tops, totals = pieces.tops[:n], pieces.totals[:n]
    for i in range(n):
        tops[i] = -math.inf
        totals[i] = 0.0
    for k in range(nodes):
        log = logs[k]
        for i in range(n):
            tops[i] = max(tops[i], log[i])
    for k in range(nodes):
        log, slope = logs[k], slopes[k]
        steepest = DEEPEST if k < nodes // 2 else -DEEPEST
        for i in range(n):
            low = not log[i] > tops[i] - DEEPEST
            log[i] = -DEEPEST if low else log[i] - tops[i]
            slope[i] = steepest if low or not abs(slope[i]) < DEEPEST else slope[i]
    points = pieces.heights.shape[0]
    between = (points - 1) // (nodes - 1)
    for k in range(nodes - 1):
        for j in range(between):
            _fill_point(
                j / between, logs[k], logs[k + 1], slopes[k], slopes[k + 1], pieces.heights[k * between + j], totals
            )
    _fill_point(
        1.0, logs[nodes - 2], logs[nodes - 1], slopes[nodes - 2], slopes[nodes - 1], pieces.heights[points - 1], totals
    )
    first, last = pieces.heights[0], pieces.heights[points - 1]
    left, right, slope, end = pieces.rates[0], pieces.rates[1], slopes[0], slopes[nodes - 1]
    for i in range(n):
        left[i] = max(FLATTEST, slope[i])
        right[i] = max(FLATTEST, -end[i])
        totals[i] = (totals[i] - 0.5 * (first[i] + last[i])) / between + first[i] / left[i] + last[i] / right[i]


@uncounted
def _fill_point(t, low, high, low_slope, high_slope, heights, totals):
    """Overwrite `heights` with those at `t` between two nodes, and add them to `totals`.

    Log densities are concave: they lie between the chord and the tangents, and so does what polynomials say of them.
    """
    s = 1.0 - t
    a, b = s * s * (1.0 + 2.0 * t), t * t * (1.0 + 2.0 * s)
    c, d = s * s * t, -t * t * s
    for i in range(totals.shape[0]):
        log = (a * low[i] + b * high[i]) + (c * low_slope[i] + d * high_slope[i])
        log = min(log, min(low[i] + t * low_slope[i], high[i] - s * high_slope[i]))
        heights[i] = exp(max(log, s * low[i] + t * high[i]))
        totals[i] += heights[i]


@uncounted
def draw_from_pieces(pieces: Pieces, nodes, i, uniform):
    """A draw of density `i`, whose `nodes` are at 0, 1, ..., by inversion of its distribution function; log density."""
    left, right, total = pieces.rates[0, i], pieces.rates[1, i], pieces.totals[i]
    rest = uniform * total
    b = pieces.heights[0, i]
    if rest < b / left:
        x = math.log(max(rest * left / b, 1e-300)) / left
        return x, math.log(b / total) + left * x
    points = pieces.heights.shape[0]
    between = (points - 1) // (nodes - 1)
    rest = (rest - b / left) * (2.0 * between)
    for j in range(points - 1):
        a, b = b, pieces.heights[j + 1, i]
        if rest < a + b:
            y = rest / (a + math.sqrt(max(0.0, a * a + (b - a) * rest)))
            return (j + y) / between, math.log((a + (b - a) * y) / total)
        rest -= a + b
    b = max(b, 1e-300)
    x = -math.log(max(1e-300, 1.0 - rest * right / (2.0 * between * b))) / right
    return nodes - 1 + x, math.log(b / total) - right * x
