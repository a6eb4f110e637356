"""Grouping factors: from the right of a bar to one level index per row. Never an indicator matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.by_levels import ByPlan, apply_by, learn_by
from nutslite.formula.coding import TermPlan, matrix_of_terms, plan_terms
from nutslite.formula.columns.categories import Categories
from nutslite.formula.columns.lent import lent_codes
from nutslite.formula.columns.packed import Packed
from nutslite.formula.covariances import covariance_of
from nutslite.formula.evaluation.evaluation import Evaluator
from nutslite.formula.factors import Factor, apply_factors, learn_factors
from nutslite.formula.known_covariance import KnownCovariance
from nutslite.formula.language.algebra import Term
from nutslite.formula.language.expression import Expression
from nutslite.formula.memberships import membership_factor, shared_levels
from nutslite.formula.records import GroupFactor
from nutslite.formula.terms.level_sds import LevelSds, Summand, first_rows, learn_sds


@dataclass(frozen=True)
class SdsPlan:
    """What new data need of the predictors of ``gr(g, sd=z)``: what they are and their columns, and those of levels."""

    factors: dict[str, Factor]
    terms: tuple[TermPlan, ...]
    known: LevelSds


@dataclass(frozen=True)
class GroupPlan:
    """What new data need to find their levels again.

    Attributes
    ----------
    term : Term
        The grouping factor; several factors for an interaction.
    components : tuple of sequence
        Level values of each factor.
    observed : tuple of ndarray
        One per factor after the first: the sorted keys (code so far * levels of this factor + its code) of the
        combinations that occur.
    levels : sequence of str
        Names of the levels of the whole.
    covariance : KnownCovariance or None
        Of the levels, where the user knows them.
    by : ByPlan or None
        Of ``gr(g, by=f)``.
    sds : SdsPlan or None
        Of ``gr(g, sd=z)``.
    """

    term: Term
    components: tuple[Sequence[Any], ...]
    observed: tuple[NDArray[np.int64], ...]
    levels: Sequence[str]
    covariance: KnownCovariance | None = None
    by: ByPlan | None = None
    sds: SdsPlan | None = None


def learn_group(term: Term, evaluator: Evaluator) -> tuple[GroupPlan, GroupFactor]:
    """The levels of a grouping factor, and the index of each row.

    Interactions have the combinations that occur in the data, named ``"a:b"``, sorted by the first factor's levels,
    then by the second's.

    Raises
    ------
    DataError
        When values cannot be levels, or two combinations would have the same name.
    """
    parts = [_component(factor, evaluator) for factor in term.factors]
    if term.is_of_members:
        levels = shared_levels(term, parts)
        factor = membership_factor(term, parts, levels, evaluator)
        return GroupPlan(term, (levels,), (), factor.levels), factor
    codes, names = parts[0].codes, parts[0].names
    observed = []
    for part in parts[1:]:
        keys = codes.astype(np.int64) * len(part.levels) + part.codes
        numbers, found = pd.factorize(keys, sort=True)
        codes = np.asarray(numbers, dtype=np.int32)
        observed.append(np.asarray(found, dtype=np.int64))
        own = part.names
        names = tuple(f"{names[key // len(own)]}:{own[key % len(own)]}" for key in found.tolist())
    if len(set(names)) < len(names):
        raise DataError(f"Two levels of '{term.name}' would have the same name; take the colons out of its levels.")
    known = covariance_of(term, names, evaluator.extra)
    by = by_plan = None
    sds = _learn_sds(term, codes, names, evaluator) if term.has_sds else None
    if term.more and not term.has_sds:
        (column,) = term.more
        values = _component(column, evaluator)
        by_plan = learn_by(term, codes, names, values)
        by = apply_by(term, by_plan, values)
    components = tuple(Packed.of(part.levels) for part in parts)
    alone = components[0] if len(parts) == 1 else ()
    kept = alone.texts() if isinstance(alone, Packed) else Packed.of(names)
    plan = GroupPlan(term, components, tuple(observed), kept, known, by_plan, sds)
    explained = None if sds is None else sds.known
    index = lent_codes(codes, evaluator.evaluate(term.factors[0]), evaluator.owners)
    return plan, GroupFactor(term.name, index, kept, covariance=known, by=by, sds=explained)


def apply_group(plan: GroupPlan, evaluator: Evaluator) -> GroupFactor:
    """The same grouping factor on new data: index -1, and a name in `new_levels`, where a level is new."""
    terms = plan.term.factors
    parts = [_component(factor, evaluator) for factor in terms]
    if plan.term.is_of_members:
        return membership_factor(plan.term, parts, plan.components[0], evaluator)
    recoded = [
        part.recoded(levels, factor.name) for part, levels, factor in zip(parts, plan.components, terms, strict=True)
    ]
    codes = recoded[0].codes.astype(np.int64)
    for part, keys in zip(recoded[1:], plan.observed, strict=True):
        wanted = codes * len(part.levels) + part.codes
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known = (codes >= 0) & (part.codes >= 0) & (keys[place] == wanted)
        codes = np.where(known, place, -1)
    new = _new_names(plan, parts, np.flatnonzero(codes < 0))
    by = None if plan.by is None else apply_by(plan.term, plan.by, _component(plan.term.more[0], evaluator))
    index = np.array(codes, dtype=np.int32)
    factor = GroupFactor(plan.term.name, index, plan.levels, new, plan.covariance, by=by)
    return factor if plan.sds is None else replace(factor, sds=_apply_sds(plan.term, plan.sds, factor, evaluator))


def _learn_sds(term: Term, codes: NDArray[Any], names: tuple[str, ...], evaluator: Evaluator) -> SdsPlan:
    """What the standard deviations of the levels depend on."""
    what = term.factors[0].name
    factors, values = learn_factors(term.more, evaluator)
    single = {each.name: Term((each,), each.span) for each in term.more}
    terms = tuple(plan_terms(tuple(single.values()), True, factors, evaluator.rows))
    rows = first_rows(what, codes, names, values, {name: factor.levels for name, factor in factors.items()})
    columns = matrix_of_terms(terms, {name: own[..., rows] for name, own in values.items()}, len(rows))
    summands = [Summand(each.name, each.kind == "categorical", () if each.scalar else each.labels) for each in terms]
    return SdsPlan(factors, terms, learn_sds(what, names, summands, columns))


def _apply_sds(term: Term, plan: SdsPlan, factor: GroupFactor, evaluator: Evaluator) -> LevelSds:
    """The same with new levels.

    Levels of the model keep their effects, whatever new data say of them; should they be taken for new ones, they are
    what new data say.
    """
    values = apply_factors(term.more, plan.factors, evaluator)

    def with_rows(sds: LevelSds, own: NDArray[np.bool_], levels: NDArray[Any]) -> LevelSds:
        names, codes = np.unique(levels, return_inverse=True)
        some = {name: each[..., own] for name, each in values.items()}
        meaning = {name: each.levels for name, each in plan.factors.items()}
        rows = first_rows(term.factors[0].name, codes, names.tolist(), some, meaning)
        columns = matrix_of_terms(plan.terms, {name: each[..., rows] for name, each in some.items()}, len(rows))
        return sds.with_levels(names.tolist(), columns)

    new = factor.index < 0
    found = with_rows(plan.known, new, np.array(factor.new_levels, dtype=object))
    try:
        return with_rows(found, ~new, np.array(factor.levels, dtype=object)[factor.index[~new]])
    except DataError as error:
        return replace(found, fault=str(error))


def _component(factor: Expression, evaluator: Evaluator) -> Categories:
    value = evaluator.evaluate(factor)
    if not isinstance(value, Categories):
        array = np.asarray(value)
        if array.shape != (evaluator.rows,):
            raise DataError(f"The grouping factor '{factor.name}' must be one column with a value per row.")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"The grouping factor '{factor.name}' is not finite in some rows.")
        value = evaluator.categories(array, factor.tree, factor.name)
    found: Categories = value.without_unused()
    return found


def _new_names(plan: GroupPlan, parts: Sequence[Categories], rows: NDArray[np.intp]) -> tuple[str, ...]:
    """The names that the levels of `rows` would have had, had they been there from the start.

    Raises
    ------
    DataError
        Where colons in the levels of an interaction make two things read the same.
    """
    own = [part.names for part in parts]
    keys = [tuple(int(part.codes[row]) for part in parts) for row in rows.tolist()]
    names = {key: ":".join(name[code] for name, code in zip(own, key, strict=True)) for key in dict.fromkeys(keys)}
    twice = set(names.values()).intersection(plan.levels) if len(parts) > 1 else ()
    if twice or len(set(names.values())) < len(names):
        which = f", '{min(twice)}' for example" if twice else ""
        raise DataError(
            f"Two levels of '{plan.term.name}' would have the same name{which}; take the colons out of its levels."
        )
    return tuple(names[key] for key in keys)
