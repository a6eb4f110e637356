"""Answers of `nutslite.interpret` beside the same arithmetic done by hand, draw by draw, on posteriors of our own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from many_rows import many_rows
from scipy.special import expit
from scipy.stats import kstest, norm

import nutslite as nl
from nutslite import interpret
from nutslite.exceptions import ArgumentError, DataError
from nutslite.results.container.inference_data import get_group, to_inference_data
from nutslite.results.diagnostics import diagnostics

DRAWS, N = 150, 60


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "y": rng.normal(size=N),
            "hit": rng.integers(0, 2, size=N),
            "k": rng.poisson(3.0, size=N),
            "v": rng.gamma(2.0, size=N),
            "r": pd.Categorical(rng.choice(["low", "mid", "high"], size=N), ["low", "mid", "high"], ordered=True),
            "x": rng.normal(1.0, 2.0, size=N),
            "z": rng.normal(size=N),
            "a": rng.integers(20, 60, size=N),
            "f": rng.choice(["u", "v", "w"], size=N),
            "b": rng.choice([True, False], size=N),
            "n": rng.integers(5, 9, size=N),
            "g": rng.choice(["g1", "g2", "g3", "g4"], size=N),
            "weight": rng.uniform(0.5, 2.0, size=N),
        }
    )


DATA = frame()


@cache
def asked(formula, family="gaussian"):
    """A model, draws of its prior in the place of a posterior's, and these by name: (draws, ...)."""
    parts = formula if isinstance(formula, tuple) else (formula,)
    return drawn(nl.Model(nl.Formula(*parts), DATA, family=family))


def drawn(model):
    """The same for a model of one's own."""
    prior = get_group(model.prior_predictive(draws=DRAWS, random_seed=1), "prior")
    draws = {str(name): np.asarray(values) for name, values in prior.data_vars.items()}
    results = to_inference_data({"posterior": draws}, dims={}, coords={})
    return model, results, {name: values[0] for name, values in draws.items()}


def close(found, expected, rtol=1e-9, atol=1e-10):
    """Draws of answers are those expected, (draws, rows)."""
    values = found.draws.to_numpy()
    np.testing.assert_allclose(values.reshape(-1, *values.shape[2:]), expected, rtol=rtol, atol=atol)


def column(name):
    return DATA[name].to_numpy()


