"""Wrong calls: each gives an error or a warning of ours that names the user's own thing and what to do about it.

Every file ``bad_calls_<subject>.py`` beside this one has a list `CALLS`; a new file is found by its name.
"""

from __future__ import annotations

import importlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_calls import BadCall, judge

PREFIX = "bad_calls_"
SUBJECTS = sorted(path.stem.removeprefix(PREFIX) for path in Path(__file__).parent.glob(f"{PREFIX}*.py"))
LONGEST_SECONDS = 150  # compilation on a busy machine included; without, all but a few take milliseconds
CALLS: dict[str, list[BadCall]] = {name: importlib.import_module(f"{PREFIX}{name}").CALLS for name in SUBJECTS}


@pytest.fixture(autouse=True)
def _nothing_hangs() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise AssertionError(f"not done after {LONGEST_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "bad",
    [pytest.param(bad, id=f"{subject}: {bad.id}") for subject, calls in CALLS.items() for bad in calls],
)
def test_wrong_call(bad: BadCall) -> None:
    judge(bad)


def test_every_call_has_a_name_of_its_own() -> None:
    names = [bad.id for calls in CALLS.values() for bad in calls]
    assert len(names) == len(set(names)) >= 1075
