"""`Model(potentials=...)`: terms of the log density that users add, against closed forms and differences."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from small_models import grouped_data
from test_model_density import derivative, moved

import nutslite as nl
from nutslite.results.container.inference_data import get_group

QUIET: dict[str, Any] = {"chains": 2, "random_seed": 1, "progressbar": False}
PRIORS: dict[str, Any] = {
    "Intercept": nl.Prior("Normal", mu=1.0, sigma=0.5),
    "z": nl.Prior("Normal", mu=0.0, sigma=0.1),
    "sigma": 0.9,
}


def narrow(x: Any) -> Any:
    """The log density of a normal prior, up to a constant."""
    return -0.5 * ((x - 0.3) / 0.2) ** 2


def test_a_potential_that_is_a_prior_gives_its_posterior() -> None:
    """A conjugate answer: a flat prior with a normal potential is a normal prior."""
    data = grouped_data()
    model = nl.Model(
        "y ~ x + z", data, priors={**PRIORS, "x": nl.Prior("Flat")}, center_predictors=False, potentials=[("x", narrow)]
    )
    results = model.fit(draws=2000, **QUIET)
    columns = np.column_stack([np.ones(len(data)), data.x, data.z])
    scales, means = np.array([0.5, 0.2, 0.1]), np.array([1.0, 0.3, 0.0])
    covariance = np.linalg.inv(columns.T @ columns / 0.9**2 + np.diag(1 / scales**2))
    mean = covariance @ (columns.T @ data.y / 0.9**2 + means / scales**2)
    table = nl.summary(results, round_to="none")
    assert np.all(np.abs(table["mean"] - mean) < 4.5 * table["mcse_mean"])
    assert np.all(np.abs(table["sd"] - np.sqrt(np.diag(covariance))) < 4.5 * table["mcse_sd"])


def test_a_potential_adds_exactly_itself() -> None:
    formula = "y ~ x + c + (1|g)"
    plain = nl.Model(formula, grouped_data()).backend.model
    model = nl.Model(
        formula,
        grouped_data(),
        potentials=[
            (("Intercept", "x"), lambda intercept, x: -((intercept + 3 * x) ** 2)),
            ("c", lambda c: -(np.sum(c) ** 2)),
            ("1|g", lambda effects: -3.0 * effects**2),  # an array is summed
            (["sigma", "1|g_sigma"], lambda sigma, scale: 2 * np.log(sigma / (sigma + scale))),
        ],
    ).backend.model
    point = moved(model)
    at = model.to_natural(point)
    added = (
        -((at["Intercept"] + 3 * at["x"]) ** 2)
        - at["c"].sum() ** 2
        - 3.0 * (at["1|g"] ** 2).sum()
        + 2 * np.log(at["sigma"] / (at["sigma"] + at["1|g_sigma"]))
    )
    assert model.logp(point) - plain.logp(point) == pytest.approx(float(added), rel=1e-10)
    for name, slopes in model.dlogp(point).items():
        for element in range(min(2, slopes.size)):
            expected = pytest.approx(np.ravel(slopes)[element], rel=1e-5, abs=1e-5)
            assert derivative(model, point, name, element) == expected, name


@pytest.mark.slow
def test_group_effects_that_sum_to_zero() -> None:
    model = nl.Model("y ~ x + (1|g)", grouped_data(), potentials=[("1|g", lambda u: -0.5 * (np.sum(u) / 0.01) ** 2)])
    assert "the model has potentials" in str(model.plan())
    results = model.fit(draws=50, tune=200, max_treedepth=6, compute_convergence_checks=False, **QUIET)
    assert np.abs(get_group(results, "posterior")["1|g"].sum("g__factor_dim")).max() < 0.05


def test_the_plan_names_potentials_as_the_reason() -> None:
    model = nl.Model("y ~ x", grouped_data(), potentials=[("x", narrow)])
    assert model.plan().path == "joint"
    assert not model.plan().pilot
    with pytest.raises(nl.SamplingError, match="plan='marginal' cannot serve this model: the model has potentials"):
        model.plan("marginal")


def test_no_laplace_approximation() -> None:
    model = nl.Model("y ~ x", grouped_data(), potentials=[("x", narrow)])
    with pytest.raises(nl.SamplingError, match="knows the model without its potentials: use NUTS"):
        model.fit(inference_method="laplace", **QUIET)


def test_an_error_in_a_potential_arrives_from_the_chains() -> None:
    calls = 0

    def breaks(c: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 300:
            raise ZeroDivisionError("mine")
        return -(np.sum(np.asarray(c, dtype=float)) ** 2)

    model = nl.Model("y ~ c", grouped_data(), potentials=[("c", breaks)])
    with pytest.raises(nl.NutsliteError, match="potential of 'c' failed: ZeroDivisionError: mine"):
        model.fit(**QUIET)


def test_many_densities_have_the_potentials() -> None:
    plain = nl.Model("y ~ x", grouped_data()).plan("joint").target()
    target = nl.Model("y ~ x", grouped_data(), potentials=[("x", narrow)]).plan().target()
    positions = 0.3 * np.random.default_rng(1).normal(size=(5, target.dimension))
    values, effects = target.natural(positions[None], np.random.default_rng(1))
    slopes = target.assembled.layout.unpack(values, effects)["x"][0]
    assert np.ptp(narrow(slopes)) > 0.1
    difference = target.log_densities(positions, 2) - plain.log_densities(positions, 2)
    np.testing.assert_allclose(difference, narrow(slopes), rtol=1e-9)


def test_draws_of_the_prior_say_that_they_leave_potentials_out(caplog: pytest.LogCaptureFixture) -> None:
    model = nl.Model("y ~ x", grouped_data(), potentials=[("x", narrow)])
    with caplog.at_level(logging.WARNING, logger="nutslite"):
        model.prior_predictive(draws=2, random_seed=1)
    assert "Potentials have no part in draws of the prior" in caplog.text


@pytest.mark.parametrize(
    ("potentials", "message"),
    [
        ("x", "potentials is a list of"),
        ([narrow], r"potentials\[0\] is \(name or tuple of names, function\)"),
        ([("x", 3)], r"potentials\[0\]: 3 is no function of x"),
        ([(3, narrow)], "3 is neither a name nor a tuple"),
        ([("x", narrow), ("xx", narrow)], "names 'xx', which the model does not draw. Did you mean 'x'"),
        ([(("x", "z"), narrow)], "Potential 0, of 'x', 'z', fails at the values where chains start: TypeError"),
        ([("1+x|g_corr", narrow)], "a function of correlations"),
    ],
)
def test_potentials_that_are_none(potentials: Any, message: str) -> None:
    with pytest.raises(nl.NutsliteError, match=message):
        nl.Model("y ~ x + z + (x|g)", grouped_data(), correlated=True, potentials=potentials)
