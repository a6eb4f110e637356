"""What depending on the sampler alone costs: modules, megabytes on disk, seconds of import.

Run from the repository: ``python benchmarks/vendoring.py [--out benchmarks/results]``. Each import runs in processes of
its own, and the least of several times counts. Packages are measured by the files that their installation lists.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from provenance import made_by
from repository import ROOT

IMPORTS = {
    "numpy": "import numpy",
    "numba (with numpy)": "import numba",
    "nutslite.sampler": "from nutslite.sampler import sample",
    "nutslite.Model": "from nutslite import Model",
}
TIMES = 5

PROBE = """
import json, sys, time
before = set(sys.modules)
started = time.perf_counter()
{statement}
seconds = time.perf_counter() - started
loaded = set(sys.modules) - before
tops = sorted({{name.split(".")[0] for name in loaded}} - set(sys.stdlib_module_names))
files = [sys.modules[name].__file__ for name in loaded if name.split(".")[0] == "nutslite"]
print(json.dumps([seconds, len(loaded), tops, [file for file in files if file]]))
"""

# What is needed to install each: what the project's own list of dependencies says.
ALONE = ("numpy", "numba", "llvmlite")
WHOLE = ("scipy", "pandas", "patsy", "arviz", "xarray", "tqdm", "h5netcdf", "h5py", "matplotlib")


def megabytes(package: str) -> float:
    """On disk, by the files that the installation lists."""
    files = metadata.distribution(package).files or []
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file()) / 1e6


def probe(statement: str) -> tuple[float, int, list[str], list[str]]:
    """Least seconds, modules, third-party packages, files of ours, that an import loads."""
    least = None
    for _ in range(TIMES):
        finished = subprocess.run(
            [sys.executable, "-c", PROBE.format(statement=statement)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(finished.stdout)
        least = found if least is None or found[0] < least[0] else least
    assert least is not None
    return least[0], least[1], least[2], least[3]


def main() -> int:
    """Measure and print both tables, and write them where ``--out`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = ["| import | modules | seconds | times numba's | packages |", "| --- | --- | --- | --- | --- |"]
    found = {name: probe(statement) for name, statement in IMPORTS.items()}
    numba_seconds = found["numba (with numpy)"][0]
    for imported, (seconds, modules, packages, _) in found.items():
        shown = ", ".join(
            package for package in packages if package not in ("cython_runtime", "yaml") and not package.startswith("_")
        )
        lines.append(f"| {imported} | {modules:,} | {seconds:.2f} | {seconds / numba_seconds:.2f} | {shown} |")
    files = [Path(file) for file in found["nutslite.sampler"][3]]
    everything = list((ROOT / "nutslite").rglob("*.py"))
    size = sum(file.stat().st_size for file in files) / 1e6
    whole = sum(file.stat().st_size for file in everything) / 1e6
    alone, rest = sum(map(megabytes, ALONE)), 0.0
    sizes = ["| on disk | MB |", "| --- | --- |"]
    sizes += [f"| {package} | {megabytes(package):.1f} |" for package in ALONE]
    sizes.append(f"| files of nutslite that the sampler loads ({len(files)} of {len(everything)}) | {size:.2f} |")
    sizes.append(f"| **the sampler alone** | **{alone + size:.0f}** |")
    for package in WHOLE:
        try:
            rest += megabytes(package)
        except metadata.PackageNotFoundError:
            continue
    sizes.append(f"| what the whole of nutslite needs beside ({', '.join(WHOLE)}) | {rest + whole - size:.0f} |")
    text = "\n".join(
        [
            "# What depending on the sampler alone costs",
            "",
            f"{made_by('vendoring.py')} Imports: least of {TIMES} processes each.",
            "",
            *lines,
            "",
            *sizes,
            "",
        ]
    )
    print(text)
    if arguments.out:
        (arguments.out / "vendoring.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
