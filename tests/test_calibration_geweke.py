"""Geweke's joint distribution test: prior, likelihood, gradient and transitions agree about one joint distribution.

Parameters and a response are drawn from the prior and the likelihood. Then, in turns, the sampler's transition moves
the parameters given the response, and a new response is drawn given the parameters. If the transition leaves the
posterior as it is, parameters and response still have the distribution that they started with (Geweke 2004, Journal of
the American Statistical Association 99:799). Every replicate starts from the exact distribution, so that replicates are
independent and no chain has to converge, which a chain of turns does very slowly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from family_densities import ARRAYS
from scipy import stats

from nutslite._numba import without_dispatch
from nutslite.calibration.simulation import prediction_task
from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.record.head import BLOCKWISE
from nutslite.posterior.record.model_data import reference_to
from nutslite.posterior.record.transforms import unconstrain
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior
from nutslite.results.predictions.predict import predict
from nutslite.sampler import diagonal_metric
from nutslite.sampler.transition.chain import block_signature, compiled_block
from nutslite.sampler.transition.hamiltonian import POSITION
from nutslite.sampler.transition.handle import handle_of
from nutslite.sampler.transition.logdensity import compiled_logdensity
from nutslite.sampler.transition.statistics import STATISTICS
from nutslite.sampler.transition.step_size import new_adaptation
from nutslite.sampler.transition.trajectory import SELECTED, new_workspace

ROWS = 12
MAX_TREEDEPTH = 5
SMALLEST_P = 1e-3  # of a whole test: the smallest p-value times the number of functions


def rows():
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "x": rng.normal(size=ROWS),
            "g": [f"g{i % 3}" for i in range(ROWS)],
            "y": rng.normal(size=ROWS),
            "k": rng.poisson(2.0, ROWS),
        }
    )


NORMAL = Prior("Normal", mu=0.3, sigma=0.6)
GROUPS = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=0.6))
MODELS = {
    "gaussian": {
        "formula": "y ~ x + (x|g)",
        "correlated": True,
        "priors": {
            "Intercept": NORMAL,
            "common": NORMAL,
            "group_specific": GROUPS,
            "sigma": Prior("Gamma", alpha=6, beta=6),
        },
    },
    "negative binomial, alpha modelled": {
        "formula": Formula("k ~ x + (1|g)", "alpha ~ x"),
        "family": "negativebinomial",
        "priors": {
            "Intercept": Prior("Normal", mu=0.2, sigma=0.3),
            "common": Prior("Normal", mu=0.2, sigma=0.3),
            "group_specific": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=0.3)),
            "alpha": {"Intercept": Prior("Normal", mu=1, sigma=0.3), "x": Prior("Normal", mu=0, sigma=0.2)},
        },
    },
}


def build(settings):
    return Model(settings["formula"], rows(), **{k: v for k, v in settings.items() if k != "formula"})


def responses(assembled, named, rng):
    """One response for every draw, shape (draws, rows)."""
    design = assembled.spec.design
    chains = {name: x[None] for name, x in named.items()}
    drawn = predict(chains, design, prediction_task(assembled), kind="response", random_seed=rng).response
    return np.asarray(drawn[design.response.name][0], dtype=float)


def functions(assembled, values, effects, y):
    """Functions of parameters and response, shape (draws, functions), with names."""
    named = assembled.layout.unpack(values, effects)
    columns = {"log likelihood": log_likelihoods(assembled, named, y)}
    for name, values in named.items():
        flat = values.reshape(len(values), -1)
        columns |= {f"{name}[{i}]": flat[:, i] for i in range(flat.shape[1])}
        columns[f"{name}[0] * mean of y"] = flat[:, 0] * y.mean(axis=1)
    columns["mean of y"] = y.mean(axis=1)
    columns["variance of y"] = y.var(axis=1)
    return list(columns), np.stack(list(columns.values()), axis=1)


def log_likelihoods(assembled, named, y):
    """Of each response given the parameters of its draw, shape (draws,), by the textbook's formula."""
    chains = {name: x[None] for name, x in named.items()}
    predicted = predict(chains, assembled.spec.design, prediction_task(assembled)).parameters
    family = assembled.spec.family
    names = [parameter.name for parameter in family.parameters]
    parameters = [predicted[name][0] if name in predicted else named[name][:, None] for name in names]
    return ARRAYS[family.name](y, *parameters).sum(axis=1)


def from_the_prior(assembled, draws, rng):
    """Values, effects, and responses given them."""
    values, effects = draw_prior(assembled, draws, rng)
    return values, effects, responses(assembled, assembled.layout.unpack(values, effects), rng)


def positions_of(target, values, effects, rng):
    """The sampler's positions at which `target.natural` gives these values and effects, a row for each replicate."""
    head, n_head = target.model.head, target.model.head.transforms.size
    replicates, n_effects = effects.shape
    positions = np.zeros((replicates, target.dimension))
    for i in range(n_head):
        code, (low, high) = head.transforms[i], head.bounds[:, i]
        column = values[:, i]
        positions[:, i] = column if code == BLOCKWISE else [unconstrain(code, x, low, high) for x in column]
    points = np.repeat(positions[:, None], 1 + n_effects, axis=1)  # effects are linear in the raw ones
    points[:, 1:, n_head:] = np.eye(n_effects)
    made = target.natural(points, rng)[1]
    slopes = (made[:, 1:] - made[:, :1]).swapaxes(1, 2)
    positions[:, n_head:] = np.linalg.solve(slopes, (effects - made[:, 0])[..., None])[..., 0]
    return positions


