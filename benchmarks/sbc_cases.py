"""The models of the calibration study: every family, prior shapes drawn at random, and every path of a fit.

Data are small, so that a fit takes a fraction of a second. Under default priors many families make responses that no
data set has (counts of 1e20); `accept` keeps those within bounds, which leaves ranks uniform because it looks at the
response alone. `PATCHES` lower thresholds so that small models take the ways of large ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.priors.prior import Prior

ROWS, GROUPS, CROSSED = 48, 6, 4

KNOWN = "y ~ x + (1|gr(g, cov=K))"
BY = "y ~ x + (x|gr(g, by=side))"
SDS = "gr(g, sd=size + side)"
MATRIX_K = {"extra_namespace": {"K": 0.6 ** np.abs(np.subtract.outer(np.arange(GROUPS), np.arange(GROUPS)))}}

LARGE = {"posterior.marginal.prices.LARGE_RISK": -1e9}
BETWEEN_THEM = {**LARGE, "posterior.marginal.interpolation.FEWEST_COLUMNS": 1}
MERGED = {"posterior.assembly.equal_rows.FEWEST_ROWS": 1, "posterior.assembly.equal_rows.LARGEST_SHARE": 1.0}


@dataclass(frozen=True)
class Case:
    """One model of the study.

    Attributes
    ----------
    name, about : str
        `about`: what the case is there for.
    formula, family, options
        As for `Model`.
    fit : dict
        Further arguments of `simulation_based_calibration`: path, pilot, merge, inference method.
    accept : tuple of two floats, optional
        Responses outside are drawn anew.
    rows : int
        Of the data.
    patches : dict
        Thresholds by dotted name below the package, for this case's fits.
    """

    name: str
    about: str
    formula: Any
    family: str = "gaussian"
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    accept: tuple[float, float] | None = None
    rows: int = ROWS
    patches: Mapping[str, float] = field(default_factory=dict)

    def model(self) -> Model:
        """The model, on the study's data."""
        return Model(self.formula, case_data(self.rows), self.family, **{"unused_priors": "ignore", **self.options})

    def arguments(self) -> dict[str, Any]:
        """Arguments of the study beside model, number of simulations and seed."""
        judge = between_ends if self.family in WITH_ENDS else within
        chosen = {} if self.accept is None else {"accept": partial(judge, *self.accept)}
        return {**self.fit, **chosen}


def within(low: float, high: float, response: np.ndarray) -> bool:
    """Whether a whole response lies between two numbers."""
    return bool(response.min() >= low and response.max() <= high)


def between_ends(low: float, high: float, response: np.ndarray) -> bool:
    """The same of shares that are neither 0 nor 1, of which there are some: what rounded to an end is seldom alone."""
    between = response[(response > 0.0) & (response < 1.0)]
    return between.size > 0 and within(low, high, between)


def ended(low: float, high: float, response: np.ndarray) -> tuple[np.ndarray, ...]:
    """What is known of responses that are seen between two numbers."""
    status = np.select([response <= low, response >= high], ["left", "right"], "none")
    return np.clip(response, low, high), status


def in_steps(step: float, high: float, response: np.ndarray) -> tuple[np.ndarray, ...]:
    """What is known of positive responses where every other row was looked at now and then, up to a number."""
    rounded = np.maximum(np.floor(response / step) * step, 1e-3)
    now_and_then = (np.arange(response.size) % 2 == 0) & (response > rounded)
    status = np.where(response >= high, "right", np.where(now_and_then, "interval", "none"))
    lower = np.where(status == "interval", rounded, np.minimum(response, high))
    upper = np.minimum(lower + np.where(rounded < step, step - 1e-3, step), high)  # beyond, it would be right-censored
    return lower, np.where(status == "interval", upper, lower + step), status


def apply_patches(patches: Mapping[str, float]) -> None:
    """Set thresholds of the package in this process."""
    for dotted, value in patches.items():
        setattr(*threshold_of(dotted), value)


def threshold_of(dotted: str) -> tuple[Any, str]:
    """The module and the name of a threshold; AttributeError or ImportError where it has moved."""
    module, name = dotted.rsplit(".", 1)
    target = import_module(f"nutslite.{module}")
    if not hasattr(target, name):
        raise AttributeError(f"nutslite.{module} has no threshold {name}: did it move?")
    return target, name


