"""The head of the position: intercepts, coefficients, auxiliary parameters and hyperparameters.

To its natural scale, its priors, and back. A hyperparameter and a constant look alike: every argument of every prior is
an index into `values`, the natural-scale head followed by fixed numbers, so priors nest to any depth.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_MATRIX, INDEX_VECTOR, MATRIX, VECTOR, spliced, spliced_kernel
from nutslite.posterior.record.node_table import NODES, OUTPUTS, Nodes
from nutslite.posterior.record.transforms import (
    ABOVE,
    constrain,
    constrain_derivative,
    log_jacobian,
    log_jacobian_derivative,
)
from nutslite.sampler.transition.compiling import uncounted, uncounted_inlined

BLOCKWISE = -1  # transform code of an element that a block transform rules (correlations)
NO_DENSITY = -1  # density code of an element that a block prior rules


class Head(NamedTuple):
    """Transforms and priors of the head, element by element."""

    transforms: NDArray[np.int64]  # (n_head,) elementwise transform codes, or BLOCKWISE
    bounds: NDArray[np.float64]  # (2, n_head) lower and upper bounds
    densities: NDArray[np.int64]  # (n_head,) prior density codes, or NO_DENSITY
    arguments: NDArray[np.int64]  # (n_head, 4) indices into `values`
    fixed: NDArray[np.float64]  # what follows the head in `values`: fixed numbers, then nan for each derived value
    # A prior may be about values[i] minus a weighted sum of other values (a raw intercept: the centred one minus
    # column means times coefficients): terms shift_start[i] ... shift_start[i + 1] - 1.
    shift_start: NDArray[np.int64]  # (n_head + 1,)
    shift_index: NDArray[np.int64]
    shift_weight: NDArray[np.float64]
    nodes: Nodes  # what fills the derived values


HEAD = types.NamedTuple(
    [INDEX_VECTOR, MATRIX, INDEX_VECTOR, INDEX_MATRIX, VECTOR, INDEX_VECTOR, INDEX_VECTOR, VECTOR, NODES], Head
)


def is_fixed(head: Head, index: Any) -> Any:
    """Whether elements of `values` are fixed numbers, neither sampled nor derived; `index` may be an array."""
    n_head = head.transforms.size
    first_derived = head.nodes.rows[:, OUTPUTS].min(initial=n_head + head.fixed.size)
    return (index >= n_head) & (index < first_derived)


def is_derived(head: Head, index: Any) -> Any:
    """Whether elements of `values` are derived ones."""
    return (index >= head.transforms.size) & ~is_fixed(head, index)


def _constrain(position, head: Head, values):
    """Fill `values` (overwritten); return the log-Jacobian of the elementwise transforms.

    Elements under a block transform are left as they are: their block reads them from the position. Derived values are
    nan until their nodes have run.
    """
    total = 0.0
    n_head = head.transforms.shape[0]
    for i in range(n_head):
        code = head.transforms[i]
        if code == BLOCKWISE:
            values[i] = position[i]
        else:
            lower = values[i - 1] if code == ABOVE else head.bounds[0, i]
            values[i] = constrain(code, position[i], lower, head.bounds[1, i])
            total += log_jacobian(code, position[i], lower, head.bounds[1, i])
    for i in range(head.fixed.shape[0]):
        values[n_head + i] = head.fixed[i]
    return total


constrain_head = spliced_kernel(_constrain)


def _add_priors(head: Head, density, values, adjoint, partials):
    """Return the log prior of the head by `density` (a pointer); its derivatives are added to `adjoint`.

    `partials` (5,) is scratch.
    """
    total = 0.0
    for i in range(head.densities.shape[0]):
        code = head.densities[i]
        if code == NO_DENSITY:
            continue
        x = values[i]
        for s in range(head.shift_start[i], head.shift_start[i + 1]):
            x -= head.shift_weight[s] * values[head.shift_index[s]]
        a, b, c, d = head.arguments[i, 0], head.arguments[i, 1], head.arguments[i, 2], head.arguments[i, 3]
        total += density(code, x, values[a], values[b], values[c], values[d], partials)
        adjoint[i] += partials[0]
        adjoint[a] += partials[1]
        adjoint[b] += partials[2]
        adjoint[c] += partials[3]
        adjoint[d] += partials[4]
        for s in range(head.shift_start[i], head.shift_start[i + 1]):
            adjoint[head.shift_index[s]] -= head.shift_weight[s] * partials[0]
    return total


add_head_priors = spliced(_add_priors)
constrain_here, add_priors_here = uncounted_inlined(_constrain), uncounted_inlined(_add_priors)
"""The same, copied into loops that do hardly more: a record of arrays is dear to hand on."""


@uncounted
def pull_back_head(position, head: Head, adjoint, gradient):
    """Overwrite the head of `gradient` with derivatives with respect to the position.

    `adjoint` is used up: the derivative by an element that is above the one before counts for that one, too.
    """
    for i in range(head.transforms.shape[0] - 1, -1, -1):
        code = head.transforms[i]
        if code == ABOVE:
            adjoint[i - 1] += adjoint[i]
        if code == BLOCKWISE:
            gradient[i] = adjoint[i]
        else:
            lower, upper = head.bounds[0, i], head.bounds[1, i]
            gradient[i] = adjoint[i] * constrain_derivative(code, position[i], lower, upper) + log_jacobian_derivative(
                code, position[i], lower, upper
            )