class TestByHand:
    """Every kind of answer, per draw."""

    def test_slopes_of_a_product(self):
        model, results, d = asked("y ~ x * z")
        unit = d["x"][:, None] + d["x:z"][:, None] * column("z")
        close(interpret.slopes(model, results, "x"), unit)
        close(interpret.avg_slopes(model, results, "x"), unit.mean(axis=1, keepdims=True))
        by = interpret.avg_slopes(model, results, "x", by="f")
        assert by.summary["f"].tolist() == ["u", "v", "w"]
        close(by, np.stack([unit[:, column("f") == level].mean(axis=1) for level in "uvw"], axis=1))

    def test_probabilities(self):
        model, results, d = asked("hit ~ x + f", "bernoulli")
        eta = d["Intercept"][:, None] + d["x"][:, None] * column("x")
        eta = eta + d["f"] @ np.stack([column("f") == "v", column("f") == "w"]).astype(float)
        p = expit(eta)
        close(interpret.predictions(model, results), p)
        close(interpret.predictions(model, results, target="linpred"), eta)
        close(interpret.avg_predictions(model, results), p.mean(axis=1, keepdims=True))
        # the derivative through the link; a difference of both sides leaves ten digits
        close(interpret.slopes(model, results, "x"), d["x"][:, None] * p * (1 - p), rtol=1e-7)
        half = 0.5 * d["x"][:, None]
        change = expit(eta + half) - expit(eta - half)
        close(interpret.comparisons(model, results, "x"), change, rtol=1e-7)
        odds = interpret.comparisons(model, results, {"x": [0.0, 1.0]}, comparison="lnor")
        close(odds, np.broadcast_to(d["x"][:, None], eta.shape), rtol=1e-6)

    def test_ratios_are_of_averages(self):
        model, results, d = asked("hit ~ x + f", "bernoulli")
        base = d["Intercept"][:, None] + d["x"][:, None] * column("x")
        before, after = expit(base).mean(axis=1), expit(base + d["f"][:, :1]).mean(axis=1)
        found = interpret.avg_comparisons(model, results, {"f": ["u", "v"]}, comparison="ratio")
        close(found, (after / before)[:, None])
        lift = interpret.avg_comparisons(model, results, {"f": ["u", "v"]}, comparison="liftavg")
        close(lift, (after / before)[:, None] - 1.0, rtol=1e-6)

    def test_elasticities(self):
        model, results, d = asked("k ~ x", "poisson")
        close(interpret.slopes(model, results, "x", slope="eydx"), np.repeat(d["x"][:, None], N, axis=1), rtol=1e-7)
        close(interpret.slopes(model, results, "x", slope="eyex"), d["x"][:, None] * column("x"), rtol=1e-7)

    def test_mean_is_of_the_response(self):
        """Where the parent parameter is not: 1.65 for a lognormal of mu = 0 and sigma = 1."""
        model, results, d = asked("v ~ x", "lognormal")
        mu = d["Intercept"][:, None] + d["x"][:, None] * column("x")
        close(interpret.predictions(model, results, target="mu"), mu)
        close(interpret.predictions(model, results), np.exp(mu + 0.5 * d["sigma"][:, None] ** 2))
        zero = nl.Model("k ~ x", DATA, family="zero_inflated_poisson")
        assert zero.family.mean({"mu": np.array(2.0), "psi": np.array(0.25)}, {}) == pytest.approx(0.5)

    def test_every_parameter(self):
        model, results, d = asked(("y ~ x", "sigma ~ z"))
        log_sigma = d["sigma_Intercept"][:, None] + d["sigma_z"][:, None] * column("z")
        close(interpret.predictions(model, results, target="sigma"), np.exp(log_sigma))
        close(interpret.predictions(model, results, target="sigma_linpred"), log_sigma)
        slope = interpret.slopes(model, results, "z", target="sigma")
        close(slope, d["sigma_z"][:, None] * np.exp(log_sigma), rtol=1e-7)
        mu = d["Intercept"][:, None] + d["x"][:, None] * column("x")
        close(interpret.predictions(model, results, quantile=0.9), mu + norm.ppf(0.9) * np.exp(log_sigma))

    def test_categories_are_a_dimension(self):
        model, results, d = asked("r ~ x", "cumulative")
        eta = d["x"][:, None] * column("x")
        below = expit(d["threshold"][:, None, :] - eta[:, :, None])
        p = np.diff(below, axis=2, prepend=0.0, append=1.0)
        found = interpret.predictions(model, results)
        assert found.draws.dims == ("chain", "draw", "row", "r_dim")
        assert found.summary["r_dim"].tolist()[:3] == ["low", "mid", "high"]
        close(found, p, rtol=1e-6)
        average = interpret.avg_slopes(model, results, "x")
        density = below * (1 - below)
        by_hand = -d["x"][:, None] * np.diff(density, axis=2, prepend=0.0, append=0.0).mean(axis=1)
        np.testing.assert_allclose(average.draws[0, :, 0], by_hand, atol=1e-7)

    def test_weights_and_counterfactual_rows(self):
        model, results, _ = asked("hit ~ x + f", "bernoulli")
        unit = interpret.comparisons(model, results, {"f": ["u", "w"]}).draws.to_numpy()[0]
        weights = column("weight") / column("weight").sum()
        close(interpret.avg_comparisons(model, results, {"f": ["u", "w"]}, wts="weight"), (unit @ weights)[:, None])
        rows = interpret.datagrid(model, f=["u", "w"], grid_type="counterfactual")
        assert len(rows) == 2 * N
        sides = interpret.avg_predictions(model, results, by="f", newdata=rows)
        close(sides.hypothesis("b1 - b0 = 0"), unit.mean(axis=1, keepdims=True))

    def test_several_covariates_change_together(self):
        model, results, d = asked("y ~ x * z")
        found = interpret.comparisons(model, results, {"x": [0, 1], "z": [0, 2]}, cross=True)
        assert set(found.summary["term"]) == {"x, z"}
        close(found, np.repeat((d["x"] + 2 * d["z"] + 2 * d["x:z"])[:, None], N, axis=1))


