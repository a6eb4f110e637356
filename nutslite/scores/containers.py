"""Reading predictions from ArviZ's containers, whichever program filled them: PyMC, Bambi, CmdStanPy, this package.

An ``InferenceData`` and a ``DataTree`` are read by what they have in common: groups by name, in them variables with
dimensions. The group of draws of the response and ``observed_data`` are needed; with ``log_likelihood`` log scores are
known, and rows are judged as if left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, DataError, did_you_mean
from nutslite.scores.importance import LeftOut, leave_one_out
from nutslite.scores.kinds.known_density import DrawsWithDensity
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.numerics.checks import observations
from nutslite.scores.pointwise.log_score import log_mean_exp

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

SAMPLE_DIMS = ("chain", "draw")
GROUPS = ("observed_data", "posterior_predictive", "log_likelihood")
KINDS = ("loo", "insample", "held out")
SEEN = "Rows are judged by a posterior that has seen them"
HELD_OUT = "Rows are judged by a posterior that has not seen them, as its giver says."


@dataclass(frozen=True)
class Stored:
    """What a container says of one response.

    Attributes
    ----------
    y : pandas.Series
        Observations, with their labels where there is one dimension.
    prediction : Prediction
    left_out : LeftOut or None
        Where rows are judged as if left out.
    note : str
        On what the scores rest.
    """

    y: pd.Series[Any]
    prediction: Prediction
    left_out: LeftOut | None
    note: str


def is_container(given: Any) -> bool:
    """Whether something has groups, as ArviZ's containers have."""
    return hasattr(given, "groups") and (hasattr(given, "children") or hasattr(given, "_groups_all"))


def read_container(idata: Any, var_name: str | None = None, kind: str | None = None) -> Stored:
    """Observations and prediction of a response.

    Parameters
    ----------
    idata : InferenceData or DataTree
    var_name : str, optional
        Which response, where there are several.
    kind : {"loo", "insample", "held out"}, optional
        Whether rows are judged as if left out; by default where log likelihoods are known. Rows that were held out are
        judged as they are.

    Raises
    ------
    DataError
        Naming the group or variable that is missing, and how to make it.
    """
    groups = {name: _group(idata, name) for name in GROUPS}
    observed, predicted, likelihood = groups.values()
    if observed is None or predicted is None:
        missing = "observed_data" if observed is None else "posterior_predictive"
        raise DataError(
            f"These results have no group '{missing}'. Scores compare draws of the response with what was observed: "
            "add them by pm.sample_posterior_predictive(idata, extend_inferencedata=True), or by "
            "model.predict(idata, kind='response')."
        )
    name = _response(var_name, observed, predicted)
    y, rows = _rows(observed[name], 0)
    x, _ = _rows(predicted[name], 2)
    if x.shape[1:] != y.shape:
        raise DataError(f"'{name}' has {y.size} observations, and draws of {x.shape[1]}: predictions of other rows.")
    logs, chains, ratios = None, 1, None
    if likelihood is not None and name in likelihood:
        logs, chains = _rows(likelihood[name], 2)[0], likelihood.sizes["chain"]
        stats = stored_ratios(idata)
        ratios = None if stats is None else _rows(stats["log_ratio"].expand_dims("row", -1), 2)[0].reshape(chains, -1)
    if logs is not None and logs.shape[1:] != y.shape:
        raise DataError(
            f"'{name}' has {y.size} observations, and log likelihoods of {logs.shape[1]}: they are one for each row."
        )
    if kind == "loo" and logs is None:
        raise DataError(
            f"Leaving rows out needs the log likelihood of each of '{name}': add it by "
            "pm.compute_log_likelihood(idata) or model.compute_log_likelihood(idata)."
        )
    return _stored(y, rows, x, logs, chains, ratios, kind)


