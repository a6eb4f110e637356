"""Warm-up schedules: when the metric is estimated, and of which draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.sampler.parts.checks import check_part
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.metric import Metric


class Stage(NamedTuple):
    """A stretch of warm-up transitions.

    Attributes
    ----------
    length : int
        Number of transitions.
    learns_metric : bool
        Whether its draws are collected, and the metric estimated from them at its end.
    looks_back : int
        How many draws before the stage the estimate takes as well; they must have been collected.
    searches : bool
        Whether the step size is searched anew after the metric has changed. Otherwise it goes on adapting.
    """

    length: int
    learns_metric: bool
    looks_back: int = 0
    searches: bool = True


@dataclass(frozen=True)
class Warmup:
    """A warm-up schedule, as `sample(warmup=...)` takes it.

    Parameters
    ----------
    name : str
    stages : callable
        ``stages(tune, adapt_metric=True) -> tuple of Stage`` whose lengths add up to `tune`.
    first_metric : callable, optional
        ``first_metric(position, gradient) -> Metric`` at the starting point, where the user gave none and the metric is
        to adapt. Without it a chain starts with the identity.
    source : str
        Where it comes from.

    Raises
    ------
    SettingError
        If a field is none of these.
    """

    name: str
    stages: Callable[..., tuple[Stage, ...]] = field(repr=False)
    first_metric: Callable[[Vector, Vector], Metric] | None = field(default=None, repr=False)
    source: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        check_part(self, stages=self.stages)
        if self.first_metric is not None:
            check_part(self, first_metric=self.first_metric)

    def checked_stages(self, tune: int, adapt_metric: bool) -> tuple[Stage, ...]:
        """The stages of a warm-up of `tune` transitions.

        Raises
        ------
        SettingError
            If they are no stages, or do not add up to `tune`.
        """
        stages = tuple(self.stages(tune, adapt_metric=adapt_metric))
        if not all(isinstance(stage, Stage) and stage.length > 0 and stage.looks_back >= 0 for stage in stages):
            raise SettingTypeError(f"Warmup '{self.name}': stages must be of class Stage, none of them empty.")
        total = sum(stage.length for stage in stages)
        if total != tune:
            raise SettingError(
                f"Warmup '{self.name}': the stages of a warm-up of {tune} transitions have {total} in all."
            )
        return stages
