"""Models and results that are asked for scores of what they do not have."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, fitted, frame, model

from nutslite.exceptions import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    DataTypeError,
    NutsliteError,
    SettingError,
)
from nutslite.results.container.inference_data import build_container, get_group
from nutslite.scores.evaluation import evaluate
from nutslite.scores.importance import leave_one_out


def _evaluate(**options: Any) -> Any:
    return fitted()[0].evaluate(fitted()[1], **{"simulations": 0, **options})


def _cross_validate(**options: Any) -> Any:
    return fitted()[0].cross_validate(**options)


def _closed() -> ThreadPoolExecutor:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    return executor


def _stored(*groups: str, several: bool = False, **options: Any) -> Any:
    """Results with the groups named, of one response or two."""
    import xarray

    y, draws = xarray.DataArray(np.arange(4.0), dims="row"), np.zeros((2, 3, 4))
    sampled = xarray.DataArray(draws, dims=("chain", "draw", "row"))
    all_groups = {
        "posterior": xarray.Dataset({"a": sampled}),
        "observed_data": xarray.Dataset({"y": y, "z": y} if several else {"y": y}),
        "posterior_predictive": xarray.Dataset({"y": sampled, "z": sampled} if several else {"y": sampled}),
        "short": xarray.Dataset({"y": sampled.isel(row=slice(3))}),
        "other": xarray.Dataset({"q": sampled}),
        "mean": xarray.Dataset({"y": sampled.mean("chain")}),
    }
    named = {
        "posterior_predictive" if name in ("short", "other", "mean") else name: all_groups[name] for name in groups
    }
    return evaluate(build_container(named), **options)


BOTH = ("observed_data", "posterior_predictive")

WRONG: list[tuple[Any, type[Exception], tuple[str, ...]]] = [
    (partial(_evaluate, kind="out"), ArgumentError, ("kind is one of 'loo', 'insample'; not 'out'",)),
    (partial(_evaluate, kind="loo", data=frame()), ArgumentError, ("kind='loo'", "data=")),
    (partial(_evaluate, new_groups=True), ArgumentError, ("new_groups=True", "data=", "cross_validate(groups=...)")),
    (partial(_evaluate, new_groups="yes"), NutsliteError, ("new_groups", "'yes'")),
    (partial(_evaluate, refit=True, kind="insample"), ArgumentError, ("refit=True", "kind='loo'")),
    (partial(_evaluate, data=frame(s="s9")), DataError, ("level 's9' of 's'", "new_groups=True")),
    (partial(_evaluate, data=frame().drop(columns="y")), DataError, ("'y'",)),
    (partial(_evaluate, groups="class"), DataError, ("groups='class'", "no such column")),
    (partial(_evaluate, groups=["a", "b"]), DataError, ("groups has shape (2,)", "24 rows")),
    (partial(_evaluate, groups=True), ArgumentError, ("groups is the name of a column", "True")),
    (partial(_evaluate, by="gg"), DataError, ("by='gg'", "no such column", "Did you mean")),
    (partial(_evaluate, by=[np.nan] * 24), DataError, ("by is missing in 24 of 24 rows",)),
    (partial(_evaluate, draws=0), DataError, ("draws", "not 0")),
    (partial(_evaluate, levels=[90]), NutsliteError, ("levels", "90")),
    (partial(_evaluate, group="s"), TypeError, ("group",)),
    (lambda: model("y ~ x + z + (1|s)").evaluate(fitted()[1]), DataError, ("no variable 'z'", "another model")),
    (lambda: fitted()[0].evaluate(get_group(fitted()[1], "posterior")), DataTypeError, ("Model.fit returned",)),
    (partial(_evaluate, joint="energy"), ArgumentError, ("joint=", "left out by itself", "cross_validate(groups=...)")),
    (partial(_evaluate, kind="insample", joint="enrgy"), NutsliteError, ("joint is one of", "Did you mean 'energy'")),
    (
        partial(_evaluate, kind="insample", joint="energy", groups=False),
        ArgumentError,
        ("joint= scores all rows of a group at once", "groups="),
    ),
    (partial(_cross_validate, k=1), SettingError, ("k is how many", "24 rows", "not 1")),
    (partial(_cross_validate, k=True), SettingError, ("k is how many", "not True")),
    (partial(_cross_validate, k=7, groups="s"), SettingError, ("from 2 to the 6 groups", "not 7")),
    (partial(_cross_validate, groups=np.zeros(24)), DataError, ("one of the groups only",)),
    (partial(_cross_validate, groups=False), ArgumentError, ("groups is what to hold out",)),
    (partial(_cross_validate, groups="class"), DataError, ("groups='class'", "no such column")),
    (partial(_cross_validate, by="class"), DataError, ("by='class'",)),
    (partial(_cross_validate, executor=2), ArgumentTypeError, ("executor", "submit", "not 2")),
    (partial(_cross_validate, inference_method="laplace"), ArgumentError, ("inference_method", "'laplace'")),
    (partial(_cross_validate, draws=0), SettingError, ("draws", "0")),
    (partial(_cross_validate, random_seed="one"), NutsliteError, ("random_seed", "'one'")),
    (partial(_stored, "posterior"), DataError, ("no group 'observed_data'", "sample_posterior_predictive")),
    (partial(_stored, "observed_data"), DataError, ("no group 'posterior_predictive'", "kind='response'")),
    (partial(_stored, "observed_data", "short"), DataError, ("'y' has 4 observations, and draws of 3",)),
    (partial(_stored, "observed_data", "other"), DataError, ("no variable in common: y and q",)),
    (partial(_stored, "observed_data", "mean"), DataError, ("'y' has no dimension 'chain'",)),
    (partial(_stored, *BOTH, several=True), DataError, ("several responses: y, z", "var_name=")),
    (partial(_stored, *BOTH, var_name="yy"), ArgumentError, ("var_name='yy'", "There are: y")),
    (partial(_stored, *BOTH, kind="loo"), DataError, ("log likelihood", "compute_log_likelihood")),
    (partial(_stored, *BOTH, kind="kfold"), ArgumentError, ("kind is one of 'loo', 'insample', 'held out'",)),
    (lambda: evaluate(np.zeros(3), kind="loo"), ArgumentError, ("kind='loo'", "results of a sampler")),
    (lambda: evaluate(pd.Series([0.0, 1.0])), NutsliteError, ("P is no Prediction",)),
    (lambda: evaluate("fit.nc"), ArgumentTypeError, ("P is no Prediction", "results of a fit", "not a str")),
    (
        partial(_cross_validate, k=2, executor=ThreadPoolExecutor),
        ArgumentTypeError,
        ("ThreadPoolExecutor is the class", "ThreadPoolExecutor()"),
    ),
    (lambda: _cross_validate(k=2, executor=_closed()), ArgumentError, ("The executor takes no work", "shutdown")),
    (lambda: leave_one_out([1.0, 2.0]), DataError, ("(draws, rows)", "not (2,)")),
    (lambda: leave_one_out([[np.nan, 2.0]]), DataError, ("log_likelihood must not be nan",)),
    (lambda: leave_one_out(np.zeros((9, 2)), np.zeros(2)), DataError, ("one number a draw", "(9,)", "(2,)")),
    (lambda: leave_one_out(np.zeros((2, 2)), [0.0, -np.inf]), DataError, ("log_ratios must be finite",)),
]

CALLS = [
    BadCall(f"evaluation {k}: {'; '.join(words)}", call, kind, words) for k, (call, kind, words) in enumerate(WRONG)
]
