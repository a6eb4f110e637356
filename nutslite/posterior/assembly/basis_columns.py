"""Weights of special terms as columns of a block of one level: their prior, and where their scales come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from nutslite.formula.records import BasisTerm
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.posterior.record.node_table import EXP_QUAD, MATERN32, MATERN52, PRODUCT
from nutslite.priors.defaults import PriorSet
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.prior import Prior

LOCATION, SCALE = 0, 1  # of a normal density's arguments


def basis_columns(head: HeadBuilder, term: BasisTerm, parameter: str, priors: PriorSet) -> list[list[int]]:
    """Rows of `ModelData.block_columns` for a term's weights, without the first field, references unresolved.

    Parameters
    ----------
    head : HeadBuilder
        Gets the hyperparameters.
    term : BasisTerm
    parameter : str
        Whose linear predictor has the term.
    priors : PriorSet
        Which has each hyperparameter by its full name without the prefix.
    """
    references = {}
    for quantity in term.hyperparameters:
        prior = priors.terms[parameter][term.full(quantity)]
        if isinstance(prior, Prior):
            name = head.inventory.name_of(parameter, term.name, quantity.name)
            references[quantity.name] = int(head.add(name, prior, length=1, dims=())[0])
        else:
            references[quantity.name] = head.constant(prior)
    zero, chosen = head.constant(0.0), priors.chosen.get(parameter, frozenset())
    scales = SCALES[term.kind.scales](head, term, references, chosen)
    return [[NORMAL, LOCATION, SCALE, zero, scale, -1, -1] for scale in scales]


def _shared(_: HeadBuilder, term: BasisTerm, references: Mapping[str, int], chosen: Collection[str]) -> list[int]:
    """One scale for all columns: the only hyperparameter."""
    (scale,) = references.values()
    return [scale] * term.matrix.shape[0]


def _spectral(head: HeadBuilder, term: BasisTerm, references: Mapping[str, int], chosen: Collection[str]) -> list[int]:
    """Roots of a spectral density at the frequencies of the columns.

    The length scale is in units of the range of the data where the formula says so, or where it says nothing and the
    prior of the length scale is the default.
    """
    own, length = term.constants, references["ell"]
    names = {quantity.name: term.full(quantity) for quantity in term.hyperparameters}
    if own["scale"] if own["scale"] is not None else names["ell"] not in chosen:
        (length,) = head.derive(PRODUCT, [length, head.constant(own["range"])], 1)
    frequencies = [head.constant(frequency) for frequency in own["frequencies"]]
    operation = {"ExpQuad": EXP_QUAD, "Matern32": MATERN32, "Matern52": MATERN52}[own["covariance"]]
    return head.derive(operation, [references["sigma"], length, *frequencies], len(frequencies))


SCALES: dict[str, Callable[[HeadBuilder, BasisTerm, Mapping[str, int], Collection[str]], list[int]]] = {
    "shared": _shared,
    "spectral": _spectral,
}
"""By `TermKind.scales`: from the head, a term, references to its hyperparameters and the full names of those whose
priors the user chose, references to the scale of each column. New rules have a line here."""
