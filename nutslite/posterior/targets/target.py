"""What is sampled: a log density with its data, where chains start, and how its draws become the model's quantities.

Several targets serve the same posterior. `JointTarget` is the general one. `MarginalTarget`, in a file of its own,
samples the few parameters that are left when a Gaussian model's coefficients and effects are integrated out, and draws
those exactly afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nutslite._parallel import available_cpus
from nutslite.families.record.censoring import compiled_logliks
from nutslite.posterior.density.helper_threads import helped_chains
from nutslite.posterior.density.joint import JOINT_DATA, compiled_joint, natural_scale
from nutslite.posterior.density.many_positions import compiled_joint_many, log_densities, values_and_gradients
from nutslite.posterior.density.plain import compiled_plain_many, compiled_plain_natural, is_plain
from nutslite.posterior.density.reciprocal import CURVE_DATA, compiled_reciprocal, reciprocals_for
from nutslite.posterior.density.warped import compiled_warped, compiled_warped_natural
from nutslite.posterior.density.warped_value import VALUE_DATA, compiled_warped_value, scratch_for
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.pilot.information import Information
from nutslite.posterior.pilot.inside import starts_inside
from nutslite.posterior.pilot.mode import find_mode
from nutslite.posterior.pilot.nested_laplace import (
    bent_scales,
    bounded,
    given_parameter,
    has_edge,
    is_small,
    less_centred,
    nested_warp,
    start_at_mean,
)
from nutslite.posterior.pilot.pieces import Lines, has_pieces
from nutslite.posterior.pilot.pilot import SCALE_TOLERANCE, Pilot, run_pilot
from nutslite.posterior.pilot.start import other_predictors, pilot_kernels, starting_position, starting_predictor
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import NO_DENSITY, Head
from nutslite.posterior.record.model_data import ModelData, reference_to, sorted_rows
from nutslite.posterior.record.transforms import BENT_LOG
from nutslite.posterior.record.warp import FREE, Warp
from nutslite.priors.densities.densities import density_function
from nutslite.sampler.independence.nested import NestedProposal

FloatArray = NDArray[np.float64]

UNKNOWN_VARIANCE = 1e-2  # of coordinates, for slices to begin with
MUCH_HIGHER = 3.0  # a log density than another starting point's


@dataclass(frozen=True)
class Launch:
    """Where chains start and what is known about the posterior's shape there.

    Attributes
    ----------
    center : ndarray, shape (dimension,)
    information : Information or ndarray or None
        The inverse covariance in arrowhead form, or the covariance itself as a dense matrix or (a vector) its diagonal;
        None: not known, the sampler adapts its metric while it warms up.
    gradients, values : int
        Evaluations of the log density that the search took, with its gradient and without.
    settled : bool
        Whether the search ended at a mode, and not because it had taken all its steps.
    proposal : NestedProposal or None
        For independence Metropolis, where the search has made one; None: the normal distribution at the mode.
    """

    center: FloatArray
    information: Information | FloatArray | None
    gradients: int = 0
    values: int = 0
    settled: bool = True
    proposal: NestedProposal | None = None


class Target(Protocol):
    """A log density that the sampler can run, and the way back to the model's quantities; `rows` of data it reads.

    Behind the coordinates of a proposal may be `uniforms`: numbers of which `log_densities` makes further coordinates.
    """

    dimension: int
    uniforms: int
    rows: int
    data_type: Any
    has_edge: bool  # whether links leave positions without a density
    in_pieces: bool  # whether they break the posterior of a model of few rows into pieces

    @property
    def logdensity(self) -> Callable[..., float]:
        """``logdensity(position, gradient, data)``."""
        ...

    @property
    def data(self) -> Any:
        """What the log density receives."""
        ...

    def launch(self) -> Launch:
        """Find where to start; may choose better coordinates (and so change `data`)."""
        ...

    def helped(self, chains: int, cores: int | None) -> AbstractContextManager[Sequence[Any] | None]:
        """While chains run: their data, one for each, with helping threads where there are processors to spare."""
        ...

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """Log densities (m,) of positions (m, dimension) for proposals; of mirror images only one is allowed."""
        ...

    def natural(self, positions: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Joint `values` and `effects`, shapes (chains, draws, ...), of draws of shape (chains, draws, dimension)."""
        ...


