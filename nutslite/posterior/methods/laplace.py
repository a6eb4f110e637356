"""The Laplace approximation: draws from the normal distribution with the pilot's mode and curvature.

What a marginal plan integrated out is drawn exactly, given the approximate rest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import NATURAL
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.nuts_start import launch_metric
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Launch, Target
from nutslite.sampler.transition.metric import Metric, normal_draws

FloatArray = NDArray[np.float64]

MOST_REPEATS = 100  # of normal draws that fall where there is no density


def run(task: Task) -> Fit:
    """Draw from the normal distribution of the launch.

    Raises
    ------
    SamplingError
        If there is no such distribution.
    """
    target, settings = task.target, task.settings
    launch = task.launched()
    metric = launch_metric(launch)
    if metric is None:
        raise SamplingError(
            "No Laplace approximation of this model: no mode with a positive definite curvature was found. Use NUTS."
        )
    task.clock.lap("pilot")
    rng = np.random.default_rng(settings.random_seed)
    positions = inside_draws(target, launch, metric, rng, settings.chains * settings.draws)
    task.clock.lap("sampling")
    values, effects = task.natural(positions.reshape(settings.chains, settings.draws, -1), {}, rng)
    return task.fit("laplace", values, effects, settings=replace(settings, tune=0), approximate=True)


def inside_draws(target: Target, launch: Launch, metric: Metric, rng: np.random.Generator, n: int) -> FloatArray:
    """Normal draws (n, dimension) around the centre; those outside the range of a link are made again.

    Raises
    ------
    SamplingError
        If hardly any are inside.
    """
    positions = launch.center + normal_draws(metric, rng, n)
    if not target.has_edge:
        return positions
    for _ in range(MOST_REPEATS):
        outside = ~np.isfinite(target.log_densities(positions, 1))
        if not outside.any():
            return positions
        positions[outside] = launch.center + normal_draws(metric, rng, int(outside.sum()))
    raise SamplingError(
        "No Laplace approximation of this model: hardly any of its draws lie where the link is defined. Use NUTS."
    )


def serves(plan: Plan) -> str | None:
    """Not what has no pilot, nor a large marginal density."""
    if plan.is_large:
        return "This model's plan is not for a Laplace approximation; use plan='joint' with it."
    if plan.assembled.spec.potentials:
        return "A Laplace approximation starts from a pilot, which knows the model without its potentials: use NUTS."
    return None


METHOD = Method(
    name="laplace",
    about="a normal approximation",
    title=lambda plan: "Laplace approximation",
    heeds=frozenset(),
    parts=lambda plan: (NATURAL,),
    run=run,
    serves=serves,
    approximate=True,
    usual_coordinates=True,
)
