"""Constrained parameters for users' densities: bounded, ordered, on a simplex, Cholesky factors of correlations.

The sampler moves numbers u without bounds. A density p of a constrained x = f(u) becomes one of u by the log-Jacobian:
``log p(f(u)) + log |det f'(u)|``. Each constraint is three compiled functions, to be called in densities:

``*_constrain``
    x and the log-Jacobian: of a number both are returned, ``x, log_jacobian = positive_constrain(u)``; of a vector x is
    written to `out`, and the log-Jacobian returned.
``*_pull_back``
    For gradients by hand: from the derivative by x to that of the whole by u, the log-Jacobian's included. Of a number
    it is returned, of a vector added to `gradient`.
``*_unconstrain``
    u, the inverse: for starting points.

In a `DifferentiatedDensity` only the first is needed: dual numbers go through it. `vector_like` and `matrix_like` make
room for x there and anywhere.
"""

from __future__ import annotations

from nutslite.sampler.constraints.bounded import (
    interval_constrain,
    interval_pull_back,
    interval_unconstrain,
    lower_constrain,
    lower_pull_back,
    lower_unconstrain,
    positive_constrain,
    positive_pull_back,
    positive_unconstrain,
    upper_constrain,
    upper_pull_back,
    upper_unconstrain,
)
from nutslite.sampler.constraints.cholesky import cholesky_constrain, cholesky_pull_back, cholesky_unconstrain
from nutslite.sampler.constraints.like import matrix_like, vector_like
from nutslite.sampler.constraints.ordered import ordered_constrain, ordered_pull_back, ordered_unconstrain
from nutslite.sampler.constraints.simplex import simplex_constrain, simplex_pull_back, simplex_unconstrain

__all__ = [
    "positive_constrain",
    "positive_pull_back",
    "positive_unconstrain",
    "lower_constrain",
    "lower_pull_back",
    "lower_unconstrain",
    "upper_constrain",
    "upper_pull_back",
    "upper_unconstrain",
    "interval_constrain",
    "interval_pull_back",
    "interval_unconstrain",
    "ordered_constrain",
    "ordered_pull_back",
    "ordered_unconstrain",
    "simplex_constrain",
    "simplex_pull_back",
    "simplex_unconstrain",
    "cholesky_constrain",
    "cholesky_pull_back",
    "cholesky_unconstrain",
    "vector_like",
    "matrix_like",
]
