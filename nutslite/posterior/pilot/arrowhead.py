"""Linear algebra of arrowhead matrices: a dense border, and blocks that only the border couples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.pilot.information import Information

FloatArray = NDArray[np.float64]


def made_positive(information: Information) -> Information | None:
    """A matrix that is not positive definite with negative curvature lifted; None if hopeless."""
    for lift in (1e-8, 1e-4, 1e-2, 1e-1, 1.0):
        border, blocks = information.border.copy(), information.blocks.copy()
        border[np.diag_indices_from(border)] += lift * (np.abs(np.diag(border)) + 1e-8)
        if blocks.size:
            diagonal = np.einsum("lcc->lc", blocks)
            diagonal += lift * (np.abs(diagonal) + 1e-8)
        candidate = Information(border, information.coupling, blocks, information.level_information)
        if schur_complement(candidate) is not None:
            return candidate
    return None


def schur_complement(information: Information) -> tuple[FloatArray, FloatArray] | None:
    """D^-1 B, shape (levels * q, m), and A - B'D^-1 B; None if the whole is not positive definite."""
    levels, q, _ = information.blocks.shape
    m = information.border.shape[0]
    schur: FloatArray = information.border
    solved: FloatArray = np.empty((0, m))
    try:
        if levels:
            factors = np.linalg.cholesky(information.blocks)
            if q == 1:  # LAPACK takes longer for each of them than for a division
                solved = information.coupling / factors[:, 0] ** 2
            else:
                coupling = information.coupling.reshape(levels, q, m)
                solved = np.asarray(np.linalg.solve(information.blocks, coupling), dtype=float).reshape(levels * q, m)
            schur = np.asarray(schur - information.coupling.T @ solved, dtype=float)
        np.linalg.cholesky(schur)
    except np.linalg.LinAlgError:
        return None
    return solved, schur


def solve_arrowhead(information: Information, right: FloatArray) -> FloatArray | None:
    """H^-1 right, or None where H is not positive definite."""
    reduced = schur_complement(information)
    if reduced is None:
        return None
    solved, schur = reduced
    levels, q, _ = information.blocks.shape
    m = information.border.shape[0]
    head = np.linalg.solve(schur, right[:m] - solved.T @ right[m:])
    if not levels:
        return np.asarray(head)
    tail = right[m:] - information.coupling @ head
    body = np.linalg.solve(information.blocks, tail.reshape(levels, q, 1)).reshape(-1)
    return np.concatenate([head, body])


def arrowhead_variances(information: Information) -> FloatArray:
    """Diagonal of H^-1."""
    reduced = schur_complement(information)
    if reduced is None:
        raise np.linalg.LinAlgError("the information matrix is not positive definite")
    solved, schur = reduced
    inverse = np.linalg.inv(schur)
    if not information.blocks.size:
        return np.diag(inverse).copy()
    body = np.einsum("lcc->lc", np.linalg.inv(information.blocks)).ravel()
    body = body + np.einsum("im,mn,in->i", solved, inverse, solved, optimize=True)
    return np.concatenate([np.diag(inverse), body])
