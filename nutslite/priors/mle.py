r"""Automatic priors from the likelihood: what partial correlations of a given size would mean for coefficients.

Westfall (2017), "Statistical details of the default priors in the Bambi library", arXiv:1702.01201. A prior on the
partial correlation r between the response and a predictor, a Beta distribution stretched over [-1, 1] with mean 0 and a
chosen standard deviation (the scale), becomes a normal prior on the coefficient in three steps.

1. The profile log likelihood of the coefficient between 0 and its estimate falls by about :math:`a x^4 + b x^2` at a
   distance x from the maximum (`fit_quartic`).
2. In a linear model a partial correlation r is worth :math:`-(n/2) \log(1 - r^2)` of log likelihood, so that
   :math:`a x^4 + b x^2 = (n/2) \log(1 - r^2)` defines the distance x(r) that corresponds to r (`distance_series`).
3. The variance of x(r) over the distribution of r, with x replaced by its Taylor polynomial about a small r
   (`prior_sigma`). High orders diverge where the effect is strong: the series converges up to the r that is worth as
   much as the quartic can fall.

The intercept's prior has the mean of a model of nothing else, on the link's scale, and its standard error times the
square root of n, widened by the slopes' priors; that of group intercepts is `scale` times as wide.

Figures are those of Bambi 0.6 for families without further parameters and for the gaussian one. Where there is a shape
or scale it is maximised along with the coefficients here; Bambi had what statsmodels has: moments for gamma and wald,
a shape of 1 for the negative binomial, a normal distribution for t.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.formula.records import CommonTerm, GroupTerm
from nutslite.priors import power_series
from nutslite.priors.checks import HIGHEST_ORDER
from nutslite.priors.defaults import why_no_scale
from nutslite.priors.profile import Curve, Profile, make_profile
from nutslite.priors.scales import WIDE, Scale

FloatArray = NDArray[np.float64]

# Higher derivatives grow without bound towards r = 0: the higher the order, the further away the expansion.
EXPANSION_POINTS = 2.0 ** np.linspace(-1.0, 5.0, HIGHEST_ORDER) / 100.0


def fit_quartic(curve: Curve) -> tuple[float, float]:
    """Least-squares ``a`` and ``b`` of ``drop = a x^4 + b x^2``."""
    span = float(np.max(np.abs(curve.distances)))
    x = curve.distances / span
    (a, b), *_ = np.linalg.lstsq(np.column_stack([x**4, x**2]), curve.drops, rcond=None)
    return float(a) / span**4, float(b) / span**2


def distance_series(a: float, b: float, n: float, point: float, order: int) -> FloatArray:
    """Taylor coefficients of x(r) at r = `point`, shape (order + 1,).

    The smaller root of the quadratic in x^2, written so that it has no cancellation and no division by `a`, which is
    close to zero where the likelihood is nearly quadratic.

    Raises
    ------
    PriorError
        Where the likelihood never falls by as much as a correlation of `point` is worth.
    """
    r = power_series.variable(point, order)
    worth = 0.5 * n * power_series.log(power_series.constant(1.0, order) - power_series.multiply(r, r))
    discriminant = power_series.constant(b * b, order) + 4.0 * a * worth
    if not (b < 0.0 and discriminant[0] > 0.0):
        raise PriorError(
            "automatic_priors='mle': the likelihood of a coefficient is too far from a normal one to give it a prior. "
            "Use a smaller taylor=, automatic_priors='default', or indicate priors manually."
        )
    root = power_series.sqrt(discriminant)
    return power_series.sqrt(power_series.divide(-2.0 * worth, root - power_series.constant(b, order)))


def correlation_moment(scale: float, k: int) -> float:
    """k-th moment of the Beta(p, p) distribution stretched over [-1, 1] with standard deviation `scale`.

    r^2 has a Beta(1/2, p) distribution with p = (1 / scale^2 - 1) / 2. At scale 1 all of it is at -1 and 1.
    """
    if k % 2:
        return 0.0
    p = 0.5 * (1.0 / scale**2 - 1.0)
    return math.prod((0.5 + i) / (0.5 + p + i) for i in range(k // 2))


def prior_sigma(curve: Curve, n: float, scale: float, taylor: int) -> float:
    """Standard deviation of a coefficient's prior.

    Parameters
    ----------
    curve : Curve
        The coefficient's profile log likelihood.
    n : float
        Number of observations.
    scale : float
        Standard deviation of the partial correlation, at most 1.
    taylor : int
        Order of the expansion, 1 to 13.
    """
    a, b = fit_quartic(curve)
    coefficients = distance_series(a, b, n, float(EXPANSION_POINTS[taylor - 1]), taylor)
    moments = [correlation_moment(scale, k) for k in range(2 * taylor + 1)]
    variance = sum(
        coefficients[i] * coefficients[j] * (moments[i + j] - moments[i] * moments[j])
        for i in range(1, taylor + 1)
        for j in range(1, taylor + 1)
    )
    return math.sqrt(variance)


@dataclass(frozen=True)
class MLEPriors:
    """The request for automatic priors from the likelihood: ``automatic_priors="mle"``.

    Attributes
    ----------
    design, family, links
        The model.
    taylor : int or None
        Order of the expansion; None: 5 for the gaussian family, 1 for others.
    """

    design: Design
    family: Family
    links: Mapping[str, str]
    taylor: int | None = None

    def scaling(self, fixed: Mapping[str, float]) -> ProfileScaling:
        """The rule of the parent's priors; `fixed` are parameters that the user fixed to numbers."""
        taylor = (5 if self.family.kind == "gaussian" else 1) if self.taylor is None else self.taylor
        profile = make_profile(self.design, self.family, self.links, fixed)
        predictor = self.design.predictors[self.family.parent.name]
        return ProfileScaling(profile, predictor.matrix, predictor.terms, predictor.intercept, taylor)


