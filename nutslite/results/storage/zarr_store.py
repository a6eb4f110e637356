"""Results as a Zarr store: a folder of JSON and compressed arrays. Needs zarr 3, which is not installed by itself.

To Zarr a file that is missing means that its numbers are missing, too, and no error: so the store has a list of its
files with their digests, which is compared before anything is read.

Older Zarr stores may name a codec that unpickles what it reads, so that opening one runs its code. What is read here is
looked through before it is opened: format 3, codecs of a short list, and no links that lead out of the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nutslite._files import most_unpacked, not_a_file
from nutslite._schema import Anything, Listed, Misfit, Number, Record, Text, Variant, check, read_json
from nutslite.exceptions import DataError
from nutslite.results.storage.whole_file import check_folder_of

if TYPE_CHECKING:
    import xarray

SUFFIX = ".zarr"
METADATA = "zarr.json"
LISTING = "nutslite_files"  # attribute of the whole store: digests of its other files
ZARR_FORMAT = 3
LONGEST_JSON = 16 * 2**20  # bytes
NUMBER_BYTES = 8

_SHAPE = Listed(Number(0, 2**40, whole=True), longest=32)
_GRID = Record(
    {"name": Text(among=("regular",)), "configuration": Record({"chunk_shape": _SHAPE})},
)
NODE = Variant(
    "node_type",
    {
        "group": Record({"node_type": Text()}, others=Anything()),
        "array": Record({"node_type": Text(), "shape": _SHAPE, "chunk_grid": _GRID}, others=Anything()),
    },
)
"""What the metadata of a part say, as far as sizes go by it; zarr looks at the rest."""

CODECS = frozenset({"bytes", "blosc", "crc32c", "gzip", "sharding_indexed", "transpose", "vlen-utf8", "zstd"})
"""Codecs of format 3 that turn bytes into numbers and texts, and do nothing else."""


def is_zarr_name(path: str | os.PathLike[str]) -> bool:
    """Whether a name asks for a Zarr store."""
    return Path(path).suffix == SUFFIX


def check_zarr_destination(path: str | os.PathLike[str], mark: str) -> Path:
    """The path, if a store can be made there: zarr is installed, the folder that it is in can be written to.

    Parameters
    ----------
    mark : str
        Attribute of the stores that may be replaced.

    Raises
    ------
    DataError
        Also where there is something that `write_zarr` did not write.
    """
    _need_zarr(path)
    target = check_folder_of(path, "results")
    if target.exists() and mark not in _root_attributes(target):
        raise DataError(
            f"Cannot save results to '{target}': that is there and nutslite did not write it. Give another name."
        )
    return target


def write_zarr(tree: xarray.DataTree, path: str | os.PathLike[str], mark: str) -> None:
    """Write a store, which appears when it is complete; one that has the attribute `mark` is replaced.

    Raises
    ------
    DataError
        If that is not possible: what was there is unchanged.
    """
    with whole_store(path, mark) as partial, quiet():
        tree.to_zarr(partial, zarr_format=ZARR_FORMAT, consolidated=False, mode="w-")


@contextlib.contextmanager
def whole_store(path: str | os.PathLike[str], mark: str) -> Iterator[Path]:
    """A temporary name beside `path` for a store, which takes its place when the block ends without an error.

    Raises
    ------
    DataError
        As for `write_zarr`.
    """
    target = Path(os.path.realpath(check_zarr_destination(path, mark)))
    partial = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        yield partial
        _add_listing(partial)
        _flush(partial)
        _put_in_place(partial, target)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise DataError(f"Cannot save results to '{target}': {reason}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def opened_zarr(path: Path) -> Iterator[xarray.DataTree]:
    """A store, looked through and open.

    Raises
    ------
    DataError
        If it is none, or holds what is not read; zarr's and xarray's own errors for damaged ones.
    """
    import xarray

    if not (path / METADATA).is_file():
        older = (
            " Zarr of format 2 is not read: its arrays may hold pickled code." if (path / ".zgroup").exists() else ""
        )
        raise DataError(f"'{path}' is a folder without a '{METADATA}', so it does not hold results.{older}")
    _need_zarr(path)
    _check_store(path)
    _check_listing(path)
    with quiet(), xarray.open_datatree(path, engine="zarr", consolidated=False) as tree:
        yield tree


def _check_store(path: Path) -> None:
    """Look through all files: what they are, what the descriptions among them say, and how much that would be."""
    described, size = [], 0
    for place in path.rglob("*"):
        if place.is_symlink():
            raise DataError(f"'{path}' is not read: '{place.relative_to(path)}' is a link.")
        if place.is_dir():
            continue
        if (found := not_a_file(place)) is not None:
            raise DataError(f"'{path}' is not read: '{place.relative_to(path)}' is {found}.")
        size += place.stat().st_size
        if place.name == METADATA:
            described.append(_description(place))
    left = most_unpacked(size)
    for node in described:
        _check_node(node, path)
        left -= _claimed(node)
        if left < 0:
            raise Misfit("it claims more numbers than a store of this size holds")


def _description(place: Path) -> Any:
    if place.stat().st_size > LONGEST_JSON:
        raise Misfit(f"'{place.name}' of '{place.parent.name}' has more than {LONGEST_JSON:,} bytes")
    return read_json(place.read_bytes(), f"'{place.name}' of '{place.parent.name}'")


def _claimed(node: Any) -> int:
    """Bytes that an array would take, or one of its chunks if that is more."""
    check(node, NODE, "a part of it")
    if node["node_type"] != "array":
        return 0
    chunk = node["chunk_grid"]["configuration"]["chunk_shape"]
    numbers: int = max(math.prod(node["shape"]), math.prod(chunk))
    return NUMBER_BYTES * numbers


def _check_node(node: Any, path: Path) -> None:
    """Look through the metadata of an array or group, and what is inside of them."""
    if isinstance(node, list):
        for item in node:
            _check_node(item, path)
        return
    if not isinstance(node, dict):
        return
    if node.get("zarr_format", ZARR_FORMAT) != ZARR_FORMAT or {"filters", "compressor"} & node.keys():
        raise DataError(f"'{path}' is not read: parts of it are in another format of Zarr than {ZARR_FORMAT}.")
    for codec in [item for key in ("codecs", "index_codecs") for item in node.get(key, ())]:
        name = codec.get("name") if isinstance(codec, dict) else codec
        if name not in CODECS:
            raise DataError(f"'{path}' is not read: it uses the codec {name!r}, which results do not need.")
    for key, item in node.items():
        if key != "attributes":  # the user's own
            _check_node(item, path)


def _check_listing(path: Path) -> None:
    """Compare with the list of files; a store that something else wrote has none."""
    listed, found = _root_attributes(path).get(LISTING), _digests(path)
    if listed is None:
        return
    changed = [name for name in sorted({*listed, *found}) if listed.get(name) != found.get(name)]
    if changed:
        state = "missing" if changed[0] not in found else "new" if changed[0] not in listed else "not as it was written"
        raise DataError(
            f"'{path}' is damaged, or was changed since it was saved: '{changed[0]}' is {state}. xarray.open_datatree "
            "reads it as it is."
        )


def _add_listing(path: Path) -> None:
    root = json.loads((path / METADATA).read_text(encoding="utf-8"))
    root["attributes"] = {**root.get("attributes", {}), LISTING: _digests(path)}
    (path / METADATA).write_text(json.dumps(root), encoding="utf-8")


def _digests(path: Path) -> dict[str, str]:
    """BLAKE2b of every file but the first, by its place in the store."""
    files = sorted(place for place in path.rglob("*") if place.is_file() and place != path / METADATA)
    return {
        place.relative_to(path).as_posix(): hashlib.blake2b(place.read_bytes(), digest_size=16).hexdigest()
        for place in files
    }


def _need_zarr(path: str | os.PathLike[str]) -> None:
    try:
        version = importlib.metadata.version("zarr")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    if int(version.partition(".")[0]) < ZARR_FORMAT:
        raise DataError(
            f"'{path}' is a Zarr store, which needs another package: pip install \"nutslite[zarr]\". Names that "
            f"do not end in '{SUFFIX}' are netCDF files, which need nothing."
        )


def _root_attributes(path: Path) -> dict[str, Any]:
    try:
        if not_a_file(path / METADATA) is not None:
            return {}
        attributes = _description(path / METADATA).get("attributes", {})
    except (OSError, ValueError, AttributeError):
        return {}
    return attributes if isinstance(attributes, dict) else {}


def _flush(folder: Path) -> None:
    """Hand every file to the disk, so that a power cut leaves the old store or the new one."""
    for place in folder.rglob("*"):
        if place.is_file():
            with open(place, "rb+") as file:
                os.fsync(file.fileno())


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename; an old store steps aside for the moment, since a folder cannot be renamed over another."""
    if not target.exists():
        partial.rename(target)
        return
    aside = partial.with_suffix(".old")
    target.rename(aside)
    try:
        partial.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without zarr's remarks about parts of its specification that are young: texts of a fixed length."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(zarr|xarray)\.", message=".*(?:specification|onsolidated).*")
        yield
