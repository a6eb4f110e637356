"""`Formula`: one main formula, and optionally one more per further parameter of the family."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nutslite._calls import public
from nutslite.exceptions import FormulaError, FormulaTypeError

_QUOTED_OR_BREAK = re.compile(r"""`[^`]*`|"[^"]*"|'[^']*'|[\r\n\t]""")


@public
@dataclass(frozen=True, init=False)
class Formula:
    """A model formula with one line per modelled parameter.

    Parameters
    ----------
    main : str
        The formula of the response: ``"y ~ x + (1|g)"``; its right-hand side belongs to the family's parent parameter.
    *additionals : str
        Formulas of further parameters: ``"sigma ~ z"``. The left-hand side is the parameter's name.

    Raises
    ------
    FormulaError
        When a formula is not a text, or a parameter has two.

    Examples
    --------
    >>> Formula("y ~ x", "sigma ~ z")
    Formula('y ~ x', 'sigma ~ z')
    >>> print(Formula("y ~ x", "sigma ~ z"))
    y ~ x, sigma ~ z
    >>> Formula("y ~ x", "sigma ~ z").additionals_lhs
    ['sigma']
    """

    main: str
    additionals: tuple[str, ...]

    def __init__(self, main: str, *additionals: str) -> None:
        for text in (main, *additionals):
            if not isinstance(text, str):
                raise FormulaTypeError(f"A formula is a text such as 'y ~ x + (1|g)', not a {type(text).__name__}.")
        object.__setattr__(self, "main", _one_line(main))
        object.__setattr__(self, "additionals", tuple(_one_line(text) for text in additionals))
        first: dict[str, str] = {}
        for name, text in zip(self.additionals_lhs, self.additionals, strict=True):
            if "~" in text and name in first:
                raise FormulaError(f"'{name}' has two formulas, '{first[name]}' and '{text}'. Give it one.")
            first[name] = text

    @property
    def additionals_lhs(self) -> list[str]:
        """Names of the parameters that `additionals` are for, in their order."""
        return [text.partition("~")[0].strip() for text in self.additionals]

    def get_all_formulas(self) -> list[str]:
        """The formulas as texts, the main one first."""
        return [self.main, *self.additionals]

    def __repr__(self) -> str:
        return f"Formula({', '.join(repr(text) for text in (self.main, *self.additionals))})"

    def __str__(self) -> str:
        return ", ".join((self.main, *self.additionals))


def as_formula(formula: str | Formula) -> Formula:
    """A `Formula` from what the user gave: one already, or the text of its main line."""
    return formula if isinstance(formula, Formula) else Formula(formula)


def _one_line(text: str) -> str:
    """`text` on one line without outer blanks, so that carets in error messages point at the right place.

    A name in back-quotes stays as it is: columns may have line breaks in their names.
    """
    return _QUOTED_OR_BREAK.sub(_without_break, text).strip()


def _without_break(found: re.Match[str]) -> str:
    piece = found.group()
    return piece if piece.startswith("`") else re.sub(r"[\r\n\t]", " ", piece)
