"""Files that are not what they say: models, checkpoints, results, data; and what is no file at all."""

from __future__ import annotations

import functools
import io
import json
import os
import socket
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, _folder, file_with, fitted, frame, model
from hostile_files import npy

import nutslite as nl
from nutslite.exceptions import DataError, SamplingError
from nutslite.model import Model
from nutslite.sampler.checkpoint.record_log import MAGIC, RecordLog

Change = Callable[[Any], Any]


def _folder_of_its_own() -> Path:
    return Path(tempfile.mkdtemp(dir=_folder.name))


@functools.cache
def _members() -> dict[str, bytes]:
    """A saved model, member by member: a number, a category, a nullable column and texts."""
    data = frame(c=pd.Categorical(list("uv") * 12), m=pd.array([0, 1, 2] * 8, dtype="Int64"))
    path = Model("y ~ x + c + m + g", data).save(_folder_of_its_own() / "whole.model")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _load(content: bytes) -> Any:
    return Model.load(file_with("a.model", content))


def _json(change: Change) -> Callable[[], Any]:
    """Load a model whose JSON was changed in place."""

    def call() -> Any:
        content = json.loads(_members()["model.json"])
        change(content)
        return _load(_archive({**_members(), "model.json": json.dumps(content).encode()}))

    return call


def _member(name: str, content: bytes) -> Callable[[], Any]:
    return lambda: _load(_archive({**_members(), name: content}))


def _argument(name: str, value: Any) -> Callable[[], Any]:
    return _json(lambda content: content["arguments"].__setitem__(name, value))


def _column(name: str, /, **fields: Any) -> Callable[[], Any]:
    return _json(lambda content: next(c for c in content["columns"] if c["name"] == name).update(fields))


def _claiming(size: int) -> Callable[[], Any]:
    """A model whose first member says in the archive's directory that it unpacks to `size` bytes."""

    def call() -> Any:
        content = bytearray(_archive(_members()))
        struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, size)
        return _load(bytes(content))

    return call


def _nested_prior(depth: int) -> Any:
    prior: Any = 1.0
    for _ in range(depth):
        prior = {"prior": ["HalfNormal", True, None, [["sigma", prior]]]}
    return {"dict": [["sigma", prior]]}


def _place(of: str) -> int:
    return next(i for i, c in enumerate(json.loads(_members()["model.json"])["columns"]) if c["name"] == of)


def _codes(*codes: int) -> Callable[[], Any]:
    """The levels of the category `c` by other codes."""

    def call() -> Any:
        content = npy((24,), "<i4", np.resize(np.array(codes, "<i4"), 24).tobytes())
        return _load(_archive({**_members(), f"columns/{_place('c')}.npy": content}))

    return call


MODELS = [
    ("a model whose formula is a number", _argument("formula", 5), ("'formula'", "5", "a formula")),
    ("a model of an unknown argument", _argument("famly", "t"), ("'famly'", "does not know")),
    ("a model whose dropna is a text", _argument("dropna", "no"), ("'dropna'", "'no'", "True or False")),
    ("a model whose links are a list", _argument("link", ["log"]), ("'link'", "['log']")),
    ("a model of a family that is none", _argument("family", "poison"), ("makes no model", "'poison'", "'poisson'")),
    ("a model with priors nested 55 deep", _argument("priors", _nested_prior(55)), ("50 deep",)),
    ("a model nested beyond the stack", _argument("priors", json.loads("[" * 500 + "]" * 500)), ("240 deep",)),
    ("a model with a set of lists", _argument("priors", {"dict": [[{"list": []}, 1]]}), ("no hash",)),
    (
        "a model with an array of another size",
        _argument("extra_namespace", {"dict": [["k", {"array": ["<f8", [5], [1.0]]}]]}),
        ("(5,)", "1 items"),
    ),
    (
        "a model with texts of a million letters each",
        _argument("extra_namespace", {"dict": [["k", {"array": ["<U99999999", [1], ["x"]]}]]}),
        ("'<U99999999'",),
    ),
    ("a model without columns", _json(lambda content: content.pop("columns")), ("lacks 'columns'",)),
    ("a model with a field of nobody's", _json(lambda content: content.update(code="x")), ("'code'", "does not know")),
    ("a model whose aliases are numbers", _json(lambda c: c["state"].update(aliases=3)), ("'aliases'", "3")),
    ("a model whose columns share a name", _column("x", name="y"), ("two columns are called 'y'",)),
    ("a model with a column of an unknown kind", _column("x", kind="pickle"), ("'pickle'", "does not know")),
    ("a model that leads out of its archive", _column("x", member="../../etc/passwd"), ("'../../etc/passwd'",)),
    (
        "a model with a time zone from a file",
        _column("x", kind="zoned", zone="dateutil//etc/passwd"),
        ("'dateutil//etc/passwd'",),
    ),
    ("a model with codes beyond its levels", _codes(0, 7), ("'c'", "codes", "2 values")),
    ("a model with codes below its levels", _codes(-5, 0), ("'c'", "codes", "2 values")),
    (
        "a model with a column of 10^12 numbers",
        _member("columns/0.npy", npy((10**12,))),
        ("columns/0.npy", "1,000,000,000,000 numbers"),
    ),
    ("a model with a longer column", _member("columns/1.npy", npy((25,), content=bytes(200))), ("24 rows",)),
    ("a model with a table in a column", _member("columns/0.npy", npy((4, 6), content=bytes(192))), ("(4, 6)",)),
    ("a model with objects in a column", _member("columns/0.npy", npy((24,), "|O", bytes(192))), ("object",)),
    ("a model with no head of an array", _member("columns/0.npy", b"\x93NUMPY\x01\x00v\x00{}"), ("no head",)),
    ("a model with a part of nobody's", _member("notes.txt", b"x"), ("'notes.txt'", "does not know")),
    ("a model that would unpack to 4 GB", _claiming(0xFFFFFFF0), ("4,29", "bytes", "at most")),
    ("a model compressed otherwise", lambda: _load(_archive(_members(), zipfile.ZIP_LZMA)), ("in a way that is not",)),
]


