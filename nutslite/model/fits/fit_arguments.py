"""The arguments of `Model.fit`: one frozen record, by today's names, checked before anything takes time.

Names of other versions and of PyMC's `sample` are translated, or refused by name.
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any

from nutslite._calls import unknown_argument
from nutslite._log import log
from nutslite._parallel import check_executor
from nutslite.exceptions import (
    ArgumentError,
    ArgumentTypeError,
    PriorError,
    check_flags,
    checked_options,
    checked_path,
    did_you_mean,
    error_about,
    refuse_other,
    warn,
)
from nutslite.posterior.targets.plan import Centring, Path, Plan, check_pilot
from nutslite.results.diagnostics.chance_limits import BUDGET

if TYPE_CHECKING:
    from nutslite.posterior.methods.method import Method
    from nutslite.posterior.methods.settings import Settings

BARS = ("combined", "split", "combined+stats", "stats+combined", "split+stats", "stats+split")  # PyMC's progress bars

UNTIL = (None, "converged")

BESIDE_EXECUTOR = {
    "checkpoint": "a checkpoint grows in this process. Leave one of them out.",
    "callback": "other processes report no progress. Leave one of them out.",
}

_OTHER_NAMES = {"initvals": "start", "jobs": "cores", "njobs": "cores", "seed": "random_seed"}
_OTHER_METHODS = {
    "nutpie": "'nutpie' is a program of its own",
    "numpyro": "'numpyro' is a program of its own",
    "nuts_numpyro": "'nuts_numpyro' is a program of its own",
    "blackjax": "'blackjax' is a program of its own",
    "nuts_blackjax": "'nuts_blackjax' is a program of its own",
}
_FLAGS = ("include_response_params", "omit_offsets", "discard_tuned_samples", "compute_convergence_checks")


@dataclass(frozen=True, kw_only=True)
class FitArguments:
    """What `Model.fit` was asked for.

    The fields are its arguments, with its defaults and in its order. Those that say one thing in several ways are told
    apart here: `progressbar` is True or False, `chains` a number, a seed that was given is plain integers, `nuts` has
    gone into `target_accept` and `max_treedepth`, and `idata_kwargs` has flags only.

    Raises
    ------
    ArgumentError, SettingError, DataError, PriorError
        Naming the argument that is impossible, or those that cannot go together.
    """

    draws: int = 1000
    tune: int | None = None
    chains: int | None = 4
    cores: int | None = None
    random_seed: Any = None
    target_accept: float | None = None
    priors: Mapping[Any, Any] | None = None
    inference_method: str = "auto"
    plan: Path | Plan = "auto"
    pilot: bool | Centring = True
    max_treedepth: int = 10
    init: str = "auto"
    start: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    progressbar: bool | str = True
    callback: Callable[..., Any] | None = None
    include_response_params: bool = False
    omit_offsets: bool = True
    idata_kwargs: Mapping[str, Any] | None = None
    discard_tuned_samples: bool = True
    compute_convergence_checks: bool = True
    nuts: Mapping[str, Any] | None = None
    checkpoint: str | os.PathLike[str] | None = None
    importance: str | None = "auto"
    file: str | os.PathLike[str] | None = None
    executor: Executor | None = None
    until: str | None = None
    budget: float = BUDGET

    def __post_init__(self) -> None:
        method = _method(self.inference_method)
        _say_what_runs(self.inference_method)
        self._set(inference_method=method.name)
        check_executor(self.executor, "chain")
        for name in ("checkpoint", "callback"):
            if self.executor is not None and getattr(self, name) is not None:
                raise ArgumentError(f"fit(executor=, {name}=): {BESIDE_EXECUTOR[name]}")
        check_pilot(self.pilot)
        check_flags(**{name: getattr(self, name) for name in _FLAGS})
        paths = {name: getattr(self, name) for name in ("checkpoint", "file")}
        self._set(**{name: checked_path(name, path) for name, path in paths.items() if path is not None})
        _check_apart(self.checkpoint, self.file)
        self._set(progressbar=_shows_bar(self.progressbar))
        if self.priors is not None and isinstance(self.plan, Plan):
            raise PriorError(
                "fit(priors=..., plan=<a Plan>): that plan was made for the priors before. Call set_priors, then "
                "Model.plan again."
            )
        self._set(**_nuts_options(self), chains=4 if self.chains is None else self.chains)
        _check_pilot_with(self)
        _check_method_with(self)
        _check_until(self)
        self._set(idata_kwargs=_group_options(self.idata_kwargs))
        seed = self.settings(self.random_seed).random_seed
        if self.random_seed is not None:
            self._set(random_seed=seed)

    def _set(self, **values: Any) -> None:
        """Give fields their final values, while the record is made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def with_seed(self, seed: Any) -> FitArguments:
        """The same with another seed, one of plain integers: all else has been checked."""
        found = copy.copy(self)
        found._set(random_seed=seed)
        return found

    @property
    def groups(self) -> dict[str, bool]:
        """What the results are to hold beside the draws."""
        kwargs = self.idata_kwargs or {}
        return {"include_response_params": self.include_response_params, "omit_offsets": self.omit_offsets, **kwargs}

    def settings(self, random_seed: Any, identity: Mapping[str, Any] | None = None) -> Settings:
        """What the sampler needs to know of them.

        Parameters
        ----------
        random_seed : int, sequence of int, SeedSequence, Generator or None
        identity : mapping, optional
            What determines the posterior, for files that must recognise it.

        Raises
        ------
        SettingError
            For numbers that are impossible.
        """
        from nutslite.posterior.methods.settings import Settings

        same = {setting.name for setting in fields(Settings)}.intersection(_NAMES)
        return Settings(
            **{name: getattr(self, name) for name in same} | {"random_seed": random_seed, "identity": identity},
        )


