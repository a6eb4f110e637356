"""Gaussian processes by basis functions: exact covariances, a posterior by quadrature, units, boundaries, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.formula.terms.box import doubts
from nutslite.model.record.specification import specification_of
from nutslite.posterior.points.points import PointMap
from nutslite.priors.prior import Prior

TERM = "hsgp(x, m=12, c=2.0)"
PRIORS = {
    TERM: {"sigma": Prior("HalfNormal", sigma=1), "ell": Prior("InverseGamma", alpha=5, beta=8)},
    "Intercept": Prior("Normal", mu=0, sigma=1),
    "sigma": Prior("HalfNormal", sigma=1),
}


def data(n: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    x = np.sort(rng.uniform(2.0, 8.0, n))
    return pd.DataFrame({"x": x, "y": np.sin(x) + rng.normal(0.0, 0.3, n)})


def covariance(model: nl.Model, sigma: Any, ell: Any, term: str) -> np.ndarray:
    """Of the process at the rows, as the model's own densities have it."""
    points = PointMap(assembled_of(model))
    position = points.position(
        {f"{term}_sigma": sigma, f"{term}_ell": ell}, np.zeros(assembled_of(model).layout.dimension)
    )
    values, _ = points.values(position)
    columns = assembled_of(model).data.block_columns
    (basis,) = specification_of(model).spec.design.predictors["mu"].basis_terms
    scaled = basis.matrix * values[columns[:, 5]][:, None]  # the second argument of a normal density
    return np.asarray(scaled.T @ scaled)


def exact(cov: str, distance: np.ndarray, ell: float) -> np.ndarray:
    """Covariances of standard deviation one (Rasmussen and Williams 2006, chapter 4)."""
    r = np.abs(distance) / ell
    if cov == "ExpQuad":
        return np.exp(-0.5 * r**2)
    if cov == "Matern32":
        return (1.0 + np.sqrt(3.0) * r) * np.exp(-np.sqrt(3.0) * r)
    return (1.0 + np.sqrt(5.0) * r + 5.0 * r**2 / 3.0) * np.exp(-np.sqrt(5.0) * r)


@pytest.mark.parametrize(
    ("cov", "m", "error"), [("ExpQuad", 90, 1e-9), ("Matern52", 300, 1e-5), ("Matern32", 600, 1e-4)]
)
@pytest.mark.parametrize("scale", [True, False])
def test_with_many_functions_it_is_the_exact_process(cov: str, m: int, error: float, scale: bool) -> None:
    frame = data()
    term = f"hsgp(x, m={m}, c=6, cov='{cov}', scale={scale})"
    model = nl.Model(f"y ~ {term}", frame)
    span = float(np.ptp(frame["x"])) if scale else 1.0
    found = covariance(model, 1.3, 1.1 / span, term)
    distance = np.subtract.outer(frame["x"].to_numpy(), frame["x"].to_numpy())
    np.testing.assert_allclose(found, 1.3**2 * exact(cov, distance, 1.1), atol=error)


def test_the_unit_of_the_length_scale() -> None:
    """That of x, whatever its prior is; with scale=True that of the range; other units are another unit, no more."""
    frame, span = data(), float(np.ptp(data()["x"]))
    default, chosen = nl.Model(f"y ~ {TERM}", frame), nl.Model(f"y ~ {TERM}", frame, priors=PRIORS)
    said = "hsgp(x, m=12, c=2.0, scale=True)"
    scaled = nl.Model(f"y ~ {said}", frame)
    np.testing.assert_allclose(covariance(default, 1.0, 1.2, TERM), covariance(chosen, 1.0, 1.2, TERM))
    np.testing.assert_allclose(covariance(default, 1.0, 1.2, TERM), covariance(scaled, 1.0, 1.2 / span, said))
    moved = nl.Model("y ~ hsgp(x)", frame.assign(x=100.0 * frame["x"] + 7.0))
    still = nl.Model("y ~ hsgp(x)", frame)
    np.testing.assert_allclose(
        covariance(moved, 1.0, 120.0, "hsgp(x)"), covariance(still, 1.0, 1.2, "hsgp(x)"), atol=1e-9
    )
    priors = [specification_of(model).spec.priors.terms["mu"]["hsgp(x)_ell"] for model in (moved, still)]
    assert priors[0].args["beta"] == pytest.approx(100.0 * priors[1].args["beta"])


