"""Effects whose levels have a known covariance: beside plain effects, dense normal distributions, and quadrature."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import KNOWN, assembled_of, grouped_data

import nutslite as nl
from nutslite.exceptions import ArgumentError, DataError, FormulaError
from nutslite.formula import covariances
from nutslite.formula.correlated import effect_groups
from nutslite.formula.known_covariance import KnownCovariance
from nutslite.formula.language import groupings
from nutslite.model.record.specification import specification_of
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.marginal import crossproducts, prices
from nutslite.posterior.marginal.large_marginal import LargeMarginal
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.densities.densities import density_function
from nutslite.results.predictions.new_groups import PopulationSampler

LEVELS = [f"g{i}" for i in range(9)]
MORE = [*LEVELS, "new1", "new2"]
QUIET: dict[str, Any] = {"progressbar": False, "random_seed": 1}


def matrix(names: list[str] = MORE) -> pd.DataFrame:
    """A covariance matrix of levels, in an order that is not that of their names."""
    factor = np.random.default_rng(7).normal(size=(len(MORE), len(MORE)))
    whole = pd.DataFrame(factor @ factor.T / 6 + 0.3 * np.eye(len(MORE)), index=MORE, columns=MORE)
    return whole.loc[names[::-1], names]


def known(formula: str = "y ~ x + (1|gr(g, cov=K))", K: Any = None, **options: Any) -> nl.Model:
    return nl.Model(formula, grouped_data(), extra_namespace={"K": matrix() if K is None else K}, **options)


NAME, SCALE = "1|gr(g, cov=K)", "1|gr(g, cov=K)_sigma"


def positions_of(target: Any, n: int = 3) -> np.ndarray:
    return np.random.default_rng(2).normal(0.0, 0.5, (n, target.dimension))


# --- the matrix and its names -----------------------------------------------------------------------------------------


def test_levels_are_found_by_name_or_by_their_order() -> None:
    own = matrix().loc[LEVELS, LEVELS]
    whole, array = known().design.factors, known(K=own.to_numpy()).design.factors
    for factors in (whole, array):
        np.testing.assert_array_equal(factors["gr(g, cov=K)"].levels, LEVELS)
        factor = factors["gr(g, cov=K)"].covariance.factor
        np.testing.assert_allclose(factor @ factor.T, own, rtol=1e-12)


def test_names_are_those_of_the_formula() -> None:
    model = known("y ~ x + (1 + c||gr(g,cov=K)) + (1|g)")
    variables = {variable.name: variable for variable in assembled_of(model).layout.variables}
    assert variables[NAME].dims == ("gr(g, cov=K)__factor_dim",)
    assert variables["c|gr(g, cov=K)"].dims == ("c__expr_dim", "gr(g, cov=K)__factor_dim")
    assert variables["1|g"].dims == ("g__factor_dim",)
    assert {SCALE, "c|gr(g, cov=K)_sigma"} <= variables.keys()
    known(priors={"1|gr(g,cov=K)": nl.Prior("Normal", mu=0, sigma=2.0)})  # however its name is spelled


def test_quoted_names_are_spelled_as_elsewhere() -> None:
    data = grouped_data().rename(columns={"g": "my g"})
    prior = nl.Prior("Normal", mu=0, sigma=1.5)
    model = nl.Model(
        "y ~ (1|gr(`my g`, cov=K))", data, extra_namespace={"K": matrix()}, priors={"1|gr(`my g`, cov=K)": prior}
    )
    assert model.priors.terms["mu"]["1|gr(`my g`, cov=K)"].args["sigma"] == 1.5


# --- beside other ways to the same numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["y ~ x + (1|{})", "y ~ x + (z||{}) + (1|h)"])
def test_of_independent_levels_it_is_a_plain_factor(formula: str) -> None:
    """The same density, joint and marginal, and the same effects at one position."""
    one, other = known(formula.format("gr(g, cov=K)"), np.eye(9)), nl.Model(formula.format("g"), grouped_data())
    joint = [JointTarget(assembled_of(model), use_pilot=False) for model in (one, other)]
    ours, theirs = [], []
    for seed in range(3):
        point = PointMap(assembled_of(other)).natural(np.random.default_rng(seed).normal(0, 0.5, joint[0].dimension))
        named = {name.replace("|g", "|gr(g, cov=K)"): value for name, value in point.items()}
        for target, values, out in ((joint[0], named, ours), (joint[1], point, theirs)):
            position = PointMap(target.assembled).position(values, np.zeros(target.dimension))
            out.append(target.logdensity(position, np.empty_like(position), target.data))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    left, right = (model.plan().target() for model in (one, other))
    assert left.dimension == right.dimension < 6
    for position in positions_of(left):
        slopes, wanted = np.empty_like(position), np.empty_like(position)
        value = left.logdensity(position, slopes, left.data)
        assert value == pytest.approx(right.logdensity(position, wanted, right.data), rel=1e-10)
        np.testing.assert_allclose(slopes, wanted, rtol=1e-8, atol=1e-8)


def test_hundreds_of_levels_are_integrated_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By one large factorisation, with the density that elimination of a wide block has."""
    small = crossproducts.reduce_gaussian(assembled_of(known()))
    monkeypatch.setattr(crossproducts, "WIDEST_ELIMINATED", 1)
    rest = crossproducts.reduce_gaussian(assembled_of(known()))
    monkeypatch.setattr(prices, "LARGE_RISK", -1e9)
    large = crossproducts.reduce_gaussian(assembled_of(known()))
    assert [found.large for found in (small, rest, large)] == [False, False, True]
    assert rest.rest_targets.size == large.rest_targets.size == 11
    targets = [known().plan("marginal").target() for _ in range(1)]
    evaluated = LargeMarginal(large, density_function(large.data.head.densities))
    for position in positions_of(targets[0]):
        wanted, gradient = targets[0], np.empty_like(position)
        value, given = evaluated.evaluate(position)
        assert value == pytest.approx(wanted.logdensity(position, gradient, wanted.data), rel=1e-9)
    values, effects = evaluated.draw(given, 4000, np.random.default_rng(3))
    natural = assembled_of(known()).layout.unpack(values, effects)
    mean, covariance = conditional(natural[SCALE][0], natural["sigma"][0])
    np.testing.assert_allclose(natural[NAME].mean(axis=0), mean, atol=4.5 * np.sqrt(covariance.max() / 4000))
    np.testing.assert_allclose(np.cov(natural[NAME].T), covariance, atol=0.12 * covariance.max())


