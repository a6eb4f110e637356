"""A model in words: formula, family, links, data and priors, in the layout that Bambi users know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Literal

from nutslite.families.family import Family
from nutslite.formula.terms import LinearPredictor, correlated_terms
from nutslite.priors.defaults import PriorSet

Style = Literal["modern", "classic"]
WHOLE_DEGREES = re.compile(r"\bnu: (\d+)\.0(?=[,)])")  # Bambi 0.6 printed HalfStudentT(nu: 4, ...), 0.21 prints 4.0

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
    aliases: Mapping[str, str] | None = None,
    correlations: Mapping[str, float] | None = None,
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
    aliases : mapping, optional
        By full name of a term or parameter, the name to show.
    correlations : mapping, optional
        By grouping factor, the shape of the LKJ prior of its effects' correlations.
    """
    names, shapes = aliases or {}, correlations or {}
    if style == "classic":
        return _classic(formulas, family, links, n_rows, predictors, priors, names, shapes)
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
        sections = sections_of(parameter, family, predictor, priors, names, shapes)
        lines.append(_text(sections, indent=8, step=4, gap=" " * 8))
    if fitted:
        lines.append(FOOTER)
    return "\n".join(lines)


def _entry(key: str, entries: Sequence[str]) -> list[str]:
    """``  key: first`` right-aligned at the colon, further entries below the first."""
    return [f"{key:>14}: {entries[0]}", *(f"{'':14}  {entry}" for entry in entries[1:])]


def sections_of(
    parameter: str,
    family: Family,
    predictor: LinearPredictor,
    priors: PriorSet,
    aliases: Mapping[str, str],
    correlations: Mapping[str, float],
) -> dict[str, dict[str, Any]]:
    """Priors of one parameter's terms by section, and in the parent's last section those of the constant parameters."""
    parent = parameter == family.parent.name
    prefix = "" if parent else f"{parameter}_"
    groups = {term.name for term in predictor.group_terms}
    terms = priors.terms[parameter]

    def named(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
        return {aliases.get(f"{prefix}{name}", f"{prefix}{name}"): values[name] for name in names}

    correlated = {
        name: f"LKJ(eta: {correlations[members[0].factor]})"
        for name, members in correlated_terms(predictor, correlations).items()
    }
    return {
        "Common-level effects": named((name for name in terms if name not in groups), terms),
        "Group-level effects": named((name for name in terms if name in groups), terms) | named(correlated, correlated),
        "Offset effects": dict.fromkeys(predictor.offset_names, 1),
        "Auxiliary parameters": named(priors.constants, priors.constants) if parent else {},
    }


def _text(sections: Mapping[str, Mapping[str, Any]], *, indent: int, step: int, gap: str) -> str:
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
    aliases: Mapping[str, str],
    correlations: Mapping[str, float],
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
        sections = sections_of(parameter, family, predictor, priors, aliases, correlations)
        lines.append(WHOLE_DEGREES.sub(r"nu: \1", _text(sections, indent=2, step=2, gap="")))
    return "\n".join(lines)


def describe_html(
    *,
    formulas: Sequence[str],
    family: Family,
    links: Mapping[str, str],
    n_rows: int,
    predictors: Mapping[str, LinearPredictor],
    priors: PriorSet,
    aliases: Mapping[str, str],
    correlations: Mapping[str, float],
) -> str:
    """A model as a compact HTML table; everything that comes from the user is escaped."""
    header = {
        "Formula": "<br>".join(escape(formula) for formula in formulas),
        "Family": escape(family.name),
        "Link": "<br>".join(escape(f"{parameter} = {links[parameter]}") for parameter in predictors),
        "Observations": f"{n_rows:,}",
    }
    rows = [f'<tr><th>{key}</th><td colspan="2">{value}</td></tr>' for key, value in header.items()]
    for parameter, predictor in predictors.items():
        sections = sections_of(parameter, family, predictor, priors, aliases, correlations)
        for title, entries in sections.items():
            heading = title if len(predictors) == 1 else f"{parameter}: {title}"
            for name, prior in entries.items():
                cells = f"<td>{escape(name)}</td><td>{escape(str(prior))}</td>"
                rows.append(f"<tr><th>{escape(heading)}</th>{cells}</tr>")
                heading = ""
    return f'<table class="nutslite-model"><tbody>{"".join(rows)}</tbody></table>'
