"""Room for deep calls: the call itself is as any other."""

from __future__ import annotations

import pytest

from nutslite._stack import SLOTS, _call, with_room


def test_the_call_is_as_any_other() -> None:
    assert with_room(lambda: 7) == 7
    assert with_room(lambda: with_room(lambda: "nested")) == "nested"
    with pytest.raises(KeyError, match="passed on"):
        with_room(lambda: {}["passed on"])


def test_the_frame_asks_for_the_room() -> None:
    assert _call.__code__.co_stacksize == SLOTS
    assert SLOTS * 8 > 16 * 1024, "more than one of CPython's blocks"


def test_the_limit_of_recursion_stays() -> None:
    def deeper(depth: int) -> int:
        return deeper(depth + 1)

    with pytest.raises(RecursionError):
        with_room(lambda: deeper(0))
