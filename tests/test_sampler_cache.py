"""What the sampler promises about compilation: once for all densities, from disk the next time, and not needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from kernel_caches import copy_of_shared_cache, files_in, shared_cache
from sampler_targets import correlated_normal, independent_normals

from nutslite._numba import jit_disabled
from nutslite.exceptions import SamplingError
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.sampler import diagonal_metric, sample
from nutslite.sampler.transition.chain import compiled_block
from nutslite.sampler.transition.handle import handle_of
from nutslite.sampler.transition.logdensity import compiled_logdensity, data_type_of
from nutslite.sampler.transition.step_size import new_adaptation
from nutslite.sampler.transition.trajectory import new_workspace

ROOT = Path(__file__).resolve().parent.parent

SCRIPT = """
import json, sys
import numba
import numpy as np
from numba.core import event

class Compilations(event.Listener):
    names = []
    def on_start(self, event): self.names.append(event.data["dispatcher"].py_func.__name__)
    def on_end(self, event): pass

listener = Compilations()
event.register("numba:compile", listener)
from sampler_targets import correlated_normal, independent_normals
from nutslite.sampler import sample
at_import = len(listener.names)

@numba.njit
def heard(x): return x

heard(1)
arguments = dict(initial=np.zeros(2), draws=30, tune=30, chains=2, random_seed=5)
first = sample(independent_normals, (np.array([1.0, 3.0]),), **arguments)
second = sample(correlated_normal, (np.zeros(2), np.eye(2)), metric="dense", **arguments)
print(json.dumps({
    "at_import": at_import,
    "compiled": listener.names,
    "positions": [float(x).hex() for x in np.concatenate([first.positions.ravel(), second.positions.ravel()])],
}))
"""


def run_script(cache, **environment):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_the_second_process_compiles_nothing_and_plain_python_draws_the_same(tmp_path):
    first = run_script(shared_cache())
    assert first["at_import"] == 0
    assert "heard" in first["compiled"]
    cache = copy_of_shared_cache(tmp_path)
    files = files_in(cache)
    second = run_script(cache)
    assert second["compiled"] == ["heard"]
    assert files_in(cache) == files
    plain = run_script(cache, NUMBA_DISABLE_JIT="1")
    assert first["positions"] == second["positions"] == plain["positions"]


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_one_compiled_block_serves_all_densities():
    data = (np.zeros(2), np.eye(2))

    def other(position, gradient, data):
        gradient[:] = data[0] - position
        return -0.5 * np.sum((data[0] - position) ** 2)

    arguments = {"initial": np.zeros(2), "draws": 5, "tune": 5, "chains": 1}
    sample(correlated_normal, data, **arguments)
    sample(other, data, **arguments)
    sample(independent_normals, (np.ones(2),), **arguments)
    assert len(compiled_block().signatures) == 1


@pytest.mark.skipif(jit_disabled(), reason="nothing is laid down under NUMBA_DISABLE_JIT=1")
def test_a_handle_holds_numbers_vectors_and_tuples_in_tuples():
    class Inner(NamedTuple):
        matrix: np.ndarray
        flag: bool

    data = (2.0, Inner(np.array([[1.0, 2.0], [3.0, 4.0]]), True), (np.array([5, 6]), (7,)), np.arange(6.0)[::2], ())

    def total(position, gradient, data):
        number, inner, (integers, (seven,)), strided, _ = data
        gradient[0] = strided[2] + (1.0 if inner.flag else 0.0)
        return number * inner.matrix[1, 0] + integers[1] + seven + position[0]

    data_type = data_type_of(data)
    values, gradients = values_and_gradients(
        compiled_logdensity(total, data_type), data, data_type, np.array([[0.5], [1.5]])
    )
    np.testing.assert_array_equal(values, [19.5, 20.5])
    np.testing.assert_array_equal(gradients, [[5.0], [5.0]])


@pytest.mark.skipif(jit_disabled(), reason="plain Python can take anything")
def test_data_that_cannot_be_laid_down_are_refused():
    def flat(position, gradient, data):
        gradient[0] = 0.0
        return 0.0

    with pytest.raises(SamplingError, match="there is a unicode_type in it"):
        sample(flat, (np.ones(1), "text"), initial=np.zeros(1), draws=5)
    other = [(np.ones(1, dtype=int),)]  # memory of another type is not read as if it were
    with pytest.raises(TypeError, match="No matching definition"):
        sample(independent_normals, (np.ones(1),), initial=np.zeros(1), draws=5, chains=1, chain_data=other)


@pytest.mark.skipif(jit_disabled(), reason="nothing is counted under NUMBA_DISABLE_JIT=1")
def test_blocks_leave_reference_counts_as_they_were():
    """Ten blocks, called as a worker calls them: nothing that Python owns is kept or lost."""
    data, rng, metric, workspace = (
        (np.ones(2),),
        np.random.default_rng(1),
        diagonal_metric([1.0, 1.0]),
        new_workspace(2, 5),
    )
    adaptation, positions, nothing, stats = new_adaptation(0.5), np.zeros((9, 2)), np.zeros((0, 2)), np.zeros((9, 12))
    data_type = data_type_of(data)
    block, logdensity = compiled_block(), compiled_logdensity(independent_normals, data_type)
    owned = [
        data,
        data[0],
        rng,
        rng.bit_generator,
        metric,
        *metric[1:],
        workspace,
        *workspace,
        adaptation,
        positions,
        stats,
    ]
    before = [sys.getrefcount(thing) for thing in owned]
    for _ in range(10):
        handle = handle_of(logdensity, data, data_type)
        block(
            handle.function,
            handle.data,
            rng,
            metric,
            workspace,
            adaptation,
            0.8,
            5,
            True,
            True,
            True,
            positions,
            nothing,
            stats,
            nothing,
        )
    del handle
    assert [sys.getrefcount(thing) for thing in owned] == before


def test_function_pointers_may_travel_in_the_data():
    """A model's data hold the kernel of its family: a pointer, last in a tuple, of a type that the caller declares."""
    if jit_disabled():
        data_type = None
    else:
        import numba
        from numba import types

        scale_type = types.FunctionType(types.float64(types.float64))
        data_type = types.Tuple([numba.typeof(np.ones(2)), scale_type])
    from pointer_targets import doubled, scaled_normal, unchanged

    widths = []
    for function in (unchanged, doubled):
        draws = sample(
            scaled_normal,
            (np.ones(2), function),
            data_type=data_type,
            initial=np.zeros(2),
            draws=1000,
            tune=200,
            random_seed=1,
        )
        widths.append(draws.positions.std())
    assert widths[0] == pytest.approx(1.0, abs=0.1)
    assert widths[1] == pytest.approx(0.5, abs=0.05)
