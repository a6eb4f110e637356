"""Passes by the workers of a Dask cluster: the same numbers, also where a worker dies on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.posterior.targets.streamed_target import OfBlock, StreamedTarget

distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
frames = pytest.importorskip("dask.dataframe", reason="Dask is not installed")

N = 1000


@dataclass(frozen=True)
class DiesOnce:
    """Work that ends its whole process the first time that it is asked for."""

    work: Any
    flag: str

    def __call__(self, design: Any) -> Any:
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            os._exit(1)
        return self.work(design)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    x = rng.normal(size=N)
    return pd.DataFrame({"x": x, "b": (rng.random(N) < 1.0 / (1.0 + np.exp(-x))).astype(int)})


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow  # two processes that load Numba
def test_a_worker_that_dies_costs_no_result(client, data, tmp_path):
    model = nl.Model("b ~ x", frames.from_pandas(data, npartitions=4), "bernoulli")
    target = StreamedTarget(model._specification.posterior.assembled)
    positions = np.random.default_rng(2).normal(size=(5, 2))
    undisturbed = target.log_densities(positions, 1)
    spec = model._specification.spec
    work = OfBlock(
        spec.__class__(**{**vars(spec), "elsewhere": None}),
        target.assembled.inventory,
        positions,
        False,
        target.has_total,
    )
    assert target.has_total
    before = set(client.scheduler_info()["workers"])
    parts = list(target.elsewhere.over(DiesOnce(work, str(tmp_path / "died")), 1))
    assert (tmp_path / "died").exists()
    assert sum(values for values, _ in parts) == pytest.approx(sum(v for v, _ in target.elsewhere.over(work, 1)), rel=0)
    assert target.log_densities(positions, 1) == pytest.approx(undisturbed, rel=0)
    assert set(client.scheduler_info()["workers"]) != before


@pytest.mark.slow
def test_a_cluster_fits_as_one_process_does(client, data):
    ours = nl.Model("b ~ x", frames.from_pandas(data, npartitions=4), "bernoulli")
    results = ours.fit(draws=100, chains=2, random_seed=1, progressbar=False)
    theirs = nl.Model("b ~ x", data, "bernoulli")
    assert str(ours.priors) == str(theirs.priors)
    expected = theirs.fit(draws=100, chains=2, random_seed=1, progressbar=False)
    ours_x, theirs_x = (np.asarray(found["posterior"]["x"]) for found in (results, expected))
    assert abs(ours_x.mean() - theirs_x.mean()) < 5.0 * np.sqrt(2.0 * theirs_x.var() / 100)