def _checkpoint(*records: dict[str, Any], arrays: dict[str, Any] | None = None) -> Path:
    path = _folder_of_its_own() / "run.ckpt"
    with RecordLog(path) as log:
        for fields in records:
            log.append(fields, arrays)
    return path


def _sparse() -> Path:
    """A record that claims five gigabytes, in a file that is as long and takes no room."""
    path = _folder_of_its_own() / "run.ckpt"
    with path.open("wb") as file:
        file.write(MAGIC + struct.pack("<QQ16s", 100, 5 * 2**30, bytes(16)))
        file.truncate(5 * 2**30 + 200)
    return path


def _header(**fields: Any) -> dict[str, Any]:
    whole = {"kind": "header", "format": 1, "version": "1", "environment": "", "entropy": 1, "identity": {}}
    return {**whole, **fields}


def _with_head(text: bytes, array_bytes: int = 0) -> Path:
    """A log of one record with this JSON, whose checksum is right."""
    import hashlib

    body = text + bytes(array_bytes)
    checksum = hashlib.blake2b(struct.pack("<QQ", len(text), len(body)) + body, digest_size=16).digest()
    path = _folder_of_its_own() / "run.ckpt"
    path.write_bytes(MAGIC + struct.pack("<QQ16s", len(text), array_bytes, checksum) + body)
    return path


def _fit(checkpoint: Any) -> Any:
    return model().fit(draws=5, tune=5, chains=1, checkpoint=checkpoint, progressbar=False)


def _of(path: Callable[[], Path]) -> Callable[[], Any]:
    return lambda: _fit(path())


CHECKPOINTS = [
    ("a checkpoint of five gigabytes of nothing", _of(_sparse), ("5,368,709,252 bytes",)),
    ("a checkpoint whose seed is a text", _of(lambda: _checkpoint(_header(entropy="1"))), ("its seed", "'1'")),
    ("a checkpoint of no identity", _of(lambda: _checkpoint(_header(identity=[]))), ("'identity'", "not a dict")),
    ("a checkpoint of another format", _of(lambda: _checkpoint(_header(format="2"))), ("has a format",)),
    ("a checkpoint without its first record", _of(lambda: _checkpoint({"kind": "block"})), ("has a format",)),
    ("a checkpoint whose record is a list", _of(lambda: _with_head(b"[1]")), ("not a dict",)),
    ("a checkpoint that is no JSON", _of(lambda: _with_head(b"{")), ("no JSON",)),
    (
        "a checkpoint with an array of 10 TB",
        _of(lambda: _with_head(b'{"fields":{},"arrays":[["x","<f8",[1250000000000]]]}', 80)),
        ("10,000,000,000,000 bytes of 80",),
    ),
    (
        "a checkpoint with an array of objects",
        _of(lambda: _with_head(b'{"fields":{},"arrays":[["x","|O8",[10]]]}', 80)),
        ("'|O8'",),
    ),
    (
        "a checkpoint nested beyond the stack",
        _of(lambda: _with_head(b'{"fields":' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b',"arrays":[]}')),
        ("240 deep",),
    ),
]


@functools.cache
def _results() -> bytes:
    path = _folder_of_its_own() / "whole.nc"
    nl.save(fitted()[1], path)
    return path.read_bytes()


def _netcdf(change: Change) -> Callable[[], Any]:
    """Load results whose file was changed by HDF5 itself."""

    def call() -> Any:
        import h5py

        path = file_with("a.nc", _results())
        with h5py.File(path, "r+") as file:
            change(file)
        return nl.load(path)

    return call


