"""Slice sampling of models of few rows: of the joint density in the coordinates of `warp`, or of the marginal one.

A trial finds how wide the posterior is in which directions, and how many updates make a draw that hardly depends on
the one before. It goes on until it is long beside the autocorrelation time that it measures, or its budget is spent.
Nothing in it depends on how many draws follow.

Directions are coordinate axes, principal axes and, between them, differences of two draws of the trial, as in
differential evolution (ter Braak 2006): they point along ridges, and from one mode to another. All are fixed before the
first draw that is kept, so that each update leaves the posterior as it is.

Where the inverse link of a real mean breaks the posterior into pieces, its powers are sampled beside it, down to one at
which hardly more than the prior is left, and exchange states with it: pieces get the weights that they have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import NATURAL
from nutslite._log import log
from nutslite._parallel import available_cpus, run_in_parts
from nutslite.posterior.methods.autocorrelation import BATCHES, autocorrelation_time, is_slow
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.independent_draws import IndependentDraws, independent_fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import JointTarget, Launch, MarginalTarget
from nutslite.sampler.progress import transition_bar
from nutslite.sampler.slice import compiled_slices

FloatArray = NDArray[np.float64]

WIDTH = 2.5  # of a slice's first interval along an axis, in standard deviations
DIFFERENCES, STRETCHED = 16, 1.5  # differences for each parameter; a slice's first interval beside one of them
FIRST_DRAWS = 60  # of each chain: they find directions for the trial
TRIAL_DRAWS = 1000  # of each of its rounds, which have to see what is rare
TRIAL_CHAINS = 4
LONG_ENOUGH = 150  # autocorrelation times in the draws of a round's chain that are looked at
AIM, LONGER = 2.5, 8  # the next round's time in its draws, by more sweeps between them; how many times more at most
MOST_TRIAL_SWEEPS = 64  # between draws of the trial
SHARE_OF_TIME = 0.4  # of the slowest parameter's autocorrelation time, between draws ...
SHARE_IN_PIECES = 1.0  # ... and where pieces that are seldom come to may make it longer than it seems
FEWEST_SWEEPS = 2.0  # between draws; a sweep is as many updates as there are parameters
MOST_UPDATES = 150  # for each draw, those at all powers: one or two milliseconds
MOST_TRIAL_UPDATES = 300_000  # of all rounds
WORTHWHILE = 1.5  # times more sweeps than in the round before
MOST_UPDATES_AGAIN = 400  # at all powers, where draws turn out slow and are made again
BURN_IN = 10  # draws
DRAWS_PER_BLOCK = 50  # between two reports
POWERS = 0.4 ** np.arange(9.0)  # of the likelihood, where the posterior has pieces
STREAM = 2000  # keeps these random numbers apart from those of other samplers with the same seed
RIDGE = 1e-8


@dataclass(frozen=True)
class Slices:
    """Directions, updates for each draw, starting points, and the random numbers to go on with.

    `directions` (powers, k, dimension) and `starts` (n, powers, dimension) belong to `powers` of the likelihood.
    """

    target: JointTarget | MarginalTarget
    powers: FloatArray
    directions: FloatArray
    updates: int
    starts: FloatArray
    chain_seeds: np.random.SeedSequence
    recovery_rng: np.random.Generator


def run(task: Task) -> Fit | None:
    """Draw by slices; None where the trial cannot start, or no coordinates are made for the model."""
    target = task.target
    if not isinstance(target, JointTarget | MarginalTarget) or not (isinstance(target, MarginalTarget) or task.moved):
        return None
    method = slices_for(target, task.launched(), task.settings)
    if method is None:
        return None
    task.clock.lap("pilot")
    task.before_sampling()
    settings = task.settings
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_slice(method, settings, report)
    fit = independent_fit(task, "slice", drawn, method.recovery_rng, ", by slice sampling")
    if not target.in_pieces:  # which slices come to
        task.warn_of_pieces(fit.values, fit.effects)
    return fit


def slices_for(target: JointTarget | MarginalTarget, launch: Launch, wanted: Settings) -> Slices | None:
    """The result of the trial; None where it cannot start."""
    seeds = np.random.SeedSequence(wanted.random_seed, spawn_key=(STREAM,)).spawn(4)
    rng = np.random.default_rng(seeds[0])
    states = _starts(target, launch, rng)
    if states is None:
        return None
    powers = POWERS if target.in_pieces else np.ones(1)
    states = np.repeat(states[:, None], powers.size, axis=1)
    rngs = [np.random.default_rng(seed) for seed in seeds[1].spawn(TRIAL_CHAINS)]
    chains = _Chains(target, powers, states, rngs, wanted.cores)
    directions = np.repeat(_axes(_covariance(launch))[None], powers.size, axis=0)
    kept = chains.settled(directions, 1, FIRST_DRAWS)
    sweep = target.dimension * powers.size
    left, sweeps = MOST_TRIAL_UPDATES // (TRIAL_CHAINS * TRIAL_DRAWS * sweep), 1
    while True:
        directions = _directions(kept, rng)
        kept = chains.settled(directions, sweeps, TRIAL_DRAWS)
        left -= sweeps
        time = autocorrelation_time(kept[:, :, 0])
        wanted_sweeps = min(sweeps * min(math.ceil(time / AIM), LONGER), MOST_TRIAL_SWEEPS, left)
        if time * LONG_ENOUGH <= kept.shape[1] or wanted_sweeps < WORTHWHILE * sweeps:
            break
        sweeps = wanted_sweeps
    share = SHARE_OF_TIME if powers.size == 1 else SHARE_IN_PIECES
    between = max(share * time * sweeps, FEWEST_SWEEPS)
    updates = math.ceil(min(target.dimension * between, MOST_UPDATES / powers.size))
    directions = _directions(kept, rng)
    starts = kept.reshape(-1, powers.size, target.dimension)
    return Slices(target, powers, directions, updates, starts, seeds[2], np.random.default_rng(seeds[3]))


def run_slice(method: Slices, wanted: Settings, report: Callable[[int, int, float], None]) -> IndependentDraws:
    """Sample; Ctrl-C keeps the draws that all chains have.

    The trial is short beside the draws, so that rare excursions may be seen by these only. Where they are, the chains
    go on from where they ended and make all draws again, with more updates between them.

    Raises
    ------
    KeyboardInterrupt
        If stopped before the first block of draws.
    """
    rngs = [np.random.default_rng(seed) for seed in method.chain_seeds.spawn(wanted.chains)]
    states = np.array([method.starts[rng.integers(len(method.starts))] for rng in rngs])
    several = _Chains(method.target, method.powers, states, rngs, wanted.cores)
    found = _draws(several, method, method.updates, wanted, report, BURN_IN)
    updates = method.updates
    while not found.interrupted and is_slow(found.positions):
        time = autocorrelation_time(found.positions)
        more = min(updates * min(math.ceil(time / AIM), LONGER), MOST_UPDATES_AGAIN // method.powers.size)
        if more < WORTHWHILE * updates or time > found.positions.shape[1] / BATCHES:  # it hardly moved: none would do
            break
        log.info(
            "Draws by slice sampling depend on each other too much: they are made again, with %.1f times the updates.",
            more / updates,
        )
        updates = more
        try:
            again = _draws(several, method, updates, wanted, lambda *progress: None, 0)
        except KeyboardInterrupt:
            return replace(found, interrupted=True)
        if again.interrupted:  # all draws of before are more than some of these
            return replace(found, interrupted=True)
        found = again
    return found


def _draws(
    several: _Chains,
    method: Slices,
    updates: int,
    wanted: Settings,
    report: Callable[[int, int, float], None],
    burn_in: int,
) -> IndependentDraws:
    """All draws of the chains, which go on from where they are; fewer where Ctrl-C stops them."""
    chains, draws = wanted.chains, wanted.draws
    positions, values = np.empty((chains, draws, method.target.dimension)), np.empty((chains, draws))
    done, interrupted = 0, False
    try:
        several.run(method.directions, updates, burn_in)
        while done < draws:
            stop = min(draws, done + DRAWS_PER_BLOCK)
            block = several.run(method.directions, updates, stop - done)
            positions[:, done:stop], values[:, done:stop] = block[0][:, :, 0], block[1]
            done = stop
            for c in range(chains):
                report(c, done, 1.0)
    except KeyboardInterrupt:
        interrupted = True
        if not done:
            raise
    stats: dict[str, NDArray[Any]] = {"lp": values[:, :done], "diverging": np.zeros((chains, done), dtype=bool)}
    return IndependentDraws(positions[:, :done], stats, interrupted)


class _Chains:
    """Chains that go on from where they are, several at once where there are processors; draws do not depend on that.

    `states` (chains, powers, dimension) is overwritten.
    """

    def __init__(
        self,
        target: JointTarget | MarginalTarget,
        powers: FloatArray,
        states: FloatArray,
        rngs: list[np.random.Generator],
        cores: int | None,
    ) -> None:
        self.powers, self.states, self.rngs = powers, states, rngs
        self.cores = cores or available_cpus()
        own = [target.for_slices() for _ in rngs]
        self.logdensity, _, data_type = own[0]
        self.data = [data for _, data, _ in own]
        self.slices = compiled_slices(data_type)

    def run(self, directions: FloatArray, updates: int, draws: int) -> tuple[FloatArray, FloatArray]:
        """Positions (chains, draws, powers, dimension) and log densities (chains, draws) of so many draws."""
        chains, n_powers, dimension = self.states.shape
        positions, values = np.empty((chains, draws, n_powers, dimension)), np.empty((chains, draws))

        def some_chains(some: slice) -> None:
            for c in range(chains)[some]:
                state = self.rngs[c], self.states[c], directions, self.powers, updates
                self.slices(self.logdensity, self.data[c], *state, positions[c], values[c])

        run_in_parts(some_chains, chains, self.cores, fewest=1)
        return positions, values

    def settled(self, directions: FloatArray, sweeps: int, draws: int) -> FloatArray:
        """Positions of the last three quarters of so many draws."""
        return self.run(directions, self.states.shape[2] * sweeps, draws)[0][:, draws // 4 :]


def _directions(draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Of each power, (powers, k, dimension), from draws (chains, n, powers, dimension)."""
    each = [_from_draws(draws[:, :, k].reshape(-1, draws.shape[3]), rng) for k in range(draws.shape[2])]
    fewest = min(len(directions) for directions in each)
    return np.stack([directions[:fewest] for directions in each])


