"""The user's priors: which term or parameter each one is for, whether it fits there, and defaults for the rest."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import numpy as np

from nutslite.exceptions import NutsliteWarning, PriorError, did_you_mean
from nutslite.formula.terms import LinearPredictor, Response
from nutslite.priors.defaults import Constant, DefaultPrior, PriorSet, default_priors
from nutslite.priors.prior import Prior, find_density

Unused = Literal["warn", "error", "ignore"]
GENERIC = ("common", "group_specific")


def choose_priors(
    priors: Mapping[Any, Any] | None,
    predictors: Mapping[str, LinearPredictor],
    response: Response,
    *,
    family: str,
    link: str,
    parent: str,
    auxiliary: Mapping[str, DefaultPrior | None],
    auto_scale: bool = True,
    unused: Unused = "warn",
) -> PriorSet:
    """All priors of a model: the user's where given (`match_priors`), the defaults elsewhere (`default_priors`).

    Parameters
    ----------
    priors : mapping or None
        As `match_priors` takes it.
    predictors, response, family, link, parent, auxiliary, auto_scale
        As `default_priors` takes them.
    unused : {"warn", "error", "ignore"}
        What to do about names in `priors` that are not in the model.

    Returns
    -------
    PriorSet
        Complete, every prior checked against its place.
    """
    constants = [name for name in auxiliary if name not in predictors]
    given = match_priors(priors, predictors, parent=parent, constants=constants, unused=unused)
    defaults = default_priors(
        predictors,
        response,
        family=family,
        link=link,
        parent=parent,
        auxiliary=auxiliary,
        auto_scale=auto_scale,
        given=given,
    )
    for name, value in given.constants.items():
        default = auxiliary[name]
        if default is not None:
            _check_support(name, value, default)
    return _merge(defaults, given, predictors)


def assign_priors(
    defaults: PriorSet,
    priors: Mapping[Any, Any] | None,
    predictors: Mapping[str, LinearPredictor],
    *,
    parent: str,
    unused: Unused = "warn",
) -> PriorSet:
    """`defaults` with the user's `priors` in place of those that they name; nothing is rescaled."""
    given = match_priors(priors, predictors, parent=parent, constants=defaults.constants, unused=unused)
    return _merge(defaults, given, predictors)


def match_priors(
    priors: Mapping[Any, Any] | None,
    predictors: Mapping[str, LinearPredictor],
    *,
    parent: str,
    constants: Collection[str],
    unused: Unused = "warn",
) -> PriorSet:
    """The user's priors by parameter and term.

    Parameters
    ----------
    priors : mapping or None
        Keys are names of terms of the main formula (``"x"``, ``"1|g"``, ``"Intercept"``), tuples of such names,
        ``"common"`` (all common terms, but not the intercept), ``"group_specific"``, or names of parameters. A
        parameter without a formula takes a Prior, or a number or array that fixes it; one with a formula takes a
        mapping of the same kind for its terms. A named term wins over a generic key, and a term nested under the
        parent parameter over one that is not. A name that is both a parameter and a term means the parameter.
    predictors : mapping of str to LinearPredictor
    parent : str
    constants : collection of str
        Parameters without a formula.
    unused : {"warn", "error", "ignore"}

    Returns
    -------
    PriorSet
        Only what the user named.

    Raises
    ------
    PriorError
        For a value that is no prior, a prior that does not fit its term, a term named twice, or, with
        ``unused="error"``, a name that is not in the model.
    """
    if unused not in ("warn", "error", "ignore"):
        raise PriorError(f"unused={unused!r}: choose 'warn', 'error' or 'ignore'.")
    if priors is not None and not isinstance(priors, Mapping):
        raise PriorError(f"priors must be a dict from names to priors, not {priors!r}.")
    flat = _expand(priors or {})
    nested = {name: flat.pop(name) for name in list(flat) if name in predictors}
    fixed = {name: _constant(name, flat.pop(name)) for name in list(flat) if name in constants}
    leftovers: list[str] = []
    terms: dict[str, dict[str, Prior]] = {}
    for parameter, predictor in predictors.items():
        own = nested.get(parameter, {})
        if not isinstance(own, Mapping):
            raise PriorError(
                f"priors={{'{parameter}': {own}}}: '{parameter}' has a formula, so its priors are given per term: "
                f"{{'{parameter}': {{'Intercept': Prior(...), ...}}}}."
            )
        own = _expand(own)
        leftovers += [f"{parameter}: {name}" for name in _unknown(own, predictor)]
        if parameter == parent:
            leftovers += _unknown(flat, predictor)
            own = flat | own
        terms[parameter] = _by_term(own, predictor)
    _report(leftovers, predictors, parent, constants, unused)
    return PriorSet(terms, fixed)


