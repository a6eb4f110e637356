"""Run independence Metropolis on a large marginal density; integrated parameters are drawn along the way.

Where the density is known between the points at which it was evaluated (`marginal.interpolation`), transitions cost
next to nothing, and coefficients and effects are drawn for many of them at once. Otherwise each is a factorisation.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite._parallel.blas import one_blas_thread
from nutslite._schema import Number, Numbers, Record
from nutslite.posterior.marginal.interpolation import Interpolation, interpolated, may_interpolate
from nutslite.posterior.marginal.large_chains import EvaluatedChain, InterpolatedChain
from nutslite.posterior.marginal.large_proposal import WARMUP_DRAWS, folded_proposal, refined_proposal
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.resume import known_between, proposed
from nutslite.posterior.methods.task import Task
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.targets.target import density_of
from nutslite.sampler.checkpoint.checkpoint import RANDOM_STATE, ChainJournal, Checkpoint, RecordKind, random_state
from nutslite.sampler.draws import largest_rectangle
from nutslite.sampler.independence.proposals import DefensiveMixture
from nutslite.sampler.interrupts import careful_interrupts, ended_by
from nutslite.sampler.memory import memory_for
from nutslite.sampler.progress import transition_bar

if TYPE_CHECKING:
    from nutslite.posterior.marginal.large_draws import LargeDraws
    from nutslite.posterior.marginal.large_marginal import LargeMarginal

FloatArray = NDArray[np.float64]

BURN_IN = 10  # transitions of every chain before its first draw; it starts at a draw of the proposal
STATISTICS = ("lp", "acceptance_rate", "perf_counter_start")
TRANSITION = RecordKind(
    Record({"chain": Number(0, whole=True), "random": RANDOM_STATE}),
    Record(
        {
            "values": Numbers(("draws", "values")),
            "effects": Numbers(("draws", "effects")),
            "position": Numbers(("kept",), finite=True),
            **dict.fromkeys(STATISTICS, Numbers(("draws",))),
        }
    ),
)
"""What a checkpoint holds of each transition, or of each block of them."""

LOW_ACCEPTANCE = 0.5


def run(task: Task) -> Fit:
    """Find a proposal, or take that of the checkpoint, and sample chains in threads."""
    from nutslite.posterior.marginal.large_marginal import LargeMarginal  # loads SciPy

    with one_blas_thread(of_scipy=True):
        return _run(task, LargeMarginal)


def _run(task: Task, density_type: type[LargeMarginal]) -> Fit:
    reduction, settings = task.plan.reduction, task.settings
    if reduction is None:
        raise AssertionError("a large plan has a reduction")
    warmup_seed, chain_seed, interpolation_seed = np.random.SeedSequence(settings.random_seed).spawn(3)
    density = density_type(reduction, density_of(reduction.data.head))
    cores = settings.cores or available_cpus()

    def propose() -> tuple[DefensiveMixture, FloatArray]:
        rough, sizes = folded_proposal(density, starting_position(task.plan.assembled)[reduction.kept])
        return refined_proposal(density, rough, np.random.default_rng(warmup_seed), cores), sizes

    proposal, sizes_of_folded = proposed(task.checkpoint, reduction.kept.size, propose)
    density.fold(sizes_of_folded)

    def interpolate() -> Interpolation | None:
        if not may_interpolate(density):
            return None
        return interpolated(density, proposal, np.random.default_rng(interpolation_seed), cores)

    interpolation = known_between(task.checkpoint, proposal, density.schur.shape[0] - 1, interpolate)
    task.clock.lap("pilot")
    task.before_sampling()
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_large(
            density,
            proposal,
            draws=settings.draws,
            chains=settings.chains,
            seeds=chain_seed,
            report=report,
            checkpoint=task.checkpoint,
            cores=cores,
            interpolation=interpolation,
        )
    acceptance = float(drawn.stats["acceptance_rate"].mean())
    if acceptance < LOW_ACCEPTANCE and interpolation is None:  # which leaves transitions out instead
        log.warning(
            "Only %.0f%% of the proposals were accepted: the scales' posterior is far from normal, and draws are few. "
            "Fit with plan='joint' instead.",
            100 * acceptance,
        )
    return _stored(task, drawn, f", by independence Metropolis (acceptance {acceptance:.2f})")


def _stored(task: Task, drawn: LargeRun, remark: str) -> Fit:
    """The record of the run; draws of an interrupted one are said to be kept."""
    task.clock.lap("sampling")
    if drawn.interrupted:
        task.say_what_is_kept(drawn.values)
    go_on, (chains, done) = drawn.go_on, drawn.values.shape[:2]

    def longer(draws: int) -> Fit:
        task.lengthen(draws)
        with transition_bar(chains, draws - done, task.settings.progressbar) as report, one_blas_thread(of_scipy=True):
            return _stored(task, drawn.followed_by(go_on(draws - done, report)), remark)

    return task.fit(
        "independence",
        drawn.values,
        drawn.effects,
        stats=drawn.stats,
        settings=replace(task.settings, tune=WARMUP_DRAWS),
        interrupted=drawn.interrupted,
        remark=remark,
        longer=longer,
    )


@dataclass(frozen=True)
class LargeRun:
    """Draws of all chains in the joint model's quantities, with statistics by ArviZ's names.

    `go_on` takes a number of draws and whom to report to, and returns those that follow.
    """

    values: FloatArray
    effects: FloatArray
    stats: dict[str, NDArray[Any]]
    interrupted: bool
    go_on: Callable[[int, Callable[[int, int, float], None]], LargeRun]

    def followed_by(self, more: LargeRun) -> LargeRun:
        """All draws of both; of the chains that went on, where Ctrl-C left some out."""
        if len(more.values) < len(self.values):  # Ctrl-C: nobody went on far enough to leave the others' draws out
            raise KeyboardInterrupt
        return replace(
            more,
            values=np.concatenate([self.values, more.values], axis=1),
            effects=np.concatenate([self.effects, more.effects], axis=1),
            stats={name: np.concatenate([array, more.stats[name]], axis=1) for name, array in self.stats.items()},
        )


@dataclass
class _ChainRecord:
    """The arrays that one chain fills, a row per draw, and how many rows are full."""

    values: FloatArray
    effects: FloatArray
    stats: dict[str, FloatArray]
    done: int = 0

    def add(self, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the draws of a transition, as many as there is room for."""
        length = min(arrays["values"].shape[0], self.values.shape[0] - self.done)
        rows = slice(self.done, self.done + length)
        for name, array in {"values": self.values, "effects": self.effects, **self.stats}.items():
            array[rows] = arrays[name][:length]
        self.done += length


