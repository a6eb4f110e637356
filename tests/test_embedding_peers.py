"""Doors with the real peers behind them: JAX, PyTorch, PyMC, BlackJAX, nutpie; skipped where these are absent."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.sampler import CallbackDensity, PythonDensity, sample

rng = np.random.default_rng(8)
X = rng.normal(size=50)
Y = 0.5 - 1.5 * X + rng.normal(scale=0.7, size=50)
RUN = {"draws": 500, "tune": 500, "chains": 2, "random_seed": 4}


def logp(intercept, slope, log_sigma):
    """Log posterior of a line, normalising constants left out: standard normal priors of all three."""
    residuals = (Y - intercept - slope * X) * np.exp(-log_sigma)
    return -0.5 * np.sum(residuals**2) - Y.size * log_sigma - 0.5 * (intercept**2 + slope**2 + log_sigma**2)


@functools.cache
def reference() -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of the posterior, by weights over a grid."""
    axes = [np.linspace(0.0, 1.0, 61), np.linspace(-2.0, -1.0, 61), np.linspace(-0.9, 0.3, 61)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    values = np.array([logp(*point) for point in grid])
    weights = np.exp(values - values.max())
    weights /= weights.sum()
    mean = weights @ grid
    return mean, np.sqrt(weights @ (grid - mean) ** 2)


def assert_posterior(positions):
    """Means within five of their standard errors, were the draws half as many as they are."""
    mean, sd = reference()
    flat = positions.reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(axis=0), mean, atol=5.0 * sd.max() / np.sqrt(0.5 * len(flat)))
    np.testing.assert_allclose(flat.std(axis=0), sd, rtol=0.25)


def of_values(values):
    """Values of our model as positions of the reference."""
    return np.stack([values["Intercept"], values["x"], np.log(values["sigma"])], axis=-1)


@functools.cache
def our_model() -> nl.Model:
    """The same line as a model of ours: a normal prior of log sigma is a lognormal one of sigma."""
    priors = {
        "Intercept": nl.Prior("Normal", mu=0.0, sigma=1.0),
        "x": nl.Prior("Normal", mu=0.0, sigma=1.0),
        "sigma": nl.Prior("LogNormal", mu=0.0, sigma=1.0),
    }
    return nl.Model("y ~ x", pd.DataFrame({"x": X, "y": Y}), priors=priors, center_predictors=False)


# ------------------------------------------------------------------------------------------------- ours runs theirs


def test_a_density_of_jax():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy

    def of_jax(position):
        intercept, slope, log_sigma = position
        residuals = (Y - intercept - slope * X) * jnp.exp(-log_sigma)
        return -0.5 * jnp.sum(residuals**2) - Y.size * log_sigma - 0.5 * jnp.sum(position**2)

    density = PythonDensity(jax.jit(jax.value_and_grad(of_jax)), parallel=True)
    assert density.evaluate([0.1, 0.2, 0.3])[0] == pytest.approx(logp(0.1, 0.2, 0.3), rel=1e-12)
    assert_posterior(sample(density, initial=np.zeros(3), **RUN).positions)


def test_a_density_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x, y = torch.tensor(X), torch.tensor(Y)

    def of_torch(position):
        at = torch.tensor(position, requires_grad=True)
        residuals = (y - at[0] - at[1] * x) * torch.exp(-at[2])
        value = -0.5 * (residuals**2).sum() - y.numel() * at[2] - 0.5 * (at**2).sum()
        (gradient,) = torch.autograd.grad(value, at)
        return value.item(), gradient

    density = PythonDensity(of_torch, parallel=True)
    assert density.evaluate([0.1, 0.2, 0.3])[0] == pytest.approx(logp(0.1, 0.2, 0.3), rel=1e-12)
    assert_posterior(sample(density, initial=np.zeros(3), **RUN).positions)


def pymc_model():
    pm = pytest.importorskip("pymc", reason="PyMC is not installed")
    with pm.Model() as model:
        intercept, slope, log_sigma = pm.Normal("a"), pm.Normal("b"), pm.Normal("c")
        pm.Normal("y", intercept + slope * X, pm.math.exp(log_sigma), observed=Y)
    return model


def test_a_model_of_pymc():
    model = pymc_model()
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    density = PythonDensity(function)
    constant = -0.5 * (Y.size + 3) * np.log(2.0 * np.pi)
    assert density.evaluate([0.1, 0.2, 0.3])[0] == pytest.approx(logp(0.1, 0.2, 0.3) + constant, rel=1e-10)
    assert_posterior(sample(density, initial=np.zeros(3), **RUN).positions)


def test_a_model_of_pymc_that_nutpie_has_compiled():
    nutpie = pytest.importorskip("nutpie", reason="nutpie is not installed")
    compiled = nutpie.compile_pymc_model(pymc_model(), backend="numba")
    density = CallbackDensity(compiled.compiled_logp_func, compiled.user_data)
    constant = -0.5 * (Y.size + 3) * np.log(2.0 * np.pi)
    assert density.evaluate([0.1, 0.2, 0.3])[0] == pytest.approx(logp(0.1, 0.2, 0.3) + constant, rel=1e-10)
    assert_posterior(sample(density, initial=np.zeros(3), **RUN).positions)


# ------------------------------------------------------------------------------------------------- theirs run ours


def test_blackjax_runs_our_model():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    blackjax = pytest.importorskip("blackjax", reason="BlackJAX is not installed")
    jax.config.update("jax_enable_x64", True)
    density = our_model().logdensity
    shapes = (jax.ShapeDtypeStruct((), float), jax.ShapeDtypeStruct((density.dimension,), float))

    def both(position):
        return jax.pure_callback(lambda at: tuple(map(np.asarray, density(at))), shapes, position)

    @jax.custom_vjp
    def logdensity(position):
        return both(position)[0]

    logdensity.defvjp(both, lambda gradient, change: (change * gradient,))
    key = jax.random.key(1)
    warmup = blackjax.window_adaptation(blackjax.nuts, logdensity)
    (state, parameters), _ = warmup.run(key, density.initial, num_steps=400)
    step = jax.jit(blackjax.nuts(logdensity, **parameters).step)
    positions = []
    for each in jax.random.split(key, 800):
        state, _ = step(each, state)
        positions.append(np.asarray(state.position))
    draws = np.array(positions)[None]
    results = our_model().results_of(draws)
    assert_posterior(of_values({name: np.asarray(results["posterior"][name]) for name in ("Intercept", "x", "sigma")}))


def test_nutpie_runs_our_model():
    nutpie = pytest.importorskip("nutpie", reason="nutpie is not installed")
    from nutpie.compiled_pyfunc import from_pyfunc

    model = our_model()
    density = model.logdensity
    names = [free.name for free in model.layout]

    compiled = from_pyfunc(
        density.dimension,
        lambda: density,
        lambda *_: model.constrain,
        [np.dtype("float64")] * 3,
        [()] * 3,
        names,
        make_initial_point_fn=lambda seed: density.initial,
    )
    trace = nutpie.sample(compiled, draws=500, tune=400, chains=2, cores=1, seed=1, progress_bar=False)
    values = {name: np.asarray(trace["posterior"][name]) for name in names}
    assert_posterior(of_values(values))
