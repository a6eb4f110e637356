"""Effects that are correlated across parameters: names, densities, a posterior by quadrature, new levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of, grouped_data

import nutslite as nl
from nutslite.posterior.density.joint import natural_scale
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.record import model_data as md
from nutslite.posterior.targets.target import JointTarget

ACROSS = nl.Formula("y ~ x + (x|p|g)", "sigma ~ z + (1|p|g)")
QUIET: dict[str, Any] = {"progressbar": False, "random_seed": 1}


def across() -> nl.Model:
    return nl.Model(ACROSS, grouped_data())


# --- formulas and names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bars", ["(x|p|g)", "(1|p|g) + (0 + x|p|g)", "(x|p|g) + (1|g)", "(1||g) + (x|p|g)"])
def test_one_formula_with_an_id_is_a_correlated_bar(bars: str) -> None:
    """The same numbers for kernels under the same names, so the same draws."""
    one, other = nl.Model(f"y ~ x + {bars}", grouped_data()), nl.Model("y ~ x + (x|g)", grouped_data(), correlated=True)
    left, right = assembled_of(one), assembled_of(other)
    for name, ours, theirs in zip(left.data._fields, left.data, right.data, strict=True):
        if isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
    for ours, theirs in zip(left.layout.variables, right.layout.variables, strict=True):
        assert (ours.name, ours.dims) == (theirs.name, theirs.dims)
        np.testing.assert_array_equal(ours.index, theirs.index)
    assert left.layout.coords == right.layout.coords


def test_names_of_correlations_across_parameters() -> None:
    model = across()
    layout = assembled_of(model).layout
    assert layout.dims["1+x+sigma_1|g_corr"] == ("1+x+sigma_1|g_corr_dim",)
    assert layout.coords["1+x+sigma_1|g_corr_dim"] == ["1, x", "1, sigma_1", "x, sigma_1"]
    assert {"1|g", "x|g", "sigma_1|g", "sigma_1|g_sigma"} <= layout.dims.keys() | {v.name for v in layout.variables}
    assert '"1+x+sigma_1|g_corr" -> "sigma_1|g"' in str(model.build() or model.graph())
    assert "1+x+sigma_1|g_corr ~ LKJ(eta: 1.0)" in str(model)
    assert "1+x+sigma_1|g_corr ~ LKJ(eta: 3.0)" in str(nl.Model(ACROSS, grouped_data(), priors_cor={"g": 3}))


def test_other_bars_of_the_factor_stay_independent() -> None:
    model = nl.Model(nl.Formula("y ~ (x|p|g) + (0 + z|g)", "sigma ~ (1|p|g) + (1|h)"), grouped_data())
    assert [v.name for v in assembled_of(model).layout.variables if v.source == "correlation"] == ["1+x+sigma_1|g_corr"]


def test_formulas_in_another_order_than_parameters() -> None:
    """Columns of the block stand in the order of the names, and each is read by its own predictor."""
    formula = nl.Formula("y ~ (1|p|g)", "nu ~ (1|p|g)", "sigma ~ (x|p|g)")
    model = nl.Model(formula, grouped_data(), family="t")
    assembled = assembled_of(model)
    parents = {name: j for j, name in enumerate(parameter.name for parameter in model.family.parameters)}
    (block,) = assembled.data.blocks
    wanted = ["1|g", "nu_1|g", "sigma_1|g", "sigma_x|g"]
    index = {variable.name: variable.index for variable in assembled.layout.variables}
    assert [index[name][0] - block[md.EFFECT_START] for name in wanted] == [0, 1, 2, 3]
    scales = assembled.data.block_columns[:, md.ARGUMENTS + 1]
    assert scales.tolist() == [index[f"{name}_sigma"] for name in wanted]
    assert "1+nu_1+sigma_1+sigma_x|g_corr" in index
    read = {int(row[md.PREDICTOR]): (int(row[md.EFFECT_START]), int(row[md.N_COLUMNS])) for row in assembled.data.added}
    first = int(block[md.EFFECT_START])
    assert read == {parents["mu"]: (first, 1), parents["nu"]: (first + 1, 1), parents["sigma"]: (first + 2, 2)}


def test_a_lonely_id_is_told(caplog: pytest.LogCaptureFixture) -> None:
    nl.Model(nl.Formula("y ~ (1|p|g)", "sigma ~ (1|q|g)"), grouped_data())
    assert "The id 'p' stands beside '1|g' alone" in caplog.text
    assert "The id 'q' stands beside '1|g' alone" in caplog.text


def test_families_with_a_vector_refuse() -> None:
    data = grouped_data()
    with pytest.raises(nl.exceptions.PriorError, match=r"categorical.*\(x\|\|g\)"):
        nl.Model("c ~ x + (x|p|g)", data, family="categorical").build()


# --- densities -------------------------------------------------------------------------------------------------------


def test_log_likelihood_by_names() -> None:
    """What weights bring into the log density is SciPy's log likelihood at the effects by their names."""
    assembled, data = assembled_of(across()), grouped_data()
    model = assembled.data
    silent = model._replace(weights=np.zeros(len(data)))
    position = np.random.default_rng(2).normal(0.0, 0.4, assembled.layout.dimension)
    targets = [JointTarget(assembled, use_pilot=False, merged=record) for record in (model, silent)]
    full, none = (target.logdensity(position, np.empty_like(position), target.data) for target in targets)
    n_head = assembled.layout.n_head
    values, effects = np.empty((1, n_head + model.head.fixed.size)), np.empty((1, model.centring.size))
    natural_scale(position[None], model, values, effects)
    p = {name: array[0] for name, array in assembled.layout.unpack(values, effects).items()}
    g = pd.Categorical(data["g"]).codes
    mu = p["Intercept"] + p["x"] * data["x"] + p["1|g"][g] + p["x|g"][g] * data["x"]
    sigma = np.exp(p["sigma_Intercept"] + p["sigma_z"] * data["z"] + p["sigma_1|g"][g])
    assert full - none == pytest.approx(stats.norm.logpdf(data["y"], mu, sigma).sum(), rel=1e-10)


