"""A group of results on its way to disk: memory holds a block of draws at a time.

What the group is (dimensions, labels, attributes) is written by xarray, as all results are; the numbers are added to it
by the library of the format, block by block. What is read back is what would have been in memory.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nutslite.posterior.record.inventory import SAMPLE_DIMS
from nutslite.results.storage.zarr_store import ZARR_FORMAT, quiet

if TYPE_CHECKING:
    import xarray

BLOCK_NUMBERS = 4_000_000  # of a variable that are held until they are written: 32 MB
PIECE_NUMBERS = 1 << 17  # of a variable that are read at once, whatever is asked for: 1 MB
ASIDE = "__as_whole_numbers__"  # a name for what is being replaced


class Format(Protocol):
    """How numbers are added to a group that xarray has begun."""

    def begin(self, labels: xarray.Dataset, attributes: dict[str, Any] | None) -> None:
        """Write labels and attributes; a file that is there gets further ones, and keeps its attributes for None."""

    def create(self, name: str, template: xarray.DataArray, dtype: DTypeLike, pieces: tuple[int, ...]) -> None:
        """Room for a variable of these dimensions and attributes."""

    def write(self, name: str, place: tuple[Any, ...], values: NDArray[Any]) -> None:
        """Overwrite a part of a variable."""

    def read(self, name: str, place: tuple[Any, ...]) -> NDArray[Any]:
        """A part of a variable."""

    def set_aside(self, name: str, dims: tuple[str, ...]) -> None:
        """Give a variable the name `ASIDE`."""

    def remove_aside(self) -> None:
        """Remove what has it."""


class StreamedGroup:
    """A group that is being written.

    Parameters
    ----------
    form : Format
    attributes : dict
        Of the whole file.
    """

    def __init__(self, form: Format, attributes: dict[str, Any]) -> None:
        self.form, self.attributes = form, attributes
        self._labels: set[str] = set()
        self._variables: list[StreamedVariable] = []

    def hold(self, template: xarray.Dataset, dtype: DTypeLike) -> StreamedVariable:
        """Room for the one variable of a dataset like `template`, whose values nobody looks at."""
        ((name, variable),) = template.data_vars.items()
        new = template.drop_vars([name, *(label for label in template.coords if str(label) in self._labels)])
        if new.coords or not self._labels:
            self.form.begin(new, None if self._labels else self.attributes)
            self._labels |= {str(label) for label in new.coords}
        held = StreamedVariable(self.form, str(name), variable, dtype)
        self._variables.append(held)
        return held

    def finish(self) -> None:
        """Write what is still held."""
        for variable in self._variables:
            variable.flush()


class StreamedVariable:
    """A variable that is being written; samples come one after the other, chain by chain."""

    def __init__(self, form: Format, name: str, template: xarray.DataArray, dtype: DTypeLike) -> None:
        self.form, self.name, self.template = form, name, template
        self.draws = template.sizes.get("draw", 1)
        self.row_shape = tuple(size for dim, size in template.sizes.items() if dim not in SAMPLE_DIMS)
        most = max(1, BLOCK_NUMBERS // max(1, math.prod(self.row_shape)))
        self._block = np.empty((min(most, self.draws), *self.row_shape), dtype=dtype)
        self._filled = self._written = 0  # samples
        form.create(name, template, dtype, self._pieces())

    @property
    def dtype(self) -> Any:
        """Of the numbers."""
        return self._block.dtype

    def __setitem__(self, samples: slice, values: NDArray[Any]) -> None:
        """Take the samples that follow."""
        if samples.start != self._written + self._filled:
            raise AssertionError("samples are written in their order")
        for value in values:
            self._block[self._filled] = value
            self._filled += 1
            if self._filled == len(self._block) or (self._written + self._filled) % self.draws == 0:
                self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._filled:
            place = self._place(self._written, self._filled)
            self.form.write(self.name, place, self._as_stored(self._block[: self._filled]))
            self._written, self._filled = self._written + self._filled, 0

    def as_floats(self) -> StreamedVariable:
        """The same numbers as float64: what is on disk is written anew, block by block."""
        self.flush()
        self.form.set_aside(self.name, tuple(str(dim) for dim in self.template.dims))
        self._block = self._block.astype(float)
        self.form.create(self.name, self.template, float, self._pieces())
        start = 0
        while start < self._written:
            count = min(len(self._block), self._written - start, self.draws - start % self.draws)
            place = self._place(start, count)
            self.form.write(self.name, place, self.form.read(ASIDE, place).astype(float))
            start += count
        self.form.remove_aside()
        return self

    def _place(self, start: int, count: int) -> tuple[Any, ...]:
        """Where some samples of one chain are in the variable, whose dimensions may lack chain or draw."""
        chain, draw = divmod(start, self.draws)
        at = {"chain": chain, "draw": slice(draw, draw + count)}
        return tuple(at[dim] for dim in SAMPLE_DIMS if dim in self.template.dims)

    def _as_stored(self, block: NDArray[Any]) -> NDArray[Any]:
        return block if "draw" in self.template.dims else block[0]

    def _pieces(self) -> tuple[int, ...]:
        """Shape of what is read at once: some rows at the draws of a block, so that either can be read apart."""
        draws, (rows, *others) = len(self._block), self.row_shape
        some = min(rows, max(1, PIECE_NUMBERS // (draws * math.prod(others))))
        leading = {"chain": 1, "draw": draws}
        return (*(leading[dim] for dim in SAMPLE_DIMS if dim in self.template.dims), some, *others)


class NetcdfGroup:
    """A group of a netCDF file, by h5netcdf and h5py."""

    def __init__(self, path: Path, group: str) -> None:
        self.path, self.group = path, group

    def begin(self, labels: xarray.Dataset, attributes: dict[str, Any] | None) -> None:
        """As `Format` says."""
        import xarray

        if attributes is None:
            labels.to_netcdf(self.path, mode="a", group=self.group, engine="h5netcdf")
            return
        tree = xarray.DataTree.from_dict({self.group: labels})
        tree.attrs.update(attributes)
        tree.to_netcdf(self.path, engine="h5netcdf")

    def create(self, name: str, template: xarray.DataArray, dtype: DTypeLike, pieces: tuple[int, ...]) -> None:
        """As `Format` says."""
        import h5netcdf

        with h5netcdf.File(self.path, "a") as file:
            dims = tuple(str(dim) for dim in template.dims)
            variable = file[self.group].create_variable(name, dims, np.dtype(dtype), chunks=pieces)
            variable.attrs.update(template.attrs)

    def write(self, name: str, place: tuple[Any, ...], values: NDArray[Any]) -> None:
        """As `Format` says."""
        import h5py

        with h5py.File(self.path, "r+") as file:
            file[self.group][name][place] = values

    def read(self, name: str, place: tuple[Any, ...]) -> NDArray[Any]:
        """As `Format` says."""
        import h5py

        with h5py.File(self.path, "r") as file:
            values: NDArray[Any] = file[self.group][name][place]
            return values

    def set_aside(self, name: str, dims: tuple[str, ...]) -> None:
        """As `Format` says; dimensions forget the variable, which will not be there."""
        import h5py

        with h5py.File(self.path, "r+") as file:
            group = file[self.group]
            for axis, dim in enumerate(dims):
                group[name].dims[axis].detach_scale(group[dim])
            group.move(name, ASIDE)

    def remove_aside(self) -> None:
        """As `Format` says."""
        import h5py

        with h5py.File(self.path, "r+") as file:
            del file[self.group][ASIDE]


class ZarrGroup:
    """A group of a Zarr store."""

    def __init__(self, path: Path, group: str) -> None:
        self.path, self.group = path, group

    def begin(self, labels: xarray.Dataset, attributes: dict[str, Any] | None) -> None:
        """As `Format` says."""
        import xarray

        options: dict[str, Any] = {"zarr_format": ZARR_FORMAT, "consolidated": False}
        with quiet():
            if attributes is None:
                labels.to_zarr(self.path, mode="a", group=self.group, **options)
                return
            tree = xarray.DataTree.from_dict({self.group: labels})
            tree.attrs.update(attributes)
            tree.to_zarr(self.path, mode="w-", **options)

    def create(self, name: str, template: xarray.DataArray, dtype: DTypeLike, pieces: tuple[int, ...]) -> None:
        """As `Format` says."""
        self._opened().create_array(
            name,
            shape=template.shape,
            chunks=pieces,
            dtype=np.dtype(dtype),
            dimension_names=[str(dim) for dim in template.dims],
            attributes=dict(template.attrs),
        )

    def write(self, name: str, place: tuple[Any, ...], values: NDArray[Any]) -> None:
        """As `Format` says."""
        self._opened()[name][place] = values

    def read(self, name: str, place: tuple[Any, ...]) -> NDArray[Any]:
        """As `Format` says."""
        return np.asarray(self._opened()[name][place])

    def set_aside(self, name: str, dims: tuple[str, ...]) -> None:
        """As `Format` says."""
        (self.path / self.group / name).rename(self.path / self.group / ASIDE)

    def remove_aside(self) -> None:
        """As `Format` says."""
        shutil.rmtree(self.path / self.group / ASIDE)

    def _opened(self) -> Any:
        import zarr

        return zarr.open_group(self.path, path=self.group, mode="r+", use_consolidated=False)
