"""Specifications of models that differ in their rows alone, without reading what is the same once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import heard
from nutslite.model.record.same_columns import SameColumns
from nutslite.model.record.specification import Specification
from nutslite.model.record.specify import ArgumentsRead, specified
from nutslite.priors.prior import Prior
from nutslite.priors.shrinkage import shrinkage_kind


@dataclass(frozen=True, eq=False)
class Alike:
    """What makes the specification of further rows.

    Attributes
    ----------
    read : ArgumentsRead
    first : Specification
        Made of the same arguments and of some rows.
    columns : SameColumns
    same_priors : bool
        Whether the user gave all priors, so that none is scaled by rows.
    """

    read: ArgumentsRead
    first: Specification
    columns: SameColumns
    same_priors: bool

    @classmethod
    def of(cls, first: Specification) -> Alike | None:
        """What serves models like this one; None where only `specify` can.

        It serves formulas whose factors are columns of numbers by themselves, in data that hold nothing else, and
        priors that are no more than distributions of single coefficients. Neither engines nor potentials are served.
        """
        spec = first.spec
        priors = [prior for own in spec.priors.terms.values() for prior in own.values()]
        plain = all(isinstance(prior, Prior) and shrinkage_kind(prior) is None for prior in priors)
        if spec.elsewhere is not None or spec.potentials or first.arguments.automatic_priors != "default" or not plain:
            return None
        columns = SameColumns.of(spec.design)
        if columns is None or set(first.data.columns) != set(spec.design.used_columns):
            return None
        read = ArgumentsRead.of(first.arguments)
        with heard():  # once more, so that all have the same family, and again, to see which priors differ
            like = specified(read, first.data, first.used, spec.design)
            again = specified(read, first.data, first.used, spec.design, like=like)
        by_rows = any(item.below_responses for item in spec.family.auxiliary)
        return cls(read, like, columns, again.posterior.like is not None and not by_rows)

    def specification(self, frame: pd.DataFrame, arrays: Mapping[str, NDArray[Any]]) -> Specification | None:
        """What `specify` makes of these rows, whose numbers are in `arrays`, too; None where it has to.

        Raises
        ------
        NutsliteError
            As for `Model`.
        """
        design = self.columns.rows(frame, arrays)
        if design is None:
            return None
        return specified(self.read, frame, frame, design, like=self.first, same_priors=self.same_priors)
