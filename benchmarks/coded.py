"""Time of a joint gradient with a factor's columns read by code, over that with dense columns.

Run from the repository: ``python benchmarks/coded.py [--rows 10000,100000] [--columns 3,5,9,49] [--family poisson]``.
Columns are read by code here whether or not it pays. "sorted": nothing else in the model asks for another order, so
rows are sorted by the code and a level is a run; "looked up": rows are sorted by a grouping factor of 100 levels.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from gradient import best_seconds, compiled_loop
from report import machine
from repository import ROOT  # noqa: F401  it lets the next imports find the package

from nutslite.model import Model
from nutslite.model.record.specification import specification_of
from nutslite.posterior.assembly import code_search
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.targets.target import JointTarget
from nutslite.sampler.transition.logdensity import compiled_logdensity


def assembled(rows: int, columns: int, groups: bool, family: str) -> Assembled:
    """A factor with so many columns, two numeric columns and perhaps a grouping factor."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "y": rng.poisson(1.0, rows) if family != "bernoulli" else rng.integers(0, 2, rows),
            "x1": rng.normal(size=rows),
            "x2": rng.normal(size=rows),
            "f": np.char.add("f", (np.arange(rows) % (columns + 1)).astype(str)),
            "g": np.char.add("g", rng.integers(0, 100, rows).astype(str)),
        }
    )
    data["f"] = rng.permutation(data["f"])
    model = Model(f"y ~ f + x1 + x2{' + (1|g)' if groups else ''}", data, family=family)
    return specification_of(model).posterior.assembled


def seconds(targets: list[JointTarget], rounds: int = 5) -> list[float]:
    """Of one gradient of each target, by turns: the least of several rounds."""
    logdensity = compiled_logdensity(targets[0].logdensity, targets[0].data_type)
    loop = compiled_loop(targets[0].data_type)
    position = 0.01 * np.random.default_rng(2).normal(size=targets[0].dimension)
    gradient = np.empty_like(position)
    best = [np.inf] * len(targets)
    for _ in range(rounds):
        for place, target in enumerate(targets):
            data = target.data
            once = best_seconds(lambda times, data=data: loop(logdensity, position, gradient, data, times), 0.05, 2)
            best[place] = min(best[place], once)
    return best


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="10000,100000")
    parser.add_argument("--columns", default="3,5,9,49")
    parser.add_argument("--family", default="poisson")
    arguments = parser.parse_args()
    code_search.LOOK_UP = code_search.SORTED = code_search.TABLE = code_search.LEAST_GAIN = (
        0.0  # it always seems to pay
    )
    print(f"{arguments.family}, two numeric columns beside the factor's, on {machine()}.\n")
    print("| rows | columns | rows are | dense, us | coded / dense |\n| --- | --- | --- | --- | --- |")
    for rows in map(int, arguments.rows.split(",")):
        for columns in map(int, arguments.columns.split(",")):
            for groups in (False, True):
                coded = assembled(rows, columns, groups, arguments.family)
                dense = replace(coded, data=without_codes(coded.data))
                by_code, by_column = seconds([JointTarget(coded), JointTarget(dense)])
                print(
                    f"| {rows:,} | {columns} | {'looked up' if groups else 'sorted'} | {by_column * 1e6:,.1f} "
                    f"| {by_code / by_column:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