def test_prior_of_effects_is_a_normal_of_all_columns() -> None:
    """Draws of the prior have the covariance of their scales and correlations; log priors are that normal's."""
    assembled = assembled_of(nl.Model(ACROSS, grouped_data(), priors_cor={"g": 2.0}))
    values, effects = draw_prior(assembled, 4000, np.random.default_rng(3))
    draws = assembled.layout.unpack(values, effects)
    names = ["1|g", "x|g", "sigma_1|g"]
    together = np.stack([draws[name] / draws[f"{name}_sigma"][:, None] for name in names], axis=-1)
    products = np.einsum("dla,dlb->dab", together, together) / together.shape[1]
    lower = np.tril_indices(3, -1)
    residuals = products[:, lower[0], lower[1]] - draws["1+x+sigma_1|g_corr"]
    np.testing.assert_allclose(residuals.mean(axis=0), 0.0, atol=4 * residuals.std() / np.sqrt(4000))
    assert draws["1+x+sigma_1|g_corr"].var(axis=0) == pytest.approx(1 / 6, rel=0.1)  # a beta of 2.5 on (-1, 1)
    some = {name: array[:5] for name, array in draws.items()}
    found = log_prior(assembled, some)
    for draw in range(5):
        correlations = np.eye(3)
        correlations[lower] = some["1+x+sigma_1|g_corr"][draw]
        correlations = correlations + correlations.T - np.eye(3)
        scales = np.array([some[f"{name}_sigma"][draw] for name in names])
        normal = stats.multivariate_normal(np.zeros(3), correlations * np.outer(scales, scales))
        wanted = normal.logpdf(np.stack([some[name][draw] for name in names], axis=-1)).sum()
        assert sum(found[name][draw].sum() for name in names) == pytest.approx(wanted, rel=1e-9)


# --- posteriors ------------------------------------------------------------------------------------------------------


