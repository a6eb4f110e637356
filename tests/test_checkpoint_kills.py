"""Whole fits killed at random moments, on every path that has a checkpoint: the draws are those of one run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")

FIT = textwrap.dedent(
    """
    import sys
    import numpy as np
    import nutslite.posterior.marginal.prices as prices
    import nutslite.sampler.worker as worker
    from nutslite import Model
    from nutslite._log import log
    from nutslite.results.container.inference_data import get_group, group_names
    from small_models import grouped_data

    path, checkpoint, out, draws = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    worker.BLOCK_SECONDS = 0.002
    log.setLevel("ERROR")
    if path == "large":  # as if there were too many columns for the other marginal path
        prices.LARGE_RISK = -1e9
    formula, family, rows = {
        "joint": ("b ~ x + (x|g)", "bernoulli", (120, 8)),
        "marginal": ("y ~ x + (x|g) + (1|h)", "gaussian", (120, 8)),
        "large": ("y ~ x + (1|g) + (1|h)", "gaussian", (400, 40)),
    }[path]
    model = Model(formula, grouped_data(*rows), family=family)
    plan = model.plan()
    assert plan.path == ("joint" if path == "joint" else "marginal")
    assert bool(plan.reduction is not None and plan.reduction.large) == (path == "large")
    print("fits", flush=True)
    results = model.fit(draws, plan=plan, chains=3, cores=2, random_seed=7, progressbar=False, checkpoint=checkpoint,
                        compute_convergence_checks=False, discard_tuned_samples=path == "large")
    groups = {name: get_group(results, name) for name in group_names(results) if name != "observed_data"}
    arrays = {f"{group} {name}": found[name].values for group, found in groups.items() for name in found.data_vars}
    np.savez(out, **{name: values for name, values in arrays.items() if not name.endswith("perf_counter_start")})
    """
)


@pytest.fixture
def start(tmp_path):
    """Start a fit in a process of its own; it has begun to fit when this returns."""
    script = tmp_path / "fit.py"
    script.write_text(FIT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    started = []

    def begin(path, checkpoint, out, draws):
        arguments = [path, tmp_path / checkpoint, tmp_path / out, str(draws)]
        process = subprocess.Popen(
            [sys.executable, script, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        assert process.stdout.readline() == "fits\n", process.stderr.read()
        return process

    yield begin
    for process in started:
        process.kill()


def finished(process):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def killed_at_size(process, checkpoint, size, pause):
    """Whether it was killed, a moment after its checkpoint had that size, before it was done."""
    while process.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_size >= size):
        time.sleep(0.001)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def assert_same_arrays(one, other):
    with np.load(one) as left, np.load(other) as right:
        assert set(left.files) == set(right.files)
        assert len(left.files) > 8
        for name in left.files:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)


DRAWS = {"joint": 600, "marginal": 1500, "large": 300}


SLOW = [pytest.param(path, marks=pytest.mark.slow) for path in ("joint", "large")]


@pytest.mark.parametrize("path", ["marginal", *SLOW])
def test_killed_at_random_moments_a_fit_ends_with_the_same_draws(tmp_path, start, path):
    """Before its first record, in warm-up and burn-in, between draws: never another number in the end."""
    finished(start(path, "whole.ckpt", "whole.npz", DRAWS[path]))
    total = (tmp_path / "whole.ckpt").stat().st_size
    checkpoint, chooser = tmp_path / "killed.ckpt", random.Random(path)
    shares = [0.0, *sorted(chooser.uniform(0.0, 0.9) for _ in range(3))]
    killed = []
    for share in shares:
        process = start(path, "killed.ckpt", "killed.npz", DRAWS[path])
        killed.append(killed_at_size(process, checkpoint, share * total, chooser.uniform(0.0, 0.01)))
        assert not killed[-1] or not (tmp_path / "killed.npz").exists()
    assert killed == [True] * len(shares)
    size = checkpoint.stat().st_size
    assert 0 < size < 1.02 * total
    finished(start(path, "killed.ckpt", "killed.npz", DRAWS[path]))
    assert checkpoint.stat().st_size > size
    assert_same_arrays(tmp_path / "killed.npz", tmp_path / "whole.npz")
