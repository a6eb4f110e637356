"""The record that describes a family, and the register that finds one by name.

A file ``nutslite/families/<name>.py`` with a ``FAMILY`` is a family: nothing else lists them. docs/adding_a_family.md
shows how to write one.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numpy.typing import ArrayLike, NDArray

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, jit_disabled
from nutslite.exceptions import FamilyError, did_you_mean
from nutslite.families.links import CODES, IDENTITY, LOG, LOGIT, RELINKED, get_link, link_array
from nutslite.formula.terms import Response

FloatArray = NDArray[np.float64]
Support = Literal["real", "positive", "unit"]
ResponseSupport = Literal["real", "positive", "unit", "binary", "count", "trials"]

LOGLIK = types.FunctionType(types.void(MATRIX, VECTOR, types.int64, MATRIX, INDEX_VECTOR, INDEX_VECTOR, VECTOR, MATRIX))
"""Type of a family kernel passed by pointer: loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta)."""

REAL_LINKS = ("identity", "log", "inverse", "softplus", "sqrt")
POSITIVE_LINKS = ("log", "identity", "inverse", "inverse_squared", "sqrt", "softplus")
UNIT_LINKS = ("logit", "probit", "cloglog", "cauchit", "identity")

_NATIVE_LINKS: dict[Support, int] = {"real": IDENTITY, "positive": LOG, "unit": LOGIT}
_NOT_FAMILIES = ("family", "links", "derivatives", "likelihood", "link")


@dataclass(frozen=True)
class Parameter:
    """One distributional parameter of a family.

    Attributes
    ----------
    name : str
    links : tuple of str
        Links it allows, the default first.
    support : {"real", "positive", "unit"}
        Values it can take; also decides the link its kernel is written in (identity, log, logit).
    default_prior : (str, dict) or None
        Name and arguments of the prior it gets when it has neither a formula nor a prior of the user's.
        None for parents, which always have a linear predictor.
    """

    name: str
    links: tuple[str, ...]
    support: Support = "real"
    default_prior: tuple[str, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        """Check the names of the links."""
        if not self.links:
            raise FamilyError(f"Parameter '{self.name}' needs at least one link.")
        if self.support not in _NATIVE_LINKS:
            raise FamilyError(f"Parameter '{self.name}': support is one of {', '.join(_NATIVE_LINKS)}.")
        for name in self.links:
            if get_link(name).name not in RELINKED[self.support]:
                raise FamilyError(f"Parameter '{self.name}' is {self.support} and cannot have the link '{name}'.")

    @property
    def default_link(self) -> str:
        """The link used unless the user names another."""
        return self.links[0]

    @property
    def native_link(self) -> int:
        """Code of the link that kernels are written in for this support."""
        return _NATIVE_LINKS[self.support]

    def link_code(self, link: str | None = None) -> int:
        """Integer code of `link`, or of the default link.

        Raises
        ------
        FamilyError
            When the parameter does not allow this link.
        """
        name = self.default_link if link is None else link
        if name not in self.links:
            raise FamilyError(
                f"Parameter '{self.name}' does not allow the link '{name}'.{did_you_mean(name, self.links)} "
                f"Allowed: {', '.join(self.links)}."
            )
        return CODES[name]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A response distribution: its parameters, its kernel, and what predictions need.

    Attributes
    ----------
    name : str
    parameters : tuple of Parameter
        The parent first.
    kernel : callable
        ``loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta)``, see docs/architecture.md.
    prepare : callable
        ``prepare(values) -> ndarray (c', n)``: the response and its companions as given, then rows that the kernel
        would otherwise compute at every gradient, such as ``lgamma(y + 1)``.
    check_response : callable
        ``check_response(response) -> None``, raises DataError in the user's words.
    random : callable
        ``random(rng, parameters, companions) -> ndarray``: one draw of the response per element of the broadcast
        parameters (a dict of arrays on the natural scale) and companions (a dict of arrays).
    mean : callable
        ``mean(parameters, companions) -> ndarray``: mean of the response, on the response's own scale
        (a binomial count, not a proportion).
    response_support : str
        ``"real"``, ``"positive"``, ``"unit"``, ``"binary"``, ``"count"`` or ``"trials"`` (0 ... trials).
    companions : tuple of str
        Names of the rows that must follow the response (``("trials",)``).
    title : str
        A name for people; the family's own name when left out.
    """

    name: str
    parameters: tuple[Parameter, ...]
    kernel: Callable[..., None]
    prepare: Callable[[FloatArray], FloatArray]
    check_response: Callable[[Response], None]
    random: Callable[[np.random.Generator, Mapping[str, Any], Mapping[str, Any]], NDArray[Any]]
    mean: Callable[[Mapping[str, Any], Mapping[str, Any]], NDArray[Any]]
    response_support: ResponseSupport
    companions: tuple[str, ...] = ()
    title: str = field(default="")

    def __post_init__(self) -> None:
        """Check the parameters and fill the title in."""
        names = [parameter.name for parameter in self.parameters]
        if not names or len(set(names)) != len(names):
            raise FamilyError(f"Family '{self.name}' needs parameters with different names; it has {names}.")
        if not self.title:
            object.__setattr__(self, "title", self.name)

    @property
    def parent(self) -> Parameter:
        """The parameter that the main formula models."""
        return self.parameters[0]

    @property
    def auxiliary(self) -> tuple[Parameter, ...]:
        """All parameters but the parent."""
        return self.parameters[1:]

    @property
    def discrete(self) -> bool:
        """Whether responses are integers."""
        return self.response_support in ("binary", "count", "trials")

    @property
    def is_custom(self) -> bool:
        """Whether the name alone does not bring this family back: anything but an unchanged record of this folder."""
        return self.name not in family_names() or self != import_module(f"nutslite.families.{self.name}").FAMILY

    def parameter(self, name: str) -> Parameter:
        """Look a parameter up by name.

        Raises
        ------
        FamilyError
            When the family has no such parameter.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        names = [parameter.name for parameter in self.parameters]
        raise FamilyError(
            f"'{name}' is not a parameter of the family '{self.name}'.{did_you_mean(name, names)} "
            f"Its parameters: {', '.join(names)}."
        )

    def link_codes(self, links: Mapping[str, str] | str | None = None) -> NDArray[np.int64]:
        """Link codes as kernels take them, shape (k,), one per parameter.

        Parameters
        ----------
        links : mapping of parameter name to link name, or the parent's link, or None for the default links

        Raises
        ------
        FamilyError
            When a parameter or link does not exist or the two do not fit.
        """
        chosen = {self.parent.name: links} if isinstance(links, str) else dict(links or {})
        for name in chosen:
            self.parameter(name)
        return np.array([item.link_code(chosen.get(item.name)) for item in self.parameters], dtype=np.int64)

    def choose_links(self, links: Mapping[str, str] | str | None = None) -> dict[str, str]:
        """Link name of every parameter: the given ones, checked as in `link_codes`, defaults elsewhere."""
        if links is not None and not isinstance(links, str | Mapping):
            raise FamilyError(f"link is a name or a dict of names by parameter, not {links!r}.")
        self.link_codes(links)
        chosen = {self.parent.name: links} if isinstance(links, str) else dict(links or {})
        return {item.name: chosen.get(item.name, item.default_link) for item in self.parameters}


def family_names() -> list[str]:
    """Names of the families in this folder, sorted."""
    folder = import_module("nutslite.families").__path__
    modules = (module.name for module in pkgutil.iter_modules(folder))
    return sorted(name for name in modules if not name.startswith("_") and name not in _NOT_FAMILIES)


def get_family(family: str | Family) -> Family:
    """The record of a family by name; a `Family` of the user's own is handed back as it is.

    Raises
    ------
    FamilyError
        When there is no family of this name.

    >>> get_family("poisson").parent.default_link
    'log'
    """
    if isinstance(family, Family):
        return family
    names = family_names()
    if family not in names:
        raise FamilyError(f"There is no family '{family}'.{did_you_mean(family, names)} Known: {', '.join(names)}.")
    record: Family = import_module(f"nutslite.families.{family}").FAMILY
    return record


def compiled_loglik(family: Family) -> Callable[..., None]:
    """The family's kernel, compiled (or read from the disk cache) for the signature `LOGLIK`."""
    if not jit_disabled():
        if not isinstance(family.kernel, Dispatcher):
            raise FamilyError(f"The kernel of family '{family.name}' is not compiled: decorate it with numba.njit.")
        family.kernel.compile(LOGLIK.signature)
    return family.kernel


