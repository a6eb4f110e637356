"""Blocks on threads: results in order, and never more blocks in memory than threads work on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any, TypeVar

Found = TypeVar("Found")


def mapped(
    work: Callable[..., Found], tasks: Iterable[tuple[Any, ...]], cores: int, ended: Event | None = None
) -> Iterator[Found]:
    """``work(*task)`` for each task, in order; tasks are made on the calling thread, just before they are needed.

    `ended` is set when nobody wants more results, after Ctrl-C say: work on a long task may look at it.
    """
    if cores <= 1:
        yield from (work(*task) for task in tasks)
        return
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(work, *task))
                if len(waiting) > cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            if ended is not None:
                ended.set()
            for future in waiting:
                future.cancel()
