"""Priors of single coefficients by the names that results show, and arrays of arguments."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import assembled_of

from nutslite import Formula, Model, Prior
from nutslite.exceptions import NutsliteWarning, PriorError
from nutslite.priors.coefficient_priors import ColumnPriors

RNG = np.random.default_rng(21)
N = 90
DATA = {
    "y": RNG.normal(3.0, 2.0, N),
    "x": RNG.normal(1.0, 3.0, N),
    "g": RNG.choice(list("abc"), N),
    "h": RNG.choice(list("uv"), N),
    "s": RNG.choice(list("pqrst"), N),
}


def priors_of(formula, priors, parameter="mu", **more):
    return Model(formula, DATA, priors=priors, **more).priors.terms[parameter]


def test_one_coefficient_and_the_default_for_the_others():
    default = priors_of("y ~ g + x", None)
    chosen = priors_of("y ~ g + x", {"g[b]": Prior("Normal", mu=1, sigma=0.5)})
    assert str(chosen["g"]) == f"Normal(mu: [1. 0.], sigma: [0.5    {np.round(default['g'].args['sigma'][1], 4)}])"
    matrix = Model("y ~ g + x", DATA).design.predictors["mu"].matrix
    sigmas = np.array([default["g"].args["sigma"][1], default["x"].args["sigma"]])
    expected = np.sqrt((2.5 * DATA["y"].std()) ** 2 + np.sum((sigmas * matrix[1:].mean(axis=1)) ** 2))
    assert chosen["Intercept"].args["sigma"] == pytest.approx(expected)  # g[b] is no default and widens nothing


def test_a_coefficient_beside_a_prior_of_its_term():
    chosen = priors_of("y ~ g", {"g": Prior("Normal", mu=[1, 2], sd=3), "g[c]": Prior("Normal", mu=7, tau=4)})
    assert str(chosen["g"]) == "Normal(mu: [1. 7.], sigma: [3.  0.5])"
    generic = priors_of("y ~ g + x", {"common": Prior("Normal", sd=3), "g[c]": Prior("Normal", mu=7, sd=1)})
    assert str(generic["g"]) == "Normal(mu: [0. 7.], sigma: [3. 1.])"
    assert str(generic["x"]) == "Normal(sd: 3)"


@pytest.mark.parametrize(
    ("formula", "key", "column"),
    [
        ("y ~ x + x:g", "x:g[b]", 0),
        ("y ~ x:g", "x:g[a]", 0),
        ("y ~ g:h", "g:h[b, u]", None),
        ("y ~ g + h + g:h", "g:h[c, v]", 1),
        ("y ~ g + h + g:h", "g[c]:h[v]", 1),
        ("y ~ g", "g[T.c]", 1),
        ("y ~ bs(x, df=4)", "bs(x, df=4)[2]", 2),
        ("y ~ poly(x, 2)", "poly(x, 2)[0]", 0),
    ],
)
def test_names_as_they_show_in_the_results(formula, key, column):
    model = Model(formula, DATA)
    term = "g:h" if key.startswith("g[c]:h") else key.split("[")[0]
    labels = [str(label) for label in next(t.labels for t in model.design.predictors["mu"].terms if t.name == term)]
    if column is None:
        column = labels.index("b, u")
    chosen = priors_of(formula, {key: Prior("Normal", mu=5, sigma=0.5)})[term]
    np.testing.assert_array_equal(np.flatnonzero(chosen.args["mu"]), [column])
    assert chosen.args["sigma"][column] == 0.5


@pytest.mark.parametrize("key", ["g[b]|s", "g|s[b]"])
def test_columns_of_group_specific_terms(key):
    own = Prior("Normal", mu=0, sigma=Prior("HalfNormal", sigma=0.1))
    chosen = priors_of("y ~ g + (g|s)", {key: own})["g|s"]
    default = priors_of("y ~ g + (g|s)", None)["g|s"]
    np.testing.assert_allclose(chosen.args["sigma"].args["sigma"], [0.1, default.args["sigma"].args["sigma"][1]])
    with pytest.raises(PriorError, match=r"columns of the group-specific term 'g.s' must have the same distribution"):
        priors_of("y ~ g + (g|s)", {key: Prior("Normal", mu=0, sigma=2)})


def test_coefficients_of_modelled_parameters_and_tuples():
    tight = Prior("Normal", mu=0, sigma=0.1)
    terms = priors_of(Formula("y ~ g", "sigma ~ g"), {"sigma": {"g[b]": tight}}, "sigma")
    assert str(terms["g"]) == "Normal(mu: [0. 0.], sigma: [0.1 1. ])"
    both = priors_of("y ~ g + x:g", {("g[b]", "x:g[c]"): tight})
    assert both["g"].args["sigma"][0] == both["x:g"].args["sigma"][2] == 0.1


def test_scales_of_single_coefficients():
    for automatic in ("default", "mle"):
        plain = priors_of("y ~ g", None, automatic_priors=automatic)["g"].args["sigma"]
        wide = priors_of("y ~ g", {"g[c]": "wide"}, automatic_priors=automatic)["g"].args["sigma"]
        half = priors_of(
            "y ~ g",
            {"g[c]": 0.5 * (3**-0.5 if automatic == "mle" else 1)},
            automatic_priors=automatic,
            taylor=1 if automatic == "mle" else None,
        )
        np.testing.assert_allclose(wide, plain)
        assert half["g"].args["sigma"][1] < 0.6 * plain[1]
    with pytest.raises(PriorError, match="no default prior to scale"):
        priors_of("y ~ g", {"g": Prior("Normal"), "g[b]": 0.5})


def test_different_distributions_in_one_term():
    laplace = Prior("Laplace", mu=0, b=2)
    terms = priors_of("y ~ g", {"g[b]": laplace})
    assert isinstance(terms["g"], ColumnPriors)
    sigma = np.round(priors_of("y ~ g", None)["g"].args["sigma"][1], 4)
    assert str(terms["g"]) == f"[b] Laplace(mu: 0, b: 2), [c] Normal(mu: 0.0, sigma: {sigma})"
    assert f"g ~ {terms['g']}" in repr(Model("y ~ g", DATA, priors={"g[b]": laplace}))
    flat = priors_of("y ~ g", {"g[b]": laplace}, auto_scale=False)
    assert str(flat["g"]) == "[b] Laplace(mu: 0, b: 2), [c] Flat()"


def test_the_density_is_that_of_the_columns():
    """The log prior of a model with priors per column is the sum of these."""
    from scipy import stats

    priors = {
        "Intercept": Prior("Normal", mu=0, sigma=1),
        "g[b]": Prior("Laplace", mu=1, b=2),
        "g[c]": Prior("StudentT", nu=3, mu=0, sigma=4),
        "sigma": 2.0,
    }
    model = Model("y ~ g", DATA, priors=priors)
    from nutslite.posterior.targets.target import JointTarget

    flat = Model("y ~ g", DATA, priors={"sigma": 2.0}, auto_scale=False)
    position = np.array([0.3, -0.7, 1.9])
    values = []
    for each in (model, flat):
        density = JointTarget(assembled_of(each))
        values.append(density.logdensity(position, np.empty(3), density.data))
    expected = stats.norm(0, 1).logpdf(0.3) + stats.laplace(1, 2).logpdf(-0.7) + stats.t(3, 0, 4).logpdf(1.9)
    assert values[0] - values[1] == pytest.approx(expected)


def test_a_fit_keeps_each_coefficient_to_its_prior():
    priors = {"g[b]": Prior("Laplace", mu=2.5, b=0.02), "g[c]": Prior("Normal", mu=-3, sigma=0.001)}
    model = Model("y ~ g", DATA, priors=priors)
    results = model.fit(draws=100, chains=1, random_seed=3, progressbar=False)
    means = results.posterior["g"].mean(("chain", "draw"))
    np.testing.assert_allclose(means.sel(g_dim=["b", "c"]).values, [2.5, -3.0], atol=0.03)
    prior = model.prior_predictive(draws=200, random_seed=1)
    assert 0.01 < float(prior.prior["g"].sel(g_dim="b").std()) < 0.05  # of a Laplace prior with b = 0.02: 0.028


def test_spikes_that_the_search_cannot_reach_are_not_silent(caplog):
    """Newton's steps stop at the kink of one prior, and the other coefficient stays away from its own."""
    priors = {"g[b]": Prior("Laplace", mu=37, b=0.001), "g[c]": Prior("Normal", mu=-30, sigma=0.001)}
    Model("y ~ g", DATA, priors=priors).fit(draws=100, chains=1, random_seed=3, progressbar=False)
    assert "effective sample size" in caplog.text