def _from_draws(draws: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Axes and differences of two of the draws (n, dimension), which take turns."""
    n, dimension = draws.shape
    axes = _axes(np.cov(draws, rowvar=False).reshape(dimension, dimension))
    pairs = rng.integers(n, size=(DIFFERENCES * dimension, 2))
    differences = STRETCHED * (draws[pairs[:, 0]] - draws[pairs[:, 1]])
    differences = differences[np.abs(differences).max(axis=1) > 0.0]
    turns = np.stack([axes[np.arange(len(differences)) % len(axes)], differences], axis=1).reshape(-1, dimension)
    return np.ascontiguousarray(turns if len(turns) > 2 * len(axes) else axes)


def _axes(covariance: FloatArray) -> FloatArray:
    """Coordinate axes, then principal axes, each as long as a slice's first interval."""
    scales = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlations = covariance / np.outer(scales, scales) + RIDGE * np.eye(scales.size)
    eigenvalues, vectors = np.linalg.eigh(correlations)
    axes = (vectors * np.sqrt(np.maximum(eigenvalues, RIDGE))).T * scales
    both = [np.diag(scales), axes] if scales.size > 1 else [axes]
    return np.ascontiguousarray(WIDTH * np.concatenate(both))


def _covariance(launch: Launch) -> FloatArray:
    """What is known of the posterior's shape; ones where no mode was found."""
    return np.eye(launch.center.size) if launch.information is None else np.asarray(launch.information, dtype=float)


def _starts(target: JointTarget | MarginalTarget, launch: Launch, rng: np.random.Generator) -> FloatArray | None:
    """Points around the centre with a finite density; those of proposals are for one side of a folded scale only."""
    factor = np.linalg.cholesky(_covariance(launch))
    density, data, _ = target.for_slices()
    for shrink in (1.0, 0.3, 0.1, 0.0):
        points = launch.center + shrink * rng.standard_normal((16, target.dimension)) @ factor.T
        finite = points[[math.isfinite(density(point, np.empty(0), data)) for point in points]]
        if len(finite) >= TRIAL_CHAINS:
            return np.ascontiguousarray(finite[:TRIAL_CHAINS])
    return None


def serves(plan: Plan) -> str | None:
    """Models of few rows."""
    return None if plan.is_small else "Slices are for models of few rows: use NUTS."


METHOD = Method(
    name="slice",
    about="slice sampling of models of few rows",
    title=lambda plan: "slice sampling",
    heeds=frozenset({"cores"}),
    parts=lambda plan: (NATURAL,),
    run=run,
    serves=serves,
)
