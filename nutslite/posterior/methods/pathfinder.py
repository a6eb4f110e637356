"""Pathfinder: draws of the best normals on several ways to the mode, weighted and resampled; an approximation.

In the pilot's coordinates, in which the posterior is about a standard normal, a way is a few steps long. What a
marginal plan integrated out is drawn exactly, given the approximate rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import MANY, NATURAL
from nutslite.exceptions import SamplingError
from nutslite.posterior.density.many_positions import values_and_gradients
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
from nutslite.sampler.pathfinder.paths import ELBO_DRAWS, Path, find_path

FloatArray = NDArray[np.float64]

PATHS = 4
SPREAD = 2.0  # of starting points around the centre, in the coordinates of the paths
MOST_HALVINGS = 30  # of the way from a starting point to the centre
STREAM = 3000  # keeps these random numbers apart from those of samplers with the same seed


def run(task: Task) -> Fit:
    """Find the paths, weight draws of their normals against the mixture of these, and resample.

    Raises
    ------
    SamplingError
        If no path leads to a normal distribution.
    """
    way_rng, draw_rng, recovery_rng = streams(task.settings, STREAM, 3)
    white = white_target(task)
    paths = _paths(white, way_rng)
    found = weighted_normals(white, [path.normal for path in paths], draw_rng, task.settings)
    attributes = {"n_gradients": sum(path.gradients for path in paths), "converged": True}
    return approximate_fit(
        task, "pathfinder", TITLE, found, (draw_rng, recovery_rng), attributes=attributes, always=True
    )


def _paths(white: WhiteTarget, rng: np.random.Generator) -> list[Path]:
    """Those that found a normal distribution, one after another; rows of a gradient are shared among the cores."""
    target, whitening = white.target, white.whitening
    normals = rng.standard_normal((ELBO_DRAWS, target.dimension))
    starts = [_start(white, rng) for _ in range(PATHS)]
    with target.helped(1, white.cores) as helped:
        data: Any = target.data if helped is None else helped[0]

        def evaluate(z: FloatArray) -> tuple[float, FloatArray]:
            position = whitening.positions(z[None])
            values, gradients = values_and_gradients(target.logdensity, data, target.data_type, position)
            return float(values[0]), whitening.gradients(gradients)[0]

        found = [find_path(evaluate, white.log_densities, start, normals) for start in starts]
    paths = [path for path in found if path is not None]
    if not paths:
        raise SamplingError(
            "Pathfinder found no normal distribution near this posterior: on none of its ways did draws have a "
            "density. Use NUTS."
        )
    return paths


def _start(white: WhiteTarget, rng: np.random.Generator) -> FloatArray:
    """A point with a density around the centre."""
    start = rng.uniform(-SPREAD, SPREAD, size=white.dimension)
    nearer = start * 0.5 ** np.arange(MOST_HALVINGS)[:, None]
    inside = np.flatnonzero(np.isfinite(white.log_densities(nearer)))
    return nearer[inside[0]] if inside.size else np.zeros(white.dimension)


TITLE = "Pathfinder"
METHOD = Method(
    name="pathfinder",
    about="the best normal approximations on several ways to the mode, weighted",
    title=lambda plan: TITLE,
    heeds=frozenset({"cores", "importance"}),
    parts=lambda plan: (MANY, NATURAL),
    run=run,
    serves=no_gradients("Pathfinder"),
    refuses=frozenset({"checkpoint"}),
    approximate=True,
)
