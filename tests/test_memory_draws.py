"""Draws of many effects are in memory once, and so are the rows of the data that they are sampled from."""

from __future__ import annotations

import contextlib
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import SamplingError
from nutslite.model.fits import fitting
from nutslite.model.record.specification import specification_of
from nutslite.posterior.methods import task
from nutslite.posterior.targets import plan
from nutslite.posterior.targets.plan import make_plan, with_sorted_rows
from nutslite.posterior.targets.target import JointTarget

FORMULA = "y ~ x + (1|g)"
LEVELS = 60
FIT = {"draws": 12, "tune": 30, "chains": 2, "cores": 1, "random_seed": 3, "progressbar": False}
FIT |= {"compute_convergence_checks": False, "inference_method": "hmc"}


def data(levels: int = LEVELS) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = rng.permutation(np.repeat(np.arange(levels), 12))
    x, effects = rng.normal(size=g.size), 0.5 * rng.normal(size=levels)
    return pd.DataFrame({"y": rng.poisson(np.exp(0.3 * x + effects[g])), "x": x, "g": g})


def model(**options) -> nl.Model:
    return nl.Model(FORMULA, data(), family="poisson", **options)


def assert_same(found, wanted) -> None:
    for group in ("posterior", "sample_stats"):
        for name, array in wanted[group].data_vars.items():
            np.testing.assert_array_equal(found[group][name].values, array.values, err_msg=name)


@pytest.fixture
def many(monkeypatch):
    """Few draws and few rows are taken for many."""
    monkeypatch.setattr(task, "FEWEST_OVER", 1)
    monkeypatch.setattr(task, "NUMBERS_AT_ONCE", 5 * LEVELS)
    monkeypatch.setattr(plan, "MANY_ROWS", 1)


class TestDrawsOverPositions:
    def test_they_are_the_same(self, many, monkeypatch):
        found = model().fit(**FIT)
        monkeypatch.undo()
        assert_same(found, model().fit(**FIT))

    def test_there_is_no_second_copy(self, many, monkeypatch):
        kept = []
        monkeypatch.setattr(
            task, "kept_raw", lambda positions, stats: kept.append(positions) or contextlib.nullcontext()
        )
        fits, run = [], fitting.drawn
        monkeypatch.setattr(
            fitting, "drawn", lambda *arguments, **named: fits.append(run(*arguments, **named)) or fits[0]
        )
        results = model().fit(**FIT)
        assert np.shares_memory(kept[0], fits[0].effects)
        assert np.shares_memory(kept[0], results["posterior"]["1|g"].values)
        assert fits[0].draws is None

    @pytest.mark.parametrize(
        "options", [{"discard_tuned_samples": False}, {"until": "converged", "budget": 2}], ids=str
    )
    def test_positions_that_are_needed_again_stay(self, many, monkeypatch, options):
        monkeypatch.setattr(task.Task, "natural_over", None)
        model().fit(**FIT, **options)

    def test_where_it_fails_what_there_is_is_written(self, many, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        natural, calls = JointTarget.natural, []

        def failing(self, positions, rng):
            calls.append(positions.copy())
            if len(calls) == 3:
                raise MemoryError("no more")
            return natural(self, positions, rng)

        monkeypatch.setattr(JointTarget, "natural", failing)
        with pytest.raises(SamplingError, match="whose 'values' are not nan has group effects") as error:
            model().fit(**FIT)
        kept = np.load(re.search(r"'(\S+npz)'", str(error.value))[1])
        done, heads = ~np.isnan(kept["values"]).any(axis=2), kept["values"].shape[2]
        assert done.sum() == sum(some.shape[1] for some in calls[:2])
        assert kept["positions"].shape[:2] == kept["values"].shape[:2] == (2, 12)
        np.testing.assert_array_equal(kept["positions"][0, done.sum()][None], calls[2][0, :1])
        assert heads < LEVELS < kept["positions"].shape[2]


class TestSortedRows:
    def test_a_fit_has_rows_in_one_order(self, many, monkeypatch):
        targets, init = [], JointTarget.__init__

        def noted(self, assembled, *arguments, **named):
            init(self, assembled, *arguments, **named)
            targets.append(self)

        monkeypatch.setattr(JointTarget, "__init__", noted)
        fitted = model()
        fitted.fit(**FIT)
        assert all(target.model.matrix is target.assembled.data.matrix for target in targets)
        posterior = specification_of(fitted).posterior
        assert fitted.built
        assert not posterior.holds_numbers

    def test_others_keep_the_order_that_they_have(self, many):
        planned = model()
        before = planned.plan().assembled
        planned.fit(**FIT)
        assert specification_of(planned).posterior.assembled is before
        np.testing.assert_array_equal(before.data.levels[0], data()["g"])

    @pytest.mark.parametrize("formula", ["y ~ x + (x|g)", "y ~ offset(x) + (1|g)", "y ~ x"])
    def test_what_depends_on_the_order_has_it(self, many, formula):
        found = make_plan(specification_of(nl.Model(formula, data(), family="poisson")).posterior.assembled)
        assert with_sorted_rows(found) is found


def test_a_fit_of_many_effects_needs_little_beside_its_draws():
    levels, draws = 12_000, 50  # as many as are taken for many
    options = {**FIT, "draws": draws, "tune": 5}
    model().fit(**options)  # imports, and compiles
    large = nl.Model(FORMULA, data(levels), family="poisson")
    tracemalloc.start()
    try:
        large.fit(**options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - 2 * draws * 8 * levels < 10 * 8 * 12 * levels  # ten columns of rows; other draws are eight
