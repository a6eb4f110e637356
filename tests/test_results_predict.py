"""Predictions against plain loops over draws and rows, in law where they are random, and at their edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import DataError, NutsliteWarning
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.families.record.register import get_family
from nutslite.formula.correlated import effect_groups
from nutslite.formula.design import build_design
from nutslite.formula.formula import Formula
from nutslite.priors.prior import Prior
from nutslite.results.added_groups import store_new_rows, store_prediction
from nutslite.results.container import inference_data as idt
from nutslite.results.container.sample_axes import SampleAxes
from nutslite.results.predictions import parameter_draws
from nutslite.results.predictions.new_groups import PopulationSampler
from nutslite.results.predictions.predict import pointwise_log_likelihood, predict
from nutslite.results.predictions.response_draws import PredictionTask

CHAINS, DRAWS = 2, 30
GAUSSIAN = PredictionTask(get_family("gaussian"), {"mu": "identity", "sigma": "log"})


def frame(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "c": rng.choice(list("abc"), size=n),
            "s": rng.choice(["s1", "s2", "s3", "s4"], size=n),
            "k": rng.integers(0, 5, size=n).astype(float),
            "n": np.full(n, 9.0),
            "w": rng.uniform(0.5, 2, size=n),
        }
    )


@pytest.fixture(scope="module")
def rich():
    """Every kind of term in both parameters of a gaussian model, with its draws."""
    formula = Formula("y ~ x + c + offset(z) + (x + c|s)", "sigma ~ 0 + z + (1|s)")
    design = build_design(formula, frame(), parameters=("mu", "sigma"))
    rng = np.random.default_rng(1)

    def draw(*shape):
        return rng.normal(size=(CHAINS, DRAWS, *shape))

    posterior = {
        "Intercept": draw(),
        "x": draw(),
        "c": draw(2),
        "1|s_sigma": np.abs(draw()),
        "x|s_sigma": np.abs(draw()),
        "c|s_sigma": np.abs(draw(2)),
        "1|s": draw(4),
        "x|s": draw(4),
        "c|s": draw(2, 4),
        "sigma_z": draw(),
        "sigma_1|s_sigma": np.abs(draw()),
        "sigma_1|s": draw(4),
    }
    return design, posterior


PRIORS = {
    "mu": {
        "1|s": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1)),
        "x|s": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1)),
        "c|s": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1)),
    },
    "sigma": {"1|s": Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=1))},
}


def by_hand(posterior, data, groups=True):
    """mu and sigma of the rich model, one draw and one row at a time."""
    mu = np.empty((CHAINS, DRAWS, len(data)))
    log_sigma = np.empty_like(mu)
    levels = {"s1": 0, "s2": 1, "s3": 2, "s4": 3}
    for i, row in enumerate(data.itertuples()):
        dummies = {"a": (0, 0), "b": (1, 0), "c": (0, 1)}[row.c]
        for chain in range(CHAINS):
            for d in range(DRAWS):
                p = {name: values[chain, d] for name, values in posterior.items()}
                s = levels[row.s]
                mu[chain, d, i] = p["Intercept"] + p["x"] * row.x + row.z + np.dot(dummies, p["c"])
                log_sigma[chain, d, i] = p["sigma_z"] * row.z
                if groups:
                    mu[chain, d, i] += p["1|s"][s] + p["x|s"][s] * row.x + np.dot(dummies, p["c|s"][:, s])
                    log_sigma[chain, d, i] += p["sigma_1|s"][s]
    return mu, np.exp(log_sigma)


@pytest.mark.parametrize("groups", [True, False])
def test_parameters_equal_plain_loops(rich, groups):
    design, posterior = rich
    result = predict(posterior, design, GAUSSIAN, include_group_specific=groups)
    mu, sigma = by_hand(posterior, frame(), groups)
    assert list(result.parameters) == ["mu", "sigma"]
    assert result.response == {}
    np.testing.assert_allclose(result.parameters["mu"], mu, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(result.parameters["sigma"], sigma, rtol=1e-12)


def test_new_rows(rich):
    design, posterior = rich
    data = frame(7, seed=9).drop(columns="y")
    result = predict(posterior, design.evaluate(data), GAUSSIAN)
    np.testing.assert_allclose(result.parameters["mu"], by_hand(posterior, data)[0], rtol=1e-12, atol=1e-12)


def test_chunks_do_not_change_parameters(rich, monkeypatch):
    design, posterior = rich
    whole = predict(posterior, design, GAUSSIAN).parameters
    loglik = pointwise_log_likelihood(posterior, design, GAUSSIAN)
    monkeypatch.setattr(parameter_draws, "_CHUNK_NUMBERS", 7 * 40)
    parts = predict(posterior, design, GAUSSIAN).parameters
    np.testing.assert_allclose(parts["mu"], whole["mu"], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(parts["sigma"], whole["sigma"], rtol=1e-13)
    np.testing.assert_allclose(pointwise_log_likelihood(posterior, design, GAUSSIAN), loglik, rtol=1e-12)


def test_older_spellings(rich):
    design, posterior = rich
    np.testing.assert_array_equal(
        predict(posterior, design, GAUSSIAN, kind="mean").parameters["mu"],
        predict(posterior, design, GAUSSIAN, kind="response_params").parameters["mu"],
    )
    old = predict(posterior, design, GAUSSIAN, kind="pps", random_seed=1)
    new = predict(posterior, design, GAUSSIAN, kind="response", random_seed=1)
    np.testing.assert_array_equal(old.response["y"], new.response["y"])


def simple(formula="y ~ x", data=None, parameters=("mu", "sigma"), samples=20_000, **draws):
    design = build_design(formula, frame(5) if data is None else data, parameters=parameters)
    posterior = {name: np.broadcast_to(value, (1, samples, *np.shape(value))) for name, value in draws.items()}
    return design, posterior


def test_responses_follow_the_family():
    design, posterior = simple(Intercept=2.0, x=3.0, sigma=0.5)
    result = predict(posterior, design, GAUSSIAN, kind="response", random_seed=3)
    y = result.response["y"][0]
    assert y.shape == (20_000, 5)
    assert result.parameters == {}
    mu = 2 + 3 * frame(5)["x"].to_numpy()
    np.testing.assert_allclose(y.mean(axis=0), mu, atol=5 * 0.5 / np.sqrt(20_000))
    np.testing.assert_allclose(y.std(axis=0), 0.5, rtol=0.03)
    assert abs(np.corrcoef(y.T) - np.eye(5)).max() < 0.04  # rows are independent given the parameters
    kept = predict(posterior, design, GAUSSIAN, kind="response", random_seed=3, keep_parameters=True)
    np.testing.assert_array_equal(kept.response["y"][0], y)
    np.testing.assert_allclose(kept.parameters["mu"][0, 0], mu)


def test_seeds():
    design, posterior = simple(Intercept=0.0, x=1.0, sigma=1.0, samples=50)
    first, again, other = (
        predict(posterior, design, GAUSSIAN, kind="response", random_seed=seed).response["y"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_counts_and_trials():
    data = frame(6)
    task = PredictionTask(get_family("binomial"), {"p": "logit"})
    design, posterior = simple("p(k, n) ~ 1", data, ("p",), Intercept=0.4)
    y = predict(posterior, design, task, kind="response", random_seed=0).response["p(k, n)"][0]
    assert y.dtype.kind == "i"
    p = 1 / (1 + np.exp(-0.4))
    np.testing.assert_allclose(y.mean(axis=0), 9 * p, atol=5 * np.sqrt(9 * p * (1 - p) / 20_000))
    more = design.evaluate(pd.DataFrame({"n": [100.0, 1.0]}))
    y = predict(posterior, more, task, kind="response", random_seed=0).response["p(k, n)"][0]
    np.testing.assert_allclose(y.mean(axis=0), [100 * p, p], rtol=0.02)
    without = design.evaluate(pd.DataFrame({"q": [1.0, 2.0]}))
    assert predict(posterior, without, task).parameters["p"].shape == (1, 20_000, 2)
    with pytest.raises(DataError, match="needs the trials of every row"):
        predict(posterior, without, task, kind="response")


def test_constant_parameters_that_are_not_in_the_posterior():
    design, posterior = simple(Intercept=0.0, x=0.0)
    task = PredictionTask(get_family("gaussian"), {"mu": "identity"}, constants={"sigma": 3.0})
    y = predict(posterior, design, task, kind="response", random_seed=0).response["y"]
    assert y.std() == pytest.approx(3, rel=0.02)
    with pytest.raises(DataError, match="no variable 'sigma'"):
        predict(posterior, design, GAUSSIAN, kind="response")


def test_parameters_outside_their_support_are_nan_and_said_so():
    data = frame(5)
    data["y"] = [1.0, 2, 3, 4, 5]
    data["x"] = [-1.0, 1, 2, 3, 4]
    design, posterior = simple("y ~ 0 + x", data, ("mu", "alpha"), x=1.0, alpha=2.0, samples=100)
    task = PredictionTask(get_family("gamma"), {"mu": "inverse", "alpha": "log"})
    with pytest.warns(NutsliteWarning, match=r"nan for 100 of 500 .* 'mu' is outside .* link 'inverse'"):
        y = predict(posterior, design, task, kind="response", random_seed=0).response["y"][0]
    assert np.isnan(y[:, 0]).all()
    assert (y[:, 1:] > 0).all()


def test_impossible_responses_are_made_in_the_limit():
    data = frame(5)
    design, posterior = simple("k ~ 1", data, ("mu",), Intercept=60.0, samples=10)
    task = PredictionTask(get_family("poisson"), {"mu": "log"})
    with pytest.warns(NutsliteWarning, match="50 of 50 predicted responses are larger than a whole number of 64 bits"):
        drawn = predict(posterior, design, task, kind="response").response["k"]
    assert (drawn == np.iinfo(np.int64).max).all()


@pytest.mark.parametrize(("kind", "response"), [("poisson", "k"), ("gaussian", "y")])
def test_responses_beyond_numbers_are_said_of_what_was_drawn(kind, response):
    """Of a posterior, where rows may be far from the data, and of a prior, which may be wide."""
    family = get_family(kind)
    design, posterior = simple(f"{response} ~ 1", frame(5), tuple(p.name for p in family.parameters), Intercept=1e4)
    task = PredictionTask(family, {"mu": "log"}, constants={"sigma": 1.0})
    for of_prior, words in ((False, "These rows are far from the data"), (True, "The priors are wide for this link")):
        with pytest.warns(NutsliteWarning) as heard:
            predict(posterior, design, task, kind="response", of_prior=of_prior)
        (text,) = [str(one.message) for one in heard if "predicted responses" in str(one.message)]
        assert words in text
        assert ("prior" in text) == of_prior


# --- new groups ------------------------------------------------------------------------------------------------------


def with_new_groups(design):
    rows = pd.DataFrame(
        {
            "x": [0.0, 2.0, 0.0, 1.0],
            "z": [0.0, 0.0, 0.0, 0.0],
            "c": ["a", "a", "a", "b"],
            "s": ["new", "new", "s1", "other"],
        }
    )
    return design.evaluate(rows), rows


def test_new_groups_must_be_asked_for(rich):
    design, posterior = rich
    evaluated, rows = with_new_groups(design)
    with pytest.raises(DataError, match=r"levels of 's'.*not fitted to: 'new', 'other'\..*sample_new_groups=True"):
        predict(posterior, evaluated, GAUSSIAN)
    with pytest.raises(DataError, match="cannot draw effects"):
        predict(posterior, evaluated, GAUSSIAN, sample_new_groups=True)
    known = predict(posterior, evaluated, GAUSSIAN, include_group_specific=False).parameters["mu"]
    expected = posterior["Intercept"][..., None] + posterior["x"][..., None] * rows["x"].to_numpy()
    np.testing.assert_allclose(known[..., :3], expected[..., :3], rtol=1e-12, atol=1e-12)


def many(posterior, copies=4000, seed=0):
    """The same posterior draw many times, so that what varies is the draw of new groups."""
    return {name: np.repeat(values[:1, :1], copies, axis=1) for name, values in posterior.items()}


def test_new_groups_come_from_the_population(rich):
    design, posterior = rich
    evaluated, _ = with_new_groups(design)
    posterior = many(posterior)
    p = {name: values[0, 0] for name, values in posterior.items()}
    task = PredictionTask(GAUSSIAN.family, GAUSSIAN.links, group_sampler=PopulationSampler(PRIORS))
    result = predict(posterior, evaluated, task, sample_new_groups=True, random_seed=5).parameters
    fixed = predict(posterior, evaluated, task, include_group_specific=False).parameters["mu"]
    effect = (result["mu"] - fixed)[0]
    # rows 0 and 1 are one new group: they differ by its slope alone
    intercept, slope = effect[:, 0], (effect[:, 1] - effect[:, 0]) / 2
    assert intercept.std() == pytest.approx(p["1|s_sigma"], rel=0.05)
    assert slope.std() == pytest.approx(p["x|s_sigma"], rel=0.05)
    assert abs(np.corrcoef(intercept, slope)[0, 1]) < 0.06
    # row 2 is a known group
    np.testing.assert_allclose(effect[:, 2], p["1|s"][0], rtol=1e-10)
    # row 3 is another new group, with the slope of x and the first dummy of c
    expected = np.sqrt(p["1|s_sigma"] ** 2 + p["x|s_sigma"] ** 2 + p["c|s_sigma"][0] ** 2)
    assert effect[:, 3].std() == pytest.approx(expected, rel=0.05)
    assert abs(np.corrcoef(intercept, effect[:, 3])[0, 1]) < 0.06
    assert np.log(result["sigma"][0, :, 0]).std() == pytest.approx(p["sigma_1|s_sigma"], rel=0.05)


def test_new_groups_are_the_same_for_every_kind_and_order_of_rows(rich):
    design, posterior = rich
    _, rows = with_new_groups(design)
    task = PredictionTask(GAUSSIAN.family, GAUSSIAN.links, group_sampler=PopulationSampler(PRIORS))

    def mu(data, **options):
        evaluated = design.evaluate(data)
        return predict(posterior, evaluated, task, sample_new_groups=True, random_seed=2, **options).parameters["mu"]

    straight = mu(rows)
    np.testing.assert_array_equal(mu(rows, kind="response", keep_parameters=True), straight)
    np.testing.assert_allclose(mu(rows.iloc[::-1])[..., ::-1], straight, rtol=1e-12, atol=1e-12)


def test_correlated_new_groups(rich):
    design, posterior = rich
    evaluated, _ = with_new_groups(design)
    correlations = np.array([0.8, 0.0, -0.5, 0.1, 0.2, 0.3])  # of 1, x, c[b], c[c]: x with 1; c[b] with 1, x; ...
    posterior = many({**posterior, "1+x+c|s_corr": np.broadcast_to(correlations, (CHAINS, DRAWS, 6))}, copies=8000)
    sampler = PopulationSampler(PRIORS)
    flat = {name: values[0] for name, values in posterior.items()}
    group = effect_groups(design.predictors, ("s",))[0]
    effects = sampler(np.random.default_rng(0), group, flat, 2)
    assert effects["c|s"].shape == (8000, 2, 2)
    stacked = np.concatenate([effects["1|s"], effects["x|s"], effects["c|s"]], axis=1)
    expected = np.eye(4)
    expected[np.tril_indices(4, -1)] = correlations
    expected = expected + expected.T - np.eye(4)
    for level in (0, 1):
        np.testing.assert_allclose(np.corrcoef(stacked[:, :, level].T), expected, atol=0.05)
    scales = [flat["1|s_sigma"][0], flat["x|s_sigma"][0], *flat["c|s_sigma"][0]]
    np.testing.assert_allclose(stacked.std(axis=(0, 2)), scales, rtol=0.05)
    # and it reaches the predictions
    task = PredictionTask(GAUSSIAN.family, GAUSSIAN.links, group_sampler=sampler)
    mu = predict(posterior, evaluated, task, sample_new_groups=True, random_seed=0).parameters["mu"][0]
    slope = (mu[:, 1] - mu[:, 0]) / 2
    assert np.corrcoef(mu[:, 0], slope)[0, 1] == pytest.approx(0.8, abs=0.03)


def test_other_priors_of_groups():
    data = frame(30)
    design = build_design("y ~ 1 + (1|s)", data, parameters=("mu", "sigma"))
    n = 20_000
    (group,) = effect_groups(design.predictors, ())
    posterior = {"1|s": np.zeros((n, 4)), "1|s_nu": np.full(n, 5.0), "1|s_mu": np.full(n, 10.0)}
    laplace = PopulationSampler({"mu": {"1|s": Prior("Laplace", mu=0, b=10)}})
    effects = laplace(np.random.default_rng(0), group, posterior, 3)["1|s"]
    assert effects.shape == (n, 1, 3)
    assert effects.std() == pytest.approx(10 * np.sqrt(2), rel=0.03)
    prior = Prior("StudentT", nu=Prior("Gamma", alpha=2, beta=0.1), mu=Prior("Normal", mu=0, sigma=1), sigma=2)
    effects = PopulationSampler({"mu": {"1|s": prior}})(np.random.default_rng(0), group, posterior, 1)["1|s"]
    assert effects.mean() == pytest.approx(10, abs=0.1)
    assert effects.std() == pytest.approx(2 * np.sqrt(5 / 3), rel=0.05)
    normal = PopulationSampler(PRIORS)
    with pytest.raises(DataError, match=r"no variable '1\|s_sigma'"):
        normal(np.random.default_rng(0), group, {"1|s": np.zeros((n, 4))}, 1)


# --- log likelihood --------------------------------------------------------------------------------------------------


def test_log_likelihood_of_every_observation(rich):
    design, posterior = rich
    ours = pointwise_log_likelihood(posterior, design, GAUSSIAN)
    mu, sigma = by_hand(posterior, frame())
    y = frame()["y"].to_numpy()
    expected = -0.5 * np.log(2 * np.pi) - np.log(sigma) - 0.5 * ((y - mu) / sigma) ** 2
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)


def test_log_likelihood_with_constants_trials_and_weights():
    data = frame(12)
    binomial = PredictionTask(get_family("binomial"), {"p": "probit"})
    design, posterior = simple("p(k, n) ~ x", data, ("p",), Intercept=0.1, x=0.3, samples=2)
    p = predict(posterior, design, binomial).parameters["p"][0, 1]
    expected = pointwise_loglik(get_family("binomial"), data[["k", "n"]].to_numpy().T, {"p": p})
    np.testing.assert_allclose(pointwise_log_likelihood(posterior, design, binomial)[0, 1], expected, rtol=1e-10)
    design, posterior = simple("weighted(y, w) ~ x", data, Intercept=0.1, x=0.3, sigma=0.7, samples=2)
    mu = predict(posterior, design, GAUSSIAN).parameters["mu"][0, 0]
    expected = pointwise_loglik(get_family("gaussian"), data["y"], {"mu": mu, "sigma": 0.7}) * data["w"].to_numpy()
    np.testing.assert_allclose(pointwise_log_likelihood(posterior, design, GAUSSIAN)[0, 0], expected, rtol=1e-10)


def test_log_likelihood_of_new_rows(rich):
    design, posterior = rich
    data = frame(6, seed=4)
    ours = pointwise_log_likelihood(posterior, design.evaluate(data, response=True), GAUSSIAN)
    mu, sigma = by_hand(posterior, data)
    expected = -0.5 * np.log(2 * np.pi) - np.log(sigma) - 0.5 * ((data["y"].to_numpy() - mu) / sigma) ** 2
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)
    with pytest.raises(DataError, match="needs the response 'y'"):
        pointwise_log_likelihood(posterior, design.evaluate(data), GAUSSIAN)


# --- mistakes and storage --------------------------------------------------------------------------------------------


def test_draws_of_another_model_are_refused(rich):
    design, posterior = rich
    with pytest.raises(DataError, match="no variable 'c'"):
        predict({name: values for name, values in posterior.items() if name != "c"}, design, GAUSSIAN)
    with pytest.raises(DataError, match=r"'1\|s' has 3 element\(s\) per draw in the posterior, but the model has 4"):
        predict({**posterior, "1|s": posterior["1|s"][..., :3]}, design, GAUSSIAN)
    with pytest.raises(DataError, match="same"):
        predict({**posterior, "x": posterior["x"][:, :5]}, design, GAUSSIAN)
    with pytest.raises(DataError, match=r"not 'respons'\. Did you mean 'response'\?"):
        predict(posterior, design, GAUSSIAN, kind="respons")


@pytest.mark.parametrize("generation", ["installed", "tree"])
def test_storing(rich, generation, monkeypatch):
    if generation == "tree":
        monkeypatch.setattr(idt, "arviz_major", lambda: 1)
    design, posterior = rich
    dims = {
        "c": ("c_dim",), "c|s_sigma": ("c__expr_dim",), "1|s": ("s__factor_dim",), "x|s": ("s__factor_dim",),
        "c|s": ("c__expr_dim", "s__factor_dim"), "sigma_1|s": ("s__factor_dim",),
    }  # fmt: skip
    coords = {"c_dim": ["b", "c"], "c__expr_dim": ["b", "c"], "s__factor_dim": ["s1", "s2", "s3", "s4"]}
    idata = idt.to_inference_data({"posterior": posterior}, dims=dims, coords=coords)
    arrays, _, _ = idt.named_arrays(idt.posterior_dataset(idata))
    prediction = predict(arrays, design, GAUSSIAN, kind="response", random_seed=0, keep_parameters=True)
    axes = SampleAxes.of(idt.posterior_dataset(idata))
    store_prediction(idata, prediction, axes, GAUSSIAN)
    stored = idt.posterior_dataset(idata)
    assert stored["mu"].dims == stored["sigma"].dims == ("chain", "draw", "__obs__")
    assert stored["c|s"].dims == ("chain", "draw", "c__expr_dim", "s__factor_dim")
    responses = idt.get_group(idata, "posterior_predictive")
    np.testing.assert_array_equal(responses["y"].values, prediction.response["y"])
    # new rows have a group of their own, and the columns that they are made from another
    arrays, _, _ = idt.named_arrays(idt.posterior_dataset(idata))
    new = frame(3)
    fewer = design.evaluate(new)
    options = {"kind": "response", "keep_parameters": True}
    store_new_rows(idata, predict(arrays, fewer, GAUSSIAN, **options), axes, GAUSSIAN, new[list(fewer.used_columns)])
    rows = idt.get_group(idata, "predictions")
    assert rows["mu"].shape == rows["y"].shape == (CHAINS, DRAWS, 3)
    assert idt.posterior_dataset(idata)["mu"].shape == idt.get_group(idata, "posterior_predictive")["y"].shape
    assert idt.posterior_dataset(idata)["mu"].sizes["__obs__"] == design.n_rows
    assert set(idt.get_group(idata, "predictions_constant_data").data_vars) == set(fewer.used_columns)
