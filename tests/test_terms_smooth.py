"""Penalised smooths: columns and penalty, posteriors against splines and quadrature, results, files, priors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from scipy.interpolate import CubicSpline, make_smoothing_spline
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import DataError, NutsliteError
from nutslite.formula.design import Design, build_design
from nutslite.model.record.specification import specification_of
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.pilot.pilot import scale_columns
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior

FLAT = Prior("Flat")


def curve(n: int = 40, seed: int = 2) -> pd.DataFrame:
    """A wave with noise, another column, and groups."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0.0, 10.0, n))
    z, g = rng.normal(size=n), np.arange(n) % 5
    return pd.DataFrame({"x": x, "z": z, "g": [f"g{i}" for i in g], "y": np.sin(x) + 0.3 * z + rng.normal(0.0, 0.4, n)})


def columns(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """The line's column, if there is one, and the penalised ones."""
    predictor = design.predictors["mu"]
    (term,) = predictor.basis_terms
    return predictor.matrix, term.matrix


@pytest.mark.parametrize("basis", ["cr", "cc"])
@pytest.mark.parametrize("k", [4, 10])
def test_columns_are_orthogonal_and_their_penalty_is_one(basis: str, k: int) -> None:
    data = curve()
    design = build_design(f"y ~ s(x, k={k}, bs='{basis}')", data)
    line, penalised = columns(design)
    assert penalised.shape[0] == k - 2
    every = np.vstack([np.ones(len(data)), line, penalised])
    gram = every @ every.T
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-9 * gram.max())
    assert np.mean(np.sum(penalised**2, axis=0)) == pytest.approx(1.0)
    fine = pd.DataFrame({"x": np.linspace(data["x"].min(), data["x"].max(), 20_001)})
    ends = "periodic" if basis == "cc" else "natural"
    curves = columns(design.evaluate(fine))[1]
    if basis == "cc":
        curves[:, -1] = curves[:, 0]
    second = np.array([CubicSpline(fine["x"], own, bc_type=ends)(fine["x"], 2) for own in curves])
    penalty = trapezoid(second[:, None] * second, fine["x"], axis=2)
    np.testing.assert_allclose(penalty / penalty[0, 0], np.eye(len(curves)), atol=1e-3)
    if basis == "cr":
        np.testing.assert_allclose(line[0], data["x"] - data["x"].mean())


def test_beyond_the_knots_it_is_straight_and_a_cyclic_one_begins_again() -> None:
    data = curve()
    outside = pd.DataFrame({"x": data["x"].max() + np.array([1.0, 2.0, 5.0])})
    straight = columns(build_design("y ~ s(x)", data).evaluate(outside))[1]
    np.testing.assert_allclose((straight[:, 2] - straight[:, 1]) / 3.0, straight[:, 1] - straight[:, 0])
    design = build_design("y ~ s(x, bs='cc', lower_bound=0, upper_bound=10)", data)
    one, other = (columns(design.evaluate(pd.DataFrame({"x": data["x"] + 10.0 * turns})))[1] for turns in (0, 3))
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_given_both_scales_the_posterior_mean_is_the_smoothing_spline() -> None:
    """With a knot at each row, SciPy's smoothing spline with lambda = sigma^2 / (scale of the columns s)^2."""
    data, sigma, scale = curve(25), 0.5, 1.3
    priors = {"Intercept": FLAT, "s(x, k=25)": {"linear": FLAT, "sigma": scale}, "sigma": sigma}
    model = nl.Model("y ~ s(x, k=25)", data, priors=priors)
    target = JointTarget(assembled_of(model))
    mode = target.launch().center
    values, effects = target.natural(mode[None, None], np.random.default_rng(0))
    found = {name: array[0, 0] for name, array in assembled_of(model).layout.unpack(values, effects).items()}
    line, penalised = columns(specification_of(model).spec.design)
    mean = found["Intercept"] + found["s(x, k=25)_linear"] * line[0] + found["s(x, k=25)_weights"] @ penalised
    grid = np.linspace(data["x"].min(), data["x"].max(), 10_001)
    second = CubicSpline(data["x"], penalised[0], bc_type="natural")(grid, 2)
    penalty_of_one = trapezoid(second**2, grid)  # of a weight of one
    spline = make_smoothing_spline(data["x"], data["y"], lam=sigma**2 / scale**2 / penalty_of_one)
    np.testing.assert_allclose(mean, spline(data["x"]), atol=1e-4)


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = nl.Model("y ~ z + s(x, k=8)", curve(), priors={"sigma": Prior("HalfNormal", sigma=1)})
    return model, model.fit(draws=1000, chains=2, random_seed=3, progressbar=False)


