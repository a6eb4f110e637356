"""Whether matrix centring can serve a model, where the numbers of its sparse factor are, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.matrix_centring import MatrixCentring
from nutslite.posterior.density.sparse_pattern import (
    FEWEST_LEVELS,
    Order,
    Panels,
    Pattern,
    columns_of_numbers,
    elimination,
    factor_pattern,
    leaves_of,
    work_of,
)
from nutslite.posterior.marginal.prices import (
    FACTOR_UPDATE,
    MATRIX_WORTH,
    NANOSECOND,
    OPEN_WORTH,
    PANEL_UPDATE,
    dearest_factor,
    factor_price,
)
from nutslite.posterior.pilot.centring import scale_columns
from nutslite.posterior.pilot.pilot import Pilot, hyperparameters
from nutslite.posterior.products.effect_graph import effect_neighbours, least_share_of_pairs
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData
from nutslite.priors.densities.codes import NORMAL

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int64]

MOST_UPDATES = 20_000_000  # products of a factorisation: 80 MB of places, some tens of milliseconds
USUAL_UPDATES = 400_000  # ... that are looked for where nobody forces it: about two milliseconds a gradient
WELL_KNOWN = 0.12  # standard deviation of a scale's logarithm up to which a weight for each level does as well
CROSSED = 0.5  # of all pairs of levels: with more of them, factors are as good as crossed


@dataclass(frozen=True)
class Structure:
    """What of the coordinates follows from a model's levels alone.

    Attributes
    ----------
    members : ndarray, shape (n,)
        Places in the position of coefficients, constants and effects, in their order of elimination.
    hyper : ndarray, shape (h,)
        Places of all others, in the head.
    pattern : Pattern
    priors : ndarray
        As `matrix_centring.MatrixCentring` has it.
    """

    members: IndexArray
    hyper: IndexArray
    pattern: Pattern
    priors: IndexArray

    def centring(
        self, numbers: FloatArray, right: FloatArray, center: FloatArray, stretch: FloatArray
    ) -> MatrixCentring:
        """The coordinates with these constants."""
        return MatrixCentring(self.pattern, self.members, self.priors, numbers, right, self.hyper, center, stretch)


def why_no_matrix(model: ModelData) -> str | None:
    """In plain words why matrix centring cannot serve a model that a pilot can serve, or None."""
    if not model.centring.size:
        return "the model has no group effects"
    if (model.block_columns[:, md.DENSITY] != NORMAL).any():
        return "not all group effects have normal priors"
    return None


def find_structure(model: ModelData, forced: bool) -> Structure | None:
    """The places of the sparse factor; None where the usual coordinates serve better, or memory does not do.

    Not forced, it is for factors of which one is nested in another or partly crossed with it, where it costs a gradient
    little enough. One weight of centring per level does factors justice that are wholly crossed, and the levels of a
    single one where its scales are known (`structure_where_open`).
    """
    if forced:
        return _structure(model, np.inf, MOST_UPDATES)
    return None if least_share_of_pairs(model) > CROSSED else _paying_structure(model, MATRIX_WORTH)


def has_one_factor(model: ModelData) -> bool:
    """Whether all group effects are of the levels of one factor, of which there are several."""
    return len(set(model.blocks[:, md.FACTOR].tolist())) == 1 and int(model.blocks[0, md.N_LEVELS]) > 1


def structure_where_open(pilot: Pilot) -> Structure | None:
    """For a single factor, where the pilot has found that some scale of its effects is little known; else None.

    How far effects may move changes with that scale, and with them all that they are added to: a weight for each level
    knows nothing of coefficients (`benchmarks/results/matrix_centring.md`).
    """
    scales = list(scale_columns(pilot.model))
    precisions = np.diag(pilot.information.border)[scales]
    if not scales or precisions.min() > WELL_KNOWN**-2:
        return None
    return structure_of_one_factor(pilot.model)


def structure_of_one_factor(model: ModelData) -> Structure | None:
    """Where its scales are little known; None where it costs too much."""
    return _paying_structure(model, OPEN_WORTH)


def _paying_structure(model: ModelData, worth: float) -> Structure | None:
    most = _dearest(model, worth)
    return _structure(
        model, most, min(USUAL_UPDATES, most / (NANOSECOND * (PANEL_UPDATE if has_panels(model) else FACTOR_UPDATE)))
    )


def _structure(model: ModelData, most: float, most_updates: float) -> Structure | None:
    """With so many products at most, and of so many seconds a gradient."""
    n_head, hyper = model.head.transforms.size, hyperparameters(model)
    own = np.setdiff1d(np.arange(n_head), hyper)
    found = _panels(model, most_updates)
    if found is None:
        return None
    work = work_of(*found, own.size)
    if work.side_updates + work.updates > most_updates or factor_price(*work) > most:
        return None
    nodes, pattern = factor_pattern(*found, own.size)
    members = np.concatenate([n_head + np.arange(model.centring.size), own])[nodes]
    return Structure(members, hyper, pattern, _prior_places(model, members, pattern))


def _panels(model: ModelData, most_updates: float) -> tuple[Panels, Order] | None:
    """Effects that are made side by side, and the order of all others; None where there are too many products."""
    if has_panels(model):
        levels = int(model.blocks[0, md.N_LEVELS])
        nodes = np.arange(model.centring.size).reshape(levels, -1)
        return Panels(nodes, np.empty((levels, 0), dtype=np.int64)), []
    order = elimination(effect_neighbours(model), most_updates)
    return None if order is None else leaves_of(order)


def has_panels(model: ModelData) -> bool:
    """Whether all effects are those of one factor, several for each of many levels, which take the same steps."""
    if not len(model.blocks):
        return False
    factors = set(model.blocks[:, md.FACTOR].tolist())
    levels = int(model.blocks[0, md.N_LEVELS])
    one = len(factors) == 1 and set(model.blocks[:, md.EFFECT_STRIDE].tolist()) == {model.centring.size // levels}
    return one and levels >= FEWEST_LEVELS and model.centring.size >= 2 * levels


def _dearest(model: ModelData, worth: float) -> float:
    """What a factor may cost, beside rows and the arrowhead metric of the usual coordinates."""
    largest = model.blocks[np.argmax(model.blocks[:, md.EFFECT_START])]
    eliminated = int(largest[md.N_LEVELS] * largest[md.EFFECT_STRIDE])
    border = model.head.transforms.size + model.centring.size - eliminated
    effects = int(model.blocks[:, md.N_COLUMNS].sum())
    return dearest_factor(model.y.shape[1], model.matrix.shape[0], effects, border, eliminated, worth)


def _prior_places(model: ModelData, members: IndexArray, pattern: Pattern) -> IndexArray:
    """Where D^-1 is added: block by block, level by level, lower triangles of correlated columns, else diagonals."""
    n_head = model.head.transforms.size
    node = np.empty(n_head + members.size, dtype=np.int64)
    node[members] = np.arange(members.size)
    ones: list[IndexArray] = []
    others: list[IndexArray] = []
    for block in model.blocks:
        q = int(block[md.N_COLUMNS])
        pairs = np.tril_indices(q) if block[md.CORRELATION] >= 0 else np.diag_indices(q)
        first = n_head + block[md.EFFECT_START] + np.arange(block[md.N_LEVELS]) * block[md.EFFECT_STRIDE]
        for which, out in zip(pairs, (ones, others), strict=True):
            out.append(node[(first[:, None] + which).ravel()])
    one, other = np.concatenate(ones), np.concatenate(others)
    known = columns_of_numbers(pattern) * members.size + pattern.rows
    order = np.argsort(known)
    wanted = np.minimum(one, other) * members.size + np.maximum(one, other)
    return np.asarray(order[np.searchsorted(known, wanted, sorter=order)])
