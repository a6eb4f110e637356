"""Derivatives of SciPy's universal functions, for `dual_arrays`: loaded only where SciPy is loaded already."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special


def _normal_density(x: Any) -> Any:
    return np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


# slope(x, f(x)) of functions of one number
ONE: dict[Any, Callable[[Any, Any], Any]] = {
    special.gammaln: lambda x, f: special.digamma(x),
    special.gamma: lambda x, f: f * special.digamma(x),
    special.rgamma: lambda x, f: -f * special.digamma(x),
    special.digamma: lambda x, f: special.polygamma(1, x),
    special.erf: lambda x, f: 2.0 / math.sqrt(math.pi) * np.exp(-x * x),
    special.erfc: lambda x, f: -2.0 / math.sqrt(math.pi) * np.exp(-x * x),
    special.erfcx: lambda x, f: 2.0 * x * f - 2.0 / math.sqrt(math.pi),
    special.expit: lambda x, f: f * special.expit(-x),
    special.logit: lambda x, f: 1.0 / (x * (1.0 - x)),
    special.log_expit: lambda x, f: special.expit(-x),
    special.ndtr: lambda x, f: _normal_density(x),
    special.log_ndtr: lambda x, f: np.exp(-0.5 * x * x - 0.5 * math.log(2.0 * math.pi) - f),
    special.ndtri: lambda x, f: 1.0 / _normal_density(f),
    special.i0: lambda x, f: special.i1(x),
    special.i0e: lambda x, f: special.i1e(x) - np.sign(x) * f,
}

# slopes(a, b, f(a, b)) of functions of two numbers
TWO: dict[Any, Callable[[Any, Any, Any], tuple[Any, Any]]] = {
    special.xlogy: lambda a, b, f: (np.log(b), np.where(np.asarray(a) == 0.0, 0.0, a / np.asarray(b, dtype=float))),
    special.xlog1py: lambda a, b, f: (np.log1p(b), a / (1.0 + np.asarray(b, dtype=float))),
    special.beta: lambda a, b, f: (
        f * (special.digamma(a) - special.digamma(a + b)),
        f * (special.digamma(b) - special.digamma(a + b)),
    ),
    special.betaln: lambda a, b, f: (
        special.digamma(a) - special.digamma(a + b),
        special.digamma(b) - special.digamma(a + b),
    ),
}
