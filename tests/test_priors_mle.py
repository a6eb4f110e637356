"""Automatic priors from the likelihood, beside statsmodels' figures, and invariances that they must have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from nutslite import Formula, Model, Prior
from nutslite.exceptions import PerfectSeparationError, PriorError
from nutslite.families.links.codes import inverse_array
from nutslite.families.record.register import get_family
from nutslite.formula.design import build_design
from nutslite.priors.newton import FamilyLikelihood, maximise
from nutslite.priors.profile import GaussianProfile, KernelProfile, make_profile

FAMILIES = [
    "bernoulli",
    "beta",
    "binomial",
    "gamma",
    "gaussian",
    "lognormal",
    "negativebinomial",
    "poisson",
    "t",
    "wald",
]
LINKS = {"gamma": "log", "wald": "log"}


def guide_like_data():
    """What the figures of statsmodels below were computed on: n = 120, two numbers and a factor of three levels."""
    rng = np.random.default_rng(2017)
    n = 120
    x, z = np.round(rng.normal(1, 2, n), 2), np.round(rng.normal(size=n), 2)
    g = np.arange(n) % 3
    eta = 0.4 * x - 0.5 * z + 0.3 * (g == 1) - 0.4
    binary = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    counts = rng.poisson(np.exp(0.5 * eta)).astype(float)
    return {"binary": binary, "counts": counts, "x": x, "z": z, "g": np.array(list("abc"))[g]}


def data_of(family, link, n=150, seed=6):
    """A response of the family that depends on x; z and u have nothing to do with it."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(1.0, 2.0, n), rng.normal(size=n)
    parameters = {family.parent.name: inverse_array(link, 0.25 * x)}
    parameters |= {p.name: np.full(n, {"positive": 2.0, "unit": 0.3, "real": 0.5}[p.support]) for p in family.auxiliary}
    companions = {name: rng.integers(3, 9, n).astype(float) for name in family.companions}
    y = family.random(rng, parameters, companions)
    return {"y": y, "x": x, "z": z, "g": rng.choice(list("abc"), n), "u": rng.choice(list("pqrs"), n), **companions}


def widths(model):
    """Standard deviations of all automatic priors of the parent's terms, group-specific ones by their hyperprior."""
    out = {}
    for name, prior in model.priors.terms[model.family.parent.name].items():
        sigma = prior.args["sigma"]
        out[name] = sigma.args["sigma"] if isinstance(sigma, Prior) else sigma
    return out


def mle(formula, data, **more):
    return Model(formula, data, automatic_priors="mle", **more)


# Computed with statsmodels (GLM, refits with an offset) and mpmath (Taylor coefficients at 60 digits), following the
# steps in nutslite/priors/mle.py: taylor, scale, then x, z, g[b], g[c]. Such log likelihoods are good to seven digits.
STATSMODELS = {
    "bernoulli": [
        (1, 3**-0.5, [0.7610512436506705, 1.3480576105854567, 3.212322429012463, 3.2133591368402894]),
        (3, 0.4, [0.49907279981633007, 0.848581395666057, 2.2564271549588395, 2.141766722484485]),
        (5, 0.8, [1.2372046650801822, 2.3909074375137043, 5.050861957320814, 5.110130044119757]),
        (8, 3**-0.5, [0.7260621346616184, 1.220001560783731, 3.499847518228722, 3.180104909960991]),
        (13, 0.2, [0.26169938887467475, 0.45199989476212216, 1.1661125556733518, 1.1174524251307636]),
    ],
    "poisson": [
        (1, 3**-0.5, [0.30266279993648854, 0.5331731615597105, 1.3409794839073719, 1.323724861088544]),
        (3, 0.4, [0.2245687084235204, 0.4252066559713392, 0.8030580290118565, 0.9459501377028704]),
        (5, 0.8, [0.5217716752883641, 1.1912958054134237, 2.7661522008807626, 2.1182005825178494]),
        (8, 3**-0.5, [0.36213170082587237, 0.8501380762114585, 1.6817528044467667, 1.4807834331194787]),
        (13, 0.2, [0.11705461083844478, 0.33165153288232124, 0.43780925516813485, 0.48882791339361514]),
    ],
}
NULL_MODELS = {
    "bernoulli": (-0.033336420267592023, 2.0002778356615485),
    "poisson": (0.1177830356563835, 0.9428090415820632),
}


