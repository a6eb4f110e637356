"""The relatives of the gamma function against sixty decimal digits, and that loops over them vectorise."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numba
import numpy as np
import pytest
from scipy import special

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, jit_disabled, kernel
from nutslite.families.counts import negativebinomial
from nutslite.families.positive import gamma
from nutslite.families.proportions import beta
from nutslite.families.real import t
from nutslite.families.rows.gamma_functions import half_step, rising, stirling_errors, stirling_parts

DIGITS = 60
SHIFT = 60  # the series at 60 and more have errors below 1e-50
HALF = Decimal("0.5")
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
SHAPES = np.concatenate(
    [
        np.geomspace(1e-300, 1e-10, 30),
        np.geomspace(1e-10, 1e10, 160),
        np.linspace(0.05, 13.0, 130),
        np.nextafter(6.0, [0.0, 6.0, 7.0]),
        np.geomspace(1e10, 1e300, 30),
    ]
)


@functools.cache
def bernoulli_numbers() -> tuple[Fraction, ...]:
    """``B_0, B_1, ..., B_60`` by their recurrence."""
    numbers = [Fraction(1)]
    for m in range(1, SHIFT + 1):
        numbers.append(-sum((math.comb(m + 1, k) * numbers[k] for k in range(m)), Fraction(0)) / (m + 1))
    return tuple(numbers)


def exact(x: float | Decimal) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """``log(x)``, both `stirling_errors`, and ``digamma(x)``, to the digits of the context."""
    start = Decimal(x)
    z, log_product, reciprocals = start, Decimal(0), Decimal(0)
    while z < SHIFT:
        log_product += z.ln()
        reciprocals += 1 / z
        z += 1
    left, left_slope = Decimal(0), HALF / z
    for k in range(1, SHIFT // 2 + 1):
        number = bernoulli_numbers()[2 * k]
        ratio = Decimal(number.numerator) / Decimal(number.denominator)
        left += ratio / (2 * k * (2 * k - 1) * z ** (2 * k - 1))
        left_slope += ratio / (2 * k * z ** (2 * k))
    if z == start:
        return start.ln(), left, z * left_slope, z.ln() - left_slope
    half_log_2pi = HALF * (2 * PI).ln()
    lgamma = (z - HALF) * z.ln() - z + half_log_2pi + left - log_product
    digamma = z.ln() - left_slope - reciprocals
    log_x = start.ln()
    return log_x, lgamma - ((start - HALF) * log_x - start + half_log_2pi), start * (log_x - digamma), digamma


def exact_half_step(x: float) -> tuple[float, float]:
    """`half_step`; from 1e20 on its leading terms, since sixty digits are not enough there."""
    if x > 1e20:
        return -0.125 / x, 0.125 / x
    low, high = Decimal(x), Decimal(x) + HALF
    log_low, left_low, _, digamma_low = exact(low)
    log_high, left_high, _, digamma_high = exact(high)
    value = low * (log_high - log_low) - HALF + left_high - left_low
    return float(value), float(low * (digamma_high - digamma_low) - HALF)


def exact_rising(y: float, x: float) -> tuple[float, float]:
    """`rising`; where x is far beyond y the first term of its expansion in ``1 / x``."""
    if x > 1e20 * max(y, 1.0):
        return y * (y - 1.0) / (2.0 * x), y * (y - 1.0) / (2.0 * x)
    low, count = Decimal(x), Decimal(y)
    top = low + count
    log_low, left_low, _, digamma_low = exact(low)
    log_top, left_top, _, digamma_top = exact(top)
    value = (top - HALF) * (log_top - log_low) - count + left_top - left_low
    return float(value), float(count - low * (digamma_top - digamma_low))


def with_digits(function: Callable[..., tuple[float, float]], *rows: np.ndarray) -> np.ndarray:
    """`function` of every row in `DIGITS` digits, as two rows of doubles."""
    with localcontext() as context:
        context.prec = DIGITS
        return np.array([function(*(float(v) for v in values)) for values in zip(*rows, strict=True)]).T


def error(ours: np.ndarray, expected: np.ndarray, scale: np.ndarray | float = 1.0) -> np.ndarray:
    """Largest error of either function, relative where the value is larger than `scale`, else by `scale`."""
    return np.max(np.abs(ours - expected) / np.maximum(scale, np.abs(expected)), axis=1)


def both(function: Callable[..., tuple[float, float]], *rows: np.ndarray) -> np.ndarray:
    """`function` at every row, without a loop that vectorises."""
    return np.array([function(*(float(v) for v in values)) for values in zip(*rows, strict=True)]).T


def test_stirling_errors() -> None:
    expected = with_digits(lambda x: tuple(float(v) for v in exact(x)[1:3]), SHAPES)
    ours = both(stirling_errors, SHAPES, np.log(SHAPES))
    assert np.all(error(ours, expected) < [1e-14, 4e-15])
    large = SHAPES >= 6.0
    assert np.all(np.abs(ours[:, large] / expected[:, large] - 1.0) < 2e-15)


def test_half_step() -> None:
    expected = with_digits(exact_half_step, SHAPES)
    ours = both(half_step, SHAPES, np.log(SHAPES))
    assert np.all(error(ours, expected) < 4e-15)
    large = SHAPES >= 6.0
    assert np.all(np.abs(ours[:, large] / expected[:, large] - 1.0) < 2e-15)


@pytest.mark.parametrize("y", [0.0, 1.0, 2.0, 3.0, 10.0, 77.0, 3000.0, 1e6, 1e12])
def test_rising(y: float) -> None:
    shapes = SHAPES[::3]
    counts = np.full(shapes.size, y)
    expected = with_digits(exact_rising, counts, shapes)
    ours = both(rising, counts, shapes, np.log(shapes))
    assert np.all(error(ours, expected, max(y, 1.0)) < 5e-15)
    if y == 0.0:
        assert np.all(ours == 0.0)


def test_the_reference_itself() -> None:
    """SciPy agrees as far as its digits go."""
    x = np.geomspace(1e-3, 1e3, 50)
    leading = (x - 0.5) * np.log(x) - x + 0.5 * math.log(2.0 * math.pi)
    expected = np.array([special.gammaln(x) - leading, x * (np.log(x) - special.digamma(x))])
    with_decimals = with_digits(lambda v: tuple(float(w) for w in exact(v)[1:3]), x)
    np.testing.assert_allclose(with_decimals, expected, atol=3e-12)
    np.testing.assert_allclose(
        with_digits(exact_half_step, x)[0], special.gammaln(x + 0.5) - special.gammaln(x) - 0.5 * np.log(x), atol=3e-12
    )


@pytest.mark.parametrize("x", [1e-8, 0.3, 1.0, 5.9, 6.5, 33.0, 1000.0])
def test_derivatives(x: float) -> None:
    """The second of each pair follows from the first, on both sides of 6."""
    step = 1e-4

    def slope(function: Callable[[float, float], float]) -> float:
        """Derivative by log(x), fourth order."""
        moved = [function(x * math.exp(k * step), math.log(x) + k * step) for k in (-2, -1, 1, 2)]
        return (moved[0] - 8.0 * moved[1] + 8.0 * moved[2] - moved[3]) / (12.0 * step)

    log_x = math.log(x)
    assert stirling_errors(x, log_x)[1] == pytest.approx(0.5 - slope(lambda *a: stirling_errors(*a)[0]), abs=1e-9)
    assert half_step(x, log_x)[1] == pytest.approx(slope(lambda *a: half_step(*a)[0]), abs=1e-9)
    for y in (1.0, 4.0, 50.0):
        derivative = slope(lambda a, b, count=y: rising(count, a, b)[0])
        assert rising(y, x, log_x)[1] == pytest.approx(-derivative, abs=1e-9 * y)


def test_limits() -> None:
    for x, log_x in [(0.0, -1e5), (5e-324, -744.44)]:
        s, d = stirling_errors(x, log_x)
        assert s == pytest.approx(-0.5 * log_x - 0.5 * math.log(2.0 * math.pi), rel=1e-14)
        assert d == 1.0
        h, d = half_step(x, log_x)
        assert h == pytest.approx(0.5 * log_x + 0.5 * math.log(math.pi), rel=1e-14)
        assert d == 0.5
        with np.errstate(all="ignore"):  # plain Python would not divide by zero
            assert rising(np.float64(0.0), np.float64(x), log_x) == (0.0, 0.0)
        assert rising(1.0, x, log_x) == pytest.approx((0.0, 0.0), abs=1e-12)
        value, decrease = rising(5.0, x, log_x)
        assert value == pytest.approx(math.log(24.0) - 4.0 * log_x, rel=1e-14)
        assert decrease == pytest.approx(4.0, rel=1e-14)
    assert stirling_errors(math.inf, math.inf) == (0.0, 0.5)
    assert half_step(math.inf, math.inf) == (0.0, 0.0)
    for function in (stirling_errors, half_step, functools.partial(rising, 3.0)):
        assert np.isnan(function(math.nan, math.nan)).all()


def test_parts_make_the_whole() -> None:
    for x in (1e-200, 0.2, 3.0, 5.999, 6.0, 1e9):
        rest, product, d = stirling_parts(x, math.log(x))
        assert 1.0 <= product < 6e5
        assert (rest - math.log(product), d) == pytest.approx(stirling_errors(x, math.log(x)), abs=1e-14)


@kernel
def _every_function(counts, x, log_x, out):
    for i in range(x.shape[0]):
        out[0, i], out[1, i] = stirling_errors(x[i], log_x[i])
    for i in range(x.shape[0]):
        out[2, i], out[3, i] = half_step(x[i], log_x[i])
    for i in range(x.shape[0]):
        out[4, i], out[5, i] = rising(counts[i], x[i], log_x[i])


def test_loops_agree_with_single_calls() -> None:
    """Vector instructions round as others do: bit for bit the same numbers."""
    counts = np.random.default_rng(1).poisson(3.0, SHAPES.size).astype(np.float64)
    out = np.empty((6, SHAPES.size))
    log_x = np.log(SHAPES)
    _every_function(counts, SHAPES, log_x, out)
    np.testing.assert_array_equal(out[:2], both(stirling_errors, SHAPES, log_x))
    np.testing.assert_array_equal(out[2:4], both(half_step, SHAPES, log_x))
    np.testing.assert_array_equal(out[4:], both(rising, counts, SHAPES, log_x))


LOOPS = {
    "beta": beta._fill,
    "beta's kappa": beta._fill_whole,
    "gamma": gamma._fill_many_alphas,
    "negativebinomial": negativebinomial._fill_row_by_row,
    "t's nu": t._fill_shapes,
    "t": t._fill_many_shapes,
}
OTHER_TYPES = {"varies": INDEX_VECTOR, "shapes": MATRIX, "whole": MATRIX}  # all other arguments are vectors
VECTOR_DIVISION = re.compile(r"divpd|fdiv\s+v\d+\.2d")  # on x86, on ARM


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled")
@pytest.mark.parametrize("name", LOOPS)
def test_the_loops_of_families_vectorise(name: str) -> None:
    """One branch, or one call that is not inlined, and a kernel takes five times as long; nothing else would say so."""
    function = LOOPS[name].py_func
    arguments = [OTHER_TYPES.get(argument, VECTOR) for argument in inspect.signature(function).parameters]
    compiled = numba.njit(tuple(arguments), error_model="numpy", nogil=True)(function)
    (text,) = compiled.inspect_asm().values()
    assert VECTOR_DIVISION.search(text)
