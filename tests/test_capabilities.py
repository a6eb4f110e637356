"""A piece of a model that declares nothing gets no fast way, and the plan says so; what is declared is still right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite._capabilities import CODES, CONCAVE, EVERYTHING, FEW_ROWS, INTEGRATES, MATRIX, MERGES, PILOT, Declaration
from nutslite.families.record.family import Family
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.posterior.record import declarations
from nutslite.posterior.targets import plan as plans

SILENT = Declaration("something new has a part in it", frozenset())


def many_rows(n: int = 600) -> pd.DataFrame:
    """Equal rows, and columns with few distinct rows."""
    rng = np.random.default_rng(1)
    f, k = rng.choice(list("abcdefgh"), n), rng.choice(list("uvw"), n)
    return pd.DataFrame({"f": f, "k": k, "b": rng.integers(0, 2, n), "y": rng.normal(size=n)})


def few_rows() -> pd.DataFrame:
    return pd.DataFrame({"y": [0.3, 1.2, 0.7, 2.0], "c": [1, 0, 3, 2], "x": [0.0, 1.0, 2.0, 3.0]})


def said(model: nl.Model) -> str:
    return " ".join(str(model.plan()).split())


# By capability: a model that the fast way serves, and what the plan says of it.
SERVED: dict[str, tuple[Any, str, str]] = {
    INTEGRATES: (lambda: nl.Model("y ~ k", many_rows()), "cross-products", "not integrated out: {}"),
    MERGES: (lambda: nl.Model("b ~ f", many_rows(), family="bernoulli"), "different ones", "not merged: {}"),
    CODES: (lambda: nl.Model("b ~ f + y", many_rows(), family="bernoulli"), "are read by code", "is read by code: {}"),
    PILOT: (lambda: nl.Model("c ~ x", few_rows(), family="poisson"), "A pilot finds", "No pilot ({})"),
    FEW_ROWS: (lambda: nl.Model("c ~ x", few_rows(), family="poisson"), "Few rows: where", "made for them: {}"),
    CONCAVE: (
        lambda: nl.Model("b ~ y + (1|f)", many_rows(), family="bernoulli"),
        "is drawn by itself",
        "not drawn level by level: {}",
    ),
}


@pytest.mark.parametrize("capability", SERVED)
def test_a_piece_that_declares_nothing_is_refused(capability: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, fast, refusal = SERVED[capability]
    assert fast in said(make())
    everything_else = SILENT._replace(allows=EVERYTHING - {capability})
    monkeypatch.setattr(plans, "declarations_of", lambda spec: [*declarations.declarations_of(spec), everything_else])
    text = said(make())
    assert fast not in text
    assert refusal.format(SILENT.piece) in text


def test_nothing_is_fast_with_a_silent_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "declarations_of", lambda spec: [SILENT])
    for make, _, _ in SERVED.values():
        plan = make().plan()
        assert plan.path == "joint"
        assert not plan.pilot
        assert plan.merged is None
        assert not plan.is_small
        assert not plan.by_levels
        assert not plan.assembled.data.codes.blocks.size


def test_every_capability_is_tried_here() -> None:
    assert set(SERVED) | {MATRIX} == EVERYTHING  # test_posterior_matrix.py has the last


def silent_gaussian() -> Family:
    return replace(get_family("gaussian"), name="quiet", allows=frozenset())


def test_a_family_that_declares_nothing_has_the_same_posterior() -> None:
    """Slow, but right: no default of the record lets a fast way serve it."""
    data = many_rows(60)
    quiet, gaussian = (nl.Model("y ~ k", data, family=family) for family in (silent_gaussian(), "gaussian"))
    text = said(quiet)
    assert "the family is quiet" in text
    assert "No pilot (the family is quiet)" in text
    slow, fast = (model.fit(draws=1000, chains=2, random_seed=1, progressbar=False) for model in (quiet, gaussian))
    for name in ("Intercept", "sigma"):
        one, other = (nl.summary(results, var_names=[name])["mean"].to_numpy() for results in (slow, fast))
        np.testing.assert_allclose(one, other, atol=0.05)


def test_records_declare_nothing_by_default() -> None:
    gaussian = get_family("gaussian")
    made = Family("bare", parameters=gaussian.parameters, kernel=gaussian.kernel, prepare=gaussian.prepare)
    assert made.allows == frozenset()
    assert [name for name in family_names() if INTEGRATES in get_family(name).allows] == ["gaussian"]


def test_declarations_of_pieces() -> None:
    data = many_rows(60).assign(g=np.repeat(list("abcdef"), 10), x=np.linspace(-1, 1, 60))
    model = nl.Model("y ~ x + (x|g)", data, correlated=True, potentials=[("sigma", lambda sigma: -sigma)])
    pieces = [item.piece for item in declarations.declarations_of(model.plan().assembled.spec)]
    assert pieces[:2] == ["the family is gaussian", "effects are correlated"]
    assert "potentials" in pieces[2]
