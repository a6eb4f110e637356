"""Models of segments that are made of the first one's: equal, to the last bit, to those made of the formula."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.model.record.same_columns import SameColumns, numbers_of
from nutslite.model.record.specification import specification_of
from nutslite.model.segments import SegmentWork, segment_model

GIVEN = {"common": nl.Prior("Normal", mu=0, sigma=1), "Intercept": nl.Prior("Normal", mu=0, sigma=2)}
SIGMA = {**GIVEN, "sigma": nl.Prior("HalfNormal", sigma=1)}
QUICK = {"random_seed": 1, "draws": 60, "progressbar": False}


def segments(family="gaussian", columns=("y", "x", "z"), number=4, seed=1):
    """Frames of 30 or 31 rows."""
    rng = np.random.default_rng(seed)
    found = []
    for place in range(number):
        rows = 30 + place % 2
        frame = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.integers(0, 9, size=rows)})
        frame["y"] = rng.normal(size=rows) if family == "gaussian" else rng.integers(0, 2, size=rows)
        found.append(frame[list(columns)].set_index(np.arange(rows) + 100 * place))
    return found


def assert_same(one, other, path=""):
    """Records, arrays and all in them."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, path
        assert one.flags.c_contiguous == other.flags.c_contiguous, path
        np.testing.assert_array_equal(one, other, err_msg=path)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other), path
        for place, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{path}[{place}]")
    elif isinstance(one, dict):
        assert list(one) == list(other), path
        for name, value in one.items():
            assert_same(value, other[name], f"{path}[{name}]")
    elif dataclasses.is_dataclass(one) and not isinstance(one, nl.Family | pd.Index):
        for item in dataclasses.fields(one):
            if item.name not in ("_recipe", "rows", "lender"):
                assert_same(getattr(one, item.name), getattr(other, item.name), f"{path}.{item.name}")
    else:
        assert one is other or str(one) == str(other), path


@pytest.mark.parametrize("family", ["gaussian", "bernoulli"])
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x + z", {}),
        ("y ~ 0 + x", {"auto_scale": False}),
        ("y ~ x + z", {"priors": SIGMA, "center_predictors": False}),
        ("y ~ x", {"priors": SIGMA}),
        ("y ~ 0 + z", {"priors": SIGMA}),
    ],
)
def test_what_is_made_of_the_first_model_is_what_the_formula_gives(family, formula, options):
    priors = options.get("priors")
    if priors is SIGMA and family == "bernoulli":
        options = {**options, "priors": GIVEN}
    if priors is not None and "0 +" in formula:
        options = {
            **options,
            "priors": {name: prior for name, prior in options["priors"].items() if name != "Intercept"},
        }
    work = SegmentWork({"formula": formula, "family": family, **options}, None, 0.94, False)
    for place, frame in enumerate(segments(family, columns=[name for name in "yxz" if name in formula])):
        made = work.making.specification(work, frame, numbers_of(frame))
        expected = specification_of(segment_model(work.arguments, frame, None))
        assert work.making.alike is not None
        assert (made.posterior.like is not None) == (place > 0 and priors is not None)
        assert_same(made.spec, expected.spec)
        assert_same(made.posterior.inventory, expected.posterior.inventory)
        assert_same(made.posterior.assembled.data, expected.posterior.assembled.data)
        assert_same(made.posterior.assembled.layout, expected.posterior.assembled.layout)
        assert made.spec.design.rows.equals(frame.index)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("y ~ x:z", {}),
        ("y ~ np.exp(x)", {}),
        ("y ~ x + offset(z)", {}),
        ("y ~ x + (1|z)", {}),
        ("np.abs(y) ~ x", {}),
        ("weighted(y, z) ~ x", {}),
        ("y ~ x + z", {"categorical": "z"}),
    ],
)
def test_formulas_that_are_more_than_columns_are_read_for_each_segment(formula, options):
    frame = segments()[0]
    assert SameColumns.of(specification_of(nl.Model(formula, frame, **options)).spec.design) is None


def test_a_segment_that_is_otherwise_is_made_of_the_formula():
    frame = pd.concat([one.assign(g=label) for one, label in zip(segments(), "abcd", strict=True)])
    frame.loc[frame["g"] == "b", "x"] = 1.0
    gap = frame.index[frame["g"] == "c"][3]
    frame["x"] = frame["x"].mask(frame.index == gap)
    found = nl.fit_many("y ~ x + z", frame, by="g", fit=QUICK)
    assert list(found.failed.index) == ["b", "c"]
    assert "constant" in found.failed["b"]
    assert "missing values in 'x' (1)" in found.failed["c"]
    for label in "bc":
        with pytest.raises(nl.NutsliteError) as error:
            _ = found[label].model
        assert str(error.value) == found.failed[label]


def test_what_is_said_of_the_first_model_is_said_of_all():
    frame = pd.concat([one.assign(g=label) for one, label in zip(segments(), "abcd", strict=True)])
    options = {"by": "g", "fit": QUICK, "priors": {"nobody": nl.Prior("Normal", mu=0, sigma=1)}}
    found = nl.fit_many("y ~ x", frame, **options)
    assert found.segments["concern"].str.contains("nobody").all()


@pytest.mark.parametrize(("family", "priors"), [("gaussian", SIGMA), ("bernoulli", GIVEN)])
def test_draws_are_those_of_single_fits(family, priors):
    frame = pd.concat([one.assign(g=label) for one, label in zip(segments(family), "abcd", strict=True)])
    found = nl.fit_many("y ~ x + z", frame, family, by="g", fit=QUICK, priors=priors)
    summary = nl.summary(found["d"].results, round_to="none")
    np.testing.assert_allclose(found.table.loc["d"], summary[found.table.columns], rtol=1e-12)
