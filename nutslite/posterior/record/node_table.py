"""The table of derived values: which operation makes which elements of `values` of which others.

`values` is ``[head | fixed numbers | derived values]``. Kernels compute the derived ones once the head is on its
natural scale, node by node, so that a node may read what an earlier one wrote. Whatever indexes `values` may index a
derived value: an argument of a prior, a coefficient. `posterior.nodes` has the operations.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_MATRIX, INDEX_VECTOR

# Columns of `Nodes.rows`, one row per node.
OP = 0  # one of the codes below
INPUTS = 1  # the values that it reads are those at inputs[INPUTS : INPUTS + N_INPUTS]
N_INPUTS = 2
OUTPUTS = 3  # it writes values[OUTPUTS : OUTPUTS + N_OUTPUTS]
N_OUTPUTS = 4
NODE_FIELDS = 5

PRODUCT, WEIGHTED_SUM, SIMPLEX, HORSESHOE, EXP_QUAD, MATERN32, MATERN52, BETWEEN, R2D2, PERIODIC, PROCESS = range(11)
LEVEL_FACTORS = 11


class Nodes(NamedTuple):
    """Nodes in the order in which they are computed."""

    rows: NDArray[np.int64]  # (n_nodes, NODE_FIELDS)
    inputs: NDArray[np.int64]  # indices into `values`, node by node


NODES = types.NamedTuple([INDEX_MATRIX, INDEX_VECTOR], Nodes)


def no_nodes() -> Nodes:
    """Of a model without derived values."""
    return Nodes(np.empty((0, NODE_FIELDS), dtype=np.int64), np.empty(0, dtype=np.int64))


def simplex_places(nodes: Nodes, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the unconstrained numbers and the concentrations of the simplex are that begins at ``values[first]``."""
    (row,) = nodes.rows[(nodes.rows[:, OP] == SIMPLEX) & (nodes.rows[:, OUTPUTS] == first)]
    inputs = nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]]
    return inputs[: row[N_OUTPUTS] - 1], inputs[row[N_OUTPUTS] - 1 :]


def level_factor_inputs(nodes: Nodes, first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the gammas (K,) and the predictors (K, levels) are of the factors that begin at ``values[first]``."""
    (row,) = nodes.rows[(nodes.rows[:, OP] == LEVEL_FACTORS) & (nodes.rows[:, OUTPUTS] == first)]
    inputs = nodes.inputs[row[INPUTS] : row[INPUTS] + row[N_INPUTS]].reshape(row[N_OUTPUTS] + 1, -1)
    return inputs[0], inputs[1:].T


def moved_nodes(nodes: Nodes, index: NDArray[np.int64]) -> Nodes:
    """The same nodes where the element i of `values` has become ``index[i]``."""
    rows = nodes.rows.copy()
    rows[:, OUTPUTS] = index[rows[:, OUTPUTS]]
    return Nodes(rows, np.ascontiguousarray(index[nodes.inputs]))
