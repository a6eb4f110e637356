"""`Link`: a link by name, or one of the user's own from its functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nutslite._calls import public
from nutslite.exceptions import FamilyError, FamilyTypeError, in_users_function
from nutslite.families.links import codes

FloatArray = NDArray[np.float64]


@public
class Link(str):
    """A link function: the name of a built-in one, or functions of your own with a name for them.

    A `Link` is a string, its name, so that it goes wherever the name of a link does: ``Model(..., link=Link(...))``,
    ``Family(name, likelihood, Link(...))``, or a value in a dict of links by parameter.

    Parameters
    ----------
    name : str
    link : callable, optional
        ``eta = link(theta)``. It only helps to find where sampling starts; left out, the start is at eta = 0.
    linkinv : callable
        ``theta = linkinv(eta)``: plain Python with `math` or NumPy, or compiled by Numba.
    linkinv_backend : callable, optional
        Bambi's version of `linkinv` for PyTensor. Not needed here: taken as `linkinv` where that is missing.
    derivative : callable, optional
        ``d theta / d eta``, a function of eta. By default derived from `linkinv` (see `nutslite.derivatives`).

    Raises
    ------
    FamilyError
        For an unknown name without functions, or a built-in one with functions.

    Notes
    -----
    The parameter's value passes through `linkinv`: where that rounds to 0 or 1, so does the parameter. Built-in links
    take another way round and keep their digits in the tails.

    Examples
    --------
    >>> float(Link("logit").linkinv(0.0))
    0.5
    >>> loglog = Link("loglog", link=lambda p: -np.log(-np.log(p)), linkinv=lambda x: np.exp(-np.exp(-x)))
    >>> loglog.is_custom, round(float(loglog.linkinv(loglog.link(0.3))), 6)
    (True, 0.3)
    """

    _functions: tuple[Callable[..., Any] | None, ...]
    kernels: dict[Any, Any]  # compiled for this link, so that a second model compiles nothing (`link_kernels.py`)

    def __new__(
        cls,
        name: str,
        link: Callable[..., Any] | None = None,
        linkinv: Callable[..., Any] | None = None,
        linkinv_backend: Callable[..., Any] | None = None,
        *,
        derivative: Callable[..., Any] | None = None,
    ) -> Link:
        """Check name and functions; a string is made before any `__init__` could."""
        self = super().__new__(cls, name)
        functions = {"link": link, "linkinv": linkinv or linkinv_backend, "derivative": derivative}
        given = [argument for argument, function in functions.items() if function is not None]
        for argument in given:
            if not callable(functions[argument]):
                raise FamilyTypeError(f"Link('{name}'): {argument} is a function, not {functions[argument]!r}.")
        if name in codes.LINKS and given:
            raise FamilyError(
                f"'{name}' is a built-in link; leave {' and '.join(given)} out, or give your own link another name."
            )
        if name not in codes.LINKS and functions["linkinv"] is None:
            if given:
                raise FamilyError(f"Link('{name}') needs its inverse, too: linkinv=a function of eta.")
            codes.get_link(name)  # raises, and may know which was meant
        self._functions = tuple(functions.values())
        self.kernels = {}
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:  # what pickles are made of
        link, linkinv, derivative = self._functions
        return (self.name, link, linkinv), {"derivative": derivative}

    def __getstate__(self) -> None:
        return None

    def _digested(self) -> dict[str, Any]:
        """What decides about draws: the functions, not what has been compiled of them."""
        return {**vars(self), "kernels": {}}

    def __copy__(self) -> Link:
        return self

    def __deepcopy__(self, memo: Any) -> Link:
        return self

    @property
    def name(self) -> str:
        """The name as a plain string."""
        return str.__str__(self)

    @property
    def is_custom(self) -> bool:
        """Whether it is of the user's own functions."""
        return self._functions[1] is not None

    @property
    def inverse_function(self) -> Callable[..., Any]:
        """The user's `linkinv` as given, or the built-in link's."""
        return self._functions[1] or self.linkinv

    @property
    def derivative_function(self) -> Callable[..., Any] | None:
        """The user's derivative of it, if any."""
        return self._functions[2]

    @property
    def has_link(self) -> bool:
        """Whether `link` can be asked."""
        return not self.is_custom or self._functions[0] is not None

    def link(self, theta: ArrayLike) -> Any:
        """Linear predictors for parameter values, elementwise.

        Raises
        ------
        FamilyError
            Where the user gave no such function.
        """
        if not self.is_custom:
            return codes.link_array(self.name, theta)[()]
        if self._functions[0] is None:
            raise FamilyError(f"Link('{self.name}') was made without its function link=.")
        with in_users_function(f"The function link of Link('{self.name}')"):
            return elementwise(self._functions[0], theta)

    def linkinv(self, eta: ArrayLike) -> Any:
        """Parameter values for linear predictors, elementwise."""
        if self._functions[1] is None:
            return codes.inverse_array(self.name, eta)[()]
        with in_users_function(f"The function linkinv of Link('{self.name}')"):
            return elementwise(self._functions[1], eta)


def elementwise(function: Callable[..., Any], values: ArrayLike) -> Any:
    """A user's function of one number over an array of any shape, at once where it takes arrays, else one by one."""
    from nutslite.derivatives.derivatives import (
        UNSUITABLE,  # loads SciPy, which models with our own links do not need
    )

    array = np.asarray(values, dtype=np.float64)
    with np.errstate(all="ignore"):
        try:
            result = np.asarray(_no_text(function(array[()] if array.ndim == 0 else array)), dtype=np.float64)
            if result.shape == array.shape:
                return result[()]
        except UNSUITABLE:
            pass
        flat = [_or_nan(function, float(item)) for item in array.reshape(-1)]
    return np.array(flat, dtype=np.float64).reshape(array.shape)[()]


def _or_nan(function: Callable[..., Any], value: float) -> float:
    """What `math` raises for is nan or infinite for NumPy: both mean that the function is not defined there."""
    try:
        return float(_no_text(function(value)))
    except (ZeroDivisionError, OverflowError):
        return float("inf")
    except ValueError:
        return float("nan")


def _no_text(value: Any) -> Any:
    """What a user's function returned, unless it is a text, which is no domain that it left."""
    if isinstance(value, str | bytes):
        raise TypeError(f"it returned {value!r}, not a number")
    return value
