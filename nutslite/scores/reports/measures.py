"""What a report measures of a prediction, by its kind: names, which way is better, and how each is computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nutslite.scores.calibration.coverage import randomised_coverage
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.quantiles import Interval, Quantiles
from nutslite.scores.kinds.vectors import Vectors
from nutslite.scores.pointwise.quantile import crps_from_quantiles, interval_score, pinball, wis
from nutslite.scores.reports.answers import Answers
from nutslite.scores.reports.class_measures import of_classes, of_events
from nutslite.scores.reports.group_measures import between_groups, farthest_group
from nutslite.scores.reports.joint import NOTES
from nutslite.scores.reports.measure import Measure, Rows
from nutslite.scores.reports.vector_measures import of_vectors

FloatArray = NDArray[np.float64]

MOST_UNSURE = 1e-9  # values of the transform are kept so far from 0 and 1 where they are made normal


def measures_of(
    prediction: Prediction,
    probabilities: Sequence[float],
    levels: Sequence[float],
    groups: NDArray[np.int64] | None,
    joint: Sequence[str] = (),
) -> list[Measure]:
    """Lines of the report, in its order: scores, intervals, calibration, errors of single numbers last.

    Parameters
    ----------
    prediction : Prediction
    probabilities : sequence of float
        Of central intervals.
    levels : sequence of float
        Of quantiles that are scored each by itself.
    groups : ndarray of int, optional
        Codes of the groups that rows fall together in.
    joint : sequence of str
        Scores of groups: names that `joint.NOTES` has.
    """
    if prediction.can("probabilities"):
        return of_events(groups) if prediction.probabilities().ndim == 1 else of_classes(groups)
    kind = prediction.kind
    if isinstance(kind, Interval):
        return [_interval_score(kind.prob), *_coverage(kind.prob)]
    if isinstance(kind, Quantiles):
        return _of_quantiles(tuple(kind.levels.tolist()))
    if isinstance(kind, Censored):
        return _of_censored(probabilities, groups)
    if isinstance(kind, Vectors):
        return of_vectors(prediction, probabilities)
    found = [_wis(probabilities)] if probabilities else []
    if prediction.can("crps"):
        found.insert(0, Measure("crps", "lower", rows=lambda a: a.crps))
    if prediction.can("log_density"):
        found.insert(0, Measure("nll", "lower", rows=lambda a: a.nll))
    found += [_pinball(level) for level in levels]
    found += [_joint(name) for name in joint]
    for prob in probabilities:
        found += _coverage(prob)
    if prediction.can("cdf"):
        found += _of_transform(probabilities if prediction.whole else (), groups)
    if prediction.can("mean") and np.all(np.isfinite(prediction.mean())):  # a Cauchy distribution has none
        found += [
            Measure("bias", "near 0", rows=lambda a: a.y - a.asked.mean, note="mean of y less the predicted mean"),
            Measure("rmse", "lower", rows=lambda a: (a.y - a.asked.mean) ** 2, root=True),
        ]
    return [*found, _mae()]


def quantile_levels(
    prediction: Prediction, probabilities: Sequence[float], levels: Sequence[float]
) -> tuple[float, ...]:
    """Levels of all quantiles that the measures of a prediction ask for, increasing."""
    kind = prediction.kind
    if isinstance(kind, Quantiles | Interval):
        return tuple(kind.levels.tolist())
    if not prediction.can("quantile"):
        return ()
    ends = [end for prob in probabilities for end in ends_of(prob)]
    return tuple(sorted({0.5, *ends, *levels}))


def ends_of(prob: float) -> tuple[float, float]:
    """Levels of the ends of a central interval."""
    return round(0.5 - 0.5 * prob, 12), round(0.5 + 0.5 * prob, 12)


def _coverage(prob: float) -> list[Measure]:
    low, high = ends_of(prob)

    def covered(a: Answers) -> FloatArray:
        return ((a.asked.quantile(low) <= a.y) & (a.y <= a.asked.quantile(high))).astype(np.float64)

    return [
        Measure(f"coverage_{_percent(prob)}", f"near {prob:g}", rows=covered, share=True, nominal=prob),
        _width(prob),
    ]


def _width(prob: float) -> Measure:
    low, high = ends_of(prob)

    def width(a: Answers) -> FloatArray:
        return a.asked.quantile(high) - a.asked.quantile(low)

    return Measure(f"width_{_percent(prob)}", "lower", rows=width, of_forecast=True, note="where coverage is right")


def _of_censored(probabilities: Sequence[float], groups: NDArray[np.int64] | None) -> list[Measure]:
    """Of responses that were not all seen: what can be said without them."""
    return [
        Measure("nll", "lower", rows=lambda a: a.nll, note="of censored rows -log P(what is known)"),
        *(_width(prob) for prob in probabilities),
        *_of_transform(probabilities, groups, "by the transform, of censored rows drawn from where they may be"),
    ]


def _wis(probabilities: Sequence[float]) -> Measure:
    levels = sorted({0.5, *(end for prob in probabilities for end in ends_of(prob))})

    def rows(a: Answers) -> FloatArray:
        return wis(a.y, np.stack([a.asked.quantile(level) for level in levels], axis=1), levels)

    return Measure("wis", "lower", rows=rows, note="weighted interval score of the intervals below and the median")


def _pinball(level: float) -> Measure:
    return Measure(f"pinball_{_percent(level)}", "lower", rows=lambda a: pinball(a.y, a.asked.quantile(level), level))


def _joint(name: str) -> Measure:
    return Measure(name, "lower", groups=lambda a: a.asked.together.scores(name, a.y), note=NOTES[name])


def _interval_score(prob: float) -> Measure:
    low, high = ends_of(prob)

    def rows(a: Answers) -> FloatArray:
        return interval_score(a.y, a.asked.quantile(low), a.asked.quantile(high), 1.0 - prob)

    return Measure(f"interval_score_{_percent(prob)}", "lower", rows=rows)


def _of_quantiles(levels: tuple[float, ...]) -> list[Measure]:
    """Of quantiles that are all that is known."""

    def below(level: float) -> Rows:
        return lambda a: (a.y <= a.asked.quantile(level)).astype(np.float64)

    symmetric = len(levels) % 2 == 1 and np.allclose(np.array(levels) + np.array(levels)[::-1], 1.0, rtol=0, atol=1e-9)
    found = []
    if symmetric:
        found.append(Measure("wis", "lower", rows=lambda a: wis(a.y, a.asked.quantiles, np.array(levels))))
    elif len(levels) > 1:
        found.append(
            Measure(
                "crps_from_quantiles",
                "lower",
                rows=lambda a: crps_from_quantiles(a.y, a.asked.quantiles, np.array(levels)),
                note="tails beyond the outermost levels are left out",
            )
        )
    found += [_pinball(level) for level in levels]
    for low in levels:
        mirrored = [high for high in levels if abs(low + high - 1.0) < 1e-9]
        if low < 0.5 and mirrored:
            found += _coverage(round(mirrored[0] - low, 12))
    found += [
        Measure(f"below_{_percent(level)}", f"near {level:g}", rows=below(level), share=True, nominal=level)
        for level in levels
    ]
    return [*found, _mae()] if 0.5 in levels else found


def _mae() -> Measure:
    return Measure("mae", "lower", rows=lambda a: np.abs(a.y - a.asked.quantile(0.5)), note="of the median")


def _of_transform(
    probabilities: Sequence[float],
    groups: NDArray[np.int64] | None,
    note: str = "by the randomised transform: whole numbers do not make it larger",
) -> list[Measure]:
    def randomised(prob: float) -> Rows:
        return lambda a: randomised_coverage(a.u, prob)

    found = [
        Measure(
            f"coverage_{_percent(prob)}_randomised",
            f"near {prob:g}",
            rows=randomised(prob),
            share=True,
            nominal=prob,
            note=note,
        )
        for prob in probabilities
    ]
    found += [
        Measure("pit_mean", "near 0.5", rows=lambda a: a.u, note="above: what comes is larger than forecast"),
        Measure(
            "pit_spread",
            "near 1",
            rows=lambda a: 12.0 * (a.u - 0.5) ** 2,
            root=True,
            note="above: forecasts are too narrow",
        ),
        Measure("pit_distance", "lower", number=_pit_distance, note="of the transform from uniform, at most"),
    ]
    if groups is not None and int(groups.max()) > 0:
        found += [
            Measure(
                "pit_between_groups",
                "near 1",
                number=lambda a, w: between_groups(normal_scores(a.u), np.ones(a.u.size), w, groups),
                note="above: rows of a group are off together",
            ),
            Measure(
                "pit_farthest_group",
                "lower",
                number=lambda a, w: farthest_group(normal_scores(a.u), np.ones(a.u.size), w, groups),
                bare=True,
                note="largest sum over a group's rows, in standard deviations of independent ones",
            ),
        ]
    return found


def _pit_distance(a: Answers, weights: FloatArray) -> float:
    """Largest distance of the weighted empirical distribution function of the transform from the uniform one."""
    order = np.argsort(a.u)
    u, after = a.u[order], np.cumsum(weights[order])
    return float(np.maximum(after - u, u - (after - weights[order])).max())


def normal_scores(u: FloatArray) -> FloatArray:
    """Normal quantiles of the transform."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(u, MOST_UNSURE, 1.0 - MOST_UNSURE)))


def _percent(level: float) -> str:
    return f"{100.0 * level:.6g}"
