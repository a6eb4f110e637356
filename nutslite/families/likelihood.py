"""`Likelihood`: a response distribution by name, or a log density of the user's own; and the family record it makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import numpy as np

from nutslite._calls import public
from nutslite.exceptions import FamilyError, FamilyTypeError, did_you_mean
from nutslite.families._checks import check_support
from nutslite.families._custom import custom_kernel, mean_of, random_of
from nutslite.families.family import Family, LazyKernel, ResponseSupport, family_names, get_family
from nutslite.families.link import Link
from nutslite.families.links import LINKS, RELINKED, is_custom
from nutslite.families.parameter import SCALAR_SUPPORTS, Parameter, Support

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
    "ZeroInflatedPoisson": "zero_inflated_poisson",
}
"""Distributions by PyMC's names, and the built-in families that have their kernels."""

NAMES = {family: name for name, family in DISTRIBUTIONS.items()}
"""By built-in family, what Bambi calls its distribution: the last of its names."""

# What a parameter can be where its link says it.
_RANGES: dict[str, Support] = {
    "log": "positive",
    "sqrt": "positive",
    "inverse_squared": "positive",
    "softplus": "positive",
    "logit": "unit",
    "probit": "unit",
    "cloglog": "unit",
    "cauchit": "unit",
}


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
        (`nutslite.families.derivatives`), exact to rounding where Numba compiles `logp`.
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
        known = tuple(parameter.name for parameter in get_family(self.base).parameters)
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
        if self.support not in get_args(ResponseSupport):
            raise FamilyError(
                f"Likelihood('{self.name}'): support is one of {', '.join(get_args(ResponseSupport))}; not "
                f"{self.support!r}.{did_you_mean(str(self.support), get_args(ResponseSupport))}"
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


# --- the record of a family -------------------------------------------------------------------------------------------


def described(family: Family, links: Mapping[str, str]) -> Family:
    """The family of a model with these links: its `likelihood` and `link` say in Bambi's words what it is."""
    named = Likelihood(NAMES[family.kind]) if family.kind in NAMES else None
    link = {name: item if isinstance(item, Link) else Link(item) for name, item in links.items()}
    return replace(family, likelihood=family.likelihood or named, link=link)


def own_links(family: Any) -> dict[str, str] | None:
    """Links that the built-in family of another model brings along, by parameter; a family of one's own has them."""
    if not isinstance(family, Family) or not isinstance(family.link, Mapping) or family.is_custom:
        return None
    return {name: str(Link(link)) for name, link in family.link.items()}


def record_of(name: str, likelihood: Likelihood, link: Any) -> dict[str, Any]:
    """What `Family` consists of, by attribute.

    Raises
    ------
    FamilyError
        For a link that does not exist or does not fit, or a built-in family's name for another distribution.
    """
    links = _links_by_parameter(name, likelihood, link)
    base = None if likelihood.is_custom else likelihood.base
    if name in family_names() and name != base:
        raise FamilyError(
            f"'{name}' is a built-in family with another likelihood than {likelihood.name}: choose another name."
        )
    if base is not None:
        return _known_record(name, likelihood, links)
    companions = likelihood.companions
    ordered = (likelihood.parent, *likelihood.auxiliary)
    return {
        "parameters": tuple(_parameter(likelihood, parameter, links.get(parameter)) for parameter in ordered),
        "kernel": LazyKernel(partial(custom_kernel, likelihood, ordered)),
        "prepare": prepare,
        "check_response": partial(check_support, support=likelihood.support, family=name),
        "random": random_of(likelihood, name, companions),
        "mean": mean_of(likelihood, name, companions),
        "response_support": likelihood.support,
        "companions": companions,
        "own_priors": likelihood.priors,
    }


def prepare(values: Any) -> Any:
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _links_by_parameter(name: str, likelihood: Likelihood, link: Any) -> dict[str, str]:
    if link is None:
        return {}
    if isinstance(link, str):
        return {likelihood.parent: link}
    if not isinstance(link, Mapping):
        raise FamilyTypeError(
            f"Family('{name}'): link is a name, a Link, or a dict of these by parameter, not {link!r}."
        )
    for parameter in link:
        if parameter not in likelihood.params:
            raise FamilyError(
                f"Family('{name}'): link names '{parameter}', which is no parameter of {likelihood.name}."
                f"{did_you_mean(str(parameter), likelihood.params)} Its parameters: {', '.join(likelihood.params)}."
            )
    return dict(link)


def _known_record(name: str, likelihood: Likelihood, links: Mapping[str, str]) -> dict[str, Any]:
    base = get_family(likelihood.base)
    parameters = []
    for parameter in base.parameters:
        chosen = parameter.check_link(links.get(parameter.name, parameter.default_link))
        chosen = chosen if is_custom(chosen) else str(Link(chosen))
        others = tuple(other for other in parameter.links if other != chosen)
        parameters.append(replace(parameter, links=(chosen, *others)))
    kept = ("kernel", "prepare", "check_response", "random", "mean", "response_support", "companions")
    record = {attribute: getattr(base, attribute) for attribute in kept}
    record |= {"parameters": tuple(parameters), "kind": base.name, "own_priors": likelihood.priors}
    return record | ({"title": base.title} if name == base.name else {})


def _parameter(likelihood: Likelihood, name: str, link: str | None) -> Parameter:
    """The record of one parameter of a log density of the user's own."""
    if link is not None and not is_custom(link) and link not in LINKS:
        Link(link)  # raises, with what was meant
    density = getattr(likelihood.priors.get(name), "density", None)  # a Prior knows what it allows
    of_prior = getattr(density, "support", "real")
    of_link = _RANGES.get(link or "", of_prior if of_prior in SCALAR_SUPPORTS else "real")
    support: Any = likelihood.parameter_support.get(name, of_link)
    if support not in SCALAR_SUPPORTS:
        raise FamilyError(
            f"Likelihood('{likelihood.name}'): parameter_support of '{name}' is one of {', '.join(SCALAR_SUPPORTS)}; not "
            f"{support!r}."
        )
    fitting = RELINKED[support]
    chosen = fitting[0] if link is None else link if is_custom(link) else str(link)
    return Parameter(name, links=(chosen, *(other for other in fitting if other != chosen)), support=support)
