"""What `fit_many` returns for segments: tables of all fits, and model and results of each when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nutslite._calls import public
from nutslite.exceptions import DataError, did_you_mean, shown
from nutslite.model.model import Model
from nutslite.model.segments import Segment, Segmentation, SegmentWork, seed_of, segment_model

SHOWN = 10  # rows of a table, in the text of all fits


@public
@dataclass(frozen=True, eq=False, repr=False)
class SegmentFit:
    """One segment of many: what its fit found, and its model and results, which are made when they are asked for.

    Attributes
    ----------
    label : Any
        As in the data; a tuple where several columns tell segments apart.
    data : DataFrame
        The segment's rows.
    random_seed : list of int
        With it, ``model.fit`` gives the same draws.
    found : Segment
        ``rows``, ``seconds``, ``concern``, ``error``.
    """

    label: Any
    data: pd.DataFrame
    random_seed: list[int]
    found: Segment
    _work: SegmentWork

    @cached_property
    def model(self) -> Model:
        """The segment's model.

        Raises
        ------
        NutsliteError
            That of the segment, where there is no such model.
        """
        return segment_model(self._work.arguments, self.data, self._work.shared)

    @cached_property
    def results(self) -> Any:
        """Draws, as `Model.fit` returns them: made once more with the segment's seed, the same to the last bit.

        Raises
        ------
        NutsliteError
            That of the segment, where it cannot be fitted.
        """
        arguments = {**vars(self._work.fit), "random_seed": self.random_seed}
        return self.model.fit(**arguments)


@public
@dataclass(frozen=True, eq=False, repr=False)
class SegmentFits:
    """A fit for each segment of the data. ``fits[label]`` has the model and the results of one.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a segment and parameter: the columns of `nutslite.summary` without Monte Carlo errors.
    segments : pandas.DataFrame
        One row a segment: ``rows``; ``method`` that drew; the largest ``r_hat`` and the smallest effective size ``ess``
        of its parameters; ``divergences``; ``seconds``; ``concern``, what is wrong with its data or draws in words; and
        ``error``, why there is no fit. Texts are empty where all is well.
    """

    table: pd.DataFrame
    segments: pd.DataFrame
    _split: Segmentation
    _found: Sequence[Segment]
    _work: SegmentWork
    _entropy: Any
    _asked: dict[Any, SegmentFit] = field(default_factory=dict)

    @property
    def labels(self) -> list[Any]:
        """Of all segments, in the order of the tables."""
        return list(self._split.labels)

    @property
    def failed(self) -> pd.Series[str]:
        """Why there is no fit, by segment; empty where there is one of each."""
        return self.segments.loc[self.segments["error"] != "", "error"]

    def wide(self, column: str = "mean") -> pd.DataFrame:
        """One row a segment and one column a parameter, with one column of the table; nan where a fit has none.

        Parameters
        ----------
        column : str

        Raises
        ------
        DataError
            For a column that the table does not have.
        """
        if not isinstance(column, str) or column not in self.table.columns:
            raise DataError(
                f"The table has no column {column!r}.{did_you_mean(str(column), self.table.columns)} It has: "
                f"{', '.join(self.table.columns)}."
            )
        return self.table[column].unstack("parameter", sort=False)

    def __getitem__(self, label: Any) -> SegmentFit:
        if label not in self._asked:
            place = self._place(label)
            own = self._split.labels[place]
            seed = seed_of(self._entropy, own)
            self._asked[label] = SegmentFit(own, self._split.rows(place), seed, self._found[place], self._work)
        return self._asked[label]

    def __contains__(self, label: Any) -> bool:
        return label in self._places

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._split.labels)

    @cached_property
    def _places(self) -> dict[Any, int]:
        return {label: place for place, label in enumerate(self._split.labels)}

    def _place(self, label: Any) -> int:
        try:
            return self._places[label]
        except (KeyError, TypeError):
            hint = did_you_mean(str(label), [str(one) for one in self._split.labels])
            raise DataError(
                f"There is no segment {shown(label)} of {' and '.join(map(repr, self._split.names))}.{hint}"
            ) from None

    def __str__(self) -> str:
        return "\n".join(
            [self._head(), self.table.head(SHOWN).to_string(float_format=lambda x: f"{x:.4g}"), *self._tail()]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape

        table = self.table.head(SHOWN).to_html(float_format=lambda x: f"{x:.4g}")
        return f"<p>{escape(self._head())}</p>{table}" + "".join(f"<p>{escape(line)}</p>" for line in self._tail())

    def _head(self) -> str:
        concerns = int((self.segments["concern"] != "").sum())
        parts = [f"{len(self):,} segments of {' and '.join(map(repr, self._split.names))}"]
        parts += [f"{len(self.failed):,} could not be fitted"] * bool(len(self.failed))
        parts += [f"{concerns:,} with a concern"] * bool(concerns)
        return ", ".join(parts)

    def _tail(self) -> list[str]:
        lines = [f"... and {len(self.table) - SHOWN:,} rows more (.table)"] * (len(self.table) > SHOWN)
        failed = self.failed
        lines += [f"{label}: {reason}" for label, reason in failed.iloc[:3].items()]
        return lines + [f"... and {len(failed) - 3:,} more errors (.failed)"] * (len(failed) > 3)


def put_together(split: Segmentation, found: Sequence[Segment], work: SegmentWork, entropy: Any) -> SegmentFits:
    """The record of all fits, with its tables."""
    fitted = [(label, one.brief) for label, one in zip(split.labels, found, strict=True) if one.brief is not None]
    names = [*split.names]
    repeated = [label for label, brief in fitted for _ in brief.labels]
    parameters = [name for _, brief in fitted for name in brief.labels]
    columns = zip(*repeated, strict=True) if len(names) > 1 else [repeated]
    index = pd.MultiIndex.from_arrays([*map(list, columns), parameters], names=[*names, "parameter"])
    numbers = np.concatenate([brief.numbers for _, brief in fitted])
    table = pd.DataFrame(numbers, index=index, columns=list(fitted[0][1].columns))
    return SegmentFits(table, _segments(split, found), split, tuple(found), work, entropy)


def _segments(split: Segmentation, found: Sequence[Segment]) -> pd.DataFrame:
    names = list(split.names)
    index = (
        pd.MultiIndex.from_tuples(split.labels, names=names)
        if len(names) > 1
        else pd.Index(split.labels, name=names[0])
    )
    rows = []
    for one in found:
        brief = one.brief
        worst = {"method": "", "r_hat": np.nan, "ess": np.nan, "divergences": 0}
        if brief is not None:
            numbers = dict(zip(brief.columns, brief.numbers.T, strict=True))
            worst = {
                "method": brief.method,
                "r_hat": _extreme(np.fmax, numbers["r_hat"]),
                "ess": _extreme(np.fmin, np.fmin(numbers["ess_bulk"], numbers["ess_tail"])),
                "divergences": brief.divergences,
            }
        rows.append({"rows": one.rows, **worst, "seconds": one.seconds, "concern": one.concern, "error": one.error})
    return pd.DataFrame(rows, index=index)


def _extreme(of: np.ufunc, numbers: np.ndarray[Any, Any]) -> float:
    """The largest or smallest, nan left out where there is something else: a fixed parameter has no diagnostics."""
    return float(of.reduce(numbers)) if numbers.size else float("nan")
