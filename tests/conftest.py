"""What all tests share: where compiled kernels are kept, how hypothesis searches, where the larger data are, memory."""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("NUTSLITE_COMPILE_BESIDE", "0")  # tests run beside each other as it is
os.environ.pop("COLUMNS", None)  # the width of a terminal, which pytest-xdist tells its workers

ROOT = Path(__file__).resolve().parent.parent
CACHES = Path(tempfile.gettempdir()) / "nutslite-test-kernels"
KEPT_SECONDS = 3 * 24 * 3600

# Tests make many objects that live long. Python would look through them for circles all the time; it does not while a
# kernel of the package compiles (`_kernel_cache`), but kernels of tests and of Numba itself compile, too.
gc.set_threshold(20_000, 10, 10)


COMPILE_NOTHING = (
    *("test_arrows", "test_calls", "test_datasets", "test_exceptions", "test_formula_", "test_package"),
    *("test_docs_sampler", "test_promises_index", "test_scores_"),
)
"""Beginnings of the names of files whose tests call hardly any kernel."""


ON_ONE_PYTHON = {
    "oldest": (
        *("test_approximations", "test_bambi_outputs", "test_derivatives", "test_families_quantiles"),
        *("test_model_bounds", "test_nodes", "test_posterior_coded", "test_posterior_plain", "test_posterior_small"),
        *("test_posterior_sparse", "test_quantile_regression", "test_results_report", "test_sampler_balance"),
        "test_terms_gp",
    ),
    "newer": (
        *("test_calibration", "test_calibration_geweke", "test_families_censored", "test_families_columns"),
        *("test_families_links", "test_gamma_functions", "test_known_covariances", "test_moment_matching"),
        *("test_pathfinder", "test_posterior_independence", "test_posterior_joint", "test_posterior_matrix"),
        *("test_priors_bounds", "test_reference_posteriors", "test_sampler_known", "test_terms_hsgp"),
    ),
}
"""Files about numbers that compiled kernels give, which hardly depend on Python's version: half of the suite's time.

`.ci/run`, which runs the suite on two Pythons, says in NUTSLITE_TESTED_ON which of the two this is: each of these files
then runs on one of them. Without that all files run.
"""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what the other Python of `.ci/run` tests."""
    elsewhere = {"oldest": "newer", "newer": "oldest"}.get(os.environ.get("NUTSLITE_TESTED_ON", ""))
    return True if elsewhere and collection_path.stem in ON_ONE_PYTHON[elsewhere] else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What compiles nothing comes first: one of two workers has it, while the other compiles what both will need."""
    items.sort(key=lambda item: not item.path.name.startswith(COMPILE_NOTHING))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker a part of the files, and to one that has ended some of another's.

    By default workers take turns in small parts of the same files: both make the fits that a file shares, and compile
    the same kernels at the same time.
    """
    if config.getvalue("dist") != "load":
        return None  # chosen on the command line
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


def pytest_collection_finish() -> None:
    """Ten thousand tests are objects, too, and stay: they need not be looked through."""
    gc.collect()
    gc.freeze()


def _kernel_cache_folder() -> Path:
    """A folder that belongs to this state of the sources.

    Numba looks at the file of the function it compiles, not at the files of the functions that one calls:
    with a cache shared between checkouts, a test could pass on yesterday's kernel.
    """
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted((ROOT / "nutslite").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return CACHES / digest.hexdigest()[:16]


def _forget_old_caches() -> None:
    for folder in CACHES.iterdir():
        try:
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:  # another test run was quicker
            pass


# Before anything imports Numba, which reads it once; the workers of pytest-xdist inherit it.
if "NUMBA_CACHE_DIR" not in os.environ:
    _folder = _kernel_cache_folder()
    _folder.mkdir(parents=True, exist_ok=True)
    os.utime(_folder)
    _forget_old_caches()
    os.environ["NUMBA_CACHE_DIR"] = str(_folder)
os.environ.setdefault("MPLBACKEND", "Agg")

# A first call compiles, which no deadline in milliseconds survives; on CI every run tries the same examples.
settings.register_profile("nutslite", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "nutslite")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of larger data sets beside the repository (or where NUTSLITE_SHARED says); skips where absent."""
    folder = Path(os.environ.get("NUTSLITE_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the data sets in {folder}; NUTSLITE_SHARED can name another folder that has data/")
    return folder
