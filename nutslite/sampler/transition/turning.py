"""When to stop: the generalised U-turn criterion, checked over a growing trajectory without recursion.

A *span* is a run of consecutive phase points of one trajectory. Its summary is what the criterion needs: momentum and
velocity of its first and last point, and rho, the sum of its momenta. A span has turned when its rho no longer points
along the velocity at both ends (Betancourt 2017, arXiv:1701.02434, appendix A.4.2)::

    turned  <=>  velocity_first . rho <= 0   or   velocity_last . rho <= 0

Where two neighbouring spans are joined, two further checks see a turn that happens between them: one span and the
first point of the other. Without them a trajectory can resonate past the U-turn of a near-isotropic density.

NUTS joins spans like the leaves of a perfect binary tree. Counting leaves in binary does that without recursion. Before
leaf number n arrives, one span waits for each set bit of n, longest first. The leaf joins as a span of its own, and
every trailing 1 of n is one join with the span below::

    n = 5 = 101   waiting: leaves 0-3, leaf 4;    leaf 5 joins leaf 4:     4-5
    n = 6 = 110   waiting: leaves 0-3, 4-5;       leaf 6 joins nothing:    6
    n = 7 = 111   waiting: leaves 0-3, 4-5, 6;    7 joins 6, 4-5 and 0-3:  0-7
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Vector

FIRST_MOMENTUM, FIRST_VELOCITY, LAST_MOMENTUM, LAST_VELOCITY, RHO = range(5)
N_SPAN_ROWS = 5


@uncounted
def turns(spans: npt.NDArray[np.float64], left: int, right: int, last_velocity: Vector) -> bool:
    """Whether span `left` followed by span `right` has turned, as a whole or at the seam.

    Parameters
    ----------
    spans : ndarray (>= 2, 5, dim)
        Summaries of spans; only read.
    left, right : int
        Rows of two neighbouring spans, in the order in which they were integrated.
    last_velocity : ndarray (dim,)
        Velocity at the last point of `right` (whose own LAST rows are not read).
    """
    whole_first = whole_last = 0.0  # both spans together
    left_first = left_last = 0.0  # left, and the first point of right
    right_first = right_last = 0.0  # the last point of left, and right
    for i in range(last_velocity.shape[0]):
        rho = spans[left, RHO, i] + spans[right, RHO, i]
        whole_first += spans[left, FIRST_VELOCITY, i] * rho
        whole_last += last_velocity[i] * rho
        rho = spans[left, RHO, i] + spans[right, FIRST_MOMENTUM, i]
        left_first += spans[left, FIRST_VELOCITY, i] * rho
        left_last += spans[right, FIRST_VELOCITY, i] * rho
        rho = spans[left, LAST_MOMENTUM, i] + spans[right, RHO, i]
        right_first += spans[left, LAST_VELOCITY, i] * rho
        right_last += last_velocity[i] * rho
    smallest = min(whole_first, whole_last, left_first, left_last, right_first, right_last)
    return not smallest > 0.0


@uncounted
def join(spans: npt.NDArray[np.float64], left: int, right: int) -> None:
    """Add span `right` to `left`, as far as rho goes: ``spans[left, RHO]`` is overwritten."""
    for i in range(spans.shape[2]):
        spans[left, RHO, i] += spans[right, RHO, i]


@uncounted
def add_leaf(spans: npt.NDArray[np.float64], bottom: int, leaf: int, momentum: Vector, velocity: Vector) -> bool:
    """Add leaf number `leaf` (from 0) to the spans that wait from row `bottom` on; return whether any join turned.

    Parameters
    ----------
    spans : ndarray (>= bottom + bits of leaf + 1, 5, dim)
        Waiting spans; overwritten from the new leaf's row on. After 2**k leaves without a turn, ``spans[bottom]``
        summarises them all.
    """
    top = bottom
    waiting = leaf
    while waiting > 0:
        top += waiting & 1
        waiting >>= 1
    for i in range(momentum.shape[0]):
        spans[top, FIRST_MOMENTUM, i] = momentum[i]
        spans[top, FIRST_VELOCITY, i] = velocity[i]
        spans[top, RHO, i] = momentum[i]
    while leaf & 1:
        if turns(spans, top - 1, top, velocity):
            return True
        top -= 1
        join(spans, top, top + 1)
        leaf >>= 1
    for i in range(momentum.shape[0]):
        spans[top, LAST_MOMENTUM, i] = momentum[i]
        spans[top, LAST_VELOCITY, i] = velocity[i]
    return False
