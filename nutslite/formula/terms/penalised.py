"""From a basis and its penalty to columns of a mixed model: coefficients of lines, weights of bends.

A function f with the coefficients b and the penalty b'Sb has the density of

    f = lines * linear + sum over j of column_j * weight_j,      weight_j ~ N(0, sigma^2)

where the lines are what the penalty says nothing of, and the columns are the other eigenvectors of S, divided by the
square roots of their eigenvalues (Wood 2017, section 5.4). Of all ways to write that down this is the one whose columns
are orthogonal to each other, to the lines and to the constant over the rows that the model is built from.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ZERO = 1e-10  # of the largest eigenvalue of a penalty: below it a function costs nothing


def penalised_maps(basis: FloatArray, penalty: FloatArray, lines: FloatArray, *, centred: bool) -> FloatArray:
    """Coefficients (k, m) of the penalised columns.

    Parameters
    ----------
    basis : ndarray, shape (n, k)
        Of the rows, times the numbers of a numeric ``by=``.
    penalty : ndarray, shape (k, k)
    lines : ndarray, shape (k, p)
        Coefficients of the functions that cost nothing, but for the constant where it is left out.
    centred : bool
        Whether columns sum to zero over the rows: the constant is left out of the span.
    """
    free = lines.shape[1]
    absorbed = np.eye(basis.shape[1])
    if centred:  # what is left of the k coefficients once the constraint is absorbed
        absorbed = np.linalg.qr(basis.mean(axis=0)[:, None], mode="complete")[0][:, 1:]
    values, vectors = np.linalg.eigh(absorbed.T @ penalty @ absorbed)
    maps = absorbed @ (vectors[:, free:] / np.sqrt(np.maximum(values[free:], _ZERO * values[-1])))
    if free:
        straight = basis @ lines
        maps = maps - lines @ np.linalg.lstsq(straight, basis @ maps, rcond=None)[0]
    return rotated(basis, maps)


def rotated(basis: FloatArray, maps: FloatArray) -> FloatArray:
    """The same functions as orthogonal columns over the rows, the largest first, whose squares sum to one a row."""
    columns = basis @ maps
    rotation = np.linalg.svd(columns, full_matrices=columns.shape[0] < columns.shape[1])[2]
    maps = maps @ rotation.T / np.sqrt(np.mean(np.sum(columns**2, axis=1)))
    signs = np.sign(maps[np.abs(maps).argmax(axis=0), np.arange(maps.shape[1])])  # not left to the linear algebra
    return np.ascontiguousarray(maps * signs)


def line_coefficients(basis: FloatArray, functions: FloatArray) -> FloatArray:
    """Coefficients (k, p) of functions, shape (p, n), that are in the span of a basis (n, k)."""
    return np.asarray(np.linalg.lstsq(basis, functions.T, rcond=None)[0], dtype=float)
