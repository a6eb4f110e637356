"""How many basis functions a Gaussian process needs, and how large a box, for length scales of a given size.

With S the largest distance of a row from the centre, L = c S and length scales l (Riutort-Mayol, Buerkner, Andersen,
Solin and Vehtari 2022, arXiv:2004.11408, section 4.2 and appendix A),

    c >= a l / S,   c >= 1.2,       m >= b c S / l

with a = 3.2, b = 1.75 for the squared exponential covariance, 4.1 and 2.65 for Matern 5/2, 4.5 and 3.42 for Matern 3/2;
a periodic process needs 3.72 / l harmonics, l without a unit (their equation B.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MOST_FUNCTIONS = 1000
LARGEST_CHOICE = 200  # functions of one column that nobody asked for by number
LEAST_FACTOR = 1.2
FACTORS = {"ExpQuad": (3.2, 1.75), "Matern52": (4.1, 2.65), "Matern32": (4.5, 3.42)}
HARMONICS = 3.72

PRIOR = (3.0, 0.4)
"""Of an inverse gamma, the default prior of a length scale in units of the range: a hundredth of it lies below a 21st
of the range, a hundredth above nine tenths."""

DEFAULT_INTERVALS = {0.8: (0.0752, 0.3630), 0.6: (0.0935, 0.2606)}
"""By share, the middle of it."""

_TAIL = 0.05


def share_of_prior(columns: int) -> float:
    """How much of a length scale's prior is to be served: less where functions multiply."""
    return 0.8 if columns == 1 else 0.6


def boundaries(covariance: str, half: FloatArray, longest: FloatArray) -> FloatArray:
    """c of each column, shape (D,), for half ranges and the longest length scales of this shape."""
    factor, _ = FACTORS[covariance]
    return np.maximum(LEAST_FACTOR, factor * longest / half)


def functions(covariance: str, boundary: FloatArray, shortest: FloatArray) -> tuple[int, ...]:
    """m of each column for L and the shortest length scales, both of shape (D,)."""
    _, factor = FACTORS[covariance]
    wanted = np.ceil(factor * boundary / shortest)
    return tuple(int(min(max(size, 3), LARGEST_CHOICE)) for size in wanted)


def harmonics(shortest: float) -> int:
    """Harmonics of a periodic process for the shortest length scale."""
    return int(min(max(math.ceil(HARMONICS / shortest), 3), LARGEST_CHOICE))


def listed(numbers: Iterable[Any]) -> str:
    """Numbers as formulas have them: one by itself, several in brackets, equal ones once."""
    texts = [f"{float(number):.3g}" for number in np.ravel(np.asarray(numbers))]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"


def doubts(name: str, constants: Mapping[str, Any], draws: Mapping[str, FloatArray]) -> tuple[str, ...]:
    """What the posterior of the length scale says against m and c: `TermKind.doubts`."""
    if "ell" not in draws:
        return ()
    covariance, sizes, boundary = constants["covariance"], constants["sizes"], constants["boundary"]
    ells = draws["ell"].reshape(len(draws["ell"]), -1, 1 if constants["iso"] else len(sizes))
    low, middle = np.quantile(ells, [_TAIL, 0.5], axis=0)
    if covariance == "Periodic":
        needed = harmonics(float(low.min()))
        few = _too_few(name, f"below {HARMONICS / sizes[0]:.3g}", low.min(), f"m={needed}")
        return (few,) if needed > sizes[0] else ()
    found = []
    for column, text in enumerate(constants["texts"]):
        unit = constants["units"][column]
        own = 0 if constants["iso"] else column
        shortest, longest = low[:, own].min() * unit, middle[:, own].max() * unit
        longest_box, a_factor, m_factor = boundary[:, column].max(), *FACTORS[covariance]
        of = f" of {text}" if len(sizes) > 1 else ""
        if shortest < m_factor * longest_box / sizes[column] * (1.0 - 1e-9):
            enough = math.ceil(m_factor * longest_box / shortest)
            least = m_factor * longest_box / sizes[column]
            found.append(_too_few(name, f"below {least:.3g}", shortest, f"m={enough}{of}"))
        if longest > boundary[:, column].min() / a_factor * (1.0 + 1e-9):
            most = boundary[:, column].min() / a_factor
            found.append(
                f"'{name}': length scales{of} above {most:.3g} are too long for its boundary, and the posterior's "
                f"median is {longest:.3g}: the process is pulled to zero at its ends. Ask for "
                f"L={a_factor * longest:.3g}{of}, and at least m={math.ceil(m_factor * a_factor * longest / shortest)}."
            )
    return tuple(found)


def _too_few(name: str, which: str, shortest: float, remedy: str) -> str:
    return (
        f"'{name}' has too few functions for length scales {which}, and the posterior has some from {shortest:.3g} "
        f"(5 %) on: shorter bends than it can make are lost. Ask for {remedy}."
    )
