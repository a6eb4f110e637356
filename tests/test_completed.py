"""Fits to completed data sets: both parts of the variance, priors that are shared, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import ArgumentTypeError, DataError, DataTypeError
from nutslite.results.container.inference_data import group_names

RNG = np.random.default_rng(4)
X = RNG.normal(size=60)
DATA = pd.DataFrame({"x": X, "y": 1.0 + X + RNG.normal(size=60), "g": np.repeat(["a", "b", "c"], 20)})


def completed(times, missing=25):
    """x is filled with draws from its regression on y, for its first rows."""
    rest = DATA.iloc[missing:]
    slope, intercept = np.polyfit(rest["y"], rest["x"], 1)
    sd = np.std(rest["x"] - intercept - slope * rest["y"])
    filled = []
    for _ in range(times):
        frame = DATA.copy()
        guess = intercept + slope * frame["y"].iloc[:missing] + sd * RNG.normal(size=missing)
        frame.loc[frame.index[:missing], "x"] = guess
        filled.append(frame)
    return filled


@pytest.fixture(scope="module")
def fits():
    return nl.fit_many("y ~ x", completed(3), fit={"random_seed": 1, "draws": 400, "progressbar": False})


def test_both_parts_of_the_variance(fits):
    slopes = [np.asarray(one.posterior["x"]) for one in fits.results]
    within = np.mean([draws.var(ddof=1) for draws in slopes])
    between = np.var([draws.mean() for draws in slopes], ddof=1)
    row = fits.table.loc["x"]
    assert row["within"] == pytest.approx(within)
    assert row["between"] == pytest.approx(between)
    assert row["sd"] == pytest.approx((within + 4 / 3 * between) ** 0.5)
    assert 0.0 < row["missing"] < 1.0
    assert row["mean"] == pytest.approx(float(fits.joined.posterior["x"].mean()))
    assert "3 completed data sets" in str(fits)
    assert "missing" in fits._repr_html_()
    assert "data sets it would hardly depend" in fits.note


def test_joined_draws_serve_as_results_of_the_first_model(fits):
    posterior = fits.joined.posterior
    assert dict(posterior.sizes)["chain"] == 12
    assert posterior["imputation"].values.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert np.array_equal(posterior["x"][4:8], fits.results[1].posterior["x"])
    found = nl.interpret.avg_comparisons(fits.models[0], fits.joined, "x")
    assert float(found.summary["estimate"].iloc[0]) == pytest.approx(fits.table.loc["x", "mean"], rel=1e-6)
    assert "observed_data" in group_names(fits.joined)
    with pytest.raises(DataTypeError, match=r"not a CompletedFits\. Its models\[0\] is one"):
        nl.interpret.avg_comparisons(fits, fits.joined, "x")


def test_priors_are_those_of_the_first_data_set(fits):
    assert len({str(model.priors.terms["mu"]["x"]) for model in fits.models}) == 1
    alone = nl.Model("y ~ x", fits.models[1].data)
    assert str(alone.priors.terms["mu"]["x"]) != str(fits.models[1].priors.terms["mu"]["x"])


def test_data_sets_without_gaps_have_one_part():
    same = nl.fit_many("y ~ x", [DATA, DATA], fit={"random_seed": 1, "draws": 500, "progressbar": False})
    assert same.table["missing"].max() < 0.02
    assert same.note == ""
    assert not np.array_equal(same.results[0].posterior["x"], same.results[1].posterior["x"])


@pytest.mark.parametrize(
    ("datasets", "error", "words"),
    [
        (DATA, ArgumentTypeError, "list of data sets"),
        ([DATA], DataError, "two are the fewest"),
        ([DATA, DATA.iloc[1:]], DataError, "59 rows"),
        ([DATA, DATA.assign(g=DATA["g"].replace("c", "d"))], DataError, "other levels"),
    ],
)
def test_data_sets_that_cannot_go_together(datasets, error, words):
    with pytest.raises(error, match=words):
        nl.fit_many("y ~ x + g", datasets)
