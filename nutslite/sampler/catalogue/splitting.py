"""Splitting integrators: kicks of the momentum and drifts of the position in turn, told apart by their coefficients.

A step of size h is a palindrome of kicks b and drifts a, each for a share of h::

    b[0] a[0] b[1] a[1] ... a[0] b[0],        sum(a) = sum(b) = 1

Each part is a shear, so that the step keeps volumes; it reads the same backwards, so that it is reversible; and so its
order is even. With one drift it is the leapfrog. More drifts cost more gradients and allow longer steps; what counts is
the error at equal cost.
"""

from __future__ import annotations

import math

from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.system import System, drift, evaluate, kick
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Matrix


@uncounted
def splitting_step(system: System, point: Matrix, step_size: float) -> float:
    """One step; ``system.coefficients`` are kick, drift, kick, ..., drift, kick."""
    shares = system.coefficients
    kick(point, shares[0] * step_size)
    logp = 0.0
    for stage in range(shares.shape[0] // 2):
        drift(system, point, shares[2 * stage + 1] * step_size)
        logp = evaluate(system, point)
        kick(point, shares[2 * stage + 2] * step_size)
    return logp


def splitting(name: str, shares: tuple[float, ...], *, order: int, source: str) -> Integrator:
    """An integrator from the first half of its palindrome: kick, drift, ..., the middle one included."""
    whole = (*shares, *shares[-2::-1])
    return Integrator(name, splitting_step, len(whole) // 2, whole, order, source)


LEAPFROG = splitting("leapfrog", (0.5, 1.0), order=2, source="Neal 2011, Handbook of Markov Chain Monte Carlo, 5.2.3")

_KICK = (3.0 - math.sqrt(3.0)) / 6.0

TWO_STAGE = splitting(
    "two_stage",
    (_KICK, 0.5, 1.0 - 2.0 * _KICK),
    order=2,
    source="Blanes, Casas and Sanz-Serna 2014, SIAM Journal on Scientific Computing 36(4):A1556, equation 6.4",
)

_KICK_3, _DRIFT_3 = 0.11888010966548, 0.29619504261126

THREE_STAGE = splitting(
    "three_stage",
    (_KICK_3, _DRIFT_3, 0.5 - _KICK_3, 1.0 - 2.0 * _DRIFT_3),
    order=2,
    source="Blanes, Casas and Sanz-Serna 2014, equation 6.7: least expected energy error for steps up to 3",
)

_SUZUKI = 1.0 / (4.0 - 4.0 ** (1.0 / 3.0))
_BACK = 1.0 - 4.0 * _SUZUKI

FOURTH_ORDER = splitting(
    "fourth_order",
    (0.5 * _SUZUKI, _SUZUKI, _SUZUKI, _SUZUKI, 0.5 * (_SUZUKI + _BACK), _BACK),
    order=4,
    source="Suzuki 1990, Physics Letters A 146:319: five leapfrogs, the middle one backwards",
)
