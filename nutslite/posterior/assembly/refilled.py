"""A model's numbers made of another model's, of the same formula and priors, whose rows alone are others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nutslite.families.record.censoring import kernel_rows
from nutslite.posterior.assembly.code_search import find_code_sets
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.layout import Layout
from nutslite.posterior.record.model_spec import ModelSpec


def refilled(spec: ModelSpec, like: Assembled) -> Assembled | None:
    """What `assemble` makes of `spec`; None where only that can.

    Rows give responses, columns and the means at which these are centred, and nothing else: where there is one linear
    predictor, of columns that are no levels and pay by no code, and where priors and family are the same objects.
    """
    data, design = like.data, spec.design
    if spec.priors is not like.spec.priors or spec.family is not like.spec.family or len(design.predictors) != 1:
        return None
    (predictor,) = design.predictors.values()
    parts = (data.blocks, data.codes.blocks, data.head.nodes.rows, data.weights)
    beside = predictor.group_terms or predictor.basis_terms or predictor.offset is not None
    if beside or design.weights is not None or any(part.size for part in parts):
        return None
    seen = kernel_rows(spec.family, design.response)
    spans = [(term.start, term.stop) for term in predictor.terms]
    if not seen.is_plain or find_code_sets(predictor.matrix, spans, sortable=True):
        return None
    n = design.n_rows
    means = np.where(predictor.intercept, predictor.matrix.mean(axis=1), 0.0)
    shifted = predictor.intercept and not spec.center_predictors
    head = data.head._replace(shift_weight=means) if shifted else data.head
    found = data._replace(
        y=seen.y,
        matrix=predictor.matrix - means[:, None],
        offsets=np.empty((0, n)),
        z=np.empty((0, n)),
        levels=np.empty((0, n), dtype=np.int32),
        segments=md.one_segment(n, len(data.predictors), seen.bounds_start),
        head=head,
    )
    variables = tuple(
        replace(variable, means=means) if variable.columns.size else variable for variable in like.layout.variables
    )
    layout = Layout(like.layout.dimension, like.layout.n_head, variables, like.layout.coords)
    return Assembled(spec, found, layout, like.inventory)
