"""The regularised horseshoe: its density, its posterior by quadrature, and all that results hold of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import PriorError
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.priors.prior import Prior

ARGUMENTS: dict[str, Any] = {"scale_global": 0.3, "df_global": 2, "df": 3, "scale_slab": 1.5, "df_slab": 5}


def some_data(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(1.0, 1.0, (n, 3)), columns=["a", "b", "c"])
    data["g"] = rng.choice(list("uvw"), n)
    data["h"] = np.repeat(list("pqrst"), n // 5)
    data["y"] = 0.8 * data.a + rng.normal(size=n)
    data["k"] = rng.poisson(np.exp(0.4 * data.a))
    return data


def a_model(formula: str = "y ~ a + b + g", **options: Any) -> nl.Model:
    priors = {"common": Prior("Horseshoe", **ARGUMENTS), **options.pop("priors", {})}
    return nl.Model(formula, some_data(), priors=priors, **options)


def log_prior_of_scales(point: dict[str, Any]) -> float:
    """SciPy's, of what the coefficients share and of the local scales."""
    half_t = stats.t(2, scale=0.3).logpdf(point["horseshoe_global"]) + np.log(2.0)
    local = stats.t(3).logpdf(point["horseshoe_local"]).sum() + np.log(2.0) * np.size(point["horseshoe_local"])
    slab = stats.invgamma(2.5, scale=2.5 * 1.5**2).logpdf(point["horseshoe_slab_variance"])
    return float(half_t + local + slab)


def scales_of(point: dict[str, Any], units: np.ndarray) -> np.ndarray:
    t = point["horseshoe_global"] * np.atleast_1d(point["horseshoe_local"])
    slab = point["horseshoe_slab_variance"]
    return units * np.sqrt(slab * t**2 / (slab + t**2))


def test_the_joint_density_is_that_of_the_formulas() -> None:
    model = a_model("k ~ a + b + g", family="poisson")
    density, data = model.backend.model, some_data()
    rng = np.random.default_rng(1)
    start = {name: value + rng.normal(0.0, 0.3, np.shape(value)) for name, value in density.initial_point().items()}
    point = density.to_natural(start)
    columns = np.column_stack([data.a, data.b, data.g == "v", data.g == "w"])
    scales = scales_of(point, 1.0 / columns.std(axis=0))
    b = np.concatenate([[point["a"], point["b"]], point["g"]])
    eta = point["Intercept"] + columns @ b
    expected = stats.poisson(np.exp(eta)).logpmf(data.k).sum() + stats.norm(0.0, scales).logpdf(b).sum()
    expected += log_prior_of_scales(point)
    intercept = assembled_of(model).spec.priors.terms["mu"]["Intercept"].args
    expected += stats.norm(intercept["mu"], intercept["sigma"]).logpdf(start["Intercept_centered"])
    jacobian = np.log(scales).sum() + sum(
        np.sum(start[f"horseshoe_{name}_log__"]) for name in ("global", "local", "slab_variance")
    )
    assert density.logp(start) == pytest.approx(expected + jacobian, rel=1e-10)


def test_the_marginal_density_is_the_gaussian_integral() -> None:
    model = a_model("y ~ 0 + a + b", priors={"sigma": 1.3})
    assembled, data = assembled_of(model), some_data()
    reduction = reduce_gaussian(assembled)
    assert not isinstance(reduction, str), reduction
    target = MarginalTarget(assembled, reduction)
    x = data[["a", "b"]].to_numpy()
    units = data.y.std(ddof=0) / x.std(axis=0)
    for position in np.random.default_rng(2).normal(0.0, 0.5, (3, target.dimension)):
        total, *local = position[:1], *position[1:3]
        point = {
            "horseshoe_global": np.exp(total[0]),
            "horseshoe_local": np.exp(local),
            "horseshoe_slab_variance": np.exp(position[3]),
        }
        covariance = 1.3**2 * np.eye(len(x)) + (x * scales_of(point, units) ** 2) @ x.T
        expected = stats.multivariate_normal(np.zeros(len(x)), covariance).logpdf(data.y) + log_prior_of_scales(point)
        assert target.log_densities(position[None], 1)[0] == pytest.approx(expected + position.sum(), rel=1e-9)


