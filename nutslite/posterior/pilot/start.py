"""A simple first guess of all parameters, from which the pilot or the sampler's jitter starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.codes import CODES, constant_link, is_custom, link_array
from nutslite.families.record.censoring import compiled_logliks
from nutslite.formula.forms.rate import EXPOSURE
from nutslite.posterior.pilot.nested_laplace import start_inside
from nutslite.posterior.pilot.row_information import ETA_STEP, ROWS_AT_ONCE
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.transforms import IDENTITY, LOG, unconstrain

FloatArray = NDArray[np.float64]


def starting_position(assembled: Assembled) -> FloatArray:
    """Intercept of the parent at the link of the mean response, scales of a size that fits the data, 0 elsewhere."""
    model, spec = assembled.data, assembled.spec
    position = np.zeros(assembled.layout.dimension)
    y = _response(assembled)
    parent = model.predictors[0]
    name = spec.links[spec.family.parent.name]
    eta = starting_predictor(assembled)
    at = parent[md.INTERCEPT]
    if at >= 0 and model.head.transforms[at] == IDENTITY:
        offset = model.offsets[parent[md.OFFSET]].mean() if parent[md.OFFSET] >= 0 else 0.0
        position[at] = eta - offset
    start_inside(model, spec.family.parent.support, position, eta)
    if name == "identity" or spec.family.parent.support == "real":
        _set_scales(assembled, position, _sd(y), effects=name == "identity")
    _set_beginnings(assembled, position, y)
    return position


def starting_predictor(assembled: Assembled) -> float:
    """The parent's linear predictor at the mean response."""
    return _predictor_at(assembled, float(_response(assembled).mean()))


def other_predictors(assembled: Assembled) -> list[float]:
    """At quartiles of the responses, and of their logarithms, which are what some families' means are about."""
    y = _response(assembled)
    scales = [y, np.log(y)] if (y > 0.0).all() else [y]
    return [_predictor_at(assembled, float(q)) for scale in scales for q in np.quantile(scale, (0.25, 0.5, 0.75))]


def pilot_kernels(
    assembled: Assembled, loglik: tuple[Any, ...]
) -> tuple[tuple[Any, ...], FloatArray | None, FloatArray]:
    """Kernels whose curvature says where a posterior is, steps (k,) of its differences, units (k,) of the predictors.

    Kernels are the density's own, with usual steps, but where that has kinks or bends sharply. Over a thousandth of the
    response's standard deviation the curvature of the others hardly changes.
    """
    spec, units = assembled.spec, units_of_predictors(assembled)
    if spec.family.smooth is None:
        return loglik, None, units
    smooth = compiled_logliks(
        replace(spec.family, kernel=spec.family.smooth),
        assembled.data.links,
        md.kernels_of(assembled.data),
        md.has_bounds(assembled.data),
    )
    return smooth, ETA_STEP * units, units


def units_of_predictors(assembled: Assembled) -> FloatArray:
    """By how much linear predictors (k,) differ: the response's sd where one is in its unit, else 1."""
    spec, sd = assembled.spec, _sd(_response(assembled))
    own = [p.support == "real" and spec.links.get(p.name) == "identity" for p in spec.family.eta_parameters]
    return np.where(own, sd if sd > 0.0 else 1.0, 1.0)


def _sd(numbers: FloatArray) -> float:
    """Standard deviation, of some numbers at a time: beside the data of a large model there is little room."""
    mean, n = numbers.mean(), numbers.size
    pieces = (numbers[start : start + ROWS_AT_ONCE] for start in range(0, n, ROWS_AT_ONCE))
    return float(np.sqrt(sum(float(np.sum((piece - mean) ** 2)) for piece in pieces) / n))


def _predictor_at(assembled: Assembled, mean: float) -> float:
    parent = assembled.spec.family.parent
    return _link_of_mean(assembled.spec.links[parent.name], parent.support, mean)


def _response(assembled: Assembled) -> FloatArray:
    """Finite responses, as shares where there are trials."""
    response = assembled.spec.design.response
    y = response.values[0]
    for name in ("trials", EXPOSURE):
        if name in response.beside:
            y = y / response.beside[name]
    finite = np.isfinite(y)
    return np.asarray(y if finite.all() else y[finite])


def _link_of_mean(link: str, support: str, mean: float) -> float:
    """eta at the mean response, kept inside the parameter's support."""
    if link == "identity":  # this and the two other native links are most models: no function has to be compiled
        return mean
    if support == "unit" or link == "cloglog":
        mean = min(max(mean, 0.01), 0.99)
    if support == "positive" or link in ("log", "inverse", "inverse_squared", "sqrt", "softplus"):
        mean = max(mean, 1e-2)
    return _link_of(link, mean)


def _link_of(link: str, value: float) -> float:
    """eta at a value inside the link's domain."""
    if is_custom(link):  # it may have no such function, and no value there
        eta = float(link.link(value)) if link.has_link else 0.0  # type: ignore[attr-defined]
        return eta if np.isfinite(eta) else 0.0
    if link in ("log", "logit", "identity"):
        return float(constant_link(CODES[link], value))
    return float(link_array(link, np.array([value]))[0])


def _set_beginnings(assembled: Assembled, position: FloatArray, y: FloatArray) -> None:
    """Parameters that say of the responses where they begin."""
    model, spec = assembled.data, assembled.spec
    for predictor, parameter in zip(model.predictors, spec.family.eta_parameters, strict=True):
        if parameter.begins is None:
            continue
        value = parameter.begins(y)
        varies = predictor[md.VARIES] == 1
        at = int(predictor[md.INTERCEPT] if varies else predictor[md.CONSTANT])
        if not 0 <= at < model.head.transforms.size:  # a known number, or a formula without an intercept
            continue
        if varies:
            value = _link_of(spec.links[parameter.name], value)
        begin = float(unconstrain(model.head.transforms[at], value, *model.head.bounds[:, at]))
        position[at] = begin if np.isfinite(begin) else position[at]


def _set_scales(assembled: Assembled, position: FloatArray, sd: float, *, effects: bool) -> None:
    """Positive parameters are of the order of the response's standard deviation; so are effects, in its own unit."""
    if not sd > 0.0:
        return
    model, family = assembled.data, assembled.spec.family
    for j, parameter in enumerate(family.eta_parameters):
        predictor = model.predictors[j]
        power = 1 if parameter.name == "sigma" else parameter.unit
        if power == 0:
            continue
        if predictor[md.VARIES] == 0 and predictor[md.CONSTANT] < model.head.transforms.size:
            if model.head.transforms[predictor[md.CONSTANT]] == LOG:
                position[predictor[md.CONSTANT]] = power * np.log(sd)
        elif predictor[md.VARIES] == 1 and predictor[md.INTERCEPT] >= 0:
            position[predictor[md.INTERCEPT]] = _link_of_mean(
                assembled.spec.links[parameter.name], parameter.support, sd**power
            )
    if not effects:
        return
    n_head = model.head.transforms.size
    for block in model.added[: model.added.shape[0] - model.codes.blocks.shape[0]]:
        if block[md.PREDICTOR] != 0:
            continue
        for c in range(block[md.N_COLUMNS]):
            row = model.block_columns[block[md.COLUMN_TABLE] + c]
            if row[md.SCALE_ARGUMENT] < 0:
                continue
            scale = row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]]
            if scale < n_head and model.head.transforms[scale] == LOG:
                size = 1.0 if row[md.Z_ROW] < 0 else float(np.sqrt(np.mean(model.z[row[md.Z_ROW]] ** 2)))
                position[scale] = np.log(0.5 * sd / max(size, 1e-12))
