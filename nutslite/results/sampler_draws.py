"""From draws of the sampler alone, and from positions that other samplers drew of a model, to the ArviZ container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, DataTypeError
from nutslite.posterior.record.assembled import Assembled
from nutslite.results.container.inference_data import Container, to_inference_data
from nutslite.results.container.row_labels import label_rows
from nutslite.results.fit import observed_of
from nutslite.sampler.draws import Draws
from nutslite.sampler.naming import Variables


@public
def from_draws(
    draws: Draws,
    variables: Variables = None,
    *,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
) -> Container:
    """Draws of ``nutslite.sampler.sample`` as ArviZ has them.

    Parameters
    ----------
    draws : Draws
        Of an interrupted run, the largest complete rectangle of chains and draws is taken.
    variables : dict, callable or None
        A dict: shapes by name, () for a number, in the order of the position. A function of one position: its dict of
        values by name, for parameters under constraints. None: all in one, ``"position"``.
    dims : dict of sequence of str, optional
        Dimensions of variables, without chain and draw.
    coords : dict of sequence, optional
        Values along dimensions.

    Returns
    -------
    InferenceData or DataTree
        With groups ``posterior`` and ``sample_stats``, and those of the warm-up where it was saved.

    Raises
    ------
    NutsliteError
        If variables do not fill a position, or do not fit their dimensions.
    """
    if not isinstance(draws, Draws):
        raise DataTypeError(f"draws is what nutslite.sampler.sample returned, not a {type(draws).__name__}.")
    attrs = {
        "sampling_time": draws.sampling_time,
        "tuning_steps": draws.settings.tune,
        "inference_method": "nuts",
        "interrupted": draws.interrupted,
    }
    return to_inference_data(draws.groups(variables), dims=dims or {}, coords=coords or {}, attrs=attrs)


def store_natural(
    assembled: Assembled,
    natural: Mapping[str, NDArray[np.float64]],
    stats: Mapping[str, Any] | None,
    *,
    aliases: Mapping[str, str],
    notes: Mapping[str, str],
) -> Container:
    """Natural values of a model, drawn by others, with axes (chain, draw, ...), as `fit` would store its own.

    Raises
    ------
    DataError
        If a statistic does not have an element for each draw.
    """
    shape = next(iter(natural.values())).shape[:2]
    groups: dict[str, dict[str, Any]] = {"posterior": dict(natural), "observed_data": observed_of(assembled)}
    if stats is not None:
        for name, values in stats.items():
            if np.shape(values)[:2] != shape:
                raise DataError(f"sample_stats: '{name}' has shape {np.shape(values)}, but there are draws {shape}.")
        groups["sample_stats"] = {name: np.asarray(values) for name, values in stats.items()}
    layout = assembled.layout
    dims = dict(assembled.inventory.dims)
    attrs = {"inference_method": "another sampler", **notes}
    results = to_inference_data(groups, dims=dims, coords=layout.coords, attrs=attrs, aliases=aliases)
    return label_rows(results, assembled.spec.design)
