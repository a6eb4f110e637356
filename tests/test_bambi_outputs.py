"""What docs/coming_from_bambi.md calls the same, beside recorded outputs of Bambi 0.21 from equal inputs.

fixtures/bambi_outputs.json has the models, the draws, and what Bambi made of them; the script beside it says how. A row
that the page calls the same needs a test with `compares`, and the last tests here look for it. Where Bambi is wrong, or
where we differ on purpose, a list says which cases, and why.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from bambi_outputs import (
    CASES,
    COMPARED,
    DATA,
    NEW,
    RECORD,
    UNSEEN,
    assert_group,
    built_model,
    compares,
    model_of,
    plain_prior,
    results_of,
    structure,
    without_values,
)

import nutslite as nl
from nutslite.results.container.inference_data import build_container, get_group, group_names

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "coming_from_bambi.md").read_text("utf-8")
MODEL, FIT = "`Model`", "`Model.fit`"
METHODS, NAMES, FAMILIES = "Methods and attributes of `Model`", "Names of the package", "Families compared"
FULL_TERMS = "a term that needs columns of lower order keeps them, formulae makes a further term of them"
COMBINATIONS = "only combinations that occur are levels"
WEIGHTS = "Bambi scales priors by the spread of responses and weights taken together"
ALIASES = "aliases show in the text"
WITH_OFFSETS = "a density of the effects' offsets instead of the effects is of no use to power-scaling"
FIRST_LEVEL = "an unnamed outcome is the second level, as in R; Bambi takes the first"
OTHER_VARIABLES = {"interactions": FULL_TERMS, "factors in factors": COMBINATIONS}
OTHER_NAMES = dict.fromkeys(("other names", "other names in two formulas"), ALIASES)
OTHER_PRIORS = {
    "interactions": FULL_TERMS,
    "weighted": WEIGHTS,
    "priors set later": "the width of the intercept's prior follows the slopes' priors, whenever these are given",
}
OTHER_TEXTS = OTHER_PRIORS | OTHER_NAMES | {"cumulative": "that thresholds increase is no argument of their prior"}
OTHER_LIKELIHOODS = OTHER_VARIABLES | {"outcome in words by default": FIRST_LEVEL}
OTHER_SHARES = OTHER_LIKELIHOODS | {
    "binomial": "Bambi compares probabilities with counts",
    "p": "Bambi compares probabilities with counts",
    "proportion of a number": "Bambi compares probabilities with counts",
    "lognormal": "Bambi takes the mean of the logarithm for the mean",
    "zero_inflated_poisson": "Bambi leaves the zeros out of the mean",
    "zero_inflated_binomial": "Bambi leaves the zeros out of the mean, and compares probabilities with counts",
    "zero_inflated_negativebinomial": "Bambi leaves the zeros out of the mean",
    "hurdle_poisson": "Bambi takes the mean before zeros are taken away, and leaves them out",
    "hurdle_negativebinomial": "Bambi takes the mean before zeros are taken away, and leaves them out",
    "hurdle_gamma": "Bambi leaves the zeros out of the mean",
    "hurdle_lognormal": "Bambi takes the mean of the logarithm for the mean, and leaves zeros out",
    "beta_binomial": "Bambi compares probabilities with counts",
    "exgaussian": "Bambi leaves out nu",
    "vonmises": "angles have no mean",
}
ANY_ORDER = ("hurdle_lognormal", "asymmetriclaplace")  # whose further parameters Bambi has in the order of a set
OTHER_ANGLES = {"vonmises": "Bambi turns mu back to within half a turn of zero"}
DIGITS = {"exgaussian": 1e-7}  # of log likelihoods: PyMC's scaled error function has eight
OTHER_DIMS = {"categorical": "Bambi does not name the dimensions of terms with columns"}
DRAWN = [name for name, record in CASES.items() if "fit" in record]


def but(*differing: dict[str, str]) -> list[str]:
    """Cases with draws, without those that differ."""
    return [name for name in DRAWN if not any(name in cases for cases in differing)]


def recorded(name: str, key: str) -> Any:
    """What Bambi made of a case, or the end of the test where it made nothing."""
    found = CASES[name].get(key)
    if found is None or "fails" in found:
        pytest.skip(f"Bambi gives nothing here: {found}")
    return found


# --------------------------------------------------------------------------------------------- text, priors, arguments


@compares(MODEL, "formula", "family", "link", "categorical", "dropna", "auto_scale", "center_predictors")
@compares(NAMES, "Model")
@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHER_TEXTS])
def test_text(name):
    """Apart from where lines are folded: ours at 80 columns, Bambi's at 100."""
    here, there = (re.sub(r"\n {16,}(?=\S)", " ", text) for text in (str(built_model(name)), CASES[name]["text"]))
    assert in_order(here, name) == in_order(there, name)


