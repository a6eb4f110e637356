"""Arguments of `Model.fit` by the names of other versions and of PyMC's `sample`: translated, or refused by name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

from nutslite._calls import unknown_argument
from nutslite.exceptions import (
    ArgumentError,
    ArgumentTypeError,
    check_flags,
    checked_options,
    did_you_mean,
    refuse_other,
    warn,
)

METHODS = ("auto", "nuts", "pymc", "mcmc", "laplace")  # "pymc" is what Bambi calls its default, our NUTS
BARS = ("combined", "split", "combined+stats", "stats+combined", "split+stats", "stats+split")  # PyMC's progress bars

_OTHER_NAMES = {"initvals": "start", "jobs": "cores", "njobs": "cores", "seed": "random_seed"}
_OTHER_METHODS = {
    "vi": "Variational inference is not here",
    "advi": "Variational inference is not here",
    "nutpie": "'nutpie' is a program of its own",
    "numpyro": "'numpyro' is a program of its own",
    "nuts_numpyro": "'nuts_numpyro' is a program of its own",
    "blackjax": "'blackjax' is a program of its own",
    "nuts_blackjax": "'nuts_blackjax' is a program of its own",
}


def translated(given: Mapping[str, Any], others: Mapping[str, Any], fit: Callable[..., Any]) -> dict[str, Any]:
    """Arguments under today's names.

    Parameters
    ----------
    given : mapping
        Values of the arguments that have other names too, under today's names.
    others : mapping
        What the call gave under names that `fit` does not have.
    fit : callable
        For the names that it has.

    Raises
    ------
    CallError
        For a name that is none of `fit`, with the nearest one.
    ArgumentError
        For an argument that is known and has no meaning here, or is given twice.
    """
    out: dict[str, Any] = {}
    for name, value in others.items():
        if name in _OTHER_NAMES:
            today = _OTHER_NAMES[name]
            if given.get(today) is not None or today in out:
                raise ArgumentError(f"{name} and {today} are the same argument of fit: give one of them.")
            out[today] = value
        elif name == "include_mean":
            warn("include_mean is now called include_response_params.", FutureWarning)
            out["include_response_params"] = bool(value)
        else:
            _refuse(name, value, fit)
    return out


def _refuse(name: str, value: Any, fit: Callable[..., Any]) -> None:
    """Raise about an argument that is not one of `fit`, unless its value asks for what happens anyway."""
    if name == "return_inferencedata":
        if value is not True:
            raise ArgumentError(f"return_inferencedata={value!r}: fit always returns InferenceData (or a DataTree).")
        return
    if name == "n_init":
        if isinstance(value, bool) or not isinstance(value, int):
            raise ArgumentTypeError(f"n_init is a whole number, not {value!r}; only init='advi' would use it.")
        return
    if name == "step":
        raise ArgumentError(
            "step: there are no step functions to choose from; NUTS is what samples. Its own arguments go into "
            "nuts={'target_accept': 0.9, 'max_treedepth': 12}."
        )
    known = [key for key in inspect.signature(fit).parameters if key not in ("self", "others")]
    raise unknown_argument("fit", name, known, [*_OTHER_NAMES, "include_mean"])


def check_method(name: str) -> None:
    """Refuse an unknown inference method; the methods of other programs say what there is instead.

    Raises
    ------
    ArgumentError
    """
    if isinstance(name, str) and name in _OTHER_METHODS:
        raise ArgumentError(
            f"inference_method='{name}': {_OTHER_METHODS[name]}. There are 'nuts', the sampler that needs no "
            "compiler and no other program, and 'laplace', a normal approximation."
        )
    refuse_other("inference_method", name, METHODS)


def check_pilot_with(pilot: Any, plan: Any, method: str, init: str) -> None:
    """Refuse a choice of coordinates where nothing would choose them.

    Raises
    ------
    ArgumentError
    """
    if not isinstance(pilot, str):
        return
    others = {
        "plan=<a Plan>": not isinstance(plan, str),
        f"init={init!r}": init != "auto",
        "inference_method='laplace'": method == "laplace" and pilot == "matrix",
    }
    for other, given in others.items():
        if given:
            raise ArgumentError(f"pilot={pilot!r} and {other} exclude each other: give one of them.")


def check_bar(progressbar: Any) -> bool:
    """Whether to show a progress bar; the names of PyMC's layouts all mean the one that there is.

    Raises
    ------
    ArgumentError
    """
    if isinstance(progressbar, str):
        refuse_other("progressbar", progressbar, BARS)
        return True
    if not isinstance(progressbar, bool):
        raise ArgumentTypeError(f"progressbar is True or False, not {progressbar!r}.")
    return progressbar


def check_group_options(given: Any) -> dict[str, bool]:
    """What ``idata_kwargs`` asks for.

    Raises
    ------
    ArgumentError
        For ``dims`` and ``coords``, which follow from the formula, and for anything that is not known.
    """
    known = ("log_likelihood", "log_prior")
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentTypeError(f"idata_kwargs is a dict of {', '.join(known)}; not {given!r}.")
    out: dict[str, bool] = {}
    for name, value in (given or {}).items():
        if name in ("dims", "coords"):
            raise ArgumentError(
                f"idata_kwargs: {name} of the results follow from the formula and the data; rename or replace them "
                "in the results, results.posterior.rename(...)."
            )
        if name not in known:
            raise ArgumentError(
                f"idata_kwargs={{...}} takes {', '.join(known)}; not '{name}'.{did_you_mean(name, known)}"
            )
        check_flags(**{f"idata_kwargs: {name}": value})
        out[name] = bool(value)
    return out


def nuts_options(given: Any, named: Mapping[str, Any], fit: Callable[..., Any]) -> dict[str, Any]:
    """What ``nuts={...}`` gives of the arguments in `named`, unless one is given in both places.

    Raises
    ------
    ArgumentError
    """
    options = checked_options("nuts", given, tuple(named))
    defaults = inspect.signature(fit).parameters
    for name, value in options.items():
        if named[name] != defaults[name].default and named[name] != value:
            raise ArgumentError(f"{name} is {named[name]!r}, and {value!r} in nuts={{...}}: give it once.")
    return options


def check_apart(checkpoint: str | None, file: str | None) -> None:
    """Refuse one file for two things.

    Raises
    ------
    ArgumentError
    """
    if checkpoint is not None and file is not None and os.path.realpath(checkpoint) == os.path.realpath(file):
        raise ArgumentError(
            f"checkpoint and file are both '{file}': the draws as they come and the results are two files. Give one of "
            "them another name."
        )
