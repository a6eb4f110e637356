"""Kinds of terms: what is registered, new rows, and a new kind that is one record, slow and right until it declares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_models import assembled_of

import nutslite as nl
from nutslite._capabilities import CODES, INTEGRATES, MERGES, PILOT
from nutslite.formula.design import build_design
from nutslite.formula.evaluation import functions
from nutslite.formula.evaluation.signatures import SIGNATURES, read_signature
from nutslite.formula.terms.kinds import Basis, Call, TermKind, TermQuantity
from nutslite.formula.terms.register import KINDS
from nutslite.posterior.assembly.basis_columns import SCALES

CALLS = {
    "s": ["s(x, k=5)", "s(x, bs='tp', k=5)", "s(x, bs='ps', k=5, by=k)", "s(x, z, k=9)", "s(x, k=5, by=g)"],
    "t2": ["t2(x, z, k=4)", "t2(x, z, bs=['cc', 'ps'], k=[4, 5])"],
    "hsgp": [
        "hsgp(x, m=5, c=1.5)",
        "hsgp(x, z, m=[3, 2], c=2, by=g)",
        "hsgp(x, by=k, share_cov=False)",
        "hsgp(x, cov='Periodic', period=2)",
    ],
    "gp": ["gp(x)", "gp(x, z, iso=False, cov='Matern32')"],
    "mo": ["mo(k)", "mo(k):z", "mo(k)*g"],
}
"""By kind, calls with its arguments."""


def frame(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = rng.uniform(0.0, 4.0, n)
    data = pd.DataFrame({"x": x, "k": np.arange(n) % 4, "y": np.sin(x) + rng.normal(0.0, 0.3, n)})
    return data.assign(z=rng.normal(size=n), g=[f"g{i % 3}" for i in range(n)])


def test_every_kind_has_a_signature_and_a_rule_for_its_scales() -> None:
    assert KINDS.keys() == functions.TERMS.keys() == CALLS.keys()
    assert set(KINDS) <= set(SIGNATURES) & set(functions.supported_names())
    assert {kind.scales for kind in KINDS.values() if kind.weigh is None and kind.extend is None} <= SCALES.keys()


@pytest.mark.parametrize("call", [call for calls in CALLS.values() for call in calls])
def test_rows_of_the_data_as_new_rows_are_the_same_columns(call: str) -> None:
    data = frame()
    design = build_design(f"y ~ {call}", data)
    some = design.evaluate(data.iloc[[5, 0, 17]])
    for one, other in ((design, some),):
        before, after = one.predictors["mu"], other.predictors["mu"]
        np.testing.assert_allclose(after.matrix, before.matrix[:, [5, 0, 17]], atol=1e-12)
        for own, new in zip(before.basis_terms, after.basis_terms, strict=True):
            np.testing.assert_allclose(new.matrix, own.matrix[:, [5, 0, 17]], atol=1e-12)


def _learn(call: Call) -> tuple[float, float]:
    x = call.numbers("x")
    return float(x.mean()), float(x.std())


def _apply(memory: tuple[float, float], call: Call) -> Basis:
    z = (call.numbers("x") - memory[0]) / memory[1]
    return Basis(np.empty((0, z.size)), np.array([z, z ** call.arguments["power"] - 1.0]))


def _quantities(_: object) -> tuple[TermQuantity, ...]:
    return (TermQuantity("weights", "weights", ("0", "1")), TermQuantity("sd", "hyperparameter"))


BEND = TermKind(("bend",), "is something new", _learn, _apply, _quantities)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What the two lines do."""
    signature = "x, power=2, how='plain'"
    monkeypatch.setitem(functions.TERMS, "bend", signature)
    monkeypatch.setitem(SIGNATURES, "bend", read_signature(signature))
    monkeypatch.setitem(KINDS, "bend", BEND)
    return monkeypatch


