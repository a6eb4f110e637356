"""The information that the pilot works with: designs, curvatures and priors, put together without shortcuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_models import GAUSSIAN, GENERAL, assembled_of, small_model

from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.pilot.information import Information, InformationBuilder, head_prior_information
from nutslite.posterior.pilot.row_information import linear_predictors, row_information
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData, reference_to
from nutslite.posterior.targets.target import JointTarget

MODELS = {**GAUSSIAN, **GENERAL}
CENTRINGS = {"centred": lambda rng, n: np.ones(n), "between": lambda rng, n: rng.choice([0.0, 0.4, 0.8, 1.0], n)}
STEP = 1e-5


def whole(information: Information) -> np.ndarray:
    """The arrowhead as one dense matrix."""
    levels, q, _ = information.blocks.shape
    m = information.border.shape[0]
    out = np.zeros((m + levels * q,) * 2)
    out[:m, :m] = information.border
    out[m:, :m] = information.coupling
    out[:m, m:] = information.coupling.T
    for level in range(levels):
        own = slice(m + level * q, m + (level + 1) * q)
        out[own, own] = information.blocks[level]
    return out


def slopes_of_predictors(builder: InformationBuilder, model: ModelData, position: np.ndarray) -> np.ndarray:
    """d eta / d position (k, n, dimension) by differences; zero for hyperparameters, which are left out."""
    n_head, rows = builder.n_head, slice(0, model.y.shape[1])
    own = set(range(n_head, position.size))
    for predictor in model.predictors:
        if predictor[md.VARIES] == 0:
            own.add(int(predictor[md.CONSTANT]))
        else:
            first = predictor[md.COEFFICIENTS]
            own.update([int(predictor[md.INTERCEPT]), *range(first, first + predictor[md.N_COEFFICIENTS])])
    out = np.zeros((model.predictors.shape[0], model.y.shape[1], position.size))
    for i in own - {-1}:
        if i >= position.size:
            continue
        both = []
        for sign in (1.0, -1.0):
            moved = position.copy()
            moved[i] += sign * STEP
            both.append(linear_predictors(model, *builder.natural(moved), rows))
        out[:, :, i] = (both[0] - both[1]) / (2 * STEP)
    return out


def prior_curvature(model: ModelData, target: JointTarget, position: np.ndarray, n_head: int) -> np.ndarray:
    """Minus the second derivatives of the prior: of the head by itself, and of the raw effects, by differences."""
    out = np.zeros((position.size,) * 2)
    out[:n_head, :n_head] = head_prior_information(model.head, target.density, position)
    silent = model._replace(weights=np.zeros(model.y.shape[1]))
    for i in range(n_head, position.size):
        both = []
        for sign in (1.0, -1.0):
            moved, gradient = position.copy(), np.empty_like(position)
            moved[i] += sign * STEP
            compiled_joint()(moved, gradient, (reference_to(silent), target.priors, target.loglik))
            both.append(gradient)
        out[n_head:, i] = (both[1] - both[0])[n_head:] / (2 * STEP)
    return out


def served(options: dict[str, Any]) -> bool:
    """Whether there are group effects with normal priors, as the pilot takes all to have, and no derived values."""
    derived = any(word in str(options) for word in ("hsgp(", "mo(", "Horseshoe", "R2D2", "lower", "sd="))
    return (
        not derived
        and "|" in str(options["formula"])
        and not {"1|g", "1|h"}
        & {name for name, prior in options.get("priors", {}).items() if getattr(prior, "name", "Normal") != "Normal"}
    )


@pytest.mark.parametrize("centring", CENTRINGS)
@pytest.mark.parametrize("name", [name for name, options in MODELS.items() if served(options)])
def test_information_is_designs_times_curvatures_and_the_prior(name: str, centring: str) -> None:
    rng = np.random.default_rng(5)
    assembled = assembled_of(small_model(MODELS[name]))
    model, target = assembled.data, JointTarget(assembled)
    model = model._replace(
        centring=CENTRINGS[centring](rng, model.centring.size),
        typical_scales=rng.uniform(0.5, 2.0, model.typical_scales.size),
    )
    builder = InformationBuilder(model, target.density, target.loglik)
    position = 0.3 * rng.normal(size=builder.dimension)
    information = builder(position)
    assert information is not None
    rows = row_information(model, target.loglik, *builder.natural(position))
    slopes = slopes_of_predictors(builder, model, position)
    expected = np.einsum("jna,jhn,hnb->ab", slopes, rows, slopes, optimize=True)
    expected += prior_curvature(model, target, position, builder.n_head)
    np.testing.assert_allclose(whole(information), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    for block, own in zip(model.blocks, information.level_information, strict=True):
        assert own.shape == (block[md.N_LEVELS], block[md.N_COLUMNS], block[md.N_COLUMNS])
        np.testing.assert_allclose(own, own.swapaxes(1, 2))
