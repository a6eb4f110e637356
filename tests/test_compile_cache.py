"""What the package promises about compilation: once per machine for all models, and the same draws without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_caches import copy_of_shared_cache, files_in, shared_cache
from numba import types

from nutslite._addresses import address_of, caller_of
from nutslite._kernel_cache import Inner
from nutslite._numba import inner, jit_disabled, kernel

ROOT = Path(__file__).resolve().parent.parent

# A marginal and a joint path, a pilot and none, correlated and independent effects, a formula for every parameter,
# derived values, several kernels.
SCRIPT = """
import json, sys
from collections import Counter
import numba
from numba.core import event

class Compilations(event.Listener):
    names = []
    def on_start(self, event): self.names.append(event.data["dispatcher"].py_func.__qualname__)
    def on_end(self, event): pass

event.register("numba:compile", listener := Compilations())

@numba.njit
def heard(x): return x

heard(1)
from small_models import grouped_data
import nutslite as nl
from nutslite._log import log
from nutslite.results.container.inference_data import get_group

log.setLevel("ERROR")  # so few draws have not converged
data = grouped_data(40, 4)
data["status"] = ["right" if row % 3 == 0 else "none" for row in range(40)]
data["step"] = [row % 4 for row in range(40)]
models = {
    "gaussian": dict(formula="y ~ x + c + (x|g)", correlated=True),
    "bernoulli": dict(formula="b ~ x + (1|g) + (1|h)", family="bernoulli"),
    "default": dict(formula="b ~ x", family="bernoulli"),
    "default gaussian": dict(formula="y ~ x"),
    "negativebinomial": dict(formula=nl.Formula("k ~ x + (1|g)", "alpha ~ z"), family="negativebinomial"),
    "derived, in segments": dict(formula="censored(k, status) ~ mo(step) + hsgp(z, m=4, c=1.5)", family="poisson"),
}
draws, paths = {}, {}
for name in sys.argv[1].split(";"):
    model = nl.Model(data=data, **models[name])
    short = dict(draws=20) if name.startswith("default") else dict(draws=6, tune=6)  # tune means chains
    results = model.fit(**short, chains=2, random_seed=3, progressbar=False)
    posterior = get_group(results, "posterior")
    paths[name] = posterior.attrs["plan"] + ", " + posterior.attrs["inference_method"]
    draws[name] = {str(key): values.values.ravel().tolist() for key, values in posterior.data_vars.items()}
print(json.dumps({"compiled": Counter(listener.names), "draws": draws, "paths": paths}))
"""
PATHS = {
    "gaussian": "marginal, nuts",
    "bernoulli": "joint, nuts",
    "default": "joint, independence",
    "default gaussian": "marginal, independence",
    "negativebinomial": "joint, nuts",
    "derived, in segments": "joint, nuts",
}
ALL = ";".join(PATHS)


def fresh_process(cache: Path, models: str = ALL, **environment: str) -> dict[str, Any]:
    """What the script prints, run in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, models],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_CACHE_DIR": str(cache), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_once_a_machine_for_all_models_and_the_same_draws_without(tmp_path: Path) -> None:
    """After a first process the second compiles and writes nothing, and plain Python draws the same.

    The first compiles what no test before has needed, for the tests after it.
    """
    first = fresh_process(shared_cache())
    assert first["paths"] == PATHS
    assert first["compiled"].pop("heard") == 1
    assert first["compiled"].get("run_block", 0) <= 1, "one for all paths"
    cache = copy_of_shared_cache(tmp_path)
    files = files_in(cache)
    assert any("run_block" in name for name in files)
    second = fresh_process(cache)
    assert second["compiled"] == {"heard": 1}
    assert files_in(cache) == files
    assert first["draws"] == second["draws"]
    plain = fresh_process(cache, NUMBA_DISABLE_JIT="1")
    assert plain["compiled"] == {}
    for model, draws in first["draws"].items():
        assert plain["draws"][model].keys() == draws.keys()
        for name, values in draws.items():
            # sums in another order (vector instructions) differ in the last digits, which trajectories magnify
            np.testing.assert_allclose(
                plain["draws"][model][name], values, rtol=1e-6, atol=1e-8, err_msg=f"{model}: {name}"
            )


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_functions_without_an_entry_for_python_can_be_called_from_it() -> None:
    @inner
    def twice(x: Any) -> Any:
        return 2.0 * x

    @kernel
    def through_compiled_code(x: Any) -> Any:
        return twice(x) + 1.0

    assert through_compiled_code(3.0) == 7.0
    assert isinstance(twice, Inner)
    assert twice(3.0) == 6.0
    np.testing.assert_array_equal(twice(np.ones(2)), [2.0, 2.0])


@pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_functions_without_an_entry_have_machine_code_when_their_address_is_asked_for() -> None:
    @inner
    def thrice(x: Any) -> Any:
        return 3.0 * x

    @kernel
    def through_compiled_code(x: Any) -> Any:
        return thrice(x) + 1.0

    pointer = types.FunctionType(types.float64(types.float64))
    assert through_compiled_code(3.0) == 10.0
    library = thrice.overloads[(types.float64,)].library
    assert not library._is_native
    at = caller_of(pointer)

    @kernel
    def through_its_address(address: Any, x: Any) -> Any:
        return at(address)(x)

    assert through_its_address(address_of(thrice, pointer), 3.0) == 9.0
    assert library._is_native
