"""Kernels by what is known of a row: the density where the response was seen, a probability where it was censored.

A response with bounds is seen only between them: its likelihood is divided by the probability of that, which is what
the kernels of censored rows give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._addresses import address_of, caller_of, function_of
from nutslite._numba import kernel
from nutslite.exceptions import DataError, FamilyError
from nutslite.families.links.parameter import SEVERAL_COLUMNS
from nutslite.families.record.bounds import bounds_of
from nutslite.families.record.family import LOGLIK, Family, FloatArray, compile_kernel
from nutslite.families.user.built_in import built_in, family_names
from nutslite.formula.columns.lent import for_kernels
from nutslite.formula.columns.whole import MANY
from nutslite.formula.records import STATUSES, Response

LOGLIKS = types.UniTuple(types.int64, len(STATUSES) + 1)
"""Type of a model's kernels: their addresses, by the status of their rows.

Last stands the address of `subtract_kernel`, which models of responses with bounds call.
"""

SUBTRACT = types.FunctionType(types.void(types.int64, *LOGLIK.signature.args))
"""Type of `subtract_kernel`, called by its address: it has memory of its own, which its callers must not ask for."""

kernel_at, subtract_at = caller_of(LOGLIK), caller_of(SUBTRACT)

_LEFT, _RIGHT, _INTERVAL = (STATUSES.index(status) for status in ("left", "right", "interval"))


def compiled_kernels(
    family: Family, codes: NDArray[np.int64] | None = None, places: Iterable[int] = (0,)
) -> dict[int, Callable[..., None]]:
    """The family's kernels at these `places` of `STATUSES`, compiled."""
    kernels = (family.kernel, *(family.censored.get(status) for status in STATUSES[1:]))
    return {place: compile_kernel(family, kernels[place], codes) for place in sorted(set(map(int, places)))}


def logliks_of(kernels: Mapping[int, Callable[..., None]], bounded: bool = True) -> tuple[Any, ...]:
    """Compiled kernels by place, as `LOGLIKS` has them; where there is none stands any other."""
    one = kernels.get(0, next(iter(kernels.values())))
    own = [address_of(kernels.get(place, one), LOGLIK) for place in range(len(STATUSES))]
    return (*own, address_of(subtract_kernel, SUBTRACT) if bounded else own[-1])


def compiled_logliks(
    family: Family, codes: NDArray[np.int64] | None = None, places: Iterable[int] = (0,), bounded: bool = True
) -> tuple[Any, ...]:
    """`compiled_kernels`, as `LOGLIKS` has them; `bounded` says whether responses have bounds."""
    return logliks_of(compiled_kernels(family, codes, places), bounded)


@kernel
def subtract_kernel(address, y, weights, start, eta, varies, links, out, d_eta):
    """Take what the kernel at an address gives off `out` and `d_eta`: the probability of all that could be seen."""
    rows = out.shape[0]
    inside, slopes = np.empty(rows), np.empty((eta.shape[0], rows))
    loglik = kernel_at(address)
    loglik(y, weights, start, eta, varies, links, inside, slopes)
    for i in range(rows):
        out[i] = out[i] - inside[i] if inside[i] > -np.inf else -np.inf
    for j in range(eta.shape[0]):
        for i in range(rows if varies[j] == 1 else 1):
            d_eta[j, i] -= slopes[j, i]


def kernel_of(logliks: tuple[Any, ...], place: int) -> Callable[..., None]:
    """The kernel at a place of `STATUSES`, for Python."""
    return function_of(logliks[place])


