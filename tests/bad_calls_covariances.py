"""Wrong calls about known covariances of levels."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from bad_calls import BadCall, frame, model

from nutslite.exceptions import DataError, DataTypeError, FormulaError, PriorError
from nutslite.priors.prior import Prior

LEVELS = sorted(frame()["g"].unique())
K = np.eye(len(LEVELS)) + 0.1
NAMED = pd.DataFrame(K, index=LEVELS, columns=LEVELS)
TERM = "y ~ x + (1|gr(g, cov=K))"


def _formula(id: str, words: tuple[str, ...], formula: str, matrix: Any = K, **options: Any) -> BadCall:
    return BadCall(id, partial(model, formula, extra_namespace={"K": matrix}, **options), FormulaError, words)


def _matrix(id: str, words: tuple[str, ...], matrix: Any, raises: type[Exception] = DataError) -> BadCall:
    return BadCall(id, partial(model, TERM, extra_namespace={"K": matrix}), raises, ("'K'", *words))


def _with(matrix: np.ndarray, row: int, column: int, value: float) -> np.ndarray:
    out = matrix.copy()
    out[row, column] = value
    return out


def _model(**options: Any) -> None:
    model(TERM, extra_namespace={"K": K}, **options)


def _with_size() -> pd.DataFrame:
    """`frame()` with z, a number that each group has."""
    data = frame()
    return data.assign(z=pd.factorize(data["g"])[0] * 1.0)


def _sds(
    id: str,
    words: tuple[str, ...],
    sd: str,
    *,
    left: str = "1",
    response: str = "y",
    data: Any = None,
    raises: type[Exception] = DataError,
    **options: Any,
) -> BadCall:
    data = _with_size() if data is None else data
    return BadCall(id, partial(model, f"{response} ~ x + ({left}|gr(g, sd={sd}))", data, **options), raises, words)


CALLS = [
    _formula("gr without cov", ("cov=", "(1|g)"), "y ~ (1|gr(g))"),
    _formula("gr with by and cov", ("takes a factor", "gr(g, cov=K)", "gr(g, by=f)"), "y ~ (1|gr(g, cov=K, by=h))"),
    _formula("gr with a distribution", ("no argument 'dist'", "gr(g, cov=K)"), "y ~ (1|gr(g, dist=K))"),
    _formula("zero_sum that is not True", ("zero_sum= is True",), "y ~ (1|gr(g, zero_sum=False))"),
    _formula("zero sums and correlated", ("sum to zero", "(x||gr("), "y ~ (x|gr(g, zero_sum=True))", correlated=True),
    _formula("mm of one factor", ("two factors", "mm(g1, g2"), "y ~ (1|mm(g))"),
    _formula("mm with by", ("no argument 'by'", "mm("), "y ~ (1|mm(g, s, by=x))"),
    _formula("mm with a weight too few", ("list of 2 columns",), "y ~ (1|mm(g, s, weights=[x]))"),
    _formula("mm with weights as one column", ("list of 2 columns",), "y ~ (1|mm(g, s, weights=x))"),
    _formula("mm with a scale that is a number", ("scale= is True",), "y ~ (1|mm(g, s, scale=2))"),
    _formula("mm as a common term", ("right of a bar",), "y ~ mm(g, s)"),
    _formula("mm and correlated", ("several levels", "(x||mm("), "y ~ (x|mm(g, s))", correlated=True),
    BadCall(
        "by of levels in several", partial(model, "y ~ (1|gr(g, by=s))"), DataError, ("'s'", "one each", "(0 + s|g)")
    ),
    BadCall("by of a column that is not there", partial(model, "y ~ (1|gr(g, by=nobody))"), DataError, ("'nobody'",)),
    BadCall(
        "mm with negative weights", partial(model, "y ~ (1|mm(g, s, weights=[x, x]))"), DataError, ("negative", "mm()")
    ),
    BadCall(
        "mm with weights of zero",
        partial(model, "y ~ (1|mm(g, s, weights=[0 * x**2, 0 * x**2]))"),
        DataError,
        ("all 0 in row 0", "scale=False"),
    ),
    BadCall(
        "several levels and effects that are not normal",
        partial(model, "y ~ (1|mm(g, s))", priors={"1|mm(g, s)": Prior("StudentT", nu=3, mu=0, sigma=1)}),
        PriorError,
        ("several levels", "Normal around 0"),
    ),
    _sds("sd of a column that varies", ("'x' is", "rows of the level", "the same in all its rows"), "x"),
    _sds("sd of a category that varies", ("'s' is", "rows of the level"), "z + s"),
    _sds("sd of a column that is not there", ("'nobody'",), "nobody"),
    _sds("sd of the same for all", ("the same for all levels of 'g'", "leave it out"), "I(0 * z + 1)"),
    _sds("sd of a column with a gap", ("missing",), "z", data=_with_size().assign(z=np.nan)),
    _sds("sd of a number", ("A number explains no standard deviations", "sd=z"), "z + 1", raises=FormulaError),
    _sds("sd with by", ("takes a factor", "gr(g, sd=z)"), "z, by=z", raises=FormulaError),
    _sds("sd with cov", ("takes a factor", "gr(g, sd=z)"), "z, cov=K", raises=FormulaError),
    _sds("sd with zero_sum", ("takes a factor", "gr(g, sd=z)"), "z, zero_sum=True", raises=FormulaError),
    _sds("sd with an id", ("with the id 'id'", "Leave out the id"), "z", left="1|id", raises=FormulaError),
    _sds(
        "sd in several linear predictors",
        ("cannot serve family 'categorical'",),
        "z",
        response="s",
        family="categorical",
        raises=FormulaError,
    ),
    _sds(
        "sd of effects around a mean",
        ("'1|gr(g, sd=z)'", "around 0"),
        "z",
        priors={"1|gr(g, sd=z)": Prior("Normal", mu=1, sigma=1)},
        raises=PriorError,
    ),
    _sds(
        "sd of effects without a scale",
        ("'1|gr(g, sd=z)'", "around 0"),
        "z",
        priors={"1|gr(g, sd=z)": Prior("Uniform", lower=-1, upper=1)},
        raises=PriorError,
    ),
    _sds(
        "a coefficient of sd with a prior of something else",
        ("'gr(g, sd=z)_sd_z'", "no prior"),
        "z",
        priors={"gr(g, sd=z)": {"sd_z": Prior("Dirichlet", a=1)}},
        raises=PriorError,
    ),
    _sds(
        "a coefficient of sd that is a text",
        ("'gr(g, sd=z)_sd_z'", "a number that fixes it"),
        "z",
        priors={"gr(g, sd=z)_sd_z": "wide"},
        raises=PriorError,
    ),
    _sds(
        "a prior of sd for what is not in it",
        ("'gr(g, sd=z)' has no 'z'", "sd_z"),
        "z",
        priors={"gr(g, sd=z)": {"z": Prior("Normal", mu=0, sigma=1)}},
        raises=PriorError,
    ),
    _formula("gr of two factors", ("takes a factor",), "y ~ (1|gr(g, h, cov=K))"),
    _formula("gr in an interaction", ("right of a bar",), "y ~ (1|gr(g, cov=K):h)"),
    _formula("gr as a common term", ("right of a bar", "(1|gr(g, ...))"), "y ~ gr(g, cov=K)"),
    _formula("gr left of a bar", ("right of a bar",), "y ~ (gr(g, cov=K)|h)"),
    _formula("cov as a text", ("a name", "extra_namespace"), "y ~ (1|gr(g, cov='K'))"),
    _formula("cov as an expression", ("a name", "extra_namespace"), "y ~ (1|gr(g, cov=K + 1))"),
    BadCall(
        "cov as a number",
        partial(model, "y ~ (1|gr(g, cov=0.5))"),
        DataTypeError,
        ("'0.5' is a covariance matrix", "not 0.5"),
    ),
    _formula("cov of a matrix that is not there", ("cov=L", "'L': L"), "y ~ (1|gr(g, cov=L))"),
    _formula("known covariance and correlated", ("correlated", "(x||gr("), "y ~ (x|gr(g, cov=K))", correlated=True),
    _formula("known covariance and an id", ("correlated", "no id"), "y ~ (x|id|gr(g, cov=K))"),
    _matrix("matrix that is a text", ("covariance matrix",), "K", DataTypeError),
    _matrix("matrix that is a list", ("NumPy array",), K.tolist(), DataTypeError),
    _matrix("matrix of texts", ("real numbers",), np.full(K.shape, "a")),
    _matrix("complex matrix", ("real numbers",), K.astype(complex)),
    _matrix("matrix with a gap", ("finite",), _with(K, 0, 0, np.nan)),
    _matrix("matrix that is not square", ("square",), K[1:]),
    _matrix("vector for a matrix", ("square",), K[0]),
    _matrix("matrix of another size", ("levels", "in this order"), K[1:, 1:]),
    _matrix("matrix that is not symmetric", ("not symmetric", "row 0, column 1"), _with(K, 0, 1, 0.9)),
    _matrix("matrix with a negative variance", ("diagonal",), -K),
    _matrix("semidefinite matrix", ("not positive definite", "diagonal"), np.ones(K.shape)),
    _matrix("indefinite matrix", ("not positive definite",), np.eye(len(K)) * 3.0 - 2.0),
    _matrix("data frame that lacks a level", ("does not know", f"'{LEVELS[0]}'"), NAMED.iloc[1:, 1:]),
    _matrix("data frame whose columns are others", ("same levels",), NAMED.rename(columns={LEVELS[0]: "other"})),
    _matrix("data frame with a level twice", ("twice",), NAMED.iloc[[0, 0, *range(1, len(K))], :].T.iloc[[0, 0], :]),
    BadCall(
        "known covariance of effects that are not normal",
        partial(_model, priors={"1|gr(g, cov=K)": Prior("StudentT", nu=3, mu=0, sigma=1)}),
        PriorError,
        ("'1|gr(g, cov=K)'", "Normal around 0"),
    ),
    BadCall(
        "known covariance of effects around a mean",
        partial(_model, priors={"1|gr(g, cov=K)": Prior("Normal", mu=1, sigma=1)}),
        PriorError,
        ("'1|gr(g, cov=K)'", "Normal around 0"),
    ),
]
