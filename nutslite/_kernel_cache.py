"""Numba's cache on disk, made robust: it saves compile time, and its troubles must not cost a fit.

Numba's own cache raises where no folder can be written to, where the disk is full and where a file is damaged, and two
processes that compile different versions of one function at the same time may leave an index that points at the wrong
one. Here all of these mean only that something is compiled again.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import sigutils
from numba.core.caching import FunctionCache, NullCache
from numba.core.options import DefaultOptions
from numba.core.registry import CPUDispatcher
from numba.core.runtime import rtsys

from nutslite._garbage import without_collections
from nutslite._linked import ResultsOnDisk, compiler, made_native
from nutslite._log import log

LOCK_NAME = "nutslite.lock"

NO_ENTRIES = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only compiled code calls."""

# Not part of Numba's public interface: where it is missing, references are counted, and all is only slower.
UNCOUNTED: dict[str, Any] = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}
"""Options of functions that count no references to arrays: they must not allocate and not keep what they are given."""

MOST_ANSWERS = 16
"""Signatures that a function remembers what it was compiled to."""

_said: set[str] = set()


def cached(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Like ``numba.njit(cache=True, **options)``; under ``NUMBA_DISABLE_JIT=1`` functions stay as they are."""

    def decorate(function: Callable[..., Any]) -> Any:
        linked = bool(options.get("no_cpython_wrapper"))
        dispatcher = numba.njit(pipeline_class=compiler(linked), **options)(function)
        if not hasattr(dispatcher, "py_func"):
            return dispatcher
        dispatcher.__class__ = Inner if linked else Compiled
        dispatcher._cache = LateCache(function)
        return dispatcher

    return decorate


class Compiled(CPUDispatcher):  # type: ignore[misc]  # Numba has no types
    """A compiled function."""

    def compile(self, sig: Any) -> Any:
        """Compile for a signature; Python does not look for garbage meanwhile.

        The same object as before is answered at once, as in `get_compile_result`.
        """
        known = self.__dict__.setdefault("_entries", {})
        if (entry := known.get(id(sig))) is None:
            with without_collections():
                entry = sig, super().compile(sig)
            if len(known) < MOST_ANSWERS:
                known[id(sig)] = entry
        return entry[1]

    def get_compile_result(self, sig: Any) -> Any:
        """What was compiled for a signature, which Numba asks for whenever Python hands this function over.

        The same object as before is answered at once: to look signatures up takes longer than small densities.
        """
        known = self.__dict__.setdefault("_answers", {})
        if (answer := known.get(id(sig))) is None:
            answer = sig, super().get_compile_result(sig)  # a signature keeps its number while it lives
            if len(known) < MOST_ANSWERS:
                known[id(sig)] = answer
        return answer[1]


class Inner(Compiled):
    """A compiled function without an entry for Python. A call from there would end the process; it goes to a twin."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compile the function again, with an entry, and call that."""
        return _with_entry(self)(*args, **kwargs)

    def get_native_result(self, sig: Any) -> Any:
        """What was compiled for a signature, with machine code, which is kept on disk, too."""
        result = self.get_compile_result(sig)
        if made_native(result):
            self._cache.save_overload(sig, result)
        return result


@functools.cache
def _with_entry(dispatcher: Any) -> Any:
    options = {name: value for name, value in dispatcher.targetoptions.items() if name not in (*NO_ENTRIES, "nopython")}
    return numba.njit(**options)(dispatcher.py_func)


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether something of a function, a plain one that was given to `cached`, is on disk and not out of date."""
    try:
        return bool(CarefulCache(function)._cache_file._load_index())
    except Exception:  # what cannot be read is compiled
        return False


class CarefulCache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """The cache of one function. What cannot be read is compiled, what cannot be written is not kept."""

    _impl_class = ResultsOnDisk

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What is kept for a signature, or None.

        Numba loads all that it needs to compile first, for which it imports SciPy's linear algebra, too: a fifth of a
        warm fit. What is compiled already needs Numba's memory manager, and a type for functions that are handed over.
        """
        try:
            rtsys.initialize(target_context)
            import numba.experimental.function_type  # noqa: F401  # registers the type

            found = self._load_overload(sig, target_context)
        except Exception as error:  # a damaged file may raise anything
            _say_once(error)
            return None
        if found is not None and tuple(found.signature.args) != tuple(sigutils.normalize_signature(sig)[0]):
            return None  # written by two processes at once, without a lock
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled; the data first, then the index that points at them."""
        try:
            self._impl.locator.ensure_cache_path()
            with _locked(Path(self._cache_path)):
                super().save_overload(sig, data)
        except (OSError, EOFError, ValueError) as error:
            _say_once(error)

    def _save_overload(self, sig: Any, data: Any) -> None:
        if not self._enabled or not self._impl.check_cachable(data):
            return
        key = self._index_key(sig, data.codegen)
        reduced = self._impl.reduce(data)
        file = self._cache_file
        try:
            overloads = file._load_index()
        except Exception:  # a damaged index is written anew
            overloads = {}
        name = overloads.get(key)
        if name is None:
            taken = set(overloads.values())
            name = next(name for number in range(1, len(taken) + 2) if (name := file._data_name(number)) not in taken)
        file._save_data(name, reduced)
        file._save_index({**overloads, key: name})


class LateCache:
    """The cache of one function, opened when something is first asked of it.

    Numba writes a file to see whether it can, and reads the source: for hundreds of functions, of which a process calls
    some dozens, that took as long as a small fit.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @functools.cached_property
    def _opened(self) -> Any:
        try:
            return CarefulCache(self._function)
        except (RuntimeError, OSError) as error:  # nowhere to write, or a function without a file (a console's)
            if os.path.exists(inspect.getfile(self._function)):
                _say_once(error)
            return NullCache()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time, where the system and the file system have locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock = stack.enter_context(open(folder / LOCK_NAME, "ab"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say_once(error: Exception) -> None:
    if "cache" not in _said:
        _said.add("cache")
        log.warning(
            "Compiled code cannot be kept on disk, or not read from there (%s): all works, but what is missing is "
            "compiled again, which takes some seconds. If this stays, set the environment variable NUMBA_CACHE_DIR to "
            "a folder that can be written to.",
            " ".join(str(error).split()) or type(error).__name__,
        )
