"""Memory for trajectories, dozens of positions: as many pieces as chains run at a time, whatever their number."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from nutslite.exceptions import SamplingError
from nutslite.sampler.transition.trajectory import Workspace, new_workspace


class Workspaces:
    """The pieces, one for each of `number` threads.

    The calling thread makes them: what a thread frees at the end of its own memory, the C library may keep for good.

    Parameters
    ----------
    number, dimension, max_treedepth : int
    doubles : bool
        As for `new_workspace`.

    Raises
    ------
    SamplingError
        If there is no memory for them.
    """

    def __init__(self, number: int, dimension: int, max_treedepth: int, doubles: bool) -> None:
        try:
            self._free = [new_workspace(dimension, max_treedepth, doubles) for _ in range(number)]
        except MemoryError as error:
            raise SamplingError(
                f"There is no memory for trajectories of {dimension:,} coordinates in {number} chains at a time. Fewer "
                "cores, or a smaller max_treedepth, need less."
            ) from error
        self._lock = threading.Lock()
        self._is_new = {id(workspace) for workspace in self._free}

    @contextlib.contextmanager
    def taken(self) -> Iterator[Workspace]:
        """A piece that no other chain has meanwhile, all zeros."""
        with self._lock:
            workspace = self._free.pop()
        if id(workspace) in self._is_new:
            self._is_new.remove(id(workspace))
        else:
            for array in workspace:
                array.fill(0.0)
        try:
            yield workspace
        finally:
            with self._lock:
                self._free.append(workspace)
