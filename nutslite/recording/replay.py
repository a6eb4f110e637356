"""A transition once more: from what the compiled sampler started with, in plain Python, to the same draw."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SamplingError
from nutslite.recording.notes import Notes
from nutslite.recording.plain import plain
from nutslite.sampler.transition.chain import run_block
from nutslite.sampler.transition.hamiltonian import GRADIENT, POSITION
from nutslite.sampler.transition.handle import Handle
from nutslite.sampler.transition.metric import Metric
from nutslite.sampler.transition.statistics import (
    DIVERGING,
    ENERGY,
    INDEX_IN_TRAJECTORY,
    LP,
    N_STEPS,
    REACHED_MAX_TREEDEPTH,
    STATISTICS,
    TREE_DEPTH,
)
from nutslite.sampler.transition.trajectory import LOGP, SELECTED, new_workspace

Array = npt.NDArray[np.float64]

ARGUMENTS = tuple(inspect.signature(run_block).parameters)
"""Names of what a block of transitions is called with."""

SAME = (LP, TREE_DEPTH, N_STEPS, DIVERGING, ENERGY, REACHED_MAX_TREEDEPTH, INDEX_IN_TRAJECTORY)
"""Statistics that a replay must have to the last bit. The others have sums of exp, whose last bit is the library's."""


class Density:
    """The log density of a chain as Python calls it: by the compiled block, so by the code that the chain runs.

    Parameters
    ----------
    block : callable
        The compiled `run_block`.
    handle : Handle
        Log density and data; kept alive.
    arguments : dict
        Of a call of the block; how it sampled does not matter.
    """

    def __init__(self, block: Callable[..., int], handle: Handle, arguments: dict[str, Any]) -> None:
        dimension = arguments["workspace"].points.shape[2]
        nothing = np.empty((0, dimension))
        self._block, self._handle = block, handle
        self._workspace = new_workspace(dimension, 1)
        self._arguments = {
            **arguments,
            "workspace": self._workspace,
            "adaptation": arguments["adaptation"].copy(),
            "rng": np.random.Generator(np.random.PCG64(0)),
            "adapts": False,
            "evaluates": True,
            "searches": False,
            "positions": nothing,
            "gradients": nothing,
            "stats": np.empty((0, len(STATISTICS))),
            "divergences": nothing,
        }

    def __call__(self, position: npt.ArrayLike) -> tuple[float, Array]:
        """Log density and gradient (dim,) at a position (dim,)."""
        points = self._workspace.points
        points[SELECTED, POSITION] = position
        with np.errstate(all="ignore"):  # without the JIT, inf and nan come with warnings
            self._block(*self._arguments.values())
        return float(self._workspace.values[SELECTED, LOGP]), points[SELECTED, GRADIENT].copy()

    def kernel(self, position: Array, gradient: Array, data: Any) -> float:
        """The same as the sampler calls it: `gradient` is overwritten; `data` are the handle's."""
        logp, gradient[:] = self(position)
        return logp


class Start(NamedTuple):
    """What a transition starts from.

    Attributes
    ----------
    position, gradient : ndarray (dim,)
    logp : float
    random : dict
        State of the generator.
    adaptation : ndarray (5,)
        Its first number is the step size.
    metric : Metric
    max_treedepth : int
    target_accept : float
    """

    position: Array
    gradient: Array
    logp: float
    random: dict[str, Any]
    adaptation: Array
    metric: Metric
    max_treedepth: int
    target_accept: float


def start_of(arguments: dict[str, Any]) -> Start:
    """What the next transition of a chain starts from, given what its block is called with."""
    points, values = arguments["workspace"].points, arguments["workspace"].values
    return Start(
        points[SELECTED, POSITION].copy(),
        points[SELECTED, GRADIENT].copy(),
        float(values[SELECTED, LOGP]),
        copy.deepcopy(arguments["rng"].bit_generator.state),
        arguments["adaptation"].copy(),
        arguments["metric"],
        int(arguments["max_treedepth"]),
        float(arguments["target_accept"]),
    )


class Replay(NamedTuple):
    """What came of it: the notes, where the chain went, and the row of statistics."""

    notes: Notes
    position: Array
    stats: Array


def replay(start: Start, density: Density) -> Replay:
    """Run one transition in plain Python and take notes."""
    dimension = start.position.shape[0]
    workspace = new_workspace(dimension, start.max_treedepth)
    points, values = workspace.points, workspace.values
    points[SELECTED, POSITION], points[SELECTED, GRADIENT] = start.position, start.gradient
    values[SELECTED, LOGP] = start.logp
    generator = getattr(np.random, start.random["bit_generator"])()
    generator.state = start.random
    notes = Notes(workspace)
    positions, stats, nothing = np.empty((1, dimension)), np.empty((1, len(STATISTICS))), np.empty((0, dimension))
    arguments = {
        **density._arguments,
        "workspace": workspace,
        "rng": np.random.Generator(generator),
        "metric": start.metric,
        "adaptation": start.adaptation.copy(),
        "target_accept": start.target_accept,
        "max_treedepth": start.max_treedepth,
        "evaluates": False,
        "positions": positions,
        "gradients": nothing,
        "stats": stats,
        "divergences": nothing,
    }
    block = plain(run_block, {"logdensity_at": lambda _: lambda _: density.kernel, **notes.watches()})
    with np.errstate(all="ignore"):  # inf and nan are expected, as they are in compiled code
        block(*arguments.values())
    return Replay(notes, positions[0], stats[0])


def check_same(found: Replay, position: Array, stats: Array, number: int) -> None:
    """Refuse a replay that went elsewhere than the chain did.

    Raises
    ------
    SamplingError
        The log density then depends on more than its arguments.
    """
    if np.array_equal(found.position, position) and np.array_equal(found.stats[list(SAME)], stats[list(SAME)]):
        return
    raise SamplingError(
        f"Transition {number}, made again, does not end where it ended when the chain was drawn. Has the data that the "
        "log density reads been changed since, or does it use random numbers? What can be seen again is NUTS with the "
        "leapfrog integrator on a log density that depends on position and data alone."
    )
