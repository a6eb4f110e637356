"""What each way of sampling a Gaussian model would cost, in seconds, from sizes alone.

Prices are those of 4 chains of 1,000 draws on one core of the machine that the project's measurements are from (two
cores at about 2.5 GHz). Only their ratios decide. None of them falls as data grow (`tests/test_posterior_prices.py`),
so a part of the data never costs more than all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NANOSECOND = 1e-9

# A leapfrog step of the joint density: a row; a column of a row; a group effect of a row; a number of the metric.
# From 200 to 50,000 rows, 1 to 170 columns, borders of 15 to 1,106: within a quarter of what was measured.
STEP, ROW, ROW_COLUMN, ROW_EFFECT, METRIC_NUMBER = 5e-6, 6.0, 0.5, 3.0, 1.1
JOINT_STEPS = 4 * 1200 * 15  # transitions, each of fifteen steps where there are many parameters
JOINT_WORTH = 0.5  # of its draws, which are of hundreds of parameters at once, beside those of a few

# A gradient of the marginal density: of its dense factorisation, and of each class of levels.
GRADIENT, ORDER_CUBED, CLASS_NUMBER = 1e-5, 0.3, 3.0
MARGINAL_GRADIENTS = 8000  # NUTS makes more, independence Metropolis makes fewer; exact draws afterwards included

# An evaluation of the large marginal density: LAPACK's factorisation, filling and solving, pairs of columns of a level.
EVALUATION, LAPACK_CUBED, LAPACK_SQUARED, PAIR = 1e-4, 0.015, 5.0, 1.0
LARGE_EVALUATIONS = 2250  # mode, curvature, refinement, and one for every two draws
LARGE_RISK = 5.0  # seconds: it does without folding, and its proposal may fit badly

# A sparse factorisation with its reverse and four solves: a product of two numbers, and a number of the factor.
FACTOR_UPDATE, FACTOR_NUMBER = 4.5, 8.0
PANEL_UPDATE, PANEL_NUMBER = 1.5, 3.0  # of levels side by side
MATRIX_WORTH = 1.7  # of its draws beside those with a weight for each level: measured 1.2 to 2, nested 2 to 10
OPEN_WORTH = 3.5  # the same where a scale is little known: measured 1.1 to 3.1, with six effects a level 7

MAX_CLASS_BYTES = 256e6  # of the classes' cross-products
MAX_CROSS_BYTES = 2e9  # of a dense row for every level of the eliminated factor, and three matrices of the rest


@dataclass(frozen=True)
class Sizes:
    """What prices depend on.

    Attributes
    ----------
    rows, common : int
        Rows of data, and common columns with the intercept.
    effects_per_row : int
        Columns of all group terms.
    rest : int
        Columns left once the largest factor is eliminated.
    levels, width : int
        Levels of the eliminated factor, and its columns; 0 without groups.
    classes : int
        Levels of it that differ in Z'WZ.
    pairs : float
        Pairs of columns that occur together with a level of it, summed over levels, at most (`pairs_of_columns`).
    intercept_only : bool
        Whether all that the eliminated factor has is one intercept.
    """

    rows: int
    common: int
    effects_per_row: int
    rest: int
    levels: int
    width: int
    classes: int
    pairs: float
    intercept_only: bool


def pairs_of_columns(rows_per_level: NDArray[np.int64], common: int, others: int, rest: int) -> float:
    """Pairs of the rest's columns that occur together with a level, summed over levels; at most.

    `others` is the number of effects of other factors that a row has.
    """
    columns = np.minimum(rest + 1.0, common + 1.0 + others * rows_per_level)
    return float(columns @ columns)


def prices(sizes: Sizes) -> dict[str, float]:
    """Seconds of each way; infinite where it does not serve."""
    return {"marginal": _marginal(sizes), "large": _large(sizes), "joint": _joint(sizes)}


def cheapest(sizes: Sizes) -> str:
    """``"marginal"``, ``"large"`` or ``"joint"``."""
    found = prices(sizes)
    return min(found, key=lambda way: found[way])


def too_dear(sizes: Sizes) -> str:
    """In plain words why nothing is integrated out where the joint density is cheapest."""
    if not sizes.levels:
        return f"a factorisation of order {sizes.rest} at every step would cost more than it saves"
    what = f"{sizes.rest} columns would be left after integrating out the largest factor"
    if np.isinf(_marginal(sizes)):
        return f"{what}, and its {sizes.classes} different levels would need too much memory"
    return f"{what}, whose factorisation at every step would cost more than it saves"


def _joint(sizes: Sizes) -> float:
    """NUTS over all parameters, with an arrowhead metric whose border has the rest."""
    row = ROW + ROW_COLUMN * sizes.common + ROW_EFFECT * sizes.effects_per_row
    metric = float(sizes.rest) ** 2 + 2.0 * sizes.levels * sizes.width * sizes.rest
    return JOINT_STEPS / JOINT_WORTH * (STEP + NANOSECOND * (row * sizes.rows + METRIC_NUMBER * metric))


def _marginal(sizes: Sizes) -> float:
    """NUTS or independence Metropolis over what is left, with gradients."""
    numbers = sizes.classes * sizes.width * (sizes.width + 1) / 2.0 * (sizes.rest + 1.0) ** 2
    if 8.0 * numbers > MAX_CLASS_BYTES:
        return np.inf
    cube = float(sizes.rest) ** 3
    return MARGINAL_GRADIENTS * (GRADIENT + NANOSECOND * (ORDER_CUBED * cube + CLASS_NUMBER * numbers))


def _large(sizes: Sizes) -> float:
    """Independence Metropolis with a factorisation for each proposal."""
    serves = sizes.intercept_only or (not sizes.levels and sizes.effects_per_row > 0)  # none but those of one level
    if not serves or 8.0 * (sizes.levels + 3.0 * sizes.rest) * (sizes.rest + 1.0) > MAX_CROSS_BYTES:
        return np.inf
    work = LAPACK_CUBED * float(sizes.rest) ** 3 + LAPACK_SQUARED * float(sizes.rest) ** 2 + PAIR * sizes.pairs
    return LARGE_RISK + LARGE_EVALUATIONS * (EVALUATION + NANOSECOND * work)


def border_price(border: int, eliminated: int) -> float:
    """Seconds of an arrowhead metric, with that many coordinates in its border, in a leapfrog step."""
    return NANOSECOND * METRIC_NUMBER * (float(border) ** 2 + 2.0 * border * eliminated)


def factor_price(side_numbers: int, side_updates: int, numbers: int, updates: int) -> float:
    """Seconds of a factor in a gradient: numbers and products of levels side by side, and all others."""
    side = PANEL_NUMBER * side_numbers + PANEL_UPDATE * side_updates
    return NANOSECOND * (side + FACTOR_NUMBER * numbers + FACTOR_UPDATE * updates)


def dearest_factor(
    rows: int, columns: int, effects_per_row: int, border: int, eliminated: int, worth: float = MATRIX_WORTH
) -> float:
    """Seconds that a sparse factor may cost for matrix centring to pay, whose draws are worth so many others."""
    reading = STEP + NANOSECOND * rows * (ROW + ROW_COLUMN * columns + ROW_EFFECT * effects_per_row)
    return worth * (reading + border_price(border, eliminated)) - reading
