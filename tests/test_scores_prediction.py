"""Kinds of predictions: what they answer, what they refuse and in which words, objects of other libraries."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
from scipy import stats

import nutslite as nl
from nutslite import scores
from nutslite.exceptions import NutsliteError
from nutslite.scores import Prediction
from nutslite.scores.distributions import distribution, distribution_names
from nutslite.scores.kinds.kind import QUESTIONS, CannotSayError

RNG = np.random.default_rng(11)
ROWS = 4
Y = np.array([0.3, -1.0, 2.0, 0.0])
MU, SIGMA = np.array([0.0, -0.5, 1.0, 0.2]), np.array([1.0, 0.5, 2.0, 1.5])
NORMAL = Prediction.from_normal(MU, SIGMA)
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]

KINDS = {
    "draws": Prediction.from_draws(RNG.normal(MU, SIGMA, (2000, ROWS))),
    "parametric": NORMAL,
    "mixture": Prediction.from_mixture(mu=MU + RNG.normal(size=(5, ROWS)), sigma=np.tile(SIGMA, (5, 1))),
    "quantiles": Prediction.from_quantiles(NORMAL.quantile(LEVELS), LEVELS),
    "interval": Prediction.from_interval(*NORMAL.interval(0.9), prob=0.9),
    "binary": Prediction.from_probabilities([0.1, 0.5, 0.9, 0.3]),
    "classes": Prediction.from_probabilities(RNG.dirichlet(np.ones(3), ROWS)),
    "members": Prediction.from_probabilities(RNG.dirichlet(np.ones(3), (6, ROWS))),
    "dirichlet": Prediction.from_dirichlet(RNG.random((ROWS, 3)) + 0.5),
    "frozen": Prediction.from_distribution(stats.norm(MU, SIGMA)),
    "vectors": Prediction.from_vectors(np.random.default_rng(3).normal(size=(200, ROWS, ROWS))),
}
ANSWERS = {
    "draws": "quantile interval cdf cdf_below mean sd sample crps scaled_crps",
    "parametric": "quantile interval cdf cdf_below log_density mean sd sample crps scaled_crps",
    "mixture": "quantile interval cdf cdf_below log_density mean sd sample crps scaled_crps variance_split",
    "quantiles": "quantile interval",
    "interval": "quantile interval",
    "binary": "cdf cdf_below log_density mean sd sample probabilities",
    "classes": "cdf cdf_below log_density sample probabilities",
    "members": "cdf cdf_below log_density sample probabilities entropy_split",
    "dirichlet": "cdf cdf_below log_density sample probabilities entropy_split",
    "frozen": "quantile interval cdf cdf_below log_density mean sd sample crps scaled_crps",
    "vectors": "mean sd sample",
}
ARGUMENTS = {"quantile": (0.05,), "interval": (0.9,), "sample": (1, 7)} | dict.fromkeys(
    ("cdf", "cdf_below", "log_density", "crps", "scaled_crps"), (np.array([0, 1, 1, 0]),)
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_kind_answers_or_says_why_not(kind, question):
    P, arguments = KINDS[kind], ARGUMENTS.get(question, ())
    assert (question in ANSWERS[kind].split()) == P.can(question) == (question in P.capabilities)
    if P.can(question):
        found = getattr(P, question)(*arguments)
        for part in found if isinstance(found, tuple) else (found,):
            assert part.shape[-1 if question == "sample" else 0] == P.n == len(P) == ROWS
            assert np.all(np.isfinite(part))
    else:
        reason = P.why_not(question)
        assert reason.endswith(".")
        assert len(reason) < 300
        with pytest.raises(CannotSayError) as caught:
            getattr(P, question)(*arguments)
        assert str(caught.value) == reason


# ------------------------------------------------------------------------------------------------------------ draws


def test_draws_of_chains_and_of_named_dimensions():
    x = RNG.normal(size=(3, 50, ROWS))
    joined = Prediction.from_draws(x.reshape(-1, ROWS)).crps(Y)
    np.testing.assert_array_equal(Prediction.from_draws(x).crps(Y), joined)
    np.testing.assert_array_equal(Prediction.from_draws(x.reshape(-1, ROWS).T, draw_axis=1).crps(Y), joined)
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(x, dims=("chain", "draw", "obs")).transpose("obs", "draw", "chain")
    np.testing.assert_array_equal(Prediction.from_draws(named).crps(Y), joined)
    with pytest.raises(NutsliteError, match="none is called chain, draw or sample"):
        Prediction.from_draws(xarray.DataArray(x[0], dims=("s", "obs")))


@pytest.mark.parametrize(("size", "expected"), [(20, 0.904), (100, 0.896)])
def test_intervals_of_few_draws_are_not_too_narrow(size, expected):
    """Of a perfect ensemble: 90.4 and 89.6 % of 90 % intervals; by NumPy's own quantiles 81.8 and 87.8."""
    rng = np.random.default_rng(size)
    y = rng.normal(size=20_000)
    lower, upper = Prediction.from_draws(rng.normal(size=(size, y.size))).interval(0.9)
    assert scores.coverage(y, lower, upper).mean() == pytest.approx(expected, abs=0.009)


