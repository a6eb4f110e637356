"""Zero-one-inflated beta family: an end with probability zoi, which is one with probability coi; else a beta variable.

mu and kappa are mean and concentration of what is between the ends::

    log p(0) = log(zoi) + log(1 - coi)     log p(1) = log(zoi) + log(coi)     log p(y) = log(1 - zoi) + log f(y)

Ospina and Ferrari (2010), Statistical Papers 51.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nutslite import _draws
from nutslite._capabilities import EVERYTHING, INTEGRATES
from nutslite._numba import kernel
from nutslite._special import decay, log1p_unit
from nutslite.families.links.codes import LOG, LOGIT
from nutslite.families.proportions.beta import KAPPA, MU, fill_rows
from nutslite.families.record.family import UNIT_LINKS, Family, Parameter
from nutslite.families.rows.ends import check_between, or_ends, with_logs
from nutslite.families.rows.kernel_rows import finish_rows, native_rows

NATIVE = (LOGIT, LOG, LOGIT, LOGIT)


@kernel
def _write_ends(response, zoi, zoi_varies, coi, coi_varies, out_loglik, out_d_eta):
    """Make of rows of the density between the ends those of the whole."""
    for i in range(response.shape[0]):
        one = response[i] == 1.0
        end = one or response[i] == 0.0
        x = zoi[i * zoi_varies]
        e = decay(x)
        upper = x > 0.0
        shrink = log1p_unit(e)
        larger = 1.0 / (1.0 + e)
        own = (x if upper else 0.0) if not end else (0.0 if upper else -x)
        value = -shrink - own
        share = larger if upper else e * larger
        out_d_eta[2, i] = (e * larger if upper else larger) if end else -share
        z = coi[i * coi_varies]
        if end:
            side = -z if one else z
            small = decay(side)
            value -= (side if side > 0.0 else 0.0) + log1p_unit(small)
            pull = (1.0 if side > 0.0 else small) / (1.0 + small)
            out_loglik[i] = value
            out_d_eta[3, i] = pull if one else -pull
            for j in range(2):  # a predictor that is nan must not go unnoticed
                out_d_eta[j, i] = 0.0 if out_d_eta[j, i] == out_d_eta[j, i] else out_d_eta[j, i]
        else:
            out_loglik[i] += value
            out_d_eta[3, i] = 0.0 * z


@kernel
def loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta):
    """Family kernel, see docs/architecture.md. y: the response, log(y), log(1 - y), these of something at the ends."""
    rows = out_loglik.shape[0]
    native, slope = native_rows(NATIVE, eta, varies, links, rows)
    log_y, log_not_y = y[1, start : start + rows], y[2, start : start + rows]
    fill_rows(log_y, log_not_y, native[0], native[1], varies[1], out_loglik, out_d_eta[0], out_d_eta[1])
    response = y[0, start : start + rows]
    _write_ends(response, native[2], varies[2], native[3], varies[3], out_loglik, out_d_eta)
    finish_rows(weights, start, varies, slope, out_loglik, out_d_eta)


def random(rng, parameters, companions):
    """Draw an end with probability zoi, else a beta variable."""
    zoi, coi = np.asarray(parameters["zoi"]), np.asarray(parameters["coi"])
    return or_ends(rng, zoi * (1.0 - coi), zoi * coi, _draws.beta, parameters["mu"], parameters["kappa"])


def mean(parameters, companions):
    """``zoi coi + (1 - zoi) mu``."""
    zoi = np.asarray(parameters["zoi"])
    return zoi * np.asarray(parameters["coi"]) + (1.0 - zoi) * np.asarray(parameters["mu"])


def _probability(name):
    return Parameter(name, links=UNIT_LINKS, support="unit", default_prior=("Beta", {"alpha": 2.0, "beta": 2.0}))


FAMILY = Family(
    name="zero_one_inflated_beta",
    title="Zero-one-inflated beta",
    parameters=(MU, KAPPA, _probability("zoi"), _probability("coi")),
    kernel=loglik,
    prepare=with_logs,
    check_response=partial(check_between, family="zero_one_inflated_beta"),
    random=random,
    mean=mean,
    response_support="closed_unit",
    allows=EVERYTHING - {INTEGRATES},
)
