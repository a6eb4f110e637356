"""From a likelihood and links, as users name them, to what the record of a family consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite.exceptions import FamilyError, FamilyTypeError, did_you_mean
from nutslite.families.links.codes import LINKS, RELINKED, is_custom
from nutslite.families.links.link import Link
from nutslite.families.links.parameter import SCALAR_SUPPORTS, Parameter, Support
from nutslite.families.rows.checks import check_support
from nutslite.families.rows.lazy import LazyKernel
from nutslite.families.user.built_in import built_in, family_names
from nutslite.families.user.custom import custom_kernel, mean_of, random_of
from nutslite.families.user.likelihood import Likelihood

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


def read_likelihood(name: str, likelihood: Any, link: Any, parameters: tuple[Parameter, ...]) -> dict[str, Any]:
    """What ``Family(name, likelihood, link)`` consists of, by attribute.

    Raises
    ------
    FamilyError
        If there is no likelihood, or there are `parameters` beside it; and as `record_of` does.
    """
    if not isinstance(likelihood, Likelihood) or parameters:
        raise FamilyError(
            f"Family('{name}', ...) needs a Likelihood, such as Likelihood('Normal', parent='mu') or one with "
            f"a log density of your own (logp=...); it has {likelihood!r}."
        )
    return record_of(name, likelihood, link)


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
        "allows": EVERYTHING - {INTEGRATES},
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
    base = built_in(likelihood.base)
    parameters = []
    for parameter in base.parameters:
        chosen = parameter.check_link(links.get(parameter.name, parameter.default_link))
        chosen = chosen if is_custom(chosen) else str(Link(chosen))
        others = tuple(other for other in parameter.links if other != chosen)
        parameters.append(replace(parameter, links=(chosen, *others)))
    kept = ("kernel", "prepare", "check_response", "random", "mean", "response_support", "companions")
    vectors = (
        "intercept",
        "bind",
        "combine",
        "allows",
        "censored",
        "mean_of_score",
        "given",
        "smooth",
        "at_quantile",
        "concave",
    )
    record = {attribute: getattr(base, attribute) for attribute in (*kept, *vectors)}
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
            f"Likelihood('{likelihood.name}'): parameter_support of '{name}' is one of {', '.join(SCALAR_SUPPORTS)}; "
            f"not {support!r}."
        )
    fitting = RELINKED[support]
    chosen = fitting[0] if link is None else link if is_custom(link) else str(link)
    return Parameter(name, links=(chosen, *(other for other in fitting if other != chosen)), support=support)
