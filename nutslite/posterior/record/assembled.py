"""A model put together: its specification, the numbers for kernels, and all names."""

from __future__ import annotations

from dataclasses import dataclass

from nutslite.posterior.record.inventory import Inventory
from nutslite.posterior.record.layout import Layout
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.model_spec import ModelSpec


@dataclass(frozen=True)
class Assembled:
    """The numbers of a model (`data`), the names for its packed vector (`layout`), and all names of its results."""

    spec: ModelSpec
    data: ModelData
    layout: Layout
    inventory: Inventory
