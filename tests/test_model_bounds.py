"""Responses with bounds, known standard errors and exposures: likelihoods, posteriors, predictions, scores."""

from __future__ import annotations

import itertools
import warnings

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats
from small_models import assembled_of

import nutslite as nl
from nutslite.families.record.bounds import Bounds
from nutslite.families.record.inside import draw, log_probability, mean
from nutslite.families.record.register import get_family
from nutslite.formula.forms.truncated import LOWER, UPPER
from nutslite.model.record.specification import specification_of
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.record import model_data as md
from nutslite.posterior.targets.target import JointTarget

FLAT = {"Intercept": nl.Prior("Flat"), "x": nl.Prior("Flat"), "sigma": 1.3}


def seen(n: int = 60) -> pd.DataFrame:
    """Responses above 0.5; some rows have an upper bound, too, and some of these are censored below it."""
    rng = np.random.default_rng(n)
    x = rng.normal(size=4 * n)
    y = 1.0 + 0.8 * x + 1.3 * rng.normal(size=4 * n)
    high = np.where(np.arange(4 * n) % 3 == 0, 3.5, np.inf)
    rows = pd.DataFrame({"y": y, "x": x, "high": high})[(y > 0.5) & (y < high)].head(n)
    status = np.where(rows["y"] > 2.5, "right", np.where(rows["y"] < 0.8, "left", "none"))
    return rows.assign(y=np.clip(rows["y"], 0.8, 2.5), status=status, seen=rows["y"]).reset_index(drop=True)


def pointwise(data: pd.DataFrame, mu: np.ndarray, sigma: float) -> np.ndarray:
    """Log likelihood of each censored row of what lies between 0.5 and `high`, by SciPy."""
    law, y, high = stats.norm(mu, sigma), data["y"].to_numpy(), data["high"].to_numpy()
    found = {
        "none": law.logpdf(y),
        "left": np.log(law.cdf(y) - law.cdf(0.5)),
        "right": np.log(law.cdf(high) - law.cdf(y)),
    }
    own = np.select([data["status"] == name for name in found], list(found.values()))
    return own - np.log(law.cdf(high) - law.cdf(0.5))


@pytest.fixture(scope="module")
def both() -> nl.Model:
    """Censored within bounds, of which one is a number and the other a column."""
    return nl.Model("truncated(censored(y, status), lb=0.5, ub=high) ~ x", seen(), priors=FLAT)


def value_at(target: JointTarget, position: np.ndarray) -> tuple[float, np.ndarray]:
    gradient = np.empty_like(position)
    return compiled_joint()(position, gradient, (target.reference, target.priors, target.loglik)), gradient


def test_density_gradient_and_curvature(both: nl.Model) -> None:
    """Of the sum of all rows; flat priors add nothing."""
    target, data = JointTarget(assembled_of(both)), seen()
    x, at = data["x"].to_numpy(), np.array([1.2, 0.6])
    value, gradient = value_at(target, at)
    mu = at[0] + at[1] * (x - x.mean())
    assert value == pytest.approx(pointwise(data, mu, 1.3).sum(), rel=1e-12)
    for j, step in enumerate(1e-6 * np.eye(2)):
        difference = (value_at(target, at + step)[0] - value_at(target, at - step)[0]) / 2e-6
        assert gradient[j] == pytest.approx(difference, rel=1e-6)


def test_rows_are_in_segments_by_status_and_bounds(both: nl.Model) -> None:
    """Of rows with an upper bound, what is above 2.5 is between that and the bound."""
    segments = assembled_of(both).data.segments
    pairs = {tuple(pair) for pair in segments[:, [md.KERNEL, md.BOUNDS]].tolist()}
    assert pairs == {(0, 2), (0, 3), (2, 2), (3, 2), (3, 3)}
    assert segments[-1, md.STOP_ROW] == 60


FAMILIES = {
    "gaussian": ({"mu": 0.4, "sigma": 1.3}, (0.5, 2.0)),
    "t": ({"mu": 0.4, "sigma": 1.3, "nu": 3.0}, (-1.0, 2.0)),
    "laplace": ({"mu": 0.4, "b": 1.3}, (-1.0, 2.0)),
    "asymmetriclaplace": ({"mu": 0.4, "b": 1.3, "kappa": 0.7}, (-1.0, 2.0)),
    "exgaussian": ({"mu": 0.4, "sigma": 1.3, "nu": 0.8}, (-1.0, 2.0)),
    "lognormal": ({"mu": 0.4, "sigma": 0.7}, (0.5, 3.0)),
    "gamma": ({"mu": 1.7, "alpha": 1.4}, (0.5, 3.0)),
    "shifted_lognormal": ({"mu": 0.4, "sigma": 0.7, "ndt": 0.3}, (0.6, 3.0)),
    "weibull": ({"mu": 1.7, "alpha": 1.4}, (0.5, 3.0)),
    "exponential": ({"mu": 1.7}, (0.5, 3.0)),
    "wald": ({"mu": 1.7, "lam": 2.4}, (0.5, 3.0)),
    "beta": ({"mu": 0.3, "kappa": 4.0}, (0.1, 0.7)),
    "poisson": ({"mu": 2.7}, (1.0, 6.0)),
    "negativebinomial": ({"mu": 2.7, "alpha": 1.2}, (1.0, 6.0)),
    "discrete_weibull": ({"q": 0.8, "beta": 1.2}, (1.0, 6.0)),
    "binomial": ({"p": 0.3}, (2.0, 8.0)),
    "beta_binomial": ({"mu": 0.3, "kappa": 5.0}, (2.0, 8.0)),
}


