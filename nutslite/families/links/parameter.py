"""One distributional parameter of a family: its links, its range, its default prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import FamilyError, did_you_mean
from nutslite.families.links.codes import CODES, IDENTITY, LOG, LOGIT, RELINKED, SOFTMAX, get_link, is_custom

Support = Literal["real", "positive", "unit", "simplex"]
ResponseSupport = Literal[
    "real",
    "positive",
    "nonnegative",
    "unit",
    "closed_unit",
    "angle",
    "binary",
    "count",
    "trials",
    "category",
    "counts",
    "shares",
]
SEVERAL_COLUMNS = ("counts", "shares")
"""Supports of responses of several columns."""

REAL_LINKS = ("identity", "log", "inverse", "softplus", "sqrt")
POSITIVE_LINKS = ("log", "identity", "inverse", "inverse_squared", "sqrt", "softplus")
UNIT_LINKS = ("logit", "probit", "cloglog", "cauchit", "identity")

SCALAR_SUPPORTS = ("real", "positive", "unit")
"""Of one number; a simplex is a vector."""

_NATIVE_LINKS: dict[Support, int] = {"real": IDENTITY, "positive": LOG, "unit": LOGIT, "simplex": SOFTMAX}
_NATIVE_NAMES: dict[Support, str] = {"real": "identity", "positive": "log", "unit": "logit", "simplex": "softmax"}


@dataclass(frozen=True)
class Parameter:
    """One distributional parameter of a family.

    Attributes
    ----------
    name : str
    links : tuple of str
        Links it allows, the default first.
    support : {"real", "positive", "unit", "simplex"}
        Values it can take; also decides the link its kernel is written in (identity, log, logit, softmax).
    default_prior : (str, dict) or None
        Name and arguments of the prior it gets when it has neither a formula nor a prior of the user's.
        None for parents, which always have a linear predictor.
    dim : str
        Only of a vector: the dimension along it in the results. Its elements are rows of eta.
    labels : tuple
        Coordinates along `dim`, one per element.
    ordered : bool
        Whether the elements increase. Such a vector has no formula.
    unit : int
        The power of the response's unit that it has, 1 of a scale and -1 of a rate: where a search for it starts.
    constant : bool
        Whether it is the same in every row, so that it has no formula.
    scaled_prior : (str, dict) or None
        In place of `default_prior` where automatic priors are scaled.
    below_responses : bool
        Whether every response is above it. Its automatic prior is uniform up to the least of them.
    spread : float
        Only of a gap between quantiles: how many standard deviations it has in a normal distribution, which its default
        priors go by.
    """

    name: str
    links: tuple[str, ...]
    support: Support = "real"
    default_prior: tuple[str, Mapping[str, Any]] | None = None
    dim: str = ""
    labels: tuple[Any, ...] = ()
    ordered: bool = False
    unit: int = 0
    spread: float = 0.0
    constant: bool = False
    scaled_prior: tuple[str, Mapping[str, Any]] | None = None
    below_responses: bool = False
    begins: Callable[[NDArray[np.float64]], float] | None = None

    def __post_init__(self) -> None:
        """Check the names of the links."""
        if not self.links:
            raise FamilyError(f"Parameter '{self.name}' needs at least one link.")
        if self.support not in _NATIVE_LINKS:
            raise FamilyError(f"Parameter '{self.name}': support is one of {', '.join(_NATIVE_LINKS)}.")
        for name in self.links:
            if not is_custom(name) and get_link(name).name not in RELINKED[self.support]:
                raise FamilyError(f"Parameter '{self.name}' is {self.support} and cannot have the link '{name}'.")

    @property
    def size(self) -> int:
        """Rows of eta that it has: its elements, or one."""
        return len(self.labels) if self.dim else 1

    @property
    def default_link(self) -> str:
        """The link used unless the user names another."""
        return self.links[0]

    @property
    def native_link(self) -> int:
        """Code of the link that kernels are written in for this support."""
        return _NATIVE_LINKS[self.support]

    @property
    def native_name(self) -> str:
        """Name of the link that kernels are written in for this support."""
        return _NATIVE_NAMES[self.support]

    def check_link(self, link: str) -> str:
        """The link itself where the parameter allows it, as it does every link of the user's own.

        Raises
        ------
        FamilyError
            When it does not.
        """
        if not is_custom(link) and link not in self.links:
            raise FamilyError(
                f"Parameter '{self.name}' does not allow the link '{link}'.{did_you_mean(link, self.links)} "
                f"Allowed: {', '.join(self.links)}."
            )
        return link

    def kernel_link(self, link: str | None = None) -> str:
        """The link that kernels see, and that a parameter without a formula is on.

        `link` itself or the default one, but the native link in place of a link of the user's own: that is translated
        before the kernel (`_linked.py`), and where there is no linear predictor it has nothing to say.
        """
        chosen = self.check_link(self.default_link if link is None else link)
        return self.native_name if is_custom(chosen) else str(chosen)

    def link_code(self, link: str | None = None) -> int:
        """Integer code of `kernel_link`.

        Raises
        ------
        FamilyError
            When the parameter does not allow this link.
        """
        return CODES[self.kernel_link(link)]
