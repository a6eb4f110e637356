"""One run of the benchmark against peers: a fresh process, its caches, its limit, and what is kept of it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cases import Case, write_data
from measures import measure
from repository import ROOT

PHASES = ("cold", "warm")


@dataclass(frozen=True)
class Run:
    """One process."""

    case: Case
    engine: str
    phase: str
    repeat: int

    @property
    def key(self) -> str:
        """What identifies the run in the record."""
        return f"{self.case.name}/{self.engine}/{self.phase}/{self.repeat}"


def environment(chains: int, caches: Path) -> dict[str, str]:
    """Where the process keeps compiled code; the rest as it is."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")}
    return kept | {
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={chains}",
        "MPLBACKEND": "Agg",
        "PYTHONWARNINGS": "ignore",
    }


def execute(run: Run, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one process and measure what it drew."""
    caches = arguments.out / "caches" / run.case.name / run.engine
    draws = arguments.out / "draws" / run.key.replace("/", "-")
    draws.parent.mkdir(exist_ok=True)
    log = draws.with_suffix(".log")
    if run.phase == "cold":
        shutil.rmtree(caches, ignore_errors=True)
    elif not caches.exists():  # an interrupted benchmark goes on: the cold run was made by an earlier call
        print("    (a process that is not measured fills the caches first)", flush=True)
        caches.mkdir(parents=True)
        wait(command(run, arguments, draws), environment(run.case.chains, caches), log, arguments.limit)
    caches.mkdir(parents=True, exist_ok=True)
    ended = wait(command(run, arguments, draws), environment(run.case.chains, caches), log, arguments.limit)
    record: dict[str, Any] = {"key": run.key, "case": run.case.name, "engine": run.engine, "phase": run.phase}
    record |= {"repeat": run.repeat, "settings": settings(arguments), "commit": commit(), **ended}
    if ended["status"] == "finished":
        record |= json.loads(draws.with_suffix(".json").read_text(encoding="utf-8"))
        record |= {"measures": measure(draws.with_suffix(".npz"))}
    elif ended["status"] == "failed":
        record["error"] = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    if not arguments.keep_draws:
        for suffix in (".npz", ".json"):
            draws.with_suffix(suffix).unlink(missing_ok=True)
    return record


def command(run: Run, arguments: argparse.Namespace, draws: Path) -> list[str]:
    """The process to start, with the moment of its start."""
    case = asdict(run.case) | {"make": None} | ({} if arguments.draws is None else {"draws": arguments.draws})
    order = {
        "engine": run.engine,
        "case": case,
        "data": str(write_data(run.case, arguments.out / "data")),
        "out": str(draws),
        "root": str(ROOT),
        "seed": 1000 * (run.repeat + 1) + PHASES.index(run.phase),
        "cores": arguments.cores,
        "tune": arguments.tune,
        "started": time.time(),
    }
    python = arguments.own_python if run.engine == "ours" else arguments.peers_python
    return [python, str(Path(__file__).with_name("engine_run.py")), json.dumps(order)]


def wait(words: list[str], variables: dict[str, str], log: Path, limit: float) -> dict[str, Any]:
    """Run a process to its end or to the limit; memory is that of its largest process, ``cpu`` processor seconds."""
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            words, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        began = time.monotonic()
        while time.monotonic() - began < limit:
            pid, code, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(code)
                status = "failed" if process.returncode else "finished"
                ended = {"status": status, "seconds": time.monotonic() - began}
                return ended | {"cpu": usage.ru_utime + usage.ru_stime, "memory_mb": usage.ru_maxrss / 1024}
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return {"status": "limit", "seconds": limit, "cpu": None, "memory_mb": None}


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What makes runs comparable; runs under other settings are not taken up again."""
    return {"draws": arguments.draws, "tune": arguments.tune, "cores": arguments.cores}


def commit() -> str:
    """Our version: the commit, with a plus where the package's files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--exclude=*"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "nutslite"], cwd=ROOT, check=False)
    return described.stdout.strip() + ("+" if changed.returncode else "") if described.returncode == 0 else "?"
