"""One prior of many coefficients that pulls most of them to zero: the regularised horseshoe, and R2D2.

The horseshoe has local scales that let a few coefficients out, up to a slab:

    b_k ~ Normal(0, u_k c t_k / sqrt(c^2 + t_k^2)),     t_k = global * local_k,
    global ~ HalfStudentT(df_global, scale_global),     local_k ~ HalfStudentT(df, 1),
    c^2 ~ InverseGamma(df_slab / 2, df_slab scale_slab^2 / 2).

R2D2 is a prior of the share R2 of the variance that the columns explain, which is dealt out among them:

    b_k ~ Normal(0, sigma u_k sqrt(phi_k R2 / (1 - R2))),
    R2 ~ Beta(mean_R2 prec_R2, (1 - mean_R2) prec_R2),  phi ~ Dirichlet(cons_D2),

where sigma is the residual's, and 1 in families and formulas without one.

All terms of a linear predictor that have one of these share its parameters. The units u_k are what a coefficient of
one would be if the column, and for the horseshoe the response, were standardised.

Sources: Piironen and Vehtari (2017), Electronic Journal of Statistics 11, 5018-5051; Zhang, Naughton, Bondell and Reich
(2022), Journal of the American Statistical Association 117, 862-874. Arguments and defaults are those of brms.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import PriorError
from nutslite.formula.records import CommonTerm, LinearPredictor
from nutslite.priors.prior import Prior, resolve

FloatArray = NDArray[np.float64]

UNIT = "unit"
RESIDUAL = "sigma"


@dataclass(frozen=True)
class ShrinkageKind:
    """One such prior.

    Attributes
    ----------
    name : str
        Of the `Prior`.
    prefix : str
        Of the names of its parameters in results.
    words : str
        For messages.
    hyperpriors : callable
        From its arguments, but for the units, to the priors of its parameters by name.
    each : str
        The parameter of which each coefficient has an element.
    of_residual : bool
        Whether scales are multiples of the residual's sigma rather than of the response's standard deviation.
    """

    name: str
    prefix: str
    words: str
    hyperpriors: Callable[[Mapping[str, Any]], dict[str, Prior]]
    each: str
    of_residual: bool

    @property
    def plain_words(self) -> str:
        """The same, where no `Prior` is meant."""
        return self.words.replace("Horseshoe", "horseshoe")


def _of_horseshoe(given: Mapping[str, Any]) -> dict[str, Prior]:
    df = given["df_slab"]
    return {
        "global": Prior("HalfStudentT", nu=given["df_global"], sigma=given["scale_global"]),
        "local": Prior("HalfStudentT", nu=given["df"], sigma=1.0),
        "slab_variance": Prior("InverseGamma", alpha=0.5 * df, beta=0.5 * df * given["scale_slab"] ** 2),
    }


def _of_r2d2(given: Mapping[str, Any]) -> dict[str, Prior]:
    mean, precision = given["mean_R2"], given["prec_R2"]
    return {
        "R2": Prior("Beta", alpha=mean * precision, beta=(1.0 - mean) * precision),
        "phi": Prior("Dirichlet", a=given["cons_D2"]),
    }


HORSESHOE = ShrinkageKind("Horseshoe", "horseshoe", "a Horseshoe", _of_horseshoe, "local", of_residual=False)
R2D2 = ShrinkageKind("R2D2", "R2D2", "an R2D2 prior", _of_r2d2, "phi", of_residual=True)
KINDS = {kind.name: kind for kind in (HORSESHOE, R2D2)}


@dataclass(frozen=True)
class Shrinkage:
    """What some coefficients of one linear predictor share.

    Attributes
    ----------
    kind : ShrinkageKind
    terms : tuple of CommonTerm
        That share it, in the order of the formula.
    units : ndarray, shape (columns,)
    priors : dict of str to Prior
        Of its parameters, by name; of ``kind.each`` each of the columns has one.
    """

    kind: ShrinkageKind
    terms: tuple[CommonTerm, ...]
    units: FloatArray
    priors: dict[str, Prior]

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each coefficient: ``"x"``, ``"g[b]"``."""
        return tuple(
            term.name if term.scalar else f"{term.name}[{label}]" for term in self.terms for label in term.labels
        )


