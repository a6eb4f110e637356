"""What is done with models, results, files and pictures, that does not go together."""

from __future__ import annotations

import contextlib
import io
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, file_with, fitted, frame, model

import nutslite as nl
from nutslite.calibration import simulation_based_calibration
from nutslite.cli import main
from nutslite.exceptions import ArgumentError, DataError, NutsliteError, NutsliteWarning, SamplingError
from nutslite.model import Model
from nutslite.results.container.inference_data import build_container

LONG = "a" * 5000
FOLDER = tempfile.gettempdir()


def _fit(one: Model | None = None, **arguments: Any) -> Any:
    settings = {"draws": 5, "tune": 5, "chains": 1, "progressbar": False, "compute_convergence_checks": False}
    return (one or model("y ~ x + (1|s)")).fit(**{**settings, **arguments})


def _assign(name: str, value: Any) -> None:
    setattr(model(), name, value)


def _built() -> Model:
    one = model("y ~ x + (1|g)")
    one.build()
    return one


def _plots(**arguments: Any) -> Any:
    return _built().plot_priors(**{"draws": 20, **arguments})


def _graph(**arguments: Any) -> Any:
    return _built().graph(**arguments)


def _stale_plan() -> Any:
    one = model()
    plan = one.plan()
    one.set_priors({"x": nl.Prior("Normal", mu=5, sigma=0.1)})
    return _fit(one, plan=plan)


def _named(name: str, formula: str) -> Any:
    """A model with a column of that name, before anything is sampled."""
    return model(formula.format(name=name), frame(**{name: frame()["g" if "|" in formula else "x"]}))


def _by(formula: str, *positional: Any, data: Any = None) -> Model:
    """Another model than the one of `fitted`, whose results it shall use."""
    return model(formula, data, *positional)


def _other_levels() -> pd.DataFrame:
    return frame(s=[f"q{name}" for name in frame()["s"]])


def _calibrate(**arguments: Any) -> Any:
    priors = {name: nl.Prior("Normal", mu=0, sigma=1) for name in ("Intercept", "x")}
    return simulation_based_calibration(model("y ~ x", priors=priors), **{"n_simulations": 2, "draws": 9, **arguments})


def _command(*arguments: str) -> None:
    """The command line; its error as an exception, if it is one of ours."""
    csv = file_with("data.csv", frame().to_csv(index=False).encode())
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        code = main([word.replace("DATA", csv) for word in arguments])
    if code == 1 and errors.getvalue().startswith("nutslite: error: "):
        raise ArgumentError(errors.getvalue())


ASSIGNED = [
    BadCall("model.formula = ...", partial(_assign, "formula", "y ~ z"), NutsliteError, ("model.formula", "new Model")),
    BadCall("model.family = ...", partial(_assign, "family", "poisson"), NutsliteError, ("model.family", "new Model")),
    BadCall("model.priors = ...", partial(_assign, "priors", {}), NutsliteError, ("model.priors", "set_priors")),
    BadCall("model.draws = ...", partial(_assign, "draws", 3), NutsliteError, ("model.draws",)),
    BadCall(
        "config.UNUSED_PRIORS = ...",
        lambda: setattr(nl.config, "UNUSED_PRIORS", "error"),
        NutsliteError,
        ("config['UNUSED_PRIORS'] = 'error'",),
    ),
]

