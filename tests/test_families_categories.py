"""Families of categories, which have a row of eta for each level: kernels, probabilities, posteriors, names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import nutslite as nl
from nutslite.exceptions import DataError, FamilyError, FormulaError, PriorError
from nutslite.families.record.family import Family, compiled_loglik
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.families.record.register import get_family
from nutslite.formula.records import Response
from nutslite.posterior.points.increasing import increasing_draws
from nutslite.results.container.inference_data import get_group

LEVELS = ("low", "mid", "high", "top")
LINKS = ("logit", "probit", "cloglog")
DISTRIBUTIONS = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}
ROWS = 9


def bound(name: str, levels: tuple[str, ...] = LEVELS) -> Family:
    values = np.arange(len(levels), dtype=float)[None]
    return get_family(name).bound(Response("y", values, kind="categorical", levels=levels))


class Case:
    """A family of four levels at some rows of eta."""

    def __init__(self, name: str, link: str | None, varying: set[int], seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.family = bound(name)
        k = len(self.family.eta_parameters)
        self.links = self.family.link_codes(link)
        self.varies = np.array([int(j in varying) for j in range(k)], dtype=np.int64)
        self.y = rng.integers(0, len(LEVELS), (1, ROWS)).astype(float)
        self.eta = np.full((k, ROWS + 2), np.nan)  # a kernel must not read past what it is given
        base = [0.2, -1.1, 0.3, 1.4] if name != "categorical" else [0.5, -0.3, 0.9]
        for j in range(k):
            size = ROWS if self.varies[j] else 1
            self.eta[j, :size] = base[j] + (0.3 * rng.uniform(-1, 1, size) if self.varies[j] else 0.0)

    def loglik(self, eta: np.ndarray | None = None, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        eta = self.eta if eta is None else eta
        out, slopes = np.full(ROWS, np.nan), np.full(eta.shape, np.nan)
        kernel = compiled_loglik(self.family, self.links)
        with np.errstate(all="ignore"):
            kernel(self.y, np.empty(0) if weights is None else weights, 0, eta, self.varies, self.links, out, slopes)
        for j, varies in enumerate(self.varies):
            slopes[j, ROWS if varies else 1 :] = np.nan
        return out, slopes


CASES = [("categorical", None, {0, 1, 2}), ("categorical", None, {1})]
CASES += [
    (name, link, varying)
    for name in ("cumulative", "sratio", "cratio", "acat")
    for link in LINKS
    for varying in ({0}, {0, 1, 2, 3}, {2})
]


@pytest.mark.parametrize(("name", "link", "varying"), CASES)
def test_gradient(name: str, link: str | None, varying: set[int]) -> None:
    for weights in (None, np.linspace(0.0, 2.0, ROWS)):
        case = Case(name, link, varying)
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
        np.testing.assert_allclose(slopes, numeric, rtol=1e-6, atol=1e-8)


def probabilities(family: Family, link: str, parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    assert family.combine is not None
    return np.asarray(family.combine({"p": link}, parameters)["p"])


@pytest.mark.parametrize("link", LINKS)
def test_cumulative_probabilities_are_differences_of_the_distribution(link: str) -> None:
    family = bound("cumulative")
    latent, thresholds = np.array([[-1.0, 0.4, 2.0]]), np.array([[[-1.2, 0.1, 1.5]]])
    p = probabilities(family, link, {"p": latent, "threshold": thresholds})
    below = DISTRIBUTIONS[link].cdf(thresholds - latent[..., None])
    expected = np.diff(np.concatenate([np.zeros((1, 3, 1)), below, np.ones((1, 3, 1))], axis=-1), axis=-1)
    np.testing.assert_allclose(p, expected, rtol=1e-10)
    for level in range(4):
        case = Case("cumulative", link, {0})
        case.y[:] = level
        case.eta[0, :3], case.eta[1:, 0] = latent[0], thresholds[0, 0]
        np.testing.assert_allclose(case.loglik()[0][:3], np.log(expected[0, :, level]), rtol=1e-10)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("eta", [-40.0, -12.0, 12.0, 40.0])
def test_cumulative_keeps_its_digits_far_out(link: str, eta: float) -> None:
    """P(a < z < b) by the nearer tail, where differences of the distribution function would be zero."""
    log_below, log_above = {
        "logit": (special.log_expit, lambda x: special.log_expit(-x)),
        "probit": (special.log_ndtr, lambda x: special.log_ndtr(-x)),
        "cloglog": (lambda x: np.log(-np.expm1(-np.exp(x))) if x > -30.0 else x, lambda x: -np.exp(x)),
    }[link]
    case = Case("cumulative", link, {0})
    case.eta[1:, 0] = -1.1, 0.3, 1.4
    case.eta[0, :ROWS] = eta
    ends = np.array([-np.inf, -1.1 - eta, 0.3 - eta, 1.4 - eta, np.inf])
    for level in range(4):
        case.y[:] = level
        if eta > 0.0:  # all ends are far below
            larger, smaller = (
                log_below(end) if np.isfinite(end) else min(0.0, end) for end in ends[[level + 1, level]]
            )
        else:
            larger, smaller = (
                log_above(end) if np.isfinite(end) else min(0.0, -end) for end in ends[[level, level + 1]]
            )
        expected = larger + np.log(-np.expm1(smaller - larger))
        np.testing.assert_allclose(case.loglik()[0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("eta", [-30.0, -1.0, 0.4, 2.0, 30.0])
def test_stopping_ratios_are_products_of_conditional_probabilities(link: str, eta: float) -> None:
    """Thresholds in any order; far out each factor by SciPy's own logarithms of tails."""
    family, thresholds = bound("sratio"), np.array([0.9, -1.2, 0.1])
    law, u = DISTRIBUTIONS[link], thresholds - eta
    passed = np.concatenate([[0.0], np.cumsum(law.logsf(u))])
    expected = passed + np.concatenate([law.logcdf(u), [0.0]])
    p = probabilities(family, link, {"p": np.array([[eta]]), "threshold": thresholds[None, None]})[0, 0]
    np.testing.assert_allclose(p, np.exp(expected), rtol=1e-10, atol=1e-300)
    for level in range(4):
        case = Case("sratio", link, {0})
        case.y[:] = level
        case.eta[0, :ROWS], case.eta[1:, 0] = eta, thresholds
        np.testing.assert_allclose(case.loglik()[0], expected[level], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("eta", [-30.0, -1.0, 0.4, 2.0, 30.0])
def test_continuation_ratios_are_products_of_conditional_probabilities(link: str, eta: float) -> None:
    family, thresholds = bound("cratio"), np.array([0.9, -1.2, 0.1])
    law, v = DISTRIBUTIONS[link], eta - thresholds
    passed = np.concatenate([[0.0], np.cumsum(law.logcdf(v))])
    expected = passed + np.concatenate([law.logsf(v), [0.0]])
    p = probabilities(family, link, {"p": np.array([[eta]]), "threshold": thresholds[None, None]})[0, 0]
    np.testing.assert_allclose(p, np.exp(expected), rtol=1e-10, atol=1e-300)
    for level in range(4):
        case = Case("cratio", link, {0})
        case.y[:] = level
        case.eta[0, :ROWS], case.eta[1:, 0] = eta, thresholds
        np.testing.assert_allclose(case.loglik()[0], expected[level], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("eta", [-12.0, -1.0, 0.4, 2.0, 3.0])
def test_adjacent_categories_are_pairs(link: str, eta: float) -> None:
    """Of two neighbours the upper one has the probability of the link; far out by SciPy's logarithms of tails."""
    family, thresholds = bound("acat"), np.array([0.9, -1.2, 0.1])
    law, v = DISTRIBUTIONS[link], eta - thresholds
    reached = np.concatenate([[0.0], np.cumsum(law.logcdf(v) - law.logsf(v))])
    expected = reached - special.logsumexp(reached)
    p = probabilities(family, link, {"p": np.array([[eta]]), "threshold": thresholds[None, None]})[0, 0]
    np.testing.assert_allclose(p, np.exp(expected), rtol=1e-9)
    np.testing.assert_allclose(p[1:] / (p[1:] + p[:-1]), law.cdf(v), rtol=1e-9)
    for level in range(4):
        case = Case("acat", link, {0})
        case.y[:] = level
        case.eta[0, :ROWS], case.eta[1:, 0] = eta, thresholds
        np.testing.assert_allclose(case.loglik()[0], expected[level], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["sratio", "cratio", "acat"])
@pytest.mark.parametrize("link", LINKS)
def test_steps_keep_their_digits_far_out(name: str, link: str) -> None:
    """No nan where linear predictors are +-700, and derivatives there."""
    for eta in (-700.0, 700.0):
        for level in range(4):
            case = Case(name, link, {0})
            case.y[:] = level
            case.eta[0, :ROWS] = eta
            out, slopes = case.loglik()
            assert not np.isnan(out).any()
            assert not np.isnan(slopes[0, :ROWS]).any()


def test_thresholds_out_of_order_have_no_density() -> None:
    for link in LINKS:
        case = Case("cumulative", link, {0})
        case.y[:] = 1
        case.eta[1, 0], case.eta[2, 0] = 0.5, 0.5
        assert not np.isfinite(case.loglik()[0]).any()


@pytest.mark.parametrize("name", ["categorical", "cumulative", "sratio", "cratio", "acat"])
def test_infinite_predictors_are_not_mistaken_for_finite_ones(name: str) -> None:
    for link in LINKS if name != "categorical" else [None]:
        for eta, level in itertools.product((np.inf, -np.inf, np.nan), range(4)):
            case = Case(name, link, {0, 1, 2, 3})
            case.y[:] = level
            case.eta[:, :ROWS] = eta
            out, slopes = case.loglik()
            assert not (np.isfinite(out) & np.isfinite(slopes[:, :ROWS]).all(axis=0)).any()


def test_categorical_is_the_softmax() -> None:
    family = bound("categorical")
    eta = np.array([[0.3, -2.0, 900.0]])
    p = probabilities(family, "softmax", {"p": eta[None]})[0, 0]
    np.testing.assert_allclose(p, [0.0, 0.0, 0.0, 1.0], atol=1e-300)
    eta = np.array([0.3, -2.0, 1.1])
    weights = np.exp([0.0, *eta])
    expected = np.log(weights / weights.sum())
    np.testing.assert_allclose(
        pointwise_loglik(family, [0, 1, 2, 3], {"p": np.tile(eta, (4, 1))}), expected, rtol=1e-13
    )
    np.testing.assert_allclose(pointwise_loglik(family, [3, 0], {"p": eta}), expected[[3, 0]], rtol=1e-13)


def test_draws_follow_the_probabilities() -> None:
    p = np.array([0.1, 0.0, 0.6, 0.3])
    draws = get_family("categorical").random(np.random.default_rng(1), {"p": np.tile(p, (40_000, 1))}, {})
    assert draws.dtype.kind == "i"
    np.testing.assert_allclose(np.bincount(draws, minlength=4) / 40_000, p, atol=0.012)


# ---------------------------------------------------------------------------------------------------------- the model


def answers(n: int = 80, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    codes = np.digitize(x + rng.logistic(size=n), [-0.8, 1.0])
    y = pd.Categorical.from_codes(codes, ["no", "perhaps", "yes"], ordered=True)
    return pd.DataFrame({"y": y, "x": x, "g": rng.choice(list("abcde"), n), "f": rng.choice(list("uvw"), n)})


def grid_moments(log_density: np.ndarray, axes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds of a density on a grid."""
    weights = np.exp(log_density - log_density.max())
    weights /= weights.sum()
    means, sds = [], []
    for axis, values in enumerate(axes):
        marginal = weights.sum(axis=tuple(other for other in range(len(axes)) if other != axis))
        means.append(marginal @ values)
        sds.append(np.sqrt(marginal @ (values - means[-1]) ** 2))
    return np.array(means), np.array(sds)


@pytest.fixture(scope="module")
def cumulative() -> tuple[nl.Model, Any]:
    model = nl.Model("y ~ x", answers(), family="cumulative", link="probit")
    return model, model.fit(draws=2000, chains=2, random_seed=1, progressbar=False)


def test_cumulative_posterior_is_that_of_quadrature(cumulative: tuple[nl.Model, Any]) -> None:
    model, results = cumulative
    data = model.data
    width = 2.5 / data.x.std(ddof=0)
    slopes, first, second = np.linspace(0.0, 1.8, 61), np.linspace(-1.6, 0.6, 62), np.linspace(-0.5, 1.8, 63)
    total = stats.norm(0, width).logpdf(slopes)[:, None, None]
    total = total + stats.norm(-2.0, 1.0).logpdf(first)[:, None] + stats.norm(2.0, 1.0).logpdf(second)
    for x, code in zip(data.x, data.y.cat.codes, strict=True):
        low = stats.norm.cdf(first[None, :] - slopes[:, None] * x)[:, :, None]
        high = stats.norm.cdf(second[None, :] - slopes[:, None] * x)[:, None, :]
        p = (low, high - low, 1.0 - high)[code]
        total = total + np.log(np.where(p > 0.0, p, 1e-300))
    total = np.where(first[:, None] < second, total, -np.inf)
    means, sds = grid_moments(total, [slopes, first, second])
    posterior = get_group(results, "posterior")
    draws = np.column_stack([posterior["x"].to_numpy().ravel(), posterior["threshold"].to_numpy().reshape(-1, 2)])
    np.testing.assert_allclose(draws.mean(axis=0), means, atol=4.5 * sds.max() / np.sqrt(1500))
    np.testing.assert_allclose(draws.std(axis=0), sds, rtol=0.1)


def test_gradients_of_the_joint_density() -> None:
    """By differences, at three positions: the transform of thresholds, its Jacobian, priors, rows and group effects."""
    for name in ("cumulative", "categorical", "sratio"):
        model = nl.Model("y ~ x + (1|g)", answers(), family=name)
        target = model.plan("joint").target()
        rng = np.random.default_rng(5)
        for _ in range(3):
            position = 0.5 * rng.standard_normal(target.dimension)
            gradient, scratch = np.empty_like(position), np.empty_like(position)
            target.logdensity(position, gradient, target.data)
            numeric = np.empty_like(position)
            for i in range(position.size):
                step = np.zeros_like(position)
                step[i] = 1e-3
                values = [target.logdensity(position + k * step, scratch, target.data) for k in (1, -1, 2, -2)]
                numeric[i] = (8.0 * (values[0] - values[1]) - (values[2] - values[3])) / 12e-3
            np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-7)


def test_sratio_posterior_is_that_of_quadrature() -> None:
    """Given no predictor each threshold has a likelihood of its own: how many stop there, and how many go on."""
    data = answers(40)
    model = nl.Model("y ~ 1", data, family="sratio")
    results = model.fit(draws=1000, chains=2, random_seed=1, progressbar=False)
    drawn = get_group(results, "posterior")["threshold"]
    assert drawn.dims == ("chain", "draw", "threshold_dim")
    counts = np.bincount(data.y.cat.codes, minlength=3)
    axis = np.linspace(-6.0, 6.0, 2001)
    for j in range(2):
        stop, go_on = counts[j], counts[j + 1 :].sum()
        log_density = stats.norm.logpdf(axis) - stop * np.logaddexp(0.0, -axis) - go_on * np.logaddexp(0.0, axis)
        (mean,), (sd,) = grid_moments(log_density, [axis])
        assert float(drawn[..., j].mean()) == pytest.approx(mean, abs=4.5 * sd / np.sqrt(1200))
        assert float(drawn[..., j].std()) == pytest.approx(sd, rel=0.1)
    fixed = nl.Model("y ~ x", data, family="sratio", priors={"threshold": [1.0, -0.5]})
    assert list(fixed.priors.constants["threshold"]) == [1.0, -0.5]


@pytest.mark.parametrize(("name", "link"), [("cratio", "cloglog"), ("acat", "logit")])
def test_posteriors_of_steps_are_those_of_quadrature(name: str, link: str) -> None:
    data = answers(40)
    results = nl.Model("y ~ 1", data, family=name, link=link).fit(
        draws=1500, chains=2, random_seed=1, progressbar=False
    )
    counts = np.bincount(data.y.cat.codes, minlength=3)
    axis = np.linspace(-4.0, 4.0, 201)
    first, second = axis[:, None], axis[None, :]
    if name == "acat":
        log_p = [np.zeros((201, 201)), -first + 0.0 * second, -first - second]
        log_p = [each - special.logsumexp(log_p, axis=0) for each in log_p]
    else:
        law = DISTRIBUTIONS[link]
        on, stop = law.logcdf(-axis), law.logsf(-axis)
        log_p = [stop[:, None] + 0.0 * second, on[:, None] + stop[None, :], on[:, None] + on[None, :]]
    total = stats.norm.logpdf(first) + stats.norm.logpdf(second)
    total = total + sum(count * each for count, each in zip(counts, log_p, strict=True))
    means, sds = grid_moments(total, [axis, axis])
    drawn = get_group(results, "posterior")["threshold"].to_numpy().reshape(-1, 2)
    np.testing.assert_array_less(np.abs(drawn.mean(axis=0) - means), 4.5 * sds / np.sqrt(1500))
    np.testing.assert_allclose(drawn.std(axis=0), sds, rtol=0.1)


def test_cumulative_paths_agree(cumulative: tuple[nl.Model, Any]) -> None:
    model, results = cumulative
    expected = get_group(results, "posterior")
    for options in ({"inference_method": "nuts"}, {"pilot": False}):
        other = get_group(model.fit(draws=1000, chains=2, random_seed=2, progressbar=False, **options), "posterior")
        for name in ("x", "threshold"):
            sd = expected[name].std(("chain", "draw"))
            difference = abs(other[name].mean(("chain", "draw")) - expected[name].mean(("chain", "draw"))) / sd
            assert float(difference.max()) < 0.2


def test_names_and_dimensions_of_cumulative(cumulative: tuple[nl.Model, Any]) -> None:
    model, results = cumulative
    model.predict(results, kind="response")
    posterior = get_group(results, "posterior")
    assert posterior["threshold"].dims == ("chain", "draw", "threshold_dim")
    assert posterior["threshold_dim"].values.tolist() == [0, 1]
    assert posterior["x"].dims == ("chain", "draw")
    assert posterior["p"].dims == ("chain", "draw", "__obs__", "y_dim")
    assert posterior["y_dim"].values.tolist() == ["no", "perhaps", "yes"]
    np.testing.assert_allclose(posterior["p"].sum("y_dim"), 1.0, rtol=1e-12)
    predicted = get_group(results, "posterior_predictive")["y"]
    assert predicted.dtype.kind == "i"
    shares = [float((predicted == code).mean()) for code in range(3)]
    np.testing.assert_allclose(shares, posterior["p"].mean(("chain", "draw", "__obs__")), atol=0.01)
    assert "Intercept" not in posterior


def test_log_likelihood_is_that_of_the_probabilities(cumulative: tuple[nl.Model, Any]) -> None:
    model, results = cumulative
    model.predict(results)
    model.compute_log_likelihood(results)
    p = get_group(results, "posterior")["p"].to_numpy()
    observed = model.data.y.cat.codes.to_numpy().astype(int)
    ours = get_group(results, "log_likelihood")["y"].to_numpy()
    np.testing.assert_allclose(ours, np.log(p[:, :, np.arange(len(observed)), observed]), rtol=1e-9)


def test_starting_values_and_points(cumulative: tuple[nl.Model, Any]) -> None:
    model, _ = cumulative
    point = model.backend.model.initial_point()
    assert set(point) == {"x", "threshold_ordered__"}
    start = {"threshold": [-0.7, 1.2], "x": 0.4}
    results = model.fit(draws=5, tune=5, chains=1, initvals=start, inference_method="nuts", progressbar=False)
    assert (np.diff(get_group(results, "posterior")["threshold"], axis=-1) > 0.0).all()
    with pytest.raises(nl.NutsliteError, match=r"'threshold'.*must increase"):
        model.fit(draws=5, tune=5, chains=1, initvals={"threshold": [1.0, 0.5]}, progressbar=False)


def test_thresholds_can_be_fixed() -> None:
    data = answers()
    model = nl.Model("y ~ x", data, family="cumulative", priors={"threshold": [-0.8, 1.0]})
    results = model.fit(draws=100, chains=1, random_seed=1, progressbar=False)
    model.predict(results)
    posterior = get_group(results, "posterior")
    assert "threshold" not in posterior
    x, eta = data.x.to_numpy(), posterior["x"].to_numpy()[..., None]
    np.testing.assert_allclose(posterior["p"][..., 0], 1.0 / (1.0 + np.exp(0.8 + eta * x)), rtol=1e-10)
    for wrong in ([1.0, 0.5], [0.0], 0.0, [[0.0, 1.0]]):
        with pytest.raises(PriorError, match="'threshold' has 2 elements, which increase"):
            nl.Model("y ~ x", data, family="cumulative", priors={"threshold": wrong})


def test_prior_draws_of_thresholds_are_of_the_ordered_density() -> None:
    model = nl.Model("y ~ x", answers(), family="cumulative", priors={"threshold": nl.Prior("Normal", mu=0, sigma=1)})
    drawn = get_group(model.prior_predictive(draws=4000, random_seed=1), "prior")["threshold"].to_numpy()[0]
    grid = np.linspace(-6, 6, 1201)
    density = 2.0 * stats.norm.pdf(grid) * stats.norm.sf(grid)  # of the smaller of two
    exact = float((grid * density).sum() * (grid[1] - grid[0]))
    np.testing.assert_allclose(drawn.mean(axis=0), [exact, -exact], atol=0.06)


def test_rare_orders_are_drawn_by_sweeps() -> None:
    """Twelve elements of one distribution: given that they increase they are its order statistics."""
    rng = np.random.default_rng(4)
    draws = increasing_draws(lambda element, rows: rng.random(rows.size), 400, 12)
    assert (np.diff(draws, axis=1) > 0.0).all()
    expected = np.arange(1, 13) / 13.0
    sds = np.sqrt(expected * (1.0 - expected) / 14.0)
    np.testing.assert_array_less(abs(draws.mean(axis=0) - expected), 4.5 * sds / 20.0)
    np.testing.assert_allclose(draws.std(axis=0), sds, rtol=0.2)


def test_thresholds_take_the_intercepts_place(caplog: pytest.LogCaptureFixture) -> None:
    data = answers()
    plain = nl.Model("y ~ f", data, family="cumulative")
    assert plain.design.predictors["p"].terms[0].labels == ("v", "w")
    assert not plain.design.predictors["p"].intercept
    with caplog.at_level("INFO", logger="nutslite"):
        without = nl.Model("y ~ 0 + f", data, family="cumulative")
    assert "0 in its formula changes nothing" in caplog.text
    assert without.design.predictors["p"].terms[0].labels == ("v", "w")
    assert nl.Model("y ~ 1", data, family="cumulative").fit(draws=50, chains=1, progressbar=False) is not None


def test_published_proportional_odds() -> None:
    """Housing satisfaction: Venables and Ripley (2002), Modern Applied Statistics with S, section 7.3, by polr."""
    wide = nl.Prior("Normal", mu=0, sigma=20)
    data = nl.load_data("housing")
    model = nl.Model(
        "weighted(Sat, Freq) ~ Infl + Type + Cont",
        data,
        family="cumulative",
        priors={"common": wide, "threshold": wide},
    )
    posterior = get_group(model.fit(draws=2000, chains=2, random_seed=1, progressbar=False), "posterior")
    means = {name: posterior[name].mean(("chain", "draw")).to_numpy() for name in ("Infl", "Type", "Cont", "threshold")}
    np.testing.assert_allclose(means["Infl"], [0.5664, 1.2888], atol=0.02)
    np.testing.assert_allclose(means["Type"], [-0.5724, -0.3662, -1.0910], atol=0.02)
    np.testing.assert_allclose(means["Cont"], [0.3603], atol=0.02)
    np.testing.assert_allclose(means["threshold"], [-0.4961, 0.6907], atol=0.02)
    np.testing.assert_allclose(posterior["Infl"].std(("chain", "draw")), [0.1047, 0.1272], rtol=0.08)


def test_categorical_posterior_is_that_of_quadrature() -> None:
    data = answers(40)
    priors = {"Intercept": nl.Prior("Normal", mu=0, sigma=1.5)}
    model = nl.Model("y ~ 1", data, family="categorical", priors=priors)
    results = model.fit(draws=2000, chains=2, random_seed=1, progressbar=False)
    counts = np.bincount(data.y.cat.codes, minlength=3)
    axis = np.linspace(-3.0, 3.0, 241)
    a, b = axis[:, None], axis[None, :]
    total = stats.norm(0, 1.5).logpdf(a) + stats.norm(0, 1.5).logpdf(b) + counts[1] * a + counts[2] * b
    means, sds = grid_moments(total - counts.sum() * np.logaddexp(0.0, np.logaddexp(a, b)), [axis, axis])
    draws = get_group(results, "posterior")["Intercept"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(draws.mean(axis=0), means, atol=4.5 * sds.max() / np.sqrt(1500))
    np.testing.assert_allclose(draws.std(axis=0), sds, rtol=0.1)


def test_names_and_dimensions_of_categorical() -> None:
    model = nl.Model("y ~ x + f + (1|g) + (x|g)", answers(), family="categorical")
    model.build()
    results = model.fit(draws=30, tune=30, chains=1, random_seed=1, progressbar=False)
    new = pd.DataFrame({"x": [0.0, 1.0], "f": ["u", "w"], "g": ["a", "z"]})
    model.predict(results, data=new, sample_new_groups=True, kind="response")
    posterior = get_group(results, "posterior")
    reduced, draws = "y_reduced_dim", ("chain", "draw")
    assert posterior["Intercept"].dims == (*draws, reduced)
    assert posterior[reduced].values.tolist() == ["perhaps", "yes"]
    assert posterior["x"].dims == (*draws, reduced)
    assert posterior["f"].dims == (*draws, reduced, "f_dim")
    assert posterior["1|g"].dims == (*draws, reduced, "g__factor_dim")
    assert posterior["1|g_sigma"].dims == (*draws, reduced)
    predictions = get_group(results, "predictions")
    assert predictions["p"].dims == (*draws, "__obs__", "y_dim")
    np.testing.assert_allclose(predictions["p"].sum("y_dim"), 1.0, rtol=1e-12)


def test_categorical_intercepts_are_reported_uncentred() -> None:
    """Probabilities of rows by hand from the reported coefficients."""
    data = answers()
    model = nl.Model("y ~ x", data, family="categorical")
    results = model.fit(draws=20, chains=1, random_seed=1, progressbar=False)
    model.predict(results)
    posterior = get_group(results, "posterior")
    eta = (
        posterior["Intercept"].to_numpy()[0][:, None]
        + data.x.to_numpy()[:, None] * posterior["x"].to_numpy()[0][:, None]
    )
    weights = np.exp(np.concatenate([np.zeros((20, 80, 1)), eta], axis=-1))
    np.testing.assert_allclose(posterior["p"].to_numpy()[0], weights / weights.sum(-1, keepdims=True), rtol=1e-10)


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("x ~ f", {"family": "cumulative"}, r"'x' is numeric.*categorical=\['x'\]"),
        ("x ~ f", {"family": "categorical"}, r"'x' is numeric.*categorical=\['x'\]"),
        ("y['no'] ~ f", {"family": "cumulative"}, "picks the level 'no'"),
        ("p(a, b) ~ x", {"family": "categorical"}, "is a proportion"),
        (
            "y ~ x + (x|g)",
            {"family": "categorical", "correlated": True},
            "cannot be correlated in family 'categorical'",
        ),
        ("y ~ x", {"family": "cumulative", "automatic_priors": "mle"}, "automatic_priors='mle' is for one linear"),
        ("y ~ x", {"family": "sratio", "priors": {"threshold": [1.0]}}, "'threshold' has 2 elements; the prior fixes"),
        (nl.Formula("y ~ x", "threshold ~ x"), {"family": "sratio"}, "the same in every row"),
        ("x ~ f", {"family": "sratio"}, r"'x' is numeric.*categorical=\['x'\]"),
        ("y ~ x", {"family": "cumulative", "link": "cauchit"}, "does not allow the link 'cauchit'"),
        ("y ~ x", {"family": "categorical", "link": "logit"}, "does not allow the link 'logit'"),
    ],
)
def test_wrong_uses_are_refused(formula: str, options: dict[str, Any], message: str) -> None:
    data = answers().assign(a=1, b=3)
    with pytest.raises((DataError, FamilyError, FormulaError, PriorError), match=message):
        nl.Model(formula, data, **options)


def test_means_are_refused(cumulative: tuple[nl.Model, Any]) -> None:
    model, results = cumulative
    with pytest.raises(DataError, match="categories have no mean"):
        model.r2_score(results)


def test_thresholds_have_no_formula() -> None:
    with pytest.raises(nl.NutsliteError, match=r"'threshold'.*no formula"):
        nl.Model(nl.Formula("y ~ x", "threshold ~ x"), answers(), family="cumulative")


def test_sorted_levels_are_told(caplog: pytest.LogCaptureFixture) -> None:
    data = answers()
    with caplog.at_level("INFO", logger="nutslite"):
        nl.Model("y ~ x", data, family="cumulative")
        assert "in this order" not in caplog.text
        nl.Model("y ~ x", data.assign(y=data.y.astype(str)), family="cumulative")
    assert "no < perhaps < yes" in caplog.text


@pytest.mark.parametrize("name", ["categorical", "cumulative"])
def test_models_survive_a_file(name: str, tmp_path: Any) -> None:
    model = nl.Model("y ~ x", answers(), family=name)
    assert not model.family.is_custom
    again = nl.Model.load(model.save(tmp_path / "model"))
    assert str(again) == str(model)
    draws = [
        get_group(m.fit(draws=20, chains=1, random_seed=1, progressbar=False), "posterior")["x"] for m in (model, again)
    ]
    np.testing.assert_array_equal(*draws)


# ------------------------------------------------------------------------ discrimination, category-specific effects


WIDENED = [("cumulative", ("disc",))]
WIDENED += [(name, named) for name in ("sratio", "cratio", "acat") for named in (("disc",), ("cs",), ("disc", "cs"))]


@pytest.mark.parametrize(("name", "named"), WIDENED)
@pytest.mark.parametrize("link", LINKS)
def test_widened_kernels(name: str, named: tuple[str, ...], link: str) -> None:
    """With disc and cs: probabilities as `combine` has them, and derivatives by differences."""
    response = Response("y", np.arange(4.0)[None], kind="categorical", levels=LEVELS)
    family, codes = get_family(name).bound(response, named), get_family(name).bound(response, named).link_codes(link)
    rng = np.random.default_rng(7)
    y, weights = rng.integers(0, 4, (1, ROWS)).astype(float), np.linspace(0.5, 2.0, ROWS)
    bases = [0.2, -1.1, 0.3, 1.4, *([0.3] if "disc" in named else []), *([0.0, 0.1, -0.1] if "cs" in named else [])]
    varies = np.array([1, 0, 0, 0, *[1] * (len(bases) - 4)], dtype=np.int64)
    eta = np.full((len(bases), ROWS + 2), np.nan)
    for j, base in enumerate(bases):
        size = ROWS if varies[j] else 1
        eta[j, :size] = base + (0.3 * rng.uniform(-1, 1, size) if varies[j] else 0.0)
    kernel = compiled_loglik(family, codes)

    def loglik(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out, slopes = np.full(ROWS, np.nan), np.full(eta.shape, np.nan)
        kernel(y, weights, 0, eta, varies, codes, out, slopes)
        return out, np.where(np.isfinite(eta), slopes, np.nan)

    out, slopes = loglik(eta)
    full = np.array([eta[j, :ROWS] if varies[j] else np.full(ROWS, eta[j, 0]) for j in range(len(bases))])
    parameters = {"p": full[:1], "threshold": full[None, 1:4].transpose(0, 2, 1)}
    if "disc" in named:
        parameters["disc"] = np.exp(full[4:5])
    if "cs" in named:
        parameters["cs"] = full[None, -3:].transpose(0, 2, 1)
    p = probabilities(family, link, parameters)[0]
    np.testing.assert_allclose(out, weights * np.log(p[np.arange(ROWS), y[0].astype(int)]), rtol=1e-9)
    numeric = np.full(eta.shape, np.nan)
    for j, i in zip(*np.nonzero(np.isfinite(eta)), strict=True):
        total = 0.0
        for shift, factor in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
            moved = eta.copy()
            moved[j, i] += shift * 1e-3
            total += factor * loglik(moved)[0].sum()
        numeric[j, i] = total / 12e-3
    np.testing.assert_allclose(slopes, numeric, rtol=1e-6, atol=1e-8)


def test_category_specific_stopping_ratios_are_logistic_regressions_of_the_survivors() -> None:
    """Exact: given cs(x) alone the likelihood is a product over thresholds, and so are these priors."""
    data = answers(90)
    normal = nl.Prior("Normal", mu=0, sigma=1)
    options = {"draws": 1500, "chains": 2, "random_seed": 1, "progressbar": False}
    model = nl.Model("y ~ cs(x)", data, family="sratio", priors={"cs": {"x": normal}})
    results = model.fit(**options)
    posterior = get_group(results, "posterior")
    assert posterior["cs_x"].dims == ("chain", "draw", "threshold_dim")
    codes = data.y.cat.codes.to_numpy()
    for j in range(2):
        left = data[codes >= j].assign(stop=(codes[codes >= j] == j).astype(int), z=lambda frame: -frame.x)
        alone = nl.Model("stop ~ z", left, family="bernoulli", priors={"Intercept": normal, "z": normal},
                         center_predictors=False)  # fmt: skip
        expected = get_group(alone.fit(**options), "posterior")
        for name, other in (("cs_x", "z"), ("threshold", "Intercept")):
            ours, theirs = posterior[name][..., j], expected[other]
            sd = float(theirs.std())
            assert abs(float(ours.mean() - theirs.mean())) < 0.15 * sd
            assert float(ours.std()) == pytest.approx(sd, rel=0.12)
    model.predict(results, kind="response")
    posterior = get_group(results, "posterior")
    assert posterior["cs"].dims == ("chain", "draw", "__obs__", "threshold_dim")
    np.testing.assert_allclose(posterior["p"].sum("y_dim"), 1.0, rtol=1e-12)
    model.compute_log_likelihood(results)
    logs = get_group(results, "log_likelihood")["y"].to_numpy()
    np.testing.assert_allclose(logs, np.log(posterior["p"].to_numpy()[:, :, np.arange(90), codes]), rtol=1e-8)


def test_discrimination_posterior_is_that_of_quadrature(tmp_path: Any) -> None:
    """Two groups of one mean, the second on a scale of its own; thresholds are known."""
    rng = np.random.default_rng(2)
    w = np.repeat([0.0, 1.0], 60)
    codes = np.digitize(rng.logistic(size=120) / np.exp(0.7 * w), [-0.8, 1.0])
    data = pd.DataFrame({"y": pd.Categorical.from_codes(codes, ["no", "perhaps", "yes"], ordered=True), "w": w})
    priors = {
        "threshold": [-0.8, 1.0],
        "w": nl.Prior("Normal", mu=0, sigma=1),
        "disc": {"w": nl.Prior("Normal", mu=0, sigma=1)},
    }
    model = nl.Model(nl.Formula("y ~ w", "disc ~ w"), data, family="cumulative", priors=priors)
    results = model.fit(draws=2000, chains=2, random_seed=1, progressbar=False)
    axis = np.linspace(-2.5, 2.5, 201)
    slope, disc = axis[:, None], np.exp(axis)[None, :]
    total = stats.norm.logpdf(axis)[:, None] + stats.norm.logpdf(axis)[None, :]
    for code, count in enumerate(np.bincount(codes[60:], minlength=3)):
        ends = [special.expit(disc * (end - slope)) for end in (-0.8, 1.0)]
        p = (ends[0], ends[1] - ends[0], 1.0 - ends[1])[code]
        total = total + count * np.log(np.maximum(p, 1e-300))
    means, sds = grid_moments(total, [axis, axis])
    posterior = get_group(results, "posterior")
    drawn = np.stack([posterior["w"].to_numpy().ravel(), posterior["disc_w"].to_numpy().ravel()])
    np.testing.assert_array_less(np.abs(drawn.mean(axis=1) - means), 4.5 * sds / np.sqrt(1200))
    np.testing.assert_allclose(drawn.std(axis=1), sds, rtol=0.1)
    assert "disc_Intercept" not in posterior
    model.predict(results)
    assert get_group(results, "posterior")["disc"].dims == ("chain", "draw", "__obs__")
    assert nl.interpret.predictions(model, results, conditional={"w": [0.0, 1.0]}).summary[
        "estimate"
    ].sum() == pytest.approx(2.0)
    assert "log_loss" in model.evaluate(results, kind="insample", simulations=0).table.index
    again = nl.Model.load(model.save(tmp_path / "model"))
    assert str(again) == str(model)


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        ("y ~ cs(x)", "cumulative", r"families sratio, cratio and acat have such effects"),
        ("y ~ cs(x)", "categorical", r"families sratio, cratio and acat have such effects"),
        ("y ~ x + cs(x)", "sratio", r"'x' stands inside cs\(\) and outside"),
        ("y ~ f:cs(x)", "sratio", r"takes no part in interactions"),
        ("y ~ cs(x * z)", "sratio", r"arithmetic goes into I\(...\)"),
        ("y ~ cs(x, z)", "sratio", r"takes one sum of columns"),
        ("y ~ cs()", "sratio", r"takes one sum of columns"),
        ("y ~ (cs(x)|g)", "sratio", r"as terms of the main formula"),
        (nl.Formula("y ~ cs(x)", "cs ~ f"), "acat", "has a formula of its own"),
        (nl.Formula("y ~ x", "disc ~ cs(f)"), "acat", "as terms of the main formula"),
        (nl.Formula("y ~ x", "disc ~ f"), "categorical", "'disc' is not a parameter"),
        (nl.Formula("y ~ x", "cs ~ f"), "cumulative", "'cs' is not a parameter"),
    ],
)
def test_wrong_effects_of_categories_are_refused(formula: Any, family: str, message: str) -> None:
    with pytest.raises(nl.NutsliteError, match=message):
        nl.Model(formula, answers().assign(z=1.0), family=family)


def test_category_specific_effects_of_several_columns() -> None:
    data = answers().assign(z=np.linspace(-1, 1, 80))
    model = nl.Model("y ~ z + cs(x + f) + (1|g)", data, family="acat")
    predictors = model.design.predictors
    assert [term.name for term in predictors["cs"].terms] == ["x", "f"]
    assert predictors["cs"].terms[1].labels == ("v", "w")
    assert [term.name for term in predictors["p"].terms] == ["z"]
    results = model.fit(draws=20, tune=30, chains=1, random_seed=1, progressbar=False)
    assert get_group(results, "posterior")["cs_f"].dims == ("chain", "draw", "threshold_dim", "cs_f_dim")
    assert get_group(model.prior_predictive(draws=5), "prior_predictive")["y"].dtype.kind == "i"
