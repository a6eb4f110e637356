"""The bars of a formula, ``(x|g)``, as group-specific effects: each effect of each factor once, in whatever bars."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from nutslite._log import log
from nutslite.exceptions import FormulaError
from nutslite.formula.coding import TermPlan
from nutslite.formula.language.algebra import GroupSpec, Term

_INTERCEPT = "1"


@dataclass(frozen=True)
class Member:
    """One effect of one grouping factor.

    Attributes
    ----------
    effect, factor : str
        ``"1"`` or the name of a term, and the name of a factor.
    mark : str or None
        Common to effects that may be correlated.
    contested : str or None
        The bars that do not agree on which effects are correlated with this one.
    id : str or None
        Of the bars that hold it.
    """

    effect: str
    factor: str
    mark: str | None = None
    contested: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class BarPlan:
    """What one bar adds to those before it.

    Attributes
    ----------
    intercept : bool
        Whether the bar has one, which its effects are coded beside.
    effects : dict
        Name -> plan of its columns, for the effects that are new.
    members : tuple of Member
        The new effects of every factor.
    """

    intercept: bool
    effects: dict[str, TermPlan]
    members: tuple[Member, ...]


@dataclass(frozen=True)
class _Block:
    """The effects of one factor in one bar, as written, or in all bars of one id."""

    bar: int
    factor: Term
    effects: dict[frozenset[str], TermPlan | None]  # None for the intercept
    correlated: bool
    id: str | None = None

    @property
    def width(self) -> int:
        """Effects per level."""
        return sum(1 if plan is None else len(plan.columns) for plan in self.effects.values())

    @property
    def text(self) -> str:
        """``"1 + x|g"``, ``"1 + x|id|g"``; two bars between independent effects."""
        names = " + ".join(_INTERCEPT if plan is None else plan.name for plan in self.effects.values())
        bar = f"|{self.id}|" if self.id is not None else "|" if self.correlated or self.width == 1 else "||"
        return f"{names}{bar}{self.factor.name}"


def plan_bars(
    formula: str, groups: Sequence[GroupSpec], effects: Sequence[tuple[TermPlan, ...]]
) -> tuple[BarPlan, ...]:
    """Which effects each bar adds; effects that are there already are noted by the log.

    Parameters
    ----------
    formula : str
        The whole formula, for the log.
    groups : sequence of GroupSpec
        The bars.
    effects : sequence of tuple of TermPlan
        The columns of each bar's terms.

    Raises
    ------
    FormulaError
        Where two bars code the same effect in different columns: ``(f|g) + (0 + f|g)`` of a category f. Where one
        has an id and another says otherwise: ``(x|id|g) + (x||g)``.
    """
    blocks = list(_blocks(groups, effects))
    joined = _joined(blocks)
    seen: dict[tuple[frozenset[str], frozenset[str]], TermPlan | None] = {}
    repeated: dict[str, None] = {}
    members: list[list[tuple[Member, TermPlan | None]]] = [[] for _ in groups]
    for block in blocks:
        for key, plan in block.effects.items():
            place, name = (key, block.factor.key), _INTERCEPT if plan is None else plan.name
            if place in seen:
                _check_same_columns(plan, seen[place], block)
                repeated[f"{name}|{block.factor.name}"] = None
                continue
            seen[place] = plan
            rivals = [item for item in joined if item.factor.key == block.factor.key and key in item.effects]
            members[block.bar].append((Member(name, block.factor.name, *_correlations(rivals, name)), plan))
    for name in repeated:
        log.info("%s: The group-specific term '%s' is there twice; it counts once.", formula, name)
    return tuple(
        BarPlan(group.intercept, {plan.name: plan for _, plan in own if plan is not None}, tuple(m for m, _ in own))
        for group, own in zip(groups, members, strict=True)
    )


def _blocks(groups: Iterable[GroupSpec], effects: Iterable[tuple[TermPlan, ...]]) -> Iterator[_Block]:
    for bar, (group, plans) in enumerate(zip(groups, effects, strict=True)):
        written: dict[frozenset[str], TermPlan | None] = {frozenset(): None} if group.intercept else {}
        written |= {term.key: plan for term, plan in zip(group.terms, plans, strict=True)}
        for factor in group.factors:
            yield _Block(bar, factor, written, group.correlated, group.id)


def _joined(blocks: Sequence[_Block]) -> list[_Block]:
    """The blocks, those of one id put together."""
    out: dict[str | int, _Block] = {}
    for place, block in enumerate(blocks):
        key = place if block.id is None else block.id
        out[key] = replace(block, effects=out[key].effects | block.effects) if key in out else block
    return list(out.values())


def _check_same_columns(plan: TermPlan | None, before: TermPlan | None, block: _Block) -> None:
    if plan is not None and before is not None and len(plan.columns) != len(before.columns):
        raise FormulaError(
            f"The group-specific term '{plan.name}|{block.factor.name}' is there twice, once with "
            f"{len(before.columns)} columns and once with {len(plan.columns)}: remove it from one of the bars."
        )


def _correlations(blocks: Sequence[_Block], name: str) -> tuple[str | None, str | None, str | None]:
    """Mark of an effect that all of `blocks` hold, their texts where they disagree on what goes with it, and its id.

    ``(1|g) + (x|g)`` means what ``(x|g)`` means; ``(x|g) + (z|g)`` could mean two things once effects are correlated.
    """
    largest = max(blocks, key=lambda block: (len(block.effects), block.id is not None))
    mark = largest.text if largest.correlated and largest.width > 1 else None
    agree = all(
        block.effects.keys() <= largest.effects.keys() and (block.width == 1 or block.correlated == largest.correlated)
        for block in blocks
    )
    contested = None if agree else " and ".join(f"({text})" for text in dict.fromkeys(block.text for block in blocks))
    ids = {block.id for block in blocks} - {None}
    if len(ids) > 1 or (ids and (contested or largest.id is None)):
        texts = contested or " and ".join(f"({block.text})" for block in blocks)
        raise FormulaError(
            f"The formula has {texts}, and an effect goes with one id: leave '{name}|{blocks[0].factor.name}' "
            f"out of all but one of them."
        )
    return mark, contested, largest.id
