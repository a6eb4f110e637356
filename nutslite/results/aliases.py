"""Other names for what a model has: chosen by the user, carried by results, tables and pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nutslite.exceptions import DataError, DataTypeError, did_you_mean, shown, warn
from nutslite.posterior.record.inventory import Inventory, stored_name, why_not_storable

Given = Mapping[str, str | Mapping[str, str]]


def choose_aliases(
    given: Given,
    *,
    names: Sequence[str],
    derived: Mapping[str, Sequence[str]],
    prefixes: Mapping[str, str],
) -> dict[str, str]:
    """Aliases by full name.

    Parameters
    ----------
    given : mapping
        Names to aliases; or the name of a parameter to such a mapping for it and its terms.
    names : sequence of str
        Everything that may get an alias.
    derived : mapping
        By name the names made of it (``1|g``: ``1|g_sigma``, ``1|g_offset``), which follow its alias.
    prefixes : mapping
        By parameter, what its terms' names begin with.

    Raises
    ------
    DataError
        If an alias is no text.

    Warns
    -----
    NutsliteWarning
        About names that are not in the model.
    """
    if not isinstance(given, Mapping):
        raise DataTypeError(f"Aliases are a dict of names to names, not {shown(given)}.")
    out: dict[str, str] = {}
    explicit = dict(_flat(given, names, prefixes))
    for name, alias in explicit.items():
        if not isinstance(alias, str) or not alias:
            raise DataError(f"The alias of '{name}' is a text, not {shown(alias)}.")
        if name not in names:
            warn(f"There is nothing called '{name}' in the model.{did_you_mean(name, names)} Its alias is not used.")
            continue
        out[name] = alias
        for follower in derived.get(name, ()):
            if follower not in explicit:
                out[follower] = f"{alias}{follower[len(name) :]}"
    return out


def _flat(given: Given, names: Collection[str], prefixes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Full names and aliases; in the dict of a parameter its own name means the parameter."""
    for name, alias in given.items():
        if not isinstance(name, str):
            raise DataTypeError(f"Aliases are a dict of names to names; {name!r} is no name.")
        if not isinstance(alias, Mapping):
            yield name, alias
            continue
        if name not in prefixes:
            raise DataError(
                f"Aliases of '{name}' are a dict, but '{name}' is no parameter of the model; those are "
                f"{', '.join(prefixes)}."
            )
        for term, term_alias in alias.items():
            full = f"{prefixes[name]}{term}"
            yield name if term == name and full not in names else full, term_alias


def check_aliases(aliases: Mapping[str, str], inventory: Inventory) -> None:
    """Whether all that results hold has a name of its own under these aliases, which a file can hold.

    Raises
    ------
    DataError
    """
    shown: dict[str, str] = {}
    dims = {stored_name(dim) for dim in inventory.dim_names}
    for name in inventory.dims:
        alias = aliases.get(name, name)
        key = stored_name(alias)
        if key in shown:
            raise DataError(f"'{shown[key]}' and '{name}' would both be called '{alias}': choose another alias.")
        if key in dims:
            raise DataError(f"'{name}' cannot be called '{alias}': a dimension of the results has that name.")
        if reason := why_not_storable(alias):
            raise DataError(f"'{name}' cannot be called {alias!r}: it has {reason}, which no file can hold.")
        shown[key] = name
