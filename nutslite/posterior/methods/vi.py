"""Variational inference: the normal distribution that batch and match fits to the posterior, in the pilot's coordinates.

Up to 500 parameters it has a full covariance. What a marginal plan integrated out is drawn exactly, given the
approximate rest.
"""

from __future__ import annotations

import numpy as np

from nutslite._awaited import MANY, NATURAL
from nutslite.posterior.methods.approximation import (
    WhiteTarget,
    approximate_fit,
    cores_of,
    streams,
    weighted_normal,
)
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import Task, better_launch
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.variational.batch_and_match import DENSE, batch_and_match, batch_size
from nutslite.sampler.variational.dense_normal import DenseNormal

STREAM = 4000  # keeps these random numbers apart from those of other methods with the same seed


def run(task: Task) -> Fit:
    """Fit the normal, and draw."""
    settings, target = task.settings, task.target
    launch = better_launch(target, settings) or task.launched()
    match_rng, draw_rng, choice_rng, recovery_rng = streams(settings, STREAM, 4)
    white = WhiteTarget(target, launch, cores_of(settings))
    task.clock.lap("pilot")
    white.compile()
    task.clock.lap("compilation")
    task.before_sampling()
    start = DenseNormal(np.zeros(white.dimension), np.eye(white.dimension))
    matched = batch_and_match(white.gradients, start, DENSE, match_rng, batch_size(white.dimension))
    found = weighted_normal(white, matched.normal, draw_rng, settings)
    attributes = {"n_gradients": white.evaluated, "converged": matched.converged}
    return approximate_fit(
        task, "vi", "Variational inference", found, (choice_rng, recovery_rng), attributes=attributes
    )


def serves(plan: Plan) -> str | None:
    """Not a large marginal density, which has no gradient."""
    if plan.is_large:
        return "This model's plan is not for variational inference, which needs gradients; use plan='joint' with it."
    return None


METHOD = Method(
    name="vi",
    about="the normal distribution nearest to the posterior",
    title=lambda plan: "Variational inference",
    heeds=frozenset({"cores", "importance"}),
    parts=lambda plan: (MANY, NATURAL),
    run=run,
    serves=serves,
    refuses=frozenset({"checkpoint"}),
    approximate=True,
)
