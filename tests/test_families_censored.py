"""Kernels of censored rows: against SciPy, against differences, and where SciPy's own numbers end."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from family_references import REFERENCES
from scipy import special

from nutslite.families.record.censoring import compiled_kernels, compiled_logliks, kernel_of
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import built_in, family_names
from nutslite.formula.records import STATUSES

CENSORED = [name for name in family_names() if built_in(name).censored]
COMPILED = ("gaussian", "weibull", "poisson")
"""Families all of whose kernels are compiled here; of others that of intervals is, which has both tails."""


def kernels() -> list[ParameterSet]:
    """Families and statuses. A kernel takes a second to compile, and there are a hundred."""
    pairs = [(name, status) for name in CENSORED for status in STATUSES[1:] if status in built_in(name).censored]
    return [
        pytest.param(*pair, marks=() if pair[1] == "interval" or pair[0] in COMPILED else pytest.mark.slow)
        for pair in pairs
    ]


KERNELS = kernels()
RESPONSES = {
    "real": [-2.0, -0.3, 0.0, 0.8, 3.0],
    "positive": [0.05, 0.4, 1.0, 2.5, 6.0],
    "count": [0.0, 1.0, 3.0, 12.0, 60.0],
}
RESPONSES["nonnegative"] = RESPONSES["positive"]
RESPONSES["unit"] = [0.01, 0.2, 0.45, 0.7, 0.8]
RESPONSES["trials"] = [0.0, 1.0, 3.0, 12.0, 21.0]
TRIALS = 25.0
ETA = [[0.3, -0.4, -3.5], [1.2, 0.5, -4.0], [-0.7, 0.1, -3.2]]  # a third is the logarithm of a shift below them all


def run(name: str, status: str, y, upper, eta, *, links=None, varies=1, weights=None):
    """Log likelihood (n,) and derivatives (k, n) of rows that all have a status."""
    family, place = get_family(name), STATUSES.index(status)
    codes = family.link_codes(links or family.parent.native_name)
    kernel = compiled_kernels(family, codes, [place])[place]
    ends = [y, upper] if status == "interval" else [y]
    more = np.full((len(family.companions), len(y)), TRIALS)
    values = [family.prepare(np.vstack([np.asarray(end, dtype=float)[None], more])) for end in ends]
    values = np.ascontiguousarray(np.vstack(values))
    rows, k = values.shape[1], len(family.parameters)
    given = np.ascontiguousarray(np.broadcast_to(np.asarray(eta, dtype=float).reshape(k, -1), (k, rows)))
    out, slopes = np.empty(rows), np.empty((k, rows))
    changing = np.array([1] + [varies] * (k - 1), dtype=np.int64)
    weights = np.empty(0) if weights is None else weights
    with np.errstate(all="ignore"):
        kernel(values, weights, 0, given, changing, codes, out, slopes)
    return out, slopes


def reference(name: str, status: str, y, upper, eta):
    inverse = {"real": lambda x: x, "positive": np.exp, "unit": special.expit}
    family = get_family(name)
    natural = {p.name: inverse[p.support](value) for p, value in zip(family.parameters, eta, strict=False)}
    law, y, upper = REFERENCES[name](natural, {"trials": TRIALS}), np.asarray(y), np.asarray(upper)
    if status == "left":
        return law.logcdf(y)
    if status == "right":  # a count is y or more
        return law.logsf(y - 1.0 if family.discrete else y)
    low, high = (law.logcdf(y), law.logcdf(upper)), (law.logsf(upper), law.logsf(y))
    lower_tail = low[1] < high[1]
    small, large = np.where(lower_tail, low[0], high[0]), np.where(lower_tail, low[1], high[1])
    with np.errstate(divide="ignore"):
        return large + np.log1p(-np.exp(small - large))


def of(name: str, eta) -> list[float]:
    """As many as the family has; a third is the logarithm of a shift, or else of a size, which is larger."""
    names = [parameter.name for parameter in get_family(name).parameters]
    given = list(eta[: len(names)])
    if len(names) > 2 and names[2] != "ndt":
        given[2] += 4.0
    return given


def responses(name: str) -> list[float]:
    return RESPONSES[get_family(name).response_support]


def upper_ends(name: str) -> np.ndarray:
    y = np.array(responses(name))
    return y + {"count": 2.0, "trials": 2.0, "unit": 0.15}.get(get_family(name).response_support, 0.7)


@pytest.mark.parametrize(("name", "status"), KERNELS)
@pytest.mark.parametrize("eta", ETA)
def test_it_is_what_scipy_says_and_the_slopes_are_those_of_differences(name: str, status: str, eta) -> None:
    y, upper, k = responses(name), upper_ends(name), len(get_family(name).parameters)
    eta = of(name, eta)
    out, slopes = run(name, status, y, upper, eta)
    np.testing.assert_allclose(out, reference(name, status, y, upper, eta[:k]), rtol=1e-8, atol=1e-12)
    for j, step in enumerate(1e-5 * np.eye(k)):
        ahead, behind = (run(name, status, y, upper, np.array(eta[:k]) + side * step)[0] for side in (1, -1))
        np.testing.assert_allclose(slopes[j], (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "status"), KERNELS)
def test_constants_weights_and_links(name: str, status: str) -> None:
    """A constant's derivative is summed; weights multiply; another link of mu is the chain rule."""
    y, upper, k = responses(name), upper_ends(name), len(get_family(name).parameters)
    eta = of(name, ETA[0])
    out, slopes = run(name, status, y, upper, eta)
    constant, sums = run(name, status, y, upper, eta, varies=0)
    np.testing.assert_allclose(constant, out, rtol=1e-14)
    if k > 1:
        assert sums[1, 0] == pytest.approx(slopes[1].sum(), rel=1e-12)
    weights = np.linspace(0.5, 3.0, len(y))
    weighted, more = run(name, status, y, upper, eta, weights=weights)
    np.testing.assert_allclose(weighted, weights * out, rtol=1e-14)
    np.testing.assert_allclose(more, weights * slopes, rtol=1e-14)
    share = float(special.expit(0.3))
    other, moved, chain = {
        "positive": ("sqrt", math.exp(0.15), 2.0 / math.exp(0.15)),
        "real": ("inverse", 1.0 / 0.3, -0.09),
        "unit": ("identity", share, 1.0 / (share * (1.0 - share))),
    }[get_family(name).parent.support]
    relinked, through = run(name, status, y, upper, [moved, *eta[1:]], links=other)
    np.testing.assert_allclose(relinked, out, rtol=1e-12)
    np.testing.assert_allclose(through[0], slopes[0] * chain, rtol=1e-11)


