"""How to sample: what `Model.fit` was told, checked before anything takes time."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from nutslite.exceptions import SettingTypeError, refuse_other, shown
from nutslite.posterior.points.start_values import Start, check_number_of_starts
from nutslite.sampler.draws import SamplerSettings, check_integer
from nutslite.sampler.sample import seed_sequence

INITS = {
    "auto": ("diag", "jitter"),
    "adapt_diag": ("diag",),
    "jitter+adapt_diag": ("diag", "jitter"),
    "jitter+adapt_diag_grad": ("diag_grad", "jitter"),
    "adapt_full": ("dense",),
    "jitter+adapt_full": ("dense", "jitter"),
}
"""What PyMC's names of initialisations mean: how warm-up estimates the metric, and whether starts are jittered."""
OPTIONAL = (
    "tune",
    "cores",
    "target_accept",
    "max_treedepth",
    "callback",
    "discard_tuned_samples",
    "init",
    "start",
    "checkpoint",
    "importance",
)
"""Arguments of `Model.fit` that only some methods heed."""
IMPORTANCE = ("auto", "resample", "weights", None)
"""What becomes of draws of an approximation (`approximation`)."""
TUNE = 1000
TARGET_ACCEPT = 0.8


@dataclass(frozen=True)
class Settings:
    """How to sample; as for `Model.fit`. What is None, and ``init="auto"``, is left to the pilot.

    `inference_method` is a name of `registry.NAMES`. Chains of NUTS run on the `executor`, if there is one, on which
    draws do not depend.

    Impossible values are refused here, before a pilot takes its time; any kind of seed becomes plain integers.
    """

    draws: int = 1000
    tune: int | None = None
    chains: int = 4
    cores: int | None = None
    random_seed: Any = None
    target_accept: float | None = None
    max_treedepth: int = 10
    progressbar: bool = True
    callback: Callable[..., Any] | None = None
    discard_tuned_samples: bool = True
    inference_method: str = "auto"
    init: str = "auto"
    start: Start | None = None
    checkpoint: str | os.PathLike[str] | None = None
    importance: str | None = "auto"
    identity: Mapping[str, Any] | None = None
    executor: Executor | None = None

    def __post_init__(self) -> None:
        check_integer("draws", self.draws, 1)
        SamplerSettings(
            draws=self.draws,
            tune=TUNE if self.tune is None else self.tune,
            chains=self.chains,
            cores=1 if self.cores is None else self.cores,
            target_accept=TARGET_ACCEPT if self.target_accept is None else self.target_accept,
            max_treedepth=self.max_treedepth,
        )
        check_callback(self.callback)
        refuse_other("init", self.init, INITS)
        refuse_other("importance", self.importance, IMPORTANCE)
        if self.start is not None:
            check_number_of_starts(self.start, self.chains)
        object.__setattr__(self, "random_seed", seed_sequence(self.random_seed).entropy)
        object.__setattr__(self, "progressbar", bool(self.progressbar))

    @property
    def given(self) -> tuple[str, ...]:
        """Which of the arguments that only some methods heed were given."""
        return tuple(name for name in OPTIONAL if getattr(self, name) != getattr(Settings, name))


def check_callback(callback: Any) -> None:
    """Refuse what cannot be called with one argument, before there is something to report."""
    if callback is None:
        return
    wanted = f"callback must be a function that takes one argument, a progress record; not {shown(callback)}."
    if not callable(callback):
        raise SettingTypeError(wanted)
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # of some functions that are written in C
        return
    try:
        signature.bind(None)
    except TypeError as error:
        raise SettingTypeError(f"{wanted} With one: {error}.") from None
