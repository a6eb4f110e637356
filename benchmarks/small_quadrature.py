"""Posteriors of one to three parameters by quadrature, from SciPy's densities; for `small_models.py`.

The grid is a product of one-dimensional ones, each spaced like a sinh around a centre, so that it is fine in the middle
and reaches four orders of magnitude beyond; for coefficients it is fine around each row's own value as well, where
densities have their spikes when scales are small. Two grids of different fineness have to agree, or there is no answer.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import repository
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(repository.ROOT / "tests"))

from family_references import REFERENCES

FloatArray = NDArray[np.float64]

SIZES = {1: (1501, 4001), 2: (181, 301), 3: (61, 85)}
REACH = 1e4  # of the grid, in rough standard deviations
AGREEMENT = 0.004  # of shares between the two grids
LARGEST = 1e10  # of a constant: SciPy's negative binomial has no digits left beyond; no prior has a share of 1e-9 there

PRIORS = {
    "Normal": lambda a: stats.norm(a["mu"], a["sigma"]),
    "StudentT": lambda a: stats.t(a["nu"], a["mu"], a["sigma"]),
    "Cauchy": lambda a: stats.cauchy(a["alpha"], a["beta"]),
    "HalfNormal": lambda a: stats.halfnorm(scale=a["sigma"]),
    "HalfCauchy": lambda a: stats.halfcauchy(scale=a["beta"]),
    "HalfStudentT": lambda a: _Half(stats.t(a["nu"], scale=a["sigma"])),
    "Gamma": lambda a: stats.gamma(a["alpha"], scale=1.0 / a["beta"]),
    "Beta": lambda a: stats.beta(a["alpha"], a["beta"]),
}
INVERSES = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "logit": lambda eta: 1.0 / (1.0 + np.exp(-eta)),
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: -np.expm1(-np.exp(eta)),
    "cauchit": stats.cauchy.cdf,
    "inverse": lambda eta: 1.0 / eta,
    "inverse_squared": lambda eta: np.where(eta > 0.0, np.abs(eta) ** -0.5, np.nan),
    "sqrt": lambda eta: np.where(eta >= 0.0, eta**2, np.nan),
    "softplus": lambda eta: np.logaddexp(0.0, eta),
}
UNIT = ("psi",)


class _Half:
    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def logpdf(self, x: FloatArray) -> FloatArray:
        return self.whole.logpdf(x) + np.log(2.0)


class Posterior:
    """The log density of a model over coefficients (of centred columns) and logs or logits of its constants."""

    def __init__(self, model: Any) -> None:
        self.family, design = model.family, model.design
        parent = self.family.parent.name
        predictor = design.predictors[parent]
        self.inverse = INVERSES[model.links[parent]]
        self.y = design.response.values[0]
        self.companions = {name: design.response.values[1 + i] for i, name in enumerate(design.response.companions)}
        matrix = predictor.matrix
        self.means = matrix.mean(axis=1) if predictor.intercept else np.zeros(len(matrix))
        self.matrix = matrix - self.means[:, None]
        given = model.priors.terms[parent]
        self.priors = []
        if predictor.intercept:
            self.matrix = np.concatenate([np.ones((1, self.y.size)), self.matrix])
            self.priors.append(frozen(given["Intercept"]))
        self.names = [term.name for term in predictor.terms for _ in range(term.stop - term.start)]
        for term in predictor.terms:
            self.priors += [frozen(given[term.name], i) for i in range(term.stop - term.start)]
        self.constants = {name: frozen(prior) for name, prior in model.priors.constants.items()}

    def unconstrained(self, draws: dict[str, FloatArray]) -> FloatArray:
        """Draws (chains, draws, parameters) of named ones: the intercept of centred columns, logs of constants."""
        shape = next(iter(draws.values())).shape[:2]
        slopes = [draws[name].reshape(*shape, -1) for name in dict.fromkeys(self.names)]
        slope = np.concatenate(slopes, axis=2) if slopes else np.empty((*shape, 0))
        parts = [slope]
        if "Intercept" in draws:
            parts.insert(0, (draws["Intercept"] + slope @ self.means)[:, :, None])
        for name in self.constants:
            x = draws[name][:, :, None]
            parts.append(np.log(x) - np.log1p(-x) if name in UNIT else np.log(x))
        return np.concatenate(parts, axis=2)

    def log_density(self, axes: list[FloatArray]) -> FloatArray:
        """On the product of the axes."""
        grid = np.meshgrid(*axes, indexing="ij", sparse=True)
        p = len(self.matrix)
        shape = tuple(axis.size for axis in axes)
        total = np.zeros(shape)
        with np.errstate(all="ignore"):
            for prior, b in zip(self.priors, grid[:p], strict=True):
                total = total + prior.logpdf(b)
            parameters = {}
            for (name, prior), u in zip(self.constants.items(), grid[p:], strict=True):
                value = 1.0 / (1.0 + np.exp(-u)) if name in UNIT else np.exp(u)
                total = total + prior.logpdf(value) + (np.log(value) + np.log1p(-value) if name in UNIT else u)
                total = np.where(value > LARGEST, -np.inf, total)
                parameters[name] = value
            for i, y in enumerate(self.y):
                eta = sum(x[i] * b for x, b in zip(self.matrix, grid[:p], strict=True))
                companions = {name: values[i] for name, values in self.companions.items()}
                mean = self.inverse(np.asarray(eta))
                distribution = REFERENCES[self.family.name]({**parameters, self.family.parent.name: mean}, companions)
                values = (distribution.logpmf if self.family.discrete else distribution.logpdf)(y)
                total = total + np.where(np.isnan(values), -np.inf, values)
        return np.broadcast_to(total, shape)


def frozen(prior: Any, column: int = 0) -> Any:
    """SciPy's version of a prior with fixed arguments, of one column."""
    arguments = {name: np.ravel(value)[column if np.size(value) > 1 else 0] for name, value in prior.args.items()}
    return PRIORS[prior.name](arguments)


