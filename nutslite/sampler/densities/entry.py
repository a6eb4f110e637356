"""The way out: any log density of ours as a C callback, for samplers and programs in other languages."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from nutslite._numba import inner, jit_disabled, kernel_with_signature
from nutslite.exceptions import SamplingError
from nutslite.sampler.densities.density import Density
from nutslite.sampler.transition.handle import handle_of, logdensity_at

_DOUBLES = types.CPointer(types.float64)
_ENTRY = types.int32(types.uintp, _DOUBLES, _DOUBLES, _DOUBLES, types.CPointer(types.int64))


class Callback:
    """A log density for C: ``int f(size_t n, const double *position, double *gradient, double *logp, void *data)``.

    Returns 0, or 1 where the log density is not finite; may be called from any thread, without the GIL.

    Parameters
    ----------
    density : Density
    dimension : int
        Length of a position; the C function returns -1 where `n` is another.

    Attributes
    ----------
    address, data : int
        Of the function and of what it gets, valid as long as this object lives.

    Raises
    ------
    SamplingError
        Under ``NUMBA_DISABLE_JIT=1``, where nothing is compiled.
    """

    def __init__(self, density: Density, dimension: int) -> None:
        if jit_disabled():
            raise SamplingError("There is no C function under NUMBA_DISABLE_JIT=1: unset it, or call `evaluate`.")
        prepared = density.prepared(dimension, 1)
        self._kept = density, prepared, handle_of(prepared.logdensity, prepared.data[0], prepared.data_type)
        handle = self._kept[2]
        self._record: npt.NDArray[np.int64] = np.array([handle.function, handle.data, dimension], dtype=np.int64)
        self.dimension = dimension
        self.address = _entry_address()
        self.data = int(self._record.ctypes.data)

    def __repr__(self) -> str:
        return f"Callback(address={self.address:#x}, data={self.data:#x}, dimension={self.dimension})"


def _entry_address() -> int:
    compiled: Any = kernel_with_signature(_entry, _ENTRY)
    result = compiled.overloads[tuple(_ENTRY.args)]
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name))


def _entry(n: Any, position: Any, gradient: Any, logp: Any, data: Any) -> Any:
    record = numba.carray(data, (3,))
    if n != record[2]:
        return -1
    value = _value_at(numba.carray(position, (n,)), numba.carray(gradient, (n,)), record)
    numba.carray(logp, (1,))[0] = value
    return 0 if np.isfinite(value) else 1


@inner
def _value_at(position, gradient, record):
    return logdensity_at(record[0])(position, gradient, record[1])
