"""What is sampled is not lost by what follows: names, reports, groups, files, bars, handlers, users' functions."""

from __future__ import annotations

import functools
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_models import assembled_of
from tqdm import tqdm

import nutslite as nl
from nutslite.commands import fit as fit_command
from nutslite.exceptions import DataError, NutsliteWarning, SamplingError, warn
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import specification_of
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import JointTarget
from nutslite.results import fit as results_fit
from nutslite.results.container.inference_data import add_group, arviz_major, get_group, group_names, to_inference_data
from nutslite.results.evaluation.explained_variance import r2_draws
from nutslite.results.predictions.predict import predict
from nutslite.sampler import progress
from nutslite.sampler.rescue import rescued

N = 40
RNG = np.random.default_rng(2)
X = RNG.normal(size=N)
DATA = pd.DataFrame({"y": X + RNG.normal(size=N), "x": X, "s": np.repeat(list("abcd"), N // 4)})
FIT = {"draws": 30, "chains": 2, "random_seed": 3, "progressbar": False}
QUIET = {**FIT, "compute_convergence_checks": False}
ENDINGS = {
    "laplace": {"inference_method": "laplace"},
    "nuts": {"inference_method": "nuts", "tune": 30},
    "hmc": {"inference_method": "hmc", "tune": 30},
    "auto": {"draws": 200},
}


@pytest.fixture(scope="module")
def model():
    return nl.Model("y ~ x", DATA)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failing(error):
    def fail(*arguments, **options):
        raise error

    return fail


def rescued_file(folder):
    (path,) = folder.glob("nutslite-draws-*.npz")
    with np.load(path, allow_pickle=False) as arrays:
        return path, dict(arrays)


ERRORS = [MemoryError("no room"), ValueError("odd"), ImportError("no xarray"), OSError(28, "disk"), AssertionError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["to_inference_data", "observed_of", "_warmup"])
def test_draws_that_cannot_be_stored_are_written(model, folder, monkeypatch, step, error):
    monkeypatch.setattr(results_fit, step, failing(error))
    with pytest.raises(SamplingError, match=type(error).__name__) as caught:
        model.fit(**ENDINGS["laplace"], **QUIET)
    monkeypatch.undo()
    path, arrays = rescued_file(folder)
    assert str(path) in str(caught.value)
    assert "numpy.load" in str(caught.value)
    posterior = get_group(model.fit(**ENDINGS["laplace"], **QUIET), "posterior")
    for name in ("Intercept", "x", "sigma"):
        np.testing.assert_array_equal(arrays[name], posterior[name])


@pytest.mark.parametrize("method", ENDINGS)
def test_by_every_method_with_its_statistics(model, folder, monkeypatch, method):
    monkeypatch.setattr(results_fit, "to_inference_data", failing(MemoryError("no room")))
    options = {**QUIET, **ENDINGS[method]}
    with pytest.raises(SamplingError, match="All draws were made"):
        model.fit(**options)
    arrays = rescued_file(folder)[1]
    assert arrays["x"].shape == (2, options["draws"])
    assert "sample_stats/lp" in arrays


@pytest.mark.parametrize("target", [JointTarget, MarginalTarget])
def test_on_the_way_to_the_natural_scale(folder, monkeypatch, target):
    plan = "joint" if target is JointTarget else "marginal"
    monkeypatch.setattr(target, "natural", failing(MemoryError()))
    with pytest.raises(SamplingError, match="positions"):
        nl.Model("y ~ x + (1|s)", DATA).fit(plan=plan, **ENDINGS["nuts"], **QUIET)
    positions = rescued_file(folder)[1]["positions"]
    assert positions.shape[:2] == (2, 30)
    assert np.isfinite(positions).all()


def test_beside_the_file_that_was_asked_for(model, folder, monkeypatch):
    (folder / "there").mkdir()
    monkeypatch.setattr(results_fit, "to_inference_data", failing(ValueError()))
    with pytest.raises(SamplingError):
        model.fit(file=folder / "there" / "fit.nc", **ENDINGS["laplace"], **QUIET)
    rescued_file(folder / "there")


def test_ctrl_c_of_somebody_else_s_handler(model, folder, monkeypatch, caplog):
    monkeypatch.setattr(results_fit, "to_inference_data", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        model.fit(**ENDINGS["laplace"], **QUIET)
    path, arrays = rescued_file(folder)
    assert str(path) in caplog.text
    assert np.isfinite(arrays["x"]).all()


class TestTheFile:
    def test_any_names(self, folder):
        arrays = {name: np.arange(3.0) for name in ("file", "a/b", "x", "1|g", "ä ∕", "args")}
        with pytest.raises(SamplingError), rescued(lambda: arrays, "so"):
            raise RuntimeError
        assert list(rescued_file(folder)[1]) == list(arrays)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="a folder that cannot be written to")
    def test_a_folder_that_cannot_be_written_to(self, folder, monkeypatch, tmp_path_factory):
        other = tmp_path_factory.mktemp("temporary")
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(other))
        folder.chmod(0o500)
        with pytest.raises(SamplingError, match=str(other)), rescued(lambda: {"x": np.ones(2)}, "so"):
            raise RuntimeError
        rescued_file(other)

    def test_no_folder_at_all(self, folder, monkeypatch):
        monkeypatch.setattr("nutslite.sampler.rescue._write", failing(OSError(28, "full")))
        words = r"odd.*could not be written either.*full"
        with pytest.raises(SamplingError, match=words), rescued(lambda: {"x": np.ones(2)}, "so"):
            raise RuntimeError("odd")
        assert not list(folder.iterdir())


def test_a_report_that_fails_is_only_a_report(model, monkeypatch, caplog):
    monkeypatch.setattr(results_fit, "sampling_report", failing(FloatingPointError("odd")))
    results = model.fit(**ENDINGS["nuts"], **FIT)
    assert get_group(results, "posterior").sizes["draw"] == 30
    assert "report on convergence failed (FloatingPointError: odd)" in caplog.text


@pytest.mark.parametrize(
    ("adds", "method", "options"),
    [
        ("add_predictions", "predict", {"include_response_params": True}),
        ("add_log_likelihood", "compute_log_likelihood", {"idata_kwargs": {"log_likelihood": True}}),
        ("add_log_prior", "compute_log_prior", {"idata_kwargs": {"log_prior": True}}),
    ],
)
def test_a_group_that_cannot_be_added_is_missing_and_nothing_else(model, monkeypatch, caplog, adds, method, options):
    monkeypatch.setattr(f"nutslite.results.added_groups.{adds}", failing(MemoryError("no room")))
    results = model.fit(**ENDINGS["laplace"], **options, **QUIET)
    assert np.isfinite(get_group(results, "posterior")["x"]).all()
    assert f"MemoryError: no room). model.{method}(results)" in caplog.text


def test_results_that_cannot_be_saved_are_returned(model, folder, monkeypatch, caplog):
    monkeypatch.setattr("nutslite.results.storage.stored_fit.save", failing(UnicodeError("odd")))
    results = model.fit(file=folder / "fit.nc", **ENDINGS["laplace"], **QUIET)
    assert "posterior" in group_names(results)
    assert "in memory only" in caplog.text


def test_the_command_line_saves_before_it_prints(folder, monkeypatch):
    from nutslite.cli import _parser

    DATA.to_csv(folder / "data.csv")
    monkeypatch.setattr("nutslite.commands._print_summary", failing(BrokenPipeError()))
    arguments = _parser().parse_args(["fit", "y ~ x", "data.csv", "--out", "r.nc", "--draws", "20", "--quiet"])
    with pytest.raises(BrokenPipeError):
        fit_command(arguments)
    assert get_group(nl.load(folder / "r.nc"), "posterior").sizes["draw"] == 20


class TestRehearsal:
    """What would fail after sampling is refused before it."""

    @pytest.fixture(autouse=True)
    def _no_sampling(self, monkeypatch):
        monkeypatch.setattr("nutslite.posterior.run.run.run", failing(AssertionError("it sampled")))

    def test_values_of_every_row_that_do_not_fit_into_memory(self, model):
        for options, words in [
            ({"include_response_params": True}, "include_response_params"),
            ({"idata_kwargs": {"log_likelihood": True}}, "log_likelihood"),
        ]:
            with pytest.raises(SamplingError, match=rf"every row \({words}\) need about .* of memory"):
                model.fit(draws=10**9, chains=4, progressbar=False, **options)

    def test_names_that_only_aliases_make(self, model, monkeypatch):
        unchecked = replace(specification_of(model), aliases={"x": "sigma"})  # as if nobody had looked
        monkeypatch.setattr(model, "_specification", unchecked)
        with pytest.raises(DataError, match="both be called 'sigma'"):
            model.fit(**QUIET)

    def test_it_takes_no_time(self, model):
        import time

        from nutslite.results.rehearsal import rehearse

        def once():
            started = time.perf_counter()
            rehearse(
                assembled_of(model), aliases={}, notes=specification_of(model).notes(), groups={}, chains=4, draws=1000
            )
            return time.perf_counter() - started

        assert min(once() for _ in range(20)) < 1e-3


class Broken:
    """A standard error that raises whatever it is asked."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name} here")


def closed():
    stream = open(os.devnull, "w")  # noqa: SIM115
    stream.close()
    return stream


STREAMS = {"none": lambda: None, "closed": closed, "broken": Broken}


@pytest.mark.parametrize("stream", STREAMS)
class TestStandardError:
    @pytest.mark.parametrize("method", ENDINGS)
    def test_a_fit_goes_on_without_it(self, model, monkeypatch, stream, method):
        whole = get_group(model.fit(**{**QUIET, **ENDINGS[method]}), "posterior")
        monkeypatch.setattr(sys, "stderr", STREAMS[stream]())
        results = model.fit(**{**QUIET, **ENDINGS[method], "progressbar": True, "compute_convergence_checks": True})
        monkeypatch.undo()
        np.testing.assert_array_equal(get_group(results, "posterior")["x"], whole["x"])


def test_warnings_and_messages_go_on_without_it_too():
    """In a process of its own: pytest shows warnings in a way of its own."""
    code = """
import os, sys
from nutslite._log import log
from nutslite.exceptions import warn
class Broken:
    def __getattr__(self, name):
        raise RuntimeError("no " + name)
closed = open(os.devnull, "w")
closed.close()
own = sys.stderr
for stream in (None, closed, Broken()):
    sys.stderr = stream
    warn("nobody reads this")
    log.warning("nor %s", "this")
    log.warning("100 %")
sys.stderr = own
print("done")
"""
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"


def test_a_bar_that_breaks_on_the_way_is_dropped(monkeypatch):
    class Later:
        encoding, count = "utf-8", 0

        def write(self, text):
            self.count += 1
            if self.count > 2:
                raise BrokenPipeError

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stderr", Later())
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.0)
    before = set(getattr(tqdm, "_instances", ()))
    with progress.transition_bar(2, 1000, shown=True) as report:
        for done in range(0, 1001, 10):
            report(0, done, 0.5)
    assert set(getattr(tqdm, "_instances", ())) <= before  # which tqdm's own thread goes on to refresh


def test_an_error_of_a_warning_filter_stays_one():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NutsliteWarning):
            warn("this one counts")


def test_a_handler_of_the_user_s_that_fails(model):
    class Failing(logging.Handler):
        def emit(self, record):
            raise RuntimeError("no")

    handler = Failing()
    logging.getLogger("nutslite").addHandler(handler)
    try:
        model.fit(**ENDINGS["nuts"], **{**FIT, "progressbar": True})
    finally:
        logging.getLogger("nutslite").removeHandler(handler)


class TestUsersFunctions:
    """Whose function failed is said, and what was drawn before is kept."""

    @staticmethod
    def family(**functions):
        def logp(y, mu, sigma):
            return -0.5 * ((y - mu) / sigma) ** 2 - np.log(sigma)

        settings = {"params": ["mu", "sigma"], "parent": "mu", "logp": logp, **functions}
        return nl.Family("mine", nl.Likelihood("mine", **settings, sigma=nl.Prior("HalfNormal", sigma=1)), "identity")

    @pytest.mark.parametrize("how", ["raises", "a text"])
    @pytest.mark.parametrize("place", ["logp", "linkinv", "link", "random", "mean", "potential"])
    def test_whose(self, place, how):
        function = failing(KeyError("mine")) if how == "raises" else lambda *arguments: "text"
        raised = "KeyError: 'mine'" if how == "raises" else "text|str"

        def call():
            if place == "logp":
                nl.Model("y ~ x", DATA, self.family(logp=lambda y, mu, sigma: function())).fit(**QUIET)
            elif place == "linkinv":
                nl.Model("y ~ x", DATA, link=nl.Link("mine", linkinv=function)).fit(**QUIET)
            elif place == "link":
                link = nl.Link("mine", link=function, linkinv=lambda eta: eta)
                nl.Model("y ~ x", DATA, link=link).fit(**QUIET)
            elif place == "potential":
                nl.Model("y ~ x", DATA, potentials=[("x", function)])
            else:
                fixed = (lambda rng, mu, sigma: function()) if place == "random" else (lambda mu, sigma: function())
                model = nl.Model("y ~ x", DATA, self.family(**{place: fixed}))
                design, task = model.design, prediction_task(specification_of(model))
                draws = {name: np.ones((1, 2)) for name in ("Intercept", "x", "sigma")}
                if place == "random":
                    predict(draws, design, task, kind="response")
                else:
                    r2_draws(draws, design, task)

        with pytest.raises(nl.NutsliteError, match=raised) as caught:
            call()
        named = {"logp": "log density", "linkinv": "linkinv of Link('mine')", "link": "link of Link('mine')"}
        named |= {"potential": "Potential 0", "random": "random of the likelihood 'mine'"}
        assert named.get(place, "mean of the likelihood 'mine'") in str(caught.value)

    def test_compiled_functions(self):
        def breaks(sigma):
            if sigma > 0.0:
                raise ValueError("compiled")
            return -sigma

        with pytest.raises(nl.NutsliteError, match=r"'sigma'.*compiled"):
            nl.Model("y ~ x", DATA, potentials=[("sigma", breaks)]).fit(**QUIET)

    def test_after_draws_these_are_kept(self, caplog):
        calls = {"all": 0, "limit": None}

        def breaks(sigma):
            calls["all"] += 1
            if calls["limit"] is not None and calls["all"] > calls["limit"]:
                raise UserWarning("enough")
            return -float(sigma) if isinstance(sigma, float) else -sigma

        model = nl.Model("y ~ x", DATA, potentials=[("sigma", breaks)])

        def listen(report):
            if report.phase == "sampling" and calls["limit"] is None:
                calls["limit"] = calls["all"] + 50

        results = model.fit(**{**QUIET, "draws": 5000, "callback": listen, "cores": 1})
        posterior = get_group(results, "posterior")
        assert posterior.attrs["interrupted"] == 1
        assert 0 < posterior.sizes["draw"] < 5000
        assert np.isfinite(posterior["x"]).all()
        assert "potential of 'sigma' failed" in caplog.text
        assert "enough" in caplog.text

    def test_independence_metropolis_keeps_its_blocks(self, model, monkeypatch, caplog):
        from nutslite.posterior.methods import independence

        monkeypatch.setattr(independence, "PROPOSALS_PER_BLOCK", 200)
        plan = model.plan()
        original = type(plan.target()).log_densities
        asked = []

        @functools.wraps(original)
        def later(self, positions, cores):
            asked.append(len(positions))
            if sum(count <= 300 for count in asked) > 6:
                raise MemoryError("no room")
            return original(self, positions, cores)

        monkeypatch.setattr(type(plan.target()), "log_densities", later)
        results = model.fit(**{**QUIET, "draws": 2000})
        posterior = get_group(results, "posterior")
        assert posterior.attrs["inference_method"] == "independence"
        assert posterior.attrs["interrupted"] == 1
        assert 0 < posterior.sizes["draw"] < 2000
        assert "MemoryError: no room" in caplog.text

    @pytest.mark.parametrize("wrong", [lambda: None, lambda one, two: None, "text", 3])
    def test_a_callback_that_cannot_be_called_with_a_record(self, model, wrong):
        with pytest.raises(SamplingError, match="callback must be a function that takes one argument"):
            model.fit(callback=wrong, **QUIET)

    @pytest.mark.parametrize("right", [print, lambda *all_of_them: "text", lambda record, more=1: record.nothing])
    def test_a_callback_may_return_or_raise_what_it_likes(self, model, right):
        whole = get_group(model.fit(**ENDINGS["nuts"], **QUIET), "posterior")
        results = model.fit(callback=right, **ENDINGS["nuts"], **QUIET)
        np.testing.assert_array_equal(get_group(results, "posterior")["x"], whole["x"])


class TestSave:
    """Results that users have changed are checked before a file is begun."""

    @staticmethod
    def results(**variables):
        return to_inference_data({"posterior": {"x": np.ones((2, 5)), **variables}}, dims={}, coords={})

    @pytest.mark.skipif(arviz_major() >= 1, reason="a DataTree refuses such names itself")
    def test_slashes_mean_no_groups(self, folder):
        results = self.results(a=np.ones((2, 5)))
        changed = get_group(results, "posterior").rename({"x": "a/b"})
        add_group(results, "posterior", changed)
        nl.save(results, folder / "r.nc")
        assert set(nl.load(folder / "r.nc")["posterior"].data_vars) == {"a", "a\N{DIVISION SLASH}b"}

    def test_what_no_file_can_hold(self, folder):
        for change, words in [
            (lambda data: data.rename({"x": "x\0"}), "zero character"),
            (lambda data: data.rename({"x": "."}), "No file can hold '.'"),
            (lambda data: data.rename({"x": "\ud800"}), "surrogate"),
            (lambda data: data.assign_attrs(note="\0"), "the attributes of 'posterior'"),
            (lambda data: data.assign_coords(draw=["a", "b", "c\0c", "d", "e"]), "'draw' of 'posterior'"),
            (lambda data: data.assign({"a/b": data.x, "a\N{DIVISION SLASH}b": data.x}), "one name in a file"),
        ][: 6 if arviz_major() < 1 else 5]:  # a DataTree refuses slashes itself
            results = self.results()
            add_group(results, "posterior", change(get_group(results, "posterior")))
            with pytest.raises(DataError, match=words):
                nl.save(results, folder / "r.nc")
        assert not list(Path(folder).iterdir())
