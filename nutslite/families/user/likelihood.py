"""`Likelihood`: a response distribution by name, or a log density of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, get_args

from nutslite._calls import public
from nutslite.exceptions import FamilyError, FamilyTypeError, did_you_mean
from nutslite.families.links.parameter import SEVERAL_COLUMNS, ResponseSupport, Support
from nutslite.families.user.built_in import built_in

DISTRIBUTIONS = {
    "Normal": "gaussian",
    "StudentT": "t",
    "Bernoulli": "bernoulli",
    "Binomial": "binomial",
    "Beta": "beta",
    "Gamma": "gamma",
    "Poisson": "poisson",
    "NegativeBinomial": "negativebinomial",
    "InverseGaussian": "wald",
    "Wald": "wald",
    "Lognormal": "lognormal",
    "LogNormal": "lognormal",
    "Weibull": "weibull",
    "Laplace": "laplace",
    "AsymmetricLaplace": "asymmetriclaplace",
    "ExGaussian": "exgaussian",
    "VonMises": "vonmises",
    "Exponential": "exponential",
    "BetaBinomial": "beta_binomial",
    "ZeroInflatedPoisson": "zero_inflated_poisson",
    "ZeroInflatedNegativeBinomial": "zero_inflated_negativebinomial",
    "ZeroInflatedBinomial": "zero_inflated_binomial",
    "ZeroOneInflatedBeta": "zero_one_inflated_beta",
    "OrderedBeta": "ordered_beta",
    "ShiftedLogNormal": "shifted_lognormal",
    "DiscreteWeibull": "discrete_weibull",
    "HurdlePoisson": "hurdle_poisson",
    "HurdleNegativeBinomial": "hurdle_negativebinomial",
    "HurdleGamma": "hurdle_gamma",
    "HurdleLogNormal": "hurdle_lognormal",
    "Cumulative": "cumulative",
    "StoppingRatio": "sratio",
    "ContinuationRatio": "cratio",
    "AdjacentCategory": "acat",
    "Categorical": "categorical",
    "Multinomial": "multinomial",
    "DirichletMultinomial": "dirichlet_multinomial",
    "Dirichlet": "dirichlet",
}
"""Distributions by PyMC's names, and the built-in families that have their kernels."""

NAMES = {family: name for name, family in DISTRIBUTIONS.items()}
"""By built-in family, what Bambi calls its distribution: the last of its names."""

SUPPORTS = tuple(name for name in get_args(ResponseSupport) if name not in SEVERAL_COLUMNS)
"""Those of one column: several need a family of the package's own."""


