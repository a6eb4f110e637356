"""Chains in threads: at most `cores` at once, stopped together by Ctrl-C or by an error in any of them.

Kernels release the GIL, so threads are enough. Reports come to the thread that called, which alone runs callbacks and
receives Ctrl-C.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from nutslite.sampler.interrupts import Interrupts, careful_interrupts, ended_by
from nutslite.sampler.worker import ChainProgress, ChainWorker

POLL_SECONDS = 0.1
"""How long the calling thread may sleep before it looks at Ctrl-C (which does not wake it on every system)."""


def run_chains(workers: Sequence[ChainWorker], cores: int, callback: Callable[[ChainProgress], None]) -> bool:
    """Run all workers; return whether they were interrupted.

    Parameters
    ----------
    callback : callable
        Called in this thread after every block of every chain. KeyboardInterrupt, raised by it or by Ctrl-C, stops all
        chains after their current block, a second Ctrl-C does not wait for that.

    Raises
    ------
    Exception
        The first chain's, if chains raised and nothing is drawn yet. With draws that is an interruption, and a warning
        says what was raised.
    """
    team = _Team(workers)
    interrupted = False
    with careful_interrupts() as interrupts:
        try:
            team.start(min(cores, len(workers)))
            team.listen(callback)
            interrupts.hold()
        except KeyboardInterrupt:
            interrupts.hold()
            interrupted = True
        finally:
            team.stop.set()
            team.wait(interrupts)
    if team.errors:
        chain = min(team.errors)
        error = team.errors[chain]
        error.add_note(f"(raised in chain {chain})")
        ended_by(error, drawn=any(worker.sampling.done for worker in workers))
    return interrupted or bool(team.errors)


class _Team:
    """The threads of one run and what they share."""

    def __init__(self, workers: Sequence[ChainWorker]) -> None:
        self.stop = threading.Event()
        self.errors: dict[int, BaseException] = {}
        self._workers = workers
        self._waiting = list(reversed(workers))
        self._lock = threading.Lock()
        self._reports: queue.SimpleQueue[ChainProgress | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, n_threads: int) -> None:
        """Start threads, each of which takes chains until none waits."""
        for number in range(n_threads):
            thread = threading.Thread(target=self._work, name=f"nutslite-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        try:
            while not self.stop.is_set():
                with self._lock:
                    if not self._waiting:
                        return
                    worker = self._waiting.pop()
                try:
                    worker.run(self.stop, self._reports.put)
                except BaseException as error:  # handed to the calling thread, which raises it
                    self.errors[worker.chain] = error
                    self.stop.set()
        finally:
            self._reports.put(None)

    def listen(self, callback: Callable[[ChainProgress], None]) -> None:
        """Hand reports to `callback` until every thread has ended."""
        working = len(self._threads)
        while working > 0:
            try:
                report = self._reports.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if report is None:
                working -= 1
            else:
                callback(report)

    def wait(self, interrupts: Interrupts) -> None:
        """Wait for the threads; a second Ctrl-C meanwhile leaves them to end by themselves."""
        for thread in self._threads:
            while thread.is_alive() and interrupts.pressed < 2:
                thread.join(POLL_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            for worker in self._workers:
                worker.abandon()
