"""How a model stands beside others, and what its posterior owes to its priors.

`bridge_sampling` gives the evidence of a model, `bayes_factor` and `posterior_probabilities` compare models by it;
`projection` finds few terms that predict as well as all; `power_scaling` says how far a posterior follows its priors
and its data; by `SamplingWrapper` ArviZ fits again.
Predictions are compared by `nutslite.scores.compare` and `nutslite.scores.stack`.

>>> import nutslite as nl
>>> data = nl.load_data("sleepstudy")
>>> model = nl.Model("Reaction ~ Days + (Days|Subject)", data)
>>> results = model.fit(random_seed=1)  # doctest: +SKIP
>>> nl.comparison.power_scaling(model, results)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "bridge_sampling": "evidence",
    "Evidence": "evidence",
    "bayes_factor": "evidence",
    "posterior_probabilities": "evidence",
    "power_scaling": "sensitivity",
    "Sensitivity": "sensitivity",
    "projection": "projection",
    "Projection": "projection",
    "SamplingWrapper": "wrapper",
}

__all__ = [
    "bridge_sampling",
    "Evidence",
    "bayes_factor",
    "posterior_probabilities",
    "power_scaling",
    "Sensitivity",
    "projection",
    "Projection",
    "SamplingWrapper",
]

if TYPE_CHECKING:
    from nutslite.comparison.evidence import Evidence, bayes_factor, bridge_sampling, posterior_probabilities
    from nutslite.comparison.projection import Projection, projection
    from nutslite.comparison.sensitivity import Sensitivity, power_scaling
    from nutslite.comparison.wrapper import SamplingWrapper


def __getattr__(name: str) -> Any:
    """Load a public name from its file the first time it is asked for."""
    if name not in _HOMES:
        from nutslite.exceptions import did_you_mean

        raise AttributeError(f"module 'nutslite.comparison' has no attribute '{name}'.{did_you_mean(name, _HOMES)}")
    value = getattr(import_module(f"nutslite.comparison.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
