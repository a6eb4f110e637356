"""`nutslite.config`: settings for all models of a process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from small_models import grouped_data

import nutslite as nl

TYPO = {"xx": nl.Prior("Normal", mu=0, sigma=1)}


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = dict(nl.config)
    yield
    for name, value in before.items():
        nl.config[name] = value


def test_unused_priors_are_an_error_where_that_is_set() -> None:
    assert nl.config["UNUSED_PRIORS"] == "warn"
    with pytest.warns(nl.NutsliteWarning, match="'xx'"):
        nl.Model("y ~ x", grouped_data(), priors=TYPO)
    nl.config["UNUSED_PRIORS"] = "error"
    with pytest.raises(nl.PriorError, match="'xx'"):
        nl.Model("y ~ x", grouped_data(), priors=TYPO)
    model = nl.Model("y ~ x", grouped_data())
    with pytest.raises(nl.PriorError, match="'xx'"):
        model.set_priors(TYPO)


def test_a_model_s_own_choice_goes_before() -> None:
    nl.config["UNUSED_PRIORS"] = "error"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nl.Model("y ~ x", grouped_data(), priors=TYPO, unused_priors="ignore")


def test_what_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(nl.NutsliteError, match=r"no setting 'UNUSED_PRIOR'. Did you mean 'UNUSED_PRIORS'"):
        nl.config["UNUSED_PRIOR"] = "error"
    with pytest.raises(KeyError, match="It has: UNUSED_PRIORS"):
        _ = nl.config["INTERPRET_VERBOSE"]
    with pytest.raises(nl.NutsliteError, match=r"one of 'warn', 'error', 'ignore'; not 'eror'. Did you mean 'error'"):
        nl.config["UNUSED_PRIORS"] = "eror"
    assert "INTERPRET_VERBOSE" not in nl.config
    assert dict(nl.config) == {"UNUSED_PRIORS": "warn"}
    assert repr(nl.config) == "Config({'UNUSED_PRIORS': 'warn'})"
