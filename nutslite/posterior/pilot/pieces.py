"""Posteriors in pieces: under the inverse link of a real mean, the mean jumps where its linear predictor is zero.

It goes to plus infinity on one side and comes from minus infinity on the other. A piece in which all rows' predictors
have one sign does not know of the others; slices with powers of the likelihood (`run_slice`) do, trajectories do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.families.links.codes import INVERSE
from nutslite.families.record.family import Family
from nutslite.posterior.pilot.row_information import linear_predictors
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.model_data import ModelData
from nutslite.priors.densities.codes import FLAT, HALF_FLAT

FloatArray = NDArray[np.float64]

LOOKED_AT = 200  # draws
MOST_ROWS = 2000
NEAR_ZERO = 2.5  # in standard deviations of a row's mean: how near a mean of zero none of these draws may come


def broken(model: ModelData, family: Family) -> list[int]:
    """Predictors whose inverse link has a pole inside their range."""
    parts = enumerate(zip(family.eta_parameters, model.links, model.predictors, strict=True))
    return [j for j, (p, link, row) in parts if row[md.VARIES] and int(link) == INVERSE and p.support == "real"]


def has_pieces(model: ModelData, family: Family) -> bool:
    """Whether powers of the likelihood are to be sampled as well; flat priors are nothing that these could end at."""
    return bool(broken(model, family)) and not np.isin(model.head.densities, (FLAT, HALF_FLAT)).any()


def warn_of_pieces(assembled: Assembled, values: FloatArray, effects: FloatArray) -> None:
    """Warn where draws (chains, draws, ...) that cannot leave their piece come near its border with another.

    That border is a mean of zero, a predictor that is infinite.
    """
    model, family = assembled.data, assembled.spec.family
    found = broken(model, family)
    if not found:
        return
    chains, draws, _ = values.shape
    some = np.unique(np.linspace(0, chains * draws - 1, LOOKED_AT).astype(int))
    rows = slice(0, min(model.y.shape[1], MOST_ROWS))
    pairs = zip(*np.unravel_index(some, (chains, draws)), strict=True)
    eta = np.array([linear_predictors(model, values[c, i], effects[c, i], rows)[found] for c, i in pairs])
    with np.errstate(divide="ignore"):
        means = 1.0 / eta
    near = np.abs(means).min(axis=0) < NEAR_ZERO * means.std(axis=0)
    crossed = (eta.min(axis=0) < 0.0) & (eta.max(axis=0) > 0.0)
    for j, rows_near in zip(found, (near | crossed).any(axis=1), strict=True):
        if rows_near:
            name = family.eta_parameters[j].name
            log.warning(
                "Under the inverse link '%s' jumps from one end of the real line to the other where its linear "
                "predictor is zero, so the posterior is in pieces, with predictors above zero and below. The draws "
                "come near a mean of zero, beyond which there is another piece, and chains do not go from one to the "
                "other: shares of the pieces may be wrong. Another link, such as 'identity', has one piece.",
                name,
            )