FAR = [(-50.0, -49.0), (-20.001, -19.999), (-1e-9, 1e-9), (37.0, 39.0), (49.9, 50.0), (50.0, 50.0 + 1e-7)]


def mills(x: float) -> float:
    """``Phi(-x) / phi(x)`` by SciPy's scaled complementary error function, which has no tail."""
    return float(math.sqrt(math.pi / 2.0) * special.erfcx(x / math.sqrt(2.0)))


@pytest.mark.parametrize("x", [0.5, 5.0, 19.9, 20.1, 50.0, 1e4])
def test_normal_tails_fifty_deviations_out(x: float) -> None:
    log_tail = -0.5 * x * x - 0.5 * math.log(2 * math.pi) + math.log(mills(x))
    for status, side in (("left", -1.0), ("right", 1.0)):
        out, slopes = run("gaussian", status, [side * x], [0.0], [0.0, 0.0])
        assert out[0] == pytest.approx(log_tail, rel=1e-12)
        assert slopes[0, 0] == pytest.approx(side / mills(x), rel=1e-11)
        assert slopes[1, 0] == pytest.approx(x / mills(x), rel=1e-11)


@pytest.mark.parametrize(("low", "high"), FAR)
def test_normal_intervals_anywhere(low: float, high: float) -> None:
    """In the smaller tail, and narrow ones by the density: compared with a sum over small steps, and in a mirror."""
    inside = low + (high - low) * (np.arange(20_000) + 0.5) / 20_000
    top = -0.5 * min(low * low, high * high)
    mass = np.exp(-0.5 * inside * inside - top)
    width = (high - low) / inside.size
    expected = math.log(mass.sum() * width) + top - 0.5 * math.log(2 * math.pi)
    mean, square = (float((mass * power).sum() / mass.sum()) for power in (inside, inside * inside))
    out, slopes = run("gaussian", "interval", [low], [high], [0.0, 0.0])
    assert out[0] == pytest.approx(expected, rel=1e-6)
    assert slopes[0, 0] == pytest.approx(mean, rel=1e-5, abs=1e-8)  # the score of mu: the mean of what may have been
    assert slopes[1, 0] == pytest.approx(square - 1.0, rel=1e-5, abs=1e-8)
    mirrored, other = run("gaussian", "interval", [-high], [-low], [0.0, 0.0])
    assert mirrored[0] == pytest.approx(out[0], rel=1e-13)
    np.testing.assert_allclose(other[:, 0], [-slopes[0, 0], slopes[1, 0]], rtol=1e-12)