SHORT = "hsgp(x, z, m=[32, 30], c=[4, 5], iso=False)"


def plane(n: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.uniform(-1.0, 5.0, n), "z": rng.uniform(10.0, 14.0, n), "y": rng.normal(size=n)})
    return frame.assign(g=np.arange(n) % 3)


def distances(frame: pd.DataFrame, x: float, z: float) -> np.ndarray:
    apart = [np.subtract.outer(frame[name].to_numpy(), frame[name].to_numpy()) for name in ("x", "z")]
    return np.asarray(np.hypot(apart[0] / x, apart[1] / z))


@pytest.mark.parametrize(("cov", "error"), [("ExpQuad", 2e-4), ("Matern52", 2e-2)])
def test_of_two_columns_with_a_length_scale_each(cov: str, error: float) -> None:
    frame = plane()
    term = SHORT[:-1] + f", cov='{cov}')"
    found = covariance(nl.Model(f"y ~ {term}", frame), 1.3, np.array([1.5, 1.2]), term)
    np.testing.assert_allclose(found, 1.3**2 * exact(cov, distances(frame, 1.5, 1.2), 1.0), atol=error)


def test_of_two_columns_with_one_length_scale() -> None:
    frame, term = plane(), "hsgp(x, z, m=[24, 20], c=4)"
    found = covariance(nl.Model(f"y ~ {term}", frame), 0.7, 1.4, term)
    np.testing.assert_allclose(found, 0.49 * exact("ExpQuad", distances(frame, 1.4, 1.4), 1.0), atol=1e-6)


@pytest.mark.parametrize("boundary", ["c=4", "c=[[4.0], [5.0], [6.0]]"])
def test_levels_have_processes_of_their_own(boundary: str) -> None:
    """Independent ones, of one covariance, or with a standard deviation and a length scale each."""
    frame = plane(18)
    same = np.equal.outer(frame["g"].to_numpy(), frame["g"].to_numpy())
    distance = np.subtract.outer(frame["x"].to_numpy(), frame["x"].to_numpy())
    shared = f"hsgp(x, by=g, m=60, {boundary})"
    found = covariance(nl.Model(f"y ~ {shared}", frame), 1.3, 1.1, shared)
    np.testing.assert_allclose(found, np.where(same, 1.69 * exact("ExpQuad", distance, 1.1), 0.0), atol=1e-7)
    each = f"hsgp(x, by=g, share_cov=False, m=60, {boundary})"
    sds, lengths = np.array([0.5, 1.0, 2.0]), np.array([1.1, 1.6, 2.5])
    found = covariance(nl.Model(f"y ~ {each}", frame), sds, lengths, each)
    own = frame["g"].to_numpy()
    wanted = np.where(same, sds[own] ** 2 * exact("ExpQuad", distance, lengths[own]), 0.0)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("ell", [0.3, 1.0, 20.0])
def test_a_periodic_process_is_exact(ell: float) -> None:
    frame, term = data(), "hsgp(x, m=30, cov='Periodic', period=2.5)"
    found = covariance(nl.Model(f"y ~ {term}", frame), 1.3, ell, term)
    distance = np.subtract.outer(frame["x"].to_numpy(), frame["x"].to_numpy())
    np.testing.assert_allclose(found, 1.69 * np.exp(-2.0 * np.sin(np.pi * distance / 2.5) ** 2 / ell**2), atol=1e-9)


def test_m_and_c_follow_the_prior_of_the_length_scale(caplog: pytest.LogCaptureFixture) -> None:
    """By the formulas of Riutort-Mayol et al.; anew for other priors; formulas that say them are left alone."""
    frame = data()
    caplog.set_level("INFO", logger="nutslite")
    narrow = {"hsgp(x)": {"ell": Prior("Uniform", lower=1.0, upper=2.0)}}
    default, chosen = (nl.Model("y ~ hsgp(x)", frame, priors=priors) for priors in (None, narrow))
    half = np.abs(frame["x"] - frame["x"].mean()).max()
    c = max(1.2, 3.2 * 1.9 / half)
    assert f"takes m={int(np.ceil(1.75 * c * half / 1.1))} and c={c:.3g}, enough for length" in caplog.text
    sizes = {name: weights(model).shape[0] for name, model in (("default", default), ("chosen", chosen))}
    assert sizes["chosen"] == pytest.approx(1.75 * c * half / 1.1, abs=1.0)
    assert 20 <= sizes["default"] <= 35
    again = nl.Model("y ~ hsgp(x)", frame)
    again.set_priors(narrow)
    np.testing.assert_array_equal(weights(again), weights(chosen))
    known = nl.Model("y ~ hsgp(x)", frame, priors={"hsgp(x)": {"ell": 0.5}})
    assert weights(known).shape[0] == np.ceil(1.75 * max(1.2, 3.2 * 0.5 / half) * half / 0.5)
    assert weights(nl.Model("y ~ hsgp(x, m=7)", frame)).shape[0] == 7
    new = specification_of(chosen).spec.design.evaluate(frame.iloc[:3]).predictors["mu"].basis_terms[0].matrix
    np.testing.assert_allclose(new, weights(chosen)[:, :3], atol=1e-12)