def test_posterior_against_quadrature(fitted: tuple[nl.Model, Any]) -> None:
    """The two scales, all coefficients and weights integrated out by NumPy."""
    model, results = fitted
    spec, data = specification_of(model).spec, curve()
    own = spec.priors.terms["mu"]
    line, penalised = columns(spec.design)
    centred = line - line.mean(axis=1, keepdims=True)
    fixed = np.vstack([np.ones(len(data)), centred])
    sds = np.array([own[name].args["sigma"] for name in ("Intercept", "z", "s(x, k=8)_linear")])
    around = own["Intercept"].args["mu"]
    prior = (fixed.T * sds**2) @ fixed
    logs = np.linspace(-3.5, 2.5, 81)
    log_density = np.empty((logs.size, logs.size))
    for i, scale in enumerate(np.exp(logs)):
        variances, vectors = np.linalg.eigh(prior + scale**2 * penalised.T @ penalised)
        rotated = vectors.T @ (data["y"] - around)
        for j, sigma in enumerate(np.exp(logs)):
            total = variances + sigma**2
            log_density[i, j] = -0.5 * np.sum(np.log(total) + rotated**2 / total)
    widest = own["s(x, k=8)_sigma"].args["sigma"]
    log_density += (stats.halfnorm.logpdf(np.exp(logs), scale=widest) + logs)[:, None]
    log_density += stats.halfnorm.logpdf(np.exp(logs)) + logs
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    for name, share in (("s(x, k=8)_sigma", weights.sum(axis=1)), ("sigma", weights.sum(axis=0))):
        draws = np.asarray(results.posterior[name]).ravel()
        mean = share @ np.exp(logs)
        sd = np.sqrt(share @ np.exp(2 * logs) - mean**2)
        assert draws.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(800))
        assert draws.std() == pytest.approx(sd, rel=0.15)


@pytest.mark.parametrize(
    "ways", [{"plan": "joint"}, {"plan": "joint", "pilot": False}, {"plan": "joint", "pilot": "matrix"}]
)
def test_every_way_has_the_same_posterior(fitted: tuple[nl.Model, Any], ways: dict[str, Any]) -> None:
    model, exact = fitted
    assert "integrated out together" in " ".join(str(model.plan()).split())
    results = model.fit(draws=500, chains=2, random_seed=4, progressbar=False, **ways)
    one, other = nl.summary(exact), nl.summary(results)
    error = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
    assert (np.abs(one["mean"] - other["mean"]) < 5.0 * error + 0.01).all()
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.25)


def test_a_shared_scale_counts_all_its_columns() -> None:
    model = assembled_of(nl.Model("y ~ s(x, k=8) + (1|g)", curve()))
    found = {scale: sum(some.size for some in places) for scale, places in scale_columns(model.data).items()}
    names = {int(v.index): v.name for v in model.layout.variables if v.name.endswith("_sigma")}
    assert {names[scale]: count for scale, count in found.items()} == {"s(x, k=8)_sigma": 6, "1|g_sigma": 5}


