"""What no posterior is built for: combinations of terms, priors and families, refused when a model is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nutslite.exceptions import FormulaError, PriorError
from nutslite.formula.correlated import EffectGroup, correlated_effects, words_of
from nutslite.formula.records import GroupTerm
from nutslite.priors.prior import Prior, resolve
from nutslite.priors.shrinkage import shrinkages_of

if TYPE_CHECKING:  # who only wants names need not load Numba
    from nutslite.posterior.record.model_spec import ModelSpec


def refuse_unserved(spec: ModelSpec) -> None:
    """Refuse what the posterior has no form for.

    Raises
    ------
    PriorError, FormulaError
        For a shrinkage prior, a monotonic effect or correlated effects in a parameter with several linear predictors;
        for correlated effects that are not normal, and for those whose levels are columns, not normal around 0; for
        explained standard deviations of effects that are not around 0, or have an id.
    """
    for parameter, predictor in spec.design.predictors.items():
        priors = spec.priors.terms[parameter]
        if spec.family.parameter(parameter).dim:
            several = f"cannot serve family '{spec.family.name}', which has several linear predictors"
            for shrinkage in shrinkages_of(predictor, priors):
                terms = ", ".join(repr(term.name) for term in shrinkage.terms)
                words = shrinkage.kind.words
                raise PriorError(f"{words[0].upper()}{words[1:]} {several}: give {terms} a Normal prior.")
            for basis_term in predictor.basis_terms:
                if basis_term.standard is not None:
                    instead = basis_term.name.replace("gp(", "hsgp(", 1)
                    raise FormulaError(f"'{basis_term.name}' {several}: write {instead}, the same by basis functions.")
                if basis_term.simplex is not None:
                    levels = basis_term.name.replace("mo(", "C(")
                    raise FormulaError(f"'{basis_term.name}' {several}: write {levels} for an effect of each level.")
        for term in predictor.group_terms:
            factor = spec.design.factors[term.factor]
            if factor.takes_columns:
                _check_known(f"{spec.family.prefix(parameter)}{term.name}", priors[term.name], words_of(factor))
            if factor.sds is not None:
                _check_sds(spec, parameter, term)
    for group in correlated_effects(spec.design.predictors, spec.correlations):
        _check_correlated(spec, group)


def _check_known(name: str, prior: Prior, words: str) -> None:
    """Of effects whose levels are columns, `words` say why."""
    mean = dict(zip(prior.density.argument_names, resolve(prior).arguments, strict=True)).get("mu")
    if prior.name != "Normal" or isinstance(mean, Prior) or np.any(np.asarray(mean) != 0.0):
        raise PriorError(
            f"'{name}': {words}. Such effects are Normal around 0, and the prior is {prior}. Give its scale: "
            "Prior('Normal', mu=0, sigma=Prior('HalfNormal', sigma=1))."
        )


def _check_sds(spec: ModelSpec, parameter: str, term: GroupTerm) -> None:
    """Of effects whose standard deviations are explained."""
    prior = spec.priors.terms[parameter][term.name]
    density, arguments = prior.density, resolve(prior).arguments
    if spec.family.parameter(parameter).dim:
        raise FormulaError(
            f"'{term.name}' cannot serve family '{spec.family.name}', which has several linear predictors: leave sd= "
            "out."
        )
    if term.id is not None:
        raise FormulaError(
            f"'{term.name}' with the id '{term.id}': standard deviations are explained in one formula, and an id is "
            "for effects of several. Leave out the id, or sd=."
        )
    if density.location is not None and density.scale is not None:
        mean = arguments[density.location]
        if not isinstance(mean, Prior) and not np.any(np.asarray(mean) != 0.0):
            return
    raise PriorError(
        f"'{term.name}': sd= is about effects around 0 with a scale, and the prior is {prior}. Give its scale: "
        "Prior('Normal', mu=0, sigma=Prior('HalfNormal', sigma=1))."
    )


def _check_correlated(spec: ModelSpec, group: EffectGroup) -> None:
    terms: list[GroupTerm] = [member.term for member in group.members]
    if any(spec.priors.terms[member.parameter][member.term.name].name != "Normal" for member in group.members):
        names = ", ".join(member.name for member in group.members)
        raise PriorError(f"Correlated effects of '{group.factor}' need Normal priors for all their terms ({names}).")
    if any(spec.family.parameter(parameter).dim for parameter in group.parameters):
        leave_out = "correlated= and priors_cor=" if terms[0].id is None else "the id: (x||g)"
        raise PriorError(
            f"Effects of '{group.factor}' cannot be correlated in family '{spec.family.name}', which has several "
            f"linear predictors. Leave out {leave_out}."
        )