class TestGroups:
    """An observed group, a typical one, a new one, and the population of groups are four questions."""

    @staticmethod
    def model():
        return asked("hit ~ x + (1|g)", "bernoulli")

    def test_observed_and_typical(self):
        model, results, d = self.model()
        fixed = d["Intercept"][:, None] + d["x"][:, None] * column("x")
        own = d["1|g"][:, np.searchsorted(["g1", "g2", "g3", "g4"], column("g"))]
        close(interpret.predictions(model, results, target="linpred"), fixed + own)
        close(interpret.predictions(model, results, target="linpred", groups="typical"), fixed)
        grid = interpret.predictions(model, results, {"x": [0.0, 1.0]}, target="linpred")
        close(grid, d["Intercept"][:, None] + d["x"][:, None] * np.array([0.0, 1.0]))
        assert "typical group" in grid.note
        assert "g" not in grid.summary
        named = interpret.predictions(model, results, {"x": [0.0], "g": ["g2", "g4"]}, target="linpred")
        close(named, d["Intercept"][:, None] + d["1|g"][:, [1, 3]])

    def test_new_groups_spread_as_groups_do(self):
        model, results, d = self.model()
        new = interpret.predictions(model, results, {"x": [0.0]}, target="linpred", groups="new").draws.to_numpy()[0]
        z = (new[:, 0] - d["Intercept"]) / d["1|g_sigma"]
        assert kstest(z, "norm").pvalue > 0.001
        again = interpret.predictions(model, results, {"x": [0.0]}, target="linpred", groups="new").draws.to_numpy()[0]
        np.testing.assert_array_equal(new, again)

    def test_the_population_is_an_integral(self):
        model, results, d = self.model()
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        eta = d["Intercept"][:, None] + d["1|g_sigma"][:, None] * nodes
        exact = expit(eta) @ (weights / weights.sum())
        found = interpret.predictions(model, results, {"x": [0.0]}, integrate=400).draws.to_numpy()[0, :, 0]
        assert np.abs(found - exact).max() < 0.5 / np.sqrt(400) * 4.5  # a probability's sd is 0.5 at most
        assert abs((found - exact).mean()) < 4.5 * 0.5 / np.sqrt(400 * DRAWS)


class TestTables:
    """What is averaged, kept, named."""

    def test_averages_come_before_intervals(self):
        """Not the mean of the rows' interval ends, which are far wider."""
        model, results, _ = asked("y ~ x * z")
        rows = interpret.predictions(model, results).summary
        average = interpret.avg_predictions(model, results)
        draws = interpret.predictions(model, results).draws.mean("row").to_numpy()
        low, high = diagnostics.hdi(draws[:, :, None], 0.94)[0]
        assert average.summary[["lower", "upper"]].to_numpy()[0] == pytest.approx([low, high])
        assert (rows["upper"] - rows["lower"]).mean() > 1.2 * (high - low)

    def test_index_is_the_users(self):
        data = DATA.set_index(np.arange(100, 100 + N))
        data.loc[105, "x"] = np.nan
        model = nl.Model("y ~ x", data, dropna=True)
        _, _, d = asked("y ~ x")
        results = to_inference_data(
            {"posterior": {name: values[None] for name, values in d.items()}}, dims={}, coords={}
        )
        table = interpret.predictions(model, results).summary
        assert table.index.tolist() == data.index.drop(105).tolist()
        assert table["x"].tolist() == data["x"].drop(105).tolist()

    def test_grid_keeps_values_as_they_are(self):
        model, results, d = asked("y ~ a + b")
        found = interpret.predictions(model, results, {"a": [20, 30.5], "b": [True]})
        close(found, d["Intercept"][:, None] + d["a"][:, None] * [20, 30.5] + d["b"].reshape(DRAWS, 1))
        default = interpret.predictions(model, results, "a").summary["a"]
        assert default.tolist() == sorted(DATA["a"].unique())
        flip = interpret.comparisons(model, results, "b").summary["value"]
        assert flip.unique().tolist() == ["False_vs_True"]

    def test_typical_values(self):
        model = asked("y ~ a + b + x + f")[0]
        row = interpret.datagrid(model).iloc[0]
        assert row["x"] == pytest.approx(DATA["x"].mean())
        assert row["a"] == DATA["a"].mode()[0]
        assert row["f"] == DATA["f"].mode()[0]
        assert len(interpret.datagrid(model, grid_type="balanced")) == 6
        assert len(interpret.datagrid(model, x="fivenum", f=None)) == 15

    def test_proportions_need_no_trials(self):
        model, results, d = asked("p(hit, n) ~ x", "binomial")
        p = expit(d["Intercept"][:, None] + d["x"][:, None] * column("x"))
        close(interpret.predictions(model, results), p)
        close(interpret.predictions(model, results, {"x": [0.0]}), expit(d["Intercept"])[:, None])

    def test_what_is_too_large_is_summarised(self, monkeypatch):
        model, results, _ = asked("y ~ x * z")
        whole = interpret.predictions(model, results)
        monkeypatch.setattr("nutslite.interpret.asking.MOST_NUMBERS", 1000)
        monkeypatch.setattr("nutslite.interpret.asking.BLOCK_NUMBERS", 1000)
        parts = interpret.predictions(model, results)
        pd.testing.assert_frame_equal(parts.summary, whole.summary)
        with pytest.raises(DataError, match="too many to keep"):
            parts.draws  # noqa: B018

    def test_several_probabilities_and_equal_tails(self):
        model, results, d = asked("y ~ x")
        table = interpret.predictions(model, results, {"x": [0.0]}, prob=[0.5, 0.9], use_hdi=False).summary
        assert list(table) == ["x", "estimate", "sd", "lower_50%", "upper_50%", "lower_90%", "upper_90%"]
        assert table["upper_90%"][0] == pytest.approx(np.quantile(d["Intercept"], 0.95))
        assert table.attrs == {"prob": [0.5, 0.9], "interval": "eti"}

    def test_transforms(self):
        model, results, d = asked("y ~ x")
        options = {"transforms": {"x": lambda x: 10 * x, "y": np.exp}}
        found = interpret.predictions(model, results, {"x": [0.5]}, **options)
        assert found.summary["x"].tolist() == [5.0]
        close(found, np.exp(d["Intercept"] + 0.5 * d["x"])[:, None])
        close(interpret.predictions(model, results, {"x": [0.0]}, transform=np.exp), np.exp(d["Intercept"])[:, None])

    def test_responses_are_drawn(self):
        model, results, d = asked("y ~ x")
        found = interpret.predictions(model, results, {"x": [0.0]}, target="y", random_seed=3)
        z = (found.draws.to_numpy()[0, :, 0] - d["Intercept"]) / d["sigma"]
        assert kstest(z, "norm").pvalue > 0.001