def test_ends_that_meet_are_the_density() -> None:
    for name in ("gaussian", "lognormal", "weibull"):
        y, k = np.array(responses(name)), len(get_family(name).parameters)
        density, slopes = (np.asarray(item) for item in _density(name, y, ETA[0][:k]))
        upper = y + 1e-6 * (0.1 + np.abs(y))
        out, found = run(name, "interval", y, upper, ETA[0][:k])
        np.testing.assert_allclose(out - np.log(upper - y), density, atol=2e-5)
        np.testing.assert_allclose(found, slopes, atol=2e-5 * (1 + np.abs(slopes).max()))


def _density(name: str, y: np.ndarray, eta):
    family = get_family(name)
    k, rows = len(family.parameters), len(y)
    out, slopes = np.empty(rows), np.empty((k, rows))
    given = np.ascontiguousarray(np.broadcast_to(np.asarray(eta)[:, None], (k, rows)))
    values = np.ascontiguousarray(family.prepare(y[None]))
    family.kernel(values, np.empty(0), 0, given, np.ones(k, dtype=np.int64), family.link_codes(), out, slopes)
    return out, slopes


@pytest.mark.parametrize(
    ("y", "upper", "log_mu"), [(3.0, 5.0, 8.0), (3.0, 4.0, -12.0), (400.0, 420.0, 3.0), (0.0, 9e2, 6.0)]
)
def test_counts_far_from_their_mean(y: float, upper: float, log_mu: float) -> None:
    """Sums of the density itself, term by term."""
    mu = math.exp(log_mu)

    def summed(first: int, last: int) -> tuple[float, float]:
        counts = np.arange(first, last + 1)
        logs = counts * log_mu - mu - special.gammaln(counts + 1.0)
        shares = np.exp(logs - logs.max())
        return logs.max() + math.log(shares.sum()), float((shares * counts).sum() / shares.sum()) - mu

    ends = {"left": (0, int(y)), "right": (int(y), int(y) + 6000 + int(3 * mu)), "interval": (int(y) + 1, int(upper))}
    for status, (first, last) in ends.items():
        expected, slope = summed(first, last)
        out, slopes = run("poisson", status, [y], [upper], [log_mu])
        assert out[0] == pytest.approx(expected, rel=1e-10, abs=1e-12), status
        assert slopes[0, 0] == pytest.approx(slope, rel=1e-8, abs=1e-9), status


