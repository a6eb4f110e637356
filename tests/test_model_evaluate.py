"""Models judge their predictions: beside algebra, beside ArviZ, beside direct sums, and wrong models are caught."""

from __future__ import annotations

import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray
from scipy import signal, special, stats

import nutslite as nl
from nutslite._pareto import smoothed
from nutslite.exceptions import DataError, NutsliteWarning
from nutslite.families.user.built_in import family_names
from nutslite.model.evaluation.cross_validation import _folds
from nutslite.model.record.specification import specification_of
from nutslite.results.container.inference_data import arviz_major, build_container, get_group
from nutslite.results.evaluation.predictive import form_of
from nutslite.scores.evaluation import evaluate
from nutslite.scores.importance import leave_one_out
from nutslite.scores.pointwise.log_score import nll

QUIET: dict[str, Any] = {"random_seed": 1, "progressbar": False}
FEW: dict[str, Any] = {"draws": 800, "simulations": 99}
WIDE = nl.Prior("Normal", mu=0.0, sigma=5.0)
SIGMA, BETWEEN = 1.0, 1.5


def line(n: int = 40, seed: int = 2, outlier: bool = True) -> pd.DataFrame:
    """A straight line with noise of 1; the last row has leverage, and is off."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = 1.0 + 0.5 * x + rng.normal(size=n)
    if outlier:
        x[-1], y[-1] = 6.0, 9.0
    return pd.DataFrame({"y": y, "x": x, "half": np.where(np.arange(n) < n / 2, "a", "b")})


@functools.cache
def fitted(outlier: bool = True, sigma: float = SIGMA) -> tuple[nl.Model, Any]:
    """A line with known noise and normal priors: all distributions are normal."""
    priors = {"Intercept": WIDE, "x": WIDE, "sigma": sigma}
    model = nl.Model("y ~ x", line(outlier=outlier), priors=priors, center_predictors=False)
    return model, model.fit(**QUIET)


def exact_left_out(data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each row given all others."""
    X, y = np.column_stack([np.ones(len(data)), data.x]), data.y.to_numpy()
    mean, sd = np.empty(len(y)), np.empty(len(y))
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        covariance = np.linalg.inv(X[rest].T @ X[rest] / SIGMA**2 + np.eye(2) / 25.0)
        mean[i] = X[i] @ covariance @ X[rest].T @ y[rest] / SIGMA**2
        sd[i] = np.sqrt(SIGMA**2 + X[i] @ covariance @ X[i])
    return mean, sd


def draws_of(results: Any) -> tuple[np.ndarray, np.ndarray]:
    posterior = get_group(results, "posterior")
    return posterior["Intercept"].to_numpy().ravel(), posterior["x"].to_numpy().ravel()


def log_densities(results: Any, data: pd.DataFrame) -> np.ndarray:
    a, b = draws_of(results)
    return stats.norm(a[:, None] + b[:, None] * data.x.to_numpy(), SIGMA).logpdf(data.y.to_numpy())


def averaged(logs: np.ndarray) -> np.ndarray:
    """Logarithms of mean densities over the first axis."""
    return np.asarray(special.logsumexp(logs, axis=0) - np.log(len(logs)))


