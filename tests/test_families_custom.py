"""Families of the user's own: likelihoods by name and by log density, against the built-in families they repeat."""

from __future__ import annotations

import copy
import functools
import logging
import math
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from family_cases import ROWS, Case
from family_densities import ARRAYS, PLAIN, errors, opaque
from small_models import assembled_of, grouped_data

from nutslite import Family, Formula, Likelihood, Link, Model, Prior
from nutslite._numba import jit_disabled
from nutslite.exceptions import DataError, FamilyError, NutsliteWarning
from nutslite.families.record.family import compiled_loglik
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.families.user.likelihood import DISTRIBUTIONS
from nutslite.formula.records import Response
from nutslite.posterior.targets.target import JointTarget

DATA = grouped_data()
NAMES = list(PLAIN)
LOADED = [get_family(name) for name in NAMES]  # before a test switches Numba off, under which they would not compile
QUICK = ("t", "bernoulli", "binomial", "zero_inflated_poisson")  # others take a second or two each to compile


@functools.cache  # kernels belong to a family, and each takes seconds to compile
def copy_of(name: str, way: str = "compiled", order: int = 1) -> Family:
    """A built-in family as a user would write it, with the same links and default priors."""
    builtin = get_family(name)
    logp = {"compiled": PLAIN, "arrays": ARRAYS}.get(way, {name: opaque(ARRAYS[name])})[name]
    params = [parameter.name for parameter in builtin.parameters]
    priors = {p.name: Prior(p.default_prior[0], **p.default_prior[1]) for p in builtin.auxiliary if p.default_prior}
    if order == -1:
        straight, params = logp, params[::-1]

        def logp(y, a, b):
            return straight(y, b, a)

    likelihood = Likelihood(
        f"My {name}",
        params=params,
        parent=builtin.parent.name,
        logp=logp,
        support=builtin.response_support,
        parameter_support={parameter.name: parameter.support for parameter in builtin.parameters},
        random=lambda rng, *arguments: rng.normal(arguments[-1]),
        **priors,
    )
    return Family(f"my_{name}", likelihood, {p.name: p.default_link for p in builtin.parameters})


# ------------------------------------------------------------------------------------------- gradients that are derived


def test_there_is_a_log_density_for_every_family() -> None:
    assert set(family_names()) >= set(NAMES) == set(ARRAYS)
    without_names = {"elf", "quantiles", "skew_normal"}  # PyMC's SkewNormal has another mu
    assert set(DISTRIBUTIONS.values()) == set(family_names()) - without_names


@pytest.mark.skipif(jit_disabled(), reason="nothing compiles")
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_derived_gradients_are_those_of_the_kernels(name: str) -> None:
    assert max(errors(name, "compiled", seeds=5)) < 1e-13
    assert max(errors(name, "arrays", seeds=5)) < 1e-13
    assert max(errors(name, "differences", seeds=5)) < 1e-9


# ------------------------------------------------------------------------------------- the contract of a family kernel

CONTRACT = [
    ("negativebinomial", "compiled", -1),
    ("binomial", "compiled", 1),
    ("t", "arrays", 1),
    ("beta", "opaque", 1),
]


def compare_kernels(name: str, other: Family, tolerance: float) -> None:
    """All of a kernel's arguments: varying and constant parameters, links, weights, blocks."""
    builtin = get_family(name)
    names = [parameter.name for parameter in builtin.parameters]
    weights = np.random.default_rng(2).uniform(0.5, 2.0, ROWS)
    for seed, varying in enumerate([set(names), set(), {names[0]}, set(names[1:])]):
        links = {p.name: p.links[(seed + j) % len(p.links)] for j, p in enumerate(builtin.parameters)}
        case = Case(builtin, links, varying, seed)
        for start, stop in ((0, ROWS), (2, 5)):
            eta = np.full_like(case.eta, np.nan)
            for j, varies in enumerate(case.varies):
                eta[j, : stop - start if varies else 1] = case.eta[j, start:stop] if varies else case.eta[j, :1]
            expected = case.loglik(eta, weights, start, stop - start)
            own = copy.copy(case)
            own.family, own.y = other, other.prepare(case.values)
            found = own.loglik(eta, weights, start, stop - start)
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "way", "order"), CONTRACT)
def test_kernels_of_log_densities_keep_the_contract(name: str, way: str, order: int) -> None:
    compare_kernels(name, copy_of(name, way, order), 1e-9 if way == "opaque" else 1e-11)


