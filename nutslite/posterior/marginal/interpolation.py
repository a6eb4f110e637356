"""A large marginal density between points at which it was evaluated: polynomials in the few parameters that it has.

One evaluation is a factorisation of order thousands. The log density is analytic in the scales, and so is the mean of
what was integrated out, so that the polynomials nearest to some hundred values come very close: the error falls
geometrically with their degree (Trefethen 2019, Approximation Theory and Approximation Practice, chapter 8). How close
they are is measured at points of their own; where that is not close enough, every draw is evaluated.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import run_in_parts
from nutslite.sampler.independence.proposals import DefensiveMixture, normalised

if TYPE_CHECKING:
    from nutslite.posterior.marginal.large_marginal import LargeMarginal

FloatArray = NDArray[np.float64]

FEWEST_COLUMNS = 100  # of the rest: below, a factorisation costs less than what would save it
MOST_TERMS, HIGHEST_DEGREE = 130, 8
EVALUATIONS_PER_TERM = 2
HELD_OUT = 40  # more evaluations, which say how far off the polynomials are
REACH = 4.0  # standard deviations beyond the usual distance from the centre: no draw is farther out
LARGEST_ERROR = 0.01  # root mean square over the posterior, of the log density
LARGEST_SHIFT = 0.02  # of a mean, in its conditional standard deviations
LARGEST_SHARE_BEYOND = 1e-3  # of the posterior, as far as evaluations show it


@dataclass(frozen=True)
class Interpolation:
    """Polynomials in z, where positions are ``center + factor z``.

    Attributes
    ----------
    center, factor : ndarray (d,), (d, d)
        Of the proposal.
    log_ratio : ndarray (terms,)
        Coefficients of the log density less that of the standard normal.
    means : ndarray (terms, r)
        Coefficients of the conditional means of the rest.
    """

    center: FloatArray
    factor: FloatArray
    log_ratio: FloatArray
    means: FloatArray

    def standard(self, positions: FloatArray) -> FloatArray:
        """z (n, d) of positions (n, d)."""
        return np.asarray(np.linalg.solve(self.factor, (positions - self.center).T).T)

    def log_density(self, positions: FloatArray) -> FloatArray:
        """Log density (n,) at positions (n, d); minus infinity beyond where the polynomials are known."""
        z = self.standard(positions)
        values = terms(z) @ self.log_ratio - 0.5 * np.einsum("ni,ni->n", z, z)
        return np.where(is_within(z), values, -np.inf)

    def mean(self, positions: FloatArray) -> FloatArray:
        """Means (n, r) of the rest given positions (n, d)."""
        return np.asarray(terms(self.standard(positions)) @ self.means)


def degree(d: int) -> int:
    """The highest degree of polynomials in `d` variables that have at most `MOST_TERMS` terms."""
    return max(k for k in range(HIGHEST_DEGREE + 1) if math.comb(d + k, d) <= MOST_TERMS)


def terms(z: FloatArray) -> FloatArray:
    """All products of powers up to `degree`, at z (n, d): shape (n, terms)."""
    n, d = z.shape
    highest = degree(d)
    columns = [np.ones(n)]
    last: list[tuple[tuple[int, ...], FloatArray]] = [((), columns[0])]
    for _ in range(highest):  # each from one of the degree before, times a variable that does not come before its last
        last = [((*which, i), column * z[:, i]) for which, column in last for i in range(which[-1] if which else 0, d)]
        columns += [column for _, column in last]
    return np.stack(columns, axis=1)


def is_within(z: FloatArray) -> NDArray[np.bool_]:
    """Whether points (n, d) are where the polynomials are known."""
    return np.asarray(np.einsum("ni,ni->n", z, z) <= (math.sqrt(z.shape[1]) + REACH) ** 2)


def interpolated(
    density: LargeMarginal, proposal: DefensiveMixture, rng: np.random.Generator, cores: int
) -> Interpolation | None:
    """The polynomials nearest to values at draws of the proposal, in threads; None where they are not close enough."""
    d, r = proposal.center.size, density.schur.shape[0] - 1
    n_terms = math.comb(d + degree(d), d)
    n = EVALUATIONS_PER_TERM * n_terms + HELD_OUT
    positions = proposal.draw(rng, n)
    values, means = np.full(n, -np.inf), np.zeros((n, r))

    def work(some: slice) -> None:
        own = copy.copy(density)
        for i in range(some.start, some.stop):
            values[i], given = own.evaluate(positions[i])
            if given is not None:
                means[i] = own.mean(given)

    run_in_parts(work, n, cores)
    weights = normalised(values - proposal.log_density(positions))
    empty = np.zeros(n_terms)
    z = Interpolation(proposal.center, proposal.factor, empty, np.zeros((n_terms, r))).standard(positions)
    within = is_within(z) & np.isfinite(values)
    if weights[~within].sum() > LARGEST_SHARE_BEYOND:
        return None
    known, held = np.flatnonzero(within)[:-HELD_OUT], np.flatnonzero(within)[-HELD_OUT:]
    if known.size < n_terms:
        return None
    design = terms(z[known])
    ratios = values + 0.5 * np.einsum("ni,ni->n", z, z)
    log_ratio, of_means = (_nearest(design, each) for each in (ratios[known], means[known]))
    found = Interpolation(proposal.center, proposal.factor, log_ratio, of_means)
    shares = weights[held] / weights[held].sum()
    errors = found.log_density(positions[held]) - values[held]
    error = math.sqrt(float(shares @ (errors - shares @ errors) ** 2))  # a constant changes nothing
    _, given = density.evaluate(proposal.center)
    if given is None:
        return None
    shifts = (found.mean(positions[held]) - means[held]) / density.standard_deviations(given)
    shift = float(np.sqrt(shares @ shifts**2).max())
    log.debug("Interpolation: log density within %.1g, means within %.1g standard deviations.", error, shift)
    return found if error <= LARGEST_ERROR and shift <= LARGEST_SHIFT else None


def _nearest(design: FloatArray, values: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.lstsq(design, values, rcond=None)[0], dtype=np.float64)


def may_interpolate(density: LargeMarginal) -> bool:
    """Whether polynomials would save anything, and what is drawn between the points is known to be drawn right."""
    return density.schur.shape[0] - 1 >= FEWEST_COLUMNS and not density.is_correlated
