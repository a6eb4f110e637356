"""The No-U-Turn sampler, on NumPy and Numba alone: any log density with a gradient in, draws out.

In reading order: `transition` (`logdensity`: what it samples from; `metric`, `hamiltonian`, `turning`, `trajectory`,
`nuts`: one transition; `step_size`, `chain`: a block of transitions, all that is compiled), `warmup`, `mass_matrix`,
`worker` (one chain), `threads`, `sample` (the driver), `draws` (what comes out). `densities` are the kinds of log
densities that `sample` takes, `constraints` what users' densities need for bounded parameters. `checkpoint` keeps a run
on disk while it goes; `independence` samples without gradients; `catalogue` has what can take the place of the usual
integrator, trajectory, step-size rule, metric and warm-up; `parts` says what such a part is, `choices` lists them. The
documents, `docs/sampler/`, go through the files in this order, each equation beside its lines.
"""

from __future__ import annotations

from nutslite.sampler.catalogue.assembly import inverse_mass_matrix, normal_draws
from nutslite.sampler.catalogue.low_rank import low_rank_metric
from nutslite.sampler.catalogue.splitting import splitting
from nutslite.sampler.catalogue.static import static
from nutslite.sampler.catalogue.walnuts import walnuts
from nutslite.sampler.densities.callback import CallbackDensity
from nutslite.sampler.densities.compiled import CompiledDensity
from nutslite.sampler.densities.density import Density
from nutslite.sampler.densities.differentiated import DifferentiatedDensity
from nutslite.sampler.densities.entry import Callback
from nutslite.sampler.densities.python import PythonDensity
from nutslite.sampler.draws import Draws, SamplerSettings
from nutslite.sampler.parts.integrator import Integrator
from nutslite.sampler.parts.metric_kind import MetricKind, MetricRule
from nutslite.sampler.parts.stage import Stage, Warmup
from nutslite.sampler.parts.step_size_rule import StepSizeRule
from nutslite.sampler.parts.trajectory_rule import Trajectory
from nutslite.sampler.sample import sample
from nutslite.sampler.state import ChainState
from nutslite.sampler.transition.metric import Metric, arrowhead_metric, centred_at, dense_metric, diagonal_metric
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
    "ChainState",
    "Metric",
    "diagonal_metric",
    "centred_at",
    "dense_metric",
    "arrowhead_metric",
    "low_rank_metric",
    "inverse_mass_matrix",
    "normal_draws",
    "Integrator",
    "splitting",
    "Trajectory",
    "static",
    "walnuts",
    "StepSizeRule",
    "Warmup",
    "Stage",
    "MetricRule",
    "MetricKind",
    "STATISTICS",
    "STATISTIC_NAMES",
]
