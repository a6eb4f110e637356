"""Results on disk: netCDF files that ArviZ and xarray can read, without pickle."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any, Literal

from nutslite.exceptions import DataError
from nutslite.results.inference_data import Container, build_container, get_group, group_names

_ENGINES: dict[Literal["h5netcdf", "netcdf4"], tuple[str, ...]] = {
    "h5netcdf": ("h5netcdf", "h5py"),
    "netcdf4": ("netCDF4",),
}


def save(idata: Container, path: str | os.PathLike[str]) -> Path:
    """Write results to a netCDF file, one netCDF group per group; ``arviz.from_netcdf`` reads it too.

    The file appears only when it is complete; one of the same name is replaced.

    Parameters
    ----------
    idata : InferenceData or DataTree
    path : path-like
        By convention ending in ``.nc``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        If the folder does not exist or no netCDF library is installed.
    """
    import xarray

    target = Path(path)
    if not target.parent.is_dir():
        raise DataError(f"Cannot save results to '{target}': there is no folder '{target.parent}'.")
    engine = _engine()
    tree = xarray.DataTree.from_dict({group: get_group(idata, group) for group in group_names(idata)})
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        tree.to_netcdf(partial, engine=engine)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def load(path: str | os.PathLike[str]) -> Container:
    """Read results that `save` (or ArviZ) wrote, wholly into memory.

    Raises
    ------
    DataError
        If there is no such file, it is not netCDF, or no netCDF library is installed.
    """
    import xarray

    source = Path(path)
    if not source.is_file():
        raise DataError(f"There is no file '{source}'.")
    options: dict[str, Any] = {"engine": _engine()}
    try:
        with xarray.open_datatree(source, **options) as tree:
            datasets = {str(name): node.to_dataset().load() for name, node in tree.children.items()}
    except OSError as error:
        raise DataError(f"'{source}' is not a netCDF file with results: {error}") from error
    return build_container(datasets)


def _engine() -> Literal["h5netcdf", "netcdf4"]:
    for engine, modules in _ENGINES.items():
        if all(importlib.util.find_spec(module) for module in modules):
            return engine
    raise DataError("Results are saved as netCDF, which needs a library for it: pip install h5netcdf h5py")
