"""The front door: `Model`. The rooms do the work."""

from __future__ import annotations

from nutslite.model.model import Model

__all__ = ["Model"]
