"""Before sampling: where chains start, how the position is scaled, and how far each level's effects are centred.

Given the hyperparameters, Newton's method finds the mode of coefficients, auxiliary parameters and group effects;
given those, an EM-like step moves the scales of the group effects, using the effects' curvature as their posterior
variance. At the end each level gets its centring weight and each scale its bent logarithm
(`centring`), which decouples effects from scales, and the information matrix in these coordinates becomes the sampler's
metric. The pilot only chooses coordinates: whatever it finds, the posterior that NUTS samples is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.posterior.density.block_effects import locations_and_scales, places_of, spreads_and_units
from nutslite.posterior.density.effects import fill_effects
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.density.plain import compiled_plain_many, is_plain
from nutslite.posterior.nodes.program import with_derived
from nutslite.posterior.pilot.arrowhead import arrowhead_variances, made_positive, schur_complement, solve_arrowhead
from nutslite.posterior.pilot.centring import Coordinates, choose_coordinates, in_coordinates, scale_columns
from nutslite.posterior.pilot.information import Information, InformationBuilder, head_prior_information
from nutslite.posterior.pilot.mode import SETTLED
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.head import NO_DENSITY, constrain_head, is_derived, is_fixed
from nutslite.posterior.record.model_data import ModelData, has_derived_coefficients, reference_to
from nutslite.posterior.record.node_table import level_factor_inputs
from nutslite.posterior.record.transforms import LOG

FloatArray = NDArray[np.float64]

OUTER_STEPS = 25
NEWTON_STEPS = 30
SCALE_TOLERANCE = 0.02  # change of the log scales at which the outer iteration stops
ROUGH_SCALE_TOLERANCE = 0.1  # where a short run looks for the scales afterwards
FURTHEST_FALL = 15.0  # of a log scale from where the search began, where it has not come to rest
LARGEST_NEWTON_STEP = 10.0  # change of a linear predictor, in its unit, by one coefficient


@dataclass(frozen=True)
class Pilot:
    """What the pilot found.

    Attributes
    ----------
    model : ModelData
        The model with its centring weights chosen.
    position : ndarray, shape (dimension,)
        Conditional mode, in the coordinates of `model`.
    information : Information
        There, in these coordinates; hyperparameters on the diagonal of the border.
    gradients : int
        Gradient evaluations spent.
    settled : bool
        Whether the mode and the scales were found, and the search has not just taken all its steps.
    """

    model: ModelData
    position: FloatArray
    information: Information
    gradients: int
    settled: bool = True


def why_no_pilot(model: ModelData) -> str | None:
    """In plain words why the pilot does not serve this model, or None."""
    if has_derived_coefficients(model):
        return "a coefficient is computed from other parameters"
    if is_derived(model.head, model.head.arguments[model.head.densities != NO_DENSITY]).any():
        return "an argument of a prior is computed from other parameters"
    n_head = model.head.transforms.size
    for row in model.block_columns:
        if row[md.SCALE_ARGUMENT] < 0:
            return "effects have a prior without location and scale"
        location = row[md.ARGUMENTS + row[md.LOCATION_ARGUMENT]]
        if not is_fixed(model.head, location):
            return "the location of effects has a prior"
        scale = row[md.ARGUMENTS + row[md.SCALE_ARGUMENT]]
        if is_derived(model.head, scale):
            return "the scale of effects is computed from other parameters"
        if scale < n_head and model.head.transforms[scale] != LOG:
            return "the scale of effects has a bounded prior"
    return None


def run_pilot(
    model: ModelData,
    density: Callable[..., float],
    loglik: tuple[Any, ...],
    start: FloatArray,
    steps: FloatArray | None = None,
    units: FloatArray | None = None,
    scale_tolerance: float = SCALE_TOLERANCE,
) -> Pilot | None:
    """Find coordinates for a model; None where no usable mode was found (the sampler then adapts by itself).

    `steps` (k,), in the units of the linear predictors, are those of differences where the curvature changes as fast as
    these say; Newton's steps are then in any unit, too. `units` (k,) are of the linear predictors: by how much one may
    change, 1 without them. The search ends when no log scale changes by more than `scale_tolerance`.
    """
    if why_no_pilot(model) is not None:
        return None
    blocks = model.blocks.copy()
    blocks[:, md.LEVEL_FACTORS] = -1  # it looks where all levels have the scales of the average one
    try:
        found = _Search(model._replace(blocks=blocks), density, loglik, start, steps, units).run(scale_tolerance)
    except np.linalg.LinAlgError:  # on the way to a scale of zero numbers leave the range of doubles
        return None
    if found is None or not _is_usable(found, start):
        return None
    found = replace(found, model=found.model._replace(blocks=model.blocks))
    _add_gammas(found)
    return found


def _add_gammas(found: Pilot) -> None:
    """Information about what the scales of levels depend on: of a log scale 2 for each effect that is known exactly."""
    model = found.model
    for block in model.blocks[model.blocks[:, md.LEVEL_FACTORS] >= 0]:
        gammas, columns = level_factor_inputs(model.head.nodes, int(block[md.LEVEL_FACTORS]))
        known = np.sum(model.centring[places_of(block)] ** 2, axis=1)
        for place, column in zip(gammas, columns, strict=True):
            if place < model.head.transforms.size:
                w = model.head.fixed[column - model.head.transforms.size]
                found.information.border[place, place] += 2.0 * float(known @ w**2)


def _is_usable(found: Pilot, start: FloatArray) -> bool:
    """Whether there is a mode: where coefficients can fit every row exactly, scales run off to zero without end."""
    information = found.information
    logs = np.flatnonzero(found.model.head.transforms == LOG)
    if not found.settled and np.any(found.position[logs] < start[logs] - FURTHEST_FALL):
        return False
    parts = (found.position, information.border, information.coupling, information.blocks)
    if not all(np.isfinite(part).all() for part in parts):
        return False
    try:
        border = np.linalg.inv(information.border) if not information.blocks.size else information.border
        np.linalg.cholesky(border)
    except np.linalg.LinAlgError:
        return False
    return information.blocks.size == 0 or schur_complement(information) is not None


def hyperparameters(model: ModelData) -> NDArray[np.int64]:
    """Head positions that Newton leaves alone: whatever is not a coefficient or a constant of the likelihood."""
    own = set()
    for predictor in model.predictors:
        if predictor[md.VARIES] == 0:
            own.add(int(predictor[md.CONSTANT]))
            continue
        own.add(int(predictor[md.INTERCEPT]))
        first = int(predictor[md.COEFFICIENTS])
        own.update(range(first, first + int(predictor[md.N_COEFFICIENTS])))
    return np.array([i for i in range(model.head.transforms.size) if i not in own], dtype=np.int64)


def _sizes(model: ModelData, units: FloatArray) -> FloatArray:
    """By how many units each number of the head moves a linear predictor when it moves by 1; 1 for hyperparameters."""
    sizes = np.ones(model.head.transforms.size)
    for predictor, unit in zip(model.predictors, units, strict=True):
        if predictor[md.VARIES]:
            first, intercept = int(predictor[md.COEFFICIENTS]), int(predictor[md.INTERCEPT])
            if 0 <= intercept < sizes.size:
                sizes[intercept] = 1.0 / unit
            sizes[first : first + int(predictor[md.N_COEFFICIENTS])] = 1.0 / unit
    plain = model.coefficients < sizes.size
    own = (column for column, own in zip(model.matrix, plain, strict=True) if own)
    squares = np.array([np.einsum("n,n->", column, column) / column.size for column in own])
    sizes[model.coefficients[plain]] *= np.sqrt(squares)
    return sizes


class _Search:
    """The pilot's state: the model (its centring changes once), the position and the hyperparameters' positions."""

    def __init__(
        self,
        model: ModelData,
        density: Callable[..., float],
        loglik: tuple[Any, ...],
        start: FloatArray,
        steps: FloatArray | None,
        units: FloatArray | None,
    ) -> None:
        # Effects are searched for on their own scale (centred): there the conditional mode is a smooth convex problem.
        self.given_centring = model.centring
        self.model = model._replace(centring=np.ones_like(model.centring))
        self.density, self.loglik, self.steps = density, loglik, steps
        self.largest_step = LARGEST_NEWTON_STEP if steps is None else np.inf
        self.builder = InformationBuilder(self.model, density, loglik, steps)
        self.n_head = self.builder.n_head
        self.position = np.array(start, dtype=float)
        self.gradients = 0
        self.at_mode = self.scales_found = True
        self.sizes = _sizes(model, np.ones(len(model.predictors)) if units is None else units)
        self.scales = scale_columns(model)
        self.hyper = hyperparameters(model)

    def run(self, scale_tolerance: float) -> Pilot | None:
        information = self._newton()
        if information is None:
            return None
        for _ in range(OUTER_STEPS if self.scales else 0):
            change = self._update_scales(information)
            information = self._newton()
            if information is None:
                return None
            self.scales_found = change < scale_tolerance
            if self.scales_found:
                break
        return self._finish(information)

    def _density(self, position: FloatArray) -> tuple[float, FloatArray]:
        self.gradients += 1
        data = (reference_to(self.model), with_derived(self.model.head, self.density), self.loglik)
        if is_plain(self.model):
            value, gradients = np.empty(1), np.empty((1, position.size))
            compiled_plain_many()(np.ascontiguousarray(position[None]), data, value, gradients)
            return float(value[0]), gradients[0]
        gradient = np.empty_like(position)
        return float(compiled_joint()(position, gradient, data)), gradient

    def _newton(self) -> Information | None:
        """Move coefficients, constants and effects to their conditional mode; the information there."""
        value, gradient = self._density(self.position)
        if not np.isfinite(value):
            return None
        for _ in range(NEWTON_STEPS):
            information = self._information()
            if information is None:
                return None
            gradient[self.hyper] = 0.0
            step = solve_arrowhead(information, gradient)
            if step is None:
                return None
            decrement = float(gradient @ step)
            largest = np.max(np.abs(step[: self.n_head]) * self.sizes, initial=0.0)
            step *= min(1.0, self.largest_step / max(largest, 1e-300))
            self.at_mode = decrement < SETTLED
            moved = self._line_search(value, step, decrement)
            if moved is None:
                return information
            self.position, value, gradient = moved
            if self.at_mode:
                break
        return self._information()

    def _information(self) -> Information | None:
        """Information with hyperparameters uncoupled, positive definite.

        Where it is not, rows count with the positive part of theirs; what is missing still is added to the diagonal.
        """
        for convex in (False, True):
            information = self.builder(self.position, convex)
            self.gradients += 2
            if information is None:
                return None
            self._uncouple(information)
            if schur_complement(information) is not None:
                return information
        return None if information is None else made_positive(information)

    def _uncouple(self, information: Information) -> None:
        border = information.border
        border[self.hyper, :] = 0.0
        border[:, self.hyper] = 0.0
        border[self.hyper, self.hyper] = 1.0
        information.coupling[:, self.hyper] = 0.0

    def _line_search(
        self, value: float, step: FloatArray, decrement: float
    ) -> tuple[FloatArray, float, FloatArray] | None:
        size = 1.0
        for _ in range(25):
            proposal = self.position + size * step
            new_value, gradient = self._density(proposal)
            if np.isfinite(new_value) and new_value >= value + 1e-4 * size * min(decrement, 1.0) - 1e-10 * abs(value):
                return proposal, new_value, gradient
            size *= 0.5
        return None

    def _update_scales(self, information: Information) -> float:
        """EM-like step for every scale; largest change of a log scale."""
        variances = arrowhead_variances(information)[self.n_head :]
        values, effects = self.builder.natural(self.position)
        change = 0.0
        for scale, columns in self.scales.items():
            total, count = 0.0, 0
            for at in columns:
                total += float(np.sum((effects[at] - self._location(int(at[0]))) ** 2 + variances[at]))
                count += at.size
            new = np.log(self._best_scale(scale, values, total, count) - self.model.head.bounds[0, scale])
            change = max(change, abs(new - self.position[scale]))
            self.position[scale] = new
        self._keep_effects(effects)
        return change

    def _location(self, effect: int) -> float:
        for block in self.model.blocks:
            c = (effect - block[md.EFFECT_START]) % block[md.EFFECT_STRIDE]
            if effect >= block[md.EFFECT_START] and c < block[md.N_COLUMNS]:
                row = self.model.block_columns[block[md.COLUMN_TABLE] + c]
                return float(self.model.head.fixed[row[md.ARGUMENTS + row[md.LOCATION_ARGUMENT]] - self.n_head])
        return 0.0

    def _best_scale(self, scale: int, values: FloatArray, total: float, count: int) -> float:
        """Maximise count * -log s - total / (2 s^2) + log prior(s) + log s over log s, by Newton steps."""
        head = self.model.head
        log_s = 0.5 * np.log(max(total / count, 1e-12))
        a, b, c, d = (values[i] for i in head.arguments[scale])
        partials = np.empty(5)
        for _ in range(20):
            s = float(np.exp(log_s))
            self.density(head.densities[scale], s, a, b, c, d, partials)
            slope = -count + total / s**2 + 1.0 + partials[0] * s
            curvature = 2.0 * total / s**2 + 1.0
            step = float(np.clip(slope / curvature, -1.0, 1.0))
            log_s += step
            if abs(step) < 1e-4 or not np.isfinite(log_s):
                break
        return float(np.exp(log_s))

    def _keep_effects(self, effects: FloatArray) -> None:
        """Set the raw effects so that the effects stay what they were (fully centred: effect = location + raw)."""
        locations = np.zeros_like(effects)
        self.position[self.n_head :] = 0.0
        values = np.empty(self.n_head + self.model.head.fixed.size)
        constrain_head(self.position, self.model.head, values)
        fill_effects(self.model, self.position, values, locations)
        self.position[self.n_head :] = effects - locations

    def _finish(self, information: Information) -> Pilot | None:
        """Choose the coordinates, move to them, and put the hyperparameters' curvature on the border."""
        chosen = self._coordinates(information)
        if chosen.bent:
            # The steps above are short where there is little evidence: ask again where the scales are more typical.
            _, effects = self.builder.natural(self.position)
            for hyper, profile in chosen.bent.items():
                self.position[hyper] = np.log(profile.typical - self.model.head.bounds[0, hyper])
            self._keep_effects(effects)
            moved = self._newton()
            if moved is None:
                return None
            chosen = self._coordinates(moved)
        values, _ = self.builder.natural(self.position)
        self.model = in_coordinates(self.model, chosen, self.position, values)
        self.builder = InformationBuilder(self.model, self.density, self.loglik, self.steps)
        for block in self.model.blocks:
            self._to_raw(block, values)
        final = self._information()
        if final is None:
            return None
        final.border[self.hyper, self.hyper] = self._hyper_information(chosen)
        return Pilot(self.model, self.position, final, self.gradients, self.at_mode and self.scales_found)

    def _coordinates(self, information: Information) -> Coordinates:
        values, _ = self.builder.natural(self.position)
        deviations = self.position[self.n_head :]
        return choose_coordinates(self.model, self.density, values, deviations, information.level_information)

    def _to_raw(self, block: NDArray[np.int64], values: FloatArray) -> None:
        """Deviations of a block's effects to raw numbers (correlations are zero here)."""
        _, scales = locations_and_scales(self.model, block, values)
        self.position[self.n_head + places_of(block)] /= spreads_and_units(self.model, block, scales)[1]

    def _hyper_information(self, chosen: Coordinates) -> FloatArray:
        """Precisions: of scales those of their profiles, sum(r_c r_d) for a correlation, else the prior's."""
        centring = chosen.centring
        prior = np.diag(head_prior_information(self.model.head, self.density, self.position)).copy()
        likelihood = np.zeros(self.n_head)
        for block in self.model.blocks:
            if block[md.CORRELATION] < 0:
                continue
            first = block[md.EFFECT_START] + np.arange(block[md.N_LEVELS]) * block[md.EFFECT_STRIDE]
            place = int(block[md.CORRELATION])
            for c in range(1, block[md.N_COLUMNS]):
                for d in range(c):
                    likelihood[place] += float(np.sum(centring[first + c] * centring[first + d]))
                    prior[place] = 2.0  # of the order of an LKJ prior's curvature in the unconstrained correlation
                    place += 1
        total = np.maximum(likelihood + prior, 0.25)
        for hyper, profile in chosen.bent.items():
            total[hyper] = 1.0 / profile.variance
        return total[self.hyper]
