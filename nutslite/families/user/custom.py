"""Kernels and records of families whose log density the user wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._numba import VECTOR, jit_disabled
from nutslite.derivatives.derivatives import compiled_gradient, compiles, jitted, name_of
from nutslite.derivatives.row_function import RowFunction
from nutslite.exceptions import FamilyError, in_users_function
from nutslite.families.links.codes import CODES, derivative_array, inverse, inverse_array, inverse_derivative
from nutslite.families.rows.kernel_rows import finish_rows
from nutslite.families.user.likelihood import Likelihood

FloatArray = NDArray[np.float64]
_NAMES = {code: name for name, code in CODES.items()}


def custom_kernel(likelihood: Likelihood, ordered: Sequence[str]) -> Callable[..., None]:
    """Family kernel (docs/architecture.md) of a likelihood with `logp`, by the first way that its functions allow.

    Parameters
    ----------
    likelihood : Likelihood
    ordered : sequence of str
        Its parameters as the family has them, the parent first; `logp` has them in the likelihood's own order.
    """
    n_data = 1 + len(likelihood.companions)
    places = tuple(likelihood.params.index(name) for name in ordered)
    evaluate = _compiled_rows(likelihood, n_data)
    if evaluate is not None:
        return _kernel_by_rows(evaluate, places, n_data)
    return _kernel_through_python(likelihood, places, n_data)


# --- compiled --------------------------------------------------------------------------------------------------------


def _compiled_rows(likelihood: Likelihood, n_data: int) -> Any:
    """``evaluate(data, theta, gradient) -> log density`` of one row, or None."""
    k = len(likelihood.params)
    if likelihood.dlogp is None:
        return compiled_gradient(likelihood.density, k, n_data)
    density, slopes = jitted(likelihood.density), jitted(likelihood.dlogp)
    if density is None or slopes is None:
        return None
    from nutslite.derivatives.duals import numbers, store_numbers

    def evaluate(data: Any, theta: Any, gradient: Any) -> Any:
        parameters = numbers(theta, k)
        store_numbers(slopes(*data, *parameters), gradient)
        return float(density(*data, *parameters))

    kernel: Any = numba.njit(nogil=True, error_model="numpy")(evaluate)
    return kernel if compiles(kernel, types.float64(types.UniTuple(types.float64, n_data), VECTOR, VECTOR)) else None


def _kernel_by_rows(evaluate: Any, places: tuple[int, ...], n_data: int) -> Callable[..., None]:
    from nutslite.derivatives.duals import numbers

    k = len(places)

    def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
        theta = np.empty(k)
        slope = np.empty(k)
        gradient = np.empty(k)
        data = np.empty(n_data)
        for i in range(out_loglik.shape[0]):
            for c in range(n_data):
                data[c] = y[c, start + i]
            for j in range(k):
                if varies[j] == 1 or i == 0:
                    theta[places[j]] = inverse(links[j], eta[j, i])
                    slope[j] = inverse_derivative(links[j], eta[j, i])
            out_loglik[i] = evaluate(numbers(data, n_data), theta, gradient)
            for j in range(k):
                out_d_eta[j, i] = gradient[places[j]] * slope[j]
        finish_rows(weights, start, varies, np.empty((0, 0)), out_loglik, out_d_eta)

    kernel: Callable[..., None] = numba.njit(nogil=True, error_model="numpy")(loglik)
    return kernel


# --- through Python --------------------------------------------------------------------------------------------------


def _kernel_through_python(likelihood: Likelihood, places: tuple[int, ...], n_data: int) -> Callable[..., None]:
    by_rows = RowFunction(likelihood.density, f"The log density {name_of(likelihood.density)}", likelihood.dlogp)

    def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
        rows = out_loglik.shape[0]
        theta, slopes = [np.empty(0)] * len(places), []
        for j in range(eta.shape[0]):
            x = np.array(eta[j, :rows]) if varies[j] else np.full(rows, eta[j, 0])
            theta[places[j]] = inverse_array(_NAMES[int(links[j])], x)
            slopes.append(derivative_array(_NAMES[int(links[j])], x))
        values, gradient = by_rows(tuple(y[:n_data, start : start + rows]), theta)
        out_loglik[:] = values
        for j in range(eta.shape[0]):
            out_d_eta[j, :rows] = gradient[places[j]] * slopes[j]
        finish_rows(weights, start, varies, np.empty((0, 0)), out_loglik, out_d_eta)

    if jit_disabled():
        return loglik
    log.info(
        "Numba cannot compile the log density %s: it is called from Python, for up to 256 rows at a time, which is "
        "slower, and chains do not run side by side.",
        name_of(likelihood.density),
    )

    def call(y: Any, weights: Any, start: Any, eta: Any, varies: Any, links: Any, out: Any, d_eta: Any) -> None:
        with numba.objmode():
            loglik(y, weights, start, eta, varies, links, out, d_eta)

    kernel: Callable[..., None] = numba.njit(error_model="numpy")(call)
    return kernel


# --- what predictions need -------------------------------------------------------------------------------------------


def random_of(
    likelihood: Likelihood, family: str, companions: Sequence[str]
) -> Callable[[np.random.Generator, Mapping[str, Any], Mapping[str, Any]], NDArray[Any]]:
    """The family's `random` from the user's ``random(rng, *companions, *params)``."""
    return partial(_random, likelihood, family, tuple(companions))


def _random(
    likelihood: Likelihood, family: str, companions: tuple[str, ...], rng: Any, parameters: Any, others: Any
) -> NDArray[Any]:
    if likelihood.random is None:
        raise FamilyError(
            f"The family '{family}' cannot draw responses: its likelihood was made without random=. Give "
            f"Likelihood('{likelihood.name}', ..., random=a function of (rng, {', '.join(likelihood.params)}))."
        )
    arguments = _broadcast(likelihood, companions, parameters, others)
    with in_users_function(f"The function random of the likelihood '{likelihood.name}'"):
        drawn = _numbers(likelihood.random(rng, *arguments))
    if drawn.shape != arguments[0].shape:
        raise FamilyError(
            f"random of the likelihood '{likelihood.name}' returned shape {drawn.shape} for parameters of shape "
            f"{arguments[0].shape}: it must draw one response per element of its arguments."
        )
    return drawn


def mean_of(
    likelihood: Likelihood, family: str, companions: Sequence[str]
) -> Callable[[Mapping[str, Any], Mapping[str, Any]], NDArray[Any]]:
    """The family's `mean` from the user's ``mean(*companions, *params)``."""
    return partial(_mean, likelihood, family, tuple(companions))


def _mean(likelihood: Likelihood, family: str, companions: tuple[str, ...], parameters: Any, others: Any) -> Any:
    if likelihood.mean is None:
        raise FamilyError(
            f"The mean of the family '{family}' is not known: its likelihood was made without mean=. Give "
            f"Likelihood('{likelihood.name}', ..., mean=a function of ({', '.join(likelihood.params)}))."
        )
    arguments = _broadcast(likelihood, companions, parameters, others)
    with in_users_function(f"The function mean of the likelihood '{likelihood.name}'"):
        return np.broadcast_to(_numbers(likelihood.mean(*arguments)).astype(np.float64), arguments[0].shape)


def _numbers(returned: Any) -> NDArray[Any]:
    array = np.asarray(returned)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"it returned {array.dtype.name}, not numbers")
    return array


def _broadcast(likelihood: Likelihood, companions: tuple[str, ...], parameters: Any, others: Any) -> list[FloatArray]:
    named = [others[name] for name in companions] + [parameters[name] for name in likelihood.params]
    return [np.array(item) for item in np.broadcast_arrays(*named)]
