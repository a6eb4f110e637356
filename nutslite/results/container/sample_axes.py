"""Chain and draw: the axes that draws have in common, and the labels along them.

What is computed from draws belongs to the same chains and draws: it is stored under their labels, which may be any
(`isel`, thinning, a burn-in, fits joined end to end). Arrays in between are always (chains, draws, ...), so that
numbers meet by their place; equal labels, or none, are then no trouble.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, error_about
from nutslite.posterior.record.inventory import SAMPLE_DIMS

if TYPE_CHECKING:
    import xarray

Array = NDArray[Any]


@dataclass(frozen=True)
class SampleAxes:
    """The chains and draws of a group.

    Attributes
    ----------
    sizes : dict
        By dimension that the group has, its length. ``isel(chain=2)`` leaves a group without the dimension ``chain``.
    labels : Dataset
        The coordinates along them, without variables; a dimension that is gone may have left its one label.
    """

    sizes: Mapping[str, int]
    labels: xarray.Dataset

    @classmethod
    def of(cls, dataset: xarray.Dataset) -> SampleAxes:
        """Those of a group."""
        import xarray

        others = [dim for dim in dataset.dims if dim not in SAMPLE_DIMS]
        labels = dataset.drop_vars(list(dataset.data_vars)).drop_dims(others, errors="ignore")
        foreign = [name for name, index in labels.coords.items() if not index.dims and name not in SAMPLE_DIMS]
        sizes = {dim: dataset.sizes[dim] for dim in SAMPLE_DIMS if dim in dataset.dims}
        return cls(sizes, xarray.Dataset(coords=labels.drop_vars(foreign).coords))

    @property
    def exist(self) -> bool:
        """Whether the group has draws at all: observed data have not."""
        return bool(self.sizes) or any(dim in self.labels.coords for dim in SAMPLE_DIMS)

    def array(self, variable: xarray.DataArray) -> Array:
        """A variable as (chains, draws, ...), in whatever order it has them; without one, it is the same in all."""
        there = [dim for dim in SAMPLE_DIMS if dim in variable.dims]
        array: Array = variable.transpose(*there, ...).to_numpy()
        absent = [axis for axis, dim in enumerate(SAMPLE_DIMS) if dim not in there]
        if not absent:
            return array
        array = np.expand_dims(array, absent)
        return np.broadcast_to(array, (*(self.sizes.get(dim, 1) for dim in SAMPLE_DIMS), *array.shape[2:]))

    def stored(self, array: Array) -> tuple[tuple[str, ...], Array]:
        """The leading dimensions that an array (chains, draws, ...) is stored under, and the array without others."""
        gone = tuple(axis for axis, dim in enumerate(SAMPLE_DIMS) if dim not in self.sizes)
        return tuple(self.sizes), np.squeeze(array, gone) if gone else array


def check_count(draws: Any, axes: SampleAxes) -> int:
    """How many draws of every chain make up `draws` in all, rounded up.

    Raises
    ------
    DataError
        Where that is no whole number, or there are fewer.
    """
    chains, available = (axes.sizes.get(dim, 1) for dim in SAMPLE_DIMS)
    whole = isinstance(draws, int | np.integer) and not isinstance(draws, bool)
    if not whole or not 1 <= draws <= chains * available:
        raise error_about(draws, Real, DataError, DataTypeError)(
            f"draws is how many of the {chains * available} posterior draws to use, a whole number from 1 to "
            f"{chains * available}, not {draws!r}."
        )
    return -(-int(draws) // chains)


def thinned(dataset: xarray.Dataset, per_chain: int) -> xarray.Dataset:
    """So many draws of every chain, evenly spaced, under their labels; the dataset itself where they are all."""
    available = dataset.sizes.get("draw", 1)
    if per_chain == available:
        return dataset
    return dataset.isel(draw=((np.arange(per_chain) + 0.5) * available / per_chain).astype(int))
