"""Bambi's "Getting Started" guide, promise by promise: what it says of data, text, coding, fits and results.

Its printed priors are in test_priors_guide.py, its families and links in test_families*.py, ArviZ in
test_promises_arviz.py. Titles of classes are those of the guide.
"""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.formula.formula import Formula
from nutslite.results.container.inference_data import get_group

ROOT = Path(__file__).resolve().parent.parent
SHORT: dict[str, Any] = {
    "draws": 8, "tune": 8, "chains": 2, "random_seed": 1, "progressbar": False, "compute_convergence_checks": False,
}  # fmt: skip


def normal(mu: float, sigma: float) -> nl.Prior:
    return nl.Prior("Normal", mu=mu, sigma=sigma)


@pytest.fixture(scope="module")
def rt() -> pd.DataFrame:
    """The experiment of the quickstart: stimuli nested within condition, subjects crossed with condition."""
    rng = np.random.default_rng(7)
    subject, stimulus = np.divmod(np.arange(20 * 12), 12)
    condition = np.where(stimulus < 6, "congruent", "incongruent")
    mean = 600 + 40 * (stimulus >= 6) + rng.normal(0, 30, 20)[subject] + rng.normal(0, 15, 12)[stimulus]
    return pd.DataFrame(
        {
            "rt": mean + rng.normal(0, 50, mean.size),
            "condition": condition,
            "subject": [f"s{i:02}" for i in subject],
            "stimulus": [f"w{i:02}" for i in stimulus],
        }
    )


class TestInstallationAndData:
    """1.1"""

    def test_one_line_install_without_a_compiler(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        needs = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in project["dependencies"]}
        assert needs <= {
            "numpy",
            "numba",
            "scipy",
            "pandas",
            "patsy",
            "arviz",
            "xarray",
            "tqdm",
            "h5netcdf",
            "h5py",
            "threadpoolctl",
        }

    def test_oldest_python(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert project["requires-python"] == ">=3.11"
        assert "Python 3.11 or newer" in (ROOT / "README.md").read_text(encoding="utf-8")

    def test_names_that_are_imported(self) -> None:
        from nutslite import Family, Formula, Likelihood, Link, Model, Prior, clear_data_home, load_data

        assert all((Model, Prior, Family, Likelihood, Link, Formula, load_data, clear_data_home))

    def test_clear_data_home_says_why_it_does_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, logger="nutslite"):
            nl.clear_data_home()
        assert "nothing was downloaded" in caplog.text

    def test_long_format_one_row_per_observation(self) -> None:
        table = pd.DataFrame(
            {
                "student": [1, 2, 3, 4, 5],
                "gender": ["male", "male", "female", "female", "male"],
                "gpa": [2.0, 3.2, 3.1, 3.4, 2.7],
                "class": [2, 2, 1, 1, 2],
                "school": [1, 1, 2, 2, 2],
            }
        )
        model = nl.Model("gpa ~ gender + (1|school)", table)
        assert model.design.n_rows == 5
        assert model.data is table

    def test_the_family_is_gaussian_unless_said_otherwise(self) -> None:
        assert nl.Model("y ~ x + z", grouped_data()).family.name == "gaussian"
        other = nl.Model("k ~ x", grouped_data(), family="poisson", link="log", priors={"x": normal(0, 1)})
        assert (other.family.name, other.links) == ("poisson", {"mu": "log"})

    def test_quickstart(self, rt: pd.DataFrame) -> None:
        model = nl.Model("rt ~ condition + (condition|subject) + (1|stimulus)", rt)
        results = model.fit(draws=500, chains=2, random_seed=1, progressbar=False)
        table = nl.summary(results)
        assert float(table.loc["condition[incongruent]", "mean"]) == pytest.approx(40, abs=30)
        assert "condition|subject[incongruent, s00]" in table.index

    @pytest.mark.parametrize("dtype", ["object", "string", "category"])
    def test_text_is_categorical(self, rt: pd.DataFrame, dtype: str) -> None:
        model = nl.Model("rt ~ condition", rt.astype({"condition": dtype}))
        assert model.design.predictors["mu"].terms[0].labels == ("incongruent",)

    def test_numbers_can_be_declared_categorical(self) -> None:
        data = grouped_data().assign(year=lambda frame: 2000 + np.arange(len(frame)) % 3)
        for categorical in ("year", ["year"]):
            model = nl.Model("y ~ year", data, categorical=categorical)
            assert model.design.predictors["mu"].terms[0].labels == ("2001", "2002")

    def test_names_of_parameters_and_response(self) -> None:
        model = nl.Model(Formula("y ~ x", "sigma ~ z"), grouped_data(), family="t")
        assert list(model.parameters) == ["mu", "sigma", "nu"]
        assert list(model.conditional_parameters) == ["mu", "sigma"]
        assert list(model.marginal_parameters) == ["nu"]
        assert model.response_name == model.response_term.name == "y"


