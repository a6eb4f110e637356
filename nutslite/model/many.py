"""`fit_many`: one model for each segment of the data, or for each of several completed data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from nutslite._calls import CallError, public
from nutslite._log import log
from nutslite._parallel import check_executor, run_on, workers_of
from nutslite.exceptions import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    NutsliteError,
    SamplingError,
    check_flags,
    heard,
    refuse_other,
    shown,
)
from nutslite.formula.columns.data import as_frame
from nutslite.model.completed import CompletedFits, fit_completed
from nutslite.model.fits.fit_arguments import FitArguments, read_fit_arguments
from nutslite.model.model import Model
from nutslite.model.record.specification import ModelArguments, specification_of
from nutslite.model.segment_fits import SegmentFits, put_together
from nutslite.model.segments import (
    Segment,
    Segmentation,
    SegmentWork,
    SharedPriors,
    columns_of_terms,
    fit_segments,
    seed_of,
    segmented,
)
from nutslite.sampler.progress import counting_bar
from nutslite.sampler.sample import seed_sequence

MOST_TOGETHER = 50  # segments that a worker is sent at once: sending takes less time than one of them
TRIED = 5  # segments, before the call is to blame for what is wrong with all of them
SHARES = 8  # of its segments that a worker is sent one after another, so that all end at about the same time
ONE_FILE = ("file", "checkpoint")
BY_ALL = ("priors", "callback", "executor", "plan", "start", "idata_kwargs", "include_response_params")
"""Arguments of `Model.fit` that are of one model, or add to results that are not kept."""


@public
def fit_many(
    formula: Any,
    datasets: Any = None,
    family: Any = "gaussian",
    *,
    by: str | Sequence[str] | None = None,
    data: Any = None,
    fit: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    shared_priors: bool = False,
    errors: str = "record",
    hdi_prob: float = 0.94,
    **settings: Any,
) -> CompletedFits | SegmentFits:
    """Fit one model to each segment of the data, or to each of several data sets whose gaps were filled.

    With `by`, to each group of rows of one data set (docs/many_models.md): thousands of fits, one table. Without it, to
    data sets that differ in what their gaps were filled with, whose draws are put together (docs/missing_data.md);
    automatic priors are then those of the first one for all.

    Parameters
    ----------
    formula, family
        As for `Model`.
    datasets : DataFrame or the like, or sequence of such
        With `by` one data set, without it two at least; five to twenty are usual.
    by : str or list of str, optional
        The column, or the columns, that tell segments apart.
    data : DataFrame or the like, optional
        Another name of `datasets`, for one data set.
    fit : dict, optional
        Arguments of `Model.fit`: ``{"random_seed": 1}``. Each fit has a seed of its own: with `by` made of it and of
        the segment's label, so that draws do not depend on which other segments there are. ``{"progressbar": False}``
        shows no bar.
    executor : concurrent.futures.Executor, optional
        Where fits run: a pool of processes or threads, loky's, that of a Dask client (``client.get_executor()``). One
        after another in this process where it is left out. Draws do not depend on it. Where a worker ends, what it
        worked on is done again.
    shared_priors : bool
        With `by`, whether automatic priors are those of all data, the same for every segment, in place of those of the
        segment's own rows.
    errors : {"record", "raise"}
        With `by`, what becomes of a segment that cannot be fitted: an entry of the table's column ``error``, or an
        error that ends all.
    hdi_prob : float
        With `by`, probability of the table's intervals.
    **settings
        Further arguments of `Model`.

    Returns
    -------
    SegmentFits
        With `by`.
    CompletedFits
        Without it.

    Raises
    ------
    DataError
        For a column `by` that is not there or has gaps. Without `by`, for data sets of other rows or other levels than
        the first one's.
    SamplingError
        Where no segment can be fitted.
    NutsliteError
        As for `Model` and `Model.fit`: what is wrong with the call ends it, whatever `errors` says.

    Warns
    -----
    NutsliteWarning
        Without `by`, where a fit has not converged. Where a worker has ended.

    Examples
    --------
    >>> import nutslite as nl
    >>> fits = nl.fit_many("Reaction ~ Days", nl.load_data("sleepstudy"), by="Subject")  # doctest: +SKIP
    >>> fits.wide("mean")  # doctest: +SKIP
    >>> fits[308].results  # doctest: +SKIP

    >>> fits = nl.fit_many("y ~ x", completed, fit={"random_seed": 1})  # doctest: +SKIP
    >>> fits.table  # doctest: +SKIP
    """
    if (datasets is None) == (data is None):
        raise CallError("fit_many needs data, once: one data set with by=, or a list of completed ones.")
    of_fit = {item.name for item in fields(FitArguments)} - {item.name for item in fields(ModelArguments)}
    for name in sorted(settings.keys() & of_fit):
        raise CallError(f"{name} is an argument of Model.fit: fit={{'{name}': {settings[name]!r}}}.")
    check_executor(executor, "fit")
    if fit is not None and not isinstance(fit, Mapping):
        raise ArgumentTypeError(f"fit has arguments of Model.fit, such as {{'random_seed': 1}}; not {shown(fit)}.")
    given = dict(fit or {})
    for name in ONE_FILE:
        if name in given:
            instead = "; save `joined` instead" if by is None else ""
            raise ArgumentTypeError(f"fit={{'{name}': ...}}: one file cannot hold several fits{instead}.")
    several = datasets if data is None else data
    if by is not None:
        check_flags(shared_priors=shared_priors)
        refuse_other("errors", errors, ("record", "raise"))
        _check_probability(hdi_prob)
        rest = SegmentWork({"formula": formula, "family": family, **settings}, None, float(hdi_prob), errors == "raise")
        return _fit_by(by, several, given, executor, rest, shared_priors)
    if isinstance(several, (str, bytes, Mapping, pd.DataFrame)) or not isinstance(several, Sequence):
        raise ArgumentTypeError(
            f"datasets is a list of data sets, not {shown(several)}. To fit parts of one, say which column tells them "
            "apart: by='segment'."
        )
    return fit_completed(formula, several, family, given, executor, settings)


def _fit_by(
    by: Any, data: Any, given: dict[str, Any], executor: Executor | None, work: SegmentWork, shared_priors: bool
) -> SegmentFits:
    """What `fit_many` does with segments; `given` are arguments of `Model.fit`, which `work` lacks so far."""
    shows, entropy = bool(given.pop("progressbar", True)), seed_sequence(given.pop("random_seed", None)).entropy
    work = replace(work, fit=_fit_arguments(given, executor))
    split = segmented(as_frame(data), by)
    used, refused = _tried(work, split)
    if shared_priors:
        with heard():
            own = specification_of(Model(data=split.frame, **work.arguments))
        work = replace(work, shared=SharedPriors(own.spec.priors, columns_of_terms(own)))
    found = _fitted(work, split, split.frame[used], entropy, executor, shows)
    if all(one.brief is None for one in found):
        raise refused or SamplingError(f"No segment can be fitted. The first one: {found[0].error}")
    fits = put_together(split, found, work, entropy)
    _say(fits)
    return fits


def _fit_arguments(given: Mapping[str, Any], executor: Executor | None) -> FitArguments:
    """The arguments of every fit, checked once; an executor's workers share the machine.

    Raises
    ------
    NutsliteError
        As for `Model.fit`, and for arguments that many fits have no use for.
    """
    for name in BY_ALL:
        if name in given and not (name == "plan" and isinstance(given[name], str)):
            raise ArgumentError(f"fit={{'{name}': ...}} is for one model: fit it alone, as fits[label].model.fit does.")
    usual = {item.name: item.default for item in fields(FitArguments)}
    others = {name: value for name, value in given.items() if name not in usual}
    with_cores = {"cores": None if executor is None else 1, **given}
    return read_fit_arguments({**usual, **with_cores, "progressbar": False, "others": others})


def _tried(work: SegmentWork, split: Segmentation) -> tuple[list[Any], NutsliteError | None]:
    """Columns that fits need, and the error of the largest segment, if only its data are to blame for it.

    Raises
    ------
    NutsliteError
        Where something is wrong with the call: in the formula, the family, the priors, or another argument. That is
        where none of the largest segments has a model, and not for want of data alone.
    """
    first: NutsliteError | None = None
    for place in (-split.sizes).argsort(kind="stable")[:TRIED].tolist():
        try:
            with heard():
                model = Model(data=split.rows(place), **work.arguments)
        except DataError as error:
            return list(split.frame.columns), error
        except NutsliteError as error:  # a spline of a constant, for example: its data may be to blame, too
            first = first or error
        else:
            return list(specification_of(model).used.columns), None
    raise first or DataError("There are no segments.")


def _fitted(
    work: SegmentWork,
    split: Segmentation,
    frame: pd.DataFrame,
    entropy: Any,
    executor: Executor | None,
    shows: bool,
) -> list[Segment]:
    """All segments' fits, in order; those that are there where Ctrl-C ends it."""
    count = len(split.labels)
    workers = None if executor is None else workers_of(executor)
    together = 1 if executor is None else max(1, min(MOST_TOGETHER, -(-count // (SHARES * (workers or MOST_TOGETHER)))))
    seeds = [seed_of(entropy, label) for label in split.labels]
    ends = split.sizes.cumsum()

    def tasks(several: int, places: Sequence[int]) -> list[tuple[Any, ...]]:
        """Calls of `fit_segments` for these places, which follow each other, so many at once."""
        parts = [places[first : first + several] for first in range(0, len(places), several)]
        return [
            (
                work,
                frame.iloc[int(ends[part[0]] - split.sizes[part[0]]) : int(ends[part[-1]])],
                split.sizes[part[0] : part[-1] + 1].tolist(),
                split.labels[part[0] : part[-1] + 1],
                seeds[part[0] : part[-1] + 1],
            )
            for part in parts
        ]

    found: list[Segment] = []
    again: list[int] = []

    def lost(place: int, error: SamplingError) -> list[Segment]:
        """Stands for segments on which a worker has ended twice: one of them has ended it, which one is seen next."""
        if work.stops:
            raise error
        first = place * together
        if together == 1:
            return [Segment(int(split.sizes[first]), None, 0.0, error=str(error))]
        sizes = split.sizes[first : first + together].tolist()
        again.extend(range(first, first + len(sizes)))
        return [Segment(size, None, 0.0, error=str(error)) for size in sizes]

    with counting_bar(count, "fit", shows) as move:
        try:
            for segments in run_on(executor, fit_segments, tasks(together, range(count)), lost):
                found += segments
                move(len(segments), "")
            single = [tasks(1, [place])[0] for place in again]
            lost_alone = _lost_alone(split, again)
            for place, segments in zip(again, run_on(executor, fit_segments, single, lost_alone), strict=True):
                found[place] = segments[0]
        except KeyboardInterrupt:
            if not found:
                raise
            log.warning("Interrupted: kept the fits of %d of %d segments.", len(found), count)
            found += [Segment(int(size), None, 0.0, error="Interrupted.") for size in split.sizes[len(found) :]]
    return found


def _lost_alone(split: Segmentation, places: Sequence[int]) -> Any:
    """What stands for a segment that ends workers by itself."""

    def lost(place: int, error: SamplingError) -> list[Segment]:
        return [Segment(int(split.sizes[places[place]]), None, 0.0, error=str(error))]

    return lost


def _say(fits: SegmentFits) -> None:
    """One line about all that could not be fitted, and one about concerns."""
    failed, concerns = fits.failed, fits.segments.loc[fits.segments["concern"] != "", "concern"]
    for which, said in ((failed, "could not be fitted (fits.failed)"), (concerns, "have a concern (fits.segments)")):
        if len(which):
            log.warning(
                "%d of %d segments %s. The first, %s: %s", len(which), len(fits), said, which.index[0], which.iloc[0]
            )


def _check_probability(hdi_prob: Any) -> None:
    from numbers import Real

    if isinstance(hdi_prob, bool) or not isinstance(hdi_prob, Real) or not 0.0 < float(hdi_prob) < 1.0:
        kind = ArgumentError if isinstance(hdi_prob, Real) and not isinstance(hdi_prob, bool) else ArgumentTypeError
        raise kind(f"hdi_prob is a probability between 0 and 1, not {hdi_prob!r}.")
