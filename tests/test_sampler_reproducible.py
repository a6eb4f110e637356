"""The same seed gives the same numbers in another process, with other threads, hash seeds and blocks of transitions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import hashlib, json, sys
import numpy as np
from small_models import GAUSSIAN, GENERAL, grouped_data, small_model
from nutslite.model import Model
from nutslite.posterior.marginal import prices
from nutslite.sampler import worker

cores, worker.BLOCK_SECONDS = int(sys.argv[1]), float(sys.argv[2])
FIT = {"draws": 12, "tune": 60, "chains": 3, "cores": cores, "random_seed": 11, "progressbar": False}
crossed, counts = small_model(GAUSSIAN["crossed"]), small_model(GENERAL["poisson with offset"])


def digest(group):
    parts = hashlib.sha256()
    for name in sorted(group.data_vars):
        values = np.ascontiguousarray(group[name].values)
        parts.update(name.encode() + str(values.shape).encode() + values.tobytes())
    return parts.hexdigest()


def predicted(model, results, **options):
    copy = model.predict(results, kind="response", inplace=False, random_seed=5, **options)
    return digest(copy["predictions" if "data" in options else "posterior_predictive"])


found, joint = {}, counts.fit(**FIT)
found["joint, pilot"] = digest(joint.posterior)
found["joint, adapting"] = digest(counts.fit(**FIT, pilot=False).posterior)
marginal = crossed.fit(**FIT)
assert marginal.posterior.attrs.get("plan", marginal.attrs.get("plan")) == "marginal"
found["marginal"] = digest(marginal.posterior)
found["correlated"] = digest(small_model(GAUSSIAN["correlated slopes"]).fit(**FIT, plan="joint").posterior)
few = small_model({"formula": "b ~ x + z", "family": "bernoulli"})
few = few.fit(draws=60, chains=3, cores=cores, random_seed=11, progressbar=False)
assert few.posterior.attrs["inference_method"] == "independence"
found["independence"] = digest(few.posterior)
LAPLACE = {"draws": 12, "chains": 3, "random_seed": 11, "inference_method": "laplace"}
found["laplace, joint"] = digest(counts.fit(**LAPLACE).posterior)
found["laplace, marginal"] = digest(crossed.fit(**LAPLACE).posterior)
PATHFINDER = {**LAPLACE, "inference_method": "pathfinder", "cores": cores, "compute_convergence_checks": False}
found["pathfinder, joint"] = digest(counts.fit(**PATHFINDER).posterior)
found["pathfinder, marginal"] = digest(crossed.fit(**PATHFINDER).posterior)
found["predictions"] = predicted(counts, joint)
new = grouped_data().head(4).assign(g=["new", "newer", "new", "g1"])
found["predictions, new groups"] = predicted(counts, joint, data=new, sample_new_groups=True)
prior = crossed.prior_predictive(draws=9, random_seed=4)
found["prior"] = digest(prior.prior)
found["prior predictive"] = digest(prior.prior_predictive)
prices.LARGE_RISK = -1e9
large = Model("y ~ x + (1|g) + (1|h)", grouped_data())
assert large.plan().reduction.large
found["large marginal"] = digest(large.fit(draws=12, chains=3, random_seed=11, progressbar=False).posterior)
print(json.dumps(found))
"""


def run(cores: int, block_seconds: float, hash_seed: str) -> dict[str, str]:
    """Digests by path, from a fresh process."""
    tests = Path(__file__).resolve().parent
    paths = [str(tests), os.environ.get("PYTHONPATH", ""), str(tests.parent)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(cores), str(block_seconds)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return json.loads(finished.stdout.splitlines()[-1])


PATHS = {
    *("joint, pilot", "joint, adapting", "marginal", "correlated", "independence", "laplace, joint"),
    *("laplace, marginal", "pathfinder, joint", "pathfinder, marginal", "large marginal"),
    *("predictions", "predictions, new groups", "prior", "prior predictive"),
}


def test_another_process_gives_the_same_numbers():
    """Two processes that differ in everything that must not matter; no two of the digests are equal."""
    found = run(1, 0.06, "0")
    assert set(found) == PATHS
    assert len(set(found.values())) == len(found)
    assert run(3, 0.0, "77") == found
