"""Engines that hold rows: what they read is what pandas would have, block by block; results do not depend on them."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.engines.first_pass import COUNT, Reading, first_pass
from nutslite.engines.sources.recognised import source_of
from nutslite.exceptions import DataError

pa = pytest.importorskip("pyarrow", reason="data on engines need pyarrow")
from pyarrow import compute, dataset, parquet  # noqa: E402

N = 1000


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nutslite.engines.sources.source.BLOCK_NUMBERS", 300)
        yield


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(size=N)
    g = rng.choice(["a", "b", "c"], N)
    return pd.DataFrame({"y": 2.0 + x + (g == "b") + rng.normal(size=N), "x": x, "g": g, "few": rng.integers(0, 3, N)})


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows")
    table = pa.Table.from_pandas(data, preserve_index=False)
    for number in range(2):
        parquet.write_table(table.slice(500 * number, 500), path / f"{number}.parquet", row_group_size=170)
    return path


def duckdb_relation(data, folder):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    connection = duckdb.connect()
    return connection.sql(f"SELECT * FROM read_parquet('{folder}/*.parquet')")


def dask_frame(data, folder):
    frames = pytest.importorskip("dask.dataframe", reason="Dask is not installed")
    return frames.from_pandas(data, npartitions=3)


ENGINES = {
    "folder": lambda data, folder: folder,
    "files": lambda data, folder: [folder / "0.parquet", str(folder / "1.parquet")],
    "pyarrow": lambda data, folder: dataset.dataset(folder),
    "pyarrow in memory": lambda data, folder: dataset.dataset(pa.Table.from_pandas(data)),
    "duckdb": duckdb_relation,
    "dask": dask_frame,
}


@pytest.fixture(scope="module", params=list(ENGINES))
def on_engine(request, data, folder):
    return ENGINES[request.param](data, folder)


def test_blocks_are_the_rows_in_their_order(on_engine, data):
    source = source_of(on_engine)
    assert source.columns == tuple(data.columns)
    assert source.count() == N
    pd.testing.assert_frame_equal(source.head(10).reset_index(drop=True), data.head(10), check_dtype=False)
    for cores in (1, 3):
        blocks = list(source.map(lambda place, frame: frame, ["g", "x"], cores))
        assert max(map(len, blocks)) <= 150
        together = pd.concat(blocks, ignore_index=True)
        pd.testing.assert_frame_equal(together, data[["g", "x"]], check_dtype=False)


def test_what_fails_in_a_block_is_raised(on_engine):
    def work(place, frame):
        raise DataError("this block is wrong")

    with pytest.raises(DataError, match="this block is wrong"):
        list(source_of(on_engine).map(work, ["x"], 2))


def test_different_rows_are_counted(on_engine, data):
    reading = Reading(("g", "few"), ("g",), False)
    source = source_of(on_engine)
    found = first_pass(source, reading, source.head(1000)[["g", "few"]], 2)
    expected = data.groupby(["g", "few"]).size()
    assert found.counts.tolist() == expected.tolist()
    assert found.rows.values.tolist() == [list(key) for key in expected.index]
    assert COUNT not in found.rows


def test_a_model_of_an_engine_has_the_numbers_of_one_in_memory(on_engine, data):
    ours = nl.Model("y ~ x + g", on_engine)
    theirs = nl.Model("y ~ x + g", data)
    assert str(ours.priors) == str(theirs.priors)
    assert ours.design.weights.sum() == pytest.approx(N)
    assert ours.design.predictors["mu"].matrix.mean(axis=1) == pytest.approx(
        theirs.design.predictors["mu"].matrix.mean(axis=1)
    )


def test_levels_of_all_blocks_are_known_in_the_same_order(folder, data, tmp_path):
    ordered = pd.Categorical(data.g, categories=["c", "a", "b"], ordered=True)
    frame = data.assign(g=ordered).sort_values("y")
    parquet.write_table(pa.Table.from_pandas(frame, preserve_index=False), tmp_path / "o.parquet", row_group_size=90)
    for some in (frame, data.assign(g=data.g.astype("category"))):
        parquet.write_table(pa.Table.from_pandas(some, preserve_index=False), tmp_path / "o.parquet", row_group_size=90)
        ours, theirs = nl.Model("y ~ g", str(tmp_path)), nl.Model("y ~ g", some)
        assert ours.design.predictors["mu"].terms[0].labels == theirs.design.predictors["mu"].terms[0].labels


def test_filtered_datasets_stay_filtered(folder, data):
    chosen = dataset.dataset(folder).filter(compute.field("few") > 0)
    assert nl.Model("y ~ x", chosen)._specification.spec.n_rows == (data.few > 0).sum()


def test_one_file_is_read_into_memory(folder):
    model = nl.Model("y ~ x", folder / "0.parquet")
    assert model._specification.spec.elsewhere is None
    assert isinstance(model.data, pd.DataFrame)


def test_folders_and_lists_that_are_no_dataset_say_so(tmp_path, folder):
    with pytest.raises(DataError, match="folder without Parquet files"):
        nl.Model("y ~ x", str(tmp_path))
    with pytest.raises(DataError, match=r"'a\.csv' is none"):
        nl.Model("y ~ x", ["a.csv"])
    with pytest.raises(DataError, match="There is no file"):
        nl.Model("y ~ x", [str(folder / "2.parquet")])
    (tmp_path / "broken.parquet").write_text("no Parquet")
    with pytest.raises(DataError, match=r"Parquet dataset|failed"):
        nl.Model("y ~ x", str(tmp_path))


def test_too_many_combinations_of_levels_are_refused(on_engine, monkeypatch):
    monkeypatch.setattr("nutslite.engines.first_pass.MOST_COMBINATIONS", 5)
    with pytest.raises(DataError, match=r"'g', 'few' have more than 5 combinations"):
        nl.Model("y ~ x + g + (1|few)", on_engine)


def test_merging_is_given_up_where_too_many_rows_differ(folder, monkeypatch):
    monkeypatch.setattr("nutslite.engines.first_pass.MOST_DIFFERENT", 5)
    model = nl.Model("few ~ g", str(folder), "poisson")
    assert model._specification.spec.elsewhere.streams


def test_no_rows_are_refused(tmp_path, data):
    parquet.write_table(pa.Table.from_pandas(data.head(0)), tmp_path / "none.parquet")
    with pytest.raises(DataError, match="no rows"):
        nl.Model("y ~ x", str(tmp_path))


def test_nothing_more_is_read_once_nobody_wants_it(monkeypatch, tmp_path):
    monkeypatch.setattr("nutslite.engines.sources.source.BLOCK_NUMBERS", 10)
    parquet.write_table(pa.table({"x": np.arange(1000.0)}), tmp_path / "x.parquet", row_group_size=500)
    source, seen = source_of(str(tmp_path)), []

    def work(place, frame):
        seen.append(place)
        if place == (0, 2):
            raise KeyboardInterrupt
        time.sleep(0.001 if place[0] == 0 else 0.02)

    with pytest.raises(KeyboardInterrupt):
        list(source.map(work, ["x"], 2))
    assert len(seen) < 20
