"""One simulated data set: parameters from the prior, a response given them, and the model that has this response.

A response that is no possible response (a count that overflowed, a proportion rounded to 1) is drawn anew, parameters
included. That leaves ranks uniform: what is rejected depends on the response alone, and given any response that is kept
the parameters still come from its posterior. So wide default priors need not be narrowed to be simulated from.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._draws import HIGHEST_COUNT
from nutslite.exceptions import DataError, NutsliteError, NutsliteWarning
from nutslite.families.record.censoring import kernel_rows
from nutslite.formula.forms.censored import censoring_of, place_of
from nutslite.formula.records import Response
from nutslite.posterior.assembly.assembly import assemble
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.record.assembled import Assembled
from nutslite.results.predictions.predict import predict
from nutslite.results.predictions.response_draws import PredictionTask

FloatArray = NDArray[np.float64]
Accept = Callable[[FloatArray], bool]
Censor = Callable[[FloatArray], tuple[Any, ...]]

MOST_ATTEMPTS = 1000


@dataclass(frozen=True)
class SimulatedData:
    """Parameters, and the model with the response that they made.

    Attributes
    ----------
    truth : dict of ndarray
        Every parameter and group effect by name, in its own shape.
    assembled : Assembled
        The model, its priors as they were, its response replaced.
    rejected : int
        How many attempts gave an impossible or unaccepted response before this one.
    """

    truth: dict[str, FloatArray]
    assembled: Assembled
    rejected: int


def simulate_data(
    assembled: Assembled, rng: np.random.Generator, accept: Accept | None = None, censor: Censor | None = None
) -> SimulatedData:
    """Draw from the prior, and a response given the draw.

    Parameters
    ----------
    assembled : Assembled
        Its design gives predictors, groups, trials and the like; its response is not used.
    rng : numpy.random.Generator
    accept : callable, optional
        Takes a simulated response, shape (rows,), of several columns (rows, columns); False means to draw anew.
    censor : callable, optional
        Takes it, too, and returns what ``censored(...)`` takes: values and statuses, or both ends and statuses.

    Raises
    ------
    PriorError
        If a prior is flat.
    DataError
        If no attempt gave a possible response.
    """
    task = prediction_task(assembled)
    for attempt in range(MOST_ATTEMPTS):
        values, effects = draw_prior(assembled, 1, rng)
        named = assembled.layout.unpack(values, effects)
        response = _draw_response(named, assembled, task, rng)
        if response is None or (accept is not None and not _accepted(accept, response)):
            continue
        return SimulatedData(
            {name: x[0] for name, x in named.items()}, with_response(assembled, response, censor), attempt
        )
    unaccepted = "" if accept is None else " that `accept` accepts"
    raise DataError(
        f"{MOST_ATTEMPTS} draws of the prior gave no possible response '{assembled.spec.design.response.name}'"
        f"{unaccepted}. Give the model narrower priors."
    )


def _accepted(accept: Accept, response: FloatArray) -> bool:
    answer = accept(response)
    if not isinstance(answer, bool | np.bool_):
        kind = "an array" if isinstance(answer, np.ndarray) else f"a {type(answer).__name__}"
        raise DataError(
            f"accept gave {kind} for a simulated response; it says True or False of the response "
            "as a whole, (y > 0).all() for example."
        )
    return bool(answer)


def check_simulable(assembled: Assembled, censor: Censor | None = None) -> None:
    """Refuse models whose likelihood is not the distribution of a response that can be drawn.

    Raises
    ------
    DataError
        For weights, potentials, and for a censored response where nothing says what would be censored.
    """
    if assembled.spec.potentials:
        raise DataError(
            "Calibration draws parameters from the priors, and potentials change the distribution that these make. "
            "Say it by priors, or leave the potentials out."
        )
    design, family = assembled.spec.design, assembled.spec.family
    if design.weights is not None:
        raise DataError(
            "Calibration draws responses from the model, and a weighted likelihood is no distribution that responses "
            "can be drawn from. Leave weighted(...) out."
        )
    if (design.response.censoring is None) != (censor is None):
        raise DataError(
            "censor= is for models of a censored response: censored(y, status) ~ ..."
            if design.response.censoring is None
            else "Calibration draws responses, and the model does not know which of them would be censored: give a "
            f"function as censor=, which takes a response and returns what '{design.response.name}' holds, such as "
            "lambda y: (np.minimum(y, 3.0), np.where(y > 3.0, 'right', 'none'))."
        )
    unknown = [name for name in design.response.companions if name not in family.companions]
    if unknown:
        raise DataError(
            f"Calibration cannot draw the response '{design.response.name}': it comes with {', '.join(unknown)}, "
            f"which the family '{family.name}' has no draws for."
        )


def with_response(assembled: Assembled, response: FloatArray, censor: Censor | None = None) -> Assembled:
    """The model with another response: same design, same priors (which are not scaled anew), same names."""
    spec = assembled.spec
    values = spec.design.response.values.copy()
    values[: len(spec.design.response.own)] = response.T
    if censor is not None:
        seen = _censored(censor, replace(spec.design.response, values=values))
        return assemble(replace(spec, design=replace(spec.design, response=seen)), assembled.inventory)
    design = replace(spec.design, response=replace(spec.design.response, values=values))
    rows = kernel_rows(spec.family, design.response)
    # rows in another order than that of the data, or with other companions, as counts have that are larger
    if not rows.is_plain or len(rows.y) != len(assembled.data.y):
        return assemble(replace(spec, design=design), assembled.inventory)
    return replace(assembled, spec=replace(spec, design=design), data=assembled.data._replace(y=rows.y))


def _censored(censor: Censor, response: Response) -> Response:
    found = censor(response.values[0].copy())
    columns = [np.asarray(column) for column in found] if isinstance(found, tuple | list) else []
    if len(columns) not in (2, 3) or any(column.shape != response.values[0].shape for column in columns):
        raise DataError(
            "censor returns what censored(...) takes, with a value for each row: (values, statuses), or (lower ends, "
            "upper ends, statuses)."
        )
    values, ends, statuses = response.values.copy(), np.asarray(columns[-2], dtype=float), columns[-1]
    values[0] = columns[0]
    places = np.array([place_of(status, "status") for status in statuses.tolist()], dtype=np.int64)
    return replace(response, values=values, censoring=censoring_of(places, values[0], ends, "lower", "upper"))


def prediction_task(assembled: Assembled) -> PredictionTask:
    """What predictions of a model's own rows need."""
    spec = assembled.spec
    return PredictionTask(spec.family, spec.links, spec.priors.fixed)


def _draw_response(
    named: dict[str, FloatArray], assembled: Assembled, task: PredictionTask, rng: np.random.Generator
) -> FloatArray | None:
    """One response, or None where it is not a possible one."""
    design = assembled.spec.design
    chains = {name: x[None] for name, x in named.items()}
    try:
        with quiet(), np.errstate(all="ignore"):
            drawn = predict(chains, design, task, kind="response", random_seed=rng, of_prior=True).response
        counts = drawn[design.response.name]
        response = np.asarray(counts, dtype=float)[0, 0]
        if not np.isfinite(response).all() or (counts.dtype.kind == "i" and np.any(counts == HIGHEST_COUNT)):
            return None
        values = design.response.values.copy()
        values[: len(design.response.own)] = response.T
        assembled.spec.family.check_response(replace(design.response, values=values, censoring=None))
    except NutsliteError:
        return None
    return response


def quiet() -> AbstractContextManager[Any]:
    """No warnings about parameters outside their support.

    Filters belong to the process, not to a thread, so only main threads change them: that of a worker process here,
    that of the caller's process in `study`.
    """
    if threading.current_thread() is not threading.main_thread():
        return nullcontext()
    return warnings.catch_warnings(action="ignore", category=NutsliteWarning)
