"""Bounds on any density: normalisation, derivatives, draws, and posteriors by quadrature."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from small_models import assembled_of
from test_priors_densities import CASES, padded

import nutslite as nl
from nutslite.posterior.nodes.program import fill_all, pull_back_all
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.record.node_table import BETWEEN as BETWEEN_NODE
from nutslite.posterior.record.node_table import Nodes
from nutslite.priors.densities import codes
from nutslite.priors.densities.catalogue import BETWEEN, DENSITIES
from nutslite.priors.densities.densities import log_density, log_density_gradient
from nutslite.priors.densities.truncated import MOVING, log_probability
from nutslite.priors.prior import Prior, resolve

SHARES = [(0.2, 1.0), (0.0, 0.7), (0.1, 0.6), (0.95, 0.99)]  # the part of the probability that is left
EACH = [(name, values) for name in BETWEEN for values in CASES[name]]
each_case = pytest.mark.parametrize(("name", "values"), EACH, ids=[f"{name}{values}" for name, values in EACH])


def ends_of(name: str, values: tuple[float, ...]) -> list[tuple[float, float]]:
    """Bounds in the middle and in the tails; infinite ones too."""
    draws = DENSITIES[name].sample(np.random.default_rng(1), values, 4000)
    return [
        (
            float(np.quantile(draws, low)) if low else -math.inf,
            float(np.quantile(draws, high)) if high < 1 else math.inf,
        )
        for low, high in SHARES
    ]


def mass(name: str, values: tuple[float, ...], *at: float) -> float:
    """The probability between the first of some points and the last, by quadrature from one to the next."""
    code = DENSITIES[name].code
    with np.errstate(all="ignore"):
        pairs = pairwise(at)
        return sum(
            integrate.quad(lambda x: math.exp(log_density(code, x, *padded(values))), *ends, limit=200)[0]
            for ends in pairs
        )


@each_case
def test_the_probability_is_that_of_quadrature(name: str, values: tuple[float, ...]) -> None:
    middle = float(np.median(DENSITIES[name].sample(np.random.default_rng(1), values, 4000)))
    for given in ends_of(name, values):
        lower, upper = BETWEEN[name].bounds((*values, *given))
        found = math.exp(log_probability(name, values, (lower, upper), DENSITIES[name].bounds(values)))
        at = [lower, *([middle] if lower < middle < upper else []), upper]
        assert found == pytest.approx(mass(name, values, *at), rel=1e-5)


@each_case
def test_draws_are_those_of_the_cut_density(name: str, values: tuple[float, ...]) -> None:
    """Kolmogorov-Smirnov by the distribution function, whose values SciPy and quadrature have confirmed."""
    support = DENSITIES[name].bounds(values)
    for given in ends_of(name, values)[::2]:
        ends = BETWEEN[name].bounds((*values, *given))
        draws = np.sort(BETWEEN[name].sample(np.random.default_rng(2), (*values, *given), 1000))
        assert ((draws >= ends[0]) & (draws <= ends[1])).all()
        total = log_probability(name, values, ends, support)
        uniform = np.exp(log_probability(name, values, (ends[0], draws), support) - total)
        assert stats.kstest(uniform, "uniform").pvalue > 1e-4


@pytest.mark.parametrize(
    ("name", "values", "ends", "expected"),
    [
        ("Normal", (0.0, 1.0), (30.0, math.inf), stats.norm.logsf(30.0)),
        ("Normal", (0.0, 1.0), (-math.inf, -30.0), stats.norm.logcdf(-30.0)),
        ("Logistic", (0.0, 1.0), (300.0, 400.0), -300.0),
        ("StudentT", (3.0, 0.0, 1.0), (1e6, math.inf), stats.t(3).logsf(1e6)),
        ("Cauchy", (0.0, 1.0), (1e12, math.inf), stats.cauchy.logsf(1e12)),
        ("Gamma", (2.0, 1.0), (200.0, math.inf), stats.gamma(2.0).logsf(200.0)),
    ],
)
def test_tails_keep_their_digits(name: str, values: Any, ends: Any, expected: float) -> None:
    assert float(log_probability(name, values, ends, DENSITIES[name].bounds(values))) == pytest.approx(
        expected, rel=1e-9
    )
    draws = BETWEEN[name].sample(np.random.default_rng(2), (*values, *ends), 50)
    assert ((draws >= ends[0]) & (draws <= ends[1])).all()
    assert len(np.unique(draws)) == 50


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("ends", [(0.3, 1.9), (0.7, math.inf), (-math.inf, 0.8)])
def test_hyperparameters_move_the_probability(name: str, ends: tuple[float, float]) -> None:
    """The kernels' number is that of SciPy's functions, and its derivatives those of differences."""
    values = CASES[name][0]
    lower, upper = BETWEEN[name].bounds((*values, *ends))
    nodes = Nodes(np.array([[BETWEEN_NODE, 0, 6, 6, 1]]), np.arange(6))

    def at(arguments: tuple[float, ...]) -> float:
        own = np.array([BETWEEN[name].code, *(*arguments, 0.5, 0.5)[:3], lower, upper, np.nan])
        fill_all(nodes, own)
        return float(own[6])

    expected = float(log_probability(name, values, (lower, upper), DENSITIES[name].bounds(values)))
    assert at(values) == pytest.approx(expected, rel=1e-11, abs=1e-13)
    own = np.array([BETWEEN[name].code, *(*values, 0.5, 0.5)[:3], lower, upper, at(values)])
    adjoint = np.array([0.0] * 6 + [1.0])
    pull_back_all(nodes, own, adjoint)
    for place, argument in enumerate(DENSITIES[name].argument_names):
        if argument not in MOVING[name]:
            continue
        moved = [list(values), list(values)]
        moved[0][place] += 1e-6
        moved[1][place] -= 1e-6
        numeric = (at(tuple(moved[0])) - at(tuple(moved[1]))) / 2e-6
        assert adjoint[1 + place] == pytest.approx(numeric, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("z", [-20.0, -3.0, -1e-3, 0.0, 0.4, 2.0, 20.0])
@pytest.mark.parametrize("nu", [0.3, 1.0, 4.0, 60.0, 3000.0])
def test_the_kernel_knows_student_t(z: float, nu: float) -> None:
    nodes = Nodes(np.array([[BETWEEN_NODE, 0, 6, 6, 1]]), np.arange(6))
    own = np.array([codes.BETWEEN + codes.STUDENT_T, nu, 0.0, 1.0, z, np.inf, np.nan])
    fill_all(nodes, own)
    assert own[6] == pytest.approx(stats.t(nu).logsf(z), rel=1e-9, abs=1e-13)


def test_the_density_is_less_by_the_probability() -> None:
    out = np.empty(5)
    for name in ("StudentT", "Gamma", "Beta"):
        values = (*CASES[name][0], 0.5, 0.5)[:3]
        whole = log_density_gradient(DENSITIES[name].code, 0.4, *values, 0.0, out)
        slopes = out.copy()
        assert log_density_gradient(BETWEEN[name].code, 0.4, *values, -0.7, out) == pytest.approx(whole + 0.7)
        np.testing.assert_array_equal(out[:4], slopes[:4])
        assert out[4] == -1.0


def test_a_prior_shows_its_bounds_and_takes_them_back() -> None:
    prior = Prior("StudentT", nu=3, mu=0, sd=1, lower=0)
    assert str(prior) == "StudentT(nu: 3, mu: 0, sd: 1, lower: 0)"
    assert prior.bounds() == (0.0, math.inf)
    assert prior != Prior("StudentT", nu=3, mu=0, sd=1)
    prior.update(upper=2.5)
    assert prior.bounds() == (0.0, 2.5)
    assert resolve(prior).log_probability == pytest.approx(np.log(stats.t(3).cdf(2.5) - 0.5))
    assert Prior("Gamma", alpha=2, beta=1, lower=-1, upper=3).bounds() == (0.0, 3.0)
    assert Prior("Normal", tau=4, lower=0).args == {"tau": 4, "lower": 0}


# Models ---------------------------------------------------------------------------------------------------------------


def some_data(n: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    data["y"] = 0.2 * data.x + rng.normal(size=n)
    return data


SLOPE = Prior("StudentT", nu=3, mu=0, sigma=0.5, lower=0)


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = nl.Model("y ~ 0 + x", some_data(), priors={"x": SLOPE, "sigma": 1.0})
    return model, model.fit(draws=1500, chains=2, random_seed=1, progressbar=False)


def test_the_posterior_is_that_of_quadrature(fitted: tuple[nl.Model, Any]) -> None:
    data = some_data()
    grid = np.linspace(0.0, 2.0, 20001)[1:]
    log_weight = stats.norm(grid[:, None] * data.x.to_numpy(), 1.0).logpdf(data.y.to_numpy()).sum(axis=1)
    log_weight += stats.t(3, scale=0.5).logpdf(grid)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ grid)
    sd = float(np.sqrt(weight @ grid**2 - mean**2))
    drawn = fitted[1].posterior["x"].to_numpy()
    assert drawn.min() > 0.0
    assert drawn.mean() == pytest.approx(mean, abs=4.0 * sd / np.sqrt(500))
    assert drawn.std() == pytest.approx(sd, rel=0.1)


def test_log_priors_are_normalised(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    found = model.compute_log_prior(results, inplace=False).log_prior["x"]
    expected = stats.t(3, scale=0.5).logpdf(results.posterior["x"]) + np.log(2.0)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_model_with_bounds_is_saved(fitted: tuple[nl.Model, Any], tmp_path: Any) -> None:
    fitted[0].save(tmp_path / "model.zip")
    assert str(nl.Model.load(tmp_path / "model.zip")) == str(fitted[0])


def test_bounds_by_column() -> None:
    """A number for all columns, or one for each; infinite ones are none."""
    data = some_data().assign(g=list("abc") * 10)
    model = nl.Model("y ~ g", data, priors={"g": Prior("Normal", mu=0, sigma=1, lower=[0, -np.inf], upper=[2, np.inf])})
    values, effects = draw_prior(assembled_of(model), 500, np.random.default_rng(1))
    drawn = assembled_of(model).layout.unpack(values, effects)["g"]
    assert drawn[:, 0].min() > 0.0
    assert drawn[:, 0].max() < 2.0
    assert drawn[:, 1].min() < -1.0
    single = nl.Model("y ~ g", data, priors={"g[b]": Prior("Normal", mu=0, sigma=1, lower=0)})
    assert "[b] Normal(mu: 0, sigma: 1, lower: 0)" in str(single)


NESTED = {
    ("x", "z"): Prior(
        "Normal", mu=0, sigma=Prior("StudentT", nu=3, mu=0, sigma=Prior("HalfNormal", sigma=1), lower=0.1)
    ),
    "sigma": Prior("Laplace", mu=1, b=0.5, lower=0.2, upper=3),
}
CUT = {("x", "z"): Prior("StudentT", nu=4, mu=0, sigma=Prior("HalfNormal", sigma=1), lower=0), "sigma": 1.0}


def test_the_joint_density_is_that_of_the_formulas() -> None:
    """Coefficients above zero whose scale is sampled: each term has a scale, and the density its probability."""
    model, data = nl.Model("y ~ 0 + x + z", some_data(), priors=CUT), some_data()
    density = model.backend.model
    start = {"x_log__": -0.4, "z_log__": 0.3, "x_sigma_log__": -0.2, "z_sigma_log__": 0.5}
    point = density.to_natural(start)
    expected = stats.norm(point["x"] * data.x + point["z"] * data.z, 1.0).logpdf(data.y).sum() + sum(start.values())
    for name in "xz":
        sigma = point[f"{name}_sigma"]
        expected += stats.t(4, scale=sigma).logpdf(point[name]) + np.log(2.0)
        expected += stats.halfnorm.logpdf(sigma)
    assert density.logp(start) == pytest.approx(expected, rel=1e-12)
    gradient = density.dlogp(start)
    for name in start:
        moved = [density.logp({**start, name: start[name] + step}) for step in (1e-6, -1e-6)]
        assert gradient[name] == pytest.approx((moved[0] - moved[1]) / 2e-6, rel=1e-6)


def test_hyperpriors_may_have_bounds_and_hyperpriors() -> None:
    model = nl.Model("y ~ 0 + x + z", some_data(), priors=NESTED)
    values, effects = draw_prior(assembled_of(model), 2000, np.random.default_rng(1))
    drawn = assembled_of(model).layout.unpack(values, effects)
    assert drawn["x_sigma"].min() > 0.1
    scale = drawn["x_sigma_sigma"]
    uniform = 1.0 - stats.t(3).sf(drawn["x_sigma"] / scale) / stats.t(3).sf(0.1 / scale)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-4
    assert stats.kstest(drawn["x"] / drawn["x_sigma"], "norm").pvalue > 1e-4
    results = model.fit(draws=100, chains=2, random_seed=1, progressbar=False)  # integrated out, with infinite bounds
    assert (results.posterior["x_sigma"] > 0.1).all()
    assert "No pilot" not in str(nl.Model("y ~ x", some_data(), priors={"x": SLOPE}).plan())
