"""`evaluate`: everything that can be said of one prediction, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, random_generator, refuse_other, warn
from nutslite.scores.calibration.calibration_error import row_weights
from nutslite.scores.calibration.coverage import coded, equal_mass_bins
from nutslite.scores.calibration.pit import checked_number
from nutslite.scores.containers import KINDS, Stored, is_container, read_container
from nutslite.scores.importance import LeftOut, said_of
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.draws import Draws
from nutslite.scores.kinds.mixture import Mixture
from nutslite.scores.kinds.parametric import Parametric
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.kinds.quantiles import Quantiles
from nutslite.scores.numerics.checks import probability
from nutslite.scores.reports.answers import Answers, Asked
from nutslite.scores.reports.joint import NAMES, names_of, why_not_joint
from nutslite.scores.reports.measure import Measure
from nutslite.scores.reports.measures import measures_of, quantile_levels
from nutslite.scores.reports.report import Report
from nutslite.scores.reports.simulation import Simulation
from nutslite.scores.reports.tables import joint_of, pointwise_of, seeds, table_by, table_of
from nutslite.scores.reports.verdict import looked_at
from nutslite.scores.sampling_error.expected import SIMULATIONS

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.int64]

MOST_LEVELS = 20  # of numbers in `by`; more are put in bins
BINS_BY = 5


@public
def evaluate(
    y: Any,
    P: Prediction | None = None,
    *,
    groups: Any = None,
    by: Any = None,
    weights: Any = None,
    levels: Sequence[float] = (0.5, 0.8, 0.9, 0.95),
    quantiles: Sequence[float] = (),
    joint: Sequence[str] = (),
    simulations: int = SIMULATIONS,
    confidence: float = 0.95,
    seed: Any = 0,
    sample_weight: Any = None,
    var_name: str | None = None,
    kind: str | None = None,
) -> Report:
    """Score a prediction, with standard errors, beside what it would get if it were right.

    Results of samplers are evaluated, too: ``evaluate(idata)`` takes what was observed, and how it was predicted, from
    ``observed_data`` and ``posterior_predictive`` of an InferenceData or DataTree, made by PyMC, Bambi or others. With
    ``log_likelihood`` there, log scores are known, and each row is judged as if it had been left out (PSIS-LOO). Codes
    of more than two classes are read as the numbers that they are: of these make a `Prediction.from_probabilities`.

    Expected values are ``E S(y*, P)`` with ``y* ~ P``, by simulation (`expected_range`); errors those of Liang and
    Zeger (1986) and of the bootstrap (`mean_with_error`, `bootstrapped`); what stands out is decided by the farthest
    number of all (`Report.omnibus`; Westfall and Young 1993). Formulas and sources of scores are in the docstrings of
    their functions.

    Parameters
    ----------
    y : array_like, shape (n,)
        Observations. The labels of a pandas Series name the rows of the report. Or an InferenceData or DataTree.
    P : Prediction
        Of the same rows in the same order. Left out with results of samplers.
    groups : array_like, shape (n,), optional
        Labels of groups that rows fall together in, such as subjects: standard errors are cluster-robust, and whether
        rows of a group are off together is measured.
    by : array_like, shape (n,), optional
        Labels to report apart; numbers of many values are put in five bins of about equally many rows.
    weights : array_like, shape (n,), optional
        Of rows.
    levels : sequence of float
        Probabilities of central intervals.
    quantiles : sequence of float
        Levels of quantiles to score each by itself.
    joint : sequence of {"energy", "variogram", "dss"}
        Scores of all rows of a group at once (`energy_score`, `variogram_score`, `dss`), which see whether P knows how
        rows of a group hang together; with `groups`. ``report.joint`` has them of each group. They are computed from
        joint draws of P, 1,000 at most and fewer for many rows.
    simulations : int
        Observations drawn from P, for the expected values and their range; 0 leaves these out.
    confidence : float
        Of intervals and ranges.
    seed : int or sequence of int
        Of the randomised transform, the simulations and the bootstrap. The same seed gives the same report.
    sample_weight : array_like, shape (n,), optional
        Another name of `weights`.
    var_name : str, optional
        Of results with several responses, which.
    kind : {"loo", "insample", "held out"}, optional
        Whether rows of such results are judged as if left out; by default where log likelihoods are stored. Say
        "held out" of rows that nothing was fitted to: leaving these out once more would spoil their scores.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        Where rows do not fit each other.
    ArgumentError
        Where P is no `Prediction`, or an option means nothing.

    Examples
    --------
    >>> from nutslite.scores import Prediction
    >>> report = evaluate([0.1, -0.4, 1.2], Prediction.from_normal([0.0] * 3, [1.0] * 3), simulations=0)
    >>> round(float(report.table.loc["crps", "estimate"]), 4)
    0.4275
    """
    stored = _from_container(y, P, var_name, kind)
    if stored is not None:
        y, P = stored.y, stored.prediction
    P = _as_classes(_checked(y if P is None else P))
    observed = P.observed(y)
    if observed.size == 0:
        raise DataError("y has no rows: there is nothing to evaluate.")
    confidence = probability("confidence", confidence)
    simulations = checked_number("simulations", simulations, 0, 100_000)
    if sample_weight is not None:
        if weights is not None:
            raise ArgumentError("weights and sample_weight are the same: give one of them.")
        weights = sample_weight
    _same_labels(y, groups=groups, by=by, weights=weights)
    labels, codes = ([], None) if groups is None else coded(groups, P.n, "groups")
    together = _joint(joint, P, codes)
    w = row_weights(weights, P.n)
    probabilities, own = _levels("levels", levels), _levels("quantiles", quantiles)
    measures = measures_of(P, probabilities, own, codes, together)
    asked = Asked(P, quantile_levels(P, probabilities, own), codes if together else None)
    answers = Answers(asked, observed, random_generator(seed))
    parts = {} if by is None else _parts(by, P.n)
    simulation = Simulation(measures, w, parts)
    if simulations and P.can("sample"):
        simulation.run(asked, simulations, np.random.default_rng([*seeds(seed), 1]))
    table = table_of(measures, answers, w, codes, weights is not None, confidence, seed, simulation)
    report = Report(
        table=table,
        pointwise=pointwise_of(measures, answers, y),
        by=table_by(measures, answers, w, codes, weights is not None, confidence, parts, simulation),
        observed=observed,
        whole=P.whole,
        groups=codes,
        weights=None if weights is None else w,
        confidence=confidence,
        notes=tuple(_notes(P, answers, measures, probabilities)),
        joint=joint_of(measures, answers, labels),
        prediction=P,
        omnibus=simulation.omnibus(
            looked_at(table), {str(name): float(value) for name, value in table["estimate"].items()}
        ),
    )
    return report if stored is None else with_left_out(report, stored.left_out, stored.note)


def with_left_out(report: Report, left_out: LeftOut | None, note: str) -> Report:
    """The report with a note on what it rests on, and k-hat of each row where rows were left out by weights.

    Warns
    -----
    NutsliteWarning
        Where the weights of some rows cannot be relied on.
    """
    if left_out is None:
        return replace(report, notes=(note, *report.notes))
    said = said_of(left_out.khat, left_out.limit, report.pointwise.index)
    if said:
        warn(said)
    pointwise = report.pointwise.assign(khat=left_out.khat)
    return replace(report, pointwise=pointwise, notes=tuple(filter(None, (note, said, *report.notes))))


def _from_container(y: Any, P: Any, var_name: Any, kind: Any) -> Stored | None:
    if kind is not None:
        refuse_other("kind", kind, KINDS)
    if P is None and is_container(y):
        return read_container(y, var_name, kind)
    for name, given in (("var_name", var_name), ("kind", kind)):
        if given is not None:
            raise ArgumentError(f"{name}={given!r} is about results of a sampler, and is given without a prediction.")
    return None


def _notes(P: Prediction, answers: Answers, measures: list[Measure], probabilities: tuple[float, ...]) -> list[str]:
    """What a reader of the table should know."""
    found = []
    names = [measure.name for measure in measures]
    if "nll" in names or "log_loss" in names:
        impossible = int(np.sum(np.isinf(answers.nll)))
        if impossible:
            found.append(f"{impossible} observations were held impossible: their log score is infinite.")
    if isinstance(P.kind, Quantiles) and P.kind.crossing.any():
        found.append(f"Quantiles cross in {int(P.kind.crossing.sum())} of {P.n} rows; they are scored as they are.")
    if isinstance(P.kind, Draws) and P.kind.x.shape[0] < 2.0 / (1.0 - max(probabilities, default=0.0)) - 1.0:
        found.append(
            f"{P.kind.x.shape[0]} draws are too few for the widest intervals: they reach from the smallest to the "
            "largest draw, and the expected coverage says what that holds."
        )
    if isinstance(P.kind, Censored):
        found.append(
            f"{int(np.sum(P.kind.status > 0))} of {P.n} responses were not seen: of these the log score is that of "
            "what is known, and the place in the forecast is drawn from where they may be. Scores that need every "
            "response (CRPS, quantile losses, errors) are left out; what a calibrated forecaster's log score would be "
            "depends on limits that are not known."
        )
    if P.can("mean") and "crps" in names and "rmse" not in names:
        found.append("In some rows the forecast has no mean: bias and rmse are left out, and the CRPS may be infinite.")
    if not P.can("sample"):
        found.append(f"{P.why_not('sample')} Expected values are those of shares of independent rows alone.")
    return found


def _checked(P: Any) -> Prediction:
    if not isinstance(P, Prediction):
        what = "an array" if isinstance(P, np.ndarray) else f"a {type(P).__name__}"
        raise ArgumentTypeError(
            "P is no Prediction: make one of draws by Prediction.from_draws(x), of a mean and a standard deviation by "
            f"from_normal, and so on, or give the results of a fit with its groups; not {what}."
        )
    return P


def _as_classes(P: Prediction) -> Prediction:
    """Events predicted by a distribution are judged as events."""
    kind = P.kind
    if isinstance(kind, Parametric | Mixture) and kind.record.name == "bernoulli":
        return Prediction.from_probabilities(np.clip(P.mean(), 0.0, 1.0))
    return P


def _joint(given: Any, P: Prediction, codes: CodeArray | None) -> tuple[str, ...]:
    """Names of joint scores, where they can be had.

    Raises
    ------
    ArgumentError
        Where there are no groups, or the prediction says nothing of several rows at once.
    """
    if isinstance(given, str):
        given = (given,)
    if not isinstance(given, Iterable):
        raise ArgumentTypeError(f"joint has names of scores, such as ('energy', 'variogram'); not {given!r}.")
    given = tuple(given)
    for name in given:
        refuse_other("joint", name, NAMES)
    if not given:
        return ()
    if codes is None:
        raise ArgumentError("joint= scores all rows of a group at once: say by groups= which rows these are.")
    reason = why_not_joint(P)
    if reason is not None:
        raise ArgumentError(reason)
    return names_of(given)


def _levels(name: str, given: Any) -> tuple[float, ...]:
    if isinstance(given, str | bytes) or not np.iterable(given):
        raise ArgumentTypeError(f"{name} is a sequence of numbers between 0 and 1, not {given!r}.")
    return tuple(sorted({probability(name, level) for level in np.asarray(given).tolist()}))


def _same_labels(y: Any, **given: Any) -> None:
    """Rows of pandas objects have names; those of y and its companions must be the same.

    Raises
    ------
    DataError
    """
    if not hasattr(y, "iloc"):
        return
    for name, other in given.items():
        if hasattr(other, "iloc") and not y.index.equals(other.index):
            raise DataError(f"{name} has other row labels than y: bring both into the same order, {name}.loc[y.index].")


def _parts(by: Any, n: int) -> dict[Any, CodeArray]:
    """Rows by label; of many numbers, by bins."""
    array = np.asarray(by)
    if array.dtype.kind == "f" and array.shape == (n,) and np.unique(array).size > MOST_LEVELS:
        if not np.all(np.isfinite(array)):
            raise DataError(f"by is not finite in {int(np.sum(~np.isfinite(array)))} rows.")
        codes = equal_mass_bins(array, BINS_BY)
        each = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
        return {f"{array[rows].min():.4g} to {array[rows].max():.4g}": rows for rows in each}
    labels, codes = coded(by, n, "by")
    if len(labels) > n / 2 and len(labels) > MOST_LEVELS:
        raise ArgumentError(f"by has {len(labels)} labels for {n} rows: give labels that several rows share.")
    return {label: np.flatnonzero(codes == code) for code, label in enumerate(labels)}
