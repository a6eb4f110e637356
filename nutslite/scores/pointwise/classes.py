"""Scores of class probabilities: log loss, Brier score, ranked probability score, and the split of their entropy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.scores.numerics.checks import numbers

FloatArray = NDArray[np.float64]

ADDS_UP = 1e-6  # how far probabilities of a row may be from adding up to one: float32 of a softmax


class EntropySplit(NamedTuple):
    """Entropy of class probabilities in nats, and what it consists of; each ndarray of shape (n,).

    `total` is the entropy of the mean probabilities, `aleatoric` the mean entropy, `epistemic` their difference: the
    mutual information of class and parameters.
    """

    total: FloatArray
    aleatoric: FloatArray
    epistemic: FloatArray


@public
def log_loss(y: Any, p: Any) -> FloatArray:
    """Minus the log of the probability of the class that came.

    ``-log p_y``: Good (1952), JRSS B 14:107-114.

    Parameters
    ----------
    y : array_like, shape (n,)
        0 or 1, or codes 0, ..., K - 1 of classes.
    p : array_like, shape (n,) or (n, K)
        Probability of 1, or of each class. They are not clipped: what was held impossible and came costs infinity.

    Returns
    -------
    ndarray, shape (n,)
        Lower is better.

    Raises
    ------
    DataError
        Where probabilities are none or do not add up to one, or y has other codes.

    Notes
    -----
    Programs that clip probabilities hide that something impossible came. Of two classes give the probability of 1, not
    of 0.

    Examples
    --------
    >>> log_loss([1, 0], [0.8, 0.8]).round(4)
    array([0.2231, 1.6094])
    """
    p, codes = _classes(y, p)
    with np.errstate(divide="ignore"):
        if p.ndim == 1:
            return -np.where(codes == 1, np.log(p), np.log1p(-p))
        return -np.log(p[np.arange(codes.size), codes])


@public
def brier(y: Any, p: Any) -> FloatArray:
    """Brier score: ``(p - y)^2`` of two classes, ``sum_k (p_k - 1{y = k})^2`` of K, as Brier (1950) has it.

    Of two classes given as two columns it is twice the former; scikit-learn's ``scale_by_half`` is about that.

    Brier (1950), Monthly Weather Review 78:1-3.

    Parameters
    ----------
    y, p
        As for `log_loss`.

    Returns
    -------
    ndarray, shape (n,)
        Lower is better.

    Examples
    --------
    >>> brier([1, 0], [0.8, 0.8]).round(2)
    array([0.04, 0.64])
    >>> brier([0, 2], [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]]).round(2)
    array([0.38, 0.24])
    """
    p, codes = _classes(y, p)
    if p.ndim == 1:
        return (p - codes) ** 2
    return np.sum((p - _indicators(codes, p.shape[1])) ** 2, axis=1)


@public
def rps(y: Any, p: Any) -> FloatArray:
    """Ranked probability score of ordered classes, ``sum_k (F_k - 1{y <= k})^2``: Epstein (1969); the CRPS of codes.

    Epstein (1969), Journal of Applied Meteorology 8:985-987.

    Parameters
    ----------
    y, p
        As for `log_loss`; classes in their order.

    Returns
    -------
    ndarray, shape (n,)
        Lower is better. Of two classes it is ``(p - y)^2``.

    Notes
    -----
    Some divide by ``K - 1``. Of classes without an order take `brier`.

    Examples
    --------
    >>> rps([0], [[0.5, 0.3, 0.2]]).round(2)  # 0.5^2 + 0.2^2
    array([0.29])
    """
    p, codes = _classes(y, p)
    if p.ndim == 1:
        return (p - codes) ** 2
    difference = np.cumsum(p - _indicators(codes, p.shape[1]), axis=1)
    return np.sum(difference[:, :-1] ** 2, axis=1)


@public
def entropy_split(p: Any) -> EntropySplit:
    """Entropy of predicted classes: what no data would remove (aleatoric) and what more data would (epistemic).

    ``H(mean_s p_s) = mean_s H(p_s) + mutual information``: Depeweg et al. (2018); MacKay (1992).

    Parameters
    ----------
    p : array_like, shape (S, n) or (S, n, K)
        Probabilities of each posterior draw, ensemble member or dropout pass: of 1, or of each class.

    Returns
    -------
    EntropySplit
        In nats.

    Notes
    -----
    The epistemic part is that of the draws given: five members know little of it.

    Examples
    --------
    >>> split = entropy_split([[0.9], [0.1]])
    >>> split.total.round(4), split.aleatoric.round(4), split.epistemic.round(4)
    (array([0.6931]), array([0.3251]), array([0.3681]))
    """
    p = numbers("p", p, "unit")
    if p.ndim not in (2, 3):
        raise DataError(f"p has draws, rows and for K classes a third axis: (S, n) or (S, n, K), not {p.shape}.")
    p = np.stack([1.0 - p, p], axis=-1) if p.ndim == 2 else checked_rows(p)
    total, aleatoric = special.entr(p.mean(axis=0)).sum(axis=-1), special.entr(p).sum(axis=-1).mean(axis=0)
    return EntropySplit(total, aleatoric, np.maximum(total - aleatoric, 0.0))


@public
def dirichlet_entropy_split(alpha: Any) -> EntropySplit:
    """The same of a Dirichlet distribution of class probabilities, such as an evidential network's head, without draws.

    ``E H = -sum_k a_k/a_0 (psi(a_k + 1) - psi(a_0 + 1))``: Malinin and Gales (2018), appendix.

    Parameters
    ----------
    alpha : array_like, shape (n, K)
        Concentrations, above zero.

    Returns
    -------
    EntropySplit
        In nats.

    Examples
    --------
    >>> split = dirichlet_entropy_split([[1.0, 1.0]])
    >>> split.total.round(4), split.aleatoric.round(4)  # log 2, 1/2
    (array([0.6931]), array([0.5]))
    """
    alpha = numbers("alpha", alpha, "positive")
    if alpha.ndim != 2:
        raise DataError(
            f"alpha has one row for each observation and one column for each class, not shape {alpha.shape}."
        )
    whole = alpha.sum(axis=1, keepdims=True)
    mean = alpha / whole
    total = special.entr(mean).sum(axis=1)
    aleatoric = -np.sum(mean * (special.digamma(alpha + 1.0) - special.digamma(whole + 1.0)), axis=1)
    return EntropySplit(total, aleatoric, np.maximum(total - aleatoric, 0.0))


def checked_rows(p: FloatArray) -> FloatArray:
    """Probabilities whose last axis adds up to one, exactly.

    Raises
    ------
    DataError
        Where it does not.
    """
    total = p.sum(axis=-1)
    wrong = np.abs(total - 1.0) > ADDS_UP
    if wrong.any():
        raise DataError(
            f"Probabilities of a row add up to one; {int(wrong.sum())} of {wrong.size} do not (the first to "
            f"{total[wrong][0]:.6g}). Classes are the last axis; of two classes one may give a single number a row."
        )
    return p / total[..., None]


def codes_of(y: Any, n_classes: int) -> NDArray[np.int64]:
    """Codes 0, ..., K - 1.

    Raises
    ------
    DataError
        Where there are others.
    """
    y = numbers("y", y, "count")
    if y.size and y.max() >= n_classes:
        raise DataError(f"y holds codes of {n_classes} classes, 0 to {n_classes - 1}; its largest is {y.max():g}.")
    return y.astype(np.int64)


def _classes(y: Any, p: Any) -> tuple[FloatArray, NDArray[np.int64]]:
    p = numbers("p", p, "unit")
    if p.ndim not in (1, 2):
        raise DataError(f"p has shape (n,), the probability of 1, or (n, K), of each class; not {p.shape}.")
    codes = codes_of(y, 2 if p.ndim == 1 else p.shape[1])
    if codes.shape != p.shape[:1]:
        hint = " Give p.T." if p.ndim == 2 and codes.shape == p.shape[1:] else ""
        raise DataError(f"y has shape {codes.shape}, p has {p.shape}: one row for each observation.{hint}")
    return (p if p.ndim == 1 else checked_rows(p)), codes


def _indicators(codes: NDArray[np.int64], n_classes: int) -> FloatArray:
    return (codes[:, None] == np.arange(n_classes)).astype(np.float64)
