"""From the record of runs to a Markdown table of medians, ratios to the best peer, and the raw numbers as JSON."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cases import CASES, ENGINES, Case
from measures import disagreement
from published_times import section

CONVERGED = 1.01
Record = dict[str, Any]

COLUMNS = (
    "case",
    "engine",
    "cold s",
    "warm s",
    "sampling s",
    "of it not NUTS",
    "min bulk ESS",
    "min tail ESS",
    "bulk ESS/s",
    "gradients",
    "max R-hat",
    "div.",
    "MB",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"
RATIOS = (
    "| case | best converged peer | bulk ESS/s, ours / it | tail ESS/s, ours / it | warm s, fastest peer / ours "
    "| cold s, fastest peer / ours | means differ at most |\n| --- | --- | --- | --- | --- | --- | --- |"
)
NOTES = """\
- Every line is medians over processes; **cold** starts from empty compile caches, **warm** is the next process with the
  same caches. Both are wall seconds from the start of the process to the printed summary (import, reading, building,
  sampling, diagnostics). numpyro compiles in every process, so one process stands for both ("=").
- **sampling s** is wall time of all chains on the cores there are, warm-up and draws; compilation is not in it (for
  numpyro, what JAX says it spent on it is taken out). Ours includes reduction of the data and pilot before NUTS and
  exact recovery after it ("of it not NUTS"), and warms up as long as it does by default. Warm processes where there
  are any.
- **ESS** and **R-hat** are the worst over all parameters, group effects included, by the same functions for all
  engines; one chain's R-hat is that of its halves. **gradients** are those of the draws. **MB** is the peak of the
  largest process.
- Ratios are to the peer with the most bulk ESS/s among those with R-hat < 1.01 in all their runs; where none converged,
  to the best one that did not, in brackets. "means differ at most": the posterior means of ours and that peer, in
  posterior standard deviations, over all variables of up to 30 elements; chance makes it a few times
  (1/ESS of one + 1/ESS of the other)^0.5.
"""


def sum_of(sampling: dict[str, float]) -> float:
    """Seconds of sampling: chains with their warm-up, and the work around them where an engine has any."""
    return sampling["chains"] + around(sampling)


def around(sampling: dict[str, float]) -> float:
    """Seconds of sampling outside the chains: reduction of the data, pilot, recovery."""
    return sum(sampling.get(part, 0.0) for part in ("reduction", "pilot", "recovery"))


@dataclass(frozen=True)
class Line:
    """Medians of one engine in one case; None where nothing was measured."""

    engine: str
    finished: bool
    why_not: str
    cold: float | None = None
    warm: float | None = None
    same: bool = False
    sampling: float = float("nan")
    around: float = float("nan")
    ess_bulk: float = float("nan")
    ess_tail: float = float("nan")
    bulk_rate: float = float("nan")
    tail_rate: float = float("nan")
    gradients: float | None = None
    r_hat: float = float("nan")
    divergences: int | None = None
    memory: float = float("nan")
    last: Record | None = None

    @property
    def converged(self) -> bool:
        """Whether every run had R-hat below 1.01."""
        return self.finished and self.r_hat < CONVERGED


def summarise(engine: str, records: list[Record], cacheless: bool) -> Line:
    """Medians of an engine's runs of one case."""
    good = [record for record in records if record["status"] == "finished"]
    if not good:
        last = records[-1]
        return Line(engine, False, "failed" if last["status"] == "failed" else f"> {last['seconds']:.0f} s")
    phases = {phase: [r["stages"]["summary"] for r in good if r["phase"] == phase] for phase in ("cold", "warm")}
    timed = [record for record in good if record["phase"] == "warm"] or good
    found = [record["measures"] for record in good]
    gradients = [measures["gradients"] for measures in found if measures["gradients"] is not None]
    divergences = [measures["divergences"] for measures in found if measures["divergences"] is not None]
    return Line(
        engine=engine,
        finished=True,
        why_not="",
        cold=median(phases["cold"]) if phases["cold"] else None,
        warm=median(phases["warm"]) if phases["warm"] else None,
        same=cacheless and not phases["warm"],
        sampling=median(sum_of(record["sampling"]) for record in timed),
        around=median(around(record["sampling"]) for record in timed),
        ess_bulk=median(measures["ess_bulk"] for measures in found),
        ess_tail=median(measures["ess_tail"] for measures in found),
        bulk_rate=median(record["measures"]["ess_bulk"] / sum_of(record["sampling"]) for record in timed),
        tail_rate=median(record["measures"]["ess_tail"] / sum_of(record["sampling"]) for record in timed),
        gradients=median(gradients) if gradients else None,
        r_hat=max(measures["r_hat"] for measures in found),
        divergences=max(divergences) if divergences else None,
        memory=max(record["memory_mb"] for record in good),
        last=good[-1],
    )


