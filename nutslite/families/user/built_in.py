"""The built-in families by name: the files of the folder `families`, and nothing else lists them."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any


def family_names() -> list[str]:
    """Names of the built-in families, sorted."""
    folder = import_module("nutslite.families").__path__
    return sorted(module.name for module in pkgutil.iter_modules(folder) if not module.ispkg)


def built_in(name: str) -> Any:
    """The one record of a built-in family; it is the file's own, not a copy."""
    return import_module(f"nutslite.families.{name}").FAMILY
