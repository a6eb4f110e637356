"""`Prior`: a density by name with its arguments, as users write it, and its resolution to what kernels need."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._calls import public
from nutslite.exceptions import PriorError, PriorTypeError, did_you_mean, error_about
from nutslite.priors.arguments import canonical_arguments, check_names, read_argument, same_argument
from nutslite.priors.densities.catalogue import (
    BETWEEN,
    COUNTS,
    DENSITIES,
    NAME_ALIASES,
    TOGETHER,
    Density,
    Support,
    Value,
)
from nutslite.priors.densities.truncated import (
    DIFFERENCES,
    LEAST,
    LEAST_OF_DIFFERENCES,
    MOVING,
    log_probability,
)

DEEPEST = 50
"""Levels of priors within priors, far beyond what data can tell apart."""

WIDEST = 1000
"""Priors of one level."""

FloatArray = NDArray[np.float64]


@public
class Prior:
    """A prior distribution.

    Parameters
    ----------
    name : str
        One of PyMC's continuous distributions: ``"Normal"``, ``"HalfStudentT"``, ``"Gamma"``, ...
        (`nutslite.priors.densities.catalogue.DENSITIES` has them all). Distributions of counts are known by name, too,
        but no term can have one.
    auto_scale : bool, default True
        Present because Bambi has it: a prior that a user gives is never changed, whatever this says.
        ``Model(auto_scale=False)`` makes default priors flat.
    noncentered : bool, optional
        For group-specific terms with a hyperprior on their scale: sample standardised effects (True) or the effects
        themselves (False). None leaves it to the model. A pilot, where one runs, chooses better for each level.
    dist : None
        Present because Bambi has it. A prior by PyMC function needs PyMC: use one of the named densities.
    **arguments : float, array_like or Prior
        The distribution's arguments under PyMC's names; ``sd`` may be written for ``sigma``, and further
        parameterizations are accepted where PyMC has them: ``tau``, ``Gamma(mu, sigma)``, ``Beta(mu, kappa)``, ...
        A `Prior` as an argument is a hyperprior; these nest up to 50 deep. Any continuous distribution takes ``lower``,
        ``upper`` or both besides: the density is cut there, and normalised again.

    Attributes
    ----------
    name : str
    args : dict
        As given: the names that the user wrote, lists as arrays.
    auto_scale, noncentered

    Raises
    ------
    PriorError
        For an unknown distribution or argument, a missing, contradictory or impossible one; for priors nested deeper.

    Examples
    --------
    >>> Prior("Normal", mu=0, sd=Prior("HalfCauchy", beta=5))
    Normal(mu: 0, sd: HalfCauchy(beta: 5))
    >>> Prior("Gamma", mu=2, sigma=1)
    Gamma(mu: 2, sigma: 1)
    >>> Prior("StudentT", nu=3, mu=0, sigma=1, lower=0)
    StudentT(nu: 3, mu: 0, sigma: 1, lower: 0)
    """

    def __init__(
        self,
        name: str,
        auto_scale: bool = True,
        noncentered: bool | None = None,
        dist: Any = None,
        **arguments: Any,
    ) -> None:
        if dist is not None:
            raise PriorError(
                f"Prior('{name}', dist=...): distributions given as functions need PyMC. "
                f"Use one of the named densities: {', '.join(DENSITIES)}."
            )
        if not isinstance(auto_scale, bool):
            raise PriorError(
                f"Prior('{name}', {auto_scale!r}): arguments are given by name, as in Prior('Normal', mu=0, sigma=1); "
                "auto_scale is True or False."
            )
        if noncentered is not None and not isinstance(noncentered, bool):
            raise PriorTypeError(f"Prior('{name}', noncentered={noncentered!r}): noncentered is True, False or None.")
        self.name = name
        self.auto_scale = bool(auto_scale)
        self.noncentered = noncentered
        self._whole = find_density(name)
        self.args: dict[str, Any] = {key: read_argument(name, key, value, Prior) for key, value in arguments.items()}
        self._check_nesting()
        self._check()

    def update(self, **arguments: Any) -> None:
        """Replace or add arguments in place; an argument known by two names (sd, sigma) is one argument.

        Raises
        ------
        PriorError
            As on creation; the prior is then unchanged.
        """
        new = {key: read_argument(self.name, key, value, Prior) for key, value in arguments.items()}
        changed = {self._canonical(key) for key in new}
        old = self.args
        self.args = {key: value for key, value in old.items() if key in new or self._canonical(key) not in changed}
        self.args |= new
        try:
            self._check_nesting()
            self._check()
        except PriorError:
            self.args = old
            raise

    @property
    def density(self) -> Density:
        """The record of the density behind the name."""
        return self._density

    @property
    def _density(self) -> Density:
        """Between bounds where the user gives any and the distribution has none of its own."""
        given = "lower" in self.args or "upper" in self.args
        return BETWEEN.get(self._whole.name, self._whole) if given else self._whole

    @property
    def has_bounds(self) -> bool:
        """Whether the user has cut the density to an interval."""
        return self._density.whole is not None

    @property
    def hierarchical(self) -> bool:
        """Whether any argument has a prior of its own."""
        return any(isinstance(value, Prior) for value in self.args.values())

    @property
    def random_scale(self) -> bool:
        """Whether it moves and stretches one density, and the stretch has a prior of its own."""
        density = self._density
        return density.location_scale and isinstance(self._check()[density.scale or 0], Prior)

    def bounds(self) -> tuple[Value, Value]:
        """Ends of the support."""
        return self._density.bounds(self._check())

    def _check_nesting(self) -> None:
        """Raise for what is nested without end (a prior within itself), or very deeply."""
        level = [self]
        for _ in range(DEEPEST):
            level = [value for prior in level for value in prior.args.values() if isinstance(value, Prior)]
            if not level:
                return
            if len(level) > WIDEST:
                break
        raise PriorError(
            f"Prior('{self.name}', ...): priors are nested more than {DEEPEST} deep, or more than {WIDEST} at one "
            "level, or one is an argument of itself."
        )

    def _canonical(self, key: str) -> str:
        for argument in self._whole.arguments:
            if key in argument.aliases:
                return argument.name
        return key

    def _check(self) -> tuple[Value | Prior, ...]:
        """The canonical arguments; raises where the given ones do not make a prior."""
        if self._density.support == "count":
            check_names(self._density, self.args)
            return ()
        density = self._density
        if density.whole is None and all(type(value) in _NUMBERS for value in self.args.values()):
            return _canonical_numbers(density.name, tuple(self.args.items()))
        values = canonical_arguments(density, self.args, Prior)
        for argument, value in zip(self._density.arguments, values, strict=True):
            if isinstance(value, Prior):
                _check_hyperprior(self._density, argument.name, argument.positive, value)
        if self.has_bounds:
            _check_bounds(self, values)
        return values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prior):
            return NotImplemented
        return (
            self._density.name == other._density.name
            and self.auto_scale == other.auto_scale
            and self.noncentered == other.noncentered
            and self.args.keys() == other.args.keys()
            and all(same_argument(value, other.args[key]) for key, value in self.args.items())
        )

    __hash__ = None  # type: ignore[assignment]  # `update` changes it

    def __str__(self) -> str:
        return f"{self.name}({', '.join(f'{key}: {_show(value)}' for key, value in self.args.items())})"

    __repr__ = __str__


@dataclass(frozen=True)
class ResolvedPrior:
    """A prior as kernels and transforms need it.

    Attributes
    ----------
    code : int
        For `densities.log_density_gradient`.
    log_probability : float or ndarray
        Between bounds that the user gives, where the arguments are numbers; 0 without bounds.
    name : str
        The density's canonical name.
    arguments : tuple of float, ndarray or Prior
        In canonical order; a `Prior` is a hyperprior, to be resolved in its turn.
    support : str
        ``"real"``, ``"positive"``, ``"unit"``, ``"interval"`` or ``"correlation"``.
    lower, upper : float or ndarray
        Ends of the support, infinite where it has none.
    """

    code: int
    name: str
    arguments: tuple[Value | Prior, ...]
    support: Support
    lower: Value
    upper: Value
    log_probability: Value = 0.0


def resolve(prior: Prior) -> ResolvedPrior:
    """Code, canonical arguments and support of a prior.

    >>> resolve(Prior("Normal", mu=1, tau=4)).arguments
    (1.0, 0.5)
    """
    density = prior.density
    if density.support == "count":
        raise PriorError(f"{prior.name} is a distribution of counts; coefficients and scales need a continuous prior.")
    values = prior._check()
    lower, upper = density.bounds(values)
    log_mass: Value = 0.0
    if prior.has_bounds and not prior.hierarchical:
        log_mass = _log_probability(density, values)
    return ResolvedPrior(density.code, density.name, values, density.support, lower, upper, log_mass)


_NUMBERS = (float, int, np.float64)


@functools.lru_cache(maxsize=256, typed=True)
def _canonical_numbers(density: str, arguments: tuple[tuple[str, float], ...]) -> tuple[Value | Prior, ...]:
    """`canonical_arguments` of a density without bounds of the user's, which priors of many models ask for again."""
    return canonical_arguments(find_density(density), dict(arguments), Prior)


