"""Fits of one model to many parts of the data, some of them in one call: what workers of any executor are sent.

A part is fitted as `Model(...).fit(...)` fits it, by the same functions, and the table's numbers are all that is kept.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, NutsliteError, SamplingError, did_you_mean, heard, shown, warn
from nutslite.model.fits.fit_arguments import FitArguments
from nutslite.model.fits.fitting import drawn, prepare
from nutslite.model.model import Model
from nutslite.model.record.alike import Alike
from nutslite.model.record.same_columns import numbers_of
from nutslite.model.record.specification import Posterior, Specification, specification_of
from nutslite.priors.defaults import PriorSet
from nutslite.results.brief import Brief, brief_of
from nutslite.sampler.memory import keep_what_is_freed

Seed = list[int]


@dataclass(frozen=True)
class SharedPriors:
    """Priors of all data for every segment, and the columns that they are of, as `columns_of_terms` has them."""

    priors: PriorSet
    columns: Mapping[tuple[str, str], tuple[str, ...]]


@dataclass(frozen=True)
class SegmentWork:
    """What all segments share; picklable, so that any executor can run it.

    Attributes
    ----------
    arguments : mapping
        Of `Model`, but for the data.
    shared : SharedPriors or None
    hdi_prob : float
        Of the table's intervals.
    stops : bool
        Whether an error in a segment ends everything.
    fit : FitArguments
        Of `Model.fit`, but for the seed.
    """

    arguments: Mapping[str, Any]
    shared: SharedPriors | None
    hdi_prob: float
    stops: bool
    fit: FitArguments = field(default_factory=FitArguments)

    @cached_property
    def making(self) -> Making:
        """What makes the specifications of segments, one after another; each process has its own."""
        return Making()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "making"}


@dataclass(eq=False)
class Making:
    """Specifications of segments: of all after the first by what is known of that one, as far as it serves them.

    Attributes
    ----------
    alike : Alike or None
        Of a segment about which there was nothing to say, so that nothing is left unsaid of the others.
    """

    alike: Alike | None = None

    def specification(
        self, work: SegmentWork, frame: pd.DataFrame, arrays: Mapping[str, NDArray[Any]]
    ) -> Specification:
        """That of `segment_model`; `arrays` has the frame's columns of numbers.

        Raises
        ------
        NutsliteError
            As it does.
        """
        found = None if self.alike is None else self.alike.specification(frame, arrays)
        if found is None:
            with heard() as messages:
                found = specification_of(Model(data=frame, **work.arguments))
            for message in messages:
                warn(message)
            if self.alike is None and not messages:
                self.alike = Alike.of(found)
        return found if work.shared is None else with_shared(found, work.shared)


@dataclass(frozen=True)
class Segment:
    """What the fit of one segment found.

    Attributes
    ----------
    rows : int
        Of the data.
    brief : Brief or None
        Numbers for each parameter; None where there is no fit.
    seconds : float
        Of the whole fit, from the data to these numbers.
    concern : str
        What is wrong with the segment's data or draws, in words.
    error : str
        Why there is no fit; empty where there is one.
    """

    rows: int
    brief: Brief | None
    seconds: float
    concern: str = ""
    error: str = ""


def fit_segments(
    work: SegmentWork, frame: pd.DataFrame, sizes: Sequence[int], labels: Sequence[Any], seeds: Sequence[Seed]
) -> list[Segment]:
    """Fit segments that lie one after another in `frame`, in order; the result depends on nothing but the arguments.

    Raises
    ------
    SamplingError
        About the first segment that has an error, if the work says so.
    """
    keep_what_is_freed()
    found, start, arrays = [], 0, numbers_of(frame)
    for size, label, seed in zip(sizes, labels, seeds, strict=True):
        rows = slice(start, start + size)
        own = {name: array[rows] for name, array in arrays.items()}
        found.append(_fit_segment(work, frame.iloc[rows], own, label, seed))
        start += size
    return found


def _fit_segment(
    work: SegmentWork, frame: pd.DataFrame, arrays: Mapping[str, NDArray[Any]], label: Any, seed: Seed
) -> Segment:
    began = time.perf_counter()
    brief, error = None, ""
    with heard() as messages:
        try:
            brief = _brief(work, frame, arrays, seed)
        except Exception as reason:
            error = str(reason) if isinstance(reason, NutsliteError) else f"{type(reason).__name__}: {reason}"
            if work.stops:
                raise SamplingError(f"Segment {label!r} cannot be fitted: {error}") from reason
    return Segment(len(frame), brief, time.perf_counter() - began, " ".join(dict.fromkeys(messages)), error)


def _brief(work: SegmentWork, frame: pd.DataFrame, arrays: Mapping[str, NDArray[Any]], seed: Seed) -> Brief:
    specification = work.making.specification(work, frame, arrays)
    job = prepare(specification, work.fit.with_seed(seed))
    fit = drawn(job)
    if fit.interrupted:  # it kept what it had; the study that it is a part of ends
        raise KeyboardInterrupt
    return brief_of(fit, work.hdi_prob)


def segment_model(arguments: Mapping[str, Any], frame: pd.DataFrame, shared: SharedPriors | None) -> Model:
    """The model of one segment, with priors of all segments where there are such.

    Raises
    ------
    DataError
        Where shared priors are of other terms than this segment has.
    NutsliteError
        As for `Model`.
    """
    model = Model(data=frame, **arguments)
    if shared is not None:
        model._specification = with_shared(specification_of(model), shared)
    return model


def with_shared(own: Specification, shared: SharedPriors) -> Specification:
    """The same with priors of all segments.

    Raises
    ------
    DataError
        As `segment_model` does.
    """
    _check_terms(own, shared)
    return replace(own, posterior=Posterior(replace(own.spec, priors=shared.priors)))


def _check_terms(own: Specification, shared: SharedPriors) -> None:
    """Refuse priors of other columns than the segment's terms have."""
    ours = columns_of_terms(own)
    for (parameter, name), labels in ours.items():
        theirs = shared.columns.get((parameter, name), ())
        if labels != theirs:
            raise DataError(
                f"'{name}' has the columns {', '.join(labels)} here and {', '.join(theirs)} in all data, whose priors "
                "are shared: its rows lack levels that others have. Leave shared_priors out, or such segments."
            )