def pointwise_loglik(
    family: Family,
    values: ArrayLike,
    parameters: Mapping[str, ArrayLike],
    weights: ArrayLike | None = None,
) -> FloatArray:
    """Log likelihood of each observation, for checks and small jobs; sampling calls the kernel itself.

    Parameters
    ----------
    family : Family
    values : array_like, shape (n,) or (c, n)
        The response, and its companions in further rows.
    parameters : mapping of str to float or array_like of shape (n,)
        Parameter values on their natural scale, all of them.
    weights : array_like of shape (n,), optional

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    FamilyError
        When `parameters` does not name exactly the family's parameters.
    """
    names = {parameter.name for parameter in family.parameters}
    for name in parameters:
        family.parameter(name)
    if names != set(parameters):
        raise FamilyError(f"Family '{family.name}' also needs {', '.join(sorted(names - set(parameters)))}.")
    response = np.array(np.atleast_2d(np.asarray(values, dtype=np.float64)), order="C")
    rows = response.shape[1]
    eta = np.empty((len(family.parameters), rows))
    varies = np.zeros(len(family.parameters), dtype=np.int64)
    for j, parameter in enumerate(family.parameters):
        eta[j] = link_array(parameter.default_link, parameters[parameter.name])
        varies[j] = int(np.ndim(parameters[parameter.name]) > 0)
    out = np.empty(rows)
    weight = np.empty(0) if weights is None else np.array(weights, dtype=np.float64)
    with np.errstate(all="ignore"):
        family.kernel(family.prepare(response), weight, 0, eta, varies, family.link_codes(), out, np.empty_like(eta))
    return out


def log_factorial(counts: FloatArray) -> FloatArray:
    """``log(counts!)``, elementwise: the normalising constant that `prepare` functions store."""
    unique, index = np.unique(counts, return_inverse=True)
    table = np.array([math.lgamma(value + 1.0) for value in unique])
    result: FloatArray = table[index].reshape(np.shape(counts))
    return result
