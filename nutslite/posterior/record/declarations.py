"""What the pieces of a model declare that fast ways may do with them."""

from __future__ import annotations

from nutslite._capabilities import CODES, CONCAVE, EVERYTHING, INTEGRATES, MATRIX, MERGES, PILOT, Declaration
from nutslite.families.links.codes import is_custom
from nutslite.formula.correlated import correlated_effects, words_of
from nutslite.formula.forms.known_error import ERROR
from nutslite.formula.forms.rate import EXPOSURE
from nutslite.formula.forms.truncated import LOWER
from nutslite.posterior.record.model_spec import ModelSpec

OWN_LINKS = EVERYTHING - {INTEGRATES}
ORDERED_VECTORS = frozenset({PILOT, MERGES, CODES, CONCAVE})
CORRELATED_EFFECTS = frozenset({INTEGRATES, PILOT, MERGES, CODES, MATRIX})
HYPERPRIORS = frozenset({INTEGRATES, PILOT, MERGES, CODES, MATRIX})
CENSORED = EVERYTHING - {INTEGRATES, CONCAVE}  # and whatever else the kernel of a family's own density does not know
_SAID = {
    LOWER: "the response has bounds",
    ERROR: "the standard errors of responses are known",
    EXPOSURE: "the exposures of counts differ",
}
CORRELATED_ACROSS = frozenset({PILOT, MERGES, CODES, MATRIX})  # of several parameters
KNOWN_COVARIANCES = frozenset({INTEGRATES, PILOT, MERGES, CODES, MATRIX})
POTENTIALS = frozenset({MERGES, CODES})  # they may be any function of the parameters


def declarations_of(spec: ModelSpec) -> list[Declaration]:
    """One for each piece of a model that has a say."""
    family = spec.family
    found = [Declaration(f"the family is {family.name}", family.allows)]
    if spec.links[family.parent.name] not in family.concave:
        found.append(Declaration("its log likelihood need not have one mode", EVERYTHING - {CONCAVE}))
    if spec.design.response.censoring is not None:
        found.append(Declaration("the response is censored", CENSORED))
    for companion, said in _SAID.items():
        if companion in spec.design.response.companions:
            found.append(Declaration(said, CENSORED))
    for name, predictor in spec.design.predictors.items():
        if is_custom(spec.links[name]):
            found.append(Declaration(f"the link of {name} is of your own", OWN_LINKS))
        priors = spec.priors.terms[name]
        found += [
            Declaration(f"the coefficients of '{term.name}' have a hyperprior", HYPERPRIORS)
            for term in predictor.terms
            if priors[term.name].hierarchical
        ]
        found += [Declaration(f"'{term.name}' {term.kind.title}", term.kind.allows) for term in predictor.basis_terms]
    found += [
        Declaration(f"effects of {' and '.join(group.parameters)} are correlated", CORRELATED_ACROSS)
        if len(group.parameters) > 1
        else Declaration("effects are correlated", CORRELATED_EFFECTS)
        for group in correlated_effects(spec.design.predictors, spec.correlations)
    ]
    found += [
        Declaration(words_of(factor), KNOWN_COVARIANCES)
        for factor in spec.design.factors.values()
        if factor.takes_columns
    ]
    found += [
        Declaration(f"elements of {parameter.name} increase", ORDERED_VECTORS)
        for parameter in family.parameters
        if parameter.ordered
    ]
    if spec.potentials:
        found.append(Declaration("the model has potentials, which may be any function of the parameters", POTENTIALS))
    return found
