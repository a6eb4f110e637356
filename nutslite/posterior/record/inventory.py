"""Every name that a model's results can hold, in one list: made with the model, checked, read by all who need names.

A model names many things by rules: a prior's argument is called after the coefficient that it belongs to, a dimension
after its term, a coefficient of a further formula after its parameter. Two rules can give one name. Here all of them
meet, so that a clash is found before anything is sampled.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nutslite.exceptions import DataError
from nutslite.formula.correlated import EffectGroup, correlated_effects
from nutslite.formula.terms import CommonTerm, GroupTerm, LinearPredictor
from nutslite.priors.prior import Prior, resolve

if TYPE_CHECKING:  # who only wants names need not load Numba
    from nutslite.posterior.record.model_spec import ModelSpec

SAMPLE_DIMS = ("chain", "draw")
OBSERVATIONS = "__obs__"
"""The dimension of what has one value a row."""

ROW_LABELS = "__row__"
"""The coordinate along it that holds the user's own labels of the rows."""

_SLASH = "\N{DIVISION SLASH}"  # "/" means a path in a DataTree and in netCDF
_SURROGATES = re.compile("[\ud800-\udfff]")


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
    of : str or None
        The quantity after which it is called, whose alias it follows: ``"1|g"`` for ``"1|g_sigma"``.
    """

    name: str
    dims: tuple[str, ...]
    made_by: str
    column: str = ""
    of: str | None = None


@dataclass(frozen=True)
class Dimension:
    """A dimension of results beside chain, draw and rows: its labels, and what it is in the user's words."""

    name: str
    labels: tuple[Any, ...]
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
    def coords(self) -> dict[str, list[Any]]:
        """Labels along every dimension that has any."""
        return {dimension.name: list(dimension.labels) for dimension in self.dimensions}

    @cached_property
    def dim_names(self) -> frozenset[str]:
        """Names of all dimensions, which no quantity may have."""
        return frozenset((*SAMPLE_DIMS, OBSERVATIONS, *self.coords))

    def followers(self) -> dict[str, list[str]]:
        """By quantity, those that are called after it."""
        out: dict[str, list[str]] = {}
        for quantity in self.quantities:
            if quantity.of is not None:
                out.setdefault(quantity.of, []).append(quantity.name)
        return out


def take_inventory(spec: ModelSpec) -> Inventory:
    """List what the results of a model hold.

    Raises
    ------
    DataError
        If two things would have one name, or a name or a level is a text that no file can hold.
    """
    taker = _Taker(spec)
    taker.run()
    _check_texts(taker.quantities, taker.dimensions.values())
    _check_names(taker.reserved, taker.dimensions.values(), taker.quantities)
    return Inventory(tuple(taker.quantities), tuple(taker.dimensions.values()))


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


