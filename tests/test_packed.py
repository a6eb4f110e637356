"""Many names and whole numbers in little memory: what they equal, and where the user's data serve."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.calibration.simulation import with_response
from nutslite.families.counts.poisson import LOG_FACTORIALS, loglik, prepare
from nutslite.families.links.codes import LOG
from nutslite.formula.columns.lent import copies_on_write
from nutslite.formula.columns.packed import MANY, Packed
from nutslite.formula.columns.whole import MANY as MANY_NUMBERS
from nutslite.formula.columns.whole import smallest

NUMBERS = tuple(range(-7, MANY))
TEXTS = tuple(f"é {number}\ud800" for number in range(MANY))


@pytest.mark.parametrize("items", [NUMBERS, NUMBERS[::-1], TEXTS])
def test_packed_items_are_those_of_a_tuple(items):
    packed = Packed.of(items)
    assert isinstance(packed, Packed)
    for each in (packed, pickle.loads(pickle.dumps(packed))):
        assert each == items
        assert list(each) == list(items)
        assert hash(each) == hash(items)
        assert (each[0], each[-1], each[3:9:2]) == (items[0], items[-1], items[3:9:2])
        assert each.index(items[20]) == 20
        assert each != items[:-1]
    with pytest.raises(IndexError):
        packed[len(items)]
    np.testing.assert_array_equal(np.asarray(packed), np.array(items))


def test_numbers_as_texts_are_their_names():
    texts = Packed.of(NUMBERS).texts()
    assert texts == tuple(map(str, NUMBERS))
    np.testing.assert_array_equal(np.asarray(texts), np.array(list(map(str, NUMBERS))))


@pytest.mark.parametrize("items", [NUMBERS[:50], (*NUMBERS, 2**63), (*NUMBERS, True), (*TEXTS, 1), (*NUMBERS, 0.5)])
def test_others_stay_a_tuple(items):
    assert Packed.of(items) is items


@pytest.mark.parametrize(
    ("largest", "kind"), [(1, "uint8"), (255, "uint8"), (256, "uint16"), (2**16, "uint32"), (2**32, "float64")]
)
def test_whole_numbers_are_held_in_the_smallest_type(largest, kind):
    values = np.zeros((1, MANY_NUMBERS))
    values[0, 5] = largest
    held = smallest(values)
    assert held.dtype == kind
    np.testing.assert_array_equal(held, values)


@pytest.mark.parametrize("other", [-1.0, 0.5, np.nan, np.inf, -0.0])
def test_other_numbers_stay_what_they_are(other):
    values = np.zeros((1, MANY_NUMBERS))
    values[0, 5] = other
    assert smallest(values) is values


@pytest.mark.skipif(not copies_on_write(), reason="this pandas does not copy on write")
@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_levels_are_read_where_the_data_have_them(kind):
    groups = 40_000
    level = np.random.default_rng(1).permutation(np.arange(2 * groups) % groups)
    names = [f"g{place}" for place in range(groups)]
    g = level if kind == "numbers" else pd.Categorical.from_codes(level, names)
    frame = pd.DataFrame({"y": np.random.default_rng(2).normal(size=level.size), "g": g})
    model = nl.Model("y ~ (1|g)", frame)
    factor = model._specification.spec.design.factors["g"]
    before = factor.index.copy()
    np.testing.assert_array_equal(before, level)
    theirs = frame["g"].to_numpy() if kind == "numbers" else frame["g"].array.codes
    assert np.shares_memory(vars(factor)["index"], theirs) == (kind == "numbers")
    frame.iloc[:7, 1] = frame["g"].iloc[9]
    np.testing.assert_array_equal(factor.index, before)
    if kind == "categories":  # in place, past pandas' copies
        frame["g"].array[:] = frame["g"].iloc[9]
        np.testing.assert_array_equal(factor.index, before)


def test_larger_counts_in_the_place_of_small_ones_get_their_log_factorials():
    frame = pd.DataFrame({"y": np.arange(MANY_NUMBERS) % 7})
    assembled = nl.Model("y ~ 1", frame, family="poisson")._specification.posterior.assembled
    assert with_response(assembled, np.full((MANY_NUMBERS, 1), 7.0)).data.y.shape == (1, MANY_NUMBERS)
    larger = with_response(assembled, np.full((MANY_NUMBERS, 1), 300.0)).data
    assert larger.y.shape == (2, MANY_NUMBERS)
    assert larger.segments[0, -1] == 2


def test_counts_without_log_factorials_have_the_same_density():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.normal(size=MANY_NUMBERS)})
    frame["y"] = rng.poisson(np.exp(1.0 + 0.3 * frame["x"]))
    data = nl.Model("y ~ x", frame, family="poisson")._specification.posterior.assembled.data
    assert data.y.shape == (1, MANY_NUMBERS)
    rows, eta = 300, rng.normal(size=(1, 300))
    found = []
    for y in (data.y, prepare(data.y)):
        values, slopes = np.empty(rows), np.empty((1, rows))
        loglik(y, np.empty(0), 7, eta, np.ones(1, np.int64), np.array([LOG]), values, slopes)
        found.append(np.vstack([values, slopes]))
    np.testing.assert_array_equal(*found)
    frame.loc[0, "y"] = LOG_FACTORIALS.size
    data = nl.Model("y ~ x", frame, family="poisson")._specification.posterior.assembled.data
    assert data.y.shape == (2, MANY_NUMBERS)
