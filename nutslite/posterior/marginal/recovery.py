"""Draw the coefficients and group effects that `marginal` integrated out, exactly, given each draw of the rest."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._awaited import NATURAL, wait_for
from nutslite._numba import INDEX_MATRIX, INDEX_VECTOR, MATRIX, VECTOR, kernel_with_signature, without_dispatch
from nutslite._parallel import available_cpus, run_in_parts
from nutslite.posterior.density.linalg import backward_solve, cholesky_in_place, forward_solve
from nutslite.posterior.marginal.elimination import eliminate, size_of_class
from nutslite.posterior.marginal.marginal import MARGINAL_DATA, MarginalData, fill_columns, fill_system, widest
from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.nodes.program import DERIVED, derived_of, fill_derived
from nutslite.posterior.record.head import constrain_here
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.reference import by_reference

FloatArray = NDArray[np.float64]
DRAWS_PER_CHUNK_BYTES = 2e6
FEWEST_PER_THREAD = 250  # draws


def recover(
    reduction: Reduction,
    positions: FloatArray,
    rng: np.random.Generator,
    cores: int | None = None,
    out: tuple[FloatArray, FloatArray] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Joint values and effects for draws of the remaining parameters.

    Parameters
    ----------
    positions : ndarray, shape (draws, dimension of the remaining parameters)
    rng : numpy Generator
    cores : int, optional
        Threads that share the draws; by default as many as there are CPUs.
    out : (ndarray, ndarray), optional
        Overwritten and returned, of these shapes.

    Returns
    -------
    values : ndarray, shape (draws, n_values)
    effects : ndarray, shape (draws, n_effects)
    """
    draws = positions.shape[0]
    values, effects = out or (np.empty((draws, reduction.n_values)), np.empty((draws, reduction.n_effects)))
    r = reduction.rest_targets.size
    size = r + reduction.level_targets.size
    chunk = max(1, int(DRAWS_PER_CHUNK_BYTES / (8 * max(1, size))))
    for start in range(0, draws, chunk):
        stop = min(draws, start + chunk)
        normals = rng.standard_normal((stop - start, size))
        recover_part = _Recovery(reduction, positions[start:stop], normals, values[start:stop], effects[start:stop])
        run_in_parts(recover_part, stop - start, cores or available_cpus(), FEWEST_PER_THREAD)
    return values, effects


@dataclass(frozen=True)
class _Recovery:
    """Recovery of some of the draws, for one thread: the random numbers are there already."""

    reduction: Reduction
    positions: FloatArray
    normals: FloatArray
    values: FloatArray
    effects: FloatArray

    def __call__(self, part: slice) -> None:
        reduction = self.reduction
        compiled_recovery()(
            reduction.data,
            derived_of(reduction.data.head),
            np.ascontiguousarray(self.positions[part]),
            reduction.kept,
            reduction.rest_targets,
            reduction.shift,
            reduction.level_cross,
            reduction.level_class,
            reduction.level_targets,
            reduction.level_shift,
            self.normals[part],
            self.values[part],
            self.effects[part],
        )


@functools.cache
def compiled_recovery() -> Callable[..., None]:
    """`_recover` for the one type of data that all models have."""
    wait_for(NATURAL)
    cube = types.Array(types.float64, 3, "C")
    system = (MARGINAL_DATA, DERIVED, MATRIX, INDEX_VECTOR, INDEX_VECTOR, VECTOR)
    levels = (cube, INDEX_VECTOR, INDEX_MATRIX, VECTOR)
    signature = types.void(*system, *levels, MATRIX, MATRIX, MATRIX)
    return without_dispatch(kernel_with_signature(_recover, signature), signature)


