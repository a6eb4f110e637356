"""One approximation of one model in one process: what `approximations.py` starts, under the engine's own Python.

``python approximation_run.py '{"engine": ..., "case": ..., ...}'``. The clock stops when there are draws in memory.
Nothing of the package is imported for a peer, so that an environment of peers needs no nutslite.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from typing import Any

from engine_run import Clock, read_data

DRAWS = 4000
PACKAGES = ("bambi", "pymc", "pymc-extras", "pytensor", "numba")
OF_ROWS = "__obs__"  # the dimension of values of every row


def run_own(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Fit with nutslite."""
    sys.path.insert(0, order["root"])
    from approximation_cases import CASES  # imports nutslite
    from reference_values import shared_folder

    clock.mark("import")
    model = CASES[order["name"]].model(shared_folder() / "data")
    results = model.fit(inference_method=order["engine"], random_seed=order["seed"], progressbar=False)
    clock.mark("draws")
    posterior = results["posterior"].to_dataset() if hasattr(results, "children") else results.posterior
    return {"posterior": posterior, "khat": posterior.attrs.get("khat")}


def run_peer(order: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Build with Bambi, approximate with PyMC or pymc-extras at their default settings."""
    import bambi

    clock.mark("import")
    case = order["case"]
    priors = {name: _prior(bambi, prior) for name, prior in case["priors"].items()}
    data = read_data(order)
    model = bambi.Model(case["formula"], data, family=case["family"], priors=priors or None, **case["options"])
    model.build()
    clock.mark("build")
    backend, engine, khat = model.backend.model, order["engine"], None
    if engine in ("advi", "fullrank_advi"):
        import pymc

        with backend:
            found = pymc.fit(method=engine, random_seed=order["seed"], progressbar=False)
            results = found.sample(DRAWS, random_seed=order["seed"])
    else:
        import pymc_extras

        own = {"dadvi": {"n_draws": DRAWS}, "pathfinder": {}}[engine]
        with backend:
            results = pymc_extras.fit(method=engine, random_seed=order["seed"], progressbar=False, **own)
    clock.mark("draws")
    if engine == "pathfinder":
        khat = _named(results, "pareto_k")
    cleaned = model.backend._clean_results(
        results, True, False
    )  # as `fit` does: the intercept is no longer the centred one
    return {"posterior": cleaned["posterior"].to_dataset(), "khat": khat}


def _prior(bambi: Any, prior: Any) -> Any:
    if not isinstance(prior, dict):
        return prior
    return bambi.Prior(prior["name"], **{name: _prior(bambi, value) for name, value in prior["args"].items()})


def _named(results: Any, name: str) -> float | None:
    """The number of that name, in whichever group it is."""
    for node in results.subtree:
        if name in node.data_vars:
            return float(node[name].to_numpy().ravel()[0])
    return None


def labelled(posterior: Any) -> dict[str, Any]:
    """Draws of every element by label, flat over chains."""
    import numpy as np

    out = {}
    for name, variable in posterior.data_vars.items():
        if OF_ROWS in variable.dims:
            continue
        dims = [dim for dim in variable.dims if dim not in ("chain", "draw")]
        values = variable.transpose("chain", "draw", *dims).to_numpy()
        flat = values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])
        for place in np.ndindex(*flat.shape[1:]):
            words = [str(variable[dim].to_numpy()[i]) for dim, i in zip(dims, place, strict=True)]
            out[f"{name}[{', '.join(words)}]" if words else str(name)] = flat[(slice(None), *place)]
    return out


def main() -> None:
    """Run the order that the first argument holds as JSON."""
    import numpy as np

    order = json.loads(sys.argv[1])
    clock = Clock(order["started"])
    ran = (run_own if order["own"] else run_peer)(order, clock)
    np.savez(f"{order['out']}.npz", **labelled(ran["posterior"]))
    installed = {} if order["own"] else {name: importlib.metadata.version(name) for name in PACKAGES}
    with open(f"{order['out']}.json", "w", encoding="utf-8") as file:
        json.dump({"khat": ran["khat"], "stages": clock.stages, "versions": installed}, file)
    sys.stdout.flush()
    os._exit(0)  # some engines' threads take seconds to notice that the work is done


if __name__ == "__main__":
    main()
