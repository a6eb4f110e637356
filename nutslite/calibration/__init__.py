"""Simulation-based calibration: does a model's fit find again what the model itself has made?

In reading order: `simulation` (parameters from the prior, a response given them), `refit` (the posterior of that
response, and the ranks of the parameters in it), `result` (what is found, and whether ranks are uniform, by
`nutslite.scores.calibration`), `pictures`, `study` (all of it, on any executor).
"""

from __future__ import annotations

from nutslite.calibration.result import Calibration
from nutslite.calibration.study import simulation_based_calibration

__all__ = ["simulation_based_calibration", "Calibration"]
