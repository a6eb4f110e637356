"""R-squared of rows as if each had been left out, beside leaving each out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import ArgumentError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 30))
DATA = pd.DataFrame({"y": 0.7 * X[0] + RNG.normal(size=30), **{f"x{j}": X[j] for j in range(6)}})
FORMULA = "y ~ " + " + ".join(f"x{j}" for j in range(6))


@pytest.fixture(scope="module")
def fitted():
    model = nl.Model(FORMULA, DATA, priors={"common": nl.Prior("Normal", mu=0, sigma=10)})
    return model, model.fit(random_seed=1, progressbar=False)


def test_left_out_rows_beside_least_squares(fitted):
    """Under vague priors the mean without a row is that of least squares, whose residuals are e / (1 - h)."""
    model, results = fitted
    design = np.column_stack([np.ones(30), X.T])
    hat = design @ np.linalg.solve(design.T @ design, design.T)
    y = DATA["y"].to_numpy()
    left_out = (y - hat @ y) / (1.0 - np.diag(hat))
    draws = model.r2_score(results, summary=False, kind="loo")
    shares = np.random.default_rng(2).dirichlet(np.ones(30), 4000)

    def variance(values):
        return shares @ values**2 - (shares @ values) ** 2

    expected = 1.0 - variance(left_out) / variance(y)
    assert draws.shape == (1, 4000)
    assert draws.mean() == pytest.approx(expected.mean(), abs=0.03)
    assert draws.std() == pytest.approx(expected.std(), rel=0.2)


def test_left_out_rows_are_explained_less(fitted):
    model, results = fitted
    loo = model.r2_score(results, kind="loo")
    assert loo["r2"] < model.r2_score(results)["r2"]
    assert loo.equals(model.r2_score(results, kind="loo"))
    with pytest.raises(ArgumentError, match="'residual'"):
        model.r2_score(results, kind="bayes")
