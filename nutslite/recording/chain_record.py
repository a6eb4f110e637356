"""The record of a chain: what each transition started from and came to, from which any of them runs again."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.recording.replay import Density, Start, check_same, replay
from nutslite.recording.transition_record import TransitionRecord, transition_record
from nutslite.sampler.transition.metric import Metric
from nutslite.sampler.transition.statistics import DIVERGING, ENERGY, STEP_SIZE, named_statistics

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]


class Noted(NamedTuple):
    """What is kept of one transition.

    Attributes
    ----------
    start : Start
    position : ndarray (dim,)
        The draw.
    stats : ndarray (12,)
    diverged_at : ndarray (dim,) or None
        Position at which the trajectory diverged.
    warmup, in_window : bool
        Whether it is of the warm-up, and whether its draw teaches the metric.
    """

    start: Start
    position: Array
    stats: Array
    diverged_at: Array | None
    warmup: bool
    in_window: bool


class ChainRecord:
    """A recorded chain: a sequence of transitions, warm-up first.

    ``record[i]`` runs transition i again in plain Python and returns its `TransitionRecord`, once it has ended in the
    draw of the compiled sampler, to the last bit. ``len(record)`` is their number; slices give lists.
    Attributes below are arrays over all transitions, warm-up first.

    Attributes
    ----------
    names : tuple of str
        Of the coordinates.
    chain : int
        Which chain of the run it is.
    tune : int
        Transitions of the warm-up: draws begin at this transition.
    """

    def __init__(self, noted: Sequence[Noted], density: Density, chain: int, names: Sequence[str] | None) -> None:
        self._noted = noted
        self.logdensity = density
        self.chain = chain
        dimension = noted[0].position.shape[0]
        self.names = coordinate_names(names, dimension)
        self.tune = sum(each.warmup for each in noted)
        self._statistics = np.stack([each.stats for each in noted])
        self.positions: Array = np.stack([each.position for each in noted])

    def __repr__(self) -> str:
        return (
            f"<ChainRecord of chain {self.chain}: {self.tune} warm-up transitions, {len(self) - self.tune} draws, "
            f"{self.dimension} coordinates, {self.divergent.size} divergences>"
        )

    def __len__(self) -> int:
        return len(self._noted)

    def __iter__(self) -> Iterator[TransitionRecord]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: Any) -> Any:
        """The record of a transition; of a slice a list of them.

        Raises
        ------
        IndexError
            If there is no such transition.
        SamplingError
            If the replay ends elsewhere than the chain went: the log density depends on more than its arguments.
        """
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        place = self._place(number)
        noted = self._noted[place]
        found = replay(noted.start, self.logdensity)
        check_same(found, noted.position, noted.stats, place)
        stats = {name: values.item() for name, values in named_statistics(noted.stats).items()}
        return transition_record(
            found.notes,
            number=place,
            names=self.names,
            step_size=float(noted.stats[STEP_SIZE]),
            metric=noted.start.metric,
            max_treedepth=noted.start.max_treedepth,
            selected=stats["index_in_trajectory"],
            stats=stats,
            logdensity=self.logdensity,
        )

    def _place(self, number: Any) -> int:
        try:
            place = operator.index(number)
        except TypeError as error:
            raise SettingTypeError(f"A transition is named by its number, not by {number!r}.") from error
        if not -len(self) <= place < len(self):
            raise IndexError(f"There is no transition {place}: the chain has {len(self)}, warm-up included, from 0.")
        return place % len(self)

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return int(self.positions.shape[1])

    @property
    def draws(self) -> Array:
        """Positions after warm-up, shape (draws, dim)."""
        return self.positions[self.tune :]

    @property
    def stats(self) -> dict[str, npt.NDArray[Any]]:
        """Statistics by ArviZ's names, each of shape (transitions,)."""
        return named_statistics(self._statistics)

    @property
    def metrics(self) -> list[Metric]:
        """The metric of each transition."""
        return [each.start.metric for each in self._noted]

    @property
    def variances(self) -> Array:
        """Diagonal of the inverse mass matrix at each transition, shape (transitions, dim)."""
        return np.stack([metric.variances for metric in self.metrics])

    @property
    def windows(self) -> list[tuple[int, int]]:
        """First transition, and the one after the last, of each warm-up window whose draws taught the metric."""
        found: list[tuple[int, int]] = []
        for number, each in enumerate(self._noted):
            if not each.in_window:
                continue
            before = self._noted[number - 1] if number else None
            if before is not None and before.in_window and before.start.metric is each.start.metric:
                found[-1] = (found[-1][0], number + 1)
            else:
                found.append((number, number + 1))
        return found

    @property
    def divergent(self) -> npt.NDArray[np.int64]:
        """Numbers of the transitions that diverged, warm-up included."""
        return np.flatnonzero(self._statistics[:, DIVERGING] > 0.0)

    @property
    def diverged_from(self) -> Array:
        """Position at which each of the `divergent` transitions began, shape (len(divergent), dim)."""
        found = [self._noted[number].start.position for number in self.divergent]
        return np.array(found).reshape(-1, self.dimension)

    @property
    def diverged_at(self) -> Array:
        """Position at which the energy error of each of them passed 1000, shape (len(divergent), dim)."""
        found = [self._noted[number].diverged_at for number in self.divergent]
        return np.array(found).reshape(-1, self.dimension)

    @property
    def e_bfmi(self) -> float:
        """Energy Bayesian fraction of missing information of the draws; below 0.3 the tails are in doubt."""
        from nutslite.results.diagnostics.diagnostics import e_bfmi

        return float(e_bfmi(self._statistics[self.tune :, ENERGY])[0])

    def frame(self) -> pd.DataFrame:
        """The transitions, a row each: phase, statistics, and the coordinates of the draw by their names."""
        import pandas as pd

        phase = np.where(np.arange(len(self)) < self.tune, "warmup", "sampling")
        columns = {"transition": np.arange(len(self)), "phase": phase, **self.stats}
        return pd.DataFrame(columns | {name: self.positions[:, i] for i, name in enumerate(self.names)})

    def states(self, transitions: Iterable[int]) -> pd.DataFrame:
        """All leapfrog states of some transitions, a row each (`TransitionRecord.frame`)."""
        import pandas as pd

        frames = [self[number].frame() for number in transitions]
        if not frames:
            raise SettingError("transitions names none: give the numbers of some, range(10) for example.")
        return pd.concat(frames, ignore_index=True)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Positions, statistics and metrics by name, as `numpy.savez` takes them."""
        return {
            "positions": self.positions,
            "variances": self.variances,
            "divergent": self.divergent,
            "diverged_from": self.diverged_from,
            "diverged_at": self.diverged_at,
            **self.stats,
        }


def coordinate_names(names: Any, dimension: int) -> tuple[str, ...]:
    """Names as given, one a coordinate; by default x[0], x[1], ...

    Raises
    ------
    SettingError
        If there are more or fewer of them, or one is there twice.
    """
    if names is None:
        return tuple(f"x[{i}]" for i in range(dimension))
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise SettingTypeError(f"names are a list of texts, one for each coordinate, not {names!r}.")
    if len(names) != dimension or len(set(names)) != dimension:
        raise SettingError(f"names must be {dimension} different ones, one for each coordinate; got {list(names)}.")
    return tuple(names)
