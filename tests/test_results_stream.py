"""Numbers of every row and draw on disk: equal to those in memory, in bounded memory, all of a file or none."""

from __future__ import annotations

import gc
import importlib.util
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite._log import log
from nutslite.results.container.inference_data import get_group, group_names
from nutslite.results.predictions import parameter_draws, predict, room
from nutslite.results.storage import streamed_file, streamed_group
from nutslite.results.storage.streamed_file import opened_group
from nutslite.sampler import memory

FIT = {"draws": 30, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False}
SUFFIXES = ("nc", "zarr")


@pytest.fixture(autouse=True)
def quiet():
    """So few draws have not converged."""
    log.setLevel("ERROR")
    yield
    log.setLevel("INFO")


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    """A file of either format, in a folder of its own."""
    if request.param == "zarr":
        pytest.importorskip("zarr", minversion="3", reason="needs zarr 3, an optional package")
    return tmp_path / f"numbers.{request.param}"


@pytest.fixture(params=["draws", "rows"])
def small_blocks(request, monkeypatch):
    """Blocks that end where chains and pieces do not."""
    monkeypatch.setattr(streamed_group, "BLOCK_NUMBERS", {"draws": 7 * 120, "rows": 1}[request.param])
    monkeypatch.setattr(streamed_group, "PIECE_NUMBERS", 33)
    monkeypatch.setattr(parameter_draws, "_CHUNK_NUMBERS", 11 * 120)


def data():
    rng = np.random.default_rng(5)
    frame = grouped_data()
    return frame.assign(
        n=rng.poisson(np.exp(0.3 * frame["x"])),
        k=rng.choice(["one", "two", "three"], size=len(frame)),
        a=rng.integers(1, 9, size=len(frame)),
        b=rng.integers(1, 9, size=len(frame)),
    )


MODELS = {
    "gaussian": ("y ~ x + (1|g)", "gaussian"),
    "poisson": ("n ~ x", "poisson"),
    "categorical": ("k ~ x", "categorical"),
    "multinomial": ("counts(a, b, n) ~ x", "multinomial"),
    "cumulative": ("k ~ x", "cumulative"),
}


@pytest.fixture(scope="module")
def fits():
    return {}


@pytest.fixture
def fitted(fits):
    """By name a model and its results, which tests do not change."""

    def of(name):
        if name not in fits:
            formula, family = MODELS[name]
            model = nl.Model(formula, data(), family=family)
            fits[name] = model, model.fit(**FIT)
        return fits[name]

    return of


@pytest.fixture
def no_room(monkeypatch):
    monkeypatch.setattr(room, "available_memory", lambda: 8.0 * 120 * 20)


@pytest.fixture
def no_work(monkeypatch):
    def chunks(samples, rows):
        raise AssertionError("it worked")

    monkeypatch.setattr(parameter_draws, "chunks", chunks)


