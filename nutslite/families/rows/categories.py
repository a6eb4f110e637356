"""What families of categories share: checks of the response, codes for kernels, draws of codes, no mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite.exceptions import DataError
from nutslite.families.rows.checks import refuse_companions
from nutslite.formula.records import Response

FloatArray = NDArray[np.float64]


def check_categories(response: Response, family: str, fewest: int) -> None:
    """Accept a categorical response of at least `fewest` levels, none of which was picked as a success.

    Raises
    ------
    DataError
    """
    name = response.name
    if response.kind == "proportion":
        raise DataError(
            f"The response '{name}' is a proportion, but family '{family}' models categories. Use family='binomial', "
            "or name a column of categories."
        )
    refuse_companions(response, family)
    if response.kind == "numeric":
        raise DataError(
            f"The response '{name}' is numeric, but family '{family}' models categories. Name its column in "
            f"categorical=[{repr(name) if name.isidentifier() else '...'}], or make it a pandas.Categorical."
        )
    if response.kind == "binary" and response.success != response.levels[-1]:
        raise DataError(
            f"The response '{name}' picks the level '{response.success}', but family '{family}' models all levels. "
            f"Write '{name}' alone."
        )
    if len(response.levels) < fewest:
        raise DataError(
            f"The response '{name}' has {len(response.levels)} levels ({', '.join(response.levels)}), and family "
            f"'{family}' needs at least {fewest}. Use family='bernoulli'."
        )


def say_order(response: Response) -> None:
    """Say in which order levels are taken, where they are texts that nobody put in order."""
    if not response.chosen_order:
        log.info(
            "The levels of '%s' are taken in this order: %s. pandas.Categorical(..., categories=[...], ordered=True) "
            "gives them another.",
            response.name,
            " < ".join(response.levels),
        )


def as_given(values: Any) -> Any:
    """Nothing to precompute: the codes, as kernels take them."""
    return np.ascontiguousarray(values, dtype=np.float64)


def draw_codes(rng: np.random.Generator, parameters: Mapping[str, Any], companions: Mapping[str, Any]) -> Any:
    """Codes of levels with the probabilities ``p`` (..., K), shape (...)."""
    p = np.asarray(parameters["p"])
    below = np.cumsum(p[..., :-1], axis=-1)
    return (rng.random((*p.shape[:-1], 1)) >= below).sum(axis=-1)


def no_mean(parameters: Mapping[str, Any], companions: Mapping[str, Any]) -> Any:
    """Categories have none.

    Raises
    ------
    DataError
    """
    raise DataError("The response is a category, and categories have no mean. Look at the probabilities p instead.")
