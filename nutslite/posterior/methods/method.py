"""The record Method: one way to draw from a plan's posterior, or from an approximation of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.plan import Plan


def _serves_all(plan: Plan) -> None:
    return None


@dataclass(frozen=True)
class Method:
    """How draws are made.

    Attributes
    ----------
    name : str
        What results call it; for those of the registry also the value of ``inference_method``.
    about : str
        What it is, in a few words that may follow its name.
    title : callable
        Takes a plan; what the line before sampling calls the method.
    heeds : frozenset of str
        Which of the arguments of `fit` that only some methods understand (`settings.OPTIONAL`) this one understands.
        A warning names others that were given.
    parts : callable
        Takes a plan; what it needs compiled beside the density (`nutslite._awaited`), in the order of use.
    run : callable
        Takes a `Task` and returns its `Fit`; or None, where a trial found that the method does not fit the posterior:
        then the next one goes on from the launch that the task has by then.
    serves : callable
        Takes a plan; None, or in a sentence for the user why it cannot serve.
    refuses : frozenset of str
        Arguments of `fit` that are an error beside it.
    approximate : bool
        Whether draws are those of an approximation: then there is no report on convergence.
    usual_coordinates : bool
        Whether it is of the pilot's coordinates for each level also where matrix centring would serve.
    by_levels : bool
        Whether it draws group effects level by level where the plan allows it.
    """

    name: str
    about: str
    title: Callable[[Plan], str]
    heeds: frozenset[str]
    parts: Callable[[Plan], tuple[str, ...]]
    run: Callable[[Task], Fit | None]
    serves: Callable[[Plan], str | None] = _serves_all
    refuses: frozenset[str] = frozenset()
    approximate: bool = False
    usual_coordinates: bool = False
    by_levels: bool = False