def test_kernels_without_numba_keep_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    uncompiled = copy_of.__wrapped__
    compare_kernels("gamma", uncompiled("gamma"), 1e-11)
    compare_kernels("zero_inflated_poisson", uncompiled("zero_inflated_poisson"), 1e-11)


def gaussian_slopes(y, mu, sigma):
    z = (y - mu) / sigma
    return z / sigma, (z * z - 1.0) / sigma


@pytest.mark.parametrize("way", ["compiled", "arrays"])
def test_a_given_gradient_is_used(way: str) -> None:
    """And believed: a wrong one comes out as it is."""
    builtin, logp = get_family("gaussian"), (PLAIN if way == "compiled" else ARRAYS)["gaussian"]
    case = Case(builtin, {}, {"mu", "sigma"})
    expected = case.loglik()
    for slopes, factor in ((gaussian_slopes, 1.0), (lambda y, mu, sigma: (0, 2.0 * sigma), math.nan)):
        likelihood = Likelihood("N", params=["mu", "sigma"], logp=logp, dlogp=slopes)
        case.family = Family("mine", likelihood, {"sigma": "log"})
        values, slope = case.loglik()
        np.testing.assert_allclose(values, expected[0], rtol=1e-12)
        if factor == 1.0:
            np.testing.assert_allclose(slope, expected[1], rtol=1e-11)
        else:
            np.testing.assert_array_equal(slope[0, :ROWS], 0.0)
            np.testing.assert_allclose(slope[1, :ROWS], 2.0 * np.exp(2.0 * case.eta[1, :ROWS]), rtol=1e-12)


def test_one_parameter_may_have_its_gradient_as_a_number() -> None:
    likelihood = Likelihood("P", params=["mu"], logp=PLAIN["poisson"], dlogp=lambda y, mu: y / mu - 1.0)
    compare_kernels("poisson", Family("mine", likelihood, "log"), 1e-11)


def test_the_guide_s_examples_run() -> None:
    text = (Path(__file__).resolve().parent.parent / "docs" / "adding_a_family.md").read_text(encoding="utf-8")
    section = text.split("## From outside")[1].split("## Inside")[0]
    blocks = [block for block in section.split("\n\n") if block.startswith("    ")]
    code = "\n".join(textwrap.dedent(block) for block in blocks)
    code = code.replace(".fit()", ".fit(draws=20, chains=1, progressbar=False)")
    space: dict[str, Any] = {"data": DATA}
    exec(code.replace('"admit ~ gre", data', '"b ~ x", data'), space)
    assert space["family"].is_custom
    assert space["loglog"].is_custom


def test_a_family_compiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    family = Family("mine", Likelihood("P", params=["mu"], logp=PLAIN["poisson"], support="count"), "log")
    kernel = compiled_loglik(family)
    assert compiled_loglik(Model("k ~ x", DATA, family=family).family) is kernel


# ----------------------------------------------------------------------------------------------------- whole models


def joint_density(model: Model, seed: int = 0) -> tuple[float, np.ndarray]:
    """The joint log density and its gradient at a reproducible position."""
    target = JointTarget(assembled_of(model), use_pilot=False)
    position = 0.1 * np.random.default_rng(seed).normal(size=target.dimension)
    gradient = np.empty(target.dimension)
    return target.logdensity(position, gradient, target.data), gradient


def assert_same_density(one: Model, other: Model, tolerance: float = 1e-10) -> None:
    for seed in range(3):
        value, gradient = joint_density(one, seed)
        expected, slopes = joint_density(other, seed)
        assert math.isfinite(expected)
        assert value == pytest.approx(expected, rel=tolerance)
        np.testing.assert_allclose(gradient, slopes, rtol=tolerance, atol=tolerance)


MODELS: list[tuple[str, str, Any]] = [
    ("negativebinomial", "compiled", Formula("k ~ x + (1|g)", "alpha ~ z")),
    ("binomial", "compiled", "p(s, trials) ~ x + (1|g)"),
    ("gamma", "arrays", "weighted(pos, w) ~ 1"),
]


