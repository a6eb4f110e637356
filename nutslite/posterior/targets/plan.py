"""Which of the targets serves a model, and why, in one readable record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from nutslite._capabilities import CODES, CONCAVE, FEW_ROWS, INTEGRATES, MATRIX, MERGES, PILOT, Declaration, why_refused
from nutslite._columns import folded
from nutslite.exceptions import ArgumentError, ArgumentTypeError, SettingError, SettingTypeError, error_about
from nutslite.posterior.assembly.coded_columns import coded_sentences, without_codes
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.density.plain import is_plain
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.nodes.program import declarations_of_nodes
from nutslite.posterior.pilot.matrix_structure import Structure, find_structure, has_one_factor, why_no_matrix
from nutslite.posterior.pilot.nested_laplace import has_few_rows, is_small
from nutslite.posterior.pilot.pieces import has_pieces
from nutslite.posterior.pilot.pilot import why_no_pilot
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.declarations import declarations_of
from nutslite.posterior.record.model_data import ModelData, sorted_rows
from nutslite.posterior.targets.levels_target import LevelsTarget, may_go_by_levels
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.matrix_target import MatrixTarget
from nutslite.posterior.targets.plan_sentences import (
    CLOSE_TO_NORMAL,
    by_levels_sentence,
    effects_in_words,
    few_rows_sentence,
    marginal_sentences,
    matrix_sentences,
)
from nutslite.posterior.targets.streamed_target import StreamedTarget, streamed
from nutslite.posterior.targets.target import JointTarget, Target

Path = Literal["auto", "joint", "marginal"]
PATHS = ("auto", "joint", "marginal")
Centring = Literal["levels", "matrix"]
CENTRINGS = ("levels", "matrix")
"""What a pilot may be told to choose: a weight of centring for each level, or matrix centring."""
MANY_ROWS = 1 << 17
"""From so many on it pays not to keep them in two orders."""
MANY_PARAMETERS = 50
"""From so many on chains turn around the pilot's mode by an angle, and do not look for where to turn back."""


@dataclass(frozen=True)
class Plan:
    """What will run.

    Attributes
    ----------
    path : str
        ``"joint"`` or ``"marginal"``.
    pilot : bool
        Whether a pilot chooses starting points, metric and centring, so that a short warm-up is enough.
    merged : ModelData or None
        The joint density's data with equal rows merged, where many are equal.
    structure : Structure or None
        The sparse factor's places, where the pilot is to find the coordinates of matrix centring.
    may_move : bool
        Whether the pilot decides on these, by how much it has learned of scales.
    by_levels : bool
        Whether a proposal is tried whose group effects are drawn level by level, before a pilot.
    is_small : bool
        Whether the model has so few rows that coordinates are made for it, or slices replace NUTS.
    sentences : tuple of str
        The plan in plain words.
    """

    path: str
    pilot: bool
    sentences: tuple[str, ...]
    assembled: Assembled
    reduction: Reduction | None
    merged: ModelData | None = None
    structure: Structure | None = None
    is_small: bool = False
    may_move: bool = False
    by_levels: bool = False

    def __str__(self) -> str:
        return folded("\n".join(self.sentences), hanging=2)

    __repr__ = __str__

    @property
    def density(self) -> Literal["joint", "plain", "marginal", "matrix", "levels"]:
        """Which compiled density serves first."""
        if self.reduction is not None:
            return "marginal"
        if self.by_levels:
            return "levels"
        if self.structure is not None:
            return "matrix"
        return "plain" if is_plain(self.assembled.data if self.merged is None else self.merged) else "joint"

    @property
    def rotates(self) -> bool:
        """Whether trajectories turn around the pilot's mode by default."""
        many = self.assembled.layout.dimension >= MANY_PARAMETERS
        return many and self.pilot and self.reduction is None and not self.is_small

    @property
    def streams(self) -> bool:
        """Whether every density reads data on an engine."""
        return streamed(self.assembled) is not None

    @property
    def is_large(self) -> bool:
        """Whether it is of a marginal density of which one value is a large factorisation."""
        return self.reduction is not None and self.reduction.large

    def target(self) -> Target:
        """A fresh target for one fit."""
        if self.streams:
            return StreamedTarget(self.assembled)
        if self.reduction is not None:
            return MarginalTarget(self.assembled, self.reduction)
        if self.assembled.spec.potentials:
            from nutslite.posterior.targets.potential_target import (
                PotentialTarget,  # most models have none: 0.05 s saved
            )

            return PotentialTarget(self.assembled, self.merged)
        if self.structure is not None or self.may_move:
            return MatrixTarget(self.assembled, self.structure, self.merged)
        return JointTarget(self.assembled, self.pilot, self.merged, self.is_small)

    def levels_target(self, cores: int) -> Target:
        """A fresh target of a plan `by_levels`, without group effects; the search for its mode has so many threads."""
        return LevelsTarget(self.assembled, self.merged, cores)


