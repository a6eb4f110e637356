"""A family with what the forms of a response make of it: known errors, exposures, bounds.

A form gives further numbers of each row. A family that can use them has, in `Family.given`, the kernel and all else
that it then is. Bounds are for every family that knows how probable a range of responses is: they change nothing of its
kernels, but its draws and its mean.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nutslite.exceptions import FamilyError
from nutslite.families.record import inside
from nutslite.families.user.built_in import built_in, family_names
from nutslite.formula.forms.known_error import ERROR
from nutslite.formula.forms.rate import EXPOSURE
from nutslite.formula.forms.truncated import LOWER, UPPER
from nutslite.formula.records import Response

if TYPE_CHECKING:
    from nutslite.families.record.family import Family


_OF_SOME = {
    ERROR: "responses with standard errors, se(y, s)",
    EXPOSURE: "counts with exposures, rate(y, exposure); write offset(log(exposure)) as a term where its link is log",
}


def for_response(family: Family, response: Response) -> Family:
    """The family for this response; itself where its forms add nothing that it does not use by itself.

    Raises
    ------
    FamilyError
        If the family cannot use what they add.
    """
    family = plain(family)
    found = family
    for companion in response.companions:
        if companion in family.given:
            found = replace(found, **family.given[companion](response), unbound=family)
        elif companion in _OF_SOME:
            known = [name for name in family_names() if companion in built_in(name).given]
            raise FamilyError(
                f"Family '{family.name}' does not know {_OF_SOME[companion]}; these do: {', '.join(known)}."
            )
    if LOWER in response.companions:
        found = replace(
            found,
            prepare=partial(_prepare, found),
            check_response=partial(_check_response, found),
            random=partial(inside.draw, found),
            mean=partial(inside.mean, found),
            companions=(*found.companions, LOWER, UPPER),
            unbound=family,
        )
    return found


def plain(family: Family) -> Family:
    """The family as it is for a response without such forms."""
    if family.unbound is None or family.bind is not None:
        return family
    return replace(family.unbound, link=family.link, likelihood=family.likelihood)


def without_bounds(response: Response) -> Response:
    """The response as its family knows it."""
    kept = [name not in (LOWER, UPPER) for name in response.companions]
    names = tuple(name for name, keep in zip(response.companions, kept, strict=True) if keep)
    return replace(response, values=response.values[[True] * len(response.own) + kept], companions=names)


def _prepare(family, values):  # type: ignore[no-untyped-def]  # as those of families
    """Without bounds, which stand last."""
    return family.prepare(values[: 1 + len(family.companions)])


def _check_response(family: Family, response: Response) -> None:
    family.check_response(without_bounds(response))
