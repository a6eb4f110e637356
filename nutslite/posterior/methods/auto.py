"""The default: independence Metropolis where a proposal fits, slices for models of few rows, otherwise trajectories.

For many parameters these turn around the pilot's centre; for few NUTS says how far they go.
"""

from __future__ import annotations

from nutslite._awaited import BLOCK, MANY, NATURAL, ROTATION
from nutslite.posterior.methods import independence, nuts, slices
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.plan import Plan

BEFORE_NUTS = (independence.METHOD, slices.METHOD)


def run(task: Task) -> Fit:
    """Draw by the first method whose trial finds that it fits; NUTS goes on from the launch that they have found."""
    for method in BEFORE_NUTS:
        if method.serves(task.plan) is None and (fit := method.run(task)) is not None:
            return fit
    task.launched()
    return nuts.run_hmc(task) if task.plan.rotates else nuts.run(task)


def title(plan: Plan) -> str:
    """The methods that may draw; the line after sampling says which one did."""
    titles = [method.title(plan) for method in BEFORE_NUTS if method.serves(plan) is None]
    if slices.METHOD.serves(plan) is not None:
        titles.append(nuts.METHOD.title(plan))
    return " or ".join(titles)


def parts(plan: Plan) -> tuple[str, ...]:
    """Those of proposals before those of NUTS."""
    if plan.by_levels:
        return independence.parts(plan)
    if plan.density in ("joint", "matrix") and plan.assembled.data.centring.size:
        return (nuts.HMC if plan.rotates else nuts.METHOD).parts(plan)
    return (MANY, NATURAL, ROTATION if plan.rotates else BLOCK)


METHOD = Method(
    name="auto",
    about="what the model allows",
    title=title,
    heeds=independence.METHOD.heeds & slices.METHOD.heeds,
    parts=parts,
    run=run,
    by_levels=True,
)
