"""Trajectory rules: how far a trajectory goes, and which of its points is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numba import types

from nutslite._addresses import caller_of
from nutslite.sampler.parts.checks import check_count, check_numbers, check_part
from nutslite.sampler.parts.leap import plain_leap
from nutslite.sampler.parts.system import GENERATOR, LEAP_POINTER, SYSTEM, WORKSPACE

TRANSITION_POINTER = types.FunctionType(types.void(SYSTEM, GENERATOR, WORKSPACE, types.float64, types.int64))

transition_at = caller_of(TRANSITION_POINTER)


@dataclass(frozen=True)
class Trajectory:
    """A trajectory rule, as `sample(trajectory=...)` takes it.

    A transition must leave the density of position and momentum as it is, given an integrator that is reversible and
    keeps volumes.

    Parameters
    ----------
    name : str
    transition : callable
        ``transition(system, rng, workspace, step_size, max_treedepth) -> None``: draws a momentum and replaces the
        SELECTED point of the workspace (position, gradient, LOGP, ENERGY, INDEX), counting into its tally.
    leap : callable
        ``leap(system, workspace, end, step_size) -> int``: leads from one point of a trajectory to the next; see
        `leap`.
    settings : tuple of float
        Numbers that both find in ``system.settings``.
    n_scratch : int
        How many points they may overwrite in ``system.scratch``.
    around_center : bool
        Whether it moves around the metric's centre, so that it needs a metric that has one. It makes its own steps.
    doubles : bool
        Whether it grows at both ends. If not, the workspace has the points SELECTED and FORWARD alone, and no spans:
        beside many coordinates these are most of what a chain needs.
    source : str
        Where it comes from.

    Raises
    ------
    SettingError
        If a field is none of these.
    """

    name: str
    transition: Callable[..., Any] = field(repr=False)
    leap: Callable[..., Any] = field(default=plain_leap, repr=False)
    settings: tuple[float, ...] = ()
    n_scratch: int = 0
    around_center: bool = False
    doubles: bool = True
    source: str = field(default="", repr=False, compare=False)

    pointer = TRANSITION_POINTER
    leap_pointer = LEAP_POINTER

    def __post_init__(self) -> None:
        check_part(self, transition=self.transition, leap=self.leap)
        check_count(self, "n_scratch", self.n_scratch, 0)
        check_numbers(self, "settings", self.settings)
