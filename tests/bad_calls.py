"""What the lists of wrong calls are made of: one record a call, the data that most of them use, and how one is judged.

The lists themselves are the files ``bad_calls_<subject>.py``; ``test_bad_input.py`` runs them.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from internal_names import internal_names_in

from nutslite.exceptions import NutsliteError, SamplingError
from nutslite.model import Model

OF_ARGUMENTS = (ValueError, TypeError, AttributeError, SamplingError)
"""What wrong calls raise for Python; the last two about assignments, and about what is too large to sample."""


@dataclass(frozen=True)
class BadCall:
    """A call that must not go through in silence.

    Attributes
    ----------
    id : str
        What is wrong, in a few words.
    call : callable
        Makes the call.
    raises : type
        An error of ours, `NutsliteWarning` where the call goes on, or TypeError for arguments that do not exist.
    words : tuple of str
        All of them stand in the message: the user's own thing, and the remedy.
    """

    id: str
    call: Callable[[], Any]
    raises: type[Exception] | type[Warning]
    words: tuple[str, ...]


def judge(bad: BadCall) -> str:
    """Make the call; the message that it gave.

    Raises AssertionError where it gave none of the right kind, or one that speaks of the code behind it.
    """
    if issubclass(bad.raises, Warning):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bad.call()
        texts = [str(item.message) for item in caught if issubclass(item.category, bad.raises)]
        assert texts, f"no {bad.raises.__name__}"
        message = "\n".join(texts)
    else:
        message = _error_of(bad)
    missing = [word for word in bad.words if word not in message]
    assert not missing, f"{missing} not in: {message}"
    internal = internal_names_in(message)
    assert not internal, f"{internal}, which no user has seen, in: {message}"
    return message


def _error_of(bad: BadCall) -> str:
    assert bad.raises is TypeError or issubclass(bad.raises, NutsliteError)
    try:
        bad.call()
    except bad.raises as error:
        if isinstance(error, OF_ARGUMENTS):
            return str(error)
        raise AssertionError(f"{type(error).__name__} is no ValueError") from error
    raise AssertionError(f"the call went through; {bad.raises.__name__} was expected")


@cache
def _columns() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 24
    x, z = rng.normal(size=n), rng.normal(size=n)
    trials = rng.integers(3, 9, n)
    return pd.DataFrame(
        {
            "y": 0.5 * x + rng.normal(size=n),
            "x": x,
            "z": z,
            "w": rng.uniform(0.5, 2.0, n),
            "g": np.tile(["a", "b", "c"], n // 3),
            "h": np.repeat(["u", "v"], n // 2),
            "s": np.tile([f"s{i}" for i in range(6)], n // 6),
            "b": np.tile([0, 1, 1, 0], n // 4),
            "two": np.tile(["no", "yes", "yes", "no"], n // 4),
            "k": rng.poisson(3.0, n),
            "n": trials,
            "hits": rng.binomial(trials, 0.5),
            "pos": rng.gamma(2.0, 1.0, n) + 0.01,
            "unit": rng.beta(2.0, 2.0, n),
            "my col": z[::-1],
        }
    )


def frame(**columns: Any) -> pd.DataFrame:
    """24 rows with a response for every family; `columns` replace or add columns."""
    return _columns().assign(**columns)


def with_values(name: str, *values: Any, rows: tuple[int, ...] = (3, 10, 17)) -> pd.DataFrame:
    """`frame()` whose column `name` holds `values` in the first of `rows`."""
    data = frame()
    numbers = pd.api.types.is_numeric_dtype(data[name]) and not any(isinstance(value, str) for value in values)
    changed = data[name].astype(float if numbers else object).tolist()
    for row, value in zip(rows, values, strict=False):
        changed[row] = value
    return data.assign(**{name: changed})


def model(formula: Any = "y ~ x", data: Any = None, *positional: Any, **settings: Any) -> Model:
    """A model of `formula` on `frame()` or on other data."""
    return Model(formula, frame() if data is None else data, *positional, **settings)


_folder = tempfile.TemporaryDirectory(prefix="nutslite-bad-")  # gone when Python ends


def file_with(name: str, content: bytes) -> str:
    """The path of a file of its own with this content."""
    path = Path(tempfile.mkdtemp(dir=_folder.name)) / name
    path.write_bytes(content)
    return str(path)


@cache
def fitted() -> tuple[Model, Any]:
    """A fit that is as short as can be, for what comes after a fit."""
    one = model("y ~ x + (1|s)")
    return one, one.fit(draws=20, chains=2, inference_method="laplace", random_seed=1, progressbar=False)
