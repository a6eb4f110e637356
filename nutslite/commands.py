"""What the commands of ``nutslite`` do: fit a model and show the results, list the bundled data, compile in advance."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nutslite._columns import columns_of, folded
from nutslite.datasets import Dataset, datasets, load_data
from nutslite.exceptions import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

PILOTS: dict[str, Any] = {"yes": True, "no": False, "levels": "levels", "matrix": "matrix"}
"""Values of `pilot=` of `fit`, by those of ``--pilot``."""

DONE, FAILED, INTERRUPTED = 0, 1, 130  # exit statuses; 2 is argparse's, for a command line it cannot read


def fit(arguments: argparse.Namespace) -> int:
    """``nutslite fit``: sample, print the summary, save the draws and a picture."""
    out = arguments.out if arguments.file is None else None  # `fit` itself writes to `file`
    _refuse_unwritable(arguments.plot)
    for file in (out, arguments.file):
        _refuse_unwritable(file, results=True)
    started = time.perf_counter()
    model = _model(arguments)
    print(model, end="\n\n", flush=True)  # before the sampling, also into a file or pipe
    results = model.fit(
        draws=arguments.draws,
        tune=arguments.tune,
        chains=arguments.chains,
        cores=arguments.cores,
        random_seed=arguments.seed,
        target_accept=arguments.target_accept,
        until=arguments.until,
        budget=arguments.budget,
        plan=arguments.plan,
        pilot=PILOTS[arguments.pilot],
        inference_method=arguments.method,
        progressbar=not arguments.quiet,
        checkpoint=arguments.checkpoint,
        file=arguments.file,
    )
    saved = _saved(results, out)  # before anything is printed, which may be into a pipe that is closed
    _print_summary(results, model, everything=arguments.all)
    print(f"\nDone in {time.perf_counter() - started:.1f} s.")
    if saved is not None:
        print(f"Draws:   {saved}")
    if arguments.file is not None and arguments.file.exists():  # where it could not be written a line has said so
        print(f"Draws:   {arguments.file.absolute()}")
    _draw(results, model, arguments.plot)
    return INTERRUPTED if _was_interrupted(results) else DONE


def _model(arguments: argparse.Namespace) -> Any:
    data = _data(arguments.data)
    from nutslite.formula.formula import Formula
    from nutslite.model import Model

    return Model(
        Formula(arguments.formula, *arguments.also),
        data,
        family=arguments.family,
        link=arguments.link,
        categorical=arguments.categorical,
        dropna=arguments.dropna,
        correlated=arguments.correlated,
    )


def _data(name: str) -> pd.DataFrame | Path:
    """The file of that name, or else the bundled data set."""
    path = Path(name)
    if path.is_file():
        return path
    if name.lower() in datasets():
        return load_data(name)
    raise DataError(
        f"There is no file and no bundled data set '{name}'.{did_you_mean(name.lower(), datasets())}"
        f" The command runs in {Path.cwd()}; `nutslite datasets` lists the bundled data."
    )


def _refuse_unwritable(file: Path | None, *, results: bool = False) -> None:
    """Say that a result, or a picture, cannot be saved before the sampling, not after it."""
    if file is None:
        return
    if results:
        from nutslite.results.storage.zarr_store import is_zarr_name

        if is_zarr_name(file):
            from nutslite.results.storage.storage import check_results_destination

            check_results_destination(file)
            return
    if file.is_dir():
        raise DataError(f"Cannot save to '{file}': it is a folder.")
    folder = file.absolute().parent
    if not folder.is_dir():
        raise DataError(f"Cannot save to '{file}': there is no folder '{folder}'.")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise DataError(f"Cannot save to '{file}': no permission to write there.")
    if not results:
        from nutslite.scores.pictures.figures import check_picture

        check_picture(file)


def _print_summary(results: Any, model: Any, everything: bool) -> None:
    """The table, without the effects of single groups unless `everything`, and how well the chains agree."""
    from nutslite.results.diagnostics.summary import summary
    from nutslite.results.diagnostics.table import table_text

    table = summary(results)
    shown = table if everything else table.loc[~table.index.isin(_labels(results, _group_effects(model)))]
    width = columns_of(sys.stdout)
    print(shown.to_string() if width is None else table_text(shown, width))
    hidden = len(table) - len(shown)
    if hidden:
        print(f"\n{hidden:,} effects of single groups are not shown; --all prints them.")
    print(
        f"\nAll {len(table):,} quantities: largest R-hat {table['r_hat'].max():.2f},"
        f" smallest ESS {table[['ess_bulk', 'ess_tail']].min().min():,.0f}."
    )


def _group_effects(model: Any) -> set[str]:
    """Variables that hold an effect for each group, such as ``Days|Subject``."""
    from nutslite.model.record.specification import specification_of

    return {quantity.name for quantity in specification_of(model).posterior.inventory.of_kind("effects")}


def _labels(results: Any, variables: Collection[str]) -> list[str]:
    """Rows of the summary that belong to some variables."""
    from nutslite.results.container.inference_data import get_group, named_arrays
    from nutslite.results.diagnostics.labels import element_labels

    arrays, dims, coords = named_arrays(get_group(results, "posterior"))
    return [
        label
        for name, array in arrays.items()
        if name in variables
        for label in element_labels(name, array.shape[2:], dims, coords)
    ]


def _was_interrupted(results: Any) -> bool:
    from nutslite.results.container.inference_data import posterior_dataset

    return bool(posterior_dataset(results).attrs.get("interrupted", 0))


def _saved(results: Any, file: Path | None) -> Path | None:
    """Where the draws have gone, if they were to go anywhere."""
    if file is None:
        return None
    from nutslite.results.storage.storage import save

    return save(results, file).absolute()


def _draw(results: Any, model: Any, file: Path | None) -> None:
    if file is None:
        return
    if find_spec("matplotlib") is None:
        print('Picture: none, matplotlib is not installed (python -m pip install "nutslite[plots]")')
        return
    from nutslite.results.container.inference_data import get_group, group_names, named_arrays
    from nutslite.results.pictures.plots import plot_trace

    arrays, dims, coords = named_arrays(get_group(results, "posterior"))
    few = {name: values for name, values in arrays.items() if name not in _group_effects(model)}
    diverging = None
    if "sample_stats" in group_names(results):
        diverging = get_group(results, "sample_stats")["diverging"].to_numpy()
    plot_trace(few or arrays, file, dims=dims, coords=coords, diverging=diverging)
    print(f"Picture: {file.absolute()}")


def list_datasets(_: argparse.Namespace) -> int:
    """``nutslite datasets``: every bundled data set with a model that suits it."""
    width, columns = max(len(name) for name in datasets()), columns_of(sys.stdout)
    for name, dataset in datasets().items():
        title = f"{name:{width}}  {dataset.rows:4} rows  {dataset.title}"
        print(folded(title, columns, hanging=width + 13))
        options = f"--family {dataset.family}{' --dropna' if dataset.dropna else ''}"
        print(folded(f'{"":{width}}             "{dataset.formula}" {options}', columns, hanging=2))
    return DONE


def warm(arguments: argparse.Namespace) -> int:
    """``nutslite warm``: let Numba compile and keep what fits of the usual families need."""
    known = dict.fromkeys(dataset.family for dataset in datasets().values())
    wanted = arguments.family or list(known)
    for family in wanted:
        if family not in known:
            raise DataError(
                f"No bundled data set has a '{family}' model to warm up with.{did_you_mean(family, known)}"
                f" There are: {', '.join(known)}."
            )
    from nutslite.posterior.run.compile_beside import compile_all

    started = time.perf_counter()
    compile_all()  # the short fits below are by NUTS and would leave out what independence Metropolis needs
    print(f"{time.perf_counter() - started:6.1f} s  what all families share", flush=True)
    for dataset in datasets().values():
        if dataset.family in wanted:
            seconds = _fit_briefly(dataset)
            print(f"{seconds:6.1f} s  {dataset.family:16}  {dataset.formula}", flush=True)
    print(f"{time.perf_counter() - started:6.1f} s  in all; the compiled code is kept in {_kernel_folder()}.")
    return DONE


def _fit_briefly(dataset: Dataset) -> float:
    """Seconds of a fit long enough to call every compiled function and far too short to mean anything."""
    from nutslite.families.record.family import compiled_loglik
    from nutslite.families.record.register import get_family
    from nutslite.model import Model
    from nutslite.results.diagnostics.summary import summary

    started = time.perf_counter()
    log = logging.getLogger("nutslite")
    level = log.level
    try:
        compiled_loglik(get_family(dataset.family))  # for links other than those of the model
        log.setLevel(logging.ERROR)  # that so few draws have not converged is no news
        model = Model(dataset.formula, load_data(dataset.name), family=dataset.family, dropna=dataset.dropna)
        summary(model.fit(draws=10, tune=10, chains=2, random_seed=1, progressbar=False))
    finally:
        log.setLevel(level)
    return time.perf_counter() - started


def _kernel_folder() -> str:
    """Where Numba keeps compiled code: NUMBA_CACHE_DIR, or else beside each source file that it may write to."""
    from_environment = os.environ.get("NUMBA_CACHE_DIR")
    return from_environment or f"{Path(__file__).parent} (NUMBA_CACHE_DIR names another folder)"
