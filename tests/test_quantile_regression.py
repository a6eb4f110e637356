"""Regression of quantiles: likelihoods with and without a kink, levels, exact posteriors, linear programs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from family_cases import Case, expectation, settings
from scipy import integrate, optimize, stats

import nutslite as nl
from nutslite.families.real.asymmetriclaplace import FAMILY as SHARP
from nutslite.families.real.elf import FAMILY as ELF
from nutslite.families.real.elf import WIDTH
from nutslite.families.real.laplace import FAMILY as MEDIAN
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.model.fits.adjusting import clusters_of
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import specification_of
from nutslite.results.added_groups import named_posterior
from nutslite.results.adjusted import Coefficients, prior_precision
from nutslite.results.container.inference_data import get_group, group_names
from nutslite.results.curvature import bandwidth, half_length, precision_of, why_not_by_density
from nutslite.results.predictions.slopes import mean_curvature, mean_slopes
from nutslite.results.sandwich import Scores, adjusted_draws

LEVELS = (0.1, 0.5, 0.9)
QUIET = {"progressbar": False, "random_seed": 1}


def data(n: int = 60, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, n)
    return pd.DataFrame({"x": x, "y": 1.0 + 2.0 * x + (0.5 + 0.4 * x) * rng.normal(size=n), "g": np.arange(n) % 6})


def check_loss(residuals: np.ndarray, level: float) -> float:
    return float(np.sum(residuals * (level - (residuals < 0.0))))


def linear_program(frame: pd.DataFrame, level: float) -> np.ndarray:
    """Coefficients that minimise the check loss: regression of a quantile as Koenker and Bassett (1978) defined it."""
    n = len(frame)
    design = np.column_stack([np.ones(n), frame.x])
    costs = np.r_[np.zeros(2), np.full(n, level), np.full(n, 1.0 - level)]
    equations = np.hstack([design, np.eye(n), -np.eye(n)])
    bounds = [(None, None)] * 2 + [(0.0, None)] * (2 * n)
    return np.asarray(optimize.linprog(costs, A_eq=equations, b_eq=frame.y, bounds=bounds).x[:2])


# ------------------------------------------------------------------------------------------------------------- families


@pytest.mark.parametrize("family", [MEDIAN, SHARP], ids=lambda family: family.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_smooth_kernel_is_a_density_with_its_derivatives(family, seed) -> None:
    smooth = replace(family, kernel=family.smooth)
    values, companions = settings(smooth, seed)
    assert expectation(smooth, values, companions, np.ones_like) == pytest.approx(1.0, abs=1e-8)
    names = {p.name for p in family.parameters}
    for varying in (names, set(), names - {"mu"}):
        case = Case(smooth, {}, varying, seed)
        _, slopes = case.loglik()
        for j, i in zip(*np.nonzero(np.isfinite(case.eta)), strict=True):
            ahead, behind = case.eta.copy(), case.eta.copy()
            ahead[j, i] += 1e-5
            behind[j, i] -= 1e-5
            slope = (case.loglik(ahead)[0].sum() - case.loglik(behind)[0].sum()) / 2e-5
            assert slopes[j, i] == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_the_parent_is_the_quantile_of_its_level(level) -> None:
    kappa = SHARP.at_quantile(level)["fixed"]["kappa"]
    assert kappa == pytest.approx(math.sqrt(level / (1.0 - level)), rel=1e-15)
    law = stats.laplace_asymmetric(kappa, 0.7, 1.0 / 1.6)
    assert law.cdf(0.7) == pytest.approx(level, rel=1e-12)
    parameters = {"mu": np.full(20_000, 0.7), "b": np.full(20_000, 1.6), "kappa": np.full(20_000, kappa)}
    drawn = SHARP.random(np.random.default_rng(3), parameters, {})
    assert np.mean(drawn < 0.7) == pytest.approx(level, abs=4.5 * math.sqrt(level * (1 - level) / 20_000))
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("level", LEVELS)
def test_the_smooth_density_is_the_sharp_one_but_for_a_tenth_of_sigma(level) -> None:
    """Its mu is nearly the quantile, and far from mu the densities differ by a constant."""
    density = lambda y: math.exp(pointwise_loglik(ELF, [y], {"mu": 0.0, "sigma": 1.0, "tau": level})[0])  # noqa: E731
    below = integrate.quad(density, -np.inf, -1.0)[0] + integrate.quad(density, -1.0, 0.0)[0]
    assert below == pytest.approx(level, abs=0.03)
    kappa = math.sqrt(level / (1.0 - level))
    sharp = {"mu": 0.0, "b": math.sqrt(level * (1.0 - level)), "kappa": kappa}
    far = np.array([-30.0, -8.0, 8.0, 30.0])
    apart = pointwise_loglik(SHARP, far, sharp) - pointwise_loglik(ELF, far, {"mu": 0.0, "sigma": 1.0, "tau": level})
    np.testing.assert_allclose(apart, apart[0], atol=1e-9)
    assert abs(apart[0]) < 2.0 * WIDTH**2


def test_the_median_is_the_middle_quantile() -> None:
    y = np.linspace(-3.0, 3.0, 7)
    one = pointwise_loglik(MEDIAN, y, {"mu": 0.2, "b": 1.7})
    np.testing.assert_allclose(one, pointwise_loglik(SHARP, y, {"mu": 0.2, "b": 1 / 1.7, "kappa": 1.0}), rtol=1e-13)


def test_parameters_and_defaults_are_bambis() -> None:
    """As its documentation has them: names, links, and half-normal priors of everything but mu."""
    for family, others in ((MEDIAN, ["b"]), (SHARP, ["b", "kappa"])):
        assert [p.name for p in family.parameters] == ["mu", *others]
        assert {p.default_link for p in family.auxiliary} == {"log"}
        assert all(p.default_prior == ("HalfNormal", {"sigma": 1.0}) for p in family.auxiliary)
    assert nl.Model("y ~ x", data(), family="asymmetriclaplace").family.likelihood.name == "AsymmetricLaplace"


# --------------------------------------------------------------------------------------------------------------- models


@pytest.mark.parametrize("level", LEVELS)
def test_the_mode_is_the_linear_programs_solution(level) -> None:
    frame = data()
    best = linear_program(frame, level)
    b = 2.3
    model = nl.Model("y ~ x", frame, family="asymmetriclaplace", quantile=level, priors={"b": b}, auto_scale=False)

    def value(intercept: float, slope: float) -> float:
        return float(model.backend.model.logp({"Intercept": intercept, "x": slope}))

    at_best = value(*best)
    kappa = math.sqrt(level / (1.0 - level))
    constant = len(frame) * math.log(b / (kappa + 1.0 / kappa))
    loss = check_loss(frame.y - best[0] - best[1] * frame.x, level) * b / math.sqrt(level * (1.0 - level))
    assert at_best == pytest.approx(constant - loss, abs=1e-9)
    for step in np.random.default_rng(2).normal(scale=0.01, size=(40, 2)):
        assert value(*(best + step)) < at_best


@pytest.mark.parametrize("family", ["asymmetriclaplace", "elf"])
def test_posterior_of_a_quantile_by_quadrature(family) -> None:
    frame, level, scale = data(40), 0.8, 0.3
    sharp = family == "asymmetriclaplace"
    fixed = {"b": math.sqrt(level * (1.0 - level)) / scale} if sharp else {"sigma": scale}
    priors = {"Intercept": nl.Prior("Normal", mu=0, sigma=3), **fixed}
    model = nl.Model("y ~ 1", frame, family=family, quantile=level, priors=priors)
    results = model.fit(draws=1000, chains=4, **QUIET)
    drawn = get_group(results, "posterior")["Intercept"].to_numpy().ravel()
    grid = np.linspace(-2.0, 6.0, 8001)
    z = (frame.y.to_numpy() - grid[:, None]) / scale
    density = -(z * (level - (z < 0.0))).sum(axis=1) - grid**2 / 18.0
    if not sharp:
        density -= WIDTH * np.log1p(np.exp(-np.abs(z) / WIDTH)).sum(axis=1)
    weight = np.exp(density - density.max())
    weight /= weight.sum()
    mean = float(weight @ grid)
    sd = math.sqrt(float(weight @ (grid - mean) ** 2))
    assert drawn.mean() == pytest.approx(mean, abs=4.5 * sd / math.sqrt(2500))
    assert drawn.std() == pytest.approx(sd, rel=0.08)
    assert stats.kstest(drawn[::3], lambda x: np.interp(x, grid, np.cumsum(weight))).pvalue > 1e-4


def test_default_priors_have_the_unit_of_the_response() -> None:
    frame = data()
    small, large = (
        nl.Model("y ~ x", frame.assign(y=frame.y * unit), family="asymmetriclaplace", quantile=0.9).priors
        for unit in (1.0, 1000.0)
    )
    assert large.terms["mu"]["x"].args["sigma"] == pytest.approx(1000.0 * small.terms["mu"]["x"].args["sigma"])
    assert large.constants["b"].args["sigma"] == pytest.approx(small.constants["b"].args["sigma"] / 1000.0)
    assert large.constants["kappa"] == small.constants["kappa"] == pytest.approx(3.0)
    elf = nl.Model("y ~ x", frame, family="elf", quantile=0.9)
    assert elf.priors.constants["sigma"].args["sigma"] == pytest.approx(frame.y.std(ddof=0))
    plain = nl.Model("y ~ x", frame, family="asymmetriclaplace")  # as Bambi
    assert plain.priors.constants["b"] == nl.Prior("HalfNormal", sigma=1.0)
    assert plain.quantile is None


def test_the_level_travels_with_files_families_and_results(tmp_path: Path, caplog) -> None:
    frame = data()
    model = nl.Model("y ~ x + (1|g)", frame, family="elf", quantile=0.25)
    assert model.quantile == 0.25
    again = nl.Model.load(model.save(tmp_path / "quantile.model"))
    assert again.quantile == 0.25
    assert str(again) == str(model)
    assert nl.Model("y ~ x", frame, family=model.family).quantile == 0.25
    assert nl.Model("y ~ x", frame, family=model.family, quantile=0.5).priors.constants["tau"] == 0.5
    model.set_priors({"x": nl.Prior("Normal", mu=0, sigma=1)})
    assert model.quantile == 0.25
    with pytest.raises(nl.PriorError, match="'tau'"):
        model.set_priors({"tau": 0.5})
    results = model.fit(draws=20, tune=20, chains=1, compute_convergence_checks=False, **QUIET)
    assert get_group(results, "posterior").attrs["quantile"] == "0.25"
    with pytest.warns(nl.NutsliteWarning, match=r"quantile '0.25' there, '0.5' here"):
        nl.Model("y ~ x + (1|g)", frame, family="elf", quantile=0.5).predict(results)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e5])
def test_a_pilot_finds_the_mode_in_any_unit(scale) -> None:
    """Without the smooth stand-in its curvature is zero, and NUTS adapts for a thousand transitions."""
    frame = data()
    model = nl.Model("y ~ x", frame.assign(y=scale * frame.y), family="asymmetriclaplace", quantile=0.9)
    results = model.fit(draws=250, chains=2, **QUIET)
    posterior = get_group(results, "posterior")
    assert posterior.attrs["inference_method"] == "independence"
    best = linear_program(frame, 0.9)
    assert float(posterior["x"].mean()) / scale == pytest.approx(best[1], abs=0.3)


# ------------------------------------------------------------------------------------------------ intervals that cover


def least_squares(clusters: np.ndarray | None, n: int = 40) -> tuple[Scores, np.ndarray, np.ndarray]:
    """Scores of a regression by least squares, its design (n, p), its responses."""
    rng = np.random.default_rng(4)
    design, y = rng.normal(size=(n, 3)), rng.normal(size=n)
    residuals = y - design @ np.linalg.lstsq(design, y)[0]
    return Scores(design.T, np.zeros(3, dtype=np.int64), residuals[None], clusters), design, y


@pytest.mark.parametrize("size", [1, 5])
def test_least_squares_have_the_jackknifes_variance(size) -> None:
    """Leaving a cluster out is done in one step: as by fitting the rest, one cluster after the other."""
    clusters = np.arange(40) // size
    scores, design, y = least_squares(None if size == 1 else clusters)
    bread = np.linalg.inv(design.T @ design)
    whole = np.linalg.lstsq(design, y)[0]
    count = 40 // size
    left = np.array([np.linalg.lstsq(design[clusters != g], y[clusters != g])[0] for g in range(count)]) - whole
    spread = np.linalg.inv(left.T @ left)
    distances = np.einsum("gp,pq,gq->g", left, spread, left)
    freedom = min(3 * 4 / (np.sum(distances**2) - 3 / count), count - 1)
    expected = (count - 1) / count * left.T @ left * (stats.t(freedom).ppf(0.975) / stats.norm.ppf(0.975)) ** 2
    np.testing.assert_allclose(bread @ scores.meat() @ bread, expected, rtol=1e-9)


def test_adjusted_draws_have_the_covariance_of_the_formula() -> None:
    rng = np.random.default_rng(4)
    draws = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) + [5.0, -2.0, 0.3]
    covariance = np.cov(draws.T)
    root = rng.normal(size=(3, 3))
    prior = root @ root.T
    prior *= 0.15 / np.linalg.norm(covariance @ prior, 2)
    for clusters in (None, np.arange(40) // 5):
        scores = least_squares(clusters)[0]
        moved = adjusted_draws(draws, prior, scores.meat())
        half = np.linalg.inv(np.linalg.inv(covariance) - prior)
        expected = np.linalg.inv(np.linalg.inv(half @ scores.meat() @ half) + prior)
        np.testing.assert_allclose(np.cov(moved.T), expected, rtol=1e-9)
        np.testing.assert_allclose(moved.mean(axis=0), draws.mean(axis=0), rtol=1e-12)


def test_a_likelihoods_own_precision_takes_the_place_of_the_posteriors() -> None:
    draws = np.random.default_rng(4).normal(size=(400, 3)) @ np.diag([1.0, 2.0, 0.5])
    scores, prior = least_squares(None)[0], np.diag([0.1, 0.0, 0.2])
    own = 2.0 * np.linalg.inv(np.cov(draws.T))
    moved = adjusted_draws(draws, prior, scores.meat(), own)
    estimate = np.linalg.inv(own) @ scores.meat() @ np.linalg.inv(own)
    np.testing.assert_allclose(np.cov(moved.T), np.linalg.inv(np.linalg.inv(estimate) + prior), rtol=1e-9)
    nothing = adjusted_draws(draws, prior, scores.meat(), np.diag([1.0, 1.0, 0.0]))  # says nothing of the third
    np.testing.assert_array_equal(nothing, adjusted_draws(draws, prior, scores.meat()))


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_the_bandwidth_is_hall_and_sheathers(level) -> None:
    """Of a normal response, for which it is ``(1.5 phi^2 / (2 z^2 + 1))^(1/3)``; both ends lie inside."""
    z = stats.norm.ppf(level)
    density, second = stats.norm.pdf(z), 2.0 * z * z + 1.0  # s''/s of the quantile's derivative s
    best = (1.5 * stats.norm.ppf(0.975) ** 2 * density**2 / second / 1e6) ** (1 / 3)
    assert bandwidth(10**6, level) == pytest.approx(best, rel=1e-9)
    assert 0.0 < level - bandwidth(10, level) < level + bandwidth(10, level) < 1.0


def test_curvature_by_differences_is_the_smooth_likelihoods() -> None:
    """Of the elf density in two linear predictors: beside its second derivatives, at one draw."""
    frame = data(40)
    model = nl.Model(nl.Formula("y ~ x", "sigma ~ x"), frame, family="elf", quantile=0.5)
    raw = model.fit(draws=20, tune=20, chains=1, compute_convergence_checks=False, **QUIET).isel(draw=slice(0, 1))
    specification = specification_of(model)
    task = prediction_task(specification)
    arrays = named_posterior(get_group(raw, "posterior"), task.coords, {}).arrays
    found = mean_curvature(arrays, specification.spec.design, task, np.array([1e-4, 1e-4, 0.0]))
    at = {name: float(np.ravel(value)[0]) for name, value in arrays.items() if np.size(value) == 1}
    mu, log_sigma = at["Intercept"] + at["x"] * frame.x, at["sigma_Intercept"] + at["sigma_x"] * frame.x

    def value(i: int, move: tuple[float, float]) -> float:
        parameters = {"mu": mu[i] + move[0], "sigma": math.exp(log_sigma[i] + move[1]), "tau": 0.5}
        return float(pointwise_loglik(ELF, [frame.y[i]], parameters)[0])

    e = 1e-3
    for i in range(0, 40, 13):
        both = value(i, (e, e)) - value(i, (e, -e)) - value(i, (-e, e)) + value(i, (-e, -e))
        own = value(i, (e, 0)) - 2 * value(i, (0, 0)) + value(i, (-e, 0))
        assert found[0, 0, i] == pytest.approx(-own / e**2, rel=1e-2, abs=1e-3)
        assert found[0, 1, i] == found[1, 0, i] == pytest.approx(-both / (4 * e**2), rel=1e-2, abs=1e-3)
    assert (found[2] == 0.0).all()
    columns = np.array([np.ones(40), frame.x, np.ones(40)])
    total = precision_of(columns, np.array([0, 0, 1]), found)
    np.testing.assert_allclose(total[0, 2], found[0, 1].sum(), rtol=1e-12)
    np.testing.assert_allclose(total, total.T)
    assert why_not_by_density(specification.posterior.assembled, clustered=True) is None
    assert "independent" in why_not_by_density(specification.posterior.assembled, clustered=False)
    groups = nl.Model("y ~ x + (1|g)", frame, family="elf", quantile=0.5)
    assert "groups" in why_not_by_density(specification_of(groups).posterior.assembled, clustered=True)


def test_what_cannot_be_adjusted_says_why() -> None:
    scores, design, _ = least_squares(None)
    draws = np.random.default_rng(1).normal(size=(100, 3))
    with pytest.raises(nl.DataError, match=r"2 groups and 3 coefficients.*more groups than 4"):
        replace(scores, clusters=np.arange(40) // 20).meat()
    with pytest.raises(nl.DataError, match="5 draws of 3 coefficients"):
        adjusted_draws(draws[:5], np.zeros((3, 3)), scores.meat())
    with pytest.raises(nl.DataError, match="priors make 95 %"):
        adjusted_draws(draws, 0.95 * np.linalg.inv(np.cov(draws.T)), scores.meat())
    with pytest.warns(nl.NutsliteWarning, match="priors make 50 %"):
        adjusted_draws(draws, 0.5 * np.linalg.inv(np.cov(draws.T)), scores.meat())
    columns = design.T.copy()
    columns[2] = np.arange(40) < 4  # of the first group alone
    with pytest.raises(nl.DataError, match="Without one of the groups"):
        replace(scores, columns=columns, clusters=np.arange(40) // 5).meat()


@pytest.fixture(scope="module")
def fitted():
    """A model with a categorical term, and what it came to."""
    rng = np.random.default_rng(6)
    n = 150
    frame = pd.DataFrame({"x": rng.uniform(0.0, 2.0, n), "c": rng.choice(list("uvw"), n), "id": np.arange(n) // 3})
    frame["y"] = 3.0 + frame.x + (frame.c == "v") + (0.3 + frame.x) * rng.normal(size=n)
    model = nl.Model("y ~ x + c", frame, family="asymmetriclaplace", quantile=0.2)
    return model, frame, model.fit(draws=500, chains=2, **QUIET)


def joined(results, names=("Intercept", "x", "c")) -> np.ndarray:
    posterior = get_group(results, "posterior")
    return np.concatenate([posterior[name].to_numpy().reshape(1000, -1) for name in names], axis=1)


@pytest.mark.parametrize("groups", [None, "id"])
def test_adjusted_intervals_are_those_of_the_formula(fitted, groups) -> None:
    """Written out at the mean of draws, over which it is smoothed; priors are wide enough.

    The likelihood's precision is the posterior's where rows are independent, and Powell's in groups.
    """
    model, frame, raw = fitted
    results = model.adjust_intervals(raw, groups)
    before, after = joined(raw), joined(results)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), rtol=1e-9, atol=1e-9)
    columns = np.column_stack([np.ones(150), frame.x, frame.c == "v", frame.c == "w"])
    residuals = frame.y - columns @ before.mean(axis=0)
    b = float(get_group(raw, "posterior")["b"].mean())
    psi = (0.2 - (residuals < 0.0)) * b / math.sqrt(0.2 * 0.8)
    scores = columns * np.asarray(psi)[:, None]
    if groups:
        scores = pd.DataFrame(scores).groupby(frame.id).sum().to_numpy()
    scale = min(residuals.std(), np.subtract(*np.quantile(residuals, [0.75, 0.25])) / 1.34)
    h = bandwidth(150, 0.2)
    c = scale * (stats.norm.ppf(0.2 + h) - stats.norm.ppf(0.2 - h)) / 2.0
    assert half_length(residuals.to_numpy(), 0.2) == pytest.approx(c, rel=1e-9)
    near = columns[np.abs(residuals) < c]
    bread = np.linalg.inv(b / math.sqrt(0.2 * 0.8) / (2.0 * c) * near.T @ near) if groups else np.cov(before.T)
    expected = bread @ scores.T @ scores @ bread
    ratio = np.cov(after.T).diagonal() / expected.diagonal()  # rows, or groups, of those that they are of
    assert (ratio > 0.9).all()
    assert (ratio < (1.6 if groups else 1.35)).all()
    attributes = get_group(results, "posterior").attrs
    assert (attributes["adjusted"], attributes["adjusted_groups"]) == ("sandwich", groups or "rows")
    assert get_group(raw, "posterior").attrs["adjusted"] == "no"
    np.testing.assert_array_equal(get_group(results, "posterior")["b"], get_group(raw, "posterior")["b"])


def test_the_priors_precision_is_theirs(fitted) -> None:
    """Normal priors, that of the intercept about centred columns."""
    model, frame, raw = fitted
    assembled = specification_of(model).posterior.assembled
    task = prediction_task(specification_of(model))
    arrays = named_posterior(get_group(raw, "posterior"), task.coords, {}).arrays
    found = prior_precision(assembled, Coefficients.of(assembled), arrays, joined(raw))
    columns = np.column_stack([frame.x, frame.c == "v", frame.c == "w"])
    priors = model.priors.terms["mu"]
    expected = np.diag(1.0 / np.r_[np.inf, priors["x"].args["sigma"], priors["c"].args["sigma"]] ** 2)
    centred = np.r_[1.0, columns.mean(axis=0)]
    expected += np.outer(centred, centred) / priors["Intercept"].args["sigma"] ** 2
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_adjusted_results_serve_as_results(fitted, tmp_path: Path) -> None:
    model, frame, raw = fitted
    model.predict(raw)
    model.predict(raw, kind="response", data=frame.head(4), random_seed=1)
    results = model.adjust_intervals(raw)
    assert {"posterior", "sample_stats", "observed_data"} == set(group_names(results))
    assert "mu" not in get_group(results, "posterior")
    assert {"posterior_predictive", "predictions"} & set(group_names(raw))
    nl.save(results, tmp_path / "adjusted.nc")
    again = nl.load(tmp_path / "adjusted.nc")
    assert get_group(again, "posterior").attrs["adjusted"] == "sandwich"
    np.testing.assert_allclose(joined(again), joined(results))
    model.predict(results, data=frame.head(4))
    spread = get_group(results, "predictions")["mu"].std(("chain", "draw"))
    model.predict(raw, data=frame.head(4))
    assert (spread / get_group(raw, "predictions")["mu"].std(("chain", "draw")) > 1.05).all()
    with pytest.raises(nl.DataError, match="adjusted already"):
        model.adjust_intervals(results)


def test_results_with_other_names_and_fewer_draws_are_adjusted(fitted) -> None:
    model, frame, raw = fitted
    by_name = joined(model.adjust_intervals(raw))
    other = nl.Model("y ~ x + c", frame, family="asymmetriclaplace", quantile=0.2)
    other.set_alias({"x": "slope", "c": "kind"})
    aliased = other.fit(draws=500, chains=2, **QUIET)
    np.testing.assert_array_equal(joined(other.adjust_intervals(aliased), ("Intercept", "slope", "kind")), by_name)
    thinned = model.adjust_intervals(raw.isel(draw=slice(None, None, 5)))
    assert list(get_group(thinned, "posterior")["draw"].to_numpy()) == list(range(0, 500, 5))
    labels = model.adjust_intervals(raw, groups=[f"i{i}" for i in frame.id])
    np.testing.assert_array_equal(joined(labels), joined(model.adjust_intervals(raw, groups="id")))


def test_group_effects_make_clusters_and_stay_as_they_are() -> None:
    frame = data(120).assign(h=lambda d: np.arange(len(d)) % 4)
    options = {"family": "elf", "quantile": 0.5}
    model = nl.Model(nl.Formula("y ~ x + (1|g)", "sigma ~ x"), frame, **options)
    raw = model.fit(draws=60, tune=60, chains=2, compute_convergence_checks=False, **QUIET)
    results = model.adjust_intervals(raw)
    before, after = get_group(raw, "posterior"), get_group(results, "posterior")
    assert after.attrs["adjusted_groups"] == "g"
    np.testing.assert_array_equal(after["1|g"], before["1|g"])
    assert not np.array_equal(after["sigma_x"], before["sigma_x"])
    two = nl.Model("y ~ x + (1|g) + (1|h)", frame, **options)
    with pytest.raises(nl.DataError, match=r"effects of g and h.*groups='g'"):
        clusters_of(specification_of(two), None)
    assert clusters_of(specification_of(two), "rows")[0] is None


def test_scores_beside_group_effects_are_means_over_these() -> None:
    """Groups far apart: the intercept is about as unsure as the mean of so many normal variables."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(24), 5)
    frame = pd.DataFrame({"y": 2.0 * rng.normal(size=24)[g] + rng.normal(size=120), "g": g.astype(str)})
    model = nl.Model("y ~ 1 + (1|g)", frame, family="elf", quantile=0.5)
    raw = model.fit(draws=500, tune=200, chains=2, compute_convergence_checks=False, **QUIET)
    task, posterior = prediction_task(specification_of(model)), get_group(raw, "posterior")
    arrays = named_posterior(posterior, task.coords, {}).arrays
    slopes = mean_slopes(arrays, specification_of(model).spec.design, task)[0]
    levels = posterior["g__factor_dim"].to_numpy().astype(str)
    places = [list(levels).index(name) for name in frame.g]
    effects = posterior["1|g"].transpose("chain", "draw", ...).to_numpy().reshape(1000, 24)[:, places]
    sigma = posterior["sigma"].to_numpy().reshape(1000, 1)
    z = (frame.y.to_numpy() - posterior["Intercept"].to_numpy().reshape(1000, 1) - effects) / sigma
    np.testing.assert_allclose(slopes, np.mean((1.0 / (1.0 + np.exp(-z / WIDTH)) - 0.5) / sigma, axis=0), rtol=1e-6)
    adjusted = get_group(model.adjust_intervals(raw), "posterior")
    between = frame.groupby("g").y.median().std() / math.sqrt(24)
    assert 0.75 < float(adjusted["Intercept"].std()) / between < 1.6