def case_data(rows: int = ROWS) -> pd.DataFrame:
    """Predictors, two crossed factors and, for what default priors are scaled by, a response of every kind."""
    rng = np.random.default_rng(20)
    trials = rng.integers(1, 12, rows)
    return pd.DataFrame(
        {
            "x": rng.normal(size=rows),
            "z": rng.normal(2.0, 3.0, rows),
            "b": rng.integers(0, 2, rows),
            "c": np.array(["u", "v", "w"])[rng.integers(0, 3, rows)],
            "g": [f"g{i}" for i in rng.permutation(np.arange(rows) % GROUPS)],
            "h": [f"h{i}" for i in rng.permutation(np.arange(rows) % CROSSED)],
            "o": rng.normal(0.0, 0.5, rows),
            "y": rng.normal(1.0, 2.0, rows),
            "yes": np.arange(rows) % 2,
            "k": rng.poisson(3.0, rows),
            "s": rng.binomial(trials, 0.4),
            "trials": trials,
            "pos": rng.gamma(2.0, 1.0, rows),
            "unit": rng.uniform(0.05, 0.95, rows),
            "share": np.clip(np.arange(rows) % 7 / 5.0 - 0.1, 0.0, 1.0),
            "angle": np.linspace(-3.0, 3.0, rows),
            "spent": np.where(np.arange(rows) % 3 == 0, 0.0, 1.0 + np.arange(rows) % 5),
            "status": np.array(["none", "none", "right"])[np.arange(rows) % 3],
            "level": pd.Categorical.from_codes(np.arange(rows) % 4, list("abcd"), ordered=True),
        }
    ).assign(
        side=lambda data: np.where(data["g"].isin(["g0", "g1", "g2"]), "left", "right"),
        size=lambda data: data["g"].str[1:].astype(float),
    )


RESPONSES = {
    "gaussian": "y",
    "t": "y",
    "bernoulli": "yes",
    "binomial": "p(s, trials)",
    "beta": "unit",
    "gamma": "pos",
    "lognormal": "pos",
    "poisson": "k",
    "negativebinomial": "k",
    "wald": "pos",
    "zero_inflated_poisson": "k",
    "weibull": "pos",
    "laplace": "y",
    "asymmetriclaplace": "y",
    "elf": "y",
    "exponential": "pos",
    "exgaussian": "y",
    "beta_binomial": "p(s, trials)",
    "zero_inflated_binomial": "p(s, trials)",
    "zero_inflated_negativebinomial": "k",
    "hurdle_poisson": "k",
    "hurdle_negativebinomial": "k",
    "hurdle_gamma": "spent",
    "hurdle_lognormal": "spent",
    "zero_one_inflated_beta": "share",
    "ordered_beta": "share",
    "skew_normal": "y",
    "shifted_lognormal": "pos",
    "discrete_weibull": "k",
}
WITH_ENDS = ("zero_one_inflated_beta", "ordered_beta")
POSITIVE = (1e-4, 1e4)
BOUNDS = {
    "t": (-1e4, 1e4),
    "asymmetriclaplace": (-1e4, 1e4),
    "elf": (-1e4, 1e4),
    "beta": (1e-6, 1 - 1e-6),
    "gamma": POSITIVE,
    "lognormal": POSITIVE,
    "wald": (1e-2, 1e2),  # wider ones cost ten times as long: trajectories of many steps
    "weibull": POSITIVE,
    "poisson": (0, 1e4),
    "negativebinomial": (0, 1e4),
    "zero_inflated_poisson": (0, 1e4),
    "exponential": POSITIVE,
    "exgaussian": (-1e4, 1e4),
    "zero_inflated_negativebinomial": (0, 1e4),
    "hurdle_poisson": (0, 1e4),
    "hurdle_negativebinomial": (0, 1e4),
    "hurdle_gamma": (0, 1e4),
    "hurdle_lognormal": (0, 1e4),
    "zero_one_inflated_beta": (1e-6, 1 - 1e-6),
    "ordered_beta": (1e-6, 1 - 1e-6),
    "skew_normal": (-1e4, 1e4),
    "shifted_lognormal": POSITIVE,
    "discrete_weibull": (0, 1e4),
}
LOG_LINK = ("gamma", "wald")  # whose default, as in Bambi, is one that allows negative means
MODELLED = {"gaussian": "sigma", "t": "sigma", "beta": "kappa", "gamma": "alpha", "negativebinomial": "alpha"}


def effects(scale: Prior) -> Prior:
    """Normal group effects with a prior of their scale."""
    return Prior("Normal", mu=0, sigma=scale)


