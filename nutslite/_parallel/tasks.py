"""Tasks on a user's executor, whose workers may die."""

from __future__ import annotations

import os
import pickle
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Any, Generic, TypeVar

from nutslite._parallel.pools import TaskLostError, is_broken, known, rebuilt, workers_of
from nutslite.exceptions import ArgumentError, ArgumentTypeError, NutsliteError, SamplingError, warn

Done = TypeVar("Done")
Lost = Callable[[int, SamplingError], Done]

IN_FLIGHT = 4  # tasks that are sent for each worker: so many are done again where one ends, and none waits for work
MOST_ENDS = 2  # of workers, on a task that was sent by itself
MOST_LOSSES = 3  # of a task, by an executor that goes on
MOST_BREAKS = 5  # of pools in a row, with no result in between


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


def run_on(
    executor: Executor | None,
    work: Callable[..., Done],
    tasks: Sequence[tuple[Any, ...]],
    lost: Lost[Done] | None = None,
) -> Iterator[Done]:
    """What ``work(*task)`` returns for each task, in order; those not begun are cancelled where one fails.

    Where a worker ends (killed, out of memory), what it worked on is done again, and no result is lost: Dask sees to
    that itself; in place of a pool of processes, which takes no more work then, there is a new one; other executors
    leave the rest to this process. Which task ended the worker is not known at first. So those that were in flight are
    done again one at a time, and a task on which a second worker ends by itself is given up.

    Parameters
    ----------
    executor : Executor or None
        None: here, one after another.
    work : callable
        For other processes a function of a module. The result must depend on nothing but the arguments.
    tasks : sequence of tuple
    lost : callable, optional
        ``lost(place, error)``, what stands for a task that is given up; an error by default.

    Raises
    ------
    ArgumentError
        Where the executor takes no work, or its processes cannot be sent the tasks.
    SamplingError
        Where workers end on the same task again, or as soon as there are any.
    Exception
        What the first task that fails raised, in order.

    Warns
    -----
    NutsliteWarning
        Where a worker has ended.
    """
    if executor is None:
        yield from (work(*task) for task in tasks)
        return
    run = _Run(executor, work, tasks, lost)
    try:
        for place in range(len(tasks)):
            yield run.result_of(place)
    finally:
        run.close()


