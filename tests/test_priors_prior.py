"""`Prior`: what users may write, what it prints, what it resolves to, what it refuses."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from nutslite.exceptions import PriorError
from nutslite.priors.densities.catalogue import DENSITIES
from nutslite.priors.prior import Prior, resolve


@pytest.mark.parametrize(
    ("prior", "text"),
    [
        (Prior("Normal", sd=100), "Normal(sd: 100)"),
        (Prior("Laplace", mu=0, b=10), "Laplace(mu: 0, b: 10)"),
        (Prior("Normal", mu=0, sd=Prior("HalfCauchy", beta=5)), "Normal(mu: 0, sd: HalfCauchy(beta: 5))"),
        (Prior("Normal", mu=0.0, sigma=2.231), "Normal(mu: 0.0, sigma: 2.231)"),
        (
            Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=28.411399999)),
            "Normal(mu: 0, sigma: HalfNormal(sigma: 28.4114))",
        ),
        (Prior("HalfStudentT", nu=4, sigma=2.4186), "HalfStudentT(nu: 4, sigma: 2.4186)"),
        (
            Prior("Normal", mu=[0.0, 0.0], sigma=np.array([4.439, 4.70972])),
            "Normal(mu: [0. 0.], sigma: [4.439  4.7097])",
        ),
        (Prior("Normal", mu=0.00004, sigma=0.00006), "Normal(mu: 4e-05, sigma: 0.0001)"),
        (Prior("Flat"), "Flat()"),
        (Prior("Normal", mu=np.float64(1.5), sigma=np.int64(2)), "Normal(mu: 1.5, sigma: 2)"),
    ],
)
def test_text(prior, text):
    assert str(prior) == text
    assert repr(prior) == text


def test_text_of_arrays_is_one_line():
    assert str(Prior("Normal", mu=np.tile([1, 2], 60))).count(" 2") == 60
    for values in (np.tile([1, 2], 60), np.arange(60) / 7):
        assert "\n" not in str(Prior("Normal", mu=values))


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("Normal", {}, (0.0, 1.0)),
        ("Normal", {"sd": 3}, (0.0, 3.0)),
        ("Normal", {"mu": 1, "tau": 4}, (1.0, 0.5)),
        ("HalfNormal", {"tau": 0.25}, (2.0,)),
        ("StudentT", {"nu": 3}, (3.0, 0.0, 1.0)),
        ("StudentT", {"nu": 3, "mu": 1, "lam": 4}, (3.0, 1.0, 0.5)),
        ("HalfCauchy", {"scale": 5}, (5.0,)),
        ("Cauchy", {"alpha": 0, "beta": 2}, (0.0, 2.0)),
        ("Gamma", {"alpha": 2, "beta": 0.1}, (2.0, 0.1)),
        ("Gamma", {"mu": 2, "sd": 1}, (4.0, 2.0)),
        ("InverseGamma", {"alpha": 3}, (3.0, 1.0)),
        ("InverseGamma", {"mu": 2, "sigma": 1}, (6.0, 10.0)),
        ("Beta", {"mu": 0.25, "kappa": 8}, (2.0, 6.0)),
        ("Beta", {"mu": 0.25, "nu": 8}, (2.0, 6.0)),
        ("Beta", {"mu": 0.5, "sigma": 0.25}, (1.5, 1.5)),
        ("Exponential", {"scale": 4}, (0.25,)),
        ("Wald", {"mu": 2, "lam": 3}, (2.0, 3.0, 0.0)),
        ("Wald", {"mu": 2, "phi": 3}, (2.0, 6.0, 0.0)),
        ("AsymmetricLaplace", {"q": 0.8, "mu": 0, "b": 1}, (2.0, 0.0, 1.0)),
        ("LogNormal", {"tau": 4}, (0.0, 0.5)),
        ("TruncatedNormal", {"lower": 0}, (0.0, 1.0, 0.0, np.inf)),
        ("SkewNormal", {"alpha": 3}, (0.0, 1.0, 3.0)),
    ],
)
def test_canonical_arguments(name, arguments, expected):
    resolved = resolve(Prior(name, **arguments))
    assert resolved.arguments == pytest.approx(expected)
    assert resolved.code == DENSITIES[name].code
    assert resolved.support == DENSITIES[name].support


def test_moment_parameterizations_have_these_moments():
    rng = np.random.default_rng(2)
    for name in ("Gamma", "InverseGamma", "Beta"):
        values = resolve(Prior(name, mu=0.6, sigma=0.15)).arguments
        draws = DENSITIES[name].sample(rng, values, 200_000)
        assert draws.mean() == pytest.approx(0.6, rel=0.01)
        assert draws.std() == pytest.approx(0.15, rel=0.03)


def test_supports():
    assert (resolve(Prior("Uniform", lower=-1, upper=3)).lower, resolve(Prior("Uniform", lower=-1, upper=3)).upper) == (
        -1.0,
        3.0,
    )
    assert resolve(Prior("Pareto", alpha=2, m=1.5)).lower == 1.5
    assert resolve(Prior("Beta", alpha=2, beta=2)).upper == 1.0
    assert resolve(Prior("HalfNormal")).lower == 0.0
    resolved = resolve(Prior("Uniform", lower=np.array([0, 1]), upper=5))
    np.testing.assert_array_equal(resolved.lower, [0.0, 1.0])


def test_arrays_are_float_contiguous_and_the_users_own_are_left_alone():
    mine = np.array([[1, 2, 3], [4, 5, 6]])[:, 0]
    prior = Prior("Normal", mu=mine)
    mine[0] = 99
    value = resolve(prior).arguments[0]
    assert value.dtype == np.float64
    assert value.flags.c_contiguous
    assert list(value) == [1.0, 4.0]


def test_priors_nest_to_any_depth():
    prior = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=Prior("Gamma", alpha=2, beta=Prior("HalfNormal"))))
    assert str(prior) == "Normal(mu: 0, sigma: HalfNormal(sigma: Gamma(alpha: 2, beta: HalfNormal())))"
    assert prior.hierarchical
    hyperprior = resolve(prior).arguments[1]
    assert isinstance(hyperprior, Prior)
    assert resolve(hyperprior).name == "HalfNormal"
    assert not Prior("Normal").hierarchical


def test_equality():
    assert Prior("Normal", mu=0, sigma=1) == Prior("Normal", sigma=1.0, mu=0)
    assert Prior("Normal", mu=[0, 1]) == Prior("Normal", mu=np.array([0.0, 1.0]))
    assert Prior("Normal", mu=[0, 1]) != Prior("Normal", mu=[0, 2])
    assert Prior("Normal", mu=[0, 1]) != Prior("Normal", mu=[0, 1, 2])
    assert Prior("Normal", mu=0) != Prior("Normal", mu=0, sigma=1)
    assert Prior("Normal", sigma=Prior("HalfNormal")) == Prior("Normal", sigma=Prior("HalfNormal"))
    assert Prior("Normal", noncentered=False) != Prior("Normal")
    assert Prior("Normal") != "Normal"


def test_copies_and_pickles_are_equal_and_apart():
    prior = Prior("Normal", mu=[0.0, 1.0], sigma=Prior("HalfNormal", sigma=2))
    for twin in (copy.deepcopy(prior), pickle.loads(pickle.dumps(prior))):
        assert twin == prior
        twin.args["sigma"].update(sigma=3)
        assert prior.args["sigma"].args["sigma"] == 2


def test_update():
    prior = Prior("Normal", mu=0, sd=100)
    prior.update(sigma=3.0)  # the same argument under its other name
    assert str(prior) == "Normal(mu: 0, sigma: 3.0)"
    prior.update(mu=1)
    assert prior.args["mu"] == 1
    with pytest.raises(PriorError, match="must be positive"):
        prior.update(sigma=-1)
    assert str(prior) == "Normal(mu: 1, sigma: 3.0)"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Gama", {"alpha": 1}, "Did you mean 'Gamma'"),
        ("normal", {}, "Did you mean 'Normal'"),
        (3, {}, "no prior distribution '3'"),
        ("ZeroInflatedPoisson", {"lam": 10}, "no argument 'lam'"),
        ("Normal", {"mu": Prior("Poisson", mu=1)}, "distribution of counts"),
        ("Normal", {"sgima": 1}, "no argument 'sgima'. Did you mean 'sigma'"),
        ("Normal", {"sd": 1, "sigma": 1}, "same argument"),
        ("Normal", {"tau": 1, "sigma": 1}, "do not go together"),
        ("Gamma", {"alpha": 2}, "needs the argument 'beta'"),
        ("Gamma", {"alpha": 2, "mu": 2}, "do not go together"),
        ("Gamma", {"mu": 2}, "do not go together"),
        ("Gamma", {"mu": -2, "sigma": 1}, "mu must be positive"),
        ("Laplace", {"mu": 0}, "needs the argument 'b'"),
        ("Normal", {"sigma": 0}, "must be positive"),
        ("Normal", {"sigma": [1.0, -1.0]}, "must be positive"),
        ("Normal", {"mu": float("nan")}, "mu is nan"),
        ("Normal", {"mu": float("inf")}, "must be finite"),
        ("Normal", {"mu": "wide"}, "must be a number"),
        ("Normal", {"mu": None}, "must be a number"),
        ("Normal", {"mu": True}, "must be a number"),
        ("Normal", {"mu": [[1.0], [1.0, 2.0]]}, "must be a number"),
        ("Normal", {"mu": []}, "is empty"),
        ("Uniform", {"lower": 3, "upper": 1}, "lower must be below upper"),
        ("Uniform", {"upper": float("inf")}, "must be finite"),
        ("Uniform", {"lower": Prior("Normal")}, "end of the support"),
        ("Triangular", {"c": 7}, "c must lie between"),
        ("Beta", {"mu": 1.5, "kappa": 2}, "between 0 and 1"),
        ("Beta", {"mu": 0.5, "sigma": 0.6}, "no Beta distribution is that wide"),
        ("AsymmetricLaplace", {"q": 1.5, "mu": 0, "b": 1}, "between 0 and 1"),
        ("Gamma", {"mu": 2, "sigma": Prior("HalfNormal")}, "put the prior on alpha or beta"),
        ("Normal", {"sigma": Prior("Normal")}, "sigma must be positive, but Normal"),
        ("Normal", {"mu": Prior("LKJ", eta=2)}, "whole correlation matrices"),
        ("Normal", {"dist": print}, "need PyMC"),
        ("Normal", {"noncentered": "yes"}, "True, False or None"),
    ],
)
def test_refused(name, arguments, message):
    with pytest.raises(PriorError, match=message.replace("(", r"\(")):
        Prior(name, **arguments)


@pytest.mark.parametrize("name", ["HalfNormal", "Exponential", "Uniform", "TruncatedNormal", "Pareto"])
def test_priors_on_positive_numbers_are_fit_for_a_scale(name):
    arguments = {"Exponential": {"lam": 1}, "TruncatedNormal": {"lower": 0.0}, "Pareto": {"alpha": 1, "m": 2}}
    hyperprior = Prior(name, **arguments.get(name, {}))
    assert Prior("Normal", sigma=hyperprior).args["sigma"] == hyperprior