def _virtual(file: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout(shape=(10,), dtype="u1")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", shape=(10,))
    file["posterior"].create_virtual_dataset("v", layout)


def _linked(file: Any) -> None:
    import h5py

    file["posterior"]["outside"] = h5py.ExternalLink("/etc/other.h5", "/")


RESULTS = [
    ("results that contain themselves", _netcdf(lambda f: f["posterior"].__setitem__("a", f["/"])), ("second name",)),
    ("a group within itself", _netcdf(lambda f: f["posterior"].__setitem__("a", f["posterior"])), ("second name",)),
    ("results with two names for one array", _netcdf(lambda f: f.__setitem__("a", f["posterior"]["x"])), ("second",)),
    ("results that link to another file", _netcdf(_linked), ("'outside'", "link")),
    ("results whose numbers are in another file", _netcdf(_virtual), ("'/posterior/v'", "another file")),
    (
        "results that read any file",
        _netcdf(lambda f: f["posterior"].create_dataset("r", (9,), "u1", external=[("/etc/passwd", 0, 9)])),
        ("'/posterior/r'", "another file"),
    ),
    (
        "results that claim 8 TB",
        _netcdf(lambda f: f["posterior"].create_dataset("h", (10**12,), "f8", chunks=(1000,))),
        ("'/posterior/h'", "claims more numbers"),
    ),
    (
        "results with records in an array",
        _netcdf(lambda f: f["posterior"].create_dataset("r", data=np.zeros(2, [("a", "f8"), ("b", "i4")]))),
        ("'/posterior/r'", "neither numbers nor texts"),
    ),
    ("results nested 30 deep", _netcdf(lambda f: f.create_group("/".join("a" * 30))), ("20 deep",)),
    (
        "results of a format that is no number",
        _netcdf(lambda f: f.attrs.__setitem__("nutslite_format", "new")),
        ("'nutslite_format'", "'new'"),
    ),
]


def _pipe(name: str) -> str:
    path = _folder_of_its_own() / name
    os.mkfifo(path)
    return str(path)


def _link(name: str, target: str) -> str:
    path = _folder_of_its_own() / name
    path.symlink_to(target)
    return str(path)


def _socket(name: str) -> str:
    path = Path(tempfile.mkdtemp()) / name  # whose length is limited
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
    return str(path)


def _fit_into(path: str) -> Any:
    return model().fit(draws=5, tune=5, chains=1, file=path, progressbar=False)


WAYS: dict[str, tuple[Callable[[str], Any], str]] = {
    "results": (nl.load, "a.nc"),
    "a model": (Model.load, "a.model"),
    "data": (lambda path: model("y ~ x", path), "a.csv"),
    "a Parquet file": (lambda path: model("y ~ x", path), "a.parquet"),
    "a stored fit": (_fit_into, "a.nc"),
    "a model to be saved": (lambda path: model().save(path), "a.model"),
    "a checkpoint": (_fit, "a.ckpt"),
}
PLACES: dict[str, tuple[Callable[[str], str], str]] = {
    "a pipe": (_pipe, "a pipe"),
    "a device": (lambda name: _link(name, "/dev/zero"), "a device"),
    "a socket": (_socket, "a socket"),
    "the memory of the process": (lambda name: _link(name, "/proc/self/mem"), "a file of the operating system"),
}


def _elsewhere(way: str, place: str) -> BadCall:
    (use, name), (make, words) = WAYS[way], PLACES[place]
    error = SamplingError if "checkpoint" in way else DataError
    return BadCall(f"{place} in place of {way}", lambda: use(make(name)), error, (name, words))


DATA = [
    ("a CSV of nothing", lambda: model("y ~ x", file_with("d.csv", b"")), ("d.csv", "cannot be read as a table")),
    ("a CSV with an open quote", lambda: model("y ~ x", file_with("q.csv", b'y,x\n1,"2\n3,4')), ("q.csv", "table")),
    ("a CSV that is a picture", lambda: model("y ~ x", file_with("p.csv", b"\x89PNG\r\n\x1a\n\0\xff\xfe")), ("p.csv",)),
    ("a Parquet file that is a CSV", lambda: model("y ~ x", file_with("d.pq", b"y,x\n1,2")), ("d.pq", "Parquet")),
]


def _zone_without_a_name() -> Any:
    """Of the dateutil package, whose zones are files or offsets by their own names."""
    from dateutil.tz import tzoffset

    times = pd.date_range("2020-01-01", periods=3, tz=tzoffset(None, 3600))
    return model("y ~ x + t", frame(t=times[np.arange(24) % 3]), categorical=["t"])


SAVED = [
    (
        "a model whose time zone has no name",
        lambda: _zone_without_a_name().save(_folder_of_its_own() / "a.model"),
        ("'t'", "tzoffset", "tz_convert"),
    ),
]

CALLS = [
    *(BadCall(name, call, DataError, words) for name, call, words in [*MODELS, *RESULTS, *DATA, *SAVED]),
    *(BadCall(name, call, SamplingError, ("run.ckpt", *words)) for name, call, words in CHECKPOINTS),
    *(_elsewhere(way, place) for way in WAYS for place in PLACES if hasattr(os, "mkfifo")),
]
