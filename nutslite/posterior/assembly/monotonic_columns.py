"""Monotonic effects: columns whose coefficients are made of a slope and a simplex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.records import BasisTerm, LinearPredictor
from nutslite.posterior.record.layout import HeadBuilder, Variable
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.node_table import PRODUCT, SIMPLEX, WEIGHTED_SUM
from nutslite.priors.prior import resolve

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


def monotonic_terms(predictor: LinearPredictor) -> list[BasisTerm]:
    """Terms whose columns have derived coefficients, in order."""
    return [term for term in predictor.basis_terms if term.simplex is not None]


def with_monotonic(
    head: HeadBuilder, predictor: LinearPredictor, coefficients: IndexArray, spec: ModelSpec
) -> tuple[FloatArray, IndexArray, list[tuple[int, int]]]:
    """All common columns: those of the predictor's matrix, then those of monotonic terms.

    Parameters
    ----------
    head : HeadBuilder
        Gets the simplexes, and the nodes that make coefficients of them.
    predictor : LinearPredictor
    coefficients : ndarray of int
        Places in the head of the matrix's coefficients.
    spec : ModelSpec

    Returns
    -------
    matrix : ndarray, shape (columns, n)
    coefficients : ndarray of int, shape (columns,)
        References.
    spans : list of (int, int)
        The columns of each term.
    """
    priors = spec.priors.terms[predictor.parameter]
    matrices, references = [predictor.matrix], [coefficients]
    spans = [(term.start, term.stop) for term in predictor.terms]
    for term in monotonic_terms(predictor):
        (own,) = (own for own in predictor.terms if own.name in term.coefficients)
        slopes = [int(place) for place in coefficients[own.start : own.stop]]
        references.append(np.array(_weights(head, term, predictor.parameter, slopes, priors), dtype=np.int64))
        matrices.append(term.matrix)
        start = spans[-1][1]
        spans.append((start, start + term.matrix.shape[0]))
    if len(matrices) == 1:
        return predictor.matrix, coefficients, spans
    return np.concatenate(matrices), np.concatenate(references), spans


def _weights(
    head: HeadBuilder, term: BasisTerm, parameter: str, slopes: list[int], priors: Mapping[str, Any]
) -> list[int]:
    """References to slope (D z_i - 1), of all steps for each slope."""
    quantity = term.simplex
    if quantity is None:
        raise AssertionError("a monotonic term has a simplex")
    size = len(quantity.labels)
    (concentration,) = resolve(priors[term.full(quantity)]).arguments
    first = head.add_block(size - 1)
    alphas = [head.constant(a) for a in np.broadcast_to(np.asarray(concentration, dtype=float), size)]
    shares = head.derive(SIMPLEX, [*range(first, first + size - 1), *alphas], size)
    name = head.inventory.name_of(parameter, term.name, quantity.name)
    head.variables.append(Variable(name, head.inventory.dims[name], "simplex", np.array(shares, dtype=np.int64)))
    steps, one, minus = head.constant(size), head.constant(1.0), head.constant(-1.0)
    above = head.derive(WEIGHTED_SUM, [place for share in shares for place in (steps, share, minus, one)], size)
    pairs = [place for slope in slopes for item in above for place in (slope, item)]
    return head.derive(PRODUCT, pairs, size * len(slopes))
