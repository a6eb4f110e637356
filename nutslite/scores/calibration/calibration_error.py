"""Binned calibration errors of probabilities, each by its own name.

What is called "the ECE" differs between papers and programs: by the bins, by the norm, and of several classes by which
probability is meant. All compare the mean probability of a bin with the share of rows where the event came. None is
zero for a calibrated forecaster, because shares vary by chance; `expected_range` says what one would get, and
`debiased_error` subtracts it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, refuse_other
from nutslite.scores.calibration.coverage import equal_mass_bins
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.numerics.checks import numbers
from nutslite.scores.pointwise.classes import checked_rows, codes_of

FloatArray = NDArray[np.float64]

STRATEGIES = ("width", "mass")
NORMS = ("l1", "l2", "max")
BINS = 15
MOST_BINS = 1_000_000


class Bins(NamedTuple):
    """Bins that hold rows, in order, each ndarray of shape (bins,)."""

    weight: FloatArray  # share of all rows
    forecast: FloatArray  # mean probability
    observed: FloatArray  # share of rows where the event came
    rows: NDArray[np.int64]


class Debiased(NamedTuple):
    """A calibration error less what chance adds to it.

    Attributes
    ----------
    squared : float
        Estimate of the squared L2 error, negative where bins differ from their probabilities by less than chance.
    root : float
        Its square root, or 0.
    left_out : int
        Rows alone in their bin: nothing can be said of chance there.
    """

    squared: float
    root: float
    left_out: int


@public
def calibration_error(
    y: Any, p: Any, bins: int = BINS, strategy: str = "width", norm: str = "l1", weights: Any = None
) -> float:
    """Expected (L1), root mean square (L2) or maximum calibration error of the probabilities of an event.

    ``(sum_b w_b |ybar_b - pbar_b|^q)^(1/q)`` over bins b that hold rows, w_b their share of all rows: ECE for q = 1,
    RMSCE for q = 2, and the largest difference, MCE, for ``"max"`` (Naeini, Cooper and Hauskrecht 2015; Guo et al.
    2017, section 2).

    Parameters
    ----------
    y : array_like, shape (n,)
        1 where the event came, else 0.
    p : array_like, shape (n,)
        Its probability. Of several classes take `confidence_error`, `top_label_error` or `classwise_error`.
    bins : int
    strategy : {"width", "mass"}
        Bins of equal width, ``[0, 1/bins), ..., [1 - 1/bins, 1]``: the last holds 1. Or of about equally many rows,
        where equal probabilities are never parted.
    norm : {"l1", "l2", "max"}
    weights : array_like, shape (n,), optional
        Of rows.

    Returns
    -------
    float
        Lower is better. Not 0 for a calibrated forecaster.

    Notes
    -----
    More bins, fewer rows: larger, whatever the forecast. `expected_range` says how large it would be.

    Examples
    --------
    >>> calibration_error([0, 0, 0, 1, 1, 1, 1, 1], [0.25] * 4 + [0.75] * 4)  # one bin is off by 0.25, the other by 0
    0.125
    """
    y, p = binary_rows(y, p)
    return _norm(binned(y, p, bins, strategy, weights), norm)


@public
def debiased_error(y: Any, p: Any, bins: int = BINS, strategy: str = "mass") -> Debiased:
    """L2 calibration error without the bias that chance gives it.

    ``sum_b n_b/n ((pbar_b - ybar_b)^2 - ybar_b (1 - ybar_b) / (n_b - 1))``: Broecker (2012), Climate Dynamics 39:655;
    Ferro and Fricker (2012), QJRMS 138:1954; Kumar, Liang and Ma (2019), arXiv:1909.10155, definition 5.2.

    Parameters
    ----------
    y, p : array_like, shape (n,)
    bins, strategy
        As for `calibration_error`.

    Returns
    -------
    Debiased
        About 0 for a calibrated forecaster, and half of the time below.

    Examples
    --------
    >>> debiased_error([0, 0, 0, 1, 1, 1, 1, 1], [0.25] * 4 + [0.75] * 4)
    Debiased(squared=0.0, root=0.0, left_out=0)
    """
    found = binned(*binary_rows(y, p), bins, strategy, None)
    several = found.rows > 1
    rows = found.rows[several]
    noise = found.observed[several] * (1.0 - found.observed[several]) / (rows - 1)
    terms = (found.forecast[several] - found.observed[several]) ** 2 - noise
    squared = float(np.sum(found.weight[several] * terms))
    return Debiased(squared, math.sqrt(max(0.0, squared)), int(np.sum(~several)))


@public
def debiased_l1_error(y: Any, p: Any, bins: int = BINS, strategy: str = "mass") -> float:
    """Expected calibration error less the bias that chance gives it, by the folded normal distribution in each bin.

    Of a bin with difference d and variance ``s^2 = ybar (1 - ybar) / n_b`` it takes ``2|d| - E|N(d, s^2)|`` (Kumar,
    Liang and Ma 2019, section 5, by simulation there). May be negative. Where d is noise alone, two fifths of
    the bias go (2 - sqrt(2) of the plain error is left): `debiased_error` is free of it.

    Parameters
    ----------
    y, p : array_like, shape (n,)
    bins, strategy
        As for `calibration_error`.

    Returns
    -------
    float

    Examples
    --------
    >>> round(debiased_l1_error([0, 0, 0, 1, 1, 1, 1, 1], [0.25] * 4 + [0.75] * 4), 4)
    0.0386
    """
    from scipy.special import ndtr

    found = binned(*binary_rows(y, p), bins, strategy, None)
    d = np.abs(found.observed - found.forecast)
    s = np.sqrt(found.observed * (1.0 - found.observed) / found.rows)
    z = np.divide(d, s, out=np.full(d.size, np.inf), where=s > 0.0)
    density = np.exp(-0.5 * np.minimum(z, 40.0) ** 2) / math.sqrt(2.0 * math.pi)
    folded = d * (2.0 * ndtr(z) - 1.0) + 2.0 * s * density
    return float(np.sum(found.weight * (2.0 * d - folded)))


@public
def confidence_error(
    y: Any, p: Any, bins: int = BINS, strategy: str = "width", norm: str = "l1", weights: Any = None
) -> float:
    """Calibration error of the largest probability: is the most likely class right as often as it says?

    What deep learning calls the ECE (Guo et al. 2017). Of two classes it is not `calibration_error`: 0.2 and 0.8 are of
    the same confidence.

    ``sum_b w_b |share right in b - mean of max_k p_k in b|``.

    Parameters
    ----------
    y : array_like, shape (n,)
        Codes 0, ..., K - 1.
    p : array_like, shape (n,) or (n, K)
        Probability of 1, or of each class.
    bins, strategy, norm, weights
        As for `calibration_error`.

    Returns
    -------
    float

    Notes
    -----
    Of events with probabilities below a half it is the probability of 0 that is judged.

    Examples
    --------
    >>> round(confidence_error([0, 1], [[0.8, 0.2], [0.4, 0.6]]), 2)  # both right, said 0.8 and 0.6
    0.3
    """
    _, right, confidence = _likeliest(y, p)
    return _norm(binned(right, confidence, bins, strategy, weights), norm)


@public
def top_label_error(
    y: Any, p: Any, bins: int = BINS, strategy: str = "width", norm: str = "l1", weights: Any = None
) -> float:
    """The same within each predicted class, weighted by how often it is predicted (Gupta and Ramdas 2022).

    `confidence_error` lets one class that is too sure hide another that is not sure enough.

    ``sum_k w_k sum_b w_bk |share right in b - mean of p_k in b|`` over predicted classes k.

    Parameters
    ----------
    y : array_like, shape (n,)
    p : array_like, shape (n,) or (n, K)
    bins, strategy, norm, weights
        As for `confidence_error`.

    Returns
    -------
    float

    Examples
    --------
    >>> round(top_label_error([0, 1], [[0.8, 0.2], [0.4, 0.6]]), 2)
    0.3
    """
    top, right, confidence = _likeliest(y, p)
    weights = np.ones(top.size) if weights is None else numbers("weights", weights, "not negative")
    parts = [
        (binned(right[rows], confidence[rows], bins, strategy, weights[rows]), weights[rows].sum() / weights.sum())
        for rows in (top == label for label in np.unique(top))
        if weights[rows].sum() > 0.0
    ]
    return _norm(_joined(parts), norm)


@public
def classwise_error(
    y: Any, p: Any, bins: int = BINS, strategy: str = "width", norm: str = "l1", weights: Any = None
) -> FloatArray:
    """Calibration error of the probability of each class by itself; the mean is the classwise ECE (Kull et al. 2019).

    ``sum_b w_b |share of k in b - mean of p_k in b|`` of each class k.

    Parameters
    ----------
    y, p, bins, strategy, norm, weights
        As for `confidence_error`.

    Returns
    -------
    ndarray, shape (K,)

    Examples
    --------
    >>> classwise_error([0, 1], [[0.8, 0.2], [0.4, 0.6]]).round(2)
    array([0.3, 0.3])
    """
    codes, p = _classes(y, p)
    return np.array(
        [
            _norm(binned((codes == k).astype(np.float64), p[:, k], bins, strategy, weights), norm)
            for k in range(p.shape[1])
        ]
    )


def binned(y: FloatArray, p: FloatArray, bins: int, strategy: str, weights: Any) -> Bins:
    """Means of rows by bins; bins without rows are left out.

    Raises
    ------
    ArgumentError
        For an unknown strategy or an impossible number of bins.
    """
    codes = bin_codes(p, bins, strategy)
    w = row_weights(weights, p.size)
    total: FloatArray = np.bincount(codes, w).astype(np.float64)
    kept = total > 0.0
    some = np.where(kept, total, 1.0)
    forecast, observed = np.bincount(codes, w * p) / some, np.bincount(codes, w * y) / some
    return Bins(total[kept], forecast[kept], observed[kept], np.bincount(codes)[kept])


def bin_codes(p: FloatArray, bins: int, strategy: str) -> NDArray[np.int64]:
    """Codes 0, 1, ... of the bins that hold rows.

    Raises
    ------
    ArgumentError
        For an unknown strategy or an impossible number of bins.
    """
    refuse_other("strategy", strategy, STRATEGIES)
    bins = checked_number("bins", bins, 1, MOST_BINS)
    if strategy == "mass":
        return equal_mass_bins(p, bins)
    codes = np.minimum((p * bins).astype(np.int64), bins - 1)
    return np.unique(codes, return_inverse=True)[1].reshape(-1)


def _norm(found: Bins, norm: str) -> float:
    refuse_other("norm", norm, NORMS)
    difference = np.abs(found.observed - found.forecast)
    if norm == "max":
        return float(difference.max())
    if norm == "l1":
        return float(np.sum(found.weight * difference))
    return math.sqrt(float(np.sum(found.weight * difference**2)))


def _joined(parts: list[tuple[Bins, float]]) -> Bins:
    """Bins of parts of the rows as bins of all of them."""
    return Bins(
        np.concatenate([found.weight * share for found, share in parts]),
        np.concatenate([found.forecast for found, _ in parts]),
        np.concatenate([found.observed for found, _ in parts]),
        np.concatenate([found.rows for found, _ in parts]),
    )


def binary_rows(y: Any, p: Any) -> tuple[FloatArray, FloatArray]:
    """Events and their probabilities, (n,) each.

    Raises
    ------
    DataError
        Where there are several classes, or shapes differ.
    """
    p = numbers("p", p, "unit")
    if p.ndim == 2 and p.shape[1] == 2:
        p = checked_rows(p)[:, 1]
    if p.ndim != 1 or p.size == 0:
        raise DataError(
            f"p is the probability of one event, shape (n,); not {p.shape}. Of several classes there are "
            "confidence_error, top_label_error and classwise_error."
        )
    codes = codes_of(y, 2)
    if codes.shape != p.shape:
        raise DataError(f"y has shape {codes.shape}, p has {p.shape}: one row for each observation.")
    return codes.astype(np.float64), p


def row_weights(given: Any, n: int) -> FloatArray:
    """Weights of rows that add up to one."""
    if given is None:
        return np.full(n, 1.0 / n)
    weights = numbers("weights", given, "not negative")
    if weights.shape != (n,) or not weights.sum() > 0.0:
        raise DataError(f"weights are one number a row, not all zero: shape ({n},), not {weights.shape}.")
    return weights / weights.sum()


def _likeliest(y: Any, p: Any) -> tuple[Any, FloatArray, FloatArray]:
    """The likeliest class of each row, whether it came, and its probability."""
    codes, p = _classes(y, p)
    top = p.argmax(axis=1)
    return top, (top == codes).astype(np.float64), p.max(axis=1)


def _classes(y: Any, p: Any) -> tuple[NDArray[np.int64], FloatArray]:
    """Codes (n,) and probabilities (n, K)."""
    p = numbers("p", p, "unit")
    if p.ndim == 1:
        p = np.stack([1.0 - p, p], axis=1)
    if p.ndim != 2 or p.size == 0:
        raise DataError(f"p has shape (n,), the probability of 1, or (n, K), of each class; not {p.shape}.")
    codes = codes_of(y, p.shape[1])
    if codes.shape != p.shape[:1]:
        raise DataError(f"y has shape {codes.shape}, p has {p.shape}: one row for each observation.")
    return codes, checked_rows(p)
