"""What tests send to other processes; a module of its own, which these import in no time."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from pathlib import Path


def squared(number: int) -> int:
    return number * number


def noted(number: int, folder: str) -> int:
    """The square; a file of the folder for each time that it was worked out."""
    Path(folder, f"{number}.{uuid.uuid4().hex}").touch()
    return number * number


def fatal_once(number: int, fatal: int, folder: str) -> int:
    """As `noted`, but at the number `fatal` it kills its process the first time."""
    flag = Path(folder, "killed")
    if number == fatal and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(number, folder)


def fatal(number: int, of: int) -> int:
    """The square; at one number it ends its process, each time."""
    if number == of:
        os._exit(1)
    return number * number


def root(number: float) -> float:
    if number < 0.0:
        raise ValueError(f"{number} has no root")
    return float(number) ** 0.5


class UnportableError(Exception):
    def __init__(self) -> None:
        super().__init__("with a lock")
        self.lock = threading.Lock()


def unportable(number: int) -> int:
    raise UnportableError()


def ended() -> None:
    os._exit(1)


def failed() -> None:
    raise RuntimeError("no license")


def fatal_column(x, home, folder):
    """A column of a formula, whose first evaluation outside the process `home` kills that process."""
    flag = Path(folder, "killed")
    if os.getpid() != home and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return x
