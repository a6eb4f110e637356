"""`MarginalTarget`: the few parameters that are left when a Gaussian model's coefficients are integrated out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus, run_in_parts
from nutslite.exceptions import SamplingError
from nutslite.posterior.density.many_positions import log_densities
from nutslite.posterior.marginal.folding import START, foldable, folded, tailed
from nutslite.posterior.marginal.marginal import MARGINAL_TYPE, compiled_marginal
from nutslite.posterior.marginal.marginal_many import compiled_marginal_many
from nutslite.posterior.marginal.marginal_value import compiled_marginal_value
from nutslite.posterior.marginal.recovery import recover
from nutslite.posterior.marginal.reduction import Reduction
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.pilot.mode import Mode, find_mode
from nutslite.posterior.pilot.nested_laplace import has_few_rows
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.transforms import FOLD
from nutslite.posterior.targets.target import Launch, density_of

FloatArray = NDArray[np.float64]

FEW_NUMBERS = 100_000  # values and effects of all draws, which are drawn before threads would have started


class MarginalTarget:
    """Scales, correlations and sigma of a Gaussian model; coefficients and effects are drawn exactly afterwards."""

    def __init__(self, assembled: Assembled, reduction: Reduction) -> None:
        self.assembled, self.reduction = assembled, reduction
        self.dimension, self.uniforms = reduction.kept.size, 0
        self.rows = 0
        self.density = density_of(reduction.data.head)
        self.data_type = MARGINAL_TYPE
        self.has_edge = False
        self.in_pieces = False

    @property
    def logdensity(self) -> Callable[..., float]:
        """With its gradient; compiled when NUTS asks for it."""
        return compiled_marginal()

    @property
    def data(self) -> Any:
        """The cross-products, then derived values and prior densities."""
        return (self.reduction.data, with_derived(self.reduction.data.head, self.density))

    @property
    def is_small(self) -> bool:
        """Whether there are so few rows that slices replace NUTS."""
        return has_few_rows(self.assembled.data, self.dimension)

    def for_slices(self) -> tuple[Callable[..., float], Any, Any]:
        """The density without its gradient, data for one chain, and their type."""
        return compiled_marginal_value(), self.data, MARGINAL_TYPE

    def launch(self) -> Launch:
        """The mode of the few parameters, and the covariance that its curvature implies; scales are folded there."""
        start = starting_position(self.assembled)[self.reduction.kept]
        mode = find_mode(self._values, start)
        if mode is None:
            return Launch(start, None)
        evaluations = mode.evaluations + self.dimension
        sds = np.sqrt(np.diag(mode.covariance))
        which = foldable(self.reduction) & tailed(self._values, mode.position, sds, mode.logdensity)
        if which.any():
            self.reduction = folded(self.reduction, np.where(which, np.exp(mode.position), 0.0))
            start = np.where(which, START, mode.position)
            again = find_mode(self._values, start, sds)
            if again is None:
                return Launch(start, None)
            evaluations += again.evaluations
            mode = _unmirrored(again, which)
            sds = np.sqrt(np.diag(mode.covariance))
            # A scale of exactly zero has no density, only a limit.
            mode = replace(mode, position=np.where(mode.position == 0.0, 1e-3 * sds, mode.position))
        return Launch(mode.position, mode.covariance, values=evaluations, settled=mode.settled)

    def _values(self, positions: FloatArray) -> FloatArray:
        out = np.empty(positions.shape[0])
        compiled_marginal_many()(np.ascontiguousarray(positions, dtype=float), self.data, out)
        return out

    def helped(self, chains: int, cores: int | None) -> AbstractContextManager[None]:
        """There are no rows to share."""
        return nullcontext()

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """One after the other; a folded scale is the same at u and -u, and proposals are for positive u."""
        evaluate = compiled_marginal_many()
        out = log_densities(lambda some, out: evaluate(some, self.data, out), positions, cores)
        folded = self.reduction.data.head.transforms[: self.dimension] == FOLD
        out[(positions[:, folded] < 0.0).any(axis=1)] = -np.inf
        return out

    def natural(self, positions: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw coefficients and effects given the parameters; the draws that follow in a chain do not count."""
        chains, draws, _ = positions.shape
        values = np.empty((chains, draws, self.reduction.n_values))
        effects = np.empty((chains, draws, self.reduction.n_effects))
        streams = rng.spawn(chains)
        cores = available_cpus() if chains == 1 else 1

        def recover_chains(some: slice) -> None:
            for chain in range(chains)[some]:
                recover(self.reduction, positions[chain], streams[chain], cores, (values[chain], effects[chain]))

        fewest = 1 if values.size + effects.size > FEW_NUMBERS else chains
        run_in_parts(recover_chains, chains, available_cpus(), fewest)
        sampled = values[..., : values.shape[-1] - self.reduction.data.head.fixed.size]  # bounds may be infinite
        ends = effects.min(initial=0.0), effects.max(initial=0.0)  # a sum of finite numbers may overflow
        if not (np.isfinite(sampled).all() and np.isfinite(ends).all()):
            raise SamplingError(
                "Drawing the integrated coefficients failed numerically; fit with plan='joint' and report this model."
            )
        return values, effects


def _unmirrored(mode: Mode, folded: NDArray[np.bool_]) -> Mode:
    """The mode with folded scales above zero, where proposals are allowed; Newton's steps may have crossed it."""
    signs = np.where(folded & (mode.position < 0.0), -1.0, 1.0)
    return replace(mode, position=signs * mode.position, covariance=mode.covariance * np.outer(signs, signs))
