"""Standard deviations of effects that depend on predictors of the groups: beside formulas in NumPy and quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_models import assembled_of, grouped_data

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.formula.rows import with_new_groups
from nutslite.model.record.specification import specification_of
from nutslite.posterior.assembly.coded_columns import without_codes
from nutslite.posterior.assembly.equal_rows import merge_equal_rows
from nutslite.posterior.points.log_prior import log_prior
from nutslite.posterior.points.points import PointMap
from nutslite.posterior.points.prior_draws import draw_prior
from nutslite.posterior.targets.target import JointTarget
from nutslite.results.container.inference_data import get_group
from nutslite.results.predictions.new_groups import PopulationSampler, draw_new_levels

FACTOR = "gr(g, sd=size + side)"
NAME = f"1|{FACTOR}"
QUIET: dict[str, Any] = {"progressbar": False, "random_seed": 1}


def explained(formula: str = f"y ~ x + (1|{FACTOR})", **options: Any) -> nl.Model:
    return nl.Model(formula, grouped_data(), **options)


def levels() -> pd.DataFrame:
    """Predictors of the groups, a row for each, less their means over groups."""
    found = grouped_data().groupby("g")[["size", "side"]].first()
    found = pd.DataFrame({"size": found["size"], "right": (found["side"] == "right") * 1.0})
    return found - found.mean()


def factors(draws: dict[str, np.ndarray], factor: str = FACTOR) -> np.ndarray:
    """What standard deviations are times that of the average group, (draws, groups)."""
    gammas = np.column_stack([draws[f"{factor}_sd_size"], draws[f"{factor}_sd_side"]])
    return np.exp(gammas @ levels().to_numpy().T)


def value_of(target: JointTarget, position: np.ndarray) -> tuple[float, np.ndarray]:
    gradient = np.empty_like(position)
    return target.logdensity(position, gradient, target.data), gradient


# --- the model --------------------------------------------------------------------------------------------------------


def test_names_dimensions_and_default_priors() -> None:
    model = explained(f"y ~ x + (z|{FACTOR})", correlated=True)
    variables = {variable.name: variable.dims for variable in assembled_of(model).layout.variables}
    assert variables[f"{FACTOR}_sd_size"] == ()
    assert variables[f"{FACTOR}_sd_side"] == (f"{FACTOR}_sd_side_dim",)
    assert {NAME, f"{NAME}_sigma", f"z|{FACTOR}_sigma", f"1+z|{FACTOR}_corr"} <= variables.keys()
    priors = model.priors.terms["mu"]
    assert priors[f"{FACTOR}_sd_size"].args == {"mu": 0.0, "sigma": 1 / levels()["size"].std(ddof=0)}
    assert priors[f"{FACTOR}_sd_side"].args == {"mu": 0.0, "sigma": 1.0}  # a category beside another


def test_priors_are_given_by_name_or_within_the_term() -> None:
    prior, other = nl.Prior("StudentT", nu=3, mu=1, sigma=0.5), nl.Prior("Normal", mu=0, sigma=0.2)
    name = "gr(g,sd=size+side)"  # however it is spelled
    for priors in (
        {f"{FACTOR}_sd_size": prior, f"{FACTOR}_sd_side": other},
        {name: {"sd_size": prior, "sd_side": other}},
    ):
        terms = explained(priors=priors).priors.terms["mu"]
        assert (terms[f"{FACTOR}_sd_size"], terms[f"{FACTOR}_sd_side"]) == (prior, other)
    lines = nl.Formula("y ~ x", "sigma ~ (1|gr(g, sd=size))")
    model = nl.Model(lines, grouped_data(), priors={"sigma": {"gr(g, sd=size)": {"sd_size": prior}}})
    assert model.priors.terms["sigma"]["gr(g, sd=size)_sd_size"] == prior
    assert "sigma_gr(g, sd=size)_sd_size" in {variable.name for variable in assembled_of(model).layout.variables}


def test_the_joint_density_is_that_of_a_formula() -> None:
    model = explained(priors={"sigma": 0.8, f"{NAME}": nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=2))})
    target = JointTarget(assembled_of(model), use_pilot=False)
    rng, data, priors = np.random.default_rng(1), grouped_data(), model.priors.terms["mu"]
    for _ in range(3):
        position = rng.normal(0, 0.5, target.dimension)
        named = PointMap(target.assembled).natural(position)
        raw, scale = position[target.assembled.layout.n_head :], float(named[f"{NAME}_sigma"])
        own = factors({name: np.atleast_1d(array) for name, array in named.items()})[0]
        np.testing.assert_allclose(named[NAME], scale * own * raw, rtol=1e-12)
        codes = pd.factorize(data["g"], sort=True)[0]
        mu = named["Intercept"] + named["x"] * data["x"] + (scale * own * raw)[codes]
        total = stats.norm.logpdf(data["y"], mu, 0.8).sum() + stats.norm.logpdf(raw).sum()
        total += stats.halfnorm.logpdf(scale, scale=2) + np.log(scale)
        centred = named["Intercept"] + named["x"] * data["x"].mean()
        places = {name: named[name] for name in ("x", f"{FACTOR}_sd_size", f"{FACTOR}_sd_side")}
        for name, at in {"Intercept": centred, **places}.items():
            total += np.sum(stats.norm.logpdf(at, priors[name].args["mu"], priors[name].args["sigma"]))
        assert value_of(target, position)[0] == pytest.approx(total, rel=1e-10)


def test_without_differences_it_is_a_plain_factor() -> None:
    """Coefficients that are fixed at zero: the same density and gradient, with and without correlations."""
    for correlated in (False, True):
        fixed = {f"{FACTOR}_sd_size": 0.0, f"{FACTOR}_sd_side": 0.0}
        one = explained(f"y ~ x + (z|{FACTOR})", priors=fixed, correlated=correlated)
        other = nl.Model("y ~ x + (z|g)", grouped_data(), correlated=correlated)
        left, right = (JointTarget(assembled_of(model), use_pilot=False) for model in (one, other))
        assert left.dimension == right.dimension
        position = np.random.default_rng(2).normal(0, 0.5, left.dimension)
        (value, gradient), (wanted, slopes) = value_of(left, position), value_of(right, position)
        assert value == wanted
        np.testing.assert_array_equal(gradient, slopes)


def test_a_prior_is_drawn_and_evaluated() -> None:
    """Effects over their factors are correlated normals, which have the density of a normal distribution."""
    assembled = assembled_of(explained(f"y ~ x + (z|{FACTOR})", priors_cor={FACTOR: 4.0}))
    draws = assembled.layout.unpack(*draw_prior(assembled, 4000, np.random.default_rng(4)))
    names = (NAME, f"z|{FACTOR}")
    own = factors(draws)
    standard = np.stack([draws[name] / own / draws[f"{name}_sigma"][:, None] for name in names])
    np.testing.assert_allclose(np.var(standard, axis=1), 1.0, atol=0.1)
    products = standard[0] * standard[1] - draws[f"1+z|{FACTOR}_corr"]
    np.testing.assert_allclose(products.mean(axis=0), 0.0, atol=0.08)
    found = log_prior(assembled, {name: array[:3] for name, array in draws.items()})
    for draw in range(3):
        scales = np.array([draws[f"{name}_sigma"][draw] for name in names])
        rho = float(draws[f"1+z|{FACTOR}_corr"][draw].item())
        base = np.outer(scales, scales) * np.array([[1.0, rho], [rho, 1.0]])
        wanted = [
            stats.multivariate_normal(np.zeros(2), base * own[draw, level] ** 2).logpdf(
                [draws[name][draw, level] for name in names]
            )
            for level in range(9)
        ]
        np.testing.assert_allclose(sum(found[name][draw] for name in names), wanted, rtol=1e-9)


def test_points_by_name_go_there_and_back() -> None:
    assembled = assembled_of(explained(f"y ~ (z|{FACTOR}) + (1|g)", correlated=True))
    position = np.random.default_rng(5).normal(size=assembled.layout.dimension)
    points = PointMap(assembled)
    back = points.position(points.natural(position), np.zeros_like(position))
    np.testing.assert_allclose(back, position, rtol=1e-9, atol=1e-9)


# --- fast ways --------------------------------------------------------------------------------------------------------


def test_the_plan_says_what_serves() -> None:
    """Levels are integrated out in classes of one design and one row of predictors, of one such factor."""
    said = " ".join(str(explained().plan()).split())
    assert "9 levels in 9 classes" in said
    data = grouped_data().groupby("g").head(8)
    assert "9 levels in 2 classes" in " ".join(str(nl.Model("y ~ 1 + (1|gr(g, sd=side))", data).plan()).split())
    nested = grouped_data().assign(s=lambda rows: rows["g"] + rows["h"], w=lambda rows: rows["h"] == "h1")
    several = nl.Model("y ~ x + (1|gr(g, sd=size)) + (1|gr(s, sd=w))", nested)
    assert "standard deviations of effects of several factors are explained" in " ".join(str(several.plan()).split())
    assert "A pilot finds" in str(explained(family="t").plan())


def test_merged_rows_and_codes_change_no_density() -> None:
    rng = np.random.default_rng(8)
    g, c = rng.integers(0, 9, 1500), rng.integers(0, 3, 1500)
    data = pd.DataFrame({"b": rng.integers(0, 2, 1500), "g": g, "c": np.array(["u", "v", "w"])[c], "size": g**2})
    assembled = assembled_of(nl.Model("b ~ c + (1|gr(g, sd=size))", data, family="bernoulli"))
    merged = merge_equal_rows(assembled.data)
    assert merged is not None
    records = [assembled.data, merged, without_codes(assembled.data), without_codes(merged)]
    targets = [JointTarget(assembled, use_pilot=False, merged=record) for record in records]
    position = rng.normal(0, 0.5, targets[0].dimension)
    values, slopes = zip(*(value_of(target, position) for target in targets), strict=True)
    np.testing.assert_allclose(values, values[0], rtol=1e-11)
    np.testing.assert_allclose(slopes, np.tile(slopes[0], (4, 1)), rtol=1e-8, atol=1e-8)


# --- a posterior ------------------------------------------------------------------------------------------------------


def tiny() -> pd.DataFrame:
    """Twelve groups, of which those with a large z differ more."""
    rng = np.random.default_rng(3)
    z = np.linspace(-1.5, 1.5, 12)
    effects = np.exp(0.8 * z) * rng.normal(size=12)
    g = np.repeat(np.arange(12), 4)
    return pd.DataFrame({"y": effects[g] + 0.6 * rng.normal(size=48), "g": [f"g{i:02}" for i in g], "z": z[g] + 2.0})


TINY = "gr(g, sd=z)"


def tiny_model() -> nl.Model:
    scale = nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=1.5))
    return nl.Model(f"y ~ 0 + (1|{TINY})", tiny(), priors={"sigma": 0.6, f"1|{TINY}": scale})


@pytest.fixture(scope="module")
def fitted() -> Any:
    return {
        way: tiny_model().fit(chains=2, cores=1, **options, **QUIET)
        for way, options in (
            ("marginal", {"inference_method": "nuts", "draws": 1500}),
            ("pilot", {"plan": "joint", "draws": 4500}),  # whose squares depend on each other the most
            ("adapting", {"plan": "joint", "pilot": False, "tune": 700, "draws": 1500}),
        )
    }


def by_quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of gamma and sigma, of the normal distribution of the groups' means."""
    data = tiny().groupby("g").agg(y=("y", "mean"), z=("z", "first"))
    w = data["z"].to_numpy() - data["z"].mean()
    gamma, scale = np.meshgrid(np.linspace(-3, 4, 500), np.linspace(1e-3, 6, 700), indexing="ij")
    variance = (scale[..., None] * np.exp(gamma[..., None] * w)) ** 2 + 0.36 / 4
    logs = stats.norm.logpdf(data["y"].to_numpy(), 0, np.sqrt(variance)).sum(axis=-1)
    logs += stats.norm.logpdf(gamma, 0, 1 / w.std()) + stats.halfnorm.logpdf(scale, scale=1.5)
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    means = np.array([(shares * each).sum() for each in (gamma, scale)])
    squares = np.array([(shares * each**2).sum() for each in (gamma, scale)])
    return means, np.sqrt(squares - means**2)


