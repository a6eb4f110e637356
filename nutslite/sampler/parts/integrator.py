"""Integrators: how a step of Hamilton's equations is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nutslite.sampler.parts.checks import check_count, check_numbers, check_part
from nutslite.sampler.parts.system import STEP_POINTER


@dataclass(frozen=True)
class Integrator:
    """An integrator, as `sample(integrator=...)` takes it.

    A step must be reversible (a step of ``-step_size`` leads back) and keep volumes: then what is drawn is right
    whatever its errors are. `tests/test_sampler_parts_integrators.py` checks both of every integrator in the catalogue.

    Parameters
    ----------
    name : str
    step : callable
        ``step(system, point, step_size) -> float``: moves position and momentum of the point, leaves its gradient at
        the new position, and returns the log density there. Written with `parts.system`.
    gradients : int
        How many gradients a step costs: how often `step` calls `evaluate`.
    coefficients : tuple of float
        Numbers that `step` finds in ``system.coefficients``.
    order : int
        The energy error of a trajectory of given length shrinks as this power of the step size.
    source : str
        Where it comes from.

    Raises
    ------
    SettingError
        If a field is none of these.
    """

    name: str
    step: Callable[..., Any] = field(repr=False)
    gradients: int = 1
    coefficients: tuple[float, ...] = ()
    order: int = 2
    source: str = field(default="", repr=False, compare=False)

    pointer = STEP_POINTER

    def __post_init__(self) -> None:
        check_part(self, step=self.step)
        check_count(self, "gradients", self.gradients, 1)
        check_count(self, "order", self.order, 1)
        check_numbers(self, "coefficients", self.coefficients)
