"""One chain at work: start, warm-up stages, draws, in blocks short enough to be interrupted between them."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SamplingError
from nutslite.sampler.checkpoint.block_record import block_kind, check_block
from nutslite.sampler.checkpoint.checkpoint import ChainJournal, random_state
from nutslite.sampler.draws import SamplerSettings
from nutslite.sampler.mass_matrix import Window
from nutslite.sampler.parts.stage import Stage
from nutslite.sampler.start import find_start
from nutslite.sampler.state import ChainState
from nutslite.sampler.transition.chain import SEARCH_FAILED
from nutslite.sampler.transition.hamiltonian import GRADIENT, POSITION
from nutslite.sampler.transition.handle import Handle
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.metric import Metric
from nutslite.sampler.transition.statistics import DIVERGING, N_STEPS, STATISTICS, TREE_DEPTH
from nutslite.sampler.transition.step_size import LOG_AVERAGE, STEP_SIZE, new_adaptation
from nutslite.sampler.transition.trajectory import LOGP, SELECTED, new_workspace
from nutslite.sampler.workspaces import Workspaces

BLOCK_SECONDS = 0.06
"""Time that a block of transitions should take: a bound on how long Ctrl-C and progress wait."""

FIRST_BLOCK = 10

FIRST_NUMBERS = 100_000
"""Of the positions of the first block, at most: where they are more, a block is one transition anyway."""


class Problem(NamedTuple):
    """What a chain runs: the compiled block, and the log density with its data."""

    run_block: Callable[..., int]
    handle: Handle


class ChainProgress(NamedTuple):
    """What a chain reports after each block.

    Attributes
    ----------
    chain : int
    phase : {"warmup", "sampling"}
    done, total : int
        Transitions made and to be made, warm-up included.
    divergences : int
        Divergent transitions after warm-up.
    step_size : float
    tree_depth : int
        Of the last transition.
    n_steps : float
        Mean number of leapfrog steps of the block.
    """

    chain: int
    phase: str
    done: int
    total: int
    divergences: int
    step_size: float
    tree_depth: int
    n_steps: float


class Phase:
    """Arrays that one phase (warm-up or sampling) of one chain fills, and how far it got."""

    def __init__(self, name: str, positions: Matrix | None, stats: Matrix) -> None:
        self.name = name
        self.positions = positions  # (n, dim), or None where positions are not kept
        self.stats = stats  # (n, 12)
        self.done = 0
        self.seconds = 0.0
        self.divergences: list[Matrix] = []

    def total(self, column: int) -> int:
        """Sum of a column of statistics over the transitions made so far."""
        return int(self.stats[: self.done, column].sum())

    def divergent_positions(self, dimension: int) -> Matrix:
        """Positions ``(n, dim)`` at which trajectories diverged."""
        return np.concatenate([np.empty((0, dimension)), *self.divergences])

    def snapshot(self) -> Phase:
        """A copy that shares no memory, as far as it got."""
        done, divergences = self.done, list(self.divergences)  # first: a block that ends meanwhile is not in it
        copied = Phase(self.name, None if self.positions is None else self.positions.copy(), self.stats.copy())
        copied.done, copied.seconds, copied.divergences = done, self.seconds, divergences
        return copied


class ChainWorker:
    """Runs one chain; owned by one thread.

    Parameters
    ----------
    positions : ndarray (draws, dim)
        Overwritten with the draws.
    warmup_positions : ndarray (tune, dim) or None
        Overwritten with the warm-up draws, if given.
    workspaces : Workspaces
        Of all chains of the run.
    journal : ChainJournal, optional
        Blocks that an earlier process made, which are taken first, and where new ones are noted.
    first_metric : callable, optional
        ``first_metric(position, gradient) -> Metric`` at the starting point, in place of `metric`.
    begun : ChainState, optional
        Where the chain goes on from: there is no search for a start and no warm-up.
    """

    def __init__(
        self,
        chain: int,
        problem: Problem,
        settings: SamplerSettings,
        metric: Metric,
        initial: Vector,
        seed: np.random.SeedSequence,
        positions: Matrix,
        warmup_positions: Matrix | None,
        workspaces: Workspaces,
        journal: ChainJournal | None = None,
        first_metric: Callable[[Vector, Vector], Metric] | None = None,
        begun: ChainState | None = None,
    ) -> None:
        self.chain = chain
        self.metric = metric
        self.abandoned = False
        self.warmup = Phase("warmup", warmup_positions, np.full((settings.tune, len(STATISTICS)), np.nan))
        self.sampling = Phase("sampling", positions, np.full((settings.draws, len(STATISTICS)), np.nan))
        self._problem = problem
        self._settings = settings
        self._initial = initial
        self._rng = np.random.Generator(np.random.PCG64(seed))
        self._workspace = new_workspace(0, 1)  # while the chain waits; its own when it runs
        self._adaptation = new_adaptation(settings.step_size or 1.0)
        self._searches = settings.tune > 0 or settings.step_size is None
        self._block_length = max(1, min(FIRST_BLOCK, FIRST_NUMBERS // max(1, initial.shape[0])))
        self._workspaces = workspaces
        self._end = np.empty((2, initial.shape[0]))  # of the thread that makes workers, see `Workspaces`
        self._journal = journal
        self._first_metric = first_metric
        self._rule = settings.metric_rule
        self._window = Window()
        self._begun, self._ended = begun, begun
        if begun is not None:
            self.metric = begun.metric

    def abandon(self) -> None:
        """Keep what is finished apart from what a thread that nobody waits for may still write."""
        self.warmup, self.sampling = self.warmup.snapshot(), self.sampling.snapshot()
        self.abandoned = True

    @property
    def step_size(self) -> float:
        """The step size in use."""
        return float(self._adaptation[STEP_SIZE])

    @property
    def state(self) -> ChainState:
        """Where the chain is now; between blocks, that is where its last transition ended.

        Raises
        ------
        SamplingError
            If it has not run.
        """
        if self._ended is None:
            raise SamplingError(f"Chain {self.chain} has not run.")
        return self._ended

    def _state(self) -> ChainState:
        points, values = self._workspace.points, self._workspace.values
        self._end[:] = points[SELECTED, POSITION], points[SELECTED, GRADIENT]
        return ChainState(
            self._end[0],
            self._end[1],
            values[SELECTED].copy(),
            self._adaptation.copy(),
            self.metric,
            random_state(self._rng),
        )

    def run(self, stop: threading.Event, report: Callable[[ChainProgress], None]) -> None:
        """Run the chain to its end, or to the end of the block during which `stop` was set.

        Raises
        ------
        SamplingError
            If the chain cannot start, or no step size works.
        """
        with self._own_workspace(), np.errstate(all="ignore"):  # without the JIT inf and nan are NumPy scalars
            if self._begun is not None:
                self._take_state(self._begun._asdict())
                self._run_transitions(self.sampling, self._settings.draws, None, stop, report)
                return
            if self._journal is None or not self._journal.waiting or self._first_metric is not None:
                find_start(self._evaluate, self._initial, self._settings.jitter, self._rng, self.chain)
            if self._first_metric is not None:
                points = self._workspace.points
                self.metric = self._first_metric(points[SELECTED, POSITION].copy(), points[SELECTED, GRADIENT].copy())
            for stage in self._settings.stages:
                self._run_stage(stage, stop, report)
            if stop.is_set():
                return
            if self._settings.tune > 0:
                self._adaptation[STEP_SIZE] = math.exp(self._adaptation[LOG_AVERAGE])
            self._run_transitions(self.sampling, self._settings.draws, None, stop, report)

    @contextlib.contextmanager
    def _own_workspace(self) -> Iterator[None]:
        """Memory for trajectories, dozens of positions, while the chain runs: of those that wait, none has any."""
        with self._workspaces.taken() as self._workspace:
            try:
                yield
            finally:
                self._ended = self._state() if self._settings.keep_states else None
                self._workspace = new_workspace(0, 1)

    def _run_stage(self, stage: Stage, stop: threading.Event, report: Callable[[ChainProgress], None]) -> None:
        window = self._window if stage.learns_metric else None
        self._window.keep_last(stage.looks_back)
        self._run_transitions(self.warmup, stage.length, window, stop, report)
        if window is None or stop.is_set():
            return
        metric = window.metric(self._rule)
        if metric is not None:
            self.metric = metric
            self._searches = self._searches or stage.searches  # a new metric changes what a step size means

    def _run_transitions(
        self,
        phase: Phase,
        n_transitions: int,
        window: Window | None,
        stop: threading.Event,
        report: Callable[[ChainProgress], None],
    ) -> None:
        end = phase.done + n_transitions
        while phase.done < end and not stop.is_set():
            if self._journal is not None and self._journal.waiting:
                length = self._take_block(self._journal, phase, window, end - phase.done)
                if not self._journal.waiting or self.sampling.done == self._settings.draws:
                    report(self._progress(phase, length))
                continue
            length = min(self._block_length, end - phase.done)
            seconds = self._run_block(phase, length, window)
            wanted = int(BLOCK_SECONDS / max(seconds / length, 1e-9))
            self._block_length = max(1, min(wanted, 4 * length))
            report(self._progress(phase, length))

    def _run_block(self, phase: Phase, length: int, window: Window | None) -> float:
        """Make `length` transitions; return the seconds that they took."""
        started = time.perf_counter()
        dimension = self._initial.shape[0]
        rows = slice(phase.done, phase.done + length)
        nothing = np.empty((0, dimension))
        positions = np.empty((length, dimension)) if phase.positions is None else phase.positions[rows]
        gradients = nothing if window is None else np.empty((length, dimension))
        divergences = np.empty((length, dimension)) if phase is self.sampling else nothing
        adapts = phase is self.warmup
        n_divergences = self._call(adapts, False, self._searches, positions, gradients, phase.stats[rows], divergences)
        if n_divergences == SEARCH_FAILED:
            raise SamplingError(
                f"Chain {self.chain}: no step size gives an acceptance rate near 0.8. The log density is flat (an "
                "improper posterior), or its gradient does not belong to it."
            )
        self._searches = False
        phase.done += length
        if window is not None:
            window.add(positions, gradients)
        if n_divergences and phase is self.sampling:
            phase.divergences.append(divergences[:n_divergences].copy())
        seconds = time.perf_counter() - started
        phase.seconds += seconds
        if self._journal is not None:
            arrays = {"stats": phase.stats[rows], "divergences": divergences[:n_divergences]}
            if window is not None or phase.positions is not None:
                arrays["positions"] = positions
            if window is not None and self._rule.uses_gradients:
                arrays["gradients"] = gradients
            self._note_block(self._journal, phase, length, seconds, arrays)
        return seconds

    def _note_block(
        self, journal: ChainJournal, phase: Phase, length: int, seconds: float, arrays: dict[str, Matrix]
    ) -> None:
        """Write what a block added, and the state that it left."""
        points, values = self._workspace.points, self._workspace.values
        state = {
            "position": points[SELECTED, POSITION],
            "gradient": points[SELECTED, GRADIENT],
            "values": values[SELECTED],
            "adaptation": self._adaptation,
        }
        fields = {"phase": phase.name, "length": length, "seconds": seconds, "random": random_state(self._rng)}
        journal.add(fields, {**arrays, **state})

    def _take_block(self, journal: ChainJournal, phase: Phase, window: Window | None, room: int) -> int:
        """Take a block of an earlier process in place of a new one, and the state that it left; return its length.

        `room` is how many transitions are left of the phase or window; of draws, fewer may be asked for than it has.
        """
        sizes = {"dimension": self._initial.shape[0], "adaptation": self._adaptation.shape[0]}
        with_gradients = window is not None and self._rule.uses_gradients
        kind = block_kind(phase is self.sampling, window is not None or phase.positions is not None, with_gradients)
        fields, arrays = journal.take(kind, sizes)
        with journal.damage_in_words():
            check_block(fields, arrays, room if phase is self.warmup else None)
        length = min(int(fields["length"]), room)
        rows = slice(phase.done, phase.done + length)
        if phase.positions is not None:
            phase.positions[rows] = arrays["positions"][:length]
        phase.stats[rows] = arrays["stats"][:length]
        if window is not None:
            window.add(arrays["positions"], arrays.get("gradients", np.empty((0, self._initial.shape[0]))))
        divergences = arrays["divergences"][: int(phase.stats[rows, DIVERGING].sum())]
        if divergences.shape[0] and phase is self.sampling:
            phase.divergences.append(divergences)
        self._take_state({**arrays, "random": fields["random"]})
        phase.done += length
        phase.seconds += float(fields["seconds"]) * length / int(fields["length"])
        return length

    def _take_state(self, state: Mapping[str, Any]) -> None:
        """Be where a chain was, by the names of `ChainState`; it has a step size already."""
        points = self._workspace.points
        points[SELECTED, POSITION], points[SELECTED, GRADIENT] = state["position"], state["gradient"]
        self._workspace.values[SELECTED] = state["values"]
        self._adaptation[:] = state["adaptation"]
        self._rng.bit_generator.state = state["random"]
        self._searches = False

    def _evaluate(self, position: Vector) -> tuple[float, Vector]:
        """Make `position` the state of the chain; return its log density and gradient."""
        points, values = self._workspace.points, self._workspace.values
        points[SELECTED, POSITION] = position
        nothing = np.empty((0, position.shape[0]))
        self._call(False, True, False, nothing, nothing, np.empty((0, len(STATISTICS))), nothing)
        return float(values[SELECTED, LOGP]), points[SELECTED, GRADIENT].copy()

    def _call(
        self,
        adapts: bool,
        evaluates: bool,
        searches: bool,
        positions: Matrix,
        gradients: Matrix,
        stats: npt.NDArray[np.float64],
        divergences: Matrix,
    ) -> int:
        return self._problem.run_block(
            self._problem.handle.function,
            self._problem.handle.data,
            self._rng,
            self.metric,
            self._workspace,
            self._adaptation,
            float(self._settings.target_accept),
            int(self._settings.max_treedepth),
            adapts,
            evaluates,
            searches,
            positions,
            gradients,
            stats,
            divergences,
        )

    def _progress(self, phase: Phase, length: int) -> ChainProgress:
        block = phase.stats[phase.done - length : phase.done]
        return ChainProgress(
            chain=self.chain,
            phase=phase.name,
            done=self.warmup.done + self.sampling.done,
            total=self._settings.tune + self._settings.draws,
            divergences=sum(part.shape[0] for part in self.sampling.divergences),
            step_size=self.step_size,
            tree_depth=int(block[-1, TREE_DEPTH]),
            n_steps=float(block[:, N_STEPS].mean()),
        )
