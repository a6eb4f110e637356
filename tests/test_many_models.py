"""One model for each segment: the draws of single fits, whatever the executor; segments with faults; tables."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import executor_work as work
import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    FormulaError,
    NutsliteWarning,
    SamplingError,
)

DRAWS = 60
QUICK = {"random_seed": 1, "draws": DRAWS, "progressbar": False}


def data(labels=("c", "a", "b"), rows=16, seed=3):
    """Rows of segments in turns, so that none is in one piece."""
    rng = np.random.default_rng(seed)
    n = rows * len(labels)
    frame = pd.DataFrame({"g": np.tile(np.array(labels, dtype=object), rows), "x": rng.normal(size=n)})
    frame["y"] = 1.0 + frame["x"] + rng.normal(size=n)
    frame["f"] = np.repeat(["u", "v"], n // 2)
    return frame


def many(frame=None, formula="y ~ x", **options):
    return nl.fit_many(formula, data() if frame is None else frame, **{"by": "g", "fit": QUICK, **options})


@pytest.fixture(scope="module")
def fits():
    return many()


def test_a_segment_has_the_draws_of_a_fit_to_its_rows(fits):
    frame = data()
    for label in ("a", "b", "c"):
        model = nl.Model("y ~ x", frame[frame["g"] == label])
        alone = model.fit(**{**QUICK, "random_seed": fits[label].random_seed})
        for name in ("Intercept", "x", "sigma"):
            assert np.array_equal(alone.posterior[name], fits[label].results.posterior[name])
        expected = nl.summary(alone, round_to="none")
        assert list(fits.table.loc[label].index) == list(expected.index)
        np.testing.assert_allclose(fits.table.loc[label], expected[fits.table.columns], rtol=1e-12)
        assert fits[label].model.data.equals(frame[frame["g"] == label])


def test_tables(fits):
    assert fits.labels == list(fits) == ["a", "b", "c"]
    assert len(fits) == 3
    assert "a" in fits
    assert "z" not in fits
    assert list(fits.table.index.names) == ["g", "parameter"]
    assert list(fits.table.columns) == ["mean", "sd", "hdi_3%", "hdi_97%", "ess_bulk", "ess_tail", "r_hat"]
    wide = fits.wide("sd")
    assert list(wide.columns) == ["Intercept", "x", "sigma"]
    assert wide.loc["b", "x"] == fits.table.loc[("b", "x"), "sd"]
    segments = fits.segments
    assert segments["rows"].tolist() == [16, 16, 16]
    assert (segments["method"] == "independence").all()
    assert segments.loc["c", "r_hat"] == fits.table.loc["c", "r_hat"].max()
    assert segments.loc["c", "ess"] == fits.table.loc["c", ["ess_bulk", "ess_tail"]].to_numpy().min()
    assert (segments["error"] == "").all()
    assert segments["concern"].str.contains("effective sample size").any()  # so few draws
    assert "3 segments of 'g'" in str(fits)
    assert "<table" in fits._repr_html_()
    with pytest.raises(DataError, match=r"no segment 'aa' of 'g'. Did you mean 'a'"):
        fits["aa"]
    with pytest.raises(DataError, match=r"no column 'mena'. Did you mean 'mean'"):
        fits.wide("mena")


@pytest.mark.parametrize("make", [lambda: ThreadPoolExecutor(2), lambda: ProcessPoolExecutor(2)])
def test_draws_do_not_depend_on_the_executor(fits, make):
    with make() as executor:
        other = many(executor=executor)
    pd.testing.assert_frame_equal(other.table, fits.table, check_exact=True)
    assert other.segments["concern"].tolist() == fits.segments["concern"].tolist()


def test_draws_do_not_depend_on_other_segments(fits):
    frame = data()
    fewer = many(frame[frame["g"] != "b"])
    pd.testing.assert_frame_equal(fewer.table, fits.table.drop("b"), check_exact=True)
    assert (
        fewer.table.loc["a"].to_numpy()[0, 0] != many(fit={**QUICK, "random_seed": 2}).table.loc["a"].to_numpy()[0, 0]
    )


def test_a_killed_worker_costs_no_segment(fits, tmp_path):
    options = {"extra_namespace": {"fatal_column": work.fatal_column, "home": os.getpid(), "folder": str(tmp_path)}}
    with ProcessPoolExecutor(2) as executor, pytest.warns(NutsliteWarning, match="The executor broke off"):
        found = many(formula="y ~ fatal_column(x, home, folder)", executor=executor, **options)
    assert (tmp_path / "killed").exists()
    assert np.array_equal(found.table.to_numpy(), fits.table.to_numpy())


def test_segments_with_faults_are_recorded(caplog):
    frame = data(labels=("alone", "one level", "well"))
    keep = (frame["g"] != "alone") | (frame.index == frame.index[frame["g"] == "alone"][0])
    frame.loc[frame["g"] == "one level", "f"] = "u"
    frame = frame[keep]
    with caplog.at_level(logging.WARNING, logger="nutslite"):
        found = many(frame, "y ~ x + f")
    assert list(found.failed.index) == ["alone", "one level"]
    assert "f" in found.failed["one level"]
    assert found.segments.loc["alone", "rows"] == 1
    assert np.isnan(found.segments.loc["alone", "r_hat"])
    assert list(found.wide().index) == ["well"]
    assert "2 could not be fitted" in str(found)
    assert "2 of 3 segments could not be fitted" in caplog.text
    with pytest.raises(nl.NutsliteError):
        _ = found["alone"].model
    with pytest.raises(SamplingError, match="Segment 'alone' cannot be fitted: "):
        many(frame, "y ~ x + f", errors="raise")
    with pytest.raises(DataError):
        many(frame[frame["g"] == "alone"], "y ~ x + f")


def test_separation_is_a_concern():
    frame = data().assign(z=lambda d: ((d["x"] > 0) & (d["g"] == "a")) | ((d.index % 2 == 0) & (d["g"] != "a")))
    found = many(frame.assign(z=frame["z"].astype(int)), "z ~ x", family="bernoulli")
    said = found.segments["concern"]
    assert "separate" in said["a"]
    assert "separate" not in said["b"] + said["c"]


def test_shared_priors_are_those_of_all_rows():
    frame = data()
    found = many(frame, shared_priors=True)
    whole = nl.Model("y ~ x", frame)
    for label in found:
        assert str(found[label].model.priors) == str(whole.priors)
        assert float(found[label].results.posterior["x"].mean()) == pytest.approx(found.table.loc[(label, "x"), "mean"])
    own = many(frame)
    assert str(own["a"].model.priors) != str(own["b"].model.priors)
    frame["h"] = np.where(frame["g"] == "a", np.tile(["u", "v"], len(frame) // 2), np.tile(["u", "w"], len(frame) // 2))
    with pytest.raises(SamplingError, match="lack levels that others have"):
        many(frame, "y ~ h", shared_priors=True)


def test_several_columns_and_labels_of_numbers():
    frame = data(labels=(2, 10), rows=24).assign(year=np.repeat([2001, 2002], 24))
    found = many(frame, by=["g", "year"])
    assert found.labels == [(2, 2001), (2, 2002), (10, 2001), (10, 2002)]
    assert list(found.table.index.names) == ["g", "year", "parameter"]
    assert found[10, 2002].data.equals(frame[(frame["g"] == 10) & (frame["year"] == 2002)])
    assert found.table.loc[(10, 2002, "x"), "mean"] == found.wide().loc[(10, 2002), "x"]


def test_chains_of_one_fit_on_an_executor():
    model = nl.Model("y ~ x", data())
    options = {**QUICK, "draws": 30, "tune": 30, "chains": 2, "compute_convergence_checks": False}
    here = model.fit(**options, discard_tuned_samples=False)
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(1) as processes:
        for executor in (threads, processes):
            there = model.fit(**options, executor=executor, discard_tuned_samples=False)
            for group in ("posterior", "sample_stats", "warmup_posterior"):
                for name in here[group].data_vars:
                    assert np.array_equal(here[group][name], there[group][name])
    for other in ({"checkpoint": "file"}, {"callback": print}):
        with pytest.raises(ArgumentError, match="Leave one of them out"):
            model.fit(executor=ThreadPoolExecutor(1), **other)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"by": "gg"}, DataError, r"column 'gg' not found in the data. Did you mean 'g'"),
        ({"by": 3}, DataError, "by is the column that tells segments apart"),
        ({"formula": "y ~ x +"}, FormulaError, "x"),
        ({"formula": "y ~ nothing"}, nl.NutsliteError, "nothing"),
        ({"family": "gausian"}, nl.FamilyError, "gaussian"),
        ({"priors": {"x": "wied"}}, nl.PriorError, "wide"),
        ({"errors": "ignore"}, ArgumentError, "'record', 'raise'"),
        ({"shared_priors": 1}, ArgumentTypeError, "True or False"),
        ({"hdi_prob": 94}, ArgumentError, "between 0 and 1"),
        ({"fit": {"drows": 3}}, ArgumentTypeError, "Did you mean 'draws'"),
        ({"fit": {"file": "x.nc"}}, ArgumentTypeError, "one file cannot hold several fits"),
        ({"fit": {"callback": print}}, ArgumentError, "is for one model"),
        ({"draws": 10}, ArgumentTypeError, "draws is an argument of Model.fit"),
        ({"executor": 3}, ArgumentTypeError, "submit"),
        ({"by": None}, ArgumentTypeError, "by='segment'"),
        ({"data": 3}, ArgumentTypeError, "needs data, once"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_before_any_fit(options, error, words):
    with pytest.raises(error, match=words):
        many(**{"formula": "y ~ x", **options})


def test_rows_without_a_segment_are_refused():
    frame = data()
    frame.loc[3, "g"] = None
    with pytest.raises(DataError, match="column 'g' has 1 missing values"):
        many(frame)


def test_ctrl_c_keeps_what_is_there(monkeypatch, caplog):
    from nutslite.model import segments

    right, seen = segments._brief, []

    def stopped(work, frame, arrays, seed):
        if seen:
            raise KeyboardInterrupt
        seen.append(1)
        return right(work, frame, arrays, seed)

    monkeypatch.setattr(segments, "_brief", stopped)
    with caplog.at_level(logging.WARNING, logger="nutslite"):
        found = many()
    assert found.failed.tolist() == ["Interrupted.", "Interrupted."]
    assert "kept the fits of 1 of 3 segments" in caplog.text


def test_there_is_one_bar_and_no_line_of_single_fits(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="nutslite"):
        many(fit={**QUICK, "progressbar": True, "compute_convergence_checks": False})
        nl.fit_many("y ~ x", [data(), data()], fit={**QUICK, "progressbar": True, "compute_convergence_checks": False})
    assert "Sampling" not in caplog.text
    shown = capsys.readouterr().err
    assert "3 fits: 100%" in shown
    assert "2 fits: 100%" in shown
    assert "chain" not in shown


# Faults of data in the largest segment


@pytest.mark.parametrize("formula", ["y ~ poly(x, 3)", "y ~ scale(x)", "y ~ bs(x, df=5)"])
def test_a_fault_in_the_first_segment_loses_no_other(formula):
    """Constants, from which these learn nothing: an error of the formula, but of the data of one segment."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(list("ab"), 15), "x": rng.normal(size=30), "y": rng.normal(size=30)})
    data.loc[data["g"] == "a", "x"] = 1.0
    fits = nl.fit_many(formula, data, by="g", fit={"random_seed": 1, "progressbar": False, "draws": 20})
    assert list(fits.failed.index) == ["a"]
    with pytest.raises(FormulaError):
        nl.fit_many(formula, data[data["g"] == "a"], by="g", fit={"progressbar": False})


@pytest.mark.parametrize("size", [1e101, 1e-101, 1e160])
def test_numbers_beyond_squares_are_refused_in_any_segment(size):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(list("ab"), 15), "x": rng.normal(size=30), "y": rng.normal(size=30)})
    data.loc[data["g"] == "b", "x"] *= size
    fits = nl.fit_many("y ~ x", data, by="g", fit={"random_seed": 1, "progressbar": False, "draws": 20})
    assert "rescale the column" in fits.failed["b"]


def test_what_is_no_set_of_arguments():
    with pytest.raises(ArgumentTypeError, match="fit has arguments of"):
        nl.fit_many("y ~ x", [pd.DataFrame({"y": [1.0]})] * 2, fit=3)
