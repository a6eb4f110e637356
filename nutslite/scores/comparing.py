"""`compare`: which forecast is better on the same observations, by how much, and how sure that is."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._columns import columns_of, folded
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, did_you_mean
from nutslite.scores.calibration.coverage import coded
from nutslite.scores.numerics.checks import numbers, probability
from nutslite.scores.reports.report import Report
from nutslite.scores.sampling_error.standard_errors import difference_with_error, mean_with_error

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

SCORES = ("nll", "crps", "wis", "log_loss", "brier", "pinball", "interval_score", "crps_from_quantiles", "mae")
FEW_ROWS = 100
SMALL_DIFFERENCE = 4.0  # of sums of log scores


@public
@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Forecasts in order, the best first.

    Attributes
    ----------
    table : pandas.DataFrame
        One line a forecast: ``estimate``, the mean score, and its standard error ``se``; ``difference`` from the best
        one with ``difference_se``, ``low`` and ``high``, of paired rows; ``p_worse``, how probable it is that it is
        worse than the best one; ``n``.
    score : str
    notes : tuple of str
        When not to rely on the numbers.
    """

    table: pd.DataFrame
    score: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        width = columns_of(sys.stdout)
        shown = self.table.to_string(float_format=lambda x: f"{x:.4g}", na_rep="", line_width=width)
        words = (folded(text, width, hanging=0) for text in self.notes)
        return "\n".join([f"Mean {self.score}; lower is better", shown, *words])

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.table)} forecasts by {self.score}>"

    def _repr_html_(self) -> str:
        from html import escape

        words = "".join(f"<p>{escape(text)}</p>" for text in self.notes)
        return f"<div>{self.table.to_html(float_format=lambda x: f'{x:.4g}', na_rep='', border=0)}{words}</div>"


