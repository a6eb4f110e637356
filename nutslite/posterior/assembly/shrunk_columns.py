"""Common terms whose coefficients have hyperpriors: blocks of one level, centred as group effects are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.posterior.record.layout import HeadBuilder, Variable, named_arguments
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.priors.hyperparameters import is_shared
from nutslite.priors.prior import Prior


def shrunk_terms(predictor: LinearPredictor, priors: Mapping[str, Any]) -> list[CommonTerm]:
    """Common terms whose prior has hyperparameters."""
    return [term for term in predictor.terms if priors[term.name].hierarchical]


def without_terms(predictor: LinearPredictor, apart: Collection[CommonTerm]) -> LinearPredictor:
    """The predictor without some of its common terms and their columns; itself where there are none."""
    if not apart:
        return predictor
    kept = [term for term in predictor.terms if term not in apart]
    columns = [np.arange(term.start, term.stop) for term in kept]
    stops = np.cumsum([term.stop - term.start for term in kept]).tolist()
    terms = tuple(
        replace(term, start=stop - (term.stop - term.start), stop=stop) for term, stop in zip(kept, stops, strict=True)
    )
    chosen = np.concatenate([np.empty(0, dtype=np.intp), *columns])
    return replace(predictor, matrix=predictor.matrix[chosen], terms=terms)


def shrunk_columns(head: HeadBuilder, name: str, prior: Prior, columns: int, dims: tuple[str, ...]) -> list[list[int]]:
    """Rows of `ModelData.block_columns` for a term's coefficients, without the first field, references unresolved.

    A hyperprior whose own arguments are single numbers is of one number for all columns; else each column has its own.

    Parameters
    ----------
    head : HeadBuilder
        Gets the hyperparameters.
    name : str
        Of the coefficients in the results.
    prior : Prior
        With a location and a scale.
    columns : int
    dims : tuple of str
        Of the coefficients, without the dimension along a vector's rows.
    """
    density = prior.density
    references = []
    for key, value in named_arguments(prior):
        if isinstance(value, Prior) and is_shared(value):
            references.append(head.argument(name, key, value, 1, ()) * columns)
        else:
            references.append(head.argument(name, key, value, columns, dims))
    places = [-1 if place is None else place for place in (density.location, density.scale)]
    return [
        [density.code, *places, *[*(reference[column] for reference in references), -1, -1, -1, -1][:4]]
        for column in range(columns)
    ]


_COLUMNS = 1 << 20  # more than a block has: what tells blocks and columns in a reference to an effect


def has_weights(spec: ModelSpec) -> bool:
    """Whether there are blocks of one level beside groups."""
    return any(
        predictor.basis_terms or shrunk_terms(predictor, spec.priors.terms[name])
        for name, predictor in spec.design.predictors.items()
    )


def references_to_effects(terms: list[CommonTerm], predictor: LinearPredictor, first_block: int) -> dict[str, Any]:
    """Fields of an intercept: coefficients that are effects of blocks to come, and means of their columns."""
    places = [
        (first_block + b) * _COLUMNS + np.arange(term.stop - term.start, dtype=np.int64) for b, term in enumerate(terms)
    ]
    means = [predictor.matrix[term.start : term.stop].mean(axis=1) for term in terms]
    return {
        "effect_columns": np.concatenate([np.empty(0, dtype=np.int64), *places]),
        "effect_means": np.concatenate([np.empty(0), *means]),
    }


def with_effects(variable: Variable, starts: list[int]) -> Variable:
    """The variable with its references to effects resolved."""
    if not variable.effect_columns.size:
        return variable
    blocks, columns = np.divmod(variable.effect_columns, _COLUMNS)
    return replace(variable, effect_columns=np.asarray(starts, dtype=np.int64)[blocks] + columns)
