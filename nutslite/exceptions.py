"""The errors and warnings that nutslite raises. Each names the user's own thing and what to do about it."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import reprlib
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextvars import ContextVar
from types import FunctionType
from typing import Any


class NutsliteError(Exception):
    """Base class of every error that nutslite raises on purpose.

    Whatever comes of an argument is a `ValueError` too, and a `TypeError` as well where the argument is of a type that
    means nothing there. Other errors are of the kinds that Python has for them: sampling that cannot go on is a
    `RuntimeError`, an absent package an `ImportError`.
    """


class ArgumentError(NutsliteError, ValueError):
    """An argument has a value that means nothing here."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument is of a type that means nothing here."""


class FormulaError(NutsliteError, ValueError):
    """A formula cannot be read, or means something that this package does not do.

    Parameters
    ----------
    message : str
        What is wrong and what to write instead.
    formula : str, optional
        The formula as the user typed it.
    span : tuple of int, optional
        Start and end of the offending text in `formula`; shown by carets below it.
    """

    def __init__(self, message: str, formula: str | None = None, span: tuple[int, int] | None = None) -> None:
        self.message = message
        self.formula = formula
        self.span = span
        if formula is not None and span is not None:
            start, end = span
            shown = "".join(" " if character in "\r\n\t" else character for character in formula)
            message = f"{message}\n    {shown}\n    {' ' * start}{'^' * max(1, end - start)}"
        super().__init__(message)


class DataError(NutsliteError, ValueError):
    """The data do not fit the formula or the family: a missing column, a missing value, a value outside the support."""


class DataTypeError(DataError, TypeError):
    """The data are no table, or what names parts of them or of results is no name."""


class FormulaTypeError(FormulaError, TypeError):
    """A formula is no text, or what it may use is no function or value."""


class FamilyError(NutsliteError, ValueError):
    """A family, link or likelihood that does not exist or does not fit the model."""


class FamilyTypeError(FamilyError, TypeError):
    """A family, link or likelihood is none."""


class PriorError(NutsliteError, ValueError):
    """A prior that does not exist, lacks an argument, has an unknown one, or does not fit its term."""


class PriorTypeError(PriorError, TypeError):
    """A prior, or an argument about priors, is of a type that means nothing there."""


class PerfectSeparationError(PriorError):
    """Automatic priors need a maximum of the likelihood, and there is none: predictors tell responses apart exactly."""


class SamplingError(NutsliteError, RuntimeError):
    """Sampling cannot start or go on, for example because the log density is not finite at any starting point."""


class UserFunctionError(FamilyError):
    """A function of the user's own (a log density, link, potential, ...) raises, or returns what is no number."""


class SettingError(SamplingError, ArgumentError):
    """A setting of the sampler, or a starting value, that is impossible or does not fit the model."""


class SettingTypeError(SettingError, ArgumentTypeError):
    """A setting of the sampler, or a starting value, of a type that means nothing there."""


class NutsliteWarning(UserWarning):
    """Something deserves attention but does not stop the work."""


SHOWN_PATH = 60  # characters of a path that is too long


def did_you_mean(name: str, known: Iterable[str | None]) -> str:
    """`` Did you mean 'condition'?`` for a near miss of a known name, otherwise the empty string.

    >>> did_you_mean("conditon", ["age", "condition"])
    " Did you mean 'condition'?"
    >>> did_you_mean("zzz", ["age", "condition"])
    ''
    """
    names = [str(item) for item in known if str(item) != str(name)]
    near = [item for item in names if item.casefold() == str(name).casefold()]
    near = near or difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


@contextlib.contextmanager
def in_users_function(what: str) -> Iterator[None]:
    """Say whose function it is that fails in the block; `what` begins a sentence: ``The log density 'logp'``.

    Raises
    ------
    UserFunctionError
        In place of any error but one of ours, which has its words already.
    """
    try:
        yield
    except NutsliteError:
        raise
    except Exception as error:
        raise UserFunctionError(f"{what} failed: {type(error).__name__}: {error}") from error


def error_about(
    given: Any, expected: type | tuple[type, ...], of_value: type[NutsliteError], of_type: type[NutsliteError]
) -> type[NutsliteError]:
    """The error about an argument: `of_type` where it is not of the `expected` type; a Boolean is no number."""
    fits = isinstance(given, expected) and (not isinstance(given, bool) or expected is bool)
    return of_value if fits else of_type


