"""From the record of approximations to a page: a summary by method, peers, every model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from nutslite._pareto import LARGEST_SHAPE

WRONG = 0.3  # sds that a mean is off
RIGHT = 0.1
MANY = 100  # parameters
FEW = 50

Record = dict[str, Any]

DEFINITIONS = f"""\
Errors are the largest over population-level parameters: of a mean in posterior sds / of an sd, as the logarithm of its
ratio. *Kept* draws are what a fit gives by default: chosen by importance weights where k-hat allows it. *Raw* draws
are those of the approximation itself (``importance=None``), with a k-hat of their own. *Silent* are fits without a
warning of which a mean is off by more than {WRONG} sd. `auto` is the density that `fit` samples, for Gaussian models
that of a few scales; `joint` that of all parameters of the same models; `own` are models of families that no reference
has, compared with a long NUTS run of ours."""

COLUMNS = (
    "density", "method", "models", f"k-hat <= {LARGEST_SHAPE}, of d <= {MANY}", "warned", "**silent**",
    f"right ({RIGHT} / {RIGHT}), not warned", "largest errors, not warned", "raw: warned", "raw: silent",
    "raw: largest errors", f"gradients, median (most, d <= {FEW})", "not converged",
)  # fmt: skip


def report(head: str, fits: Sequence[Record], peers: Sequence[Record], order: Sequence[str], own: set[str]) -> str:
    """The whole page.

    Parameters
    ----------
    head : str
        What made it.
    fits, peers : sequence of dict
    order : sequence of str
        Names of cases.
    own : set of str
        Those whose posterior is known by a run of ours.
    """
    parts = ["# Approximations beside known posteriors", head, DEFINITIONS, "## In short", summary(fits, own)]
    if silent := [line for record in fits if is_silent(record) for line in [_silent_line(record)]]:
        parts += ["Silent ones:", "\n".join(silent)]
    if peers:
        parts += ["## Beside peers", peers_text(peers), peer_table(peers)]
    parts += ["## Every model", case_notes(), case_table(fits, order, own)]
    return "\n\n".join(parts) + "\n"


def summary(fits: Sequence[Record], own: set[str]) -> str:
    """A line for each density and method."""
    lines = []
    for label, chosen in (
        ("auto", [r for r in fits if r["plan"] == "auto" and r["case"] not in own]),
        ("joint", [r for r in fits if r["plan"] == "joint"]),
        ("own", [r for r in fits if r["case"] in own]),
    ):
        for method in _methods(chosen):
            lines.append(_row(_summary_cells(label, method, [r for r in chosen if r["method"] == method])))
    return _table(COLUMNS, lines)


def _summary_cells(label: str, method: str, records: list[Record]) -> list[str]:
    ran = [record for record in records if "kept" in record]
    kept, raw = [record["kept"] for record in ran], [record["raw"] for record in ran if "raw" in record]
    shapes = [record["khat"] for record in ran if record["d"] <= MANY]
    quiet = [found for found in kept if not found["warned"]]
    right = sum(found["mean"] < RIGHT and found["sd"] < RIGHT for found in quiet)
    gradients = [record["n_gradients"] for record in ran]
    few = [record["n_gradients"] for record in ran if record["d"] <= FEW]
    converged = [record["converged"] for record in ran if "converged" in record]
    models = str(len({record["case"] for record in records}))
    return [
        label, method, models if len(ran) == len(records) else f"{models} ({len(records) - len(ran)} refused)",
        f"{sum(shape <= LARGEST_SHAPE for shape in shapes)} of {len(shapes)}",
        str(len(kept) - len(quiet)), str(sum(map(_is_wrong, quiet))), f"{right} of {len(quiet)}", _largest(quiet),
        f"{sum(bool(found['warned']) for found in raw)} of {len(raw)}" if raw else "–",
        str(sum(_is_wrong(found) for found in raw if not found["warned"])) if raw else "–", _largest(raw),
        f"{median(gradients):,.0f} ({max(few, default=0):,.0f})" if gradients else "–",
        f"{sum(not each for each in converged)} of {len(converged)}" if converged else "–",
    ]  # fmt: skip


def _is_wrong(found: Record) -> bool:
    return bool(found["mean"] > WRONG)


def _largest(found: Sequence[Record]) -> str:
    if not found:
        return "–"
    return f"{max(each['mean'] for each in found):.2f} / {max(each['sd'] for each in found):.2f}"


def is_silent(record: Record) -> bool:
    """Whether a fit is wrong and did not say so."""
    return "kept" in record and not record["warned"] and _is_wrong(record["kept"])


def _silent_line(record: Record) -> str:
    kept, khat = record["kept"], record.get("khat")
    shape = "no k-hat" if khat is None else f"k-hat {khat:.2f}"
    return (
        f"- {record['case']}, {record['plan']}, {record['method']}: `{kept['worst']}` is off by {kept['mean']:.2f} sd, "
        f"{shape}"
    )


# ------------------------------------------------------------------------------------------------------------ peers


def peers_text(peers: Sequence[Record]) -> str:
    """What was run, and what ran it."""
    versions = next((record["versions"] for record in peers if record.get("versions")), {})
    models = len({record["case"] for record in peers})
    shown = ", ".join(f"{name} {version}" for name, version in versions.items())
    loads = [record["load"] for record in peers]
    return (
        f"{models} models at default settings, one process a fit, one seed ({shown}). Cold: from empty caches of "
        "compiled code; warm: the next process. Wall and processor time of the whole process as multiples of ours (*) "
        "in the same phase, with those that it started and waited for. The load of the machine was "
        f"{min(loads):.0f} to {max(loads):.0f}: where it is more than the processors, wall times are of chance, and "
        "processor times are to be read. pymc-extras' Pathfinder gives 1,000 draws, the others 4,000. Only it gives a "
        "k-hat; ADVI and DADVI say nothing of how good they are."
    )


def peer_table(peers: Sequence[Record]) -> str:
    """A line for each model and engine."""
    lines = []
    for case in dict.fromkeys(record["case"] for record in peers):
        of_case = [record for record in peers if record["case"] == case]
        reference = _reference_engine(of_case)
        for own, engine in dict.fromkeys((record["own"], record["engine"]) for record in of_case):
            phases = {r["phase"]: r for r in of_case if (r["own"], r["engine"]) == (own, engine)}
            beside = {r["phase"]: r for r in of_case if r["own"] and r["engine"] == reference}
            lines.append(_row(_peer_cells(case, own, engine, phases, beside, engine == reference and own)))
    head = (
        "model", "engine", "mean off", "of", "log sd ratio", "k-hat", "wall, cold", "warm", "processor, cold", "warm",
    )  # fmt: skip
    return _table(head, lines)


def _reference_engine(records: Sequence[Record]) -> str | None:
    own = [record["engine"] for record in records if record["own"] and record["status"] == "finished"]
    return next((name for name in ("vi", "pathfinder", "laplace") if name in own), None)


def _peer_cells(
    case: str, own: bool, engine: str, phases: dict[str, Record], beside: dict[str, Record], is_reference: bool
) -> list[str]:
    name = f"ours, {engine}{' (*)' if is_reference else ''}" if own else _peer_name(engine)
    last = next((phases[phase] for phase in ("warm", "cold") if phase in phases), {})
    if last.get("status") != "finished":
        why = "failed" if last.get("status") == "failed" else f"> {last.get('seconds', 0):.0f} s"
        return [case, name, why, *[""] * 7]
    kept, khat = last["kept"], last.get("khat")
    cells = [case, name, f"{kept['mean']:.2f}", _code(kept["worst"]), f"{kept['sd']:.2f}"]
    cells.append("–" if khat is None else f"{khat:.2f}")
    for what in ("seconds", "cpu"):
        for phase in ("cold", "warm"):
            cells.append(_ratio(phases.get(phase), beside.get(phase), what))
    return cells


def _ratio(record: Record | None, beside: Record | None, what: str) -> str:
    if record is None or beside is None or record["status"] != "finished" or beside["status"] != "finished":
        return "–"
    return f"{record[what] / beside[what]:.1f}"


def _peer_name(engine: str) -> str:
    return f"pymc-extras, {engine}" if engine in ("dadvi", "pathfinder") else f"PyMC, {engine}"


# ------------------------------------------------------------------------------------------------------------- cases


def case_notes() -> str:
    """How to read the cells."""
    return (
        "k-hat; error of means, of sds (kept); gradients. **Bold**: a mean off by more than "
        f"{WRONG} sd; *!*: the fit warned. Of several seeds the median."
    )


def case_table(fits: Sequence[Record], order: Sequence[str], own: set[str]) -> str:
    """A line for each model and density, a column for each method."""
    methods = _methods(fits)
    lines = []
    for case in order:
        for plan in ("auto", "joint"):
            records = [r for r in fits if r["case"] == case and r["plan"] == plan]
            if not records:
                continue
            cells = [_cell([r for r in records if r["method"] == method]) for method in methods]
            lines.append(_row([f"{case} (own)" if case in own else case, plan, str(records[0]["d"]), *cells]))
    return _table(("model", "density", "d", *methods), lines)


def _cell(records: Sequence[Record]) -> str:
    ran = [record for record in records if "kept" in record]
    if not ran:
        return "refused" if records else "–"
    middle = sorted(ran, key=lambda record: record["kept"]["mean"])[len(ran) // 2]
    kept, khat, gradients = middle["kept"], middle.get("khat"), middle.get("n_gradients")
    errors = f"{kept['mean']:.2f}, {kept['sd']:.2f}"
    parts = [] if khat is None else [f"{khat:.2f}"]
    parts.append(f"**{errors}**" if kept["mean"] > WRONG else errors)
    parts += [] if gradients is None else [f"{gradients:,}"]
    return "; ".join(parts) + (" !" if middle["warned"] else "")


def _methods(records: Iterable[Record]) -> list[str]:
    return list(dict.fromkeys(record["method"] for record in records))


def _code(name: str) -> str:
    return "`" + name.replace("|", "\\|") + "`"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(columns: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([_row(columns), f"|{' --- |' * len(columns)}", *lines])