def weights(model: nl.Model) -> np.ndarray:
    """Columns of the only process."""
    return specification_of(model).spec.design.predictors["mu"].basis_terms[0].matrix


def test_draws_that_m_or_c_do_not_serve_are_told() -> None:
    """Of the wave of the fixture's data: too few functions for it, too near a boundary for long ones, and neither."""
    draws = np.random.default_rng(1).uniform(1.0, 1.2, (200,))
    box = {"covariance": "ExpQuad", "iso": True, "units": np.ones(1), "texts": ("x",)}
    fine = box | {"sizes": (30,), "boundary": np.full((1, 1), 6.0)}
    few, near = fine | {"sizes": (9,)}, fine | {"boundary": np.full((1, 1), 3.0)}
    assert doubts("t", fine, {"ell": draws}) == ()
    assert doubts("t", fine, {}) == ()
    (one,), (other,) = doubts("t", few, {"ell": draws}), doubts("t", near, {"ell": draws})
    assert "too few functions for length scales below 1.17" in one
    assert "Ask for m=11" in one
    assert "above 0.938 are too long" in other
    assert "L=3.5" in other
    two = {"sizes": (30, 9), "boundary": np.full((1, 2), 6.0), "texts": ("x", "z"), "units": np.ones(2), "iso": False}
    (of_z,) = doubts("t", box | two, {"ell": np.stack([draws, draws], axis=1)})
    assert "m=11 of z" in of_z
    periodic = {"covariance": "Periodic", "iso": True, "sizes": (3,), "boundary": np.ones((1, 1))}
    assert "m=4" in doubts("t", periodic, {"ell": draws})[0]


def test_a_fit_says_what_its_draws_doubt(caplog: pytest.LogCaptureFixture) -> None:
    frame = data(60)
    nl.Model("y ~ hsgp(x, m=4, c=1.5)", frame).fit(draws=100, chains=1, random_seed=1, progressbar=False)
    assert "'hsgp(x, m=4, c=1.5)' has too few functions" in caplog.text


def test_given_all_scales_the_posterior_is_that_of_the_exact_process() -> None:
    """Mean and standard deviation at rows and between them, by the formulas for a normal vector."""
    frame = data(20)
    term = "hsgp(x, m=40, c=3)"
    noise = Prior("Uniform", lower=0.2999, upper=0.3001)
    priors = {term: {"sigma": 1.2, "ell": 1.1}, "Intercept": Prior("Normal", mu=0, sigma=0.001), "sigma": noise}
    model = nl.Model(f"y ~ {term}", frame, priors=priors)
    results = model.fit(draws=2000, chains=1, random_seed=1, progressbar=False)
    new = frame["x"].min() + np.array([0.3, 2.2, 4.1])
    x = np.concatenate([frame["x"], new])
    both = 1.44 * exact("ExpQuad", np.subtract.outer(x, x), 1.1)
    gain = np.linalg.solve(both[:20, :20] + 0.09 * np.eye(20), both[:20]).T
    mean, sd = gain @ frame["y"], np.sqrt(np.diag(both - gain @ both[:20]))
    mu = np.asarray(model.predict(results, data=pd.DataFrame({"x": x}), inplace=False).predictions["mu"])[0]
    np.testing.assert_allclose((mu.mean(axis=0) - mean) / sd, 0.0, atol=5.0 / np.sqrt(2000))
    np.testing.assert_allclose(mu.std(axis=0), sd, rtol=0.08)


