"""Priors of single coefficients of a term with several columns: ``{"g[b]": Prior(...)}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nutslite.exceptions import PriorError
from nutslite.formula.records import CommonTerm, GroupTerm
from nutslite.priors.prior import Prior, resolve


@dataclass(frozen=True)
class ColumnPriors:
    """Priors of a common term's columns that are not one distribution.

    Attributes
    ----------
    labels : tuple of str
        One coordinate per column.
    priors : tuple of Prior
        In the same order; their arguments are numbers.
    """

    labels: tuple[str, ...]
    priors: tuple[Prior, ...]
    noncentered: None = None  # common terms have no centring

    @property
    def hierarchical(self) -> bool:
        """Whether there are hyperpriors: never."""
        return False

    @property
    def name(self) -> str:
        """The names of the distributions, one after the other."""
        return ", ".join(dict.fromkeys(prior.name for prior in self.priors))

    @property
    def args(self) -> dict[str, Any]:
        """None that hold for all columns, and no hyperpriors."""
        return {}

    def __str__(self) -> str:
        return ", ".join(f"[{label}] {prior}" for label, prior in zip(self.labels, self.priors, strict=True))

    __repr__ = __str__


@dataclass(frozen=True)
class LevelPriors:
    """Priors of a common term, or of an intercept, that are others for each level of the response.

    Attributes
    ----------
    labels : tuple of str
        The levels that have linear predictors.
    priors : tuple of Prior or ColumnPriors
        In the same order; their arguments are numbers.
    """

    labels: tuple[str, ...]
    priors: tuple[Prior | ColumnPriors, ...]
    noncentered: None = None

    @property
    def hierarchical(self) -> bool:
        """Whether there are hyperpriors: never."""
        return False

    @property
    def name(self) -> str:
        """The names of the distributions, one after the other."""
        return ", ".join(dict.fromkeys(prior.name for prior in self.priors))

    @property
    def args(self) -> dict[str, Any]:
        """None that hold for all levels, and no hyperpriors."""
        return {}

    def __str__(self) -> str:
        return "; ".join(f"{label}: {prior}" for label, prior in zip(self.labels, self.priors, strict=True))

    __repr__ = __str__


def of_level(prior: Prior | ColumnPriors | LevelPriors, place: int) -> Prior | ColumnPriors:
    """The prior in the linear predictor of one level of the response."""
    return prior.priors[place] if isinstance(prior, LevelPriors) else prior


def coefficient_names(term: CommonTerm | GroupTerm) -> dict[str, int]:
    """Names of a term's single coefficients, with their columns; none for a term of one scalar column.

    A common term has ``g[b]``, as in the results (Patsy's ``g[T.b]`` is understood), and interactions have ``x:g[b]``,
    or ``g[b]:h[u]`` beside ``g:h[b, u]``; the columns of ``g|uid`` are ``g[b]|uid`` or ``g|uid[b]``.
    """
    if term.scalar:
        return {}
    names: dict[str, int] = {}
    for column, label in enumerate(term.labels):
        if isinstance(term, GroupTerm):
            names[f"{term.expression}[{label}]|{term.factor}"] = column
        else:
            names |= dict.fromkeys(_spelled_out(term, label), column)
        names[f"{term.name}[{label}]"] = column
    return names


def _spelled_out(term: CommonTerm, label: str) -> list[str]:
    """``g[b]:h[u]`` for the label "b, u" of ``g:h``, where each factor has one part of the label; ``g[T.b]``."""
    factors, parts = term.name.split(":"), label.split(", ")
    if len(factors) != len(parts):
        return []
    if len(factors) == 1:
        return [f"{term.name}[T.{label}]"] if term.kind == "categorical" else []
    return [":".join(f"{factor}[{part}]" for factor, part in zip(factors, parts, strict=True))]


def overlay(
    name: str, labels: tuple[str, ...], whole: Prior | None, columns: Mapping[int, Prior], *, grouped: bool
) -> Prior | ColumnPriors:
    """The prior of a term, with the priors of some of its columns in place.

    Parameters
    ----------
    name : str
        The term's, for messages.
    labels : tuple of str
        One per column of the term.
    whole : Prior or None
        Of all columns; its arguments are numbers, arrays of one number per column, or further priors. None where
        `columns` has them all.
    columns : mapping of int to Prior
        By column; these arguments hold single numbers.
    grouped : bool
        Whether the term is group-specific, whose columns must have one distribution.

    Raises
    ------
    PriorError
        Where a group-specific term would have columns of different distributions, and where a common one has
        hyperpriors.
    """
    given = [*columns.values(), *([] if whole is None else [whole])]
    whole_terms = [prior.density.name for prior in given if prior.density.support == "coefficients"]
    if whole_terms:
        raise PriorError(
            f"priors: {whole_terms[0]} is of all coefficients of '{name}'; none of them can have one of its own."
        )
    every = [columns[c] if whole is None or c in columns else _column(whole, c) for c in range(len(labels))]
    if not grouped and any(prior.hierarchical for prior in every):
        raise PriorError(
            f"The prior of '{name}' has hyperpriors, which are about all its coefficients: a single one can have no "
            "prior of its own beside them."
        )
    together = _together(every)
    if together is not None:
        return together
    if grouped:
        listed = "; ".join(f"[{label}] {prior}" for label, prior in zip(labels, every, strict=True))
        raise PriorError(
            f"The columns of the group-specific term '{name}' must have the same distribution, with hyperpriors in the "
            f"same places; they may differ in numbers. Given: {listed}."
        )
    return ColumnPriors(labels, tuple(every))


def _column(prior: Prior, column: int) -> Prior:
    """The prior of one column."""
    picked = {key: _pick(value, column) for key, value in prior.args.items()}
    return Prior(prior.name, auto_scale=prior.auto_scale, noncentered=prior.noncentered, **picked)


def _pick(value: Any, column: int) -> Any:
    if isinstance(value, Prior):
        return _column(value, column)
    return value[column] if isinstance(value, np.ndarray) and value.size > 1 else value


def _together(priors: Sequence[Prior]) -> Prior | None:
    """One prior whose arguments hold the numbers of all columns, or None where they are not one distribution."""
    first = priors[0]
    if any(other.density.code != first.density.code for other in priors):
        return None
    if len({prior.noncentered for prior in priors}) > 1:
        return None
    arguments: dict[str, Any] = {}
    resolved = [resolve(prior).arguments for prior in priors]
    for place, argument in enumerate(first.density.argument_names):
        values = [each[place] for each in resolved]
        nested = [isinstance(value, Prior) for value in values]
        if all(nested):
            merged = _together([value for value in values if isinstance(value, Prior)])
            if merged is None:
                return None
            arguments[argument] = merged
        elif any(nested):
            return None
        else:
            arguments[argument] = np.array([float(np.asarray(value).item()) for value in values])
    return Prior(first.name, noncentered=first.noncentered, **arguments)
