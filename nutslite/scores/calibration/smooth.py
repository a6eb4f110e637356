"""Smooth calibration error: no bins, one number, consistent (Blasiok and Nakkiran 2024, arXiv:2309.12236).

``smECE_s = int_0^1 |(1/n) sum_i (y_i - p_i) K_s(t, p_i)| dt``, with K_s the Gaussian kernel of width s reflected at 0
and 1, and the error is smECE_s at the one width that it equals.

Reflection makes the kernel even and of period 2, so that the curve inside is a cosine series, ``r(t) = a_0 + 2 sum_k
a_k exp(-(k pi s)^2 / 2) cos(k pi t)`` with ``a_k = mean_i (y_i - p_i) cos(k pi p_i)``. Coefficients are computed once;
a width damps them; the area is taken from the antiderivative between the curve's roots.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._numba import kernel
from nutslite.scores.calibration.calibration_error import binary_rows, row_weights

FloatArray = NDArray[np.float64]

NARROWEST = 1e-4  # width; forecasts that are exactly right reach it
FALL = 8.8  # damped coefficients beyond k pi s = FALL are below 1e-17
FINER = 16  # grid points for each coefficient, among which roots are sought
NEWTON_STEPS = 2
ROUNDING = 1e-13  # of a curve, relative to its largest value
MOST_ROWS = 20_000  # beyond, rows are laid on a grid first
GRID = 1 << 15


@public
def smooth_ece(y: Any, p: Any, weights: Any = None) -> float:
    """Smooth calibration error (smECE) of the probabilities of an event.

    ``int_0^1 |1/n sum_i (y_i - p_i) K_s(t, p_i)| dt`` with a reflected normal kernel K of the width s at which this is
    s itself: Blasiok and Nakkiran (2024), ICLR, arXiv:2309.12236, section 3.

    Parameters
    ----------
    y : array_like, shape (n,)
        1 where the event came, else 0.
    p : array_like, shape (n,)
        Its probability.
    weights : array_like, shape (n,), optional
        Of rows.

    Returns
    -------
    float
        From 0 to 1; lower is better. Not 0 for a calibrated forecaster: about 0.03 at n = 2,000. Exact to 1e-8 up to
        20,000 rows; beyond, rows are first shared between neighbours on a grid of 32,768 steps, to about 1e-6.

    Examples
    --------
    >>> round(smooth_ece([0, 0, 0, 1, 1, 1, 1, 1], [0.25] * 4 + [0.75] * 4), 3)
    0.125
    """
    y, p = binary_rows(y, p)
    residuals = (y - p) * row_weights(weights, y.size)
    return fixed_width(residuals, p, p.size > MOST_ROWS)


def fixed_width(residuals: FloatArray, p: FloatArray, on_grid: bool, quick: bool = False) -> float:
    """The smooth error of residuals, each with its share of the rows; `quick`ly to three digits, for simulations."""
    if not np.any(residuals):
        return 0.0
    coefficients_of = _grid_coefficients if on_grid else cosine_coefficients
    width, narrowest = 0.02, 10.0 * NARROWEST if quick else NARROWEST
    while True:
        coefficients = coefficients_of(residuals, p, math.ceil(FALL / (math.pi * width)))
        if smooth_area(coefficients, width, quick) >= width or width <= narrowest:
            break
        width = max(narrowest, width / 4.0)
    area = smooth_area(coefficients, width, quick)
    if area < width:
        return area
    return _fixed_point(coefficients, width, quick)


def cosine_coefficients(residuals: FloatArray, p: FloatArray, most: int) -> FloatArray:
    """``a_k = sum_i residuals_i cos(k pi p_i)`` for k = 0, ..., most."""
    out = np.zeros(most + 1)
    _sum_cosines(residuals, np.cos(np.pi * p), out)
    return out


def smooth_area(coefficients: FloatArray, width: float, quick: bool = False) -> float:
    """``int_0^1 |r(t)| dt`` of the curve that `coefficients` make at this width of the kernel."""
    most = min(coefficients.size - 1, math.ceil(FALL / (math.pi * width)))
    k = np.arange(1, most + 1)
    damped = 2.0 * coefficients[1 : most + 1] * np.exp(-0.5 * (k * math.pi * width) ** 2)
    points = 1 << max(6, math.ceil(math.log2((4 if quick else FINER) * (most + 1))))
    curve = coefficients[0] + _cosine_series(damped, points)
    change = _sign_changes(curve)
    left = change / points
    fraction = np.clip(curve[change] / (curve[change] - curve[change + 1]), 0.0, 1.0)
    roots = left + fraction / points
    if not quick:
        roots = _refined(roots, left, left + 1.0 / points, coefficients[0], damped, k)
    edges = np.concatenate([[0.0], roots, [1.0]])
    primitive = coefficients[0] * edges + np.sin(np.outer(edges, k * math.pi)) @ (damped / (k * math.pi))
    return float(np.abs(np.diff(primitive)).sum())


def _fixed_point(coefficients: FloatArray, low: float, quick: bool) -> float:
    """The width that equals its own error: the error falls as the width grows."""
    from scipy.optimize import brentq

    def excess(width: float) -> float:
        return smooth_area(coefficients, width, quick) - width

    high = low + excess(low)
    if excess(high) >= 0.0:
        return high
    return float(brentq(excess, low, high, xtol=1e-4 * high if quick else 1e-13))


def _cosine_series(damped: FloatArray, points: int) -> FloatArray:
    """``sum_k damped_k cos(k pi t)`` at t = 0, 1/points, ..., 1, by a Fourier transform of period 2."""
    spectrum = np.zeros(points + 1)
    spectrum[1 : damped.size + 1] = 0.5 * damped
    return np.fft.irfft(spectrum, 2 * points)[: points + 1] * (2 * points)


def _sign_changes(curve: FloatArray) -> NDArray[np.int64]:
    """Places after which the sign is another; where the curve is rounding alone it keeps the sign it had."""
    places = np.flatnonzero(np.abs(curve) > ROUNDING * np.abs(curve).max())
    negative = np.signbit(curve[places])
    return np.minimum(places[1:][negative[1:] != negative[:-1]] - 1, curve.size - 2)


def _refined(
    roots: FloatArray, left: FloatArray, right: FloatArray, constant: float, damped: FloatArray, k: NDArray[np.int64]
) -> FloatArray:
    """Roots after Newton's steps that stay between neighbours; at a root an error enters the area squared."""
    for _ in range(NEWTON_STEPS):
        angles = np.outer(roots, k * math.pi)
        value = constant + np.cos(angles) @ damped
        slope = -np.sin(angles) @ (damped * k * math.pi)
        step = np.divide(value, slope, out=np.zeros_like(value), where=slope != 0.0)
        roots = np.clip(roots - step, left, right)
    return roots


def _grid_coefficients(residuals: FloatArray, p: FloatArray, most: int) -> FloatArray:
    """As `cosine_coefficients`, of residuals shared between the two grid points around each, by a Fourier transform."""
    place = np.minimum((p * GRID).astype(np.int64), GRID - 1)
    share = p * GRID - place
    total = np.bincount(place, residuals * (1.0 - share), GRID + 1)
    total += np.bincount(place + 1, residuals * share, GRID + 1)
    half = 0.5 * total[1:-1]
    even = np.concatenate([total[:1], half, total[-1:], half[::-1]])
    return np.fft.rfft(even).real[: most + 1]


@kernel
def _sum_cosines(residuals, cosines, out):
    """Add ``residuals cos(k a)`` over rows for every k, by ``cos((k + 1) a) = 2 cos(a) cos(k a) - cos((k - 1) a)``."""
    for i in range(cosines.size):
        before, now, twice = 1.0, cosines[i], 2.0 * cosines[i]
        out[0] += residuals[i]
        for k in range(1, out.size):
            out[k] += residuals[i] * now
            before, now = now, twice * now - before