def test_levels_in_results_predictions_and_files(tmp_path: Path) -> None:
    frame = data(60).assign(g=lambda some: np.where(np.arange(60) % 2, "b", "a"))
    term = "hsgp(x, by=g, m=6, share_cov=False)"
    priors = {term: {"ell": Prior("InverseGamma", alpha=3, beta=[2.0, 3.0]), "sigma": [1.0, 2.0]}}
    model = nl.Model(f"y ~ {term}", frame, priors=priors)
    results = model.fit(draws=50, chains=1, random_seed=1, progressbar=False)
    posterior = results.posterior
    assert posterior[f"{term}_ell"].dims[2:] == (f"{term}_by",)
    assert posterior[f"{term}_weights"].dims[2:] == (f"{term}_weights_dim", f"{term}_by")
    assert posterior[f"{term}_by"].values.tolist() == ["a", "b"]
    new = pd.DataFrame({"x": [3.0, 3.0], "g": ["b", "a"]})
    mu = np.asarray(model.predict(results, data=new, inplace=False).predictions["mu"])[0]
    columns = specification_of(model).spec.design.evaluate(new).predictors["mu"].basis_terms[0].matrix
    every = np.asarray(posterior[f"{term}_weights"])[0]
    for row, level in enumerate((1, 0)):
        own = columns.reshape(6, 2, 2)[:, level, row]
        np.testing.assert_allclose(mu[:, row], np.asarray(posterior["Intercept"])[0] + every[:, :, level] @ own)
    with pytest.raises(DataError, match="learned for the levels a, b of g, and 1 of 2 rows have others: c"):
        model.predict(results, data=new.assign(g=["a", "c"]), inplace=False)
    model.save(tmp_path / "model")
    assert str(nl.Model.load(tmp_path / "model")) == str(model)
    prior = model.prior_predictive(draws=20, random_seed=1).prior
    assert prior[f"{term}_ell"].shape == (1, 20, 2)


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, Any]:
    model = nl.Model(f"y ~ {TERM}", data(), priors=PRIORS)
    return model, model.fit(draws=1000, chains=2, random_seed=2, progressbar=False)


def test_posterior_against_quadrature(fitted: tuple[nl.Model, Any]) -> None:
    """Standard deviation, length scale and noise, everything else integrated out by NumPy."""
    _, results = fitted
    frame = data()
    x, y = frame["x"].to_numpy() - frame["x"].mean(), frame["y"].to_numpy()
    boundary = 2.0 * np.abs(x).max()
    frequency = np.arange(1, 13) * np.pi / (2.0 * boundary)
    basis = np.sin(np.outer(x + boundary, frequency)) / np.sqrt(boundary)
    s, e, w = np.linspace(-2.5, 1.5, 25), np.linspace(-1.0, 2.5, 25), np.linspace(-2.2, 0.2, 25)
    log_density = np.empty((25, 25, 25))
    for j, ell in enumerate(np.exp(e)):
        density = np.sqrt(2.0 * np.pi) * ell * np.exp(-0.5 * (ell * frequency) ** 2)
        process = (basis * density) @ basis.T
        for i, sd in enumerate(np.exp(s)):
            values, vectors = np.linalg.eigh(sd**2 * process + 1.0)  # the intercept's prior variance is one
            rotated = vectors.T @ y
            for k, noise in enumerate(np.exp(w)):
                total = values + noise**2
                log_density[i, j, k] = -0.5 * np.sum(np.log(total) + rotated**2 / total)
    prior_s = stats.halfnorm.logpdf(np.exp(s)) + s
    prior_e = stats.invgamma.logpdf(np.exp(e), 5.0, scale=8.0) + e
    prior_w = stats.halfnorm.logpdf(np.exp(w)) + w
    log_density += prior_s[:, None, None] + prior_e[:, None] + prior_w
    share = np.exp(log_density - log_density.max())
    share /= share.sum()
    for name, axis, grid in ((f"{TERM}_sigma", 0, s), (f"{TERM}_ell", 1, e), ("sigma", 2, w)):
        marginal = share.sum(axis=tuple({0, 1, 2} - {axis}))
        mean = marginal @ np.exp(grid)
        sd = np.sqrt(marginal @ np.exp(2 * grid) - mean**2)
        draws = np.asarray(results.posterior[name]).ravel()
        assert draws.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(500))
        assert draws.std() == pytest.approx(sd, rel=0.2)


