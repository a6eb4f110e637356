"""Closed forms of distributions: known answers, references to 30 digits, quadrature, limits, draws."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from nutslite import scores
from nutslite.exceptions import NutsliteError
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.scores import Prediction, pit
from nutslite.scores.distributions import distribution, distribution_names
from nutslite.scores.numerics.quadrature import squares_and_products, sums_over_counts

FIXTURES = Path(__file__).parent / "fixtures"
REFERENCES = json.loads((FIXTURES / "scores_references.json").read_text(encoding="utf-8"))
REFERENCES += json.loads((FIXTURES / "scores_compounds.json").read_text(encoding="utf-8"))


def crps(name, y, **parameters):
    return float(getattr(scores, f"crps_{name}")(y, **parameters))


# Forecast, parameters, y, CRPS; the last one's digits are those that were found by quadrature
KNOWN = [
    ("gaussian", {"mu": 0, "sigma": 1}, 0.0, (math.sqrt(2) - 1) / math.sqrt(math.pi)),
    ("gaussian", {"mu": 0, "sigma": 1}, 0.3, 0.269332900687),
    ("t", {"mu": 0, "sigma": 1, "nu": 4}, 1.0, 0.605330008315),
    ("t", {"mu": 0, "sigma": 1, "nu": 1.5}, 1.0, 0.641854402),
    ("gamma", {"mu": 2, "alpha": 2}, 1.5, 0.311911121039),
    ("beta", {"mu": 0.4, "kappa": 5}, 0.3, 0.0642302857143),
    ("beta", {"mu": 0.5, "kappa": 1600}, 0.5, 0.00292128167460),
    ("lognormal", {"mu": 0, "sigma": 1}, 1.0, 0.267405467023),
    ("weibull", {"mu": 2 * math.gamma(1 + 1 / 1.5), "alpha": 1.5}, 1.2, 0.325437735949),
    ("laplace", {"mu": 0, "b": 1}, 1.0, 0.617879441171),
    ("poisson", {"mu": 3}, 4, 0.682587947652),
    ("poisson", {"mu": 400}, 380, 11.9671990286),
    ("poisson", {"mu": 1e4}, 1e4, 23.3691854463),
    ("negativebinomial", {"mu": 3.75, "alpha": 2.5}, 3, 0.653404461),
    ("negativebinomial", {"mu": 800, "alpha": 200}, 800, 14.7809487147),
    ("binomial", {"n": 10, "p": 0.3}, 4, 0.616544892367),
    ("zero_inflated_poisson", {"mu": 3, "psi": 0.7}, 4, 1.24859816528),
    ("wald", {"mu": 2, "lam": 3}, 1.7, 0.297989783513),
    ("asymmetriclaplace", {"mu": 0, "b": 0.3, "kappa": 3}, 0.5, 4.47502847814),
]


@pytest.mark.parametrize(("name", "parameters", "y", "expected"), KNOWN)
def test_known_answers(name, parameters, y, expected):
    assert crps(name, y, **parameters) == pytest.approx(expected, rel=2e-9 if name == "t" else 1e-9)


# What scorers in use return inf or nan for
@pytest.mark.parametrize(
    ("name", "parameters", "y", "expected"),
    [
        ("beta", {"mu": 0.5, "kappa": 1600}, 0.5, 0.00292128167460),
        ("negativebinomial", {"mu": 800, "alpha": 200}, 800, 14.7809487147023),
        ("t", {"mu": 0, "sigma": 1, "nu": 0.9}, 1.0, math.inf),
        ("t", {"mu": 0, "sigma": 1, "nu": 1.0}, 1.0, math.inf),
        ("lognormal", {"mu": 0, "sigma": 1}, -2.0, 2.0 + math.exp(0.5) * (1.0 - math.erf(0.5))),
        ("beta", {"mu": 0.5, "kappa": 2}, 3.0, 2.5 - 1 / 6),
        ("beta", {"mu": 0.5, "kappa": 2}, -1.0, 1.5 - 1 / 6),
    ],
)
def test_where_others_fail(name, parameters, y, expected):
    assert crps(name, y, **parameters) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("mu", "y"), [(150.0, 150.0), (171.0, 171.0), (5.0, 171.0), (1e6, 1e6)])
def test_poisson_of_large_counts_is_a_sum(mu, y):
    k = np.arange(max(0.0, mu - 40 * math.sqrt(mu)), max(y, mu + 40 * math.sqrt(mu)))
    f = distribution("poisson").cdf(np.floor(k), np.full(k.size, mu))
    assert crps("poisson", y, mu=mu) == pytest.approx(np.sum((f - (k >= y)) ** 2), rel=1e-10)


def test_log_densities_at_fifty_standard_deviations():
    P = Prediction.from_normal([0.0], [1.0])
    assert -P.log_density([50.0])[0] == pytest.approx(1250.9189385332, rel=1e-13)
    far = Prediction.from_distribution("poisson", mu=[1e6]).log_density([1e6 + 5e4])[0]
    assert np.isfinite(far)
    assert far < -1000.0


# ------------------------------------------------------------------------------------ references to 30 digits


def reference_groups():
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in REFERENCES:
        groups.setdefault((row["name"], json.dumps(row["parameters"])), []).append(row)
    return groups


GROUPS = reference_groups()


@pytest.mark.parametrize(("name", "parameters"), GROUPS, ids=["-".join(key) for key in GROUPS])
def test_references(name, parameters):
    rows = GROUPS[name, parameters]
    given = json.loads(parameters)
    y = np.array([row["y"] for row in rows])
    found = getattr(scores, f"crps_{name}")(y, **given)
    np.testing.assert_allclose(found, [float(row["crps"]) for row in rows], rtol=1e-10)
    P = Prediction.from_distribution(name, **{key: np.full(y.size, value) for key, value in given.items()})
    np.testing.assert_allclose(P.cdf(y), [float(row["cdf"]) for row in rows], rtol=1e-9, atol=1e-12)
    dense = [row["log_density"] is not None for row in rows]
    expected = [float(row["log_density"]) for row in rows if row["log_density"] is not None]
    np.testing.assert_allclose(P.log_density(y)[dense], expected, rtol=1e-12, atol=1e-12)
    assert np.all(P.log_density(y)[~np.array(dense)] == -np.inf)


def test_references_reach_counts_of_a_million():
    assert {row["name"] for row in REFERENCES} == set(distribution_names())
    assert max(row["parameters"].get("mu", 0.0) for row in REFERENCES if row["name"] == "poisson") == 1e6
    assert max(row["parameters"].get("mu", 0.0) for row in REFERENCES if row["name"] == "zero_inflated_poisson") == 1e5
    assert max(row["parameters"].get("alpha", 0.0) for row in REFERENCES if row["name"] == "gamma") == 1e4


BOUNDED = {"beta", "bernoulli", "binomial", "zero_inflated_binomial", "zero_one_inflated_beta", "ordered_beta"}


@pytest.mark.parametrize("name", sorted(set(distribution_names()) - BOUNDED - {"t"}))
def test_references_reach_fifty_standard_deviations(name):
    """Where there is such a place: not between 0 and 1 or n, nor in the tails of t."""
    rows = [row for row in REFERENCES if row["name"] == name]
    P = [Prediction.from_distribution(name, **{key: [each] for key, each in row["parameters"].items()}) for row in rows]
    far = [abs(row["y"] - p.mean()[0]) / p.sd()[0] for row, p in zip(rows, P, strict=True)]
    assert max(far) >= 49.0


# ------------------------------------------------------------------- every distribution, against its own cdf and draws

PARAMETERS = {
    "asymmetriclaplace": {"mu": [0.0, -2.0], "b": [0.5, 2.0], "kappa": [3.0, 0.7]},
    "bernoulli": {"p": [0.2, 0.9]},
    "beta": {"mu": [0.3, 0.6], "kappa": [4.0, 30.0]},
    "binomial": {"n": [7, 60], "p": [0.2, 0.7]},
    "elf": {"mu": [0.0, 5.0], "sigma": [1.0, 2.0], "tau": [0.5, 0.9]},
    "exponential": {"mu": [2.0, 0.1]},
    "gamma": {"mu": [2.0, 50.0], "alpha": [1.5, 8.0]},
    "gaussian": {"mu": [0.0, 100.0], "sigma": [1.0, 3.0]},
    "laplace": {"mu": [0.0, 5.0], "b": [1.0, 3.0]},
    "logistic": {"mu": [0.0, 5.0], "s": [1.0, 3.0]},
    "lognormal": {"mu": [0.0, 1.0], "sigma": [0.5, 0.8]},
    "negativebinomial": {"mu": [3.0, 40.0], "alpha": [2.0, 9.0]},
    "poisson": {"mu": [0.3, 20.0]},
    "t": {"mu": [0.0, 5.0], "sigma": [1.0, 2.0], "nu": [6.0, 20.0]},
    "uniform": {"lower": [0.0, -3.0], "upper": [1.0, 5.0]},
    "wald": {"mu": [2.0, 1.0], "lam": [3.0, 9.0]},
    "weibull": {"mu": [2.0, 30.0], "alpha": [1.5, 4.0]},
    "zero_inflated_poisson": {"mu": [3.0, 20.0], "psi": [0.7, 0.4]},
    "skew_normal": {"mu": [0.0, 5.0], "sigma": [1.0, 3.0], "alpha": [3.0, -0.7]},
    "exgaussian": {"mu": [0.0, 5.0], "sigma": [1.0, 0.3], "nu": [0.7, 2.0]},
    "shifted_lognormal": {"mu": [0.0, 1.0], "sigma": [0.5, 0.8], "ndt": [0.3, 4.0]},
    "discrete_weibull": {"q": [0.7, 0.95], "beta": [0.8, 1.6]},
    "zero_inflated_negativebinomial": {"mu": [3.0, 20.0], "alpha": [2.0, 9.0], "psi": [0.7, 0.4]},
    "zero_inflated_binomial": {"n": [7, 60], "p": [0.2, 0.7], "psi": [0.7, 0.4]},
    "hurdle_poisson": {"mu": [1.3, 20.0], "psi": [0.7, 0.4]},
    "hurdle_negativebinomial": {"mu": [3.0, 20.0], "alpha": [2.0, 9.0], "psi": [0.7, 0.4]},
    "hurdle_gamma": {"mu": [2.0, 50.0], "alpha": [1.5, 8.0], "psi": [0.7, 0.9]},
    "hurdle_lognormal": {"mu": [0.0, 1.0], "sigma": [0.5, 0.8], "psi": [0.7, 0.9]},
    "zero_one_inflated_beta": {"mu": [0.3, 0.6], "kappa": [4.0, 30.0], "zoi": [0.3, 0.2], "coi": [0.4, 0.9]},
    "ordered_beta": {"mu": [0.4, 0.6], "kappa": [10.0, 30.0], "cutzero": [-2.0, -1.5], "gap": [3.5, 4.0]},
}


def test_families_of_numbers_have_a_distribution_or_are_scored_by_draws():
    by_draws = {"vonmises", "beta_binomial"}  # angles have no mean; sums over all trials are not cheap
    by_draws |= {"multinomial", "dirichlet_multinomial", "dirichlet"}
    families = set(family_names()) - {"categorical", "cumulative", "sratio", "cratio", "acat", "quantiles"} - by_draws
    for name in families:
        record = distribution(name)
        assert {parameter.name for parameter in get_family(name).parameters} <= set(record.parameters), name


@pytest.mark.parametrize("tau", [0.02, 0.5, 0.9])
def test_extended_log_f_is_nearly_asymmetric_laplace(tau):
    """Its width is a tenth of the scale, so that scores differ by little; far out both are exponential."""
    kappa = math.sqrt(tau / (1 - tau))
    for y in (-30.0, -1.0, 0.0, 2.0, 50.0):
        sharp = crps("asymmetriclaplace", y, mu=0.0, b=math.sqrt(tau * (1 - tau)), kappa=kappa)
        assert crps("elf", y, mu=0.0, sigma=1.0, tau=tau) == pytest.approx(sharp, rel=0.02)


def test_every_distribution_is_looked_at():
    assert sorted(PARAMETERS) == sorted(distribution_names())


@pytest.mark.parametrize("name", PARAMETERS)
def test_scores_follow_from_the_cdf(name):
    record = distribution(name)
    P = Prediction.from_distribution(name, **PARAMETERS[name])
    given = P.kind.parameters
    exact = 1e-7 if "laplace" in name else 1e-9  # their densities have a corner, which quadrature does not know
    for y in (P.quantile(0.3), P.mean() + 0.37, P.mean() - 20.0 * P.sd(), P.mean() + 20.0 * P.sd()):
        cdf = lambda x: record.cdf(x, *(np.broadcast_to(each, x.shape) for each in given))  # noqa: E731
        if record.whole:
            score, spread = sums_over_counts(y, cdf, np.zeros(2), np.full(2, 400.0))
        else:
            score, spread = squares_and_products(y, cdf, lambda levels: P.quantile(levels).T)
        np.testing.assert_allclose(P.crps(y), score, rtol=exact)
        deviation, difference = P.kind.deviation_and_difference(y)
        np.testing.assert_allclose(difference, 2.0 * spread, rtol=exact)
        np.testing.assert_allclose(deviation, score + spread, rtol=exact)
        np.testing.assert_allclose(P.scaled_crps(y), deviation / difference + 0.5 * np.log(difference), rtol=1e-12)


@pytest.mark.parametrize("name", PARAMETERS)
def test_draws_have_the_distribution(name):
    P = Prediction.from_distribution(name, **PARAMETERS[name])
    x = P.sample(1, 20_000)
    assert x.shape == (20_000, 2)
    error = P.sd() / math.sqrt(20_000)
    assert np.all(np.abs(x.mean(axis=0) - P.mean()) < 4.5 * error)
    np.testing.assert_allclose(x.std(axis=0), P.sd(), rtol=0.08)
    for level in (0.1, 0.5, 0.9):
        q = P.quantile(level)
        assert np.all(P.cdf(q) >= level - 1e-12)
        assert np.all(P.cdf_below(q) <= level + 1e-9)
        assert np.all(np.abs((x <= q).mean(axis=0) - P.cdf(q)) < 0.02)
    assert np.all(P.whole == (x == np.floor(x)).all())


@pytest.mark.parametrize("name", [name for name in PARAMETERS if not distribution(name).whole])
def test_quantiles_invert_the_cdf(name):
    P = Prediction.from_distribution(name, **PARAMETERS[name])
    for level in (1e-6, 0.05, 0.5, 0.95, 1 - 1e-6):
        q = P.quantile(level)
        atom = np.isin(q, distribution(name).atoms)
        np.testing.assert_allclose(np.where(atom, level, P.cdf(q)), level, rtol=1e-7)
        assert np.all(np.where(atom, P.cdf_below(q) <= level, True))


@pytest.mark.parametrize("name", [name for name in PARAMETERS if distribution(name).atoms])
def test_values_with_a_probability_of_their_own(name):
    """Between below and at them lies their probability; mixtures of many components have their quantiles there."""
    P = Prediction.from_distribution(name, **PARAMETERS[name])
    for atom in distribution(name).atoms:
        at = np.full(2, atom)
        np.testing.assert_allclose(P.cdf(at) - P.cdf_below(at), np.exp(P.log_density(at)), rtol=1e-12)
        np.testing.assert_allclose(P.cdf_below(at), P.cdf(at - 1e-12), atol=1e-9)
    parts = {key: np.array([[value[0]], [value[0] * 1.01]]) for key, value in PARAMETERS[name].items()}
    mixture = Prediction.from_mixture(name, **parts)
    assert mixture.quantile(0.05) == [0.0]
    u = pit(np.zeros(1), mixture)
    assert 0.0 < u < mixture.cdf([0.0])


@pytest.mark.parametrize("name", PARAMETERS)
def test_density_is_the_slope_of_the_cdf(name):
    P = Prediction.from_distribution(name, **PARAMETERS[name])
    y = P.quantile(0.4)
    if P.whole:
        slope = P.cdf(y) - P.cdf_below(y)
    else:
        step = 1e-5 * P.sd()
        slope = (P.cdf(y + step) - P.cdf(y - step)) / (2 * step)
    np.testing.assert_allclose(np.exp(P.log_density(y)), slope, rtol=1e-6)


def test_a_mean_that_overflows_is_an_infinite_score():
    assert crps("lognormal", 1.0, mu=0.0, sigma=50.0) == math.inf
    assert crps("discrete_weibull", 1.0, q=0.9, beta=1e-3) == math.inf


def test_arrays_broadcast_and_keep_their_shape():
    y = np.zeros((2, 3))
    assert scores.crps_gaussian(y, np.zeros(3), 1.0).shape == (2, 3)
    np.testing.assert_allclose(scores.crps_gaussian(y, 0.0, 1.0), crps("gaussian", 0.0, mu=0, sigma=1))


def test_functions_say_which_parameters_they_have():
    assert "mu, alpha" in scores.crps_negativebinomial.__doc__
    assert "nbinom" in scores.crps_negativebinomial.__doc__
    with pytest.raises(NutsliteError, match=r"crps_gaussian has no argument 'sigm'\. Did you mean 'sigma'"):
        scores.crps_gaussian([0.0], mu=0.0, sigm=1.0)


def test_a_normal_distribution_has_two_names():
    assert scores.crps_normal is scores.crps_gaussian
    np.testing.assert_array_equal(Prediction.from_distribution("normal", mu=[0.0], sigma=[1.0]).mean(), [0.0])


def test_every_distribution_has_its_function():
    assert {f"crps_{name}" for name in distribution_names()} <= set(scores.__all__)
