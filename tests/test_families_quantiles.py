"""Several quantiles at once: the composite likelihood, gaps that keep them apart, priors, adjustment, scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nutslite as nl
from nutslite import scores
from nutslite.families.real.elf import FAMILY as ELF
from nutslite.families.real.quantiles import combine, gap_name, outwards
from nutslite.families.record.family import Family, compile_kernel, pointwise_loglik
from nutslite.families.record.register import at_quantile, get_family
from nutslite.model.fits.after_fit import prediction_task
from nutslite.model.record.specification import specification_of
from nutslite.results.added_groups import named_posterior
from nutslite.results.adjusted import Coefficients, prior_precision
from nutslite.results.container.inference_data import get_group
from nutslite.results.sandwich import Scores

LEVELS = (0.1, 0.5, 0.9)
QUIET: dict[str, Any] = {"progressbar": False, "random_seed": 1}
ROWS = 7


def family_of(levels: Any = LEVELS) -> Family:
    return at_quantile(get_family("quantiles"), levels)


def data(n: int, seed: int = 1) -> pd.DataFrame:
    """Spread grows with x; rows of a group have a part of x and of the error in common."""
    rng = np.random.default_rng(seed)
    g = np.arange(n) // 5
    x = 0.5 * rng.uniform(0.0, 2.0, n) + rng.uniform(0.0, 1.0, n)[g]
    e = 0.8 * rng.normal(size=n) + 0.6 * rng.normal(size=n)[g]
    return pd.DataFrame({"x": x, "y": 1.0 + 2.0 * x + (0.5 + 0.5 * x) * e, "g": g.astype(str)})


# --------------------------------------------------------------------------------------------------------- the family


def test_gaps_lead_outwards_from_the_level_nearest_to_a_half() -> None:
    assert outwards((0.1, 0.25, 0.5, 0.75, 0.9)) == (0.5, 0.25, 0.1, 0.75, 0.9)
    assert outwards((0.1, 0.9)) == (0.1, 0.9)
    assert outwards((0.5, 0.9, 0.95)) == (0.5, 0.9, 0.95)
    assert outwards((0.8, 0.9)) == (0.8, 0.9)
    assert [gap_name(level) for level in (0.1, 0.07, 0.025, 0.975, 0.999)] == [
        *("gap_10", "gap_7", "gap_2_5", "gap_97_5", "gap_99_9")
    ]
    family = family_of([0.9, 0.1, 0.5])
    assert [item.name for item in family.parameters] == ["mu", "gap_10", "gap_90", "sigma", "tau"]
    assert family.quantile == LEVELS
    assert not family.is_custom


@pytest.mark.parametrize("levels", [LEVELS, (0.05, 0.3, 0.5, 0.8), (0.7, 0.9)], ids=str)
def test_the_likelihood_is_the_sum_of_those_of_single_quantiles(levels: tuple[float, ...]) -> None:
    """Of the family `elf`, at the mean check loss of a logistic variable with standard deviation sigma."""
    rng = np.random.default_rng(2)
    family = family_of(levels)
    y = rng.normal(size=ROWS)
    values: dict[str, Any] = {"mu": rng.normal(size=ROWS), "sigma": rng.uniform(0.5, 2.0, ROWS)}
    values |= {item.name: rng.uniform(0.3, 2.0, ROWS) for item in family.parameters if item.name.startswith("gap")}
    values["tau"] = family.fixed["tau"]
    quantiles = combine({}, {**values, "tau": values["tau"][None, None]})["mu"]
    assert (np.diff(quantiles, axis=1) > 0.0).all()
    expected = np.zeros(ROWS)
    for level, quantile in zip(levels, quantiles.T, strict=True):
        of_logistic = stats.logistic.expect(
            lambda x, t=level: (x - stats.logistic.ppf(t)) * (t - (x < stats.logistic.ppf(t)))
        )
        scale = values["sigma"] * of_logistic * math.sqrt(3.0) / math.pi
        expected += pointwise_loglik(ELF, y, {"mu": quantile, "sigma": scale, "tau": level})
    np.testing.assert_allclose(pointwise_loglik(family, y, values), expected, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["kernel", "smooth"])
@pytest.mark.parametrize("varying", [{0, 1, 2, 3, 4}, {0}, {0, 2, 4}], ids=str)
def test_derivatives_are_those_of_differences(kernel: str, varying: set[int]) -> None:
    rng = np.random.default_rng(5)
    family = family_of((0.1, 0.3, 0.5, 0.9))  # mu, two gaps below, one above, sigma, levels
    k = len(family.eta_parameters)
    varies = np.array([int(j in varying) for j in range(k)], dtype=np.int64)
    eta = np.full((k, ROWS + 2), np.nan)  # a kernel must not read past what it is given
    for j in range(k):
        eta[j, : ROWS if varies[j] else 1] = rng.normal(scale=0.5, size=ROWS if varies[j] else 1)
    eta[5:, 0] = np.log(family.fixed["tau"] / (1.0 - family.fixed["tau"]))
    y, weights = rng.normal(size=(1, ROWS + 1)), rng.uniform(0.5, 2.0, ROWS + 1)
    run = compile_kernel(family, getattr(family, kernel), family.link_codes())

    def loglik(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, slopes = np.full(ROWS, np.nan), np.full(at.shape, np.nan)
        run(y, weights, 1, at, varies, family.link_codes(), out, slopes)
        return out, slopes

    slopes = loglik(eta)[1]
    for j in range(5):
        for i in range(ROWS if varies[j] else 1):
            ahead, behind = eta.copy(), eta.copy()
            ahead[j, i] += 1e-5
            behind[j, i] -= 1e-5
            slope = (loglik(ahead)[0].sum() - loglik(behind)[0].sum()) / 2e-5
            assert slopes[j, i] == pytest.approx(slope, rel=1e-5, abs=1e-6)
    assert (slopes[5:, 0] == 0.0).all()


def test_quantiles_never_cross() -> None:
    """Over a million rows; gaps from a hundred thousandth to a hundred thousand."""
    rng = np.random.default_rng(3)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    rows = 1_000_000
    parts = {gap_name(level): np.exp(rng.uniform(-12.0, 12.0, rows)) for level in levels if level != 0.5}
    tau = np.array(outwards(levels))[None, None]
    found = combine({}, {"mu": rng.normal(scale=100.0, size=rows), **parts, "tau": tau, "sigma": np.ones(1)})["mu"]
    gaps = np.diff(found, axis=1)
    assert gaps.min() > 0.0
    np.testing.assert_allclose(gaps[:, 2], parts["gap_75"], atol=1e-9, rtol=1e-9)


# --------------------------------------------------------------------------------------------------------- models


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, pd.DataFrame, Any]:
    frame = data(300)
    model = nl.Model(nl.Formula("y ~ x", "gap_10 ~ x"), frame, family="quantiles", quantile=LEVELS)
    return model, frame, model.fit(draws=500, chains=2, **QUIET)


def test_default_priors_are_scaled_by_the_response(fitted: Any) -> None:
    model, frame, _ = fitted
    priors, sd = model.priors, float(frame.y.std(ddof=0))
    size = stats.norm.ppf(0.9) * sd
    own = priors.terms["gap_10"]
    assert own["Intercept"].args["mu"] == pytest.approx(math.log(size))
    slope = 1.0 / frame.x.std(ddof=0)
    assert own["x"].args["sigma"] == pytest.approx(slope)
    assert own["Intercept"].args["sigma"] == pytest.approx(math.hypot(1.0, slope * frame.x.mean()))
    assert priors.constants["gap_90"].args == {"nu": 4.0, "sigma": pytest.approx(size)}
    assert priors.constants["sigma"].args == {"nu": 4.0, "sigma": pytest.approx(sd)}
    assert priors.terms["mu"]["x"].args["sigma"] == pytest.approx(2.5 * sd / frame.x.std(ddof=0))
    five = nl.Model("y ~ x", frame, family="quantiles", quantile=[0.025, 0.25, 0.5, 0.75, 0.975])
    between = stats.norm.ppf(0.975) - stats.norm.ppf(0.75)
    assert five.priors.constants["gap_97_5"].args["sigma"] == pytest.approx(between * sd)


def test_predictions_have_a_dimension_of_levels_in_order(fitted: Any) -> None:
    model, frame, results = fitted
    new = pd.DataFrame({"x": [-9.0, 0.0, 1.0, 30.0]})
    predicted = get_group(model.predict(results, data=new, inplace=False), "predictions")
    assert predicted["mu"].dims == ("chain", "draw", "__obs__", "quantile_dim")
    assert tuple(predicted["quantile_dim"].to_numpy()) == LEVELS
    assert (predicted["mu"].diff("quantile_dim") > 0.0).all()
    posterior = get_group(results, "posterior")
    median = posterior["Intercept"] + posterior["x"]
    np.testing.assert_allclose(predicted["mu"].sel(quantile_dim=0.5).isel(__obs__=2), median)
    np.testing.assert_allclose(predicted["mu"].sel(quantile_dim=0.9).isel(__obs__=2), median + posterior["gap_90"])
    lower = median - np.exp(posterior["gap_10_Intercept"] + posterior["gap_10_x"])
    np.testing.assert_allclose(predicted["mu"].sel(quantile_dim=0.1).isel(__obs__=2), lower)
    own = model.predict(results, inplace=False)
    assert get_group(own, "posterior")["mu"].shape == (2, 500, 300, 3)
    below = [
        (frame.y.to_numpy() < q).mean() for q in get_group(own, "posterior")["mu"].mean(("chain", "draw")).T.to_numpy()
    ]
    np.testing.assert_allclose(below, LEVELS, atol=0.03)


def test_adjusted_intervals_are_those_of_the_joint_scores(fitted: Any) -> None:
    """One meat for all levels: written out, with the gap without a formula on its log scale."""
    model, frame, raw = fitted
    specification = specification_of(model)
    assembled, task = specification.posterior.assembled, prediction_task(specification)
    arrays = named_posterior(get_group(raw, "posterior"), task.coords, {}).arrays
    coefficients = Coefficients.of(assembled)
    assert coefficients.widths == {"Intercept": 1, "x": 1, "gap_10_Intercept": 1, "gap_10_x": 1, "gap_90": 1}
    before = coefficients.joined(arrays)
    results = model.adjust_intervals(raw, groups="g")
    after = coefficients.joined(named_posterior(get_group(results, "posterior"), task.coords, {}).arrays)
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), rtol=1e-9, atol=1e-9)

    intercept, x, gap, gap_x, log_gap_90 = before.mean(axis=0)
    down, up = np.exp(gap + gap_x * frame.x.to_numpy()), math.exp(log_gap_90)
    middle = intercept + x * frame.x.to_numpy()
    entropy = lambda t: -t * math.log(t) - (1 - t) * math.log(1 - t)  # noqa: E731
    slopes = []
    for level, quantile in zip(LEVELS, (middle - down, middle, middle + up), strict=True):
        scale = float(arrays["sigma"].mean()) * math.sqrt(3.0) / math.pi * entropy(level)
        z = (frame.y.to_numpy() - quantile) / scale
        slopes.append((1.0 / (1.0 + np.exp(-z / 0.1)) - (1.0 - level)) / scale)
    one, columns = np.ones(300), np.stack([np.ones(300), frame.x])
    total = np.sum(slopes, axis=0)
    joint = np.concatenate([columns * total, columns * (-down * slopes[0]), [one * up * slopes[2]]])
    sums = pd.DataFrame(joint.T).groupby(frame.g).sum().to_numpy()
    covariance = np.cov(before.T)
    prior = prior_precision(assembled, coefficients, arrays, before)
    bread = np.linalg.inv(np.linalg.inv(covariance) - prior)
    expected = bread @ sums.T @ sums @ bread
    ratios = stats.gmean(np.linalg.eigvals(np.linalg.solve(expected, np.cov(after.T))).real)
    assert 1.0 < ratios < 1.25  # few clusters, and what they have contributed to the estimate
    # The prior of a logarithm is that of the number times the number.
    scale, value = model.priors.constants["gap_90"].args["sigma"], up
    log_density = lambda u: stats.t.logpdf(math.exp(u) / scale, 4.0) + u  # noqa: E731
    second = (
        log_density(math.log(value) + 1e-3) + log_density(math.log(value) - 1e-3) - 2 * log_density(math.log(value))
    )
    assert prior[4, 4] == pytest.approx(-second / 1e-6, rel=0.05)


def test_the_meat_of_several_predictors_is_joint() -> None:
    rng = np.random.default_rng(1)
    columns = np.concatenate([np.ones((1, 60)), rng.normal(size=(1, 60)), np.ones((1, 60))])
    slopes = rng.normal(size=(2, 60))
    slopes[1] += slopes[0]
    meat = Scores(columns, np.array([0, 0, 1]), slopes, np.arange(60) // 3).meat()
    sums = (columns * slopes[[0, 0, 1]]).reshape(3, 20, 3).sum(axis=2)
    np.testing.assert_allclose(
        meat / np.sqrt(np.outer(meat.diagonal(), meat.diagonal())), _correlation(sums), atol=0.12
    )
    assert meat[0, 2] / math.sqrt(meat[0, 0] * meat[2, 2]) > 0.4


def _correlation(sums: np.ndarray) -> np.ndarray:
    products = sums @ sums.T
    return np.asarray(products / np.sqrt(np.outer(products.diagonal(), products.diagonal())))


def test_scores_read_quantiles(fitted: Any) -> None:
    model, frame, results = fitted
    report = model.evaluate(results, simulations=0)
    assert {"wis", "pinball_10", "pinball_50", "pinball_90", "coverage_80", "width_80"} <= set(report.table.index)
    assert not {"nll", "crps"} & set(report.table.index)
    assert report.table.estimate["coverage_80"] == pytest.approx(0.8, abs=0.06)
    inside = model.evaluate(results, kind="insample", simulations=0)
    own = get_group(model.predict(results, inplace=False), "posterior")["mu"].mean(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(inside.prediction.quantile(LEVELS), own)
    np.testing.assert_allclose(inside.pointwise.wis, scores.wis(frame.y, own, LEVELS))
    assert inside.table.estimate["wis"] < report.table.estimate["wis"]  # rows left out are predicted a little worse
    loglik = get_group(model.compute_log_likelihood(results, inplace=False), "log_likelihood")
    assert "no log densities" in loglik.attrs["note"]


def test_questions_are_answered_for_each_level(fitted: Any) -> None:
    """Slopes at x = 1: of the median the coefficient, of the quantiles those of the gaps beside it."""
    model, _, results = fitted
    table = nl.interpret.slopes(model, results, wrt={"x": 1.0}).summary
    posterior = get_group(results, "posterior")
    down = np.exp(posterior["gap_10_Intercept"] + posterior["gap_10_x"]) * posterior["gap_10_x"]
    expected = [float((posterior["x"] - down).mean()), *[float(posterior["x"].mean())] * 2]
    np.testing.assert_allclose(table["estimate"], expected, rtol=1e-4)
    with pytest.raises(nl.DataError, match="target='mu' gives them"):
        nl.interpret.predictions(model, results, target="quantile", quantile=0.9)


def test_what_does_not_apply_says_so(fitted: Any) -> None:
    model, _, results = fitted
    for call in (
        lambda: model.predict(results, kind="response"),
        model.prior_predictive,
        lambda: model.pp_check(results),
    ):
        with pytest.raises(nl.FamilyError, match=r"no draws of the response.*predict\(\) gives the quantiles"):
            call()
    with pytest.raises(nl.DataError, match="says nothing of the response's mean"):
        model.r2_score(results)


def test_models_are_saved_with_their_levels(fitted: Any, tmp_path: Path) -> None:
    model, _, results = fitted
    again = nl.Model.load(model.save(tmp_path / "a.model"))
    assert again.quantile == LEVELS
    again.predict(results, data=pd.DataFrame({"x": [1.0]}), inplace=False)
    assert nl.Model("y ~ x", data(40), family=model.family).quantile == LEVELS


def test_gaps_have_group_effects() -> None:
    frame = data(150)
    formula = nl.Formula("y ~ x + (1|g)", "gap_90 ~ x + (1|g)")
    model = nl.Model(formula, frame, family="quantiles", quantile=[0.5, 0.9])
    results = model.fit(draws=60, tune=60, chains=2, compute_convergence_checks=False, **QUIET)
    posterior = get_group(results, "posterior")
    assert posterior["gap_90_1|g"].dims == ("chain", "draw", "g__factor_dim")
    assert model.priors.terms["gap_90"]["1|g"].args["sigma"].args["sigma"] == 1.0
    adjusted = model.adjust_intervals(results)
    assert get_group(adjusted, "posterior").attrs["adjusted_groups"] == "g"
    assert not np.array_equal(get_group(adjusted, "posterior")["gap_90_x"], posterior["gap_90_x"])
    new = frame.head(3).assign(g=["a", "b", "c"])
    drawn = model.predict(results, data=new, sample_new_groups=True, inplace=False)
    assert (get_group(drawn, "predictions")["mu"].diff("quantile_dim") > 0.0).all()


# ---------------------------------------------------------------------------------------------- beside separate fits


def test_separate_fits_of_cars_cross_and_this_one_does_not() -> None:
    """Miles per gallon by power and weight of 32 cars, predicted for any power and weight within their ranges."""
    cars, levels = nl.load_data("mtcars"), (0.1, 0.25, 0.5, 0.75, 0.9)
    power, weight = np.meshgrid(*(np.linspace(cars[name].min(), cars[name].max(), 9) for name in ("hp", "wt")))
    new = pd.DataFrame({"hp": power.ravel(), "wt": weight.ravel()})
    options = {"draws": 200, "chains": 2, "compute_convergence_checks": False, **QUIET}
    fits = nl.fit_quantiles("mpg ~ hp + wt", cars, levels, adjust=False, fit=options)
    assert fits.predict(new).crossed_rows > 0.0
    gaps = [f"{gap_name(level)} ~ hp + wt" for level in levels if level != 0.5]
    model = nl.Model(nl.Formula("mpg ~ hp + wt", *gaps), cars, family="quantiles", quantile=levels)
    predicted = model.predict(model.fit(**options), data=new, inplace=False)
    assert (get_group(predicted, "predictions")["mu"].diff("quantile_dim") > 0.0).all()


def test_new_rows_are_predicted_as_well_as_by_separate_fits() -> None:
    train, test = data(300), data(400, seed=8)
    options = {"draws": 200, "chains": 2, "compute_convergence_checks": False, **QUIET}
    apart = nl.fit_quantiles("y ~ x", train, LEVELS, adjust=False, fit=options).predict(test).prediction
    model = nl.Model(nl.Formula("y ~ x", "gap_10 ~ x", "gap_90 ~ x"), train, family="quantiles", quantile=LEVELS)
    report = model.evaluate(model.fit(**options), data=test, simulations=0, groups="g")
    other = scores.evaluate(test.y, apart, groups=test.g, simulations=0)
    worse = (report.pointwise.wis.to_numpy() - other.pointwise.wis.to_numpy()).reshape(-1, 5).mean(axis=1)
    assert worse.mean() <= 2.0 * worse.std(ddof=1) / math.sqrt(worse.size)
