"""Compile, in a process beside this one, what a first fit will need later: the wait is nearly halved.

Nothing starts where the density of a path is on disk already. Otherwise a second Python compiles the other large parts
of the path into the same cache while this one compiles the density; each part is waited for and loaded where it is
needed (`nutslite._awaited`). Where that process cannot start or dies, all is compiled here, as without it.
``NUTSLITE_COMPILE_BESIDE=0`` in the environment forbids it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nutslite._awaited import BLOCK, EFFECTS, MANY, NATURAL, ROTATION, WAYS, coming
from nutslite._kernel_cache import is_kept
from nutslite._numba import INDEX_VECTOR, VECTOR, jit_disabled
from nutslite._parallel import available_cpus
from nutslite._stack import with_room
from nutslite.posterior.density.effects import add_effects_prior, fill_group_effects
from nutslite.posterior.density.helper_threads import compiled_help
from nutslite.posterior.density.joint import JOINT_DATA, compiled_natural, joint_logdensity
from nutslite.posterior.density.many_positions import compiled_gradients, compiled_joint_many
from nutslite.posterior.density.matrix_centring import (
    MATRIX_DATA,
    compiled_matrix,
    compiled_ways,
    matrix_logdensity,
)
from nutslite.posterior.density.plain import compiled_plain_many, compiled_plain_natural, plain_many
from nutslite.posterior.integrals.level_integrals import compiled_level_integrals, level_integrals
from nutslite.posterior.marginal.marginal import MARGINAL_TYPE, compiled_marginal
from nutslite.posterior.marginal.marginal_many import marginal_many
from nutslite.posterior.marginal.recovery import compiled_recovery
from nutslite.posterior.record.model_data import MODEL_REFERENCE
from nutslite.priors.densities.densities import DENSITY
from nutslite.sampler.catalogue.assembly import compiled_parts
from nutslite.sampler.catalogue.rotation import ROTATION as TURNS
from nutslite.sampler.catalogue.splitting import LEAPFROG
from nutslite.sampler.independence.independence import accept_or_stay
from nutslite.sampler.parts.metric_kind import USUAL_KINDS
from nutslite.sampler.parts.step_size_rule import DUAL_AVERAGING
from nutslite.sampler.transition.chain import compiled_block
from nutslite.sampler.transition.handle import compiled_hands

VARIABLE = "NUTSLITE_COMPILE_BESIDE"

_HERE = str(Path(__file__).parents[3])  # first, lest the other process finds another copy of this package
_START = (  # what the other process runs
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from nutslite.posterior.run.compile_beside import work; work()"
)


def _compile_acceptance() -> None:
    accept_or_stay.compile((VECTOR, VECTOR, VECTOR, INDEX_VECTOR, VECTOR))  # type: ignore[attr-defined]


def _compile_sampler(data_type: Any) -> None:
    compiled_block()
    compiled_hands(data_type)


def _compile_rotations(data_type: Any) -> None:
    compiled_parts(LEAPFROG, TURNS, DUAL_AVERAGING, USUAL_KINDS)
    compiled_hands(data_type)


def _compile_marginal_sampler() -> None:
    compiled_marginal()
    _compile_sampler(MARGINAL_TYPE)


def _compile_natural() -> None:
    compiled_natural()


def _compile_effects() -> None:
    add_effects_prior.compile((MODEL_REFERENCE, DENSITY, *[VECTOR] * 5))  # type: ignore[attr-defined]
    fill_group_effects.compile((MODEL_REFERENCE, VECTOR, VECTOR, VECTOR))  # type: ignore[attr-defined]


DENSITIES: dict[str, Callable[..., Any]] = {
    "joint": joint_logdensity,
    "plain": plain_many,
    "marginal": marginal_many,
    "matrix": matrix_logdensity,
    "levels": level_integrals,
}
"""What is compiled here meanwhile, by path."""

PARTS: dict[str, dict[str, Callable[[], Any]]] = {
    "joint": {
        EFFECTS: _compile_effects,
        BLOCK: lambda: _compile_sampler(JOINT_DATA),
        ROTATION: lambda: _compile_rotations(JOINT_DATA),
        MANY: compiled_joint_many,
        NATURAL: _compile_natural,
    },
    "plain": {
        BLOCK: lambda: _compile_sampler(JOINT_DATA),
        ROTATION: lambda: _compile_rotations(JOINT_DATA),
        MANY: _compile_acceptance,
        NATURAL: compiled_plain_natural,
    },
    "marginal": {
        BLOCK: _compile_marginal_sampler,
        MANY: _compile_acceptance,
        NATURAL: compiled_recovery,
    },
    "matrix": {
        EFFECTS: _compile_effects,
        WAYS: compiled_ways,
        BLOCK: lambda: _compile_sampler(MATRIX_DATA),
        ROTATION: lambda: _compile_rotations(MATRIX_DATA),
        MANY: compiled_matrix,
        NATURAL: _compile_natural,
    },
    "levels": {MANY: _compile_acceptance, NATURAL: _compile_natural},
}


class CompilerBeside:
    """The process beside this one, if one is needed.

    Parameters
    ----------
    path : str
        ``"joint"``, ``"plain"`` (the joint density of a model that `plain` serves), ``"matrix"`` (in the coordinates of
        matrix centring) or ``"marginal"``.
    parts : sequence of str
        What to compile, in the order in which it will be waited for.
    """

    def __init__(self, path: str, parts: Sequence[str]) -> None:
        self.path, self.parts = path, parts
        self.process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        self.done = {part: threading.Event() for part in parts}

    def start(self) -> None:
        """Start the process."""
        with contextlib.suppress(OSError, ValueError):
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps([_HERE, *sys.path]), self.path, *self.parts],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
            self._listener.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            with process.stdout as lines:
                for line in lines:
                    if line.strip() in self.done:
                        self.done[line.strip()].set()
        for event in self.done.values():  # it has ended: what is not there is compiled here
            event.set()

    def stop(self) -> None:
        """End the process and close what was heard of it: nothing more is needed."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
        if self._listener is not None:
            self._listener.join()


_KEPT: set[str] = set()
"""Paths whose density was on disk when it was looked for."""


@contextlib.contextmanager
def compiling_beside(path: str, parts: Sequence[str]) -> Iterator[CompilerBeside]:
    """The process beside this one runs within this context, where the density of the path is not on disk."""
    beside = CompilerBeside(path, parts)
    if path not in _KEPT and _serves():
        if is_kept(DENSITIES[path]):
            _KEPT.add(path)
        else:
            beside.start()
    try:
        with coming(beside.done if beside.process is not None else {}):
            yield beside
    finally:
        beside.stop()


def _serves() -> bool:
    """Whether a second Python may be started and would help."""
    return (
        not jit_disabled()
        and os.environ.get(VARIABLE, "1") != "0"
        and available_cpus() > 1
        and os.path.basename(sys.executable or "").startswith(("python", "pypy"))
    )


def compile_all() -> None:
    """Every part of every path, here and now; nothing under ``NUMBA_DISABLE_JIT=1``."""
    if jit_disabled():
        return
    for parts in PARTS.values():
        for compile_part in parts.values():
            with_room(compile_part)
    compiled_plain_many()
    compiled_level_integrals()
    compiled_help()
    compiled_gradients()


def work() -> None:
    """What the other process does: compile the parts that its arguments name, and say when each is on disk."""
    path, *parts = sys.argv[2:]
    for part in parts:
        with_room(PARTS[path][part])
        sys.stdout.write(f"{part}\n")
        sys.stdout.flush()
