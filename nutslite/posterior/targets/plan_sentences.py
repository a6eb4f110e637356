"""What a plan says of the way that it takes, in plain words."""

from __future__ import annotations

from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.pilot.matrix_structure import Structure
from nutslite.posterior.pilot.nested_laplace import has_few_rows
from nutslite.posterior.record.assembled import Assembled
from nutslite.priors.shrinkage import KINDS, shrinkage_kind

CLOSE_TO_NORMAL = (
    "If a normal distribution there, or one with the posterior's shape along its axes, fits closely, its draws are "
    "proposals of independence Metropolis instead of NUTS"
)


def effects_in_words(assembled: Assembled) -> str:
    """What the joint density's effects are: of groups, weights, coefficients that have hyperpriors or share a prior."""
    words = {"effects": "group effects", "weights": "weights"}
    found = set()
    for variable in assembled.layout.variables:
        own = assembled.inventory.by_name.get(variable.name)
        if variable.source == "effects" and own is not None:
            kind = shrinkage_kind(own.prior)
            shrunk = "coefficients with hyperpriors" if kind is None else f"coefficients of {kind.plain_words}"
            found.add(words.get(own.kind, shrunk))
    shared = (f"coefficients of {kind.plain_words}" for kind in KINDS.values())
    every = (*words.values(), "coefficients with hyperpriors", *shared)
    return " and ".join(text for text in every if text in found) or "group effects"


def few_rows_sentence(unfit: str | None, in_pieces: bool) -> str:
    """Of a model of few rows; `unfit` says why no coordinates are made for it."""
    if unfit is not None:
        return f"Few rows, but no coordinates are made for them: {unfit}."
    if in_pieces:
        return (
            "Few rows, and an inverse link that breaks the posterior into pieces: in place of all that, slice sampling "
            "together with powers of the likelihood, which comes to each piece."
        )
    return (
        "Few rows: where that does not fit, coordinates are made in which it may, and otherwise slice sampling "
        "replaces NUTS."
    )


def matrix_sentences(structure: Structure) -> list[str]:
    """Of matrix centring that was asked for, or is known to serve."""
    return [
        "A pilot finds the mode; then a short warm-up.",
        "Coefficients and group effects are sampled as standard normals around their mode given the scales (matrix "
        f"centring): every gradient makes a sparse factor of {structure.pattern.rows.size:,} numbers.",
    ]


def marginal_sentences(assembled: Assembled, reduction: Reduction) -> tuple[str, ...]:
    """Of a Gaussian model in cross-products."""
    data = reduction.data
    r = reduction.rest_targets.size
    if reduction.large:
        return _large_sentences(assembled, reduction)
    n = assembled.data.y.shape[1]
    sentences = [f"Gaussian, identity link: {n:,} rows reduced to {r + 1} x {r + 1} cross-products."]
    if reduction.level_targets.size:
        levels, q = reduction.level_targets.shape
        classes = data.class_counts.size
        kind = "effects" if "group" in effects_in_words(assembled) else effects_in_words(assembled)
        sentences.append(
            f"The {q} {kind} are integrated out together."
            if levels == 1
            else f"The {levels * q:,} effects of the largest grouping factor ({levels:,} levels in {classes} "
            f"class{'es' if classes != 1 else ''} of equal design) are integrated out level by level."
        )
    sentences.append(f"{r} coefficients and other effects are integrated out by one dense factorisation.")
    sentences.append(
        f"NUTS over {reduction.kept.size} parameter{'s' if reduction.kept.size != 1 else ''}; "
        "all that was integrated out is drawn exactly afterwards."
    )
    sentences.append(f"A pilot finds their mode and curvature. {CLOSE_TO_NORMAL}.")
    if has_few_rows(assembled.data, reduction.kept.size):
        sentences.append("Few rows: where that does not fit, slice sampling replaces NUTS.")
    return tuple(sentences)


def _large_sentences(assembled: Assembled, reduction: Reduction) -> tuple[str, ...]:
    n, r = assembled.data.y.shape[1], reduction.rest_targets.size
    return (
        f"Gaussian, identity link: {n:,} rows reduced to cross-products.",
        f"The {reduction.level_targets.size:,} effects of the largest grouping factor are integrated out one by one, "
        f"{r:,} coefficients and other effects by a factorisation of order {r:,}."
        if reduction.level_targets.size
        else f"{r:,} coefficients and effects are integrated out by a factorisation of order {r:,}.",
        f"A gradient would cost too much: independence Metropolis over {reduction.kept.size} parameters, with draws of "
        "all that was integrated out. Between some hundred evaluations the density is interpolated where that is close "
        "enough; else each transition is one.",
    )


def by_levels_sentence(assembled: Assembled) -> str:
    """Of a proposal that is tried before what the other sentences say."""
    levels, parameters = assembled.data.centring.size, assembled.layout.n_head
    return (
        f"Given the other {parameters} parameters each of the {levels:,} group effects is drawn by itself, on a grid. "
        "If proposals along the effects' scale fit the posterior of the others closely, independence Metropolis "
        "samples all of them. Otherwise:"
    )
