"""A model is one frozen record: what changes a model makes a new one; arguments are read in one place."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pandas as pd
import pytest
from small_models import assembled_of, grouped_data

import nutslite as nl
from nutslite.model.fits.fit_arguments import FitArguments
from nutslite.model.record.specification import ModelArguments, specification_of

WIDE = {"x": nl.Prior("Normal", mu=0, sigma=77)}
QUIET: dict[str, Any] = {"progressbar": False, "compute_convergence_checks": False, "chains": 2, "random_seed": 1}


def model(**options: Any) -> nl.Model:
    return nl.Model("y ~ x + (1|g)", grouped_data(), **options)


def parameters_of(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("record", "function", "apart"), [(FitArguments, nl.Model.fit, "self others"), (ModelArguments, nl.Model, "data")]
)
def test_a_record_has_the_arguments_of_the_call_in_its_order(record, function, apart):
    given = [name for name in parameters_of(function) if name not in apart.split()]
    assert [field.name for field in dataclasses.fields(record)] == given


def test_the_record_of_fit_has_its_defaults():
    parameters = parameters_of(nl.Model.fit)
    for field in dataclasses.fields(FitArguments):
        assert field.default == parameters[field.name].default, field.name


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (lambda: specification_of(model()), "aliases"),
        (lambda: specification_of(model()).arguments, "priors"),
        (lambda: specification_of(model()).posterior, "spec"),
        (lambda: specification_of(model()).spec, "priors"),
        (FitArguments, "draws"),
    ],
)
def test_records_are_frozen(record, name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record(), name, None)


def test_nothing_that_was_made_of_other_priors_is_left():
    changed, once = model(), model(priors=WIDE)
    changed.build()
    before = specification_of(changed)
    old = (changed.plan(), changed.backend, assembled_of(changed), before.identity())
    changed.set_priors(WIDE)
    assert not changed.built
    assert specification_of(changed).identity() == specification_of(once).identity()
    point = once.backend.model.initial_point()
    assert changed.backend.model.logp(point) == once.backend.model.logp(point) != old[1].model.logp(point)
    assert changed.plan().assembled is assembled_of(changed) is not old[2]
    with pytest.raises(nl.SamplingError, match="before its priors changed"):
        changed.fit(plan=old[0])
    assert before.identity() == old[3]  # what the model was is still there for whoever holds it


def test_other_names_leave_the_numbers_alone():
    named = model()
    plan, numbers = named.plan(), assembled_of(named)
    named.set_alias({"x": "slope"})
    assert named.built
    assert assembled_of(named) is numbers
    assert "slope" in named.fit(10, plan=plan, **QUIET).posterior


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.set_priors({"x": nl.Prior("Normal", mu=[0, 1], sigma=1)}),
        lambda m: m.set_priors({"1|g": WIDE["x"], "x": "no"}),
        lambda m: m.set_alias({"x": ""}),
    ],
)
def test_a_change_that_is_refused_changes_nothing(change):
    kept = model()
    before = specification_of(kept)
    with pytest.raises(nl.NutsliteError):
        change(kept)
    assert specification_of(kept) is before


@pytest.mark.parametrize(
    "wrong",
    [
        {"draws": -1},
        {"start": {"nothing": 1.0}},
        {"idata_kwargs": {"no": True}},
        {"nuts": {"no": 1}},
        {"omit_offsets": 2},
        {"plan": "no"},
        {"file": "no/such/folder/fit.nc"},
    ],
)
def test_priors_of_a_fit_whose_other_arguments_are_refused_do_not_stay(wrong):
    kept = model()
    before = specification_of(kept)
    with pytest.raises(nl.NutsliteError):
        kept.fit(priors=WIDE, **wrong)
    assert specification_of(kept) is before


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_apart(copied):
    first = model()
    first.build()
    second = copied(first)
    assert second.built
    words = repr(first)
    second.set_alias({"x": "slope"})
    second.set_priors(WIDE)
    assert repr(first) == words != repr(second)
    assert first.built
    assert not second.built


@pytest.mark.parametrize("later", [False, True])
def test_what_becomes_of_the_users_objects_changes_no_model(later, tmp_path):
    """A `Prior` may be updated, and a dict filled, for the next model."""
    prior, of_sigma = nl.Prior("Normal", mu=0, sigma=2), {"z": nl.Prior("Normal", mu=0, sigma=1)}
    priors, namespace, link = {"x": prior, "sigma": of_sigma}, {"twice": lambda x: 2 * x}, {"sigma": "log"}
    formula = nl.Formula("y ~ twice(x)", "sigma ~ z")
    priors["twice(x)"] = priors.pop("x")
    made = nl.Model(formula, grouped_data(), extra_namespace=namespace, link=link, priors=None if later else priors)
    if later:
        made.set_priors(priors)
    before, words = specification_of(made).identity(), repr(made)
    prior.update(sigma=50)
    of_sigma["z"].update(sigma=50)
    of_sigma["Intercept"] = priors["Intercept"] = nl.Prior("Normal", mu=0, sigma=50)
    namespace.clear()
    link.clear()
    made.set_priors({})
    assert specification_of(made).identity() == before
    assert repr(made) == words
    back = nl.Model.load(made.save(tmp_path / "a.model"), extra_namespace={"twice": lambda x: 2 * x})
    assert repr(back) == words


def test_a_generator_is_drawn_from_once():
    import numpy as np

    draws = [model().fit(10, **{**QUIET, "random_seed": np.random.default_rng(5)}).posterior["x"] for _ in range(2)]
    np.testing.assert_array_equal(*draws)


def test_update_makes_another_model():
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [0.0, 1.0, 2.0, 4.0], "z": [1.0, 0.0, 2.0, 0.0]})
    model = nl.Model(nl.Formula("y ~ x", "sigma ~ x"), data, priors={"x": nl.Prior("Normal", mu=1.0, sigma=2.0)})
    model.set_alias({"x": "slope"})
    other = model.update("~ . + z:.")
    assert other.formula.get_all_formulas() == ["y ~ x + z:(x)", "sigma ~ x"]
    assert specification_of(other).aliases == {"x": "slope"}
    assert specification_of(other).spec.priors.terms["mu"]["x"].args == {"mu": 1.0, "sigma": 2.0}
    assert model.update(nl.Formula("log(.) ~ .", "sigma ~ 1"), family="t").formula.main == "log(y) ~ x"
    assert model.update(data=data.head(3)).data.shape == (3, 3)
    assert model.formula.main == "y ~ x"
    quoted = nl.Model("`y~1` ~ x", data.rename(columns={"y": "y~1"}))
    assert quoted.update("~ . + z").formula.main == "`y~1` ~ x + z"
    with pytest.raises(nl.FormulaError, match="has no '~'"):
        model.update(". + z")
    with pytest.raises(nl.FormulaError, match="known by name"):
        model.update("~ . + np.abs(z).clip(0)")  # whose dot is none of an update
    with pytest.raises(nl.FormulaError, match="has a dot"):
        nl.Model("y ~ x", data).update(nl.Formula("~ .", "sigma ~ . + x"))


def test_bars_are_taken_away():
    """As in R; what a bar is does not depend on the order of its effects."""
    data = pd.DataFrame(
        {
            "y": [1.0, 2.0, 4.0, 3.0] * 3,
            "x": [0.0, 1.0, 2.0] * 4,
            "z": [1.0, 0.0, 2.0, 0.0] * 3,
            "g": list("aabbcc") * 2,
        }
    )
    model = nl.Model("y ~ x + (1|g) + (x + z||g)", data)
    assert [term.name for term in specification_of(model.update("~ . - (z + x||g)")).spec.design.group_terms] == ["1|g"]
    assert not specification_of(nl.Model("y ~ (1|g)", data).update("~ . - (1|g)")).spec.design.factors