def drawn_priors(seed: int, auxiliary: tuple[str, ...]) -> dict[str, Prior]:
    """Priors of random shape and moderate scale for the formula of `drawn_case`."""
    rng = np.random.default_rng(seed)

    def pick(*choices: Prior) -> Prior:
        return choices[int(rng.integers(len(choices)))]

    def real() -> Prior:
        size = float(rng.uniform(0.3, 0.8))
        return pick(
            Prior("Normal", mu=0.3, sigma=size),
            Prior("StudentT", nu=5, mu=0, sigma=size),
            Prior("Laplace", mu=0, b=0.7 * size),
            Prior("Logistic", mu=-0.2, s=0.6 * size),
            Prior("SkewNormal", mu=0, sigma=size, alpha=2),
            Prior("Uniform", lower=-1.5, upper=1.0),
        )

    def positive() -> Prior:
        size = float(rng.uniform(0.4, 1.0))
        return pick(
            Prior("HalfNormal", sigma=size),
            Prior("Exponential", lam=1.5 / size),
            Prior("HalfStudentT", nu=4, sigma=size),
            Prior("Gamma", alpha=2, beta=2.5 / size),
            Prior("InverseGamma", alpha=4, beta=3 * size),
            Prior("LogNormal", mu=-0.7, sigma=0.5),
            Prior("Weibull", alpha=1.5, beta=size),
        )

    group = pick(
        Prior("Normal", mu=0, sigma=positive()),
        Prior("StudentT", nu=4, mu=0, sigma=positive()),
        Prior("Laplace", mu=0, b=positive()),
        Prior("Normal", mu=real(), sigma=positive()),
    )
    priors = {"Intercept": real(), "x": real(), "c": real(), "1|g": group, "x|g": effects(positive())}
    own = {"psi": Prior("Beta", alpha=2, beta=3), "nu": Prior("Gamma", alpha=4, beta=0.4)}
    own |= {"zoi": own["psi"], "coi": own["psi"], "cutzero": Prior("Normal", mu=-1.5, sigma=1)}
    sizes = {"kappa": Prior("Gamma", alpha=4, beta=0.5), "alpha": Prior("Gamma", alpha=4, beta=1.5)}
    sizes |= {"gap": Prior("Gamma", alpha=4, beta=1.5), "beta": Prior("Gamma", alpha=4, beta=3)}
    return priors | {name: own.get(name) or sizes.get(name) or positive() for name in auxiliary}


def default_case(family: str) -> Case:
    """A slope and groups under the default priors."""
    link = {"link": "log"} if family in LOG_LINK else {}
    return Case(
        f"{family}: default priors",
        "family, default priors",
        f"{RESPONSES[family]} ~ x + (1|g)",
        family,
        link,
        accept=BOUNDS.get(family),
    )


def drawn_case(family: str, seed: int) -> Case:
    """Categories and random slopes under priors of random shape."""
    auxiliary = {
        "gaussian": ("sigma",),
        "t": ("sigma", "nu"),
        "beta": ("kappa",),
        "gamma": ("alpha",),
        "lognormal": ("sigma",),
        "negativebinomial": ("alpha",),
        "wald": ("lam",),
        "weibull": ("alpha",),
        "laplace": ("b",),
        "asymmetriclaplace": ("b",),
        "elf": ("sigma",),
        "zero_inflated_poisson": ("psi",),
        "exgaussian": ("sigma", "nu"),
        "beta_binomial": ("kappa",),
        "zero_inflated_binomial": ("psi",),
        "zero_inflated_negativebinomial": ("alpha", "psi"),
        "hurdle_poisson": ("psi",),
        "hurdle_negativebinomial": ("alpha", "psi"),
        "hurdle_gamma": ("alpha", "psi"),
        "hurdle_lognormal": ("sigma", "psi"),
        "zero_one_inflated_beta": ("kappa", "zoi", "coi"),
        "ordered_beta": ("kappa", "cutzero", "gap"),
        "skew_normal": ("sigma", "alpha"),
        "shifted_lognormal": ("sigma", "ndt"),
        "discrete_weibull": ("beta",),
    }.get(family, ())
    return Case(
        f"{family}: drawn priors",
        "family, priors of random shape",
        f"{RESPONSES[family]} ~ x + c + (1|g) + (0 + x|g)",
        family,
        {"priors": drawn_priors(seed, auxiliary), **({"link": "log"} if family in LOG_LINK else {})},
        accept=BOUNDS.get(family),
    )


