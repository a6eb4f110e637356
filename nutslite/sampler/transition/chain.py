"""A block of transitions of one chain: all that the sampler compiles, and its only explicit signature.

Compiled code cannot be interrupted, so a chain runs in blocks; between blocks Python shows progress, heeds Ctrl-C and
changes the metric. How transitions are cut into blocks does not change the draws.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from nutslite._awaited import BLOCK, wait_for
from nutslite._numba import MATRIX, VECTOR, jit_disabled, kernel_with_signature
from nutslite.sampler.transition import statistics
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.hamiltonian import GRADIENT, POSITION, longest_step
from nutslite.sampler.transition.handle import logdensity_at
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.metric import Metric, diagonal_metric
from nutslite.sampler.transition.nuts import transition
from nutslite.sampler.transition.step_size import (
    LOG_AVERAGE,
    STEP_SIZE,
    limit_step_size,
    restart_adaptation,
    search_step_size,
    update_adaptation,
)
from nutslite.sampler.transition.trajectory import (
    DIVERGING,
    ENERGY,
    GROWN_END,
    INDEX,
    INITIAL_ENERGY,
    LOGP,
    MAX_ENERGY_ERROR,
    N_STEPS,
    REACHED_MAX_TREEDEPTH,
    SELECTED,
    SUM_ACCEPTANCE,
    TREE_DEPTH,
    Workspace,
    new_workspace,
)

# The statistics' columns as constants of this module: compiled code reads globals, not attributes of other modules.
LP, ACCEPTANCE_RATE, STEP, STEP_BAR = (
    statistics.LP,
    statistics.ACCEPTANCE_RATE,
    statistics.STEP_SIZE,
    statistics.STEP_SIZE_BAR,
)
COPIED_TALLIES = (
    (statistics.TREE_DEPTH, TREE_DEPTH),
    (statistics.N_STEPS, N_STEPS),
    (statistics.DIVERGING, DIVERGING),
    (statistics.MAX_ENERGY_ERROR, MAX_ENERGY_ERROR),
    (statistics.REACHED_MAX_TREEDEPTH, REACHED_MAX_TREEDEPTH),
)
DRAW_ENERGY, ENERGY_ERROR, INDEX_IN_TRAJECTORY = (
    statistics.ENERGY,
    statistics.ENERGY_ERROR,
    statistics.INDEX_IN_TRAJECTORY,
)

SEARCH_FAILED = -1
"""What `run_block` returns where no step size worked."""


@functools.cache
def compiled_block() -> Callable[..., int]:
    """`run_block`, compiled once for all log densities, or from the disk cache; plain Python without the JIT."""
    if jit_disabled():
        return run_block
    wait_for(BLOCK)
    return kernel_with_signature(run_block, block_signature())


def block_signature() -> Any:
    """Explicit signature of `run_block`: log density and data are the numbers of a `Handle`."""
    return types.int64(
        types.int64,  # the log density
        types.int64,  # its data
        numba.typeof(np.random.default_rng(0)),
        numba.typeof(diagonal_metric([1.0])),
        numba.typeof(new_workspace(1, 1)),
        VECTOR,  # adaptation
        types.float64,  # target_accept
        types.int64,  # max_treedepth
        types.boolean,  # adapts
        types.boolean,  # evaluates
        types.boolean,  # searches
        MATRIX,  # positions
        MATRIX,  # gradients
        MATRIX,  # stats
        MATRIX,  # divergences
    )


def run_block(
    function: Any,
    data: Any,
    rng: np.random.Generator,
    metric: Metric,
    workspace: Workspace,
    adaptation: Vector,
    target_accept: float,
    max_treedepth: int,
    adapts: bool,
    evaluates: bool,
    searches: bool,
    positions: Matrix,
    gradients: Matrix,
    stats: Matrix,
    divergences: Matrix,
) -> int:
    """Run as many transitions as `stats` has rows.

    Parameters
    ----------
    function, data : int
        As in a `Handle`, which must outlive the call.
    workspace : Workspace
        Its SELECTED point (position, gradient, log density) is the chain's state: read and overwritten.
    adaptation : ndarray (5,)
        State of the step size (`step_size`): read and overwritten.
    adapts : bool
        Whether the step size adapts after each transition.
    evaluates, searches : bool
        What to do before the first transition: evaluate log density and gradient at the position of the chain's state;
        search the step size anew and restart its adaptation.
    positions, stats : ndarray (n, dim) and (n, 12)
        Overwritten: a row per transition, columns of `stats` as in `statistics`.
    gradients : ndarray (n, dim) or (0, dim)
        Overwritten with the gradients at the draws, if there is room.
    divergences : ndarray (n, dim) or (0, dim)
        First rows overwritten with the positions at which trajectories diverged, if there is room.

    Returns
    -------
    int
        Number of divergences, or SEARCH_FAILED before any transition was made.
    """
    logdensity = logdensity_at(function)
    points, values = workspace.points, workspace.values
    if evaluates:
        values[SELECTED, LOGP] = logdensity(points[SELECTED, POSITION], points[SELECTED, GRADIENT], data)
    if searches:
        if not search_step_size(logdensity, data, rng, metric, workspace, adaptation):
            return SEARCH_FAILED
        restart_adaptation(adaptation)
    tally = workspace.tally
    n_divergences = 0
    for row in range(stats.shape[0]):
        stats[row, STEP] = adaptation[STEP_SIZE]
        transition(logdensity, data, rng, metric, workspace, adaptation[STEP_SIZE], max_treedepth)
        if adapts:
            update_adaptation(adaptation, tally[SUM_ACCEPTANCE] / tally[N_STEPS], target_accept)
            limit_step_size(adaptation, longest_step(metric))
        stats[row, STEP_BAR] = math.exp(adaptation[LOG_AVERAGE])
        _record_statistics(workspace, stats[row])
        _copy(points[SELECTED, POSITION], positions[row])
        if gradients.shape[0] > 0:
            _copy(points[SELECTED, GRADIENT], gradients[row])
        if tally[DIVERGING] > 0.0:
            if divergences.shape[0] > 0:
                _copy(points[int(tally[GROWN_END]), POSITION], divergences[n_divergences])
            n_divergences += 1
    return n_divergences


@uncounted
def _record_statistics(workspace: Workspace, row: Vector) -> None:
    """Fill one row of statistics, except the step sizes, after a transition."""
    values, tally = workspace.values, workspace.tally
    row[LP] = values[SELECTED, LOGP]
    row[DRAW_ENERGY] = values[SELECTED, ENERGY]
    row[ENERGY_ERROR] = values[SELECTED, ENERGY] - tally[INITIAL_ENERGY]
    row[INDEX_IN_TRAJECTORY] = values[SELECTED, INDEX]
    row[ACCEPTANCE_RATE] = tally[SUM_ACCEPTANCE] / tally[N_STEPS]
    for column, entry in COPIED_TALLIES:
        row[column] = tally[entry]


@uncounted
def _copy(source: Vector, target: Vector) -> None:
    for i in range(target.shape[0]):
        target[i] = source[i]
