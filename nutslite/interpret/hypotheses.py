"""Differences and ratios of answers, draw by draw, from the words or equations that ask for them."""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError
from nutslite.interpret.expression import evaluate

FloatArray = NDArray[np.float64]

WORDS = ("pairwise", "reference", "sequential", "revpairwise", "revreference", "revsequential")
MOST = 20_000


@dataclass(frozen=True)
class Answers:
    """Draws of answers, and what tells them apart.

    Attributes
    ----------
    draws : ndarray, shape (samples, answers)
    names : tuple of str
    """

    draws: FloatArray
    names: tuple[str, ...]


@dataclass(frozen=True)
class Tested:
    """Draws of hypotheses about answers.

    Attributes
    ----------
    draws : ndarray, shape (samples, hypotheses)
    names : list of str or None
        None where there is one hypothesis of each answer, in their order.
    null : float
        What no effect is: 0, of ratios 1.
    """

    draws: FloatArray
    names: list[str] | None
    null: float = 0.0

    def columns(self, inside: tuple[float, float] | None) -> dict[str, FloatArray]:
        """Probabilities of more than no effect, its odds, and where it is asked for of a range."""
        above = share(self.draws > self.null, self.draws)
        with np.errstate(divide="ignore"):
            found = {"p_above": above, "evidence_ratio": above / (1.0 - above)}
        if inside is not None:
            found["p_inside"] = share((self.draws > inside[0]) & (self.draws < inside[1]), self.draws)
        return found


def share(holds: NDArray[np.bool_], draws: FloatArray) -> FloatArray:
    """How many draws something holds of, (hypotheses,); unknown where a draw is no number: inf - inf, 0 / 0."""
    return np.asarray(np.where(np.isnan(draws).any(axis=0), np.nan, holds.mean(axis=0)))


def tested(answers: Answers, hypothesis: Any) -> Tested:
    """Draws of what `Estimates.hypothesis` takes.

    Raises
    ------
    ArgumentError
    """
    flat = answers.draws
    if hypothesis is None:
        return Tested(flat, None)
    if isinstance(hypothesis, bool):
        raise _refusal(hypothesis)
    if isinstance(hypothesis, int | float | np.number):
        return Tested(flat - float(hypothesis), None)
    if isinstance(hypothesis, str) and _is_word(hypothesis):
        return _by_word(answers, hypothesis)
    if isinstance(hypothesis, str):
        hypothesis = [hypothesis]
    if isinstance(hypothesis, list | tuple) and hypothesis and all(isinstance(text, str) for text in hypothesis):
        return Tested(np.stack([_equation(text, flat) for text in hypothesis], axis=1), list(hypothesis))
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
    return Tested(flat @ matrix, [f"h{column}" for column in range(matrix.shape[1])])


def _refusal(given: Any) -> ArgumentError:
    return ArgumentError(
        f"hypothesis={given!r}: it is a number, an equation such as 'b1 - b0 = 0', one of {', '.join(WORDS[:3])}, or a "
        "matrix."
    )


def _is_word(text: str) -> bool:
    return text.split("~")[-1].strip() in WORDS


def _by_word(answers: Answers, text: str) -> Tested:
    flat, names = answers.draws, answers.names
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
    ratio = kind == "ratio"
    sign = " / " if ratio else " - "
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = flat[:, second] / flat[:, first] if ratio else flat[:, second] - flat[:, first]
    said = [f"{names[b]}{sign}{names[a]}" for a, b in zip(first, second, strict=True)]
    return Tested(samples, said, 1.0 if ratio else 0.0)


def _equation(text: str, flat: FloatArray) -> FloatArray:
    """Left side less right side of an equation of answers."""
    sides = re.split(r"==?", text)
    if len(sides) > 2:
        raise ArgumentError(f"hypothesis={text!r} has more than one '='.")
    last = f"b{flat.shape[1] - 1}"

    def resolve(tree: ast.expr) -> Any:
        if not isinstance(tree, ast.Name) or not re.fullmatch(r"b\d+", tree.id):
            return None
        place = int(tree.id[1:])
        if place >= flat.shape[1]:
            raise ArgumentError(
                f"hypothesis={text!r}: there is no '{tree.id}'; the {flat.shape[1]} answers are b0 to {last}, in the "
                "order of the table."
            )
        return flat[:, place]

    known = "Answers are b0, b1, ... in the order of the table"
    if re.fullmatch(r"[a-zA-Z]{3,}", text.strip()):
        raise _refusal(text)
    left = evaluate(sides[0], text, resolve, known)
    right = evaluate(sides[1], text, resolve, known) if len(sides) == 2 else 0.0
    return np.broadcast_to(np.asarray(left - right, dtype=float), (len(flat),)).copy()
