"""The table that ends a fit: means, intervals, Monte Carlo errors, effective sizes, R-hat. No ArviZ, no xarray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import DataError, DataTypeError, error_about
from nutslite.results.container.inference_data import attributes, get_group, named_arrays, named_draws
from nutslite.results.container.unopened import held_groups
from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.fitness import Fitness
from nutslite.results.diagnostics.labels import as_columns, choose_names, columns_of, element_labels

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["all", "stats", "diagnostics"]
_DECIMALS = {"ess_bulk": 0, "ess_tail": 0, "r_hat": 2, "khat": 2}
_OF_CHAINS = ("ess_bulk", "ess_tail", "r_hat")


@public
def summary(
    results: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    filter_vars: str | None = None,
    group: str = "posterior",
    hdi_prob: float = 0.94,
    kind: Kind = "all",
    round_to: int | Literal["none"] | None = None,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, Sequence[Any]] | None = None,
) -> pd.DataFrame:
    """Table of all parameters, one row each, in the layout that ArviZ 0.x prints; narrow terminals show all of it, too.

    `ess_tail` is the smaller effective sample size of the 5 % and 95 % quantiles (Vehtari et al. 2021, section 4.3),
    whatever `hdi_prob`, as in ArviZ 0.x. The table of ArviZ 1.3 takes the ends of its own interval instead.

    Parameters
    ----------
    results : InferenceData, DataTree, Dataset, or dict of ndarray
        A fit, one group of it, or draws by name of shape (chains, draws, ...).
    var_names : str or list of str, optional
        Variables to show; a name that begins with ``~`` is left out instead.
    filter_vars : {None, "like", "regex"}
        Whether `var_names` has whole names, parts of names, or regular expressions.
    group : str
        Which group of a container to summarise.
    hdi_prob : float
        Probability of the highest-density interval.
    kind : {"all", "stats", "diagnostics"}
        Columns: mean, sd, interval; the diagnostics; or both.
    round_to : int, "none" or None
        Decimals of all columns; by default 3, for effective sizes 0, for R-hat 2.
    dims, coords : mappings, optional
        Only for a dict of arrays: as for `nutslite.results.container.inference_data.to_dataset`.

    Returns
    -------
    pandas.DataFrame
        Columns ``mean sd hdi_3% hdi_97% mcse_mean mcse_sd ess_bulk ess_tail r_hat``. Draws of an approximation have no
        chains: ``khat``, one number for all, takes the place of the last three, and a sentence below the table says
        what it means.

    Raises
    ------
    DataError
        For an unknown variable, group or kind, or results of an unknown type.
    """
    from nutslite.results.diagnostics.table import NOTE, SummaryTable

    if kind not in ("all", "stats", "diagnostics"):
        error = error_about(kind, str, DataError, DataTypeError)
        raise error(f"kind is 'all', 'stats' or 'diagnostics', not '{kind}'.")
    if not isinstance(hdi_prob, float | int) or not 0.0 < hdi_prob < 1.0:
        error = error_about(hdi_prob, Real, DataError, DataTypeError)
        raise error(f"hdi_prob is a probability between 0 and 1, not {hdi_prob!r}.")
    whole = isinstance(round_to, int) and not isinstance(round_to, bool) and round_to >= 0
    if round_to not in (None, "none") and not whole:
        error = error_about(round_to, (Real, str), DataError, DataTypeError)
        raise error(f"round_to is a whole number of decimals, 'none' or None, not {round_to!r}.")
    arrays, dims, coords = _named_draws(results, group, dims, coords)
    names = choose_names(list(arrays), var_names, filter_vars)
    labels: list[str] = []
    parts = []
    for name in names:
        labels += element_labels(name, arrays[name].shape[2:], dims, coords)
        parts.append(as_columns(arrays[name]))
    if not parts:
        raise DataError(f"The group '{group}' has no variables to summarise.")
    if len({part.shape[:2] for part in parts}) > 1:
        sizes = ", ".join(f"{name} {part.shape[0]} x {part.shape[1]}" for name, part in zip(names, parts, strict=True))
        raise DataError(f"The variables have different numbers of chains and draws: {sizes}.")
    draws = columns_of(parts)
    if not draws.size:
        raise DataError("There are no draws to summarise.")
    table: dict[str, NDArray[np.float64]] = {}
    if kind != "diagnostics":
        table |= statistics(draws, hdi_prob)
    if kind != "stats":
        table |= diagnostics.convergence(draws)
    fitness = _fitness_of(results, group)
    if fitness is not None and kind != "stats":
        table = {name: column for name, column in table.items() if name not in _OF_CHAINS}
        table["khat"] = np.full(len(labels), fitness.khat)
    found = _rounded(SummaryTable(table, index=labels), round_to)
    if fitness is not None:
        found.attrs[NOTE] = fitness.verdict
    return found


def _fitness_of(results: Any, group: str) -> Fitness | None:
    """What results say of the approximation that they are draws of; None where they are of the posterior itself."""
    if held_groups(results) is not None:
        return Fitness.of(attributes(results, group))
    if isinstance(results, dict):
        return None
    dataset = results
    if hasattr(results, "children") or hasattr(results, "groups"):
        is_group = hasattr(results, "children") and not results.children
        dataset = results if is_group else get_group(results, group)
    return Fitness.of(dataset.attrs)


def _named_draws(
    results: Any,
    group: str,
    dims: Mapping[str, Sequence[str]] | None,
    coords: Mapping[str, Sequence[Any]] | None,
) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Sequence[str]], Mapping[str, Sequence[Any]]]:
    if held_groups(results) is None and isinstance(results, dict):
        return {name: np.asarray(values) for name, values in results.items()}, dims or {}, coords or {}
    if dims is not None or coords is not None:
        raise DataError("dims and coords go with a dict of arrays only; these results bring their own.")
    if held_groups(results) is not None:
        return named_draws(results, group)
    if hasattr(results, "children") or hasattr(results, "groups"):
        # the node of one group (``fit.posterior`` with ArviZ 1.x) has no groups below it
        is_group = hasattr(results, "children") and not results.children and len(results.data_vars)
        results = results.to_dataset() if is_group else get_group(results, group)
    if not hasattr(results, "data_vars"):
        raise DataTypeError(f"Cannot summarise a {type(results).__name__}: give a fit or a dict of arrays.")
    return named_arrays(results)


def statistics(draws: NDArray[np.float64], prob: float) -> dict[str, NDArray[np.float64]]:
    """Mean, standard deviation and both ends of the interval, by a table's column, of draws (chains, draws, n)."""
    interval = diagnostics.hdi(draws, prob)
    low, high = (f"hdi_{100 * share:.4g}%" for share in ((1 - prob) / 2, (1 + prob) / 2))
    by_element = np.moveaxis(draws, 2, 0).reshape(draws.shape[2], -1)
    few = by_element.shape[1] < 2
    return {
        "mean": by_element.mean(axis=1),
        "sd": np.full(len(by_element), np.nan) if few else by_element.std(axis=1, ddof=1),
        low: interval[:, 0],
        high: interval[:, 1],
    }


def _rounded(table: pd.DataFrame, round_to: int | Literal["none"] | None) -> pd.DataFrame:
    if round_to is None:
        return table.round({column: _DECIMALS.get(str(column), 3) for column in table.columns})
    if round_to == "none":
        return table
    return table.round(round_to)
