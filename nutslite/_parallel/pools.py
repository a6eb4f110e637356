"""What is known of kinds of executors: how many workers they have, whether they broke, how to have such a one anew.

Loky and Dask are not imported: what is theirs is recognised by its names. A pool of `concurrent.futures` or of loky
whose worker process ends takes no more work, so that only another pool can go on. Dask starts workers anew by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

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


class TaskLostError(Exception):
    """An executor that goes on has no result of a task, and will have none: it has to be sent again."""


def known(executor: Any) -> Any:
    """The executor itself, or for one of a Dask client what sends work to that client and hears of every end."""
    client = getattr(executor, "_client", None)
    if type(executor).__module__.startswith("distributed.") and hasattr(client, "submit"):
        return DaskPool(executor)
    return executor


class DaskPool:
    """A Dask client as an executor that tells when a task is lost.

    Dask does again what a killed worker had. But the futures of its own executor stay open for ever where a result is
    lost between its end and its arrival here (distributed 2026.8): nobody would hear of it.
    """

    def __init__(self, executor: Any) -> None:
        self._executor, self._client = executor, executor._client
        self._options = {**getattr(executor, "_kwargs", {}), "pure": False}

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """A future of the standard library, which ends with the result or a `TaskLostError`.

        Raises
        ------
        RuntimeError
            After a shutdown.
        """
        if getattr(self._executor, "_shutdown", False):
            raise RuntimeError("cannot schedule new futures after shutdown")
        here: Future[Any] = Future()
        there = self._client.submit(work, *arguments, **self._options)

        def cancel(future: Future[Any]) -> None:
            if future.cancelled():
                there.cancel()

        def deliver(finished: Any) -> None:
            if not here.set_running_or_notify_cancel():
                return
            try:
                here.set_result(finished.result())
            except BaseException as error:  # the work's own errors are results: this one is the cluster's
                here.set_exception(TaskLostError(f"{type(error).__name__}: {error}"))

        here.add_done_callback(cancel)
        there.add_done_callback(deliver)
        return here


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
