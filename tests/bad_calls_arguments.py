"""Arguments of `Model`, of its methods, and of the functions beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, file_with, fitted, frame, model

import nutslite as nl
from nutslite.exceptions import (
    DataError,
    FamilyError,
    FormulaError,
    NutsliteError,
    NutsliteWarning,
    PriorError,
    SamplingError,
)
from nutslite.model import Model

Row = tuple[str, dict[str, Any], type[Exception], tuple[str, ...]]


def _fit(**arguments: Any) -> Any:
    settings = {"draws": 5, "tune": 5, "chains": 1, "progressbar": False}
    return model("y ~ x + (1|s)").fit(**{**settings, **arguments})


def _rows(prefix: str, call: Callable[..., Any], rows: list[Row]) -> list[BadCall]:
    return [BadCall(f"{prefix}: {what}", partial(call, **given), raises, words) for what, given, raises, words in rows]


FLAGS = [
    BadCall(f"Model: {name}={value!r}", partial(model, **{name: value}), NutsliteError, (name, "True or False"))
    for name, value in [
        ("dropna", "no"),
        ("dropna", 0.5),
        ("dropna", None),
        ("auto_scale", "yes"),
        ("auto_scale", None),
        ("center_predictors", "no"),
        ("center_predictors", [True]),
        ("correlated", "lkj"),
        ("correlated", 2),
    ]
]

MODEL = [
    BadCall("Model: nothing", partial(Model), TypeError, ("formula",)),
    BadCall("Model: no data", partial(Model, "y ~ x"), TypeError, ("data",)),
    BadCall("Model: data is None", partial(Model, "y ~ x", None), DataError, ("NoneType", "DataFrame")),
    BadCall("Model: an unknown argument", partial(model, prior={}), TypeError, ("prior",)),
    BadCall("Model: a formula for the family", partial(model, "y ~ x", None, "y ~ z"), FamilyError, ("'y ~ z'",)),
    BadCall("Model: potentials that are a function", partial(model, potentials=len), NutsliteError, ("potentials",)),
    BadCall("Model: potential of an unknown name", partial(model, potentials=[("xx", abs)]), NutsliteError, ("'xx'",)),
    BadCall("Model: potential without a function", partial(model, potentials=[("x", 3)]), NutsliteError, ("x", "3")),
    BadCall("Model: potential by the function alone", partial(model, potentials=[abs]), NutsliteError, ("potential",)),
    BadCall(
        "Model: an element of extra_namespace without a name",
        partial(model, extra_namespace={3: abs}),
        FormulaError,
        ("extra_namespace", "3"),
    ),
]

FIT = _rows(
    "fit",
    _fit,
    [
        ("no draws", {"draws": 0}, SamplingError, ("draws", "0")),
        ("negative draws", {"draws": -1}, SamplingError, ("draws", "-1")),
        ("fractional draws", {"draws": 10.5}, SamplingError, ("draws", "10.5")),
        ("draws as a text", {"draws": "100"}, SamplingError, ("draws", "'100'")),
        ("draws of nothing", {"draws": None}, SamplingError, ("draws", "None")),
        ("draws of truth", {"draws": True}, SamplingError, ("draws", "True")),
        ("negative tune", {"tune": -1}, SamplingError, ("tune", "-1")),
        ("tune as a text", {"tune": "all"}, SamplingError, ("tune", "'all'")),
        ("no chains", {"chains": 0}, SamplingError, ("chains", "0")),
        ("fractional chains", {"chains": 1.5}, SamplingError, ("chains", "1.5")),
        ("chains as a text", {"chains": "four"}, SamplingError, ("chains", "'four'")),
        ("no cores", {"cores": 0}, SamplingError, ("cores", "0")),
        ("negative cores", {"cores": -1}, SamplingError, ("cores", "-1")),
        ("cores as a text", {"cores": "all"}, SamplingError, ("cores", "'all'")),
        ("target_accept of 0", {"target_accept": 0}, SamplingError, ("target_accept", "0")),
        ("target_accept of 1", {"target_accept": 1.0}, SamplingError, ("target_accept", "1.0")),
        ("target_accept as a text", {"target_accept": "0.9"}, SamplingError, ("target_accept", "'0.9'")),
        ("target_accept that is not a number", {"target_accept": np.nan}, SamplingError, ("target_accept", "nan")),
        ("max_treedepth of 0", {"max_treedepth": 0}, SamplingError, ("max_treedepth", "0")),
        ("max_treedepth beyond reason", {"max_treedepth": 100}, SamplingError, ("max_treedepth", "100")),
        ("seed as a text", {"random_seed": "abc"}, SamplingError, ("seed", "'abc'")),
        ("seed as a fraction", {"random_seed": 1.5}, SamplingError, ("random_seed", "1.5")),
        ("negative seed", {"random_seed": -1}, SamplingError, ("random_seed", "-1")),
        ("unknown method", {"inference_method": "hmcc"}, NutsliteError, ("inference_method", "'hmcc'", "'nuts'")),
        ("variational inference of another kind", {"inference_method": "svgd"}, NutsliteError, ("'svgd'", "'vi'")),
        (
            "an unknown use of weights",
            {"importance": "psis", "inference_method": "vi"},
            NutsliteError,
            ("importance", "'psis'"),
        ),
        ("weights as a flag", {"importance": True, "inference_method": "vi"}, NutsliteError, ("importance", "True")),
        ("weights of chains", {"importance": "weights"}, NutsliteError, ("importance='weights'", "'vi'")),
        (
            "no weights of NUTS",
            {"importance": None, "inference_method": "nuts"},
            NutsliteError,
            ("importance=None", "'nuts'"),
        ),
        ("another program", {"inference_method": "nutpie"}, NutsliteError, ("'nutpie'", "'nuts'")),
        ("unknown path", {"plan": "fast"}, NutsliteError, ("plan 'fast'", "joint")),
        ("plan of another kind", {"plan": 3}, NutsliteError, ("plan", "3")),
        ("unknown init", {"init": "advi+"}, NutsliteError, ("init", "'advi+'")),
        ("unknown argument", {"drawz": 3}, NutsliteError, ("'drawz'", "Did you mean 'draws'?")),
        ("argument of another package", {"warmup": 3}, NutsliteError, ("'warmup'", "It has:")),
        ("step functions", {"step": len}, NutsliteError, ("step", "NUTS")),
        ("chains twice", {"cores": 1, "jobs": 2}, NutsliteError, ("jobs", "cores", "same argument")),
        ("nuts as a list", {"nuts": [0.9]}, NutsliteError, ("nuts", "dict")),
        ("unknown key in nuts", {"nuts": {"target": 0.9}}, NutsliteError, ("'target'", "target_accept")),
        ("idata_kwargs as a list", {"idata_kwargs": ["log_likelihood"]}, NutsliteError, ("idata_kwargs", "dict")),
        (
            "unknown group",
            {"idata_kwargs": {"loglik": True}},
            NutsliteError,
            ("'loglik'", "log_likelihood"),
        ),
        ("callback that cannot be called", {"callback": 3}, SamplingError, ("callback", "3")),
        ("progressbar as an unknown text", {"progressbar": "no"}, NutsliteError, ("progressbar", "'no'")),
        ("pilot as a text", {"pilot": "no"}, NutsliteError, ("pilot", "True or False", "'levels' or 'matrix'")),
        ("pilot as a number", {"pilot": 1}, NutsliteError, ("pilot", "True or False")),
        ("matrix centring of what is integrated out", {"pilot": "matrix"}, NutsliteError, ("pilot", "plan='joint'")),
        (
            "matrix centring and a Laplace approximation",
            {"pilot": "matrix", "plan": "joint", "inference_method": "laplace"},
            NutsliteError,
            ("pilot='matrix'", "inference_method='laplace'"),
        ),
        (
            "a checkpoint of an approximation",
            {"checkpoint": "run.ckpt", "inference_method": "pathfinder"},
            NutsliteError,
            ("checkpoint", "inference_method='pathfinder'"),
        ),
        (
            "a checkpoint under ADVI's name",
            {"checkpoint": "run.ckpt", "inference_method": "advi"},
            NutsliteError,
            ("checkpoint", "inference_method='meanfield'"),
        ),
        (
            "coordinates of a pilot, and none",
            {"pilot": "levels", "init": "adapt_diag"},
            NutsliteError,
            ("pilot='levels'", "init='adapt_diag'"),
        ),
        ("discard_tuned_samples as a text", {"discard_tuned_samples": "no"}, NutsliteError, ("discard_tuned_samples",)),
        (
            "include_response_params as a text",
            {"include_response_params": "mu"},
            NutsliteError,
            ("include_response_params",),
        ),
        ("omit_offsets as a number", {"omit_offsets": 3}, NutsliteError, ("omit_offsets", "True or False")),
        ("start of an unknown name", {"start": {"xx": 1.0}}, NutsliteError, ("'xx'", "Did you mean 'x'?")),
        ("start outside the support", {"start": {"sigma": -1.0}}, NutsliteError, ("'sigma'", "-1")),
        ("start of the wrong shape", {"start": {"x": [1.0, 2.0]}}, NutsliteError, ("'x'", "shape")),
        ("start as a text", {"start": "zero"}, NutsliteError, ("start", "'zero'")),
        ("start with a text", {"start": {"x": "a"}}, NutsliteError, ("'x'", "'a'")),
        ("start that is not a number", {"start": {"x": np.nan}}, NutsliteError, ("'x'", "nan")),
        ("start for more chains", {"start": [{"x": 1.0}, {"x": 2.0}]}, NutsliteError, ("start", "2", "chain")),
        ("priors of the wrong kind", {"priors": 3}, PriorError, ("dict", "3")),
        ("priors that do not fit", {"priors": {"x": []}}, PriorError, ("'x'",)),
        ("checkpoint in no folder", {"checkpoint": "/no/folder/here/fit"}, NutsliteError, ("/no/folder/here",)),
        ("checkpoint as a number", {"checkpoint": 3}, NutsliteError, ("checkpoint", "3")),
        ("file as a number", {"file": 3}, NutsliteError, ("file", "3")),
    ],
)


def _predict(**arguments: Any) -> Any:
    one, results = fitted()
    return one.predict(arguments.pop("idata", results), inplace=arguments.pop("inplace", False), **arguments)


def _without(name: str) -> pd.DataFrame:
    return frame().drop(columns=[name])


PREDICT = _rows(
    "predict",
    _predict,
    [
        ("unknown kind", {"kind": "respons"}, DataError, ("'respons'", "Did you mean 'response'?")),
        ("kind as a number", {"kind": 3}, DataError, ("kind", "3")),
        ("kind as a list", {"kind": ["mean"]}, DataError, ("kind", "mean")),
        ("no results", {"idata": None}, DataError, ("NoneType", "fit")),
        ("results as a number", {"idata": 3}, DataError, ("int", "fit")),
        ("results as a frame", {"idata": pd.DataFrame({"x": [1.0]})}, DataError, ("DataFrame", "fit")),
        ("a column missing", {"data": _without("x")}, DataError, ("'x'", "lack")),
        ("a grouping column missing", {"data": _without("s")}, DataError, ("'s'", "lack")),
        ("another letter case", {"data": frame().rename(columns={"x": "X"})}, DataError, ("'x'", "Did you mean 'X'?")),
        ("no rows", {"data": frame().iloc[:0]}, DataError, ("no rows",)),
        ("missing values", {"data": frame(x=[np.nan, *range(23)])}, DataError, ("incomplete", "'x' (1)")),
        ("infinite values", {"data": frame(x=[np.inf, *range(23)])}, DataError, ("'x' is not finite",)),
        ("texts for numbers", {"data": frame(x="a")}, DataError, ("'x' is categorical", "numeric")),
        ("dates for numbers", {"data": frame(x=pd.Timestamp("2024-01-01"))}, DataError, ("'x'", "datetime64")),
        ("a new group", {"data": frame(s="s99")}, DataError, ("'s99'", "sample_new_groups=True")),
        ("a list as data", {"data": [1, 2]}, DataError, ("a list", "DataFrame")),
        ("a file that is not there", {"data": "nothing.csv"}, DataError, ("nothing.csv",)),
        ("inplace as a text", {"inplace": "no"}, NutsliteError, ("inplace", "True or False")),
        ("include_group_specific", {"include_group_specific": "s"}, NutsliteError, ("include_group_specific",)),
        ("sample_new_groups as a text", {"sample_new_groups": "yes"}, NutsliteError, ("sample_new_groups",)),
        ("seed as a text", {"random_seed": "abc"}, NutsliteError, ("random_seed", "'abc'")),
        ("negative seed", {"random_seed": -1}, NutsliteError, ("random_seed", "-1")),
        ("an unknown argument", {"newdata": frame()}, TypeError, ("newdata",)),
    ],
)


def _other_model_predicts() -> Any:
    return model("y ~ z + (1|s)").predict(fitted()[1], inplace=False)


def _unknown_level() -> Any:
    one = model("y ~ g")
    return one.predict(fitted()[1], data=frame(g="zz"), inplace=False)


def _missing_trials() -> Any:
    one = model("p(hits, n) ~ x", family="binomial")
    results = one.fit(draws=5, inference_method="laplace", random_seed=1)
    return one.predict(results, kind="response", data=_without("n"), inplace=False)


AFTER = [
    BadCall("after a fit: results of another model", _other_model_predicts, DataError, ("'z'",)),
    BadCall("after a fit: an unknown level", _unknown_level, DataError, ("'g'", "'zz'", "a, b, c")),
    BadCall("after a fit: trials missing for responses", _missing_trials, DataError, ("trials",)),
    BadCall(
        "after a fit: log likelihood of rows without response",
        lambda: fitted()[0].compute_log_likelihood(fitted()[1], data=_without("y"), inplace=False),
        DataError,
        ("'y'", "lack"),
    ),
    BadCall(
        "after a fit: log likelihood of nothing",
        lambda: fitted()[0].compute_log_likelihood(None),
        DataError,
        ("NoneType", "fit"),
    ),
    BadCall("after a fit: log prior of nothing", lambda: fitted()[0].compute_log_prior(3), DataError, ("int", "fit")),
    BadCall("after a fit: R2 of nothing", lambda: fitted()[0].r2_score("fit.nc"), DataError, ("str", "fit")),
    BadCall(
        "prior_predictive: none",
        lambda: model().prior_predictive(draws=0),
        NutsliteError,
        ("draws", "at least 1", "0"),
    ),
    BadCall(
        "prior_predictive: text",
        lambda: model().prior_predictive(draws="a"),
        NutsliteError,
        ("draws", "'a'"),
    ),
    BadCall(
        "prior_predictive: fraction",
        lambda: model().prior_predictive(draws=1.5),
        NutsliteError,
        ("draws", "1.5"),
    ),
    BadCall(
        "prior_predictive: unknown variable",
        lambda: model().prior_predictive(draws=2, var_names="xx"),
        DataError,
        ("'xx'", "Did you mean 'x'?"),
    ),
    BadCall(
        "prior_predictive: flat priors",
        lambda: model(auto_scale=False).prior_predictive(draws=2),
        PriorError,
        ("Flat", "'Intercept'", "proper prior"),
    ),
    BadCall(
        "prior_predictive: seed as a text",
        lambda: model().prior_predictive(draws=2, random_seed="a"),
        NutsliteError,
        ("random_seed", "'a'"),
    ),
    BadCall("set_alias: a number", lambda: model().set_alias({"x": 3}), DataError, ("'x'", "3")),
    BadCall("set_alias: a list", lambda: model().set_alias(["x"]), DataError, ("dict",)),
    BadCall("set_alias: one name for two", lambda: model().set_alias({"x": "sigma"}), DataError, ("'sigma'",)),
    BadCall("set_alias: an unknown name", lambda: model().set_alias({"xx": "slope"}), NutsliteWarning, ("'xx'",)),
    BadCall("describe: unknown style", lambda: model().describe(style="old"), NutsliteError, ("style", "'old'")),
    BadCall("plot_priors: before build", lambda: model().plot_priors(), NutsliteError, ("not built", ".build()")),
    BadCall("graph: unknown", lambda: _built().graph(formatting="fancy"), NutsliteError, ("'fancy'", "plain")),
    BadCall("plan: unknown path", lambda: model().plan("fast"), NutsliteError, ("plan 'fast'", "joint")),
]


def _built() -> Model:
    one = model()
    one.build()
    return one


def _broken_file(content: bytes) -> str:
    return file_with("fit.nc", content)


def _summary(*arguments: Any, **settings: Any) -> Any:
    return nl.summary(fitted()[1], *arguments, **settings)


BESIDE = [
    BadCall("summary: of nothing", lambda: nl.summary(None), DataError, ("NoneType", "fit")),
    BadCall("summary: of a text", lambda: nl.summary("fit.nc"), DataError, ("str", "fit")),
    BadCall("summary: of a model", lambda: nl.summary(fitted()[0]), DataError, ("Model", "fit")),
    BadCall("summary: unknown variable", partial(_summary, "xx"), DataError, ("'xx'", "Did you mean 'x'?")),
    BadCall("summary: variable as a number", partial(_summary, 3), DataError, ("3",)),
    BadCall("summary: unknown kind", partial(_summary, kind="short"), DataError, ("'short'", "'stats'")),
    BadCall("summary: unknown group", partial(_summary, group="prio"), DataError, ("'prio'", "posterior")),
    BadCall("summary: probability of 94", partial(_summary, hdi_prob=94), DataError, ("hdi_prob", "94")),
    BadCall("summary: probability of 0", partial(_summary, hdi_prob=0.0), DataError, ("hdi_prob", "0")),
    BadCall("summary: probability as a text", partial(_summary, hdi_prob="0.9"), DataError, ("hdi_prob", "'0.9'")),
    BadCall("summary: decimals as a text", partial(_summary, round_to="two"), DataError, ("round_to", "'two'")),
    BadCall("summary: fractional decimals", partial(_summary, round_to=1.5), DataError, ("round_to", "1.5")),
    BadCall("summary: dims of a fit", partial(_summary, dims={"x": ["a"]}), DataError, ("dims",)),
    BadCall("summary: a vector as draws", lambda: nl.summary({"x": [1.0, 2.0]}), DataError, ("chains, draws", "(2,)")),
    BadCall("save: nothing", lambda: nl.save(None, "fit.nc"), DataError, ("NoneType",)),
    BadCall("save: no folder", lambda: nl.save(fitted()[1], "/no/folder/fit.nc"), DataError, ("/no/folder",)),
    BadCall("save: a folder", lambda: nl.save(fitted()[1], tempfile.gettempdir()), DataError, (tempfile.gettempdir(),)),
    BadCall("save: a number as a path", lambda: nl.save(fitted()[1], 3), DataError, ("3", "path")),
    BadCall("load: no file", lambda: nl.load("nothing.nc"), DataError, ("nothing.nc",)),
    BadCall("load: a folder", lambda: nl.load(tempfile.gettempdir()), DataError, (tempfile.gettempdir(),)),
    BadCall("load: a number as a path", lambda: nl.load(3), DataError, ("3", "path")),
    BadCall("load: an empty file", lambda: nl.load(_broken_file(b"")), DataError, ("fit.nc", "netCDF")),
    BadCall("load: a text file", lambda: nl.load(_broken_file(b"y,x\n1,2\n")), DataError, ("fit.nc", "netCDF")),
    BadCall("load: a pickle", lambda: nl.load(_broken_file(b"\x80\x04N.")), DataError, ("fit.nc", "netCDF")),
    BadCall("Model.load: no file", lambda: Model.load("nothing.model"), DataError, ("nothing.model",)),
    BadCall("Model.load: a text file", lambda: Model.load(_broken_file(b"hello")), DataError, ("fit.nc",)),
    BadCall("Model.save: no folder", lambda: model().save("/no/folder/m"), DataError, ("/no/folder",)),
    BadCall("load_data: unknown", lambda: nl.load_data("sleepstudi"), DataError, ("Did you mean 'sleepstudy'?",)),
    BadCall("load_data: a number", lambda: nl.load_data(3), DataError, ("'3'", "sleepstudy")),
]

CALLS = [*FLAGS, *MODEL, *FIT, *PREDICT, *AFTER, *BESIDE]
