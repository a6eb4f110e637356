"""Cross-products by our own kernel, and work in parts."""

from __future__ import annotations

import numpy as np
import pytest

from nutslite._parallel import run_in_parts
from nutslite.posterior.products import level_sums, products
from nutslite.posterior.products.level_sums import (
    MANY_COLUMNS,
    LevelDesign,
    dense_products,
    level_products,
    own_products,
    pair_products,
)
from nutslite.posterior.products.products import weighted_products


@pytest.mark.parametrize("n", [1, 511, 512, 1300, 30_001])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fewest", [0, products.FEWEST_PRODUCTS], ids=["compiled", "default"])
def test_products_are_those_of_matrices(monkeypatch, n, weighted, fewest):
    monkeypatch.setattr(products, "FEWEST_PRODUCTS", fewest)
    rng = np.random.default_rng(n)
    left, right = rng.normal(size=(3, n)), rng.normal(size=(5, n))
    weights = rng.uniform(0.5, 2.0, n) if weighted else None
    scaled = left if weights is None else left * weights
    tolerance = {"rtol": 1e-12, "atol": 1e-9}
    np.testing.assert_allclose(weighted_products(left, weights, right), scaled @ right.T, **tolerance)
    square = weighted_products(left, weights, left)
    np.testing.assert_allclose(square, scaled @ left.T, **tolerance)
    np.testing.assert_array_equal(square, square.T)


@pytest.mark.parametrize("fewest", [0, products.FEWEST_PRODUCTS], ids=["compiled", "default"])
def test_some_rows_of_a_larger_array(monkeypatch, fewest):
    monkeypatch.setattr(products, "FEWEST_PRODUCTS", fewest)
    whole = np.random.default_rng(2).normal(size=(4, 900))
    part = whole[:, 100:800]
    np.testing.assert_allclose(weighted_products(part, None, part[2:]), part @ part[2:].T, atol=1e-10)


@pytest.mark.parametrize(("n", "cores", "fewest"), [(0, 2, 1), (1, 4, 1), (10, 3, 1), (100, 4, 40), (7, 2, 32)])
def test_parts_make_up_the_whole(n, cores, fewest):
    seen = []
    run_in_parts(seen.append, n, cores, fewest)
    assert len(seen) <= cores
    assert sorted(i for part in seen for i in range(part.start, part.stop)) == list(range(n))
    assert len(seen) == 1 or min(part.stop - part.start for part in seen) >= fewest - 1


def test_an_error_in_a_part_is_raised():
    def fail(part):
        if part.start > 0:
            raise ValueError("in the second part")

    with pytest.raises(ValueError, match="second part"):
        run_in_parts(fail, 10, 2, 1)


@pytest.mark.parametrize("weighted", [True, False])
def test_wide_designs_of_one_level_are_matrices(weighted):
    """Columns of one level, as levels with a known covariance have them: the products of the columns written out."""
    rng = np.random.default_rng(3)
    n, width, stride = 60, MANY_COLUMNS + 5, MANY_COLUMNS + 9
    columns = {c: None if c == 7 else rng.normal(size=n) for c in range(2, width + 2)}
    few = {c: rng.normal(size=n) for c in (0, 4)}
    level, weights = np.zeros(n, dtype=np.int64), rng.uniform(0.5, 2.0, n) if weighted else None
    wide, narrow = LevelDesign(level, 1, stride, columns), LevelDesign(level, 1, 5, few)
    one, other = np.zeros((stride, n)), np.zeros((5, n))
    for design, out in ((columns, one), (few, other)):
        for c, z in design.items():
            out[c] = 1.0 if z is None else z
    scaled = one if weights is None else one * weights
    np.testing.assert_allclose(own_products(wide, weights)[0], scaled @ one.T, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(level_products(wide, narrow, weights)[0], scaled @ other.T, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(level_products(narrow, wide, weights)[0], other @ scaled.T, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_over_levels_some_rows_at_a_time_are_those_of_all_to_the_last_bit(monkeypatch, weighted):
    rng = np.random.default_rng(5)
    level, other = rng.integers(0, 7, 1_000).astype(np.int32), rng.integers(0, 3, 1_000).astype(np.int32)
    z, dense = rng.normal(size=1_000), rng.normal(size=(2, 1_000))
    weights = rng.uniform(0.5, 2.0, 1_000) if weighted else None
    one, two = LevelDesign(level, 7, 2, {0: None, 1: z}), LevelDesign(other, 3, 1, {0: None})
    w = np.ones(1_000) if weights is None else weights
    monkeypatch.setattr(level_sums, "ROWS_AT_ONCE", 64)
    np.testing.assert_array_equal(one.counts(), np.bincount(level))
    np.testing.assert_array_equal(one.sums(w)[1::2], np.bincount(level, z * w))
    np.testing.assert_array_equal(own_products(one, weights)[:, 1, 1], np.bincount(level, z * z * w))
    np.testing.assert_array_equal(dense_products(one, dense, weights)[1::2, 1], np.bincount(level, z * w * dense[1]))
    pairs = np.bincount(level * 3 + other, z * w, 21).reshape(7, 3)
    np.testing.assert_array_equal(pair_products(one, two, weights)[1::2], pairs)