class Transitions:
    """Two of the sampler's transitions from a position, given a response: its compiled block, without a thread."""

    def __init__(self, target, rng):
        self.target, self.rng = target, rng
        self.prepare = target.assembled.spec.family.prepare
        self.companions = target.assembled.spec.design.response.values[1:]
        self.priors, self.logliks = target.data[1:]
        self.block = without_dispatch(compiled_block(), block_signature())
        self.logdensity = compiled_logdensity(target.logdensity, target.data_type)
        self.metric = diagonal_metric(np.full(target.dimension, 0.3))
        self.workspace, self.adaptation = new_workspace(target.dimension, MAX_TREEDEPTH), new_adaptation(0.25)
        self.nothing = np.empty((0, target.dimension))
        self.drawn, self.stats = np.empty((2, target.dimension)), np.empty((2, len(STATISTICS)))

    def __call__(self, position, y):
        prepared = self.prepare(np.vstack([y, self.companions]))
        model = self.target.model._replace(y=np.ascontiguousarray(prepared, dtype=float))
        self.workspace.points[SELECTED, POSITION] = position
        adapts, evaluates, searches = False, True, False
        data = reference_to(model), self.priors, self.logliks
        handle = handle_of(self.logdensity, data, self.target.data_type, checked=False)
        self.block(
            handle.function,
            handle.data,
            self.rng,
            self.metric,
            self.workspace,
            self.adaptation,
            0.8,
            MAX_TREEDEPTH,
            adapts,
            evaluates,
            searches,
            self.drawn,
            self.nothing,
            self.stats,
            self.nothing,
        )
        return self.drawn[-1].copy()


def after_turns(assembled, start, rng, centring, turns):
    """Where replicates are after `turns` transitions, new responses between them: values, effects, responses."""
    target = JointTarget(assembled, use_pilot=False)
    target.model = target.model._replace(centring=np.full_like(target.model.centring, centring))
    values, effects, y = start
    positions = positions_of(target, values, effects, rng)
    (values,), (effects,) = target.natural(positions[None], rng)
    n_head = target.model.head.transforms.size
    np.testing.assert_allclose(values[:, :n_head], start[0][:, :n_head], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(effects, start[1], rtol=1e-7, atol=1e-7)
    transitions = Transitions(target, rng)
    for turn in range(turns):
        if turn > 0:
            y = responses(assembled, assembled.layout.unpack(values, effects), rng)
        with np.errstate(all="ignore"):  # without the JIT kernels are NumPy scalars
            positions = np.array([transitions(*replicate) for replicate in zip(positions, y, strict=True)])
        (values,), (effects,) = target.natural(positions[None], rng)
    return values, effects, y


def p_value(assembled, replicates, seed, centring=0.5, turns=4, generator=None):
    """P-value of one distribution before and after the turns, and what differs most.

    `generator` is the model that all starts from, the model itself if left out.
    """
    rng = np.random.default_rng(seed)
    generator = assembled if generator is None else generator
    moved = after_turns(assembled, from_the_prior(generator, replicates, rng), rng, centring, turns)
    names, expected = functions(generator, *from_the_prior(generator, 2000, rng))
    _, found = functions(generator, *moved)
    p = np.array([stats.ks_2samp(found[:, i], expected[:, i]).pvalue for i in range(len(names))])
    return min(1.0, p.min() * p.size), names[int(p.argmin())]


@pytest.mark.parametrize("name", MODELS)
def test_transitions_keep_the_joint_distribution(name):
    p, worst = p_value(build(MODELS[name]).plan("joint").assembled, 250, seed=1)
    assert p > SMALLEST_P, worst


@pytest.mark.slow
@pytest.mark.parametrize("centring", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", MODELS)
def test_transitions_keep_the_joint_distribution_of_many_replicates(name, centring):
    p, worst = p_value(build(MODELS[name]).plan("joint").assembled, 1500, seed=2, centring=centring)
    assert p > SMALLEST_P, worst


def test_another_prior_is_found():
    """Transitions that believe in a wider prior of sigma."""
    settings = MODELS["gaussian"]
    other = {**settings, "priors": {**settings["priors"], "sigma": Prior("Gamma", alpha=6, beta=2)}}
    generator = build(settings).plan("joint").assembled
    p, _ = p_value(build(other).plan("joint").assembled, 250, seed=3, generator=generator)
    assert p < SMALLEST_P


def test_another_likelihood_is_found():
    """Transitions that take every row for three leave another distribution as it is."""
    assembled = build(MODELS["gaussian"]).plan("joint").assembled
    tripled = replace(assembled, data=assembled.data._replace(weights=np.full(ROWS, 3.0)))
    p, _ = p_value(tripled, 250, seed=4)
    assert p < SMALLEST_P
