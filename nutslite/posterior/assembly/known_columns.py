"""Effects of levels with a known covariance K, or of several of which a row has, as columns of a block of one level.

With K = L L' the effects are u = scale L v, v independent and standard normal. So ``u[level]`` is a row of L times v: a
block whose columns are those of L, with one scale. Every way that serves weights of smooths serves such effects,
exactly, and nothing else has to know of K; results have u (`Variable.mix`). To compute L v once a position instead
would make gradients over many rows cheaper, but no pilot and no exact integration would know of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.formula.records import GroupFactor, GroupTerm
from nutslite.posterior.record.layout import HeadBuilder, named_arguments
from nutslite.priors.densities.codes import NORMAL
from nutslite.priors.prior import Prior

FloatArray = NDArray[np.float64]

MOST_BYTES = 2**30  # of the columns of one term


def known_columns(
    head: HeadBuilder, name: str, term: GroupTerm, factor: GroupFactor, prior: Prior, dims: tuple[str, ...]
) -> tuple[list[list[int]], FloatArray]:
    """Rows of `ModelData.block_columns` without the first field, references unresolved, and the columns (m, n).

    Parameters
    ----------
    head : HeadBuilder
        Gets the hyperparameters.
    name : str
        What results call the effects.
    term : GroupTerm
    factor : GroupFactor
        Whose levels have the covariance, or of which a row has several.
    prior : Prior
        Of the effects.
    dims : tuple of str
        Of the hyperparameters.

    Raises
    ------
    PriorError
        If the columns would not fit into memory.
    """
    arguments = dict(named_arguments(prior))
    size = len(factor.levels) * term.columns * factor.index.size * 8
    if size > MOST_BYTES:
        raise PriorError(
            f"'{name}' would need {size / 2**30:.1f} GB: its levels take a column each, for "
            f"{factor.index.size:,} rows. Use fewer rows, one for each level for example, with weighted(y, w)."
        )
    zero, scales = head.constant(0.0), head.argument(name, "sigma", arguments["sigma"], term.columns, dims)
    columns = factor.columns()
    every = columns[None] if term.matrix is None else term.matrix[:, None, :] * columns
    rows = [[NORMAL, 0, 1, zero, scale, -1, -1] for scale in scales for _ in columns]
    return rows, every.reshape(-1, factor.index.size)
