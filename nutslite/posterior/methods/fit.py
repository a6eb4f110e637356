"""What a finished run is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.draws import Draws

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A finished run.

    Attributes
    ----------
    plan : Plan
    settings : Settings
        With `tune` and `target_accept` filled in, as far as they had a meaning.
    method : str
        How the draws were made: ``"nuts"``, ``"laplace"``, ``"independence"``, ``"slice"``, ...
    values, effects : ndarray, shape (chains, draws, ...)
        The joint model's quantities.
    stats : dict of ndarray, shape (chains, draws)
        Statistics by ArviZ's names.
    seconds : dict of str to float
        Wall-clock time of ``"pilot"``, ``"compilation"``, ``"sampling"`` (warm-up and draws of all chains) and
        ``"recovery"`` (natural scale, exact draws of what was integrated out).
    interrupted : bool
    draws : Draws or None
        The NUTS sampler's own record (unconstrained positions, adapted state). None where there were many draws and
        nothing goes on: effects on their natural scale have taken the positions' place.
    warmup : (values, effects) or None
        The same of the warm-up, where it was kept.
    approximate : bool
        Whether draws are those of an approximation, about whose convergence there is nothing to say.
    attributes : dict
        What the method found out about its draws, for the results to keep.
    warnings : tuple of str
        What is wrong with them, in plain words.
    remark : str
        Ends the line that says how long it took.
    longer : callable or None
        Takes a number of draws per chain, more than there are, and returns the fit with as many: its chains go on from
        where they ended. None where nothing goes on.
    """

    plan: Plan
    settings: Settings
    method: str
    values: FloatArray
    effects: FloatArray
    stats: dict[str, NDArray[Any]]
    seconds: dict[str, float]
    interrupted: bool = False
    draws: Draws | None = None
    warmup: tuple[FloatArray, FloatArray] | None = None
    approximate: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    remark: str = ""
    longer: Callable[[int], Fit] | None = None
