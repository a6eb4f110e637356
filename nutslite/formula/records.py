"""What a formula becomes: plain records of names and arrays, read by every room to the right.

Matrices hold one COLUMN of the design per ROW of the array, shape ``(columns, rows of data)``, float64 and
C-contiguous, so that a block of consecutive data rows is contiguous for every column; and writable, unless they are
columns of the user's data (`columns.lent`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.columns.whole import WholeNumbers
from nutslite.formula.forms.form import STATUSES as STATUSES
from nutslite.formula.forms.form import Censoring
from nutslite.formula.known_covariance import KnownCovariance
from nutslite.formula.terms.kinds import TermKind, TermQuantity
from nutslite.formula.terms.level_sds import LevelSds

FloatArray = NDArray[np.float64]
ColumnKind = Literal["numeric", "categorical", "interaction"]


@dataclass(frozen=True)
class Response:
    """The left-hand side of a formula.

    Attributes
    ----------
    name : str
        As Bambi names it: the whole expression (``"p(y, n)"``), but ``"b"`` for ``b['yes']``.
    values : ndarray, shape (c, n)
        Row 0 is the response itself (counts for proportions, 0/1 for binary ones, level codes for categorical
        ones), or a row for each of `columns`; further rows are its companions, named by `companions`. Small whole
        numbers of many rows are held in few bytes, and float64 is made of them for whoever reads them.
    companions : tuple of str
        Names of the rows after the response itself: ``"trials"``, ...
    kind : str
        ``"numeric"``, ``"binary"`` (a two-level categorical, or one level picked by ``y['level']``),
        ``"categorical"`` (three or more levels), ``"proportion"`` (``p(y, n)``), ``"counts"`` or ``"shares"``
        (of several columns).
    levels : tuple of str
        Levels of a categorical response in order; empty otherwise.
    success : str or None
        The level that counts as 1 in a binary response.
    as_numbers : str
        What makes numbers of a categorical response, in words; empty where nothing does.
    chosen_order : bool
        Whether the user chose the order of the levels; otherwise they are sorted.
    censoring : Censoring or None
        Of ``censored(y, status)``.
    columns : tuple of str
        Names of its columns where it has several, as in ``counts(a, b, c)``; empty where it is one.
    """

    name: str
    values: WholeNumbers = WholeNumbers(np.float64)  # noqa: RUF009  # a descriptor, which keeps nothing of its own
    companions: tuple[str, ...] = ()
    kind: str = "numeric"
    levels: tuple[str, ...] = ()
    success: str | None = None
    as_numbers: str = field(default="", compare=False)
    chosen_order: bool = field(default=True, compare=False)
    censoring: Censoring | None = field(default=None, compare=False)
    columns: tuple[str, ...] = ()

    @property
    def as_held(self) -> NDArray[Any]:
        """`values` in the type that they are held in: no array is made."""
        return WholeNumbers.held(self, "values")

    @property
    def own(self) -> FloatArray:
        """The response without its companions, a row for each of its columns, shape (K, n) or (1, n)."""
        return self.values[: max(len(self.columns), 1)]

    @property
    def beside(self) -> dict[str, FloatArray]:
        """Its companions by name, shape (n,) each."""
        return dict(zip(self.companions, self.values[len(self.own) :], strict=True))


@dataclass(frozen=True)
class CommonTerm:
    """One common (population-level) term: a run of columns in its linear predictor's matrix.

    Attributes
    ----------
    name : str
        ``"Days"``, ``"x:g"``, ``"bs(x, df=4)"``.
    start, stop : int
        Its columns are ``predictor.matrix[start:stop]``.
    labels : tuple of str
        One coordinate per column, without the variable's name (``("b", "c")``, ``("b, u",)``, ``("0", "1")``).
    scalar : bool
        True when the term is one numeric column and its coefficient needs no dimension of its own.
        A categorical with a single dummy is not scalar: it keeps ``g_dim``.
    kind : str
        ``"numeric"``, ``"categorical"`` (categoricals only, interactions of them included) or
        ``"interaction"`` (a product with at least one numeric factor); decides how its default prior is scaled.
    """

    name: str
    start: int
    stop: int
    labels: tuple[str, ...]
    scalar: bool
    kind: ColumnKind


@dataclass(frozen=True)
class GroupTerm:
    """One group-specific term, such as ``1|subject`` or ``condition|subject``.

    Attributes
    ----------
    name : str
        ``"1|g"``, ``"x|g"``, ``"x|g:h"``.
    expression : str
        Left of the bar: ``"1"``, ``"x"``.
    factor : str
        Right of the bar, a key of ``Design.factors``.
    matrix : ndarray, shape (columns, n), or None
        The expression's columns; None for an intercept (a column of ones, never stored).
    labels : tuple of str
        One coordinate per column; ``("1",)`` for an intercept.
    scalar : bool
        True when the expression is an intercept or one numeric column.
    kind : str
        As for `CommonTerm`; ``"numeric"`` for an intercept.
    correlated : str or None
        Terms of one predictor with the same non-None mark have correlated effects; None for ``(x||g)``.
        ``(x|g)`` gives its terms one common mark, whether or not the model then uses it: the model decides
        (``correlated=``, ``priors_cor=``), because Bambi's default is independence.
    contested : str or None
        Bars that hold this effect and do not agree on what it is correlated with; None where they agree.
    id : str or None
        Of ``(x|id|g)``: effects of a factor with one id, in whatever formulas, are correlated with each other, also
        where the model's other effects are independent.
    whole : GroupTerm or None
        Of ``(x|gr(g, by=f))``, of which this is the part of one level of f; its matrix is 0 in rows of others.
    """

    name: str
    expression: str
    factor: str
    matrix: FloatArray | None
    labels: tuple[str, ...]
    scalar: bool
    kind: ColumnKind
    correlated: str | None = None
    contested: str | None = None
    id: str | None = None
    whole: GroupTerm | None = field(default=None, compare=False)

    @property
    def columns(self) -> int:
        """Number of effects per level."""
        return 1 if self.matrix is None else self.matrix.shape[0]


@dataclass(frozen=True)
class BasisTerm:
    """What a term of a special kind adds beside coefficients: columns whose weights have one distribution.

    Its other columns, with coefficients like those of any common term, are `CommonTerm`s called `coefficients`.

    Attributes
    ----------
    name : str
        The whole call: ``"s(x, k=10)"``.
    kind : TermKind
    matrix : ndarray, shape (m, n)
        Columns of the weights; a kind that has coefficients alone has none.
    quantities : tuple of TermQuantity
        What the term adds to the parameters of the model.
    constants : mapping
        What the scales of the weights depend on beside hyperparameters.
    places : ndarray, shape (D, n), or None
        The rows' own numbers, where predictions need more than the columns.
    """

    name: str
    kind: TermKind
    matrix: FloatArray
    quantities: tuple[TermQuantity, ...]
    constants: Mapping[str, Any] = field(default_factory=dict, compare=False)
    places: FloatArray | None = None

    @property
    def weights(self) -> TermQuantity | None:
        """The weights of its columns, where they are parameters."""
        return next((quantity for quantity in self.quantities if quantity.role == "weights"), None)

    @property
    def simplex(self) -> TermQuantity | None:
        """Shares that the weights of its columns are made of, and of the coefficient, where they are no parameters."""
        return next((quantity for quantity in self.quantities if quantity.role == "simplex"), None)

    @property
    def standard(self) -> TermQuantity | None:
        """Standard normals that the weights of its columns are made of, where they are no parameters."""
        return next((quantity for quantity in self.quantities if quantity.role == "standard"), None)

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the common terms that have its other columns, in the order of the columns."""
        return tuple(self.full(item) for item in self.quantities if item.role == "coefficients")

    @property
    def hyperparameters(self) -> tuple[TermQuantity, ...]:
        """What the weights or their scales depend on, beside coefficients."""
        return tuple(
            quantity for quantity in self.quantities if quantity.role in ("hyperparameter", "simplex", "standard")
        )

    def axes_of(self, quantity: TermQuantity) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """Names, but for the parameter's prefix, and labels of the dimensions of one of its quantities."""
        if quantity.axes:
            return tuple((f"{self.name}_{ending}", labels) for ending, labels in quantity.axes)
        labels = tuple(int(label) if label.isdigit() else label for label in quantity.labels)
        return ((f"{self.full(quantity)}_dim", labels),) if labels else ()

    def full(self, quantity: TermQuantity) -> str:
        """What results call one of its quantities, but for the parameter's prefix: ``"s(x, k=10)_sigma"``."""
        return f"{self.name}_{quantity.name}" if quantity.ending is None else f"{self.name}{quantity.ending}"


