"""A model as a log density of a plain vector, for samplers and optimisers of others; what the numbers are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.points.packing import positions_of
from nutslite.posterior.points.points import FreeVariable, PointMap
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.targets.plan import make_plan
from nutslite.sampler.densities.density import Density, Prepared, checked_position
from nutslite.sampler.densities.entry import Callback

FloatArray = NDArray[np.float64]


class PositionLayout:
    """What the numbers of a position are.

    Attributes
    ----------
    dimension : int
    variables : tuple of FreeVariable
        In order; a record has ``name``, ``unconstrained`` (its name in a position), ``shape``, ``dims``, and ``index``,
        where its numbers are in a position.
    coords : dict of str to list
        Values along every dimension.
    """

    def __init__(self, assembled: Assembled, points: PointMap) -> None:
        self.dimension: int = assembled.layout.dimension
        self.variables: tuple[FreeVariable, ...] = points.free
        self.coords: dict[str, list[Any]] = {name: list(own) for name, own in assembled.layout.coords.items()}

    def __iter__(self) -> Iterator[FreeVariable]:
        return iter(self.variables)

    def __getitem__(self, name: str) -> FreeVariable:
        for free in self.variables:
            if name in (free.name, free.unconstrained):
                return free
        raise KeyError(name)

    @property
    def names(self) -> list[str]:
        """A name for each number of a position: ``sigma_log__``, ``1|g_offset[3]``."""
        names = [""] * self.dimension
        for free in self.variables:
            for place, number in np.ndenumerate(free.index):
                inside = f"[{', '.join(map(str, place))}]" if place else ""
                names[int(number)] = f"{free.unconstrained}{inside}"
        return names

    def __repr__(self) -> str:
        rows = [f"{free.unconstrained}: {list(free.index.shape) or 'a number'}" for free in self.variables]
        return "\n".join([f"A position of {self.dimension} numbers", *rows])


class ModelDensity(Density):
    """Log density and gradient of a model over its unconstrained numbers.

    Prior, likelihood and the log-Jacobian of all transforms, constants included, before anything is integrated out, in
    the coordinates that the model starts with (a pilot may choose others for a fit).

    Attributes
    ----------
    dimension : int
    initial : ndarray (dimension,)
        Where chains start without a pilot; a new array each time.
    """

    def __init__(self, assembled: Assembled) -> None:
        self._assembled = assembled
        self._target = make_plan(assembled, "joint", pilot=False).target()
        self.dimension: int = self._target.dimension
        self.points = PointMap(assembled)

    @property
    def initial(self) -> FloatArray:
        """Where chains start without a pilot."""
        return np.array(starting_position(self._assembled), dtype=float)

    def __call__(self, position: ArrayLike) -> tuple[float, FloatArray]:
        """Log density and gradient at a position (dimension,); -inf or nan where it is undefined.

        Raises
        ------
        SettingError
            If the position is not of this length.
        """
        gradient = np.empty(self.dimension)
        value = self._target.logdensity(checked_position(position, self.dimension), gradient, self._target.data)
        return float(value), gradient

    def negative(self, position: ArrayLike) -> tuple[float, FloatArray]:
        """Both with the other sign, for ``scipy.optimize.minimize(model.logdensity.negative, start, jac=True)``."""
        value, gradient = self(position)
        return -value, -gradient

    def callback(self) -> Callback:
        """As a C function with its data, for programs in other languages."""
        return Callback(self, self.dimension)

    def prepared(self, dimension: int, chains: int) -> Prepared:
        """For our own sampler: ``sample(model.logdensity, initial=model.logdensity.initial)``."""
        if dimension != self.dimension:
            raise SettingError(f"A position of this model has {self.dimension} numbers, not {dimension}.")
        return Prepared(self._target.logdensity, self._target.data_type, (self._target.data,))

    def identity(self) -> tuple[Any, Any]:
        """The numbers that the model was made of."""
        return type(self).__qualname__, self._assembled.data

    def constrain(self, positions: ArrayLike) -> dict[str, FloatArray]:
        """Natural values by name, shapes (..., *shape of the variable), of positions (..., dimension).

        Raises
        ------
        SettingError
            If positions are not of this length.
        """
        try:
            array = np.asarray(positions, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise SettingTypeError(f"positions must be an array of numbers ({error}).") from error
        if array.ndim == 0 or array.shape[-1] != self.dimension:
            raise SettingError(
                f"Positions of this model have {self.dimension} numbers along the last axis; given: {array.shape}."
            )
        leading = array.shape[:-1]
        flat = np.ascontiguousarray(array.reshape(1, -1, self.dimension))
        values, effects = self._target.natural(flat, np.random.default_rng(0))
        named = self._assembled.layout.unpack(values[0], effects[0])
        return {name: np.array(value).reshape((*leading, *value.shape[1:])) for name, value in named.items()}

    def unconstrain(self, values: Mapping[str, Any]) -> FloatArray:
        """Positions, shape (..., dimension), of values by name, of which every free variable has one.

        Raises
        ------
        SettingError
            If a variable is missing or unknown, has a wrong shape, or is outside its support.
        """
        if not isinstance(values, Mapping):
            raise SettingTypeError(f"values is a dict of values by name, not {type(values).__name__}.")
        missing = [
            free.name for free in self.points.free if free.name not in values and free.unconstrained not in values
        ]
        if missing:
            raise SettingError(f"values says nothing of {', '.join(missing)}: each free variable needs a value.")
        first = self.points.free[0]
        natural = first.name in values
        given = np.shape(values[first.name if natural else first.unconstrained])
        own = first.shape if natural else first.index.shape
        leading = given[: len(given) - len(own)]
        if leading == ():
            return self.points.position(values, np.zeros(self.dimension), "values")
        draws = {free.name: values[free.name] for free in self.points.free if free.name in values}
        if len(draws) < len(self.points.free):
            raise SettingError("Of many draws at once, all values are to be natural ones, by the variables' own names.")
        return positions_of(self._assembled, draws).reshape((*leading, self.dimension))
