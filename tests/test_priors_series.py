"""Power series, and the mathematics of automatic priors from the likelihood: arXiv:1702.01201."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from nutslite.exceptions import PriorError
from nutslite.priors import power_series
from nutslite.priors.mle import EXPANSION_POINTS, correlation_moment, distance_series, fit_quartic, prior_sigma
from nutslite.priors.profile import Curve
from nutslite.priors.scales import NAMED

ORDER = 13


def taylor_by_circle(function, point, order, radius):
    """Taylor coefficients from values on a circle in the complex plane (Cauchy's integral)."""
    turns = np.exp(2j * np.pi * np.arange(256) / 256)
    coefficients = np.fft.fft(function(point + radius * turns)) / 256
    return coefficients[: order + 1].real / radius ** np.arange(order + 1)


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (power_series.log, np.log),
        (power_series.sqrt, np.sqrt),
        (lambda x: power_series.multiply(x, power_series.multiply(x, x)), lambda x: x**3),
        (lambda x: power_series.divide(power_series.constant(2.0, ORDER), x), lambda x: 2.0 / x),
        (lambda x: power_series.divide(power_series.sqrt(x), power_series.log(x)), lambda x: np.sqrt(x) / np.log(x)),
    ],
)
def test_series_are_taylor_coefficients(ours, numpys):
    expected = taylor_by_circle(numpys, 2.5, ORDER, 0.9)
    np.testing.assert_allclose(ours(power_series.variable(2.5, ORDER)), expected, rtol=1e-6, atol=1e-12)


def test_series_of_order_zero_are_numbers():
    assert power_series.log(power_series.variable(3.0, 0)).tolist() == [math.log(3.0)]
    assert power_series.divide(power_series.variable(3.0, 0), power_series.constant(2.0, 0)).tolist() == [1.5]


@pytest.mark.parametrize("taylor", range(1, ORDER + 1))
def test_distance_series_is_the_guides_formula(taylor):
    """beta(r) = sqrt((-b/2 - sqrt(2 a n log(1 - r^2) + b^2)/2) / a), and its derivatives for every order."""
    a, b, n = 0.7, -31.0, 150.0
    point = float(EXPANSION_POINTS[taylor - 1])
    found = distance_series(a, b, n, point, taylor)
    literally = np.sqrt((-b / 2 - np.sqrt(2 * a * n * np.log(1 - point**2) + b**2) / 2) / a)
    assert found[0] == pytest.approx(literally, rel=1e-9)

    def stable(r):  # the same root of the quadratic; the formula above loses its digits where r is small
        worth = 0.5 * n * np.log(1 - r**2)
        return np.sqrt(-2 * worth / (np.sqrt(b**2 + 4 * a * worth) - b))

    radius = 0.7 * point
    expected = taylor_by_circle(stable, point, taylor, radius)
    powers = radius ** np.arange(taylor + 1)
    np.testing.assert_allclose(found * powers, expected * powers, rtol=1e-7, atol=1e-13)


def test_distance_of_a_quadratic_likelihood_needs_no_quartic_term():
    """Where a is zero the formula divides zero by zero; the limit is x = sqrt(n log(1 - r^2) / (2 b))."""
    point = 0.1
    exact = distance_series(0.0, -3.0, 80.0, point, 3)
    assert exact[0] == pytest.approx(math.sqrt(80.0 * math.log(1 - point**2) / (2 * -3.0)))
    np.testing.assert_allclose(distance_series(1e-9, -3.0, 80.0, point, 3), exact, rtol=1e-6)


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.5), (100.0, -0.01), (1.0, float("nan"))])
def test_a_likelihood_that_is_no_hill_is_an_error(a, b):
    with pytest.raises(PriorError, match="too far from a normal one"):
        distance_series(a, b, 1000.0, 0.3, 2)


@pytest.mark.parametrize("scale", ["1/5", "2/5", "4/5", "1/10", "19/20"])
def test_moments_are_those_of_a_stretched_beta(scale):
    """E (1 - 2B)^k, B ~ Beta(p, p) with p = (1 / scale^2 - 1) / 2, in fractions."""
    exact = Fraction(scale)
    p = (1 / exact**2 - 1) / 2
    for k in range(27):
        moment, raw = Fraction(0), Fraction(1)
        for i in range(k + 1):  # raw = E B^i
            moment += math.comb(k, i) * (-2) ** i * raw
            raw *= (p + i) / (2 * p + i)
        assert correlation_moment(float(exact), k) == pytest.approx(float(moment), rel=1e-12)
    assert correlation_moment(float(exact), 2) == pytest.approx(float(exact) ** 2)


def test_moments_at_the_ends():
    assert correlation_moment(3**-0.5, 2) == pytest.approx(1 / 3)  # wide: uniform
    assert correlation_moment(1.0, 8) == 1.0  # all at -1 and 1
    assert correlation_moment(0.3, 0) == 1.0
    assert correlation_moment(0.3, 7) == 0.0


def test_the_fit_finds_a_quartic():
    distances = np.linspace(-3.0, 0.0, 4)
    a, b = fit_quartic(Curve(distances, 0.02 * distances**4 - 1.5 * distances**2))
    assert (a, b) == (pytest.approx(0.02), pytest.approx(-1.5))


def test_prior_sigma_is_the_spread_of_the_polynomial():
    """The variance of the Taylor polynomial over draws of the correlation, Monte Carlo error included."""
    distances = np.linspace(-2.0, 0.0, 4)
    curve, n, taylor, scale = Curve(distances, 0.3 * distances**4 - 20.0 * distances**2), 200.0, 4, 0.4
    p = 0.5 * (1 / scale**2 - 1)
    r = 2 * np.random.default_rng(1).beta(p, p, 400_000) - 1
    coefficients = distance_series(*fit_quartic(curve), n, float(EXPANSION_POINTS[taylor - 1]), taylor)
    spread = np.polynomial.polynomial.polyval(r, coefficients).std()
    assert prior_sigma(curve, n, scale, taylor) == pytest.approx(spread, rel=0.01)


def test_wider_scales_and_more_data_do_what_they_should():
    distances = np.linspace(-2.0, 0.0, 4)
    curve = Curve(distances, -20.0 * distances**2)
    narrow, wide = (prior_sigma(curve, 200.0, NAMED[name], 1) for name in ("narrow", "wide"))
    assert wide / narrow == pytest.approx(NAMED["wide"] / NAMED["narrow"])  # order 1 is linear in the scale
    twice = Curve(distances, 2 * curve.drops)
    assert prior_sigma(twice, 400.0, 0.5, 3) == pytest.approx(prior_sigma(curve, 200.0, 0.5, 3))