def _expand(priors: Mapping[Any, Any]) -> dict[str, Any]:
    """Tuple keys to one key per name."""
    expanded: dict[str, Any] = {}
    for key, value in priors.items():
        for name in key if isinstance(key, tuple) else (key,):
            if not isinstance(name, str):
                raise PriorError(f"priors: the key {key!r} is neither a name nor a tuple of names.")
            if name in expanded:
                raise PriorError(f"priors: '{name}' is named twice.")
            expanded[name] = value
    return expanded


def _unknown(priors: Mapping[str, Any], predictor: LinearPredictor) -> list[str]:
    """Keys that name nothing in the predictor; a generic key without any such term counts."""
    known = {name for name, _ in _columns_of_terms(predictor)}
    if predictor.terms:
        known.add("common")
    if predictor.group_terms:
        known.add("group_specific")
    return [name for name in priors if name not in known]


def _columns_of_terms(predictor: LinearPredictor) -> Iterable[tuple[str, int]]:
    if predictor.intercept:
        yield "Intercept", 1
    for term in predictor.terms:
        yield term.name, term.stop - term.start
    for group_term in predictor.group_terms:
        yield group_term.name, group_term.columns


def _by_term(priors: Mapping[str, Any], predictor: LinearPredictor) -> dict[str, Prior]:
    """A checked prior for every term that has one, named or generic."""
    grouped = {term.name for term in predictor.group_terms}
    found = {}
    for name, columns in _columns_of_terms(predictor):
        key = name
        if name not in priors and name != "Intercept":
            key = "group_specific" if name in grouped else "common"
        if key not in priors:
            continue
        prior = copy.deepcopy(priors[key])  # a later `update` of the user's object, or of another term's, stays apart
        if not isinstance(prior, Prior):
            raise PriorError(
                f"The prior of '{key}' must be a Prior, not {prior!r}: for example "
                f"priors={{'{key}': Prior('Normal', mu=0, sigma=1)}}. A scale given as a number or by name has no "
                "meaning for these default priors."
            )
        if name in grouped:
            _check_group_prior(name, prior)
        else:
            _check_common_prior(name, prior)
        _check_lengths(name, prior, columns)
        found[name] = prior
    return found


def _check_common_prior(name: str, prior: Prior) -> None:
    if prior.hierarchical:
        raise PriorError(f"Trying to set hyperprior on '{name}'. Can't set a hyperprior on common effects.")
    _refuse_correlation(name, prior)
    if prior.noncentered:
        raise PriorError(f"'{name}': noncentered=True is for group-specific terms with a hyperprior on their scale.")


def _check_group_prior(name: str, prior: Prior) -> None:
    _refuse_correlation(name, prior)
    density = prior.density
    if prior.hierarchical and not density.location_scale:
        raise PriorError(
            f"'{name}': a prior with hyperpriors must have a location and a scale, such as Normal or StudentT, "
            f"which {density.name} has not. Give {density.name} fixed arguments, or use another distribution."
        )
    if prior.noncentered and not prior.hierarchical:
        raise PriorError(f"'{name}': noncentered=True needs a prior with a hyperprior on its scale, not {prior}.")


