"""`build_design`: a formula and data become a `Design`, the numbers that every room to the right works on.

The steps: read the formulas (`parsing`), check the Python in them (`safety`), find the used columns and the complete
rows (`data`, `missing`), work out every factor once (`factors`), code terms into columns (`coding`), index the
grouping factors (`grouping`), take the response apart (`response`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from nutslite.exceptions import DataError, did_you_mean
from nutslite.formula import response as response_room
from nutslite.formula.by_levels import taken_apart
from nutslite.formula.columns.data import as_frame, columns_of, rounded_columns, select
from nutslite.formula.columns.lent import Lender
from nutslite.formula.columns.missing import complete_rows
from nutslite.formula.correlated import note_lonely_ids
from nutslite.formula.evaluation.evaluation import Evaluator, Memory
from nutslite.formula.evaluation.functions import taken_for_levels
from nutslite.formula.evaluation.safety import check
from nutslite.formula.factors import Factor, apply_factors, learn_factors
from nutslite.formula.formula import Formula
from nutslite.formula.grouping import GroupPlan, apply_group, learn_group
from nutslite.formula.language.algebra import Term
from nutslite.formula.language.parsing import PredictorSpec
from nutslite.formula.predictors import (
    PredictorPlan,
    build_predictor,
    check_columns,
    factor_expressions,
    plan_predictor,
    resettled,
    with_sds,
)
from nutslite.formula.reading import read_formula
from nutslite.formula.records import FloatArray, GroupFactor, GroupTerm, LinearPredictor, Response
from nutslite.formula.response import ResponsePlan
from nutslite.formula.terms.kinds import Interval


@dataclass(frozen=True)
class _Recipe:
    """All that `Design.evaluate` needs, settled by the data that the model was built from."""

    categorical: frozenset[str]
    extra: Mapping[str, Any]
    memory: Memory
    factors: dict[str, Factor]
    predictors: tuple[PredictorPlan, ...]
    groups: tuple[GroupPlan, ...]
    response: ResponsePlan
    predictor_columns: tuple[str, ...]
    common_columns: tuple[str, ...]  # of these, what is left without group-specific terms
    response_columns: tuple[str, ...]
    gaps: frozenset[str]  # columns that only intervals need a value of


@dataclass(frozen=True)
class Design:
    """A model's data as numbers.

    Attributes
    ----------
    response : Response
        The left-hand side.
    predictors : dict
        Parameter -> `LinearPredictor`, for the parameters that have a formula, the parent first.
    factors : dict
        Name -> `GroupFactor`, shared by all predictors.
    weights : ndarray, shape (n,), or None
        Log-likelihood weights of ``weighted(y, w)``.
    n_rows, n_dropped : int
        Rows in use, and incomplete rows left out.
    used_columns : tuple of str
        Columns of the data that the formulas use, the response's first.
    rows : pandas.Index, length n
        The user's labels of the rows in use.
    lender : Lender
        Who keeps the user's columns as they were, where arrays of the design are these: read-only.
    """

    response: Response
    predictors: dict[str, LinearPredictor]
    factors: dict[str, GroupFactor]
    weights: FloatArray | None
    n_rows: int
    n_dropped: int
    used_columns: tuple[str, ...]
    rows: pd.Index = field(repr=False, compare=False)
    _recipe: _Recipe = field(repr=False, compare=False)
    lender: Lender = field(repr=False, compare=False)

    @property
    def group_terms(self) -> list[GroupTerm]:
        """Group-specific terms of all predictors."""
        return [term for predictor in self.predictors.values() for term in predictor.group_terms]

    @property
    def is_censored(self) -> bool:
        """Whether some responses may be censored; of rows to predict for nobody knows which."""
        return self._recipe.response.spec.unseen

    @property
    def response_proper(self) -> str:
        """The response's name without calls around it that leave its unit alone: ``y`` of ``weighted(y, w)``."""
        spec = self._recipe.response.spec
        changed = bool(spec.columns) or any(use.form.companions for use in spec.forms)
        return self.response.name if changed or not spec.forms else spec.value.name

    @property
    def predictor_columns(self) -> tuple[str, ...]:
        """Columns that predictors use, those of grouping factors included."""
        return self._recipe.predictor_columns

    @property
    def common_columns(self) -> tuple[str, ...]:
        """Columns that predictors use, without those that only group-specific terms use."""
        return self._recipe.common_columns

    @property
    def grouping_columns(self) -> frozenset[str]:
        """Columns that are grouping factors or take part in one: g of ``(1|gr(g, cov=K))``, a and b of ``(1|a:b)``."""
        terms = [plan.term for plan in self._recipe.groups]
        others = [() if term.is_of_members or term.has_sds else term.more for term in terms]
        trees = [factor.tree for term, more in zip(terms, others, strict=True) for factor in (*term.factors, *more)]
        names = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
        return frozenset(names & set(self.predictor_columns))

    @property
    def level_columns(self) -> frozenset[str]:
        """Columns whose values a formula takes for levels, be they numbers: x of ``C(x)`` and ``mo(x)``."""
        specs = [plan.spec for plan in self._recipe.predictors]
        trees = [item.tree for spec in specs for item in (*spec.expressions(), *spec.calls)]
        return frozenset(name for tree in trees for name in taken_for_levels(tree))

    @property
    def categorical(self) -> frozenset[str]:
        """Columns that are categories because the user says so."""
        return self._recipe.categorical

    def check_columns(self) -> None:
        """Refuse products and constants that say nothing in these rows.

        Raises
        ------
        DataError, FormulaError
        """
        for plan in self._recipe.predictors:
            check_columns(plan, self.predictors[plan.spec.parameter])

    def settled(self, interval: Callable[[str, str], Interval]) -> tuple[Design, tuple[str, ...]]:
        """The same once terms have chosen what their formula left open, and what they chose, in sentences.

        Parameters
        ----------
        interval : callable
            ``interval(parameter, term)``, where the middle of each prior lies that the user gave the term.
        """
        predictors, plans, sentences = dict(self.predictors), [], []
        for plan in self._recipe.predictors:
            name = plan.spec.parameter
            found = [term.settled(interval(name, term.name)) for term in plan.special]
            plans.append(replace(plan, special=tuple(term for term, _ in found)))
            sentences += [f"'{term.name}' {own.sentence}" for term, own in found if own is not None and own.sentence]
            pairs = zip(found, predictors[name].basis_terms, strict=False)  # of factors come after those of calls
            terms = tuple(before if own is None else resettled(term, own, before) for (term, own), before in pairs)
            others = predictors[name].basis_terms[len(terms) :]
            predictors[name] = replace(predictors[name], basis_terms=(*terms, *others))
        recipe = replace(self._recipe, predictors=tuple(plans))
        return replace(self, predictors=predictors, _recipe=recipe), tuple(sentences)

    def evaluate(self, new_data: Any, *, response: bool = False, groups: bool = True) -> Design:
        """The same terms on new rows: transforms and codings as learned from the data that the model was built from.

        Parameters
        ----------
        new_data : DataFrame or whatever `build_design` takes
            Must hold the predictors' columns, without missing values.
        response : bool
            Whether to evaluate the response as well. If not, its columns need not be there, its values are nan
            (except for trials of ``p(y, n)`` that the new data hold), and there are no weights.
        groups : bool
            Whether to evaluate group-specific terms and grouping factors. If not, the columns that only they use need
            not be there, and nobody looks at them.

        Returns
        -------
        Design
            Rows of grouping factors whose level is new have index -1, and the level's name in ``new_levels``.

        Raises
        ------
        DataError
            For missing columns or values, for levels of common terms that the model does not know.
        """
        recipe = self._recipe
        frame = as_frame(new_data)
        needed = list(recipe.predictor_columns if groups else recipe.common_columns)
        plans = recipe.predictors if groups else tuple(plan.without_groups() for plan in recipe.predictors)
        if response:
            needed = list(dict.fromkeys((*recipe.response_columns, *needed)))
        _check_present(needed, frame)
        optional = () if response else _companion_columns(recipe, frame)
        used = select(frame, dict.fromkeys([*needed, *optional]))
        complete_rows(used[[name for name in needed if name not in recipe.gaps]], dropna=None)
        used = used.drop(columns=[name for name in optional if name not in needed and used[name].isna().any()])
        columns = columns_of(used, recipe.categorical)
        rounded = rounded_columns(used, columns)
        evaluator = Evaluator(columns, len(used), recipe.extra, recipe.memory, False, rounded=rounded)
        values = apply_factors(factor_expressions(plan.spec for plan in plans), recipe.factors, evaluator)
        predictors = {plan.spec.parameter: build_predictor(plan, values, evaluator) for plan in plans}
        factors = {plan.term.name: apply_group(plan, evaluator) for plan in recipe.groups if groups}
        predictors, factors = taken_apart(predictors, factors)
        if response:
            observed, weights = response_room.apply_response(recipe.response, evaluator)
        else:
            observed, weights = response_room.unknown_response(recipe.response, evaluator), None
        named = tuple(dict.fromkeys([*needed, *optional]))
        lender = Lender.of(frame)
        return Design(observed, predictors, factors, weights, len(used), 0, named, used.index, recipe, lender)


