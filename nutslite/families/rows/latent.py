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
from nutslite.families.links.parameter import Parameter

DISC = Parameter("disc", links=("log",), support="positive")
CS = Parameter("cs", links=("identity",), dim="threshold_dim")


@inner
def latent_rows(eta, varies, rows):
    """What the family's own kernel is given, from rows of eta, of K - 1 thresholds, of log(disc), of K - 1 cs.

    Returns
    -------
    u : ndarray, shape (K, rows)
        0, then ``disc (threshold_k - eta - cs_k)``.
    own_varies : ndarray of int, shape (K,)
    slopes : ndarray, shape (K, rows)
        Scratch, for the derivatives by u.
    """
    size = (eta.shape[0] - 2) // 2
    u = np.empty((size + 1, rows))
    own_varies = np.ones(size + 1, dtype=np.int64)
    own_varies[0] = 0
    for i in range(rows):
        u[0, i] = 0.0
        mean = eta[0, i if varies[0] == 1 else 0]
        disc = np.exp(eta[size + 1, i if varies[size + 1] == 1 else 0])
        for j in range(size):
            threshold = eta[1 + j, i if varies[1 + j] == 1 else 0]
            specific = eta[size + 2 + j, i if varies[size + 2 + j] == 1 else 0]
            u[1 + j, i] = disc * (threshold - mean - specific)
    return u, own_varies, np.empty((size + 1, rows))


@inner
def latent_slopes(eta, varies, rows, u, slopes, out_d_eta):
    """The way back: derivatives by u, weighted, to those by the rows of eta, which overwrite `out_d_eta`."""
    size = (eta.shape[0] - 2) // 2
    for j in range(eta.shape[0]):
        for i in range(rows if varies[j] == 1 else 1):
            out_d_eta[j, i] = 0.0
    for i in range(rows):
        at_mean = i if varies[0] == 1 else 0
        at_disc = i if varies[size + 1] == 1 else 0
        disc = np.exp(eta[size + 1, at_disc])
        for j in range(size):
            slope = slopes[1 + j, i]
            if slope != 0.0:  # a threshold that the row never reached may be infinite
                out_d_eta[size + 1, at_disc] += slope * u[1 + j, i]
                slope *= disc
                out_d_eta[0, at_mean] -= slope
                out_d_eta[1 + j, i if varies[1 + j] == 1 else 0] += slope
                out_d_eta[size + 2 + j, i if varies[size + 2 + j] == 1 else 0] -= slope


def widened(kernel, family, names):
    """The family with `kernel`, which has all four parameters, where a formula names some of those above.

    The other is a known number. `names` are the parameters that have a formula.
    """
    _, threshold = family.parameters
    specific = replace(
        CS, labels=threshold.labels, default_prior=("Normal", {"mu": np.zeros(threshold.size), "sigma": 1.0})
    )
    fixed = {"disc": 1.0, "cs": np.zeros(threshold.size)}
    combined = {"cs": (threshold.dim, threshold.labels)} if "cs" in names else {}
    return {
        "parameters": (*family.parameters, DISC, specific),
        "kernel": kernel,
        "combined": {**family.combined, **combined},
        "combine": _Combine(family.combine, names),
        "fixed": {name: value for name, value in fixed.items() if name not in names},
    }


class _Combine:
    """The family's own `combine` on the widened latent scale; what has a formula stays beside the probabilities."""

    def __init__(self, own, names):
        self.own, self.names = own, tuple(names)

    def __call__(self, links, predictors):
        latent = predictors["threshold"] - predictors["p"][..., None] - predictors["cs"]
        u = predictors["disc"][..., None] * latent
        found = self.own(links, {"p": np.zeros(u.shape[:-1]), "threshold": u})
        return {**found, **{name: predictors[name] for name in self.names}}
