"""Warm-up in overlapping windows, as nutpie's: the metric follows the chain from its first draws on.

Stan learns nothing from the first 100 transitions but a step size, with the identity for a metric, and these are often
the dearest of all (Seyboldt, Carlson and Carpenter 2026, arXiv:2603.18845, on their adaptation schedule). Here

* the first metric is made of the gradient at the starting point: variance ``1 / |gradient|`` in each coordinate;
* the metric is estimated every ten transitions, from all draws since the last window but one began. Windows end after
  10 draws in the first three tenths of the warm-up and after 80 later, so that the draws of the way to where the
  density is are soon forgotten, and an estimate has always one whole window at least;
* the step size is searched anew after the first estimate, and then goes on adapting;
* in the last 15 of 100 transitions the metric stays.

Numbers are nutpie's, except that it estimates after each transition. Its estimates use gradients: `metric="diag_grad"`
or ``"low_rank"`` go with this.
"""

from __future__ import annotations

import numpy as np

from nutslite.sampler.parts.stage import Stage, Warmup
from nutslite.sampler.transition.logdensity import Vector
from nutslite.sampler.transition.metric import Metric, diagonal_metric

EARLY, LAST = 0.3, 0.15
EARLY_WINDOW, WINDOW, UPDATE = 10, 80, 10

MOST_UPDATES = 1000
"""In a longer warm-up estimates are made less often."""

SHORTEST = 20
"""With fewer transitions than this only the step size adapts."""

LEAST_VARIANCE, GREATEST_VARIANCE = 1e-10, 1e10


def overlapping_stages(tune: int, *, adapt_metric: bool = True) -> tuple[Stage, ...]:
    """The stages of a warm-up of `tune` transitions.

    >>> [(stage.length, stage.looks_back) for stage in overlapping_stages(60)]
    [(10, 0), (10, 10), (10, 20), (10, 30), (11, 40), (9, 0)]
    >>> sum(stage.length for stage in overlapping_stages(1000))
    1000
    """
    if tune <= 0:
        return ()
    if not adapt_metric or tune < SHORTEST:
        return (Stage(tune, False),)
    last = max(1, int(LAST * tune))
    early, end, update = int(EARLY * tune), tune - last, max(UPDATE, tune // MOST_UPDATES)
    stages: list[Stage] = []
    previous = current = 0  # where the last window but one began, and the last
    done = 0
    while done < end:
        if done - current >= (EARLY_WINDOW if done < early else WINDOW):
            previous, current = current, done
        length = update if end - done >= 2 * update else end - done
        stages.append(Stage(length, True, done - previous, searches=not stages))
        done += length
    return (*stages, Stage(last, False))


def metric_of_gradient(position: Vector, gradient: Vector) -> Metric:
    """Variance ``1 / |gradient|``, or 1 where that is 0: right where a coordinate is one scale from its mode."""
    sizes = np.abs(np.where(gradient == 0.0, 1.0, gradient))
    return diagonal_metric(np.clip(1.0 / sizes, LEAST_VARIANCE, GREATEST_VARIANCE))


FISHER = Warmup(
    "fisher",
    overlapping_stages,
    metric_of_gradient,
    source="Seyboldt, Carlson and Carpenter 2026, arXiv:2603.18845",
)
