"""Intraclass correlations beside the same arithmetic by hand, on draws of a prior in the place of a posterior's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite import interpret
from nutslite.exceptions import DataError
from nutslite.results.container.inference_data import get_group, to_inference_data

DATA = grouped_data()


def asked(formula, family="gaussian", **options):
    """A model, results, and draws by name, (draws, ...)."""
    model = nl.Model(formula, DATA, family=family, **options)
    prior = get_group(model.prior_predictive(draws=80, random_seed=1), "prior")
    draws = {str(name): np.asarray(values) for name, values in prior.data_vars.items()}
    results = to_inference_data({"posterior": draws}, dims={}, coords={})
    return model, results, {name: values[0] for name, values in draws.items()}


def means_of(model, results):
    table = interpret.icc(model, results)
    assert list(table.columns) == ["estimate", "sd", "lower", "upper"]
    return table["estimate"]


def test_intercepts_of_two_factors() -> None:
    model, results, d = asked("y ~ x + (1|g) + (1|h)")
    found = means_of(model, results)
    g, h, rest = d["1|g_sigma"] ** 2, d["1|h_sigma"] ** 2, d["sigma"] ** 2
    common = (d["x"] ** 2) * DATA["x"].var(ddof=0)
    assert found.index.tolist() == ["g", "h", "adjusted", "conditional"]
    assert found["g"] == pytest.approx((g / (g + h + rest)).mean())
    assert found["adjusted"] == pytest.approx(((g + h) / (g + h + rest)).mean())
    assert found["conditional"] == pytest.approx(((g + h) / (g + h + rest + common)).mean())


def test_correlated_slopes() -> None:
    """The mean over rows of z' S z, made row by row."""
    model, results, d = asked("y ~ x + (c + x|i|g)")
    sds = np.column_stack([d["1|g_sigma"], d["c|g_sigma"], d["x|g_sigma"]])
    name = next(name for name in d if name.endswith("_corr"))
    z = np.column_stack([np.ones(len(DATA)), DATA["c"] == "v", DATA["c"] == "w", DATA["x"]]).astype(float)
    expected = []
    for k in range(len(sds)):
        cor = np.eye(4)
        cor[np.triu_indices(4, 1)] = d[name][k]
        s = sds[k][:, None] * (cor + np.triu(cor, 1).T) * sds[k]
        between = np.mean([row @ s @ row for row in z])
        expected.append(between / (between + d["sigma"][k] ** 2))
    assert means_of(model, results)["g"] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("family", "link", "response", "residual"),
    [
        ("bernoulli", "logit", "b", math.pi**2 / 3.0),
        ("bernoulli", "probit", "b", 1.0),
        ("bernoulli", "cloglog", "b", math.pi**2 / 6.0),
        ("binomial", "logit", "p(s, trials)", math.pi**2 / 3.0),
    ],
)
def test_thresholds(family: str, link: str, response: str, residual: float) -> None:
    model, results, d = asked(f"{response} ~ x + (1|g)", family, link=link)
    g = d["1|g_sigma"] ** 2
    assert means_of(model, results)["adjusted"] == pytest.approx((g / (g + residual)).mean())


def test_counts() -> None:
    """log(1 + V / m^2) at the mean over rows and groups: of a null model that is Nakagawa's exp(b0 + v / 2)."""
    model, results, d = asked("k ~ 1 + (1|g)", "negativebinomial")
    g = d["1|g_sigma"] ** 2
    mean = np.exp(d["Intercept"] + g / 2.0)
    residual = np.log1p(1.0 / mean + 1.0 / d["alpha"])
    assert means_of(model, results)["g"] == pytest.approx((g / (g + residual)).mean())


def test_refusals() -> None:
    with pytest.raises(DataError, match="no group-specific terms"):
        interpret.icc(*asked("y ~ x")[:2])
    with pytest.raises(DataError, match=r"vary alike; those of '1\|gr\(g, by=side\)' do not"):
        interpret.icc(*asked("y ~ x + (1|gr(g, by=side))")[:2])
    with pytest.raises(DataError, match=r"vary alike; those of '1\|gr\(g, sd=size\)' do not"):
        interpret.icc(*asked("y ~ x + (1|gr(g, sd=size))")[:2])
    with pytest.raises(DataError, match="family='beta' with link 'logit'"):
        interpret.icc(*asked("unit ~ x + (1|g)", "beta")[:2])
    with pytest.raises(DataError, match="family='lognormal' with link 'identity'"):
        interpret.icc(*asked("pos ~ x + (1|g)", "lognormal")[:2])
    heavy = nl.Prior("StudentT", nu=4, mu=0, sigma=nl.Prior("HalfNormal", sigma=1))
    with pytest.raises(DataError, match=r"Normal prior; '1\|g' has StudentT"):
        interpret.icc(*asked("y ~ x + (1|g)", priors={"1|g": heavy})[:2])