def test_the_posterior_is_that_of_quadrature() -> None:
    """One coefficient, its mean and spread by a sum over a grid of the three scales."""
    data = some_data()
    x, y = data.b.to_numpy(), data.y.to_numpy()
    model = nl.Model("y ~ 0 + b", data, priors={"b": Prior("Horseshoe", unit=1.0, **ARGUMENTS), "sigma": 1.3})
    results = model.fit(draws=1500, chains=2, random_seed=1, progressbar=False)
    grid = [np.linspace(low, high, 81) for low, high in ((-9.0, 3.0), (-9.0, 7.0), (-2.0, 6.0))]
    total, local, slab = (np.exp(u) for u in np.meshgrid(*grid, indexing="ij"))
    t = total * local
    variance = slab * t**2 / (slab + t**2)
    log_weight = stats.t(2, scale=0.3).logpdf(total) + stats.t(3).logpdf(local)
    log_weight += stats.invgamma(2.5, scale=2.5 * 1.5**2).logpdf(slab) + np.log(total * local * slab)
    precision = x @ x / 1.3**2 + 1.0 / variance
    mean = x @ y / 1.3**2 / precision
    log_weight += 0.5 * mean**2 * precision - 0.5 * np.log(precision * variance)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    expected = float((weight * mean).sum())
    sd = float(np.sqrt((weight * (mean**2 + 1.0 / precision)).sum() - expected**2))
    drawn = results.posterior["b"].to_numpy()
    assert drawn.mean() == pytest.approx(expected, abs=4.0 * sd / np.sqrt(500))
    assert drawn.std() == pytest.approx(sd, rel=0.12)


def test_without_a_slab_it_is_the_horseshoe() -> None:
    model = nl.Model("y ~ a + b", some_data(), priors={"common": Prior("Horseshoe", scale_slab=1e8, unit=2.0)})
    values, effects = draw_prior(assembled_of(model), 200, np.random.default_rng(1))
    named = assembled_of(model).layout.unpack(values, effects)
    scales = 2.0 * named["horseshoe_global"][:, None] * named["horseshoe_local"]
    derived = values[:, -2:]
    usual = scales.max(axis=1) < 1e6
    np.testing.assert_allclose(derived[usual], scales[usual], rtol=1e-3)


def test_draws_of_the_prior() -> None:
    model = a_model("y ~ a + b + c")
    assembled = assembled_of(model)
    values, effects = draw_prior(assembled, 4000, np.random.default_rng(1))
    named = assembled.layout.unpack(values, effects)
    standard = np.column_stack([named[name] for name in "abc"]) / values[:, -3:]
    slab = stats.invgamma(2.5, scale=2.5 * 1.5**2)
    assert stats.kstest(standard.ravel(), "norm").pvalue > 1e-3
    assert stats.kstest(named["horseshoe_global"] / 0.3, lambda x: 2 * stats.t(2).cdf(x) - 1).pvalue > 1e-3
    assert stats.kstest(named["horseshoe_local"][:, 1], lambda x: 2 * stats.t(3).cdf(x) - 1).pvalue > 1e-3
    assert stats.kstest(named["horseshoe_slab_variance"], slab.cdf).pvalue > 1e-3


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = a_model("y ~ a + b + g + (1|h)")
    return model, model.fit(draws=200, chains=2, random_seed=1, progressbar=False)


def test_results_have_the_terms_by_their_names(fitted: tuple[nl.Model, Any]) -> None:
    posterior = fitted[1].posterior
    assert posterior["a"].dims == ("chain", "draw")
    assert posterior["g"].dims == ("chain", "draw", "g_dim")
    assert posterior["horseshoe_local"].dims == ("chain", "draw", "horseshoe_dim")
    assert posterior["horseshoe_dim"].to_numpy().tolist() == ["a", "b", "g[v]", "g[w]"]
    assert {"horseshoe_global", "horseshoe_slab_variance", "1|h_sigma"} <= set(posterior.data_vars)


