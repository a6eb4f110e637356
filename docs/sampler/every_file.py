"""The main path of every file of `nutslite.sampler`, in few dimensions: to be stepped through in a debugger.

``NUMBA_DISABLE_JIT=1 python docs/sampler/every_file.py`` runs all of it, with a name behind it one function.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from nutslite.exceptions import SamplingError
from nutslite.sampler import (
    Callback,
    CallbackDensity,
    CompiledDensity,
    DifferentiatedDensity,
    PythonDensity,
    arrowhead_metric,
    centred_at,
    constraints,
    dense_metric,
    sample,
)
from nutslite.sampler.atomics import add_one, load, store
from nutslite.sampler.catalogue.splitting import LEAPFROG
from nutslite.sampler.catalogue.trial import flow
from nutslite.sampler.checkpoint.metric_shapes import check_metric
from nutslite.sampler.densities.c_calls import PLAIN
from nutslite.sampler.independence.axes import along_axes
from nutslite.sampler.independence.independence import IndependenceChain, compiled_acceptance
from nutslite.sampler.independence.nested import NestedProposal
from nutslite.sampler.independence.proposals import DefensiveMixture, fitness
from nutslite.sampler.independence.tails import has_heavier_tails
from nutslite.sampler.pathfinder.low_rank_normal import diagonal_normal
from nutslite.sampler.pathfinder.paths import ELBO_DRAWS, find_path
from nutslite.sampler.pathfinder.whitening import Whitening
from nutslite.sampler.progress import transition_bar
from nutslite.sampler.rescue import rescued
from nutslite.sampler.slice import compiled_slices
from nutslite.sampler.tempering import Mixture, compiled_tempered, curve_hands
from nutslite.sampler.transition.handle import handed, handle_of
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of
from nutslite.sampler.variational.batch_and_match import DENSE, batch_and_match
from nutslite.sampler.variational.candidates import candidates, resampled
from nutslite.sampler.variational.dense_normal import DenseNormal
from nutslite.sampler.variational.linear_response import linear_response
from nutslite.sampler.variational.low_rank_match import LOW_RANK
from nutslite.sampler.variational.mean_field import MeanField, fit_mean_field, fixed_draws

PRECISION = np.array([[1.0, 0.4], [0.4, 2.0]])
SEED = 1


def normal(position, gradient, data):
    """A correlated normal distribution; data are its precision matrix."""
    gradient[:] = -data @ position
    return 0.5 * np.sum(position * gradient)


def evaluate(position):
    """Log density and gradient of one position."""
    gradient = np.empty(position.size)
    return normal(position, gradient, PRECISION), gradient


def gradients(positions):
    """Log densities and gradients of many."""
    slopes = -positions @ PRECISION
    return 0.5 * np.sum(positions * slopes, axis=1), slopes


def log_densities(positions):
    """Log densities of many."""
    return gradients(positions)[0]


def nuts(folder):
    """One chain: start, warm-up with a window, draws."""
    return sample(normal, PRECISION, initial=[0.0, 0.0], chains=1, tune=30, draws=20, random_seed=SEED)


def metrics(folder):
    """Every way to adapt a metric, and those that are given."""
    arrowhead = arrowhead_metric([[1.0]], [[0.4]], [[[2.0]]])
    for metric in ("diag", "diag_grad", "dense", dense_metric(np.linalg.inv(PRECISION)), arrowhead):
        sample(normal, PRECISION, initial=[0.0, 0.0], chains=1, tune=20, draws=5, random_seed=SEED, metric=metric)
    check_metric({"border": 1, "blocks": 1, "block": 1, "coupled": 1, "dimension": 2})


def replaced(folder):
    """Parts in place of the usual ones: each once; an integrator by itself."""
    for parts in (
        {"trajectory": "walnuts", "integrator": "three_stage", "warmup": "fisher", "metric": "low_rank"},
        {"trajectory": "static", "step_size_rule": "adam"},
        {"step_size_rule": "robbins_monro"},
    ):
        sample(normal, PRECISION, initial=[0.0, 0.0], chains=1, tune=30, draws=5, random_seed=SEED, **parts)
    centred = {"metric": centred_at(dense_metric(np.eye(2)), [0.0, 0.0]), "trajectory": "rotation"}
    sample(normal, PRECISION, initial=[0.0, 0.0], chains=1, tune=30, draws=5, random_seed=SEED, **centred)
    return flow(LEAPFROG, normal, PRECISION, [1.0, 0.0], [0.0, 1.0], 0.3, 5)


def checkpointed(folder):
    """Two chains with a bar and a checkpoint; then twice as many draws, of which the first come from the file."""
    for draws in (5, 10):
        sample(
            normal,
            PRECISION,
            initial=[0.0, 0.0],
            chains=2,
            tune=20,
            draws=draws,
            random_seed=SEED,
            progress=True,
            checkpoint=folder / "run",
        )


def interrupted(folder):
    """A run that is stopped, as by Ctrl-C, and its rectangle of draws."""

    def stop(report):
        if report.phase == "sampling":
            raise KeyboardInterrupt

    result = sample(
        normal, PRECISION, initial=[0.0, 0.0], chains=2, cores=1, tune=20, draws=50, random_seed=SEED, callback=stop
    )
    return result.rectangular()


def failed(folder):
    """What happens to draws when something after the sampling fails: they are written to a file."""
    try:
        with rescued(lambda: {"positions": np.zeros((1, 1, 2))}, "one array, positions", folder / "fit"):
            raise ValueError("a step after sampling")
    except SamplingError as error:
        return str(error)


def independent(folder):
    """Independence Metropolis: one at a time, and over proposals whose weights are known."""
    rng = np.random.default_rng(SEED)
    factor = np.linalg.cholesky(np.linalg.inv(PRECISION))
    mixture = DefensiveMixture(np.zeros(2), factor)
    chain = IndependenceChain(lambda q: log_densities(q[None])[0], mixture, rng)
    with transition_bar(1, 10, shown=False) as report:
        for done in range(10):
            chain.step()
            report(0, done + 1, chain.acceptance)
    positions = mixture.draw(rng, 100)
    log_weights = log_densities(positions) - mixture.log_density(positions)
    refined = mixture.refined(positions, log_weights)
    indices, acceptances = np.empty(100, dtype=np.int64), np.empty(100)
    state = np.array([log_weights[0], -1.0])
    compiled_acceptance()(log_weights, np.log(rng.random(100)), state, indices, acceptances)
    nodes = np.linspace(-3.0, 3.0, 7)
    others = np.zeros((7, 1)), np.full((7, 1, 1), -0.35)
    nested = NestedProposal(0, np.zeros(2), factor, nodes, -0.5 * nodes**2, *others, left=1.0)
    nested.log_density(nested.draw(rng, 10))
    shaped = along_axes(log_densities, mixture)
    positions, of_proposal = shaped.drawn(rng, 100)
    log_weights = log_densities(positions) - of_proposal
    heavier = has_heavier_tails(log_densities, shaped, log_weights, 8.0)
    return refined, fitness(log_weights), heavier


def value_and_part(position, part, data):
    """A log density without gradient, as slices call it; where there is room, the part that powers are of."""
    value = -0.5 * np.sum(position * (data @ position))
    if part.shape[0] > 0:
        part[0] = 0.5 * value
    return value


def sliced(folder):
    """Slices along the axes."""
    data_type = data_type_of(PRECISION)
    handle = handle_of(compiled_logdensity(value_and_part, data_type), PRECISION, data_type)
    positions, values = np.empty((10, 2)), np.empty(10)
    rng, state = np.random.default_rng(SEED), np.zeros(2)
    compiled_slices()(handle.function, handle.data, rng, state, np.eye(2), 2, positions, values)
    return positions


def mirrored(which, position, step, out, data):
    """A curve: from a position through zero to its mirror image and on, by factors 1 - step."""
    out[:] = (1.0 - step) * position
    return np.log(abs(1.0 - step)) if step != 1.0 else -np.inf


def tempered(folder):
    """Two powers of a density, with curves and jumps; the curve is plain Python, so only without the JIT compiler."""
    data_type = data_type_of(PRECISION)
    handle = handle_of(compiled_logdensity(value_and_part, data_type), PRECISION, data_type)
    curve = handed(mirrored, PRECISION, curve_hands(data_type))
    mixture = Mixture(np.ones(1), np.zeros(1), np.zeros((1, 2)), np.eye(2)[None])
    positions, values, powers = np.empty((10, 2, 2)), np.empty(10), np.array([1.0, 0.1])
    compiled_tempered()(
        handle.function,
        handle.data,
        curve.function,
        curve.data,
        np.log([[0.5, 2.0]]),
        mixture,
        4,
        np.random.default_rng(SEED),
        np.zeros((2, 2)),
        np.stack([np.eye(2), 2.0 * np.eye(2)]),
        powers,
        4,
        positions,
        values,
    )
    return positions[:, 0]


def pathfinder(folder):
    """The nearest normal on the way to the mode, in coordinates that a metric has made round."""
    rng = np.random.default_rng(SEED)
    whitening = Whitening(np.zeros(2), dense_metric(np.linalg.inv(PRECISION)))
    z = rng.standard_normal((3, 2))
    whitening.gradients(gradients(whitening.positions(z))[1])
    return find_path(evaluate, log_densities, np.array([2.0, -1.0]), rng.standard_normal((ELBO_DRAWS, 2)))


def variational(folder):
    """Normals matched to gradients, a mean field with its linear response, candidates."""
    rng = np.random.default_rng(SEED)
    dense = batch_and_match(gradients, DenseNormal.of(np.ones(2), np.eye(2)), DENSE, rng, 32).normal
    batch_and_match(gradients, diagonal_normal(np.ones(2), np.ones(2)), LOW_RANK, rng, 32)
    field = fit_mean_field(gradients, MeanField(np.ones(2), np.ones(2), fixed_draws(rng, 2)))
    response = linear_response(gradients, field)
    drawn = candidates([dense, response.normal], rng, 40)
    log_weights = log_densities(drawn.positions) - drawn.log_density
    log_weights -= np.logaddexp.reduce(log_weights)
    return drawn.positions[resampled(log_weights, 20, rng)]


def in_c(length, position, gradient, logp, data):
    """A density with pointers, as C has it: flat, and written to nothing but its answer."""
    for address in (*range(gradient, gradient + 8 * length, 8), logp):
        ctypes.c_double.from_address(address).value = 0.0
    return 0


def constrained(position):
    """A density of numbers with constraints of every kind."""
    scale, total = constraints.positive_constrain(position[0])
    parts, cuts = constraints.vector_like(position, 2), constraints.vector_like(position, 2)
    factor = constraints.matrix_like(position, 2, 2)
    total = total + constraints.simplex_constrain(position[1:], parts) + constraints.ordered_constrain(position, cuts)
    return total + constraints.cholesky_constrain(position[1:], factor) - scale * parts[0] - cuts[1] ** 2


def doors(folder):
    """Densities of others: C, Python, without a gradient; and the way out to C, which needs the compiler."""
    draws = sample(PythonDensity(evaluate), initial=[0.0, 0.0], chains=1, tune=20, draws=5, random_seed=SEED)
    draws.groups({"left": (), "right": ()})
    CallbackDensity(PLAIN(in_c)).evaluate([0.0, 0.0])
    for differences in (False, True):
        DifferentiatedDensity(constrained, differences=differences).evaluate([0.1, 0.2])
    try:
        return Callback(CompiledDensity(normal, PRECISION), 2)
    except SamplingError as error:
        return str(error)


def counted(folder):
    """Integers that threads share."""
    shared = np.zeros(1, dtype=np.int64)
    store(shared, 0, 3)
    add_one(shared, 0)
    return load(shared, 0)


ALL = (
    nuts,
    metrics,
    replaced,
    checkpointed,
    interrupted,
    failed,
    independent,
    sliced,
    tempered,
    pathfinder,
    variational,
    doors,
    counted,
)


def main(names):
    """Run what is named, or all."""
    threading.settrace(sys.gettrace())  # breakpoints hold in the threads of chains, too
    with tempfile.TemporaryDirectory() as folder:
        for function in ALL:
            if not names or function.__name__ in names:
                function(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