def axis(center: float, scale: float, size: int, spikes: FloatArray) -> FloatArray:
    """Points spaced like a sinh around a centre, and geometrically around each spike."""
    t = np.linspace(-1.0, 1.0, size) * np.arcsinh(REACH)
    around = np.sinh(np.linspace(-1.0, 1.0, max(9, size // 4 // max(1, spikes.size) * 2 + 1)) * np.arcsinh(1e5)) * 1e-5
    points = [center + scale * np.sinh(t), *(spike + scale * around for spike in spikes)]
    return np.unique(np.concatenate(points))


def exact_shares(
    posterior: Posterior, centers: FloatArray, scales: FloatArray, points: FloatArray
) -> FloatArray | None:
    """Shares of the posterior below points, of each parameter; None where two grids disagree.

    Parameters
    ----------
    centers, scales : ndarray, shape (parameters,)
        Where grids are fine: they decide nothing else.
    points : ndarray, shape (points, parameters)
    """
    spikes = _spikes(posterior)
    found = []
    for size in SIZES[centers.size]:
        axes = [
            axis(center, scale, size, spikes if j < len(posterior.matrix) and centers.size < 3 else np.empty(0))
            for j, (center, scale) in enumerate(zip(centers, scales, strict=True))
        ]
        found.append(_shares(posterior, axes, points))
    return found[1] if np.abs(found[1] - found[0]).max() < AGREEMENT else None


def _spikes(posterior: Posterior) -> FloatArray:
    """Values of a single coefficient at which one row is fitted exactly, where the predictor is the mean itself."""
    if len(posterior.matrix) != 1 or "sigma" not in posterior.constants or posterior.family.name == "lognormal":
        return np.empty(0)
    if not np.allclose(posterior.inverse(posterior.y), posterior.y):
        return np.empty(0)
    x = posterior.matrix[0]
    return np.unique(posterior.y[x != 0.0] / x[x != 0.0])


def _shares(posterior: Posterior, axes: list[FloatArray], points: FloatArray) -> FloatArray:
    logs = posterior.log_density(axes)
    weights = np.exp(logs - logs[np.isfinite(logs)].max())
    weights[~np.isfinite(weights)] = 0.0
    for j, own in enumerate(axes):
        width = np.gradient(own)
        weights = weights * width.reshape([-1 if k == j else 1 for k in range(len(axes))])
    out = np.empty(points.shape)
    for j, own in enumerate(axes):
        marginal = weights.sum(axis=tuple(k for k in range(len(axes)) if k != j))
        edges = np.concatenate([own[:1], 0.5 * (own[1:] + own[:-1]), own[-1:]])
        out[:, j] = np.interp(points[:, j], edges, np.concatenate([[0.0], np.cumsum(marginal) / marginal.sum()]))
    return out
