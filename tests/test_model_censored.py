"""Censored responses: segments of rows under kernels of their own, whatever way of computing serves them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, special, stats
from small_models import assembled_of

import nutslite as nl
from nutslite._capabilities import CONCAVE, EVERYTHING, INTEGRATES
from nutslite.calibration import simulation_based_calibration
from nutslite.calibration.simulation import simulate_data
from nutslite.exceptions import ArgumentError, DataError
from nutslite.families.record.censoring import compiled_kernels, kernel_of, logliks_of
from nutslite.families.record.register import get_family
from nutslite.formula.design import build_design
from nutslite.formula.records import STATUSES
from nutslite.model.record.specification import specification_of
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.density.joint import compiled_joint
from nutslite.posterior.pilot.row_information import linear_predictors, row_information
from nutslite.posterior.record import declarations
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import reference_to
from nutslite.posterior.targets.target import JointTarget

FORMULA = "censored(y, upper, status) ~ x + (x|g)"


def survey(n: int = 120, levels: int = 5, digits: int = 6) -> pd.DataFrame:
    """Responses seen between 0 and 2.5; of every fifth only between which halves it is."""
    rng = np.random.default_rng(n)
    x, g = rng.normal(size=n).round(digits), rng.integers(0, levels, n)
    y = (1.0 + 0.5 * x + 0.3 * np.arange(levels)[g] - 0.5 + rng.normal(size=n)).round(digits)
    status = np.select([np.arange(n) % 5 == 0, y < 0.0, y > 2.5], ["interval", "left", "right"], "none")
    lower = np.where(status == "interval", np.floor(2 * y) / 2, np.clip(y, 0.0, 2.5))
    upper = np.where(status == "interval", lower + 0.5, np.nan)
    return pd.DataFrame({"y": lower, "upper": upper, "status": status, "x": x, "g": [f"g{i}" for i in g]})


def pointwise(data: pd.DataFrame, mu: np.ndarray, sigma: np.ndarray | float) -> np.ndarray:
    """Log likelihood of each row, by SciPy."""
    normal = stats.norm(mu, sigma)
    y, upper = data["y"].to_numpy(), data["upper"].fillna(np.inf).to_numpy()
    found = {"none": normal.logpdf(y), "left": normal.logcdf(y), "right": normal.logsf(y)}
    with np.errstate(divide="ignore"):
        found["interval"] = np.log(normal.cdf(upper) - normal.cdf(y))
    return np.select([data["status"] == name for name in found], list(found.values()))


def evaluate(target: JointTarget, position: np.ndarray, model: md.ModelData | None = None) -> tuple[float, np.ndarray]:
    gradient = np.empty_like(position)
    record = target.model if model is None else model
    return compiled_joint()(position, gradient, (reference_to(record), target.priors, target.loglik)), gradient


def positions(target: JointTarget, count: int = 3) -> np.ndarray:
    return np.random.default_rng(2).normal(0.0, 0.3, (count, target.dimension))


@pytest.fixture(scope="module")
def model() -> nl.Model:
    return nl.Model(FORMULA, survey(), noncentered=False)


def test_rows_are_in_segments_by_status(model: nl.Model) -> None:
    data, frame = assembled_of(model).data, survey()
    place = frame["status"].map(STATUSES.index).to_numpy()
    order = np.argsort(place, kind="stable")
    np.testing.assert_array_equal(data.y[0], frame["y"].to_numpy()[order])
    np.testing.assert_array_equal(data.segments[:, md.KERNEL], np.unique(place))
    np.testing.assert_array_equal(np.diff(data.segments[:, [md.FIRST_ROW, md.STOP_ROW]])[:, 0], np.bincount(place))
    assert (data.segments[1:, md.FIRST_ROW] == data.segments[:-1, md.STOP_ROW]).all()


def test_density_and_gradient(model: nl.Model) -> None:
    """The likelihood beside SciPy's: differences of the density where priors are the same."""
    frame, assembled = survey(), assembled_of(model)
    target = JointTarget(assembled)
    index = {variable.name: variable.index for variable in assembled.layout.variables}
    levels = list(assembled.spec.design.factors["g"].levels)
    of_row = np.array([levels.index(g) for g in frame["g"]])
    silent = target.model._replace(weights=np.zeros(len(frame)))
    for position in positions(target):
        value, gradient = evaluate(target, position)
        head, effects = position, position[assembled.layout.n_head :]
        x = frame["x"].to_numpy()
        mu = head[index["Intercept"]] + head[index["x"]] * (x - x.mean())
        mu = mu + effects[index["1|g"]][of_row] + effects[index["x|g"]][of_row] * x
        expected = pointwise(frame, mu, np.exp(head[index["sigma"]])).sum()
        assert value - evaluate(target, position, silent)[0] == pytest.approx(expected, rel=1e-10)
        steps = 1e-6 * np.eye(target.dimension)
        slopes = [(evaluate(target, position + e)[0] - evaluate(target, position - e)[0]) / 2e-6 for e in steps]
        np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-5)


