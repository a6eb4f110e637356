"""From results back to the rows of the user's data, whatever was left out and however they are labelled."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.results.container.inference_data import get_group
from nutslite.results.container.row_labels import label_rows, row_labels

N = 24
LEFT_OUT = [2, 5, 11]
FIT: dict[str, Any] = {"draws": 20, "tune": 20, "chains": 2, "random_seed": 1, "progressbar": False}
FIT["compute_convergence_checks"] = False


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="nutslite")


def data(index: Any = None) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"y": rng.normal(size=N), "x": rng.normal(size=N)}, index=index)
    frame.iloc[LEFT_OUT, 1] = np.nan
    return frame


INDICES = {
    "none": None,
    "numbers from 1": pd.RangeIndex(1, N + 1),
    "shuffled numbers": pd.Index(np.random.default_rng(1).permutation(N)),
    "texts": pd.Index([f"row {i}" for i in range(N)]),
    "dates": pd.date_range("2020-01-01", periods=N),
    "numbers with a point": pd.Index(np.arange(N) / 2),
    "the same label twice": pd.Index(["a", "b"] * (N // 2)),
}


@pytest.mark.parametrize("index", INDICES)
def test_labels_are_the_index_of_the_rows_in_use(index: str) -> None:
    frame = data(INDICES[index])
    results = nl.Model("y ~ x", frame, dropna=True).fit(**FIT)
    observed = get_group(results, "observed_data")
    labels = observed["__row__"]
    assert labels.dims == ("__obs__",)
    used = frame[frame["x"].notna()]
    np.testing.assert_array_equal(labels.values, used.index.to_numpy().astype(labels.dtype))
    np.testing.assert_array_equal(observed["y"].values, used["y"])
    np.testing.assert_array_equal(observed["__obs__"].values, range(N - len(LEFT_OUT)))  # as in Bambi
    if frame.index.is_unique:
        np.testing.assert_array_equal(frame.loc[labels.values, "y"], observed["y"].values)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2.5)]), ["a, 1.0", "b, 2.5"]),
        (pd.Index([Decimal("1.50"), None], dtype=object), ["1.5", "None"]),
        (pd.Index(["a\0b", "\ud800"], dtype=object), ["a\\0b", "\\ud800"]),
        (pd.period_range("2020-01", periods=2, freq="M"), ["2020-01", "2020-02"]),
        (pd.Index([1, None], dtype="Int64"), ["1", "<NA>"]),
        (pd.Index([2**63, 1], dtype="uint64"), [str(2**63), "1"]),
        (pd.Index([True, False]), ["True", "False"]),
        (pd.RangeIndex(0), []),
    ],
)
def test_labels_that_no_file_holds_are_texts(index: pd.Index, expected: list[str]) -> None:
    assert row_labels(index).tolist() == expected


def test_they_survive_files_and_come_with_the_prior(tmp_path: Path) -> None:
    frame = data(INDICES["texts"])
    model = nl.Model("y ~ x", frame, dropna=True)
    used = frame.index[frame["x"].notna()]
    results = model.fit(file=tmp_path / "fit.nc", **FIT)
    again = nl.Model.load(model.save(tmp_path / "a.model"))
    for each in (
        results,
        nl.load(tmp_path / "fit.nc"),
        model.prior_predictive(draws=2),
        again.prior_predictive(draws=2),
    ):
        assert get_group(each, "observed_data")["__row__"].values.tolist() == used.tolist()


def test_a_fit_from_a_file_has_the_labels_of_the_present_data(tmp_path: Path) -> None:
    """The same numbers under other labels are the same fit, which is not made again."""
    nl.Model("y ~ x", data(), dropna=True).fit(file=tmp_path / "fit.nc", **FIT)
    frame = data(INDICES["texts"])
    results = nl.Model("y ~ x", frame, dropna=True).fit(file=tmp_path / "fit.nc", **FIT)
    labels = get_group(results, "observed_data")["__row__"].values
    assert labels.tolist() == frame.index[frame["x"].notna()].tolist()


def test_labels_of_other_rows_are_not_put_there() -> None:
    results = nl.Model("y ~ x", data(), dropna=True).prior_predictive(draws=2)
    before = get_group(results, "observed_data")["__row__"].values
    label_rows(results, SimpleNamespace(n_rows=3, rows=pd.RangeIndex(3)))
    np.testing.assert_array_equal(get_group(results, "observed_data")["__row__"].values, before)


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_the_worst_rows_of_loo_are_found() -> None:
    arviz = pytest.importorskip("arviz")
    frame = data(INDICES["texts"])
    frame.loc["row 7", "y"] = 12.0
    model = nl.Model("y ~ x", frame, dropna=True)
    results = model.fit(**{**FIT, "draws": 100})
    model.compute_log_likelihood(results)
    k = arviz.loo(results, pointwise=True).pareto_k
    rows = get_group(results, "observed_data")["__row__"].values
    assert rows[int(np.argmax(np.asarray(k)))] == "row 7"
