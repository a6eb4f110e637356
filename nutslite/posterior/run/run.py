"""Run the sampler on a plan's target: settings in, draws on the model's natural scale out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._stack import with_room
from nutslite.exceptions import SamplingError, SettingError
from nutslite.posterior.methods.independence import Independence, run_independence
from nutslite.posterior.methods.nuts_start import (
    default_target_accept,
    first_state,
    inside_draws,
    launch_metric,
    method_without_trajectories,
    named_sample,
)
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.slices import Slices, run_slice
from nutslite.posterior.pilot.pieces import warn_of_pieces
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.run.compile_beside import compiling_beside, needed
from nutslite.posterior.run.fit import Fit
from nutslite.posterior.run.resume import opened_checkpoint, proposed, resumed_start
from nutslite.posterior.run.safeguards import kept_raw, memory_of_results, named_functions
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Target, density_of
from nutslite.sampler.checkpoint.checkpoint import Checkpoint
from nutslite.sampler.draws import Draws
from nutslite.sampler.independence.independence import Proposal
from nutslite.sampler.interrupts import careful_interrupts
from nutslite.sampler.progress import transition_bar
from nutslite.sampler.transition.chain import compiled_block
from nutslite.sampler.transition.logdensity import compiled_logdensity

FloatArray = NDArray[np.float64]

LOW_ACCEPTANCE = 0.5  # of independence proposals


def run(plan: Plan, settings: Settings, before_sampling: Callable[[], Any] | None = None) -> Fit:
    """Sample a plan's target.

    Parameters
    ----------
    plan : Plan
    settings : Settings
    before_sampling : callable, optional
        Called once before chains start (to load in the background what comes after).

    Raises
    ------
    SamplingError
        If the model has nothing to sample, a setting is impossible, or no finite starting point exists.
    """
    with memory_of_results(plan, settings):  # before a pilot takes its time, and before there is a file
        pass
    if settings.laplace:  # a normal approximation of the position, not of other coordinates
        plan = replace(plan, structure=None)
    with careful_interrupts(), named_functions(plan), opened_checkpoint(plan, settings) as checkpoint:
        if plan.reduction is not None and plan.reduction.large:
            return _run_large(plan, settings, checkpoint, before_sampling)
        parts = needed(plan, settings.laplace, settings.may_be_independence)
        with compiling_beside(plan.density, parts):
            return with_room(lambda: _run_target(plan, settings, checkpoint, before_sampling))


def _run_target(
    plan: Plan,
    settings: Settings,
    checkpoint: Checkpoint | None,
    before_sampling: Callable[[], Any] | None,
) -> Fit:
    target = plan.target()
    if target.dimension == 0:
        raise SamplingError("Every parameter of this model is a fixed number: there is nothing to sample.")
    start_seed, chain_seed, recovery_seed = np.random.SeedSequence(settings.random_seed).spawn(3)
    clock = _Clock()
    if settings.laplace:
        return _run_laplace(plan, settings, target, clock)
    launch = target.launch() if settings.may_be_independence else None
    if launch is not None:
        launch, method = method_without_trajectories(target, launch, settings)
        if method is not None:
            clock.lap("pilot")
            return _run_independence(plan, settings, target, method, clock, before_sampling)
    start_rng = np.random.default_rng(start_seed)
    begun = resumed_start(checkpoint, target, lambda: first_state(target, launch, settings, start_rng))
    target_accept = settings.target_accept
    if target_accept is None:
        target_accept = default_target_accept(begun, target.dimension)
    clock.lap("pilot")
    compiled_block(target.data_type)
    compiled_logdensity(target.logdensity, target.data_type)
    clock.lap("compilation")
    if before_sampling is not None:
        before_sampling()
    with target.helped(settings.chains, settings.cores) as chain_data:
        draws = named_sample(
            plan,
            target.logdensity,
            target.data,
            data_type=target.data_type,
            initial=begun.initial,
            jitter=begun.jitter,
            draws=settings.draws,
            tune=begun.tune,
            chains=settings.chains,
            cores=settings.cores,
            random_seed=chain_seed,
            target_accept=target_accept,
            max_treedepth=settings.max_treedepth,
            metric=begun.metric,
            adapt_metric=begun.adapts,
            progress=settings.progressbar,
            callback=settings.callback,
            save_warmup=settings.keep_warmup,
            checkpoint=checkpoint,
            chain_data=chain_data,
        )
    clock.lap("sampling")
    draws = _finished(draws, settings)
    rng = np.random.default_rng(recovery_seed)
    warmup = None
    with kept_raw(draws.positions, draws.stats), memory_of_results(plan, settings):
        values, effects = target.natural(draws.positions, rng)
        if draws.warmup_positions is not None and begun.tune > 0 and not draws.interrupted:
            warmup = target.natural(draws.warmup_positions, rng)
    clock.lap("recovery")
    warn_of_pieces(plan.assembled, values, effects)
    settings = replace(settings, tune=begun.tune, target_accept=target_accept)
    return Fit(plan, settings, draws.stats, draws.interrupted, draws, values, effects, warmup, clock.seconds)


def _run_independence(
    plan: Plan,
    settings: Settings,
    target: Target,
    method: Independence | Slices,
    clock: _Clock,
    before_sampling: Callable[[], Any] | None,
) -> Fit:
    """Independence Metropolis with a proposal that was found to fit, or slice sampling of a model of few rows."""
    if before_sampling is not None:
        before_sampling()
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        if isinstance(method, Slices):
            drawn = run_slice(method, settings, report)
        else:
            drawn = run_independence(target, method, draws=settings.draws, chains=settings.chains, report=report)
    clock.lap("sampling")
    if drawn.interrupted:
        _say_what_is_kept(drawn.positions, settings)
    with kept_raw(drawn.positions, drawn.stats), memory_of_results(plan, settings):
        values, effects = target.natural(drawn.positions, method.recovery_rng)
    clock.lap("recovery")
    if not (isinstance(method, Slices) and method.target.in_pieces):
        warn_of_pieces(plan.assembled, values, effects)
    settings = replace(settings, tune=0)
    seconds = {**clock.seconds, "compilation": 0.0}
    return Fit(
        plan, settings, drawn.stats, drawn.interrupted, None, values, effects, None, seconds, isinstance(method, Slices)
    )


def _run_laplace(plan: Plan, settings: Settings, target: Target, clock: _Clock) -> Fit:
    """Draws from the normal distribution with the pilot's mode and curvature, instead of the posterior.

    What a marginal plan integrated out is still drawn exactly, given the approximate rest.
    """
    launch = target.launch()
    metric = launch_metric(launch)
    if metric is None:
        raise SamplingError(
            "No Laplace approximation of this model: no mode with a positive definite curvature was found. Use NUTS."
        )
    _say_unused(
        settings, "a Laplace approximation", ("tune", "cores", "callback", "keep_warmup", "init", "start", "checkpoint")
    )
    clock.lap("pilot")
    rng = np.random.default_rng(settings.random_seed)
    positions = inside_draws(target, launch, metric, rng, settings.chains * settings.draws)
    values, effects = target.natural(positions.reshape(settings.chains, settings.draws, -1), rng)
    clock.lap("sampling")
    seconds = {**clock.seconds, "compilation": 0.0, "recovery": 0.0}
    return Fit(plan, replace(settings, tune=0), {}, False, None, values, effects, None, seconds)


def _run_large(
    plan: Plan, settings: Settings, checkpoint: Checkpoint | None, before_sampling: Callable[[], Any] | None
) -> Fit:
    """Independence Metropolis on a large marginal density, chain after chain; LAPACK uses all cores."""
    # Only here, because they load SciPy.
    from nutslite.posterior.marginal.large_marginal import LargeMarginal
    from nutslite.posterior.methods.large_independence import (
        WARMUP_TRANSITIONS,
        laplace_proposal,
        refined_proposal,
        run_large,
    )

    if settings.laplace:
        raise SettingError("This model's plan is not for a Laplace approximation; use plan='joint' with it.")
    unused = ("tune", "cores", "callback", "keep_warmup", "max_treedepth", "init", "start")
    _say_unused(settings, "independence Metropolis", unused)
    reduction = plan.reduction
    if reduction is None:
        raise AssertionError("a large plan has a reduction")
    warmup_seed, chain_seed = np.random.SeedSequence(settings.random_seed).spawn(2)
    clock = _Clock()
    density = LargeMarginal(reduction, density_of(reduction.data.head))

    def propose() -> Proposal:
        rough = laplace_proposal(density, starting_position(plan.assembled)[reduction.kept])
        return refined_proposal(density, rough, np.random.default_rng(warmup_seed))

    proposal = proposed(checkpoint, reduction.kept.size, propose)
    clock.lap("pilot")
    if before_sampling is not None:
        before_sampling()
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_large(
            density,
            proposal,
            draws=settings.draws,
            chains=settings.chains,
            seeds=chain_seed,
            report=report,
            checkpoint=checkpoint,
        )
    clock.lap("sampling")
    if drawn.interrupted:
        _say_what_is_kept(drawn.values, settings)
    acceptance = float(drawn.stats["acceptance_rate"].mean())
    if acceptance < LOW_ACCEPTANCE:
        log.warning(
            "Only %.0f%% of the proposals were accepted: the scales' posterior is far from normal, and draws are few. "
            "Fit with plan='joint' instead.",
            100 * acceptance,
        )
    settings = replace(settings, tune=WARMUP_TRANSITIONS)
    seconds = {**clock.seconds, "compilation": 0.0, "recovery": 0.0}
    return Fit(plan, settings, drawn.stats, drawn.interrupted, None, drawn.values, drawn.effects, None, seconds)


def _say_unused(settings: Settings, method: str, names: tuple[str, ...]) -> None:
    """Warn about settings that were given and have no meaning for this method."""
    given = [name for name in names if getattr(settings, name) != getattr(Settings, name)]
    if given:
        log.warning("This plan (%s) has no use for: %s.", method, ", ".join(given))


class _Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Note the time since the last lap."""
        now = time.perf_counter()
        self.seconds[name], self._last = now - self._last, now


def _finished(draws: Draws, settings: Settings) -> Draws:
    """The complete part of a run; a run that was interrupted before its first draw is an interruption."""
    if not draws.interrupted:
        return draws
    kept = draws.rectangular()
    if kept.positions.shape[1] == 0:
        raise KeyboardInterrupt
    _say_what_is_kept(kept.positions, settings)
    return kept


def _say_what_is_kept(draws: FloatArray, settings: Settings) -> None:
    """`draws` has the shape (chains, draws, ...)."""
    log.warning(
        "Interrupted: kept the %d finished draws of %d of %d chains.%s",
        draws.shape[1],
        draws.shape[0],
        settings.chains,
        "" if settings.checkpoint is None else f" The same call goes on from '{settings.checkpoint}'.",
    )
