"""`Model.graph`: the text of a graph, without any program; pictures where there is one."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.formula.formula import Formula
from nutslite.results.pictures.graph import Graph


def built(formula: Any = "y ~ x + c + (x|g) + offset(o)", **settings: Any) -> nl.Model:
    model = nl.Model(formula, grouped_data(), **settings)
    model.build()
    return model


def edges(graph: str) -> set[tuple[str, str]]:
    return set(re.findall(r'"([^"]*)" -> "([^"]*)"', graph))


def test_variables_and_arrows() -> None:
    graph = built(correlated=True).graph()
    assert edges(graph) == {
        ("Intercept", "mu"), ("x", "mu"), ("c", "mu"), ("1|g", "mu"), ("x|g", "mu"), ("offset(o)", "mu"),
        ("1|g_sigma", "1|g"), ("x|g_sigma", "x|g"), ("1+x|g_corr", "1|g"), ("1+x|g_corr", "x|g"),
        ("mu", "y"), ("sigma", "y"),
    }  # fmt: skip
    assert '"sigma" [label="sigma\\n~\\nHalfStudentT"' in graph
    for plate in ("c_dim (2)", "g__factor_dim (9)", "__obs__ (120)"):
        assert f'label="{plate}"' in graph


def test_arguments_of_priors_on_request() -> None:
    graph = built().graph(formatting="plain_with_params")
    assert "HalfStudentT(nu: 4.0, sigma: 1.0231)" in graph


def test_parameters_with_formulas_and_fixed_ones() -> None:
    graph = built(Formula("y ~ x", "sigma ~ z + (1|h)"))
    found = edges(graph.graph())
    assert {("sigma_z", "sigma"), ("sigma_1|h_sigma", "sigma_1|h"), ("sigma_1|h", "sigma"), ("sigma", "y")} <= found
    fixed = built("y ~ x", priors={"sigma": 0.5}).graph()
    assert '"sigma" [label="sigma\\n~\\n0.5" shape=box]' in fixed


def test_every_name_in_an_arrow_is_a_node() -> None:
    graph = built(Formula("y ~ x*c + (c|g) + (1|h/g)", "sigma ~ c + (x|h)"), correlated=True).graph()
    nodes = set(re.findall(r'^ *"([^"]*)" \[label', graph, flags=re.MULTILINE))
    assert {name for pair in edges(graph) for name in pair} == nodes


@pytest.mark.parametrize("expression", ["I(x + z)", "I((x > 3) | (x < 2))", "c", "np.abs(x)", "sigma_x"])
def test_correlations_point_at_all_effects_that_they_are_of(expression: str) -> None:
    """Whatever stands in their names: signs of formulas, a prefix that looks like that of a parameter."""
    data = grouped_data().assign(sigma_x=lambda d: d["z"] ** 2, x=lambda d: d["x"].round().astype(int))
    model = nl.Model(Formula(f"y ~ 1 + ({expression}|g)", f"sigma ~ 1 + ({expression}|h)"), data, correlated=True)
    model.build()
    found = edges(model.graph())
    for prefix, factor in (("", "g"), ("sigma_", "h")):
        of = {end for start, end in found if start == f"{prefix}1+{expression}|{factor}_corr"}
        assert of == {f"{prefix}1|{factor}", f"{prefix}{expression}|{factor}"}


def test_names_with_quotes_are_escaped() -> None:
    data = grouped_data().rename(columns={"x": 'the "x"'})
    model = nl.Model('y ~ `the "x"`', data)
    model.build()
    assert '\\"x\\"' in model.graph()


def test_before_build_it_says_what_to_call() -> None:
    with pytest.raises(nl.NutsliteError, match=r"Model is not built yet! Call .build\(\) or .fit\(\) before .graph"):
        nl.Model("y ~ x", grouped_data()).graph()
    with pytest.raises(nl.NutsliteError, match="formatting is one of 'plain', 'plain_with_params'"):
        built().graph("fancy")


def test_the_source_can_be_written_without_graphviz(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    model = built()
    graph = model.graph(name=str(tmp_path / "model"), fmt="gv")
    assert (tmp_path / "model.gv").read_text() == graph == graph.source
    assert graph._repr_svg_() is None
    with pytest.raises(nl.NutsliteError, match="needs the program Graphviz"):
        model.graph(name=str(tmp_path / "model.png"))
    with pytest.raises(nl.NutsliteError, match="there is no folder"):
        model.graph(name=str(tmp_path / "nowhere" / "model.gv"))


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs the program Graphviz")
def test_pictures_by_graphviz(tmp_path: Any) -> None:
    graph = built(correlated=True).graph(name=str(tmp_path / "model"), figsize=(4, 3), dpi=50)
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (graph._repr_svg_() or "")


def test_a_stand_in_for_graphviz_gets_the_source(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nprintf '%s:' \"$1\"; cat\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    graph = built().graph()
    assert graph.pipe("svg").decode() == f"-Tsvg:{graph}"
    assert (graph._repr_svg_() or "").startswith("-Tsvg:digraph")
    program.write_text("#!/bin/sh\necho no good >&2; exit 1\n")
    with pytest.raises(nl.NutsliteError, match="Graphviz made no picture: no good"):
        Graph("digraph {").pipe()