class Turn(NamedTuple):
    """What chains in threads share: whose turn it is to write and to report, and whether all are to end."""

    lock: threading.Lock
    over: threading.Event


def _run_chain(
    begin: Callable[[FloatArray | None], EvaluatedChain | InterpolatedChain],
    rng: np.random.Generator,
    record: _ChainRecord,
    journal: ChainJournal | None,
    report: Callable[[int, float], None],
    state: EvaluatedChain | InterpolatedChain | None,
    turn: Turn,
) -> EvaluatedChain | InterpolatedChain | None:
    """Fill `record`: first from what a checkpoint holds, then by transitions, each of which it is told.

    `begin` makes a chain at a position, or at one of its own. A chain with a `state` goes on from there. Returned is
    where it ended; None where all came from the checkpoint.
    """
    draws = record.values.shape[0]
    while journal is not None and journal.waiting and record.done < draws:
        with turn.lock:
            fields, arrays = journal.take(
                TRANSITION,
                {"values": record.values.shape[1], "effects": record.effects.shape[1]},
            )
        record.add(arrays)
        if not journal.waiting and record.done < draws:
            rng.bit_generator.state = fields["random"]
            state = begin(arrays["position"])
    if state is None and record.done < draws:
        state = begin(None)
        if isinstance(state, EvaluatedChain):  # others start at a draw that is chosen by its weight
            for _ in range(BURN_IN):
                if turn.over.is_set():
                    break
                state.step()
    while state is not None and record.done < draws and not turn.over.is_set():
        arrays = state.transition()
        record.add(arrays)
        with turn.lock:
            if journal is not None:
                journal.add({"random": random_state(rng)}, {**arrays, "position": state.position})
            report(record.done, float(record.stats["acceptance_rate"][: record.done].mean()))
    return state


