"""What `Model.evaluate` does: predictions of rows, in sample, as if left out, or held out, and their scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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

        found = evaluate(
            pd.Series(observed_ends(self.design.response), index=self.design.rows),
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
    refit: bool,
    draws: int | None,
    random_seed: Any,
    **options: Any,
) -> Report:
    """What `Model.evaluate` does."""
    check_flags(new_groups=new_groups, refit=refit)
    kind = _checked_kind(kind, data, new_groups, refit, options.get("joint"))
    check_results(specification, idata)
    rows = _rows(specification, data, new_groups)
    group_labels(groups, rows.design, rows.frame)  # what is wrong with these is said before it takes time
    posterior, chains, said = _draws(specification, idata, draws, rows.design)
    found = _predictive(specification, posterior, rows.design, new_groups, random_seed)
    notes = [*said, *_about(rows, kind, new_groups, idata)]
    options = {**options, "seed": random_seed}
    if kind != "loo":
        notes.append(_monte_carlo(found.log_likelihood, chains, None))
        report = rows.report(found.prediction(), groups, by, *notes, **options)
        labels = group_labels(groups, rows.design, rows.frame)
        return with_joint(report, found.log_likelihood, labels) if new_groups and labels is not None else report
    from nutslite.scores.evaluation import with_left_out

    found, left_out, refitted = _left_out(specification, found, chains, refit, random_seed)
    notes = [*notes, *refitted, _monte_carlo(found.log_likelihood, chains, left_out)]
    report = rows.report(found.prediction(left_out.weights), groups, by, *notes, **options)
    return with_left_out(report, left_out, "Each row is judged as if it had been left out (PSIS-LOO).")


def _checked_kind(kind: Any, data: Any, new_groups: bool, refit: bool, joint: Any) -> str:
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
    if refit and found != "loo":
        raise ArgumentError("refit=True is about leaving out single rows of the model's own (kind='loo').")
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


def _draws(
    specification: Specification, idata: Any, draws: int | None, design: Design
) -> tuple[dict[str, NDArray[Any]], int, list[str]]:
    """Draws by the model's names, how many chains they are, and a note where they are not all."""
    from nutslite.results.added_groups import named_posterior
    from nutslite.results.container.inference_data import get_group
    from nutslite.results.container.sample_axes import SampleAxes, check_count, thinned

    task = prediction_task(specification)
    dataset = get_group(idata, "posterior")
    axes = SampleAxes.of(dataset)
    chains, available = (axes.sizes.get(dim, 1) for dim in ("chain", "draw"))
    elements = design.n_rows * max(
        (len(labels) for _, labels in specification.spec.family.combined.values()), default=1
    )
    affordable = max(MOST_NUMBERS // max(elements, 1), chains)
    if draws is not None:
        dataset = thinned(dataset, check_count(draws, axes))
    elif affordable < chains * available:
        dataset = thinned(dataset, max(1, affordable // chains))
    used = SampleAxes.of(dataset).sizes.get("draw", 1)
    said = [] if used == available else [f"{chains * used} of {chains * available} posterior draws were used (draws=)."]
    return named_posterior(dataset, task.coords, task.aliases).arrays, chains, said


def _predictive(
    specification: Specification, posterior: dict[str, NDArray[Any]], design: Design, new_groups: bool, seed: Any
) -> Predictive:
    from nutslite.results.evaluation.predictive import predictive

    task = prediction_task(specification)
    return predictive(posterior, design, task, sample_new_groups=new_groups, random_seed=seed)


def _about(rows: Rows, kind: str, new_groups: bool, idata: Any) -> list[str]:
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
        said.append(
            f"Draws are of an approximation (inference_method='{method}'), which the scores judge with the model."
        )
    return said


def with_joint(report: Report, log_likelihood: NDArray[np.float64], labels: NDArray[Any]) -> Report:
    """The report with the joint log score of held-out rows of each group, and its mean over groups in the table."""
    from nutslite.scores.calibration.coverage import coded
    from nutslite.scores.pointwise.log_score import joint_nll
    from nutslite.scores.sampling_error.standard_errors import mean_with_error

    levels, codes = coded(labels, report.n, "groups")
    values = joint_nll(log_likelihood, codes)[1]
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


def _monte_carlo(log_likelihood: NDArray[np.float64], chains: int, left_out: LeftOut | None) -> str:
    """How far log scores of rows may be from those that endlessly many draws would give."""
    from nutslite.scores.importance import relative_efficiency
    from nutslite.scores.pointwise.log_score import nll_error

    if left_out is None:
        efficiency = relative_efficiency(log_likelihood.reshape(chains, -1, log_likelihood.shape[-1]))
        errors = nll_error(log_likelihood) / np.sqrt(efficiency)
    else:
        errors = nll_error(log_likelihood, left_out.weights) / np.sqrt(left_out.efficiency)
        errors = np.delete(errors, left_out.bad)
    finite = errors[np.isfinite(errors)]
    if finite.size == 0:
        return ""
    return f"Monte Carlo errors of the rows' log scores are {finite.max():.2g} at most (more draws make them smaller)."


def _left_out(
    specification: Specification, found: Predictive, chains: int, refit: bool, seed: Any
) -> tuple[Predictive, LeftOut, list[str]]:
    """Weights that leave out each row; those of which they cannot be relied on by a fit without it, where asked for."""
    from nutslite.scores.importance import LeftOut, leave_one_out

    own = specification.spec.design.weights
    logs = found.log_likelihood if own is None else own * found.log_likelihood
    left_out = leave_one_out(logs.reshape(chains, -1, logs.shape[-1]))
    bad = left_out.bad
    if not refit or bad.size == 0:
        return found, left_out, []
    if bad.size > MOST_REFITS:
        raise ArgumentError(
            f"refit=True: k-hat is above {left_out.limit:.2f} in {bad.size} of {left_out.khat.size} rows, and "
            f"{MOST_REFITS} are refitted at most. cross_validate(k=10) leaves out rows in ten fits."
        )
    from nutslite.model.evaluation.refits import RefitTask, concerns, refits
    from nutslite.posterior.methods.settings import Settings
    from nutslite.sampler.sample import seed_sequence

    settings = Settings(draws=len(found.log_likelihood) // chains, chains=chains, random_seed=0, progressbar=False)
    task = RefitTask(specification.posterior.assembled, settings)
    again = list(refits(task, [bad[[place]] for place in range(bad.size)], seed_sequence(seed).spawn(bad.size)))
    weights, khat = left_out.weights.copy(), left_out.khat.copy()
    for one in again:
        found = found.with_rows(one.rows, one.predictive)
    weights[:, bad], khat[bad] = 1.0 / len(weights), 0.0
    names = ", ".join(str(label) for label in specification.spec.design.rows[bad])
    said = f"The model was fitted again without each of {bad.size} rows, whose k-hat was high: {names}."
    return found, LeftOut(weights, khat, left_out.efficiency), [said, *concerns(again)]