@pytest.mark.parametrize("way", ["marginal", "pilot", "adapting"])
def test_a_posterior_by_quadrature(fitted: Any, way: str) -> None:
    means, sds = by_quadrature()
    table = nl.summary(fitted[way], round_to="none").loc[[f"{TINY}_sd_z", f"1|{TINY}_sigma"]]
    np.testing.assert_array_less(np.abs(table["mean"] - means), 4.5 * table["mcse_mean"])
    np.testing.assert_allclose(table["sd"], sds, rtol=0.1)
    assert table["ess_bulk"].min() > 300


def test_every_way_has_one_posterior(fitted: Any) -> None:
    """Of the effects of groups, too, which are drawn afterwards where they were integrated out."""
    tables = {way: nl.summary(results, round_to="none") for way, results in fitted.items()}
    for way in ("pilot", "adapting"):
        one, two = tables["marginal"], tables[way].loc[tables["marginal"].index]
        apart = (one["mean"] - two["mean"]).abs() / np.hypot(one["mcse_mean"], two["mcse_mean"])
        assert apart.max() < 4.5
        np.testing.assert_allclose(one["sd"], two["sd"], rtol=0.15)


def test_tables_show_the_coefficients(fitted: Any) -> None:
    table = nl.interpret.varcorr(tiny_model(), fitted["pilot"]).set_index("kind")
    assert table.loc["log sd", ["group", "term"]].tolist() == [TINY, "z"]
    assert table.loc["log sd", "estimate"] == pytest.approx(by_quadrature()[0][0], abs=0.1)
    assert list(table.index) == ["log sd", "sd"]


