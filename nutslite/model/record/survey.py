"""Data on an engine become a design that stands for them: passes over the rows, and what is refused before these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite.engines.elsewhere import Elsewhere, OnBlock
from nutslite.engines.first_pass import FirstPass, Reading, first_pass
from nutslite.engines.learning import Asked, calls_that_learn, learn, unknown_call
from nutslite.engines.moments import Moments
from nutslite.engines.numbers import numbers_of, with_means
from nutslite.engines.second_pass import SecondPass, Wanted, second_pass, summary_of
from nutslite.engines.sources.source import HEAD_ROWS, Source
from nutslite.exceptions import DataError, FormulaError
from nutslite.families.record.family import Family
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.data import columns_of, select
from nutslite.formula.design import Design, build_design
from nutslite.formula.formula import Formula
from nutslite.formula.language.expression import Expression
from nutslite.formula.reading import FormulaRead, read_formula
from nutslite.model.record.specification import ModelArguments
from nutslite.priors.defaults import SCALED_BY_RESPONSE

SAMPLED = 100_000  # rows in memory that a search for the mode begins with
LIMITS = {"censored", "truncated", "constrained"}
IN_MEMORY = "fit it to a part of the rows that fits into memory"


class Surveyed(NamedTuple):
    """What stands for the data.

    Attributes
    ----------
    frame : DataFrame
        Rows that have all levels.
    design : Design
        That densities are of: equal to that of all rows where these are not read again.
    elsewhere : Elsewhere
    """

    frame: pd.DataFrame
    design: Design
    elsewhere: Elsewhere


def survey(
    source: Source, data: Any, formula: Formula, family: Family, links: Mapping[str, str], arguments: ModelArguments
) -> Surveyed:
    """Read the data once or twice.

    Raises
    ------
    DataError, FormulaError, FamilyError
        For what a model has that data on an engine cannot serve, each with a remedy; otherwise as `build_design`.
    """
    cores = available_cpus()
    head = source.head(HEAD_ROWS)
    parameters = tuple(parameter.name for parameter in (*family.parameters, *family.optional))
    read = read_formula(formula, head, parameters, arguments.categorical, arguments.extra_namespace)
    calls = calls_that_learn(read.expressions, read.extra)
    _refuse(read, calls, family, arguments)
    head = select(head, read.used_columns)
    reading = Reading(tuple(read.used_columns), _levels(read, head, family), arguments.dropna)
    first = first_pass(source, reading, head, cores)
    memory = learn(source, reading, calls, Asked(read.extra, read.categorical), cores)
    learned = build_design(
        formula,
        first.rows,
        parameters=parameters,
        without_intercept=family.without_intercept,
        categorical=arguments.categorical,
        extra_namespace=arguments.extra_namespace,
        check=False,
        memory=memory,
    )
    found = _Survey(source, data, reading, first, learned, family, links, cores)
    surveyed = found.merged() if first.counts is not None else found.moments(reading.complete(head)[0])
    surveyed.elsewhere.summary.check_columns()
    if surveyed.elsewhere.n_dropped:
        dropped = surveyed.elsewhere.n_dropped
        log.info("Automatically removing %d/%d rows.", dropped, dropped + surveyed.elsewhere.n_rows)
    return surveyed


class _Survey:
    """What stands for the data, by one of three ways."""

    def __init__(
        self,
        source: Source,
        data: Any,
        reading: Reading,
        first: FirstPass,
        learned: Design,
        family: Family,
        links: Mapping[str, str],
        cores: int,
    ) -> None:
        self.source, self.data, self.reading, self.first = source, data, reading, first
        self.learned, self.family, self.links, self.cores = learned, family, links, cores
        self.response = family.kind in SCALED_BY_RESPONSE or family.quantile is not None

    def merged(self) -> Surveyed:
        """The different rows, which count as often as they occur."""
        counts = self.first.counts
        if counts is None:
            raise AssertionError("rows were merged")
        numbers = numbers_of(self.learned, self.response)
        moments = Moments.of(numbers, counts)
        summary = _centred(summary_of(self.learned, moments, None, self.response))
        weights = counts if self.learned.weights is None else counts * self.learned.weights
        design = with_means(replace(self.learned, weights=weights), summary)
        n = int(counts.sum())
        sentences = (
            f"{n:,} rows of {self.source.title} are {len(counts):,} different ones, which count with weights; the data "
            "are not read again.",
        )
        return self._surveyed(n, self.first.dropped or 0, summary, design, sentences)

    def moments(self, head: pd.DataFrame) -> Surveyed:
        """Rows with the same Gaussian likelihood, or none but a summary, where densities read the data."""
        squashed = self._is_gaussian()
        if not squashed:
            self._refuse_streaming()
        head = head if len(head) else self.first.rows
        share = 0.0 if squashed else min(1.0, SAMPLED / max(1, self.source.count()))
        wanted = Wanted(self.response, squashed, share)
        second = second_pass(self.source, self.reading, self.learned, head, self.family, wanted, self.cores)
        summary = _centred(summary_of(self.learned, second.all, second.line, self.response))
        n = second.all.rows
        if squashed:
            design = second.equivalent(summary)
            return self._surveyed(n, second.dropped, summary, design, (self._squashed(n, design),))
        sample = self._sample(second, summary)
        sentences = (
            f"{n:,} rows of {self.source.title} are read in passes, each of which evaluates many positions; a search "
            f"for the mode begins with {sample.n_rows:,} of them.",
        )
        return self._surveyed(n, second.dropped, summary, summary, sentences, sample)

    def _squashed(self, n: int, design: Design) -> str:
        cells = "" if not design.factors else " of each combination of groups"
        return (
            f"{n:,} rows of {self.source.title} were reduced to means and cross-products{cells}, on which alone a "
            f"Gaussian likelihood depends: {design.n_rows:,} rows with weights have the same, and stand for them. The "
            "data are not read again."
        )

    def _surveyed(
        self,
        n: int,
        dropped: int,
        summary: Design,
        design: Design,
        sentences: tuple[str, ...],
        sample: Design | None = None,
    ) -> Surveyed:
        elsewhere = Elsewhere(
            self.source, self.data, self.reading, n, dropped, summary, sample is not None, sample, sentences
        )
        return Surveyed(self.first.rows, design, elsewhere)

    def _sample(self, second: SecondPass, summary: Design) -> Design:
        """Rows drawn at random, whose weights sum to the number of all."""
        means = {name: predictor.means for name, predictor in summary.predictors.items()}
        frame = second.sample if len(second.sample) else self.first.rows
        sample = OnBlock(self.learned, self.reading, means, lambda design: design).design(frame)
        each = second.all.rows / sample.n_rows
        weights = np.full(sample.n_rows, each) if sample.weights is None else each * sample.weights
        return replace(sample, weights=weights)

    def _is_gaussian(self) -> bool:
        """Whether cross-products are all that the likelihood asks of the data."""
        parent = self.family.parent.name
        factors = self.learned.factors.values()
        special = any(own.takes_columns or own.inside is not None or own.sds is not None for own in factors)
        return (
            self.family.kind == "gaussian"
            and self.links[parent] == "identity"
            and list(self.learned.predictors) == [parent]
            and not self.learned.response.companions
            and not special
        )

    def _refuse_streaming(self) -> None:
        if not self.learned.factors:
            return
        raise FormulaError(
            f"Group effects of the family '{self.family.name}' need the rows in memory, and these are "
            f"{self.source.title} whose rows hardly repeat. Write C(g) for a few groups, round the predictors so that "
            f"rows repeat, or {IN_MEMORY}."
        )


def _centred(summary: Design) -> Design:
    return with_means(summary, summary)


def _levels(read: FormulaRead, head: pd.DataFrame, family: Family) -> tuple[str, ...]:
    """Columns of which all levels have to be known: texts, categories, grouping factors, categories of a response."""
    found = columns_of(head, read.categorical)
    named = set(read.level_columns) | {name for name, values in found.items() if isinstance(values, Categories)}
    if family.bind is not None:
        named |= set(read.response_columns)
    return tuple(name for name in read.used_columns if name in named)


def _refuse(read: FormulaRead, calls: Mapping[str, Expression], family: Family, arguments: ModelArguments) -> None:
    """Refuse what asks of the rows more than passes over them give."""
    what = read.calls[0].name if read.calls else unknown_call(calls, read.extra)
    if what is not None:
        raise FormulaError(
            f"'{what}' learns from all rows at once, and the data are on an engine, where center(), scale(), poly() "
            f"and bs() of columns and functions of one row do. Write one of these, or {IN_MEMORY}."
        )
    if any(set(use.form.names) & LIMITS for use in read.response.forms):
        raise FormulaError(f"Responses with limits are not known for data on an engine: {IN_MEMORY}.")
    if arguments.automatic_priors != "default":
        raise DataError(
            f"automatic_priors='{arguments.automatic_priors}' needs the rows in memory, and the data are on an engine. "
            "Leave it out."
        )
    for parameter in family.parameters:
        if parameter.below_responses:
            raise DataError(
                f"All responses are above '{parameter.name}' of family '{family.name}', which data on an engine do not "
                f"serve: {IN_MEMORY}."
            )
