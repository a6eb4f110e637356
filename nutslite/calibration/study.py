"""Simulation-based calibration of a model, on any executor."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite._calls import public
from nutslite._log import log
from nutslite._parallel import check_executor, run_on
from nutslite.calibration.refit import Refit, RefitTask, simulate_and_refit
from nutslite.calibration.result import Calibration
from nutslite.calibration.simulation import Accept, Censor, check_simulable, quiet
from nutslite.exceptions import ArgumentTypeError, SamplingError, SettingError, check_flags, refuse_other
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.plan import Centring, Path, check_pilot
from nutslite.sampler.sample import seed_sequence

if TYPE_CHECKING:
    from nutslite.model import Model

METHODS = ("auto", "nuts", "hmc")


@public
def simulation_based_calibration(
    model: Model,
    n_simulations: int = 200,
    executor: Executor | None = None,
    random_seed: Any = None,
    draws: int = 99,
    thin: int | None = None,
    *,
    plan: Path = "auto",
    pilot: bool | Centring = True,
    merge: bool = True,
    inference_method: str = "auto",
    tune: int | None = None,
    target_accept: float | None = None,
    max_treedepth: int = 10,
    accept: Accept | None = None,
    censor: Censor | None = None,
) -> Calibration:
    """Whether fits of a model find parameters again as often as they claim to.

    Parameters are drawn from the model's prior and a response from its likelihood; the model is fitted to that
    response, and each parameter is ranked among its posterior draws. If prior, likelihood and sampler belong together,
    ranks are uniform (Talts et al. 2018, arXiv:1804.06788); so is the rank of the log likelihood, which sees what no
    single parameter does (Modrák et al. 2023, doi:10.1214/23-BA1404).

    Parameters
    ----------
    model : Model
        Its data give rows, predictors, groups and trials; its response only what default priors are scaled by. The
        priors stay the same in all simulations.
    n_simulations : int
        Fits. 100 see gross errors, 1,000 a bias of a tenth of a posterior standard deviation.
    executor : concurrent.futures.Executor, optional
        Where simulations run: a pool of processes, threads, or a cluster's. One after another where it is left out.
    random_seed : int, sequence of int, SeedSequence or Generator, optional
        The same seed gives the same ranks, whatever the executor.
    draws : int
        Nearly independent posterior draws of each simulation; ranks are 0, ..., draws.
    thin : int, optional
        Transitions per draw. By default 4, and as many more, up to 64, as the effective size of the worst quantity
        asks for in that simulation; the run is then repeated, longer and with another seed (Talts et al., section 5).
    plan, pilot, merge
        The path of the fits, as for `Model.plan`.
    inference_method : {"auto", "nuts", "hmc"}
        As for `Model.fit`, whose default is calibrated by default: independence Metropolis where it serves.
    tune, target_accept, max_treedepth
        As for `Model.fit`, where any of them given means chains with a warm-up; every fit is one chain.
    accept : callable, optional
        Takes a simulated response, shape (rows,), and says whether to keep it; for a process pool a function of a
        module. Choosing by the response alone leaves ranks uniform. Impossible responses (not finite, outside the
        family's range) are never kept.
    censor : callable, optional
        Of models of ``censored(...)``: takes a simulated response and returns what of it would have been observed,
        ``(values, statuses)`` or ``(lower ends, upper ends, statuses)``.

    Returns
    -------
    Calibration

    Raises
    ------
    PriorError
        If a prior is flat: nothing can be drawn from it.
    DataError
        If no draw of the prior gives a possible response, or the model has weights or potentials.
    SettingError
        If a setting is impossible, or every fit failed.
    ArgumentTypeError
        For another inference method.
    """
    if isinstance(n_simulations, bool) or not isinstance(n_simulations, int | np.integer) or n_simulations < 1:
        raise SettingError(f"n_simulations must be an integer of at least 1, not {n_simulations!r}.")
    if thin is not None and (isinstance(thin, bool) or not isinstance(thin, int | np.integer) or thin < 1):
        raise SettingError(f"thin must be an integer of at least 1 or None, not {thin!r}.")
    refuse_other("inference_method", inference_method, METHODS)
    check_pilot(pilot)
    check_flags(merge=merge)
    if not callable(getattr(model, "plan", None)):
        raise ArgumentTypeError(f"The first argument is a Model, not a {type(model).__name__}.")
    check_executor(executor, "simulation")
    if accept is not None and not callable(accept):
        raise ArgumentTypeError(f"accept is a function that takes a simulated response, not {accept!r}.")
    if censor is not None and not callable(censor):
        raise ArgumentTypeError(f"censor is a function that takes a simulated response, not {censor!r}.")
    seeds = seed_sequence(random_seed)
    settings = Settings(
        draws=draws,
        tune=tune,
        chains=1,
        cores=None if executor is None else 1,  # an executor's workers share the machine
        random_seed=0,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        progressbar=False,
        inference_method=inference_method,
    )
    assembled = model.plan(plan, pilot, merge).assembled
    check_simulable(assembled, censor)
    draw_prior(assembled, 1, np.random.default_rng(0))  # a flat prior is refused here, not in a worker
    task = RefitTask(assembled, settings, thin, plan, pilot, merge, accept, censor)
    with quiet():
        tasks = [(task, seed) for seed in seeds.spawn(int(n_simulations))]
        refits = list(run_on(executor, simulate_and_refit, tasks))
    result = _collect(task, refits, seeds.entropy)
    _report(result)
    return result


def _collect(task: RefitTask, refits: list[Refit], entropy: Any) -> Calibration:
    fitted = [refit for refit in refits if not refit.failure]
    failures = tuple(refit.failure for refit in refits if refit.failure)
    if not fitted:
        raise SamplingError(
            f"None of {len(refits)} simulated data sets could be fitted. The first error: {failures[0]}"
        )
    layout = task.assembled.layout
    return Calibration(
        ranks={name: np.stack([refit.ranks[name] for refit in fitted]) for name in fitted[0].ranks},
        draws=task.settings.draws,
        dims=dict(layout.dims),
        coords=dict(layout.coords),
        thin=np.array([refit.thin for refit in fitted]),
        ess=np.array([refit.ess for refit in fitted]),
        divergences=np.array([refit.divergences for refit in fitted]),
        rejected=sum(refit.rejected for refit in refits),
        failures=failures,
        random_seed=entropy,
    )


def _report(result: Calibration) -> None:
    """Say what the ranks themselves do not."""
    total = result.simulations + len(result.failures)
    if result.failures:
        log.warning(
            "%d of %d simulated data sets could not be fitted and are left out, which may bend the ranks. "
            "The first error: %s",
            len(result.failures),
            total,
            result.failures[0],
        )
    if result.correlated.any():
        log.warning(
            "In %d of %d simulations draws are correlated still: the smallest effective size is %.0f, ranks are among "
            "%d draws. Ranks pile up at both ends then; a larger `thin` or `target_accept` may help.",
            int(result.correlated.sum()),
            total,
            float(result.ess.min()),
            result.draws,
        )
