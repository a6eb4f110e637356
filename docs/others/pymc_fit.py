"""A model in PyMC; ``python docs/others/pymc_fit.py`` stores what it predicts in pymc_fit.nc."""

from __future__ import annotations

from pathlib import Path

import arviz as az
import numpy as np
import pymc as pm
from split import houses

KEPT = 20  # one draw of so many, with three digits: the file lies beside the page


def predictions():
    """Draws of radon in houses that were held out, and their log likelihoods, as an ArviZ object."""
    train, test = houses()
    names = sorted(train["county"].unique())
    given = columns(train, names)
    with pm.Model(coords={"house": train.index}):
        floor, uranium, county, y = (pm.Data(name, values, dims="house") for name, values in given.items())
        intercept = pm.Normal("intercept", 1, 2)
        slopes = pm.Normal("slopes", 0, 2, shape=2)
        between = pm.HalfNormal("between", 1)
        effects = pm.Normal("effects", 0, 1, shape=len(names))
        mu = intercept + slopes[0] * floor + slopes[1] * uranium + between * effects[county]
        spread = pm.Normal("spread", 0, 1, shape=2)
        pm.Normal("log_radon", mu, pm.math.exp(spread[0] + spread[1] * floor), observed=y, dims="house")
        fitted = pm.sample(1000, tune=1000, chains=4, cores=1, random_seed=1, progressbar=False)
        pm.set_data(columns(test, names), coords={"house": test.index})
        fitted = fitted.sel(draw=slice(None, None, KEPT))
        drawn = pm.sample_posterior_predictive(fitted, random_seed=1, progressbar=False)
        likelihoods = pm.compute_log_likelihood(fitted, progressbar=False, extend_inferencedata=False)
    return az.InferenceData(
        posterior_predictive=drawn.posterior_predictive.map(three_digits),
        log_likelihood=likelihoods.map(three_digits),
        observed_data=drawn.observed_data,
    )


def columns(rows, names):
    """What the model knows of houses, by name."""
    return {
        "floor": rows["floor"].to_numpy(float),
        "uranium": rows["log_uranium"].to_numpy(),
        "county": np.searchsorted(names, rows["county"]),
        "y": rows["log_radon"].to_numpy(),
    }


def three_digits(values):
    """Numbers of ten binary digits, which pack well."""
    bits = values.to_numpy().astype(np.float32).view(np.uint32) & np.uint32(0xFFFFE000)
    return values.copy(data=bits.view(np.float32))


if __name__ == "__main__":
    predictions().to_netcdf(str(Path(__file__).with_suffix(".nc")), compress=True)
