"""What a kind of term is: a call that stands as a whole term, what it learns from data, and the columns that it makes.

A kind says nothing of posteriors. It makes columns with coefficients like those of any common term, and columns with
weights: normal coefficients whose scales are hyperparameters. Which quantities these are, and what results and
priors call them, are its `quantities`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import FormulaError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.evaluation.arguments import check_rows

FloatArray = NDArray[np.float64]
Role = Literal["coefficients", "weights", "hyperparameter", "simplex"]


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
        Argument -> how the formula has it, for those that it has.
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
        value, text = self.arguments[argument], self.texts.get(argument, argument)
        if isinstance(value, Categories):
            raise FormulaError(f"{self.name}() takes one numeric column, and {text} is categorical.")
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
        ``"simplex"``: shares that sum to one, of which and of the coefficient the weights are made.
    labels : tuple of str
        One per element along its dimension; none where it is a single number.
    prior : tuple of (str, mapping), optional
        Name and arguments of its default prior. Where there is none, coefficients and hyperparameters have automatic
        priors: those of a common term, and that of the standard deviation of groups' intercepts.
    ending : str, optional
        What its name in results has after the term's, where that is not an underscore and `name`.
    """

    name: str
    role: Role
    labels: tuple[str, ...] = ()
    prior: tuple[str, Mapping[str, Any]] | None = None
    ending: str | None = None


@dataclass(frozen=True)
class Basis:
    """The columns of a term on some rows: shapes (p, n) and (m, n), either of which may have no columns."""

    common: FloatArray
    weights: FloatArray


def no_constants(_: Any) -> Mapping[str, Any]:
    """Of a kind whose scales need none."""
    return {}


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
        How the weights' scales follow from the hyperparameters: ``"shared"``, the one hyperparameter is the scale of
        all, ``"spectral"``, they are roots of a spectral density. The posterior room has a rule for each.
    allows : frozenset of str
        Which fast ways may serve a model with such a term (`_capabilities`); none at first.
    constants : callable
        ``constants(memory)``: by name, numbers and texts that the rule of `scales` needs.
    weigh : callable, optional
        Where the weights are no parameters: ``weigh(coefficient, simplex) -> weights``, of draws.
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
