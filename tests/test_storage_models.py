"""Models and fits on disk: what comes back is what went there, and what has changed is seen."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import json
import os
import shutil
import subprocess
import sys
import uuid
import zipfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_models import GAUSSIAN, GENERAL, grouped_data, small_model

import nutslite as nl
from nutslite._log import log
from nutslite.exceptions import DataError, NutsliteError
from nutslite.families.record.register import get_family
from nutslite.model.record.specification import specification_of
from nutslite.posterior.run.identity import column_digest
from nutslite.results.container.inference_data import get_group
from nutslite.results.storage import model_file, storage

ROOT = Path(__file__).resolve().parent.parent
FIT = {"draws": 40, "tune": 40, "chains": 2, "random_seed": 1, "progressbar": False}
CASES = {**GAUSSIAN, **GENERAL}


@pytest.fixture(autouse=True)
def quiet(request):
    """So few draws have not converged."""
    if "caplog" not in request.fixturenames:
        log.setLevel("ERROR")
    yield
    log.setLevel("INFO")


def posterior(results):
    return {str(name): array.values for name, array in get_group(results, "posterior").data_vars.items()}


def assert_same_draws(one, other):
    assert posterior(one).keys() == posterior(other).keys()
    for name, values in posterior(one).items():
        np.testing.assert_array_equal(values, posterior(other)[name], err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_model_comes_back(tmp_path, case):
    """Same words, same plan, same identity (every column, prior and number of the design by digest)."""
    model = small_model(CASES[case])
    back = nl.Model.load(model.save(tmp_path / "a.model"))
    assert repr(back) == repr(model)
    assert str(back.plan()) == str(model.plan())
    assert specification_of(back).identity() == specification_of(model).identity()


@pytest.mark.parametrize("case", ["slopes", "bernoulli"])
def test_the_same_draws_and_predictions(tmp_path, case):
    model = small_model(CASES[case])
    results = model.fit(**FIT)
    model.save(tmp_path / "a.model")
    nl.save(results, tmp_path / "a.nc")
    back, read = nl.Model.load(tmp_path / "a.model"), nl.load(tmp_path / "a.nc")
    assert repr(back) == repr(model)  # which says whether it was fitted
    assert_same_draws(back.fit(**FIT), results)
    new = grouped_data(30, 9, seed=4)
    for data in (None, new):
        model.predict(results, data=data, kind="response", random_seed=3)
        back.predict(read, data=data, kind="response", random_seed=3)
        name = model.design.response.name
        group = "posterior_predictive" if data is None else "predictions"
        ours, theirs = (get_group(each, group)[name].values for each in (results, read))
        np.testing.assert_array_equal(ours, theirs)


def test_another_process_loads_the_same_model(tmp_path):
    model = small_model(CASES["crossed"])
    model.save(tmp_path / "a.model")
    code = (
        "import sys, nutslite, json\n"
        "from nutslite.model.record.specification import specification_of\n"
        "model = nutslite.Model.load(sys.argv[1])\n"
        "print(json.dumps([repr(model), specification_of(model).identity()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.model"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    words, identity = json.loads(done.stdout)
    assert words == repr(model)
    assert identity == json.loads(json.dumps(specification_of(model).identity()))
    assert done.stderr == ""


def odd_columns():
    """Every type of column that a formula may use."""
    rng = np.random.default_rng(2)
    n = 60
    pick = lambda *values: [values[i] for i in rng.integers(0, len(values), n)]  # noqa: E731
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "single": rng.normal(size=n).astype(np.float32),
            "small": rng.integers(0, 5, n).astype(np.int8),
            "unsigned": rng.integers(0, 5, n).astype(np.uint16),
            "flag": rng.random(n) < 0.5,
            "nullable": pd.array(rng.integers(0, 5, n), dtype="Int32"),
            "maybe": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "text": pick("b", "a", "ü\n'\""),
            "python": pd.Series(pick("x", "y"), dtype=object),
            "mixed": pd.Series(pick(1, 2.5), dtype=object),
            "exact": pd.Series(pick(Decimal("0.5"), Decimal("1.25")), dtype=object),
            "ordered": pd.Categorical(pick("low", "high", "mid"), categories=["low", "mid", "high"], ordered=True),
            "unused": pd.Categorical(pick("p", "q"), categories=["q", "never", "p"]),
            "numbered": pd.Categorical(pick(3, 1), categories=[3, 1]),
            "code": rng.integers(0, 3, n),
            "day": pd.to_datetime(pick("2020-01-01", "2021-06-30")),
            "two words": rng.normal(size=n),
            "not used": [object()] * n,
        }
    )


@pytest.mark.parametrize("column", [name for name in odd_columns().columns if name not in ("y", "not used")])
def test_columns_keep_their_types(tmp_path, column):
    data = odd_columns()
    categorical = [column] if column in ("code", "day") else None
    model = nl.Model(f"y ~ `{column}`" if " " in column else f"y ~ {column}", data, categorical=categorical)
    back = nl.Model.load(model.save(tmp_path / "a.model"))
    assert back.design.predictors["mu"].terms == model.design.predictors["mu"].terms
    np.testing.assert_array_equal(back.design.predictors["mu"].matrix, model.design.predictors["mu"].matrix)
    assert specification_of(back).identity() == specification_of(model).identity()
    assert specification_of(back).used.dtypes.to_dict().keys() == {"y", column}
    pd.testing.assert_frame_equal(specification_of(back).used, specification_of(model).used)


class Grade(enum.Enum):
    GOOD = 1
    BAD = 2


def categories_of_objects():
    """Columns that are categories, of values that are neither numbers nor texts."""
    rng = np.random.default_rng(5)
    n = 60
    pick = lambda *values: pd.Series([values[i] for i in rng.integers(0, len(values), n)])  # noqa: E731
    objects = lambda *values: pick(*values).astype(object)  # noqa: E731
    times = pd.to_datetime(pick("2020-01-01 00:00", "2021-06-30 12:00"))
    return {
        "intervals of pandas.cut": pd.Series(pd.cut(rng.uniform(0, 3, n), [0, 1, 2, 3])),
        "intervals of pandas.qcut": pd.Series(pd.qcut(rng.normal(size=n), 4)),
        "intervals of times": pd.Series(pd.cut(times, 2)),
        "intervals that are no category": pd.Series(pd.arrays.IntervalArray.from_breaks([0, 0.5, 2]).repeat(n // 2)),
        "months": pd.Series(pd.PeriodIndex(pick("2020-01", "2020-02"), freq="M")),
        "weeks": pd.Series(pd.PeriodIndex(pick("2020-01-01", "2020-02-01"), freq="W")).astype("category"),
        "dates": objects(datetime.date(2021, 1, 1), datetime.date(2020, 1, 1)),
        "dates as a category": objects(datetime.date(2021, 1, 1), datetime.date(2020, 1, 1)).astype("category"),
        "times of day": objects(datetime.time(2, 30), datetime.time(1)),
        "moments as a category": times.astype("category"),
        "moments with a zone": times.dt.tz_localize("Europe/Berlin"),
        "moments with a zone as a category": times.dt.tz_localize("Europe/Berlin").astype("category"),
        "durations": pd.to_timedelta(pick(1, 2), unit="h"),
        "decimals": objects(Decimal("0.1"), Decimal("0.1000000000000000055")),
        "fractions": objects(Fraction(1, 3), Fraction(1, 2)),
        "bytes": objects(b"b", b"a\xff"),
        "large integers": objects(10**30 + 1, 10**30),
        "identifiers": objects(uuid.UUID(int=5), uuid.UUID(int=3)),
        "tuples": objects((1, 2), (0, 1)),
        "members of an enumeration": pd.Series(pd.Categorical(objects(Grade.BAD, Grade.GOOD), [Grade.BAD, Grade.GOOD])),
        "ids beside a gap": pd.Series(pd.array([2**53 + 1, 2**53, None] * (n // 3), dtype="Int64")),
        "ids without sign beside a gap": pd.Series(pd.array([2**64 - 1, 2**64 - 2, None] * (n // 3), dtype="UInt64")),
    }


@pytest.mark.parametrize("kind", [*categories_of_objects(), "decimals of pyarrow", "a dictionary of pyarrow"])
def test_categories_of_all_kinds_of_objects_come_back(tmp_path, kind):
    if "pyarrow" in kind:
        pyarrow = pytest.importorskip("pyarrow")
        texts = pyarrow.array(["0.30", "0.10", "0.1"] * 20)
        decimals = "decimals" in kind
        array = texts.cast(pyarrow.decimal128(10, 2)) if decimals else texts.dictionary_encode()
        column = pd.Series(pd.arrays.ArrowExtensionArray(array))
    else:
        column = categories_of_objects()[kind]
    data = pd.DataFrame({"y": np.arange(60.0) ** 2, "k": column})
    model = nl.Model("y ~ C(k) + (1|k)", data, categorical=["k"], dropna=True)
    back = nl.Model.load(model.save(tmp_path / "a.model"))
    assert specification_of(back).identity() == specification_of(model).identity()
    assert back.design.factors["k"].levels == model.design.factors["k"].levels
    np.testing.assert_array_equal(back.design.factors["k"].index, model.design.factors["k"].index)
    new = data[data["k"].notna()].iloc[[0, 5, 9]]
    np.testing.assert_array_equal(
        back.design.evaluate(new).factors["k"].index, model.design.evaluate(new).factors["k"].index
    )


def test_digits_of_ids_count_for_what_a_model_is():
    """Beside a gap, too, where pandas hands out floating point."""
    one = pd.Series([2**53, 2**53 + 1, None], dtype="Int64")
    other = pd.Series([2**53 + 1, 2**53, None], dtype="Int64")
    assert column_digest(one) != column_digest(other)
    assert column_digest(one) == column_digest(one.copy())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"date": "2020-02-31"}, "is no date"),
        ({"decimal": "."}, "is no decimal"),
        ({"fraction": "1/0"}, "is no fraction"),
        ({"period": [1, "XX"]}, "is no period"),
        ({"interval": [2, 1, "right"]}, "is no interval"),
        ({"interval": [{"interval": [0, 1, "left"]}, 1, "right"]}, "not an end"),
        ({"timestamp": ["2020-01-01", "dateutil/etc/passwd"]}, "dateutil"),
        ({"module": "os"}, "not a value of a column"),
    ],
)
def test_values_in_a_file_that_are_none(tmp_path, value, said):
    column = pd.Series([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)] * 3, dtype=object)
    model = nl.Model("y ~ k", pd.DataFrame({"y": np.arange(6.0) ** 2, "k": column}), categorical="k")
    path = model.save(tmp_path / "a.model")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(members["model.json"])
    content["columns"][1]["values"][0] = value
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**members, "model.json": json.dumps(content)}.items():
            archive.writestr(name, text)
    with pytest.raises(DataError, match=said):
        nl.Model.load(path)


def test_incomplete_rows_are_stored_and_dropped_again(tmp_path):
    data = grouped_data()
    data.loc[[3, 50], "x"] = np.nan
    data.loc[7, "c"] = None
    model = nl.Model("y ~ x + c", data, dropna=True)
    back = nl.Model.load(model.save(tmp_path / "a.model"))
    assert (back.design.n_rows, back.design.n_dropped) == (model.design.n_rows, 3)
    assert specification_of(back).identity() == specification_of(model).identity()


def test_the_model_keeps_its_own_data(tmp_path):
    data = grouped_data()
    model = nl.Model("y ~ x", data)
    before = specification_of(model).identity()
    data.loc[0, "x"] = 1e6
    data["y"] = 0.0
    assert specification_of(nl.Model.load(model.save(tmp_path / "a.model"))).identity() == before


def test_changes_after_construction_are_stored(tmp_path):
    model = nl.Model("y ~ x + (1|g)", grouped_data())
    model.set_priors({"x": nl.Prior("Normal", mu=0, sigma=0.5), "sigma": 2.0})
    model.set_alias({"x": "slope"})
    back = nl.Model.load(model.save(tmp_path / "a.model"))
    assert repr(back) == repr(model)
    assert specification_of(back).aliases == specification_of(model).aliases
    assert back.priors.terms["mu"]["x"] == nl.Prior("Normal", mu=0, sigma=0.5)


class TestWhatNoFileHolds:
    def test_functions_are_asked_for_by_name(self, tmp_path, caplog):
        def cube(x):
            return x**3

        path = tmp_path / "a.model"
        model = nl.Model("y ~ cube(x) + I(x * k)", grouped_data(), extra_namespace={"cube": cube, "k": 2.0})
        model.save(path)
        assert "extra_namespace={'cube': cube}" in caplog.text
        with pytest.raises(DataError, match=r"Model.load\('.*', extra_namespace=\{'cube': cube\}\)"):
            nl.Model.load(path)
        back = nl.Model.load(path, extra_namespace={"cube": cube})  # k is in the file
        assert specification_of(back).identity() == specification_of(model).identity()
        caplog.clear()
        nl.Model.load(path, extra_namespace={"cube": lambda x: x**2})
        assert "not quite what it was" in caplog.text
        assert "what the formula makes of the data" in caplog.text

    def test_a_family_of_ones_own_is_asked_for(self, tmp_path):
        own = dataclasses.replace(get_family("gaussian"), name="mine")
        model = nl.Model("y ~ x", grouped_data(), family=own)
        path = model.save(tmp_path / "a.model")
        with pytest.raises(DataError, match="family=<the family 'mine'>"):
            nl.Model.load(path)
        assert specification_of(nl.Model.load(path, family=own)).identity() == specification_of(model).identity()

    def test_potentials_are_asked_for(self, tmp_path):
        potentials = [("sigma", lambda sigma: -10 * sigma)]
        model = nl.Model("y ~ x", grouped_data(), potentials=potentials)
        path = model.save(tmp_path / "a.model")
        with pytest.raises(DataError, match="potentials="):
            nl.Model.load(path)
        assert (
            specification_of(nl.Model.load(path, potentials=potentials)).identity()
            == specification_of(model).identity()
        )

    def test_what_the_file_has_is_not_taken_from_the_call(self, tmp_path):
        path = nl.Model("y ~ x", grouped_data()).save(tmp_path / "a.model")
        with pytest.raises(DataError, match="the file has its own family"):
            nl.Model.load(path, family="t")
        with pytest.raises(DataError, match="knows nothing of it"):
            nl.Model.load(path, familly="t")


class TestFilesThatAreNotRight:
    def test_no_file_another_file_a_damaged_file(self, tmp_path):
        path = tmp_path / "a.model"
        with pytest.raises(DataError, match="There is no file"):
            nl.Model.load(path)
        path.write_text("no model")
        with pytest.raises(DataError, match="is damaged"):
            nl.Model.load(path)
        model = nl.Model("y ~ x", grouped_data())
        model.save(path)
        words, whole = repr(model), path.read_bytes()
        for size in range(0, len(whole), max(1, len(whole) // 25)):
            path.write_bytes(whole[:size])
            with pytest.raises(DataError, match="damaged"):
                nl.Model.load(path)
        for place in range(0, len(whole), max(1, len(whole) // 25)):
            wrong = bytearray(whole)
            wrong[place] ^= 0xFF
            path.write_bytes(wrong)
            with contextlib.suppress(NutsliteError):  # or a byte without a meaning
                assert repr(nl.Model.load(path)) == words

    @pytest.mark.parametrize("kind", ["model", "results"])
    def test_a_newer_version_is_refused(self, tmp_path, monkeypatch, kind):
        model = nl.Model("y ~ x", grouped_data())
        if kind == "model":
            module, read = model_file, lambda: nl.Model.load(tmp_path / "a")
            monkeypatch.setattr(module, "FORMAT", 99)
            model.save(tmp_path / "a")
        else:
            module, read = storage, lambda: nl.load(tmp_path / "a")
            monkeypatch.setattr(module, "FORMAT", 99)
            nl.save(model.fit(**FIT), tmp_path / "a")
        read()
        monkeypatch.setattr(module, "FORMAT", 1)
        with pytest.raises(DataError, match=r"written by nutslite .*, in format 99 of .*upgrade nutslite"):
            read()

    def test_nothing_in_a_file_is_ever_unpickled(self, tmp_path):
        path = nl.Model("y ~ x", grouped_data()).save(tmp_path / "a.model")
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        array = np.array([print], dtype=object)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                if name.endswith("0.npy"):
                    with archive.open(name, "w") as file:
                        np.lib.format.write_array(file, array, allow_pickle=True)
                else:
                    archive.writestr(name, content)
        with pytest.raises(DataError, match=r"damaged: .*0.npy. holds object, which no column is kept as"):
            nl.Model.load(path)

    def test_damaged_results(self, tmp_path):
        path = nl.save(nl.Model("y ~ x", grouped_data()).fit(**FIT), tmp_path / "a.nc")
        whole = path.read_bytes()
        for size in (0, 10, len(whole) // 2, len(whole) - 100):
            path.write_bytes(whole[:size])
            with pytest.raises(DataError, match="damaged"):
                nl.load(path)


@pytest.fixture(scope="module")
def kept_fit(tmp_path_factory):
    """The file of one fit; tests copy it."""
    path = tmp_path_factory.mktemp("kept") / "fit.nc"
    nl.Model("y ~ x + z", grouped_data()).fit(file=path, **FIT)
    return path


class TestFitsInFiles:
    def test_the_same_call_is_loaded(self, tmp_path, caplog, monkeypatch):
        path = tmp_path / "fit.nc"
        first = nl.Model("y ~ x + (1|g)", grouped_data()).fit(file=path, **FIT)
        assert "loaded" not in caplog.text
        monkeypatch.setattr("nutslite.posterior.methods.nuts_start.sample", None)  # nothing is drawn
        again = nl.Model("y ~ x + (1|g)", grouped_data()).fit(file=path, cores=1, **FIT)
        assert "holds this fit: loaded instead of sampled" in caplog.text
        assert_same_draws(first, again)

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"formula": "y ~ x"}, "formula (y ~ x + z there, y ~ x here)"),
            ({"priors": {"x": nl.Prior("Normal", mu=0, sigma=1)}}, "prior of 'x'"),
            ({"family": "t"}, "family (gaussian there, t here)"),
            ({"row": 5}, "column 'x' of the data"),
            ({"other": True}, None),
            ({"draws": 41}, "draws (40 there, 41 here)"),
            ({"random_seed": 2}, "random_seed (1 there, 2 here)"),
            ({"idata_kwargs": {"log_likelihood": True}}, "log_likelihood"),
            ({"plan": "joint"}, "plan"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_a_change_is_named_and_fitted(self, tmp_path, caplog, kept_fit, change, named):
        path, fit = Path(shutil.copy(kept_fit, tmp_path)), dict(FIT)
        data, change = grouped_data(), dict(change)
        if change.pop("row", None):
            data.loc[5, "x"] += 1e-9
        if change.pop("other", None):
            data["k"] += 1  # a column that the formula does not use
        arguments = {"formula": "y ~ x + z"} | {
            key: change.pop(key) for key in ("formula", "priors", "family") if key in change
        }
        model = nl.Model(data=data, **arguments)
        results = model.fit(file=path, **{**fit, **change})
        if named is None:
            assert "loaded instead of sampled" in caplog.text
            return
        assert f"is of another call, different are: {named}" in caplog.text
        assert_same_draws(results, nl.load(path))
        caplog.clear()
        nl.Model(data=data, **arguments).fit(file=path, **{**fit, **change})
        assert "loaded instead of sampled" in caplog.text

    def test_an_interrupted_fit_is_made_again(self, tmp_path, caplog, monkeypatch):
        monkeypatch.setattr("nutslite.sampler.worker.BLOCK_SECONDS", 0.0005)

        def stop(progress):
            if progress.phase == "sampling":
                raise KeyboardInterrupt

        model = nl.Model("y ~ x + (1|g)", grouped_data())
        path, settings = tmp_path / "fit.nc", {**FIT, "draws": 3000, "cores": 1}
        part = model.fit(file=path, callback=stop, **settings)
        assert get_group(part, "posterior").attrs["interrupted"] == 1
        whole = model.fit(file=path, **settings)
        assert "holds an interrupted fit" in caplog.text
        assert get_group(whole, "posterior").sizes["draw"] == 3000

    def test_results_of_unknown_origin_are_not_replaced(self, tmp_path):
        model = nl.Model("y ~ x", grouped_data())
        path = nl.save(model.fit(**FIT), tmp_path / "fit.nc")
        before = path.read_bytes()
        with pytest.raises(DataError, match="did not write"):
            model.fit(file=path, **FIT)
        assert path.read_bytes() == before

    def test_a_checkpoint_and_a_file_go_together(self, tmp_path, monkeypatch):
        """Without a seed: the file is of this call, and a lost file comes back from the checkpoint."""
        model = nl.Model("y ~ x + (1|g)", grouped_data())
        fit = {**FIT, "random_seed": None, "file": tmp_path / "fit.nc", "checkpoint": tmp_path / "fit.ckpt"}
        first = model.fit(**fit)
        assert_same_draws(model.fit(**fit), first)
        (tmp_path / "fit.nc").unlink()
        assert_same_draws(model.fit(**fit), first)