@pytest.mark.parametrize(("name", "way", "formula"), MODELS)
def test_the_posterior_is_that_of_the_family_repeated(name: str, way: str, formula: Any) -> None:
    """Constants included; the group effects' and coefficients' default priors are unscaled for both families."""
    link = "log" if name == "gamma" else None
    priors = {"Intercept": Prior("Normal", mu=0, sigma=2)}
    builtin = Model(formula, DATA, family=name, link=link, priors=priors)
    if name == "binomial":  # whose default priors are of its own
        priors |= {key: builtin.priors.terms["p"][key] for key in ("x", "1|g")}
    assert_same_density(Model(formula, DATA, family=copy_of(name, way), link=link, priors=priors), builtin)


def poisson_fit(family: str | Family) -> Any:
    priors = {"Intercept": Prior("Normal", mu=0, sigma=2), "x": Prior("Normal", mu=0, sigma=1)}
    model = Model("k ~ x", DATA, family=family, priors=priors)
    return model.fit(draws=400, chains=2, random_seed=3, progressbar=False)


@pytest.fixture(scope="module")
def built_in_posterior() -> Any:
    return poisson_fit("poisson").posterior


@pytest.mark.parametrize("way", ["compiled", "arrays", "opaque"])
def test_fits_agree_whatever_way_the_log_density_goes(
    way: str, built_in_posterior: Any, caplog: pytest.LogCaptureFixture
) -> None:
    expected = built_in_posterior
    with caplog.at_level(logging.INFO, logger="nutslite"):  # a copy of its own: it says how it is compiled once
        results = poisson_fit(copy_of.__wrapped__("poisson", way))
    assert int(results.sample_stats.diverging.sum()) == 0
    for name in ("Intercept", "x"):
        sd = float(expected[name].std())
        assert abs(float(results.posterior[name].mean() - expected[name].mean())) < 0.3 * sd
        assert float(results.posterior[name].std()) == pytest.approx(sd, rel=0.2)
    assert ("called from Python" in caplog.text) == (way != "compiled" and not jit_disabled())
    assert ("by central differences" in caplog.text) == (way == "opaque")


def test_predictions_of_a_log_density() -> None:
    def laplace(y, mu, b):
        return -abs(y - mu) / b - math.log(2.0 * b)

    names = {"params": ["mu", "b"], "parent": "mu", "b": Prior("HalfNormal", sigma=1)}
    links = {"mu": "identity", "b": "log"}
    bare = Family("bare", Likelihood("Laplace", logp=laplace, **names), links)
    model = Model("y ~ x", DATA, family=bare)
    results = model.fit(draws=200, chains=2, random_seed=1, progressbar=False)
    model.predict(results)
    mu = results.posterior.mu.values
    expected = results.posterior.Intercept.values[..., None] + results.posterior.x.values[..., None] * DATA.x.values
    np.testing.assert_allclose(mu, expected, rtol=1e-10)
    with pytest.raises(FamilyError, match=r"'bare' cannot draw responses.*random=a function of \(rng, mu, b\)"):
        model.predict(results, kind="response")
    with pytest.raises(FamilyError, match="mean of the family 'bare' is not known"):
        bare.mean({"mu": mu, "b": np.ones(1)}, {})
    loglik = model.compute_log_likelihood(results, inplace=False).log_likelihood["y"].values
    b = results.posterior.b.values[..., None]
    np.testing.assert_allclose(loglik, -np.abs(DATA.y.values - mu) / b - np.log(2.0 * b), rtol=1e-10)

    def random(rng, mu, b):
        return rng.laplace(mu, b)

    full = Family("full", Likelihood("Laplace", logp=laplace, random=random, mean=lambda mu, b: mu, **names), links)
    model = Model("y ~ x", DATA, family=full)
    model.predict(results, kind="response", random_seed=1)
    drawn = results.posterior_predictive["y"].values
    assert drawn.shape == mu.shape
    assert np.mean((drawn - mu) ** 2) == pytest.approx(np.mean(2.0 * b**2), rel=0.05)
    np.testing.assert_array_equal(full.mean({"mu": mu, "b": b}, {}), mu)
    assert "prior_predictive" in str(model.prior_predictive(draws=5, random_seed=1))


