"""The built-in families by name: the files of the wings for families, and nothing else lists them."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

WINGS = ("real", "positive", "proportions", "counts", "categories", "columns")
"""By what the response can be."""


@cache
def _modules() -> dict[str, str]:
    """By family, the module that has it."""
    wings = [import_module(f"nutslite.families.{wing}") for wing in WINGS]
    files = [(wing.__name__, module.name) for wing in wings for module in pkgutil.iter_modules(wing.__path__)]
    return {name: f"{wing}.{name}" for wing, name in files}


def family_names() -> list[str]:
    """Names of the built-in families, sorted."""
    return sorted(_modules())


def built_in(name: str) -> Any:
    """The one record of a built-in family; it is the file's own, not a copy."""
    return import_module(_modules()[name]).FAMILY
