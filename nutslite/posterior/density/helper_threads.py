"""The helping threads of chains: started where there are more processors than chains and many rows, and ended."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from numba import types

from nutslite._numba import jit_disabled, kernel_with_signature
from nutslite.families.record.censoring import LOGLIKS
from nutslite.posterior.density.shared_rows import take_parts
from nutslite.posterior.record.model_data import MODEL_REFERENCE, ModelData, reference_to
from nutslite.posterior.record.shared_work import NEXT, STOP, new_shared_work, parts_of
from nutslite.sampler.atomics import load

LOOKS = 20_000  # at an empty table, some tens of microseconds, before a helper sleeps ...
SLEEP_SECONDS = 1e-4  # ... that long


@functools.cache
def compiled_help() -> Callable[..., bool]:
    """`_help` for the one type of data that all models have."""
    return kernel_with_signature(_help, types.boolean(MODEL_REFERENCE, LOGLIKS, types.int64))


def _help(model: Any, loglik: Any, looks: Any) -> bool:
    """Take parts of gradients until told to stop (True), or until there has been nothing to do for long (False)."""
    shared = model.shared
    parts = shared.totals.shape[0]
    idle = 0
    while idle < looks:
        if load(shared.signals, STOP) != 0:
            return True
        if load(shared.signals, NEXT) < parts:
            take_parts(
                model, loglik, shared.values, shared.effects, parts, shared.signals, shared.totals, shared.adjoints,
                shared.effects_adjoints,
            )  # fmt: skip
            idle = 0
        idle += 1
    return False


@contextlib.contextmanager
def helped_chains(
    model: ModelData, loglik: tuple[Any, ...], chains: int, cores: int
) -> Iterator[list[ModelData] | None]:
    """A model record for each chain, whose gradients are shared with helpers; None where there is nothing to share.

    Parameters
    ----------
    chains, cores : int
        The processors that are left when every chain has one help.
    """
    each = cores // chains - 1
    effects, rows = model.centring.size, model.y.shape[1]
    if each < 1 or parts_of(rows, effects) == 1 or jit_disabled():
        yield None
        return
    each = min(each, parts_of(rows, effects) - 1)
    values = model.head.transforms.size + model.head.fixed.size
    models = [model._replace(shared=new_shared_work(rows, values, effects)) for _ in range(chains)]
    serve = compiled_help()
    threads = [
        threading.Thread(target=_work, args=(serve, one, loglik), name=f"nutslite-{chain}-helper-{number}", daemon=True)
        for chain, one in enumerate(models)
        for number in range(each)
    ]
    try:
        for thread in threads:
            thread.start()
        yield models
    finally:
        for one in models:
            one.shared.signals[STOP] = 1
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def _work(serve: Callable[..., bool], model: ModelData, loglik: tuple[Any, ...]) -> None:
    reference = reference_to(model)
    while not serve(reference, loglik, LOOKS):
        time.sleep(SLEEP_SECONDS)
