"""What `Model.cross_validate` does: rows or whole groups are held out in turn, and predicted by fits without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import check_executor
from nutslite.exceptions import ArgumentError, DataError, SettingError
from nutslite.model.evaluation.evaluation import Rows, with_joint
from nutslite.model.evaluation.row_labels import row_labels, said_of_ranges
from nutslite.model.record.specification import Specification

if TYPE_CHECKING:
    from nutslite.formula.design import Design
    from nutslite.model.evaluation.refits import Refit
    from nutslite.results.evaluation.predictive import Predictive
    from nutslite.scores.reports.report import Report

Fold = NDArray[np.int64]

USUAL = 10
METHODS = ("auto", "nuts", "hmc")


def cross_validate(
    specification: Specification,
    *,
    k: int | None,
    groups: Any,
    stratify: Any,
    by: Any,
    executor: Any,
    random_seed: Any,
    fit: dict[str, Any],
    **options: Any,
) -> Report:
    """What `Model.cross_validate` does; `fit` has arguments of `Model.fit`."""
    from nutslite.model.evaluation.refits import RefitTask, concerns, refits
    from nutslite.posterior.methods.settings import Settings
    from nutslite.sampler.sample import seed_sequence

    specification.need_rows("cross_validate")
    rows = Rows(specification.spec.design, specification.data, True)
    labels = None if groups is None else _held_out_groups(groups, rows)
    if by is not None:
        row_labels("by", by, rows.design, rows.frame)
    check_executor(executor, "fit")
    if fit["inference_method"] not in METHODS:
        raise ArgumentError(f"inference_method is one of 'auto', 'nuts', 'hmc' here, not {fit['inference_method']!r}.")
    seeds = seed_sequence(random_seed)
    cores = None if executor is None else 1  # an executor's workers share the machine
    settings = Settings(random_seed=0, progressbar=False, cores=cores, **fit)
    shuffle, *of_fits = seeds.spawn(1 + rows.design.n_rows)
    strata = None if stratify is None else row_labels("stratify", stratify, rows.design, rows.frame)
    folds = _folds(k, rows.design.n_rows, labels, strata, np.random.default_rng(shuffle))
    _check_weights(rows.design, folds)
    task = RefitTask(specification.posterior.assembled, settings)
    found = list(refits(task, folds, of_fits[: len(folds)], executor))
    together = _together(found, rows.design)
    notes = [_said(len(folds), groups, labels), *concerns(found)]
    own = groups if labels is None else labels
    said = said_of_ranges(rows.design) if labels is None else ""
    report = rows.report(together.prediction(), own, by, *notes, said, seed=_plain_seed(random_seed), **options)
    for concern in notes[1:]:
        log.warning(concern)
    return report if labels is None else with_joint(report, together.log_likelihood, labels)


def _held_out_groups(groups: Any, rows: Rows) -> NDArray[Any]:
    """Labels of the groups that are held out as a whole."""
    from nutslite.formula.by_levels import put_together
    from nutslite.formula.rows import levels_by_row

    if isinstance(groups, bool):
        raise ArgumentError(
            "groups is what to hold out as a whole: a column's name, or one label a row; left out, single rows are."
        )
    factors = put_together(rows.design.factors)
    if isinstance(groups, str) and groups in factors:
        return levels_by_row(factors[groups])
    return row_labels("groups", groups, rows.design, rows.frame)


def _folds(
    k: int | None, n: int, labels: NDArray[Any] | None, strata: NDArray[Any] | None, rng: np.random.Generator
) -> list[Fold]:
    """Places of the rows of each fold, in order; rows of a group are in one fold, and of a stratum in all alike.

    Raises
    ------
    SettingError
        Where there cannot be so many.
    DataError
        Where rows of one group are of several strata.
    """
    units, codes = (n, np.arange(n)) if labels is None else _coded(labels)
    what = "rows" if labels is None else "groups"
    if units < 2:
        raise DataError(f"There is one of the {what} only: nothing is left to fit to without it.")
    if k is None:
        k = min(USUAL, units)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 2 <= k <= units:
        raise SettingError(f"k is how many parts to hold out in turn, from 2 to the {units} {what}; not {k!r}.")
    of_unit = np.empty(units, dtype=np.int64)
    order = rng.permutation(units)
    if strata is not None:
        order = order[np.argsort(_strata_of_units(codes, strata)[order], kind="stable")]
    of_unit[order] = np.arange(units) % k
    fold = of_unit[codes]
    return [np.flatnonzero(fold == place) for place in range(k)]


def _strata_of_units(codes: NDArray[Any], strata: NDArray[Any]) -> NDArray[Any]:
    """The stratum of each row or group, as a number."""
    table = pd.DataFrame({"unit": codes, "stratum": _coded(strata)[1]}).drop_duplicates()
    if table["unit"].duplicated().any():
        raise DataError(
            "stratify has several labels in one of the groups, which are held out as a whole: it needs one for each."
        )
    return table.sort_values("unit")["stratum"].to_numpy()


def _coded(labels: NDArray[Any]) -> tuple[int, NDArray[np.int64]]:
    codes, levels = pd.factorize(labels)
    return len(levels), codes


def _check_weights(design: Design, folds: list[Fold]) -> None:
    if design.weights is None:
        return
    for fold in folds:
        if not np.delete(design.weights, fold).any():
            raise DataError("The weights of all rows outside one of the folds are zero: nothing is left to fit to.")


def _together(found: list[Refit], design: Design) -> Predictive:
    """What all refits say, in the order of the model's rows."""
    order = np.argsort(np.concatenate([refit.rows for refit in found]))
    each = [refit.predictive for refit in found]
    return replace(
        each[0],
        arrays={name: np.concatenate([one.arrays[name] for one in each], axis=1)[:, order] for name in each[0].arrays},
        log_likelihood=np.concatenate([one.log_likelihood for one in each], axis=1)[:, order],
        response=design.response,
    )


def _said(folds: int, groups: Any, labels: NDArray[Any] | None) -> str:
    if labels is None:
        return f"Each row was predicted by a fit without it, in {folds} parts (cross-validation)."
    named = f" of '{groups}'" if isinstance(groups, str) else ""
    return (
        f"Each of {_coded(labels)[0]} groups{named} was predicted by a fit without any of its rows, in {folds} parts "
        "(cross-validation)."
    )


def _plain_seed(random_seed: Any) -> Any:
    """The seed of what follows the fits."""
    return 0 if random_seed is None or isinstance(random_seed, np.random.SeedSequence) else random_seed
