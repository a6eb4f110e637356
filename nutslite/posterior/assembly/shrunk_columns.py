"""Common columns whose coefficients have hyperpriors, or share a horseshoe: columns of blocks of one level.

So they are centred as effects of groups are, and integrated out with these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.posterior.assembly.basis_columns import LOCATION, SCALE
from nutslite.posterior.record.layout import HeadBuilder, named_arguments
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.node_table import HORSESHOE
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.horseshoe import Horseshoe, horseshoe_of
from nutslite.priors.hyperparameters import is_shared
from nutslite.priors.prior import Prior

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ShrunkColumns:
    """The columns of a linear predictor that are one block.

    Attributes
    ----------
    terms : tuple of CommonTerm
        Of one horseshoe; or one term, whose coefficients have hyperpriors.
    matrix : ndarray, shape (columns, n)
        Centred where there is an intercept.
    means : ndarray, shape (columns,)
        What was subtracted.
    horseshoe : Horseshoe, optional
    """

    terms: tuple[CommonTerm, ...]
    matrix: FloatArray
    means: FloatArray
    horseshoe: Horseshoe | None = None


def has_weights(spec: ModelSpec) -> bool:
    """Whether there are blocks of one level, of weights or of such columns."""
    return any(
        any(term.weights is not None for term in predictor.basis_terms) or take_apart(spec, predictor)[1]
        for predictor in spec.design.predictors.values()
    )


def take_apart(spec: ModelSpec, predictor: LinearPredictor) -> tuple[LinearPredictor, list[ShrunkColumns]]:
    """The predictor without terms that have hyperpriors or a horseshoe, and their columns, a block each.

    Where priors are about uncentred predictors the columns are not centred: then the intercept that is sampled does not
    depend on their coefficients.
    """
    priors = spec.priors.terms[predictor.parameter]
    horseshoe = horseshoe_of(predictor, priors)
    groups: list[tuple[tuple[CommonTerm, ...], Horseshoe | None]] = []
    if horseshoe is not None:
        groups.append((horseshoe.terms, horseshoe))
    groups += [((term,), None) for term in predictor.terms if priors[term.name].hierarchical]
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
    blocks = [_block(predictor, own, horseshoe, centred) for own, horseshoe in groups]
    return replace(predictor, matrix=rest, terms=tuple(terms)), blocks


def _block(
    predictor: LinearPredictor, terms: tuple[CommonTerm, ...], horseshoe: Horseshoe | None, centred: bool
) -> ShrunkColumns:
    matrix = np.concatenate([predictor.matrix[term.start : term.stop] for term in terms])
    means = matrix.mean(axis=1) if centred else np.zeros(matrix.shape[0])
    return ShrunkColumns(terms, matrix - means[:, None], means, horseshoe)


def shrunk_rows(
    head: HeadBuilder, shrunk: ShrunkColumns, parameter: str, priors: Mapping[str, Any], dims: tuple[str, ...]
) -> list[list[int]]:
    """Rows of `ModelData.block_columns`, without the first field, references unresolved; `head` gets the parameters.

    `dims` are those of the first term's coefficients, without the dimension along a vector's rows.
    """
    if shrunk.horseshoe is not None:
        return _horseshoe_rows(head, shrunk.horseshoe, parameter)
    (term,) = shrunk.terms
    name = head.inventory.name_of(parameter, term.name)
    return _hyperprior_rows(head, name, priors[term.name], len(shrunk.matrix), dims)


def _horseshoe_rows(head: HeadBuilder, horseshoe: Horseshoe, parameter: str) -> list[list[int]]:
    n = horseshoe.units.size
    references = {}
    for key, prior in horseshoe.priors.items():
        name = head.inventory.name_of(parameter, "horseshoe", key)
        length = n if key == "local" else 1
        references[key] = [int(i) for i in head.add(name, prior, length=length, dims=head.inventory.dims[name])]
    inputs = [*references["global"], *references["slab_variance"]]
    for unit, local in zip(horseshoe.units, references["local"], strict=True):
        inputs += [head.constant(unit), local]
    zero = head.constant(0.0)
    return [[NORMAL, LOCATION, SCALE, zero, scale, -1, -1] for scale in head.derive(HORSESHOE, inputs, n)]


def _hyperprior_rows(
    head: HeadBuilder, name: str, prior: Prior, columns: int, dims: tuple[str, ...]
) -> list[list[int]]:
    """A hyperprior whose own arguments are single numbers is of one number for all columns; else each has its own."""
    density = prior.density
    references = []
    for key, value in named_arguments(prior):
        if isinstance(value, Prior) and is_shared(value):
            references.append(head.argument(name, key, value, 1, ()) * columns)
        else:
            references.append(head.argument(name, key, value, columns, dims))
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
