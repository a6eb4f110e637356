"""Damaged and hostile files: an error of ours that names the file, or the right result; within memory and time."""

from __future__ import annotations

import copy
import os
import random
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import hostile_files
import numpy as np
import pandas as pd
import pytest
from sampler_targets import independent_normals
from small_models import grouped_data

import nutslite as nl
from nutslite._schema import DEEPEST_JSON, Misfit, Number, Numbers, Record, check, read_json
from nutslite.exceptions import DataError, NutsliteError, SamplingError
from nutslite.formula.columns.data import as_frame
from nutslite.model import Model
from nutslite.model.record.specification import specification_of
from nutslite.posterior.methods import resume
from nutslite.results.container.inference_data import get_group
from nutslite.sampler import sample
from nutslite.sampler.checkpoint.record_log import MAGIC, RecordLog

ROOT = Path(__file__).resolve().parent.parent
TRIES = 150
SAMPLER = {"initial": np.zeros(4), "draws": 60, "tune": 40, "chains": 2, "random_seed": 3, "cores": 1}
DATA = (np.arange(1.0, 5.0),)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(action="ignore"):
        yield


def varied_data():
    """Columns of every kind that a file of a model keeps."""
    data = grouped_data()
    n = np.arange(len(data))
    zoned = pd.date_range("2020-01-01", periods=2, tz="Europe/Berlin")
    return data.assign(
        cat=pd.Categorical(np.where(n % 3 > 0, "u", "v")),
        nullable=pd.array(n % 4, dtype="Int64"),
        text=np.where(n % 5 > 1, "a", "b"),
        zoned=zoned[n // 7 % 2],
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A whole file of every kind, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    data = varied_data()
    with warnings.catch_warnings(action="ignore"):
        prior = nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=1))
        model = Model(
            "y ~ x + cat + nullable + text + zoned + (1|g)",
            data,
            priors={"x": "narrow", "1|g": prior},
            categorical=["zoned"],
            extra_namespace={"k": np.arange(3.0), "z": (1, "a")},
        )
        model.save(folder / "model")
        nl.save(model.fit(draws=10, chains=2, inference_method="laplace", progressbar=False), folder / "nc")
    data.to_csv(folder / "csv", index=False)
    data.drop(columns="zoned").to_parquet(folder / "parquet")
    sample(independent_normals, DATA, checkpoint=folder / "checkpoint", **SAMPLER)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def damaged(whole, kind, path, seed, change):
    """Write a damaged file: by `change`, by bytes, or cut."""
    chooser = random.Random(seed)
    how = chooser.choice(("own", "own", "bytes", "cut")) if change else chooser.choice(("bytes", "cut"))
    path.write_bytes(whole[kind])
    if how == "own":
        change(path, chooser)
    else:
        path.write_bytes((hostile_files.flipped if how == "bytes" else hostile_files.cut)(whole[kind], chooser))


def change_model(path, chooser):
    path.write_bytes(hostile_files.changed_model(path.read_bytes(), chooser))


def judged(read, path, seed):
    """What was read, or None after an error of ours that names the file."""
    try:
        return read(path)
    except NutsliteError as error:
        if str(path) in str(error):
            return None
        raise AssertionError(f"seed {seed}: {error}") from error
    except Exception as error:
        raise AssertionError(f"seed {seed}: {type(error).__name__}: {error}") from error


@pytest.mark.parametrize(
    ("kind", "name", "read", "change", "tries"),
    [
        ("model", "a.model", Model.load, change_model, TRIES),
        ("nc", "a.nc", nl.load, hostile_files.changed_netcdf, 40),
        ("csv", "a.csv", as_frame, None, 60),
        ("parquet", "a.parquet", as_frame, None, 60),
    ],
)
def test_random_damage_is_an_error_of_ours_or_does_no_harm(tmp_path, whole, kind, name, read, change, tries):
    path = tmp_path / name
    outcomes = []
    for seed in range(tries):
        damaged(whole, kind, path, seed, change)
        outcomes.append(judged(read, path, seed) is not None)
    assert 0 < sum(outcomes) < len(outcomes)


def test_random_damage_to_a_checkpoint(tmp_path, whole):
    """The draws of the run, or a refusal: never other draws where a checksum or a shape can tell."""
    wanted = sample(independent_normals, DATA, **SAMPLER)
    path = tmp_path / "run.ckpt"
    refused = 0
    for seed in range(80):
        chooser = random.Random(seed)
        path.write_bytes(hostile_files.cut(whole["checkpoint"], chooser))
        if seed % 2:
            path.write_bytes(hostile_files.flipped(whole["checkpoint"], chooser))
        result = judged(lambda path: sample(independent_normals, DATA, checkpoint=path, **SAMPLER), path, seed)
        refused += result is None
        if result is not None:
            np.testing.assert_array_equal(result.positions, wanted.positions, err_msg=str(seed))
    assert refused < 40
    refused = 0
    for seed in range(120):  # whole records that say something else
        path.write_bytes(whole["checkpoint"])
        hostile_files.changed_checkpoint(path, random.Random(seed))
        result = judged(lambda path: sample(independent_normals, DATA, checkpoint=path, **SAMPLER), path, seed)
        refused += result is None
    assert refused > 40


