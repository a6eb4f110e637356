"""Every name that a model's results can hold, in one list: made with the model, checked, read by all who need names.

A model names many things by rules: a prior's argument is called after the coefficient that it belongs to, a dimension
after its term, a coefficient of a further formula after its parameter. Two rules can give one name. Here all of them
meet, so that a clash is found before anything is sampled.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from nutslite.exceptions import DataError
from nutslite.formula.columns.packed import Packed

SAMPLE_DIMS = ("chain", "draw")
OBSERVATIONS = "__obs__"
"""The dimension of what has one value a row."""

ROW_LABELS = "__row__"
"""The coordinate along it that holds the user's own labels of the rows."""

STATUS, UPPER_ENDS = "__status__", "__upper__"
"""Coordinates along it of a censored response: what is known of each row, and ends of intervals."""

_PLURALS = ("coefficients", "effects", "standardised", "columns", "levels", "correlations", "weights")
_SLASH = "\N{DIVISION SLASH}"  # "/" means a path in a DataTree and in netCDF
_SURROGATES = re.compile("[\ud800-\udfff]")


Kind = Literal[
    "reserved", "response", "row parameter", "constant", "intercept", "coefficients", "effects", "hyperparameter",
    "correlations", "standardised effects", "weights", "simplex",
]  # fmt: skip
"""What a quantity is. A row parameter has a value for each row, a constant one for all."""


@dataclass(frozen=True)
class Quantity:
    """Something that results have under a name.

    Attributes
    ----------
    name : str
        ``"x"``, ``"1|g_sigma"``, ``"sigma_Intercept"``, ``"mu"``.
    dims : tuple of str
        Without chain and draw.
    made_by : str
        What it is, in the user's words, as part of a sentence.
    column : str
        The user's own name behind it, of a term, a factor or the response; empty where there is none.
    kind : str
        One of `Kind`.
    parameter : str
        The distributional parameter that it is, or whose linear predictor or prior it belongs to.
    term : str
        The term that it belongs to, as the formula has it: ``"Intercept"``, ``"x"``, ``"1|g"``; of a constant's empty.
    arguments : tuple of str
        Of a hyperparameter, which argument of the prior it is; of the prior of a hyperparameter, one more:
        ``("sigma",)``, ``("sigma", "sigma")``. Of a term of a special kind the term's own name for it.
    governs : str
        Of a hyperparameter, the quantity whose distribution it is an argument of.
    of : str
        Of hyperparameters and standardised effects, the quantity after which they are called, whose alias they follow:
        ``"1|g"`` for ``"1|g_sigma"``.
    is_group_scale : bool
        Whether it is the sd, or another scale, of the effects of groups.
    prior : Prior, ColumnPriors or None
        Of what has one of its own.
    members : tuple of str
        Of correlations, the names of the effects that they are of; of what coefficients share, their names.
    unconstrained : str
        What the number is called that the sampler moves; empty of what is not sampled.
    """

    name: str
    dims: tuple[str, ...]
    made_by: str
    column: str = ""
    kind: Kind = "reserved"
    parameter: str = ""
    term: str = ""
    arguments: tuple[str, ...] = ()
    governs: str = ""
    of: str = ""
    is_group_scale: bool = False
    prior: Any = field(default=None, compare=False)
    members: tuple[str, ...] = ()
    unconstrained: str = ""


@dataclass(frozen=True)
class Dimension:
    """A dimension of results beside chain, draw and rows: its labels, and what it is in the user's words."""

    name: str
    labels: Sequence[Any]
    made_by: str
    column: str


