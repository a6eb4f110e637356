"""The table of what other tools say where they are wrong: here it is right, and the documents show what is stored."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from nutslite import scores

SCRIPT = Path(__file__).parent.parent / "docs" / "others" / "defects.py"
SPEC = importlib.util.spec_from_file_location("defects", SCRIPT)
defects = importlib.util.module_from_spec(SPEC)
sys.modules["defects"] = defects  # where its dataclass looks for itself
SPEC.loader.exec_module(defects)

IDS = [f"{each.tool}: {each.question}, {each.given}" for each in defects.DEFECTS]


@pytest.mark.parametrize("each", defects.DEFECTS, ids=IDS)
def test_here_it_is_right(each):
    here = float(np.ravel(each.here())[0])
    assert here == pytest.approx(each.right, rel=each.within, abs=1e-12)
    assert each.said != pytest.approx(each.right, rel=1e-2)


def poisson(y, mu):
    k = np.arange(0.0, max(y, mu + 40 * mu**0.5))
    return np.sum((stats.poisson.cdf(k, mu) - (k >= y)) ** 2)


def between(distribution, y, low, high):
    below = integrate.quad(lambda x: distribution.cdf(x) ** 2, min(low, y), y, epsabs=1e-13, limit=500, points=[low])[0]
    above = integrate.quad(lambda x: distribution.sf(x) ** 2, y, max(high, y), epsabs=1e-13, limit=500, points=[high])
    return below + above[0]


@pytest.mark.parametrize(
    ("question", "given", "independent"),
    [
        ("CRPS of a Poisson", "y = 150, mean 150", lambda: poisson(150, 150)),
        ("CRPS of a Poisson", "y = 171, mean 171", lambda: poisson(171, 171)),
        ("CRPS of a Poisson", "y = 171, mean 5", lambda: poisson(171, 5)),
        ("CRPS of a beta", "y = 0.5, a = b = 800", lambda: between(stats.beta(800, 800), 0.5, 0.3, 0.7)),
        ("CRPS of a beta, y outside its support", "y = 3, a = b = 1", lambda: between(stats.uniform(), 3.0, 0.0, 1.0)),
        ("log score of a Poisson", "y = 1,050,000, mean 1,000,000", lambda: -stats.poisson.logpmf(1_050_000, 1e6)),
        ("log score of a normal", "y = 50, mean 0, sd 1", lambda: -stats.norm.logpdf(50.0)),
        ("lower end of a 95 % consistency band", "100 forecasts of 0.5",
         lambda: stats.binom.ppf(0.025, 100, 0.5) / 100),
    ],
)  # fmt: skip
def test_what_is_right_is_found_another_way(question, given, independent):
    (right,) = [each.right for each in defects.DEFECTS if (each.question, each.given) == (question, given)]
    assert right == pytest.approx(independent(), rel=1e-9)


def test_the_table_has_every_line_as_it_is_stored():
    table = defects.table()
    assert len(table) == len(defects.DEFECTS)
    shown = table["it says"].astype(float).to_numpy()
    np.testing.assert_allclose(shown, [each.said for each in defects.DEFECTS], rtol=1e-5)


def test_others_still_say_so():
    pytest.importorskip("scoringrules")
    changed = [line for line in defects.measured_again() if "not installed" not in line]
    assert changed == []


def test_draws_are_sorted_not_paired():
    """A scorer in use compares all pairs of draws: 400 ms where sorting takes half a millisecond."""
    x = np.random.default_rng(1).normal(size=(200_000, 2))  # pairs would be 4e10 numbers a row
    start = time.process_time()
    found = scores.crps([0.0, 0.3], x)
    assert time.process_time() - start < 5.0
    np.testing.assert_allclose(found, [0.233694977255, 0.269332900687], atol=4e-3)


def test_calibration_errors_have_names():
    """Which "ECE" of two classes a library computes was asked in netcal#25 and MAPIE#277: these differ."""
    rng = np.random.default_rng(2)
    p = rng.random(400)
    y = (rng.random(400) < p**2).astype(int)
    of_event, of_likeliest = scores.calibration_error(y, p), scores.confidence_error(y, np.column_stack([1 - p, p]))
    assert (round(float(of_event), 6), round(float(of_likeliest), 6)) == (0.165661, 0.031338)


def test_transforms_of_numbers_are_not_rounded_and_those_of_counts_are_uniform():
    """Elsewhere a continuous PIT was rounded (scoringutils), and that of counts smoothed (ArviZ's old loo_pit)."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=4000)
    u = scores.pit(y, scores.Prediction.from_normal(np.zeros(4000), np.ones(4000)))
    np.testing.assert_allclose(u, stats.norm.cdf(y), rtol=1e-12)
    counts = rng.poisson(0.7, 4000)
    u = scores.pit(counts, scores.Prediction.from_distribution("poisson", mu=np.full(4000, 0.7)))
    assert stats.kstest(u, "uniform").pvalue > 1e-3
