"""Tails by quadrature: nodes and weights of an integral from a point to infinity.

``integral of f(c + w s) ds, s > 0`` is the sum of ``WEIGHTS[i] f(c + w NODES[i])``: the exp-sinh rule of Takahasi and
Mori (1974), "Double exponential formulas for numerical integration", whose nodes ``exp(pi/2 sinh(t))`` serve densities
that fall exponentially, faster, or as a power. With w of the order of the length over which the density falls some 80
of them count. A density that falls from its mode on is summed until it is below `NEGLIGIBLE` of its value at the point.
"""

from __future__ import annotations

import numpy as np

_STEP = 0.05
_T = np.arange(-3.6, 6.2, _STEP)
NODES = np.exp(0.5 * np.pi * np.sinh(_T))
WEIGHTS = _STEP * 0.5 * np.pi * np.cosh(_T) * NODES
NEGLIGIBLE = -44.0
