"""Taking down a chain while the compiled sampler draws it: what each transition starts from, and where it goes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nutslite._calls import public, unknown_argument
from nutslite.exceptions import SettingError
from nutslite.recording.chain_record import ChainRecord, Noted, coordinate_names
from nutslite.recording.replay import ARGUMENTS, Density, start_of
from nutslite.recording.transition_record import TransitionRecord
from nutslite.sampler.sample import sample
from nutslite.sampler.transition.chain import SEARCH_FAILED
from nutslite.sampler.transition.handle import Handle

Block = Callable[..., int]

OF_RUNS = ("chains", "cores", "checkpoint", "chain_data", "recorder", "save_warmup", "progress", "callback")
"""Arguments of `sample` that mean nothing for one chain whose record is what comes out."""


class Recorder:
    """What `sample(recorder=...)` fills: a `ChainRecord` for each chain.

    The compiled block of transitions is called for one transition at a time, and what it starts from is noted before.
    The draws are those of the run without a recorder, to the last bit.

    Parameters
    ----------
    names : sequence of str, optional
        Of the coordinates; by default x[0], x[1], ...

    Examples
    --------
    >>> import numpy as np
    >>> from nutslite.sampler import sample
    >>> def standard_normal(position, gradient, data):
    ...     gradient[:] = -position
    ...     return -0.5 * np.sum(position * position)
    >>> recorder = Recorder()
    >>> options = {"initial": [0.0, 0.0], "draws": 20, "tune": 20, "chains": 2, "random_seed": 1}
    >>> result = sample(standard_normal, 0.0, **options, recorder=recorder)
    >>> len(recorder), len(recorder[0])
    (2, 40)
    >>> bool((recorder[0].draws == result.positions[0]).all())
    True
    """

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._names = names
        self._watched: dict[int, _Watched] = {}

    def watched(self, chain: int, block: Block, handle: Handle) -> Block:
        """What a chain calls in the place of the compiled `block`."""
        self._watched[chain] = _Watched(block, handle)
        return self._watched[chain]

    def __len__(self) -> int:
        """Number of chains."""
        return len(self._watched)

    def __getitem__(self, chain: int) -> ChainRecord:
        """The record of a chain.

        Raises
        ------
        IndexError
            If no such chain was recorded.
        """
        watched = self._watched.get(chain)
        if watched is None or not watched.noted:
            raise IndexError(f"No transitions of a chain {chain} were recorded; there are {len(self)} chains, from 0.")
        return ChainRecord(watched.noted, watched.density, chain, self._names)

    def __iter__(self) -> Iterator[ChainRecord]:
        return (self[chain] for chain in range(len(self)))


class _Watched:
    """The block of one chain, cut into single transitions, which changes no draw."""

    def __init__(self, block: Block, handle: Handle) -> None:
        self.noted: list[Noted] = []
        self._block, self._handle = block, handle
        self._density: Density | None = None

    @property
    def density(self) -> Density:
        """The chain's log density."""
        assert self._density is not None  # there was a transition
        return self._density

    def __call__(self, *arguments: Any) -> int:
        given = dict(zip(ARGUMENTS, arguments, strict=True))
        if self._density is None:
            self._density = Density(self._block, self._handle, given)
        stats, dimension = given["stats"], given["workspace"].points.shape[2]
        nothing = np.empty((0, dimension))
        empty = {"positions": nothing, "gradients": nothing, "stats": stats[:0], "divergences": nothing}
        if given["evaluates"] or given["searches"]:
            found = self._block(*{**given, **empty}.values())
            if found == SEARCH_FAILED:
                return found
        n_divergences, one = 0, np.empty((1, dimension))
        for row in range(stats.shape[0]):
            some = slice(row, row + 1)
            start = start_of(given)
            changed = {
                "evaluates": False,
                "searches": False,
                "positions": given["positions"][some],
                "gradients": given["gradients"][some],
                "stats": stats[some],
                "divergences": one,
            }
            diverged = self._block(*{**given, **changed}.values()) > 0
            self._note(start, given, row, one[0] if diverged else None)
            if diverged and given["divergences"].shape[0]:
                given["divergences"][n_divergences] = one[0]
            n_divergences += diverged
        return n_divergences

    def _note(self, start: Any, given: dict[str, Any], row: int, diverged_at: npt.NDArray[np.float64] | None) -> None:
        self.noted.append(
            Noted(
                start,
                given["positions"][row].copy(),
                given["stats"][row].copy(),
                None if diverged_at is None else diverged_at.copy(),
                warmup=bool(given["adapts"]),
                in_window=given["gradients"].shape[0] > 0,
            )
        )


