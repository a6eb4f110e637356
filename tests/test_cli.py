"""The command line: what it asks the model for, what it prints and saves, and how it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import nutslite
from nutslite import cli, commands
from nutslite.datasets import datasets
from nutslite.exceptions import FormulaError, NutsliteWarning
from nutslite.model.record.specification import specification_of
from nutslite.results.container.inference_data import to_inference_data
from nutslite.results.storage.storage import load

ROOT = Path(__file__).resolve().parent.parent
SLEEP = ["fit", "Reaction ~ Days + (Days|Subject)", "sleepstudy"]


class RecordingModel:
    """Stands in for the model, which has tests of its own: records what it was asked and answers with made-up draws."""

    asked: ClassVar[dict] = {}
    interrupted: ClassVar[bool] = False
    _specification = specification_of(nutslite.Model("Reaction ~ Days + (1|Subject)", nutslite.load_data("sleepstudy")))

    def __init__(self, formula, data, **options):
        self.asked.update(formula=str(formula), data=data, **options)
        if "?" in str(formula):
            raise FormulaError("'?' means nothing here.", str(formula), (4, 5))

    def __str__(self):
        return "Formula: " + self.asked["formula"]

    def fit(self, **options):
        self.asked.update(options)
        if options["draws"] == 13:
            raise KeyboardInterrupt
        warnings.warn("the chains are made up", NutsliteWarning, stacklevel=2)
        rng = np.random.default_rng(0)
        shape = (options["chains"], options["draws"])
        posterior = {
            "Intercept": rng.normal(250.0, 1.0, shape),
            "1|Subject": rng.normal(size=(*shape, 3)),
            "1|Subject_sigma": rng.uniform(1, 2, shape),
        }
        return to_inference_data(
            {"posterior": posterior, "sample_stats": {"diverging": rng.uniform(size=shape) < 0.01}},
            dims={"1|Subject": ("Subject__factor_dim",)},
            coords={"Subject__factor_dim": ["308", "309", "310"]},
            attrs={"interrupted": self.interrupted},
        )


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What the model is asked for by commands of this test, which run in a folder of their own."""
    module = ModuleType("nutslite.model")
    module.Model = RecordingModel
    monkeypatch.setitem(sys.modules, "nutslite.model", module)
    monkeypatch.setattr(RecordingModel, "asked", {})
    monkeypatch.chdir(tmp_path)
    return RecordingModel.asked


