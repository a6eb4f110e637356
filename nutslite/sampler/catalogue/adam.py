"""The step size by Adam: steps of its logarithm in units of how much the acceptance rate has varied.

Kingma and Ba 2015, arXiv:1412.6980, algorithm 1, where the gradient is (target - acceptance). It changes the step size
by a few per cent in each transition, whatever the density, so that it is calmer at first than dual averaging, and takes
some fifty transitions for a factor of ten. What is sampled with is the weighted average that dual averaging takes.
"""

from __future__ import annotations

import math

from nutslite.sampler.parts.step_size_rule import FIRST_OWN, StepSizeRule
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.step_size import KAPPA, LOG_AVERAGE, STEP_SIZE

MEAN, SQUARE, COUNT = FIRST_OWN, FIRST_OWN + 1, FIRST_OWN + 2

RATE, DECAY, SQUARE_DECAY, LEAST = 0.05, 0.9, 0.999, 1e-8


@uncounted
def restart_adam(state: Vector) -> None:
    """Forget all moments."""
    state[LOG_AVERAGE] = math.log(state[STEP_SIZE])
    state[MEAN] = state[SQUARE] = state[COUNT] = 0.0


@uncounted
def update_adam(state: Vector, acceptance: float, target: float) -> None:
    """One step down the gradient (target - acceptance)."""
    state[COUNT] += 1.0
    count, gradient = state[COUNT], target - acceptance
    state[MEAN] = DECAY * state[MEAN] + (1.0 - DECAY) * gradient
    state[SQUARE] = SQUARE_DECAY * state[SQUARE] + (1.0 - SQUARE_DECAY) * gradient * gradient
    mean, square = state[MEAN] / (1.0 - DECAY**count), state[SQUARE] / (1.0 - SQUARE_DECAY**count)
    log_step = math.log(state[STEP_SIZE]) - RATE * mean / (math.sqrt(square) + LEAST)
    forget = count**-KAPPA
    state[LOG_AVERAGE] = (1.0 - forget) * state[LOG_AVERAGE] + forget * log_step
    state[STEP_SIZE] = math.exp(log_step)


ADAM = StepSizeRule("adam", restart_adam, update_adam, "Kingma and Ba 2015, arXiv:1412.6980, algorithm 1")
