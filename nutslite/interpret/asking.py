"""What all questions have in common: the rows, the groups, the draws, how answers are averaged and summarised."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, in_users_function, shown, warn
from nutslite.formula.columns.data import as_frame
from nutslite.formula.forms.rate import EXPOSURE
from nutslite.interpret.averages import Averaging, averaging_of, weights_of
from nutslite.interpret.covariates import Covariate, covariates_of, rows_in_use
from nutslite.interpret.estimates import MOST_NUMBERS, Estimates, Piece, gathered, piece_of
from nutslite.interpret.grid import GRIDS, conditional_grid, datagrid
from nutslite.interpret.groups import OBSERVED, POPULATION, Groups, groups_of
from nutslite.interpret.streaming import Draws, Measure, Question, applied, checked_seed, draws_of
from nutslite.interpret.summaries import NUMBERS, Intervals, intervals_of
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import Specification, specification_of
from nutslite.results.predictions.target import MEAN, Target, target_of

FloatArray = NDArray[np.float64]
Function = Callable[[Any], Any]

BLOCK_NUMBERS = 20_000_000  # draws times rows of one piece, where there are too many to keep


@dataclass(frozen=True)
class Options:
    """Arguments that predictions, comparisons and slopes share; `nutslite.interpret.predictions` explains them."""

    conditional: Any = None
    newdata: Any = None
    by: Any = None
    target: Any = "mean"
    quantile: Any = None
    use_hdi: Any = True
    prob: Any = None
    transforms: Any = None
    transform: Any = None
    sample_new_groups: Any = None
    groups: Any = None
    integrate: Any = None
    wts: Any = None
    hypothesis: Any = None
    equivalence: Any = None
    draws: Any = None
    random_seed: Any = 0


@dataclass(frozen=True)
class Rows:
    """The rows that are asked about.

    Attributes
    ----------
    frame : DataFrame
        Columns of the model's predictors, and others that rows may be averaged by.
    named : tuple of str
        Covariates that the question names.
    held : bool
        Whether the other covariates are held at one value.
    own_groups : bool
        Whether rows say which groups they are of.
    observed : bool
        Whether they are the model's own.
    """

    frame: pd.DataFrame
    named: tuple[str, ...]
    held: bool
    own_groups: bool
    observed: bool


@dataclass(frozen=True)
class Asked:
    """A question with all of its arguments understood."""

    specification: Specification
    covariates: Mapping[str, Covariate]
    rows: Rows
    draws: Draws
    target: Target
    groups: Groups
    averaging: Averaging | None
    intervals: Intervals
    transforms: Mapping[str, Function]
    transform: Function | None
    options: Options
    by: tuple[str, ...]
    seed: int

    def answer(self, kind: str, questions: Iterator[tuple[pd.DataFrame, Sequence[pd.DataFrame], Measure]]) -> Estimates:
        """Answers to questions, one below the other.

        Parameters
        ----------
        kind : str
        questions : iterator
            Labels of rows beside their covariates, one line for all or one for each row; the frames; the measure.
        """
        pieces: list[Piece] = []
        beside: Sequence[str] = ()
        for labels, frames, measure in questions:
            pieces += self._pieces(labels, frames, measure)
            beside = [str(name) for name in labels]
        category = None if self.target.dim is None else (self.target.dim, self.target.labels)
        unknown = sum(int(np.isnan(piece.columns["estimate"]).sum()) for piece in pieces)
        if unknown and not self.target.random:  # draws of responses say it themselves
            count = sum(len(piece.columns["estimate"]) for piece in pieces)
            warn(
                f"{unknown} of {count} answers are nan, because some of their draws are: a logarithm or a link has no "
                "value there, or numbers beyond float64 were subtracted or divided."
            )
        found = gathered(
            pieces,
            self.intervals,
            category,
            kind=kind,
            by=tuple(self._shown_as(name, beside) for name in self.by),
            numbers=frozenset(self._shown_as(name, beside) for name, item in self.covariates.items() if item.numeric),
            target=self.target.name,
            response=self.specification.spec.design.response.name,
            proper=self.specification.spec.design.response_proper,
            note=self.groups.said if self.specification.spec.design.factors else "",
            shape=(self.draws.named.chains, self.draws.named.draws),
        )
        if self.options.hypothesis is None and self.options.equivalence is None:
            return found
        return found.hypothesis(self.options.hypothesis, self.options.equivalence)

    def with_points(self, estimates: Estimates) -> Estimates:
        """With the observed responses beside covariates, where the answers are means of what was observed."""
        design = self.specification.spec.design
        if self.target.name != MEAN or self.target.dim is not None or design.response.censoring is not None:
            return estimates
        response = np.asarray(design.response.values[0], dtype=float)
        for name, size in design.response.beside.items():
            if name in ("trials", EXPOSURE):
                response = response / size
        frame = rows_in_use(self.specification)
        frame = frame.rename(columns=lambda name: self._shown_as(str(name), ()))
        return replace(estimates, points=frame.assign(**{design.response.name: response}))

    def _shown_as(self, name: str, beside: Sequence[str]) -> str:
        """What tables call a covariate: its name, with ``_`` after it where they have a column or dimension of that."""
        bounds = itertools.chain(*self.intervals.names())
        return f"{name}_" if name in {*beside, *bounds, *NUMBERS, "chain", "draw", self.target.dim} else name

    def _pieces(self, labels: pd.DataFrame, frames: Sequence[pd.DataFrame], measure: Measure) -> Iterator[Piece]:
        """Answers to one question: all rows at once, or block by block where their draws are too many to keep."""
        question = Question(
            self.specification, self.draws, self.target, self.groups, self._transformed(measure), self.seed
        )
        if self.averaging is not None:
            answers = question.answer(frames, self.averaging)
            yield piece_of(self._labels(labels, self.averaging.cells), answers, self.intervals, True)
            return
        n = len(self.rows.frame)
        numbers = n * self.draws.samples * max(len(self.target.labels), 1)
        keep = numbers <= MOST_NUMBERS
        step = n if keep else max(1, BLOCK_NUMBERS * n // numbers)
        shown = self._shown()
        for start in range(0, n, step):
            rows = slice(start, start + step)
            answers = question.answer([frame.iloc[rows] for frame in frames], None)
            yield piece_of(self._labels(labels, shown.iloc[rows]), answers, self.intervals, keep)

    def _transformed(self, measure: Measure) -> Measure:
        """The measure with the user's own function after it."""
        response = self.specification.spec.design.response.name
        given = ((f"transforms of '{response}'", self.transforms.get(response)), ("transform", self.transform))
        own = [(argument, function) for argument, function in given if function is not None]
        if not own:
            return measure

        def finish(*parts: FloatArray) -> FloatArray:
            values = measure.finish(*parts)
            for argument, function in own:
                values = applied(argument, function, values)
            return values

        return Measure(measure.parts, finish)

    def _shown(self) -> pd.DataFrame:
        """The covariates of rows, as tables show them."""
        own = [name for name in self.covariates if name in self.rows.frame]
        design = self.specification.spec.design
        hidden = design.grouping_columns - set(design.common_columns) if self.groups.which != OBSERVED else ()
        order = [*self.rows.named, *(name for name in own if name not in self.rows.named)]
        return self.rows.frame[[name for name in order if name not in hidden or name in self.rows.named]]

    def _labels(self, labels: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
        """Labels of a question beside those of its rows; the user's functions applied to covariates."""
        changed = {
            name: _as_column(name, function, rows[name]) for name, function in self.transforms.items() if name in rows
        }
        rows = rows.assign(**changed)
        if self.rows.held and "value" in labels:  # what is compared has no one value in such a row
            rows = rows.drop(columns=str(labels["term"].iloc[0]).split(", "), errors="ignore")
        if len(labels) == 1:
            line = labels.iloc[0].to_dict()
            first = pd.DataFrame({name: [value] * len(rows) for name, value in line.items()}, index=rows.index)
        else:
            first = labels.loc[rows.index]
        beside = [str(name) for name in labels]
        return pd.concat([first, rows.rename(columns=lambda name: self._shown_as(str(name), beside))], axis=1)


def _as_column(name: str, function: Function, column: pd.Series[Any]) -> Any:
    """What a user's function makes of a covariate's column, for a table."""
    with in_users_function(f"The function of '{name}' in transforms"):
        found = function(column)
    if np.ndim(found) == 1 and len(found) == len(column):
        return found.set_axis(column.index) if isinstance(found, pd.Series) else list(found)
    raise ArgumentError(
        f"transforms: the function of '{name}' gives {shown(found)}, and not a value for each of the {len(column)} "
        "rows of the table."
    )


def ask(model: Any, idata: Any, options: Options, *, default_by: Any = None, moved: Sequence[str] = ()) -> Asked:
    """Understand the arguments of a question; `moved` are the covariates whose effect it is about.

    Raises
    ------
    ArgumentError, DataError
    """
    specification = specification_of(model)
    covariates = covariates_of(specification)
    intervals = intervals_of(options.prob, options.use_hdi)
    seed = checked_seed(options.random_seed)
    rows = _rows(model, specification, covariates, options, moved)
    draws = draws_of(specification, idata, options.draws)
    task = prediction_task(specification)
    target = target_of(options.target, task, specification.spec.design.response.name, options.quantile, seed)
    groups = groups_of(specification, options.groups, options.integrate, options.sample_new_groups, rows.own_groups)
    if target.random and groups.which == POPULATION:
        raise ArgumentError(
            f"target='{options.target}' draws responses, and groups='population' averages over groups: groups='new' "
            "draws responses of a new group."
        )
    by = default_by if options.by is None else options.by
    weights = weights_of(options.wts, rows.frame, len(rows.frame))
    averaging = None
    if by is not None and by is not False:
        averaging = averaging_of(rows.frame, by, weights)
    elif weights is not None:
        raise ArgumentError("wts= weighs rows in averages, and nothing is averaged: give by=, or use avg_... .")
    named = rows.named if averaging is None else tuple(averaging.cells.columns)
    transforms = _checked_transforms(options.transforms, covariates, specification)
    if options.transform is not None and not callable(options.transform):
        raise ArgumentTypeError(f"transform is a function of draws, such as numpy.exp, not {shown(options.transform)}.")
    along = tuple(name for name in named if name not in moved)
    return Asked(
        specification, covariates, rows, draws, target, groups, averaging, intervals, transforms, options.transform,
        options, along, seed,
    )  # fmt: skip


def _rows(
    model: Any,
    specification: Specification,
    covariates: Mapping[str, Covariate],
    options: Options,
    moved: Sequence[str],
) -> Rows:
    factors = specification.spec.design.grouping_columns
    if options.conditional is not None:
        if options.newdata is not None:
            raise ArgumentError("conditional= makes rows and newdata= gives them: use one of the two.")
        frame, named = conditional_grid(specification, options.conditional)
        said = {*named, *moved}
        if options.groups is None and options.integrate is None:
            _check_all_groups(factors, said, set(specification.spec.design.common_columns))
        return Rows(frame, tuple(named), True, bool(factors) and factors <= said, False)
    given = options.newdata
    if given is None:
        return Rows(_with_all_columns(specification), (), False, True, True)
    if isinstance(given, str) and given in ("mean", "balanced"):
        frame = datagrid(model, grid_type={"mean": GRIDS[0], "balanced": GRIDS[1]}[given])
        return Rows(frame, (), True, False, False)
    if isinstance(given, str) and not Path(given).suffix:
        raise ArgumentError(f"newdata is rows, a file of them, 'mean' or 'balanced', not {given!r}.")
    frame = as_frame(given)
    absent = {name for name in factors if name not in frame}
    only_groups = absent - set(specification.spec.design.common_columns)
    frame = frame.assign(
        **{
            name: covariates[name].column_of([covariates[name].typical()] * len(frame), frame.index)
            for name in only_groups
        }
    )
    if len(frame) == 0:
        raise DataError("newdata has no rows.")
    return Rows(frame, (), False, not absent, False)


def _check_all_groups(factors: Collection[str], said: Collection[str], common: Collection[str]) -> None:
    """Refuse some groups without the others: they would be no group's effects, and all groups alike."""
    some = [name for name in said if name in factors and name not in common]
    others = [name for name in sorted(factors) if name not in said]
    if some and others:
        rest = ", ".join(f"'{name}'" for name in others)
        raise ArgumentError(
            f"The question names the group '{some[0]}' and not {rest}: name all of them, or say whose effects count. "
            f"groups='observed' takes the most frequent {rest}, groups='typical' leaves the effects of groups out."
        )


def _with_all_columns(specification: Specification) -> pd.DataFrame:
    """The rows that the model uses, with all columns of the data."""
    used, data = rows_in_use(specification), specification.data
    if len(used) == len(data):
        return data
    mask = ~specification.used[list(specification.spec.design.used_columns)].isna().any(axis=1)
    return data[np.asarray(mask)]


def _checked_transforms(
    given: Any, covariates: Mapping[str, Covariate], specification: Specification
) -> Mapping[str, Function]:
    if given is None:
        return {}
    known = [*covariates, specification.spec.design.response.name]
    if not isinstance(given, Mapping) or not all(callable(function) for function in given.values()):
        raise ArgumentTypeError(
            f"transforms is a dict of functions by name of a covariate or response, not {shown(given)}."
        )
    for name in given:
        if name not in known:
            raise ArgumentError(f"transforms: '{name}' is none of {', '.join(known)}.")
    return given