def modelled_case(family: str) -> Case:
    """A formula for the second parameter, groups in both."""
    parameter = MODELLED[family]
    return Case(
        f"{family}: {parameter} modelled",
        "distributional formula, groups in both predictors",
        Formula(f"{RESPONSES[family]} ~ x + (1|g)", f"{parameter} ~ x + (1|g)"),
        family,
        {
            "priors": {
                "Intercept": Prior("Normal", mu=0, sigma=0.7),
                "common": Prior("Normal", mu=0, sigma=0.7),
                "group_specific": effects(Prior("HalfNormal", sigma=0.7)),
                parameter: {
                    "Intercept": Prior("Normal", mu=0.5, sigma=0.5),
                    "x": Prior("Normal", mu=0, sigma=0.4),
                    "1|g": effects(Prior("HalfNormal", sigma=0.4)),
                },
            },
            **({"link": "log"} if family in LOG_LINK else {}),
        },
        accept=BOUNDS.get(family),
    )


NARROW = {
    "Intercept": Prior("Normal", mu=0, sigma=1),
    "common": Prior("Normal", mu=0, sigma=1),
    "group_specific": effects(Prior("HalfNormal", sigma=1)),
    "sigma": Prior("HalfNormal", sigma=1),
}
BINARY = {
    "Intercept": NARROW["Intercept"],
    "common": NARROW["common"],
    "group_specific": effects(Prior("HalfNormal", sigma=1)),
}
BETWEEN = {
    **NARROW,
    "common": Prior("StudentT", nu=5, mu=0, sigma=0.5, lower=0),
    "sigma": Prior("Normal", mu=1, sigma=1, lower=0.3, upper=3),
}
ABOVE = {**NARROW, "h": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1), lower=0)}
JOINT, ADAPTING = {"plan": "joint"}, {"plan": "joint", "pilot": False}
MATRIX = {"plan": "joint", "pilot": "matrix"}
BY_NUTS, BY_ROTATIONS = {"inference_method": "nuts"}, {"inference_method": "hmc"}


def marginal_cases() -> list[Case]:
    """Gaussian models of which coefficients and effects are integrated out."""
    narrow = {"priors": NARROW}
    crossed = "y ~ x + (1|g) + (1|h)"
    raw = {**narrow, "center_predictors": False}
    return [
        Case("no groups: marginal", "coefficients integrated out", "y ~ x + z + c", options=narrow),
        Case("one factor: marginal", "one factor integrated out", "y ~ x + (1|g)", options=narrow),
        Case("few groups: marginal", "folded scales", "y ~ 1 + (1|h)", options=narrow, rows=16),
        Case("slopes: marginal", "independent slopes", "y ~ x + (x|g)", options=narrow),
        Case("correlated: marginal", "LKJ", "y ~ x + (x|g)", options={**narrow, "correlated": True}),
        Case("known covariance: marginal", "a matrix between levels", KNOWN, options={**narrow, **MATRIX_K}),
        Case(
            "known covariance: large marginal",
            "no factor to eliminate",
            KNOWN,
            options={**narrow, **MATRIX_K},
            patches={**LARGE, "posterior.marginal.crossproducts.WIDEST_ELIMINATED": 1},
        ),
        Case("by levels: marginal", "a distribution for each of two sides", BY, options={**narrow, "correlated": True}),
        Case(
            "several levels: marginal",
            "rows of two levels",
            "y ~ x + (1|mm(g, h, weights=[unit, pos]))",
            options=narrow,
        ),
        Case("zero sum: marginal", "levels that sum to zero", "y ~ x + (1|gr(g, zero_sum=True))", options=narrow),
        Case("crossed: marginal", "two factors", crossed, options=narrow),
        Case("crossed: large marginal", "independence Metropolis", crossed, options=narrow, patches=LARGE),
        Case(
            "crossed: interpolated", "log densities between evaluations", crossed, options=narrow, patches=BETWEEN_THEM
        ),
        Case("nested: marginal", "nested factors", "y ~ 1 + (1|h/b)", options=narrow),
        Case("raw intercept and offset", "prior about the raw intercept", "y ~ z + offset(o) + (1|g)", options=raw),
    ]


