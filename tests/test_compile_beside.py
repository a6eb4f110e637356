"""A process beside this one compiles what comes later, and nothing depends on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kernel_caches import copy_of_shared_cache, shared_cache

from nutslite._awaited import BLOCK, EFFECTS, MANY, NATURAL, ROTATION, WAYS, coming, is_coming, wait_for
from nutslite._numba import jit_disabled
from nutslite.posterior.density.joint import compiled_natural
from nutslite.posterior.density.many_positions import compiled_joint_many
from nutslite.posterior.density.matrix_centring import compiled_ways
from nutslite.posterior.density.plain import compiled_plain_natural
from nutslite.posterior.marginal.recovery import compiled_recovery
from nutslite.posterior.run import compile_beside as module
from nutslite.posterior.run.compile_beside import DENSITIES, PARTS, compiling_beside
from nutslite.sampler.independence.independence import compiled_acceptance
from nutslite.sampler.transition.chain import compiled_block

FIT = """
import nutslite as nl
from nutslite.posterior.run import compile_beside
started = []
start = compile_beside.CompilerBeside._listen
compile_beside.CompilerBeside._listen = lambda self, process: (started.append(self.path), start(self, process))
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
    monkeypatch.setattr(module, "_KEPT", set())


def test_every_part_of_every_path_is_known():
    assert set(PARTS) == set(DENSITIES)
    of_chains = {path: set(parts) - {EFFECTS, WAYS} for path, parts in PARTS.items() if path != "levels"}
    rotates = {path: parts - {ROTATION} for path, parts in of_chains.items() if ROTATION in parts}
    assert set(of_chains) - set(rotates) == {"marginal"}
    assert all(parts == {BLOCK, MANY, NATURAL} for parts in {**of_chains, **rotates}.values())
    assert set(PARTS["levels"]) == {MANY, NATURAL}


@pytest.mark.slow
def test_a_cold_fit_starts_it_and_a_warm_one_does_not(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")
    alone = fit(shared_cache(), "0")
    cache = copy_of_shared_cache(tmp_path)
    for path in cache.rglob(f"*.{DENSITIES['marginal'].__name__}-*"):  # what makes a cache a cold one
        path.unlink()
    cold, warm = fit(cache, "1"), fit(cache, "1")
    assert alone.startswith("[]")
    assert cold.startswith("['marginal']")
    assert warm.startswith("[]")
    assert alone.split()[-1] == cold.split()[-1] == warm.split()[-1]


@pytest.mark.parametrize("kept", [True, False])
def test_only_a_missing_density_starts_it(serves, monkeypatch, kept):
    started = []
    monkeypatch.setattr(module.subprocess, "Popen", lambda *_, **__: started.append(1) or _Ended())
    monkeypatch.setattr(module, "is_kept", lambda function: kept)
    with compiling_beside("joint", (BLOCK, NATURAL)):
        assert bool(started) is not kept


def test_what_was_compiled_is_kept(tmp_path):
    code = "from nutslite._kernel_cache import is_kept; import nutslite.sampler.independence.independence as i; "
    function, argument = "i.accept_or_stay.py_func", "__import__('numpy').empty(0), " * 3
    code += f"print(is_kept({function})); i.accept_or_stay({argument} __import__('numpy').empty(0, int), "
    code += f"__import__('numpy').empty(0)); print(is_kept({function}))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


@pytest.fixture
def missing(serves, monkeypatch):
    monkeypatch.setattr(module, "is_kept", lambda function: False)


def test_a_process_that_dies_is_not_waited_for(missing, monkeypatch):
    monkeypatch.setattr(module, "_START", "raise SystemExit(3)")
    with compiling_beside("joint", (BLOCK,)):
        began = time.perf_counter()
        wait_for(BLOCK)
        assert time.perf_counter() - began < 30


def test_where_no_process_can_start_all_goes_on(missing, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no more processes")

    monkeypatch.setattr(module.subprocess, "Popen", refuse)
    with compiling_beside("joint", (BLOCK,)) as beside:
        wait_for(BLOCK)
        assert beside.process is None
        assert not is_coming(BLOCK)


def test_it_can_be_forbidden(monkeypatch):
    monkeypatch.setenv(module.VARIABLE, "0")
    monkeypatch.setattr(module, "is_kept", lambda function: False)
    with compiling_beside("joint", (BLOCK,)) as beside:
        assert beside.process is None


def test_it_ends_with_the_fit(missing, monkeypatch):
    monkeypatch.setattr(module, "_START", "import time; time.sleep(600)")
    with compiling_beside("joint", (BLOCK,)) as beside:
        process = beside.process
    assert process.poll() is not None


def test_a_part_that_was_not_asked_for_is_not_waited_for(missing, monkeypatch):
    monkeypatch.setattr(module, "_START", "import time; time.sleep(600)")
    with compiling_beside("joint", (BLOCK,)):
        assert is_coming(BLOCK)
        assert not is_coming(MANY)
        wait_for(MANY)
    assert not is_coming(BLOCK)


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        (BLOCK, compiled_block.__wrapped__),
        (MANY, compiled_joint_many.__wrapped__),
        (MANY, compiled_acceptance),
        (WAYS, compiled_ways.__wrapped__),
        (NATURAL, compiled_natural.__wrapped__),
        (NATURAL, compiled_plain_natural.__wrapped__),
        (NATURAL, compiled_recovery.__wrapped__),
    ],
)
def test_what_is_compiled_elsewhere_is_waited_for_where_it_is_asked_for(part, asked, monkeypatch):
    """Who needs a kernel does not have to know that another process compiles it."""
    if jit_disabled():
        pytest.skip("nothing compiles")

    class Event:
        def wait(self):
            raise TimeoutError

    with coming({part: Event()}), pytest.raises(TimeoutError):
        asked()


class _Ended:
    stdout = None

    def terminate(self):
        pass

    def wait(self):
        return 0
