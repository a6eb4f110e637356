"""The sparse Cholesky factor: its order, its numbers, its reverse, and what is not positive definite."""

from __future__ import annotations

import numpy as np
import pytest

from nutslite.posterior.density.panels import (
    LANES,
    factorise_panels,
    multiply_upper_panels,
    outer_panels,
    panel_places,
    pull_back_panels,
    scratch_size,
    solve_lower_panels,
    solve_upper_panels,
    subtract_inverse_diagonal_panels,
)
from nutslite.posterior.density.sparse_cholesky import factorise, pull_back_factor, solve_lower, solve_upper
from nutslite.posterior.density.sparse_pattern import (
    elimination,
    factor_pattern,
    n_updates,
    nodes_of_numbers,
    panel_pattern,
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


GRAPHS = {"nested": nested(), "crossed": crossed(), "random": random_graph(), "alone": (5, []), "nothing": (0, [])}


def neighbours(n, edges):
    out = [set() for _ in range(n)]
    for i, j in edges:
        out[i].add(j)
        out[j].add(i)
    return out


def pattern_of(name, last):
    order = elimination(neighbours(*GRAPHS[name]))
    return factor_pattern(order, last)


def matrix_of(name, last, seed=0):
    """A positive definite matrix with these entries, by node."""
    n, edges = GRAPHS[name]
    rng = np.random.default_rng(seed)
    size = n + last
    matrix = np.zeros((size, size))
    for i, j in [*edges, *((row, column) for row in range(n, size) for column in range(row))]:
        matrix[i, j] = matrix[j, i] = rng.normal()
    return matrix + np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(0.5, 1.5, size))


def numbers_of(pattern, matrix):
    columns = np.repeat(np.arange(pattern.starts.size - 1), np.diff(pattern.starts))
    return np.ascontiguousarray(matrix[pattern.rows, columns])


def dense(pattern, numbers):
    size = pattern.starts.size - 1
    out = np.zeros((size, size))
    out[pattern.rows, np.repeat(np.arange(size), np.diff(pattern.starts))] = numbers
    return out


@pytest.mark.parametrize("last", [0, 3])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_factor_is_that_of_the_dense_matrix(name, last):
    nodes, pattern = pattern_of(name, last)
    assert sorted(nodes) == list(range(GRAPHS[name][0] + last))
    matrix = matrix_of(name, last)[np.ix_(nodes, nodes)]
    numbers = numbers_of(pattern, matrix)
    half = factorise(pattern, numbers)
    wanted = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(dense(pattern, numbers), wanted, rtol=1e-12, atol=1e-13)
    assert half == pytest.approx(np.log(np.diag(wanted)).sum(), rel=1e-12)
    x = np.random.default_rng(1).normal(size=len(nodes))
    lower, upper = x.copy(), x.copy()
    solve_lower(pattern, numbers, lower)
    solve_upper(pattern, numbers, upper)
    np.testing.assert_allclose(wanted @ lower, x, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(wanted.T @ upper, x, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["nested", "crossed", "random"])
def test_the_reverse_agrees_with_differences(name):
    nodes, pattern = pattern_of(name, 2)
    matrix = numbers_of(pattern, matrix_of(name, 2)[np.ix_(nodes, nodes)])
    rng = np.random.default_rng(2)
    weights = rng.normal(size=matrix.size)

    def weighted(numbers):
        factor = numbers.copy()
        factorise(pattern, factor)
        return weights @ factor

    factor, adjoint = matrix.copy(), weights.copy()
    factorise(pattern, factor)
    pull_back_factor(pattern, factor, adjoint)
    for k in rng.choice(matrix.size, min(30, matrix.size), replace=False):
        step = np.zeros(matrix.size)
        step[k] = 1e-5
        slope = (weighted(matrix + step) - weighted(matrix - step)) / 2e-5
        assert adjoint[k] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_nested_factors_have_no_fill():
    n, edges = GRAPHS["nested"]
    order = elimination(neighbours(n, edges))
    assert sum(len(around) for _, around in order) == len(edges)


def test_of_crossed_factors_the_smaller_one_fills():
    order = elimination(neighbours(*crossed(30, 3)))
    assert {node for node, _ in order[:30]} == set(range(30))
    assert sum(len(around) for _, around in order) == 30 * 3 + 3


@pytest.mark.parametrize("name", GRAPHS)
def test_prices_are_counted_before_the_pattern_is_made(name):
    order = elimination(neighbours(*GRAPHS[name]))
    _, pattern = factor_pattern(order, 2)
    assert n_updates(order, 2) == (pattern.rows.size, pattern.targets.size)


def test_too_many_products_end_the_search():
    graph = crossed(20, 10)
    _, updates = n_updates(elimination(neighbours(*graph)), 0)
    assert elimination(neighbours(*graph), updates) is not None
    assert elimination(neighbours(*graph), updates - 1) is None


@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan, np.inf])
def test_a_matrix_that_is_not_positive_definite_has_no_factor(bad):
    nodes, pattern = pattern_of("nested", 1)
    matrix = matrix_of("nested", 1)[np.ix_(nodes, nodes)]
    for pivot in (0, len(nodes) - 1):
        spoilt = matrix.copy()
        spoilt[pivot, pivot] = bad
        assert factorise(pattern, numbers_of(pattern, spoilt)) == -np.inf


