"""Named draws in ArviZ's container: an ``InferenceData`` with ArviZ 0.2x, an xarray ``DataTree`` with ArviZ 1.x.

Both hold one xarray Dataset per group, so one file serves both. A DataTree is built with xarray alone, which takes a
fraction of a second to import; an ``InferenceData`` needs ArviZ itself, which takes seconds, so that `preload_arviz`
starts that import in the background while chains run without the GIL.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, did_you_mean
from nutslite.posterior.record.inventory import SAMPLE_DIMS, stored_name
from nutslite.results.container.arviz_import import import_arviz
from nutslite.results.container.sample_axes import SampleAxes

if TYPE_CHECKING:
    import xarray

Array = NDArray[Any]
Container = Any  # arviz.InferenceData or xarray.DataTree

PRELOAD_DELAY = 0.3  # seconds
DATA_GROUPS = ("observed_data", "constant_data", "predictions_constant_data")


def to_inference_data(
    groups: Mapping[str, Mapping[str, Any]],
    *,
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, Sequence[Any]],
    attrs: Mapping[str, Any] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Container:
    """Build the container.

    Parameters
    ----------
    groups : dict of dict of array_like
        Variables by group: ``posterior``, ``sample_stats``, ``log_likelihood``, ``prior``, ``posterior_predictive``,
        ``warmup_posterior``, ... with leading axes (chain, draw), and ``observed_data`` without.
    dims : dict of tuple of str
        Dimensions of each variable, without chain and draw; not needed for scalars. Further axes without a name are
        called ``<variable>_dim_0``, ... as ArviZ does.
    coords : dict of sequence
        Values along each dimension; missing ones are numbered from 0.
    attrs : dict, optional
        Added to the attributes of every group (``sampling_time``, ``tuning_steps``, ...); None values are left out.
    aliases : dict, optional
        By variable, the name under which it is to be stored.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree

    Raises
    ------
    DataError
        If a variable does not fit its dimensions or is called like one of them.
    """
    datasets = {
        group: to_dataset(
            variables, dims=dims, coords=coords, attrs=attrs, sampled=group not in DATA_GROUPS, aliases=aliases
        )
        for group, variables in groups.items()
    }
    return build_container(datasets)


def to_dataset(
    variables: Mapping[str, Any],
    *,
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, Sequence[Any]],
    attrs: Mapping[str, Any] | None = None,
    sampled: bool = True,
    aliases: Mapping[str, str] | None = None,
    axes: SampleAxes | None = None,
) -> xarray.Dataset:
    """One group as an xarray Dataset; arguments as for `to_inference_data`, `sampled` says whether chain and draw lead.

    What was computed from draws has their `axes`: it is stored under the chains and draws that they have. Chains and
    draws of a new run, without `axes`, are numbered from 0.

    A slash in a name (``I(x/10)``) is stored as a division slash (``I(x∕10)``), since it would mean a path; the
    attribute ``name`` of the variable keeps the original. A variable that is stored under an alias has the attribute
    ``alias_of``, its name in the model.
    """
    import xarray

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
    indices = {dim: _coordinate(dim, known.get(dim), size) for dim, size in fresh.items()}
    described = _attributes(attrs or {}, sampled)
    if axes is None:
        return xarray.Dataset(data, coords=indices, attrs=described)
    return axes.labels.assign(data).assign_coords(indices).assign_attrs(described)


def build_container(datasets: Mapping[str, xarray.Dataset]) -> Container:
    """The container that belongs to the installed ArviZ, from one Dataset per group."""
    if arviz_major() < 1:
        arviz = import_arviz()
        return arviz.InferenceData(**dict[str, Any](datasets))
    import xarray

    return xarray.DataTree.from_dict(dict(datasets))


def group_names(idata: Container) -> list[str]:
    """Names of the groups, warm-up included.

    Raises
    ------
    DataError
        If `idata` holds no groups: it is nothing that a fit returned.
    """
    if not hasattr(idata, "groups"):
        raise DataTypeError(f"Results are what Model.fit returned, not a {type(idata).__name__}.")
    if _is_tree(idata):
        return list(idata.children)
    return [group.removeprefix("/") for group in idata.groups()]


def get_group(idata: Container, name: str) -> xarray.Dataset:
    """One group as a Dataset of its own.

    Raises
    ------
    DataError
        If there is no such group.
    """
    known = group_names(idata)
    if name not in known:
        hint = did_you_mean(name, known)
        raise DataError(f"There is no group '{name}' in the results; there are {', '.join(known) or 'none'}.{hint}")
    dataset: xarray.Dataset = idata[name].to_dataset() if _is_tree(idata) else idata[name].copy()
    return dataset


def add_group(idata: Container, name: str, dataset: xarray.Dataset) -> None:
    """Put a Dataset into the container, in place; a group of that name is replaced."""
    if _is_tree(idata):
        import xarray

        idata[name] = xarray.DataTree(dataset)
        return
    if name in group_names(idata):
        del idata[name]
    idata.add_groups({name: dataset})


def update_group(idata: Container, name: str, dataset: xarray.Dataset) -> None:
    """Add variables to a group, in place, creating it if need be.

    Variables of the same name are replaced. Variables along a dimension whose values differ from the new ones
    (predictions for other rows) are dropped, as they cannot stand in one Dataset. Chains and draws are those of the
    group: `dataset` has the same ones in the same places, whatever their labels.
    """
    if name in group_names(idata):
        old = get_group(idata, name)
        changed = {
            dim
            for dim in dataset.dims
            if dim in old.dims and dim not in SAMPLE_DIMS and not old[dim].equals(dataset[dim])
        }
        stale = [key for key in old.data_vars if key in dataset.data_vars or changed.intersection(old[key].dims)]
        old = old.drop_vars(stale).drop_dims(changed, errors="ignore")
        coords = {key: index.variable for key, index in dataset.coords.items() if key not in old.coords}
        variables = {key: variable.variable for key, variable in dataset.data_vars.items()}  # labels are not compared
        dataset = old.assign(variables).assign_coords(coords).assign_attrs({**dataset.attrs, **old.attrs})
    add_group(idata, name, dataset)


def posterior_dataset(idata: Container) -> xarray.Dataset:
    """The posterior group."""
    return get_group(idata, "posterior")


def named_arrays(
    dataset: xarray.Dataset, *, aliases: bool = True
) -> tuple[dict[str, Array], dict[str, tuple[str, ...]], dict[str, list[Any]]]:
    """Arrays, dims without chain and draw, and coords of a group: the inverse of `to_dataset`.

    Chain and draw lead in every variable of a group that has either; the labels along them are in `SampleAxes.of`. With
    ``aliases=False`` variables have their names in the model.
    """
    arrays, dims = {}, {}
    axes = SampleAxes.of(dataset)
    for key, variable in dataset.data_vars.items():
        name = str(variable.attrs.get("name", key))
        if not aliases:
            name = str(variable.attrs.get("alias_of", name))
        arrays[name] = axes.array(variable) if axes.exist else variable.to_numpy()
        dims[name] = tuple(str(dim) for dim in variable.dims if dim not in SAMPLE_DIMS)
    coords = {str(dim): list(index) for dim, index in dataset.indexes.items() if dim not in SAMPLE_DIMS}
    return arrays, dims, coords


@functools.cache
def arviz_major() -> int:
    """First number of the installed ArviZ's version, read without importing it; 1 (xarray alone) where it is absent."""
    try:
        return int(importlib.metadata.version("arviz").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 1


@functools.cache
def preload_arviz() -> threading.Thread:
    """Start importing, in a background thread, what `to_inference_data` will need; the thread may be joined or
    forgotten.

    With ArviZ 1.x that is xarray only. The thread waits a moment first: beside chains that are done in less, an import
    would only take their processor away, and the container is built right after them. A failing import is not reported
    here but where the container is built.
    """

    def work() -> None:
        time.sleep(PRELOAD_DELAY)
        try:
            importlib.import_module("xarray")
            if arviz_major() < 1:
                import_arviz()
        except Exception:  # the import in the foreground raises it again
            return

    thread = threading.Thread(target=work, name="nutslite-preload-arviz", daemon=True)
    thread.start()
    return thread


def _is_tree(idata: Container) -> bool:
    return hasattr(idata, "children")


def _dims_of(name: str, array: Array, leading: Sequence[str], named: Sequence[str] | None) -> tuple[str, ...]:
    extra = array.ndim - len(leading)
    if named is None:
        named = [f"{name}_dim_{axis}" for axis in range(extra)]
    if extra != len(named):
        raise DataError(f"'{name}' has shape {array.shape}, which does not fit its dimensions {(*leading, *named)}.")
    return (*leading, *(stored_name(dim) for dim in named))


def _coordinate(dim: str, values: Sequence[Any] | None, size: int) -> Array | pd.RangeIndex:
    if values is None:
        return pd.RangeIndex(size)  # no number of which is kept
    if len(values) != size:
        raise DataError(f"Dimension '{dim}' has {len(values)} coordinate values, but its variables have {size}.")
    return np.asarray(values if isinstance(values, np.ndarray) else list(values))


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