def test_a_wrong_block_after_the_first_draws_is_refused_too(tmp_path, whole):
    """And not taken for an interruption, whose draws would be kept."""
    path = tmp_path / "run.ckpt"
    path.write_bytes(whole["checkpoint"])
    with RecordLog(path) as log:
        records = [log.read(entry) for entry in log.entries]
    last = max(i for i, record in enumerate(records) if record.fields["kind"] == "block")
    changes = (
        lambda fields, arrays: fields.update(phase="warmup"),
        lambda fields, arrays: fields.update(length=1000),
        lambda fields, arrays: fields["random"].pop("state"),
        lambda fields, arrays: arrays.update(positions=arrays["positions"][:, :-1]),
        lambda fields, arrays: arrays.update(stats=arrays["stats"] + 2),
        lambda fields, arrays: arrays.update(other=arrays["stats"]),
    )
    for change in changes:
        path.write_bytes(MAGIC)
        with RecordLog(path) as log:
            for place, (fields, arrays) in enumerate(records):
                fields, arrays = copy.deepcopy((fields, arrays))
                if place == last:
                    change(fields, arrays)
                log.append(fields, arrays)
        with pytest.raises(SamplingError, match=r"run\.ckpt' is not as nutslite wrote it"):
            sample(independent_normals, DATA, checkpoint=path, **SAMPLER)


LAUNCHES = {
    "no starts": lambda fields, arrays: arrays.pop("initial"),
    "starts of another length": lambda fields, arrays: arrays.update(initial=arrays["initial"][:, :-1]),
    "starts that are not finite": lambda fields, arrays: arrays.update(initial=arrays["initial"] * np.nan),
    "a metric of another length": lambda fields, arrays: arrays.update(variances=np.ones(99)),
    "a metric of another kind": lambda fields, arrays: fields.update(metric_kind=0),
    "a kind of metric that is none": lambda fields, arrays: fields.update(metric_kind=9),
    "a metric of single precision": lambda fields, arrays: arrays.update(variances=arrays["variances"].astype("f4")),
    "half of an arrowhead": lambda fields, arrays: arrays.update(factor=np.eye(1), covariance=np.eye(1)),
    "other transforms": lambda fields, arrays: arrays.update({resume.TRANSFORMS: arrays[resume.TRANSFORMS] * 0 + 77}),
    "places in arrays": lambda fields, arrays: arrays.update({"data.blocks": np.full((1, 20), 10**6)}),
    "a warm-up of a text": lambda fields, arrays: fields.update(tune="many"),
    "a jitter that is not a number": lambda fields, arrays: fields.update(jitter=float("nan")),
}


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """A model and the records of its run."""
    path = tmp_path_factory.mktemp("launched") / "run"
    model = Model("y ~ x + (x|g)", grouped_data())
    fit = {"draws": 10, "tune": 10, "chains": 2, "random_seed": 1, "progressbar": False, "inference_method": "nuts"}
    fit["compute_convergence_checks"] = False
    model.fit(checkpoint=path, **fit)
    with RecordLog(path) as log:
        return model, fit, [log.read(entry) for entry in log.entries]


@pytest.mark.parametrize("damage", LAUNCHES)
def test_a_launch_that_does_not_fit_the_model_is_refused(tmp_path, launched, damage):
    """Compiled code looks at no bounds: a wrong shape here would end the process."""
    model, fit, records = launched
    path = tmp_path / "run.ckpt"
    with RecordLog(path) as log:
        for fields, arrays in records:
            fields, arrays = dict(fields), dict(arrays)
            if fields["kind"] == "launch":
                LAUNCHES[damage](fields, arrays)
            log.append(fields, arrays)
    with pytest.raises(SamplingError, match=r"run\.ckpt' is not as nutslite wrote it"):
        model.fit(checkpoint=path, **fit)


