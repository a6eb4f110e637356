"""The kinds of terms by the names that formulas have for them. A new kind has a line here."""

from __future__ import annotations

from nutslite.formula.terms import gp, hsgp, monotonic, smooth, tensor
from nutslite.formula.terms.kinds import TermKind

KINDS: dict[str, TermKind] = {
    name: kind for kind in (smooth.SMOOTH, tensor.TENSOR, hsgp.HSGP, gp.GP, monotonic.MONOTONIC) for name in kind.names
}