def test_random_must_draw_one_response_each() -> None:
    likelihood = Likelihood("P", params=["mu"], logp=PLAIN["poisson"], random=lambda rng, mu: rng.poisson(mu.mean()))
    with pytest.raises(FamilyError, match=r"returned shape \(\) for parameters of shape \(3, 4\)"):
        Family("mine", likelihood, "log").random(np.random.default_rng(1), {"mu": np.ones((3, 4))}, {})


def test_pointwise_log_likelihoods_of_a_log_density() -> None:
    values = pointwise_loglik(copy_of("poisson"), [0.0, 3.0], {"mu": 2.0})
    np.testing.assert_allclose(values, pointwise_loglik(get_family("poisson"), [0.0, 3.0], {"mu": 2.0}), rtol=1e-13)


# ------------------------------------------------------------------- the promises about families of Bambi's first guide

PROMISED = {
    "bernoulli": ("Bernoulli", "logit"),
    "beta": ("Beta", "logit"),
    "binomial": ("Binomial", "logit"),
    "gamma": ("Gamma", "inverse"),
    "gaussian": ("Normal", "identity"),
    "negativebinomial": ("NegativeBinomial", "log"),
    "poisson": ("Poisson", "log"),
    "t": ("StudentT", "identity"),
    "wald": ("InverseGaussian", "inverse_squared"),
}


@pytest.mark.parametrize("name", list(PROMISED))
def test_promised_families_have_their_likelihoods_and_default_links(name: str) -> None:
    likelihood, link = PROMISED[name]
    family = get_family(name)
    assert family.parent.default_link == link
    again = Family(name, Likelihood(likelihood), Link(link))
    assert again == family
    assert not again.is_custom
    assert again.kind == name


@pytest.mark.parametrize("links", ["logit probit cloglog", "log identity", "inverse inverse_squared"])
def test_promised_links_exist(links: str) -> None:
    for link in links.split():
        assert Link(link).name == link
        assert Link(link).linkinv(Link(link).link(0.4)) == pytest.approx(0.4)


def test_a_family_by_likelihood_and_link_draws_the_same_as_by_name() -> None:
    settings: dict[str, Any] = {"draws": 50, "chains": 1, "random_seed": 1, "progressbar": False}
    by_name = Model("b ~ x + (1|g)", DATA, family="bernoulli").fit(**settings)
    likelihood, link = Likelihood("Bernoulli", parent="p"), Link("logit")
    by_parts = Model("b ~ x + (1|g)", DATA, family=Family("bernoulli", likelihood, link)).fit(**settings)
    for name in ("Intercept", "x", "1|g", "1|g_sigma"):
        np.testing.assert_array_equal(by_name.posterior[name].values, by_parts.posterior[name].values)


@pytest.mark.parametrize(("family", "link"), [("gamma", "inverse"), ("wald", "inverse_squared")])
def test_default_links_that_allow_negative_means_warn(family: str, link: str) -> None:
    with pytest.warns(NutsliteWarning, match=f"default link '{link}'.*link='log' cannot"):
        Model("pos ~ x", DATA, family=family)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NutsliteWarning)
        Model("pos ~ x", DATA, family=family, link="log")
        Model("pos ~ x", DATA, family=family, link=link)
        Model("pos ~ x", DATA, family=family, link={"mu": link})
        Model("pos ~ 1", DATA, family=family)
        Model("y ~ x", DATA)
        Model("pos ~ x", DATA, family=Family("mine", Likelihood(PROMISED[family][0]), link))


# ------------------------------------------------------------------------------------------------- names and records


def test_a_gaussian_under_another_name_is_a_gaussian() -> None:
    family = Family("mine", Likelihood("Normal", params=["mu", "sigma"], parent="mu"), "identity")
    assert (family.kind, family.is_custom, family.likelihood.name) == ("gaussian", True, "Normal")
    model = Model("y ~ x + (1|g)", DATA, family=family)
    assert "mine" in repr(model)
    assert str(model.priors) == str(Model("y ~ x + (1|g)", DATA).priors)
    assert model.plan().path == Model("y ~ x + (1|g)", DATA).plan().path == "marginal"


