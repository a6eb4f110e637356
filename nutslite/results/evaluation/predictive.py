"""What draws of a posterior say of rows, as a prediction that can be scored.

Where scores know the family's distribution, a prediction is the mixture of the conditional distributions of all draws:
its density, distribution function and E|X - y| are averages of closed forms (Rao and Blackwell), far less noisy than
one draw from each. Other families are predicted by draws of the response, with the log likelihood of what was observed;
those of several quantiles by the means of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from nutslite.results.predictions.predict import conditional_parameters, pointwise_log_likelihood, predict
from nutslite.results.predictions.target import COMPANIONS
from nutslite.scores.distributions import distribution, distribution_names
from nutslite.scores.kinds.censored import Censored
from nutslite.scores.kinds.known_density import DrawsWithDensity
from nutslite.scores.kinds.prediction import Prediction
from nutslite.scores.pointwise.log_score import log_mean_exp

if TYPE_CHECKING:
    from nutslite.families.record.family import Family
    from nutslite.formula.design import Design
    from nutslite.formula.records import Response
    from nutslite.results.predictions.response_draws import PredictionTask

FloatArray = NDArray[np.float64]

KNOWN_APART = CLASSES, DRAWS, QUANTILES, VECTORS = "classes", "draws", "quantiles", "vectors"
"""Forms of a prediction that are no distribution in closed form."""


@dataclass(frozen=True)
class Predictive:
    """What S draws say of n rows.

    Attributes
    ----------
    form : str
        Name of the distribution that `arrays` are parameters of; or ``"classes"``, with probabilities ``p``; or
        ``"draws"``, with draws ``x`` of the response; or ``"quantiles"``, which are ``mu``; or ``"vectors"``, with
        draws ``x`` of a response of several columns.
    arrays : dict of ndarray, shape (S, n), of classes, quantiles and vectors (S, n, K)
    log_likelihood : ndarray, shape (S, n)
        Of what was observed, whatever weights the rows have.
    response : Response
        What was observed.
    whole : bool
        Whether responses are whole numbers.
    levels : tuple of float
        Of quantiles.
    """

    form: str
    arrays: dict[str, FloatArray]
    log_likelihood: FloatArray
    response: Response
    whole: bool
    levels: tuple[float, ...] = ()

    @property
    def y(self) -> FloatArray:
        """What was observed, shape (n,), of several columns (n, K); of intervals their upper ends."""
        return observed_ends(self.response)

    def prediction(self, weights: FloatArray | None = None) -> Prediction:
        """As scores know it, with weights (S, n) of draws for each row."""
        found = self._uncensored(weights)
        censoring = self.response.censoring
        if censoring is None:
            return found
        known = log_mean_exp(self.log_likelihood, weights)
        return Prediction(Censored(found.kind, self.y, censoring.status, self.response.values[0], known))

    def _uncensored(self, weights: FloatArray | None) -> Prediction:
        if self.form == CLASSES:
            mean = _mean(self.arrays["p"], weights)
            return Prediction.from_probabilities(mean / mean.sum(axis=1, keepdims=True))
        if self.form == QUANTILES:
            return Prediction.from_quantiles(_mean(self.arrays["mu"], weights), self.levels)
        if self.form == VECTORS:
            known: dict[str, Any] = {"whole": self.whole, "log_density": self.log_likelihood, "y": self.y}
            return Prediction.from_vectors(self.arrays["x"], weights, **known)
        if self.form == DRAWS:
            x = self.arrays["x"]
            return Prediction(DrawsWithDensity(x, self.log_likelihood, self.y, weights, self.whole))
        return Prediction.from_mixture(self.form, weights, **self.arrays)

    def with_rows(self, rows: Sequence[int] | NDArray[np.int64], other: Predictive) -> Self:
        """With what other draws, as many, say of some rows: those of `other`, in their order."""
        arrays = {name: values.copy() for name, values in self.arrays.items()}
        log_likelihood = self.log_likelihood.copy()
        for name, values in arrays.items():
            values[:, rows] = other.arrays[name]
        log_likelihood[:, rows] = other.log_likelihood
        return replace(self, arrays=arrays, log_likelihood=log_likelihood)


def predictive(
    posterior: Mapping[str, NDArray[Any]],
    design: Design,
    task: PredictionTask,
    *,
    sample_new_groups: bool = False,
    random_seed: Any = None,
) -> Predictive:
    """What draws of a posterior say of the rows of a design that has a response; arguments as for `predict`.

    Raises
    ------
    DataError
        As for `predict`.
    """
    options: dict[str, Any] = {"sample_new_groups": sample_new_groups, "random_seed": random_seed}
    logs = pointwise_log_likelihood(posterior, replace(design, weights=None), task, **options)
    form = form_of(task.family)
    if form in (DRAWS, VECTORS):
        drawn = predict(posterior, design, task, kind="response", **options).response[design.response.name]
        arrays = {"x": drawn.reshape(-1, *drawn.shape[2:]).astype(np.float64)}
    else:
        arrays = conditional_parameters(posterior, design, task, **options)
        if form == QUANTILES:
            arrays = {"mu": arrays["mu"]}
        elif form != CLASSES:
            arrays = known_parameters(form, arrays, design)
    levels = task.family.combined["mu"][1] if form == QUANTILES else ()
    return Predictive(form, arrays, logs.reshape(-1, design.n_rows), design.response, task.family.discrete, levels)


def observed_ends(response: Response) -> FloatArray:
    """What scores compare predictions with: the response, its limit, or the upper end of an interval.

    Shape (n,), of a response of several columns (n, K).
    """
    if response.columns:
        return np.asarray(response.own.T, dtype=np.float64)
    censoring = response.censoring
    found = response.values[0] if censoring is None or censoring.upper is None else censoring.upper
    return np.asarray(found, dtype=np.float64)


def _mean(values: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Mean (n, K) over draws (S, n, K), with weights (S, n) that add up to one in each row."""
    return np.asarray(values.mean(axis=0) if weights is None else np.einsum("sn,snk->nk", weights, values))


