"""What is noted while one transition runs in plain Python: each call of the functions that make up a trajectory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite.recording.plain import Watch
from nutslite.recording.tree import COMPLETE, DIVERGED, TURNED, Check, Doubling
from nutslite.sampler.transition.hamiltonian import GRADIENT, MOMENTUM, POSITION, VELOCITY
from nutslite.sampler.transition.trajectory import CANDIDATE, ENERGY, FORWARD, INDEX, LOGP, SELECTED, Workspace
from nutslite.sampler.transition.trajectory import DIVERGED as ENDED_DIVERGED
from nutslite.sampler.transition.trajectory import TURNED as ENDED_TURNED
from nutslite.sampler.transition.turning import (
    FIRST_MOMENTUM,
    FIRST_VELOCITY,
    LAST_MOMENTUM,
    LAST_VELOCITY,
    RHO,
)

Array = npt.NDArray[np.float64]

OUTCOMES = {ENDED_TURNED: TURNED, ENDED_DIVERGED: DIVERGED}


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """One state of an orbit; `doubling` is -1 for the start."""

    index: int
    doubling: int
    position: Array
    momentum: Array
    velocity: Array
    gradient: Array
    logp: float
    energy: float


class Notes:
    """States, doublings and checks in the order in which they come.

    Attributes
    ----------
    states : list of State
        The start, then the states in the order in which they were integrated.
    doublings : list of Doubling
    checks : list of Check
    """

    def __init__(self, workspace: Workspace) -> None:
        self.states: list[State] = []
        self.doublings: list[Doubling] = []
        self.checks: list[Check] = []
        self._workspace = workspace
        self._new: list[State] = []  # of the doubling that goes on
        self._candidate: int | None = None
        self._within: int | None = None  # direction of the doubling that goes on
        self._reached = {1: 0, -1: 0}  # steps from the start to either end
        self._joins = 0  # since the last leapfrog step

    def watches(self) -> dict[str, Watch]:
        """What to call in the place of the sampler's functions, by their names."""
        return {
            "_start": self._at_start,
            "_extend": self._around_extend,
            "leapfrog": self._after_leapfrog,
            "turns": self._after_turns,
            "_choose": self._after_choose,
        }

    def _at_start(self, start: Callable[..., Any]) -> Callable[..., Any]:
        def watched(workspace: Workspace) -> None:
            start(workspace)
            values = workspace.values[SELECTED]
            self.states.append(_state(0, -1, workspace.points[SELECTED], values[LOGP], values[ENERGY]))

        return watched

    def _around_extend(self, extend: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> tuple[int, float]:
            *_, end, _, _ = arguments
            self._new, self._candidate = [], None
            self._within = 1 if end == FORWARD else -1
            outcome, log_weight = extend(*arguments)
            self._note_doubling(OUTCOMES.get(outcome, COMPLETE), log_weight)
            self._within = None
            return outcome, log_weight

        return watched

    def _note_doubling(self, outcome: str, log_weight: float) -> None:
        indices = [state.index for state in self._new]
        direction, number = self._within or 0, len(self.doublings)
        before = _log_sum(self._weight(state) for state in self.states if state.doubling < number)
        probability = float(np.exp(min(0.0, log_weight - before))) if outcome == COMPLETE else 0.0
        self.doublings.append(
            Doubling(
                number,
                direction,
                min(indices),
                max(indices),
                outcome,
                float(log_weight),
                self._candidate,
                probability,
                taken=False,  # until a choice says so
            )
        )

    def _after_leapfrog(self, leapfrog: Callable[..., float]) -> Callable[..., float]:
        def watched(*arguments: Any) -> float:
            logp = leapfrog(*arguments)
            *_, position, momentum, gradient, velocity, _ = arguments
            direction = self._within or 0
            self._reached[direction] += 1
            kinetic = 0.0
            for speed, mass in zip(velocity, momentum, strict=True):  # in the order of the sampler, to the last bit
                kinetic += mass * speed
            point = np.empty((4, position.shape[0]))
            point[POSITION], point[MOMENTUM], point[GRADIENT], point[VELOCITY] = position, momentum, gradient, velocity
            state = _state(direction * self._reached[direction], len(self.doublings), point, logp, 0.5 * kinetic - logp)
            self.states.append(state)
            self._new.append(state)
            self._joins = 0
            return logp

        return watched

    def _after_turns(self, turns: Callable[..., bool]) -> Callable[..., bool]:
        def watched(spans: Any, left: int, right: int, last_velocity: Array) -> bool:
            products = criteria(spans, left, right, last_velocity)
            turned = turns(spans, left, right, last_velocity)
            whole = self._within is None
            if whole:
                joined = self.states
            else:
                self._joins += 1
                joined = self._new[-(1 << self._joins) :]
            indices = [state.index for state in joined]
            log_weight = _log_sum(self._weight(state) for state in joined)
            number = len(self.doublings) - 1 if whole else len(self.doublings)
            self.checks.append(Check(number, whole, min(indices), max(indices), products, bool(turned), log_weight))
            return turned

        return watched

    def _after_choose(self, choose: Callable[..., Any]) -> Callable[..., Any]:
        def watched(points: Any, values: Any, source: int, target: int) -> None:
            choose(points, values, source, target)
            if target == CANDIDATE:
                self._candidate = int(values[CANDIDATE, INDEX])
            else:
                self.doublings[-1] = dataclasses.replace(self.doublings[-1], taken=True)

        return watched

    def _weight(self, state: State) -> float:
        """Log of a state's weight."""
        return self.states[0].energy - state.energy


def criteria(spans: Any, left: int, right: int, last_velocity: Array) -> Array:
    """The six products that `turns` looks at, in the order of `tree.CRITERIA`."""
    first, last = spans[left], spans[right]
    rhos = (first[RHO] + last[RHO], first[RHO] + last[FIRST_MOMENTUM], first[LAST_MOMENTUM] + last[RHO])
    ends = (
        (first[FIRST_VELOCITY], last_velocity),
        (first[FIRST_VELOCITY], last[FIRST_VELOCITY]),
        (first[LAST_VELOCITY], last_velocity),
    )
    return np.array([velocity @ rho for rho, pair in zip(rhos, ends, strict=True) for velocity in pair])


def _state(index: int, doubling: int, point: Array, logp: float, energy: float) -> State:
    position, momentum, velocity, gradient = (point[row].copy() for row in (POSITION, MOMENTUM, VELOCITY, GRADIENT))
    return State(index, doubling, position, momentum, velocity, gradient, float(logp), float(energy))


def _log_sum(log_weights: Any) -> float:
    """Log of the sum of exp, of any number of them."""
    found = np.fromiter(log_weights, dtype=np.float64)
    return float(np.logaddexp.reduce(found)) if found.size else -np.inf
