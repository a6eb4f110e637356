"""Work on executors of every kind: order, errors, workers that die."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import executor_work as work
import pytest

from nutslite._parallel.pools import rebuilt, workers_of
from nutslite._parallel.tasks import IN_FLIGHT, run_on
from nutslite.exceptions import NutsliteWarning, SamplingError

MANY = 40
SQUARES = [number * number for number in range(MANY)]
NUMBERS = [(number,) for number in range(MANY)]


def with_folder(folder, *more):
    return [(number, *more, str(folder)) for number in range(MANY)]


def times(folder):
    """How often each number was worked out."""
    return Counter(int(path.name.partition(".")[0]) for path in Path(folder).iterdir() if path.name != "killed")


class Own:
    """An executor of nobody's kind: its futures have a result, and can be cancelled."""

    def __init__(self):
        self.cancelled = 0

    def submit(self, function, *arguments):
        outer = self

        class Later:
            def result(self):
                return function(*arguments)

            def cancel(self):
                outer.cancelled += 1

        return Later()


@pytest.mark.parametrize("make", [lambda: None, Own, lambda: ThreadPoolExecutor(3), lambda: ProcessPoolExecutor(2)])
def test_results_are_in_order(make):
    executor = make()
    assert list(run_on(executor, work.squared, NUMBERS)) == SQUARES
    assert list(run_on(executor, work.squared, [])) == []
    if hasattr(executor, "shutdown"):
        executor.shutdown()


def test_a_killed_worker_costs_no_result(tmp_path):
    with (
        ProcessPoolExecutor(2) as pool,
        pytest.warns(NutsliteWarning, match=r"The executor broke off: .* by a new pool of as many processes"),
    ):
        assert list(run_on(pool, work.fatal_once, with_folder(tmp_path, 17))) == SQUARES
    done = times(tmp_path)
    assert sorted(done) == list(range(MANY))
    again = [number for number, often in done.items() if often > 1]
    assert max(done.values()) <= 2
    assert len(again) < 2 * IN_FLIGHT  # what was in flight, and nothing that had come back
    assert all(abs(number - 17) < 4 * IN_FLIGHT for number in again)


def test_a_task_that_kills_every_worker_is_given_up_and_no_other():
    with ProcessPoolExecutor(2) as pool, pytest.warns(NutsliteWarning):
        found = list(run_on(pool, work.fatal, [(n, 3) for n in range(MANY)], lambda place, error: (place, str(error))))
    assert found[:3] + found[4:] == SQUARES[:3] + SQUARES[4:]
    assert found[3][0] == 3
    assert "each time that it began this task" in found[3][1]
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.warns(NutsliteWarning),
        pytest.raises(SamplingError, match="The executor broke off, each time"),
    ):
        list(run_on(pool, work.fatal, [(3, 3)]))


def test_a_pool_that_never_works_is_an_error():
    with (
        ProcessPoolExecutor(1, initializer=work.ended) as pool,
        pytest.warns(NutsliteWarning),
        pytest.raises(SamplingError, match="broke off"),
    ):
        list(run_on(pool, work.squared, NUMBERS[:2]))


def test_threads_that_cannot_begin_leave_the_work_to_this_process():
    with (
        ThreadPoolExecutor(1, initializer=work.failed) as pool,
        pytest.warns(NutsliteWarning, match="the rest is done in this process"),
    ):
        assert list(run_on(pool, work.squared, NUMBERS)) == SQUARES


def test_the_first_error_in_order_ends_the_work():
    tasks = [(4.0,), (-1.0,), (9.0,), (-2.0,)]
    for executor in (None, Own(), ThreadPoolExecutor(2), ProcessPoolExecutor(2)):
        results = run_on(executor, work.root, tasks)
        assert next(results) == 2.0
        with pytest.raises(ValueError, match=r"-1.0 has no root") as raised:
            next(results)
        noted = "".join(getattr(raised.value, "__notes__", []))
        assert ("executor_work.py" in noted) == isinstance(executor, ProcessPoolExecutor)
        if executor is not None and not isinstance(executor, Own):
            executor.shutdown()


def test_an_error_that_cannot_travel_is_told():
    with ProcessPoolExecutor(1) as pool, pytest.raises(SamplingError, match="UnportableError: with a lock"):
        list(run_on(pool, work.unportable, [(1,)]))


def test_what_was_not_begun_is_cancelled():
    own = Own()
    results = run_on(own, work.squared, NUMBERS)
    assert next(results) == 0
    results.close()
    assert own.cancelled == MANY - 1


def test_a_new_pool_is_made_as_the_old_one():
    error = None
    with ProcessPoolExecutor(3, initializer=work.ended) as pool:
        try:
            pool.submit(work.squared, 1).result()
        except Exception as broken:
            error = broken
        new = rebuilt(pool, error)
    assert isinstance(new, ProcessPoolExecutor)
    assert workers_of(new) == 3
    assert new._initializer is work.ended
    assert rebuilt(ThreadPoolExecutor(1), ValueError()) is None
    new.shutdown()
