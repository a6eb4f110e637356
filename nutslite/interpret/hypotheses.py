"""Differences and ratios of answers, draw by draw, from the words or equations that ask for them."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError
from nutslite.interpret.estimates import Estimates, changed, check_pair

FloatArray = NDArray[np.float64]

WORDS = ("pairwise", "reference", "sequential", "revpairwise", "revreference", "revsequential")
_OPERATIONS: dict[type, Callable[..., FloatArray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
_FUNCTIONS: dict[str, Callable[..., FloatArray]] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs}
MOST = 20_000


def tested(estimates: Estimates, hypothesis: Any, equivalence: Any) -> Estimates:
    """What `Estimates.hypothesis` does."""
    inside = None if equivalence is None else check_pair("equivalence", equivalence)
    if hypothesis is None:
        samples, names, null = _flat(estimates), None, 0.0
    else:
        samples, names, null = _differences(estimates, hypothesis)
    labels, category = estimates.labels, estimates.category
    if names is not None:
        labels, category = pd.DataFrame({"hypothesis": names}), None
    above = (samples > null).mean(axis=0)
    with np.errstate(divide="ignore"):
        extra = {"p_above": above, "evidence_ratio": above / (1.0 - above)}
    if inside is not None:
        extra["p_inside"] = ((samples > inside[0]) & (samples < inside[1])).mean(axis=0)
    about = {} if names is None else {"kind": "hypotheses", "by": (), "points": None}
    shaped = samples if names is not None else samples.reshape(estimates._kept().shape)
    return changed(estimates, shaped, labels, category, extra, **about)


def _flat(estimates: Estimates) -> FloatArray:
    """Draws (samples, answers), in the order of the table."""
    values = estimates._kept()
    return values.reshape(len(values), -1)


def _differences(estimates: Estimates, hypothesis: Any) -> tuple[FloatArray, list[str] | None, float]:
    """Draws of each hypothesis, their names (None where they are the answers themselves), and what no effect is."""
    flat = _flat(estimates)
    if isinstance(hypothesis, bool):
        raise _refusal(hypothesis)
    if isinstance(hypothesis, int | float | np.number):
        return flat - float(hypothesis), None, 0.0
    if isinstance(hypothesis, str) and _is_word(hypothesis):
        return _by_word(estimates, flat, hypothesis)
    if isinstance(hypothesis, str):
        hypothesis = [hypothesis]
    if isinstance(hypothesis, list | tuple) and hypothesis and all(isinstance(text, str) for text in hypothesis):
        return np.stack([_equation(text, flat) for text in hypothesis], axis=1), list(hypothesis), 0.0
    try:
        matrix = np.asarray(hypothesis, dtype=float)
    except (TypeError, ValueError):
        raise _refusal(hypothesis) from None
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != flat.shape[1]:
        raise ArgumentError(
            f"hypothesis has shape {matrix.shape}; a matrix of contrasts has one row for each of the {flat.shape[1]} "
            "answers."
        )
    return flat @ matrix, [f"h{column}" for column in range(matrix.shape[1])], 0.0


def _refusal(given: Any) -> ArgumentError:
    return ArgumentError(
        f"hypothesis={given!r}: it is a number, an equation such as 'b1 - b0 = 0', one of {', '.join(WORDS[:3])}, or a "
        "matrix."
    )


def _is_word(text: str) -> bool:
    return text.split("~")[-1].strip() in WORDS


def _by_word(estimates: Estimates, flat: FloatArray, text: str) -> tuple[FloatArray, list[str], float]:
    kind, _, word = text.rpartition("~")
    kind, word = kind.strip() or "difference", word.strip()
    if kind not in ("difference", "ratio"):
        raise ArgumentError(f"hypothesis={text!r}: before the ~ stands 'difference' or 'ratio'.")
    n, backwards = flat.shape[1], word.startswith("rev")
    pairs: Any = {
        "pairwise": itertools.combinations(range(n), 2),
        "reference": ((0, k) for k in range(1, n)),
        "sequential": itertools.pairwise(range(n)),
    }[word.removeprefix("rev")]
    chosen = list(itertools.islice(pairs, MOST + 1))
    if not chosen:
        raise ArgumentError(f"hypothesis={text!r} compares answers with each other, and there is only one.")
    if len(chosen) > MOST:
        raise ArgumentError(
            f"hypothesis={text!r} makes more than {MOST:,} pairs of {n:,} answers: average first (by=)."
        )
    first, second = np.array(chosen).T
    if backwards:
        first, second = second, first
    names, ratio = _names(estimates), kind == "ratio"
    sign = " / " if ratio else " - "
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = flat[:, second] / flat[:, first] if ratio else flat[:, second] - flat[:, first]
    return samples, [f"{names[b]}{sign}{names[a]}" for a, b in zip(first, second, strict=True)], 1.0 if ratio else 0.0


def _names(estimates: Estimates) -> list[str]:
    """What tells the lines of a table apart, in words."""
    table = estimates.summary
    numbers = ["estimate", "sd", *itertools.chain(*estimates.intervals.names())]
    labels = table.drop(columns=[*numbers, "estimate_type"], errors="ignore")
    own = [column for column in labels if column in estimates.by or labels[column].nunique() > 1]
    if not own:
        return [f"b{place}" for place in range(len(table))]
    words = [" ".join(_word(value) for value in row) for row in labels[own].itertuples(index=False)]
    return [f"({word})" if " " in word else word for word in words]


def _word(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _equation(text: str, flat: FloatArray) -> FloatArray:
    """Left side less right side of an equation of answers."""
    sides = re.split(r"==?", text)
    if len(sides) > 2:
        raise ArgumentError(f"hypothesis={text!r} has more than one '='.")
    left = _value(sides[0], text, flat)
    right = _value(sides[1], text, flat) if len(sides) == 2 else 0.0
    return np.broadcast_to(np.asarray(left - right, dtype=float), (len(flat),)).copy()


def _value(side: str, text: str, flat: FloatArray) -> Any:
    try:
        tree = ast.parse(side.strip(), mode="eval").body
    except SyntaxError:
        raise ArgumentError(f"hypothesis={text!r} is no equation such as 'b1 - b0 = 0'.") from None
    with np.errstate(divide="ignore", invalid="ignore"):
        return _evaluate(tree, text, flat)


def _evaluate(tree: ast.expr, text: str, flat: FloatArray) -> Any:
    match tree:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.BinOp(left, operation, right) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](_evaluate(left, text, flat), _evaluate(right, text, flat))
        case ast.UnaryOp(operation, operand) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](_evaluate(operand, text, flat))
        case ast.Call(ast.Name(name), [argument], []) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_evaluate(argument, text, flat))
        case ast.Name(name) if re.fullmatch(r"b\d+", name):
            place = int(name[1:])
            if place >= flat.shape[1]:
                raise ArgumentError(
                    f"hypothesis={text!r}: there is no '{name}'; the {flat.shape[1]} answers are b0 to "
                    f"b{flat.shape[1] - 1}, in the order of the table."
                )
            return flat[:, place]
    raise ArgumentError(
        f"hypothesis={text!r}: '{ast.unparse(tree)}' is not understood. Answers are b0, b1, ... in the order of the "
        f"table; there are numbers, + - * / **, and {', '.join(_FUNCTIONS)}."
    )
