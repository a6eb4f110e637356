"""Projections beside least squares and score equations, and terms that matter beside those that do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.comparison import projection
from nutslite.comparison.submodels import Reference, project
from nutslite.exceptions import ArgumentError

RNG = np.random.default_rng(8)
N = 120
X = RNG.normal(size=(6, N))
DATA = pd.DataFrame({f"x{j}": X[j] for j in range(6)})
ETA = 0.8 * X[1] - 0.7 * X[4]
DATA["y"] = 0.5 + ETA + RNG.normal(size=N)
DATA["c"] = RNG.poisson(np.exp(0.3 + ETA))
DATA["b"] = RNG.integers(0, 2, N)
DATA["g"] = np.repeat(["a", "b", "c", "d"], N // 4)
FORMULA = " ~ " + " + ".join(f"x{j}" for j in range(6))


@pytest.fixture(scope="module")
def gaussian():
    model = nl.Model("y" + FORMULA, DATA)
    return model, model.fit(draws=500, random_seed=1, progressbar=False)


def test_terms_that_matter_come_first(gaussian):
    found = projection(*gaussian)
    assert found.table["term"].tolist()[1:3] == ["x1", "x4"]
    assert found.suggested_size == 2
    assert found.terms == ["x1", "x4"]
    assert "2 of 6 terms" in found.verdict()
    assert found.table["divergence"].is_monotonic_decreasing
    assert "x4" in str(found)
    assert "x4" in found._repr_html_()


def test_the_whole_model_is_its_own_projection(gaussian):
    model, results = gaussian
    found = projection(model, results, draws=200)
    last = found.table.iloc[-1]
    assert last["difference"] == pytest.approx(0.0, abs=1e-6)
    assert last["divergence"] == pytest.approx(0.0, abs=1e-10)
    own = results.posterior["x3"].to_numpy().ravel()
    places = np.linspace(0, own.size - 1, 200).round().astype(int)
    assert np.allclose(found.draws(6)["x3"], own[places])
    assert found.reference_elpd == pytest.approx(last["elpd"])


def test_gaussian_projections_are_least_squares(gaussian):
    found = projection(*gaussian, terms=["x4"])
    assert found.table["term"].tolist() == ["", "x4"]  # the others are always there
    assert list(found.draws(0).columns) == ["Intercept", "x0", "x1", "x2", "x3", "x5"]


@pytest.mark.parametrize(("family", "trials"), [("poisson", 1.0), ("bernoulli", 1.0), ("binomial", 7.0)])
def test_other_projections_solve_the_score_equations(family, trials):
    eta = 0.2 + 0.6 * X[1] - 0.9 * X[4] + RNG.normal(0.0, 0.1, (3, N))
    means = np.exp(eta) if family == "poisson" else 1.0 / (1.0 + np.exp(-eta))
    offset = 0.1 * X[0]
    columns = np.vstack([np.ones(N), X[1]])
    reference = Reference(family, means, np.ones(3), np.full(N, trials), offset)
    found = project(reference, columns)
    predicted = found.coefficients @ columns + offset
    fitted = np.exp(predicted) if family == "poisson" else 1.0 / (1.0 + np.exp(-predicted))
    assert np.allclose((means - fitted) @ columns.T, 0.0, atol=1e-6)
    assert (found.divergence > 0.0).all()
    whole = project(reference, np.vstack([columns, X[4], X[0]]))
    assert (whole.divergence < 0.2 * found.divergence).all()


def test_counts():
    model = nl.Model("c" + FORMULA, DATA, family="poisson")
    found = projection(model, model.fit(draws=300, random_seed=1, progressbar=False), draws=100)
    assert set(found.table["term"].iloc[1:3]) == {"x1", "x4"}
    assert found.suggested_size == 2
    assert found.table["difference"].iloc[-1] == pytest.approx(0.0, abs=1e-5)


def test_shares():
    data = DATA.assign(n=9, k=RNG.binomial(9, 1 / (1 + np.exp(-ETA))))
    model = nl.Model("p(k, n) ~ x1 + x4 + x5", data, family="binomial")
    found = projection(model, model.fit(draws=300, random_seed=1, progressbar=False), draws=100)
    assert set(found.terms) == {"x1", "x4"}
    assert found.table["difference"].iloc[-1] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ x0 + (1|g)", {}, "group-specific"),
        ("y ~ x0", {"family": "t"}, "t with link"),
        ("b ~ x0", {"family": "bernoulli", "link": "probit"}, "link probit"),
        ("y ~ 1", {}, "no terms"),
    ],
)
def test_models_that_cannot_be_projected(formula, options, words):
    model = nl.Model(formula, DATA, **options)
    results = model.fit(draws=50, random_seed=1, progressbar=False)
    with pytest.raises(ArgumentError, match=words):
        projection(model, results)


def test_arguments_that_mean_nothing(gaussian):
    with pytest.raises(ArgumentError, match="no term 'x9'"):
        projection(*gaussian, terms=["x9"])
    with pytest.raises(ArgumentError, match="at least 2"):
        projection(*gaussian, draws=1)
    with pytest.raises(ArgumentError, match="from 0 to 6"):
        projection(*gaussian).draws(7)
