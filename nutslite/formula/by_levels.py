"""``(x|gr(g, by=f))``: effects of g whose distribution is another one for each level of f. A level of g is in one of f.

That is a factor of its own for each level of f, with effects in the rows of that level: ``gr(g, by=f[a])``,
``gr(g, by=f[b])``. So all that a model has of factors each of them has: scales, priors, correlations, names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError
from nutslite.formula.columns.categories import Categories
from nutslite.formula.language.algebra import Term
from nutslite.formula.records import By, GroupFactor, GroupTerm, LinearPredictor


@dataclass(frozen=True)
class ByPlan:
    """What new data need: levels of f as values, and the level of f of each level of g."""

    levels: tuple[Any, ...]
    names: tuple[str, ...]
    home: NDArray[np.int32]


def learn_by(term: Term, codes: NDArray[Any], names: tuple[str, ...], by: Categories) -> ByPlan:
    """Which level of f each level of g belongs to.

    Raises
    ------
    DataError
        Where a level of g has rows of several.
    """
    home = np.full(len(names), -1, dtype=np.int32)
    home[codes] = by.codes
    wrong = np.flatnonzero(home[codes] != by.codes)
    if wrong.size:
        level = names[int(codes[wrong[0]])]
        own, other = (by.names[int(code)] for code in (home[codes[wrong[0]]], by.codes[wrong[0]]))
        g, f = term.factors[0].name, term.more[0].name
        raise DataError(
            f"The level '{level}' of '{g}' has rows of '{other}' and of '{own}' of '{f}': by= is for levels that "
            f"belong to one each. Effects of each level of '{g}' for each of '{f}' are (0 + {f}|{g})."
        )
    return ByPlan(by.levels, by.names, home)


def apply_by(term: Term, plan: ByPlan, by: Categories) -> By:
    """The level of f of each row.

    Raises
    ------
    DataError
        For a level that the model does not know.
    """
    recoded = by.recoded(plan.levels, term.more[0].name)
    if recoded.unseen:
        raise DataError(
            f"'{recoded.unseen[0]}' is not a level of '{term.more[0].name}' in the data of the model, and "
            f"'{term.name}' has a distribution for each of its levels: {', '.join(plan.names)}."
        )
    return By(plan.names, recoded.codes, plan.home)


def taken_apart(
    predictors: Mapping[str, LinearPredictor], factors: Mapping[str, GroupFactor]
) -> tuple[dict[str, LinearPredictor], dict[str, GroupFactor]]:
    """The same with factors that have ``by=`` as one for each of its levels, in terms, too."""
    parts = {name: _parts(factor, factor.by) for name, factor in factors.items() if factor.by is not None}
    if not parts:
        return dict(predictors), dict(factors)
    found: dict[str, GroupFactor] = {}
    for name, factor in factors.items():
        found |= {part.name: part for part, _ in parts[name]} if name in parts else {name: factor}
    return {
        name: replace(predictor, group_terms=tuple(_terms(predictor.group_terms, parts)))
        for name, predictor in predictors.items()
    }, found


def _parts(factor: GroupFactor, by: By) -> list[tuple[GroupFactor, NDArray[np.bool_]]]:
    """A factor for each level, and the rows that have it."""
    names = np.empty(factor.index.size, dtype=object)
    names[factor.index < 0] = list(factor.new_levels)
    known = factor.index >= 0
    names[known] = [factor.levels[place] for place in factor.index[known]]
    out = []
    for code, level in enumerate(by.levels):
        own = np.flatnonzero(by.home == code)
        place = np.full(len(by.home) + 1, -1, dtype=np.int32)  # the last is that of new levels
        place[own] = np.arange(own.size)
        inside = by.index == code
        index = np.where(inside, place[factor.index], 0).astype(np.int32)
        part = GroupFactor(
            f"{factor.name[:-1]}[{level}])",
            index,
            tuple(factor.levels[i] for i in own.tolist()),
            tuple(names[index < 0].tolist()),
            whole=factor.name,
            inside=inside,
        )
        out.append((part, inside))
    return out


def _terms(
    terms: Iterable[GroupTerm], parts: Mapping[str, list[tuple[GroupFactor, NDArray[np.bool_]]]]
) -> Iterable[GroupTerm]:
    for term in terms:
        for part, inside in parts.get(term.factor, ()):
            matrix = inside[None].astype(float) if term.matrix is None else term.matrix * inside
            name = f"{term.expression}|{part.name}"
            yield replace(term, name=name, factor=part.name, matrix=matrix, whole=term)
        if term.factor not in parts:
            yield term


def put_together(factors: Mapping[str, GroupFactor]) -> dict[str, GroupFactor]:
    """Factors to one of whose levels each row belongs: parts of one as one again, without ``mm()``."""
    found: dict[str, GroupFactor] = {}
    for name, factor in factors.items():
        if factor.members is not None:
            continue
        if not factor.whole:
            found[name] = factor
        elif factor.whole in found:
            before = found[factor.whole]
            index = np.where(np.asarray(factor.inside), factor.index + len(before.levels), before.index).astype(
                np.int32
            )
            found[factor.whole] = replace(before, index=index, levels=(*before.levels, *factor.levels))
        else:
            found[factor.whole] = replace(factor, name=factor.whole, whole="", inside=None)
    return found