def build_design(
    formula: str | Formula,
    data: Any,
    *,
    parameters: tuple[str, ...] = ("mu", "sigma"),
    without_intercept: Collection[str] = (),
    categorical: str | Collection[str] | None = None,
    dropna: bool = False,
    extra_namespace: Mapping[str, Any] | None = None,
    check: bool = True,
    memory: Memory | None = None,
) -> Design:
    """Turn a formula and data into numbers.

    Parameters
    ----------
    formula : str or Formula
        ``"y ~ x + (x|g)"``, or several lines, one per modelled parameter.
    data : DataFrame, polars or pyarrow table, dict of arrays, or path of a CSV or Parquet file
        One row per observation. Never modified.
    parameters : tuple of str
        The family's parameters, the parent first: the main formula models it.
    without_intercept : collection of str
        Parameters that have no intercept, whatever their formula says, because others (thresholds) are in its place.
    categorical : collection of str, optional
        Columns that are categories although they hold numbers.
    dropna : bool
        Leave out rows with a missing value in any used column, and say so; otherwise they raise.
    extra_namespace : mapping, optional
        Further names that the formulas may use: functions, and constants such as lists of knots. Columns of the data
        come first, and the package's own functions cannot be replaced.
    check : bool
        Whether to refuse columns that say nothing, as `Design.check_columns` does: not where `data` are a few rows of
        many.
    memory : Memory, optional
        What transforms have learned already, from more rows than these.

    Returns
    -------
    Design

    Raises
    ------
    FormulaError
        When a formula is not understood.
    DataError
        When the data do not fit it.

    Examples
    --------
    >>> design = build_design("y ~ g + (1|s)", {"y": [1.0, 2.0, 4.0], "g": ["a", "b", "a"], "s": [7, 7, 8]})
    >>> design.predictors["mu"].terms[0].labels
    ('b',)
    >>> design.factors["s"].index.tolist(), design.factors["s"].levels
    ([0, 0, 1], ('7', '8'))
    """
    frame = as_frame(data)
    found = read_formula(formula, frame, parameters, categorical, extra_namespace)
    parsed, spec, extra, forced = found.parsed, found.response, found.extra, found.categorical
    response_columns, predictor_columns, common = found.response_columns, found.predictor_columns, found.common_columns
    used_columns, gaps = found.used_columns, found.gaps

    lender = Lender.of(frame)
    frame = select(frame, used_columns)
    complete = complete_rows(frame.drop(columns=list(gaps)) if gaps else frame, dropna)
    n_dropped = int(np.count_nonzero(~complete))
    if n_dropped:
        frame = frame[complete]
    memory = Memory() if memory is None else memory
    declared = forced | {str(name) for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)}
    columns, rows = columns_of(frame, forced), frame.index
    evaluator = Evaluator(columns, len(frame), extra, memory, True, declared, rounded_columns(frame, columns))
    del frame, columns

    response_plan, response, weights = response_room.learn_response(spec, evaluator, forced)
    known, values = learn_factors(factor_expressions(parsed.predictors), evaluator)
    plans = tuple(
        plan_predictor(item, known, evaluator, item.parameter in without_intercept) for item in parsed.predictors
    )
    predictors = {plan.spec.parameter: build_predictor(plan, values, evaluator) for plan in plans}
    for plan in plans if check else ():
        check_columns(plan, predictors[plan.spec.parameter])
    note_lonely_ids(predictors)
    group_plans, groups = _learn_groups(parsed.predictors, evaluator)
    predictors, groups = taken_apart(predictors, groups)
    predictors = {name: with_sds(predictor, groups) for name, predictor in predictors.items()}
    recipe = _Recipe(
        forced, extra, memory, known, plans, group_plans, response_plan, predictor_columns, common, response_columns,
        gaps,
    )  # fmt: skip
    return Design(response, predictors, groups, weights, evaluator.rows, n_dropped, used_columns, rows, recipe, lender)


def _check_present(names: Iterable[str], frame: pd.DataFrame) -> None:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        hint = did_you_mean(missing[0], map(str, frame.columns))
        listed = ", ".join(f"'{name}'" for name in missing)
        raise DataError(f"The new data lack the column{'s' * (len(missing) > 1)} {listed}.{hint}")


def _companion_columns(recipe: _Recipe, frame: pd.DataFrame) -> tuple[str, ...]:
    known = frozenset((*recipe.response_columns, *recipe.predictor_columns))
    found = [name for item in recipe.response.spec.companions for name in check(item, known, recipe.extra)]
    return tuple(name for name in found if name in frame.columns)


def _learn_groups(
    specs: Iterable[PredictorSpec], evaluator: Evaluator
) -> tuple[tuple[GroupPlan, ...], dict[str, GroupFactor]]:
    terms: dict[str, Term] = {}
    for spec in specs:
        for group in spec.groups:
            for term in group.factors:
                terms.setdefault(term.name, term)
    learned = [learn_group(term, evaluator) for term in terms.values()]
    return tuple(plan for plan, _ in learned), {factor.name: factor for _, factor in learned}


__all__ = ["Design", "build_design"]
