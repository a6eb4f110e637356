"""The front door: `Model`. Wiring only: the rooms do the work."""

from __future__ import annotations

from nutslite.model.model import Model

__all__ = ["Model"]
