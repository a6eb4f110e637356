"""The summary table: ArviZ's numbers, the classic layout, every kind of input."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from nutslite.exceptions import DataError, NutsliteError
from nutslite.results.container import inference_data as idt
from nutslite.results.diagnostics import diagnostics
from nutslite.results.diagnostics.labels import choose_names, element_labels
from nutslite.results.diagnostics.summary import summary

COLUMNS = ["mean", "sd", "hdi_3%", "hdi_97%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat"]
DIMS = {"g": ("g_dim",), "x|s": ("x__expr_dim", "s__factor_dim")}
COORDS = {"g_dim": ["b", "c"], "x__expr_dim": ["u", "v"], "s__factor_dim": ["308", "309", "310"]}


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(5)
    return {
        "Intercept": rng.normal(250, 10, size=(4, 500)),
        "g": rng.normal(size=(4, 500, 2)),
        "sigma": rng.gamma(2, size=(4, 500)),
        "x|s": rng.normal(size=(4, 500, 2, 3)).cumsum(axis=1) / 30,
    }


def test_layout(draws):
    table = summary(draws, dims=DIMS, coords=COORDS)
    assert list(table.columns) == COLUMNS
    assert list(table.index[:4]) == ["Intercept", "g[b]", "g[c]", "sigma"]
    assert list(table.index[4:6]) == ["x|s[u, 308]", "x|s[u, 309]"]
    assert len(table) == 10
    assert table.loc["Intercept", "ess_bulk"] == round(table.loc["Intercept", "ess_bulk"])
    assert str(table.loc["g[b]", "r_hat"]) in {"1.0", "1.01"}


def test_same_numbers_as_arviz(draws):
    arviz = pytest.importorskip("arviz")
    idata = idt.to_inference_data({"posterior": draws}, dims=DIMS, coords=COORDS)
    ours = summary(idata, round_to="none")
    compared = COLUMNS
    if idt.arviz_major() < 1:
        arviz.Numba.disable_numba()  # its Numba branch fails with NumPy 2.4
        theirs = arviz.summary(idata, round_to="none")
        assert list(theirs.columns) == COLUMNS
        printed = arviz.summary(idata)
        assert summary(idata).to_string() == printed.to_string()
    else:
        theirs = arviz.summary(idata, ci_kind="hdi", ci_prob=0.94, round_to="none")
        theirs = theirs.rename(columns={"hdi94_lb": "hdi_3%", "hdi94_ub": "hdi_97%"})
        # for ess_tail ArviZ 1.x takes the 11 % and 89 % quantiles, we those of the paper and of ArviZ 0.x, 5 % and 95 %
        compared = [column for column in COLUMNS if column != "ess_tail"]
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours[compared].to_numpy(), theirs[compared].to_numpy().astype(float), rtol=1e-10)


def test_every_kind_of_input_gives_the_same(draws, monkeypatch):
    expected = summary(draws, dims=DIMS, coords=COORDS)
    installed = idt.to_inference_data({"posterior": draws, "prior": {"a": draws["g"]}}, dims=DIMS, coords=COORDS)
    dataset = idt.posterior_dataset(installed)
    monkeypatch.setattr(idt, "arviz_major", lambda: 1)
    tree = idt.to_inference_data({"posterior": draws}, dims=DIMS, coords=COORDS)
    for results in (installed, dataset, tree, tree["posterior"], tree.posterior):
        assert summary(results).equals(expected)
    assert list(summary(installed, group="prior").index) == ["a[0]", "a[1]"]


def test_choice_of_rows_and_columns(draws):
    assert list(summary(draws, ["sigma", "Intercept"]).index) == ["sigma", "Intercept"]
    assert list(summary(draws, "~x|s").index) == ["Intercept", "g[0]", "g[1]", "sigma"]
    assert list(summary(draws, "sigma", kind="stats").columns) == COLUMNS[:4]
    assert list(summary(draws, "sigma", kind="diagnostics").columns) == COLUMNS[4:]
    assert list(summary(draws, "sigma", hdi_prob=0.89, kind="stats").columns)[2:] == ["hdi_5.5%", "hdi_94.5%"]
    table = summary(draws, "sigma", round_to=1)
    assert table.loc["sigma", "mean"] == round(draws["sigma"].mean(), 1)
    exact = summary(draws, "sigma", round_to="none")
    assert exact.loc["sigma", "sd"] == pytest.approx(draws["sigma"].std(ddof=1), rel=1e-13)
    assert exact.loc["sigma", "r_hat"] == diagnostics.rhat(draws["sigma"])


def test_wrong_requests_are_named(draws):
    with pytest.raises(DataError, match=r"no variable 'Intercep'.*Did you mean 'Intercept'\?"):
        summary(draws, "Intercep")
    with pytest.raises(DataError, match="no variable 'zzz'"):
        summary(draws, "~zzz")
    with pytest.raises(DataError, match="kind is"):
        summary(draws, kind="most")
    with pytest.raises(DataError, match="no group 'posterior'"):
        summary(idt.to_inference_data({"prior": draws}, dims=DIMS, coords=COORDS))
    with pytest.raises(DataError, match="Cannot summarise a list"):
        summary([1, 2])
    with pytest.raises(DataError, match="no variables"):
        summary({})
    with pytest.raises(DataError, match="dict of arrays only"):
        summary(idt.to_inference_data({"posterior": draws}, dims=DIMS, coords=COORDS), dims=DIMS)


def test_labels_and_choices():
    assert element_labels("a", ()) == ["a"]
    assert element_labels("a", (2,), {"a": ("d",)}, {"d": ["x", "y"]}) == ["a[x]", "a[y]"]
    assert choose_names(["~odd", "b"], "~odd") == ["~odd"]
    assert choose_names(["a", "b", "c"], ["c", "a", "c"]) == ["c", "a"]  # as ArviZ does


def test_names_may_have_other_blanks():
    known = ["Intercept", "I(x ** 2)", "k:x", "I(x ** 2)|g_sigma"]
    assert choose_names(known, ["x:k", "I(x**2)"]) == ["k:x", "I(x ** 2)"]
    assert choose_names(known, "~I(x**2)") == ["Intercept", "k:x", "I(x ** 2)|g_sigma"]
    with pytest.raises(DataError, match=r"no variable 'I\(x\*\*3\)'"):
        choose_names(known, "I(x**3)")


def test_one_draw_has_no_spread():
    table = summary({"a": np.ones((1, 1))})
    assert table.loc["a", "mean"] == 1
    assert np.isnan(table.loc["a", "sd"])


def test_a_dict_needs_no_arviz():
    code = (
        "import sys, numpy as np\n"
        "from nutslite.results.diagnostics.summary import summary\n"
        "summary({'a': np.random.default_rng(0).normal(size=(4, 100))})\n"
        "assert 'arviz' not in sys.modules and 'xarray' not in sys.modules\n"
        "assert not [name for name in sys.modules if name.startswith('scipy')]\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_names_by_parts_and_expressions():
    """As ArviZ's `filter_vars`."""
    known = ["Intercept", "x", "1|g_sigma", "x|g_sigma", "1|g"]
    assert choose_names(known, "sigma", "like") == ["1|g_sigma", "x|g_sigma"]
    assert choose_names(known, ["~|g"], "like") == ["Intercept", "x"]
    assert choose_names(known, ["1|g", "~sigma"], "like") == ["1|g"]
    assert choose_names(known, "^x", "regex") == ["x", "x|g_sigma"]
    assert choose_names(known, ["^1", "~a$"], "regex") == ["1|g"]
    assert choose_names(known, None, "like") == known
    for wanted, how, words in (
        ("tau", "like", "fits 'tau'"),
        ("(", "regex", "'\\('"),
        ("x", "glob", "filter_vars.*'like'.*'regex'"),
    ):
        with pytest.raises(NutsliteError, match=words):
            choose_names(known, wanted, how)
