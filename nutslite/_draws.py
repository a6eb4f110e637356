"""Random draws at any parameters that densities allow, their ends included, where NumPy's generators refuse or fail.

Where all parameters are ordinary the draws are NumPy's own, number for number. The others are made in the limit: a
gamma variable of infinite shape is its mean, a beta variable of concentration zero is 0 or 1. Counts are int64; one
that is larger than int64 holds is `HIGHEST_COUNT`, so that order and quantiles stay right.

Parameters are arrays that broadcast, without nan; positive ones may be 0 and infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

HIGHEST_COUNT = int(np.iinfo(np.int64).max)
NORMAL_VARIANCE = 1e12  # of counts; above it NumPy's own lose their digits (at 5e18 their sd is 30 % too large)
MANY_TRIALS = 1e15
LARGE, SMALL = 1e300, 1e-300
WALD_RATIO = 1e4  # of mean to shape, above which NumPy's formula loses half of its digits


def poisson(rng: np.random.Generator, rate: npt.ArrayLike) -> Counts:
    """Poisson counts; `HIGHEST_COUNT` where they are beyond int64."""
    rate = np.asarray(rate, dtype=np.float64)
    high = rate > NORMAL_VARIANCE
    if not high.any():
        return np.asarray(rng.poisson(rate), dtype=np.int64)
    drawn = rng.poisson(np.where(high, 0.0, rate))
    return np.where(high, _whole(_nearly_normal(rng, rate, rate)), drawn)


def negative_binomial(rng: np.random.Generator, mu: npt.ArrayLike, alpha: npt.ArrayLike) -> Counts:
    """Negative binomial counts of mean mu and shape alpha: Poisson with a gamma rate."""
    return poisson(rng, gamma(rng, mu, alpha))


def poisson_above_zero(rng: np.random.Generator, rate: npt.ArrayLike) -> Counts:
    """Poisson counts that are not zero: the first event, given that there is one, and those after it."""
    rate = np.asarray(rate, dtype=np.float64)
    with np.errstate(all="ignore"):
        first = -np.log1p(rng.random(rate.shape) * np.expm1(-rate))
        return _one_and(poisson(rng, np.maximum(np.where(rate < np.inf, rate - first, rate), 0.0)))


def negative_binomial_above_zero(rng: np.random.Generator, mu: npt.ArrayLike, alpha: npt.ArrayLike) -> Counts:
    """Negative binomial counts that are not zero.

    As of a Poisson process on (0, 1) whose rate is a gamma variable: the time of the first event, given that there is
    one, and the count after it, of shape ``alpha + 1``, given that time.
    """
    mu, alpha = np.broadcast_arrays(np.asarray(mu, dtype=np.float64), np.asarray(alpha, dtype=np.float64))
    with np.errstate(all="ignore"):
        inverse = alpha / mu  # the scale of time; infinite for a Poisson process
        log_none = np.where(inverse < LARGE, -alpha * np.log1p(1.0 / inverse), -mu)
        log_left = np.log1p(rng.random(mu.shape) * np.expm1(log_none))
        time = np.where(inverse < LARGE, inverse * np.expm1(-log_left / alpha), -log_left / mu)
        time = np.clip(np.where(np.isnan(time), 0.0, time), 0.0, 1.0)
        after = np.where(alpha < LARGE, (alpha + 1.0) * (1.0 - time) / (inverse + time), mu * (1.0 - time))
    after = np.where(np.isnan(after), np.where(mu == np.inf, np.inf, 0.0), after)
    return _one_and(negative_binomial(rng, after, alpha + 1.0))


def _one_and(counts: Counts) -> Counts:
    """One more, but no more than there can be."""
    return np.where(counts < HIGHEST_COUNT, counts, HIGHEST_COUNT - 1) + 1


def binomial(rng: np.random.Generator, trials: npt.ArrayLike, p: npt.ArrayLike) -> Counts:
    """Successes; `HIGHEST_COUNT` where they are beyond int64, as trials may be."""
    trials, p = np.broadcast_arrays(np.asarray(trials, dtype=np.float64), np.asarray(p, dtype=np.float64))
    many = trials > MANY_TRIALS
    if not many.any():
        return np.asarray(rng.binomial(trials.astype(np.int64), p))
    drawn = rng.binomial(np.where(many, 0.0, trials).astype(np.int64), p)
    rarer = np.minimum(p, 1.0 - p)
    mean = np.where(many, trials * rarer, 0.0)
    rare = np.where(mean > NORMAL_VARIANCE, _nearly_normal(rng, mean, mean * (1.0 - rarer)), poisson(rng, mean))
    return np.where(many, _whole(np.where(p <= 0.5, rare, trials - rare)), drawn)


def gamma(rng: np.random.Generator, mu: npt.ArrayLike, alpha: npt.ArrayLike) -> FloatArray:
    """Gamma variables of mean mu and shape alpha: mu where alpha is infinite, 0 where it is 0."""
    mu, alpha = np.broadcast_arrays(mu, alpha)
    with np.errstate(all="ignore"):
        drawn = rng.gamma(alpha, mu / alpha)
    if np.isfinite(drawn).all():
        return drawn
    drawn = np.where(np.isnan(drawn), 0.0, drawn)  # a draw of shape about zero times a scale beyond float64
    return np.where((alpha > LARGE) | (mu == np.inf) & (alpha > 0.0), mu, drawn)


def beta(rng: np.random.Generator, mu: npt.ArrayLike, kappa: npt.ArrayLike) -> FloatArray:
    """Beta variables of mean mu and concentration kappa: mu where kappa is infinite, 0 or 1 where it is 0."""
    mu, kappa = np.broadcast_arrays(mu, kappa)
    a, b = mu * np.where(kappa > LARGE, LARGE, kappa), (1.0 - mu) * np.where(kappa > LARGE, LARGE, kappa)

    def usual(a: FloatArray, b: FloatArray, *_: FloatArray) -> FloatArray:
        return np.asarray(rng.beta(a, b))

    def limit(a: FloatArray, b: FloatArray, mu: FloatArray, kappa: FloatArray) -> FloatArray:
        return np.where(kappa > 1.0, mu, (rng.random(mu.shape) < mu).astype(np.float64))

    return _in_parts((a > SMALL) & (b > SMALL) & (kappa < LARGE), usual, limit, a, b, mu, kappa)


def dirichlet(rng: np.random.Generator, a: npt.ArrayLike) -> FloatArray:
    """Shares with concentrations a, shape (..., K): all in one place where these are about 0, a / sum(a) far above.

    By logarithms of gamma variables, ``log G(a + 1) + log(U) / a``, which do not underflow.
    """
    a = np.clip(np.asarray(a, dtype=np.float64), SMALL, LARGE)
    logs = np.log(rng.standard_gamma(a + 1.0)) - rng.standard_exponential(a.shape) / a
    shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def multinomial(rng: np.random.Generator, trials: npt.ArrayLike, p: npt.ArrayLike) -> Counts:
    """Counts of trials (...) with probabilities p (..., K): each column is binomial given those before it."""
    p = np.asarray(p, dtype=np.float64)
    left = np.broadcast_to(np.asarray(trials, dtype=np.float64), p.shape[:-1])
    rest = np.cumsum(p[..., ::-1], axis=-1)[..., ::-1]  # of this column and those after it
    counts = np.empty(p.shape, dtype=np.int64)
    for place in range(p.shape[-1] - 1):
        share = p[..., place] / np.where(rest[..., place] > 0.0, rest[..., place], 1.0)
        counts[..., place] = binomial(rng, left, np.minimum(share, 1.0))
        left = left - counts[..., place]
    counts[..., -1] = left
    return counts


def wald(rng: np.random.Generator, mu: npt.ArrayLike, lam: npt.ArrayLike) -> FloatArray:
    """Inverse Gaussian variables of mean mu and shape lam: mu where lam is infinite, 0 where it or mu is 0.

    An infinite mean makes Levy variables. Where mu is far above lam the roots of Michael, Schucany and Haas (1976),
    The American Statistician 30, are taken without cancellation.
    """
    mu, lam = np.broadcast_arrays(mu, lam)

    def careful(mu: FloatArray, lam: FloatArray) -> FloatArray:
        square, uniform = rng.standard_normal(mu.shape) ** 2, rng.random(mu.shape)
        spread = mu / lam * square
        root = 0.5 * (spread + np.sqrt(spread) * np.sqrt(spread + 4.0))
        small = np.where(np.isfinite(root), mu / (1.0 + root), lam / square)
        large = np.where(np.isfinite(root), mu * (1.0 + root), np.inf)
        drawn = np.where(uniform * (1.0 + small / mu) <= 1.0, small, large)
        drawn = np.where(mu == np.inf, lam / square, drawn)
        drawn = np.where((lam > LARGE) & (lam > WALD_RATIO * mu), mu, drawn)
        return np.where((mu == 0.0) | (lam == 0.0), 0.0, drawn)

    ordinary = (mu > SMALL) & (lam > SMALL) & (lam < LARGE) & (mu < WALD_RATIO * lam)
    return _in_parts(ordinary, rng.wald, careful, mu, lam)


def weibull(rng: np.random.Generator, mu: npt.ArrayLike, alpha: npt.ArrayLike) -> FloatArray:
    """Weibull variables of mean mu and shape alpha: mu where alpha is infinite, 0 where it is 0."""
    with np.errstate(all="ignore"):
        power = 1.0 / np.clip(np.asarray(alpha, dtype=np.float64), SMALL, LARGE)
        log_scale = np.log(mu) - _log_gamma(1.0 + power)
        drawn = rng.standard_exponential(log_scale.shape)
        return np.asarray(np.exp(log_scale + power * np.log(drawn)))


def _log_gamma(x: FloatArray) -> FloatArray:
    """Logarithm of the gamma function from 1 on, to eleven digits: Stirling's series from 8 on."""
    low = x < 8.0
    z, below = np.where(low, x + 7.0, x), np.where(low, x, 1.0)
    shift = np.where(low, np.log(np.prod([below + k for k in range(7)], axis=0)), 0.0)
    w = 1.0 / (z * z)
    series = (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w / 1680.0))) / z
    return np.asarray((z - 0.5) * np.log(z) - z + 0.5 * np.log(2.0 * np.pi) + series - shift)