IN_LITTLE_MEMORY = """
import io, os, resource, struct, sys, zipfile
import numpy as np, pandas as pd, h5py, pyarrow, xarray
import nutslite as nl
import nutslite._files
from nutslite.sampler.checkpoint.record_log import MAGIC, RecordLog
from hostile_files import npy
folder = sys.argv[1]
data = pd.DataFrame({"y": np.arange(24.0), "x": np.arange(24.0) ** 2})
model = nl.Model("y ~ x", data)
model.save(f"{folder}/whole")
with zipfile.ZipFile(f"{folder}/whole") as archive:
    text = archive.read("model.json")
zeros = bytes(2**24)
def bomb(name, member, count):
    with zipfile.ZipFile(f"{folder}/{name}", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(member, "w", force_zip64=True) as file:
            if member.endswith(".npy"):
                file.write(npy((count * 2**21,)))
            for _ in range(count):
                file.write(zeros if member.endswith(".npy") else b" " * 2**24)
        if member != "model.json":
            archive.writestr("model.json", text)
nutslite._files.FLOOR = 2**25
bomb("json", "model.json", 5)
bomb("array", "columns/0.npy", 4)
with h5py.File(f"{folder}/texts", "w") as file:
    kind = h5py.string_dtype()
    file.create_group("posterior").create_dataset("t", (10**7,), kind, chunks=(10**6,), fillvalue="x" * 10**6)
with open(f"{folder}/sparse", "wb") as file:
    file.write(MAGIC + struct.pack("<QQ16s", 30, 5 * 10**8, bytes(16)))
    file.truncate(5 * 10**8 + 100)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000, -1))
for name, read in (("json", nl.Model.load), ("array", nl.Model.load), ("texts", nl.load)):
    try:
        read(f"{folder}/{name}")
    except nl.DataError as error:
        print(error)
with RecordLog(f"{folder}/sparse") as log:  # as after a kill: what is no record is cut off
    print(len(log.entries), os.path.getsize(f"{folder}/sparse"))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_bombs_are_refused_in_little_memory(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(IN_LITTLE_MEMORY), tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    json_bomb, array_bomb, texts, log = done.stdout.strip().splitlines()
    assert "it would unpack to 83," in json_bomb
    assert "it would unpack to 67," in array_bomb
    assert "'/posterior/t' claims more numbers" in texts
    assert log == "0 15"


EVERY_FILE = """
import contextlib, gc, sys, warnings
import nutslite as nl
import nutslite.sampler.worker as worker
from small_models import grouped_data
import logging
logging.getLogger("nutslite").setLevel("CRITICAL")
worker.BLOCK_SECONDS = 0.0005
folder, lost = sys.argv[1], []
sys.unraisablehook = lambda found: lost.append(str(found.exc_value))  # where warnings of unclosed files end
fit = dict(draws=30, tune=30, chains=2, random_seed=1, progressbar=False, cores=1, inference_method="nuts")
model = nl.Model("y ~ x + (1|g)", grouped_data())
def stop(progress):
    if progress.done > 40:
        raise KeyboardInterrupt
def fail(progress):
    raise RuntimeError("of the callback")
def attempt(function, *arguments, **options):
    with contextlib.suppress(Exception, KeyboardInterrupt):
        return function(*arguments, **options)
    return None
attempt(model.fit, checkpoint=f"{folder}/c", callback=stop, **fit)
model.fit(checkpoint=f"{folder}/c", **fit)
model.fit(checkpoint=f"{folder}/c", **{**fit, "draws": 50, "random_seed": None})
attempt(model.fit, checkpoint=f"{folder}/c", **{**fit, "tune": 31})
attempt(model.fit, checkpoint=f"{folder}/d", callback=fail, **fit)
for _ in range(2):
    model.fit(file=f"{folder}/f.nc", checkpoint=f"{folder}/c", **fit)
