"""What docs/coming_from_bambi.md says is different, tried: one test a claim, in its order."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.priors.prior import resolve


@pytest.fixture(scope="module")
def sleep() -> pd.DataFrame:
    return nl.load_data("sleepstudy")


def prior_text(model: nl.Model, name: str) -> str:
    return next(line.strip() for line in str(model).splitlines() if line.strip().startswith(f"{name} ~"))


def draw_prior(model: nl.Model):
    return model.prior_predictive(draws=1, random_seed=1).prior


# ------------------------------------------------------------------------------------- nothing is dropped in silence


@pytest.mark.parametrize("formula", ["Reaction ~ Days|Subject", "Reaction ~ Days %in% Subject"])
def test_what_is_not_read_is_refused(formula, sleep):
    with pytest.raises(nl.FormulaError):
        nl.Model(formula, sleep)


def test_a_comparison_is_a_column_of_0_and_1(sleep):
    (term,) = nl.Model("Reaction ~ Days == 1", sleep).design.predictors["mu"].terms
    matrix = nl.Model("Reaction ~ Days == 1", sleep).design.predictors["mu"].matrix
    assert term.name == "Days == 1"
    np.testing.assert_array_equal(matrix[0], sleep["Days"] == 1)


def test_nested_category_has_one_label_a_column():
    data = {"y": np.arange(12.0), "x": np.arange(12.0) ** 2, "g": list("abc") * 4}
    prior = draw_prior(nl.Model("y ~ g/x", data))
    assert prior["g"].coords["g_dim"].values.tolist() == ["b", "c"]
    assert prior["g:x"].coords["g:x_dim"].values.tolist() == ["a", "b", "c"]


def test_sd_is_sigma_and_a_misspelt_argument_an_error():
    assert resolve(nl.Prior("Normal", mu=0, sd=10)) == resolve(nl.Prior("Normal", mu=0, sigma=10))
    with pytest.raises(nl.PriorError, match="'sigma'"):
        nl.Prior("Normal", mu=0, sgima=10)


# ------------------------------------------------------------------------------------------ categories, missing values


def test_declared_order_of_levels():
    warp = nl.load_data("warpbreaks")
    assert draw_prior(nl.Model("breaks ~ tension", warp))["tension_dim"].values.tolist() == ["M", "H"]
    text = warp.astype({"tension": str})
    assert draw_prior(nl.Model("breaks ~ tension", text))["tension_dim"].values.tolist() == ["L", "M"]
    name = 'C(tension, levels=["H", "L", "M"])'
    drawn = draw_prior(nl.Model(f"breaks ~ {name}", warp)).data_vars.values()
    (variable,) = (v for v in drawn if v.ndim > 2 and "__obs__" not in v.dims)
    assert variable.coords[variable.dims[-1]].values.tolist() == ["L", "M"]


def test_rows_are_complete_for_all_formulas(sleep):
    data = sleep.assign(z=np.r_[np.nan, np.arange(179.0)], Days=np.r_[sleep["Days"][:-1], np.nan])
    model = nl.Model(nl.Formula("Reaction ~ Days", "sigma ~ z"), data, dropna=True)
    assert model.design.n_rows == 178


# -------------------------------------------------------------------------------------------------------------- priors


def test_common_leaves_the_intercept_alone_in_both_places(sleep):
    chosen = nl.Prior("Normal", mu=0, sigma=100)
    at_once = nl.Model("Reaction ~ Days", sleep, priors={"common": chosen})
    later = nl.Model("Reaction ~ Days", sleep)
    later.set_priors(common=chosen)
    for model in (at_once, later):
        assert prior_text(model, "Days") == "Days ~ Normal(mu: 0, sigma: 100)"
        assert "298.5079" in prior_text(model, "Intercept")
    assert str(at_once) == str(later)


def test_group_effects_of_fixed_scale(sleep):
    model = nl.Model("Reaction ~ Days + (1|Subject)", sleep, priors={"1|Subject": nl.Prior("Laplace", mu=0, b=10)})
    prior = draw_prior(model)
    assert "1|Subject" in prior.data_vars
    assert "1|Subject_sigma" not in prior.data_vars


def test_splines_in_logit_models_have_priors():
    data = nl.load_data("admissions")
    for link in ("logit", "probit"):
        model = nl.Model("admit ~ bs(gre, df=4)", data, family="bernoulli", link=link)
        assert draw_prior(model)["bs(gre, df=4)"].shape == (1, 1, 4)


def test_dist_is_refused():
    with pytest.raises(nl.PriorError, match="dist"):
        nl.Prior("Normal", dist=lambda name: None)


# ------------------------------------------------------------------------------------------------------- fits, results


@pytest.mark.parametrize("method", ["nutpie", "numpyro", "blackjax"])
def test_other_engines_are_refused_by_name(method, sleep):
    with pytest.raises(nl.NutsliteError, match=method):
        nl.Model("Reaction ~ Days", sleep).fit(inference_method=method)


def test_small_models_may_be_sampled_without_nuts():
    model = nl.Model("mpg ~ wt + qsec", nl.load_data("mtcars"))
    results = model.fit(random_seed=1, progressbar=False)
    assert results.posterior.attrs["inference_method"] == "independence"
    assert results.posterior.attrs["tuning_steps"] == 0
    assert {"lp", "acceptance_rate", "energy", "diverging"} == set(results.sample_stats.data_vars)
    following = [np.corrcoef(chain[:-1], chain[1:])[0, 1] for chain in results.posterior["wt"].values]
    assert np.mean(following) < 0.15


def test_interactions_of_groups_have_the_combinations_that_occur(sleep):
    late = np.where((sleep["Days"] > 4) & (sleep["Subject"] != 308), "late", "early")
    prior = draw_prior(nl.Model("Reaction ~ 1 + (1|Subject:week)", sleep.assign(week=late)))
    levels = prior["1|Subject:week"].coords["Subject:week__factor_dim"].values.tolist()
    assert len(levels) == 35
    assert "308:late" not in levels


def test_correlations_are_one_variable(sleep):
    model = nl.Model("Reaction ~ Days + (Days|Subject)", sleep, correlated=True)
    assert "1+Days|Subject_corr" in draw_prior(model).data_vars
    assert "1+Days|Subject_corr" not in draw_prior(nl.Model("Reaction ~ Days + (Days|Subject)", sleep)).data_vars


def test_old_default_priors_of_logit_models_were_wider():
    model = nl.Model("admit ~ gpa", nl.load_data("admissions"), family="bernoulli")
    sd = nl.load_data("admissions")["gpa"].std(ddof=0)
    assert prior_text(model, "gpa") == f"gpa ~ Normal(mu: 0.0, sigma: {1 / sd:.4g})"
    assert prior_text(model, "Intercept") == "Intercept ~ Normal(mu: 0.0, sigma: 1.5)"


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("components", "parameters"),
        ("constant_components", "marginal_parameters"),
        ("distributional_components", "conditional_parameters"),
        ("response_component", "response_term"),
    ],
)
def test_old_properties_name_those_of_today(old, today, sleep):
    model = nl.Model("Reaction ~ Days", sleep)
    with pytest.warns(FutureWarning, match=f"Model.{old} is now called {today}") as caught:
        found = getattr(model, old)
    assert caught[0].filename == __file__
    assert getattr(found, "term", found) == getattr(model, today)


def test_parameters_have_terms_and_priors(sleep):
    formula = nl.Formula("Reaction ~ Days + offset(Days) + (Days|Subject)", "sigma ~ C(Days)")
    model = nl.Model(formula, sleep, family="t", priors={"nu": 4.0})
    model.set_alias({"mu": {"Days": "slope"}, "sigma": {"sigma": "sd", "C(Days)": "spread"}})
    assert list(model.parameters) == ["mu", *model.family.auxiliary_parameters]
    mu, sigma = model.conditional_parameters.values()
    assert list(mu.terms) == ["Intercept", "Days", "1|Subject", "Days|Subject"]
    assert list(mu.common_terms) == ["Days"]
    assert list(mu.group_specific_terms) == ["1|Subject", "Days|Subject"]
    assert mu.offset_terms == ("offset(Days)",)
    assert mu.terms["1|Subject"].groups == model.design.factors["Subject"].levels
    assert mu.terms["Days"].prior is model.priors.terms["mu"]["Days"]
    assert mu.intercept_term.name == "Intercept"
    assert mu.is_parent
    assert (mu.alias, mu.terms["Days"].alias, sigma.alias, sigma.terms["C(Days)"].alias) == (
        None,
        "slope",
        "sd",
        "spread",
    )
    assert sigma.terms["C(Days)"].levels == tuple(str(day) for day in range(1, 10))
    assert model.marginal_parameters["nu"].prior == 4.0
    assert nl.Model("Reaction ~ Days", sleep).parameters["sigma"].prior.name == "HalfStudentT"


@pytest.mark.parametrize(
    ("family", "response", "name", "link"),
    [
        ("gaussian", "Reaction", "Normal", {"mu": "identity", "sigma": "log"}),
        ("t", "Reaction", "StudentT", {"mu": "identity", "sigma": "log", "nu": "log"}),
        ("gamma", "Reaction", "Gamma", {"mu": "inverse", "alpha": "log"}),
        ("wald", "Reaction", "Wald", {"mu": "inverse_squared", "lam": "log"}),
        ("weibull", "Reaction", "Weibull", {"mu": "log", "alpha": "log"}),
        ("laplace", "Reaction", "Laplace", {"mu": "identity", "b": "log"}),
        ("asymmetriclaplace", "Reaction", "AsymmetricLaplace", {"mu": "identity", "b": "log", "kappa": "log"}),
        ("lognormal", "Reaction", "LogNormal", {"mu": "identity", "sigma": "log"}),
        ("poisson", "Days", "Poisson", {"mu": "log"}),
        ("negativebinomial", "Days", "NegativeBinomial", {"mu": "log", "alpha": "log"}),
        ("zero_inflated_poisson", "Days", "ZeroInflatedPoisson", {"mu": "log", "psi": "logit"}),
        ("bernoulli", "late", "Bernoulli", {"p": "logit"}),
        ("binomial", "p(Days, ten)", "Binomial", {"p": "logit"}),
        ("beta", "unit", "Beta", {"mu": "logit", "kappa": "log"}),
        ("hurdle_gamma", "Days", "HurdleGamma", {"mu": "log", "alpha": "log", "psi": "logit"}),
        ("beta_binomial", "p(Days, ten)", "BetaBinomial", {"mu": "logit", "kappa": "log"}),
    ],
)
def test_the_family_of_a_model_says_what_it_is(family, response, name, link, sleep):
    data = sleep.assign(late=lambda d: (d.Days > 4).astype(int), ten=10, unit=lambda d: (d.Days + 1) / 12)
    found = nl.Model(f"{response} ~ 1", data, family=family).family
    assert found.likelihood.name == name
    assert set(found.likelihood.params) == set(link)
    assert found.likelihood.parent == next(iter(link))
    assert {key: value.name for key, value in found.link.items()} == link
    assert all(isinstance(value, nl.Link) for value in found.link.values())
    assert not found.is_custom


def test_the_links_of_a_model_are_those_of_its_family(sleep, tmp_path):
    model = nl.Model("Days ~ 1", sleep, "negativebinomial", link="identity")
    assert {name: link.name for name, link in model.family.link.items()} == {"mu": "identity", "alpha": "log"}
    same = nl.Model("Days ~ 1", sleep, model.family)  # a family brings its links along, into files too
    same.save(tmp_path / "a.model")
    for other in (same, nl.Model.load(tmp_path / "a.model")):
        assert other.links == model.links
        assert other.describe() == model.describe()
    assert nl.Model("Days ~ 1", sleep, model.family, link="log").links["mu"] == "log"
    again = nl.Model("Days ~ 1", sleep, nl.Family("mine", nl.Likelihood("Poisson"), "sqrt"))
    assert {name: link.name for name, link in again.family.link.items()} == {"mu": "sqrt"}


def test_what_models_do_not_have(sleep):
    model = nl.Model("Reaction ~ Days", sleep)
    with pytest.raises(AttributeError, match=r"'Model' object has no attribute 'fitt'$"):
        _ = model.fitt
    del model._specification  # a property that fails says over what, and not that there is no such property
    with pytest.raises(AttributeError, match="no attribute '_specification'"):
        _ = model.response_name


def test_clear_data_home_says_that_there_is_none(caplog):
    with caplog.at_level(logging.INFO, logger="nutslite"):
        assert nl.clear_data_home() is None
    assert caplog.text
