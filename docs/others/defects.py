"""What other tools say where they are wrong, what is right, and what is said here.

``python docs/others/defects.py`` measures the others again, as far as they are installed, and says what has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nutslite import scores
from nutslite.scores import Prediction

INF, NAN = float("inf"), float("nan")
FORECAST = np.tile([0.2, 0.5, 0.7], 100)  # three probabilities, a hundred times each
EVENT = (np.random.default_rng(7).random(300) < FORECAST).astype(int)
UNLIKELY = {"better": np.full(20, -800.0), "worse": np.full(20, -803.0)}  # log densities of rows


@dataclass(frozen=True)
class Defect:
    """One input.

    Attributes
    ----------
    tool, version : str
    question, given : str
        What was computed, and of what.
    said, right : float
        What the tool says, and what is right by the formula, a sum, quadrature, or counting.
    here : callable
        Returns what this package says.
    measure : callable or None
        Returns what the tool says; None where it was read in its source or in its issues, as `how` then says.
    how : str
    within : float
        How near `here` has to be to `right`, relative; wider where it is simulated.
    """

    tool: str
    version: str
    question: str
    given: str
    said: float
    right: float
    here: Callable[[], Any]
    measure: Callable[[], Any] | None = None
    how: str = "measured"
    within: float = 1e-9


def _scoringrules(name: str, *arguments: Any, **options: Any) -> Callable[[], Any]:
    def measure() -> Any:
        import scoringrules

        return getattr(scoringrules, name)(*arguments, **options)

    return measure


def _of_ties() -> Any:
    from scoringrules.visualization import reliability

    sorted_forecast, sorted_event, fitted = reliability.corp_reliability(EVENT, FORECAST)
    fitted_score, score, _ = reliability.corp_score_decomposition(sorted_forecast, sorted_event, fitted)
    return score - fitted_score


def _fitted_of_ties() -> Any:
    from scoringrules.visualization import reliability

    sorted_forecast, _, fitted = reliability.corp_reliability(EVENT, FORECAST)
    return np.unique(fitted[sorted_forecast == 0.7]).size


def _stacked() -> Any:
    import arviz

    draws = np.random.default_rng(1).normal(0.0, 0.1, (4, 500, 20))
    each = {
        name: arviz.from_dict({"posterior": {"a": draws[..., 0]}, "log_likelihood": {"y": rows + draws}})
        for name, rows in UNLIKELY.items()
    }
    return arviz.compare(each, method="stacking")["weight"]["better"]


def _calibration_of_ties() -> float:
    means = np.array([EVENT[forecast == FORECAST].mean() for forecast in (0.2, 0.5, 0.7)])
    return float(np.mean((means - [0.2, 0.5, 0.7]) ** 2))


def _band_of_one_forecast() -> float:
    band = scores.reliability(np.tile([0, 1], 50), np.full(100, 0.5), confidence=0.95, draws=20_000)
    return float(band.low[0])


def _coverage_of_twenty() -> float:
    drawn = np.random.default_rng(1).normal(size=(21, 20_000))
    lower, upper = Prediction.from_draws(drawn[:20]).interval(0.9)
    return float(scores.coverage(drawn[20], lower, upper).mean())


def _coverage_by_default() -> float:
    drawn = np.random.default_rng(1).normal(size=(21, 20_000))
    lower, upper = np.quantile(drawn[:20], [0.05, 0.95], axis=0)
    return float(np.mean((lower <= drawn[20]) & (drawn[20] <= upper)))


def _crps(name: str, y: float, **parameters: float) -> Callable[[], Any]:
    return lambda: getattr(scores, f"crps_{name}")(y, **parameters)


def _log_score(name: str, y: float, **parameters: float) -> Callable[[], Any]:
    given = {key: [value] for key, value in parameters.items()}
    return lambda: -Prediction.from_distribution(name, **given).log_density([y])[0]


# What is right: CRPS of counts are sums of (F - 1)^2 and F^2, other ones by quadrature to 12 digits, log scores SciPy's
SR = ("scoringrules", "0.11.0")
DEFECTS = [
    Defect(
        *SR, "WIS, NumPy backend", "y = 10, median 10, 80 % interval 8 to 12", 3.6, 4 / 15,
        lambda: scores.wis([10.0], [[8.0, 10.0, 12.0]], [0.1, 0.5, 0.9])[0],
        _scoringrules("weighted_interval_score", np.array([10.0]), np.array([10.0]), np.array([[8.0]]),
                      np.array([[12.0]]), np.array([0.2]), backend="numpy"),
    ),
    Defect(*SR, "CRPS of a Poisson", "y = 150, mean 150", INF, 2.8596207687478,
           _crps("poisson", 150.0, mu=150.0), _scoringrules("crps_poisson", 150.0, 150.0)),
    Defect(*SR, "CRPS of a Poisson", "y = 171, mean 171", NAN, 3.05357298856276,
           _crps("poisson", 171.0, mu=171.0), _scoringrules("crps_poisson", 171.0, 171.0)),
    Defect(*SR, "CRPS of a Poisson", "y = 171, mean 5", NAN, 164.754519907260,
           _crps("poisson", 171.0, mu=5.0), _scoringrules("crps_poisson", 171.0, 5.0)),
    Defect(*SR, "CRPS of a beta", "y = 0.5, a = b = 800", NAN, 0.00292128167460,
           _crps("beta", 0.5, mu=0.5, kappa=1600.0), _scoringrules("crps_beta", 0.5, 800.0, 800.0)),
    Defect(*SR, "CRPS of a negative binomial", "y = 800, n = 200, p = 0.2", NAN, 14.7809487147023,
           _crps("negativebinomial", 800.0, mu=800.0, alpha=200.0), _scoringrules("crps_negbinom", 800.0, 200.0, 0.2)),
    Defect(*SR, "log score of a normal", "y = 50, mean 0, sd 1", INF, 1250.918938533205,
           _log_score("gaussian", 50.0, mu=0.0, sigma=1.0), _scoringrules("logs_normal", 50.0, 0.0, 1.0)),
    Defect(*SR, "log score of a Poisson", "y = 1,050,000, mean 1,000,000", NAN, 1237.52346687764,
           _log_score("poisson", 1.05e6, mu=1e6), _scoringrules("logs_poisson", 1.05e6, 1e6)),
    Defect(*SR, "CRPS of a t, which has no mean", "y = 1, df = 0.9", 0.764916127, INF,
           _crps("t", 1.0, mu=0.0, sigma=1.0, nu=0.9), _scoringrules("crps_t", 1.0, 0.9)),
    Defect(*SR, "CRPS of a t, which has no mean", "y = 1, df = 1", NAN, INF,
           _crps("t", 1.0, mu=0.0, sigma=1.0, nu=1.0), _scoringrules("crps_t", 1.0, 1.0)),
    Defect(*SR, "CRPS of a lognormal, y outside its support", "y = -2, mu = 0, sigma = 1", NAN, 2.79056205075294,
           _crps("lognormal", -2.0, mu=0.0, sigma=1.0), _scoringrules("crps_lognormal", -2.0, 0.0, 1.0)),
    Defect(*SR, "CRPS of a beta, y outside its support", "y = 3, a = b = 1", NAN, 7 / 3,
           _crps("beta", 3.0, mu=0.5, kappa=2.0), _scoringrules("crps_beta", 3.0, 1.0, 1.0)),
    Defect(*SR, "values fitted to one tied forecast", "300 rows, three forecasts", 6, 1,
           lambda: np.unique(scores.recalibrated(EVENT, FORECAST)[FORECAST == 0.7]).size, _fitted_of_ties),
    Defect(*SR, "miscalibration of tied forecasts", "300 rows, three forecasts", 0.0176193414, _calibration_of_ties(),
           lambda: scores.decompose(EVENT, FORECAST).miscalibration, _of_ties),
    Defect(*SR, "lower end of a 95 % consistency band", "100 forecasts of 0.5", 0.42, 0.40, _band_of_one_forecast,
           how="its source takes the percentiles 5 and 95"),
    Defect("properscoring", "0.1", "CRPS of the distribution of draws", "y = 0, draws -1 and 1", 0.5, 0.0,
           lambda: scores.crps([0.0], [[-1.0], [1.0]])[0], lambda: _properscoring(0.0, [-1.0, 1.0])),
    Defect("arviz", "1.3.0", "stacking weight of the better of two", "log densities of -800 and -803", 0.5, 1.0,
           lambda: scores.stack(UNLIKELY).weights["better"], _stacked, within=1e-6),
    Defect("numpy", "2.5.5", "rows in 90 % intervals of a perfect ensemble", "20 members, default quantiles",
           0.81345, 0.9, _coverage_of_twenty, _coverage_by_default, within=0.005),
    Defect("DeepTab", "issue 421", "calibration error (ECE)", "confidence 1, and wrong", 0.0, 1.0,
           lambda: scores.confidence_error([1], [[1.0, 0.0]]), how="its issue: no bin holds 1"),
]  # fmt: skip


def _properscoring(y: float, draws: list[float]) -> Any:
    import properscoring

    return properscoring.crps_ensemble(y, np.array(draws))


def table() -> pd.DataFrame:
    """All of it, with what is said here computed now."""
    lines = [
        {
            "tool": f"{each.tool} {each.version}",
            "what": each.question,
            "of": each.given,
            "it says": f"{each.said:.6g}",
            "right": f"{each.right:.6g}",
            "here": f"{float(np.ravel(each.here())[0]):.6g}",
            "how known": each.how,
        }
        for each in DEFECTS
    ]
    return pd.DataFrame(lines)


def measured_again() -> list[str]:
    """Where installed tools no longer say what is stored; and those that are not installed."""
    found = []
    for each in DEFECTS:
        if each.measure is None:
            continue
        try:
            with np.errstate(all="ignore"):
                says = float(np.ravel(each.measure())[0])
        except ImportError as error:
            found.append(f"{each.tool} is not installed: {error}")
            continue
        if not np.isclose(says, each.said, rtol=1e-3, equal_nan=True):
            found.append(f"{each.tool}, {each.question}, {each.given}: {says:.6g}, stored {each.said:.6g}")
    return found


if __name__ == "__main__":
    print("\n".join(measured_again()) or "All as stored.")
