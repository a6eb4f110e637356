"""Where the middle of a prior lies, by draws of it: what a term that is made before its posterior is known goes by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.priors.hyperparameters import Hyperprior
from nutslite.priors.prior import Prior, resolve

FloatArray = NDArray[np.float64]

DRAWS = 20_000


def middle_of(prior: Hyperprior, share: float) -> tuple[FloatArray, FloatArray] | None:
    """Ends of the middle `share` of a prior, element by element; of a known number the number.

    Draws are of a seed of their own, so that the same prior always has the same ends.

    Returns
    -------
    low, high : ndarray, shape (elements,)
        None where nothing can be drawn from the prior.

    Examples
    --------
    >>> low, high = middle_of(Prior("Uniform", lower=0, upper=1), 0.9)
    >>> low.round(2), high.round(2)
    (array([0.05]), array([0.95]))
    """
    if not isinstance(prior, Prior):
        known = np.atleast_1d(np.asarray(prior, dtype=float))
        return known, known
    try:
        draws = _draws(prior, np.random.default_rng(0))
    except PriorError:
        return None
    low, high = np.quantile(draws.reshape(DRAWS, -1), [0.5 - 0.5 * share, 0.5 + 0.5 * share], axis=0)
    return low, high


def _draws(prior: Prior, rng: np.random.Generator) -> FloatArray:
    """Shape (DRAWS,), or (DRAWS, elements) where some argument has several numbers."""
    values = [
        _draws(value, rng) if isinstance(value, Prior) else np.asarray(value, dtype=float)
        for value in resolve(prior).arguments
    ]
    wide = [value if value.ndim else value[None] for value in values]
    elements = max((value.shape[-1] for value in wide if value.shape != (DRAWS,)), default=1)
    given = tuple(value[:, None] if value.shape == (DRAWS,) else value for value in wide)
    return prior.density.sample(rng, given, (DRAWS, elements))
