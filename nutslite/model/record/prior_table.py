"""All priors of a model as a table."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from nutslite.model.record.components import INTERCEPT, ConditionalParameter, Parameter, list_parameters
from nutslite.model.record.specification import Specification

AUTOMATIC, GIVEN = "automatic", "given"


def prior_table(specification: Specification) -> pd.DataFrame:
    """One row for each prior; see `nutslite.Model.prior_table`."""
    spec = specification.spec
    rows = []
    for name, parameter in list_parameters(spec, {}).items():
        chosen = spec.priors.chosen.get(name, frozenset())
        for term, kind, prior in _priors(parameter):
            source = GIVEN if (term or name) in chosen else AUTOMATIC
            rows.append((name, term, kind, str(prior), source))
    own = specification.arguments.priors_cor or {}
    for factor, eta in spec.correlations.items():
        rows.append(("", factor, "correlations", f"LKJ(eta: {eta:g})", GIVEN if factor in own else AUTOMATIC))
    return pd.DataFrame(rows, columns=["parameter", "term", "kind", "prior", "source"])


def _priors(parameter: Parameter) -> Iterator[tuple[str, str, object]]:
    """Name, kind and prior of each term, or of the parameter itself where it has no formula."""
    if not isinstance(parameter, ConditionalParameter):
        yield "", "parameter", parameter.prior
        return
    for name, term in parameter.terms.items():
        yield name, "intercept" if name == INTERCEPT else "group-specific" if term.groups else "common", term.prior
