"""Whether a run's draws will do, or would if there were more of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nutslite.posterior.methods.fit import Fit
from nutslite.results.diagnostics.measured import Measured, measured
from nutslite.results.diagnostics.report import vanished
from nutslite.results.fit import spread_of


@dataclass(frozen=True)
class Verdict:
    """What the draws of a run are worth, by the limits that its report has, too.

    Attributes
    ----------
    measured : Measured
    divergences : int
        After warm-up.
    hopeless : str
        Why no number of draws would do; empty where some would.
    """

    measured: Measured
    divergences: int
    hopeless: str

    @property
    def converged(self) -> bool:
        """Whether nothing diverged, and no R-hat and no effective size is beyond its limit."""
        return not (self.divergences or self.hopeless or self.measured.is_short)

    @property
    def in_words(self) -> str:
        """``R-hat at most 1.006, effective sizes at least 812``, with divergences where there are any."""
        if not self.divergences:
            return self.measured.in_words
        return f"{self.measured.in_words}, {self.divergences} divergence{'s' if self.divergences > 1 else ''}"


def verdict_on(fit: Fit) -> Verdict:
    """Judge the draws of a run, of all quantities that its results hold."""
    assembled = fit.plan.assembled
    posterior = assembled.layout.unpack(fit.values, fit.effects)
    found = measured(posterior)
    hopeless = ""
    if vanished(posterior.get("sigma"), spread_of(assembled)):
        hopeless = "sigma nears 0"
    elif not found.finite.all():
        hopeless = "some draws are infinite or not a number"
    return Verdict(found, int(np.sum(fit.stats.get("diverging", 0))), hopeless)
