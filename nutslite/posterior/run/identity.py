"""What determines a fit, by the names that users know it by: for checkpoints and stored fits to recognise their own.

An identity is a dict of plain values and digests (`nutslite.sampler.checkpoint.digest`). Two that differ are explained
by `nutslite.sampler.checkpoint.checkpoint.differences`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from nutslite.formula.columns.level_names import python_value
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.checkpoint.checkpoint import DERIVED
from nutslite.sampler.checkpoint.digest import digest

MEANING = 2
"""Raised when a version of this package makes another posterior of the same call: stored fits are then made anew."""

FREE_SETTINGS = ("cores", "progressbar", "callback", "random_seed", "checkpoint", "identity", "executor")
"""Settings that do not change the draws, or (the seed) are compared elsewhere."""

NUMBER = ("draws",)
"""Settings that change how many draws there are, and not what the first of them are."""


def model_identity(
    formula: str,
    spec: ModelSpec,
    given_priors: Mapping[Any, Any],
    columns: Mapping[str, str],
) -> dict[str, Any]:
    """The identity of a model.

    Parameters
    ----------
    given_priors : dict
        As the user gave them; what they became is compared, too.
    columns : dict
        Digest of each column of the data that the formula uses.
    """
    family = spec.family
    return {
        "meaning": MEANING,
        "formula": formula,
        "family": digest(family) if family.is_custom else family.name,
        **{f"link of {name}": _plain_or_digest(link) for name, link in spec.links.items()},
        **{f"column '{name}' of the data": column for name, column in columns.items()},
        **{f"prior of {_shown(key)}": digest(prior) for key, prior in given_priors.items()},
        "center_predictors": spec.center_predictors,
        **{f"correlations of {name}": float(shape) for name, shape in spec.correlations.items()},
        **({"potentials": digest(spec.potentials)} if spec.potentials else {}),
        DERIVED + "noncentered": digest(dict(spec.noncentered)),
        DERIVED + "default priors": digest(spec.priors),
        DERIVED + "what the formula makes of the data": digest(spec.design),
    }


def column_digest(column: Any) -> str:
    """The digest of a pandas Series: its values and levels, wherever they are kept and whatever the type is called."""
    if hasattr(column, "cat"):
        return digest((column.cat.codes.to_numpy(), column.cat.categories.tolist(), bool(column.cat.ordered)))
    values = column.to_numpy()
    gaps = column.dtype.kind in "iu" and values.dtype.kind == "f"  # which has lost digits
    if values.dtype.kind in "biuf" and not gaps:
        return digest(values)
    codes, different = column.factorize()  # missing values of every kind are -1
    return digest((np.asarray(codes, dtype=np.int64), [python_value(value) for value in different.tolist()]))


def run_identity(plan: Plan, settings: Settings, *, numbered: bool = True) -> dict[str, Any]:
    """The identity of a run: the model's, which the settings carry, and how it is sampled.

    Parameters
    ----------
    numbered : bool
        Whether the number of draws belongs to it: a checkpoint of fewer draws can go on.
    """
    free = FREE_SETTINGS if numbered else (*FREE_SETTINGS, *NUMBER)
    named = {
        field.name: getattr(settings, field.name) for field in dataclasses.fields(settings) if field.name not in free
    }
    return {
        **(settings.identity or {}),
        **{name: _plain_or_digest(value) for name, value in named.items()},
        "plan": " ".join(plan.sentences),
    }


def _plain_or_digest(value: Any) -> Any:
    """Numbers and texts as they are; not so a text that carries functions, as a custom link does."""
    plain = value is None or (isinstance(value, bool | int | float | str) and not getattr(value, "__dict__", None))
    return value if plain else digest(value)


def _shown(key: Any) -> str:
    return ", ".join(str(part) for part in key) if isinstance(key, tuple) else f"'{key}'"
