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
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nutslite._parallel import available_cpus, run_in_parts
from nutslite.exceptions import DataError
from nutslite.results.diagnostics.ranks import Ranked, normal_scores
from nutslite.scores.numerics.effective_size import Deviations, effective_size, split_chains

FloatArray = NDArray[np.float64]

MIN_DRAWS = 4
TAIL = (0.05, 0.95)
_BLOCK_NUMBERS = 40_000  # draws worked on at a time: what is made of them stays in a processor's cache
_KEPT_NUMBERS = 1_000_000  # of the last draws, until others come: 8 MB
_FEWEST_NUMBERS = 100_000  # for a thread: sorting and transforming them takes some milliseconds

DIAGNOSTICS = ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat")


_NEEDED = {
    "mcse_mean": ("mean",),
    "mcse_sd": ("squares",),
    "ess_bulk": ("scores",),
    "ess_tail": ("low", "high"),
    "r_hat": ("scores",),
}


def rhat(draws: ArrayLike) -> FloatArray:
    """Rank-normalised split R-hat: the larger of that of the draws and that of their distance from the median.

    Values above 1.01 mean that chains disagree; at least two chains are needed (nan otherwise).
    """
    return _one("r_hat", draws)


def ess_bulk(draws: ArrayLike) -> FloatArray:
    """Effective sample size for the centre of the distribution (rank-normalised, paper section 4.1)."""
    return _one("ess_bulk", draws)


def ess_tail(draws: ArrayLike) -> FloatArray:
    """Effective sample size for the tails: the smaller of those of the 5 % and 95 % quantiles (paper section 4.3)."""
    return _one("ess_tail", draws)


def ess_mean(draws: ArrayLike) -> FloatArray:
    """Effective sample size for the mean (split chains, no ranks)."""
    return _by_block(lambda block: effective_size(split_chains(block)), draws)


def ess_quantile(draws: ArrayLike, probability: float) -> FloatArray:
    """Effective sample size for one quantile."""
    _check_probability(probability)
    return _by_block(lambda block: _ess_quantile(block, _quantile(_sorted(block), probability)), draws)


def mcse_mean(draws: ArrayLike) -> FloatArray:
    """Monte Carlo standard error of the mean."""
    return _one("mcse_mean", draws)


def mcse_sd(draws: ArrayLike) -> FloatArray:
    """Monte Carlo standard error of the standard deviation: delta method on the mean of the squared deviations."""
    return _one("mcse_sd", draws)


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


def convergence(draws: ArrayLike, names: Sequence[str] = DIAGNOSTICS) -> dict[str, FloatArray]:
    """Diagnostics that a summary shows, by name, sharing sorts and splits between them.

    Parameters
    ----------
    draws : array_like, shape (chains, draws, ...)
    names : sequence of str
        Some of `DIAGNOSTICS`.
    """
    values = np.asarray(draws, dtype=float)
    last = _LAST[-1] if _LAST else None
    known = dict(last.found) if last is not None and last.is_of(values) else {}
    missing = [name for name in names if name not in known]
    if missing:
        table = _by_block(lambda block: _convergence(block, missing), values, ends=len(missing))
        known |= {name: table[..., i] for i, name in enumerate(missing)}
        _LAST[:] = [_Last.of(values, known)]  # another thread may put its own there at once
    return {name: known[name].copy() for name in names}


@dataclass(frozen=True, eq=False)
class _Last:
    """What has been found of draws: these themselves where they are few, otherwise their digest."""

    draws: FloatArray | bytes
    shape: tuple[int, ...]
    found: dict[str, FloatArray]

    @classmethod
    def of(cls, values: FloatArray, found: dict[str, FloatArray]) -> _Last:
        return cls(values.copy("K") if values.size <= _KEPT_NUMBERS else _digest(values), values.shape, found)

    def is_of(self, values: FloatArray) -> bool:
        if self.shape != values.shape:
            return False
        if isinstance(self.draws, bytes):
            return self.draws == _digest(values)
        return np.array_equal(self.draws, values)


_LAST: list[_Last] = []
"""One at most: a summary asks for what the report on a fit has asked."""


