"""Independent work: rows shared by threads, for code that releases the GIL, and tasks shared by a user's executor."""

from __future__ import annotations

import itertools
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

from nutslite.exceptions import ArgumentError, ArgumentTypeError, SamplingError

Done = TypeVar("Done")


def available_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_parts(work: Callable[[slice], None], n: int, cores: int, fewest: int = 32) -> None:
    """Call ``work(part)`` for slices that make up ``range(n)``, at once on up to `cores` threads.

    A part has at least `fewest` rows. The first part runs on the calling thread; the first exception is raised when all
    parts have ended.
    """
    count = max(1, min(cores, n // fewest))
    edges = np.linspace(0, n, count + 1).astype(int).tolist()
    first, *others = (slice(start, stop) for start, stop in itertools.pairwise(edges))
    if not others:
        work(first)
        return
    with ThreadPoolExecutor(len(others)) as pool:
        running = [pool.submit(work, part) for part in others]
        work(first)
        for other in running:
            other.result()


def check_executor(executor: Any, one: str) -> None:
    """Refuse what takes no work; `one` is what is done one after another without it.

    Raises
    ------
    ArgumentTypeError
    """
    if isinstance(executor, type) and issubclass(executor, Executor):
        raise ArgumentTypeError(
            f"executor is a concurrent.futures.Executor, and {executor.__name__} is the class: {executor.__name__}()."
        )
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ArgumentTypeError(
            f"executor is a concurrent.futures.Executor or what has its method submit, not {executor!r}. None means "
            f"one {one} after another."
        )


def run_on(executor: Executor | None, work: Callable[..., Done], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Done]:
    """What ``work(*task)`` returns for each task, in order; those not begun are cancelled where one fails.

    Raises
    ------
    ArgumentError
        Where the executor takes no work, or its processes cannot be sent the tasks.
    SamplingError
        Where a process of it ends.
    """
    if executor is None:
        yield from (work(*task) for task in tasks)
        return
    futures = []
    try:
        for task in tasks:
            futures.append(_submitted(executor, work, task))
        for future, task in zip(futures, tasks, strict=True):
            try:
                yield future.result()
            except BrokenExecutor as error:
                raise SamplingError(f"The executor broke off: {error}") from error
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                _check_sendable(task)
                raise error
    finally:
        for future in futures:
            future.cancel()  # does nothing to those that are done


def _submitted(executor: Executor, work: Callable[..., Done], task: tuple[Any, ...]) -> Any:
    try:
        return executor.submit(work, *task)
    except BrokenExecutor as error:
        raise SamplingError(f"The executor broke off: {error}") from error
    except RuntimeError as error:
        raise ArgumentError(f"The executor takes no work: {error}.") from error


def _check_sendable(task: tuple[Any, ...]) -> None:
    """Say of a task that cannot be pickled what to do."""
    try:
        pickle.dumps(task)
    except Exception as error:
        raise ArgumentError(
            f"The model cannot be sent to other processes: {error}. Define functions of your own at the top of a "
            "module, or use a ThreadPoolExecutor."
        ) from error
