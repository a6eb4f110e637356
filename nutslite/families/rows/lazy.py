"""A kernel that waits until it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class LazyKernel:
    """A kernel that is put together when it is first needed: for families and links of the user's own.

    Attributes
    ----------
    inner : callable or None
        The kernel that this one translates linear predictors for, where it does.
    """

    def __init__(self, make: Callable[[], Callable[..., None]], inner: Callable[..., None] | None = None) -> None:
        self._make = make
        self.inner = inner
        self._kernel: Callable[..., None] | None = None

    def build(self) -> Callable[..., None]:
        """The kernel itself, jitted."""
        if self._kernel is None:
            self._kernel = self._make()
        return self._kernel

    def _digested(self) -> dict[str, Any]:
        """What decides about draws: how the kernel is made, not whether it has been made."""
        return {"make": self._make, "inner": self.inner}

    def __call__(self, *arguments: Any) -> None:
        """Build the kernel and call it."""
        self.build()(*arguments)