class JointTarget:
    """The general log density over all parameters and raw group effects."""

    scale_tolerance = SCALE_TOLERANCE

    def __init__(
        self,
        assembled: Assembled,
        use_pilot: bool = True,
        merged: ModelData | None = None,
        few_rows: bool = False,
    ) -> None:
        self.assembled = assembled
        self.model = sorted_rows(assembled.data if merged is None else merged)
        data = assembled.data
        kernels, bounded = md.kernels_of(data), md.has_bounds(data)
        self.loglik = compiled_logliks(assembled.spec.family, data.links, kernels, bounded)
        self.dimension, self.uniforms = assembled.layout.dimension, 0
        self.rows = self.model.y.shape[1]
        self.density = density_of(self.model.head, self.model.block_columns)
        self.data_type = JOINT_DATA
        self.has_edge = has_edge(self.model, assembled.spec.family)
        self.in_pieces = is_small(self.model) and has_pieces(self.model, assembled.spec.family)
        self.use_pilot, self.few_rows = use_pilot, few_rows
        self.pilot: Pilot | None = None
        self._reference: tuple[ModelData, Any] | None = None

    @property
    def logdensity(self) -> Callable[..., float]:
        """With its gradient; compiled when NUTS asks for it."""
        return compiled_warped() if self.is_warped else compiled_joint()

    @property
    def is_warped(self) -> bool:
        """Whether positions are the coordinates of `warp`."""
        return self.model.warp.knots.size > 0

    @property
    def data(self) -> Any:
        """The model's record, its derived values and prior densities, and the family kernel."""
        return (self.reference, self.priors, self.loglik)

    @property
    def reference(self) -> Any:
        """What compiled code is handed of the model."""
        if self._reference is None or self._reference[0] is not self.model:
            self._reference = self.model, reference_to(self.model)
        return self._reference[1]

    @property
    def priors(self) -> Any:
        """Derived values and prior densities."""
        return with_derived(self.model.head, self.density)

    def for_slices(self) -> tuple[Callable[..., float], Any, Any]:
        """The density of a model of few rows without its gradient, data for one chain, and their type."""
        return compiled_warped_value(), (*self.data, scratch_for(self.model)), VALUE_DATA

    def curves(self, lines: Lines) -> tuple[Callable[..., float], Any, Any]:
        """Ways from piece to piece along lines, data for one chain with those of `for_slices`, and their type."""
        value_data = (*self.data, scratch_for(self.model))
        own = reciprocals_for(self.dimension, self.model.warp.members.size, lines)
        return compiled_reciprocal(), (value_data, own), CURVE_DATA

    def launch(self) -> Launch:
        """Run the pilot; where it does not serve, start at a simple guess."""
        start = starting_position(self.assembled)
        if self.use_pilot:
            loglik, steps, units = pilot_kernels(self.assembled, self.loglik)
            self.pilot = run_pilot(self.model, self.density, loglik, start, steps, units, self.scale_tolerance)
        if self.pilot is None:
            return Launch(start, None)
        self.model = self.pilot.model
        return Launch(self.pilot.position, self.pilot.information, self.pilot.gradients, settled=self.pilot.settled)

    def launch_small(self, for_slices: bool = False) -> Launch | None:
        """Move a model of few rows to the coordinates of `warp`, where its posterior is nearly normal.

        None, and nothing is changed, where the model is not one of these or no conditional modes were found. Slices
        need none: for them it starts from any point with a density.
        """
        if not self.few_rows:
            return None
        before, spec = self.model, self.assembled.spec
        start = starting_position(self.assembled)
        small = less_centred(before) if self.pilot is not None else bent_scales(before, start)
        start[small.head.transforms.size :] = 0.0
        start[small.coefficients] = 0.0
        start[[i for i, code in enumerate(small.head.transforms) if code == BENT_LOG]] = 0.0
        plain = bounded(small, spec.family.parent.support)
        given = given_parameter(small, [parameter.name for parameter in spec.family.eta_parameters])
        self.model = small._replace(warp=plain)
        start = self._best_start(plain, start)
        warp = nested_warp(plain, given, self._values, start)
        if warp is None:
            if for_slices and np.isfinite(self._values(start[None])[0]):
                return Launch(start, UNKNOWN_VARIANCE * np.eye(self.dimension))
            self.model = before
            return None
        if self.in_pieces:
            warp = warp._replace(stretched=np.ones_like(warp.stretched))
        self.model = small._replace(warp=warp)
        mode = find_mode(self._values, np.zeros(self.dimension), np.ones(self.dimension), roughly=True)
        if mode is None:
            return Launch(np.zeros(self.dimension), np.eye(self.dimension))
        return Launch(mode.position, mode.covariance)

    def joint_positions(self, positions: FloatArray) -> FloatArray:
        """Positions (m, dimension) of the joint density of the target's model, where the target moves other numbers."""
        return positions

    def own_positions(self, positions: FloatArray) -> FloatArray:
        """The inverse of `joint_positions`."""
        return positions

    def _best_start(self, plain: Warp, start: FloatArray) -> FloatArray:
        """With the mean at the mean response, or where the density is much higher."""
        predictors = [starting_predictor(self.assembled), *other_predictors(self.assembled)]
        starts = np.tile(start, (len(predictors), 1))
        for some, eta in zip(starts, predictors, strict=True):
            start_at_mean(plain, some, eta)
        if plain.kind == FREE and (self.has_edge or self.in_pieces):
            found = starts_inside(self.model, self.assembled.spec.family.parent.support, predictors)
            starts = np.concatenate([starts, np.tile(start, (len(found), 1))])
            for some, head in zip(starts[len(predictors) :], found, strict=True):
                some[: head.size] += head
        values = self._values(starts)
        values = np.where(np.isfinite(values), values, -np.inf)
        best = starts[int(np.argmax(values))] if values.max() > values[0] + MUCH_HIGHER else starts[0]
        return np.asarray(best)

    def _values(self, positions: FloatArray) -> FloatArray:
        return self.log_densities(positions, 1)

    @contextmanager
    def helped(self, chains: int, cores: int | None) -> Iterator[Sequence[Any] | None]:
        """Rows of a gradient are shared where chains are fewer than cores; functions in Python gain nothing by it."""
        alone = self.assembled.spec.family.is_custom or bool(self.assembled.spec.potentials)
        with helped_chains(self.model, self.loglik, chains, 0 if alone else cores or available_cpus()) as models:
            yield None if models is None else [(reference_to(model), *self.data[1:]) for model in models]

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """Many at once: rows of data are read once for a chunk of positions."""
        if self.is_warped:
            return values_and_gradients(self.logdensity, self.data, self.data_type, positions)[0]
        if is_plain(self.model):
            plain, no_gradients = compiled_plain_many(), np.empty((0, self.dimension))
            return log_densities(lambda some, out: plain(some, self.data, out, no_gradients), positions, cores)
        evaluate = compiled_joint_many()
        return log_densities(lambda some, out: evaluate(some, self.data, out), positions, cores)

    def natural(self, positions: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Natural-scale draws; needs no randomness."""
        chains, draws, dimension = positions.shape
        n_head = self.assembled.layout.n_head
        values = np.empty((chains * draws, n_head + self.model.head.fixed.shape[0]))
        effects = np.empty((chains * draws, dimension - n_head))
        flat = np.ascontiguousarray(positions.reshape(-1, dimension))
        if self.is_warped:
            compiled_warped_natural()(flat, self.reference, values, effects)
        elif is_plain(self.model):
            compiled_plain_natural()(flat, self.model.head, values)
        else:
            natural_scale(flat, self.model, values, effects)
        return values.reshape(chains, draws, -1), effects.reshape(chains, draws, -1)


def density_of(head: Head, block_columns: NDArray[np.int64] | None = None) -> Callable[..., float]:
    """The function of all prior densities that a model has."""
    used = {int(code) for code in head.densities if code != NO_DENSITY}
    if block_columns is not None:
        used |= {int(code) for code in block_columns[:, md.DENSITY]}
    return density_function(used)
