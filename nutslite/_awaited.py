"""Kernels that another process compiles meanwhile: whoever needs one waits until it is on disk.

The functions that hand out compiled kernels (`compiled_block` and the like) wait here by themselves, so that nobody who
calls them has to know of the other process (`nutslite.posterior.run.compile_beside`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping

EFFECTS, WAYS, BLOCK, ROTATION, MANY, NATURAL = "effects", "ways", "block", "rotation", "many", "natural"
"""Parts of a path: group effects and their priors, the ways to and from the coordinates of matrix centring, the
sampler's block of transitions, that of rotations, many densities at once, the way to natural scales."""

_coming: list[Mapping[str, threading.Event]] = []


@contextlib.contextmanager
def coming(parts: Mapping[str, threading.Event]) -> Iterator[None]:
    """Within this context these parts are waited for; an event is set once its part is there, or will not come."""
    _coming.append(parts)
    try:
        yield
    finally:
        _coming.remove(parts)


def is_coming(part: str) -> bool:
    """Whether another process is to compile this part."""
    return any(part in parts for parts in _coming)


def wait_for(part: str) -> None:
    """Wait until the part is on disk, or until it will not come; at once where nobody else compiles it."""
    for parts in list(_coming):
        if part in parts:
            parts[part].wait()
