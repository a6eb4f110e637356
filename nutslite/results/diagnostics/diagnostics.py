"""Convergence and accuracy of draws: R-hat, effective sample sizes, Monte Carlo errors, intervals, E-BFMI.

All functions take draws of shape ``(chains, draws, *shape)`` and return arrays of shape ``(*shape)`` (a 0-d array for
one quantity); thousands of quantities are worked off in blocks. A quantity with a nan gives nan. They agree with ArviZ
to rounding error (tested to 1e-10), whose import would take longer than many fits.

Source: Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), arXiv:1903.08008 ("the paper" below); E-BFMI is from
Betancourt (2016), arXiv:1604.00695.

>>> import numpy as np
>>> draws = np.random.default_rng(1).normal(size=(4, 1000, 3))
>>> rhat(draws).round(2)
array([1., 1., 1.])
>>> bool((ess_bulk(draws) > 3000).all())
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nutslite._parallel import available_cpus, run_in_parts
from nutslite.exceptions import DataError
from nutslite.results.diagnostics.ranks import normal_scores
from nutslite.scores.numerics.effective_size import effective_size, split_chains

FloatArray = NDArray[np.float64]

MIN_DRAWS = 4
TAIL = (0.05, 0.95)
_BLOCK_NUMBERS = 1_000_000  # draws worked on at a time: 8 MB an array
_FEWEST_NUMBERS = 100_000  # for a thread: sorting and transforming them takes some milliseconds

_LAST: dict[tuple[bytes, tuple[int, ...]], FloatArray] = {}
"""The last table of `convergence` by the digest of its draws: a summary asks for what the report on a fit has asked."""

DIAGNOSTICS = ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat")


def rhat(draws: ArrayLike) -> FloatArray:
    """Rank-normalised split R-hat: the larger of that of the draws and that of their distance from the median.

    Values above 1.01 mean that chains disagree; at least two chains are needed (nan otherwise).
    """
    return _by_block(_rhat, draws, min_chains=2)


def ess_bulk(draws: ArrayLike) -> FloatArray:
    """Effective sample size for the centre of the distribution (rank-normalised, paper section 4.1)."""
    return _by_block(lambda block: effective_size(normal_scores(split_chains(block))), draws)


def ess_tail(draws: ArrayLike) -> FloatArray:
    """Effective sample size for the tails: the smaller of those of the 5 % and 95 % quantiles (paper section 4.3)."""
    return _by_block(lambda block: _ess_tail(block, _sorted(block)), draws)


def ess_mean(draws: ArrayLike) -> FloatArray:
    """Effective sample size for the mean (split chains, no ranks)."""
    return _by_block(lambda block: effective_size(split_chains(block)), draws)


def ess_quantile(draws: ArrayLike, probability: float) -> FloatArray:
    """Effective sample size for one quantile."""
    _check_probability(probability)
    return _by_block(lambda block: _ess_quantile(block, _quantile(_sorted(block), probability)), draws)


def mcse_mean(draws: ArrayLike) -> FloatArray:
    """Monte Carlo standard error of the mean."""
    return _by_block(lambda block: block.std(axis=(1, 2), ddof=1) / np.sqrt(effective_size(split_chains(block))), draws)


def mcse_sd(draws: ArrayLike) -> FloatArray:
    """Monte Carlo standard error of the standard deviation: delta method on the mean of the squared deviations."""
    return _by_block(_mcse_sd, draws)


def mcse_quantile(draws: ArrayLike, probability: float) -> FloatArray:
    """Monte Carlo standard error of a quantile (paper section 4.4).

    Half the distance between the order statistics that bound the central 68.27 % of a Beta distribution for the
    quantile's probability, given its effective sample size.
    """
    _check_probability(probability)
    return _by_block(lambda block: _mcse_quantile(block, probability), draws)


def e_bfmi(energy: ArrayLike) -> FloatArray:
    """Energy Bayesian fraction of missing information of every chain; below 0.3 exploration of the tails is in doubt.

    Parameters
    ----------
    energy : array_like, shape (chains, draws)
        The Hamiltonian at the start of, or after, each transition (``sample_stats["energy"]``).

    Returns
    -------
    ndarray, shape (chains,)
    """
    values = np.atleast_2d(np.asarray(energy, dtype=float))
    if values.shape[1] < 2:
        return np.full(values.shape[0], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.square(np.diff(values, axis=1)).mean(axis=1) / values.var(axis=1, ddof=1))


def hdi(draws: ArrayLike, prob: float = 0.94) -> FloatArray:
    """Highest-density interval: the shortest one that holds the given share of the draws of all chains.

    Returns
    -------
    ndarray, shape (*shape, 2)
        Lower and upper end.
    """
    _check_probability(prob)
    return _by_block(lambda block: _hdi(_sorted(block), prob), draws, ends=2, min_draws=1)


def eti(draws: ArrayLike, prob: float = 0.94) -> FloatArray:
    """Equal-tailed interval: as many draws below it as above it; shape as for `hdi`."""
    _check_probability(prob)
    tails = ((1 - prob) / 2, 1 - (1 - prob) / 2)

    def interval(block: FloatArray) -> FloatArray:
        ordered = _sorted(block)
        return np.stack([_quantile(ordered, tail) for tail in tails], axis=-1)

    return _by_block(interval, draws, ends=2, min_draws=1)


def convergence(draws: ArrayLike) -> dict[str, FloatArray]:
    """All diagnostics that a summary shows, by name (`DIAGNOSTICS`), sharing sorts and splits between them."""
    values = np.ascontiguousarray(draws, dtype=float)
    known = hashlib.blake2b(values.data, digest_size=16).digest(), values.shape
    table = _LAST.get(known)
    if table is None:
        table = _by_block(_convergence, values, ends=len(DIAGNOSTICS))
        _LAST.clear()
        _LAST[known] = table  # another thread may clear it at once
    return {name: table[..., i].copy() for i, name in enumerate(DIAGNOSTICS)}


def _convergence(block: FloatArray) -> FloatArray:
    split = split_chains(block)
    scores = normal_scores(split)
    size = effective_size(split)
    return np.stack(
        [
            block.std(axis=(1, 2), ddof=1) / np.sqrt(size),
            _mcse_sd(block),
            effective_size(scores),
            _ess_tail(block, _sorted(block)),
            _rhat(block, scores) if block.shape[1] > 1 else np.full(block.shape[0], np.nan),
        ],
        axis=-1,
    )


def _rhat(block: FloatArray, scores: FloatArray | None = None) -> FloatArray:
    split = split_chains(block)
    scores = normal_scores(split) if scores is None else scores
    folded = np.abs(split - np.median(split.reshape(split.shape[0], -1), axis=1)[:, None, None])
    return np.maximum(_plain_rhat(scores), _plain_rhat(normal_scores(folded)))


def _plain_rhat(chains: FloatArray) -> FloatArray:
    n_draws = chains.shape[-1]
    between = n_draws * chains.mean(axis=-1).var(axis=1, ddof=1)
    within = chains.var(axis=-1, ddof=1).mean(axis=1)
    value: FloatArray = np.sqrt((between / within + n_draws - 1) / n_draws)
    return value


def _ess_tail(block: FloatArray, ordered: FloatArray) -> FloatArray:
    low, high = (_ess_quantile(block, _quantile(ordered, probability)) for probability in TAIL)
    return np.minimum(low, high)


def _ess_quantile(block: FloatArray, quantile: FloatArray) -> FloatArray:
    return effective_size(split_chains((block <= quantile[:, None, None]).astype(float)))


def _mcse_sd(block: FloatArray) -> FloatArray:
    squares = np.square(block - block.mean(axis=(1, 2), keepdims=True))
    variance = squares.mean(axis=(1, 2))
    spread = np.square(squares).mean(axis=(1, 2)) - variance**2
    error: FloatArray = np.sqrt(spread / effective_size(split_chains(squares)) / variance / 4)
    return error


def _mcse_quantile(block: FloatArray, probability: float) -> FloatArray:
    from scipy.special import betaincinv  # 0.2 s to import, and a summary does not need it

    ordered = _sorted(block)
    size = ordered.shape[1]
    ess = _ess_quantile(block, _quantile(ordered, probability))
    ends = [
        betaincinv(ess * probability + 1, ess * (1 - probability) + 1, level) * size - 1
        for level in (0.1586553, 0.8413447)  # one standard error either side, to the digits that the paper's code has
    ]
    lower = np.floor(np.maximum(ends[0], 0)).astype(int)
    upper = np.ceil(np.minimum(ends[1], size - 1)).astype(int)
    picked = [np.take_along_axis(ordered, index[:, None], axis=1)[:, 0] for index in (lower, upper)]
    return (picked[1] - picked[0]) / 2


def _hdi(ordered: FloatArray, prob: float) -> FloatArray:
    size = ordered.shape[1]
    inside = int(np.floor(prob * size))
    if inside == size:
        return ordered[:, [0, -1]]
    start = np.argmin(ordered[:, inside:] - ordered[:, : size - inside], axis=1)
    ends = np.stack([start, start + inside], axis=-1)
    return np.take_along_axis(ordered, ends, axis=1)


def _sorted(block: FloatArray) -> FloatArray:
    """All draws of each quantity in ascending order, shape (quantities, chains * draws)."""
    return np.sort(block.reshape(block.shape[0], -1), axis=1)


def _quantile(ordered: FloatArray, probability: float) -> FloatArray:
    """Quantile of sorted rows by linear interpolation (type 7 of Hyndman and Fan 1996)."""
    place = probability * (ordered.shape[1] - 1)
    below = min(int(place), ordered.shape[1] - 2) if ordered.shape[1] > 1 else 0
    if ordered.shape[1] == 1:
        return ordered[:, 0]
    low, high = ordered[:, below], ordered[:, below + 1]
    # where both are equal the result must be exactly that number, or a comparison with it goes wrong
    return np.where(low == high, low, low + (place - below) * (high - low))


def _by_block(
    function: Callable[[FloatArray], FloatArray],
    draws: ArrayLike,
    *,
    ends: int = 0,
    min_chains: int = 1,
    min_draws: int = MIN_DRAWS,
) -> FloatArray:
    """Apply a function of (quantities, chains, draws) to blocks of quantities; nan for those that hold a nan."""
    values = np.asarray(draws, dtype=float)
    if values.ndim == 1:
        values = values[None, :]
    if values.ndim < 2 or values.shape[1] == 0:
        raise DataError(f"Draws must have shape (chains, draws, ...) with at least one draw, not {values.shape}.")
    n_chains, n_draws = values.shape[:2]
    shape = values.shape[2:]
    tail = (ends,) if ends else ()
    flat = values.reshape(n_chains, n_draws, -1)
    count = flat.shape[2]
    out = np.full((count, *tail), np.nan)
    if n_chains >= min_chains and n_draws >= min_draws:
        step = max(1, _BLOCK_NUMBERS // (n_chains * n_draws))

        def work(part: slice) -> None:
            for start in range(part.start, part.stop, step):
                stop = min(part.stop, start + step)
                block = np.ascontiguousarray(np.moveaxis(flat[:, :, start:stop], 2, 0))
                known = ~np.isnan(block).any(axis=(1, 2))
                with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                    if known.any():
                        out[start:stop][known] = function(block[known])

        run_in_parts(work, count, available_cpus(), fewest=max(1, _FEWEST_NUMBERS // (n_chains * n_draws)))
    return out.reshape(shape + tail)


def _check_probability(probability: float) -> None:
    if not 0 < probability < 1:
        raise DataError(f"A probability must lie between 0 and 1, not {probability}.")
