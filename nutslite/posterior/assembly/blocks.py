"""Blocks of effects while a model is assembled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nutslite.formula.records import BasisTerm, CommonTerm, GroupTerm


@dataclass
class Block:
    """A group block while it is being assembled: columns of one factor in one predictor.

    A term of a special kind is a block of one level, without a factor, whose columns are those of its weights. So is a
    common term whose coefficients have hyperpriors.
    """

    predictor: int
    factor: str | None
    terms: list[GroupTerm]
    basis: BasisTerm | None = None
    shrunk: CommonTerm | None = None
    correlation: int = -1
    eta: int = -1
    rows: list[list[int]] = field(default_factory=list)  # as in ModelData.block_columns, with unresolved references

    @property
    def columns(self) -> int:
        """Number of effects per level."""
        if self.shrunk is not None:
            return self.shrunk.stop - self.shrunk.start
        return sum(term.columns for term in self.terms) if self.basis is None else self.basis.matrix.shape[0]


def blocks_of(terms: tuple[GroupTerm, ...], correlations: Mapping[str, float]) -> list[list[GroupTerm]]:
    """Terms that share a block: all of one factor and one correlation mark; independent ones of a factor together."""
    blocks: dict[tuple[str, str | None], list[GroupTerm]] = {}
    for term in terms:
        mark = term.correlated if term.factor in correlations else None
        blocks.setdefault((term.factor, mark), []).append(term)
    return list(blocks.values())
