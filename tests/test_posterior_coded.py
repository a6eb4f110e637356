"""Common columns read by code: the same density, gradient, information and posterior as from dense columns."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import assembled_of

from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.posterior.assembly.code_search import find_code_sets, pays
from nutslite.posterior.assembly.coded_columns import common_columns, without_codes
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.pilot.information import InformationBuilder
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.model_data import reference_to
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior
from nutslite.results.diagnostics.summary import summary


def factors(n: int = 900, seed: int = 4) -> pd.DataFrame:
    """Factors of 12, 10 and 3 levels, one grouping factor with many rows a level, one with few, responses."""
    rng = np.random.default_rng(seed)
    s, o, t = rng.integers(0, 12, n), rng.integers(0, 10, n), rng.integers(0, 3, n)
    g, h = rng.integers(0, 20, n), rng.integers(0, n // 3, n)
    x, w = rng.normal(size=n), rng.integers(1, 4, n).astype(float)
    eta = 0.2 * rng.normal(size=12)[s] + 0.3 * x + 0.05 * o + 0.4 * rng.normal(size=20)[g]
    return pd.DataFrame(
        {
            "s": np.char.add("s", np.char.zfill(s.astype(str), 2)),
            "o": o,
            "t": np.array(["u", "v", "w"])[t],
            "g": np.char.add("g", g.astype(str)),
            "h": np.char.add("h", h.astype(str)),
            "age": rng.integers(18, 60, n),
            "x": x,
            "w": w,
            "off": rng.normal(0.0, 0.2, n),
            "y": eta + 0.5 * rng.normal(size=n),
            "k": rng.poisson(np.exp(eta)),
            "b": (rng.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(int),
        }
    )


MODELS = {
    "treatment": {"formula": "k ~ s + x"},
    "sum": {"formula": "k ~ C(s, Sum) + x"},
    "polynomial": {"formula": "k ~ C(o, Poly) + x"},
    "spline of a rounded number": {"formula": "k ~ bs(age, df=8) + x"},
    "interaction": {"formula": "k ~ s*t + x"},
    "no intercept": {"formula": "k ~ 0 + s + x"},
    "raw intercept": {"formula": "k ~ s + x", "center_predictors": False},
    "nothing but coded": {"formula": "k ~ s"},
    "coded between dense": {"formula": "k ~ x + s + x:t + C(o)"},
    "two sets": {"formula": "k ~ s:t + C(age)"},
    "offset and weights": {"formula": "weighted(k, w) ~ s + offset(off)"},
    "both predictors": {"formula": Formula("y ~ s + x", "sigma ~ s + t"), "family": "gaussian"},
    "another predictor's": {"formula": Formula("y ~ x", "sigma ~ s"), "family": "gaussian"},
    "groups that are sorted by": {"formula": "k ~ s + x + (x|g)"},
    "groups that are not": {"formula": "k ~ s + x + (1|h)"},
    "positive coefficients": {"formula": "k ~ s + x", "priors": {"s": Prior("HalfNormal", sigma=1)}},
}


def built(name: str, data: pd.DataFrame | None = None) -> tuple[Assembled, Assembled]:
    """A model with codes, and with dense columns only."""
    model = Model(data=factors() if data is None else data, **{"family": "poisson", **MODELS[name]})
    coded = assembled_of(model)
    assert coded.data.codes.blocks.shape[0] >= 1  # or these tests would test nothing
    return coded, replace(coded, data=without_codes(coded.data))


def positions(assembled: Assembled, count: int = 3) -> np.ndarray:
    return np.random.default_rng(8).normal(0.0, 0.3, (count, assembled.layout.dimension))


@pytest.mark.parametrize("name", MODELS)
def test_the_same_density_and_gradient_as_dense_columns(name):
    coded, dense = built(name)
    assert dense.data.codes.blocks.shape[0] == 0
    assert dense.data.matrix.shape[0] > coded.data.matrix.shape[0]
    found = []
    for assembled in (dense, coded):
        target = JointTarget(assembled)
        found.append(values_and_gradients(target.logdensity, target.data, target.data_type, positions(coded)))
        np.testing.assert_allclose(target.log_densities(positions(coded), 2), found[-1][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("name", ["treatment", "two sets", "both predictors", "groups that are sorted by"])
def test_rows_in_any_order_are_the_same_density(name):
    assembled, _ = built(name)
    target = JointTarget(assembled)
    assert target.model.sorted_factor >= 0
    found = []
    for model in (target.model, assembled.data):
        data = (reference_to(model), *target.data[1:])
        found.append(values_and_gradients(target.logdensity, data, target.data_type, positions(assembled)))
    assert assembled.data.sorted_factor == -1
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-12)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-10, atol=1e-9)


def test_what_rows_are_sorted_by():
    by_code, by_group, not_by_group = (
        JointTarget(built(name)[0]).model for name in ("treatment", "groups that are sorted by", "groups that are not")
    )
    assert by_code.sorted_factor == by_code.codes.blocks[0, md.FACTOR]
    assert by_group.sorted_factor == by_group.blocks[0, md.FACTOR]
    assert not_by_group.sorted_factor == not_by_group.codes.blocks[0, md.FACTOR]


@pytest.mark.parametrize("name", MODELS)
def test_the_same_information(name):
    coded, dense = built(name)
    position = positions(coded)[0]
    found = []
    for assembled in (dense, coded):
        target = JointTarget(assembled)
        information = InformationBuilder(assembled.data, target.density, target.loglik)(position)
        assert information is not None
        found.append(information)
    for field in (
        "border",
        "coupling",
        "blocks",
    ):
        one, other = (getattr(information, field) for information in found)
        np.testing.assert_allclose(other, one, rtol=1e-7, atol=1e-6 * np.abs(found[0].border).max())


def test_sets_of_too_many_pairs_to_count_have_the_same_information(monkeypatch):
    coded, dense = built("two sets")
    target = JointTarget(coded)
    before = InformationBuilder(dense.data, target.density, target.loglik)(positions(coded)[0])
    monkeypatch.setattr("nutslite.posterior.products.head_design.MOST_PAIRS", 0)
    after = InformationBuilder(coded.data, target.density, target.loglik)(positions(coded)[0])
    assert coded.data.codes.blocks.shape[0] == 2
    np.testing.assert_allclose(after.border, before.border, rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("formula", ["y ~ s + x", "weighted(y, w) ~ 0 + s*t + offset(off) + (x|g)"])
def test_the_same_cross_products(formula):
    coded = assembled_of(Model(formula, factors()))
    assert coded.data.codes.blocks.shape[0] == 1
    one, other = (reduce_gaussian(assembled) for assembled in (coded, replace(coded, data=without_codes(coded.data))))
    for field in ("cross", "precision", "class_cross"):
        np.testing.assert_array_equal(getattr(one.data, field), getattr(other.data, field))
    np.testing.assert_array_equal(one.rest_targets, other.rest_targets)


@pytest.mark.parametrize("name", MODELS)
def test_columns_written_out_are_those_of_the_design(name):
    coded, _ = built(name)
    for j, parameter in enumerate(coded.spec.family.parameters):
        predictor = coded.spec.design.predictors.get(parameter.name)
        if predictor is not None:
            matrix = predictor.matrix
            expected = matrix - (matrix.mean(axis=1, keepdims=True) if predictor.intercept else 0.0)
            np.testing.assert_allclose(common_columns(coded.data, j), expected, atol=1e-14)
            some = slice(10, 40)
            np.testing.assert_array_equal(common_columns(coded.data, j, some), common_columns(coded.data, j)[:, some])


def test_no_dense_columns_are_kept():
    coded, dense = built("interaction")
    assert coded.data.matrix.shape[0] == 1  # x
    sizes = [sum(array.nbytes for array in (a.data.matrix, a.data.levels, a.data.codes.tables)) for a in (coded, dense)]
    assert sizes[0] < 0.15 * sizes[1]


def test_predictors_share_a_code():
    coded, _ = built("both predictors")
    data = factors().assign(t="u")
    assert coded.data.codes.blocks.shape[0] == 2
    same = assembled_of(Model(Formula("y ~ s + x", "sigma ~ s"), data)).data
    assert same.levels.shape[0] == 1
    assert same.codes.blocks[:, md.FACTOR].tolist() == [0, 0]


def test_the_plan_says_so_and_can_be_told_not_to():
    model = Model("k ~ s*t + x", factors(), family="poisson")
    assert "35 columns are read by code, as 36 different rows: 11 of s, 2 of t, 22 of s:t." in str(model.plan())
    without = model.plan(code=False)
    assert "by code" not in str(without)
    assert without.assembled.data.matrix.shape[0] == 36
    tables = [
        summary(model.fit(draws=1500, random_seed=1, progressbar=False, plan=plan), round_to="none")
        for plan in (model.plan(), without)
    ]
    z = (tables[0]["mean"] - tables[1]["mean"]) / np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])
    assert z.abs().max() < 4.5
    np.testing.assert_allclose(tables[0]["sd"], tables[1]["sd"], rtol=0.15)


def test_a_posterior_with_groups_is_the_same():
    model = Model("k ~ s + x + (1|g)", factors(), family="poisson")
    tables = [
        summary(model.fit(draws=1500, random_seed=2, progressbar=False, plan=model.plan(code=code)), round_to="none")
        for code in (True, False)
    ]
    z = (tables[0]["mean"] - tables[1]["mean"]) / np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])
    assert z.abs().max() < 4.5


def test_potentials_see_the_same_density():
    def squared(coefficients):
        return -0.5 * np.sum(coefficients**2)

    model = Model("k ~ s + x", factors(), family="poisson", potentials=[("s", squared)])
    found = []
    for code in (True, False):
        target = model.plan(code=code).target()
        values, gradients = values_and_gradients(
            target.logdensity, target.data, target.data_type, positions(assembled_of(model))
        )
        found.append((values, gradients))
    assert assembled_of(model).data.codes.blocks.shape[0] == 1
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-10, atol=1e-9)


def test_merged_rows_keep_only_the_sets_that_pay(monkeypatch):
    monkeypatch.setattr(
        "nutslite.posterior.assembly.coded_columns.pays", lambda n, p, columns, distinct, by_runs: n > 10 * distinct
    )
    data = factors(6000)
    model = Model("b ~ s + (1|t)", data, family="bernoulli")
    whole = assembled_of(model).data
    assert whole.codes.blocks.shape[0] == 1
    merged = merge_equal_rows(whole)
    assert merged is not None
    assert merged.y.shape[1] == 72
    assert merged.codes.blocks.shape[0] == 0
    assert merged.matrix.shape == (11, 72)
    target = model.plan().target()
    dense = model.plan(merge=False, code=False).target()
    one, other = (
        values_and_gradients(each.logdensity, each.data, each.data_type, positions(assembled_of(model)))
        for each in (target, dense)
    )
    np.testing.assert_allclose(one[0], other[0], rtol=1e-11)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-9, atol=1e-9)


def test_columns_of_many_values_are_left_alone():
    rng = np.random.default_rng(3)
    n = 10_000
    matrix = np.stack([rng.normal(size=n) for _ in range(12)])
    assert find_code_sets(matrix, [(0, 12)], True) == []
    rounded = np.floor(matrix * 10.0)  # each of few values, all together of as many as there are rows
    assert find_code_sets(rounded, [(0, 12)], True) == []
    assert find_code_sets(matrix[:, :7], [(0, 12)], True) == []


def test_one_zero_and_the_other_are_one_value():
    matrix = np.zeros((9, 4000))
    matrix[:, ::2] = -0.0
    matrix[:, 1::4] = 1.0
    (found,) = find_code_sets(matrix, [(0, 9)], False)
    assert found.first.size == 2


@given(
    levels=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    columns=st.integers(1, 12),
    rows=st.sampled_from([1, 40, 500, 5000]),
    seed=st.integers(0, 2**32 - 1),
    sortable=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_sets_are_columns_by_code(levels, columns, rows, seed, sortable):
    rng = np.random.default_rng(seed)
    terms = [rng.normal(size=(columns, count))[:, rng.integers(0, count, rows)] for count in levels]
    terms.insert(1, rng.normal(size=(2, rows)))
    matrix = np.ascontiguousarray(np.concatenate(terms))
    edges = np.cumsum([0, *(term.shape[0] for term in terms)]).tolist()
    found = find_code_sets(matrix, list(itertools.pairwise(edges)), sortable)
    used = [int(column) for one in found for column in one.columns]
    assert len(used) == len(set(used))
    for one in found:
        assert pays(rows, matrix.shape[0], one.columns.size, one.first.size, sortable)
        table = matrix[one.columns[:, None], one.first]
        np.testing.assert_array_equal(table[:, one.code], matrix[one.columns])
        assert np.unique(table, axis=1).shape[1] == one.first.size
        assert not {edges[1], edges[1] + 1} & set(one.columns.tolist()) or rows <= 8
