"""What a run's draws are worth: the same functions for every engine, over every parameter that it reports.

R-hat and effective sizes are `nutslite.results.diagnostics.diagnostics`, which agree with ArviZ's to rounding error
(tested).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import repository  # noqa: F401  it lets the next import find the package

from nutslite.results.diagnostics.diagnostics import ess_bulk, ess_tail, rhat

PREFIX = "posterior "


def parameters(path: Path) -> dict[str, np.ndarray]:
    """Draws by variable, shape (chains, draws, elements)."""
    with np.load(path) as arrays:
        names = [name for name in arrays.files if name.startswith(PREFIX)]
        return {
            name.removeprefix(PREFIX): arrays[name].reshape(*arrays[name].shape[:2], -1).astype(float) for name in names
        }


def measure(path: Path) -> dict[str, Any]:
    """Convergence, effective sizes and gradients of one run's draws, and where the worst of them are.

    A single chain's R-hat is that of its two halves.
    """
    draws = parameters(path)
    worst: dict[str, Any] = {"r_hat": -np.inf, "ess_bulk": np.inf, "ess_tail": np.inf}
    for name, values in draws.items():
        chains = values if values.shape[0] > 1 else np.concatenate(np.array_split(_even(values), 2, axis=1))
        moving = np.ptp(values, axis=(0, 1)) > 0
        if not moving.any():
            continue
        found = {
            "r_hat": float(rhat(chains[..., moving]).max()),
            "ess_bulk": float(ess_bulk(values[..., moving]).min()),
            "ess_tail": float(ess_tail(values[..., moving]).min()),
        }
        for key, value in found.items():
            if (value > worst[key]) if key == "r_hat" else (value < worst[key]):
                worst |= {key: value, f"{key} of": name}
    return {
        **worst,
        "n_parameters": {name: values.shape[2] for name, values in draws.items()},
        "mean": {name: values.mean(axis=(0, 1)).tolist() for name, values in draws.items() if values.shape[2] <= 30},
        "sd": {name: values.std(axis=(0, 1)).tolist() for name, values in draws.items() if values.shape[2] <= 30},
        **_statistics(path),
    }


def _even(values: np.ndarray) -> np.ndarray:
    return values[:, : values.shape[1] // 2 * 2]


def _statistics(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        found = {
            name.removeprefix("stats "): arrays[name].sum().item() for name in arrays.files if name.startswith("stats ")
        }
    return {"gradients": found.get("n_steps"), "divergences": found.get("diverging")}


def disagreement(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, str]:
    """Greatest distance of posterior means in posterior standard deviations, and the variable that has it."""
    worst, where = 0.0, ""
    for name in ours["mean"].keys() & theirs["mean"].keys():
        if len(ours["mean"][name]) != len(theirs["mean"][name]):
            continue
        sd = np.maximum(np.array(theirs["sd"][name]), 1e-300)
        distance = float(np.max(np.abs(np.array(ours["mean"][name]) - theirs["mean"][name]) / sd))
        if distance > worst:
            worst, where = distance, name
    return worst, where
