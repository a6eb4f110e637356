"""A finished run in a few numbers for each parameter, without the container that a summary is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.methods.fit import Fit
from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.labels import columns_of, element_labels
from nutslite.results.diagnostics.measured import MEASURED
from nutslite.results.diagnostics.summary import statistics
from nutslite.results.fit import report_on

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Brief:
    """What a table has of a run.

    Attributes
    ----------
    labels : tuple of str
        One for every element of every variable: ``"g[b]"``.
    columns : tuple of str
        Those of `nutslite.summary`, as far as they are there.
    numbers : ndarray, shape (labels, columns)
    divergences : int
    method : str
        How draws were made: ``"independence"``, ``"nuts"``, ...
    """

    labels: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: FloatArray
    divergences: int
    method: str


def brief_of(fit: Fit, hdi_prob: float) -> Brief:
    """Means, intervals and diagnostics of a run, whose report is logged as after `Model.fit`.

    They are the numbers of `nutslite.summary` before these are rounded. Draws of an approximation have no chains: their
    effective sizes and R-hat are nan.
    """
    layout = fit.plan.assembled.layout
    posterior = layout.unpack(fit.values, fit.effects)
    report_on(fit, posterior, {})
    labels = [
        label
        for name, values in posterior.items()
        for label in element_labels(name, values.shape[2:], layout.dims, layout.coords)
    ]
    draws = columns_of(posterior.values())
    table = statistics(draws, hdi_prob)
    found = diagnostics.convergence(draws, MEASURED)  # which the report has asked for already
    for name in MEASURED:
        table[name] = np.full(len(labels), np.nan) if fit.approximate else found[name]
    divergences = int(np.sum(fit.stats["diverging"])) if "diverging" in fit.stats else 0
    return Brief(tuple(labels), tuple(table), np.stack(list(table.values()), axis=1), divergences, fit.method)
