"""Mean field: independent normals by a deterministic lower bound, with covariances by linear response; weighted.

What a marginal plan integrated out is drawn exactly, given the approximate rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nutslite._awaited import MANY, NATURAL
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.approximation import (
    WhiteTarget,
    approximate_fit,
    no_gradients,
    streams,
    weighted_normals,
    white_target,
)
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import Task
from nutslite.sampler.variational.batch_and_match import Normal
from nutslite.sampler.variational.linear_response import linear_response
from nutslite.sampler.variational.mean_field import DRAWS, MeanField, fit_mean_field, fixed_draws

STREAM = 5000  # keeps these random numbers apart from those of other methods with the same seed
MOST_RESPONDING = 500  # parameters with covariances by linear response
LARGEST_ERROR = 0.5  # of a mean, in standard deviations, by the choice of the fixed draws
MOST_DRAWS = 4 * DRAWS  # to which their number is doubled, where it is larger
FLAT = 1e-3  # a slope of the bound at its maximum, where no curvature tells more


@dataclass(frozen=True)
class Found:
    """The normal that is drawn from, whether it is at a maximum, and how much the choice of so many draws matters."""

    normal: Normal
    converged: bool
    sampling_error: float
    draws: int


def run(task: Task) -> Fit:
    """Maximise the bound, with more fixed draws where they decide too much; then draw."""
    settings = task.settings
    fixed_rng, draw_rng, choice_rng, recovery_rng = streams(settings, STREAM, 4)
    white = white_target(task)
    found = _found(white, fixed_rng)
    weighted = weighted_normals(white, [found.normal], draw_rng, settings)
    attributes = {
        "n_gradients": white.evaluated,
        "converged": found.converged,
        "sampling_error": found.sampling_error,
        "fixed_draws": found.draws,
    }
    rngs = choice_rng, recovery_rng
    faults = "" if found.converged else "Its lower bound has no maximum where it ended."
    return approximate_fit(task, "meanfield", TITLE, weighted, rngs, attributes=attributes, faults=faults)


def _found(white: WhiteTarget, rng: np.random.Generator) -> Found:
    """The field with its response; the field alone where there is none."""
    center, scales, draws = np.zeros(white.dimension), np.ones(white.dimension), DRAWS
    while True:
        field = fit_mean_field(white.gradients, MeanField(center, scales, fixed_draws(rng, white.dimension, draws)))
        if field is None:
            raise SamplingError("Mean field found no distribution whose draws have a density. Use NUTS.")
        draws = len(field.fixed)
        response = linear_response(white.gradients, field) if white.dimension <= MOST_RESPONDING else None
        if response is None:
            with np.errstate(invalid="ignore"):
                slope = np.abs(field.slopes(white.gradients)[1].mean(axis=0)).max()
            return Found(field.normal, bool(slope < FLAT), math.nan, draws)
        if response.sampling_error <= LARGEST_ERROR or draws >= MOST_DRAWS:
            return Found(response.normal, response.converged, response.sampling_error, draws)
        center, scales, draws = response.field.center, response.field.scales, 2 * draws


TITLE = "Mean field"
METHOD = Method(
    name="meanfield",
    about="independent normal distributions, with covariances by linear response",
    title=lambda plan: TITLE,
    heeds=frozenset({"cores", "importance"}),
    parts=lambda plan: (MANY, NATURAL),
    run=run,
    serves=no_gradients("a mean field"),
    refuses=frozenset({"checkpoint"}),
    approximate=True,
)
