"""The closed set of prior densities: names, codes, arguments, supports.

Names, argument names and defaults are PyMC's, so that priors written for PyMC or Bambi read the same here. Plain
Python: what a density is worth at a point is computed by the kernels of densities.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nutslite._draws import LARGE, SMALL
from nutslite.exceptions import PriorError
from nutslite.priors.densities import codes
from nutslite.priors.densities.random import SAMPLERS
from nutslite.priors.densities.truncated import TAILS, draws_between

FloatArray = NDArray[np.float64]
Support = Literal["real", "positive", "unit", "interval", "correlation", "count", "coefficients", "simplex"]
Value = float | FloatArray
INFINITY = float("inf")


@dataclass(frozen=True)
class Argument:
    """One argument of a density.

    Attributes
    ----------
    name : str
    default : float or None
        None: it must be given.
    positive : bool
        Only values above zero are allowed.
    bound : bool
        It is an end (or the peak between the ends) of the support: it may be infinite where the density allows
        that, and it cannot have a prior of its own, because a sampler's transform needs fixed ends.
    aliases : tuple of str
        Other names for the same quantity.
    """

    name: str
    default: float | None = None
    positive: bool = False
    bound: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Density:
    """A prior density: what it is called, what it takes and where it lives.

    Attributes
    ----------
    name, code : str, int
    arguments : tuple of Argument
        In canonical order: the order of `log_density_gradient`'s a, b, c, d.
    support : str
        ``"real"``, ``"positive"``, ``"unit"``, ``"interval"`` (ends from `lower` and `upper`) or ``"correlation"``
        (a whole matrix, not elementwise: `nutslite.priors.correlations`), ``"count"`` (integers: `COUNTS`),
        ``"coefficients"``, ``"simplex"`` (many at once: `TOGETHER`).
    lower, upper : float or str
        Ends of the support; a string is the name of the argument that gives the end.
    location, scale : int or None
        Positions of the arguments that move and stretch the density.
    proper : bool
        False for the flat ones, which do not integrate and cannot be drawn from.
    whole : Density or None
        Of a density between bounds that the user gives, its last two arguments, the one without bounds. `code` takes
        the logarithm of the probability between them in place of the two (`truncated.log_probability`).
    """

    name: str
    code: int
    arguments: tuple[Argument, ...]
    support: Support
    lower: float | str = -INFINITY
    upper: float | str = INFINITY
    location: int | None = None
    scale: int | None = None
    proper: bool = True
    whole: Density | None = None

    @property
    def argument_names(self) -> tuple[str, ...]:
        """Canonical names of the arguments, in order."""
        return tuple(argument.name for argument in self.arguments)

    @property
    def location_scale(self) -> bool:
        """Whether ``location + scale * standard`` has this density when `standard` has location 0 and scale 1."""
        return self.location is not None and self.scale is not None

    def bounds(self, values: tuple[object, ...]) -> tuple[Value, Value]:
        """Ends of the support for canonical argument `values` (only those that are ends need to be numbers)."""
        lower, upper = self._end(self.lower, values), self._end(self.upper, values)
        if self.whole is None:
            return lower, upper
        first, last = self.whole.bounds(values[:-2])
        return _one(np.maximum(lower, first)), _one(np.minimum(upper, last))

    def _end(self, end: float | str, values: tuple[object, ...]) -> Value:
        if not isinstance(end, str):
            return end
        return _one(np.asarray(values[self.argument_names.index(end)], dtype=np.float64))

    def sample(
        self, rng: Generator, values: tuple[Value, ...], size: int | tuple[int, ...] | None = None
    ) -> FloatArray:
        """Draws for canonical argument `values`, which broadcast against `size`.

        Positive arguments may be 0 and infinite, as draws of a hyperprior that underflow or overflow are.

        Raises
        ------
        PriorError
            For a flat prior, which is not a distribution that can be drawn from.
        """
        if self.name not in SAMPLERS:
            raise PriorError(f"Cannot draw from a {self.name} prior; give a proper prior, such as a wide Normal.")
        if size is None:
            size = np.broadcast_shapes(*(np.shape(value) for value in values))
        inside = [
            np.clip(value, SMALL, LARGE) if argument.positive else value
            for argument, value in zip(self.arguments, values, strict=True)
        ]
        if self.whole is not None:
            ends = self.whole.bounds(values[:-2])
            return draws_between(rng, self.name, tuple(inside[:-2]), self.bounds(values), size, support=ends)
        with np.errstate(all="ignore"):
            return np.asarray(SAMPLERS[self.name](rng, *inside, size=size), dtype=np.float64)


def _one(value: FloatArray) -> Value:
    """An array of no dimensions as a number."""
    return float(value) if np.ndim(value) == 0 else np.asarray(value, dtype=np.float64)


def _location(name: str = "mu", default: float | None = 0.0, aliases: tuple[str, ...] = ()) -> Argument:
    return Argument(name, default, aliases=aliases)


def _positive(name: str, default: float | None = None, aliases: tuple[str, ...] = ()) -> Argument:
    return Argument(name, default, positive=True, aliases=aliases)


def _sigma(default: float | None = 1.0) -> Argument:
    return _positive("sigma", default, aliases=("sd",))


def _bound(name: str, default: float | None) -> Argument:
    return Argument(name, default, bound=True)


def _real(name: str, code: int, *arguments: Argument, location: int | None = None, scale: int | None = None) -> Density:
    return Density(name, code, arguments, "real", location=location, scale=scale)


def _above_zero(name: str, code: int, *arguments: Argument, scale: int | None = None) -> Density:
    return Density(name, code, arguments, "positive", lower=0.0, scale=scale)


def _unit(name: str, code: int, *arguments: Argument) -> Density:
    return Density(name, code, arguments, "unit", lower=0.0, upper=1.0)


_ALL = (
    Density("Flat", codes.FLAT, (), "real", proper=False),
    _real("Normal", codes.NORMAL, _location(), _sigma(), location=0, scale=1),
    _real("StudentT", codes.STUDENT_T, _positive("nu"), _location(), _sigma(), location=1, scale=2),
    _real(
        "Cauchy",
        codes.CAUCHY,
        _location("alpha", None, aliases=("mu", "loc")),
        _positive("beta", aliases=("scale", "sigma", "sd")),
        location=0,
        scale=1,
    ),
    _real("Laplace", codes.LAPLACE, _location("mu", None), _positive("b", aliases=("scale",)), location=0, scale=1),
    _real("Logistic", codes.LOGISTIC, _location(), _positive("s", 1.0, aliases=("scale",)), location=0, scale=1),
    _real("Gumbel", codes.GUMBEL, _location("mu", None), _positive("beta", aliases=("scale",)), location=0, scale=1),
    _real("Moyal", codes.MOYAL, _location(), _sigma(), location=0, scale=1),
    _real("AsymmetricLaplace", codes.ASYMMETRIC_LAPLACE, _positive("kappa"), _location("mu", None), _positive("b")),
    _real("SkewNormal", codes.SKEW_NORMAL, _location(), _sigma(), Argument("alpha", 1.0), location=0, scale=1),
    _real("ExGaussian", codes.EX_GAUSSIAN, _location(), _sigma(None), _positive("nu")),
    _real(
        "SkewStudentT",
        codes.SKEW_STUDENT_T,
        _positive("a"),
        _positive("b"),
        _location(),
        _sigma(),
        location=2,
        scale=3,
    ),
    Density("HalfFlat", codes.HALF_FLAT, (), "positive", lower=0.0, proper=False),
    _above_zero("HalfNormal", codes.HALF_NORMAL, _sigma(), scale=0),
    _above_zero("HalfStudentT", codes.HALF_STUDENT_T, _positive("nu"), _sigma(), scale=1),
    _above_zero("HalfCauchy", codes.HALF_CAUCHY, _positive("beta", aliases=("scale", "sigma", "sd")), scale=0),
    _above_zero("LogNormal", codes.LOG_NORMAL, _location(), _sigma()),
    _above_zero("Gamma", codes.GAMMA, _positive("alpha"), _positive("beta")),
    _above_zero("InverseGamma", codes.INVERSE_GAMMA, _positive("alpha"), _positive("beta", 1.0), scale=1),
    _above_zero("Exponential", codes.EXPONENTIAL, _positive("lam")),
    _above_zero("ChiSquared", codes.CHI_SQUARED, _positive("nu")),
    _above_zero("Weibull", codes.WEIBULL, _positive("alpha"), _positive("beta"), scale=1),
    Density(
        "Pareto",
        codes.PARETO,
        (_positive("alpha"), Argument("m", positive=True, bound=True)),
        "interval",
        lower="m",
    ),
    Density(
        "Wald",
        codes.WALD,
        (_positive("mu"), _positive("lam"), _bound("alpha", 0.0)),
        "interval",
        lower="alpha",
    ),
    _above_zero("Rice", codes.RICE, _positive("nu"), _sigma()),
    Density("Uniform", codes.UNIFORM, (_bound("lower", 0.0), _bound("upper", 1.0)), "interval", "lower", "upper"),
    _unit("Beta", codes.BETA, _positive("alpha"), _positive("beta")),
    _unit("Kumaraswamy", codes.KUMARASWAMY, _positive("a"), _positive("b")),
    _unit("LogitNormal", codes.LOGIT_NORMAL, _location(), _sigma()),
    Density(
        "TruncatedNormal",
        codes.TRUNCATED_NORMAL,
        (_location(), _sigma(), _bound("lower", -INFINITY), _bound("upper", INFINITY)),
        "interval",
        "lower",
        "upper",
    ),
    Density(
        "Triangular",
        codes.TRIANGULAR,
        (_bound("lower", 0.0), _bound("c", 0.5), _bound("upper", 1.0)),
        "interval",
        "lower",
        "upper",
    ),
    Density(
        "VonMises",
        codes.VON_MISES,
        (_location(), _positive("kappa", 1.0)),
        "interval",
        lower=-math.pi,
        upper=math.pi,
    ),
    Density("LKJ", codes.LKJ, (_positive("eta"),), "correlation"),
)

DENSITIES: dict[str, Density] = {density.name: density for density in _ALL}

BETWEEN: dict[str, Density] = {
    name: replace(
        DENSITIES[name],
        code=DENSITIES[name].code + codes.BETWEEN,
        arguments=(*DENSITIES[name].arguments, _bound("lower", -INFINITY), _bound("upper", INFINITY)),
        support="interval",
        lower="lower",
        upper="upper",
        location=None,
        scale=None,
        whole=DENSITIES[name],
    )
    for name in TAILS
}
"""The densities that may be cut to an interval, as they are then."""

NAME_ALIASES: dict[str, str] = {"Lognormal": "LogNormal", "LKJCorr": "LKJ"}


def _count(name: str, *arguments: str, aliases: tuple[tuple[str, str], ...] = ()) -> Density:
    renamed = dict(aliases)
    known = tuple(Argument(key, aliases=(renamed[key],) if key in renamed else ()) for key in arguments)
    return Density(name, -1, known, "count", lower=0.0, proper=False)


_HORSESHOE = {"scale_global": 1.0, "df_global": 1.0, "df": 1.0, "scale_slab": 2.0, "df_slab": 4.0, "unit": 1.0}

_R2D2 = {"mean_R2": 0.5, "prec_R2": 2.0, "cons_D2": 0.5, "unit": 1.0}

TOGETHER: dict[str, Density] = {
    "Horseshoe": Density("Horseshoe", -1, tuple(_positive(*item) for item in _HORSESHOE.items()), "coefficients"),
    "R2D2": Density("R2D2", -1, tuple(_positive(*item) for item in _R2D2.items()), "coefficients"),
    "Dirichlet": Density("Dirichlet", -1, (_positive("a", 1.0, ("alpha",)),), "simplex"),
}
"""Priors of many numbers together, which have no density of one (`nutslite.priors.shrinkage`)."""


# Known by name, so that a prior that is written for PyMC can be made, and refused where it is put to a use.
COUNTS: dict[str, Density] = {
    density.name: density
    for density in (
        _count("Bernoulli", "p", "logit_p"),
        _count("BetaBinomial", "n", "alpha", "beta"),
        _count("Binomial", "n", "p", "logit_p"),
        _count("Categorical", "p", "logit_p"),
        _count("DiscreteUniform", "lower", "upper"),
        _count("DiscreteWeibull", "q", "beta"),
        _count("Geometric", "p"),
        _count("HyperGeometric", "N", "k", "n"),
        _count("NegativeBinomial", "mu", "alpha", "p", "n"),
        _count("OrderedLogistic", "eta", "cutpoints"),
        _count("OrderedProbit", "eta", "cutpoints", "sigma"),
        _count("Poisson", "mu"),
        _count("ZeroInflatedBinomial", "psi", "n", "p"),
        _count("ZeroInflatedNegativeBinomial", "psi", "mu", "alpha", "p", "n"),
        _count("ZeroInflatedPoisson", "psi", "mu", aliases=(("mu", "theta"),)),
    )
}
