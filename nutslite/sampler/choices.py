"""What `sample` takes by name: the catalogue of replaceable parts.

A new part has a line here, or is passed as a record.

=================  ==============================================  ===================
argument           names                                           record
=================  ==============================================  ===================
`integrator`       leapfrog, two_stage, three_stage, fourth_order  `Integrator`
`trajectory`       nuts, static, walnuts, rotation                 `Trajectory`
`step_size_rule`   dual_averaging, adam, robbins_monro             `StepSizeRule`
`warmup`           stan, fisher                                    `Warmup`
`metric`           diag, diag_grad, dense, low_rank                `MetricRule`
=================  ==============================================  ===================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from nutslite.exceptions import SettingError, SettingTypeError, did_you_mean
from nutslite.sampler.catalogue.adam import ADAM
from nutslite.sampler.catalogue.doubling import NUTS
from nutslite.sampler.catalogue.low_rank import LOW_RANK_RULE
from nutslite.sampler.catalogue.overlapping_windows import FISHER
from nutslite.sampler.catalogue.robbins_monro import ROBBINS_MONRO
from nutslite.sampler.catalogue.rotation import ROTATION
from nutslite.sampler.catalogue.splitting import FOURTH_ORDER, LEAPFROG, THREE_STAGE, TWO_STAGE
from nutslite.sampler.catalogue.static import STATIC
from nutslite.sampler.catalogue.walnuts import WALNUTS
from nutslite.sampler.mass_matrix import DENSE_RULE, DIAGONAL_GRADIENT_RULE, DIAGONAL_RULE
from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.metric_kind import MetricRule
from nutslite.sampler.parts.stage import Warmup
from nutslite.sampler.parts.step_size_rule import DUAL_AVERAGING, StepSizeRule
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.warmup import STAN

Part = TypeVar("Part", Integrator, Trajectory, StepSizeRule, Warmup, MetricRule)


def _by_name(parts: Iterable[Part]) -> dict[str, Part]:
    return {part.name: part for part in parts}


INTEGRATORS: Mapping[str, Integrator] = _by_name((LEAPFROG, TWO_STAGE, THREE_STAGE, FOURTH_ORDER))
TRAJECTORIES: Mapping[str, Trajectory] = _by_name((NUTS, STATIC, WALNUTS, ROTATION))
STEP_SIZE_RULES: Mapping[str, StepSizeRule] = _by_name((DUAL_AVERAGING, ADAM, ROBBINS_MONRO))
WARMUPS: Mapping[str, Warmup] = _by_name((STAN, FISHER))
METRIC_RULES: Mapping[str, MetricRule] = _by_name((DIAGONAL_RULE, DIAGONAL_GRADIENT_RULE, DENSE_RULE, LOW_RANK_RULE))


def chosen(argument: str, value: Any, catalogue: Mapping[str, Part], record: type[Part]) -> Part:
    """The part that an argument means: a name of the catalogue, or a record.

    Raises
    ------
    SettingError
        If it is neither; the message lists the names.
    """
    if isinstance(value, record):
        return value
    known = ", ".join(repr(name) for name in catalogue)
    if not isinstance(value, str):
        raise SettingTypeError(f"{argument} must be one of {known}, or of class {record.__name__}, not {value!r}.")
    if value not in catalogue:
        raise SettingError(
            f"{argument} must be one of {known}, or of class {record.__name__}, not {value!r}."
            + did_you_mean(value, catalogue)
        )
    return catalogue[value]
