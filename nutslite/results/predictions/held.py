"""Where numbers of every row and draw are put, draw after draw: arrays, or what takes the place of arrays on disk."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Held(Protocol):
    """Numbers of all samples; those that are set are the ones that follow those that were set before."""

    @property
    def dtype(self) -> Any:
        """Of the numbers."""

    def __setitem__(self, samples: slice, values: NDArray[Any]) -> None:
        """Put the numbers of some samples into their places."""

    def as_floats(self) -> Held:
        """The same numbers as float64, and room for the others."""


class Hold(Protocol):
    """What makes room for a variable."""

    def __call__(
        self, name: str, shape: tuple[int, ...], dtype: DTypeLike, vector: tuple[str, tuple[str, ...]] | None = None
    ) -> Held:
        """Room for an array of shape (samples, rows, ...); `vector` is what its further axis is, and its labels."""


class HeldArray:
    """Room in memory.

    Attributes
    ----------
    values : ndarray
    """

    def __init__(self, name: str, shape: tuple[int, ...], dtype: DTypeLike, vector: Any = None) -> None:
        self.values: NDArray[Any] = np.empty(shape, dtype=dtype)

    @property
    def dtype(self) -> Any:
        """Of the array."""
        return self.values.dtype

    def __setitem__(self, samples: slice, values: NDArray[Any]) -> None:
        """Overwrite some samples."""
        self.values[samples] = values

    def as_floats(self) -> HeldArray:
        """The same as float64, in place where numbers are as large: there may be no room for them twice."""
        if self.values.dtype.itemsize != np.dtype(float).itemsize:
            self.values = self.values.astype(float)
            return self
        floats = self.values.view(float)
        for place, sample in enumerate(self.values):
            floats[place] = sample.astype(float)
        self.values = floats
        return self