def test_a_new_kind_is_slow_until_it_declares(registered: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = nl.Model("y ~ bend(x)", frame(), priors={"bend(x)": {"sd": nl.Prior("Exponential", lam=1)}})
    text = " ".join(str(model.plan()).split())
    for refusal in ("not integrated out: 'bend(x)' is something new", "No pilot ('bend(x)' is something new)"):
        assert refusal in text
    results = model.fit(draws=300, chains=2, random_seed=1, progressbar=False)
    assert set(results.posterior.data_vars) == {"Intercept", "sigma", "bend(x)_sd", "bend(x)_weights"}
    new = pd.DataFrame({"x": [1.0, 9.0]})
    mu = np.asarray(model.predict(results, data=new, inplace=False).predictions["mu"])
    assert mu.shape[-1] == 2
    model.save(tmp_path / "model")
    assert str(nl.Model.load(tmp_path / "model")) == str(model)
    registered.setitem(KINDS, "bend", replace(BEND, allows=frozenset({INTEGRATES, PILOT, MERGES, CODES})))
    fast = nl.Model("y ~ bend(x)", frame(), priors={"bend(x)": {"sd": nl.Prior("Exponential", lam=1)}})
    assert "The 2 weights are integrated out together." in " ".join(str(fast.plan()).split())
    exact = fast.fit(draws=1000, chains=2, random_seed=2, progressbar=False)
    one, other = nl.summary(exact), nl.summary(results)
    error = np.hypot(one["sd"] / np.sqrt(one["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
    assert (np.abs(one["mean"] - other["mean"]) < 5.0 * error + 0.01).all()


def _apply_line_and_hinge(knot: float, call: Call) -> Basis:
    x = call.numbers("x")
    return Basis(np.array([x, np.maximum(x - knot, 0.0)]), np.empty((0, x.size)))


HINGE = TermKind(
    ("bend",),
    "is a bent line",
    lambda call: float(call.arguments["power"]),
    _apply_line_and_hinge,
    lambda _: (TermQuantity("slope", "coefficients"), TermQuantity("bend", "coefficients", ("2",))),
)


def test_a_kind_of_coefficients_alone_is_common_terms(registered: pytest.MonkeyPatch) -> None:
    """To the last digit: priors by name, draws, predictions."""
    registered.setitem(KINDS, "bend", replace(HINGE, allows=frozenset({INTEGRATES, PILOT, MERGES, CODES})))
    own, data = nl.Prior("Normal", mu=0, sigma=2), frame()
    data["hinge"] = np.maximum(data["x"] - 2.0, 0.0)
    model = nl.Model("y ~ bend(x)", data, priors={"bend(x)": {"bend": own}})
    plain = nl.Model("y ~ x + hinge", data, priors={"hinge": own})
    results, other = (one.fit(draws=100, chains=1, random_seed=1, progressbar=False) for one in (model, plain))
    new = pd.DataFrame({"x": [1.0, 3.5], "hinge": [0.0, 1.5]})
    for one, draws in ((model, results), (plain, other)):
        one.predict(draws, data=new)
    assert results.posterior["bend(x)_bend"].dims == ("chain", "draw", "bend(x)_bend_dim")
    np.testing.assert_array_equal(results.posterior["bend(x)_slope"], other.posterior["x"])
    np.testing.assert_array_equal(results.posterior["bend(x)_bend"][..., 0], other.posterior["hinge"])
    np.testing.assert_allclose(results.predictions["mu"], other.predictions["mu"], atol=1e-12)


def test_a_kind_whose_labels_are_not_of_its_columns_is_refused(registered: pytest.MonkeyPatch) -> None:
    registered.setitem(KINDS, "bend", replace(HINGE, quantities=lambda _: (TermQuantity("slope", "coefficients"),)))
    with pytest.raises(AssertionError, match="2 common columns and 0 with weights, and its quantities are about 1 and"):
        build_design("y ~ bend(x)", frame())


def test_weights_come_before_groups_which_are_eliminated() -> None:
    """However few the groups are: rows are sorted by them, and the weights are a part of the rest."""
    data = frame().assign(g=lambda some: np.where(some["k"] > 1, "a", "b"))
    assembled = assembled_of(nl.Model("y ~ s(x, k=9) + (1|g)", data))
    starts = {variable.name: int(np.min(variable.index)) for variable in assembled.layout.variables[-2:]}
    assert starts["s(x, k=9)_weights"] == 0
    assert starts["1|g"] == 7
    text = " ".join(str(nl.Model("y ~ s(x, k=9) + (1|g)", data).plan()).split())
    assert "The 2 effects of the largest grouping factor" in text
