"""How predictors depend on the head: dense rows, and coded columns by their tables; and products of such designs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.codes import constant_slope
from nutslite.posterior.assembly.coded_columns import coefficients_of, table_of
from nutslite.posterior.products.level_sums import LevelDesign, dense_products, pair_products
from nutslite.posterior.products.products import weighted_products
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.head import BLOCKWISE
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import ABOVE, constrain_derivative

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

MOST_PAIRS = 1_000_000  # of codes that are counted without looking which of them there are


@dataclass(frozen=True)
class CodedColumns:
    """Columns that are ``table[:, code]``.

    Attributes
    ----------
    places : ndarray of int, shape (s,)
        Positions of the head that they belong to.
    table : ndarray, shape (s, L)
    code : ndarray of int64, shape (n,)
    """

    places: IndexArray
    table: FloatArray
    code: IndexArray

    def sums(self, dense: FloatArray, weights: FloatArray) -> FloatArray:
        """self diag(weights) dense', shape (s, p), for `dense` (p, n)."""
        by_code = dense_products(LevelDesign(self.code, self.table.shape[1], 1, {0: None}), dense, weights)
        return np.einsum("sl,lp->sp", self.table, by_code)  # not BLAS, see products.py

    def level_sums(self, design: LevelDesign, weights: FloatArray) -> FloatArray:
        """design' diag(weights) self', shape (size, s), by whichever of two ways does less."""
        codes = self.table.shape[1]
        if design.n_levels * codes > max(MOST_PAIRS, self.code.size):
            return dense_products(design, self.table[:, self.code], weights)
        pairs = pair_products(design, LevelDesign(self.code, codes, 1, {0: None}), weights)
        return np.einsum("el,sl->es", pairs, self.table)


@dataclass(frozen=True)
class HeadDesign:
    """d eta / d head of one predictor.

    Attributes
    ----------
    constant : ndarray, shape (c,)
        Derivatives that are the same in all rows of data, such as an intercept's: no columns are made of them.
    constant_places : ndarray of int, shape (c,)
        Positions of the head that they belong to.
    dense : ndarray, shape (p, n)
    places : ndarray of int, shape (p,)
        Positions of the head that the dense rows belong to.
    coded : tuple of CodedColumns
    """

    constant: FloatArray
    constant_places: IndexArray
    dense: FloatArray
    places: IndexArray
    coded: tuple[CodedColumns, ...] = ()

    def sums(self, weights: FloatArray) -> tuple[FloatArray, IndexArray]:
        """All columns times the weights of rows, and the positions that the numbers belong to."""
        sums = [self.constant * weights.sum(), np.einsum("pn,n->p", self.dense, weights)]  # not BLAS, see products.py
        places = [self.constant_places, self.places]
        for coded in self.coded:
            sums.append(coded.table @ np.bincount(coded.code, weights, coded.table.shape[1]))
            places.append(coded.places)
        return np.concatenate(sums), np.concatenate(places)


