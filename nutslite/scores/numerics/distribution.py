"""`Distribution`: what scores need of a distribution, as one record of functions of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import unknown_argument
from nutslite.exceptions import ArgumentError
from nutslite.scores.numerics.checks import numbers, together

FloatArray = NDArray[np.float64]
Function = Callable[..., FloatArray]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution in closed form.

    Functions take arrays that are checked and of one shape, parameters in the order of `parameters` after their first
    argument, and give an array of that shape. y may be any real number: outside the support the log density is minus
    infinity, the cumulative distribution function 0 or 1, and the deviation finite.

    Attributes
    ----------
    name : str
        The family's, where there is one.
    parameters : dict
        Names, each with what its values may be: a key of `checks.RANGES`.
    log_density, cdf : callable
        Of y. Of a distribution on whole numbers the former is the log of a probability.
    quantile : callable
        Of a probability above 0 and below 1: the smallest value with no less below and at it.
    mean, sd : callable
        Of the parameters alone; nan where there is none.
    deviation : callable
        ``E|X - y|``; infinite where there is no mean.
    half_difference : callable
        ``E|X - X'| / 2`` of two independent copies, of the parameters alone.
    random : callable
        Of a NumPy generator and parameters: one draw for each element.
    whole : bool
        Whether values are whole numbers.
    atoms : tuple of float
        Of other distributions, values with a probability of their own, whose logarithm the log density is there.
    crps : callable, optional
        Where ``deviation - half_difference`` would lose digits.
    check : callable, optional
        Of the parameters: raises where they do not fit each other.
    note : str
        The density and the formula's source, for docstrings.
    scipy : str
        The same in SciPy's words.
    known : (str, float)
        Arguments of the CRPS, and what it is of them to six digits: the example of the docstring.
    """

    name: str
    parameters: dict[str, str]
    log_density: Function
    cdf: Function
    quantile: Function
    mean: Function
    sd: Function
    deviation: Function
    half_difference: Function
    random: Function
    whole: bool = False
    atoms: tuple[float, ...] = ()
    crps: Function | None = None
    check: Callable[..., None] | None = None
    note: str = ""
    scipy: str = ""
    known: tuple[str, float] | None = None

    def crps_of(self, y: FloatArray, *parameters: FloatArray) -> FloatArray:
        """The continuous ranked probability score; infinite where there is no mean."""
        if self.crps is not None:
            return self.crps(y, *parameters)
        deviation = self.deviation(y, *parameters)
        with np.errstate(invalid="ignore"):
            return np.where(np.isfinite(deviation), deviation - self.half_difference(*parameters), np.inf)

    def checked(self, given: dict[str, Any], **more: FloatArray) -> list[FloatArray]:
        """The parameters in order as arrays of one shape, after those of `more`.

        Raises
        ------
        ArgumentError
            Where one is missing or unknown.
        DataError
            Where values are outside their range, or shapes do not fit.
        """
        for name in given:
            if name not in self.parameters:
                raise unknown_argument(f"The distribution '{self.name}'", name, self.parameters)
        missing = [name for name in self.parameters if name not in given]
        if missing:
            raise ArgumentError(
                f"The distribution '{self.name}' needs {' and '.join(missing)}. It has: {', '.join(self.parameters)}."
            )
        arrays = {name: numbers(name, given[name], allowed) for name, allowed in self.parameters.items()}
        out = together(**more, **arrays)
        if self.check is not None:
            self.check(*out[len(more) :])
        return out
