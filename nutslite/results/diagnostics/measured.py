"""R-hat and effective sizes of a fit beside what is allowed of them, and the draws that would do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.chance_limits import FEW_PARAMETERS, MIN_ESS_PER_CHAIN, limits
from nutslite.results.diagnostics.labels import columns_of

FloatArray = NDArray[np.float64]

MEASURED = ("ess_bulk", "ess_tail", "r_hat")  # of the diagnostics


@dataclass(frozen=True, eq=False)
class Measured:
    """What a fit's chains say of themselves.

    Attributes
    ----------
    chains, draws : int
        `draws` of each chain.
    finite : ndarray of bool (elements,)
        Whether all draws of an element are numbers. Elements are those of all variables, in their order.
    varying : ndarray of bool (elements,)
        Whether its draws are numbers, and not all the same one: only these are measured.
    r_hat, size : ndarray (varying elements,)
        `size`: the smaller of the bulk's and the tail's effective size.
    highest, lowest : ndarray (varying elements,)
        The largest R-hat and the smallest size that are no fault.
    """

    chains: int
    draws: int
    finite: NDArray[np.bool_]
    varying: NDArray[np.bool_]
    r_hat: FloatArray
    size: FloatArray
    highest: FloatArray
    lowest: FloatArray

    @property
    def is_short(self) -> bool:
        """Whether an R-hat or an effective size is beyond its limit, or there are too few draws to tell."""
        if self.draws < diagnostics.MIN_DRAWS:
            return True
        return bool((self.r_hat > self.highest).any() or (self.size < self.lowest).any())

    @property
    def draws_for_size(self) -> float:
        """How many draws of each chain would have the usual effective sizes, which grow with the draws."""
        few = self.size < self.lowest
        if not few.any():
            return float(self.draws)
        return self.draws * MIN_ESS_PER_CHAIN * self.chains / max(float(self.size[few].min()), 1.0)

    @property
    def draws_for_r_hat(self) -> float:
        """Twice as many where an R-hat is beyond its limit: how far beyond is too much a matter of chance to go by."""
        return self.draws * (2.0 if (self.r_hat > self.highest).any() else 1.0)

    @property
    def draws_wanted(self) -> float:
        """How many draws of each chain would do, from what these say; infinite where they are too few to say it."""
        if self.draws < diagnostics.MIN_DRAWS:
            return math.inf
        return max(self.draws_for_size, self.draws_for_r_hat)

    @property
    def in_words(self) -> str:
        """``R-hat at most 1.006, effective sizes at least 812``."""
        if not self.size.size or self.draws < diagnostics.MIN_DRAWS:
            return f"{self.draws} draws a chain"
        sizes = f"effective sizes at least {np.nanmin(self.size):.0f}"
        if np.isnan(self.r_hat).all():
            return f"{sizes}; of one chain there is no R-hat"
        return f"R-hat at most {np.nanmax(self.r_hat):.3f}, {sizes}"


def measured(draws: Mapping[str, NDArray[Any]]) -> Measured:
    """Measure the draws of a fit, by name, shape (chains, draws, ...); there is at least one variable."""
    columns = columns_of(draws.values())
    n_chains, n_draws = columns.shape[:2]
    by_element = np.moveaxis(columns, 2, 0).reshape(columns.shape[2], -1)
    lowest, highest = by_element.min(axis=1), by_element.max(axis=1)
    finite = np.isfinite(lowest) & np.isfinite(highest)
    varying = finite & (highest > lowest)
    nothing = np.empty(0)
    if n_draws < diagnostics.MIN_DRAWS or not varying.any():
        return Measured(n_chains, n_draws, finite, varying, nothing, nothing, nothing, nothing)
    table = diagnostics.convergence(columns if varying.all() else columns[:, :, varying], MEASURED)
    highest, lowest = _limits(draws, n_chains, n_draws)[:, varying]
    size = np.minimum(table["ess_bulk"], table["ess_tail"])
    return Measured(n_chains, n_draws, finite, varying, table["r_hat"], size, highest, lowest)


def higher_target_accept(target_accept: float) -> float | None:
    """The acceptance to try where transitions diverged, a quarter as far from one; None where it is high already."""
    higher = min(0.99, round(1 - (1 - target_accept) / 4, 2))
    return higher if higher > target_accept else None


def _limits(draws: Mapping[str, NDArray[Any]], n_chains: int, n_draws: int) -> FloatArray:
    """Largest R-hat and smallest effective size allowed to every element, shape (2, elements).

    The elements of a long variable are judged among themselves, so that the effects of many groups do not excuse a
    scale; all short variables are judged together.
    """
    sizes = [int(np.prod(np.shape(values)[2:])) for values in draws.values()]
    together = sum(size for size in sizes if size <= FEW_PARAMETERS)
    among = [size if size > FEW_PARAMETERS else together for size in sizes]
    return np.repeat([limits(number, n_chains, n_draws) for number in among], sizes, axis=0).T
