"""One engine, one case, one process: what `peers.py` starts. It runs under the engine's own Python.

``python engine_run.py '{"engine": ..., "case": {...}, ...}'``. The data file is read, the model built, sampled and
summarised, and only then, off the clock, are draws written to ``<out>.npz`` and figures to ``<out>.json``. Nothing of
this benchmark but this file is imported, so an environment of peers needs no nutslite and ours needs no peers.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
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


class Clock:
    """Seconds since the parent started this process, by stage."""

    def __init__(self, started: float) -> None:
        self.started = started
        self.stages: dict[str, float] = {}

    def mark(self, stage: str) -> None:
        """Note that `stage` ended now."""
        self.stages[stage] = time.time() - self.started


def read_data(path: str) -> Any:
    """The case's columns as a DataFrame."""
    import numpy as np
    import pandas as pd

    with np.load(path) as columns:
        return pd.DataFrame({name: columns[name] for name in columns.files})


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
    data = read_data(order["data"])
    model = nl.Model(case["formula"], data, family=case["family"], link=case["link"])
    clock.mark("build")
    with OwnTimes() as times:
        results = model.fit(
            draws=case["draws"],
            tune=order["tune"],
            chains=case["chains"],
            cores=order["cores"],
            random_seed=order["seed"],
            progressbar=False,
        )
    clock.mark("fit")
    posterior = results["posterior"].to_dataset() if hasattr(results, "children") else results.posterior
    print(nl.summary(results, var_names=population_names(posterior)))
    clock.mark("summary")
    return {
        "results": results,
        "priors": model.describe(),
        "plan": str(model.plan()),
        "sampling": times.parts(model, posterior.attrs),
        "tune": times.tune,
    }


class OwnTimes:
    """Wall seconds of our chains, warm-up included, and of what happens before and after them.

    ``sampling_time`` in our results is that of one chain's draws; here the time that all chains take on the cores they
    have is needed. Reduction of the data to cross-products, pilot and exact recovery are part of the work, so they
    count too; they are timed a second time in the process, off the clock, because their first time includes the loading
    of compiled code, which no engine's sampling time includes.
    """

    def __init__(self) -> None:
        self.chains = float("nan")
        self.tune = -1
        self.positions: Any = None

    def __enter__(self) -> OwnTimes:
        import importlib

        self.driver: Any = importlib.import_module("nutslite.sampler.sample")
        self.runner: Any = importlib.import_module("nutslite.posterior.run")
        self.run_chains, self.sample = self.driver.run_chains, self.runner.sample

        def run_chains(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return self.run_chains(*arguments, **named)
            finally:
                self.chains = time.perf_counter() - began

        def sample(*arguments: Any, **named: Any) -> Any:
            draws = self.sample(*arguments, **named)
            self.positions, self.tune = draws.positions, int(named["tune"])
            return draws

        self._put(run_chains, sample)
        return self

    def __exit__(self, *_: object) -> None:
        self._put(self.run_chains, self.sample)

    def _put(self, run_chains: Any, sample: Any) -> None:
        vars(self.driver)["run_chains"], vars(self.runner)["sample"] = run_chains, sample

    def parts(self, model: Any, attrs: Any) -> dict[str, float]:
        """Seconds of all parts of sampling; without NUTS chains (large crossed models) as the results say."""
        if self.positions is None:
            return {"chains": float(attrs["sampling_time"]), "pilot": float(attrs["pilot_time"])}
        return {"chains": self.chains, **self.around(model)}

    def around(self, model: Any) -> dict[str, float]:
        """Seconds of reducing the data, of the pilot, and of the way back from positions to the model's quantities."""
        import numpy as np

        moments = [time.perf_counter()]
        target = model.plan().target()
        moments.append(time.perf_counter())
        target.launch()
        moments.append(time.perf_counter())
        target.natural(self.positions, np.random.default_rng(1))
        moments.append(time.perf_counter())
        reduction, pilot, recovery = (later - earlier for earlier, later in itertools.pairwise(moments))
        return {"reduction": reduction, "pilot": pilot, "recovery": recovery}


# ------------------------------------------------------------------------------------------------------------ peers


def run_bambi(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Fit with Bambi by one of its samplers."""
    import arviz as az
    import bambi as bmb

    clock.mark("import")
    case = order["case"]
    data = read_data(order["data"])
    model = bmb.Model(case["formula"], data, family=case["family"], link=case["link"])
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
