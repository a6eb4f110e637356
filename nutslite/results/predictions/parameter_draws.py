"""The distributional parameters of rows at posterior draws, chunk by chunk of draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.families.links.codes import inverse_array, link_array
from nutslite.results.predictions.linear_predictor import LinearPredictors, NamedDraws
from nutslite.results.predictions.response_draws import PredictionTask

if TYPE_CHECKING:
    from nutslite.families.links.parameter import Parameter
    from nutslite.families.record.family import Family
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]

_CHUNK_NUMBERS = 2_000_000  # numbers per temporary array: 16 MB


class ParameterDraws:
    """Parameters of the rows of a design at every draw, on their links and on their natural scale.

    Parameters
    ----------
    draws : NamedDraws
    design : Design
        The model's own, or ``design.evaluate(new_data)``.
    task : PredictionTask
    rng : numpy.random.Generator
        Draws effects of new groups; not used where there are none.
    include_group_specific, sample_new_groups : bool
        As for `nutslite.results.predictions.predict.predict`.

    Raises
    ------
    DataError
        If the draws do not belong to the model, or there are new levels and `sample_new_groups` is False.
    """

    def __init__(
        self,
        draws: NamedDraws,
        design: Design,
        task: PredictionTask,
        rng: np.random.Generator,
        *,
        include_group_specific: bool = True,
        sample_new_groups: bool = False,
    ) -> None:
        self.draws, self.task, self.n_rows = draws, task, design.n_rows
        self._predictors = LinearPredictors(
            draws,
            design,
            parent=task.family.parent.name,
            rng=rng,
            include_group_specific=include_group_specific,
            sample_new_groups=sample_new_groups,
            group_sampler=task.group_sampler,
            sizes={item.name: item.size for item in task.family.parameters if item.dim},
        )

    @property
    def varying(self) -> tuple[str, ...]:
        """Parameters that have a linear predictor."""
        return self._predictors.parameters

    def chunks(self) -> Iterator[tuple[int, int]]:
        """First and last sample of pieces of a bounded size."""
        return chunks(self.draws.samples, self.n_rows)

    def eta(self, name: str, start: int, stop: int) -> FloatArray:
        """Linear predictors of one parameter that has them: (chunk, rows), of a vector (chunk, rows, size)."""
        return self._predictors.eta(name, start, stop)

    def on_links(self, start: int, stop: int) -> dict[str, FloatArray]:
        """Linear predictors of what has a formula, (chunk, rows[, size]); numbers (chunk, 1[, size]) of what has none.

        The numbers are on their natural scale.
        """
        return {
            item.name: self.eta(item.name, start, stop)
            if item.name in self.varying
            else self.constant(item)[start:stop, None]
            for item in self.task.family.parameters
        }

    def natural(self, start: int, stop: int) -> dict[str, FloatArray]:
        """All parameters on their natural scale, as results name them."""
        return self.to_natural(self.on_links(start, stop))

    def to_natural(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """What `on_links` gave, on the natural scale: (chunk, rows) with a linear predictor, (chunk, 1) without.

        A family that combines its linear predictors makes vectors of them, (chunk, rows, size).
        """
        family = self.task.family
        found = {
            name: inverse_array(self.task.link(name), value)
            if name in self.varying and name not in family.combined
            else value
            for name, value in values.items()
        }
        return found if family.combine is None else family.combine(self.task.links, found)

    def constant(self, item: Parameter) -> FloatArray:
        """Draws of a parameter without a formula, (samples,), of a vector (samples, size), on the natural scale."""
        width = (item.size,) if item.dim else ()
        if item.name in self.task.constants:
            given = np.asarray(self.task.constants[item.name], dtype=float)
            return np.broadcast_to(given, (self.draws.samples, *width))
        return self.draws.get(item.name, width=width)

    def constant_on_link(self, item: Parameter) -> FloatArray:
        """The same as kernels take it."""
        link = self.task.family.parameter(item.name).kernel_link(self.task.link(item.name))
        return link_array(link, self.constant(item))


def chunks(samples: int, rows: int) -> Iterator[tuple[int, int]]:
    """First and last sample of pieces of which a number for each row and sample fits into memory with ease."""
    step = max(1, _CHUNK_NUMBERS // max(rows, 1))
    for start in range(0, samples, step):
        yield start, min(start + step, samples)


def companions_of(design: Design, family: Family) -> dict[str, FloatArray]:
    """What the family needs besides parameters to draw responses, such as trials.

    Raises
    ------
    DataError
        Where rows lack it.
    """
    rows, columns = design.response.beside, design.response.columns
    for name in family.companions:
        if name not in rows or np.isnan(rows[name]).any():
            source = f"the columns {', '.join(columns)}, whose sum they are" if columns else "a column with them"
            raise DataError(
                f"What is expected of responses '{design.response.name}' needs the {name} of every row: give the new "
                f"data {source}. Without, there are predictions of parameters: kind='response_params', or interpret's "
                "target=."
            )
    return rows