@dataclass(frozen=True)
class Inventory:
    """All quantities and dimensions of a model, each with a name of its own.

    Attributes
    ----------
    quantities : tuple of Quantity
        The response, what is drawn, parameters that vary by row, and standardised effects.
    dimensions : tuple of Dimension
    """

    quantities: tuple[Quantity, ...]
    dimensions: tuple[Dimension, ...]

    @cached_property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Dimensions of every quantity, without chain and draw."""
        return {quantity.name: quantity.dims for quantity in self.quantities}

    @cached_property
    def coords(self) -> dict[str, Sequence[Any]]:
        """Labels along every dimension that has any."""
        labels = {dimension.name: dimension.labels for dimension in self.dimensions}
        return {name: own if isinstance(own, Packed) else list(own) for name, own in labels.items()}

    @cached_property
    def dim_names(self) -> frozenset[str]:
        """Names of all dimensions, which no quantity may have."""
        return frozenset((*SAMPLE_DIMS, OBSERVATIONS, *self.coords))

    @cached_property
    def by_name(self) -> dict[str, Quantity]:
        """All quantities."""
        return {quantity.name: quantity for quantity in self.quantities}

    @cached_property
    def _by_meaning(self) -> dict[tuple[str, str, tuple[str, ...]], str]:
        named = (
            "constant", "row parameter", "intercept", "coefficients", "effects", "hyperparameter", "weights", "simplex"
        )  # fmt: skip
        return {(q.parameter, q.term, q.arguments): q.name for q in self.quantities if q.kind in named}

    def name_of(self, parameter: str, term: str = "", *arguments: str) -> str:
        """What results call a parameter, a term of it, or an argument of the prior of either.

        Raises
        ------
        KeyError
            If the model has no such thing.
        """
        return self._by_meaning[parameter, term, arguments]

    def argument_of(self, name: str, argument: str) -> str:
        """What results call an argument of a quantity's prior."""
        of = self.by_name[name]
        return self.name_of(of.parameter, of.term, *of.arguments, argument)

    def correlations_of(self, members: tuple[str, ...]) -> str:
        """What results call the correlations of these effects."""
        return next(quantity.name for quantity in self.of_kind("correlations") if quantity.members == members)

    def of_kind(self, *kinds: Kind) -> list[Quantity]:
        """Quantities of these kinds, in order."""
        return [quantity for quantity in self.quantities if quantity.kind in kinds]

    def followers(self) -> dict[str, list[str]]:
        """By quantity, those that are called after it."""
        out: dict[str, list[str]] = {}
        for quantity in self.quantities:
            if quantity.of:
                out.setdefault(quantity.of, []).append(quantity.name)
        return out


def stored_name(name: str) -> str:
    """The name under which a variable or dimension is stored."""
    return name.replace("/", _SLASH)


def why_not_storable(text: str) -> str | None:
    """What in a text no netCDF file can hold, in words; None where all is well.

    >>> why_not_storable("a" + chr(0))
    'a zero character'
    """
    if "\0" in text:
        return "a zero character"
    if not text.isascii() and _SURROGATES.search(text):
        return "half of a surrogate pair, which is no character"
    return None


def check_names(*items: Iterable[Quantity | Dimension]) -> None:
    """Refuse one name for two things; names that differ by the kind of slash are one in a file."""
    taken: dict[str, Quantity | Dimension] = {}
    for item in itertools.chain(*items):
        key = stored_name(item.name)
        if key in taken:
            raise DataError(two_things(taken[key], item))
        taken[key] = item


def check_unconstrained(quantities: Iterable[Quantity]) -> None:
    """Refuse that the number sampled for one thing is called like another thing."""
    named = {quantity.name: quantity for quantity in quantities}
    for quantity in quantities:
        other = named.get(quantity.unconstrained, quantity)
        if other.name != quantity.name and (other.parameter, other.term) != (quantity.parameter, quantity.term):
            own = f"the number that is sampled for {quantity.made_by}"
            raise DataError(two_things(other, replace(quantity, name=quantity.unconstrained, made_by=own, column="")))


def two_things(one: Quantity | Dimension, other: Quantity | Dimension) -> str:
    """That two things would have one name, and what to do."""
    if not other.column and one.column:  # what the user has named comes first
        one, other = other, one
    named = [item.column for item in (other, one) if item.column]
    plain = [column for column in named if not column.endswith(")")] or named  # a call has no name in the data
    columns = " or ".join(dict.fromkeys(f"'{column}'" for column in plain))
    remedy = f"Rename the column {columns} in the data and the formula." if columns else "Give other priors."
    if other.column.isidentifier() and "coefficients" in other.made_by:
        remedy = f"Rename the column, or write I({other.column})."
    slash = "" if one.name == other.name else f" but for the kind of slash ('{one.name}')"
    verb = "are" if _plural(one) else "is"
    return (
        f"{_capital(other.made_by)} would be called '{other.name}' in the results, as {verb} {one.made_by}{slash}. "
        f"{remedy}"
    )


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _plural(item: Quantity | Dimension) -> bool:
    return item.made_by.split()[1] in _PLURALS


def check_texts(quantities: Iterable[Quantity], dimensions: Iterable[Dimension]) -> None:
    """Refuse names and levels that no file of results can hold, while there is nothing to lose."""
    for item in itertools.chain[Quantity | Dimension](quantities, dimensions):
        if (reason := why_not_storable(item.name)) or item.name in (".", ".."):
            raise DataError(
                f"{_capital(item.made_by)} would be called {item.name!r} in the results, and no file can hold "
                f"{reason or 'that name'}. Rename the column."
            )
    for dimension in dimensions:
        for label in _suspects(dimension.labels):
            raise DataError(
                f"{_capital(dimension.made_by)}: {label!r} has {why_not_storable(label)}, and no file can hold that. "
                f"Replace it in the data before the model is made."
            )


def _suspects(labels: Iterable[Any]) -> Iterator[str]:
    """Labels that cannot be stored; all are looked at as one text first, because there may be very many."""
    texts = [label for label in labels if isinstance(label, str)]
    if why_not_storable("".join(texts)):
        yield from (text for text in texts if why_not_storable(text))
