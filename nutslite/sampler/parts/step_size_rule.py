"""Step-size rules: how the step size follows the acceptance rate during warm-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numba import types

from nutslite._addresses import caller_of
from nutslite._numba import VECTOR
from nutslite.sampler.parts.checks import check_part
from nutslite.sampler.transition.step_size import LOG_AVERAGE, STEP_SIZE, restart_adaptation, update_adaptation

RESTART_POINTER = types.FunctionType(types.void(VECTOR))
UPDATE_POINTER = types.FunctionType(types.void(VECTOR, types.float64, types.float64))

restart_at = caller_of(RESTART_POINTER)
update_at = caller_of(UPDATE_POINTER)

FIRST_OWN = 2
"""State of a rule, five numbers: STEP_SIZE, LOG_AVERAGE, and from here on three of its own."""


@dataclass(frozen=True)
class StepSizeRule:
    """A step-size rule, as `sample(step_size_rule=...)` takes it.

    Its state is an array of five numbers. Number STEP_SIZE is the step size in use, number LOG_AVERAGE the logarithm of
    the one to sample with after warm-up; the other three are the rule's own.

    Parameters
    ----------
    name : str
    restart : callable
        ``restart(state) -> None``: forget the past and go on from the step size in use. Called when it was searched
        anew.
    update : callable
        ``update(state, acceptance, target) -> None``: called after each transition of the warm-up.
    source : str
        Where it comes from.

    Raises
    ------
    SettingError
        If a field is none of these.
    """

    name: str
    restart: Callable[..., Any] = field(repr=False)
    update: Callable[..., Any] = field(repr=False)
    source: str = field(default="", repr=False, compare=False)

    restart_pointer = RESTART_POINTER
    update_pointer = UPDATE_POINTER

    def __post_init__(self) -> None:
        check_part(self, restart=self.restart, update=self.update)


DUAL_AVERAGING = StepSizeRule(
    "dual_averaging", restart_adaptation, update_adaptation, "Hoffman and Gelman 2014, section 3.2.1"
)
"""The usual rule; `transition/step_size.py` has the algorithm."""

__all__ = ["DUAL_AVERAGING", "FIRST_OWN", "LOG_AVERAGE", "STEP_SIZE", "StepSizeRule", "restart_at", "update_at"]
