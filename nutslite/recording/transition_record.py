"""The record of one transition: the states of its orbit, its tree, why it stopped, which state came next."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nutslite.recording.notes import Notes
from nutslite.recording.tree import DIVERGED, TURNED, Check, Doubling
from nutslite.sampler.transition.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]

U_TURN, SUB_TURN, DIVERGENCE, DEPTH = "u-turn", "u-turn within a doubling", "divergence", "depth"
"""Why a trajectory stopped."""


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionRecord:
    """One transition of NUTS, step by step.

    Arrays over states have the start in row 0 and then the states in the order in which they were integrated; `orbit`
    puts them in order of time.

    Attributes
    ----------
    number : int
        Of the transition in its chain, from 0, warm-up included.
    names : tuple of str
        Of the coordinates.
    step_size : float
    metric : Metric
    max_treedepth : int
    index : ndarray of int (states,)
        Place in the orbit: 0 the start, negative backwards in time.
    doubling : ndarray of int (states,)
        Which doubling made the state; -1 for the start.
    position, momentum, velocity, gradient : ndarray (states, dim)
        `velocity` is inverse mass matrix times `momentum`, `gradient` that of the log density.
    logp, energy : ndarray (states,)
        Log density, and ``-logp`` plus kinetic energy.
    doublings : tuple of Doubling
    checks : tuple of Check
        All sub-trajectories that were asked whether they turned, in that order. Only the last one can have.
    selected : int
        Index of the state that became the draw.
    stats : dict
        Statistics of the transition by ArviZ's names.
    logdensity : callable
        ``logdensity(position) -> (value, gradient)``, as compiled.
    """

    number: int
    names: tuple[str, ...]
    step_size: float
    metric: Metric
    max_treedepth: int
    index: npt.NDArray[np.int64]
    doubling: npt.NDArray[np.int64]
    position: Array
    momentum: Array
    velocity: Array
    gradient: Array
    logp: Array
    energy: Array
    doublings: tuple[Doubling, ...]
    checks: tuple[Check, ...]
    selected: int
    stats: dict[str, Any]
    logdensity: Callable[[npt.ArrayLike], tuple[float, Array]] = dataclasses.field(repr=False)

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return int(self.position.shape[1])

    @property
    def energy_error(self) -> Array:
        """Energy minus that of the start, shape (states,): 0 all along, were the simulation exact."""
        return np.asarray(self.energy - self.energy[0])

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Whether each state belongs to the trajectory, shape (states,): of a doubling that ended early none does."""
        counts = np.array([doubling.counts for doubling in self.doublings], dtype=bool)
        return np.asarray((self.doubling < 0) | np.append(counts, True)[self.doubling])

    @property
    def orbit(self) -> npt.NDArray[np.int64]:
        """Rows of the states in order of time, shape (states,)."""
        return np.argsort(self.index, kind="stable")

    @property
    def draw(self) -> Array:
        """The position (dim,) that became the draw."""
        return self.position[self.row(self.selected)]

    @property
    def probability(self) -> Array:
        """How likely each state was to become the draw, given the trajectory; shape (states,), they sum to 1.

        Within a doubling by weight, exp(-energy error); a doubling's candidate takes the place of the state chosen
        before with the probability ``min(1, new weight / old weight)``, which favours states far from the start.
        """
        found = np.zeros(self.index.size)
        found[0] = 1.0
        for doubling in self.doublings:
            if doubling.counts:
                new = self.doubling == doubling.number
                found *= 1.0 - doubling.probability
                found[new] = doubling.probability * np.exp(-self.energy_error[new] - doubling.log_weight)
        return found

    @property
    def stopped(self) -> str:
        """Why the trajectory stopped: "u-turn", "u-turn within a doubling", "divergence" or "depth"."""
        last = self.doublings[-1]
        if last.outcome == DIVERGED:
            return DIVERGENCE
        if last.outcome == TURNED:
            return SUB_TURN
        return U_TURN if self.turn is not None else DEPTH

    @property
    def turn(self) -> Check | None:
        """The sub-trajectory that turned, if one did."""
        return next((check for check in self.checks if check.turned), None)

    def row(self, index: int) -> int:
        """Row of the state with this place in the orbit.

        Raises
        ------
        IndexError
            If the trajectory has no such state.
        """
        found = np.flatnonzero(self.index == index)
        if not found.size:
            raise IndexError(f"The orbit has states {self.index.min()} to {self.index.max()}, but no {index}.")
        return int(found[0])

    def explain(self) -> str:
        """What happened, in sentences."""
        lines = [
            f"Transition {self.number}: step size {self.step_size:.3g}, {self.index.size - 1} leapfrog steps, "
            f"states {self.index.min()} to {self.index.max()}."
        ]
        lines += [_sentence(doubling) for doubling in self.doublings]
        lines.append(self._reason())
        lines.append(f"The draw is state {self.selected}, energy error {self.stats['energy_error']:.3g}.")
        return "\n".join(lines)

    def _reason(self) -> str:
        last = self.doublings[-1]
        if self.stopped == DEPTH:
            return f"Stopped by max_treedepth = {self.max_treedepth}: it had not turned yet."
        if self.turn is None:
            error = self.energy_error[-1]
            return (
                f"Stopped by a divergence: the step to state {self.index[-1]} changed the energy by {error:.3g}, more "
                f"than 1000. The simulation broke down there. Doubling {last.number} is dropped."
            )
        where = f"states {self.turn.first} to {self.turn.last}"
        why = "; ".join(self.turn.reasons)
        if self.stopped == U_TURN:
            return f"Stopped by a U-turn of the whole trajectory, {where} ({why})."
        return f"Stopped by a U-turn of {where} ({why}). Doubling {last.number} is dropped."

    def frame(self) -> pd.DataFrame:
        """All states in order of time, a row each; columns of coordinates are named after them.

        ``x`` has position, ``p[x]`` momentum, ``g[x]`` gradient.
        """
        import pandas as pd

        rows = self.orbit
        columns: dict[str, Any] = {
            "transition": self.number,
            "index": self.index,
            "doubling": self.doubling,
            "kept": self.kept,
            "logp": self.logp,
            "energy": self.energy,
            "energy_error": self.energy_error,
            "probability": self.probability,
            "selected": self.index == self.selected,
        }
        for shape, array in (("{}", self.position), ("p[{}]", self.momentum), ("g[{}]", self.gradient)):
            columns |= {shape.format(name): array[:, i] for i, name in enumerate(self.names)}
        return pd.DataFrame(columns).iloc[rows].reset_index(drop=True)

    def tree(self) -> pd.DataFrame:
        """The doublings, a row each."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(doubling) for doubling in self.doublings])

    def turns(self) -> pd.DataFrame:
        """The sub-trajectories that were asked whether they turned, a row each; `smallest` product decides."""
        import pandas as pd

        return pd.DataFrame(
            {
                "doubling": [check.doubling for check in self.checks],
                "whole": [check.whole for check in self.checks],
                "first": [check.first for check in self.checks],
                "last": [check.last for check in self.checks],
                "log_weight": [check.log_weight for check in self.checks],
                "smallest": [check.products.min() for check in self.checks],
                "turned": [check.turned for check in self.checks],
            }
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays over states by name, as `numpy.savez` takes them."""
        names = ("index", "doubling", "kept", "position", "momentum", "velocity", "gradient", "logp", "energy")
        return {name: getattr(self, name) for name in (*names, "probability")}


