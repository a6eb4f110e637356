"""Models of few rows: coordinates in which they are sampled, and posteriors against quadrature."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import nutslite as nl
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.reciprocal import EFFECTS_STAY
from nutslite.posterior.density.warped_value import scratch_for
from nutslite.posterior.independence import trials
from nutslite.posterior.methods import independence, slices
from nutslite.posterior.methods.slices import slices_for
from nutslite.posterior.pilot.inside import inside
from nutslite.posterior.pilot.level_lines import level_lines
from nutslite.posterior.pilot.mode import Mode
from nutslite.posterior.pilot.nested_laplace import _is_another, bounded
from nutslite.posterior.pilot.pieces import lines_through_pieces
from nutslite.posterior.pilot.row_information import linear_predictors
from nutslite.posterior.record.model_data import reference_to
from nutslite.posterior.record.transforms import FOLD
from nutslite.posterior.record.warp import untable
from nutslite.posterior.slicing import chains, trial
from nutslite.posterior.slicing.autocorrelation import FEWEST_DRAWS, autocorrelation_time, is_slow
from nutslite.posterior.slicing.mixture import mixture_of
from nutslite.posterior.targets.marginal_target import MarginalTarget
from nutslite.posterior.targets.target import JointTarget
from nutslite.results.diagnostics.diagnostics import ess_bulk, rhat

DATA = pd.DataFrame(
    {
        "y": [1.2, 3.4, 2.2, 9.1, 3.0],
        "x": [1.0, 2.0, 4.0, 3.0, 1.0],
        "z": [0.0, 1.0, 0.0, 1.0, 1.0],
        "b": [0, 1, 1, 0, 1],
        "g": list("abbab"),
    }
)
SMALL = {
    "one scale": ("y ~ x + z", "lognormal", "identity"),
    "positive predictor": ("y ~ x + z", "gamma", "inverse"),
    "positive predictor without an intercept": ("y ~ 0 + x", "gamma", "inverse"),
    "positive predictor with groups": ("y ~ x + (1|g)", "gamma", "inverse"),
    "probability itself": ("b ~ x + z", "bernoulli", "identity"),
    "few levels": ("y ~ x + (1|g)", "gamma", "log"),
}


def small_target(name: str) -> tuple[JointTarget, Any]:
    """A target in its coordinates, and points around its centre."""
    formula, family, link = SMALL[name]
    target = nl.Model(formula, DATA, family, link=link).plan(path="joint").target()
    assert isinstance(target, JointTarget)
    target.launch()
    launch = target.launch_small()
    assert launch is not None
    assert target.is_warped
    points = launch.center + 0.5 * np.random.default_rng(1).normal(size=(6, target.dimension))
    return target, points


@pytest.mark.parametrize("name", SMALL)
def test_gradient(name: str) -> None:
    target, points = small_target(name)
    _, gradients = values_and_gradients(target.logdensity, target.data, target.data_type, points)
    h = 1e-5
    for point, gradient in zip(points, gradients, strict=True):
        moved = h * np.eye(point.size)
        differences = (target.log_densities(point + moved, 1) - target.log_densities(point - moved, 1)) / (2 * h)
        np.testing.assert_allclose(gradient, differences, rtol=2e-4, atol=2e-4 * max(1.0, np.abs(gradient).max()))


@pytest.mark.parametrize("name", SMALL)
def test_density_is_that_of_the_model_times_the_jacobian(name: str) -> None:
    """The difference between two points is that of the plain density and of log |d values / d point|."""
    target, points = small_target(name)
    plain = nl.Model(SMALL[name][0], DATA, SMALL[name][1], link=SMALL[name][2]).plan(path="joint").target()
    head = target.model.head

    def position(point: Any) -> Any:
        """In the plain target's coordinates."""
        values, effects = target.natural(point[None, None], np.random.default_rng(0))
        values, effects = values[0, 0, : head.transforms.size], effects[0, 0]
        out = np.where(plain.model.head.transforms == 1, np.log(np.where(values > 0, values, 1.0)), values)
        scales = values[[i for i, v in enumerate(target.assembled.layout.variables) if v.name == "1|g_sigma"]]
        return np.concatenate([out, effects / (scales if effects.size else 1.0)])

    def joint(point: Any) -> float:
        gradient = np.empty(target.dimension)
        jacobian = np.empty((target.dimension, target.dimension))
        for j in range(target.dimension):
            step = np.zeros(target.dimension)
            step[j] = 1e-5
            jacobian[:, j] = (position(point + step) - position(point - step)) / 2e-5
        return plain.logdensity(position(point), gradient, plain.data) + np.linalg.slogdet(jacobian)[1]

    here = [joint(point) for point in points[:3]]
    np.testing.assert_allclose(np.diff(target.log_densities(points[:3], 1)), np.diff(here), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_density_without_its_gradient(name: str) -> None:
    """What slices are cut from is the same density, evaluation after evaluation in the same scratch."""
    target, points = small_target(name)
    density, data, _ = target.for_slices()
    unused = np.empty(0)
    found = [density(point, unused, data) for point in np.concatenate([points, points])]
    np.testing.assert_allclose(found, np.tile(target.log_densities(points, 1), 2), rtol=1e-12)


class Wanted(NamedTuple):
    """What a trial asks for."""

    draws: int = 10
    chains: int = 2
    cores: int | None = 1
    random_seed: Any = 5


@pytest.mark.slow
@pytest.mark.parametrize("jumps", [0.9, 400.0])
def test_trial_goes_on_where_mixing_is_slow(monkeypatch: pytest.MonkeyPatch, jumps: float) -> None:
    """Rounds with more and more sweeps; where too many updates are wanted, others with jumps, which may be worse."""
    target, _ = small_target("few levels")
    launch = target.launch_small()
    assert launch is not None
    monkeypatch.setattr(trial, "TRIAL_DRAWS", 40)
    times = iter([40.0, 40.0, 40.0, 40.0, jumps, jumps, jumps])
    monkeypatch.setattr(trial, "autocorrelation_time", lambda draws: next(times))
    slow = slices_for(target, launch, Wanted())
    assert slow is not None
    assert np.isfinite(slow.moves.directions).all()
    if jumps < 1.0:
        assert slow.updates == np.ceil(target.dimension * trial.SHARE_OF_TIME * jumps * 8)
    else:
        assert slow.updates == trial.MOST_UPDATES
    assert (slow.moves.mixture.shares.size > 0) == (jumps < 1.0)
    assert (slow.moves.widths.size > 0) == (jumps < 1.0)
    found = slices.run_slice(slow, Wanted(), lambda *progress: None)
    assert np.isfinite(found.stats["lp"]).all()


@pytest.mark.slow
def test_evaluations_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an update takes many, those at all powers."""
    target, _ = small_target("few levels")
    launch = target.launch_small()
    assert launch is not None
    monkeypatch.setattr(trial, "TRIAL_DRAWS", 40)
    monkeypatch.setattr(trial, "autocorrelation_time", lambda draws: 40.0)
    monkeypatch.setattr(trial, "MOST_EVALUATIONS", 100)
    found = slices_for(target, launch, Wanted())
    assert found is not None
    assert found.updates < 50
    several = chains.Chains(target, found.powers, found.starts[:1].copy(), [np.random.default_rng(1)], 1, found.lines)
    several.run(found.moves, found.updates, 40)
    assert several.evaluations < 1.5 * 40 * 100
    monkeypatch.setattr(trial, "MOST_TRIAL_EVALUATIONS", 1)
    rounds: list[int] = []
    settled = chains.Chains.settled
    monkeypatch.setattr(chains.Chains, "settled", lambda self, *given: rounds.append(given[1]) or settled(self, *given))
    assert slices_for(target, launch, Wanted()) is not None
    assert set(rounds) == {1}


def test_draws_that_depend_too_much_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial may miss rare excursions; the draws' own time then asks for more updates between them, once."""
    target, _ = small_target("few levels")
    launch = target.launch_small()
    assert launch is not None
    method = slices_for(target, launch, Wanted())
    assert method is not None
    monkeypatch.setattr(slices, "autocorrelation_time", lambda draws: 2.0 * slices.AIM * 1.99)
    slow = iter([True, False])
    monkeypatch.setattr(slices, "is_slow", lambda draws: next(slow, False))
    updates: list[int] = []
    run = chains.Chains.run
    monkeypatch.setattr(chains.Chains, "run", lambda self, *given: updates.append(given[1]) or run(self, *given))
    found = slices.run_slice(method, Wanted(draws=FEWEST_DRAWS), lambda *progress: None)
    assert sorted(set(updates)) == [method.updates, 4 * method.updates]
    assert found.positions.shape == (2, FEWEST_DRAWS, target.dimension)


def test_stopped_while_draws_are_made_again_the_first_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    target, _ = small_target("few levels")
    launch = target.launch_small()
    assert launch is not None
    method = slices_for(target, launch, Wanted())
    assert method is not None
    monkeypatch.setattr(slices, "is_slow", lambda draws: True)
    monkeypatch.setattr(slices, "autocorrelation_time", lambda draws: 10.0)
    run, blocks = chains.Chains.run, iter(range(9))

    def stopped(self: Any, directions: Any, updates: int, draws: int) -> Any:
        if updates > method.updates and next(blocks) == 2:  # some draws are there by then
            raise KeyboardInterrupt
        return run(self, directions, updates, draws)

    monkeypatch.setattr(chains.Chains, "run", stopped)
    found = slices.run_slice(method, Wanted(draws=FEWEST_DRAWS), lambda *progress: None)
    assert found.interrupted
    assert found.positions.shape[1] == FEWEST_DRAWS


def test_few_draws_do_not_say_that_they_are_slow() -> None:
    still = np.repeat(np.random.default_rng(1).normal(size=(2, 20, 1)), 20, axis=1)
    assert is_slow(still)
    assert not is_slow(still[:, : FEWEST_DRAWS - 1])
    assert not is_slow(np.random.default_rng(1).normal(size=(2, 400, 3)))


def test_slow_proposals_are_tried_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few rows, draws of independence Metropolis that turn out slow are made again, with more transitions."""
    model = nl.Model("y ~ x", DATA, "gaussian")
    thinnings: list[int] = []
    draws = independence._draws
    monkeypatch.setattr(
        independence,
        "_draws",
        lambda target, method, *rest: thinnings.append(method.thinning) or draws(target, method, *rest),
    )
    slow = iter([True, False])
    monkeypatch.setattr(independence, "is_slow", lambda draws: next(slow, False))
    monkeypatch.setattr(independence, "_stays", lambda positions: True)
    results = model.fit(draws=50, chains=2, random_seed=1, progressbar=False)
    assert results.posterior.attrs["inference_method"] == "independence"
    assert thinnings == [thinnings[0], 4 * thinnings[0]]


def test_autocorrelation_time_of_known_chains() -> None:
    """Of an AR(1) process with the coefficient 0.8: (1 + 0.8) / (1 - 0.8) = 9."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4, 4000, 2))
    for i in range(1, 4000):
        draws[:, i, 1] = 0.8 * draws[:, i - 1, 1] + 0.6 * draws[:, i, 1]
    assert 5.0 < autocorrelation_time(draws) < 16.0
    assert autocorrelation_time(draws[:, :, :1]) < 3.0


@pytest.mark.slow
def test_plateau_of_a_prior_that_reaches_far() -> None:
    """One group's mean may be nearly zero: rare, long excursions, which a short trial does not see."""
    y = [5.248, 3.609, 3.477, 3.029, 4.284, 2.472, 4.747, 5.083, 3.811, 4.92, 7.462]
    data = pd.DataFrame({"y": y, "f": list("abcabcabcab")})
    results = clean_fit(nl.Model("y ~ f", data, "t", link="log"), random_seed=93)
    draws = results.posterior["f"].to_numpy()[:, :, 1:]
    assert ess_bulk(draws)[0] > 400


class Heard(logging.Handler):
    """Warnings of a fit."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def clean_fit(model: nl.Model, **options: Any) -> Any:
    """A fit that nothing was said about."""
    heard = Heard()
    logging.getLogger("nutslite").addHandler(heard)
    try:
        results = model.fit(progressbar=False, cores=1, **options)
    finally:
        logging.getLogger("nutslite").removeHandler(heard)
    assert heard.lines == []
    return results


def agrees(draws: Any, distribution: Any, points: tuple[float, ...] = (0.1, 0.5, 0.9)) -> None:
    """Shares of draws (chains, draws) below quantiles of the exact distribution, within four standard errors."""
    assert rhat(draws[:, :, None])[0] < 1.02
    for p in points:
        below = (draws < distribution(p)).astype(float)
        error = np.sqrt(p * (1 - p) / ess_bulk(below[:, :, None])[0])
        assert abs(below.mean() - p) < 4.0 * error


@pytest.mark.slow
def test_start_where_a_mean_is_about_logarithms() -> None:
    """The inverse of the mean response is far from that of the mean logarithm, and a pole lies beside it."""
    y = [570.6, 165.8, 680.4, 432.1, 6341.3, 4031.8, 1586.2, 3580.9, 902.4, 1748.2]
    x = [0.054, 0.115, -0.013, 0.045, -0.085, -0.05, -0.004, -0.007, 0.002, 0.01]
    priors = dict.fromkeys(["Intercept", "x"], nl.Prior("StudentT", nu=2, mu=0, sigma=2))
    data = pd.DataFrame({"y": y, "x": x})
    results = clean_fit(nl.Model("y ~ x", data, "lognormal", link="inverse", priors=priors), random_seed=18)
    draws = results.posterior["Intercept"].to_numpy()
    assert abs(draws.mean() - 1.0 / np.log(y).mean()) < 0.01
    assert ess_bulk(draws[:, :, None])[0] > 1000


def test_knots_follow_one_mode() -> None:
    """What is far away, or much wider, is another mode: no table goes there."""
    here = Mode(np.zeros(2), np.eye(2), 0.0)
    assert not _is_another(here, Mode(np.array([0.0, 2.0]), 4.0 * np.eye(2), 0.0))
    assert _is_another(here, Mode(np.array([0.0, 20.0]), 4.0 * np.eye(2), 0.0))
    assert _is_another(here, Mode(np.zeros(2), np.diag([1.0, 1e6]), 0.0))
    assert _is_another(here, Mode(np.zeros(2), np.diag([1e-6, 1.0]), 0.0))


SATURATED = pd.DataFrame(
    {"y": [1.2, 3.4, 2.2, 9.1], "u": [0.31, 0.62, 0.45, 0.8], "a": list("uuvv"), "b": list("pqpq")}
)


@pytest.mark.parametrize(
    ("family", "link"),
    [
        ("lognormal", None),
        ("gamma", "log"),
        ("wald", "log"),
        ("beta", None),
        pytest.param("gaussian", "log", marks=pytest.mark.slow),
        ("t", None),
    ],
)
def test_as_many_coefficients_as_rows(family: str, link: str | None) -> None:
    """A proper posterior, without a mode: no crash, no "improper posterior", and draws that are clean."""
    model = nl.Model(f"{'u' if family == 'beta' else 'y'} ~ a * b", SATURATED, family, link=link)
    clean_fit(model, draws=500, random_seed=3)


def test_saturated_lognormal_against_quadrature() -> None:
    """Given sigma the coefficients of a lognormal model are normal, so sigma's posterior is a sum over a grid."""
    results = clean_fit(nl.Model("y ~ a * b", SATURATED, "lognormal"), random_seed=1)
    model = nl.Model("y ~ a * b", SATURATED, "lognormal")
    predictor = model.design.predictors["mu"]
    matrix = np.vstack([np.ones(4), predictor.matrix - predictor.matrix.mean(axis=1, keepdims=True)]).T
    priors = [model.priors.terms["mu"][name] for name in ("Intercept", "a", "b", "a:b")]
    mean = np.array([float(np.ravel(prior.args["mu"])[0]) for prior in priors])
    sd = np.array([float(np.ravel(prior.args["sigma"])[0]) for prior in priors])
    sigma = np.exp(np.linspace(-9.0, 3.0, 1501))
    covariance = (matrix * sd**2) @ matrix.T
    logs = np.array(
        [
            stats.multivariate_normal(matrix @ mean, covariance + s**2 * np.eye(4)).logpdf(np.log(SATURATED["y"]))
            for s in sigma
        ]
    )
    logs += stats.halfnorm(scale=model.priors.constants["sigma"].args["sigma"]).logpdf(sigma) + np.log(sigma)
    shares = np.cumsum(np.exp(logs - logs.max()))
    shares /= shares[-1]
    agrees(results.posterior["sigma"].to_numpy(), lambda p: sigma[np.searchsorted(shares, p)])


@pytest.mark.parametrize("method", ["auto", "nuts"])
@pytest.mark.parametrize("family", ["poisson", "negativebinomial", "gamma", "gaussian"])
def test_square_root_link_has_one_branch(method: str, family: str) -> None:
    """Linear predictors below zero would mean the same as those above: they are not allowed, as in R."""
    data = pd.DataFrame({"y": [2, 1, 1, 3]})
    results = nl.Model("y ~ 1", data, family, link="sqrt").fit(
        draws=300, inference_method=method, random_seed=5, progressbar=False, cores=1
    )
    assert (results.posterior["Intercept"].to_numpy() >= 0.0).all()


def test_square_root_link_against_quadrature() -> None:
    """The smallest of all: three counts."""
    results = clean_fit(nl.Model("y ~ 1", pd.DataFrame({"y": [2, 0, 1]}), "poisson", link="sqrt"), random_seed=2)
    eta = np.linspace(1e-6, 6.0, 20001)
    logs = 6.0 * np.log(eta) - 3.0 * eta**2 + stats.norm(0.0, 2.5).logpdf(eta)
    shares = np.cumsum(np.exp(logs - logs.max()))
    shares /= shares[-1]
    agrees(results.posterior["Intercept"].to_numpy(), lambda p: eta[np.searchsorted(shares, p)])


def test_square_root_link_of_approximations_and_predictions() -> None:
    """A normal approximation has no predictors below zero either; new rows that lead there have no mean."""
    data = pd.DataFrame({"y": [1, 0, 0, 2, 5, 4], "x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]})
    model = nl.Model("y ~ x", data, "poisson", link="sqrt")
    results = model.fit(draws=200, inference_method="laplace", random_seed=1, progressbar=False)
    model.predict(results)
    assert np.isfinite(results.posterior["mu"].to_numpy()).all()


def test_no_proposals_where_tails_are_heavy() -> None:
    """A mean of an inverse Gaussian that the data hardly bound from above: trial draws do not reach where it may be."""
    y = [1.752, 6.362, 4.556, 2.596, 1.678, 1.313, 1.106, 0.718, 2.224]
    priors = {"Intercept": nl.Prior("Normal", mu=0, sigma=30)}
    model = nl.Model("y ~ 1", pd.DataFrame({"y": y}), "wald", link="softplus", priors=priors)
    results = clean_fit(model, random_seed=31)
    eta, log_lam = np.meshgrid(np.linspace(-3.0, 150.0, 4001), np.linspace(-7.0, 6.0, 401), indexing="ij")
    mu, lam = np.logaddexp(0.0, eta), np.exp(log_lam)
    logs = stats.norm(0.0, 30.0).logpdf(eta) + stats.halfcauchy().logpdf(lam) + log_lam
    for value in y:
        logs += 0.5 * log_lam - 1.5 * np.log(value) - lam * (value - mu) ** 2 / (2.0 * mu**2 * value)
    shares = np.cumsum(np.exp(logs - logs.max()).sum(axis=1))
    shares /= shares[-1]
    agrees(results.posterior["Intercept"].to_numpy(), lambda p: eta[np.searchsorted(shares, p), 0])


@pytest.mark.parametrize("family", ["poisson", "gamma", "wald", "negativebinomial"])
def test_start_without_an_intercept(family: str) -> None:
    """Zero is no predictor that an inverse-squared link allows; more rows than coordinates are made for."""
    x = np.linspace(0.5, 2.0, 40)
    data = pd.DataFrame({"y": np.round(2.0 / np.sqrt(x)) + (0.25 if family in ("gamma", "wald") else 0.0), "x": x})
    data["y"] = data["y"].astype(float if family in ("gamma", "wald") else int)
    results = nl.Model("y ~ 0 + x", data, family, link="inverse_squared").fit(
        draws=50, chains=2, random_seed=1, progressbar=False, cores=1, compute_convergence_checks=False
    )
    assert (results.posterior["x"].to_numpy() > 0.0).all()


def test_start_where_the_mean_response_is_outside_the_link() -> None:
    """Means of counts are below one under a cloglog link, counts are not."""
    model = nl.Model("y ~ 1", pd.DataFrame({"y": [0, 4, 0]}), "negativebinomial", link="cloglog")
    clean_fit(model, draws=500, random_seed=1)


MARGINAL = pd.DataFrame({"y": [-2.051, -2.680, -0.782], "x": [-0.056, 0.072, -0.045], "g": list("bcb")})
WIDE = dict.fromkeys(["Intercept", "x"], nl.Prior("Normal", mu=0, sigma=30))


@pytest.mark.parametrize("formula", ["y ~ x + (1|g)", "y ~ 1 + (x|g)"])
def test_marginal_density_without_its_gradient(formula: str) -> None:
    target = nl.Model(formula, MARGINAL, priors={"Intercept": WIDE["x"]}).plan().target()
    assert isinstance(target, MarginalTarget)
    launch = target.launch()
    points = launch.center + 0.1 * np.random.default_rng(1).normal(size=(6, target.dimension))
    density, data, _ = target.for_slices()
    gradient = np.empty(target.dimension)
    with_gradient = [target.logdensity(point, gradient, target.data) for point in points]
    np.testing.assert_allclose([density(p, np.empty(0), data) for p in points], with_gradient, rtol=1e-10)


def test_two_scales_on_three_rows_against_quadrature() -> None:
    """More coefficients and effects than rows: the marginal density of the scales, by slices, without a divergence."""
    model = nl.Model("y ~ x + (1|g)", MARGINAL, priors=WIDE)
    results = clean_fit(model, random_seed=228)
    assert results.posterior.attrs["inference_method"] == "slice"
    log_sigma, log_tau = np.linspace(-9.0, 4.0, 131), np.linspace(-9.0, 3.0, 121)
    sigma, tau = np.exp(log_sigma)[:, None], np.exp(log_tau)
    x, y = (MARGINAL["x"] - MARGINAL["x"].mean()).to_numpy(), MARGINAL["y"].to_numpy()
    same = (MARGINAL["g"].to_numpy()[:, None] == MARGINAL["g"].to_numpy()).astype(float)
    covariance = 900.0 * (np.ones((3, 3)) + np.outer(x, x)) + np.multiply.outer(tau**2, same)
    covariance = covariance + np.multiply.outer(sigma**2, np.eye(3))
    logs = -0.5 * (
        np.linalg.slogdet(covariance)[1] + (y * np.linalg.solve(covariance, y[:, None])[..., 0]).sum(axis=-1)
    )
    scales = model.priors.constants["sigma"].args["sigma"], model.priors.terms["mu"]["1|g"].args["sigma"].args["sigma"]
    logs += stats.t(4.0, scale=scales[0]).logpdf(sigma) + stats.norm(scale=scales[1]).logpdf(tau) + np.log(sigma * tau)
    shares = np.exp(logs - logs.max())
    for grid, share, name in ((log_sigma, shares.sum(axis=1), "sigma"), (log_tau, shares.sum(axis=0), "1|g_sigma")):
        ends, below = grid + 0.5 * (grid[1] - grid[0]), np.cumsum(share) / share.sum()
        agrees(results.posterior[name].to_numpy(), lambda p, e=ends, b=below: np.exp(np.interp(p, b, e)))


def test_mode_of_a_folded_scale_is_above_zero() -> None:
    """Newton's steps may cross zero; a proposal from there would never be accepted, and slices would not start."""
    y, x = [-0.082, -0.165, -0.103, -0.361], [-2.42, 0.35, 0.95, 2.22]
    wide = nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=8.6123))
    priors = {"x|g": wide, "sigma": nl.Prior("HalfCauchy", beta=6.0867)}
    model = nl.Model("y ~ 1 + (x|g)", pd.DataFrame({"y": y, "x": x, "g": list("bccc")}), priors=priors)
    target = model.plan().target()
    assert isinstance(target, MarginalTarget)
    launch = target.launch()
    folded = target.reduction.data.head.transforms[: target.dimension] == FOLD
    assert folded.any()
    assert (launch.center[folded] > 0.0).all()
    assert slices_for(target, launch, Wanted()) is not None


def test_no_proposals_where_some_of_the_trial_are_outside_the_range() -> None:
    """Weights that are not defined there did not count as none: tails that no proposal reaches went unseen."""
    results = clean_fit(
        nl.Model("y ~ 1", pd.DataFrame({"y": [1.711, 0.681, 1.490]}), "gamma", link="identity"), random_seed=810
    )
    assert ess_bulk(results.posterior["alpha"].to_numpy()[:, :, None])[0] > 400


def test_as_many_effects_as_rows() -> None:
    """The pilot's sigma runs off to zero, at which every level would be centred and have no width at a zero scale."""
    y, x = [2.214, 3.123, 1.394], [-11.0, 2.3, 18.5]
    model = nl.Model("y ~ x + (1|g)", pd.DataFrame({"y": y, "x": x, "g": list("bac")}), "lognormal", link="softplus")
    target = model.plan().target()
    target.launch()
    assert isinstance(target, JointTarget)
    assert target.pilot is None
    launch = target.launch_small()
    assert launch is not None
    assert target.model.centring.max() < 0.95
    natural = target.natural(launch.center[None, None], np.random.default_rng(0))
    assert all(np.isfinite(part).all() for part in natural)
    assert np.exp(target.model.warp.logs[0]).min() > 1e-4


def test_draws_do_not_depend_on_cores_or_on_how_many_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LOWEST_ACCEPTANCE", 2.0)  # slices
    model = nl.Model("y ~ a * b", SATURATED, "lognormal")
    options = {"random_seed": 4, "chains": 2, "progressbar": False, "compute_convergence_checks": False}
    first = model.fit(draws=60, cores=1, **options).posterior["sigma"].to_numpy()
    second = model.fit(draws=130, cores=2, **options).posterior["sigma"].to_numpy()
    assert np.array_equal(first, second[:, :60])


def test_checkpoint_of_a_small_model(tmp_path: Any) -> None:
    """NUTS in these coordinates: its trial is a part of the launch, which the file keeps."""
    model = nl.Model("y ~ a * b", SATURATED, "lognormal")
    options = {"random_seed": 4, "chains": 2, "cores": 1, "progressbar": False, "compute_convergence_checks": False}
    path = tmp_path / "run.ckpt"
    model.fit(draws=20, checkpoint=path, **options)
    resumed = model.fit(draws=40, checkpoint=path, **options).posterior["sigma"].to_numpy()
    whole = model.fit(draws=40, inference_method="nuts", **options).posterior["sigma"].to_numpy()
    assert np.array_equal(resumed, whole)


@pytest.mark.parametrize(
    ("family", "link", "response"),
    [
        ("bernoulli", "identity", [0, 1, 1, 0, 1]),
        ("beta", "identity", [0.3, 0.6, 0.5, 0.4, 0.7]),
        ("poisson", "inverse_squared", [2, 1, 0, 3, 1]),
        ("gaussian", "inverse", [0.3, 0.6, 0.5, 0.4, 0.7]),
    ],
)
@pytest.mark.parametrize("formula", ["y ~ 0 + v", "y ~ 0 + v + w"])
def test_no_intercept_where_zero_is_outside_the_link(
    family: str, link: str, response: list[float], formula: str
) -> None:
    """The search starts inside the region, whatever its shape, so that slices can serve."""
    data = pd.DataFrame({"y": response, "v": [0.1, 1.0, 2.0, 5.0, 11.0], "w": [3.0, -0.5, 0.2, 1.0, -1.0]})
    target = nl.Model(formula, data, family, link=link).plan(path="joint").target()
    assert isinstance(target, JointTarget)
    target.launch()
    launch = target.launch_small(for_slices=True)
    assert launch is not None
    assert np.isfinite(target.log_densities(launch.center[None], 1)[0])


def test_a_point_inside_any_region() -> None:
    """Predictors above zero, or between zero and one; with offsets; None where there is no such point."""
    rng = np.random.default_rng(3)
    for p in (1, 2, 4):
        columns = rng.normal(size=(p, 9))
        columns *= np.where(rng.normal(size=p) @ columns > 0.0, 1.0, -1.0)  # some coefficients raise all rows
        offset = np.zeros(9)
        for below_one in (False, True):
            found = inside(columns, offset, below_one, 0.4)
            assert found is not None
            eta = found @ columns
            assert eta.min() > 0.0
            assert eta.max() < (1.0 if below_one else np.inf)
    shifted = inside(np.ones((1, 2)), np.array([-3.0, -3.5]), True, 0.5)
    assert shifted is not None
    assert 3.5 < shifted[0] < 4.0
    assert inside(np.array([[1.0, -1.0]]), np.zeros(2), False, 1.0) is None


POLE = pd.DataFrame({"y": [10.201, 8.794, 6.169, 8.115, 6.033]})


@pytest.fixture(scope="module")
def pole() -> nl.Model:
    """A narrow piece of the posterior, where the mean is near eight, and two wide ones, where it is nearly zero."""
    return nl.Model("y ~ 1", POLE, "gaussian", link="inverse", priors={"Intercept": nl.Prior("Normal", mu=0, sigma=30)})


def test_pieces_on_both_sides_of_a_pole(pole: nl.Model) -> None:
    results = pole.fit(draws=400, random_seed=7, progressbar=False, cores=1, compute_convergence_checks=False)
    side = np.union1d(np.geomspace(1e-3, 150.0, 3000), np.linspace(0.05, 0.4, 2001))
    eta = np.concatenate([-side[::-1], side])
    column, u = eta[:, None], np.linspace(-3.0, 6.0, 301)  # of the logarithm of sigma
    prior = pole.priors.constants["sigma"].args
    logs = stats.norm(0.0, 30.0).logpdf(column) + stats.t(prior["nu"], 0.0, prior["sigma"]).logpdf(np.exp(u)) + u
    for y in POLE["y"]:
        logs = logs - u - 0.5 * ((y - 1.0 / column) / np.exp(u)) ** 2
    shares = np.cumsum(np.exp(logs - logs.max()).sum(axis=1) * np.gradient(eta))
    shares /= shares[-1]
    assert shares[side.size] > 0.01  # below zero
    agrees(results.posterior["Intercept"].to_numpy(), lambda p: eta[np.searchsorted(shares, p)])


POLE_CURVES = pd.DataFrame(
    {"y": [0.9, 1.4, 0.2, 2.2, 1.1, 0.7], "x": [-1.0, 0.4, 1.2, -0.3, 0.8, 0.1], "g": list("aabbcc")}
)


def test_curves_from_piece_to_piece() -> None:
    """The row's mean moves by the step; the volume is that of a straight line in coefficients and raw effects."""
    model = nl.Model("y ~ x + (1|g)", POLE_CURVES, "gaussian", link="inverse")
    target = model.plan(path="joint").target()
    assert isinstance(target, JointTarget)
    target.launch()
    launch = target.launch_small(for_slices=True)
    assert launch is not None
    assert target.model.warp.stretched.all()
    family, n_head = target.assembled.spec.family, target.model.head.transforms.size
    lines = lines_through_pieces(target.model, family, np.random.default_rng(1))
    curve, data, _ = target.curves(lines)
    straight = target.model._replace(warp=bounded(target.model, "real"))
    density, own, _ = target.for_slices()
    nothing, out = np.empty(0), np.empty(target.dimension)
    state = launch.center + 0.3 * np.random.default_rng(2).normal(size=target.dimension)

    def position(coordinates: Any) -> Any:
        """What the lines are straight in."""
        scratch = scratch_for(target.model)
        untable(target.model.warp, coordinates, scratch.position, scratch.members, scratch.weights, scratch.lower)
        return scratch.position.copy()

    def mean(coordinates: Any, row: int) -> float:
        values, effects = target.natural(coordinates[None, None], np.random.default_rng(0))
        eta = linear_predictors(target.model, values[0, 0], effects[0, 0], slice(0, target.rows))
        return float(1.0 / eta[0, row])

    start = position(state)
    for which, (direction, row, predictor) in enumerate(zip(*lines, strict=True)):
        volumes = []
        for step in (0.0, 0.3, -0.4, 5.0, -30.0) if predictor >= 0 else (0.0, 0.3, -0.4, 2.0, -3.0):
            volume = curve(which, state, step, out, data)
            moved = position(out) - start
            at = int(np.argmax(np.abs(direction)))
            along = moved[at] / direction[at]
            np.testing.assert_allclose(moved, along * direction, atol=1e-9 * max(1.0, abs(along)))
            if predictor >= 0:
                np.testing.assert_allclose(mean(out, row), mean(state, row) + step, rtol=1e-7)
                volume += 2.0 * np.log(abs(mean(out, row)))
            else:
                np.testing.assert_allclose(along, step, atol=1e-9)
            there = (reference_to(straight), *own[1:3], scratch_for(straight))
            volumes.append(density(out.copy(), nothing, own) + volume - density(position(out), nothing, there))
        np.testing.assert_allclose(volumes, volumes[0], atol=1e-7)
    assert not lines[0][lines[2] >= 0][:, [0]].all()
    assert lines[0].shape[1] == n_head + 3


@pytest.mark.parametrize(
    ("formula", "family", "link", "support"),
    [("y ~ x + (x||g)", "gaussian", "log", "real"), ("b ~ x + (1|g)", "bernoulli", "identity", "unit")],
)
def test_curves_that_leave_predictors_as_they_are(formula: str, family: str, link: str, support: str) -> None:
    """A scale moves and its effects stay, or a coefficient moves against the effects that are added to it."""
    target = nl.Model(formula, DATA, family, link=link).plan(path="joint").target()
    assert isinstance(target, JointTarget)
    target.launch()
    launch = target.launch_small(for_slices=True)
    assert launch is not None
    lines = level_lines(target.model)
    assert len(lines[0]) == (4 if "x||g" in formula else 2)
    curve, data, _ = target.curves(lines)
    straight = target.model._replace(warp=bounded(target.model, support))
    density, own, _ = target.for_slices()
    nothing, out = np.empty(0), np.empty(target.dimension)
    state = launch.center + 0.1 * np.random.default_rng(2).normal(size=target.dimension)
    n_head = target.model.head.transforms.size

    def position(coordinates: Any) -> Any:
        scratch = scratch_for(target.model)
        untable(target.model.warp, coordinates, scratch.position, scratch.members, scratch.weights, scratch.lower)
        return scratch.position.copy()

    def eta(coordinates: Any) -> Any:
        values, effects = target.natural(coordinates[None, None], np.random.default_rng(0))
        return linear_predictors(target.model, values[0, 0], effects[0, 0], slice(0, target.rows))

    start = position(state)
    for which, kind in enumerate(lines[2]):
        volumes = []
        for step in (0.0, 0.3, -0.4, 2.0):
            volume = curve(which, state, step, out, data)
            moved = position(out)
            assert np.abs(moved - start).max() >= 0.1 * abs(step)
            np.testing.assert_allclose(eta(out)[0], eta(state)[0], rtol=1e-7, atol=1e-9)
            if kind == EFFECTS_STAY:  # raw effects are multiplied: of their logarithms the line would be straight
                volume -= np.log(moved[n_head:] / start[n_head:]).sum()
            there = (reference_to(straight), *own[1:3], scratch_for(straight))
            volumes.append(density(out.copy(), nothing, own) + volume - density(moved, nothing, there))
        np.testing.assert_allclose(volumes, volumes[0], atol=1e-7)


@pytest.mark.slow
def test_jumps_and_curves_of_groups_against_quadrature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probabilities themselves, and a scale that may be far above one: effects can only move against the intercept."""
    monkeypatch.setattr(trial.Round, "updates", property(lambda self: 200.0))
    monkeypatch.setattr(trial.Round, "evaluations", property(lambda self: 0.0))
    monkeypatch.setattr(trial, "MOST_UPDATES", 20)
    priors = {"Intercept": nl.Prior("Normal", mu=0, sigma=5)}
    priors["1|g"] = nl.Prior("Normal", mu=0, sigma=nl.Prior("HalfNormal", sigma=5))
    model = nl.Model("b ~ 1 + (1|g)", DATA, "bernoulli", link="identity", priors=priors)
    results = model.fit(draws=400, random_seed=3, progressbar=False, cores=1, compute_convergence_checks=False)
    assert results.posterior.attrs["inference_method"] == "slice"
    scales, p = np.geomspace(1e-3, 30.0, 800), (np.arange(200) + 0.5) / 200
    data = DATA.groupby("g")["b"].agg(["sum", "count"]).to_numpy()
    likelihoods = [p**ones * (1.0 - p) ** (n - ones) for ones, n in data]
    shares = []
    for scale in scales:
        joint = stats.multivariate_normal([0.0, 0.0], scale**2 * np.eye(2) + 25.0)
        density = joint.pdf(np.stack(np.meshgrid(p, p, indexing="ij"), axis=-1))
        shares.append(likelihoods[0] @ density @ likelihoods[1] * stats.halfnorm(0.0, 5.0).pdf(scale) * scale)
    below = np.cumsum(shares) / np.sum(shares)
    agrees(results.posterior["1|g_sigma"].to_numpy(), lambda q: scales[np.searchsorted(below, q)])


def test_a_mixture_has_components_in_all_pieces() -> None:
    """Also where few draws are, and weights that make such jumps frequent."""
    rng = np.random.default_rng(4)
    centers = np.array([[0.0, 0.0], [30.0, -5.0]])
    draws = np.concatenate([rng.normal(size=(1950, 2)), centers[1] + 0.01 * rng.normal(size=(50, 2))])
    mixture = mixture_of(draws, rng)
    assert mixture.shares[-1] == pytest.approx(1.0)
    nearest = np.linalg.norm(mixture.centers[:, None] - centers, axis=2).argmin(axis=1)
    assert np.diff(mixture.shares, prepend=0.0)[nearest == 1].sum() > 0.02
    assert mixture_of(draws[:5], rng).shares.size == 0


def test_shares_of_pieces_of_two_cells_by_quadrature() -> None:
    """With sigma given the cells are independent: each has a piece at its responses, and one on either side of zero."""
    data = pd.DataFrame({"y": [1.9, 1.2, 0.9, 0.2], "f": list("aabb")})
    prior = nl.Prior("Normal", mu=0, sigma=8)
    model = nl.Model("y ~ 0 + f", data, "gaussian", link="inverse", priors={"f": prior, "sigma": 0.6})
    results = model.fit(draws=400, random_seed=3, progressbar=False, cores=1, compute_convergence_checks=False)
    draws = results.posterior["f"].to_numpy()
    eta = np.linspace(-60.0, 60.0, 240_002)
    for cell, responses in enumerate(([1.9, 1.2], [0.9, 0.2])):
        logs = stats.norm(0.0, 8.0).logpdf(eta) - sum(0.5 * ((y - 1.0 / eta) / 0.6) ** 2 for y in responses)
        shares = np.cumsum(np.exp(logs - logs.max()))
        shares /= shares[-1]
        assert 0.004 < shares[120_000] < 0.3
        agrees(draws[..., cell], lambda p, s=shares: eta[np.searchsorted(s, p)])


def test_slices_in_pieces_have_a_budget(pole: nl.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TRIAL_DRAWS", 40)
    monkeypatch.setattr(trial, "MOST_TRIAL_UPDATES", 20_000)
    monkeypatch.setattr(trial, "autocorrelation_time", lambda draws: 40.0)
    target = pole.plan(path="joint").target()
    assert isinstance(target, JointTarget)
    assert target.in_pieces
    target.launch()
    launch = target.launch_small()
    assert launch is not None
    found = slices_for(target, launch, Wanted())
    assert found is not None
    assert found.powers.size > 1
    assert (found.updates - 1) * found.powers.size < trial.MOST_UPDATES


def test_a_piece_that_chains_do_not_go_to_is_reported() -> None:
    """More rows than coordinates are made for, and a mean that may as well be negative."""
    y = np.random.default_rng(0).normal(0.0, 1.0, 30)
    heard = Heard()
    logging.getLogger("nutslite").addHandler(heard)
    options = {"draws": 100, "random_seed": 1, "progressbar": False, "cores": 1, "compute_convergence_checks": False}
    try:
        nl.Model("y ~ 1", pd.DataFrame({"y": y}), "gaussian", link="inverse").fit(**options)
        assert any("in pieces" in line for line in heard.lines)
        heard.lines.clear()
        nl.Model("y ~ 1", pd.DataFrame({"y": 20.0 + y}), "gaussian", link="inverse").fit(**options)
        assert not any("in pieces" in line for line in heard.lines)
    finally:
        logging.getLogger("nutslite").removeHandler(heard)