def test_other_orders_of_rows_are_the_same_density(model: nl.Model) -> None:
    """Rows sorted by level within segments, or not; densities of many positions."""
    target = JointTarget(assembled_of(nl.Model(FORMULA, survey(200, 4))))
    assert target.model.sorted_factor == 0
    assert target.model.row_starts.size == 4 * 4 + 1
    unsorted = assembled_of(nl.Model(FORMULA, survey(200, 4))).data
    assert unsorted.sorted_factor == -1
    for position in positions(target):
        for one, other in zip(evaluate(target, position), evaluate(target, position, unsorted), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
    some = positions(target)
    np.testing.assert_allclose(target.log_densities(some, 1), [evaluate(target, p)[0] for p in some], rtol=1e-11)


def test_a_level_may_be_missing_in_a_segment() -> None:
    data = survey(200, 4)
    data.loc[data["status"] == "left", "g"] = "g1"
    target = JointTarget(assembled_of(nl.Model("censored(y, upper, status) ~ x + (1|g)", data)))
    assert (np.diff(target.model.row_starts) == 0).any()
    unsorted = target.model._replace(sorted_factor=-1)
    for position in positions(target):
        np.testing.assert_allclose(evaluate(target, position)[1], evaluate(target, position, unsorted)[1], rtol=1e-9)


@pytest.mark.parametrize("formula", ["censored(y, upper, status) ~ x", "weighted(censored(y, upper, status), w) ~ x"])
def test_equal_rows_are_merged_within_segments(formula: str) -> None:
    data = survey(900, 2, digits=0).assign(w=2.0)
    assembled = assembled_of(nl.Model(formula, data, family="gaussian"))
    merged = merge_equal_rows(assembled.data)
    assert merged is not None
    assert merged.y.shape[1] < 200
    assert merged.weights.sum() == 900.0 * (2.0 if "w" in formula else 1.0)
    assert merged.segments[-1, md.STOP_ROW] == merged.y.shape[1]
    dense, few = JointTarget(assembled), JointTarget(assembled, merged=merged)
    for position in positions(dense):
        np.testing.assert_allclose(evaluate(few, position)[1], evaluate(dense, position)[1], rtol=1e-9, atol=1e-9)
    some = positions(dense)
    np.testing.assert_allclose(few.log_densities(some, 1), dense.log_densities(some, 1), rtol=1e-11)


def test_parts_of_rows_end_anywhere() -> None:
    """Threads share parts whose borders know nothing of segments."""
    target = JointTarget(assembled_of(nl.Model("censored(y, upper, status) ~ x", survey(9000))))
    position = positions(target)[0]
    together = evaluate(target, position)[0]
    assert together == pytest.approx(float(target.log_densities(position[None], 1)[0]), rel=1e-12)


def test_curvature_of_rows(model: nl.Model) -> None:
    target = JointTarget(assembled_of(model))
    data = target.model
    position = positions(target)[0]
    values = np.concatenate([position[: data.head.transforms.size], data.head.fixed])
    values[data.predictors[1, md.CONSTANT]] = 0.9
    information = row_information(data, target.loglik, values, np.zeros(data.centring.size))
    mu = linear_predictors(data, values, np.zeros(data.centring.size), slice(0, data.y.shape[1]))[0]
    status = np.repeat(np.array(STATUSES)[data.segments[:, md.KERNEL]], np.diff([0, *data.segments[:, md.STOP_ROW]]))
    rows = pd.DataFrame({"y": data.y[0], "upper": data.y[1], "status": status})
    step = 1e-4
    second = pointwise(rows, mu + step, 0.9) - 2 * pointwise(rows, mu, 0.9) + pointwise(rows, mu - step, 0.9)
    np.testing.assert_allclose(information[0, 0], -second / step**2, rtol=1e-3, atol=1e-5)


def test_segments_may_have_predictors_of_their_own() -> None:
    """As several responses have: rows of eta that a segment does not know get no derivative from it."""
    data = survey(100).assign(y=lambda d: d["y"].abs() + 0.1)
    target = JointTarget(assembled_of(nl.Model(nl.Formula("y ~ x", "sigma ~ x"), data)))
    whole = target.model
    two = np.repeat(whole.segments, 2, axis=0)
    two[0, md.STOP_ROW] = two[1, md.FIRST_ROW] = 60
    position = positions(target)[0]
    np.testing.assert_allclose(
        evaluate(target, position, whole._replace(segments=two))[1], evaluate(target, position)[1], rtol=1e-11
    )
    counts = np.vstack([np.round(whole.y[0]), np.zeros(100)])
    two[1, [md.KERNEL, md.FIRST_ETA, md.N_ETA]] = 1, 1, 1  # counts whose mean is what was sigma
    mixed = whole._replace(segments=two, y=counts)
    loglik = logliks_of({0: kernel_of(target.loglik, 0), 1: compiled_kernels(get_family("poisson"))[0]})

    def value(at: np.ndarray) -> float:
        return float(compiled_joint()(at, np.empty_like(at), (reference_to(mixed), target.priors, loglik)))

    gradient = np.empty_like(position)
    compiled_joint()(position, gradient, (reference_to(mixed), target.priors, loglik))
    slopes = [(value(position + e) - value(position - e)) / 2e-6 for e in 1e-6 * np.eye(position.size)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-5)


def test_what_the_plan_says(model: nl.Model) -> None:
    said = " ".join(str(model.plan()).split())
    assert "not integrated out: the response is censored" in said
    assert EVERYTHING - {INTEGRATES, CONCAVE} == declarations.CENSORED
    assert "(censored: " in str(model)


def by_grid(data: pd.DataFrame) -> tuple[float, float]:
    """Posterior means of mu and sigma under a normal and a half-normal prior, by quadrature."""
    y, upper, status = data["y"].to_numpy()[:, None, None], data["upper"].fillna(9e9).to_numpy()[:, None, None], data
    mu, sigma = np.linspace(-3.0, 5.0, 301)[:, None], np.linspace(0.02, 6.0, 300)[None]
    normal = stats.norm(mu, sigma)
    kinds = {"none": normal.logpdf(y), "left": normal.logcdf(y), "right": normal.logsf(y)}
    with np.errstate(divide="ignore", invalid="ignore"):
        kinds["interval"] = np.log(normal.cdf(upper) - normal.cdf(y))
    rows = np.select([(status["status"] == name).to_numpy()[:, None, None] for name in kinds], list(kinds.values()))
    log = rows.sum(axis=0) + stats.norm(0, 3).logpdf(mu) + stats.halfnorm(scale=2).logpdf(sigma)
    weight = np.exp(log - log.max())
    total = integrate.trapezoid(integrate.trapezoid(weight))
    means = [integrate.trapezoid(integrate.trapezoid(weight * what)) / total for what in (mu, sigma)]
    return float(means[0]), float(means[1])


@pytest.mark.parametrize("rows", [12, 40])
def test_posterior_is_that_of_quadrature(rows: int) -> None:
    """Few rows too, which have coordinates and slices of their own."""
    data = survey(rows)
    priors = {"Intercept": nl.Prior("Normal", mu=0, sigma=3), "sigma": nl.Prior("HalfNormal", sigma=2)}
    fitted = nl.Model("censored(y, upper, status) ~ 1", data, priors=priors)
    results = fitted.fit(draws=1000, chains=4, random_seed=3, progressbar=False)
    table = nl.summary(results, round_to="none")
    for name, mean in zip(("Intercept", "sigma"), by_grid(data), strict=True):
        assert abs(table.loc[name, "mean"] - mean) < 5 * table.loc[name, "mcse_mean"] + 1e-3, (name, mean)


def test_slices_read_all_segments() -> None:
    """Rows of a few: the density without a gradient is that with one."""
    fitted = nl.Model("censored(y, upper, status) ~ x", survey(14))
    target = JointTarget(assembled_of(fitted), few_rows=True)
    launch = target.launch_small(for_slices=True)
    assert launch is not None
    density, data, _ = target.for_slices()
    for step in positions(target):
        at = launch.center + 0.3 * step
        value = float(density(at, np.empty(0), data))
        assert value == pytest.approx(float(target.logdensity(at, np.empty_like(at), target.data)), rel=1e-10)


TIMES = {"weibull": stats.weibull_min(1.4, scale=3.0), "lognormal": stats.lognorm(0.8, scale=3.0)}


def minus_loglik(family: str, theta: np.ndarray, data: pd.DataFrame) -> float:
    """Written independently of the package: scale and shape of SciPy's distributions."""
    line = theta[0] + theta[1] * data["x"].to_numpy()
    if family == "gaussian":
        times = stats.norm(line, np.exp(theta[2]))
    elif family == "lognormal":
        times = stats.lognorm(np.exp(theta[2]), scale=np.exp(line))
    else:
        alpha = np.exp(theta[2])
        times = stats.weibull_min(alpha, scale=np.exp(line) / special.gamma(1 + 1 / alpha))
    y, upper, status = (data[name].to_numpy() for name in ("y", "upper", "status"))
    kinds = {"none": times.logpdf(y), "left": times.logcdf(y), "right": times.logsf(y)}
    with np.errstate(all="ignore"):
        kinds["interval"] = np.log(times.cdf(upper) - times.cdf(y))
    return -float(np.select([status == name for name in kinds], list(kinds.values())).sum())


@pytest.mark.parametrize("family", ["weibull", "lognormal"])
def test_mode_of_flat_priors_is_the_maximum_of_the_likelihood(family: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=300)
    times = TIMES[family].rvs(300, random_state=6) * np.exp(0.4 * x)
    status = np.select([np.arange(300) % 4 == 0, times > 5.0, times < 0.7], ["interval", "right", "left"], "none")
    lower = np.where(status == "interval", np.floor(times) + 1e-3, np.clip(times, 0.7, 5.0))
    data = pd.DataFrame({"y": lower, "upper": np.floor(times) + 1.0, "status": status, "x": x})
    shape = "alpha" if family == "weibull" else "sigma"
    priors = {"common": nl.Prior("Flat"), shape: nl.Prior("HalfFlat")}
    fitted = nl.Model("censored(y, upper, status) ~ x", data, family=family, priors=priors, center_predictors=False)
    target = JointTarget(assembled_of(fitted))
    launch = target.launch()
    found = optimize.minimize(lambda t: minus_loglik(family, t, data), [1.0, 0.3, 0.1], method="Nelder-Mead",
                              options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000})  # fmt: skip
    values, _ = target.natural(launch.center[None, None], np.random.default_rng(0))
    named = assembled_of(fitted).layout.unpack(values, np.empty((1, 1, 0)))
    ours = [named["Intercept"].item(), named["x"].item(), np.log(named[shape].item())]
    np.testing.assert_allclose(ours, found.x, atol=5e-3)