def in_order(text: str, family: str) -> list[str]:
    """Lines of a text, sorted where their order has no meaning."""
    return sorted(line.strip() for line in text.splitlines()) if family in ANY_ORDER else text.splitlines()


@compares(MODEL, "auto_scale")
@compares(METHODS, "build")
@pytest.mark.parametrize("name", [name for name in CASES if name not in OTHER_PRIORS])
def test_priors(name):
    priors = built_model(name).priors
    found = {key: {term: plain_prior(prior) for term, prior in terms.items()} for key, terms in priors.terms.items()}
    found |= {key: plain_prior(prior) for key, prior in priors.constants.items()}
    assert_priors(found, CASES[name]["priors"], name in ANY_ORDER)


def assert_priors(found: Any, expected: Any, in_any_order: bool = False) -> None:
    """Same names in the same order, same arguments; one number serves several columns."""
    if isinstance(expected, dict):
        assert (sorted if in_any_order else list)(found) == (sorted if in_any_order else list)(expected)
        for key, value in expected.items():
            assert_priors(found[key], value)
    elif isinstance(expected, list) and isinstance(expected[0], str):
        assert found[0] == expected[0]
        assert_priors(found[1], expected[1])
    else:
        np.testing.assert_allclose(np.squeeze(found), expected, rtol=1e-10)


@pytest.mark.parametrize("name", sorted(OTHER_PRIORS.keys() - OTHER_VARIABLES.keys()))
def test_priors_that_differ(name):
    assert str(built_model(name)) != CASES[name]["text"]


def test_priors_by_weights_are_those_without():
    plain = nl.Model("y ~ x", DATA).priors.terms["mu"]
    assert built_model("weighted").priors.terms["mu"] == plain
    both = DATA[["y", "w"]].to_numpy()
    _, arguments = CASES["weighted"]["priors"]["mu"]["Intercept"]
    np.testing.assert_allclose(arguments["mu"], both.mean())  # of responses and weights together


def test_priors_set_later_are_those_given_at_once():
    case = CASES["priors set later"]["case"]
    later = case["set_priors"]
    at_once = {**later["priors"], "common": later["common"], "group_specific": later["group_specific"]}
    chosen = {"formula": case["formula"], "priors": at_once}
    assert str(model_of(chosen)) == str(built_model("priors set later"))


@compares(METHODS, "data", "formula")
@pytest.mark.parametrize("name", ["one number", "missing values", "formula of sigma"])
def test_data_and_formula(name):
    model, (columns, rows) = built_model(name), CASES[name]["data"]
    assert list(model.data.columns) == columns
    assert len(model.data) == rows
    assert list(model.formula.get_all_formulas()) == CASES[name]["case"]["formula"]
    assert [list(model.marginal_parameters), list(model.conditional_parameters)] == CASES[name]["parameters"]


@compares(MODEL, "potentials")
def test_potentials():
    with_it, without = model_of(CASES["potentials"]["case"]), model_of(CASES["one number"]["case"])
    draws = CASES["potentials"]["fit"]["posterior"]["variables"]["x"]["values"]
    found = []
    for value in np.ravel(draws):
        point = {**without.backend.model.initial_point(), "x": value}
        found.append(with_it.backend.model.logp(point) - without.backend.model.logp(point))
    np.testing.assert_allclose(found, CASES["potentials"]["potential"], atol=1e-10)


