"""Run a method on a plan: settings in, draws on the model's natural scale out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from nutslite._log import log
from nutslite._parallel.blas import one_blas_thread
from nutslite._stack import with_room
from nutslite.exceptions import SamplingError
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.method import Method
from nutslite.posterior.methods.registry import method_for
from nutslite.posterior.methods.safeguards import memory_of_results, named_functions
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import Task, may_be_over
from nutslite.posterior.run.compile_beside import compiling_beside
from nutslite.posterior.run.identity import run_identity
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.checkpoint.checkpoint import Checkpoint
from nutslite.sampler.interrupts import careful_interrupts


def run(
    plan: Plan, settings: Settings, before_sampling: Callable[[], Any] | None = None, *, goes_on: bool = True
) -> Fit:
    """Draw from a plan's posterior by the method that the settings name.

    Parameters
    ----------
    plan : Plan
    settings : Settings
    before_sampling : callable, optional
        Called once before draws are made (to load in the background what comes after).
    goes_on : bool
        Whether the fit may be asked for more draws. Otherwise what they would need gives its memory to results.

    Raises
    ------
    SettingError
        If the method cannot serve the plan.
    SamplingError
        If the model has nothing to sample, a setting is impossible, or no finite starting point exists.

    Notes
    -----
    `Fit.longer` goes on from the file where there is a checkpoint, otherwise from where the chains ended, in memory; a
    method that knows of neither runs again.
    """
    method = method_for(plan, settings)
    numbers = settings.chains * settings.draws * plan.assembled.layout.dimension
    over = may_be_over(plan, numbers, goes_on) and settings.discard_tuned_samples
    with memory_of_results(plan, settings, 1 if over else 3):  # before a pilot takes its time, and there is a file
        pass
    if method.usual_coordinates:
        plan = replace(plan, structure=None, may_move=False)
    if not method.by_levels:
        plan = replace(plan, by_levels=False)
    _say_unused(method, plan, settings)
    with careful_interrupts(), named_functions(plan), _opened_checkpoint(method, plan, settings) as checkpoint:
        task = Task(plan, settings, checkpoint, before_sampling or (lambda: None), goes_on)
        parts = method.parts(plan)
        with compiling_beside(plan.density, parts) if parts else contextlib.nullcontext(), one_blas_thread():
            fit = with_room(lambda: method.run(task))
    if fit is None:
        raise SamplingError(f"{method.title(plan)} does not fit this posterior. Use NUTS.")
    return replace(fit, longer=_longer(plan, settings, fit) if goes_on else None)


def _longer(plan: Plan, settings: Settings, fit: Fit) -> Callable[[int], Fit] | None:
    """The way to more draws of a run, with what stands around every run."""
    if fit.approximate:
        return None
    go_on = fit.longer
    if settings.checkpoint is not None or go_on is None:
        return lambda draws: run(plan, replace(settings, draws=draws))

    def longer(draws: int) -> Fit:
        more = replace(settings, draws=draws)
        with careful_interrupts(), named_functions(plan), memory_of_results(plan, more), one_blas_thread():
            found = with_room(lambda: go_on(draws))
        return replace(found, longer=_longer(plan, settings, found))

    return longer


def _say_unused(method: Method, plan: Plan, settings: Settings) -> None:
    """Warn about arguments that were given and have no meaning for this method."""
    one_core = settings.cores == 1  # which is what other methods use anyway
    unused = [name for name in settings.given if name not in method.heeds and not (name == "cores" and one_core)]
    if unused:
        log.warning("This plan (%s) has no use for: %s.", method.title(plan), ", ".join(unused))


@contextlib.contextmanager
def _opened_checkpoint(method: Method, plan: Plan, settings: Settings) -> Iterator[Checkpoint | None]:
    """The checkpoint that the settings name, open; None where they name none, or the method takes no time.

    Raises
    ------
    SamplingError
        If it cannot be written or belongs to another run.
    """
    if settings.checkpoint is None or "checkpoint" not in method.heeds:
        yield None
        return
    identity = run_identity(plan, settings, numbered=False)
    with Checkpoint(settings.checkpoint, identity, settings.random_seed) as checkpoint:
        if checkpoint.resumed:
            log.info("Going on with the run of the checkpoint '%s'.", checkpoint.path)
        yield checkpoint
