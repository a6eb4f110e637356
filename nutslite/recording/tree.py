"""Parts of a trajectory's tree: its doublings, and the sub-trajectories that were asked whether they turned.

A state's *index* is its place in the orbit: 0 the start, 1 the state one step later, -1 the one before. A
sub-trajectory is a run of neighbouring states, named by its smallest and its greatest index.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

COMPLETE, TURNED, DIVERGED = "complete", "turned", "diverged"
"""What became of a doubling: all its states were made; it turned within itself; a step of it diverged."""

CRITERIA = (
    "whole, at its first state",
    "whole, at its last state",
    "first half and the state after it, at the first",
    "first half and the state after it, at the last",
    "second half and the state before it, at the first",
    "second half and the state before it, at the last",
)
"""Six products velocity . rho that must be positive for a sub-trajectory to go on (`sampler/transition/turning.py`)."""


@dataclasses.dataclass(frozen=True)
class Doubling:
    """One doubling of a trajectory.

    Attributes
    ----------
    number : int
        From 0: doubling k adds 2**k states.
    direction : int
        1 forwards in time, -1 backwards.
    first, last : int
        Smallest and greatest index of the states that it made, which are fewer than 2**k where it ended early.
    outcome : str
        "complete", "turned" (a sub-trajectory within it did) or "diverged". Only a complete one counts.
    log_weight : float
        Log of the total weight of its states, a state's weight being exp(-(energy - energy of the start)).
    candidate : int or None
        Index of the state that was drawn among them by weight; None where the first step diverged.
    probability : float
        Of the candidate to take the place of the state chosen so far: min(1, weight of the new half / of the old one);
        0 where the doubling does not count.
    taken : bool
        Whether it did.
    """

    number: int
    direction: int
    first: int
    last: int
    outcome: str
    log_weight: float
    candidate: int | None
    probability: float
    taken: bool

    @property
    def size(self) -> int:
        """States that were made."""
        return self.last - self.first + 1

    @property
    def counts(self) -> bool:
        """Whether its states belong to the trajectory."""
        return self.outcome == COMPLETE


@dataclasses.dataclass(frozen=True, eq=False)
class Check:
    """A sub-trajectory that was asked whether it turned: a node of the tree, two halves joined.

    Attributes
    ----------
    doubling : int
        In which it was asked.
    whole : bool
        Whether it is the whole trajectory, and not one within the newest doubling.
    first, last : int
        Smallest and greatest index of its states.
    products : ndarray (6,)
        Of velocity and rho (the sum of momenta), as `CRITERIA` names them; "first" is the state that was integrated
        first, or the far end of the whole.
    turned : bool
        What the sampler found: whether any product is not positive.
    log_weight : float
        Log of the total weight of its states.
    """

    doubling: int
    whole: bool
    first: int
    last: int
    products: npt.NDArray[np.float64]
    turned: bool
    log_weight: float

    @property
    def size(self) -> int:
        """Number of its states."""
        return self.last - self.first + 1

    @property
    def reasons(self) -> tuple[str, ...]:
        """Which of the `CRITERIA` say that it turned."""
        return tuple(name for name, product in zip(CRITERIA, self.products, strict=True) if not product > 0.0)
