"""A `NestedProposal` from a mode: conditional modes of all other coordinates, followed along one to either side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.pilot.mode import DIFFERENCE_SDS, LogDensities, Mode, newton_step, parabola, rounded
from nutslite.sampler.independence.nested import NestedProposal

FloatArray = NDArray[np.float64]

MOST_NODES = 5  # to either side
DROP = 7.0  # of the log density below the highest node, after which no further node is looked for
FAR = 0.1  # a step that raises the log density by more than half of this is not the last one
RISES = 1.0  # where no part of a step that promised more than twice as much rises, there is no mode
MOST_STEPS = 12
DIGITS = 6  # of heights
LEFT = 0.9  # of tails: the logarithm of a scale that has a density at zero falls at the rate 1


def nested_proposal(log_densities: LogDensities, mode: Mode, along: int) -> NestedProposal | None:
    """The proposal, or None where the others have no mode given the coordinate `along`, close to the mode.

    Parameters
    ----------
    log_densities : callable
        Values (m,) at positions (m, d).
    mode : Mode
        Of at least two coordinates.
    along : int
        The logarithm of a scale.
    """
    others = np.delete(np.arange(mode.position.size), along)
    sd = float(np.sqrt(mode.covariance[along, along]))
    middle = Conditional(log_densities, mode, others, along)
    found = {0: middle.at(mode.position[along], mode.position[others])}
    slope = mode.covariance[others, along] / mode.covariance[along, along]
    for side in (1, -1):
        for k in range(side, side * (MOST_NODES + 1), side):
            before = found[k - side]
            if before is None or before[0] < max(node[0] for node in found.values() if node) - DROP:
                break
            t = mode.position[along] + k * sd
            there = middle.at(t, before[1] + side * sd * slope) or middle.at(t, before[1])
            if there is None:
                break
            found[k] = there
    kept = [(k, node) for k, node in sorted(found.items()) if node is not None]
    if len(kept) < 4 or kept[0][0] == 0 or kept[-1][0] == 0:
        return None
    nodes = mode.position[along] + sd * np.array([k for k, _ in kept])
    heights, centers, factors = (np.array(parts) for parts in zip(*[node for _, node in kept], strict=True))
    factor: FloatArray = np.asarray(np.linalg.cholesky(mode.covariance), dtype=float)
    heights = np.round(heights - heights.max(), DIGITS)
    return NestedProposal(along, mode.position, factor, nodes, heights, centers, factors, LEFT)


class Conditional:
    """The log density as a function of all coordinates but one."""

    def __init__(self, log_densities: LogDensities, mode: Mode, others: NDArray[np.intp], along: int) -> None:
        self.log_densities, self.mode, self.others, self.along = log_densities, mode, others, along
        given = np.linalg.inv(np.linalg.inv(mode.covariance)[np.ix_(others, others)])
        self.steps = DIFFERENCE_SDS * np.sqrt(np.diag(given))

    def at(self, t: float, start: FloatArray) -> tuple[float, FloatArray, FloatArray] | None:
        """Log height of Laplace's approximation, mode and factor (a logarithm each on its diagonal) given `t`."""

        def values(some: FloatArray) -> FloatArray:
            positions = np.empty((len(some), self.mode.position.size))
            positions[:, self.others], positions[:, self.along] = some, t
            return self.log_densities(positions)

        position, local = start, parabola(values, start, self.steps)
        for _ in range(MOST_STEPS):
            if local is None:
                return None
            value, gradient, precision = local
            step = newton_step(precision, gradient)
            rise = float(gradient @ step)
            if rise < FAR:
                position = position + step
                break
            moved = None
            while moved is None and np.max(np.abs(step)) > 1e-6:
                further = parabola(values, position + step, self.steps)
                moved, step = (None, 0.5 * step) if further is None or further[0] < value else (further, step)
            if moved is None:
                if rise > RISES:
                    return None
                break
            position, local = position + step, moved
        else:
            return None
        try:
            covariance: FloatArray = np.asarray(np.linalg.inv(precision), dtype=float)
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            return None
        position, covariance = rounded(position, covariance)
        factor: FloatArray = np.asarray(np.linalg.cholesky(covariance), dtype=float)
        logs = np.log(np.diag(factor))
        factor[np.diag_indices(len(logs))] = logs
        return value + (0.5 * rise if rise < FAR else 0.0) + float(logs.sum()), position, factor
