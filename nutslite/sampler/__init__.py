"""The No-U-Turn sampler, on NumPy and Numba alone: any log density with a gradient in, draws out.

In reading order: `transition` (`logdensity`: what it samples from; `metric`, `hamiltonian`, `turning`, `trajectory`,
`nuts`: one transition; `step_size`, `chain`: a block of transitions, all that is compiled), `warmup`, `mass_matrix`,
`worker` (one chain), `threads`, `sample` (the driver), `draws` (what comes out). `densities` are the kinds of log
densities that `sample` takes, `constraints` what users' densities need for bounded parameters. `checkpoint` keeps a run
on disk while it goes; `independence` samples without gradients. The documents, `docs/sampler/`, go through all files in
this order, each equation beside its lines.
"""

from __future__ import annotations

from nutslite.sampler.densities.callback import CallbackDensity
from nutslite.sampler.densities.compiled import CompiledDensity
from nutslite.sampler.densities.density import Density
from nutslite.sampler.densities.differentiated import DifferentiatedDensity
from nutslite.sampler.densities.entry import Callback
from nutslite.sampler.densities.python import PythonDensity
from nutslite.sampler.draws import Draws, SamplerSettings
from nutslite.sampler.sample import sample
from nutslite.sampler.transition.metric import (
    Metric,
    arrowhead_metric,
    dense_metric,
    diagonal_metric,
    inverse_mass_matrix,
    normal_draws,
)
from nutslite.sampler.transition.statistics import STATISTIC_NAMES, STATISTICS
from nutslite.sampler.worker import ChainProgress

__all__ = [
    "sample",
    "Density",
    "CompiledDensity",
    "CallbackDensity",
    "PythonDensity",
    "DifferentiatedDensity",
    "Callback",
    "Draws",
    "SamplerSettings",
    "ChainProgress",
    "Metric",
    "diagonal_metric",
    "dense_metric",
    "arrowhead_metric",
    "inverse_mass_matrix",
    "normal_draws",
    "STATISTICS",
    "STATISTIC_NAMES",
]
