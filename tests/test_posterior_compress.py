"""Merging equal rows and the Laplace approximation: the same density from fewer rows, a good guess in no time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_models import assembled_of

from nutslite.exceptions import SamplingError
from nutslite.families.record.censoring import compiled_logliks
from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.record.model_data import reference_to
from nutslite.priors.densities.densities import log_density_gradient
from nutslite.results.container.inference_data import get_group
from nutslite.results.diagnostics.summary import summary


def answers(n: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    c, g = rng.integers(0, 3, n), rng.integers(0, 12, n)
    eta = np.array([-0.5, 0.2, 0.9])[c] + 0.6 * rng.normal(size=12)[g]
    return pd.DataFrame(
        {
            "b": (rng.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(int),
            "k": rng.poisson(np.exp(eta)),
            "c": np.array(["u", "v", "w"])[c],
            "g": [f"g{i:02d}" for i in g],
            "w": rng.integers(1, 4, n).astype(float),
            "x": rng.normal(size=n),
        }
    )


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("b ~ c + (1|g)", "bernoulli"),
        ("k ~ c + (c|g)", "poisson"),
        ("k ~ c + (1|g)", "negativebinomial"),
        ("weighted(b, w) ~ c", "bernoulli"),
        (Formula("k ~ c + (c|p|g)", "alpha ~ c + (1|p|g)"), "negativebinomial"),
    ],
)
def test_merged_rows_give_the_same_density_and_gradient(formula, family):
    model = Model(formula, answers(), family=family)
    data = assembled_of(model).data
    merged = merge_equal_rows(data)
    assert merged is not None
    assert merged.y.shape[1] < 0.2 * data.y.shape[1]
    total = data.weights.sum() if data.weights.size else data.y.shape[1]
    assert merged.weights.sum() == pytest.approx(total)
    kernel = compiled_logliks(model.family)
    rng = np.random.default_rng(6)
    for _ in range(3):
        position = rng.normal(0.0, 0.5, assembled_of(model).layout.dimension)
        gradients = np.empty((2, position.size))
        values = [
            compiled_joint()(
                position, gradient, (reference_to(record), with_derived(record.head, log_density_gradient), kernel)
            )
            for gradient, record in zip(gradients, (data, merged), strict=True)
        ]
        np.testing.assert_allclose(values[1], values[0], rtol=1e-11)
        np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-9, atol=1e-9)


def test_rows_that_differ_are_left_alone():
    assert merge_equal_rows(assembled_of(Model("b ~ x", answers(), family="bernoulli")).data) is None
    assert merge_equal_rows(assembled_of(Model("b ~ c", answers(300), family="bernoulli")).data) is None


def test_the_plan_says_that_rows_were_merged_and_can_be_told_not_to():
    model = Model("b ~ c + (1|g)", answers(), family="bernoulli")
    assert "3,000 rows are 72 different ones" in str(model.plan())
    apart = model.plan(merge=False)
    assert apart.merged is None
    assert "different ones" not in str(apart)
    tables = [
        summary(model.fit(draws=1500, random_seed=1, progressbar=False, plan=plan), round_to="none")
        for plan in (model.plan(), apart)
    ]
    z = (tables[0]["mean"] - tables[1]["mean"]) / np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])
    assert z.abs().max() < 4.5


@pytest.mark.parametrize("family", ["bernoulli", "gaussian"])
def test_laplace_is_close_where_data_are_many(family):
    frame = answers()
    frame["y"] = frame["k"] + 0.5 * frame["x"]
    formula = "b ~ c + x" if family == "bernoulli" else "y ~ c + x + (1|g)"
    model = Model(formula, frame, family=family)
    approximate = model.fit(draws=2000, random_seed=1, inference_method="laplace")
    assert set(get_group(approximate, "sample_stats").data_vars) == {"lp", "log_q"}
    assert get_group(approximate, "posterior").attrs["inference_method"] == "laplace"
    exact = model.fit(draws=2000, random_seed=1, progressbar=False)
    rows = [name for name in summary(exact).index if "|" not in name]
    tables = [summary(results, round_to="none").loc[rows] for results in (approximate, exact)]
    assert ((tables[0]["mean"] - tables[1]["mean"]).abs() < 0.1 * tables[1]["sd"]).all()
    np.testing.assert_allclose(tables[0]["sd"], tables[1]["sd"], rtol=0.08)


def test_laplace_without_a_pilot_is_refused():
    model = Model("b ~ c + (1|g)", answers(), family="bernoulli")
    with pytest.raises(SamplingError, match="No Laplace approximation"):
        model.fit(inference_method="laplace", pilot=False)
