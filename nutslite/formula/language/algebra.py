"""The algebra of terms, on the tree that Patsy's parser makes of a formula.

It is that of Wilkinson & Rogers (1973, Applied Statistics 22, 392) and Chambers & Hastie (1992, ch. 2):
``a*b = a + b + a:b``, ``a/b = a + a:b``, ``(a + b)**2 = a + b + a:b``, ``-`` removes, ``a:a = a``. Sums are unions, so
``x + x*z`` is ``x*z``. What is written out twice counts once, and of several 0 and 1 the last one counts, as in R; both
are noted, because they may be slips. A pipe needs its parentheses, as in lme4.
"""

from __future__ import annotations

import ast
from collections.abc import Sized
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from patsy.infix_parser import ParseNode

from nutslite.exceptions import FormulaError
from nutslite.formula.language.expression import Expression, FormulaText, keyword_hint, read_expression
from nutslite.formula.language.groupings import SDS, read_grouping

_MOST_TERMS = 5000  # (a + b + ... + t)**20 would never end
_MOST_PRODUCTS = 200_000  # of terms that are multiplied, many of which may be the same


@dataclass(frozen=True, eq=False)
class Term:
    """A product of factors; two terms are the same when they have the same factors, in whatever order.

    Of a factor that groups rows, `call` is the call around it that says how its levels vary together: ``gr(g, cov=K)``,
    and `more` are further columns that it names, f of ``gr(g, by=f)``, z of ``gr(g, sd=z)``.
    """

    factors: tuple[Expression, ...]
    span: tuple[int, int]
    call: Expression | None = None
    more: tuple[Expression, ...] = ()

    @property
    def is_of_members(self) -> bool:
        """Whether a row belongs to a level of each of the factors: ``mm(g1, g2)``."""
        call: Any = None if self.call is None else self.call.tree
        return call is not None and call.func.id == "mm"

    @property
    def has_sds(self) -> bool:
        """Whether `more` explain the standard deviations of its levels' effects: ``gr(g, sd=z)``."""
        call: Any = None if self.call is None else self.call.tree
        return call is not None and any(keyword.arg == SDS for keyword in call.keywords)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the factors, in the order of the formula."""
        return tuple(factor.name for factor in self.factors)

    @cached_property
    def key(self) -> frozenset[str]:
        """What makes two terms the same."""
        return frozenset(self.names if self.call is None else [self.call.name])

    @property
    def name(self) -> str:
        """``"x:g"``, ``"gr(g, cov=K)"``."""
        return ":".join(self.names) if self.call is None else self.call.name


@dataclass(frozen=True)
class GroupSpec:
    """``(terms|factors)`` or ``(terms|id|factor)``: the same effects for every level of each of `factors`."""

    intercept: bool
    terms: tuple[Term, ...]
    factors: tuple[Term, ...]
    correlated: bool
    span: tuple[int, int]
    id: str | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """What it is known by, wherever it stands."""
        terms = frozenset(term.key for term in self.terms)
        return self.intercept, terms, tuple(term.name for term in self.factors), self.correlated, self.id


def span_of(node: ParseNode) -> tuple[int, int]:
    """Where in the formula a node stands, its parentheses included."""
    return node.origin.start, node.origin.end


@dataclass
class Sum:
    """What a subtree stands for: terms, and whether it puts an intercept in (True), takes it out (False) or neither."""

    terms: list[Term] = field(default_factory=list)
    intercept: bool | None = None

    @property
    def keys(self) -> set[frozenset[str]]:
        """What its terms are known by."""
        return {term.key for term in self.terms}


class Reader:
    """Walks the tree of one right-hand side (or of one side of a bar); collects bars, offsets and notes on the way."""

    def __init__(self, source: FormulaText, inside_bar: bool = False) -> None:
        self.source = source
        self.inside_bar = inside_bar
        self.groups: list[GroupSpec] = []
        self.offsets: list[Expression] = []
        self.notes: list[str] = []
        self.written: set[frozenset[str]] = set()

    def error(self, message: str, node: ParseNode) -> FormulaError:
        """A `FormulaError` with carets below `node`."""
        return FormulaError(message, self.source.text, span_of(node))

    def read(self, node: ParseNode, additive: bool = False) -> Sum:
        """Expand `node`; `additive` while every operator above it is ``+``."""
        match node.type:
            case "ZERO" | "ONE":
                return Sum(intercept=node.type == "ONE")
            case "NUMBER":
                raise self.error("Of numbers, only 0 and 1 (no intercept, intercept) are terms; write I(2*x).", node)
            case "PYTHON_EXPR":
                return self._leaf(node, additive)
            case "+":
                return self._plus(node, additive)
            case "-":
                return self._minus(node, additive)
            case "|":
                return self._bar(node, additive)
            case "^":
                raise self.error("'^' is not supported; write ** (I(x**2) for the square of a column).", node)
            case "~":
                raise self.error("'~' stands once, between the response and the terms.", node)
            case "**":
                return self._power(node)
        return self._product(node, additive)

    def _plus(self, node: ParseNode, additive: bool) -> Sum:
        """A sum, taken apart without recursion: formulas with hundreds of terms are one deep branch."""
        operands = []
        while node.type == "+" and len(node.args) == 2:
            operands.append(node)
            node = node.args[0]
        result = self.read(node if node.type != "+" else node.args[0], additive)
        keys, terms = result.keys, list(result.terms)
        for plus in reversed(operands):
            right = self.read(plus.args[1], additive)
            terms += [term for term in right.terms if term.key not in keys]
            keys |= right.keys
            self._check_size(terms, plus)
            result = Sum(terms, self._intercept(result, right))
        return result

    def _leaf(self, node: ParseNode, additive: bool) -> Sum:
        expression = read_expression(self.source, *span_of(node))
        tree = expression.tree
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "offset":
            return self._offset(expression, tree, additive)
        if isinstance(tree, ast.Constant):
            raise self.error(f"A constant is not a term.{keyword_hint(expression.name)}", node)
        term = Term((expression,), span_of(node))
        return self._once(term, additive)

    def _once(self, term: Term, additive: bool) -> Sum:
        if additive and term.key in self.written:
            self.notes.append(f"The term '{term.name}' is there twice; it counts once.")
        if additive:
            self.written.add(term.key)
        return Sum([term])

    def _offset(self, expression: Expression, call: ast.Call, additive: bool) -> Sum:
        if not additive or self.inside_bar:
            raise expression.error("An offset is added: 'y ~ x + offset(z)'; it takes no part in other operations.")
        if len(call.args) != 1 or call.keywords:
            raise expression.error("offset() takes one argument: offset(log(n)).")
        if expression.name in {item.name for item in self.offsets}:
            raise expression.error(f"'{expression.name}' is there twice; write offset(2*z) to add it twice.")
        self.offsets.append(expression)
        return Sum()

    def _union(self, left: Sum, right: Sum, node: ParseNode) -> Sum:
        keys = left.keys
        terms = left.terms + [term for term in right.terms if term.key not in keys]
        self._check_size(terms, node)
        return Sum(terms, self._intercept(left, right))

    def _intercept(self, left: Sum, right: Sum) -> bool | None:
        """Whether a sum has an intercept; the last word counts, as in R."""
        if left.intercept is not None and right.intercept is not None and left.intercept != right.intercept:
            has = "there is one" if right.intercept else "there is none"
            self.notes.append(f"The intercept is both put in (1) and taken out (0 or -1); the last counts: {has}.")
        return left.intercept if right.intercept is None else right.intercept

    def _check_size(self, terms: Sized, node: ParseNode) -> None:
        if len(terms) > _MOST_TERMS:
            raise self.error(f"This expands to more than {_MOST_TERMS} terms.", node)

    def _minus(self, node: ParseNode, additive: bool) -> Sum:
        if additive and len(node.args) == 2 and node.args[1].type == "|":
            kept = self.read(node.args[0], additive)
            self._remove_bar(node.args[1])
            return kept
        removed = self.read(node.args[-1])
        if len(node.args) == 1:
            if removed.terms or removed.intercept is not True:
                raise self.error("There is nothing to subtract from; only -1 (no intercept) stands alone.", node)
            return Sum(intercept=False)
        kept = self.read(node.args[0], additive)
        missing = [term for term in removed.terms if term.key not in kept.keys]
        if missing:
            message = f"'{missing[0].name}' is not among the terms to its left, so it cannot be removed."
            raise FormulaError(message, self.source.text, missing[0].span)
        if removed.intercept is False:
            raise self.error("'- 0' is obscure; write + 1 for an intercept.", node)
        terms = [term for term in kept.terms if term.key not in removed.keys]
        result = Sum(terms, kept.intercept)
        return self._union(result, Sum(intercept=False), node) if removed.intercept else result

    def _remove_bar(self, node: ParseNode) -> None:
        """``- (x|g)``: the bar that is written the same way, but for the order of effects."""
        reader = Reader(self.source)
        reader.read(node, additive=True)
        same = [group for group in self.groups if group.key == reader.groups[0].key]
        if not same:
            text = self.source.text[slice(*span_of(node))]
            raise self.error(f"'{text}' is not among the terms to its left, so it cannot be removed.", node)
        self.groups = [group for group in self.groups if group not in same]

    def _product(self, node: ParseNode, additive: bool) -> Sum:
        """``:``, ``*`` and ``/``."""
        left, right = (self.read(argument) for argument in node.args)
        for side, argument in zip((left, right), node.args, strict=True):
            if side.intercept is not None:
                raise self.error("An intercept (0 or 1) takes no part in interactions.", argument)
        if node.type == ":":
            products = self._interactions(left.terms, right.terms, node)
            return self._once(products[0], additive) if len(products) == 1 else Sum(products)
        if node.type == "*":
            both = self._union(left, right, node)
            return self._union(both, Sum(self._interactions(left.terms, right.terms, node)), node)
        whole = {factor.name: factor for term in left.terms for factor in term.factors}
        nested = self._interactions([Term(tuple(whole.values()), span_of(node.args[0]))], right.terms, node)
        return self._union(left, Sum(nested), node)

    def _interactions(self, left: list[Term], right: list[Term], node: ParseNode) -> list[Term]:
        """All products; in those of sums ``a:a`` is ``a``, but written out it reads like a square."""
        if len(left) * len(right) > _MOST_PRODUCTS:
            raise self.error(
                f"This multiplies {len(left)} by {len(right)} terms; at most {_MOST_TERMS} are read.", node
            )
        if len(left) == len(right) == 1 and left[0].key & right[0].key:
            name = sorted(left[0].key & right[0].key)[0]
            message = f"'{name}' cannot interact with itself; write I({name}**2) for a square."
            raise self.error(message, node)
        products: dict[frozenset[str], Term] = {}
        for first in left:
            for second in right:
                further = tuple(factor for factor in second.factors if factor.name not in first.key)
                term = Term(first.factors + further, span_of(node))
                products.setdefault(term.key, term)
            self._check_size(products, node)
        return list(products.values())

    def _power(self, node: ParseNode) -> Sum:
        base, exponent = node.args
        terms = self.read(base)
        if terms.intercept is not None:
            raise self.error("An intercept (0 or 1) takes no part in interactions.", base)
        digits = exponent.token.extra if exponent.type in ("ONE", "NUMBER") else ""
        if not digits.isdigit() or int(digits) < 1:
            raise self.error("'**' in a formula takes a positive whole number: (a + b)**2.", exponent)
        if len(terms.terms) == 1:
            text = self.source.text[slice(*span_of(base))]
            raise self.error(f"'**' means interactions up to that order; write I({text}**{digits}).", node)
        result, layer = terms.terms, terms.terms
        for _ in range(min(int(digits), len(terms.terms)) - 1):
            layer = self._next_order(layer, terms.terms, node)
            result = self._union(Sum(result), Sum(layer), node).terms
        return Sum(result)

    def _next_order(self, layer: list[Term], singles: list[Term], node: ParseNode) -> list[Term]:
        """Products with one more of `singles`, each set of factors once."""
        products: dict[frozenset[str], Term] = {}
        for first in layer:
            for second in singles:
                own = first.names
                factors = first.factors + tuple(item for item in second.factors if item.name not in own)
                term = Term(factors, first.span)
                products.setdefault(term.key, term)
            self._check_size(products, node)
        return list(products.values())

    def _bar(self, node: ParseNode, additive: bool) -> Sum:
        """``(expr|group)``, ``(expr||group)`` or ``(expr|id|group)``."""
        if self.inside_bar:
            raise self.error("There is one '|' (or '||') between effects and grouping factor.", node)
        if not _in_parentheses(self.source.plain, span_of(node)):
            raise self.error("A group-specific term needs parentheses: (x|g).", node)
        if not additive:
            raise self.error("A group-specific term is added: 'y ~ x + (x|g)'; it takes no part in interactions.", node)
        if len(node.args) == 1:
            raise self.error("Nothing stands left of '|'; write (1|g) for group intercepts.", node)
        left, right = node.args
        correlated = not (right.type == "|" and len(right.args) == 1)
        left, shared = self._id(left, node, correlated) if left.type == "|" else (left, None)
        effects = self._side(left)
        factors = self._side(right if correlated else right.args[0])
        if factors.intercept is not None or not factors.terms:
            raise self.error("Right of '|' stands the column that groups the rows: (1|g).", right)
        intercept = effects.intercept is not False
        if not intercept and not effects.terms:
            raise self.error("Left of '|' stands nothing but 0.", left)
        if shared is not None and len(factors.terms) > 1:
            raise self.error(f"The id '{shared}' stands beside one grouping factor: write a bar for each.", right)
        grouping = tuple(self._grouping(term) for term in factors.terms)
        spec = GroupSpec(intercept, tuple(effects.terms), grouping, correlated, span_of(node), shared)
        self.groups.append(spec)
        return Sum()

    def _id(self, left: ParseNode, node: ParseNode, correlated: bool) -> tuple[ParseNode, str]:
        """Effects and id of ``(effects|id|group)``, whose first two parts are `left`."""
        middle = left.args[-1]
        if len(left.args) == 1:
            raise self.error("Nothing stands left of '|'; write (1|id|g) for group intercepts.", node)
        if _in_parentheses(self.source.plain, span_of(left)):
            raise self.error("There is one '|' (or '||') between effects and grouping factor.", node)
        if left.args[0].type == "|":
            raise self.error("A bar has three parts at most: effects, an id, a grouping factor: (x|id|g).", node)
        if not correlated or middle.type == "|":
            message = "An id asks for correlated effects, '||' for independent ones: write (x|id|g) or (x||g)."
            raise self.error(message, node)
        text = self.source.text[slice(*span_of(middle))]
        if not (text.isidentifier() or text.isdecimal()):
            raise self.error("Between two '|' stands an id, which is a plain name: (x|id|g).", middle)
        return left.args[0], text

    def _grouping(self, term: Term) -> Term:
        """A grouping factor; of ``gr(g, cov=K)`` the factor g, and the call."""
        whole = term.factors[0]
        read = read_grouping(whole) if len(term.factors) == 1 else None
        return term if read is None else Term(read.factors, term.span, whole, read.more)

    def _side(self, node: ParseNode) -> Sum:
        """One side of a bar."""
        reader = Reader(self.source, inside_bar=True)
        result = reader.read(node, additive=True)
        self.notes += reader.notes
        return result


def _in_parentheses(plain: str, span: tuple[int, int]) -> bool:
    """Whether the text in `span` is one pair of parentheses: true of ``(x|g)``, not of ``(x) + (x|g)``."""
    start, end = span
    if plain[start] != "(" or plain[end - 1] != ")":
        return False
    depth = 0
    for position in range(start, end):
        depth += {"(": 1, ")": -1}.get(plain[position], 0)
        if depth == 0:
            return position == end - 1
    return False