# panels ---------------------------------------------------------------------------------------------------------------

SHAPES = [(LANES + 6, 3, 2), (5, 2, 0), (2 * LANES, 1, 3), (3, 6, 4)]  # levels, effects of each, border


def panels(levels, own, border, seed=0):
    """Pattern, and a positive definite matrix with its entries."""
    pattern = panel_pattern(levels, own, border)
    rows, columns = nodes_of_numbers(pattern)
    rng = np.random.default_rng(seed)
    size = levels * own + border
    matrix = np.zeros((size, size))
    matrix[rows, columns] = rng.normal(size=rows.size)
    matrix = matrix + matrix.T
    return pattern, rows, columns, matrix + np.diag(np.abs(matrix).sum(axis=1) + rng.uniform(0.5, 1.5, size))


def with_scratch(pattern, numbers):
    return np.concatenate([numbers, np.full(scratch_size(pattern.border), np.nan)])


@pytest.mark.parametrize("shape", SHAPES)
def test_places_of_panels_are_all_there_are(shape):
    levels, own, border = shape
    rows, columns, nodes = panel_places(*shape)
    assert sorted(nodes.ravel()) == list(range(levels * own))
    wanted = {(max(a, b), min(a, b)) for level in nodes.tolist() for a in level for b in level}
    tail = range(levels * own, levels * own + border)
    wanted |= {(row, column) for row in tail for column in range(row + 1)}
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == wanted
    assert rows.size == len(wanted)


@pytest.mark.parametrize("shape", SHAPES)
def test_panels_are_the_factor_of_the_dense_matrix(shape):
    pattern, rows, columns, matrix = panels(*shape)
    numbers = with_scratch(pattern, matrix[rows, columns])
    half = factorise_panels(*shape, numbers)
    factor = np.zeros_like(matrix)
    factor[rows, columns] = numbers[: rows.size]
    wanted = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(factor, wanted, rtol=1e-11, atol=1e-12)
    assert half == pytest.approx(np.log(np.diag(wanted)).sum(), rel=1e-12)
    x = np.random.default_rng(1).normal(size=len(matrix))
    lower, upper, product = x.copy(), x.copy(), np.full_like(x, np.nan)
    solve_lower_panels(*shape, numbers, lower)
    solve_upper_panels(*shape, numbers, upper)
    multiply_upper_panels(*shape, numbers, x, product)
    np.testing.assert_allclose(lower, np.linalg.solve(wanted, x), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(upper, np.linalg.solve(wanted.T, x), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(product, wanted.T @ x, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_panels_lead_back_to_the_matrix(shape):
    """Derivatives of a sum of the factor's entries with random weights, by central differences along a direction."""
    pattern, rows, columns, matrix = panels(*shape)
    rng = np.random.default_rng(2)
    entries, weights, direction = matrix[rows, columns], rng.normal(size=rows.size), rng.normal(size=rows.size)

    def weighted(numbers):
        factor = with_scratch(pattern, numbers)
        factorise_panels(*shape, factor)
        return factor[: rows.size] @ weights

    factor, adjoint = with_scratch(pattern, entries), weights.copy()
    factorise_panels(*shape, factor)
    pull_back_panels(*shape, factor, adjoint)
    step = 1e-6
    slope = (weighted(entries + step * direction) - weighted(entries - step * direction)) / (2.0 * step)
    assert adjoint @ direction == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_other_work_of_panels(shape):
    _, rows, columns, matrix = panels(*shape)
    u, slopes, right, mean = np.random.default_rng(3).normal(size=(4, len(matrix)))
    adjoint = np.full(rows.size, np.nan)
    outer_panels(*shape, adjoint, u, slopes, right, mean)
    wanted = -u[rows] * slopes[columns] - right[rows] * mean[columns]
    np.testing.assert_allclose(adjoint, wanted, rtol=1e-12)
    numbers = matrix[rows, columns]
    subtract_inverse_diagonal_panels(*shape, numbers, adjoint)
    np.testing.assert_allclose(adjoint, wanted - (rows == columns) / numbers, rtol=1e-12)


@pytest.mark.parametrize("node", [0, 70 * 3 - 1, 70 * 3 + 1])
@pytest.mark.parametrize("pivot", [0.0, -1.0, np.inf, np.nan])
def test_panels_that_are_not_positive_definite_are_noticed(node, pivot):
    pattern, rows, columns, matrix = panels(*SHAPES[0])
    matrix[node, node] = pivot
    assert factorise_panels(*SHAPES[0], with_scratch(pattern, matrix[rows, columns])) == -np.inf
