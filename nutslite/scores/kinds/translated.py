"""Objects of torch.distributions, and of libraries that name things alike, as distributions of the register.

Many of them have no cdf or quantiles, and numbers of seven digits. By the names of their class and of its parameters
they are known here in closed form. Nothing is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from nutslite.scores.distributions import distribution
from nutslite.scores.kinds.kind import Kind
from nutslite.scores.kinds.mixture import Mixture
from nutslite.scores.kinds.parametric import Parametric
from nutslite.scores.kinds.probabilities import Dirichlet, Probabilities
from nutslite.scores.numerics.checks import as_floats

FloatArray = NDArray[np.float64]

# Class, its parameters, our name, and our parameters made of them
KNOWN: dict[str, tuple[tuple[str, ...], str, Callable[..., dict[str, FloatArray]]]] = {
    "Normal": (("loc", "scale"), "gaussian", lambda m, s: {"mu": m, "sigma": s}),
    "LogNormal": (("loc", "scale"), "lognormal", lambda m, s: {"mu": m, "sigma": s}),
    "Laplace": (("loc", "scale"), "laplace", lambda m, s: {"mu": m, "b": s}),
    "Logistic": (("loc", "scale"), "logistic", lambda m, s: {"mu": m, "s": s}),
    "StudentT": (("df", "loc", "scale"), "t", lambda v, m, s: {"mu": m, "sigma": s, "nu": v}),
    "Gamma": (("concentration", "rate"), "gamma", lambda a, b: {"mu": a / b, "alpha": a}),
    "Exponential": (("rate",), "exponential", lambda rate: {"mu": 1.0 / rate}),
    "Beta": (("concentration1", "concentration0"), "beta", lambda a, b: {"mu": a / (a + b), "kappa": a + b}),
    "Weibull": (
        ("scale", "concentration"),
        "weibull",
        lambda s, k: {"mu": s * special.gamma(1.0 + 1.0 / k), "alpha": k},
    ),
    "InverseGaussian": (("loc", "concentration"), "wald", lambda m, v: {"mu": m, "lam": v}),
    "Poisson": (("rate",), "poisson", lambda rate: {"mu": rate}),
    "NegativeBinomial": (
        ("total_count", "logits"),
        "negativebinomial",
        lambda n, logits: {"mu": n * np.exp(logits), "alpha": n},
    ),
    "Binomial": (("total_count", "probs"), "binomial", lambda n, p: {"n": n, "p": p}),
    "Bernoulli": (("probs",), "bernoulli", lambda p: {"p": p}),
}


def translated(given: Any) -> Kind | None:
    """The prediction that an object stands for; None where it is none of those that are known."""
    name = type(given).__name__
    if not hasattr(given, "batch_shape") or not hasattr(given, "event_shape"):
        return None
    if name == "Categorical" and hasattr(given, "probs"):
        return Probabilities(given.probs)
    if name == "Dirichlet" and hasattr(given, "concentration"):
        return Dirichlet(given.concentration)
    if name == "MixtureSameFamily":
        components = _parameters(getattr(given, "component_distribution", None))
        if components is None:
            return None
        record, parameters = distribution(components[0]), {key: each.T for key, each in components[1].items()}
        weights = as_floats("weights", given.mixture_distribution.probs)
        return Mixture(record, record.checked(parameters), weights.T)
    found = _parameters(given)
    if found is None:
        return None
    record = distribution(found[0])
    return Parametric(record, record.checked(found[1]))


def _parameters(given: Any) -> tuple[str, dict[str, FloatArray]] | None:
    """Our name and parameters; None where the class, or a parameter of it, is not known."""
    known = KNOWN.get(type(given).__name__)
    if known is None or tuple(getattr(given, "event_shape", (0,))):
        return None
    names, ours, translate = known
    try:
        values = [as_floats(name, getattr(given, name)) for name in names]
    except (AttributeError, NotImplementedError):
        return None
    return ours, translate(*values)