def term_cases() -> list[Case]:
    """Terms of special kinds: weights integrated out, with a pilot, and without."""
    priors = {**NARROW, "s(z, k=6)": {"sigma": Prior("HalfNormal", sigma=1)}}
    inverse = {"sigma": Prior("HalfNormal", sigma=1), "ell": Prior("InverseGamma", alpha=5, beta=2)}
    process: dict[str, Any] = {
        "formula": "y ~ x + hsgp(z, m=8, c=1.5, scale=True)",
        "options": {"priors": {**NARROW, "hsgp(z, m=8, c=1.5, scale=True)": inverse}},
    }
    smooth: dict[str, Any] = {"formula": "y ~ x + s(z, k=6)", "options": {"priors": priors}}
    horseshoe = Prior("Horseshoe", scale_global=0.3, df_global=3, df=3, scale_slab=1)
    shrunk: dict[str, Any] = {"formula": "y ~ x + z + c + b", "options": {"priors": {**NARROW, "common": horseshoe}}}
    r2d2 = Prior("R2D2", mean_R2=0.4, prec_R2=4, cons_D2=1)
    shares: dict[str, Any] = {"formula": "y ~ x + z + c", "options": {"priors": {**NARROW, "common": r2d2}}}
    steps = {**NARROW, "mo(h)": {"slope": Prior("Normal", mu=0, sigma=0.5), "simplex": 1.5}}
    by_levels = "hsgp(z, m=6, c=1.5, by=b, share_cov=False)"
    each = {"sigma": Prior("HalfNormal", sigma=1), "ell": Prior("InverseGamma", alpha=5, beta=4)}
    surface, curves = "t2(x, z, k=4)", "s(z, by=h, k=5, bs='ps')"
    half = {"sigma": Prior("HalfNormal", sigma=1)}
    return [
        Case(
            "process by levels: marginal",
            "scales of their own by levels",
            f"y ~ x + {by_levels}",
            options={"priors": {**NARROW, by_levels: each}},
        ),
        Case("surface: marginal", "scales by parts", f"y ~ {surface}", options={"priors": {**NARROW, surface: half}}),
        Case(
            "smooth by levels: marginal",
            "scales by levels",
            f"y ~ h + {curves}",
            options={"priors": {**NARROW, curves: half}},
        ),
        Case(
            "monotonic times a column: joint",
            "two simplexes",
            "y ~ mo(h)*x",
            options={"priors": {**steps, "mo(h):x": {"slope": Prior("Normal", mu=0, sigma=0.5), "simplex": 1.5}}},
        ),
        Case("monotonic: joint", "a slope and a simplex", "y ~ x + mo(h)", options={"priors": steps}),
        Case(
            "monotonic: poisson and groups",
            "a simplex beside group effects",
            "k ~ x + mo(h) + (1|g)",
            "poisson",
            {"priors": {**BINARY, "mo(h)": steps["mo(h)"]}},
            accept=BOUNDS["poisson"],
        ),
        Case("smooth: marginal", "weights integrated out", **smooth),
        Case("smooth: joint pilot", "one scale of many weights", **smooth, fit=JOINT),
        Case("smooth: joint adapting", "adapted metric", **smooth, fit=ADAPTING),
        Case("process: marginal", "scales that are derived values", **process),
        Case("process: joint adapting", "the same in the joint density", **process, fit=ADAPTING),
        Case(
            "shrunk coefficients: marginal",
            "one scale of a factor's coefficients",
            "y ~ x + h",
            options={"priors": {**NARROW, "h": effects(Prior("HalfNormal", sigma=1))}},
        ),
        Case("bounds: coefficients", "densities between bounds", "y ~ x + z", options={"priors": BETWEEN}),
        Case("bounds: hyperprior", "a probability between bounds that varies", "y ~ x + h", options={"priors": ABOVE}),
        Case("R2D2: marginal", "shares of variance, integrated out", **shares),
        Case("R2D2: joint", "scales that are multiples of sigma", **shares, fit=JOINT),
        Case("horseshoe: marginal", "coefficients integrated out", **shrunk),
        Case("horseshoe: joint", "one prior of many coefficients", **shrunk, fit=JOINT),
        Case(
            "smooth: poisson and groups",
            "weights beside group effects",
            "k ~ s(z, k=6) + (1|g)",
            "poisson",
            {
                "priors": {
                    **BINARY,
                    "s(z, k=6)": {"linear": Prior("Normal", mu=0, sigma=0.15), "sigma": Prior("HalfNormal", sigma=0.5)},
                }
            },
            accept=BOUNDS["poisson"],
        ),
    ]


