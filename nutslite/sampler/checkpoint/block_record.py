"""What a chain writes into a checkpoint after a block of transitions, for whoever reads it again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from nutslite._schema import Misfit, Number, Numbers, Record, Text
from nutslite.sampler.checkpoint.checkpoint import RANDOM_STATE, RecordKind
from nutslite.sampler.checkpoint.record_log import Arrays
from nutslite.sampler.transition.statistics import DIVERGING, STATISTICS

LONGEST_BLOCK = 10**9  # transitions

_POINTS = Numbers(("length", "dimension"))


@cache
def block_kind(sampling: bool, with_positions: bool, with_gradients: bool) -> RecordKind:
    """A block of warm-up or of draws; sizes: ``dimension``, ``adaptation``, and the block's own ``length``."""
    fields = {
        "chain": Number(0, LONGEST_BLOCK, whole=True),
        "phase": Text(among=("sampling" if sampling else "warmup",)),
        "length": Number(1, LONGEST_BLOCK, whole=True),
        "seconds": Number(0.0, 1e12),
        "random": RANDOM_STATE,
    }
    arrays = {
        "stats": Numbers(("length", len(STATISTICS))),
        "divergences": Numbers(("divergences", "dimension")),
        "position": Numbers(("dimension",), finite=True),
        "gradient": Numbers(("dimension",), finite=True),
        "values": Numbers((3,)),
        "adaptation": Numbers(("adaptation",), finite=True),
    }
    wanted = {"positions": with_positions, "gradients": with_gradients}
    arrays |= {name: _POINTS for name, is_wanted in wanted.items() if is_wanted}
    return RecordKind(Record(fields), Record(arrays, {name: _POINTS for name in wanted if not wanted[name]}))


def check_block(fields: Mapping[str, Any], arrays: Arrays, room: int | None) -> None:
    """Whether a block's numbers agree with each other.

    Parameters
    ----------
    room : int or None
        Transitions that are left of the window; None where a block may be longer.

    Raises
    ------
    Misfit
    """
    stats, length = arrays["stats"], int(fields["length"])
    if stats.shape[0] != length or (room is not None and length > room):
        raise Misfit(f"a block of {length} transitions has {stats.shape[0]}, where {room} are left")
    diverging = stats[:, DIVERGING]
    if not np.isin(diverging, (0.0, 1.0)).all() or (
        fields["phase"] == "sampling" and diverging.sum() != arrays["divergences"].shape[0]
    ):
        raise Misfit("the divergences of a block are not those that it counts")
