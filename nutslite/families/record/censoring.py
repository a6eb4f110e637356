"""Kernels by what is known of a row: the density where the response was seen, a probability where it was censored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite.exceptions import FamilyError
from nutslite.families.record.family import LOGLIK, Family, FloatArray, compile_kernel
from nutslite.families.user.built_in import built_in, family_names
from nutslite.formula.terms import STATUSES, Response

LOGLIKS = types.Tuple([types.int64, *(LOGLIK,) * len(STATUSES)])
"""Type of a model's kernels, by the status of their rows. A number comes first: Numba warns where a function does."""


def compiled_logliks(
    family: Family, codes: NDArray[np.int64] | None = None, places: Iterable[int] = (0,)
) -> tuple[Any, ...]:
    """The family's kernels, as `LOGLIKS` has them: compiled at these `places` of `STATUSES`, elsewhere one of these."""
    kernels = (family.kernel, *(family.censored.get(status) for status in STATUSES[1:]))
    compiled = {place: compile_kernel(family, kernels[place], codes) for place in sorted(set(map(int, places)))}
    one = next(iter(compiled.values()))
    return (len(kernels), *(compiled.get(place, one) for place in range(len(kernels))))


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