@pytest.fixture(scope="module")
def fitted() -> tuple[nl.Model, nl.InferenceData]:
    fitted = nl.Model("censored(y, upper, status) ~ x", survey(60))
    return fitted, fitted.fit(draws=50, chains=2, random_seed=1, progressbar=False)


def test_results(fitted) -> None:
    made, results = fitted
    data, name = survey(60), "censored(y, upper, status)"
    observed = results["observed_data"]
    np.testing.assert_array_equal(observed[name], data["y"])
    np.testing.assert_array_equal(observed["__status__"], data["status"])
    np.testing.assert_array_equal(observed["__upper__"], data["upper"])
    made.compute_log_likelihood(results)
    posterior = results["posterior"]
    a, b, sigma = (posterior[key].values[0, 7] for key in ("Intercept", "x", "sigma"))
    expected = pointwise(data, a + b * data["x"].to_numpy(), sigma)
    np.testing.assert_allclose(results["log_likelihood"][name].values[0, 7], expected, rtol=1e-10)


def test_predictions_are_of_the_uncensored_response_and_say_so(fitted) -> None:
    made, results = fitted
    name = "censored(y, upper, status)"
    made.predict(results, kind="response", random_seed=1)
    drawn = results["posterior_predictive"]
    assert drawn[name].values.max() > 2.5
    assert "before some of it is censored" in drawn.attrs["note"]
    made.predict(results, kind="response", data=pd.DataFrame({"x": [0.0, 1.0]}), random_seed=1)
    assert "before some of it is censored" in results["predictions"].attrs["note"]
    assert "note" not in made.predict(results, data=pd.DataFrame({"x": [0.0]}), inplace=False)["predictions"].attrs
    prior = made.prior_predictive(draws=5, random_seed=1)
    assert "before some of it is censored" in prior["prior_predictive"].attrs["note"]