def location_scale(seed: int, levels: int, rows: int, rho: float, intercepts: bool = True) -> pd.DataFrame:
    """Normal responses whose means and log scales differ by group, correlated by `rho`."""
    rng = np.random.default_rng(seed)
    u, v = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.5 * rho], [0.5 * rho, 0.25]], levels).T
    g = np.repeat(np.arange(levels), rows)
    y = rng.normal(float(intercepts) + u[g], np.exp(v[g] - 0.5 * intercepts))
    return pd.DataFrame({"y": y, "g": [f"g{i:02d}" for i in g]})


def by_quadrature(data: pd.DataFrame, scales: tuple[float, float]) -> dict[str, Any]:
    """Posterior means of ``y ~ 0 + (1|p|g)``, ``sigma ~ 0 + (1|p|g)`` with known scales and a uniform correlation."""
    rho, weight = np.polynomial.legendre.leggauss(60)
    u, v = np.linspace(-6, 6, 241)[:, None], np.linspace(-4, 4, 241)[None, :]
    one, u_mean, v_mean = [], [], []
    for _, own in data.groupby("g"):
        y = own["y"].to_numpy()
        log = -y.size * v - 0.5 * np.exp(-2 * v) * ((y**2).sum() - 2 * u * y.sum() + y.size * u**2)
        sums = []
        for r in rho:
            a, b = u / scales[0], v / scales[1]
            density = np.exp(log - log.max() - 0.5 * (a**2 - 2 * r * a * b + b**2) / (1 - r**2)) / np.sqrt(1 - r**2)
            sums.append([density.sum(), (density * u).sum(), (density * v).sum()])
        total, first, second = np.array(sums).T
        one.append(total)
        u_mean.append(first / total)
        v_mean.append(second / total)
    posterior = weight * np.prod(np.array(one) / np.max(one, axis=1, keepdims=True), axis=0)
    posterior /= posterior.sum()
    return {"1+sigma_1|g_corr": [posterior @ rho], "1|g": u_mean @ posterior, "sigma_1|g": v_mean @ posterior}


def test_posterior_is_that_of_quadrature() -> None:
    data = location_scale(4, levels=5, rows=6, rho=0.8, intercepts=False)
    priors = {"1|g": nl.Prior("Normal", mu=0, sigma=1.2), "sigma": {"1|g": nl.Prior("Normal", mu=0, sigma=0.7)}}
    model = nl.Model(nl.Formula("y ~ 0 + (1|p|g)", "sigma ~ 0 + (1|p|g)"), data, priors=priors)
    table = nl.summary(model.fit(draws=1500, **QUIET), round_to="none")
    for name, wanted in by_quadrature(data, (1.2, 0.7)).items():
        own = table[table.index.str.startswith(f"{name}[")]
        z = (own["mean"].to_numpy() - np.asarray(wanted)) / own["mcse_mean"].to_numpy()
        assert np.abs(z).max() < 4, (name, z)


def test_a_location_scale_model_finds_its_correlation() -> None:
    data = location_scale(5, levels=60, rows=12, rho=0.7)
    model = nl.Model(nl.Formula("y ~ 1 + (1|p|g)", "sigma ~ 1 + (1|p|g)"), data)
    results = model.fit(draws=500, **QUIET)
    table = nl.summary(results)
    assert table["r_hat"].max() < 1.02
    assert table.loc["1+sigma_1|g_corr[1, sigma_1]", "mean"] == pytest.approx(0.7, abs=0.2)
    assert table.loc["1|g_sigma", "mean"] == pytest.approx(1.0, abs=0.3)
    assert table.loc["sigma_1|g_sigma", "mean"] == pytest.approx(0.5, abs=0.2)
    new = pd.DataFrame({"g": ["new"] * 2})
    predicted = model.predict(results, data=new, sample_new_groups=True, inplace=False, random_seed=1)
    draws = nl.results.container.inference_data.get_group(predicted, "predictions")
    mu, sigma = draws["mu"].to_numpy()[..., 0].ravel(), draws["sigma"].to_numpy()[..., 0].ravel()
    assert np.corrcoef(mu, np.log(sigma))[0, 1] == pytest.approx(0.65, abs=0.15)
