"""The packed vector and the named arrays it stands for.

`HeadBuilder` collects the head element by element while a model is assembled; `Layout` is what remains: which named
variable reads which elements, with dims and coords.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.posterior.record import transforms
from nutslite.posterior.record.elements import taken
from nutslite.posterior.record.head import BLOCKWISE, NO_DENSITY, Head
from nutslite.posterior.record.inventory import Inventory
from nutslite.posterior.record.node_table import BETWEEN, NODE_FIELDS, SIMPLEX, Nodes
from nutslite.priors.coefficient_priors import ColumnPriors
from nutslite.priors.hyperparameters import is_shared
from nutslite.priors.prior import Prior, ResolvedPrior, resolve
from nutslite.sampler.constraints.cholesky import cholesky_constrain

FloatArray = NDArray[np.float64]
Source = Literal["values", "effects", "correlation", "simplex"]

NO_MIX = np.empty((0, 0))

DERIVED = -(2**40)
"""Reference to the first derived value while the lengths of what comes before are not known."""

PROMISED = -(2**50)
"""Reference to the first number that is known by its name only."""


@dataclass(frozen=True)
class Variable:
    """A named quantity of the model and where its numbers are.

    Attributes
    ----------
    name : str
        As in the results: ``"Intercept"``, ``"1|g_sigma"``, ``"sigma_x"``.
    dims : tuple of str
        Without chain and draw.
    source : str
        ``"values"`` or ``"effects"`` (natural scale), ``"simplex"`` (derived values that sum to one), or
        ``"correlation"`` (from the block starting at ``index[0]``).
    index : ndarray of int
        Element of the source for each element of the variable, in the variable's shape.
    columns : ndarray of int
        Only of an intercept: the coefficients whose means must be subtracted to uncentre it (of a vector's intercepts a
        row each), each an element of `values`, or ``-1 - effect`` ...
    means : ndarray of float
        ... and those means.
    mix : ndarray, shape (levels, levels)
        Only of effects with a known covariance: along the last axis they are this matrix times the elements. Of effects
        that sum to zero it has a column fewer, and orthonormal ones.
    """

    name: str
    dims: tuple[str, ...]
    source: Source
    index: NDArray[np.int64]
    columns: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    means: FloatArray = field(default_factory=lambda: np.empty(0))
    mix: FloatArray = field(default_factory=lambda: NO_MIX)

    def mixed(self, elements: FloatArray) -> FloatArray:
        """The variable's own numbers, of its elements in the source: shape (..., *shape of the variable)."""
        return elements @ self.mix.T if self.mix.size else elements

    @property
    def sums_to_zero(self) -> bool:
        """Whether there is an element fewer than there are levels."""
        return bool(self.mix.shape[1] < self.mix.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the variable's own numbers."""
        shape = np.shape(self.index)
        return (*shape[:-1], len(self.mix)) if self.mix.size else shape

    def unmixed(self, natural: FloatArray) -> FloatArray:
        """The way back."""
        if not self.mix.size:
            return natural
        if self.sums_to_zero:
            return natural @ self.mix
        elements = np.linalg.solve(self.mix, natural.reshape(-1, len(self.mix)).T).T
        return np.asarray(elements.reshape(natural.shape), dtype=float)

    def centring(self, values: FloatArray, effects: FloatArray) -> FloatArray:
        """What an intercept of centred columns is above that of the columns themselves, for every draw."""
        own = self.columns.reshape(-1, self.means.size)[0] >= 0  # the same in all rows of a vector's intercepts
        if own.all():
            return np.asarray(values[..., self.columns] @ self.means)
        others = effects[..., -1 - self.columns[..., ~own]] @ self.means[~own]
        return np.asarray(values[..., self.columns[..., own]] @ self.means[own] + others)


@dataclass(frozen=True)
class Layout:
    """Names for the packed vector.

    Attributes
    ----------
    dimension : int
        Length of the position.
    n_head : int
        Elements before the raw group effects.
    variables : tuple of Variable
        In the order of the results: intercept, common terms, auxiliary parameters, hyperparameters, group effects.
    coords : dict
        Coordinate values of every dim.
    """

    dimension: int
    n_head: int
    variables: tuple[Variable, ...]
    coords: dict[str, Sequence[Any]]

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Dims of every variable that has any."""
        return {variable.name: variable.dims for variable in self.variables if variable.dims}

    def unpack(self, values: FloatArray, effects: FloatArray) -> dict[str, FloatArray]:
        """Named arrays from natural-scale draws.

        Parameters
        ----------
        values, effects : ndarray, shape (..., n_values), (..., n_effects)
            Natural-scale head with fixed numbers (unconstrained where a block transform rules), and effects.

        Returns
        -------
        dict of ndarray, shape (..., *shape of the variable)
        """
        out: dict[str, FloatArray] = {}
        for variable in self.variables:
            if variable.source == "correlation":
                out[variable.name] = _correlations(values, variable.index)
                continue
            array = taken(effects if variable.source == "effects" else values, variable.index)
            if variable.columns.size:
                array = array - variable.centring(values, effects)
            out[variable.name] = variable.mixed(array)
        return out


def _correlations(values: FloatArray, index: NDArray[np.int64]) -> FloatArray:
    """Lower-triangle correlations, row by row, of a block of unconstrained correlations."""
    size = index.size
    q = round((1 + (1 + 8 * size) ** 0.5) / 2)
    flat = values[..., index].reshape(-1, size)
    out = np.empty((flat.shape[0], size))
    lower = np.tril_indices(q, -1)
    cholesky = np.empty((q, q))
    for row in range(flat.shape[0]):
        cholesky_constrain(np.ascontiguousarray(flat[row]), cholesky)
        out[row] = (cholesky @ cholesky.T)[lower]
    return out.reshape(*values.shape[:-1], size)


@dataclass
class HeadBuilder:
    """Collects head elements, their transforms and priors.

    A prior's argument is a reference: a head element (>= 0), or a fixed number or a derived value, noted as ``-1 - k``
    and ``DERIVED - k`` until the lengths of what comes before them are known.
    """

    inventory: Inventory
    transforms: list[int] = field(default_factory=list)
    bounds: list[tuple[float, float]] = field(default_factory=list)
    densities: list[int] = field(default_factory=list)
    arguments: list[tuple[int, int, int, int]] = field(default_factory=list)
    shifts: dict[int, tuple[NDArray[np.int64], FloatArray]] = field(default_factory=dict)
    fixed: list[float] = field(default_factory=lambda: [0.0])
    variables: list[Variable] = field(default_factory=list)
    nodes: list[tuple[int, list[int], int, int]] = field(default_factory=list)  # operation, inputs, outputs
    n_derived: int = 0
    promised: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Elements so far."""
        return len(self.transforms)

    def constant(self, value: float) -> int:
        """Reference to a fixed number."""
        self.fixed.append(float(value))
        return -len(self.fixed)

    def derive(self, op: int, inputs: Sequence[int], n_outputs: int) -> list[int]:
        """Add a node, which reads what `inputs` refer to; return references to the values that it writes."""
        self.nodes.append((op, [int(reference) for reference in inputs], self.n_derived, n_outputs))
        first = self.n_derived
        self.n_derived += n_outputs
        return [DERIVED - k for k in range(first, self.n_derived)]

    def add(
        self,
        name: str,
        prior: Prior | ColumnPriors,
        *,
        length: int,
        dims: tuple[str, ...],
        ordered: bool = False,
        references: list[list[int]] | None = None,
    ) -> NDArray[np.int64]:
        """Add a variable of `length` elements with its prior, hyperparameters first; return their positions.

        Elements of an `ordered` one increase: its density is that of the prior where they do. `references` are those of
        the arguments, where they have been added before.
        """
        if isinstance(prior, ColumnPriors):
            return self._add_columns(name, prior, dims)
        if references is None:
            references = self.references(name, prior, length, dims)
        resolved = resolve(prior)
        start = self.size
        for element in range(length):
            row = [reference[element] for reference in references]
            self._append(resolved, row, element)
        if ordered:
            self._order(start)
        index = np.arange(start, self.size)
        self.variables.append(Variable(name, dims, "values", index if dims else index[0]))
        return index

    def _order(self, start: int) -> None:
        """Put each element from `start` on above the one before."""
        self.transforms[start + 1 :] = [transforms.ABOVE] * (self.size - start - 1)

    def _add_columns(self, name: str, priors: ColumnPriors, dims: tuple[str, ...]) -> NDArray[np.int64]:
        """Add a variable each of whose elements has a distribution of its own, with numbers for arguments."""
        start = self.size
        for prior in priors.priors:
            self._append(resolve(prior), [reference[0] for reference in self.references(name, prior, 1, ())], 0)
        index = np.arange(start, self.size)
        self.variables.append(Variable(name, dims, "values", index))
        return index

    def references(
        self, name: str, prior: Prior, length: int, dims: tuple[str, ...], *, shared: bool = False
    ) -> list[list[int]]:
        """References to the arguments of a prior, one per element of the variable that it belongs to.

        Hyperparameters are added; of `shared` ones those whose priors' arguments are numbers are one for all elements.
        Of bounds the logarithm of the probability between them is the argument.
        """
        found = []
        arguments = list(named_arguments(prior))
        for key, value in arguments[:-2] if prior.has_bounds else arguments:
            if shared and isinstance(value, Prior) and is_shared(value):
                found.append(self.argument(name, key, value, 1, ()) * length)
            else:
                found.append(self.argument(name, key, value, length, dims))
        return [*found, *self._probability(prior, found, length)] if prior.has_bounds else found

    def _probability(self, prior: Prior, references: list[list[int]], length: int) -> list[list[int]]:
        """References to the logarithm of the probability between the bounds of a prior, behind unused arguments."""
        resolved = resolve(prior)
        unused = [[-1] * length] * (3 - len(references))
        if not prior.hierarchical:
            numbers = np.broadcast_to(np.asarray(resolved.log_probability), length)
            return [*unused, [self.constant(number) for number in numbers]]
        code, ends = self.constant(resolved.code), np.broadcast_arrays(resolved.lower, resolved.upper, np.zeros(length))
        out = []
        for element in range(length):
            own = [reference[element] for reference in (*references, *unused)]
            bounds = [self.constant(end[element]) for end in ends[:2]]
            out += self.derive(BETWEEN, [code, *own, *bounds], 1)
        return [*unused, out]

    def argument(
        self, name: str, key: str, value: float | FloatArray | Prior, length: int, dims: tuple[str, ...]
    ) -> list[int]:
        """References to one argument of a prior, one per element of the variable it belongs to."""
        if isinstance(value, Prior):
            own = self.inventory.argument_of(name, key)
            return [int(i) for i in self.add(own, value, length=length, dims=dims)]
        array = np.atleast_1d(np.asarray(value, dtype=float))
        if array.size not in (1, length):
            raise PriorError(
                f"The prior of '{name}' gives {array.size} values for '{key}', but '{name}' has {length} element(s)."
            )
        if array.size == 1:
            return [self.constant(array[0])] * length
        return [self.constant(number) for number in array]

    def add_simplex(self, name: str, concentration: Any, size: int) -> list[int]:
        """Add a variable of numbers that sum to one, with a Dirichlet prior; return references to them."""
        first = self.add_block(size - 1)
        alphas = [self.constant(a) for a in np.broadcast_to(np.asarray(concentration, dtype=float), size)]
        shares = self.derive(SIMPLEX, [*range(first, first + size - 1), *alphas], size)
        self.variables.append(Variable(name, self.inventory.dims[name], "simplex", np.array(shares, dtype=np.int64)))
        return shares

    def promise(self, name: str) -> int:
        """Reference to a single number of the head that is added later, for the inputs of nodes."""
        self.promised.append(name)
        return PROMISED - len(self.promised) + 1

    def add_block(self, size: int) -> int:
        """Add elements that a block transform and a block prior rule; return the first position."""
        start = self.size
        for _ in range(size):
            self.transforms.append(BLOCKWISE)
            self.bounds.append((0.0, 0.0))
            self.densities.append(NO_DENSITY)
            self.arguments.append((-1, -1, -1, -1))
        return start

    def _append(self, resolved: ResolvedPrior, references: Sequence[int], element: int) -> None:
        lower, upper = (float(np.resize(end, element + 1)[element]) for end in (resolved.lower, resolved.upper))
        code = transforms.transform_code(lower, upper)
        self.transforms.append(code)
        self.bounds.append((lower, upper))
        self.densities.append(resolved.code)
        padded = [*references, -1, -1, -1, -1][:4]
        self.arguments.append((padded[0], padded[1], padded[2], padded[3]))

    def resolve_reference(self, reference: int) -> int:
        """Index into `values` once the head is complete."""
        if reference <= PROMISED:
            name = self.promised[PROMISED - reference]
            (later,) = (variable for variable in self.variables if variable.name == name)
            return int(np.asarray(later.index).item())
        if reference <= DERIVED:
            return self.size + len(self.fixed) + DERIVED - reference
        return reference if reference >= 0 else self.size - 1 - reference

    def named(self) -> list[Variable]:
        """The variables, with their places in `values` once the head is complete."""
        return [
            replace(variable, index=self.resolved(variable.index), columns=self.resolved(variable.columns))
            for variable in self.variables
        ]

    def resolved(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places among which there are references to derived values, once the head is complete."""
        places = np.asarray(places, dtype=np.int64)
        out: NDArray[np.int64] = np.where(places <= DERIVED, self.size + len(self.fixed) + DERIVED - places, places)
        return out

    def build(self) -> Head:
        """The finished record."""
        rows = [[self.resolve_reference(reference) for reference in row] for row in self.arguments]
        shifts = [self.shifts.get(i, (np.empty(0, np.int64), np.empty(0))) for i in range(self.size)]
        return Head(
            transforms=np.array(self.transforms, dtype=np.int64),
            bounds=np.ascontiguousarray(np.array(self.bounds, dtype=float).reshape(-1, 2).T),
            densities=np.array(self.densities, dtype=np.int64),
            arguments=np.array(rows, dtype=np.int64).reshape(-1, 4),
            fixed=np.array([*self.fixed, *[np.nan] * self.n_derived], dtype=float),
            shift_start=np.cumsum([0, *(len(index) for index, _ in shifts)], dtype=np.int64),
            shift_index=self.resolved(np.concatenate([np.empty(0, np.int64), *(index for index, _ in shifts)])),
            shift_weight=np.concatenate([np.empty(0), *(weight for _, weight in shifts)]),
            nodes=self._nodes(),
        )

    def _nodes(self) -> Nodes:
        rows: list[list[int]] = []
        inputs: list[int] = []
        for op, references, first, n_outputs in self.nodes:
            rows.append([op, len(inputs), len(references), self.resolve_reference(DERIVED - first), n_outputs])
            inputs += [self.resolve_reference(reference) for reference in references]
        return Nodes(np.array(rows, dtype=np.int64).reshape(-1, NODE_FIELDS), np.array(inputs, dtype=np.int64))


def is_constant(reference: int) -> bool:
    """Whether a reference of `HeadBuilder` is a fixed number."""
    return DERIVED < reference < 0


def named_arguments(prior: Prior) -> Iterable[tuple[str, Any]]:
    """Names and values of a prior's arguments, in the density's order."""
    return zip(prior.density.argument_names, resolve(prior).arguments, strict=True)


def stacked(variables: Sequence[Variable], dim: str) -> list[Variable]:
    """Variables of the same names, one for each row of eta of a vector, as one each: `dim` is their first dimension."""
    rows: dict[str, list[Variable]] = {}
    for variable in variables:
        rows.setdefault(variable.name, []).append(variable)
    return [_stack(same, dim) for same in rows.values()]


def _stack(same: Sequence[Variable], dim: str) -> Variable:
    first = same[0]
    index = np.stack([np.asarray(variable.index) for variable in same])
    columns = np.array([variable.columns for variable in same])
    return replace(first, dims=(dim, *first.dims), index=index, columns=columns)