def test_too_few_draws_for_a_level_are_told():
    few = Prediction.from_draws(RNG.normal(size=(10, ROWS)))
    with pytest.warns(UserWarning, match=r"10 draws do not reach the level 0\.05, which needs 19"):
        few.interval(0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few.interval(0.8)
        Prediction.from_draws(RNG.normal(size=(19, ROWS))).interval(0.9)


def test_weighted_draws():
    x, weights = RNG.normal(size=(300, ROWS)), RNG.random(300)
    equal, plain = Prediction.from_draws(x, np.ones(300)), Prediction.from_draws(x)
    np.testing.assert_allclose(equal.quantile(LEVELS), plain.quantile(LEVELS), rtol=1e-9)
    np.testing.assert_allclose(equal.sd(), plain.sd(), rtol=1e-12)
    P = Prediction.from_draws(x, weights)
    np.testing.assert_allclose(P.mean(), weights @ x / weights.sum(), rtol=1e-12)
    np.testing.assert_allclose(P.cdf(Y), weights @ (x <= Y) / weights.sum(), rtol=1e-12)
    np.testing.assert_allclose(P.crps(Y), scores.crps(Y, x, weights=weights), rtol=1e-14)
    by_row = Prediction.from_draws(x, np.repeat(weights[:, None], ROWS, axis=1))
    for found in (P, by_row):
        assert np.abs(found.sample(1, 20_000).mean(axis=0) - P.mean()).max() < 0.05
        assert np.all(np.abs(found.cdf(found.quantile(0.3)) - 0.3) < 0.02)


def test_draws_of_counts_are_counts():
    counts = Prediction.from_draws(RNG.poisson(3.0, (500, ROWS)))
    assert counts.whole
    y = np.array([3.0, 2.0, 1.0, 0.0])
    assert np.all(counts.cdf_below(y) < counts.cdf(y))
    assert not KINDS["draws"].whole
    assert not Prediction.from_draws(RNG.poisson(3.0, (500, ROWS)), whole=False).whole


# --------------------------------------------------------------------------------------------------------- mixtures


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0, 0.0, 1.0]])
@pytest.mark.parametrize(("name", "second"), [("gaussian", "sigma"), ("negativebinomial", "alpha"), ("gamma", "alpha")])
def test_mixtures_are_what_draws_of_them_are(name, second, weights):
    mu = RNG.random((5, 2)) * 4 + 1
    P = Prediction.from_mixture(name, weights, **{"mu": mu, second: np.full((5, 1), 1.5)})
    x = P.sample(3, 100_000)
    y = np.array([2.0, 5.0])
    np.testing.assert_allclose(P.mean(), x.mean(axis=0), rtol=0.03)
    np.testing.assert_allclose(P.sd(), x.std(axis=0), rtol=0.03)
    np.testing.assert_allclose(P.cdf(y), (x <= y).mean(axis=0), atol=0.01)
    np.testing.assert_allclose(P.crps(y), scores.crps(y, x), rtol=0.05)
    for level in (0.1, 0.5, 0.9):
        assert np.all(P.cdf(P.quantile(level)) >= level - 1e-9)
        assert np.all(P.cdf_below(P.quantile(level)) <= level + 1e-9)
    aleatoric, epistemic = P.variance_split()
    np.testing.assert_allclose(aleatoric + epistemic, P.sd() ** 2, rtol=1e-12)


def test_a_mixture_of_equal_components_is_one():
    P = Prediction.from_mixture(mu=np.tile(MU, (7, 1)), sigma=np.tile(SIGMA, (7, 1)))
    for question, argument in (("crps", Y), ("log_density", Y), ("cdf", Y), ("quantile", LEVELS), ("scaled_crps", Y)):
        np.testing.assert_allclose(getattr(P, question)(argument), getattr(NORMAL, question)(argument), rtol=1e-10)


