"""Chains of NUTS on an executor: each is sent the target and where it starts, and draws what it draws among all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np

from nutslite._parallel import run_on
from nutslite.posterior.methods.nuts_start import NutsStart, named_sample
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import Task
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Target
from nutslite.sampler.draws import Draws, joined
from nutslite.sampler.progress import counting_bar
from nutslite.sampler.state import ChainState


def sampled_on(
    executor: Executor,
    task: Task,
    settings: Settings,
    begun: NutsStart,
    seed: np.random.SeedSequence,
    states: Sequence[ChainState] | None = None,
) -> Draws:
    """The draws of all chains, one task each; Ctrl-C keeps those of the chains that are there.

    Chains with `states` go on from there.

    Raises
    ------
    KeyboardInterrupt
        If stopped before the first chain has come back.
    NutsliteError
        As for `run_on` and `nutslite.sampler.sample`.
    """
    alone = replace(settings, executor=None, progressbar=False, callback=None, cores=1)
    tasks = [(task.plan, task.target, alone, begun, seed, (chain,), states) for chain in range(settings.chains)]
    parts: list[Draws] = []
    interrupted = False
    with counting_bar(settings.chains, "chain", settings.progressbar) as move:
        try:
            for part in run_on(executor, sampled, tasks):
                parts.append(part)
                move(1, "")
        except KeyboardInterrupt:
            if not parts:
                raise
            interrupted = True
    together = joined(parts)
    return replace(together, interrupted=interrupted or together.interrupted)


def sampled(
    plan: Plan,
    target: Target,
    settings: Settings,
    begun: NutsStart,
    seed: np.random.SeedSequence,
    only: Sequence[int] | None = None,
    states: Sequence[ChainState] | None = None,
    **options: Any,
) -> Draws:
    """The draws of some chains, all by default; `settings` with the warm-up and the acceptance that serve."""
    with target.helped(settings.chains if only is None else len(only), settings.cores) as chain_data:
        return named_sample(
            plan,
            target.logdensity,
            target.data,
            data_type=target.data_type,
            initial=begun.initial,
            jitter=begun.jitter,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            random_seed=seed,
            target_accept=settings.target_accept,
            max_treedepth=settings.max_treedepth,
            metric=begun.metric,
            adapt_metric=begun.adapts,
            trajectory=begun.trajectory,
            progress=settings.progressbar,
            callback=settings.callback,
            save_warmup=not settings.discard_tuned_samples,
            chain_data=chain_data,
            only=only,
            states=states,
            **options,
        )
