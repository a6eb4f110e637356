"""Named draws in ArviZ's container: an ``InferenceData`` with ArviZ 0.2x, an xarray ``DataTree`` with ArviZ 1.x.

Both hold one xarray Dataset per group, so one file serves both. A DataTree is built with xarray alone, which takes a
fraction of a second to import; an ``InferenceData`` needs ArviZ itself, which takes seconds, so that results become one
when somebody looks into them (`unopened`). What is read or added here opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, did_you_mean
from nutslite.posterior.record.inventory import SAMPLE_DIMS
from nutslite.results.container.arviz_import import arviz_major
from nutslite.results.container.plain_group import Named, PlainGroup, plain_group
from nutslite.results.container.sample_axes import SampleAxes
from nutslite.results.container.unopened import Unopened, as_dataset, held_groups

if TYPE_CHECKING:
    import xarray

Array = NDArray[Any]
Container = Any  # arviz.InferenceData or xarray.DataTree

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
    return build_container(
        {
            group: plain_group(
                variables, dims=dims, coords=coords, attrs=attrs, sampled=group not in DATA_GROUPS, aliases=aliases
            )
            for group, variables in groups.items()
        }
    )


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
    group = plain_group(variables, dims=dims, coords=coords, attrs=attrs, sampled=sampled, aliases=aliases, axes=axes)
    if axes is None:
        return group.dataset()
    return axes.labels.assign(dict(group.variables)).assign_coords(dict(group.coords)).assign_attrs(dict(group.attrs))


def build_container(groups: Mapping[str, xarray.Dataset | PlainGroup]) -> Container:
    """The container that belongs to the installed ArviZ; an ``InferenceData`` is built when it is looked into."""
    if arviz_major() < 1:
        return Unopened(groups)
    import xarray

    return xarray.DataTree.from_dict({name: as_dataset(group) for name, group in groups.items()})


def group_names(idata: Container) -> list[str]:
    """Names of the groups, warm-up included.

    Raises
    ------
    DataError
        If `idata` holds no groups: it is nothing that a fit returned.
    """
    if (held := held_groups(idata)) is not None:
        return list(held)
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
    if (held := held_groups(idata)) is not None:
        return as_dataset(held[name]).copy()
    dataset: xarray.Dataset = idata[name].to_dataset() if _is_tree(idata) else idata[name].copy()
    return dataset


def add_group(idata: Container, name: str, dataset: xarray.Dataset) -> None:
    """Put a Dataset into the container, in place; a group of that name is replaced."""
    if (held := held_groups(idata)) is not None:
        held[name] = dataset
        return
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


def note(
    idata: Container,
    group: str,
    *,
    coords: Mapping[str, tuple[str, Array]] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> None:
    """Put further coordinates and attributes into a group, in place."""
    held = held_groups(idata)
    place = held[group] if held is not None else idata[group]
    if held is not None and isinstance(place, PlainGroup):
        held[group] = place.noted(coords or {}, attrs or {})
        return
    for name, labels in (coords or {}).items():
        place.coords[name] = labels
    place.attrs.update(attrs or {})


def size_along(idata: Container, group: str, dim: str) -> int | None:
    """How long a dimension of a group is; None where there is none of that name."""
    held = held_groups(idata)
    sizes: Mapping[str, int] = (held[group] if held is not None else idata[group]).sizes
    return sizes.get(dim)


def named_draws(idata: Container, group: str) -> Named:
    """What `named_arrays` says of a group; it needs neither ArviZ nor xarray where nobody has opened the results."""
    held = (held_groups(idata) or {}).get(group)
    return held.named_arrays() if isinstance(held, PlainGroup) else named_arrays(get_group(idata, group))


def attributes(idata: Container, group: str) -> Mapping[Any, Any]:
    """What a group says of itself, to be read only."""
    held = (held_groups(idata) or {}).get(group)
    return held.attrs if isinstance(held, PlainGroup) else get_group(idata, group).attrs


def posterior_dataset(idata: Container) -> xarray.Dataset:
    """The posterior group."""
    return get_group(idata, "posterior")


def named_arrays(dataset: xarray.Dataset, *, aliases: bool = True) -> Named:
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


def _is_tree(idata: Container) -> bool:
    return hasattr(idata, "children")
