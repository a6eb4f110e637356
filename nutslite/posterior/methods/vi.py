"""Variational inference: the normal that batch and match fits to the posterior, in the pilot's coordinates, weighted.

Up to 500 parameters it has a full covariance, beyond them one of diagonal and low rank in coordinates in which what the
pilot found of the posterior, group by group, is a standard normal distribution. What a marginal plan integrated out is
drawn exactly, given the approximate rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nutslite._awaited import MANY, NATURAL
from nutslite.posterior.methods.approximation import (
    WhiteTarget,
    approximate_fit,
    no_gradients,
    smoothed_by_tail,
    streams,
    weighted_normals,
    white_target,
)
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import Task
from nutslite.sampler.pathfinder.low_rank_normal import LowRankNormal, diagonal_normal
from nutslite.sampler.variational.batch_and_match import DENSE, MOST_STEPS, Form, batch_and_match, batch_size
from nutslite.sampler.variational.candidates import candidates
from nutslite.sampler.variational.dense_normal import DenseNormal
from nutslite.sampler.variational.low_rank_match import LOW_RANK
from nutslite.sampler.variational.mean_field import MeanField, fit_mean_field, fixed_draws

STREAM = 4000  # keeps these random numbers apart from those of other methods with the same seed
MOST_DENSE = 500  # parameters with a full covariance
DRAWS_OF_LOW_RANK = 64  # in a batch, where it is of low rank
TRIAL_DRAWS, HOPELESS = 1000, 1.0  # of what the pilot found: from this k-hat on a mean field is the start
MOST_GRADIENTS, FEWEST_STEPS = 5000, 10  # where batches are small; of a second round


def run(task: Task) -> Fit:
    """Fit the normal, and draw; with batches of twice the size where its weights are bad, as far as gradients go."""
    settings = task.settings
    match_rng, draw_rng, choice_rng, recovery_rng = streams(settings, STREAM, 4)
    white = white_target(task)
    form: Form[Any] = DENSE if white.dimension <= MOST_DENSE else LOW_RANK
    start: Any = _start(white, match_rng)
    if form is DENSE:
        start = DenseNormal(start.center, np.diag(start.scales))
    draws = batch_size(white.dimension) if form is DENSE else DRAWS_OF_LOW_RANK
    matched = batch_and_match(white.gradients, start, form, match_rng, draws)
    found = weighted_normals(white, [matched.normal], draw_rng, settings)
    settled = matched.converged
    steps = (max(MOST_GRADIENTS, MOST_STEPS * draws) - white.evaluated) // (2 * draws) - 1
    if found.khat > found.limit and steps >= FEWEST_STEPS:
        again = batch_and_match(white.gradients, matched.normal, form, match_rng, 2 * draws, steps)
        settled = settled or again.converged  # it began where the first round had ended
        second = weighted_normals(white, [again.normal], draw_rng, settings)
        found = second if second.khat < found.khat else found
    return approximate_fit(
        task,
        "vi",
        TITLE,
        found,
        (choice_rng, recovery_rng),
        attributes={"n_gradients": white.evaluated, "converged": settled},
        faults="" if settled else f"Its normal distribution had not settled after {matched.steps} steps.",
    )


def _start(white: WhiteTarget, rng: np.random.Generator) -> LowRankNormal:
    """What the pilot found; a mean field where hardly any of that lies where the posterior is."""
    zeros, ones = np.zeros(white.dimension), np.ones(white.dimension)
    standard = diagonal_normal(zeros, ones)
    trial = candidates([standard], rng, TRIAL_DRAWS, tails=False)
    values = white.log_densities(trial.positions)
    inside = np.isfinite(values)
    log_ratios = (values - trial.log_density)[inside]
    if 2 * inside.sum() > TRIAL_DRAWS and smoothed_by_tail(log_ratios, HOPELESS)[1] < HOPELESS:
        return standard
    field = fit_mean_field(white.gradients, MeanField(zeros, ones, fixed_draws(rng, white.dimension)))
    return standard if field is None else field.normal


TITLE = "Variational inference"
METHOD = Method(
    name="vi",
    about="the normal distribution whose gradients match the posterior's",
    title=lambda plan: TITLE,
    heeds=frozenset({"cores", "importance"}),
    parts=lambda plan: (MANY, NATURAL),
    run=run,
    serves=no_gradients("variational inference"),
    refuses=frozenset({"checkpoint"}),
    approximate=True,
)
