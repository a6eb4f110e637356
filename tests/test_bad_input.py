"""Wrong calls: each gives an error or a warning of ours that names the user's own thing and what to do about it."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Iterator

import pytest
from bad_calls import BadCall, judge

SUBJECTS = ("formulas", "data", "families", "priors", "arguments", "uses", "files", "depth")
LONGEST_SECONDS = 150  # compilation on a busy machine included; without, all but a few take milliseconds
CALLS: dict[str, list[BadCall]] = {name: importlib.import_module(f"bad_calls_{name}").CALLS for name in SUBJECTS}


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


def _of(subject: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bad", CALLS[subject], ids=lambda bad: bad.id)


@_of("formulas")
def test_wrong_formula(bad: BadCall) -> None:
    judge(bad)


@_of("data")
def test_wrong_data(bad: BadCall) -> None:
    judge(bad)


@_of("families")
def test_wrong_family_or_link(bad: BadCall) -> None:
    judge(bad)


@_of("priors")
def test_wrong_prior(bad: BadCall) -> None:
    judge(bad)


@_of("arguments")
def test_wrong_argument(bad: BadCall) -> None:
    judge(bad)


def test_every_call_has_a_name_of_its_own() -> None:
    names = [bad.id for calls in CALLS.values() for bad in calls]
    assert len(names) == len(set(names)) >= 700


@_of("uses")
def test_wrong_use(bad: BadCall) -> None:
    judge(bad)


@_of("files")
def test_wrong_file(bad: BadCall) -> None:
    judge(bad)


@_of("depth")
def test_without_end(bad: BadCall) -> None:
    judge(bad)
