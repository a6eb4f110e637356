"""The priors of a model, of its arguments and its data: what does not depend on rows apart from what does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nutslite.exceptions import PriorError
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.model.record.specification import ModelArguments
from nutslite.priors.checks import Vector, check_shift, refuse_fixed
from nutslite.priors.choosing import choose_priors
from nutslite.priors.defaults import QUANTILE, PriorSet, least_end
from nutslite.priors.mle import MLEPriors
from nutslite.priors.prior import Prior
from nutslite.priors.user_priors import Given, match_priors, update_priors


def are_the_same(priors: PriorSet, others: PriorSet) -> bool:
    """Whether all priors are the same objects: none was scaled by data."""
    own, theirs = ({**of.terms, "": of.constants} for of in (priors, others))
    return own.keys() == theirs.keys() and all(
        named.keys() == theirs[key].keys() and all(prior is theirs[key][name] for name, prior in named.items())
        for key, named in own.items()
    )


def matched_priors(arguments: ModelArguments, unused: str, design: Design, family: Family) -> Given:
    """The user's priors laid over those of the family, by parameter and term.

    Raises
    ------
    PriorError
        As for `Model`.
    """
    _check_mle(arguments, design, family)
    refuse_fixed(family.fixed, family.quantile, design.predictors, arguments.priors)
    own = {name: prior for name, prior in family.own_priors.items() if name not in design.predictors}
    known = [item.name for item in family.auxiliary if item.name not in family.fixed]
    return match_priors(
        update_priors(own, arguments.priors),
        design.predictors,
        parent=family.parent.name,
        constants=[name for name in known if name not in design.predictors],
        unused=unused,  # type: ignore[arg-type]  # checked there, with a message
        vectors=_vectors(family),
        levels=_levels(family, design),
    )


def _vectors(family: Family) -> dict[str, Vector]:
    return {item.name: Vector(item.size, item.ordered) for item in family.auxiliary if item.dim}


def _levels(family: Family, design: Design) -> dict[str, tuple[Any, ...]]:
    return {item.name: item.labels for item in family.parameters if item.dim and item.name in design.predictors}


def _check_mle(arguments: ModelArguments, design: Design, family: Family) -> None:
    """Refuse priors from the likelihood where it has no curvature that is known."""
    if arguments.automatic_priors == "mle" and family.bind is not None:
        raise PriorError(
            f"automatic_priors='mle' is for one linear predictor and a mean, which family '{family.name}' does not "
            "have. Leave it out."
        )
    if arguments.automatic_priors == "mle" and (family.smooth or family.at_quantile) is not None:
        raise PriorError(
            f"automatic_priors='mle' needs the curvature of a likelihood, which family '{family.name}' has not. Leave "
            "it out."
        )
    if arguments.automatic_priors == "mle" and design.response.censoring is not None:
        raise PriorError("automatic_priors='mle' does not know censored responses. Leave it out.")
    if arguments.automatic_priors == "mle" and family.unbound is not None:
        raise PriorError(
            f"automatic_priors='mle' does not know what the response '{design.response.name}' comes with "
            f"({', '.join(design.response.companions)}). Leave it out."
        )


def chosen_priors(
    arguments: ModelArguments, given: Given, design: Design, family: Family, links: Mapping[str, str]
) -> PriorSet:
    """The user's priors, as `matched_priors` has them, over automatic ones.

    Raises
    ------
    PriorError
        As for `Model`.
    """
    mle = MLEPriors(design, family, links, arguments.taylor) if arguments.automatic_priors == "mle" else None
    chosen = choose_priors(
        None,
        design.predictors,
        design.response,
        family=family.kind if family.quantile is None else QUANTILE,
        link=links[family.parent.name],
        parent=family.parent.name,
        auxiliary={item.name: item.default_prior for item in family.auxiliary if item.name not in family.fixed},
        auto_scale=arguments.auto_scale,
        mle=mle,
        automatic=_automatic(family, design, arguments.auto_scale),
        spreads={parameter.name: parameter.spread for parameter in family.auxiliary if parameter.spread},
        vectors=_vectors(family),
        levels=_levels(family, design),
        given=given,
    )
    for item in family.auxiliary:
        if item.below_responses and item.name in chosen.constants:
            check_shift(item.name, chosen.constants[item.name], least_end(design.response), design.response.name)
    return replace(chosen, constants={**chosen.constants, **family.fixed})


def _automatic(family: Family, design: Design, auto_scale: bool) -> dict[str, Prior]:
    """Of parameters without a formula, automatic priors other than those that the family has for any data."""
    found = {}
    for item in family.auxiliary:
        if item.below_responses:
            found[item.name] = Prior("Uniform", lower=0.0, upper=least_end(design.response))
        elif auto_scale and item.scaled_prior is not None:
            found[item.name] = Prior(item.scaled_prior[0], **item.scaled_prior[1])
    return found