def _refuse_correlation(name: str, prior: Prior) -> None:
    if prior.density.support == "correlation":
        raise PriorError(f"'{name}': {prior.name} is a prior for correlation matrices, not for coefficients.")


def _check_lengths(name: str, prior: Prior, columns: int) -> None:
    for key, value in prior.args.items():
        if isinstance(value, Prior):
            _check_lengths(name, value, columns)
        elif isinstance(value, np.ndarray) and value.shape != (columns,):
            raise PriorError(
                f"'{name}' has {columns} column{'s' if columns != 1 else ''}, but {key} of {prior} has the shape "
                f"{value.shape}; give one number for all, or an array of {columns}."
            )


def _constant(name: str, value: Any) -> Constant:
    """Prior or fixed value of a parameter without a formula."""
    if isinstance(value, Prior):
        if value.hierarchical:
            raise PriorError(f"Trying to set hyperprior on '{name}'. Can't set a hyperprior on a single parameter.")
        _refuse_correlation(name, value)
        return copy.deepcopy(value)
    if isinstance(value, Mapping):
        raise PriorError(
            f"'{name}' has no formula, so it has no terms; give one Prior, or a formula such as '{name} ~ x'."
        )
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.size == 0 or not np.all(np.isfinite(array)):
        raise PriorError(f"The prior of '{name}' must be a Prior, or finite numbers that fix it, not {value!r}.")
    if array.size > 1:
        raise PriorError(
            f"'{name}' is one number for all rows, but the prior fixes it to {array.size} numbers. Known values per "
            f"row go into a formula, on the scale of its link: Formula(..., '{name} ~ 0 + offset(log(column))')."
        )
    return float(array.reshape(()).item())


def _check_support(name: str, value: Constant, default: DefaultPrior) -> None:
    """A parameter's prior or fixed value must respect the range that its default prior has."""
    density = find_density(default[0])
    lower, upper = Prior(default[0], **default[1]).bounds()
    ends = value.bounds() if isinstance(value, Prior) else (np.min(value), np.max(value))
    inside = np.all(np.asarray(ends[0]) >= lower) and np.all(np.asarray(ends[1]) <= upper)
    if not isinstance(value, Prior) and density.support != "real":
        inside = inside and np.all(np.asarray(value) > lower) and np.all(np.asarray(value) < upper)
    if not inside:
        raise PriorError(f"'{name}' lies between {lower:g} and {upper:g}, which {value} does not respect.")


def _merge(defaults: PriorSet, given: PriorSet, predictors: Mapping[str, LinearPredictor]) -> PriorSet:
    terms = {}
    for parameter, predictor in predictors.items():
        both = defaults.terms.get(parameter, {}) | given.terms.get(parameter, {})
        terms[parameter] = {name: both[name] for name, _ in _columns_of_terms(predictor) if name in both}
    return PriorSet(terms, defaults.constants | given.constants)


def _report(
    leftovers: list[str],
    predictors: Mapping[str, LinearPredictor],
    parent: str,
    constants: Collection[str],
    unused: Unused,
) -> None:
    if not leftovers or unused == "ignore":
        return
    known = [*GENERIC, *predictors, *constants]
    for parameter, predictor in predictors.items():
        prefix = "" if parameter == parent else f"{parameter}: "
        known += [prefix + name for name, _ in _columns_of_terms(predictor)]
    listed = "; ".join(f"'{name}'.{did_you_mean(name, known)}".rstrip(".") for name in leftovers)
    message = f"Nothing in the model is called what these names in priors say: {listed}"
    stop = "" if message.endswith("?") else "."
    if unused == "error":
        raise PriorError(f"{message}{stop} There are: {', '.join(known)}.")
    # 6: past choose_priors and the model's own two functions, to the line that names the priors
    warnings.warn(f"{message}{stop} They are not used.", NutsliteWarning, stacklevel=6)
