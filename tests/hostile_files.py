"""Files of every kind that nutslite reads, and random damage to them: bytes, fields, arrays, claims of sizes."""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nutslite.sampler.checkpoint.record_log import MAGIC, RecordLog

STRANGE: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**12,
    2**70,
    -0.5,
    1e308,
    float("nan"),
    "",
    "x",
    "U9999999",
    "x" * 5000,
    [],
    [[]],
    {},
    {"list": [1]},
    {"dict": [[{"list": [1]}, 2]]},
    {"prior": ["Normal", True, None, [["mu", 0], ["sigma", -1]]]},
    {"family": "poisson"},
)


def flipped(content: bytes, chooser: random.Random) -> bytes:
    """A few bytes changed."""
    changed = bytearray(content)
    for _ in range(chooser.choice((1, 1, 3, 20))):
        changed[chooser.randrange(len(changed))] = chooser.randrange(256)
    return bytes(changed)


def cut(content: bytes, chooser: random.Random) -> bytes:
    """The beginning, or all but a piece, or with something added."""
    start, stop = sorted(chooser.randrange(len(content) + 1) for _ in range(2))
    return chooser.choice((content[:stop], content[:start] + content[stop:], content + content[start:stop]))


def with_other_value(value: Any, chooser: random.Random) -> Any:
    """Nested plain values, one of which is replaced, removed, renamed, doubled or wrapped."""
    changed = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []
    _collect(changed, places)
    container, key = chooser.choice(places)
    action = chooser.choice(("replace", "replace", "replace", "remove", "rename", "double", "wrap"))
    if action == "replace":
        container[key] = copy.deepcopy(chooser.choice(STRANGE))
    elif action == "remove":
        del container[key]
    elif action == "rename" and isinstance(container, dict):
        container[chooser.choice(("x", "kind", f"{key}s"))] = container.pop(key)
    elif action == "double" and isinstance(container, list):
        container.append(copy.deepcopy(container[key]))
    else:
        container[key] = [container[key]]
    return changed


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        places.append((value, key))
        _collect(item, places)


def other_array(array: np.ndarray, chooser: random.Random) -> np.ndarray:
    """An array of another shape, type or content."""
    return chooser.choice(
        (
            lambda: array[:-1],
            lambda: np.concatenate([array, array]),
            lambda: array.reshape(-1),
            lambda: array[..., None],
            lambda: array.astype(np.float32),
            lambda: array.astype(np.int64),
            lambda: array.astype(">f8"),
            lambda: np.full_like(array, 100),
            lambda: np.full(array.shape, np.nan),
            lambda: np.full(array.shape, np.inf),
            lambda: np.zeros((0, *array.shape[1:])),
        )
    )()


def npy(shape: tuple[int, ...], dtype: str = "<f8", content: bytes = b"") -> bytes:
    """A file in NumPy's format whose head claims what it likes."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue() + content


def changed_model(content: bytes, chooser: random.Random) -> bytes:
    """The archive of a model with one member changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    arrays = [name for name in members if name.endswith(".npy")]
    action = chooser.choice(("json", "json", "json", "array", "claim", "swap", "remove", "add", "bytes"))
    name = chooser.choice(arrays)
    if action == "json":
        members["model.json"] = json.dumps(with_other_value(json.loads(members["model.json"]), chooser)).encode()
    elif action == "array":
        array = other_array(np.load(io.BytesIO(members[name])), chooser)
        members[name] = npy(array.shape, array.dtype.str, array.tobytes())
    elif action == "claim":
        members[name] = npy(chooser.choice(((10**12,), (-1,), (2, 10**10), (2**62, 2**62))), content=bytes(800))
    elif action == "swap":
        other = chooser.choice(arrays)
        members[name], members[other] = members[other], members[name]
    elif action == "remove":
        del members[chooser.choice(list(members))]
    elif action == "add":
        members["columns/99.npy"] = members[name]
    else:
        victim = chooser.choice(list(members))
        members[victim] = flipped(members[victim], chooser)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return out.getvalue()


def changed_checkpoint(path: Path, chooser: random.Random) -> None:
    """The log with one record changed, and its checksums right."""
    with RecordLog(path) as log:
        records = [log.read(entry) for entry in log.entries]
    place = chooser.randrange(len(records))
    fields, arrays = records[place]
    action = chooser.choice(("field", "field", "array", "swap", "remove", "rename", "drop", "repeat"))
    if action == "field":
        fields = with_other_value(fields, chooser)
    elif arrays and action == "array":
        name = chooser.choice(list(arrays))
        arrays[name] = np.ascontiguousarray(other_array(arrays[name], chooser))
    elif arrays and action == "swap":
        one, other = chooser.choice(list(arrays)), chooser.choice(list(arrays))
        arrays[one], arrays[other] = arrays[other], arrays[one]
    elif arrays and action == "remove":
        del arrays[chooser.choice(list(arrays))]
    elif arrays and action == "rename":
        arrays["other"] = arrays.pop(chooser.choice(list(arrays)))
    records[place] = type(records[place])(fields, arrays)
    if action == "drop":
        del records[place]
    elif action == "repeat":
        records.insert(place, records[chooser.randrange(len(records))])
    path.write_bytes(MAGIC)
    with RecordLog(path) as log:
        for one, several in records:
            log.append(one if isinstance(one, dict) else {"kind": one}, several)


def changed_netcdf(path: Path, chooser: random.Random) -> None:
    """A netCDF file with one part changed by HDF5 itself."""
    import h5py

    with h5py.File(path, "r+") as file:
        groups = [file[name] for name in file if isinstance(file[name], h5py.Group)]
        group = chooser.choice(groups)
        name = chooser.choice(list(group))
        actions: tuple[Callable[[], Any], ...] = (
            lambda: group.__delitem__(name),
            lambda: group.move(name, "other"),
            lambda: group.__setitem__("loop", file["/"]),
            lambda: group.__setitem__("link", h5py.SoftLink("/nowhere")),
            lambda: group.__setitem__("outside", h5py.ExternalLink("/etc/passwd", "/")),
            lambda: group.create_dataset("huge", shape=(10**12,), dtype="f8", chunks=(1000,)),
            lambda: group.create_dataset("raw", shape=(10,), dtype="u1", external=[("/etc/passwd", 0, 10)]),
            lambda: group.attrs.__setitem__("nutslite_identity", chooser.choice(("{", "[1]", "x" * 9, 5, b"\xff"))),
            lambda: group.attrs.__setitem__("_FillValue", "x"),
            lambda: group[name].attrs.__setitem__("scale_factor", "x"),
            lambda: group[name].attrs.__setitem__("units", "days since 99999999-01-01"),
            lambda: group[name].attrs.__setitem__("dtype", "nothing"),
            lambda: file.attrs.__setitem__("nutslite_format", chooser.choice((-1, "x", 2.5, 10**9, [1, 2]))),
            lambda: file.__delitem__(group.name),
        )
        chooser.choice(actions)()
