"""Parts put together for one chain: what a worker calls in place of the usual block of transitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nutslite._awaited import ROTATION, wait_for
from nutslite.exceptions import SettingError
from nutslite.sampler.catalogue.doubling import NUTS
from nutslite.sampler.catalogue.low_rank import LOW_RANK_KIND
from nutslite.sampler.catalogue.splitting import LEAPFROG
from nutslite.sampler.parts.block import compiled_block_of_parts
from nutslite.sampler.parts.compiled import address
from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.metric_kind import USUAL_KINDS, MetricKind
from nutslite.sampler.parts.step_size_rule import DUAL_AVERAGING, StepSizeRule
from nutslite.sampler.parts.system import METRIC, SYSTEM, WORKSPACE, System
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.transition.chain import compiled_block
from nutslite.sampler.transition.hamiltonian import N_ROWS
from nutslite.sampler.transition.logdensity import Matrix
from nutslite.sampler.transition.metric import Metric
from nutslite.sampler.transition.reference import refer
from nutslite.sampler.transition.trajectory import Workspace

KINDS = {kind.code: kind for kind in (*USUAL_KINDS, LOW_RANK_KIND)}
"""The package's kinds of metric by code."""

USUAL_PARTS = (LEAPFROG, NUTS, DUAL_AVERAGING)
"""What the usual block (`transition/chain.py`) has compiled into it."""


@dataclass(frozen=True)
class Compiled:
    """The parts of a run, compiled: numbers that all of its chains share.

    Attributes
    ----------
    block : callable
        `run_block_of_parts`.
    kinds : dict
        Addresses of velocity and momentum by `Metric.kind`.
    """

    block: Callable[..., int]
    integrator: Integrator
    trajectory: Trajectory
    step: Any
    leap: Any
    transition: Any
    restart: Any
    update: Any
    kinds: dict[int, tuple[Any, Any]]


def compiled_parts(
    integrator: Integrator, trajectory: Trajectory, rule: StepSizeRule, kinds: tuple[MetricKind, ...]
) -> Compiled:
    """Compile the parts, or load them from the disk cache.

    Raises
    ------
    SamplingError
        If one of them does not compile.
    """
    return Compiled(
        block=compiled_block_of_parts(),
        integrator=integrator,
        trajectory=trajectory,
        step=address(integrator.step, Integrator.pointer, f"The integrator '{integrator.name}'"),
        leap=address(trajectory.leap, Trajectory.leap_pointer, f"The leap of the trajectory '{trajectory.name}'"),
        transition=address(trajectory.transition, Trajectory.pointer, f"The trajectory '{trajectory.name}'"),
        restart=address(rule.restart, StepSizeRule.restart_pointer, f"The restart of the step-size rule '{rule.name}'"),
        update=address(rule.update, StepSizeRule.update_pointer, f"The update of the step-size rule '{rule.name}'"),
        kinds={kind.code: _addresses(kind) for kind in kinds},
    )


def _addresses(kind: MetricKind) -> tuple[Any, Any]:
    velocity = address(kind.set_velocity, MetricKind.velocity_pointer, f"The velocity of the metric '{kind.name}'")
    return velocity, address(
        kind.draw_momentum, MetricKind.momentum_pointer, f"The momentum of the metric '{kind.name}'"
    )


def kind_of(metric: Metric, own: MetricKind | None) -> MetricKind:
    """The kind of a metric: `own`, a rule's, or one of the package's.

    Raises
    ------
    SettingError
        If there is none.
    """
    if own is not None and own.code == metric.kind:
        return own
    if metric.kind not in KINDS:
        known = ", ".join(f"{code} ({kind.name})" for code, kind in KINDS.items())
        raise SettingError(
            f"There is no kind of metric number {metric.kind}; there are {known}. Give a MetricRule whose `kind` "
            "says what it is."
        )
    return KINDS[metric.kind]