@pytest.mark.parametrize(
    ("priors", "error"),
    [
        ({"g[d]": Prior("Normal")}, "g.b.|g.c."),
        ({"g[a]": Prior("Normal")}, "g.b.|g.c."),
        ({"x[0]": Prior("Normal")}, "'x"),
    ],
)
def test_coefficients_that_are_not_there(priors, error):
    with pytest.warns(NutsliteWarning, match=error):
        priors_of("y ~ g + x", priors)


def test_refused():
    with pytest.raises(PriorError, match=r"coefficient 'g.*' is named twice"):
        priors_of("y ~ g + h + g:h", {"g:h[b, v]": Prior("Normal"), "g[b]:h[v]": Prior("Normal")})
    with pytest.raises(PriorError, match="Can't set a hyperprior on a single coefficient"):
        priors_of("y ~ g", {"g[b]": Prior("Normal", sigma=Prior("HalfNormal"))})
    with pytest.raises(PriorError, match="'g' has hyperpriors, which are about all its coefficients"):
        priors_of("y ~ g", {"g": Prior("Normal", sigma=Prior("HalfNormal")), "g[b]": Prior("Normal")})
    with pytest.raises(PriorError, match=r"'g.b.' has 1 column, but mu"):
        priors_of("y ~ g", {"g[b]": Prior("Normal", mu=[1, 2])})
    with pytest.raises(PriorError, match=r"'g.b.' must be a Prior, or a scale"):
        priors_of("y ~ g", {"g[b]": None})


def test_arrays_of_arguments_per_column_in_nested_priors():
    nested = Prior("Normal", mu=[0, 1], sigma=Prior("Gamma", alpha=2, beta=Prior("Exponential", lam=[3, 4])))
    model = Model("y ~ g + (g|s)", DATA, priors={"g|s": nested})
    assert str(model.priors.terms["mu"]["g|s"]) == (
        "Normal(mu: [0 1], sigma: Gamma(alpha: 2, beta: Exponential(lam: [3 4])))"
    )
    draws = model.prior_predictive(draws=4000, random_seed=2).prior["g|s_sigma_beta"]
    np.testing.assert_allclose(draws.mean(("chain", "draw")), [1 / 3, 1 / 4], rtol=0.1)
