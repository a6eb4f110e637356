"""An integrator by itself, called from Python: for tests of a new one, and to look at trajectories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite._numba import kernel
from nutslite.exceptions import SettingError
from nutslite.sampler.catalogue.assembly import BlockOfParts, compiled_parts, kind_of
from nutslite.sampler.catalogue.doubling import NUTS
from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.step_size_rule import DUAL_AVERAGING
from nutslite.sampler.parts.system import System, energy_of, evaluate, integrate, set_point_velocity
from nutslite.sampler.transition.hamiltonian import MOMENTUM, N_ROWS, POSITION
from nutslite.sampler.transition.handle import handle_of
from nutslite.sampler.transition.logdensity import Matrix, Vector, compiled_logdensity, data_type_of
from nutslite.sampler.transition.metric import Metric, diagonal_metric


class Flow(NamedTuple):
    """Where an integrator leads.

    Attributes
    ----------
    position, momentum : ndarray (dim,)
        After the last step.
    energies : ndarray (n_steps + 1,)
        Before each step, and after the last.
    """

    position: Vector
    momentum: Vector
    energies: Vector


def flow(
    integrator: Integrator,
    logdensity: Callable[..., Any],
    data: Any,
    position: npt.ArrayLike,
    momentum: npt.ArrayLike,
    step_size: float,
    n_steps: int = 1,
    metric: Metric | None = None,
) -> Flow:
    """Follow an integrator for some steps; negative step sizes go back in time.

    Parameters
    ----------
    logdensity, data
        As `sample` takes them.
    position, momentum : array (dim,)
        Where it begins; they are not changed.
    metric : Metric, optional
        The identity where there is none.

    Raises
    ------
    SamplingError
        If position, momentum and metric are not of one length, or something does not compile.
    """
    point = np.zeros((N_ROWS, np.size(position)))
    metric = diagonal_metric(np.ones(point.shape[1])) if metric is None else metric
    if np.shape(position) != np.shape(momentum) or np.ndim(position) != 1 or metric.dimension != point.shape[1]:
        raise SettingError(
            f"position and momentum must be vectors as long as the metric; they have shapes {np.shape(position)} and "
            f"{np.shape(momentum)}, and the metric has {metric.dimension} coordinates."
        )
    point[POSITION], point[MOMENTUM] = position, momentum
    data_type = data_type_of(data)
    handle = handle_of(compiled_logdensity(logdensity, data_type), data, data_type)
    parts = compiled_parts(integrator, NUTS, DUAL_AVERAGING, (kind_of(metric, None),))
    energies = np.zeros(n_steps + 1)
    _follow(
        BlockOfParts(parts, metric.dimension).system(handle.function, handle.data, metric), point, step_size, energies
    )
    return Flow(point[POSITION].copy(), point[MOMENTUM].copy(), energies)


@kernel
def _follow(system: System, point: Matrix, step_size: float, energies: Vector) -> None:
    """Steps from a point, in place; `energies` are overwritten."""
    logp = evaluate(system, point)
    set_point_velocity(system, point)
    energies[0] = energy_of(point, logp)
    for step in range(1, energies.shape[0]):
        logp = integrate(system, point, step_size)
        energies[step] = energy_of(point, logp)
