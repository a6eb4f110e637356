"""What results will need, imported beside long chains: these hold no GIL, and a spare processor does it for nothing.

With ArviZ 0.2x that is ArviZ, which results need once somebody looks into them: someone who sits before an interactive
session will. A script that prints a table never does, and must not pay for it; one that does look in imports ArviZ
then. With ArviZ 1.x it is xarray, of which every container is made.
"""

from __future__ import annotations

import importlib
import sys
import threading

from nutslite.results.container.arviz_import import arviz_major, import_arviz

DELAY = 0.5
"""Seconds of sampling after which an import begins. Beside a shorter run it would only take its processor away."""

_waiting: list[threading.Timer] = []


def preload_arviz() -> threading.Timer | None:
    """Begin the import in a moment, unless `sampling_is_over` comes first; None where there is nothing to import.

    An import that fails is not reported here, but where it is needed.
    """
    first = arviz_major() < 1
    if ("arviz" if first else "xarray") in sys.modules or (first and not hasattr(sys, "ps1")):
        return None
    sampling_is_over()
    timer = threading.Timer(DELAY, _work)
    timer.name, timer.daemon = "nutslite-preload-arviz", True
    _waiting.append(timer)
    timer.start()
    return timer


def sampling_is_over() -> None:
    """Begin no import that has not begun."""
    while _waiting:
        _waiting.pop().cancel()


def _work() -> None:
    try:
        importlib.import_module("xarray")
        if arviz_major() < 1:
            import_arviz()
    except Exception:  # the import in the foreground raises it again
        return
