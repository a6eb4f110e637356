"""Which of the targets serves a model, and why, in one readable record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from nutslite._columns import folded
from nutslite.exceptions import SettingError, SettingTypeError, error_about
from nutslite.posterior.assembly.coded_columns import coded_sentences, without_codes
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.density.plain import is_plain
from nutslite.posterior.marginal.crossproducts import reduce_gaussian
from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.pilot.nested_laplace import is_small
from nutslite.posterior.pilot.pieces import has_pieces
from nutslite.posterior.pilot.pilot import why_no_pilot
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.targets.target import JointTarget, MarginalTarget, Target

Path = Literal["auto", "joint", "marginal"]
PATHS = ("auto", "joint", "marginal")


_CLOSE_TO_NORMAL = (
    "If a normal distribution there, with a heavy-tailed part, fits the posterior closely, its draws are proposals of "
    "independence Metropolis instead of NUTS"
)


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
    sentences : tuple of str
        The plan in plain words.
    """

    path: str
    pilot: bool
    sentences: tuple[str, ...]
    assembled: Assembled
    reduction: Reduction | None
    merged: ModelData | None = None

    def __str__(self) -> str:
        return folded("\n".join(self.sentences), hanging=2)

    __repr__ = __str__

    @property
    def density(self) -> Literal["joint", "plain", "marginal"]:
        """Which compiled density serves first."""
        if self.reduction is not None:
            return "marginal"
        return "plain" if is_plain(self.assembled.data if self.merged is None else self.merged) else "joint"

    @property
    def is_small(self) -> bool:
        """Whether the model has so few rows that coordinates are made for it."""
        return self.reduction is None and self.pilot and is_small(self.assembled.data)

    def target(self) -> Target:
        """A fresh target for one fit."""
        if self.reduction is not None:
            return MarginalTarget(self.assembled, self.reduction)
        if self.assembled.spec.potentials:
            from nutslite.posterior.targets.potential_target import (
                PotentialTarget,  # most models have none: 0.05 s saved
            )

            return PotentialTarget(self.assembled, self.merged)
        return JointTarget(self.assembled, self.pilot, self.merged)


def make_plan(
    assembled: Assembled, path: Path = "auto", *, pilot: bool = True, merge: bool = True, code: bool = True
) -> Plan:
    """Choose a path, or check that the one asked for can serve.

    `merge` allows equal rows to be merged, `code` allows common columns to be read by code.

    Raises
    ------
    SettingError
        If `path` is unknown, or is ``"marginal"`` and the model does not allow it (the message says why).
    """
    if path not in PATHS:
        error = error_about(path, str, SettingError, SettingTypeError)
        raise error(f"There is no plan '{path}'; there are {', '.join(PATHS)}.")
    if not code:
        assembled = replace(assembled, data=without_codes(assembled.data))
    reduction = _reduced(assembled) if path != "joint" else "the joint density was asked for"
    if not isinstance(reduction, str) and not reduction.kept.size:
        reduction = "no parameter would be left for NUTS"
    if path == "marginal" and isinstance(reduction, str):
        raise SettingError(f"plan='marginal' cannot serve this model: {reduction}.")
    if isinstance(reduction, str):
        return _joint_plan(assembled, reduction, pilot, merge)
    return Plan("marginal", True, _marginal_sentences(assembled, reduction), assembled, reduction)


def _reduced(assembled: Assembled) -> Reduction | str:
    """The model in cross-products, or why it cannot be reduced to these."""
    if assembled.spec.potentials:
        return "the model has potentials, which may be any function of the parameters"
    return reduce_gaussian(assembled)


def _joint_plan(assembled: Assembled, reason: str, pilot: bool, merge: bool) -> Plan:
    layout, data = assembled.layout, assembled.data
    merged = merge_equal_rows(data) if merge else None
    n = (data if merged is None else merged).y.shape[1]
    first = (
        f"NUTS over all {layout.dimension} parameters ({data.centring.size} of them group effects); "
        f"every gradient reads {n:,} rows."
    )
    sentences = [first, f"Coefficients and group effects are not integrated out: {reason}."]
    if merged is not None:
        sentences.append(f"{data.y.shape[1]:,} rows are {n:,} different ones, which count with weights.")
    sentences += coded_sentences(data if merged is None else merged, layout.variables)
    why_not = why_no_pilot(data) if pilot else "it was not asked for"
    if assembled.spec.potentials:
        why_not = why_not or "it would look for the mode of the model without its potentials"
    if why_not is None:
        sentences.append(
            "A pilot finds the mode, the metric and how far each level is centred; then a short warm-up."
            if data.centring.size
            else f"A pilot finds the mode and the metric. {_CLOSE_TO_NORMAL}; otherwise a short warm-up."
        )
        if is_small(data):
            sentences.append(
                "Few rows, and an inverse link that breaks the posterior into pieces: in place of all that, slice "
                "sampling together with powers of the likelihood, which comes to each piece."
                if has_pieces(data, assembled.spec.family)
                else "Few rows: where that does not fit, coordinates are made in which it may, and otherwise slice "
                "sampling replaces NUTS."
            )
    else:
        sentences.append(f"No pilot ({why_not}): the metric adapts during warm-up.")
    return Plan("joint", why_not is None, tuple(sentences), assembled, None, merged)


def _marginal_sentences(assembled: Assembled, reduction: Reduction) -> tuple[str, ...]:
    data = reduction.data
    r = reduction.rest_targets.size
    if reduction.large:
        return _large_sentences(assembled, reduction)
    n = assembled.data.y.shape[1]
    sentences = [f"Gaussian, identity link: {n:,} rows reduced to {r + 1} x {r + 1} cross-products."]
    if reduction.level_targets.size:
        levels, q = reduction.level_targets.shape
        classes = data.class_counts.size
        sentences.append(
            f"The {levels * q:,} effects of the largest grouping factor ({levels:,} levels in {classes} "
            f"class{'es' if classes != 1 else ''} of equal design) are integrated out level by level."
        )
    sentences.append(f"{r} coefficients and other effects are integrated out by one dense factorisation.")
    sentences.append(
        f"NUTS over {reduction.kept.size} parameter{'s' if reduction.kept.size != 1 else ''}; "
        "all that was integrated out is drawn exactly afterwards."
    )
    sentences.append(f"A pilot finds their mode and curvature. {_CLOSE_TO_NORMAL}.")
    return tuple(sentences)


def _large_sentences(assembled: Assembled, reduction: Reduction) -> tuple[str, ...]:
    n, r = assembled.data.y.shape[1], reduction.rest_targets.size
    return (
        f"Gaussian, identity link: {n:,} rows reduced to cross-products.",
        f"The {reduction.level_targets.size:,} effects of the largest grouping factor are integrated out one by one, "
        f"{r:,} coefficients and other effects by a factorisation of order {r:,}.",
        f"A gradient would cost too much: independence Metropolis over {reduction.kept.size} parameters, "
        "each transition with two exact draws of all that was integrated out.",
    )
