"""One engine, one case, one process: what `peers.py` starts. It runs under the engine's own Python.

``python engine_run.py '{"engine": ..., "case": {...}, ...}'``. The data file is read, the model built, sampled and
summarised, and only then, off the clock, are draws written to ``<out>.npz`` and figures to ``<out>.json``. Nothing of
this benchmark but this file is imported, so an environment of peers needs no nutslite and ours needs no peers.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import sys
import time
from typing import Any

STATISTICS = {"n_steps": ("n_steps", "num_steps"), "diverging": ("diverging",), "tree_depth": ("tree_depth",)}
PACKAGES = {
    "ours": ("numba", "numpy", "arviz"),
    "nutpie": ("bambi", "pymc", "nutpie", "pytensor", "numba"),
    "numpyro": ("bambi", "pymc", "numpyro", "jax", "pytensor"),
    "pymc": ("bambi", "pymc", "pytensor", "numba"),
}

LONG_SECONDS = 20.0
OF_POPULATION = r"^[^|]+$|_sigma$|_corr"
"""Names of ours that are not effects of groups: told by name, as to look into the results loads ArviZ and xarray."""


class Clock:
    """Seconds since the parent started this process, by stage."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.stages: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """Note that `stage` ended now."""
        self.stages[stage] = time.time() - self.started


def read_data(order: dict[str, Any]) -> Any:
    """The case's columns as a DataFrame."""
    import numpy as np
    import pandas as pd

    with np.load(order["data"]) as columns:
        frame = pd.DataFrame({name: columns[name] for name in columns.files})
    for name in order["case"].get("ordered", ()):
        frame[name] = pd.Categorical(frame[name], ordered=True)
    return frame


def population_names(posterior: Any) -> list[str]:
    """Variables without a dimension of group levels: what every engine's summary prints."""
    return [name for name, variable in posterior.data_vars.items() if not _has_levels(variable)]


def _has_levels(variable: Any) -> bool:
    return any(str(dim).endswith("__factor_dim") for dim in variable.dims)


# ------------------------------------------------------------------------------------------------------------- ours


