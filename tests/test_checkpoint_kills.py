"""Whole fits killed at random moments, on every path that has a checkpoint: the draws are those of one run."""

from __future__ import annotations

import contextlib
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
    import os
    import sys
    import traceback
    import numpy as np
    import nutslite.posterior.marginal.prices as prices
    import nutslite.sampler.worker as worker
    from nutslite import Model
    from nutslite._log import log
    from nutslite.results.container.inference_data import get_group, group_names
    from small_models import grouped_data

    path, draws = sys.argv[1], int(sys.argv[2])
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


    def fit(checkpoint, out):
        results = model.fit(draws, plan=plan, chains=3, cores=2, random_seed=7, progressbar=False,
                            checkpoint=checkpoint, compute_convergence_checks=False,
                            discard_tuned_samples=path == "large")
        groups = {name: get_group(results, name) for name in group_names(results) if name != "observed_data"}
        arrays = {f"{group} {name}": found[name].values for group, found in groups.items() for name in found.data_vars}
        np.savez(out, **{name: values for name, values in arrays.items() if not name.endswith("perf_counter_start")})

    fit(sys.argv[3], sys.argv[4])
    print("whole", flush=True)
    for line in sys.stdin:  # once more, each in a process that has imported and compiled already
        pid = os.fork()
        if pid == 0:
            try:
                fit(*line.rstrip().split("|"))
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """
)


@pytest.fixture
def start(tmp_path):
    """Start a process that makes a fit; what is returned has made it, and waits for more."""
    script = tmp_path / "fit.py"
    script.write_text(FIT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    started = []

    def begin(path, checkpoint, out):
        process = subprocess.Popen(
            [sys.executable, script, path, str(DRAWS[path]), checkpoint, out],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        assert process.stdout.readline() == "whole\n", process.stderr.read()
        return process

    yield begin
    for process in started:
        process.kill()


def finished(process):
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def killed_at_size(process, checkpoint, out, size, pause):
    """Whether a fit of its own process was killed, a moment after its checkpoint had that size, before it was done."""
    print(checkpoint, out, sep="|", file=process.stdin, flush=True)
    pid = int(process.stdout.readline())
    with contextlib.suppress(ProcessLookupError):
        while not (checkpoint.exists() and checkpoint.stat().st_size >= size):
            os.kill(pid, 0)
            time.sleep(0.001)
        time.sleep(pause)
        os.kill(pid, signal.SIGKILL)
    return int(process.stdout.readline()) == -signal.SIGKILL


def assert_same_arrays(one, other):
    with np.load(one) as left, np.load(other) as right:
        assert set(left.files) == set(right.files)
        assert len(left.files) > 8
        for name in left.files:
            np.testing.assert_array_equal(left[name], right[name], err_msg=name)


DRAWS = {"joint": 600, "marginal": 1500, "large": 300}


SLOW = [pytest.param(path, marks=pytest.mark.slow) for path in ("marginal", "joint", "large")]


@pytest.mark.parametrize("path", SLOW)
def test_killed_at_random_moments_a_fit_ends_with_the_same_draws(tmp_path, start, path):
    """Before its first record, in warm-up and burn-in, between draws: never another number in the end."""
    whole, checkpoint = tmp_path / "whole.ckpt", tmp_path / "killed.ckpt"
    process = start(path, whole, tmp_path / "whole.npz")
    chooser = random.Random(path)
    shares = [0.0, *sorted(chooser.uniform(0.0, 0.9) for _ in range(2))]
    killed = []
    for share in shares:
        pause = chooser.uniform(0.0, 0.01)
        killed.append(killed_at_size(process, checkpoint, tmp_path / "killed.npz", share * whole.stat().st_size, pause))
        assert not killed[-1] or not (tmp_path / "killed.npz").exists()
    finished(process)
    assert killed == [True] * len(shares)
    size = checkpoint.stat().st_size
    assert 0 < size < 1.02 * whole.stat().st_size
    finished(start(path, checkpoint, tmp_path / "killed.npz"))
    assert checkpoint.stat().st_size > size
    assert_same_arrays(tmp_path / "killed.npz", tmp_path / "whole.npz")
