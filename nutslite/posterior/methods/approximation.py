"""What the methods that approximate share: the coordinates that they work in, weights of their draws, the record.

Draws of an approximation are weighted by Pareto-smoothed importance sampling (`_pareto`), whatever becomes of the
weights: the shape of their tail, k-hat, says whether the approximation is to be believed (Yao, Vehtari, Simpson and
Gelman 2018, Yes, but did it work?, ICML).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus
from nutslite._pareto import largest_shape, smoothed
from nutslite.exceptions import SamplingError
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.methods.fit import Fit
from nutslite.posterior.methods.nuts_start import launch_metric
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.methods.task import Task, better_launch
from nutslite.posterior.targets.plan import Plan
from nutslite.posterior.targets.target import Launch, Target
from nutslite.sampler.pathfinder.whitening import Whitening
from nutslite.sampler.variational.batch_and_match import Normal
from nutslite.sampler.variational.candidates import Candidates, candidates, resampled

FloatArray = NDArray[np.float64]

CHOOSING = ("auto", "resample")  # ways of `importance` in which weights choose among draws
MOST_CANDIDATES, FEWEST_CANDIDATES = 4, 2  # weighted draws for each that is kept
MOST_NUMBERS = 2e7  # of all candidates together, where there are more than the fewest
MOST_REPEATS = 100  # of draws that fall where there is no density
NEARLY_EQUAL, FARTHER_OUT = 0.8, 0.25  # effective draws for each; share of the usual tail
MOST_FOR_ONE = 4.0  # draws that are kept for an effective one
LARGEST_SHIFT = 0.25  # sds that means may be off in draws without their weights
TINY = np.finfo(float).tiny
FURTHEST_SHAPE = 10.0  # of a tail: beyond it, k-hat says nothing more


class WhiteTarget:
    """A target in coordinates in which what its pilot found is a standard normal distribution.

    Parameters
    ----------
    target : Target
    launch : Launch
    cores : int

    Attributes
    ----------
    evaluated : int
        Gradients so far.
    """

    def __init__(self, target: Target, launch: Launch, cores: int) -> None:
        self.target, self.cores, self.dimension = target, cores, target.dimension
        self.whitening = Whitening(launch.center, launch_metric(launch))
        self.evaluated = 0

    @property
    def log_constant(self) -> float:
        """What makes a normal log density without its constant, in these coordinates, one of positions, with it."""
        return -0.5 * self.dimension * math.log(2.0 * math.pi) - self.whitening.log_size

    def compile(self) -> None:
        """Compile, or load, what is called below."""
        origin = np.zeros((1, self.dimension))
        self.gradients(origin)
        self.log_densities(origin)
        self.evaluated = 0

    def log_densities(self, z: FloatArray) -> FloatArray:
        """Log densities (n,) by position at z (n, dimension); minus infinity where there is none."""
        return self._inside(self.target.log_densities(self.whitening.positions(z), self.cores))

    def gradients(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same with their gradients (n, dimension) by z; a folded scale's density goes on below zero, evenly."""
        target, positions = self.target, self.whitening.positions(z)
        values, gradients = values_and_gradients(
            target.logdensity, target.data, target.data_type, positions, self.cores
        )
        self.evaluated += len(z)
        return self._inside(values), self.whitening.gradients(gradients)

    @staticmethod
    def _inside(values: FloatArray) -> FloatArray:
        return np.where(np.isfinite(values), values, -np.inf)


@dataclass(frozen=True)
class Weighted:
    """Candidates with a density, and their weights.

    Attributes
    ----------
    positions : ndarray, shape (n, dimension)
        In the target's own coordinates.
    own : ndarray of bool, shape (n,)
        Which are draws of the approximation itself.
    lp, log_q, own_q : ndarray, shape (n,)
        Log densities of the target, of what the candidates are draws of, and of the approximation (nan for draws that
        are not its own).
    log_weights : ndarray, shape (n,)
        Smoothed; the weights add up to one.
    khat : float
    limit : float
        The largest k-hat with which these weights may be used.
    elbo : float
        Lower bound of the logarithm of the evidence: the mean of lp - log q over the approximation's own draws.
    enough : float
        Effective draws.
    """

    positions: FloatArray
    own: NDArray[np.bool_]
    lp: FloatArray
    log_q: FloatArray
    own_q: FloatArray
    log_weights: FloatArray
    khat: float
    limit: float
    elbo: float
    enough: float

    @property
    def effective(self) -> float:
        """How many equally weighted draws these are worth."""
        return float(np.exp(-np.logaddexp.reduce(2.0 * self.log_weights)))

    @property
    def good(self) -> bool:
        """Whether k-hat is at most its limit, and effective draws are enough: k-hat of few varies much."""
        return self.khat <= self.limit and self.effective >= self.enough

    @property
    def mean_shift(self) -> float:
        """How far weights move the means of the approximation's own draws: the largest of all parameters, in sds."""
        weights = np.exp(self.log_weights)
        mean = weights @ self.positions
        sd = np.sqrt(weights @ (self.positions - mean) ** 2)
        return float(np.max(np.abs(self.positions[self.own].mean(axis=0) - mean) / np.maximum(sd, TINY)))


