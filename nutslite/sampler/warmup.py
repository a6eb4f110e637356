"""Stan's warm-up schedule, as a list of plain records.

As in Stan (Reference Manual, "Automatic parameter tuning"): a fast interval in which only the step size adapts, slow
windows of doubling length at whose ends the metric is estimated anew, and a last fast interval for the step size.
"""

from __future__ import annotations

from nutslite.sampler.parts.stage import Stage, Warmup

FIRST_FAST, FIRST_SLOW, LAST_FAST = 75, 25, 50
SHORTEST_SCHEDULE = 20
"""With fewer transitions than this only the step size adapts."""


def warmup_stages(tune: int, *, adapt_metric: bool = True) -> tuple[Stage, ...]:
    """The stages of a warm-up of `tune` transitions.

    Too short a warm-up for 75, 25 and 50 is divided 15 %, 75 %, 10 %. A window that would leave less than a window of
    twice its length before the last interval is extended to it.

    >>> [stage.length for stage in warmup_stages(1000)]
    [75, 25, 50, 100, 200, 500, 50]
    >>> [stage.length for stage in warmup_stages(100)]
    [15, 75, 10]
    >>> warmup_stages(0)
    ()
    """
    if tune <= 0:
        return ()
    if not adapt_metric or tune < SHORTEST_SCHEDULE:
        return (Stage(tune, False),)
    first, window, last = FIRST_FAST, FIRST_SLOW, LAST_FAST
    if first + window + last > tune:
        first, last = int(0.15 * tune), int(0.10 * tune)
        window = tune - first - last
    stages = [Stage(first, False)]
    remaining = tune - first - last
    while remaining > 0:
        length = window if len(stages) == 1 or remaining - window >= 2 * window else remaining
        stages.append(Stage(length, True))
        remaining -= length
        window *= 2
    stages.append(Stage(last, False))
    return tuple(stage for stage in stages if stage.length > 0)


STAN = Warmup("stan", warmup_stages, source="Stan Reference Manual, Automatic parameter tuning")