def test_merged_rows_and_codes_change_no_density() -> None:
    """What the levels declare that they allow: equal rows counted once, and columns read by code."""
    rng = np.random.default_rng(8)
    g, c = rng.integers(0, 9, 1500), rng.integers(0, 3, 1500)
    data = pd.DataFrame({"b": rng.integers(0, 2, 1500), "g": np.array(LEVELS)[g], "c": np.array(["u", "v", "w"])[c]})
    formula = "b ~ c + (1|gr(g, cov=K))"
    assembled = assembled_of(nl.Model(formula, data, family="bernoulli", extra_namespace={"K": matrix()}))
    merged = merge_equal_rows(assembled.data)
    assert merged is not None
    assert merged.y.shape[1] <= 54
    records = [assembled.data, merged, without_codes(assembled.data), without_codes(merged)]
    targets = [JointTarget(assembled, use_pilot=False, merged=record) for record in records]
    for position in positions_of(targets[0]):
        slopes = [np.empty_like(position) for _ in targets]
        values = [target.logdensity(position, own, target.data) for target, own in zip(targets, slopes, strict=True)]
        np.testing.assert_allclose(values, values[0], rtol=1e-11)
        np.testing.assert_allclose(slopes, np.tile(slopes[0], (4, 1)), rtol=1e-8, atol=1e-8)


def test_plain_regressions_of_many_columns_stay_what_they_were() -> None:
    """Without any effects nothing is for a large factorisation, whatever it would cost."""
    sizes = prices.Sizes(5000, 400, 0, 400, 0, 0, 0, 0.0, False)
    assert prices.prices(sizes)["large"] == np.inf
    assert prices.prices(replace(sizes, effects_per_row=300))["large"] < np.inf


