"""Are these draws from that posterior? Differences of moments and quantiles against what Monte Carlo error allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from reference_values import Target

from nutslite.results.diagnostics import diagnostics

FloatArray = NDArray[np.float64]

ERRORS = 3.0  # Monte Carlo standard errors (ours and the reference's together) that are always allowed
MARGINS = {"mean": 0.03, "sd": 0.03, "q5": 0.05, "q95": 0.05}  # allowed on top, in posterior sds
QUANTILES = {"q5": 0.05, "q95": 0.95}
# What a normal approximation at the mode shows of a posterior with skewness g: the mean is g / 2 sds from the mode, the
# quantiles are another 0.28 g away (Cornish and Fisher), the sd is about g^2 / 8 too small, or more where other
# parameters' scales were held too close. Skewness 1/2 and 1, and 0.2 and 0.4 for the sd:
LAPLACE_MARGINS = {"mean": 0.25, "sd": 0.2, "q5": 0.4, "q95": 0.4}
LAPLACE_MARGINS_OF_SKEWED = {"mean": 0.5, "sd": 0.4, "q5": 0.8, "q95": 0.8}
SKEWED = re.compile(r"\|.*(_sigma|_corr\[.*\])$|^expected response")
ELPD_MARGIN = 0.05
ELPD_MARGIN_BAD_PARETO = 0.3  # with Pareto k above 0.7 both scores are biased, by a few tenths


@dataclass(frozen=True)
class Difference:
    """One number of ours beside the reference's.

    Attributes
    ----------
    quantity, statistic : str
    ours, theirs : float
    error : float
        Monte Carlo standard error of the difference.
    allowed : float
    """

    quantity: str
    statistic: str
    ours: float
    theirs: float
    error: float
    allowed: float

    @property
    def share(self) -> float:
        """Size of the difference in units of what is allowed: above 1 it fails."""
        return abs(self.ours - self.theirs) / self.allowed

    @property
    def z(self) -> float:
        """Size of the difference in standard errors."""
        return abs(self.ours - self.theirs) / self.error

    @property
    def agrees(self) -> bool:
        """Whether the difference is within what is allowed; false for nan."""
        return bool(self.share <= 1.0)

    def __str__(self) -> str:
        return f"{self.statistic} of {self.quantity}: {self.ours:.6g} against {self.theirs:.6g}"


def exact_margins(name: str) -> Mapping[str, float]:
    """What is allowed of draws from the posterior itself."""
    return MARGINS


def laplace_margins(name: str) -> Mapping[str, float]:
    """What is allowed of a normal approximation: more for scales of group effects and expected responses."""
    return LAPLACE_MARGINS_OF_SKEWED if SKEWED.search(name) else LAPLACE_MARGINS


def compare(
    draws: Mapping[str, FloatArray],
    targets: Mapping[str, Target],
    margins_of: Callable[[str], Mapping[str, float]] = exact_margins,
) -> list[Difference]:
    """All differences between draws and reference.

    Parameters
    ----------
    draws : mapping of ndarray, shape (chains, draws)
        By name; every target's name must be there.
    targets : mapping of Target
    margins_of : callable
        Margins by statistic, in posterior sds, for a quantity's name.
    """
    stacked = np.stack([draws[name] for name in targets], axis=-1)
    ours = _statistics(stacked)
    own_errors = _errors(stacked)
    per_error = _relative_errors(stacked, ours)
    found = []
    for k, (name, target) in enumerate(targets.items()):
        for statistic, margin in margins_of(name).items():
            theirs = getattr(target, statistic)
            if theirs is None:
                continue
            error = float(np.hypot(own_errors[statistic][k], target.error * per_error[statistic][k]))
            allowed = margin * target.sd + ERRORS * error
            found.append(Difference(name, statistic, float(ours[statistic][k]), theirs, error, allowed))
    return found


def compare_elpd(ours: float, error: float, theirs: float, bad_pareto: int) -> Difference:
    """The leave-one-out score beside the reference's; `error` is that of the difference."""
    margin = ELPD_MARGIN_BAD_PARETO if bad_pareto else ELPD_MARGIN
    return Difference("elpd_loo", "value", ours, theirs, error, margin + ERRORS * error)


def _statistics(draws: FloatArray) -> dict[str, FloatArray]:
    flat = draws.reshape(-1, draws.shape[-1])
    return {
        "mean": flat.mean(axis=0),
        "sd": flat.std(axis=0, ddof=1),
        **{name: np.quantile(flat, p, axis=0) for name, p in QUANTILES.items()},
    }


def _errors(draws: FloatArray) -> dict[str, FloatArray]:
    return {
        "mean": diagnostics.mcse_mean(draws),
        "sd": diagnostics.mcse_sd(draws),
        **{name: diagnostics.mcse_quantile(draws, p) for name, p in QUANTILES.items()},
    }


def _relative_errors(draws: FloatArray, ours: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Error of each statistic over that of the mean, for independent draws from this posterior.

    References give the error of the mean only. The sd's follows from the kurtosis, a quantile's from the density
    there, both taken from our draws.
    """
    flat = draws.reshape(-1, draws.shape[-1])
    kurtosis = (((flat - ours["mean"]) / ours["sd"]) ** 4).mean(axis=0)
    ratios = {"mean": np.ones(flat.shape[1]), "sd": np.sqrt((kurtosis - 1) / 4)}
    for name, p in QUANTILES.items():
        low, high = np.quantile(flat, [p - 0.01, p + 0.01], axis=0)
        ratios[name] = np.sqrt(p * (1 - p)) * (high - low) / 0.02 / ours["sd"]
    return ratios
