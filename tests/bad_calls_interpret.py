"""Questions to a fit about what it does not have."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from bad_calls import BadCall, fitted, frame, model

from nutslite import interpret
from nutslite.exceptions import ArgumentError, ArgumentTypeError, DataError, NutsliteError


def _ask(function: str, *arguments: Any, **options: Any) -> Any:
    return getattr(interpret, function)(*fitted(), *arguments, **options)


_predictions, _comparisons, _slopes = (partial(_ask, name) for name in ("predictions", "comparisons", "slopes"))


def _tested(hypothesis: Any, **options: Any) -> Any:
    return _predictions({"x": [0.0, 1.0]}).hypothesis(hypothesis, **options)


def _grid(**values: Any) -> Any:
    return interpret.datagrid(fitted()[0], **values)


WRONG: list[tuple[Any, type[Exception], tuple[str, ...]]] = [
    (partial(_predictions, "xx"), DataError, ("conditional", "no column 'xx'", "Did you mean 'x'")),
    (partial(_predictions, 3), ArgumentTypeError, ("conditional is the name of a covariate", "not 3")),
    (partial(_predictions, ["x", "x"]), ArgumentError, ("names a covariate twice",)),
    (partial(_predictions, {"x": []}), DataError, ("no values of 'x'",)),
    (partial(_predictions, {"x": ["a"]}), DataError, ("'x' holds numbers", "'a'")),
    (partial(_predictions, {"x": [np.nan]}), DataError, ("'x' holds numbers", "nan")),
    (partial(_predictions, {"x": "sixnum"}), ArgumentError, ("'x'", "minmax", "'sixnum'")),
    (partial(_predictions, {"x": [0.0], "s": ["s9"]}), DataError, ("'s9'", "sample_new_groups=True")),
    (
        partial(_predictions, {"x": range(3000), "s": None}, newdata=frame()),
        ArgumentError,
        ("conditional=", "newdata="),
    ),
    (partial(_predictions, {"x": np.zeros(6_000_000)}), ArgumentError, ("6,000,000 rows",)),
    (partial(_predictions, newdata=frame().drop(columns="x")), DataError, ("lack the column 'x'",)),
    (partial(_predictions, newdata="means"), ArgumentError, ("newdata is rows", "'balanced'", "'means'")),
    (partial(_predictions, newdata=frame().iloc[:0]), NutsliteError, ("no rows",)),
    (partial(_predictions, target="sigm"), ArgumentError, ("target='sigm'", "Did you mean 'sigma'")),
    (partial(_predictions, target="sigma_linpred"), DataError, ("'sigma' has no formula",)),
    (partial(_predictions, target="quantile"), ArgumentError, ("quantile=",)),
    (partial(_predictions, quantile=90), ArgumentError, ("quantile is a probability", "not 90")),
    (partial(_predictions, target="mu", quantile=0.5), ArgumentError, ("quantile=0.5", "target='mu'")),
    (partial(_predictions, prob=94), ArgumentError, ("prob is a probability", "not 94")),
    (partial(_predictions, use_hdi="yes"), NutsliteError, ("use_hdi", "'yes'")),
    (partial(_predictions, groups="typcal"), ArgumentError, ("groups", "'typcal'")),
    (partial(_predictions, integrate=0), ArgumentError, ("integrate", "not 0")),
    (partial(_predictions, integrate=9, groups="new"), ArgumentError, ("integrate=", "groups='new'")),
    (partial(_predictions, integrate=9, target="y"), ArgumentError, ("target='y'", "groups='new'")),
    (partial(_predictions, by="gg"), DataError, ("by='gg'", "no such column")),
    (partial(_predictions, by=3), ArgumentError, ("by= is True or names", "3")),
    (partial(_predictions, by="x", average_by="x"), ArgumentError, ("average_by= and by= mean the same",)),
    (partial(_predictions, wts="w"), ArgumentError, ("wts=", "nothing is averaged")),
    (partial(_predictions, by=True, wts="ww"), DataError, ("wts='ww'", "no such column")),
    (partial(_predictions, by=True, wts=[1.0, 2.0]), DataError, ("wts has shape (2,)", "24 rows")),
    (partial(_predictions, by=True, wts=-np.ones(24)), DataError, ("wts holds weights that are negative",)),
    (partial(_predictions, by=True, wts=np.zeros(24)), DataError, ("add up to zero",)),
    (partial(_predictions, transform="exp"), ArgumentTypeError, ("transform is a function", "'exp'")),
    (partial(_predictions, transform=lambda x: x.mean()), ArgumentError, ("transform gives an array of shape ()",)),
    (partial(_predictions, transform=lambda x: np.full(x.shape, "a")), ArgumentError, ("not a number for each draw",)),
    (partial(_predictions, transform=lambda x, y: x), ArgumentTypeError, ("transform is called with one array", "'y'")),
    (
        partial(_predictions, transforms={"y": lambda x: x[:1]}),
        ArgumentError,
        ("transforms of 'y'", "for draws of shape"),
    ),
    (partial(_predictions, {"x": [0, 1]}, transforms={"x": lambda x: x[:1]}), ArgumentError, ("'x'", "of the 2 rows")),
    (partial(_predictions, {"x": [0, 1]}, transforms={"x": lambda x: 3}), ArgumentError, ("'x' gives 3",)),
    (partial(_predictions, transform=lambda x: [][1]), NutsliteError, ("transform", "IndexError")),
    (partial(_predictions, {"x": [0]}, transforms={"x": lambda x: x.none}), NutsliteError, ("function of 'x'", "none")),
    (lambda: interpret.predictions(model("y ~ 1"), fitted()[1], "x"), DataError, ("no column 'x', and no other",)),
    (partial(_comparisons, "x", comparison=lambda a: a), ArgumentTypeError, ("called with 2 arrays",)),
    (partial(_comparisons, "x", comparison=lambda a, b: a[:1]), ArgumentError, ("comparison gives an array of shape",)),
    (partial(_slopes, "x", slope=lambda a: a), ArgumentTypeError, ("slope is called with 3 arrays",)),
    (partial(_tested, "meandev"), ArgumentError, ("'meandev'", "pairwise, reference, sequential")),
    (partial(_predictions, transforms={"q": np.exp}), ArgumentError, ("transforms: 'q' is none of",)),
    (partial(_predictions, transforms=np.exp), ArgumentTypeError, ("transforms is a dict",)),
    (partial(_predictions, draws=10**6), DataError, ("draws", "posterior draws")),
    (partial(_predictions, random_seed="one"), ArgumentError, ("random_seed", "'one'")),
    (partial(_predictions, conditionl="x"), TypeError, ("no argument 'conditionl'", "conditional")),
    (lambda: interpret.predictions(fitted()[0], None), NutsliteError, ("fit",)),
    (lambda: interpret.predictions("y ~ x", fitted()[1]), NutsliteError, ("Model", "'y ~ x'")),
    (lambda: interpret.predictions(model("y ~ x"), fitted()[1], groups="new"), ArgumentError, ("no group-specific",)),
    (partial(_comparisons), ArgumentError, ("comparisons needs contrast=",)),
    (partial(_comparisons, "xx"), DataError, ("contrast", "no column 'xx'")),
    (partial(_comparisons, "x", variables="x"), ArgumentError, ("contrast= and variables= mean the same",)),
    (partial(_comparisons, {"x": [1.0]}), ArgumentError, ("'x' is between two values",)),
    (partial(_comparisons, {"x": "3sd"}), ArgumentError, ("'x'", "2sd", "'3sd'")),
    (partial(_comparisons, {"x": lambda x: x}), ArgumentError, ("'x'", "two columns")),
    (partial(_comparisons, {"s": ["s1", "s99"]}), DataError, ("'s99' is not a level of 's'",)),
    (partial(_comparisons, "x", comparison="quotient"), ArgumentError, ("comparison", "'quotient'")),
    (partial(_comparisons, "x", comparison=3), ArgumentTypeError, ("comparison is a name or a function",)),
    (partial(_comparisons, "x", cross="yes"), NutsliteError, ("cross", "'yes'")),
    (partial(_slopes), ArgumentError, ("slopes needs wrt=",)),
    (partial(_slopes, "s"), DataError, ("'s' is a category", "comparisons")),
    (partial(_slopes, "x", slope="dxdy"), ArgumentError, ("slope", "'dxdy'")),
    (partial(_slopes, "x", eps=0), ArgumentError, ("eps", "not 0")),
    (partial(_slopes, "x", target="y"), ArgumentError, ("target='y'", "comparisons")),
    (partial(_tested, "b0 - b7 = 0"), ArgumentError, ("no 'b7'", "b0 to b1")),
    (partial(_tested, "__import__('os')"), ArgumentError, ("not understood",)),
    (partial(_tested, "+".join(["b0"] * 5000)), ArgumentError, ("nested too deeply",)),
    (partial(_tested, "b0 ="), ArgumentError, ("'' is no arithmetic", "b0, b1")),
    (partial(_tested, np.ones((3, 1))), ArgumentError, ("shape (3, 1)", "2 answers")),
    (partial(_tested, "pairwise", equivalence=(1, 0)), ArgumentError, ("equivalence", "lower number comes first")),
    (partial(_grid, x="sixnum"), ArgumentError, ("'sixnum'",)),
    (partial(_grid, q=1), DataError, ("datagrid", "no column 'q'")),
    (partial(_grid, grid_type="full"), ArgumentError, ("grid_type", "'full'")),
    (partial(_ask, "hypothesis", "x"), ArgumentError, ("needs one of <, > and =",)),
    (partial(_ask, "hypothesis", "-1 < x < 1"), ArgumentError, ("two hypotheses",)),
    (partial(_ask, "hypothesis", "x > 0", prob=0.5), ArgumentError, ("prob=0.5", "above 0.5")),
    (partial(_ask, "hypothesis", "s[a+] > 0"), ArgumentError, ("'s[a+]' is no arithmetic", "back-quotes")),
    (partial(_ask, "hypothesis", 3), ArgumentError, ("hypothesis is a text", "not 3")),
    (partial(_ask, "hypothesis", "+".join(["x"] * 5000) + " > 0"), ArgumentError, ("nested too deeply",)),
    (partial(_ask, "hypothesis", "xx > 0"), DataError, ("no 'xx'", "Did you mean 'x'")),
    (partial(_ask, "hypothesis", "`1|s` > 0"), DataError, ("several numbers", "1|s[")),
    (partial(_ask, "hypothesis", "x.real > 0"), ArgumentError, ("'x.real' is not understood",)),
    (partial(_ask, "hypothesis", "x = 0", prior_draws=10), ArgumentError, ("prior_draws", "not 10")),
    (partial(_ask, "hypothesis", "x > 0", prob=[0.5, 0.9]), ArgumentError, ("prob is one probability",)),
    (lambda: _predictions().plot(), ArgumentError, ("nothing to draw along",)),
    (lambda: _predictions("x").plot(colour="red"), TypeError, ("no argument 'colour'",)),
    (lambda: interpret.plot_comparisons(*fitted(), "s"), ArgumentError, ("places", "by=", "conditional=")),
    (lambda: _predictions("x").plot(main="q"), ArgumentError, ("no column 'q'",)),
    (lambda: _predictions(["x", "s"]).plot(wrap=0), NutsliteError, ("wrap", "not 0")),
]

CALLS = [
    BadCall(f"interpret {k}: {'; '.join(words)}", call, kind, words) for k, (call, kind, words) in enumerate(WRONG)
]
