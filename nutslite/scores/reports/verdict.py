"""Two sentences about a table of scores: is the uncertainty right, and what else stands out?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nutslite.scores.reports.omnibus import Omnibus

if TYPE_CHECKING:
    import pandas as pd

CLEARLY = 1.5  # half ranges from what is expected, where nothing was simulated: 3 standard errors
PREFERRED = ("coverage_90", "coverage_80", "coverage_95", "coverage_50")


def sentences(table: pd.DataFrame, omnibus: Omnibus | None = None, alpha: float = 0.05) -> tuple[str, str]:
    """What a table of a report says, in words.

    Parameters
    ----------
    table : DataFrame
    omnibus : Omnibus or None
        Of the numbers that are looked at.
    alpha : float
        With which probability a fault may be found in a right forecast.
    """
    clear = Clear(table, omnibus, alpha)
    if "log_loss" in table.index:
        return _of_classes(table, clear), _skill(table, clear)
    name = _main_coverage(table)
    first = _of_coverage(table.loc[name], name, clear) if name else "No interval is part of this prediction."
    return first, _beside(table, name, clear)


def looked_at(table: pd.DataFrame) -> dict[str, bool]:
    """The numbers of a table that a verdict looks at: by name whether both sides of what is expected are faults."""
    if "log_loss" in table.index:
        return {name: both for name, both in OF_CLASSES.items() if name in table.index}
    found = {name: below is not None for name, (_, below) in MEANINGS.items() if name in table.index}
    spoken = _main_coverage(table)
    return found if spoken is None else {spoken: True, **found}


@dataclass(frozen=True)
class Clear:
    """Which numbers are clearly not what is expected: farther than the farthest of them is by chance."""

    table: pd.DataFrame
    omnibus: Omnibus | None
    alpha: float

    def __call__(self, name: str) -> bool:
        """Whether this one is."""
        if self.omnibus is None:
            return name in self.table.index and abs(away(self.table.loc[name])) > CLEARLY
        return self.omnibus.adjusted.get(name, 1.0) <= self.alpha

    def of_width(self, spoken: str) -> bool:
        """Whether intervals are of a wrong width: their share of rows, or what follows from it, is not as expected."""
        if self.omnibus is None:
            return abs(away(self.table.loc[spoken])) > 1.0
        return any(self(name) for name in (spoken, *OF_WIDTH))

    @property
    def count(self) -> int:
        """How many numbers are looked at."""
        return 1 if self.omnibus is None else len(self.omnibus.adjusted)


def away(line: Any) -> float:
    """How far an estimate is from what is expected, in half ranges, with its sign; nan where that is unknown."""
    if not all(math.isfinite(line[column]) for column in ("estimate", "expected", "expected_low", "expected_high")):
        return math.nan
    distance = line["estimate"] - line["expected"]
    half = line["expected_high"] - line["expected"] if distance > 0 else line["expected"] - line["expected_low"]
    return float(distance / half) if half > 0 else (0.0 if distance == 0 else math.copysign(math.inf, distance))


def _main_coverage(table: pd.DataFrame) -> str | None:
    """The coverage that is spoken of: randomised for whole numbers."""
    names = [name for name in table.index if name.startswith("coverage_")]
    for name in PREFERRED:
        for full in (f"{name}_randomised", name):
            if full in names:
                return str(full)
    return str(names[-1]) if names else None


def _of_coverage(line: Any, name: str, clear: Clear) -> str:
    level = name.split("_")[1]
    held = f"{level} % intervals hold {100 * line['estimate']:.3g} %"
    if not math.isfinite(line["expected_low"]):
        return f"{held}; what chance would leave is not known."
    low, high = 100 * line["expected_low"], 100 * line["expected_high"]
    span = f"(range if calibrated {low:.3g} to {high:.3g})"
    if line["expected_low"] <= line["estimate"] <= line["expected_high"]:
        return f"Intervals are about as wide as they should be: {held} {span}."
    which = "narrow" if line["estimate"] < line["expected_low"] else "wide"
    if clear.of_width(name):
        return f"Intervals are too {which}: {held} {span}."
    return f"Intervals are {which} by no more than chance makes one of {clear.count} numbers: {held} {span}."


# What a number clearly above, or below, its range means; the first that is clear is told
MEANINGS = {
    "pit_between_groups": ("rows of a group are off together: the forecast ignores what they share", None),
    "pit_farthest_group": ("rows of one group are off together", None),
    "pit_mean": ("what came is larger than forecast", "what came is smaller than forecast"),
    "bias": ("what came is larger than forecast", "what came is smaller than forecast"),
    "pit_spread": ("forecasts are too narrow", "forecasts are too wide"),
    "pit_distance": ("the shape of the distributions is wrong", None),
    "crps": ("forecasts are worse than they claim to be", "forecasts are better than they claim to be"),
    "nll": ("forecasts are worse than they claim to be", "forecasts are better than they claim to be"),
}
BIAS_FIRST = 2.0  # times as clear: probabilities that are all too low are too extreme, too, where they are below a half
OF_CLASSES = {
    "smooth_ece": False, "confidence_ece": False, "miscalibration": False, "bias": True, "confidence_bias": True,
    "spiegelhalter_z": True, "residuals_between_groups": False, "residuals_farthest_group": False,
}  # fmt: skip
"""Of probabilities, numbers that are looked at; whether both sides of what is expected are faults."""
OF_GROUPS = {
    "residuals_between_groups": MEANINGS["pit_between_groups"][0],
    "residuals_farthest_group": MEANINGS["pit_farthest_group"][0],
}
OF_WIDTH = ("pit_spread", "pit_distance", "crps", "nll")  # what follows where intervals are of a wrong width


def _beside(table: pd.DataFrame, spoken: str | None, clear: Clear) -> str:
    wrong_width = spoken is not None and abs(away(table.loc[spoken])) > 1.0 and clear.of_width(spoken)
    for name, (above, below) in MEANINGS.items():
        if name not in table.index or (wrong_width and name in OF_WIDTH):
            continue
        line = table.loc[name]
        meaning = above if line["estimate"] > line["expected"] else below
        if meaning and clear(name):
            return f"Beside that, {meaning}: {_told(table, name)}."
    known = [name for name in table.index if name != spoken and math.isfinite(_number(table, name, "expected"))]
    if not known:
        return "Nothing else can be compared with what a calibrated forecaster would get."
    return "Nothing else stands out beside what a calibrated forecaster would get."


def _told(table: pd.DataFrame, name: str) -> str:
    """A number with its range."""
    line: Any = table.loc[name]
    span = f"(range if calibrated {line['expected_low']:.3g} to {line['expected_high']:.3g})"
    return f"{name} is {line['estimate']:.3g} {span}"


def _of_classes(table: pd.DataFrame, clear: Clear) -> str:
    name = "smooth_ece" if "smooth_ece" in table.index else "confidence_ece"
    line: Any = table.loc[name]
    if not math.isfinite(line["expected_low"]):
        return f"The calibration error ({name}) is {line['estimate']:.3g}; what chance would leave is not known."
    found = [each for each in OF_CLASSES if each not in OF_GROUPS and clear(each)]
    if not found:
        return f"Probabilities are calibrated as far as {_number(table, name, 'n'):.0f} rows can tell: " + (
            f"{_told(table, name)}."
        )
    return f"Probabilities are not calibrated, {_direction(table)}: {_told(table, found[0])}."


def _direction(table: pd.DataFrame) -> str:
    if "bias" not in table.index:
        distance = away(table.loc["confidence_bias"])
        return "too sure of the likeliest class" if distance < 0 else "too unsure of the likeliest class"
    distances = {name: away(table.loc[name]) for name in ("bias", "spiegelhalter_z") if name in table.index}
    known = {name: value for name, value in distances.items() if not math.isnan(value)}
    name = max(known, key=lambda each: BIAS_FIRST ** (each == "bias") * abs(known[each]), default="")
    if not name or abs(known[name]) <= 1.0:
        return "neither in one direction nor by being too extreme"
    if name == "bias":
        return "too low" if known[name] > 0 else "too high"
    return "too extreme" if known[name] > 0 else "not extreme enough"


def _skill(table: pd.DataFrame, clear: Clear) -> str:
    for name, meaning in OF_GROUPS.items():
        if clear(name):
            return f"Beside that, {meaning}: {_told(table, name)}."
    if "discrimination" in table.index:
        score, lost, told = (_number(table, name) for name in ("brier", "miscalibration", "discrimination"))
        constant = score - lost + told
        if constant <= 0.0:
            return "All observations are the same, so that nothing can be told apart."
        return (
            f"Beside the best constant forecast they gain {100 * (told - lost) / constant:.3g} % of its Brier score; "
            f"{100 * told / constant:.3g} % if they were recalibrated."
        )
    wrong = _number(table, "error_rate")
    return f"The likeliest class is wrong in {100 * wrong:.3g} % of rows."


def _number(table: pd.DataFrame, name: str, column: str = "estimate") -> float:
    value: Any = table.loc[name, column]
    return float(value)
