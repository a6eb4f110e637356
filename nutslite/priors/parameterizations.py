"""Other ways to say the arguments of a density: ``tau`` for ``sigma``, mean and standard deviation for shapes.

Each conversion turns numbers (or arrays) into canonical arguments; none of them works on arguments that have priors
of their own, because the density would then need a Jacobian that nobody wrote down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nutslite.exceptions import PriorError

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Parameterization:
    """Arguments that may be given instead of canonical ones.

    Attributes
    ----------
    arguments : tuple of str
        All of them must be given, and be positive unless named in `real`.
    replaces : tuple of str
        Canonical arguments that must then not be given (names in both tuples excepted).
    convert : callable
        Given arguments by name -> canonical ones for `replaces`.
    real : tuple of str
        Arguments that may be negative.
    """

    arguments: tuple[str, ...]
    replaces: tuple[str, ...]
    convert: Callable[[Arguments], dict[str, Any]]
    real: tuple[str, ...] = ()


def _precision(name: str) -> Parameterization:
    """A precision instead of ``sigma``."""
    return Parameterization((name,), ("sigma",), lambda given: {"sigma": given[name] ** -0.5})


def _gamma_from_moments(given: Arguments) -> dict[str, Any]:
    mu, sigma = given["mu"], given["sigma"]
    return {"alpha": (mu / sigma) ** 2, "beta": mu / sigma**2}


def _inverse_gamma_from_moments(given: Arguments) -> dict[str, Any]:
    mu, sigma = given["mu"], given["sigma"]
    alpha = 2.0 + (mu / sigma) ** 2
    return {"alpha": alpha, "beta": mu * (alpha - 1.0)}


def _beta_from_moments(given: Arguments) -> dict[str, Any]:
    mu, sigma = given["mu"], given["sigma"]
    if np.any(mu >= 1.0):
        raise PriorError(f"Beta(mu, sigma): mu must lie between 0 and 1, not {mu}.")
    concentration = mu * (1.0 - mu) / sigma**2 - 1.0
    if np.any(concentration <= 0.0):
        raise PriorError(
            f"Beta(mu={mu}, sigma={sigma}): no Beta distribution is that wide; sigma must be below "
            f"sqrt(mu * (1 - mu)) = {np.round(np.sqrt(mu * (1.0 - mu)), 4)}."
        )
    return {"alpha": mu * concentration, "beta": (1.0 - mu) * concentration}


def _beta_from_concentration(name: str) -> Parameterization:
    def convert(given: Arguments) -> dict[str, Any]:
        mu = given["mu"]
        if np.any(mu >= 1.0):
            raise PriorError(f"Beta(mu, {name}): mu must lie between 0 and 1, not {mu}.")
        return {"alpha": mu * given[name], "beta": (1.0 - mu) * given[name]}

    return Parameterization(("mu", name), ("alpha", "beta"), convert)


def _quantile_skew(given: Arguments) -> dict[str, Any]:
    q = given["q"]
    if np.any(q >= 1.0):
        raise PriorError(f"AsymmetricLaplace(q): the quantile must lie between 0 and 1, not {q}.")
    return {"kappa": np.sqrt(q / (1.0 - q))}


_TAU = (_precision("tau"),)

PARAMETERIZATIONS: dict[str, tuple[Parameterization, ...]] = {
    "Normal": _TAU,
    "HalfNormal": _TAU,
    "LogNormal": _TAU,
    "TruncatedNormal": _TAU,
    "SkewNormal": _TAU,
    "LogitNormal": _TAU,
    "StudentT": (_precision("lam"),),
    "HalfStudentT": (_precision("lam"),),
    "SkewStudentT": (_precision("lam"),),
    "Gamma": (Parameterization(("mu", "sigma"), ("alpha", "beta"), _gamma_from_moments),),
    "InverseGamma": (Parameterization(("mu", "sigma"), ("alpha", "beta"), _inverse_gamma_from_moments),),
    "Beta": (
        Parameterization(("mu", "sigma"), ("alpha", "beta"), _beta_from_moments),
        _beta_from_concentration("nu"),
        _beta_from_concentration("kappa"),
    ),
    "Exponential": (Parameterization(("scale",), ("lam",), lambda given: {"lam": 1.0 / given["scale"]}),),
    "Wald": (Parameterization(("mu", "phi"), ("lam",), lambda given: {"lam": given["mu"] * given["phi"]}),),
    "Rice": (Parameterization(("b", "sigma"), ("nu",), lambda given: {"nu": given["b"] * given["sigma"]}),),
    "AsymmetricLaplace": (Parameterization(("q",), ("kappa",), _quantile_skew),),
}