def test_rows_left_out_are_left_out_of_clusters() -> None:
    frame = data(30)
    frame.loc[[3, 7], "x"] = np.nan
    model = nl.Model("y ~ x", frame, family="elf", quantile=0.5, dropna=True)
    clusters, _ = clusters_of(specification_of(model), "g")
    assert clusters.tolist() == pd.factorize(frame.g.drop([3, 7]))[0].tolist()
    same = nl.Model("y ~ x", frame.set_index(frame.g), family="elf", quantile=0.5, dropna=True)
    with pytest.raises(nl.DataError, match="not unique"):
        clusters_of(specification_of(same), "g")


# -------------------------------------------------------------------------------------------------- several quantiles


def test_separate_fits_are_put_in_order() -> None:
    """Few rows and outer levels, far from the data: curves cross, and what is predicted does not."""
    frame = data(25, seed=3)
    options = {"draws": 40, "tune": 40, "chains": 1, "compute_convergence_checks": False, **QUIET}
    fits = nl.fit_quantiles("y ~ x", frame, [0.9, 0.8, 0.7], adjust=False, fit=options)
    assert fits.quantiles == (0.7, 0.8, 0.9)
    assert [model.quantile for model in fits.models.values()] == [0.7, 0.8, 0.9]
    new = pd.DataFrame({"x": np.linspace(-30.0, 30.0, 7)}, index=list("abcdefg"))
    predicted = fits.predict(new, interval=0.8)
    drawn = []
    for level, model in fits.models.items():
        found = model.predict(fits.results[level], data=new, inplace=False)
        drawn.append(get_group(found, "predictions")["mu"].to_numpy().reshape(40, 7))
    means = np.array(drawn).mean(axis=1)
    assert predicted.crossed_rows == (np.diff(means, axis=0) < 0.0).any(axis=0).mean() > 0.0
    assert predicted.crossed_draws == (np.diff(drawn, axis=0) < 0.0).any(axis=0).mean()
    table = predicted.table
    assert list(table.index.get_level_values("row")[::3]) == list("abcdefg")
    for name in ("mean", "lower", "upper"):
        assert (np.diff(table[name].unstack("quantile"), axis=1) >= 0.0).all()
    np.testing.assert_allclose(table["mean"].unstack("quantile"), np.sort(means.T, axis=1))
    np.testing.assert_allclose(table["lower"]["d"], np.sort(np.quantile(np.array(drawn)[:, :, 3], 0.1, axis=1)))
    assert len(fits.predict().table) == 75
