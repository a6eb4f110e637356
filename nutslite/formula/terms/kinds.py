"""What a kind of term is: a call that stands as a whole term, what it learns from data, and the columns that it makes.

A kind says nothing of posteriors. It makes columns with coefficients like those of any common term, and columns with
weights: normal coefficients whose scales are hyperparameters. Which quantities these are, and what results and
priors call them, are its `quantities`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, FormulaError
from nutslite.formula.columns.categories import Categories, categories_of
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.evaluation.arguments import check_rows

FloatArray = NDArray[np.float64]
Role = Literal["coefficients", "weights", "hyperparameter", "simplex", "standard"]
Interval = Callable[[str, float], "tuple[FloatArray, FloatArray] | None"]
"""From a hyperparameter's name and a share to where the middle share of the user's prior lies; None: the default."""

_SHOWN = 5


@dataclass(frozen=True)
class Call:
    """One call, its arguments worked out on some rows of data.

    Attributes
    ----------
    name : str
        The function: ``"s"``.
    term : str
        The whole call as results name it: ``"s(x, k=10)"``.
    arguments : mapping
        Argument -> value; defaults where the formula has none. Columns are arrays of shape (n,) or `Categories`.
    texts : mapping
        Argument -> how the formula has it, for those that it has; of ``*x`` all of them, and each as ``"x[0]"``.
    rows : int
        Of the data, n.
    """

    name: str
    term: str
    arguments: Mapping[str, Any]
    texts: Mapping[str, str]
    rows: int

    def numbers(self, argument: str) -> FloatArray:
        """A numeric column, shape (n,).

        Raises
        ------
        FormulaError
            If it is no column of numbers, or not finite in some row.
        """
        return self._numbers(self.arguments[argument], self.texts.get(argument, argument))

    def columns(self, argument: str) -> FloatArray:
        """Several numeric columns, those of ``*x``, shape (columns, n).

        Raises
        ------
        FormulaError
            If there are none, or one of them is no column of numbers, or not finite in some row.
        """
        values = self.arguments[argument]
        if not values:
            raise FormulaError(f"{self.name}() takes at least one column, and here is none.")
        texts = [self.texts.get(f"{argument}[{place}]", argument) for place in range(len(values))]
        return np.array([self._numbers(value, text) for value, text in zip(values, texts, strict=True)])

    def levels(self, argument: str) -> Categories:
        """A column whose values are levels, numbers included.

        Raises
        ------
        FormulaError
            If it is no column.
        """
        value, text = self.arguments[argument], self.texts.get(argument, argument)
        if not isinstance(value, Categories) and np.shape(value) != (self.rows,):
            raise FormulaError(f"{argument}= of {self.name}() is a column, not {text}.")
        return categories_of(value, text)

    def known_levels(self, argument: str, known: tuple[Any, ...]) -> NDArray[np.int64]:
        """Positions of the rows' levels among `known`, those that the model was built from.

        Raises
        ------
        DataError
            For levels that are not among them.
        """
        text = self.texts.get(argument, argument)
        found = self.levels(argument).recoded(known, text)
        if found.unseen:
            shown = ", ".join(dict.fromkeys(level_name(level) for level in found.unseen[:_SHOWN]))
            names = [level_name(level) for level in known]
            listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            raise DataError(
                f"'{self.term}' was learned for the levels {listed} of {text}, and {len(found.unseen)} of {self.rows} "
                f"rows have others: {shown}."
            )
        return found.codes.astype(np.int64)

    def _numbers(self, value: Any, text: str) -> FloatArray:
        if isinstance(value, Categories):
            raise FormulaError(f"{self.name}() takes numeric columns, and {text} is categorical.")
        check_rows(self.name, value, text, self.rows)
        found = np.asarray(value, dtype=np.float64)
        if bad := int(np.count_nonzero(~np.isfinite(found))):
            raise FormulaError(f"{text} in {self.name}() is not finite in {bad} of {self.rows} rows.")
        return found


@dataclass(frozen=True)
class TermQuantity:
    """Something that a term adds to the parameters of a model.

    Attributes
    ----------
    name : str
        Results call it after the term and this: ``"sigma"`` for ``s(x, k=10)_sigma``. Priors are given by it.
    role : str
        ``"coefficients"``: of the columns `Basis.common`, with priors like those of any common term. ``"weights"``: of
        the columns `Basis.weights`, normal around zero. ``"hyperparameter"``: what the scales of the weights depend on.
        ``"simplex"``: shares that sum to one, of which and of the coefficient the weights are made. ``"standard"``:
        standard normals, one for each weight, of which and of the hyperparameters the weights are made.
    labels : tuple of str
        One per element along its dimension; none where it is a single number.
    prior : tuple of (str, mapping), optional
        Name and arguments of its default prior. Where there is none, coefficients and hyperparameters have automatic
        priors: those of a common term, and that of the standard deviation of groups' intercepts.
    ending : str, optional
        What its name in results has after the term's, where that is not an underscore and `name`.
    axes : tuple of (str, tuple)
        In place of `labels`, where it has several dimensions, or one that it shares with others of the term: what the
        name of each dimension has after the term's and an underscore, and its labels.
    signed : bool
        Of a hyperparameter, whether it may be any number, and not only a positive one.
    """

    name: str
    role: Role
    labels: tuple[str, ...] = ()
    prior: tuple[str, Mapping[str, Any]] | None = None
    ending: str | None = None
    axes: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    signed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its elements; none where it is a single number."""
        return tuple(len(labels) for _, labels in self.axes) or ((len(self.labels),) if self.labels else ())

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)