class TestEqualNumbers:
    @pytest.mark.parametrize("name", MODELS)
    @pytest.mark.parametrize("new", [False, True])
    def test_those_in_memory_and_on_disk(self, fitted, path, name, new):
        model, results = fitted(name)
        rows = data().iloc[5:25] if new else None
        for kind in ("response", "response_params", "mean"):
            options = {"kind": kind, "data": rows, "random_seed": 3, "inplace": False}
            here, there = model.predict(results, **options), model.predict(results, to=path, **options)
            group = "predictions" if new else "posterior_predictive" if kind == "response" else "posterior"
            same(get_group(here, group), get_group(there, group), leave_out=kind == "response")
            assert set(group_names(there)) == set(group_names(here))
        here, there = (
            get_group(model.compute_log_likelihood(results, data=rows, inplace=False, **options), "log_likelihood")
            for options in ({}, {"to": path})
        )
        same(here, there)
        assert not list(path.parent.glob(".*"))

    @pytest.mark.usefixtures("small_blocks")
    @pytest.mark.parametrize("name", ["poisson", "categorical"])
    def test_in_blocks_that_end_anywhere(self, fitted, path, name):
        model, results = fitted(name)
        options = {"random_seed": 3, "inplace": False, "kind": "response"}
        here, there = model.predict(results, **options), model.predict(results, to=path, **options)
        same(get_group(here, "posterior_predictive"), get_group(there, "posterior_predictive"))
        here, there = (model.predict(results, inplace=False, **each) for each in ({}, {"to": path}))
        same(get_group(here, "posterior"), get_group(there, "posterior"))

    def test_chains_and_draws_as_they_are(self, fitted, path):
        model, results = fitted("gaussian")
        for part in (
            results.isel(chain=0),
            results.isel(draw=slice(None, None, -2)),
            results.isel(chain=[1], draw=[4, 9]),
        ):
            here, there = (
                model.compute_log_likelihood(part, inplace=False, **each)["log_likelihood"]
                for each in ({}, {"to": path})
            )
            assert here.equals(there)
        fewer = model.predict(results, kind="response", draws=8, to=path, random_seed=1, inplace=False)
        assert get_group(fewer, "posterior_predictive").sizes["draw"] == 4

    def test_a_file_is_loaded_and_saved_as_any_other(self, fitted, path, tmp_path):
        model, results = fitted("gaussian")
        found = model.compute_log_likelihood(results, to=path, inplace=False)
        expected = get_group(model.compute_log_likelihood(results, inplace=False), "log_likelihood")
        same(expected, get_group(nl.load(path), "log_likelihood"))
        again = nl.load(nl.save(found, tmp_path / "all.nc"))
        same(expected, get_group(again, "log_likelihood"))

    def test_in_place_and_again(self, fitted, path):
        model, results = fitted("gaussian")
        own = results.copy()
        assert model.predict(own, to=path) is None
        first = get_group(own, "posterior")["mu"].to_numpy()
        assert model.predict(own, to=path) is None  # a store of the same name is replaced
        np.testing.assert_array_equal(get_group(own, "posterior")["mu"], first)
        after = model.predict(own, kind="response", random_seed=2, inplace=False)  # mu of the file is not asked for
        assert "y" in get_group(after, "posterior_predictive")

    def test_whole_numbers_that_become_floats(self, path):
        """Counts whose mean is negative at some draws: nan from there on."""
        rng = np.random.default_rng(1)
        frame = pd.DataFrame({"x": np.linspace(0.0, 1.0, 60), "n": rng.poisson(0.3, size=60)})
        model = nl.Model(
            "n ~ x", frame, family="poisson", link="identity", priors={"x": nl.Prior("Normal", mu=0, sigma=1)}
        )
        results = model.fit(**FIT)
        far = frame.assign(x=frame["x"] * 40.0)
        options = {"kind": "response", "data": far, "random_seed": 3, "inplace": False}
        with pytest.warns(nl.NutsliteWarning, match="nan for"):
            here = get_group(model.predict(results, **options), "predictions")
        with pytest.warns(nl.NutsliteWarning, match="nan for"):
            there = get_group(model.predict(results, to=path, **options), "predictions")
        assert here["n"].dtype.kind == "f"
        same(here, there, leave_out=True)

    @pytest.mark.usefixtures("small_blocks")
    @pytest.mark.parametrize("first", [1, 29, 30, 41, 60])
    def test_floats_from_any_sample_on(self, path, first):
        import xarray

        rng = np.random.default_rng(2)
        numbers = rng.integers(0, 9, size=(2, 30, 120))
        template = xarray.Dataset(
            {"n": (("chain", "draw", "row"), numbers)}, coords={"chain": range(2), "draw": range(30), "row": range(120)}
        )
        with streamed_file.streamed_file(path, "some") as stream:
            held = stream.hold(template, np.int64)
            flat = numbers.reshape(60, 120)
            held[0:first] = flat[:first]
            held = held.as_floats()
            if first < 60:
                held[first:60] = flat[first:] + 0.5
        expected = flat.astype(float)
        expected[first:] += 0.5
        found = opened_group(path, "some")
        assert list(found.data_vars) == ["n"]
        np.testing.assert_array_equal(found["n"].to_numpy().reshape(60, 120), expected)
        nl.load(path)


