"""What a method is given: a plan's target, the settings, what was found on the way; what it does at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.safeguards import kept_raw, memory_of_results
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.pilot.pieces import warn_of_pieces
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import JointTarget, Launch, Target
from nutslite.sampler.checkpoint.checkpoint import Checkpoint
from nutslite.sampler.interrupts import careful_interrupts
from nutslite.sampler.memory import give_back
from nutslite.sampler.progress import transition_bar

FloatArray = NDArray[np.float64]

NUMBERS_AT_ONCE = 1 << 17  # of draws that are brought to their natural scale over their own positions
FEWEST_OVER = 1 << 20  # numbers of draws from which on that is done


def may_be_over(plan: Plan, numbers: int, goes_on: bool) -> bool:
    """Whether so many numbers of draws may be brought to their natural scale in their own place."""
    return plan.path == "joint" and not goes_on and numbers >= FEWEST_OVER


class Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(("pilot", "compilation", "sampling", "recovery"), 0.0)
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """Add the time since the last lap."""
        now = time.perf_counter()
        self.seconds[name], self._last = self.seconds[name] + now - self._last, now

    def go_on(self) -> None:
        """Leave the time since the last lap out."""
        self._last = time.perf_counter()


@dataclass(eq=False)
class Task:
    """One run of a plan.

    Attributes
    ----------
    plan : Plan
    settings : Settings
    checkpoint : Checkpoint or None
        Open, for methods that heed it.
    before_sampling : callable
        To be called once, just before draws are made.
    goes_on : bool
        Whether the fit may be asked for more draws, and so has to keep what they would need.
    launch : Launch or None
        What is known of where the posterior is, in the coordinates that the target has now.
    clock : Clock
    """

    plan: Plan
    settings: Settings
    checkpoint: Checkpoint | None = None
    before_sampling: Callable[[], Any] = lambda: None
    goes_on: bool = True
    launch: Launch | None = None
    clock: Clock = field(default_factory=Clock)

    @cached_property
    def target(self) -> Target:
        """The plan's target.

        Raises
        ------
        SamplingError
            If there is nothing to sample.
        """
        target = self.plan.target()
        if target.dimension == 0:
            raise SamplingError("Every parameter of this model is a fixed number: there is nothing to sample.")
        return target

    def by_levels(self) -> Task:
        """The same task, whose target draws group effects level by level."""
        task = replace(self, launch=None)
        task.__dict__["target"] = self.plan.levels_target(self.settings.cores or available_cpus())
        return task

    def launched(self) -> Launch:
        """The launch, found at the first call."""
        if self.launch is None:
            self.launch = self.target.launch()
        return self.launch

    @cached_property
    def moved(self) -> bool:
        """Whether this is a model of few rows, whose target is now in coordinates made for it, `launch` too."""
        self.launched()
        better = better_launch(self.target, self.settings, for_slices=True)
        self.launch = better or self.launch
        return better is not None

    def lengthen(self, draws: int) -> None:
        """Go on to so many draws of each chain."""
        self.settings = replace(self.settings, draws=draws)
        self.clock.go_on()

    @contextmanager
    def recovering(self, positions: FloatArray, stats: dict[str, NDArray[Any]], over: bool = False) -> Iterator[None]:
        """Around the way from positions (chains, draws, dimension) to natural scales, `over` them or beside.

        No draw is lost on it.
        """
        with careful_interrupts() as interrupts:
            interrupts.hold()
            with kept_raw(positions, stats), memory_of_results(self.plan, self.settings, 0 if over else 3):
                yield
        self.clock.lap("recovery")

    def natural(
        self,
        positions: FloatArray,
        stats: dict[str, NDArray[Any]],
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """Values and effects of positions (chains, draws, dimension), which are kept raw where that fails."""
        with self.recovering(positions, stats):
            return self.target.natural(positions, rng)

    def may_write_over(self, positions: FloatArray) -> bool:
        """Whether natural-scale draws are to take the place of the sampler's own: many numbers, which nobody needs."""
        return isinstance(self.target, JointTarget) and may_be_over(self.plan, positions.size, self.goes_on)

    def natural_over(self, positions: FloatArray, stats: dict[str, NDArray[Any]]) -> tuple[FloatArray, FloatArray]:
        """As `natural`, of a joint target, whose effects are written over the positions of these.

        Beside thousands of effects two copies of the draws would be what takes most memory. Where it fails, what is
        kept has effects of the draws that have values already, and positions of the others.
        """
        give_back()  # what chains worked with
        target, n_head = self.target, self.plan.assembled.layout.n_head
        chains, draws, dimension = positions.shape
        values = np.full((chains, draws, n_head + self.plan.assembled.data.head.fixed.size), np.nan)
        some = max(1, NUMBERS_AT_ONCE // dimension)
        with self.recovering(positions, {"values": values, **stats}, over=True):
            for chain, start in product(range(chains), range(0, draws, some)):
                own = positions[chain, start : start + some]
                found, effects = target.natural(own[None], np.random.default_rng(0))  # needs no randomness
                own[:, n_head:] = effects[0]
                values[chain, start : start + some] = found[0]
        return values, positions[:, :, n_head:]

    def let_go_of_launch(self) -> None:
        """Forget what was found before sampling, once chains have their starts and metric."""
        self.launch = None
        if isinstance(self.target, JointTarget):
            self.target.pilot = None

    def fit(self, method: str, values: FloatArray, effects: FloatArray, **others: Any) -> Fit:
        """The record of the finished run; `others` are further fields of `Fit`."""
        fields = {"stats": {}, "settings": self.settings, "seconds": self.clock.seconds, **others}
        return Fit(plan=self.plan, method=method, values=values, effects=effects, **fields)

    def warn_of_pieces(self, values: FloatArray, effects: FloatArray) -> None:
        """Warn where draws come near a place at which the link breaks the posterior into pieces."""
        warn_of_pieces(self.plan.assembled, values, effects)

    def say_what_is_kept(self, draws: FloatArray) -> None:
        """Of an interrupted run; `draws` has the shape (chains, draws, ...)."""
        settings = self.settings
        log.warning(
            "Interrupted: kept the %d finished draws of %d of %d chains.%s",
            draws.shape[1],
            draws.shape[0],
            settings.chains,
            "" if settings.checkpoint is None else f" The same call goes on from '{settings.checkpoint}'.",
        )


def better_launch(target: Target, settings: Settings, for_slices: bool = False) -> Launch | None:
    """Where a model of few rows starts, in coordinates made for it; None for others, and where the user chose."""
    if not isinstance(target, JointTarget) or settings.init != "auto" or settings.start is not None:
        return None
    return target.launch_small(for_slices)


@dataclass(frozen=True)
class IndependentDraws:
    """Positions (chains, draws, dimension) and statistics by ArviZ's names.

    `go_on` takes a number of draws and whom to report to, and returns those that follow; None where nothing does.
    """

    positions: FloatArray
    stats: dict[str, NDArray[Any]]
    interrupted: bool
    go_on: Callable[[int, Callable[[int, int, float], None]], IndependentDraws] | None = None


def independent_fit(
    task: Task,
    name: str,
    drawn: IndependentDraws,
    recovery_rng: np.random.Generator,
    remark: str,
    before: Fit | None = None,
) -> Fit:
    """The record of the run `name`; draws of an interrupted one are said to be kept.

    Parameters
    ----------
    before : Fit, optional
        The run that these draws follow.
    """
    task.clock.lap("sampling")
    values, effects = task.natural(drawn.positions, drawn.stats, recovery_rng)
    stats = drawn.stats
    if before is not None:
        values, effects = (np.concatenate(p, axis=1) for p in ((before.values, values), (before.effects, effects)))
        stats = {key: np.concatenate([before.stats[key], array], axis=1) for key, array in stats.items()}
    if drawn.interrupted:
        task.say_what_is_kept(values)
    fit = task.fit(
        name,
        values,
        effects,
        stats=stats,
        settings=replace(task.settings, tune=0),
        interrupted=drawn.interrupted,
        remark=remark,
    )
    go_on = drawn.go_on
    if go_on is None:
        return fit

    def longer(draws: int) -> Fit:
        task.lengthen(draws)
        more = draws - values.shape[1]
        with transition_bar(len(values), more, task.settings.progressbar) as report:
            drawn = go_on(more, report)
        return independent_fit(task, name, drawn, recovery_rng, remark, before=fit)

    return replace(fit, longer=longer)
