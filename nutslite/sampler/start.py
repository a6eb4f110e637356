"""Starting points: near the initial position, where log density and gradient are finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SamplingError, SettingError, SettingTypeError
from nutslite.sampler.transition.logdensity import Matrix, Vector

MAX_ATTEMPTS = 100
"""Jittered positions that are tried before giving up."""

PRINTED_COORDINATES = 50
"""Longer vectors are printed only where something is wrong."""


def initial_positions(initial: npt.ArrayLike, chains: int) -> Matrix:
    """Positions ``(chains, dim)`` from one for all ``(dim,)`` or one for each; the array itself where it is such.

    Raises
    ------
    SamplingError
        If the shape does not fit or a coordinate is not finite.
    """
    try:
        array = np.asarray(initial, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise SettingTypeError(f"initial must be an array of numbers ({error}).") from error
    if array.ndim == 1:
        array = np.tile(array, (chains, 1))
    if array.ndim != 2 or array.shape[0] != chains or array.shape[1] == 0:
        raise SettingError(
            f"initial must have shape (dim,) or (chains, dim) with chains={chains} and at least one coordinate; "
            f"got {np.shape(initial)}."
        )
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        chain, coordinate = bad[0]
        raise SettingError(
            f"initial is not finite: coordinate {coordinate} of chain {chain} is {array[chain, coordinate]}."
        )
    return array


def find_start(
    evaluate: Callable[[Vector], tuple[float, Vector]],
    initial: Vector,
    jitter: float,
    rng: np.random.Generator,
    chain: int,
) -> None:
    """Call `evaluate` at jittered positions until log density and gradient are finite; the last call was the start.

    Parameters
    ----------
    evaluate : callable
        Makes a position the state of the chain; returns its log density and gradient.
    jitter : float
        Positions are ``initial + uniform(-jitter, jitter)``; with 0 there is only one attempt.

    Raises
    ------
    SamplingError
        If no attempt succeeded: with position, log density and gradient of the last one in full precision.
    """
    attempts = MAX_ATTEMPTS if jitter > 0.0 else 1
    for _ in range(attempts):
        position = initial + rng.uniform(-jitter, jitter, size=initial.shape) if jitter > 0.0 else initial
        logp, gradient = evaluate(position)
        if np.isfinite(logp) and np.all(np.isfinite(gradient)):
            return
    raise SamplingError(_message(chain, attempts, position, logp, gradient))


def _message(chain: int, attempts: int, position: Vector, logp: float, gradient: Vector) -> str:
    bad = np.flatnonzero(~np.isfinite(gradient))
    tried = f"{attempts} positions near the initial one" if attempts > 1 else "the initial position (jitter is 0)"
    if bad.size:
        wrong = f"the gradient is not finite in coordinate{'s' if bad.size > 1 else ''} {_listed(bad)}"
        if not np.isfinite(logp):
            wrong = f"the log density is not finite, and {wrong}"
    else:
        wrong = "the log density is not finite"
    shown = np.arange(position.size) if position.size <= PRINTED_COORDINATES else bad[:PRINTED_COORDINATES]
    lines = [f"  [{i}] position {float(position[i])!r}, gradient {float(gradient[i])!r}" for i in shown]
    return (
        f"Chain {chain} cannot start: at {tried}, log density or gradient was not finite. At the last, {wrong}.\n"
        f"  log density {float(logp)!r}\n" + "\n".join(lines) + "\nGive `initial` where the log density is finite, or "
        "check that the data and priors allow these values."
    )


def _listed(indices: npt.NDArray[np.int64]) -> str:
    text = ", ".join(str(i) for i in indices[:10])
    return text if indices.size <= 10 else f"{text} and {indices.size - 10} more"
