"""From terms to columns: full- or reduced-rank coding of categoricals, the columns' labels, their values.

Which categorical gets all its levels and which all but one is Patsy's algorithm (`patsy.redundancy`): a column is left
out exactly when lower-order terms already span it. Order and labels are Bambi's: terms as written, the first
factor of an interaction varying slowest. A column of indicators is compared out of level codes when it is
filled; there is never a (levels x levels) matrix for treatment coding, nor a second (rows x columns) one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from patsy import PatsyError, Treatment
from patsy.contrasts import code_contrast_matrix
from patsy.redundancy import pick_contrasts_for_term

from nutslite.exceptions import DataError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.data import LARGEST
from nutslite.formula.columns.lent import lent
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.columns.tables import EXACT
from nutslite.formula.evaluation.sizes import check_columns, check_interaction
from nutslite.formula.factors import Factor, FactorValues
from nutslite.formula.language.algebra import Term
from nutslite.formula.records import ColumnKind, FloatArray

_MOST_LEVELS = 2000  # of a factor whose contrast is a matrix
_ROUNDING = 1e-12  # columns that vary by less are constant but for rounding


@dataclass(frozen=True)
class Piece:
    """One factor's share in one column.

    Attributes
    ----------
    factor : str
        The factor's name.
    column : int
        Column of a numeric factor; the level whose rows are 1 for a categorical in treatment coding.
    weights : ndarray, shape (levels,), or None
        Value per level for every other contrast.
    label : str
        Its share of the column's label; empty for a numeric factor with one column.
    """

    factor: str
    column: int
    label: str
    weights: FloatArray | None = None


@dataclass(frozen=True)
class TermPlan:
    """How to fill the columns of one term on any data."""

    name: str
    columns: tuple[tuple[Piece, ...], ...]
    labels: tuple[str, ...]
    scalar: bool
    kind: ColumnKind


@dataclass(frozen=True)
class _PatsyTerm:
    """The part of Patsy's Term that its redundancy algorithm reads."""

    factors: tuple[str, ...]


def plan_terms(terms: Sequence[Term], intercept: bool, factors: Mapping[str, Factor], rows: int) -> list[TermPlan]:
    """Decide the columns of every term; they are counted before they are made.

    Parameters
    ----------
    terms : sequence of Term
        In the order of the formula, without the intercept.
    intercept : bool
        Whether a column of ones is there as well.
    factors : mapping
        Name -> `Factor`.
    rows : int
        Of the data.

    Raises
    ------
    DataError
        Where there would be too many columns.
    """
    named = {term.name: term for term in terms}
    for term in terms:
        levels = [len(factors[name].levels) for name in term.names if not factors[name].numeric]
        check_interaction(term.name, levels, rows, _instead(term, factors))
    codings = _codings(terms, intercept, factors)
    counts = [_count(term, coding, factors) for term, coding in zip(terms, codings, strict=True)]
    check_columns(dict(zip(named, counts, strict=True)), rows, lambda name: _instead(named[name], factors))
    return [_plan(term, coding, factors) for term, coding in zip(terms, codings, strict=True)]


def _codings(terms: Sequence[Term], intercept: bool, factors: Mapping[str, Factor]) -> list[list[dict[str, bool]]]:
    """Per term, its runs of columns: categorical factor -> whether it keeps all its levels.

    Terms compete for the same space only when their numeric factors are the same, and lower orders go first.
    """
    numeric = {name for name, factor in factors.items() if factor.numeric}
    used: dict[frozenset[str], set[Any]] = {}
    if intercept:
        pick_contrasts_for_term(_PatsyTerm(()), numeric, used.setdefault(frozenset(), set()))
    codings: list[list[dict[str, bool]]] = [[] for _ in terms]
    for position in sorted(range(len(terms)), key=lambda i: len(terms[i].factors)):
        names = terms[position].names
        bucket = frozenset(name for name in names if name in numeric)
        seen = used.setdefault(bucket, set())
        codings[position] = pick_contrasts_for_term(_PatsyTerm(names), numeric, seen)
    return codings


def _instead(term: Term, factors: Mapping[str, Factor]) -> str:
    """What serves where a term has too many columns."""
    group = ":".join(name for name in term.names if not factors[name].numeric)
    slopes = ":".join(name for name in term.names if factors[name].numeric)
    if not group or any(factors[name].columns > 1 for name in term.names):
        return "Ask for fewer columns (df=, degree=, knots=)."
    bar = f"(0 + {slopes}|{group})" if slopes else f"(1|{group})"
    return f"For effects of many levels write {bar}, which has those that occur in the data and needs no columns."