_NAMES = tuple(argument.name for argument in fields(FitArguments))


def read_fit_arguments(variables: Mapping[str, Any]) -> FitArguments:
    """The record of the variables that are called as its fields, and of what ``others`` has under other names.

    Raises
    ------
    CallError
        For a name that `Model.fit` does not have, with the nearest one.
    NutsliteError
        As for `FitArguments`.
    """
    given = {name: variables[name] for name in _NAMES}
    return FitArguments(**{**given, **_translated(given, variables["others"])})


def _translated(given: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """What `others` gives under names that `fit` does not have, under today's; `given` has the rest of the call.

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
            _refuse(name, value)
    return out


def _refuse(name: str, value: Any) -> None:
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
    raise unknown_argument("fit", name, _NAMES, [*_OTHER_NAMES, "include_mean"])


def _method(name: str) -> Method:
    """The inference method of that name; the methods of other programs say what there is instead.

    Raises
    ------
    ArgumentError
    """
    from nutslite.posterior.methods.registry import NAMES, method_called

    if isinstance(name, str) and name in _OTHER_METHODS:
        *others, last = [f"'{known}', {method_called(known).about}" for known in NAMES if known != "auto"]
        raise ArgumentError(
            f"inference_method='{name}': {_OTHER_METHODS[name]}. There are {', '.join(others)}, and {last}."
        )
    return method_called(name)


def _say_what_runs(name: str) -> None:
    """Name the method that runs under a name that PyMC gives another one."""
    from nutslite.posterior.methods.registry import INSTEAD

    if name in INSTEAD:
        log.info("inference_method='%s': %s", name, INSTEAD[name])


def _check_method_with(arguments: FitArguments) -> None:
    """Refuse what an inference method does not go together with.

    Raises
    ------
    ArgumentError
    """
    from nutslite.posterior.methods.registry import approximate_names

    method = _method(arguments.inference_method)
    if arguments.importance != FitArguments.importance and not method.approximate:
        *others, last = [f"'{name}'" for name in approximate_names()]
        raise ArgumentError(
            f"importance={arguments.importance!r} says what becomes of the draws of an approximation, which "
            f"'{method.name}' is not: give inference_method={', '.join(others)} or {last} beside it."
        )
    for name in sorted(method.refuses):
        if getattr(arguments, name) != getattr(FitArguments, name):
            raise ArgumentError(f"{name} and inference_method='{method.name}' exclude each other: give one of them.")


def _check_until(arguments: FitArguments) -> None:
    """Refuse an end that a fit does not go on to, and a budget that is none or is for nothing.

    Raises
    ------
    ArgumentError
    """
    until, budget, method = arguments.until, arguments.budget, _method(arguments.inference_method)
    refuse_other("until", until, UNTIL)
    wrong = isinstance(budget, bool) or not isinstance(budget, Real) or not 1 < float(budget) < math.inf
    if wrong:
        error = error_about(budget, Real, ArgumentError, ArgumentTypeError)
        raise error(
            f"budget is a number above 1, not {budget!r}: how many times the draws asked for may be made, {BUDGET:g} "
            "for example."
        )
    if until is None and budget != BUDGET:
        raise ArgumentError(f"budget={budget!r} says how far a fit goes on: give until='converged' beside it.")
    if until is not None and method.approximate:
        raise ArgumentError(
            f"until={until!r}: draws of an approximation ('{method.name}') have no chains that could go on. Its k-hat "
            "says what they are worth."
        )


def _check_pilot_with(arguments: FitArguments) -> None:
    """Refuse a choice of coordinates where nothing would choose them.

    Raises
    ------
    ArgumentError
    """
    pilot, method, init = arguments.pilot, _method(arguments.inference_method), arguments.init
    if not isinstance(pilot, str):
        return
    others = {
        "plan=<a Plan>": not isinstance(arguments.plan, str),
        f"init={init!r}": init != "auto",
        f"inference_method='{method.name}'": method.usual_coordinates and pilot == "matrix",
    }
    for other, given in others.items():
        if given:
            raise ArgumentError(f"pilot={pilot!r} and {other} exclude each other: give one of them.")


def _shows_bar(progressbar: Any) -> bool:
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


def _group_options(given: Any) -> dict[str, bool]:
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


def _nuts_options(arguments: FitArguments) -> dict[str, Any]:
    """What ``nuts={...}`` gives of two arguments, unless one is given in both places.

    Raises
    ------
    ArgumentError
    """
    options = checked_options("nuts", arguments.nuts, ("target_accept", "max_treedepth"))
    for name, value in options.items():
        named = getattr(arguments, name)
        if named != getattr(FitArguments, name) and named != value:
            raise ArgumentError(f"{name} is {named!r}, and {value!r} in nuts={{...}}: give it once.")
    return options


def _check_apart(checkpoint: Any, file: Any) -> None:
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