@compares(METHODS, "build")
@pytest.mark.parametrize("step", ["Model", "build", "set_priors"])
def test_built(step):
    steps = {
        "Model": lambda model: None,
        "build": lambda model: model.build(),
        "set_priors": lambda model: model.set_priors({"x": nl.Prior("Normal", mu=0, sigma=1)}),
    }
    fresh, built = nl.Model("y ~ x", DATA), nl.Model("y ~ x", DATA)
    built.build()
    steps[step](fresh)
    steps[step](built)
    assert [fresh.built, built.built] == RECORD["built"][step]


# ------------------------------------------------------------------------------------------------------- the containers


@compares(METHODS, "prior_predictive")
@pytest.mark.parametrize("name", but(OTHER_VARIABLES))
def test_prior_predictive(name):
    there = recorded(name, "prior_predictive")
    results = built_model(name).prior_predictive(draws=2, random_seed=1)
    assert set(group_names(results)) == set(there)
    for group, record in there.items():
        here, expected = structure(get_group(results, group)), without_values(record)
        for item in (*here["variables"].values(), *expected["variables"].values()):
            item["dims"] = sorted(
                item["dims"]
            )  # Bambi has g|s by levels first here, and by columns first in a posterior
        if name == "intercept only" and group == "prior":
            expected["coords"]["__obs__"]["values"] = len(DATA)  # Bambi has one row there
        if name in ("cumulative", "sratio") and group == "prior":
            expected["coords"]["g_dim"] = {"type": "U", "values": ["a", "b", "c"]}  # Bambi forgets the last level
        assert here == expected


@compares(FIT, "draws")
@pytest.mark.parametrize("name", [name for name in DRAWN if "fit" in CASES[name]["case"]])
def test_fit(name):
    case = CASES[name]["case"]
    extra = case["fit"] if isinstance(case["fit"], dict) else {}
    results = quick_fit(built_model(name), **extra)
    for group, record in CASES[name]["fit"].items():
        found = get_group(results, group)
        assert structure(found) == without_values(record)
        if group == "observed_data":
            assert_group(found, record)


def quick_fit(model: nl.Model, **options: Any) -> Any:
    """Two chains of two draws, which nobody should believe."""
    usual = {"draws": 2, "tune": 2, "chains": 2, "random_seed": 1, "progressbar": False}
    return model.fit(**{**usual, "compute_convergence_checks": False, **options})


@pytest.fixture(scope="module")
def grouped() -> nl.Model:
    return nl.Model("y ~ x + (1|s)", DATA)


@compares(FIT, "nuts", "n_init", "initvals", "progressbar", "compute_convergence_checks", "include_mean")
@compares(FIT, "include_response_params", "omit_offsets")
@pytest.mark.parametrize("name", [name for name in RECORD["fits"] if "seed" not in name])
def test_options_of_fit(name, grouped):
    expected = RECORD["fits"][name]
    results = quick_fit(grouped, **expected["options"])
    groups = {group for group in group_names(results) if "stats" not in group}
    if "warmup_posterior" in expected["groups"]:  # omit_offsets is about these, too, which Bambi forgets
        expected["groups"]["warmup_posterior"] = expected["groups"]["posterior"]
    assert {group: sorted(map(str, get_group(results, group).data_vars)) for group in groups} == expected["groups"]


@compares(FIT, "random_seed")
def test_seeds(grouped):
    draws = [get_group(quick_fit(grouped, random_seed=seed), "posterior")["x"].values for seed in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1]) == RECORD["fits"]["same seed"]
    assert np.array_equal(draws[0], draws[2]) == RECORD["fits"]["another seed"]


# -------------------------------------------------------------------------------------------------------- from draws


@compares(METHODS, "predict", "family")
@compares(MODEL, "formula", "family", "categorical", "extra_namespace", "center_predictors")
@pytest.mark.parametrize("key", ["predict", "predict new", "predict without groups"])
@pytest.mark.parametrize("name", but(OTHER_VARIABLES, OTHER_ANGLES))
def test_predict_parameters(name, key):
    options = {
        "predict": {},
        "predict new": {"data": NEW},
        "predict without groups": {"include_group_specific": False},
    }[key]
    there = recorded(name, key)
    results = built_model(name).predict(results_of(name), inplace=False, **options)
    assert_group(predicted(results, "posterior", options), there)


