"""Log densities as users would write them, one for every built-in family: textbook formulas, no care for digits.

``python benchmarks/derivative_accuracy.py`` prints how far their derived gradients are from those of the hand-written
kernels, the table in docs/adding_a_family.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

# --- plain Python: compiled by Numba ----------------------------------------------------------------------------------


def gaussian(y, mu, sigma):
    z = (y - mu) / sigma
    return -0.5 * z * z - math.log(sigma) - 0.5 * math.log(2.0 * math.pi)


def t(y, mu, sigma, nu):
    z = (y - mu) / sigma
    constant = math.lgamma((nu + 1.0) / 2.0) - math.lgamma(nu / 2.0) - 0.5 * math.log(nu * math.pi) - math.log(sigma)
    return constant - (nu + 1.0) / 2.0 * math.log1p(z**2 / nu)


def bernoulli(y, p):
    return math.log(p) if y == 1 else math.log(1.0 - p)


def binomial(y, trials, p):
    choose = math.lgamma(trials + 1.0) - math.lgamma(y + 1.0) - math.lgamma(trials - y + 1.0)
    return choose + y * np.log(p) + (trials - y) * np.log1p(-p)


def beta(y, mu, kappa):
    a, b = mu * kappa, (1.0 - mu) * kappa
    constant = math.lgamma(kappa) - math.lgamma(a) - math.lgamma(b)
    return constant + (a - 1.0) * math.log(y) + (b - 1.0) * math.log(1.0 - y)


def gamma(y, mu, alpha):
    rate = alpha / mu
    return alpha * math.log(rate) - math.lgamma(alpha) + (alpha - 1.0) * math.log(y) - rate * y


def lognormal(y, mu, sigma):
    return gaussian(math.log(y), mu, sigma) - math.log(y)


def poisson(y, mu):
    return y * np.log(mu) - mu - math.lgamma(y + 1.0)


def negativebinomial(y, mu, alpha):
    choose = math.lgamma(y + alpha) - math.lgamma(alpha) - math.lgamma(y + 1.0)
    return choose + alpha * math.log(alpha / (mu + alpha)) + y * math.log(mu / (mu + alpha))


def wald(y, mu, lam):
    return 0.5 * math.log(lam / (2.0 * math.pi * y**3)) - lam * (y - mu) ** 2 / (2.0 * mu**2 * y)


def weibull(y, mu, alpha):
    log_z = alpha * (math.log(y / mu) + math.lgamma(1.0 + 1.0 / alpha))
    return math.log(alpha) + log_z - math.exp(log_z) - math.log(y)


def laplace(y, mu, b):
    return -math.log(2.0 * b) - abs(y - mu) / b


def asymmetriclaplace(y, mu, b, kappa):
    rate = b * kappa if y > mu else b / kappa
    return math.log(b) - math.log(kappa + 1.0 / kappa) - rate * abs(y - mu)


def zero_inflated_poisson(y, mu, psi):
    if y == 0:
        return np.logaddexp(math.log(1.0 - psi), math.log(psi) - mu)
    return math.log(psi) + poisson(y, mu)


PLAIN: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        gaussian, t, bernoulli, binomial, beta, gamma, lognormal, poisson, negativebinomial, wald,
        weibull, zero_inflated_poisson, laplace, asymmetriclaplace,
    )
}  # fmt: skip

# --- NumPy and SciPy: Numba cannot compile these ----------------------------------------------------------------------

ln = special.gammaln
ARRAYS: dict[str, Callable[..., Any]] = {
    "gaussian": lambda y, mu, sigma: _normal(y, mu, sigma) + special.xlogy(0.0, y),
    "t": lambda y, mu, sigma, nu: (
        ln((nu + 1) / 2)
        - ln(nu / 2)
        - 0.5 * np.log(nu * np.pi)
        - np.log(sigma)
        - (nu + 1) / 2 * np.log1p(((y - mu) / sigma) ** 2 / nu)
    ),
    "bernoulli": lambda y, p: special.xlogy(y, p) + special.xlog1py(1 - y, -p),
    "binomial": lambda y, trials, p: (
        ln(trials + 1) - ln(y + 1) - ln(trials - y + 1) + special.xlogy(y, p) + special.xlog1py(trials - y, -p)
    ),
    "beta": lambda y, mu, kappa: (
        (mu * kappa - 1) * np.log(y)
        + ((1 - mu) * kappa - 1) * np.log1p(-y)
        - special.betaln(mu * kappa, (1 - mu) * kappa)
    ),
    "gamma": lambda y, mu, alpha: alpha * np.log(alpha / mu) - ln(alpha) + (alpha - 1) * np.log(y) - alpha / mu * y,
    "lognormal": lambda y, mu, sigma: _normal(np.log(y), mu, sigma) - np.log(y) + special.xlogy(0.0, y),
    "poisson": lambda y, mu: special.xlogy(y, mu) - mu - ln(y + 1),
    "negativebinomial": lambda y, mu, alpha: (
        ln(y + alpha) - ln(alpha) - ln(y + 1) + alpha * np.log(alpha / (mu + alpha)) + y * np.log(mu / (mu + alpha))
    ),
    "wald": lambda y, mu, lam: (
        0.5 * np.log(lam / (2 * np.pi * y**3)) - lam * (y - mu) ** 2 / (2 * mu**2 * y) + special.xlogy(0.0, y)
    ),
    "weibull": lambda y, mu, alpha: (
        np.log(alpha)
        + alpha * (np.log(y / mu) + ln(1 + 1 / alpha))
        - np.exp(alpha * (np.log(y / mu) + ln(1 + 1 / alpha)))
        - np.log(y)
    ),
    "laplace": lambda y, mu, b: -np.log(2 * b) - np.abs(y - mu) / b + special.xlogy(0.0, b),
    "asymmetriclaplace": lambda y, mu, b, kappa: (
        np.log(b) - np.log(kappa + 1 / kappa) - b * np.where(y > mu, kappa * (y - mu), (mu - y) / kappa)
    ),
    "zero_inflated_poisson": lambda y, mu, psi: np.where(
        y == 0,
        np.logaddexp(np.log(1 - psi), np.log(psi) - mu),
        np.log(psi) + special.xlogy(y, mu) - mu - ln(y + 1),
    ),
}


def _normal(y, mu, sigma):
    z = (y - mu) / sigma
    return -0.5 * z * z - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)


def opaque(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a conversion to plain arrays, which neither Numba nor dual arrays pass."""

    def plain(item):
        return np.frombuffer(np.asarray(item, dtype=float).tobytes()).reshape(np.shape(item))

    return lambda *arguments: function(*(plain(item) for item in arguments))


