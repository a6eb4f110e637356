"""Slice sampling of models of few rows: of the joint density in the coordinates of `warp`, or of the marginal one.

A trial finds how wide the posterior is in which directions, and how many updates make a draw that hardly depends on
the one before. It goes on until it is long beside the autocorrelation time that it measures, or its budget is spent.
Nothing in it depends on how many draws follow.

Directions are coordinate axes, principal axes and, between them, differences of two draws of the trial, as in
differential evolution (ter Braak 2006): they point along ridges, and from one mode to another. All are fixed before the
first draw that is kept, so that each update leaves the posterior as it is.

Where the inverse link of a real mean breaks the posterior into pieces, its powers are sampled beside it and exchange
states with it, curves lead from one piece to another, and jumps are proposed from a mixture that is fitted to the
trial: pieces get the weights that they have. Jumps also help where straight slices alone would need too many updates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._awaited import NATURAL
from nutslite._log import log
from nutslite._parallel import available_cpus, run_in_parts
from nutslite.posterior.methods.autocorrelation import BATCHES, autocorrelation_time, is_slow
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.independent_draws import IndependentDraws, independent_fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.mixture import mixture_of
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import Task
from nutslite.posterior.pilot.pieces import Lines, lines_through_pieces, no_lines
from nutslite.posterior.pilot.row_information import linear_predictors
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import JointTarget, Launch, MarginalTarget
from nutslite.sampler.progress import transition_bar
from nutslite.sampler.slice import compiled_slices
from nutslite.sampler.tempering import Mixture, compiled_tempered, no_mixture

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
MOST_EVALUATIONS = 40  # for each update of the first draws, before updates step out less far, with jumps between them
MOST_UPDATES_AGAIN = 400  # at all powers, where draws turn out slow and are made again
BURN_IN = 10  # draws
DRAWS_PER_BLOCK = 50  # between two reports
POWERS = 0.45 ** np.arange(4.0)  # of the likelihood, where the posterior has pieces
LOOKED_AT = 400  # draws at any power, for first intervals on curves ...
NARROWEST_WIDEST = (1.0, 3.0)  # ... beside means among the smallest, and among the largest
NARROW_WIDE = (0.3, 3.0)  # first intervals for logarithms of other parameters
STREAM = 2000  # keeps these random numbers apart from those of other samplers with the same seed
RIDGE = 1e-8


class Moves(NamedTuple):
    """What updates go along: straight directions (powers, k, dimension), and curves from piece to piece.

    `widths` (curves, 2) are logarithms of the smallest and largest first interval on each of `lines`; none where
    `widths` is empty.
    """

    directions: FloatArray
    widths: FloatArray
    mixture: Mixture


@dataclass(frozen=True)
class Slices:
    """Directions, updates for each draw, starting points, and the random numbers to go on with.

    `starts` (n, powers, dimension) belong to `powers` of the likelihood.
    """

    target: JointTarget | MarginalTarget
    powers: FloatArray
    lines: Lines | None
    moves: Moves
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
    lines = None
    if isinstance(target, JointTarget) and target.in_pieces:
        lines = lines_through_pieces(target.model, target.assembled.spec.family, rng)
    chains = _Chains(target, powers, states, rngs, wanted.cores, lines)
    directions = np.repeat(_axes(_covariance(launch))[None], powers.size, axis=0)
    kept = chains.settled(Moves(directions, np.empty((0, 2)), no_mixture(target.dimension)), 1, FIRST_DRAWS)
    if chains.may_jump and chains.evaluations > MOST_EVALUATIONS * TRIAL_CHAINS * FIRST_DRAWS * target.dimension:
        chains.jump()
    kept, wanted_updates = _rounds(chains, kept, rng)
    if wanted_updates > MOST_UPDATES and chains.may_jump:
        chains.jump()
        kept, wanted_updates = _rounds(chains, kept, rng)
    updates = math.ceil(min(wanted_updates, MOST_UPDATES / powers.size))
    moves = _moves(target, kept, chains.lines, rng)
    starts = kept.reshape(-1, powers.size, target.dimension)
    return Slices(target, powers, chains.lines, moves, updates, starts, seeds[2], np.random.default_rng(seeds[3]))


def _rounds(chains: _Chains, kept: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float]:
    """Draws of the last round, and how many updates ought to lie between two; after some draws to begin with.

    Each round is longer than the one before, until one is long beside the autocorrelation time, or the budget is spent,
    or it is certain that more updates are wanted than there may be, and jumps have not been tried.
    """
    share = SHARE_OF_TIME if chains.powers.size == 1 else SHARE_IN_PIECES
    target, n_powers = chains.target, chains.powers.size
    left = MOST_TRIAL_UPDATES // (TRIAL_CHAINS * TRIAL_DRAWS * target.dimension * n_powers)
    sweeps = 1
    while True:
        kept = chains.settled(_moves(target, kept, chains.lines, rng), sweeps, TRIAL_DRAWS)
        left -= sweeps
        time = autocorrelation_time(kept[:, :, 0])
        wanted_sweeps = min(sweeps * min(math.ceil(time / AIM), LONGER), MOST_TRIAL_SWEEPS, left)
        updates = target.dimension * max(share * time * sweeps, FEWEST_SWEEPS)
        too_many = chains.may_jump and updates > MOST_UPDATES
        if time * LONG_ENOUGH <= kept.shape[1] or wanted_sweeps < WORTHWHILE * sweeps or too_many:
            return kept, updates
        sweeps = wanted_sweeps


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
    several = _Chains(method.target, method.powers, states, rngs, wanted.cores, method.lines)
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
        lines: Lines | None,
    ) -> None:
        self.target, self.powers, self.states, self.rngs = target, powers, states, rngs
        self.cores = cores or available_cpus()
        self.lines, self.evaluations = lines, 0
        self.some = [_one_chain(target, lines) for _ in rngs]

    @property
    def may_jump(self) -> bool:
        """Whether there are no jumps yet, and the target's density is one that they are for."""
        return self.lines is None and isinstance(self.target, JointTarget)

    def jump(self) -> None:
        """From now on updates step out less far, and jumps are between them."""
        self.lines = no_lines(self.target.dimension)
        self.some = [_one_chain(self.target, self.lines) for _ in self.rngs]

    def run(self, moves: Moves, updates: int, draws: int) -> tuple[FloatArray, FloatArray]:
        """Positions (chains, draws, powers, dimension) and log densities (chains, draws) of so many draws."""
        chains, n_powers, dimension = self.states.shape
        positions, values = np.empty((chains, draws, n_powers, dimension)), np.empty((chains, draws))
        evaluations = np.zeros(chains, dtype=np.int64)

        def some_chains(some: slice) -> None:
            for c in range(chains)[some]:
                own = positions[c], values[c]
                evaluations[c] = self.some[c](self.rngs[c], self.states[c], moves, self.powers, updates, *own)

        run_in_parts(some_chains, chains, self.cores, fewest=1)
        self.evaluations += int(evaluations.sum())
        return positions, values

    def settled(self, moves: Moves, sweeps: int, draws: int) -> FloatArray:
        """Positions of the last three quarters of so many draws."""
        return self.run(moves, self.states.shape[2] * sweeps, draws)[0][:, draws // 4 :]


def _one_chain(target: JointTarget | MarginalTarget, lines: Lines | None) -> Callable[..., int]:
    """The kernel that moves a chain, with the data that are its own; it returns evaluations, or 0 if not counted."""
    logdensity, data, data_type = target.for_slices()
    if lines is None or not isinstance(target, JointTarget):
        slices = compiled_slices(data_type)

        def plain(rng: Any, states: Any, moves: Moves, powers: Any, updates: int, positions: Any, values: Any) -> int:
            state = rng, states[0], moves.directions[0], updates
            return int(slices(logdensity, data, *state, positions[:, 0], values))

        return plain
    curve, (data, own), curve_type = target.curves(lines)
    tempered = compiled_tempered(data_type, curve_type)

    def jumping(rng: Any, states: Any, moves: Moves, powers: Any, updates: int, positions: Any, values: Any) -> int:
        state = rng, states, moves.directions, powers, updates
        tempered(logdensity, data, curve, (data, own), moves.widths, moves.mixture, *state, positions, values)
        return 0

    return jumping


def _moves(
    target: JointTarget | MarginalTarget, draws: FloatArray, lines: Lines | None, rng: np.random.Generator
) -> Moves:
    """What draws (chains, n, powers, dimension) say."""
    directions, mixture = _directions(draws, rng), no_mixture(target.dimension)
    if lines is not None:
        mixture = mixture_of(draws.reshape(-1, target.dimension), rng)
    return Moves(directions, _widths(target, draws, lines), mixture)


def _widths(target: JointTarget | MarginalTarget, draws: FloatArray, lines: Lines | None) -> FloatArray:
    """Of first intervals on the lines, from draws (chains, n, powers, dimension): from small means to large ones."""
    if lines is None or not isinstance(target, JointTarget):
        return np.empty((0, 2))
    flat = draws.reshape(1, -1, target.dimension)
    some = flat[:, np.linspace(0, flat.shape[1] - 1, LOOKED_AT).astype(int)]
    values, effects = target.natural(some, np.random.default_rng(0))
    rows = slice(0, target.rows)
    eta = np.array([linear_predictors(target.model, *one, rows) for one in zip(values[0], effects[0], strict=True)])
    sizes = np.array([np.quantile(np.abs(eta[:, j]), (0.95, 0.05)) for j in range(eta.shape[1])])
    logs = np.log(NARROWEST_WIDEST) - np.log(np.maximum(sizes, 1e-300))
    logs = np.concatenate([logs, np.log([NARROW_WIDE])])  # the last for lines of other parameters
    return np.ascontiguousarray(logs[lines[2]])


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