def test_normal_mixtures_have_the_score_of_their_cdf():
    from nutslite.scores.numerics.quadrature import squares_and_products

    for members in (1, 2, 5, 6):
        mu, sigma = RNG.normal(size=(members, ROWS)), RNG.random((members, ROWS)) + 0.5
        for weights in (None, RNG.random(members)):
            P = Prediction.from_mixture(weights=weights, mu=mu, sigma=sigma)
            cdf = lambda x, P=P: np.stack([P.cdf(row) for row in x])  # noqa: E731
            expected, _ = squares_and_products(Y, cdf, lambda levels, P=P: P.quantile(levels).T)
            np.testing.assert_allclose(P.crps(Y), expected, rtol=1e-9)


def test_parameters_of_posterior_draws_make_a_mixture():
    mu, sigma = RNG.normal(size=(2, 400, ROWS)), RNG.random((2, 400, 1)) + 0.5
    P = Prediction.from_distribution("gaussian", mu=mu, sigma=sigma)
    density = stats.norm.logpdf(Y, mu, sigma).reshape(-1, ROWS)
    np.testing.assert_allclose(-P.log_density(Y), scores.nll(density), rtol=1e-12)
    many, few = P.crps(Y), scores.crps(Y, P.sample(1, 100_000))
    np.testing.assert_allclose(many, few, rtol=0.03)
    np.testing.assert_allclose(P.cdf(P.quantile([0.1, 0.9])[:, 1]), 0.9, atol=0.03)
    np.testing.assert_array_equal(P.crps(Y), many)


# ------------------------------------------------------------------------------------------------ quantiles, intervals


def test_quantiles_are_those_that_were_given():
    P = KINDS["quantiles"]
    np.testing.assert_array_equal(P.quantile([0.95, 0.05]), NORMAL.quantile([0.95, 0.05]))
    np.testing.assert_array_equal(P.interval(0.5), NORMAL.interval(0.5))
    with pytest.raises(NutsliteError, match=r"quantiles of levels 0\.05, 0\.25, 0\.5, 0\.75, 0\.95; 0\.1 is not among"):
        P.interval(0.8)
    assert not P.kind.crossing.any()
    assert Prediction.from_quantiles([[2.0, 1.0]], [0.1, 0.9]).kind.crossing.all()


def test_an_interval_has_one_probability():
    P = KINDS["interval"]
    np.testing.assert_array_equal(P.interval(0.9), NORMAL.interval(0.9))
    with pytest.raises(NutsliteError, match=r"one interval, of probability 0\.9"):
        P.interval(0.5)


# ------------------------------------------------------------------------------------------------------- classes


def test_labels_of_classes():
    p = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]
    P = Prediction.from_probabilities(p, classes=["low", "middle", "high"])
    assert P.observed(["low", "high"]).tolist() == [0.0, 2.0]
    np.testing.assert_allclose(P.log_density(["low", "high"]), np.log([0.7, 0.8]))
    np.testing.assert_allclose(P.cdf(["middle", "low"]), [0.9, 0.1])
    np.testing.assert_allclose(P.cdf_below(["middle", "low"]), [0.7, 0.0], atol=1e-15)
    assert Prediction.from_probabilities([0.2, 0.4], [False, True]).observed([True, False]).tolist() == [1.0, 0.0]
    with pytest.raises(
        NutsliteError, match=r"y holds 'hihg', which is none of the classes: low, middle, high\. Did you"
    ):
        P.log_density(["low", "hihg"])


def test_draws_of_classes():
    for kind in ("binary", "classes", "dirichlet"):
        P = KINDS[kind]
        x = P.sample(2, 20_000)
        p = P.probabilities() if P.probabilities().ndim == 1 else P.probabilities()[:, 1]
        np.testing.assert_allclose((x == 1).mean(axis=0), p, atol=0.02)


# --------------------------------------------------------------------------------------- objects of other libraries


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (NORMAL, stats.norm(MU, SIGMA)),
        (Prediction.from_distribution("poisson", mu=[3.0, 50.0]), stats.poisson([3.0, 50.0])),
        (Prediction.from_distribution("negativebinomial", mu=[3.0, 800.0], alpha=[2.0, 5.0]),
         stats.nbinom([2.0, 5.0], [2 / 5, 5 / 805])),
        (Prediction.from_distribution("gamma", mu=[2.0, 1.0], alpha=[2.0, 5.0]), stats.gamma([2.0, 5.0], scale=[1.0,
        0.2])), (Prediction.from_distribution("t", mu=[0.0, 0.0], sigma=[1.0, 1.0], nu=[3.0, 0.5]), stats.t([3.0,
        0.5])), (NORMAL, [stats.norm(m, s) for m, s in zip(MU, SIGMA, strict=True)]),
    ],
)  # fmt: skip
def test_frozen_distributions_of_scipy(ours, theirs):
    P = Prediction.from_distribution(theirs)
    y = np.floor(ours.quantile(0.7)) + (0.0 if ours.whole else 0.3)
    assert (P.n, P.whole) == (ours.n, ours.whole)
    np.testing.assert_allclose(P.crps(y), ours.crps(y), rtol=1e-8)
    for question, argument in (("cdf", y), ("cdf_below", y), ("log_density", y), ("quantile", [0.2, 0.9])):
        np.testing.assert_allclose(
            getattr(P, question)(argument), getattr(ours, question)(argument), rtol=1e-9, atol=1e-12
        )
    assert P.sample(1, 5).shape == (5, ours.n)