@pytest.mark.parametrize("family", STATSMODELS)
def test_slopes_and_intercept_beside_statsmodels(family):
    data = guide_like_data()
    y = {"bernoulli": "binary", "poisson": "counts"}[family]
    for taylor, scale, expected in STATSMODELS[family]:
        model = mle(f"{y} ~ x + z + g", data, family=family, taylor=taylor, priors={"common": scale})
        found = widths(model)
        np.testing.assert_allclose([found["x"], found["z"], *found["g"]], expected, rtol=1e-6)
        intercept = model.priors.terms[model.family.parent.name]["Intercept"]
        mean, sigma = NULL_MODELS[family]
        assert intercept.args["mu"] == pytest.approx(mean)
        columns = model.design.predictors[model.family.parent.name].matrix.mean(axis=1)
        assert intercept.args["sigma"] == pytest.approx(np.sqrt(sigma**2 + np.sum((columns * expected) ** 2)), rel=1e-6)


def test_default_order_is_five_for_gaussian_and_one_otherwise():
    data = guide_like_data()
    for family, y, order in (("gaussian", "x", 5), ("poisson", "counts", 1), ("bernoulli", "binary", 1)):
        chosen, explicit, other = (
            widths(mle(f"{y} ~ z", data, family=family, taylor=taylor))["z"] for taylor in (None, order, order + 1)
        )
        assert chosen == explicit
        assert chosen != other


def test_least_squares_and_newton_find_the_same_gaussian_profile():
    data = data_of(get_family("gaussian"), "identity")
    design = build_design("y ~ x + z + g + offset(0.3 * z)", data, parameters=("mu", "sigma"))
    family = get_family("gaussian")
    links = family.choose_links()
    quick = make_profile(design, family, links, {})
    assert isinstance(quick, GaussianProfile)
    likelihood = FamilyLikelihood(
        family, links, design.response.values, np.ones(150), design.predictors["mu"].offset, {}
    )
    slow = KernelProfile(likelihood)
    np.testing.assert_allclose(slow.intercept(), quick.intercept(), rtol=1e-6)
    columns = np.concatenate([np.ones((1, 150)), design.predictors["mu"].matrix])
    for place in range(1, len(columns)):
        one, other = slow.curve(columns, place), quick.curve(columns, place)
        np.testing.assert_allclose(one.distances, other.distances, rtol=1e-6)
        np.testing.assert_allclose(one.drops, other.drops, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["gamma", "t", "negativebinomial", "beta"])
def test_newton_finds_the_maximum_that_a_general_optimiser_finds(name):
    """Scale, shape and degrees of freedom are maximised along with the coefficients."""
    family = get_family(name)
    links = family.choose_links(LINKS.get(name))
    data = data_of(family, links[family.parent.name])
    columns = np.array([np.ones(150), data["x"], data["z"]])
    likelihood = FamilyLikelihood(family, links, data["y"][None], np.ones(150), np.zeros(150), {})
    best = maximise(likelihood, columns)
    n_free = len(likelihood.free)

    def negative(position):
        eta = likelihood.linear_predictors(position[:3] @ columns, position[3:])
        return -float(likelihood.evaluate(eta)[0].sum())

    start = np.concatenate([best.coefficients, best.constants]) + 0.05
    found = optimize.minimize(
        negative, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 9000}
    )
    assert float(best.loglik.sum()) == pytest.approx(-found.fun, abs=1e-5)
    assert best.information.shape == (3 + n_free, 3 + n_free)
    assert best.loglik.sum() >= -found.fun - 1e-7


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_and_the_units_of_its_predictors(name):
    """x in other units changes its prior by the same factor; moving x changes no slope; others stay."""
    family = get_family(name)
    link = LINKS.get(name, family.parent.default_link)
    data = data_of(family, link)
    y = "p(y, trials)" if "trials" in family.companions else "y"
    formula = f"{y} ~ x + z + (z|u) + (0 + g|u)"
    first = widths(mle(formula, data, family=name, link=link))
    other = widths(mle(formula, data | {"x": 10.0 * data["x"]}, family=name, link=link))
    moved = widths(mle(formula, data | {"x": data["x"] + 3.0}, family=name, link=link))
    assert all(np.all(np.asarray(width) > 0) for width in first.values())
    assert other["x"] == pytest.approx(first["x"] / 10.0, rel=1e-5)
    assert moved["x"] == pytest.approx(first["x"], rel=1e-5)
    assert other["z"] == pytest.approx(first["z"], rel=1e-5)
    np.testing.assert_allclose(other["g|u"], first["g|u"], rtol=1e-5)
    assert first["z|u"] == first["z"]
    assert first["1|u"] == pytest.approx(3**-0.5 * first["Intercept"])