def test_links_by_parameter_and_what_a_family_tells() -> None:
    family = Family("mine", Likelihood("Gamma"), {"mu": "log", "alpha": "softplus"})
    assert family.choose_links() == {"mu": "log", "alpha": "softplus"}
    assert family.SUPPORTED_LINKS["mu"] == ["log", "inverse", "identity", "inverse_squared", "sqrt", "softplus"]
    assert family.auxiliary_parameters == ("alpha",)
    assert repr(family) == "Family('mine', mu: log, alpha: softplus)"
    assert repr(Likelihood("Gamma")) == "Likelihood('Gamma', params=['mu', 'alpha'], parent='mu')"


def test_a_distribution_class_counts_by_its_name() -> None:
    class Gamma:
        """As PyMC's."""

    assert Family("mine", Likelihood("Anything", dist=Gamma), "log").kind == "gamma"


def test_default_priors_of_the_users_own() -> None:
    family = Family("mine", Likelihood("Normal", sigma=Prior("HalfNormal", sigma=3)), "identity")
    assert str(Model("y ~ x", DATA, family=family).priors.constants["sigma"]) == "HalfNormal(sigma: 3)"
    family.set_default_priors({"sigma": Prior("Exponential", lam=2)})
    assert str(Model("y ~ x", DATA, family=family).priors.constants["sigma"]) == "Exponential(lam: 2)"
    priors = {"sigma": Prior("HalfCauchy", beta=1)}
    assert str(Model("y ~ x", DATA, family=family, priors=priors).priors.constants["sigma"]) == "HalfCauchy(beta: 1)"
    both = Model(Formula("y ~ x", "sigma ~ z"), DATA, family=family)  # with a formula it has no prior of its own
    assert "sigma" not in both.priors.constants
    fixed = Family("mine", Likelihood("Normal", sigma=0.5), "identity")
    assert Model("y ~ x", DATA, family=fixed).priors.constants["sigma"] == 0.5


def test_default_priors_of_a_built_in_family_stay_with_that_copy() -> None:
    family = get_family("t")
    family.set_default_priors({"nu": Prior("Exponential", lam=0.1)})
    assert family.is_custom
    assert not get_family("t").is_custom
    assert str(Model("y ~ x", DATA, family=family).priors.constants["nu"]) == "Exponential(lam: 0.1)"
    assert "Gamma" in str(Model("y ~ x", DATA, family="t").priors.constants["nu"])


def test_a_parameter_without_any_prior_says_so() -> None:
    family = Family("mine", Likelihood("N", params=["mu", "sigma"], logp=PLAIN["gaussian"]), {"sigma": "log"})
    with pytest.raises(ValueError, match="'sigma' of the family 'mine' has no default prior"):
        Model("y ~ x", DATA, family=family)


def test_the_range_of_a_parameter_comes_from_its_link_or_its_prior() -> None:
    def family(link: Any = None, **more: Any) -> Family:
        return Family("mine", Likelihood("N", params=["mu", "s"], logp=PLAIN["gaussian"], **more), link)

    assert family({"s": "log"}).parameter("s").support == "positive"
    assert family({"s": "probit"}).parameter("s").support == "unit"
    assert family().parameter("s").support == "real"
    assert family(s=Prior("HalfNormal", sigma=1)).parameter("s").default_link == "log"
    assert family({"s": "identity"}, parameter_support={"s": "positive"}).parameter("s").support == "positive"


@pytest.mark.parametrize(
    ("support", "good", "bad"),
    [
        ("real", [0.5, -1.0], [np.inf]),
        ("positive", [0.5, 2.0], [0.0]),
        ("unit", [0.5, 0.1], [1.0]),
        ("count", [0.0, 7.0], [1.5]),
        ("binary", [0.0, 1.0], [2.0]),
    ],
)
def test_responses_outside_the_support_are_refused(support: Any, good: list[float], bad: list[float]) -> None:
    family = Family("mine", Likelihood("X", params=["m"], logp=lambda y, m: 0.0, support=support))
    family.check_response(Response("y", np.array([good])))
    with pytest.raises(DataError, match=r"'y'.*'mine'.*row 1"):
        family.check_response(Response("y", np.array([good[:1] + bad])))
    assert family.discrete == (support in ("count", "binary"))