def shrinkage_kind(prior: Any) -> ShrinkageKind | None:
    """Which of these priors it is, or None."""
    return KINDS.get(prior.density.name) if isinstance(prior, Prior) else None


def shrinkages_of(predictor: LinearPredictor, priors: Mapping[str, Any]) -> list[Shrinkage]:
    """Those of a linear predictor, from the complete priors of its terms."""
    found = []
    for kind in KINDS.values():
        terms = tuple(term for term in predictor.terms if shrinkage_kind(priors[term.name]) is kind)
        if not terms:
            continue
        units = [np.broadcast_to(priors[term.name].args[UNIT], term.stop - term.start) for term in terms]
        hyperpriors = kind.hyperpriors(_arguments(priors[terms[0].name]))
        found.append(Shrinkage(kind, terms, np.concatenate(units).astype(float), hyperpriors))
    return found


def complete_shrinkages(
    priors: Mapping[str, Any], predictor: LinearPredictor, sd: float | None, residual_sd: float | None
) -> dict[str, Any]:
    """The priors of a linear predictor's terms, with the units of shrinkage priors where the user gave none.

    Parameters
    ----------
    priors : mapping
        By term.
    predictor : LinearPredictor
    sd, residual_sd : float or None
        What a standardised response would be multiplied by, and what stands for the residual's standard deviation, or 1
        where it is a parameter; None: units are 1 where they are not given.

    Raises
    ------
    PriorError
        Where terms that share a prior disagree about its arguments, or a column does not vary.
    """
    found = dict(priors)
    shared: dict[str, tuple[str, Prior]] = {}
    for term in predictor.terms:
        prior = priors[term.name]
        kind = shrinkage_kind(prior)
        if kind is None:
            continue
        first_name, first = shared.setdefault(kind.name, (term.name, prior))
        if _arguments(prior) != _arguments(first):
            what = kind.plain_words.split(" ", 1)[1]
            raise PriorError(
                f"Terms of one formula share one {what}, and '{first_name}' and '{term.name}' have different ones: "
                f"{first} and {prior}. Give both the same arguments, or one of them another prior."
            )
        if UNIT not in prior.args:
            prior = copy.deepcopy(prior)
            columns = predictor.matrix[term.start : term.stop]
            prior.update(unit=_units(term, columns, residual_sd if kind.of_residual else sd, kind))
            found[term.name] = prior
    return found


def _units(term: CommonTerm, columns: FloatArray, sd: float | None, kind: ShrinkageKind) -> float | FloatArray:
    if sd is None:
        return 1.0
    sds = np.std(columns, axis=1)
    if not np.all(sds > 1e-12 * np.max(np.abs(columns), axis=1, initial=0.0)):
        raise PriorError(
            f"A column of the term '{term.name}' does not vary, so {kind.words} has no unit for its coefficient. "
            f"Remove the term, or give it another prior."
        )
    units: FloatArray = sd / sds
    return float(units[0]) if units.size == 1 else units


def has_residual(family: str, parameters: Collection[str]) -> bool:
    """Whether a family's mean has a residual with one sigma for all rows: `parameters` are those with formulas."""
    return family in ("gaussian", "t") and RESIDUAL not in parameters


def _arguments(prior: Prior) -> dict[str, Any]:
    """All but the units, by their names."""
    return {
        name: value
        for name, value in zip(prior.density.argument_names, resolve(prior).arguments, strict=True)
        if name != UNIT
    }


def check_shrinkage(name: str, prior: Prior) -> None:
    """Raise where a shrinkage prior cannot be the prior of a common term.

    Raises
    ------
    PriorError
    """
    title = prior.density.name
    words = KINDS[title].words
    if name == "Intercept":
        raise PriorError(f"The intercept cannot have {words}: it is a prior of many coefficients. Give it a Normal.")
    for key, value in prior.args.items():
        if key != UNIT and np.size(value) > 1:
            raise PriorError(f"'{name}': {key} of {words} is one number for all coefficients, not {value}.")
    if prior.hierarchical:
        raise PriorError(f"'{name}': the arguments of {words} are numbers; it has hyperpriors of its own.")
    mean = prior.args.get("mean_R2")
    if mean is not None and not 0.0 < mean < 1.0:
        raise PriorError(f"'{name}': mean_R2={mean} is the mean of a share, a number between 0 and 1.")