PLANS_AND_FILES = [
    BadCall("fit: plan of another model", lambda: _fit(plan=model("y ~ z").plan()), SamplingError, ("another model",)),
    BadCall("fit: plan from before set_priors", _stale_plan, SamplingError, ("priors changed", "plan() again")),
    BadCall(
        "fit: one file for two things",
        lambda: _fit(checkpoint="same", file="./same"),
        NutsliteError,
        ("checkpoint and file", "another name"),
    ),
    BadCall(
        "fit: target_accept in two places",
        partial(_fit, target_accept=0.9, nuts={"target_accept": 0.95}),
        NutsliteError,
        ("target_accept", "0.9", "0.95", "once"),
    ),
    BadCall(
        "fit: log_likelihood as a text",
        partial(_fit, idata_kwargs={"log_likelihood": "no"}),
        NutsliteError,
        ("log_likelihood", "'no'"),
    ),
    BadCall("fit: a list of methods", partial(_fit, inference_method=["nuts"]), NutsliteError, ("['nuts']", "'nuts'")),
    *[
        BadCall(f"fit: {10**12} chains, {method}", call, SamplingError, ("chains", "10000", "not 1000000000000"))
        for method in ("auto", "nuts", "laplace")
        for call in [partial(_fit, chains=10**12, inference_method=method)]
    ],
    *[
        BadCall(f"{what} with a zero byte", partial(call, "a\0b"), DataError, ("zero byte",))
        for what, call in [
            ("fit: checkpoint", lambda path: _fit(checkpoint=path)),
            ("fit: file", lambda path: _fit(file=path)),
            ("save: a path", lambda path: nl.save(fitted()[1], path)),
            ("load: a path", nl.load),
            ("Model.save: a path", lambda path: model().save(path)),
            ("Model: data", lambda path: Model("y ~ x", path)),
        ]
    ],
    *[
        BadCall(f"{what} that is too long", partial(call, LONG), DataError, ("'aaaaaa", "no path"))
        for what, call in [
            ("fit: checkpoint", lambda path: _fit(checkpoint=path)),
            ("fit: file", lambda path: _fit(file=path)),
            ("save: a path", lambda path: nl.save(fitted()[1], path)),
            ("load: a path", nl.load),
            ("Model: data", lambda path: Model("y ~ x", path)),
        ]
    ],
    BadCall("save: an empty path", lambda: nl.save(fitted()[1], ""), DataError, ("path", "empty")),
    BadCall("fit: an empty checkpoint", partial(_fit, checkpoint=""), DataError, ("checkpoint", "empty")),
    BadCall("Model.save: no path", lambda: model().save(None), DataError, ("path", "None")),
    BadCall("load: bytes as a path", lambda: nl.load(b"fit.nc"), DataError, ("path", "fit.nc")),
    BadCall("Model: results as data", lambda: Model("y ~ x", fitted()[1]), DataError, ("DataFrame",)),
    BadCall(
        "predict: results as data", lambda: fitted()[0].predict(fitted()[1], data=fitted()[1]), DataError, ("dict",)
    ),
]

OF_OTHERS = [
    BadCall(
        "predict: results of other groups",
        lambda: _by("y ~ x + (1|s)", data=_other_levels()).predict(fitted()[1], inplace=False),
        DataError,
        ("'s'", "'s0'", "'qs0'"),
    ),
    BadCall(
        "log likelihood: results of other groups",
        lambda: _by("y ~ x + (1|s)", data=_other_levels()).compute_log_likelihood(fitted()[1], inplace=False),
        DataError,
        ("'s'", "'s0'", "'qs0'"),
    ),
    BadCall(
        "predict: results of another response",
        lambda: _by("z ~ x + (1|s)").predict(fitted()[1], inplace=False),
        NutsliteWarning,
        ("another model", "'y ~ x + (1|s)'", "'z ~ x + (1|s)'"),
    ),
    BadCall(
        "predict: results with more terms",
        lambda: _by("y ~ 1 + (1|s)").predict(fitted()[1], inplace=False),
        NutsliteWarning,
        ("another model", "'y ~ 1 + (1|s)'"),
    ),
    BadCall(
        "log likelihood: results of another family",
        lambda: _by("y ~ x + (1|s)", "t", data=frame()).compute_log_likelihood(_gaussian_as_t(), inplace=False),
        NutsliteWarning,
        ("family", "'gaussian'", "'t'"),
    ),
    BadCall(
        "R2: results of another response",
        lambda: _by("z ~ x + (1|s)").r2_score(fitted()[1]),
        NutsliteWarning,
        ("another model",),
    ),
    *[
        BadCall(
            f"{what} called {name}", partial(_named, name, formula), DataError, (f"'{name}'", "dimension", "Rename")
        )
        for name in ("chain", "draw")
        for what, formula in [("a column", "y ~ {name}"), ("a response", "{name} ~ z")]
    ],
    BadCall("set_alias: a dimension", lambda: model().set_alias({"x": "chain"}), DataError, ("'chain'", "dimension")),
    *[
        BadCall(f"{name} as a text", call, NutsliteError, ("'no'", "True or False"))
        for name, call in [
            ("log_prior: inplace", lambda: fitted()[0].compute_log_prior(fitted()[1], inplace="no")),
            ("log_likelihood: inplace", lambda: fitted()[0].compute_log_likelihood(fitted()[1], inplace="no")),
            ("r2_score: summary", lambda: fitted()[0].r2_score(fitted()[1], summary="no")),
            ("prior_predictive: omit_offsets", lambda: model().prior_predictive(draws=2, omit_offsets="no")),
            ("plot_priors: omit_offsets", lambda: _plots(omit_offsets="no")),
            ("plot_priors: omit_group_specific", lambda: _plots(omit_group_specific="no")),
            ("calibration: pilot", lambda: _calibrate(pilot="no")),
            ("calibration: merge", lambda: _calibrate(merge="no")),
        ]
    ],
    BadCall(
        "prior_predictive: a number as a variable",
        lambda: model().prior_predictive(draws=2, var_names=3),
        DataError,
        ("var_names", "3"),
    ),
    BadCall(
        "prior_predictive: more than the memory",
        lambda: model().prior_predictive(draws=10**13),
        SamplingError,
        ("memory", "fewer"),
    ),
]


