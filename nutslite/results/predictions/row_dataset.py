"""Numbers of every row and draw as results have them: with their dimensions, labels and names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nutslite.posterior.record.inventory import OBSERVATIONS
from nutslite.results.container.inference_data import to_dataset
from nutslite.results.container.sample_axes import SampleAxes
from nutslite.results.predictions.response_draws import PredictionTask

if TYPE_CHECKING:
    import xarray


def row_dataset(
    arrays: Mapping[str, NDArray[Any]],
    axes: SampleAxes,
    task: PredictionTask,
    further: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType({}),
) -> xarray.Dataset:
    """Arrays (chain, draw, row); of vectors, those that the family combines and `further` ones, (..., row, element)."""
    known = {**task.family.combined, **further}
    if task.family.response_dim is not None:
        known |= {name: task.family.response_dim for name in arrays if name not in known and arrays[name].ndim == 4}
    vectors = {name: known[name] for name in arrays if name in known}
    dims = {name: (OBSERVATIONS, vectors[name][0]) if name in vectors else (OBSERVATIONS,) for name in arrays}
    coords = {dim: list(labels) for dim, labels in vectors.values()}
    return to_dataset(arrays, dims=dims, coords=coords, aliases=task.aliases, axes=axes)
