"""One transition of the No-U-Turn sampler: a fresh momentum, random directions, a trajectory."""

from __future__ import annotations

from typing import Any

import numpy as np

from nutslite.sampler.transition.compiling import uncounted_inlined
from nutslite.sampler.transition.hamiltonian import MOMENTUM, VELOCITY
from nutslite.sampler.transition.logdensity import LogDensity
from nutslite.sampler.transition.metric import Metric, draw_momentum, set_velocity
from nutslite.sampler.transition.trajectory import SELECTED, Workspace, sample_trajectory


@uncounted_inlined
def transition(
    logdensity: LogDensity,
    data: Any,
    rng: np.random.Generator,
    metric: Metric,
    workspace: Workspace,
    step_size: float,
    max_treedepth: int,
) -> None:
    """Replace the SELECTED point of `workspace` (position, gradient, log density) by the chain's next state.

    The directions of all doublings are the bits of one uniform number; its 53 random bits bound `max_treedepth`.
    """
    momentum, velocity = workspace.points[SELECTED, MOMENTUM], workspace.points[SELECTED, VELOCITY]
    draw_momentum(metric, rng, momentum)
    set_velocity(metric, momentum, velocity)
    directions = int(rng.random() * (1 << max_treedepth))
    sample_trajectory(logdensity, data, rng, metric, workspace, step_size, directions, max_treedepth)
