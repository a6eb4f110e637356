"""Signatures of the functions that a formula knows, as users write them; every call is checked against its own.

`parameters` of other functions come from Python. What is wrong with a call is said with the signature, and with no name
that the user did not see: neither of the code behind a function nor of its arguments.
"""

from __future__ import annotations

import inspect
from ast import literal_eval
from collections.abc import Sequence
from typing import Any

from nutslite.exceptions import did_you_mean
from nutslite.formula.evaluation import functions
from nutslite.formula.forms.register import FORMS

_SPLINE = "x, df=None, knots=None, lower_bound=None, upper_bound=None, constraints=None"
_TEXTS = {
    "I": "x, /",
    "Q": "name, /",
    "offset": "x, /",
    "center": "x",
    "scale": "x, ddof=0",
    "standardize": "x, ddof=0",
    "poly": "x, degree=1, raw=False",
    "bs": "x, df=None, knots=None, degree=3, include_intercept=False, lower_bound=None, upper_bound=None, *, "
    "intercept=None",
    "cr": _SPLINE,
    "cc": _SPLINE,
    "te": "*splines, constraints=None",
    "C": "x, contrast=None, levels=None",
    "T": "x, ref=None, levels=None",
    "S": "x, omit=None, levels=None",
    "Treatment": "reference=None",
    "Sum": "omit=None",
    "Helmert": "",
    "Poly": "scores=None",
    "Diff": "",
    "np.where": "condition, x, y, /",
    "np.clip": "x, lowest, highest, /",
    "np.round": "x, decimals=0, /",
    **{name: form.signatures[-1] for name, form in FORMS.items()},
    **dict.fromkeys(functions.SUCCESS, "x, success=None"),
    **functions.TERMS,
}
_EITHER, _ONLY_BY_POSITION = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY
_STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
_BY_NUMBER = {1: "x, /", 2: "x, y, /"}
_COUNTED = {0: "no argument", 1: "one argument", 2: "two arguments", 3: "three arguments"}


def read_signature(text: str) -> inspect.Signature:
    """The signature that `text` spells; this text is ours."""
    kind: Any = _EITHER
    found: list[inspect.Parameter] = []
    for piece in text.split(", ") if text else []:
        if piece == "/":
            found = [item.replace(kind=_ONLY_BY_POSITION) for item in found]
        elif piece.startswith("*"):
            kind = inspect.Parameter.KEYWORD_ONLY
            if len(piece) > 1:
                found.append(inspect.Parameter(piece[1:], inspect.Parameter.VAR_POSITIONAL))
        else:
            name, _, text = piece.partition("=")
            default = literal_eval(text) if text else inspect.Parameter.empty
            found.append(inspect.Parameter(name, kind, default=default))
    return inspect.Signature(found)


def _table() -> dict[str, inspect.Signature]:
    row_by_row = {name: number for name, (_, number) in functions.ELEMENTWISE.items()}
    row_by_row |= {f"np.{name}": number for name, (_, number) in functions.NUMPY.items()}
    texts = {name: _BY_NUMBER[number] for name, number in row_by_row.items() if number in _BY_NUMBER}
    return {name: read_signature(text) for name, text in (texts | _TEXTS).items()}


SIGNATURES = _table()
"""Name -> signature, for every function that is not the user's own."""


def call_text(name: str, signature: inspect.Signature) -> str:
    """``poly(x, degree=1, raw=False)``; arguments that may be left out without a value of their own by name alone."""
    parts = []
    for item in signature.parameters.values():
        plain = item.default in (inspect.Parameter.empty, None)
        parts.append(f"{_STARS.get(item.kind, '')}{item.name}" if plain else f"{item.name}={item.default!r}")
    return f"{name}({', '.join(parts)})"


def what_is_wrong(name: str, signature: inspect.Signature, positional: int, keywords: Sequence[str]) -> str:
    """Why a call does not fit a signature, in a sentence; empty where it does.

    Parameters
    ----------
    name : str
        As the formula has it: ``"poly"``, ``"np.log"``.
    signature : inspect.Signature
    positional : int
        How many arguments the call has by position.
    keywords : sequence of str
        Names of its other arguments.
    """
    items = list(signature.parameters.values())
    kinds = {item.name: item.kind for item in items}
    by_name = [key for key, kind in kinds.items() if kind in (_EITHER, inspect.Parameter.KEYWORD_ONLY)]
    by_position = [key for key, kind in kinds.items() if kind in (_EITHER, _ONLY_BY_POSITION)]
    written = call_text(name, signature)
    if keywords and not by_name and inspect.Parameter.VAR_KEYWORD not in kinds.values():
        return f"{name}() takes no keyword arguments: {written}."
    if positional > len(by_position) and inspect.Parameter.VAR_POSITIONAL not in kinds.values():
        most = _COUNTED.get(len(by_position), f"{len(by_position)} arguments")
        required = all(item.default is inspect.Parameter.empty for item in items)
        return f"{name}() takes {'' if required else 'at most '}{most}{' by position' * (len(by_name) > 3)}: {written}."
    for key in keywords:
        if key in by_position[:positional]:
            return f"{name}() has '{key}' twice, by position and by name: {written}."
        if key not in by_name and inspect.Parameter.VAR_KEYWORD not in kinds.values():
            return f"{name}() has no argument '{key}': {written}.{did_you_mean(key, by_name)}"
    given = {*by_position[:positional], *keywords}
    every = dict.fromkeys((*by_position, *by_name))
    needed = [key for key in every if signature.parameters[key].default is inspect.Parameter.empty]
    if all(key in given for key in needed):
        return ""
    if len(needed) == len(by_position) and kinds:
        return f"{name}() takes {_COUNTED.get(len(needed), f'{len(needed)} arguments')}: {written}."
    lacking = next(key for key in needed if key not in given)
    return f"{name}() lacks its argument '{lacking}': {written}."


def signature_of(function: Any) -> inspect.Signature | None:
    """The signature of a function of the user's own; None where Python does not know it."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None
