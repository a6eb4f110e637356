"""Derived values: each operation against differences, and models that have them against models without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import nutslite as nl
from nutslite._capabilities import CODES, EVERYTHING, INTEGRATES, MERGES, PILOT
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.density.joint import natural_scale
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.nodes.program import (
    OPERATIONS,
    fill_all,
    fill_with_processes,
    pull_back_all,
    pull_back_with_processes,
)
from nutslite.posterior.pilot.pilot import why_no_pilot
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.node_table import (
    BETWEEN,
    EXP_QUAD,
    HORSESHOE,
    LEVEL_FACTORS,
    MATERN32,
    MATERN52,
    PERIODIC,
    PROCESS,
    PRODUCT,
    R2D2,
    SIMPLEX,
    WEIGHTED_SUM,
    Nodes,
)
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.plan import make_plan
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.densities import codes
from tests.small_models import assembled_of

# By operation: values of the inputs, how many outputs there are, and how many inputs are moved (the first ones).
CASES: dict[int, tuple[list[float], int, int]] = {
    PRODUCT: ([0.5, -2.0, 3.0, 0.0, 1.5, -0.7], 2, 6),
    WEIGHTED_SUM: ([0.5, -2.0, 3.0, 0.3, 1.5, -0.7, 0.1, 2.0], 2, 8),
    SIMPLEX: ([0.4, -1.3, 2.2, 0.5, 1.0, 2.0, 3.5], 4, 3),
    HORSESHOE: ([0.3, 4.0, 1.0, 0.2, 2.0, 30.0, 0.5, 5.0], 3, 8),
    EXP_QUAD: ([1.5, 0.4, 0.0, 1.0, 3.0], 3, 2),
    MATERN32: ([1.5, 0.4, 0.0, 1.0, 3.0], 3, 2),
    MATERN52: ([1.5, 0.4, 0.0, 1.0, 3.0], 3, 2),
    BETWEEN: ([codes.BETWEEN + codes.LAPLACE, 0.4, 1.3, 0.0, 0.9, np.inf], 1, 4),
    R2D2: ([0.3, 1.7, 1.0, 0.2, 2.0, 0.8], 2, 6),
    PERIODIC: ([1.5, 0.4], 4, 2),
    LEVEL_FACTORS: ([0.7, -0.4, 0.5, 1.0, -1.2, 0.3, 0.0, 2.0], 3, 2),
    PROCESS: ([1.5, 0.4, 0.7, 0.3, -1.0, 0.8, 3.0, 0.0, 0.1, 0.3, 0.2, 0.5, 0.9], 3, 6),
}


def one_node(op: int) -> tuple[Nodes, np.ndarray]:
    """A node of its own, whose inputs come first in `values` and whose outputs come last."""
    inputs, n_out, _ = CASES[op]
    rows = np.array([[op, 0, len(inputs), len(inputs), n_out]])
    return Nodes(rows, np.arange(len(inputs))), np.array([*inputs, *[np.nan] * n_out])


@pytest.mark.parametrize("op", CASES)
def test_adjoints_are_those_of_central_differences(op: int) -> None:
    nodes, values = one_node(op)
    inputs, n_out, n_moved = CASES[op]
    weights = np.linspace(-1.0, 2.0, n_out)
    fill, pull_back = fill_all, pull_back_all
    if op == PROCESS:
        fill, pull_back = fill_with_processes, pull_back_with_processes

    def total(x: np.ndarray) -> float:
        moved = values.copy()
        moved[: x.size] = x
        return fill(nodes, moved) + weights @ moved[len(inputs) :]

    x = np.array(inputs)
    fill(nodes, values)
    adjoint = np.concatenate([np.zeros(len(inputs)), weights])
    pull_back(nodes, values, adjoint)
    steps = 1e-5 * np.eye(len(inputs))[:n_moved]
    steps = steps[1:] if op == BETWEEN else steps  # the first is a code
    numeric = [(total(x + step) - total(x - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(adjoint[n_moved - len(steps) : n_moved], numeric, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(adjoint[len(inputs) :], weights)


def test_every_operation_has_a_case() -> None:
    assert set(CASES) == set(OPERATIONS)


@pytest.mark.parametrize("op", [HORSESHOE, EXP_QUAD, MATERN32, MATERN52, R2D2, LEVEL_FACTORS])
@pytest.mark.parametrize("first", [1e-200, 1e-8, 1.0, 1e8, 1e150])
@pytest.mark.parametrize("second", [1e-200, 1e-8, 1.0, 1e3, 1e150])
def test_scales_are_positive_at_the_ends_of_doubles(op: int, first: float, second: float) -> None:
    """No scale is zero or infinite, and no derivative is nan."""
    nodes, values = one_node(op)
    values[:2] = first, second
    if op == HORSESHOE:
        values[3] = 1e-100
        values[5] = 1e100
    n_out = CASES[op][1]
    fill_all(nodes, values)
    assert (values[-n_out:] >= 0.0).all()
    assert np.isfinite(values[-n_out:]).all()
    adjoint = np.concatenate([np.zeros(values.size - n_out), np.ones(n_out)])
    pull_back_all(nodes, values, adjoint)
    assert not np.isnan(adjoint).any()


@pytest.mark.parametrize("u", [-2000.0, -40.0, 0.0, 40.0, 2000.0])
def test_a_simplex_has_a_density_in_its_corners(u: float) -> None:
    nodes, values = one_node(SIMPLEX)
    values[0] = u
    assert np.isfinite(fill_all(nodes, values))
    assert values[-4:].sum() == pytest.approx(1.0)
    adjoint = np.concatenate([np.zeros(7), np.ones(4)])
    pull_back_all(nodes, values, adjoint)
    assert np.isfinite(adjoint).all()


def test_a_simplex_is_dirichlet() -> None:
    """Over the line of unconstrained numbers the density of two elements integrates to one, with the right mean."""
    alpha = [0.7, 2.5]
    nodes = Nodes(np.array([[SIMPLEX, 0, 3, 3, 2]]), np.arange(3))

    def density(u: float, power: int) -> float:
        values = np.array([u, *alpha, np.nan, np.nan])
        return float(np.exp(fill_all(nodes, values)) * values[3] ** power)

    moments = [integrate.quad(density, -80.0, 80.0, args=(power,), limit=400)[0] for power in (0, 1, 2)]
    np.testing.assert_allclose(moments, [1.0, *(stats.beta.moment(k, *alpha) for k in (1, 2))], rtol=1e-6)


@pytest.mark.parametrize("op", [EXP_QUAD, MATERN32, MATERN52])
def test_spectral_densities_integrate_to_the_variance(op: int) -> None:
    nodes = Nodes(np.array([[op, 0, 3, 3, 1]]), np.arange(3))

    def density(frequency: float) -> float:
        values = np.array([1.3, 0.6, frequency, np.nan])
        fill_all(nodes, values)
        return float(values[3] ** 2)

    found = integrate.quad(density, 0.0, np.inf, limit=400)[0] / np.pi
    assert found == pytest.approx(1.3**2, rel=1e-6)


# Models ---------------------------------------------------------------------------------------------------------------


def data_of_groups() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(size=60), "w": rng.normal(size=60), "g": np.repeat(list("abcdef"), 10)})
    data["y"] = 0.5 * data.x + rng.normal(size=6).repeat(10) + rng.normal(size=60)
    data["c"] = rng.poisson(np.exp(0.3 * data.x))
    return data


def through_nodes(assembled: Assembled, *, coefficients: bool) -> Assembled:
    """The same model, where scales of group effects (and coefficients) are products of themselves and 1."""
    model = assembled.data
    head = model.head
    n_head, n_fixed = head.transforms.size, head.fixed.size
    columns, matrix = model.block_columns.copy(), model.coefficients.copy()
    places = columns[:, md.ARGUMENTS + 1].copy()
    one, first = n_head + n_fixed, n_head + n_fixed + 1
    derived = [int(place) for place in places if place < n_head]
    columns[:, md.ARGUMENTS + 1] = first + np.arange(len(derived))
    if coefficients:
        derived += matrix.tolist()
        matrix = first + places.size + np.arange(matrix.size)
    row = [PRODUCT, 0, 2 * len(derived), first, len(derived)]
    nodes = Nodes(np.array([row]), np.array([[place, one] for place in derived]).ravel())
    fixed = np.concatenate([head.fixed, [1.0], np.full(len(derived), np.nan)])
    model = model._replace(head=head._replace(fixed=fixed, nodes=nodes), block_columns=columns, coefficients=matrix)
    return replace(assembled, data=model)


MODELS = {
    "gaussian": ("y ~ x + (x|g)", "gaussian"),
    "correlated": ("y ~ x + (x|g)", "gaussian"),
    "poisson": ("c ~ x + w + (1|g)", "poisson"),
}


@pytest.fixture(scope="module", params=MODELS)
def pair(request: pytest.FixtureRequest) -> tuple[Assembled, Assembled]:
    formula, family = MODELS[request.param]
    model = nl.Model(formula, data_of_groups(), family=family, correlated=request.param == "correlated")
    plain = assembled_of(model)
    return plain, through_nodes(plain, coefficients=True)


def test_joint_densities_are_those_without_nodes(pair: tuple[Assembled, Assembled]) -> None:
    targets = [JointTarget(assembled, use_pilot=False) for assembled in pair]
    rng = np.random.default_rng(1)
    for position in rng.normal(0.0, 0.5, (3, targets[0].dimension)):
        gradients = np.empty((2, position.size))
        values = [t.logdensity(position, gradients[i], t.data) for i, t in enumerate(targets)]
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-13)
        many = [t.log_densities(position[None], 1)[0] for t in targets]
        np.testing.assert_array_equal(many[0], many[1])
        natural = [t.natural(position[None, None], rng) for t in targets]
        heads = [values[..., : pair[0].layout.n_head] for values, _ in natural]
        np.testing.assert_array_equal(*heads)
        np.testing.assert_array_equal(natural[0][1], natural[1][1])


def test_prior_draws_and_log_priors_are_those_without_nodes(pair: tuple[Assembled, Assembled]) -> None:
    found = [draw_prior(assembled, 20, np.random.default_rng(2)) for assembled in pair]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert np.isfinite(found[1][0]).all()
    named = pair[0].layout.unpack(*found[0])
    priors = [log_prior(assembled, named) for assembled in pair]
    for name in priors[0]:
        np.testing.assert_array_equal(priors[0][name], priors[1][name])


def test_derived_values_are_nan_where_no_node_has_run(pair: tuple[Assembled, Assembled]) -> None:
    """A way that forgets them finds no density, rather than a wrong one."""
    fixed = pair[1].data.head.fixed
    n_derived = int(pair[1].data.head.nodes.rows[0, -1])
    assert np.isnan(fixed[-n_derived:]).all()
    assert np.isfinite(fixed[:-n_derived]).all()


def test_marginal_densities_are_those_without_nodes() -> None:
    plain = assembled_of(nl.Model("y ~ x + (x|g)", data_of_groups()))
    targets = []
    for assembled in (plain, through_nodes(plain, coefficients=False)):
        reduction = reduce_gaussian(assembled)
        assert not isinstance(reduction, str)
        assert make_plan(assembled).path == "marginal"
        targets.append(MarginalTarget(assembled, reduction))
    rng = np.random.default_rng(1)
    for position in rng.normal(0.0, 0.5, (3, targets[0].dimension)):
        gradients = np.empty((2, position.size))
        values = [t.logdensity(position, gradients[i], t.data) for i, t in enumerate(targets)]
        np.testing.assert_array_equal(values[0], values[1])
        np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-13)
        np.testing.assert_array_equal(*(t.log_densities(position[None], 1) for t in targets))
    positions = rng.normal(0.0, 0.3, (1, 5, targets[0].dimension))
    drawn = [t.natural(positions, np.random.default_rng(3)) for t in targets]
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])
    assert np.isfinite(drawn[1][0]).all()


def test_fast_ways_refuse_what_they_do_not_know(pair: tuple[Assembled, Assembled]) -> None:
    derived = pair[1]
    assert "computed from other parameters" in str(why_no_pilot(derived.data))
    refused = reduce_gaussian(derived)
    assert isinstance(refused, str)
    plan = make_plan(derived)
    assert (plan.path, plan.pilot, plan.structure, plan.is_small) == ("joint", False, None, False)
    assert OPERATIONS[PRODUCT].piece in str(plan)


@pytest.mark.parametrize("op", OPERATIONS)
def test_operations_declare_what_is_tested(op: int) -> None:
    assert OPERATIONS[op].allows <= EVERYTHING
    others = {PILOT} if op == LEVEL_FACTORS else set()  # test_level_sds.py
    assert OPERATIONS[op].allows <= {INTEGRATES, MERGES, CODES, *others}


def test_equal_rows_are_merged() -> None:
    data = pd.concat([data_of_groups()] * 10)
    derived = through_nodes(assembled_of(nl.Model("c ~ x + (1|g)", data, family="poisson")), coefficients=True)
    merged = make_plan(derived).merged
    assert merged is not None
    position = np.full(derived.layout.dimension, 0.1)
    found = [JointTarget(derived, False, rows).log_densities(position[None], 1)[0] for rows in (None, merged)]
    assert found[0] == pytest.approx(found[1])


def test_natural_scale_fills_derived_values(pair: tuple[Assembled, Assembled]) -> None:
    derived = pair[1]
    values, effects = (
        np.empty((1, derived.data.head.fixed.size + derived.layout.n_head)),
        np.empty((1, derived.data.centring.size)),
    )
    natural_scale(np.zeros((1, derived.layout.dimension)), derived.data, values, effects)
    assert np.isfinite(values).all()


def test_columns_by_code_may_have_derived_coefficients() -> None:
    """Written out again, they are the columns that they were, in the order of their coefficients."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame(
        {"f": rng.choice(list("abcdefgh"), 600), "x": rng.normal(size=600), "b": rng.integers(0, 2, 600)}
    )
    plain = assembled_of(nl.Model("b ~ f + x", data, family="bernoulli"))
    assert plain.data.codes.blocks.size
    head, own = plain.data.head, plain.data.codes.coefficients
    one = head.transforms.size + head.fixed.size
    nodes = Nodes(
        np.array([[PRODUCT, 0, 2 * own.size, one + 1, own.size]]), np.array([[place, one] for place in own]).ravel()
    )
    fixed = np.concatenate([head.fixed, [1.0], np.full(own.size, np.nan)])
    codes = plain.data.codes._replace(coefficients=one + 1 + np.arange(own.size))
    coded = plain.data._replace(head=head._replace(fixed=fixed, nodes=nodes), codes=codes)
    dense = without_codes(coded)
    assert not dense.codes.blocks.size
    assert dense.matrix.shape == (own.size + 1, 600)
    position = rng.normal(0.0, 0.3, plain.layout.dimension)
    found = [JointTarget(plain, False, rows).log_densities(position[None], 1)[0] for rows in (None, coded, dense)]
    np.testing.assert_allclose(found, found[0], rtol=1e-12)
