"""Kernels that are on disk already: a cache for tests that would otherwise compile all of them anew."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path


def shared_cache() -> Path:
    """The cache of this run of the tests. What is compiled into it, other tests need not compile."""
    return Path(os.environ["NUMBA_CACHE_DIR"])


def copy_of_shared_cache(target: Path) -> Path:
    """A copy that no other test writes to meanwhile; the indexes first, since they point at files that stay."""
    for pattern in ("*.nbi", "*.nbc"):
        for path in sorted(shared_cache().rglob(pattern)):
            copy = target / path.relative_to(shared_cache())
            copy.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another version of a function's file has replaced it
                shutil.copy2(path, copy)
    return target


def files_in(cache: Path) -> list[str]:
    """Names of the files that hold kernels."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*.nb[ci]"))