class TestHypotheses:
    """Differences of answers, draw by draw."""

    @staticmethod
    def levels():
        model, results, d = asked("y ~ f")
        return interpret.predictions(model, results, "f"), d

    def test_words(self):
        found, d = self.levels()
        pairs = found.hypothesis("pairwise")
        assert pairs.summary["hypothesis"].tolist() == ["v - u", "w - u", "w - v"]
        close(pairs, np.column_stack([d["f"][:, 0], d["f"][:, 1], d["f"][:, 1] - d["f"][:, 0]]))
        assert found.hypothesis("revsequential").summary["hypothesis"].tolist() == ["u - v", "v - w"]
        ratio = found.hypothesis("ratio ~ reference")
        close(ratio, (d["Intercept"][:, None] + d["f"]) / d["Intercept"][:, None])
        above = (ratio.draws.to_numpy()[0] > 1.0).mean(axis=0)
        np.testing.assert_allclose(ratio.summary["p_above"], above)

    def test_equations_numbers_matrices(self):
        found, _ = self.levels()
        u, v, w = (found.draws.to_numpy()[0, :, k] for k in range(3))
        close(found.hypothesis("exp(b0) / (b1 + 2) = -b2 ** 2"), (np.exp(u) / (v + 2) + w**2)[:, None])
        close(found.hypothesis([[1.0, 0.0], [-1.0, 0.5], [0.0, 0.5]]), np.column_stack([u - v, (v + w) / 2]))
        less = found.hypothesis(1.5, equivalence=(-1.0, 1.0))
        close(less, np.column_stack([u, v, w]) - 1.5)
        inside = np.abs(np.column_stack([u, v, w]) - 1.5) < 1.0
        np.testing.assert_allclose(less.summary["p_inside"], inside.mean(axis=0))
        odds = less.summary["p_above"] / (1 - less.summary["p_above"])
        np.testing.assert_allclose(less.summary["evidence_ratio"], odds)

    def test_nothing_else_is_evaluated(self):
        found, _ = self.levels()
        for text in ("__import__('os')", "b0.real", "b9 = 0", "b0 = b1 = b2", "b0 if b1 else b2", "[b0]"):
            with pytest.raises(ArgumentError, match="hypothesis="):
                found.hypothesis(text)


ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "bambi_answers.json").read_text(encoding="utf-8"))


