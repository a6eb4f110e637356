"""Draws of responses and priors at parameters that NumPy's generators refuse, and right moments just below these."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from small_models import grouped_data

import nutslite as nl
from nutslite import _draws
from nutslite._draws import HIGHEST_COUNT
from nutslite.exceptions import NutsliteWarning
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import family_names
from nutslite.priors.densities.catalogue import DENSITIES
from nutslite.results.container.inference_data import get_group

ENDS = {
    "real": (-np.inf, -1e300, 0.0, 1e300, np.inf),
    "positive": (0.0, 5e-324, 1e-300, 1.0, 9.2e18, 1e19, 1e300, np.inf),
    "unit": (0.0, 5e-324, 1e-300, 0.5, 1.0 - 1e-16, 1.0),
}
COUNTS = ("bernoulli", "binomial", "negativebinomial", "poisson", "zero_inflated_poisson")
SIZE = 200_000


@pytest.mark.parametrize("name", [name for name in family_names() if get_family(name).combine is None])
def test_every_family_draws_at_the_ends_of_its_parameters(name):
    family = get_family(name)
    corners = np.array(list(itertools.product(*(ENDS[p.support] for p in family.parameters)))).T
    parameters = {p.name: np.repeat(row, 5) for p, row in zip(family.parameters, corners, strict=True)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = family.random(np.random.default_rng(1), parameters, {"trials": np.full(corners.shape[1] * 5, 9.0)})
    assert drawn.dtype == (np.int64 if family.discrete else np.float64)
    assert drawn.shape == (corners.shape[1] * 5,)
    if family.discrete or family.response_support in ("positive", "nonnegative", "unit", "closed_unit"):
        assert (drawn >= 0).all()
    elif family.response_support == "angle":
        assert (np.abs(drawn) <= np.pi).all()
    else:
        scale = parameters["sigma"] if "sigma" in parameters else parameters["b"]
        undefined = np.isinf(parameters["mu"]) & (np.isinf(scale) | (scale == 0.0))  # b may be a rate
        assert not np.isnan(drawn[~undefined]).any()


def test_ordinary_draws_beside_extreme_ones_are_not_lost():
    rng = np.random.default_rng(2)
    mu = np.full((SIZE, 3), [4.0, np.inf, 1e300])
    counts = _draws.poisson(rng, mu)
    assert counts[:, 0].mean() == pytest.approx(4.0, abs=5 * 2.0 / SIZE**0.5)
    assert (counts[:, 1:] == HIGHEST_COUNT).all()
    shares = _draws.beta(rng, np.full((SIZE, 3), [0.3, 0.3, 0.3]), np.array([2.0, 0.0, np.inf]))
    assert shares[:, 0].var() == pytest.approx(0.07, rel=0.02)
    assert set(shares[:, 1]) == {0.0, 1.0}
    assert shares[:, 1].mean() == pytest.approx(0.3, abs=0.006)
    np.testing.assert_allclose(shares[:, 2], 0.3)


@pytest.mark.parametrize("mu", [1e6, 1e12, 1.1e12, 1e15, 5e18])
def test_counts_have_their_moments_up_to_the_end_of_int64(mu):
    rng = np.random.default_rng(3)
    for drawn, sd in (
        (_draws.poisson(rng, np.full(SIZE, mu)), mu**0.5),
        (_draws.negative_binomial(rng, np.full(SIZE, mu), 1e4), (mu + mu**2 / 1e4) ** 0.5),
        (_draws.binomial(rng, np.full(SIZE, 1.5 * mu), 2 / 3), (mu / 3) ** 0.5),
    ):
        centred = (drawn - np.float64(mu)) / sd
        assert abs(centred.mean()) < 5 / SIZE**0.5
        assert centred.std() == pytest.approx(1.0, rel=0.01)


def test_trials_beyond_int64():
    rng = np.random.default_rng(4)
    assert (_draws.binomial(rng, np.array([1e19, 1e300]), np.array([1.0, 0.5])) == HIGHEST_COUNT).all()
    few = _draws.binomial(rng, np.full(SIZE, 1e25), 3e-25)
    assert few.mean() == pytest.approx(3.0, abs=0.03)
    assert few.var() == pytest.approx(3.0, rel=0.03)


@pytest.mark.parametrize(("mu", "lam"), [(1.0, 1.0), (1e5, 1.0), (1e12, 3.0), (np.inf, 3.0), (1e300, 2e290)])
def test_wald_has_its_quantiles_where_the_mean_is_far_above_the_shape(mu, lam):
    """Above a mean of 1e5 shapes the distribution is Levy's to five digits, below that a Levy variable's first half."""
    from scipy import stats

    drawn = _draws.wald(np.random.default_rng(5), np.full(SIZE, mu), lam)
    quantiles = np.quantile(drawn, [0.05, 0.3, 0.5])
    exact = stats.invgauss(mu / lam, scale=lam) if mu == lam else stats.levy(scale=lam)
    np.testing.assert_allclose(exact.cdf(quantiles), [0.05, 0.3, 0.5], atol=0.006)


def test_wald_has_its_mean_on_both_sides_of_the_two_ways():
    for ratio in (0.5 * _draws.WALD_RATIO, 2.0 * _draws.WALD_RATIO):
        drawn = _draws.wald(np.random.default_rng(6), np.full(2_000_000, ratio), 1.0)
        middle = drawn[drawn < np.quantile(drawn, 0.9)]
        assert middle.mean() == pytest.approx(_trimmed_mean(ratio), rel=0.01)


def _trimmed_mean(mu):
    from scipy import integrate, stats

    density = stats.invgauss(mu)
    end = density.ppf(0.9)
    return integrate.quad(lambda x: x * density.pdf(x), 0.0, end, limit=200)[0] / 0.9


@pytest.mark.parametrize("name", [name for name in DENSITIES if name not in ("Flat", "HalfFlat", "LKJ")])
def test_priors_draw_where_hyperpriors_underflow_and_overflow(name):
    density = DENSITIES[name]
    rng = np.random.default_rng(7)
    for end in (0.0, 5e-324, 1e300, np.inf):
        between = {"lower": -1.0, "upper": 1.0}
        values = tuple(np.full(4, end if a.positive else between.get(a.name, 0.0)) for a in density.arguments)
        assert density.sample(rng, values, 4).shape == (4,)


def test_a_uniform_prior_as_long_as_numbers_go():
    drawn = DENSITIES["Uniform"].sample(np.random.default_rng(8), (-1e308, 1e308), 1000)
    assert np.abs(drawn).max() <= 1e308
    assert (drawn / 1e308).std() == pytest.approx(1 / 3**0.5, rel=0.05)


def wide(scale):
    return {name: nl.Prior("Normal", mu=0, sigma=scale) for name in ("Intercept", "x")}


@pytest.mark.parametrize(
    ("family", "response", "link"),
    [
        ("poisson", "k", "log"),
        ("negativebinomial", "k", "log"),
        ("zero_inflated_poisson", "k", "log"),
        ("gamma", "p", "log"),
        ("wald", "p", "log"),
        ("weibull", "p", "log"),
        ("beta", "u", "logit"),
        ("binomial", "p(h, n)", "logit"),
        ("bernoulli", "b", "logit"),
        ("gaussian", "y", "log"),
        ("lognormal", "p", "identity"),
        ("t", "y", "log"),
    ],
)
def test_prior_predictive_of_wide_priors_keeps_all_draws(family, response, link):
    rng = np.random.default_rng(9)
    data = pd.DataFrame({"x": rng.normal(size=20), "y": rng.normal(size=20), "k": rng.poisson(2, 20)})
    data = data.assign(p=np.exp(data["y"]), u=rng.uniform(0.1, 0.9, 20), n=7, h=rng.binomial(7, 0.5, 20))
    model = nl.Model(f"{response} ~ x", data.assign(b=data["k"] % 2), family=family, link=link, priors=wide(300.0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        idata = model.prior_predictive(draws=300, random_seed=1)
    drawn = get_group(idata, "prior_predictive")[model.design.response.name].values
    assert drawn.shape == (1, 300, 20)
    assert all(issubclass(item.category, NutsliteWarning) for item in caught)
    assert not np.isnan(drawn.astype(float)).any()
    if family in COUNTS:
        assert drawn.dtype == np.int64
    capped = int((drawn == HIGHEST_COUNT).sum()) if family in COUNTS else int(np.isinf(drawn).sum())
    said = [str(item.message) for item in caught]
    assert any(text.startswith(f"{capped} of 6000 predicted responses") for text in said) == (capped > 0)
    assert (capped > 0) == (family not in ("beta", "binomial", "bernoulli", "wald"))


def test_predictions_of_one_extreme_row_keep_the_others():
    """As `prior_predictive`, for `predict(kind="response")` of a posterior."""
    model = nl.Model("k ~ x", grouped_data().assign(k=3), family="poisson")
    results = model.fit(draws=50, chains=2, inference_method="laplace", random_seed=1, progressbar=False)
    get_group(results, "posterior")["x"].values[0, :5] = 1e6
    new = pd.DataFrame({"x": [0.0, 1.0]})
    with pytest.warns(NutsliteWarning, match="5 of 200 predicted responses are larger"):
        drawn = model.predict(results, data=new, kind="response", inplace=False, random_seed=1)
    values = get_group(drawn, "predictions")["k"].values
    assert values.dtype == np.int64
    assert (values[..., 0] < 20).all()
    assert (values[0, :5, 1] == HIGHEST_COUNT).all()


def test_a_draw_without_a_parameter_is_nan_and_the_others_are_kept():
    model = nl.Model("k ~ x", grouped_data().assign(k=3), family="poisson")
    results = model.fit(draws=50, chains=2, inference_method="laplace", random_seed=1, progressbar=False)
    get_group(results, "posterior")["x"].values[0, :5] = np.nan
    with pytest.warns(NutsliteWarning, match="nan for 5 of 100 draws and rows, because 'mu' is outside its range"):
        drawn = model.predict(results, data={"x": [1.0]}, kind="response", inplace=False, random_seed=1)
    values = get_group(drawn, "predictions")["k"].values
    assert int(np.isnan(values).sum()) == 5