def find_density(name: str) -> Density:
    """The density called `name`; `PriorError` with a suggestion where there is none."""
    density = (DENSITIES | TOGETHER | COUNTS).get(NAME_ALIASES.get(name, name)) if isinstance(name, str) else None
    if density is not None:
        return density
    raise error_about(name, str, PriorError, PriorTypeError)(
        f"There is no prior distribution '{name}'.{did_you_mean(name, DENSITIES | TOGETHER)} There are: "
        f"{', '.join(DENSITIES | TOGETHER)}."
    )


def _check_hyperprior(density: Density, argument: str, positive: bool, hyperprior: Prior) -> None:
    if hyperprior.density.support == "count":
        raise PriorError(
            f"{density.name}({argument}={hyperprior}): {hyperprior.name} is a distribution of counts; {argument} needs "
            "a continuous prior."
        )
    if hyperprior.density.support == "coefficients":
        raise PriorError(f"{density.name}({argument}={hyperprior}): {hyperprior.name} is a prior of coefficients.")
    if hyperprior.density.support == "simplex":
        raise PriorError(f"{density.name}({argument}={hyperprior}): {hyperprior.name} is a prior of shares.")
    if hyperprior.density.support == "correlation":
        raise PriorError(f"{density.name}({argument}={hyperprior}): LKJ is a prior for whole correlation matrices.")
    if positive and np.any(np.asarray(hyperprior.bounds()[0]) < 0.0):
        raise PriorError(
            f"{density.name}({argument}={hyperprior}): {argument} must be positive, but {hyperprior.name} also "
            "allows negative values. Use a prior on positive numbers, such as HalfNormal or Exponential."
        )