def _gaussian_as_t() -> Any:
    """Draws of a gaussian model with the one variable that a t model has more."""
    _, results = fitted()
    results = results.copy()
    posterior = results["posterior"].to_dataset() if hasattr(results, "children") else results["posterior"]
    return build_container({"posterior": posterior.assign(nu=posterior["sigma"] + 3.0)})


PICTURES = [
    *[
        BadCall(f"plot_priors: {name}={value!r}", partial(_plots, **{name: value}), NutsliteError, words)
        for name, value, words in [
            ("var_names", 5, ("var_names", "5")),
            ("var_names", [], ("var_names", "[]")),
            ("var_names", ["x", 3], ("var_names", "3")),
            ("filter_vars", "glob", ("filter_vars", "'like'")),
            ("figsize", 3, ("figsize", "3", "inches")),
            ("figsize", "big", ("figsize", "'big'")),
            ("figsize", (-1, 3), ("figsize", "-1")),
            ("figsize", (0, 0), ("figsize", "0")),
            ("random_seed", "a", ("random_seed", "'a'")),
            ("random_seed", -1, ("random_seed", "-1")),
            ("hdi_prob", "wide", ("hdi_prob", "'wide'")),
            ("hdi_prob", 94, ("hdi_prob", "94")),
            ("point_estimate", "mode", ("point_estimate", "'mode'")),
            ("round_to", -1, ("round_to", "-1")),
            ("round_to", 2.5, ("round_to", "2.5")),
            ("bins", 0, ("bins", "0")),
            ("bins", "auto", ("bins", "'auto'")),
            ("draws", 10**13, ("memory",)),
        ]
    ],
    BadCall("graph: a number as a name", partial(_graph, name=3), DataError, ("name", "3")),
    BadCall("graph: figsize as a text", partial(_graph, figsize="a"), DataError, ("figsize", "'a'")),
    BadCall("graph: dpi as a text", partial(_graph, dpi="a"), DataError, ("dpi", "'a'")),
    BadCall("graph: negative dpi", partial(_graph, dpi=-1), DataError, ("dpi", "-1")),
    *[
        BadCall(f"summary: {what}", partial(nl.summary, draws), DataError, words)
        for what, draws, words in [
            ("texts as draws", {"a": np.array([["a", "b"]])}, ("real numbers",)),
            ("complex draws", {"a": np.zeros((2, 10), complex)}, ("real numbers", "complex")),
            ("no draws", {"a": np.zeros((2, 0))}, ("no draws",)),
            ("variables of different lengths", {"a": np.zeros((2, 9)), "b": np.zeros((2, 8))}, ("a 2 x 9", "b 2 x 8")),
        ]
    ],
    *[
        BadCall(
            f"summary: {name}={value!r}", lambda n=name, v=value: nl.summary(fitted()[1], **{n: v}), DataError, words
        )
        for name, value, words in [
            ("round_to", -1, ("round_to", "-1")),
            ("var_names", {"x": 1}, ("var_names",)),
            ("var_names", [], ("var_names", "[]")),
        ]
    ],
]

ELSEWHERE = [
    BadCall("calibration: a formula", lambda: simulation_based_calibration("y ~ x"), NutsliteError, ("Model", "str")),
    *[
        BadCall(
            f"calibration: {name} {value!r}", partial(_calibrate, **{name: value}), NutsliteError, (name, repr(value))
        )
        for name, value in [
            ("executor", 3),
            ("executor", "processes"),
            ("accept", 3),
            ("n_simulations", 2.5),
            ("thin", "a"),
        ]
    ],
    *[
        BadCall(
            f"calibration: accept that says {what}", partial(_calibrate, accept=accept), DataError, ("accept", "True")
        )
        for what, accept in [("text", lambda y: "no"), ("many things", lambda y: y > 0), ("nothing", lambda y: None)]
    ],
    *[
        BadCall(f"command: {' '.join(words)}", partial(_command, "fit", "y ~ x", "DATA", *words), NutsliteError, told)
        for words, told in [
            (("--plot", "a.xyz"), ("a.xyz", ".png")),
            (("--plot", "picture"), ("'picture'", ".png")),
            (("--chains", "1000000000"), ("chains", "10000")),
            (("--out", "/no/folder/a.zarr"), ("a.zarr",)),
            (("--file", FOLDER), (FOLDER, "folder")),
            (("--file", "same", "--checkpoint", "same"), ("checkpoint and file", "'same'")),
            (("--family", "poison"), ("'poison'", "Did you mean 'poisson'?")),
        ]
    ],
    BadCall(
        "command: no such data",
        partial(_command, "fit", "y ~ x", str(Path("nothing.csv"))),
        NutsliteError,
        ("nothing",),
    ),
]

CALLS = [*ASSIGNED, *PLANS_AND_FILES, *OF_OTHERS, *PICTURES, *ELSEWHERE]