def stored_ratios(idata: Any) -> Any:
    """Of draws of an approximation that are left as they were drawn, what makes of them draws of the posterior.

    Returns
    -------
    Dataset or None
        ``log_ratio``, log density of the posterior less that of the approximation at each draw, and ``log_weight``
        where weights were asked for; None of other results, and where these numbers are not stored.
    """
    posterior, stats = _group(idata, "posterior"), _group(idata, "sample_stats")
    if posterior is None or stats is None or posterior.attrs.get("importance") not in ("none", "weights"):
        return None
    sizes = [posterior.sizes.get(dim) for dim in SAMPLE_DIMS], [stats.sizes.get(dim) for dim in SAMPLE_DIMS]
    if "lp" not in stats or "log_q" not in stats or sizes[0] != sizes[1]:
        return None
    kept = ["log_weight"] if "log_weight" in stats else []
    return stats[kept].assign(log_ratio=stats["lp"] - stats["log_q"])


def _stored(
    y: FloatArray,
    rows: Any,
    x: FloatArray,
    logs: FloatArray | None,
    chains: int,
    ratios: FloatArray | None,
    kind: str | None,
) -> Stored:
    import pandas as pd

    y = observations(y)
    series: pd.Series[Any] = pd.Series(y, index=rows)
    if logs is None:
        note = HELD_OUT if kind == "held out" else f"{SEEN}: log likelihoods, to leave them out, are not stored."
        return Stored(series, Prediction.from_draws(x), None, note)
    if logs.shape[0] != x.shape[0]:
        raise DataError(
            f"There are {x.shape[0]} draws of the response and {logs.shape[0]} of the log likelihood: they are to be "
            "of the same draws of the posterior."
        )
    left_out = leave_one_out(logs.reshape(chains, -1, y.size), ratios) if kind in (None, "loo") else None
    weights = None if left_out is None else left_out.weights
    if left_out is not None:
        note = "Each row is judged as if it had been left out (PSIS-LOO)."
    else:
        note = HELD_OUT if kind == "held out" else f"{SEEN}."
    if np.isin(y, (0.0, 1.0)).all() and np.isin(x, (0.0, 1.0)).all():
        likely = np.clip(np.exp(log_mean_exp(logs, weights)), 0.0, 1.0)  # of an event its density is its probability
        return Stored(series, Prediction.from_probabilities(np.where(y == 1.0, likely, 1.0 - likely)), left_out, note)
    return Stored(series, Prediction(DrawsWithDensity(x, logs, y, weights)), left_out, note)


def _group(idata: Any, name: str) -> Any:
    """A group as a Dataset, None where there is none."""
    if hasattr(idata, "children"):
        return idata[name].to_dataset() if name in idata.children else None
    return idata[name] if name in [group.removeprefix("/") for group in idata.groups()] else None


def _response(var_name: str | None, observed: Any, predicted: Any) -> str:
    known = [str(name) for name in observed.data_vars if name in predicted.data_vars]
    if var_name is not None:
        if var_name not in known:
            hint = did_you_mean(str(var_name), known)
            raise ArgumentError(
                f"var_name='{var_name}' is no response with observations and draws.{hint} "
                f"There are: {', '.join(known) or 'none'}."
            )
        return var_name
    if len(known) != 1:
        both = f"{', '.join(map(str, observed.data_vars))} and {', '.join(map(str, predicted.data_vars))}"
        raise DataError(
            f"Observations and draws have no variable in common: {both}."
            if not known
            else f"These results have several responses: {', '.join(known)}. Say which by var_name=."
        )
    return known[0]


def _rows(variable: Any, lead: int) -> tuple[FloatArray, Any]:
    """An array of shape (rows,) or, with chain and draw, (draws, rows), and the labels of its rows."""
    absent = [dim for dim in SAMPLE_DIMS[:lead] if dim not in variable.dims]
    if absent:
        raise DataError(f"'{variable.name}' has no dimension {' or '.join(map(repr, absent))}: give all draws.")
    others = [dim for dim in variable.dims if dim not in SAMPLE_DIMS[:lead]]
    array = np.asarray(variable.transpose(*SAMPLE_DIMS[:lead], *others).to_numpy(), dtype=np.float64)
    labels = variable.indexes.get(others[0]) if len(others) == 1 else None
    return array.reshape(-1, int(np.prod(array.shape[lead:], dtype=int))) if lead else array.reshape(-1), labels
