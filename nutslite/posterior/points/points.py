"""One point of the parameter space by names: to a position of the sampler and back.

Every free variable has two names in a point. Its own (``sigma``, ``1|g``, ``Intercept``) is for its natural value, as
in the results. The other is for the unconstrained number that the sampler moves, in the spelling of PyMC:
``sigma_log__``, ``1|g_offset``, ``Intercept_centered``; where nothing is transformed the two are the same name.

======================  ==============================================================================================
``<name>_log__``        logarithm of a positive number; ``_lowerbound__`` where the bound is not zero
``<name>_upperbound__`` logarithm of the distance from an upper bound
``<name>_interval__``   log odds of the place in an interval; ``_logodds__`` where the interval is (0, 1)
``<name>_ordered__``    of a vector whose elements increase: the first, then logarithms of the steps
``<name>_simplex__``    of numbers that sum to one: one fewer, isometric log-ratios
``<name>_cholesky__``   of correlations: canonical partial correlations, as inverse hyperbolic tangents
``<name>_offset``       of group effects: ``effect = location + scale ** (1 - r) * offset``, r = 0 non-centred, r = 1
                        centred; of correlated effects the Cholesky factor times the offsets where r = 0
``Intercept_centered``  intercept of centred predictors
======================  ==============================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import SettingError, SettingTypeError, did_you_mean
from nutslite.posterior.density.block_effects import (
    correlation_factor,
    correlations_in_prior,
    locations_and_scales,
    places_of,
    spreads_and_units,
)
from nutslite.posterior.density.joint import natural_scale
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.layout import Layout, Variable
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.node_table import simplex_places
from nutslite.posterior.record.transforms import (
    ABOVE,
    BENT_LOG,
    FOLD,
    IDENTITY,
    LOG,
    LOGIT_INTERVAL,
    NEGATIVE_LOG,
    unconstrain,
)
from nutslite.sampler.constraints.cholesky import cholesky_unconstrain
from nutslite.sampler.constraints.simplex import simplex_unconstrain

FloatArray = NDArray[np.float64]
Point = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class FreeVariable:
    """A variable that is sampled.

    Attributes
    ----------
    name : str
        Of its natural value.
    unconstrained : str
        Of the number that the sampler moves.
    dims : tuple of str
    index : ndarray of int
        Where the latter is in the position; a scalar has shape ().
    variable : Variable
        Its entry in the layout.
    """

    name: str
    unconstrained: str
    dims: tuple[str, ...]
    index: NDArray[np.int64]
    variable: Variable

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the natural value; the unconstrained one has that of `index`."""
        return self.variable.shape

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


