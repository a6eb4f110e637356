"""`Model.r2_score`: Bayesian R-squared against its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_models import GENERAL, grouped_data, small_model

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.results.container.inference_data import get_group

SHORT: dict[str, Any] = {
    "draws": 50, "tune": 50, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False,
}  # fmt: skip


def r_squared(y: Any, mean: np.ndarray) -> np.ndarray:
    explained = mean.var(axis=-1)
    return np.asarray(explained / (explained + (np.asarray(y) - mean).var(axis=-1)))


def test_gaussian() -> None:
    data = grouped_data()
    model = nl.Model("y ~ x + z + (1|g)", data)
    results = model.fit(**SHORT, include_response_params=True)
    expected = r_squared(data.y, get_group(results, "posterior")["mu"].to_numpy())
    draws = model.r2_score(results, summary=False)
    assert draws.shape == (2, 50)
    np.testing.assert_allclose(draws, expected)
    table = model.r2_score(results)
    assert list(table.index) == ["r2", "r2_std", "hdi_3%", "hdi_97%"]
    assert table["r2"] == pytest.approx(expected.mean())
    assert table["r2_std"] == pytest.approx(expected.std(ddof=1))
    assert table["hdi_3%"] < table["r2"] < table["hdi_97%"]


def test_counts_of_trials() -> None:
    """Means are counts, as the response is."""
    data = grouped_data()
    model = small_model(GENERAL["binomial, probit"])
    results = model.fit(**SHORT, include_response_params=True)
    mean = get_group(results, "posterior")["p"].to_numpy() * data.trials.to_numpy()
    np.testing.assert_allclose(model.r2_score(results, summary=False), r_squared(data.s, mean))


def test_the_results_stay_as_they_are() -> None:
    model = nl.Model("y ~ x", grouped_data())
    results = model.fit(**SHORT)
    model.r2_score(results)
    assert "mu" not in get_group(results, "posterior")


def test_a_better_model_explains_more() -> None:
    data = grouped_data()
    scores = [
        model.r2_score(model.fit(**SHORT))["r2"]
        for model in (nl.Model("y ~ 1", data), nl.Model("y ~ x", data), nl.Model("y ~ x + z + (1|g)", data))
    ]
    assert scores[0] == pytest.approx(0.0, abs=1e-9)
    assert scores[0] < scores[1] < scores[2] < 1.0


def test_residual_variance_of_the_model() -> None:
    """sigma^2 of a Gaussian model, n p (1 - p) of counts of trials."""
    data = grouped_data()
    model = nl.Model("y ~ x", data)
    results = model.fit(**SHORT, include_response_params=True)
    posterior = get_group(results, "posterior")
    explained = posterior["mu"].to_numpy().var(axis=-1)
    expected = explained / (explained + posterior["sigma"].to_numpy() ** 2)
    np.testing.assert_allclose(model.r2_score(results, summary=False, kind="model"), expected)

    model = small_model(GENERAL["binomial, probit"])
    results = model.fit(**SHORT, include_response_params=True)
    p, n = get_group(results, "posterior")["p"].to_numpy(), data.trials.to_numpy()
    explained = (n * p).var(axis=-1)
    expected = explained / (explained + (n * p * (1.0 - p)).mean(axis=-1))
    np.testing.assert_allclose(model.r2_score(results, summary=False, kind="model"), expected)


def test_a_variance_without_closed_form() -> None:
    data = grouped_data()
    model = nl.Model("p(s, trials) ~ x", data, family="beta_binomial")
    with pytest.raises(DataError, match=r"family='beta_binomial' in closed form.*kind='residual'"):
        model.r2_score(model.fit(**SHORT), kind="model")
