"""The package's one logger, whose messages are seen without any set-up, and leave the say to users who have one."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from nutslite._columns import columns_of, folded


class _Fallback(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at that time, unless the root logger has handlers: then those show the messages."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # as in the logging module's own handler of last resort
        """Standard error, which tests and notebooks replace."""
        return sys.stderr

    def format(self, record: logging.LogRecord) -> str:
        """The message, in lines that a terminal does not break."""
        return folded(super().format(record), columns_of(self.stream), quoted=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message where nobody else will."""
        if not logging.getLogger().handlers:
            super().emit(record)


def _visible_logger() -> logging.Logger:
    logger = logging.getLogger("nutslite")
    if not logger.handlers:  # neither the user nor an earlier import has been here
        logger.addHandler(_Fallback())
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    return logger


log = _visible_logger()
"""Informs at level INFO; ``logging.getLogger("nutslite").setLevel("ERROR")`` silences it."""
