"""Kernels by what is known of a row: the density where the response was seen, a probability where it was censored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._addresses import address_of, caller_of, function_of
from nutslite.exceptions import DataError, FamilyError
from nutslite.families.links.parameter import SEVERAL_COLUMNS
from nutslite.families.record.family import LOGLIK, Family, FloatArray, compile_kernel
from nutslite.families.user.built_in import built_in, family_names
from nutslite.formula.records import STATUSES, Response

LOGLIKS = types.Tuple([types.int64, LOGLIK, *(types.int64,) * (len(STATUSES) - 1)])
"""Type of a model's kernels, by the status of their rows: a pointer for the first, addresses for the others.

Most models have one kernel. A number comes first, because Numba warns of an experimental feature where a function does.
"""

kernel_at = caller_of(LOGLIK)


def compiled_kernels(
    family: Family, codes: NDArray[np.int64] | None = None, places: Iterable[int] = (0,)
) -> dict[int, Callable[..., None]]:
    """The family's kernels at these `places` of `STATUSES`, compiled."""
    kernels = (family.kernel, *(family.censored.get(status) for status in STATUSES[1:]))
    return {place: compile_kernel(family, kernels[place], codes) for place in sorted(set(map(int, places)))}


def logliks_of(kernels: Mapping[int, Callable[..., None]]) -> tuple[Any, ...]:
    """Compiled kernels by place, as `LOGLIKS` has them; where there is none stands any other."""
    one = kernels.get(0, next(iter(kernels.values())))
    return (len(kernels), one, *(address_of(kernels.get(place, one), LOGLIK) for place in range(1, len(STATUSES))))


def compiled_logliks(
    family: Family, codes: NDArray[np.int64] | None = None, places: Iterable[int] = (0,)
) -> tuple[Any, ...]:
    """`compiled_kernels`, as `LOGLIKS` has them."""
    return logliks_of(compiled_kernels(family, codes, places))


def kernel_of(logliks: tuple[Any, ...], place: int) -> Callable[..., None]:
    """The kernel at a place of `STATUSES`, for Python."""
    found: Callable[..., None] = logliks[1] if place == 0 else function_of(logliks[1 + place])
    return found


def observed(family: Family, response: Response) -> FloatArray:
    """What kernels want as y, shape (c', n): what `prepare` makes of the response, then of the ends of intervals."""
    y = family.prepare(response.values)
    if response.censoring is not None and response.censoring.upper is not None:
        y = np.vstack([y, family.prepare(_upper_ends(response))])
    return np.ascontiguousarray(y, dtype=float)


def check_response(family: Family, response: Response) -> None:
    """Refuse a response that the family cannot have, and one that is censored where it has no kernel for that.

    Raises
    ------
    DataError
        For values.
    FamilyError
        For a family that does not know censored responses.
    """
    censoring = response.censoring
    if response.columns and family.response_support not in SEVERAL_COLUMNS:
        raise DataError(
            f"The response '{response.name}' has {len(response.columns)} columns, but family '{family.name}' models "
            "one. Counts of several columns are for family='multinomial' or 'dirichlet_multinomial', shares for "
            "family='dirichlet'."
        )
    if censoring is None:
        family.check_response(response)
        return
    for place in np.unique(censoring.status):
        status = STATUSES[place]
        if place and status not in family.censored:
            known = [name for name in family_names() if status in built_in(name).censored]
            raise FamilyError(
                f"Family '{family.name}' does not know responses that are censored ('{status}'); these do: "
                f"{', '.join(known)}."
            )
    family.check_response(response)
    if censoring.upper is not None:
        family.check_response(replace(response, name=censoring.upper_name, values=_upper_ends(response)))


def _upper_ends(response: Response) -> FloatArray:
    assert response.censoring is not None  # callers look
    values = response.values.copy()
    values[0] = response.censoring.upper
    return values
