"""Links: round trips, derivatives, tails, and the move from one link to another."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import special

from nutslite.exceptions import FamilyError
from nutslite.families.links import codes
from nutslite.families.links.native import relink_rows
from nutslite.families.record.family import POSITIVE_LINKS, REAL_LINKS, UNIT_LINKS

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
ALL = [name for name in codes.LINKS if name != "softmax"]  # which is of several predictors together


def central_difference(function, x, step):
    """Fourth-order central difference."""
    near = function(x + step) - function(x - step)
    far = function(x + 2 * step) - function(x - 2 * step)
    return (8.0 * near - far) / (12.0 * step)


def test_names_and_codes_agree() -> None:
    assert {name: record.code for name, record in codes.LINKS.items()} == codes.CODES
    assert sorted(codes.CODES.values()) == list(range(len(codes.CODES)))


@pytest.mark.parametrize("name", ALL)
def test_round_trip(name: str) -> None:
    eta = ETA[name]
    theta = codes.inverse_array(name, eta)
    record = codes.get_link(name)
    assert np.all((theta > record.lower) & (theta < record.upper))
    # near p = 1 the rounding of theta alone moves eta: allow for it
    condition = 4e-16 * np.abs(theta / np.array([codes.inverse_derivative(record.code, x) for x in eta]))
    assert np.all(np.abs(codes.link_array(name, theta) - eta) <= 1e-12 * (1.0 + np.abs(eta)) + 10.0 * condition)


@pytest.mark.parametrize("name", ALL)
def test_derivative_of_the_inverse(name: str) -> None:
    code = codes.CODES[name]
    for x in ETA[name]:
        if codes.inverse(code, x) > 0.999 and name in UNIT_LINKS and name != "identity":
            continue  # differences of numbers next to one have no digits left
        step = 1e-3 * max(1e-1, min(abs(x), 1.0))
        slope = central_difference(lambda v: float(codes.inverse(code, v)), float(x), step)
        assert codes.inverse_derivative(code, x) == pytest.approx(slope, rel=1e-7)


def relink(native: str, name: str, eta: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Values on the native link and their derivatives."""
    given = np.atleast_1d(np.array(eta, dtype=np.float64))
    value, slope, scratch = (np.full_like(given, np.nan) for _ in range(3))
    with np.errstate(all="ignore"):
        relink_rows(codes.CODES[native], codes.CODES[name], given, value, slope, scratch)
    return value, slope


RELINKS = [
    (native, name)
    for native, names in (("identity", REAL_LINKS), ("log", (*POSITIVE_LINKS, "cloglog")), ("logit", UNIT_LINKS))
    for name in names
]


@pytest.mark.parametrize(("native", "name"), RELINKS)
def test_relink_is_the_composition_of_both_links(native: str, name: str) -> None:
    grid = np.linspace(0.05, 0.95, 19) if name == "identity" and native != "identity" else ETA[name]
    theta = codes.inverse_array(name, grid)
    value, slope = relink(native, name, grid)
    checked = theta < (0.9 if native == "logit" else np.inf)  # near one theta has no digits left
    np.testing.assert_allclose(value[checked], codes.link_array(native, theta)[checked], rtol=1e-11, atol=1e-12)
    step = 1e-3 * np.maximum(1e-1, np.minimum(np.abs(grid), 1.0))
    if name in ("identity", "inverse", "inverse_squared", "sqrt"):
        step = np.where(grid > 0, np.minimum(step, 0.2 * grid), step)
    difference = central_difference(lambda x: relink(native, name, x)[0], grid, step)
    np.testing.assert_allclose(slope, difference, rtol=2e-7)


UNDEFINED = [
    (native, name)
    for native, support in (("identity", "real"), ("log", "positive"), ("logit", "unit"))
    for name in ALL
    if name not in codes.RELINKED[support]
]


@pytest.mark.parametrize(("native", "name"), UNDEFINED)
def test_relink_is_undefined_for_other_links(native: str, name: str) -> None:
    value, slope = relink(native, name, [-1.0, 0.5, 2.0])
    assert np.all(np.isnan(value))
    assert np.all(np.isnan(slope))


