"""What the user said about priors: which term, column or parameter each is for, and whether it fits there."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError, PriorTypeError, did_you_mean, error_about, shown, warn
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.language.spelling import as_spelled, normal_spelling
from nutslite.formula.records import CommonTerm, GroupTerm, LinearPredictor
from nutslite.priors.checks import Vector, check_term_prior, read_constant
from nutslite.priors.coefficient_priors import coefficient_names
from nutslite.priors.hyperparameters import Hyperprior, by_full_names, hyperparameters, read_hyperprior
from nutslite.priors.prior import Prior
from nutslite.priors.scales import Scale, read_scale
from nutslite.priors.shrinkage import shrinkage_kind

FloatArray = NDArray[np.float64]
Unused = Literal["warn", "error", "ignore"]
Choice = Prior | Scale
GENERIC = ("common", "group_specific")


@dataclass
class Given:
    """The user's own priors and scales.

    Attributes
    ----------
    terms : dict of str to dict of str to Prior or Scale
        ``terms["mu"]["x"]``: per parameter with a formula and per term; a scale asks for a default of that width.
    constants : dict of str to Prior or float
        Per parameter without a formula; a number fixes it.
    columns : dict of str to dict of str to dict of int to Prior or Scale
        ``columns["mu"]["g"][0]``: of single columns of a term; these win over the term's own.
    hyperparameters : dict of str to dict of str to Prior or float
        ``hyperparameters["mu"]["s(x, k=10)_sigma"]``: of terms of special kinds; a number fixes it.
    levels : dict of str to dict of str to dict of str to Prior
        ``levels["mu"]["x"]["b"]``: of common terms and intercepts, for single levels of the response.
    """

    terms: dict[str, dict[str, Choice]] = field(default_factory=dict)
    constants: dict[str, Prior | float | FloatArray] = field(default_factory=dict)
    columns: dict[str, dict[str, dict[int, Choice]]] = field(default_factory=dict)
    hyperparameters: dict[str, dict[str, Hyperprior]] = field(default_factory=dict)
    levels: dict[str, dict[str, dict[str, Prior]]] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, frozenset[str]]:
        """What was spoken of: per parameter, terms and hyperparameters; itself, where it has no formula."""
        kinds = (self.terms, self.columns, self.hyperparameters, self.levels)
        parameters = {parameter for kind in kinds for parameter in kind}
        found = {
            parameter: frozenset(name for kind in kinds for name in kind.get(parameter, {})) for parameter in parameters
        }
        return found | {name: frozenset({name}) for name in self.constants}

    def choices(self, parameter: str, term: str, columns: int) -> list[Choice | None]:
        """What was said about each column of a term; None where nothing was."""
        whole = self.terms.get(parameter, {}).get(term)
        single = self.columns.get(parameter, {}).get(term, {})
        return [single.get(column, whole) for column in range(columns)]

    @property
    def scales(self) -> list[Scale]:
        """All scales, in the order of the terms."""
        every = [choice for terms in self.terms.values() for choice in terms.values()]
        every += [choice for terms in self.columns.values() for term in terms.values() for choice in term.values()]
        return [choice for choice in every if isinstance(choice, Scale)]


def match_priors(
    priors: Mapping[Any, Any] | None,
    predictors: Mapping[str, LinearPredictor],
    *,
    parent: str,
    constants: Collection[str],
    unused: Unused = "warn",
    vectors: Mapping[str, Vector] = MappingProxyType({}),
    levels: Mapping[str, tuple[Any, ...]] = MappingProxyType({}),
) -> Given:
    """The user's priors by parameter and term.

    Parameters
    ----------
    priors : mapping or None
        Keys are names of terms of the main formula (``"x"``, ``"1|g"``, ``"Intercept"``), of single coefficients of
        terms with several columns (``"g[b]"``, ``"x:g[b]"``, ``"g[b]|uid"``), tuples of such names, ``"common"`` (all
        common terms, but not the intercept), ``"group_specific"``, or names of parameters. Terms may be spelled as in
        the formula: other blanks and quotes, factors in another order, ``"(1 | g)"``. Values are priors, or
        scales of default priors (``0.3``, ``"wide"``). A parameter without a formula takes a Prior, or a number that
        fixes it; one with a formula takes a mapping of the same kind for its terms. A term of a special kind
        (``"s(x, k=10)"``) takes a mapping from the names of its quantities. A coefficient wins over its term,
        a named term over a generic key, and a term nested under the parent parameter over one that is not. A name
        that is both a parameter and a term means the parameter.
    predictors : mapping of str to LinearPredictor
    parent : str
    constants : collection of str
        Parameters without a formula.
    unused : {"warn", "error", "ignore"}
    vectors : mapping of str to Vector
        Elements of the constants that are vectors.
    levels : mapping of str to tuple
        Of parameters with a linear predictor for each level of the response, these levels: the value of a common term
        or an intercept may be a mapping from them to priors.

    Raises
    ------
    PriorError
        For a value that is no prior, a prior that does not fit its term, a term named twice, or, with
        ``unused="error"``, a name that is not in the model.
    """
    if unused not in ("warn", "error", "ignore"):
        error = error_about(unused, str, PriorError, PriorTypeError)
        raise error(f"unused_priors={unused!r}: choose 'warn', 'error' or 'ignore'.")
    flat = expand_keys(priors)
    nested = {name: flat.pop(name) for name in list(flat) if name in predictors}
    given = Given(
        constants={
            name: read_constant(name, flat.pop(name), vectors.get(name)) for name in list(flat) if name in constants
        }
    )
    leftovers: list[str] = []
    for parameter, predictor in predictors.items():
        own = nested.get(parameter, {})
        if not isinstance(own, Mapping):
            raise PriorError(
                f"priors={{'{parameter}': {own}}}: '{parameter}' has a formula, so its priors are given per term: "
                f"{{'{parameter}': {{'Intercept': Prior(...), ...}}}}."
            )
        own = by_full_names(_as_in_model(expand_keys(own), predictor), predictor)
        leftovers += [f"{parameter}: {name}" for name in _unknown(own, predictor)]
        if parameter == parent:
            flat = by_full_names(_as_in_model(flat, predictor), predictor)
            leftovers += _unknown(flat, predictor)
            own = flat | own
        if parameter in levels:
            own, given.levels[parameter] = _by_level(own, predictor, [level_name(level) for level in levels[parameter]])
        given.terms[parameter] = _by_term(own, predictor)
        given.columns[parameter] = _by_column(own, predictor)
        given.hyperparameters[parameter] = {
            name: read_hyperprior(name, own[name], quantity)
            for name, quantity in hyperparameters(predictor).items()
            if name in own
        }
    _report(leftovers, predictors, parent, constants, unused)
    return given


def _as_in_model(priors: Mapping[str, Any], predictor: LinearPredictor) -> dict[str, Any]:
    """Priors by the names that the model has, whatever way they are spelled.

    Raises
    ------
    PriorError
        Where two keys say the same name.
    """
    known = _names(predictor) | {term.name for term in predictor.basis_terms}
    found: dict[str, Any] = {}
    for key, value in priors.items():
        name = as_spelled(key, known)
        if name in found:
            raise PriorError(f"priors: '{name}' is named twice, once as '{key}'.")
        found[name] = value
    return found


def expand_keys(priors: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Tuple keys to one key per name.

    Raises
    ------
    PriorError
        If `priors` is no mapping, a key is neither a name nor a tuple of names, or two keys say the same name.
    """
    if priors is not None and not isinstance(priors, Mapping):
        raise PriorTypeError(f"priors must be a dict from names to priors, not {priors!r}.")
    expanded: dict[str, Any] = {}
    for key, value in (priors or {}).items():
        if key == ():
            raise PriorError("priors: the key () names nothing.")
        for name in key if isinstance(key, tuple) else (key,):
            if not isinstance(name, str):
                raise PriorTypeError(f"priors: the key {key!r} is neither a name nor a tuple of names.")
            if name in expanded:
                raise PriorError(f"priors: '{name}' is named twice.")
            expanded[name] = value
    return expanded


