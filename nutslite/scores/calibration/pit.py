"""The probability integral transform: where in its predictive distribution each observation fell, from 0 to 1.

Values are uniform if forecasts are calibrated (Dawid 1984; Gneiting, Balabdaoui and Raftery 2007, JRSS B 69:243-268).
Of counts, and wherever a value has a probability of its own, an observation falls on a whole stretch of 0 to 1 and its
place there is drawn at random (Czado, Gneiting and Held 2009, Biometrics 65:1254-1261).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, random_generator
from nutslite.scores.numerics.checks import draws_of, numbers, observations, together, weights_of

FloatArray = NDArray[np.float64]

AT_ONCE = 1 << 22  # comparisons of draws with observations held at a time
MOST_BINS = 10_000


@public
def pit(y: Any, prediction: Any, seed: Any = 0) -> FloatArray:
    """Randomised probability integral transform, ``u = F(y-) + v (F(y) - F(y-))`` with v uniform.

    Dawid (1984), JRSS A 147:278-292; of counts Czado, Gneiting and Held (2009), Biometrics 65:1254.

    Parameters
    ----------
    y : array_like, shape (n,)
        Observations.
    prediction : Prediction
        Anything whose ``cdf(y)`` and ``cdf_below(y)`` give P(Y <= y) and P(Y < y), shape (n,).
    seed : int or generator
        Of v. The same seed gives the same v, so that two forecasts of the same rows differ by their merits alone.

    Returns
    -------
    ndarray, shape (n,)
        Independent and uniform if `prediction` is right and its rows are independent given it.

    Notes
    -----
    Uniform is necessary, not enough: forecasts that ignore a predictor, or what groups share, may have it.

    Examples
    --------
    >>> from nutslite.scores import Prediction
    >>> pit([0.0, 1.96], Prediction.from_normal([0.0, 0.0], [1.0, 1.0])).round(3)
    array([0.5  , 0.975])
    """
    y = observations(y)
    return pit_from_cdf(prediction.cdf(y), prediction.cdf_below(y), seed=seed)


@public
def pit_from_cdf(cdf: Any, below: Any = None, weights: Any = None, seed: Any = 0) -> FloatArray:
    """The same from distribution functions at the observations; those of posterior draws are averaged.

    ``u_i = sum_s w_s (F_s(y_i-) + v_i (F_s(y_i) - F_s(y_i-)))``. Averaging distribution functions that are known given
    each draw's parameters is more precise than ranks among draws of the response (Rao-Blackwell).

    Czado, Gneiting and Held (2009), eq. 1; of mixtures over draws Krueger, Lerch, Thorarinsdottir and Gneiting (2021),
    International Statistical Review 89:274.

    Parameters
    ----------
    cdf : array_like, shape (n,) or (S, n)
        P(Y <= y), of each draw where there is a first axis.
    below : array_like, same shape, optional
        P(Y < y). None where it is the same, as of a continuous response.
    weights : array_like, shape (S,) or (S, n), optional
        Weights of draws, as of importance sampling; equal ones by default.
    seed : int or generator

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> pit_from_cdf([[0.2, 0.9], [0.4, 0.7]])
    array([0.3, 0.8])
    """
    lower, upper = _ends(cdf, below, weights)
    if below is None:
        return upper
    return lower + random_generator(seed).random(upper.size) * (upper - lower)


@public
def mid_pit(cdf: Any, below: Any, weights: Any = None) -> FloatArray:
    """The middle of the stretch that an observation falls on, ``(F(y-) + F(y)) / 2``: not random, and not uniform.

    Its mean is 1/2 under calibration; its variance is smaller than 1/12, the more so the coarser the response. For
    pictures of single rows.

    Lancaster (1961), JASA 56:223-234, of p-values.

    Parameters
    ----------
    cdf, below, weights
        As for `pit_from_cdf`.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> mid_pit([0.5, 0.9], [0.3, 0.5])
    array([0.4, 0.7])
    """
    lower, upper = _ends(cdf, below, weights)
    return 0.5 * (lower + upper)


@public
def pit_from_draws(y: Any, x: Any, weights: Any = None, seed: Any = 0) -> FloatArray:
    """Randomised transform from draws of the response: the rank of y among y and draws, put at random in its place.

    ``u = (#{x < y} + v (1 + #{x = y})) / (S + 1)``: exactly uniform for any number S of draws if they and y are
    exchangeable, so that five members of an ensemble do not look overconfident for being five. With weights,
    ``sum_s w_s (1{x_s < y} + v 1{x_s = y})``.

    Rank histograms: Hamill (2001), Monthly Weather Review 129:550-560; ties as in Czado, Gneiting and Held (2009).

    Parameters
    ----------
    y : array_like, shape (n,)
    x : array_like, shape (S, n)
    weights : array_like, shape (S,) or (S, n), optional
    seed : int or generator

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> (pit_from_draws([0.5], [[0.0], [1.0], [2.0]]) * 4).astype(int)  # of four places the second
    array([1])
    """
    y = observations(y)
    x = draws_of(y, x)
    shares = weights_of(weights, x.shape)
    v = random_generator(seed).random(y.size)
    if shares is None:
        less, equal = counts_of(y, x)
        return (less + v * (1.0 + equal)) / (x.shape[0] + 1.0)
    shares = np.broadcast_to(shares, x.shape)
    return np.minimum(1.0, np.sum(shares * (x < y), axis=0) + v * np.sum(shares * (x == y), axis=0))


@public
def pit_histogram(cdf: Any, below: Any = None, bins: int = 10, weights: Any = None) -> FloatArray:
    """Heights of the histogram of a transform that is averaged over its randomness; 1 everywhere if calibrated.

    An observation adds to each bin the share of its stretch there: Czado, Gneiting and Held (2009), equation 2.

    ``clip((u - F(y-)) / (F(y) - F(y-)), 0, 1)`` averaged over rows, differenced at the edges.

    Parameters
    ----------
    cdf, below, weights
        As for `pit_from_cdf`.
    bins : int
        Of equal width.

    Returns
    -------
    ndarray, shape (bins,)
        Their mean is 1.

    Examples
    --------
    >>> pit_histogram([0.2, 0.4, 0.6, 0.8], bins=2)
    array([1., 1.])
    """
    lower, upper = _ends(cdf, below, weights)
    edges = np.linspace(0.0, 1.0, checked_number("bins", bins, 1, MOST_BINS) + 1)
    some = upper > lower
    stretch = np.where(some, upper - lower, 1.0)
    held = np.empty((edges.size, upper.size))
    for place, edge in enumerate(edges):
        held[place] = np.where(some, np.clip((edge - lower) / stretch, 0.0, 1.0), upper < edge)
    held[-1] = 1.0
    return np.diff(held, axis=0).mean(axis=1) * (edges.size - 1)


def counts_of(y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How many draws of shape (S, n) are below y, and how many equal it; each of shape (n,)."""
    less, equal = np.empty(y.size), np.empty(y.size)
    rows = max(1, AT_ONCE // x.shape[0])
    for start in range(0, y.size, rows):
        part = slice(start, start + rows)
        less[part] = np.count_nonzero(x[:, part] < y[part], axis=0)
        equal[part] = np.count_nonzero(x[:, part] == y[part], axis=0)
    return less, equal


def checked_number(name: str, given: Any, fewest: int, most: int) -> int:
    """A whole number within bounds.

    Raises
    ------
    ArgumentError
    """
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise ArgumentTypeError(f"{name} is a whole number from {fewest} to {most}, not {given!r}.")
    if not fewest <= given <= most:
        raise ArgumentError(f"{name} is a whole number from {fewest} to {most}, not {given!r}.")
    return int(given)


def _ends(cdf: Any, below: Any, weights: Any) -> tuple[FloatArray, FloatArray]:
    """F(y-) and F(y), averaged over draws, shape (n,)."""
    upper = numbers("cdf", cdf, "unit")
    upper, lower = together(cdf=upper, below=upper if below is None else numbers("below", below, "unit"))
    if upper.ndim not in (1, 2) or 0 in upper.shape:
        raise DataError(f"cdf has one number a row, or one a draw and row: (n,) or (S, n); not {upper.shape}.")
    if (lower > upper).any():
        raise DataError(
            f"below is larger than cdf in {int((lower > upper).sum())} places: they are P(Y < y) and P(Y <= y)."
        )
    if upper.ndim == 1:
        if weights is not None:
            raise DataError("weights are of draws, and cdf has no axis of draws: give it as (S, n).")
        return lower, upper
    shares = weights_of(weights, upper.shape)
    if shares is None:
        return lower.mean(axis=0), upper.mean(axis=0)
    return np.sum(shares * lower, axis=0), np.minimum(1.0, np.sum(shares * upper, axis=0))