def test_trials_are_a_companion() -> None:
    family = copy_of("binomial")
    assert family.companions == ("trials",)
    with pytest.raises(DataError, match=r"'my_binomial' needs successes and trials"):
        Model("s ~ x", DATA, family=family)


MISTAKES: list[tuple[Any, str]] = [
    (lambda: Likelihood("Norml"), "no distribution 'Norml'. Did you mean 'Normal'.*logp="),
    (lambda: Likelihood("Normal", params=["mu", "sigmaa"]), "'sigmaa'. Did you mean 'sigma'"),
    (lambda: Likelihood("Normal", params=["mu"]), "has the parameters mu, sigma"),
    (lambda: Likelihood("Normal", parent="sigma"), r"parent of Likelihood\('Normal'\) is 'mu'.*Formula"),
    (lambda: Likelihood("Normal", parent="mean"), "parent names 'mean'"),
    (lambda: Likelihood("Normal", sgma=3), "prior names 'sgma'. Did you mean 'sigma'"),
    (lambda: Likelihood("Normal", mu=Prior("Normal")), "prior names 'mu'"),
    (lambda: Likelihood("Normal", random=min), "random=.* goes with a log density of your own"),
    (lambda: Likelihood("Normal", support="count"), "support=.* goes with a log density of your own"),
    (lambda: Likelihood("X", logp=min), "needs params"),
    (lambda: Likelihood("X", params="mu", logp=min), "needs params"),
    (lambda: Likelihood("X", params=["mu", "mu"], logp=min), "needs params"),
    (lambda: Likelihood("X", params=["mu"], logp=3), "logp of the likelihood 'X' must be a function"),
    (lambda: Likelihood("X", params=["m", "s"], logp=lambda y, m: 0), r"called as \(y, m, s\), but takes \(y, m\)"),
    (lambda: Likelihood("X", params=["m"], logp=lambda y, m: 0, dlogp=lambda y: 0), "dlogp of the likelihood 'X'"),
    (lambda: Likelihood("X", params=["m"], logp=lambda y, m: 0, random=lambda m: 0), r"as \(rng, m\)"),
    (lambda: Likelihood("X", params=["m"], logp=lambda y, m: 0, mean=lambda: 0), "mean of the likelihood"),
    (lambda: Likelihood("X", params=["p"], logp=lambda y, p: 0, support="trials"), r"\(y, trials, p\)"),
    (lambda: Likelihood("X", params=["m"], logp=lambda y, m: 0, support="counts"), "Did you mean 'count'"),
    (lambda: Likelihood("X", params=["m"], logp=lambda y, m: 0, parameter_support={"n": "unit"}), "names 'n'"),
    (lambda: Family("mine"), "needs a Likelihood"),
    (lambda: Family("mine", "Normal"), "needs a Likelihood"),
    (lambda: Family("gaussian", Likelihood("Gamma")), "'gaussian' is a built-in family"),
    (lambda: Family("poisson", Likelihood("X", params=["m"], logp=lambda y, m: 0)), "'poisson' is a built-in family"),
    (lambda: Family("mine", Likelihood("Gamma"), "logit"), "does not allow the link 'logit'"),
    (lambda: Family("mine", Likelihood("Gamma"), {"m": "log"}), "link names 'm'.*Did you mean 'mu'"),
    (lambda: Family("mine", Likelihood("Gamma"), 3), "link is a name"),
    (lambda: Family("mine", Likelihood("X", params=["m"], logp=lambda y, m: 0), "lg"), "Did you mean 'log'"),
    (lambda: Family("mine", Likelihood("Gamma")).set_default_priors({"mu": 1}), "'mu' is the parent"),
    (lambda: Family("mine", Likelihood("Gamma")).set_default_priors({"alph": 1}), "Did you mean 'alpha'"),
]


@pytest.mark.parametrize(("call", "words"), MISTAKES)
def test_mistakes_are_named(call: Any, words: str) -> None:
    with pytest.raises(FamilyError, match=words):
        call()


def test_an_unsupported_range_is_named() -> None:
    likelihood = Likelihood("X", params=["m"], logp=lambda y, m: 0, parameter_support={"m": "circle"})  # type: ignore[dict-item]
    with pytest.raises(FamilyError, match="parameter_support of 'm' is one of real, positive, unit"):
        Family("mine", likelihood)