def test_weights_count_rows():
    """Row i with weight w_i is w_i rows."""
    data = data_of(get_family("poisson"), "log")
    rng = np.random.default_rng(1)
    data["w"] = rng.integers(1, 4, 150).astype(float)
    repeated = {key: np.repeat(value, data["w"].astype(int)) for key, value in data.items()}
    for family in ("gaussian", "poisson"):
        weighted = widths(mle("weighted(y, w) ~ x + z", data, family=family))
        plain = widths(mle("y ~ x + z", repeated, family=family))
        assert weighted["x"] == pytest.approx(plain["x"], rel=1e-6)
        assert weighted["z"] == pytest.approx(plain["z"], rel=1e-6)


def test_a_coefficient_whose_estimate_is_zero_has_a_prior():
    """The profile between zero and an estimate of zero is a point; the width is that of its neighbours."""
    x = np.tile([-1.0, 1.0], 40)
    y = np.repeat([1.0, 2.0, 4.0, 0.0], 20)  # no correlation at all
    assert widths(mle("y ~ x", {"y": y, "x": x}))["x"] == pytest.approx(
        widths(mle("y ~ x", {"y": y + 0.1 * x, "x": x}))["x"], rel=1e-2
    )
    counts = widths(mle("y ~ x", {"y": y, "x": x}, family="poisson"))["x"]
    near = widths(mle("y ~ x", {"y": np.where(np.arange(80) == 1, y + 1, y), "x": x}, family="poisson"))["x"]
    assert counts == pytest.approx(near, rel=0.1)


def test_an_intercept_alone_and_no_intercept():
    data = data_of(get_family("gaussian"), "identity")
    alone = mle("y ~ 1 + (1|u)", data)
    assert widths(alone)["Intercept"] == pytest.approx(data["y"].std(ddof=1))
    without = widths(mle("y ~ 0 + x + (1|u)", data))
    assert set(without) == {"x", "1|u"}
    assert without["1|u"] == pytest.approx(
        3**-0.5 * np.sqrt(data["y"].var(ddof=1) + (without["x"] * data["x"].mean()) ** 2)
    )


def test_group_slopes_without_a_common_slope_are_refitted():
    data = data_of(get_family("gaussian"), "identity")
    assert widths(mle("y ~ z + (0 + x|u)", data))["x|u"] == pytest.approx(widths(mle("y ~ z + x", data))["x"])
    # all levels of a factor: they take the place of its contrasts and of the intercept
    levels = widths(mle("y ~ g + z + (0 + g|u)", data))["g|u"]
    np.testing.assert_allclose(levels, widths(mle("y ~ 0 + g + z", data))["g"])


def test_a_group_slopes_own_scale_and_that_of_the_common_slope():
    data = data_of(get_family("gaussian"), "identity")
    narrow, wide = (widths(mle("y ~ x + (x|u)", data, priors={"x": scale})) for scale in ("narrow", "wide"))
    assert narrow["x|u"] == narrow["x"] != wide["x"]
    own = widths(mle("y ~ x + (x|u)", data, priors={"x|u": "narrow"}))
    assert own["x"] == wide["x"]
    assert own["x|u"] == narrow["x"]
    beside_a_prior = widths(mle("y ~ x + (x|u)", data, priors={"x": Prior("Normal", mu=0, sigma=9)}))
    assert beside_a_prior["x|u"] == wide["x"]
    group_intercept = widths(mle("y ~ x + (1|u)", data, priors={"1|u": 0.1}))
    assert group_intercept["1|u"] == pytest.approx(0.1 * group_intercept["Intercept"])


