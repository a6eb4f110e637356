"""Ordered levels by a latent scale that is wider in some rows than in others, or moved for some thresholds alone.

A family of thresholds is a kernel of ``u_k = threshold_k - eta`` that has eta in row 0 and thresholds below it. With
the parameters here it is the same kernel of ``u_k = disc (threshold_k - eta - cs_k)``, given as thresholds beside 0.
``disc``, the discrimination, is positive: 1 over the width of the latent distribution. ``cs`` has an element for each
threshold: effects that are specific to a category.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nutslite._numba import inner
from nutslite.families.links.codes import LOG
from nutslite.families.links.parameter import Parameter

DISC = Parameter("disc", links=("log",), support="positive")
CS = Parameter("cs", links=("identity",), dim="threshold_dim")


@inner
def _layout(links):
    """How many thresholds there are, and the rows of eta of log(disc) and of the first of cs; -1 for what is not there.

    Thresholds are on the identity, disc on the log.
    """
    rows = links.shape[0]
    for j in range(1, rows):
        if links[j] == LOG:
            return j - 1, j, j + 1 if j + 1 < rows else -1
    return (rows - 1) // 2, -1, (rows - 1) // 2 + 1


@inner
def latent_rows(eta, varies, links, rows):
    """What the family's own kernel is given, from rows of eta, of K - 1 thresholds, of log(disc), of K - 1 cs.

    Returns
    -------
    u : ndarray, shape (K, rows)
        0, then ``disc (threshold_k - eta - cs_k)``.
    own_varies : ndarray of int, shape (K,)
    slopes : ndarray, shape (K, rows)
        Scratch, for the derivatives by u.
    """
    size, at_disc, at_cs = _layout(links)
    u = np.empty((size + 1, rows))
    own_varies = np.ones(size + 1, dtype=np.int64)
    own_varies[0] = 0
    for i in range(rows):
        u[0, i] = 0.0
        mean = eta[0, i if varies[0] == 1 else 0]
        disc = np.exp(eta[at_disc, i if varies[at_disc] == 1 else 0]) if at_disc >= 0 else 1.0
        for j in range(size):
            threshold = eta[1 + j, i if varies[1 + j] == 1 else 0]
            specific = eta[at_cs + j, i if varies[at_cs + j] == 1 else 0] if at_cs >= 0 else 0.0
            u[1 + j, i] = disc * (threshold - mean - specific)
    return u, own_varies, np.empty((size + 1, rows))


@inner
def latent_slopes(eta, varies, links, rows, u, slopes, out_d_eta):
    """The way back: derivatives by u, weighted, to those by the rows of eta, which overwrite `out_d_eta`."""
    size, at_disc, at_cs = _layout(links)
    for j in range(eta.shape[0]):
        for i in range(rows if varies[j] == 1 else 1):
            out_d_eta[j, i] = 0.0
    for i in range(rows):
        for j in range(size):
            slope = slopes[1 + j, i]
            if slope == 0.0:  # a threshold that the row never reached may be infinite
                continue
            if at_disc >= 0:
                place = i if varies[at_disc] == 1 else 0
                out_d_eta[at_disc, place] += slope * u[1 + j, i]
                slope *= np.exp(eta[at_disc, place])
            out_d_eta[0, i if varies[0] == 1 else 0] -= slope
            out_d_eta[1 + j, i if varies[1 + j] == 1 else 0] += slope
            if at_cs >= 0:
                out_d_eta[at_cs + j, i if varies[at_cs + j] == 1 else 0] -= slope


def widened(kernel, family, names):
    """The family with `kernel` and with those of the parameters above that have a formula: `names`."""
    _, threshold = family.parameters
    specific = replace(CS, labels=threshold.labels)
    combined = {"cs": (threshold.dim, threshold.labels)} if "cs" in names else {}
    return {
        "parameters": (*family.parameters, *(item for item in (DISC, specific) if item.name in names)),
        "kernel": kernel,
        "combined": {**family.combined, **combined},
        "combine": _Combine(family.combine),
    }


class _Combine:
    """The family's own `combine` on the widened latent scale; what has a formula stays beside the probabilities."""

    def __init__(self, own):
        self.own = own

    def __call__(self, links, predictors):
        u = predictors["threshold"] - predictors["p"][..., None]
        beside = {name: predictors[name] for name in ("disc", "cs") if name in predictors}
        u = u - beside["cs"] if "cs" in beside else u
        u = u * beside["disc"][..., None] if "disc" in beside else u
        return {**self.own(links, {"p": np.zeros(u.shape[:-1]), "threshold": u}), **beside}