def test_every_family_with_tails_has_bounds() -> None:
    from nutslite.families.user.built_in import built_in, family_names

    assert set(FAMILIES) == {name for name in family_names() if built_in(name).censored}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("sides", ["both", "lower", "upper"])
def test_draws_and_means_between_bounds(name: str, sides: str) -> None:
    """Means beside an integral of the family's own density; draws inside, with that mean and the median."""
    family, (natural, (low, high)) = get_family(name), FAMILIES[name]
    low, high = (low if sides != "upper" else -np.inf), (high if sides != "lower" else np.inf)
    n = 4000
    parameters = {key: np.full((1, n), value) for key, value in natural.items()}
    companions = {LOWER: np.full(n, low), UPPER: np.full(n, high), "trials": np.full(n, 12.0)}
    companions = {key: companions[key] for key in (*family.companions, LOWER, UPPER)}
    from family_references import REFERENCES

    law = REFERENCES[name](natural, {"trials": 12.0})
    if family.discrete:
        y = np.arange(max(low, 0.0), min(high, 400.0) + 1.0)
        y = y[: 13 if family.companions else None]
        shares = np.exp(law.logpmf(y))
        shares /= shares.sum()
        expected, spread = shares @ y, np.sqrt(shares @ y**2 - (shares @ y) ** 2)
    else:
        ends = law.ppf([0.0, 1.0])
        first, last = max(low, ends[0]), min(high, ends[1])
        cuts = [first, *law.ppf([0.01, 0.5, 0.99]), last]
        cuts = sorted({cut for cut in cuts if first <= cut <= last})

        def moment(power: int) -> float:
            pieces = itertools.pairwise(cuts)
            return sum(integrate.quad(lambda v: v**power * law.pdf(v), *piece, limit=200)[0] for piece in pieces)

        whole = moment(0)
        expected = moment(1) / whole
        spread = 1.5 if name == "t" else np.sqrt(moment(2) / whole - expected**2)
    one = {key: value[:, :1] for key, value in parameters.items()}
    found = mean(family, one, {key: value[:1] for key, value in companions.items()})
    assert found[0, 0] == pytest.approx(expected, rel=2e-5)
    drawn = draw(family, np.random.default_rng(3), parameters, companions)
    assert drawn.shape == (1, n)
    assert ((drawn >= low) & (drawn <= high)).all()
    assert drawn.mean() == pytest.approx(expected, abs=5.0 * spread / np.sqrt(n))


@pytest.mark.parametrize(
    ("name", "low", "high"), [("gaussian", 20.0, np.inf), ("gamma", 80.0, 81.0), ("poisson", 60.0, np.inf)]
)
def test_draws_far_out_in_a_tail(name: str, low: float, high: float) -> None:
    """Where nothing falls by chance: by the inverse of the distribution function."""
    family, natural = get_family(name), FAMILIES[name][0]
    parameters = {key: np.full((2, 300), value) for key, value in natural.items()}
    companions = {LOWER: np.full(300, low), UPPER: np.full(300, high)}
    drawn = draw(family, np.random.default_rng(3), parameters, companions)
    expected = mean(family, parameters, companions)
    assert ((drawn >= low) & (drawn <= high)).all()
    assert drawn.mean() == pytest.approx(expected.mean(), abs=0.2 * (expected.mean() - low))
    if name == "gaussian":  # E(z | z > a) is the inverse of Mills' ratio
        a = (low - 0.4) / 1.3
        hazard = 1.0 / (np.sqrt(np.pi / 2.0) * special.erfcx(a / np.sqrt(2.0)))
        assert expected[0, 0] == pytest.approx(0.4 + 1.3 * hazard, rel=1e-10)


def test_bounds_beyond_the_support_are_none() -> None:
    family = get_family("poisson")
    own = Bounds(np.array([-np.inf, 1.0]), np.array([np.inf, np.inf]))
    found = log_probability(family, own, {"mu": np.full(2, 0.5)}, {})
    np.testing.assert_allclose(found, [0.0, np.log(-np.expm1(-0.5))], rtol=1e-12)
    data = pd.DataFrame({"k": [0.0, 1.0, 4.0], "x": [0.0, 1.0, 2.0]})
    plain, bounded = (nl.Model(f, data, family="poisson") for f in ("k ~ x", "truncated(k, lb=0) ~ x"))
    at = np.array([0.3, 0.2])
    values = [value_at(JointTarget(assembled_of(model)), at)[0] for model in (plain, bounded)]
    assert values[0] == pytest.approx(values[1], rel=1e-14)


# --- a tiny model, whose posterior and left-out rows are known by quadrature ------------------------------------------

