"""Bases of smooths, curves by levels and times a column, surfaces: against penalised least squares elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import BSpline, RBFInterpolator, make_smoothing_spline
from small_models import assembled_of

import nutslite as nl
from nutslite.formula.design import Design, build_design
from nutslite.model.record.specification import specification_of
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.prior import Prior

FLAT = Prior("Flat")
NOISE, SCALE = 0.5, 1.3


def frame(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": np.sort(rng.uniform(0.0, 10.0, n)), "z": rng.normal(size=n)})
    data["g"] = np.where(np.arange(n) % 3, "a", "b")
    return data.assign(y=np.sin(data["x"]) * (1.0 + 0.5 * data["z"]) + rng.normal(0.0, 0.4, n))


def parts(design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Common columns, and penalised ones."""
    predictor = design.predictors["mu"]
    return predictor.matrix, np.concatenate([term.matrix for term in predictor.basis_terms])


def posterior_mean(formula: str, data: pd.DataFrame, term: str, *common: str) -> np.ndarray:
    """Of mu at the rows: the noise and the term's sigma are known, all coefficients have flat priors."""
    coefficients = dict.fromkeys(("Intercept", *common), FLAT)
    model = nl.Model(formula, data, priors={**coefficients, f"{term}_sigma": SCALE, "sigma": NOISE})
    target = JointTarget(assembled_of(model))
    values, effects = target.natural(target.launch().center[None, None], np.random.default_rng(0))
    found = {name: array[0, 0] for name, array in assembled_of(model).layout.unpack(values, effects).items()}
    lines, penalised = parts(specification_of(model).spec.design)
    mean = found.get("Intercept", 0.0) + np.ravel(found[f"{term}_weights"]) @ penalised
    own = np.concatenate([np.ravel(found[name]) for name in common]) if common else np.empty(0)
    return np.asarray(mean + own @ lines)


def least_squares(y: np.ndarray, basis: np.ndarray, penalty: np.ndarray, free: np.ndarray, strength: float) -> Any:
    """Fitted values of penalised least squares, with unpenalised columns `free`."""
    every = np.column_stack([free, basis])
    whole = np.zeros((every.shape[1],) * 2)
    whole[free.shape[1] :, free.shape[1] :] = strength * penalty
    # the constant is in the span of both: the smallest of equal solutions
    return every @ np.linalg.lstsq(every.T @ every + whole, every.T @ y, rcond=None)[0]


def strength_of(basis: np.ndarray, penalty: np.ndarray, column: np.ndarray) -> float:
    """The smoothing parameter beside `penalty`, by what one of the term's own columns costs there."""
    b = np.linalg.lstsq(basis, column, rcond=None)[0]
    np.testing.assert_allclose(basis @ b, column, atol=1e-8)
    return float(NOISE**2 / SCALE**2 / (b @ penalty @ b))


def bumps(x: np.ndarray, k: int, lower: float, upper: float) -> tuple[np.ndarray, np.ndarray]:
    """SciPy's B-splines on equal steps, and the penalty of second differences (Eilers and Marx 1996)."""
    step = (upper - lower) / (k - 3)
    knots = lower + step * np.arange(-3, k + 1)
    differences = np.diff(np.eye(k), 2, axis=0)
    return BSpline.design_matrix(x, knots, 3).toarray(), differences.T @ differences


def test_p_splines_are_penalised_least_squares() -> None:
    data = frame()
    term = "s(x, k=9, bs='ps')"
    basis, penalty = bumps(data["x"].to_numpy(), 9, data["x"].min(), data["x"].max())
    strength = strength_of(basis, penalty, parts(build_design(f"y ~ {term}", data))[1][0])
    expected = least_squares(data["y"].to_numpy(), basis, penalty, np.ones((len(data), 1)), strength)
    np.testing.assert_allclose(posterior_mean(f"y ~ {term}", data, term, f"{term}_linear"), expected, atol=1e-5)