class TestBambi:
    """The same numbers as Bambi 0.21 from the same draws, where it is right: of a grid."""

    @staticmethod
    @cache
    def model(name):
        made = ANSWERS["models"][name]
        model = nl.Model(nl.Formula(*made["formulas"]), pd.DataFrame(ANSWERS["data"]), family=made["family"])
        draws = {key: np.array(values) for key, values in ANSWERS["draws"][name].items()}
        return model, to_inference_data({"posterior": draws}, dims={}, coords={})

    @pytest.mark.parametrize("place", range(len(ANSWERS["answers"])))
    def test_estimates(self, place):
        asked = ANSWERS["answers"][place]
        found = getattr(interpret, asked["function"])(*self.model(asked["model"]), **asked["options"]).summary
        expected = pd.DataFrame(asked["columns"])
        if asked["function"] == "slopes":
            expected = expected.drop(columns="value")  # where it is taken, which is a covariate like others
        elif "value" in expected and not expected["value"].str.match("[a-c]_").all():
            expected = expected.drop(columns="value")  # numbers with other digits
        keys = [name for name in expected if name != "estimate"]
        assert set(keys) <= set(found)
        found, expected = (table.sort_values(keys).reset_index(drop=True) for table in (found, expected))
        pd.testing.assert_frame_equal(found[keys], expected[keys], check_dtype=False, rtol=1e-9)
        steps = 1e-3 if asked["function"] == "slopes" else 1e-9  # its derivative is a difference to one side
        np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=steps)


OTHERS = json.loads((Path(__file__).parent / "fixtures" / "marginaleffects.json").read_text(encoding="utf-8"))
FORMULAS = {"logistic": ("hit ~ x * z + g", "bernoulli"), "counts": ("count ~ x + z + g", "poisson")}


class TestMarginaleffects:
    """Averages, contrasts and slopes of 5,000 rows beside marginaleffects, and their spread beside the delta method.

    With flat priors and so many rows the posterior is normal around the estimates. Draws come in pairs around these,
    so that what is straight in them has no Monte Carlo error.
    """

    @staticmethod
    @cache
    def model(name):
        formula, family = FORMULAS[name]
        model = nl.Model(formula, many_rows(), family=family)
        fit = OTHERS["fits"][name]
        half = np.random.default_rng(1).multivariate_normal(np.zeros(len(fit["names"])), fit["covariance"], size=200)
        drawn = np.array(fit["estimates"]) + np.concatenate([half, -half])
        by_name = dict(zip(fit["names"], drawn.T[:, None, :], strict=True))
        draws = {key: values for key, values in by_name.items() if "[" not in key}
        draws["g"] = np.stack([by_name["g[T.b]"], by_name["g[T.c]"]], axis=-1)
        return model, to_inference_data({"posterior": draws}, dims={}, coords={})

    @pytest.mark.parametrize("place", range(len(OTHERS["answers"])))
    def test_estimates_and_errors(self, place):
        asked = OTHERS["answers"][place]
        found = getattr(interpret, asked["function"])(*self.model(asked["model"]), **asked["options"]).summary
        columns = asked["columns"]
        error = np.array(columns["std_error"])
        assert len(found) == len(error)
        assert "g" not in columns or found["g"].tolist() == columns["g"]
        assert (np.abs(found["estimate"] - columns["estimate"]) < 0.05 * error).all()  # curvature: of order error ** 2
        np.testing.assert_allclose(found["sd"], error, rtol=0.15)  # of 200 pairs: 5 percent, more where skewed


class TestEffects:
    """Tables of coefficients and of effects of groups."""

    @staticmethod
    def model():
        return asked(("y ~ x + f + (x + f|g)", "sigma ~ z + (1|g)"))

    def test_coefficients(self):
        model, results, d = self.model()
        table = interpret.fixef(model, results)
        assert table.index.tolist() == ["Intercept", "x", "f[v]", "f[w]", "sigma_Intercept", "sigma_z"]
        assert table.loc["f[w]", "estimate"] == pytest.approx(d["f"][:, 1].mean())
        assert table.loc["x", ["lower", "upper"]].tolist() == pytest.approx(
            diagnostics.hdi(d["x"][None, :, None], 0.94)[0].tolist()
        )

    def test_levels(self):
        model, results, d = self.model()
        apart = interpret.ranef(model, results).set_index(["group", "level", "parameter", "term"])["estimate"]
        both = interpret.coef(model, results).set_index(["group", "level", "parameter", "term"])["estimate"]
        assert len(apart) == 4 * (4 + 1)
        assert apart["g", "g3", "mu", "f[w]"] == pytest.approx(d["f|g"][:, 1, 2].mean())
        assert both["g", "g3", "mu", "f[w]"] == pytest.approx((d["f|g"][:, 1, 2] + d["f"][:, 1]).mean())
        assert both["g", "g2", "mu", "Intercept"] == pytest.approx((d["1|g"][:, 1] + d["Intercept"]).mean())
        own = d["sigma_1|g"][:, 3] + d["sigma_Intercept"]
        assert both["g", "g4", "sigma", "Intercept"] == pytest.approx(own.mean())

    def test_spread_of_groups(self):
        model, results, d = self.model()
        table = interpret.varcorr(model, results)
        assert table["term"].tolist() == ["1", "x", "f[v]", "f[w]", "sigma_1"]
        assert table["estimate"][3] == pytest.approx(d["f|g_sigma"][:, 1].mean())
        correlated, results, d = asked("y ~ x + (x|i|g)")
        table = interpret.varcorr(correlated, results)
        assert table["kind"].tolist() == ["sd", "sd", "cor", "sd"]
        assert table["group"].tolist() == ["g", "g", "g", "Residual"]

    def test_without_groups(self):
        model, results, _ = asked("y ~ x")
        for table in (interpret.ranef, interpret.coef, interpret.varcorr):
            with pytest.raises(DataError, match="no group-specific terms"):
                table(model, results)