@dataclass(frozen=True)
class GroupFactor:
    """A grouping factor: which level each row of data belongs to; never an indicator matrix.

    Attributes
    ----------
    name : str
        ``"subject"``, ``"g:h"``.
    index : ndarray of int32, shape (n,)
        Level of each row; in new data, -1 where the level was not in the data that the model was built from. Where
        levels are called by their places, 0, 1, ..., a column of the user's data can be lent.
    levels : sequence of str
        Level names, in the order of `index`. Of an interaction only the observed combinations (``"a:b"``). Many are
        packed (`columns.packed`).
    new_levels : tuple of str, one per row with index -1, in row order
        Only in new data: the names of the unseen levels, so that rows of one new level share one draw.
    covariance : KnownCovariance or None
        Of the levels, for ``gr(g, cov=K)``.
    members : Members or None
        Of ``mm(g1, g2)``, where `index` has the first of a row's levels.
    by : By or None
        Of ``gr(g, by=f)``, before it is taken apart.
    whole : str
        Of a part of that, its name ...
    inside : ndarray of bool, shape (n,), or None
        ... and the rows that belong to the part; the index of others means nothing.
    sds : LevelSds or None
        Of ``gr(g, sd=z)``, what the standard deviations of the levels' effects depend on.
    """

    name: str
    index: WholeNumbers = WholeNumbers(np.int32)  # noqa: RUF009  # a descriptor, as above
    levels: Sequence[str] = ()
    new_levels: tuple[str, ...] = ()
    covariance: KnownCovariance | None = None
    members: Members | None = None
    by: By | None = None
    whole: str = ""
    inside: NDArray[np.bool_] | None = None
    sds: LevelSds | None = None

    @property
    def takes_columns(self) -> bool:
        """Whether its levels are columns of the design: they vary together, or a row belongs to several."""
        return self.covariance is not None or self.members is not None

    def columns(self) -> FloatArray:
        """What each level has in each row, shape (levels, n), where levels are columns."""
        if self.members is not None:
            return self.members.columns(len(self.levels))
        if self.covariance is None:
            raise AssertionError("levels are columns where they have a known covariance or rows have several")
        return np.ascontiguousarray(self.covariance.factor[self.index].T)


