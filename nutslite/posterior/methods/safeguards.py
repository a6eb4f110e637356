"""What stands around a run, so that neither a lack of memory nor a user's function costs draws, or words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import in_users_function
from nutslite.families.links.codes import is_custom
from nutslite.families.user.built_in import family_names
from nutslite.posterior.methods.settings import Settings
from nutslite.posterior.targets.plan import Plan
from nutslite.sampler.memory import memory_for
from nutslite.sampler.rescue import rescued
from nutslite.sampler.transition.statistics import STATISTICS

FloatArray = NDArray[np.float64]


@contextlib.contextmanager
def named_functions(plan: Plan) -> Iterator[None]:
    """What compiled functions of the user's own raise comes without a word about them: say which the model has."""
    spec = plan.assembled.spec
    own = [] if spec.family.kind in family_names() else [f"the log density of '{spec.family.name}'"]
    own += [f"the link '{link}' of {name}" for name, link in spec.links.items() if is_custom(link)]
    own += [f"the potential of {potential.shown}" for potential in spec.potentials]
    if not own:
        yield
        return
    with in_users_function(f"Sampling a model with functions of your own ({', '.join(own)})"):
        yield


def kept_raw(positions: FloatArray, stats: Mapping[str, NDArray[Any]]) -> contextlib.AbstractContextManager[None]:
    """For the way from the sampler's coordinates to the model's: where it fails, the coordinates are kept.

    Of `stats` may be "values", nan but for draws whose effects have taken the place of their coordinates.
    """
    over = "; a draw whose 'values' are not nan has group effects in their place" if "values" in stats else ""
    return rescued(
        lambda: {"positions": positions, **stats},
        "'positions' are the sampler's coordinates, unconstrained, of shape (chains, draws, coordinates)"
        f"{over}; fewer draws of the same random_seed would have fitted",
    )


@contextlib.contextmanager
def memory_of_results(plan: Plan, settings: Settings, copies: int = 3) -> Iterator[None]:
    """For the draws on their natural scale and by name, beside those that the sampler holds with their statistics.

    `copies` counts arrays of all draws that are needed: none where effects take the place of the sampler's own.
    """
    layout = plan.assembled.layout
    numbers = plan.assembled.data.head.fixed.shape[0] + copies * layout.dimension + len(STATISTICS)
    with (
        memory_for(settings.chains, settings.tune or 0, len(STATISTICS), "The statistics of the warm-up"),
        memory_for(settings.chains, settings.draws, numbers, "The parameters' draws"),
    ):
        yield
