"""The model as a log density of named variables: for those who want to evaluate it, not only to sample it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import SettingError
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.points.points import FreeVariable, Point, PointMap
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.layout import Variable
from nutslite.posterior.targets.plan import make_plan

FloatArray = NDArray[np.float64]


class CompiledModel:
    """Log density and gradient of a model at points, which are dicts of values by name.

    A point names every free variable once: by its own name with its natural value (``{"sigma": 1.2}``), or with the
    unconstrained number that is sampled, under PyMC's spelling (``{"sigma_log__": 0.18}``); the table at the top of
    `nutslite.posterior.points.points` lists the spellings. `initial_point` and `dlogp` use the latter.

    Attributes
    ----------
    named_vars : dict
        Every variable of the results and of the points by name: `Variable` or `FreeVariable` records.
    free_RVs : list of FreeVariable
        What is sampled; a record has ``name``, ``unconstrained`` (its other name), ``shape`` and ``dims``.
    observed_RVs : list of str
        The response.
    coords : dict of str to list
        Coordinate values of every dimension.
    dims : dict of str to tuple of str
        Dimensions of every variable that has any.

    Notes
    -----
    The log density is that of the *unconstrained* numbers: prior, likelihood and the log-Jacobian of all transforms,
    normalising constants included, before anything is integrated out, and with the centring that the model starts
    with (a pilot may choose another one for sampling). It is what PyMC's ``compile_logp`` gives, up to the choice of
    transforms.
    """

    def __init__(self, assembled: Assembled) -> None:
        self._assembled = assembled
        self._points = PointMap(assembled)
        self._target = make_plan(assembled, "joint", pilot=False, merge=False).target()
        self.free_RVs: list[FreeVariable] = list(self._points.free)
        self.observed_RVs: list[str] = [assembled.spec.design.response.name]
        self.named_vars: dict[str, FreeVariable | Variable] = {free.name: free for free in self.free_RVs}
        self.named_vars |= {free.unconstrained: free for free in self.free_RVs}

    @property
    def coords(self) -> dict[str, list[Any]]:
        """Coordinate values of every dimension."""
        return {name: list(labels) for name, labels in self._assembled.layout.coords.items()}

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of every variable that has any."""
        return self._assembled.layout.dims

    named_vars_to_dims = dims

    @property
    def value_vars(self) -> list[str]:
        """Names of the unconstrained numbers, in the order of the sampler's position."""
        return [free.unconstrained for free in self.free_RVs]

    def initial_point(self) -> dict[str, FloatArray]:
        """Where chains start without a pilot, unconstrained; it may be changed and given to `logp`."""
        return self._points.point(starting_position(self._assembled))

    def logp(self, point: Point) -> float:
        """Log density at a point, Jacobians of transforms included; -inf or nan where it is undefined.

        Raises
        ------
        SettingError
            If the point leaves variables out, has unknown ones, or has values outside their support.
        """
        return self._evaluate(point)[0]

    def dlogp(self, point: Point) -> dict[str, FloatArray]:
        """Gradient of `logp` with respect to the unconstrained numbers, by their names."""
        return self._points.point(self._evaluate(point)[1])

    def to_natural(self, point: Point) -> dict[str, FloatArray]:
        """Natural values of all variables at a point, as the results would hold them."""
        return self._points.natural(self._position(point))

    def to_unconstrained(self, point: Point) -> dict[str, FloatArray]:
        """The unconstrained numbers of all variables at a point."""
        return self._points.point(self._position(point))

    def _evaluate(self, point: Point) -> tuple[float, FloatArray]:
        gradient = np.empty(self._target.dimension)
        value = float(self._target.logdensity(self._position(point), gradient, self._target.data))
        return value, gradient

    def _position(self, point: Point) -> FloatArray:
        if isinstance(point, Mapping):
            missing = [
                free.name for free in self.free_RVs if free.name not in point and free.unconstrained not in point
            ]
            if missing:
                raise SettingError(
                    f"The point says nothing of {', '.join(missing)}. Start from initial_point() and change it."
                )
        return self._points.position(point, np.zeros(self._assembled.layout.dimension))

    def __repr__(self) -> str:
        rows = [f"{free.name}: {free.unconstrained}{list(free.shape) or ''}" for free in self.free_RVs]
        return "\n".join([f"Model of {self.observed_RVs[0]}, {self._assembled.layout.dimension} numbers", *rows])


class Backend:
    """What a built model runs on; ``backend.model`` is the density itself."""

    name = "nutslite"

    def __init__(self, assembled: Assembled) -> None:
        self._assembled = assembled
        self._model: CompiledModel | None = None

    @property
    def model(self) -> CompiledModel:
        """The model as a log density of named variables."""
        if self._model is None:
            self._model = CompiledModel(self._assembled)
        return self._model
