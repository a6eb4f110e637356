"""Which group-specific effects of a model are correlated with each other, and what their correlations are called.

Effects of one bar are, where the model says so; those of bars with one id, ``(x|id|g)``, always, and across the
formulas of several parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from nutslite._log import log
from nutslite.exceptions import FormulaError
from nutslite.formula.known_covariance import ZeroSum
from nutslite.formula.records import GroupFactor, GroupTerm, LinearPredictor, prefix_of


class Member(NamedTuple):
    """A group-specific term in the formula of one parameter; `prefix` stands before its name in results."""

    parameter: str
    prefix: str
    term: GroupTerm

    @property
    def name(self) -> str:
        """``"1|g"``, ``"sigma_1|g"``."""
        return f"{self.prefix}{self.term.name}"


class EffectGroup(NamedTuple):
    """Terms of one factor that have one correlation matrix, in the order of its rows; or a term by itself."""

    factor: str
    members: tuple[Member, ...]
    correlated: bool

    @property
    def parameters(self) -> tuple[str, ...]:
        """Whose formulas the terms stand in."""
        return tuple(dict.fromkeys(member.parameter for member in self.members))

    @property
    def name(self) -> str:
        """Of the correlations: ``"1+x|g_corr"``, ``"sigma_1+x|g_corr"`` within sigma, ``"1+sigma_1|g_corr"`` across."""
        before = "" if self._is_across else self.members[0].prefix
        return f"{before}{'+'.join(f'{own}{term.expression}' for own, term in self._parts())}|{self.factor}_corr"

    @property
    def labels(self) -> list[str]:
        """One for each row of the matrix: ``"1"``, ``"f[b]"``, ``"sigma_1"``."""
        return [
            f"{own}{term.expression}" if term.scalar else f"{own}{term.expression}[{label}]"
            for own, term in self._parts()
            for label in term.labels
        ]

    @property
    def _is_across(self) -> bool:
        return len(self.parameters) > 1

    def _parts(self) -> list[tuple[str, GroupTerm]]:
        """Terms, and what stands before them where they are of several parameters."""
        return [(member.prefix if self._is_across else "", member.term) for member in self.members]


def members_of(predictors: Mapping[str, LinearPredictor]) -> list[Member]:
    """All group-specific terms of a model; the parent parameter comes first."""
    parent = next(iter(predictors), "")
    return [
        Member(parameter, prefix_of(parameter, parent), term)
        for parameter, predictor in predictors.items()
        for term in predictor.group_terms
    ]


def effect_groups(predictors: Mapping[str, LinearPredictor], factors: Collection[str]) -> list[EffectGroup]:
    """Terms by what they are correlated with, in the order in which each group begins.

    Parameters
    ----------
    predictors : mapping of str to LinearPredictor
        The parent's first.
    factors : collection of str
        Grouping factors of which effects are correlated, as far as the formula allows. Those with an id always are.
    """
    found: dict[tuple[str, ...], list[Member]] = {}
    for member in members_of(predictors):
        found.setdefault(_key(member, factors), []).append(member)
    return [
        EffectGroup(key[1], tuple(own), key[0] != "alone" and sum(member.term.columns for member in own) > 1)
        for key, own in found.items()
    ]


def correlated_effects(predictors: Mapping[str, LinearPredictor], factors: Collection[str]) -> list[EffectGroup]:
    """Of the groups of `effect_groups` those that have a correlation matrix."""
    return [group for group in effect_groups(predictors, factors) if group.correlated]


def refuse_known_covariances(
    predictors: Mapping[str, LinearPredictor], factors: Mapping[str, GroupFactor], correlated: Collection[str]
) -> None:
    """Raise where effects of a factor whose levels are columns would be correlated with each other.

    Raises
    ------
    FormulaError
        Naming the factor.
    """
    for group in effect_groups(predictors, correlated):
        if group.correlated and factors[group.factor].takes_columns:
            names = " and ".join(f"'{member.name}'" for member in group.members)
            raise FormulaError(
                f"{names} cannot be correlated with each other: {words_of(factors[group.factor])}. Write two bars and "
                f"no id, (x||{group.factor})."
            )


def words_of(factor: GroupFactor) -> str:
    """What a factor has whose levels are columns, in words."""
    if factor.members is not None:
        return f"rows belong to several levels of '{factor.name}'"
    if isinstance(factor.covariance, ZeroSum):
        return f"the effects of '{factor.name}' sum to zero"
    return f"the levels of '{factor.name}' have a known covariance"


def _key(member: Member, factors: Collection[str]) -> tuple[str, ...]:
    term = member.term
    if term.id is not None:
        return "id", term.factor, term.id
    if term.factor in factors and term.correlated is not None:
        return "bar", term.factor, member.parameter, term.correlated
    return "alone", term.factor, member.name


def note_lonely_ids(predictors: Mapping[str, LinearPredictor]) -> None:
    """Tell the log of ids that stand beside a single effect, which may be slips."""
    for group in effect_groups(predictors, ()):
        term = group.members[0].term
        if term.id is not None and not group.correlated:
            log.info("The id '%s' stands beside '%s' alone, which is therefore a plain effect.", term.id, term.name)