@pytest.mark.parametrize("log_alpha", [-3.0, 0.0, 3.0, 9.0, 25.0])
def test_weibull_shapes(log_alpha: float) -> None:
    """``alpha lgamma(1 + 1/alpha)`` tends to minus Euler's constant and keeps its digits."""
    alpha = math.exp(log_alpha)
    shift = (
        alpha * special.gammaln(1.0 + 1.0 / alpha) if alpha < 1e4 else -0.5772156649015329 + 0.8224670334241132 / alpha
    )
    out, slopes = run("weibull", "right", [1.0], [2.0], [0.0, log_alpha])
    assert math.log(-out[0]) == pytest.approx(shift, rel=1e-9)
    assert slopes[0, 0] == pytest.approx(alpha * math.exp(shift), rel=1e-9)
    out, _ = run("weibull", "left", [1e-300], [0.0], [0.0, log_alpha])
    log_z = alpha * math.log(1e-300) + shift
    assert out[0] == pytest.approx(log_z if log_z < -40 else math.log(-math.expm1(-math.exp(log_z))), rel=1e-9)


@pytest.mark.parametrize(("name", "status"), KERNELS)
def test_nothing_is_lost_at_the_ends(name: str, status: str) -> None:
    """No nan where the likelihood is finite, and never a likelihood above one."""
    y, upper, k = responses(name), upper_ends(name), len(get_family(name).parameters)
    for first in (-700.0, -50.0, 50.0, 700.0):
        for second in (-700.0, -30.0, 30.0, 700.0):
            out, slopes = run(name, status, y, upper, [first, second, -3.5][:k])
            assert (out <= 1e-12).all(), (first, second, out)
            finite = np.isfinite(out)
            assert np.isfinite(slopes[:, finite]).all() or (np.abs(out[finite]) > 1e200).any(), (first, second)


def test_rows_beside_a_shift() -> None:
    """Nothing ends before ndt: surely at least y, never at most y; of an interval across it what is above counts."""
    eta = [0.3, -0.4, 0.0]
    right, slopes = run("shifted_lognormal", "right", [0.5, 1.0], [0.0, 0.0], eta)
    np.testing.assert_array_equal(right, 0.0)
    np.testing.assert_array_equal(slopes, 0.0)
    left, _ = run("shifted_lognormal", "left", [0.5, 1.0], [0.0, 0.0], eta)
    np.testing.assert_array_equal(left, -np.inf)
    across, slopes = run("shifted_lognormal", "interval", [0.5], [2.5], eta)
    whole, expected = run("shifted_lognormal", "left", [2.5], [0.0], eta)
    np.testing.assert_allclose(across, whole, rtol=1e-14)
    np.testing.assert_allclose(slopes, expected, rtol=1e-12)


def test_intervals_of_counts_from_none_on() -> None:
    """Above -1 is every count: what is left is at most the upper end."""
    eta = [0.3, -0.4]
    across, slopes = run("discrete_weibull", "interval", [-1.0, -1.0], [0.0, 4.0], eta)
    whole, expected = run("discrete_weibull", "left", [0.0, 4.0], [0.0, 0.0], eta)
    np.testing.assert_array_equal(across, whole)
    np.testing.assert_array_equal(slopes, expected)


def test_places_without_a_kernel_hold_another_one() -> None:
    family = get_family("gaussian")
    some = compiled_logliks(family, family.link_codes(), [2, 0])
    assert len(some) == 1 + len(STATUSES)
    assert kernel_of(some, 1) is kernel_of(some, 3) is kernel_of(some, 0)
    assert kernel_of(some, 2) is compiled_kernels(family, family.link_codes(), [2])[2] is not kernel_of(some, 0)


def test_all_kernels_as_plain_functions() -> None:
    """Those that are not compiled above: the same tests, without the compiler."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "-m", "slow", __file__]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTEST_ADDOPTS": ""}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert " passed" in ended.stdout