class _Run(Generic[Done]):
    """Tasks on an executor that may break: which wait, which are in flight, which are done.

    Attributes
    ----------
    pool : Executor or None
        The user's, or one that stands in for it; None where this process does the rest.
    waiting : deque of int
        Places of tasks that were not sent yet.
    alone : deque of int
        Places of tasks that were in flight when a worker ended; they are sent one at a time.
    flying : dict of Future to int
    done : dict of int to outcome
        Results, or errors, that were not asked for yet.
    """

    def __init__(
        self, executor: Executor, work: Callable[..., Done], tasks: Sequence[tuple[Any, ...]], lost: Lost[Done] | None
    ) -> None:
        self.users = known(executor)
        self.pool: Any = self.users
        self.given, self.work, self.tasks, self.lost = executor, work, tasks, lost
        self.waiting, self.alone = deque(range(len(tasks))), deque[int]()
        self.flying: dict[Future[Any], int] = {}
        self.done: dict[int, tuple[Any, Exception | None]] = {}
        self.ends: Counter[int] = Counter()
        self.breaks, self.said = 0, False
        workers = workers_of(executor)
        self.most = len(tasks) if workers is None else IN_FLIGHT * workers

    def result_of(self, place: int) -> Done:
        """The result of a task, once it is there; others are collected meanwhile.

        Raises
        ------
        Exception
            What the task raised.
        """
        while place not in self.done:
            if self.pool is None:
                self.done[place] = _attempt(self.work, self.tasks[place], os.getpid())
            elif (broken := self._send(self.pool)) is not None or (broken := self._collect()) is not None:
                self._go_on_after(broken)
        result, error = self.done.pop(place)
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def close(self) -> None:
        """Cancel what was not begun, and end a pool that is not the user's."""
        for future in self.flying:
            future.cancel()  # does nothing to those that are done
        if self.pool is not None and self.pool is not self.users:
            self.pool.shutdown(wait=False)

    def _send(self, pool: Any) -> Exception | None:
        """Send as many tasks as may be in flight; the error where the executor has broken off.

        Raises
        ------
        ArgumentError
            Where it takes no work for another reason.
        """
        while (self.alone and not self.flying) or (self.waiting and not self.alone and len(self.flying) < self.most):
            places = self.alone or self.waiting
            try:
                future = pool.submit(_attempt, self.work, self.tasks[places[0]], os.getpid())
            except BrokenExecutor as error:
                return error
            except RuntimeError as error:
                raise ArgumentError(f"The executor takes no work: {error}.") from error
            self.flying[future] = places.popleft()
        return None

    def _collect(self) -> Exception | None:
        """Take what is finished, once something is; the error where the executor has broken off."""
        futures = list(self.flying)
        if all(isinstance(future, Future) for future in futures):
            futures = list(wait(futures, return_when=FIRST_COMPLETED).done)
        else:
            del futures[1:]  # an executor with futures of its own, which are known to have a result and no more
        for future in futures:
            place = self.flying[future]
            try:
                self.done[place] = future.result()
            except TaskLostError as error:
                del self.flying[future]
                self._send_again(place, error)
            except Exception as error:
                if is_broken(error):
                    return error
                del self.flying[future]
                self.done[place] = None, self._not_run(place, error)
            else:
                del self.flying[future]
                self.breaks = 0
        return None

    def _not_run(self, place: int, error: Exception) -> Exception:
        """The error about a task that was not even begun."""
        try:
            pickle.dumps(self.tasks[place])
        except Exception as unsent:
            return ArgumentError(
                f"The model cannot be sent to other processes: {unsent}. Define functions of your own at the top of a "
                "module, or use a ThreadPoolExecutor."
            )
        return error

    def _send_again(self, place: int, error: Exception) -> None:
        """Put a task first that the executor has lost, unless that has happened to it too often."""
        self.ends[place] += 1
        if self.ends[place] > MOST_LOSSES:
            self.done[place] = self._refused(place, error)
        else:
            self.waiting.appendleft(place)

    def _refused(self, place: int, error: Exception) -> tuple[Any, Exception | None]:
        """The outcome of a task that the executor has tried several times, with a worker's end each time."""
        failure = SamplingError(f"The executor broke off, each time that it began this task: {error}")
        return (None, failure) if self.lost is None else (self.lost(place, failure), None)

    def _go_on_after(self, error: Exception) -> None:
        """Have another pool, and send again what was in flight.

        Raises
        ------
        SamplingError
            Where pools break again and again.
        """
        self.breaks += 1
        places = []
        for future, place in self.flying.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self.done[place] = future.result()
            else:
                places.append(place)
        self.flying.clear()
        if len(places) == 1:
            only = places[0]
            self.ends[only] += 1
            if self.ends[only] >= MOST_ENDS:
                self.done[only] = self._refused(only, error)
                places = []
        self.alone.extendleft(reversed(places))
        if self.breaks > MOST_BREAKS:
            raise SamplingError(
                f"The executor broke off {self.breaks} times, with no result in between: {error}"
            ) from error
        self.close()
        self.pool = rebuilt(self.given, error)
        where = "in this process" if self.pool is None else "by a new pool of as many processes"
        if not self.said and (self.waiting or self.alone):
            self.said = True
            warn(
                f"The executor broke off: {str(error).rstrip('.')}. The results that it had are kept, the rest is done "
                f"{where}."
            )


def _attempt(work: Callable[..., Done], task: tuple[Any, ...], home: int) -> tuple[Done | None, Exception | None]:
    """The result of a task, or what it raised: so errors of a task are told from those of an executor.

    `home` is the process that will have it.
    """
    try:
        return work(*task), None
    except Exception as error:
        return None, error if os.getpid() == home else _portable(error)


def _portable(error: Exception) -> Exception:
    """The same where another process can be sent it, else one that says as much.

    Errors that are not ours are given a note of where they were raised, which does not travel by itself.
    """
    if not isinstance(error, NutsliteError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return SamplingError(f"{type(error).__name__}: {error}")
    return error
