"""From a posterior to answers: how much, for whom, how sure.

`predictions` asks what a model expects, `comparisons` what would be otherwise, `slopes` how fast; each for rows, for a
grid (`datagrid`), or on average (``avg_...``). All answers are made draw by draw and summarised last.

>>> import nutslite as nl
>>> model = nl.Model("Reaction ~ Days + (Days|Subject)", nl.load_data("sleepstudy"))
>>> results = model.fit(random_seed=1)  # doctest: +SKIP
>>> nl.interpret.predictions(model, results, "Days").plot()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "predictions": "prediction",
    "avg_predictions": "prediction",
    "comparisons": "comparison",
    "avg_comparisons": "comparison",
    "slopes": "slope",
    "avg_slopes": "slope",
    "plot_predictions": "plotted",
    "plot_comparisons": "plotted",
    "plot_slopes": "plotted",
    "survival": "survival",
    "datagrid": "grid",
    "Estimates": "estimates",
    "fixef": "effects",
    "ranef": "effects",
    "coef": "effects",
    "varcorr": "effects",
    "icc": "icc",
    "hypothesis": "evidence",
}

__all__ = [
    "predictions",
    "avg_predictions",
    "comparisons",
    "avg_comparisons",
    "slopes",
    "avg_slopes",
    "plot_predictions",
    "plot_comparisons",
    "plot_slopes",
    "survival",
    "datagrid",
    "Estimates",
    "fixef",
    "ranef",
    "coef",
    "varcorr",
    "icc",
    "hypothesis",
]

if TYPE_CHECKING:
    from nutslite.interpret.comparison import avg_comparisons, comparisons
    from nutslite.interpret.effects import coef, fixef, ranef, varcorr
    from nutslite.interpret.estimates import Estimates
    from nutslite.interpret.evidence import hypothesis
    from nutslite.interpret.grid import datagrid
    from nutslite.interpret.icc import icc
    from nutslite.interpret.plotted import plot_comparisons, plot_predictions, plot_slopes
    from nutslite.interpret.prediction import avg_predictions, predictions
    from nutslite.interpret.slope import avg_slopes, slopes
    from nutslite.interpret.survival import survival


def __getattr__(name: str) -> Any:
    """Load a public name from its file the first time it is asked for."""
    if name not in _HOMES:
        from nutslite.exceptions import did_you_mean

        raise AttributeError(f"module 'nutslite.interpret' has no attribute '{name}'.{did_you_mean(name, _HOMES)}")
    value = getattr(import_module(f"nutslite.interpret.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
