"""The methods that ``inference_method=`` names, and which of them draws for a plan."""

from __future__ import annotations

from importlib import import_module

from nutslite.exceptions import SettingError, refuse_other
from nutslite.posterior.methods import large_independence, nuts, streamed
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.targets.plan import Plan

NAMES = ("auto", "nuts", "hmc", "vi", "meanfield", "pathfinder", "laplace")
"""Each but "hmc", which is in `nuts`, is a file of this folder, with a record `METHOD`."""
OTHER_NAMES = {"pymc": "nuts", "mcmc": "nuts", "advi": "meanfield", "fullrank_advi": "vi"}
"""What Bambi and PyMC call methods: two names of NUTS, and two of methods that do the same by other means."""
INSTEAD = {
    "advi": "'meanfield' runs: the lower bound that ADVI climbs by noisy steps, over fixed draws, so that its maximum "
    "is found and known to be one, and covariances by linear response.",
    "fullrank_advi": "'vi' runs: a normal distribution with a full covariance, as that of full-rank ADVI, matched to "
    "gradients in closed form, without a learning rate.",
}
"""Of other names what is to be said: which method runs, and why."""


def method_called(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    ArgumentError
    """
    refuse_other("inference_method", name, [*NAMES, *OTHER_NAMES])
    if name == nuts.HMC.name:
        return nuts.HMC
    method: Method = import_module(f"{__package__}.{OTHER_NAMES.get(name, name)}").METHOD
    return method


def approximate_names() -> tuple[str, ...]:
    """The methods whose draws are of an approximation."""
    return tuple(name for name in NAMES if method_called(name).approximate)


def method_for(plan: Plan, settings: Settings) -> Method:
    """The method that draws.

    An argument that the default does not heed means chains of trajectories. A large marginal density has one method
    that samples it.

    Raises
    ------
    SettingError
        If the method that was asked for cannot serve the plan.
    """
    method = method_called(settings.inference_method)
    if plan.streams:
        if settings.inference_method != "auto":
            raise SettingError(
                f"inference_method='{settings.inference_method}' would read all data for each gradient, and these are "
                "on an engine. Leave it out: independence Metropolis takes some ten passes."
            )
        return streamed.METHOD
    if settings.inference_method == "auto" and not method.heeds.issuperset(settings.given):
        method = nuts.HMC if plan.rotates and nuts.HMC.heeds.issuperset(settings.given) else nuts.METHOD
    if plan.is_large and not method.approximate:
        method = large_independence.METHOD
    if (why_not := method.serves(plan)) is not None:
        raise SettingError(why_not)
    return method
