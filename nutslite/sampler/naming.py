"""Names for draws: parts of positions, or what a function makes of them, as groups that ArviZ takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.sampler.transition.logdensity import Vector

Variables = Mapping[str, tuple[int, ...] | int] | Callable[[Vector], Mapping[str, Any]] | None


def named(positions: npt.NDArray[np.float64], variables: Variables = None) -> dict[str, npt.NDArray[np.float64]]:
    """Draws by name.

    Parameters
    ----------
    positions : ndarray (..., dim)
    variables : dict, callable or None
        A dict: shapes by name, () for a number, in the order of the position, all of which they must fill. A function
        of one position: its dict of values by name, for parameters under constraints. None: all in one, ``"position"``.

    Returns
    -------
    dict of ndarray (..., *shape of the variable)

    Raises
    ------
    SettingError
        If the shapes do not fill a position, or are none.
    """
    leading, dimension = positions.shape[:-1], positions.shape[-1]
    if variables is None:
        return {"position": positions}
    if callable(variables):
        return _computed(positions, variables)
    if not isinstance(variables, Mapping):
        raise SettingTypeError(f"variables are shapes by name, or a function of a position; not {variables!r}.")
    shapes = {name: _shape(name, shape) for name, shape in variables.items()}
    if sum(math.prod(shape) for shape in shapes.values()) != dimension:
        raise SettingError(f"variables have {sum(map(math.prod, shapes.values()))} elements, a position {dimension}.")
    out, start = {}, 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        out[name] = positions[..., start:stop].reshape((*leading, *shape))
        start = stop
    return out


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else shape
    if not isinstance(sizes, tuple | list) or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise SettingTypeError(f"The shape of '{name}' is a tuple of sizes, () for a number; not {shape!r}.")
    return tuple(sizes)


def _computed(
    positions: npt.NDArray[np.float64], variables: Callable[[Vector], Mapping[str, Any]]
) -> dict[str, npt.NDArray[np.float64]]:
    leading = positions.shape[:-1]
    rows = [variables(position.copy()) for position in positions.reshape(-1, positions.shape[-1])]
    if not rows or not isinstance(rows[0], Mapping):
        raise SettingTypeError("variables, a function of a position, must return a dict of values by name.")
    stacked = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    return {name: values.reshape((*leading, *values.shape[1:])) for name, values in stacked.items()}
