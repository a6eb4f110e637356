"""What `Model.evaluate` does: predictions of rows, in sample, as if left out, or held out, and their scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, DataError, check_flags, refuse_other
from nutslite.formula.columns.data import as_frame
from nutslite.formula.design import Design
from nutslite.formula.rows import with_new_groups
from nutslite.model.evaluation.row_labels import group_labels, row_labels, said_of_groups, said_of_ranges
from nutslite.model.fits.after_fit import check_results, prediction_task
from nutslite.model.record.specification import Specification

if TYPE_CHECKING:
    from nutslite.results.evaluation.predictive import Predictive
    from nutslite.scores.importance import LeftOut
    from nutslite.scores.kinds.prediction import Prediction
    from nutslite.scores.reports.report import Report

KINDS = ("loo", "insample")
MOST_NUMBERS = 20_000_000  # draws times rows, of which a few arrays are held: 160 MB each
MOST_REFITS = 20


class Better(NamedTuple):
    """What is done about rows that importance sampling cannot leave out."""

    moment_match: bool = False
    refit: bool = False


@dataclass(frozen=True)
class Rows:
    """The rows that are judged, and what is asked of them.

    Attributes
    ----------
    design : Design
    frame : DataFrame
        The data that hold them.
    own : bool
        Whether they are the model's own.
    """

    design: Design
    frame: pd.DataFrame
    own: bool

    def report(self, prediction: Prediction, groups: Any, by: Any, *notes: str, **options: Any) -> Report:
        """Scores of a prediction of them; `options` as for `nutslite.scores.evaluate`."""
        from nutslite.results.evaluation.predictive import observed_ends
        from nutslite.scores.evaluation import evaluate

        observed = observed_ends(self.design.response)
        found = evaluate(
            pd.Series(observed, index=self.design.rows)
            if observed.ndim == 1
            else pd.DataFrame(observed, self.design.rows),
            prediction,
            groups=group_labels(groups, self.design, self.frame),
            by=None if by is None else row_labels("by", by, self.design, self.frame),
            weights=self.design.weights,
            **options,
        )
        which = said_of_groups(self.design) if groups is None else ""
        return replace(found, notes=tuple(filter(None, (*notes, which, *found.notes))))


def evaluate(
    specification: Specification,
    idata: Any,
    *,
    data: Any,
    kind: str | None,
    new_groups: bool,
    groups: Any,
    by: Any,
    better: Better,
    draws: int | None,
    random_seed: Any,
    **options: Any,
) -> Report:
    """What `Model.evaluate` does."""
    check_flags(new_groups=new_groups, **better._asdict())
    if data is None:
        specification.need_rows("evaluate", "Give new rows: data=...")
    kind = _checked_kind(kind, data, new_groups, better, options.get("joint"))
    check_results(specification, idata)
    rows = _rows(specification, data, new_groups)
    group_labels(groups, rows.design, rows.frame)  # what is wrong with these is said before it takes time
    drawn = _draws(specification, idata, draws, rows.design)
    found = _predictive(specification, drawn.arrays, rows.design, new_groups, random_seed)
    notes = [*drawn.said, *_about(rows, kind, new_groups, idata, drawn)]
    options = {**options, "seed": random_seed}
    if kind != "loo":
        notes.append(_monte_carlo(found.log_likelihood, drawn, None))
        report = rows.report(found.prediction(drawn.weights), groups, by, *notes, **options)
        labels = group_labels(groups, rows.design, rows.frame)
        if new_groups and labels is not None:
            return with_joint(report, found.log_likelihood, labels, drawn.weights)
        return report
    from nutslite.scores.evaluation import with_left_out

    found, left_out, refitted = _left_out(specification, found, drawn, better, random_seed)
    notes = [*notes, *refitted, _monte_carlo(found.log_likelihood, drawn, left_out)]
    report = rows.report(found.prediction(left_out.weights), groups, by, *notes, **options)
    return with_left_out(report, left_out, "Each row is judged as if it had been left out (PSIS-LOO).")


def _checked_kind(kind: Any, data: Any, new_groups: bool, better: Better, joint: Any) -> str:
    """``"loo"``, ``"insample"`` or ``"held out"``."""
    if kind is not None:
        refuse_other("kind", kind, KINDS)
        if data is not None:
            raise ArgumentError(f"kind={kind!r} is about the model's own rows; those of data= were not fitted to.")
    found = "held out" if data is not None else kind or "loo"
    if new_groups and found == "loo":
        raise ArgumentError(
            "new_groups=True takes the groups of held-out rows (data=) for new ones. Of the model's own rows a group "
            "has to be left out as a whole: cross_validate(groups=...) does."
        )
    if joint and found == "loo":
        raise ArgumentError(
            "joint= is about all rows of a group at once, and here each row is left out by itself: take held-out rows "
            "(data=), or cross_validate(groups=...)."
        )
    for name, asked in better._asdict().items():
        if asked and found != "loo":
            raise ArgumentError(f"{name}=True is about leaving out single rows of the model's own (kind='loo').")
    return found


def _rows(specification: Specification, data: Any, new_groups: bool) -> Rows:
    design = specification.spec.design
    if data is None:
        return Rows(with_new_groups(design) if new_groups else design, specification.data, True)
    frame = as_frame(data)
    found = design.evaluate(frame, response=True)
    unseen = {name: factor.new_levels for name, factor in found.factors.items() if factor.new_levels}
    if new_groups:
        found = with_new_groups(found)
    elif unseen:
        name, levels = next(iter(unseen.items()))
        raise DataError(
            f"The model was not fitted to the level '{levels[0]}' of '{name}'. new_groups=True draws the effects of "
            "all groups from the distribution of groups."
        )
    return Rows(found, frame, False)


@dataclass(frozen=True)
class Drawn:
    """Draws that are judged.

    Attributes
    ----------
    arrays : dict of ndarray, shape (chains, draws, ...)
        By the model's names.
    chains : int
    said : list of str
        A note where they are not all.
    log_ratios : ndarray, shape (chains, draws), or None
        Of draws of an approximation that are as they were drawn: log density of the posterior less theirs.
    weights : ndarray, shape (S, 1), or None
        Where the fit was asked for weighted draws.
    """

    arrays: dict[str, NDArray[Any]]
    chains: int
    said: list[str]
    log_ratios: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None


def _draws(specification: Specification, idata: Any, draws: int | None, design: Design) -> Drawn:
    from nutslite.results.added_groups import named_posterior
    from nutslite.results.container.inference_data import get_group
    from nutslite.results.container.sample_axes import SampleAxes, check_count, thinned
    from nutslite.scores.containers import stored_ratios

    task = prediction_task(specification)
    dataset = get_group(idata, "posterior")
    axes = SampleAxes.of(dataset)
    chains, available = (axes.sizes.get(dim, 1) for dim in ("chain", "draw"))
    elements = design.n_rows * max(
        (len(labels) for _, labels in specification.spec.family.combined.values()), default=1
    )
    affordable = max(MOST_NUMBERS // max(elements, 1), chains)
    stats = stored_ratios(idata)
    if draws is not None:
        per_chain = check_count(draws, axes)
    else:
        per_chain = min(max(1, affordable // chains), available)
    dataset, stats = thinned(dataset, per_chain), None if stats is None else thinned(stats, per_chain)
    used = SampleAxes.of(dataset).sizes.get("draw", 1)
    said = [] if used == available else [f"{chains * used} of {chains * available} posterior draws were used (draws=)."]
    arrays = named_posterior(dataset, task.coords, task.aliases).arrays
    ratios = None if stats is None else SampleAxes.of(stats).array(stats["log_ratio"])
    weights = None
    if stats is not None and "log_weight" in stats:
        logs = SampleAxes.of(stats).array(stats["log_weight"]).reshape(-1, 1)
        weights = np.exp(logs - logs.max())
        weights = weights / weights.sum()
    return Drawn(arrays, chains, said, ratios, weights)


def _predictive(
    specification: Specification, posterior: dict[str, NDArray[Any]], design: Design, new_groups: bool, seed: Any
) -> Predictive:
    from nutslite.results.evaluation.predictive import predictive

    task = prediction_task(specification)
    return predictive(posterior, design, task, sample_new_groups=new_groups, random_seed=seed)


def _about(rows: Rows, kind: str, new_groups: bool, idata: Any, drawn: Drawn) -> list[str]:
    """What scores rest on."""
    from nutslite.posterior.methods.registry import approximate_names
    from nutslite.results.container.inference_data import get_group

    said = []
    if kind == "insample":
        said.append("Rows are judged by a posterior that has seen them: scores are better than those of new rows.")
    if kind != "held out" and not new_groups:
        said.append(said_of_ranges(rows.design))
    if kind == "held out":
        said.append(f"Rows were held out: {rows.design.n_rows} that the model was not fitted to.")
    if new_groups:
        said.append("Groups are taken for new ones: their effects are drawn from the distribution of groups.")
    method = get_group(idata, "posterior").attrs.get("inference_method")
    if method in approximate_names():
        what = f"Draws are of an approximation (inference_method='{method}')"
        if kind == "loo" and drawn.log_ratios is not None:
            said.append(f"{what}; they count by the density of the posterior over its own (Magnusson et al., 2019).")
        elif drawn.weights is not None:
            said.append(f"{what}, and count by their weights.")
        else:
            said.append(f"{what}, which the scores judge with the model.")
    return said


def with_joint(
    report: Report,
    log_likelihood: NDArray[np.float64],
    labels: NDArray[Any],
    weights: NDArray[np.float64] | None = None,
) -> Report:
    """The report with the joint log score of held-out rows of each group, and its mean over groups in the table."""
    from nutslite.scores.calibration.coverage import coded
    from nutslite.scores.pointwise.log_score import joint_nll_of
    from nutslite.scores.sampling_error.standard_errors import mean_with_error

    levels, codes = coded(labels, report.n, "groups")
    values = joint_nll_of(log_likelihood, np.asarray(levels), codes, weights)
    joint = pd.DataFrame({"rows": np.bincount(codes), "joint_nll": values}, index=pd.Index(levels, name="group"))
    if report.joint is not None:
        joint = joint.join(report.joint.drop(columns="rows"))
    found = mean_with_error(values, confidence=report.confidence)
    line = {
        **dict.fromkeys(report.table.columns, np.nan),
        **{name: getattr(found, name) for name in ("estimate", "se", "low", "high", "n")},
        "better": "lower",
        "note": "of all held-out rows of a group at once; mean over groups",
    }
    first = report.table.iloc[:1]
    added = pd.DataFrame([line], index=pd.Index(["joint_nll"], name="score")).astype(first.dtypes.to_dict())
    return replace(report, table=pd.concat([first, added, report.table.iloc[1:]]), joint=joint)


def _monte_carlo(log_likelihood: NDArray[np.float64], drawn: Drawn, left_out: LeftOut | None) -> str:
    """How far log scores of rows may be from those that endlessly many draws would give."""
    from nutslite.scores.importance import relative_efficiency
    from nutslite.scores.pointwise.log_score import nll_error

    if left_out is None:
        efficiency = relative_efficiency(log_likelihood.reshape(drawn.chains, -1, log_likelihood.shape[-1]))
        errors = nll_error(log_likelihood, drawn.weights) / np.sqrt(efficiency)
    else:
        errors = nll_error(log_likelihood, left_out.weights) / np.sqrt(left_out.efficiency)
        errors = np.delete(errors, left_out.bad)
    finite = errors[np.isfinite(errors)]
    if finite.size == 0:
        return ""
    return f"Monte Carlo errors of the rows' log scores are {finite.max():.2g} at most (more draws make them smaller)."


def _left_out(
    specification: Specification, found: Predictive, drawn: Drawn, better: Better, seed: Any
) -> tuple[Predictive, LeftOut, list[str]]:
    """Weights that leave out each row; those that cannot be relied on are made better where that is asked for."""
    from nutslite.scores.importance import leave_one_out

    own, chains = specification.spec.design.weights, drawn.chains
    logs = found.log_likelihood if own is None else own * found.log_likelihood
    left_out = leave_one_out(logs.reshape(chains, -1, logs.shape[-1]), drawn.log_ratios)
    said: list[str] = []
    if better.moment_match and left_out.bad.size:
        found, left_out, said = _moved(specification, found, left_out, drawn, seed)
    if better.refit and left_out.bad.size:
        found, left_out, more = _refitted(specification, found, left_out, chains, seed)
        said = [*said, *more]
    return found, left_out, said


def _moved(
    specification: Specification, found: Predictive, left_out: LeftOut, drawn: Drawn, seed: Any
) -> tuple[Predictive, LeftOut, list[str]]:
    """Draws moved to where they would be without each bad row, where that helps."""
    from nutslite.results.evaluation.moment_matching import MomentMatching

    task = prediction_task(specification)
    matching = MomentMatching(specification.posterior.assembled, drawn.arrays, task, left_out.limit, seed)
    weights, khat = left_out.weights.copy(), left_out.khat.copy()
    bad = left_out.bad
    for row in bad:
        matched = matching.match(int(row))
        if matched.khat < khat[row]:
            found = found.with_rows([int(row)], matched.predictive)
            weights[:, row], khat[row] = matched.weights, matched.khat
    after = left_out._replace(weights=weights, khat=khat)
    helped = bad.size - after.bad.size
    return (
        found,
        after,
        [f"Draws were moved for {bad.size} rows whose k-hat was high (moment matching); {helped} are good now."],
    )


def _refitted(
    specification: Specification, found: Predictive, left_out: LeftOut, chains: int, seed: Any
) -> tuple[Predictive, LeftOut, list[str]]:
    """Fits without each bad row."""
    from nutslite.model.evaluation.refits import RefitTask, concerns, refits
    from nutslite.posterior.methods.settings import Settings
    from nutslite.sampler.sample import seed_sequence

    bad = left_out.bad
    if bad.size > MOST_REFITS:
        raise ArgumentError(
            f"refit=True: k-hat is above {left_out.limit:.2f} in {bad.size} of {left_out.khat.size} rows, and "
            f"{MOST_REFITS} are refitted at most. cross_validate(k=10) leaves out rows in ten fits."
        )
    settings = Settings(draws=len(found.log_likelihood) // chains, chains=chains, random_seed=0, progressbar=False)
    task = RefitTask(specification.posterior.assembled, settings)
    again = list(refits(task, [bad[[place]] for place in range(bad.size)], seed_sequence(seed).spawn(bad.size)))
    weights, khat = left_out.weights.copy(), left_out.khat.copy()
    for one in again:
        found = found.with_rows(one.rows, one.predictive)
    weights[:, bad], khat[bad] = 1.0 / len(weights), 0.0
    names = ", ".join(str(label) for label in specification.spec.design.rows[bad])
    said = f"The model was fitted again without each of {bad.size} rows, whose k-hat was high: {names}."
    return found, left_out._replace(weights=weights, khat=khat), [said, *concerns(again)]
