"""The statistics that every transition records, declared once: name (ArviZ's), type, and what it means."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Statistic(NamedTuple):
    """One column of what a transition records."""

    name: str
    dtype: type
    meaning: str


STATISTICS = (
    Statistic("lp", np.float64, "log density at the draw"),
    Statistic("acceptance_rate", np.float64, "mean Metropolis acceptance probability along the trajectory"),
    Statistic("step_size", np.float64, "leapfrog step size of this transition"),
    Statistic("step_size_bar", np.float64, "averaged step size that the adaptation would settle on"),
    Statistic("tree_depth", np.int64, "number of completed doublings"),
    Statistic("n_steps", np.int64, "number of leapfrog steps, one gradient each"),
    Statistic("diverging", np.bool_, "whether the energy error exceeded 1000 or was not finite"),
    Statistic("energy", np.float64, "energy (minus log density plus kinetic energy) at the draw"),
    Statistic("energy_error", np.float64, "energy at the draw minus energy at the start of the trajectory"),
    Statistic("max_energy_error", np.float64, "energy error of the greatest size along the trajectory"),
    Statistic("reached_max_treedepth", np.bool_, "whether the trajectory was cut short by max_treedepth"),
    Statistic("index_in_trajectory", np.int64, "place of the draw, 0 the start, negative backwards in time"),
)

LP, ACCEPTANCE_RATE, STEP_SIZE, STEP_SIZE_BAR, TREE_DEPTH, N_STEPS = range(6)
DIVERGING, ENERGY, ENERGY_ERROR, MAX_ENERGY_ERROR, REACHED_MAX_TREEDEPTH, INDEX_IN_TRAJECTORY = range(6, 12)

STATISTIC_NAMES = tuple(statistic.name for statistic in STATISTICS)


def named_statistics(columns: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[Any]]:
    """Statistics by name and in their own types, from an array ``(..., 12)`` as compiled code fills it.

    Rows that were never sampled (nan, after an interruption) stay nan, and become 0 or False where the type has no nan.
    """
    named: dict[str, npt.NDArray[Any]] = {}
    for column, statistic in enumerate(STATISTICS):
        values = columns[..., column]
        if statistic.dtype is np.float64:
            named[statistic.name] = values.copy()
        else:
            named[statistic.name] = np.nan_to_num(values, nan=0.0).astype(statistic.dtype)
    return named
