"""R2D2: its density, its share of explained variance, its posterior by quadrature, and what results hold of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from small_models import assembled_of

import nutslite as nl
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.priors.prior import Prior

ARGUMENTS: dict[str, Any] = {"mean_R2": 0.4, "prec_R2": 5, "cons_D2": 0.8}
R2 = stats.beta(2.0, 3.0)


def some_data(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    data = pd.DataFrame(rng.normal(1.0, 1.0, (n, 3)), columns=["a", "b", "c"])
    data["g"] = rng.choice(list("uvw"), n)
    data["y"] = 0.8 * data.a + rng.normal(size=n)
    data["k"] = rng.poisson(np.exp(0.4 * data.a))
    return data


def a_model(formula: str = "y ~ a + b + g", **options: Any) -> nl.Model:
    priors = {"common": Prior("R2D2", **ARGUMENTS), **options.pop("priors", {})}
    return nl.Model(formula, some_data(), priors=priors, **options)


def log_dirichlet(shares: np.ndarray, alpha: float) -> float:
    """Of all shares but one."""
    return float(
        special.gammaln(alpha * shares.size)
        - shares.size * special.gammaln(alpha)
        + ((alpha - 1.0) * np.log(shares)).sum()
    )


def test_the_joint_density_is_that_of_the_formulas() -> None:
    """Beside a density whose coefficients have the same scales as numbers."""
    model, data = a_model("k ~ a + b + g", family="poisson"), some_data()
    density = model.backend.model
    rng = np.random.default_rng(1)
    start = {name: value + rng.normal(0.0, 0.3, np.shape(value)) for name, value in density.initial_point().items()}
    point = density.to_natural(start)
    columns = np.column_stack([data.a, data.b, data.g == "v", data.g == "w"])
    r2, phi = point["R2D2_R2"], np.asarray(point["R2D2_phi"])
    scales = np.sqrt(phi * r2 / (1.0 - r2)) / columns.std(axis=0)
    b = np.concatenate([[point["a"], point["b"]], point["g"]])
    eta = point["Intercept"] + columns @ b
    expected = stats.poisson(np.exp(eta)).logpmf(data.k).sum() + stats.norm(0.0, scales).logpdf(b).sum()
    expected += R2.logpdf(r2) + log_dirichlet(phi, 0.8)
    intercept = assembled_of(model).spec.priors.terms["mu"]["Intercept"].args
    expected += stats.norm(intercept["mu"], intercept["sigma"]).logpdf(start["Intercept_centered"])
    jacobian = np.log(scales).sum() + np.log(r2 * (1.0 - r2)) + np.log(phi).sum() + 0.5 * np.log(phi.size)
    assert density.logp(start) == pytest.approx(float(expected + jacobian), rel=1e-10)


def test_the_marginal_density_is_the_gaussian_integral() -> None:
    """Scales are multiples of sigma, which is sampled."""
    assembled, data = assembled_of(a_model("y ~ 0 + a + b")), some_data()
    reduction = reduce_gaussian(assembled)
    assert not isinstance(reduction, str), reduction
    target = MarginalTarget(assembled, reduction)
    x = data[["a", "b"]].to_numpy()
    nu, sd = (float(assembled.spec.priors.constants["sigma"].args[name]) for name in ("nu", "sigma"))
    for position in np.random.default_rng(2).normal(0.0, 0.5, (3, target.dimension)):
        r2, sigma = special.expit(position[0]), np.exp(position[2])
        logs = np.array([position[1], -position[1]]) / np.sqrt(2.0)
        shares = [special.softmax(logs), special.softmax(logs)[::-1]]  # whichever way round the log-ratio is
        values = []
        for phi in shares:
            scales = sigma * np.sqrt(phi * r2 / (1.0 - r2)) / x.std(axis=0)
            covariance = sigma**2 * np.eye(len(x)) + (x * scales**2) @ x.T
            value = stats.multivariate_normal(np.zeros(len(x)), covariance).logpdf(data.y)
            value += R2.logpdf(r2) + np.log(r2 * (1.0 - r2)) + log_dirichlet(phi, 0.8) + np.log(phi).sum()
            values.append(value + 0.5 * np.log(2.0) + stats.t(nu, scale=sd).logpdf(sigma) + np.log(2.0) + position[2])
        found = target.log_densities(position[None], 1)[0]
        assert min(abs(found - value) for value in values) < 1e-8


def test_the_posterior_is_that_of_quadrature() -> None:
    """One coefficient, which has all of the variance: a sum over a grid of R2."""
    data = some_data()
    x, y = data.b.to_numpy(), data.y.to_numpy()
    model = nl.Model("y ~ 0 + b", data, priors={"b": Prior("R2D2", **ARGUMENTS), "sigma": 1.3})
    results = model.fit(draws=1500, chains=2, random_seed=1, progressbar=False)
    r2 = (np.arange(20000) + 0.5) / 20000
    variance = 1.3**2 * r2 / (1.0 - r2) / x.var()
    precision = x @ x / 1.3**2 + 1.0 / variance
    mean = x @ y / 1.3**2 / precision
    log_weight = R2.logpdf(r2) + 0.5 * mean**2 * precision - 0.5 * np.log(precision * variance)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    expected = float(weight @ mean)
    sd = float(np.sqrt(weight @ (mean**2 + 1.0 / precision) - expected**2))
    drawn = results.posterior["b"].to_numpy()
    assert drawn.mean() == pytest.approx(expected, abs=4.0 * sd / np.sqrt(500))
    assert drawn.std() == pytest.approx(sd, rel=0.12)
    shares = results.posterior["R2D2_R2"].to_numpy()
    assert shares.mean() == pytest.approx(float(weight @ r2), abs=4.0 * shares.std() / np.sqrt(500))


def test_draws_of_the_prior_share_out_the_variance() -> None:
    """R2 is beta, shares are Dirichlet, and the predictor has the variance that they say."""
    assembled, data = assembled_of(a_model("y ~ a + b + c")), some_data()
    values, effects = draw_prior(assembled, 4000, np.random.default_rng(1))
    named = assembled.layout.unpack(values, effects)
    r2, phi = named["R2D2_R2"], named["R2D2_phi"]
    assert stats.kstest(r2, R2.cdf).pvalue > 1e-3
    assert stats.kstest(phi[:, 1], stats.beta(0.8, 1.6).cdf).pvalue > 1e-3
    unit = named["sigma"] * np.sqrt(r2 / (1.0 - r2))
    for place, name in enumerate("abc"):
        standard = named[name] * data[name].std(ddof=0) / (unit * np.sqrt(phi[:, place]))
        assert stats.kstest(standard, "norm").pvalue > 1e-3


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = a_model("y ~ a + b + g")
    return model, model.fit(draws=200, chains=2, random_seed=1, progressbar=False)


def test_results_have_the_names_of_brms(fitted: tuple[nl.Model, Any]) -> None:
    posterior = fitted[1].posterior
    assert posterior["R2D2_R2"].dims == ("chain", "draw")
    assert posterior["R2D2_phi"].dims == ("chain", "draw", "R2D2_dim")
    assert posterior["R2D2_dim"].to_numpy().tolist() == ["a", "b", "g[v]", "g[w]"]
    np.testing.assert_allclose(posterior["R2D2_phi"].sum("R2D2_dim"), 1.0)


def test_log_priors_are_those_of_the_formulas(fitted: tuple[nl.Model, Any]) -> None:
    found = fitted[0].compute_log_prior(fitted[1], inplace=False).log_prior
    posterior, data = fitted[1].posterior, some_data()
    r2 = posterior["R2D2_R2"]
    scale = posterior["sigma"] * np.sqrt(posterior["R2D2_phi"].isel(R2D2_dim=0) * r2 / (1 - r2)) / data.a.std(ddof=0)
    np.testing.assert_allclose(found["a"], stats.norm(0, scale).logpdf(posterior["a"]), rtol=1e-9)
    np.testing.assert_allclose(found["R2D2_R2"], R2.logpdf(r2), rtol=1e-9)


def test_it_is_saved_and_drawn(fitted: tuple[nl.Model, Any], tmp_path: Any) -> None:
    fitted[0].save(tmp_path / "model.zip")
    assert str(nl.Model.load(tmp_path / "model.zip")) == str(fitted[0])
    source = str(fitted[0].graph())
    assert '"R2D2_R2" -> "a"' in source
    assert '"R2D2_phi" -> "g"' in source


def test_the_plan_says_so() -> None:
    assert "coefficients of an R2D2 prior are integrated out together" in " ".join(str(a_model().plan()).split())
    assert "(1 of them coefficients of an R2D2 prior)" in " ".join(
        str(a_model("k ~ a", family="poisson").plan()).split()
    )


def test_where_there_is_no_residual_its_scale_is_one() -> None:
    """By a formula of its own sigma differs by row: then the response's standard deviation stands for it."""
    model = a_model(nl.Formula("y ~ a + b", "sigma ~ c"))
    sd = some_data().y.std(ddof=0) / some_data().a.std(ddof=0)
    assert model.priors.terms["mu"]["a"].args["unit"] == pytest.approx(sd)
    assert a_model("y ~ a", auto_scale=False).priors.terms["mu"]["a"].args["unit"] == 1.0


def test_beside_a_horseshoe() -> None:
    model = a_model("y ~ a + b + c", priors={"c": Prior("Horseshoe")})
    coords = assembled_of(model).inventory.coords
    assert (coords["R2D2_dim"], coords["horseshoe_dim"]) == (["a", "b"], ["c"])
