"""Families where textbook formulas lose their digits: huge shapes, far tails, and both ways of computing one thing."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from nutslite.families.counts import negativebinomial
from nutslite.families.links.codes import CODES
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.families.record.register import get_family
from nutslite.families.rows.gamma_functions import rising


def one_row(name: str, values: list[float], eta: list[float], links: dict[str, str]) -> tuple[float, np.ndarray]:
    """Log likelihood and derivatives of a single observation at given linear predictors."""
    family = get_family(name)
    y = family.prepare(np.array(values)[:, None])
    out, derivative = np.empty(1), np.empty((len(eta), 1))
    codes = family.link_codes(links)
    varies = np.ones(len(eta), dtype=np.int64)
    family.kernel(y, np.empty(0), 0, np.array(eta)[:, None], varies, codes, out, derivative)
    return float(out[0]), derivative[:, 0]


@pytest.mark.parametrize("alpha", [1e8, 1e12, 1e15])
def test_negative_binomial_becomes_poisson(alpha: float) -> None:
    y = np.array([0.0, 1.0, 2.0, 7.0, 30.0, 300.0])
    mu = np.array([0.1, 1.0, 3.0, 5.0, 33.0, 310.0])
    expected = stats.poisson(mu).logpmf(y) + ((y - mu) ** 2 - y) / (2 * alpha)
    out = pointwise_loglik(get_family("negativebinomial"), y, {"mu": mu, "alpha": alpha})
    np.testing.assert_allclose(out, expected, rtol=1e-11)
    varying = pointwise_loglik(get_family("negativebinomial"), y, {"mu": mu, "alpha": np.full(6, alpha)})
    np.testing.assert_allclose(varying, expected, rtol=1e-11)


@pytest.mark.parametrize("log_alpha", [-700.0, -30.0, -1.0, 0.0, 0.001, 1.0, 5.0, 12.0, 40.0, 700.0])
def test_negative_binomial_table_agrees_with_gamma_functions(log_alpha: float) -> None:
    table = negativebinomial._rising_table(200, log_alpha)
    for y in (0, 1, 2, 3, 10, 77, 200):
        value, decrease = rising(float(y), math.exp(log_alpha), log_alpha)
        assert value == pytest.approx(table[0, y], rel=1e-12, abs=2e-12)
        assert decrease == pytest.approx(table[1, y], rel=1e-12, abs=2e-12)


@pytest.mark.parametrize("nu", [1e8, 1e12, 1e18])
def test_t_becomes_gaussian(nu: float) -> None:
    y = np.linspace(-4.0, 4.0, 9)
    correction = (y**4 - 2 * y**2 - 1) / (4 * nu)
    out = pointwise_loglik(get_family("t"), y, {"mu": 0.0, "sigma": 1.0, "nu": nu})
    np.testing.assert_allclose(out, stats.norm.logpdf(y) + correction, rtol=1e-13)
    _, derivative = one_row("t", [2.0], [0.0, 0.0, math.log(nu)], {})
    assert derivative[2] == pytest.approx(-(2.0**4 - 2 * 2.0**2 - 1) / (4 * nu), abs=1e-14)


PLACES = json.loads((Path(__file__).parent / "fixtures" / "family_limits.json").read_text("utf-8"))


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place['family']} {place['data'][0]:g} at {place['eta']}")
def test_extreme_places_by_sixty_digits(place: dict[str, Any]) -> None:
    """The record says how it was made. Errors are those of rounding what goes in: relative to the size of slopes."""
    native = {"real": "identity", "positive": "log", "unit": "logit"}
    links = {p.name: native[p.support] for p in get_family(place["family"]).parameters}
    value, slopes = one_row(place["family"], place["data"], place["eta"], links)
    moved = float(np.abs(np.array(place["slopes"]) * place["eta"]).max())  # by an error of eta's own last digits
    constant = max(math.lgamma(abs(value) + 1.0) for value in place["data"])  # of counts: its last digit is lost
    assert value == pytest.approx(place["value"], rel=2e-12, abs=3e-12 + 1e-13 * moved + 1e-15 * constant)
    np.testing.assert_allclose(slopes, place["slopes"], rtol=1e-9, atol=1e-10)


def test_t_is_finite_where_the_squared_residual_overflows() -> None:
    out, derivative = one_row("t", [1.0], [0.0, -700.0, 0.0], {})
    assert out == pytest.approx(-math.log(math.pi) - 700.0, rel=1e-12)  # Cauchy tail: sigma / (pi y^2)
    np.testing.assert_allclose(derivative[:2], [2.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize("alpha", [1e6, 1e10, 1e14])
def test_gamma_becomes_gaussian(alpha: float) -> None:
    sd = 1.0 / math.sqrt(alpha)
    z = np.array([-2.0, -0.5, 0.0, 1.0, 2.5])
    y = 1.0 + z * sd
    out = pointwise_loglik(get_family("gamma"), y, {"mu": 1.0, "alpha": alpha})
    z = (y - 1.0) / sd  # as y was rounded
    expected = stats.norm.logpdf(z) - math.log(sd) + sd * (z**3 / 3.0 - z)
    np.testing.assert_allclose(out, expected, rtol=20.0 / alpha, atol=1e-11 + 1e-15 * math.sqrt(alpha))


@pytest.mark.parametrize("kappa", [1e6, 1e10])
def test_beta_becomes_gaussian(kappa: float) -> None:
    mu = 0.3
    sd = math.sqrt(mu * (1 - mu) / kappa)
    y = mu + np.array([-2.0, -0.5, 0.0, 1.0, 2.5]) * sd
    out = pointwise_loglik(get_family("beta"), y, {"mu": mu, "kappa": kappa})
    expected = stats.norm(mu, sd).logpdf(y)
    np.testing.assert_allclose(out, expected, atol=20.0 / math.sqrt(kappa))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
def test_bernoulli_far_out(link: str) -> None:
    """At 700 the probability of a zero is zero in double precision, its logarithm is not."""
    certain = {"logit": -700.0, "probit": -245007.0, "cloglog": -math.exp(700.0), "cauchit": -math.log(700 * math.pi)}
    out, derivative = one_row("bernoulli", [0.0], [700.0], {"p": link})
    assert out == pytest.approx(certain[link], rel=1e-4)
    slope = {"logit": -1.0, "probit": -700.0, "cloglog": -math.exp(700.0), "cauchit": -1.0 / 700.0}
    assert derivative[0] == pytest.approx(slope[link], rel=1e-4)
    out, derivative = one_row("bernoulli", [1.0], [700.0], {"p": link})
    assert out == pytest.approx(0.0, abs=1e-3)
    out, _ = one_row("bernoulli", [1.0], [-700.0], {"p": link})
    assert out == pytest.approx(-700.0 if link == "cloglog" else certain[link], rel=1e-4)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_beta_where_the_mean_underflows(link: str) -> None:
    """As mu goes to zero the density is about mu * kappa / y * (1 - y)^(kappa - 1)."""
    out, derivative = one_row("beta", [0.25], [-700.0, math.log(3.0)], {"mu": link})
    log_mu = -700.0 if link != "probit" else stats.norm.logcdf(-700.0)
    assert out == pytest.approx(log_mu + math.log(3.0) - math.log(0.25) + 2.0 * math.log(0.75), rel=1e-12)
    assert derivative[0] == pytest.approx(700.0 if link == "probit" else 1.0, rel=1e-5)


def test_poisson_with_a_vanishing_mean() -> None:
    for link in ("log", "softplus"):
        out, derivative = one_row("poisson", [0.0], [-700.0], {"mu": link})
        assert out == pytest.approx(0.0, abs=1e-300)
        out, derivative = one_row("poisson", [1e6], [-2000.0], {"mu": link})
        assert out == pytest.approx(-2000.0 * 1e6 - math.lgamma(1e6 + 1.0), rel=1e-12)
        assert derivative[0] == pytest.approx(1e6)


@pytest.mark.parametrize(("name", "values"), [("poisson", [3.0]), ("gamma", [3.0]), ("wald", [3.0])])
def test_outside_the_parameter_space_the_density_is_undefined(name: str, values: list[float]) -> None:
    auxiliary = [0.0] * (len(get_family(name).parameters) - 1)
    out, _ = one_row(name, values, [-1.0, *auxiliary], {"mu": "identity"})
    assert not out > -math.inf


def test_counts_beyond_the_table_take_the_other_way() -> None:
    """One huge count makes the table dearer than gamma functions: the numbers stay the same."""
    y = np.array([1.0, 3.0, 50_000.0])
    mu = np.array([2.0, 2.0, 40_000.0])
    both = pointwise_loglik(get_family("negativebinomial"), y, {"mu": mu, "alpha": 2.5})
    np.testing.assert_allclose(both, stats.nbinom(2.5, 2.5 / (mu + 2.5)).logpmf(y), rtol=1e-10)
    few = pointwise_loglik(get_family("negativebinomial"), y[:2], {"mu": mu[:2], "alpha": 2.5})
    np.testing.assert_allclose(few, both[:2], rtol=1e-13)


def test_default_links_are_those_of_bambi() -> None:
    expected = {
        "gaussian": ("identity", "log"),
        "t": ("identity", "log", "log"),
        "bernoulli": ("logit",),
        "binomial": ("logit",),
        "beta": ("logit", "log"),
        "gamma": ("inverse", "log"),
        "poisson": ("log",),
        "negativebinomial": ("log", "log"),
        "wald": ("inverse_squared", "log"),
    }
    for name, names in expected.items():
        assert tuple(get_family(name).link_codes()) == tuple(CODES[link] for link in names)


FAR = np.array([-math.inf, -1e308, -800.0, -745.0, -720.0, -700.0, -40.0, -1.0, 0.0, 0.3, 37.0, 745.0, 800.0, math.inf])


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_bernoulli_however_far_out(outcome: float) -> None:
    sign = 2.0 * outcome - 1.0
    for x in FAR:
        value, slopes = one_row("bernoulli", [outcome], [x], {"p": "logit"})
        with np.errstate(all="ignore"):
            assert value == pytest.approx(special.log_expit(sign * x), rel=1e-15)
            assert slopes[0] == pytest.approx(sign * special.expit(-sign * x), rel=1e-15, abs=1e-307)
    value, slopes = one_row("bernoulli", [outcome], [math.nan], {"p": "logit"})
    assert math.isnan(value)
    assert math.isnan(slopes[0])
