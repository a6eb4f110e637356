"""An installation that nobody may write to: fits work, compiled code goes to the user's folder and is found again."""

from __future__ import annotations

import compileall
import ctypes
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nutslite._numba import jit_disabled

ROOT = Path(__file__).resolve().parent.parent
DROP_FROM_BOUNDING_SET, WRITES_ANYWHERE = 24, 1  # of prctl(2): PR_CAPBSET_DROP, CAP_DAC_OVERRIDE

pytestmark = [
    pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1"),
    pytest.mark.skipif(os.name != "posix", reason="permissions of folders are POSIX's here"),
]

COUNTED = """
from numba.core import event

compiled = []


class Count(event.Listener):
    def on_start(self, what):
        compiled.append(what)

    def on_end(self, what):
        pass


event.register("numba:compile", Count())
"""
KERNEL = """
from nutslite._numba import kernel

@kernel
def double(x):
    return x + x
"""
DOUBLES = COUNTED + "import doubling\nprint(doubling.double(1.5), len(compiled))"
FITS = (
    COUNTED
    + """
import nutslite as nl
model = nl.Model("Reaction ~ Days", nl.load_data("sleepstudy"))
results = model.fit(draws=40, chains=1, inference_method="laplace", random_seed=1, progressbar=False,
                    compute_convergence_checks=False)
model.predict(results, kind="response")
print(nl.__file__, results["posterior"].sizes["draw"], float(results["posterior"]["Days"][0, -1]), len(compiled))
"""
)


def _permissions_bind() -> None:
    """In a child before it starts: not even root writes where the mode of a folder says no (Linux)."""
    if os.geteuid() == 0 and sys.platform == "linux":
        ctypes.CDLL(None).prctl(DROP_FROM_BOUNDING_SET, WRITES_ANYWHERE, 0, 0, 0)


def run(installed: Path, home: Path, code: str) -> tuple[list[str], str]:
    """What a process prints as words, and what it says on stderr; only the installed package is there for it."""
    left_out = ("NUMBA_", "XDG_", "MPLCONFIGDIR", "PYTHON", "NUTSLITE_")
    settings = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore::FutureWarning", "-c", textwrap.dedent(code)],
        env={**settings, "HOME": str(home), "PYTHONPATH": str(installed), "NUTSLITE_COMPILE_BESIDE": "0"},
        cwd="/",
        preexec_fn=_permissions_bind,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def close(folder: Path) -> None:
    for place in [folder, *folder.rglob("*")]:
        place.chmod(0o555 if place.is_dir() else 0o444)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What an installer leaves (sources and their bytecode), closed against writing; skips where that does not hold."""
    site = tmp_path_factory.mktemp("site") / "site-packages"
    shutil.copytree(ROOT / "nutslite", site / "nutslite", ignore=shutil.ignore_patterns("__pycache__"))
    (site / "doubling.py").write_text(KERNEL)
    compileall.compile_dir(site, quiet=1)
    close(site)
    tries = (
        "import sys, tempfile\ntry:\n    tempfile.TemporaryFile(dir=sys.path[1])\nexcept OSError:\n    print('closed')"
    )
    if run(site, site, tries.replace("sys.path[1]", repr(str(site / "nutslite"))))[0] != ["closed"]:
        pytest.skip("permissions of folders do not bind this user")
    yield site
    for place in [site, *site.rglob("*/")]:
        place.chmod(0o755)


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_kernel_is_kept_in_the_users_folder_and_found_there(tmp_path, installed):
    before = files_in(installed)
    assert run(installed, tmp_path, DOUBLES) == (["3.0", "1"], "")
    assert any("double" in path.name for path in files_in(tmp_path))
    assert run(installed, tmp_path, DOUBLES) == (["3.0", "0"], "")  # another process has nothing to compile
    assert files_in(installed) == before


def test_a_home_that_is_closed_as_well_is_one_line(tmp_path, installed):
    home = tmp_path / "home"
    home.mkdir()
    close(home)
    out, errors = run(installed, home, DOUBLES)
    assert out[0] == "3.0"
    assert errors.count("Compiled code cannot be kept on disk") == 1
    assert "NUMBA_CACHE_DIR" in errors
    assert not files_in(home)


@pytest.mark.slow
def test_a_whole_fit_from_a_closed_installation(tmp_path, installed):
    """With a home of its own the second process compiles nothing; one without is in `test_faults`.

    What compiles least serves: `test_compile_cache` has every path.
    """
    before = files_in(installed)
    (where, draws, value, n_compiled), errors = run(installed, tmp_path, FITS)
    assert Path(where).is_relative_to(installed)
    assert (draws, errors) == ("40", "")
    assert int(n_compiled) > 5
    (_, _, again, n_again), errors = run(installed, tmp_path, FITS)
    assert (again, n_again, errors) == (value, "0", "")
    assert files_in(installed) == before
