"""Slices of posteriors of several pieces, sampled together with flatter versions (parallel tempering, Geyer 1991).

A part of the log density, the likelihood, counts with powers from one down to nearly zero, and neighbours exchange
their states. Draws are those at power one. Beside straight lines there are updates along curves, which the model gives:
they lead from one piece to another.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._addresses import caller_of
from nutslite._numba import CUBE, MATRIX, VECTOR, jit_disabled, kernel_with_signature
from nutslite.sampler.slice import MOST_SHRINKS, density_of_power, slice_update
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.handle import Hands, hands_for, logdensity_at, taken

FloatArray = NDArray[np.float64]

BETWEEN_CURVES = 2  # of so many updates one is along a curve
BETWEEN_JUMPS = 2  # of so many updates one is followed by a jump
FREEDOM = 5.0  # degrees, of the distributions that jumps are drawn from


def curve_signature(data_type: Any) -> Any:
    """Of functions that lead along curves: which curve, state, step, the point there (overwritten), data.

    They return the logarithm of how much volume a step at that point covers, up to a constant of the curve: the density
    of the step is that of the point times it. The first call for a state and a curve has a step of zero, which is the
    state itself. Where there is no such point they return minus infinity.
    """
    return types.float64(types.int64, VECTOR, types.float64, VECTOR, data_type)


@functools.cache
def curve_hands(data_type: Any) -> Hands:
    """What gives and takes curves over one type of data."""
    return hands_for(data_type, curve_signature, _take_up_curve)


_curve_at = caller_of(types.FunctionType(curve_signature(types.int64)))


@uncounted
def _take_up_curve(which, state, step, out, record):
    data, curve = taken(record)
    return curve(which, state, step, out, data)


class Mixture(NamedTuple):
    """A mixture of Student's t distributions, near the posterior: a jump to a draw of it may end in another piece."""

    shares: FloatArray  # (components,) sums of the weights up to each component, the last of them one
    logs: FloatArray  # (components,) logarithms of the weight over the determinant of the factor
    centers: FloatArray  # (components, dim)
    factors: FloatArray  # (components, dim, dim) lower triangles


MIXTURE = types.NamedTuple([VECTOR, VECTOR, MATRIX, CUBE], Mixture)


def no_mixture(dimension: int) -> Mixture:
    """For chains that do not jump."""
    return Mixture(np.empty(0), np.empty(0), np.empty((0, dimension)), np.empty((0, dimension, dimension)))


@functools.cache
def compiled_tempered() -> Callable[..., Any]:
    """`run_tempered`, compiled once for all log densities and curves, or from the disk cache."""
    if jit_disabled():
        return run_tempered
    return kernel_with_signature(
        run_tempered,
        types.int64(
            types.int64,
            types.int64,
            types.int64,
            types.int64,
            MATRIX,
            MIXTURE,
            types.int64,
            numba.typeof(np.random.default_rng(0)),
            MATRIX,
            CUBE,
            VECTOR,
            types.int64,
            CUBE,
            VECTOR,
        ),
    )


def run_tempered(
    function: Any,
    data: Any,
    curve_function: Any,
    curve_data: Any,
    widths: Any,
    mixture: Any,
    steps_out: Any,
    rng: Any,
    states: Any,
    directions: Any,
    powers: Any,
    updates: Any,
    positions: Any,
    values: Any,
) -> int:
    """Make as many draws as `positions` has rows.

    The log density is given a gradient of one element, which it overwrites with the part that powers are of.

    Parameters
    ----------
    function, data, curve_function, curve_data : int
        Of the handles of the log density and the curves, which must outlive the call.
    widths : ndarray (curves, 2)
        The logarithms of the smallest and largest first interval of a slice on each curve.
    mixture : Mixture
        What jumps, at all powers, are proposed from.
    steps_out : int
        How many times as long as its first an interval may become.
    states : ndarray (powers, dim)
        The chain's state at each power, with a finite log density: read and overwritten.
    directions : ndarray (powers, k, dim)
        Each as long as the density is wide there; they take turns.
    powers : ndarray (powers,)
        The first is one.
    updates : int
        At each power, for each draw. After each neighbours may exchange states.
    positions, values : ndarray (n, powers, dim) and (n,)
        Overwritten with states, and log densities at the first power.

    Returns
    -------
    int
        Evaluations of the log density.
    """
    logdensity, curve = logdensity_at(function), _curve_at(curve_function)
    n_powers, dimension = states.shape
    part, parts = np.empty(1), np.empty(n_powers)
    proposal, heights, numbers = np.empty(dimension), np.empty(n_powers), np.empty(dimension)
    for k in range(n_powers):
        heights[k] = density_of_power(logdensity, data, states[k], powers[k], part)
        parts[k] = part[0]
    turn = int(rng.random() * directions.shape[1])
    evaluations = n_powers
    for row in range(positions.shape[0]):
        for update in range(updates):
            which = int(rng.random() * widths.shape[0])
            if widths.shape[0] == 0 or update % BETWEEN_CURVES != 0:
                which = -1
            for k in range(n_powers):
                along = which, curve, curve_data, widths, directions[k, turn], steps_out
                heights[k], more = _move(logdensity, data, along, rng, states[k], heights[k], powers[k], proposal, part)
                parts[k] = part[0]
                evaluations += more
            turn = turn if which >= 0 else (turn + 1) % directions.shape[1]
            if mixture.shares.shape[0] > 0 and update % BETWEEN_JUMPS == 0:
                for k in range(n_powers):
                    part[0] = parts[k]
                    heights[k] = _jump(
                        logdensity, data, mixture, rng, states[k], heights[k], powers[k], proposal, part, numbers
                    )
                    parts[k] = part[0]
                evaluations += n_powers
            _exchange(rng, states, heights, parts, powers)
        for k in range(n_powers):
            for i in range(dimension):
                positions[row, k, i] = states[k, i]
        values[row] = heights[0]
    return evaluations


