"""From the text of formulas to terms: Patsy's parser for the tree, `algebra.py` for what it means.

`|` and `||` are further operators of Patsy's parser; what stands in parentheses around them becomes a `GroupSpec`.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from patsy import PatsyError
from patsy.infix_parser import Operator, ParseNode
from patsy.parse_formula import parse_formula

from nutslite._log import log
from nutslite.exceptions import FormulaError, did_you_mean
from nutslite.formula.language.algebra import GroupSpec, Reader, Term, span_of
from nutslite.formula.language.expression import Expression, FormulaText, read_expression, read_text

# `|` binds looser than `+` (100), so that (0 + x | g) needs no inner parentheses; the unary one makes `||`
_PIPES = [Operator("|", 2, 50), Operator("|", 1, 60), Operator("^", 2, 500)]


@dataclass(frozen=True)
class Product:
    """A term of a special kind: its call, by itself or times other factors, as in ``mo(x):z``."""

    term: Term
    call: Expression

    @property
    def others(self) -> tuple[Expression, ...]:
        """The other factors."""
        return tuple(factor for factor in self.term.factors if factor is not self.call)


@dataclass(frozen=True)
class PredictorSpec:
    """A right-hand side, read.

    Attributes
    ----------
    parameter, formula : str
    intercept : bool
    terms : tuple of Term
    groups : tuple of GroupSpec
    offsets : tuple of Expression
    notes : tuple of str
        How it was understood where it can be a slip, for the log.
    special : tuple of Product
        Terms of special kinds, once they are set apart from `terms`: calls by themselves, or times other factors.
    """

    parameter: str
    formula: str
    intercept: bool
    terms: tuple[Term, ...]
    groups: tuple[GroupSpec, ...]
    offsets: tuple[Expression, ...]
    notes: tuple[str, ...] = ()
    special: tuple[Product, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether it says nothing: ``y ~ 0``."""
        return not (self.intercept or self.terms or self.groups or self.offsets or self.special)

    def without_groups(self) -> PredictorSpec:
        """The same without bars."""
        return replace(self, groups=())

    def expressions(self) -> list[Expression]:
        """Every factor and offset, group factors included, but no calls that are terms of special kinds."""
        terms = [*self.terms]
        for group in self.groups:
            terms += [*group.terms, *group.factors]
        others = [factor for product in self.special for factor in product.others]
        every = [factor for term in terms for factor in (*term.factors, *term.more)]
        return every + others + list(self.offsets)

    @property
    def calls(self) -> tuple[Expression, ...]:
        """The calls that are terms of special kinds."""
        return tuple(product.call for product in self.special)


@dataclass(frozen=True)
class ParsedFormula:
    """The response's expression and one right-hand side per modelled parameter, parent first."""

    response: Expression
    predictors: tuple[PredictorSpec, ...]


def parse(main: str, additionals: Iterable[str], parameters: tuple[str, ...]) -> ParsedFormula:
    """Read the formulas of all parameters.

    Parameters
    ----------
    main : str
        ``"response ~ terms"``.
    additionals : iterable of str
        ``"parameter ~ terms"``, at most one for each parameter.
    parameters : tuple of str
        The family's parameters, the parent first.

    Raises
    ------
    FormulaError
        For anything that is not understood; the message has carets below the place.
    """
    left, right, source = _split_at_tilde(main, "The formula has no response; write 'y ~ x'.")
    response = read_expression(source, *_response_span(left, source))
    predictors = [_read_predictor(parameters[0], right, source)]
    for text in additionals:
        left, right, source = _split_at_tilde(text, "A further formula starts with its parameter: 'sigma ~ x'.")
        parameter = _parameter_name(left, source, parameters)
        predictors.append(_read_predictor(parameter, right, source))
    if len(predictors) == len(parameters) and all(item.empty for item in predictors):
        # without terms, a formula fixes its parameter; here that leaves nothing
        names = " and ".join(f"'{name}'" for name in parameters)
        raise FormulaError(
            f"There are neither terms nor intercept nor offset for {names}: nothing is left to estimate; write 'y ~ 1'."
        )
    for item in predictors:
        for note in item.notes:
            log.info("%s: %s", item.formula, note)
    return ParsedFormula(response, tuple(predictors))


def check_ids(predictors: Iterable[PredictorSpec], columns: Container[str]) -> None:
    """Refuse an id of bars that stands beside two grouping factors, or that is a column of the data.

    Raises
    ------
    FormulaError
        With carets below the bar.
    """
    factors: dict[str, Term] = {}
    for item in predictors:
        for group in item.groups:
            if group.id is None:
                continue
            if group.id in columns:
                message = f"'{group.id}' stands in the place of an id and is a column of the data. Choose another id"
                remedy = f"for factors, write bars of their own: (1|{group.id}) + (1|{group.factors[0].name})."
                raise FormulaError(f"{message}; {remedy}", item.formula, group.span)
            if factors.setdefault(group.id, group.factors[0]).key != group.factors[0].key:
                names = f"'{factors[group.id].name}' and '{group.factors[0].name}'"
                message = f"The id '{group.id}' stands beside {names}: effects of different factors are not correlated."
                raise FormulaError(f"{message} Give each factor an id of its own.", item.formula, group.span)