def nutslite_command(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a fresh process."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "nutslite", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


# ------------------------------------------------------------------------------------------- what the model is asked


def test_defaults(asked, capsys):
    assert cli.main(SLEEP) == 0
    data = asked.pop("data")
    assert isinstance(data, pd.DataFrame)
    assert len(data) == 180
    assert asked == {
        "formula": "Reaction ~ Days + (Days|Subject)",
        "family": "gaussian",
        "link": None,
        "categorical": None,
        "dropna": False,
        "correlated": False,
        "draws": 1000,
        "tune": None,
        "chains": 4,
        "cores": None,
        "random_seed": None,
        "target_accept": None,
        "until": None,
        "budget": 4,
        "plan": "auto",
        "pilot": True,
        "inference_method": "auto",
        "progressbar": True,
        "checkpoint": None,
        "file": None,
    }


def test_every_option_arrives(asked):
    options = (
        "--family t --link log --draws 20 --tune 30 --chains 2 --cores 1 --seed 7 --target-accept 0.9 --dropna --quiet"
    )
    more = [
        "--also",
        "sigma ~ Days",
        "--correlated",
        "--plan",
        "joint",
        "--pilot",
        "matrix",
        "--method",
        "nuts",
        "--categorical",
        "Days",
        "--categorical",
        "Subject",
        "--checkpoint",
        "run.ckpt",
        "--until",
        "converged",
        "--budget",
        "6.5",
        "--no-out",
        "--no-plot",
    ]
    assert cli.main([*SLEEP, *options.split(), *more]) == 0
    asked.pop("data")
    assert asked == {
        "formula": "Reaction ~ Days + (Days|Subject), sigma ~ Days",
        "family": "t",
        "link": "log",
        "categorical": ["Days", "Subject"],
        "dropna": True,
        "correlated": True,
        "draws": 20,
        "tune": 30,
        "chains": 2,
        "cores": 1,
        "random_seed": 7,
        "target_accept": 0.9,
        "until": "converged",
        "budget": 6.5,
        "plan": "joint",
        "pilot": "matrix",
        "inference_method": "nuts",
        "progressbar": False,
        "checkpoint": "run.ckpt",
        "file": None,
    }


def test_a_file_goes_before_a_bundled_name(asked, tmp_path):
    (tmp_path / "sleepstudy").write_text("y,x\n1,2\n")
    assert cli.main(["fit", "y ~ x", "sleepstudy", "--draws", "20"]) == 0
    assert Path(asked["data"]) == Path("sleepstudy")


# ------------------------------------------------------------------------------------------- what comes out


def test_prints_model_summary_and_places(asked, capsys, tmp_path):
    assert cli.main([*SLEEP, "--draws", "100"]) == 0
    printed, complaints = capsys.readouterr()
    assert printed.startswith("Formula: Reaction ~ Days + (Days|Subject)\n")
    for word in ("mean", "r_hat", "ess_bulk", "Intercept", "1|Subject_sigma"):
        assert word in printed
    assert "1|Subject[308]" not in printed
    assert "3 effects of single groups are not shown; --all prints them." in printed
    assert "All 5 quantities: largest R-hat 1.0" in printed
    assert f"Draws:   {tmp_path / 'fit.nc'}" in printed
    assert f"Picture: {tmp_path / 'fit.png'}" in printed
    assert complaints == "nutslite: warning: the chains are made up\n"
    assert load(tmp_path / "fit.nc")["posterior"]["Intercept"].shape == (4, 100)
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_results_in_a_file_of_fits_are_saved_once(asked, capsys, tmp_path):
    assert cli.main([*SLEEP, "--draws", "100", "--file", "kept.nc", "--no-plot"]) == 0
    assert asked["file"] == Path("kept.nc")
    assert list(tmp_path.iterdir()) == []  # the model that writes is not there, and nothing else did
    assert "Draws:" not in capsys.readouterr().out
    (tmp_path / "kept.nc").touch()
    assert cli.main([*SLEEP, "--draws", "100", "--file", "kept.nc", "--no-plot"]) == 0
    assert f"Draws:   {tmp_path / 'kept.nc'}" in capsys.readouterr().out


def test_all_prints_every_group(asked, capsys):
    assert cli.main([*SLEEP, "--draws", "100", "--all"]) == 0
    printed = capsys.readouterr().out
    assert "1|Subject[308]" in printed
    assert "not shown" not in printed


def test_nothing_is_saved_that_was_not_wanted(asked, capsys, tmp_path):
    assert cli.main([*SLEEP, "--draws", "100", "--no-out", "--no-plot"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "Picture" not in capsys.readouterr().out


def test_without_matplotlib_says_so_and_does_the_rest(asked, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert cli.main([*SLEEP, "--draws", "100"]) == 0
    assert (
        'Picture: none, matplotlib is not installed (python -m pip install "nutslite[plots]")'
        in capsys.readouterr().out
    )
    assert [file.name for file in tmp_path.iterdir()] == ["fit.nc"]


def test_interrupted_draws_are_kept(asked, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(RecordingModel, "interrupted", True)
    assert cli.main([*SLEEP, "--draws", "100"]) == 130
    assert (tmp_path / "fit.nc").exists()
    assert "r_hat" in capsys.readouterr().out


def test_effects_of_single_groups_are_left_out_whatever_they_are_called(asked, capsys):
    assert cli.main([*SLEEP, "--draws", "100"]) == 0
    table = capsys.readouterr().out
    assert "1|Subject_sigma" in table
    assert "1|Subject[" not in table
    assert "3 effects of single groups are not shown" in table
    assert cli.main([*SLEEP, "--draws", "100", "--all"]) == 0
    assert "1|Subject[309]" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- how it fails


def test_an_error_is_told_without_traceback(asked, capsys):
    assert cli.main(["fit", "y ~ ? x", "sleepstudy"]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith("nutslite: error: '?' means nothing here.\n    y ~ ? x\n        ^")
    assert "Traceback" not in complaint


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("leave these rows out by dropna=True.", "leave these rows out by --dropna."),
        ("link='log' cannot leave the range", "--link log cannot leave the range"),
        ("use family='binomial' with p(y, n)", "use --family binomial with p(y, n)"),
        ("chains=4, draws=500 and target_accept=0.95.", "--chains 4, --draws 500 and --target-accept 0.95."),
        ('draws=900, or fit(until="converged", budget=9).', "--draws 900, or --until converged --budget 9."),
        ('draws=900, or fit(until="converged").', "--draws 900, or --until converged."),
        ("give until='converged' beside it.", "give --until converged beside it."),
        ("categorical=['my id'] says that this is meant", "--categorical 'my id' says that this is meant"),
        ("bad.\n    y ~ f(x, draws=3)\n        ^", "bad.\n    y ~ f(x, draws=3)\n        ^"),
    ],
)
def test_remedies_are_options_of_the_command_line(monkeypatch, capsys, said, told):
    def fails(arguments):
        raise nutslite.exceptions.DataError(said)

    monkeypatch.setattr(cli, "_parser", lambda: SimpleNamespace(parse_args=lambda _: SimpleNamespace(command=fails)))
    assert cli.main([]) == 1
    assert capsys.readouterr().err == f"nutslite: error: {told}\n"


def test_incomplete_rows_name_the_option(tmp_path, capsys):
    (tmp_path / "d.csv").write_text("y,x\n1.5,1\n2.5,\n3.0,4\n2.0,3\n")
    assert cli.main(["fit", "y ~ x", str(tmp_path / "d.csv")]) == 1
    assert " ".join(capsys.readouterr().err.split()).endswith("leave these rows out by --dropna.")


def test_unknown_data(asked, capsys):
    assert cli.main(["fit", "y ~ x", "sleepstdy"]) == 1
    complaint = capsys.readouterr().err
    assert "no file and no bundled data set 'sleepstdy'. Did you mean 'sleepstudy'?" in complaint
    assert asked == {}


@pytest.mark.parametrize("option", ["--out", "--file", "--plot"])
def test_unwritable_place_is_refused_before_the_fit(option, asked, capsys, tmp_path):
    assert cli.main([*SLEEP, option, "absent/file"]) == 1
    assert f"there is no folder '{tmp_path / 'absent'}'" in capsys.readouterr().err
    assert cli.main([*SLEEP, option, "."]) == 1
    assert "it is a folder" in capsys.readouterr().err
    assert asked == {}


@pytest.mark.parametrize(
    "options",
    [
        ["--draws", "0"],
        ["--chains", "two"],
        ["--tune", "-1"],
        ["--target-accept", "1"],
        ["--nonsense"],
        ["--out", "a.nc", "--file", "b.nc"],
    ],
)
def test_an_unreadable_command_line_exits_with_2(options, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*SLEEP, *options])
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_interrupted_before_any_draw(asked, capsys):
    assert cli.main([*SLEEP, "--draws", "13"]) == 130
    assert capsys.readouterr().err == "nutslite: interrupted before there were any draws to keep\n"


# ------------------------------------------------------------------------------------------- the other commands


def test_datasets_lists_each_with_a_model(capsys):
    assert cli.main(["datasets"]) == 0
    printed = capsys.readouterr().out
    for dataset in datasets().values():
        assert dataset.name in printed
        assert f'"{dataset.formula}" --family {dataset.family}' in printed


def test_warm_says_what_it_did(asked, capsys):
    assert cli.main(["warm", "--family", "poisson", "--family", "beta"]) == 0
    printed = capsys.readouterr().out
    assert datasets()["epil"].formula in printed
    assert datasets()["gasoline"].formula in printed
    assert datasets()["sleepstudy"].formula not in printed
    assert "compiled code is kept in" in printed


def test_warm_refuses_an_unknown_family(asked, capsys):
    assert cli.main(["warm", "--family", "poison"]) == 1
    assert "Did you mean 'poisson'?" in capsys.readouterr().err


def test_a_reader_who_leaves_early_sees_no_error(tmp_path):
    command = f"{sys.executable} -m nutslite datasets | true"
    ran = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr == ""


# ------------------------------------------------------------------------------------------- the real thing


def test_version(tmp_path):
    assert nutslite_command("--version", folder=tmp_path).stdout == f"nutslite {nutslite.__version__}\n"


def test_fits_the_first_model_of_the_readme(tmp_path):
    ran = nutslite_command(*SLEEP, "--seed", "1", "--quiet", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "Formula: Reaction ~ Days + (Days|Subject)" in ran.stdout
    posterior = load(tmp_path / "fit.nc")["posterior"]
    # the least-squares line; the prior is far wider than the posterior
    assert float(posterior["Intercept"].mean()) == pytest.approx(251.4, abs=3.0)
    assert float(posterior["Days"].mean()) == pytest.approx(10.47, abs=0.8)
    assert (tmp_path / "fit.png").stat().st_size > 1000


def test_names_the_column_that_is_not_there(tmp_path):
    ran = nutslite_command("fit", "Reaction ~ Dais", "sleepstudy", folder=tmp_path)
    assert ran.returncode == 1
    assert "Dais" in ran.stderr
    assert "did you mean 'Days'?" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_keeps_the_finished_draws(tmp_path):
    radon = ["fit", datasets()["radon"].formula, "radon", "--family", "t", "--chains", "2", "--quiet", "--no-plot"]
    running = subprocess.Popen(
        [sys.executable, "-m", "nutslite", *radon, "--draws", "200000", "--tune", "50", "--checkpoint", "fit.ckpt"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a job in the background of a shell is born deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert running.stdout.readline()  # the model is printed when sampling is about to start
    drawn, given_up = tmp_path / "fit.ckpt", time.monotonic() + 300
    while not (drawn.exists() and drawn.stat().st_size > 1_000_000):  # hundreds of draws of a hundred numbers
        assert running.poll() is None
        assert time.monotonic() < given_up
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    printed, complaints = running.communicate(timeout=120)
    assert running.returncode == 130, complaints
    assert "r_hat" in printed
    assert "Traceback" not in complaints
    n_draws = load(tmp_path / "fit.nc")["posterior"].sizes["draw"]
    assert 0 < n_draws < 200_000
