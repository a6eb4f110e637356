"""A formula read and checked against the names of the data's columns, before any value is looked at."""

from __future__ import annotations

import ast
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from nutslite.exceptions import DataError, DataTypeError, FormulaError, did_you_mean, shown
from nutslite.formula.category_specific import CS, category_specific
from nutslite.formula.columns.hints import index_hint, quote_hint, with_quote_hint
from nutslite.formula.evaluation.functions import taken_for_levels
from nutslite.formula.evaluation.safety import check, check_extra_namespace
from nutslite.formula.formula import Formula, as_formula
from nutslite.formula.language.expression import Expression
from nutslite.formula.language.parsing import ParsedFormula, check_ids, parse, refuse_response_as_term
from nutslite.formula.predictors import without_offset
from nutslite.formula.response_spec import ResponseSpec, read_response
from nutslite.formula.terms.learned import set_apart


@dataclass(frozen=True)
class FormulaRead:
    """A formula, and which columns it uses.

    Attributes
    ----------
    parsed : ParsedFormula
        With terms of special kinds set apart.
    response : ResponseSpec
    extra : mapping
        What the formula may use beside columns and known functions.
    categorical : frozenset of str
        Columns that are categories because the user says so.
    response_columns, predictor_columns, common_columns : tuple of str
        The last are those that predictors use without their group-specific terms.
    used_columns : tuple of str
        All of them, the response's first.
    gaps : frozenset of str
        Columns that only intervals need a value of.
    """

    parsed: ParsedFormula
    response: ResponseSpec
    extra: Mapping[str, Any]
    categorical: frozenset[str]
    response_columns: tuple[str, ...]
    predictor_columns: tuple[str, ...]
    common_columns: tuple[str, ...]
    used_columns: tuple[str, ...]
    gaps: frozenset[str]

    @property
    def expressions(self) -> list[Expression]:
        """All that is evaluated on data, calls that are terms of special kinds left out."""
        return [*self.response.expressions(), *(e for item in self.parsed.predictors for e in item.expressions())]

    @property
    def level_columns(self) -> frozenset[str]:
        """Columns whose values are levels, be they numbers: x of ``C(x)``, g of ``(1|g)``."""
        taken = {name for item in self.expressions for name in taken_for_levels(item.tree)}
        bars = [group for item in self.parsed.predictors for group in item.groups]
        terms = [term for bar in bars for term in bar.factors]
        factors = [e for term in terms for e in (*term.factors, *(() if term.has_sds else term.more))]
        names = {node.id for e in factors for node in ast.walk(e.tree) if isinstance(node, ast.Name)}
        return frozenset((taken | names | self.categorical) & set(self.used_columns))

    @property
    def calls(self) -> list[Expression]:
        """The calls that are terms of special kinds."""
        return [e for item in self.parsed.predictors for e in item.calls]


def read_formula(
    formula: str | Formula,
    frame: pd.DataFrame,
    parameters: Collection[str],
    categorical: str | Collection[str] | None = None,
    extra_namespace: Mapping[str, Any] | None = None,
) -> FormulaRead:
    """Read a formula for data with the columns of `frame`, whose values matter for hints in messages only.

    Raises
    ------
    FormulaError
        When it is not understood.
    DataError
        When it names columns that the data lack.
    """
    formula = as_formula(formula)
    try:
        parsed = parse(formula.main, formula.additionals, tuple(parameters))
        parsed = set_apart(category_specific(parsed) if CS in parameters else parsed)
        spec = read_response(parsed.response)
    except FormulaError as error:
        raise with_quote_hint(error, frame) from None
    for column in spec.own:
        refuse_response_as_term(column, parsed.predictors)
    check_ids(parsed.predictors, frame.columns)
    extra = check_extra_namespace(extra_namespace)
    forced = _check_categorical(categorical, frame)
    response_columns = _used_columns(spec.expressions(), frame, extra)
    special = _used_columns([e for item in parsed.predictors for e in item.calls], frame, extra, term=True)
    predictor_columns, common = (
        tuple(dict.fromkeys((*_used_columns([e for item in some for e in item.expressions()], frame, extra), *special)))
        for some in (parsed.predictors, [item.without_groups() for item in parsed.predictors])
    )
    used_columns = tuple(dict.fromkeys((*response_columns, *predictor_columns)))
    always = _used_columns(spec.expressions(gaps=False), frame, extra)
    gaps = frozenset(used_columns) - {*always, *predictor_columns}
    return FormulaRead(parsed, spec, extra, forced, response_columns, predictor_columns, common, used_columns, gaps)


def _check_categorical(categorical: str | Collection[str] | None, frame: pd.DataFrame) -> frozenset[str]:
    if categorical is not None and (isinstance(categorical, Mapping) or not isinstance(categorical, Collection)):
        raise DataTypeError(f"categorical is a column's name or a list of names, not {shown(categorical)}.")
    names = [categorical] if isinstance(categorical, str) else list(categorical or ())
    for name in names:
        if isinstance(name, tuple) or not isinstance(name, Hashable):
            raise DataError(f"categorical is a column's name or a list of names, not {shown(categorical)}.")
        if name not in frame.columns:
            hint = did_you_mean(str(name), map(str, frame.columns))
            raise DataError(f"categorical: column '{name}' not found in the data.{hint}")
    return frozenset(names)


def _used_columns(
    expressions: Iterable[Expression], frame: pd.DataFrame, extra: Mapping[str, Any], *, term: bool = False
) -> tuple[str, ...]:
    """Check every expression, each of which may be a whole `term`; collect the columns that they use."""
    columns = dict.fromkeys(frame.columns)
    used: dict[str, None] = {}
    for expression in expressions:
        # an offset's call is this room's own word; what it holds is the expression
        try:
            used.update(dict.fromkeys(check(without_offset(expression), columns, extra, term=term)))
        except DataError as error:
            hints = index_hint(str(error), frame), quote_hint(expression.formula, frame)
            raise DataError("\n".join([str(error), *filter(None, hints)])) from None
        except FormulaError as error:
            raise with_quote_hint(error, frame) from None
    return tuple(used)
