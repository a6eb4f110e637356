"""Slice sampling of models of few rows, in the coordinates of `warp`.

A trial of fixed length finds how wide the posterior is in which directions, and how many updates make a draw that
hardly depends on the one before. Nothing in it depends on how many draws follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus, run_in_parts
from nutslite.posterior.run_independence import IndependentDraws
from nutslite.posterior.target import Launch, Target
from nutslite.sampler.slice import compiled_slices

FloatArray = NDArray[np.float64]

WIDTH = 2.5  # of a slice's first interval, in standard deviations
TRIALS = (60, 400)  # draws of each chain of the trial: the first find the directions for the second
TRIAL_CHAINS = 4
BURN_IN = 10  # draws
SHARE_OF_TIME = 0.4  # of the slowest parameter's autocorrelation time, between draws
MOST_SWEEPS = 60  # of updates along as many directions as there are parameters
BATCHES = 6  # of each chain of the trial
DRAWS_PER_BLOCK = 50  # between two reports
STREAM = 2000  # keeps these random numbers apart from those of other samplers with the same seed
RIDGE = 1e-8


class Wanted(Protocol):
    """What is asked for; `nutslite.posterior.run.Settings` has it."""

    @property
    def draws(self) -> int: ...  # noqa: D102
    @property
    def chains(self) -> int: ...  # noqa: D102
    @property
    def cores(self) -> int | None: ...  # noqa: D102
    @property
    def random_seed(self) -> Any: ...  # noqa: D102


@dataclass(frozen=True)
class Slices:
    """Directions, updates for each draw, starting points, and the random numbers to go on with."""

    directions: FloatArray
    updates: int
    starts: FloatArray
    chain_seeds: np.random.SeedSequence
    recovery_rng: np.random.Generator


def slices_for(target: Target, launch: Launch, wanted: Wanted) -> Slices | None:
    """The result of the trial; None where it cannot start."""
    seeds = np.random.SeedSequence(wanted.random_seed, spawn_key=(STREAM,)).spawn(4)
    starts = _starts(target, launch, np.random.default_rng(seeds[0]))
    if starts is None:
        return None
    rngs = [np.random.default_rng(seed) for seed in seeds[1].spawn(TRIAL_CHAINS)]
    directions = _directions(np.asarray(launch.information, dtype=float))
    for n in TRIALS:
        draws, values = np.empty((TRIAL_CHAINS, n, target.dimension)), np.empty((TRIAL_CHAINS, n))
        for chain, rng in enumerate(rngs):
            run = compiled_slices(target.data_type)
            run(
                target.logdensity,
                target.data,
                rng,
                starts[chain],
                directions,
                target.dimension,
                draws[chain],
                values[chain],
            )
        flat = draws[:, n // 4 :].reshape(-1, target.dimension)
        directions = _directions(np.cov(flat, rowvar=False).reshape(target.dimension, target.dimension))
    sweeps = min(max(SHARE_OF_TIME * _autocorrelation_time(draws), 1.0), MOST_SWEEPS)
    return Slices(directions, math.ceil(target.dimension * sweeps), flat, seeds[2], np.random.default_rng(seeds[3]))


def run_slice(
    target: Target, method: Slices, wanted: Wanted, report: Callable[[int, int, float], None]
) -> IndependentDraws:
    """Sample; Ctrl-C keeps the draws that all chains have.

    Raises
    ------
    KeyboardInterrupt
        If stopped before the first block of draws.
    """
    chains, draws = wanted.chains, wanted.draws
    positions, values = np.empty((chains, draws, target.dimension)), np.empty((chains, draws))
    rngs = [np.random.default_rng(seed) for seed in method.chain_seeds.spawn(chains)]
    states = np.array([method.starts[rng.integers(len(method.starts))] for rng in rngs])
    run = compiled_slices(target.data_type)
    burnt, unused = np.empty((BURN_IN, target.dimension)), np.empty(BURN_IN)
    done, interrupted = 0, False
    try:
        for state, rng in zip(states, rngs, strict=True):
            run(target.logdensity, target.data, rng, state, method.directions, method.updates, burnt, unused)
        while done < draws:
            rows = slice(done, min(draws, done + DRAWS_PER_BLOCK))

            def block(some: slice, rows: slice = rows) -> None:
                for c in range(chains)[some]:
                    where = positions[c, rows], values[c, rows]
                    run(target.logdensity, target.data, rngs[c], states[c], method.directions, method.updates, *where)

            run_in_parts(block, chains, wanted.cores or available_cpus(), fewest=1)
            done = rows.stop
            for c in range(chains):
                report(c, done, 1.0)
    except KeyboardInterrupt:
        interrupted = True
        if not done:
            raise
    stats: dict[str, NDArray[Any]] = {"lp": values[:, :done], "diverging": np.zeros((chains, done), dtype=bool)}
    return IndependentDraws(positions[:, :done], stats, interrupted)


def _directions(covariance: FloatArray) -> FloatArray:
    """Coordinate axes, then principal axes, each as long as a slice's first interval."""
    scales = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlations = covariance / np.outer(scales, scales) + RIDGE * np.eye(scales.size)
    eigenvalues, vectors = np.linalg.eigh(correlations)
    axes = (vectors * np.sqrt(np.maximum(eigenvalues, RIDGE))).T * scales
    both = [np.diag(scales), axes] if scales.size > 1 else [axes]
    return np.ascontiguousarray(WIDTH * np.concatenate(both))


def _starts(target: Target, launch: Launch, rng: np.random.Generator) -> FloatArray | None:
    """Points around the centre with a finite density."""
    covariance = np.asarray(launch.information, dtype=float)
    factor = np.linalg.cholesky(covariance)
    for shrink in (1.0, 0.3, 0.1, 0.0):
        points = launch.center + shrink * rng.standard_normal((16, target.dimension)) @ factor.T
        finite = points[np.isfinite(target.log_densities(points, 1))]
        if len(finite) >= TRIAL_CHAINS:
            return np.ascontiguousarray(finite[:TRIAL_CHAINS])
    return None


def _autocorrelation_time(draws: FloatArray) -> float:
    """Of the slowest coordinate, by batch means within chains (chains, n, dim), rough."""
    n = draws.shape[1]
    half = draws[:, n // 4 :]
    size = half.shape[1] // BATCHES
    batches = half[:, : BATCHES * size].reshape(draws.shape[0] * BATCHES, size, -1).mean(axis=1)
    ranks = np.argsort(np.argsort(half.reshape(-1, half.shape[2]), axis=0), axis=0).reshape(half.shape)
    ranked = ranks[:, : BATCHES * size].reshape(draws.shape[0] * BATCHES, size, -1).mean(axis=1)
    times = [
        size * found.var(axis=0, ddof=1) / np.maximum(all_.reshape(-1, half.shape[2]).var(axis=0), 1e-300)
        for found, all_ in ((batches, half), (ranked, ranks.astype(float)))
    ]
    return float(np.max(times))
