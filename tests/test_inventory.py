"""Every name in results: in one list, each for one thing, known before anything is sampled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_models import assembled_of

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.model.record.specification import specification_of
from nutslite.posterior.record.inventory import stored_name
from nutslite.posterior.record.quantities import take_inventory
from nutslite.results.container.inference_data import get_group, group_names

N = 36
RNG = np.random.default_rng(5)
X, Z, Y = (RNG.normal(size=N) for _ in range(3))
G, S, U = np.tile(list("abc"), N // 3), np.repeat([f"s{i}" for i in range(6)], N // 6), np.tile(["u", "v"], N // 2)
SHORT = {"draws": 8, "chains": 2, "inference_method": "laplace", "progressbar": False, "random_seed": 1}


TWICE = nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=nl.Prior("HalfNormal", sigma=1)))


def frame(**columns):
    return pd.DataFrame({"y": Y, "x": X, "z": Z, "g": G, "s": S, "u": U, "k": RNG.poisson(3, N), **columns})


def table(model):
    """Dimensions of what is drawn."""
    inventory = take_inventory(specification_of(model).spec)
    return {q.name: q.dims for q in inventory.quantities if q.dims and not q.name.endswith("_offset")}


CLASHES = [
    # two group-specific terms, one called like the scale or the standardised effects of the other
    ("y ~ x + (1|s) + (1|s_sigma)", {"s_sigma": U}, {}, ("'1|s_sigma'", "sigma of the prior of '1|s'", "'s_sigma'")),
    ("y ~ x + (1|s_sigma) + (1|s)", {"s_sigma": U}, {}, ("'1|s_sigma'",)),
    ("y ~ x + (x|s) + (x|s_sigma)", {"s_sigma": U}, {}, ("'1|s_sigma'", "sigma of the prior of '1|s'")),
    ("y ~ x + (1|s) + (1|s_offset)", {"s_offset": U}, {}, ("'1|s_offset'", "standardised effects of '1|s'")),
    ("y ~ x + (1+x|s) + (x|s_corr)", {"s_corr": U}, {"correlated": True}, None),  # '1+x|s_corr' is no term
    # responses called like what the family draws, whatever the family
    ("sigma ~ x", {"sigma": Y}, {}, ("The response", "'sigma'", "parameter 'sigma' of the family", "Rename")),
    ("mu ~ x", {"mu": Y}, {}, ("The response", "'mu'")),
    ("Intercept ~ x", {"Intercept": Y}, {}, ("The response", "the intercept")),
    ("Intercept ~ 0 + x", {"Intercept": Y}, {}, None),
    ("nu ~ x", {"nu": Y}, {"family": "t"}, ("The response", "parameter 'nu'")),
    ("nu ~ x", {"nu": Y}, {}, None),  # a gaussian model has none
    ("alpha ~ x", {"alpha": np.exp(Y)}, {"family": "gamma"}, ("The response", "parameter 'alpha'")),
    ("kappa ~ x", {"kappa": 1 / (1 + np.exp(Y))}, {"family": "beta"}, ("The response", "parameter 'kappa'")),
    ("lam ~ x", {"lam": np.exp(Y)}, {"family": "wald"}, ("The response", "parameter 'lam'")),
    ("psi ~ x", {"psi": np.tile([0, 3, 1], N // 3)}, {"family": "zero_inflated_poisson"}, ("The response", "'psi'")),
    ("chain ~ x", {"chain": Y}, {}, ("The response", "dimension 'chain'")),
    ("x_dim ~ x", {"x_dim": Y}, {}, None),  # one numeric column has no dimension
    ("g_dim ~ g", {"g_dim": Y}, {}, ("The response", "the columns of 'g'")),
    ("s__factor_dim ~ (1|s)", {"s__factor_dim": Y}, {}, ("The response", "the levels of 's'")),
    # coefficients
    ("y ~ mu + x", {"mu": X}, {}, ("'mu'", "write I(mu)")),
    ("y ~ sigma", {"sigma": X}, {"priors": {"sigma": 1.0}}, ("'sigma'", "write I(sigma)")),
    ("y ~ __obs__", {"__obs__": X}, {}, ("'__obs__'", "dimension")),
    ("y ~ draw", {"draw": X}, {}, ("'draw'", "dimension")),
    ("y ~ g + g_dim", {"g_dim": X}, {}, ("'g_dim'", "the columns of 'g'")),
    ("y ~ g__expr + (0 + g|s)", {"g__expr": G}, {}, ("'g__expr_dim'", "'g'")),
    (("y ~ x + sigma_x", "sigma ~ x"), {"sigma_x": Z}, {}, ("'sigma_x'", "formula of sigma")),
    (("y ~ x + sigma_Intercept", "sigma ~ x"), {"sigma_Intercept": Z}, {}, ("'sigma_Intercept'", "intercept")),
    (("y ~ sigma_g", "sigma ~ g"), {"sigma_g": G}, {}, ("'sigma_g",)),
    ("y ~ `a/b` + `a\N{DIVISION SLASH}b`", {"a/b": X, "a\N{DIVISION SLASH}b": Z}, {}, ("kind of slash", "'a/b'")),
    ("y ~ `a/b` + a", {"a/b": X, "a": Z}, {}, None),
    # texts that no file takes
    ("y ~ `.`", {".": X}, {}, ("'.'", "no file")),
    ("y ~ `x\0`", {"x\0": X}, {}, ("zero", "\\x00")),
    ("y ~ x + (1|s)", {"s": [f"{item}\0" for item in S]}, {}, ("'s'", "zero character", "Replace")),
    ("y ~ g", {"g": [f"{item}\0x" for item in G]}, {}, ("'g'", "zero character")),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "columns", "settings", "words"), CLASHES, ids=lambda value: str(value)[:40])
def test_one_name_for_two_things_is_refused_by_the_model(formula, columns, settings, words):
    lines = formula if isinstance(formula, tuple) else (formula,)
    if words is None:
        nl.Model(nl.Formula(*lines), frame(**columns), **settings)
        return
    with pytest.raises(nl.NutsliteError) as caught:
        nl.Model(nl.Formula(*lines), frame(**columns), **settings)
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)


def test_half_a_character_is_refused():
    data = {name: frame()[name].to_numpy() for name in ("y", "x")}
    with pytest.raises(DataError, match="half of a"):
        nl.Model("y ~ x + (1|s)", {**data, "s": np.array([f"{item}\ud800" for item in S], dtype=object)})


def test_set_priors_may_not_make_a_clash():
    model = nl.Model("y ~ x + (1|s)", frame())
    model.set_alias({"x": "1|s_sigma_sigma"})
    before = model.priors
    with pytest.raises(DataError, match="would both be called"):
        model.set_priors({"1|s": TWICE})
    assert model.priors is before


def test_aliases_given_one_after_the_other_may_not_clash():
    model = nl.Model("y ~ x + z", frame())
    model.set_alias({"x": "slope"})
    for wrong, words in [({"z": "slope"}, "both"), ({"z": "draw"}, "dimension"), ({"z": "a\0"}, "no file")]:
        with pytest.raises(DataError, match=words):
            model.set_alias(wrong)
    model.set_alias({"z": "other"})
    assert specification_of(model).aliases == {"x": "slope", "z": "other"}


class TestDimensions:
    def test_those_of_further_formulas_carry_the_parameter_whatever_the_first_formula_has(self):
        """As Bambi 0.21 names them (run beside this)."""
        for main in ("y ~ x", "y ~ x + g", "y ~ 0 + g"):
            assert table(nl.Model(nl.Formula(main, "sigma ~ g"), frame()))["sigma_g"] == ("sigma_g_dim",)
        for main in ("y ~ x", "y ~ (g|s)", "y ~ (0+g|s)"):
            found = table(nl.Model(nl.Formula(main, "sigma ~ (g|s)"), frame()))
            assert found["sigma_g|s_sigma"] == ("sigma_g__expr_dim",)
            assert found["sigma_g|s"] == ("sigma_g__expr_dim", "s__factor_dim")
            assert found["sigma_1|s"] == ("s__factor_dim",)

    def test_one_expression_coded_in_two_ways_has_two(self):
        for formula, widths in [("y ~ (g|s) + (0 + g|u)", (2, 3)), ("y ~ (0 + g|s) + (g|u)", (3, 2))]:
            model = nl.Model(formula, frame())
            found = table(model)
            assert found["g|s"] == ("g__expr_dim", "s__factor_dim")
            assert found["g|u"] == ("g|u__expr_dim", "u__factor_dim")
            posterior = get_group(model.fit(**SHORT), "posterior")
            assert (posterior.sizes["g__expr_dim"], posterior.sizes["g|u__expr_dim"]) == widths

    def test_one_expression_coded_in_one_way_has_one(self):
        found = table(nl.Model("y ~ (g|s) + (g|u)", frame()))
        assert found["g|s_sigma"] == found["g|u_sigma"] == ("g__expr_dim",)


MODELS = [
    ("y ~ x + g + (g|s)", {"correlated": True}),
    ("y ~ x + (0 + g|s) + (g|u)", {}),
    (nl.Formula("y ~ x + (x|s)", "sigma ~ g + (1|u)"), {}),
    ("k ~ bs(x, df=4) + (1|s:u)", {"family": "poisson"}),
    (nl.Formula("y ~ `a/b` * g", "sigma ~ `a/b`", "nu ~ 1"), {"family": "t"}),
    ("y ~ 0 + x + (1|s)", {"priors": {"1|s": TWICE}}),
    ("y ~ x + (1|s)", {"noncentered": False, "priors": {"sigma": 1.0}}),
]


@pytest.mark.parametrize(("formula", "settings"), MODELS, ids=[str(formula) for formula, _ in MODELS])
def test_the_list_is_what_results_hold(formula, settings):
    """Every variable of every group is in the list with these dimensions, and everything in the list is there."""
    model = nl.Model(formula, frame(**{"a/b": Z}), **settings)
    results = model.fit(
        omit_offsets=False,
        include_response_params=True,
        idata_kwargs={"log_likelihood": True, "log_prior": True},
        compute_convergence_checks=False,
        **{**SHORT, "inference_method": "nuts", "tune": 10},
    )
    model.predict(results, kind="response", random_seed=1)
    inventory = assembled_of(model).inventory
    listed = {stored_name(name): {stored_name(dim) for dim in dims} for name, dims in inventory.dims.items()}
    seen = set()
    for group in group_names(results):
        if group == "sample_stats":
            continue
        dataset = get_group(results, group)
        for name, variable in dataset.data_vars.items():
            assert name in listed, (group, name)
            own = {str(dim) for dim in variable.dims} - {"chain", "draw"}
            assert own == listed[str(name)] or group == "log_prior", (group, name)
            seen.add(name)
        for dim in set(dataset.dims) - {"chain", "draw", "__obs__"}:
            labels = {stored_name(name): values for name, values in inventory.coords.items()}
            assert dataset[dim].to_numpy().tolist() == labels[str(dim)]
    assert seen == set(listed)
