"""Names of terms as users may write them: other blanks and quotes, factors in another order, parentheses of a bar."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator

from nutslite.exceptions import FormulaError
from nutslite.formula.language.expression import FormulaText, neutral_name, read_expression, read_text

_MOST_FACTORS = 6  # whose orders are tried
_LONGEST = 1000  # characters that are read as a name


def other_spellings(name: str) -> Iterator[str]:
    """The names that a text can stand for, as a model would spell them; nothing for what is no term.

    >>> list(other_spellings("k:x"))
    ['k:x', 'x:k']
    >>> list(other_spellings("(1 | g)"))
    ['1|g']
    >>> list(other_spellings("T(k,'b')[c]"))
    ["T(k, 'b')[c]"]
    """
    if len(name) > _LONGEST:
        return
    text, label = _without_label(name.strip())
    yield from _spelled(text, label)
    if "[" in text:  # g[b]:h[u], each label with its factor
        yield from _spelled(name.strip(), "")


def _spelled(text: str, label: str) -> Iterator[str]:
    """The names of a term, or of one of its coefficients, which has the label."""
    try:
        source = read_text(text)
        sides = [list(_orders(source, *span)) for span in _split(source, *_without_parentheses(source), "|")]
    except FormulaError:
        return
    if len(sides) > 2:
        return
    for places in itertools.product(*sides):
        found = _relabelled(label, [order for _, order in places])
        if found is None:
            continue
        yield f"{'|'.join(names for names, _ in places)}{found}"
        if found and len(places) == 2:  # g[b]|uid and g|uid[b]
            yield f"{places[0][0]}{found}|{places[1][0]}"


def normal_spelling(name: str) -> str:
    """One text for all spellings of a name; the name itself where it is no term."""
    return min(other_spellings(name), default=name)


def as_spelled(name: str, known: Collection[str]) -> str:
    """The one of the names `known` that `name` is another spelling of; `name` itself where there is none."""
    if name in known:
        return name
    plain = {next(other_spellings(item), item) if '"' in item else item: item for item in known}
    return next((plain[text] for text in other_spellings(name) if text in plain), name)


def _relabelled(label: str, orders: list[tuple[int, ...]]) -> str | None:
    """``"[u, v]"`` of factors that changed places; None where it does not say which part belongs to which."""
    order, parts = orders[0], label[1:-1].split(", ")
    if order == tuple(sorted(order)) or len(parts) == 1:
        return label
    return f"[{', '.join(parts[place] for place in order)}]" if len(parts) == len(order) else None


def _without_label(text: str) -> tuple[str, str]:
    """``"x:g[b]"`` -> ``"x:g"``, ``"[b]"``."""
    match = re.fullmatch(r"(.*[\w)`\"'}])(\[[^\[\]]*\])", text)
    return (match[1], match[2]) if match else (text, "")


def _without_parentheses(source: FormulaText) -> tuple[int, int]:
    plain = source.plain
    whole = plain.startswith("(") and plain.endswith(")") and "|" in plain
    return (1, len(plain) - 1) if whole else (0, len(plain))


def _split(source: FormulaText, start: int, end: int, mark: str) -> Iterator[tuple[int, int]]:
    """Places between the marks that stand in no bracket."""
    depth, begin = 0, start
    for place in range(start, end):
        letter = source.plain[place]
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(letter, 0)
        if letter == mark and depth == 0:
            yield begin, place
            begin = place + 1
    yield begin, end


def _orders(source: FormulaText, start: int, end: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A side's factors by their names, in every order, and the order."""
    places = _split(source, start, end, ":")
    factors = [neutral_name(read_expression(source, *span).tree) for span in places]
    own = tuple(range(len(factors)))
    for order in itertools.permutations(own) if len(factors) <= _MOST_FACTORS else [own]:
        yield ":".join(factors[place] for place in order), order
