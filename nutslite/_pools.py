"""What is known of kinds of executors: how many workers they have, whether they broke, how to have such a one anew.

Loky and Dask are not imported: what is theirs is recognised by its names. A pool of `concurrent.futures` or of loky
whose worker process ends takes no more work, so that only another pool can go on. Dask starts workers anew by itself.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

REFUSED_BY_DASK = "KilledWorker"  # the error about a task on which several workers have ended

_ARGUMENTS = {
    "concurrent.futures": {
        "max_workers": "_max_workers",
        "mp_context": "_mp_context",
        "initializer": "_initializer",
        "initargs": "_initargs",
        "max_tasks_per_child": "_max_tasks_per_child",
    },
    "loky": {
        "max_workers": "_max_workers",
        "context": "_context",
        "timeout": "_timeout",
        "initializer": "_initializer",
        "initargs": "_initargs",
        "env": "_env",
    },
}
"""By package, how its pool of processes is made: each argument, and the attribute that has it."""


def workers_of(executor: Any) -> int | None:
    """How many tasks an executor does at once; None where nobody here knows, as for a cluster that grows."""
    workers = getattr(executor, "_max_workers", None)
    return workers if isinstance(workers, int) and workers > 0 else None


def is_broken(error: BaseException) -> bool:
    """Whether an error says that the executor takes no more work."""
    return isinstance(error, BrokenExecutor)


def is_refusal(error: BaseException) -> bool:
    """Whether an executor that goes on will not try this task again, because workers have ended on it."""
    return any(kind.__name__ == REFUSED_BY_DASK for kind in type(error).__mro__)


def rebuilt(executor: Any, error: BaseException) -> Executor | None:
    """A new pool of processes, made as one that broke off with `error`; None where it had no processes.

    The caller shuts it down. One of another package than the known ones is replaced by that of the standard library.
    """
    if not isinstance(error, BrokenProcessPool):
        return None
    kind = next((kind for kind in type(executor).__mro__ if kind.__name__ == "ProcessPoolExecutor"), None)
    package = "" if kind is None else kind.__module__
    for name, arguments in _ARGUMENTS.items():
        if kind is not None and name in package:
            given = {argument: getattr(executor, place, None) for argument, place in arguments.items()}
            given = {argument: value for argument, value in given.items() if value is not None}
            return kind(**given)  # type: ignore[no-any-return]
    return ProcessPoolExecutor(workers_of(executor))
