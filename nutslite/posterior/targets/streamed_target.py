"""`StreamedTarget`: a log density whose every value is a sum over rows that are read in passes.

A pass reads each block of rows once for all positions that it is given. So what counts is not how many densities are
asked for, but how often: a search for the mode asks for one gradient a pass, a trial of proposals or the draws of all
chains for hundreds or thousands of values.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._log import log
from nutslite._parallel import available_cpus
from nutslite.engines.elsewhere import Elsewhere
from nutslite.exceptions import SamplingError
from nutslite.families.record.censoring import compiled_logliks
from nutslite.families.record.family import has_total, total_address
from nutslite.formula.design import Design
from nutslite.posterior.assembly.assembly import assemble
from nutslite.posterior.density.joint import JOINT_DATA
from nutslite.posterior.density.plain import compiled_plain_many, is_plain
from nutslite.posterior.density.plain_totals import compiled_plain_totals, has_totals
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.pilot.information import Information
from nutslite.posterior.pilot.pilot import why_no_pilot
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.inventory import Inventory
from nutslite.posterior.record.model_data import ModelData, reference_to, rows_of
from nutslite.posterior.record.model_spec import ModelSpec
from nutslite.posterior.targets.target import JointTarget, Launch, density_of

FloatArray = NDArray[np.float64]

MOST_PARAMETERS = 40  # that proposals serve
MOST_STEPS = 20  # of the search for the mode, a pass each
SETTLED = 1e-3  # that the log density can still rise by, where the search ends
SHORTEST = 2.0**-10  # share of a step that still rises


def why_not_streamed(assembled: Assembled) -> str | None:
    """In plain words why passes over the rows do not serve a model, or None."""
    if assembled.spec.potentials:
        return "it has potentials"
    if not is_plain(assembled.data):
        return "it has more than columns with coefficients (group effects, shared scales, mixed statuses of a response)"
    if assembled.layout.dimension > MOST_PARAMETERS:
        return f"it has {assembled.layout.dimension} parameters, and proposals serve {MOST_PARAMETERS}"
    return why_no_pilot(assembled.data)


class StreamedTarget:
    """The joint log density of a model of columns and coefficients whose rows are on an engine."""

    def __init__(self, assembled: Assembled) -> None:
        spec = assembled.spec
        if spec.elsewhere is None or (sample := spec.elsewhere.sample) is None:
            raise AssertionError("its rows are on an engine, with a sample of them here")
        self.assembled, self.elsewhere = assembled, spec.elsewhere
        sampled = replace(spec, design=sample)
        self.of_sample = JointTarget(assemble(sampled, assembled.inventory, coded=False))
        self.dimension, self.uniforms = assembled.layout.dimension, 0
        self.rows = self.elsewhere.n_rows
        self.data_type = JOINT_DATA
        self.has_edge = self.of_sample.has_edge
        self.in_pieces = False
        self.has_total = has_total(spec.family, self.of_sample.model.links)
        self.passes = 0

    @property
    def logdensity(self) -> Callable[..., float]:
        """None: a gradient would be a pass over the data.

        Raises
        ------
        SamplingError
        """
        raise SamplingError("NUTS would read all data for each of its gradients; data on an engine are not sampled so.")

    @property
    def data(self) -> Any:
        """Of the sample."""
        return self.of_sample.data

    def launch(self) -> Launch:
        """The sample's mode, then steps by the gradient of all rows with the sample's curvature (quasi-Newton, BFGS).

        With m rows in the sample its mode is about sqrt(n / m) standard deviations away, and its curvature right to
        about 1 / sqrt(m): each step leaves a small share of the distance.
        """
        found = self.of_sample.launch()
        if not isinstance(found.information, Information):
            return found
        covariance = np.asarray(np.linalg.inv(found.information.border), dtype=float)
        inverse, position, best = covariance.copy(), found.center, -np.inf
        step, slope = np.zeros_like(position), np.zeros_like(position)
        size, before = 1.0, position
        for steps in range(1, MOST_STEPS + 1):
            (value,), (gradient,) = self._values_and_gradients(position[None])
            if not value >= best:  # too far, or undefined there
                size *= 0.5
                position = before + size * step
                if size < SHORTEST:
                    break
                continue
            if np.isfinite(best):
                inverse = _updated(inverse, position - before, slope - gradient)
            best, before, slope, size = float(value), position, gradient, 1.0
            step = inverse @ gradient
            if 0.5 * float(gradient @ step) < SETTLED:
                return Launch(before, covariance, gradients=steps)
            position = before + step
        return Launch(before, covariance, gradients=MOST_STEPS, settled=False)

    def helped(self, chains: int, cores: int | None) -> AbstractContextManager[None]:
        """Blocks are shared among threads, or workers, in any case."""
        return nullcontext()

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """All of them in one pass over the data."""
        return self._pass(np.ascontiguousarray(positions, dtype=float), False, cores)[0]

    def natural(self, positions: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """As of any joint density."""
        return self.of_sample.natural(positions, rng)

    def _values_and_gradients(self, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._pass(np.ascontiguousarray(positions, dtype=float), True, available_cpus())

    def _pass(self, positions: FloatArray, wanted: bool, cores: int) -> tuple[FloatArray, FloatArray]:
        """Log densities (m,) and, if wanted, gradients (m, dimension), of all rows."""
        spec = replace(self.assembled.spec, elsewhere=None)
        work = OfBlock(spec, self.assembled.inventory, positions, wanted, self.has_total)
        values, gradients = self._prior(positions, wanted)
        for more, slopes in self.elsewhere.over(work, cores):
            values += more
            gradients += slopes
        self.passes += 1
        log.debug("Pass %d over %s: %d positions.", self.passes, self.elsewhere.source.title, len(positions))
        return values, gradients

    def _prior(self, positions: FloatArray, wanted: bool) -> tuple[FloatArray, FloatArray]:
        return prior_part(self.of_sample.model, self.assembled.spec, positions, wanted)


@dataclass(frozen=True)
class OfBlock:
    """What the rows of one block add to log densities and gradients; it can be sent to other processes.

    Attributes
    ----------
    spec : ModelSpec
    inventory : Inventory
    positions : ndarray, shape (m, dimension)
    wanted : bool
        Whether gradients are wanted.
    totals : bool
        Whether values may be sums by the family's `total`: a kernel that was sent is no longer the family's own.
    """

    spec: ModelSpec
    inventory: Inventory
    positions: FloatArray
    wanted: bool
    totals: bool

    def __call__(self, design: Design) -> tuple[FloatArray, FloatArray]:
        """Of a design of some rows, centred at the means of all."""
        model = assemble(replace(self.spec, design=design), self.inventory, coded=False).data
        if self.totals and not self.wanted and has_totals(model):
            values = np.empty(len(self.positions))
            compiled_plain_totals()(self.positions, reference_to(model), total_address(self.spec.family.kind), values)
            return values, np.empty((0, self.positions.shape[1]))
        values, gradients = joint_part(model, self.spec, self.positions, self.wanted)
        prior, prior_gradients = prior_part(model, self.spec, self.positions, self.wanted)
        return values - prior, gradients - prior_gradients


def joint_part(model: ModelData, spec: ModelSpec, positions: FloatArray, wanted: bool) -> tuple[FloatArray, FloatArray]:
    """Log densities (m,) and gradients (m, dimension), or (0, dimension) where none are wanted, on some rows."""
    out = np.empty(len(positions))
    gradients = np.empty((len(positions) if wanted else 0, positions.shape[1]))
    loglik = compiled_logliks(spec.family, model.links, (0,), False)
    data = (reference_to(model), with_derived(model.head, density_of(model.head)), loglik)
    compiled_plain_many()(positions, data, out, gradients)
    return out, gradients


def prior_part(model: ModelData, spec: ModelSpec, positions: FloatArray, wanted: bool) -> tuple[FloatArray, FloatArray]:
    """What the prior and the Jacobian give: the same of one row with a weight of zero."""
    one = rows_of(model._replace(weights=np.empty(0)), np.zeros(1, dtype=np.int64))
    return joint_part(one._replace(weights=np.zeros(1)), spec, positions, wanted)


def streamed(assembled: Assembled) -> Elsewhere | None:
    """Where the rows of a model are that every density reads; None where they are in memory, or rows stand for them."""
    elsewhere = assembled.spec.elsewhere
    return elsewhere if elsewhere is not None and elsewhere.streams else None


def _updated(inverse: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """BFGS: the inverse curvature that explains how the gradient changed over a step.

    Nocedal and Wright (2006), Numerical Optimization, equation 6.17.
    """
    product = float(step @ change)
    if not product > 0.0:
        return inverse
    left = np.eye(len(step)) - np.outer(step, change) / product
    return np.asarray(left @ inverse @ left.T + np.outer(step, step) / product)
