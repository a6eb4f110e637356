"""Whether a prior fits the place that it is given for."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError, PriorTypeError, did_you_mean, error_about
from nutslite.priors.prior import Prior, find_density
from nutslite.priors.scales import Scale
from nutslite.priors.shrinkage import check_shrinkage, shrinkage_kind

SOURCES = ("default", "mle")
HIGHEST_ORDER = 13  # of the expansion behind automatic_priors="mle"


def check_term_prior(name: str, prior: Prior | Scale, columns: int, *, grouped: bool, single: bool = False) -> None:
    """Raise where a prior does not fit a term; a scale fits every term.

    Parameters
    ----------
    name : str
        Of the term or of a single coefficient, for messages.
    prior : Prior or Scale
    columns : int
        Coefficients that the prior is for.
    grouped : bool
        Whether the term is group-specific.
    single : bool
        Whether it is about an intercept, or about one of several coefficients of a term.

    Raises
    ------
    PriorError
    """
    if isinstance(prior, Scale):
        return
    _refuse_unfit(name, prior)
    _refuse_inner_noncentered(name, prior)
    if grouped:
        _check_group_prior(name, prior)
    else:
        _check_common_prior(name, prior, single)
    check_lengths(name, prior, columns)


def check_shift(name: str, value: Prior | float | NDArray[np.float64], least: float, response: str) -> None:
    """Raise where a parameter that all responses are above is known to be above the `least` of them.

    Raises
    ------
    PriorError
    """
    known = isinstance(value, Prior)
    lowest = float(np.max(value.bounds()[0] if isinstance(value, Prior) else value))
    if lowest >= least:
        what = f"its prior begins at {lowest:.6g}" if known else f"it is fixed at {lowest:.6g}"
        raise PriorError(
            f"'{name}' has to be below every response, and the least '{response}' is {least:.6g}, but {what}. Give it "
            "a smaller one, or leave these responses out."
        )


class Vector(NamedTuple):
    """A parameter of several elements without a formula, such as thresholds."""

    size: int
    increases: bool


def read_constant(name: str, value: Any, vector: Vector | None = None) -> Prior | float | NDArray[np.float64]:
    """Prior or fixed value of a parameter without a formula; of a `vector`, its elements.

    Raises
    ------
    PriorError
    """
    if isinstance(value, Prior):
        if value.hierarchical:
            raise PriorError(f"Trying to set hyperprior on '{name}'. Can't set a hyperprior on a single parameter.")
        _refuse_unfit(name, value)
        kind = shrinkage_kind(value)
        if kind is not None:
            raise PriorError(f"'{name}': {kind.words} is a prior of common terms, not of a single parameter.")
        if value.noncentered:
            raise PriorError(f"'{name}': noncentered=True is for group-specific terms, not for a single parameter.")
        check_lengths(name, value, 1 if vector is None else vector.size, "element")
        if vector is not None and vector.increases and np.min(value.bounds()[1]) < np.inf:
            raise PriorError(f"The prior of '{name}' has an upper bound, but its elements increase: give one without.")
        return copy.deepcopy(value)
    if isinstance(value, Mapping):
        raise PriorError(
            f"'{name}' has no formula, so it has no terms; give one Prior, or a formula such as '{name} ~ x'."
        )
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.size == 0 or not np.all(np.isfinite(array)):
        raise PriorError(f"The prior of '{name}' must be a Prior, or finite numbers that fix it, not {value!r}.")
    if vector is not None:
        if array.shape != (vector.size,) or (vector.increases and not (np.diff(array) > 0.0).all()):
            which, numbers = (", which increase", "increasing numbers") if vector.increases else ("", "numbers")
            raise PriorError(
                f"'{name}' has {vector.size} elements{which}; the prior fixes it to {value!r}. Give a Prior, or "
                f"{vector.size} {numbers}."
            )
        return array.astype(float)
    if array.size > 1:
        raise PriorError(
            f"'{name}' is one number for all rows, but the prior fixes it to {array.size} numbers. Known values per "
            f"row go into a formula, on the scale of its link: Formula(..., '{name} ~ 0 + offset(log(column))')."
        )
    return float(array.reshape(()).item())


def check_support(
    name: str, value: Prior | float | NDArray[np.float64], default: tuple[str, Mapping[str, Any]]
) -> None:
    """A parameter's prior or fixed value must respect the range that its default prior has.

    Raises
    ------
    PriorError
    """
    density = find_density(default[0])
    lower, upper = Prior(default[0], **default[1]).bounds()
    ends = value.bounds() if isinstance(value, Prior) else (np.min(value), np.max(value))
    inside = np.all(np.asarray(ends[0]) >= lower) and np.all(np.asarray(ends[1]) <= upper)
    if not isinstance(value, Prior) and density.support != "real":
        inside = inside and np.all(np.asarray(value) > lower) and np.all(np.asarray(value) < upper)
    if not inside:
        raise PriorError(f"'{name}' lies between {lower:g} and {upper:g}, which {value} does not respect.")


def check_noncentered(noncentered: Any, modelled: Collection[str]) -> bool | dict[str, bool]:
    """The model's own choice of centring: one for all, or one by parameter that has a formula.

    Raises
    ------
    PriorError
        For anything else, or the name of a parameter that has no formula.
    """
    if isinstance(noncentered, bool):
        return noncentered
    if not isinstance(noncentered, Mapping) or not all(isinstance(value, bool) for value in noncentered.values()):
        raise PriorTypeError(f"noncentered is True, False or a dict of these by parameter, not {noncentered!r}.")
    for name in noncentered:
        if name not in modelled:
            raise PriorError(
                f"noncentered names '{name}', which is no parameter with a formula."
                f"{did_you_mean(name, modelled)} The model's: {', '.join(modelled)}."
            )
    return dict(noncentered)


def check_automatic(automatic_priors: Any, taylor: Any, auto_scale: bool) -> tuple[str, int | None]:
    """The source of automatic priors and the order of its expansion.

    Raises
    ------
    PriorError
        For an unknown source, an impossible order, or settings that contradict each other.
    """
    if automatic_priors not in SOURCES:
        raise error_about(automatic_priors, str, PriorError, PriorTypeError)(
            f"automatic_priors is one of {', '.join(repr(name) for name in SOURCES)}; not {automatic_priors!r}."
            f"{did_you_mean(str(automatic_priors), SOURCES)}"
        )
    if automatic_priors == "mle" and not auto_scale:
        raise PriorError(
            "automatic_priors='mle' scales priors by the likelihood, auto_scale=False makes them flat: choose one."
        )
    if taylor is not None and automatic_priors != "mle":
        raise PriorError("taylor belongs to automatic_priors='mle': give both, or leave taylor out.")
    whole = isinstance(taylor, int | np.integer) and not isinstance(taylor, bool)
    if taylor is not None and not (whole and 1 <= taylor <= HIGHEST_ORDER):
        error = error_about(taylor, Real, PriorError, PriorTypeError)
        raise error(f"taylor is an integer from 1 to {HIGHEST_ORDER}, not {taylor!r}.")
    return automatic_priors, None if taylor is None else int(taylor)


def _check_common_prior(name: str, prior: Prior, single: bool) -> None:
    if shrinkage_kind(prior) is not None:
        check_shrinkage(name, prior)
        return
    if prior.hierarchical and single:
        raise PriorError(
            f"Trying to set hyperprior on '{name}'. Can't set a hyperprior on a single coefficient; give the whole "
            "term one."
        )
    if prior.noncentered and (not prior.hierarchical or prior.has_bounds):
        bounds = ", without bounds" if prior.has_bounds else ""
        raise PriorError(f"'{name}': noncentered=True is for terms with a hyperprior on their scale{bounds}.")
    if not prior.has_bounds:
        _check_hyperpriors(name, prior)


def _check_group_prior(name: str, prior: Prior) -> None:
    kind = shrinkage_kind(prior)
    if kind is not None:
        raise PriorError(
            f"'{name}': {kind.words} is a prior of common terms. Effects of groups have a Normal with a prior on sigma."
        )
    if prior.has_bounds:
        raise PriorError(
            f"'{name}': effects of groups go to both sides of their mean, so their prior has no bounds: leave out "
            "lower and upper, or put them on the prior of its sigma."
        )
    _check_hyperpriors(name, prior)


def _check_hyperpriors(name: str, prior: Prior) -> None:
    density = prior.density
    if prior.hierarchical and not density.location_scale:
        raise PriorError(
            f"'{name}': a prior with hyperpriors must have a location and a scale, such as Normal or StudentT, "
            f"which {density.name} has not. Give {density.name} fixed arguments, or use another distribution."
        )
    if prior.noncentered and not prior.random_scale:
        raise PriorError(
            f"'{name}': noncentered=True needs a prior with a hyperprior on its scale, not {prior}. Leave noncentered "
            "out: effects of a fixed scale have nothing to be decoupled from."
        )


def _refuse_unfit(name: str, prior: Prior) -> None:
    if prior.density.support == "correlation":
        raise PriorError(f"'{name}': {prior.name} is a prior for correlation matrices, not for coefficients.")
    if prior.density.support == "simplex":
        raise PriorError(
            f"'{name}': {prior.name} is a prior of shares that sum to one, such as the simplex of mo(x): "
            "priors={'mo(x)': {'simplex': Prior('Dirichlet', a=2)}}."
        )
    if prior.density.support == "count":
        raise PriorError(
            f"'{name}': {prior.name} is a distribution of counts; coefficients and scales need a continuous prior, "
            "such as Normal or Gamma."
        )


def _refuse_inner_noncentered(name: str, prior: Prior) -> None:
    for key, value in prior.args.items():
        if isinstance(value, Prior):
            if value.noncentered is not None:
                raise PriorError(
                    f"'{name}': noncentered belongs to the prior of the effects, not to that of its argument '{key}'."
                )
            _refuse_inner_noncentered(name, value)


def check_lengths(name: str, prior: Prior, size: int, part: str = "column") -> None:
    """The arguments of a prior, and of its hyperpriors, are single numbers, or have one for each of `size` parts.

    Raises
    ------
    PriorError
    """
    for key, value in prior.args.items():
        if isinstance(value, Prior):
            check_lengths(name, value, size, part)
        elif isinstance(value, np.ndarray) and value.shape != (size,):
            numbers = "one number" if size == 1 else f"one number for all, or an array of {size}"
            raise PriorError(
                f"'{name}' has {size} {part}{'s' * (size != 1)}, but {key} of {prior} has the shape {value.shape}; "
                f"give {numbers}."
            )


def refuse_fixed(fixed: Collection[str], level: Any, predictors: Collection[str], priors: Mapping[Any, Any]) -> None:
    """Refuse formulas and priors of parameters that the level of a quantile, or known standard errors, have settled.

    Raises
    ------
    PriorError
    """
    for name in fixed:
        if name in predictors or name in priors:
            what = "formula" if name in predictors else "prior"
            if level is None:
                raise PriorError(
                    f"se(y, s) says that the standard errors s are all there is beside the effects, and '{name}' has a "
                    f"{what} here: leave the {what} out, or write se(y, s, sigma=True), where {name} adds to them."
                )
            raise PriorError(
                f"quantile={level} settles '{name}', which has a {what} here: leave the {what} out, or quantile=."
            )
