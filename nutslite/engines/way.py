"""`Way`: how something is found out by passes; several of them share theirs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

Look = Callable[..., Any]
"""What a pass does with a block's numbers; what it returns of blocks is added."""
Way = Generator[Look, Any, Any]
"""Yields what a pass is to do, is sent the sum of what that returned, and returns what was to be found out."""


def together(ways: Sequence[Way]) -> Way:
    """All of them in as many passes as the longest takes; a list of what they return."""
    found: list[Any] = [None] * len(ways)
    sums: list[Any] = [None] * len(ways)
    going = dict(enumerate(ways))
    while True:
        looks = {}
        for place, way in list(going.items()):
            try:
                looks[place] = way.send(sums[place])
            except StopIteration as end:
                found[place] = end.value
                del going[place]
        if not looks:
            return found
        parts = yield All(tuple(looks.values()))
        for place, part in zip(looks, parts.parts, strict=True):
            sums[place] = part


@dataclass(frozen=True)
class Parts:
    """What several looks returned."""

    parts: tuple[Any, ...]

    def __add__(self, other: Parts) -> Parts:
        return Parts(tuple(one + another for one, another in zip(self.parts, other.parts, strict=True)))


@dataclass(frozen=True)
class All:
    """Several looks at the same numbers."""

    looks: tuple[Look, ...]

    def __call__(self, *numbers: Any) -> Parts:
        """Of one block."""
        return Parts(tuple(look(*numbers) for look in self.looks))
