"""Log densities behind a C callback: an address and a pointer to data, whatever language they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types

from nutslite._numba import VECTOR, jit_disabled, kernel
from nutslite.exceptions import SamplingError, SettingError, SettingTypeError, refuse_other
from nutslite.sampler.densities.c_calls import call_bridgestan, call_plain, pointer_of
from nutslite.sampler.densities.density import Density, Prepared, StoppedError
from nutslite.sampler.transition.logdensity import compiled_logdensity

CALLBACK_DATA = types.Tuple([types.int64, types.int64, VECTOR, types.Array(types.int64, 1, "C")])
"""Address, pointer to data, room for the log density, room for an error code; a chain has both to itself."""

CONVENTIONS = ("nutpie", "bridgestan")


@kernel
def plain_callback(position, gradient, data):
    """Log density by the first convention; a code above zero rejects the position, one below ends the run."""
    address, pointer, logp, code = data
    returned = call_plain(address, pointer, position, gradient, logp)
    if returned < 0:
        code[0] = returned
        raise StoppedError("A callback returned a negative error code.")
    if returned > 0:
        for i in range(gradient.shape[0]):
            gradient[i] = 0.0
        return -np.inf
    return logp[0]


@kernel
def bridgestan_callback(position, gradient, data):
    """Log density by BridgeStan's convention, which has no code for "end the run": any code rejects the position."""
    address, pointer, logp, _ = data
    if call_bridgestan(address, pointer, position, gradient, logp) != 0:
        for i in range(gradient.shape[0]):
            gradient[i] = 0.0
        return -np.inf
    return logp[0]


class CallbackDensity(Density):
    """A log density by the address of a C function.

    Parameters
    ----------
    address : int, ctypes function, or result of numba.cfunc
        Of the function. It is called without the GIL and from as many threads as `cores`: it must be safe in threads
        (or give ``cores=1``), and no exception may leave it.
    data : int, ctypes pointer, ndarray, or sequence of them, optional
        Pointer that the function gets; in a list or tuple one for each chain. An array's memory is passed on.
    convention : {"nutpie", "bridgestan"}
        ``"nutpie"``: ``int f(size_t n, const double *position, double *gradient, double *logp, void *data)``, the
        functions that nutpie compiles of PyMC models. Returns 0; above 0 where the position is to be rejected, which
        counts as a divergence; below 0 to end the run.
        ``"bridgestan"``: BridgeStan's ``bs_log_density_gradient``, with `data` the model. Constants are left out,
        Jacobians included; any code but 0 rejects the position, since Stan has no other.
    identity : optional
        A name or number that is the same in every process for the same function and data: what a checkpoint recognises
        it by.

    Raises
    ------
    SettingError
        If `address` or `data` is none.

    Notes
    -----
    The function must overwrite `gradient` and `logp`, and must not keep pointers. The caller keeps function and data
    alive; objects given here are kept.
    """

    def __init__(self, address: Any, data: Any = None, *, convention: str = "nutpie", identity: Any = None) -> None:
        refuse_other("convention", convention, CONVENTIONS)
        number = pointer_of(address)
        if not number:
            raise SettingTypeError(
                f"address must be the address of a C function, not {address!r}: a number, a function of a ctypes "
                "library, or what numba.cfunc returns. PythonDensity takes functions of Python."
            )
        self.address = number
        several = isinstance(data, Sequence) and not isinstance(data, str | bytes)
        pointers = [pointer_of(each) for each in (data if several else [data])]
        if not pointers or None in pointers:
            raise SettingTypeError(
                f"data must be a pointer (a number, a ctypes pointer, an array) or a list with one for each chain, not "
                f"{data!r}."
            )
        self.pointers = tuple(pointers)
        self.convention = convention
        self._identity = identity
        self._kept = (address, data)

    def prepared(self, dimension: int, chains: int) -> Prepared:
        """The callback with room for its answers, for each chain."""
        if len(self.pointers) not in (1, chains):
            raise SettingError(f"data has {len(self.pointers)} pointers, one for each chain, but chains={chains}.")
        data = tuple(
            (self.address, self.pointers[chain % len(self.pointers)], np.zeros(1), np.zeros(1, np.int64))
            for chain in range(chains)
        )
        function = plain_callback if self.convention == "nutpie" else bridgestan_callback
        compiled = compiled_logdensity(function, CALLBACK_DATA)

        def reason(chain: int) -> BaseException:
            return SamplingError(
                f"The C callback at {self.address:#x} ended the run by the error code {int(data[chain][3][0])} (codes "
                "below 0 do; one above 0 rejects a position)."
            )

        return Prepared(compiled, None if jit_disabled() else CALLBACK_DATA, data, reason)

    def identity(self) -> tuple[Any, Any]:
        """The identity that the user gave.

        Raises
        ------
        SettingError
            Where there is none: addresses are others in every process.
        """
        if self._identity is None:
            raise SettingError(
                "A checkpoint cannot recognise a C callback by its address: give CallbackDensity(..., identity=) a "
                "name or number that stands for the function with its data."
            )
        return self.convention, self._identity
