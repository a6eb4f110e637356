"""What one call of a log density costs through each door of the sampler.

Run from the repository: ``python benchmarks/doors.py [--dimensions 10] [--out benchmarks/results]``. The density is a
standard normal, which costs next to nothing, so that what is measured is the door. Each is called in a loop from
compiled code, as the sampler calls it; each time is the least of several loops. Doors of packages that are not
installed, and of C without a compiler, are left out, and the table says so.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from provenance import made_by

from nutslite._numba import VECTOR, kernel, kernel_with_signature
from nutslite.sampler import CallbackDensity, CompiledDensity, Density, DifferentiatedDensity, PythonDensity
from nutslite.sampler.transition.handle import handle_of, logdensity_at

SOURCE = """
#include <stddef.h>
int density(size_t n, const double *position, double *gradient, double *logp, void *data) {
    double total = 0.0;
    for (size_t i = 0; i < n; i++) { gradient[i] = -position[i]; total -= 0.5 * position[i] * position[i]; }
    *logp = total;
    return 0;
}
int bs_log_density_gradient(const int *m, _Bool propto, _Bool jacobian, const double *theta, double *val, double *grad,
                            char **error) {
    return density((size_t)*m, theta, grad, val, NULL);
}
"""

SECONDS = 0.001  # of a loop, at least: short enough to run undisturbed on a machine that does other things
LOOPS = 300


def compiled(position: Any, gradient: Any, data: Any) -> float:
    """The density with its gradient, for Numba."""
    total = 0.0
    for i in range(position.shape[0]):
        gradient[i] = -position[i]
        total -= 0.5 * position[i] * position[i]
    return total


def value_in_a_loop(position: Any) -> float:
    """The density alone, as Numba compiles it."""
    total = 0.0
    for i in range(position.shape[0]):
        total -= 0.5 * position[i] * position[i]
    return total


def value_of_arrays(position: Any) -> Any:
    """The density alone, in NumPy's functions of arrays."""
    return -0.5 * np.sum(position**2)


def in_python(position: Any) -> tuple[float, Any]:
    """The density with its gradient, for Python."""
    return -0.5 * float(position @ position), -position


def _loop(function, data, position, gradient, calls):
    total = 0.0
    for _ in range(calls):
        total += logdensity_at(function)(position, gradient, data)
    return total


def nanoseconds(density: Density, dimension: int) -> float:
    """Of one call from compiled code."""
    prepared = density.prepared(dimension, 1)
    handle = handle_of(prepared.logdensity, prepared.data[0], prepared.data_type)
    loop = kernel_with_signature(_loop, types.float64(types.int64, types.int64, VECTOR, VECTOR, types.int64))
    position, gradient = np.linspace(-1.0, 1.0, dimension), np.empty(dimension)
    calls, least = 1, np.inf
    for _ in range(LOOPS):
        while True:
            started = time.perf_counter()
            loop(handle.function, handle.data, position, gradient, calls)
            seconds = time.perf_counter() - started
            if seconds >= SECONDS:
                break
            calls = max(2 * calls, int(1.2 * SECONDS / max(seconds, 1e-9) * calls)) if seconds > 1e-4 else 10 * calls
        least = min(least, seconds / calls)
    np.testing.assert_allclose(gradient, -position, rtol=1e-6, atol=1e-9)
    return float(1e9 * least)


def c_doors(dimension: int, folder: Path) -> Iterator[tuple[str, Density]]:
    """Functions of C, compiled here."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return
    (folder / "density.c").write_text(SOURCE)
    library = folder / "density.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, folder / "density.c"], check=True)
    functions = ctypes.CDLL(str(library))
    size = ctypes.c_int(dimension)
    yield "C callback", CallbackDensity(functions.density)
    yield (
        "C callback by BridgeStan's convention",
        CallbackDensity(functions.bs_log_density_gradient, ctypes.pointer(size), convention="bridgestan"),
    )


def peer_doors(dimension: int) -> Iterator[tuple[str, Callable[[], Density]]]:
    """Packages of others, imported when asked for."""

    def jax_density() -> Density:
        import jax

        jax.config.update("jax_enable_x64", True)
        return PythonDensity(jax.jit(jax.value_and_grad(lambda x: -0.5 * jax.numpy.sum(x**2))))

    def torch_density() -> Density:
        import torch

        def of_torch(position: Any) -> tuple[float, Any]:
            at = torch.tensor(position, requires_grad=True)
            value = -0.5 * (at**2).sum()
            return value.item(), torch.autograd.grad(value, at)[0]

        return PythonDensity(of_torch)

    def model() -> Any:
        import pymc as pm

        with pm.Model() as made:
            pm.Normal("x", shape=dimension)
        return made

    def pymc_density() -> Density:
        function = model().logp_dlogp_function(ravel_inputs=True)
        function.set_extra_values({})
        return PythonDensity(function)

    def nutpie_density() -> Density:
        import nutpie

        made = nutpie.compile_pymc_model(model(), backend="numba")
        return CallbackDensity(made.compiled_logp_func, made.user_data)

    yield "JAX, `jit(value_and_grad(f))`", jax_density
    yield "PyTorch, autograd", torch_density
    yield "PyMC, `logp_dlogp_function`", pymc_density
    yield "PyMC, compiled by nutpie: C callback", nutpie_density


def numba_cfunc() -> Density:
    """A C callback that Numba compiles."""
    pointer = types.CPointer(types.float64)

    @numba.cfunc(types.int64(types.uint64, pointer, pointer, pointer, types.voidptr))
    def density(n, position, gradient, logp, data):
        total = 0.0
        for i in range(n):
            gradient[i] = -position[i]
            total -= 0.5 * position[i] * position[i]
        logp[0] = total
        return 0

    return CallbackDensity(density)


def doors(dimension: int, folder: Path) -> Iterator[tuple[str, Density | None]]:
    """Every door by name; None where its package is absent."""
    yield "jitted function", CompiledDensity(kernel(compiled))
    yield from c_doors(dimension, folder)
    yield "C callback of `numba.cfunc`", numba_cfunc()
    yield "no gradient: compiled dual numbers", DifferentiatedDensity(value_in_a_loop)
    yield "no gradient: compiled differences", DifferentiatedDensity(value_in_a_loop, differences=True)
    yield "Python, with gradient", PythonDensity(in_python)
    yield "no gradient: dual arrays, in Python", DifferentiatedDensity(value_of_arrays)
    for name, make in peer_doors(dimension):
        try:
            yield name, make()
        except ImportError:
            yield name, None


def main() -> int:
    """Measure and print the table, and write it where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", default="10")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.dimensions.split(",")]
    rows: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            first = None
            for name, density in doors(size, Path(folder)):
                if density is None:
                    cells = ["not installed", ""]
                else:
                    found = nanoseconds(density, size)
                    first = first or found
                    cells = [f"{found:,.0f}", f"{found / first:,.1f}"]
                rows.setdefault(name, []).extend(cells)
                print(size, name, *cells, flush=True)
    head = " | ".join(f"{size} numbers: ns a call | times a jitted function's" for size in sizes)
    table = [f"| door | {head} |", "| --- |" + " --- |" * (2 * len(sizes))]
    table += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    text = "\n".join(
        [
            "# What a call costs through each door of the sampler",
            "",
            f"{made_by('doors.py')} A standard normal, called in a loop from compiled code; least of {LOOPS} loops of "
            f"at least {SECONDS} s, one thread.",
            "",
            *table,
            "",
        ]
    )
    print(text)
    if arguments.out:
        (arguments.out / "doors.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
