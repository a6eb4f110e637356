"""The evidence of a model, by which Bayes factors and probabilities of models are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite._parallel import available_cpus
from nutslite.comparison.bridge import Bridge, bridge_twice
from nutslite.exceptions import ArgumentError, ArgumentTypeError, PriorError, shown, warn
from nutslite.model.fits.after_fit import check_results, prediction_task
from nutslite.model.record.specification import Specification, specification_of
from nutslite.posterior.methods.registry import approximate_names
from nutslite.posterior.points.packing import positions_of
from nutslite.posterior.record.model_data import DENSITY
from nutslite.posterior.record.transforms import ABOVE
from nutslite.posterior.targets.plan import make_plan
from nutslite.priors.densities.codes import FLAT, HALF_FLAT
from nutslite.results.added_groups import named_posterior
from nutslite.results.container.inference_data import get_group
from nutslite.sampler.checkpoint.digest import digest
from nutslite.sampler.sample import seed_sequence

if TYPE_CHECKING:
    import pandas as pd

    from nutslite.posterior.record.assembled import Assembled
    from nutslite.posterior.targets.target import Target

FloatArray = NDArray[np.float64]

FEWEST_FOR_EACH = 5  # draws of one half, for each dimension of the normal distribution that is fitted to them
LARGEST_ERROR = 0.2


@public
@dataclass(frozen=True)
class Evidence:
    """How probable the data were before they were seen: the marginal likelihood of a model.

    Attributes
    ----------
    log_evidence : float
        Natural logarithm of the integral of likelihood times prior, all normalising constants included.
    error : float
        Its standard error.
    dimension : int
        Parameters that the bridge was about; what else there is was integrated out exactly.
    digest : str
        Of the responses: evidence of other responses is no measure of models.
    """

    log_evidence: float
    error: float
    dimension: int
    digest: str

    def __str__(self) -> str:
        return f"log evidence {self.log_evidence:.3f} (standard error {self.error:.2g})"


@public
def bridge_sampling(model: Any, idata: Any, random_seed: int = 0) -> Evidence:
    """The evidence of a model by bridge sampling.

    Draws of the posterior, as unconstrained numbers, meet draws of a normal distribution with their mean and
    covariance, whose integral is known (Meng and Wong 1996; Gronau et al. 2017, Journal of Mathematical Psychology
    81:80-97). Of Gaussian models coefficients and effects are integrated out before, where `Model.plan` says that
    they are, and the bridge is about the few other parameters.

    Parameters
    ----------
    model : Model
    idata : InferenceData or DataTree
        What `fit` returned. Several thousand draws make the error small.
    random_seed : int
        Of the normal distribution's draws.

    Returns
    -------
    Evidence

    Raises
    ------
    PriorError
        For flat priors: they are no densities, and the evidence would depend on a constant that nobody chose.
    ArgumentError
        For draws of an approximation, potentials, working likelihoods, and for too few draws.
    DataError
        For results of another model.

    Warns
    -----
    NutsliteWarning
        Where the standard error is large.

    Examples
    --------
    >>> evidence = nl.comparison.bridge_sampling(model, results)  # doctest: +SKIP
    """
    specification = specification_of(model)
    check_results(specification, idata)
    assembled = specification.posterior.assembled
    _check_model(specification, assembled)
    task = prediction_task(specification)
    dataset = get_group(idata, "posterior")
    if dataset.attrs.get("inference_method") in approximate_names() or dataset.attrs.get("adjusted") == "sandwich":
        raise ArgumentError(
            "The draws are of an approximation or were adjusted: the bridge needs draws of the posterior."
        )
    draws = named_posterior(dataset, task.coords, task.aliases)
    target, kept, data_model = _target(assembled)
    rng = np.random.default_rng(seed_sequence(random_seed))
    constant = _constant_of_increasing(assembled)
    digest = _digest(specification)
    flat = positions_of(assembled, draws.arrays, data_model)[:, kept]
    chains, number = (draws.axes.sizes.get(dim, 1) for dim in ("chain", "draw"))
    if chains * (number // 2) < FEWEST_FOR_EACH * target.dimension:
        raise ArgumentError(
            f"There are {chains * number} draws for {target.dimension} parameters: the normal distribution of the "
            f"bridge needs {2 * FEWEST_FOR_EACH} draws for each. Fit with draws={_needed(target.dimension, chains)}."
        )
    found: Bridge = bridge_twice(
        flat.reshape(chains, number, -1), lambda some: target.log_densities(some, available_cpus()), rng
    )
    if found.error > LARGEST_ERROR:
        warn(
            f"The standard error of the log evidence is {found.error:.2g}: a Bayes factor may be wrong by a factor of "
            f"{math.exp(2.0 * found.error):.1f}. More draws make it smaller."
        )
    return Evidence(found.log_integral + constant, found.error, target.dimension, digest)


@public
def bayes_factor(first: Evidence, second: Evidence) -> pd.Series[Any]:
    """How much more probable the data were under the first of two models.

    Parameters
    ----------
    first, second : Evidence
        Of models of the same responses.

    Returns
    -------
    pandas.Series
        ``log_bayes_factor``, its standard error ``error``, ``bayes_factor``, and ``lower`` and ``upper``, two standard
        errors from it.

    Raises
    ------
    ArgumentError
        For models of different responses.
    """
    import pandas as pd

    _check_same([first, second])
    logs = first.log_evidence - second.log_evidence
    error = math.hypot(first.error, second.error)
    with np.errstate(over="ignore"):
        factor, lower, upper = np.exp([logs, logs - 2.0 * error, logs + 2.0 * error])
    return pd.Series({"log_bayes_factor": logs, "error": error, "bayes_factor": factor, "lower": lower, "upper": upper})


@public
def posterior_probabilities(
    evidences: Mapping[str, Evidence] | Sequence[Evidence], prior: Sequence[float] | None = None
) -> pd.Series[float]:
    """Probabilities of models, given that one of them is right.

    Parameters
    ----------
    evidences : dict or list of Evidence
        Of models of the same responses.
    prior : list of float, optional
        Probabilities before; by default equal ones.

    Returns
    -------
    pandas.Series
        By name.

    Raises
    ------
    ArgumentError
        For models of different responses, and for prior probabilities that are none.
    """
    import pandas as pd

    named = evidences if isinstance(evidences, Mapping) else {f"model {i + 1}": e for i, e in enumerate(evidences)}
    _check_same(list(named.values()))
    weights = np.full(len(named), 1.0) if prior is None else np.asarray(prior, dtype=float)
    if weights.shape != (len(named),) or not (weights >= 0.0).all() or not weights.sum() > 0.0:
        raise ArgumentError(f"prior has a probability for each of {len(named)} models, not {shown(prior)}.")
    with np.errstate(divide="ignore"):
        logs = np.array([one.log_evidence for one in named.values()]) + np.log(weights)
    found = np.exp(logs - logs.max())
    return pd.Series(found / found.sum(), index=pd.Index(list(named), name="model"), name="probability")


def _check_same(evidences: Sequence[Any]) -> None:
    for one in evidences:
        if not isinstance(one, Evidence):
            raise ArgumentTypeError(f"What is compared is what bridge_sampling returned, not {shown(one)}.")
    if not evidences:
        raise ArgumentError("There are no models to compare.")
    if len({one.digest for one in evidences}) > 1:
        raise ArgumentError(
            "The models are of different responses (other rows, another transformation): their evidences are densities "
            "of different things."
        )


def _check_model(specification: Specification, assembled: Assembled) -> None:
    if assembled.spec.potentials:
        raise ArgumentError("Potentials are no densities: with them a model has no evidence.")
    if assembled.spec.family.composite:
        raise ArgumentError(
            f"The likelihood of family '{assembled.spec.family.name}' is a working one: it has no evidence."
        )
    if specification.spec.design.weights is not None:
        raise ArgumentError(
            "Weights of rows make a likelihood that is no density of the responses: it has no evidence."
        )
    head = assembled.data.head
    for i in np.flatnonzero(np.isin(head.densities, (FLAT, HALF_FLAT))):
        owner = next(
            (v.name for v in assembled.layout.variables if v.source == "values" and i in np.atleast_1d(v.index)),
            "a parameter",
        )
        raise PriorError(
            f"The prior of '{owner}' is flat and no density: with it the evidence is arbitrary. Give it one."
        )
    if np.isin(assembled.data.block_columns[:, DENSITY], (FLAT, HALF_FLAT)).any():
        raise PriorError("The prior of group effects is flat and no density: with it the evidence is arbitrary.")


def _target(assembled: Assembled) -> tuple[Target, NDArray[np.int64], Any]:
    """The density, which elements of joint positions it is of, and the data whose centring these have."""
    plan = make_plan(assembled, pilot=False)
    if plan.reduction is not None:
        return plan.target(), plan.reduction.kept, None
    target: Any = make_plan(assembled, "joint", pilot="levels").target()
    target.launch()
    return target, np.arange(target.dimension), target.model


def _constant_of_increasing(assembled: Assembled) -> float:
    """What normalises densities of vectors that increase: n! where their elements have one prior."""
    head = assembled.data.head
    above = head.transforms == ABOVE
    total, first = 0.0, 0
    values = np.concatenate([np.full(head.transforms.size, np.nan), head.fixed])
    while first < above.size:
        last = first + 1
        while last < above.size and above[last]:
            last += 1
        if last > first + 1:
            same = len(set(head.densities[first:last].tolist())) == 1
            own = values[head.arguments[first:last]]
            if not same or np.isnan(own).any() or (own != own[0]).any():
                raise PriorError(
                    "The elements of a vector that increases have different priors, whose normalising constant is not "
                    "known: give all thresholds one prior with fixed arguments."
                )
            total += math.lgamma(last - first + 1.0)
        first = last
    return total


def _digest(specification: Specification) -> str:
    response = specification.spec.design.response
    return digest(tuple(np.asarray(column, dtype=float) for column in response.values))


def _needed(dimension: int, chains: int) -> int:
    return 1000 * math.ceil(2 * FEWEST_FOR_EACH * dimension / chains / 1000)
