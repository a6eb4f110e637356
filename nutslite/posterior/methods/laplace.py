"""The Laplace approximation: the normal distribution with the pilot's mode and curvature, weighted.

What a marginal plan integrated out is drawn exactly, given the approximate rest.
"""

from __future__ import annotations

import numpy as np

from nutslite._awaited import MANY, NATURAL
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.approximation import (
    WhiteTarget,
    approximate_fit,
    cores_of,
    streams,
    weighted_normals,
)
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.pathfinder.low_rank_normal import diagonal_normal

STREAM = 6000  # keeps these random numbers apart from those of other methods with the same seed


def run(task: Task) -> Fit:
    """Draw from the normal distribution of the launch.

    Raises
    ------
    SamplingError
        If there is no such distribution.
    """
    target, settings = task.target, task.settings
    launch = task.launched()
    if launch.information is None:
        raise SamplingError(
            "No Laplace approximation of this model: no mode with a positive definite curvature was found. Use NUTS."
        )
    white = WhiteTarget(target, launch, cores_of(settings))
    task.clock.lap("pilot")
    draw_rng, choice_rng, recovery_rng = streams(settings, STREAM, 3)
    standard = diagonal_normal(np.zeros(white.dimension), np.ones(white.dimension))
    found = weighted_normals(white, [standard], draw_rng, settings)
    attributes = {"n_gradients": launch.gradients, "n_values": launch.values, "converged": launch.settled}
    rngs = choice_rng, recovery_rng
    faults = "" if launch.settled else "The search for its mode had not ended when it had taken all its steps."
    return approximate_fit(task, "laplace", "Laplace approximation", found, rngs, attributes=attributes, faults=faults)


def serves(plan: Plan) -> str | None:
    """Not what has no pilot, nor a large marginal density."""
    if plan.is_large:
        return "This model's plan is not for a Laplace approximation; use plan='joint' with it."
    if plan.assembled.spec.potentials:
        return "A Laplace approximation starts from a pilot, which knows the model without its potentials: use NUTS."
    return None


METHOD = Method(
    name="laplace",
    about="a normal approximation at the mode",
    title=lambda plan: "Laplace approximation",
    heeds=frozenset({"cores", "importance"}),
    parts=lambda plan: (MANY, NATURAL),
    run=run,
    serves=serves,
    approximate=True,
    usual_coordinates=True,
)
