"""The spread of estimates under a working likelihood: from posterior draws to draws that spread as the estimates do.

Where the likelihood is a working one, as in regressions of quantiles, the posterior is about the right place and has
the wrong width. With S the posterior covariance, P the priors' precision, H the likelihood's (`curvature`, or
S^-1 - P), and M the sum of outer products of scores, the estimate varies from data set to data set by
``A = H^-1 M H^-1``, so that::

    V = (A^-1 + P)^-1        theta* = mean + L_V L_S^-1 (theta - mean)

with Cholesky factors L (Yang, Wang and He, 2016, doi:10.1111/insr.12114; Ribatet, Cooley and Davison, 2012; Shaby,
2014, doi:10.1080/10618600.2013.842174). Scores are summed within clusters first, whose rows then may be correlated in
any way (Liang and Zeger, 1986). What rows, or clusters, have contributed to the estimate is taken out as by a jackknife
(HC3 and CR3 of MacKinnon, Nielsen and Webb, 2023, doi:10.1016/j.jeconom.2022.04.001).

M is itself an estimate, from few clusters or, at outer quantiles, from the few rows beyond. Draws are therefore spread
so that their central 95 % are those of a t variable (as in Bell and McCaffrey, 2002, Survey Methodology 28:169-181),
whose degrees of freedom are those of the Wishart variable that varies as much as M is seen to do (Pan and
Wall, 2002, doi:10.1002/sim.1142): with scores u_g of G clusters in coordinates in which M is the identity,
``p (p + 1) / (sum |u_g|^4 - p / G)`` in p dimensions, and at most G - 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from nutslite.exceptions import DataError, warn

FloatArray = NDArray[np.float64]

FEWEST = 4  # clusters: fewer have no variance
UPPER = 0.975  # of a variable, up to which its interval of 95 % reaches
FEWEST_DEGREES = 4.0  # of freedom: a t variable with fewer has hardly a variance
LARGEST_LEVERAGE = 1.0 - 1e-8
LEAST = 0.05  # of the posterior's precision, in any direction, that a likelihood's is to have
MUCH, TOO_MUCH = 0.2, 0.9
"""Of the precision in some direction that is the priors': to speak of, and beyond which the data say nothing."""


@dataclass(frozen=True)
class Scores:
    """Derivatives of log likelihoods by coefficients.

    Attributes
    ----------
    columns : ndarray, shape (p, n)
        Of the design.
    predictors : ndarray of int, shape (p,)
        The linear predictor that each coefficient is of.
    slopes : ndarray, shape (k, n)
        Derivatives of each row's log likelihood by the linear predictors: see `mean_slopes`.
    clusters : ndarray of int, shape (n,), or None
        The cluster of each row: 0, 1, ...; without, rows are independent.
    """

    columns: FloatArray
    predictors: NDArray[np.int64]
    slopes: FloatArray
    clusters: NDArray[np.int64] | None

    @property
    def values(self) -> FloatArray:
        """Shape (p, n)."""
        return np.asarray(self.columns * self.slopes[self.predictors])

    def meat(self) -> FloatArray:
        """The variance (p, p) of the sum of all scores.

        Raises
        ------
        DataError
            If there are fewer rows, or clusters, than it takes.
        """
        p, n = self.columns.shape
        clusters = np.arange(n) if self.clusters is None else self.clusters
        what, count = ("rows" if self.clusters is None else "groups"), int(clusters.max()) + 1
        if count <= max(p, FEWEST):
            raise DataError(
                f"There are {count} {what} and {p} coefficients: to adjust intervals takes more {what} than "
                f"{max(p, FEWEST)}."
            )
        sums = np.array([np.bincount(clusters, weights=row, minlength=count) for row in self.values])
        for j in np.unique(self.predictors):
            own = np.flatnonzero(self.predictors == j)
            sums[own] = _left_out(self.columns[own], sums[own], clusters, what)
        wider = float(stdtrit(degrees_of_freedom(sums), UPPER) / ndtri(UPPER)) ** 2
        return np.asarray((count - 1) / count * wider * (sums @ sums.T))


