"""A family by its name, and what it is called where a model names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nutslite.exceptions import FamilyError, FamilyTypeError, did_you_mean, error_about, shown
from nutslite.families.links.link import Link
from nutslite.families.record.family import Family
from nutslite.families.user.built_in import built_in, family_names
from nutslite.families.user.likelihood import NAMES, Likelihood


def get_family(family: str | Family) -> Family:
    """The record of a family by name, a copy; a `Family` of the user's own is handed back as it is.

    Raises
    ------
    FamilyError
        When there is no family of this name.

    >>> get_family("poisson").parent.default_link
    'log'
    """
    if isinstance(family, Family):
        return family
    names = family_names()
    if not isinstance(family, str) or family not in names:
        error, said = error_about(family, str, FamilyError, FamilyTypeError), getattr(family, "__name__", family)
        raise error(f"There is no family '{said}'.{did_you_mean(said, names)} Known: {', '.join(names)}.")
    record: Family = built_in(family)
    return replace(record)  # so that `set_default_priors` is about one family of one user


def at_quantile(family: Family, level: Any) -> Family:
    """The family whose parent is the quantile of this level, or the quantiles of several.

    Raises
    ------
    FamilyError
        For a family of no quantiles, or a level that is none.
    """
    if family.at_quantile is None:
        known = [name for name in family_names() if built_in(name).at_quantile is not None]
        raise FamilyError(
            f"quantile={shown(level)}: family '{family.name}' has no level to choose. Use family='{known[0]}'"
            f"{''.join(f' or {name!r}' for name in known[1:])}."
        )
    attributes = family.at_quantile(level)
    if "parameters" in attributes:  # these depend on the levels
        attributes = {**attributes, "unbound": replace(family.unbound or family, quantile=attributes["quantile"])}
    return replace(family, **attributes)


def described(family: Family, links: Mapping[str, str]) -> Family:
    """The family of a model with these links: its `likelihood` and `link` say in Bambi's words what it is."""
    named = Likelihood(NAMES[family.kind]) if family.kind in NAMES else None
    link = {name: item if isinstance(item, Link) else Link(item) for name, item in links.items()}
    return replace(family, likelihood=family.likelihood or named, link=link)


def own_quantile(family: Any) -> float | tuple[float, ...] | None:
    """The level of the quantile, or levels, that the family of another model is about."""
    return family.quantile if isinstance(family, Family) else None


def own_links(family: Any) -> dict[str, str] | None:
    """Links that the built-in family of another model brings along, by parameter; a family of one's own has them."""
    if not isinstance(family, Family) or not isinstance(family.link, Mapping) or family.is_custom:
        return None
    return {name: str(Link(link)) for name, link in family.link.items()}
