"""A block of transitions of replaceable parts: the twin of `run_block` in `transition/chain.py`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import MATRIX, VECTOR, jit_disabled, kernel_with_signature
from nutslite.sampler.parts.first_step import search_first_step
from nutslite.sampler.parts.step_size_rule import restart_at, update_at
from nutslite.sampler.parts.system import GENERATOR, SYSTEM, WORKSPACE, System, evaluate
from nutslite.sampler.parts.trajectory_rule import transition_at
from nutslite.sampler.transition import statistics
from nutslite.sampler.transition.chain import SEARCH_FAILED, STEP, STEP_BAR, _copy, _record_statistics
from nutslite.sampler.transition.hamiltonian import GRADIENT, POSITION
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.step_size import LOG_AVERAGE, STEP_SIZE
from nutslite.sampler.transition.trajectory import (
    DIVERGING,
    GROWN_END,
    LOGP,
    N_LEAPS,
    SELECTED,
    SUM_ACCEPTANCE,
    Workspace,
)

ACCEPTANCE_RATE = statistics.ACCEPTANCE_RATE


@functools.cache
def compiled_block_of_parts() -> Callable[..., int]:
    """`run_block_of_parts`, compiled once for all parts; plain Python without the JIT."""
    if jit_disabled():
        return run_block_of_parts
    return kernel_with_signature(run_block_of_parts, _signature())


def _signature() -> Any:
    return types.int64(
        SYSTEM,
        types.int64,  # the trajectory rule's transition
        types.int64,  # the step-size rule's restart
        types.int64,  # and its update
        GENERATOR,
        WORKSPACE,
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


def run_block_of_parts(
    system: System,
    transition_address: Any,
    restart_address: Any,
    update_address: Any,
    rng: np.random.Generator,
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
    """Run as many transitions as `stats` has rows; arguments and result as of `run_block`, parts by their addresses."""
    transition, update = transition_at(transition_address), update_at(update_address)
    points, values, tally = workspace.points, workspace.values, workspace.tally
    if evaluates:
        values[SELECTED, LOGP] = evaluate(system, points[SELECTED])
    if searches:
        if not search_first_step(system, rng, workspace, adaptation):
            return SEARCH_FAILED
        restart = restart_at(restart_address)
        restart(adaptation)
    n_divergences = 0
    for row in range(stats.shape[0]):
        stats[row, STEP] = adaptation[STEP_SIZE]
        transition(system, rng, workspace, adaptation[STEP_SIZE], max_treedepth)
        acceptance = tally[SUM_ACCEPTANCE] / tally[N_LEAPS]
        if adapts:
            update(adaptation, acceptance, target_accept)
        stats[row, STEP_BAR] = math.exp(adaptation[LOG_AVERAGE])
        _record_statistics(workspace, stats[row])
        stats[row, ACCEPTANCE_RATE] = acceptance
        _copy(points[SELECTED, POSITION], positions[row])
        if gradients.shape[0] > 0:
            _copy(points[SELECTED, GRADIENT], gradients[row])
        if tally[DIVERGING] > 0.0:
            if divergences.shape[0] > 0:
                _copy(points[int(tally[GROWN_END]), POSITION], divergences[n_divergences])
            n_divergences += 1
    return n_divergences
