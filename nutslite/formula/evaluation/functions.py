"""The names that a formula knows: functions, contrasts, and the names that it knows it does not support.

Nothing outside these tables, the data's columns and the user's ``extra_namespace`` can be reached from a formula.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
from patsy import Diff, Helmert, Poly, Sum, Treatment

from nutslite.formula.evaluation.transforms import BSpline, Center, Cyclic, Natural, Polynomial, Standardize, Tensor
from nutslite.formula.forms.register import FORMS
from nutslite.formula.language.groupings import GROUPINGS

# Functions that are called by their bare name, each with the number of its arguments.
ELEMENTWISE: dict[str, tuple[Callable[..., Any], int]] = {
    "log": (np.log, 1),
    "log2": (np.log2, 1),
    "log10": (np.log10, 1),
    "log1p": (np.log1p, 1),
    "exp": (np.exp, 1),
    "exp2": (np.exp2, 1),
    "abs": (np.abs, 1),
    "sqrt": (np.sqrt, 1),
}

_UNARY = """
    abs absolute fabs sign negative positive square sqrt cbrt reciprocal
    exp exp2 expm1 log log2 log10 log1p
    sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh deg2rad rad2deg degrees radians
    floor ceil trunc rint isfinite isinf isnan logical_not
"""
_BINARY = """
    add subtract multiply divide true_divide floor_divide mod remainder fmod power float_power
    minimum maximum fmin fmax arctan2 hypot logaddexp logaddexp2 copysign heaviside
    equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
"""
# Row-by-row NumPy functions, called as np.<name>, with the number of arguments that are data. The number is enforced:
# one more positional argument would be `out`, and overwrite the user's data.
NUMPY: dict[str, tuple[Callable[..., Any], int]] = {
    **{name: (getattr(np, name), 1) for name in _UNARY.split()},
    **{name: (getattr(np, name), 2) for name in _BINARY.split()},
    "where": (np.where, 3),
    "clip": (np.clip, 3),
    "round": (np.round, 2),
}
NUMPY_MODULES = ("np", "numpy")
NUMPY_CONSTANTS = {"pi": np.pi, "e": np.e}
# Functions whose value depends on all rows: in new data they would silently mean something else.
NUMPY_SUMMARIES = frozenset(
    [
        "mean",
        "std",
        "var",
        "median",
        "min",
        "max",
        "sum",
        "ptp",
        "average",
        "quantile",
        "percentile",
        "cumsum",
        "diff",
        "sort",
    ]
)

STATEFUL: dict[str, Callable[[], Any]] = {
    "center": Center,
    "scale": Standardize,
    "standardize": Standardize,
    "poly": Polynomial,
    "bs": BSpline,
    "cr": Natural,
    "cc": Cyclic,
    "te": Tensor,
}

CONTRASTS: dict[str, Any] = {"Treatment": Treatment, "Sum": Sum, "Helmert": Helmert, "Poly": Poly, "Diff": Diff}
CATEGORICAL = ("C", "T", "S")
SUCCESS = ("binary", "B")

_INSTEAD = {
    "cs": "families sratio, cratio and acat have such effects, as terms of the main formula: y ~ x + cs(z)",
    "factor": "write C(x), or list the column in categorical=[...]",
    "cbind": "write p(successes, trials) for counts out of trials",
    "trials": "write p(successes, trials) ~ ... for counts out of trials",
    "cens": "write censored(y, status) ~ ..., with a status of 'none', 'left', 'right' or 'interval'",
    "Surv": "write censored(time, status) ~ ..., with a status of 'none' (an event) or 'right' (none until then)",
    "trunc": "write truncated(y, lb=..., ub=...) ~ ..., with one bound or both",
    "resp_trunc": "write truncated(y, lb=..., ub=...) ~ ..., with one bound or both",
    "weights": "write weighted(y, w) ~ ... for likelihood weights",
    "ns": "write cr(x, df=...) for natural cubic splines, bs(x, df=...) for B-splines",
    "rcs": "write cr(x, df=...) for natural cubic splines",
    "ti": "write t2(x, z), whose parts are those of both columns and of each",
    "tp": "write s(x, bs='tp') for a penalised smooth, cr(x, df=...) for a spline with a fixed number of columns",
    "lag": "compute the lagged column before the fit",
    "mean": "write center(x) or scale(x), which remember the data the model was built from",
}
_UNSUPPORTED = """
    cens Surv trunc resp_trunc mi me ar ma arma cosy sar car cs mmc
    dec subset vint vreal mvbind cbind factor trials weights ns rcs ti tp lag mean
"""
# Known from Bambi, brms, mgcv or R, not (yet) here.
UNSUPPORTED: dict[str, str] = {name: _INSTEAD.get(name, "") for name in _UNSUPPORTED.split()}

TERMS = {
    "mo": "x",
    "s": "*x, k=None, bs=None, by=None, lower_bound=None, upper_bound=None",
    "t2": "*x, k=5, bs='cr'",
    "gp": "*x, cov='ExpQuad', iso=True",
    "hsgp": "*x, m=None, L=None, c=None, by=None, cov='ExpQuad', share_cov=True, scale=None, iso=True, "
    "drop_first=False, centered=False, period=None",
}
"""Calls that stand as a whole term, with their signatures; `formula/terms` has a kind for each."""


NO_PART = {
    "mo": "bars, other functions, the response or products with another mo()",
    "s": "interactions, bars, other functions or the response; s(x, by=z) is a curve for each level of z, or times z",
    "hsgp": "interactions, bars, other functions or the response; hsgp(x, by=g) is a process for each level of g",
}
"""What such a call cannot be a part of, where that is less than usual or there is another way to say it."""

LEVELS_OF_BY = ("hsgp",)
"""Those of them whose ``by=`` has levels, be they numbers."""


def taken_for_levels(tree: ast.expr) -> frozenset[str]:
    """Columns in an expression whose values are levels, be they numbers: x of ``C(x)`` and ``mo(x)``."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    named = [(call.func.id, call) for call in calls if isinstance(call.func, ast.Name)]
    taking = [call for name, call in named if name in (*CATEGORICAL, "mo")]
    first = [[*call.args, *(keyword.value for keyword in call.keywords)][0] for call in taking]
    of_groups = [call for name, call in named if name in LEVELS_OF_BY]
    first += [keyword.value for call in of_groups for keyword in call.keywords if keyword.arg == "by"]
    return frozenset(column.id for column in first if isinstance(column, ast.Name))


def function_names() -> frozenset[str]:
    """Every name that has a meaning of its own in front of a parenthesis."""
    known = {*ELEMENTWISE, *STATEFUL, *CONTRASTS, *CATEGORICAL, *SUCCESS, *FORMS, *TERMS, *UNSUPPORTED}
    return frozenset(known | {*GROUPINGS, "I", "Q", "offset"})


def supported_names() -> list[str]:
    """The functions that may be called, for suggestions."""
    return sorted(function_names() - set(UNSUPPORTED))
