"""Predictions from posterior draws: distributional parameters, responses, pointwise log likelihoods.

Independent of the model class: it needs draws by name, a `Design`, a `Family` and the names of its links. Draws are
worked off in chunks, so that beside the result itself memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError, DataError, DataTypeError, did_you_mean, error_about, random_generator
from nutslite.results.predictions.held import Held, HeldArray, Hold
from nutslite.results.predictions.kernel_parts import parts_of
from nutslite.results.predictions.linear_predictor import NamedDraws, join_chains
from nutslite.results.predictions.parameter_draws import ParameterDraws, companions_of
from nutslite.results.predictions.response_draws import PredictionTask, ResponseDraws
from nutslite.results.predictions.room import room_for
from nutslite.results.predictions.target import Target, target_of

if TYPE_CHECKING:
    from nutslite.formula.design import Design

FloatArray = NDArray[np.float64]

_KINDS = {
    "response_params": "response_params",
    "response": "response",
    "pps": "response",  # spelling of Bambi before 0.14
    **dict.fromkeys(("mean", "linpred", "quantile", "probability"), "target"),
}
_WITH_COMPANIONS = ("mean", "quantile")
UNCENSORED = "draws of the response itself, as it is before some of it is censored"


@dataclass(frozen=True)
class Prediction:
    """Predicted quantities, shape (chains, draws, rows) each.

    Attributes
    ----------
    parameters : dict
        Distributional parameters that vary by row, on the natural scale: ``mu``, and ``sigma`` if it has a formula.
        Probabilities of levels have shape (chains, draws, rows, levels).
    response : dict
        Draws of the response by its name, of a censored one as it is before; empty unless asked for. Of several columns
        the shape is (chains, draws, rows, columns).
    note : str
        What has to be said of these draws; empty where nothing has.
    vectors : dict of str to (str, tuple of str)
        By name of what has one element a category of the response, besides what the family combines: dimension, labels.
    """

    parameters: dict[str, FloatArray]
    response: dict[str, NDArray[Any]]
    note: str = ""
    vectors: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)


def wants_responses(kind: Any) -> bool:
    """Whether a `kind` of prediction asks for draws of the response.

    Raises
    ------
    DataError
        If there is no such kind.
    """
    if not isinstance(kind, str) or kind not in _KINDS:
        error = error_about(kind, str, DataError, DataTypeError)
        known = ", ".join(f"'{name}'" for name in _KINDS if name != "pps")
        raise error(f"kind is one of {known}; not '{kind}'.{did_you_mean(kind, _KINDS)}")
    return _KINDS[kind] == "response"


def predict(
    posterior: Mapping[str, NDArray[Any]],
    design: Design,
    task: PredictionTask,
    *,
    kind: str = "response_params",
    quantile: float | None = None,
    include_group_specific: bool = True,
    sample_new_groups: bool | None = False,
    random_seed: Any = None,
    keep_parameters: bool = False,
    of_prior: bool = False,
    hold: Hold | None = None,
    remedy: str = "",
) -> Prediction:
    """Predict for the rows of a design.

    Parameters
    ----------
    posterior : mapping of ndarray, shape (chains, draws, ...)
        Draws by name, in the naming of the results.
    design : Design
        The model's own, or ``design.evaluate(new_data)``.
    task : PredictionTask
    kind : {"response_params", "response", "mean", "linpred", "quantile", "probability"}
        Distributional parameters, or draws of the response (older name ``"pps"``), or a number of its distribution
        beside the parameters, called ``y_mean`` and the like where the response is y.
    quantile : float, optional
        For ``kind="quantile"``, its level.
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
    hold : callable
        Where numbers are put, by default into memory: `nutslite.results.predictions.held`. What it makes is handed back
        as it is.
    remedy : str
        What helps where memory has no room for them, in a sentence.

    Returns
    -------
    Prediction

    Raises
    ------
    DataError
        For an unknown kind, draws of another model, new levels without `sample_new_groups`, missing trials, or
        parameters that no response can be drawn for; for more numbers than memory has room for.
    """
    responses = wants_responses(kind)
    target = _target(kind, quantile, task, design.response.name)
    companions = companions_of(design, task.family) if responses or kind in _WITH_COMPANIONS else {}
    group_rng, response_rng = random_generator(random_seed).spawn(2)
    draws = join_chains(posterior)
    rows = ParameterDraws(
        draws,
        design,
        task,
        group_rng,
        include_group_specific=include_group_specific,
        sample_new_groups=bool(sample_new_groups),
    )
    kept = rows.varying if keep_parameters or not responses else ()
    parameters: dict[str, Held] = {}
    room: Hold = hold or HeldArray
    own = design.response.name
    response = ResponseDraws(task, companions, response_rng, draws.samples, design.n_rows, of_prior, room, own)
    asked = f"{own}_{kind}"
    vectors = {} if target is None or target.dim is None else {asked: (target.dim, target.labels)}
    numbers = 0
    if hold is None:
        numbers = sum(_width(name, task) for name in kept) + responses * _columns_of(task)
        numbers += 0 if target is None else max(1, len(target.labels))
    with room_for("Predictions", draws.samples, design.n_rows, numbers, remedy):
        for start, stop in rows.chunks():
            on_links = rows.on_links(start, stop)
            values = rows.to_natural(on_links)
            found = {name: values[name] for name in kept}
            if target is not None:
                found[asked] = _of_all_rows(target.value(rows, on_links, companions), design.n_rows)
            for name, array in found.items():
                if start == 0:
                    parameters[name] = room(name, (draws.samples, *array.shape[1:]), float, vectors.get(name))
                parameters[name][start:stop] = array
            if responses:
                response.add(values, start, stop)
    response.warn()
    leading = (draws.chains, draws.draws)
    return Prediction(
        {name: _by_chain(values, leading) for name, values in parameters.items()},
        {own: _by_chain(response.held, leading)} if responses else {},
        UNCENSORED if design.is_censored else "",
        vectors,
    )


def _width(parameter: str, task: PredictionTask) -> int:
    """Numbers of a parameter for each row and draw."""
    if parameter in task.family.combined:
        return len(task.family.combined[parameter][1])
    return task.family.parameter(parameter).size


def _columns_of(task: PredictionTask) -> int:
    """Numbers of a response for each row and draw."""
    return 1 if task.family.response_dim is None else len(task.family.response_dim[1])


def _by_chain(held: Any, leading: tuple[int, int]) -> Any:
    """An array (chains, draws, ...) of one of all samples; what is elsewhere as it is."""
    return held.values.reshape(*leading, *held.values.shape[1:]) if isinstance(held, HeldArray) else held


def _target(kind: str, quantile: Any, task: PredictionTask, response: str) -> Target | None:
    """What is computed beside the parameters.

    Raises
    ------
    DataError
        Where the family does not have it.
    """
    if quantile is not None and kind != "quantile":
        raise ArgumentError(f"quantile={quantile!r} is about kind='quantile', not kind={kind!r}.")
    if kind != "probability":
        return target_of(kind, task, response, quantile) if _KINDS[kind] == "target" else None
    family = task.family
    if family.kind in ("bernoulli", "binomial"):
        return target_of(family.parent.name, task, response)
    if not family.combined or family.composite:
        raise DataError(f"kind='probability' is of responses that are categories, and family='{family.name}' has none.")
    return target_of("mean" if family.response_dim is None else family.parent.name, task, response)


def _of_all_rows(values: FloatArray, n: int) -> FloatArray:
    """What is the same for all rows, (chunk, 1[, K]), as (chunk, n[, K])."""
    return values if values.shape[1] == n else np.broadcast_to(values, (len(values), n, *values.shape[2:]))


def predicted_means(posterior: Mapping[str, NDArray[Any]], design: Design, task: PredictionTask) -> FloatArray:
    """Mean of every row's response at every draw, shape (chains, draws, rows), in the response's own unit (counts).

    Raises
    ------
    DataError
        As for `predict`.
    """
    companions = companions_of(design, task.family)
    rng = np.random.default_rng()  # draws effects of new groups, which are refused here
    draws = join_chains(posterior)
    rows = ParameterDraws(draws, design, task, rng)
    with room_for("Means of rows", draws.samples, design.n_rows):
        means = np.empty((draws.samples, design.n_rows))
        for start, stop in rows.chunks():
            means[start:stop] = task.family.mean(rows.natural(start, stop), companions)
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
    rows = ParameterDraws(draws, design, task, rng, sample_new_groups=sample_new_groups)
    found: dict[str, FloatArray] = {}
    numbers = sum(_width(item.name, task) for item in task.family.parameters)
    with room_for("Parameters of rows", draws.samples, design.n_rows, numbers):
        for start, stop in rows.chunks():
            for name, values in rows.natural(start, stop).items():
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
    remedy: str = "",
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
    draws = join_chains(posterior)
    options = {"include_group_specific": include_group_specific, "sample_new_groups": bool(sample_new_groups)}
    with room_for("Log likelihoods of rows", draws.samples, design.n_rows, remedy=remedy):
        out = HeldArray(design.response.name, (draws.samples, design.n_rows), float)
        fill_log_likelihood(out, draws, design, task, random_seed=random_seed, **options)
    return out.values.reshape(draws.chains, draws.draws, design.n_rows)


def fill_log_likelihood(
    out: Held, draws: NamedDraws, design: Design, task: PredictionTask, *, random_seed: Any = None, **options: bool
) -> None:
    """Put the log likelihood of every observation at every draw into `out` (samples, rows).

    Raises
    ------
    DataError
        As for `pointwise_log_likelihood`, whose `options` these are.
    """
    if np.isnan(design.response.values[0]).any():
        raise DataError(f"The log likelihood needs the response '{design.response.name}', which these data lack.")
    family = task.family
    rng = random_generator(random_seed).spawn(2)[0]
    rows = ParameterDraws(draws, design, task, rng, **options)
    links = family.link_codes(task.links)
    parts = parts_of(design, family, links)
    varies = np.array([int(item.name in rows.varying) for item in family.eta_parameters], dtype=np.int64)
    constants = {item.name: rows.constant_on_link(item) for item in family.parameters if item.name not in rows.varying}
    eta, own = np.zeros((len(family.eta_parameters), design.n_rows)), np.empty((1, design.n_rows))
    for start, stop in rows.chunks():
        chunk = {name: rows.eta(name, start, stop) for name in rows.varying}
        for sample in range(start, stop):
            j = 0
            for item in family.parameters:
                places = slice(j, j + item.size)
                if item.name in chunk:
                    eta[places] = chunk[item.name][sample - start].T
                else:
                    eta[places, 0] = constants[item.name][sample]
                j += item.size
            for part in parts:
                part.fill(eta, varies, links, own[0])
            out[sample : sample + 1] = own
