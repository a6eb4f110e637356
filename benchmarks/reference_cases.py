"""The models of the reference posteriors in our own grammar: formula, data, priors as their sources state them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nutslite import Formula, Model, Prior


@dataclass(frozen=True)
class Case:
    """One model with a known posterior.

    Attributes
    ----------
    name : str
        As in ``cases.json``.
    csv : str
        File in the folder of data sets.
    formula : str or Formula
    priors : mapping
    family : str
    options : mapping
        Further arguments of `Model`.
    group_term : str
        The term that a reference means by ``g[level]``, where it names only the factor.
    trials : str
        Column that turns a predicted probability into an expected count; empty for families that predict the mean.
    integers : tuple of str
        Columns of whole numbers that the file writes with decimals, which would become part of the levels' names.
    """

    name: str
    csv: str
    formula: str | Formula
    priors: Mapping[Any, Any]
    family: str = "gaussian"
    options: Mapping[str, Any] = field(default_factory=lambda: {"center_predictors": False})
    group_term: str = ""
    trials: str = ""
    integers: tuple[str, ...] = ()

    def data(self, folder: Path) -> pd.DataFrame:
        """The case's data."""
        data = pd.read_csv(folder / self.csv)
        return data.astype(dict.fromkeys(self.integers, "int64"))

    def model(self, folder: Path) -> Model:
        """The model, not yet fitted."""
        return Model(
            self.formula, self.data(folder), self.family, priors=self.priors, unused_priors="error", **self.options
        )


def _normal(mu: float, sigma: float) -> Prior:
    return Prior("Normal", mu=mu, sigma=sigma)


def _group(scale: Prior) -> Prior:
    return Prior("Normal", mu=0, sigma=scale)


FLAT, HALF_FLAT = Prior("Flat"), Prior("HalfFlat")
_RAW: dict[str, Any] = {"center_predictors": False}  # the prior of the intercept is about the intercept as reported


def _flat_regression(name: str, csv: str, formula: str, sigma: Prior = HALF_FLAT) -> Case:
    """Flat priors on all coefficients: the posterior of the coefficients is known in closed form given sigma."""
    return Case(name, csv, formula, {("Intercept", "common"): FLAT, "sigma": sigma})


_KIDIQ = [
    _flat_regression(f"kidiq-kidscore_{name}", "pdb_kidiq.csv", f"kid_score ~ {terms}", Prior("HalfCauchy", beta=2.5))
    for name, terms in (
        ("interaction", "mom_hs + mom_iq + mom_hs:mom_iq"),
        ("momhs", "mom_hs"),
        ("momhsiq", "mom_hs + mom_iq"),
        ("momiq", "mom_iq"),
    )
]

# The file has the centred and scaled columns (c_, c2_, z_) that these cases' notes define.
_KIDIQ_WORK = [
    _flat_regression(f"kidiq_with_mom_work-kidscore_{name}", "pdb_kidiq_with_mom_work.csv", f"kid_score ~ {terms}")
    for name, terms in (
        ("interaction_c", "c_mom_hs + c_mom_iq + c_mom_hs:c_mom_iq"),
        ("interaction_c2", "c2_mom_hs + c2_mom_iq + c2_mom_hs:c2_mom_iq"),
        ("interaction_z", "z_mom_hs + z_mom_iq + z_mom_hs:z_mom_iq"),
        ("mom_work", "C(mom_work)"),
    )
]

_EARNINGS = [
    _flat_regression(f"earnings-{name}", "pdb_earnings.csv", formula)
    for name, formula in (
        ("earn_height", "earn ~ height"),
        ("log10earn_height", "log10_earn ~ height"),
        ("logearn_height", "log_earn ~ height"),
        ("logearn_height_male", "log_earn ~ height + male"),
        ("logearn_interaction", "log_earn ~ height + male + height:male"),
        ("logearn_interaction_z", "log_earn ~ z_height + male + z_height:male"),
        ("logearn_logheight_male", "log_earn ~ log_height + male"),
    )
]

_KILPISJARVI = Case(
    "kilpisjarvi_mod-kilpisjarvi",
    "pdb_kilpisjarvi.csv",
    "y ~ x",
    {"Intercept": _normal(9.31290322580645, 100), "x": _normal(0, 0.0333333333333333), "sigma": HALF_FLAT},
)

