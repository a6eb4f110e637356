"""A Gaussian process by scikit-learn; ``python docs/others/process.py`` stores its predictions in process.npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from split import houses


def predictions() -> dict[str, np.ndarray]:
    """Means and standard deviations of radon in houses that were held out; the latter with the noise."""
    train, test = houses()
    columns = ["floor", "log_uranium"]
    kernel = ConstantKernel(1.0) * RBF([1.0, 1.0], (0.05, 20.0)) + WhiteKernel(0.5)
    process = GaussianProcessRegressor(kernel, normalize_y=True).fit(train[columns], train["log_radon"])
    mu, sigma = process.predict(test[columns], return_std=True)
    return {"process_mu": mu, "process_sigma": sigma}


if __name__ == "__main__":
    np.savez_compressed(Path(__file__).with_suffix(".npz"), sklearn=sklearn.__version__, **predictions())
