r"""The LKJ prior of a correlation matrix, on its Cholesky factor.

Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and extended onion
method", J. Multivariate Analysis 100. Row k + 1 of the factor is a point w in the unit ball of dimension k, with a
density proportional to :math:`(1 - |w|^2)^{\beta_k - 1}`, :math:`\beta_k = \eta + (q - 1 - k) / 2`, and
:math:`1 - |w|^2` is the square of the diagonal entry. The rows are independent, which gives the constant, the density
and the sampler below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from nutslite._numba import inner, kernel
from nutslite._special import digamma
from nutslite.exceptions import FormulaError, PriorError, PriorTypeError, did_you_mean
from nutslite.formula.language.spelling import as_spelled
from nutslite.formula.records import GroupFactor, GroupTerm
from nutslite.priors.prior import Prior


@kernel
def lkj_cholesky_logdensity(factor, eta):
    """Log density of the entries below the diagonal of a correlation matrix's Cholesky factor.

    Parameters
    ----------
    factor : ndarray, shape (q, q)
        Lower triangular, rows of length one, positive diagonal; only the diagonal is read.
    eta : float
        1: uniform over correlation matrices; larger: closer to the identity.

    Returns
    -------
    float
        Normalised: its exponential integrates to one over the entries below the diagonal. -inf where `eta` or a
        diagonal entry is not positive.
    """
    q = factor.shape[0]
    if not eta > 0.0:
        return -math.inf
    value = 0.0
    top = math.lgamma(eta + 0.5 * (q - 1))
    for k in range(1, q):
        diagonal = factor[k, k]
        if not diagonal > 0.0:
            return -math.inf
        beta = eta + 0.5 * (q - 1 - k)
        value += top - math.lgamma(beta) - 0.5 * k * math.log(math.pi)
        value += 2.0 * (beta - 1.0) * math.log(diagonal)
    return value


@inner
def lkj_cholesky_gradient(factor, eta, out_factor):
    """Derivatives of `lkj_cholesky_logdensity`.

    Parameters
    ----------
    factor : ndarray, shape (q, q)
    eta : float
    out_factor : ndarray, shape (q, q)
        Overwritten: derivative with respect to every entry, the diagonal entries taken as variables of their own
        (a transform's pull-back knows that they depend on the others). Only the diagonal is not zero.

    Returns
    -------
    float
        Derivative with respect to `eta`.
    """
    q = factor.shape[0]
    out_factor[:] = 0.0
    d_eta = 0.0
    top = digamma(eta + 0.5 * (q - 1))
    for k in range(1, q):
        beta = eta + 0.5 * (q - 1 - k)
        d_eta += top - digamma(beta) + 2.0 * np.log(factor[k, k])
        out_factor[k, k] = 2.0 * (beta - 1.0) / factor[k, k]
    return d_eta


def sample_lkj_cholesky(rng: Generator, size: int, eta: float, draws: int) -> NDArray[np.float64]:
    """Cholesky factors of correlation matrices drawn from the LKJ distribution, by the onion method.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Rows of each matrix.
    eta : float
    draws : int

    Returns
    -------
    ndarray, shape (draws, size, size)
    """
    factors = np.zeros((draws, size, size))
    factors[:, 0, 0] = 1.0
    for k in range(1, size):
        squared_length = rng.beta(0.5 * k, eta + 0.5 * (size - 1 - k), draws)
        direction = rng.normal(size=(draws, k))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        factors[:, k, :k] = np.sqrt(squared_length)[:, None] * direction
        factors[:, k, k] = np.sqrt(1.0 - squared_length)
    return factors


def choose_correlations(
    factors: Mapping[str, GroupFactor],
    correlated: bool,
    priors_cor: Mapping[str, float | Prior] | None,
    terms: Iterable[GroupTerm] = (),
) -> dict[str, float]:
    """Shape of the LKJ prior by grouping factor, for the factors whose effects are correlated.

    Parameters
    ----------
    factors : mapping of str to GroupFactor
        The model's grouping factors. The name of ``gr(g, by=f)`` stands for all its parts.
    correlated : bool
        Whether all factors have correlated effects, with shape 1 where `priors_cor` does not say otherwise.
    priors_cor : mapping of str to float or Prior, optional
        Shapes, as numbers or ``Prior("LKJ", eta=...)``.
    terms : iterable of GroupTerm
        The model's group-specific terms.

    Raises
    ------
    PriorError
        For a name that is not a grouping factor, or a shape that is not a positive number.
    FormulaError
        Where the formula does not say which of a factor's effects are correlated.
    """
    out = dict.fromkeys(factors, 1.0) if correlated else {}
    if priors_cor is not None and not isinstance(priors_cor, Mapping):
        raise PriorTypeError(f"priors_cor is a dict from grouping factors to shapes, not {priors_cor!r}.")
    for given, value in (priors_cor or {}).items():
        wholes = {factor.whole for factor in factors.values() if factor.whole}
        name = as_spelled(given, {*factors, *wholes}) if isinstance(given, str) else given
        if name not in factors and name not in wholes:
            raise PriorError(
                f"priors_cor names '{name}', which is not a grouping factor.{did_you_mean(name, factors)} "
                f"The model's: {', '.join(factors) or 'none'}."
            )
        eta = value.args.get("eta", 1.0) if isinstance(value, Prior) and value.name == "LKJ" else value
        if isinstance(eta, bool) or not isinstance(eta, int | float | np.number) or not 0.0 < float(eta) < math.inf:
            raise PriorError(f"priors_cor={{'{name}': {value}}}: give a positive number or Prior('LKJ', eta=...).")
        parts = [part for part, factor in factors.items() if factor.whole == name]
        out |= dict.fromkeys(parts if name in wholes else [name], float(eta))
    for term in terms:
        if term.factor in out and term.contested is not None:
            raise FormulaError(
                f"The formula has {term.contested}, which does not say what the effects '{term.name}' are correlated "
                f"with. Write one of them without what they share, such as (x|g) + (0 + z|g), or all in one: (x + z|g)."
            )
    return out
