"""Draws that were cut, renamed or mixed up, and what is asked of them: predictions, tables, aliases of parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray
from bad_calls import BadCall, fitted, frame, model

import nutslite as nl
from nutslite.exceptions import DataError, DataTypeError, NutsliteWarning, SettingError, SettingTypeError
from nutslite.results.container.inference_data import build_container, get_group

NEW = {"x": [0.0, 1.0], "s": ["s0", "s1"]}


def _posterior() -> xarray.Dataset:
    return get_group(fitted()[1], "posterior")


def _changed(change: Callable[[xarray.Dataset], xarray.Dataset]) -> Any:
    """The posterior alone, after a change."""
    return build_container({"posterior": change(_posterior())})


def _predict(change: Callable[[xarray.Dataset], xarray.Dataset] | None = None, **options: Any) -> Any:
    results = fitted()[1] if change is None else _changed(change)
    return fitted()[0].predict(results, **{"inplace": False, **options})


def _of_prior() -> Any:
    one = model("y ~ x")
    return one.predict(one.prior_predictive(draws=3, random_seed=1))


def _log_likelihood(**columns: Any) -> Any:
    return fitted()[0].compute_log_likelihood(fitted()[1], data=frame(**columns), inplace=False)


CALLS: list[BadCall] = [
    *(
        BadCall(f"predict: draws={draws!r}", partial(_predict, draws=draws), kind, ("draws", "from 1 to 40", shown))
        for draws, kind, shown in [
            (0, DataError, "not 0"),
            (-3, DataError, "not -3"),
            (41, DataError, "not 41"),
            (2.5, DataError, "not 2.5"),
            (np.nan, DataError, "not nan"),
            ("all", DataTypeError, "not 'all'"),
            ([1, 2], DataTypeError, "not [1, 2]"),
            (slice(0, 10), DataTypeError, "slice"),
        ]
    ),
    BadCall(
        "predict: parameters of some draws beside all draws",
        partial(_predict, lambda group: group, draws=10, inplace=True),
        DataError,
        ("draws=10", "inplace=False"),
    ),
    BadCall(
        "predict: more draws than a single chain has",
        partial(_predict, lambda group: group.isel(chain=0), draws=21),
        DataError,
        ("from 1 to 20", "21"),
    ),
    BadCall(
        "predict: no draws are left",
        partial(_predict, lambda group: group.isel(draw=slice(0, 0))),
        DataError,
        ("no draws",),
    ),
    BadCall(
        "predict: no chain is left",
        partial(_predict, lambda group: group.isel(chain=[])),
        DataError,
        ("no draws",),
    ),
    BadCall(
        "predict: means instead of draws",
        partial(_predict, lambda group: group.mean(("chain", "draw"))),
        DataError,
        ("'chain'", "'draw'", "fit returned"),
    ),
    BadCall(
        "predict: chains and draws stacked",
        partial(_predict, lambda group: group.stack(sample=("chain", "draw"))),
        DataError,
        ("'chain'", "unstack('sample')"),
    ),
    BadCall(
        "predict: dimensions with other names",
        partial(_predict, lambda group: group.rename(chain="kette", draw="ziehung")),
        DataError,
        ("'chain'", "'draw'"),
    ),
    BadCall(
        "predict: a group was left out",
        partial(_predict, lambda group: group.isel(s__factor_dim=slice(1, None))),
        DataError,
        ("groups of 's'", "5", "6"),
    ),
    BadCall(
        "predict: a group twice",
        partial(_predict, lambda group: group.isel(s__factor_dim=[0, 0, 1, 2, 3, 4])),
        DataError,
        ("groups of 's'", "the results of this model"),
    ),
    BadCall(
        "predict: groups with other names",
        partial(_predict, lambda group: group.assign_coords(s__factor_dim=list("abcdef"))),
        DataError,
        ("groups of 's'", "'a'"),
    ),
    BadCall(
        "predict: a variable was left out",
        partial(_predict, lambda group: group.drop_vars("x")),
        DataError,
        ("no variable 'x'",),
    ),
    BadCall(
        "predict: a variable as texts",
        partial(_predict, lambda group: group.assign(x=group.x.astype(str))),
        DataError,
        ("'x'", "numbers"),
    ),
    BadCall(
        "predict: effects of one number",
        partial(_predict, lambda group: group.assign({"1|s": group["1|s"].mean("s__factor_dim")})),
        DataError,
        ("'1|s'", "another model"),
    ),
    BadCall("predict: draws of the prior", _of_prior, DataError, ("no group 'posterior'", "prior")),
    BadCall(
        "predict: a Dataset",
        lambda: fitted()[0].predict(_posterior()),
        DataTypeError,
        ("Model.fit returned", "Dataset"),
    ),
    BadCall(
        "predict: a list of results",
        lambda: fitted()[0].predict([fitted()[1]]),
        DataTypeError,
        ("Model.fit returned", "list"),
    ),
    BadCall("predict: no new rows", partial(_predict, data=pd.DataFrame({"x": [], "s": []})), DataError, ("no rows",)),
    BadCall("predict: results as new rows", lambda: _predict(data=fitted()[1]), DataError, ("The data are a",)),
    BadCall(
        "predict: one new row as numbers",
        partial(_predict, data={"x": 1.0, "s": "s0"}),
        DataError,
        ("x",),
    ),
    BadCall(
        "log likelihood: a response of texts",
        partial(_log_likelihood, y="high"),
        DataError,
        ("'y'",),
    ),
    BadCall(
        "log likelihood: a missing response",
        partial(_log_likelihood, y=np.nan),
        DataError,
        ("'y'", "incomplete"),
    ),
    BadCall(
        "log prior: draws of another model",
        lambda: model("y ~ x + z + (1|s)").compute_log_prior(fitted()[1]),
        DataError,
        ("no variable 'z'", "another model"),
    ),
    BadCall(
        "r2_score: a response that does not vary",
        lambda: model("y ~ x + (1|s)", frame(y=1.0), auto_scale=False).r2_score(fitted()[1]),
        DataError,
        ("'y'", "does not vary"),
    ),
    BadCall(
        "summary: no draws are left",
        lambda: nl.summary(_changed(lambda group: group.isel(draw=slice(0, 0)))),
        DataError,
        ("no draws",),
    ),
    BadCall(
        "summary: data have no draws", lambda: nl.summary(fitted()[1], group="observed_data"), DataError, ("draws",)
    ),
    *(
        BadCall(
            f"prior_predictive: draws={draws!r}",
            partial(model().prior_predictive, draws=draws),
            kind,
            ("draws", f"not {draws!r}"),
        )
        for draws, kind in [(2.5, SettingError), ("many", SettingTypeError), (None, SettingTypeError)]
    ),
    BadCall(
        "set_alias: a parameter that the family lacks",
        lambda: model().set_alias({"rho": {"rho": "r"}}),
        DataError,
        ("'rho'", "mu, sigma"),
    ),
    BadCall(
        "set_alias: a constant parameter has no terms",
        lambda: model().set_alias({"sigma": {"x": "slope"}}),
        NutsliteWarning,
        ("'sigma_x'", "not used"),
    ),
    BadCall(
        "set_alias: an empty name", lambda: model().set_alias({"sigma": {"sigma": ""}}), DataError, ("'sigma'", "text")
    ),
    BadCall(
        "set_alias: a parameter called as a term is",
        lambda: model().set_alias({"sigma": {"sigma": "x"}}),
        DataError,
        ("'x' and 'sigma'", "another alias"),
    ),
]
