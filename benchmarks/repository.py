"""Where this checkout is, and another commit beside it.

Importing this file makes the benchmarks measure this checkout's package, not an installed one.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))


@contextlib.contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Another commit of this repository, in a folder of its own within `folder` as long as this lasts."""
    before = folder / "before"
    subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", "-q", before, commit], check=True)
    try:
        yield before
    finally:
        subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", before], check=True)
