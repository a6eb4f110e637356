"""Results that nobody has looked into: every way in opens them, all that serves without opens nothing, none loses."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from kernel_caches import shared_cache

from nutslite.exceptions import DataError, SamplingError
from nutslite.results.container import inference_data as idt
from nutslite.results.container import unopened
from nutslite.results.container.arviz_import import arviz_major
from nutslite.results.container.unopened import Unopened, held_groups
from nutslite.results.diagnostics.summary import summary
from nutslite.results.storage import storage

if arviz_major() >= 1:
    pytest.skip("with ArviZ 1.x a container is built at once", allow_module_level=True)
az = pytest.importorskip("arviz")

ROOT = Path(__file__).resolve().parent.parent
DIMS = {"g": ("g_dim",), "1|s": ("s__factor_dim",), "t": ("when",), "y": ("__obs__",)}
COORDS = {
    "g_dim": ["b, u", "c"],
    "s__factor_dim": np.array([308, 309, 310]),
    "when": np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[ns]"),
}


def build():
    rng = np.random.default_rng(3)
    groups = {
        "posterior": {
            "Intercept": rng.normal(size=(2, 60)),
            "g": rng.normal(size=(2, 60, 2)),
            "1|s": rng.normal(size=(2, 60, 3)),
            "I(x/10)": rng.normal(size=(2, 60)),
            "t": rng.normal(size=(2, 60, 2)),
        },
        "sample_stats": {"diverging": np.zeros((2, 60), bool)},
        "warmup_posterior": {"Intercept": rng.normal(size=(2, 20))},
        "log_likelihood": {"y": rng.normal(size=(2, 60, 4))},
        "observed_data": {"y": np.arange(4.0)},
    }
    return idt.to_inference_data(groups, dims=DIMS, coords=COORDS, attrs={"tuning_steps": 20}, aliases={"g": "h"})


def is_open(results) -> bool:
    return held_groups(results) is None


def setting(results):
    results.note = "kept"
    assert results.note == "kept"


def deleting(results):
    del results["sample_stats"]
    assert not hasattr(results, "sample_stats")


def deleting_attribute(results):
    del results.sample_stats
    assert "sample_stats" not in results.groups()


def replacing(results):
    results["prior"] = results["posterior"]
    assert "prior" in results


WAYS_IN = {
    "attribute": lambda r: r.posterior["Intercept"].mean(),
    "item": lambda r: r["posterior"],
    "isinstance": lambda r: isinstance(r, az.InferenceData) or pytest.fail("it is none"),
    "hasattr": lambda r: hasattr(r, "posterior") or pytest.fail("it has no posterior"),
    "no such attribute": lambda r: hasattr(r, "prior") and pytest.fail("it has no prior"),
    "in": lambda r: "posterior" in r or pytest.fail("it has no posterior"),
    "iter": lambda r: list(r) == list(r.groups()) or pytest.fail("other groups"),
    "len": lambda r: len(r) == 5 or pytest.fail(str(len(r))),
    "items": lambda r: dict(r.items())["posterior"],
    "repr": lambda r: "Inference data with groups" in repr(r) or pytest.fail(repr(r)),
    "str": lambda r: f"{r}".startswith("Inference data") or pytest.fail(str(r)),
    "notebook": lambda r: "xr-wrap" in r._repr_html_() or pytest.fail("no html"),
    "dir": lambda r: "posterior" in dir(r) or pytest.fail("not in dir"),
    "vars": lambda r: vars(r)["posterior"],
    "set": setting,
    "delete": deleting,
    "delete attribute": deleting_attribute,
    "replace": replacing,
    "equal": lambda r: r == {} and pytest.fail("it is not empty"),
    "bool": lambda r: bool(r) or pytest.fail("empty"),
    "isel": lambda r: r.isel(draw=slice(10)),
    "az.summary": lambda r: az.summary(r, var_names=["Intercept"]),
    "az.concat": lambda r: az.concat(r, build(), dim="chain"),
    "add": lambda r: r + az.InferenceData(prior=build().posterior),
    "extend": lambda r: r.extend(az.InferenceData(prior=build().posterior)),
    "extract": lambda r: az.extract(r),
    "plot": lambda r: az.plot_forest(r, var_names=["Intercept"]),
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_every_way_in_opens(way):
    results = build()
    assert not is_open(results)
    WAYS_IN[way](results)
    assert type(results) is az.InferenceData
    assert [name for name in vars(results) if name.startswith("_held")] == []


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda results: pickle.loads(pickle.dumps(results))],
    ids=["copy", "deep", "pickle"],
)
def test_copies_are_containers(copied):
    found = copied(build())
    assert type(found) is az.InferenceData
    assert found.posterior.equals(build().posterior)


def test_a_pickle_needs_no_nutslite():
    assert b"nutslite.results" not in pickle.dumps(build())


def test_every_method_that_python_looks_up_in_the_class_is_there():
    """`__getattribute__` is not asked for those."""
    own = {name for name in vars(az.InferenceData) if name.startswith("__") and callable(vars(az.InferenceData)[name])}
    assert own - set(vars(Unopened)) - {"__init__"} == set()


def test_what_is_opened_is_what_was_built_at_once():
    results = build()
    held = {name: unopened.as_dataset(group) for name, group in held_groups(results).items()}
    at_once = az.InferenceData(**held)
    assert results.groups() == at_once.groups()
    for name in results._groups_all:
        assert results[name].identical(at_once[name])
    assert results.posterior["h"].attrs == {"alias_of": "g"}
    assert results.posterior.attrs["tuning_steps"] == 20


@pytest.mark.parametrize("group", ["posterior", "warmup_posterior", "log_likelihood"])
def test_the_table_is_the_same_before_and_after(group):
    results = build()
    before = summary(results, group=group, round_to="none")
    assert not is_open(results)
    assert results.posterior is not None
    after = summary(results, group=group, round_to="none")
    assert before.equals(after)
    assert list(before.index) == list(after.index)
    with pytest.raises(DataError, match=r"no group 'posteriors'.*Did you mean 'posterior'"):
        summary(build(), group="posteriors")


def test_reading_writing_and_adding_opens_nothing(tmp_path):
    results = build()
    posterior = idt.get_group(results, "posterior")
    idt.add_group(results, "prior", posterior)
    idt.update_group(results, "posterior", posterior[["Intercept"]].rename(Intercept="more"))
    assert list(summary(results, ["more", "I(x/10)"]).index) == ["more", "I(x/10)"]
    pytest.importorskip("h5netcdf")
    storage.save(results, tmp_path / "fit.nc")
    assert not is_open(results)
    read = storage.load(tmp_path / "fit.nc")
    assert not is_open(read)
    assert {"prior", "posterior"} <= {*results.groups()} == {*read.groups()}
    assert read.posterior["more"].equals(results.posterior["Intercept"].rename("more"))


def test_arrays_are_shared_not_copied():
    draws = np.zeros((2, 50))
    results = idt.to_inference_data({"posterior": {"a": draws}}, dims={}, coords={})
    assert np.shares_memory(results.posterior["a"].values, draws)


def test_threads_that_open_at_once_meet_one_container(monkeypatch):
    built = []
    importing = unopened.import_arviz
    monkeypatch.setattr(unopened, "import_arviz", lambda: built.append(1) or importing())
    results, found = build(), []
    gate = threading.Barrier(8)

    def work():
        gate.wait()
        found.append(id(results.posterior))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert built == [1]


def test_draws_of_a_container_that_cannot_be_built_are_written_and_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as broken:

        def failing():
            raise ImportError("no such thing as ArviZ")

        broken.setattr(unopened, "import_arviz", failing)
        results = build()
        with pytest.raises(SamplingError, match=r"All draws were made.*no such thing as ArviZ.*\.npz"):
            _ = results.posterior
        with pytest.raises(ImportError):  # and no second file
            _ = results.posterior
        assert list(summary(results, ["Intercept"]).index) == ["Intercept"]
    (file,) = tmp_path.glob("*.npz")
    with np.load(file) as arrays:
        np.testing.assert_array_equal(arrays["posterior/I(x/10)"], results.posterior["I(x\N{DIVISION SLASH}10)"])
    assert type(results) is az.InferenceData


def test_labels_of_several_parts_are_refused_at_once():
    with pytest.raises(DataError, match="'d' has coordinate values of several parts"):
        idt.to_inference_data(
            {"posterior": {"a": np.zeros((2, 5, 2))}}, dims={"a": ("d",)}, coords={"d": [("u", 1), ("v", 2)]}
        )


FIT = """
import json, sys
import nutslite as nl
model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
results = model.fit(draws=100, random_seed=1, progressbar=False)
table = nl.summary(results)
str(table)
heavy = ("arviz", "xarray", "matplotlib", "dask", "scipy.stats", "scipy.linalg", "scipy.optimize")
loaded = [name for name in heavy if name in sys.modules]
isinstance(results, __import__("arviz").InferenceData)
print(json.dumps([loaded, table.equals(nl.summary(results)), type(results).__name__]))
"""


def test_a_fit_and_its_table_load_nothing_for_others_uses():
    for _ in range(2):  # what compiles may need SciPy, what has been compiled does not
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FIT],
            env={**os.environ, "NUMBA_CACHE_DIR": str(shared_cache()), "NUTSLITE_COMPILE_BESIDE": "0"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    assert json.loads(run.stdout.splitlines()[-1]) == [[], True, "InferenceData"]