def columns_of_terms(specification: Specification) -> dict[tuple[str, str], tuple[str, ...]]:
    """By parameter and common term, the labels of its columns."""
    predictors = specification.spec.design.predictors
    return {(parameter, term.name): term.labels for parameter, one in predictors.items() for term in one.terms}


def seed_of(entropy: Any, label: Any) -> Seed:
    """The seed of a segment: of its label alone, so that it does not depend on which other segments there are."""
    words = np.frombuffer(hashlib.blake2b(repr(label).encode(), digest_size=16).digest(), dtype="<u4")
    own = np.random.SeedSequence(entropy, spawn_key=tuple(words.tolist()))
    return [int(word) for word in own.generate_state(4)]


@dataclass(frozen=True)
class Segmentation:
    """Rows of the data, segment by segment.

    Attributes
    ----------
    names : tuple of str
        The columns that tell segments apart.
    labels : list
        Of each segment, sorted where they can be; tuples where there are several columns.
    frame : DataFrame
        All rows, those of a segment together and in their order.
    sizes : ndarray of int
        Rows of each segment.
    """

    names: tuple[str, ...]
    labels: list[Any]
    frame: pd.DataFrame
    sizes: np.ndarray[Any, np.dtype[np.int64]]

    def rows(self, place: int) -> pd.DataFrame:
        """The rows of one segment."""
        start = int(self.sizes[:place].sum())
        return self.frame.iloc[start : start + int(self.sizes[place])]


def segmented(frame: pd.DataFrame, by: Any) -> Segmentation:
    """Put the rows of each segment together.

    Raises
    ------
    DataError
        Where `by` names no column, or a row belongs to no segment.
    """
    names = [by] if isinstance(by, str) else by
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise DataTypeError(f"by is the column that tells segments apart, or a list of such, not {shown(by)}.")
    for name in names:
        if name not in frame.columns:
            raise DataError(f"by: column '{name}' not found in the data.{did_you_mean(name, map(str, frame.columns))}")
        if not isinstance(frame.columns.get_loc(name), int):
            raise DataError(f"The data have several columns named '{name}'; rename them.")
        if missing := int(np.count_nonzero(frame[name].isna())):
            raise DataError(
                f"by: column '{name}' has {missing} missing values. A row without a segment is in no fit: leave such "
                f"rows out, by data[data['{name}'].notna()]."
            )
    if frame.empty:
        raise DataError("The data have no rows.")
    keys: Any = frame[names[0]] if len(names) == 1 else pd.MultiIndex.from_frame(frame[list(names)])
    try:
        codes, labels = pd.factorize(keys, sort=True)
    except TypeError:  # labels of several types have no order
        codes, labels = pd.factorize(keys)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes, minlength=len(labels)).astype(np.int64)
    return Segmentation(tuple(names), list(labels.tolist()), frame.take(order), sizes)