GUIDE_PRIORS = {
    "Intercept": normal(0.18524, 2.56494),
    "x": normal(0.0, 2.23104),
    "z": normal(0.0, 2.43737),
    "sigma": nl.Prior("HalfStudentT", nu=4, sigma=1.01298),
}


class TestText:
    """1.2: layouts to the last blank; numbers to four decimals."""

    def test_classic_layout(self) -> None:
        model = nl.Model("y ~ x + z", grouped_data(50), priors=GUIDE_PRIORS)
        assert model.describe(style="classic") == (
            "Formula: y ~ x + z\n"
            "Family name: Gaussian\n"
            "Link: identity\n"
            "Observations: 50\n"
            "Priors:\n"
            "  Common-level effects\n"
            "    Intercept ~ Normal(mu: 0.1852, sigma: 2.5649)\n"
            "    x ~ Normal(mu: 0.0, sigma: 2.231)\n"
            "    z ~ Normal(mu: 0.0, sigma: 2.4374)\n"
            "\n"
            "  Auxiliary parameters\n"
            "    sigma ~ HalfStudentT(nu: 4, sigma: 1.013)"
        )

    def test_classic_layout_with_groups_and_offsets(self) -> None:
        priors = {"Intercept": normal(0, 1), "1|g": nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=2))}
        model = nl.Model("k ~ 1 + (1|g) + offset(o)", grouped_data(50), family="poisson", priors=priors)
        assert model.describe(style="classic").splitlines()[4:] == [
            "Priors:",
            "  Common-level effects",
            "    Intercept ~ Normal(mu: 0, sigma: 1)",
            "",
            "  Group-level effects",
            "    1|g ~ Normal(mu: 0, sigma: HalfNormal(sigma: 2))",
            "",
            "  Offset effects",
            "    offset(o) ~ 1",
        ]

    def test_modern_layout(self) -> None:
        priors = {
            "Intercept": normal(-0.0489, 3.17171),
            "c": nl.Prior("Normal", mu=[0, 0], sigma=[4.439, 4.70971]),
            "1|g": nl.Prior("Normal", mu=0.0, sigma=nl.Prior("HalfNormal", sigma=3.17171)),
            "sigma": nl.Prior("HalfStudentT", nu=4.0, sigma=0.86332),
        }
        model = nl.Model("y ~ c + (1|g)", grouped_data(60), priors=priors)
        text = (
            "       Formula: y ~ c + (1|g)\n"
            "        Family: gaussian\n"
            "          Link: mu = identity\n"
            "  Observations: 60\n"
            "        Priors: \n"
            "    target = mu\n"
            "        Common-level effects\n"
            "            Intercept ~ Normal(mu: -0.0489, sigma: 3.1717)\n"
            "            c ~ Normal(mu: [0 0], sigma: [4.439  4.7097])\n"
            "        \n"
            "        Group-level effects\n"
            "            1|g ~ Normal(mu: 0.0, sigma: HalfNormal(sigma: 3.1717))\n"
            "        \n"
            "        Auxiliary parameters\n"
            "            sigma ~ HalfStudentT(nu: 4.0, sigma: 0.8633)"
        )
        assert str(model) == repr(model) == text
        model.fit(**SHORT)
        assert str(model) == text + (
            "\n------\n"
            "* To see a plot of the priors call the .plot_priors() method.\n"
            "* To see a summary or plot of the posterior pass the object returned by .fit()\n"
            "  to az.summary() or az.plot_trace()"
        )

    def test_one_block_per_modelled_parameter_with_its_prefix(self) -> None:
        model = nl.Model(Formula("y ~ x", "sigma ~ z"), grouped_data(50), priors={"mu": GUIDE_PRIORS_OF_MU})
        lines = str(model).splitlines()
        assert lines[:5] == [
            "       Formula: y ~ x",
            "                sigma ~ z",
            "        Family: gaussian",
            "          Link: mu = identity",
            "                sigma = log",
        ]
        assert lines[lines.index("    target = sigma") :] == [
            "    target = sigma",
            "        Common-level effects",
            "            sigma_Intercept ~ Normal(mu: 0.0, sigma: 1.0)",
            "            sigma_z ~ Normal(mu: 0.0, sigma: 1.0)",
        ]

    def test_intercept_first_and_group_terms_last(self) -> None:
        lines = str(nl.Model("y ~ (x|g) + z + x", grouped_data())).splitlines()
        names = [line.split(" ~ ")[0].strip() for line in lines if " ~ " in line][1:]
        assert names == ["Intercept", "z", "x", "1|g", "x|g", "sigma"]

    def test_only_what_was_given_is_printed_and_whole_numbers_as_such(self) -> None:
        assert (
            str(nl.Prior("Normal", mu=0, sd=nl.Prior("HalfCauchy", beta=5))) == "Normal(mu: 0, sd: HalfCauchy(beta: 5))"
        )
        assert str(nl.Prior("Normal", mu=0.0, sigma=1.23456)) == "Normal(mu: 0.0, sigma: 1.2346)"

    def test_a_table_for_notebooks_escapes_what_users_write(self) -> None:
        data = grouped_data(50).rename(columns={"x": "<b>&x"})
        html = nl.Model("y ~ `<b>&x` + (1|g)", data)._repr_html_()
        assert html.startswith("<table")
        assert "&lt;b&gt;&amp;x" in html
        assert "<b>" not in html
        assert "HalfStudentT(nu: 4" in html
        assert html.count("<tr>") == html.count("</tr>") == 8


