"""Batch and match for many dimensions: normals whose covariance is a diagonal matrix and one of low rank.

The step of batch and match, written in products with a batch of vectors, ends in a diagonal matrix and one whose rank
has grown by twice the batch (Modi, Cai and Saul 2025, Batch, match, and patch: low-rank approximations for score-based
variational inference, AISTATS, arXiv:2410.22292, section 3). It is cut back to the directions in which it differs most
from the diagonal; the diagonal then takes up what is left, so that all variances are what they were. A step takes time
in proportion to the dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nutslite.sampler.pathfinder.low_rank_normal import LowRankNormal
from nutslite.sampler.variational.batch_and_match import Form

FloatArray = NDArray[np.float64]

RANK = 32


def match_low_rank(present: LowRankNormal, positions: FloatArray, gradients: FloatArray, rate: float) -> LowRankNormal:
    """The normal that matches the gradients of a batch, held back; as `batch_and_match.match_dense`, for low ranks.

    With U = K K' the solution of S U S + S = V is V - V K W diag(1 / (1/2 + (t + 1/4)^1/2)^2) W' K' V, where K'V K has
    the eigenvectors W and eigenvalues t. `bends` is K, `product` V K.
    """
    mean, slope = positions.mean(axis=0), gradients.mean(axis=0)
    n, share = len(positions), rate / (1.0 + rate)
    off = present.center - mean
    bends = np.concatenate([np.sqrt(rate / n) * (gradients - slope), np.sqrt(share) * slope[None]]).T
    added = np.concatenate([np.sqrt(rate / n) * (positions - mean), np.sqrt(share) * off[None]]).T
    directions, signs = _directions(present)
    wide = np.concatenate([directions, added], axis=1)
    signs = np.concatenate([signs, np.ones(added.shape[1])])
    product = present.scales[:, None] ** 2 * bends + (wide * signs) @ (wide.T @ bends)
    values, vectors = np.linalg.eigh(bends.T @ product)
    taken = product @ vectors / (0.5 + np.sqrt(np.maximum(values, 0.0) + 0.25))
    wide = np.concatenate([wide, taken], axis=1)
    signs = np.concatenate([signs, -np.ones(taken.shape[1])])
    times_slope = present.scales**2 * slope + (wide * signs) @ (wide.T @ slope)
    center = (1.0 - share) * present.center + share * (times_slope + mean)
    return _cut(center, present.scales, wide, signs)


def average_low_rank(normals: Sequence[LowRankNormal]) -> LowRankNormal:
    """The normal with the mean of their means and, but for what is cut, of their covariances."""
    parts = [_directions(normal) for normal in normals]
    directions = np.concatenate([part for part, _ in parts], axis=1) / np.sqrt(len(normals))
    scales = np.sqrt(np.mean([normal.scales**2 for normal in normals], axis=0))
    center = np.mean([normal.center for normal in normals], axis=0)
    return _cut(center, scales, directions, np.concatenate([signs for _, signs in parts]))


def _directions(normal: LowRankNormal) -> tuple[FloatArray, FloatArray]:
    """Vectors v (dimension, rank) and signs (rank,) with covariance = diag(scales)^2 + sum of sign v v'."""
    values, vectors = np.linalg.eigh(normal.factor @ normal.factor.T - np.eye(len(normal.factor)))
    return normal.scales[:, None] * (normal.basis @ vectors) * np.sqrt(np.abs(values)), np.sign(values)


def _cut(center: FloatArray, scales: FloatArray, directions: FloatArray, signs: FloatArray) -> LowRankNormal:
    """The normal of rank `RANK` at most, with the variances of diag(scales)^2 + sum of sign v v'."""
    variances = scales**2 + (directions**2) @ signs
    basis, triangle = np.linalg.qr(directions / scales[:, None])
    values, vectors = np.linalg.eigh((triangle * signs) @ triangle.T)
    if not (values > -1.0).all() or not (variances > 0.0).all():
        raise np.linalg.LinAlgError("rounding left no covariance")
    most = np.argsort(-np.abs(np.log1p(values)))[:RANK]
    basis, values = basis @ vectors[:, most], values[most]
    scales = np.sqrt(variances / (1.0 + (basis**2) @ values))
    return LowRankNormal(center, scales, basis, np.diag(np.sqrt(1.0 + values)))


LOW_RANK = Form(match_low_rank, average_low_rank)
