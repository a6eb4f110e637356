"""Linear predictors from posterior draws in the naming of the results, chunk by chunk of draws.

Variables of the parent parameter have plain names (``Intercept``, ``x``, ``1|g``), those of the others a prefix
(``sigma_Intercept``, ``sigma_1|g``); a parameter without a formula is one number per draw (``sigma``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, did_you_mean
from nutslite.formula.records import prefix_of
from nutslite.results.predictions.new_groups import GroupSampler, draw_new_levels

if TYPE_CHECKING:
    from nutslite.formula.design import Design
    from nutslite.formula.records import BasisTerm, GroupTerm, LinearPredictor, Members

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class NamedDraws:
    """Posterior draws by name with chains joined end to end.

    Attributes
    ----------
    arrays : dict of ndarray, shape (samples, ...)
    chains, draws : int
        ``samples == chains * draws``.
    other : frozenset of str
        What the posterior holds besides numbers.
    """

    arrays: dict[str, FloatArray]
    chains: int
    draws: int
    other: frozenset[str] = frozenset()

    @property
    def samples(self) -> int:
        """Number of draws of all chains."""
        return self.chains * self.draws

    def get(self, name: str, *, width: tuple[int, ...]) -> FloatArray:
        """One variable in the shape (samples, *width), which its own shape may only regroup.

        Raises
        ------
        DataError
            If it is absent or has another size: the results belong to another model.
        """
        if name in self.other:
            raise DataError(f"'{name}' holds no numbers in the posterior: give what fit returned.")
        if name not in self.arrays:
            hint = did_you_mean(name, self.arrays)
            raise DataError(f"The posterior has no variable '{name}': is it from another model?{hint}")
        array = self.arrays[name]
        if array[:1].size != np.prod(width, dtype=int):
            raise DataError(
                f"'{name}' has {array[:1].size} element(s) per draw in the posterior, but the model has "
                f"{np.prod(width, dtype=int)}: are the results from another model?"
            )
        return array.reshape(self.samples, *width)


def join_chains(posterior: Mapping[str, NDArray[Any]]) -> NamedDraws:
    """Draws of shape (chains, draws, ...) by name, chains joined end to end.

    Raises
    ------
    DataError
        If there are none, or they differ in the number of chains or draws.
    """
    other = frozenset(name for name, values in posterior.items() if np.asarray(values).dtype.kind not in "biuf")
    posterior = {name: values for name, values in posterior.items() if name not in other}
    shapes = {np.shape(values)[:2] for values in posterior.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise DataError(f"Posterior draws must all have the same (chains, draws, ...); there are {sorted(shapes)}.")
    chains, draws = next(iter(shapes))
    arrays = {
        name: np.asarray(values, dtype=float).reshape(chains * draws, *np.shape(values)[2:])
        for name, values in posterior.items()
    }
    return NamedDraws(arrays, chains, draws, other)


@dataclass(frozen=True)
class _GroupEffects:
    """Effects of one group term: samples by columns by levels (new ones last), and the level of each row."""

    effects: FloatArray
    matrix: FloatArray | None
    index: NDArray[np.intp]
    members: Members | None = None

    def add_to(self, eta: FloatArray, start: int) -> None:
        part = self.effects[start : start + eta.shape[0]]
        for column in range(part.shape[1]):
            contribution = self._of_rows(part[:, column])
            if self.matrix is not None:
                contribution *= self.matrix[column]
            eta += contribution

    def _of_rows(self, effects: FloatArray) -> FloatArray:
        """The effect of each row's level, or the weighted sum of those of its levels."""
        if self.members is None:
            return np.take(effects, self.index, axis=1)
        pairs = zip(self.members.index, self.members.weights, strict=True)
        return np.asarray(sum(np.take(effects, index, axis=1) * weights for index, weights in pairs))


@dataclass(frozen=True)
class _PreparedPredictor:
    """One linear predictor with its draws at hand."""

    intercept: FloatArray | None  # (samples,)
    coefficients: FloatArray  # (samples, columns)
    matrix: FloatArray  # (columns, n)
    offset: FloatArray | None
    groups: tuple[_GroupEffects, ...]

    def fill(self, eta: FloatArray, start: int) -> None:
        """Overwrite `eta`, shape (chunk, n), with the values for the samples from `start` on."""
        stop = start + eta.shape[0]
        np.matmul(self.coefficients[start:stop], self.matrix, out=eta)
        if self.intercept is not None:
            eta += self.intercept[start:stop, None]
        if self.offset is not None:
            eta += self.offset
        for group in self.groups:
            group.add_to(eta, start)