def discrete_weibull(rng: np.random.Generator, q: npt.ArrayLike, beta: npt.ArrayLike) -> Counts:
    """Counts of which ``P(Y >= y) = q^(y^beta)``: whole parts of Weibull variables."""
    q, beta = np.broadcast_arrays(np.asarray(q, dtype=np.float64), np.asarray(beta, dtype=np.float64))
    with np.errstate(all="ignore"):
        log_time = np.log(rng.standard_exponential(q.shape)) - np.log(-np.log(q))
        time = np.exp(log_time / beta)
    time = np.where(np.isnan(time), 1.0, time)
    return _whole(np.where(log_time < 0.0, 0.0, np.floor(time)))


def student_t(rng: np.random.Generator, nu: npt.ArrayLike) -> FloatArray:
    """Student t variables: normal where nu is infinite, infinite where it is about 0."""
    nu = np.asarray(nu, dtype=np.float64)

    def limit(nu: FloatArray) -> FloatArray:
        normal = rng.standard_normal(nu.shape)
        return np.where(nu > 1.0, normal, np.copysign(np.inf, normal))

    return _in_parts((nu > SMALL) & (nu < LARGE), rng.standard_t, limit, nu)


def von_mises(rng: np.random.Generator, mu: npt.ArrayLike, kappa: npt.ArrayLike) -> FloatArray:
    """Von Mises variables between -pi and pi: mu where kappa is infinite; any angle where mu is infinite."""
    mu, kappa = np.broadcast_arrays(np.asarray(mu, dtype=np.float64), np.asarray(kappa, dtype=np.float64))
    known = np.isfinite(mu)
    drawn = rng.vonmises(0.0, np.where(kappa < LARGE, np.where(known, kappa, 0.0), 0.0))
    drawn = np.where(known & (kappa >= LARGE), 0.0, drawn) + np.where(known, mu, 0.0)
    return np.where(np.abs(drawn) <= np.pi, drawn, np.mod(drawn + np.pi, 2.0 * np.pi) - np.pi)


