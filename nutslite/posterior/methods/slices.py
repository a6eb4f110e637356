"""Slice sampling of models of few rows: of the joint density in the coordinates of `warp`, or of the marginal one.

A trial (`trial.py`) finds how wide the posterior is in which directions, and how many updates make a draw that hardly
depends on the one before.

Where the inverse link of a real mean breaks the posterior into pieces, its powers are sampled beside it and exchange
states with it, curves lead from one piece to another, and jumps are proposed from a mixture that is fitted to the
trial: pieces get the weights that they have. Jumps also help where straight slices alone would need too many updates.
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
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import IndependentDraws, Task, independent_fit
from nutslite.posterior.pilot.pieces import Lines, lines_through_pieces
from nutslite.posterior.slicing.autocorrelation import BATCHES, autocorrelation_time, is_slow
from nutslite.posterior.slicing.chains import Chains
from nutslite.posterior.slicing.moves import Moves
from nutslite.posterior.slicing.trial import AIM, LONGER, TRIAL_CHAINS, WORTHWHILE, most_updates, tried
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import JointTarget, Launch
from nutslite.sampler.progress import transition_bar

FloatArray = NDArray[np.float64]

MOST_UPDATES_AGAIN = 400  # at all powers, where draws turn out slow and are made again
MOST_EVALUATIONS_AGAIN = 2500
BURN_IN = 10  # draws
DRAWS_PER_BLOCK = 50  # between two reports
POWERS = 0.45 ** np.arange(4.0)  # of the likelihood, where the posterior has pieces
STREAM = 2000  # keeps these random numbers apart from those of other samplers with the same seed


@dataclass(frozen=True)
class Slices:
    """Moves, updates for each draw, how many it may be, starting points, and the random numbers to go on with.

    `starts` (n, powers, dimension) belong to `powers` of the likelihood.
    """

    target: JointTarget | MarginalTarget
    powers: FloatArray
    lines: Lines | None
    moves: Moves
    updates: int
    most_updates: int
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
    lines = None
    if isinstance(target, JointTarget) and target.in_pieces:
        lines = lines_through_pieces(target.model, target.assembled.spec.family, rng)
    chains = Chains(target, powers, states, rngs, wanted.cores, lines)
    moves, last = tried(chains, _covariance(launch), rng)
    updates = math.ceil(min(last.updates, last.most_updates))
    starts = last.kept.reshape(-1, powers.size, target.dimension)
    most = most_updates(MOST_UPDATES_AGAIN, MOST_EVALUATIONS_AGAIN, powers.size, last.price)
    rest = seeds[2], np.random.default_rng(seeds[3])
    return Slices(target, powers, chains.lines, moves, updates, int(most), starts, *rest)


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
    several = Chains(method.target, method.powers, states, rngs, wanted.cores, method.lines)
    found = _draws(several, method, method.updates, wanted, report, BURN_IN)
    updates = method.updates
    while not found.interrupted and is_slow(found.positions):
        time = autocorrelation_time(found.positions)
        more = min(updates * min(math.ceil(time / AIM), LONGER), method.most_updates)
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
    several: Chains,
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
        several.run(method.moves, updates, burn_in)
        while done < draws:
            stop = min(draws, done + DRAWS_PER_BLOCK)
            block = several.run(method.moves, updates, stop - done)
            positions[:, done:stop], values[:, done:stop] = block[0][:, :, 0], block[1]
            done = stop
            for c in range(chains):
                report(c, done, 1.0)
    except KeyboardInterrupt:
        interrupted = True
        if not done:
            raise
    stats: dict[str, NDArray[Any]] = {"lp": values[:, :done], "diverging": np.zeros((chains, done), dtype=bool)}

    def go_on(more: int, report: Callable[[int, int, float], None]) -> IndependentDraws:
        return _draws(several, method, updates, replace(wanted, draws=more), report, 0)

    return IndependentDraws(positions[:, :done], stats, interrupted, go_on)


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