def textbook(native: str, name: str, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `relink` should give, by SciPy and one formula for each region."""
    rate, tiny = np.exp(np.minimum(eta, 700.0)), eta < -37.0
    p = -np.expm1(-rate)
    theta = np.logaddexp(0.0, eta)
    mills = np.sqrt(np.pi / 2.0) * special.erfcx(np.abs(eta) / np.sqrt(2.0))
    below, above = np.arctan2(1.0, -eta), np.arctan2(1.0, eta)
    power = {"identity": 1.0, "inverse": -1.0, "inverse_squared": -0.5, "sqrt": 2.0}.get(name, np.nan)
    log_p = np.where(tiny, eta, np.where(rate < 0.7, np.log(p), np.log1p(-np.exp(-rate))))
    table = {
        ("identity", "log"): (np.exp(eta), np.exp(eta)),
        ("identity", "inverse"): (1.0 / eta, -1.0 / eta**2),
        ("identity", "softplus"): (theta, special.expit(eta)),
        ("identity", "sqrt"): (np.where(eta < 0.0, np.nan, eta**2), 2.0 * eta),  # one branch only
        ("log", "softplus"): (np.where(tiny, eta, np.log(theta)), np.where(tiny, 1.0, special.expit(eta) / theta)),
        ("log", "cloglog"): (log_p, np.where(tiny, 1.0, rate * np.exp(-rate) / p)),
        ("logit", "cloglog"): (np.where(tiny, eta, log_p + rate), np.where(tiny, 1.0, rate / p)),
        ("logit", "probit"): (special.log_ndtr(eta) - special.log_ndtr(-eta), 1 / (mills * special.ndtr(np.abs(eta)))),
        ("logit", "cauchit"): (np.log(below / above), np.pi / (below * above * (1.0 + eta**2))),
        ("logit", "identity"): (np.log(eta) - np.log1p(-eta), 1.0 / (eta * (1.0 - eta))),
    }
    if native == "log" and not np.isnan(power):
        return power * np.log(eta), power / eta
    return table.get((native, name), (eta, np.ones_like(eta)))


@pytest.mark.parametrize(("native", "name"), RELINKS)
def test_relink_over_all_magnitudes(native: str, name: str) -> None:
    sizes = np.concatenate([np.geomspace(1e-300, 1e150, 151), np.linspace(0.01, 1.0, 99), np.linspace(1, 900, 899)])
    eta = np.concatenate([-sizes, [-37.0, math.nan], sizes])
    value, slope = relink(native, name, eta)
    with np.errstate(all="ignore"):
        expected, expected_slope = textbook(native, name, eta)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=4e-15)
    np.testing.assert_allclose(slope, expected_slope, rtol=1e-12, atol=4e-16)


BOTH_SIDES = np.concatenate([np.linspace(-36.0, 36.0, 1441), np.geomspace(1e-12, 1.0, 60), -np.geomspace(1e-12, 1, 60)])


def test_relink_of_probit_keeps_its_digits_in_both_tails() -> None:
    a = np.abs(BOTH_SIDES)
    mills = np.sqrt(np.pi / 2.0) * special.erfcx(a / np.sqrt(2.0))
    larger = special.ndtr(a)
    value, slope = relink("logit", "probit", BOTH_SIDES)
    np.testing.assert_allclose(slope, 1.0 / (mills * larger), rtol=3e-15)
    expected = np.sign(BOTH_SIDES) * (0.5 * a * a + np.log(np.sqrt(2.0 * np.pi) * larger / mills))
    np.testing.assert_allclose(value, expected, rtol=3e-15, atol=4e-15)  # both differ by so much at 0
    symmetric, _ = relink("logit", "probit", -BOTH_SIDES)
    assert np.array_equal(symmetric, -value)


def test_relink_of_probit_far_out() -> None:
    """Asymptotically ``-log Phi(-a) = a^2 / 2 + log(a sqrt(2 pi)) + 1 / a^2``."""
    a = np.geomspace(1e3, 1e150, 50)
    value, slope = relink("logit", "probit", -a)
    np.testing.assert_allclose(value, -(0.5 * a * a + np.log(a * np.sqrt(2.0 * np.pi)) + 1.0 / a**2), rtol=1e-15)
    np.testing.assert_allclose(slope, a + 1.0 / a, rtol=1e-11)


def test_relink_of_cauchit_keeps_its_digits_in_both_tails() -> None:
    eta = np.concatenate([BOTH_SIDES, np.geomspace(40.0, 1e100, 100), -np.geomspace(40.0, 1e100, 100)])
    below, above = np.arctan2(1.0, -eta), np.arctan2(1.0, eta)
    value, slope = relink("logit", "cauchit", eta)
    np.testing.assert_allclose(value, np.log(below / above), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(slope, np.pi / (below * above * (1.0 + eta * eta)), rtol=3e-15)


def test_relink_of_cloglog_keeps_its_digits() -> None:
    eta = np.linspace(-36.0, 6.0, 841)
    rate = np.exp(eta)
    value, slope = relink("logit", "cloglog", eta)
    np.testing.assert_allclose(value, rate + np.log(-np.expm1(-rate)), rtol=3e-15, atol=3e-16)
    np.testing.assert_allclose(slope, rate / -np.expm1(-rate), rtol=3e-15)
    value, slope = relink("log", "cloglog", eta)
    np.testing.assert_allclose(value, np.log(-np.expm1(-rate)), rtol=3e-15, atol=3e-16)
    np.testing.assert_allclose(slope, rate / np.expm1(rate), rtol=2e-13)  # exp(-403) has but these


def test_relink_of_softplus_keeps_its_digits() -> None:
    eta = np.linspace(-45.0, 700.0, 1491)
    theta = np.logaddexp(0.0, eta)
    value, slope = relink("identity", "softplus", eta)
    np.testing.assert_allclose(value, theta, rtol=2e-15)
    np.testing.assert_allclose(slope, special.expit(eta), rtol=2e-15)
    value, slope = relink("log", "softplus", eta)
    np.testing.assert_allclose(value, np.log(theta), rtol=3e-15, atol=3e-16)
    np.testing.assert_allclose(slope, special.expit(eta) / theta, rtol=3e-15)


@pytest.mark.parametrize(("native", "name"), RELINKS)
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 17, 31])
def test_every_row_is_relinked_as_if_alone(native: str, name: str, rows: int) -> None:
    """Vector instructions take four rows or more at a time, the rest goes one by one: the same numbers."""
    eta = np.random.default_rng(rows).uniform(0.05, 0.95, rows)
    value, slope = relink(native, name, eta)
    alone = np.array([relink(native, name, x) for x in eta])
    assert np.array_equal(value, alone[:, 0, 0])
    assert np.array_equal(slope, alone[:, 1, 0])


@pytest.mark.parametrize(("native", "name"), RELINKS)
def test_relink_at_what_is_not_a_number_and_at_the_ends(native: str, name: str) -> None:
    assert np.isnan(relink(native, name, math.nan)[0])
    if codes.get_link(name).eta_lower == -math.inf and name not in ("identity", "inverse"):
        (low, high), _ = relink(native, name, [-math.inf, math.inf])
        assert low == {"identity": 0.0 if name in ("log", "softplus") else -math.inf}.get(native, -math.inf)
        assert high > (-1e-300 if name == "cloglog" and native == "log" else 1e300)


@pytest.mark.parametrize("name", ["logit", "probit", "cloglog", "cauchit"])
@pytest.mark.parametrize("eta", [-700.0, 700.0])
def test_relink_to_logit_in_the_far_tails(name: str, eta: float) -> None:
    (value,), (slope,) = relink("logit", name, eta)
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
    assert relink("log", "softplus", -2000.0) == (-2000.0, 1.0)
    (value,), (slope,) = relink("log", "softplus", -36.999999)
    assert value == pytest.approx(-36.999999, rel=1e-12)
    assert slope == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("name", "eta"), [("inverse_squared", -1.0)])
def test_outside_the_domain_of_the_inverse(name: str, eta: float) -> None:
    assert math.isnan(float(codes.inverse_array(name, eta)))


@pytest.mark.parametrize("name", ["log", "logit", "probit", "cloglog", "sqrt", "cauchit", "inverse_squared"])
def test_outside_the_domain_of_the_link(name: str) -> None:
    assert math.isnan(float(codes.link_array(name, -0.5)))


def test_arrays_of_any_shape_are_not_overwritten() -> None:
    eta = np.arange(6.0).reshape(2, 3)
    kept = eta.copy()
    theta = codes.inverse_array("log", eta)
    assert theta.shape == (2, 3)
    np.testing.assert_allclose(theta, np.exp(kept), rtol=1e-15)
    assert np.array_equal(eta, kept)
    assert codes.inverse_array("log", 0.0).shape == ()


def test_unknown_link_suggests_a_known_one() -> None:
    with pytest.raises(FamilyError, match="Did you mean 'logit'"):
        codes.get_link("logitt")
