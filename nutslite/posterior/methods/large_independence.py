"""Run independence Metropolis on a large marginal density; integrated parameters are drawn along the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._schema import Number, Numbers, Record
from nutslite.exceptions import SamplingError
from nutslite.posterior.marginal.folding import START, foldable, tailed
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.resume import proposed
from nutslite.posterior.methods.task import Task
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.targets.target import density_of
from nutslite.sampler.checkpoint.checkpoint import RANDOM_STATE, ChainJournal, Checkpoint, RecordKind, random_state
from nutslite.sampler.draws import largest_rectangle
from nutslite.sampler.independence.independence import IndependenceChain
from nutslite.sampler.independence.proposals import DefensiveMixture
from nutslite.sampler.interrupts import careful_interrupts, ended_by
from nutslite.sampler.memory import memory_for
from nutslite.sampler.progress import transition_bar

if TYPE_CHECKING:
    from nutslite.posterior.marginal.large_marginal import Conditional, LargeMarginal

FloatArray = NDArray[np.float64]

DRAWS_PER_TRANSITION = 2  # draws of coefficients and effects for each transition of the expensive parameters
WARMUP_TRANSITIONS = 100  # in all, shared by the chains: they refine the proposal
BURN_IN = 10  # transitions of every chain before its first draw; it starts at a draw of the proposal
STATISTICS = ("lp", "acceptance_rate", "perf_counter_start")
TRANSITION = RecordKind(
    Record({"chain": Number(0, whole=True), "random": RANDOM_STATE}),
    Record(
        {
            "values": Numbers((DRAWS_PER_TRANSITION, "values")),
            "effects": Numbers((DRAWS_PER_TRANSITION, "effects")),
            "position": Numbers(("kept",), finite=True),
            **dict.fromkeys(STATISTICS, Numbers((DRAWS_PER_TRANSITION,))),
        }
    ),
)
"""What a checkpoint holds of each transition."""

SECOND_DIFFERENCE = 0.02  # step of the differences that give the curvature at the mode, on the log scale


LOW_ACCEPTANCE = 0.5


def run(task: Task) -> Fit:
    """Find a proposal, or take that of the checkpoint, and sample chain after chain; LAPACK uses all cores."""
    from nutslite.posterior.marginal.large_marginal import LargeMarginal  # loads SciPy

    reduction, settings = task.plan.reduction, task.settings
    if reduction is None:
        raise AssertionError("a large plan has a reduction")
    warmup_seed, chain_seed = np.random.SeedSequence(settings.random_seed).spawn(2)
    density = LargeMarginal(reduction, density_of(reduction.data.head))

    def propose() -> tuple[DefensiveMixture, FloatArray]:
        rough, sizes = folded_proposal(density, starting_position(task.plan.assembled)[reduction.kept])
        return refined_proposal(density, rough, np.random.default_rng(warmup_seed)), sizes

    proposal, sizes_of_folded = proposed(task.checkpoint, reduction.kept.size, propose)
    density.fold(sizes_of_folded)
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
        )
    acceptance = float(drawn.stats["acceptance_rate"].mean())
    if acceptance < LOW_ACCEPTANCE:
        log.warning(
            "Only %.0f%% of the proposals were accepted: the scales' posterior is far from normal, and draws are few. "
            "Fit with plan='joint' instead.",
            100 * acceptance,
        )
    return _stored(task, drawn, f", by independence Metropolis (acceptance {acceptance:.2f})")


def _stored(task: Task, drawn: LargeDraws, remark: str) -> Fit:
    """The record of the run; draws of an interrupted one are said to be kept."""
    task.clock.lap("sampling")
    if drawn.interrupted:
        task.say_what_is_kept(drawn.values)
    go_on, (chains, done) = drawn.go_on, drawn.values.shape[:2]

    def longer(draws: int) -> Fit:
        task.lengthen(draws)
        with transition_bar(chains, draws - done, task.settings.progressbar) as report:
            return _stored(task, drawn.followed_by(go_on(draws - done, report)), remark)

    return task.fit(
        "independence",
        drawn.values,
        drawn.effects,
        stats=drawn.stats,
        settings=replace(task.settings, tune=WARMUP_TRANSITIONS),
        interrupted=drawn.interrupted,
        remark=remark,
        longer=longer,
    )


@dataclass(frozen=True)
class LargeDraws:
    """Draws of all chains in the joint model's quantities, with statistics by ArviZ's names.

    `go_on` takes a number of draws and whom to report to, and returns those that follow.
    """

    values: FloatArray
    effects: FloatArray
    stats: dict[str, NDArray[Any]]
    interrupted: bool
    go_on: Callable[[int, Callable[[int, int, float], None]], LargeDraws]

    def followed_by(self, more: LargeDraws) -> LargeDraws:
        """All draws of both; of the chains that went on, where Ctrl-C left some out."""
        if len(more.values) < len(self.values):  # Ctrl-C: nobody went on far enough to leave the others' draws out
            raise KeyboardInterrupt
        return replace(
            more,
            values=np.concatenate([self.values, more.values], axis=1),
            effects=np.concatenate([self.effects, more.effects], axis=1),
            stats={name: np.concatenate([array, more.stats[name]], axis=1) for name, array in self.stats.items()},
        )


def folded_proposal(density: LargeMarginal, start: FloatArray) -> tuple[DefensiveMixture, FloatArray]:
    """The proposal at the mode once scales with a long left tail are folded, and their sizes (d,), 0 of others."""
    rough = laplace_proposal(density, start)

    def values(positions: FloatArray) -> FloatArray:
        return np.array([density.evaluate(position)[0] for position in positions])

    sds = np.sqrt(np.sum(rough.factor**2, axis=1))
    which = foldable(density.reduction) & tailed(values, rough.center, sds, values(rough.center[None])[0])
    if not which.any():
        return rough, np.zeros(start.size)
    sizes = np.where(which, np.exp(rough.center), 0.0)
    density.fold(sizes)
    rough = laplace_proposal(density, np.where(which, START, rough.center))
    return replace(rough, folded=tuple(np.flatnonzero(which).tolist())), sizes


def laplace_proposal(density: LargeMarginal, start: FloatArray) -> DefensiveMixture:
    """Mode and curvature of the density, by evaluations alone."""
    from scipy import optimize  # takes longer to load than most models to fit

    def negative(position: FloatArray) -> float:
        value = density.evaluate(position)[0]
        return -value if np.isfinite(value) else 1e10

    options = {"initial_tr_radius": 0.5, "final_tr_radius": 0.01}
    center = optimize.minimize(negative, start, method="COBYQA", options=options).x
    hessian = _hessian(negative, center)
    try:
        factor = np.linalg.cholesky(np.linalg.inv(hessian))
    except np.linalg.LinAlgError:
        raise SamplingError(
            "The marginal density has no regular mode: a scale may be hardly informed. Fit with plan='joint'."
        ) from None
    return DefensiveMixture(center, factor)


def _hessian(function: Callable[[FloatArray], float], center: FloatArray) -> FloatArray:
    d = center.size
    steps = np.eye(d) * SECOND_DIFFERENCE
    at_center = function(center)
    single = np.array([[function(center + sign * step) for step in steps] for sign in (1, -1)])
    out = np.empty((d, d))
    for i in range(d):
        out[i, i] = single[0, i] + single[1, i] - 2.0 * at_center
        for j in range(i):
            both = function(center + steps[i] + steps[j]) + function(center - steps[i] - steps[j])
            out[i, j] = 0.5 * (both + 2.0 * at_center - single[:, i].sum() - single[:, j].sum())
            out[j, i] = out[i, j]
    return out / SECOND_DIFFERENCE**2


def refined_proposal(density: LargeMarginal, proposal: DefensiveMixture, rng: np.random.Generator) -> DefensiveMixture:
    """The proposal, refined by importance sampling from itself."""
    positions = proposal.draw(rng, WARMUP_TRANSITIONS)
    values = np.array([density.evaluate(position)[0] for position in positions])
    return proposal.refined(positions, values - proposal.log_density(positions))


class _Chain:
    """A chain of the remaining parameters, with the conditional of the integrated ones at its current position.

    It starts at a draw of the proposal, or where an earlier process left it.
    """

    def __init__(
        self,
        density: LargeMarginal,
        proposal: DefensiveMixture,
        rng: np.random.Generator,
        position: FloatArray | None = None,
    ) -> None:
        self.density, self.rng = density, rng
        self.candidate: Conditional | None = None
        self.current: Conditional | None = None
        self.chain = IndependenceChain(self._evaluate, proposal, rng, position)
        self.current = self.candidate

    def _evaluate(self, position: FloatArray) -> float:
        value, self.candidate = self.density.evaluate(position)
        return value

    def step(self) -> None:
        """Move, or stay."""
        if self.chain.step():
            self.current = self.candidate

    def transition(self) -> dict[str, NDArray[Any]]:
        """One step, and draws of the integrated parameters given where it led.

        There are always `DRAWS_PER_TRANSITION`, also where fewer are wanted: so many random numbers are used that
        later draws do not depend on where a run ended.
        """
        began = time.perf_counter()
        self.step()
        if self.current is None:  # `IndependenceChain` starts at a finite density only
            raise AssertionError("a chain without a current position")
        values, effects = self.density.draw(self.current, DRAWS_PER_TRANSITION, self.rng)
        stats = {"lp": self.chain.value, "acceptance_rate": self.chain.acceptance, "perf_counter_start": began}
        repeated = {name: np.full(DRAWS_PER_TRANSITION, value) for name, value in stats.items()}
        return {"values": values, "effects": effects, **repeated}


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


def _run_chain(
    density: LargeMarginal,
    proposal: DefensiveMixture,
    rng: np.random.Generator,
    record: _ChainRecord,
    journal: ChainJournal | None,
    report: Callable[[int, float], None],
    state: _Chain | None = None,
) -> _Chain | None:
    """Fill `record`: first from what a checkpoint holds, then by transitions, each of which it is told.

    A chain with a `state` goes on from there. Returned is where it ended; None where all came from the checkpoint.
    """
    draws = record.values.shape[0]
    while journal is not None and journal.waiting and record.done < draws:
        fields, arrays = journal.take(
            TRANSITION,
            {"values": record.values.shape[1], "effects": record.effects.shape[1], "kept": proposal.center.size},
        )
        record.add(arrays)
        if not journal.waiting and record.done < draws:
            rng.bit_generator.state = fields["random"]
            state = _Chain(density, proposal, rng, arrays["position"])
    if state is None and record.done < draws:
        state = _Chain(density, proposal, rng)
        for _ in range(BURN_IN):
            state.step()
    while state is not None and record.done < draws:
        arrays = state.transition()
        record.add(arrays)
        if journal is not None:
            journal.add({"random": random_state(rng)}, {**arrays, "position": state.chain.position})
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
    states: Sequence[_Chain | None] | None = None,
) -> LargeDraws:
    """Sample; Ctrl-C keeps the chains and draws that make the largest complete rectangle.

    Parameters
    ----------
    report : callable
        ``report(chain, draws done, acceptance so far)`` after every transition.
    checkpoint : Checkpoint, optional
        Where every transition is noted, and from which an earlier process's are taken.
    states : sequence, optional
        Chains that go on from where they are.

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
    with careful_interrupts() as interrupts:
        try:
            for chain, seed in enumerate(seeds.spawn(chains)):
                journal = None if checkpoint is None else ChainJournal(checkpoint, chain)
                rng = np.random.default_rng(seed)
                told = partial(report, chain)
                ends[chain] = _run_chain(density, proposal, rng, records[chain], journal, told, ends[chain])
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

    def go_on(more: int, report: Callable[[int, int, float], None]) -> LargeDraws:
        return run_large(density, proposal, draws=more, chains=chains, seeds=seeds, report=report, states=ends)

    return LargeDraws(values[chosen, :n_draws], effects[chosen, :n_draws], kept, interrupted, go_on)


METHOD = Method(
    name="independence",
    about="independence Metropolis on a large marginal density",
    title=lambda plan: "Independence Metropolis",
    heeds=frozenset({"checkpoint"}),
    parts=lambda plan: (),
    run=run,
)