def by_arviz(results: Any) -> tuple[np.ndarray, np.ndarray]:
    """Expected log densities and k-hat of rows, with the relative efficiency of each row's densities.

    ArviZ 1.x rounds the length of the tail down, where the paper and others round it up: its relative efficiency is
    set so that the tails have one length.
    """
    arviz = pytest.importorskip("arviz")
    logs = next(iter(get_group(results, "log_likelihood").data_vars.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = arviz.ess(np.exp(logs - logs.max(("chain", "draw"))).to_dataset(name="p"), method="mean")["p"]
    values = logs.to_numpy().reshape(-1, sizes.size)
    return tuple(np.array([_row_by_arviz(row, float(size)) for row, size in zip(values.T, sizes, strict=True)]).T)


def _row_by_arviz(logs: np.ndarray, size: float) -> tuple[float, float]:
    if arviz_major() < 1:
        import arviz

        weights, khat = arviz.psislw(-logs, reff=size / logs.size)
    else:
        from arviz_stats.base import array_stats

        tail = np.ceil(min(logs.size / 5.0, 3.0 * logs.size / np.sqrt(size))) + 0.5
        weights, khat = array_stats.psislw(logs, r_eff=9.0 * logs.size / tail**2)
    return float(special.logsumexp(np.asarray(weights) + logs)), float(khat)


class TestLeavingOut:
    def test_the_algebra_of_normal_models(self) -> None:
        model, results = fitted()
        with pytest.warns(NutsliteWarning, match="k-hat is above"):
            report = model.evaluate(results, simulations=0)
        mean, sd = exact_left_out(line())
        good = report.pointwise.khat.to_numpy() < 0.5
        assert good[:-1].all()
        assert not good[-1]
        np.testing.assert_allclose(
            report.pointwise.nll[good], -stats.norm(mean, sd).logpdf(line().y)[good], atol=0.03, rtol=0.01
        )
        z = (line().y.to_numpy() - mean) / sd
        crps = sd * (z * (2 * special.ndtr(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
        np.testing.assert_allclose(report.pointwise.crps[good], crps[good], atol=0.03)
        np.testing.assert_allclose(report.pointwise.pit[good], special.ndtr(z)[good], atol=0.02)
        assert any("39" in note and "too good" in note for note in report.notes)

    def test_rows_that_weights_cannot_leave_out_are_refitted(self) -> None:
        model, results = fitted()
        with warnings.catch_warnings():
            warnings.simplefilter("error", NutsliteWarning)
            report = model.evaluate(results, simulations=0, refit=True)
        mean, sd = exact_left_out(line())
        assert report.pointwise.khat.iloc[-1] == 0.0
        np.testing.assert_allclose(report.pointwise.nll, -stats.norm(mean, sd).logpdf(line().y), atol=0.1, rtol=0.02)
        assert any("39" in note and "fitted again" in note for note in report.notes)

    def test_arviz(self) -> None:
        model, results = fitted()
        elpd, khat = by_arviz(model.compute_log_likelihood(results, inplace=False))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = model.evaluate(results, simulations=0)
        ties = arviz_major() >= 1  # of proposals that were not taken, which it cuts apart at the end of the tail
        np.testing.assert_allclose(-report.pointwise.nll, elpd, rtol=1e-5 if ties else 1e-10)
        np.testing.assert_allclose(report.pointwise.khat, khat, atol=0.02 if ties else 1e-10)
        assert any("Monte Carlo errors" in note for note in report.notes)

    def test_dependent_draws_have_longer_tails(self) -> None:
        """Autoregressive draws: effective ones are fewer, and the numbers are those of ArviZ with these."""
        noise = np.random.default_rng(3).normal(size=(2, 1000, 3))
        logs = -0.5 * (1.0 + 0.6 * signal.lfilter([1.0], [1.0, -0.8], noise, axis=1)) ** 2
        found, naive = leave_one_out(logs), leave_one_out(logs.reshape(-1, 3))
        assert (found.efficiency < 0.5).all()
        np.testing.assert_array_equal(naive.efficiency, 1.0)
        stored = build_container({"log_likelihood": xarray.Dataset({"y": (("chain", "draw", "row"), logs)})})
        elpd, khat = by_arviz(stored)
        np.testing.assert_allclose(found.khat, khat, atol=1e-10)
        np.testing.assert_allclose(-nll(logs.reshape(-1, 3), found.weights), elpd, rtol=1e-10)
        assert (found.khat != naive.khat).all()

    def test_draws_of_an_approximation_count_by_both_ratios(self) -> None:
        """Of a normal mean: the posterior is known, and draws are of another normal distribution."""
        y = np.array([0.3, -1.2, 0.8, 1.9, -0.4])
        n, center = y.size, y.mean()
        theta = np.random.default_rng(5).normal(center + 0.3, 0.8, 4000)
        logs = stats.norm(theta[:, None], 1.0).logpdf(y)
        ratios = stats.norm(center, n**-0.5).logpdf(theta) + 17.0 - stats.norm(center + 0.3, 0.8).logpdf(theta)
        found = leave_one_out(logs.reshape(4, 1000, n), ratios.reshape(4, 1000))
        np.testing.assert_array_equal(found.efficiency, 1.0)
        assert (found.khat < 0.5).all()
        rest = (y.sum() - y) / (n - 1)
        exact = stats.norm(rest, np.sqrt(1.0 + 1.0 / (n - 1))).logpdf(y)
        np.testing.assert_allclose(-nll(logs, found.weights), exact, atol=0.05)
        for row in range(n):
            expected, khat = smoothed(ratios - logs[:, row])
            np.testing.assert_allclose(found.weights[:, row], np.exp(expected), rtol=1e-12)
            assert found.khat[row] == khat

    @pytest.mark.filterwarnings("ignore:Leaving out single rows")
    def test_approximations_are_corrected_where_their_draws_are_left_as_they_are(self) -> None:
        """Few counts: beside draws of the posterior itself, and by an ArviZ object."""
        counts = [0, 1, 0, 2, 1, 0, 1, 3, 2, 1, 0, 4, 2, 3, 1, 5]
        model = nl.Model("y ~ x", pd.DataFrame({"y": counts, "x": np.linspace(-1.5, 1.5, 16)}), family="poisson")
        exact = model.evaluate(model.fit(**QUIET, draws=2000), simulations=0).pointwise.nll
        for importance in (None, "weights", "resample"):
            results = model.fit(**QUIET, draws=2000, inference_method="laplace", importance=importance)
            report = model.evaluate(results, simulations=0)
            np.testing.assert_allclose(report.pointwise.nll, exact, atol=0.045)
            said = any("density of the posterior over its own" in note for note in report.notes)
            assert said is (importance != "resample")
            model.compute_log_likelihood(results)
            model.predict(results, kind="response", random_seed=1)
            stored = evaluate(results, simulations=0)
            np.testing.assert_allclose(stored.pointwise.nll, report.pointwise.nll, rtol=1e-9)
            if importance is None:
                logs = get_group(results, "log_likelihood")["y"].to_numpy()
                uncorrected = nll(logs.reshape(-1, 16), leave_one_out(logs).weights)
                assert np.abs(uncorrected - exact).max() > 0.06

    def test_weights_that_were_asked_for_count_in_all_reports(self) -> None:
        data = pd.DataFrame({"y": [0, 1, 0, 6, 2, 0, 1, 3], "x": np.linspace(-1.5, 1.5, 8)})
        model = nl.Model("y ~ x", data, family="poisson")
        results = model.fit(**QUIET, draws=500, inference_method="laplace", importance="weights")
        logs = model.compute_log_likelihood(results, inplace=False)
        logs = get_group(logs, "log_likelihood")["y"].to_numpy().reshape(-1, 8)
        weights = np.exp(get_group(results, "sample_stats")["log_weight"].to_numpy().ravel())
        for options in ({"data": data}, {"kind": "insample"}):
            report = model.evaluate(results, simulations=0, **options)
            np.testing.assert_allclose(report.pointwise.nll, nll(logs, weights), rtol=1e-9)
            assert any("count by their weights" in note for note in report.notes)

    def test_in_sample(self) -> None:
        model, results = fitted()
        report = model.evaluate(results, kind="insample", simulations=0)
        logs = log_densities(results, line())
        np.testing.assert_allclose(report.pointwise.nll, -averaged(logs), rtol=1e-10)
        assert "khat" not in report.pointwise


class TestHeldOut:
    def test_direct_sums(self) -> None:
        model, results = fitted()
        new = line(15, seed=9, outlier=False).set_index(pd.Index(range(100, 115)))
        report = model.evaluate(results, data=new, by="half", simulations=0)
        logs = log_densities(results, new)
        np.testing.assert_allclose(report.pointwise.nll, -averaged(logs), rtol=1e-10)
        a, b = draws_of(results)
        cdf = special.ndtr((new.y.to_numpy() - a[:, None] - b[:, None] * new.x.to_numpy()) / SIGMA).mean(axis=0)
        np.testing.assert_allclose(report.pointwise.pit, cdf, rtol=1e-10)
        assert report.pointwise.index.tolist() == list(range(100, 115))
        assert report.by is not None
        assert set(report.by.index.get_level_values("by")) == {"a", "b"}

    def test_fewer_draws_are_said(self) -> None:
        model, results = fitted()
        report = model.evaluate(results, kind="insample", draws=400, simulations=0)
        assert any("400 of 4000" in note for note in report.notes)


class TestCalibration:
    def test_the_true_model_is_within_its_range_and_wrong_ones_are_not(self) -> None:
        inside = fitted(outlier=False)
        report = inside[0].evaluate(inside[1], **FEW)
        table = report.table.loc[["nll", "crps", "coverage_90", "pit_spread", "bias"]]
        assert ((table.estimate >= table.expected_low) & (table.estimate <= table.expected_high)).all()
        assert "as wide as they should be" in report.verdict()

        narrow = fitted(outlier=False, sigma=0.4)
        report = narrow[0].evaluate(narrow[1], **FEW)
        assert "too narrow" in report.verdict()

        shifted = line(60, seed=4, outlier=False).assign(y=lambda data: data.y + 1.0)
        line_of = inside[0].evaluate(inside[1], data=shifted, **FEW).table.loc["bias"]
        assert line_of.estimate > line_of.expected_high

    def test_groups_that_a_model_ignores(self) -> None:
        model, results = ignoring_groups()
        line_of = model.evaluate(results, groups="g", simulations=99).table.loc["pit_between_groups"]
        assert line_of.estimate > line_of.expected_high


def grouped(seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(list("abcdef"), 4)
    return pd.DataFrame({"y": np.repeat(rng.normal(0.0, BETWEEN, 6), 4) + rng.normal(size=24), "g": g})


@functools.cache
def ignoring_groups() -> tuple[nl.Model, Any]:
    model = nl.Model("y ~ 1", grouped())
    return model, model.fit(draws=300, chains=2, **QUIET)


@functools.cache
def with_groups() -> nl.Model:
    """Effects of groups with a known spread: all distributions are normal."""
    effects = nl.Prior("Normal", mu=0.0, sigma=BETWEEN)
    return nl.Model("y ~ 1 + (1|g)", grouped(), priors={"Intercept": WIDE, "1|g": effects, "sigma": SIGMA})


def exact_without_group(data: pd.DataFrame, level: str) -> Any:
    """The distribution of a group's rows given those of all others."""
    inside = (data.g == level).to_numpy()
    same = data.g.to_numpy()[:, None] == data.g.to_numpy()[None, :]
    covariance = 25.0 + BETWEEN**2 * same + SIGMA**2 * np.eye(len(data))
    gain = covariance[np.ix_(inside, ~inside)] @ np.linalg.inv(covariance[np.ix_(~inside, ~inside)])
    spread = covariance[np.ix_(inside, inside)] - gain @ covariance[np.ix_(~inside, inside)]
    return stats.multivariate_normal(gain @ data.y.to_numpy()[~inside], spread)


class TestCrossValidation:
    def test_joint_scores_of_groups_by_algebra(self) -> None:
        report = with_groups().cross_validate(6, groups="g", draws=2000, chains=2, simulations=0)
        assert report.joint is not None
        data = grouped()
        for level in "abcdef":
            exact = exact_without_group(data, level)
            inside = (data.g == level).to_numpy()
            assert report.joint.joint_nll[level] == pytest.approx(-exact.logpdf(data.y[inside]), abs=0.15)
            one = stats.norm(exact.mean, np.sqrt(np.diag(exact.cov)))
            np.testing.assert_allclose(report.pointwise.nll[inside], -one.logpdf(data.y[inside]), atol=0.05)
        assert report.table.loc["joint_nll", "estimate"] == pytest.approx(report.joint.joint_nll.mean())
        assert report.table.loc["joint_nll", "n"] == 6
        np.testing.assert_array_equal(np.unique(report.groups), np.arange(6))

    def test_the_executor_changes_nothing(self) -> None:
        options: dict[str, Any] = {"draws": 100, "chains": 2, "simulations": 0, "random_seed": 3}
        one = with_groups().cross_validate(2, **options)
        with ThreadPoolExecutor(2) as pool:
            other = with_groups().cross_validate(2, executor=pool, **options)
        pd.testing.assert_frame_equal(one.pointwise, other.pointwise)
        assert one.joint is None
        assert int(one.groups.max()) + 1 == 6  # type: ignore[union-attr]  # errors are of the model's own groups

    def test_strata_are_dealt_out_evenly(self) -> None:
        """Rows, and whole groups, whose labels are rare: every part has as many of them, to within one."""
        rng = np.random.default_rng(0)
        strata = np.array(["rare"] * 8 + ["usual"] * 45)
        folds = _folds(4, 53, None, strata, rng)
        assert sorted(np.concatenate(folds)) == list(range(53))
        assert [int((strata[fold] == "rare").sum()) for fold in folds] == [2, 2, 2, 2]
        assert {len(fold) for fold in folds} <= {13, 14}
        groups = np.repeat(np.arange(12), 3)
        treated = np.repeat(np.arange(12) < 4, 3)
        for fold in _folds(4, 36, groups, treated, rng):
            assert len(set(groups[fold])) == 3
            assert treated[fold].sum() == 3
        with pytest.raises(DataError, match="several labels in one of the groups"):
            _folds(4, 36, groups, np.arange(36) % 2, rng)

    def test_strata_are_columns_too(self) -> None:
        options: dict[str, Any] = {"draws": 20, "chains": 2, "simulations": 0}
        report = with_groups().cross_validate(2, stratify="g", **options)
        assert len(report.pointwise) == len(grouped())
        with pytest.raises(DataError, match="stratify"):
            with_groups().cross_validate(2, stratify="nothing", **options)

    def test_new_groups_of_held_out_rows(self) -> None:
        model = with_groups()
        results = model.fit(draws=1000, chains=2, **QUIET)
        new = grouped(seed=8).assign(g=lambda data: "new " + data.g)
        report = model.evaluate(results, data=new, new_groups=True, simulations=0)
        precision = 1 / 25.0 + 6.0 / (BETWEEN**2 + SIGMA**2 / 4)
        mean = 6.0 / (BETWEEN**2 + SIGMA**2 / 4) * grouped().y.mean() / precision
        exact = stats.norm(mean, np.sqrt(1 / precision + BETWEEN**2 + SIGMA**2))
        np.testing.assert_allclose(report.pointwise.nll, -exact.logpdf(new.y), atol=0.12, rtol=0.05)
        shared = 1 / precision + BETWEEN**2
        together = stats.multivariate_normal(np.full(4, mean), shared * np.ones((4, 4)) + SIGMA**2 * np.eye(4))
        by_group = [-together.logpdf(rows.to_numpy()) for _, rows in new.groupby("g").y]
        assert report.joint is not None
        np.testing.assert_allclose(report.joint.joint_nll, by_group, atol=0.4, rtol=0.05)
        assert report.table.loc["joint_nll", "estimate"] == pytest.approx(np.mean(by_group), abs=0.15)

    def test_scores_of_all_rows_of_a_group(self) -> None:
        """A model that knows of groups, and one that does not, of groups that neither has seen."""
        options: dict[str, Any] = {"draws": 300, "chains": 2, "simulations": 39, "joint": ("energy", "variogram")}
        knows = with_groups().cross_validate(3, groups="g", **options)
        ignores = ignoring_groups()[0].cross_validate(3, groups="g", **options)
        assert knows.joint is not None
        assert list(knows.joint.columns) == ["rows", "joint_nll", "energy", "variogram"]
        for name in ("joint_nll", "variogram"):
            assert knows.table.loc[name, "estimate"] < ignores.table.loc[name, "estimate"]


FAMILIES = {
    "gaussian": "y ~ x",
    "t": "y ~ x",
    "laplace": "y ~ x",
    "asymmetriclaplace": "y ~ x",
    "elf": "y ~ x",
    "lognormal": "pos ~ x",
    "gamma": "pos ~ x",
    "weibull": "pos ~ x",
    "wald": "pos ~ x",
    "beta": "share ~ x",
    "poisson": "k ~ x",
    "negativebinomial": "k ~ x",
    "zero_inflated_poisson": "k ~ x",
    "binomial": "p(k, n) ~ x",
    "bernoulli": "b ~ x",
    "exponential": "pos ~ x",
    "exgaussian": "y ~ x",
    "vonmises": "y ~ x",
    "beta_binomial": "p(k, n) ~ x",
    "zero_inflated_binomial": "p(k, n) ~ x",
    "zero_inflated_negativebinomial": "k ~ x",
    "hurdle_poisson": "k ~ x",
    "hurdle_negativebinomial": "k ~ x",
    "hurdle_gamma": "np.maximum(y, 0) ~ x",
    "hurdle_lognormal": "np.maximum(y, 0) ~ x",
    "zero_one_inflated_beta": "np.minimum(2 * np.maximum(share - 0.3, 0), 1) ~ x",
    "ordered_beta": "np.minimum(2 * np.maximum(share - 0.3, 0), 1) ~ x",
    "skew_normal": "y ~ x",
    "shifted_lognormal": "pos ~ x",
    "discrete_weibull": "k ~ x",
    "categorical": "c ~ x",
    "cumulative": "c ~ x",
    "sratio": "c ~ x",
    "cratio": "c ~ x",
    "acat": "c ~ x",
}


# Scores know no distribution of their names: draws of responses, and the log likelihoods of what was observed
DRAWN = {"vonmises", "beta_binomial"}


def test_all_families_are_here() -> None:
    vectors = {"multinomial", "dirichlet_multinomial", "dirichlet"}  # test_families_columns.py has these
    assert set(FAMILIES) | vectors | {"quantiles"} == set(family_names())  # which has no distribution


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_scored_by_its_own_distribution(family: str) -> None:
    """Draws of the prior stand for a posterior: densities of scores are those of the kernel that samples."""
    rng = np.random.default_rng(4)
    n = 12
    pos, k = rng.gamma(2.0, size=n), rng.poisson(3.0, n)
    data = {"x": rng.normal(size=n), "y": rng.normal(size=n), "pos": pos, "share": pos / (1 + pos), "k": k, "n": k + 2}
    data |= {"b": rng.integers(0, 2, n), "c": pd.Categorical(rng.choice(list("uvw"), n), ordered=True)}
    link = {"link": "log"} if family in ("gamma", "weibull", "wald") else {}
    model = nl.Model(FAMILIES[family], pd.DataFrame(data), family=family, priors={"x": 0.2}, **link)
    prior = get_group(model.prior_predictive(draws=30, random_seed=1), "prior")
    results = build_container({"posterior": prior})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = model.evaluate(results, kind="insample", simulations=0)
        logs = get_group(model.compute_log_likelihood(results, inplace=False), "log_likelihood")
    values = next(iter(logs.data_vars.values())).to_numpy().reshape(30, n)
    name = "log_loss" if "log_loss" in report.table.index else "nll"
    np.testing.assert_allclose(report.pointwise[name], -averaged(values), rtol=1e-8, atol=1e-8)
    assert (form_of(specification_of(model).spec.family) == "draws") == (family in DRAWN)


class TestStoredResults:
    def test_of_this_package(self) -> None:
        model, results = fitted(outlier=False)
        results = model.compute_log_likelihood(results, inplace=False)
        model.predict(results, kind="response", random_seed=1)
        report, own = evaluate(results, simulations=0), model.evaluate(results, simulations=0)
        np.testing.assert_allclose(report.pointwise.nll, own.pointwise.nll, rtol=1e-10)
        np.testing.assert_allclose(report.pointwise.khat, own.pointwise.khat, atol=1e-12)
        np.testing.assert_allclose(report.pointwise.crps, own.pointwise.crps, atol=0.06)  # of draws, not of densities
        seen = evaluate(results, kind="insample", simulations=0)
        assert seen.table.loc["nll", "estimate"] < report.table.loc["nll", "estimate"]
        held_out = evaluate(results, kind="held out", simulations=0)
        np.testing.assert_array_equal(held_out.pointwise.nll, seen.pointwise.nll)
        assert ("not seen" in held_out.notes[0], "has seen" in seen.notes[0]) == (True, True)

    def test_of_pymc(self) -> None:
        arviz = pytest.importorskip("arviz")
        stored = arviz.load_arviz_data("centered_eight")
        elpd, khat = by_arviz(stored)
        report = evaluate(stored)
        ties = arviz_major() >= 1  # chains that stood still repeat draws at the end of the tail, which it cuts apart
        np.testing.assert_allclose(-report.pointwise.nll, elpd, rtol=1e-3 if ties else 1e-10)
        np.testing.assert_allclose(report.pointwise.khat, khat, atol=0.02 if ties else 1e-10)
        assert report.pointwise.index.tolist()[0] == "Choate"
        assert np.isfinite(report.table.loc["crps", ["estimate", "expected"]].to_numpy(dtype=float)).all()
        assert np.isnan(report.table.loc["nll", "expected"])
