"""What a first-time user sees: nothing wider than 80 columns, no column left out, no warning of other packages."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_models import GAUSSIAN, GENERAL, small_model

import nutslite as nl
from nutslite import cli
from nutslite._columns import columns_of, folded
from nutslite._log import log
from nutslite.datasets import datasets
from nutslite.results.diagnostics.table import SummaryTable, table_text
from nutslite.sampler.progress import ProgressBar
from nutslite.sampler.worker import ChainProgress

ROOT = Path(__file__).resolve().parent.parent
LONG = {
    "y": np.arange(24.0),
    "income_of_the_household": np.arange(24.0) ** 2,
    "region of the country": list("abcdefghijkl") * 2,
    "school_of_the_child": [f"school number {i}" for i in range(6)] * 4,
}
LONG_FORMULA = "y ~ income_of_the_household + `region of the country` + (income_of_the_household|school_of_the_child)"


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no device")


def too_wide(text: str, columns: int = 80) -> list[str]:
    """Lines that a terminal would break."""
    return [line for line in text.split("\n") if len(line) > columns]


def draws_of(*names: str, scale: float = 1.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(scale, scale, size=(4, 50)) for name in names}


# ------------------------------------------------------------------------------------------------------------- folding


def test_lines_are_folded_between_words():
    text = "  " + "word " * 30
    assert too_wide(folded(text)) == []
    assert folded(text).split() == text.split()
    assert all(line.startswith("      word") for line in folded(text).split("\n")[1:])
    assert folded("short\n\nlines") == "short\n\nlines"
    assert folded("x" * 100) == "x" * 100  # a word stays whole, as do names and paths
    assert folded(text, None) == text
    assert folded(text, 10) == text


def test_quoted_lines_keep_their_places():
    message = "wrong " * 20 + "\n    " + "y ~ x + " * 20 + "\n    ^"
    assert folded(message, quoted=True).split("\n")[-2:] == message.split("\n")[-2:]


def test_width_is_that_of_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "63")
    assert columns_of(None) == columns_of(io.StringIO()) == 63
    for nothing in ("", "wide", "0", "-3"):
        monkeypatch.setenv("COLUMNS", nothing)
        assert columns_of(io.StringIO()) is None
    monkeypatch.delenv("COLUMNS")
    assert columns_of(None) is columns_of(io.StringIO()) is columns_of(Terminal()) is None
    assert columns_of(type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()) == 80
    closed = io.StringIO()
    closed.close()
    assert columns_of(closed) is None


def test_log_lines_fit_a_terminal_and_stay_whole_in_a_file(monkeypatch):
    message = " ".join(["a line about the model"] * 8)
    # pytest's own handlers would show the line, and then ours leaves it to them
    handler = next(each for each in log.logger.handlers if type(each).__name__ == "_Fallback")
    record = logging.LogRecord("nutslite", logging.INFO, "", 0, message, None, None)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert handler.format(record) == message
    monkeypatch.setenv("COLUMNS", "80")
    assert too_wide(handler.format(record)) == []


def test_a_bar_shows_of_its_text_what_fits(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    report = ChainProgress(0, "sampling", 12000, 16000, 3, 0.25, 2, 7.0)
    for columns, text in (
        ("80", "[3 divergences, sampling 1/4]"),
        ("160", "[3 divergences, sampling 1/4, step 0.25, 7 leapfrogs]"),
    ):
        monkeypatch.setenv("COLUMNS", columns)
        with ProgressBar(chains=4, transitions=16000) as bar:
            bar(report)
        shown = [line for line in re.split(r"[\r\n]", capsys.readouterr().err) if "divergences" in line]
        assert shown
        assert all(re.sub(r"\[.*<[^,]*, ", "[", line).strip().endswith(text) for line in shown)


# --------------------------------------------------------------------------------------------------------- the model


@pytest.fixture(scope="module")
def long_names() -> nl.Model:
    return nl.Model(LONG_FORMULA, LONG)


@pytest.mark.parametrize("name", [*GAUSSIAN, *GENERAL])
def test_models_and_plans_fit(name):
    model = small_model((GAUSSIAN | GENERAL)[name])
    for text in (str(model), model.describe("classic"), str(model.plan()), str(model.plan("joint"))):
        lines = [line for line in too_wide(text) if "~" not in line]  # a formula is printed as it is written
        assert lines == []


def test_long_priors_are_folded_and_formulas_are_not(long_names):
    text = str(long_names)
    formula, *wide = too_wide(text)
    assert formula.strip() == f"Formula: {LONG_FORMULA}"
    assert wide == []
    region = text.split("region of the country ~ ")[1].split("income_of")[0]
    assert len(re.findall(r"\d\.\d*", region)) >= 22  # eleven locations, eleven scales
    assert too_wide(str(long_names.plan())) == []


def test_one_column_has_numbers_and_no_arrays():
    data = {"y": np.arange(8.0), "g": list("abab") * 2, "s": list("ppqq") * 2}
    text = str(nl.Model("y ~ g + (g|s)", data, priors={"g": nl.Prior("Normal", mu=[1.0], sigma=np.array([2.0]))}))
    assert "g ~ Normal(mu: 1.0, sigma: 2.0)" in text
    assert "[" not in text
    assert "[" not in str(nl.Model("y ~ g + (g|s)", data))


# ---------------------------------------------------------------------------------------------------------- the table

NAMES = {
    "short": ("Intercept", "x", "sigma"),
    "long": ("Intercept", "income_of_the_household|school_of_the_child_sigma", "sigma"),
    "longer than a line": ("x" * 90, "sigma"),
    "many": tuple(f"g[{i}]" for i in range(100)),
}


@pytest.mark.parametrize("scale", [1.0, 1e5])
@pytest.mark.parametrize("names", NAMES)
def test_all_columns_of_a_summary_are_printed(names, scale, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = nl.summary(draws_of(*NAMES[names], scale=scale))
    text = repr(table)
    assert too_wide(text) == [name for name in NAMES[names] if len(name) > 80]
    heading = " ".join(text.split("\n")[:2])
    for part in ("mean", "sd", "3%", "97%", "mcse", "bulk", "tail", "r_hat"):
        assert part in heading
    shown = [name for name in NAMES[names] if re.search(rf"(?m)^{re.escape(name)}(?:\s|$)", text)]
    assert len(shown) == (len(table) if len(table) <= 60 else 10)
    assert ("[100 rows x 9 columns]" in text) == ("..." in text) == (len(table) > 60)


def test_numbers_stand_in_their_rows(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = nl.summary(draws_of(*NAMES["long"]))
    words = repr(table).split()
    for name, row in table.iterrows():
        found = words[words.index(name) + 1 :][: len(row)]
        np.testing.assert_allclose([float(word) for word in found], row.to_numpy())


def test_wide_terminals_and_parts_show_what_pandas_shows(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    table = nl.summary(draws_of("x", "sigma"))
    assert repr(table) == pd.DataFrame(table).to_string()
    monkeypatch.setenv("COLUMNS", "80")
    assert repr(table[["mean", "sd"]]) == pd.DataFrame(table[["mean", "sd"]]).to_string()
    assert isinstance(table.loc[["x"]], SummaryTable)
    two = pd.concat({"a": table, "b": table}, axis=1)
    for other in (two, table.T, nl.summary(draws_of("x"), round_to="none")):
        assert "mean" in repr(other)
        assert too_wide(repr(other)) == []
    assert repr(table.iloc[:0]) == repr(pd.DataFrame(table.iloc[:0]))
    assert table_text(pd.DataFrame({("a", 1): [1.0]}), 80)


# ----------------------------------------------------------------------------------------------------- the command line


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["warm", "--help"]])
def test_help_fits(arguments, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main(arguments)
    assert too_wide(capsys.readouterr().out) == []


def test_list_of_data_fits(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["datasets"]) == 0
    listed = capsys.readouterr().out
    assert too_wide(listed) == []
    assert all(re.search(rf"(?m)^{name} ", listed) for name in datasets())


def test_fit_on_the_command_line_fits(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    command = ["fit", "Reaction ~ Days + (Days|Subject)", "sleepstudy", "--no-out", "--no-plot", "--quiet"]
    assert cli.main([*command, "--draws", "50", "--chains", "2", "--seed", "1"]) == 0
    printed = capsys.readouterr()
    assert too_wide(printed.out) == []
    assert too_wide(printed.err) == []
    assert "Days|Subject_sigma" in printed.out
    assert cli.main(["fit", "Reaction ~ Dys", "sleepstudy"]) == 1
    assert too_wide(capsys.readouterr().err) == []


# ------------------------------------------------------------------------------------------------- warnings of others

FIRST_FIT = """
import nutslite as nl
model = nl.Model("mpg ~ wt + qsec", nl.load_data("mtcars"))
results = model.fit(draws=200, chains=2, random_seed=1)
model.predict(results, kind="response", random_seed=1)
print(model, model.plan(), nl.summary(results), sep="\\n")
nl.save(results, "fit.nc")
"""


def first_time(code: str, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run code as somebody who has never imported anything: an empty home, caches of kernels apart."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPLCONFIG"))}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment |= {"HOME": str(home), "COLUMNS": "80", "PYTHONPATH": path, "NUTSLITE_COMPILE_BESIDE": "0"}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_first_fit_warns_of_nothing_that_is_of_others(tmp_path):
    """The only lines are ours, and none is too wide, but for the bar, which writes over itself."""
    run = first_time(FIRST_FIT, tmp_path)
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stderr.split("\n") if line and not re.match(r"\d+ chains:", line)]
    assert [line for line in lines if "Warning" in line or "font cache" in line] == []
    assert [line.split(" ")[0] for line in lines if not line.startswith(" ")] == ["Independence", "Sampling"]
    assert too_wide(run.stdout) == []
    assert too_wide("\n".join(lines)) == []


@pytest.mark.slow
def test_a_first_fit_has_no_warning_that_would_be_an_error(tmp_path):
    kinds = ("FutureWarning", "UserWarning", "RuntimeWarning", "SyntaxWarning")
    run = first_time(FIRST_FIT, tmp_path, *(f"-Werror::{kind}" for kind in kinds))
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_the_users_own_import_says_what_it_says(tmp_path):
    """Also after a fit of the same day, which leaves nothing behind by which ArviZ would be silent."""
    here, fresh = tmp_path / "here", tmp_path / "fresh"
    here.mkdir()
    fresh.mkdir()
    assert first_time("from nutslite.results.container.arviz_import import import_arviz as do; do()", here).stderr == ""
    said = [first_time("import arviz", home).stderr.count("major refactor") for home in (here, fresh)]
    assert said[0] == said[1]


def test_filters_of_the_user_stay():
    code = """
import warnings
warnings.simplefilter("error", ResourceWarning)
before = list(warnings.filters)
from nutslite.results.container.arviz_import import import_arviz
import_arviz()
missing = [entry for entry in before if entry not in warnings.filters]
left = [entry for entry in warnings.filters if entry[1] is not None and "refactor" in entry[1].pattern]
print(missing, left)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.split() == ["[]", "[]"], run.stderr
