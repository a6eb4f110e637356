"""What a finished run is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.draws import Draws

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """A finished run.

    Attributes
    ----------
    plan : Plan
    settings : Settings
        With `tune` and `target_accept` filled in, as far as they had a meaning.
    stats : dict of ndarray, shape (chains, draws)
        Statistics by ArviZ's names.
    interrupted : bool
    draws : Draws or None
        The NUTS sampler's own record (unconstrained positions, adapted state).
    values, effects : ndarray, shape (chains, draws, ...)
        The joint model's quantities.
    warmup : (values, effects) or None
        The same of the warm-up, where it was kept.
    seconds : dict of str to float
        Wall-clock time of ``"pilot"``, ``"compilation"``, ``"sampling"`` (warm-up and draws of all chains) and
        ``"recovery"`` (natural scale, exact draws of what was integrated out).
    by_slices : bool
        Whether it was slice sampling.
    """

    plan: Plan
    settings: Settings
    stats: dict[str, NDArray[Any]]
    interrupted: bool
    draws: Draws | None
    values: FloatArray
    effects: FloatArray
    warmup: tuple[FloatArray, FloatArray] | None
    seconds: dict[str, float]
    by_slices: bool = False

    @property
    def method(self) -> str:
        """How the draws were made: ``"nuts"``, ``"laplace"``, ``"independence"`` or ``"slice"``."""
        if self.settings.laplace:
            return "laplace"
        if self.draws is not None:
            return "nuts"
        return "slice" if self.by_slices else "independence"