def test_predictions_are_those_of_the_coefficients(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    posterior, data = results.posterior, some_data()
    new = data.iloc[:7]
    found = model.predict(results, data=new, inplace=False).predictions["mu"].to_numpy()
    b = [posterior[name].to_numpy()[..., None] for name in ("Intercept", "a", "b")]
    g = posterior["g"].to_numpy()
    expected = b[0] + b[1] * new.a.to_numpy() + b[2] * new.b.to_numpy()
    expected = expected + g[..., :1] * (new.g == "v").to_numpy() + g[..., 1:] * (new.g == "w").to_numpy()
    expected = expected + posterior["1|h"].sel({"h__factor_dim": new.h.to_numpy()}).to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_log_priors_are_those_of_the_formulas(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    found = model.compute_log_prior(results, inplace=False).log_prior
    posterior, data = results.posterior, some_data()
    unit = data.y.std(ddof=0) / data.a.std(ddof=0)
    t = posterior["horseshoe_global"] * posterior["horseshoe_local"].isel(horseshoe_dim=0)
    slab = posterior["horseshoe_slab_variance"]
    scale = unit * np.sqrt(slab * t**2 / (slab + t**2))
    np.testing.assert_allclose(found["a"], stats.norm(0, scale).logpdf(posterior["a"]), rtol=1e-9)
    np.testing.assert_allclose(
        found["horseshoe_global"], stats.t(2, scale=0.3).logpdf(posterior["horseshoe_global"]) + np.log(2), rtol=1e-9
    )


def test_it_is_saved_and_drawn(fitted: tuple[nl.Model, Any], tmp_path: Any) -> None:
    model = fitted[0]
    model.save(tmp_path / "model.zip")
    again = nl.Model.load(tmp_path / "model.zip")
    assert str(again) == str(model)
    source = str(model.graph())
    assert '"horseshoe_global" -> "a"' in source
    assert '"horseshoe_local" -> "g"' in source


def test_the_plan_says_so() -> None:
    assert "coefficients of a horseshoe are integrated out together" in " ".join(str(a_model().plan()).split())
    joint = " ".join(str(a_model("k ~ a", family="poisson").plan()).split())
    assert "(1 of them coefficients of a horseshoe)" in joint
    assert "No pilot (scales are those of a horseshoe)" in joint


def test_uncentred_predictors_have_the_same_likelihood() -> None:
    """The intercept does not depend on coefficients that are not centred."""
    densities = [
        a_model("k ~ a + b", family="poisson", center_predictors=centred).backend.model for centred in (True, False)
    ]
    point = {**densities[0].to_natural(densities[0].initial_point()), "a": 0.3, "b": -0.2, "Intercept": 0.1}
    positions = [density.to_unconstrained(point) for density in densities]
    assert positions[0]["Intercept_centered"] != pytest.approx(0.1)
    assert positions[1]["Intercept_centered"] == pytest.approx(0.1)
    for density, position in zip(densities, positions, strict=True):
        back = density.to_natural(position)
        assert back["Intercept"] == pytest.approx(0.1)
        assert back["a"] == pytest.approx(0.3)


def test_potentials_may_name_the_intercept() -> None:
    model = a_model("k ~ a + b", family="poisson", potentials=[(("Intercept", "a"), lambda i, a: -((i - a) ** 2))])
    plain = a_model("k ~ a + b", family="poisson").backend.model
    density = model.backend.model
    start = {name: value + 0.2 for name, value in density.initial_point().items()}
    natural = density.to_natural(start)
    expected = -((natural["Intercept"] - natural["a"]) ** 2)
    assert density.logp(start) - plain.logp(start) == pytest.approx(float(expected))
    gradient = density.dlogp(start)
    for name in ("a_offset", "b_offset", "Intercept_centered"):
        moved = [density.logp({**start, name: start[name] + step}) for step in (1e-5, -1e-5)]
        assert gradient[name] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-5)


def test_terms_of_one_formula_share_it() -> None:
    with pytest.raises(PriorError, match="share one horseshoe, and 'a' and 'b'"):
        a_model("y ~ a + b", priors={"b": Prior("Horseshoe", df=2)})
    mixed = a_model("y ~ a + b + c", priors={"b": Prior("Normal", mu=0, sigma=1)})
    assert assembled_of(mixed).inventory.coords["horseshoe_dim"] == ["a", "c"]
