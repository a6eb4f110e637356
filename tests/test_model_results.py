"""What `Model.fit` returns: names, dims, coordinates, groups and attributes, in either generation of ArviZ."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite.formula.formula import Formula
from nutslite.results.container.inference_data import arviz_major, get_group, group_names

pytestmark = pytest.mark.filterwarnings("ignore:.*divide by zero:RuntimeWarning", "ignore::FutureWarning")

G = [f"g{i}" for i in range(9)]
H = [f"h{i}" for i in range(4)]


def brief(formula: Any, draws: int = 6, **settings: Any) -> Any:
    """Results of a fit that is long enough to look at names."""
    data = grouped_data().assign(year=lambda frame: 2000 + np.arange(len(frame)) % 3)
    return nl.Model(formula, data, **settings).fit(
        draws=draws, tune=6, chains=2, random_seed=1, progressbar=False, cores=1
    )


def dims(results: Any, group: str = "posterior") -> dict[str, tuple[str, ...]]:
    """Dims of every variable after chain and draw, in the order of the group."""
    dataset = get_group(results, group)
    assert all(variable.dims[:2] == ("chain", "draw") for variable in dataset.data_vars.values())
    return {str(name): variable.dims[2:] for name, variable in dataset.data_vars.items()}


def coords(results: Any, group: str = "posterior") -> dict[str, list[Any]]:
    """Values along every dim but chain and draw."""
    dataset = get_group(results, group)
    return {str(dim): index.tolist() for dim, index in dataset.indexes.items() if dim not in ("chain", "draw")}


class TestNames:
    def test_categories_interactions_and_splines(self) -> None:
        results = brief("y ~ x + c + x:c + z:x + c:h + bs(x, df=5)")
        assert dims(results) == {
            "Intercept": (),
            "x": (),
            "c": ("c_dim",),
            "x:c": ("x:c_dim",),
            "z:x": (),
            "c:h": ("c:h_dim",),
            "bs(x, df=5)": ("bs(x, df=5)_dim",),
            "sigma": (),
        }
        # c:h stands beside c without h: full dummies of c, reduced ones of h
        combined = [f"{c}, {h}" for c in "uvw" for h in H[1:]]
        expected = {"c_dim": ["v", "w"], "x:c_dim": ["v", "w"], "c:h_dim": combined, "bs(x, df=5)_dim": [0, 1, 2, 3, 4]}
        assert coords(results) == expected

    def test_levels_that_look_like_numbers_are_still_names(self) -> None:
        results = brief("y ~ C(year) + (C(year)|year)")
        assert coords(results) == {
            "C(year)_dim": ["2001", "2002"],
            "C(year)__expr_dim": ["2001", "2002"],
            "year__factor_dim": ["2000", "2001", "2002"],
        }

    def test_without_an_intercept_every_level_has_a_coefficient(self) -> None:
        results = brief("y ~ 0 + c + (0 + c|g)")
        assert dims(results) == {
            "c": ("c_dim",),
            "c|g_sigma": ("c__expr_dim",),
            "sigma": (),
            "c|g": ("c__expr_dim", "g__factor_dim"),
        }
        assert coords(results) == {"c_dim": ["u", "v", "w"], "c__expr_dim": ["u", "v", "w"], "g__factor_dim": G}

    def test_group_terms_nested_and_crossed(self) -> None:
        results = brief("y ~ x + (x|g) + (1|h/g)")
        assert dims(results) == {
            "Intercept": (),
            "x": (),
            "1|g_sigma": (),
            "x|g_sigma": (),
            "1|h_sigma": (),
            "1|h:g_sigma": (),
            "sigma": (),
            "1|g": ("g__factor_dim",),
            "x|g": ("g__factor_dim",),
            "1|h": ("h__factor_dim",),
            "1|h:g": ("h:g__factor_dim",),
        }
        found = coords(results)
        assert (found["g__factor_dim"], found["h__factor_dim"]) == (G, H)
        seen = grouped_data()
        assert sorted(found["h:g__factor_dim"]) == sorted(set(seen.h + ":" + seen.g))

    def test_correlations(self) -> None:
        results = brief("y ~ x + (x + c|g) + (x|h)", priors_cor={"g": 2.0})
        found = dims(results)
        assert found["1+x+c|g_corr"] == ("1+x+c|g_corr_dim",)
        assert "1+x|h_corr" not in found
        assert coords(results)["1+x+c|g_corr_dim"] == [
            *("1, x", "1, c[v]", "x, c[v]"),
            *("1, c[w]", "x, c[w]", "c[v], c[w]"),
        ]
        values = get_group(results, "posterior")["1+x+c|g_corr"].to_numpy()
        assert np.abs(values).max() <= 1.0
        assert np.ptp(values) > 0.0

    def test_parameters_with_formulas_have_a_prefix(self) -> None:
        results = brief(Formula("y ~ x + c", "sigma ~ z + c + (z|g)"), correlated=True)
        assert dims(results) == {
            "Intercept": (),
            "x": (),
            "c": ("c_dim",),
            "sigma_Intercept": (),
            "sigma_z": (),
            "sigma_c": ("sigma_c_dim",),
            "sigma_1|g_sigma": (),
            "sigma_z|g_sigma": (),
            "sigma_1+z|g_corr": ("sigma_1+z|g_corr_dim",),
            "sigma_1|g": ("g__factor_dim",),
            "sigma_z|g": ("g__factor_dim",),
        }
        assert coords(results)["sigma_1+z|g_corr_dim"] == ["1, z"]

    def test_one_term_coded_in_two_ways_has_two_dims(self) -> None:
        results = brief(Formula("y ~ c", "sigma ~ 0 + c"))
        assert dims(results) == {
            "Intercept": (),
            "c": ("c_dim",),
            "sigma_c": ("sigma_c_dim",),
        }
        assert coords(results) == {"c_dim": ["v", "w"], "sigma_c_dim": ["u", "v", "w"]}

    def test_hyperparameters(self) -> None:
        scale = nl.Prior("HalfNormal", sigma=nl.Prior("Exponential", lam=1))
        prior = nl.Prior("Normal", mu=nl.Prior("Normal", mu=0, sigma=1), sigma=scale)
        results = brief("y ~ 0 + x + (1|g)", priors={"1|g": prior})
        assert list(dims(results)) == ["x", "1|g_mu", "1|g_sigma_sigma", "1|g_sigma", "sigma", "1|g"]

    @pytest.mark.parametrize("plan", ["joint", "marginal"])
    def test_parameters_fixed_by_numbers_and_offsets_are_not_drawn(self, plan: str) -> None:
        model = nl.Model("y ~ x + offset(o) + (1|g)", grouped_data(), priors={"sigma": 0.5})
        results = model.fit(draws=6, tune=6, chains=2, random_seed=1, progressbar=False, plan=plan)
        assert list(dims(results)) == ["Intercept", "x", "1|g_sigma", "1|g"]

    def test_a_slash_is_stored_as_a_division_slash(self) -> None:
        results = brief("y ~ I(x/10)")
        assert list(dims(results)) == ["Intercept", "I(x \N{DIVISION SLASH} 10)", "sigma"]


class TestGroups:
    @pytest.mark.parametrize(
        ("formula", "family", "name", "values"),
        [
            ("y ~ x", "gaussian", "y", "y"),
            ("weighted(y, w) ~ x", "gaussian", "weighted(y, w)", "y"),
            ("p(s, trials) ~ x", "binomial", "p(s, trials)", "s"),
            ("k ~ x", "poisson", "k", "k"),
        ],
    )
    def test_the_response_is_kept_under_its_expression(self, formula: str, family: str, name: str, values: str) -> None:
        observed = get_group(brief(formula, family=family), "observed_data")
        assert list(observed.data_vars) == [name]
        assert observed[name].dims == ("__obs__",)
        np.testing.assert_array_equal(observed[name], grouped_data()[values])
        np.testing.assert_array_equal(observed["__obs__"], np.arange(120))

    def test_a_picked_level_is_the_variable_in_zeros_and_ones(self) -> None:
        observed = get_group(brief("c['v'] ~ x", family="bernoulli"), "observed_data")
        np.testing.assert_array_equal(observed["c"], grouped_data()["c"] == "v")

    @pytest.mark.parametrize(("formula", "plan"), [("y ~ x + (1|g)", "marginal"), ("y ~ x + (1|g)", "joint")])
    def test_groups_statistics_and_attributes(self, formula: str, plan: str) -> None:
        model = nl.Model(formula, grouped_data())
        results = model.fit(draws=6, tune=7, chains=3, random_seed=1, progressbar=False, plan=plan)
        assert set(group_names(results)) == {"posterior", "sample_stats", "observed_data"}
        stats = get_group(results, "sample_stats")
        needed = {
            *("lp", "acceptance_rate", "diverging", "energy", "energy_error", "max_energy_error", "n_steps"),
            *("tree_depth", "reached_max_treedepth", "step_size", "step_size_bar", "index_in_trajectory"),
        }
        assert needed <= set(stats.data_vars)
        assert all(values.shape == (3, 6) for values in stats.data_vars.values())
        assert stats["diverging"].dtype == bool
        for group in group_names(results):
            attrs = get_group(results, group).attrs
            assert attrs["creation_library"] == attrs["inference_library"] == attrs["modeling_interface"] == "nutslite"
            assert attrs["inference_library_version"] == attrs["modeling_interface_version"] == nl.__version__
            assert attrs["tuning_steps"] == 7
            assert attrs["sampling_time"] > 0
            assert attrs["interrupted"] == 0
            assert attrs["plan"] == plan
            assert "created_at" in attrs

    def test_what_is_asked_for_comes_with_the_fit(self) -> None:
        model = nl.Model("y ~ x + (1|g)", grouped_data())
        results = model.fit(
            draws=6,
            tune=5,
            chains=2,
            random_seed=1,
            progressbar=False,
            include_response_params=True,
            idata_kwargs={"log_likelihood": True},
            discard_tuned_samples=False,
        )
        assert set(group_names(results)) == {
            *("posterior", "sample_stats", "observed_data", "log_likelihood"),
            *("warmup_posterior", "warmup_sample_stats"),
        }
        assert dims(results)["mu"] == ("__obs__",)
        assert dims(results, "log_likelihood") == {"y": ("__obs__",)}
        warm = get_group(results, "warmup_posterior")
        assert (warm.sizes["chain"], warm.sizes["draw"]) == (2, 5)
        assert [name for name in dims(results) if name != "mu"] == list(warm.data_vars)

    def test_the_kind_of_container_belongs_to_the_installed_arviz(self) -> None:
        results = brief("y ~ x")
        if arviz_major() < 1:
            import arviz as az

            assert isinstance(results, az.InferenceData)
        else:
            import xarray as xr

            assert isinstance(results, xr.DataTree)


@functools.cache
def judged() -> tuple[Any, Any]:
    """Results of a model and of one that lacks what the data are made of, both with log likelihoods."""
    options = {"draws": 300, "chains": 2, "random_seed": 1, "progressbar": False}
    pair = []
    for formula in ("y ~ x + z + (1|g)", "y ~ 1"):
        model = nl.Model(formula, grouped_data())
        pair.append(model.fit(**options, idata_kwargs={"log_likelihood": True}))  # type: ignore[arg-type]
    return pair[0], pair[1]


class TestArviz:
    """The functions of ArviZ that users call on a fit, as their own installation has them."""

    def test_summary(self) -> None:
        import arviz as az

        results, _ = judged()
        table = az.summary(results)
        labels = ["Intercept", "x", "z", "1|g_sigma", "sigma", *(f"1|g[{level}]" for level in G)]
        assert list(table.index) == labels
        ours = nl.summary(results)
        assert list(ours.index) == labels
        np.testing.assert_allclose(ours["mean"].astype(float), table["mean"].astype(float), atol=0.051)

    def test_plot_trace(self) -> None:
        import arviz as az
        import matplotlib.pyplot as plt

        results, _ = judged()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert az.plot_trace(results) is not None
        assert plt.get_fignums()
        plt.close("all")

    def test_loo_and_compare(self) -> None:
        import arviz as az

        right, wrong = judged()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a high Pareto k in 120 rows is not the point
            score = az.loo(right)
            ranks = az.compare({"wrong": wrong, "right": right})
        elpd = float(score.elpd_loo if arviz_major() < 1 else score.elpd)
        loglik = get_group(right, "log_likelihood")["y"].to_numpy().reshape(-1, 120)
        pointwise = np.log(np.mean(np.exp(loglik), axis=0)).sum()
        penalty = loglik.var(axis=0, ddof=1).sum()  # WAIC, which is near to leave-one-out here
        assert elpd == pytest.approx(pointwise - penalty, abs=2.0)
        assert list(ranks.index) == ["right", "wrong"]

    def test_netcdf_both_ways(self, tmp_path: Any) -> None:
        import arviz as az

        results, _ = judged()
        file = nl.save(results, tmp_path / "fit.nc")
        for again in (nl.load(file), az.from_netcdf(file)):
            assert set(group_names(again)) == set(group_names(results))
            for group in group_names(results):
                assert get_group(again, group).equals(get_group(results, group))
                kept = {key: value for key, value in get_group(results, group).attrs.items() if key != "sample_dims"}
                assert kept.items() <= get_group(again, group).attrs.items()
        nl.summary(nl.load(file))
