"""What the sampler starts with: points, metric, length of the warm-up; from a pilot, from names, from the user."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite.exceptions import SamplingError
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.matrix_centring import MatrixCentring
from nutslite.posterior.independence.wide import wide_covariance
from nutslite.posterior.methods.settings import INITS, TARGET_ACCEPT, TUNE, Settings
from nutslite.posterior.methods.task import better_launch
from nutslite.posterior.pilot.information import Information
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.points.start_values import given_starts
from nutslite.posterior.record.node_table import HORSESHOE, OP, R2D2
from nutslite.posterior.targets.matrix_target import MatrixTarget
from nutslite.posterior.targets.plan import MANY_PARAMETERS, Plan
from nutslite.posterior.targets.target import JointTarget, Launch, Target
from nutslite.sampler.draws import Draws
from nutslite.sampler.interrupts import careful_interrupts
from nutslite.sampler.sample import sample
from nutslite.sampler.transition.metric import (
    Metric,
    arrowhead_metric,
    centred_at,
    dense_metric,
    diagonal_metric,
    normal_draws,
)

FloatArray = NDArray[np.float64]

TUNE_AFTER_PILOT = 200
TUNE_OF_FEW_ROWS = 600  # in the coordinates of `warp`, where the metric adapts further
TARGET_ACCEPT_OF_SHRINKAGE = 0.95
TARGET_ACCEPT_OF_MANY, TARGET_ACCEPT_OF_FEW = 0.75, 0.9  # after a pilot, see `default_target_accept`
TARGET_ACCEPT_OF_ROTATION = 0.9
TARGET_ACCEPT_OF_FEW_ROWS, TARGET_ACCEPT_AFTER_DIVERGENCES = 0.97, 0.995
TRIAL_CHAINS, TRIAL_DRAWS = 4, 250
RECENTRING_TUNE, RECENTRING_DRAWS, TUNE_AFTER_RECENTRING = 75, 125, 100
TAILS_SEED = 1000  # of the draws that look for long tails: they are the same for every seed of a fit
JUDGED_TUNE, TUNE_AFTER_JUDGEMENT = 100, 100
SHORTEST_ANGLE, OF_SO_MANY = 0.27, 200  # of steps in a good normal of so many parameters, see `_shortest_angle`
WIDER = 1.5  # variance of a scale in the metric, beside its own: out in its tail chains would stay for dozens of draws
_LEAST_EIGENVALUE = 1e-12  # of a scaled information matrix, beside its largest
MOST_HALVINGS = 30  # of the way from a starting point to the centre
SHOWN_NAMES = 10


class NutsStart(NamedTuple):
    """What the sampler is started with.

    Attributes
    ----------
    initial : ndarray, shape (chains, dimension)
    jitter : float
    metric : Metric or str
        As for `nutslite.sampler.sample`.
    adapts : bool
    tune : int
    target_accept : float or None
        What a trial found necessary; None: the usual.
    trajectory : str
        As for `nutslite.sampler.sample`.
    """

    initial: NDArray[np.float64]
    jitter: float
    metric: Metric | str
    adapts: bool
    tune: int
    target_accept: float | None = None
    trajectory: str = "nuts"

    def without_arrays(self) -> NutsStart:
        """What is left to say of it when chains have ended: a metric of many effects is as large as dozens of draws."""
        return self._replace(initial=np.empty((0, 0)), metric=INITS["auto"][0])


def first_state(
    target: Target, launch: Launch | None, settings: Settings, rng: np.random.Generator, rotates: bool = False
) -> NutsStart:
    """What the sampler starts with: from the pilot, from `init`, from the user's own starting values.

    Trajectories turn around the pilot's centre by an angle where `rotates` says so and there is one; else they are
    those of NUTS.
    """
    if launch is None:
        launch = target.launch()
        launch = better_launch(target, settings) or launch
    metric = launch_metric(launch) if settings.init == "auto" else None
    warped = isinstance(target, JointTarget) and target.is_warped
    if metric is not None and not warped:
        metric = centred_at(metric, launch.center)
    if rotates and settings.inference_method == "hmc" and (metric is None or warped):
        log.info("There is no pilot's normal distribution to turn around: NUTS samples.")
    usual = TUNE if metric is None else TUNE_OF_FEW_ROWS if warped else TUNE_AFTER_PILOT
    tune = usual if settings.tune is None else settings.tune
    starts = _starts(target, launch, metric, settings.chains, rng)
    jitter = 1.0 if metric is None and "jitter" in INITS[settings.init] else 0.0
    if settings.start is not None:
        starts, jitter = given_starts(target, settings.start, starts, jitter, rng), 0.0
    if metric is None:
        accept = TARGET_ACCEPT_OF_SHRINKAGE if _has_shrinkage(target) else None
        return NutsStart(starts, jitter, INITS[settings.init][0], True, tune, accept)
    cores = settings.cores or available_cpus()
    wide = None if warped else wide_covariance(target, launch, np.random.default_rng(TAILS_SEED), cores)
    if wide is not None:  # in the pilot's own a separated coefficient with a Cauchy prior never came to its tail
        log.debug("The posterior has longer tails than the pilot's normal: the metric is wider.")
        metric = dense_metric(wide)
    rotation = rotates and bool(metric.center.size)
    begun = NutsStart(starts, jitter, metric, False, tune, trajectory="rotation" if rotation else "nuts")
    if settings.tune is None and warped:
        return after_trial(target, begun, rng)
    if settings.start is not None:
        return begun
    if isinstance(target, MatrixTarget) and target.centring is not None:
        begun = recentred(target, target.centring, begun, settings.cores, rng)
    elif rotation:
        begun = judged(target, begun, settings.cores, rng)
    return begun if settings.tune is None else begun._replace(tune=settings.tune)


def _has_shrinkage(target: Target) -> bool:
    """Whether coefficients of a shrinkage prior are sampled: a funnel, which needs small steps."""
    if not isinstance(target, JointTarget):
        return False
    operations = target.model.head.nodes.rows[:, OP]
    return HORSESHOE in operations or R2D2 in operations


def after_trial(target: Target, begun: NutsStart, rng: np.random.Generator) -> NutsStart:
    """A short run from there: its draws give starting points and a better metric; divergences call for smaller steps.

    It is a part of the launch. How long it is does not depend on how many draws are asked for.
    """
    adapting = {"tune": begun.tune, "target_accept": TARGET_ACCEPT_OF_FEW_ROWS, "adapt_metric": True, "cores": 1}
    trial = _trial(target, begun, rng, draws=TRIAL_DRAWS, **adapting)
    draws = trial.positions.reshape(-1, target.dimension)
    starts = draws[rng.choice(len(draws), len(begun.initial), replace=False)]
    covariance = np.cov(draws, rowvar=False).reshape(target.dimension, target.dimension)
    metric = dense_metric(covariance + 1e-6 * np.diag(np.diag(covariance)))
    diverged = trial.stats["diverging"].any()
    accept = TARGET_ACCEPT_AFTER_DIVERGENCES if diverged else TARGET_ACCEPT_OF_FEW_ROWS
    return NutsStart(starts, 0.0, metric, False, TUNE_AFTER_PILOT, accept)


def judged(target: Target, begun: NutsStart, cores: int | None, rng: np.random.Generator) -> NutsStart:
    """Chains go on to turn by angles where a short run can do so in few steps; else NUTS, which adapts.

    Where a prior has a kink or much longer tails than a normal, and data hardly tell the coefficient, the curvature at
    the mode says nothing of how wide the posterior is. In the normal that it gives, chains would hardly move: steps are
    short there, as energy is far from that of the normal. The run takes the place of half of the warm-up.
    """
    fixed = {"tune": JUDGED_TUNE, "target_accept": default_target_accept(begun, target.dimension), "cores": cores}
    trial = _trial(target, begun, rng, draws=1, adapt_metric=False, **fixed)  # memory of one position for each chain
    starts = trial.positions[np.arange(len(begun.initial)) % TRIAL_CHAINS, -1]
    if np.median(trial.stats["step_size"]) < _shortest_angle(target.dimension):
        log.info("The pilot's normal distribution is not about the posterior: NUTS adapts a metric of its own.")
        return NutsStart(starts, 0.0, INITS["auto"][0], True, TUNE)
    return begun._replace(initial=starts, tune=TUNE_AFTER_JUDGEMENT)


def _shortest_angle(dimension: int) -> float:
    """Below which steps say that the normal is a poor one.

    At a given acceptance steps shrink as the fourth root of the dimension (Beskos and others 2013,
    doi:10.3150/12-BEJ414). Good normals of 60 parameters had 0.32 and more, of 600 0.43, of 10,000 0.24; poor ones of
    60 to 200 parameters at most 0.24.
    """
    return SHORTEST_ANGLE * min(1.0, (OF_SO_MANY / dimension) ** 0.25)


def recentred(
    target: MatrixTarget, centring: MatrixCentring, begun: NutsStart, cores: int | None, rng: np.random.Generator
) -> NutsStart:
    """A short run in the coordinates of matrix centring says where scales and correlations are, and how wide.

    The mode that the pilot found for them does not: with 20 answers of yes or no to six effects it is four standard
    deviations off. The run is a part of the launch; how long it is does not depend on how many draws are asked for.
    """
    fixed = {"tune": RECENTRING_TUNE, "target_accept": default_target_accept(begun, target.dimension), "cores": cores}
    trial = _trial(target, begun, rng, draws=RECENTRING_DRAWS, adapt_metric=False, **fixed)
    draws = trial.positions.reshape(-1, target.dimension)
    if not np.ptp(draws, axis=0).all():  # some coordinate did not move: nothing was learned
        return begun
    draws = target.recentre(draws)
    starts = draws[rng.choice(len(draws), len(begun.initial), replace=False)]
    variances, hyper = np.ones(target.dimension), centring.hyper
    variances[hyper] = WIDER
    if centring.pattern.own > 1:  # several effects for each level: they make scales stiff, steps must not be as long
        _, gradients = values_and_gradients(target.logdensity, target.data, target.data_type, draws)
        variances[hyper] = np.sqrt(draws[:, hyper].std(axis=0) / gradients[:, hyper].std(axis=0))
    metric = centred_at(diagonal_metric(variances), draws.mean(axis=0))
    return begun._replace(initial=starts, metric=metric, tune=TUNE_AFTER_RECENTRING)


def _trial(target: Target, begun: NutsStart, rng: np.random.Generator, **options: Any) -> Draws:
    """A short run of chains from there.

    Raises
    ------
    KeyboardInterrupt
        If it was stopped: nothing is drawn yet that could be kept.
    """
    with careful_interrupts() as interrupts:
        trial = sample(
            target.logdensity,
            target.data,
            data_type=target.data_type,
            initial=np.resize(begun.initial, (TRIAL_CHAINS, target.dimension)),
            chains=TRIAL_CHAINS,
            random_seed=rng,
            metric=begun.metric,
            trajectory=begun.trajectory,
            **options,
        )
        if trial.interrupted or interrupts.pressed:
            raise KeyboardInterrupt
        interrupts.release()
    return trial


def default_target_accept(begun: NutsStart, dimension: int) -> float:
    """The acceptance that step sizes are adapted to where the user gave none: 0.8; after a pilot 0.75 or 0.9.

    0.95 where coefficients have a shrinkage prior.

    0.75 for many parameters. In coordinates in which the posterior is about a standard normal distribution, half a
    period is pi long: three steps of 1.05, or seven of 0.45. With a few hundred parameters 0.75 gives steps that serve
    one or the other (`benchmarks/results/target_accept.md`).

    0.9 for few. Where independence Metropolis does not serve them the posterior has long tails, mostly of a scale with
    few levels; out there 0.8 diverged once in 44 fits of a model with four levels, and 0.9 costs an eighth more.
    """
    if begun.target_accept is not None:
        return begun.target_accept
    if begun.adapts:
        return TARGET_ACCEPT
    if begun.trajectory == "rotation":
        return TARGET_ACCEPT_OF_ROTATION
    return TARGET_ACCEPT_OF_FEW if dimension < MANY_PARAMETERS else TARGET_ACCEPT_OF_MANY


def _inverse(information: FloatArray) -> FloatArray:
    """The inverse of an information matrix; of one that is nearly singular, the nearest that float64 can tell.

    Bases of more columns than rows have such: their scales differ by many orders of magnitude.
    """
    inverse: FloatArray = np.asarray(np.linalg.inv(information), dtype=np.float64)
    if np.allclose(inverse, inverse.T, rtol=1e-8, atol=1e-12 * np.abs(inverse).max(initial=0.0)):
        return inverse
    scale = 1.0 / np.sqrt(np.diag(information))
    values, vectors = np.linalg.eigh(information * scale * scale[:, None])
    half = vectors / np.sqrt(np.maximum(values, _LEAST_EIGENVALUE * values[-1])) * scale[:, None]
    nearest: FloatArray = half @ half.T
    return 0.5 * (nearest + nearest.T)


def launch_metric(launch: Launch) -> Metric | None:
    """The sampler's metric from what is known about the posterior's shape."""
    information = launch.information
    if information is None:
        return None
    if isinstance(information, Information):
        if not information.blocks.size:
            return dense_metric(_inverse(information.border))
        return arrowhead_metric(information.border, information.coupling, information.blocks)
    return dense_metric(information) if information.ndim == 2 else diagonal_metric(information)


def _starts(target: Target, launch: Launch, metric: Metric | None, chains: int, rng: np.random.Generator) -> FloatArray:
    """One starting point per chain: the centre (jittered by the sampler), or draws from the normal approximation.

    A draw at which the density is undefined (a mean below zero under an identity link) is moved halfway to the centre
    until it is defined.
    """
    if metric is None:
        return np.tile(launch.center, (chains, 1))
    starts = launch.center + normal_draws(metric, rng, chains)
    gradient = np.empty(target.dimension)
    for start in starts:
        for _ in range(MOST_HALVINGS):
            if np.isfinite(target.logdensity(start, gradient, target.data)) and np.isfinite(gradient).all():
                break
            start[:] = 0.5 * (start + launch.center)
    return starts


def named_sample(plan: Plan, *arguments: Any, **options: Any) -> Draws:
    """`sample`, whose errors speak of coordinates, with the names that these have in the model."""
    try:
        return sample(*arguments, **options)
    except SamplingError as error:
        layout = plan.assembled.layout
        free = PointMap(plan.assembled).free
        names = {int(i): v.name for v in free if v.variable.source != "effects" for i in np.atleast_1d(v.index)}
        kept = range(layout.n_head) if plan.reduction is None else plan.reduction.kept.tolist()
        listed = ", ".join(f"{place}: {names[i]}" for place, i in enumerate(kept[:SHOWN_NAMES]) if i in names)
        more = "" if plan.reduction is not None or layout.n_head == layout.dimension else "; then group effects"
        said = str(error).replace("Give `initial` where", "Give `fit` values to start from, start={...}, where")
        raise SamplingError(
            f"{said}\nThe coordinates belong to {listed}{more}. Another link, or priors that keep parameters where "
            "the model is defined, may help."
        ) from error