@uncounted
def _move(logdensity, data, along, rng, state, value, power, proposal, part):
    """Along a curve, or straight on where there is none; return the log density there, and evaluations.

    `state` is overwritten; `part` becomes that of it.
    """
    which, curve, curve_data, widths, direction, steps_out = along
    if which >= 0:
        own = widths[which]
        height, evaluations = _update_on_curve(
            logdensity, data, curve, curve_data, which, own, steps_out, rng, state, value, power, proposal, part
        )
    else:
        height, evaluations = slice_update(
            logdensity, data, rng, state, value, direction, power, steps_out, proposal, part
        )
    if height == value:  # it stayed: the last density was another point's
        logdensity(state, part, data)
    return height, evaluations


@uncounted
def _exchange(rng, states, heights, parts, powers):
    """Let neighbours exchange states, from the lowest power to the highest; all but powers is overwritten.

    With the likelihoods' logarithms l the ratio of densities after and before is
    exp((power_k - power_(k + 1)) (l_(k + 1) - l_k)): prior densities cancel.
    """
    for k in range(powers.shape[0] - 2, -1, -1):
        gain = (powers[k] - powers[k + 1]) * (parts[k + 1] - parts[k])
        if -rng.standard_exponential() < gain:
            step = powers[k] - powers[k + 1]
            height = heights[k + 1] + step * parts[k + 1]
            heights[k + 1] = heights[k] - step * parts[k]
            heights[k] = height
            parts[k], parts[k + 1] = parts[k + 1], parts[k]
            for i in range(states.shape[1]):
                states[k, i], states[k + 1, i] = states[k + 1, i], states[k, i]


@uncounted
def _update_on_curve(
    logdensity, data, curve, curve_data, which, widths, steps_out, rng, position, value, power, proposal, part
):
    """Draw anew along a curve, by a slice of the step's density; return the log density there, and evaluations."""
    here = curve(which, position, 0.0, proposal, curve_data)
    if not math.isfinite(here):
        return value, 0
    level = value + here - rng.standard_exponential()
    width = math.exp(widths[0] + rng.random() * (widths[1] - widths[0]))
    lower = -rng.random() * width
    upper = lower + width
    below = int(rng.random() * steps_out)
    evaluations = 0
    for _ in range(below):
        evaluations += 1
        if not _on_curve(logdensity, data, curve, curve_data, which, position, lower, power, proposal, part)[0] > level:
            break
        lower -= width
    for _ in range(steps_out - 1 - below):
        evaluations += 1
        if not _on_curve(logdensity, data, curve, curve_data, which, position, upper, power, proposal, part)[0] > level:
            break
        upper += width
    for _ in range(MOST_SHRINKS):
        evaluations += 1
        step = lower + rng.random() * (upper - lower)
        found, height = _on_curve(logdensity, data, curve, curve_data, which, position, step, power, proposal, part)
        if found >= level:
            for i in range(position.shape[0]):
                position[i] = proposal[i]
            return height, evaluations
        if step < 0.0:
            lower = step
        else:
            upper = step
    return value, evaluations


@uncounted
def _on_curve(logdensity, data, curve, curve_data, which, position, step, power, proposal, part):
    """Log densities of the step, and of the point there."""
    volume = curve(which, position, step, proposal, curve_data)
    if not math.isfinite(volume):
        return -math.inf, -math.inf
    height = density_of_power(logdensity, data, proposal, power, part)
    return height + volume, height


@uncounted
def _jump(logdensity, data, mixture, rng, position, value, power, proposal, part, numbers):
    """Propose a draw of the mixture, as independence Metropolis does; return the log density where the chain is then.

    `position` is overwritten where it is accepted; `part`, that of the position, goes with it.
    """
    dimension = position.shape[0]
    which = min(np.searchsorted(mixture.shares, rng.random(), side="right"), mixture.shares.shape[0] - 1)
    for i in range(dimension):
        numbers[i] = rng.standard_normal()
    scale = math.sqrt(0.5 * FREEDOM / rng.standard_gamma(0.5 * FREEDOM))
    for i in range(dimension):
        proposal[i] = mixture.centers[which, i]
        for j in range(i + 1):
            proposal[i] += scale * mixture.factors[which, i, j] * numbers[j]
    before = part[0]
    there = density_of_power(logdensity, data, proposal, power, part)
    threshold = -rng.standard_exponential()
    if not math.isfinite(there):
        part[0] = before
        return value
    gain = there - value + _log_mixture(mixture, position, numbers) - _log_mixture(mixture, proposal, numbers)
    if not threshold < gain:
        part[0] = before
        return value
    for i in range(dimension):
        position[i] = proposal[i]
    return there


@uncounted
def _log_mixture(mixture, position, numbers):
    """Log density of the mixture, up to a constant; `numbers` is overwritten."""
    dimension = position.shape[0]
    highest, total = -math.inf, 0.0
    for k in range(mixture.logs.shape[0]):
        squares = 0.0
        for i in range(dimension):
            numbers[i] = position[i] - mixture.centers[k, i]
            for j in range(i):
                numbers[i] -= mixture.factors[k, i, j] * numbers[j]
            numbers[i] /= mixture.factors[k, i, i]
            squares += numbers[i] * numbers[i]
        log = mixture.logs[k] - 0.5 * (FREEDOM + dimension) * math.log1p(squares / FREEDOM)
        if log > highest:
            total = total * math.exp(highest - log) + 1.0
            highest = log
        else:
            total += math.exp(log - highest)
    return highest + math.log(total)