def form_of(family: Family) -> str:
    """By what a family's responses are predicted; see `Predictive`."""
    if family.composite:
        return QUANTILES
    if family.response_dim is not None:
        return VECTORS
    if family.combined:
        return CLASSES
    names = {parameter.name for parameter in family.parameters}
    names |= {COMPANIONS[companion] for companion in family.companions if companion in COMPANIONS}
    if not set(family.companions) <= set(COMPANIONS) or family.kind not in distribution_names():
        return DRAWS
    return family.kind if names == set(distribution(family.kind).parameters) else DRAWS


def known_parameters(form: str, arrays: dict[str, FloatArray], design: Design) -> dict[str, FloatArray]:
    """Parameters, and companions of the response, of a distribution that scores know, in the order of the latter.

    What a link rounded to an end of the allowed range is put inside it.
    """
    rows = design.response.beside
    found = dict(arrays)
    ranges = distribution(form).parameters
    for companion, name in COMPANIONS.items():
        if name not in ranges:
            continue
        found[name] = np.broadcast_to(rows[companion], (len(next(iter(arrays.values()))), design.n_rows)).copy()
    return {name: np.clip(found[name], *_ends(ranges[name])) for name in ranges}


def _ends(allowed: str) -> tuple[float, float]:
    """Smallest and largest number of a range of parameters."""
    largest, least = float(np.finfo(float).max), float(np.finfo(float).tiny)
    if allowed == "open unit":
        return least, 1.0 - float(np.finfo(float).epsneg)
    if allowed == "unit":
        return 0.0, 1.0
    if allowed in ("positive", "positive or inf"):
        return least, largest
    return (0.0 if allowed in ("not negative", "count") else -largest), largest