def conditional(scale: float, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the effects of ``y ~ x + (1|gr(g, cov=K))`` given the scales, by dense algebra."""
    data, model = grouped_data(), known()
    prior = model.priors.terms["mu"]
    x = data["x"].to_numpy() - data["x"].mean()
    z = pd.get_dummies(data["g"])[LEVELS].to_numpy(float)
    design = np.column_stack([np.ones(len(x)), x, z])
    precision = np.zeros((11, 11))
    precision[0, 0], precision[1, 1] = prior["Intercept"].args["sigma"] ** -2, prior["x"].args["sigma"] ** -2
    precision[2:, 2:] = np.linalg.inv(scale**2 * matrix().loc[LEVELS, LEVELS].to_numpy())
    means = np.array([prior["Intercept"].args["mu"], prior["x"].args["mu"], *np.zeros(9)])
    whole = np.linalg.inv(precision + design.T @ design / sigma**2)
    mean = whole @ (precision @ means + design.T @ data["y"].to_numpy() / sigma**2)
    return mean[2:], whole[2:, 2:]


def by_quadrature(data: pd.DataFrame, width: float) -> dict[str, Any]:
    """Posterior means of ``y ~ 0 + (1|gr(g, cov=K))`` whose scales have half-normal priors, over a grid of both."""
    y, z = data["y"].to_numpy(), pd.get_dummies(data["g"])[LEVELS].to_numpy(float)
    K = matrix().loc[LEVELS, LEVELS].to_numpy()
    scales, sigmas = np.linspace(0.01, 5.0, 160), np.linspace(0.3, 1.6, 120)
    log, effects = np.empty((160, 120)), np.empty((160, 120, 9))
    for i, scale in enumerate(scales):
        values, vectors = np.linalg.eigh(z @ (scale**2 * K) @ z.T)
        rotated = vectors.T @ y
        back = scale**2 * K @ z.T @ vectors
        for j, sigma in enumerate(sigmas):
            variances = values + sigma**2
            log[i, j] = -0.5 * np.sum(np.log(variances) + rotated**2 / variances)
            log[i, j] += stats.halfnorm.logpdf(scale, scale=width) + stats.halfnorm.logpdf(sigma, scale=width)
            effects[i, j] = back @ (rotated / variances)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    of_effects = np.einsum("ij,ijl->l", weights, effects)
    return {SCALE: [weights.sum(1) @ scales], "sigma": [weights.sum(0) @ sigmas], NAME: of_effects}


@pytest.mark.parametrize("plan", ["marginal", pytest.param("joint", marks=pytest.mark.slow)])
def test_posterior_is_that_of_quadrature(plan: str) -> None:
    half = nl.Prior("HalfNormal", sigma=2.0)
    priors = {NAME: nl.Prior("Normal", mu=0, sigma=half), "sigma": half}
    model = known("y ~ 0 + (1|gr(g, cov=K))", priors=priors)
    table = nl.summary(model.fit(draws=1500, plan=plan, **QUIET), round_to="none")
    for name, wanted in by_quadrature(grouped_data(), 2.0).items():
        own = table[(table.index == name) | table.index.str.startswith(f"{name}[")]
        z = (own["mean"].to_numpy() - np.asarray(wanted)) / own["mcse_mean"].to_numpy()
        assert np.abs(z).max() < 4.2, (name, z)


def relationship(parents: list[tuple[int | None, int | None]]) -> np.ndarray:
    """How much two animals of a pedigree have in common, by Henderson's rules; parents come before their young."""
    found = np.zeros((len(parents), len(parents)))
    for i, pair in enumerate(parents):
        known_ones = [parent for parent in pair if parent is not None]
        for j in range(i):
            found[i, j] = found[j, i] = sum(0.5 * found[j, parent] for parent in known_ones)
        found[i, i] = 1.0 + (0.5 * found[known_ones[0], known_ones[1]] if len(known_ones) == 2 else 0.0)
    return found


def test_a_textbook_s_animal_model() -> None:
    """Mrode (2005), Linear models for the prediction of animal breeding values, example 3.1: five calves.

    With flat priors of the sexes' means and known variances, 20 and 40, posterior means are its solutions.
    """
    parents: list[tuple[int | None, int | None]] = [(None, None)] * 3
    parents += [(0, None), (2, 1), (0, 1), (3, 4), (2, 5)]
    animals = [str(number) for number in range(1, 9)]
    A = pd.DataFrame(relationship(parents), index=animals, columns=animals)
    calves = pd.DataFrame({"gain": [4.5, 2.9, 3.9, 3.5, 5.0], "sex": list("mffmm"), "animal": animals[3:]})
    flat, breeding = nl.Prior("Flat"), nl.Prior("Normal", mu=0, sigma=20**0.5)
    priors = {"sex": flat, "1|gr(animal, cov=A)": breeding, "sigma": 40**0.5}
    model = nl.Model("gain ~ 0 + sex + (1|gr(animal, cov=A))", calves, priors=priors, extra_namespace={"A": A})
    target = model.plan("joint").target()
    mode = target.launch().center
    found = assembled_of(model).layout.unpack(*target.natural(mode[None, None], np.random.default_rng(0)))
    np.testing.assert_allclose(found["sex"][0, 0], [3.404, 4.358], atol=1.5e-3)  # rounded otherwise: 4.3585
    effects = found["1|gr(animal, cov=A)"][0, 0]
    np.testing.assert_allclose(effects, [-0.009, -0.186, 0.177, -0.249, 0.183], atol=6e-4)
    weights, _ = model.design.factors["gr(animal, cov=A)"].covariance.of_others(animals[:3], "animal")
    np.testing.assert_allclose(weights @ effects, [0.098, -0.019, -0.041], atol=6e-4)  # parents have no records


def test_priors_are_the_matrix_times_the_scale() -> None:
    assembled = assembled_of(known("y ~ (z||gr(g, cov=K))"))
    values, effects = draw_prior(assembled, 6000, np.random.default_rng(4))
    draws = assembled.layout.unpack(values, effects)
    own = matrix().loc[LEVELS, LEVELS].to_numpy()
    for name in (NAME, "z|gr(g, cov=K)"):
        standard = draws[name] / draws[f"{name}_sigma"][:, None]
        np.testing.assert_allclose(np.cov(standard.T), own, atol=0.12 * own.max())
    found = log_prior(assembled, {name: array[:4] for name, array in draws.items()})
    for draw in range(4):
        normal = stats.multivariate_normal(np.zeros(9), draws[SCALE][draw] ** 2 * own)
        assert found[NAME][draw].sum() == pytest.approx(normal.logpdf(draws[NAME][draw]), rel=1e-9)


# --- uses -------------------------------------------------------------------------------------------------------------


def test_points_by_name_go_there_and_back() -> None:
    assembled = assembled_of(known("y ~ (c||gr(g, cov=K)) + (1|g)"))
    points = PointMap(assembled)
    position = np.random.default_rng(5).normal(size=assembled.layout.dimension)
    back = points.position(points.natural(position), np.zeros_like(position))
    np.testing.assert_allclose(back, position, rtol=1e-9, atol=1e-9)


def test_new_levels_are_conditional_on_those_of_the_model() -> None:
    """Means and covariances of the levels that the matrix knows beside the model's, by the textbook's formula."""
    model = known()
    (group,) = effect_groups(model.design.predictors, ())
    effects = np.random.default_rng(6).normal(size=9)
    posterior = {NAME: np.tile(effects, (20_000, 1)), SCALE: np.full(20_000, 1.5)}
    of_others = model.design.factors["gr(g, cov=K)"].covariance.of_others(["new2", "new1"], "g")
    sampler = PopulationSampler(model.priors.terms)
    drawn = sampler(np.random.default_rng(7), group, posterior, 2, of_others)[NAME]
    assert drawn.shape == (20_000, 1, 2)
    K = matrix()
    old, new = K.loc[LEVELS, LEVELS].to_numpy(), K.loc[["new2", "new1"], ["new2", "new1"]].to_numpy()
    across = K.loc[["new2", "new1"], LEVELS].to_numpy()
    mean = across @ np.linalg.solve(old, effects)
    covariance = 1.5**2 * (new - across @ np.linalg.solve(old, across.T))
    np.testing.assert_allclose(drawn[:, 0].mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(drawn[:, 0].T), covariance, rtol=0.05, atol=0.02)


def test_predictions_know_the_levels_of_the_matrix_only() -> None:
    model = known()
    results = model.fit(draws=50, chains=2, compute_convergence_checks=False, **QUIET)
    rows = pd.DataFrame({"x": 3.0, "g": ["g0", "new1", "new1"]})
    with pytest.raises(DataError, match="sample_new_groups=True"):
        model.predict(results, data=rows, inplace=False)
    found = model.predict(results, data=rows, inplace=False, sample_new_groups=True, random_seed=1)
    mu = nl.results.container.inference_data.get_group(found, "predictions")["mu"].to_numpy()
    assert np.isfinite(mu).all()
    np.testing.assert_array_equal(mu[..., 1], mu[..., 2])
    with pytest.raises(DataError, match=r"does not know the level 'x9'.*data frame that has all levels"):
        model.predict(results, data=rows.assign(g="x9"), inplace=False, sample_new_groups=True)


def test_files_keep_the_matrix(tmp_path: Any) -> None:
    model = known()
    model.save(tmp_path / "model.nutslite")
    back = nl.Model.load(tmp_path / "model.nutslite")
    one, other = (item.design.factors["gr(g, cov=K)"].covariance for item in (model, back))
    assert one.names == other.names
    np.testing.assert_array_equal(one.matrix, other.matrix)


def test_another_matrix_is_another_model() -> None:
    identities = [specification_of(known(K=K)).identity() for K in (matrix(), matrix(), 2 * matrix())]
    assert identities[0] == identities[1] != identities[2]


def test_potentials_do_not_read_such_effects() -> None:
    with pytest.raises(ArgumentError, match="known covariance"):
        known(potentials=[(NAME, lambda u: -np.sum(u))]).build()


def test_the_guide_s_covariance_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of docs/adding_a_covariance.md and its two lines are all that a covariance needs."""
    text = (Path(__file__).resolve().parent.parent / "docs" / "adding_a_covariance.md").read_text(encoding="utf-8")
    section = text.split("up to a scale\n")[1].split("\n## ")[0]
    code = textwrap.dedent("\n".join(line for line in section.splitlines() if line.startswith("    ") or not line))
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    with pytest.raises(nl.NutsliteError, match="'steps'"):
        nl.Model("y ~ x + (1|steps(g, rho=0.6))", grouped_data())
    monkeypatch.setitem(covariances.COVARIANCES, "steps", namespace["of_steps"])
    monkeypatch.setitem(groupings.GROUPINGS, "steps", {"rho": "0.5"})
    with pytest.raises(nl.NutsliteError, match="rho=2 is no correlation"):
        nl.Model("y ~ x + (1|steps(g, rho=2))", grouped_data())
    one, other = nl.Model("y ~ x + (1|steps(g, rho=0.6))", grouped_data()), known(K=KNOWN)
    ours, theirs = (model.plan().target() for model in (one, other))
    for position in positions_of(ours):
        values = [target.logdensity(position, np.empty_like(position), target.data) for target in (ours, theirs)]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.parametrize(
    ("of_pairs", "words"),
    [
        (1.0, "The matrix of 'steps\\(g, rho=0.6\\)' is not positive definite: its smallest eigenvalue is"),
        (np.nan, "The matrix of 'steps\\(g, rho=0.6\\)' has entries that are not finite"),
    ],
)
def test_what_a_call_makes_is_checked(monkeypatch: pytest.MonkeyPatch, of_pairs: float, words: str) -> None:
    def make(call: covariances.LevelsCall) -> KnownCovariance:
        n = len(call.levels)
        return KnownCovariance(call.levels, np.full((n, n), of_pairs), np.arange(n))

    monkeypatch.setitem(covariances.COVARIANCES, "steps", make)
    monkeypatch.setitem(groupings.GROUPINGS, "steps", {"rho": "0.5"})
    with pytest.raises(FormulaError, match=words):
        nl.Model("y ~ x + (1|steps(g, rho=0.6))", grouped_data())
    with pytest.raises(FormulaError, match=r"a value: steps\(g, rho=0.5\)\."):
        nl.Model("y ~ x + (1|steps(g, rho='high'))", grouped_data())