GUIDE_PRIORS_OF_MU = {"Intercept": normal(0, 1), "x": normal(0, 1)}


class TestMissingData:
    """1.3"""

    def test_the_printed_line(self, caplog: pytest.LogCaptureFixture) -> None:
        data = nl.load_data("rrr_long")
        for formula, dropped, rows in [
            ("value ~ condition + age + gender", 33, 6907),
            ("value ~ condition + (1|uid)", 9, 6931),  # only columns that the model uses count
        ]:
            caplog.clear()
            with caplog.at_level(logging.INFO, logger="nutslite"):
                model = nl.Model(formula, data, dropna=True)
            assert f"Automatically removing {dropped}/6940 rows from the dataset." in caplog.messages
            assert model.design.n_rows == rows

    def test_without_dropna_it_is_an_error(self) -> None:
        with pytest.raises(nl.DataError, match=r"33 incomplete rows.*dropna=True"):
            nl.Model("value ~ condition + age + gender", nl.load_data("rrr_long"))

    def test_one_mask_for_all_formulas(self) -> None:
        data = grouped_data()
        data.loc[3, "x"], data.loc[5, "z"], data.loc[7, "o"] = np.nan, np.nan, np.nan
        model = nl.Model(Formula("y ~ x", "sigma ~ z"), data, dropna=True)
        assert model.design.n_rows == 118


class TestCoding:
    """1.4"""

    def columns(self, formula: str, term: str) -> tuple[str, ...]:
        predictor = nl.Model(formula, grouped_data()).design.predictors["mu"]
        return next(found.labels for found in (*predictor.terms, *predictor.group_terms) if found.name == term)

    def test_common_effects_compare_with_the_first_level(self) -> None:
        assert self.columns("y ~ c", "c") == ("v", "w")

    def test_without_intercept_the_first_categorical_has_all_levels(self) -> None:
        assert self.columns("y ~ 0 + c + h", "c") == ("u", "v", "w")
        assert self.columns("y ~ 0 + c + h", "h") == ("h1", "h2", "h3")

    def test_group_intercepts_have_all_levels(self) -> None:
        model = nl.Model("y ~ 1 + (1|g)", grouped_data())
        results = model.fit(**SHORT)
        assert get_group(results, "posterior")["1|g"].sizes["g__factor_dim"] == 9

    def test_group_slopes_of_a_categorical(self) -> None:
        names = [term.name for term in nl.Model("y ~ c + (c|g)", grouped_data()).design.predictors["mu"].group_terms]
        assert names == ["1|g", "c|g"]
        assert self.columns("y ~ c + (c|g)", "c|g") == ("v", "w")

    def test_group_slopes_of_a_categorical_without_intercept(self) -> None:
        names = [term.name for term in nl.Model("y ~ c + (0+c|g)", grouped_data()).design.predictors["mu"].group_terms]
        assert names == ["c|g"]
        assert self.columns("y ~ c + (0+c|g)", "c|g") == ("u", "v", "w")


