"""The logistic regression of Bambi 0.6's guide: its printed posterior, within Monte Carlo error.

The row `admit ~ gre + gpa + rank` of that guide. Bambi 0.6 scaled slopes by 2.5/sd(x) in every family; since then
logit models have 1/sd(x), and so has nutslite. The rank of the school tells the two apart: its printed mean is more
than three Monte Carlo errors away from what the newer default gives.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import nutslite as nl
from nutslite.results.container.inference_data import get_group

# mean, sd, ends of the 94 % HDI, bulk effective sample size, as printed; rounded to three decimals
PRINTED = {
    "Intercept": (-3.508, 1.137, -5.570, -1.369, 3124),
    "gre": (0.002, 0.001, 0.000, 0.004, 2340),
    "gpa": (0.790, 0.337, 0.121, 1.374, 2410),
    "rank": (-0.567, 0.131, -0.801, -0.311, 2764),
}
ROUNDING = 0.0005
ERRORS = 3.5  # Monte Carlo standard errors; of sixteen comparisons one fails by chance for one seed in 130


def old_priors(data) -> dict[str, nl.Prior]:
    """Bambi 0.6's: slopes 2.5/sd(x), and an intercept that allows for them."""
    columns = data[["gre", "gpa", "rank"]].astype(float)
    sigmas = 2.5 / columns.std(ddof=0)
    intercept = math.sqrt(2.5**2 + float(((sigmas * columns.mean()) ** 2).sum()))
    priors = {name: nl.Prior("Normal", mu=0, sigma=float(sigma)) for name, sigma in sigmas.items()}
    return priors | {"Intercept": nl.Prior("Normal", mu=0, sigma=intercept)}


def fit(priors=None):
    data = nl.load_data("admissions")
    model = nl.Model("admit ~ gre + gpa + rank", data, family="bernoulli", priors=priors(data) if priors else None)
    results = model.fit(draws=4000, chains=4, random_seed=7, progressbar=False)
    posterior = get_group(results, "posterior")
    table = nl.summary(results, round_to="none")
    return {name: (np.asarray(posterior[name]).ravel(), table.loc[name]) for name in PRINTED}


@pytest.fixture(scope="module")
def under_old_priors():
    return fit(old_priors)


@pytest.mark.parametrize("name", list(PRINTED))
def test_posterior_of_the_old_guide(name, under_old_priors):
    mean, sd, low, high, size = PRINTED[name]
    draws, row = under_old_priors[name]
    scale = float(draws.std())
    error = math.hypot(scale / math.sqrt(size), row["mcse_mean"])
    assert draws.mean() == pytest.approx(mean, abs=ERRORS * error + ROUNDING)
    # of an sd: sd / sqrt(2 n) for a normal posterior, as these are
    assert scale == pytest.approx(sd, abs=ERRORS * math.hypot(scale / math.sqrt(2 * size), row["mcse_sd"]) + ROUNDING)
    # of the ends of an interval: several times that of the mean (density 0.068/sd at the 3 % quantile of a normal)
    end = math.sqrt(0.03 * 0.97) / 0.068 * scale / math.sqrt(size)
    assert row["hdi_3%"] == pytest.approx(low, abs=ERRORS * 1.5 * end + ROUNDING)
    assert row["hdi_97%"] == pytest.approx(high, abs=ERRORS * 1.5 * end + ROUNDING)


def test_today_s_default_priors_move_it_by_little():
    for name, (draws, _) in fit().items():
        mean, sd, *_ = PRINTED[name]
        assert draws.mean() == pytest.approx(mean, abs=0.1 * sd + ROUNDING), name


def test_the_rank_tells_the_two_priors_apart(under_old_priors):
    mean, sd, _, _, size = PRINTED["rank"]
    error = sd / math.sqrt(size)
    new = float(fit()["rank"][0].mean())
    old = float(under_old_priors["rank"][0].mean())
    assert abs(new - mean) > 2.5 * error
    assert abs(old - mean) < 2.5 * error