# --- other data -------------------------------------------------------------------------------------------------------


def test_new_groups_have_the_spread_of_their_own_predictors(fitted: Any) -> None:
    model = tiny_model()
    new = pd.DataFrame({"g": ["n1", "n2", "g03"], "z": [1.0, 3.0, 2.0]})
    draws = model.predict(fitted["pilot"], data=new, sample_new_groups=True, inplace=False, random_seed=2)
    mu = get_group(draws, "predictions")["mu"].to_numpy().reshape(-1, 3)
    posterior = get_group(fitted["pilot"], "posterior")
    scale, gamma = (posterior[name].to_numpy().ravel() for name in (f"1|{TINY}_sigma", f"{TINY}_sd_z"))
    for column, w in ((0, -1.0), (1, 1.0)):
        standard = mu[:, column] / (scale * np.exp(gamma * w))
        assert standard.var() == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(mu[:, 2], posterior[f"1|{TINY}"].sel({f"{TINY}__factor_dim": "g03"}).to_numpy().ravel())


def test_a_number_that_fixes_a_coefficient_counts_for_new_groups() -> None:
    model = explained(priors={f"{FACTOR}_sd_size": 0.5, f"{FACTOR}_sd_side": [-0.3]})
    design = model.design.evaluate(pd.DataFrame({"x": [1.0], "g": ["new"], "size": [2.0], "side": ["right"]}))
    posterior = {f"{NAME}_sigma": np.full(4000, 2.0)}
    sampler = PopulationSampler(model.priors.terms)
    options = {"allowed": True, "sampler": sampler, "rng": np.random.default_rng(1)}
    effects = draw_new_levels(design, posterior, **options)[NAME]
    data = grouped_data().groupby("g")[["size", "side"]].first()
    wanted = 0.5 * (2.0 - data["size"].mean()) - 0.3 * (data["side"] == "left").mean()
    assert np.std(effects) == pytest.approx(2.0 * np.exp(wanted), rel=0.06)


