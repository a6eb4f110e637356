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
from nutslite.families.asymmetriclaplace import FAMILY as SHARP
from nutslite.families.elf import FAMILY as ELF
from nutslite.families.elf import WIDTH
from nutslite.families.laplace import FAMILY as MEDIAN
from nutslite.families.record.family import pointwise_loglik
from nutslite.results.container.inference_data import get_group

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
