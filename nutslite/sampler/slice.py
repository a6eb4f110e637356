"""Slice sampling along given directions (Neal 2003): no steps to choose, no gradient, no boundary that hurts.

It costs some evaluations a direction, so it is for few dimensions and cheap densities, where it is at ease with what
trajectories are not: walls, edges, several scales at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from nutslite._numba import MATRIX, VECTOR, jit_disabled, kernel_with_signature
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import logdensity_signature

MOST_STEPS_OUT = 256
MOST_SHRINKS = 200


@functools.cache
def compiled_slices(data_type: Any) -> Callable[..., None]:
    """`run_slices` compiled for one type of data, from the disk cache where possible."""
    if jit_disabled():
        return run_slices
    return kernel_with_signature(
        run_slices,
        types.void(
            types.FunctionType(logdensity_signature(data_type)),
            data_type,
            numba.typeof(np.random.default_rng(0)),
            VECTOR,
            MATRIX,
            types.int64,
            MATRIX,
            VECTOR,
        ),
    )


def run_slices(
    logdensity: Any, data: Any, rng: Any, position: Any, directions: Any, updates: Any, positions: Any, values: Any
) -> None:
    """Make as many draws as `positions` has rows.

    The log density is given a gradient without elements, and may leave it at that.

    Parameters
    ----------
    position : ndarray (dim,)
        The chain's state, with a finite log density: read and overwritten.
    directions : ndarray (k, dim)
        Each as long as the posterior is wide there; they take turns.
    updates : int
        For each draw.
    positions, values : ndarray (n, dim) and (n,)
        Overwritten with draws and their log densities.
    """
    gradient = np.empty(0)  # none is wanted
    proposal = np.empty(position.shape[0])
    value = logdensity(position, gradient, data)
    turn = int(rng.random() * directions.shape[0])
    for row in range(positions.shape[0]):
        for _ in range(updates):
            value = _update(logdensity, data, rng, position, value, directions[turn], proposal, gradient)
            turn = (turn + 1) % directions.shape[0]
        for i in range(position.shape[0]):
            positions[row, i] = position[i]
        values[row] = value


@uncounted
def _update(logdensity, data, rng, position, value, direction, proposal, gradient):
    """Draw anew along a direction; return the log density there. `position` is overwritten."""
    level = value - rng.standard_exponential()
    lower = -rng.random()
    upper = lower + 1.0
    below = int(rng.random() * MOST_STEPS_OUT)
    for _ in range(below):
        if not _at(logdensity, data, position, direction, lower, proposal, gradient) > level:
            break
        lower -= 1.0
    for _ in range(MOST_STEPS_OUT - 1 - below):
        if not _at(logdensity, data, position, direction, upper, proposal, gradient) > level:
            break
        upper += 1.0
    for _ in range(MOST_SHRINKS):
        step = lower + rng.random() * (upper - lower)
        found = _at(logdensity, data, position, direction, step, proposal, gradient)
        if found >= level:
            for i in range(position.shape[0]):
                position[i] = proposal[i]
            return found
        if step < 0.0:
            lower = step
        else:
            upper = step
    return value


@uncounted
def _at(logdensity, data, position, direction, step, proposal, gradient):
    for i in range(position.shape[0]):
        proposal[i] = position[i] + step * direction[i]
    found = logdensity(proposal, gradient, data)
    return found if math.isfinite(found) else -math.inf