def test_new_rows_have_likelihoods(fitted) -> None:
    made, _ = fitted
    more = survey(60).tail(7)
    rows = specification_of(made).spec.design.evaluate(more, response=True)
    assert rows.response.censoring.status.tolist() == [STATUSES.index(s) for s in more["status"]]
    assert np.isnan(specification_of(made).spec.design.evaluate(more).response.values).all()


def test_a_saved_model_is_the_same(fitted, tmp_path) -> None:
    made, _ = fitted
    made.save(tmp_path / "model.zip")
    again = nl.Model.load(tmp_path / "model.zip")
    np.testing.assert_array_equal(assembled_of(again).data.segments, assembled_of(made).data.segments)
    np.testing.assert_array_equal(assembled_of(again).data.y, assembled_of(made).data.y)


@pytest.mark.parametrize("dtype", ["float64", "Float64", "Int64", "object", "polars"])
def test_gaps_of_every_kind_where_there_is_no_interval(dtype: str) -> None:
    columns = {"y": [1.0, 2.0, 3.0], "status": ["none", "interval", "left"], "upper": [None, 3, None]}
    if dtype == "polars":
        data = pytest.importorskip("polars").DataFrame(columns)
    else:
        data = pd.DataFrame(columns).astype({"upper": dtype})
    censoring = build_design("censored(y, upper, status) ~ 1", data).response.censoring
    assert censoring.upper.tolist() == [1.0, 3.0, 3.0]


