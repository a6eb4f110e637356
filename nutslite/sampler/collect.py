"""From the workers of a run, finished or interrupted, to its `Draws`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite.sampler.draws import Draws, SamplerSettings
from nutslite.sampler.transition.statistics import DIVERGING, N_STEPS, named_statistics
from nutslite.sampler.worker import ChainWorker, Phase


def collect(
    workers: Sequence[ChainWorker],
    positions: npt.NDArray[np.float64],
    warmup_positions: npt.NDArray[np.float64] | None,
    settings: SamplerSettings,
    seeds: np.random.SeedSequence,
    interrupted: bool,
) -> Draws:
    """Put the chains' results together; nan stands where an interrupted chain did not get as far as the longest.

    Parameters
    ----------
    positions, warmup_positions : ndarray (chains, draws, dim) and (chains, tune, dim) or None
        The arrays that the workers filled, each its own row.
    """
    warmups = [worker.warmup for worker in workers]
    samplings = [worker.sampling for worker in workers]
    if any(worker.abandoned for worker in workers):  # a thread may still write to the arrays; the workers have copies
        positions = _stacked(samplings)
        warmup_positions = None if warmup_positions is None else _stacked(warmups)
    entropy = seeds.entropy
    return Draws(
        positions=_without_tail(samplings, positions),
        stats=_joined_statistics(samplings),
        warmup_positions=None if warmup_positions is None else _without_tail(warmups, warmup_positions),
        warmup_stats=None if warmup_positions is None else _joined_statistics(warmups),
        draws_per_chain=_integers(phase.done for phase in samplings),
        warmup_per_chain=_integers(phase.done for phase in warmups),
        divergences=tuple(phase.divergent_positions(positions.shape[2]) for phase in samplings),
        step_sizes=np.array([worker.step_size for worker in workers]),
        metrics=tuple(worker.metric for worker in workers),
        n_gradients=_integers(phase.total(N_STEPS) for phase in samplings),
        n_warmup_gradients=_integers(phase.total(N_STEPS) for phase in warmups),
        n_warmup_divergences=_integers(phase.total(DIVERGING) for phase in warmups),
        sampling_times=np.array([phase.seconds for phase in samplings]),
        warmup_times=np.array([phase.seconds for phase in warmups]),
        random_seed=entropy if isinstance(entropy, int) else tuple(int(word) for word in entropy or ()),
        interrupted=interrupted,
        settings=settings,
        states=() if interrupted or not settings.keep_states else tuple(worker.state for worker in workers),
    )


def _longest(phases: Sequence[Phase]) -> int:
    return max(phase.done for phase in phases)


def _joined_statistics(phases: Sequence[Phase]) -> dict[str, npt.NDArray[Any]]:
    longest = _longest(phases)
    return named_statistics(np.stack([phase.stats[:longest] for phase in phases]))


def _stacked(phases: Sequence[Phase]) -> npt.NDArray[np.float64]:
    return np.stack([phase.positions for phase in phases if phase.positions is not None])


def _without_tail(phases: Sequence[Phase], positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`positions` up to the longest chain; what a shorter one did not reach is overwritten with nan."""
    for phase, chain in zip(phases, positions, strict=True):
        chain[phase.done :] = np.nan
    return positions[:, : _longest(phases)]


def _integers(values: Any) -> npt.NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)