def _split_at_tilde(text: str, no_left: str) -> tuple[ParseNode, ParseNode, FormulaText]:
    if not text:
        raise FormulaError("The formula is empty; write 'y ~ x', or 'y ~ 1' for an intercept alone.")
    source = read_text(text)
    tilde = source.plain.find("~")
    if tilde < 0:
        raise FormulaError(f"There is no '~'. {no_left}", text, (0, len(text)))
    if not source.plain[:tilde].strip():
        raise FormulaError(no_left, text, (tilde, tilde + 1))
    if not source.plain[tilde + 1 :].strip():
        raise FormulaError("Nothing follows '~'; write 1 for an intercept alone.", text, (tilde, tilde + 1))
    tree = _patsy_tree(source)
    if tree.type != "~" or len(tree.args) != 2 or tree.args[0].type == "~":
        # Patsy puts a '~' without a token above a formula that has none of its own, '+ ~ x' for example
        place = (tilde, tilde + 1) if tree.token is None else (tree.token.origin.start, tree.token.origin.end)
        raise FormulaError("'~' stands once, between the response and the terms.", text, place)
    return tree.args[0], tree.args[1], source


def _patsy_tree(source: FormulaText) -> ParseNode:
    try:
        return parse_formula(source.code, extra_operators=_PIPES)
    except PatsyError as slip:
        origin = slip.origin
        span = (0, len(source.text)) if origin is None else (origin.start, origin.end)
        reason = str(slip.args[0]).split("\n")[0].replace("a noun", "a term")
        raise FormulaError(f"The formula cannot be read: {reason}.", source.text, span) from None
    except (tokenize.TokenError, SyntaxError, IndexError, AssertionError, RecursionError):
        raise FormulaError("The formula cannot be read.", source.text, (0, len(source.text))) from None


def _response_span(left: ParseNode, source: FormulaText) -> tuple[int, int]:
    """The place of the response, once it is known to be one expression."""
    span = span_of(left)
    if left.type == "|":
        raise FormulaError(_instead_of_bar(source.text[slice(*span)]), source.text, span)
    if left.type == "+" and len(left.args) == 2:
        message = "There is one response; write I(a + b) or {a + b} for a sum of columns."
        raise FormulaError(message, source.text, span)
    if left.type != "PYTHON_EXPR":
        text = source.text[slice(*span)]
        raise FormulaError(f"The response must be one expression; wrap arithmetic: I({text}).", source.text, span)
    return span


_BEHIND_BAR = {
    "trials": "p(y, n) ~ ... for counts out of n",
    "weights": "weighted(y, w) ~ ...",
    "cens": "censored(y, status) ~ ..., or censored(lower, upper, status) ~ ... with intervals; a status is 'none', "
    "'left', 'right' or 'interval'",
    "trunc": "truncated(y, lb=..., ub=...) ~ ..., with one bound or both",
    "se": "se(y, s) ~ ..., or se(y, s, sigma=True) ~ ...",
    "rate": "rate(y, exposure) ~ ..., or offset(log(exposure)) as a term",
}
"""What stands here for the words that brms has behind a bar, left of ``~``."""


def _instead_of_bar(text: str) -> str:
    """What to write for ``y | trials(n) + weights(w)``."""
    words = list(dict.fromkeys(re.findall(r"(\w+)\s*\(", text.partition("|")[2])))
    known = [word for word in words if word in _BEHIND_BAR]
    if not known:
        said = f" {words[0]}() is not supported." if words else ""
        return (
            f"What is to be said of a response stands around it, not behind a bar.{said} Write p(y, n) for trials, "
            "weighted(y, w), censored(y, status), truncated(y, lb=...), se(y, s) or rate(y, exposure)."
        )
    told = "; ".join(f"for y | {word}(...) write {_BEHIND_BAR[word]}" for word in known)
    more = " Forms stand around each other: weighted(truncated(censored(y, status), lb=...), w)." * (len(known) > 1)
    return f"What is to be said of a response stands around it, not behind a bar: {told}.{more}"


def _parameter_name(node: ParseNode, source: FormulaText, parameters: tuple[str, ...]) -> str:
    name, span = source.text[slice(*span_of(node))].strip(), span_of(node)
    auxiliary = ", ".join(parameters[1:]) or "none"
    if name == parameters[0]:
        message = f"'{name}' is what the main formula models; further formulas are for: {auxiliary}."
        raise FormulaError(message, source.text, span)
    if name not in parameters:
        hint = did_you_mean(name, parameters[1:])
        raise FormulaError(f"'{name}' is not a parameter of this family ({auxiliary}).{hint}", source.text, span)
    return name


def _read_predictor(parameter: str, node: ParseNode, source: FormulaText) -> PredictorSpec:
    reader = Reader(source)
    try:
        total = reader.read(node, additive=True)
    except RecursionError:
        raise FormulaError("This is nested too deeply.", source.text, span_of(node)) from None
    intercept = total.intercept is not False
    notes = list(reader.notes)
    if not (intercept or total.terms or reader.groups or reader.offsets):  # y ~ 0
        notes.append(f"'{parameter}' has neither terms nor an intercept: its linear predictor is 0 in every row.")
    terms, groups, offsets = tuple(total.terms), tuple(reader.groups), tuple(reader.offsets)
    return PredictorSpec(parameter, source.text, intercept, terms, groups, offsets, tuple(dict.fromkeys(notes)))


def refuse_response_as_term(response: Expression, predictors: Iterable[PredictorSpec]) -> None:
    """Raise where the response is a factor on the right too: it would explain itself.

    Raises
    ------
    FormulaError
        With carets below the factor.
    """
    for predictor in predictors:
        for factor in predictor.expressions():
            if factor.name in (response.name, f"offset({response.name})"):
                raise factor.error(f"The response '{response.name}' stands on the right as well; remove it there.")
