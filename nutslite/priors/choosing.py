"""All priors of a model: the user's where given, automatic ones elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nutslite._log import log
from nutslite.exceptions import PriorError
from nutslite.formula.columns.level_names import level_name
from nutslite.formula.records import LinearPredictor, Response
from nutslite.priors.checks import Vector, check_support
from nutslite.priors.coefficient_priors import ColumnPriors, LevelPriors, overlay
from nutslite.priors.defaults import DefaultPrior, DefaultScaling, PriorSet, default_priors
from nutslite.priors.gaps import GapScaling
from nutslite.priors.hyperparameters import hyperparameters
from nutslite.priors.mle import MLEPriors
from nutslite.priors.prior import Prior
from nutslite.priors.shrinkage import complete_shrinkages, has_residual, shrinkage_kind
from nutslite.priors.user_priors import Given, Unused, all_terms, match_priors, terms_of


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
    mle: MLEPriors | None = None,
    automatic: Mapping[str, Prior] = MappingProxyType({}),
    spreads: Mapping[str, float] = MappingProxyType({}),
    vectors: Mapping[str, Vector] = MappingProxyType({}),
    levels: Mapping[str, tuple[Any, ...]] = MappingProxyType({}),
    given: Given | None = None,
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
    mle : MLEPriors, optional
        Automatic priors come from the likelihood instead of the default rules.
    automatic : mapping of str to Prior
        Of auxiliary parameters whose automatic prior goes by the response.
    vectors : mapping of str to Vector
        Elements of the auxiliary parameters that are vectors.
    levels : mapping of str to tuple
        As `match_priors` takes them.
    spreads : mapping of str to float
        Of gaps between quantiles, how many standard deviations they have in a normal distribution.
    given : Given, optional
        What `match_priors` has made of `priors` already, for predictors with the same terms.

    Returns
    -------
    PriorSet
        Complete, every prior checked against its place.
    """
    constants = [name for name in auxiliary if name not in predictors]
    if given is None:
        given = match_priors(
            priors, predictors, parent=parent, constants=constants, unused=unused, vectors=vectors, levels=levels
        )
    _explain_scales(given, auto_scale=auto_scale, mle=mle is not None)
    fixed = {name: value for name, value in given.constants.items() if isinstance(value, float)}
    scaling = DefaultScaling(family, link, response)
    gaps = {name: GapScaling(spread, scaling) for name, spread in spreads.items()} if auto_scale else {}
    defaults = default_priors(
        predictors,
        response,
        family=family,
        link=link,
        parent=parent,
        auxiliary=auxiliary,
        auto_scale=auto_scale,
        given=given,
        scaling=mle.scaling(fixed) if mle is not None else scaling,
        others=gaps,
    )
    by_data = {**automatic, **{name: gap.constant() for name, gap in gaps.items()}}
    defaults.constants.update({name: prior for name, prior in by_data.items() if name in defaults.constants})
    for name, value in given.constants.items():
        default = auxiliary[name]
        if default is not None:
            check_support(name, value, default)
    terms = {}
    for parameter, predictor in predictors.items():
        laid = _lay_over(defaults.terms[parameter], given, predictor)
        sd = residual_sd = 1.0
        if parameter == parent and any(shrinkage_kind(prior) for prior in laid.values()):
            sd = scaling.sd
            residual_sd = 1.0 if has_residual(family, predictors) else sd
        scales = (sd, residual_sd) if auto_scale else (None, None)
        complete = complete_shrinkages(laid, predictor, *scales)
        terms[parameter] = _by_level(complete, given.levels.get(parameter, {}), levels.get(parameter, ()))
    return PriorSet(terms, {**defaults.constants, **given.constants}, given.names)


def _by_level(
    priors: Mapping[str, Any], given: Mapping[str, Mapping[str, Prior]], levels: tuple[Any, ...]
) -> dict[str, Any]:
    """Priors with those of single levels of the response in place."""
    names = tuple(level_name(level) for level in levels)
    found = dict(priors)
    for term, own in given.items():
        rest = priors[term]
        if len(own) < len(names) and (rest.hierarchical or shrinkage_kind(rest) is not None):
            raise PriorError(
                f"The prior of '{term}' is about all its coefficients, and single levels of the response have priors "
                "of their own: give each level one, or none."
            )
        found[term] = LevelPriors(names, tuple(own.get(name, rest) for name in names))
    return found


def _explain_scales(given: Given, *, auto_scale: bool, mle: bool) -> None:
    """Say what scales mean beside default priors, where Bambi 0.6 gave them none; refuse them beside flat ones."""
    scales = given.scales
    if not scales:
        return
    if not auto_scale:
        raise PriorError(
            f"priors: the scale {scales[0].text} is one of automatic priors, but auto_scale=False asks for flat ones. "
            "Give a Prior, or leave auto_scale=False out."
        )
    if not mle:
        listed = ", ".join(f"{scale.text}: {scale.factor:.4g} x" for scale in scales)
        log.info(
            "Scales in priors multiply the widths of default priors, names relative to 'wide' (%s). With "
            "automatic_priors='mle' they are standard deviations of partial correlations.",
            listed,
        )


def _lay_over(
    defaults: Mapping[str, Prior], given: Given, predictor: LinearPredictor
) -> dict[str, Prior | ColumnPriors]:
    """The priors of one parameter's terms in order, single columns laid over terms, and terms over defaults."""
    parameter = predictor.parameter
    labels = {term.name: term.labels for term in all_terms(predictor)}
    grouped = {term.name for term in predictor.group_terms}
    terms: dict[str, Prior | ColumnPriors] = {}
    for name, _ in terms_of(predictor):
        own = given.terms.get(parameter, {}).get(name)
        whole = own if isinstance(own, Prior) else defaults.get(name)  # None: every column has its own
        single = given.columns.get(parameter, {}).get(name, {})
        columns = {column: prior for column, prior in single.items() if isinstance(prior, Prior)}
        if isinstance(own, Prior) and len(columns) < len(single):
            raise PriorError(
                f"priors: '{name}' has a Prior of its own, so a scale for one of its coefficients has no default prior "
                "to scale. Give that coefficient a Prior, too."
            )
        if columns or whole is None:
            terms[name] = overlay(name, labels[name], whole, columns, grouped=name in grouped)
        else:
            terms[name] = whole
    return terms | {name: defaults[name] for name in hyperparameters(predictor)}
