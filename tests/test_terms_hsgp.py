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


def covariance(model: nl.Model, sigma: float, ell: float, term: str) -> np.ndarray:
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
    """In units of the range beside the default prior, in that of x beside a prior of the user's."""
    frame, span = data(), float(np.ptp(data()["x"]))
    default, chosen = nl.Model(f"y ~ {TERM}", frame), nl.Model(f"y ~ {TERM}", frame, priors=PRIORS)
    np.testing.assert_allclose(covariance(default, 1.0, 0.3, TERM), covariance(chosen, 1.0, 0.3 * span, TERM))
    said = "hsgp(x, m=12, c=2.0, scale=True)"
    model = nl.Model(f"y ~ {said}", frame, priors={said: {"ell": Prior("HalfNormal", sigma=1)}})
    np.testing.assert_allclose(covariance(default, 1.0, 0.3, TERM), covariance(model, 1.0, 0.3, said))
    moved = frame.assign(x=100.0 * frame["x"] + 7.0)
    np.testing.assert_allclose(
        covariance(nl.Model(f"y ~ {TERM}", moved), 1.0, 0.3, TERM), covariance(default, 1.0, 0.3, TERM), atol=1e-12
    )


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


@pytest.mark.parametrize("cov", ["ExpQuad", "Matern32", "Matern52"])
@pytest.mark.parametrize("path", ["joint", "marginal"])
def test_gradients_are_those_of_differences(cov: str, path: Any) -> None:
    frame = data().assign(g=lambda some: np.where(some["x"] > 5.0, "a", "b"))
    target = nl.Model(f"y ~ hsgp(x, m=6, c=1.5, cov='{cov}') + (1|g)", frame).plan(path).target()
    rng = np.random.default_rng(9)
    position = rng.normal(0.0, 0.3, target.dimension)
    gradient, scratch = np.empty_like(position), np.empty_like(position)
    assert np.isfinite(target.logdensity(position, gradient, target.data))
    steps = 1e-5 * np.eye(position.size)
    ends = [[target.logdensity(position + sign * step, scratch, target.data) for step in steps] for sign in (1, -1)]
    numeric = np.subtract(*ends) / 2e-5
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
