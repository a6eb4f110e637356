"""Small models that several tests share: data simulated with a fixed seed, every kind of term at least once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.model.record.specification import specification_of
from nutslite.posterior.record.assembled import Assembled
from nutslite.priors.prior import Prior


def assembled_of(model: Model) -> Assembled:
    """The numbers of a model and their names, as the rooms after its formula see them."""
    return specification_of(model).posterior.assembled


def grouped_data(n: int = 120, groups: int = 9, seed: int = 1) -> pd.DataFrame:
    """Two numeric columns, a categorical, two crossed factors, and a response for every kind of family."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(3.0, 1.0, n), rng.normal(0.0, 2.0, n)
    g, h = rng.integers(0, groups, n), rng.integers(0, 4, n)
    eta = 0.4 * (x - 3) - 0.2 * z + 0.5 * rng.normal(size=groups)[g] + 0.3 * rng.normal(size=4)[h]
    trials = rng.integers(1, 9, n)
    p = 1 / (1 + np.exp(-eta))
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "c": np.array(["u", "v", "w"])[rng.integers(0, 3, n)],
            "g": [f"g{i}" for i in g],
            "h": [f"h{i}" for i in h],
            "w": rng.uniform(0.5, 2.0, n),
            "o": rng.normal(0.0, 0.3, n),
            "y": eta + 0.8 * rng.normal(size=n),
            "b": (rng.uniform(size=n) < p).astype(int),
            "s": rng.binomial(trials, p),
            "trials": trials,
            "k": rng.poisson(np.exp(eta)),
            "pos": rng.gamma(2.0, np.exp(eta) / 2.0) + 1e-3,
            "unit": np.clip(rng.beta(4 * p, 4 * (1 - p)), 1e-4, 1 - 1e-4),
        }
    ).assign(
        side=lambda data: np.where(data["g"].isin(["g0", "g1", "g2", "g3"]), "left", "right"),
        size=lambda data: data["g"].str[1:].astype(float) / 4,
    )


def group_prior(name: str = "Normal", **arguments: Any) -> Prior:
    """A hierarchical prior with a half-normal scale."""
    return Prior(name, mu=0, sigma=Prior("HalfNormal", sigma=1.5), **arguments)


CUT = Prior("StudentT", nu=4, mu=0, sigma=Prior("HalfNormal", sigma=1), lower=0)
OF_CUT = Prior("Normal", mu=0, sigma=Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1), lower=0.1))
"""Priors between bounds whose probability there is a derived value: of coefficients, and of the scale of groups."""

_DISTANCES = np.abs(np.subtract.outer(np.arange(9), np.arange(9)))
KNOWN = pd.DataFrame(0.6**_DISTANCES, index=[f"g{i}" for i in range(9)], columns=[f"g{i}" for i in range(9)])
"""Covariances between the levels of g, up to a scale."""

GAUSSIAN: dict[str, dict[str, Any]] = {
    "common terms only": {"formula": "y ~ x + c"},
    "one factor": {"formula": "y ~ x + (1|g)"},
    "slopes": {"formula": "y ~ x + z + (x|g)"},
    "correlated slopes": {"formula": "y ~ x + (x|g)", "correlated": True},
    "correlated, three columns": {"formula": "y ~ x + z + (x + z|g)", "priors_cor": {"g": 2.0}},
    "crossed": {"formula": "y ~ x + (z|g) + (1|h)"},
    "crossed and correlated": {"formula": "y ~ x + (z|g) + (x|h)", "correlated": True},
    "nested": {"formula": "y ~ 1 + (1|h/g)"},
    "categorical slopes": {"formula": "y ~ c + (c|g)"},
    "no intercept": {"formula": "y ~ 0 + x + (0 + z|g)"},
    "offset and weights": {"formula": "weighted(y, w) ~ x + offset(o) + (1|g)"},
    "raw intercept": {"formula": "y ~ x + z + (1|g)", "center_predictors": False},
    "group means": {
        "formula": "y ~ x + (z|g)",
        "priors": {"1|g": Prior("Normal", mu=0.5, sigma=Prior("Exponential", lam=1))},
    },
    "hyper-hyperprior": {
        "formula": "y ~ x + (1|g)",
        "priors": {"1|g": Prior("Normal", mu=0, sigma=Prior("HalfCauchy", beta=Prior("Exponential", lam=1)))},
    },
    "smooth": {"formula": "y ~ c + s(x, k=6)"},
    "smooths, correlated groups": {"formula": "y ~ s(x, k=6) + s(z, k=5, bs='cc') + (x|g)", "correlated": True},
    "known covariance": {"formula": "y ~ x + (z||gr(g, cov=K)) + (1|h)", "extra_namespace": {"K": KNOWN}},
    "several levels, that sum to zero": {"formula": "y ~ x + (z||mm(g, g, weights=[w, x])) + (1|gr(h, zero_sum=True))"},
    "correlated by levels": {"formula": "y ~ x + (z|gr(g, by=side))", "correlated": True},
    "explained sds": {"formula": "y ~ x + (z||gr(g, sd=size + side)) + (1|h)"},
    "explained sds, correlated slopes": {"formula": "y ~ x + (z|gr(g, sd=side))", "correlated": True},
    "R2D2": {"formula": "y ~ x + z + c", "priors": {("x", "c"): Prior("R2D2", mean_R2=0.4)}},
    "hyperpriors of coefficients": {
        "formula": "y ~ z + x + c + (1|g)",
        "priors": {"x": group_prior(), "c": Prior("Normal", mu=0.3, sigma=Prior("Exponential", lam=1))},
    },
    "hyperpriors, raw intercept": {
        "formula": "y ~ z + x + c",
        "priors": {"common": group_prior()},
        "center_predictors": False,
    },
    "horseshoe, correlated groups": {
        "formula": "y ~ x + z + c + (z|g)",
        "priors": {("x", "c"): Prior("Horseshoe", scale_global=0.5, df=3)},
        "correlated": True,
    },
    "fixed sigma, flat slopes": {"formula": "y ~ x + (1|g)", "priors": {"sigma": 0.9, "x": Prior("Flat")}},
}

