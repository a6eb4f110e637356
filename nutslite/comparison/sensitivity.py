"""How far a posterior follows its priors, and how far its data: both made a little stronger and weaker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._columns import folded
from nutslite._pareto import smoothed
from nutslite.exceptions import ArgumentError, DataError, did_you_mean, shown
from nutslite.model.fits.after_fit import add_log_likelihood, add_log_prior, check_results
from nutslite.model.record.specification import Specification, specification_of
from nutslite.results.container.inference_data import get_group, group_names

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

STEP = 0.01  # the powers are 1 / (1 + STEP) and 1 + STEP
THRESHOLD = 0.05
CONFLICT = "prior and data disagree"
STRONG = "the prior is strong, or the data are weak"
MOST_NAMED = 6
FEWEST_DRAWS = 100  # whose weights say anything of tails


@public
@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """What a change of priors and of the likelihood does to parameters.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a parameter: ``prior`` and ``likelihood``, the distance by which the posterior moves when the power of
        either changes, for each doubling of it; ``diagnosis``, which is empty where there is nothing to say.
    khat : pandas.Series
        The worst shape of importance weights, by component: above 0.7 they are not to be relied on.
    threshold : float
    """

    table: pd.DataFrame
    khat: pd.Series[float]
    threshold: float

    def verdict(self) -> str:
        """What the table says, in plain sentences."""
        said = [
            f"{self._names(text)}: {meaning}"
            for text, meaning in (
                (CONFLICT, "the posterior follows both the prior and the data, which pull it to different places."),
                (STRONG, "the posterior follows the prior and hardly the data. Was the prior meant to be informative?"),
            )
            if (self.table["diagnosis"] == text).any()
        ]
        if not said:
            said = [f"No parameter follows its prior by more than {self.threshold:g}: the data decide."]
        if (self.khat > 0.7).any():
            said.append("Importance weights are not to be relied on (k-hat above 0.7): fit with other priors instead.")
        return "\n".join(said)

    def _names(self, diagnosis: str) -> str:
        names = [str(name) for name in self.table.index[self.table["diagnosis"] == diagnosis]]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return ", ".join(names[:MOST_NAMED]) + more

    def __str__(self) -> str:
        return f"{self.table.to_string(float_format=lambda x: f'{x:.3f}')}\n\n{folded(self.verdict(), hanging=0)}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        return f"{self.table.to_html(float_format=lambda x: f'{x:.3f}')}<p>{escape(self.verdict())}</p>"


@public
def power_scaling(
    model: Any, idata: Any, var_names: Any = None, *, priors: Any = None, threshold: float = THRESHOLD
) -> Sensitivity:
    """How much a posterior depends on its priors and on its data.

    Priors, and then the likelihood, are raised to a power near one; draws are weighted by importance for it, and the
    distance between weighted and plain draws is the sensitivity (Kallioinen, Paananen, Buerkner and Vehtari 2024,
    Statistics and Computing 34:57). A parameter that follows its prior and not the data has a strong prior; one that
    follows both has a prior that the data contradict.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned.
    var_names : str or list of str, optional
        Variables to look at; by default those that have priors of their own.
    priors : str or list of str, optional
        The variables whose priors are scaled; by default all. Effects of groups belong to the model and not to its
        priors: theirs stay.
    threshold : float
        A sensitivity above it is named, 0.05 by default.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ArgumentError
        For names that there are not.
    DataError
        For results of another model, and fewer than 100 draws.

    Examples
    --------
    >>> print(nl.comparison.power_scaling(model, results).verdict())  # doctest: +SKIP
    """
    import pandas as pd

    specification = specification_of(model)
    check_results(specification, idata)
    if not isinstance(threshold, (int, float)) or not threshold > 0.0:
        raise ArgumentError(f"threshold is a positive number, not {shown(threshold)}.")
    idata = add_log_prior(specification, idata, inplace=False)
    if "log_likelihood" not in group_names(idata):
        idata = add_log_likelihood(specification, idata, inplace=False)
    log_priors = _summed(get_group(idata, "log_prior"))
    scaled = _chosen("priors", priors, log_priors, list(log_priors))
    count = next(iter(log_priors.values())).size
    if count < FEWEST_DRAWS:
        raise DataError(f"power_scaling weighs draws, and these results have {count}: fit with draws=1000.")
    components = {
        "prior": np.sum([log_priors[name] for name in scaled], axis=0),
        "likelihood": np.sum(list(_summed(get_group(idata, "log_likelihood")).values()), axis=0),
    }
    draws = _elements(specification, get_group(idata, "posterior"), var_names, list(log_priors))
    found, worst = {}, {}
    for component, logs in components.items():
        weights, khats = zip(*[_weights(logs, power) for power in (1.0 / (1.0 + STEP), 1.0 + STEP)], strict=True)
        worst[component] = max(khats)
        found[component] = [
            sum(distance(values, some) for some in weights) / (2.0 * math.log2(1.0 + STEP)) for values in draws.values()
        ]
    table = pd.DataFrame(found, index=pd.Index(list(draws), name="parameter"))
    follows = table > threshold
    table["diagnosis"] = np.where(
        follows["prior"] & follows["likelihood"], CONFLICT, np.where(follows["prior"], STRONG, "")
    )
    return Sensitivity(table, pd.Series(worst, name="khat"), float(threshold))


def distance(draws: FloatArray, weights: FloatArray) -> float:
    """How far weighted draws are from the same without weights: 0 where they are alike, 1 at most.

    The root of the cumulative Jensen-Shannon divergence over its largest value (Nguyen and Vreeken 2015, ECML PKDD,
    section 3), of the draws or of their negatives, whichever is larger.

    Parameters
    ----------
    draws, weights : ndarray, shape (n,)
        Weights add up to one.
    """
    order = np.argsort(draws)
    x, w = draws[order], weights[order]
    return max(_one_sided(x, w), _one_sided(-x[::-1], w[::-1]))


def _one_sided(x: FloatArray, weights: FloatArray) -> float:
    widths = np.diff(x)
    plain = np.arange(1, x.size) / x.size
    weighted = np.cumsum(weights)[:-1]
    middle = 0.5 * (plain + weighted)
    total = 0.0
    for own in (plain, weighted):
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(own > 0.0, own * np.log2(own / middle), 0.0)
        total += 0.5 * float(widths @ (terms + (middle - own) / math.log(2.0)))
    bound = float(widths @ middle)
    return math.sqrt(max(total, 0.0) / bound) if bound > 0.0 else 0.0


def _weights(logs: FloatArray, power: float) -> tuple[FloatArray, float]:
    """Smoothed importance weights (n,) for a component raised to a power, and their k-hat."""
    log_weights, khat = smoothed((power - 1.0) * logs.ravel())
    return np.exp(log_weights), khat


def _summed(dataset: Any) -> dict[str, FloatArray]:
    """Log densities (chains * draws,) by variable, summed over all else."""
    return {
        str(name): np.asarray(array.transpose("chain", "draw", ...), dtype=float)
        .reshape(array.sizes["chain"] * array.sizes["draw"], -1)
        .sum(axis=1)
        for name, array in dataset.data_vars.items()
    }


def _chosen(argument: str, given: Any, known: Mapping[str, Any], otherwise: list[str]) -> list[str]:
    if given is None:
        return otherwise
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in known:
            raise ArgumentError(
                f"{argument}: there is no '{name}'.{did_you_mean(name, known)} There are: {', '.join(known)}."
            )
    return names


def _elements(
    specification: Specification, posterior: Any, var_names: Any, default: list[str]
) -> dict[str, FloatArray]:
    """Draws (chains * draws,) of every element of the variables that are looked at, by their names."""
    known = {str(name): array for name, array in posterior.data_vars.items()}
    found = {}
    for name in _chosen("var_names", var_names, known, [name for name in default if name in known]):
        array = known[name].transpose("chain", "draw", ...)
        values = np.asarray(array, dtype=float).reshape(array.sizes["chain"] * array.sizes["draw"], -1)
        dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
        labels = [
            ", ".join(str(array[dim].values[place]) for dim, place in zip(dims, places, strict=True))
            for places in np.ndindex(*(array.sizes[dim] for dim in dims))
        ]
        for label, column in zip(labels, values.T, strict=True):
            found[f"{name}[{label}]" if dims else name] = np.ascontiguousarray(column)
    return found