# --- how they compare with the kernels --------------------------------------------------------------------------------

METHODS = ("compiled", "arrays", "differences")


def errors(name: str, method: str, seeds: int = 20) -> tuple[float, float]:
    """Largest error of log densities and of gradients by a method, relative to one plus the size, over many cases."""
    from family_cases import ROWS, Case

    from nutslite.derivatives.derivatives import compiled_gradient
    from nutslite.derivatives.row_function import RowFunction
    from nutslite.families.links.codes import inverse_derivative
    from nutslite.families.record.register import get_family

    family = get_family(name)
    k, n_data = len(family.parameters), 1 + len(family.companions)
    kernel = compiled_gradient(PLAIN[name], k, n_data) if method == "compiled" else None
    function = ARRAYS[name] if method == "arrays" else opaque(ARRAYS[name])
    by_rows = RowFunction(function, name)
    worst = np.zeros(2)
    for seed in range(seeds):
        case = Case(family, {}, {parameter.name for parameter in family.parameters}, seed)
        expected, derivative = case.loglik()
        pairs = zip(case.links, case.eta, strict=True)
        slopes = [[inverse_derivative(code, x) for x in eta[:ROWS]] for code, eta in pairs]
        wanted = derivative[:, :ROWS] / np.array(slopes)
        theta = np.array([case.theta[parameter.name] for parameter in family.parameters])
        if method == "compiled":
            assert kernel is not None, name
            values, gradient = np.empty(ROWS), np.empty((k, ROWS))
            for i in range(ROWS):
                at, out = np.ascontiguousarray(theta[:, i]), np.empty(k)
                values[i] = kernel(tuple(map(float, case.values[:n_data, i])), at, out)
                gradient[:, i] = out
        else:
            values, parts = by_rows(tuple(case.values[:n_data]), tuple(theta))
            gradient = np.array(parts)
        found = (
            np.max(np.abs(values - expected) / (1.0 + np.abs(expected))),
            np.max(np.abs(gradient - wanted) / (1.0 + np.abs(wanted))),
        )
        worst = np.maximum(worst, found)
    return float(worst[0]), float(worst[1])