def test_results_and_predictions(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    posterior = results.posterior
    assert posterior["s(x, k=8)_weights"].dims == ("chain", "draw", "s(x, k=8)_weights_dim")
    assert posterior["s(x, k=8)_weights_dim"].values.tolist() == list(range(6))
    assert posterior["s(x, k=8)_linear"].dims == posterior["s(x, k=8)_sigma"].dims == ("chain", "draw")
    new = pd.DataFrame({"x": [-3.0, 4.0, 30.0], "z": [0.0, 1.0, 0.0]})
    predicted = model.predict(results, data=new, inplace=False)
    mu = np.asarray(predicted.predictions["mu"])
    line, penalised = columns(specification_of(model).spec.design.evaluate(new))
    own = {name: np.asarray(posterior[name]) for name in posterior.data_vars}
    by_hand = (
        own["Intercept"][..., None]
        + own["z"][..., None] * line[0]
        + own["s(x, k=8)_linear"][..., None] * line[1]
        + own["s(x, k=8)_weights"] @ penalised
    )
    np.testing.assert_allclose(mu, by_hand, rtol=1e-10)
    model.compute_log_likelihood(results)
    model.compute_log_prior(results)  # power-scaling is about priors that somebody chose, and weights are the model's
    assert {"s(x, k=8)_linear", "s(x, k=8)_sigma"} <= set(results.log_prior.data_vars)
    assert "s(x, k=8)_weights" not in results.log_prior.data_vars


def test_the_model_in_words_and_pictures_and_its_prior(fitted: tuple[nl.Model, Any]) -> None:
    model, _ = fitted
    assert "s(x, k=8)_sigma ~ HalfNormal" in str(model)
    graph = str(model.graph())
    assert '"s(x, k=8)_sigma" -> "s(x, k=8)_weights"' in graph
    assert '"s(x, k=8)_weights" -> "mu"' in graph
    assert list(model.parameters["mu"].terms) == ["Intercept", "z", "s(x, k=8)_linear", "s(x, k=8)_sigma"]
    prior = model.prior_predictive(draws=2000, random_seed=1).prior
    ratio = np.asarray(prior["s(x, k=8)_weights"]) / np.asarray(prior["s(x, k=8)_sigma"])[..., None]
    assert ratio.std() == pytest.approx(1.0, abs=0.05)


def test_aliases_and_files(fitted: tuple[nl.Model, Any], tmp_path: Path) -> None:
    priors = {"s(x,k=8)": {"linear": Prior("Normal", mu=0, sigma=2), "sigma": Prior("Exponential", lam=1)}}
    model = nl.Model("y ~ z + s(x, k=8)", curve(), priors=priors)
    assert "s(x, k=8)_sigma ~ Exponential(lam: 1)" in str(model)
    model.set_priors({"s(x, k=8)": {"sigma": 0.7}})
    model.set_alias({"s(x, k=8)_linear": "slope"})
    model.save(tmp_path / "model")
    read = nl.Model.load(tmp_path / "model")
    assert str(read) == str(model)
    assert "slope ~ Normal(mu: 0, sigma: 2)" in str(read)
    assert "s(x, k=8)_sigma ~ 0.7" in str(read)
    new = pd.DataFrame({"x": [2.0, 20.0]})
    designs = [specification_of(some).spec.design.evaluate(new.assign(z=0.0)) for some in (model, read)]
    np.testing.assert_array_equal(columns(designs[0])[1], columns(designs[1])[1])


def test_scales_of_further_parameters_and_vectors() -> None:
    data = curve(60).assign(level=lambda frame: pd.cut(frame["y"], 3, labels=["low", "mid", "high"]).astype(str))
    model = nl.Model(nl.Formula("y ~ s(x, k=5)", "sigma ~ s(x, k=5)"), data)
    assert {"s(x, k=5)_sigma", "sigma_s(x, k=5)_sigma", "sigma_s(x, k=5)_weights"} <= set(
        specification_of(model).posterior.inventory.dims
    )
    nested = {"sigma": {"s(x, k=5)": {"sigma": Prior("HalfNormal", sigma=0.3)}}}
    model = nl.Model(nl.Formula("y ~ s(x, k=5)", "sigma ~ s(x, k=5)"), data, priors=nested)
    assert "sigma_s(x, k=5)_sigma ~ HalfNormal(sigma: 0.3)" in str(model)
    vector = nl.Model("level ~ s(x, k=5)", data, family="categorical")
    assert specification_of(vector).posterior.inventory.dims["s(x, k=5)_weights"][0] == "level_reduced_dim"
    results = vector.fit(draws=100, tune=100, chains=1, random_seed=1, progressbar=False)
    assert results.posterior["s(x, k=5)_sigma"].dims == ("chain", "draw", "level_reduced_dim")


def test_a_name_that_results_have_already() -> None:
    data = curve().rename(columns={"z": "s(x)_sigma"})
    with pytest.raises(DataError, match=r"s\(x\)_sigma"):
        nl.Model("y ~ `s(x)_sigma` + s(x)", data)


def test_new_data_without_the_column() -> None:
    with pytest.raises(NutsliteError, match="'x'"):
        build_design("y ~ s(x)", curve()).evaluate(pd.DataFrame({"z": [1.0]}))


def test_merged_rows_and_coded_columns_have_the_same_density() -> None:
    rng = np.random.default_rng(5)
    n = 600
    frame = pd.DataFrame({"x": rng.integers(0, 7, n), "f": rng.choice(list("abcdefgh"), n), "b": rng.integers(0, 2, n)})
    plan = nl.Model("b ~ f + s(x, k=5)", frame, family="bernoulli").plan()
    assert plan.merged is not None
    assert plan.assembled.data.codes.blocks.size
    plain = replace(plan.assembled, data=without_codes(plan.assembled.data))
    fast, slow = JointTarget(plan.assembled, merged=plan.merged), JointTarget(plain)
    for position in rng.normal(0.0, 0.5, (3, fast.dimension)):
        values, gradients = zip(*(_at(target, position) for target in (fast, slow)), strict=True)
        assert values[0] == pytest.approx(values[1], rel=1e-11)
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-8, atol=1e-8)


def _at(target: JointTarget, position: np.ndarray) -> tuple[float, np.ndarray]:
    gradient = np.empty_like(position)
    return target.logdensity(position, gradient, target.data), gradient