class TestRoom:
    @pytest.mark.usefixtures("no_room", "no_work")
    def test_too_much_is_refused_before_any_work(self, fitted):
        model, results = fitted("gaussian")
        refused = r"need 0.0 GiB of memory \(60 draws x 120 rows.*Take fewer draws \(results.isel\(draw=slice"
        for call in (
            lambda: model.predict(results),
            lambda: model.predict(results, kind="response", inplace=False),
            lambda: model.predict(results, kind="response", data=data()),
            lambda: model.compute_log_likelihood(results),
        ):
            with pytest.raises(nl.DataError, match=rf"{refused}.*to='name.zarr' or to='name.nc'"):
                call()
        for call in (
            lambda: model.r2_score(results),
            lambda: model.r2_score(results, kind="loo"),
            lambda: model.evaluate(results),
        ):
            with pytest.raises(nl.DataError, match=refused):
                call()

    def test_the_remedies_are_ones(self, fitted, monkeypatch, path):
        model, results = fitted("gaussian")
        monkeypatch.setattr(room, "available_memory", lambda: 8.0 * 120 * 25)
        with pytest.raises(nl.DataError, match=r"slice\(None, None, 3\)"):
            model.compute_log_likelihood(results)
        model.compute_log_likelihood(results.isel(draw=slice(None, None, 3)))
        model.compute_log_likelihood(results, data=data().iloc[:30], inplace=False)
        model.predict(results, draws=10, inplace=False)
        assert "y" in model.compute_log_likelihood(results, to=path, inplace=False)["log_likelihood"]
        assert "y" in model.predict(results, kind="response", to=path, inplace=False)["posterior_predictive"]

    def test_vectors_count_as_what_they_are(self, fitted, monkeypatch):
        model, results = fitted("categorical")
        monkeypatch.setattr(room, "available_memory", lambda: 8.0 * 60 * 120 * 2)
        with pytest.raises(nl.DataError, match="x 120 rows x 3 numbers"):
            model.predict(results)

    def test_what_the_system_refuses_is_the_same_error(self, fitted, monkeypatch):
        model, results = fitted("gaussian")

        class Refused(predict.HeldArray):
            def __init__(self, *arguments):
                raise MemoryError("Unable to allocate")

        monkeypatch.setattr(predict, "HeldArray", Refused)
        for call in (model.predict, model.compute_log_likelihood):
            with pytest.raises(nl.DataError, match=r"need 0.0 GiB of memory \(60 draws x 120 rows"):
                call(results)

    def test_a_fit_says_how_to_add_them_later(self, fitted, monkeypatch):
        model, _ = fitted("gaussian")
        monkeypatch.setattr("nutslite.posterior.run.run.run", lambda *_, **__: pytest.fail("it sampled"))
        monkeypatch.setattr(memory, "available_memory", lambda: 1e4)
        monkeypatch.setattr(memory, "FEW_BYTES", 0)
        with pytest.raises(nl.SamplingError, match=r"model.predict\(results, to='name.zarr'\)"):
            model.fit(**FIT, include_response_params=True)
        with pytest.raises(nl.SamplingError, match=r"model.compute_log_likelihood\(results, to='name.zarr'\)"):
            model.fit(**FIT, idata_kwargs={"log_likelihood": True})

    def test_memory_is_bounded_by_blocks(self, path, monkeypatch):
        rows = 20_000
        rng = np.random.default_rng(1)
        frame = pd.DataFrame({"y": rng.normal(size=rows), "x": rng.normal(size=rows)})
        model = nl.Model("y ~ x", frame)
        results = model.fit(**{**FIT, "draws": 300})
        one = results.isel(draw=[0])  # what is imported for either counts as its memory
        model.compute_log_likelihood(one, to=path, inplace=False)
        model.predict(one, kind="response", to=path, inplace=False)
        monkeypatch.setattr(streamed_group, "BLOCK_NUMBERS", 5 * rows)
        monkeypatch.setattr(parameter_draws, "_CHUNK_NUMBERS", 5 * rows)
        whole = 8 * rows * 600  # blocks and garbage that has not been collected are a tenth of it
        for call in (
            lambda: model.compute_log_likelihood(results, to=path),
            lambda: model.predict(results, kind="response", to=path),
        ):
            gc.collect()
            tracemalloc.start()
            call()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < whole / 5


