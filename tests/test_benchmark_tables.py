"""The benchmarks' tables: what is printed follows from what was measured, and says what made it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import gradient
import provenance
import published_times
import sbc_cases
import scaling
from cases import CASES


def cost(model: str, sweep: str, value: int, sampling: float, reduction: float = 0.0, method: str = "nuts"):
    return scaling.Cost(model, sweep, value, method, reduction, sampling, 0.1, 100, 2_000.0, 1.001)


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_command_leaves_out_where_files_go():
    words = ["--sweeps", "rows", "--out", "some/where", "--small"]
    assert provenance.command("scaling.py", words) == "python benchmarks/scaling.py --sweeps rows --small"
    assert provenance.command("scaling.py", ["--out=there", "--draws", "9"]) == "python benchmarks/scaling.py --draws 9"


def test_head_of_a_table_has_versions_and_commit():
    head = provenance.made_by("gradient.py")
    assert head.startswith("Made by `python benchmarks/gradient.py")
    assert all(f" {name} " in head for name in ("python", "numba", "numpy", "nutslite", "commit"))


def test_tenfold_rows_have_ratios_without_and_with_the_reduction():
    costs = [
        cost("gaussian", "rows", 1_000, 0.02, 0.001),
        cost("gaussian", "rows", 10_000, 0.03, 0.012, method="independence"),
        cost("gaussian", "groups", 10_000, 9.0),
        cost("poisson", "rows", 3_000, 1.0),
    ]
    lines = scaling.tenfold(costs).splitlines()
    assert len(lines) == 5  # heading, blank, two of the table's head, one pair
    row = cells(lines[-1])
    assert row[1:3] == ["1,000 to 10,000", "nuts to independence"]
    assert row[4] == "**1.50**"
    assert row[6] == "2.00"
    assert scaling.tenfold(costs[2:]) == ""


def test_powers_compare_neighbours_of_one_sweep_only():
    costs = [cost("poisson", "rows", 100, 1.0), cost("poisson", "rows", 400, 2.0), cost("poisson", "groups", 400, 2.0)]
    powers = [cells(row)[6] for row in scaling.table(costs).splitlines()[2:]]
    assert powers == ["–", "0.50", "–"]
    assert costs[1].per_thousand == pytest.approx(1.0)


def test_gradient_is_priced_by_row_and_beside_a_pass():
    row = cells(gradient.line(gradient.Price("poisson", 1_000, 0, gradient=6e-6, one_pass=1.5e-6)))
    assert row == ["poisson", "1,000", "0", "6.0", "6.00", "1.50", "4.0"]


def test_published_times_name_known_sources_and_cases():
    names = {case.name for case in CASES}
    for found in published_times.PUBLISHED:
        assert found.source in published_times.SOURCES
        assert found.case is None or found.case in names
        assert found.lme4 or found.mixed_models
    assert {found.source for found in published_times.PUBLISHED} == set(published_times.SOURCES)
    assert all("https://" in source for source in published_times.SOURCES.values())


def test_published_times_stand_beside_our_own():
    text = published_times.section({"M1": 0.0213})
    assert text.count("0.02 (M1)") == sum(found.case == "M1" for found in published_times.PUBLISHED)
    assert "(InstEval)" not in text


def test_thresholds_that_calibration_cases_patch_are_there():
    for dotted in {name for case in sbc_cases.all_cases() for name in case.patches}:
        module, name = sbc_cases.threshold_of(dotted)
        assert isinstance(getattr(module, name), int | float)
