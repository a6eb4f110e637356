"""Predictions from posterior draws: distributional parameters, responses, pointwise log likelihoods.

Independent of the model class: it needs draws by name, a `Design`, a `Family` and the names of its links. Draws are
worked off in chunks, so that beside the result itself memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import DataError, DataTypeError, did_you_mean, error_about, random_generator
from nutslite.families.links.codes import inverse_array
from nutslite.families.record.censoring import compiled_kernels, observed
from nutslite.results.predictions.linear_predictor import LinearPredictors, NamedDraws, join_chains
from nutslite.results.predictions.response_draws import PredictionTask, ResponseDraws

if TYPE_CHECKING:
    from nutslite.families.links.parameter import Parameter
    from nutslite.families.record.family import Family
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]

_KINDS = {
    "response_params": "response_params",
    "response": "response",
    "mean": "response_params",  # spelling of Bambi before 0.14
    "pps": "response",
}
UNCENSORED = "draws of the response itself, as it is before some of it is censored"
_CHUNK_NUMBERS = 2_000_000  # numbers per temporary array: 16 MB


@dataclass(frozen=True)
class Prediction:
    """Predicted quantities, shape (chains, draws, rows) each.

    Attributes
    ----------
    parameters : dict
        Distributional parameters that vary by row, on the natural scale: ``mu``, and ``sigma`` if it has a formula.
        Probabilities of levels have shape (chains, draws, rows, levels).
    response : dict
        Draws of the response by its name, of a censored one as it is before; empty unless asked for.
    note : str
        What has to be said of these draws; empty where nothing has.
    """

    parameters: dict[str, FloatArray]
    response: dict[str, NDArray[Any]]
    note: str = ""


def wants_responses(kind: Any) -> bool:
    """Whether a `kind` of prediction asks for draws of the response.

    Raises
    ------
    DataError
        If there is no such kind.
    """
    if not isinstance(kind, str) or kind not in _KINDS:
        error = error_about(kind, str, DataError, DataTypeError)
        raise error(f"kind is 'response_params' or 'response', not '{kind}'.{did_you_mean(kind, _KINDS)}")
    return _KINDS[kind] == "response"


def predict(
    posterior: Mapping[str, NDArray[Any]],
    design: Design,
    task: PredictionTask,
    *,
    kind: str = "response_params",
    include_group_specific: bool = True,
    sample_new_groups: bool | None = False,
    random_seed: Any = None,
    keep_parameters: bool = False,
    of_prior: bool = False,
) -> Prediction:
    """Predict for the rows of a design.

    Parameters
    ----------
    posterior : mapping of ndarray, shape (chains, draws, ...)
        Draws by name, in the naming of the results.
    design : Design
        The model's own, or ``design.evaluate(new_data)``.
    task : PredictionTask
    kind : {"response_params", "response"}
        Distributional parameters, or draws of the response; the older names ``"mean"`` and ``"pps"`` mean the same.
    include_group_specific : bool
        Whether to add group-specific effects.
    sample_new_groups : bool
        Draw effects of unseen levels from the distribution of all levels, one draw of every new level per posterior
        draw, shared by its rows. The same seed gives the same effects for either `kind`.
    random_seed : int, numpy.random.Generator or anything that `numpy.random.default_rng` takes
    keep_parameters : bool
        With ``kind="response"``: whether to hand the parameters back too.
    of_prior : bool
        Whether these are draws of the prior; warnings speak of them.

    Returns
    -------
    Prediction

    Raises
    ------
    DataError
        For an unknown kind, draws of another model, new levels without `sample_new_groups`, missing trials, or
        parameters that no response can be drawn for.
    """
    responses = wants_responses(kind)
    companions = _companions(design, task.family) if responses else {}
    group_rng, response_rng = random_generator(random_seed).spawn(2)
    draws = join_chains(posterior)
    predictors = linear_predictors(draws, design, task, include_group_specific, bool(sample_new_groups), group_rng)
    kept = predictors.parameters if keep_parameters or not responses else ()
    parameters: dict[str, FloatArray] = {}
    response = ResponseDraws(task, companions, response_rng, draws.samples, design.n_rows, of_prior)
    for start, stop in _chunks(draws.samples, design.n_rows):
        values = _natural_scale(predictors, task, draws, start, stop)
        for name in kept:
            if start == 0:
                parameters[name] = np.empty((draws.samples, *values[name].shape[1:]))
            parameters[name][start:stop] = values[name]
        if responses:
            response.add(values, start, stop)
    response.warn()
    leading = (draws.chains, draws.draws)
    return Prediction(
        {name: values.reshape(*leading, *values.shape[1:]) for name, values in parameters.items()},
        {design.response.name: response.values.reshape(*leading, design.n_rows)} if responses else {},
        UNCENSORED if design.is_censored else "",
    )


def predicted_means(posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask) -> FloatArray:
    """Mean of every row's response at every draw, shape (chains, draws, rows), in the response's own unit (counts).

    Raises
    ------
    DataError
        As for `predict`.
    """
    companions = _companions(design, task.family)
    rng = np.random.default_rng()  # draws effects of new groups, which are refused here
    draws = join_chains(posterior)
    predictors = linear_predictors(draws, design, task, True, False, rng)
    means = np.empty((draws.samples, design.n_rows))
    for start, stop in _chunks(draws.samples, design.n_rows):
        means[start:stop] = task.family.mean(_natural_scale(predictors, task, draws, start, stop), companions)
    return means.reshape(draws.chains, draws.draws, design.n_rows)


def conditional_parameters(
    posterior: Mapping[str, NDArray[Any]],
    design: Design,
    task: PredictionTask,
    *,
    sample_new_groups: bool = False,
    random_seed: Any = None,
) -> dict[str, FloatArray]:
    """All parameters of the distribution of every row at every draw, chains joined end to end, on their natural scale.

    Effects of new groups are those that `pointwise_log_likelihood` draws with the same seed.

    Returns
    -------
    dict of ndarray, shape (samples, rows), of probabilities of levels (samples, rows, levels)

    Raises
    ------
    DataError
        As for `predict`.
    """
    rng = random_generator(random_seed).spawn(2)[0]
    draws = join_chains(posterior)
    predictors = linear_predictors(draws, design, task, True, sample_new_groups, rng)
    found: dict[str, FloatArray] = {}
    for start, stop in _chunks(draws.samples, design.n_rows):
        for name, values in _natural_scale(predictors, task, draws, start, stop).items():
            if start == 0:
                found[name] = np.empty((draws.samples, design.n_rows, *values.shape[2:]))
            found[name][start:stop] = values
    return found


def pointwise_log_likelihood(
    posterior: Mapping[str, NDArray[Any]],
    design: Design,
    task: PredictionTask,
    *,
    include_group_specific: bool = True,
    sample_new_groups: bool | None = False,
    random_seed: Any = None,
) -> FloatArray:
    """Log likelihood of every observation at every draw, by the kernel that sampling uses.

    Weights of ``weighted(y, w)`` count as in the posterior. For new rows the design must hold the response:
    ``design.evaluate(new_data, response=True)``. Arguments as for `predict`.

    Returns
    -------
    ndarray, shape (chains, draws, rows)

    Raises
    ------
    DataError
        As for `predict`, or if the design has no response.
    """
    if np.isnan(design.response.values[0]).any():
        raise DataError(f"The log likelihood needs the response '{design.response.name}', which these data lack.")
    family = task.family
    rng = random_generator(random_seed).spawn(2)[0]
    draws = join_chains(posterior)
    predictors = linear_predictors(draws, design, task, include_group_specific, bool(sample_new_groups), rng)
    links = family.link_codes(task.links)
    parts = parts_of(design, family, links)
    varies = np.array([int(item.name in predictors.parameters) for item in family.eta_parameters], dtype=np.int64)
    constants = {
        item.name: link_scale(task, item.name, draws_of_constant(draws, task, item))
        for item in family.parameters
        if item.name not in predictors.parameters
    }
    out = np.empty((draws.samples, design.n_rows))
    eta = np.zeros((len(family.eta_parameters), design.n_rows))
    for start, stop in _chunks(draws.samples, design.n_rows):
        chunk = {name: predictors.eta(name, start, stop) for name in predictors.parameters}
        for sample in range(start, stop):
            j = 0
            for item in family.parameters:
                rows = slice(j, j + item.size)
                if item.name in chunk:
                    eta[rows] = chunk[item.name][sample - start].T
                else:
                    eta[rows, 0] = constants[item.name][sample]
                j += item.size
            for part in parts:
                part.fill(eta, varies, links, out[sample])
    return out.reshape(draws.chains, draws.draws, design.n_rows)


@dataclass(frozen=True)
class _Part:
    """The rows of a design that are under one kernel."""

    rows: NDArray[np.int64] | None  # None: all
    kernel: Callable[..., None]
    y: FloatArray
    weights: FloatArray

    def fill(
        self,
        eta: FloatArray,
        varies: NDArray[np.int64],
        links: NDArray[np.int64],
        out: FloatArray,
        slopes: FloatArray | None = None,
    ) -> None:
        """Overwrite these rows of `out` (n,), given all predictors `eta` (k, n); constants stand in the first row.

        Derivatives overwrite those of `slopes` (k, n) where all predictors vary.
        """
        if self.rows is None:
            given = np.empty_like(eta) if slopes is None else slopes
            self.kernel(self.y, self.weights, 0, eta, varies, links, out, given)
            return
        own = np.ascontiguousarray(eta[:, self.rows])
        own[varies == 0, 0] = eta[varies == 0, 0]
        found, moved = np.empty(self.rows.size), np.empty_like(own)
        self.kernel(self.y, self.weights, 0, own, varies, links, found, moved)
        out[self.rows] = found
        if slopes is not None:
            slopes[:, self.rows] = moved


def parts_of(design: Design, family: Family, links: NDArray[np.int64]) -> list[_Part]:
    """The rows of a design by the kernels that they are under."""
    y, censoring = observed(family, design.response), design.response.censoring
    weights = np.empty(0) if design.weights is None else np.ascontiguousarray(design.weights, dtype=float)
    if censoring is None:
        return [_Part(None, compiled_kernels(family, links)[0], y, weights)]
    places = np.unique(censoring.status)
    kernels = compiled_kernels(family, links, places)
    parts = []
    for place in places:
        rows = np.flatnonzero(censoring.status == place)
        own = weights[rows] if weights.size else weights
        parts.append(_Part(rows, kernels[place], np.ascontiguousarray(y[:, rows]), own))
    return parts


def linear_predictors(
    draws: NamedDraws,
    design: Design,
    task: PredictionTask,
    include_group_specific: bool,
    sample_new_groups: bool,
    rng: np.random.Generator,
) -> LinearPredictors:
    """Linear predictors of the rows of a design, a number a draw."""
    return LinearPredictors(
        draws,
        design,
        parent=task.family.parent.name,
        rng=rng,
        include_group_specific=include_group_specific,
        sample_new_groups=sample_new_groups,
        group_sampler=task.group_sampler,
        sizes={item.name: item.size for item in task.family.parameters if item.dim},
    )


def _natural_scale(
    predictors: LinearPredictors, task: PredictionTask, draws: NamedDraws, start: int, stop: int
) -> dict[str, FloatArray]:
    """All parameters for a chunk of draws: (chunk, rows) with a linear predictor, (chunk, 1) without.

    A family that combines its linear predictors makes vectors of them, (chunk, rows, size).
    """
    values: dict[str, FloatArray] = {}
    for item in task.family.parameters:
        if item.name not in predictors.parameters:
            values[item.name] = draws_of_constant(draws, task, item)[start:stop, None]
        elif item.name in task.family.combined:
            values[item.name] = predictors.eta(item.name, start, stop)
        else:
            values[item.name] = inverse_array(task.link(item.name), predictors.eta(item.name, start, stop))
    return values if task.family.combine is None else task.family.combine(task.links, values)


def draws_of_constant(draws: NamedDraws, task: PredictionTask, item: Parameter) -> FloatArray:
    """Draws of a parameter without a formula, shape (samples,), of a vector (samples, size), on the natural scale."""
    width = (item.size,) if item.dim else ()
    if item.name in task.constants:
        return np.broadcast_to(np.asarray(task.constants[item.name], dtype=float), (draws.samples, *width))
    return draws.get(item.name, width=width)


def link_scale(task: PredictionTask, name: str, values: FloatArray) -> FloatArray:
    """Values of a parameter without a formula on the scale that kernels take them on."""
    from nutslite.families.links.codes import link_array

    return link_array(task.family.parameter(name).kernel_link(task.link(name)), values)


def _companions(design: Design, family: Family) -> dict[str, FloatArray]:
    """What the family needs besides parameters to draw responses, such as trials."""
    rows = {name: design.response.values[row] for row, name in enumerate(design.response.companions, start=1)}
    for name in family.companions:
        if name not in rows or np.isnan(rows[name]).any():
            raise DataError(
                f"Drawing responses '{design.response.name}' needs the {name} of every row: give the new data a column "
                f"with them, or predict kind='response_params'."
            )
    return rows


def _chunks(samples: int, rows: int) -> Iterator[tuple[int, int]]:
    step = max(1, _CHUNK_NUMBERS // max(rows, 1))
    for start in range(0, samples, step):
        yield start, min(start + step, samples)
