"""A third of the models with known posteriors, on both paths; benchmarks/reference_posteriors.py runs all of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from reference_cases import CASES
from reference_comparison import compare
from reference_runs import LARGEST_R_HAT, differences, fit, health, merged_plan, serves
from reference_values import CENTRED_INTERCEPT, Target, our_name, read_reference, reference_names, shared_folder

from nutslite.results.container.inference_data import get_group

DRAWS = 2000  # per chain

QUICK = [
    "kidiq-kidscore_interaction",
    "kidiq_with_mom_work-kidscore_mom_work",
    "earnings-earn_height",
    "kilpisjarvi_mod-kilpisjarvi",
    "eight_schools-eight_schools_noncentered",
    "admit_bambi_priors",
    "cbpp",
    "mtcars_gaussian",
    "sleepstudy",
    "sleepstudy_nocor",
    "radon_mn-radon_variable_intercept",
]
OTHERWISE = {  # a few cases each
    "merged": ["kidiq-kidscore_momhs", "radon_mn-radon_variable_intercept"],
    "unmerged": ["earnings-earn_height"],
    "laplace": ["eight_schools-eight_schools_noncentered", "cbpp", "mtcars_gaussian", "sleepstudy"],
}
WITHOUT_PILOT = ["eight_schools-eight_schools_noncentered", "cbpp", "kilpisjarvi_mod-kilpisjarvi"]
RUNS = [
    *((name, path) for name in QUICK for path in ("auto", "joint")),
    *((name, "joint-no-pilot") for name in WITHOUT_PILOT),
    *((name, path) for path, names in OTHERWISE.items() for name in names),
    ("radon_mn-radon_hierarchical_intercept", "joint"),  # a scale that may be zero
]


@pytest.fixture(scope="module")
def shared(shared_data) -> Iterator[Path]:
    folder = shared_folder()
    if not (folder / "reference_posteriors" / "cases.json").is_file():
        pytest.skip(f"needs reference_posteriors/cases.json in {folder}; NUTSLITE_SHARED can name another folder")
    log = logging.getLogger("nutslite")
    level = log.level
    log.setLevel(logging.ERROR)
    yield folder
    log.setLevel(level)


@pytest.mark.parametrize(("name", "path"), RUNS)
def test_draws_are_from_the_known_posterior(shared, name, path):
    case = CASES[name]
    model = case.model(shared / "data")
    assert serves(model, path)
    results = fit(model, path, draws=DRAWS, random_seed=20)
    found = differences(case, model, results, read_reference(case, shared), shared / "data")
    assert len(found) >= 12
    assert [str(difference) for difference in found if not difference.agrees] == []
    assert health(results).r_hat < LARGEST_R_HAT


@pytest.mark.parametrize(("name", "plan"), [("sleepstudy", "auto"), ("sleepstudy", "joint"), ("cbpp", "auto")])
def test_variational_inference_is_near_the_known_posterior(shared, name, plan):
    """Means to a tenth of a standard deviation, for 5,000 gradients at most."""
    case = CASES[name]
    model = case.model(shared / "data")
    results = model.fit(inference_method="vi", plan=plan, random_seed=1, progressbar=False)
    attributes = get_group(results, "posterior").attrs
    assert attributes["khat"] < 0.7
    assert attributes["converged"]
    assert attributes["n_gradients"] <= 5000
    found = differences(case, model, results, read_reference(case, shared), shared / "data")
    sds = {d.quantity: (d.ours, d.theirs) for d in found if d.statistic == "sd" and d.theirs > 0}
    assert len(sds) > 20
    for d in found:
        if d.statistic == "mean":
            assert abs(d.ours - d.theirs) < 0.1 * sds[d.quantity][1], d
    assert max(abs(np.log(ours / theirs)) for ours, theirs in sds.values()) < (0.1 if plan == "auto" else 0.2)


@pytest.mark.parametrize("name", [name for name in QUICK if not name.startswith("eight_schools")])
def test_default_settings_are_enough(shared, name):
    fitted = health(CASES[name].model(shared / "data").fit(random_seed=21, progressbar=False))
    assert fitted.good, fitted


def test_every_reference_has_a_model(shared):
    assert sorted(CASES) == sorted(reference_names(shared))


def test_default_settings_are_enough_where_a_scale_may_be_zero(shared):
    model = CASES["radon_mn-radon_hierarchical_intercept"].model(shared / "data")
    fitted = health(fit(model, "joint", random_seed=21))
    assert fitted.good, fitted
    assert fitted.leapfrogs < 10


def test_equal_rows_are_merged_where_the_path_is_called_so(shared):
    model = CASES["kidiq-kidscore_momhs"].model(shared / "data")
    assert merged_plan(model).merged.y.shape[1] < 0.5 * model.design.n_rows
    assert model.plan("joint").merged is None  # too few rows to pay
    assert not serves(model, "unmerged")
    assert not serves(CASES["earnings-earn_height"].model(shared / "data"), "merged")


def test_gaussian_models_are_served_by_both_paths(shared):
    served = {name for name in QUICK if serves(CASES[name].model(shared / "data"), "marginal")}
    assert served == set(QUICK) - {"eight_schools-eight_schools_noncentered", "admit_bambi_priors", "cbpp"}


@pytest.mark.parametrize(
    ("theirs", "case", "ours"),
    [
        ("(Intercept)", "rstanarm_mtcars", "Intercept"),
        ("Intercept_centred", "admit_bambi_priors", CENTRED_INTERCEPT),
        ("period[2]", "cbpp", "period[2]"),
        ("sd(Intercept|herd)", "cbpp", "1|herd_sigma"),
        ("r_Subject[308,Days]", "sleepstudy", "Days|Subject[308]"),
        ("Intercept|Subject[308]", "sleepstudy_nocor", "1|Subject[308]"),
        ("cor(Intercept,Days|Subject)", "sleepstudy", "1+Days|Subject_corr[1, Days]"),
        ("county[1]", "radon_mn-radon_variable_slope", "floor_measure|county[1]"),
        ("sigma (value_sigma)", "rrr_uid_bambi_priors", "sigma"),
        (
            "Intercept + 1|school[s1]",
            "eight_schools-eight_schools_noncentered",
            "Intercept + 1|school[s1]",
        ),
    ],
)
def test_names_of_references_are_translated(theirs, case, ours):
    assert our_name(theirs, CASES[case]) == ours


TARGET = Target(mean=3.0, sd=2.0, q5=3.0 - 2 * 1.6448536, q95=3.0 + 2 * 1.6448536)


@pytest.fixture
def exact_draws():
    return np.random.default_rng(4).normal(3.0, 2.0, size=(4, 5000))


def test_draws_from_the_target_agree(exact_draws):
    found = compare({"x": exact_draws}, {"x": TARGET})
    assert [difference.statistic for difference in found] == ["mean", "sd", "q5", "q95"]
    assert all(difference.agrees for difference in found)
    assert max(difference.z for difference in found) < 4


@pytest.mark.parametrize(
    ("distort", "noticed"),
    [
        (lambda x: x + 0.2, {"mean"}),
        (lambda x: 3 + 1.1 * (x - 3), {"sd", "q5", "q95"}),
        (lambda x: np.where(x > 3, 3 + 1.2 * (x - 3), x), {"mean", "sd", "q95"}),
        (lambda x: np.full_like(x, np.nan), {"mean", "sd", "q5", "q95"}),
    ],
    ids=["shifted", "too wide", "one tail too long", "nan"],
)
def test_other_draws_disagree(exact_draws, distort, noticed):
    found = compare({"x": distort(exact_draws)}, {"x": TARGET})
    assert noticed <= {difference.statistic for difference in found if not difference.agrees}


def test_the_error_of_the_reference_is_allowed_for(exact_draws):
    shifted = {"x": exact_draws + 0.2}
    (sure, *_), (unsure, *_) = (compare(shifted, {"x": Target(3.0, 2.0, error=error)}) for error in (0.0, 0.1))
    assert not sure.agrees
    assert unsure.agrees
    assert unsure.error == pytest.approx(np.hypot(sure.error, 0.1))