class _Taker:
    """One pass over the parameters of the family."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.quantities: list[Quantity] = []
        self.reserved = [
            Quantity(name, (), f"the dimension '{name}', which all results have")
            for name in (*SAMPLE_DIMS, OBSERVATIONS)
        ]
        self.reserved.append(Quantity(ROW_LABELS, (), "the row labels, which all results have"))
        self.dimensions: dict[str, Dimension] = {}
        self.along: tuple[str, ...] = ()  # the first dimension of everything in a vector's linear predictors

    def run(self) -> None:
        response = self.spec.design.response.name
        self._add(response, (OBSERVATIONS,), "the response", response)
        for parameter in self.spec.family.parameters:
            predictor = self.spec.design.predictors.get(parameter.name)
            own = f"the parameter '{parameter.name}' of the family"
            self.along = self._vector(parameter.dim, parameter.labels, own)
            if predictor is None:
                prior = self.spec.priors.constants[parameter.name]
                if isinstance(prior, Prior):
                    self._add(parameter.name, self.along, own)
                    self._hyperparameters(parameter.name, prior, (), "")
                else:  # a number: not in the results, but nothing else may be called so
                    self.reserved.append(Quantity(parameter.name, (), own))
            else:
                combined = self._vector(*self.spec.family.combined.get(parameter.name, ("", ())), own)
                self._add(parameter.name, (OBSERVATIONS, *combined), own)
                self._predictor(predictor)

    def _vector(self, dim: str, labels: tuple[Any, ...], own: str) -> tuple[str, ...]:
        """The dimension along a vector, as dims; none where it is no vector."""
        return (self._register(Dimension(dim, labels, f"the dimension of {own}", "")),) if dim else ()

    def _add(self, name: str, dims: tuple[str, ...], made_by: str, column: str = "", of: str | None = None) -> None:
        self.quantities.append(Quantity(name, dims, made_by, column, of))

    def _predictor(self, predictor: LinearPredictor) -> None:
        prefix = "" if predictor.parameter == self.spec.family.parent.name else f"{predictor.parameter}_"
        within = f" in the formula of {predictor.parameter}" if prefix else ""
        priors = self.spec.priors.terms[predictor.parameter]
        if predictor.intercept:
            self._add(f"{prefix}Intercept", self.along, f"the intercept{within}")
            self._hyperparameters(f"{prefix}Intercept", priors["Intercept"], (), "")
        for term in predictor.terms:
            dims = (
                () if term.scalar else (self._dim(f"{prefix}{term.name}_dim", term, f"the columns of '{term.name}'"),)
            )
            own = f"the coefficients of the term '{term.name}'{within}"
            self._add(f"{prefix}{term.name}", (*self.along, *dims), own, term.name)
            self._hyperparameters(f"{prefix}{term.name}", priors[term.name], dims, term.name)
        for group_term in predictor.group_terms:
            self._group_term(group_term, prefix, within, priors[group_term.name])
        for group in correlated_effects(self.spec.design.predictors, self.spec.correlations):
            if group.members[-1].parameter == predictor.parameter:
                self._correlations(group, within)

    def _group_term(self, term: GroupTerm, prefix: str, within: str, prior: Prior) -> None:
        name = f"{prefix}{term.name}"
        columns = self._expression_dims(term, prefix)
        factor = f"{term.factor}__factor_dim"
        levels = self.spec.design.factors[term.factor].levels
        self.dimensions.setdefault(factor, Dimension(factor, levels, f"the levels of '{term.factor}'", term.factor))
        dims = (*self.along, *columns, factor)
        self._add(name, dims, f"the effects of '{term.name}'{within}", term.factor)
        self._hyperparameters(name, prior, columns, term.factor)
        if self.spec.noncentered.get(name, True) and _draws_scale(prior):
            self._add(f"{name}_offset", dims, f"the standardised effects of '{term.name}'{within}", term.factor, name)

    def _hyperparameters(
        self, name: str, prior: Any, dims: tuple[str, ...], column: str, of: str | None = None
    ) -> None:
        """What the prior's arguments are called that have priors of their own."""
        if not isinstance(prior, Prior):  # one distribution a column, without hyperpriors
            return
        for key, value in zip(prior.density.argument_names, resolve(prior).arguments, strict=True):
            if isinstance(value, Prior):
                own = f"the {key} of the prior of '{name}'"
                self._add(f"{name}_{key}", (*self.along, *dims), own, column, of or name)
                self._hyperparameters(f"{name}_{key}", value, dims, column, of or name)

    def _correlations(self, group: EffectGroup, within: str) -> None:
        labels = group.labels
        pairs = tuple(f"{labels[c]}, {labels[r]}" for r in range(len(labels)) for c in range(r))
        if len(group.parameters) > 1:
            within = f" in the formulas of {' and '.join(group.parameters)}"
        dim, own = f"{group.name}_dim", f"the correlations of the effects of '{group.factor}'{within}"
        self._register(Dimension(dim, pairs, f"the dimension of {own}", group.factor))
        self._add(group.name, (dim,), own, group.factor)

    def _expression_dims(self, term: GroupTerm, prefix: str) -> tuple[str, ...]:
        """The dimension of a group term's columns, if it has one.

        Terms of one formula share it where they have the same columns. ``(g|s) + (0 + g|u)`` have not: the second
        gets a dimension with its factor in its name.
        """
        if term.scalar:
            return ()
        name = f"{prefix}{term.expression}__expr_dim"
        known = self.dimensions.get(name)
        own = f"the columns of '{term.expression}' for groups"
        if known is not None and known.made_by == own:
            if known.labels == _labels(term):
                return (name,)
            name = f"{prefix}{term.name}__expr_dim"
        return (self._dim(name, term, own),)

    def _dim(self, name: str, term: CommonTerm | GroupTerm, made_by: str) -> str:
        column = term.expression if isinstance(term, GroupTerm) else term.name
        return self._register(Dimension(name, _labels(term), made_by, column))

    def _register(self, dimension: Dimension) -> str:
        known = self.dimensions.setdefault(dimension.name, dimension)
        if known != dimension:
            raise DataError(_two_things(known, dimension))
        return dimension.name


def _labels(term: CommonTerm | GroupTerm) -> tuple[Any, ...]:
    """Labels of a term's columns: numbers for ``bs(x, df=4)``; the levels of a factor are texts, even "2001"."""
    numbered = term.kind == "numeric" and all(label.isdigit() for label in term.labels)
    return tuple(int(label) for label in term.labels) if numbered else term.labels


def _draws_scale(prior: Prior) -> bool:
    """Whether a prior has a location and a scale, and the scale a prior of its own."""
    density = prior.density
    if density.location is None or density.scale is None:
        return False
    return isinstance(resolve(prior).arguments[density.scale], Prior)


def _check_names(*items: Iterable[Quantity | Dimension]) -> None:
    """Refuse one name for two things; names that differ by the kind of slash are one in a file."""
    taken: dict[str, Quantity | Dimension] = {}
    for item in itertools.chain(*items):
        key = stored_name(item.name)
        if key in taken:
            raise DataError(_two_things(taken[key], item))
        taken[key] = item


def _two_things(one: Quantity | Dimension, other: Quantity | Dimension) -> str:
    if not other.column and one.column:  # what the user has named comes first
        one, other = other, one
    columns = " or ".join(dict.fromkeys(f"'{item.column}'" for item in (other, one) if item.column))
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
    return item.made_by.split()[1] in ("coefficients", "effects", "standardised", "columns", "levels", "correlations")


def _check_texts(quantities: Iterable[Quantity], dimensions: Iterable[Dimension]) -> None:
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
