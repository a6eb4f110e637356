"""`Model.compute_log_prior`: against the joint density and SciPy, and as ArviZ reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from small_models import GAUSSIAN, GENERAL, assembled_of, grouped_data, small_model

import nutslite as nl
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.record.head import constrain_head
from nutslite.posterior.targets.target import JointTarget
from nutslite.results.container.inference_data import arviz_major, get_group, named_arrays

ALL = {**GAUSSIAN, **GENERAL}
SHORT: dict[str, Any] = {
    "draws": 8, "tune": 8, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [name for name in ALL if "correlated" not in name and name != "every parameter modelled"]
)
@pytest.mark.parametrize("noncentered", [True, False])
def test_sum_is_the_prior_part_of_the_joint_density(name: str, noncentered: bool) -> None:
    """Joint density = likelihood + priors + log-Jacobians of head and effects."""
    model = small_model({**ALL[name], "noncentered": noncentered})
    assembled = assembled_of(model)
    target, points = JointTarget(assembled, use_pilot=False), PointMap(assembled)
    rng = np.random.default_rng(3)
    position = rng.normal(0.0, 0.4, target.dimension)
    natural = points.natural(position)
    joint = target.logdensity(position, np.empty(target.dimension), target.data)
    weightless = assembled.data._replace(weights=np.zeros(120))
    without = JointTarget(assembled, use_pilot=False, merged=weightless)
    prior = without.logdensity(position, np.empty(target.dimension), without.data)
    head_jacobian = constrain_head(position, assembled.data.head, points.values(position)[0])
    for variable in assembled.layout.variables:
        if variable.source == "simplex":
            shares = natural[variable.name]
            head_jacobian += np.log(shares).sum() + 0.5 * np.log(shares.size)
    densities = log_prior(assembled, {key: value[None] for key, value in natural.items()})
    total = sum(float(array.sum()) for array in densities.values())
    effects_jacobian = _effects_jacobian(assembled, position)
    assert total == pytest.approx(prior - head_jacobian - effects_jacobian, rel=1e-9)
    assert joint != prior
    whole = {variable.name for variable in assembled.layout.variables if variable.source == "simplex"}
    assert all(densities[key].shape == (1,) for key in whole)
    assert all(densities[key].shape == (1, *np.shape(natural[key])) for key in natural if key not in whole)


def _effects_jacobian(assembled: Any, position: np.ndarray) -> float:
    """log |d effects / d offsets| by differences: each depends on its own offset, or on others', too."""
    points, n_head = PointMap(assembled), assembled.layout.n_head
    _, before = points.values(position)
    step = np.zeros(position.size)
    step[n_head:] = 1.0  # effects are linear in their offsets
    _, after = points.values(position + step)
    square = [own.mix for own in assembled.layout.variables if own.mix.size and not own.sums_to_zero]
    mixed = [np.log(np.diag(mix)).sum() for mix in square]  # others are orthonormal
    return float(np.log(after - before).sum() + sum(mixed))


def test_correlated_effects_against_scipy() -> None:
    model = small_model(GAUSSIAN["correlated, three columns"])  # LKJ(2)
    posterior = get_group(model.fit(**SHORT), "posterior")
    prior = log_prior(assembled_of(model), named_arrays(posterior)[0])
    terms = ("1|g", "x|g", "z|g")
    total = sum(prior[term].sum(axis=-1) for term in terms)
    correlations = posterior["1+x+z|g_corr"].to_numpy()
    assert prior["1+x+z|g_corr"].shape == (2, 8)
    for chain, draw in [(0, 0), (1, 7)]:
        matrix = np.eye(3)
        matrix[np.tril_indices(3, -1)] = correlations[chain, draw]
        matrix = matrix + matrix.T - np.eye(3)
        scales = np.array([float(posterior[f"{term}_sigma"][chain, draw]) for term in terms])
        effects = np.array([posterior[term].to_numpy()[chain, draw] for term in terms]).T
        expected = stats.multivariate_normal(np.zeros(3), matrix * np.outer(scales, scales)).logpdf(effects).sum()
        assert total[chain, draw] == pytest.approx(expected, rel=1e-8)


