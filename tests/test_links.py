"""Links: round trips, derivatives, tails, and the move from one link to another."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nutslite.exceptions import FamilyError
from nutslite.families import links
from nutslite.families.family import POSITIVE_LINKS, REAL_LINKS, UNIT_LINKS

ETA = {  # linear predictors at which the inverse link is one to one and its values keep their digits
    "identity": np.linspace(-5.0, 5.0, 101),
    "log": np.linspace(-300.0, 300.0, 101),
    "logit": np.linspace(-30.0, 12.0, 101),
    "probit": np.linspace(-30.0, 4.0, 101),
    "cloglog": np.linspace(-30.0, 1.5, 101),
    "inverse": np.linspace(0.1, 20.0, 101),
    "inverse_squared": np.linspace(0.1, 20.0, 101),
    "sqrt": np.linspace(0.1, 20.0, 101),
    "softplus": np.linspace(-30.0, 50.0, 101),
    "cauchit": np.linspace(-500.0, 50.0, 101),
}
ALL = list(links.LINKS)


def central_difference(function, x: float, step: float) -> float:
    """Fourth-order central difference."""
    near = function(x + step) - function(x - step)
    far = function(x + 2 * step) - function(x - 2 * step)
    return (8.0 * near - far) / (12.0 * step)


def test_names_and_codes_agree() -> None:
    assert {name: record.code for name, record in links.LINKS.items()} == links.CODES
    assert sorted(links.CODES.values()) == list(range(len(links.CODES)))


@pytest.mark.parametrize("name", ALL)
def test_round_trip(name: str) -> None:
    eta = ETA[name]
    theta = links.inverse_array(name, eta)
    record = links.get_link(name)
    assert np.all((theta > record.lower) & (theta < record.upper))
    # near p = 1 the rounding of theta alone moves eta: allow for it
    condition = 4e-16 * np.abs(theta / np.array([links.inverse_derivative(record.code, x) for x in eta]))
    assert np.all(np.abs(links.link_array(name, theta) - eta) <= 1e-12 * (1.0 + np.abs(eta)) + 10.0 * condition)


@pytest.mark.parametrize("name", ALL)
def test_derivative_of_the_inverse(name: str) -> None:
    code = links.CODES[name]
    for x in ETA[name]:
        if links.inverse(code, x) > 0.999 and name in UNIT_LINKS and name != "identity":
            continue  # differences of numbers next to one have no digits left
        step = 1e-3 * max(1e-1, min(abs(x), 1.0))
        slope = central_difference(lambda v: float(links.inverse(code, v)), float(x), step)
        assert links.inverse_derivative(code, x) == pytest.approx(slope, rel=1e-7)


RELINKS = [
    (native, name)
    for native, names in (("identity", REAL_LINKS), ("log", (*POSITIVE_LINKS, "cloglog")), ("logit", UNIT_LINKS))
    for name in names
]


@pytest.mark.parametrize(("native", "name"), RELINKS)
def test_relink_is_the_composition_of_both_links(native: str, name: str) -> None:
    code, native_code = links.CODES[name], links.CODES[native]
    grid = np.linspace(0.05, 0.95, 19) if name == "identity" and native != "identity" else ETA[name]
    for x in grid:
        theta = links.inverse(code, x)
        value, slope = links.relink(native_code, code, x)
        if native != "logit" or theta < 0.9:
            assert value == pytest.approx(links.link(native_code, theta), rel=1e-11, abs=1e-12)
        step = 1e-3 * max(1e-1, min(abs(x), 1.0))
        step = min(step, 0.2 * x) if name in ("identity", "inverse", "inverse_squared", "sqrt") and x > 0 else step
        difference = central_difference(lambda v: links.relink(native_code, code, float(v))[0], float(x), step)
        assert slope == pytest.approx(difference, rel=2e-7)


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog", "cauchit"])
@pytest.mark.parametrize("eta", [-700.0, 700.0])
def test_relink_to_logit_in_the_far_tails(name: str, eta: float) -> None:
    value, slope = links.relink(links.LOGIT, links.CODES[name], eta)
    expected = {
        ("probit", -700.0): -0.5 * 700.0**2 - 0.5 * math.log(2 * math.pi) - math.log(700.0),
        ("probit", 700.0): 0.5 * 700.0**2 + 0.5 * math.log(2 * math.pi) + math.log(700.0),
        ("cloglog", -700.0): -700.0,
        ("cloglog", 700.0): math.exp(700.0),
        ("cauchit", -700.0): -math.log(700.0 * math.pi),
        ("cauchit", 700.0): math.log(700.0 * math.pi),
        ("logit", -700.0): -700.0,
        ("logit", 700.0): 700.0,
    }
    assert value == pytest.approx(expected[name, eta], rel=1e-3 if name == "cauchit" else 1e-5)
    assert math.isfinite(slope)
    assert slope > 0.0


def test_softplus_to_log_where_softplus_underflows() -> None:
    assert links.relink(links.LOG, links.SOFTPLUS, -2000.0) == (-2000.0, 1.0)
    value, slope = links.relink(links.LOG, links.SOFTPLUS, -36.999999)
    assert value == pytest.approx(-36.999999, rel=1e-12)
    assert slope == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("name", "eta"), [("inverse_squared", -1.0)])
def test_outside_the_domain_of_the_inverse(name: str, eta: float) -> None:
    assert math.isnan(float(links.inverse_array(name, eta)))


@pytest.mark.parametrize("name", ["log", "logit", "probit", "cloglog", "sqrt", "cauchit", "inverse_squared"])
def test_outside_the_domain_of_the_link(name: str) -> None:
    assert math.isnan(float(links.link_array(name, -0.5)))


def test_arrays_of_any_shape_are_not_overwritten() -> None:
    eta = np.arange(6.0).reshape(2, 3)
    kept = eta.copy()
    theta = links.inverse_array("log", eta)
    assert theta.shape == (2, 3)
    np.testing.assert_allclose(theta, np.exp(kept), rtol=1e-15)
    assert np.array_equal(eta, kept)
    assert links.inverse_array("log", 0.0).shape == ()


def test_unknown_link_suggests_a_known_one() -> None:
    with pytest.raises(FamilyError, match="Did you mean 'logit'"):
        links.get_link("logitt")
