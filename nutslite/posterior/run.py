"""Run the sampler on a plan's target: settings in, draws on the model's natural scale out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import SamplingError
from nutslite.posterior.information import Information
from nutslite.posterior.large_marginal import LargeMarginal
from nutslite.posterior.plan import Plan
from nutslite.posterior.run_independence import fitting_proposal, run_independence
from nutslite.posterior.run_large import WARMUP_TRANSITIONS, laplace_proposal, refined_proposal, run_large
from nutslite.posterior.start import starting_position
from nutslite.posterior.target import Launch, Target, density_of
from nutslite.sampler.chain import compiled_block
from nutslite.sampler.draws import Draws, SamplerSettings
from nutslite.sampler.logdensity import compiled_logdensity
from nutslite.sampler.metric import Metric, arrowhead_metric, dense_metric, diagonal_metric, normal_draws
from nutslite.sampler.progress import transition_bar
from nutslite.sampler.sample import available_cpus, sample, seed_sequence

FloatArray = NDArray[np.float64]

TUNE = 1000
TUNE_AFTER_PILOT = 200
LOW_ACCEPTANCE = 0.5  # of independence proposals
SHOWN_NAMES = 10
MOST_HALVINGS = 30  # of the way from a starting point to the centre


@dataclass(frozen=True)
class Settings:
    """How to sample; as for `Model.fit`. ``tune=None`` lets the pilot decide, ``independence=False`` means NUTS.

    Impossible values are refused here, before a pilot takes its time; any kind of seed becomes plain integers.
    """

    draws: int = 1000
    tune: int | None = None
    chains: int = 4
    cores: int | None = None
    random_seed: Any = None
    target_accept: float = 0.8
    max_treedepth: int = 10
    progressbar: bool = True
    callback: Callable[..., Any] | None = None
    keep_warmup: bool = False
    laplace: bool = False
    independence: bool = True

    def __post_init__(self) -> None:
        SamplerSettings(
            draws=self.draws,
            tune=TUNE if self.tune is None else self.tune,
            chains=self.chains,
            cores=1 if self.cores is None else self.cores,
            target_accept=self.target_accept,
            max_treedepth=self.max_treedepth,
        )
        if self.draws == 0:
            raise SamplingError("draws must be an integer of at least 1, not 0.")
        if self.callback is not None and not callable(self.callback):
            raise SamplingError(f"callback must be a function that takes a progress record, not {self.callback!r}.")
        object.__setattr__(self, "random_seed", seed_sequence(self.random_seed).entropy)
        object.__setattr__(self, "progressbar", bool(self.progressbar))

    @property
    def may_be_independence(self) -> bool:
        """Whether independence Metropolis may replace NUTS: not where a setting was given that only NUTS has."""
        about_nuts = ("tune", "target_accept", "max_treedepth", "callback", "keep_warmup")
        return self.independence and all(getattr(self, name) == getattr(Settings, name) for name in about_nuts)


@dataclass(frozen=True)
class Fit:
    """A finished run.

    Attributes
    ----------
    plan : Plan
    settings : Settings
        With `tune` filled in.
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

    @property
    def method(self) -> str:
        """How the draws were made: ``"nuts"``, ``"laplace"`` or ``"independence"``."""
        if self.settings.laplace:
            return "laplace"
        return "nuts" if self.draws is not None else "independence"


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
    if plan.reduction is not None and plan.reduction.large:
        return _run_large(plan, settings, before_sampling)
    target = plan.target()
    if target.dimension == 0:
        raise SamplingError("Every parameter of this model is a fixed number: there is nothing to sample.")
    start_seed, chain_seed, recovery_seed = np.random.SeedSequence(settings.random_seed).spawn(3)
    clock = _Clock()
    launch = target.launch()
    metric = _metric(launch)
    if settings.laplace:
        return _run_laplace(plan, settings, target, launch, metric, clock)
    if settings.may_be_independence:
        found = _independence(plan, settings, target, launch, clock, before_sampling)
        if found is not None:
            return found
    adapts = metric is None or launch.adapt
    tune = settings.tune if settings.tune is not None else (TUNE if adapts else TUNE_AFTER_PILOT)
    clock.lap("pilot")
    compiled_block(target.data_type)
    compiled_logdensity(target.logdensity, target.data_type)
    clock.lap("compilation")
    if before_sampling is not None:
        before_sampling()
    draws = _sample(
        plan,
        target.logdensity,
        target.data,
        data_type=target.data_type,
        initial=_starts(target, launch, metric, settings.chains, np.random.default_rng(start_seed)),
        jitter=1.0 if metric is None else 0.0,
        draws=settings.draws,
        tune=tune,
        chains=settings.chains,
        cores=settings.cores,
        random_seed=chain_seed,
        target_accept=settings.target_accept,
        max_treedepth=settings.max_treedepth,
        metric="diag" if metric is None else diagonal_metric(metric.variances) if adapts else metric,
        adapt_metric=adapts,
        progress=settings.progressbar,
        callback=settings.callback,
        save_warmup=settings.keep_warmup,
    )
    clock.lap("sampling")
    draws = _finished(draws)
    rng = np.random.default_rng(recovery_seed)
    values, effects = target.natural(draws.positions, rng)
    warmup = None
    if draws.warmup_positions is not None and tune > 0 and not draws.interrupted:
        warmup = target.natural(draws.warmup_positions, rng)
    clock.lap("recovery")
    settings = replace(settings, tune=tune)
    return Fit(plan, settings, draws.stats, draws.interrupted, draws, values, effects, warmup, clock.seconds)


