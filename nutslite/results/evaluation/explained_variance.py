"""Bayesian R-squared: how much of the response's variation the model's mean explains, draw by draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, warn
from nutslite.results.diagnostics import diagnostics
from nutslite.results.evaluation.predictive import KNOWN_APART, form_of, known_parameters
from nutslite.results.predictions.predict import conditional_parameters, pointwise_log_likelihood, predicted_means
from nutslite.scores.distributions import distribution
from nutslite.scores.importance import leave_one_out, said_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import pandas as pd

    from nutslite.formula.design import Design
    from nutslite.results.predictions.response_draws import PredictionTask

FloatArray = NDArray[np.float64]

PROB = 0.94
BOOTSTRAPS = 4000


def r2_draws(posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask) -> FloatArray:
    """R-squared of every draw, shape (chains, draws).

    ``var(mean) / (var(mean) + var(y - mean))`` with variances over the rows and the means that the draw's parameters
    imply: the residual-based version of Gelman, Goodrich, Gabry and Vehtari (2019), "R-squared for Bayesian regression
    models", The American Statistician 73. Weights of rows do not count.

    Raises
    ------
    DataError
        If the response does not vary or is censored, or the design has none.
    """
    y = _varying_response(design)
    means = predicted_means(posterior, design, task)
    explained = means.var(axis=-1)
    return np.asarray(explained / (explained + (y - means).var(axis=-1)))


def model_r2_draws(posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask) -> FloatArray:
    """R-squared of every draw with the residual variance that the model has, shape (chains, draws).

    ``var(mean) / (var(mean) + E)``, E the mean over rows of the variance of the row's distribution: sigma^2, or
    p (1 - p) of a row that is 0 or 1 (Gelman, Goodrich, Gabry and Vehtari 2019, equation 3).

    Raises
    ------
    DataError
        As for `r2_draws`; where the variance is not known in closed form or infinite.
    """
    _varying_response(design)
    form = form_of(task.family)
    if form in KNOWN_APART:
        raise DataError(
            f"kind='model' needs the variance of family='{task.family.name}' in closed form, which nutslite does not "
            "have. kind='residual' takes the variance of the residuals instead."
        )
    explained = predicted_means(posterior, design, task).var(axis=-1)
    known = known_parameters(form, conditional_parameters(posterior, design, task), design)
    unexplained = (distribution(form).sd(*known.values()) ** 2).mean(axis=-1).reshape(explained.shape)
    if not np.isfinite(unexplained).all():
        raise DataError(
            f"The variance of family='{task.family.name}' is infinite, or does not exist, at some draws: no share of "
            "it can be explained. kind='residual' takes the variance of the residuals instead."
        )
    return np.asarray(explained / (explained + unexplained))


def loo_r2_draws(
    posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask, rng: np.random.Generator
) -> FloatArray:
    """R-squared of rows as if each had been left out, shape (1, BOOTSTRAPS).

    ``1 - var(y - m) / var(y)``, m the mean of a row's prediction by the other rows (PSIS-LOO). Draws are those of a
    Bayesian bootstrap of the rows (Rubin 1981, Annals of Statistics 9), as in R's rstanarm; they may be negative.

    Raises
    ------
    DataError
        As for `r2_draws`.

    Warns
    -----
    NutsliteWarning
        Where importance weights of some rows cannot be relied on.
    """
    y = _varying_response(design)
    left_out = leave_one_out(pointwise_log_likelihood(posterior, design, task))
    if left_out.bad.size:
        warn(said_of(left_out.khat, left_out.limit, design.rows))
    means = predicted_means(posterior, design, task).reshape(-1, design.n_rows)
    missed = y - (left_out.weights * means).sum(axis=0)
    shares = rng.dirichlet(np.ones(y.size), BOOTSTRAPS)
    return np.asarray(1.0 - _variances(shares, missed) / _variances(shares, y))[None]


def _variances(shares: FloatArray, values: FloatArray) -> FloatArray:
    """Of values (n,) under each of several sets of weights (m, n), shape (m,)."""
    centred = values - values.mean()
    return np.asarray(shares @ centred**2 - (shares @ centred) ** 2)


def _varying_response(design: Design) -> FloatArray:
    y = design.response.values[0]
    if np.isnan(y).any():
        raise DataError(f"R-squared needs the response '{design.response.name}', which these data lack.")
    if design.response.columns:
        raise DataError(
            f"R-squared is of one number a row, and '{design.response.name}' has {len(design.response.columns)}. "
            "evaluate() scores them together."
        )
    if design.response.censoring is not None:
        raise DataError(
            f"R-squared compares responses with their means, and of '{design.response.name}' not all were seen."
        )
    if np.ptp(y) == 0.0:
        raise DataError(f"The response '{design.response.name}' does not vary, so no share of it can be explained.")
    return np.asarray(y, dtype=float)


def r2_table(draws: FloatArray) -> pd.Series[float]:
    """Mean, standard deviation and 94 % highest-density interval of R-squared."""
    import pandas as pd

    low, high = diagnostics.hdi(draws[:, :, None], PROB)[0]
    sd = float(draws.std(ddof=1)) if draws.size > 1 else float("nan")
    return pd.Series({"r2": float(draws.mean()), "r2_std": sd, "hdi_3%": float(low), "hdi_97%": float(high)})