def weighted_normals(
    white: WhiteTarget, normals: Sequence[Normal], rng: np.random.Generator, settings: Settings
) -> Weighted:
    """Weigh draws of normal distributions; where weights are to choose among them, more, and of wider tails.

    Draws without a density have no weight. More are made where there are too few others. Where weights that count the
    wider tails are bad and those of the normals' own draws are good, which happens, too, the latter are used.

    Raises
    ------
    SamplingError
        If hardly any have a density.
    """
    n, m, choosing = settings.chains * settings.draws, 1.0, settings.importance in CHOOSING
    if choosing:
        m = np.clip(MOST_NUMBERS / (n * white.dimension), FEWEST_CANDIDATES, MOST_CANDIDATES)
    several: list[Candidates] = []
    densities: list[FloatArray] = []
    inside = 0
    while inside < n:
        if len(several) == MOST_REPEATS:
            raise SamplingError(
                "No approximation of this model: hardly any of its draws lie where the model has a density. Use NUTS."
            )
        some = candidates(normals, rng, int(m * n), tails=choosing)
        several.append(some)
        densities.append(white.log_densities(some.positions))
        inside += int(np.isfinite(densities[-1][: some.own]).sum())
    lp, z = np.concatenate(densities), np.concatenate([some.positions for some in several])
    own = np.concatenate([np.arange(len(some.positions)) < some.own for some in several])
    own_q = np.full(lp.size, np.nan)
    own_q[own] = np.concatenate([some.own_log_density for some in several]) + white.log_constant
    log_q = np.concatenate([some.log_density for some in several]) + white.log_constant
    finite = np.isfinite(lp)
    elbo = float(np.mean((lp - own_q)[finite & own])) + math.log(finite[own].mean())
    positions = white.whitening.positions(z)

    def weighted(some: NDArray[np.bool_], density: FloatArray) -> Weighted:
        limit = largest_shape(int(some.sum()))
        log_weights, shape = smoothed_by_tail((lp - density)[some], limit)
        khat = float(np.clip(shape, -FURTHEST_SHAPE, FURTHEST_SHAPE))
        logs = lp[some], density[some], own_q[some], log_weights
        return Weighted(positions[some], own[some], *logs, khat, limit, elbo, n / MOST_FOR_ONE)

    found = weighted(finite, log_q)
    if found.khat <= found.limit or not choosing:
        return found
    without = weighted(finite & own, own_q)
    return without if without.good else found


def smoothed_by_tail(log_ratios: FloatArray, limit: float) -> tuple[FloatArray, float]:
    """Smoothed log weights that add up to one, and k-hat of their tail proper.

    Of a nearly perfect approximation the largest weights are those of a flat top, with a short tail beyond it. No
    Pareto distribution is near such a mixture, and k-hat comes out at 1 to 5. Where nearly all weights are equal the
    tail is therefore looked for farther out, too.
    """
    log_weights, shape = smoothed(log_ratios)
    weights = np.exp(log_ratios - log_ratios.max())
    if shape > limit and weights.sum() ** 2 >= NEARLY_EQUAL * weights.size * np.sum(weights**2):
        return smoothed(log_ratios, share=FARTHER_OUT)
    return log_weights, shape