def write_report(records: list[Record], folder: Path, *, command: str, limit: float) -> None:
    """Write ``peers.md`` and ``peers.json`` into `folder`."""
    by_case: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        by_case[record["case"]][record["engine"]].append(record)
    tables: dict[str, list[Line]] = {}
    for case in CASES:
        engines = by_case.get(case.name, {})
        if engines:
            tables[case.name] = [
                summarise(engine, engines[engine], engine == "numpyro") for engine in ENGINES if engine in engines
            ]
    parts = [
        "# Against its peers, side by side",
        f"Made by `{command}` on {machine()}; each process had {limit:.0f} s.",
        _versions(records),
        HEADER + "\n" + "\n".join(_row(case, line) for case, lines in tables.items() for line in lines),
        "## Ratios",
        RATIOS + "\n" + "\n".join(_ratio_row(case, lines) for case, lines in tables.items()),
        section({case: line.sampling for case, lines in tables.items() for line in lines if line.engine == "ours"}),
        "## How to read this",
        NOTES + _prior_note(by_case) + _parameter_note(by_case),
        "## The models",
        "\n".join(
            _model(case, by_case[case.name].get("ours", []), records[-1]["settings"])
            for case in CASES
            if case.name in tables
        ),
    ]
    (folder / "peers.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    (folder / "peers.json").write_text(json.dumps(records, indent=1), encoding="utf-8")


def machine() -> str:
    """Cores, processor and system, in words."""
    name = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))):
        name = found.group(1).strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores ({name}), {platform.system()}"


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or value != value else f"{value:,.{digits}f}"


def _seconds(value: float | None) -> str:
    return _number(value, 2 if value is not None and value < 10 else 1)


def _row(case: str, line: Line) -> str:
    if not line.finished:
        return f"| {case} | {line.engine} | {line.why_not} |" + " – |" * (len(COLUMNS) - 3)
    r_hat = f"{line.r_hat:.3f}" + ("" if line.converged else " (!)")
    warm = "=" if line.same else _seconds(line.warm)
    cells = [case, line.engine, _seconds(line.cold), warm, _seconds(line.sampling)]
    cells += [_seconds(line.around) if line.around else "–", _number(line.ess_bulk)]
    cells += [_number(line.ess_tail), _number(line.bulk_rate, 0 if line.bulk_rate >= 100 else 1)]
    cells += [_number(line.gradients), r_hat, _number(line.divergences), _number(line.memory)]
    return f"| {' | '.join(cells)} |"


def _ratio_row(case: str, lines: list[Line]) -> str:
    ours = next((line for line in lines if line.engine == "ours" and line.finished), None)
    peers = [line for line in lines if line.engine != "ours" and line.finished]
    converged = [line for line in peers if line.converged]
    if ours is None or not peers:
        why = "ours has not finished, or not run" if ours is None else "no peer finished, or none ran"
        return f"| {case} | {why} | – | – | – | – | – |"
    best = max(converged or peers, key=lambda line: line.bulk_rate)
    cold = _fastest([line.cold for line in peers], ours.cold)
    warm = _fastest([line.cold if line.same else line.warm for line in peers], ours.warm)
    assert ours.last is not None
    assert best.last is not None
    distance, where = disagreement(ours.last["measures"], best.last["measures"])
    name = best.engine if best.converged else f"({best.engine}, R-hat {best.r_hat:.3f})"
    cells = [case, name, f"**{_times(ours.bulk_rate / best.bulk_rate)}**", _times(ours.tail_rate / best.tail_rate)]
    return f"| {' | '.join([*cells, warm, cold, f'{distance:.3f} ({_code(where)})'])} |"


