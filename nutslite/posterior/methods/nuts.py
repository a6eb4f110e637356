"""Chains of trajectories, from the launch of the target: NUTS, which serves every posterior with a gradient, and HMC.

Hamiltonian Monte Carlo around the pilot's centre knows how far a trajectory should go, where NUTS looks for it: for
posteriors of many parameters that a normal is close to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nutslite._awaited import BLOCK, EFFECTS, NATURAL, ROTATION, WAYS
from nutslite.posterior.methods.chains_apart import sampled, sampled_on
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.nuts_start import NutsStart, default_target_accept, first_state
from nutslite.posterior.methods.resume import resumed_start
from nutslite.posterior.methods.settings import OPTIONAL, Settings
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.matrix_target import MatrixTarget
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.draws import Draws
from nutslite.sampler.state import ChainState
from nutslite.sampler.transition.chain import compiled_block
from nutslite.sampler.transition.handle import compiled_hands
from nutslite.sampler.transition.logdensity import compiled_logdensity


def run(task: Task) -> Fit:
    """Warm up and sample from the task's launch, or from that of its checkpoint, by NUTS."""
    return _trajectories(task, rotates=False)


def run_hmc(task: Task) -> Fit:
    """As `run`, with trajectories that turn around the pilot's centre by an angle; NUTS where it finds no centre."""
    return _trajectories(task, rotates=True)


def _trajectories(task: Task, rotates: bool) -> Fit:
    target, settings = task.target, task.settings
    start_seed, chain_seed, recovery_seed = np.random.SeedSequence(settings.random_seed).spawn(3)
    start_rng = np.random.default_rng(start_seed)
    begun = resumed_start(
        task.checkpoint, target, lambda: first_state(target, task.launch, settings, start_rng, rotates)
    )
    if settings.target_accept is None:
        settings = replace(settings, target_accept=default_target_accept(begun, target.dimension))
    task.let_go_of_launch()
    task.clock.lap("pilot")
    if begun.trajectory == "nuts":
        compiled_block()
    compiled_logdensity(target.logdensity, target.data_type)
    compiled_hands(target.data_type)
    task.clock.lap("compilation")
    task.before_sampling()
    settings = replace(settings, tune=begun.tune)
    draws = _finished(_sampled(task, settings, begun, chain_seed), task)
    if not task.goes_on:
        begun = begun.without_arrays()
    fit = _recovered(task, settings, begun, draws, recovery_seed)
    task.warn_of_pieces(fit.values, fit.effects)
    return fit


def _recovered(
    task: Task, settings: Settings, begun: NutsStart, draws: Draws, recovery_seed: np.random.SeedSequence
) -> Fit:
    """The fit of complete draws, on their natural scale.

    A longer one has all its draws brought there again, with the same random numbers: it is what as many draws would
    have been at once.
    """
    target = task.target
    fresh = np.random.SeedSequence(recovery_seed.entropy, spawn_key=recovery_seed.spawn_key)  # spawning changes it
    rng = np.random.default_rng(fresh)
    warmup = None
    own: Draws | None = draws
    kept = draws.warmup_positions if begun.tune > 0 and not draws.interrupted else None
    if kept is None and task.may_write_over(draws.positions):
        values, effects = task.natural_over(draws.positions, draws.stats)
        own = None  # its positions are none any more
    else:
        with task.recovering(draws.positions, draws.stats):
            values, effects = target.natural(draws.positions, rng)
            if kept is not None:
                warmup = target.natural(kept, rng)

    def longer(number: int) -> Fit:
        task.lengthen(number)
        more = replace(settings, draws=number - draws.positions.shape[1])
        new = _sampled(task, more, begun, recovery_seed, draws.states)
        if len(new.positions) < len(draws.positions):  # Ctrl-C, before all chains came back from an executor
            raise KeyboardInterrupt
        kept = _finished(draws.followed_by(new), task)
        return _recovered(task, replace(settings, draws=number), begun, kept, recovery_seed)

    return task.fit(
        "nuts" if begun.trajectory == "nuts" else "hmc",
        values,
        effects,
        stats=draws.stats,
        settings=settings,
        interrupted=draws.interrupted,
        draws=own,
        remark=", by matrix centring" if isinstance(target, MatrixTarget) and target.centring is not None else "",
        warmup=warmup,
        longer=longer if task.goes_on else None,
    )


def _sampled(
    task: Task,
    settings: Settings,
    begun: NutsStart,
    seed: np.random.SeedSequence,
    states: Sequence[ChainState] | None = None,
) -> Draws:
    """The chains' draws; `settings` with the warm-up and the acceptance that serve.

    Chains with `states` go on from there, with their own random numbers.
    """
    if settings.executor is not None:
        draws = sampled_on(settings.executor, task, settings, begun, seed, states)
    else:
        own: dict[str, Any] = {"states": states, "checkpoint": task.checkpoint, "keep_states": task.goes_on}
        draws = sampled(task.plan, task.target, settings, begun, seed, **own)
    task.clock.lap("sampling")
    return draws


def _finished(draws: Draws, task: Task) -> Draws:
    """The complete part of a run; a run that was interrupted before its first draw is an interruption."""
    if not draws.interrupted:
        return draws
    kept = draws.rectangular()
    if kept.positions.shape[1] == 0:
        raise KeyboardInterrupt
    task.say_what_is_kept(kept.positions)
    return kept


def parts(plan: Plan) -> tuple[str, ...]:
    """The block of transitions, and the priors of group effects where there are any."""
    first = {"joint": (EFFECTS,), "matrix": (EFFECTS, WAYS)}.get(plan.density, ())
    return (*first, BLOCK, NATURAL)


METHOD = Method(
    name="nuts",
    about="the sampler that needs no compiler and no other program",
    title=lambda plan: "NUTS",
    heeds=frozenset(OPTIONAL),
    parts=parts,
    run=run,
)

HMC = Method(
    name="hmc",
    about="trajectories of a known length around a pilot's centre",
    title=lambda plan: "HMC",
    heeds=frozenset(OPTIONAL) - {"max_treedepth"},
    parts=lambda plan: tuple(ROTATION if part == BLOCK else part for part in parts(plan)),
    run=run_hmc,
)
