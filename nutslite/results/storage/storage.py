"""Results on disk: netCDF files, or Zarr stores, that ArviZ and xarray can read, without pickle."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nutslite._calls import public
from nutslite._files import open_to_read
from nutslite._schema import Number, check
from nutslite.exceptions import DataError, checked_path
from nutslite.posterior.record.inventory import stored_name, why_not_storable
from nutslite.results.container.inference_data import Container, build_container, get_group, group_names
from nutslite.results.storage.netcdf_check import check_netcdf
from nutslite.results.storage.whole_file import check_destination, reserve, whole_file
from nutslite.results.storage.zarr_store import check_zarr_destination, is_zarr_name, opened_zarr, write_zarr

if TYPE_CHECKING:
    import xarray

FORMAT = 1
"""Of what groups and names mean in a file; raised with every change that older versions would misread."""

FORMAT_NAME, VERSION_NAME = "nutslite_format", "nutslite_version"  # attributes of the whole file

GROUP_BYTES, VARIABLE_BYTES = 16_000, 8_000  # of a file, beside the values

_ENGINES: dict[Literal["h5netcdf", "netcdf4"], tuple[str, ...]] = {
    "h5netcdf": ("h5netcdf", "h5py"),
    "netcdf4": ("netCDF4",),
}


@public
def save(idata: Container, path: str | os.PathLike[str]) -> Path:
    """Write results to a netCDF file, one netCDF group per group; ``arviz.from_netcdf`` reads it too.

    A name that ends in ``.zarr`` makes a Zarr store instead, a folder, which ``xarray.open_datatree`` reads; that needs
    ``pip install "nutslite[zarr]"``. Either appears only when it is complete; one of the same name is replaced.

    Parameters
    ----------
    idata : InferenceData or DataTree
    path : path-like
        By convention ending in ``.nc``; or in ``.zarr``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If no file can be made there (no folder, a full disk), or no library for it is installed. A file of that name
        is then as it was.
    """
    import xarray

    path = checked_path("path", path)
    groups = {group: storable(group, get_group(idata, group)) for group in group_names(idata)}
    tree = xarray.DataTree.from_dict(groups)
    tree.attrs.update(file_attributes())
    if is_zarr_name(path):
        write_zarr(tree, path, FORMAT_NAME)
        return Path(path)
    engine = _engine()
    with whole_file(path, "results") as partial:
        reserve(partial, _most_bytes(groups))  # HDF5 takes the whole process down where the disk is full
        tree.to_netcdf(partial, engine=engine)
    return Path(path)


def file_attributes() -> dict[str, Any]:
    """What a file says of itself."""
    return {FORMAT_NAME: FORMAT, VERSION_NAME: _own_version()}


def storable(group: str, dataset: xarray.Dataset) -> xarray.Dataset:
    """A group as a file can hold it: without slashes in names, which would mean groups within it.

    Raises
    ------
    DataError
        For texts that no file can hold, and for names that would become one.
    """
    taken: dict[str, Any] = {}
    for name in dict.fromkeys((*dataset.variables, *dataset.dims)):
        key = stored_name(str(name))
        if key in taken:
            raise DataError(f"The results have '{taken[key]}' and '{name}' in '{group}', which are one name in a file.")
        taken[key] = name
    texts: dict[str, Iterable[Any]] = {"the names": taken, "the attributes": dataset.attrs.values()}
    texts |= {
        f"'{name}'": variable.values.ravel()
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "OUT"
    }
    for what, values in texts.items():
        for text in values:
            reason = why_not_storable(text) if isinstance(text, str) else None
            if reason or (what == "the names" and text in (".", "..")):
                why = f": it has {reason}" if reason else ""
                raise DataError(
                    f"No file can hold {text!r}, in {what} of '{group}'{why}. Rename or replace it in the results, "
                    "then save them."
                )
    changed = {name: key for key, name in taken.items() if key != name}
    if not changed:
        return dataset
    dataset = dataset.rename(changed)
    for name, key in changed.items():
        if key in dataset.variables:
            dataset[key].attrs.setdefault("name", str(name))
    return dataset


@public
def load(path: str | os.PathLike[str]) -> Container:
    """Read results that `save` (or ArviZ) wrote, wholly into memory.

    Raises
    ------
    DataError
        If there is no such file, it is not netCDF (or Zarr, of format 3) or damaged, a newer version of nutslite wrote
        it in another format, or no library for it is installed.
    """
    source = Path(checked_path("path", path))
    kind = "Zarr store" if source.is_dir() else "netCDF file"
    try:
        with opened_zarr(source) if source.is_dir() else opened_netcdf(source) as tree:
            _check_format(tree.attrs, source)
            datasets = {str(name): node.to_dataset().load() for name, node in tree.children.items()}
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"The results in '{source}' do not fit into memory.") from None
    except Exception as error:  # h5py, netCDF4 and zarr have many names for a damaged file
        raise DataError(f"'{source}' is not a {kind} with results, or is damaged: {error}") from error
    return build_container(datasets)


def check_results_destination(path: str | os.PathLike[str]) -> Path:
    """The path, if `save` can write there.

    Raises
    ------
    DataError
        Otherwise.
    """
    return check_zarr_destination(path, FORMAT_NAME) if is_zarr_name(path) else check_destination(path, "results")


@contextlib.contextmanager
def opened_netcdf(source: Path) -> Iterator[xarray.DataTree]:
    """A netCDF file, looked through and open: one descriptor of it, so that it cannot be exchanged in between.

    Raises
    ------
    DataError
        If there is no regular file.
    Misfit
        If it holds what results do not; h5py's and xarray's own errors for damaged ones.
    """
    import xarray

    if _engine() != "h5netcdf":
        raise DataError(f"Reading '{source}' needs h5netcdf and h5py: pip install h5netcdf h5py")
    with open_to_read(source, DataError) as file:
        check_netcdf(file, os.fstat(file.fileno()).st_size)
        file.seek(0)
        with xarray.open_datatree(file, engine="h5netcdf") as tree:
            yield tree


def _check_format(attrs: Any, source: Path) -> None:
    found = attrs.get(FORMAT_NAME, FORMAT)
    check(getattr(found, "item", lambda: found)(), Number(1, whole=True), f"its attribute '{FORMAT_NAME}'")
    if found > FORMAT:
        raise DataError(
            f"'{source}' was written by nutslite {attrs.get(VERSION_NAME, '?')}, in format {found} of results; this "
            f"version, {_own_version()}, reads formats up to {FORMAT}: upgrade nutslite."
        )


def _most_bytes(groups: Mapping[str, Any]) -> int:
    """About the size of the file, rather more than less."""
    size = GROUP_BYTES
    for dataset in groups.values():
        size += GROUP_BYTES + sum(len(str(name)) + len(str(value)) for name, value in dataset.attrs.items())
        for variable in dataset.variables.values():
            texts = variable.dtype.kind in "OUST"
            size += VARIABLE_BYTES + (
                sum(64 + 4 * len(str(text)) for text in variable.values.ravel()) if texts else int(variable.nbytes)
            )
    return size


def _engine() -> Literal["h5netcdf", "netcdf4"]:
    for engine, modules in _ENGINES.items():
        if all(importlib.util.find_spec(module) for module in modules):
            return engine
    raise DataError("Results are saved as netCDF, which needs a library for it: pip install h5netcdf h5py")


def _own_version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)
