"""A process beside this one compiles what comes later, and nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nutslite import _kernel_cache
from nutslite.posterior import beside as module
from nutslite.posterior.beside import BLOCK, MANY, NATURAL, PARTS, Beside, compiling_beside

FIT = """
import nutslite as nl
from nutslite.posterior import beside
started = []
start = beside.Beside._listen
beside.Beside._listen = lambda self, process: (started.append(self.path), start(self, process))
model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
results = model.fit(draws=50, chains=2, random_seed=3, progressbar=False)
print(started, float(results.posterior["Days"].mean()))
"""


def fit(cache: Path, allowed: str) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), module.VARIABLE: allowed}
    ran = subprocess.run([sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


@pytest.fixture
def serves(monkeypatch):
    monkeypatch.setattr(module, "_serves", lambda: True)


def test_every_part_of_every_path_is_known():
    assert set(PARTS) == {"joint", "plain", "marginal"}
    assert all(set(parts) == {BLOCK, MANY, NATURAL} for parts in PARTS.values())


@pytest.mark.slow
def test_a_cold_fit_starts_it_and_a_warm_one_does_not(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    alone = fit(tmp_path / "alone", "0")
    cold, warm = fit(tmp_path / "beside", "1"), fit(tmp_path / "beside", "1")
    assert alone.startswith("[]")
    assert cold.startswith("['marginal']")
    assert warm.startswith("[]")
    assert alone.split()[-1] == cold.split()[-1] == warm.split()[-1]


def test_only_a_missing_density_starts_it(serves, monkeypatch):
    started = []
    monkeypatch.setattr(module.subprocess, "Popen", lambda *_, **__: started.append(1) or _Ended())
    with compiling_beside("joint", (BLOCK, NATURAL)):
        _kernel_cache.on_missing("constrain_head")
        assert not started
        _kernel_cache.on_missing("joint_logdensity")
        _kernel_cache.on_missing("joint_logdensity")
    assert started == [1]
    assert _kernel_cache.on_missing is None


def test_a_process_that_dies_is_not_waited_for(serves, monkeypatch):
    monkeypatch.setattr(module, "_START", "raise SystemExit(3)")
    with compiling_beside("joint", (BLOCK,)) as beside:
        _kernel_cache.on_missing("joint_logdensity")
        began = time.perf_counter()
        beside.wait(BLOCK)
        assert time.perf_counter() - began < 30


def test_where_no_process_can_start_all_goes_on(serves, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no more processes")

    monkeypatch.setattr(module.subprocess, "Popen", refuse)
    with compiling_beside("joint", (BLOCK,)) as beside:
        _kernel_cache.on_missing("joint_logdensity")
        beside.wait(BLOCK)


def test_it_can_be_forbidden(monkeypatch):
    monkeypatch.setenv(module.VARIABLE, "0")
    with compiling_beside("joint", (BLOCK,)):
        assert _kernel_cache.on_missing is None


def test_it_ends_with_the_fit(serves, monkeypatch):
    monkeypatch.setattr(module, "_START", "import time; time.sleep(600)")
    with compiling_beside("joint", (BLOCK,)) as beside:
        _kernel_cache.on_missing("joint_logdensity")
        process = beside.process
    assert process.poll() is not None


def test_a_part_that_was_not_asked_for_is_not_waited_for():
    Beside("joint", (BLOCK,)).wait(MANY)


class _Ended:
    stdout = None

    def terminate(self):
        pass

    def wait(self):
        return 0