def moved(location: npt.ArrayLike, scale: npt.ArrayLike, standard: FloatArray) -> FloatArray:
    """``location + scale * standard``, which is the location where the scale is 0 or the location infinite."""
    with np.errstate(all="ignore"):
        out = np.asarray(location + np.multiply(scale, standard))
    return np.where(np.isnan(out), location, out) if np.isnan(out).any() else out


def _nearly_normal(rng: np.random.Generator, mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Normal variables, with the skewness of counts: the first terms of Cornish and Fisher's expansion."""
    normal = rng.standard_normal(mean.shape)
    with np.errstate(all="ignore"):
        return np.asarray(mean + np.sqrt(variance) * normal + (normal**2 - 1.0) / 6.0 * (2.0 * (variance / mean) - 1.0))


def _whole(counts: FloatArray) -> Counts:
    """Rounded to int64; `HIGHEST_COUNT` where that does not hold them."""
    beyond = ~(counts < HIGHEST_COUNT)
    return np.where(beyond, HIGHEST_COUNT, np.rint(np.where(beyond, 0.0, counts)).astype(np.int64))


def _in_parts(
    ordinary: npt.NDArray[np.bool_],
    usual: Callable[..., FloatArray],
    limit: Callable[..., FloatArray],
    *arrays: npt.NDArray[Any],
) -> FloatArray:
    """`usual` of the ordinary elements, `limit` of the others; one call of `usual` where all are ordinary."""
    if ordinary.all():
        return np.asarray(usual(*arrays))
    out = np.empty(ordinary.shape)
    out[ordinary] = usual(*(array[ordinary] for array in arrays))
    with np.errstate(all="ignore"):
        out[~ordinary] = limit(*(array[~ordinary] for array in arrays))
    return out
