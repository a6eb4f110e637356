"""Von Mises family of angles: direction mu, concentration kappa.

``log p(y) = kappa (cos(y - mu) - 1) - log(2 pi) - log(exp(-kappa) I0(kappa))``, with the derivatives
``kappa sin(y - mu)`` by mu and ``kappa (cos(y - mu) - 1) + kappa (1 - I1(kappa) / I0(kappa))`` by log(kappa), both
without differences of numbers that are nearly equal where kappa is large. Mardia and Jupp (2000), Directional
Statistics, section 3.5.4.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from nutslite._capabilities import CODES, MERGES, PILOT
from nutslite._draws import von_mises
from nutslite._numba import kernel
from nutslite._special import HALF_LOG_2PI, exp
from nutslite.exceptions import DataError
from nutslite.families.links.codes import IDENTITY, LOG
from nutslite.families.record.family import POSITIVE_LINKS, Family, Parameter
from nutslite.families.rows.bessel import bessel_shortfall, log_bessel_0_scaled
from nutslite.families.rows.checks import check_angles
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (IDENTITY, LOG)


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    kappa, constant, shortfall = 0.0, 0.0, 0.0
    for i in range(rows):
        if i == 0 or varies[1] == 1:
            kappa = exp(native[1, i])
            constant = -2.0 * HALF_LOG_2PI - log_bessel_0_scaled(kappa) + 0.0 * native[1, i]  # nan where not finite
            shortfall = bessel_shortfall(kappa)
        turn = y[0, start + i] - native[0, i]
        half = math.sin(0.5 * turn)
        fit = -2.0 * kappa * half * half
        out_loglik[i] = fit + constant
        out_d_eta[0, i] = kappa * math.sin(turn)
        out_d_eta[1, i] = fit + shortfall
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def prepare(values):
    """Nothing to precompute."""
    return np.ascontiguousarray(values, dtype=np.float64)


def random(rng, parameters, companions):
    """Draw an angle between -pi and pi."""
    return von_mises(rng, parameters["mu"], parameters["kappa"])


def mean(parameters, companions):
    """Angles have none.

    Raises
    ------
    DataError
    """
    raise DataError("The response is an angle, and angles have a direction, no mean. Look at mu instead.")


FAMILY = Family(
    name="vonmises",
    title="Von Mises",
    parameters=(
        Parameter("mu", links=("identity",), support="real"),
        Parameter(
            "kappa",
            links=POSITIVE_LINKS,
            support="positive",
            default_prior=("HalfNormal", {"sigma": 1.0}),
            scaled_prior=("HalfStudentT", {"nu": 4.0, "sigma": 1.0}),
        ),
    ),
    kernel=loglik,
    prepare=prepare,
    check_response=partial(check_angles, family="vonmises"),
    random=random,
    mean=mean,
    response_support="angle",
    allows=frozenset({PILOT, MERGES, CODES}),
)