def test_lkj_integrates_to_one() -> None:
    """Over the cube of correlations, by Monte Carlo."""
    from nutslite.posterior.points.log_prior import _lkj

    lower = np.random.default_rng(1).uniform(-1, 1, (60_000, 3))
    matrices = np.tile(np.eye(3), (len(lower), 1, 1))
    rows, columns = np.tril_indices(3, -1)
    matrices[:, rows, columns] = matrices[:, columns, rows] = lower
    possible = np.linalg.eigvalsh(matrices).min(axis=1) > 1e-12
    for eta in (1.0, 2.0, 3.5):
        density = np.exp(_lkj(np.linalg.cholesky(matrices[possible]), eta)).sum() / len(lower)
        assert 8 * density == pytest.approx(1.0, abs=0.03)


def test_variables_dims_and_copies() -> None:
    model = nl.Model("y ~ x + c + (1|g)", grouped_data())
    results = model.fit(**SHORT)
    copy = model.compute_log_prior(results, inplace=False)
    assert model.compute_log_prior(results) is None
    group, posterior = get_group(results, "log_prior"), get_group(results, "posterior")
    assert group.equals(get_group(copy, "log_prior"))
    expected = {name: posterior[name].dims for name in posterior.data_vars if name != "1|g"}
    assert {name: group[name].dims for name in group.data_vars} == expected
    expected = stats.norm.logpdf(posterior["x"], 0, model.priors.terms["mu"]["x"].args["sigma"])
    np.testing.assert_allclose(group["x"], expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("prior", "there"),
    [
        (None, False),
        (nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=2), noncentered=False), False),
        (nl.Prior("Normal", mu=0, sigma=2.0), True),  # somebody's choice, as that of any coefficient
    ],
)
def test_group_effects_count_where_their_prior_is_given(prior: Any, there: bool) -> None:
    """Power-scaling is of priors that were chosen; the distribution of effects given their scale is none."""
    model = nl.Model(
        nl.Formula("y ~ x", "sigma ~ (1|g)"), grouped_data(), priors={"sigma": {"1|g": prior}} if prior else None
    )
    results = model.fit(**SHORT)
    model.compute_log_prior(results)
    assert ("sigma_1|g" in get_group(results, "log_prior").data_vars) is there
    assert ("sigma_1|g_sigma" in get_group(results, "log_prior").data_vars) is not there


def test_results_of_another_model_are_refused() -> None:
    results = nl.Model("y ~ x", grouped_data()).fit(**SHORT)
    with pytest.raises(nl.DataError, match="no variable 'z'"):
        nl.Model("y ~ x + z", grouped_data()).compute_log_prior(results)
    with pytest.raises(nl.DataError, match="'x' has another size"):
        nl.Model("y ~ x", grouped_data().assign(x=lambda frame: frame.c)).compute_log_prior(results)


def test_power_scaling_by_arviz() -> None:
    """A prior that pulls is told from one that does not matter."""
    if arviz_major() < 1:
        pytest.skip("power-scaling came with ArviZ 1.0")
    import arviz as az

    options: dict[str, Any] = {**SHORT, "draws": 1000, "tune": 500}
    sensitivity = {}
    for name, priors in {"default": None, "pulling": {"x": nl.Prior("Normal", mu=-1.0, sigma=0.05)}}.items():
        model = nl.Model("y ~ x + z", grouped_data(), priors=priors)
        results = model.fit(**options, idata_kwargs={"log_likelihood": True, "log_prior": True})
        sensitivity[name] = az.psense_summary(results, round_to=4)["prior"].astype(float)
    assert sensitivity["default"].max() < 0.05 < sensitivity["pulling"]["x"]
