"""The methods that ``inference_method=`` names, and which of them draws for a plan."""

from __future__ import annotations

from importlib import import_module

from nutslite.exceptions import SettingError, refuse_other
from nutslite.posterior.methods import large_independence
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.targets.plan import Plan

NAMES = ("auto", "nuts", "vi", "meanfield", "pathfinder", "laplace")
"""Each is a file of this folder, with a record `METHOD`."""
OTHER_NAMES = {"pymc": "nuts", "mcmc": "nuts"}
"""What Bambi calls its default, which is NUTS here."""


def method_called(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    ArgumentError
    """
    refuse_other("inference_method", name, [*NAMES, *OTHER_NAMES])
    method: Method = import_module(f"{__package__}.{OTHER_NAMES.get(name, name)}").METHOD
    return method


def method_for(plan: Plan, settings: Settings) -> Method:
    """The method that draws.

    An argument that the default does not heed means NUTS. A large marginal density has one method that samples it.

    Raises
    ------
    SettingError
        If the method that was asked for cannot serve the plan.
    """
    method = method_called(settings.inference_method)
    if settings.inference_method == "auto" and not method.heeds.issuperset(settings.given):
        method = method_called("nuts")
    if plan.is_large and not method.approximate:
        method = large_independence.METHOD
    if (why_not := method.serves(plan)) is not None:
        raise SettingError(why_not)
    return method
