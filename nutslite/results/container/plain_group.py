"""One group of results as plain arrays with names, dimensions and labels: all that an xarray Dataset is made of.

A table of draws needs no more, and xarray takes a fifth of a second to import.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.columns.packed import Packed
from nutslite.posterior.record.inventory import SAMPLE_DIMS, stored_name
from nutslite.results.container.sample_axes import SampleAxes

if TYPE_CHECKING:
    import xarray

Array = NDArray[Any]
Named = tuple[dict[str, Array], dict[str, tuple[str, ...]], dict[str, list[Any]]]
"""Arrays, dimensions without chain and draw, and labels along dimensions, each by name."""


@dataclass(frozen=True, eq=False)
class PlainGroup:
    """A group that has been checked: each variable fits its dimensions, and no dimension has two sizes.

    Attributes
    ----------
    variables : dict
        By the name in the container: dimensions, array, attributes.
    coords : dict
        By name: the dimension that the labels are along, and the labels, one each.
    attrs : dict
        What the group says of itself, of types that netCDF can hold.
    """

    variables: Mapping[str, tuple[tuple[str, ...], Array, dict[str, str]]]
    coords: Mapping[str, tuple[str, Array | pd.RangeIndex]]
    attrs: Mapping[str, Any]

    @property
    def sizes(self) -> dict[str, int]:
        """Lengths of the dimensions."""
        each = (zip(dims, array.shape, strict=True) for dims, array, _ in self.variables.values())
        return dict(itertools.chain.from_iterable(each))

    def noted(self, coords: Mapping[str, tuple[str, Array]], attrs: Mapping[str, Any]) -> PlainGroup:
        """The same group with further coordinates and attributes."""
        return replace(self, coords={**self.coords, **coords}, attrs={**self.attrs, **attrs})

    def dataset(self) -> xarray.Dataset:
        """As xarray has it; the arrays are shared."""
        import xarray

        return xarray.Dataset(dict(self.variables), coords=dict(self.coords), attrs=dict(self.attrs))

    def named_arrays(self) -> Named:
        """What `named_arrays` of `dataset()` would be, with variables under their aliases."""
        shown = {stored: notes.get("name", stored) for stored, (_, _, notes) in self.variables.items()}
        arrays = {shown[stored]: array for stored, (_, array, _) in self.variables.items()}
        dims = {
            shown[stored]: tuple(dim for dim in names if dim not in SAMPLE_DIMS)
            for stored, (names, _, _) in self.variables.items()
        }
        coords = {
            name: list(pd.Index(labels))
            for name, (dim, labels) in self.coords.items()
            if name == dim and name not in SAMPLE_DIMS
        }
        return arrays, dims, coords


def plain_group(
    variables: Mapping[str, Any],
    *,
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, Sequence[Any]],
    attrs: Mapping[str, Any] | None = None,
    sampled: bool = True,
    aliases: Mapping[str, str] | None = None,
    axes: SampleAxes | None = None,
) -> PlainGroup:
    """Check and name what a group is to hold; arguments as for `inference_data.to_dataset`.

    Dimensions that are those of `axes` get no labels here.

    Raises
    ------
    DataError
        If a variable does not fit its dimensions or is called like one of them.
    """
    leading = SAMPLE_DIMS if sampled else ()
    data: dict[str, tuple[tuple[str, ...], Array, dict[str, str]]] = {}
    sizes: dict[str, int] = {}
    for name, values in variables.items():
        array = np.asarray(values)
        names = _dims_of(name, array, leading, dims.get(name))
        if axes is not None:
            kept, array = axes.stored(array)
            names = (*kept, *names[len(leading) :])
        for dim, size in zip(names, array.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise DataError(f"'{name}' has {size} values along '{dim}', but other variables have {sizes[dim]}.")
        shown = (aliases or {}).get(name, name)
        notes = {} if stored_name(shown) == shown else {"name": shown}
        data[stored_name(shown)] = (names, array, notes if shown == name else {**notes, "alias_of": name})
    clash = [name for name in data if name in sizes]
    if clash:
        raise DataError(
            f"A term cannot be called '{clash[0]}', because a dimension of the results has that name: rename it."
        )
    known = {stored_name(dim): values for dim, values in coords.items()}
    fresh = {dim: size for dim, size in sizes.items() if axes is None or dim not in axes.sizes}
    labels = {dim: (dim, _labels(dim, known.get(dim), size)) for dim, size in fresh.items()}
    return PlainGroup(data, labels, _attributes(attrs or {}, sampled))


def _dims_of(name: str, array: Array, leading: Sequence[str], named: Sequence[str] | None) -> tuple[str, ...]:
    extra = array.ndim - len(leading)
    if named is None:
        named = [f"{name}_dim_{axis}" for axis in range(extra)]
    if extra != len(named):
        raise DataError(f"'{name}' has shape {array.shape}, which does not fit its dimensions {(*leading, *named)}.")
    return (*leading, *(stored_name(dim) for dim in named))


def _labels(dim: str, values: Sequence[Any] | None, size: int) -> Array | pd.RangeIndex:
    if values is None:
        return pd.RangeIndex(size)  # no number of which is kept
    if len(values) != size:
        raise DataError(f"Dimension '{dim}' has {len(values)} coordinate values, but its variables have {size}.")
    labels = np.asarray(values if isinstance(values, np.ndarray | Packed) else list(values))
    if labels.ndim != 1:
        raise DataError(f"Dimension '{dim}' has coordinate values of several parts: give one number or text for each.")
    return labels


def _attributes(extra: Mapping[str, Any], sampled: bool) -> dict[str, Any]:
    """Attributes of a group: by ArviZ's names, of types that netCDF can hold."""
    version = _own_version()
    attrs: dict[str, Any] = {
        "created_at": datetime.now(UTC).isoformat(),
        "creation_library": "nutslite",
        "creation_library_version": version,
        "creation_library_language": "Python",
        "inference_library": "nutslite",
        "inference_library_version": version,
        "modeling_interface": "nutslite",
        "modeling_interface_version": version,
    }
    if sampled:
        attrs["sample_dims"] = list(SAMPLE_DIMS)
    attrs.update({key: value for key, value in extra.items() if value is not None})
    return {key: _storable(value) for key, value in attrs.items()}


def _storable(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str | int | float | np.number | np.ndarray):
        return value
    if isinstance(value, list | tuple) and len({type(item) for item in value}) == 1:
        return list(value)
    return str(value)


def _own_version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)
