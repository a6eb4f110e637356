"""Memory and time of an average comparison of many rows and draws, beside one pass of predictions over the same.

    python benchmarks/answers.py --out benchmarks/results/answers.md

100,000 rows and 4,000 draws of a logistic model with three covariates and a grouping factor. Draws are of the prior,
because nothing here depends on where they lie. Each figure is of a process of its own; memory is the peak above that of
the model with its data and draws. One pass is what `predict` does, without the array that it keeps: linear predictors
and probabilities of all rows at all draws.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROWS, DRAWS = 100_000, 4_000
KINDS = ("pass", "avg_predictions", "avg_comparisons", "avg_slopes")


def measured(kind: str) -> dict[str, float]:
    """Seconds and mebibytes of one question."""
    import nutslite as nl
    from nutslite.model.fits.after_fit import prediction_task
    from nutslite.model.record.specification import specification_of
    from nutslite.results.container.inference_data import get_group, to_inference_data
    from nutslite.results.predictions.linear_predictor import join_chains
    from nutslite.results.predictions.parameter_draws import ParameterDraws

    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "y": rng.integers(0, 2, size=ROWS),
            "x": rng.normal(size=ROWS),
            "z": rng.normal(size=ROWS),
            "f": rng.choice(["a", "b", "c"], size=ROWS),
            "g": rng.integers(0, 200, size=ROWS).astype(str),
        }
    )
    model = nl.Model("y ~ x * z + f + (1|g)", data, family="bernoulli")
    prior = get_group(model.prior_predictive(draws=8, random_seed=1), "prior")
    draws = {str(name): np.repeat(np.asarray(values), DRAWS // 8, axis=1) for name, values in prior.data_vars.items()}
    results = to_inference_data({"posterior": draws}, dims={}, coords={})
    nl.interpret.avg_comparisons(model, results, "x", newdata=data.head(100), draws=8)  # compiles, imports
    nl.interpret.avg_slopes(model, results, "x", newdata=data.head(100), draws=8)
    before = peak()
    start = time.process_time()
    if kind == "pass":
        specification = specification_of(model)
        named = join_chains(draws)
        rows = ParameterDraws(named, specification.spec.design, prediction_task(specification), rng)
        for first, last in rows.chunks():
            rows.natural(first, last)
    elif kind == "avg_predictions":
        nl.interpret.avg_predictions(model, results)
    elif kind == "avg_comparisons":
        nl.interpret.avg_comparisons(model, results, "x")
    else:
        nl.interpret.avg_slopes(model, results, "x")
    return {"seconds": time.process_time() - start, "mebibytes": peak() - before}


def peak() -> float:
    """The largest memory of this process so far, in mebibytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Ask each question in a process of its own; write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.kind:
        print(json.dumps(measured(arguments.kind)))
        return
    found = {}
    for kind in KINDS:
        done = subprocess.run([sys.executable, __file__, "--kind", kind], capture_output=True, text=True, check=True)
        found[kind] = json.loads(done.stdout.splitlines()[-1])
    lines = [
        "# Answers about many rows",
        "",
        f"`python benchmarks/answers.py --out benchmarks/results/answers.md`: {ROWS:,} rows, {DRAWS:,} draws,",
        "processor time.",
        "",
        "| question | of one pass | peak memory above model and draws, MiB |",
        "| --- | --- | --- |",
    ]
    one = found["pass"]["seconds"]
    lines += [f"| {kind} | {each['seconds'] / one:.2f} | {each['mebibytes']:.0f} |" for kind, each in found.items()]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
