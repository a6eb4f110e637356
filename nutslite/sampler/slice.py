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
from nutslite.sampler.transition.handle import logdensity_at

MOST_STEPS_OUT = 256
MOST_SHRINKS = 200


@functools.cache
def compiled_slices() -> Callable[..., Any]:
    """`run_slices`, compiled once for all log densities, or from the disk cache."""
    if jit_disabled():
        return run_slices
    return kernel_with_signature(
        run_slices,
        types.int64(
            types.int64,
            types.int64,
            numba.typeof(np.random.default_rng(0)),
            VECTOR,
            MATRIX,
            types.int64,
            MATRIX,
            VECTOR,
        ),
    )


def run_slices(
    function: Any,
    data: Any,
    rng: Any,
    state: Any,
    directions: Any,
    updates: Any,
    positions: Any,
    values: Any,
) -> int:
    """Make as many draws as `positions` has rows. The log density is given a gradient without elements.

    Parameters
    ----------
    function, data : int
        Of the log density's `Handle`, which must outlive the call.
    state : ndarray (dim,)
        The chain's state, with a finite log density: read and overwritten.
    directions : ndarray (k, dim)
        Each as long as the density is wide there; they take turns.
    updates : int
        For each draw.
    positions, values : ndarray (n, dim) and (n,)
        Overwritten with states and log densities.

    Returns
    -------
    int
        Evaluations of the log density.
    """
    logdensity = logdensity_at(function)
    nothing, proposal = np.empty(0), np.empty(state.shape[0])
    height = logdensity(state, nothing, data)
    turn = int(rng.random() * directions.shape[0])
    evaluations = 1
    for row in range(positions.shape[0]):
        for _ in range(updates):
            height, more = slice_update(
                logdensity, data, rng, state, height, directions[turn], 1.0, MOST_STEPS_OUT, proposal, nothing
            )
            evaluations += more
            turn = (turn + 1) % directions.shape[0]
        for i in range(state.shape[0]):
            positions[row, i] = state[i]
        values[row] = height
    return evaluations


@uncounted
def slice_update(logdensity, data, rng, position, value, direction, power, steps_out, proposal, part):
    """Draw anew along a direction; return the log density there, and how often it was evaluated.

    Stepping out and shrinkage (Neal 2003, figures 3 and 5), with logarithms of densities, and steps in lengths of the
    direction. `position` is overwritten. The interval is at most `steps_out` times the direction's length.
    """
    level = value - rng.standard_exponential()
    lower = -rng.random()
    upper = lower + 1.0
    below = int(rng.random() * steps_out)
    evaluations = 0
    for _ in range(below):
        evaluations += 1
        if not density_at(logdensity, data, position, direction, lower, power, proposal, part) > level:
            break
        lower -= 1.0
    for _ in range(steps_out - 1 - below):
        evaluations += 1
        if not density_at(logdensity, data, position, direction, upper, power, proposal, part) > level:
            break
        upper += 1.0
    for _ in range(MOST_SHRINKS):
        step = lower + rng.random() * (upper - lower)
        evaluations += 1
        found = density_at(logdensity, data, position, direction, step, power, proposal, part)
        if found >= level:
            for i in range(position.shape[0]):
                position[i] = proposal[i]
            return found, evaluations
        if step < 0.0:
            lower = step
        else:
            upper = step
    return value, evaluations


@uncounted
def density_at(logdensity, data, position, direction, step, power, proposal, part):
    """Log density of a power of the likelihood at a step along a direction; `proposal` is overwritten."""
    for i in range(position.shape[0]):
        proposal[i] = position[i] + step * direction[i]
    return density_of_power(logdensity, data, proposal, power, part)


@uncounted
def density_of_power(logdensity, data, position, power, part):
    """The log density writes the likelihood's part of it into `part`, which is read where the power is not one."""
    found = logdensity(position, part, data)
    if not math.isfinite(found):
        return -math.inf
    return found if power == 1.0 else found - (1.0 - power) * part[0]
