"""Default priors of gaps between quantiles, whose formulas are on the log link.

A gap of z standard deviations in a normal distribution is thought to be about ``d = z s_y``, s_y the response's
standard deviation, give or take a factor of e: its intercept has Normal(log(d), sqrt(1 + sum over columns of (sigma_j
mean(x_j))^2)), a column's coefficient Normal(0, 1 / sd(x)), group effects HalfNormal(1) and HalfNormal(1 / sd(x)). A
gap without a formula has HalfStudentT(4, d).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nutslite.formula.records import CommonTerm, GroupTerm
from nutslite.priors.defaults import DefaultScaling, factor_of, sd_of_column
from nutslite.priors.prior import Prior
from nutslite.priors.scales import Scale
from nutslite.priors.user_priors import Choice

FloatArray = NDArray[np.float64]


class GapScaling:
    """The rule, as a `nutslite.priors.defaults.Scaling`.

    Parameters
    ----------
    spread : float
        Standard deviations in a normal distribution.
    response : DefaultScaling
        Of the response.
    """

    def __init__(self, spread: float, response: DefaultScaling) -> None:
        self.size = spread * response.sd

    def constant(self) -> Prior:
        """The prior of a gap without a formula."""
        return Prior("HalfStudentT", nu=4.0, sigma=self.size)

    def slopes(self, term: CommonTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
        """See `Scaling`."""
        return _slopes(term, columns, choices)

    def intercept(self, widening: float, choice: Scale | None) -> tuple[float, float]:
        """See `Scaling`."""
        return math.log(self.size), math.sqrt(1.0 + widening) * factor_of(choice)

    def group_intercepts(self, widening: float, choice: Scale | None) -> float:
        """See `Scaling`."""
        return factor_of(choice)

    def group_slopes(self, term: GroupTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
        """See `Scaling`."""
        return _slopes(term, columns, choices)


def _slopes(term: CommonTerm | GroupTerm, columns: FloatArray, choices: Sequence[Choice | None]) -> FloatArray:
    return np.array(
        [
            1.0 if isinstance(choice, Prior) else factor_of(choice) / sd_of_column(term, columns, c)
            for c, choice in enumerate(choices)
        ]
    )