def check_pilot(pilot: Any) -> None:
    """Raise where `pilot` is neither yes or no nor the name of the coordinates that it is to choose.

    Raises
    ------
    ArgumentError
    """
    if isinstance(pilot, str) and pilot in CENTRINGS:
        return
    if not isinstance(pilot, bool) and type(pilot).__name__ not in ("bool", "bool_"):
        error = error_about(pilot, str, ArgumentError, ArgumentTypeError)
        raise error(f"pilot is True or False, or which coordinates it is to choose, {_choices()}; not {pilot!r}.")


def _choices() -> str:
    return " or ".join(repr(name) for name in CENTRINGS)


def make_plan(
    assembled: Assembled,
    path: Path = "auto",
    *,
    pilot: bool | Centring = True,
    merge: bool = True,
    code: bool = True,
) -> Plan:
    """Choose a path, or check that the one asked for can serve.

    `pilot` may name the coordinates that the pilot is to choose on the joint path. `merge` allows equal rows to be
    merged, `code` allows common columns to be read by code.

    Raises
    ------
    SettingError
        If `path` is unknown, or is ``"marginal"`` and the model does not allow it, or matrix centring was asked for and
        the model does not allow that (the message says why).
    """
    check_pilot(pilot)
    if path not in PATHS:
        error = error_about(path, str, SettingError, SettingTypeError)
        raise error(f"There is no plan '{path}'; there are {', '.join(PATHS)}.")
    if (elsewhere := assembled.spec.elsewhere) is None:
        return _make_plan(assembled, path, pilot, merge, code)
    if streamed(assembled) is not None:
        return _streamed_plan(assembled, path, pilot)
    plan = _make_plan(assembled, path, pilot, merge, code)
    return replace(plan, sentences=(*elsewhere.sentences, *plan.sentences))


def _make_plan(assembled: Assembled, path: Path, pilot: bool | Centring, merge: bool, code: bool) -> Plan:
    """For rows in memory, be it that they stand for others."""
    declared = [*declarations_of(assembled.spec), *declarations_of_nodes(assembled.data.head)]
    if not code or why_refused(declared, CODES) is not None:
        assembled = replace(assembled, data=without_codes(assembled.data))
    reduction = _reduced(assembled, declared) if path != "joint" else "the joint density was asked for"
    if not isinstance(reduction, str) and not reduction.kept.size:
        reduction = "no parameter would be left for NUTS"
    if path == "marginal" and isinstance(reduction, str):
        raise SettingError(f"plan='marginal' cannot serve this model: {reduction}.")
    if isinstance(reduction, str):
        plan = _joint_plan(assembled, declared, reduction, pilot, merge)
        return _by_levels(plan, declared) if path == "auto" and pilot is True else plan
    if pilot == "matrix":
        raise SettingError(
            "pilot='matrix' has no use here: coefficients and group effects of this model are integrated out. Add "
            "plan='joint' to sample them."
        )
    few = not reduction.large and has_few_rows(assembled.data, reduction.kept.size)
    return Plan("marginal", True, marginal_sentences(assembled, reduction), assembled, reduction, is_small=few)


def _streamed_plan(assembled: Assembled, path: Path, pilot: bool | Centring) -> Plan:
    """For rows on an engine, which every density reads.

    Raises
    ------
    SettingError
        For what passes over the data do not do.
    """
    elsewhere = streamed(assembled)
    if path == "marginal" or pilot is not True or elsewhere is None:
        raise SettingError(
            "The data are on an engine and read in passes: there is one plan for them, by a pilot and proposals. Leave "
            "plan= and pilot= out."
        )
    sentences = (
        *elsewhere.sentences,
        f"Proposals for all {assembled.layout.dimension} parameters are independence Metropolis's, all draws in one "
        "pass; some ten passes altogether, whatever the number of rows.",
    )
    return Plan("joint", True, sentences, assembled, None)


def _reduced(assembled: Assembled, declared: Sequence[Declaration]) -> Reduction | str:
    """The model in cross-products, or why it cannot be reduced to these."""
    reduction = reduce_gaussian(assembled)
    if isinstance(reduction, str):
        return reduction
    return why_refused(declared, INTEGRATES) or reduction


