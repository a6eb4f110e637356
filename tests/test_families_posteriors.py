"""Posteriors of one or two parameters beside quadrature with SciPy's densities, and log likelihoods draw by draw.

One small model a family, on data of its own; other parameters are known numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from family_references import REFERENCES
from scipy import stats

import nutslite as nl
from nutslite.families.links.codes import inverse_array, link_array
from nutslite.families.record.register import get_family
from nutslite.results.container.inference_data import get_group

ROWS, POINTS, DRAWS = 40, 161, 1000
QUIET: dict[str, Any] = {"draws": DRAWS, "chains": 2, "random_seed": 1, "progressbar": False}
SHAPE, SIZE, SHARE = (
    ("Gamma", {"alpha": 4.0, "beta": 2.0}),
    ("HalfNormal", {"sigma": 2.0}),
    ("Beta", {"alpha": 2, "beta": 3}),
)
SKEW, SHIFT = ("Normal", {"mu": 0.0, "sigma": 4.0}), ("Uniform", {"lower": 0.0, "upper": 2.0})
LAWS = {
    "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1.0 / beta),
    "HalfNormal": lambda sigma: stats.halfnorm(scale=sigma),
    "Beta": stats.beta,
    "Normal": lambda mu, sigma: stats.norm(mu, sigma),
    "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
}
# By family: the parent's true value, then the others'; one with a prior is unknown
MODELS: dict[str, tuple[float, dict[str, tuple[float, Any]]]] = {
    "exponential": (2.5, {}),
    "exgaussian": (0.4, {"sigma": (0.5, None), "nu": (1.5, SIZE)}),
    "vonmises": (0.8, {"kappa": (3.0, SIZE)}),
    "beta_binomial": (0.35, {"kappa": (4.0, SHAPE)}),
    "zero_inflated_binomial": (0.3, {"psi": (0.7, SHARE)}),
    "zero_inflated_negativebinomial": (4.0, {"alpha": (2.0, None), "psi": (0.7, SHARE)}),
    "hurdle_poisson": (1.2, {"psi": (0.6, SHARE)}),
    "hurdle_negativebinomial": (3.0, {"alpha": (1.5, SHAPE), "psi": (0.7, None)}),
    "hurdle_gamma": (2.0, {"alpha": (1.5, SHAPE), "psi": (0.7, None)}),
    "hurdle_lognormal": (0.5, {"sigma": (0.8, None), "psi": (0.7, SHARE)}),
    "zero_one_inflated_beta": (0.35, {"kappa": (4.0, SHAPE), "zoi": (0.3, None), "coi": (0.4, None)}),
    "ordered_beta": (0.4, {"kappa": (4.0, None), "cutzero": (-1.2, None), "gap": (2.5, SHAPE)}),
    "skew_normal": (0.4, {"sigma": (1.5, None), "alpha": (3.0, SKEW)}),
    "shifted_lognormal": (0.3, {"sigma": (0.6, None), "ndt": (0.8, SHIFT)}),
    "discrete_weibull": (0.8, {"beta": (1.3, SHAPE)}),
}


def simulated(name: str) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Responses of the true parameters, and the trials where there are any."""
    family, (parent, others) = get_family(name), MODELS[name]
    rng = np.random.default_rng(len(name))
    companions = {"trials": rng.integers(3, 12, ROWS).astype(float)} if family.companions else {}
    true = {family.parent.name: parent} | {other: value for other, (value, _) in others.items()}
    drawn = family.random(rng, {key: np.full(ROWS, value) for key, value in true.items()}, companions)
    return pd.DataFrame({"y": drawn, **companions}), companions


def log_density(name: str, y: np.ndarray, values: dict[str, np.ndarray], companions: dict[str, np.ndarray]) -> Any:
    """Of each response at parameters (..., 1), shape (..., rows)."""
    law = REFERENCES[name](values, companions)
    with np.errstate(all="ignore"):
        return law.logpmf(y) if get_family(name).discrete else law.logpdf(y)


