"""Survival curves: beside closed forms, survreg of R and the Kaplan-Meier curve of the remission data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import nutslite as nl
from nutslite.exceptions import ArgumentError, DataError
from nutslite.interpret import survival

# Weeks of remission of leukaemia under 6-mercaptopurine and placebo: Freireich et al. (1963), Blood 21, 699.
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
WEEKS = [5.0, 10.0, 20.0]


def remissions() -> pd.DataFrame:
    seen = np.array([*ENDED, *[1] * len(PLACEBO)])
    return pd.DataFrame(
        {
            "weeks": np.array([*TREATED, *PLACEBO], dtype=float),
            "status": np.where(seen == 1, "none", "right"),
            "drug": ["yes"] * len(TREATED) + ["no"] * len(PLACEBO),
        }
    )


def kaplan_meier(data: pd.DataFrame, at: float) -> float:
    """The product over times of events of what share of those still there had none."""
    times = data["weeks"].to_numpy()
    events = data["status"].to_numpy() == "none"
    found = 1.0
    for time in np.unique(times[events]):
        if time <= at:
            found *= 1.0 - np.sum(events & (times == time)) / np.sum(times >= time)
    return found


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, nl.InferenceData]:
    flat = {"common": nl.Prior("Normal", mu=0, sigma=10), "alpha": nl.Prior("HalfNormal", sigma=10)}
    model = nl.Model("censored(weeks, status) ~ drug", remissions(), family="weibull", priors=flat, auto_scale=False)
    return model, model.fit(draws=1000, chains=2, random_seed=1, progressbar=False)


def test_the_model_is_that_of_survreg(fitted) -> None:
    """R's MASS, example of gehan: ``survreg(Surv(time, cens) ~ treat)`` has -1.267 (0.311) and log(scale) -0.312."""
    posterior = fitted[1]["posterior"]
    slope, shape = posterior["drug"].values.reshape(-1), np.log(posterior["alpha"].values.reshape(-1))
    assert slope.mean() == pytest.approx(1.267, abs=0.3 * 0.311)
    assert slope.std() == pytest.approx(0.311, rel=0.2)
    assert shape.mean() == pytest.approx(0.312, abs=0.06)


def test_curves_are_means_of_closed_forms(fitted) -> None:
    model, results = fitted
    posterior, data = results["posterior"], remissions()
    intercept, slope, alpha = (posterior[name].values.reshape(-1, 1) for name in ("Intercept", "drug", "alpha"))
    drug = (data["drug"] == "yes").to_numpy()
    scale = np.exp(intercept + slope * drug) / special.gamma(1.0 + 1.0 / alpha)
    answers = survival(model, results, WEEKS, conditional="drug")
    everyone = survival(model, results, WEEKS)
    for k, week in enumerate(WEEKS):
        each = stats.weibull_min(alpha, scale=scale).sf(week)
        assert everyone.summary["estimate"].iloc[k] == pytest.approx(each.mean(), rel=1e-9)
        for name, rows in (("yes", drug), ("no", ~drug)):
            table = answers.summary
            own = table[(table["time"] == week) & (table["drug"] == name)]
            assert own["estimate"].item() == pytest.approx(each[:, rows].mean(), rel=1e-9)
    assert everyone.draws.dims == ("chain", "draw", "row")
    assert everyone.summary["time"].tolist() == WEEKS


def test_it_is_near_the_curves_of_kaplan_and_meier(fitted) -> None:
    model, results = fitted
    data = remissions()
    for row in survival(model, results, [7.0, 10.0, 16.0, 22.0], conditional="drug").summary.itertuples():
        assert row.estimate == pytest.approx(kaplan_meier(data[data["drug"] == row.drug], row.time), abs=0.1)
    for row in survival(model, results, [7.0, 10.0, 16.0, 22.0]).summary.itertuples():
        assert row.estimate == pytest.approx(kaplan_meier(data, row.time), abs=0.07)
    assert kaplan_meier(data[data["drug"] == "yes"], 10.0) == pytest.approx(0.7529, abs=1e-4)  # as published


def test_pictures_and_times_by_default(fitted) -> None:
    model, results = fitted
    answers = survival(model, results, conditional="drug", draws=10)
    assert answers.summary["time"].max() == 35.0
    assert answers.summary.query("time == 0")["estimate"].tolist() == [1.0, 1.0]
    ax = answers.plot().axes[0]
    assert ax.get_xlabel() == "time"
    assert ax.get_ylabel() == "survival"


def test_counts_and_bounds() -> None:
    """Above t means t + 1 or more; people who join late are of the same population."""
    data = pd.DataFrame({"k": [1.0, 2.0, 4.0, 6.0, 3.0, 2.0]})
    model = nl.Model("truncated(k, lb=1) ~ 1", data, family="poisson")
    results = model.fit(draws=50, chains=2, random_seed=1, progressbar=False)
    mu = np.exp(results["posterior"]["Intercept"].values.reshape(-1))
    answers = survival(model, results, [0, 2.5])
    for time, found in zip((0, 2.5), answers.summary["estimate"], strict=True):
        assert found == pytest.approx(stats.poisson(mu).sf(time).mean(), rel=1e-10)


def test_what_is_refused(fitted) -> None:
    model, results = fitted
    with pytest.raises(ArgumentError, match="finite numbers"):
        survival(model, results, [1.0, np.nan])
    with pytest.raises(ArgumentError, match="are numbers"):
        survival(model, results, "week 3")
    binary = nl.Model("drug ~ 1", remissions(), family="bernoulli")
    with pytest.raises(DataError, match="does not say how probable"):
        survival(binary, results, [1.0])