class PointMap:
    """Names of a model's free variables, and the ways between points, positions and natural values.

    Parameters
    ----------
    assembled : Assembled
    model : ModelData, optional
        Where a pilot has chosen another centring: its data.
    """

    def __init__(self, assembled: Assembled, model: ModelData | None = None) -> None:
        self.layout: Layout = assembled.layout
        self.model = assembled.data if model is None else model
        named = assembled.inventory.by_name
        self.free = tuple(self._free(item, named[item.name].unconstrained) for item in self.layout.variables)
        self._by_name = {free.name: free for free in self.free}
        self._by_unconstrained = {free.unconstrained: free for free in self.free}

    def _free(self, variable: Variable, unconstrained: str) -> FreeVariable:
        index = np.asarray(variable.index) + (self.layout.n_head if variable.source == "effects" else 0)
        if variable.source == "simplex":
            index, _ = simplex_places(self.model.head.nodes, int(index[0]))
        return FreeVariable(variable.name, unconstrained, variable.dims, index, variable)

    def check(self, point: Point, what: str) -> None:
        """Refuse a point with unknown names, one variable by two names, values of a wrong shape or outside the support.

        Raises
        ------
        SettingError
            Naming the entry of `what`, the user's argument.
        """
        if not isinstance(point, Mapping):
            raise SettingTypeError(f"{what} is a dict of values by name, not {point!r}.")
        known = [*self._by_name, *self._by_unconstrained]
        for name, value in point.items():
            free = self._by_name.get(name) or self._by_unconstrained.get(name)
            if free is None:
                raise SettingError(
                    f"{what}: there is no free variable '{name}'.{did_you_mean(name, known)} "
                    f"There are: {', '.join(self._by_name)}."
                )
            if name != free.name and free.name in point:
                raise SettingError(f"{what} has '{free.name}' twice, as '{free.name}' and as '{name}': give one.")
            self._array(name, value, free, what)

    def position(self, point: Point, base: FloatArray, what: str = "point") -> FloatArray:
        """A position: `base` with the entries of a point put in.

        Group effects that the point does not name keep their offsets, an intercept that it does not name keeps its
        centred value.

        Raises
        ------
        SettingError
            As `check`.
        """
        self.check(point, what)
        position = np.array(base, dtype=float)
        given = {free: self._array(name, point[name], free, what) for name, free in self._entries(point)}
        natural = {free for name, free in self._entries(point) if name == free.name != free.unconstrained}
        for free, array in given.items():
            if free not in natural:
                position[free.index] = array
            elif free.variable.source == "correlation":
                position[free.index] = self._unconstrained_correlations(free, array, what)
            elif free.variable.source == "simplex":
                simplex_unconstrain(array, out := np.empty(array.size - 1))
                position[free.index] = out
            elif free.variable.source == "values" and not free.variable.columns.size:
                position[free.index] = _unconstrain(self.model, np.atleast_1d(free.index), array).reshape(free.shape)
        effects = {free: given[free] for free in natural if free.variable.source == "effects"}
        if effects:
            self._set_effects(position, effects)
        for free in natural:
            if free.variable.columns.size:
                position[free.index] = given[free] + free.variable.centring(*self.values(position))
        return position

    def _entries(self, point: Point) -> Iterable[tuple[str, FreeVariable]]:
        for name in point:
            yield name, self._by_name.get(name) or self._by_unconstrained[name]

    def _array(self, name: str, value: Any, free: FreeVariable, what: str) -> FloatArray:
        expected = free.shape if name == free.name else free.index.shape
        try:
            array = np.asarray(value, dtype=float)
            array = np.broadcast_to(array, expected)
        except (TypeError, ValueError):
            shape = np.shape(value)
            raise SettingError(
                f"{what}: '{name}' is {f'an array of shape {expected}' if expected else 'one number'}"
                f"{f', by {free.dims}' if free.dims else ''}; not {f'of shape {shape}' if shape else repr(value)}."
            ) from None
        if not np.isfinite(array).all():
            raise SettingError(f"{what}: '{name}' is {value!r}; start from finite numbers.")
        if name == free.name and free.variable.source == "simplex":
            if not (array > 0.0).all() or abs(array.sum() - 1.0) > 1e-6:
                raise SettingError(f"{what}: '{name}' is {value!r}, but it must be positive and sum to one.")
            return np.ascontiguousarray(array)
        if name == free.name and free.variable.sums_to_zero and np.abs(array.sum(axis=-1)).max() > 1e-6:
            raise SettingError(f"{what}: '{name}' is {value!r}, but its elements must sum to zero.")
        if name == free.name and free.variable.source == "values" and not free.variable.columns.size:
            at = np.atleast_1d(free.index)
            lower, upper = self.model.head.bounds[:, at]
            flat = np.atleast_1d(array)
            codes = self.model.head.transforms[at]
            if (codes == ABOVE).any() and not (np.diff(flat) > 0.0).all():
                raise SettingError(f"{what}: '{name}' is {value!r}, but its elements must increase.")
            low = np.where((codes == ABOVE) | (codes == IDENTITY) | (codes == NEGATIVE_LOG), -math.inf, lower)
            high = np.where((codes == LOGIT_INTERVAL) | (codes == NEGATIVE_LOG), upper, math.inf)
            if np.any((flat <= low) | (flat >= high)):
                raise SettingError(f"{what}: '{name}' is {value!r}, but must be between {low[0]:g} and {high[0]:g}.")
        return array

    def _unconstrained_correlations(self, free: FreeVariable, array: FloatArray, what: str) -> FloatArray:
        size = array.size
        q = round((1 + (1 + 8 * size) ** 0.5) / 2)
        matrix = np.eye(q)
        lower = np.tril_indices(q, -1)
        matrix[lower] = array.ravel()
        matrix.T[lower] = array.ravel()
        try:
            factor = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            raise SettingError(f"{what}: '{free.name}' are no correlations of {q} quantities.") from None
        out = np.empty(size)
        cholesky_unconstrain(np.ascontiguousarray(factor), out)
        return out.reshape(free.shape)

    def _set_effects(self, position: FloatArray, given: Mapping[FreeVariable, FloatArray]) -> None:
        """Overwrite the offsets of the given effects."""
        n_head = self.layout.n_head
        values, effects = self.values(position)
        touched = np.zeros(effects.size, dtype=bool)
        for free, array in given.items():
            effects[free.index - n_head] = free.variable.unmixed(array)
            touched[free.index - n_head] = True
        raw = offsets_of(self.model, position, values, effects)
        position[n_head:][touched] = raw[touched]

    def values(self, position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The joint model's `values` and `effects` at a position."""
        values = np.empty((1, self.layout.n_head + self.model.head.fixed.size))
        effects = np.empty((1, self.layout.dimension - self.layout.n_head))
        natural_scale(np.ascontiguousarray(position, dtype=float)[None], self.model, values, effects)
        return values[0], effects[0]

    def point(self, position: FloatArray) -> dict[str, FloatArray]:
        """The unconstrained point of a position (or of a gradient): arrays by unconstrained name."""
        return {free.unconstrained: np.array(position[free.index]) for free in self.free}

    def natural(self, position: FloatArray) -> dict[str, FloatArray]:
        """Natural values by name, as the results have them."""
        return {name: np.array(array) for name, array in self.layout.unpack(*self.values(position)).items()}


def offsets_of(model: ModelData, position: FloatArray, values: FloatArray, effects: FloatArray) -> FloatArray:
    """Raw group effects of given effects: the inverse of `effects.fill_effects`.

    `position` is read for correlations only.
    """
    raw = np.empty(effects.size)
    for block in model.blocks:
        places = places_of(block)
        locations, scales = locations_and_scales(model, block, values)
        spreads, units = spreads_and_units(model, block, scales)
        offsets = effects[places] - locations
        out = offsets / units
        if block[md.CORRELATION] >= 0:
            factor = correlation_factor(block, position)
            apart = ~correlations_in_prior(model, block)
            out[apart] = spreads[apart] * np.linalg.solve(factor, (offsets[apart] / scales[apart]).T).T
        raw[places] = out
    return raw


def _unconstrain(model: ModelData, index: NDArray[np.int64], array: FloatArray) -> FloatArray:
    """Unconstrained numbers of head elements given on their natural scale, inside their bounds."""
    index = np.ravel(index)
    return unconstrain_head(model.head.transforms[index], model.head.bounds[:, index], np.ravel(array))


def unconstrain_head(codes: NDArray[np.int64], bounds: FloatArray, x: FloatArray) -> FloatArray:
    """`transforms.unconstrain` for arrays: the last axis of `x` has the elements that `codes` and `bounds` are of."""
    lower, upper = bounds
    out = np.array(x, dtype=float)
    with np.errstate(all="ignore"):
        for code, inverse in (
            (LOG, lambda at: np.log(x[..., at] - lower[at])),
            (LOGIT_INTERVAL, lambda at: np.log(x[..., at] - lower[at]) - np.log(upper[at] - x[..., at])),
            (NEGATIVE_LOG, lambda at: np.log(upper[at] - x[..., at])),
            (ABOVE, lambda at: np.log(x[..., at] - x[..., at - 1])),
            (FOLD, lambda at: np.arcsinh(x[..., at] / upper[at])),
            (
                BENT_LOG,
                lambda at: np.vectorize(unconstrain, otypes=[float])(BENT_LOG, x[..., at], lower[at], upper[at]),
            ),
        ):
            at = np.flatnonzero(codes == code)
            if at.size:
                out[..., at] = inverse(at)
    return out
