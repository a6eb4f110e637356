"""What a report measures of probabilities: of one event, or of several classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.calibration.calibration_error import (
    calibration_error,
    classwise_error,
    confidence_error,
    top_label_error,
)
from nutslite.scores.calibration.reliability import decompose
from nutslite.scores.calibration.smooth import fixed_width
from nutslite.scores.calibration.spiegelhalter import spiegelhalter
from nutslite.scores.pointwise.classes import brier
from nutslite.scores.reports.answers import Answers
from nutslite.scores.reports.group_measures import between_groups, farthest_group
from nutslite.scores.reports.measure import Measure, Number

FloatArray = NDArray[np.float64]

EXACT_ROWS = 500  # beyond, the smooth error is computed on its grid, in simulations as in the estimate


def of_events(groups: NDArray[np.int64] | None = None) -> list[Measure]:
    """Of the probability of an event: scores, what they consist of, calibration errors; the error rate last.

    Parameters
    ----------
    groups : ndarray of int, optional
        Codes of the groups that rows fall together in.
    """

    def smooth(a: Answers, w: FloatArray) -> float:
        p = a.asked.probabilities
        return fixed_width((a.y - p) * w, p, a.y.size > EXACT_ROWS, quick=not a.exact)

    def wrong(a: Answers) -> FloatArray:
        return np.asarray((a.asked.probabilities >= 0.5) != (a.y == 1.0), dtype=np.float64)

    return [
        Measure("log_loss", "lower", rows=lambda a: a.nll),
        Measure("brier", "lower", rows=lambda a: brier(a.y, a.asked.probabilities)),
        Measure("miscalibration", "lower", number=_part("miscalibration"), note="part of the Brier score"),
        Measure("discrimination", "higher", number=_part("discrimination"), note="part of the Brier score"),
        Measure(
            "ece",
            "lower",
            number=lambda a, w: calibration_error(a.y, a.asked.probabilities, weights=w),
            note="expected calibration error, 15 bins of equal width",
        ),
        Measure("smooth_ece", "lower", number=smooth, note="without bins"),
        Measure(
            "spiegelhalter_z",
            "near 0",
            number=lambda a, w: spiegelhalter(a.y, a.asked.probabilities)[0],
            bare=True,
            note="about normal if calibrated; above: probabilities are too extreme; without weights",
        ),
        *_of_groups(groups),
        Measure("bias", "near 0", rows=lambda a: a.y - a.asked.probabilities, note="share of events less probability"),
        Measure("error_rate", "lower", rows=wrong, share=True),
    ]


def _part(name: str) -> Number:
    return lambda a, w: float(getattr(decompose(a.y, a.asked.probabilities, "brier", weights=w), name))


def _of_groups(groups: NDArray[np.int64] | None) -> list[Measure]:
    """Whether rows of a group are off together."""
    if groups is None or int(groups.max()) < 1:
        return []

    def parts(a: Answers) -> tuple[FloatArray, FloatArray]:
        p = a.asked.probabilities
        came = a.y if p.ndim == 1 else a.y[:, None] == np.arange(p.shape[1])
        return np.asarray(came - p), p * (1.0 - p)

    return [
        Measure(
            "residuals_between_groups",
            "near 1",
            number=lambda a, w: between_groups(*parts(a), w, groups),
            note="above: rows of a group are off together",
        ),
        Measure(
            "residuals_farthest_group",
            "lower",
            number=lambda a, w: farthest_group(*parts(a), w, groups),
            bare=True,
            note="largest sum over a group's rows, in standard deviations of independent ones",
        ),
    ]


def of_classes(groups: NDArray[np.int64] | None = None) -> list[Measure]:
    """Of the probabilities of several classes, three calibration errors among them; groups as for `of_events`."""

    def wrong(a: Answers) -> FloatArray:
        return np.asarray(a.asked.probabilities.argmax(axis=1) != a.y, dtype=np.float64)

    return [
        Measure("log_loss", "lower", rows=lambda a: a.nll),
        Measure("brier", "lower", rows=lambda a: brier(a.y, a.asked.probabilities), note="summed over classes"),
        Measure(
            "confidence_ece",
            "lower",
            number=lambda a, w: confidence_error(a.y, a.asked.probabilities, weights=w),
            note="of the largest probability, 15 bins of equal width",
        ),
        Measure(
            "top_label_ece",
            "lower",
            number=lambda a, w: top_label_error(a.y, a.asked.probabilities, weights=w),
            note="the same within each predicted class",
        ),
        Measure(
            "classwise_ece",
            "lower",
            number=lambda a, w: float(classwise_error(a.y, a.asked.probabilities, weights=w).mean()),
            note="mean over classes",
        ),
        *_of_groups(groups),
        Measure(
            "confidence_bias",
            "near 0",
            rows=lambda a: (1.0 - wrong(a)) - a.asked.probabilities.max(axis=1),
            note="below: too sure of the likeliest class",
        ),
        Measure("error_rate", "lower", rows=wrong, share=True),
    ]
