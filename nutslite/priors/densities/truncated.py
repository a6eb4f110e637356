"""Densities cut to an interval: the probability between its ends, and draws from there.

A density p between a and b is p / (F(b) - F(a)). The logarithm of that probability is a number like an argument of the
prior: known beforehand where the arguments are, else a derived value (`posterior.nodes.between`).

Distribution functions are kept as two logarithms, of the probability below and of that above, so that an interval in
either tail keeps its digits. Formulas are SciPy's and PyMC's; of the Wald distribution Shuster (1968), of the skew
normal Azzalini (1985) with Owen's function, of the exponentially modified normal distribution Grushka (1972).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Pair = tuple[Any, Any]
Ends = tuple[Any, Any]

LEAST = -700.0
"""Logarithm of the least probability between bounds ..."""
LEAST_OF_DIFFERENCES = -18.0
"""... and where it is a difference that rounding leaves of larger numbers."""
DIFFERENCES = frozenset({"SkewNormal", "ExGaussian", "Wald", "Rice", "VonMises"})

FARTHEST = 745.0  # of unconstrained numbers: exp(-745) is the smallest double
HALVINGS = 64


def _log(x: Any) -> Any:
    return np.log(x)


def _normal(z: Any) -> Pair:
    from scipy.special import log_ndtr

    return log_ndtr(z), log_ndtr(-z)


def _moyal(x: Any, mu: Any, sigma: Any) -> Pair:
    from scipy.special import erf, log_ndtr

    w = np.exp(-0.5 * (x - mu) / sigma)
    return np.log(2.0) + log_ndtr(-w), _log(erf(w / np.sqrt(2.0)))


def _laplace(x: Any, mu: Any, b: Any) -> Pair:
    z = (x - mu) / b
    near = np.log1p(-0.5 * np.exp(-np.abs(z)))
    far = np.log(0.5) - np.abs(z)
    return np.where(z < 0.0, far, near), np.where(z < 0.0, near, far)


def _asymmetric_laplace(x: Any, kappa: Any, mu: Any, b: Any) -> Pair:
    distance = b * np.abs(x - mu)
    square = np.square(kappa)
    below = _log(square / (1.0 + square)) - distance / kappa
    above = -np.log1p(square) - distance * kappa
    left = x < mu
    with np.errstate(over="ignore", invalid="ignore"):
        other_above, other_below = np.log1p(-np.exp(below)), np.log1p(-np.exp(above))
    return np.where(left, below, other_below), np.where(left, other_above, above)


def _gumbel(x: Any, mu: Any, beta: Any) -> Pair:
    fall = np.exp(-(x - mu) / beta)
    return -fall, _log(-np.expm1(-fall))


def _t(z: Any, nu: Any) -> Pair:
    from scipy.special import stdtr

    return _log(stdtr(nu, z)), _log(stdtr(nu, -z))


def _half_student_t(x: Any, nu: Any, sigma: Any) -> Pair:
    from scipy.special import betainc, stdtr

    z = x / sigma
    return _log(betainc(0.5, 0.5 * nu, z * z / (nu + z * z))), _log(2.0 * stdtr(nu, -z))


def _skew_normal(x: Any, mu: Any, sigma: Any, alpha: Any) -> Pair:
    from scipy.special import ndtr, owens_t

    z = (x - mu) / sigma
    shift = 2.0 * owens_t(z, alpha)
    return _log(ndtr(z) - shift), _log(ndtr(-z) + shift)


def _ex_gaussian(x: Any, mu: Any, sigma: Any, nu: Any) -> Pair:
    from scipy.special import log_ndtr, ndtr

    z, ratio = (x - mu) / sigma, sigma / nu
    tail = -(x - mu) / nu + 0.5 * ratio**2 + log_ndtr(z - ratio)
    return _log(ndtr(z) - np.exp(tail)), np.logaddexp(log_ndtr(-z), tail)


def _half_normal(x: Any, sigma: Any) -> Pair:
    from scipy.special import erf, log_ndtr

    return _log(erf(x / sigma / np.sqrt(2.0))), np.log(2.0) + log_ndtr(-x / sigma)


def _half_cauchy(x: Any, beta: Any) -> Pair:
    return _log(np.arctan2(x, beta) * 2.0 / np.pi), _log(np.arctan2(beta, x) * 2.0 / np.pi)


def _gamma(shape: Any, z: Any) -> Pair:
    from scipy.special import gammainc, gammaincc

    return _log(gammainc(shape, z)), _log(gammaincc(shape, z))


def _from_hazard(hazard: Any) -> Pair:
    """Of a cumulative hazard, minus the logarithm of the probability above."""
    return _log(-np.expm1(-hazard)), -hazard


def _wald(x: Any, mu: Any, lam: Any, alpha: Any) -> Pair:
    from scipy.special import log_ndtr, ndtr

    root = np.sqrt(lam / (x - alpha))
    z, more = root * ((x - alpha) / mu - 1.0), root * ((x - alpha) / mu + 1.0)
    mirrored = 2.0 * lam / mu + log_ndtr(-more)
    return np.logaddexp(log_ndtr(z), mirrored), _log(ndtr(-z) - np.exp(mirrored))


def _rice(x: Any, nu: Any, sigma: Any) -> Pair:
    from scipy.special import chndtr

    below = chndtr((x / sigma) ** 2, 2.0, (nu / sigma) ** 2)
    return _log(below), np.log1p(-below)


def _von_mises(x: Any, mu: Any, kappa: Any) -> Pair:
    from scipy.stats import vonmises

    below = vonmises.cdf(x, kappa, mu) - vonmises.cdf(-np.pi, kappa, mu)
    return _log(below), np.log1p(-below)


def _beta(x: Any, alpha: Any, beta: Any) -> Pair:
    from scipy.special import betainc

    return _log(betainc(alpha, beta, x)), _log(betainc(beta, alpha, 1.0 - x))


TAILS: dict[str, Callable[..., Pair]] = {
    "Normal": lambda x, mu, sigma: _normal((x - mu) / sigma),
    "StudentT": lambda x, nu, mu, sigma: _t((x - mu) / sigma, nu),
    "Cauchy": lambda x, alpha, beta: (
        _log(np.arctan2(beta, alpha - x) / np.pi),
        _log(np.arctan2(beta, x - alpha) / np.pi),
    ),
    "Laplace": _laplace,
    "Logistic": lambda x, mu, s: (-np.logaddexp(0.0, (mu - x) / s), -np.logaddexp(0.0, (x - mu) / s)),
    "Gumbel": _gumbel,
    "Moyal": _moyal,
    "AsymmetricLaplace": _asymmetric_laplace,
    "SkewNormal": _skew_normal,
    "ExGaussian": _ex_gaussian,
    "HalfNormal": _half_normal,
    "HalfStudentT": _half_student_t,
    "HalfCauchy": _half_cauchy,
    "LogNormal": lambda x, mu, sigma: _normal((_log(x) - mu) / sigma),
    "Gamma": lambda x, alpha, beta: _gamma(alpha, beta * x),
    "InverseGamma": lambda x, alpha, beta: _gamma(alpha, beta / x)[::-1],
    "Exponential": lambda x, lam: _from_hazard(lam * x),
    "ChiSquared": lambda x, nu: _gamma(0.5 * nu, 0.5 * x),
    "Weibull": lambda x, alpha, beta: _from_hazard((x / beta) ** alpha),
    "Pareto": lambda x, alpha, m: _from_hazard(alpha * _log(x / m)),
    "Wald": _wald,
    "Rice": _rice,
    "VonMises": _von_mises,
    "Beta": _beta,
    "Kumaraswamy": lambda x, a, b: _from_hazard(-b * np.log1p(-(x**a))),
    "LogitNormal": lambda x, mu, sigma: _normal((_log(x) - np.log1p(-x) - mu) / sigma),
}
"""By name ``f(x, *arguments)``: logarithms of the probabilities below and above x, inside the support."""

MOVING: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Normal", "StudentT", "Moyal", "LogNormal"), ("mu", "sigma")),
    "Cauchy": ("alpha", "beta"),
    "Laplace": ("mu", "b"),
    "Logistic": ("mu", "s"),
    "Gumbel": ("mu", "beta"),
    **dict.fromkeys(("HalfNormal", "HalfStudentT"), ("sigma",)),
    "HalfCauchy": ("beta",),
    "Exponential": ("lam",),
}
"""The arguments that may have priors of their own between bounds: those that the kernels of `mass.py` know."""


def log_probability(name: str, values: tuple[Any, ...], ends: Ends, support: Ends) -> FloatArray:
    """Logarithm of the probability between two ends, minus infinity where doubles hold none.

    Parameters
    ----------
    name : str
        Of the density.
    values : tuple of float or ndarray
        Its canonical arguments.
    ends : tuple
        Lower and upper end, inside the support.
    support : tuple
        The ends of the density's own.
    """
    with np.errstate(all="ignore"):
        more, less, _ = _sides(name, values, ends, support)
        return np.asarray(more + np.log1p(-np.exp(less - more)), dtype=np.float64)


def _sides(name: str, values: tuple[Any, ...], ends: Ends, support: Ends) -> tuple[Any, Any, Any]:
    """Two logarithms whose exponentials differ by the probability, and whether they are of probabilities above."""
    low_below, low_above = _tails(name, values, ends[0], support)
    high_below, high_above = _tails(name, values, ends[1], support)
    above = low_below > high_above
    return np.where(above, low_above, high_below), np.where(above, high_above, low_below), above


def _tails(name: str, values: tuple[Any, ...], x: Any, support: Ends) -> Pair:
    """As `TAILS`, at the ends of the support, too."""
    x = np.asarray(x, dtype=np.float64)
    below, above = TAILS[name](x, *(np.asarray(value, dtype=np.float64) for value in values))
    first, last = x <= np.asarray(support[0]), x >= np.asarray(support[1])
    below = np.where(first, -np.inf, np.where(last, 0.0, below))
    return below, np.where(first, 0.0, np.where(last, -np.inf, above))


def draws_between(
    rng: Generator, name: str, values: tuple[Any, ...], ends: Ends, size: int | tuple[int, ...], support: Ends
) -> FloatArray:
    """Draws by halving: where the distribution function is what a uniform number says, in the nearer tail."""
    uniform = rng.random(size)
    with np.errstate(all="ignore"):
        more, less, above = _sides(name, values, ends, support)
        # the share of the way from the lower end to the upper one, of which one side's logarithm is `more`
        share = np.where(above, uniform, 1.0 - uniform)
        target = np.logaddexp(more + np.log1p(-share), less + np.log(share))
        low, high = np.full(uniform.shape, -FARTHEST), np.full(uniform.shape, FARTHEST)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            below, beyond = _tails(name, values, _inside(middle, *ends), support)
            up = np.where(above, beyond > target, below < target)
            low, high = np.where(up, middle, low), np.where(up, high, middle)
        return np.asarray(_inside(0.5 * (low + high), *ends), dtype=np.float64)


def _inside(u: Any, lower: Any, upper: Any) -> Any:
    """Numbers between two ends, rising with u."""
    bounded_below, bounded_above = np.isfinite(lower), np.isfinite(upper)
    share = np.where(u < 0.0, np.exp(np.minimum(u, 0.0)), 1.0) / (1.0 + np.exp(-np.abs(u)))
    rest = np.where(u < 0.0, 1.0, np.exp(-np.maximum(u, 0.0))) / (1.0 + np.exp(-np.abs(u)))
    between = np.where(u < 0.0, lower + (upper - lower) * share, upper - (upper - lower) * rest)
    one_sided = np.where(bounded_below, lower + np.exp(u), upper - np.exp(-u))
    free = np.sinh(np.clip(u, -700.0, 700.0))
    return np.where(bounded_below & bounded_above, between, np.where(bounded_below | bounded_above, one_sided, free))