GENERAL: dict[str, dict[str, Any]] = {
    "every parameter modelled": {"formula": Formula("y ~ x + (x|g)", "sigma ~ z + (1|g)"), "correlated": True},
    "correlated across parameters": {"formula": Formula("y ~ x + (x|p|g) + (1|h)", "sigma ~ z + (z|h) + (1|p|g)")},
    "explained sds, correlated": {
        "formula": Formula("y ~ x + (z|gr(g, sd=size + side))", "sigma ~ z + (1|gr(g, sd=size))"),
        "correlated": True,
    },
    "explained sds, other priors": {
        "formula": "k ~ x + (z||gr(g, sd=size)) + (1|h)",
        "family": "poisson",
        "priors": {
            "1|gr(g, sd=size)": group_prior("StudentT", nu=Prior("Gamma", alpha=2, beta=0.1)),
            "z|gr(g, sd=size)": Prior("Laplace", mu=0, b=0.5),
        },
    },
    "other priors": {
        "formula": "y ~ x + z + (1|g) + (1|h)",
        "priors": {
            "x": Prior("StudentT", nu=4, mu=0, sigma=1),
            "z": Prior("Laplace", mu=0, b=1),
            "1|g": group_prior("StudentT", nu=Prior("Gamma", alpha=2, beta=0.1)),
            "1|h": Prior("Laplace", mu=0, b=10),
        },
    },
    "group location with a prior": {
        "formula": "y ~ 0 + x + (1|g)",
        "priors": {"1|g": Prior("Normal", mu=Prior("Normal", mu=0, sigma=2), sigma=Prior("HalfNormal", sigma=1))},
    },
    "t": {"formula": "y ~ x + (1|g)", "family": "t"},
    "bernoulli": {"formula": "b ~ x + c + (z|g)", "family": "bernoulli"},
    "binomial, probit": {"formula": "p(s, trials) ~ x + (1|g)", "family": "binomial", "link": "probit"},
    "poisson with offset": {"formula": "k ~ x + offset(o) + (1|g) + (1|h)", "family": "poisson"},
    "negative binomial": {"formula": Formula("k ~ x + (1|g)", "alpha ~ z"), "family": "negativebinomial"},
    "gamma, log": {"formula": "pos ~ x + (1|g)", "family": "gamma", "link": "log"},
    "beta": {"formula": Formula("unit ~ x", "kappa ~ 1 + (1|g)"), "family": "beta"},
    "horseshoe, monotonic": {
        "formula": Formula("k ~ z + mo(c) + (1|g)", "alpha ~ x + c + mo(h)"),
        "family": "negativebinomial",
        "priors": {"alpha": {("x", "c"): Prior("Horseshoe", scale_slab=1)}, "mo(c)": {"simplex": [2, 3]}},
    },
    "smooths of two parameters": {"formula": Formula("y ~ s(x, k=5) + (1|g)", "sigma ~ s(x, k=5)")},
    "hyperpriors, other densities": {
        "formula": "k ~ x + c",
        "family": "poisson",
        "priors": {
            "x": group_prior("StudentT", nu=Prior("Gamma", alpha=2, beta=0.1)),
            "c": Prior("Laplace", mu=Prior("Normal", mu=0, sigma=1), b=Prior("HalfNormal", sigma=[1, 2])),
        },
    },
    "bounds": {"formula": "k ~ x + z + (1|g)", "family": "poisson", "priors": {"x": CUT, "z": CUT, "1|g": OF_CUT}},
    "wald, log, weighted": {"formula": "weighted(pos, w) ~ x", "family": "wald", "link": "log"},
}


CENSORED: dict[str, dict[str, Any]] = {
    "censored": {"formula": "censored(y, np.where(y > 0.6, 1, np.where(y < -0.6, -1, 0))) ~ x + (x|g) + (1|h)"},
    "censored counts": {"formula": "censored(k, k + 2, np.where(x > 3, 'interval', 'none')) ~ z", "family": "poisson"},
    "censored times": {
        "formula": Formula("censored(pos, pos + 1, np.where(x > 3, 'interval', 'none')) ~ x + (1|g)", "alpha ~ z"),
        "family": "weibull",
    },
    "between bounds": {
        "formula": "truncated(censored(pos, np.where(x > 0.6, 1, 0)), lb=0.0001 * (1 + k), ub=90.0) ~ x + (1|g)",
        "family": "gamma",
        "link": "log",
    },
}
"""Rows under several kernels."""


def small_model(settings: dict[str, Any]) -> Model:
    """The model of one of the entries above on `grouped_data`; ``"n"`` rows where that is given."""
    data = grouped_data(settings.get("n", 120))
    return Model(settings["formula"], data, **{k: v for k, v in settings.items() if k not in ("formula", "n")})
