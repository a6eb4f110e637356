"""The sampler, one leapfrog at a time: what a transition of NUTS did, and why it stopped.

`record_transition` makes one transition, `record_chain` a whole chain, `record_fit` the chains of a model's fit. A
`TransitionRecord` has every leapfrog state, the tree, the sub-trajectories that were asked whether they turned; a
`ChainRecord` runs any of its transitions again. The rest are pictures.

The compiled sampler takes no notes. It is called for one transition at a time, and what is looked at runs again: the
same source in plain Python, which has to end in the same draw to the last bit.

>>> import nutslite as nl
>>> import numpy as np
>>> def standard_normal(position, gradient, data):
...     gradient[:] = -position
...     return -0.5 * np.sum(position * position)
>>> record = nl.recording.record_transition(standard_normal, 0.0, position=[1.0, 0.0], step_size=0.3, random_seed=1)
>>> print(record.explain())  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "record_transition": "recorder",
    "record_chain": "recorder",
    "record_fit": "fits",
    "Recorder": "recorder",
    "TransitionRecord": "transition_record",
    "ChainRecord": "chain_record",
    "Doubling": "tree",
    "Check": "tree",
    "plot_trajectory": "trajectory_picture",
    "plot_energy": "energy_pictures",
    "plot_warmup": "warmup_picture",
    "plot_energy_transitions": "energy_pictures",
    "plot_divergences": "divergence_picture",
    "animate": "animation",
}

__all__ = [
    "record_transition",
    "record_chain",
    "record_fit",
    "Recorder",
    "TransitionRecord",
    "ChainRecord",
    "Doubling",
    "Check",
    "plot_trajectory",
    "plot_energy",
    "plot_warmup",
    "plot_energy_transitions",
    "plot_divergences",
    "animate",
]

if TYPE_CHECKING:
    from nutslite.recording.animation import animate
    from nutslite.recording.chain_record import ChainRecord
    from nutslite.recording.divergence_picture import plot_divergences
    from nutslite.recording.energy_pictures import plot_energy, plot_energy_transitions
    from nutslite.recording.fits import record_fit
    from nutslite.recording.recorder import Recorder, record_chain, record_transition
    from nutslite.recording.trajectory_picture import plot_trajectory
    from nutslite.recording.transition_record import TransitionRecord
    from nutslite.recording.tree import Check, Doubling
    from nutslite.recording.warmup_picture import plot_warmup


def __getattr__(name: str) -> Any:
    """Load a public name from its file the first time it is asked for."""
    if name not in _HOMES:
        from nutslite.exceptions import did_you_mean

        raise AttributeError(f"module 'nutslite.recording' has no attribute '{name}'.{did_you_mean(name, _HOMES)}")
    value = getattr(import_module(f"nutslite.recording.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