def approximate_fit(
    task: Task,
    name: str,
    title: str,
    found: Weighted,
    rngs: tuple[np.random.Generator, np.random.Generator],
    *,
    attributes: dict[str, Any],
    always: bool = False,
    faults: str = "",
) -> Fit:
    """The record of a run: draws chosen as `importance` says, what is known of them, and a warning where it is bad.

    Parameters
    ----------
    task : Task
    name, title : str
        Of the method, as results call it and as lines for people do.
    found : Weighted
    rngs : tuple of Generator
        To choose draws with, and to draw what was integrated out.
    attributes : dict
        What else the results keep: ``n_gradients``, ``converged``, ...
    always : bool
        Whether ``importance="auto"`` resamples however bad the weights are.
    faults : str
        A sentence on what else is wrong, for which the draws are not to be believed whatever k-hat is.
    """
    settings = task.settings
    n, importance = settings.chains * settings.draws, settings.importance
    resamples = importance == "resample" or (importance == "auto" and (found.khat <= found.limit or always))
    chosen = resampled(found.log_weights, n, rngs[0]) if resamples else np.flatnonzero(found.own)[:n]
    kept: dict[str, Any] = {"khat": found.khat, "khat_limit": found.limit, "elbo": found.elbo, **attributes}
    kept |= {"effective_draws": found.effective, "effective_limit": found.enough}
    kept["importance"] = "resample" if resamples else importance if importance == "weights" else "none"
    if resamples:
        kept["unique_draws"] = int(np.unique(chosen).size)
    elif found.good:
        kept["mean_shift"] = found.mean_shift
    stats = {"lp": found.lp[chosen], "log_q": (found.log_q if resamples else found.own_q)[chosen]}
    if importance == "weights":
        stats["log_weight"] = found.log_weights[chosen]
    stats = {key: values.reshape(settings.chains, settings.draws) for key, values in stats.items()}
    task.clock.lap("sampling")
    positions = found.positions[chosen].reshape(settings.chains, settings.draws, -1)
    values, effects = task.natural(positions, stats, rngs[1])
    unique = f", {kept['unique_draws']:_} different draws" if resamples else ""
    return task.fit(
        name,
        values,
        effects,
        stats=stats,
        settings=replace(settings, tune=0),
        approximate=True,
        attributes=kept,
        warnings=_warnings(title, found, kept, n, faults),
        remark=f", by {title} (k-hat {found.khat:.2f}{unique})",
    )


def _warnings(title: str, found: Weighted, kept: dict[str, Any], n: int, faults: str) -> tuple[str, ...]:
    """That the draws are not to be used; or not without their weights, which k-hat says are good."""
    said = [faults] if faults else []
    if not found.good:
        which = "its draws are as they were, not weighted"
        if "unique_draws" in kept:
            which = f"of {n:,} draws {kept['unique_draws']:,} are different ones"
        above = f", above {found.limit:.2f}" if found.khat > found.limit else ""
        few = f"{found.effective:,.0f} effective draws, of {found.enough:,.0f} that it takes"
        said.append(f"k-hat is {found.khat:.2f}{above}; its weighted draws are worth {few}; {which}.")
    if said:
        return (f"{title}: this approximation is not to be believed. {' '.join(said)} Use inference_method='nuts'.",)
    if kept["importance"] != "none" or kept["mean_shift"] <= LARGEST_SHIFT:
        return ()
    return (
        f"{title}: draws of this approximation as they are have means that are off by up to {kept['mean_shift']:.1f} "
        f"sd, as their weights show (k-hat {found.khat:.2f}). Use importance='auto'.",
    )


def white_target(task: Task) -> WhiteTarget:
    """The task's target with its pilot run, in the coordinates of `warp` for models of few rows; all is compiled."""
    launch = task.launched()
    launch = better_launch(task.target, task.settings) or launch
    white = WhiteTarget(task.target, launch, cores_of(task.settings))
    task.clock.lap("pilot")
    white.compile()
    task.clock.lap("compilation")
    task.before_sampling()
    return white


def no_gradients(what: str) -> Callable[[Plan], str | None]:
    """What a method's `serves` is that needs gradients: not for a large marginal density, which has none."""

    def serves(plan: Plan) -> str | None:
        return (
            f"This model's plan is not for {what}, which needs gradients; use plan='joint' with it."
            if plan.is_large
            else None
        )

    return serves


def streams(settings: Settings, stream: int, n: int) -> list[np.random.Generator]:
    """Random numbers of a method, apart from those of others with the same seed."""
    seeds = np.random.SeedSequence(settings.random_seed, spawn_key=(stream,)).spawn(n)
    return [np.random.default_rng(seed) for seed in seeds]


def cores_of(settings: Settings) -> int:
    """How many threads may work at once."""
    return int(settings.cores or available_cpus())