class Tensor:
    """What matters of a torch tensor: numbers behind `detach().cpu()`, and its like made of an array."""

    def __init__(self, values):
        self.values = np.asarray(values, dtype=np.float32)

    def new_tensor(self, values):
        return Tensor(values)

    def detach(self):
        return self

    def cpu(self):
        return self.values


class TorchNormal:
    """What matters of torch.distributions.Normal, and of StudentT where `closed` is False: a cdf that only raises."""

    event_shape = ()
    support = types.SimpleNamespace(is_discrete=False)

    def __init__(self, mu, sigma, closed=True):
        self.loc, self.scale, self.closed = Tensor(mu), Tensor(sigma), closed
        self.mean, self.stddev = self.loc, self.scale

    def _needs(self, value):
        assert isinstance(value, Tensor)
        if not self.closed:
            raise NotImplementedError
        return value.values

    def cdf(self, value):
        return Tensor(stats.norm.cdf(self._needs(value), self.loc.values, self.scale.values))

    def icdf(self, value):
        return Tensor(stats.norm.ppf(self._needs(value), self.loc.values, self.scale.values))

    def log_prob(self, value):
        return Tensor(stats.norm.logpdf(value.values, self.loc.values, self.scale.values))

    def sample(self, shape):
        return Tensor(
            np.random.default_rng(1).normal(self.loc.values, self.scale.values, (*shape, self.loc.values.size))
        )


def test_distributions_of_torch():
    P = Prediction.from_distribution(TorchNormal(MU, SIGMA))
    np.testing.assert_allclose(P.crps(Y), NORMAL.crps(Y), rtol=1e-5)
    np.testing.assert_allclose(P.log_density(Y), NORMAL.log_density(Y), rtol=1e-5)
    np.testing.assert_allclose(P.sd(), SIGMA, rtol=1e-6)
    without = Prediction.from_distribution(TorchNormal(MU, SIGMA, closed=False))
    assert without.capabilities == ("log_density", "mean", "sd", "sample")
    assert "has no working method cdf" in without.why_not("crps")
    assert without.sample(1, 6).shape == (6, ROWS)
    np.testing.assert_allclose(without.log_density(Y), NORMAL.log_density(Y), rtol=1e-5)


def test_an_object_that_fails_is_named():
    broken = stats.norm(MU, SIGMA)
    broken.cdf = lambda x: 1 / 0
    P = Prediction.from_distribution(broken)
    with pytest.raises(NutsliteError, match=r"The method cdf of the .* failed: ZeroDivisionError"):
        P.cdf(Y)


def torch_like(name, **parameters):
    """An object of a class of this name, as torch.distributions has it: parameters, and hardly a method."""

    def raises(self, value):
        raise NotImplementedError

    own = {"batch_shape": (2,), "event_shape": (), "cdf": raises, "log_prob": raises}
    tensors = {key: Tensor(value) if np.ndim(value) else value for key, value in parameters.items()}
    return type(name, (), {**own, **tensors})()


