"""Log densities that Numba compiles: a function with its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nutslite.sampler.densities.density import Density, Prepared
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of


class CompiledDensity(Density):
    """What ``sample(function, data)`` makes of its arguments.

    Parameters
    ----------
    function : callable
        ``function(position, gradient, data) -> float``, plain or jitted; it overwrites `gradient`.
    data : Any
        A number, an array, a (named) tuple of them.
    data_type : numba type, optional
        Where it is not ``numba.typeof(data)``.
    chain_data : sequence, optional
        In place of `data`, the same numbers for each chain.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        data: Any = 0.0,
        data_type: Any = None,
        chain_data: Sequence[Any] | None = None,
    ) -> None:
        self.function = function
        self.data = data
        self.data_type = data_type_of(data) if data_type is None else data_type
        self.chain_data = chain_data

    def prepared(self, dimension: int, chains: int) -> Prepared:
        """Compiled for the type of the data, in whatever dimension."""
        compiled = compiled_logdensity(self.function, self.data_type)
        return Prepared(compiled, self.data_type, tuple([self.data] if self.chain_data is None else self.chain_data))

    def identity(self) -> tuple[Any, Any]:
        """The function's code and the data; memory of the chains does not count."""
        return self.function, self.data
