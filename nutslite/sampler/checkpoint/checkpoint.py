"""Checkpoints: what a run leaves on disk while it goes, so that the same call goes on where a killed process was.

A chain writes, after every block of transitions, what the block added (draws, statistics, divergences) and the state
that it left (point, random numbers, step size). Going on means to hand these blocks to the chain again in place of new
ones: windows and metrics follow from them as they did the first time, and the draws are bit for bit those of a run that
was never stopped. The first record says which run the file belongs to.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nutslite._log import log
from nutslite._schema import FLAG, NOTHING, Anything, Either, Listed, Number, Record, Table, Text, check
from nutslite.exceptions import SamplingError
from nutslite.sampler.checkpoint.record_log import Arrays, Entry, LoggedRecord, RecordLog, damage_in_words, first_record

FORMAT = 1
"""Of the records; a file of another format is refused."""

HEADER = "header"
DERIVED = "derived: "

WORD, BITS = 2**32, 2**128

IDENTITY = Table(
    Either((NOTHING, FLAG, Number(), Text(longest=100_000), Listed(Anything())), "a number, a text or a list of these")
)
"""What a run or a model is recognised by: plain values and digests, by name."""

SEED = Either((Number(0, whole=True), Listed(Number(0, whole=True), shortest=1, longest=10_000)), "a seed")

_HEADER = Record(
    {
        "kind": Text(among=(HEADER,)),
        "format": Number(FORMAT, FORMAT, whole=True),
        "version": Text(longest=100),
        "environment": Text(),
        "entropy": SEED,
        "identity": IDENTITY,
    }
)

RANDOM_STATE = Record(
    {
        "bit_generator": Text(among=("PCG64",)),
        "state": Record({"state": Number(0, BITS - 1, whole=True), "inc": Number(0, BITS - 1, whole=True)}),
        "has_uint32": Number(0, 1, whole=True),
        "uinteger": Number(0, WORD - 1, whole=True),
    }
)
"""The state of a generator, as `random_state` gives it."""


class RecordKind(NamedTuple):
    """What the records of one kind hold: fields beside ``kind``, and arrays by name (`nutslite._schema`)."""

    fields: Record
    arrays: Record


class Checkpoint:
    """The checkpoint of one run, open.

    Parameters
    ----------
    path : path-like
        Made where it does not exist.
    identity : dict
        What determines the run, by the name that users know it by (``"draws"``, ``"data"``, ...): plain numbers and
        texts, or digests. Everything but the seed.
    entropy : int or sequence of int, or None
        The seed. None takes the file's, or a fresh one for a new file.

    Attributes
    ----------
    entropy : int or list of int
        The seed of this run.
    resumed : bool
        Whether the file held a run already.

    Raises
    ------
    SamplingError
        If the file belongs to another run, names what differs; if it cannot be written; if another process has it.
    """

    def __init__(
        self, path: str | os.PathLike[str], identity: Mapping[str, Any], entropy: int | Sequence[int] | None
    ) -> None:
        self.path = Path(path)
        self._log = RecordLog(path)
        try:
            self.resumed = bool(self._log.entries)
            header = self._log.entries[0].fields if self.resumed else _header(identity, entropy)
            self._check(header, identity, entropy)
            self.entropy: int | list[int] = header["entropy"]
            if not self.resumed:
                self._log.append(header)
        except BaseException:
            self._log.close()
            raise

    def find(self, kind: str, **fields: Any) -> list[Entry]:
        """The records of one kind that this run found when it began, whose fields have these values, in their order."""
        wanted = {"kind": kind, **fields}
        return [
            entry
            for entry in self._log.entries[1:]
            if all(entry.fields.get(name) == value for name, value in wanted.items())
        ]

    def read(self, entry: Entry, kind: RecordKind, sizes: dict[str, int] | None = None) -> LoggedRecord:
        """A record with its arrays, if they are what such a record holds.

        Parameters
        ----------
        kind : RecordKind
        sizes : dict, optional
            Lengths of arrays by the names that `kind` has for them; those that the record decides are added.

        Raises
        ------
        SamplingError
            If it is another record.
        """
        record = self._log.read(entry)
        with self.damage_in_words():
            fields = {name: value for name, value in record.fields.items() if name != "kind"}
            check(fields, kind.fields, "a record", sizes)
            check(record.arrays, kind.arrays, "a record", sizes)
        return record

    def damage_in_words(self) -> contextlib.AbstractContextManager[None]:
        """A context that names the file in what is raised there about one of its records."""
        return damage_in_words(self.path)

    def append(self, kind: str, arrays: Mapping[str, npt.ArrayLike], **fields: Any) -> None:
        """Add a record; a failure to write ends the writing, with a warning, and not the run."""
        self._log.append({"kind": kind, **fields}, arrays)

    def close(self) -> None:
        """Release the file."""
        self._log.close()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _check(
        self, header: Mapping[str, Any], identity: Mapping[str, Any], entropy: int | Sequence[int] | None
    ) -> None:
        if header.get("kind") != HEADER or header.get("format") != FORMAT:
            raise SamplingError(
                f"The checkpoint '{self.path}' has a format that this version of nutslite ({_version()}) does not "
                "read. Give another name."
            )
        with self.damage_in_words():
            check(header, _HEADER, "its first record")
        theirs, ours = dict(header["identity"]), _plain(identity)
        if header["version"] != _version():
            theirs["version of nutslite"], ours["version of nutslite"] = header["version"], _version()
        if entropy is not None:
            theirs["random_seed"], ours["random_seed"] = header["entropy"], _plain_seed(entropy)
        changed = differences(theirs, ours)
        if changed:
            raise SamplingError(
                f"The checkpoint '{self.path}' belongs to another run; different are: {'; '.join(changed)}. Make the "
                "call that it belongs to, give another name, or delete the file to begin anew."
            )
        if header["environment"] != _environment():
            log.info(
                "The checkpoint '%s' was begun with %s; this is %s. The draws go on correctly, their last digits may "
                "differ from those of a run in one piece.",
                self.path,
                header["environment"],
                _environment(),
            )


class ChainJournal:
    """The blocks of one chain: those that an earlier process made, then those that this one adds."""

    def __init__(self, checkpoint: Checkpoint, chain: int) -> None:
        self.chain = chain
        self._checkpoint = checkpoint
        self._waiting = list(reversed(checkpoint.find("block", chain=chain)))

    @property
    def waiting(self) -> bool:
        """Whether there are blocks that the chain has not taken yet."""
        return bool(self._waiting)

    def take(self, kind: RecordKind, sizes: dict[str, int]) -> LoggedRecord:
        """The next block of the earlier process, compared with what it should hold as `Checkpoint.read` does."""
        return self._checkpoint.read(self._waiting.pop(), kind, sizes)

    def damage_in_words(self) -> contextlib.AbstractContextManager[None]:
        """See `Checkpoint.damage_in_words`."""
        return self._checkpoint.damage_in_words()

    def add(self, fields: Mapping[str, Any], arrays: Arrays) -> None:
        """Note a block that was just made."""
        self._checkpoint.append("block", arrays, chain=self.chain, **fields)


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """In words, what two identities do not share: names, with values where these are short.

    Names that begin with `DERIVED` follow from others, and are said only where no other differs.

    >>> differences({"draws": 10, "data": "0a" * 16}, {"draws": 20, "data": "0b" * 16})
    ['draws (10 there, 20 here)', 'data']
    """
    names = list(dict.fromkeys((*theirs, *ours)))
    own = _named_differences([name for name in names if not name.startswith(DERIVED)], theirs, ours)
    derived = _named_differences([name for name in names if name.startswith(DERIVED)], theirs, ours)
    return own or [text.removeprefix(DERIVED) for text in derived]


def _named_differences(names: Iterable[str], theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    found = []
    for name in names:
        there, here = theirs.get(name), ours.get(name)
        if there == here:
            continue
        shown = all(value is None or isinstance(value, bool | int | float) or _short(value) for value in (there, here))
        found.append(f"{name} ({there} there, {here} here)" if shown else name)
    return found


def stored_seed(path: str | os.PathLike[str]) -> Any:
    """The seed of the run that a checkpoint belongs to; None where there is no such file, or nothing in it yet."""
    if not Path(path).is_file():
        return None
    record = first_record(path)
    if record is None or record.get("kind") != HEADER:
        return None
    with damage_in_words(path):
        check(record.get("entropy"), SEED, "its seed")
    return record["entropy"]


def random_state(rng: np.random.Generator) -> dict[str, Any]:
    """The state of a generator as plain numbers."""
    return dict(rng.bit_generator.state)


def _short(value: Any) -> bool:
    is_digest = isinstance(value, str) and len(value) == 32 and set(value) <= set("0123456789abcdef")
    return isinstance(value, str) and len(value) <= 60 and not is_digest


def _header(identity: Mapping[str, Any], entropy: int | Sequence[int] | None) -> dict[str, Any]:
    return {
        "kind": HEADER,
        "format": FORMAT,
        "version": _version(),
        "environment": _environment(),
        "entropy": _plain_seed(np.random.SeedSequence().entropy if entropy is None else entropy),
        "identity": _plain(identity),
    }


def _plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples as lists, NumPy's numbers as Python's."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in identity.items()}


def _plain_seed(entropy: Any) -> Any:
    return [int(word) for word in entropy] if isinstance(entropy, Sequence) else int(entropy)


def _version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)


def _environment() -> str:
    """What the last digits of draws depend on, beside this package."""
    import numba

    python = ".".join(platform.python_version_tuple()[:2])
    return f"Python {python}, NumPy {np.__version__}, Numba {numba.__version__}, {platform.machine()}"
