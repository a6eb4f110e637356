"""Everything that determines a posterior, before there are numbers for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nutslite.engines.elsewhere import Elsewhere
from nutslite.families.record.family import Family
from nutslite.formula.design import Design
from nutslite.posterior.record.potential import Potential
from nutslite.priors.defaults import PriorSet


@dataclass(frozen=True)
class ModelSpec:
    """Everything that determines a posterior, still in the words of the user's model.

    Attributes
    ----------
    design, family : the data and the likelihood
    links : dict
        Link name of every distributional parameter.
    priors : PriorSet
        A prior for every term and every constant parameter (or a fixed number for the latter).
    center_predictors : bool
        Whether intercept priors refer to centred predictors. Sampling always uses centred ones.
    correlations : dict
        Shape of the LKJ prior by name of grouping factor; factors left out have independent effects.
    noncentered : dict
        By term name (prefixed): whether to start from the non-centred parametrisation. The pilot may choose better.
    potentials : tuple of Potential
        Terms that the user adds to the log density.
    elsewhere : Elsewhere or None
        Where the rows are, if not in memory: `design` then stands for them.
    """

    design: Design
    family: Family
    links: Mapping[str, str]
    priors: PriorSet
    center_predictors: bool = True
    correlations: Mapping[str, float] = field(default_factory=dict)
    noncentered: Mapping[str, bool] = field(default_factory=dict)
    potentials: tuple[Potential, ...] = ()
    elsewhere: Elsewhere | None = None

    @property
    def n_rows(self) -> int:
        """Rows of the user's data in use."""
        return self.design.n_rows if self.elsewhere is None else self.elsewhere.n_rows

    @property
    def summary(self) -> Design:
        """The design that default priors are made of."""
        return self.design if self.elsewhere is None else self.elsewhere.summary
