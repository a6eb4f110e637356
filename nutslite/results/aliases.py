"""Other names for what a model has: chosen by the user, carried by results, tables and pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nutslite.exceptions import DataError, did_you_mean, shown, warn
from nutslite.priors.defaults import PriorSet
from nutslite.priors.prior import Prior

Given = Mapping[str, str | Mapping[str, str]]


def choose_aliases(
    given: Given,
    *,
    names: Sequence[str],
    derived: Mapping[str, Sequence[str]],
    prefixes: Mapping[str, str],
    reserved: Collection[str] = (),
) -> dict[str, str]:
    """Aliases by full name.

    Parameters
    ----------
    given : mapping
        Names to aliases; or, for a parameter that has a formula, the parameter to such a mapping.
    names : sequence of str
        Everything that may get an alias.
    derived : mapping
        By name the names made of it (``1|g``: ``1|g_sigma``, ``1|g_offset``), which follow its alias.
    prefixes : mapping
        By parameter with a formula, what its terms' names begin with.
    reserved : collection of str
        What no variable may be called: dimensions of the results.

    Raises
    ------
    DataError
        If an alias is no text, or reserved, or two variables would have one name.

    Warns
    -----
    NutsliteWarning
        About names that are not in the model.
    """
    if not isinstance(given, Mapping):
        raise DataError(f"Aliases are a dict of names to names, not {shown(given)}.")
    out: dict[str, str] = {}
    explicit = dict(_flat(given, prefixes))
    for name, alias in explicit.items():
        if not isinstance(alias, str) or not alias:
            raise DataError(f"The alias of '{name}' is a text, not {shown(alias)}.")
        if alias in reserved:
            raise DataError(f"'{name}' cannot be called '{alias}': a dimension of the results has that name.")
        if name not in names:
            warn(f"There is nothing called '{name}' in the model.{did_you_mean(name, names)} Its alias is not used.")
            continue
        out[name] = alias
        for follower in derived.get(name, ()):
            if follower not in explicit:
                out[follower] = f"{alias}{follower[len(name) :]}"
    _check_unique(out, names)
    return out


def _flat(given: Given, prefixes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, alias in given.items():
        if not isinstance(name, str):
            raise DataError(f"Aliases are a dict of names to names; {name!r} is no name.")
        if not isinstance(alias, Mapping):
            yield name, alias
            continue
        if name not in prefixes:
            raise DataError(
                f"Aliases of '{name}' are a dict, but '{name}' is no parameter with a formula of its own; those are "
                f"{', '.join(prefixes)}."
            )
        for term, term_alias in alias.items():
            yield f"{prefixes[name]}{term}", term_alias


def _check_unique(aliases: Mapping[str, str], names: Collection[str]) -> None:
    shown: dict[str, str] = {}
    for name in names:
        alias = aliases.get(name, name)
        if alias in shown:
            raise DataError(f"'{shown[alias]}' and '{name}' would both be called '{alias}': choose another alias.")
        shown[alias] = name


def derived_names(priors: PriorSet, prefixes: Mapping[str, str]) -> dict[str, list[str]]:
    """By name of a term or constant parameter, the names of its hyperparameters and of its standardised effects."""
    out: dict[str, list[str]] = {}
    for parameter, terms in priors.terms.items():
        for term, prior in terms.items():
            name = f"{prefixes[parameter]}{term}"
            out[name] = [*_hyperparameters(name, prior), *([f"{name}_offset"] if "|" in term else [])]
    for name, constant in priors.constants.items():
        if isinstance(constant, Prior):
            out[name] = list(_hyperparameters(name, constant))
    return out


def _hyperparameters(name: str, prior: Prior) -> Iterator[str]:
    for argument, value in prior.args.items():
        if isinstance(value, Prior):
            key = next((known.name for known in prior.density.arguments if argument in known.aliases), argument)
            yield f"{name}_{key}"
            yield from _hyperparameters(f"{name}_{key}", value)
