"""Derivatives of log likelihoods by linear predictors, of which scores of coefficients are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.results.predictions.linear_predictor import NamedDraws, join_chains
from nutslite.results.predictions.parameter_draws import ParameterDraws
from nutslite.results.predictions.predict import parts_of
from nutslite.results.predictions.response_draws import PredictionTask

if TYPE_CHECKING:
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]


def mean_slopes(posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask) -> FloatArray:
    """Derivatives of every observation's log likelihood by the linear predictors: scores of common coefficients.

    At the posterior means. With group effects they are means over draws: the score of the likelihood that these are
    integrated out of is the expectation of the score given them (Louis, 1982, JRSS B 44:226-233). The Monte Carlo error
    of such means makes adjusted intervals a little wider, the more so the fewer the draws.

    Returns
    -------
    ndarray, shape (k, rows)
        Of a parameter without a formula, by the number on its native link.

    Raises
    ------
    DataError
        As for `predict`.
    """
    family, draws = task.family, join_chains(posterior)
    if any(predictor.group_terms for predictor in design.predictors.values()):
        points = draws
    else:
        points = NamedDraws({name: array.mean(axis=0, keepdims=True) for name, array in draws.arrays.items()}, 1, 1)
    rows = ParameterDraws(points, design, task, np.random.default_rng())
    links, size = family.link_codes(task.links, rows.varying), len(family.eta_parameters)
    parts, varies = parts_of(design, family, links), np.ones(size, dtype=np.int64)
    constants = {
        item.name: rows.constant_on_link(item).reshape(points.samples, item.size)
        for item in family.parameters
        if item.name not in rows.varying
    }
    eta, slopes, total = (np.zeros((size, design.n_rows)) for _ in range(3))
    for sample in range(points.samples):
        j = 0
        for item in family.parameters:
            places = slice(j, j + item.size)
            if item.name in rows.varying:
                eta[places] = rows.eta(item.name, sample, sample + 1)[0].T
            else:
                eta[places] = constants[item.name][sample][:, None]
            j += item.size
        for part in parts:
            part.fill(eta, varies, links, np.empty(design.n_rows), slopes)
        total += slopes
    return total / points.samples
