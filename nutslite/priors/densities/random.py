"""Draws from every elementwise prior density, with NumPy's generators; arguments broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nutslite._draws import wald

FloatArray = NDArray[np.float64]
Sampler = Callable[..., FloatArray]


def skew_normal(rng: Generator, mu: Any, sigma: Any, alpha: Any, size: Any) -> FloatArray:
    """Azzalini's representation: a half normal and a normal, mixed."""
    share = alpha / np.sqrt(1.0 + np.square(alpha))
    half = np.abs(rng.normal(size=size))
    return mu + sigma * (share * half + np.sqrt(1.0 - share**2) * rng.normal(size=size))


def skew_student_t(rng: Generator, a: Any, b: Any, mu: Any, sigma: Any, size: Any) -> FloatArray:
    """From a beta variable, of which two gamma variables are the odds (Jones and Faddy, 2003)."""
    up, down = rng.standard_gamma(a, size), rng.standard_gamma(b, size)
    return mu + sigma * np.sqrt(a + b) * (up - down) / (2.0 * np.sqrt(up * down))


def asymmetric_laplace(rng: Generator, kappa: Any, mu: Any, b: Any, size: Any) -> FloatArray:
    """Difference of two exponentials with the rates of the two sides."""
    return mu + rng.exponential(1.0 / (b * kappa), size) - rng.exponential(kappa / b, size)


def kumaraswamy(rng: Generator, a: Any, b: Any, size: Any) -> FloatArray:
    """Inverse of the distribution function."""
    return (-np.expm1(np.log1p(-rng.random(size)) / b)) ** (1.0 / np.asarray(a))


def logit_normal(rng: Generator, mu: Any, sigma: Any, size: Any) -> FloatArray:
    """Inverse logit of normal draws."""
    return 1.0 / (1.0 + np.exp(-rng.normal(mu, sigma, size)))


def uniform(rng: Generator, lower: Any, upper: Any, size: Any) -> FloatArray:
    """NumPy's, which refuses an interval that is longer than the largest number."""
    if np.isfinite(np.subtract(upper, lower)).all():
        return rng.uniform(lower, upper, size)
    share = rng.random(size)
    return np.asarray(lower * (1.0 - share) + upper * share)


def truncated_normal(rng: Generator, mu: Any, sigma: Any, lower: Any, upper: Any, size: Any) -> FloatArray:
    """Inverse of the distribution function, on the log scale and mirrored into the lower tail to keep its digits."""
    from scipy.special import log_ndtr, ndtri_exp

    low, high = np.broadcast_arrays((np.asarray(lower) - mu) / sigma, (np.asarray(upper) - mu) / sigma)
    mirrored = low > 0.0
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    uniform = rng.random(size)
    with np.errstate(divide="ignore"):
        log_probability = np.logaddexp(log_ndtr(low) + np.log1p(-uniform), log_ndtr(high) + np.log(uniform))
    z = np.clip(ndtri_exp(log_probability), low, high)
    return np.asarray(mu + sigma * np.where(mirrored, -z, z), dtype=np.float64)


SAMPLERS: dict[str, Sampler] = {
    "Normal": lambda rng, mu, sigma, size: rng.normal(mu, sigma, size),
    "StudentT": lambda rng, nu, mu, sigma, size: mu + sigma * rng.standard_t(nu, size),
    "Cauchy": lambda rng, alpha, beta, size: alpha + beta * rng.standard_cauchy(size),
    "Laplace": lambda rng, mu, b, size: rng.laplace(mu, b, size),
    "Logistic": lambda rng, mu, s, size: rng.logistic(mu, s, size),
    "Gumbel": lambda rng, mu, beta, size: rng.gumbel(mu, beta, size),
    "Moyal": lambda rng, mu, sigma, size: mu - sigma * np.log(rng.chisquare(1.0, size)),
    "AsymmetricLaplace": asymmetric_laplace,
    "SkewNormal": skew_normal,
    "ExGaussian": lambda rng, mu, sigma, nu, size: rng.normal(mu, sigma, size) + rng.exponential(nu, size),
    "SkewStudentT": skew_student_t,
    "HalfNormal": lambda rng, sigma, size: np.abs(rng.normal(0.0, sigma, size)),
    "HalfStudentT": lambda rng, nu, sigma, size: np.abs(sigma * rng.standard_t(nu, size)),
    "HalfCauchy": lambda rng, beta, size: np.abs(beta * rng.standard_cauchy(size)),
    "LogNormal": lambda rng, mu, sigma, size: rng.lognormal(mu, sigma, size),
    "Gamma": lambda rng, alpha, beta, size: rng.gamma(alpha, 1.0 / np.asarray(beta), size),
    "InverseGamma": lambda rng, alpha, beta, size: beta / rng.gamma(alpha, 1.0, size),
    "Exponential": lambda rng, lam, size: rng.exponential(1.0 / np.asarray(lam), size),
    "ChiSquared": lambda rng, nu, size: rng.chisquare(nu, size),
    "Weibull": lambda rng, alpha, beta, size: beta * rng.weibull(alpha, size),
    "Pareto": lambda rng, alpha, m, size: m * (1.0 + rng.pareto(alpha, size)),
    "Wald": lambda rng, mu, lam, alpha, size: alpha + wald(rng, np.broadcast_to(mu, size), lam),
    "Rice": lambda rng, nu, sigma, size: np.hypot(rng.normal(nu, sigma, size), rng.normal(0.0, sigma, size)),
    "VonMises": lambda rng, mu, kappa, size: rng.vonmises(mu, kappa, size),
    "Uniform": uniform,
    "Beta": lambda rng, alpha, beta, size: rng.beta(alpha, beta, size),
    "Kumaraswamy": kumaraswamy,
    "LogitNormal": logit_normal,
    "TruncatedNormal": truncated_normal,
    "Triangular": lambda rng, lower, c, upper, size: rng.triangular(lower, c, upper, size),
}