@dataclass(frozen=True)
class Basis:
    """The columns of a term on some rows: shapes (p, n) and (m, n), either of which may have no columns.

    `places` are the rows' own numbers, shape (D, n), where predictions need more than the columns.
    """

    common: FloatArray
    weights: FloatArray
    places: FloatArray | None = None


@dataclass(frozen=True)
class Settled:
    """A term once it is known what its hyperparameters' priors are.

    Attributes
    ----------
    memory : object
        In place of that which was learned.
    basis : Basis, optional
        On the rows that the model is built from, where it is another.
    sentence : str
        What was chosen, for the log; nothing, if empty.
    """

    memory: Any
    basis: Basis | None = None
    sentence: str = ""


def no_constants(_: Any) -> Mapping[str, Any]:
    """Of a kind whose scales need none."""
    return {}


def nothing_open(_: Any, __: Interval) -> None:
    """Of a kind in which nothing depends on priors."""


def no_doubts(_: str, __: Mapping[str, Any], ___: Mapping[str, FloatArray]) -> tuple[str, ...]:
    """Of a kind that draws cannot put in doubt."""
    return ()


Extend = Callable[
    [str, Mapping[str, Any], Mapping[str, FloatArray], FloatArray, np.random.Generator],
    tuple[FloatArray, NDArray[np.intp]],
]


@dataclass(frozen=True)
class TermKind:
    """A kind of term.

    Attributes
    ----------
    names : tuple of str
        What formulas call it; `functions.TERMS` has the signature of each.
    title : str
        What it is, in words that go on after the term's name: ``"is a penalised smooth"``.
    learn : callable
        ``learn(call) -> memory``: what new data are treated by, from all rows that the model is built from.
    apply : callable
        ``apply(memory, call) -> Basis`` on any rows; of `call` only columns of data count.
    quantities : callable
        ``quantities(memory) -> tuple of TermQuantity``.
    scales : str
        How the weights' scales follow from the hyperparameters: ``"shared"``, each is an element of the one
        hyperparameter, ``"spectral"``, they are roots of a spectral density. The posterior room has a rule for each.
    allows : frozenset of str
        Which fast ways may serve a model with such a term (`_capabilities`); none at first.
    constants : callable
        ``constants(memory)``: by name, numbers and texts that the rule of `scales` needs.
    weigh : callable, optional
        Where the weights are no parameters: ``weigh(coefficients, simplex) -> weights``, of draws: of shapes
        (draws, q) and (draws, D) to (draws, q D).
    extend : callable, optional
        Where predictions at other rows are no sums of columns times weights: ``extend(name, constants, draws, places,
        rng) -> values, index``, values of shape (samples, k) and which of them each row has.
    multiplies : bool
        Whether it may stand in a product with other factors: its columns times theirs, which are q.
    settle : callable
        ``settle(memory, interval) -> Settled``: what the formula leaves open is chosen by what the priors of the
        hyperparameters say; None where it leaves nothing open.
    doubts : callable
        ``doubts(name, constants, draws) -> sentences``: what draws of the hyperparameters, by name and of shape
        (samples, elements), say against the term as it was made; `name` is the term's.
    """

    names: tuple[str, ...]
    title: str
    learn: Callable[[Call], Any]
    apply: Callable[[Any, Call], Basis]
    quantities: Callable[[Any], tuple[TermQuantity, ...]]
    scales: str = "shared"
    allows: frozenset[str] = frozenset()
    weigh: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    constants: Callable[[Any], Mapping[str, Any]] = no_constants
    extend: Extend | None = None
    multiplies: bool = False
    settle: Callable[[Any, Interval], Settled | None] = nothing_open
    doubts: Callable[[str, Mapping[str, Any], Mapping[str, FloatArray]], tuple[str, ...]] = no_doubts