class TestFiles:
    @pytest.mark.usefixtures("no_work")
    def test_bad_places_are_refused_before_any_work(self, fitted, tmp_path, monkeypatch):
        model, results = fitted("gaussian")
        (tmp_path / "folder.nc").mkdir()
        (tmp_path / "other.zarr").mkdir()
        (tmp_path / "other.zarr" / "mine").write_text("mine")
        cases = [
            (tmp_path / "numbers", "'….zarr', or of a netCDF file, '….nc'"),
            (tmp_path / "numbers.csv", "'….zarr', or of a netCDF file, '….nc'"),
            (tmp_path / "absent" / "numbers.nc", "there is no folder"),
            (tmp_path / "folder.nc", "that is a folder"),
            (7, "to"),
        ]
        if importlib.util.find_spec("zarr"):
            cases.append((tmp_path / "other.zarr", "nutslite did not write it"))
        for place, words in cases:
            for call in (model.compute_log_likelihood, model.predict):
                with pytest.raises(nl.DataError, match=words):
                    call(results, to=place)
        monkeypatch.setattr(streamed_file.shutil, "disk_usage", lambda _: type("", (), {"free": 10})())
        with pytest.raises(nl.DataError, match=r"they need 0.0 GiB, and 0.0 GiB are free there"):
            model.predict(results, to=tmp_path / "numbers.nc")
        assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.nc", "other.zarr"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), ValueError("x")])
    def test_nothing_is_left_of_half_a_file(self, fitted, path, monkeypatch, error):
        model, results = fitted("gaussian")
        before = get_group(model.compute_log_likelihood(results, to=path, inplace=False), "log_likelihood").load()
        monkeypatch.setattr(streamed_group, "BLOCK_NUMBERS", 120)
        write, count = streamed_group.StreamedVariable.flush, []

        def breaking(self):
            count.append(1)
            if len(count) > 5:
                raise error
            write(self)

        monkeypatch.setattr(streamed_group.StreamedVariable, "flush", breaking)
        names = set(group_names(results))
        for target in (path, path.with_name(f"new{path.suffix}")):
            count.clear()
            expected = nl.DataError if isinstance(error, OSError) else error if isinstance(error, type) else ValueError
            with pytest.raises(expected):
                model.predict(results, kind="response", to=target)
        assert set(group_names(results)) == names
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        same(before, get_group(nl.load(path), "log_likelihood"))


class TestAvailableMemory:
    def test_the_least_of_machine_and_limits(self, monkeypatch):
        texts = {
            "/proc/meminfo": "MemTotal:  900 kB\nMemAvailable:  500 kB\n",
            "/sys/fs/cgroup/memory.max": "100000\n",
            "/sys/fs/cgroup/memory.current": "80000\n",
            "/sys/fs/cgroup/memory.stat": "anon 3\ninactive_file 10000\n",
        }
        monkeypatch.setattr(memory, "_text", lambda name: texts.get(name, ""))
        monkeypatch.setattr(memory, "physical_memory", lambda: 900.0 * 1024)
        assert memory.available_memory() == 30_000
        texts["/sys/fs/cgroup/memory.max"] = "max\n"
        assert memory.available_memory() == 500 * 1024
        texts.clear()
        assert memory.available_memory() == 900 * 1024

    def test_a_limit_of_the_process_counts(self, monkeypatch):
        resource = pytest.importorskip("resource")
        page = resource.getpagesize()
        monkeypatch.setattr(memory, "_text", lambda name: "10 5 3" if name == "/proc/self/statm" else "")
        monkeypatch.setattr(resource, "getrlimit", lambda which: (100 * page, resource.RLIM_INFINITY))
        assert memory.available_memory() == 90 * page

    def test_what_is_kept_goes_back_before_large_arrays_alone(self, monkeypatch):
        given_back = []
        monkeypatch.setattr(memory, "give_back", lambda: given_back.append(1))
        with memory.memory_for(1, memory.KEPT_BYTES // 8, 1, "Draws"):
            assert not given_back
        with memory.memory_for(1, memory.KEPT_BYTES, 1, "Draws"):
            assert given_back

    def test_giving_back_works_on_any_system(self, monkeypatch):
        memory.give_back()
        monkeypatch.setattr(memory, "_trim", lambda: None)
        memory.give_back()


def same(here, there, leave_out=False):
    """Variables, labels and types; with `leave_out` of those that are on disk."""
    here = here[list(there.data_vars)] if leave_out else here
    assert here.equals(there)
    for name, variable in here.data_vars.items():
        assert variable.dims == there[name].dims
        assert variable.dtype == there[name].dtype
        assert variable.attrs == there[name].attrs
    assert set(here.attrs) == set(there.attrs)
