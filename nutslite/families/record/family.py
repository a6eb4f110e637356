"""The record that describes a family.

A file ``nutslite/families/<wing>/<name>.py`` with a ``FAMILY`` is a family: nothing else lists them.
docs/adding_a_family.md shows how to write one.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from nutslite._addresses import address_of
from nutslite._calls import public
from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, jit_disabled
from nutslite.exceptions import FamilyError, FamilyTypeError, did_you_mean, shown
from nutslite.families.links.codes import IDENTITY
from nutslite.families.links.parameter import POSITIVE_LINKS, REAL_LINKS, UNIT_LINKS, Parameter, ResponseSupport
from nutslite.families.rows.gamma_functions import log_factorial
from nutslite.families.rows.kernel_rows import without_relinks
from nutslite.families.rows.lazy import LazyKernel
from nutslite.families.user.built_in import built_in, family_names
from nutslite.families.user.reading import read_likelihood
from nutslite.formula.records import Response, prefix_of

__all__ = [
    "LOGLIK",
    "POSITIVE_LINKS",
    "REAL_LINKS",
    "UNIT_LINKS",
    "Family",
    "Parameter",
    "ResponseSupport",
]
__all__ += ["compile_kernel", "compiled_loglik", "log_factorial"]

FloatArray = NDArray[np.float64]

LOGLIK = types.FunctionType(types.void(MATRIX, VECTOR, types.int64, MATRIX, INDEX_VECTOR, INDEX_VECTOR, VECTOR, MATRIX))
"""Type of a family kernel passed by pointer: loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta)."""

TOTAL = types.FunctionType(types.float64(MATRIX, types.int64, types.int64, MATRIX))
"""Type of `Family.total` passed by pointer: total(y, start, rows, eta)."""


@public
@dataclass(frozen=True, repr=False)
class Family:
    """A response distribution: its parameters, its kernel, and what predictions need.

    Made in one of two ways. Users name a likelihood and links, as in Bambi: ``Family("mine", likelihood, link)``. A
    file of this folder gives everything else by keyword, from `parameters` on; the two do not mix.

    Attributes
    ----------
    name : str
        A built-in family's name only with that family's own likelihood.
    likelihood : Likelihood, optional
        A distribution by name, or a log density of the user's own.
    link : str, Link or dict by parameter, optional
        One link is the parent's. Parameters left out have the first of their `links`. The family of a model has all of
        its links here, and the likelihood by name where there was none.
    parameters : tuple of Parameter
        The parent first.
    kernel : callable
        ``loglik(y, weights, start, eta, varies, links, out_loglik, out_d_eta)``, see docs/architecture.md.
    prepare : callable
        ``prepare(values) -> ndarray (c', n)``: the response and its companions as given, then rows that the kernel
        would otherwise compute at every gradient, such as ``lgamma(y + 1)``.
    prepare_many : callable, optional
        The same with fewer rows, for so many responses that memory counts, all of which were seen; the kernel tells
        one from the other by the number of rows.
    check_response : callable
        ``check_response(response) -> None``, raises DataError in the user's words.
    random : callable
        ``random(rng, parameters, companions) -> ndarray``: one draw of the response per element of the broadcast
        parameters (a dict of arrays on the natural scale) and companions (a dict of arrays).
    mean : callable
        ``mean(parameters, companions) -> ndarray``: mean of the response, on the response's own scale
        (a binomial count, not a proportion).
    response_support : str
        ``"real"``, ``"positive"``, ``"nonnegative"``, ``"unit"``, ``"closed_unit"`` (0 and 1 included), ``"angle"``
        (from -pi to pi), ``"binary"``, ``"count"``, ``"trials"`` (0 ... trials) or ``"category"`` (codes of levels: 0,
        1, ...); of several columns ``"counts"`` (that add up to trials) or ``"shares"`` (that add up to one).
    companions : tuple of str
        Names of the rows that must follow the response (``("trials",)``).
    title : str
        A name for people; the family's own name when left out.
    kind : str
        Name of the built-in family that has the same density; default priors and fast paths go by it. The family's own
        name when left out.
    own_priors : mapping
        By auxiliary parameter, the user's own default prior; see `set_default_priors`.
    intercept : bool
        Whether the parent has an intercept. Thresholds take its place where not.
    bind : callable, optional
        ``bind(family, response) -> dict`` of attributes that depend on the response: the parameters of a family that
        has one for each level. `bound` applies it.
    combine : callable, optional
        ``combine(links, predictors) -> dict``: what results call parameters, where these are no elementwise inverse
        links of linear predictors. It gets linear predictors of what `combined` names, and numbers on their natural
        scale of the others: arrays (..., rows), of a vector (..., rows, size); a constant's rows are 1.
    combined : mapping
        By parameter that `combine` makes a vector of, its dimension in the results and the labels along it.
    response_dim : tuple of str and tuple, optional
        Of a response of several columns, its dimension in the results and the labels along it. Draws of it and its
        mean have a last axis more.
    optional : tuple of Parameter
        Parameters that it has only in models where a formula names them. They have no intercept: what they would say of
        all rows others say already.
    widen : callable, optional
        ``widen(family, names) -> dict`` of the attributes of the bound family with those optional parameters that
        `names` lists.
    unbound : Family or None
        What `bound` was called on.
    allows : frozenset of str
        Fast ways that may serve the family, of `nutslite._capabilities`; none where left out, which is slow but right.
    concave : frozenset of str
        Links of the parent for which the log likelihood of each row is concave in the parent's linear predictor.
    censored : mapping of str to callable
        By ``"left"``, ``"right"``, ``"interval"``: the kernel of rows that are censored so. Of intervals the second
        half of y's rows is what `prepare` made of their upper ends.
    mean_of_score : callable, optional
        ``mean_of_score(parameters, companions, slopes) -> ndarray``: where the score of the parent is linear in the
        response, the mean of responses between bounds; `slopes` is the mean of that score, by the native link.
    given : mapping of str to callable
        By a companion of a response that the family itself does not use, ``given(response) -> dict`` of attributes with
        which it does: ``se(y, s)``, ``rate(y, exposure)``.
    smooth : callable, optional
        The kernel of a density near this one whose curvature says where the mode is and how wide; a pilot asks it where
        the density itself has kinks.
    total : callable, optional
        ``total(y, start, rows, eta) -> float``: the sum of what the kernel gives for rows without weights, where all
        parameters vary and all links are native; for densities of many positions, which need no derivatives.
    at_quantile : callable, optional
        ``at_quantile(level) -> dict`` of attributes that make the parent this quantile of the response.
    composite : bool
        Whether the kernel adds up working likelihoods of several quantiles, which is no log density of the response.
    fixed : mapping of str to float or ndarray
        Parameters that are known numbers.
    quantile : float or tuple of float, optional
        The level of that quantile; all of them where there are several.

    Raises
    ------
    FamilyError
        For a link or parameter that does not exist, or a name that is taken.

    >>> from nutslite import Likelihood
    >>> Family("bernoulli", Likelihood("Bernoulli", parent="p"), "logit").is_custom
    False
    """

    name: str
    likelihood: Any = field(default=None, compare=False)
    link: Any = field(default=None, compare=False)
    _: KW_ONLY
    parameters: tuple[Parameter, ...] = ()
    kernel: Callable[..., None] = None  # type: ignore[assignment]  # this and the next: filled in from the likelihood
    prepare: Callable[[FloatArray], FloatArray] = None  # type: ignore[assignment]
    prepare_many: Callable[[FloatArray], FloatArray] | None = field(default=None, compare=False)
    check_response: Callable[[Response], None] = None  # type: ignore[assignment]
    random: Callable[[np.random.Generator, Mapping[str, Any], Mapping[str, Any]], NDArray[Any]] = None  # type: ignore[assignment]
    mean: Callable[[Mapping[str, Any], Mapping[str, Any]], NDArray[Any]] = None  # type: ignore[assignment]
    response_support: ResponseSupport = "real"
    companions: tuple[str, ...] = ()
    title: str = ""
    kind: str = ""
    own_priors: Mapping[str, Any] = field(default_factory=dict)
    intercept: bool = True
    bind: Callable[[Family, Response], Mapping[str, Any]] | None = field(default=None, compare=False)
    combine: Callable[[Mapping[str, str], Mapping[str, FloatArray]], dict[str, FloatArray]] | None = field(
        default=None, compare=False
    )
    combined: Mapping[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict, compare=False)
    response_dim: tuple[str, tuple[str, ...]] | None = field(default=None, compare=False)
    optional: tuple[Parameter, ...] = ()
    widen: Callable[[Family, tuple[str, ...]], Mapping[str, Any]] | None = field(default=None, compare=False)
    unbound: Family | None = field(default=None, compare=False)
    allows: frozenset[str] = frozenset()
    concave: frozenset[str] = frozenset()
    censored: Mapping[str, Callable[..., None]] = field(default_factory=dict, compare=False)
    mean_of_score: Callable[..., NDArray[Any]] | None = field(default=None, compare=False)
    given: Mapping[str, Callable[[Response], Mapping[str, Any]]] = field(default_factory=dict, compare=False)
    smooth: Callable[..., None] | None = field(default=None, compare=False)
    total: Callable[..., float] | None = field(default=None, compare=False)
    at_quantile: Callable[[Any], Mapping[str, Any]] | None = field(default=None, compare=False)
    composite: bool = False
    fixed: Mapping[str, Any] = field(default_factory=dict, compare=False)
    quantile: float | tuple[float, ...] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Take from the likelihood what it says, check the parameters and fill the title in."""
        if self.kernel is None:
            for attribute, value in read_likelihood(self.name, self.likelihood, self.link, self.parameters).items():
                object.__setattr__(self, attribute, value)
        names = [parameter.name for parameter in self.parameters]
        if not names or len(set(names)) != len(names):
            raise FamilyError(f"Family '{self.name}' needs parameters with different names; it has {names}.")
        if not self.title:
            object.__setattr__(self, "title", self.name)
        if not self.kind:
            object.__setattr__(self, "kind", self.name)

    def __repr__(self) -> str:
        links = ", ".join(f"{parameter.name}: {parameter.default_link}" for parameter in self.parameters)
        return f"Family({self.name!r}, {links})"

    @property
    def parent(self) -> Parameter:
        """The parameter that the main formula models."""
        return self.parameters[0]

    @property
    def auxiliary(self) -> tuple[Parameter, ...]:
        """All parameters but the parent."""
        return self.parameters[1:]

    def prefix(self, parameter: str) -> str:
        """What results put before the names of a parameter's terms: nothing for the parent."""
        return prefix_of(parameter, self.parent.name)

    @property
    def discrete(self) -> bool:
        """Whether responses are integers."""
        return self.response_support in ("binary", "count", "trials", "category", "counts")

    @property
    def eta_parameters(self) -> tuple[Parameter, ...]:
        """The parameter that each row of eta belongs to: a vector has one row for each of its elements."""
        return tuple(parameter for parameter in self.parameters for _ in range(parameter.size))

    @property
    def without_intercept(self) -> frozenset[str]:
        """Parameters in whose formulas an intercept has no place."""
        optional = {parameter.name for parameter in self.optional}
        return frozenset(optional if self.intercept else optional | {self.parent.name})

    def bound(self, response: Response, formulas: Container[str] = ()) -> Family:
        """The family with the parameters that it has for a response; itself where these are always the same.

        Parameters
        ----------
        response : Response
        formulas : collection of str
            Parameters that have a formula: those of `optional` among them it has, and no others.

        Raises
        ------
        DataError
            If the family cannot model this response.
        """
        family = self.unbound or self
        if family.bind is None:
            return self
        family.check_response(response)
        found = replace(family, **family.bind(family, response), unbound=family, link=self.link)
        names = tuple(parameter.name for parameter in family.optional if parameter.name in formulas)
        return replace(found, **family.widen(found, names)) if names and family.widen is not None else found

    @property
    def is_custom(self) -> bool:
        """Whether the name alone does not bring this family back: anything but an unchanged record of this folder."""
        return self.name not in family_names() or (self.unbound or self) != built_in(self.name)

    @property
    def auxiliary_parameters(self) -> tuple[str, ...]:
        """Names of all parameters but the parent."""
        return tuple(parameter.name for parameter in self.auxiliary)

    @property
    def SUPPORTED_LINKS(self) -> dict[str, list[str]]:  # noqa: N802  # Bambi's name
        """Links by parameter, the default first. Links of the user's own may be added to them."""
        return {parameter.name: [str(link) for link in parameter.links] for parameter in self.parameters}

    def set_default_priors(self, priors: Mapping[str, Any]) -> None:
        """Priors that auxiliary parameters get in models made from now on, where the model's `priors` say nothing else.

        Parameters
        ----------
        priors : mapping of str to Prior or float
            By auxiliary parameter; a number fixes it.

        Raises
        ------
        FamilyError
            For a name that is no auxiliary parameter.
        """
        for name in priors:
            if self.parameter(name) is self.parent:
                raise FamilyError(
                    f"'{name}' is the parent of the family '{self.name}', whose terms have priors one by one: give "
                    "them to the model (priors=...)."
                )
        object.__setattr__(self, "own_priors", {**self.own_priors, **priors})

    def chosen_links(self, links: Mapping[str, str] | str | None = None) -> set[str]:
        """Parameters whose link the user chose, for the model (`links`, as in `choose_links`) or for the family."""
        named = [{self.parent.name: item} if isinstance(item, str) else item or {} for item in (links, self.link)]
        return {name for item in named for name in item}

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

    def link_codes(
        self, links: Mapping[str, str] | str | None = None, varying: Container[str] | None = None
    ) -> NDArray[np.int64]:
        """Link codes as kernels take them, shape (k,), one per row of eta.

        Parameters
        ----------
        links : mapping of parameter name to link name, or the parent's link, or None for the default links
        varying : collection of str, optional
            Parameters with a linear predictor; the others, of which links say nothing, then have the native link. A
            kernel of the user's own that does not know it has the identity instead.

        Raises
        ------
        FamilyError
            When a parameter or link does not exist or the two do not fit.
        """
        chosen = {self.parent.name: links} if isinstance(links, str) else dict(links or {})
        for name in chosen:
            self.parameter(name)
        codes = [item.link_code(chosen.get(item.name)) for item in self.parameters]
        for j, item in enumerate(self.parameters):
            if varying is not None and item.name not in varying:
                codes[j] = self._constant_code(item)
        return np.repeat(np.array(codes, dtype=np.int64), [item.size for item in self.parameters])

    def _constant_code(self, parameter: Parameter) -> int:
        """Link code of a parameter that is one number for all rows."""
        if isinstance(self.kernel, LazyKernel) or parameter.native_name in parameter.links:
            return parameter.native_link
        if "identity" in parameter.links:
            return IDENTITY
        raise FamilyError(
            f"Family '{self.name}': the parameter '{parameter.name}' has no formula here, and as one number it is on "
            f"the link '{parameter.native_name}' or 'identity', which its kernel must know: add one to its links."
        )

    def choose_links(self, links: Mapping[str, str] | str | None = None) -> dict[str, str]:
        """Link name of every parameter: the given ones, checked as in `link_codes`, defaults elsewhere."""
        if links is not None and not isinstance(links, str | Mapping):
            raise FamilyTypeError(f"link is a name, a Link, or a dict of these by parameter, not {shown(links)}.")
        self.link_codes(links)
        chosen = {self.parent.name: links} if isinstance(links, str) else dict(links or {})
        return {item.name: chosen.get(item.name, item.default_link) for item in self.parameters}


def compiled_loglik(family: Family, codes: NDArray[np.int64] | None = None) -> Callable[..., None]:
    """The family's kernel, compiled (or read from the disk cache) for the signature `LOGLIK`.

    Given the link `codes` of a model, it may be a kernel that knows no others.
    """
    return compile_kernel(family, family.kernel, codes)


def compile_kernel(family: Family, kernel: Any, codes: NDArray[np.int64] | None) -> Callable[..., None]:
    """`compiled_loglik` for a kernel of the family that may be another one than its density's."""
    kernel = kernel.build() if isinstance(kernel, LazyKernel) else kernel
    if codes is not None and np.array_equal(codes, [parameter.native_link for parameter in family.eta_parameters]):
        kernel = without_relinks(kernel)
    if not jit_disabled():
        if not isinstance(kernel, Dispatcher):
            raise FamilyError(f"The kernel of family '{family.name}' is not compiled: decorate it with numba.njit.")
        kernel.compile(LOGLIK.signature)
    return kernel  # type: ignore[no-any-return]


def has_total(family: Family, codes: NDArray[np.int64]) -> bool:
    """Whether the built-in family of this kind has a `total` that is this one's too, given the link `codes`."""
    if family.kind not in family_names():
        return False
    original, native = built_in(family.kind), [parameter.native_link for parameter in family.eta_parameters]
    return original.total is not None and original.kernel is family.kernel and np.array_equal(codes, native)


def total_address(kind: str) -> Any:
    """The address of the `total` of a built-in family, compiled."""
    return address_of(built_in(kind).total, TOTAL)