def transition_record(notes: Notes, **fields: Any) -> TransitionRecord:
    """The record that notes come to; `fields` are those that notes do not have."""
    states = notes.states
    return TransitionRecord(
        index=np.array([state.index for state in states]),
        doubling=np.array([state.doubling for state in states]),
        position=np.stack([state.position for state in states]),
        momentum=np.stack([state.momentum for state in states]),
        velocity=np.stack([state.velocity for state in states]),
        gradient=np.stack([state.gradient for state in states]),
        logp=np.array([state.logp for state in states]),
        energy=np.array([state.energy for state in states]),
        doublings=tuple(notes.doublings),
        checks=tuple(notes.checks),
        **fields,
    )


def _sentence(doubling: Doubling) -> str:
    way = "forwards" if doubling.direction > 0 else "backwards"
    states = f"state {doubling.first}" if doubling.size == 1 else f"states {doubling.first} to {doubling.last}"
    start = f"Doubling {doubling.number}, {way}: {states}"
    if not doubling.counts:
        return f"{start}; it {'diverged' if doubling.outcome == DIVERGED else 'turned within itself'}."
    taken = "became" if doubling.taken else "did not become"
    return (
        f"{start}; its candidate, state {doubling.candidate}, {taken} the choice (probability "
        f"{doubling.probability:.2f})."
    )
