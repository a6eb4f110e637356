"""The closed set of link functions, by name for people and by integer code for kernels.

``eta = link(theta)``; ``theta = inverse(eta)``. Kernels call `inverse` and `inverse_derivative` with a code that is
constant over their loop.
"""

from __future__ import annotations

IDENTITY, LOG, LOGIT, PROBIT, CLOGLOG, INVERSE, INVERSE_SQUARED, SQRT, SOFTPLUS, CAUCHIT = range(10)

CODES: dict[str, int] = {
    "identity": IDENTITY,
    "log": LOG,
    "logit": LOGIT,
    "probit": PROBIT,
    "cloglog": CLOGLOG,
    "inverse": INVERSE,
    "inverse_squared": INVERSE_SQUARED,
    "sqrt": SQRT,
    "softplus": SOFTPLUS,
    "cauchit": CAUCHIT,
}
