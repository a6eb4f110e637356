"""Python's own words for errors: ``except ValueError`` and ``except TypeError`` catch what one expects of them."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from bad_calls import fitted, frame, model

import nutslite as nl
from nutslite import exceptions

QUIET: dict[str, Any] = {"draws": 5, "tune": 5, "chains": 1, "progressbar": False}
CLASSES = [item for _, item in inspect.getmembers(exceptions, inspect.isclass) if issubclass(item, nl.NutsliteError)]

WRONG_VALUES: dict[str, Callable[[], Any]] = {
    "formula": lambda: model("y ~ x +"),
    "column": lambda: model("y ~ nothing"),
    "family": lambda: model(family="gausian"),
    "link": lambda: model(link="zz"),
    "prior": lambda: nl.Prior("Zz"),
    "argument of a prior": lambda: nl.Prior("Normal", mu=0, sigma=-1),
    "inference_method": lambda: model().fit(inference_method="zzz"),
    "method of another program": lambda: model().fit(inference_method="nutpie"),
    "draws": lambda: model().fit(draws=-1),
    "target_accept": lambda: model().fit(target_accept=2.0),
    "random_seed": lambda: model().fit(random_seed=-1),
    "random_seed of predictions": lambda: fitted()[0].predict(fitted()[1], random_seed=-1),
    "init": lambda: model().fit(init="advi+"),
    "plan": lambda: model().fit(plan="fast"),
    "start": lambda: model().fit(start={"sigma": -1.0}),
    "name in start": lambda: model().fit(start={"xx": 1.0}),
    "nuts": lambda: model().fit(nuts={"target": 0.9}),
    "idata_kwargs": lambda: model().fit(idata_kwargs={"dims": {}}),
    "step": lambda: model().fit(step=len),
    "kind": lambda: fitted()[0].predict(fitted()[1], kind="respones"),
    "draws of predictions": lambda: fitted()[0].predict(fitted()[1], draws=10**6),
    "new groups": lambda: fitted()[0].predict(fitted()[1], data=frame(s="new")),
    "draws of the prior": lambda: model().prior_predictive(draws=0),
    "var_names": lambda: nl.summary(fitted()[1], var_names=["zz"]),
    "before build": lambda: model().plot_priors(),
    "alias": lambda: model().set_alias({"x": ""}),
    "potential": lambda: model(potentials=[("xx", abs)]),
    "style": lambda: model().describe(style="old"),
    "file": lambda: nl.load("/no/such/file.nc"),
}
WRONG_TYPES: dict[str, Callable[[], Any]] = {
    "formula": lambda: model(3),
    "data": lambda: model(data=3),
    "categorical": lambda: model(categorical=3),
    "family": lambda: model(family=3),
    "name of a prior": lambda: nl.Prior(3),
    "argument of a prior": lambda: nl.Prior("Normal", mu="a", sigma=1),
    "name of a link": lambda: nl.Link(3),
    "further formula": lambda: nl.Formula("y ~ x", 3),
    "unused_priors": lambda: model(unused_priors=3),
    "automatic_priors": lambda: model(automatic_priors=3),
    "taylor": lambda: model(automatic_priors="mle", taylor="a"),
    "plan": lambda: model().plan(3),
    "name of data": lambda: nl.load_data(3),
    "kind of table": lambda: nl.summary(fitted()[1], kind=3),
    "hdi_prob": lambda: nl.summary(fitted()[1], hdi_prob="a"),
    "round_to": lambda: nl.summary(fitted()[1], round_to=[1]),
    "path of a model": lambda: nl.Model.load(3),
    "flag": lambda: model(dropna="no"),
    "link": lambda: model(link=3),
    "priors": lambda: model(priors=3),
    "key of priors": lambda: model(priors={3: 1.0}),
    "priors_cor": lambda: model(priors_cor=3),
    "noncentered": lambda: model(noncentered=3),
    "extra_namespace": lambda: model(extra_namespace=[3]),
    "potentials": lambda: model(potentials=3),
    "draws": lambda: model().fit(draws="many"),
    "chains": lambda: model().fit(chains="four"),
    "target_accept": lambda: model().fit(target_accept="0.9"),
    "random_seed": lambda: model().fit(random_seed="abc"),
    "callback": lambda: model().fit(callback=3),
    "start": lambda: model().fit(start="zero"),
    "nuts": lambda: model().fit(nuts=[0.9]),
    "inference_method": lambda: model().fit(inference_method=3),
    "progressbar": lambda: model().fit(progressbar=3),
    "unknown argument": lambda: model().fit(drawz=3),
    "checkpoint": lambda: model().fit(checkpoint=3),
    "results": lambda: fitted()[0].predict(3),
    "results of a prior": lambda: fitted()[0].compute_log_prior(None),
    "inplace": lambda: fitted()[0].predict(fitted()[1], inplace="no"),
    "kind": lambda: fitted()[0].predict(fitted()[1], kind=3),
    "draws of predictions": lambda: fitted()[0].predict(fitted()[1], draws="many"),
    "draws of the prior": lambda: model().prior_predictive(draws="many"),
    "aliases": lambda: model().set_alias(3),
    "summary": lambda: nl.summary(3),
    "path": lambda: nl.load(3),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_a_wrong_value_is_a_value_error(name: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # that it is one of ours is checked below
        WRONG_VALUES[name]()
    assert isinstance(caught.value, nl.NutsliteError)
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_wrong_type_is_a_type_error_and_a_value_error(name: str) -> None:
    """The latter because Bambi's are."""
    with pytest.raises(TypeError) as caught:
        WRONG_TYPES[name]()
    assert isinstance(caught.value, nl.NutsliteError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_reach_another_process(kind: type[nl.NutsliteError]) -> None:
    again = pickle.loads(pickle.dumps(kind("what is wrong")))
    assert type(again) is kind
    assert str(again) == "what is wrong"


def test_what_no_argument_says_is_of_its_own_kind() -> None:
    with pytest.raises(RuntimeError, match="memory") as caught:
        model().fit(**{**QUIET, "draws": 10**15})
    assert not isinstance(caught.value, ValueError)
    with pytest.raises(AttributeError):
        model().formula = "y ~ z"
