"""`LevelsTarget`: all parameters but the effects of one factor, which are integrated out or drawn level by level."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.many_positions import log_densities
from nutslite.posterior.integrals.level_integrals import INTEGRAL_DATA, Modes, compiled_level_integrals
from nutslite.posterior.pilot.centring import scale_columns
from nutslite.posterior.pilot.mode import find_mode
from nutslite.posterior.pilot.nested_mode import nested_proposal
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import BLOCKWISE
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.targets.target import JointTarget, Launch
from nutslite.priors.densities.codes import NORMAL
from nutslite.sampler.independence.nested import NestedProposal

FloatArray = NDArray[np.float64]

MOST_PARAMETERS = 10  # besides effects: the search evaluates some ten times the square of their number
MOST_ROWS = 2_000  # beyond, NUTS makes as many effective draws in a second
GRIDS = ((3, 2.5), (5, 1.75), (9, 1.1))  # nodes, and standard deviations between two
"""The first that serves is for draws; the last for searches, whose differences want a smooth function."""

TINY = 1e-12  # a column without a spread
TRIALS = 40  # draws of effects at the mode, whose ...
LARGEST_SD = 0.12  # ... log weights may differ by so much


def may_go_by_levels(data: ModelData) -> bool:
    """Whether all effects are of the parent's predictor, one for each level of one factor, normal with one scale.

    And whether rows and other parameters are so few that proposals may be cheaper than NUTS.
    """
    if len(data.blocks) != 1:
        return False
    block = data.blocks[0]
    return bool(
        block[md.PREDICTOR] == 0
        and block[md.N_COLUMNS] == 1
        and block[md.N_LEVELS] > 1
        and data.block_columns[block[md.COLUMN_TABLE], md.DENSITY] == NORMAL
        and len(scale_columns(data)) == 1
        and 2 <= data.head.transforms.size <= MOST_PARAMETERS
        and not (data.head.transforms == BLOCKWISE).any()
        and data.y.shape[1] <= MOST_ROWS
    )


class LevelsTarget(JointTarget):
    """Positions are those of the head; behind proposals are uniform numbers, of which raw effects are made.

    Parameters
    ----------
    cores : int
        Threads of the search for the mode.
    """

    def __init__(self, assembled: Assembled, merged: ModelData | None = None, cores: int = 1) -> None:
        super().__init__(assembled, use_pilot=False, merged=merged)
        self.model = self.model._replace(centring=np.ones_like(self.model.centring))
        self.dimension, self.cores = assembled.layout.n_head, cores
        self.uniforms = int(self.model.centring.size)
        empty = np.empty((0, self.uniforms))
        heads, slopes = np.empty((0, self.dimension)), np.empty((0, self.dimension, self.uniforms))
        self.modes = Modes(empty, empty, np.empty(0), heads, slopes, 0, *GRIDS[-1])
        self.data_type = INTEGRAL_DATA

    @property
    def data(self) -> Any:
        """As of the joint target, and where to look for the levels' modes."""
        return (self.reference, self.priors, self.loglik, self.modes)

    def launch(self) -> Launch:
        """The mode of the head's parameters, and a proposal that follows it along the effects' scale."""
        start, (scale,) = starting_position(self.assembled)[: self.dimension], scale_columns(self.model)
        z_row = self.model.z_rows[self.model.added[0, md.COLUMN_TABLE]]
        if z_row >= 0:  # effects are slopes, in units of their column
            start[scale] -= np.log(max(float(np.std(self.model.z[z_row])), TINY))
        mode = find_mode(self._values, start)
        if mode is None:
            return Launch(start, None)
        proposal = nested_proposal(self._values, mode, scale)
        if proposal is not None:
            self._learn_modes(proposal)
        return Launch(mode.position, mode.covariance, values=mode.evaluations, settled=mode.settled, proposal=proposal)

    def _learn_modes(self, proposal: NestedProposal) -> None:
        """Take down the levels' modes along the proposal's nodes, and how others move them; choose the grid."""
        others = np.delete(np.arange(self.dimension), proposal.along)
        heads = np.tile(proposal.center, (proposal.nodes.size, 1))
        heads[:, proposal.along], heads[:, others] = proposal.nodes, proposal.centers
        found = self._found(heads)
        slopes = np.zeros((proposal.nodes.size, self.dimension, self.uniforms))
        for d, move in zip(others, np.linalg.norm(proposal.factor[others], axis=1), strict=True):
            step = np.zeros(self.dimension)
            step[d] = 0.5 * move
            slopes[:, d] = (self._found(heads + step)[:, 0] - self._found(heads - step)[:, 0]) / move
        centers, log_sds = np.ascontiguousarray(found[:, 0]), np.log(found[:, 1])
        rng = np.random.default_rng(0)
        at_mode = np.tile(proposal.center, (TRIALS, 1))
        uniforms = rng.random((TRIALS, self.uniforms))
        self.modes = Modes(centers, log_sds, proposal.nodes, heads, slopes, proposal.along, *GRIDS[-1])
        for grid in GRIDS:
            self.modes = self._on_grid(grid)
            if np.std(self._values(np.concatenate([at_mode, uniforms], axis=1))) < LARGEST_SD:
                break

    def _on_grid(self, grid: tuple[int, float]) -> Modes:
        return self.modes._replace(grid=grid[0], apart=grid[1])

    def _found(self, positions: FloatArray) -> FloatArray:
        """Modes and standard deviations of all levels at positions (m, dimension), shape (m, 2, levels)."""
        found = np.empty((len(positions), 2, self.uniforms))
        for position, own in zip(positions, found, strict=True):
            compiled_level_integrals()(position[None].copy(), self.data, np.empty(1), own)
        return found

    def _values(self, positions: FloatArray) -> FloatArray:
        return self.log_densities(positions, self.cores)

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """Of positions (m, dimension) with effects integrated out, by quadrature on the finest grid.

        Of proposals (m, dimension + uniforms) exactly that of all parameters, less that of the effects given the
        others; their uniform numbers are overwritten by the raw effects.
        """
        evaluate, data = compiled_level_integrals(), self.data
        if positions.shape[1] == self.dimension:
            data = (*data[:-1], self._on_grid(GRIDS[-1]))

        def work(some: FloatArray, out: FloatArray) -> None:
            evaluate(some, data, out, np.empty((2, self.uniforms)))

        return log_densities(work, positions, cores)