def run_ours(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Fit with nutslite: its own default warm-up, as many draws as the others."""
    import nutslite as nl

    clock.mark("import")
    case = order["case"]
    data = read_data(order)
    model = nl.Model(case["formula"], data, case["family"], priors=priors_of(case, nl.Prior), link=case["link"])
    clock.mark("build")
    options = {"draws": case["draws"], "tune": order["tune"], "chains": case["chains"], "cores": order["cores"]}
    results = model.fit(**options, random_seed=order["seed"], progressbar=False)
    clock.mark("fit")
    print(summary := nl.summary(results, OF_POPULATION, filter_vars="regex"))
    clock.mark("summary")
    posterior = results["posterior"].to_dataset() if hasattr(results, "children") else results.posterior
    if {row.split("[")[0] for row in summary.index} != set(population_names(posterior)):
        raise AssertionError("the summary was not that of the population's parameters")
    return {
        "results": results,
        "priors": model.describe(),
        "plan": str(model.plan()),
        "sampling": own_seconds(model, options, order["seed"], posterior.attrs),
        "tune": int(posterior.attrs["tuning_steps"]),
        "method": str(posterior.attrs["inference_method"]),
    }


def priors_of(case: dict[str, Any], prior: Any) -> dict[str, Any]:
    """The case's own priors, in the engine's class of priors."""
    return {
        term: {name: prior(density, **arguments) for name, (density, arguments) in own.items()}
        for term, own in case["priors"].items()
    }


def own_seconds(model: Any, options: dict[str, Any], seed: int, attrs: Any) -> dict[str, float]:
    """Wall seconds of our sampling by part: reduction of the data, pilot, chains with their warm-up, exact recovery.

    They are those of a second, equal run in the same process, off the clock: the first includes the loading of compiled
    code, which no engine's sampling time includes. Runs of many seconds are not made twice.
    """
    from nutslite.posterior.methods.settings import Settings
    from nutslite.posterior.run.run import run

    if attrs["sampling_time"] > LONG_SECONDS:
        return {"chains": float(attrs["sampling_time"]), "pilot": float(attrs["pilot_time"])}
    began = time.perf_counter()
    plan = model.plan()
    reduction = time.perf_counter() - began
    seconds = run(plan, Settings(**options, random_seed=seed, progressbar=False)).seconds
    parts = {"chains": seconds["sampling"], "pilot": seconds["pilot"], "recovery": seconds["recovery"]}
    return {"reduction": reduction, **parts}


# ------------------------------------------------------------------------------------------------------------ peers


def run_bambi(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Fit with Bambi by one of its samplers."""
    import arviz as az
    import bambi as bmb

    clock.mark("import")
    case = order["case"]
    data = read_data(order)
    priors = priors_of(case, bmb.Prior) or None
    model = bmb.Model(case["formula"], data, family=case["family"], priors=priors, link=case["link"])
    model.build()
    clock.mark("build")
    times = NumpyroTimes() if order["engine"] == "numpyro" else contextlib.nullcontext()
    with times:
        results = model.fit(
            draws=case["draws"],
            tune=case["tune"] if order["tune"] is None else order["tune"],
            chains=case["chains"],
            cores=order["cores"],
            random_seed=order["seed"],
            inference_method=order["engine"],
            progressbar=False,
        )
    clock.mark("fit")
    print(az.summary(results, var_names=population_names(results["posterior"])))
    clock.mark("summary")
    sampling = {"chains": float(results["posterior"].attrs["sampling_time"])}
    if isinstance(times, NumpyroTimes):
        sampling = {"chains": times.running - times.compiling, "compiling": times.compiling}
    return {
        "results": results,
        "priors": str(model),
        "plan": "",
        "sampling": sampling,
        "tune": case["tune"] if order["tune"] is None else order["tune"],
    }


class NumpyroTimes:
    """Wall seconds of numpyro's chains without what JAX spends on tracing and compiling for them.

    What PyMC reports as sampling time includes compilation, partly of later steps while chains already run.
    """

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self.inside = False
        self.running = 0.0

    @property
    def compiling(self) -> float:
        """Length of the union of the spans: tracing one function may trace and compile another."""
        total, reached = 0.0, float("-inf")
        for start, stop in sorted(self.spans):
            total += max(0.0, stop - max(start, reached))
            reached = max(reached, stop)
        return total

    def __enter__(self) -> NumpyroTimes:
        import jax
        import jax.monitoring
        from numpyro.infer import MCMC

        run = MCMC.run

        def timed(sampler: Any, *arguments: Any, **named: Any) -> None:
            began = time.perf_counter()
            self.inside = True
            run(sampler, *arguments, **named)
            self.inside = False
            jax.block_until_ready(sampler._states)
            self.running = time.perf_counter() - began

        def listen(event: str, seconds: float, **_: Any) -> None:
            if self.inside and event.startswith("/jax/core/compile/"):
                now = time.perf_counter()
                self.spans.append((now - seconds, now))

        self.sampler, self.run = MCMC, run
        MCMC.run = timed
        jax.monitoring.register_event_duration_secs_listener(listen)
        return self

    def __exit__(self, *_: object) -> None:
        self.sampler.run = self.run


# ------------------------------------------------------------------------------------------------------------- both


def write(order: dict[str, Any], ran: dict[str, Any], clock: Clock) -> None:
    """Draws to ``<out>.npz``, figures to ``<out>.json``."""
    import numpy as np

    results = ran.pop("results")
    posterior, stats = results["posterior"], results["sample_stats"]
    arrays = {
        f"posterior {name}": variable.transpose("chain", "draw", ...).to_numpy()
        for name, variable in posterior.data_vars.items()
    }
    for name, spellings in STATISTICS.items():
        for spelling in spellings:
            if spelling in stats:
                arrays[f"stats {name}"] = stats[spelling].transpose("chain", "draw").to_numpy()
    np.savez(f"{order['out']}.npz", **arrays)
    figures = {**ran, "stages": clock.stages, "versions": _versions(order["engine"])}
    with open(f"{order['out']}.json", "w", encoding="utf-8") as file:
        json.dump(figures, file)


def _versions(engine: str) -> dict[str, str]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES[engine]}
    if engine == "ours":
        import nutslite

        versions["nutslite"] = nutslite.__version__
    return {"python": ".".join(map(str, sys.version_info[:3])), **versions}


def main() -> None:
    """Run the order that the first argument holds as JSON."""
    order = json.loads(sys.argv[1])
    clock = Clock(order["started"])
    if order["engine"] == "ours":
        sys.path.insert(0, order["root"])
    ran = (run_ours if order["engine"] == "ours" else run_bambi)(order, clock)
    sys.stdout.flush()
    write(order, ran, clock)
    os._exit(0)  # some engines' threads take seconds to notice that the work is done


if __name__ == "__main__":
    main()