def predicted(results: Any, group: str, options: dict[str, Any]) -> xarray.Dataset:
    """A group of predictions: those for new rows are in one of their own."""
    return get_group(results, "predictions" if "data" in options else group)


@compares(METHODS, "predict")
@pytest.mark.parametrize("key", ["response", "response new"])
@pytest.mark.parametrize("name", but(OTHER_VARIABLES))
def test_predict_responses(name, key):
    options = {"data": NEW} if key == "response new" else {}
    there = recorded(name, key)
    results = built_model(name).predict(results_of(name), kind="response", inplace=False, random_seed=1, **options)
    found = predicted(results, "posterior_predictive", options)
    assert structure(found, there["variables"]) == without_values(there)
    parameters = predicted(results, "posterior", options)
    assert set(CASES[name]["predict"]["variables"]) <= set(parameters.data_vars)


@compares(METHODS, "predict")
@pytest.mark.parametrize("name", [name for name in but(OTHER_VARIABLES) if "predict new groups" in CASES[name]])
def test_predict_new_groups(name):
    options = {"data": UNSEEN, "sample_new_groups": True}
    there = recorded(name, "predict new groups")
    results = built_model(name).predict(results_of(name), inplace=False, random_seed=1, **options)
    found = predicted(results, "posterior", options)
    assert structure(found, there["variables"]) == without_values(there)
    known = built_model(name).predict(results_of(name), inplace=False, data=UNSEEN.assign(s="p"))
    for variable in there["variables"]:  # the first row is of a group that is known
        first = [item[variable].isel(__obs__=0) for item in (found, predicted(known, "posterior", options))]
        np.testing.assert_allclose(*first)


@compares(METHODS, "compute_log_likelihood")
@pytest.mark.parametrize("key", ["log likelihood", "log likelihood new"])
@pytest.mark.parametrize("name", but(OTHER_LIKELIHOODS))
def test_log_likelihood(name, key):
    options = {"data": NEW} if key == "log likelihood new" else {}
    there = recorded(name, key)
    results = built_model(name).compute_log_likelihood(results_of(name), inplace=False, **options)
    assert_group(get_group(results, "log_likelihood"), there, rtol=DIGITS.get(name, 1e-10))


def test_directions_are_the_same():
    """Bambi turns mu back to within half a turn of zero; here mu is the linear predictor."""
    there = np.array(recorded("vonmises", "predict")["variables"]["mu"]["values"])
    found = get_group(built_model("vonmises").predict(results_of("vonmises"), inplace=False), "posterior")["mu"]
    np.testing.assert_allclose(np.mod(found.values - there + np.pi, 2 * np.pi), np.pi, atol=1e-9)


def test_an_outcome_is_the_second_level():
    name = "outcome in words by default"
    model, there = built_model(name), recorded(name, "log likelihood")["variables"]["answer"]["values"]
    found = get_group(model.compute_log_likelihood(results_of(name), inplace=False), "log_likelihood")["answer"]
    np.testing.assert_allclose(np.exp(found.values) + np.exp(there), 1.0)  # that of the other outcome
    named = model_of({"formula": ["answer['no'] ~ x + h"], "family": "bernoulli"})
    first = get_group(named.compute_log_likelihood(results_of(name), inplace=False), "log_likelihood")["answer"]
    np.testing.assert_allclose(first.values, there)


@pytest.mark.parametrize("name", but(OTHER_VARIABLES, OTHER_PRIORS, {"offsets of groups": WITH_OFFSETS}, OTHER_DIMS))
def test_log_prior_but_for_the_intercept(name):
    """Bambi takes the intercept of predictors as they are for that of centred ones, which its prior is of.

    PyMC's half-Student density is 2e-9 below SciPy's and ours.
    """
    there = recorded(name, "log prior")
    results = get_group(built_model(name).compute_log_prior(results_of(name), inplace=False), "log_prior")
    assert set(results.data_vars) == set(there["variables"])
    intercepts = {key for key in there["variables"] if key.endswith("Intercept")}
    centred = CASES[name]["case"].get("center_predictors", True)
    kept = {key: item for key, item in there["variables"].items() if not (centred and key in intercepts)}
    assert_group(results, {"variables": kept, "coords": there["coords"]}, rtol=1e-8)
    for key in intercepts:
        parameter = CASES[name]["parameters"][1][0] if key == "Intercept" else key.removesuffix("_Intercept")
        prior = CASES[name]["priors"][parameter]["Intercept"][1]
        reported = np.array(CASES[name]["fit"]["posterior"]["variables"][key]["values"])
        at_reported = -0.5 * ((reported - prior["mu"]) / prior["sigma"]) ** 2 - np.log(
            prior["sigma"] * np.sqrt(2 * np.pi)
        )
        np.testing.assert_allclose(there["variables"][key]["values"], at_reported, rtol=1e-10)


