"""Exact Gaussian processes: a column for each place, whose coefficient is the process's value there, derived."""

from __future__ import annotations

from nutslite.formula.records import BasisTerm
from nutslite.posterior.assembly.basis_columns import hyperparameter_places
from nutslite.posterior.nodes.process import EXP_QUAD, EXPONENTIAL, MATERN32, MATERN52
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.posterior.record.node_table import PROCESS
from nutslite.priors.defaults import PriorSet

CODES = {"ExpQuad": EXP_QUAD, "Exponential": EXPONENTIAL, "Matern32": MATERN32, "Matern52": MATERN52}


def process_values(head: HeadBuilder, term: BasisTerm, parameter: str, priors: PriorSet) -> list[int]:
    """References to the values at the places; `head` gets sigma, length scales and standard normals.

    Parameters
    ----------
    head : HeadBuilder
    term : BasisTerm
        With a quantity of the role ``"standard"``.
    parameter : str
        Whose linear predictor has the term.
    priors : PriorSet
    """
    references = hyperparameter_places(head, term, parameter, priors)
    places = term.constants["places"]
    lengths = references["ell"] * (places.shape[1] if term.constants["iso"] else 1)
    code = head.constant(CODES[term.constants["covariance"]])
    coordinates = [head.constant(coordinate) for coordinate in places.ravel()]
    inputs = [references["sigma"][0], *lengths, *references["z"], code, *coordinates]
    return head.derive(PROCESS, inputs, len(places))
