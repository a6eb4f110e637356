"""Families of several columns, counts and shares: kernels, draws, posteriors, names, and what is made of a fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import nutslite as nl
from nutslite import _draws, interpret
from nutslite.exceptions import NutsliteError
from nutslite.families.record.family import Family, compiled_loglik
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.families.record.register import get_family
from nutslite.formula.records import Response
from nutslite.results.container.inference_data import get_group

COLUMNS = ("a", "b", "c", "d")
ROWS = 9
FAMILIES = ("multinomial", "dirichlet_multinomial", "dirichlet")
QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}


def values_of(name: str, seed: int = 1, rows: int = ROWS) -> np.ndarray:
    """A response as kernels want it before `prepare`: shape (K, rows), of counts with trials below."""
    rng = np.random.default_rng(seed)
    if name == "dirichlet":
        return np.ascontiguousarray(rng.dirichlet([2.0, 1.0, 3.0, 0.7], rows).T)
    counts = rng.multinomial(rng.integers(0, 30, rows), [0.4, 0.3, 0.2, 0.1]).T.astype(float)
    return np.vstack([counts, counts.sum(axis=0)])


def bound(name: str, columns: tuple[str, ...] = COLUMNS) -> Family:
    kind, companions = ("shares", ()) if name == "dirichlet" else ("counts", ("trials",))
    values = np.full((len(columns) + len(companions), 1), 1.0 / len(columns))
    if companions:
        values[:] = [[1.0]] * len(columns) + [[float(len(columns))]]
    return get_family(name).bound(Response("y", values, companions, kind=kind, columns=columns))


class Case:
    """A family of four columns at some rows of eta."""

    def __init__(self, name: str, varying: set[int]) -> None:
        rng = np.random.default_rng(3)
        self.family = bound(name)
        k = len(self.family.eta_parameters)
        self.links = self.family.link_codes()
        self.varies = np.array([int(j in varying) for j in range(k)], dtype=np.int64)
        self.y = self.family.prepare(values_of(name))
        self.eta = np.full((k, ROWS + 2), np.nan)  # a kernel must not read past what it is given
        for j in range(k):
            size = ROWS if self.varies[j] else 1
            self.eta[j, :size] = [0.5, -0.3, 0.9, 1.2][j] + (0.3 * rng.uniform(-1, 1, size) if size > 1 else 0.0)

    def loglik(self, eta: np.ndarray | None = None, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        eta = self.eta if eta is None else eta
        out, slopes = np.full(ROWS, np.nan), np.full(eta.shape, np.nan)
        kernel = compiled_loglik(self.family, self.links)
        with np.errstate(all="ignore"):
            kernel(self.y, np.empty(0) if weights is None else weights, 0, eta, self.varies, self.links, out, slopes)
        for j, varies in enumerate(self.varies):
            slopes[j, ROWS if varies else 1 :] = np.nan
        return out, slopes


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("varying", [{0, 1, 2, 3}, {1}, {0, 2}])
def test_gradient(name: str, varying: set[int]) -> None:
    for weights in (None, np.linspace(0.0, 2.0, ROWS)):
        case = Case(name, varying)
        out, slopes = case.loglik(weights=weights)
        assert np.isfinite(out).all()
        numeric = np.full(case.eta.shape, np.nan)
        for j, i in zip(*np.nonzero(np.isfinite(case.eta)), strict=True):
            total = 0.0
            for shift, factor in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
                moved = case.eta.copy()
                moved[j, i] += shift * 1e-3
                total += factor * case.loglik(moved, weights)[0].sum()
            numeric[j, i] = total / 12e-3
        np.testing.assert_allclose(slopes, numeric, rtol=1e-6, atol=1e-7)


ETA = np.array([0.5, -0.3, 0.9])
P = special.softmax([0.0, *ETA])


def test_densities_are_those_of_scipy() -> None:
    values = values_of("multinomial", rows=40)
    counts, trials = values[:4].T.astype(int), values[4].astype(int)
    ours = pointwise_loglik(bound("multinomial"), values, {"p": ETA})
    np.testing.assert_allclose(ours, stats.multinomial.logpmf(counts, trials, P), rtol=1e-11, atol=1e-12)
    a = np.array([0.2, 3.0, 11.0, 0.9])
    ours = pointwise_loglik(bound("dirichlet_multinomial"), values, {"a": a})
    np.testing.assert_allclose(ours, stats.dirichlet_multinomial.logpmf(counts, a, trials), rtol=1e-10, atol=1e-11)
    shares = values_of("dirichlet", rows=40)
    ours = pointwise_loglik(bound("dirichlet"), shares, {"mu": ETA, "kappa": 5.5})
    np.testing.assert_allclose(ours, [stats.dirichlet.logpdf(row, 5.5 * P) for row in shares.T], rtol=1e-10, atol=1e-11)


def test_large_concentrations_leave_the_multinomial() -> None:
    """Where differences of large gamma functions would have no digits left."""
    values = values_of("multinomial", rows=20)
    limit = pointwise_loglik(bound("multinomial"), values, {"p": ETA})
    for kappa in (1e12, 1e40, 1e150):
        ours = pointwise_loglik(bound("dirichlet_multinomial"), values, {"a": kappa * P})
        np.testing.assert_allclose(ours, limit, rtol=1e-9, atol=1e-9)


def test_a_dirichlet_of_two_columns_is_beta() -> None:
    family, y = bound("dirichlet", ("a", "b")), np.array([0.1, 0.5, 0.93])
    for eta, kappa in ((0.4, 3.0), (-6.0, 200.0), (2.0, 1e12)):
        mu = special.expit(eta)
        with np.errstate(all="ignore"):
            ours = pointwise_loglik(family, np.stack([1.0 - y, y]), {"mu": np.array([eta]), "kappa": kappa})
        theirs = pointwise_loglik(get_family("beta"), y, {"mu": mu, "kappa": kappa})
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_extreme_predictors(name: str) -> None:
    case = Case(name, {0, 1, 2, 3})
    k = len(case.varies)
    rng = np.random.default_rng(5)
    for _ in range(20):
        case.eta[:, :ROWS] = rng.choice([-700.0, -40.0, 0.0, 40.0, 700.0], (k, ROWS))
        out, slopes = case.loglik()
        assert not np.isnan(out).any()
        assert not np.isnan(slopes[:, :ROWS]).any()
    for value in (np.inf, -np.inf, np.nan):
        case.eta[:, :ROWS] = 0.3
        case.eta[1, :ROWS] = value
        out, slopes = case.loglik()
        assert not (np.isfinite(out) & np.isfinite(slopes[:, :ROWS]).all(axis=0)).any()


def test_draws_have_the_moments_of_their_distribution() -> None:
    rng, size = np.random.default_rng(2), 60_000
    trials, a = np.full(size, 12.0), np.array([0.8, 2.0, 0.4, 1.0])
    p, total = a / a.sum(), a.sum()
    within = (np.diag(p) - np.outer(p, p)) * 12.0
    for name, parameters, covariance in (
        ("multinomial", {"p": np.tile(p, (size, 1))}, within),
        ("dirichlet_multinomial", {"a": np.tile(a, (size, 1))}, within * (12.0 + total) / (1.0 + total)),
    ):
        family = get_family(name)
        drawn = family.random(rng, parameters, {"trials": trials})
        assert drawn.dtype.kind == "i"
        assert (drawn.sum(axis=1) == 12).all()
        np.testing.assert_allclose(drawn.mean(axis=0), 12.0 * p, atol=0.1)
        np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.03 * covariance.max())
        np.testing.assert_allclose(family.mean(parameters, {"trials": trials})[0], 12.0 * p, rtol=1e-12)
    shares = get_family("dirichlet").random(rng, {"mu": np.tile(p, (size, 1)), "kappa": np.full(size, total)}, {})
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.cov(shares.T), (np.diag(p) - np.outer(p, p)) / (1.0 + total), atol=0.003)


def test_draws_in_the_limit() -> None:
    rng = np.random.default_rng(2)
    vertices = _draws.dirichlet(rng, np.tile([0.0, 1e-310, 1e-320], (500, 1)))
    assert np.isin(vertices, (0.0, 1.0)).all()
    np.testing.assert_allclose(_draws.dirichlet(rng, np.array([1e305, np.inf, 1e301])), 1.0 / 3.0, rtol=1e-9)
    many = _draws.multinomial(rng, np.array([0.0, 4e15]), np.array([[0.2, 0.0, 0.8], [1.0, 0.0, 0.0]]))
    assert many.tolist() == [[0, 0, 0], [4_000_000_000_000_000, 0, 0]]


# ---------------------------------------------------------------------------------------------------------- the model


def counted(n: int = 40, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    eta = np.stack([np.zeros(n), 0.5 + 0.8 * x, -0.4 - 0.5 * x], axis=1)
    counts = rng.multinomial(rng.integers(3, 9, n), special.softmax(eta, axis=1))
    shares = rng.dirichlet([2.0, 3.0, 1.5], n)
    frame = pd.DataFrame({"a": counts[:, 0], "b": counts[:, 1], "c": counts[:, 2], "x": x})
    return frame.assign(g=rng.choice(list("uvwz"), n), s=shares[:, 0], t=shares[:, 1], u=shares[:, 2])


@pytest.fixture(scope="module")
def multinomial() -> tuple[nl.Model, Any]:
    model = nl.Model("c(a, b, c) ~ x", counted(), family="multinomial")
    return model, model.fit(draws=200, chains=2, **QUIET)


def test_flat_priors_give_the_dirichlet_of_the_counts() -> None:
    """Conjugate: of flat intercepts the posterior of p is Dirichlet, its parameters the counts of all rows."""
    data = counted()
    flat = {"Intercept": nl.Prior("Flat")}
    model = nl.Model("counts(a, b, c) ~ 1", data, family="multinomial", priors=flat)
    results = model.fit(draws=2000, chains=2, **QUIET)
    model.predict(results)
    p = get_group(results, "posterior")["p"].to_numpy()[:, :, 0].reshape(-1, 3)
    exact = stats.dirichlet(data[["a", "b", "c"]].sum().to_numpy())
    sd = np.sqrt(exact.var())
    np.testing.assert_array_less(np.abs(p.mean(axis=0) - exact.mean()), 4.5 * sd / np.sqrt(1500))
    np.testing.assert_allclose(p.std(axis=0), sd, rtol=0.08)


# statsmodels 0.15, MNLogit on one row a trial of counted(600, seed=8): estimates and standard errors
MNLOGIT = np.array([[0.48348, -0.39802], [0.76439, -0.52372]])
MNLOGIT_ERRORS = np.array([[0.04365, 0.05598], [0.04941, 0.05588]])


def test_maximum_is_that_of_mnlogit() -> None:
    """Many rows and wide priors."""
    wide = {"common": nl.Prior("Normal", mu=0, sigma=30)}
    model = nl.Model("counts(a, b, c) ~ x", counted(600, seed=8), family="multinomial", priors=wide)
    posterior = get_group(model.fit(draws=1500, chains=2, **QUIET), "posterior")
    ours = np.stack([posterior[name].mean(("chain", "draw")) for name in ("Intercept", "x")])
    np.testing.assert_array_less(np.abs(ours - MNLOGIT), 0.15 * MNLOGIT_ERRORS)
    sds = np.stack([posterior[name].std(("chain", "draw")) for name in ("Intercept", "x")])
    np.testing.assert_allclose(sds, MNLOGIT_ERRORS, rtol=0.1)


def grid_moments(log_density: np.ndarray, axes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    means, sds = [], []
    for axis, values in enumerate(axes):
        marginal = weights.sum(axis=tuple(other for other in range(len(axes)) if other != axis))
        means.append(marginal @ values)
        sds.append(np.sqrt(marginal @ (values - means[-1]) ** 2))
    return np.array(means), np.array(sds)


def test_dirichlet_multinomial_posterior_is_that_of_quadrature() -> None:
    data = counted()
    priors = {"Intercept": nl.Prior("Normal", mu=0.5, sigma=1.0)}
    model = nl.Model("counts(a, b) ~ 1", data, family="dirichlet_multinomial", priors=priors)
    draws = get_group(model.fit(draws=2000, chains=2, **QUIET), "posterior")["Intercept"]
    assert draws.dims == ("chain", "draw", "counts(a, b)_dim")
    axis = np.linspace(-3.0, 5.0, 161)
    first, second = axis[:, None], axis[None, :]
    total = stats.norm(0.5, 1.0).logpdf(first) + stats.norm(0.5, 1.0).logpdf(second)
    for a, b in zip(data.a, data.b, strict=True):
        total = total + special.betaln(a + np.exp(first), b + np.exp(second))
        total = total - special.betaln(np.exp(first), np.exp(second))
    means, sds = grid_moments(total, [axis, axis])
    found = draws.to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(found.mean(axis=0), means, atol=4.5 * sds.max() / np.sqrt(1200))
    np.testing.assert_allclose(found.std(axis=0), sds, rtol=0.1)


def test_dirichlet_posterior_is_that_of_quadrature() -> None:
    data = counted()
    priors = {"Intercept": nl.Prior("Normal", mu=0.0, sigma=1.0), "kappa": nl.Prior("Exponential", lam=0.2)}
    model = nl.Model("shares(s, I(t + u)) ~ 1", data, family="dirichlet", priors=priors)
    posterior = get_group(model.fit(draws=2000, chains=2, **QUIET), "posterior")
    eta, kappa = np.linspace(-0.2, 1.6, 121), np.linspace(1.0, 18.0, 141)
    mu = special.expit(eta)[:, None]
    total = stats.norm(0, 1).logpdf(eta)[:, None] - 0.2 * kappa
    for s in data.s:
        total = total + stats.beta.logpdf(1.0 - s, mu * kappa, (1.0 - mu) * kappa)
    means, sds = grid_moments(total, [eta, kappa])
    found = np.stack([posterior["Intercept"].to_numpy()[..., 0].ravel(), posterior["kappa"].to_numpy().ravel()])
    np.testing.assert_array_less(np.abs(found.mean(axis=1) - means), 4.5 * sds / np.sqrt(1200))
    np.testing.assert_allclose(found.std(axis=1), sds, rtol=0.1)


def test_one_trial_a_row_is_categorical() -> None:
    data = counted()
    single = pd.DataFrame(np.eye(3, dtype=int)[np.arange(40) % 3], columns=["a", "b", "c"]).assign(x=data.x)
    options = {"draws": 100, "chains": 1, **QUIET}
    many = nl.Model("counts(a, b, c) ~ x", single, family="multinomial").fit(**options)
    one = nl.Model("y ~ x", single.assign(y=np.array(list("abc"))[np.arange(40) % 3]), family="categorical").fit(
        **options
    )
    for name in ("Intercept", "x"):
        ours, theirs = (get_group(each, "posterior")[name].to_numpy() for each in (many, one))
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_names_and_dimensions(multinomial: tuple[nl.Model, Any]) -> None:
    model, results = multinomial
    model.predict(results, kind="response", random_seed=2)
    posterior, own, reduced = get_group(results, "posterior"), "c(a, b, c)_dim", "c(a, b, c)_reduced_dim"
    draws = ("chain", "draw")
    assert posterior["Intercept"].dims == posterior["x"].dims == (*draws, reduced)
    assert posterior[reduced].values.tolist() == ["b", "c"]
    assert posterior["p"].dims == (*draws, "__obs__", own)
    assert posterior[own].values.tolist() == ["a", "b", "c"]
    observed = get_group(results, "observed_data")["c(a, b, c)"]
    assert observed.dims == ("__obs__", own)
    np.testing.assert_array_equal(observed, model.data[["a", "b", "c"]])
    predicted = get_group(results, "posterior_predictive")["c(a, b, c)"]
    assert predicted.dims == (*draws, "__obs__", own)
    assert predicted.dtype.kind == "i"
    np.testing.assert_array_equal(predicted.sum(own)[0, 0], observed.sum(own))
    shares = predicted.sum(("chain", "draw", "__obs__")) / predicted.sum()
    trials = observed.sum(own)
    expected = (posterior["p"] * trials).sum((*draws, "__obs__")) / (posterior["p"] * trials).sum()
    np.testing.assert_allclose(shares, expected, atol=0.01)


def test_log_likelihood_is_that_of_the_probabilities(multinomial: tuple[nl.Model, Any]) -> None:
    model, results = multinomial
    model.predict(results)
    model.compute_log_likelihood(results)
    p, counts = get_group(results, "posterior")["p"].to_numpy(), model.data[["a", "b", "c"]].to_numpy()
    ours = get_group(results, "log_likelihood")["c(a, b, c)"]
    assert ours.dims == ("chain", "draw", "__obs__")
    np.testing.assert_allclose(ours, stats.multinomial.logpmf(counts, counts.sum(axis=1), p), rtol=1e-8)


def test_new_rows(multinomial: tuple[nl.Model, Any]) -> None:
    model, results = multinomial
    new = pd.DataFrame({"x": [0.0, 1.0]})
    answer = model.predict(results, data=new, inplace=False)
    np.testing.assert_allclose(get_group(answer, "predictions")["p"].sum("c(a, b, c)_dim"), 1.0, rtol=1e-12)
    with pytest.raises(NutsliteError, match=r"needs the trials of every row: .* columns a, b, c"):
        model.predict(results, data=new, kind="response")
    answer = model.predict(results, data=new.assign(a=7, b=0, c=0), kind="response", inplace=False)
    assert (get_group(answer, "predictions")["c(a, b, c)"].sum("c(a, b, c)_dim") == 7).all()


def test_answers(multinomial: tuple[nl.Model, Any]) -> None:
    """Means of one trial: probabilities, a row for each column."""
    model, results = multinomial
    table = interpret.predictions(model, results, conditional={"x": [0.0]}).summary
    posterior = get_group(results, "posterior")
    eta = posterior["Intercept"].to_numpy().reshape(-1, 2)
    exact = special.softmax(np.column_stack([np.zeros(len(eta)), eta]), axis=1).mean(axis=0)
    np.testing.assert_allclose(table["estimate"], exact, rtol=1e-8)
    slopes = interpret.slopes(model, results, "x", conditional={"x": [0.0]}).summary
    assert abs(slopes["estimate"].sum()) < 1e-8


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_of_whole_rows(family: str) -> None:
    """Log scores by the kernel, energy scores from draws: those of SciPy and of `scores.energy_score`."""
    formula = "shares(s, t, u) ~ x" if family == "dirichlet" else "counts(a, b, c) ~ x"
    model = nl.Model(formula, counted(30), family=family)
    results = model.fit(draws=60, chains=2, **QUIET)
    with warnings.catch_warnings():  # of 120 draws
        warnings.simplefilter("ignore")
        report = model.evaluate(results, kind="insample", simulations=20)
        left_out = model.evaluate(results, kind="loo", simulations=0)
    assert list(report.table.index[:2]) == ["nll", "energy"]
    logs = get_group(model.compute_log_likelihood(results, inplace=False), "log_likelihood")[formula.split(" ~")[0]]
    expected = -special.logsumexp(logs.to_numpy().reshape(120, 30), axis=0) + np.log(120)
    np.testing.assert_allclose(report.pointwise["nll"], expected, rtol=1e-9)
    assert report.prediction is not None
    energy = nl.scores.energy_score(report.observed, report.prediction.kind.x)
    np.testing.assert_allclose(report.pointwise["energy"], energy, rtol=1e-10)
    assert 0.5 < report.table.loc["coverage_95", "estimate"] <= 1.0
    assert np.isfinite(report.table.loc["energy", "expected"])
    assert "intervals" in report.verdict()
    assert left_out.table.loc["nll", "estimate"] > report.table.loc["nll", "estimate"]


def test_predictions_of_vectors_by_hand() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(300, 5, 3)), rng.normal(size=(5, 3))
    prediction = nl.scores.Prediction.from_vectors(x)
    report = nl.scores.evaluate(y, prediction, simulations=30)
    assert list(report.table.index[:1]) == ["energy"]
    np.testing.assert_allclose(report.pointwise["energy"], nl.scores.energy_score(y, x), rtol=1e-10)
    np.testing.assert_allclose(prediction.mean(), x.mean(axis=0))
    assert prediction.sample(0, 7).shape == (7, 5, 3)
    assert not prediction.can("quantile")
    assert len(report.plot()) == 1
    for wrong, message in (
        (lambda: nl.scores.evaluate(y[:, :2], prediction), "5 rows of 3 numbers"),
        (lambda: report.plot_coverage(), "drawn by plot_scores"),
        (lambda: report.plot_fan(np.arange(5)), "drawn by plot_scores"),
        (lambda: nl.scores.Prediction.from_vectors(x[0]), r"\(draws, n, K\)"),
        (lambda: nl.scores.Prediction.from_vectors(x, log_density=np.zeros((300, 5))), "go together"),
        (lambda: nl.scores.evaluate(y, prediction, joint=["energy"], groups=list("aabbb")), "scored together"),
    ):
        with pytest.raises(NutsliteError, match=message):
            wrong()


def test_groups_and_a_file(tmp_path: Any) -> None:
    model = nl.Model("counts(a, b, c) ~ x + (1|g)", counted(), family="dirichlet_multinomial")
    assert not model.family.is_custom
    assert "counts(a, b, c)" in str(model)
    again = nl.Model.load(model.save(tmp_path / "model"))
    assert str(again) == str(model)
    results = [m.fit(draws=20, tune=30, chains=1, **QUIET) for m in (model, again)]
    np.testing.assert_array_equal(*(get_group(each, "posterior")["1|g"] for each in results))
    own = "counts(a, b, c)_dim"
    assert get_group(results[0], "posterior")["1|g"].dims == ("chain", "draw", own, "g__factor_dim")
    model.predict(results[0], kind="response")
    assert get_group(results[0], "posterior")["a"].dims == ("chain", "draw", "__obs__", own)


def test_weights_repeat_rows() -> None:
    data = counted(12).assign(w=2)
    options = {"draws": 100, "chains": 1, **QUIET}
    weighted = nl.Model("weighted(counts(a, b, c), w) ~ 1", data, family="multinomial").fit(**options)
    twice = nl.Model("counts(a, b, c) ~ 1", pd.concat([data, data]), family="multinomial").fit(**options)
    means = [get_group(each, "posterior")["Intercept"].mean(("chain", "draw")) for each in (weighted, twice)]
    np.testing.assert_allclose(*means, atol=0.15)


def test_a_column_of_zeros_warns() -> None:
    with pytest.warns(nl.exceptions.NutsliteWarning, match=r"Every count of 'c' is 0"):
        nl.Model("counts(a, b, c) ~ x", counted().assign(c=0), family="multinomial")


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        ("counts(a, b, c) ~ x", "poisson", r"has 3 columns, but family 'poisson' models one"),
        ("counts(a, b, c) ~ x", "categorical", r"has 3 columns, but family 'categorical' models one"),
        ("counts(a, b, c) ~ x", "dirichlet", r"3 columns of counts: write shares\(a, b, c\)"),
        ("shares(s, t, u) ~ x", "multinomial", r"3 columns of shares: write counts\(a, b, c\)"),
        ("a ~ x", "multinomial", r"'a' is numeric: write counts\(a, b, c\)"),
        ("g ~ x", "multinomial", r"write counts\(a, b, c\)"),
        ("p(a, 99) ~ x", "multinomial", r"write counts\(a, b, c\)"),
        ("counts(a) ~ x", "multinomial", r"two or more: counts\(y1, y2, \.\.\.\)"),
        ("counts() ~ x", "multinomial", "two or more"),
        ("counts(a, b, a) ~ x", "multinomial", r"'a' stands twice in counts\(\)"),
        ("counts(a, g) ~ x", "multinomial", r"'g' are categorical"),
        ("counts(a, x) ~ x", "multinomial", r"'x' stands on the right as well"),
        ("counts(a, s) ~ x", "multinomial", r"'s' must be whole numbers.*shares"),
        ("counts(a, -b) ~ x", "multinomial", r"must be whole numbers from 0 on"),
        ("counts(a, b, n=c) ~ x", "multinomial", "no keyword arguments|no argument"),
        ("counts(a, p(b, c)) ~ x", "multinomial", r"p\(\) stands outside"),
        ("counts(a, 3) ~ x", "multinomial", "one column with a value per row"),
        ("shares(s, t) ~ x", "dirichlet", r"add up to one in every row; 40 do not"),
        ("shares(z, 1 - z) ~ x", "dirichlet", r"'z' is 0 in 1 rows"),
        ("counts(0*a, 0*b) ~ x", "multinomial", "all 0: nothing is observed"),
        ("censored(counts(a, b), g) ~ x", "multinomial", "describes a response"),
        ("y ~ counts(a, b)", "gaussian", "describes a response"),
    ],
)
def test_wrong_uses_are_refused(formula: str, family: str, message: str) -> None:
    data = counted().assign(y=1.5, z=np.arange(40) / 40.0)
    with pytest.raises(NutsliteError, match=message):
        nl.Model(formula, data, family=family)


def test_means_have_no_r2(multinomial: tuple[nl.Model, Any]) -> None:
    model, results = multinomial
    with pytest.raises(NutsliteError, match="R-squared is of one number a row"):
        model.r2_score(results)