def test_only_the_parent_is_scaled_and_fixed_parameters_stay():
    data = data_of(get_family("gaussian"), "identity")
    model = mle(Formula("y ~ x", "sigma ~ z"), data)
    assert str(model.priors.terms["sigma"]["z"]) == "Normal(mu: 0.0, sigma: 1.0)"
    assert widths(model)["x"] == pytest.approx(widths(mle("y ~ x", data))["x"])
    fixed = widths(mle("y ~ x", data, priors={"sigma": 50.0}))["x"]
    assert fixed > 2 * widths(mle("y ~ x", data))["x"]  # so much noise would leave x little to say


@pytest.mark.filterwarnings("ignore:.*separates the outcomes")  # the model's own warning of such data
@pytest.mark.parametrize("kind", ["complete", "quasi", "factor", "counts"])
def test_perfect_separation(kind):
    """PerfectSeparationError, the text of Bambi 0.6, and what to do."""
    x = np.linspace(-1, 1, 40)
    data = {"y": (x > 0).astype(float), "x": x, "f": np.repeat(["a", "b"], 20), "z": np.sin(9 * x)}
    formula, family = "y ~ x + z", "bernoulli"
    if kind == "quasi":
        data["x"] = np.where(np.arange(40) % 4 == 0, 0.0, x)  # ties at zero only
        data["y"] = np.where(data["x"] == 0.0, np.arange(40) % 8 == 0, data["y"]).astype(float)
    elif kind == "factor":
        data["y"] = np.where(data["f"] == "a", np.arange(40) % 2, 1.0)
        formula = "y ~ f + z"
    elif kind == "counts":
        data["y"] = np.where(data["f"] == "a", np.arange(40) % 5, 0.0)
        formula, family = "y ~ f + z", "poisson"
    with pytest.raises(
        PerfectSeparationError, match="Perfect separation detected, automatic priors are not available"
    ) as found:
        mle(formula, data, family=family)
    assert "Please indicate priors manually." in str(found.value)
    assert "automatic_priors='default'" in str(found.value)
    assert isinstance(found.value, PriorError)
    names = {"x": 1, "z": 1} if "x" in formula else {"f": 1, "z": 1}
    Model(formula, data, family=family)  # the default priors do not mind
    own = {name: Prior("Normal", mu=0, sigma=1) for name in [*names, "Intercept"]}
    mle(formula, data, family=family, priors=own)  # the remedy


def test_what_cannot_be_served_says_why():
    data = data_of(get_family("gaussian"), "identity")
    with pytest.raises(PriorError, match=r"'x2?' is a linear combination"):
        mle("y ~ x + x2", data | {"x2": 2 * data["x"] + 1})
    with pytest.raises(PriorError, match="does not vary"):
        mle("y ~ x", data | {"y": np.ones(150)})
    with pytest.raises(PriorError, match="without error"):
        mle("y ~ x", data | {"y": 1 + 2 * data["x"]})
    with pytest.raises(PriorError, match="at most 1"):
        mle("y ~ x", data, priors={"x": 1.5})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"automatic_priors": "mel"}, "one of 'default', 'mle'; not 'mel'. Did you mean 'mle'"),
        ({"automatic_priors": None}, "one of 'default', 'mle'"),
        ({"automatic_priors": "mle", "taylor": 14}, "from 1 to 13, not 14"),
        ({"automatic_priors": "mle", "taylor": 0}, "from 1 to 13, not 0"),
        ({"automatic_priors": "mle", "taylor": 2.5}, "from 1 to 13, not 2.5"),
        ({"automatic_priors": "mle", "taylor": True}, "from 1 to 13, not True"),
        ({"taylor": 3}, "taylor belongs to automatic_priors='mle'"),
        ({"automatic_priors": "mle", "auto_scale": False}, "choose one"),
    ],
)
def test_settings_that_are_refused(settings, message):
    with pytest.raises(PriorError, match=message):
        Model("y ~ x", {"y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0]}, **settings)


@pytest.mark.parametrize("taylor", range(1, 14))
def test_every_order_gives_a_width(taylor):
    """Of the same size up to order 11; beyond, the polynomial leaves the circle where the series converges."""
    data = data_of(get_family("gaussian"), "identity")
    width = widths(mle("y ~ z", data, taylor=taylor, priors={"z": "narrow"}))["z"]
    first = widths(mle("y ~ z", data, taylor=1, priors={"z": "narrow"}))["z"]
    assert width == pytest.approx(first, rel=0.3) if taylor < 12 else first < width < np.inf
