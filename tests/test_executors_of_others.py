"""Dask and loky themselves, where they are installed: the same draws, and a killed worker costs no result."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import executor_work as work
import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite._parallel import run_on
from nutslite.exceptions import NutsliteWarning

MANY = 30
WHY = "is not installed; pip install 'nutslite[test]' brings it"


def tasks(folder, fatal):
    return [(number, fatal, str(folder)) for number in range(MANY)]


def times(folder):
    return Counter(int(path.name.partition(".")[0]) for path in Path(folder).iterdir() if path.name != "killed")


def segments():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"g": np.repeat(["a", "b", "c"], 15), "x": rng.normal(size=45)})
    return frame.assign(y=1.0 + frame["x"] + rng.normal(size=45))


def fits(executor):
    return nl.fit_many(
        "y ~ x", segments(), by="g", executor=executor, fit={"random_seed": 1, "draws": 50, "progressbar": False}
    )


@pytest.fixture(scope="module")
def dask_executor():
    """That of a client of a cluster on this machine, of two processes."""
    distributed = pytest.importorskip("distributed", reason=f"dask.distributed {WHY}")
    logging.getLogger("distributed").setLevel("CRITICAL")  # it speaks of workers that are killed
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


def test_a_killed_worker_of_dask_costs_no_result(dask_executor, tmp_path):
    """By itself it starts another worker, and does again what that one had."""
    assert list(run_on(dask_executor, work.fatal_once, tasks(tmp_path, 17))) == [n * n for n in range(MANY)]
    assert (tmp_path / "killed").exists()
    assert sorted(times(tmp_path)) == list(range(MANY))


def test_draws_on_dask_are_those_of_this_process(dask_executor):
    here = fits(None)
    pd.testing.assert_frame_equal(fits(dask_executor).table, here.table, check_exact=True)


def test_loky(tmp_path):
    """The same draws; a worker that is killed breaks the pool, in whose place there is another."""
    loky = pytest.importorskip("loky", reason=f"loky {WHY}")
    with loky.ProcessPoolExecutor(1) as pool:
        pd.testing.assert_frame_equal(fits(pool).table, fits(None).table, check_exact=True)
        with pytest.warns(NutsliteWarning, match="The executor broke off"):
            assert list(run_on(pool, work.fatal_once, tasks(tmp_path, 17))) == [n * n for n in range(MANY)]
    assert sorted(times(tmp_path)) == list(range(MANY))
