"""The part of `Model` for samplers and optimisers of others: its log density, and positions to values and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike, NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError
from nutslite.model.record.specification import Specification
from nutslite.posterior.points.model_density import ModelDensity, PositionLayout


@public
class Embedded:
    """A `Model` as a log density of a plain vector."""

    _specification: Specification

    @property
    def logdensity(self) -> ModelDensity:
        """The log density of the unconstrained numbers: ``value, gradient = model.logdensity(position)``.

        Prior, likelihood and the log-Jacobian of all transforms. ``model.logdensity.initial`` is a start,
        ``model.logdensity.negative`` is for minimisers, ``model.logdensity.callback()`` a function for C.
        """
        return self._specification.posterior.density

    @property
    def layout(self) -> PositionLayout:
        """What the numbers of a position are: ``model.layout.names``, and records of the variables."""
        return self._specification.posterior.positions

    def constrain(self, positions: ArrayLike) -> dict[str, NDArray[Any]]:
        """Values of all variables, as results hold them, of positions.

        Parameters
        ----------
        positions : array_like, shape (..., dimension)
            One, or draws of any sampler: the leading axes stay.

        Returns
        -------
        dict of ndarray, shape (..., *shape of the variable)

        Raises
        ------
        SettingError
            If positions are not of the model's length.
        """
        return self.logdensity.constrain(positions)

    def unconstrain(self, values: Mapping[str, Any]) -> NDArray[Any]:
        """Positions of values by name: the inverse of `constrain`.

        Parameters
        ----------
        values : dict of array_like
            Every free variable, by its own name with natural values; or, for one position, by the name in
            `layout` with the unconstrained number.

        Returns
        -------
        ndarray, shape (..., dimension)

        Raises
        ------
        SettingError
            If a variable is missing or unknown, has a wrong shape, or is outside its support.
        """
        return self.logdensity.unconstrain(values)

    def results_of(self, positions: ArrayLike, sample_stats: Mapping[str, Any] | None = None) -> Any:
        """Draws of another sampler as `fit` would return its own: for `predict`, `nutslite.summary` and ArviZ.

        Parameters
        ----------
        positions : array_like, shape (chains, draws, dimension)
            Draws of ``model.logdensity``.
        sample_stats : dict of array_like, shape (chains, draws), optional
            Statistics by ArviZ's names: ``diverging``, ``lp``, ``energy``, ...

        Returns
        -------
        InferenceData or DataTree

        Raises
        ------
        NutsliteError
            If shapes do not fit.
        """
        from nutslite.results.sampler_draws import store_natural

        specification = self._specification
        natural = self.logdensity.constrain(positions)
        given = getattr(positions, "shape", None)
        if given is None or len(given) != 3:
            raise DataError("positions must be an array of shape (chains, draws, dimension).")
        return store_natural(
            specification.posterior.assembled,
            natural,
            sample_stats,
            aliases=specification.aliases,
            notes=specification.notes(),
        )
