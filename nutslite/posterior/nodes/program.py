"""A model's nodes, run forwards and backwards by functions that models without nodes need not compile.

In the densities' data their addresses stand beside the prior densities: ``((fill, pull back), density)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from nutslite._addresses import address_of, caller_of
from nutslite._capabilities import CODES, INTEGRATES, MERGES, PILOT, Declaration
from nutslite._numba import VECTOR, inner, kernel, spliced
from nutslite.posterior.nodes.between import fill_between, pull_back_between
from nutslite.posterior.nodes.horseshoe import fill_horseshoe, pull_back_horseshoe
from nutslite.posterior.nodes.level_factors import fill_level_factors, pull_back_level_factors
from nutslite.posterior.nodes.periodic import fill_periodic, pull_back_periodic
from nutslite.posterior.nodes.process import fill_process, pull_back_process
from nutslite.posterior.nodes.product import fill_product, pull_back_product
from nutslite.posterior.nodes.r2d2 import fill_r2d2, pull_back_r2d2
from nutslite.posterior.nodes.simplex import fill_simplex, pull_back_simplex
from nutslite.posterior.nodes.spectral import fill_spectral, pull_back_spectral
from nutslite.posterior.nodes.weighted_sum import fill_weighted_sum, pull_back_weighted_sum
from nutslite.posterior.record.head import Head
from nutslite.posterior.record.node_table import (
    BETWEEN,
    EXP_QUAD,
    HORSESHOE,
    INPUTS,
    LEVEL_FACTORS,
    MATERN32,
    MATERN52,
    N_INPUTS,
    N_OUTPUTS,
    NODES,
    OP,
    OUTPUTS,
    PERIODIC,
    PROCESS,
    PRODUCT,
    R2D2,
    SIMPLEX,
    WEIGHTED_SUM,
)
from nutslite.priors.densities.densities import density_address
from nutslite.sampler.transition.compiling import uncounted

FILL = types.FunctionType(types.float64(NODES, VECTOR))
PULL_BACK = types.FunctionType(types.void(NODES, VECTOR, VECTOR))
DERIVED = types.UniTuple(types.int64, 2)
"""Addresses of the functions that run nodes forwards and backwards: few models have any."""

PRIORS = types.Tuple([DERIVED, types.int64])
"""Type of the element of a density's data that has its derived values and prior densities."""

ALLOWED = frozenset({INTEGRATES, MERGES, CODES})
"""Of scales, whose nodes the marginal density runs, too; it refuses coefficients that are derived."""

OPERATIONS: dict[int, Declaration] = {
    PRODUCT: Declaration("a value is a product of others", ALLOWED),
    WEIGHTED_SUM: Declaration("a value is a sum of others", ALLOWED),
    SIMPLEX: Declaration("values sum to one", ALLOWED),
    HORSESHOE: Declaration("scales are those of a horseshoe", ALLOWED),
    EXP_QUAD: Declaration("scales are those of a Gaussian process", ALLOWED),
    MATERN32: Declaration("scales are those of a Gaussian process", ALLOWED),
    MATERN52: Declaration("scales are those of a Gaussian process", ALLOWED),
    PROCESS: Declaration("values are those of an exact Gaussian process", ALLOWED),
    PERIODIC: Declaration("scales are those of a periodic Gaussian process", ALLOWED),
    BETWEEN: Declaration("a prior has bounds and hyperpriors", ALLOWED),
    R2D2: Declaration("scales are those of an R2D2 prior", ALLOWED),
    LEVEL_FACTORS: Declaration("standard deviations of effects differ by group", ALLOWED | {PILOT}),
}
"""Every operation in words, and which fast ways may serve a model that has it."""


_fill_at = caller_of(FILL)
_pull_back_at = caller_of(PULL_BACK)


@spliced
def fill_derived(nodes, derived, values):
    """Compute derived values, in place; return what they add to the log density."""
    if nodes.rows.shape[0] == 0:
        return 0.0
    return _fill_at(derived[0])(nodes, values)


@uncounted
def pull_back_derived(nodes, derived, values, adjoint):
    """Add to the adjoints of what nodes read what follows from those of their outputs."""
    if nodes.rows.shape[0] > 0:
        _pull_back_at(derived[1])(nodes, values, adjoint)


