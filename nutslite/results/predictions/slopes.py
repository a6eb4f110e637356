"""Derivatives of log likelihoods by linear predictors, of which scores of coefficients are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.results.predictions.kernel_parts import parts_of
from nutslite.results.predictions.linear_predictor import NamedDraws, join_chains
from nutslite.results.predictions.parameter_draws import ParameterDraws
from nutslite.results.predictions.response_draws import PredictionTask

if TYPE_CHECKING:
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]

MOST_POINTS = 50  # draws that curvatures are means over


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
    draws = join_chains(posterior)
    if any(predictor.group_terms for predictor in design.predictors.values()):
        points = draws
    else:
        points = NamedDraws({name: array.mean(axis=0, keepdims=True) for name, array in draws.arrays.items()}, 1, 1)
    return _Slopes(points, design, task).mean([None])[0]


def mean_curvature(
    posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask, steps: FloatArray
) -> FloatArray:
    """Minus the derivatives of every observation's slopes by the linear predictors, by differences over `steps`.

    Means over some of the draws, evenly spaced: where a log likelihood has kinks, its slopes jump, and draws on both
    sides of a jump make the mean smooth.

    Parameters
    ----------
    steps : ndarray, shape (k,)
        Half the length over which each linear predictor is moved; those with 0 are left alone.

    Returns
    -------
    ndarray, shape (k, k, rows)
        Symmetric; 0 of predictors that are left alone.
    """
    draws = join_chains(posterior)
    some = np.linspace(0, draws.samples - 1, min(draws.samples, MOST_POINTS)).round().astype(int)
    points = NamedDraws({name: array[some] for name, array in draws.arrays.items()}, some.size, 1)
    own = np.flatnonzero(steps)
    moves = [sign * steps[b] * np.eye(steps.size)[b] for b in own for sign in (1.0, -1.0)]
    found = _Slopes(points, design, task).mean(moves)
    curvature = np.zeros((steps.size, steps.size, design.n_rows))
    for place, b in enumerate(own):
        down = (found[2 * place + 1] - found[2 * place]) / (2.0 * steps[b])
        curvature[own, b] += 0.5 * down[own]
        curvature[b, own] += 0.5 * down[own]
    return curvature


class _Slopes:
    """Derivatives of log likelihoods at some draws."""

    def __init__(self, points: NamedDraws, design: Design, task: PredictionTask) -> None:
        self.samples, self.family, self.n = points.samples, task.family, design.n_rows
        self.rows = ParameterDraws(points, design, task, np.random.default_rng())
        self.links = self.family.link_codes(task.links, self.rows.varying)
        self.parts = parts_of(design, self.family, self.links)
        self.constants = {
            item.name: self.rows.constant_on_link(item).reshape(points.samples, item.size)
            for item in self.family.parameters
            if item.name not in self.rows.varying
        }

    def mean(self, moves: list[FloatArray | None]) -> list[FloatArray]:
        """For each move (k,) of all linear predictors the means (k, n) over draws; None is no move."""
        size = len(self.family.eta_parameters)
        varies = np.ones(size, dtype=np.int64)
        eta, moved, slopes, values = *(np.zeros((size, self.n)) for _ in range(3)), np.empty(self.n)
        totals = [np.zeros((size, self.n)) for _ in moves]
        for sample in range(self.samples):
            self._fill(eta, sample)
            for move, total in zip(moves, totals, strict=True):
                moved[:] = eta if move is None else eta + move[:, None]
                for part in self.parts:
                    part.fill(moved, varies, self.links, values, slopes)
                total += slopes
        return [total / self.samples for total in totals]

    def _fill(self, eta: FloatArray, sample: int) -> None:
        j = 0
        for item in self.family.parameters:
            places = slice(j, j + item.size)
            if item.name in self.rows.varying:
                eta[places] = self.rows.eta(item.name, sample, sample + 1)[0].T
            else:
                eta[places] = self.constants[item.name][sample][:, None]
            j += item.size
