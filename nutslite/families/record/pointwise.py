"""Log likelihoods of single observations at given parameters, for checks and small jobs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from nutslite.exceptions import FamilyError
from nutslite.families.links.codes import link_array
from nutslite.families.record.family import Family, FloatArray


def pointwise_loglik(
    family: Family,
    values: ArrayLike,
    parameters: Mapping[str, ArrayLike],
    weights: ArrayLike | None = None,
) -> FloatArray:
    """Log likelihood of each observation, for checks and small jobs; sampling calls the kernel itself.

    Parameters
    ----------
    family : Family
    values : array_like, shape (n,) or (c, n)
        The response, and its companions in further rows.
    parameters : mapping of str to float or array_like of shape (n,)
        Parameter values on their natural scale, all of them; of vectors with a last axis more, and as rows of eta where
        the link is softmax.
    weights : array_like of shape (n,), optional

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    FamilyError
        When `parameters` does not name exactly the family's parameters.
    """
    names = {parameter.name for parameter in family.parameters}
    for name in parameters:
        family.parameter(name)
    if names != set(parameters):
        raise FamilyError(f"Family '{family.name}' also needs {', '.join(sorted(names - set(parameters)))}.")
    response = np.array(np.atleast_2d(np.asarray(values, dtype=np.float64)), order="C")
    rows = response.shape[1]
    eta = np.empty((len(family.eta_parameters), rows))
    varies = np.zeros(len(eta), dtype=np.int64)
    j = 0
    for parameter in family.parameters:
        own = slice(j, j + parameter.size)
        value = link_array(parameter.default_link, parameters[parameter.name])
        eta[own] = np.broadcast_to(value, (rows, parameter.size)).T if parameter.dim else value
        varies[own] = int(value.ndim > bool(parameter.dim))
        j += parameter.size
    out = np.empty(rows)
    weight = np.empty(0) if weights is None else np.array(weights, dtype=np.float64)
    with np.errstate(all="ignore"):
        family.kernel(family.prepare(response), weight, 0, eta, varies, family.link_codes(), out, np.empty_like(eta))
    return out