def _digest(values: FloatArray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()


def _one(name: str, draws: ArrayLike) -> FloatArray:
    return _by_block(lambda block: _convergence(block, (name,))[:, 0], draws)


def _convergence(block: FloatArray, names: Sequence[str]) -> FloatArray:
    """Diagnostics by these names of draws (quantities, chains, draws), shape (quantities, names)."""
    count, n_chains, n_draws = block.shape
    split = split_chains(block)
    ranked = Ranked.of(split) if {"ess_bulk", "ess_tail", "r_hat"}.intersection(names) else None
    of = dict.fromkeys(part for name in names for part in _NEEDED[name])  # of whose means effective sizes are needed
    series = np.empty((len(of), *split.shape))
    parts = dict(zip(of, series, strict=True))
    if "mean" in parts:
        parts["mean"][:] = split
    if "squares" in parts:
        squares = np.square(block - block.mean(axis=(1, 2), keepdims=True))
        parts["squares"][:] = split_chains(squares)
    if ranked is not None and "scores" in parts:
        ranked.scores(parts["scores"])
    if ranked is not None and "ess_tail" in names:
        ordered = ranked.ordered if n_draws % 2 == 0 else _sorted(block)  # halves of an odd number leave draws out
        for tail, probability in zip(("low", "high"), TAIL, strict=True):
            np.less_equal(split, _quantile(ordered, probability)[:, None, None], out=parts[tail])
    chains = Deviations.of(series.reshape(-1, *split.shape[1:]), overwrite=True)
    sizes = dict(zip(of, chains.effective_size().reshape(-1, count), strict=True))
    columns: dict[str, FloatArray] = {}
    if "mcse_mean" in names:
        columns["mcse_mean"] = block.std(axis=(1, 2), ddof=1) / np.sqrt(sizes["mean"])
    if "mcse_sd" in names:
        columns["mcse_sd"] = _mcse_sd(squares, sizes["squares"])
    if "ess_bulk" in names:
        columns["ess_bulk"] = sizes["scores"]
    if "ess_tail" in names:
        columns["ess_tail"] = np.minimum(sizes["low"], sizes["high"])
    if ranked is not None and "r_hat" in names:
        distances = np.subtract(split, ranked.median[:, None, None], out=split)
        folded = Deviations.of(normal_scores(np.abs(distances, out=split)), overwrite=True)
        own = slice(list(of).index("scores") * count, (list(of).index("scores") + 1) * count)
        r_hat = np.maximum(_plain_rhat(chains)[own], _plain_rhat(folded))
        columns["r_hat"] = r_hat if n_chains > 1 else np.full(count, np.nan)
    return np.stack([columns[name] for name in names], axis=-1)


def _plain_rhat(chains: Deviations) -> FloatArray:
    n_draws = chains.deviations.shape[-1]
    value: FloatArray = np.sqrt((n_draws * chains.between / chains.within + n_draws - 1) / n_draws)
    return value


def _ess_quantile(block: FloatArray, quantile: FloatArray) -> FloatArray:
    return effective_size(split_chains((block <= quantile[:, None, None]).astype(float)))


def _mcse_sd(squares: FloatArray, size: FloatArray) -> FloatArray:
    variance = squares.mean(axis=(1, 2))
    spread = np.square(squares).mean(axis=(1, 2)) - variance**2
    error: FloatArray = np.sqrt(spread / size / variance / 4)
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
    if n_draws >= min_draws:
        step = max(1, _BLOCK_NUMBERS // (n_chains * n_draws))

        def work(part: slice) -> None:
            for start in range(part.start, part.stop, step):
                stop = min(part.stop, start + step)
                block = np.ascontiguousarray(np.moveaxis(flat[:, :, start:stop], 2, 0))
                known = ~np.isnan(block).any(axis=(1, 2))
                with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                    if known.all():
                        out[start:stop] = function(block)
                    elif known.any():
                        out[start:stop][known] = function(block[known])

        run_in_parts(work, count, available_cpus(), fewest=max(1, _FEWEST_NUMBERS // (n_chains * n_draws)))
    return out.reshape(shape + tail)


def _check_probability(probability: float) -> None:
    if not 0 < probability < 1:
        raise DataError(f"A probability must lie between 0 and 1, not {probability}.")