def apart(priors: Any, levels: int = 3) -> Any:
    """The same priors by name, which stay as they are whatever becomes of the dicts and objects given."""
    if isinstance(priors, Prior | np.ndarray):
        return copy.deepcopy(priors)
    if isinstance(priors, Mapping) and levels > 0:
        return {name: apart(prior, levels - 1) for name, prior in priors.items()}
    return priors


def update_priors(old: Mapping[Any, Any] | None, new: Mapping[Any, Any] | None) -> dict[str, Any]:
    """`old` with everything that `new` names replaced, name by name, inside nested mappings, too."""
    merged = expand_keys(old)
    known = {normal_spelling(name): name for name in merged}
    for given, value in expand_keys(new).items():
        name = known.get(normal_spelling(given), given)
        before = merged.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[name] = update_priors(before, value) if both else value
    return merged


def all_terms(predictor: LinearPredictor) -> list[CommonTerm | GroupTerm]:
    """Common terms, then group-specific ones."""
    return [*predictor.terms, *predictor.group_terms]


def terms_of(predictor: LinearPredictor) -> Iterable[tuple[str, int]]:
    """Names of all terms and their numbers of columns: the intercept, common terms, group-specific terms."""
    if predictor.intercept:
        yield "Intercept", 1
    for term in predictor.terms:
        yield term.name, term.stop - term.start
    for group_term in predictor.group_terms:
        yield group_term.name, group_term.columns


def _coefficients(predictor: LinearPredictor) -> dict[str, tuple[str, int]]:
    """Term and column of every name of a single coefficient that is not also the name of a term."""
    names = {
        name: (term.name, column) for term in all_terms(predictor) for name, column in coefficient_names(term).items()
    }
    return {name: place for name, place in names.items() if name not in {term for term, _ in terms_of(predictor)}}


