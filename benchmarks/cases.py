"""The models that engines are compared on: formula, family, data, and how long chains run.

Data are real (found in ``../shared/data`` beside the repository, or in the package) or simulated with fixed seeds. They
are written once as ``<case>.npz``, one array per column, which every engine reads in the same way and fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from repository import ROOT

SHARED = ROOT.parent / "shared" / "data"
BUNDLED = ROOT / "nutslite" / "datasets"

ENGINES = ("ours", "nutpie", "numpyro", "pymc")


@dataclass(frozen=True)
class Case:
    """One model and how it is sampled.

    Attributes
    ----------
    make : callable
        Returns the data; raises FileNotFoundError where a real data set is not there.
    ordered : tuple of str
        Columns whose values are ordered levels.
    link : str or None
        Link of the parent parameter where it is not the family's first.
    priors : dict
        By term, where the engines' default priors differ: by parameter a density's name and arguments.
    expected : dict
        Seconds of a cold and a warm process by engine, measured once: only to estimate how long a benchmark takes.
    engines : tuple of str
        Engines that run by default.
    """

    name: str
    title: str
    formula: str
    family: str
    make: Callable[[], pd.DataFrame]
    link: str | None = None
    ordered: tuple[str, ...] = ()
    priors: dict[str, dict[str, tuple[str, dict[str, float]]]] = field(default_factory=dict)
    chains: int = 4
    draws: int = 1000
    tune: int = 1000
    engines: tuple[str, ...] = ("ours", "nutpie", "numpyro")
    expected: dict[str, tuple[float, float]] = field(default_factory=dict)


def write_data(case: Case, folder: Path) -> Path:
    """The case's data file, made if it is not there yet.

    Raises
    ------
    FileNotFoundError
        Where the case needs a real data set that is not there.
    """
    path = folder / f"{case.name}.npz"
    if not path.exists():
        frame = case.make()
        columns: dict[str, Any] = {str(name): column.to_numpy() for name, column in frame.items()}
        columns |= {name: values.astype(str) for name, values in columns.items() if values.dtype == object}
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, **columns)
        unfinished.replace(path)
    return path


# ---------------------------------------------------------------------------------------------------- real data


def _real(name: str, texts: tuple[str, ...] = ()) -> pd.DataFrame:
    """A real data set; `texts` are columns of codes that are levels, not numbers."""
    for folder in (SHARED, BUNDLED):
        path = folder / f"{name}.csv"
        if path.exists():
            return pd.read_csv(path, dtype=dict.fromkeys(texts, object))
    raise FileNotFoundError(f"{name}.csv is neither in {SHARED.name}/ beside the repository nor in the package")


def _sleepstudy() -> pd.DataFrame:
    return _real("sleepstudy", ("Subject",))


def _ratings() -> pd.DataFrame:
    frame = _real("rrr_long", ("uid", "study", "stimulus"))
    columns = ["value", "condition", "age", "gender", "uid", "study", "stimulus"]
    return frame[columns].dropna(subset=columns[:4]).reset_index(drop=True)


def _evaluations() -> pd.DataFrame:
    frame = _real("InstEval", ("s", "d", "dept", "service"))
    frame["y"] = frame["y"].astype(float)
    return frame[["y", "service", "s", "d", "dept"]]


def _ticks() -> pd.DataFrame:
    """Counts of ticks on chicks within broods within places."""
    frame = _real("grouseticks", ("YEAR", "BROOD", "INDEX", "LOCATION"))
    frame["h"] = (frame["HEIGHT"] - frame["HEIGHT"].mean()) / 100
    return frame[["TICKS", "YEAR", "h", "BROOD", "INDEX", "LOCATION"]]


def _verbal() -> pd.DataFrame:
    """Whether people would curse, scold or shout."""
    frame = _real("VerbAgg", ("id", "item"))
    frame["r"] = (frame["r2"] == "Y").astype(int)
    return frame[["r", "Anger", "Gender", "btype", "situ", "id", "item"]]


def _bacteria() -> pd.DataFrame:
    """Presence of bacteria in children, by treatment and week."""
    frame = _real("bacteria", ("ID",))
    frame["present"] = (frame["y"] == "y").astype(int)
    return frame[["present", "trt", "week", "ID"]]


def _radon() -> pd.DataFrame:
    for name in ("radon_rstanarm", "radon"):
        try:
            return _real(name, ("county",))[["log_radon", "floor", "log_uranium", "county"]]
        except (FileNotFoundError, KeyError):
            continue
    raise FileNotFoundError("there is no radon data set beside the repository or in the package")


# ----------------------------------------------------------------------------------------------- simulated data


def _normals(rng: np.random.Generator, rows: int, columns: int) -> dict[str, np.ndarray]:
    return {f"x{column + 1}": rng.normal(size=rows) for column in range(columns)}


def _unbalanced(rng: np.random.Generator, rows: int, levels: int, power: float) -> np.ndarray:
    """Level of every row; the share of level k goes as k**-power, and every level occurs."""
    shares = np.arange(1, levels + 1) ** -power
    drawn = rng.choice(levels, size=rows - levels, p=shares / shares.sum())
    return rng.permutation(np.concatenate([np.arange(levels), drawn]))


def _names(letter: str, levels: np.ndarray) -> np.ndarray:
    return np.array([f"{letter}{level:04d}" for level in levels], dtype=object)


def _logistic_groups() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    columns = _normals(rng, 10_000, 3)
    group = _unbalanced(rng, 10_000, 200, 0.8)
    eta = -0.5 + 0.6 * columns["x1"] - 0.4 * columns["x2"] + 0.2 * columns["x3"] + 0.8 * rng.normal(size=200)[group]
    y = (rng.uniform(size=10_000) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"y": y, **columns, "g": _names("g", group)})


def _six_slopes() -> pd.DataFrame:
    """Yes or no in 1,000 groups of 20, each with an intercept and five slopes of its own."""
    rng = np.random.default_rng(16)
    columns = _normals(rng, 20_000, 5)
    group = np.repeat(np.arange(1_000), 20)
    effects = rng.normal(size=(1_000, 6)) * [0.8, 0.5, 0.4, 0.3, 0.3, 0.2]
    common = np.array([-0.3, 0.6, -0.4, 0.3, 0.0, 0.2]) + effects[group]
    eta = common[:, 0] + sum(common[:, k + 1] * columns[f"x{k + 1}"] for k in range(5))
    y = (rng.random(20_000) < 1.0 / (1.0 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"y": y, **columns, "g": _names("g", group)})


def _poisson_slopes() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.normal(size=5_000)
    group = rng.integers(0, 100, 5_000)
    eta = 0.7 + 0.3 * x + 0.5 * rng.normal(size=100)[group] + 0.25 * rng.normal(size=100)[group] * x
    return pd.DataFrame({"y": rng.poisson(np.exp(eta)), "x": x, "g": _names("g", group)})


def _negative_binomial() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    columns = _normals(rng, 2_000, 5)
    mu = np.exp(1.0 + np.column_stack(list(columns.values())) @ np.array([0.3, -0.2, 0.1, 0.0, 0.25]))
    return pd.DataFrame({"y": rng.poisson(rng.gamma(1.5, mu / 1.5)), **columns})


def _logistic_wide() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    columns = _normals(rng, 200_000, 20)
    eta = -1.0 + np.column_stack(list(columns.values())) @ rng.normal(0.0, 0.2, 20)
    return pd.DataFrame({"y": (rng.uniform(size=200_000) < 1 / (1 + np.exp(-eta))).astype(int), **columns})


def _gaussian_long() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    columns = _normals(rng, 1_000_000, 10)
    mean = 2.0 + np.column_stack(list(columns.values())) @ rng.normal(0.0, 0.5, 10)
    return pd.DataFrame({"y": mean + 1.5 * rng.normal(size=1_000_000), **columns})


def _zero_inflated() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    columns = _normals(rng, 3_000, 3)
    mu = np.exp(1.0 + 0.4 * columns["x1"] - 0.3 * columns["x2"] + 0.1 * columns["x3"])
    return pd.DataFrame({"y": rng.poisson(mu) * (rng.uniform(size=3_000) < 0.7), **columns})


def _probit_crossed() -> pd.DataFrame:
    """Few trials, many levels with a handful of rows, few with hundreds: no one centring suits all levels."""
    rng = np.random.default_rng(9)
    rows = 4_000
    a, b = _unbalanced(rng, rows, 300, 1.3), _unbalanced(rng, rows, 60, 1.3)
    x, n = rng.normal(size=rows), rng.integers(1, 6, rows)
    eta = 0.3 + 0.4 * x + 0.9 * rng.normal(size=300)[a] + 0.4 * rng.normal(size=60)[b]
    y = ((rng.normal(size=(5, rows)) < eta) & (np.arange(5)[:, None] < n)).sum(axis=0)
    return pd.DataFrame({"y": y, "n": n, "x": x, "a": _names("a", a), "b": _names("b", b)})


def _student_outliers() -> pd.DataFrame:
    """Heavy tails, one row in fifty a gross outlier, varying slopes: no conjugacy, a tail index to learn."""
    rng = np.random.default_rng(10)
    rows = 3_000
    group, x = _unbalanced(rng, rows, 80, 0.7), rng.normal(size=rows)
    y = 1.0 + 0.5 * x + 0.6 * rng.normal(size=80)[group] + 0.3 * rng.normal(size=80)[group] * x
    y = y + 0.7 * rng.standard_t(4, size=rows) + 15 * rng.normal(size=rows) * (rng.uniform(size=rows) < 0.02)
    return pd.DataFrame({"y": y, "x": x, "g": _names("g", group)})


def _ratings_in_order() -> pd.DataFrame:
    """Five levels by four thresholds of a logistic variable."""
    rng = np.random.default_rng(11)
    columns = _normals(rng, 2_000, 3)
    latent = 0.8 * columns["x1"] - 0.5 * columns["x2"] + rng.logistic(size=2_000)
    return pd.DataFrame({"y": np.searchsorted([-1.5, -0.3, 0.6, 2.0], latent), **columns})


def _choices() -> pd.DataFrame:
    """Four levels without order, as texts."""
    rng = np.random.default_rng(12)
    columns = _normals(rng, 1_500, 3)
    slopes = rng.normal(0.0, 0.7, (3, 4))
    utility = np.column_stack(list(columns.values())) @ slopes + rng.gumbel(size=(1_500, 4))
    return pd.DataFrame({"y": np.array(list("abcd"), dtype=object)[utility.argmax(axis=1)], **columns})


def _wave() -> pd.DataFrame:
    rng = np.random.default_rng(13)
    x = np.sort(rng.uniform(0.0, 10.0, 1_000))
    return pd.DataFrame({"y": np.sin(x) + 0.3 * np.cos(3.0 * x) + 0.4 * rng.normal(size=1_000), "x": x})


def _counts_along() -> pd.DataFrame:
    rng = np.random.default_rng(14)
    x = rng.uniform(0.0, 1.0, 2_000)
    group = rng.integers(0, 30, 2_000)
    eta = 1.0 + np.sin(6.0 * x) + 0.3 * rng.normal(size=30)[group]
    return pd.DataFrame({"y": rng.poisson(np.exp(eta)), "x": x, "g": _names("g", group)})


def _lifetimes() -> pd.DataFrame:
    """Weibull times, a third of them cut off."""
    rng = np.random.default_rng(15)
    columns = _normals(rng, 2_000, 2)
    time = np.exp(1.0 + 0.5 * columns["x1"]) * rng.weibull(1.5, 2_000)
    end = rng.exponential(6.0, 2_000)
    status = np.where(time <= end, "none", "right").astype(object)
    return pd.DataFrame({"time": np.minimum(time, end), "status": status, **columns})


_XS = [f"x{column}" for column in range(1, 21)]
_PROCESS = "hsgp(x, m=30, c=1.5, scale=True)"

CASES: tuple[Case, ...] = (
    Case(
        "M1",
        "sleepstudy, 180 rows",
        "Reaction ~ Days + (Days|Subject)",
        "gaussian",
        _sleepstudy,
        engines=ENGINES,
        expected={"ours": (20, 2), "nutpie": (19, 8), "numpyro": (13, 13), "pymc": (22, 14)},
    ),
    Case(
        "M2",
        "ratings, 6,907 rows, 1,700 people",
        "value ~ condition + age + gender + (1|uid) + (condition|study) + (condition|stimulus)",
        "gaussian",
        _ratings,
        expected={"ours": (20, 4), "nutpie": (120, 30), "numpyro": (139, 139)},
    ),
    Case(
        "M3",
        "logistic, 10,000 rows, 200 unbalanced groups",
        "y ~ x1 + x2 + x3 + (1|g)",
        "bernoulli",
        _logistic_groups,
        expected={"ours": (20, 5), "nutpie": (109, 41), "numpyro": (38, 38)},
    ),
    Case(
        "M4",
        "Poisson, 5,000 rows, 100 groups with slopes",
        "y ~ x + (x|g)",
        "poisson",
        _poisson_slopes,
        expected={"ours": (20, 5), "nutpie": (19, 12), "numpyro": (22, 22)},
    ),
    Case(
        "M5",
        "negative binomial, 2,000 rows",
        f"y ~ {' + '.join(_XS[:5])}",
        "negativebinomial",
        _negative_binomial,
        expected={"ours": (20, 3), "nutpie": (87, 15), "numpyro": (20, 20)},
    ),
    Case(
        "M6",
        "logistic, 200,000 rows x 20",
        f"y ~ {' + '.join(_XS)}",
        "bernoulli",
        _logistic_wide,
        chains=1,
        draws=500,
        tune=500,
        expected={"ours": (35, 20), "nutpie": (217, 130), "numpyro": (124, 124)},
    ),
    Case(
        "M7",
        "Gaussian, 1,000,000 rows x 10",
        f"y ~ {' + '.join(_XS[:10])}",
        "gaussian",
        _gaussian_long,
        chains=1,
        draws=200,
        tune=200,
        expected={"ours": (20, 3), "nutpie": (179, 90), "numpyro": (158, 158)},
    ),
    Case(
        "M8",
        "zero-inflated Poisson, 3,000 rows",
        "y ~ x1 + x2 + x3",
        "zero_inflated_poisson",
        _zero_inflated,
        expected={"ours": (20, 4), "nutpie": (106, 15), "numpyro": (17, 17)},
    ),
    Case(
        "InstEval",
        "lecture ratings, 73,421 rows, 2,972 x 1,128 crossed",
        "y ~ service + (1|s) + (1|d) + (1|dept:service)",
        "gaussian",
        _evaluations,
        engines=("ours", "nutpie"),
        expected={"ours": (60, 40), "nutpie": (250, 240), "numpyro": (400, 400)},
    ),
    Case(
        "radon",
        "radon, 919 rows, 85 counties",
        "log_radon ~ floor + log_uranium + (1|county)",
        "gaussian",
        _radon,
        engines=ENGINES,
        expected={"ours": (20, 2), "nutpie": (20, 8), "numpyro": (12, 12), "pymc": (25, 15)},
    ),
    Case(
        "probit",
        "probit binomial, 4,000 rows, 300 x 60 crossed, very unbalanced",
        "p(y, n) ~ x + (1|a) + (1|b)",
        "binomial",
        _probit_crossed,
        link="probit",
        expected={"ours": (40, 20), "nutpie": (60, 30), "numpyro": (25, 25)},
    ),
    Case(
        "student",
        "Student t, 3,000 rows, outliers, 80 groups with slopes",
        "y ~ x + (x|g)",
        "t",
        _student_outliers,
        expected={"ours": (40, 7), "nutpie": (60, 30), "numpyro": (30, 30)},
    ),
    Case(
        "ordinal",
        "ratings of five levels, 2,000 rows",
        "y ~ x1 + x2 + x3",
        "cumulative",
        _ratings_in_order,
        ordered=("y",),
        expected={"ours": (25, 3), "nutpie": (60, 20), "numpyro": (30, 30)},
    ),
    Case(
        "categorical",
        "choices among four, 1,500 rows",
        "y ~ x1 + x2 + x3",
        "categorical",
        _choices,
        expected={"ours": (25, 3), "nutpie": (60, 20), "numpyro": (30, 30)},
    ),
    Case(
        "hsgp",
        "Gaussian process of 30 columns, 1,000 rows",
        f"y ~ {_PROCESS}",
        "gaussian",
        _wave,
        priors={
            _PROCESS: {"sigma": ("Exponential", {"lam": 1.0}), "ell": ("InverseGamma", {"alpha": 3.0, "beta": 2.0})}
        },
        expected={"ours": (25, 3), "nutpie": (60, 20), "numpyro": (30, 30)},
    ),
    Case(
        "smooth",
        "Poisson, a spline of 10 columns, 2,000 rows, 30 groups",
        "y ~ bs(x, df=10) + (1|g)",
        "poisson",
        _counts_along,
        expected={"ours": (25, 3), "nutpie": (60, 20), "numpyro": (30, 30)},
    ),
    Case(
        "censored",
        "Weibull times, a third of them censored, 2,000 rows",
        "censored(time, status) ~ x1 + x2",
        "weibull",
        _lifetimes,
        expected={"ours": (25, 3), "nutpie": (60, 20), "numpyro": (30, 30)},
    ),
    Case(
        "ticks",
        "ticks on chicks, 403 rows, broods within places, a level for each row",
        "TICKS ~ YEAR + h + (1|BROOD) + (1|INDEX) + (1|LOCATION)",
        "poisson",
        _ticks,
        expected={"ours": (40, 15), "nutpie": (60, 40), "numpyro": (60, 60)},
    ),
    Case(
        "six slopes",
        "logistic, 20,000 rows, 1,000 groups with five slopes",
        "y ~ x1 + x2 + x3 + x4 + x5 + (1 + x1 + x2 + x3 + x4 + x5|g)",
        "bernoulli",
        _six_slopes,
        expected={"ours": (120, 90), "nutpie": (400, 400), "numpyro": (400, 400)},
    ),
    Case(
        "VerbAgg",
        "logistic, 7,584 answers, 316 people x 24 items",
        "r ~ Anger + Gender + btype + situ + (1|id) + (1|item)",
        "bernoulli",
        _verbal,
        expected={"ours": (40, 15), "nutpie": (120, 90), "numpyro": (120, 120)},
    ),
    Case(
        "bacteria",
        "logistic, 220 rows, 50 children",
        "present ~ trt + week + (1|ID)",
        "bernoulli",
        _bacteria,
        expected={"ours": (25, 3), "nutpie": (40, 15), "numpyro": (20, 20)},
    ),
)
