"""A model as a graph of variables, in Graphviz's language: no program and no package is needed to write it."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Mapping
from numbers import Real
from pathlib import Path

from nutslite.exceptions import ArgumentError, DataError, NutsliteError, checked_path
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import OBSERVATIONS
from nutslite.scores.pictures.figures import check_figsize

FORMATS = ("plain", "plain_with_params")
_SOURCE = ("gv", "dot")
_MISSING = (
    "A picture of the graph needs the program Graphviz (https://graphviz.org, command 'dot'). print(model.graph()) "
    "shows its source, which model.graph(name='model.gv', fmt='gv') writes."
)


class Graph(str):
    """Source text of a graph. Notebooks show it as a picture where the program Graphviz is installed."""

    __slots__ = ()

    @property
    def source(self) -> str:
        """The text itself."""
        return str(self)

    def pipe(self, format: str = "svg") -> bytes:
        """The picture, made by Graphviz.

        Raises
        ------
        NutsliteError
            If Graphviz is not installed, or refuses.
        """
        program = shutil.which("dot")
        if program is None:
            raise NutsliteError(_MISSING)
        done = subprocess.run([program, f"-T{format}"], input=self.encode(), capture_output=True, check=False)
        if done.returncode:
            raise NutsliteError(f"Graphviz made no picture: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def save(self, name: str, fmt: str = "png") -> Path:
        """Write the graph to a file; `fmt` is its ending where it has none, and ``"gv"`` and ``"dot"`` are the source.

        Raises
        ------
        NutsliteError
            If the folder does not exist, or for a picture as for `pipe`.
        """
        path = Path(checked_path("name", name))
        path = path if path.suffix else path.with_suffix(f".{fmt}")
        if not path.parent.is_dir():
            raise ArgumentError(f"Cannot write '{path}': there is no folder '{path.parent}'.")
        ending = path.suffix[1:]
        path.write_bytes(self.encode() if ending in _SOURCE else self.pipe(ending))
        return path

    def _repr_svg_(self) -> str | None:
        return self.pipe("svg").decode() if shutil.which("dot") else None


def draw_graph(
    assembled: Assembled,
    *,
    formatting: str,
    aliases: Mapping[str, str],
    figsize: tuple[float, float] | None = None,
    dpi: int = 300,
) -> Graph:
    """The graph of a model: variables in plates of their dimensions, from hyperparameters down to the response."""
    if figsize is not None:
        check_figsize(figsize)
    if isinstance(dpi, bool) or not isinstance(dpi, Real) or not 0 < dpi < math.inf:
        raise DataError(f"dpi is a number of dots per inch, 300 for example, not {dpi!r}.")
    nodes, edges = _nodes_and_edges(assembled, formatting == "plain_with_params")
    lines = ["digraph {", f'  graph [dpi="{dpi}"{_size(figsize)}]', "  node [fontsize=11]"]
    plates: dict[tuple[str, ...], list[str]] = {}
    for name, (label, style, dims) in nodes.items():
        shown = aliases.get(name, name)
        plates.setdefault(dims, []).append(f"{_quoted(name)} [label={_quoted(f'{shown}~{label}')} {style}]")
    sizes = {dim: len(values) for dim, values in assembled.layout.coords.items()}
    sizes[OBSERVATIONS] = assembled.spec.n_rows
    for number, (dims, rows) in enumerate(plates.items()):
        if dims:
            label = " x ".join(f"{dim} ({sizes[dim]})" for dim in dims)
            lines.append(f"  subgraph cluster{number} {{ label={_quoted(label)} labeljust=r labelloc=b style=rounded")
            lines += [f"    {row}" for row in rows]
            lines.append("  }")
        else:
            lines += [f"  {row}" for row in rows]
    lines += [f"  {_quoted(start)} -> {_quoted(end)}" for start, end in edges]
    return Graph("\n".join([*lines, "}"]))


_Nodes = dict[str, tuple[str, str, tuple[str, ...]]]  # name -> label, style, dims
_FREE, _DETERMINISTIC, _OBSERVED = "shape=ellipse", "shape=box", "shape=ellipse style=filled"


def _nodes_and_edges(assembled: Assembled, with_arguments: bool) -> tuple[_Nodes, list[tuple[str, str]]]:
    spec, inventory = assembled.spec, assembled.inventory
    response = spec.design.response.name
    nodes: _Nodes = {}
    edges: list[tuple[str, str]] = []
    for quantity in inventory.quantities:
        name, prior = quantity.name, quantity.prior
        if quantity.kind == "correlations":
            nodes[name] = ("LKJ", _FREE, quantity.dims)
            edges += [(name, member) for member in quantity.members]
        elif quantity.kind == "row parameter":
            nodes[name] = (f"Deterministic, {spec.links[name]} link", _DETERMINISTIC, quantity.dims)
        elif prior is not None:
            nodes[name] = (str(prior) if with_arguments else prior.name, _FREE, quantity.dims)
        elif quantity.kind == "weights":
            nodes[name] = ("Normal", _FREE, quantity.dims)
        if quantity.governs:
            edges.append((name, quantity.governs))
        elif quantity.kind in ("hyperparameter", "simplex") and quantity.members:
            edges += [(name, member) for member in quantity.members]
        elif quantity.term and name in nodes:
            edges.append((name, quantity.parameter))
    for parameter in spec.family.parameters:
        edges.append((parameter.name, response))
        nodes.setdefault(parameter.name, (f"{spec.priors.constants.get(parameter.name)}", _DETERMINISTIC, ()))
        predictor = spec.design.predictors.get(parameter.name)
        for term in () if predictor is None else predictor.offset_names:
            name = f"{spec.family.prefix(parameter.name)}{term}"
            nodes[name] = ("data", _DETERMINISTIC, (OBSERVATIONS,))
            edges.append((name, parameter.name))
    censored = ", censored" if spec.design.response.censoring is not None else ""
    nodes[response] = (f"{spec.family.title.capitalize()}{censored}", _OBSERVED, (OBSERVATIONS,))
    return nodes, edges


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("~", "\\n~\\n", 1)
    return f'"{escaped}"'


def _size(figsize: tuple[float, float] | None) -> str:
    return "" if figsize is None else f' size="{figsize[0]:g},{figsize[1]:g}"'