def few_parameters_cases() -> list[Case]:
    """Models that independence Metropolis serves wherever its proposal fits, and the same by NUTS."""
    sizes = {**BINARY, "alpha": Prior("Gamma", alpha=4, beta=1.5)}
    models = [
        Case("bernoulli: no groups", "", "yes ~ x + z", "bernoulli", {"priors": BINARY}),
        Case("poisson: no groups", "", "k ~ x + offset(o)", "poisson", {"priors": BINARY}, accept=BOUNDS["poisson"]),
        Case("negativebinomial: no groups", "", "k ~ x", "negativebinomial", {"priors": sizes}, accept=(0, 1e4)),
        Case("gaussian: no groups", "", "y ~ x + c", options={"priors": NARROW}, fit=JOINT),
    ]
    marginal = [
        Case("no groups: marginal", "", "y ~ x + z + c", options={"priors": NARROW}),
        Case("slopes: marginal", "", "y ~ x + (x|g)", options={"priors": NARROW}),
    ]
    return [
        *(replace(case, about="few parameters, default method") for case in models),
        *(
            replace(case, name=f"{case.name}, NUTS", about="the same by NUTS", fit={**case.fit, **BY_NUTS})
            for case in (*models, *marginal)
        ),
    ]


def joint_cases() -> list[Case]:
    """The same by NUTS over everything."""
    narrow = {"priors": NARROW}
    one, slopes = "y ~ x + (1|g)", "y ~ x + (x|g)"
    across = Formula("y ~ x + (x|p|g)", "sigma ~ 1 + (1|p|g)")
    scatter = {"Intercept": Prior("Normal", mu=0, sigma=0.5), "1|g": effects(Prior("HalfNormal", sigma=0.5))}
    both = {"priors": {**NARROW, "sigma": scatter}}
    hyper = Prior(
        "Normal",
        mu=Prior("Normal", mu=0, sigma=1),
        sigma=Prior("HalfNormal", sigma=Prior("Gamma", alpha=4, beta=4)),
    )
    centred = {**narrow, "noncentered": False}
    gamma = Prior("Normal", mu=0, sigma=0.4)
    explained = {"priors": {**NARROW, SDS: {"sd_size": gamma, "sd_side": gamma}}}
    correlated, three = {**narrow, "correlated": True}, {**narrow, "priors_cor": {"g": 2.0}}
    return [
        Case("one factor: joint pilot", "pilot, centring", one, options=narrow, fit=JOINT),
        Case("one factor: joint adapting", "adapted metric", one, options=narrow, fit=ADAPTING),
        Case("one factor: joint centred", "adapted metric, centred effects", one, options=centred, fit=ADAPTING),
        Case("explained sds: marginal", "scales by level, integrated out", f"y ~ x + (x|{SDS})", options=explained),
        Case("explained sds: joint pilot", "scales by level", f"y ~ x + (1|{SDS})", options=explained, fit=JOINT),
        Case(
            "explained sds: joint adapting",
            "scales by level, LKJ",
            f"y ~ x + (x|{SDS})",
            options={**explained, "correlated": True},
            fit=ADAPTING,
        ),
        Case("correlated: joint pilot", "LKJ", slopes, options=correlated, fit=JOINT),
        Case("three correlated: joint", "LKJ(2), adapted metric", "y ~ x + (x + b|g)", options=three, fit=ADAPTING),
        Case("across parameters: joint pilot", "one LKJ matrix for mu and sigma", across, options=both, fit=JOINT),
        Case("across parameters: adapting", "the same, adapted metric", across, options=both, fit=ADAPTING),
        Case("crossed: joint pilot", "two factors", "y ~ x + (1|g) + (1|h)", options=narrow, fit=JOINT),
        Case("crossed: matrix", "matrix centring, LKJ", "y ~ x + (x|g) + (1|h)", options=correlated, fit=MATRIX),
        Case(
            "hyperprior of a hyperprior",
            "nested priors, a location with a prior",
            "y ~ 0 + x + (1|g)",
            options={"priors": {**NARROW, "1|g": hyper}},
        ),
    ]


