"""Common columns whose coefficients have hyperpriors, or share a shrinkage prior: columns of blocks of one level.

So they are centred as effects of groups are, and integrated out with these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.posterior.assembly.basis_columns import LOCATION, SCALE
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.node_table import HORSESHOE, R2D2
from nutslite.priors.coefficient_priors import ColumnPriors
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.prior import Prior, resolve
from nutslite.priors.shrinkage import RESIDUAL, Shrinkage, has_residual, shrinkages_of

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ShrunkColumns:
    """The columns of a linear predictor that are one block.

    Attributes
    ----------
    terms : tuple of CommonTerm
        Of one shrinkage prior; or one term, whose coefficients have hyperpriors.
    matrix : ndarray, shape (columns, n)
        Centred where there is an intercept.
    means : ndarray, shape (columns,)
        What was subtracted.
    shrinkage : Shrinkage, optional
    """

    terms: tuple[CommonTerm, ...]
    matrix: FloatArray
    means: FloatArray
    shrinkage: Shrinkage | None = None


def has_weights(spec: ModelSpec) -> bool:
    """Whether there are blocks of one level, of weights or of such columns."""
    return any(
        any(term.weights is not None for term in predictor.basis_terms) or take_apart(spec, predictor)[1]
        for predictor in spec.design.predictors.values()
    )


def is_shrunk(prior: Prior | ColumnPriors) -> bool:
    """Whether coefficients are effects: between bounds there is no location and scale to take them from."""
    return isinstance(prior, Prior) and prior.hierarchical and not prior.has_bounds


def take_apart(spec: ModelSpec, predictor: LinearPredictor) -> tuple[LinearPredictor, list[ShrunkColumns]]:
    """The predictor without terms that have hyperpriors or a shrinkage prior, and their columns, a block each.

    Where priors are about uncentred predictors the columns are not centred: then the intercept that is sampled does not
    depend on their coefficients.
    """
    priors = spec.priors.terms[predictor.parameter]
    groups: list[tuple[tuple[CommonTerm, ...], Shrinkage | None]] = []
    groups += [(shrinkage.terms, shrinkage) for shrinkage in shrinkages_of(predictor, priors)]
    groups += [((term,), None) for term in predictor.terms if is_shrunk(priors[term.name])]
    if not groups:
        return predictor, []
    apart = [term for own, _ in groups for term in own]
    terms: list[CommonTerm] = []
    for term in predictor.terms:
        if term not in apart:
            start = terms[-1].stop if terms else 0
            terms.append(replace(term, start=start, stop=start + term.stop - term.start))
    gone = np.concatenate([np.arange(term.start, term.stop) for term in apart])
    rest = np.ascontiguousarray(np.delete(predictor.matrix, gone, axis=0))
    centred = predictor.intercept and spec.center_predictors
    blocks = [_block(predictor, own, shrinkage, centred) for own, shrinkage in groups]
    means = None if predictor.means is None else np.delete(predictor.means, gone)
    return replace(predictor, matrix=rest, terms=tuple(terms), means=means), blocks


def _block(
    predictor: LinearPredictor, terms: tuple[CommonTerm, ...], shrinkage: Shrinkage | None, centred: bool
) -> ShrunkColumns:
    matrix = np.concatenate([predictor.matrix[term.start : term.stop] for term in terms])
    means = np.zeros(matrix.shape[0])
    if centred and predictor.means is not None:
        means = np.concatenate([predictor.means[term.start : term.stop] for term in terms])
    elif centred:
        means = matrix.mean(axis=1)
    return ShrunkColumns(terms, matrix - means[:, None], means, shrinkage)


def shrunk_rows(
    head: HeadBuilder, shrunk: ShrunkColumns, parameter: str, spec: ModelSpec, dims: tuple[str, ...]
) -> list[list[int]]:
    """Rows of `ModelData.block_columns`, without the first field, references unresolved; `head` gets the parameters.

    `dims` are those of the first term's coefficients, without the dimension along a vector's rows.
    """
    if shrunk.shrinkage is not None:
        scales = SCALES[shrunk.shrinkage.kind.name](head, shrunk.shrinkage, parameter, spec)
        zero = head.constant(0.0)
        return [[NORMAL, LOCATION, SCALE, zero, scale, -1, -1] for scale in scales]
    (term,) = shrunk.terms
    name = head.inventory.name_of(parameter, term.name)
    return _hyperprior_rows(head, name, spec.priors.terms[parameter][term.name], len(shrunk.matrix), dims)


def _horseshoe_scales(head: HeadBuilder, horseshoe: Shrinkage, parameter: str, spec: ModelSpec) -> list[int]:
    n = horseshoe.units.size
    references = {}
    for key, prior in horseshoe.priors.items():
        name = head.inventory.name_of(parameter, "horseshoe", key)
        length = n if key == horseshoe.kind.each else 1
        references[key] = [int(i) for i in head.add(name, prior, length=length, dims=head.inventory.dims[name])]
    inputs = [*references["global"], *references["slab_variance"]]
    for unit, local in zip(horseshoe.units, references["local"], strict=True):
        inputs += [head.constant(unit), local]
    return head.derive(HORSESHOE, inputs, n)


def _r2d2_scales(head: HeadBuilder, r2d2: Shrinkage, parameter: str, spec: ModelSpec) -> list[int]:
    n = r2d2.units.size
    inputs = [int(head.add(head.inventory.name_of(parameter, "R2D2", "R2"), r2d2.priors["R2"], length=1, dims=())[0])]
    sigma = spec.priors.constants.get(RESIDUAL)
    if parameter != spec.family.parent.name or not has_residual(spec.family.name, spec.design.predictors):
        inputs.append(head.constant(1.0))
    elif isinstance(sigma, Prior):
        inputs.append(head.promise(RESIDUAL))
    else:
        inputs.append(head.constant(float(np.asarray(sigma))))
    (concentration,) = resolve(r2d2.priors["phi"]).arguments
    shares = head.add_simplex(head.inventory.name_of(parameter, "R2D2", "phi"), concentration, n)
    for unit, share in zip(r2d2.units, shares, strict=True):
        inputs += [head.constant(unit), share]
    return head.derive(R2D2, inputs, n)


SCALES = {"Horseshoe": _horseshoe_scales, "R2D2": _r2d2_scales}
"""By the name of the prior: references to the scales of its coefficients; `head` gets its parameters."""


def _hyperprior_rows(
    head: HeadBuilder, name: str, prior: Prior, columns: int, dims: tuple[str, ...]
) -> list[list[int]]:
    """A hyperprior whose own arguments are single numbers is of one number for all columns; else each has its own."""
    density = prior.density
    references = head.references(name, prior, columns, dims, shared=True)
    places = [-1 if place is None else place for place in (density.location, density.scale)]
    return [
        [density.code, *places, *[*(reference[column] for reference in references), -1, -1, -1, -1][:4]]
        for column in range(columns)
    ]


def uncentre(head: HeadBuilder, parameter: str, rows: Sequence[Sequence[tuple[int, ShrunkColumns]]]) -> None:
    """Tell a parameter's intercept that columns are centred whose coefficients are effects.

    Parameters
    ----------
    head : HeadBuilder
    parameter : str
    rows : sequence
        For each of its linear predictors, where the effects of each block begin, and the block.
    """
    places = [
        np.concatenate([-1 - (start + np.arange(shrunk.means.size)) for start, shrunk in blocks]) for blocks in rows
    ]
    means = np.concatenate([shrunk.means for _, shrunk in rows[0]])
    for i, variable in enumerate(head.variables):
        of = head.inventory.by_name[variable.name]
        if (of.parameter, of.kind) == (parameter, "intercept"):
            effects = places[0] if variable.columns.ndim == 1 else np.stack(places)
            columns = np.concatenate([variable.columns, effects], axis=-1)
            head.variables[i] = replace(variable, columns=columns, means=np.append(variable.means, means))