@public
def record_chain(
    logdensity: Callable[..., Any],
    data: Any,
    *,
    initial: npt.ArrayLike,
    draws: int = 1000,
    tune: int = 1000,
    names: Sequence[str] | None = None,
    **options: Any,
) -> ChainRecord:
    """Draw one chain with `nutslite.sampler.sample`, and keep what is needed to see each of its transitions.

    The chain is that of ``sample(..., chains=1)`` with the same arguments, to the last bit. While it is drawn only the
    starts of transitions are noted, so that a whole chain costs little more than without; leapfrog steps are seen when
    a transition is asked for, ``record[i]``, which runs it again in plain Python.

    Parameters
    ----------
    logdensity, data, initial, draws, tune
        As for `sample`.
    names : sequence of str, optional
        Of the coordinates; by default x[0], x[1], ...
    **options
        Further arguments of `sample`: `random_seed`, `target_accept`, `max_treedepth`, `metric`, `adapt_metric`,
        `step_size`, `jitter`, `data_type`.

    Returns
    -------
    ChainRecord

    Raises
    ------
    SettingError
        If there is no transition to record, or an argument is of several chains or of a file.
    SamplingError
        As for `sample`.

    Examples
    --------
    >>> import numpy as np
    >>> def standard_normal(position, gradient, data):
    ...     gradient[:] = -position
    ...     return -0.5 * np.sum(position * position)
    >>> chain = record_chain(standard_normal, 0.0, initial=[0.0, 0.0], draws=20, tune=20, random_seed=1)
    >>> len(chain), chain.tune, chain.positions.shape
    (40, 20, (40, 2))
    >>> chain[25].number, bool((chain[25].draw == chain.positions[25]).all())
    (25, True)
    """
    _check_options(options)
    if draws == 0 and tune == 0:
        raise SettingError("There is nothing to record: draws and tune are both 0.")
    coordinate_names(names, np.shape(initial)[-1] if np.ndim(initial) else 1)
    recorder = Recorder(names)
    sample(logdensity, data, initial=initial, draws=draws, tune=tune, chains=1, cores=1, **options, recorder=recorder)
    return recorder[0]


def _check_options(options: dict[str, Any]) -> None:
    """Refuse what is of runs of several chains, and what nobody knows."""
    own = ("logdensity", "data", "initial", "draws", "tune", "names")
    others = [name for name in inspect.signature(sample).parameters if name not in (*own, *OF_RUNS)]
    for name in options:
        if name in OF_RUNS:
            raise SettingError(
                f"record_chain has no {name}=: it records one chain, warm-up included. For several chains, "
                "sample(..., recorder=Recorder())."
            )
        if name not in others:
            raise unknown_argument("record_chain", name, [*own, *others])


@public
def record_transition(
    logdensity: Callable[..., Any],
    data: Any,
    *,
    position: npt.ArrayLike,
    step_size: float,
    metric: Any = "diag",
    max_treedepth: int = 10,
    random_seed: Any = None,
    names: Sequence[str] | None = None,
    data_type: Any = None,
) -> TransitionRecord:
    """Make one transition from a position, and record it.

    Parameters
    ----------
    logdensity, data, data_type
        As for `sample`.
    position : array_like, shape (dim,)
        Where it starts.
    step_size : float
    metric : Metric, optional
        By default the identity.
    max_treedepth : int
    random_seed : int, sequence of int, SeedSequence or Generator, optional
        Momentum, directions and choices follow from it.
    names : sequence of str, optional
        Of the coordinates; by default x[0], x[1], ...

    Returns
    -------
    TransitionRecord

    Raises
    ------
    SamplingError
        If an argument is impossible, or log density or gradient are not finite at the position.

    Examples
    --------
    >>> import numpy as np
    >>> def standard_normal(position, gradient, data):
    ...     gradient[:] = -position
    ...     return -0.5 * np.sum(position * position)
    >>> record = record_transition(standard_normal, 0.0, position=[1.0, 0.0], step_size=0.3, random_seed=1)
    >>> record.stopped
    'u-turn'
    """
    chain = record_chain(
        logdensity,
        data,
        initial=position,
        jitter=0.0,
        draws=1,
        tune=0,
        step_size=step_size,
        metric=metric,
        max_treedepth=max_treedepth,
        random_seed=random_seed,
        names=names,
        data_type=data_type,
    )
    record: TransitionRecord = chain[0]
    return record