@pytest.mark.parametrize("name", but(OTHER_SHARES))
def test_r2_where_bambi_knows_the_mean(name):
    there = CASES[name]["r2"]
    if isinstance(there, dict):
        pytest.skip(f"Bambi gives nothing here: {there}")
    found = built_model(name).r2_score(results_of(name), summary=False)
    np.testing.assert_allclose(np.ravel(found), there, rtol=1e-10, atol=1e-30)


# --------------------------------------------------------------------------------------- families, links, small objects


@compares(MODEL, "link")
@compares(NAMES, "Link")
@pytest.mark.parametrize("name", RECORD["links"])
def test_links_of_families(name):
    family, link = name.split()
    there = RECORD["links"][name]
    model = nl.Model(f"{response_of(family)} ~ x", DATA, family=family, link=link)
    assert in_order(str(model), family) == in_order(there["text"], family)
    draws = {key: (("chain", "draw"), np.array(values)) for key, values in there["draws"].items()}
    posterior = xarray.Dataset(draws, coords={"chain": [0, 1], "draw": [0, 1]})
    results = build_container({"posterior": posterior})
    model.predict(results)
    model.compute_log_likelihood(results)
    parent = model.family.parent.name
    found = get_group(results, "posterior")[parent].values
    np.testing.assert_allclose(found, np.array(there[parent], dtype=float), rtol=1e-10)
    (likelihood,) = get_group(results, "log_likelihood").data_vars.values()
    expected = np.array(there["log_likelihood"], dtype=float)
    finite = np.isfinite(expected)
    np.testing.assert_allclose(likelihood.values[finite], expected[finite], rtol=DIGITS.get(family, 1e-9), atol=1e-10)
    assert not np.isfinite(likelihood.values[~finite]).any()


def response_of(family: str) -> str:
    """The left-hand side of the recorded model of a family."""
    return CASES[family]["case"]["formula"][0].split(" ~ ")[0]


@compares(METHODS, "family")
@compares(FAMILIES, *RECORD["families"])
@pytest.mark.parametrize("name", RECORD["families"])
def test_families(name):
    there, family = RECORD["families"][name], nl.Model(f"{response_of(name)} ~ x", DATA, family=name).family
    assert family.name == there["name"]
    assert family.likelihood.name == there["likelihood"]["name"]
    assert list(family.likelihood.params) == there["likelihood"]["params"]
    assert family.likelihood.parent == there["likelihood"]["parent"]
    assert {parameter: str(link) for parameter, link in family.link.items()} == there["link"]
    assert sorted(parameter.name for parameter in family.auxiliary) == there["auxiliary_parameters"]
    for parameter in family.auxiliary:
        name_and_arguments = there["default_priors"].get(parameter.name)
        if name_and_arguments is not None and not parameter.dim:  # of a vector it depends on the levels
            chosen, arguments = parameter.default_prior
            assert_priors(plain_prior(nl.Prior(chosen, **arguments)), name_and_arguments)


@compares(NAMES, "Formula")
def test_formula_object():
    there = RECORD["names"]["formula"]
    formula = nl.Formula(there["main"], *there["additionals"])
    assert formula.main == there["main"]
    for name in ("additionals", "additionals_lhs"):
        assert list(getattr(formula, name)) == there[name]
    assert list(formula.get_all_formulas()) == there["get_all_formulas"]


