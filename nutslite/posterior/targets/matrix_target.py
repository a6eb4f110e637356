"""The joint density in the coordinates of matrix centring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import available_cpus, run_where_it_pays
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.matrix_centring import (
    MATRIX_DATA,
    MatrixCentring,
    compiled_coordinates,
    compiled_matrix,
    compiled_positions,
)
from nutslite.posterior.pilot.matrix_pilot import MatrixPilot
from nutslite.posterior.pilot.matrix_structure import Structure, structure_where_open
from nutslite.posterior.pilot.pilot import ROUGH_SCALE_TOLERANCE, SCALE_TOLERANCE
from nutslite.posterior.pilot.recentring import recentred
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.targets.target import JointTarget, Launch

FloatArray = NDArray[np.float64]


class MatrixTarget(JointTarget):
    """The joint target; its launch moves to the coordinates of `matrix_centring`.

    Where the pilot finds no mode, or no such coordinates, it is the joint target that it was. Without a structure the
    pilot decides whether it moves.
    """

    def __init__(self, assembled: Assembled, structure: Structure | None, merged: ModelData | None = None) -> None:
        super().__init__(assembled, use_pilot=True, merged=merged)
        self.structure = structure
        if structure is not None:
            self.scale_tolerance = ROUGH_SCALE_TOLERANCE
        self.centring: MatrixCentring | None = None

    @property
    def logdensity(self) -> Callable[..., float]:
        """With its gradient; compiled when it is asked for."""
        return super().logdensity if self.centring is None else compiled_matrix()

    @property
    def data(self) -> Any:
        """As of the joint target; then with the coordinates and the joint density."""
        if self.centring is None:
            return super().data
        return (self.reference, self.centring, self.priors, self.loglik, compiled_joint())

    def launch(self) -> Launch:
        """Run the pilot and choose the coordinates: where they serve, all are about standard normal."""
        before = self.model
        launch = super().launch()
        if self.pilot is None:
            return launch
        structure = structure_where_open(self.pilot) if self.structure is None else self.structure
        if structure is None:
            return launch
        pilot = MatrixPilot(self.model, structure, self.density, self.loglik)
        centring = pilot.run(pilot.centred(self.model, launch.center))
        if centring is None:
            if self.structure is not None:  # the plan has promised it
                log.info("Matrix centring found no mode: each level is centred by itself.")
                self.model, self.scale_tolerance = before, SCALE_TOLERANCE
                return super().launch()
            return launch
        self.move_to(pilot.model, centring)
        return replace(launch, center=np.zeros(self.dimension), information=np.ones(self.dimension))

    def move_to(self, model: ModelData, centring: MatrixCentring) -> None:
        """Sample in these coordinates from now on; in the model all effects are centred."""
        self.model, self.centring, self.data_type = model, centring, MATRIX_DATA

    def recentre(self, coordinates: FloatArray) -> FloatArray:
        """Choose the coordinates of scales and correlations by draws (m, dimension); return these in the new ones."""
        if self.centring is None:
            return coordinates
        model, centring, positions = recentred(self.model, self.centring, self.joint_positions(coordinates))
        self.move_to(model, centring)
        return self.own_positions(positions)

    def joint_positions(self, positions: FloatArray) -> FloatArray:
        """Positions (m, dimension) of the joint density."""
        if self.centring is None:
            return positions
        positions, out = np.ascontiguousarray(positions), np.empty(positions.shape)
        place, others = compiled_positions(), (self.reference, self.centring)
        run_where_it_pays(lambda some: place(positions[some], *others, out[some]), len(positions), available_cpus())
        return out

    def own_positions(self, positions: FloatArray) -> FloatArray:
        """The inverse of `joint_positions`."""
        if self.centring is None:
            return positions
        out = np.empty(positions.shape)
        compiled_coordinates()(np.ascontiguousarray(positions), self.reference, self.centring, out)
        return out

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """One after the other, with their gradients."""
        if self.centring is None:
            return super().log_densities(positions, cores)
        return values_and_gradients(self.logdensity, self.data, self.data_type, positions)[0]

    def natural(self, positions: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Natural-scale draws; needs no randomness."""
        joint = self.joint_positions(positions.reshape(-1, self.dimension))
        return super().natural(joint.reshape(positions.shape), rng)
