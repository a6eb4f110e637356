"""Peers of `many_fits.py`: fits to some segments by nutpie or numpyro, in an environment of their own.

``python many_fits_peer.py '{"engine": "nutpie", "mode": "once", ...}'`` reads the segments' columns from an ``.npz``
file and prints one line of JSON: seconds of wall time and of processors for each fit, the same for a table of it, and
means. The table is that of `arviz.summary`, which has what `fit_many` gives: means, intervals, R-hat, effective sizes.

Two modes. ``each``: model, compilation and sampling for every segment, as in the loop that one writes first. ``once``:
the model is compiled for the first segment, and the others only change its data, which is the fastest loop that the
packages' documents show.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import arviz
import numpy as np

Fit = Callable[[Any, Any, int], Any]


def processor_seconds() -> float:
    """Of this process, its threads, and processes that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def means_of(draws: dict[str, np.ndarray]) -> dict[str, float]:
    """Posterior means by our names."""
    return {name: float(np.mean(draws[name])) for name in ("Intercept", "x1", "x2")}


def nutpie_fits(order: dict[str, Any]) -> Fit:
    """Of a PyMC model by nutpie; each gives its results."""
    import nutpie
    import pymc as pm

    compiled: list[Any] = []

    def compile_for(x: Any, y: Any) -> Any:
        with pm.Model() as model:
            data = pm.Data("x", x), pm.Data("y", y)
            b = [pm.Normal(name, 0.0, 2.5) for name in ("Intercept", "x1", "x2")]
            eta = b[0] + b[1] * data[0][:, 0] + b[2] * data[0][:, 1]
            if order["family"] == "gaussian":
                pm.Normal("response", eta, pm.HalfNormal("sigma", 2.5), observed=data[1])
            else:
                pm.Bernoulli("response", logit_p=eta, observed=data[1])
        return nutpie.compile_pymc_model(model)

    def fit(x: Any, y: Any, seed: int) -> Any:
        if order["mode"] == "each" or not compiled:
            compiled[:] = [compile_for(x, y)]
        return nutpie.sample(
            compiled[0].with_data(x=x, y=y),
            draws=order["draws"],
            chains=order["chains"],
            cores=order["cores"],
            seed=seed,
            progress_bar=False,
        )

    return fit


def numpyro_fits(order: dict[str, Any]) -> Fit:
    """Of a numpyro model, all chains in one vectorised program, its fastest way on few cores; each gives draws."""
    import jax
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    def model(x: Any, y: Any) -> None:
        b = [numpyro.sample(name, dist.Normal(0.0, 2.5)) for name in ("Intercept", "x1", "x2")]
        eta = b[0] + b[1] * x[:, 0] + b[2] * x[:, 1]
        if order["family"] == "gaussian":
            numpyro.sample("response", dist.Normal(eta, numpyro.sample("sigma", dist.HalfNormal(2.5))), obs=y)
        else:
            numpyro.sample("response", dist.Bernoulli(logits=eta), obs=y)

    def sampler() -> Any:
        return MCMC(
            NUTS(model),
            num_warmup=order["tune"],
            num_samples=order["draws"],
            num_chains=order["chains"],
            chain_method="vectorized",
            progress_bar=False,
        )

    kept = sampler()

    def drawn(key: Any, x: Any, y: Any) -> Any:
        kept.run(key, x, y)
        return kept.get_samples()

    compiled = jax.jit(drawn)  # the whole run: `run` alone compiles its initialisation again for every data set

    def fit(x: Any, y: Any, seed: int) -> Any:
        key = jax.random.PRNGKey(seed)
        if order["mode"] == "once":
            return {name: np.asarray(draws) for name, draws in compiled(key, x, y).items()}
        mcmc = sampler()
        mcmc.run(key, x, y)
        return {name: np.asarray(draws) for name, draws in mcmc.get_samples().items()}

    return fit


def table_of(results: Any, order: dict[str, Any]) -> dict[str, np.ndarray]:
    """Make the table of a fit; its draws by name."""
    if not hasattr(results, "posterior"):
        shape = (order["chains"], order["draws"])
        results = arviz.from_dict({"posterior": {name: draws.reshape(shape) for name, draws in results.items()}})
    table = arviz.summary(results)
    if not {"mean", "sd", "r_hat", "ess_bulk", "ess_tail"}.issubset(table.columns):
        raise ValueError(f"the table has {list(table.columns)}")
    return {name: results.posterior[name].values for name in ("Intercept", "x1", "x2")}


def main() -> None:
    """Fit, and print what it took."""
    order = json.loads(sys.argv[1])
    with np.load(order["data"]) as stored:
        columns = {name: stored[name] for name in stored.files}
    x, y = columns["x"], columns["y"].astype(float if order["family"] == "gaussian" else np.int64)
    fit = {"nutpie": nutpie_fits, "numpyro": numpyro_fits}[order["engine"]](order)
    if order["mode"] == "once":
        table_of(fit(x[0], y[0], 0), order)  # compiles, off the clock
    names = ("wall", "processors", "table wall", "table processors")
    found: dict[str, list[Any]] = {name: [] for name in (*names, "means")}
    for place in range(order["segments"]):
        before = time.perf_counter(), processor_seconds()
        results = fit(x[place], y[place], place)
        between = time.perf_counter(), processor_seconds()
        found["means"].append(means_of(table_of(results, order)))
        for name, first, last in zip(
            names,
            (*before, *between),
            (*between, time.perf_counter(), processor_seconds()),
            strict=True,
        ):
            found[name].append(last - first)
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
