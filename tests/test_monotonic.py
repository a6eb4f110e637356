"""Monotonic effects: columns, density, posterior by quadrature, and all that results hold of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import FormulaError
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.plan import make_plan
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior

LEVELS = ["low", "middle", "high"]


def some_data(n: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"x": rng.integers(3, 8, n), "z": rng.normal(size=n), "b": rng.integers(0, 2, n)})
    data["f"] = pd.Categorical(np.array(LEVELS)[rng.integers(0, 3, n)], categories=LEVELS, ordered=True)
    data["y"] = np.array([0.0, 0.2, 1.5, 1.6, 2.0])[data.x - 3] + 0.3 * data.z + rng.normal(size=n)
    data["k"] = rng.poisson(np.exp(0.2 * data.x - 0.5))
    return data


def test_the_joint_density_is_that_of_the_formula() -> None:
    data = some_data()
    priors = {
        "mo(x)": {"slope": Prior("Normal", mu=0, sigma=2), "simplex": [1.0, 2.0, 3.0, 0.5]},
        "Intercept": Prior("Normal", mu=0, sigma=3),
        "z": Prior("Normal", mu=0, sigma=1),
        "sigma": 1.1,
    }
    density = nl.Model("y ~ mo(x) + z", data, priors=priors).backend.model
    rng = np.random.default_rng(1)
    start = {name: value + rng.normal(0.0, 0.5, np.shape(value)) for name, value in density.initial_point().items()}
    point = density.to_natural(start)
    shares = point["mo(x)_simplex"]
    assert shares.sum() == pytest.approx(1.0)
    effect = point["mo(x)"] * 4 * np.concatenate([[0.0], np.cumsum(shares)])[data.x - 3]
    mu = point["Intercept"] + effect + point["z"] * data.z
    expected = stats.norm(mu, 1.1).logpdf(data.y).sum()
    expected += stats.norm(0, 2).logpdf(point["mo(x)"]) + stats.norm(0, 1).logpdf(point["z"])
    expected += stats.norm(0, 3).logpdf(point["Intercept"] + (effect + point["z"] * data.z).mean())
    expected += stats.dirichlet([1.0, 2.0, 3.0, 0.5]).logpdf(shares)
    jacobian = np.log(shares).sum() + 0.5 * np.log(4.0)
    assert density.logp(start) == pytest.approx(float(expected + jacobian), rel=1e-10)
    back = density.to_unconstrained(point)
    np.testing.assert_allclose(back["mo(x)_simplex_simplex__"], start["mo(x)_simplex_simplex__"], atol=1e-12)


def test_one_step_is_a_column_of_zeros_and_ones() -> None:
    """The shares of one step are one, so that nothing is left of them."""
    data = some_data()
    densities = [nl.Model(f"k ~ {term} + z", data, family="poisson").backend.model for term in ("mo(b)", "b")]
    point = {"Intercept": 0.2, "z": -0.1}
    found = []
    for density, name in zip(densities, ("mo(b)", "b"), strict=True):
        simplex = {"mo(b)_simplex": [1.0]} if name == "mo(b)" else {}
        found.append(density.logp({**point, name: 0.4, **simplex}))
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_raw_intercepts_have_the_same_likelihood() -> None:
    data = some_data()
    centred, raw = (
        nl.Model("k ~ mo(x) + z", data, family="poisson", center_predictors=centred).backend.model
        for centred in (True, False)
    )
    point = {"Intercept": 0.2, "z": 0.1, "mo(x)": 0.3, "mo(x)_simplex": [0.1, 0.2, 0.3, 0.4]}
    for density in (centred, raw):
        assert density.to_natural(density.to_unconstrained(point))["Intercept"] == pytest.approx(0.2)
    start = {name: value + 0.3 for name, value in raw.initial_point().items()}
    gradient = raw.dlogp(start)
    for name in ("mo(x)", "Intercept_centered"):
        moved = [raw.logp({**start, name: start[name] + step}) for step in (1e-5, -1e-5)]
        assert gradient[name] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-5)


def test_columns_may_be_read_by_code() -> None:
    rng = np.random.default_rng(2)
    data = pd.concat([some_data()] * 12).assign(z=rng.normal(size=48 * 12), x=rng.integers(0, 12, 48 * 12))
    assembled = assembled_of(nl.Model("y ~ mo(x) + z", data))
    assert assembled.data.codes.blocks.size
    positions = np.random.default_rng(3).normal(0.0, 0.3, (2, assembled.layout.dimension))
    found = [
        JointTarget(assembled, False, rows).log_densities(positions, 1)
        for rows in (None, without_codes(assembled.data))
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-11)
    assert "columns are read by code" in " ".join(str(make_plan(assembled)).split())


def test_draws_of_the_prior() -> None:
    model = nl.Model("y ~ mo(x)", some_data(), priors={"mo(x)": {"simplex": Prior("Dirichlet", a=[1, 2, 3, 0.5])}})
    assembled = assembled_of(model)
    values, effects = draw_prior(assembled, 3000, np.random.default_rng(1))
    shares = assembled.layout.unpack(values, effects)["mo(x)_simplex"]
    for i, a in enumerate([1, 2, 3, 0.5]):
        assert stats.kstest(shares[:, i], stats.beta(a, 6.5 - a).cdf).pvalue > 1e-3
    slope = assembled.layout.unpack(values, effects)["mo(x)"]
    np.testing.assert_allclose(values[:, -4:], slope[:, None] * (4 * shares - 1), rtol=1e-9)


def test_the_posterior_is_that_of_quadrature() -> None:
    """Two steps: the slope and the first share by a sum over a grid."""
    data = some_data()
    place = data.f.cat.codes.to_numpy()
    y = (data.y - data.y.mean()).to_numpy()
    priors = {"mo(f)": Prior("Normal", mu=0, sigma=1), "sigma": 1.2}
    results = nl.Model("y ~ 0 + mo(f)", data.assign(y=y), priors=priors).fit(
        draws=1000, chains=2, random_seed=2, progressbar=False
    )
    slope, share = np.meshgrid(np.linspace(-1.5, 1.5, 401), (np.arange(400) + 0.5) / 400, indexing="ij")
    log_weight = stats.norm(0, 1).logpdf(slope)
    for level, effect in enumerate([np.zeros_like(slope), 2 * slope * share, 2 * slope]):
        for value in y[place == level]:
            log_weight = log_weight + stats.norm(effect, 1.2).logpdf(value)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    for name, grid in (("mo(f)", slope), ("mo(f)_simplex", share)):
        mean = (weight * grid).sum()
        sd = np.sqrt((weight * (grid - mean) ** 2).sum())
        drawn = results.posterior[name].to_numpy()
        drawn = drawn[..., 0] if drawn.ndim == 3 else drawn
        assert drawn.mean() == pytest.approx(mean, abs=4.0 * sd / np.sqrt(400))
        assert drawn.std() == pytest.approx(sd, rel=0.15)


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = nl.Model("k ~ mo(x) + mo(f) + z", some_data(), family="poisson")
    return model, model.fit(draws=100, tune=100, chains=2, random_seed=1, progressbar=False)


def test_results_have_slope_and_shares(fitted: tuple[nl.Model, Any]) -> None:
    posterior = fitted[1].posterior
    assert posterior["mo(x)"].dims == ("chain", "draw")
    assert posterior["mo(x)_simplex"].dims == ("chain", "draw", "mo(x)_simplex_dim")
    assert posterior["mo(x)_simplex_dim"].to_numpy().tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(posterior["mo(f)_simplex"].sum("mo(f)_simplex_dim"), 1.0)


def test_predictions_are_those_of_the_formula(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    posterior, new = results.posterior, some_data().iloc[5:12].reset_index(drop=True)
    found = model.predict(results, data=new, inplace=False).predictions["mu"].to_numpy()
    eta = posterior["Intercept"].to_numpy()[..., None] + posterior["z"].to_numpy()[..., None] * new.z.to_numpy()
    for name, place in (("mo(x)", new.x.to_numpy() - 3), ("mo(f)", new.f.cat.codes.to_numpy())):
        shares = posterior[f"{name}_simplex"].to_numpy()
        sums = np.concatenate([np.zeros((*shares.shape[:2], 1)), np.cumsum(shares, axis=2)], axis=2)
        eta = eta + posterior[name].to_numpy()[..., None] * shares.shape[2] * sums[..., place]
    np.testing.assert_allclose(found, np.exp(eta), rtol=1e-10)


def test_levels_that_the_model_has_not_seen_are_refused(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    new = some_data().iloc[:3]
    with pytest.raises(FormulaError, match=r"x in mo.. is 9 in 3 rows.*from 3 to 7"):
        model.predict(results, data=new.assign(x=9))
    with pytest.raises(FormulaError, match=r"f in mo.. is huge in 3 rows.*low, middle, high"):
        model.predict(results, data=new.assign(f="huge"))


def test_log_priors(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    found = model.compute_log_prior(results, inplace=False).log_prior
    assert found["mo(x)_simplex"].dims == ("chain", "draw")
    np.testing.assert_allclose(found["mo(x)_simplex"], stats.dirichlet(np.ones(4)).logpdf(np.full(4, 0.25)))
    prior = assembled_of(model).spec.priors.terms["mu"]["mo(x)"].args
    expected = stats.norm(prior["mu"], prior["sigma"]).logpdf(results.posterior["mo(x)"])
    np.testing.assert_allclose(found["mo(x)"], expected, rtol=1e-9)


def test_it_is_saved_and_drawn(fitted: tuple[nl.Model, Any], tmp_path: Any) -> None:
    model = fitted[0]
    model.save(tmp_path / "model.zip")
    again = nl.Model.load(tmp_path / "model.zip")
    assert str(again) == str(model)
    assert '"mo(x)_simplex" -> "mu"' in str(model.graph())
    assert "No pilot ('mo(x)' is a monotonic effect)" in " ".join(str(again.plan()).split())


def test_start_values_of_shares() -> None:
    model = nl.Model("y ~ mo(x)", some_data())
    density = model.backend.model
    start = density.initial_point()
    assert start["mo(x)_simplex_simplex__"].shape == (3,)
    with pytest.raises(ValueError, match="sum to one"):
        model.fit(start={"mo(x)_simplex": [0.1, 0.1, 0.1, 0.1]}, draws=10)
    with pytest.raises(ValueError, match="shape"):
        model.fit(start={"mo(x)_simplex": [0.5, 0.5]}, draws=10)


def test_times_other_columns_it_has_a_slope_for_each_and_shares_of_its_own() -> None:
    """The density, term by term, by hand."""
    data = some_data()
    formula = "y ~ mo(x)*z + mo(f):b"
    shares = {"simplex": 2.0}
    priors = {"mo(x)": shares, "mo(x):z": {"simplex": [1.0, 2.0, 3.0, 0.5]}, "mo(f):b": shares, "sigma": 1.1}
    slopes = {name: Prior("Normal", mu=0, sigma=2) for name in ("z",)}
    model = nl.Model(formula, data, priors={**priors, **slopes})
    density = model.backend.model
    rng = np.random.default_rng(1)
    start = {name: value + rng.normal(0.0, 0.5, np.shape(value)) for name, value in density.initial_point().items()}
    point = density.to_natural(start)
    assert {"z", "mo(x)", "mo(x):z", "mo(f):b", "mo(x):z_simplex", "mo(f):b_simplex"} <= set(point)

    def effect(term: str, place: Any) -> Any:
        own = point[f"{term}_simplex"]
        return point[term] * own.size * np.concatenate([[0.0], np.cumsum(own)])[np.asarray(place)]

    mu = point["Intercept"] + effect("mo(x)", data.x - 3) + point["z"] * data.z
    mu = mu + effect("mo(x):z", data.x - 3) * data.z + effect("mo(f):b", data.f.cat.codes) * data.b
    own = density.logp(start)
    moved = density.logp({**start, "Intercept_centered": start["Intercept_centered"] + 0.3})
    expected = stats.norm(mu + 0.3, 1.1).logpdf(data.y).sum() - stats.norm(mu, 1.1).logpdf(data.y).sum()
    prior = model.parameters["mu"].terms["Intercept"].prior.args
    centred = float(np.mean(mu))
    law = stats.norm(prior["mu"], prior["sigma"])
    expected += law.logpdf(centred + 0.3) - law.logpdf(centred)
    assert moved - own == pytest.approx(float(expected), rel=1e-9)


def test_times_a_factor_it_has_slopes_by_its_levels(caplog: pytest.LogCaptureFixture) -> None:
    """Coded as a numeric column beside the factor would be; predictions have the same sums."""
    data = some_data()
    model = nl.Model("y ~ mo(x)*f", data)
    results = model.fit(draws=20, tune=50, chains=1, random_seed=1, progressbar=False)
    posterior = results.posterior
    assert posterior["mo(x):f"].coords["mo(x):f_dim"].values.tolist() == LEVELS[1:]
    new = data.iloc[[3, 20, 11]]
    mu = np.asarray(model.predict(results, data=new, inplace=False).predictions["mu"])[0]
    draws = {name: np.asarray(posterior[name])[0] for name in posterior.data_vars}
    for row, (x, f) in enumerate(zip(new["x"] - 3, new["f"].cat.codes, strict=True)):
        expected = draws["Intercept"] + 4 * draws["mo(x)"] * draws["mo(x)_simplex"][:, :x].sum(axis=1)
        if f:
            slope = draws["mo(x):f"][:, f - 1]
            expected = expected + draws["f"][:, f - 1] + 4 * slope * draws["mo(x):f_simplex"][:, :x].sum(axis=1)
        np.testing.assert_allclose(mu[:, row], expected, rtol=1e-8)
    alone = nl.Model("y ~ mo(x):f", data).backend.model.initial_point()
    assert np.shape(alone["mo(x):f"]) == (3,)