def test_only_intervals_need_an_upper_end() -> None:
    data = survey(40)
    data.loc[[1, 2], "x"] = np.nan
    design = build_design("censored(y, upper, status) ~ x", data, dropna=True)
    assert design.n_dropped == 2
    assert design.response.censoring.upper[0] == data["upper"][0]
    numbers = build_design(
        "censored(y, upper, s) ~ 1", data.assign(s=data["status"].map(STATUSES.index).map([0, -1, 1, 2].__getitem__))
    )
    np.testing.assert_array_equal(numbers.response.censoring.status, data["status"].map(STATUSES.index))


def test_links_of_ones_own_and_likelihoods_by_name() -> None:
    data = survey(60)
    own = nl.Link("own", link=lambda mu: mu / 2.0, linkinv=lambda eta: 2.0 * eta)
    priors = {"x": nl.Prior("Flat"), "Intercept": nl.Prior("Flat"), "sigma": 1.0}
    plain = nl.Model("censored(y, upper, status) ~ x", data, priors=priors)
    linked = nl.Model("censored(y, upper, status) ~ x", data, priors=priors, link=own)
    named = nl.Model(
        "censored(y, upper, status) ~ x", data, nl.Family("mine", nl.Likelihood("Normal", parent="mu")), priors=priors
    )
    targets = [JointTarget(assembled_of(each)) for each in (plain, linked, named)]
    at = np.array([0.8, 0.5])
    expected = evaluate(targets[0], at)[0]
    assert evaluate(targets[1], at / 2.0)[0] == pytest.approx(expected, rel=1e-10)
    assert evaluate(targets[2], at)[0] == pytest.approx(expected, rel=1e-12)