@pytest.mark.parametrize("name", MODELS)
def test_posterior_is_that_of_quadrature(name: str) -> None:
    family, (truth, others) = get_family(name), MODELS[name]
    parent, link = family.parent.name, family.parent.default_link
    data, companions = simulated(name)
    priors: dict[str, Any] = {"Intercept": nl.Prior("Normal", mu=0.3, sigma=1.0)}
    priors |= {key: value if law is None else nl.Prior(law[0], **law[1]) for key, (value, law) in others.items()}
    model = nl.Model("p(y, trials) ~ 1" if companions else "y ~ 1", data, family=family.name, priors=priors)
    results = model.compute_log_likelihood(model.fit(**QUIET), inplace=False)
    posterior = get_group(results, "posterior")
    unknown = [key for key, (_, law) in others.items() if law is not None]
    draws = {key: posterior[key].to_numpy().ravel() for key in ("Intercept", *unknown)}

    # Log likelihoods, which loo is made of
    fixed = {key: np.array([[value]]) for key, (value, law) in others.items() if law is None}
    values = {key: draws[key][:, None] for key in unknown} | fixed
    values[parent] = inverse_array(link, draws["Intercept"])[:, None]
    (found,) = get_group(results, "log_likelihood").data_vars.values()
    expected = log_density(name, data.y.to_numpy(), values, companions)
    np.testing.assert_allclose(found.to_numpy().reshape(expected.shape), expected, rtol=1e-8, atol=1e-10)

    # Quadrature around the truth, seven sds of what was drawn to either side
    centres = {"Intercept": float(link_array(link, np.array(truth)))} | {key: others[key][0] for key in unknown}
    axes = []
    for key, centre in centres.items():
        reach = abs(draws[key].mean() - centre) + 7.0 * draws[key].std()
        low, high = centre - reach, centre + reach
        if key in unknown and family.parameter(key).support != "real":
            low, high = max(low, 1e-6), min(high, 1 - 1e-6) if key == "psi" else high
        axes.append(np.linspace(low, high, POINTS))
    grid = dict(zip(centres, np.meshgrid(*axes, indexing="ij"), strict=True))
    values = {key: grid[key][..., None] for key in unknown} | fixed
    values[parent] = inverse_array(link, grid["Intercept"])[..., None]
    total = log_density(name, data.y.to_numpy(), values, companions).sum(axis=-1)
    total += stats.norm(0.3, 1.0).logpdf(grid["Intercept"])
    total += sum(LAWS[others[key][1][0]](**_arguments(others[key][1])).logpdf(grid[key]) for key in unknown)
    weight = np.exp(total - np.nanmax(total))
    weight /= weight.sum()
    for key in centres:
        mean = float((weight * grid[key]).sum())
        sd = float(np.sqrt((weight * (grid[key] - mean) ** 2).sum()))
        assert draws[key].mean() == pytest.approx(mean, abs=4.5 * sd / np.sqrt(0.5 * draws[key].size)), key
        assert draws[key].std() == pytest.approx(sd, rel=0.13), key


def _arguments(prior: tuple[str, dict[str, float]]) -> dict[str, float]:
    name, arguments = prior
    return {"a": arguments["alpha"], "b": arguments["beta"]} if name == "Beta" else arguments


def test_parts_of_a_hurdle_do_not_know_of_each_other() -> None:
    """The probability of no zero is a Beta variable given how many there are, whatever the sizes are."""
    data, _ = simulated("hurdle_poisson")
    results = nl.Model("y ~ 1", data, family="hurdle_poisson").fit(**QUIET)
    above = int((data.y > 0).sum())
    exact = stats.beta(2 + above, 2 + ROWS - above)
    psi = get_group(results, "posterior")["psi"].to_numpy().ravel()
    assert stats.kstest(psi[::3], exact.cdf).pvalue > 1e-4


def test_parts_of_inflated_shares_do_not_know_of_each_other() -> None:
    """How often a share is at an end, and which end that is, are Beta variables given the counts of both."""
    data, _ = simulated("zero_one_inflated_beta")
    results = nl.Model("y ~ 1", data, family="zero_one_inflated_beta").fit(**QUIET)
    zeros, ones = int((data.y == 0).sum()), int((data.y == 1).sum())
    assert zeros > 0 < ones
    posterior = get_group(results, "posterior")
    for name, hits, misses in (("zoi", zeros + ones, ROWS - zeros - ones), ("coi", ones, zeros)):
        exact = stats.beta(2 + hits, 2 + misses)
        assert stats.kstest(posterior[name].to_numpy().ravel()[::3], exact.cdf).pvalue > 1e-4, name