class HeadDesigns:
    """The designs of a model's predictors at any position; what is the same everywhere is made once."""

    def __init__(self, model: ModelData) -> None:
        self.model, self.n = model, model.y.shape[1]
        self._codes_of: dict[int, IndexArray] = {}

    def __call__(self, j: int, position: FloatArray, values: FloatArray) -> HeadDesign:
        """Of predictor `j`; of a constant parameter one constant, and one for each element that is below it."""
        model, predictor = self.model, self.model.predictors[j]
        nothing, nowhere = np.empty((0, self.n)), np.empty(0, dtype=np.int64)
        if predictor[md.VARIES] == 0:
            at = int(predictor[md.CONSTANT])
            if at >= model.head.transforms.size:
                return HeadDesign(np.empty(0), nowhere, nothing, nowhere)
            chain = self._chain(at)
            slopes = np.array([self._slope(place, position) for place in chain])
            slopes *= 1.0 / constant_slope(model.links[j], values[at])
            return HeadDesign(slopes, np.array(chain), nothing, nowhere)
        rows = slice(int(predictor[md.COLUMN_START]), int(predictor[md.COLUMN_STOP]))
        places, at = model.coefficients[rows], int(predictor[md.INTERCEPT])
        intercept = nowhere if at < 0 else np.array([at])
        slopes = np.array([self._slope(int(place), position) for place in intercept])
        dense = self._times_slopes(model.matrix[rows], places, position)
        return HeadDesign(slopes, intercept, dense, places, self._coded(j, position))

    def _chain(self, at: int) -> list[int]:
        """Elements that the value of one depends on: those below it, where it is of an ordered vector, and itself."""
        first = at
        while self.model.head.transforms[first] == ABOVE:
            first -= 1
        return list(range(first, at + 1))

    def _coded(self, j: int, position: FloatArray) -> tuple[CodedColumns, ...]:
        out = []
        for block in self.model.codes.blocks:
            if block[md.PREDICTOR] == j:
                places, factor = coefficients_of(block, self.model.codes), int(block[md.FACTOR])
                if factor not in self._codes_of:
                    self._codes_of[factor] = self.model.levels[factor].astype(np.int64)
                table = self._times_slopes(table_of(block, self.model.codes), places, position)
                out.append(CodedColumns(places, table, self._codes_of[factor]))
        return tuple(out)

    def _times_slopes(self, columns: FloatArray, places: IndexArray, position: FloatArray) -> FloatArray:
        slopes = np.array([self._slope(int(at), position) for at in places])
        return columns if np.all(slopes == 1.0) else columns * slopes[:, None]

    def _slope(self, at: int, position: FloatArray) -> float:
        head = self.model.head
        if head.transforms[at] == BLOCKWISE:
            return 0.0
        return float(constrain_derivative(head.transforms[at], position[at], head.bounds[0, at], head.bounds[1, at]))


def add_products(left: HeadDesign, right: HeadDesign, weights: FloatArray, out: FloatArray) -> None:
    """Add left' diag(weights) right to the matrix `out` over the head, at their places."""
    if left.constant.size:
        sums, places = right.sums(weights)
        out[np.ix_(left.constant_places, places)] += np.outer(left.constant, sums)
    if right.constant.size:
        sums, places = left.sums(weights)
        own = left.constant.size  # which are above with these
        out[np.ix_(places[own:], right.constant_places)] += np.outer(sums[own:], right.constant)
    out[np.ix_(left.places, right.places)] += weighted_products(left.dense, weights, right.dense)
    for coded in left.coded:
        out[np.ix_(coded.places, right.places)] += coded.sums(right.dense, weights)
    for coded in right.coded:
        out[np.ix_(left.places, coded.places)] += coded.sums(left.dense, weights).T
    for one in left.coded:
        for other in right.coded:
            out[np.ix_(one.places, other.places)] += _coded_products(one, other, weights)


def _coded_products(one: CodedColumns, other: CodedColumns, weights: FloatArray) -> FloatArray:
    """one diag(weights) other', from the sums of weights over equal pairs of codes."""
    size, width = one.table.shape[1], other.table.shape[1]
    if one.code is other.code:
        sums = np.asarray(np.bincount(one.code, weights, size), dtype=float)
        return weighted_products(one.table, sums, other.table)
    pair = one.code * width + other.code
    if size * width <= MOST_PAIRS:
        sums = np.asarray(np.bincount(pair, weights, size * width), dtype=float)
        found = np.flatnonzero(sums)
        sums = sums[found]
    else:
        found, place = np.unique(pair, return_inverse=True)
        sums = np.asarray(np.bincount(place.reshape(-1), weights), dtype=float)
    left, right = one.table[:, found // width], other.table[:, found % width]
    return weighted_products(np.ascontiguousarray(left), sums, np.ascontiguousarray(right))
