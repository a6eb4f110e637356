"""The package's one logger, whose messages are seen without any set-up, and leave the say to users who have one.

A message that cannot be written is lost, and nothing else: neither a missing or broken standard error nor a handler of
the user's that fails may end a fit.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from nutslite._columns import columns_of, folded
from nutslite.exceptions import listener


class _Fallback(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at that time, unless the root logger has handlers: then those show the messages."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # as in the logging module's own handler of last resort
        """Standard error, which tests and notebooks replace; None under programs without a console."""
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        """The message, in lines that a terminal does not break."""
        return folded(super().format(record), columns_of(self.stream), quoted=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message where nobody else will."""
        if not logging.getLogger().handlers and self.stream is not None:
            super().emit(record)


class _Log(logging.LoggerAdapter[logging.Logger]):
    """The logger "nutslite"; messages are put together before handlers see them, whose failures are nobody's."""

    def log(self, level: int, msg: object, *args: Any, **options: Any) -> None:
        """Log a message, if that is possible."""
        if (messages := listener()) is not None:
            if level >= logging.WARNING:
                messages.append(str(msg) % args if args else str(msg))
            return
        if self.isEnabledFor(level):
            text = str(msg) % args if args else str(msg)
            with unheard():
                self.logger.log(level, text, stacklevel=3, **options)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Let what cannot be written be lost; a warning that is to be an error goes through."""
    try:
        yield
    except Warning:
        raise
    except Exception:  # handlers and streams of other people raise anything, and there is nowhere to say so
        return


def _visible_logger() -> _Log:
    logger = logging.getLogger("nutslite")
    if not logger.handlers:  # neither the user nor an earlier import has been here
        logger.addHandler(_Fallback())
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return _Log(logger, {})


log = _visible_logger()
"""Informs at level INFO; ``logging.getLogger("nutslite").setLevel("ERROR")`` silences it."""
