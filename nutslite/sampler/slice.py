"""Slice sampling along given directions (Neal 2003): no steps to choose, no gradient, no boundary that hurts.

It costs some evaluations a direction, so it is for few dimensions and cheap densities, where it is at ease with what
trajectories are not: walls, edges, several scales at once.

Posteriors of several pieces are sampled together with flatter versions of themselves (parallel tempering, Geyer 1991):
a part of the log density, the likelihood, counts with powers from one down to nearly zero, and neighbours exchange
their states. Draws are those at power one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from nutslite._numba import CUBE, MATRIX, VECTOR, jit_disabled, kernel_with_signature
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
            MATRIX,
            CUBE,
            VECTOR,
            types.int64,
            CUBE,
            VECTOR,
        ),
    )


def run_slices(
    logdensity: Any,
    data: Any,
    rng: Any,
    states: Any,
    directions: Any,
    powers: Any,
    updates: Any,
    positions: Any,
    values: Any,
) -> None:
    """Make as many draws as `positions` has rows.

    The log density is given a gradient of one element, which it overwrites with the part that powers are of; where
    there is one power, which is one, it has no element, and nothing is overwritten.

    Parameters
    ----------
    states : ndarray (powers, dim)
        The chain's state at each power, with a finite log density: read and overwritten.
    directions : ndarray (powers, k, dim)
        Each as long as the density is wide there; they take turns.
    powers : ndarray (powers,)
        The first is one.
    updates : int
        At each power, for each draw. After as many as there are dimensions neighbours exchange states.
    positions, values : ndarray (n, powers, dim) and (n,)
        Overwritten with states, and log densities at the first power.
    """
    n_powers, dimension = states.shape
    part = np.empty(1 if n_powers > 1 else 0)
    parts = np.empty(n_powers)
    proposal = np.empty(dimension)
    heights = np.empty(n_powers)
    for k in range(n_powers):
        found = logdensity(states[k], part, data)
        heights[k] = found if n_powers == 1 else found - (1.0 - powers[k]) * part[0]
    turn = int(rng.random() * directions.shape[1])
    since = 0
    for row in range(positions.shape[0]):
        for _ in range(updates):
            for k in range(n_powers):
                heights[k] = _update(
                    logdensity, data, rng, states[k], heights[k], directions[k, turn], powers[k], proposal, part
                )
            turn = (turn + 1) % directions.shape[1]
            since += 1
            if n_powers > 1 and since >= dimension:
                since = 0
                for k in range(n_powers):
                    logdensity(states[k], part, data)
                    parts[k] = part[0]
                _exchange(rng, states, heights, parts, powers)
        for k in range(n_powers):
            for i in range(dimension):
                positions[row, k, i] = states[k, i]
        values[row] = heights[0]


@uncounted
def _exchange(rng, states, heights, parts, powers):
    """Let neighbours exchange states, from the lowest power to the highest; all but powers is overwritten."""
    for k in range(powers.shape[0] - 2, -1, -1):
        gain = (powers[k] - powers[k + 1]) * (parts[k + 1] - parts[k])
        if -rng.standard_exponential() < gain:
            step = powers[k] - powers[k + 1]
            height = heights[k + 1] + step * parts[k + 1]
            heights[k + 1] = heights[k] - step * parts[k]
            heights[k] = height
            parts[k], parts[k + 1] = parts[k + 1], parts[k]
            for i in range(states.shape[1]):
                states[k, i], states[k + 1, i] = states[k + 1, i], states[k, i]


@uncounted
def _update(logdensity, data, rng, position, value, direction, power, proposal, part):
    """Draw anew along a direction; return the log density there. `position` is overwritten."""
    level = value - rng.standard_exponential()
    lower = -rng.random()
    upper = lower + 1.0
    below = int(rng.random() * MOST_STEPS_OUT)
    for _ in range(below):
        if not _at(logdensity, data, position, direction, lower, power, proposal, part) > level:
            break
        lower -= 1.0
    for _ in range(MOST_STEPS_OUT - 1 - below):
        if not _at(logdensity, data, position, direction, upper, power, proposal, part) > level:
            break
        upper += 1.0
    for _ in range(MOST_SHRINKS):
        step = lower + rng.random() * (upper - lower)
        found = _at(logdensity, data, position, direction, step, power, proposal, part)
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
def _at(logdensity, data, position, direction, step, power, proposal, part):
    for i in range(position.shape[0]):
        proposal[i] = position[i] + step * direction[i]
    found = logdensity(proposal, part, data)
    if not math.isfinite(found):
        return -math.inf
    return found if power == 1.0 else found - (1.0 - power) * part[0]
