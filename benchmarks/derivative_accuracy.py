"""How far derived gradients of users' log densities are from the hand-written kernels', by family and method.

    python benchmarks/derivative_accuracy.py

prints the table in docs/adding_a_family.md: the largest error over 20 sets of parameters and responses, relative to one
plus the size of the derivative. `tests/family_densities.py` has the log densities, `tests/test_families_custom.py`
holds them to bounds.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from family_densities import METHODS, PLAIN, errors


def main() -> None:
    """Print the table."""
    print("| family | " + " | ".join(METHODS) + " |\n" + "| --- " * (1 + len(METHODS)) + "|")
    for family in PLAIN:
        row = [f"{errors(family, method)[1]:.0e}" for method in METHODS]
        print(f"| {family} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
