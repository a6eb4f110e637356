"""Columns whose coefficients are derived: of monotonic effects, and of exact Gaussian processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.records import BasisTerm, LinearPredictor
from nutslite.posterior.assembly.process_columns import process_values
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.node_table import PRODUCT, WEIGHTED_SUM
from nutslite.priors.prior import resolve

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]


def with_derived_columns(
    head: HeadBuilder, predictor: LinearPredictor, coefficients: IndexArray, spec: ModelSpec
) -> tuple[FloatArray, FloatArray, IndexArray, list[tuple[int, int]]]:
    """All common columns: those of the predictor's matrix, then those of terms whose coefficients are derived.

    Parameters
    ----------
    head : HeadBuilder
        Gets simplexes and standard normals, and the nodes that make coefficients of them.
    predictor : LinearPredictor
    coefficients : ndarray of int
        Places in the head of the matrix's coefficients.
    spec : ModelSpec

    Returns
    -------
    matrix : ndarray, shape (columns, n)
    means : ndarray, shape (columns,)
        What is to be subtracted where there is an intercept; a process is what it is, and its columns stay so.
    coefficients : ndarray of int, shape (columns,)
        References.
    spans : list of (int, int)
        The columns of each term.
    """
    priors = spec.priors.terms[predictor.parameter]
    matrices, references = [predictor.matrix], [coefficients]
    spans = [(term.start, term.stop) for term in predictor.terms]
    centred = [np.full(len(predictor.matrix), predictor.intercept)]
    for term in predictor.basis_terms:
        if term.standard is not None:
            values = process_values(head, term, predictor.parameter, spec.priors)
            _append(term, values, matrices, references, spans)
            centred.append(np.zeros(len(values), dtype=bool))
        if term.simplex is None:
            continue
        (own,) = (own for own in predictor.terms if own.name in term.coefficients)
        slopes = [int(place) for place in coefficients[own.start : own.stop]]
        _append(term, _weights(head, term, predictor.parameter, slopes, priors), matrices, references, spans)
        centred.append(np.full(len(term.matrix), predictor.intercept))
    matrix = predictor.matrix if len(matrices) == 1 else np.concatenate(matrices)
    of_rows = matrix.mean(axis=1) if predictor.means is None else predictor.means
    means = np.where(np.concatenate(centred), of_rows, 0.0)
    return matrix, means, np.concatenate(references), spans


def _append(
    term: BasisTerm,
    coefficients: list[int],
    matrices: list[FloatArray],
    references: list[IndexArray],
    spans: list[tuple[int, int]],
) -> None:
    """Add a term's columns, with references to their coefficients, and where they are among all columns."""
    start = spans[-1][1] if spans else 0
    matrices.append(term.matrix)
    references.append(np.array(coefficients, dtype=np.int64))
    spans.append((start, start + len(coefficients)))


def _weights(
    head: HeadBuilder, term: BasisTerm, parameter: str, slopes: list[int], priors: Mapping[str, Any]
) -> list[int]:
    """References to slope (D z_i - 1), of all steps for each slope."""
    quantity = term.simplex
    if quantity is None:
        raise AssertionError("a monotonic term has a simplex")
    size = len(quantity.labels)
    (concentration,) = resolve(priors[term.full(quantity)]).arguments
    shares = head.add_simplex(head.inventory.name_of(parameter, term.name, quantity.name), concentration, size)
    steps, one, minus = head.constant(size), head.constant(1.0), head.constant(-1.0)
    above = head.derive(WEIGHTED_SUM, [place for share in shares for place in (steps, share, minus, one)], size)
    pairs = [place for slope in slopes for item in above for place in (slope, item)]
    return head.derive(PRODUCT, pairs, size * len(slopes))