def _unknown(priors: Mapping[str, Any], predictor: LinearPredictor) -> list[str]:
    """Keys that name nothing in the predictor; a generic key without any such term counts."""
    known = _names(predictor)
    return [name for name in priors if name not in known]


def _names(predictor: LinearPredictor) -> set[str]:
    """All names that a prior for something in the predictor can have."""
    known = {name for name, _ in terms_of(predictor)} | set(_coefficients(predictor)) | set(hyperparameters(predictor))
    if predictor.terms:
        known.add("common")
    known |= {term.whole.name for term in predictor.group_terms if term.whole is not None}
    if predictor.group_terms:
        known.add("group_specific")
    return known


def _by_term(priors: Mapping[str, Any], predictor: LinearPredictor) -> dict[str, Choice]:
    """A checked prior or scale for every term that has one, named or generic."""
    grouped = {term.name for term in predictor.group_terms}
    monotonic = [term for term in predictor.basis_terms if term.simplex is not None]
    alone = {"Intercept", *(name for term in monotonic for name in term.coefficients)}
    found = {}
    wholes = {term.name: term.whole.name for term in predictor.group_terms if term.whole is not None}
    for name, columns in terms_of(predictor):
        key = name
        if name not in priors and name != "Intercept":
            key = "group_specific" if name in grouped else "common"
            key = wholes[name] if wholes.get(name) in priors else key
        if key in priors:
            found[name] = _read_choice(key, priors[key])
            check_term_prior(name, found[name], columns, grouped=name in grouped, single=name in alone)
            kind = shrinkage_kind(found[name])
            if name in alone and kind is not None:
                raise PriorError(
                    f"'{name}' cannot have {kind.words}, which is about the coefficients of columns. Name the terms "
                    "that it is for."
                )
    return found


def _by_level(
    priors: Mapping[str, Any], predictor: LinearPredictor, levels: Sequence[str]
) -> tuple[dict[str, Any], dict[str, dict[str, Prior]]]:
    """Priors without those that are mappings from levels of the response, and these, checked."""
    widths = {"Intercept": 1} | {term.name: term.stop - term.start for term in predictor.terms}
    rest: dict[str, Any] = {}
    found: dict[str, dict[str, Prior]] = {}
    for key, value in priors.items():
        if key not in widths or not isinstance(value, Mapping):
            rest[key] = value
            continue
        found[key] = {}
        for level, prior in value.items():
            name = level_name(level)
            if name not in levels:
                raise PriorError(
                    f"The prior of '{key}': '{name}' is no level of the response that has coefficients."
                    f"{did_you_mean(name, levels)} They are: {', '.join(levels)}."
                )
            if not isinstance(prior, Prior):
                raise PriorError(f"The prior of '{key}' for the level '{name}' must be a Prior, not {shown(prior)}.")
            check_term_prior(f"{key}, level {name}", prior, widths[key], grouped=False, single=True)
            kind = shrinkage_kind(prior)
            if kind is not None:
                raise PriorError(f"'{key}': {kind.words} is not for single levels of the response.")
            found[key][name] = copy.deepcopy(prior)
    return rest, found


def _by_column(priors: Mapping[str, Any], predictor: LinearPredictor) -> dict[str, dict[int, Choice]]:
    """The same for single columns."""
    grouped = {term.name for term in predictor.group_terms}
    found: dict[str, dict[int, Choice]] = {}
    for key, (name, column) in _coefficients(predictor).items():
        if key not in priors:
            continue
        if column in found.setdefault(name, {}):
            raise PriorError(f"priors: the coefficient '{key}' is named twice.")
        found[name][column] = _read_choice(key, priors[key])
        check_term_prior(key, found[name][column], 1, grouped=name in grouped, single=name not in grouped)
    return found


def _read_choice(key: str, value: Any) -> Choice:
    if isinstance(value, Prior):
        return copy.deepcopy(value)  # a later `update` of the user's object, or of another term's, stays apart
    try:
        scale = read_scale(value)
    except PriorError as error:
        raise PriorError(f"The prior of '{key}': {error}") from None
    if scale is None:
        raise PriorError(
            f"The prior of '{key}' must be a Prior, or a scale of the default prior, not {shown(value)}: for example "
            f"priors={{'{key}': Prior('Normal', mu=0, sigma=1)}} or {{'{key}': 'narrow'}}."
        )
    return scale


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
    single: list[str] = []
    for parameter, predictor in predictors.items():
        prefix = "" if parameter == parent else f"{parameter}: "
        known += [prefix + name for name, _ in terms_of(predictor)]
        known += [prefix + term.name for term in predictor.basis_terms]
        single += [prefix + name for name in _coefficients(predictor)]
    listed = "; ".join(f"'{name}'.{did_you_mean(name, [*known, *single])}".rstrip(".") for name in leftovers)
    message = f"Nothing in the model is called what these names in priors say: {listed}"
    stop = "" if message.endswith("?") else "."
    if unused == "error":
        raise PriorError(f"{message}{stop} There are: {', '.join(known)}.")
    warn(f"{message}{stop} They are not used.")