def test_a_thin_plate_of_one_column_is_the_smoothing_spline() -> None:
    """With a coefficient for each row: that of `bs='cr'`, too."""
    data = frame(25)
    found = [
        posterior_mean(f"y ~ {term}", data, term, f"{term}_linear") for term in ("s(x, k=25, bs='tp')", "s(x, k=25)")
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.abs(found[0] - make_smoothing_spline(data["x"], data["y"], lam=1e6)(data["x"])).max() > 0.5


def test_a_thin_plate_of_two_columns_is_that_of_scipy() -> None:
    data = frame(30)
    term = "s(x, z, k=30)"
    x = data[["x", "z"]].to_numpy()
    columns = parts(build_design(f"y ~ {term}", data))[1]
    free = np.column_stack([np.ones(len(data)), x])
    squares = np.sum((x[:, None] - x) ** 2, axis=2)
    bumps_at_rows = np.where(squares > 0.0, 0.5 * squares * np.log(np.maximum(squares, 1e-300)), 0.0)
    every = np.block([[bumps_at_rows, free], [free.T, np.zeros((3, 3))]])
    coefficients = np.linalg.solve(every, np.append(columns[0], np.zeros(3)))[:30]
    strength = NOISE**2 / SCALE**2 / float(coefficients @ bumps_at_rows @ coefficients)
    expected = RBFInterpolator(x, data["y"], kernel="thin_plate_spline", smoothing=strength, degree=1)(x)
    np.testing.assert_allclose(posterior_mean(f"y ~ {term}", data, term, f"{term}_linear"), expected, atol=1e-4)


def test_curves_by_levels_are_those_of_each_level_alone() -> None:
    data = frame(60)
    bounds = "k=7, bs='ps', lower_bound=0, upper_bound=10"
    by, alone = f"s(x, {bounds.replace('k=7', 'by=g, k=7')})", f"s(x, {bounds})"
    by = specification_of(nl.Model(f"y ~ g + {by}", data)).spec.design.predictors["mu"].basis_terms[0].name
    alone = specification_of(nl.Model(f"y ~ {alone}", data)).spec.design.predictors["mu"].basis_terms[0].name
    mean = posterior_mean(f"y ~ 0 + g + {by}", data, by, "g", f"{by}_linear")
    for level in "ab":
        rows = (data["g"] == level).to_numpy()
        own = posterior_mean(f"y ~ {alone}", data[rows], alone, f"{alone}_linear")
        np.testing.assert_allclose(mean[rows], own, atol=2e-3)


def test_a_curve_times_a_column_is_penalised_least_squares() -> None:
    data = frame(60)
    term = "s(x, by=z, k=8, bs='ps')"
    basis, penalty = bumps(data["x"].to_numpy(), 8, data["x"].min(), data["x"].max())
    basis = basis * data["z"].to_numpy()[:, None]
    strength = strength_of(basis, penalty, parts(build_design(f"y ~ {term}", data))[1][0])
    expected = least_squares(data["y"].to_numpy(), basis, penalty, np.ones((len(data), 1)), strength)
    found = posterior_mean(f"y ~ {term}", data, term, f"{term}_constant", f"{term}_linear")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_surface_has_all_products_in_parts_of_their_own() -> None:
    data = frame(80)
    design = build_design("y ~ t2(x, z, k=[5, 4])", data)
    lines, columns = parts(design)
    (term,) = design.predictors["mu"].basis_terms
    assert term.quantities[-1].axes == (("part", ("x", "z", "x:z")),)
    assert term.quantities[0].labels == ("z", "x", "x:z")
    every = np.vstack([np.ones(80), lines, columns])
    assert np.linalg.matrix_rank(every) == len(every) == 20
    whole = build_design("y ~ 0 + te(cr(x, df=5), cr(z, df=4))", data).predictors["mu"].matrix
    left = whole - (np.linalg.lstsq(every.T, whole.T, rcond=None)[0].T @ every)
    np.testing.assert_allclose(left, 0.0, atol=1e-8)
    of_part = np.array(term.constants["scale_of"])
    for part, count in enumerate((6, 4, 6)):
        own = columns[of_part == part]
        gram = own @ own.T
        assert len(own) == count
        np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-8 * gram.max())
        np.testing.assert_allclose(own @ every[:4].T, 0.0, atol=1e-8)
        assert np.mean(np.sum(own**2, axis=0)) == pytest.approx(1.0)
    moved = build_design("y ~ t2(x, z, k=[5, 4])", data.assign(x=100.0 * data["x"] + 7.0, z=0.01 * data["z"]))
    np.testing.assert_allclose(parts(moved)[1], columns, atol=1e-7)


def test_parts_of_a_surface_bend_where_they_say() -> None:
    """On a fine grid second differences along the column that a part does not bend in are zero."""
    data = frame(80)
    design = build_design("y ~ t2(x, z, k=[6, 5])", data)
    (term,) = design.predictors["mu"].basis_terms
    x, z = np.linspace(1.0, 9.0, 7), np.linspace(-1.0, 1.0, 9)
    grid = pd.DataFrame({"x": np.repeat(x, 9), "z": np.tile(z, 7)})
    columns = parts(design.evaluate(grid))[1].reshape(-1, 7, 9)
    of_part = np.array(term.constants["scale_of"])
    bends = np.array([[np.abs(np.diff(own, 2, axis=axis)).max() for axis in (0, 1)] for own in columns])
    assert bends[of_part == 0, 1].max() < 1e-9 < bends[of_part == 0, 0].min()
    assert bends[of_part == 1, 0].max() < 1e-9 < bends[of_part == 1, 1].min()
    assert bends[of_part == 2].max(axis=1).min() > 1e-9


def test_results_of_curves_by_levels_and_of_surfaces() -> None:
    data = frame(60)
    by = "s(x, by=g, k=5)"
    surface = "t2(w, z, k=4)"
    data["w"] = np.cos(np.arange(60.0))
    model = nl.Model(f"y ~ g + {by} + {surface}", data, priors={by: {"sigma": Prior("HalfNormal", sigma=[1, 2])}})
    results = model.fit(draws=50, chains=1, random_seed=1, progressbar=False)
    posterior = results.posterior
    assert posterior[f"{by}_sigma"].dims[2:] == (f"{by}_by",)
    assert posterior[f"{by}_weights"].dims[2:] == (f"{by}_by", f"{by}_weights_dim")
    assert posterior[f"{by}_linear"].coords[f"{by}_linear_dim"].values.tolist() == ["a", "b"]
    assert posterior[f"{surface}_sigma"].coords[f"{surface}_part"].values.tolist() == ["w", "z", "w:z"]
    new = data.iloc[[4, 9, 1]]
    mu = np.asarray(model.predict(results, data=new, inplace=False).predictions["mu"])[0]
    inside = np.asarray(model.predict(results, kind="response_params", inplace=False).posterior["mu"])[0]
    np.testing.assert_allclose(mu, inside[:, [4, 9, 1]], atol=1e-8)