def run_large(
    density: LargeMarginal,
    proposal: DefensiveMixture,
    *,
    draws: int,
    chains: int,
    seeds: np.random.SeedSequence,
    report: Callable[[int, int, float], None],
    checkpoint: Checkpoint | None = None,
    states: Sequence[EvaluatedChain | InterpolatedChain | None] | None = None,
    cores: int = 1,
    interpolation: Interpolation | None = None,
) -> LargeRun:
    """Sample up to `cores` chains at once; Ctrl-C keeps those that make the largest complete rectangle.

    Parameters
    ----------
    report : callable
        ``report(chain, draws done, acceptance so far)`` after every transition.
    checkpoint : Checkpoint, optional
        Where every transition is noted, and from which an earlier process's are taken.
    states : sequence, optional
        Chains that go on from where they are.
    interpolation : Interpolation, optional
        The density between evaluations, which takes their place.

    Raises
    ------
    SamplingError
        If the draws do not fit into memory.
    """
    reduction = density.reduction
    with memory_for(chains, draws, reduction.n_values + reduction.n_effects, "The parameters' draws"):
        values = np.empty((chains, draws, reduction.n_values))
        effects = np.empty((chains, draws, reduction.n_effects))
    stats = {name: np.zeros((chains, draws)) for name in STATISTICS}
    records = [
        _ChainRecord(values[chain], effects[chain], {name: array[chain] for name, array in stats.items()})
        for chain in range(chains)
    ]
    interrupted = False
    ends = list(states or [None] * chains)
    at_once = None if interpolation is None else _draws_at_once(density, proposal)
    turn = Turn(threading.Lock(), threading.Event())

    def work(chain: int, seed: np.random.SeedSequence) -> None:
        journal = None if checkpoint is None else ChainJournal(checkpoint, chain)
        rng, own, told = np.random.default_rng(seed), copy.copy(density), partial(report, chain)

        def begin(position: FloatArray | None) -> EvaluatedChain | InterpolatedChain:
            if at_once is None or interpolation is None:
                return EvaluatedChain(own, proposal, rng, position)
            return InterpolatedChain(at_once, interpolation, proposal, rng, position)

        ends[chain] = _run_chain(begin, rng, records[chain], journal, told, ends[chain], turn)

    with careful_interrupts() as interrupts:
        try:
            with ThreadPoolExecutor(min(cores, chains), "chain") as pool:
                running = [pool.submit(work, chain, seed) for chain, seed in enumerate(seeds.spawn(chains))]
                try:
                    for each in running:
                        each.result()
                finally:  # what has begun a transition ends it
                    turn.over.set()
                    for each in running:
                        each.cancel()
            interrupts.hold()
        except (Exception, KeyboardInterrupt) as error:
            interrupts.hold()
            ended_by(error, drawn=any(record.done for record in records))
            interrupted = True
    chosen, n_draws = largest_rectangle(np.array([record.done for record in records]))
    if n_draws == 0:
        raise KeyboardInterrupt
    kept: dict[str, NDArray[Any]] = {name: array[chosen, :n_draws] for name, array in stats.items()}
    kept["energy"] = -kept["lp"]  # potential energy is all there is without a momentum
    kept["diverging"] = np.zeros((chosen.size, n_draws), dtype=bool)

    def go_on(more: int, report: Callable[[int, int, float], None]) -> LargeRun:
        going_on: dict[str, Any] = {"draws": more, "chains": chains, "cores": cores, "states": ends}
        going_on |= {"interpolation": interpolation}
        return run_large(density, proposal, seeds=seeds, report=report, **going_on)

    return LargeRun(values[chosen, :n_draws], effects[chosen, :n_draws], kept, interrupted, go_on)


def _draws_at_once(density: LargeMarginal, proposal: DefensiveMixture) -> LargeDraws:
    from nutslite.posterior.marginal.large_draws import LargeDraws  # loads SciPy

    return LargeDraws(density, proposal.center)


METHOD = Method(
    name="independence",
    about="independence Metropolis on a large marginal density",
    title=lambda plan: "Independence Metropolis",
    heeds=frozenset({"checkpoint"}),
    parts=lambda plan: (),
    run=run,
)
