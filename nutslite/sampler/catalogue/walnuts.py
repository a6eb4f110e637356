"""WALNUTS: NUTS whose points are equally far apart in time, however many steps it takes from one to the next.

From point to point a trajectory leaps over the time ``step_size``, in 1, 2, 4, ... steps of the integrator: in the
fewest whose energies, all of them on the way, differ by no more than `max_error`. So it takes small steps where the
density is narrow and long ones where it is wide, in one trajectory (Bou-Rabee, Carpenter, Kleppe and Liu 2025,
arXiv:2506.18746).

Why it is exact. The number of steps depends on where a leap begins, so the leap back might take another number, and end
elsewhere. Such a leap is not made. After a leap of n steps the fewer, n/2, n/4, ..., 1, are tried backwards from its
end: if one of them were good enough, the leap back would take it, and the trajectory ends before this leap, as it would
before a turn. What is left are leaps that lead to one another: between any two neighbours on a trajectory the number of
steps is the same from either side. They keep volumes, since on each set of points with one number the leap is so many
steps of an integrator that does. Whether a leap is possible depends on its ends alone and not on where the trajectory
began, so that a trajectory is as probable from each of its points: NUTS' own argument. Weights are exp(-energy), as
there.
"""

from __future__ import annotations

import math
import numbers

from nutslite.exceptions import SettingError, SettingTypeError
from nutslite.sampler.catalogue.doubling import doubling_transition
from nutslite.sampler.parts.leap import IRREVERSIBLE, arrive, count_leap, keeps_energy
from nutslite.sampler.parts.system import System, copy_point, energy_of, integrate
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.transition.compiling import uncounted
from nutslite.sampler.transition.logdensity import Matrix
from nutslite.sampler.transition.trajectory import (
    DIVERGED,
    ENERGY,
    GOES_ON,
    INITIAL_ENERGY,
    LOGP,
    N_STEPS,
    Workspace,
)

MAX_ERROR, MAX_HALVINGS = range(2)
"""In ``system.settings``."""

START, TRIAL = range(2)
"""In ``system.scratch``: where a leap begins; the way back."""

DEFAULT_MAX_ERROR, DEFAULT_MAX_HALVINGS = 0.5, 10


@uncounted
def adaptive_leap(system: System, workspace: Workspace, end: int, step_size: float) -> int:
    """Move an end by the time `step_size` in as few steps as its energy allows.

    Returns GOES_ON; DIVERGED where not even the most steps keep the energy; IRREVERSIBLE where the way back would take
    fewer. The acceptance that the step size adapts to is that of one step over the whole time: the share of leaps that
    need no halving, about.
    """
    point, values, tally = workspace.points[end], workspace.values, workspace.tally
    start, trial = system.scratch[START], system.scratch[TRIAL]
    copy_point(point, start)
    logp, before, halvings = values[end, LOGP], values[end, ENERGY], 0
    found = False
    while not found and halvings <= int(system.settings[MAX_HALVINGS]):
        if halvings > 0:
            copy_point(start, point)
        logp, spread = _path(system, workspace, point, before, step_size, halvings)
        if halvings == 0:
            count_leap(tally, 0.0, math.exp(-spread))
        found = spread <= system.settings[MAX_ERROR]
        halvings += 1
    if not found:
        copy_point(start, point)
        keeps_energy(tally, math.inf)
        return DIVERGED
    after = energy_of(point, logp)
    for fewer in range(halvings - 1):
        copy_point(point, trial)
        _, spread = _path(system, workspace, trial, after, -step_size, fewer)
        if spread <= system.settings[MAX_ERROR]:
            return IRREVERSIBLE
    arrive(workspace, end, logp, after, step_size)
    return GOES_ON if keeps_energy(tally, after - tally[INITIAL_ENERGY]) else DIVERGED


@uncounted
def _path(
    system: System, workspace: Workspace, point: Matrix, energy: float, time: float, halvings: int
) -> tuple[float, float]:
    """Move a point by `time` in ``2**halvings`` steps, or until energies differ by more than they may.

    Returns the log density at the end, and the greatest difference of energies on the way, infinite for a nan.
    """
    lowest, highest, logp = energy, energy, 0.0
    step = time / (1 << halvings)
    for _ in range(1 << halvings):
        logp = integrate(system, point, step)
        workspace.tally[N_STEPS] += system.gradients
        energy = energy_of(point, logp)
        if math.isnan(energy):
            return logp, math.inf
        lowest, highest = min(lowest, energy), max(highest, energy)
        if highest - lowest > system.settings[MAX_ERROR]:
            break
    return logp, highest - lowest


def walnuts(max_error: float = DEFAULT_MAX_ERROR, *, max_halvings: int = DEFAULT_MAX_HALVINGS) -> Trajectory:
    """WALNUTS.

    Parameters
    ----------
    max_error : float
        How much energies on the way from point to point may differ.
    max_halvings : int
        From point to point at most ``2**max_halvings`` steps are tried.

    Raises
    ------
    SettingError
        If `max_error` is not positive and finite, or `max_halvings` is no integer from 0 to 30.
    """
    if isinstance(max_error, bool) or not isinstance(max_error, numbers.Real):
        raise SettingTypeError(f"max_error must be a positive number, not {max_error!r}.")
    if not 0.0 < max_error < math.inf:
        raise SettingError(f"max_error must be a positive number, not {max_error!r}.")
    if isinstance(max_halvings, bool) or not isinstance(max_halvings, numbers.Integral):
        raise SettingTypeError(f"max_halvings must be an integer from 0 to 30, not {max_halvings!r}.")
    if not 0 <= max_halvings <= 30:
        raise SettingError(f"max_halvings must be an integer from 0 to 30, not {max_halvings!r}.")
    return Trajectory(
        "walnuts",
        doubling_transition,
        adaptive_leap,
        settings=(float(max_error), float(max_halvings)),
        n_scratch=2,
        source="Bou-Rabee, Carpenter, Kleppe and Liu 2025, arXiv:2506.18746; the number of steps is not random",
    )


WALNUTS = walnuts()
