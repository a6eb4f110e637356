"""Results as Zarr stores: what comes back, what is never replaced, and that opening one runs nothing."""

from __future__ import annotations

import json
import os
import shutil
import warnings

import numpy as np
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite._log import log
from nutslite.results.container.inference_data import build_container, get_group, group_names
from nutslite.results.storage import storage, zarr_store

FIT = {"draws": 40, "tune": 40, "chains": 2, "random_seed": 1, "progressbar": False}


@pytest.fixture(autouse=True)
def quiet():
    """So few draws have not converged."""
    log.setLevel("ERROR")
    yield
    log.setLevel("INFO")


@pytest.fixture(scope="module")
def results():
    model = nl.Model("y ~ x + I(z/2) + c + (x|g)", grouped_data().assign(z=np.linspace(0.0, 1.0, 120) ** 2))
    fitted = model.fit(**FIT, compute_convergence_checks=False)
    model.predict(fitted, kind="response", random_seed=2)
    return fitted


def test_without_zarr_it_says_what_to_install(tmp_path, monkeypatch, results):
    def absent(name):
        raise zarr_store.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(zarr_store.importlib.metadata, "version", absent)
    monkeypatch.setattr("nutslite.results.container.inference_data.arviz_major", lambda: 1)
    for call in (
        lambda: nl.save(results, tmp_path / "fit.zarr"),
        lambda: nl.Model("y ~ x", grouped_data()).fit(file=tmp_path / "fit.zarr", **FIT),
    ):
        with pytest.raises(nl.DataError, match=r"fit.zarr' is a Zarr store.*pip install \"nutslite\[zarr\]\".*netCDF"):
            call()
    (tmp_path / "store.zarr").mkdir()
    (tmp_path / "store.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    with pytest.raises(nl.DataError, match=r"pip install \"nutslite\[zarr\]\""):
        nl.load(tmp_path / "store.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["store.zarr"]


def test_a_folder_that_is_no_store(tmp_path):
    (tmp_path / "fit").mkdir()
    with pytest.raises(nl.DataError, match="a folder without a 'zarr"):
        nl.load(tmp_path / "fit")
    (tmp_path / "fit" / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(nl.DataError, match="format 2 is not read: its arrays may hold pickled code"):
        nl.load(tmp_path / "fit")


class TestWithZarr:
    @pytest.fixture(autouse=True)
    def needs_zarr(self):
        zarr = pytest.importorskip("zarr", reason="needs zarr, an optional package")
        if int(zarr.__version__.partition(".")[0]) < 3:
            pytest.skip("needs zarr 3")

    @pytest.fixture
    def store(self, tmp_path, results):
        return nl.save(results, tmp_path / "fit.zarr")

    def test_everything_comes_back(self, store, results):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            back = nl.load(store)
        assert set(group_names(back)) == set(group_names(results))
        for name in group_names(results):
            here, there = get_group(results, name), get_group(back, name)
            assert here.identical(there), name
        assert [name for name in get_group(back, "posterior") if "∕" in name]  # no folder of that name
        assert not list(store.parent.glob(".*"))

    def test_xarray_reads_it(self, store, results):
        import xarray

        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            tree = xarray.open_datatree(store, engine="zarr", consolidated=False)
        with tree:
            np.testing.assert_array_equal(tree["posterior"]["x"], get_group(results, "posterior")["x"])

    def test_predictions_from_what_was_loaded(self, store, results):
        model = nl.Model("y ~ x + c + (x|g)", grouped_data())
        fitted = model.fit(**FIT, compute_convergence_checks=False)
        back = nl.load(nl.save(fitted, store.with_name("other.zarr")))
        new = grouped_data(30, 9, seed=4)
        ours, theirs = (
            model.predict(each, data=new, kind="response", random_seed=3, inplace=False) for each in (fitted, back)
        )
        assert get_group(ours, "predictions").equals(get_group(theirs, "predictions"))

    def test_a_fit_in_a_store_is_used_again(self, tmp_path, monkeypatch):
        model = nl.Model("y ~ x", grouped_data())
        path = tmp_path / "fit.zarr"
        first = get_group(model.fit(file=path, **FIT), "posterior")
        more = get_group(model.fit(file=path, **{**FIT, "draws": 50}), "posterior")
        assert (first.sizes["draw"], more.sizes["draw"]) == (40, 50)
        monkeypatch.setattr("nutslite.model.fits.fitting._sampled", None)
        again = get_group(model.fit(file=path, **{**FIT, "draws": 50}), "posterior")
        np.testing.assert_array_equal(again["x"], more["x"])

    def test_only_stores_of_ours_are_replaced(self, tmp_path, results):
        import zarr

        theirs = tmp_path / "theirs.zarr"
        zarr.create_group(theirs, attributes={"of": "somebody else"})
        (tmp_path / "file.zarr").write_text("three years of work")
        (tmp_path / "folder.zarr").mkdir()
        for name in ("theirs", "file", "folder"):
            with pytest.raises(nl.DataError, match=f"{name}.zarr': that is there and nutslite did not write it"):
                nl.save(results, tmp_path / f"{name}.zarr")
        assert (tmp_path / "file.zarr").read_text() == "three years of work"
        with pytest.raises(nl.DataError, match="there is no folder"):
            nl.save(results, tmp_path / "absent" / "fit.zarr")

    def test_a_failing_save_leaves_the_old_store(self, tmp_path, store, results, monkeypatch):
        before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}

        def full(folder):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(zarr_store, "_flush", full)
        with pytest.raises(nl.DataError, match=r"Cannot save results to .*fit.zarr': No space left on device"):
            nl.save(results, store)
        assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
        assert [path.name for path in tmp_path.iterdir()] == ["fit.zarr"]
        monkeypatch.undo()
        log.setLevel("ERROR")
        part = build_container({"posterior": get_group(results, "posterior")})
        nl.save(part, store)
        assert group_names(nl.load(store)) == ["posterior"]
        assert [path.name for path in tmp_path.iterdir()] == ["fit.zarr"]

    def test_a_newer_format_is_refused(self, store, monkeypatch):
        monkeypatch.setattr(storage, "FORMAT", 0)
        with pytest.raises(nl.DataError, match=r"in format 1 of results.*upgrade nutslite"):
            nl.load(store)

    def test_nothing_in_a_store_is_ever_unpickled(self, tmp_path, store):
        root = json.loads((store / "zarr.json").read_text())
        del root["attributes"]["nutslite_files"]  # whoever makes such a store does not leave it
        (store / "zarr.json").write_text(json.dumps(root))
        metadata = store / "posterior" / "x" / "zarr.json"
        whole = json.loads(metadata.read_text())
        pickled = [{"name": "numcodecs.pickle", "configuration": {}}]
        inside = {"name": "sharding_indexed", "configuration": {"codecs": pickled, "index_codecs": []}}
        for codecs, named in ((pickled, "numcodecs.pickle"), ([inside], "numcodecs.pickle"), (["pickle"], "pickle")):
            metadata.write_text(json.dumps({**whole, "codecs": codecs}))
            with pytest.raises(nl.DataError, match=f"codec '{named}', which results do not need"):
                nl.load(store)
        for older in ({"zarr_format": 2}, {"filters": [{"id": "pickle"}]}):
            metadata.write_text(json.dumps({**whole, **older}))
            with pytest.raises(nl.DataError, match="another format of Zarr than 3"):
                nl.load(store)
        metadata.write_text(json.dumps(whole))
        nl.load(store)
        shutil.move(store / "posterior", tmp_path / "posterior")
        (store / "posterior").symlink_to(tmp_path / "posterior")
        with pytest.raises(nl.DataError, match="'posterior' is a link"):
            nl.load(store)

    def test_what_a_store_claims_is_counted_before_it_is_read(self, store):
        root = json.loads((store / "zarr.json").read_text())
        del root["attributes"]["nutslite_files"]
        (store / "zarr.json").write_text(json.dumps(root))
        metadata = store / "posterior" / "x" / "zarr.json"
        whole = json.loads(metadata.read_text())
        grid = {"name": "regular", "configuration": {"chunk_shape": [2, 10**12]}}
        for change, said in (
            ({"shape": [2, 10**12]}, "claims more numbers"),
            ({"chunk_grid": grid}, "claims more numbers"),
            ({"shape": [2, -1]}, "not from 0"),
            ({"shape": "all"}, "'shape' of a part of it is 'all'"),
            ({"node_type": "code"}, "'code'"),
            ({"attributes": json.loads("[" * 230 + "]" * 230)}, None),
        ):
            metadata.write_text(json.dumps({**whole, **change}))
            with pytest.raises(nl.DataError, match=f"fit.zarr'.*{said or ''}"):
                nl.load(store)
        metadata.write_text("[" * 100_000 + "]" * 100_000)
        with pytest.raises(nl.DataError, match="nested more than 240 deep"):
            nl.load(store)
        metadata.unlink()
        os.mkfifo(metadata)
        with pytest.raises(nl.DataError, match=r"'posterior/x/zarr.json' is a pipe"):
            nl.load(store)
        (store / "zarr.json").unlink()
        os.mkfifo(store / "zarr.json")
        with pytest.raises(nl.DataError, match="nutslite did not write it"):
            nl.Model("y ~ x", grouped_data()).fit(file=store, **FIT)

    def test_damage_is_an_error_and_never_a_missing_value(self, store):
        """Zarr itself reads a missing file as missing values, and leaves out what it does not understand."""
        files = sorted(path for path in store.rglob("*") if path.is_file() and path != store / "zarr.json")
        for path in [store / "posterior" / "x" / "zarr.json", *files[::20]]:
            whole = path.read_bytes()
            for damaged in (b"", b"{", b"[]", whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], None):
                path.unlink() if damaged is None else path.write_bytes(damaged)
                with pytest.raises(nl.DataError, match="is damaged"):
                    nl.load(store)
            path.write_bytes(whole)
        nl.load(store)
        (store / "posterior" / "new").write_text("")
        with pytest.raises(nl.DataError, match="'posterior/new' is new"):
            nl.load(store)
        (store / "posterior" / "new").unlink()
        (store / "zarr.json").write_text("{")
        with pytest.raises(nl.DataError, match="is damaged"):
            nl.load(store)