def degrees_of_freedom(sums: FloatArray) -> float:
    """Of the estimated variance of a sum: the terms (p, G) are its columns."""
    p, count = sums.shape
    squares = np.sum(np.linalg.solve(np.linalg.cholesky(sums @ sums.T), sums) ** 2, axis=0)
    varies = float(squares @ squares) - p / count
    return float(np.clip(p * (p + 1) / max(varies, 1e-300), FEWEST_DEGREES, count - 1.0))


def _left_out(columns: FloatArray, sums: FloatArray, clusters: NDArray[np.int64], what: str) -> FloatArray:
    """Sums of scores (p, G) as they are where each cluster is left out: ``(1 - X_g' X_g (X' X)^-1)^-1 s_g``.

    In coordinates in which ``X' X`` is the identity.
    """
    root = np.asarray(np.linalg.cholesky(columns @ columns.T), dtype=np.float64).T
    unit = np.linalg.solve(root.T, columns)
    order = np.argsort(clusters, kind="stable")
    starts = np.searchsorted(clusters[order], np.arange(sums.shape[1]))
    products = unit[:, None, order] * unit[None, :, order]
    grams = np.moveaxis(np.add.reduceat(products, starts, axis=2), 2, 0)
    if np.linalg.eigvalsh(grams)[:, -1].max() > LARGEST_LEVERAGE:
        raise DataError(
            f"Without one of the {what} some coefficient would have no data: the others do not say how much it varies, "
            "and intervals cannot be adjusted."
        )
    rest = np.eye(len(columns)) - grams
    return np.asarray(root.T @ np.linalg.solve(rest, np.linalg.solve(root.T, sums).T[:, :, None])[:, :, 0].T)


def adjusted_draws(
    draws: FloatArray, prior: FloatArray, meat: FloatArray, precision: FloatArray | None = None
) -> FloatArray:
    """Draws (samples, p) with the same mean, and the covariance V.

    Parameters
    ----------
    draws : ndarray, shape (samples, p)
    prior : ndarray, shape (p, p)
        The priors' precision.
    meat : ndarray, shape (p, p)
        The variance of the sum of scores.
    precision : ndarray, shape (p, p), optional
        The likelihood's; what the priors leave of the posterior's, where it is not known, or says next to nothing in
        some direction.

    Raises
    ------
    DataError
        If there are too few draws, or the priors decide.

    Warns
    -----
    NutsliteWarning
        Where the priors' part is large.
    """
    samples, p = draws.shape
    if samples <= 2 * p:
        raise DataError(f"There are {samples} draws of {p} coefficients: to adjust intervals takes more draws.")
    mean = draws.mean(axis=0)
    covariance = np.atleast_2d(np.cov(draws.T))
    root = np.linalg.cholesky(covariance)
    eigenvalues, vectors = np.linalg.eigh(root.T @ prior @ root)  # the priors' shares of the precision
    shares = np.maximum(eigenvalues, 0.0)
    if shares[-1] > TOO_MUCH:
        raise DataError(
            f"The priors make {100 * min(shares[-1], 1.0):.0f} % of the posterior's precision in some direction: the "
            "data say too little there for intervals to be adjusted. Take wider priors, or fewer terms."
        )
    if shares[-1] > MUCH:
        warn(
            f"The priors make {100 * shares[-1]:.0f} % of the posterior's precision in some direction: intervals are "
            "adjusted by the data's part, and means stay where the priors have drawn them."
        )
    # In coordinates in which S is the identity and the priors' part is diagonal.
    to_unit = root @ vectors
    unit_meat = to_unit.T @ meat @ to_unit
    unit_precision = np.diag(1.0 - shares)
    if precision is not None:
        by_density = to_unit.T @ precision @ to_unit
        if np.linalg.eigvalsh(by_density)[0] > LEAST:
            unit_precision = by_density
    inverse = np.linalg.inv(unit_precision)
    estimate = inverse @ unit_meat @ inverse
    unit = np.linalg.inv(np.linalg.inv(estimate) + np.diag(shares))
    wanted = np.linalg.cholesky(to_unit @ unit @ to_unit.T)
    return np.asarray(mean + np.linalg.solve(root, (draws - mean).T).T @ wanted.T)
