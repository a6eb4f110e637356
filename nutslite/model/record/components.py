"""The parameters of a model's family with their terms and priors, by name, as Bambi lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nutslite.formula.records import CommonTerm, GroupTerm, Response
from nutslite.priors.hyperparameters import hyperparameters

if TYPE_CHECKING:
    from nutslite.formula.design import Design
    from nutslite.posterior.record.model_spec import ModelSpec

INTERCEPT = "Intercept"


@dataclass(frozen=True)
class Term:
    """One term of a formula.

    Attributes
    ----------
    name : str
        ``"Intercept"``, ``"x"``, ``"x:g"``, ``"1|g"``.
    prior : Prior, or one by coefficient
    alias : str or None
        What results call it, where that is something else.
    levels : tuple of str
        Labels of its coefficients; empty where there is one number.
    groups : tuple of str
        Groups of a group-specific term, in the order of the results.
    """

    name: str
    prior: Any
    alias: str | None = None
    levels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class MarginalParameter:
    """A parameter that is one number for all rows: its prior, or the number that it is fixed to."""

    name: str
    prior: Any
    alias: str | None = None


@dataclass(frozen=True)
class ConditionalParameter:
    """A parameter that has a formula.

    Attributes
    ----------
    name : str
    is_parent : bool
        Whether the main formula is its.
    terms : dict of Term
        By name, in the order of the results; offsets are not among them.
    offset_terms : tuple of str
    alias : str or None
    """

    name: str
    is_parent: bool
    terms: Mapping[str, Term]
    offset_terms: tuple[str, ...] = ()
    alias: str | None = None

    @property
    def intercept_term(self) -> Term | None:
        """The intercept, if there is one."""
        return self.terms.get(INTERCEPT)

    @property
    def common_terms(self) -> dict[str, Term]:
        """Terms that are the same for all groups, without the intercept."""
        return {name: term for name, term in self.terms.items() if not term.groups and name != INTERCEPT}

    @property
    def group_specific_terms(self) -> dict[str, Term]:
        """Terms with effects of each group."""
        return {name: term for name, term in self.terms.items() if term.groups}


@dataclass(frozen=True)
class ResponseComponent:
    """The response, where older versions of Bambi had it."""

    term: Response

    @property
    def response(self) -> Response:
        """The same."""
        return self.term


Parameter = ConditionalParameter | MarginalParameter


def list_parameters(spec: ModelSpec, aliases: Mapping[str, str]) -> dict[str, Parameter]:
    """All parameters by name, the parent first.

    Parameters
    ----------
    spec : ModelSpec
    aliases : mapping
        By full name of a variable (``sigma_x``), its alias.
    """
    names = [parameter.name for parameter in spec.family.parameters]
    design, priors = spec.design, spec.priors
    out: dict[str, Parameter] = {}
    for name in names:
        predictor = design.predictors.get(name)
        if predictor is None:
            out[name] = MarginalParameter(name, priors.constants[name], aliases.get(name))
            continue
        prefix = spec.family.prefix(name)
        own = priors.terms[name]
        listed = [Term(INTERCEPT, own[INTERCEPT], aliases.get(f"{prefix}{INTERCEPT}"))] if predictor.intercept else []
        formula: list[CommonTerm | GroupTerm] = [*predictor.terms, *predictor.group_terms]
        listed += [
            Term(term.name, own[term.name], aliases.get(f"{prefix}{term.name}"), _levels(term), _groups(term, design))
            for term in formula
        ]
        of_groups = {term.full(item): term.name for term in predictor.basis_terms for item in term.hyperparameters}
        listed += [
            Term(known, own[known], aliases.get(f"{prefix}{known}"), groups=_levels_of(of_groups[known], design))
            for known in hyperparameters(predictor)
        ]
        terms = {term.name: term for term in listed}
        out[name] = ConditionalParameter(name, name == names[0], terms, predictor.offset_names, aliases.get(name))
    return out


def _levels(term: CommonTerm | GroupTerm) -> tuple[str, ...]:
    return () if term.scalar else term.labels


def _levels_of(name: str, design: Design) -> tuple[str, ...]:
    """Levels of what is a grouping factor, as ``gr(g, sd=z)`` is, whose coefficients are called after it."""
    return tuple(design.factors[name].levels) if name in design.factors else ()


def _groups(term: CommonTerm | GroupTerm, design: Design) -> tuple[str, ...]:
    return tuple(design.factors[term.factor].levels) if isinstance(term, GroupTerm) else ()