class TestFitting:
    """1.5; arguments of `fit` are in test_model_arguments.py."""

    def test_a_thousand_draws_after_warm_up(self) -> None:
        results = nl.Model("y ~ x", grouped_data()).fit(progressbar=False, random_seed=1)
        assert get_group(results, "posterior").sizes["draw"] == 1000

    def test_lines_of_a_run(self, caplog: pytest.LogCaptureFixture) -> None:
        model = nl.Model("y ~ x + (1|g)", grouped_data())
        with caplog.at_level(logging.INFO, logger="nutslite"):
            model.fit(**{**SHORT, "progressbar": True, "plan": "joint", "draws": 1000, "tune": 1000})
        first, last = caplog.messages
        assert first == "NUTS: [Intercept, x, 1|g_sigma, sigma, 1|g_offset]"
        expected = (
            r"Sampling 2 chains for 1_000 tune and 1_000 draw iterations \(2_000 \+ 2_000 draws total\) took [\d.]+ s"
        )
        assert re.match(expected, last)

    def test_chains_run_beside_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.001)
        order: list[int] = []
        nl.Model("y ~ x + (1|g)", grouped_data()).fit(
            draws=2000, chains=2, cores=2, callback=lambda report: order.append(report.chain), progressbar=False
        )
        assert order.index(1) < len(order) - 1 - order[::-1].index(0)
        assert order.index(0) < len(order) - 1 - order[::-1].index(1)

    def test_the_progress_bar_counts_draws_and_divergences(self, capsys: pytest.CaptureFixture[str]) -> None:
        nl.Model("y ~ x", grouped_data()).fit(**{**SHORT, "progressbar": True, "tune": 92})
        shown = capsys.readouterr().err
        assert "200/200" in shown
        assert "0 divergences" in shown

    def test_which_outcome_is_modelled(self, caplog: pytest.LogCaptureFixture) -> None:
        model = nl.Model("admit ~ gre + gpa + rank", nl.load_data("admissions"), family="bernoulli")
        with caplog.at_level(logging.INFO, logger="nutslite"):
            model.fit(**SHORT)
        assert caplog.messages == ["Modeling the probability that admit==1"]

    def test_build_then_fit_or_plot(self) -> None:
        model = nl.Model("y ~ x", grouped_data())
        with pytest.raises(nl.NutsliteError, match=r"Model is not built yet! Call .build\(\)"):
            model.plot_priors()
        model.build()
        assert model.built
        assert model.plot_priors(draws=50) is not None
        model.fit(**SHORT)

    def test_the_underlying_model(self) -> None:
        model = nl.Model("y ~ x + (1|g)", grouped_data())
        model.build()
        underlying = model.backend.model
        point = underlying.initial_point()
        assert np.isfinite(underlying.logp(point))
        assert set(underlying.dlogp(point)) == set(point)
        assert [str(variable) for variable in underlying.free_RVs] == ["Intercept", "x", "1|g_sigma", "sigma", "1|g"]
        assert {"x", "1|g_offset", "sigma_log__"} <= set(underlying.named_vars)
        assert list(underlying.coords) == ["g__factor_dim"]


@pytest.fixture(scope="module")
def results() -> Any:
    """The guide's logistic regression."""
    model = nl.Model("admit ~ gre + gpa + rank", nl.load_data("admissions"), family="bernoulli")
    return model.fit(draws=2000, chains=2, random_seed=1, progressbar=False)


