"""Dual numbers for NumPy: arrays that carry their derivatives through functions that cannot be compiled.

`DualArray` answers NumPy's and SciPy's universal functions (``np.exp``, ``scipy.special.gammaln``) and the usual array
functions (``np.sum``, ``np.where``, ``@``). A function that it does not know raises `NoDerivativeError` and gives no
wrong number.
`ufunc_slopes.py` and `scipy_slopes.py` have the rules, `function_copies.py` teaches users' functions that use `math`.
The compiled twin of this file is `duals.py`; both are compared in tests/test_derivatives.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.derivatives.ufunc_slopes import ONE, PLAIN, TWO

FloatArray = NDArray[np.float64]


class NoDerivativeError(TypeError):
    """A function met a dual array and there is no rule for its derivative."""


class DualArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array and its partial derivatives.

    Attributes
    ----------
    value : ndarray, any shape
    partials : ndarray, shape (width, *shape of value)
    """

    __array_priority__ = 1000.0

    def __init__(self, value: Any, partials: Any) -> None:
        self.value: FloatArray = np.asarray(value, dtype=np.float64)
        self.partials: FloatArray = np.asarray(partials, dtype=np.float64)

    # --- what an array has ---

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions of the value."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.value.size

    @property
    def dtype(self) -> np.dtype[np.float64]:
        """Always float64."""
        return self.value.dtype

    @property
    def T(self) -> DualArray:  # noqa: N802  # NumPy's name
        """Transposed."""
        order = (0, *(axis + 1 for axis in reversed(range(self.ndim))))
        return DualArray(self.value.T, self.partials.transpose(order))

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        raise NoDerivativeError("a function that takes floats only")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NoDerivativeError("a conversion to a plain array")

    def __iter__(self) -> Iterator[DualArray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> DualArray:
        where = index if isinstance(index, tuple) else (index,)
        value, partials = self.value[where], self.partials[(slice(None), *where)]
        return DualArray(value, partials if np.ndim(value) else partials.copy())  # one element is no view of its array

    def __setitem__(self, index: Any, item: Any) -> None:
        where = index if isinstance(index, tuple) else (index,)
        if not self.partials.flags.writeable:  # the same number broadcast
            self.partials = self.partials.copy()
        self.value[where] = plain(item)
        self.partials[(slice(None), *where)] = item.partials if isinstance(item, DualArray) else 0.0

    def reshape(self, *shape: Any) -> DualArray:
        """As an array's own."""
        value = self.value.reshape(*shape)
        return DualArray(value, self.partials.reshape(self.partials.shape[0], *value.shape))

    def ravel(self) -> DualArray:
        """As an array's own."""
        return self.reshape(-1)

    def astype(self, kind: Any, **_: Any) -> DualArray:
        """The same: duals are float64."""
        if np.dtype(kind) != np.float64:
            raise NoDerivativeError(f"a conversion to {np.dtype(kind)}")
        return self

    def copy(self) -> DualArray:
        """As an array's own."""
        return DualArray(self.value.copy(), self.partials.copy())

    def sum(self, axis: Any = None, keepdims: bool = False, **_: Any) -> DualArray:
        """As an array's own."""
        axes = range(self.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        moved = tuple(a % self.ndim + 1 for a in axes)
        return DualArray(self.value.sum(axis=axis, keepdims=keepdims), self.partials.sum(axis=moved, keepdims=keepdims))

    def mean(self, axis: Any = None, keepdims: bool = False, **_: Any) -> DualArray:
        """As an array's own."""
        total = self.sum(axis, keepdims)
        return total * (total.size / self.size)

    def dot(self, other: Any) -> DualArray:
        """As an array's own."""
        return _matmul(self, other)

    # --- NumPy's protocols ---

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        options.pop("where", None) if options.get("where") is True else None
        (into,) = options.pop("out", (None,))
        if isinstance(into, DualArray):  # ``x += y``
            into[...] = self.__array_ufunc__(ufunc, method, *inputs, **options)
            return into
        if into is not None:
            raise NoDerivativeError(f"{ufunc.__name__} into a plain array")
        if method == "reduce" and ufunc is np.add:
            return self.sum(options.get("axis", 0), bool(options.get("keepdims", False)))
        if method != "__call__" or any(value is not None for value in options.values()):
            raise NoDerivativeError(f"{ufunc.__name__}.{method}")
        if ufunc in PLAIN:
            return ufunc(*(plain(item) for item in inputs))
        if ufunc is np.matmul:
            return _matmul(*inputs)
        one, two = _rules(ufunc)
        if one is not None:
            value = ufunc(self.value)
            return chained(value, (one(self.value, value), self))
        if two is not None:
            a, b = (plain(item) for item in inputs)
            value = ufunc(a, b)
            slopes = two(a, b, value)
            return chained(value, *zip(slopes, inputs, strict=True))
        raise NoDerivativeError(ufunc.__name__)

    def __array_function__(self, function: Any, kinds: Any, arguments: Any, options: Any) -> Any:
        if function not in _ARRAY_FUNCTIONS:
            raise NoDerivativeError(function.__name__)
        return _ARRAY_FUNCTIONS[function](*arguments, **options)


def _rules(ufunc: np.ufunc) -> tuple[Callable[..., Any] | None, Callable[..., Any] | None]:
    """Slopes of a function of one number, and of one of two: SciPy's are looked up where SciPy is loaded."""
    one, two = ONE.get(ufunc), TWO.get(ufunc)
    if one is None and two is None and "scipy.special" in sys.modules:
        from nutslite.derivatives import scipy_slopes

        return scipy_slopes.ONE.get(ufunc), scipy_slopes.TWO.get(ufunc)
    return one, two


def plain(item: Any) -> Any:
    """The value of a dual array; anything else as it is."""
    return item.value if isinstance(item, DualArray) else item


def chained(value: Any, *terms: tuple[Any, Any]) -> DualArray:
    """Chain rule: `value` with the sum of slope * partials over terms (slope, dual or anything else)."""
    shape = np.shape(value)
    total: Any = 0.0
    for slope, item in terms:
        if isinstance(item, DualArray):
            missing = len(shape) - item.ndim
            partials = item.partials.reshape(item.partials.shape[0], *(1,) * missing, *item.shape)
            with np.errstate(invalid="ignore", over="ignore"):
                total = total + np.where(partials == 0.0, 0.0, slope * partials)
    width = next(item.partials.shape[0] for _, item in terms if isinstance(item, DualArray))
    return DualArray(value, np.broadcast_to(total, (width, *shape)))


def _matmul(a: Any, b: Any) -> DualArray:
    value = np.matmul(plain(a), plain(b)) if np.ndim(plain(a)) and np.ndim(plain(b)) else plain(a) * plain(b)
    if not np.ndim(plain(a)) or not np.ndim(plain(b)):
        return chained(value, (plain(b), a), (plain(a), b))
    partials: Any = 0.0
    if isinstance(a, DualArray):
        partials = partials + np.stack([np.matmul(partial, plain(b)) for partial in a.partials])
    if isinstance(b, DualArray):
        partials = partials + np.stack([np.matmul(plain(a), partial) for partial in b.partials])
    return DualArray(value, partials)


def _inner(a: Any, b: Any) -> DualArray:
    if np.ndim(plain(a)) > 1 or np.ndim(plain(b)) > 1:
        raise NoDerivativeError("inner of matrices")
    return _matmul(a, b)


def _where(condition: Any, a: Any, b: Any) -> DualArray:
    condition = np.asarray(plain(condition), dtype=bool)
    value = np.where(condition, plain(a), plain(b))
    return chained(value, (np.where(condition, 1.0, 0.0), a), (np.where(condition, 0.0, 1.0), b))


def _norm(x: Any, ord: Any = None, axis: Any = None) -> DualArray:  # NumPy's names
    if ord not in (None, 2) or (ord == 2 and x.ndim > 1):
        raise NoDerivativeError(f"norm(ord={ord})")
    root: DualArray = np.sqrt((x * x).sum(axis))
    return root


def _extreme(find: Callable[..., Any]) -> Callable[..., DualArray]:
    def extreme(x: DualArray, axis: Any = None) -> DualArray:
        if axis is None:
            return x.reshape(-1)[find(x.value)]
        raise NoDerivativeError("max and min along an axis")

    return extreme


def _product(x: DualArray, axis: Any = None) -> DualArray:
    if axis is not None:
        raise NoDerivativeError("prod along an axis")
    result: Any = 1.0
    for item in x.reshape(-1):
        result = item * result
    return DualArray(1.0, np.zeros(x.partials.shape[0])) * result


def _joined(join: Callable[..., Any]) -> Callable[..., DualArray]:
    def joined(parts: Any, axis: int = 0) -> DualArray:
        width = next(part.partials.shape[0] for part in parts if isinstance(part, DualArray))
        duals = [p if isinstance(p, DualArray) else DualArray(p, np.zeros((width, *np.shape(p)))) for p in parts]
        after = axis + 1 if axis >= 0 else axis
        return DualArray(join([d.value for d in duals], axis=axis), join([d.partials for d in duals], axis=after))

    return joined


def _difference(x: DualArray, n: int = 1, axis: int = -1) -> DualArray:
    if x.ndim != 1:
        raise NoDerivativeError("diff of a matrix")
    return DualArray(np.diff(x.value, n), np.diff(x.partials, n, axis=1))


def _running_sum(x: DualArray, axis: Any = None) -> DualArray:
    flat = x.reshape(-1) if axis is None or x.ndim == 1 else x
    if flat.ndim != 1:
        raise NoDerivativeError("cumsum of a matrix")
    return DualArray(np.cumsum(flat.value), np.cumsum(flat.partials, axis=1))


def _variance(x: DualArray, axis: Any = None, ddof: float = 0.0) -> DualArray:
    if axis is not None:
        raise NoDerivativeError("var along an axis")
    away = x - x.mean()
    return (away * away).sum() / (x.size - ddof)


_ARRAY_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: lambda x, axis=None, keepdims=False: x.sum(axis, keepdims),
    np.mean: lambda x, axis=None, keepdims=False: x.mean(axis, keepdims),
    np.var: _variance,
    np.std: lambda x, axis=None, ddof=0.0: np.sqrt(_variance(x, axis, ddof)),
    np.dot: _matmul,
    np.inner: _inner,
    np.where: _where,
    np.clip: lambda x, a_min=None, a_max=None: np.minimum(
        np.maximum(x, -np.inf if a_min is None else a_min), np.inf if a_max is None else a_max
    ),
    np.linalg.norm: _norm,
    np.max: _extreme(np.argmax),
    np.min: _extreme(np.argmin),
    np.prod: _product,
    np.concatenate: _joined(np.concatenate),
    np.stack: _joined(np.stack),
    np.diff: _difference,
    np.cumsum: _running_sum,
    np.reshape: lambda x, shape: x.reshape(shape),
    np.ravel: lambda x: x.ravel(),
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
    np.ones_like: lambda x: np.ones(x.shape),
    np.zeros_like: lambda x: np.zeros(x.shape),
    np.full_like: lambda x, fill_value: fill_value + np.zeros(x.shape),
    np.isreal: lambda x: np.ones(x.shape, dtype=bool),
}
