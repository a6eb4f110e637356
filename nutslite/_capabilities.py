"""What the pieces of a model allow: a fast way serves a model only where all of its pieces declare that it may.

Pieces are the family, a link of the user's own, thresholds, correlated effects, potentials, and whatever comes. One
that declares nothing is sampled in the general way: nothing new can be wrong by default, at worst it is slow. To
declare a capability is to promise that the fast way gives the same posterior; tests compare each with the general one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

INTEGRATES = "integrates"
"""Coefficients and effects that are normal given the rest may be integrated out of a Gaussian likelihood."""

PILOT = "pilot"
"""Newton's method may look for the mode, with the curvature of the likelihood in linear predictors, for coordinates."""

MERGES = "merges"
"""A row's likelihood depends on that row alone: equal rows may count once, with the sum of their weights."""

CODES = "codes"
"""Columns enter through sums with their coefficients: they may be read by code."""

FEW_ROWS = "few rows"
"""A model of few rows may have coordinates made of modes given one parameter, and slice sampling in them."""

MATRIX = "matrix"
"""Effects may have the coordinates of matrix centring."""

CONCAVE = "concave"
"""The log likelihood of a row is concave in the parent's linear predictor: an effect has one mode given all else, and
may be integrated out on a grid around it. Families say for which links (`Family.concave`)."""

EVERYTHING = frozenset({INTEGRATES, PILOT, MERGES, CODES, FEW_ROWS, MATRIX, CONCAVE})


class Declaration(NamedTuple):
    """What one piece of a model allows.

    Attributes
    ----------
    piece : str
        As part of a sentence that says why something is not done: ``"the family is gamma"``.
    allows : frozenset of str
        The names above.
    """

    piece: str
    allows: frozenset[str]


def why_refused(declarations: Iterable[Declaration], capability: str) -> str | None:
    """The first piece that does not allow something, in words; None where all do.

    >>> why_refused([Declaration("effects are correlated", frozenset({PILOT}))], MERGES)
    'effects are correlated'
    """
    return next((piece for piece, allows in declarations if capability not in allows), None)
