"""Run the sampler on a plan's target: settings in, draws on the model's natural scale out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._stack import with_room
from nutslite.exceptions import SamplingError, SettingError, refuse_other
from nutslite.posterior.beside import BLOCK, MANY, NATURAL, Beside, compiling_beside, needed
from nutslite.posterior.launching import (
    INITS,
    TARGET_ACCEPT,
    TUNE,
    default_target_accept,
    first_state,
    inside_draws,
    launch_metric,
    method_without_trajectories,
    named_sample,
)
from nutslite.posterior.pieces import warn_of_pieces
from nutslite.posterior.plan import Plan
from nutslite.posterior.resume import launched, opened_checkpoint, proposed
from nutslite.posterior.run_independence import Independence, run_independence
from nutslite.posterior.run_slice import Slices, run_slice
from nutslite.posterior.safeguards import check_callback, kept_raw, memory_of_results, named_functions
from nutslite.posterior.start import starting_position
from nutslite.posterior.start_values import Start, check_number_of_starts
from nutslite.posterior.target import Target, density_of
from nutslite.sampler.chain import compiled_block
from nutslite.sampler.checkpoint import Checkpoint
from nutslite.sampler.draws import Draws, SamplerSettings
from nutslite.sampler.independence import Proposal
from nutslite.sampler.interrupts import careful_interrupts
from nutslite.sampler.logdensity import compiled_logdensity
from nutslite.sampler.progress import transition_bar
from nutslite.sampler.sample import seed_sequence

FloatArray = NDArray[np.float64]

LOW_ACCEPTANCE = 0.5  # of independence proposals


@dataclass(frozen=True)
class Settings:
    """How to sample; as for `Model.fit`. What is None, and ``init="auto"``, is left to the pilot.

    ``independence=False`` means NUTS also where independence Metropolis would serve.

    Impossible values are refused here, before a pilot takes its time; any kind of seed becomes plain integers.
    """

    draws: int = 1000
    tune: int | None = None
    chains: int = 4
    cores: int | None = None
    random_seed: Any = None
    target_accept: float | None = None
    max_treedepth: int = 10
    progressbar: bool = True
    callback: Callable[..., Any] | None = None
    keep_warmup: bool = False
    laplace: bool = False
    independence: bool = True
    init: str = "auto"
    start: Start | None = None
    checkpoint: str | os.PathLike[str] | None = None
    identity: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        SamplerSettings(
            draws=self.draws,
            tune=TUNE if self.tune is None else self.tune,
            chains=self.chains,
            cores=1 if self.cores is None else self.cores,
            target_accept=TARGET_ACCEPT if self.target_accept is None else self.target_accept,
            max_treedepth=self.max_treedepth,
        )
        if self.draws == 0:
            raise SettingError("draws must be an integer of at least 1, not 0.")
        check_callback(self.callback)
        refuse_other("init", self.init, INITS)
        if self.start is not None:
            check_number_of_starts(self.start, self.chains)
        object.__setattr__(self, "random_seed", seed_sequence(self.random_seed).entropy)
        object.__setattr__(self, "progressbar", bool(self.progressbar))

    @property
    def may_be_independence(self) -> bool:
        """Whether independence Metropolis may replace NUTS: not where something was asked for that only NUTS has."""
        of_nuts = ("tune", "target_accept", "max_treedepth", "callback", "keep_warmup", "init", "start", "checkpoint")
        return self.independence and all(getattr(self, name) == getattr(Settings, name) for name in of_nuts)


@dataclass(frozen=True)
class Fit:
    """A finished run.

    Attributes
    ----------
    plan : Plan
    settings : Settings
        With `tune` and `target_accept` filled in, as far as they had a meaning.
    stats : dict of ndarray, shape (chains, draws)
        Statistics by ArviZ's names.
    interrupted : bool
    draws : Draws or None
        The NUTS sampler's own record (unconstrained positions, adapted state).
    values, effects : ndarray, shape (chains, draws, ...)
        The joint model's quantities.
    warmup : (values, effects) or None
        The same of the warm-up, where it was kept.
    seconds : dict of str to float
        Wall-clock time of ``"pilot"``, ``"compilation"``, ``"sampling"`` (warm-up and draws of all chains) and
        ``"recovery"`` (natural scale, exact draws of what was integrated out).
    by_slices : bool
        Whether it was slice sampling.
    """

    plan: Plan
    settings: Settings
    stats: dict[str, NDArray[Any]]
    interrupted: bool
    draws: Draws | None
    values: FloatArray
    effects: FloatArray
    warmup: tuple[FloatArray, FloatArray] | None
    seconds: dict[str, float]
    by_slices: bool = False

    @property
    def method(self) -> str:
        """How the draws were made: ``"nuts"``, ``"laplace"``, ``"independence"`` or ``"slice"``."""
        if self.settings.laplace:
            return "laplace"
        if self.draws is not None:
            return "nuts"
        return "slice" if self.by_slices else "independence"


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
    with careful_interrupts(), named_functions(plan), opened_checkpoint(plan, settings) as checkpoint:
        if plan.reduction is not None and plan.reduction.large:
            return _run_large(plan, settings, checkpoint, before_sampling)
        parts = needed(plan, settings.laplace, settings.may_be_independence)
        with compiling_beside(plan.density, parts) as beside:
            return with_room(lambda: _run_target(plan, settings, checkpoint, before_sampling, beside))


def _run_target(
    plan: Plan,
    settings: Settings,
    checkpoint: Checkpoint | None,
    before_sampling: Callable[[], Any] | None,
    beside: Beside,
) -> Fit:
    target = plan.target()
    beside.share_density()
    if target.dimension == 0:
        raise SamplingError("Every parameter of this model is a fixed number: there is nothing to sample.")
    start_seed, chain_seed, recovery_seed = np.random.SeedSequence(settings.random_seed).spawn(3)
    clock = _Clock()
    if settings.laplace:
        return _run_laplace(plan, settings, target, clock)
    launch = target.launch() if settings.may_be_independence else None
    if launch is not None:
        beside.wait(MANY)
        launch, method = method_without_trajectories(target, launch, settings)
        if method is not None:
            clock.lap("pilot")
            return _run_independence(plan, settings, target, method, clock, before_sampling, beside)
    start_rng = np.random.default_rng(start_seed)
    begun = launched(checkpoint, target, lambda: first_state(target, launch, settings, start_rng))
    target_accept = settings.target_accept
    if target_accept is None:
        target_accept = default_target_accept(begun, target.dimension)
    clock.lap("pilot")
    beside.wait(BLOCK)
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
    beside.wait(NATURAL)
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
    beside: Beside,
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
    beside.wait(NATURAL)
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
    from nutslite.posterior.large_marginal import LargeMarginal
    from nutslite.posterior.run_large import WARMUP_TRANSITIONS, laplace_proposal, refined_proposal, run_large

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