def test_a_models_own_groups_can_be_taken_for_new_ones() -> None:
    design = with_new_groups(explained().design)
    sds = design.factors[FACTOR].sds
    assert sds is not None
    gammas = np.array([[0.4, -1.0]])
    wanted = factors({f"{FACTOR}_sd_size": gammas[:, 0], f"{FACTOR}_sd_side": gammas[:, 1]})
    np.testing.assert_allclose(sds.factors(gammas, design.factors[FACTOR].levels), wanted)


def test_new_data_that_say_too_little_are_refused() -> None:
    design, rows = explained().design, grouped_data().head(4)
    for change, words in (
        (rows.drop(columns="size"), "lack the column 'size'"),
        (rows.assign(size=np.nan), "missing"),
        (rows.assign(side="middle"), "has the level 'middle' in the new data"),
        (rows.assign(g="new", size=[1.0, 1.0, 2.0, 1.0]), "'size' is 1 and 2 in rows of the level 'new' of 'g'"),
    ):
        with pytest.raises(DataError, match=words):
            design.evaluate(change)


def test_known_groups_keep_their_effects_or_are_taken_for_new_ones() -> None:
    """Rows of one that say different things are no matter until it is taken for a new one."""
    design, rows = explained().design, grouped_data().query("g == 'g2'").head(3)
    changing = design.evaluate(rows.assign(size=[7.0, 8.0, 9.0]))
    assert not changing.factors[FACTOR].new_levels
    with pytest.raises(DataError, match=r"taken for new ones.*'size' is 7 and 8"):
        with_new_groups(changing)
    sds = with_new_groups(design.evaluate(rows.assign(size=7.0))).factors[FACTOR].sds
    assert sds is not None
    size = grouped_data().groupby("g")["size"].first().mean()
    found = sds.factors(np.array([[0.5, 0.0]]), ["g2"])
    np.testing.assert_allclose(found, np.exp(0.5 * (7.0 - size)))


def test_populations_of_new_groups(fitted: Any) -> None:
    """An average over new groups is made for rows of one z, and refused where one group would have several."""
    options = {"groups": "population", "integrate": 3}
    found = nl.interpret.predictions(tiny_model(), fitted["pilot"], newdata=tiny().head(4), **options)
    assert len(found) == 4
    assert "gr(g, sd=z)_sd_z" in tiny_model().parameters["mu"].group_specific_terms


def test_a_model_comes_back_from_a_file(tmp_path: Any) -> None:
    model = explained()
    model.save(tmp_path / "model.zip")
    back = nl.Model.load(tmp_path / "model.zip")
    one, other = (JointTarget(specification_of(each).posterior.assembled, use_pilot=False) for each in (model, back))
    position = np.random.default_rng(1).normal(0, 0.5, one.dimension)
    assert value_of(one, position)[0] == value_of(other, position)[0]
