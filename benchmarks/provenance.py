"""What made a table: the command, the machine, the versions and the commit."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from processes import commit
from report import machine

import nutslite

PACKAGES = ("numba", "numpy", "arviz")
PLACES = ("--out", "--peers-python")  # where files go, and peers live, says nothing about what is in them


def made_by(script: str) -> str:
    """Two sentences for the head of a table, from the command line of this process."""
    versions = [f"python {platform.python_version()}"]
    versions += [f"{name} {metadata.version(name)}" for name in PACKAGES]
    versions += [f"nutslite {nutslite.__version__}", f"commit {commit()}"]
    return f"Made by `{command(script, sys.argv[1:])}` on {machine()}. {', '.join(versions)}."


def command(script: str, words: list[str]) -> str:
    """The command line without its places."""
    shown, rest = [f"python benchmarks/{script}"], iter(words)
    for word in rest:
        if word.split("=")[0] not in PLACES:
            shown.append(word)
        elif "=" not in word:
            next(rest, None)
    return " ".join(shown)
