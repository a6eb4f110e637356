"""Files of results that grow while these are computed, and are there when they are complete."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nutslite.exceptions import DataError, checked_path
from nutslite.results.storage.storage import FORMAT_NAME, check_results_destination, file_attributes
from nutslite.results.storage.streamed_group import NetcdfGroup, StreamedGroup, ZarrGroup
from nutslite.results.storage.whole_file import whole_file
from nutslite.results.storage.zarr_store import SUFFIX, is_zarr_name, whole_store

if TYPE_CHECKING:
    import xarray

NETCDF_SUFFIXES = (".nc", ".nc4", ".netcdf", ".h5")
GIBIBYTE = 2.0**30


def check_stream(path: str | os.PathLike[str], size: float) -> Path:
    """The path, if a file of about so many bytes can be made there.

    Raises
    ------
    DataError
        If its name says no format, there is no such folder, the disk is too full, or a library is not installed.
    """
    target = Path(checked_path("to", path))
    if target.suffix not in (SUFFIX, *NETCDF_SUFFIXES):
        raise DataError(f"to='{target}': give the name of a Zarr store, '….zarr', or of a netCDF file, '….nc'.")
    check_results_destination(target)
    if not is_zarr_name(target) and not all(importlib.util.find_spec(name) for name in ("h5netcdf", "h5py")):
        raise DataError(f"Writing '{target}' while it is computed needs h5netcdf and h5py: pip install h5netcdf h5py")
    free = shutil.disk_usage(target.absolute().parent).free
    if size > free:
        raise DataError(
            f"Cannot save results to '{target}': they need {size / GIBIBYTE:,.1f} GiB, and {free / GIBIBYTE:,.1f} GiB "
            "are free there. Take fewer draws or rows, or another disk."
        )
    return target


@contextlib.contextmanager
def streamed_file(path: Path, group: str) -> Iterator[StreamedGroup]:
    """A group to put numbers into; the file with it appears where the block ends without an error.

    Nothing is left of one that ends with an error, or is interrupted, and a file of that name is then as it was.

    Raises
    ------
    DataError
        If the system refuses it, because the disk is full for example.
    """
    whole = whole_store(path, FORMAT_NAME) if is_zarr_name(path) else whole_file(path, "results")
    with whole as partial:
        form: Any = ZarrGroup(partial, group) if is_zarr_name(path) else NetcdfGroup(partial, group)
        streamed = StreamedGroup(form, file_attributes())
        yield streamed
        streamed.finish()


def opened_group(path: Path, group: str) -> xarray.Dataset:
    """A group of a file that was just written, whose numbers are read from it when they are asked for."""
    import xarray

    options: dict[str, Any] = {"engine": "h5netcdf"}
    if is_zarr_name(path):
        options = {"engine": "zarr", "consolidated": False, "chunks": None}
    return xarray.open_dataset(path.absolute(), group=group, cache=False, **options)
