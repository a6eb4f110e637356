"""Trace plots: a picture comes out, the density is right, the lack of matplotlib is explained."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nutslite.exceptions import DataError
from nutslite.results.pictures.plots import density, plot_trace
from nutslite.scores.pictures.figures import PlotsMissingError


def draws():
    rng = np.random.default_rng(0)
    return {
        "Intercept": rng.normal(size=(2, 200)),
        "1|g": rng.normal(size=(2, 200, 3)),
        "sigma": rng.gamma(1, size=(2, 200)),
    }


def test_a_picture_is_saved(tmp_path):
    pytest.importorskip("matplotlib")
    state = sys.modules.get("matplotlib.pyplot")
    diverging = np.zeros((2, 200), bool)
    diverging[0, 5] = True
    path = plot_trace(
        draws(), tmp_path / "trace.png", dims={"1|g": ("g",)}, coords={"g": list("abc")}, diverging=diverging
    )
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert sys.modules.get("matplotlib.pyplot") is state  # no global figure, no backend chosen
    from matplotlib.image import imread

    pixels = imread(path)
    assert pixels.shape[:2] == (605, 1100)
    assert pixels[..., :3].std() > 0.05  # something has been drawn
    one_row = plot_trace(draws(), tmp_path / "one.png", max_rows=1, max_elements=2)
    assert imread(one_row).shape[0] < 300


def test_svg_holds_names(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        text = plot_trace(draws(), tmp_path / "trace.svg", max_rows=2, max_elements=2).read_text()
    assert "Intercept" in text
    assert "1|g (first 2 of 3)" in text
    assert "1 further variables" in text


def test_density_integrates_and_stays_inside():
    rng = np.random.default_rng(1)
    for values in (rng.normal(3, 2, 2000), rng.exponential(size=4000)):
        grid, heights = density(values)
        assert grid[0] == values.min()
        assert grid[-1] == values.max()
        assert np.trapezoid(heights, grid) == pytest.approx(1, abs=0.02)
    # an unreflected estimate would be half as high at 0
    assert heights[0] == pytest.approx(1, abs=0.2)
    grid, heights = density(rng.normal(size=20000))
    expected = np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi)
    assert np.abs(heights - expected).max() < 0.03
    assert (density(np.ones(10))[1] == 0).all()
    assert np.isfinite(density(np.array([0.0, 0, 0, 0, 0, 0, 1.0]))[1]).all()


def test_errors_name_the_remedy(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no folder"):
        plot_trace(draws(), tmp_path / "absent" / "a.png")
    with pytest.raises(DataError, match="no draws"):
        plot_trace({}, tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotsMissingError, match=r'pip install "nutslite\[plots\]"'):
        plot_trace(draws(), tmp_path / "a.png")
