"""What methods without trajectories draw, and what is left to do then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.task import Task

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class IndependentDraws:
    """Positions (chains, draws, dimension) and statistics by ArviZ's names."""

    positions: FloatArray
    stats: dict[str, NDArray[Any]]
    interrupted: bool


def independent_fit(
    task: Task, name: str, drawn: IndependentDraws, recovery_rng: np.random.Generator, remark: str
) -> Fit:
    """The record of the run `name`; draws of an interrupted one are said to be kept."""
    task.clock.lap("sampling")
    if drawn.interrupted:
        task.say_what_is_kept(drawn.positions)
    values, effects = task.natural(drawn.positions, drawn.stats, recovery_rng)
    return task.fit(
        name,
        values,
        effects,
        stats=drawn.stats,
        settings=replace(task.settings, tune=0),
        interrupted=drawn.interrupted,
        remark=remark,
    )