@inner
def _fill(op, values, inputs, n, out, n_out):
    if op == PRODUCT:
        return fill_product(values, inputs, n, out, n_out)
    if op == WEIGHTED_SUM:
        return fill_weighted_sum(values, inputs, n, out, n_out)
    if op == SIMPLEX:
        return fill_simplex(values, inputs, n, out, n_out)
    if op == HORSESHOE:
        return fill_horseshoe(values, inputs, n, out, n_out)
    if op == BETWEEN:
        return fill_between(values, inputs, n, out, n_out)
    if op == R2D2:
        return fill_r2d2(values, inputs, n, out, n_out)
    if op == PERIODIC:
        return fill_periodic(values, inputs, n, out, n_out)
    if op == LEVEL_FACTORS:
        return fill_level_factors(values, inputs, n, out, n_out)
    return fill_spectral(op, values, inputs, n, out, n_out)


@inner
def _pull_back(op, values, adjoint, inputs, n, out, n_out):
    if op == PRODUCT:
        pull_back_product(values, adjoint, inputs, n, out, n_out)
    elif op == WEIGHTED_SUM:
        pull_back_weighted_sum(values, adjoint, inputs, n, out, n_out)
    elif op == SIMPLEX:
        pull_back_simplex(values, adjoint, inputs, n, out, n_out)
    elif op == HORSESHOE:
        pull_back_horseshoe(values, adjoint, inputs, n, out, n_out)
    elif op == BETWEEN:
        pull_back_between(values, adjoint, inputs, n, out, n_out)
    elif op == R2D2:
        pull_back_r2d2(values, adjoint, inputs, n, out, n_out)
    elif op == PERIODIC:
        pull_back_periodic(values, adjoint, inputs, n, out, n_out)
    elif op == LEVEL_FACTORS:
        pull_back_level_factors(values, adjoint, inputs, n, out, n_out)
    else:
        pull_back_spectral(op, values, adjoint, inputs, n, out, n_out)


@kernel
def fill_all(nodes, values):
    """Run the nodes in order. `values` is overwritten where they write."""
    total = 0.0
    for k in range(nodes.rows.shape[0]):
        row = nodes.rows[k]
        inputs = nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]]
        total += _fill(row[OP], values, inputs, row[N_INPUTS], row[OUTPUTS], row[N_OUTPUTS])
    return total


@kernel
def pull_back_all(nodes, values, adjoint):
    """Run the nodes backwards: the adjoint of an output is complete when its node's turn comes."""
    for k in range(nodes.rows.shape[0] - 1, -1, -1):
        row = nodes.rows[k]
        inputs = nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]]
        _pull_back(row[OP], values, adjoint, inputs, row[N_INPUTS], row[OUTPUTS], row[N_OUTPUTS])


@kernel
def fill_with_processes(nodes, values):
    """As `fill_all`, for models that have exact processes: no others compile these, which allocate."""
    total = 0.0
    for k in range(nodes.rows.shape[0]):
        row = nodes.rows[k]
        inputs = nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]]
        if row[OP] == PROCESS:
            total += fill_process(values, inputs, row[N_INPUTS], row[OUTPUTS], row[N_OUTPUTS])
        else:
            total += _fill(row[OP], values, inputs, row[N_INPUTS], row[OUTPUTS], row[N_OUTPUTS])
    return total


@kernel
def pull_back_with_processes(nodes, values, adjoint):
    """As `pull_back_all`."""
    for k in range(nodes.rows.shape[0] - 1, -1, -1):
        row = nodes.rows[k]
        inputs = nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]]
        if row[OP] == PROCESS:
            pull_back_process(values, adjoint, inputs, row[N_INPUTS], row[OUTPUTS], row[N_OUTPUTS])
        else:
            _pull_back(row[OP], values, adjoint, inputs, row[N_INPUTS], row[OUTPUTS], row[N_OUTPUTS])


def derived_of(head: Head) -> tuple[Any, Any]:
    """The functions that run the nodes of a head, as `DERIVED`."""
    if not head.nodes.rows.size:
        return 0, 0
    if (head.nodes.rows[:, OP] == PROCESS).any():
        return address_of(fill_with_processes, FILL), address_of(pull_back_with_processes, PULL_BACK)
    return address_of(fill_all, FILL), address_of(pull_back_all, PULL_BACK)


def with_derived(head: Head, density: Callable[..., float]) -> tuple[Any, Any]:
    """Derived values and prior densities of a head, as `PRIORS`."""
    return derived_of(head), density_address(density)


def declarations_of_nodes(head: Head) -> list[Declaration]:
    """What the operations of a model allow."""
    return [OPERATIONS[op] for op in dict.fromkeys(head.nodes.rows[:, OP].tolist())]
