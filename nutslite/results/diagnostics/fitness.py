"""Whether draws of an approximation are to be believed: k-hat in the place of R-hat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fitness:
    """What results say of the approximation that they are draws of.

    Attributes
    ----------
    method : str
        As `inference_method` names it.
    khat, limit : float
        The shape of the tail of importance weights, and the largest with which draws may be used.
    weighted : bool
        Whether the draws were chosen by their weights.
    converged : bool
        Whether the approximation was found, and is not just where the search for it ended.
    effective, enough : float
        How many equally weighted draws the weighted ones are worth, and how many it takes.
    """

    method: str
    khat: float
    limit: float
    weighted: bool
    converged: bool = True
    effective: float = math.inf
    enough: float = 0.0

    @classmethod
    def of(cls, attributes: Mapping[Any, Any]) -> Fitness | None:
        """From the attributes of a posterior; None where its draws are not of an approximation."""
        if "khat" not in attributes or "khat_limit" not in attributes:
            return None
        method, weighted = str(attributes.get("inference_method")), attributes.get("importance") == "resample"
        converged = bool(attributes.get("converged", True))
        shape, limit = float(attributes["khat"]), float(attributes["khat_limit"])
        effective, enough = (float(attributes.get(f"effective_{name}", math.nan)) for name in ("draws", "limit"))
        return cls(method, shape, limit, weighted, converged, effective, enough)

    @property
    def verdict(self) -> str:
        """In a sentence."""
        what = f"draws of an approximation ('{self.method}')"
        if self.khat > self.limit:
            return f"k-hat {self.khat:.2f} is above {self.limit:.2f}: these {what} are not to be believed. Use NUTS."
        if self.effective < self.enough:
            few = f"worth {self.effective:,.0f} effective draws, of {self.enough:,.0f} that it takes"
            return f"k-hat {self.khat:.2f}, but weighted {few}: these {what} are not to be believed. Use NUTS."
        if not self.converged:
            return f"k-hat {self.khat:.2f}, but nothing was settled: these {what} are not to be believed. Use NUTS."
        if self.weighted:
            return f"k-hat {self.khat:.2f}: {what}, chosen by their weights so that they are of the posterior."
        return (
            f"k-hat {self.khat:.2f}: {what}, which is near enough to the posterior to be weighted; these draws are not."
        )
