"""Priors of what terms of special kinds depend on: ``{"s(x, k=10)": {"linear": ..., "sigma": ...}}``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError, did_you_mean, shown
from nutslite.formula.records import BasisTerm, LinearPredictor
from nutslite.formula.terms.kinds import TermQuantity
from nutslite.priors.checks import check_lengths
from nutslite.priors.prior import Prior, find_density, resolve

FloatArray = NDArray[np.float64]
Hyperprior = Prior | float | FloatArray
"""What a hyperparameter has: a prior, or the number that it is known to be."""


class GroupScale(Protocol):
    """What gives the scale of groups' intercepts an automatic prior."""

    def group_intercepts(self, widening: float, choice: None) -> float:
        """Scale of the half-normal prior."""
        ...


def hyperparameters(predictor: LinearPredictor) -> dict[str, TermQuantity]:
    """By full name (``"s(x, k=10)_sigma"``), what the weights of special terms depend on, in the order of the terms."""
    return {term.full(quantity): quantity for term in predictor.basis_terms for quantity in term.hyperparameters}


def is_shared(hyperprior: Prior) -> bool:
    """Whether a hyperprior of a common term is of one number for all its columns: its arguments are single numbers."""
    return all(
        is_shared(value) if isinstance(value, Prior) else np.size(value) == 1 for value in hyperprior.args.values()
    )


def by_full_names(priors: Mapping[str, Any], predictor: LinearPredictor) -> dict[str, Any]:
    """Priors with those of special terms by the full names of their quantities.

    Parameters
    ----------
    priors : mapping
        By names as the model has them; of a special term a mapping from the names of its quantities.
    predictor : LinearPredictor

    Raises
    ------
    PriorError
        Where a special term has no mapping, or one with names that it does not have.
    """
    terms = {term.name: term for term in predictor.basis_terms}
    found = {name: value for name, value in priors.items() if name not in terms}
    for name, value in priors.items():
        if name not in terms:
            continue
        if not isinstance(value, Mapping) and name in terms[name].coefficients:
            found[name] = value  # of the coefficient that is called as the term is
            continue
        for full, prior in _parts(terms[name], value).items():
            if full in found:
                raise PriorError(f"priors: '{full}' is named twice, once within '{name}'.")
            found[full] = prior
    return found


def _parts(term: BasisTerm, value: Any) -> dict[str, Any]:
    own = {quantity.name: quantity for quantity in term.quantities if quantity.role not in ("weights", "standard")}
    example = ", ".join(f"'{name}': Prior(...)" for name in own)
    if not isinstance(value, Mapping):
        raise PriorError(
            f"'{term.name}' {term.kind.title}, whose priors are given by name, not {shown(value)}: "
            f"priors={{'{term.name}': {{{example}}}}}."
        )
    for key in value:
        if key not in own:
            raise PriorError(
                f"priors: '{term.name}' has no '{key}'.{did_you_mean(str(key), own)} "
                f"There {'is' if len(own) == 1 else 'are'}: {', '.join(own)}."
            )
    return {term.full(own[key]): prior for key, prior in value.items()}


def read_hyperprior(name: str, value: Any, quantity: TermQuantity) -> Hyperprior:
    """A prior on positive numbers (or any, where it is signed), or the number that it is known to be; of a simplex a
    Dirichlet.

    Raises
    ------
    PriorError
    """
    if quantity.role == "standard":
        raise PriorError(
            f"'{name}' are standard normals, and have no other prior: sigma and ell say all of the process."
        )
    if quantity.role == "simplex":
        return _read_dirichlet(name, value, len(quantity.labels))
    if isinstance(value, Prior):
        no_number = value.density.support in ("count", "correlation", "coefficients", "simplex")
        if no_number and quantity.signed:
            raise PriorError(f"'{name}' is a number, and {value} is no prior of one. Use Normal, StudentT or the like.")
        if no_number or (not quantity.signed and np.any(np.asarray(value.bounds()[0]) < 0.0)):
            raise PriorError(
                f"'{name}' is positive, and {value} is no prior of one positive number. Use HalfNormal, Exponential, "
                "Gamma or the like."
            )
        check_lengths(name, value, quantity.size, "element")
        if value.noncentered is not None:
            raise PriorError(f"'{name}': noncentered is for group-specific terms, not for a hyperparameter.")
        return copy.deepcopy(value)
    return _read_numbers(name, value, quantity)


def _read_numbers(name: str, value: Any, quantity: TermQuantity) -> float | FloatArray:
    """What a hyperparameter is known to be: one number for all its elements, or one each."""
    plain = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
    several = isinstance(value, list | tuple | np.ndarray) and np.shape(value) in (quantity.shape, (quantity.size,))
    numbers = np.asarray(value if plain or several else np.nan)
    if numbers.dtype.kind not in "iuf" or not (np.isfinite(numbers) & (quantity.signed | (numbers > 0.0))).all():
        each = f", or {quantity.size} of them" if quantity.size > 1 else ""
        kind, example = ("", "Normal', mu=0") if quantity.signed else ("positive ", "HalfNormal'")
        raise PriorError(
            f"'{name}' has a Prior, or a {kind}number that fixes it{each}, not {shown(value)}: for example "
            f"Prior('{example}, sigma=1)."
        )
    return float(value) if plain else np.asarray(numbers, dtype=float).ravel()


def _read_dirichlet(name: str, value: Any, size: int) -> Prior:
    if not isinstance(value, Prior):
        try:
            value = Prior("Dirichlet", a=value)
        except PriorError as error:
            raise PriorError(f"'{name}': {error}") from None
    if value.density.support != "simplex":
        raise PriorError(f"'{name}' sums to one: give Prior('Dirichlet', a=...), or the numbers a, not {value}.")
    (concentration,) = resolve(value).arguments
    if isinstance(concentration, Prior) or np.size(concentration) not in (1, size) or np.ndim(concentration) > 1:
        raise PriorError(f"'{name}' has {size} shares: a of {value} is one number for all, or {size} numbers.")
    return copy.deepcopy(value)


def default_hyperpriors(
    predictor: LinearPredictor, given: Mapping[str, Hyperprior], scaling: GroupScale | None, *, flat: bool = False
) -> dict[str, Hyperprior]:
    """Priors of all hyperparameters: the given ones, those of their kind, and automatic ones for scales.

    Parameters
    ----------
    predictor : LinearPredictor
    given : mapping
        Of the user's own, by full name.
    scaling : GroupScale or None
        The rule for the parent's; None: a half-normal prior of scale 1.
    flat : bool
        Half-flat in place of automatic ones.
    """
    found: dict[str, Hyperprior] = {}
    for name, quantity in hyperparameters(predictor).items():
        if name in given:
            found[name] = given[name]
        elif quantity.prior is not None:
            found[name] = Prior(find_density(quantity.prior[0]).name, **quantity.prior[1])
        elif flat:
            found[name] = Prior("HalfFlat")
        else:
            sigma = 1.0 if scaling is None else scaling.group_intercepts(0.0, None)
            found[name] = Prior("HalfNormal", sigma=sigma)
    return found
