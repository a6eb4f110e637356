"""The scalar special functions agree with SciPy over wide grids."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

from nutslite import _special
from nutslite._numba import kernel


def relative_error(ours: Callable[[float], float], expected: np.ndarray, grid: np.ndarray) -> float:
    values = np.array([ours(float(x)) for x in grid])
    assert np.all(np.isfinite(values) == np.isfinite(expected))
    finite = np.isfinite(expected) & (expected != 0.0)
    assert np.all(values[~finite] == expected[~finite])
    return float(np.max(np.abs(values[finite] / expected[finite] - 1.0)))


POSITIVE = np.geomspace(1e-300, 1e300, 1501)
SHAPES = np.concatenate([np.geomspace(1e-12, 1e12, 800), np.linspace(0.01, 30.0, 700)])
SIGNED = np.concatenate(
    [-np.geomspace(1e-300, 700.0, 500), np.linspace(-700.0, 700.0, 1401), np.geomspace(1e-300, 700, 500)]
)
NEAR_ONE = 1.0 + np.concatenate(
    [np.linspace(-0.5, 1.0, 999), np.geomspace(1e-15, 0.1, 99), -np.geomspace(1e-15, 0.1, 99)]
)
TAILS = np.concatenate([np.linspace(-40.0, 8.0, 1200), -np.geomspace(40.0, 1e150, 100), np.geomspace(1e-10, 37.0, 100)])

CASES: dict[str, tuple[Callable[[float], float], Callable[[np.ndarray], np.ndarray], np.ndarray, float]] = {
    "exp": (_special.exp, np.exp, SIGNED, 5e-16),
    "decay": (_special.decay, lambda x: np.exp(-np.abs(x)), SIGNED, 5e-16),
    "expm1": (_special.expm1, np.expm1, SIGNED, 5e-16),
    "log": (_special.log, np.log, np.concatenate([POSITIVE, np.geomspace(5e-324, 1e-300, 300), NEAR_ONE]), 5e-16),
    "log1p": (_special.log1p, np.log1p, np.concatenate([[0.0], POSITIVE, np.linspace(0.0, 3.0, 999)]), 5e-16),
    "log1p_unit": (
        _special.log1p_unit,
        np.log1p,
        np.concatenate([np.linspace(0, 1, 999), POSITIVE[POSITIVE < 1]]),
        5e-16,
    ),
    "log1p_and_inverse": (
        lambda x: _special.log1p_and_inverse(x)[0],
        np.log1p,
        np.concatenate([np.linspace(0, 1, 999), POSITIVE[POSITIVE < 1]]),
        8e-16,
    ),
    "inverse": (lambda x: _special.log1p_and_inverse(x)[1], lambda x: 1.0 / (1.0 + x), np.linspace(0, 1, 999), 8e-16),
    "log_expit": (lambda x: -_special.softplus(-x), special.log_expit, SIGNED, 1e-15),
    "softplus": (_special.softplus, lambda x: np.logaddexp(0.0, x), SIGNED, 1e-15),
    "log1p_square": (
        _special.log1p_square,
        lambda x: np.where(np.abs(x) < 1e150, np.log1p(x * x), 2.0 * np.log(np.abs(x))),
        np.concatenate([POSITIVE, -POSITIVE, np.linspace(0.0, 3.0, 999)]),
        5e-16,
    ),
    "expit": (_special.expit, special.expit, SIGNED, 1e-15),
    "logit": (
        _special.logit,
        special.logit,
        np.concatenate([np.linspace(0.0, 1.0, 999), POSITIVE[POSITIVE < 1]]),
        1e-12,
    ),
    "digamma": (_special.digamma, special.digamma, np.concatenate([SHAPES, POSITIVE]), 1e-12),
    "trigamma": (_special.trigamma, lambda x: special.polygamma(1, x), SHAPES, 1e-12),
    "ndtr": (_special.ndtr, special.ndtr, np.linspace(-37.0, 37.0, 1500), 1e-12),
    "log_ndtr": (_special.log_ndtr, special.log_ndtr, TAILS, 1e-12),
    "ndtri": (
        _special.ndtri,
        special.ndtri,
        np.concatenate([np.linspace(0.0, 1.0, 777), np.geomspace(1e-300, 0.5, 500)]),
        1e-12,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_scipy(name: str) -> None:
    ours, reference, grid, tolerance = CASES[name]
    with np.errstate(all="ignore"):
        expected = reference(grid)
    assert relative_error(ours, expected, grid) < tolerance


def test_log1mexp() -> None:
    grid = np.geomspace(1e-300, 700.0, 1000)
    with np.errstate(divide="ignore"):
        expected = np.where(grid < 0.5, np.log(-np.expm1(-grid)), np.log1p(-np.exp(-grid)))
    assert relative_error(_special.log1mexp, expected, grid) < 1e-12


@pytest.mark.parametrize("distance", [0.0, 1e-15, 1e-12, 1e-8, 1e-4, 0.05, 0.199, 0.201])
@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_digamma_keeps_its_digits_at_the_root(distance: float, side: float) -> None:
    x = 1.4616321449683623 + side * distance
    assert _special.digamma(x) == pytest.approx(float(special.digamma(x)), rel=1e-12)


@pytest.mark.parametrize("function", [_special.digamma, _special.trigamma])
@pytest.mark.parametrize("x", [0.0, -0.5, -3.0, math.nan])
def test_polygamma_is_undefined_off_the_positive_axis(function: Callable[[float], float], x: float) -> None:
    assert math.isnan(function(x))


def test_normal_hazard_is_the_slope_of_log_ndtr() -> None:
    grid = np.linspace(-37.0, 8.0, 500)
    expected = np.exp(stats.norm.logpdf(grid) - special.log_ndtr(grid))
    assert relative_error(_special.ndtr_hazard, expected, grid) < 1e-11
    assert _special.ndtr_hazard(-1e8) == pytest.approx(1e8, rel=1e-12)
    assert _special.ndtr_hazard(-20.0 + 1e-9) == pytest.approx(_special.ndtr_hazard(-20.0), rel=1e-9)


def test_ends_of_exp() -> None:
    for x, expected in [(-math.inf, 0.0), (-800.0, 0.0), (710.0, math.inf), (math.inf, math.inf), (0.0, 1.0)]:
        assert _special.exp(x) == expected
        assert _special.decay(x) == (1.0 if x == 0.0 else min(expected, _special.exp(-x)))
    for x in (1e308, -1e308):
        assert _special.exp(x) == (math.inf if x > 0.0 else 0.0)
        assert _special.decay(x) == 0.0
    assert math.isnan(_special.exp(math.nan))
    assert math.isnan(_special.decay(math.nan))
    assert _special.exp(709.7) == pytest.approx(math.exp(709.7), rel=5e-16)
    for x in (-708.5, -720.0, -744.0, -745.1, -745.2):  # too small for all digits: as near as numbers are there
        assert abs(_special.exp(x) - math.exp(x)) <= 5e-324 + 5e-16 * math.exp(x)
        assert _special.decay(-x) == _special.exp(x)
    assert _special.expm1(-math.inf) == -1.0
    assert _special.expm1(math.inf) == math.inf
    assert _special.expm1(709.7) == pytest.approx(math.exp(709.7), rel=5e-16)
    assert math.isnan(_special.expm1(math.nan))
    assert math.isnan(_special.log1p_square(math.nan))
    assert _special.log1p_square(math.inf) == math.inf
    assert _special.log1p_square(-math.inf) == math.inf


@pytest.mark.parametrize("payload", [0, 1, 1954, 2047])  # 1954 is R's missing number
@pytest.mark.parametrize("function", [_special.exp, _special.decay, _special.expm1, _special.expit, _special.softplus])
def test_whatever_is_not_a_number_stays_none(payload: int, function: Callable[[float], float]) -> None:
    assert math.isnan(function(float(np.int64(0x7FF8000000000000 + payload).view(np.float64))))


def test_ends_of_logarithms() -> None:
    assert _special.log(0.0) == -math.inf
    assert _special.log(math.inf) == math.inf
    assert _special.log1p(math.inf) == math.inf
    for x in (-1e-320, -1.0, -math.inf, math.nan):
        assert math.isnan(_special.log(x))
    assert math.isnan(_special.log1p(math.nan))


def test_ends_of_logit_and_ndtri() -> None:
    for function in (_special.logit, _special.ndtri):
        assert function(0.0) == -math.inf
        assert function(1.0) == math.inf
        assert all(math.isnan(function(x)) for x in (-0.1, 1.1, math.nan))


@kernel
def _exponentials_of_a_row(source, targets):
    for i in range(source.shape[0]):
        targets[0, i] = _special.exp(source[i])
    for i in range(source.shape[0]):
        targets[1, i] = _special.softplus(source[i])
    for i in range(source.shape[0]):
        targets[2, i] = _special.expit(source[i])


EXPONENTIALS = (_special.exp, _special.softplus, _special.expit)


def test_loops_over_exponentials_agree_with_single_calls() -> None:
    """A vectorised loop takes another path through the compiler than one call: bit for bit the same numbers."""
    source = np.random.default_rng(1).normal(0.0, 50.0, 1003)
    targets = np.empty((3, source.size))
    _exponentials_of_a_row(source, targets)
    for target, function in zip(targets, EXPONENTIALS, strict=True):
        assert np.array_equal(target, [function(float(x)) for x in source])


def test_plain_python_gives_the_same_numbers() -> None:
    """To rounding: without products and sums in one instruction."""
    source = [*np.random.default_rng(2).normal(0.0, 50.0, 200), -math.inf, math.inf, math.nan, -745.0, -720.0, 1e308]
    code = f"""if True:
        import json, math
        from nutslite import _special
        inf, nan = math.inf, math.nan
        names = {[function.__name__ for function in EXPONENTIALS]}
        print(json.dumps([[float(getattr(_special, name)(x)) for x in {[float(x) for x in source]}] for name in names]))
    """
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    for function, plain in zip(EXPONENTIALS, json.loads(printed.stdout), strict=True):
        np.testing.assert_allclose([function(float(x)) for x in source], plain, rtol=1e-15, atol=5e-324)
