"""The command ``nutslite``: fit a model from a formula and a file, list the bundled data, compile ahead of time.

Only argparse and the standard library load before a command is known to be well formed; results go to standard output,
progress, warnings and errors to standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nutslite import __version__
from nutslite.datasets import Dataset, datasets, load_data
from nutslite.exceptions import DataError, NutsliteError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

DONE, FAILED, INTERRUPTED = 0, 1, 130  # 2 is argparse's, for a command line it cannot read
EXAMPLES = """examples:
  nutslite fit "Reaction ~ Days + (Days|Subject)" sleepstudy
  nutslite fit "admit ~ scale(gre) + scale(gpa) + C(rank)" admissions --family bernoulli --seed 1
  nutslite fit "y ~ x" measurements.csv --also "sigma ~ x" --out fit.nc --no-plot

exit status: 0 done, 1 the model or the data are at fault (one line on standard error says how), 2 the command line is,
130 interrupted by Ctrl-C (the draws that were finished are summarised and saved all the same)"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; see `EXAMPLES` for what each number means.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, by default those of the process.

    Returns
    -------
    int
        0, 1 or 130. A command line that cannot be read exits with 2 (argparse).
    """
    arguments = _parser().parse_args(argv)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return int(arguments.command(arguments))
        except BrokenPipeError:  # `nutslite datasets | head`: whoever reads has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        except (NutsliteError, OSError) as error:
            print(f"nutslite: error: {error}", file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print("nutslite: interrupted before there were any draws to keep", file=sys.stderr)
            return INTERRUPTED


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as one line, without the place in our sources that raised it."""
    print(f"nutslite: warning: {message}", file=sys.stderr)


