"""What `Model.fit` does: a plan is run, its draws are named and stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nutslite._log import log
from nutslite.exceptions import SettingError
from nutslite.model.fits.after_fit import add_log_likelihood, add_log_prior, predict
from nutslite.model.fits.fit_arguments import FitArguments
from nutslite.model.record.specification import Specification
from nutslite.posterior.targets.plan import Plan, make_plan, with_sorted_rows

if TYPE_CHECKING:
    from nutslite.posterior.methods.fit import Fit
    from nutslite.posterior.methods.settings import Settings
    from nutslite.results.storage.stored_fit import StoredFit

ADDED = {
    "include_response_params": (predict, "predict"),
    "log_likelihood": (add_log_likelihood, "compute_log_likelihood"),
    "log_prior": (add_log_prior, "compute_log_prior"),
}
"""By what asks for it: what adds a group to results, and the method of `Model` that does so later."""


SPREAD = (
    "The likelihood of a quantile is a working one: intervals of these draws need not cover. "
    "model.adjust_intervals(results) gives draws whose intervals do."
)


@dataclass(frozen=True, eq=False)
class Job:
    """A fit that nothing stands in the way of.

    Attributes
    ----------
    specification : Specification
    arguments : FitArguments
    plan : Plan
    settings : Settings
        Of the sampler, made of the arguments; a run that goes on without a seed has that of its checkpoint.
    stored : StoredFit or None
        The file of ``file=``, which knows whether it holds this fit.
    """

    specification: Specification
    arguments: FitArguments
    plan: Plan
    settings: Settings
    stored: StoredFit | None


def prepare(specification: Specification, arguments: FitArguments) -> Job:
    """Refuse what cannot be fitted, before it takes time.

    Raises
    ------
    NutsliteError
        As for `Model.fit`, whose ``priors`` are in the specification already.
    """
    from nutslite.posterior.methods.registry import method_for
    from nutslite.sampler.checkpoint.checkpoint import stored_seed

    for name in ("include_response_params", "log_likelihood"):
        if arguments.groups.get(name):
            specification.need_rows(name, f"Leave it out; model.{ADDED[name][1]}(results, data=...) is for new rows")
    seed, checkpoint = arguments.random_seed, arguments.checkpoint
    if seed is None and checkpoint is not None:
        seed = stored_seed(checkpoint)
    recognised = checkpoint is not None or arguments.file is not None
    settings = arguments.settings(seed, specification.identity() if recognised else None)
    _say_what_is_modelled(specification)
    plan = _plan(specification, arguments)
    method_for(plan, settings)  # which must serve
    return Job(specification, arguments, plan, settings, _stored(specification, arguments, plan, settings))


def carry_out(job: Job) -> Any:
    """Sample, or load what a file has of the same call.

    Returns
    -------
    InferenceData or DataTree
    """
    from nutslite.results.container.row_labels import label_rows

    if job.stored is None:
        return _sampled(job)
    if (found := job.stored.results()) is not None:
        return label_rows(found, job.specification.spec.design)
    results = _sampled(job)
    job.stored.keep(results)
    return results


def _say_what_is_modelled(specification: Specification) -> None:
    """Which of two outcomes the probability is of."""
    response = specification.spec.design.response
    success = response.success or ("1" if specification.spec.family.kind == "bernoulli" else None)
    if success is not None:
        log.info("Modeling the probability that %s==%s", response.name, success)


def _plan(specification: Specification, arguments: FitArguments) -> Plan:
    """The plan that was given, once it is known to be of this model, or the one that was asked for.

    Raises
    ------
    SettingError
        For a plan of other numbers than this model's, which it would fit; for starting values of what there is not.
    """
    from nutslite.posterior.points.start_values import check_start_values

    posterior, plan = specification.posterior, arguments.plan
    if not isinstance(plan, Plan):
        others = posterior.holds_numbers  # somebody may have them, in their order
        plan = make_plan(posterior.assembled, plan, pilot=arguments.pilot if arguments.init == "auto" else False)
        own = plan if others else with_sorted_rows(plan)
        if own is not plan:
            posterior.let_go_of_numbers()
        plan = own
    elif plan.assembled.spec is not specification.spec:
        raise SettingError(
            "fit(plan=...): this plan was made by another model, or by this one before its priors changed. Call "
            "its method plan() again."
        )
    if arguments.start is not None:
        check_start_values(plan.assembled, arguments.start)
    return plan


def _stored(specification: Specification, arguments: FitArguments, plan: Plan, settings: Settings) -> StoredFit | None:
    """The file for the results, if there is to be one, and what determines them.

    Raises
    ------
    DataError
        If no file can be made there.
    """
    if arguments.file is None:
        return None
    from nutslite.posterior.run.identity import run_identity
    from nutslite.results.storage.stored_fit import StoredFit
    from nutslite.sampler.checkpoint.digest import digest

    seed = None if arguments.random_seed is None else settings.random_seed
    own = {**arguments.groups, "random_seed": seed, "aliases": digest(specification.aliases)}
    if arguments.until is not None:
        own |= {"until": arguments.until, "budget": float(arguments.budget)}
    return StoredFit(arguments.file, {**run_identity(plan, settings), **own})


def drawn(job: Job, before_sampling: Callable[[], Any] | None = None) -> Fit:
    """The draws of a job: of one run, or of one that went on."""
    from nutslite.model.fits.until import run_until
    from nutslite.posterior.run.run import run
    from nutslite.sampler.memory import KEPT_BYTES, give_back

    arguments = job.arguments
    if arguments.until is None:
        found = run(job.plan, job.settings, before_sampling, goes_on=False)
        if found.effects.nbytes > KEPT_BYTES:
            give_back()  # what the sampler had, before the container of the results is made
        return found
    warns = arguments.compute_convergence_checks
    return run_until(job.plan, job.settings, arguments.budget, before_sampling, warns)


def _sampled(job: Job) -> Any:
    """Run a plan, name and store its draws, and add the groups that were asked for.

    What follows the sampling is tried before it; where it fails all the same, the draws are written raw.
    """
    from nutslite.posterior.run.narration import how_long_it_took, what_is_sampled
    from nutslite.results.container.preload import preload_arviz
    from nutslite.results.fit import raw_draws, store_fit
    from nutslite.results.rehearsal import rehearse
    from nutslite.sampler.interrupts import careful_interrupts
    from nutslite.sampler.rescue import rescued

    specification, arguments, plan, settings = job.specification, job.arguments, job.plan, job.settings
    named: dict[str, Any] = {"aliases": specification.aliases, "notes": specification.notes()}
    rehearse(plan.assembled, groups=arguments.groups, chains=settings.chains, draws=settings.draws, **named)
    if settings.progressbar:
        log.info("%s", what_is_sampled(plan, settings, specification.aliases))
    with careful_interrupts():
        run_of_plan = drawn(job, before_sampling=preload_arviz)
        what = "one array a variable, of shape (chains, draws, ...)"
        with rescued(lambda: raw_draws(run_of_plan), what, beside=arguments.file):
            if settings.progressbar:
                log.info("%s", how_long_it_took(run_of_plan))
            if specification.spec.family.quantile is not None:
                log.info("%s", SPREAD)
            report = arguments.compute_convergence_checks
            results = store_fit(run_of_plan, omit_offsets=arguments.omit_offsets, report=report, **named)
    _add_groups(specification, results, arguments)
    return results


def _add_groups(specification: Specification, results: Any, arguments: FitArguments) -> None:
    """What `fit` was asked to add to its draws; these are not lost where that fails, or is interrupted."""
    for name, (add, method) in ADDED.items():
        if not arguments.groups.get(name):
            continue
        try:
            add(specification, results)
        except KeyboardInterrupt:
            log.warning("Interrupted when all draws were made: the results lack some of the groups asked for.")
            return
        except Exception as error:
            log.warning(
                "The results have all draws, but not what %s asks for, which failed (%s: %s). "
                "model.%s(results) tries it again.",
                name,
                type(error).__name__,
                error,
                method,
            )