def general_cases() -> list[Case]:
    """Other likelihoods: merged rows, further links, offsets."""
    binary = {"priors": BINARY}
    yes = {"formula": "yes ~ b + (1|h)", "family": "bernoulli", "options": binary}
    inverse = {"Intercept": Prior("Normal", mu=1.5, sigma=0.4), "x": Prior("Normal", mu=0, sigma=0.4)}
    return [
        Case("yes or no: all rows", "joint, pilot", **yes, fit={"merge": False}),
        Case("yes or no: merged rows", "equal rows merged", **yes, patches=MERGED),
        Case("yes or no: merged adapting", "equal rows, adapted metric", **yes, fit={"pilot": False}, patches=MERGED),
        Case("bernoulli: probit", "another link", "yes ~ x + (1|g)", "bernoulli", {**binary, "link": "probit"}),
        Case("bernoulli: known covariance", "pilot", f"yes{KNOWN[1:]}", "bernoulli", {**binary, **MATRIX_K}),
        Case("bernoulli: correlated", "LKJ, pilot", "yes ~ x + (x|g)", "bernoulli", {**binary, "correlated": True}),
        Case(
            "poisson: nested matrix",
            "matrix centring",
            "k ~ x + (1|h/b)",
            "poisson",
            binary,
            fit=MATRIX,
            accept=BOUNDS["poisson"],
        ),
        Case(
            "poisson: offset crossed",
            "offset, two factors",
            "k ~ x + offset(o) + (1|g) + (1|h)",
            "poisson",
            binary,
            accept=BOUNDS["poisson"],
        ),
        Case(
            "gamma: inverse link",
            "a link that allows impossible means",
            "pos ~ x",
            "gamma",
            {"link": "inverse", "priors": inverse},
            accept=POSITIVE,
        ),
    ]


def censored_cases() -> list[Case]:
    """Rows under several kernels: limits on both sides, intervals, counts."""
    binary, steps = {"priors": BINARY}, partial(in_steps, 0.8, 3.0)
    sizes = {"priors": {**BINARY, "alpha": Prior("Gamma", alpha=6, beta=3)}}
    both, limits = "censored(y, status) ~ x + (1|g)", {"censor": partial(ended, -1.0, 1.5)}
    return [
        Case("censored: gaussian", "limits", both, options={"priors": NARROW}, fit=limits),
        Case("censored: weibull", "intervals", "censored(pos, pos, status) ~ x", "weibull", sizes, {"censor": steps},
             accept=POSITIVE),
        Case("censored: lognormal", "intervals", "censored(pos, pos, status) ~ x", "lognormal", {"priors": NARROW},
             {"censor": steps}, accept=POSITIVE),
        Case("censored: poisson", "counts", "censored(k, status) ~ x + (1|g)", "poisson", binary,
             {"censor": partial(ended, 0.0, 4.0)}, accept=BOUNDS["poisson"]),
        Case("censored: merged", "equal rows merged within segments", "censored(k, status) ~ b", "poisson", binary,
             {"censor": partial(ended, 0.0, 4.0)}, accept=BOUNDS["poisson"], patches=MERGED),
    ]  # fmt: skip


def bounded_cases() -> list[Case]:
    """Responses between bounds, with known errors, with exposures; one of them censored, too."""
    binary, sizes = {"priors": BINARY}, {"priors": {**BINARY, "alpha": Prior("Gamma", alpha=6, beta=3)}}
    logged = {**sizes, "link": "log"}
    return [
        Case(
            "bounds: gaussian",
            "truncated on one side by a column",
            "truncated(np.maximum(y, x - 2), lb=x - 3) ~ x + (1|g)",
            options={"priors": NARROW},
        ),
        Case(
            "bounds: gamma",
            "tails by quadrature",
            "constrained(np.clip(pos, 0.3, 3), lb=0.2, ub=4) ~ x",
            "gamma",
            logged,
        ),
        Case(
            "bounds: poisson",
            "zeros are not seen",
            "truncated(np.maximum(k, 1), lb=1) ~ x + (1|g)",
            "poisson",
            binary,
            accept=BOUNDS["poisson"],
        ),
        Case(
            "bounds: negative binomial",
            "tails by sums",
            "truncated(np.minimum(k, 12), ub=12) ~ x",
            "negativebinomial",
            sizes,
        ),
        Case(
            "bounds: censored",
            "late entries",
            "truncated(censored(np.maximum(pos, 0.2), status), lb=0.1) ~ x",
            "weibull",
            sizes,
            {"censor": partial(ended, 0.1, 3.0)},
        ),
        Case(
            "known errors: beside sigma",
            "a scale of two parts",
            "se(y, 0.3 + abs(x), sigma=True) ~ x + (1|g)",
            options={"priors": NARROW},
        ),
        Case(
            "exposures: negative binomial",
            "both parameters grow",
            "rate(k, exp(o)) ~ x",
            "negativebinomial",
            sizes,
            accept=BOUNDS.get("negativebinomial"),
        ),
    ]


