"""The command ``nutslite``: fit a model from a formula and a file, list the bundled data, compile ahead of time.

Only argparse and the standard library load before a command is known to be well formed; results go to standard output,
progress, warnings and errors to standard error.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from nutslite import __version__, commands
from nutslite._columns import columns_of, folded
from nutslite.commands import FAILED, INTERRUPTED
from nutslite.exceptions import NutsliteError

EXAMPLES = """examples:
  nutslite fit "Reaction ~ Days + (Days|Subject)" sleepstudy
  nutslite fit "admit ~ gre + gpa + C(rank)" admissions --family bernoulli
  nutslite fit "y ~ x" data.csv --also "sigma ~ x" --out fit.nc --no-plot
  nutslite fit "y ~ x + (x|g)" large.parquet --checkpoint fit.ckpt --file fit.nc

exit status:
  0    done
  1    the model or the data are at fault (standard error says how)
  2    the command line is
  130  interrupted by Ctrl-C (finished draws are summarised and saved)"""


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
            _tell(f"error: {error}")
            return FAILED
        except KeyboardInterrupt:
            _tell("interrupted before there were any draws to keep")
            return INTERRUPTED


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning without the place in our sources that raised it."""
    _tell(f"warning: {message}")


_AS_OPTIONS = (  # remedies as a program writes them, and as the command line does
    (re.compile(r"\b(dropna|correlated)=True"), r"--\1"),
    (re.compile(r"\b(family|link)='([\w-]+)'"), r"--\1 \2"),
    (re.compile(r"\b(draws|tune|chains|cores)=(\d+)"), r"--\1 \2"),
    (re.compile(r'\bfit\(until="converged", budget=(\d+)\)'), r"--until converged --budget \1"),
    (re.compile(r"""(?:\bfit\()?\buntil=["']converged["']\)?"""), "--until converged"),
    (re.compile(r"\btarget_accept=([\d.]*\d)"), r"--target-accept \1"),
    (re.compile(r"\binference_method='(\w+)'"), r"--method \1"),
    (re.compile(r"\bplan='(\w+)'"), r"--plan \1"),
    (re.compile(r"\bpilot='(\w+)'"), r"--pilot \1"),
    (re.compile(r"\bpilot=False"), "--pilot no"),
    (re.compile(r"\bcategorical=\['([^']+)'\]"), r"--categorical '\1'"),
)


def _in_options(message: str) -> str:
    """A message with the options of the command line for the arguments that it names; quoted formulas stay."""
    lines = message.split("\n")
    for place, line in enumerate(lines):
        for argument, option in _AS_OPTIONS if not line.startswith("    ") else ():
            line = argument.sub(option, line)
        lines[place] = line
    return "\n".join(lines)


def _tell(message: str) -> None:
    """A line on standard error, folded where a terminal would break it."""
    message = _in_options(message)
    print(folded(f"nutslite: {message}", columns_of(sys.stderr), quoted=True), file=sys.stderr)


# ---------------------------------------------------------------------------------------------- the command line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nutslite", description="Bayesian generalized linear mixed models from a formula."
    )
    parser.add_argument("--version", action="version", version=f"nutslite {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_fit(subparsers)
    listing = subparsers.add_parser("datasets", help="list the bundled data sets")
    listing.set_defaults(command=commands.list_datasets)
    warm = subparsers.add_parser(
        "warm",
        help="compile now what a first fit would wait for",
        description="Fit the model of every bundled data set for a few draws; Numba keeps the compiled code on disk.",
    )
    warm.add_argument("--family", action="append", metavar="NAME", help="only this family; may be repeated")
    warm.set_defaults(command=commands.warm)
    return parser


def _add_fit(subparsers: Any) -> None:
    fit = subparsers.add_parser(
        "fit",
        help="sample the posterior of a model, print its summary and save it",
        description="Sample the posterior of a model, print its summary, save draws and a picture.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    fit.add_argument("formula", help='the model, e.g. "y ~ x + (x|group)"')
    fit.add_argument("data", help="a CSV or Parquet file, or the name of a bundled data set (`nutslite datasets`)")
    fit.add_argument("--also", action="append", default=[], metavar="FORMULA", help='e.g. "sigma ~ x"; may be repeated')
    fit.add_argument("--family", default="gaussian", help="of the response (default: gaussian)")
    fit.add_argument("--link", help="of the family's first parameter (default: the family's own)")
    fit.add_argument("--correlated", action="store_true", help="let the effects of a term (x|g) be correlated")
    fit.add_argument("--categorical", action="append", metavar="COLUMN", help="read as a category; may be repeated")
    fit.add_argument("--dropna", action="store_true", help="leave out rows with missing values")
    fit.add_argument("--draws", type=_positive, default=1000, help="per chain, after warm-up (default: 1000)")
    fit.add_argument("--tune", type=_not_negative, help="warm-up steps per chain (default: what the plan needs)")
    fit.add_argument("--chains", type=_positive, default=4, help="(default: 4)")
    fit.add_argument("--cores", type=_positive, help="chains that run at once (default: as many as fit the machine)")
    fit.add_argument("--seed", type=_not_negative, help="the same seed gives the same draws")
    fit.add_argument("--target-accept", type=_fraction, help="of NUTS (default: by the plan, 0.7 to 0.9)")
    fit.add_argument("--until", choices=("converged",), help="go on where the draws fall short")
    fit.add_argument("--budget", type=float, default=4, metavar="TIMES", help="... to so many times them (default: 4)")
    fit.add_argument("--plan", choices=("auto", "joint", "marginal"), default="auto", help="(default: auto)")
    fit.add_argument(
        "--pilot", choices=tuple(commands.PILOTS), default="yes", help="search for coordinates first (default: yes)"
    )
    fit.add_argument("--method", metavar="NAME", default="auto", help="nuts, vi, laplace, ... (default: auto)")
    fit.add_argument(
        "--checkpoint", metavar="FILE", help="keep draws as they come; the same command goes on after a kill"
    )
    draws = fit.add_mutually_exclusive_group()
    draws.add_argument("--out", type=Path, default=Path("fit.nc"), metavar="FILE", help="netCDF (default: fit.nc)")
    draws.add_argument(
        "--file",
        type=Path,
        metavar="FILE",
        help="as --out, but samples only if the file does not hold this fit already",
    )
    fit.add_argument("--plot", type=Path, default=Path("fit.png"), metavar="FILE", help="picture (default: fit.png)")
    draws.add_argument("--no-out", dest="out", action="store_const", const=None, help="save no draws")
    fit.add_argument("--no-plot", dest="plot", action="store_const", const=None, help="save no picture")
    fit.add_argument("--all", action="store_true", help="print the effects of every group as well")
    fit.add_argument("--quiet", action="store_true", help="no progress bar")
    fit.set_defaults(command=commands.fit)


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