class TestEvidence:
    """Hypotheses about parameters."""

    def test_one_sided(self):
        model, results, d = asked("y ~ x + f + (1|g)")
        table = interpret.hypothesis(model, results, ["x > 0", "f[w] - f[v] < x / 2", "`1|g_sigma` > sigma"])
        share = (d["x"] > 0).mean()
        assert table["probability"][0] == share
        assert table["evidence_ratio"][0] == pytest.approx(share / (1 - share))
        assert table[["lower", "upper"]].loc[0].tolist() == pytest.approx(np.quantile(d["x"], [0.05, 0.95]).tolist())
        assert table["probability"][1] == (d["f"][:, 1] - d["f"][:, 0] < d["x"] / 2).mean()
        assert table["probability"][2] == (d["1|g_sigma"] > d["sigma"]).mean()

    def test_a_point_beside_the_exact_ratio(self):
        """Normal prior and normal posterior: both densities at zero are known."""
        prior = nl.Prior("Normal", mu=0.5, sigma=2.0)
        model = nl.Model("y ~ x", DATA, priors={"x": prior})
        rng = np.random.default_rng(3)
        draws = {name: rng.normal(0.3, 0.25, size=(4, 2000)) for name in ("Intercept", "x")}
        draws["sigma"] = np.exp(rng.normal(size=(4, 2000)))
        results = to_inference_data({"posterior": draws}, dims={}, coords={})
        line = interpret.hypothesis(model, results, "x = 0").iloc[0]
        exact = norm.pdf(0.0, 0.3, 0.25) / norm.pdf(0.0, 0.5, 2.0)
        assert abs(line["evidence_ratio"] - exact) < 4.0 * line["evidence_error"] + 0.02 * exact
        assert 0.002 * exact < line["evidence_error"] < 0.1 * exact
        assert line["probability"] == pytest.approx(line["evidence_ratio"] / (1 + line["evidence_ratio"]))
        assert line["lower"] == pytest.approx(np.quantile(draws["x"], 0.025))

    def test_a_point_beyond_the_draws(self):
        model, _, d = asked("y ~ x")
        far = {name: 1.0 + 0.01 * values[None] / np.abs(values).max() for name, values in d.items()}
        results = to_inference_data({"posterior": far}, dims={}, coords={})
        with pytest.warns(nl.NutsliteWarning, match="beyond the point"):
            interpret.hypothesis(model, results, "x = 0")


def test_pictures_have_what_was_asked():
    """Lines along numbers, dots at categories, a panel for each level."""
    model, results, _ = asked("hit ~ x + f + b", "bernoulli")
    figure = interpret.plot_predictions(model, results, {"x": [0.0, 1.0, 2.0], "f": None, "b": None}, points=True)
    assert [ax.get_title() for ax in figure.axes] == ["b = False", "b = True"]
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "None"]
    assert len(lines) == 3
    np.testing.assert_allclose(lines[0].get_xdata(), [0.0, 1.0, 2.0])
    dots = interpret.plot_comparisons(model, results, "f", by=True).axes[0].lines
    assert sum(line.get_marker() == "o" for line in dots) >= 1
    assert interpret.plot_slopes(model, results, "x", "f").axes[0].get_ylabel() == "dydx of the mean of hit"
