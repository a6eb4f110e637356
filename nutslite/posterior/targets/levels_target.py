"""`LevelsTarget`: all parameters but the effects of one factor, which are integrated out or drawn level by level."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._capabilities import CONCAVE, Declaration, why_refused
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

FloatArray = NDArray[np.float64]

MOST_PARAMETERS = 16  # besides effects: the search evaluates some hundred times the square of their number


def why_not_by_levels(data: ModelData, declared: list[Declaration]) -> str | None:
    """In plain words why effects cannot be integrated out level by level, or None."""
    if len(data.blocks) != 1 or data.blocks[0, md.N_COLUMNS] != 1 or len(md.parts_of(data, data.blocks[0])) != 1:
        return "its levels do not have one effect each, of one factor"
    block = data.blocks[0]
    if block[md.PREDICTOR] != 0:
        return "its effects are not of the parent"
    if block[md.N_LEVELS] < 2 or data.block_columns[block[md.COLUMN_TABLE], md.DENSITY] != NORMAL:
        return "its effects are not normal"
    if len(list(scale_columns(data))) != 1 or (data.head.transforms == BLOCKWISE).any():
        return "its effects have no scale of their own"
    if data.head.transforms.size > MOST_PARAMETERS:
        return "it has too many parameters"
    return why_refused(declared, CONCAVE)


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
        self.modes = Modes(np.zeros(self.uniforms), np.ones(self.uniforms))
        self.data_type = INTEGRAL_DATA

    @property
    def data(self) -> Any:
        """As of the joint target, and where to look for the levels' modes."""
        return (self.model, self.priors, self.loglik, self.modes)

    def launch(self) -> Launch:
        """The mode of the head's parameters, and a proposal that follows it along the effects' scale."""
        start = starting_position(self.assembled)[: self.dimension]
        mode = find_mode(self._values, start)
        if mode is None:
            return Launch(start, None)
        found = np.empty((2, self.uniforms))
        compiled_level_integrals()(mode.position[None].copy(), self.data, np.empty(1), found)
        self.modes = Modes(found[0].round(6), found[1])
        (scale,) = scale_columns(self.model)
        proposal = nested_proposal(self._values, mode, scale)
        return Launch(
            mode.position, mode.covariance, values=mode.evaluations, settled=mode.settled, proposal=proposal
        )

    def _values(self, positions: FloatArray) -> FloatArray:
        return self.log_densities(positions, self.cores)

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """Of positions (m, dimension) with effects integrated out, by quadrature.

        Of proposals (m, dimension + uniforms) exactly that of all parameters, less that of the effects given the
        others; their uniform numbers are overwritten by the raw effects.
        """
        evaluate = compiled_level_integrals()

        def work(some: FloatArray, out: FloatArray) -> None:
            evaluate(some, self.data, out, np.empty((2, self.uniforms)))

        return log_densities(work, positions, cores)
