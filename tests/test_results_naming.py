"""The names and shapes that the posterior room gives to draws are the ones that predictions read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nutslite.families.record.family import compiled_loglik
from nutslite.families.record.register import get_family
from nutslite.formula.design import build_design
from nutslite.formula.formula import Formula
from nutslite.posterior.assembly.assembly import assemble
from nutslite.posterior.density.joint import natural_scale
from nutslite.posterior.density.predictor import fill_eta, with_code_effects
from nutslite.posterior.record.model_data import VARIES
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.record.quantities import take_inventory
from nutslite.priors.choosing import choose_priors
from nutslite.results.container.inference_data import named_arrays, posterior_dataset, to_inference_data
from nutslite.results.predictions.new_groups import PopulationSampler
from nutslite.results.predictions.predict import pointwise_log_likelihood, predict
from nutslite.results.predictions.response_draws import PredictionTask

LINKS = {"mu": "identity", "sigma": "log"}


def fill_row_logliks(data, kernel, values, effects, out):
    """Log likelihoods as the joint density computes them: its linear predictors, the family's kernel."""
    eta = np.empty((data.predictors.shape[0], out.size))
    fill_eta(data, values, with_code_effects(data, values, effects), 0, out.size, eta)
    varies = np.ascontiguousarray(data.predictors[:, VARIES])
    kernel(data.y, data.weights, 0, eta, varies, data.links, out, np.empty_like(eta))


@pytest.fixture(scope="module", params=[{}, {"s": 2.0}], ids=["independent", "correlated"])
def model(request):
    rng = np.random.default_rng(3)
    n = 50
    data = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(2, 1, size=n),
            "c": rng.choice(list("abc"), size=n),
            "s": rng.choice(list("pqrst"), size=n),
        }
    )
    family = get_family("gaussian")
    formula = Formula("y ~ x + c + I(x/10 + c2) + (x + c|s)", "sigma ~ x + (1|s)")
    data["c2"] = rng.normal(size=n)
    design = build_design(formula, data, parameters=("mu", "sigma"))
    priors = choose_priors(
        None, design.predictors, design.response, family="gaussian", link="identity", parent="mu", auxiliary={}
    )
    spec = ModelSpec(design=design, family=family, links=LINKS, priors=priors, correlations=request.param)
    return assemble(spec, take_inventory(spec)), priors, data


def draw_names(assembled, chains=2, draws=6, seed=0):
    """Natural-scale arrays of random positions, and their names."""
    positions = 0.3 * np.random.default_rng(seed).normal(size=(chains, draws, assembled.layout.dimension))
    head_data = assembled.data.head
    values = np.empty((chains * draws, head_data.transforms.size + head_data.fixed.size))
    effects = np.empty((chains * draws, assembled.layout.dimension - assembled.layout.n_head))
    natural_scale(positions.reshape(chains * draws, -1), assembled.data, values, effects)
    values, effects = values.reshape(chains, draws, -1), effects.reshape(chains, draws, -1)
    return values, effects, assembled.layout.unpack(values, effects)


def test_log_likelihood_by_names_is_that_of_the_sampler(model):
    assembled, _, _ = model
    values, effects, named = draw_names(assembled)
    # through the container and back, as a model does it
    layout = assembled.layout
    idata = to_inference_data({"posterior": named}, dims=layout.dims, coords=layout.coords)
    arrays, _, _ = named_arrays(posterior_dataset(idata))
    family = assembled.spec.family
    ours = pointwise_log_likelihood(arrays, assembled.spec.design, PredictionTask(family, LINKS))
    flat = values.reshape(-1, values.shape[-1]), effects.reshape(-1, effects.shape[-1])
    theirs = np.empty((flat[0].shape[0], 50))
    for values, effects, row in zip(*flat, theirs, strict=True):
        fill_row_logliks(assembled.data, compiled_loglik(family), values, effects, row)
    np.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-9, atol=1e-9)


def test_new_groups_by_names(model):
    assembled, priors, data = model
    _, _, named = draw_names(assembled)
    correlations = [name for name in named if name.endswith("_corr")]
    assert bool(correlations) == bool(assembled.spec.correlations)
    rows = data.head(4).assign(s=["p", "new", "new", "other"]).drop(columns="y")
    used = []

    class Recorder(dict):
        """Draws that remember which of them were read."""

        def __getitem__(self, key):
            used.append(key)
            return super().__getitem__(key)

    sampler = PopulationSampler(priors.terms)
    task = PredictionTask(
        assembled.spec.family, LINKS, group_sampler=lambda rng, g, draws, *rest: sampler(rng, g, Recorder(draws), *rest)
    )
    evaluated = assembled.spec.design.evaluate(rows)
    mu = predict(named, evaluated, task, sample_new_groups=True, random_seed=0).parameters["mu"]
    assert np.isfinite(mu).all()
    assert set(correlations) <= set(used)
    assert {"1|s_sigma", "x|s_sigma", "c|s_sigma", "sigma_1|s_sigma"} <= set(used)