class TestResults:
    """1.8"""

    def test_variables_in_the_order_of_the_formula(self, results: Any) -> None:
        assert list(results.posterior.data_vars) == ["Intercept", "gre", "gpa", "rank"]

    def test_printed_summary(self, results: Any) -> None:
        """Means, standard deviations and intervals of the guide, within its and our Monte Carlo errors."""
        table = nl.summary(results, round_to="none")
        assert list(table.columns) == [
            "mean", "sd", "hdi_3%", "hdi_97%", "mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "r_hat",
        ]  # fmt: skip
        printed = pd.DataFrame(
            {
                "mean": [-3.508, 0.002, 0.790, -0.567],
                "sd": [1.137, 0.001, 0.337, 0.131],
                "hdi_3%": [-5.570, 0.0, 0.121, -0.801],
                "hdi_97%": [-1.369, 0.004, 1.374, -0.311],
            },
            index=["Intercept", "gre", "gpa", "rank"],
        )
        apart = (table[printed.columns] - printed).abs().to_numpy()
        scale = np.array([1.137, 0.0011, 0.337, 0.131])[:, None] * np.array([0.12, 0.12, 0.35, 0.35])
        assert np.all(apart < scale + 0.0006)
        assert table["r_hat"].max() < 1.01

    def test_variables_can_be_chosen_by_name(self, results: Any) -> None:
        assert list(nl.summary(results, var_names=["gpa", "rank"]).index) == ["gpa", "rank"]
        assert list(nl.summary(results, var_names="~gre").index) == ["Intercept", "gpa", "rank"]

    def test_no_offsets_unless_asked_for(self) -> None:
        fit = nl.Model("y ~ x + (1|g)", grouped_data()).fit
        assert list(fit(**SHORT).posterior.data_vars) == ["Intercept", "x", "1|g_sigma", "sigma", "1|g"]
        assert "1|g_offset" in fit(**SHORT, omit_offsets=False).posterior.data_vars

    def test_predictions_by_the_names_of_both_eras(self) -> None:
        """1.9"""
        model = nl.Model("y ~ x", grouped_data())
        first, second = model.fit(**SHORT), model.fit(**SHORT)
        model.predict(first, kind="mean")
        model.predict(second, kind="response_params")
        assert get_group(first, "posterior")["mu"].equals(get_group(second, "posterior")["mu"])
        model.predict(first, kind="pps", random_seed=1)
        model.predict(second, kind="response", random_seed=1)
        third = model.fit(**SHORT)
        model.posterior_predictive(third, random_seed=1)
        draws = [get_group(results, "posterior_predictive")["y"] for results in (first, second, third)]
        assert draws[0].equals(draws[1])
        assert draws[0].equals(draws[2])

    def test_draws_of_the_prior(self) -> None:
        model = nl.Model("y ~ x + (1|g)", grouped_data())
        prior = model.prior_predictive(draws=20, var_names=["x", "y", "1|g_offset"], omit_offsets=False, random_seed=1)
        assert set(get_group(prior, "prior").data_vars) == {"x", "1|g_offset"}
        assert get_group(prior, "prior_predictive")["y"].shape == (1, 20, 120)
        assert get_group(prior, "observed_data")["y"].shape == (120,)


class TestSpellings:
    """1.9; more of it in test_docs_bambi.py and test_model_arguments.py."""

    def test_the_auxiliary_parameter_is_called_sigma(self) -> None:
        """Bambi 0.6 called it value_sigma, after the response."""
        data = grouped_data().rename(columns={"y": "value"})
        variables = list(nl.Model("value ~ x", data).fit(**SHORT).posterior.data_vars)
        assert variables == ["Intercept", "x", "sigma"]

    @pytest.mark.parametrize(
        ("formula", "family", "parent"), [("y ~ x", "gaussian", "mu"), ("b ~ x", "bernoulli", "p")]
    )
    def test_the_mean_has_the_name_of_the_parent(self, formula: str, family: str, parent: str) -> None:
        """Bambi 0.6 called it y_mean, as which it is there too."""
        model = nl.Model(formula, grouped_data(), family=family)
        results = model.fit(**SHORT)
        model.predict(results, kind="mean")
        known = {"Intercept", "x", "sigma"}
        assert set(results.posterior.data_vars) - known == {parent, f"{model.response_name}_mean"}