for name, write, read in (("f.nc", None, nl.load), ("m", model.save, nl.Model.load)):
    path = f"{folder}/{name}"
    if write:
        write(path)
    read(path)
    whole = open(path, "rb")
    with whole:
        content = whole.read()
    for part in (content[: len(content) // 2], b"x"):
        with open(path, "wb") as file:
            file.write(part)
        attempt(read, path)
for name in ("d.csv", "d.parquet"):
    with open(f"{folder}/{name}", "wb") as file:
        file.write(b"x,y" if name == "d.csv" else b"PAR1")
    attempt(nl.Model, "y ~ x", f"{folder}/{name}")
gc.collect()
print(lost)
"""


@pytest.mark.slow
def test_every_file_is_closed_on_every_path(tmp_path):
    """Interrupted, resumed, refused, failed, loaded, damaged: no file waits for the garbage collector."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", EVERY_FILE, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_what_a_process_beside_says_is_closed(monkeypatch):
    """The pipe, too, from the process that compiles beside a first fit."""
    from nutslite.posterior.run import compile_beside as module

    monkeypatch.setattr(module, "_START", "print('nothing')")
    beside = module.CompilerBeside("joint", (module.BLOCK,))
    beside.start()
    beside.done[module.BLOCK].wait()
    beside.stop()
    assert beside.process is None or beside.process.stdout.closed


def test_a_results_file_of_another_fit_says_what_is_wrong(tmp_path, whole):
    import h5py

    path = tmp_path / "a.nc"
    model = Model("y ~ x + (x|g)", grouped_data())
    for text in ("{", "[1]", 5, '{"x": {}}', "[" * 300 + "]" * 300):
        path.write_bytes(whole["nc"])
        with h5py.File(path, "r+") as file:
            file["posterior"].attrs["nutslite_identity"] = text
        with pytest.raises(DataError, match=r"a\.nc' is not as fit\(file=\.\.\.\) wrote it: .*'nutslite_identity'"):
            model.fit(file=path, draws=5, chains=1, progressbar=False)


def test_links_to_files_are_files(tmp_path, whole):
    for name, read in (("model", Model.load), ("nc", nl.load)):
        (tmp_path / name).write_bytes(whole[name])
        (tmp_path / f"{name}-link").symlink_to(tmp_path / name)
        assert read(tmp_path / f"{name}-link") is not None
    (tmp_path / "real").write_bytes(whole["csv"])
    (tmp_path / "link.csv").symlink_to(tmp_path / "real")
    assert Model("y ~ x", tmp_path / "link.csv").design.n_rows == len(grouped_data())


def test_what_compresses_well_is_saved_so_that_it_can_be_read(tmp_path, monkeypatch):
    """A column of one value shrinks a thousandfold, as a bomb does."""
    monkeypatch.setattr("nutslite._files.FLOOR", 1000)
    n = 200_000
    data = pd.DataFrame({"y": np.tile([0.0, 1.0], n // 2), "x": np.repeat([0.0, 1.0], n // 2)})
    model = Model("y ~ x", data)
    path = model.save(tmp_path / "a.model")
    assert path.stat().st_size > 3_000_000
    assert specification_of(Model.load(path)).identity() == specification_of(model).identity()


class TestSchema:
    def test_json_is_as_deep_as_its_brackets(self):
        for deep in (DEEPEST_JSON - 1, DEEPEST_JSON):
            assert read_json(b"[" * deep + b"]" * deep, "it")
        with pytest.raises(Misfit, match="240 deep"):
            read_json(b"[" * 241 + b"]" * 241, "it")
        texts = [b'"' + b"[" * 5000 + b'"', rb'"\"' + b"{" * 5000 + b'"', b'["' + rb"\\" + b'", "' + b"[" * 999 + b'"]']
        assert all(read_json(text, "it") for text in texts)

    @pytest.mark.parametrize("text", [b'"' + b'\\"' * 10**6, b'"' + b"\\" * (10**6 + 1), b'"' * 10**6, b"\xff" * 99])
    def test_texts_that_do_not_end_take_no_time(self, text):
        with pytest.raises(Misfit, match="it is no JSON"):
            read_json(text, "it")

    def test_arrays_that_share_a_name_share_a_length(self):
        kind = Record({"a": Numbers(("n", "d")), "b": Numbers(("n",), finite=True)})
        sizes = {"d": 3}
        check({"a": np.zeros((5, 3)), "b": np.zeros(5)}, kind, "it", sizes)
        assert sizes == {"d": 3, "n": 5}
        for a, b in (
            (np.zeros((5, 2)), np.zeros(5)),
            (np.zeros((5, 3)), np.zeros(4)),
            (np.zeros((5, 3)), np.full(5, np.inf)),
            (np.zeros((5, 3), dtype=">f8"), np.zeros(5)),
            (np.zeros((5, 3, 1)), np.zeros(5)),
            ([[0.0]], np.zeros(5)),
        ):
            with pytest.raises(Misfit, match="of it"):
                check({"a": a, "b": b}, kind, "it", {"d": 3})

    @pytest.mark.parametrize("value", [True, "1", None, 1.5, -1, 11, float("nan"), [1]])
    def test_whole_numbers(self, value):
        with pytest.raises(Misfit, match="it is"):
            check(value, Number(0, 10, whole=True), "it")


def test_damage_leaves_results_that_can_be_used(tmp_path, whole):
    """What loads can be summarised, or that says what it lacks."""
    path = tmp_path / "a.nc"
    for seed in range(25):
        damaged(whole, "nc", path, seed, hostile_files.changed_netcdf)
        results = judged(nl.load, path, seed)
        if results is not None:
            try:
                nl.summary(results)
            except NutsliteError:
                continue
            assert get_group(results, "posterior").sizes["draw"] == 10
