"""A formula made of an earlier one: ``"~ . + x"``, where the dot is what stood there before."""

from __future__ import annotations

import re

from nutslite.exceptions import FormulaError
from nutslite.formula.formula import Formula, as_formula

# A dot that is a term by itself, after what is passed over: quoted names and texts, numbers, parts of names.
_PASSED = r"""(`[^`]*`|"[^"]*"|'[^']*'|\d+\.\d*|\.\d+|\w+(?:\.\w+)+|[)\]]\.\w+)"""
_DOT = re.compile(rf"{_PASSED}|\.")
_TILDE = re.compile(rf"{_PASSED}|~")


def updated(old: Formula, new: str | Formula) -> Formula:
    """The formula that `new` makes of `old`, as R's ``update`` does.

    Parameters
    ----------
    old : Formula
    new : str or Formula
        On either side of ``~`` a dot stands for what is there in `old`; no left-hand side is the old one's. Formulas of
        further parameters stay unless `new` has one for them.

    Raises
    ------
    FormulaError
        For a dot where `old` has nothing.

    Examples
    --------
    >>> updated(Formula("y ~ x + (1|g)"), "~ . + z - x")
    Formula('y ~ x + (1|g) + z - x')
    >>> updated(Formula("y ~ x", "sigma ~ z"), Formula("log(.) ~ .:w", "sigma ~ 1"))
    Formula('log(y) ~ (x):w', 'sigma ~ 1')
    """
    new = as_formula(new)
    main = _line(old.main, new.main)
    further = dict(zip(old.additionals_lhs, old.additionals, strict=True))
    for name, text in zip(new.additionals_lhs, new.additionals, strict=True):
        further[name] = _line(further.get(name, f"{name} ~"), text)
    return Formula(main, *further.values())


def _line(old: str, new: str) -> str:
    """One formula."""
    left, right = _sides(old)
    new_left, new_right = _sides(new)
    return f"{_filled(new_left or left, left, new)} ~ {_filled(new_right, right, new, terms=True)}"


def _sides(text: str) -> tuple[str, str]:
    """What stands left and right of the tilde, of which names in back-quotes may hold others."""
    for found in _TILDE.finditer(text):
        if found.group(1) is None:
            return text[: found.start()].strip(), text[found.end() :].strip()
    raise FormulaError(f"'{text}' has no '~': an update is written '~ . + x'.", text)


def _filled(side: str, old: str, new: str, *, terms: bool = False) -> str:
    """One side with its dots replaced; terms in brackets where they do not simply stand first in a sum."""

    def replaced(found: re.Match[str]) -> str:
        if found.group(1) is not None:
            return found.group()
        if not old:
            raise FormulaError(f"'{new}' has a dot, and the model has nothing there.", new)
        after = side[found.end() :].lstrip()
        alone = found.start() == 0 and (not after or after[0] in "+-")
        return old if alone or not terms else f"({old})"

    return _DOT.sub(replaced, side)
