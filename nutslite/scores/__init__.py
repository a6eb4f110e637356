"""Scores of predictions: how good a probabilistic prediction is, whoever made it.

>>> from nutslite import scores
>>> scores.crps_gaussian([0.0, 0.3], 0.0, 1.0).round(4)
array([0.2337, 0.2693])

Every score is a loss: lower is better. Functions take the observations first and give one number a row; means over
rows, standard errors and reports are made of these. `Prediction` is one face for predictions of every kind: draws,
parameters of distributions, mixtures, quantiles, intervals, probabilities. Nothing here knows of models or results.

Names load on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# The public names in reading order, each with the file of this room that it lives in.
_HOMES: dict[str, str] = {
    "Prediction": "kinds.prediction",
    # from draws or quantiles
    "crps": "pointwise.crps",
    "scaled_crps": "pointwise.crps",
    "crps_from_quantiles": "pointwise.quantile",
    "pinball": "pointwise.quantile",
    "interval_score": "pointwise.quantile",
    "wis": "pointwise.quantile",
    "wis_parts": "pointwise.quantile",
    "crosses": "pointwise.quantile",
    "coverage": "pointwise.interval",
    "width": "pointwise.interval",
    # from log densities
    "nll": "pointwise.log_score",
    "nll_error": "pointwise.log_score",
    "joint_nll": "pointwise.log_score",
    "leave_one_out": "importance",
    # of classes
    "log_loss": "pointwise.classes",
    "brier": "pointwise.classes",
    "rps": "pointwise.classes",
    "entropy_split": "pointwise.classes",
    "dirichlet_entropy_split": "pointwise.classes",
    # of several rows at once
    "energy_score": "pointwise.joint",
    "variogram_score": "pointwise.joint",
    "dss": "pointwise.joint",
    # of numbers
    "squared_error": "pointwise.errors",
    "absolute_error": "pointwise.errors",
    # pictures
    "plot_pit": "pictures.pit",
    "plot_pit_histogram": "pictures.pit",
    "plot_coverage": "pictures.coverage",
    "plot_reliability": "pictures.reliability",
    "plot_fan": "pictures.fan",
    "plot_sharpness": "pictures.sharpness",
    "plot_scores": "pictures.running_mean",
    # closed forms
    "crps_gaussian": "pointwise.closed_forms",
    "crps_t": "pointwise.closed_forms",
    "crps_lognormal": "pointwise.closed_forms",
    "crps_gamma": "pointwise.closed_forms",
    "crps_weibull": "pointwise.closed_forms",
    "crps_wald": "pointwise.closed_forms",
    "crps_exponential": "pointwise.closed_forms",
    "crps_beta": "pointwise.closed_forms",
    "crps_uniform": "pointwise.closed_forms",
    "crps_skew_normal": "pointwise.closed_forms",
    "crps_exgaussian": "pointwise.closed_forms",
    "crps_shifted_lognormal": "pointwise.closed_forms",
    "crps_zero_one_inflated_beta": "pointwise.closed_forms",
    "crps_ordered_beta": "pointwise.closed_forms",
    "crps_hurdle_gamma": "pointwise.closed_forms",
    "crps_hurdle_lognormal": "pointwise.closed_forms",
    "crps_laplace": "pointwise.closed_forms",
    "crps_asymmetriclaplace": "pointwise.closed_forms",
    "crps_elf": "pointwise.closed_forms",
    "crps_logistic": "pointwise.closed_forms",
    "crps_poisson": "pointwise.closed_forms",
    "crps_negativebinomial": "pointwise.closed_forms",
    "crps_discrete_weibull": "pointwise.closed_forms",
    "crps_zero_inflated_poisson": "pointwise.closed_forms",
    "crps_zero_inflated_negativebinomial": "pointwise.closed_forms",
    "crps_zero_inflated_binomial": "pointwise.closed_forms",
    "crps_hurdle_poisson": "pointwise.closed_forms",
    "crps_hurdle_negativebinomial": "pointwise.closed_forms",
    "crps_binomial": "pointwise.closed_forms",
    "crps_bernoulli": "pointwise.closed_forms",
    # is it calibrated?
    "pit": "calibration.pit",
    "pit_from_cdf": "calibration.pit",
    "pit_from_draws": "calibration.pit",
    "mid_pit": "calibration.pit",
    "pit_histogram": "calibration.pit",
    "uniformity_test": "calibration.uniformity",
    "coverage_interval": "calibration.coverage",
    "randomised_coverage": "calibration.coverage",
    "coverage_by": "calibration.coverage",
    "coverage_by_size": "calibration.coverage",
    "group_sizes": "calibration.coverage",
    "coverage_band": "calibration.coverage",
    "calibration_error": "calibration.calibration_error",
    "debiased_error": "calibration.calibration_error",
    "debiased_l1_error": "calibration.calibration_error",
    "confidence_error": "calibration.calibration_error",
    "top_label_error": "calibration.calibration_error",
    "classwise_error": "calibration.calibration_error",
    "smooth_ece": "calibration.smooth",
    "recalibrated": "calibration.reliability",
    "decompose": "calibration.reliability",
    "decompose_binned": "calibration.reliability",
    "reliability": "calibration.reliability",
    "spiegelhalter": "calibration.spiegelhalter",
    # how sure is a score, and what would a right forecast get?
    "mean_with_error": "sampling_error.standard_errors",
    "difference_with_error": "sampling_error.standard_errors",
    "root_mean_with_error": "sampling_error.standard_errors",
    "share_with_error": "sampling_error.standard_errors",
    "bootstrapped": "sampling_error.standard_errors",
    "expected_range": "sampling_error.expected",
    # intervals that cover, whatever made them
    "conformalize": "calibration.conformal",
    "conformal_margins": "calibration.conformal",
    # everything in one table; several forecasts
    "evaluate": "evaluation",
    "Report": "reports.report",
    "as_scorer": "scorer",
    "Scorer": "scorer",
    "compare": "comparing",
    "Comparison": "comparing",
    "stack": "stacking",
    "Stacked": "stacking",
}

__all__ = list(_HOMES)

_ALSO = {"crps_normal": "crps_gaussian"}  # other names of the same


def __getattr__(name: str) -> Any:
    """Load a public name from its file the first time it is asked for."""
    name = _ALSO.get(name, name)
    if name not in _HOMES:
        from nutslite.exceptions import did_you_mean

        raise AttributeError(f"module 'nutslite.scores' has no attribute '{name}'.{did_you_mean(name, _HOMES)}")
    value = getattr(import_module(f"nutslite.scores.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