def test_the_joint_density_has_the_same_posterior(fitted: tuple[nl.Model, Any]) -> None:
    model, exact_results = fitted
    text = " ".join(str(model.plan()).split())
    assert "The 12 weights are integrated out together." in text
    assert "over 3 parameters" in text
    results = model.fit(
        plan="joint", draws=300, tune=400, chains=2, target_accept=0.95, random_seed=4, progressbar=False
    )
    one, other = nl.summary(exact_results), nl.summary(results)
    error = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
    assert (np.abs(one["mean"] - other["mean"]) < 5.0 * error + 0.01).all()


def test_predictions_within_the_boundary(fitted: tuple[nl.Model, Any]) -> None:
    model, results = fitted
    new = pd.DataFrame({"x": [0.0, 5.0, 10.0]})
    mu = np.asarray(model.predict(results, data=new, inplace=False).predictions["mu"])
    design = specification_of(model).spec.design.evaluate(new)
    weights = np.asarray(results.posterior[f"{TERM}_weights"])
    by_hand = (
        np.asarray(results.posterior["Intercept"])[..., None] + weights @ design.predictors["mu"].basis_terms[0].matrix
    )
    np.testing.assert_allclose(mu, by_hand, rtol=1e-10)
    with pytest.raises(DataError, match=r"1 of 2 rows of x lie beyond the boundary"):
        model.predict(results, data=pd.DataFrame({"x": [5.0, 30.0]}), inplace=False)


def test_what_else_there_is(tmp_path: Path) -> None:
    frame = data()
    whole, less = ("hsgp(x, m=5, L=20)", "hsgp(x, m=5, L=20, drop_first=True)")
    bases = [
        specification_of(nl.Model(f"y ~ {term}", frame)).spec.design.predictors["mu"].basis_terms[0].matrix
        for term in (whole, less)
    ]
    np.testing.assert_array_equal(bases[0][1:], bases[1])
    model = nl.Model(f"y ~ {TERM}", frame, priors={TERM: {"ell": 1.5}})
    model.save(tmp_path / "model")
    assert str(nl.Model.load(tmp_path / "model")) == str(model)
    assert f"{TERM}_ell ~ 1.5" in str(model)
    prior = nl.Model(f"y ~ {TERM}", frame, priors=PRIORS).prior_predictive(draws=3000, random_seed=1).prior
    own = {name: np.asarray(prior[f"{TERM}_{name}"])[0] for name in ("sigma", "ell", "weights")}
    frequency = np.arange(1, 13) * np.pi / (4.0 * np.abs(frame["x"] - frame["x"].mean()).max())
    ell = own["ell"][:, None]
    sds = own["sigma"][:, None] * np.sqrt(np.sqrt(2 * np.pi) * ell) * np.exp(-0.25 * (ell * frequency) ** 2)
    standard = own["weights"][:, :4] / sds[:, :4]
    assert stats.kstest(standard.ravel(), "norm").pvalue > 1e-3


GRADIENTS = [
    *(f"hsgp(x, m=6, c=1.5, cov='{cov}') + (1|g)" for cov in ("ExpQuad", "Matern32", "Matern52")),
    "hsgp(x, m=4, cov='Periodic', period=5) + (1|g)",
    "hsgp(x, z, m=[3, 2], c=1.5, iso=False, by=g, share_cov=False, cov='Matern52')",
    "hsgp(x, z, m=[3, 2], c=1.5, by=g, scale=True)",
]


@pytest.mark.parametrize("terms", GRADIENTS)
@pytest.mark.parametrize("path", ["joint", "marginal"])
def test_gradients_are_those_of_differences(terms: str, path: Any) -> None:
    frame = data().assign(g=lambda some: np.where(some["x"] > 5.0, "a", "b"), z=lambda some: np.cos(some["x"]))
    target = nl.Model(f"y ~ {terms}", frame).plan(path).target()
    rng = np.random.default_rng(9)
    position = rng.normal(0.0, 0.3, target.dimension)
    gradient, scratch = np.empty_like(position), np.empty_like(position)
    assert np.isfinite(target.logdensity(position, gradient, target.data))
    steps = 1e-5 * np.eye(position.size)
    ends = [[target.logdensity(position + sign * step, scratch, target.data) for step in steps] for sign in (1, -1)]
    numeric = np.subtract(*ends) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
