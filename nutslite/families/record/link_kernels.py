"""Kernels for links of the user's own: linear predictors go to a link that the kernel knows, derivatives come back.

Kernels know links by integer codes (`links.py`), and a user's function has none. So a wrapper is made for one kernel
and one link: it turns the parameter's linear predictor into the parameter, that into the native linear predictor, and
applies the chain rule afterwards. A parameter without a formula has no linear predictor: it passes untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numba
import numpy as np
from numba import types

from nutslite._log import log
from nutslite._numba import VECTOR, jit_disabled
from nutslite.derivatives.derivatives import ARRAYS, compiled_gradient, compiles, jitted
from nutslite.derivatives.row_function import RowFunction
from nutslite.exceptions import FamilyError, in_users_function
from nutslite.families.links.codes import inverse_derivative, is_custom, link
from nutslite.families.links.link import Link, elementwise
from nutslite.families.record.family import Family
from nutslite.families.rows.lazy import LazyKernel

_ROWS = types.void(VECTOR, types.int64, VECTOR, VECTOR)  # convert(eta, rows, theta, slope)


def with_own_links(family: Family, links: Mapping[str, Any]) -> Family:
    """The family with a kernel that also knows the links of the user's own among `links`; itself without any.

    Raises
    ------
    FamilyError
        If the family's kernel cannot be wrapped.
    """
    if getattr(family.kernel, "inner", None) is not None:  # of a family that comes from another model
        plain = {status: kernel.inner for status, kernel in family.censored.items()}  # type: ignore[attr-defined]
        smooth = getattr(family.smooth, "inner", None)
        family = replace(family, kernel=family.kernel.inner, censored=plain, smooth=smooth)  # type: ignore[attr-defined]
    own = {name: link for name, link in links.items() if is_custom(link)}
    if own and family.bind is not None:
        known = family.parameter(next(iter(own))).links
        raise FamilyError(
            f"Family '{family.name}' takes no links of your own for '{next(iter(own))}'; it has "
            f"{', '.join(map(str, known))}."
        )
    if not own:
        return family
    censored = {status: linked_kernel(family, own, kernel) for status, kernel in family.censored.items()}
    smooth = None if family.smooth is None else linked_kernel(family, own, family.smooth)
    return replace(family, kernel=linked_kernel(family, own, family.kernel), censored=censored, smooth=smooth)


def linked_kernel(family: Family, links: Mapping[str, Any], inner: Callable[..., None]) -> LazyKernel:
    """A kernel of the family behind one wrapper for every parameter in `links`, put together when first needed."""

    def make() -> Callable[..., None]:
        kernel = inner.build() if isinstance(inner, LazyKernel) else inner
        for j, parameter in enumerate(family.parameters):
            if parameter.name in links:
                kernel = _kernel_of(links[parameter.name], kernel, j, parameter.native_link)
        return kernel

    return LazyKernel(make, inner=inner)


def _kernel_of(custom: Link, inner: Any, which: int, native: int) -> Callable[..., None]:
    """The wrapper of this link around this kernel; the link keeps it for further models."""
    if "convert" not in custom.kernels:
        custom.kernels["convert"] = converter(custom)
    key = (id(inner), which, native)
    if key not in custom.kernels:  # beside the kernel, so that its id stays its own
        custom.kernels[key] = inner, _wrapped(inner, custom.kernels["convert"], which, native)
    kernel: Callable[..., None] = custom.kernels[key][1]
    return kernel


def _wrapped(inner: Any, convert: Any, which: int, native: int) -> Callable[..., None]:
    def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
        """Family kernel; parameter `which` arrives on a link of the user's own where it varies."""
        if varies[which] == 0:
            inner(y, weights, start, eta, varies, links, out_loglik, out_d_eta)
            return
        rows = out_loglik.shape[0]
        moved = np.empty((eta.shape[0], rows))
        slope = np.empty(rows)
        for j in range(eta.shape[0]):
            for i in range(rows if varies[j] == 1 else 1):
                moved[j, i] = eta[j, i]
        convert(eta[which], rows, moved[which], slope)
        for i in range(rows):
            moved[which, i] = link(native, moved[which, i])
            slope[i] /= inverse_derivative(native, moved[which, i])
        inner(y, weights, start, moved, varies, links, out_loglik, out_d_eta)
        for i in range(rows):
            out_d_eta[which, i] *= slope[i]

    if jit_disabled():
        return loglik
    kernel: Callable[..., None] = numba.njit(nogil=True, error_model="numpy")(loglik)
    return kernel


def converter(custom: Link) -> Callable[..., None]:
    """``convert(eta, rows, theta, slope)``, jitted: overwrites theta and d theta / d eta of the first `rows`."""
    compiled = _compiled_converter(custom)
    return compiled if compiled is not None else _python_converter(custom)


def _compiled_converter(custom: Link) -> Any:
    if custom.derivative_function is not None:
        inverse, derivative = jitted(custom.inverse_function), jitted(custom.derivative_function)
        if inverse is None or derivative is None:
            return None

        def given(eta: Any, rows: Any, theta: Any, slope: Any) -> None:
            for i in range(rows):
                theta[i] = inverse(eta[i])
                slope[i] = derivative(eta[i])

        kernel: Any = numba.njit(nogil=True, error_model="numpy")(given)
        return kernel if compiles(kernel, _ROWS) else None
    with_gradient = compiled_gradient(custom.inverse_function, 1)
    if with_gradient is None:
        return None

    def derived(eta: Any, rows: Any, theta: Any, slope: Any) -> None:
        for i in range(rows):
            theta[i] = with_gradient(eta[i : i + 1], slope[i : i + 1])

    kernel = numba.njit(nogil=True, error_model="numpy")(derived)
    return kernel if compiles(kernel, _ROWS) else None


def _python_converter(custom: Link) -> Any:
    by_rows = RowFunction(custom.inverse_function, f"the inverse link '{custom.name}'")
    derivative = custom.derivative_function

    def evaluate(eta: Any, rows: Any, theta: Any, slope: Any) -> None:
        x = eta[:rows]
        if derivative is not None:
            with in_users_function(f"The function linkinv or derivative of Link('{custom.name}')"):
                theta[:rows], slope[:rows] = elementwise(custom.inverse_function, x), elementwise(derivative, x)
        else:
            theta[:rows], (slope[:rows],) = by_rows((), (x,))

    if jit_disabled():
        return evaluate
    log.info(
        "Numba cannot compile the inverse link '%s' (method '%s'): it is called from Python, which is slower.",
        custom.name,
        ARRAYS if derivative is None else "derivative given",
    )

    def call(eta: Any, rows: Any, theta: Any, slope: Any) -> None:
        with numba.objmode():
            evaluate(eta, rows, theta, slope)

    return numba.njit(error_model="numpy")(call)
