"""The step size by stochastic approximation: ever smaller steps of its logarithm towards the target.

Robbins and Monro 1951, Annals of Mathematical Statistics 22:400; in samplers: Andrieu and Thoms 2008, Statistics and
Computing 18:343, section 4.2. Step number n has the weight n**-0.6; the average of all steps is what is sampled with
(Polyak and Juditsky 1992).
"""

from __future__ import annotations

import math

from nutslite.sampler.parts.step_size_rule import FIRST_OWN, StepSizeRule
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.step_size import KAPPA, LOG_AVERAGE, STEP_SIZE

COUNT = FIRST_OWN

POWER = 0.6


@uncounted
def restart_robbins_monro(state: Vector) -> None:
    """Count from the beginning."""
    state[LOG_AVERAGE] = math.log(state[STEP_SIZE])
    state[COUNT] = 0.0


@uncounted
def update_robbins_monro(state: Vector, acceptance: float, target: float) -> None:
    """One step towards the target."""
    state[COUNT] += 1.0
    count = state[COUNT]
    log_step = math.log(state[STEP_SIZE]) + count**-POWER * (acceptance - target)
    forget = count**-KAPPA
    state[LOG_AVERAGE] = (1.0 - forget) * state[LOG_AVERAGE] + forget * log_step
    state[STEP_SIZE] = math.exp(log_step)


ROBBINS_MONRO = StepSizeRule(
    "robbins_monro", restart_robbins_monro, update_robbins_monro, "Robbins and Monro 1951; Andrieu and Thoms 2008"
)
