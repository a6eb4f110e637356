"""Densities that samplers find hard, with known distributions, and what is expected of draws from them.

Each target has functions of a draw that are uniform under it (distribution functions of independent parts). A run is
judged by means of these, of their squared distance from the middle and of their tails, in Monte Carlo standard errors,
and by R-hat: beyond an *alert* threshold it is worth a look, beyond a *fail* threshold something is wrong. What NUTS is
known not to manage only alerts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sampler_targets import correlated_normal
from scipy import stats

from nutslite._numba import kernel
from nutslite.results.diagnostics.diagnostics import ess_mean, rhat
from nutslite.sampler import sample

TAIL = 0.05
FUNNEL_SD, BANANA_BEND, BANANA_SD, MODE = 3.0, 0.5, 0.3, 2.0
T_DEGREES = 3.0


@kernel
def funnel(position, gradient, data):
    """x[0] ~ N(0, 3), x[i] | x[0] ~ N(0, exp(x[0] / 2)) (Neal 2003, Annals of Statistics 31:705, section 8)."""
    scale, n = position[0], position.shape[0] - 1
    precision = math.exp(-scale)
    squares = 0.0
    for i in range(1, n + 1):
        squares += position[i] * position[i]
        gradient[i] = -precision * position[i]
    gradient[0] = -scale / 9.0 - 0.5 * n + 0.5 * precision * squares
    return -scale * scale / 18.0 - 0.5 * n * scale - 0.5 * precision * squares


@kernel
def funnel_noncentred(position, gradient, data):
    """The funnel's coordinates before they are scaled: x[0] ~ N(0, 3), all others standard normal."""
    total = 0.0
    for i in range(position.shape[0]):
        precision = 1.0 / 9.0 if i == 0 else 1.0
        gradient[i] = -precision * position[i]
        total += 0.5 * gradient[i] * position[i]
    return total


@kernel
def two_modes(position, gradient, data):
    """x[0]: two normals of sd 1 with equal weights at -2 and 2; the rest standard normal."""
    total = 0.0
    for i in range(position.shape[0]):
        x = position[i]
        total -= 0.5 * x * x
        gradient[i] = -x
    bend = 2.0 * position[0]  # log cosh(2 x) joins the two
    total += abs(bend) + math.log1p(math.exp(-2.0 * abs(bend)))
    gradient[0] += 2.0 * math.tanh(bend)
    return total


@kernel
def banana(position, gradient, data):
    """x[0] ~ N(0, 1), x[1] | x[0] ~ N(x[0]^2 / 2, 0.3)."""
    rest = (position[1] - 0.5 * position[0] * position[0]) / (0.3 * 0.3)
    gradient[0] = -position[0] + rest * position[0]
    gradient[1] = -rest
    return -0.5 * position[0] * position[0] - 0.5 * rest * rest * 0.3 * 0.3


@kernel
def student(position, gradient, data):
    """Independent Student t; data: degrees of freedom."""
    total = 0.0
    for i in range(position.shape[0]):
        x = position[i]
        total -= 0.5 * (data + 1.0) * math.log1p(x * x / data)
        gradient[i] = -(data + 1.0) * x / (data + x * x)
    return total


def _rotated_covariance() -> np.ndarray:
    """Twelve dimensions, variances from 1e-3 to 1e3 along axes that are not the coordinates'."""
    axes = np.linalg.qr(np.random.default_rng(12).normal(size=(12, 12)))[0]
    return axes @ np.diag(np.logspace(-3, 3, 12)) @ axes.T


COVARIANCE = _rotated_covariance()
WHITEN = np.linalg.inv(np.linalg.cholesky(COVARIANCE))


def _of_normal(x):
    return stats.norm.cdf(x @ WHITEN.T)


def _of_funnel(x):
    return stats.norm.cdf(np.concatenate([x[..., :1] / FUNNEL_SD, x[..., 1:] * np.exp(-0.5 * x[..., :1])], axis=-1))


def _of_noncentred(x):
    scaled = x.copy()
    scaled[..., 1:] *= np.exp(0.5 * x[..., :1])  # the funnel's own coordinates
    return _of_funnel(scaled)


