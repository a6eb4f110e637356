"""A potential as the user gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nutslite.exceptions import ArgumentTypeError


@dataclass(frozen=True)
class Potential:
    """A term of the log density.

    Attributes
    ----------
    names : tuple of str
        Variables that the function takes, by their names in the results.
    function : callable
        Takes their natural values, numbers or arrays, and returns a number, or an array that is summed.
    """

    names: tuple[str, ...]
    function: Callable[..., Any]

    @property
    def shown(self) -> str:
        """Its variables, for messages."""
        return ", ".join(f"'{name}'" for name in self.names)


def read_potentials(given: Sequence[Any] | None) -> tuple[Potential, ...]:
    """Potentials from a list of (name or names, function).

    Raises
    ------
    ArgumentTypeError
        For anything else.
    """
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ArgumentTypeError(f"potentials is a list of (name or tuple of names, function), not {given!r}.")
    potentials = []
    for number, item in enumerate(given):
        if not isinstance(item, Sequence) or isinstance(item, str) or len(item) != 2:
            raise ArgumentTypeError(f"potentials[{number}] is (name or tuple of names, function), not {item!r}.")
        names, function = item
        names = (names,) if isinstance(names, str) else names
        if isinstance(names, list):
            names = tuple(names)
        if not isinstance(names, tuple) or not names or not all(isinstance(name, str) for name in names):
            raise ArgumentTypeError(f"potentials[{number}]: {item[0]!r} is neither a name nor a tuple of names.")
        if not callable(function):
            raise ArgumentTypeError(f"potentials[{number}]: {function!r} is no function of {', '.join(names)}.")
        potentials.append(Potential(names, function))
    return tuple(potentials)
