"""Bayesian generalized linear mixed models from a formula, on NumPy and Numba alone.

>>> import nutslite as nl
>>> data = nl.load_data("sleepstudy")
>>> model = nl.Model("Reaction ~ Days + (Days|Subject)", data)
>>> results = model.fit(random_seed=1)  # doctest: +SKIP
>>> print(nl.summary(results))  # doctest: +SKIP

Names load on first use (PEP 562): ``import nutslite`` loads neither Numba nor pandas nor ArviZ, and compiles nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# The public names in reading order, each with the module it lives in.
_HOMES = {
    "Model": "nutslite.model",
    "fit_quantiles": "nutslite.model.quantiles",
    "fit_many": "nutslite.model.many",
    "Formula": "nutslite.formula.formula",
    "Prior": "nutslite.priors.prior",
    "Family": "nutslite.families.record.family",
    "Likelihood": "nutslite.families.user.likelihood",
    "Link": "nutslite.families.links.link",
    "load_data": "nutslite.datasets",
    "clear_data_home": "nutslite.datasets",
    "config": "nutslite._config",
    "summary": "nutslite.results.diagnostics.summary",
    "from_draws": "nutslite.results.sampler_draws",
    "save": "nutslite.results.storage.storage",
    "load": "nutslite.results.storage.storage",
    "NutsliteError": "nutslite.exceptions",
    "FormulaError": "nutslite.exceptions",
    "DataError": "nutslite.exceptions",
    "FamilyError": "nutslite.exceptions",
    "PriorError": "nutslite.exceptions",
    "PerfectSeparationError": "nutslite.exceptions",
    "SamplingError": "nutslite.exceptions",
    "NutsliteWarning": "nutslite.exceptions",
}

_ROOMS = ("scores", "calibration", "interpret", "comparison", "recording")  # whole rooms: `nl.scores.crps`

# Written out, because type checkers and editors read it; tests/test_package.py keeps the three lists the same.
__all__ = [
    "Model",
    "fit_quantiles",
    "fit_many",
    "Formula",
    "Prior",
    "Family",
    "Likelihood",
    "Link",
    "load_data",
    "clear_data_home",
    "config",
    "summary",
    "from_draws",
    "save",
    "load",
    "NutsliteError",
    "FormulaError",
    "DataError",
    "FamilyError",
    "PriorError",
    "PerfectSeparationError",
    "SamplingError",
    "NutsliteWarning",
    "__version__",
]

if TYPE_CHECKING:
    from nutslite._config import config
    from nutslite.datasets import clear_data_home, load_data
    from nutslite.exceptions import (
        DataError,
        FamilyError,
        FormulaError,
        NutsliteError,
        NutsliteWarning,
        PerfectSeparationError,
        PriorError,
        SamplingError,
    )
    from nutslite.families.links.link import Link
    from nutslite.families.record.family import Family
    from nutslite.families.user.likelihood import Likelihood
    from nutslite.formula.formula import Formula
    from nutslite.model import Model
    from nutslite.model.many import fit_many
    from nutslite.model.quantiles import fit_quantiles
    from nutslite.priors.prior import Prior
    from nutslite.results.diagnostics.summary import summary
    from nutslite.results.sampler_draws import from_draws
    from nutslite.results.storage.storage import load, save


def __getattr__(name: str) -> Any:
    """Load a public name from its module, or a room, the first time it is asked for."""
    from nutslite._garbage import importing

    if name in _ROOMS:
        with importing():
            return import_module(f"nutslite.{name}")
    if name not in _HOMES:
        from nutslite.exceptions import did_you_mean

        raise AttributeError(f"module 'nutslite' has no attribute '{name}'.{did_you_mean(name, [*_HOMES, *_ROOMS])}")
    with importing():
        value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
