"""Calls that do not fit the function: told by the function's own name, with the argument that was meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, TypeVar, cast

from nutslite.exceptions import ArgumentTypeError, did_you_mean

Thing = TypeVar("Thing", bound=Callable[..., Any])

_MAKERS = ("__init__", "__new__")


class CallError(ArgumentTypeError):
    """A function is given an argument that it does not have, or not one that it needs."""


def public(thing: Thing) -> Thing:
    """Decorator of what users call: a function, or a class with all its methods without an underscore.

    Arguments that do not exist, that are missing or too many raise a `CallError`. A function that takes any name
    (``**others``) judges names itself; `unknown_argument` has the words.

    >>> @public
    ... def area(width, height=1.0):
    ...     return width * height
    >>> area(2.0, heigth=3.0)
    Traceback (most recent call last):
    nutslite._calls.CallError: area has no argument 'heigth'. Did you mean 'height'? It has: width, height.
    """
    if not isinstance(thing, type):
        return cast(Thing, _checked(cast(FunctionType, thing), lambda arguments: thing.__name__, first=0))
    for name, member in list(vars(thing).items()):
        if name.startswith("_") and name not in _MAKERS:
            continue
        if isinstance(member, staticmethod) and name == "__new__":
            setattr(thing, name, staticmethod(_checked(cast(FunctionType, member.__func__), _title(name))))
        elif isinstance(member, classmethod):
            setattr(thing, name, classmethod(_checked(cast(FunctionType, member.__func__), _title(name))))
        elif isinstance(member, FunctionType):
            setattr(thing, name, _checked(member, _title(name)))
    return cast(Thing, thing)


def unknown_argument(function: str, name: str, known: Iterable[str], others: Iterable[str] = ()) -> CallError:
    """The error about an argument that does not exist; `others` are further names that it may have been meant for."""
    names = list(known)
    hint = did_you_mean(name, [*names, *others])
    listed = f" It has: {', '.join(names)}." if names else " It has none."
    return CallError(f"{function} has no argument '{name}'.{hint}{listed}")


def _title(name: str) -> Callable[[tuple[Any, ...]], str]:
    """How users know a method: by the class of the object, which may be another than that where it stands."""

    def title(arguments: tuple[Any, ...]) -> str:
        owner = arguments[0] if isinstance(arguments[0], type) else type(arguments[0])
        return owner.__name__ if name in _MAKERS else f"{owner.__name__}.{name}"

    return title


def _checked(function: FunctionType, title: Callable[[tuple[Any, ...]], str], first: int = 1) -> Callable[..., Any]:
    """The function behind a look at its arguments, of which the `first` ones are not the user's."""
    parameters = list(inspect.signature(function).parameters.values())[first:]
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = frozenset(named)
    takes_any_name = any(p.kind == p.VAR_KEYWORD for p in parameters)
    places = [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    most = float("inf") if any(p.kind == p.VAR_POSITIONAL for p in parameters) else first + len(places)
    needed = [(first + place, p.name) for place, p in enumerate(parameters) if p.default is p.empty and p.name in known]

    @functools.wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        if not takes_any_name:
            for name in options:
                if name not in known:
                    raise unknown_argument(title(arguments), name, named)
        if len(arguments) > most:
            raise CallError(
                f"{title(arguments)} takes {len(places)} argument{'s' * (len(places) != 1)} by position, not "
                f"{len(arguments) - first}. It has: {', '.join(named)}; give them by name."
            )
        twice = [name for place, name in enumerate(places, first) if place < len(arguments) and name in options]
        if twice:
            raise CallError(f"{title(arguments)} is given {' and '.join(twice)} by position and by name: give it once.")
        missing = [name for place, name in needed if place >= len(arguments) and name not in options]
        if missing:
            raise CallError(f"{title(arguments)} needs {' and '.join(missing)}, which this call does not give.")
        return function(*arguments, **options)

    return checked