@compares(NAMES, "Link")
@pytest.mark.parametrize("name", RECORD["names"]["links"])
def test_link_object(name):
    values, there = np.array(RECORD["names"]["values"]), RECORD["names"]["links"][name]
    link = nl.Link(name)
    assert link.name == there["name"]
    np.testing.assert_allclose(link.link(values), there["link"], rtol=1e-12)
    np.testing.assert_allclose(link.linkinv(values), there["linkinv"], rtol=1e-12)


WRONG = {
    "inference_method": lambda: nl.Model("y ~ x", DATA).fit(inference_method="none"),
    "kind": lambda: built_model("one number").predict(results_of("one number"), kind="none"),
    "new groups": lambda: built_model("gaussian").predict(results_of("gaussian"), data=UNSEEN),
    "family": lambda: nl.Model("y ~ x", DATA, family="none"),
    "link": lambda: nl.Model("y ~ x", DATA, link="none"),
    "missing values": lambda: nl.Model("y ~ gap", DATA),
    "no response": lambda: nl.Model("x", DATA),
    "formula of no parameter": lambda: nl.Model(nl.Formula("y ~ x", "nu ~ x"), DATA),
    "set_alias": lambda: built_model("one number").set_alias("x"),
    "not built": lambda: nl.Model("y ~ x", DATA).plot_priors(),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_are_caught_as_those_of_bambi(name):
    assert RECORD["errors"][name] == "ValueError"
    with pytest.raises(ValueError, match=r"\S") as caught:
        WRONG[name]()
    assert isinstance(caught.value, nl.NutsliteError)


# ------------------------------------------------------------------------------------------------------------ the page


def rows_of(heading: str) -> dict[str, tuple[str, str]]:
    """Verdict and note of every row of a table of the page."""
    section = PAGE.split(f"### {heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    found = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*)\|$", section, re.MULTILINE)
    return {name: (verdict, note.strip()) for name, verdict, note in found}


@pytest.mark.parametrize("heading", [MODEL, FIT, METHODS, NAMES])
def test_every_row_called_the_same_is_compared(heading):
    rows = rows_of(heading)
    same = {name for name, (verdict, _) in rows.items() if verdict == "same"}
    assert same - {name for there, name in COMPARED if there == heading} == set()


@pytest.mark.parametrize("heading", [MODEL, FIT, METHODS, NAMES])
def test_what_differs_says_how(heading):
    assert [name for name, (verdict, note) in rows_of(heading).items() if verdict == "differs" and not note] == []


# Compared in test_quantile_regression.py and test_families_columns.py.
OTHERWISE = {"laplace", "asymmetriclaplace", "multinomial", "dirichlet_multinomial"}


def test_families_called_the_same_are_compared():
    (same,) = re.findall(r"^\| (`.*) \| same names", PAGE.split(f"## {FAMILIES}\n")[1], re.MULTILINE)
    compared = {name for heading, name in COMPARED if heading == FAMILIES}
    assert compared | OTHERWISE == set(re.findall(r"`(\w+)`", same))


SIGNATURES = {MODEL: ("Model", nl.Model), FIT: ("fit", nl.Model.fit)}


@pytest.mark.parametrize("heading", SIGNATURES)
def test_arguments_called_the_same_have_the_same_defaults(heading):
    there, ours = RECORD["names"]["signatures"][SIGNATURES[heading][0]], inspect.signature(SIGNATURES[heading][1])
    for name, (verdict, _) in rows_of(heading).items():
        if verdict == "same" and name in there and name in ours.parameters and there[name] != "required":
            assert ours.parameters[name].default == there[name], name
    assert {name for name, (verdict, _) in rows_of(heading).items() if verdict != "new"} >= there.keys()


@pytest.mark.parametrize(
    "name", ["predict", "prior_predictive", "compute_log_likelihood", "compute_log_prior", "r2_score"]
)
def test_methods_take_bambis_arguments(name):
    there, ours = RECORD["names"]["signatures"][name], inspect.signature(getattr(nl.Model, name)).parameters
    for argument, default in there.items():
        assert argument in ours
        if default != "required" and (name, argument) != ("predict", "sample_new_groups"):  # None there: deprecated
            assert ours[argument].default == default
