"""How far draws of an approximation are from a posterior that is known."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from reference_values import CENTRED_INTERCEPT, Target

FloatArray = NDArray[np.float64]

OF_ONE_LEVEL = re.compile(r"\|[^\[\]]*(?<!_corr)\[")  # "1|g[level]", and sums with such a name; not "x|g_corr[1, x]"


def is_population(name: str) -> bool:
    """Whether a quantity belongs to no single level of a factor."""
    return OF_ONE_LEVEL.search(name) is None


def errors(draws: Mapping[str, FloatArray], targets: Mapping[str, Target]) -> dict[str, Any]:
    """The largest errors of means, in posterior sds, and of sds, as logarithms of their ratio.

    Parameters
    ----------
    draws : mapping of ndarray
        By name; what has no draws is not compared.
    targets : mapping of Target

    Returns
    -------
    dict
        ``mean``, ``sd`` and ``worst``, the parameter whose mean is furthest off, over population-level parameters;
        ``mean_effects`` over those of single levels; ``n``, of how many population-level parameters. None where there
        is nothing.
    """
    mean, sd, effects = {}, {}, {}
    for name, target in targets.items():
        if name not in draws or not target.sd > 0:
            continue
        own = np.asarray(draws[name], dtype=float)
        off = abs(float(own.mean()) - target.mean) / target.sd
        if is_population(name):
            mean[name], sd[name] = off, abs(math.log(max(float(own.std(ddof=1)), 1e-300) / target.sd))
        else:
            effects[name] = off
    worst = max(mean, key=lambda name: mean[name], default=None)
    return {
        "mean": max(mean.values(), default=None),
        "sd": max(sd.values(), default=None),
        "worst": worst,
        "mean_effects": max(effects.values(), default=None),
        "n": len(mean),
    }


def with_sums(draws: Mapping[str, FloatArray], targets: Mapping[str, Target], model: Any) -> dict[str, FloatArray]:
    """The draws, and those of quantities that references know and results do not hold.

    Parameters
    ----------
    draws : mapping of ndarray
    targets : mapping of Target
        Names with `` + `` are sums; the centred intercept is the linear predictor at the mean of every column.
    model : Model
        Ours, for the means of its columns.
    """
    out = dict(draws)
    for name in targets:
        parts = name.split(" + ")
        if len(parts) > 1 and all(part in draws for part in parts):
            out[name] = np.sum([draws[part] for part in parts], axis=0)
    parent = model.design.predictors[model.family.parent.name]
    names = [term.name for term in parent.terms]
    if CENTRED_INTERCEPT in targets and all(name in draws for name in names):
        slopes = np.stack([draws[name] for name in names])
        out[CENTRED_INTERCEPT] = draws["Intercept"] + np.tensordot(parent.matrix.mean(axis=1), slopes, axes=1)
    return out