def _count(term: Term, coding: list[dict[str, bool]], factors: Mapping[str, Factor]) -> int:
    """Number of columns that `_plan` will make."""
    numeric = prod(factors[name].columns for name in term.names if factors[name].numeric)
    runs = (prod(len(factors[name].levels) - (not full) for name, full in run.items()) for run in coding)
    return numeric * sum(runs)


def _plan(term: Term, coding: list[dict[str, bool]], factors: Mapping[str, Factor]) -> TermPlan:
    columns: list[tuple[Piece, ...]] = []
    for run in coding:
        # numeric factors take part in every run, categorical ones only where they are listed
        parts = [
            _pieces(factors[name], run.get(name, False)) for name in term.names if factors[name].numeric or name in run
        ]
        columns += list(itertools.product(*parts))
    kinds = [factors[name].numeric for name in term.names]
    kind: ColumnKind = "categorical" if not any(kinds) else "numeric" if len(kinds) == 1 else "interaction"
    scalar = all(kinds) and len(columns) == 1
    labels = (term.name,) if scalar else _labels(columns)
    return TermPlan(term.name, tuple(columns), labels, scalar, kind)


def _labels(columns: list[tuple[Piece, ...]]) -> tuple[str, ...]:
    labels = [", ".join(piece.label for piece in column if piece.label) for column in columns]
    if len(set(labels)) < len(labels):  # levels of different factors that read the same
        labels = [", ".join(f"{piece.factor}[{piece.label}]" for piece in column if piece.label) for column in columns]
    return tuple(labels)


def _pieces(factor: Factor, full: bool) -> list[Piece]:
    if factor.numeric:
        labels = [""] if factor.columns == 1 else [str(column) for column in range(factor.columns)]
        return [Piece(factor.name, column, label) for column, label in enumerate(labels)]
    if factor.contrast is None or factor.contrast is Treatment or isinstance(factor.contrast, Treatment):
        left_out = -1 if full else _reference(factor)
        return [
            Piece(factor.name, position, level_name(level))
            for position, level in enumerate(factor.levels)
            if position != left_out
        ]
    return _contrast_pieces(factor, full)


def _reference(factor: Factor) -> int:
    reference = getattr(factor.contrast, "reference", None)
    if reference is None:
        return 0
    known = Categories(np.empty(0, dtype=np.int32), factor.levels)
    whole = isinstance(reference, int) and not isinstance(reference, bool)
    if whole and reference not in factor.levels and -len(factor.levels) <= reference < len(factor.levels):
        place = int(reference) % len(factor.levels)  # Treatment(1): by position, as in Patsy
        if str(reference) in known.names and known.names[place] != str(reference):
            raise DataError(
                f"'{factor.name}': the reference {reference} may be the level '{reference}', or the one in place "
                f"{reference}, '{known.names[place]}', counted from 0; write its name in quotes."
            )
        return place
    return known.position(reference, f"'{factor.name}'")


def _contrast_pieces(factor: Factor, full: bool) -> list[Piece]:
    if len(factor.levels) > _MOST_LEVELS:
        raise DataError(
            f"'{factor.name}' has {len(factor.levels)} levels, and contrasts other than Treatment, which are matrices "
            f"of (levels, levels), are for at most {_MOST_LEVELS}."
        )
    try:
        coded = code_contrast_matrix(full, list(factor.levels), factor.contrast, default=Treatment)
    except (PatsyError, ValueError, TypeError, AttributeError) as error:
        reason = str(error.args[0] if error.args else error).rstrip(".")
        raise DataError(f"'{factor.name}' cannot be coded: {reason}.") from None
    weights = np.asarray(coded.matrix, dtype=np.float64)
    if weights.shape[0] != len(factor.levels):
        raise DataError(f"'{factor.name}': the contrast has {weights.shape[0]} rows for {len(factor.levels)} levels.")
    labels = [_undecorated(suffix) for suffix in coded.column_suffixes]
    return [
        Piece(factor.name, column, label, np.ascontiguousarray(weights[:, column]))
        for column, label in enumerate(labels)
    ]


def _undecorated(suffix: str) -> str:
    """``"[S.a]"`` -> ``"a"``, ``".Linear"`` -> ``"Linear"``."""
    bracketed = re.fullmatch(r"\[(?:[TSHD]\.)?(.*)\]", suffix)
    return bracketed.group(1) if bracketed else suffix.removeprefix(".")


