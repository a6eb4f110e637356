"""Cases for tests/test_families.py: a family at some parameter values, and expectations under its density."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from scipy import integrate

from nutslite.families.links.codes import link_array
from nutslite.families.record.family import Family, Parameter
from nutslite.families.record.pointwise import pointwise_loglik

ROWS = 7


def some_values(parameter: Parameter, link: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """Unremarkable parameter values inside both the parameter's support and the link's domain."""
    if parameter.support == "unit" or link in ("logit", "probit", "cloglog", "cauchit"):
        return rng.uniform(0.15, 0.85, size)
    if parameter.support == "positive" or link in ("log", "softplus", "sqrt", "inverse_squared"):
        return rng.uniform(0.4, 4.0, size)
    return rng.normal(0.0, 1.0, size) + 0.2


class Case:
    """A family at some parameter values, with a response drawn from it."""

    def __init__(self, family: Family, links: dict[str, str], varying: set[str], seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.family = family
        self.varies = np.array([int(p.name in varying) for p in family.parameters], dtype=np.int64)
        self.links = family.link_codes(links)
        self.theta = {}
        self.eta = np.full((len(family.parameters), ROWS + 3), np.nan)  # a kernel must not read past what it is given
        for j, parameter in enumerate(family.parameters):
            link = links.get(parameter.name, parameter.default_link)
            size = ROWS if self.varies[j] else 1
            self.theta[parameter.name] = some_values(parameter, link, rng, size)
            self.eta[j, :size] = link_array(link, self.theta[parameter.name])
        self.companions = some_companions(family, rng, ROWS)
        theta = {name: np.broadcast_to(value, ROWS) for name, value in self.theta.items()}
        response = np.asarray(family.random(rng, theta, self.companions), dtype=np.float64)
        if "ndt" in theta:
            response += 1.0  # above a shift by more than steps of differences
        self.values = np.vstack([response, *self.companions.values()])
        self.y = family.prepare(self.values)

    def loglik(
        self, eta: np.ndarray | None = None, weights: np.ndarray | None = None, start: int = 0, rows: int = ROWS
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pointwise log likelihood and derivative; scratch parts of the derivative come back as nan."""
        eta = self.eta if eta is None else eta
        out = np.full(rows, np.nan)
        derivative = np.full(eta.shape, np.nan)
        weights = np.empty(0) if weights is None else weights
        with np.errstate(all="ignore"):
            self.family.kernel(self.y, weights, start, eta, self.varies, self.links, out, derivative)
        for j, varies in enumerate(self.varies):
            derivative[j, rows if varies else 1 :] = np.nan
        return out, derivative


def some_companions(family: Family, rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    makers: dict[str, Callable[[], np.ndarray]] = {"trials": lambda: rng.integers(1, 9, rows).astype(np.float64)}
    return {name: makers[name]() for name in family.companions}


def settings(family: Family, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """One value per parameter, and companions: moderate, so that means exist and sums converge."""
    rng = np.random.default_rng(seed)
    values = {}
    for parameter in family.parameters:
        low, high = {"real": (-1.0, 1.0), "positive": (1.5, 5.0), "unit": (0.2, 0.8)}[parameter.support]
        values[parameter.name] = float(rng.uniform(low, high))
    return values, {name: float(value[0]) for name, value in some_companions(family, rng, 1).items()}


def density(
    family: Family, values: dict[str, float], companions: dict[str, float]
) -> Callable[[np.ndarray | float], np.ndarray]:
    def evaluate(y: np.ndarray | float) -> np.ndarray:
        y = np.atleast_1d(np.asarray(y, dtype=np.float64))
        rows = np.vstack([y, *(np.full(y.size, value) for value in companions.values())])
        return np.exp(pointwise_loglik(family, rows, values))

    return evaluate


INTERVALS = {  # of integration, with points between which the integrand is smooth; positive responses by their log
    "real": (-np.inf, np.inf, (-20.0, -3.0, 0.0, 3.0, 20.0)),
    "positive": (-60.0, 150.0, (-20.0, -5.0, -1.0, 0.0, 1.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0)),
    "unit": (0.0, 1.0, (0.01, 0.5, 0.99)),
    "angle": (-math.pi, math.pi, (-1.5, 0.0, 1.5)),
}
INTERVALS["nonnegative"] = INTERVALS["positive"]
INTERVALS["closed_unit"] = INTERVALS["unit"]


def expectation(
    family: Family,
    values: dict[str, float],
    companions: dict[str, float],
    of: Callable[[np.ndarray], np.ndarray],
    to: float = np.inf,
) -> float:
    """Integral or sum of `of` under the family's density, up to and including `to`."""
    p = density(family, values, companions)
    if family.discrete:
        top = {"binary": 1.0, "count": 3000.0, "trials": companions.get("trials", 0.0)}[family.response_support]
        y = np.arange(0.0, min(top, to) + 0.5)
        return float(np.sum(p(y) * of(y)))
    low, high, cuts = INTERVALS[family.response_support]
    on_log_scale = family.response_support in ("positive", "nonnegative")
    shift = values.get("ndt", 0.0)  # the support is above it
    atoms = [0.0] if any(each.name == "psi" for each in family.parameters) else []
    atoms = [0.0, 1.0] if family.response_support == "closed_unit" else atoms
    apart = sum(float(p(atom)[0] * of(np.array([atom]))[0]) for atom in atoms if atom <= to)
    if on_log_scale and to <= shift:
        return apart
    high = min(high, math.log(to - shift) if on_log_scale and to < np.inf else to)

    def integrand(x: float) -> float:
        y = np.array([shift + math.exp(x) if on_log_scale else x])
        return float(p(y)[0] * of(y)[0]) * (float(y[0] - shift) if on_log_scale else 1.0)

    ends = [low, *(cut for cut in cuts if low < cut < high), high]
    parts = (
        integrate.quad(integrand, a, b, epsabs=1e-11, epsrel=1e-10, limit=200)[0] for a, b in itertools.pairwise(ends)
    )
    return float(sum(parts)) + apart
