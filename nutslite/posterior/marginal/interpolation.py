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
PROPOSALS, OWN_DRAWS, HEAVIEST = 30_000, 24, 12  # of which polynomials choose more evaluations, in rounds
HEAVY = 10.0  # times the mean weight, from where on chains stay for long
ROUNDS = 3
LARGEST_OWN_ERROR, LARGEST_EXCESS = 0.03, 0.5  # of the log density: typical for their draws; anywhere
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
    """The polynomials nearest to values at draws of the proposal, in threads; None where they are not close enough.

    A polynomial may rise where no value holds it, far out: chains of thousands of draws would find that place, and
    stay. So values are looked at where it has its own draws, and where proposals would weigh most; what is wrong there
    is learned, and looked at again.
    """
    d, r = proposal.center.size, density.schur.shape[0] - 1
    n_terms = math.comb(d + degree(d), d)
    _, given = density.evaluate(proposal.center)
    if given is None:
        return None
    known = _evaluated(density, proposal.draw(rng, EVALUATIONS_PER_TERM * n_terms), cores)
    held = _evaluated(density, proposal.draw(rng, HELD_OUT), cores)
    sds = density.standard_deviations(given)
    values = np.append(known.values, held.values)
    weights = normalised(values - proposal.log_density(np.concatenate([known.positions, held.positions])))
    nothing = Interpolation(proposal.center, proposal.factor, np.zeros(n_terms), np.zeros((n_terms, r)))
    both = [is_within(nothing.standard(each.positions)) & np.isfinite(each.values) for each in (known, held)]
    within = np.concatenate(both)
    if weights[~within].sum() > LARGEST_SHARE_BEYOND:
        return None
    shares = weights[known.values.size :][both[1]]
    known, held = known.at(both[0]), held.at(both[1])
    for _ in range(ROUNDS):
        if known.values.size < n_terms or not shares.sum() > 0.0:
            return None
        z = nothing.standard(known.positions)
        design = terms(z)
        log_ratio = _nearest(design, known.values + 0.5 * np.einsum("ni,ni->n", z, z))
        found = Interpolation(proposal.center, proposal.factor, log_ratio, _nearest(design, known.means))
        error, shift, offset = _errors(found, held, shares / shares.sum(), sds)
        own = _evaluated(density, _own_points(found, proposal, rng), cores)
        off = found.log_density(own.positions) - own.values - offset
        log.debug(
            "Interpolation: log density within %.1g, means within %.1g standard deviations; at its own draws %.1g.",
            *(error, shift, float(np.abs(off[:OWN_DRAWS]).max())),
        )
        close = error <= LARGEST_ERROR and shift <= LARGEST_SHIFT
        typical = math.sqrt(float(np.mean(off[:OWN_DRAWS] ** 2)))
        if close and typical <= LARGEST_OWN_ERROR and float(off.max()) <= LARGEST_EXCESS:
            return found
        if not np.isfinite(own.values).all():
            return None
        known = known.followed_by(own)
    return None


@dataclass(frozen=True)
class _Evaluated:
    """Positions (n, d), log densities (n,) there, and means (n, r) of the rest."""

    positions: FloatArray
    values: FloatArray
    means: FloatArray

    def at(self, which: NDArray[np.bool_]) -> _Evaluated:
        """Some of them."""
        return _Evaluated(self.positions[which], self.values[which], self.means[which])

    def followed_by(self, more: _Evaluated) -> _Evaluated:
        """These and more."""
        pairs = ((self.positions, more.positions), (self.values, more.values), (self.means, more.means))
        return _Evaluated(*(np.concatenate(pair) for pair in pairs))


def _evaluated(density: LargeMarginal, positions: FloatArray, cores: int) -> _Evaluated:
    """In threads; minus infinity where there is no density."""
    values, means = np.full(len(positions), -np.inf), np.zeros((len(positions), density.schur.shape[0] - 1))

    def work(some: slice) -> None:
        own = copy.copy(density)
        for i in range(some.start, some.stop):
            value, given = own.evaluate(positions[i])
            if given is not None and np.isfinite(value):
                values[i], means[i] = value, own.mean(given)

    run_in_parts(work, len(positions), cores, fewest=1)
    return _Evaluated(positions, values, means)


def _errors(found: Interpolation, held: _Evaluated, shares: FloatArray, sds: FloatArray) -> tuple[float, float, float]:
    """Root mean squares over the posterior of errors of the log density, a constant apart, and of the worst mean.

    And that constant, which changes nothing.
    """
    errors = found.log_density(held.positions) - held.values
    offset = float(shares @ errors)
    shifts = (found.mean(held.positions) - held.means) / sds
    return math.sqrt(float(shares @ (errors - offset) ** 2)), float(np.sqrt(shares @ shifts**2).max()), offset


def _own_points(found: Interpolation, proposal: DefensiveMixture, rng: np.random.Generator) -> FloatArray:
    """Draws of the polynomials' own density, then heavy proposals by it."""
    positions = proposal.draw(rng, PROPOSALS)
    weights = normalised(found.log_density(positions) - proposal.log_density(positions))
    heaviest = np.argsort(weights)[-HEAVIEST:]
    drawn = rng.choice(PROPOSALS, OWN_DRAWS, p=weights)
    return positions[np.append(drawn, heaviest[weights[heaviest] * PROPOSALS > HEAVY])]


def _nearest(design: FloatArray, values: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.lstsq(design, values, rcond=None)[0], dtype=np.float64)


def may_interpolate(density: LargeMarginal) -> bool:
    """Whether polynomials would save anything, and what is drawn between the points is known to be drawn right."""
    return density.schur.shape[0] - 1 >= FEWEST_COLUMNS and not density.is_correlated
