"""The driver: from a log density and a starting point to draws."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite._calls import public
from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.sampler.catalogue.assembly import are_usual, blocks_for, check_center
from nutslite.sampler.catalogue.low_rank import LOW_RANK
from nutslite.sampler.checkpoint.checkpoint import DERIVED, ChainJournal, Checkpoint
from nutslite.sampler.checkpoint.digest import digest
from nutslite.sampler.choices import METRIC_RULES
from nutslite.sampler.collect import collect
from nutslite.sampler.densities.compiled import CompiledDensity
from nutslite.sampler.densities.density import Density
from nutslite.sampler.draws import Draws, SamplerSettings
from nutslite.sampler.interrupts import careful_interrupts
from nutslite.sampler.memory import memory_for
from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.metric_kind import MetricRule
from nutslite.sampler.parts.stage import Warmup
from nutslite.sampler.parts.step_size_rule import StepSizeRule
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.progress import ProgressBar
from nutslite.sampler.start import initial_positions
from nutslite.sampler.state import ChainState, check_states
from nutslite.sampler.threads import run_chains
from nutslite.sampler.transition.handle import handle_of
from nutslite.sampler.transition.logdensity import Matrix, Vector
from nutslite.sampler.transition.metric import ARROWHEAD, DENSE, Metric, diagonal_metric
from nutslite.sampler.transition.statistics import STATISTICS
from nutslite.sampler.worker import ChainProgress, ChainWorker, Problem
from nutslite.sampler.workspaces import Workspaces

RandomSeed = int | list[int] | tuple[int, ...] | np.random.SeedSequence | np.random.Generator | None


@public
def sample(
    logdensity: Callable[..., Any] | Density,
    data: Any = None,
    *,
    initial: npt.ArrayLike,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    random_seed: RandomSeed = None,
    target_accept: float = 0.8,
    max_treedepth: int = 10,
    metric: str | MetricRule | Metric = "diag",
    adapt_metric: bool | None = None,
    integrator: str | Integrator = "leapfrog",
    trajectory: str | Trajectory = "nuts",
    step_size_rule: str | StepSizeRule = "dual_averaging",
    warmup: str | Warmup = "stan",
    step_size: float | None = None,
    jitter: float | None = None,
    data_type: Any = None,
    progress: bool | Callable[[ChainProgress], None] = False,
    callback: Callable[[ChainProgress], None] | None = None,
    save_warmup: bool = False,
    keep_states: bool = True,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    chain_data: Sequence[Any] | None = None,
    recorder: Any = None,
    only: Sequence[int] | None = None,
    states: Sequence[ChainState] | None = None,
) -> Draws:
    """Draw from a log density by the No-U-Turn sampler.

    Parameters
    ----------
    logdensity : callable or Density
        ``logdensity(position, gradient, data) -> float``, jitted or plain; see `transition/logdensity.py`. Or a
        `CallbackDensity` (C), a `PythonDensity` (Python, JAX, PyTorch, PyMC), a `DifferentiatedDensity` (no gradient).
    data : Any, optional
        Handed on to `logdensity`: a number, an array, a (named) tuple of them; by default 0.0. A `Density` has its own.
    initial : array (dim,) or (chains, dim)
        Where chains start: one position for all, or one for each.
    draws, tune : int
        Draws and warm-up transitions per chain.
    chains, cores : int
        Number of chains; how many run at once (default: as many as there are CPUs). The draws do not depend on `cores`.
    random_seed : int, sequence of int, SeedSequence or Generator, optional
        The same seed gives the same draws.
    target_accept : float
        Acceptance rate that the step size adapts to. Greater values mean smaller, safer steps.
    max_treedepth : int
        At most ``2**max_treedepth - 1`` gradients per transition.
    metric : {"diag", "diag_grad", "dense", "low_rank"}, MetricRule or Metric
        A name or a rule: how warm-up estimates the metric. A Metric: where it starts, or stays.
        "diag" is the default because it gave more effective draws per gradient than "diag_grad" on three of four test
        densities (logistic regression 82 to 67 per 1,000 gradients, Poisson groups 24 to 19, a light funnel 18 to 14;
        a correlated normal in 50 dimensions 33 to 38). "dense" pays in few, correlated dimensions.
    adapt_metric : bool, optional
        Whether warm-up estimates the metric. By default it does so unless a Metric was given; a diagonal Metric that is
        to adapt is followed by "diag" estimates, a dense one by "dense", a low-rank one by "low_rank"; an arrowhead
        metric cannot adapt.
    integrator : {"leapfrog", "two_stage", "three_stage", "fourth_order"} or Integrator
        How a step is made. Gradients are counted as they are: a step of "three_stage" costs three.
    trajectory : {"nuts", "static", "walnuts", "rotation"} or Trajectory
        How far a trajectory goes and which of its points is drawn; `static` and `walnuts` have settings. "rotation"
        turns around the centre of a metric that has one (`centred_at`).
    step_size_rule : {"dual_averaging", "adam", "robbins_monro"} or StepSizeRule
        How the step size follows `target_accept`.
    warmup : {"stan", "fisher"} or Warmup
        When the metric is estimated, and of which draws. "fisher" goes with metrics that use gradients.
    step_size : float, optional
        First step size. With ``tune=0`` it is used as it is, otherwise the search starts there.
    jitter : float, optional
        Starting points are ``initial + uniform(-jitter, jitter)``, tried up to 100 times. Default: 1 around one
        position for all chains, 0 where each chain has its own.
    data_type : numba type, optional
        Type of `data` where it is not ``numba.typeof(data)``, for example because it holds a function.
    progress : bool or callable
        True shows a progress bar; a callable gets a `ChainProgress` after every block of transitions.
    callback : callable, optional
        The same, for the user. It runs in the calling thread; raising KeyboardInterrupt in it stops the run as
        Ctrl-C does. After any other error it is not called again; a warning says so, and the run goes on.
    save_warmup : bool
        Whether to keep warm-up draws.
    keep_states : bool
        Whether to keep where chains ended (`Draws.states`), two positions of each.
    checkpoint : path-like, optional
        A file that grows by every block of transitions. After a crash or a kill the same call goes on where the file
        ends, and gives the draws of a run in one piece to the last bit; without a `random_seed` it takes the file's.
        A finished run is read from it; with more `draws` it goes on, with fewer it gives the first of them. What
        follows may differ between calls: `draws`, `cores`, `progress`, `callback`.
    chain_data : sequence, optional
        What `logdensity` receives in place of `data`, one for each chain: the same numbers, but memory of its own to
        compute in. It does not count as a part of the call that a checkpoint belongs to.
    recorder : nutslite.recording.Recorder, optional
        Notes what each transition starts from. Without one the compiled sampler runs as it is.
    only : sequence of int, optional
        Which of the chains to run, in increasing order, all by default: each draws what it draws among all, so that
        chains may run in several places. `nutslite.sampler.draws.joined` puts them together. Not with a `checkpoint`.
    states : sequence of ChainState, optional
        Where chains of an earlier run of the same density ended (`Draws.states`), one for each: they go on from there,
        without a warm-up, and draw to the last bit what a longer run would have. `Draws.followed_by` makes one of both.

    Returns
    -------
    Draws
        With ``interrupted=True`` and what was finished until then if Ctrl-C, or an error in a chain after others had
        draws, stopped the run.

    Raises
    ------
    SamplingError
        If an argument is impossible, `logdensity` does not compile, no starting point has a finite log density and
        gradient, no step size works, the draws do not fit into memory, or `checkpoint` cannot be written or belongs to
        another call (the message says what differs).

    Examples
    --------
    >>> import numpy as np
    >>> def standard_normal(position, gradient, data):
    ...     gradient[:] = -position
    ...     return -0.5 * np.sum(position * position)
    >>> result = sample(standard_normal, 0.0, initial=[0.0, 0.0], draws=200, tune=200, chains=2, random_seed=1)
    >>> result.positions.shape
    (2, 200, 2)
    """
    if recorder is not None and checkpoint is not None:
        raise SettingError("A checkpoint holds draws, not what recorder= notes of them: give one of the two.")
    start = initial_positions(initial, SamplerSettings(chains=chains).chains)
    first_metric, adaptation, adapts = _metric_plan(metric, adapt_metric, start.shape[1])
    chosen = _chosen(only, chains, checkpoint)
    check_states(states, chains, start.shape[1], checkpoint)
    tune = tune if states is None else 0
    settings = SamplerSettings(
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(chains, available_cpus()) if cores is None else cores,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        adaptation=adaptation,
        adapt_metric=adapts,
        step_size=step_size,
        jitter=(1.0 if np.ndim(initial) == 1 else 0.0) if jitter is None else jitter,
        save_warmup=save_warmup,
        keep_states=keep_states,
        integrator=integrator,
        trajectory=trajectory,
        step_size_rule=step_size_rule,
        warmup=warmup,
    )
    own_kind = settings.metric_rule.kind if adapts else None
    if recorder is not None and not are_usual(settings.parts, first_metric, own_kind):
        raise SettingError("recorder= runs the usual NUTS again: it knows none of the parts that can take its place.")
    check_center(settings.parts, first_metric, own_kind, adapts)
    density = _density_of(logdensity, data, data_type, chain_data)
    prepared = density.prepared(start.shape[1], settings.chains)
    blocks = blocks_for(settings.parts, first_metric, own_kind, chains)
    handles = [handle_of(prepared.logdensity, each, prepared.data_type) for each in prepared.data]
    with contextlib.ExitStack() as stack:
        stack.enter_context(careful_interrupts())
        journals: list[ChainJournal] | None = None
        if checkpoint is not None:
            if not isinstance(checkpoint, Checkpoint):
                identity = _identity(settings, density, start, first_metric)
                checkpoint = stack.enter_context(Checkpoint(checkpoint, identity, _entropy(random_seed)))
                random_seed = checkpoint.entropy  # type: ignore[assignment]  # a list of integers is a seed, too
            journals = [ChainJournal(checkpoint, chain) for chain in range(chains)]
        seeds = seed_sequence(random_seed)
        problems = [
            Problem(prepared.explained(block, chain), handles[chain % len(handles)])
            for chain, block in enumerate(blocks)
        ]
        if recorder is not None:
            problems = [Problem(recorder.watched(i, *each), each.handle) for i, each in enumerate(problems)]
        guess = None if isinstance(metric, Metric) or not adapts or tune == 0 else settings.schedule.first_metric
        positions, warmup_positions, workers = _new_chains(
            settings, problems, first_metric, start, seeds, journals, guess, chosen, states
        )
        if progress is True:
            progress = stack.enter_context(ProgressBar(len(chosen), draws + tune))
        interrupted = run_chains(workers, settings.cores, _Listeners(progress, callback))
        return collect(workers, positions, warmup_positions, settings, seeds, interrupted)


class _Listeners:
    """Those who hear of progress. One that fails is not told any more: it is no reason to end a run."""

    def __init__(self, *listeners: Any) -> None:
        self._listeners = [listener for listener in listeners if callable(listener)]

    def __call__(self, report: ChainProgress) -> None:
        for listener in list(self._listeners):
            try:
                listener(report)
            except Exception as error:
                self._listeners.remove(listener)
                log.warning(
                    "Your callback %s failed and is not called again, sampling goes on. %s: %s",
                    getattr(listener, "__name__", listener),
                    type(error).__name__,
                    error,
                )


def _new_chains(
    settings: SamplerSettings,
    problems: Sequence[Problem],
    metric: Metric,
    start: Matrix,
    seeds: np.random.SeedSequence,
    journals: Sequence[ChainJournal] | None,
    guess: Callable[[Vector, Vector], Metric] | None,
    chosen: Sequence[int],
    states: Sequence[ChainState] | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None, list[ChainWorker]]:
    """Memory for all draws, for those of the warm-up if they are kept, and a worker for each chosen chain.

    Raises
    ------
    SamplingError
        If there is not as much memory.
    """
    chains, dimension = len(chosen), start.shape[1]
    kept = settings.tune if settings.save_warmup else 0
    all_seeds = seeds.spawn(len(start))
    with (
        memory_for(chains, settings.tune, len(STATISTICS), "The statistics of the warm-up"),
        memory_for(chains, settings.draws + kept, dimension + len(STATISTICS), "The sampler's draws"),
    ):
        positions = np.empty((chains, settings.draws, dimension))
        warmup_positions = np.empty((chains, kept, dimension)) if settings.save_warmup else None
        running, doubles = min(settings.cores, chains), settings.parts[1].doubles
        workspaces = Workspaces(running, dimension, settings.max_treedepth, doubles)
        workers = [
            ChainWorker(
                chain=chain,
                problem=problems[chain],
                settings=settings,
                metric=metric,
                initial=start[chain],
                seed=seed,
                positions=positions[place],
                warmup_positions=None if warmup_positions is None else warmup_positions[place],
                workspaces=workspaces,
                journal=None if journals is None else journals[chain],
                first_metric=guess,
                begun=None if states is None else states[chain],
            )
            for place, (chain, seed) in enumerate((chain, all_seeds[chain]) for chain in chosen)
        ]
    return positions, warmup_positions, workers


def _density_of(
    logdensity: Callable[..., Any] | Density, data: Any, data_type: Any, chain_data: Sequence[Any] | None
) -> Density:
    """The arguments as a `Density`.

    Raises
    ------
    SettingError
        If there are data beside one that has its own.
    """
    if not isinstance(logdensity, Density):
        return CompiledDensity(logdensity, 0.0 if data is None else data, data_type, chain_data)
    given = {"data": data, "data_type": data_type, "chain_data": chain_data}
    for name, value in given.items():
        if value is not None:
            raise SettingError(f"{type(logdensity).__name__} has its own data: give them there, and leave {name} out.")
    return logdensity


def _chosen(only: Sequence[int] | None, chains: int, checkpoint: Any) -> list[int]:
    """Which chains run.

    Raises
    ------
    SettingError
        For chains that there are not, or a checkpoint, which is of all chains.
    """
    if only is None:
        return list(range(chains))
    chosen = [int(chain) for chain in only]
    if not chosen or chosen != sorted(set(chosen)) or not 0 <= chosen[0] <= chosen[-1] < chains:
        raise SettingError(f"only has numbers of chains, from 0 to {chains - 1} and increasing, not {only!r}.")
    if checkpoint is not None:
        raise SettingError("A checkpoint is of all chains: leave only= out, or checkpoint=.")
    return chosen


def _identity(settings: SamplerSettings, density: Density, start: Matrix, metric: Metric) -> dict[str, Any]:
    """What determines the draws, seed apart; not their number, since earlier draws do not depend on it."""
    named = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    del named["cores"], named["draws"], named["keep_states"]
    integrator, trajectory, rule = settings.parts
    replaced: dict[str, Any] = {"adaptation": settings.metric_rule, "warmup": settings.schedule}
    replaced |= {"integrator": integrator, "trajectory": trajectory, "step_size_rule": rule}
    for name, part in replaced.items():
        named[name] = part.name
        named[f"{DERIVED}{name}"] = digest(part)  # two parts may have one name
    logdensity, data = density.identity()
    parts = {"log density": logdensity, "data": data, "initial positions": start, "first metric": metric}
    return {**named, **{name: digest(part) for name, part in parts.items()}}


def _entropy(random_seed: RandomSeed) -> Any:
    """The seed as plain integers; None where none was given."""
    return None if random_seed is None else seed_sequence(random_seed).entropy


def seed_sequence(random_seed: RandomSeed) -> np.random.SeedSequence:
    """A fresh SeedSequence from anything that seeds, reproducible from its entropy alone.

    A SeedSequence that was passed is not changed, so that the same one gives the same draws again.

    Raises
    ------
    SamplingError
        If `random_seed` is no seed.
    """
    if isinstance(random_seed, np.random.SeedSequence):
        if not random_seed.spawn_key:
            return np.random.SeedSequence(random_seed.entropy)
        return np.random.SeedSequence([int(word) for word in random_seed.generate_state(4)])
    if isinstance(random_seed, np.random.Generator):
        return np.random.SeedSequence([int(word) for word in random_seed.integers(0, 2**32, size=4)])
    try:
        return np.random.SeedSequence(random_seed)
    except (TypeError, ValueError) as error:
        kind = SettingTypeError if isinstance(error, TypeError) else SettingError
        raise kind(
            f"random_seed must be a non-negative integer, a sequence of them, a SeedSequence, a Generator or None, "
            f"not {random_seed!r}."
        ) from error


def _metric_plan(
    metric: str | MetricRule | Metric, adapt_metric: bool | None, dimension: int
) -> tuple[Metric, str | MetricRule, bool]:
    """The first metric, how it is adapted, and whether it is."""
    if isinstance(metric, str | MetricRule):
        return diagonal_metric(np.ones(dimension)), metric, adapt_metric is not False
    if not isinstance(metric, Metric):
        known = ", ".join(repr(name) for name in METRIC_RULES)
        raise SettingTypeError(f"metric must be {known}, a MetricRule or a Metric, not {type(metric).__name__}.")
    if metric.dimension != dimension:
        raise SettingError(f"The metric has {metric.dimension} coordinates, the initial position {dimension}.")
    if adapt_metric and metric.kind == ARROWHEAD:
        raise SettingError("An arrowhead metric is given, never adapted: leave adapt_metric out or set it to False.")
    return metric, {DENSE: "dense", LOW_RANK: "low_rank"}.get(metric.kind, "diag"), bool(adapt_metric)