def _code(name: str) -> str:
    """A name as code in a table, where a pipe would end the cell."""
    return f"`{name}`".replace("|", "\\|")


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def _fastest(theirs: list[float | None], ours: float | None) -> str:
    measured = [value for value in theirs if value is not None]
    return _times(min(measured) / ours) if measured and ours else "–"


def _versions(records: list[Record]) -> str:
    merged: dict[str, set[str]] = defaultdict(set)
    for record in records:
        side = "ours" if record["engine"] == "ours" else "peers"
        for name, version in record.get("versions", {}).items():
            merged[f"{side}: {name}"].add(version)
        if record["engine"] == "ours":
            merged["ours: commit"].add(record["commit"])
    words = {
        side: ", ".join(
            f"{name.split(': ')[1]} {'/'.join(sorted(found))}" for name, found in merged.items() if name[:4] == side[:4]
        )
        for side in ("ours", "peers")
    }
    return f"Ours: {words['ours'] or 'not run'}.\nPeers: {words['peers'] or 'not run'}."


def _model(case: Case, ours: list[Record], settings: dict[str, Any]) -> str:
    """What a case is, and what our plan for it said."""
    link = f" ({case.link})" if case.link else ""
    draws, tune = settings["draws"] or case.draws, settings["tune"] or case.tune
    chains = f"{case.chains} chain{'s' if case.chains > 1 else ''} x {draws} draws, peers warm up {tune}"
    plan = ""
    for record in ours:
        if record["status"] == "finished":
            made = f"Draws by {record.get('method', 'nuts')}, warm-up {record['tune']}."
            plan = f" Ours: {' '.join(record['plan'].splitlines())} {made}"
    return f"- **{case.name}**: {case.title}. `{case.formula}`, {case.family}{link}; {chains}.{plan}"


def _prior_note(by_case: dict[str, dict[str, list[Record]]]) -> str:
    """Whether the engines printed the same priors, case by case."""
    compared, different = 0, []
    for case, engines in by_case.items():
        texts = {
            engine: priors_of(record["priors"])
            for engine, records in engines.items()
            for record in records
            if record["status"] == "finished"
        }
        peers = [text for engine, text in texts.items() if engine != "ours"]
        if "ours" in texts and peers:
            compared += 1
            different += [f"{case}: {line}" for line in sorted(set(texts["ours"]) ^ set(peers[0]))]
    if not different:
        return f"- The priors that ours and Bambi print agree to the last digit; cases compared: {compared}.\n"
    return "- **Priors differ**:\n" + "\n".join(f"  - `{line}`" for line in different) + "\n"


def _parameter_note(by_case: dict[str, dict[str, list[Record]]]) -> str:
    """A word about parameters that only one side reports, over which its worst ESS is taken."""
    lines = []
    for case, engines in by_case.items():
        sizes = {
            engine: records[-1]["measures"]["n_parameters"]
            for engine, records in engines.items()
            if records[-1]["status"] == "finished"
        }
        for engine, theirs in sizes.items():
            if engine != "ours" and "ours" in sizes and (odd := sizes["ours"].items() ^ theirs.items()):
                lines.append(f"  - {case}, {engine}: {', '.join(sorted({name for name, _ in odd}))}\n")
    return f"- **Parameters reported differently**:\n{''.join(lines)}" if lines else ""


def priors_of(description: str) -> list[str]:
    """The lines of a printed model that say ``term ~ Prior(...)``, spaces and zeros after the point evened out."""
    lines = [re.sub(r"\s+", " ", line.strip()) for line in description.splitlines()]
    plain = [re.sub(r"(\d)\.0*(?=[],) ])", r"\1", line) for line in lines if re.search(r" ~ \w+\(\w+: ", line)]
    return [re.sub(r"\[(-?[\d.]+)\]", r"\1", line) for line in plain]