@public
def compare(
    reports: Mapping[str, Report],
    score: str | None = None,
    *,
    groups: Any = None,
    log_jacobian: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Compare forecasts of the same rows by their mean score: paired differences, with errors that respect groups.

    ``mean(s_i - t_i)`` with its standard error: Diebold and Mariano (1995), JBES 13:253-263; of groups Liang and Zeger
    (1986); Sivula, Magnusson, Matamoros and Vehtari (2025) on when it is too small.

    Parameters
    ----------
    reports : dict of str to Report
        What `evaluate` gave for each forecast of the same observations.
    score : str
        A proper score that all reports have: ``nll``, ``crps``, ``wis``, ``log_loss``, ``brier``, ``pinball_90``,
        ``squared_error``, ``mae``, ... By default ``crps``, of events and categories ``log_loss``.
    groups : array_like, shape (n,), optional
        Labels of groups that rows fall together in; by default those of the reports.
    log_jacobian : dict of str to array_like, shape (n,), optional
        Of forecasts of a transformed response z(y): log ``|dz/dy|`` at each row, which makes its log score one of y. Of
        log(y) it is ``-log(y)``.
    confidence : float

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        Where reports are of different observations.
    ArgumentError
        Where the score is none, or reports do not have it.

    Examples
    --------
    >>> from nutslite.scores import Prediction, evaluate
    >>> y = [0.1, -0.4, 1.2, 0.3]
    >>> reports = {s: evaluate(y, Prediction.from_normal([0.0] * 4, [s] * 4), simulations=0) for s in (1.0, 9.0)}
    >>> list(compare({"narrow": reports[1.0], "wide": reports[9.0]}).table.index)
    ['narrow', 'wide']
    """
    score = _usual(reports) if score is None else score
    values = scores_of_rows(reports, score, log_jacobian)
    confidence = probability("confidence", confidence)
    first = next(iter(reports.values()))
    codes = _groups_of(reports) if groups is None else coded(groups, first.n, "groups")[1]
    weights = first.weights
    means = {name: mean_with_error(rows, codes, weights, confidence) for name, rows in values.items()}
    order = sorted(means, key=lambda name: means[name].estimate)
    lines = {}
    for name in order:
        mean = means[name]
        if name == order[0]:
            lines[name] = (mean.estimate, mean.se, 0.0, 0.0, 0.0, 0.0, math.nan, mean.n)
            continue
        found = _difference(values[name], values[order[0]], codes, weights, confidence)
        worse = _probability_above(found.estimate, found.se, found.groups)
        lines[name] = (mean.estimate, mean.se, found.estimate, found.se, found.low, found.high, worse, mean.n)
    table = _frame(lines)
    return Comparison(table, score, tuple(_notes(table, score, values, codes)))


def scores_of_rows(
    reports: Mapping[str, Report], score: str, log_jacobian: Mapping[str, Any] | None
) -> dict[str, FloatArray]:
    """Scores of rows of each forecast, after all that can be wrong has been looked at.

    Raises
    ------
    DataError, ArgumentError
        As `compare`.
    """
    if not isinstance(reports, Mapping) or not all(isinstance(each, Report) for each in reports.values()):
        raise ArgumentTypeError('reports is a dict of what evaluate() gave: {"mine": report, "theirs": report}.')
    if len(reports) < 2:
        raise ArgumentError(f"There are {len(reports)} reports: two or more can be compared.")
    jacobians = dict(log_jacobian or {})
    for name in jacobians:
        if name not in reports:
            raise ArgumentError(f"log_jacobian has '{name}', which is no report.{did_you_mean(name, reports)}")
    if jacobians and score != "nll":
        raise ArgumentError(f"log_jacobian changes densities, so the score 'nll', not '{score}'.")
    _refuse_different_rows(reports, jacobians)
    out = {name: _column(name, report, score) for name, report in reports.items()}
    for name, given in jacobians.items():
        jacobian = numbers(f"log_jacobian['{name}']", given)
        if jacobian.shape != out[name].shape:
            raise DataError(f"log_jacobian['{name}'] has shape {jacobian.shape}: one number for each of the rows.")
        out[name] = out[name] - jacobian
    return out


def _usual(reports: Any) -> str:
    """The score that forecasts of numbers are compared by, or that of events where no report has the former."""
    given = list(reports.values()) if isinstance(reports, Mapping) else []
    events = bool(given) and all(isinstance(each, Report) and "log_loss" in each.pointwise for each in given)
    return "log_loss" if events and not any("crps" in each.pointwise for each in given) else "crps"


def _column(name: str, report: Report, score: str) -> FloatArray:
    proper = [each for each in map(str, report.pointwise.columns) if _is_proper(each)]
    if score not in proper:
        if score in report.pointwise.columns or score in report.table.index:
            raise ArgumentError(
                f"'{score}' is no proper score of rows: a forecast could win by saying what it does not believe, or by "
                f"chance. '{name}' has: {', '.join(proper)}."
            )
        raise ArgumentError(
            f"The report of '{name}' has no score '{score}'.{did_you_mean(str(score), proper)} It has: "
            f"{', '.join(proper)}."
        )
    return np.asarray(report.pointwise[score], dtype=np.float64)


def _is_proper(name: str) -> bool:
    return name in SCORES or name == "squared_error" or name.startswith(("pinball_", "interval_score_"))


def _refuse_different_rows(reports: Mapping[str, Report], jacobians: Mapping[str, Any]) -> None:
    names = list(reports)
    reference = next((name for name in names if name not in jacobians), names[0])
    first = reports[reference]
    for name in names:
        other = reports[name]
        if other.n != first.n:
            raise DataError(
                f"'{reference}' has {first.n} rows and '{name}' {other.n}: compare forecasts of the same rows."
            )
        if not other.pointwise.index.equals(first.pointwise.index):
            raise DataError(f"Rows of '{name}' have other labels than those of '{reference}'.")
        if name in jacobians:
            continue
        if not np.array_equal(other.observed, first.observed):
            raise DataError(
                f"'{name}' and '{reference}' are about different observations. If one forecasts a transformed "
                "response, give log_jacobian= and compare by 'nll'."
            )
        if other.whole != first.whole:
            raise DataError(
                f"One of '{name}' and '{reference}' forecasts whole numbers, the other not: probabilities and "
                "densities cannot be compared. Give whole= to Prediction.from_draws where draws were misjudged."
            )
    weights = [report.weights for report in reports.values()]
    given = [each for each in weights if each is not None]
    if len(given) not in (0, len(weights)) or not all(np.allclose(given[0], each) for each in given):
        raise DataError("Reports have different weights of rows: evaluate all forecasts with the same.")


def _groups_of(reports: Mapping[str, Report]) -> NDArray[np.int64] | None:
    """The reports' own groups; those that have some must agree."""
    found = {name: report.groups for name, report in reports.items() if report.groups is not None}
    codes = list(found.values())
    if not codes:
        return None
    if not all(np.array_equal(codes[0], each) for each in codes):
        raise DataError(f"Reports of {' and '.join(found)} have different groups: give groups= to compare.")
    return codes[0]


def _difference(
    first: FloatArray, second: FloatArray, codes: Any, weights: FloatArray | None, confidence: float
) -> Any:
    with np.errstate(invalid="ignore"):
        both = np.isinf(first) & np.isinf(second)  # held impossible by both: neither is better there
        return difference_with_error(
            np.where(both, 0.0, first), np.where(both, 0.0, second), codes, weights, confidence
        )


def _probability_above(estimate: float, se: float, groups: int) -> float:
    from scipy.special import stdtr

    if not se > 0.0:
        return math.nan if math.isnan(se) or estimate == 0.0 else float(estimate > 0.0)
    return float(stdtr(groups - 1, estimate / se))


def _notes(table: pd.DataFrame, score: str, values: Mapping[str, FloatArray], codes: Any) -> list[str]:
    found, n = [], next(iter(values.values())).size
    independent = n if codes is None else int(codes.max()) + 1
    if independent < FEW_ROWS:
        kind = "rows" if codes is None else "groups"
        found.append(f"There are {independent} {kind}: below {FEW_ROWS}, standard errors of differences are too small.")
    if score in ("nll", "log_loss"):
        totals = n * table["difference"].to_numpy()
        near = [str(name) for name, total in zip(table.index[1:], totals[1:], strict=True) if total < SMALL_DIFFERENCE]
        if near:
            found.append(
                f"The sums of log scores of {', '.join(near)} and {table.index[0]} differ by less than "
                f"{SMALL_DIFFERENCE:g}: do not take one for better."
            )
    for name, rows in values.items():
        if np.isinf(rows).any():
            found.append(f"{name} held {int(np.isinf(rows).sum())} observations impossible.")
    return found


def _frame(lines: dict[str, tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    columns = ["estimate", "se", "difference", "difference_se", "low", "high", "p_worse", "n"]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    table.index.name = "forecast"
    return table