def _recover(
    data: MarginalData,
    derived,
    positions,
    kept,
    rest_targets,
    shift,
    level_cross,
    level_class,
    level_targets,
    level_shift,
    normals,
    values,
    effects,
):
    """Overwrite `values` and `effects`; `normals` (draws, r + levels * q) are overwritten with the drawn columns."""
    r = rest_targets.shape[0]
    n_kept = kept.shape[0]
    own = np.empty(n_kept + data.head.fixed.shape[0])
    schur = np.empty((r + 1, r + 1))
    q = data.eliminated
    group_precision = np.empty((q, q))
    inverses = np.empty((data.class_counts.shape[0], q, q))
    factors = np.empty(inverses.shape)
    work = np.empty((2, widest(data), widest(data)))
    mean = np.empty(max(r, q))
    sizes = np.empty(inverses.shape[0])
    scratch = (own, schur, group_precision, inverses, factors, work, mean, sizes)
    system = (kept, rest_targets, shift, level_cross, level_class, level_targets, level_shift)
    _recover_draws(by_reference(data), derived, positions, system, normals, values, effects, scratch)


@uncounted
def _recover_draws(data: MarginalData, derived, positions, system, normals, values, effects, scratch):
    """`_recover`, whose arguments these are, with memory: for few numbers, counting references takes the most time."""
    kept, rest_targets, shift, level_cross, level_class, level_targets, level_shift = system
    own, schur, group_precision, inverses, factors, work, mean, sizes = scratch
    r, q, n_kept = rest_targets.shape[0], data.eliminated, kept.shape[0]
    head = data.head
    n_head = values.shape[1] - head.fixed.shape[0]
    for draw in range(positions.shape[0]):
        position = positions[draw]
        constrain_here(position, head, own)
        fill_derived(head.nodes, derived, own)
        t = 1.0 / (own[data.sigma] * own[data.sigma])
        if data.blocks.shape[0] == 0:
            fill_columns(data.cross, data.precision, t, schur)
        else:
            fill_system(position, data, own, t, schur, group_precision, work)
            eliminate(data, own, t, group_precision, schur, inverses, work)
        cholesky_in_place(schur, r)
        rest = normals[draw, :r]
        _draw_rest(schur, r, rest, mean)
        for k in range(sizes.shape[0]):
            sizes[k] = size_of_class(data, own, k)
        _draw_levels(t, sizes, inverses, factors, level_cross, level_class, rest, normals[draw, r:], mean)
        for i in range(n_kept):
            values[draw, kept[i]] = own[i]
        for i in range(head.fixed.shape[0]):
            values[draw, n_head + i] = own[n_kept + i]
        for c in range(r):
            if rest_targets[c] >= 0:
                values[draw, rest_targets[c]] = rest[c] + shift[c]
            else:
                effects[draw, -1 - rest_targets[c]] = rest[c] + shift[c]
        for level in range(level_targets.shape[0]):
            for c in range(q):
                effects[draw, level_targets[level, c]] = normals[draw, r + level * q + c] + level_shift[c]


@uncounted
def _draw_rest(schur, r, rest, mean):
    """Turn standard normals into a draw of N(S^-1 e, S^-1), L'^-1 (L^-1 e + normals); e is the border of `schur`.

    `mean` is scratch, here and below; so is `factors`.
    """
    for c in range(r):
        mean[c] = schur[r, c]
    forward_solve(schur, r, mean)
    for c in range(r):
        rest[c] += mean[c]
    backward_solve(schur, r, rest)


@uncounted
def _draw_levels(t, sizes, inverses, factors, level_cross, level_class, rest, out, right):
    """Turn standard normals into draws of f N(t f M (Z'y - B rest), M), level by level, f being its class's."""
    n_levels, q, width = level_cross.shape
    for k in range(inverses.shape[0]):
        for c in range(q):
            for d in range(q):
                factors[k, c, d] = inverses[k, c, d]
        cholesky_in_place(factors[k], q)
    for level in range(n_levels):
        k = level_class[level]
        for c in range(q):
            row = level_cross[level, c]
            total = row[width - 1]
            for i in range(width - 1):
                total -= row[i] * rest[i]
            right[c] = t * sizes[k] * total
        for c in range(q - 1, -1, -1):
            total = 0.0
            for d in range(c + 1):
                total += factors[k, c, d] * out[level * q + d]
            for d in range(q):
                total += inverses[k, c, d] * right[d]
            out[level * q + c] = total
        for c in range(q):
            out[level * q + c] *= sizes[k]
