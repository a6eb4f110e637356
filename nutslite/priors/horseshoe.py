"""The regularised horseshoe: one prior of many coefficients, most of which are about zero.

    b_k ~ Normal(0, u_k c t_k / sqrt(c^2 + t_k^2)),     t_k = global * local_k,
    global ~ HalfStudentT(df_global, scale_global),     local_k ~ HalfStudentT(df, 1),
    c^2 ~ InverseGamma(df_slab / 2, df_slab scale_slab^2 / 2).

All terms of a linear predictor that have it share `global` and c, the slab. The units u_k are what a coefficient of one
would be if response and column were standardised.

Source: Piironen and Vehtari (2017), Electronic Journal of Statistics 11, 5018-5051. Defaults are those of brms.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.priors.prior import Prior, resolve

FloatArray = NDArray[np.float64]

NAME = "Horseshoe"
UNIT = "unit"


@dataclass(frozen=True)
class Horseshoe:
    """The horseshoe of one linear predictor.

    Attributes
    ----------
    terms : tuple of CommonTerm
        That share it, in the order of the formula.
    units : ndarray, shape (columns,)
    priors : dict of str to Prior
        Of ``"global"``, ``"local"`` (each of the columns has one) and ``"slab_variance"``, by these names.
    """

    terms: tuple[CommonTerm, ...]
    units: FloatArray
    priors: dict[str, Prior]

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each coefficient: ``"x"``, ``"g[b]"``."""
        return tuple(
            term.name if term.scalar else f"{term.name}[{label}]" for term in self.terms for label in term.labels
        )

    @property
    def columns(self) -> NDArray[np.int64]:
        """Rows of the predictor's matrix."""
        spans = [np.arange(term.start, term.stop) for term in self.terms]
        return np.concatenate([np.empty(0, dtype=np.int64), *spans])


def is_horseshoe(prior: Any) -> bool:
    """Whether a term's prior is a horseshoe."""
    return isinstance(prior, Prior) and prior.density.name == NAME


def horseshoe_of(predictor: LinearPredictor, priors: Mapping[str, Any]) -> Horseshoe | None:
    """The horseshoe of a linear predictor, from the complete priors of its terms; None where it has none."""
    terms = tuple(term for term in predictor.terms if is_horseshoe(priors[term.name]))
    if not terms:
        return None
    first = _arguments(priors[terms[0].name])
    units = [np.broadcast_to(priors[term.name].args[UNIT], term.stop - term.start) for term in terms]
    hyperpriors = {
        "global": Prior("HalfStudentT", nu=first["df_global"], sigma=first["scale_global"]),
        "local": Prior("HalfStudentT", nu=first["df"], sigma=1.0),
        "slab_variance": Prior(
            "InverseGamma", alpha=0.5 * first["df_slab"], beta=0.5 * first["df_slab"] * first["scale_slab"] ** 2
        ),
    }
    return Horseshoe(terms, np.concatenate(units).astype(float), hyperpriors)


def complete_horseshoe(
    priors: Mapping[str, Any], predictor: LinearPredictor, response_sd: float | None
) -> dict[str, Any]:
    """The priors of a linear predictor's terms, with the units of its horseshoe where the user gave none.

    Parameters
    ----------
    priors : mapping
        By term.
    predictor : LinearPredictor
    response_sd : float or None
        What a standardised response would be multiplied by; None: units are 1 where they are not given.

    Raises
    ------
    PriorError
        Where terms that share a horseshoe disagree about its arguments, or a column does not vary.
    """
    found = dict(priors)
    shared: tuple[str, Prior] | None = None
    for term in predictor.terms:
        prior = priors[term.name]
        if not is_horseshoe(prior):
            continue
        shared = (term.name, prior) if shared is None else shared
        if _arguments(prior) != _arguments(shared[1]):
            raise PriorError(
                f"Terms of one formula share one horseshoe, and '{shared[0]}' and '{term.name}' have different ones: "
                f"{shared[1]} and {prior}. Give both the same arguments, or one of them another prior."
            )
        if UNIT not in prior.args:
            prior = copy.deepcopy(prior)
            prior.update(unit=_units(term, predictor.matrix[term.start : term.stop], response_sd))
            found[term.name] = prior
    return found


def _units(term: CommonTerm, columns: FloatArray, response_sd: float | None) -> float | FloatArray:
    if response_sd is None:
        return 1.0
    sds = np.std(columns, axis=1)
    if not np.all(sds > 1e-12 * np.max(np.abs(columns), axis=1, initial=0.0)):
        raise PriorError(
            f"A column of the term '{term.name}' does not vary, so a horseshoe has no unit for its coefficient. Remove "
            f"the term, or give it another prior."
        )
    units: FloatArray = response_sd / sds
    return float(units[0]) if units.size == 1 else units


def _arguments(prior: Prior) -> dict[str, Any]:
    """All but the units, by their names."""
    return {
        name: value
        for name, value in zip(prior.density.argument_names, resolve(prior).arguments, strict=True)
        if name != UNIT
    }


def check_horseshoe(name: str, prior: Prior) -> None:
    """Raise where a horseshoe cannot be the prior of a common term.

    Raises
    ------
    PriorError
    """
    if name == "Intercept":
        raise PriorError("The intercept cannot have a Horseshoe: it is a prior of many coefficients. Give it a Normal.")
    for key, value in prior.args.items():
        if key != UNIT and np.size(value) > 1:
            raise PriorError(f"'{name}': {key} of a Horseshoe is one number for all coefficients, not {value}.")
