"""A model in words: formula, family, links, data and priors, in the layout that Bambi users know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from nutslite._columns import folded
from nutslite.formula.correlated import correlated_effects
from nutslite.formula.records import STATUSES
from nutslite.formula.terms.level_sds import LEVEL_SDS
from nutslite.posterior.record.model_spec import ModelSpec

Style = Literal["modern", "classic"]
WHOLE_DEGREES = re.compile(r"\bnu: (\d+)\.0(?=[,)])")  # Bambi 0.6 printed HalfStudentT(nu: 4, ...), 0.21 prints 4.0

LEFT = ' style="text-align: left"'  # notebooks put cells to the right, as for numbers
FOOTER = """------
* To see a plot of the priors call the .plot_priors() method.
* To see a summary or plot of the posterior pass the object returned by .fit()
  to az.summary() or az.plot_trace()"""


@dataclass(frozen=True)
class Described:
    """What there is to say of a model.

    Attributes
    ----------
    formulas : sequence of str
        The main formula first.
    spec : ModelSpec
    aliases : mapping
        By full name of a term or parameter, the name to show.
    """

    formulas: Sequence[str]
    spec: ModelSpec
    aliases: Mapping[str, str]

    @property
    def parameters(self) -> list[str]:
        """Those that have a formula, the parent first."""
        return list(self.spec.design.predictors)

    @property
    def links(self) -> list[str]:
        """``mu = identity``, one for each of them."""
        return [f"{parameter} = {self.spec.links[parameter]}" for parameter in self.parameters]

    @property
    def censored(self) -> str:
        """How many observations are censored, in parentheses; empty where the response has no such thing."""
        censoring = self.spec.design.response.censoring
        if censoring is None:
            return ""
        counts = {name: int((censoring.status == place).sum()) for place, name in enumerate(STATUSES)}
        shown = [f"{count:,} {name}" for name, count in counts.items() if count and name != "none"]
        return f" (censored: {', '.join(shown) or 'none'})"

    def sections(self, parameter: str) -> dict[str, dict[str, Any]]:
        """Priors of one parameter's terms by section; the parent's last one has those of the constant parameters."""
        parent = parameter == self.spec.family.parent.name
        prefix = self.spec.family.prefix(parameter)
        predictor, correlations = self.spec.design.predictors[parameter], self.spec.correlations
        terms, constants = self.spec.priors.terms[parameter], self.spec.priors.constants
        sds = [term for term in predictor.basis_terms if term.kind is LEVEL_SDS]
        groups = {term.name for term in predictor.group_terms}
        groups |= {term.full(quantity) for term in sds for quantity in term.hyperparameters}

        def named(names: Iterable[str], values: Mapping[str, Any]) -> dict[str, Any]:
            return {self.aliases.get(f"{prefix}{name}", f"{prefix}{name}"): values[name] for name in names}

        correlated = {  # shown with the last parameter that they belong to
            self.aliases.get(group.name, group.name): f"LKJ(eta: {correlations.get(group.factor, 1.0)})"
            for group in correlated_effects(self.spec.design.predictors, correlations)
            if group.members[-1].parameter == parameter
        }
        of_groups = named((name for name in terms if name in groups), terms)
        return {
            "Common-level effects": named((name for name in terms if name not in groups), terms),
            "Group-level effects": of_groups | correlated,
            "Offset effects": dict.fromkeys(predictor.offset_names, 1),
            "Auxiliary parameters": named(constants, constants) if parent else {},
        }


def describe(model: Described, *, fitted: bool = False, style: Style = "modern") -> str:
    """Text of a model.

    Parameters
    ----------
    model : Described
    fitted : bool
        Whether to add what can be done next.
    style : {"modern", "classic"}
        Bambi 0.21's layout, or that of Bambi 0.6.
    """
    if style == "classic":
        return _classic(model)
    header = {
        "Formula": model.formulas,
        "Family": [model.spec.family.name],
        "Link": model.links,
        "Observations": [f"{model.spec.n_rows}{model.censored}"],
        "Priors": [""],
    }
    lines = [line for key, entries in header.items() for line in _entry(key, entries)]  # formulas as they are written
    for parameter in model.parameters:
        lines.append(f"    target = {parameter}")
        lines.append(_text(model.sections(parameter), indent=8, step=4, gap=" " * 8))
    if fitted:
        lines.append(FOOTER)
    return "\n".join(lines)


def _entry(key: str, entries: Sequence[str]) -> list[str]:
    """``  key: first`` right-aligned at the colon, further entries below the first."""
    return [f"{key:>14}: {entries[0]}", *(f"{'':14}  {entry}" for entry in entries[1:])]


def _text(sections: Mapping[str, Mapping[str, Any]], *, indent: int, step: int, gap: str) -> str:
    """Sections with a line an entry; where one is folded, arguments stay beside their names."""
    blocks = []
    for title, entries in sections.items():
        if entries:
            rows = [f"{' ' * (indent + step)}{name} ~ {prior}" for name, prior in entries.items()]
            whole = [folded(row.replace(": ", ":\0")).replace("\0", " ") for row in rows]
            blocks.append("\n".join([f"{' ' * indent}{title}", *whole]))
    return f"\n{gap}\n".join(blocks)


def _classic(model: Described) -> str:
    lines = [
        f"Formula: {'; '.join(model.formulas)}",
        f"Family name: {model.spec.family.name.capitalize()}",
        f"Link: {', '.join(model.spec.links[parameter] for parameter in model.parameters)}",
        f"Observations: {model.spec.n_rows}{model.censored}",
        "Priors:",
    ]
    for parameter in model.parameters:
        if parameter != model.spec.family.parent.name:
            lines.append(f"  Parameter {parameter}")
        lines.append(WHOLE_DEGREES.sub(r"nu: \1", _text(model.sections(parameter), indent=2, step=2, gap="")))
    return "\n".join(lines)


def describe_html(model: Described) -> str:
    """A model as a compact HTML table; everything that comes from the user is escaped."""
    header = {
        "Formula": "<br>".join(escape(formula) for formula in model.formulas),
        "Family": escape(model.spec.family.name),
        "Link": "<br>".join(escape(link) for link in model.links),
        "Observations": f"{model.spec.n_rows:,}{model.censored}",
    }
    rows = [f'<tr><th>{key}</th><td colspan="2"{LEFT}>{value}</td></tr>' for key, value in header.items()]
    for parameter in model.parameters:
        for title, entries in model.sections(parameter).items():
            heading = title if len(model.parameters) == 1 else f"{parameter}: {title}"
            for name, prior in entries.items():
                cells = f"<td{LEFT}>{escape(name)}</td><td{LEFT}>{escape(str(prior))}</td>"
                rows.append(f"<tr><th>{escape(heading)}</th>{cells}</tr>")
                heading = ""
    return f'<table class="nutslite-model"><tbody>{"".join(rows)}</tbody></table>'