_HEARD: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Collect the warnings of the block, logged ones too, in place of showing them; what only informs is left out.

    For one fit of many, which does not speak for itself. Only of this thread, where Python's own filters are of all.
    """
    messages: list[str] = []
    token = _HEARD.set(messages)
    try:
        yield messages
    finally:
        _HEARD.reset(token)


def listener() -> list[str] | None:
    """Where warnings of this thread are collected, if they are."""
    return _HEARD.get()


def warn(message: str, category: type[Warning] = NutsliteWarning) -> None:
    """Issue a warning that points at the line outside this package that led here."""
    if (messages := listener()) is not None:
        messages.append(message)
        return
    package = os.path.dirname(__file__) + os.sep
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(message, category, stacklevel=level)
    except Warning:  # the user wants errors
        raise
    except Exception:  # Python shows it on a standard error that is closed or breaks
        return


class _Short(reprlib.Repr):
    """Texts whole, containers to a few items and a few levels: what is nested thousands deep has a repr, too."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = self.maxlong = 200


def shown(value: Any) -> str:
    """A user's value for a message, as `repr`, but never long, never deep and never an error.

    >>> shown({"x": [[[[[1]]]]]})
    "{'x': [[[[...]]]]}"
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, FunctionType):
        return "a lambda" if value.__name__ == "<lambda>" else f"the function {value.__name__}"
    if callable(value) and isinstance(getattr(value, "__name__", None), str):  # a function of NumPy's, say
        return f"the function {value.__name__}"
    try:
        found = _Short().repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    if "\n" not in found:
        return found
    name = type(value).__name__  # of a table, or a model: that says more than a piece of it
    return "an array" if name == "ndarray" else f"a {name}"


def checked_options(argument: str, given: Any, known: Collection[str]) -> dict[str, Any]:
    """A dict of options, the value of `argument`, or an empty one for None.

    Raises
    ------
    ArgumentError
        Where it is no dict, or has a key that nothing reads.
    """
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentTypeError(f"{argument} is a dict of {', '.join(known)}; not {given!r}.")
    for name in given or {}:
        if name not in known:
            raise ArgumentError(
                f"{argument}={{...}} takes {', '.join(known)}; not '{name}'.{did_you_mean(name, known)}"
            )
    return dict(given or {})


def check_flags(**given: Any) -> None:
    """Raise where an argument that is yes or no is neither: the text "no" would count as yes.

    Raises
    ------
    ArgumentError
        Naming the argument.
    """
    for argument, value in given.items():
        if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):
            raise ArgumentTypeError(f"{argument} is True or False, not {value!r}.")


def checked_path(argument: str, given: Any) -> str:
    """A path as a text; there need not be a file.

    Raises
    ------
    DataError
        Where it is something else, or what the system takes for no path: empty, too long, with a zero byte.
    """
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise DataTypeError(f"{argument} is the path of a file, not {given!r}.")
    path = str(os.fspath(given))
    if not path:
        raise DataError(f"{argument} is the path of a file, not an empty text.")
    try:
        os.lstat(path)
    except ValueError:
        raise DataError(f"{argument} is the path of a file; no path has a zero byte: {path!r}.") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            shown = path if len(path) < SHOWN_PATH else f"{path[:SHOWN_PATH]}..."
            raise DataError(f"{argument}: '{shown}' is no path: {error.strerror}.") from None
    return path


def random_generator(random_seed: Any) -> Any:
    """NumPy's generator for what users give as a seed.

    Raises
    ------
    ArgumentError
        Where NumPy takes it for none.
    """
    import numpy as np

    try:
        return np.random.default_rng(random_seed)
    except (TypeError, ValueError) as error:
        kind = ArgumentTypeError if isinstance(error, TypeError) else ArgumentError
        raise kind(
            f"random_seed is an integer from 0 on, a sequence of such, or a NumPy generator, not {random_seed!r}."
        ) from None


def refuse_other(argument: str, given: Any, known: Collection[str | None]) -> None:
    """Raise where the value of `argument` is not among the known ones.

    Raises
    ------
    ArgumentError
    """
    if given not in known:
        choices = ", ".join(repr(name) for name in known)
        kind = ArgumentError if type(given) in {type(name) for name in known} else ArgumentTypeError
        raise kind(f"{argument} is one of {choices}; not {given!r}.{did_you_mean(given, known)}")
