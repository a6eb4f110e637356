"""Posterior predictive checks: the pictures of whichever generation of ArviZ is installed, by one set of names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from nutslite._calls import unknown_argument
from nutslite.exceptions import ArgumentError, refuse_other
from nutslite.results.container.arviz_import import arviz_major, import_arviz
from nutslite.results.container.inference_data import get_group


class Check(NamedTuple):
    """ArviZ's function and what it is told.

    Attributes
    ----------
    function : str
    options : mapping
    groups : tuple of str
        What it reads, beside the observations.
    """

    function: str
    options: Mapping[str, Any] = MappingProxyType({})
    groups: tuple[str, ...] = ("posterior_predictive",)


LOO = ("posterior_predictive", "log_likelihood")

SECOND: dict[str, Check] = {  # ArviZ from 1.0 on
    "ecdf": Check("plot_ppc_dist", {"kind": "ecdf"}),
    "kde": Check("plot_ppc_dist", {"kind": "kde"}),
    "hist": Check("plot_ppc_dist", {"kind": "hist"}),
    "pit": Check("plot_ppc_pit"),
    "coverage": Check("plot_ppc_pit", {"coverage": True}),
    "loo_pit": Check("plot_loo_pit", groups=LOO),
    "rootogram": Check("plot_ppc_rootogram"),
    "tstat": Check("plot_ppc_tstat"),
    "interval": Check("plot_ppc_interval"),
    "pava": Check("plot_ppc_pava"),
    "censored": Check("plot_ppc_censored"),
}
FIRST: dict[str, Check] = {  # ArviZ 0.x
    "ecdf": Check("plot_ppc", {"kind": "cumulative"}),
    "kde": Check("plot_ppc", {"kind": "kde"}),
    "scatter": Check("plot_ppc", {"kind": "scatter"}),
    "pit": Check("plot_bpv", {"kind": "u_value"}),
    "p_value": Check("plot_bpv", {"kind": "p_value"}),
    "tstat": Check("plot_bpv", {"kind": "t_stat"}),
    "loo_pit": Check("plot_loo_pit", {"ecdf": True}, LOO),
    "separation": Check("plot_separation"),
}
SAME = {"cumulative": "ecdf", "u_value": "pit", "t_stat": "tstat", "dist": "kde"}  # ArviZ's other names
NAMED = ("plot_loo_pit", "plot_separation")  # want the response's name, in ArviZ 0.x


def find_check(kind: str) -> Check:
    """What draws a kind of check with the ArviZ that is installed.

    Raises
    ------
    ArgumentError
        Where there is no such kind, or only another generation of ArviZ has it.
    """
    known, others = (FIRST, SECOND) if arviz_major() < 1 else (SECOND, FIRST)
    name = SAME.get(kind, kind) if isinstance(kind, str) else kind
    if isinstance(name, str) and name in others and name not in known:
        wanted = "1.0 or later" if others is SECOND else "0.x"
        raise ArgumentError(f"kind='{kind}' is a picture of ArviZ {wanted}. The one installed has: {', '.join(known)}.")
    refuse_other("kind", name, tuple(known))
    return known[name]


def draw_check(check: Check, idata: Any, response: str, options: dict[str, Any]) -> Any:
    """The picture, as ArviZ gives it.

    Parameters
    ----------
    check : Check
    idata : InferenceData or DataTree
        With all groups that the check reads.
    response : str
        The response's name.
    options : mapping
        For ArviZ's function.

    Raises
    ------
    CallError
        For an option that the function does not have.
    """
    function = getattr(import_arviz(), check.function)
    parameters = inspect.signature(function).parameters.values()
    names = [each.name for each in parameters if each.kind != each.VAR_KEYWORD][1:]
    if not any(each.kind == each.VAR_KEYWORD for each in parameters):
        for name in options:
            if name not in names:
                raise unknown_argument(check.function, name, names)
    given = {**check.options, **options}
    if check.function in NAMED and "y" in names:
        given.setdefault("y", _observed_name(idata, response))
    return function(idata, **given)


def _observed_name(idata: Any, response: str) -> str:
    names = [str(name) for name in get_group(idata, "observed_data").data_vars]
    return response if response in names else names[0]
