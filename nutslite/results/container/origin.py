"""Whose draws they are: what results note of their model, and a look at it before another model predicts from them.

Variables by themselves do not tell: models of another response, or of other groups under the same numbers, have the
same names and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nutslite.exceptions import DataError, warn
from nutslite.posterior.record.inventory import stored_name
from nutslite.results.container.inference_data import Container, get_group

if TYPE_CHECKING:
    import xarray

    from nutslite.formula.records import GroupFactor

LONGEST = 10_000
"""Characters of a note; HDF5 takes 64 kB of attributes."""


def notes_of(
    formulas: Sequence[str], family: str, links: Mapping[str, str], quantile: float | Sequence[float] | None = None
) -> dict[str, str]:
    """What the posterior group says of its model, as attributes.

    Parameters
    ----------
    formulas : sequence of str
        The main formula first.
    family : str
    links : mapping
        By parameter.
    quantile : float or sequence of float, optional
        The level, or levels, of what the parent is a quantile of.
    """
    notes = {
        "formula": "; ".join(formulas),
        "family": family,
        "links": ", ".join(f"{name} = {link}" for name, link in links.items()),
        **({} if quantile is None else {"quantile": str(quantile)}),
    }
    return {name: note for name, note in notes.items() if len(note) <= LONGEST}


def check_origin(idata: Container, notes: Mapping[str, str], factors: Mapping[str, GroupFactor]) -> None:
    """Look whether draws may be used by a model with these notes and grouping factors.

    Raises
    ------
    DataError
        Where the groups are others: effects would be taken for those of the wrong group.

    Warns
    -----
    NutsliteWarning
        Where formula, family or links are others, and the names in the posterior serve all the same.
    """
    posterior = get_group(idata, "posterior")
    for factor in factors.values():
        index = posterior.indexes.get(stored_name(f"{factor.name}__factor_dim"))
        there = [] if index is None else [str(level) for level in index]
        here = [str(level) for level in factor.levels]
        if index is not None and sorted(there) != sorted(here):
            raise DataError(
                f"The results have other groups of '{factor.name}' than the model: {_shown(there)} there, "
                f"{_shown(here)} here. Give the results of this model."
            )
    for name, here_note in notes.items():
        there_note = posterior.attrs.get(name)
        if isinstance(there_note, str) and _plain(there_note) != _plain(here_note):
            warn(
                f"These results are of another model: {name} '{there_note}' there, '{here_note}' here. Variables of "
                "the same name are taken for the same."
            )
            return


def in_model_order(dataset: xarray.Dataset, coords: Mapping[str, Sequence[Any]]) -> xarray.Dataset:
    """The draws with the coefficients of every term in the model's order, whatever order they were brought into.

    Parameters
    ----------
    dataset : Dataset
    coords : mapping
        By dimension of the model's variables, the labels along it. Dimensions without labels are taken as they are.

    Raises
    ------
    DataError
        Where labels are missing or are others: numbers would be taken for those of another label.
    """
    order = {}
    for dim, labels in coords.items():
        index = dataset.indexes.get(stored_name(dim))
        there = [] if index is None else [str(label) for label in index]
        here = [str(label) for label in labels]
        if index is None or there == here:
            continue
        if sorted(there) != sorted(here) or len(set(here)) < len(here):
            raise DataError(
                f"The results have other labels along '{dim}' than the model: {_shown(there)} there, {_shown(here)} "
                "here. Give the results of this model, with all their labels."
            )
        place = {label: number for number, label in enumerate(there)}
        order[stored_name(dim)] = [place[label] for label in here]
    return dataset.isel(order) if order else dataset


def _plain(note: Any) -> str:
    return "".join(str(note).split())


def _shown(levels: Sequence[str]) -> str:
    some = ", ".join(f"'{level}'" for level in levels[:3])
    return f"{len(levels)} ({some}{', ...' if len(levels) > 3 else ''})"
