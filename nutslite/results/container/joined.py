"""Results of several fits of one model as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray

from nutslite.results.container.inference_data import Container, add_group, build_container, get_group, group_names

JOINED = ("posterior", "sample_stats", "log_likelihood", "posterior_predictive")


def joined_results(results: Sequence[Container]) -> Container:
    """All draws: chains of all fits, one after the other, with the coordinate ``imputation``, the place of their fit.

    What was observed is kept where all fits have seen the same.
    """
    groups = {}
    shared = [name for name in JOINED if all(name in group_names(one) for one in results)]
    for name in shared:
        parts, first = [], 0
        for place, one in enumerate(results):
            part = get_group(one, name)
            chains = part.sizes["chain"]
            part = part.assign_coords(chain=np.arange(first, first + chains))
            parts.append(part.assign_coords(imputation=("chain", np.full(chains, place))))
            first += chains
        groups[name] = xarray.concat(parts, "chain", join="inner", combine_attrs="override")
    container = build_container(groups)
    observed = [get_group(one, "observed_data") for one in results]
    if all(one.equals(observed[0]) for one in observed):
        add_group(container, "observed_data", observed[0])
    return container