def at_limits(response: np.ndarray) -> tuple[np.ndarray, ...]:
    return np.clip(response, 0.0, 2.5), np.select([response < 0.0, response > 2.5], ["left", "right"], "none")


def test_simulated_responses_are_censored_as_they_are_told() -> None:
    priors = {"Intercept": nl.Prior("Normal", mu=1, sigma=1), "sigma": nl.Prior("HalfNormal", sigma=1)}
    made = nl.Model("censored(y, upper, status) ~ 1", survey(40), priors=priors)
    simulated = simulate_data(assembled_of(made), np.random.default_rng(4), censor=at_limits).assembled
    response, data = simulated.spec.design.response, simulated.data
    assert set(np.unique(response.censoring.status)) <= {0, 1, 2}
    assert ((response.values[0] == 2.5) == (response.censoring.status == 2)).all()
    assert data.segments[-1, md.STOP_ROW] == 40
    np.testing.assert_array_equal(np.sort(data.y[0]), np.sort(response.values[0]))
    with pytest.raises(DataError, match=r"which of them would be censored.*censor="):
        simulation_based_calibration(made, 1)
    with pytest.raises(DataError, match="is for models of a censored response"):
        simulation_based_calibration(nl.Model("y ~ 1", survey(40), priors=priors), 1, censor=at_limits)
    with pytest.raises(DataError, match="a value for each row"):
        simulate_data(assembled_of(made), np.random.default_rng(4), censor=lambda y: y)


def test_r_squared_of_what_was_not_seen_is_refused(fitted) -> None:
    made, results = fitted
    with pytest.raises(DataError, match="not all were seen"):
        made.r2_score(results)


def test_scores_are_of_what_was_seen(fitted) -> None:
    """Log scores are those of the likelihood; the transform falls between the limits of each row."""
    made, results = fitted
    data = survey(60)
    report = made.evaluate(results, kind="insample", by="status", levels=(0.9,), simulations=19)
    posterior = results["posterior"]
    a, b, sigma = (posterior[key].values.reshape(-1, 1) for key in ("Intercept", "x", "sigma"))
    mu = a + b * data["x"].to_numpy()
    logs = np.stack([pointwise(data, mu[s], sigma[s]) for s in range(100)])
    np.testing.assert_allclose(report.pointwise["nll"], np.log(100) - special.logsumexp(logs, axis=0), rtol=1e-9)
    below = stats.norm(mu, sigma).cdf(data["y"].to_numpy()).mean(axis=0)
    above = stats.norm(mu, sigma).cdf(data["upper"].fillna(0.0).to_numpy()).mean(axis=0)
    u, status = report.pointwise["pit"].to_numpy(), data["status"].to_numpy()
    np.testing.assert_allclose(u[status == "none"], below[status == "none"], rtol=1e-9)
    assert (u[status == "left"] <= below[status == "left"]).all()
    assert (u[status == "right"] >= below[status == "right"]).all()
    inside = status == "interval"
    assert ((u >= below) & (u <= above))[inside].all()
    assert set(report.table.index) == {
        "nll", "width_90", "coverage_90_randomised", "pit_mean", "pit_spread", "pit_distance",
    }  # fmt: skip
    assert any(f"{np.sum(status != 'none')} of 60 responses were not seen" in note for note in report.notes)
    left_out = made.evaluate(results, simulations=0)
    assert left_out.table.loc["nll", "estimate"] > report.table.loc["nll", "estimate"]
    with pytest.raises(ArgumentError, match="not all were seen"):
        report.prediction.crps(report.observed)


def test_censored_rows_are_held_out(fitted) -> None:
    """By a fit without them, and as new rows."""
    made, results = fitted
    report = made.cross_validate(2, draws=50, chains=2, simulations=0, random_seed=3)
    rows = survey(60)
    rows["upper"] = rows["upper"].fillna(0.0)
    new = made.evaluate(results, data=rows, simulations=0)
    same = made.evaluate(results, kind="insample", simulations=0)
    np.testing.assert_allclose(new.pointwise["nll"], same.pointwise["nll"], rtol=1e-12)
    np.testing.assert_array_equal(report.observed, same.observed)
    assert report.table.loc["nll", "estimate"] == pytest.approx(same.table.loc["nll", "estimate"], abs=0.15)