@pytest.mark.parametrize(
    ("theirs", "name", "ours"),
    [
        (torch_like("Normal", loc=[0, 1], scale=[1, 2]), "gaussian", {"mu": [0, 1], "sigma": [1, 2]}),
        (torch_like("StudentT", df=[3, 5], loc=[0, 1], scale=[1, 2]), "t",
         {"mu": [0, 1], "sigma": [1, 2], "nu": [3, 5]}),
        (torch_like("Gamma", concentration=[2, 3], rate=[1, 2]), "gamma", {"mu": [2, 1.5], "alpha": [2, 3]}),
        (torch_like("Beta", concentration1=[2, 3], concentration0=[2, 1]), "beta",
         {"mu": [0.5, 0.75], "kappa": [4, 4]}),
        (torch_like("Weibull", scale=[2, 3], concentration=[1, 2]), "weibull",
         {"mu": [2, 3 * math.sqrt(math.pi) / 2], "alpha": [1, 2]}),
        (torch_like("Exponential", rate=[0.5, 4]), "exponential", {"mu": [2, 0.25]}),
        (torch_like("Poisson", rate=[3, 5]), "poisson", {"mu": [3, 5]}),
        (torch_like("NegativeBinomial", total_count=[3, 5], logits=[0, 0]), "negativebinomial",
         {"mu": [3, 5], "alpha": [3, 5]}),
        (torch_like("Binomial", total_count=[3, 5], probs=[0.5, 0.25]), "binomial", {"n": [3, 5], "p": [0.5, 0.25]}),
        (torch_like("Bernoulli", probs=[0.5, 0.25]), "bernoulli", {"p": [0.5, 0.25]}),
        (torch_like("LogNormal", loc=[0, 1], scale=[1, 2]), "lognormal", {"mu": [0, 1], "sigma": [1, 2]}),
        (torch_like("Laplace", loc=[0, 1], scale=[1, 2]), "laplace", {"mu": [0, 1], "b": [1, 2]}),
    ],
)  # fmt: skip
def test_distributions_of_torch_are_known_by_their_names(theirs, name, ours):
    y = np.array([0.0, 1.0])
    P = Prediction.from_distribution(theirs)
    np.testing.assert_allclose(P.crps(y), getattr(scores, f"crps_{name}")(y, **ours), rtol=1e-6)
    assert P.capabilities == Prediction.from_distribution(name, **ours).capabilities


def test_mixtures_and_classes_of_torch():
    parts = torch_like("Normal", loc=[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], scale=np.ones((2, 3)))
    shares = torch_like("Categorical", probs=[[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    P = Prediction.from_distribution(
        torch_like("MixtureSameFamily", component_distribution=parts, mixture_distribution=shares)
    )
    np.testing.assert_allclose(P.mean(), [0.75, 4.0], rtol=1e-6)
    assert P.crps([0.0, 4.0])[1] == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi), rel=1e-6)
    np.testing.assert_allclose(
        Prediction.from_distribution(shares).log_density([1, 1]), [math.log(0.25), 0.0], atol=1e-7
    )


def test_probabilities_of_a_bernoulli_distribution():
    P = Prediction.from_distribution("bernoulli", p=[0.2, 0.9])
    np.testing.assert_array_equal(P.probabilities(), [0.2, 0.9])
    many = Prediction.from_distribution("bernoulli", p=[[0.0, 0.9], [1.0, 0.9]])
    np.testing.assert_allclose(many.probabilities(), [0.5, 0.9])
    np.testing.assert_allclose(many.entropy_split().epistemic, [math.log(2.0), 0.0], atol=1e-15)


# --------------------------------------------------------------------------------------------------------- the room


def test_names_load_late():
    code = (
        "import sys, nutslite; scores = nutslite.scores; dir(scores); "
        "heavy = {'numpy', 'numba', 'scipy', 'pandas'} & set(sys.modules); assert not heavy, heavy; "
        "scores.Prediction; scores.crps_gaussian; assert not {'pandas', 'arviz', 'patsy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", scores.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(scores, name)
    assert thing.__name__ == name
    assert thing.__doc__
    assert name in dir(nl.scores)
    if isinstance(thing, type):
        assert "Parameters\n" in thing.__doc__ or "Attributes\n" in thing.__doc__
    else:
        assert "Parameters\n" in thing.__doc__
        assert "Returns\n" in thing.__doc__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match=r"module 'nutslite\.scores' has no attribute 'crsp'"):
        _ = scores.crsp


def test_many_draws_take_little_time():
    import time

    x, y = RNG.normal(size=(4000, 1000)), RNG.normal(size=1000)
    started = time.process_time()
    assert math.isfinite(float(scores.crps(y, x).sum()))
    assert time.process_time() - started < 3.0  # a sort of each row; all pairs would take minutes


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_and_reports_can_be_pickled(kind: str) -> None:
    """So that they can be stored, and come back from another process."""
    y = np.zeros((ROWS, ROWS)) if kind == "vectors" else np.array([0, 1, 1, 0])
    report = scores.evaluate(y, KINDS[kind], simulations=0)
    P, read = pickle.loads(pickle.dumps((KINDS[kind], report)))
    assert type(P.kind) is type(KINDS[kind].kind)
    assert str(read) == str(report)


def test_distributions_are_pickled_by_name() -> None:
    for name in distribution_names():
        assert pickle.loads(pickle.dumps(distribution(name))) is distribution(name)