def _log_probability(density: Density, values: tuple[Any, ...]) -> FloatArray:
    if density.whole is None:
        raise AssertionError("a density without bounds")
    return log_probability(density.name, values[:-2], density.bounds(values), density.whole.bounds(values[:-2]))


def _check_bounds(prior: Prior, values: tuple[Any, ...]) -> None:
    """What a density between bounds needs: probability there, and arguments whose derivatives are known."""
    density, moving = prior.density, MOVING.get(prior.density.name, ())
    for name, value in zip(density.argument_names, values, strict=True):
        if isinstance(value, Prior) and name not in moving:
            may = f"Only {' and '.join(moving)} may have one" if moving else "Its arguments are numbers"
            raise PriorError(
                f"{density.name}({name}={value}): between bounds {name} of a {density.name} cannot have a prior of its "
                f"own. {may}."
            )
    lower, upper = density.bounds(values)
    least = LEAST_OF_DIFFERENCES if density.name in DIFFERENCES else LEAST
    nothing = not np.all(np.asarray(lower) < np.asarray(upper))
    if nothing or not (prior.hierarchical or np.all(_log_probability(density, values) > least)):
        raise PriorError(
            f"{prior} has no probability between its bounds that doubles hold: give it another location or scale, or "
            "other bounds."
        )


def _show(value: Any) -> str:
    """A number or array to four decimals, on one line; integers stay integers, and small numbers do not read 0.

    An array of one number reads as that number, which it means.
    """
    if isinstance(value, Prior):
        return str(value)
    if np.size(value) == 1:
        value = np.asarray(value).item()
    real = np.issubdtype(np.asarray(value).dtype, np.floating)
    rounded = np.round(value, 4) if real else value
    if np.ndim(rounded) == 0:
        return f"{value:.4g}" if real and rounded == 0.0 and value != 0.0 else str(rounded)
    return np.array2string(rounded, max_line_width=10**6)
