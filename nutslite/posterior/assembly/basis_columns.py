"""Weights of special terms as columns of a block of one level: their prior, and where their scales come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nutslite.formula.records import BasisTerm
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.prior import Prior

LOCATION, SCALE = 0, 1  # of a normal density's arguments


def basis_columns(head: HeadBuilder, term: BasisTerm, parameter: str, priors: Mapping[str, Any]) -> list[list[int]]:
    """Rows of `ModelData.block_columns` for a term's weights, without the first field, references unresolved.

    Parameters
    ----------
    head : HeadBuilder
        Gets the hyperparameters.
    term : BasisTerm
    parameter : str
        Whose linear predictor has the term.
    priors : mapping
        Of each hyperparameter, by its full name without the prefix: a prior, or a number.
    """
    references = {}
    for quantity in term.hyperparameters:
        prior = priors[term.full(quantity)]
        if isinstance(prior, Prior):
            name = head.inventory.name_of(parameter, term.name, quantity.name)
            references[quantity.name] = int(head.add(name, prior, length=1, dims=())[0])
        else:
            references[quantity.name] = head.constant(prior)
    zero = head.constant(0.0)
    return [
        [NORMAL, LOCATION, SCALE, zero, scale, -1, -1] for scale in SCALES[term.kind.scales](head, term, references)
    ]


def _shared(head: HeadBuilder, term: BasisTerm, references: Mapping[str, int]) -> list[int]:
    """One scale for all columns: the only hyperparameter."""
    (scale,) = references.values()
    return [scale] * term.matrix.shape[0]


SCALES: dict[str, Callable[[HeadBuilder, BasisTerm, Mapping[str, int]], list[int]]] = {"shared": _shared}
"""By `TermKind.scales`, references to the scale of each column of a term; new ones have a line here."""
