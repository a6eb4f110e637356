"""The sparse Cholesky factor: its order, its panels and columns, its reverse, and what is not positive definite."""

from __future__ import annotations

import numpy as np
import pytest

from nutslite.posterior.density.factor_algebra import (
    MEAN,
    MEMBERS,
    RIGHT,
    SLOPES,
    factorise,
    multiply_upper,
    pull_back,
    pull_back_factor,
    solve_lower,
    solve_upper,
)
from nutslite.posterior.density.panels import scratch_size
from nutslite.posterior.density.sparse_pattern import (
    FEWEST_LEVELS,
    LANES,
    NO_PANELS,
    Panels,
    columns_of_numbers,
    elimination,
    factor_pattern,
    leaves_of,
    work_of,
)


def nested(outer=3, middle=4, inner=3):
    """Levels within levels within levels, each joined to what it lies in."""
    edges, n = [], outer + outer * middle + outer * middle * inner
    for j in range(outer * middle):
        edges.append((outer + j, j // middle))
        for k in range(inner):
            node = outer + outer * middle + j * inner + k
            edges += [(node, outer + j), (node, j // middle)]
    return n, edges


def crossed(one=6, other=4):
    return one + other, [(i, one + j) for i in range(one) for j in range(other)]


def random_graph(n=18, share=0.15):
    rng = np.random.default_rng(4)
    return n, [(i, j) for i in range(n) for j in range(i) if rng.uniform() < share]


GRAPHS = {
    "nested": nested(),
    "crossed": crossed(),
    "random": random_graph(),
    "alone": (5, []),
    "nothing": (0, []),
    "nested, many": nested(6, 5, 4),
    "crossed, many": crossed(LANES + 9, 3),
    "alone, many": (2 * LANES, []),
}
ONE_BY_ONE = ("nested", "crossed", "random", "alone", "nothing")
SHAPES = {  # levels, effects of each, last
    "panels": (LANES + 6, 3, 2),
    "few panels": (5, 2, 0),
    "many effects": (3, 6, 4),
}
CASES = [*((name, last) for name in GRAPHS for last in (0, 3)), *((name, SHAPES[name][2]) for name in SHAPES)]


def neighbours(n, edges):
    out = [set() for _ in range(n)]
    for i, j in edges:
        out[i].add(j)
        out[j].add(i)
    return out


def pattern_of(name, last):
    """Nodes in order, pattern, and a positive definite matrix in this order with the entries of the graph."""
    rng = np.random.default_rng(0)
    if name in SHAPES:
        levels, own, _ = SHAPES[name]
        found = Panels(np.arange(levels * own).reshape(levels, own), np.empty((levels, 0), dtype=np.int64)), []
        n, edges = levels * own, [(k, i) for i in range(levels * own) for k in range(i) if i // own == k // own]
    else:
        n, edges = GRAPHS[name]
        found = leaves_of(elimination(neighbours(n, edges)))
    nodes, pattern = factor_pattern(*found, last)
    size = n + last
    matrix = np.zeros((size, size))
    for i, j in [*edges, *((row, column) for row in range(n, size) for column in range(row))]:
        matrix[i, j] = matrix[j, i] = rng.normal()
    matrix += np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(0.5, 1.5, size))
    return nodes, pattern, matrix[np.ix_(nodes, nodes)]


def numbers_of(pattern, matrix):
    """With room to compute in."""
    numbers = matrix[pattern.rows, columns_of_numbers(pattern)]
    return np.concatenate([numbers, np.full(scratch_size(pattern), np.nan)])


def dense(pattern, numbers, size):
    out = np.zeros((size, size))
    out[pattern.rows, columns_of_numbers(pattern)] = numbers[: pattern.rows.size]
    return out


@pytest.mark.parametrize(("name", "last"), CASES)
def test_the_factor_is_that_of_the_dense_matrix(name, last):
    nodes, pattern, matrix = pattern_of(name, last)
    n = len(nodes)
    assert sorted(nodes) == list(range(n))
    numbers = numbers_of(pattern, matrix)
    half = factorise(pattern, numbers)
    wanted = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(dense(pattern, numbers, n), wanted, rtol=1e-11, atol=1e-12)
    assert half == pytest.approx(np.log(np.diag(wanted)).sum(), rel=1e-12)
    x = np.random.default_rng(1).normal(size=n)
    lower, upper, product = x.copy(), x.copy(), np.full_like(x, np.nan)
    solve_lower(pattern, numbers, lower)
    solve_upper(pattern, numbers, upper)
    multiply_upper(pattern, numbers, x, product)
    np.testing.assert_allclose(wanted @ lower, x, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(wanted.T @ upper, x, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(product, wanted.T @ x, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("name", "last"), [case for case in CASES if case[0] not in ("alone", "nothing")])
def test_the_reverse_agrees_with_differences(name, last):
    """Derivatives of a sum of the factor's entries with random weights, entry by entry and along a direction."""
    _, pattern, matrix = pattern_of(name, last)
    rng = np.random.default_rng(2)
    entries = numbers_of(pattern, matrix)
    size = pattern.rows.size
    weights = rng.normal(size=size)

    def weighted(numbers):
        factor = numbers.copy()
        factorise(pattern, factor)
        return weights @ factor[:size]

    factor, adjoint = entries.copy(), weights.copy()
    factorise(pattern, factor)
    pull_back_factor(pattern, factor, adjoint)
    steps = [np.eye(1, entries.size, k)[0] for k in rng.choice(size, min(30, size), replace=False)]
    steps.append(np.append(rng.normal(size=size), np.zeros(entries.size - size)))
    for step in steps:
        slope = (weighted(entries + 1e-5 * step) - weighted(entries - 1e-5 * step)) / 2e-5
        assert adjoint @ step[:size] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize(("name", "last"), [case for case in CASES if case[0] != "nothing"])
def test_the_way_back_of_coordinates(name, last):
    """Of g(u) - log det L with u = L^-T (z + L^-1 b) to z, and to the matrix, by differences along a direction."""
    nodes, pattern, matrix = pattern_of(name, last)
    rng = np.random.default_rng(3)
    z, b, g = rng.normal(size=(3, len(nodes)))
    size = pattern.rows.size
    direction = np.append(rng.normal(size=size), np.zeros(scratch_size(pattern)))

    def forward(numbers, z):
        factor, mean = numbers.copy(), b.copy()
        half = factorise(pattern, factor)
        solve_lower(pattern, factor, mean)
        u = mean + z
        solve_upper(pattern, factor, u)
        return factor, mean, u, g @ u - half

    numbers = numbers_of(pattern, matrix)
    factor, mean, u, _ = forward(numbers, z)
    vectors, adjoint = np.full((4, len(nodes)), np.nan), np.full(size, np.nan)
    vectors[MEAN], vectors[MEMBERS], vectors[SLOPES] = mean, u, g
    pull_back(pattern, factor, vectors, adjoint)
    assert np.isfinite(vectors[RIGHT]).all()
    h = 1e-6
    slope = (forward(numbers + h * direction, z)[3] - forward(numbers - h * direction, z)[3]) / (2.0 * h)
    assert adjoint @ direction[:size] == pytest.approx(slope, rel=1e-5, abs=1e-7)
    along = rng.normal(size=len(nodes))
    slope = (forward(numbers, z + h * along)[3] - forward(numbers, z - h * along)[3]) / (2.0 * h)
    assert vectors[SLOPES] @ along == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_nested_factors_have_no_fill():
    n, edges = GRAPHS["nested"]
    order = elimination(neighbours(n, edges))
    assert sum(len(around) for _, around in order) == len(edges)


def test_of_crossed_factors_the_smaller_one_fills():
    order = elimination(neighbours(*crossed(30, 3)))
    assert {node for node, _ in order[:30]} == set(range(30))
    assert sum(len(around) for _, around in order) == 30 * 3 + 3


def test_innermost_levels_are_side_by_side_and_those_of_one_place_far_apart():
    outer, middle, inner = 6, 5, 4
    panels, rest = leaves_of(elimination(neighbours(*nested(outer, middle, inner))))
    assert sorted(panels.nodes.ravel()) == list(range(outer + outer * middle, outer * (1 + middle * (1 + inner))))
    assert len(rest) == outer * (1 + middle)
    first = panels.outside[:, 0]
    assert set(first) == set(range(outer, outer + outer * middle))
    for node in set(first):
        assert np.diff(np.flatnonzero(first == node)).min() >= outer * middle


def test_a_few_levels_are_columns():
    order = elimination(neighbours(FEWEST_LEVELS - 1, []))
    assert leaves_of(order) == (NO_PANELS, order)
    panels, rest = leaves_of(elimination(neighbours(FEWEST_LEVELS, [])))
    assert panels.nodes.shape == (FEWEST_LEVELS, 1)
    assert not rest


@pytest.mark.parametrize("name", GRAPHS)
def test_prices_are_counted_before_the_pattern_is_made(name):
    found = leaves_of(elimination(neighbours(*GRAPHS[name])))
    _, pattern = factor_pattern(*found, 2)
    work = work_of(*found, 2)
    assert work.side_numbers + work.numbers == pattern.rows.size
    assert work.updates == pattern.targets.size + pattern.scattered.size
    assert work.side_updates == pattern.levels * 3
    below = [len(around) + 2 for _, around in elimination(neighbours(*GRAPHS[name]))] + [1, 0]
    assert sum(count * (count + 1) // 2 for count in below) == work.side_updates + work.updates


def test_too_many_products_end_the_search():
    graph = crossed(20, 10)
    updates = sum(len(around) * (len(around) + 1) // 2 for _, around in elimination(neighbours(*graph)))
    assert elimination(neighbours(*graph), updates) is not None
    assert elimination(neighbours(*graph), updates - 1) is None


@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan, np.inf])
@pytest.mark.parametrize(("name", "last"), [("nested", 1), ("nested, many", 1), ("panels", 2)])
def test_a_matrix_that_is_not_positive_definite_has_no_factor(name, last, bad):
    nodes, pattern, matrix = pattern_of(name, last)
    for pivot in (0, len(nodes) // 2, len(nodes) - 1):
        spoilt = matrix.copy()
        spoilt[pivot, pivot] = bad
        assert factorise(pattern, numbers_of(pattern, spoilt)) == -np.inf