class ProfileScaling:
    """Widths of normal priors from the likelihood; see `defaults.Scaling` for what its methods promise.

    Parameters
    ----------
    profile : Profile
    matrix : ndarray, shape (p, n)
        Columns of the common terms.
    terms : sequence of CommonTerm
    intercept : bool
    taylor : int
    """

    def __init__(
        self, profile: Profile, matrix: FloatArray, terms: Sequence[CommonTerm], intercept: bool, taylor: int
    ) -> None:
        self._profile = profile
        self._terms = {term.name: term for term in terms}
        self._ones = np.ones((int(intercept), matrix.shape[1]))
        self._matrix = matrix
        self._columns = np.ascontiguousarray(np.concatenate([self._ones, matrix]))
        self._taylor = taylor
        self._curves: dict[int, Curve] = {}
        self._chosen: dict[str, Sequence[Any]] = {}
        self._null: tuple[float, float] | None = None
        self._rank_is_full: bool | None = None

    def slopes(self, term: CommonTerm, columns: FloatArray, choices: Sequence[Any]) -> FloatArray:
        """Standard deviations of a common term's coefficients, 1 where the user chose the prior."""
        self._chosen[term.name] = choices
        needed = [not _settled(choice) for choice in choices]
        for column in np.flatnonzero(needed):
            if not columns[column].any():
                raise PriorError(why_no_scale(term, columns, int(column)))
        return np.array(
            [
                self._sigma(self._common_curve(term, column), choices[column]) if needed[column] else 1.0
                for column in range(len(columns))
            ]
        )

    def intercept(self, widening: float, choice: Scale | None) -> tuple[float, float]:
        """Location and standard deviation of the intercept's prior."""
        mean, sigma = self._intercept_only
        relative = 1.0 if choice is None else choice.correlation / WIDE
        return mean, relative * math.sqrt(sigma**2 + widening)

    def group_intercepts(self, widening: float, choice: Scale | None) -> float:
        """Scale of the half-normal prior of group intercepts' standard deviation."""
        return _correlation(choice) * math.sqrt(self._intercept_only[1] ** 2 + widening)

    def group_slopes(self, term: GroupTerm, columns: FloatArray, choices: Sequence[Any]) -> FloatArray:
        """The same for slopes: the common slope's, where the same columns have one, and otherwise as if they had."""
        common = self._terms.get(term.expression)
        if common is not None and self._same(common, columns):
            curves = [self._common_curve(common, column) for column in range(len(columns))]
            inherited = self._chosen.get(common.name, [None] * len(columns))
        else:
            curves = self._refit(term, columns)
            inherited = [None] * len(columns)
        sigmas = np.ones(len(columns))
        for column, choice in enumerate(choices):
            if _settled(choice):
                continue
            if choice is None and isinstance(inherited[column], Scale):
                choice = inherited[column]
            sigmas[column] = self._sigma(curves[column], choice)
        return sigmas

    @property
    def _intercept_only(self) -> tuple[float, float]:
        if self._null is None:
            self._null = self._profile.intercept()
        return self._null

    @property
    def _full_rank(self) -> bool:
        """Whether all common columns are linearly independent: one decomposition for the usual case."""
        if self._rank_is_full is None and len(self._columns) > self._columns.shape[1]:
            self._rank_is_full = False  # which the decomposition below does not show
        if self._rank_is_full is None:
            lengths = np.linalg.norm(self._columns, axis=1)
            triangle = np.linalg.qr((self._columns / lengths[:, None].clip(1e-300)).T, mode="r")
            self._rank_is_full = bool(np.min(np.abs(np.diag(triangle)), initial=1.0) > 1e-7)
        return self._rank_is_full

    @property
    def _more_than_rows(self) -> str:
        """In words, that there are more coefficients than rows; empty where there are not."""
        count, rows = self._columns.shape
        return f" (there are {count} coefficients and {rows} rows)" if count > rows else ""

    @functools.cached_property
    def _spanning(self) -> tuple[FloatArray, list[int]]:
        """Common columns that span them all, and their places; a column independent of all others is among them."""
        if self._full_rank:
            return self._columns, list(range(len(self._columns)))
        kept: list[int] = []
        for place, column in enumerate(self._columns):
            if _independent_of(self._columns[kept], column):
                kept.append(place)
        return np.ascontiguousarray(self._columns[kept]), kept

    def _sigma(self, curve: Curve, choice: Scale | None) -> float:
        return prior_sigma(curve, self._profile.rows, _correlation(choice), self._taylor)

    def _common_curve(self, term: CommonTerm, column: int) -> Curve:
        place = len(self._ones) + term.start + column
        if place not in self._curves:
            if not self._full_rank and not _independent_of(
                np.delete(self._columns, place, axis=0), self._columns[place]
            ):
                raise PriorError(
                    f"The term '{term.name}' is a linear combination of other terms{self._more_than_rows}, so the "
                    "likelihood says nothing about it and automatic_priors='mle' cannot serve. Leave one of them "
                    "out, or give it a prior: "
                    f"priors={{'{term.name}': Prior('Normal', mu=0, sigma=...)}}."
                )
            columns, kept = self._spanning
            self._curves[place] = self._profile.curve(columns, kept.index(place))
        return self._curves[place]

    def _same(self, term: CommonTerm, columns: FloatArray) -> bool:
        return term.stop - term.start == len(columns) and np.array_equal(self._matrix[term.start : term.stop], columns)

    def _refit(self, term: GroupTerm, columns: FloatArray) -> list[Curve]:
        """Profiles of a group-specific term's columns, added to the common effects as if they were one of them.

        They take the place of the common term of the same name (which has another coding then) and of whatever else
        they make redundant, such as the intercept where they are indicators of all levels.
        """
        common = self._terms.get(term.expression)
        keep = np.ones(len(self._matrix), dtype=bool)
        if common is not None:
            keep[common.start : common.stop] = False
        design: list[FloatArray] = []
        for column in columns:
            if not _independent_of(np.array(design), column):
                raise PriorError(
                    f"Columns of the term '{term.name}' are linear combinations of each other, so "
                    "automatic_priors='mle' cannot serve. Give it a prior of your own: "
                    f"priors={{'{term.name}': Prior('Normal', mu=0, sigma=Prior('HalfNormal', sigma=...))}}."
                )
            design.append(column)
        for column in [*self._ones, *self._matrix[keep]]:
            if _independent_of(np.array(design), column):
                design.append(column)
        together = np.ascontiguousarray(design)
        return [self._profile.curve(together, place) for place in range(len(columns))]


def _settled(choice: Any) -> bool:
    """Whether the user gave the prior itself."""
    return choice is not None and not isinstance(choice, Scale)


def _correlation(choice: Scale | None) -> float:
    return WIDE if choice is None else choice.correlation


def _independent_of(columns: FloatArray, column: FloatArray) -> bool:
    """Whether a column is no linear combination of others, to rounding."""
    length = float(column @ column)
    if not length > 0.0:
        return False
    if not columns.size:
        return True
    scaled = columns / np.linalg.norm(columns, axis=1, keepdims=True).clip(1e-300)
    residual = column - np.linalg.lstsq(scaled.T, column, rcond=1e-12)[0] @ scaled
    return float(residual @ residual) > 1e-16 * length
