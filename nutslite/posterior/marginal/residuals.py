"""What least squares leave of a Gaussian model's response, made some rows at a time: no column of it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.assembly.coded_columns import common_columns
from nutslite.posterior.products.products import weighted_products
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData

FloatArray = NDArray[np.float64]

CLOSE_FIT = 1e-3  # share of the response's squares in the residuals below which three digits and more would cancel
CHUNK_BYTES = 1 << 21  # of common columns at a time
VECTOR_ROWS = 64  # chunks are multiples of it, so that a row's number does not depend on where its chunk begins


class Residuals:
    """The response less offset, locations and least squares, as a column whose rows are made when they are asked for.

    Parameters
    ----------
    model : ModelData
    n_common : int
        Common columns, an intercept first where there is one.
    locations : sequence of (float, ndarray of shape (n,) or None)
        What else is subtracted: numbers times columns, None for ones.

    Attributes
    ----------
    shift : ndarray, shape (p,)
        The least-squares coefficients of the common columns.
    products : ndarray, shape (p + 1, p + 1)
        [common, residuals]' W [common, residuals].
    """

    def __init__(
        self, model: ModelData, n_common: int, locations: Sequence[tuple[float, FloatArray | None]] = ()
    ) -> None:
        self._model, self._p, self._locations = model, n_common, locations
        p = n_common
        products = np.zeros((p + 1, p + 1))
        for rows in self._chunks(slice(0, model.y.shape[1])):
            dense = self._dense(rows)
            products += weighted_products(dense, self._weights(rows), dense)
        self.shift = np.asarray(np.linalg.lstsq(products[:p, :p], products[:p, p], rcond=None)[0], dtype=float)
        self.products = self._of_residuals(products)

    def __getitem__(self, rows: slice) -> FloatArray:
        out = np.empty(rows.stop - rows.start)
        for some in self._chunks(rows):
            out[some.start - rows.start : some.stop - rows.start] = self._with_residuals(some)[self._p]
        return out

    def _of_residuals(self, products: FloatArray) -> FloatArray:
        """The same cross-products with residuals in the response's place."""
        p = self._p
        left = products[:p, p] - products[:p, :p] @ self.shift
        squares = float(products[p, p] - self.shift @ (products[:p, p] + left))
        if not self._model.blocks.size and squares > CLOSE_FIT * products[p, p]:
            products[p], products[:, p] = np.append(left, squares), np.append(left, squares)
            return products
        # Those of residuals from the residuals themselves: from the products they would cancel where the fit is close.
        found = np.zeros(p + 1)
        for rows in self._chunks(slice(0, self._model.y.shape[1])):
            dense = self._with_residuals(rows)
            found += weighted_products(dense[p:], self._weights(rows), dense)[0]
        products[p], products[:, p] = found, found
        return products

    def _chunks(self, rows: slice) -> Iterator[slice]:
        """Rows of a few megabytes, so that no copy of all columns is made."""
        size = max(4 * VECTOR_ROWS, CHUNK_BYTES // (8 * (self._p + 1)) // VECTOR_ROWS * VECTOR_ROWS)
        return (slice(start, min(rows.stop, start + size)) for start in range(rows.start, rows.stop, size))

    def _with_residuals(self, rows: slice) -> FloatArray:
        """[common, residuals]' of some rows, shape (p + 1, rows)."""
        dense = self._dense(rows)
        dense[self._p] -= np.einsum("p,pn->n", self.shift, dense[: self._p])  # not BLAS, see products.py
        return dense

    def _dense(self, rows: slice) -> FloatArray:
        """[common, response]' of some rows, shape (p + 1, rows)."""
        model, columns = self._model, common_columns(self._model, 0, rows)
        out = np.empty((self._p + 1, columns.shape[1]))
        out[0] = 1.0  # of the intercept, where there is one
        out[self._p - columns.shape[0] : self._p] = columns
        offset = model.predictors[0, md.OFFSET]
        out[-1] = model.y[0, rows] - model.offsets[offset, rows] if offset >= 0 else model.y[0, rows]
        for location, column in self._locations:
            out[-1] -= location if column is None else location * column[rows]
        return out

    def _weights(self, rows: slice) -> FloatArray | None:
        return self._model.weights[rows] if self._model.weights.size else None
