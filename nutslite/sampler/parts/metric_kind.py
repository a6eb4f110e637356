"""Kinds of metric: what a momentum and its velocity are, given a `Metric`; and how warm-up estimates one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nutslite.exceptions import SettingTypeError
from nutslite.sampler.parts.checks import check_count, check_part
from nutslite.sampler.parts.system import MOMENTUM_POINTER, VELOCITY_POINTER
from nutslite.sampler.transition.logdensity import Matrix
from nutslite.sampler.transition.metric import (
    ARROWHEAD,
    DENSE,
    DIAGONAL,
    Metric,
    draw_momentum,
    inverse_mass_matrix,
    normal_draws,
    set_velocity,
)


@dataclass(frozen=True)
class MetricKind:
    """A kind of metric.

    Parameters
    ----------
    code : int
        `Metric.kind` of its metrics; 0 to 3 are taken.
    name : str
    set_velocity : callable
        ``set_velocity(metric, momentum, velocity) -> None``: overwrites the velocity by M^-1 momentum.
    draw_momentum : callable
        ``draw_momentum(metric, rng, momentum) -> None``: overwrites the momentum by a draw from N(0, M).
    inverse : callable
        ``inverse(metric) -> ndarray (dim, dim)``: all of M^-1, in Python, for reports and tests.
    normal_draws : callable
        ``normal_draws(metric, rng, n) -> ndarray (n, dim)``: draws from N(0, M^-1), in Python.
    """

    code: int
    name: str
    set_velocity: Callable[..., Any] = field(repr=False)
    draw_momentum: Callable[..., Any] = field(repr=False)
    inverse: Callable[[Metric], Matrix] = field(repr=False)
    normal_draws: Callable[[Metric, np.random.Generator, int], Matrix] = field(repr=False)

    velocity_pointer = VELOCITY_POINTER
    momentum_pointer = MOMENTUM_POINTER

    def __post_init__(self) -> None:
        check_count(self, "code", self.code, 0)
        check_part(
            self,
            set_velocity=self.set_velocity,
            draw_momentum=self.draw_momentum,
            inverse=self.inverse,
            normal_draws=self.normal_draws,
        )


@dataclass(frozen=True)
class MetricRule:
    """How warm-up estimates a metric, as `sample(metric=...)` takes it.

    Parameters
    ----------
    name : str
    estimate : callable
        ``estimate(positions, gradients) -> Metric``, both ``(n, dim)`` with n of at least 3; runs in Python.
    uses_gradients : bool
        Whether it looks at gradients.
    kind : MetricKind, optional
        Of the metrics that it makes, where that is none of the package's own.
    source : str
        Where it comes from.

    Raises
    ------
    SettingError
        If a field is none of these.
    """

    name: str
    estimate: Callable[[Matrix, Matrix], Metric] = field(repr=False)
    uses_gradients: bool = False
    kind: MetricKind | None = None
    source: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        check_part(self, estimate=self.estimate)
        if self.kind is not None and not isinstance(self.kind, MetricKind):
            raise SettingTypeError(f"MetricRule '{self.name}': kind must be a MetricKind or None, not {self.kind!r}.")


USUAL_KINDS = tuple(
    MetricKind(code, name, set_velocity, draw_momentum, inverse_mass_matrix, normal_draws)
    for code, name in ((DIAGONAL, "diagonal"), (DENSE, "dense"), (ARROWHEAD, "arrowhead"))
)
"""The kinds that the usual sampler has compiled into it; one pair of kernels serves them."""
