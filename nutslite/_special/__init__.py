"""Special functions for kernels: what Numba lacks, what must not lose digits, and what must vectorise.

Scalar functions for use inside other kernels, compared with SciPy in ``tests/test_special.py``. What densities need of
the gamma function itself is in ``families/rows/gamma_functions.py``, made in the same way as `elementary`.
"""

from nutslite._special.elementary import (
    HALF_LOG_2PI,
    LOG_2,
    decay,
    exp,
    expit,
    expm1,
    log,
    log1mexp,
    log1p,
    log1p_and_inverse,
    log1p_square,
    log1p_unit,
    logit,
    softplus,
    two_atanh,
)
from nutslite._special.normal import log_ndtr, ndtr, ndtr_hazard, ndtri, scaled_tail
from nutslite._special.polygamma import digamma, trigamma
from nutslite._special.weibull import weibull_sum

__all__ = [
    "HALF_LOG_2PI",
    "LOG_2",
    "decay",
    "digamma",
    "exp",
    "expit",
    "expm1",
    "log",
    "log1mexp",
    "log1p",
    "log1p_and_inverse",
    "log1p_square",
    "log1p_unit",
    "log_ndtr",
    "logit",
    "ndtr",
    "ndtr_hazard",
    "ndtri",
    "scaled_tail",
    "softplus",
    "trigamma",
    "two_atanh",
    "weibull_sum",
]
