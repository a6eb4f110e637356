"""Pathfinder: draws of the best normals on several ways to the mode, weighted and resampled; an approximation.

In the pilot's coordinates, in which the posterior is about a standard normal, a way is a few steps long. What a
marginal plan integrated out is drawn exactly, given the approximate rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import MANY, NATURAL
from nutslite._parallel import available_cpus
from nutslite._pareto import largest_shape, smoothed
from nutslite.exceptions import SamplingError
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.nuts_start import launch_metric
from nutslite.posterior.methods.task import Task, better_launch
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Target
from nutslite.sampler.pathfinder.paths import ELBO_DRAWS, Mixture, Path, find_path, resampled
from nutslite.sampler.pathfinder.whitening import Whitening

FloatArray = NDArray[np.float64]

PATHS = 4
SPREAD = 2.0  # of starting points around the centre, in the coordinates of the paths
MOST_HALVINGS = 30  # of the way from a starting point to the centre
CANDIDATES = 2  # weighted draws for each that is kept
STREAM = 3000  # keeps these random numbers apart from those of samplers with the same seed
FURTHEST_SHAPE = 10.0  # of a tail: beyond it, k-hat says nothing more


def run(task: Task) -> Fit:
    """Find the paths, weight draws of their normals against the mixture of these, and resample.

    Raises
    ------
    SamplingError
        If no path leads to a normal distribution.
    """
    target, settings = task.target, task.settings
    launch = task.launched()
    launch = better_launch(target, settings) or launch
    seeds = np.random.SeedSequence(settings.random_seed, spawn_key=(STREAM,)).spawn(3)
    way_rng, draw_rng, recovery_rng = (np.random.default_rng(seed) for seed in seeds)
    whitening = Whitening(launch.center, launch_metric(launch))
    task.clock.lap("pilot")
    values_and_gradients(target.logdensity, target.data, target.data_type, launch.center[None])  # compiles, or loads
    target.log_densities(launch.center[None], 1)
    task.clock.lap("compilation")
    task.before_sampling()
    cores = settings.cores or available_cpus()

    def log_densities(z: FloatArray) -> FloatArray:
        return target.log_densities(whitening.positions(z), cores)

    paths = _paths(target, whitening, log_densities, way_rng, cores)
    n = settings.chains * settings.draws
    mixture = Mixture([path.normal for path in paths])
    candidates = mixture.draws(draw_rng, CANDIDATES * n)
    log_weights, shape = _weights(log_densities(candidates) - mixture.log_density(candidates))
    chosen = resampled(log_weights, n, draw_rng)
    task.clock.lap("sampling")
    positions = whitening.positions(candidates[chosen]).reshape(settings.chains, settings.draws, -1)
    values, effects = task.natural(positions, {}, recovery_rng)
    found = _findings(paths, shape, chosen)
    return task.fit(
        "pathfinder",
        values,
        effects,
        settings=replace(settings, tune=0),
        approximate=True,
        attributes=found,
        warnings=_warnings(found, len(candidates), n),
        remark=f", by Pathfinder (k-hat {shape:.2f}, {found['unique_draws']:_} different draws)",
    )


def _paths(
    target: Target,
    whitening: Whitening,
    log_densities: Callable[[FloatArray], FloatArray],
    rng: np.random.Generator,
    cores: int,
) -> list[Path]:
    """Those that found a normal distribution, one after another; rows of a gradient are shared among the cores."""
    normals = rng.standard_normal((ELBO_DRAWS, target.dimension))
    starts = [_start(log_densities, target.dimension, rng) for _ in range(PATHS)]
    with target.helped(1, cores) as helped:
        data: Any = target.data if helped is None else helped[0]

        def evaluate(z: FloatArray) -> tuple[float, FloatArray]:
            position = whitening.positions(z[None])
            values, gradients = values_and_gradients(target.logdensity, data, target.data_type, position)
            return float(values[0]), whitening.gradients(gradients)[0]

        found = [find_path(evaluate, log_densities, start, normals) for start in starts]
    paths = [path for path in found if path is not None]
    if not paths:
        raise SamplingError(
            "Pathfinder found no normal distribution near this posterior: on none of its ways did draws have a "
            "density. Use NUTS."
        )
    return paths


def _start(log_densities: Callable[[FloatArray], FloatArray], dimension: int, rng: np.random.Generator) -> FloatArray:
    """A point with a density around the centre."""
    start = rng.uniform(-SPREAD, SPREAD, size=dimension)
    nearer = start * 0.5 ** np.arange(MOST_HALVINGS)[:, None]
    inside = np.flatnonzero(np.isfinite(log_densities(nearer)))
    return nearer[inside[0]] if inside.size else np.zeros(dimension)


def _weights(log_ratios: FloatArray) -> tuple[FloatArray, float]:
    """Smoothed log weights, and the shape of their tail, a finite number.

    Raises
    ------
    SamplingError
        If no draw has a density.
    """
    log_ratios = np.where(np.isfinite(log_ratios), log_ratios, -np.inf)
    if not np.isfinite(log_ratios).any():
        raise SamplingError("None of Pathfinder's draws has a density. Use NUTS.")
    log_weights, shape = smoothed(log_ratios)
    return log_weights, float(np.clip(shape, -FURTHEST_SHAPE, FURTHEST_SHAPE))


def _findings(paths: list[Path], shape: float, chosen: NDArray[np.int64]) -> dict[str, Any]:
    """What the results keep of how the approximation was found."""
    return {
        "khat": shape,
        "unique_draws": int(np.unique(chosen).size),
        "elbo": max(path.elbo for path in paths),
        "n_gradients": sum(path.gradients for path in paths),
    }


def _warnings(found: dict[str, Any], candidates: int, n: int) -> tuple[str, ...]:
    """That the draws are not to be used, where their weights say so."""
    limit = largest_shape(candidates)
    if found["khat"] <= limit:
        return ()
    return (
        f"Pathfinder's approximation is not to be believed: k-hat is {found['khat']:.2f}, above {limit:.2f}, and of "
        f"{n:,} draws {found['unique_draws']:,} are different ones. Use inference_method='nuts'.",
    )


def serves(plan: Plan) -> str | None:
    """Not a large marginal density, which has no gradient."""
    if plan.is_large:
        return "This model's plan is not for Pathfinder, which needs gradients; use plan='joint' with it."
    return None


METHOD = Method(
    name="pathfinder",
    about="the best normal approximations on several ways to the mode, weighted",
    title=lambda plan: "Pathfinder",
    heeds=frozenset({"cores"}),
    parts=lambda plan: (MANY, NATURAL),
    run=run,
    serves=serves,
    refuses=frozenset({"checkpoint"}),
    approximate=True,
)