def _of_two_modes(x):
    out = stats.norm.cdf(x)
    out[..., 0] = 0.5 * (stats.norm.cdf(x[..., 0] - MODE) + stats.norm.cdf(x[..., 0] + MODE))
    return out


def _of_banana(x):
    rest = (x[..., 1] - BANANA_BEND * x[..., 0] ** 2) / BANANA_SD
    return stats.norm.cdf(np.stack([x[..., 0], rest], axis=-1))


@dataclass(frozen=True)
class KnownTarget:
    """A density, what is uniform under it, and what to expect.

    Attributes
    ----------
    uniform : callable
        Draws (..., dimension) to uniform variables (..., functions).
    alert_z, fail_z : float
        Largest error in standard errors; infinite `fail_z` where NUTS is known to fail.
    """

    logdensity: Callable[..., float]
    data: Any
    dimension: int
    uniform: Callable[[np.ndarray], np.ndarray]
    options: dict[str, Any]
    alert_z: float = 3.8
    fail_z: float = 5.5


TARGETS = {
    "ill-conditioned normal": KnownTarget(
        correlated_normal, (np.zeros(12), np.linalg.inv(COVARIANCE)), 12, _of_normal, {"metric": "dense"}
    ),
    "ill-conditioned normal, diagonal metric": KnownTarget(
        correlated_normal, (np.zeros(12), np.linalg.inv(COVARIANCE)), 12, _of_normal, {}
    ),
    "two modes": KnownTarget(two_modes, 0.0, 3, _of_two_modes, {}),
    "banana": KnownTarget(banana, 0.0, 2, _of_banana, {"target_accept": 0.95}),
    "funnel, non-centred": KnownTarget(funnel_noncentred, 0.0, 10, _of_noncentred, {}),
    "funnel, centred": KnownTarget(funnel, 0.0, 10, _of_funnel, {"target_accept": 0.95}, fail_z=math.inf),
    "t with 3 degrees of freedom": KnownTarget(student, T_DEGREES, 3, lambda x: stats.t.cdf(x, T_DEGREES), {}),
    "Cauchy": KnownTarget(student, 1.0, 2, stats.cauchy.cdf, {}, fail_z=math.inf),
}


@dataclass(frozen=True)
class Judgement:
    """What a run has shown: largest error in standard errors, R-hat, effective size per draw, divergences, work."""

    z: float
    r_hat: float
    ess_share: float
    divergences: int
    leapfrogs: float
    verdict: str


def judge(target: KnownTarget, draws: int, tune: int = 1000, seed: int = 1) -> Judgement:
    """Sample four chains and compare."""
    run = sample(
        target.logdensity,
        target.data,
        initial=np.zeros(target.dimension),
        draws=draws,
        tune=tune,
        chains=4,
        random_seed=seed,
        **target.options,
    )
    return judge_draws(target, run.positions, int(run.stats["diverging"].sum()), float(run.stats["n_steps"].mean()))


def judge_draws(target: KnownTarget, positions: np.ndarray, divergences: int = 0, leapfrogs: float = 0.0) -> Judgement:
    """Compare draws of shape (chains, draws, dimension) with what is known."""
    u = target.uniform(positions)
    share = TAIL * (1 - TAIL)
    known = [(u, 0.5, 1 / 12), ((u - 0.5) ** 2, 1 / 12, 1 / 180), (u < TAIL, TAIL, share), (u > 1 - TAIL, TAIL, share)]
    z = max(
        float(np.max(np.abs(np.mean(x, axis=(0, 1)) - mean) / np.sqrt(variance / ess_mean(x.astype(float)))))
        for x, mean, variance in known
    )
    r_hat = float(rhat(u).max())
    ess_share = min(float(ess_mean(x.astype(float)).min()) for x, _, _ in known) / u[..., 0].size
    fails = z > target.fail_z or (r_hat > 1.05 and math.isfinite(target.fail_z))
    alerts = z > target.alert_z or r_hat > 1.01 or ess_share < 0.05
    return Judgement(z, r_hat, ess_share, divergences, leapfrogs, "FAIL" if fails else "alert" if alerts else "ok")
