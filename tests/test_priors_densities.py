"""Every prior density: integrates to one, agrees with SciPy, has the right derivatives and the right draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from nutslite.exceptions import PriorError
from nutslite.families.rows.bessel import bessel_ratio, bessel_shortfall, log_bessel_0_scaled
from nutslite.priors.densities import codes
from nutslite.priors.densities.catalogue import DENSITIES
from nutslite.priors.densities.densities import (
    NORMAL,
    USUAL,
    density_function,
    log_density,
    log_density_gradient,
    normal_log_density_gradient,
    usual_log_density_gradient,
)
from nutslite.priors.densities.real import log_gamma_half_step

INF = math.inf

# density -> argument values to try
CASES = {
    "Normal": [(0.0, 1.0), (-3.0, 0.2), (1.5, 40.0)],
    "StudentT": [(4.0, 0.5, 2.0), (1.0, 0.0, 1.0), (60.0, -3.0, 0.3)],
    "Cauchy": [(0.0, 1.0), (2.0, 0.3)],
    "Laplace": [(0.0, 10.0), (-1.0, 0.5)],
    "Logistic": [(0.0, 1.0), (3.0, 0.4)],
    "Gumbel": [(0.0, 1.0), (-2.0, 3.0)],
    "Moyal": [(0.0, 1.0), (2.0, 0.5)],
    "AsymmetricLaplace": [(1.0, 0.0, 1.0), (0.4, 2.0, 1.7), (3.0, -1.0, 0.8)],
    "SkewStudentT": [(2.0, 2.0, 0.0, 1.0), (5.0, 1.5, 1.0, 0.4), (0.8, 3.0, -2.0, 3.0)],
    "SkewNormal": [(0.0, 1.0, 1.0), (1.0, 2.0, -4.0), (0.0, 0.5, 0.0)],
    "ExGaussian": [(0.0, 1.0, 1.0), (2.0, 0.3, 3.0), (0.0, 2.0, 0.4)],
    "HalfNormal": [(1.0,), (28.4,)],
    "HalfStudentT": [(4.0, 2.4), (1.5, 0.3)],
    "HalfCauchy": [(1.0,), (5.0,)],
    "LogNormal": [(0.0, 1.0), (1.0, 0.3)],
    "Gamma": [(2.0, 0.1), (0.7, 3.0), (9.0, 2.0)],
    "InverseGamma": [(3.0, 2.0), (1.2, 0.4)],
    "Exponential": [(1.0,), (0.2,)],
    "ChiSquared": [(1.0,), (7.0,)],
    "Weibull": [(1.5, 2.0), (0.8, 0.5)],
    "Pareto": [(2.0, 1.5), (0.9, 0.2)],
    "Wald": [(1.0, 1.0, 0.0), (2.0, 5.0, -1.0)],
    "Rice": [(1.0, 1.0), (6.0, 0.8), (0.2, 2.0)],
    "VonMises": [(0.0, 1.0), (1.0, 25.0), (-0.5, 0.3)],
    "Uniform": [(0.0, 1.0), (-3.0, 7.0)],
    "Beta": [(2.0, 2.0), (0.6, 3.0), (30.0, 4.0)],
    "Kumaraswamy": [(2.0, 3.0), (0.7, 0.8)],
    "LogitNormal": [(0.0, 1.0), (1.0, 0.5)],
    "TruncatedNormal": [(0.0, 1.0, -INF, INF), (1.0, 2.0, 0.0, INF), (0.0, 1.0, 8.0, 9.0), (5.0, 1.0, -2.0, 1.0)],
    "Triangular": [(0.0, 0.5, 1.0), (-1.0, 2.0, 3.0)],
}

SCIPY = {
    "Normal": lambda mu, sigma: stats.norm(mu, sigma),
    "StudentT": lambda nu, mu, sigma: stats.t(nu, mu, sigma),
    "Cauchy": lambda alpha, beta: stats.cauchy(alpha, beta),
    "Laplace": lambda mu, b: stats.laplace(mu, b),
    "Logistic": lambda mu, s: stats.logistic(mu, s),
    "Gumbel": lambda mu, beta: stats.gumbel_r(mu, beta),
    "Moyal": lambda mu, sigma: stats.moyal(mu, sigma),
    "AsymmetricLaplace": lambda kappa, mu, b: stats.laplace_asymmetric(kappa, mu, 1 / b),
    "SkewStudentT": lambda a, b, mu, sigma: stats.jf_skew_t(a, b, mu, sigma),
    "SkewNormal": lambda mu, sigma, alpha: stats.skewnorm(alpha, mu, sigma),
    "ExGaussian": lambda mu, sigma, nu: stats.exponnorm(nu / sigma, mu, sigma),
    "HalfNormal": lambda sigma: stats.halfnorm(0, sigma),
    "HalfStudentT": None,  # SciPy has none: checked against twice StudentT below
    "HalfCauchy": lambda beta: stats.halfcauchy(0, beta),
    "LogNormal": lambda mu, sigma: stats.lognorm(sigma, 0, math.exp(mu)),
    "Gamma": lambda alpha, beta: stats.gamma(alpha, 0, 1 / beta),
    "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, 0, beta),
    "Exponential": lambda lam: stats.expon(0, 1 / lam),
    "ChiSquared": lambda nu: stats.chi2(nu),
    "Weibull": lambda alpha, beta: stats.weibull_min(alpha, 0, beta),
    "Pareto": lambda alpha, m: stats.pareto(alpha, 0, m),
    "Wald": lambda mu, lam, alpha: stats.invgauss(mu / lam, alpha, lam),
    "Rice": lambda nu, sigma: stats.rice(nu / sigma, 0, sigma),
    "VonMises": lambda mu, kappa: stats.vonmises(kappa, mu),
    "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
    "Beta": lambda alpha, beta: stats.beta(alpha, beta),
    "Kumaraswamy": None,  # SciPy has none: distribution function checked below
    "LogitNormal": None,  # SciPy has none: checked against Normal below
    "TruncatedNormal": lambda mu, sigma, lower, upper: stats.truncnorm(
        (lower - mu) / sigma, (upper - mu) / sigma, mu, sigma
    ),
    "Triangular": lambda lower, c, upper: stats.triang((c - lower) / (upper - lower), lower, upper - lower),
}

PROPER = [(name, values) for name, cases in CASES.items() for values in cases]
IDS = [f"{name}{values}" for name, values in PROPER]
each_case = pytest.mark.parametrize(("name", "values"), PROPER, ids=IDS)


def padded(values):
    return (*values, *[0.5] * (4 - len(values)))


def log_pdf(name, x, values):
    return log_density(DENSITIES[name].code, float(x), *padded(values))


def draws_of(name, values, size=4000):
    return DENSITIES[name].sample(np.random.default_rng(20), values, size)


def points_of(name, values):
    """Points over the middle of the density."""
    draws = draws_of(name, values, 4000)
    return np.quantile(draws, [0.01, 0.1, 0.3, 0.55, 0.8, 0.95, 0.99])


def test_every_density_has_cases_and_a_code_of_its_own():
    improper = {"Flat", "HalfFlat", "LKJ"}
    assert set(CASES) == set(DENSITIES) - improper == set(SCIPY)
    assert len({density.code for density in DENSITIES.values()}) == len(DENSITIES)


@each_case
def test_integrates_to_one(name, values):
    lower, upper = DENSITIES[name].bounds(values)
    middle = float(np.median(draws_of(name, values)))
    with np.errstate(all="ignore"):
        parts = [
            integrate.quad(lambda x: math.exp(log_pdf(name, x, values)), *ends, limit=200)[0]
            for ends in [(lower, middle), (middle, upper)]
        ]
    assert sum(parts) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("name", "values"), [case for case in PROPER if SCIPY[case[0]]])
def test_agrees_with_scipy(name, values):
    points = points_of(name, values)
    ours = [log_pdf(name, x, values) for x in points]
    np.testing.assert_allclose(ours, SCIPY[name](*values).logpdf(points), rtol=1e-10, atol=1e-10)


def test_those_that_scipy_lacks():
    for nu, sigma in CASES["HalfStudentT"]:
        for x in (0.0, 0.3, 9.0):
            twice = math.log(2.0) + stats.t(nu, 0, sigma).logpdf(x)
            assert log_pdf("HalfStudentT", x, (nu, sigma)) == pytest.approx(twice, rel=1e-12)
    for a, b in CASES["Kumaraswamy"]:
        mass = integrate.quad(lambda x, a=a, b=b: math.exp(log_pdf("Kumaraswamy", x, (a, b))), 0.2, 0.7)[0]
        assert mass == pytest.approx((1 - 0.2**a) ** b - (1 - 0.7**a) ** b, rel=1e-8)
    for mu, sigma in CASES["LogitNormal"]:
        mass = integrate.quad(lambda x, m=mu, s=sigma: math.exp(log_pdf("LogitNormal", x, (m, s))), 0.3, 0.9)[0]
        normal = stats.norm(mu, sigma)
        assert mass == pytest.approx(normal.cdf(math.log(9)) - normal.cdf(math.log(3 / 7)), rel=1e-8)


@each_case
def test_gradient_by_central_differences(name, values):
    code = DENSITIES[name].code
    lower, upper = DENSITIES[name].bounds(values)
    out = np.full(5, np.nan)
    for x in points_of(name, values):
        if name == "Triangular" and abs(x - values[1]) < 1e-3:
            continue  # the kink
        point = np.array([x, *padded(values)])
        value = log_density_gradient(code, *point, out)
        assert value == log_density(code, *point)
        assert np.all(out[len(values) + 1 :] == 0.0)
        for i in range(len(values) + 1):
            if np.isinf(point[i]):
                assert out[i] == 0.0
                continue
            step = 1e-5 * max(0.1, abs(point[i]))
            room = min(x - lower, upper - x)  # to the nearer end of the support
            step = min(step, 1e-4 * room) if np.isfinite(room) else step
            ends = []
            for move in (step, -step):
                moved = point.copy()
                moved[i] += move
                ends.append(log_density(code, *moved))
            numeric = (ends[0] - ends[1]) / (2.0 * step)
            assert out[i] == pytest.approx(numeric, rel=1e-6, abs=1e-6 * (1.0 + abs(value))), (i, x)


@each_case
def test_draws_follow_the_density(name, values):
    """Kolmogorov-Smirnov against the integrated density; a fixed seed and 4,000 draws."""
    draws = np.sort(draws_of(name, values))
    lower, upper = DENSITIES[name].bounds(values)
    assert np.all((draws >= lower) & (draws <= upper))
    at = np.quantile(draws, np.linspace(0.05, 0.95, 10))
    with np.errstate(all="ignore"):
        steps = [
            integrate.quad(lambda x: math.exp(log_pdf(name, x, values)), a, b, limit=200)[0]
            for a, b in zip([lower, *at[:-1]], at, strict=True)
        ]
    difference = np.abs(np.cumsum(steps) - np.searchsorted(draws, at, side="right") / len(draws))
    assert np.max(difference) < 1.63 / math.sqrt(len(draws))  # the 1 % point of the statistic


@each_case
def test_minus_infinity_outside_the_support(name, values):
    lower, upper = DENSITIES[name].bounds(values)
    for outside in (lower - 0.1, upper + 0.1):
        if np.isfinite(outside):
            assert log_pdf(name, outside, values) == -INF


@pytest.mark.parametrize("name", list(CASES))
def test_minus_infinity_for_impossible_arguments(name):
    values = CASES[name][0]
    x = float(np.median(draws_of(name, values)))
    for position, argument in enumerate(DENSITIES[name].arguments):
        if argument.positive:
            for bad in (0.0, -1.0, math.nan):
                broken = (*values[:position], bad, *values[position + 1 :])
                assert log_pdf(name, x, broken) == -INF


def test_flat_priors_and_unknown_codes():
    assert log_pdf("Flat", -1e9, ()) == 0.0
    assert log_pdf("HalfFlat", 3.0, ()) == 0.0
    assert log_pdf("HalfFlat", -3.0, ()) == -INF
    assert math.isnan(log_density(codes.LKJ, 0.5, 1.0, 1.0, 1.0, 1.0))
    for name in ("Flat", "HalfFlat"):
        with pytest.raises(PriorError, match="Cannot draw from a"):
            DENSITIES[name].sample(np.random.default_rng(1), (), 3)


def test_bessel_functions():
    x = np.array([0.0, 1e-9, 0.5, 3.0, 14.0, 19.999, 20.001, 80.0, 1e4, 1e9])
    np.testing.assert_allclose([log_bessel_0_scaled(v) for v in x], np.log(special.ive(0, x)), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose([bessel_ratio(v) for v in x], special.ive(1, x) / special.ive(0, x), rtol=1e-13)
    with np.errstate(all="ignore"):
        series = 0.5 + 1 / (8 * x) + 1 / (8 * x**2) + 25 / (128 * x**3)  # Abramowitz and Stegun 9.7.1, divided
    direct = x * (1.0 - special.ive(1, x) / special.ive(0, x))
    np.testing.assert_allclose([bessel_shortfall(v) for v in x], np.where(x < 1e3, direct, series), rtol=2e-13)
    assert bessel_shortfall(1e300) == 0.5


def test_location_and_scale_move_and_stretch():
    for name, density in DENSITIES.items():
        if not density.location_scale:
            continue
        values = list(CASES[name][-1])
        standard = values.copy()
        standard[density.location], standard[density.scale] = 0.0, 1.0
        location, scale = values[density.location], values[density.scale]
        for z in (-1.3, 0.4, 2.0):
            expected = log_pdf(name, z, standard) - math.log(scale)
            assert log_pdf(name, location + scale * z, values) == pytest.approx(expected, rel=1e-10)


def test_tails_stay_finite():
    for name, x, values in [
        ("Normal", 1e8, (0.0, 1.0)),
        ("Logistic", -800.0, (0.0, 1.0)),
        ("SkewNormal", -60.0, (0.0, 1.0, 5.0)),
        ("ExGaussian", -60.0, (0.0, 1.0, 1.0)),
        ("TruncatedNormal", 41.0, (0.0, 1.0, 40.0, INF)),
        ("TruncatedNormal", -41.0, (0.0, 1.0, -INF, -40.0)),
        ("LogNormal", 1e-300, (0.0, 1.0)),
        ("HalfStudentT", 1e150, (4.0, 1.0)),
    ]:
        out = np.empty(5)
        assert np.isfinite(log_density_gradient(DENSITIES[name].code, x, *padded(values), out)), name
        assert np.all(np.isfinite(out)), name


def test_samples_broadcast_their_arguments():
    mu = np.array([0.0, 100.0])
    draws = DENSITIES["Normal"].sample(np.random.default_rng(3), (mu, 1.0), (500, 2))
    np.testing.assert_allclose(draws.mean(axis=0), mu, atol=0.2)
    assert DENSITIES["Normal"].sample(np.random.default_rng(3), (mu, 1.0)).shape == (2,)


@pytest.mark.parametrize("a", [1e-8, 0.1, 0.5, 1.0, 2.0, 5.0, 30.0, 1e4, 1e12])
def test_half_step_of_log_gamma(a):
    value, slope = log_gamma_half_step(a)
    if a < 100.0:
        exact = np.log(special.gamma(a + 0.5) / special.gamma(a))
        assert value == pytest.approx(exact, rel=1e-13, abs=1e-13)
        assert slope == pytest.approx(special.digamma(a + 0.5) - special.digamma(a), rel=1e-12)
    else:
        assert value == pytest.approx(0.5 * np.log(a) - 0.125 / a, rel=1e-15)
        assert slope == pytest.approx(0.5 / a, rel=1.0 / a)


@pytest.mark.parametrize(
    ("codes_used", "expected"), [(NORMAL, normal_log_density_gradient), (USUAL, usual_log_density_gradient)]
)
def test_smaller_functions_know_their_densities_and_no_others(codes_used, expected) -> None:
    assert density_function(codes_used) is expected
    rng = np.random.default_rng(3)
    partials, others = np.empty(5), np.empty(5)
    for code in codes_used:
        for x in [-1.5, -0.1, 0.2, 0.9, 3.0]:
            arguments = rng.uniform(0.5, 3.0, 4)
            value = expected(code, x, *arguments, partials)
            assert value == log_density_gradient(code, x, *arguments, others)
            if np.isfinite(value):
                np.testing.assert_array_equal(partials, others)
    assert np.isnan(expected(codes.WEIBULL, 1.0, *arguments, partials))
    assert density_function([*codes_used, codes.WEIBULL]) is log_density_gradient
