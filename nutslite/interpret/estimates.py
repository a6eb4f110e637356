"""`Estimates`: answers as a table, as draws, as a picture, and what follows from them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._columns import columns_of, folded
from nutslite.exceptions import ArgumentError, DataError
from nutslite.interpret.hypotheses import Answers, tested
from nutslite.interpret.pictures import Drawing
from nutslite.interpret.summaries import Intervals, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

MOST_NUMBERS = 50_000_000
"""Draws times rows that are kept: 400 MB."""


@public
@dataclass(frozen=True, repr=False, eq=False)
class Estimates:
    """What a model says, draw by draw and summarised.

    Attributes
    ----------
    summary : DataFrame
        One row for each answer: what it is of, ``estimate`` (the mean of its draws), ``sd``, ``lower`` and ``upper``.
        ``summary.attrs`` has the probability of the interval, ``prob``, and its kind, ``interval``. A covariate whose
        name is that of such a column has ``_`` after it.
    kind : str
        ``"predictions"``, ``"comparisons"``, ``"slopes"`` or ``"hypotheses"``.
    by : tuple of str
        Covariates that were asked about, in the order of a picture: along, colour, panel.
    numbers : frozenset of str
        Covariates that are numbers.
    target : str
        What the answers are of: ``"mean"``, a parameter, ...
    response : str
        Name of the response.
    note : str
        Whose group effects they have; empty without groups.
    """

    summary: pd.DataFrame
    kind: str
    by: tuple[str, ...]
    numbers: frozenset[str]
    target: str
    response: str
    note: str
    intervals: Intervals
    samples: FloatArray | None
    labels: pd.DataFrame
    shape: tuple[int, int]
    category: tuple[str, tuple[str, ...]] | None = None
    points: pd.DataFrame | None = field(default=None)
    proper: str = ""

    @property
    def draws(self) -> xarray.DataArray:
        """The draws of every answer: dims (chain, draw, row), and one of categories where there are any.

        Coordinates of ``row`` are the columns of `summary` that say what it is of.

        Raises
        ------
        DataError
            Where they were too many to keep.
        """
        values = self._kept()
        dims: tuple[str, ...] = ("chain", "draw", "row")
        coords: dict[str, Any] = {
            str(name): ("row", np.asarray(column.astype(object) if column.dtype.kind not in "biuf" else column))
            for name, column in self.labels.items()
        }
        if self.category is not None:
            dims, coords = (*dims, self.category[0]), {**coords, self.category[0]: list(self.category[1])}
        return xarray.DataArray(
            values.reshape(*self.shape, *values.shape[1:]), dims=dims, coords=coords, name=self.target
        )

    def _kept(self) -> FloatArray:
        if self.samples is None:
            raise DataError(
                f"The draws of {len(self.labels):,} rows are too many to keep; the summary has been made of all of "
                "them. Ask for averages (by=), fewer rows, or fewer draws (draws=)."
            )
        return self.samples

    def hypothesis(self, hypothesis: Any = None, equivalence: Any = None) -> Estimates:
        """Compare answers with each other or with a number, draw by draw.

        Parameters
        ----------
        hypothesis : float, str, list of str, or ndarray, optional
            A number: each answer less it, by default 0. An equation of rows by their place: ``"b1 - b0 = 0"``,
            ``"b2 / b0 = 1"``; several equations. ``"pairwise"``, ``"reference"`` (each less the first),
            ``"sequential"`` (each less the one before), with ``"rev"`` before it the other way round, and ``"ratio ~
            pairwise"``. A matrix (rows, contrasts).
        equivalence : tuple of two floats, optional
            A range of what counts as nothing; ``p_inside`` is the probability of being in it.

        Returns
        -------
        Estimates
            With columns ``p_above``, the probability of a difference above 0 (of a ratio above 1), and
            ``evidence_ratio``, its odds.

        Raises
        ------
        ArgumentError
        """
        inside = None if equivalence is None else check_pair("equivalence", equivalence)
        kept = self._kept()
        found = tested(Answers(kept.reshape(len(kept), -1), tuple(self._names())), hypothesis)
        about: dict[str, Any] = {"samples": found.draws.reshape(kept.shape) if found.names is None else found.draws}
        labels, category = self.labels, self.category
        if found.names is not None:
            labels, category = pd.DataFrame({"hypothesis": found.names}), None
            about |= {"kind": "hypotheses", "by": (), "points": None, "labels": labels, "category": None}
        columns = {**self.intervals.columns(found.draws), **found.columns(inside)}
        return replace(self, summary=table_of(with_categories(labels, category), columns, self.intervals), **about)

    def _names(self) -> list[str]:
        """What tells the lines of the table apart, in words."""
        numbers = ["estimate", "sd", *itertools.chain(*self.intervals.names())]
        labels = self.summary.drop(columns=[*numbers, "estimate_type"], errors="ignore")
        own = [column for column in labels if labels[column].nunique() > 1]
        if not own:
            return [f"b{place}" for place in range(len(labels))]
        words = [" ".join(_word(value) for value in row) for row in labels[own].itertuples(index=False)]
        return [f"({word})" if " " in word else word for word in words]

    def plot(self, ax: Axes | Sequence[Axes] | None = None, *, points: bool = False, **style: Any) -> Figure:
        """Draw the answers: lines with bands along numbers, points with bars beside categories.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw, where there is one panel; a new figure by default.
        points : bool
            Whether to show the observed responses too, where the answers are means.
        **style
            ``xlabel``, ``ylabel``, ``title``, ``alpha`` of bands, ``sharex``, ``sharey``, ``wrap`` (panels in a line).

        Returns
        -------
        matplotlib.figure.Figure
        """
        drawing = Drawing(
            self.summary.reset_index(drop=True),
            self.by,
            self.numbers,
            None if self.category is None else self.category[0],
            self.kind == "hypotheses",
            self._quantity(),
            self.intervals.names(),
            self.points if points else None,
            {} if self.category is None else {self.category[0]: self.proper or self.response},
        )
        return drawing.on(ax, style)

    def _quantity(self) -> str:
        """What stands beside the upright axis."""
        target = self.target
        if target == "mean":
            target = f"{'probability' if self.category else 'mean'} of {self.proper or self.response}"
        if "estimate_type" not in self.summary:
            return target
        return f"{self.summary['estimate_type'].iloc[0]} of {'the ' if self.target == 'mean' else ''}{target}"

    def __len__(self) -> int:
        return len(self.summary)

    def __str__(self) -> str:
        width = columns_of(sys.stdout)
        table = self.summary.to_string(float_format=lambda x: f"{x:.4g}", max_rows=30, index=False, line_width=width)
        return f"{table}\n{folded(self._words(), hanging=0)}"

    def __repr__(self) -> str:
        return f"<{self.kind.capitalize()} of {self.target}: {len(self.summary):,} rows>\n{self}"

    def _repr_html_(self) -> str:
        from html import escape

        table = self.summary.to_html(float_format=lambda x: f"{x:.4g}", max_rows=30, index=False)
        return f"<div>{table}<p>{escape(self._words())}</p></div>"

    def _words(self) -> str:
        probs = " and ".join(f"{100 * prob:g} %" for prob in self.intervals.probs)
        kind = "highest-density" if self.intervals.hdi else "equal-tailed"
        many = "s" if len(self.intervals.probs) > 1 else ""
        return " ".join(filter(None, [f"Means of draws, {probs} {kind} interval{many}.", self.note]))


@dataclass(frozen=True)
class Piece:
    """Answers that are computed together: their labels, and their draws (samples, rows[, K]) or a summary of them."""

    labels: pd.DataFrame
    samples: FloatArray | None
    columns: dict[str, FloatArray]


def piece_of(labels: pd.DataFrame, samples: FloatArray, intervals: Intervals, keep: bool) -> Piece:
    """A piece of answers and its summary; `keep` says whether the draws stay."""
    flat = samples.reshape(len(samples), -1)
    return Piece(labels, samples if keep else None, intervals.columns(flat))


def gathered(
    pieces: Sequence[Piece], intervals: Intervals, category: tuple[str, tuple[str, ...]] | None, **about: Any
) -> Estimates:
    """All pieces as one result; `about` are the attributes that the pieces do not have."""
    labels = pd.concat([piece.labels for piece in pieces])
    columns = {name: np.concatenate([piece.columns[name] for piece in pieces]) for name in pieces[0].columns}
    kept = [piece.samples for piece in pieces if piece.samples is not None]
    samples = np.concatenate(kept, axis=1) if len(kept) == len(pieces) else None
    table = table_of(with_categories(labels, category), columns, intervals)
    return Estimates(table, intervals=intervals, samples=samples, labels=labels, category=category, **about)


def with_categories(labels: pd.DataFrame, category: tuple[str, tuple[str, ...]] | None) -> pd.DataFrame:
    """Labels of a table that has a line for each category of every row."""
    if category is None:
        return labels
    dim, names = category
    repeated = (
        labels.loc[labels.index.repeat(len(names))]
        if labels.index.is_unique
        else labels.iloc[np.repeat(np.arange(len(labels)), len(names))]
    )
    return repeated.assign(**{dim: list(names) * len(labels)})


def _word(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_pair(name: str, given: Any) -> tuple[float, float]:
    """Two numbers in order.

    Raises
    ------
    ArgumentError
    """
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} is two numbers, the lower one first, not {given!r}.") from None
    if not low < high:
        raise ArgumentError(f"{name}={given!r}: the lower number comes first.")
    return low, high