# The standard error of every school is known: an offset is all there is to the formula of sigma.
_EIGHT_SCHOOLS = Case(
    "eight_schools-eight_schools_noncentered",
    "pdb_eight_schools.csv",
    Formula("y ~ 1 + (1|school)", "sigma ~ 0 + offset(log(sigma))"),
    {"Intercept": _normal(0, 5), "1|school": _group(Prior("HalfCauchy", beta=5))},
    group_term="1|school",
)

_ADMIT = Case(
    "admit_bambi_priors",
    "binary.csv",
    "admit ~ gre + gpa + rank",
    {"Intercept": _normal(0, 26.626), "gre": _normal(0, 0.0217), "gpa": _normal(0, 6.5774), "rank": _normal(0, 2.6503)},
    family="bernoulli",
    options={"center_predictors": True},
)

_CBPP = Case(
    "cbpp",
    "cbpp.csv",
    "p(incidence, size) ~ period + (1|herd)",
    {
        "Intercept": _normal(0, 2.5),
        "period": _normal(0, 2.5),
        "1|herd": _group(Prior("HalfStudentT", nu=3, sigma=2.5)),
    },
    family="binomial",
    options={**_RAW, "categorical": ["period", "herd"]},
    group_term="1|herd",
    trials="size",
)

_MTCARS_PRIORS = {"Intercept": _normal(20, 20), "common": _normal(0, 10), "sigma": Prior("Exponential", lam=0.2)}
_MTCARS = [
    Case("mtcars_gaussian", "mtcars.csv", "mpg ~ wt + hp", _MTCARS_PRIORS),
    Case("rstanarm_mtcars", "mtcars.csv", "mpg ~ wt + hp", _MTCARS_PRIORS, options={"center_predictors": True}),
]

_RRR = Case(
    "rrr_uid_bambi_priors",
    "rrr_long.csv",
    "value ~ condition + age + gender + (1|uid)",
    {
        "Intercept": _normal(4.5457, 28.4114),
        "condition": _normal(0, 12.0966),
        "age": _normal(0, 1.3011),
        "gender": _normal(0, 13.1286),
        "1|uid": _group(Prior("HalfNormal", sigma=28.4114)),
        "sigma": Prior("HalfStudentT", nu=4, sigma=2.4186),
    },
    options={"center_predictors": True, "dropna": True},
    group_term="1|uid",
    integers=("uid",),
)

_SLEEP_PRIORS = {
    "Intercept": _normal(250, 50),
    "Days": _normal(0, 20),
    "1|Subject": _group(Prior("HalfNormal", sigma=50)),
    "Days|Subject": _group(Prior("HalfNormal", sigma=20)),
    "sigma": Prior("HalfNormal", sigma=50),
}
_SLEEPSTUDY = [
    Case(
        name,
        "sleepstudy.csv",
        "Reaction ~ Days + (Days|Subject)",
        _SLEEP_PRIORS,
        options={**_RAW, "categorical": "Subject", "priors_cor": correlations},
        group_term="1|Subject",
    )
    for name, correlations in (("sleepstudy", {"Subject": 2.0}), ("sleepstudy_nocor", None))
]


def _radon(name: str, terms: str, group: str) -> Case:
    priors = {"Intercept": _normal(0, 10), group: _group(Prior("HalfNormal", sigma=1))}
    if terms != "1":
        priors["common"] = _normal(0, 10)
    return Case(
        f"radon_mn-radon_{name}",
        "pdb_radon_mn.csv",
        f"log_radon ~ {terms} + ({group.replace('floor', '0 + floor')})",
        {**priors, "sigma": Prior("HalfNormal", sigma=1)},
        options={**_RAW, "categorical": "county"},
        group_term=group,
    )


_RADON = [
    _radon("partially_pooled", "1", "1|county"),
    _radon("variable_intercept", "floor_measure", "1|county"),
    _radon("hierarchical_intercept", "log_uppm + floor_measure", "1|county"),
    _radon("variable_slope", "floor_measure", "floor_measure|county"),
]

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        *_KIDIQ, *_KIDIQ_WORK, *_EARNINGS, _KILPISJARVI, _EIGHT_SCHOOLS, _ADMIT, _CBPP, *_MTCARS, _RRR, *_SLEEPSTUDY,
        *_RADON,
    )
}  # fmt: skip