def _run_laplace(
    plan: Plan, settings: Settings, target: Target, launch: Launch, metric: Metric | None, clock: _Clock
) -> Fit:
    """Draws from the normal distribution with the pilot's mode and curvature, instead of the posterior.

    What a marginal plan integrated out is still drawn exactly, given the approximate rest.
    """
    if metric is None:
        raise SamplingError(
            "No Laplace approximation of this model: no mode with a positive definite curvature was found. Use NUTS."
        )
    _say_unused(settings, "a Laplace approximation", ("tune", "cores", "callback", "keep_warmup"))
    clock.lap("pilot")
    rng = np.random.default_rng(settings.random_seed)
    positions = launch.center + normal_draws(metric, rng, settings.chains * settings.draws)
    values, effects = target.natural(positions.reshape(settings.chains, settings.draws, -1), rng)
    clock.lap("sampling")
    seconds = {**clock.seconds, "compilation": 0.0, "recovery": 0.0}
    return Fit(plan, replace(settings, tune=0), {}, False, None, values, effects, None, seconds)


def _independence(
    plan: Plan,
    settings: Settings,
    target: Target,
    launch: Launch,
    clock: _Clock,
    before_sampling: Callable[[], Any] | None,
) -> Fit | None:
    """Independence Metropolis where a proposal fits the posterior closely; None where it does not."""
    trial_seed, chain_seed, recovery_seed = np.random.SeedSequence([settings.random_seed, 1]).spawn(3)
    cores = min(settings.cores or available_cpus(), settings.chains * settings.draws)
    method = fitting_proposal(
        target,
        launch,
        transitions=settings.chains * settings.draws,
        rng=np.random.default_rng(trial_seed),
        cores=cores,
    )
    if method is None:
        return None
    clock.lap("pilot")
    if before_sampling is not None:
        before_sampling()
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_independence(
            target, method, draws=settings.draws, chains=settings.chains, seeds=chain_seed, cores=cores, report=report
        )
    clock.lap("sampling")
    values, effects = target.natural(drawn.positions, np.random.default_rng(recovery_seed))
    clock.lap("recovery")
    seconds = {**clock.seconds, "compilation": 0.0}
    return Fit(plan, replace(settings, tune=0), drawn.stats, drawn.interrupted, None, values, effects, None, seconds)


