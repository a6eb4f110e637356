"""`Stream`: numbers of every row and draw that are put into a file instead of memory."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from nutslite.formula.design import Design
from nutslite.posterior.record.inventory import SAMPLE_DIMS
from nutslite.results.container.sample_axes import SampleAxes
from nutslite.results.predictions.response_draws import PredictionTask
from nutslite.results.predictions.row_dataset import row_dataset
from nutslite.results.storage.storage import storable
from nutslite.results.storage.streamed_file import check_stream, opened_group, streamed_file
from nutslite.results.storage.streamed_group import StreamedGroup, StreamedVariable
from nutslite.sampler.memory import FLOAT_BYTES

if TYPE_CHECKING:
    import xarray


class Stream:
    """A group on its way to disk, with the names and labels that it would have in memory.

    The file is there when the ``with`` block ends without an error; otherwise nothing is left of it.

    Parameters
    ----------
    path : path-like
    group : str
        Of results.
    axes : SampleAxes
        Chains and draws.
    design : Design
        The rows.
    task : PredictionTask
    attributes : mapping of str to str
        Further ones of the group.

    Raises
    ------
    DataError
        If no file can be made there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        group: str,
        axes: SampleAxes,
        design: Design,
        task: PredictionTask,
        attributes: Mapping[str, str],
    ) -> None:
        self.group, self.axes, self.task, self.attributes = group, axes, task, dict(attributes)
        self._samples = tuple(axes.sizes.get(dim, 1) for dim in SAMPLE_DIMS)
        self.path = check_stream(path, FLOAT_BYTES * math.prod(self._samples) * design.n_rows)
        self._file: AbstractContextManager[StreamedGroup] = streamed_file(self.path, group)
        self._streamed: StreamedGroup

    def __enter__(self) -> Stream:
        """Begin the file, under another name."""
        self._streamed = self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """Give it its name, or remove it."""
        return self._file.__exit__(*error)

    def hold(
        self, name: str, shape: tuple[int, ...], dtype: DTypeLike, vector: tuple[str, tuple[str, ...]] | None = None
    ) -> StreamedVariable:
        """Room for an array (samples, rows, ...): `nutslite.results.predictions.held.Hold`."""
        nothing = np.broadcast_to(np.zeros((), dtype=dtype), (*self._samples, *shape[1:]))
        template = row_dataset({name: nothing}, self.axes, self.task, {} if vector is None else {name: vector})
        return self._streamed.hold(storable(self.group, template.assign_attrs(self.attributes)), dtype)

    def opened(self) -> xarray.Dataset:
        """The group, whose numbers are read from the file when they are asked for."""
        return opened_group(self.path, self.group)
