"""Where a chain is between two transitions: all that the next ones depend on, so that it may go on later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.metric import Metric


class ChainState(NamedTuple):
    """Where a chain ended; it shares no memory with the chain.

    Attributes
    ----------
    position, gradient : ndarray (dim,)
    values : ndarray (3,)
        Log density and the like of that point.
    adaptation : ndarray
        Of the step size, the one in use among it.
    metric : Metric
    random : dict
        State of the chain's generator.
    """

    position: Vector
    gradient: Vector
    values: Vector
    adaptation: Vector
    metric: Metric
    random: dict[str, Any]


def check_states(states: Sequence[ChainState] | None, chains: int, dimension: int, checkpoint: Any) -> None:
    """Refuse states that these chains cannot go on from.

    Raises
    ------
    SettingError
        For other numbers of chains or coordinates, none at all after an interruption, or beside a checkpoint.
    """
    if states is None:
        return
    if checkpoint is not None:
        raise SettingError("A checkpoint goes on by itself, with more draws: leave states= out, or checkpoint=.")
    if not isinstance(states, Sequence) or not all(isinstance(state, ChainState) for state in states):
        raise SettingTypeError("states are those that an earlier run ended with, Draws.states.")
    if len(states) != chains:
        hint = " An interrupted run has none." if not states else ""
        raise SettingError(f"There are states of {len(states)} chains, and chains={chains}.{hint}")
    if states[0].position.size != dimension:
        raise SettingError(f"The states have {states[0].position.size} coordinates, the initial position {dimension}.")