def blocks_for(
    parts: tuple[Integrator, Trajectory, StepSizeRule], metric: Metric, own: MetricKind | None, chains: int
) -> list[Callable[..., int]]:
    """What chains call, one each: the usual block where no part of it is replaced, otherwise a block of these parts.

    Parameters
    ----------
    metric : Metric
        That chains start with.
    own : MetricKind or None
        Of the metrics that warm-up makes, where that is none of the usual ones.

    Raises
    ------
    SamplingError
        If a part does not compile, or there is no such kind of metric.
    """
    if are_usual(parts, metric, own):
        return [compiled_block()] * chains
    if parts[1].around_center:
        wait_for(ROTATION)
    kinds = _kinds(metric, own)
    compiled = compiled_parts(*parts, (*USUAL_KINDS, *kinds))
    return [BlockOfParts(compiled, metric.dimension) for _ in range(chains)]


def are_usual(parts: tuple[Integrator, Trajectory, StepSizeRule], metric: Metric, own: MetricKind | None) -> bool:
    """Whether no part is replaced, so that the usual compiled block serves. Arguments as for `blocks_for`."""
    return parts == USUAL_PARTS and all(kind in USUAL_KINDS for kind in _kinds(metric, own))


def check_center(
    parts: tuple[Integrator, Trajectory, StepSizeRule], metric: Metric, own: MetricKind | None, adapts: bool
) -> None:
    """Raise where parts and a metric's centre do not go together. Arguments as for `blocks_for`.

    Raises
    ------
    SettingError
    """
    integrator, trajectory, _ = parts
    if not trajectory.around_center:
        if metric.center.size and not are_usual(parts, metric, own):
            raise SettingError(
                "Only the usual leapfrog and NUTS, and trajectory='rotation', move around a metric's centre: give one "
                "without a centre."
            )
        return
    if not metric.center.size or adapts:
        raise SettingError(
            f"trajectory='{trajectory.name}' turns around the centre of a metric that stays: give "
            "metric=centred_at(...), without adapt_metric."
        )
    if integrator != LEAPFROG:
        raise SettingError(f"trajectory='{trajectory.name}' makes its own steps: leave integrator out.")


def _kinds(metric: Metric, own: MetricKind | None) -> tuple[MetricKind, ...]:
    return (kind_of(metric, own), *(() if own is None else (own,)))


class BlockOfParts:
    """What a worker calls, with the arguments of `run_block`. Each chain has one, with scratch of its own."""

    def __init__(self, parts: Compiled, dimension: int) -> None:
        self._parts = parts
        trajectory = parts.trajectory
        self._coefficients = _numbers(parts.integrator.coefficients)
        self._settings = _numbers(trajectory.settings)
        self._scratch = np.zeros((trajectory.n_scratch, N_ROWS, dimension))

    def system(self, function: Any, data: Any, metric: Metric) -> Any:
        """What the parts are given, a reference to a `System`; `function` and `data` as in a `Handle`."""
        parts = self._parts
        velocity, momentum = parts.kinds[metric.kind]
        system = System(
            function,
            data,
            refer(metric, METRIC),
            velocity,
            momentum,
            parts.step,
            self._coefficients,
            int(parts.integrator.gradients),
            parts.leap,
            self._settings,
            self._scratch,
        )
        return refer(system, SYSTEM)

    def __call__(
        self,
        function: Any,
        data: Any,
        rng: np.random.Generator,
        metric: Metric,
        workspace: Workspace,
        *others: Any,
    ) -> int:
        """Run a block; `others` are the arguments of `run_block` after the workspace."""
        parts, system, memory = self._parts, self.system(function, data, metric), refer(workspace, WORKSPACE)
        return parts.block(system, parts.transition, parts.restart, parts.update, rng, memory, *others)


def _numbers(values: tuple[float, ...]) -> Matrix:
    return np.array(values if values else (0.0,), dtype=np.float64)


def inverse_mass_matrix(metric: Metric) -> Matrix:
    """The whole inverse mass matrix, shape (dim, dim): for reports and tests, never used while sampling."""
    return kind_of(metric, None).inverse(metric)


def normal_draws(metric: Metric, rng: np.random.Generator, n: int) -> Matrix:
    """`n` draws ``(n, dim)`` from N(0, M^-1): starting points, where the metric comes from an approximate posterior."""
    return kind_of(metric, None).normal_draws(metric, rng, n)
