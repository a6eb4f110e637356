"""What a prediction answers to observations, each question asked once: what `measures` are computed from."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.calibration.pit import pit_from_cdf, pit_from_draws
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.mixture import Mixture
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.reports.joint import Together

FloatArray = NDArray[np.float64]


class Asked:
    """A prediction with what does not depend on the observations.

    Parameters
    ----------
    prediction : Prediction
    levels : tuple of float
        Levels of quantiles, increasing; none where the prediction has none.
    groups : ndarray of int, shape (n,), optional
        Codes of the groups whose rows are scored at once.
    """

    def __init__(
        self, prediction: Prediction, levels: tuple[float, ...], groups: NDArray[np.int64] | None = None
    ) -> None:
        self.prediction = prediction
        self.levels = levels
        self.groups = groups
        # at once, so that a warning about few draws names the user's line
        self.quantiles = prediction.quantile(np.array(levels)) if levels else np.empty((prediction.n, 0))

    def quantile(self, level: float) -> FloatArray:
        """That of the nearest of the levels, shape (n,)."""
        return self.quantiles[:, int(np.argmin(np.abs(np.array(self.levels) - level)))]

    @cached_property
    def together(self) -> Together:
        """Draws of rows by groups."""
        assert self.groups is not None
        return Together(self.prediction, self.groups)

    @cached_property
    def mean(self) -> FloatArray:
        """Shape (n,)."""
        return self.prediction.mean()

    @cached_property
    def probabilities(self) -> FloatArray:
        """Of 1, shape (n,), or of classes, (n, K)."""
        return self.prediction.probabilities()

    @cached_property
    def spread(self) -> FloatArray:
        """``E|X - X'|`` of draws or a mixture, shape (n,)."""
        kind = self.prediction.kind
        return kind.deviation_and_difference(np.zeros(kind.n))[1]

    def crps(self, y: FloatArray) -> FloatArray:
        """Continuous ranked probability scores; what does not depend on y is computed once."""
        kind = self.prediction.kind
        if isinstance(kind, Draws) and kind.weights is None:
            return np.abs(kind.x - y).mean(axis=0) - 0.5 * self.spread
        if isinstance(kind, Mixture):
            deviation = kind.deviation(y)
            with np.errstate(invalid="ignore"):  # without a mean
                return np.where(np.isfinite(deviation), deviation - 0.5 * self.spread, np.inf)
        return kind.crps(y)


class Answers:
    """A prediction and observations.

    Parameters
    ----------
    asked : Asked
    y : ndarray, shape (n,)
        As `Prediction.observed` gives them.
    rng : numpy.random.Generator
        Of the randomised transform.
    exact : bool
        Whether this is of observations; of simulated ones, fewer digits do.
    """

    def __init__(self, asked: Asked, y: FloatArray, rng: np.random.Generator, exact: bool = True) -> None:
        self.asked, self.y, self.rng, self.exact = asked, y, rng, exact

    def ask(self, question: str) -> FloatArray:
        """``log_density``, ``crps``, ``cdf`` or ``cdf_below`` at the observations, shape (n,)."""
        if question == "crps":
            return self.asked.crps(self.y)
        return np.asarray(getattr(self.asked.prediction.kind, question)(self.y))

    @cached_property
    def nll(self) -> FloatArray:
        """Minus the log density."""
        return -self.ask("log_density")

    @cached_property
    def crps(self) -> FloatArray:
        """Continuous ranked probability score."""
        return self.ask("crps")

    @cached_property
    def u(self) -> FloatArray:
        """Randomised probability integral transform."""
        kind = self.asked.prediction.kind
        if isinstance(kind, Draws) and kind.weights is None:
            return pit_from_draws(self.y, kind.x, seed=self.rng)
        below = self.ask("cdf_below") if kind.whole or kind.atoms or isinstance(kind, Draws | Censored) else None
        return pit_from_cdf(self.ask("cdf"), below, seed=self.rng)


class CountTable:
    """Answers to many sets of counts: each distinct count of a row is asked for once.

    Parameters
    ----------
    asked : Asked
    sets : ndarray, shape (R, n)
        Observations.
    """

    def __init__(self, asked: Asked, sets: FloatArray) -> None:
        self.asked, self.sets = asked, sets
        order = np.argsort(sets, axis=0, kind="stable")
        ordered = np.take_along_axis(sets, order, axis=0)
        ranks = np.cumsum(np.diff(ordered, axis=0, prepend=ordered[:1]) > 0.0, axis=0).astype(np.int64)
        self.places = np.empty(sets.shape, dtype=np.int64)
        np.put_along_axis(self.places, order, ranks, axis=0)
        self.distinct = np.tile(ordered[-1], (int(ranks.max()) + 1, 1))  # a row with fewer repeats its largest
        np.put_along_axis(self.distinct, ranks, ordered, axis=0)
        self.tables: dict[str, FloatArray] = {}

    def table(self, question: str) -> FloatArray:
        """Answers to all distinct counts."""
        if question not in self.tables:
            rows = [Answers(self.asked, y, np.random.default_rng(0)).ask(question) for y in self.distinct]
            self.tables[question] = np.stack(rows)
        return self.tables[question]

    def answers(self, place: int, rng: np.random.Generator) -> Answers:
        """Those of one of the sets."""
        return _LookedUp(self, place, rng)


class _LookedUp(Answers):
    """Answers from a table."""

    def __init__(self, table: CountTable, place: int, rng: np.random.Generator) -> None:
        super().__init__(table.asked, table.sets[place], rng, exact=False)
        self.source, self.place = table, place

    def ask(self, question: str) -> FloatArray:
        """Look it up."""
        return np.take_along_axis(self.source.table(question), self.source.places[self.place][None], axis=0)[0]
