"""Links of the user's own: those that repeat a built-in one give the same kernels, models and predictions."""

from __future__ import annotations

import copy
import logging
import math
import pickle
import warnings
from typing import Any

import numba
import numpy as np
import pytest
from family_cases import ROWS, Case
from scipy import special
from small_models import assembled_of, grouped_data

from nutslite import Family, Formula, Likelihood, Link, Model
from nutslite._numba import jit_disabled
from nutslite.exceptions import FamilyError, NutsliteWarning
from nutslite.families.links.codes import CODES, inverse_array, link_array
from nutslite.families.record.family import compiled_loglik
from nutslite.families.record.link_kernels import with_own_links
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.posterior.targets.target import JointTarget

DATA = grouped_data()
LOADED = [get_family(name) for name in family_names()]  # before a test switches Numba off


def log1m(p):
    return np.log1p(-p)


LINKS: dict[str, Link] = {
    "cloglog": Link("my_cloglog", link=lambda p: np.log(-log1m(p)), linkinv=lambda x: -np.expm1(-np.exp(x))),
    "log": Link("my_log", link=np.log, linkinv=np.exp),
    "identity": Link("my_identity", link=lambda x: x, linkinv=lambda x: x),
    "inverse": Link("my_inverse", link=lambda x: 1 / x, linkinv=numba.njit(lambda x: 1 / x)),
    "softplus": Link(
        "my_softplus", linkinv=lambda x: math.log1p(math.exp(x)), derivative=lambda x: 1 / (1 + np.exp(-x))
    ),
    "logit": Link("scipy_logit", link=special.logit, linkinv=special.expit),
    "probit": Link("scipy_probit", linkinv=special.ndtr, derivative=lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi)),
    "cauchit": Link("one_by_one", linkinv=lambda x: 0.5 + math.atan(float(x)) / math.pi),
}
THROUGH_PYTHON = ("logit", "probit")

KERNELS = [
    ("bernoulli", {"p": "cloglog"}),
    pytest.param("bernoulli", {"p": "cauchit"}, marks=pytest.mark.slow),
    pytest.param("beta", {"mu": "logit", "kappa": "log"}, marks=pytest.mark.slow),
    ("gamma", {"mu": "inverse", "alpha": "softplus"}),
    pytest.param("gaussian", {"mu": "identity", "sigma": "log"}, marks=pytest.mark.slow),
    ("negativebinomial", {"alpha": "softplus"}),
    ("zero_inflated_poisson", {"mu": "log", "psi": "probit"}),
]


@pytest.mark.parametrize(
    ("name", "links"), KERNELS, ids=lambda item: "-".join(item) if isinstance(item, dict) else item
)
def test_kernels_are_those_of_the_links_repeated(name: str, links: dict[str, str]) -> None:
    builtin = get_family(name)
    own = with_own_links(builtin, builtin.choose_links({parameter: LINKS[link] for parameter, link in links.items()}))
    assert own.is_custom
    weights = np.random.default_rng(2).uniform(0.5, 2.0, ROWS)
    names = [parameter.name for parameter in builtin.parameters]
    for seed, varying in enumerate([set(names), set(), {names[0]}, set(names[1:])]):
        case = Case(builtin, links, varying, seed)
        expected = case.loglik(weights=weights)
        other = copy.copy(case)
        other.family, other.eta = own, case.eta.copy()
        other.links = own.link_codes({parameter: LINKS[link] for parameter, link in links.items()})
        for j, parameter in enumerate(names):  # a constant is on the native link
            if parameter in links and not case.varies[j]:
                native = next(text for text, code in CODES.items() if code == other.links[j])
                other.eta[j, :1] = link_array(native, case.theta[parameter])
        values, slopes = other.loglik(weights=weights)
        np.testing.assert_allclose(values, expected[0], rtol=1e-11, atol=1e-11)
        varies = case.varies == 1
        np.testing.assert_allclose(slopes[varies], expected[1][varies], rtol=1e-9, atol=1e-10)


