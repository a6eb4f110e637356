"""Common columns whose coefficients share a horseshoe: columns of a block of one level with scales that are derived."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.posterior.assembly.basis_columns import LOCATION, SCALE
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.node_table import HORSESHOE
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.horseshoe import Horseshoe, horseshoe_of

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ShrunkColumns:
    """The columns of a linear predictor that have a horseshoe.

    Attributes
    ----------
    horseshoe : Horseshoe
    matrix : ndarray, shape (columns, n)
        Centred where there is an intercept.
    means : ndarray, shape (columns,)
        What was subtracted.
    """

    horseshoe: Horseshoe
    matrix: FloatArray
    means: FloatArray


def take_apart(spec: ModelSpec, predictor: LinearPredictor) -> tuple[LinearPredictor, ShrunkColumns | None]:
    """The predictor without the terms of its horseshoe, and their columns; as it is where it has no horseshoe.

    Where priors are about uncentred predictors the columns are not centred: then the intercept that is sampled does not
    depend on their coefficients.
    """
    horseshoe = horseshoe_of(predictor, spec.priors.terms[predictor.parameter])
    if horseshoe is None:
        return predictor, None
    centred = predictor.intercept and spec.center_predictors
    matrix = predictor.matrix[horseshoe.columns]
    means = matrix.mean(axis=1) if centred else np.zeros(matrix.shape[0])
    terms: list[CommonTerm] = []
    for term in predictor.terms:
        if term not in horseshoe.terms:
            start = terms[-1].stop if terms else 0
            terms.append(replace(term, start=start, stop=start + term.stop - term.start))
    rest = np.ascontiguousarray(np.delete(predictor.matrix, horseshoe.columns, axis=0))
    shrunk = ShrunkColumns(horseshoe, matrix - means[:, None], means)
    return replace(predictor, matrix=rest, terms=tuple(terms)), shrunk


def shrunk_rows(head: HeadBuilder, horseshoe: Horseshoe, parameter: str) -> list[list[int]]:
    """Rows of `ModelData.block_columns`, without the first field, references unresolved; `head` gets the parameters."""
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


def uncentre(head: HeadBuilder, parameter: str, shrunk: ShrunkColumns, start: int) -> None:
    """Tell the intercept that columns of a horseshoe are centred: their effects begin at `start`."""
    for i, variable in enumerate(head.variables):
        of = head.inventory.by_name[variable.name]
        if (of.parameter, of.kind) == (parameter, "intercept"):
            effects = -1 - (start + np.arange(shrunk.means.size))
            columns, means = np.append(variable.columns, effects), np.append(variable.means, shrunk.means)
            head.variables[i] = replace(variable, columns=columns, means=means)