def check_products(plans: Sequence[TermPlan], matrix: FloatArray) -> None:
    """Raise when a product of factors is too large for float64.

    Raises
    ------
    DataError
        Naming the term.
    """
    start = 0
    for plan in plans:
        stop = start + len(plan.columns)
        if plan.kind == "interaction" and not np.all(np.abs(matrix[start:stop]) <= LARGEST):
            raise DataError(f"The product '{plan.name}' is too large in some rows: squares beyond float64; rescale it.")
        start = stop


def fill(plan: TermPlan, values: Mapping[str, FactorValues], out: FloatArray) -> None:
    """Write the columns of one term.

    Parameters
    ----------
    plan : TermPlan
        The term.
    values : mapping
        Factor name -> values of the rows.
    out : ndarray, shape (columns of the term, n)
        Overwritten.
    """
    for row, pieces in zip(out, plan.columns, strict=True):
        row[:] = _piece_values(pieces[0], values)
        with np.errstate(over="ignore", invalid="ignore"):  # `check_products` says it in words
            for piece in pieces[1:]:
                row *= _piece_values(piece, values)


def _piece_values(piece: Piece, values: Mapping[str, FactorValues]) -> NDArray[Any]:
    own = values[piece.factor]
    if own.ndim == 2:
        column: NDArray[Any] = own[piece.column]
        return column
    if piece.weights is not None:
        return piece.weights[own]
    indicator: NDArray[Any] = own == piece.column
    return indicator


def matrix_of_terms(
    plans: Sequence[TermPlan], values: Mapping[str, FactorValues], rows: int, owners: Collection[int] = ()
) -> FloatArray:
    """All columns of `plans`, one per row of the result, shape (columns, n).

    Columns of the data, whose `owners` are these, that follow one another there are lent, and read-only.
    """
    pieces = [column for plan in plans for column in plan.columns]
    if owners and all(len(own) == 1 and values[own[0].factor].ndim == 2 for own in pieces):
        found = lent([values[own[0].factor][own[0].column] for own in pieces], owners)
        if found is not None:
            return found
    matrix = np.empty((sum(len(plan.columns) for plan in plans), rows))
    start = 0
    for plan in plans:
        stop = start + len(plan.columns)
        fill(plan, values, matrix[start:stop])
        start = stop
    return matrix


def check_not_constant(plans: Sequence[TermPlan], matrix: FloatArray, intercept: bool) -> None:
    """Raise when a numeric term repeats the intercept (or is zero everywhere), so that the data say nothing about it.

    Raises
    ------
    DataError
        Naming the term. Columns of interactions with a categorical are let pass: an empty cell is no slip of the
        formula, and the coefficient's prior keeps it proper.
    """
    start = 0
    for plan in plans:
        stop = start + len(plan.columns)
        if plan.kind == "numeric" or plan.scalar:
            lowest, highest = matrix[start:stop].min(axis=1), matrix[start:stop].max(axis=1)
            size = np.maximum(np.abs(lowest), np.abs(highest))
            alike = (highest - lowest <= _ROUNDING * size) & (intercept | (size == 0.0))
            if alike.any():
                column = int(np.argmax(alike))
                ends = float(lowest[column]), float(highest[column])
                raise DataError(_why_constant(plan, column, *ends, matrix.shape[1], intercept))
        start = stop


def _why_constant(plan: TermPlan, column: int, lowest: float, highest: float, rows: int, intercept: bool) -> str:
    beside = "it says nothing beside the intercept" if intercept else "it adds nothing"
    if lowest < highest:
        return (
            f"The term '{plan.name}' is constant but for its last digits: its values, from {lowest!r} to {highest!r}, "
            "are too close together to be told from an intercept in float64. Write "
            f"center({plan.name}) if their differences mean something; remove it if not."
        )
    if plan.scalar and abs(lowest) >= EXACT:
        return (
            f"The term '{plan.name}' is constant in float64, where all its values are {lowest!r}, so {beside}. Write "
            f"I({plan.name} - {int(lowest)}) if their differences mean something; remove it if not."
        )
    if plan.scalar:
        where = f"all {rows} rows" if rows > 1 else "the only row"
        return f"The term '{plan.name}' is constant! It has one value in {where}, so {beside}; remove it."
    return (
        f"Column {plan.labels[column]} of '{plan.name}' is {lowest:g} in all rows, so {beside}: no data are where it "
        "would tell. Ask for fewer columns (df=, degree=, knots=)."
    )
