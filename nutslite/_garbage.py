"""Python's search for garbage, paused where much is made that stays."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collections() -> Iterator[None]:
    """No search for garbage in between: a seventh of the time of compilation, which makes little of it."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """No search for garbage while modules load, and what they hold counts as old at once: a tenth of a warm fit.

    Searches look at young objects. Modules make a hundred thousand that stay, and a search afterwards looked at all of
    them. To freeze and to thaw makes everything old, which looks at nothing; a search of all objects looks at them as
    before. Where the user has frozen objects, these stay frozen.
    """
    with without_collections():
        yield
        if gc.get_freeze_count() == 0:
            gc.freeze()
            gc.unfreeze()
