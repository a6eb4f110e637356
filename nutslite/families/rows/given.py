"""Kernels of responses with standard errors that are known, and of counts with exposures, from those without.

A kernel of rows whose scale is ``sqrt(s^2 + sigma^2)``, or whose mean is a rate times an exposure, is the family's own
at other linear predictors: these are worked out row by row, and derivatives are carried back. So a family that has the
density and both tails has them of such responses, too.

Of counts with an exposure d all parameters are multiplied by it: a sum over d units of independent counts of mean mu
and, of the negative binomial family, shape alpha has the mean ``mu d`` and the shape ``alpha d``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from nutslite._numba import kernel
from nutslite._special import exp
from nutslite.families.rows.kernel_rows import finish_rows, native_rows
from nutslite.formula.forms.known_error import BESIDE, ERROR
from nutslite.formula.forms.rate import EXPOSURE
from nutslite.formula.records import Response

NATIVE: tuple[int, ...] = ()  # these are a family's own in the copies that are made below
COMPANION = 0  # row of y, from a response's own first one on, where its companions begin

Arrays = Mapping[str, Any]


def inner(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """The family's kernel without companions."""


def widened(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows with a standard error, and whether sigma is beside it, as companions."""
    rows, k = out_loglik.shape[0], eta.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    moved, share = np.empty((k, rows)), np.empty(rows)
    for j in range(k):
        for i in range(rows):
            moved[j, i] = native[j, i * varies[j]]
    for i in range(rows):
        error, beside = y[COMPANION, start + i], y[COMPANION + 1, start + i]
        log_sigma = moved[1, i] if beside > 0.0 else -np.inf
        log_error = np.log(error)
        larger = max(log_sigma, log_error)
        both = exp(2.0 * (log_sigma - larger)) + exp(2.0 * (log_error - larger))
        moved[1, i] = larger + 0.5 * np.log(both)
        share[i] = exp(2.0 * (log_sigma - larger)) / both  # of sigma in the variance
    codes = np.empty(k, np.int64)
    for j in range(k):
        codes[j] = NATIVE[j]
    inner(y, np.empty(0), start, moved, np.ones(k, np.int64), codes, out_loglik, out_d_eta)
    for i in range(rows):
        out_d_eta[1, i] *= share[i]
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def exposed(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Kernel of rows with the logarithm of an exposure as companion."""
    rows, k = out_loglik.shape[0], eta.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    moved, codes = np.empty((k, rows)), np.empty(k, np.int64)
    for j in range(k):
        codes[j] = NATIVE[j]
        for i in range(rows):
            moved[j, i] = native[j, i * varies[j]] + y[COMPANION, start + i]
    inner(y, np.empty(0), start, moved, np.ones(k, np.int64), codes, out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def known_errors(name: str, native: tuple[int, ...], rows: int, own: Mapping[str, Any]) -> dict[str, Any]:
    """`Family.given` of a family whose second parameter, sigma, is the scale of its responses.

    Parameters
    ----------
    name : str
        The family.
    native : tuple of int
        Its native links.
    rows : int
        Rows of what its `prepare` returns.
    own : mapping
        Its ``kernel``, ``censored``, ``prepare``, ``check_response``, ``random``, ``mean`` and ``mean_of_score``.
    """
    kernels = _kernels(widened, name, native, rows, own)
    prepare = partial(_prepare_errors, own["prepare"])
    return {ERROR: partial(_with_errors, {**kernels, **_moved(own, _wide), **_prepared_by(prepare)})}


def _prepared_by(prepare: Callable[..., Any]) -> dict[str, Any]:
    """The one way to prepare: kernels find companions by the number of rows before them."""
    return {"prepare": prepare, "prepare_many": None}


def _with_errors(attributes: Mapping[str, Any], response: Response) -> dict[str, Any]:
    """Without sigma, errors are all that there is: it is known to be zero."""
    beside = bool(response.beside[BESIDE].any())
    return {**attributes, "companions": (ERROR, BESIDE), "fixed": {} if beside else {"sigma": 0.0}}


def _prepare_errors(prepare, values):  # type: ignore[no-untyped-def]  # as those of families
    return np.vstack([prepare(values[:1]), values[1:]])


def _wide(parameters: Arrays, companions: Arrays) -> dict[str, Any]:
    beside = np.where(companions[BESIDE] > 0.0, parameters["sigma"], 0.0)
    return {**parameters, "sigma": np.hypot(beside, companions[ERROR])}


def exposures(name: str, native: tuple[int, ...], rows: int, own: Mapping[str, Any]) -> dict[str, Any]:
    """`Family.given` of a family of counts, all of whose parameters grow with the exposure; as `known_errors`."""
    kernels = _kernels(exposed, name, native, rows, own)
    prepare = partial(_prepare_exposures, own["prepare"])
    attributes = {**kernels, **_moved(own, _longer), **_prepared_by(prepare), "companions": (EXPOSURE,)}
    return {EXPOSURE: partial(_with_exposures, attributes)}


def _with_exposures(attributes: Mapping[str, Any], response: Response) -> Mapping[str, Any]:
    return attributes


def _prepare_exposures(prepare, values):  # type: ignore[no-untyped-def]  # as those of families
    return np.vstack([prepare(values[:1]), np.log(values[1])])


def _longer(parameters: Arrays, companions: Arrays) -> dict[str, Any]:
    return {key: value * companions[EXPOSURE] for key, value in parameters.items()}


def _moved(own: Mapping[str, Any], change: Callable[..., Any]) -> dict[str, Any]:
    """The family's functions of parameters at those that its companions make of them."""
    score = own.get("mean_of_score")
    return {
        "check_response": partial(_check_response, own["check_response"]),
        "random": partial(_random, own["random"], change),
        "mean": partial(_mean, own["mean"], change),
        "mean_of_score": None if score is None else partial(_mean_of_score, score, change),
    }


def _check_response(check: Callable[..., None], response: Response) -> None:
    check(replace(response, values=response.values[:1], companions=()))


def _random(random: Any, change: Any, rng: Any, parameters: Arrays, companions: Arrays) -> Any:
    return random(rng, change(parameters, companions), {})


def _mean(mean: Any, change: Any, parameters: Arrays, companions: Arrays) -> Any:
    shape = np.broadcast_shapes(*(np.shape(value) for value in (*parameters.values(), *companions.values())))
    return np.broadcast_to(mean(change(parameters, companions), {}), shape)


def _mean_of_score(score: Any, change: Any, parameters: Arrays, companions: Arrays, slopes: Any) -> Any:
    return score(change(parameters, companions), {}, slopes)


def _kernels(function: Any, name: str, native: tuple[int, ...], rows: int, own: Mapping[str, Any]) -> dict[str, Any]:
    """``kernel`` and ``censored`` around the family's own."""

    def around(item: Callable[..., None], status: str) -> Callable[..., None]:
        globals_ = {**function.__globals__, "NATIVE": native, "COMPANION": rows, "inner": item}
        copied = FunctionType(function.__code__, globals_, f"{name}_{function.__name__}_{status}")
        copied.__qualname__, copied.__doc__ = copied.__name__, function.__doc__
        return kernel(copied)

    censored = {status: around(item, status) for status, item in own["censored"].items()}
    return {"kernel": around(own["kernel"], "density"), "censored": censored, "smooth": None}
