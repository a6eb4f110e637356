"""From the arguments that a user gave to the canonical ones of a density, or an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nutslite.exceptions import PriorError, PriorTypeError, did_you_mean, shown
from nutslite.priors.densities.catalogue import Argument, Density
from nutslite.priors.parameterizations import PARAMETERIZATIONS, Parameterization


def read_argument(name: str, key: str, value: Any, prior_type: type) -> Any:
    """The argument as it is kept: priors and numbers as they are, everything else as an array.

    Raises
    ------
    PriorError
        If it is neither a prior nor numbers, or holds nan.
    """
    if isinstance(value, prior_type):
        return value
    try:
        array = np.array(value)
    except ValueError:  # ragged lists
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iuf":
        raise PriorTypeError(f"{name}({key}={shown(value)}): {key} must be a number, an array of numbers or a Prior.")
    if array.size == 0:
        raise PriorError(f"{name}({key}={value!r}): {key} is empty.")
    if np.any(np.isnan(array)):
        raise PriorError(f"{name}({key}={value!r}): {key} is nan.")
    return array.item() if array.ndim == 0 else array


def same_argument(left: Any, right: Any) -> bool:
    """Equality of two arguments, arrays included."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.shape(left) == np.shape(right) and bool(np.all(np.asarray(left) == np.asarray(right)))
    return bool(left == right)


def canonical_arguments(density: Density, given: Mapping[str, Any], prior_type: type) -> tuple[Any, ...]:
    """Values for all of the density's arguments, in order: floats, arrays of float64, or priors.

    Parameters
    ----------
    density : Density
    given : mapping of str to float, ndarray or Prior
        Names may be aliases or belong to another parameterization.
    prior_type : type
        The `Prior` class.

    Raises
    ------
    PriorError
        For unknown, missing, contradictory or impossible arguments.
    """
    named = _resolve_aliases(density, given)
    named = {key: _as_float(value, prior_type) for key, value in named.items()}
    for key, value in named.items():
        if not isinstance(value, prior_type):
            _check_range(density, key, value)
    named = _reparameterize(density, named, prior_type)
    values = []
    for argument in density.arguments:
        value = named.get(argument.name, argument.default)
        if value is None:
            raise PriorError(f"{density.name} needs the argument '{argument.name}'. {_signature(density)}")
        if isinstance(value, prior_type) and argument.bound:
            raise PriorError(
                f"{density.name}({argument.name}={value}): {argument.name} is an end of the support and cannot have "
                "a prior of its own; give a number."
            )
        values.append(value)
    _check_order(density, values)
    return tuple(values)


def check_names(density: Density, given: Mapping[str, Any]) -> None:
    """Raise for an argument that the density does not have, or one given under two names.

    Raises
    ------
    PriorError
    """
    _resolve_aliases(density, given)


def _resolve_aliases(density: Density, given: Mapping[str, Any]) -> dict[str, Any]:
    known = {argument.name: argument.name for argument in density.arguments}
    known |= {alias: argument.name for argument in density.arguments for alias in argument.aliases}
    for other in PARAMETERIZATIONS.get(density.name, ()):
        known |= {name: name for name in other.arguments}
        if "sigma" in other.arguments:
            known.setdefault("sd", "sigma")
    named: dict[str, Any] = {}
    written: dict[str, str] = {}
    for key, value in given.items():
        if key not in known:
            raise PriorError(f"{density.name} has no argument '{key}'.{did_you_mean(key, known)} {_signature(density)}")
        name = known[key]
        if name in written:
            raise PriorError(f"{density.name}: '{written[name]}' and '{key}' are the same argument; give one of them.")
        named[name] = value
        written[name] = key
    return named


def _as_float(value: Any, prior_type: type) -> Any:
    if isinstance(value, prior_type):
        return value
    return np.ascontiguousarray(value, dtype=np.float64) if isinstance(value, np.ndarray) else float(value)


def _check_range(density: Density, key: str, value: Any) -> None:
    argument = next((item for item in density.arguments if item.name == key), None)
    if _must_be_positive(density, key, argument) and not np.all(np.asarray(value) > 0.0):
        raise PriorError(f"{density.name}({key}={value}): {key} must be positive.")
    may_be_infinite = key in ("lower", "upper") and (density.name == "TruncatedNormal" or density.whole is not None)
    if not may_be_infinite and not np.all(np.isfinite(value)):
        raise PriorError(f"{density.name}({key}={value}): {key} must be finite.")


def _must_be_positive(density: Density, key: str, argument: Argument | None) -> bool:
    if argument is not None:
        return argument.positive
    return all(key not in other.real for other in PARAMETERIZATIONS[density.name])


def _reparameterize(density: Density, named: dict[str, Any], prior_type: type) -> dict[str, Any]:
    """Canonical names only; unchanged where all names are canonical already."""
    extra = named.keys() - set(density.argument_names)
    if not extra:
        return named
    for other in PARAMETERIZATIONS[density.name]:
        replaced = set(other.replaces) - set(other.arguments)
        if extra <= set(other.arguments) <= named.keys() and not replaced & named.keys():
            return _convert(density, other, named, prior_type)
    raise PriorError(f"{density.name}({', '.join(named)}): these arguments do not go together. {_signature(density)}")


def _convert(density: Density, other: Parameterization, named: dict[str, Any], prior_type: type) -> dict[str, Any]:
    for key in other.arguments:
        if isinstance(named[key], prior_type):
            raise PriorError(
                f"{density.name}({key}={named[key]}): an argument that is converted cannot have a prior of its own; "
                f"put the prior on {' or '.join(other.replaces)}."
            )
    kept = {key: value for key, value in named.items() if key in density.argument_names and key not in other.replaces}
    return kept | other.convert(named)


def _check_order(density: Density, values: list[Any]) -> None:
    """Ends of an interval must come in order, and a peak between them."""
    named = dict(zip(density.argument_names, values, strict=True))
    if isinstance(density.lower, str) and isinstance(density.upper, str):
        lower, upper = named[density.lower], named[density.upper]
        if not np.all(np.asarray(lower) < np.asarray(upper)):
            raise PriorError(f"{density.name}(lower={lower}, upper={upper}): lower must be below upper.")
        peak = named.get("c", lower)
        if not (np.all(np.asarray(lower) <= peak) and np.all(np.asarray(peak) <= upper)):
            raise PriorError(f"{density.name}(c={peak}): c must lie between lower={lower} and upper={upper}.")


def _signature(density: Density) -> str:
    """How the density is written, for error messages."""
    arguments = [
        argument.name if argument.default is None else f"{argument.name}={argument.default:g}"
        for argument in density.arguments
    ]
    others = [
        f"{' and '.join(other.arguments)} instead of {' and '.join(other.replaces)}"
        for other in PARAMETERIZATIONS.get(density.name, ())
    ]
    return f"It is {density.name}({', '.join(arguments)}){''.join('; ' + other for other in others)}."
