"""What goes into a run and what comes out of it: `SamplerSettings` and `Draws`. No parameter has a name here."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SettingError, SettingTypeError, error_about
from nutslite.sampler.choices import INTEGRATORS, METRIC_RULES, STEP_SIZE_RULES, TRAJECTORIES, WARMUPS, chosen
from nutslite.sampler.naming import Variables, named
from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.metric_kind import MetricRule
from nutslite.sampler.parts.stage import Stage, Warmup
from nutslite.sampler.parts.step_size_rule import StepSizeRule
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.state import ChainState
from nutslite.sampler.transition.logdensity import Matrix
from nutslite.sampler.transition.metric import Metric

GREATEST_CHAINS = 10_000
"""Each has memory of its own beside its draws, and work in Python; nobody can look at so many."""

GREATEST_MAX_TREEDEPTH = 30
"""2**30 leapfrog steps in one transition are beyond any use; the bits of a float64 would allow 53."""


@dataclasses.dataclass(frozen=True)
class SamplerSettings:
    """How to sample; checked when it is made.

    Attributes
    ----------
    draws, tune, chains, cores : int
        Draws and warm-up transitions per chain; chains in all; chains at the same time.
    target_accept : float
        Acceptance rate that the step size is adapted to, between 0 and 1.
    max_treedepth : int
        Greatest number of doublings: a transition costs up to ``2**max_treedepth - 1`` gradients.
    adaptation : str or MetricRule
        How the metric is estimated (`choices.METRIC_RULES`); unused where `adapt_metric` is False.
    adapt_metric : bool
        Whether warm-up estimates the metric, or only the step size.
    step_size : float or None
        First step size; used as it is if ``tune=0``, otherwise where the search starts. None: start from 1.
    jitter : float
        Half-width of the uniform noise added to the starting points.
    save_warmup : bool
        Whether warm-up draws are kept.
    keep_states : bool
        Whether it is kept where chains ended.
    integrator, trajectory, step_size_rule, warmup : str or record
        Replaceable parts, by name or as a record (`choices`).

    Raises
    ------
    SettingError
        If a setting is impossible; the message names it.
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int = 1
    target_accept: float = 0.8
    max_treedepth: int = 10
    adaptation: str | MetricRule = "diag"
    adapt_metric: bool = True
    step_size: float | None = None
    jitter: float = 1.0
    save_warmup: bool = False
    keep_states: bool = True
    integrator: str | Integrator = "leapfrog"
    trajectory: str | Trajectory = "nuts"
    step_size_rule: str | StepSizeRule = "dual_averaging"
    warmup: str | Warmup = "stan"

    def __post_init__(self) -> None:
        check_integer("draws", self.draws, 0)
        check_integer("tune", self.tune, 0)
        check_integer("chains", self.chains, 1, GREATEST_CHAINS)
        check_integer("cores", self.cores, 1)
        check_integer("max_treedepth", self.max_treedepth, 1, GREATEST_MAX_TREEDEPTH)
        _check_number("target_accept", self.target_accept, above=0.0, below=1.0)
        if self.step_size is not None:
            _check_number("step_size", self.step_size, above=0.0)
        _check_number("jitter", self.jitter, above=0.0, or_equal=True)
        _ = self.metric_rule, self.parts, self.stages

    @property
    def metric_rule(self) -> MetricRule:
        """How the metric is estimated."""
        if not isinstance(self.adaptation, str | MetricRule):
            raise SettingTypeError(f"metric must be a name, a MetricRule or a Metric, not {self.adaptation!r}.")
        return chosen("metric", self.adaptation, METRIC_RULES, MetricRule)

    @property
    def parts(self) -> tuple[Integrator, Trajectory, StepSizeRule]:
        """What a transition and the step size's adaptation are made of."""
        return (
            chosen("integrator", self.integrator, INTEGRATORS, Integrator),
            chosen("trajectory", self.trajectory, TRAJECTORIES, Trajectory),
            chosen("step_size_rule", self.step_size_rule, STEP_SIZE_RULES, StepSizeRule),
        )

    @property
    def schedule(self) -> Warmup:
        """The warm-up schedule."""
        return chosen("warmup", self.warmup, WARMUPS, Warmup)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the warm-up."""
        return self.schedule.checked_stages(self.tune, self.adapt_metric)


@dataclasses.dataclass(frozen=True)
class Draws:
    """The draws of all chains, their statistics, and the state that the adaptation reached.

    Attributes
    ----------
    positions : ndarray (chains, n_draws, dim)
        Row i of a chain is its i-th draw after warm-up. After an interruption, as long as the longest chain; what other
        chains did not reach is nan (see `draws_per_chain` and `rectangular`).
    stats : dict of str to ndarray (chains, n_draws)
        Statistics by ArviZ's names (`statistics.STATISTICS`).
    warmup_positions, warmup_stats
        The same for the warm-up, if it was to be saved; otherwise None.
    draws_per_chain, warmup_per_chain : ndarray (chains,)
        Transitions that each chain finished.
    divergences : tuple of ndarray (n_divergences, dim)
        For each chain the positions at which trajectories diverged (after warm-up, in order of time).
    step_sizes : ndarray (chains,)
        Step size used for the draws.
    metrics : tuple of Metric
        Metric used for the draws, one per chain.
    n_gradients, n_warmup_gradients : ndarray (chains,)
        Leapfrog steps, each of which costs one gradient.
    n_warmup_divergences : ndarray (chains,)
        Divergent transitions during warm-up, which mean little.
    sampling_times, warmup_times : ndarray (chains,)
        Seconds that each chain took.
    sampling_time, warmup_time : float
        Seconds of the slowest chain.
    random_seed : int or tuple of int
        Entropy that reproduces these draws when passed as `random_seed` (a tuple: as a list).
    interrupted : bool
        Whether the run was stopped before its end.
    settings : SamplerSettings
    states : tuple of ChainState
        Where each chain ended, for `sample(states=...)` to go on from; empty where the run was interrupted, or
        nobody wanted them.
    """

    positions: npt.NDArray[np.float64]
    stats: dict[str, npt.NDArray[Any]]
    warmup_positions: npt.NDArray[np.float64] | None
    warmup_stats: dict[str, npt.NDArray[Any]] | None
    draws_per_chain: npt.NDArray[np.int64]
    warmup_per_chain: npt.NDArray[np.int64]
    divergences: tuple[Matrix, ...]
    step_sizes: npt.NDArray[np.float64]
    metrics: tuple[Metric, ...]
    n_gradients: npt.NDArray[np.int64]
    n_warmup_gradients: npt.NDArray[np.int64]
    n_warmup_divergences: npt.NDArray[np.int64]
    sampling_times: npt.NDArray[np.float64]
    warmup_times: npt.NDArray[np.float64]
    random_seed: int | tuple[int, ...]
    interrupted: bool
    settings: SamplerSettings
    states: tuple[ChainState, ...] = ()

    @property
    def sampling_time(self) -> float:
        """Seconds that the slowest chain took for its draws."""
        return float(self.sampling_times.max())

    @property
    def warmup_time(self) -> float:
        """Seconds that the slowest chain took for its warm-up."""
        return float(self.warmup_times.max())

    @property
    def inverse_mass_diagonals(self) -> Matrix:
        """Diagonals of the inverse mass matrices, shape (chains, dim)."""
        return np.stack([metric.variances for metric in self.metrics])

    def groups(self, variables: Variables = None) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """The draws by name and their statistics, as plain arrays in the groups that ArviZ makes its containers of.

        Parameters
        ----------
        variables : dict, callable or None
            A dict: shapes by name, () for a number, in the order of the position. A function of one position: its dict
            of values by name, for parameters under constraints. None: all in one, ``"position"``.

        Returns
        -------
        dict of dict of ndarray (chains, draws, ...)
            ``"posterior"`` and ``"sample_stats"``; with saved warm-up ``"warmup_posterior"`` and
            ``"warmup_sample_stats"``. ``arviz.from_dict(groups)`` takes it from ArviZ 1.0 on, ``from_dict(**groups)``
            before.

        Raises
        ------
        SettingError
            If the shapes do not fill a position.

        Examples
        --------
        >>> groups = draws.groups({"mu": (), "theta": (8,)})  # doctest: +SKIP
        """
        whole = self.rectangular()
        groups = {"posterior": named(whole.positions, variables), "sample_stats": dict(whole.stats)}
        if whole.warmup_positions is not None and whole.warmup_stats is not None:
            groups["warmup_posterior"] = named(whole.warmup_positions, variables)
            groups["warmup_sample_stats"] = dict(whole.warmup_stats)
        return groups

    def rectangular(self) -> Draws:
        """The same run without gaps: the chains and the number of draws that keep most draws of an interrupted run.

        Chains that are left out stay out of every field. A complete run is returned as it is.
        """
        chosen, n_draws = largest_rectangle(self.draws_per_chain)
        if chosen.size == self.draws_per_chain.size and n_draws == self.positions.shape[1]:
            return self
        return dataclasses.replace(
            self,
            positions=self.positions[chosen, :n_draws],
            stats={name: values[chosen, :n_draws] for name, values in self.stats.items()},
            warmup_positions=None if self.warmup_positions is None else self.warmup_positions[chosen],
            warmup_stats=None
            if self.warmup_stats is None
            else {name: values[chosen] for name, values in self.warmup_stats.items()},
            draws_per_chain=np.full(chosen.size, n_draws),
            divergences=tuple(self.divergences[chain] for chain in chosen),
            metrics=tuple(self.metrics[chain] for chain in chosen),
            states=(),
            **{name: getattr(self, name)[chosen] for name in _PER_CHAIN},
        )

    def followed_by(self, more: Draws) -> Draws:
        """The draws of this run and what its chains drew from `states` on, as one longer run.

        The warm-up is this run's; step sizes and metrics, which stay, are too.

        Raises
        ------
        SettingError
            If `more` has other chains.
        """
        if len(more.positions) != len(self.positions):
            raise SettingError(
                f"These are {len(self.positions)} chains, and {len(more.positions)} went on: a longer run needs all."
            )
        summed = ("draws_per_chain", "n_gradients", "sampling_times")
        return dataclasses.replace(
            self,
            positions=np.concatenate([self.positions, more.positions], axis=1),
            stats={name: np.concatenate([values, more.stats[name]], axis=1) for name, values in self.stats.items()},
            divergences=tuple(
                np.concatenate(of_chain) for of_chain in zip(self.divergences, more.divergences, strict=True)
            ),
            interrupted=more.interrupted,
            settings=dataclasses.replace(self.settings, draws=self.settings.draws + more.settings.draws),
            states=more.states,
            **{name: getattr(self, name) + getattr(more, name) for name in summed},
        )


def joined(parts: Sequence[Draws]) -> Draws:
    """Chains that ran in several places, by ``sample(only=...)``, as one run; all have the same number of draws."""
    first = parts[0]

    def stats_of(of: str) -> dict[str, npt.NDArray[Any]] | None:
        each = [getattr(part, of) for part in parts]
        return None if each[0] is None else {name: np.concatenate([one[name] for one in each]) for name in each[0]}

    per_chain: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _PER_CHAIN}
    warmup = None if first.warmup_positions is None else np.concatenate([part.warmup_positions for part in parts])
    return dataclasses.replace(
        first,
        positions=np.concatenate([part.positions for part in parts]),
        stats=stats_of("stats") or {},
        warmup_positions=warmup,
        warmup_stats=stats_of("warmup_stats"),
        draws_per_chain=np.concatenate([part.draws_per_chain for part in parts]),
        divergences=tuple(each for part in parts for each in part.divergences),
        metrics=tuple(each for part in parts for each in part.metrics),
        states=tuple(each for part in parts for each in part.states),
        interrupted=any(part.interrupted for part in parts),
        **per_chain,
    )


def largest_rectangle(draws_per_chain: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """The chains, and the number of draws of each of them, that keep most draws in all; of as many, most chains.

    >>> largest_rectangle(np.array([900, 1000, 10]))
    (array([0, 1]), 900)
    >>> largest_rectangle(np.array([120, 60]))
    (array([0, 1]), 60)
    """
    counts = np.sort(draws_per_chain)
    n_draws = int(counts[int(np.argmax(counts * np.arange(counts.size, 0, -1)))])
    return np.flatnonzero(draws_per_chain >= n_draws), n_draws


_PER_CHAIN = (
    "warmup_per_chain",
    "step_sizes",
    "n_gradients",
    "n_warmup_gradients",
    "n_warmup_divergences",
    "sampling_times",
    "warmup_times",
)


def check_integer(name: str, value: Any, least: int, greatest: int | None = None) -> None:
    """Refuse what is no integer in a range."""
    wanted = f"an integer of at least {least}" if greatest is None else f"an integer from {least} to {greatest}"
    fits = isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least
    if not fits or (greatest is not None and int(value) > greatest):
        error = error_about(value, numbers.Real, SettingError, SettingTypeError)
        raise error(f"{name} must be {wanted}, not {value!r}.")


def _check_number(name: str, value: Any, *, above: float, below: float = math.inf, or_equal: bool = False) -> None:
    wanted = f"at least {above:g}" if or_equal else f"greater than {above:g}"
    wanted += "" if below == math.inf else f" and less than {below:g}"
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not (value >= above if or_equal else value > above) or value >= below:
        error = error_about(value, numbers.Real, SettingError, SettingTypeError)
        raise error(f"{name} must be a number {wanted}, not {value!r}.")
