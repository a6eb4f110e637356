"""Hamiltonian Monte Carlo around the pilot's centre, for posteriors of many parameters that a normal is close to."""

from __future__ import annotations

from nutslite.posterior.methods import nuts
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.settings import OPTIONAL
from nutslite.posterior.methods.task import Task


def run(task: Task) -> Fit:
    """As `nuts.run`, with trajectories by an angle; where the pilot finds no centre, NUTS."""
    return nuts.trajectories(task, rotates=True)


METHOD = Method(
    name="hmc",
    about="trajectories of a known length around a pilot's centre",
    title=lambda plan: "HMC",
    heeds=frozenset(OPTIONAL) - {"max_treedepth"},
    parts=nuts.parts,
    run=run,
)
