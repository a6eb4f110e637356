"""What follows the sampling, tried before it: names, shapes, texts and sizes of results that do not exist yet.

It takes microseconds, because no draws and no container are needed to see whether they would go together.
"""

from __future__ import annotations

from collections.abc import Mapping

from nutslite.exceptions import DataError
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import why_not_storable
from nutslite.results.aliases import check_aliases
from nutslite.sampler.memory import memory_for

ROW_BY_ROW = {
    "include_response_params": "predict(results, to='name.zarr')",
    "log_likelihood": "compute_log_likelihood(results, to='name.zarr')",
}
"""Arguments of `fit` that ask for values of every row and draw, and what writes them to disk."""


def rehearse(
    assembled: Assembled,
    *,
    aliases: Mapping[str, str],
    notes: Mapping[str, str],
    groups: Mapping[str, bool],
    chains: int,
    draws: int,
) -> None:
    """Refuse a fit whose results could not be named, stored, or held in memory.

    Parameters
    ----------
    aliases : mapping
        By variable, the name under which to store it.
    notes : mapping of str to str
        What the results say of their model.
    groups : mapping of str to bool
        What `fit` is to add to the draws, by its arguments.

    Raises
    ------
    DataError
        If two things would have one name, or a text is none that a file can hold.
    SamplingError
        If what is asked for does not fit into memory.
    """
    check_aliases(aliases, assembled.inventory)
    _check_shapes(assembled)
    for name, text in notes.items():
        if reason := why_not_storable(text):
            raise DataError(f"The {name} of the model, {text!r}, has {reason}: no file of results can hold it.")
    design = assembled.spec.design
    asked = [name for name in ROW_BY_ROW if groups.get(name)]
    columns = len(design.predictors) * ("include_response_params" in asked) + ("log_likelihood" in asked)
    what = f"Values of every row ({' and '.join(asked)})"
    later = " and ".join(f"model.{ROW_BY_ROW[name]}" for name in asked)
    remedy = f"Ask for fewer draws or chains; or leave them out, and write them to disk later: {later}."
    with memory_for(chains, draws, columns * design.n_rows, what, remedy):
        pass


def _check_shapes(assembled: Assembled) -> None:
    """Whether every variable has the shape of its dimensions."""
    coords = assembled.inventory.coords
    for variable in assembled.layout.variables:
        shape = tuple(len(coords[dim]) for dim in assembled.inventory.dims[variable.name])
        if variable.shape != shape:
            raise DataError(
                f"'{variable.name}' would have {variable.shape} values in the results and {shape} labels: "
                "this is a fault of nutslite. Please report the formula."
            )