def test_blocks_of_rows_and_scratch_beyond_them() -> None:
    builtin = get_family("poisson")
    own = with_own_links(builtin, {"mu": LINKS["log"]})
    case = Case(builtin, {}, {"mu"})
    whole, slopes = case.loglik()
    case.family = own
    eta = np.full_like(case.eta, np.nan)
    eta[0, :3] = case.eta[0, 2:5]
    values, part = case.loglik(eta, None, 2, 3)
    np.testing.assert_allclose(values, whole[2:5], rtol=1e-13)
    np.testing.assert_allclose(part[0, :3], slopes[0, 2:5], rtol=1e-12)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    fresh = Link("fresh", linkinv=lambda x: -math.expm1(-math.exp(x)))
    case = Case(get_family("bernoulli"), {"p": "cloglog"}, {"p"})
    expected = case.loglik()
    case.family = with_own_links(case.family, {"p": fresh})
    case.links = case.family.link_codes({"p": fresh})
    for ours, theirs in zip(case.loglik(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


# ----------------------------------------------------------------------------------------------------- whole models

MODELS: list[tuple[str, Any, dict[str, str]]] = [
    ("bernoulli", "b ~ x + (1|g)", {"p": "cloglog"}),
    ("poisson", "k ~ x + offset(o)", {"mu": "log"}),
    ("gaussian", Formula("y ~ x", "sigma ~ z"), {"mu": "identity", "sigma": "log"}),
    ("gaussian", "y ~ x + (1|g)", {"sigma": "log"}),
    ("beta", "unit ~ x", {"mu": "logit"}),
]


@pytest.mark.parametrize(("family", "formula", "links"), MODELS)
def test_posteriors_and_predictions_are_those_of_the_links_repeated(
    family: str, formula: Any, links: dict[str, str]
) -> None:
    builtin = Model(formula, DATA, family=family, link=links)
    own = Model(formula, DATA, family=family, link={parameter: LINKS[link] for parameter, link in links.items()})
    builtin_target, own_target = (JointTarget(assembled_of(model), use_pilot=False) for model in (builtin, own))
    for seed in range(3):
        position = 0.1 * np.random.default_rng(seed).normal(size=builtin_target.dimension)
        expected, found = np.empty_like(position), np.empty_like(position)
        value = builtin_target.logdensity(position, expected, builtin_target.data)
        assert math.isfinite(value)
        assert own_target.logdensity(position, found, own_target.data) == pytest.approx(value, rel=1e-11)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    results = builtin.fit(draws=20, tune=50, chains=1, random_seed=1, progressbar=False, plan="joint")
    again = results.copy()
    for model, idata in ((builtin, results), (own, again)):
        model.predict(idata)
        model.compute_log_likelihood(idata)
    parent = get_family(family).parent.name
    np.testing.assert_allclose(again.posterior[parent].values, results.posterior[parent].values, rtol=1e-11)
    for name, values in results.log_likelihood.data_vars.items():
        np.testing.assert_allclose(again.log_likelihood[name].values, values.values, rtol=1e-10)


def test_a_fit_with_a_link_of_ones_own_has_a_pilot_and_agrees() -> None:
    settings: dict[str, Any] = {"draws": 300, "chains": 2, "random_seed": 2, "progressbar": False}
    builtin, own = (Model("b ~ x", DATA, family="bernoulli", link=link) for link in ("cloglog", LINKS["cloglog"]))
    assert str(own.plan()) == str(builtin.plan())
    expected, found = builtin.fit(**settings), own.fit(**settings)
    assert int(found.sample_stats.diverging.sum()) == 0
    for name in ("Intercept", "x"):
        sd = float(expected.posterior[name].std())
        assert abs(float(found.posterior[name].mean() - expected.posterior[name].mean())) < 0.3 * sd


def test_a_gaussian_with_a_link_of_ones_own_is_not_integrated() -> None:
    plan = Model("y ~ x", DATA, link=LINKS["identity"]).plan()
    assert plan.path == "joint"
    assert "link of mu is not the identity" in " ".join(plan.sentences)


def test_the_link_shows_and_stays_with_its_model() -> None:
    model = Model("k ~ x", DATA, family="poisson", link=LINKS["log"])
    assert "mu = my_log" in repr(model)
    assert model.family.is_custom
    again = Model("k ~ x", DATA, family=model.family)
    assert again.links == {"mu": "log"}
    assert not again.family.is_custom
    twice = Model("k ~ x", DATA, family=model.family, link=LINKS["log"])
    case = Case(get_family("poisson"), {}, {"mu"})
    expected = case.loglik()
    case.family = twice.family
    np.testing.assert_allclose(case.loglik()[1], expected[1], rtol=1e-12)


@pytest.mark.skipif(jit_disabled(), reason="nothing compiles")
def test_a_link_compiles_once_for_a_family() -> None:
    link = Link("once", linkinv=np.exp)
    kernels = {id(compiled_loglik(with_own_links(get_family("poisson"), {"mu": link}))) for _ in range(3)}
    assert len(kernels) == 1
    assert (
        id(compiled_loglik(with_own_links(get_family("poisson"), {"mu": Link("once", linkinv=np.exp)}))) not in kernels
    )


def test_links_that_numba_cannot_compile_say_so(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("logit", "cloglog"):
        link = LINKS[name]
        link.kernels.clear()
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="nutslite"):
            compiled_loglik(with_own_links(get_family("bernoulli"), {"p": link}))
        assert ("called from Python" in caplog.text) == (name in THROUGH_PYTHON and not jit_disabled())


def test_a_log_density_with_a_link_of_ones_own() -> None:
    def logp(y, mu):
        return y * math.log(mu) - mu - math.lgamma(y + 1.0)

    likelihood = Likelihood("P", params=["mu"], logp=logp, support="count", parameter_support={"mu": "positive"})
    case = Case(get_family("poisson"), {}, {"mu"})
    expected = case.loglik()
    family = Family("mine", likelihood, LINKS["log"])
    assert family.parent.default_link is LINKS["log"]
    case.family = with_own_links(family, family.choose_links())
    for ours, theirs in zip(case.loglik(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_links_that_leave_the_range_warn() -> None:
    squared = Link("shifted", linkinv=lambda x: x + 1.0)
    with pytest.warns(NutsliteWarning, match=r"Under the link 'shifted'.*'mu'.*leaves its range \(positive\).*'log'"):
        Model("k ~ x", DATA, family="poisson", link=squared)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NutsliteWarning)
        Model("k ~ x", DATA, family="poisson", link=LINKS["log"])
        Model("b ~ x", DATA, family="bernoulli", link=LINKS["cloglog"])


# ------------------------------------------------------------------------------------------------------ the link itself


def test_a_link_is_its_name() -> None:
    assert Link("logit") == "logit"
    assert isinstance(Link("logit"), str)
    assert not Link("logit").is_custom
    assert f"{LINKS['log']}" == LINKS["log"].name == "my_log"
    assert type(LINKS["log"].name) is str
    assert Model("b ~ x", DATA, family="bernoulli", link=Link("probit")).links == {"p": "probit"}


def test_functions_over_arrays_and_numbers() -> None:
    one = Link("one", link=lambda p: math.log(p), linkinv=lambda x: math.exp(x))
    x = np.array([[0.0, 1.0], [2.0, 800.0]])
    for name in (one, LINKS["log"]):
        np.testing.assert_array_equal(inverse_array(name, x), np.exp(np.where(x > 700, np.inf, x)))
        np.testing.assert_allclose(link_array(name, np.exp(x[:1])), x[:1])
        assert name.linkinv(1.0) == pytest.approx(math.e)
    assert math.isnan(one.link(-1.0))
    np.testing.assert_allclose(Link("logit").linkinv(x), special.expit(x))


def test_a_link_without_its_forward_function_starts_at_zero() -> None:
    half = Link("half", linkinv=lambda x: np.exp(x))
    assert not half.has_link
    with pytest.raises(FamilyError, match=r"Link\('half'\) was made without its function link="):
        half.link(1.0)
    model = Model("k ~ x", DATA, family="poisson", link=half)
    results = model.fit(draws=20, tune=100, chains=1, random_seed=1, progressbar=False)
    assert np.all(np.isfinite(results.posterior.x.values))


def test_copies_and_pickles_keep_the_functions() -> None:
    link = Link("copied", link=np.log, linkinv=np.exp, derivative=np.exp)
    for other in (copy.copy(link), copy.deepcopy(link), pickle.loads(pickle.dumps(link))):
        assert other == "copied"
        assert other.is_custom
        assert other.derivative_function is np.exp
        assert other.linkinv(0.0) == 1.0


def test_bambi_s_argument_for_pytensor_serves_where_it_is_alone() -> None:
    assert Link("a", link=np.log, linkinv_backend=np.exp).linkinv(0.0) == 1.0
    assert Link("a", link=np.log, linkinv=np.exp, linkinv_backend=np.sin).linkinv(0.0) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Link("logitt"), "Did you mean 'logit'"),
        (lambda: Link("logit", linkinv=np.exp), "'logit' is a built-in link; leave linkinv out"),
        (lambda: Link("mine", link=np.log), r"Link\('mine'\) needs its inverse"),
        (lambda: Link("mine", linkinv="exp"), "linkinv is a function, not 'exp'"),
    ],
)
def test_mistakes_are_named(call: Any, words: str) -> None:
    with pytest.raises(FamilyError, match=words):
        call()
