"""A model in words: formula, family, links, data and priors, in the layout that Bambi users know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from nutslite.families.family import Family
from nutslite.formula.terms import LinearPredictor
from nutslite.priors.defaults import PriorSet

Style = Literal["modern", "classic"]

FOOTER = """------
* To see a plot of the priors call the .plot_priors() method.
* To see a summary or plot of the posterior pass the object returned by .fit() to az.summary() or az.plot_trace()"""


def describe(
    *,
    formulas: Sequence[str],
    family: Family,
    links: Mapping[str, str],
    n_rows: int,
    predictors: Mapping[str, LinearPredictor],
    priors: PriorSet,
    fitted: bool = False,
    style: Style = "modern",
) -> str:
    """Text of a model.

    Parameters
    ----------
    formulas : sequence of str
        The main formula first.
    links : mapping of str to str
        Of the parameters that have a formula at least.
    fitted : bool
        Whether to add what can be done next.
    style : {"modern", "classic"}
        Bambi 0.21's layout, or that of Bambi 0.6.
    """
    if style == "classic":
        return _classic(formulas, family, links, n_rows, predictors, priors)
    linked = [f"{parameter} = {links[parameter]}" for parameter in predictors]
    header = {
        "Formula": formulas,
        "Family": [family.name],
        "Link": linked,
        "Observations": [str(n_rows)],
        "Priors": [""],
    }
    lines = [line for key, entries in header.items() for line in _entry(key, entries)]
    for parameter, predictor in predictors.items():
        lines.append(f"    target = {parameter}")
        constants = priors.constants if parameter == family.parent.name else {}
        lines.append(_sections(predictor, priors.terms[parameter], constants, indent=8, step=4, gap=" " * 8))
    if fitted:
        lines.append(FOOTER)
    return "\n".join(lines)


def _entry(key: str, entries: Sequence[str]) -> list[str]:
    """``  key: first`` right-aligned at the colon, further entries below the first."""
    return [f"{key:>14}: {entries[0]}", *(f"{'':14}  {entry}" for entry in entries[1:])]


def _sections(
    predictor: LinearPredictor,
    priors: Mapping[str, Any],
    constants: Mapping[str, Any],
    *,
    indent: int,
    step: int,
    gap: str,
) -> str:
    groups = {term.name for term in predictor.group_terms}
    sections = {
        "Common-level effects": {name: prior for name, prior in priors.items() if name not in groups},
        "Group-level effects": {name: prior for name, prior in priors.items() if name in groups},
        "Offset effects": dict.fromkeys(predictor.offset_names, 1),
        "Auxiliary parameters": dict(constants),
    }
    blocks = []
    for title, entries in sections.items():
        if entries:
            rows = [f"{' ' * (indent + step)}{name} ~ {prior}" for name, prior in entries.items()]
            blocks.append("\n".join([f"{' ' * indent}{title}", *rows]))
    return f"\n{gap}\n".join(blocks)


def _classic(
    formulas: Sequence[str],
    family: Family,
    links: Mapping[str, str],
    n_rows: int,
    predictors: Mapping[str, LinearPredictor],
    priors: PriorSet,
) -> str:
    lines = [
        f"Formula: {'; '.join(formulas)}",
        f"Family name: {family.name.capitalize()}",
        f"Link: {', '.join(links[parameter] for parameter in predictors)}",
        f"Observations: {n_rows}",
        "Priors:",
    ]
    for parameter, predictor in predictors.items():
        if parameter != family.parent.name:
            lines.append(f"  Parameter {parameter}")
        constants = priors.constants if parameter == family.parent.name else {}
        lines.append(_sections(predictor, priors.terms[parameter], constants, indent=2, step=2, gap=""))
    return "\n".join(lines)
