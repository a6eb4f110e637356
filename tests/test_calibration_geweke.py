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
from scipy import stats

from nutslite.calibration.simulation import prediction_task, with_response
from nutslite.formula.formula import Formula
from nutslite.model import Model
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.record.head import BLOCKWISE
from nutslite.posterior.record.transforms import unconstrain
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior
from nutslite.results.predictions.predict import pointwise_log_likelihood, predict
from nutslite.sampler import diagonal_metric, sample

ROWS = 12
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
    columns = {"log likelihood": np.array([log_likelihood(assembled, named, y, i) for i in range(len(y))])}
    for name, values in named.items():
        flat = values.reshape(len(values), -1)
        columns |= {f"{name}[{i}]": flat[:, i] for i in range(flat.shape[1])}
        columns[f"{name}[0] * mean of y"] = flat[:, 0] * y.mean(axis=1)
    columns["mean of y"] = y.mean(axis=1)
    columns["variance of y"] = y.var(axis=1)
    return list(columns), np.stack(list(columns.values()), axis=1)


def log_likelihood(assembled, named, y, i):
    """Of response `i` given parameters `i`."""
    design = with_response(assembled, y[i]).spec.design
    chains = {name: x[i][None, None] for name, x in named.items()}
    return pointwise_log_likelihood(chains, design, prediction_task(assembled)).sum()


def from_the_prior(assembled, draws, rng):
    """Values, effects, and responses given them."""
    values, effects = draw_prior(assembled, draws, rng)
    return values, effects, responses(assembled, assembled.layout.unpack(values, effects), rng)


def position_of(target, values, effects, rng):
    """The sampler's position at which `target.natural` gives these values and effects."""
    head, n_head = target.model.head, target.model.head.transforms.size
    position = np.zeros(target.dimension)
    for i in range(n_head):
        code, (low, high) = head.transforms[i], head.bounds[:, i]
        position[i] = values[i] if code == BLOCKWISE else unconstrain(code, values[i], low, high)
    points = np.tile(position, (1, 1 + effects.size, 1))  # effects are linear in the raw ones
    points[0, 1:, n_head:] = np.eye(effects.size)
    made = target.natural(points, rng)[1][0]
    position[n_head:] = np.linalg.solve((made[1:] - made[0]).T, effects - made[0])
    return position


def after_turns(assembled, start, rng, centring, turns):
    """Where one replicate is after `turns` transitions, a new response between them: values, effects, response."""
    target = JointTarget(assembled, use_pilot=False)
    target.model = target.model._replace(centring=np.full_like(target.model.centring, centring))
    values, effects, y = start
    position = position_of(target, values, effects, rng)
    values, effects = target.natural(position[None, None], rng)
    n_head = target.model.head.transforms.size
    np.testing.assert_allclose(values[0, 0, :n_head], start[0][:n_head], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(effects[0, 0], start[1], rtol=1e-7, atol=1e-7)
    for turn in range(turns):
        if turn > 0:
            y = responses(assembled, assembled.layout.unpack(values[0], effects[0]), rng)[0]
        response = assembled.spec.design.response.values.copy()
        response[0] = y
        prepared = assembled.spec.family.prepare(response)
        target.model = target.model._replace(y=np.ascontiguousarray(prepared, dtype=float))
        drawn = sample(
            target.logdensity,
            target.data,
            data_type=target.data_type,
            initial=position[None],
            metric=diagonal_metric(np.full(target.dimension, 0.3)),
            step_size=0.25,
            max_treedepth=5,
            tune=0,
            draws=2,
            chains=1,
            random_seed=rng,
        )
        position = drawn.positions[0, -1]
        values, effects = target.natural(position[None, None], rng)
    return values[0, 0], effects[0, 0], y


def p_value(assembled, replicates, seed, centring=0.5, turns=4, generator=None):
    """P-value of one distribution before and after the turns, and what differs most.

    `generator` is the model that all starts from, the model itself if left out.
    """
    rng = np.random.default_rng(seed)
    generator = assembled if generator is None else generator
    values, effects, y = from_the_prior(generator, replicates, rng)
    moved = [after_turns(assembled, start, rng, centring, turns) for start in zip(values, effects, y, strict=True)]
    after_values, after_effects, after_y = (np.array(part) for part in zip(*moved, strict=True))
    names, expected = functions(generator, *from_the_prior(generator, 2000, rng))
    _, found = functions(generator, after_values, after_effects, after_y)
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