def angle_cases() -> list[Case]:
    """Directions under priors that leave one of the modes, which are a turn apart."""
    narrow = {name: Prior("Normal", mu=0, sigma=0.4) for name in ("Intercept", "x")}
    priors = {**narrow, "kappa": Prior("Gamma", alpha=4, beta=1)}
    return [Case("vonmises: no groups", "angles", "angle ~ x", "vonmises", {"priors": priors})]


def category_cases() -> list[Case]:
    """Responses that are categories: thresholds that increase, and a linear predictor for each level."""
    priors = {
        "x": Prior("Normal", mu=0, sigma=1),
        "group_specific": effects(Prior("HalfNormal", sigma=1)),
    }
    ordered = {"priors": {**priors, "threshold": Prior("Normal", mu=0, sigma=1.5)}}
    narrow = Prior("Normal", mu=0, sigma=0.2)
    scaled = {"priors": {**ordered["priors"], "disc": {"z": narrow}}}
    specific = {"priors": {**scaled["priors"], "z": narrow, "cs": {"x": Prior("Normal", mu=0, sigma=1)}}}
    several = {"priors": {**priors, "Intercept": Prior("Normal", mu=0, sigma=1)}}
    return [
        Case("cumulative: groups", "thresholds", "level ~ x + (1|g)", "cumulative", ordered),
        Case("cumulative: probit", "another link", "level ~ x + c", "cumulative", {**ordered, "link": "probit"}),
        Case("sratio: groups", "thresholds in any order", "level ~ x + (1|g)", "sratio", ordered),
        Case("cratio: cloglog", "whether it goes on", "level ~ x + c", "cratio", {**ordered, "link": "cloglog"}),
        Case("acat: groups", "adjacent pairs", "level ~ x + (1|g)", "acat", ordered),
        Case("acat: probit", "another link", "level ~ x + c", "acat", {**ordered, "link": "probit"}),
        Case(
            "cumulative: disc",
            "a latent scale of unequal width",
            Formula("level ~ x", "disc ~ z"),
            "cumulative",
            scaled,
        ),
        Case("sratio: cs", "effects of single thresholds", "level ~ z + cs(x)", "sratio", specific),
        Case("acat: cs, disc", "both", Formula("level ~ cs(x)", "disc ~ z"), "acat", specific),
        Case("categorical: groups", "a predictor for each level", "level ~ x + (1|g)", "categorical", several),
        Case(
            "categorical: no groups", "an intercept and slopes for each level", "level ~ x + b", "categorical", several
        ),
    ]


def column_cases() -> list[Case]:
    """Responses of several columns."""
    priors = {
        "Intercept": Prior("Normal", mu=0, sigma=1),
        "x": Prior("Normal", mu=0, sigma=0.7),
        "group_specific": effects(Prior("HalfNormal", sigma=1)),
    }
    options, counts = {"priors": priors}, "counts(s, trials, b)"
    shares = {"priors": {**priors, "kappa": Prior("Gamma", alpha=6, beta=0.5)}}
    return [
        Case("multinomial: groups", "counts of three outcomes", f"{counts} ~ x + (1|g)", "multinomial", options),
        Case("multinomial: no groups", "proposals", f"{counts} ~ x", "multinomial", options),
        Case("dirichlet_multinomial: no groups", "proposals", f"{counts} ~ x", "dirichlet_multinomial", options),
        Case(
            "dirichlet_multinomial: groups",
            "a concentration for each column",
            f"{counts} ~ (1|g)",
            "dirichlet_multinomial",
            options,
        ),
        Case(
            "dirichlet: no groups", "shares", "shares(I(unit / 3), I(2 * unit / 3), 1 - unit) ~ x", "dirichlet", shares
        ),
    ]


def rotation_cases() -> list[Case]:
    """Cases that a pilot launches over everything, by rotations around its centre."""
    launched = [case for case in joint_cases() + general_cases() if case.fit in (JOINT, MATRIX)]
    return [
        replace(case, name=f"{case.name}, HMC", about=f"{case.about}; rotations", fit={**case.fit, **BY_ROTATIONS})
        for case in launched
    ]


def all_cases() -> list[Case]:
    """The whole study, families first."""
    families = list(RESPONSES)
    return [
        *(default_case(family) for family in families),
        *(drawn_case(family, 100 + place) for place, family in enumerate(families)),
        *(modelled_case(family) for family in MODELLED),
        *marginal_cases(),
        *few_parameters_cases(),
        *term_cases(),
        *joint_cases(),
        *general_cases(),
        *censored_cases(),
        *bounded_cases(),
        *angle_cases(),
        *category_cases(),
        *column_cases(),
        *rotation_cases(),
    ]