@dataclass(frozen=True)
class Members:
    """The levels that each row belongs to, and with which weights.

    Attributes
    ----------
    index : ndarray of int32, shape (members, n)
        New levels are behind the known ones, in the order of their names.
    weights : ndarray, shape (members, n)
    """

    index: NDArray[np.int32]
    weights: FloatArray

    def columns(self, levels: int) -> FloatArray:
        """The weight of each level in each row, shape (levels, n)."""
        out = np.zeros((levels, self.index.shape[1]))
        rows = np.arange(self.index.shape[1])
        for index, weights in zip(self.index, self.weights, strict=True):
            np.add.at(out, (index, rows), weights)
        return out

    def of_rows(self, rows: Any) -> Members:
        """The same of some rows."""
        return Members(np.ascontiguousarray(self.index[:, rows]), np.ascontiguousarray(self.weights[:, rows]))


@dataclass(frozen=True)
class By:
    """The levels of f in ``gr(g, by=f)``.

    Attributes
    ----------
    levels : tuple of str
    index : ndarray of int32, shape (n,)
        Of each row.
    home : ndarray of int32, shape (levels of g,)
        Of each level of g.
    """

    levels: tuple[str, ...]
    index: NDArray[np.int32]
    home: NDArray[np.int32]


@dataclass(frozen=True)
class LinearPredictor:
    """The right-hand side for one distributional parameter.

    Attributes
    ----------
    parameter : str
        ``"mu"``, ``"sigma"``, ...
    intercept : bool
        Whether it has an intercept; the column of ones is never stored.
    matrix : ndarray, shape (p, n)
        Columns of the common terms, not centred.
    terms : tuple of CommonTerm
        In the order of the formula, covering `matrix` from 0 to p.
    group_terms : tuple of GroupTerm
        In the order of the formula, ``1|g`` before ``x|g``.
    offset : ndarray, shape (n,), or None
        Sum of the offset terms.
    offset_names : tuple of str
        ``("offset(log(N))",)``.
    basis_terms : tuple of BasisTerm
        Of terms of special kinds, in the order of the formula.
    means : ndarray, shape (p,), or None
        What columns are centred at where the rows are a part of the data, or stand for them; None: their own means.
    """

    parameter: str
    intercept: bool
    matrix: FloatArray
    terms: tuple[CommonTerm, ...] = ()
    group_terms: tuple[GroupTerm, ...] = ()
    offset: FloatArray | None = None
    offset_names: tuple[str, ...] = ()
    basis_terms: tuple[BasisTerm, ...] = ()
    means: FloatArray | None = None


def prefix_of(parameter: str, parent: str) -> str:
    """What results put before the names of a parameter's terms: nothing for the parent."""
    return "" if parameter == parent else f"{parameter}_"