def _run_large(plan: Plan, settings: Settings, before_sampling: Callable[[], Any] | None) -> Fit:
    """Independence Metropolis on a large marginal density, chain after chain; LAPACK uses all cores."""
    if settings.laplace:
        raise SamplingError("This model's plan is not for a Laplace approximation; use plan='joint' with it.")
    _say_unused(settings, "independence Metropolis", ("tune", "cores", "callback", "keep_warmup", "max_treedepth"))
    if plan.reduction is None:
        raise AssertionError("a large plan has a reduction")
    warmup_seed, chain_seed = np.random.SeedSequence(settings.random_seed).spawn(2)
    clock = _Clock()
    density = LargeMarginal(plan.reduction, density_of(plan.reduction.data.head))
    proposal = laplace_proposal(density, starting_position(plan.assembled)[plan.reduction.kept])
    proposal = refined_proposal(density, proposal, np.random.default_rng(warmup_seed))
    clock.lap("pilot")
    if before_sampling is not None:
        before_sampling()
    with transition_bar(settings.chains, settings.draws, settings.progressbar) as report:
        drawn = run_large(
            density, proposal, draws=settings.draws, chains=settings.chains, seeds=chain_seed, report=report
        )
    clock.lap("sampling")
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


def _sample(plan: Plan, *arguments: Any, **options: Any) -> Draws:
    """`sample`, whose errors speak of coordinates, with the names that these have in the model."""
    try:
        return sample(*arguments, **options)
    except SamplingError as error:
        layout = plan.assembled.layout
        names = {int(i): v.name for v in layout.variables if v.source != "effects" for i in np.atleast_1d(v.index)}
        kept = range(layout.n_head) if plan.reduction is None else plan.reduction.kept.tolist()
        listed = ", ".join(f"{place}: {names[i]}" for place, i in enumerate(kept[:SHOWN_NAMES]) if i in names)
        more = "" if plan.reduction is not None or layout.n_head == layout.dimension else "; then group effects"
        raise SamplingError(
            f"{error}\nThe coordinates belong to {listed}{more}. Another link, or priors that keep parameters where "
            "the model is defined, may help."
        ) from error


def _finished(draws: Draws) -> Draws:
    """The complete part of a run; a run that was interrupted before its first draw is an interruption."""
    if not draws.interrupted:
        return draws
    kept = draws.rectangular()
    chains, n_draws = kept.positions.shape[:2]
    if n_draws == 0:
        raise KeyboardInterrupt
    log.warning(
        "Interrupted: kept the %d finished draws of %d of %d chains.", n_draws, chains, draws.positions.shape[0]
    )
    return kept


def _metric(launch: Launch) -> Metric | None:
    """The sampler's metric from what is known about the posterior's shape."""
    information = launch.information
    if information is None:
        return None
    if isinstance(information, Information):
        if not information.blocks.size:
            return dense_metric(np.linalg.inv(information.border))
        return arrowhead_metric(information.border, information.coupling, information.blocks)
    return dense_metric(information)


def _starts(target: Target, launch: Launch, metric: Metric | None, chains: int, rng: np.random.Generator) -> FloatArray:
    """One starting point per chain: the centre (jittered by the sampler), or draws from the normal approximation.

    A draw at which the density is undefined (a mean below zero under an identity link) is moved halfway to the centre
    until it is defined.
    """
    if metric is None:
        return np.tile(launch.center, (chains, 1))
    starts = launch.center + normal_draws(metric, rng, chains)
    gradient = np.empty(target.dimension)
    for start in starts:
        for _ in range(MOST_HALVINGS):
            if np.isfinite(target.logdensity(start, gradient, target.data)) and np.isfinite(gradient).all():
                break
            start[:] = 0.5 * (start + launch.center)
    return starts