@public
class Likelihood:
    """The distribution of the response given its parameters.

    Parameters
    ----------
    name : str
        One of PyMC's distributions that there is a built-in family for: ``"Normal"``, ``"Bernoulli"``, ... (see
        `DISTRIBUTIONS`); any name with `logp`.
    params : sequence of str, optional
        Names of the parameters, in the order in which `logp` takes them. Known for distributions by name.
    parent : str, optional
        The parameter that the main formula models; by default the first.
    dist : optional
        Bambi's place for a PyMC distribution, of which only the name counts here.
    logp : callable, optional
        ``logp(y, *params)``: log density of one observation, normalising constants included, on the parameters'
        natural scale. Plain Python with `math` or NumPy, or compiled by Numba: Numba compiles it either way. What
        Numba cannot compile is called from Python, which is slower; it should then take arrays.
        With ``support="trials"`` it is ``logp(y, trials, *params)``, and so below.
    dlogp : callable, optional
        ``dlogp(y, *params)``: the derivatives by the parameters, a tuple. By default they are derived
        (`nutslite.derivatives.derivatives`), exact to rounding where Numba compiles `logp`.
    random : callable, optional
        ``random(rng, *params)``: one draw of the response per element of the parameters, arrays of one shape;
        `rng` is a NumPy `Generator`. Needed by posterior and prior predictions.
    mean : callable, optional
        ``mean(*params)``: mean of the response. Needed by what compares means with the data.
    support : {"real", "positive", "unit", "count", "binary", "trials"}
        What the response can be; other values are refused before sampling.
    parameter_support : mapping, optional
        By parameter, ``"real"``, ``"positive"`` or ``"unit"``. By default what the link says (``"log"``: positive).
    **priors : Prior or number
        By auxiliary parameter, the default prior, or the number that it is fixed to.

    Raises
    ------
    FamilyError

    Examples
    --------
    >>> import math
    >>> def laplace(y, mu, b):
    ...     return -abs(y - mu) / b - math.log(2.0 * b)
    >>> Likelihood("Laplace", params=["mu", "b"], parent="mu", logp=laplace)
    Likelihood('Laplace', params=['mu', 'b'], parent='mu')
    """

    def __init__(
        self,
        name: str,
        params: Sequence[str] | None = None,
        parent: str | None = None,
        dist: Any = None,
        *,
        logp: Callable[..., Any] | None = None,
        dlogp: Callable[..., Any] | None = None,
        random: Callable[..., Any] | None = None,
        mean: Callable[..., Any] | None = None,
        support: ResponseSupport = "real",
        parameter_support: Mapping[str, Support] | None = None,
        **priors: Any,
    ) -> None:
        self.name = str(name)
        self.dist = dist
        self.logp, self.dlogp, self.random, self.mean = logp, dlogp, random, mean
        self.support = support
        self.parameter_support = dict(parameter_support or {})
        if logp is None:
            self._refuse_functions()
            self.params = self._known_params(params)
        else:
            self.params = self._own_params(params)
        self.parent = self.params[0] if parent is None else parent
        self._check_parent(logp is not None)
        self.priors = dict(priors)
        self._check_names("prior", self.priors, self.auxiliary)
        self._check_names("parameter_support", self.parameter_support, self.params)

    def __repr__(self) -> str:
        return f"Likelihood({self.name!r}, params={list(self.params)!r}, parent={self.parent!r})"

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """All parameters but the parent."""
        return tuple(name for name in self.params if name != self.parent)

    @property
    def is_custom(self) -> bool:
        """Whether the log density is the user's own."""
        return self.logp is not None

    @property
    def density(self) -> Callable[..., Any]:
        """The user's log density."""
        assert self.logp is not None
        return self.logp

    @property
    def base(self) -> str:
        """Name of the built-in family with this distribution.

        Raises
        ------
        FamilyError
        """
        for name in (self.name, getattr(self.dist, "__name__", "")):
            if name in DISTRIBUTIONS:
                return DISTRIBUTIONS[name]
        remedy = "or give its log density: logp=a function of (y, parameters...)"
        raise FamilyError(
            f"There is no distribution '{self.name}'.{did_you_mean(self.name, DISTRIBUTIONS)} Known: "
            f"{', '.join(DISTRIBUTIONS)}; {remedy}."
        )

    # --- checks ---

    def _refuse_functions(self) -> None:
        given = [item for item in ("dlogp", "random", "mean") if getattr(self, item) is not None]
        given += ["parameter_support"] if self.parameter_support else []
        given += ["support"] if self.support != "real" else []
        if given:
            raise FamilyError(
                f"Likelihood('{self.name}', {given[0]}=...) goes with a log density of your own: give logp=, too."
            )

    def _known_params(self, params: Sequence[str] | None) -> tuple[str, ...]:
        known = tuple(parameter.name for parameter in built_in(self.base).parameters)
        if params is not None:
            self._check_names("params", params, known)
            if set(params) != set(known):
                raise FamilyError(f"Likelihood('{self.name}') has the parameters {', '.join(known)}; not {params!r}.")
        return known

    def _own_params(self, params: Sequence[str] | None) -> tuple[str, ...]:
        names = () if params is None or isinstance(params, str) else tuple(params)
        if not names or len(set(names)) != len(names) or not all(str(name).isidentifier() for name in names):
            raise FamilyError(
                f"Likelihood('{self.name}', logp=...) needs params=[...], the names of the parameters in the order in "
                f"which logp takes them; not {params!r}."
            )
        if self.support not in SUPPORTS:
            raise FamilyError(
                f"Likelihood('{self.name}'): support is one of {', '.join(SUPPORTS)}; not "
                f"{self.support!r}.{did_you_mean(str(self.support), SUPPORTS)}"
            )
        data = ("y", *self.companions)
        _check_arguments(f"logp of the likelihood '{self.name}'", self.logp, (*data, *names))
        _check_arguments(f"dlogp of the likelihood '{self.name}'", self.dlogp, (*data, *names))
        _check_arguments(f"random of the likelihood '{self.name}'", self.random, ("rng", *self.companions, *names))
        _check_arguments(f"mean of the likelihood '{self.name}'", self.mean, (*self.companions, *names))
        return names

    @property
    def companions(self) -> tuple[str, ...]:
        """What `logp` takes between the response and the parameters."""
        return ("trials",) if self.support == "trials" else ()

    def _check_parent(self, own: bool) -> None:
        self._check_names("parent", [self.parent], self.params)
        if self.parent != self.params[0] and not own:
            raise FamilyError(
                f"The parent of Likelihood('{self.name}') is '{self.params[0]}'. To model '{self.parent}', give it a "
                f"formula of its own: Formula('y ~ ...', '{self.parent} ~ ...')."
            )

    def _check_names(self, argument: str, names: Collection[str], known: Sequence[str]) -> None:
        for name in names:
            if name not in known:
                raise FamilyError(
                    f"Likelihood('{self.name}'): {argument} names '{name}'.{did_you_mean(name, known)} Known: "
                    f"{', '.join(known) if known else 'none'}."
                )


def _check_arguments(title: str, function: Callable[..., Any] | None, names: Sequence[str]) -> None:
    """Whether a user's function takes as many arguments as it will get."""
    if function is None:
        return
    if not callable(function):
        raise FamilyTypeError(f"{title} must be a function; it is {function!r}.")
    try:
        signature = inspect.signature(getattr(function, "py_func", function))
    except (TypeError, ValueError):  # some functions that are not written in Python do not tell
        return
    try:
        signature.bind(*names)
    except TypeError:
        raise FamilyError(
            f"{title} is called as ({', '.join(names)}), but takes {signature}: its arguments are these, in this order."
        ) from None