@dataclass(frozen=True)
class KernelRows:
    """A response as kernels see it.

    Attributes
    ----------
    y : ndarray, shape (c', n)
        What `prepare` made of the responses; then of the upper ends, where rows are intervals; then of lower and of
        upper bounds, where there are any.
    kernels : ndarray of int64, shape (n,)
        Place in `STATUSES` of each row's kernel.
    bounds : ndarray of int64, shape (n,), or None
        Place of the kernel that says how probable it was that the response could be seen; 0 where it was certain.
    bounds_start : int
        First row of `y` that is of bounds; the number of all rows where there are none.
    """

    y: FloatArray
    kernels: NDArray[np.int64]
    bounds: NDArray[np.int64] | None
    bounds_start: int

    @property
    def is_plain(self) -> bool:
        """Whether every response was seen, whatever it was going to be."""
        return self.bounds is None and not self.kernels.any()


def kernel_rows(family: Family, response: Response) -> KernelRows:
    """What kernels see of a response.

    What is censored on the side of a bound lies between the two, and is an interval.
    """
    censoring, bounds = response.censoring, bounds_of(family, response)
    if censoring is None and bounds is None:  # nothing is changed, and so nothing copied
        values = response.values
        many = family.prepare_many if values.shape[1] >= MANY else None
        y = for_kernels((many or family.prepare)(values))
        return KernelRows(y, np.broadcast_to(np.int64(0), y.shape[1]), None, len(y))
    lower, upper = response.values[0].copy(), response.values[0].copy()
    kernels = np.zeros(lower.size, dtype=np.int64) if censoring is None else censoring.status.copy()
    if censoring is not None and censoring.upper is not None:
        upper = np.where(kernels == _INTERVAL, censoring.upper, upper)
    if bounds is not None:
        ends = bounds.ends(family.discrete)
        below, above = (kernels == _LEFT) & bounds.has_lower, (kernels == _RIGHT) & bounds.has_upper
        lower = np.where(below, ends[0], np.where(above & family.discrete, lower - 1.0, lower))
        upper = np.where(above, ends[1], upper)
        kernels[below | above] = _INTERVAL
    parts = [prepared(family, response, lower)]
    if (kernels == _INTERVAL).any():
        parts.append(prepared(family, response, upper))
    start = sum(len(part) for part in parts)
    if bounds is not None:
        parts += [prepared(family, response, end) for end in ends]
    y = np.ascontiguousarray(np.vstack(parts), dtype=float)
    return KernelRows(y, kernels, None if bounds is None else bounds.places, start)


def prepared(family: Family, response: Response, values: FloatArray) -> FloatArray:
    """What the family's `prepare` makes of these values, shape (n,), in the place of the response's own."""
    rows = response.values.copy()
    rows[0] = values
    return np.asarray(family.prepare(rows))


def check_response(family: Family, response: Response) -> None:
    """Refuse a response that the family cannot have, and what its forms say where it has no kernel for that.

    Raises
    ------
    DataError
        For values.
    FamilyError
        For a family that does not know censored responses, or bounds.
    """
    if response.columns and family.response_support not in SEVERAL_COLUMNS:
        raise DataError(
            f"The response '{response.name}' has {len(response.columns)} columns, but family '{family.name}' models "
            "one. Counts of several columns are for family='multinomial' or 'dirichlet_multinomial', shares for "
            "family='dirichlet'."
        )
    family.check_response(response)
    censoring, bounds = response.censoring, bounds_of(family, response)
    for place in () if censoring is None else np.unique(censoring.status):
        status = STATUSES[place]
        if place and status not in family.censored:
            raise _not_known(family, status, f"responses that are censored ('{status}')")
    if censoring is not None and censoring.upper is not None:
        values = response.values.copy()
        values[0] = censoring.upper
        family.check_response(replace(response, name=censoring.upper_name, values=values))
    if bounds is not None:
        for place in np.unique(bounds.places[bounds.places > 0]):
            if STATUSES[place] not in family.censored:
                raise _not_known(family, STATUSES[place], f"bounds of a response ('{response.name}')")
        bounds.check(response, family.discrete)


def _not_known(family: Family, status: str, what: str) -> FamilyError:
    known = [name for name in family_names() if status in built_in(name).censored]
    return FamilyError(f"Family '{family.name}' does not know {what}; these do: {', '.join(known)}.")
