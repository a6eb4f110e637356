"""What goes wrong around a fit: full disks, folders that cannot be written to, damaged caches, too little memory."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sampler_targets import independent_normals
from small_models import grouped_data

import nutslite as nl
from nutslite._log import log
from nutslite._numba import jit_disabled
from nutslite.exceptions import DataError, SamplingError
from nutslite.results.container.inference_data import get_group
from nutslite.sampler import sample

resource = pytest.importorskip("resource", reason="this system has no limits to set")

ROOT = Path(__file__).resolve().parent.parent
DATA = (np.arange(1.0, 5.0),)
SETTINGS = {"initial": np.zeros(4), "draws": 400, "tune": 200, "chains": 2, "random_seed": 3, "cores": 1}
FIT = {"draws": 100, "tune": 50, "chains": 2, "random_seed": 1, "progressbar": False}

needs_kernels = pytest.mark.skipif(jit_disabled(), reason="nothing is compiled under NUMBA_DISABLE_JIT=1")


@pytest.fixture(autouse=True)
def many_blocks(monkeypatch):
    monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0002)


@contextlib.contextmanager
def full_disk(size):
    """No file may grow beyond `size` bytes in this process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def in_a_process(code, *arguments, **environment):
    """Run code in a process of its own; a variable that is None is not set there."""
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), **environment}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(code), *map(str, arguments)],
        env={name: str(value) for name, value in settings.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return out, errors


class TestFullDisks:
    def test_a_checkpoint_that_cannot_grow_costs_no_draws(self, tmp_path, caplog):
        wanted = sample(independent_normals, DATA, **SETTINGS)
        path = tmp_path / "run.ckpt"
        with full_disk(30_000):
            result = sample(independent_normals, DATA, checkpoint=path, **SETTINGS)
        np.testing.assert_array_equal(result.positions, wanted.positions)
        assert not result.interrupted
        assert caplog.text.count("Cannot write to the checkpoint") == 1
        assert path.stat().st_size <= 30_000
        again = sample(independent_normals, DATA, checkpoint=path, **SETTINGS)  # what it holds is good
        np.testing.assert_array_equal(again.positions, wanted.positions)
        assert path.stat().st_size > 30_000

    def test_results_that_cannot_be_saved_are_returned(self, tmp_path, caplog):
        model = nl.Model("y ~ x", grouped_data())
        wanted = model.fit(**FIT)
        path = tmp_path / "fit.nc"
        for size in (0, 4_000, 20_000):  # HDF5 crashes at some of these, if it is let
            with full_disk(size):
                results = model.fit(file=path, **FIT)
        assert "The results are in memory only" in caplog.text
        assert list(tmp_path.iterdir()) == []
        np.testing.assert_array_equal(get_group(results, "posterior")["x"], get_group(wanted, "posterior")["x"])
        nl.save(results, path)
        assert path.is_file()

    def test_a_failing_save_leaves_the_old_file(self, tmp_path):
        model = nl.Model("y ~ x", grouped_data())
        results = model.fit(**FIT)
        for save, path in ((lambda p: nl.save(results, p), tmp_path / "fit.nc"), (model.save, tmp_path / "a.model")):
            path.write_bytes(b"what was there before")
            with full_disk(1_000), pytest.raises(DataError, match=f"Cannot save .* to '{path}'"):
                save(path)
            assert path.read_bytes() == b"what was there before"
            assert not list(tmp_path.glob(".*"))


class TestImpossiblePlaces:
    @pytest.mark.parametrize("option", ["file", "checkpoint"])
    def test_they_are_refused_before_anything_is_drawn(self, tmp_path, monkeypatch, option):
        monkeypatch.setattr("nutslite.posterior.methods.nuts_start.sample", None)
        model = nl.Model("y ~ x", grouped_data())
        for path, why in ((tmp_path, "folder"), (tmp_path / "absent" / "fit", "there is no folder")):
            with pytest.raises((DataError, SamplingError), match=why):
                model.fit(**{option: path}, **FIT)
        if Path("/dev/full").exists():
            with pytest.raises((DataError, SamplingError), match="device"):
                model.fit(**{option: "/dev/full"}, **FIT)
            assert not Path("/dev/full").is_file()

    def test_a_file_of_something_else_is_not_overwritten(self, tmp_path):
        path = tmp_path / "data.csv"
        path.write_text("y,x\n1,2\n")
        model = nl.Model("y ~ x", grouped_data())
        with pytest.raises(DataError, match="not a netCDF file"):
            model.fit(file=path, **FIT)
        with pytest.raises(SamplingError, match="no checkpoint of nutslite"):
            model.fit(checkpoint=path, **FIT)
        assert path.read_text() == "y,x\n1,2\n"

    def test_a_link_to_a_file_stays_a_link(self, tmp_path):
        model = nl.Model("y ~ x", grouped_data())
        model.save(tmp_path / "real.model")
        (tmp_path / "link.model").symlink_to(tmp_path / "real.model")
        before = (tmp_path / "real.model").stat().st_ino
        model.save(tmp_path / "link.model")
        assert (tmp_path / "link.model").is_symlink()
        assert (tmp_path / "real.model").stat().st_ino != before


class TestMemory:
    def test_more_than_the_machine_has_is_refused_with_the_size(self):
        with pytest.raises(
            SamplingError, match=r"need about [\d,.]+ TB of memory \(2 chains x 10,000,000,000,000 draws"
        ):
            sample(independent_normals, DATA, **{**SETTINGS, "draws": 10**13})
        model = nl.Model("y ~ x", grouped_data())
        with pytest.raises(SamplingError, match=r"need about .* TB of memory .* fewer draws or chains"):
            model.fit(**{**FIT, "draws": 10**13})

    def test_a_limit_of_the_process_is_an_error_and_not_a_crash(self):
        out, _ = (
            finished(
                in_a_process(
                    """
                import resource
                import numpy as np
                from sampler_targets import independent_normals
                from nutslite.exceptions import SamplingError
                from nutslite.sampler import sample

                data = (np.arange(1.0, 5.0),)
                settings = dict(initial=np.zeros(4), tune=50, chains=2, random_seed=3)
                sample(independent_normals, data, draws=10, **settings)
                used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, -1))
                try:
                    sample(independent_normals, data, draws=1_000_000, **settings)
                except SamplingError as error:
                    print(error)
                print(sample(independent_normals, data, draws=10, **settings).positions.shape)
                """
                )
            )
            if Path("/proc/self/statm").exists()
            else pytest.skip("needs /proc")
        )
        assert "need about 256.0 MB of memory (2 chains x 1,000,000 draws x 16 numbers)" in out
        assert "(2, 10, 4)" in out


KERNEL = """
from nutslite._numba import kernel

@kernel
def double(x):
    return x + x
"""


@needs_kernels
class TestKernelCaches:
    """On a small kernel, which compiles in no time."""

    @pytest.fixture
    def use(self, tmp_path):
        """Start a process that doubles a number with the kernel, whose cache is in a folder of its own."""
        (tmp_path / "doubling.py").write_text(KERNEL)

        def start(number="1.5", cache=tmp_path / "cache", before="", **environment):
            first = f"import sys; sys.path.insert(0, sys.argv[1])\n{before}\n"
            code = f"{first}import doubling\nprint(doubling.double({number}))"
            return in_a_process(code, tmp_path, NUMBA_CACHE_DIR=cache, **environment)

        return start

    def test_nowhere_to_write_is_one_line(self, tmp_path, use):
        (tmp_path / "file").touch()
        (tmp_path / "__pycache__").touch()  # a file where Numba would make a folder, which stops even root
        nowhere = {"HOME": tmp_path / "file", "XDG_CACHE_HOME": tmp_path / "file", "PYTHONDONTWRITEBYTECODE": "1"}
        out, errors = finished(use(cache=tmp_path / "file" / "cache", **nowhere))
        assert out == "3.0\n"
        assert errors.count("Compiled code cannot be kept on disk") == 1
        assert "NUMBA_CACHE_DIR" in errors

    def test_a_full_disk_is_one_line(self, use):
        limit = "import resource, nutslite._numba; resource.setrlimit(resource.RLIMIT_FSIZE, (100, -1))"
        out, errors = finished(use(before=limit, PYTHONDONTWRITEBYTECODE=1))  # Python trusts what it wrote itself
        assert out == "3.0\n"
        assert errors.count("Compiled code cannot be kept on disk") == 1
        assert finished(use()) == ("3.0\n", "")

    @pytest.mark.parametrize("suffix", [".nbi", pytest.param(".nbc", marks=pytest.mark.slow)])
    def test_damaged_files_are_made_anew(self, tmp_path, use, suffix):
        finished(use())
        (victim,) = (tmp_path / "cache").rglob(f"*double*{suffix}")
        whole = victim.read_bytes()
        for wrong in (whole[: len(whole) // 2], b"\0" * len(whole)):
            victim.write_bytes(wrong)
            out, errors = finished(use())
            assert out == "3.0\n"
            assert errors.count("Compiled code cannot be kept on disk") == 1
        assert finished(use()) == ("3.0\n", "")

    @pytest.mark.slow
    def test_processes_that_compile_at_once_do_not_mix_their_code_up(self, tmp_path, use):
        """Different versions of one function into one empty cache: Numba alone may give both the same file name."""
        numbers = {"1.5": "3.0\n", "2": "4\n", "1j": "2j\n", "True": "2\n"}
        running = [use(number) for number in numbers]
        assert [finished(process) for process in running] == [(shown, "") for shown in numbers.values()]
        assert len(list((tmp_path / "cache").rglob("*double*.nbc"))) == len(numbers)
        for number, shown in numbers.items():
            assert finished(use(number)) == (shown, "")

    def test_a_function_of_a_console_needs_no_file_and_no_warning(self):
        code = """
        import numpy as np
        from nutslite._numba import kernel
        triple = kernel(lambda x: 3 * x)
        print(triple(2.0))
        """
        assert finished(in_a_process(code)) == ("6.0\n", "")


@needs_kernels
@pytest.mark.slow
def test_a_model_fits_where_nothing_can_be_written(tmp_path):
    """A read-only installation and a read-only home, by what compiles least: the draws are those of kept kernels."""
    (tmp_path / "file").touch()
    shutil.copytree(ROOT / "nutslite", tmp_path / "nutslite", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [tmp_path / "nutslite", *(tmp_path / "nutslite").rglob("*/")]:
        if folder.is_dir():
            (folder / "__pycache__").touch()
    code = """
    import nutslite as nl
    from small_models import grouped_data
    model = nl.Model("y ~ x", grouped_data())
    results = model.fit(draws=50, chains=1, random_seed=1, progressbar=False, inference_method="laplace")
    print(nl.__file__, float(results["posterior"]["x"][0, -1]))
    """
    kept, _ = finished(in_a_process(code))
    out, errors = finished(
        in_a_process(
            code,
            PYTHONPATH=os.pathsep.join([str(tmp_path), str(ROOT / "tests")]),
            NUMBA_CACHE_DIR=tmp_path / "file" / "cache",
            HOME=tmp_path / "file",
            XDG_CACHE_HOME=tmp_path / "file",
            PYTHONDONTWRITEBYTECODE="1",
        )
    )
    assert out.split() == [str(tmp_path / "nutslite" / "__init__.py"), kept.split()[-1]]
    assert errors.count("Compiled code cannot be kept on disk") == 1


@pytest.fixture(autouse=True)
def quiet():
    """So few draws have not converged; warnings about files still show."""
    log.setLevel("WARNING")
    yield
    log.setLevel("INFO")
