"""What a calibrated forecaster would get: every number computed again for observations drawn from the forecast itself.

A calibration error is not 0 for a right forecast, coverage is not 0.9, and a log score is as large as the forecast is
unsure. Draws from the forecast say how large each number would be, and how far chance would move it. Draws of all rows
together are taken together where the forecast has such draws (a posterior's), so that what rows share is in the range.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, random_generator
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.mixture import Mixture
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.numerics.checks import probability

FloatArray = NDArray[np.float64]

SIMULATIONS = 199  # of which the 5th and the 195th are the ends of a range of 95 %
FEW_DRAWS = 200  # below which an observation that is one of the draws is taken out of them
FEWEST_COMPONENTS = 50
MOST_WORK = 2e7  # draws or normal components, times rows, times simulations
MOST_WORK_OTHERS = 4e6  # the same of other components, whose distribution functions take longer


class Expected(NamedTuple):
    """What a calibrated forecaster would get.

    Attributes
    ----------
    mean, low, high : float or ndarray
        Mean, and ends of the range that holds it with the probability asked for; of each number of the statistic.
    simulated : ndarray, shape (simulations, ...)
    """

    mean: Any
    low: Any
    high: Any
    simulated: FloatArray


@public
def expected_range(
    statistic: Callable[[FloatArray, Prediction], Any],
    prediction: Prediction,
    simulations: int = SIMULATIONS,
    confidence: float = 0.95,
    seed: Any = 0,
) -> Expected:
    """Mean and range of any number of a forecast, if the forecast is right.

    Of ``statistic(y*, P)`` with ``y* ~ P``: a predictive check (Box 1980, JRSS A 143:383-430) whose distribution is
    known, since nothing is fitted to y*.

    Parameters
    ----------
    statistic : callable
        Of observations, shape (n,), and a prediction of them: one number, or an array of them.
    prediction : Prediction
        One that can be drawn from. Draws and mixtures of many components are represented by some of them.
    simulations : int
        Of the statistic. Ends of the range are quantiles of Hyndman and Fan's type 6, so that a right forecast's number
        is inside with `confidence` whatever their number.
    confidence : float
    seed : int or generator

    Returns
    -------
    Expected

    Raises
    ------
    ArgumentError
        Where the prediction cannot be drawn from.

    Notes
    -----
    Rows of a forecast without joint draws are taken for independent ones.

    Examples
    --------
    >>> from nutslite.scores import Prediction
    >>> P = Prediction.from_normal([0.0] * 50, [1.0] * 50)
    >>> found = expected_range(lambda y, P: P.crps(y).mean(), P)
    >>> found.low < 0.5642 < found.high  # 1 / sqrt(pi)
    True
    """
    simulations = checked_number("simulations", simulations, 2, 10**7)
    confidence = probability("confidence", confidence)
    rng = random_generator(seed)
    drawn = [statistic(y, each) for each, y in simulated(prediction, simulations, rng)]
    values = np.asarray(drawn, dtype=np.float64)
    mean, low, high = summary_of(values, confidence)
    if values.ndim == 1:
        return Expected(float(mean), float(low), float(high), values)
    return Expected(mean, low, high, values)


def summary_of(values: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean and range over the first axis; what is not finite has none."""
    tail = 0.5 * (1.0 - confidence)
    with np.errstate(invalid="ignore"):
        mean = values.mean(axis=0)
        low, high = np.quantile(values, [tail, 1.0 - tail], axis=0, method="weibull")
    return np.asarray(mean), np.asarray(low), np.asarray(high)


def simulated(
    prediction: Prediction, simulations: int, rng: np.random.Generator
) -> Iterator[tuple[Prediction, FloatArray]]:
    """Pairs of a prediction and observations that it is right about.

    Of a small ensemble each row's observation is one of its members, and the others are the prediction. The same object
    is given each time where the prediction is the same.

    Raises
    ------
    ArgumentError
        Where the prediction cannot be drawn from.
    """
    reason = prediction.why_not("sample")
    if reason is not None:
        raise ArgumentError(reason)
    kind = prediction.kind
    if isinstance(kind, Draws) and kind.weights is None and 2 < kind.x.shape[0] < FEW_DRAWS:
        yield from _one_left_out(kind, simulations, rng)
        return
    fewer = _represented(prediction, simulations)
    for _ in range(simulations):
        yield fewer, fewer.kind.sample(rng, 1)[0]


def _one_left_out(kind: Draws, simulations: int, rng: np.random.Generator) -> Iterator[tuple[Prediction, FloatArray]]:
    members = kind.x.shape[0]
    for _ in range(simulations):
        taken = rng.integers(members, size=kind.n)
        y = kind.x[taken, np.arange(kind.n)]
        others = (np.arange(members - 1)[:, None] + taken + 1) % members
        yield Prediction(kind.by(np.take_along_axis(kind.x, others, axis=0))), y


def _represented(prediction: Prediction, simulations: int) -> Prediction:
    """The prediction, or one with fewer, evenly chosen, of its draws or components, where all would take long."""
    kind = prediction.kind
    if isinstance(kind, Censored):
        return Prediction(kind.by(_represented(Prediction(kind.inner), simulations).kind))
    slow = isinstance(kind, Mixture) and kind.record.name != "gaussian"
    most = max(FEWEST_COMPONENTS, int((MOST_WORK_OTHERS if slow else MOST_WORK) / (kind.n * simulations)))
    if isinstance(kind, Draws):
        most = max(most, FEW_DRAWS)
        return Prediction(kind.fewer(most)) if kind.x.shape[0] > most else prediction
    if isinstance(kind, Mixture) and kind.size > most:
        return Prediction(kind.fewer(most))
    return prediction
