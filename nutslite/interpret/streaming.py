"""Answers draw by draw, with few of them in memory at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, ArgumentTypeError, in_users_function, shown
from nutslite.formula.forms.truncated import LOWER, UPPER
from nutslite.interpret.averages import Averaging
from nutslite.interpret.groups import Groups
from nutslite.model.fits.after_fit import check_results, prediction_task
from nutslite.model.record.specification import Specification
from nutslite.results.added_groups import named_posterior
from nutslite.results.container.inference_data import get_group
from nutslite.results.container.sample_axes import SampleAxes, check_count, thinned
from nutslite.results.predictions.linear_predictor import NamedDraws, join_chains
from nutslite.results.predictions.parameter_draws import ParameterDraws, companions_of
from nutslite.results.predictions.target import MEAN, Companions, Target

if TYPE_CHECKING:
    from nutslite.families.record.family import Family
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]


def applied(argument: str, function: Callable[..., Any], *arrays: FloatArray) -> FloatArray:
    """What a user's function makes of arrays of draws, the first of which says of which shape that is to be.

    Raises
    ------
    ArgumentError
        For results that are no numbers, or not one for each draw.
    ArgumentTypeError
        For a function of another number of arrays.
    """
    _check_taken(argument, function, len(arrays))
    with in_users_function(f"The function given as {argument}"):
        found = function(*arrays)
    try:
        values = np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        raise ArgumentError(f"{argument} gives {shown(found)}, and not a number for each draw.") from None
    if values.shape != arrays[0].shape:
        raise ArgumentError(
            f"{argument} gives an array of shape {values.shape} for draws of shape {arrays[0].shape}: it is applied to "
            "each draw."
        )
    return values


def _check_taken(argument: str, function: Callable[..., Any], count: int) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # compiled functions may not say what they take
        return
    try:
        signature.bind(*[None] * count)
    except TypeError as error:
        many = "one array" if count == 1 else f"{count} arrays"
        raise ArgumentTypeError(
            f"{argument} is called with {many} of draws, which {shown(function)} does not take: {error}."
        ) from None


def name_of(function: Callable[..., Any]) -> str:
    """What tables call a user's function."""
    name = getattr(function, "__name__", "custom")
    return "custom" if name == "<lambda>" else name


@dataclass(frozen=True)
class Draws:
    """Posterior draws by the model's names, chains joined, and the chains and draws that they are."""

    named: NamedDraws
    axes: SampleAxes

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.named.samples


def draws_of(specification: Specification, idata: Any, draws: Any = None) -> Draws:
    """The draws of results, all or so many of them, evenly spaced.

    Raises
    ------
    DataError
        For results of another model.
    """
    check_results(specification, idata)
    task = prediction_task(specification)
    dataset = get_group(idata, "posterior")
    if draws is not None:
        dataset = thinned(dataset, check_count(draws, SampleAxes.of(dataset)))
    posterior = named_posterior(dataset, task.coords, task.aliases)
    return Draws(join_chains(posterior.arrays), posterior.axes)


@dataclass(frozen=True)
class Side:
    """One of the frames that are compared: the parameters of its rows, what their responses come with, its columns."""

    rows: ParameterDraws
    companions: Companions
    frame: pd.DataFrame

    def value(self, target: Target, start: int, stop: int) -> FloatArray:
        """The target at the draws from `start` to `stop`."""
        return target.value(self.rows, self.rows.on_links(start, stop), self.companions)


@dataclass(frozen=True)
class Measure:
    """What is computed of rows, in two steps: averages over rows and groups are made in between.

    Attributes
    ----------
    parts : callable
        ``parts(sides, start, stop) -> list of ndarray (chunk, n[, K])``, for the draws from `start` to `stop`.
    finish : callable
        ``finish(*parts) -> ndarray``, element by element.
    """

    parts: Callable[[Sequence[Side], int, int], list[FloatArray]]
    finish: Callable[..., FloatArray]


@dataclass(frozen=True)
class Question:
    """All that is asked, but for the rows."""

    specification: Specification
    draws: Draws
    target: Target
    groups: Groups
    measure: Measure
    seed: int

    def answer(self, frames: Sequence[pd.DataFrame], averaging: Averaging | None = None) -> FloatArray:
        """Answers for rows that differ from frame to frame, or for their averages.

        Returns
        -------
        ndarray, shape (samples, n[, K]), with `averaging` (samples, cells[, K])
        """
        task = prediction_task(self.specification)
        designs = [self.groups.design(self.specification, frame) for frame in frames]
        again = [
            [
                Side(rows, _companions(design, task.family, self.target), frame)
                for rows in self.groups.rows(self.draws.named, design, task, self.seed)
            ]
            for design, frame in zip(designs, frames, strict=True)
        ]
        out: FloatArray = np.empty(0)
        for start, stop in again[0][0].rows.chunks():
            parts: list[FloatArray] = []
            for sides in zip(*again, strict=True):
                with np.errstate(over="ignore", invalid="ignore"):  # infinite answers are said to be so in the table
                    found = self.measure.parts(sides, start, stop)
                found = [_full(part, (stop - start, len(frames[0]))) for part in found]
                if averaging is not None:
                    found = [averaging.of(part) for part in found]
                parts = found if not parts else [one + other for one, other in zip(parts, found, strict=True)]
            if self.groups.integrate > 1:
                parts = [part / self.groups.integrate for part in parts]
            with np.errstate(divide="ignore", invalid="ignore"):
                values = self.measure.finish(*parts)
            if start == 0:
                out = np.empty((self.draws.samples, *values.shape[1:]))
            out[start:stop] = values
        return out


def _full(part: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """A part for every draw and row: of a parameter without a formula rows are alike."""
    return np.broadcast_to(part, (*shape, *part.shape[2:]))


def _companions(design: Design, family: Family, target: Target) -> Companions:
    """What responses come with, such as trials: what rows say where responses are drawn, else one trial each.

    So a mean is a proportion, or of one unit of exposure, whether rows say how many trials they had or not. Bounds move
    means, and are those of the rows.
    """
    if target.random or (target.name == MEAN and LOWER in design.response.companions):
        found = companions_of(design, family)
    else:
        found = {}
    if target.random:
        return found
    units = {name: np.ones(design.n_rows) for name in design.response.companions}
    return {**units, **{name: found[name] for name in (LOWER, UPPER) if name in found}}


def checked_seed(random_seed: Any) -> int:
    """A seed for new groups and responses: the same for the same argument.

    Raises
    ------
    ArgumentError
    """
    if isinstance(random_seed, bool) or not isinstance(random_seed, int | np.integer) or random_seed < 0:
        raise ArgumentError(f"random_seed is a whole number from 0 on, not {random_seed!r}.")
    return int(random_seed)
