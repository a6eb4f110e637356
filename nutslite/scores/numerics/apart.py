"""Distributions of which zero, or both ends of a share, have a probability of their own beside another distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.numerics.distribution import Distribution

FloatArray = NDArray[np.float64]
Function = Callable[..., FloatArray]

_LEAST, _MOST = float(np.finfo(float).tiny), 1.0 - float(np.finfo(float).epsneg)


def or_zero(above: Distribution, name: str, note: str, **more: Any) -> Distribution:
    """A value of `above`, which is never below zero, with probability psi, its last parameter; else zero.

    The functions of the record are those of mixtures of two: ``E|X - X'|/2`` is ``psi (1 - psi) m + psi^2 E|Z - Z'|/2``
    with the mean m of what is not zero. Where `above` is never zero either, zero is an atom.
    """

    def log_density(y: FloatArray, *given: FloatArray) -> FloatArray:
        *own, psi = given
        with np.errstate(divide="ignore"):
            inside = np.log(psi) + above.log_density(y, *own)
            if not above.whole:
                return np.where(y == 0.0, np.log1p(-psi), inside)
            return np.where(y == 0.0, np.logaddexp(np.log1p(-psi), inside), inside)

    def cdf(y: FloatArray, *given: FloatArray) -> FloatArray:
        *own, psi = given
        return np.where(y >= 0.0, 1.0 - psi + psi * above.cdf(y, *own), 0.0)

    def quantile(q: FloatArray, *given: FloatArray) -> FloatArray:
        *own, psi = given
        with np.errstate(all="ignore"):
            share = np.clip((q - (1.0 - psi)) / psi, _LEAST, _MOST)
        return np.where(q * (1.0 - 4.0 * np.finfo(float).eps) <= 1.0 - psi, 0.0, above.quantile(share, *own))

    def mean(*given: FloatArray) -> FloatArray:
        *own, psi = given
        return psi * above.mean(*own)

    def sd(*given: FloatArray) -> FloatArray:
        *own, psi = given
        return np.sqrt(psi * (above.sd(*own) ** 2 + (1.0 - psi) * above.mean(*own) ** 2))

    def deviation(y: FloatArray, *given: FloatArray) -> FloatArray:
        *own, psi = given
        return (1.0 - psi) * np.abs(y) + psi * above.deviation(y, *own)

    def half_difference(*given: FloatArray) -> FloatArray:
        *own, psi = given
        return psi * (1.0 - psi) * above.mean(*own) + psi * psi * above.half_difference(*own)

    def random(rng: np.random.Generator, *given: FloatArray) -> FloatArray:
        *own, psi = given
        return np.where(rng.random(np.shape(psi)) < psi, above.random(rng, *own), 0.0)

    record = Distribution(
        name=name,
        parameters={**above.parameters, "psi": "unit"},
        log_density=log_density,
        cdf=cdf,
        quantile=quantile,
        mean=mean,
        sd=sd,
        deviation=deviation,
        half_difference=half_difference,
        random=random,
        whole=above.whole,
        atoms=() if above.whole else (0.0,),
        note=note,
        scipy="none",
    )
    return replace(record, **more)


def above_zero(counts: Distribution, log_zero: Function) -> Distribution:
    """A count of `counts` given that it is not zero; `log_zero` is the logarithm of the probability that it is.

    ``E|Z - y|`` and ``E|Z - Z'|/2`` are what is left of those of `counts` without its zeros.
    """

    def present(*given: FloatArray) -> FloatArray:
        return -np.expm1(log_zero(*given))

    def log_density(y: FloatArray, *given: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.where(y == 0.0, -np.inf, counts.log_density(y, *given) - np.log(present(*given)))

    def cdf(y: FloatArray, *given: FloatArray) -> FloatArray:
        absent = np.exp(log_zero(*given))
        return np.where(y >= 1.0, np.clip((counts.cdf(y, *given) - absent) / present(*given), 0.0, 1.0), 0.0)

    def quantile(q: FloatArray, *given: FloatArray) -> FloatArray:
        absent = np.exp(log_zero(*given))
        share = np.clip(absent + q * present(*given), _LEAST, _MOST)
        return np.maximum(counts.quantile(share, *given), 1.0)

    def mean(*given: FloatArray) -> FloatArray:
        return counts.mean(*given) / present(*given)

    def sd(*given: FloatArray) -> FloatArray:
        square = (counts.sd(*given) ** 2 + counts.mean(*given) ** 2) / present(*given)
        return np.sqrt(np.maximum(square - mean(*given) ** 2, 0.0))

    def deviation(y: FloatArray, *given: FloatArray) -> FloatArray:
        return (counts.deviation(y, *given) - np.exp(log_zero(*given)) * np.abs(y)) / present(*given)

    def half_difference(*given: FloatArray) -> FloatArray:
        share, absent = present(*given), np.exp(log_zero(*given))
        return (counts.half_difference(*given) - absent * counts.mean(*given)) / (share * share)

    return replace(
        counts,
        log_density=log_density,
        cdf=cdf,
        quantile=quantile,
        mean=mean,
        sd=sd,
        deviation=deviation,
        half_difference=half_difference,
        crps=None,
    )


def or_ends(between: Distribution, ends: Function, name: str, parameters: dict[str, str], note: str) -> Distribution:
    """0 and 1 with the probabilities that ``ends(*parameters)`` gives, else a value of `between`, a share.

    The parameters of `between` come first.
    """
    count = len(between.parameters)

    def log_density(y: FloatArray, *given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        with np.errstate(divide="ignore"):
            inside = np.log1p(-at_zero - at_one) + between.log_density(np.where(_at_end(y), 0.5, y), *given[:count])
            return np.where(y == 0.0, np.log(at_zero), np.where(y == 1.0, np.log(at_one), inside))

    def cdf(y: FloatArray, *given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        below = at_zero + (1.0 - at_zero - at_one) * between.cdf(y, *given[:count])
        return np.where(y < 0.0, 0.0, np.where(y >= 1.0, 1.0, below))

    def quantile(q: FloatArray, *given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        with np.errstate(all="ignore"):
            share = np.clip((q - at_zero) / (1.0 - at_zero - at_one), _LEAST, _MOST)
        inside = between.quantile(np.where(np.isnan(share), 0.5, share), *given[:count])
        return np.where(q <= at_zero, 0.0, np.where(q > 1.0 - at_one, 1.0, inside))

    def mean(*given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        return at_one + (1.0 - at_zero - at_one) * between.mean(*given[:count])

    def sd(*given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        own = between.sd(*given[:count]) ** 2 + between.mean(*given[:count]) ** 2
        return np.sqrt(np.maximum(at_one + (1.0 - at_zero - at_one) * own - mean(*given) ** 2, 0.0))

    def deviation(y: FloatArray, *given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        inside = (1.0 - at_zero - at_one) * between.deviation(y, *given[:count])
        return at_zero * np.abs(y) + at_one * np.abs(1.0 - y) + inside

    def half_difference(*given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        rest, middle = 1.0 - at_zero - at_one, between.mean(*given[:count])
        across = at_zero * at_one + rest * (at_zero * middle + at_one * (1.0 - middle))
        return across + rest * rest * between.half_difference(*given[:count])

    def random(rng: np.random.Generator, *given: FloatArray) -> FloatArray:
        at_zero, at_one = ends(*given)
        place = rng.random(np.shape(at_zero))
        drawn = between.random(rng, *given[:count])
        return np.where(place < at_zero, 0.0, np.where(place >= 1.0 - at_one, 1.0, drawn))

    return Distribution(
        name=name,
        parameters=parameters,
        log_density=log_density,
        cdf=cdf,
        quantile=quantile,
        mean=mean,
        sd=sd,
        deviation=deviation,
        half_difference=half_difference,
        random=random,
        atoms=(0.0, 1.0),
        note=note,
        scipy="none",
    )


def _at_end(y: FloatArray) -> NDArray[np.bool_]:
    return (y == 0.0) | (y == 1.0)
