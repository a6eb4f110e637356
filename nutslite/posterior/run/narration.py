"""The lines that stand before and after a progress bar: what is sampled, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.registry import method_for
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.targets.plan import Plan


def what_is_sampled(plan: Plan, settings: Settings, aliases: Mapping[str, str]) -> str:
    """``NUTS: [sigma, 1|g_sigma]``, with what is drawn exactly afterwards.

    Group effects that start as offsets (``1|g_offset``) are shown so.
    """
    free = PointMap(plan.assembled).free
    offsets = {q.of: q.name for q in plan.assembled.inventory.of_kind("standardised effects")}
    kept = range(plan.assembled.layout.dimension) if plan.reduction is None else plan.reduction.kept
    sampled, exact = [], []
    for variable in free:
        if not np.isin(variable.index, kept).all():
            exact.append(aliases.get(variable.name, variable.name))
        else:
            name = offsets.get(variable.name, variable.name)
            sampled.append(aliases.get(name, name))
    line = f"{method_for(plan, settings).title(plan)}: [{', '.join(sampled)}]"
    return f"{line}, then exact draws of [{', '.join(exact)}]" if exact else line


def how_long_it_took(fit: Fit) -> str:
    """``Sampling 4 chains for 1_000 tune and 1_000 draw iterations (4_000 + 4_000 draws total) took 17 seconds.``"""
    chains, draws = fit.values.shape[:2]
    tune = fit.settings.tune or 0
    seconds = sum(fit.seconds.values()) - fit.seconds["compilation"]
    compiled = f" (and compiling {fit.seconds['compilation']:.0f})" if fit.seconds["compilation"] >= 1.0 else ""
    took = f"{seconds:.1f}" if seconds < 9.95 else f"{seconds:.0f}"
    return (
        f"Sampling {chains} chain{'s' if chains > 1 else ''} for {tune:_} tune and {draws:_} draw iterations "
        f"({chains * tune:_} + {chains * draws:_} draws total) took {took} seconds{compiled}{fit.remark}."
    )