def _joint_plan(
    assembled: Assembled, declared: Sequence[Declaration], reason: str, pilot: bool | Centring, merge: bool
) -> Plan:
    layout, data = assembled.layout, assembled.data
    unmerged = why_refused(declared, MERGES)
    merged = merge_equal_rows(data) if merge and unmerged is None else None
    n = (data if merged is None else merged).y.shape[1]
    sentences = [f"Coefficients and group effects are not integrated out: {reason}."]
    if merged is not None:
        sentences.append(f"{data.y.shape[1]:,} rows are {n:,} different ones, which count with weights.")
    elif unmerged is not None:
        sentences.append(f"Equal rows are not merged: {unmerged}.")
    sentences += coded_sentences(data if merged is None else merged, layout.variables)
    if (uncoded := why_refused(declared, CODES)) is not None:
        sentences.append(f"No column is read by code: {uncoded}.")
    why_not = _why_no_pilot(assembled, declared, pilot)
    structure = None if why_not is not None else _structure(data, declared, pilot)
    few = why_not is None and structure is None and is_small(data) and assembled.spec.elsewhere is None
    may_move = (
        pilot is True and why_not is None and structure is None and not few and _may_be_matrix(assembled, declared)
    )
    unfit = why_refused(declared, FEW_ROWS)
    small = few and unfit is None
    plan = Plan("joint", why_not is None, (), assembled, None, merged, structure, small, may_move)
    first = (
        f"{'HMC' if plan.rotates else 'NUTS'} over all {layout.dimension} parameters ({data.centring.size} of them "
        f"{effects_in_words(assembled)}); every gradient reads {n:,} rows."
    )
    if structure is not None:
        sentences += matrix_sentences(structure)
    elif why_not is None:
        sentences.append(
            "A pilot finds the mode, the metric and how far each level is centred; then a short warm-up."
            if data.centring.size
            else f"A pilot finds the mode and the metric. {CLOSE_TO_NORMAL}; otherwise a short warm-up."
        )
        if few:
            sentences.append(few_rows_sentence(unfit, has_pieces(data, assembled.spec.family)))
        if may_move:
            sentences.append(
                "Where the pilot finds a scale that the data hardly tell, all are sampled as standard normals around "
                "their mode given the scales (matrix centring) instead."
            )
    else:
        sentences.append(f"No pilot ({why_not}): the metric adapts during warm-up.")
    return replace(plan, sentences=(first, *sentences))


def with_sorted_rows(plan: Plan) -> Plan:
    """The plan with the rows in the order in which its target reads them, so that they are in memory once.

    The same plan where rows are few or merged, or not sorted by a grouping factor; or where something depends on the
    order: segments, sums over offsets and columns of group terms for a first guess, users' terms.
    """
    data = plan.assembled.data
    plain = plan.reduction is None and plan.merged is None and not plan.streams and not plan.assembled.spec.potentials
    moves = len(data.segments) == 1 and not (data.offsets.size or data.z.size) and data.blocks.size
    if data.y.shape[1] < MANY_ROWS or not (plain and moves):
        return plan
    found = sorted_rows(data)
    return plan if found is data else replace(plan, assembled=replace(plan.assembled, data=found))


def _by_levels(plan: Plan, declared: Sequence[Declaration]) -> Plan:
    """The plan, with a proposal by levels before anything else where one may be tried."""
    if not plan.pilot or plan.is_small or plan.assembled.spec.elsewhere:
        return plan
    if not may_go_by_levels(plan.assembled.data):
        return plan
    if (refused := why_refused(declared, CONCAVE)) is not None:
        return replace(plan, sentences=(*plan.sentences, f"Effects are not drawn level by level: {refused}."))
    return replace(plan, by_levels=True, sentences=(by_levels_sentence(plan.assembled), *plan.sentences))


def _why_no_pilot(assembled: Assembled, declared: Sequence[Declaration], pilot: bool | Centring) -> str | None:
    """In plain words why there is no pilot, or None.

    Raises
    ------
    SettingError
        If matrix centring was asked for, which needs one.
    """
    why_not = (why_refused(declared, PILOT) or why_no_pilot(assembled.data)) if pilot else "it was not asked for"
    if pilot == "matrix" and why_not is not None:
        raise SettingError(f"pilot='matrix' cannot serve this model, which has no pilot: {why_not}.")
    return why_not


def _structure(data: ModelData, declared: Sequence[Declaration], pilot: bool | Centring) -> Structure | None:
    """The places of matrix centring's factor where it was asked for, or serves and is cheaper; None: level by level.

    Raises
    ------
    SettingError
        If it was asked for and cannot serve.
    """
    forced = pilot == "matrix"
    if pilot == "levels" or (not forced and is_small(data)):
        return None
    why_not = why_refused(declared, MATRIX) or why_no_matrix(data)
    structure = find_structure(data, forced) if why_not is None else None
    if forced and structure is None:
        why_not = why_not or "its factors are crossed, and a factorisation would take too much memory"
        raise SettingError(f"pilot='matrix' cannot serve this model: {why_not}.")
    return structure


def _may_be_matrix(assembled: Assembled, declared: Sequence[Declaration]) -> bool:
    """Whether matrix centring can serve the effects of a single factor."""
    if why_refused(declared, MATRIX) is not None or why_no_matrix(assembled.data) is not None:
        return False
    return has_one_factor(assembled.data)
