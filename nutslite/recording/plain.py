"""The sampler's own source as plain Python, in which some of its functions are watched.

Compiled code cannot be looked into, and code that takes notes would be slower code. So the compiled sampler stays as it
is, and what is to be looked at runs again: the functions that Numba compiled, without Numba. They are copied, since a
compiled function calls the compiled versions of others; each copy refers to copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

SAMPLER = "nutslite.sampler."
"""Where functions live that are copied; all others (NumPy's, Python's) stay as they are."""

Watch = Callable[[Callable[..., Any]], Callable[..., Any]]


def plain(function: Callable[..., Any], watched: Mapping[str, Watch]) -> Callable[..., Any]:
    """A copy of a function of the sampler, and of all that it calls, in plain Python.

    Parameters
    ----------
    function : callable
        Compiled or not.
    watched : dict of callable
        By the name that callers know a function by: takes its plain copy and returns what they call in its place.

    Raises
    ------
    LookupError
        If nothing of such a name is called: nothing would be noted.
    """
    copies = _Copies(watched)
    copied: Callable[..., Any] = copies.of(function)
    if missing := set(watched) - set(copies.watching):
        raise LookupError(f"{function.__name__} and what it calls know no {', '.join(sorted(missing))}")
    return copied


class _Copies:
    """One pass over a function and those that it calls, each copied once."""

    def __init__(self, watched: Mapping[str, Watch]) -> None:
        self.watched = watched
        self.watching: dict[str, Callable[..., Any]] = {}
        self._made: dict[int, Callable[..., Any]] = {}

    def of(self, function: Any) -> Any:
        """The copy of a function of the sampler; anything else as it is."""
        source = getattr(function, "py_func", function)  # under NUMBA_DISABLE_JIT=1 nothing was compiled
        if not isinstance(source, FunctionType) or not source.__module__.startswith(SAMPLER):
            return function
        if id(source) not in self._made:
            names = [name for name in source.__code__.co_names if name in source.__globals__]
            referred = {name: self._called(name, source.__globals__[name]) for name in names}
            self._made[id(source)] = FunctionType(
                source.__code__, {**source.__globals__, **referred}, source.__name__, source.__defaults__
            )
        return self._made[id(source)]

    def _called(self, name: str, item: Any) -> Any:
        if name not in self.watched:
            return self.of(item)
        if name not in self.watching:
            self.watching[name] = self.watched[name](self.of(item))
        return self.watching[name]
