"""Priors that are others for each level of a categorical response."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import PriorError
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.priors.prior import Prior

NARROW, ABOVE = Prior("Normal", mu=0.5, sigma=0.1), Prior("StudentT", nu=3, mu=0, sigma=1, lower=0)


def some_data(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n), "c": np.resize(list("uvw"), n)})


def a_model(priors: Any, **options: Any) -> nl.Model:
    return nl.Model("c ~ x + z", some_data(), family="categorical", priors=priors, **options)


def test_the_joint_density_has_each_prior_in_its_place() -> None:
    data = some_data()
    own = {"x": {"v": NARROW, "w": ABOVE}, "z": {"w": NARROW}, "Intercept": {"v": NARROW}}
    model = a_model(own, center_predictors=False)
    density = model.backend.model
    plain = a_model(None, center_predictors=False)
    rng = np.random.default_rng(1)
    start = {name: value + rng.normal(0.0, 0.3, np.shape(value)) for name, value in density.initial_point().items()}
    point = density.to_natural(start)
    eta = np.zeros((len(data), 3))
    eta[:, 1:] = point["Intercept"] + np.outer(data.x, point["x"]) + np.outer(data.z, point["z"])
    eta -= np.log(np.exp(eta).sum(axis=1))[:, None]
    expected = eta[np.arange(len(data)), pd.factorize(data.c)[0]].sum()
    defaults = {name: plain.priors.terms["p"][name].args for name in ("Intercept", "z")}
    narrow = stats.norm(0.5, 0.1)
    normal = {
        name: stats.norm(float(np.ravel(a["mu"])[0]), float(np.ravel(a["sigma"])[0])) for name, a in defaults.items()
    }
    expected += narrow.logpdf(point["x"][0]) + stats.t(3).logpdf(point["x"][1]) + np.log(2.0) + np.log(point["x"][1])
    expected += normal["z"].logpdf(point["z"][0]) + narrow.logpdf(point["z"][1])
    expected += narrow.logpdf(point["Intercept"][0]) + normal["Intercept"].logpdf(point["Intercept"][1])
    assert density.logp(start) == pytest.approx(float(expected), rel=1e-11)


def test_draws_of_the_prior_and_what_is_shown() -> None:
    model = a_model({"x": {"v": NARROW, "w": ABOVE}})
    assert "v: Normal(mu: 0.5, sigma: 0.1); w: StudentT(nu: 3, mu: 0, sigma: 1, lower: 0)" in " ".join(
        str(model).split()
    )
    values, effects = draw_prior(assembled_of(model), 1000, np.random.default_rng(1))
    drawn = assembled_of(model).layout.unpack(values, effects)["x"]
    assert stats.kstest(drawn[:, 0], stats.norm(0.5, 0.1).cdf).pvalue > 1e-3
    assert stats.kstest(drawn[:, 1], lambda x: 2.0 * stats.t(3).cdf(x) - 1.0).pvalue > 1e-3


def test_a_general_prior_is_of_the_other_levels() -> None:
    model = a_model({"common": Prior("Normal", mu=0, sigma=7), "x": {"w": NARROW}})
    terms = model.priors.terms["p"]
    assert [prior.args["sigma"] for prior in terms["x"].priors] == [7, 0.1]
    assert terms["z"].args["sigma"] == 7


def test_they_are_saved(tmp_path: Any) -> None:
    model = a_model({"x": {"w": NARROW}})
    model.save(tmp_path / "model.zip")
    assert str(nl.Model.load(tmp_path / "model.zip")) == str(model)


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"x": {"q": NARROW}}, "'q' is no level of the response"),
        ({"x": {"u": NARROW}}, "'u' is no level of the response that has coefficients"),
        ({"x": {"w": 3.0}}, "for the level 'w' must be a Prior"),
        ({"x": {"w": Prior("Normal", mu=0, sigma=Prior("HalfNormal"))}}, "hyperprior"),
        ({"x": {"w": Prior("Horseshoe")}}, "single levels of the response"),
        (
            {"x": {"w": NARROW}, "common": Prior("Normal", mu=0, sigma=Prior("HalfNormal"))},
            "about all its coefficients",
        ),
    ],
)
def test_what_is_wrong_is_said(priors: Any, words: str) -> None:
    with pytest.raises(PriorError, match=words):
        a_model(priors)