TINY = pd.DataFrame({"y": [0.6, 0.9, 1.1, 2.4, 0.7, 1.9]})
GRID = np.linspace(-8.0, 8.0, 4001)
PRIOR = stats.norm(0.0, 2.0)


def exact(logs: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Mean and sd of the intercept, log predictive densities of rows given the others; `logs` (rows, grid)."""

    def weights(some: np.ndarray) -> np.ndarray:
        total = some + PRIOR.logpdf(GRID)
        w = np.exp(total - total.max())
        return w / w.sum()

    w = weights(logs.sum(axis=0))
    centre = w @ GRID
    left_out = [np.log(weights(np.delete(logs, i, axis=0).sum(axis=0)) @ np.exp(logs[i])) for i in range(len(logs))]
    return centre, np.sqrt(w @ (GRID - centre) ** 2), np.array(left_out)


def truncated_logs() -> np.ndarray:
    law, y = stats.norm(GRID, 1.0), TINY["y"].to_numpy()[:, None]
    return law.logpdf(y) - law.logsf(0.5)


def constrained_logs() -> np.ndarray:
    law, y = stats.norm(GRID, 1.0), TINY["y"].to_numpy()[:, None]
    return law.logpdf(y) - np.log(np.where(GRID < 1.5, law.sf(0.5) - law.sf(2.5), law.cdf(2.5) - law.cdf(0.5)))


ERRORS = np.array([0.3, 0.5, 0.2, 0.9, 0.4, 0.6])
EXPOSURES = np.array([1.0, 3.0, 0.5, 2.0, 4.0, 1.5])
COUNTS = np.array([2.0, 5.0, 0.0, 4.0, 9.0, 1.0])


def error_logs() -> np.ndarray:
    return stats.norm(GRID, ERRORS[:, None]).logpdf(TINY["y"].to_numpy()[:, None])


def wider_logs() -> np.ndarray:
    return stats.norm(GRID, np.hypot(ERRORS, 1.0)[:, None]).logpdf(TINY["y"].to_numpy()[:, None])


def rate_logs() -> np.ndarray:
    return stats.poisson(np.exp(GRID) * EXPOSURES[:, None]).logpmf(COUNTS[:, None])


def negative_logs() -> np.ndarray:
    size = 1.5 * EXPOSURES[:, None]
    return stats.nbinom(size, size / (size + np.exp(GRID) * EXPOSURES[:, None])).logpmf(COUNTS[:, None])


def truncated_rate_logs() -> np.ndarray:
    law = stats.poisson(np.exp(GRID) * EXPOSURES[:, None])
    return law.logpmf(COUNTS[:, None] + 1.0) - law.logsf(0.0)


DATA = TINY.assign(s=ERRORS, d=EXPOSURES, k=COUNTS, more=COUNTS + 1.0)
MODELS = {
    "truncated(y, lb=0.5) ~ 1": (truncated_logs, {}),
    "constrained(y, lb=0.5, ub=2.5) ~ 1": (constrained_logs, {}),
    "se(y, s) ~ 1": (error_logs, {"priors": {}, "drop": ("sigma",)}),
    "se(y, s, sigma=True) ~ 1": (wider_logs, {}),
    "rate(k, d) ~ 1": (rate_logs, {"family": "poisson", "drop": ("sigma",)}),
    "rate(k, d) ~ 1 ": (negative_logs, {"family": "negativebinomial", "drop": ("sigma",), "priors": {"alpha": 1.5}}),
    "truncated(rate(more, d), lb=1) ~ 1": (truncated_rate_logs, {"family": "poisson", "drop": ("sigma",)}),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("formula", MODELS)
def test_posterior_and_left_out_rows_by_quadrature(formula: str) -> None:
    """Mean and sd, pointwise log likelihoods, and `az.loo` beside exact leave-one-out."""
    logs, settings = MODELS[formula]
    settings = dict(settings)
    priors = {"sigma": 1.0, **settings.pop("priors", {})}
    for name in settings.pop("drop", ()):
        del priors[name]
    model = nl.Model(
        formula,
        DATA,
        priors={"Intercept": nl.Prior("Normal", mu=0.0, sigma=2.0), **priors},
        auto_scale=False,
        **settings,
    )
    results = model.fit(draws=2000, chains=2, random_seed=2, progressbar=False)
    centre, sd, left_out = exact(logs())
    drawn = results["posterior"]["Intercept"].values.reshape(-1)
    assert drawn.mean() == pytest.approx(centre, abs=0.12 * sd)
    assert drawn.std() == pytest.approx(sd, rel=0.08)
    model.compute_log_likelihood(results)
    found = results["log_likelihood"][specification_of(model).spec.design.response.name].values.reshape(-1, 6)
    expected = np.array([np.interp(drawn, GRID, row) for row in logs()]).T
    np.testing.assert_allclose(found, expected, atol=2e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loo = az.loo(results, pointwise=True)
    np.testing.assert_allclose(np.asarray(loo.elpd_i if hasattr(loo, "elpd_i") else loo.loo_i), left_out, atol=0.12)
