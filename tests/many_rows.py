"""5,000 rows of a logistic and a Poisson regression, for tests and for what others say of the same rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

ROWS = 5_000


def many_rows() -> pd.DataFrame:
    """Covariates ``x``, ``z``, ``g`` and responses ``hit`` and ``count``, always the same."""
    rng = np.random.default_rng(20261129)
    data = pd.DataFrame(
        {"x": rng.normal(size=ROWS), "z": rng.uniform(-1, 2, size=ROWS), "g": rng.choice(list("abc"), ROWS)}
    )
    shift = data["g"].map({"a": 0.0, "b": 0.4, "c": -0.3})
    eta = -0.3 + 0.8 * data["x"] - 0.5 * data["z"] + 0.3 * data["x"] * data["z"] + shift
    data["hit"] = rng.binomial(1, 1 / (1 + np.exp(-eta)))
    data["count"] = rng.poisson(np.exp(0.4 + 0.3 * data["x"] - 0.2 * data["z"] + 0.5 * shift))
    return data