class LinearPredictors:
    """The linear predictors of all distributional parameters for the rows of a design.

    Parameters
    ----------
    posterior : NamedDraws
    design : Design
        The model's own, or ``design.evaluate(new_data)``.
    parent : str
        Name of the parent parameter.
    include_group_specific : bool
        Whether to add the group-specific terms.
    sample_new_groups : bool
        Draw the effects of levels that the model has not seen from the distribution of all levels.
    group_sampler : GroupSampler, optional
        How to draw them; needed when `sample_new_groups` meets a new level.
    rng : numpy.random.Generator
        Used for new levels, and for processes at new places.
    sizes : mapping of str to int, optional
        Of parameters that are vectors, how many linear predictors they have.

    Raises
    ------
    DataError
        If the posterior does not belong to the model, or there are new levels and `sample_new_groups` is False.
    """

    def __init__(
        self,
        posterior: NamedDraws,
        design: Design,
        *,
        parent: str,
        rng: np.random.Generator,
        include_group_specific: bool = True,
        sample_new_groups: bool = False,
        group_sampler: GroupSampler | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        self.samples = posterior.samples
        self.n_rows = design.n_rows
        self.sizes = dict(sizes or {})
        new: dict[str, FloatArray] | None = None
        if include_group_specific:
            new = draw_new_levels(design, posterior.arrays, allowed=sample_new_groups, sampler=group_sampler, rng=rng)
        self._predictors = {}
        for name, predictor in design.predictors.items():
            prefix = prefix_of(name, parent)
            rows = range(self.sizes[name]) if name in self.sizes else (None,)
            self._predictors[name] = [
                _prepare(_Row(posterior, row, self.sizes.get(name, 1)), design, predictor, prefix, new, rng)
                for row in rows
            ]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Parameters that have a linear predictor."""
        return tuple(self._predictors)

    def eta(self, parameter: str, start: int, stop: int) -> FloatArray:
        """Linear predictors for the samples from `start` to `stop`: (chunk, rows), of a vector (chunk, rows, size)."""
        out = np.empty((stop - start, self.n_rows))
        if parameter not in self.sizes:
            self._predictors[parameter][0].fill(out, start)
            return out
        every = np.empty((*out.shape, self.sizes[parameter]))
        for row, predictor in enumerate(self._predictors[parameter]):
            predictor.fill(out, start)
            every[:, :, row] = out
        return every


@dataclass(frozen=True)
class _Row:
    """Draws of the variables of one linear predictor: of a vector's variables, those that belong to one row."""

    posterior: NamedDraws
    row: int | None
    size: int

    def get(self, name: str, *, width: tuple[int, ...]) -> FloatArray:
        if self.row is None:
            return self.posterior.get(name, width=width)
        return self.posterior.get(name, width=(self.size, *width))[:, self.row]

    def new(self, effects: FloatArray | None) -> FloatArray | None:
        return effects if effects is None or self.row is None else effects[..., self.row]


def _prepare(
    draws: _Row,
    design: Design,
    predictor: LinearPredictor,
    prefix: str,
    new_effects: Mapping[str, FloatArray] | None,
    rng: np.random.Generator,
) -> _PreparedPredictor:
    parts = [draws.get(f"{prefix}{term.name}", width=(term.stop - term.start,)) for term in predictor.terms]
    weighted = [basis for basis in predictor.basis_terms if len(basis.matrix) and basis.kind.extend is None]
    for basis in weighted:  # weights are coefficients, wherever they were sampled
        parts.append(_weights(draws, basis, prefix))
    matrices = [predictor.matrix, *(basis.matrix for basis in weighted)]
    groups = [_extended(draws, term, prefix, rng) for term in predictor.basis_terms if term.kind.extend is not None]
    if new_effects is not None:
        groups += [
            _group_effects(draws, design, term, prefix, draws.new(new_effects.get(f"{prefix}{term.name}")))
            for term in predictor.group_terms
        ]
    return _PreparedPredictor(
        intercept=draws.get(f"{prefix}Intercept", width=()) if predictor.intercept else None,
        coefficients=np.concatenate(parts, axis=1) if parts else np.empty((draws.posterior.samples, 0)),
        matrix=predictor.matrix if len(matrices) == 1 else np.concatenate(matrices),
        offset=predictor.offset,
        groups=tuple(groups),
    )


def _extended(draws: _Row, term: BasisTerm, prefix: str, rng: np.random.Generator) -> _GroupEffects:
    """Values of a term that are no sums of columns, by rows, as if they were effects of groups."""
    if term.kind.extend is None or term.places is None:
        raise AssertionError(f"{term.name} has columns and weights")
    quantities = {item.name: item for item in term.hyperparameters}
    own = {}
    for name, item in quantities.items():
        full = f"{prefix}{term.full(item)}"
        known = term.constants["known"].get(name)
        own[name] = draws.get(full, width=(item.size,)) if known is None else known
    values, index = term.kind.extend(f"{prefix}{term.name}", term.constants, own, term.places, rng)
    return _GroupEffects(values[:, None], None, index)


def _weights(draws: _Row, term: BasisTerm, prefix: str) -> FloatArray:
    """Of a term of a special kind: in the results, or made of what is there."""
    if term.weights is not None:
        return draws.get(f"{prefix}{term.full(term.weights)}", width=(term.matrix.shape[0],))
    if term.simplex is None or term.kind.weigh is None:
        raise AssertionError(f"{term.name} has columns, and neither weights nor shares")
    (slope,), steps = term.coefficients, term.simplex.size
    shares = draws.get(f"{prefix}{term.full(term.simplex)}", width=(steps,))
    slopes = draws.get(f"{prefix}{slope}", width=(term.matrix.shape[0] // steps,))
    weights: FloatArray = term.kind.weigh(slopes, shares)
    return weights


def _group_effects(draws: _Row, design: Design, term: GroupTerm, prefix: str, new: FloatArray | None) -> _GroupEffects:
    factor = design.factors[term.factor]
    n_levels = len(factor.levels)
    effects = draws.get(f"{prefix}{term.name}", width=(term.columns, n_levels))
    index = np.asarray(factor.index, dtype=np.intp)
    if new is not None:
        effects = np.concatenate((effects, new), axis=2)
    if new is not None and factor.members is None:
        places = {level: n_levels + place for place, level in enumerate(sorted(set(factor.new_levels)))}
        index = index.copy()
        index[index < 0] = [places[level] for level in factor.new_levels]
    return _GroupEffects(effects, term.matrix, index, factor.members)
