"""Effects of levels in other ways than one by one: by another factor's levels, of several levels, that sum to zero.

Beside dense normal distributions and closed forms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.formula.by_levels import put_together
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior

QUIET: dict[str, Any] = {"progressbar": False, "random_seed": 1, "chains": 2}
LEVELS = list("abcdef")
HALF = stats.halfnorm(scale=2.0)
GROUPED = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=2))


def some_data(n: int = 48) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": np.resize(LEVELS, n), "h": rng.choice([*LEVELS, "k"], n)})
    data["f"] = np.where(data.g.isin(list("abc")), "one", "two")
    data["w1"], data["w2"] = rng.uniform(0.2, 1.0, n), rng.uniform(0.2, 1.0, n)
    data["y"] = 0.5 * data.x + rng.normal(size=7)[pd.factorize(data.h)[0]] + rng.normal(size=n)
    data["k"] = rng.poisson(np.exp(0.3 * data.x))
    return data


def indicators(column: pd.Series, levels: list[str]) -> np.ndarray:
    return (column.to_numpy()[:, None] == np.array(levels)).astype(float)


def memberships(data: pd.DataFrame) -> np.ndarray:
    """Rows by levels of g and h together."""
    levels = [*LEVELS, "k"]
    weights = data[["w1", "w2"]].to_numpy() / data[["w1", "w2"]].sum(axis=1).to_numpy()[:, None]
    return weights[:, :1] * indicators(data.g, levels) + weights[:, 1:] * indicators(data.h, levels)


CENTRING = np.eye(6) - 1.0 / 6.0


def covariances(data: pd.DataFrame) -> dict[str, list[np.ndarray]]:
    """By formula, what the square of each scale multiplies in the covariance of the responses."""
    z, w = indicators(data.g, LEVELS), memberships(data)
    first = (data.f == "one").to_numpy().astype(float)
    masked = [z * own[:, None] for own in (first, 1.0 - first)]
    return {
        "(1|mm(g, h, weights=[w1, w2]))": [w @ w.T],
        "(1|gr(g, by=f))": [own @ own.T for own in masked],
        "(1|gr(g, zero_sum=True))": [z @ CENTRING @ z.T],
    }


FORMULAS = list(covariances(some_data()))


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_marginal_density_is_that_of_the_dense_normal(formula: str) -> None:
    data = some_data()
    parts = covariances(data)[formula]
    model = nl.Model(
        f"y ~ 0 + x + {formula}", data, priors={"group_specific": GROUPED, "sigma": 1.2, "x": Prior("Flat")}
    )
    reduction = reduce_gaussian(assembled_of(model))
    assert not isinstance(reduction, str), reduction
    target = MarginalTarget(assembled_of(model), reduction)
    assert target.dimension == len(parts)
    x, y = data.x.to_numpy(), data.y.to_numpy()
    differences = []
    for position in np.random.default_rng(1).normal(0.0, 0.7, (3, target.dimension)):
        scales = np.exp(position)
        covariance = 1.2**2 * np.eye(len(y)) + sum(s**2 * own for s, own in zip(scales, parts, strict=True))
        precision = np.linalg.inv(covariance)
        slope = x @ precision @ y / (x @ precision @ x)
        value = stats.multivariate_normal(slope * x, covariance).logpdf(y) - 0.5 * np.log(x @ precision @ x)
        value += HALF.logpdf(scales).sum() + position.sum()
        differences.append(target.log_densities(position[None], 1)[0] - value)
    np.testing.assert_allclose(differences, 0.5 * np.log(2.0 * np.pi), rtol=1e-9)


def posterior_mean(covariance: np.ndarray, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    return covariance @ z.T @ np.linalg.solve(z @ covariance @ z.T + np.eye(len(y)), y)


@pytest.fixture(scope="module")
def fits() -> dict[str, tuple[nl.Model, Any]]:
    """With known scales, so that posteriors are normal."""
    out = {}
    for formula in FORMULAS:
        priors = {"group_specific": Prior("Normal", mu=0, sigma=0.8), "sigma": 1.0}
        model = nl.Model(f"y ~ 0 + {formula}", some_data(), priors=priors)
        out[formula] = model, model.fit(draws=1000, **QUIET)
    return out


@pytest.mark.parametrize("formula", FORMULAS)
def test_posteriors_are_normal(fits: dict[str, tuple[nl.Model, Any]], formula: str) -> None:
    data = some_data()
    y = data.y.to_numpy()
    name = formula[1:-1]
    posterior = fits[formula][1].posterior
    if "by=" in formula:
        parts = ["1|gr(g, by=f[one])", "1|gr(g, by=f[two])"]
        drawn = np.concatenate([posterior[part].to_numpy() for part in parts], axis=2).reshape(-1, 6)
        expected = posterior_mean(0.64 * np.eye(6), indicators(data.g, LEVELS), y)
    elif "mm(" in formula:
        assert posterior["mm(g, h, weights=[w1, w2])__factor_dim"].to_numpy().tolist() == [*LEVELS, "k"]
        drawn = posterior[name].to_numpy().reshape(-1, 7)
        expected = posterior_mean(0.64 * np.eye(7), memberships(data), y)
    else:
        drawn = posterior[name].to_numpy().reshape(-1, 6)
        expected = posterior_mean(0.64 * CENTRING, indicators(data.g, LEVELS), y)
        np.testing.assert_allclose(drawn.sum(axis=1), 0.0, atol=1e-9)
    np.testing.assert_allclose(drawn.mean(axis=0), expected, atol=5.0 * drawn.std(axis=0).max() / np.sqrt(1000))


@pytest.mark.parametrize("formula", FORMULAS)
def test_predictions_are_sums_of_effects(fits: dict[str, tuple[nl.Model, Any]], formula: str) -> None:
    model, results = fits[formula]
    new = some_data().iloc[[3, 7, 11, 30]]
    found = model.predict(results, data=new, inplace=False).predictions["mu"].to_numpy()
    posterior = results.posterior
    if "by=" in formula:
        parts = ["1|gr(g, by=f[one])", "1|gr(g, by=f[two])"]
        effects = np.concatenate([posterior[part].to_numpy() for part in parts], axis=2)
    else:
        effects = posterior[formula[1:-1]].to_numpy()
    z = memberships(new) if "mm(" in formula else indicators(new.g, LEVELS)
    np.testing.assert_allclose(found, effects @ z.T, rtol=1e-10, atol=1e-12)


def test_new_levels(fits: dict[str, tuple[nl.Model, Any]]) -> None:
    """Drawn from their own distribution; none are left where effects sum to zero."""
    new = some_data().iloc[:2].assign(g="new", f=["one", "two"], h=["new", "other"])
    for formula in FORMULAS[:2]:
        model, results = fits[formula]
        with pytest.raises(DataError, match="sample_new_groups"):
            model.predict(results, data=new, inplace=False)
        found = model.predict(results, data=new, inplace=False, sample_new_groups=True, random_seed=2)
        drawn = found.predictions["mu"].to_numpy().reshape(-1, 2)
        shares = new[["w1", "w2"]].to_numpy() / new[["w1", "w2"]].sum(axis=1).to_numpy()[:, None]
        sds = 0.8 * np.array([1.0, np.hypot(*shares[1])]) if "mm(" in formula else np.full(2, 0.8)
        np.testing.assert_allclose(drawn.std(axis=0), sds, rtol=0.08)
    model, results = fits[FORMULAS[2]]
    with pytest.raises(DataError, match="sum to zero"):
        model.predict(results, data=new, inplace=False, sample_new_groups=True)
    model, results = fits[FORMULAS[1]]
    with pytest.raises(DataError, match="'three' is not a level of 'f'"):
        model.predict(results, data=new.assign(f="three"), inplace=False, sample_new_groups=True)


@pytest.mark.parametrize("formula", FORMULAS)
def test_they_are_saved_drawn_and_scored(fits: dict[str, tuple[nl.Model, Any]], formula: str, tmp_path: Any) -> None:
    model, results = fits[formula]
    model.save(tmp_path / "model.zip")
    assert str(nl.Model.load(tmp_path / "model.zip")) == str(model)
    assert formula[3:-2].split("(")[0] in str(model.graph())
    model.compute_log_likelihood(results)
    assert np.isfinite(results.log_likelihood["y"]).all()


# Of several levels ----------------------------------------------------------------------------------------------------


def test_equal_columns_are_one_factor() -> None:
    data = some_data()
    both, one = (nl.Model(f"k ~ x + (1|{right})", data, family="poisson") for right in ("mm(g, g)", "g"))
    densities = [model.backend.model for model in (both, one)]
    start = {name: value + 0.2 for name, value in densities[1].initial_point().items()}
    renamed = {name.replace("|g", "|mm(g, g)"): value for name, value in start.items()}
    assert densities[0].logp(renamed) == pytest.approx(densities[1].logp(start), rel=1e-12)


def test_weights_as_they_are() -> None:
    model = nl.Model("y ~ (1|mm(g, h, weights=[w1, w2], scale=False))", some_data())
    (factor,) = model.design.factors.values()
    np.testing.assert_array_equal(factor.members.weights, some_data()[["w1", "w2"]].to_numpy().T)
    plain = next(iter(nl.Model("y ~ (1|mm(g, h))", some_data()).design.factors.values()))
    assert (plain.members.weights == 0.5).all()


# By the levels of another factor --------------------------------------------------------------------------------------


def test_with_one_level_it_is_the_plain_factor() -> None:
    """Correlations too."""
    data = some_data().assign(f="all")
    models = [nl.Model(f"y ~ x + (x|{right})", data, correlated=True) for right in ("gr(g, by=f)", "g")]
    targets = [JointTarget(assembled_of(model), use_pilot=False) for model in models]
    for position in np.random.default_rng(1).normal(0.0, 0.5, (3, targets[0].dimension)):
        found = [target.log_densities(position[None], 1)[0] for target in targets]
        assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_priors_are_of_all_levels_or_of_one() -> None:
    priors = {"1|gr(g, by=f)": GROUPED, "x|gr(g, by=f[two])": Prior("Normal", mu=0, sigma=3.0)}
    model = nl.Model("y ~ x + (x|gr(g, by=f))", some_data(), priors=priors, priors_cor={"gr(g, by=f)": 3})
    terms = model.priors.terms["mu"]
    assert terms["1|gr(g, by=f[one])"] == terms["1|gr(g, by=f[two])"] == GROUPED
    assert terms["x|gr(g, by=f[two])"].args["sigma"] == 3.0
    plain = nl.Model("y ~ x + (x|g)", some_data()).priors.terms["mu"]["x|g"]
    assert terms["x|gr(g, by=f[one])"] == plain  # as wide as without by=
    names = {variable.name for variable in assembled_of(model).layout.variables}
    assert {"1+x|gr(g, by=f[one])_corr", "1+x|gr(g, by=f[two])_corr", "1|gr(g, by=f[one])_sigma"} <= names


def test_rows_fall_together_by_all_levels() -> None:
    factors = put_together(nl.Model("y ~ x + (1|gr(g, by=f))", some_data()).design.factors)
    (factor,) = factors.values()
    assert [factor.levels[place] for place in factor.index] == some_data().g.tolist()


# That sum to zero -----------------------------------------------------------------------------------------------------


def test_draws_and_log_priors_are_those_of_the_normal_given_its_sum() -> None:
    assembled = assembled_of(nl.Model("y ~ x + (1|gr(g, zero_sum=True))", some_data()))
    values, effects = draw_prior(assembled, 3000, np.random.default_rng(1))
    named = assembled.layout.unpack(values, effects)
    drawn, scale = named["1|gr(g, zero_sum=True)"], named["1|gr(g, zero_sum=True)_sigma"]
    np.testing.assert_allclose(np.cov((drawn / scale[:, None]).T), CENTRING, atol=0.08)
    found = log_prior(assembled, named)["1|gr(g, zero_sum=True)"].sum(axis=1)
    expected = -0.5 * (drawn**2).sum(axis=1) / scale**2 - 5.0 * np.log(scale * np.sqrt(2.0 * np.pi))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
