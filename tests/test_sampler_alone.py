"""The sampler needs NumPy and Numba only: it runs where everything else that this package uses cannot be imported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SCRIPT = """
import importlib.abc, json, sys

class Absent(importlib.abc.MetaPathFinder):
    names = {"scipy", "pandas", "patsy", "arviz", "xarray", "matplotlib", "tqdm", "h5netcdf", "h5py"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ImportError(f"{name} is absent")

sys.meta_path.insert(0, Absent())
import numpy as np
from nutslite.sampler import DifferentiatedDensity, PythonDensity, constraints, sample

def normal(position):
    return -0.5 * float(position @ position), -position

def positive(position):
    scale, log_jacobian = constraints.positive_constrain(position[0])
    return -0.5 * scale**2 + log_jacobian + np.sum(-np.logaddexp(0.0, position[1:] ** 2))

short = dict(initial=[0.1, 0.2], draws=20, tune=20, chains=2, random_seed=1)
draws = sample(PythonDensity(normal), **short)
more = sample(DifferentiatedDensity(positive), **short)
groups = draws.groups({"a": (), "b": 1})
others = {name.split(".")[0] for name, module in sys.modules.items() if getattr(module, "__file__", None)}
print(json.dumps({"shape": draws.positions.shape, "finite": bool(np.isfinite(more.positions).all()),
                  "groups": sorted(groups), "packages": sorted(others - set(sys.stdlib_module_names))}))
"""


def test_the_page_lists_the_files_of_a_copy():
    """What the sampler and `derivatives` import of the files beside them, and these of each other."""
    from test_arrows import all_imports, room_of

    needed, waiting = {"__init__"}, ["sampler", "derivatives"]
    while waiting:
        room = waiting.pop()
        for found in all_imports():
            parts = found.target.split(".")
            if room_of(found.path) == room and parts[0] == "nutslite" and len(parts) > 1:
                target = parts[1]
                if target not in needed and target not in ("sampler", "derivatives", "__version__"):
                    needed.add(target)
                    waiting.append(target)
    page = (ROOT / "docs" / "sampler" / "embedding.md").read_text(encoding="utf-8")
    listed = page.split("* of the files beside them")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)(?:\.py|/)`", listed)) == needed


def test_nothing_but_numpy_and_numba():
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert found["shape"] == [2, 20, 2]
    assert found["finite"]
    assert found["groups"] == ["posterior", "sample_stats"]
    # Numba itself loads what it finds of its own optional packages
    before = subprocess.run(
        [sys.executable, "-c", "import sys, numba; print(*{name.split('.')[0] for name in sys.modules})"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    ).stdout.split()  # fmt: skip
    assert set(found["packages"]) - set(before) - {"__main__"} == {"nutslite"}