# ---------------------------------------------------------------------------------------------- the command line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nutslite", description="Bayesian generalized linear mixed models from a formula."
    )
    parser.add_argument("--version", action="version", version=f"nutslite {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_fit(commands)
    listing = commands.add_parser("datasets", help="list the bundled data sets")
    listing.set_defaults(command=_list_datasets)
    warm = commands.add_parser(
        "warm",
        help="compile now what a first fit would wait for",
        description="Fit the model of every bundled data set for a few draws; Numba keeps the compiled code on disk.",
    )
    warm.add_argument("--family", action="append", metavar="NAME", help="only this family; may be repeated")
    warm.set_defaults(command=_warm)
    return parser


def _add_fit(commands: Any) -> None:
    fit = commands.add_parser(
        "fit",
        help="sample the posterior of a model, print its summary and save it",
        description="Sample the posterior of a model, print its summary, save the draws and a picture.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument("formula", help='the model, e.g. "y ~ x + (x|group)"')
    fit.add_argument("data", help="a CSV or Parquet file, or the name of a bundled data set (`nutslite datasets`)")
    fit.add_argument("--also", action="append", default=[], metavar="FORMULA", help='e.g. "sigma ~ x"; may be repeated')
    fit.add_argument("--family", default="gaussian", help="of the response (default: gaussian)")
    fit.add_argument("--link", help="of the family's first parameter (default: the family's own)")
    fit.add_argument("--categorical", action="append", metavar="COLUMN", help="read as a category; may be repeated")
    fit.add_argument("--dropna", action="store_true", help="leave out rows with missing values")
    fit.add_argument("--draws", type=_positive, default=1000, help="per chain, after warm-up (default: 1000)")
    fit.add_argument("--tune", type=_not_negative, default=1000, help="warm-up steps per chain (default: 1000)")
    fit.add_argument("--chains", type=_positive, default=4, help="(default: 4)")
    fit.add_argument("--cores", type=_positive, help="chains that run at once (default: as many as fit the machine)")
    fit.add_argument("--seed", type=_not_negative, help="the same seed gives the same draws")
    fit.add_argument("--target-accept", type=_fraction, default=0.8, help="(default: 0.8)")
    fit.add_argument("--out", type=Path, default=Path("fit.nc"), metavar="FILE", help="netCDF (default: fit.nc)")
    fit.add_argument("--plot", type=Path, default=Path("fit.png"), metavar="FILE", help="picture (default: fit.png)")
    fit.add_argument("--no-out", dest="out", action="store_const", const=None, help="save no draws")
    fit.add_argument("--no-plot", dest="plot", action="store_const", const=None, help="save no picture")
    fit.add_argument("--all", action="store_true", help="print the effects of every group as well")
    fit.add_argument("--quiet", action="store_true", help="no progress bar")
    fit.set_defaults(command=_fit)


def _positive(text: str) -> int:
    return _whole_number(text, least=1)


def _not_negative(text: str) -> int:
    return _whole_number(text, least=0)


def _whole_number(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number of at least {least}")
    return number


def _fraction(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number between 0 and 1")
    return number


# ---------------------------------------------------------------------------------------------- nutslite fit


def _fit(arguments: argparse.Namespace) -> int:
    for file in (arguments.out, arguments.plot):
        _refuse_unwritable(file)
    started = time.perf_counter()
    model = _model(arguments)
    print(model, end="\n\n")
    results = model.fit(
        draws=arguments.draws,
        tune=arguments.tune,
        chains=arguments.chains,
        cores=arguments.cores,
        random_seed=arguments.seed,
        target_accept=arguments.target_accept,
        progressbar=not arguments.quiet,
    )
    _print_summary(results, everything=arguments.all)
    print(f"\nDone in {time.perf_counter() - started:.1f} s, compilation included.")
    _save(results, arguments.out)
    _draw(results, arguments.plot)
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


def _refuse_unwritable(file: Path | None) -> None:
    """Say that a result cannot be saved before the sampling, not after it."""
    if file is None:
        return
    if file.is_dir():
        raise DataError(f"Cannot save to '{file}': it is a folder.")
    folder = file.absolute().parent
    if not folder.is_dir():
        raise DataError(f"Cannot save to '{file}': there is no folder '{folder}'.")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise DataError(f"Cannot save to '{file}': no permission to write there.")


def _print_summary(results: Any, everything: bool) -> None:
    """The table, without the effects of single groups unless `everything`, and how well the chains agree."""
    from nutslite.results.summary import summary

    table = summary(results)
    shown = table if everything else table.loc[[not _is_group_effect(name) for name in table.index]]
    print(shown.to_string())
    hidden = len(table) - len(shown)
    if hidden:
        print(f"\n{hidden:,} effects of single groups are not shown; --all prints them.")
    print(
        f"\nAll {len(table):,} quantities: largest R-hat {table['r_hat'].max():.2f},"
        f" smallest ESS {table[['ess_bulk', 'ess_tail']].min().min():,.0f}."
    )


def _is_group_effect(name: str) -> bool:
    """Whether a row of the summary is the effect of one group, such as ``Days|Subject[308]``.

    Its standard deviation ``Days|Subject_sigma`` is not, nor are correlations.
    """
    term, bracket, _ = name.partition("[")
    return "|" in term and bool(bracket) and not term.endswith(("_sigma", "_corr"))


def _was_interrupted(results: Any) -> bool:
    from nutslite.results.inference_data import posterior_dataset

    return bool(posterior_dataset(results).attrs.get("interrupted", 0))


def _save(results: Any, file: Path | None) -> None:
    if file is None:
        return
    from nutslite.results.storage import save

    print(f"Draws:   {save(results, file).absolute()}")


def _draw(results: Any, file: Path | None) -> None:
    if file is None:
        return
    if find_spec("matplotlib") is None:
        print('Picture: none, matplotlib is not installed (python -m pip install "nutslite[plots]")')
        return
    from nutslite.results.inference_data import get_group, group_names, named_arrays
    from nutslite.results.plots import plot_trace

    arrays, dims, coords = named_arrays(get_group(results, "posterior"))
    few = {name: values for name, values in arrays.items() if not _is_group_effect(f"{name}[")}
    diverging = None
    if "sample_stats" in group_names(results):
        diverging = get_group(results, "sample_stats")["diverging"].to_numpy()
    plot_trace(few or arrays, file, dims=dims, coords=coords, diverging=diverging)
    print(f"Picture: {file.absolute()}")


# ---------------------------------------------------------------------------------------------- the other commands


def _list_datasets(_: argparse.Namespace) -> int:
    width = max(len(name) for name in datasets())
    for name, dataset in datasets().items():
        print(f"{name:{width}}  {dataset.rows:4} rows  {dataset.title}")
        print(f'{"":{width}}             "{dataset.formula}" --family {dataset.family}')
    return DONE


def _warm(arguments: argparse.Namespace) -> int:
    known = dict.fromkeys(dataset.family for dataset in datasets().values())
    wanted = arguments.family or list(known)
    for family in wanted:
        if family not in known:
            raise DataError(
                f"No bundled data set has a '{family}' model to warm up with.{did_you_mean(family, known)}"
                f" There are: {', '.join(known)}."
            )
    started = time.perf_counter()
    for dataset in datasets().values():
        if dataset.family in wanted:
            seconds = _fit_briefly(dataset)
            print(f"{seconds:6.1f} s  {dataset.family:16}  {dataset.formula}", flush=True)
    print(f"{time.perf_counter() - started:6.1f} s  in all; the compiled code is kept in {_kernel_folder()}.")
    return DONE


def _fit_briefly(dataset: Dataset) -> float:
    """Seconds of a fit long enough to call every compiled function and far too short to mean anything."""
    from nutslite.model import Model
    from nutslite.results.summary import summary

    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that so few draws have not converged is no news
        model = Model(dataset.formula, load_data(dataset.name), family=dataset.family)
        summary(model.fit(draws=10, tune=10, chains=2, random_seed=1, progressbar=False))
    return time.perf_counter() - started


def _kernel_folder() -> str:
    """Where Numba keeps compiled code: NUMBA_CACHE_DIR, or else beside each source file that it may write to."""
    from_environment = os.environ.get("NUMBA_CACHE_DIR")
    return from_environment or f"{Path(__file__).parent} (NUMBA_CACHE_DIR names another folder)"
