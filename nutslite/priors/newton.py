"""The maximum of a family's likelihood over coefficients and constant parameters, by Newton's method on its kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PerfectSeparationError, PriorError
from nutslite.families.links.codes import link_array
from nutslite.families.record.family import Family, compiled_loglik

FloatArray = NDArray[np.float64]

STEP = 1e-4  # of the differences of derivatives, on the scale of the links
DECREMENT = 1e-10  # in units of log likelihood
ITERATIONS = 200
FLAT = 1e-8  # information about a direction, relative to the best known one, that says it has no end

SEPARATED = (
    "Perfect separation detected, automatic priors are not available. Please indicate priors manually. "
    "The predictors tell some responses apart without error, so the likelihood has no maximum: leave the separating "
    "term out, use automatic_priors='default', or give all terms priors of your own."
)


@dataclass(frozen=True)
class FamilyLikelihood:
    """A response and the family's kernel, seen as a function of linear predictors.

    Parameters
    ----------
    family : Family
    links : mapping of str to str
    values : ndarray, shape (c, n)
        The response and its companions.
    weights, offset : ndarray, shape (n,)
    fixed : mapping of str to float
        Parameters that stay what they are, on their natural scale.
    """

    family: Family
    links: Mapping[str, str]
    values: FloatArray
    weights: FloatArray
    offset: FloatArray
    fixed: Mapping[str, float]
    y: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the response for the kernel."""
        prepared = np.ascontiguousarray(self.family.prepare(self.values), dtype=np.float64)
        object.__setattr__(self, "y", prepared)

    @property
    def free(self) -> list[int]:
        """Positions of the parameters that are one number for all rows and are estimated."""
        return [j for j, parameter in enumerate(self.family.parameters) if j > 0 and parameter.name not in self.fixed]

    def evaluate(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log likelihood (n,) and its derivatives (k, n) with respect to the linear predictors `eta` (k, n)."""
        loglik, derivatives = np.empty(eta.shape[1]), np.empty_like(eta)
        varies = np.ones(len(eta), dtype=np.int64)
        codes = self.family.link_codes(self.links)
        kernel = compiled_loglik(self.family, codes)
        with np.errstate(all="ignore"):
            kernel(self.y, self.weights, 0, np.ascontiguousarray(eta), varies, codes, loglik, derivatives)
        return loglik, derivatives

    def linear_predictors(self, parent: FloatArray, constants: FloatArray) -> FloatArray:
        """All of them, shape (k, n), from the parent's and the free constants on their links."""
        eta = np.empty((len(self.family.parameters), parent.size))
        eta[0] = parent
        for j, parameter in enumerate(self.family.parameters):
            if parameter.name in self.fixed:
                eta[j] = float(link_array(self.links[parameter.name], np.array([self.fixed[parameter.name]]))[0])
        for j, value in zip(self.free, constants, strict=True):
            eta[j] = value
        return eta


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood is largest.

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
    constants : ndarray, shape (m,)
        Free parameters on their links.
    parent : ndarray, shape (n,)
        The parent's linear predictor.
    loglik : ndarray, shape (n,)
    information : ndarray, shape (p + m, p + m)
        Negative second derivatives with respect to coefficients and constants.
    """

    coefficients: FloatArray
    constants: FloatArray
    parent: FloatArray
    loglik: FloatArray
    information: FloatArray


def maximise(
    likelihood: FamilyLikelihood,
    columns: FloatArray,
    *,
    held: FloatArray | None = None,
    near: Maximum | None = None,
) -> Maximum:
    """Maximum over the coefficients of `columns` and the free constants.

    Parameters
    ----------
    likelihood : FamilyLikelihood
    columns : ndarray, shape (p, n)
        Linearly independent; there may be none.
    held : ndarray, shape (n,), optional
        Part of the linear predictor that stays, beside the offset.
    near : Maximum, optional
        Of a similar problem: where to start.

    Raises
    ------
    PerfectSeparationError
        If coefficients would have to be infinite.
    PriorError
        If Newton's method finds no maximum.
    """
    n = likelihood.offset.size
    base = likelihood.offset if held is None else likelihood.offset + held
    basis, triangle = np.linalg.qr(columns.T)
    basis, triangle = basis * np.sqrt(n), triangle / np.sqrt(n)  # columns of mean square one
    search = _Search(likelihood, basis, base)
    parent, constants = (near.parent, near.constants) if near is not None else search.start()
    position = np.concatenate([basis.T @ (parent - base) / n, constants])
    position = search.climb(position)
    parent, constants = search.split(position)
    loglik, _, information = search.curvature(position)
    p = len(columns)
    _check_curvature(likelihood, information[:p, :p] / n)
    back = np.eye(position.size)
    back[:p, :p] = triangle
    coefficients = np.linalg.solve(triangle, position[:p]) if p else np.empty(0)
    return Maximum(coefficients, constants, parent, loglik, back.T @ information @ back)


class _Search:
    """Newton's method on coefficients of an orthogonal basis and on the free constants."""

    def __init__(self, likelihood: FamilyLikelihood, basis: FloatArray, base: FloatArray) -> None:
        self.likelihood = likelihood
        self.basis = basis
        self.base = base

    def split(self, position: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The parent's linear predictor and the free constants."""
        p = self.basis.shape[1]
        return self.base + self.basis @ position[:p], position[p:]

    def total(self, position: FloatArray) -> float:
        """Log likelihood, -inf where it is not defined."""
        loglik, _ = self.likelihood.evaluate(self.likelihood.linear_predictors(*self.split(position)))
        value = float(loglik.sum())
        return value if np.isfinite(value) else -np.inf

    def curvature(self, position: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log likelihood (n,), gradient (d,) and negative second derivatives (d, d) with respect to the position."""
        eta = self.likelihood.linear_predictors(*self.split(position))
        loglik, first = self.likelihood.evaluate(eta)
        varying = [0, *self.likelihood.free]
        second = np.empty((len(varying), len(varying), eta.shape[1]))
        for a, j in enumerate(varying):
            second[a] = self._second(eta, j)[varying]
        second = 0.5 * (second + second.swapaxes(0, 1))
        p = self.basis.shape[1]
        gradient = np.concatenate([self.basis.T @ first[0], first[varying[1:]].sum(axis=1)])
        information = np.empty((gradient.size, gradient.size))
        information[:p, :p] = (self.basis * second[0, 0][:, None]).T @ self.basis
        information[p:, :p] = second[1:, 0] @ self.basis
        information[:p, p:] = information[p:, :p].T
        information[p:, p:] = second[1:, 1:].sum(axis=2)
        return loglik, gradient, information

    def _second(self, eta: FloatArray, j: int) -> FloatArray:
        """Negative derivative of the derivatives (k, n) with respect to the j-th linear predictor."""
        for step in (STEP, 1e-3 * STEP):  # the shorter one beside the end of where the density is defined
            shift = np.zeros((len(eta), 1))
            shift[j] = step
            above, below = self.likelihood.evaluate(eta + shift)[1], self.likelihood.evaluate(eta - shift)[1]
            second: FloatArray = (below - above) / (2.0 * step)
            if np.all(np.isfinite(second)):
                break
        return second

    def start(self) -> tuple[FloatArray, FloatArray]:
        """The best of a few guesses: a constant mean, or one that follows the response half-way."""
        likelihood = self.likelihood
        parameter = likelihood.family.parent
        y = likelihood.values[0]
        if "trials" in likelihood.family.companions:
            y = y / likelihood.values[1]
        sd = float(np.std(y)) or 1.0
        best, found = -np.inf, None
        for mean in (np.full(y.size, y.mean()), 0.5 * (y + y.mean())):
            inside = _inside(parameter.support, likelihood.links[parameter.name], mean)
            eta = link_array(likelihood.links[parameter.name], inside) - self.base
            parent = self.base + self.basis @ (self.basis.T @ eta) / y.size
            constants, value = self._guess_constants(parent, sd)
            if value > best:
                best, found = value, (parent, constants)
        if found is None:
            raise PriorError(
                f"The likelihood of the family '{likelihood.family.name}' with the link "
                f"'{likelihood.links[parameter.name]}' is not defined where automatic_priors='mle' would start. "
                "Use automatic_priors='default', or another link."
            )
        return found

    def _guess_constants(self, parent: FloatArray, sd: float) -> tuple[FloatArray, float]:
        """Free constants one after the other on a grid of sizes, and the log likelihood there."""
        likelihood = self.likelihood
        sizes = np.unique([0.05, 0.3, 1.0, 3.0, 20.0, *(sd * np.array([0.1, 0.5, 1.0]))])
        natural = {"positive": sizes, "unit": np.array([0.1, 0.3, 0.5, 0.7, 0.9]), "real": np.array([-1.0, 0.0, 1.0])}
        choices = [
            link_array(likelihood.links[parameter.name], natural[parameter.support])
            for parameter in (likelihood.family.parameters[j] for j in likelihood.free)
        ]
        constants = np.array([choice[len(choice) // 2] for choice in choices])
        value = self._value(parent, constants)
        for place, choice in enumerate(choices):
            for candidate in choice:
                trial = constants.copy()
                trial[place] = candidate
                there = self._value(parent, trial)
                if there > value:
                    constants, value = trial, there
        return constants, value

    def _value(self, parent: FloatArray, constants: FloatArray) -> float:
        loglik, _ = self.likelihood.evaluate(self.likelihood.linear_predictors(parent, constants))
        value = float(loglik.sum())
        return value if np.isfinite(value) else -np.inf

    def climb(self, position: FloatArray) -> FloatArray:
        """Newton steps, damped where the curvature does not fit, until nothing is gained."""
        damping = 0.0
        value = self.total(position)
        for _ in range(ITERATIONS):
            _, gradient, information = self.curvature(position)
            step, damping = _damped_step(gradient, information, damping)
            if float(gradient @ step) < DECREMENT and damping == 0.0:
                return position + step if self.total(position + step) >= value else position
            for _halving in range(30):
                trial = self.total(position + step)
                if trial > value:
                    break
                step = 0.5 * step
            else:
                if float(gradient @ step) < DECREMENT:
                    return position
                damping = max(10.0 * damping, 1e-3)
                continue
            position, value = position + step, trial
            damping = 0.0 if damping < 1e-3 else 0.1 * damping
        raise self._failure(position)

    def _failure(self, position: FloatArray) -> PriorError:
        family = self.likelihood.family
        if family.discrete and np.max(np.abs(self.split(position)[0])) > 15.0:
            return PerfectSeparationError(SEPARATED)
        return PriorError(
            f"automatic_priors='mle' found no maximum of the likelihood of the family '{family.name}'. Use "
            "automatic_priors='default', or indicate priors manually."
        )


def _damped_step(gradient: FloatArray, information: FloatArray, damping: float) -> tuple[FloatArray, float]:
    """Newton's step, with as much of the identity added as makes the information positive definite."""
    if not gradient.size:
        return gradient, 0.0
    if not (np.all(np.isfinite(information)) and np.all(np.isfinite(gradient))):
        raise PriorError(
            "automatic_priors='mle': the likelihood has no derivatives where it was followed. Use "
            "automatic_priors='default', or indicate priors manually."
        )
    unit = np.diag(np.maximum(np.abs(np.diag(information)), 1e-12 * np.max(np.abs(information), initial=1e-300)))
    while True:
        try:
            factor = np.linalg.cholesky(information + damping * unit)
        except np.linalg.LinAlgError:
            damping = max(10.0 * damping, 1e-3)
            continue
        return np.linalg.solve(factor.T, np.linalg.solve(factor, gradient)), damping


def _inside(support: str, link: str, mean: FloatArray) -> FloatArray:
    """Means that the parameter may have and the link is defined for."""
    if support == "unit":
        return np.clip(mean, 0.02, 0.98)
    if support == "positive" or link in ("log", "inverse", "inverse_squared", "sqrt", "softplus"):
        return np.maximum(mean, max(1e-2 * float(np.mean(np.abs(mean))), 1e-6))
    return mean


def _check_curvature(likelihood: FamilyLikelihood, information: FloatArray) -> None:
    """Directions without information are coefficients that ran away."""
    if not information.size:
        return
    eigenvalues = np.linalg.eigvalsh(information)
    flat = eigenvalues[0] < FLAT * eigenvalues[-1] or (
        likelihood.family.parent.support == "unit" and eigenvalues[-1] < FLAT
    )
    if flat and likelihood.family.discrete:
        raise PerfectSeparationError(SEPARATED)
    if flat:
        raise PriorError(
            f"automatic_priors='mle': the likelihood of the family '{likelihood.family.name}' has no single maximum. "
            "Use automatic_priors='default', or indicate priors manually."
        )
