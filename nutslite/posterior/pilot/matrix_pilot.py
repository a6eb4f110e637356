"""The constants of matrix centring: the information at a mode, and where theta is and how wide.

From the pilot's mode on, in turn: Newton's method for coefficients and effects given theta, which is one look at the
coordinates' own centre, and for theta with the coordinates of all others at zero, whose density is about the marginal
one (Laplace's approximation with constant weights).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.block_effects import effect_maps
from nutslite.posterior.density.effects import fill_effects
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.matrix_centring import (
    MATRIX_DATA,
    MatrixCentring,
    compiled_matrix,
    compiled_positions,
)
from nutslite.posterior.density.sparse_pattern import columns_of_numbers
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.pilot.information import Information, InformationBuilder, head_prior_information
from nutslite.posterior.pilot.matrix_structure import Structure
from nutslite.posterior.record.model_data import CORRELATION, N_COLUMNS, ModelData, reference_to

FloatArray = NDArray[np.float64]

ROUNDS = 3
NEWTON_STEPS = 15
SMALL = 1e-3  # a gain in log density that ends a search
RIDGE = 1e-10  # of a diagonal element, added to it
THETA_STEP = 1e-4  # of differences
LONGEST_STEP = 1.0  # of theta
LEAST_PRECISION = 0.1  # of theta, whose elements are logarithms, bent or not, and the like


class MatrixPilot:
    """Finds the constants for one model.

    Parameters
    ----------
    model : ModelData
        As the pilot left it, scales bent.
    structure : Structure
    density : callable
    loglik : tuple of callable
        Of the priors and of the family.
    """

    def __init__(
        self, model: ModelData, structure: Structure, density: Callable[..., float], loglik: tuple[Any, ...]
    ) -> None:
        ones, typical = np.ones_like(model.centring), np.ones_like(model.typical_scales)
        self.model = model._replace(centring=ones, typical_scales=typical)
        self.structure, self.density, self.loglik = structure, density, loglik
        self.builder = InformationBuilder(self.model, density, loglik)
        self.n_head = self.builder.n_head
        self.rows, self.columns = structure.pattern.rows.astype(np.int64), columns_of_numbers(structure.pattern)
        self.diagonal = self.rows == self.columns
        self.own = np.setdiff1d(np.arange(self.n_head), structure.hyper)

    def run(self, position: FloatArray) -> MatrixCentring | None:
        """The coordinates, from a position of the model that was given (with its centring); None where they fail."""
        for _ in range(ROUNDS):
            moved = self._mode(position)
            if moved is None:
                return None
            centring = self._constants(moved)
            if centring is None:
                return None
            position, center, stretch = self._theta(centring, moved)
        centring = self._constants(position)
        return None if centring is None else centring._replace(center=center, stretch=stretch)

    def data(self, centring: MatrixCentring) -> Any:
        """What the log density receives."""
        return (
            reference_to(self.model),
            centring,
            with_derived(self.model.head, self.density),
            self.loglik,
            compiled_joint(),
        )

    def centred(self, given: ModelData, position: FloatArray) -> FloatArray:
        """The same point with effects as deviations from their locations; `position` is one of the model `given`."""
        values, effects = InformationBuilder(given, self.density, self.loglik).natural(position)
        out = position.copy()
        out[self.n_head :] = 0.0
        locations = np.empty_like(effects)
        fill_effects(self.model, out, values, locations)
        out[self.n_head :] = effects - locations
        return out

    def _mode(self, position: FloatArray) -> FloatArray | None:
        """Coefficients, constants and effects at their conditional mode; theta stays."""
        value = self._joint(position)[0]
        for _ in range(NEWTON_STEPS):
            centring = self._constants(position)
            if centring is None or not np.isfinite(value):
                return None
            step = self._positions(centring, np.zeros_like(position)) - position
            if not np.isfinite(step).all():
                return None
            new, size = value, 1.0
            while size > 1e-6:
                new = self._joint(position + size * step)[0]
                if np.isfinite(new) and new >= value - 1e-10 * abs(value):
                    break
                size *= 0.5
            else:
                return position
            position = position + size * step
            if new - value < SMALL:
                return position
            value = new
        return position

    def _joint(self, position: FloatArray) -> tuple[float, FloatArray]:
        gradient = np.empty_like(position)
        data = (reference_to(self.model), with_derived(self.model.head, self.density), self.loglik)
        return float(compiled_joint()(position, gradient, data)), gradient

    def _positions(self, centring: MatrixCentring, coordinates: FloatArray) -> FloatArray:
        out = np.empty((1, coordinates.size))
        compiled_positions()(coordinates[None], reference_to(self.model), centring, out)
        return out[0]

    def _constants(self, position: FloatArray) -> MatrixCentring | None:
        """H and b that make this point, or where a Newton step from it leads, the centre; theta is at its own."""
        structure = self.structure
        gradient = self._joint(position)[1]
        information = self.builder(position, convex=True, priors=False)
        if information is None or not np.isfinite(gradient).all():
            return None
        self._add_head_priors(information, position)
        members = structure.members
        numbers = entries(information, members[self.rows], members[self.columns])
        precision = np.zeros_like(numbers)
        values, _ = self.builder.natural(position)
        parts = []
        for block in self.model.blocks:
            precisions = effect_maps(self.model, block, position, values)[1]
            lower = (
                np.tril_indices(precisions.shape[1]) if block[CORRELATION] >= 0 else np.diag_indices(block[N_COLUMNS])
            )
            parts.append(precisions[:, lower[0], lower[1]].ravel())
        precision[structure.priors] = np.concatenate(parts)
        numbers[self.diagonal] += RIDGE * (numbers + precision)[self.diagonal]
        u = position[members]
        right = gradient[members] + self._times(numbers + precision, u)
        return structure.centring(numbers, right, position[structure.hyper], np.eye(structure.hyper.size))

    def _add_head_priors(self, information: Information, position: FloatArray) -> None:
        """Their positive part, of coefficients and constants alone."""
        own = np.ix_(self.own, self.own)
        eigenvalues, vectors = np.linalg.eigh(head_prior_information(self.model.head, self.density, position)[own])
        information.border[own] += (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T

    def _times(self, numbers: FloatArray, u: FloatArray) -> FloatArray:
        """A symmetric matrix, given by its lower triangle, times a vector."""
        n = u.size
        out = np.bincount(self.rows, numbers * u[self.columns], n)
        below = ~self.diagonal
        return np.asarray(out + np.bincount(self.columns[below], (numbers * u[self.rows])[below], n))

    def _theta(self, centring: MatrixCentring, position: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The position with theta at its mode, where that is, and a factor of its covariance there."""
        h = centring.hyper.size
        value, slope = self._at(centring, np.zeros((1, h)))
        here = np.zeros(h)
        hessian = np.eye(h)
        for _ in range(NEWTON_STEPS):
            hessian = self._hessian(centring, here)
            step = np.linalg.solve(hessian, slope[0])
            step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max(initial=0.0)), 1e-300))
            gain = float(step @ slope[0])
            for size in 0.5 ** np.arange(12):
                new, new_slope = self._at(centring, (here + size * step)[None])
                if new[0] >= value[0]:
                    break
            else:
                break
            here, value, slope = here + size * step, new, new_slope
            if gain < SMALL:
                break
        coordinates = np.zeros_like(position)
        coordinates[centring.hyper] = here
        stretch = np.linalg.cholesky(np.linalg.inv(hessian)) if h else np.empty((0, 0))
        return self._positions(centring, coordinates), centring.center + here, np.ascontiguousarray(stretch)

    def _at(self, centring: MatrixCentring, thetas: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log densities and their slopes at coordinates of theta, all others zero."""
        coordinates = np.zeros((thetas.shape[0], self.builder.dimension))
        coordinates[:, centring.hyper] = thetas
        values, gradients = values_and_gradients(compiled_matrix(), self.data(centring), MATRIX_DATA, coordinates)
        return values, gradients[:, centring.hyper]

    def _hessian(self, centring: MatrixCentring, here: FloatArray) -> FloatArray:
        """Minus the second derivatives by theta, made positive definite."""
        steps = THETA_STEP * np.eye(here.size)
        slopes = (self._at(centring, here - steps)[1] - self._at(centring, here + steps)[1]) / (2.0 * THETA_STEP)
        if not np.isfinite(slopes).all():
            return np.eye(here.size)
        eigenvalues, vectors = np.linalg.eigh(0.5 * (slopes + slopes.T))
        return np.asarray((vectors * np.maximum(eigenvalues, LEAST_PRECISION)) @ vectors.T)


def entries(information: Information, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> FloatArray:
    """Entries of an arrowhead matrix, by their places in the position."""
    m, (_, q, _) = information.border.shape[0], information.blocks.shape
    rows, columns = np.maximum(rows, columns), np.minimum(rows, columns)
    out = np.zeros(rows.size)
    border, coupling = rows < m, (rows >= m) & (columns < m)
    out[border] = information.border[rows[border], columns[border]]
    out[coupling] = information.coupling[rows[coupling] - m, columns[coupling]]
    if q:
        level, c = np.divmod(rows - m, q)
        other, d = np.divmod(columns - m, q)
        own = (columns >= m) & (level == other)
        out[own] = information.blocks[level[own], c[own], d[own]]
    return out
