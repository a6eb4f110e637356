"""Which ArviZ there is, and ArviZ imported on the user's behalf: without its notice of the day, which is for those who
import it themselves.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

NOTICE = r"\s*ArviZ is undergoing a major refactor"
"""How the warning begins that versions 0.2x give once a day, on import."""
FONTS = logging.getLogger("matplotlib.font_manager")
"""Says, at the level of warnings, that the first import of Matplotlib takes a while."""


@functools.cache
def arviz_major() -> int:
    """First number of the installed ArviZ's version, read without importing it; 1 (xarray alone) where it is absent."""
    try:
        return int(importlib.metadata.version("arviz").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 1


def import_arviz() -> Any:
    """The package ArviZ.

    Its first import of the day warns of changes to come and notes the day in the user's cache, or fails where there is
    no cache to write to. A fit imports it for its container only, so nothing is said and nothing noted: the user's own
    import says it, today or another day.
    """
    if "arviz" in sys.modules:
        return importlib.import_module("arviz")  # waits for an import that has begun
    with _without_notice(), _cache_elsewhere():
        return importlib.import_module("arviz")


@contextlib.contextmanager
def _without_notice() -> Iterator[None]:
    """Two filters more while it lasts: `catch_warnings` would take back what other threads have changed meanwhile."""

    def is_trouble(record: logging.LogRecord) -> bool:
        return "font cache" not in record.getMessage()

    FONTS.addFilter(is_trouble)
    before = list(warnings.filters)
    warnings.filterwarnings("ignore", message=NOTICE)
    added = [entry for entry in warnings.filters if entry not in before]
    try:
        yield
    finally:
        FONTS.removeFilter(is_trouble)
        for entry in added:
            with contextlib.suppress(ValueError):  # someone has reset the filters
                warnings.filters.remove(entry)  # type: ignore[attr-defined]


@contextlib.contextmanager
def _cache_elsewhere() -> Iterator[None]:
    """The cache's folder is a temporary one."""
    try:
        import platformdirs

        temporary = tempfile.TemporaryDirectory()
    except (ImportError, OSError):  # older versions of ArviZ do not ask for it; nowhere to write
        yield
        return
    usual = platformdirs.user_cache_dir
    with temporary as folder:
        platformdirs.user_cache_dir = lambda *arguments, **options: folder
        try:
            yield
        finally:
            platformdirs.user_cache_dir = usual
