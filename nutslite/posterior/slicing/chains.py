"""Chains of slices that go on from where they are, by the kernel that serves their posterior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus, run_in_parts
from nutslite.posterior.pilot.level_lines import level_lines
from nutslite.posterior.pilot.pieces import Lines
from nutslite.posterior.slicing.moves import Moves
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import JointTarget
from nutslite.sampler.slice import compiled_slices
from nutslite.sampler.tempering import compiled_tempered, curve_hands
from nutslite.sampler.transition.handle import handed, handle_of

FloatArray = NDArray[np.float64]

STEPS_OUT_IN_PIECES, STEPS_OUT = 12, 64  # of an interval at most, where there are jumps beside it


class Chains:
    """Chains that go on from where they are, several at once where there are processors; draws do not depend on that.

    `states` (chains, powers, dimension) is overwritten.
    """

    def __init__(
        self,
        target: JointTarget | MarginalTarget,
        powers: FloatArray,
        states: FloatArray,
        rngs: list[np.random.Generator],
        cores: int | None,
        lines: Lines | None,
    ) -> None:
        self.target, self.powers, self.states, self.rngs = target, powers, states, rngs
        self.cores = cores or available_cpus()
        self.evaluations = 0
        self.follow(lines)

    @property
    def may_jump(self) -> bool:
        """Whether there are no jumps yet, and the target's density is one that they are for."""
        return self.lines is None and isinstance(self.target, JointTarget)

    def follow(self, lines: Lines | None) -> None:
        """From now on go along these lines, and jump; or straight on only."""
        self.lines = lines
        self.some = [_one_chain(self.target, lines, self.powers.size > 1) for _ in self.rngs]

    def jump(self) -> None:
        """From now on jump, and go along lines on which predictors stay as they are, where there are groups."""
        if isinstance(self.target, JointTarget):
            self.follow(level_lines(self.target.model))

    def run(self, moves: Moves, updates: int, draws: int) -> tuple[FloatArray, FloatArray]:
        """Positions (chains, draws, powers, dimension) and log densities (chains, draws) of so many draws."""
        chains, n_powers, dimension = self.states.shape
        positions, values = np.empty((chains, draws, n_powers, dimension)), np.empty((chains, draws))
        evaluations = np.zeros(chains, dtype=np.int64)

        def some_chains(some: slice) -> None:
            for c in range(chains)[some]:
                own = positions[c], values[c]
                evaluations[c] = self.some[c](self.rngs[c], self.states[c], moves, self.powers, updates, *own)

        run_in_parts(some_chains, chains, self.cores, fewest=1)
        self.evaluations += int(evaluations.sum())
        return positions, values

    def settled(self, moves: Moves, sweeps: int, draws: int) -> FloatArray:
        """Positions of the last three quarters of so many draws."""
        return self.run(moves, self.states.shape[2] * sweeps, draws)[0][:, draws // 4 :]


def _one_chain(target: JointTarget | MarginalTarget, lines: Lines | None, in_pieces: bool) -> Callable[..., int]:
    """The kernel that moves a chain, with the data that are its own; it returns how often it evaluated the density."""
    logdensity, data, data_type = target.for_slices()
    if lines is None or not isinstance(target, JointTarget):
        slices, density = compiled_slices(), handle_of(logdensity, data, data_type)

        def plain(rng: Any, states: Any, moves: Moves, powers: Any, updates: int, positions: Any, values: Any) -> int:
            state = rng, states[0], moves.directions[0], updates
            return int(slices(density.function, density.data, *state, positions[:, 0], values))

        return plain
    curve, (data, own), curve_type = target.curves(lines)
    density, curves = handle_of(logdensity, data, data_type), handed(curve, (data, own), curve_hands(curve_type))
    tempered = compiled_tempered()
    steps_out = STEPS_OUT_IN_PIECES if in_pieces else STEPS_OUT

    def jumping(rng: Any, states: Any, moves: Moves, powers: Any, updates: int, positions: Any, values: Any) -> int:
        state = rng, states, moves.directions, powers, updates
        along = moves.widths, moves.mixture, steps_out
        return int(
            tempered(density.function, density.data, curves.function, curves.data, *along, *state, positions, values)
        )

    return jumping
