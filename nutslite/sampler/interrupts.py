"""Ctrl-C while there is something to lose: the first one ends the sampling, and what is drawn is still put together.

Python raises KeyboardInterrupt wherever the program happens to be, which just after the last transition would throw all
draws away. Inside `careful_interrupts` it is raised while chains run (and before), and only noted afterwards.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from nutslite._log import log
from nutslite.sampler.checkpoint.record_log import DamagedCheckpointError

LAST_PRESS = 3
"""This Ctrl-C ends everything, whatever is lost. The second ends the wait for blocks that chains have begun."""


class Interrupts:
    """How often Ctrl-C was pressed, and what the next one does.

    Attributes
    ----------
    pressed : int
    held : bool
        Whether Ctrl-C is only noted. The first one that is raised sets it, and so does `hold`.
    """

    def __init__(self) -> None:
        self.pressed = 0
        self.held = False

    def hold(self) -> None:
        """From now on there are draws to lose: note Ctrl-C, do not raise it."""
        self.held = True

    def release(self) -> None:
        """Chains go on: raise Ctrl-C again, unless it was pressed meanwhile."""
        self.held = self.pressed > 0

    def handle(self, signal_number: int, frame: FrameType | None) -> None:
        """What Python calls, in the main thread, at Ctrl-C."""
        self.pressed += 1
        if self.held and self.pressed < LAST_PRESS:
            log.info("Ctrl-C: putting together what is drawn (%d more to end at once).", LAST_PRESS - self.pressed)
            return
        self.held = True
        raise KeyboardInterrupt


def ended_by(error: BaseException, drawn: bool) -> None:
    """What ends a run before its time does not take its draws with it: say what it was; raise it if there are none.

    Parameters
    ----------
    error : BaseException
        `KeyboardInterrupt`, which needs no words, or what a user's function, the system or a chain raised.
    drawn : bool
        Whether there are draws to keep.

    Raises
    ------
    BaseException
        That error, where there are none, or where a checkpoint has them that cannot be read to its end.
    """
    if not drawn or isinstance(error, DamagedCheckpointError):
        raise error
    if not isinstance(error, KeyboardInterrupt):
        log.warning("Sampling ended early by an error. %s: %s", type(error).__name__, error)


_active: list[Interrupts] = []


def last_press() -> bool:
    """Whether Ctrl-C was pressed so often that everything is to end at once."""
    return bool(_active) and _active[-1].pressed >= LAST_PRESS


@contextlib.contextmanager
def careful_interrupts() -> Iterator[Interrupts]:
    """Count Ctrl-C inside the block; a block inside another one is the same as that.

    Outside the main thread, and where somebody else handles the signal, nothing is changed and nothing counted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Interrupts()
        return
    if _active:
        yield _active[-1]
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield Interrupts()
        return
    interrupts = Interrupts()
    _active.append(interrupts)
    try:
        signal.signal(signal.SIGINT, interrupts.handle)
        yield interrupts
    finally:
        _active.pop()
        signal.signal(signal.SIGINT, signal.default_int_handler)
