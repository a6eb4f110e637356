"""Pictures of energies: along one trajectory, and from transition to transition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nutslite._calls import public
from nutslite.exceptions import SettingError
from nutslite.recording.chain_record import ChainRecord
from nutslite.recording.checks import check_chain, check_transition
from nutslite.recording.states import States
from nutslite.recording.transition_record import TransitionRecord
from nutslite.scores.pictures.figures import COLOURS, REFERENCE
from nutslite.scores.pictures.paper import SMALL, axes_for, label, size, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINEAR = 10.0
"""Energy errors beyond this are on a logarithmic scale, where a trajectory has any."""

LEAST_DRAWS = 4
BINS = 30


@public
def plot_energy(record: TransitionRecord, *, ax: Any = None) -> Axes:
    """Draw the energy error of each state along the orbit: 0 everywhere, were the simulation exact.

    Colours are those of `plot_trajectory`; states that do not count are hollow; a ring is around the draw.

    Parameters
    ----------
    record : TransitionRecord
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    """
    check_transition(record)
    ax = axes_for(ax)
    draw_energy(ax, record)
    return ax


def draw_energy(ax: Axes, record: TransitionRecord) -> States:
    """The picture; its states, of which a film shows the first."""
    from matplotlib.ticker import MaxNLocator

    error = record.energy_error
    ax.axhline(0.0, **REFERENCE)
    states = States(ax, record, record.index, error)
    finite = np.abs(error[np.isfinite(error)])
    if finite.max() > LINEAR:
        ax.set_yscale("symlog", linthresh=LINEAR)
        ax.set_ylim(top=max(ax.get_ylim()[1], 2.0 * float(error[np.isfinite(error)].max())))  # a whole marker
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    label(ax, "place in the orbit", "energy, less that of the start")
    return states


@public
def plot_energy_transitions(record: ChainRecord, *, ax: Any = None) -> Axes:
    """Draw how energies of the draws are spread, and by how much a transition changes them.

    The momentum that is drawn anew is all that changes the energy. Where its changes are much narrower than the spread,
    a chain needs many transitions from the middle of the density to its tails: E-BFMI, the ratio of their variances, is
    small (Betancourt 2016, arXiv:1604.00695). Below 0.3 tails are in doubt.

    Parameters
    ----------
    record : ChainRecord
    ax : matplotlib.axes.Axes, optional
        What to draw on; by default a new figure, 80 mm wide.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    PlotsMissingError
        If matplotlib is not installed.
    SettingError
        If there are fewer than four draws.
    """
    check_chain(record)
    energy = record.stats["energy"][record.tune :]
    if energy.size < LEAST_DRAWS:
        raise SettingError(f"Energies of at least {LEAST_DRAWS} draws make this picture; there are {energy.size}.")
    ax = axes_for(ax)
    spread, change = energy - energy.mean(), np.diff(energy)
    reach = float(max(np.abs(spread).max(), np.abs(change).max()))
    edges = np.linspace(-reach, reach, BINS + 1)
    ax.hist(spread, edges, density=True, color=COLOURS[4], alpha=0.6, label="energy, less its mean")
    ax.hist(change, edges, density=True, histtype="step", color=COLOURS[1], linewidth=1.2, label="change of energy")
    words(ax, f"E-BFMI {record.e_bfmi:.2f}")
    ax.legend(loc="upper right", frameon=False, fontsize=size(ax, SMALL))
    ax.set_ylim(top=1.35 * ax.get_ylim()[1])
    label(ax, "energy", "density")
    return ax
