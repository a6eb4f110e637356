"""The report after sampling: silent when all is well, names the worst parameter when not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nutslite.results.diagnostics.chance_limits import largest_r_hat, limits, smallest_size
from nutslite.results.diagnostics.diagnostics import convergence
from nutslite.results.diagnostics.report import sampling_report, vanished


def healthy(rng=None, chains=4, draws=500):
    rng = rng or np.random.default_rng(11)
    parameters = {"Intercept": rng.normal(size=(chains, draws)), "1|g": rng.normal(size=(chains, draws, 3))}
    stats = {
        "diverging": np.zeros((chains, draws), bool),
        "energy": rng.normal(size=(chains, draws)),
        "tree_depth": np.full((chains, draws), 3),
    }
    return parameters, stats


DIMS, COORDS = {"1|g": ("g__factor_dim",)}, {"g__factor_dim": ["a", "b", "c"]}


def report(parameters, stats, **options):
    return sampling_report(parameters, stats, dims=DIMS, coords=COORDS, **options)


def test_silent_when_all_is_well():
    assert report(*healthy()) == []
    assert sampling_report({}, {}) == []


def test_divergences():
    parameters, stats = healthy()
    stats["diverging"][2, :9] = True
    stats["diverging"][0, 0] = True
    (message,) = report(parameters, stats, target_accept=0.8)
    assert message.startswith("10 of 2000 transitions after warm-up diverged (0.5 %, 9 of them in chain 2)")
    assert "now 0.8, try 0.95" in message


def test_a_residual_that_ran_off_to_zero_gets_advice_of_its_own():
    """Chains that are stuck at any tiny number look converged: said by size, and without longer runs."""
    rng = np.random.default_rng(0)
    (message,) = vanished(np.exp(rng.normal(-50.0, 10.0, size=(4, 500))), 3.0)
    assert "give the responses exactly" in message
    assert "neither longer runs nor a higher target_accept help" in message
    assert vanished(1e-8 * np.abs(rng.normal(size=(4, 500))), 3.0) == []
    assert vanished(None, 3.0) == []


def test_r_hat_names_the_worst_elements():
    parameters, stats = healthy()
    parameters["1|g"][3, :, 1] += 5
    parameters["Intercept"][3] += 0.7
    messages = report(parameters, stats)
    assert re.search(r"R-hat is above 1.01 for 2 of 4 parameters, worst 1\|g\[b\] \(\d\.\d\d\), Intercept", messages[0])
    assert "Do not use these draws" in messages[0]
    assert "1|g[b]" in messages[1]  # the effective size suffers too


def test_small_effective_size_says_how_many_draws_would_do():
    parameters, stats = healthy(draws=1000)
    noise = np.random.default_rng(2).normal(size=(4, 1000))
    slow = np.zeros_like(noise)
    for t in range(1, 1000):
        slow[:, t] = 0.9 * slow[:, t - 1] + noise[:, t]
    parameters["Intercept"] = slow
    messages = [message for message in report(parameters, stats) if "effective sample size" in message]
    assert re.search(r"below 400 \(100 per chain\) for 1 of 4 parameters, worst Intercept \(\d+\)", messages[0])
    suggested = int(re.search(r"draws=(\d+)", messages[0])[1])
    assert 1000 < suggested <= 4000
    assert suggested % 500 == 0


def test_hopeless_mixing_is_not_answered_with_more_draws():
    parameters, stats = healthy()
    parameters["Intercept"] = np.linspace(0, 1, 2000).reshape(4, 500)
    assert any("More draws alone will hardly do" in message for message in report(parameters, stats))


def test_energy_and_tree_depth():
    parameters, stats = healthy()
    stats["energy"][1] = np.random.default_rng(0).normal(size=500).cumsum()
    stats["tree_depth"][:, :50] = 10
    energy, depth = report(parameters, stats)
    assert re.search(r"E-BFMI is below 0.3 \(chain 1: 0\.0\d\)", energy)
    assert depth.startswith("200 of 2000 transitions (10 %) reached the maximum tree depth of 10")
    assert "max_treedepth to 12" in depth
    stats["reached_max_treedepth"] = np.zeros((4, 500), bool)
    assert len(report(parameters, stats)) == 1


def test_what_cannot_be_judged_is_said():
    parameters, stats = healthy(chains=1)
    assert any("one chain only" in message for message in report(parameters, stats))
    parameters, stats = healthy(draws=3)
    assert report(parameters, stats)[0].startswith("3 draw(s) per chain are too few")
    parameters, stats = healthy()
    parameters["Intercept"][0, 0] = np.inf
    assert report(parameters, stats)[0].startswith("Intercept has draws that are infinite")


def test_constants_are_not_parameters():
    parameters, stats = healthy()
    parameters["fixed"] = np.full((4, 500), 3.0)
    assert report(parameters, stats) == []


@pytest.mark.parametrize("seed", range(5))
def test_no_false_alarms_with_many_parameters(seed):
    rng = np.random.default_rng(seed)
    assert sampling_report({"1|g": rng.normal(size=(4, 1000, 100))}, {"energy": rng.normal(size=(4, 1000))}) == []


SHORT = [(2, 500), (4, 250), (2, 200), (4, 1000)]


@pytest.mark.parametrize(("chains", "draws"), SHORT[:2])
def test_chance_alone_is_no_alarm_however_many_parameters(chains, draws):
    """With the usual limits these runs of independent draws were called bad."""
    rng = np.random.default_rng(7)
    effects = rng.normal(size=(chains, draws, 4_000))
    parameters = {"1|g": effects, "1|g_sigma": rng.normal(size=(chains, draws)), "b": effects[:, :, :3].copy()}
    table = convergence(effects)
    assert table["r_hat"].max() > 1.01
    assert sampling_report(parameters, {}) == []


def test_what_chance_does_is_known():
    """Quantiles of 4,000 parameters at a time, so that each limit is the largest in a hundred sets of 40."""
    rng = np.random.default_rng(3)
    for chains, draws in ((2, 500), (3, 101)):
        table = convergence(rng.normal(size=(chains, draws, 4000)))
        sizes = np.minimum(table["ess_bulk"], table["ess_tail"])
        above = np.mean(table["r_hat"] > largest_r_hat(1, chains, draws))
        assert 0.004 < above < 0.02  # of a single parameter: 0.01
        assert np.mean(sizes < smallest_size(1, chains, draws)) < 0.02
        assert table["r_hat"].max() < largest_r_hat(4000, chains, draws)
        assert table["r_hat"].max() - 1.0 > 0.5 * (largest_r_hat(4000, chains, draws) - 1.0)
        assert sizes.min() > smallest_size(4000, chains, draws)
        assert sizes.min() < 3.0 * smallest_size(4000, chains, draws)


def test_few_parameters_have_the_usual_limits_and_so_have_many_with_the_default_draws():
    for parameters in (1, 5, 10):
        for chains, draws in SHORT:
            assert limits(parameters, chains, draws) == (1.01, 100.0 * chains)
    for parameters in (11, 1000, 10**6):
        assert limits(parameters, 4, 1000) == (1.01, 400.0)
    found = [limits(parameters, 2, 500)[0] for parameters in (10, 100, 10**4, 10**5)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(1.0227, abs=2e-4)
    assert limits(1000, 4, 50)[1] == 400.0  # 200 draws are too few whatever their effective size


@pytest.mark.parametrize("kind", ["one chain elsewhere", "slow", "stuck"])
def test_bad_parameters_among_many_are_found(kind):
    rng = np.random.default_rng(5)
    effects = rng.normal(size=(2, 500, 4_000))
    if kind == "one chain elsewhere":
        effects[0, :, 777] += 0.5
    elif kind == "slow":
        for t in range(1, 500):
            effects[:, t, 777] = 0.98 * effects[:, t - 1, 777] + 0.2 * effects[:, t, 777]
    else:
        effects[1, 100:, 777] = effects[1, 100, 777]
    found = sampling_report({"1|g": effects}, {})
    assert found
    assert all("1 of 4000 parameters, worst 1|g[777]" in message for message in found)


def test_effects_of_many_groups_do_not_excuse_their_scale():
    rng = np.random.default_rng(6)
    scale = rng.normal(size=(2, 500))
    scale[0] += 0.27 + scale[1].mean() - scale[0].mean()
    effects = rng.normal(size=(2, 500, 4_000))
    value = float(convergence(scale[:, :, None])["r_hat"][0])
    assert 1.01 < value < largest_r_hat(4_000, 2, 500)
    (message,) = sampling_report({"1|g": effects, "1|g_sigma": scale}, {})
    assert "R-hat is above 1.01 for 1 of 4001 parameters, worst 1|g_sigma" in message


def slow(rng, chains, draws, memory):
    out = rng.normal(size=(chains, draws))
    for t in range(1, draws):
        out[:, t] = memory * out[:, t - 1] + np.sqrt(1 - memory**2) * out[:, t]
    return out


@pytest.mark.parametrize("diverging", [False, True])
def test_more_draws_are_not_promised_to_help_while_transitions_diverge(diverging):
    parameters, stats = healthy(draws=1000)
    parameters["Intercept"] = slow(np.random.default_rng(4), 4, 1000, 0.97)
    stats["diverging"][1, 7] = diverging
    found = "\n".join(report(parameters, stats))
    assert "The effective sample size is below 400" in found
    assert ("It would take about" in found) is not diverging
    assert ("will hardly do while transitions diverge" in found) is diverging
    assert ("Run longer" in found) is not diverging


@pytest.mark.parametrize(
    ("name", "hint"), [("1|g_sigma", "1|g"), ("x|a:b_sigma", "x|a:b"), ("sigma", ""), ("x_sigma", ""), ("1|g", "")]
)
def test_a_slow_scale_of_groups_points_at_its_term(name, hint):
    parameters = {"Intercept": np.random.default_rng(1).normal(size=(4, 1000))}
    parameters[name] = slow(np.random.default_rng(4), 4, 1000, 0.97)
    scales = {"1|g_sigma": "1|g", "x|a:b_sigma": "x|a:b"}
    found = sampling_report(parameters, {}, group_scales=scales)
    (message,) = [text for text in found if "effective sample size" in text]
    assert (f"hardly tell '{hint}' from other terms" in message) is bool(hint)
    assert (f"the model without '{hint}'" in message) is bool(hint)
