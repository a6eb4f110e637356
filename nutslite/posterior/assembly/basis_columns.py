"""Weights of special terms as columns of a block of one level: their prior, and where their scales come from.

Terms without columns say what the scales of groups' effects depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nutslite.formula.records import BasisTerm
from nutslite.formula.terms.level_sds import LEVEL_SDS
from nutslite.posterior.record.layout import HeadBuilder
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.node_table import EXP_QUAD, LEVEL_FACTORS, MATERN32, MATERN52, PERIODIC, PRODUCT
from nutslite.priors.defaults import PriorSet
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.prior import Prior

LOCATION, SCALE = 0, 1  # of a normal density's arguments

References = Mapping[str, Sequence[int]]


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
    references = hyperparameter_places(head, term, parameter, priors)
    zero = head.constant(0.0)
    scales = SCALES[term.kind.scales](head, term, references)
    return [[NORMAL, LOCATION, SCALE, zero, scale, -1, -1] for scale in scales]


def hyperparameter_places(head: HeadBuilder, term: BasisTerm, parameter: str, priors: PriorSet) -> dict[str, list[int]]:
    """Add a term's hyperparameters to the head: by name, references to their elements."""
    references: dict[str, list[int]] = {}
    for quantity in term.hyperparameters:
        prior = priors.terms[parameter][term.full(quantity)]
        if isinstance(prior, Prior):
            name = head.inventory.name_of(parameter, term.name, quantity.name)
            dims = head.inventory.dims[name][len(head.inventory.dims[name]) - len(quantity.shape) :]
            places = head.add(name, prior, length=quantity.size, dims=dims)
            if len(quantity.shape) > 1:
                head.variables[-1] = replace(head.variables[-1], index=places.reshape(quantity.shape))
            references[quantity.name] = [int(place) for place in places]
        else:
            numbers = np.broadcast_to(np.asarray(prior, dtype=float), quantity.size)
            references[quantity.name] = [head.constant(number) for number in numbers]
    return references


def level_factors(head: HeadBuilder, spec: ModelSpec, parameter: str) -> dict[str, int]:
    """By grouping factor whose levels' standard deviations are explained, a reference to the factor of the first level.

    Those of the others follow. `head` gets the coefficients.
    """
    found = {}
    for term in spec.design.predictors[parameter].basis_terms:
        sds = spec.design.factors[term.name].sds if term.kind is LEVEL_SDS else None
        if sds is not None:
            places = hyperparameter_places(head, term, parameter, spec.priors)
            gammas = [place for quantity in sds.quantities for place in places[quantity.name]]
            known = sds.columns[:, : len(spec.design.factors[term.name].levels)]
            constants = {number: head.constant(number) for number in np.unique(known)}
            inputs = [constants[number] for number in known.T.ravel()]
            found[term.name] = head.derive(LEVEL_FACTORS, [*gammas, *inputs], known.shape[1])[0]
    return found


def _shared(_: HeadBuilder, term: BasisTerm, references: References) -> list[int]:
    """Elements of the only hyperparameter: the first for all columns, or that which the term says for each."""
    (scales,) = references.values()
    return [scales[element] for element in term.constants.get("scale_of", [0] * term.matrix.shape[0])]


def _spectral(head: HeadBuilder, term: BasisTerm, references: References) -> list[int]:
    """Roots of a spectral density at the frequencies of the columns.

    Frequencies have the shape (groups, functions, columns of data); columns of the term are in the order (functions,
    groups). Groups may have their own sigma and length scale, or share one; a length scale may be of all columns.
    """
    own = term.constants
    frequencies, covariance = own["frequencies"], own["covariance"]
    found: dict[tuple[Any, ...], list[int]] = {}
    by_group = []
    for group, each in enumerate(frequencies):
        sigma = references["sigma"][group % len(references["sigma"])]
        lengths = _lengths(references["ell"], group, own)
        key = (sigma, *lengths, each.tobytes())
        if key not in found:
            scaled = [
                length if unit == 1.0 else head.derive(PRODUCT, [length, head.constant(unit)], 1)[0]
                for length, unit in zip(lengths, own["units"], strict=True)
            ]
            if covariance == "Periodic":
                orders = [int(order) for order in each[:, 0]]
                roots = head.derive(PERIODIC, [sigma, *scaled], max(orders) + 1)
                found[key] = [roots[order] for order in orders]
            else:
                inputs = [head.constant(frequency) for frequency in each.ravel()]
                found[key] = head.derive(SPECTRAL[covariance], [sigma, *scaled, *inputs], len(each))
        by_group.append(found[key])
    return [scales[function] for function in range(frequencies.shape[1]) for scales in by_group]


def _lengths(references: Sequence[int], group: int, own: Mapping[str, Any]) -> list[int]:
    """The length scale of each column of data in one group."""
    columns = len(own["units"])
    per_group = 1 if own["iso"] else columns
    first = (group * per_group) % len(references)
    return [references[first + (0 if own["iso"] else column)] for column in range(columns)]


SPECTRAL = {"ExpQuad": EXP_QUAD, "Matern32": MATERN32, "Matern52": MATERN52}

SCALES: dict[str, Callable[[HeadBuilder, BasisTerm, References], list[int]]] = {
    "shared": _shared,
    "spectral": _spectral,
}
"""By `TermKind.scales`: from the head, a term and references to its hyperparameters, one for each element, references
to the scale of each column. New rules have a line here."""
