"""Which level a row has: found before numbers are rounded, named as written, the same in every container and later."""

from __future__ import annotations

import datetime as dt
import enum
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nutslite as nl
from nutslite.exceptions import DataError
from nutslite.formula.columns.categories import categories_of
from nutslite.formula.columns.data import as_frame
from nutslite.formula.design import Design, build_design
from nutslite.formula.formula import Formula
from nutslite.results.container.inference_data import build_container, get_group, group_names

BIG = 2**53
Y = np.arange(6.0)

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="nutslite")


def design(values: Any, formula: str = "y ~ (1|t)", **settings: Any) -> Design:
    table = isinstance(values, dict | Path) or hasattr(values, "collect") or hasattr(values, "columns")
    data = values if table else {"y": Y, "t": values}
    return build_design(formula, data, **settings)


def levels(values: Any, formula: str = "y ~ (1|t)", **settings: Any) -> tuple[str, ...]:
    (factor,) = design(values, formula, **settings).factors.values()
    return factor.levels


# how a table of two columns, one with gaps, gets to us
CONTAINERS: dict[str, Callable[[list[int | None], Path], Any]] = {
    "dict": lambda values, _: {"y": Y, "t": values},
    "polars": lambda values, _: _polars(values),
    "lazy polars": lambda values, _: _polars(values).lazy(),
    "pyarrow": lambda values, _: _polars(values).to_arrow(),
    "nullable pandas": lambda values, _: pd.DataFrame({"y": Y, "t": pd.array(values, dtype=_dtype(values))}),
    "pyarrow in pandas": lambda values, _: pd.DataFrame(
        {"y": Y, "t": pd.array(values, dtype=f"{_dtype(values).lower()}[pyarrow]")}
    ),
    "objects": lambda values, _: pd.DataFrame({"y": Y, "t": pd.Series(values, dtype=object)}),
    "parquet": lambda values, folder: _written(_polars(values), folder / "a.parquet", "write_parquet"),
    "csv": lambda values, folder: _written(_polars(values), folder / "a.csv", "write_csv"),
    "tsv": lambda values, folder: _written(_polars(values), folder / "a.txt", "write_csv", separator="\t"),
}


def _dtype(values: list[int | None]) -> str:
    return "UInt64" if max(value for value in values if value is not None) >= 2**63 else "Int64"


def _polars(values: list[int | None]) -> Any:
    return polars.DataFrame({"y": Y, "t": polars.Series(values, dtype=getattr(polars, _dtype(values)))})


def _written(table: Any, path: Path, method: str, **options: Any) -> Path:
    getattr(table, method)(path, **options)
    return path


IDS = {
    "small": [3, 1, None, 2, 1, 3],
    "beyond 2**53": [BIG + 1, BIG, None, BIG + 2, BIG + 3, BIG + 1],
    "negative": [-BIG - 1, -BIG, None, -1, 5, BIG + 1],
    "beyond 2**63": [2**63, 2**63 + 1, None, 2**64 - 1, 2**64 - 2, 1],
}


class TestDigits:
    @pytest.mark.parametrize("container", CONTAINERS)
    @pytest.mark.parametrize("ids", IDS)
    def test_ids_beside_a_gap_keep_them(self, container: str, ids: str, tmp_path: Path) -> None:
        values = IDS[ids]
        found = design(CONTAINERS[container](values, tmp_path), dropna=True).factors["t"]
        kept = [value for value in values if value is not None]
        assert [found.levels[level] for level in found.index] == [str(value) for value in kept]
        assert found.levels == tuple(str(value) for value in sorted(set(kept)))

    @pytest.mark.parametrize("dtype", ["uint64", "UInt64", "uint64[pyarrow]", "object"])
    def test_large_unsigned_ones(self, dtype: str) -> None:
        values = pd.Series(np.array([2**63 + i % 5 for i in range(6)], dtype="uint64")).astype(dtype)
        assert levels(values) == tuple(str(2**63 + i) for i in range(5))

    @pytest.mark.parametrize(
        ("values", "names"),
        [
            ([10**30 + i % 2 for i in range(6)], (str(10**30), str(10**30 + 1))),
            ([-1, 2**63, 2**63 + 1] * 2, ("-1", str(2**63), str(2**63 + 1))),
            ([Decimal("0.1"), Decimal("0.1000000000000000055"), Decimal("2.50")] * 2, None),
            ([Decimal("2.0"), Decimal(2), Decimal("1E1")] * 2, ("2", "10")),
            (np.array([0.1, 0.25, 0.3] * 2, dtype=np.float32), ("0.1", "0.25", "0.3")),
            (np.array([0.1, 0.25, 0.3] * 2, dtype=np.float16), ("0.1", "0.25", "0.3")),
            (pd.array([0.1, 0.25, 0.3] * 2, dtype="Float32"), ("0.1", "0.25", "0.3")),
            ([1.0, 2.0, 3.0] * 2, ("1", "2", "3")),
            ([-0.0, 0.0, 1.0] * 2, ("0", "1")),
            ([1e15, 1e20, 1e25] * 2, ("1000000000000000", "100000000000000000000", "10000000000000000000000000")),
            ([0.5, 1.0, 1.5] * 2, ("0.5", "1.0", "1.5")),
        ],
    )
    def test_other_numbers(self, values: Any, names: tuple[str, ...] | None) -> None:
        for formula in ("y ~ (1|t)", "y ~ (1|I(t))"):
            assert levels({"y": Y, "t": values}, formula) == (names or ("0.1", "0.1000000000000000055", "2.5"))
        (term,) = build_design("y ~ C(t)", {"y": Y, "t": values}).predictors["mu"].terms
        assert term.labels == (names or ("0.1", "0.1000000000000000055", "2.5"))[1:]
        assert levels({"y": Y, "t": values}, categorical=["t"]) == (names or ("0.1", "0.1000000000000000055", "2.5"))

    def test_arithmetic_on_ids_is_exact(self) -> None:
        ids = [BIG + i for i in range(6)]
        assert levels(ids, "y ~ (1|I(t % 10))") == tuple(str(i) for i in sorted(value % 10 for value in ids))
        assert levels(ids, "y ~ (1|I(t - 1))") == tuple(str(value - 1) for value in ids)
        assert levels(ids, "y ~ (1|I(-t))") == tuple(str(-value) for value in reversed(ids))
        assert levels([2**63 + i for i in range(6)], "y ~ (1|I(t // 2))") == tuple(str(2**62 + i) for i in range(3))

    def test_numbers_stay_numbers(self) -> None:
        unsigned = np.array([2**63 + i * 2**60 for i in range(6)], dtype="uint64")
        columns = build_design("y ~ t + np.negative(t) + abs(t)", {"y": Y, "t": unsigned}).predictors["mu"].matrix
        np.testing.assert_array_equal(columns, [unsigned.astype(float) * sign for sign in (1, -1, 1)])

    @pytest.mark.parametrize("values", [[2.0**53 + 2 * i for i in range(6)], np.arange(6, dtype=np.float32) + 2**24])
    def test_what_is_lost_is_said(self, values: Any) -> None:
        with pytest.raises(DataError, match=r"'t' holds whole numbers.*lost their last digits.*Int64"):
            design(values)
        assert design(values, "y ~ center(t)").n_rows == 6  # a number like any other


class Grade(enum.Enum):
    """Hashable, and without an order."""

    GOOD = 1
    BAD = 2


class TestOrder:
    @pytest.mark.parametrize(
        ("values", "names"),
        [
            ([Grade.GOOD, Grade.BAD], ("Grade.BAD", "Grade.GOOD")),
            ([dt.date(2020, 1, 1), dt.datetime(2019, 1, 1, 3)], ("2019-01-01 03:00:00", "2020-01-01")),
            ([("b", 2), (1, "a")], ("(1, 'a')", "('b', 2)")),
            (["b", 2, "a", 1], ("1", "2", "a", "b")),
        ],
    )
    def test_of_values_that_python_does_not_order(self, values: list[Any], names: tuple[str, ...]) -> None:
        for ordered in (values, values[::-1]):
            column = pd.Series(ordered * 4, dtype=object)
            assert levels({"y": np.arange(len(column)), "t": column}, categorical=["t"]) == names

    @pytest.mark.parametrize("step", [1, -1])
    @pytest.mark.parametrize("kind", ["Categorical", "Enum", "dictionary", "ordered dictionary", "in pandas"])
    @pytest.mark.parametrize("through", ["itself", "parquet"])
    def test_of_rows_does_not_count(self, step: int, kind: str, through: str, tmp_path: Path) -> None:
        texts, declared = ["z", "a", "m", "z", "a", "m"][::step], ["m", "z", "a"]
        ordered = pyarrow.array(texts).cast(pyarrow.string())
        tables = {
            "Categorical": lambda: polars.DataFrame({"y": Y, "t": polars.Series(texts, dtype=polars.Categorical)}),
            "Enum": lambda: polars.DataFrame({"y": Y, "t": polars.Series(texts, dtype=polars.Enum(declared))}),
            "dictionary": lambda: pyarrow.table({"y": Y, "t": ordered.dictionary_encode()}),
            "ordered dictionary": lambda: pyarrow.table({"y": Y, "t": _ordered_dictionary(texts, declared)}),
            "in pandas": lambda: pd.DataFrame(
                {"y": Y, "t": pd.Series(pd.arrays.ArrowExtensionArray(ordered.dictionary_encode()))}
            ),
        }
        table = tables[kind]()
        if through == "parquet":
            if hasattr(table, "write_parquet"):
                table.write_parquet(tmp_path / "a.parquet")
            elif hasattr(table, "to_parquet"):
                table.to_parquet(tmp_path / "a.parquet")
            else:
                from pyarrow import parquet

                parquet.write_table(table, tmp_path / "a.parquet")
            table = tmp_path / "a.parquet"
        expected = ("m", "z", "a") if kind in ("Enum", "ordered dictionary") else ("a", "m", "z")
        assert levels(table) == expected
        assert build_design("y ~ t", table).predictors["mu"].terms[0].labels == expected[1:]

    def test_types_that_pandas_lacks(self) -> None:
        values = polars.Series([2**70, 2**70 + 1, None, 1, 2, 1], dtype=polars.Int128)
        found = levels(polars.DataFrame({"y": Y, "t": values}), dropna=True)
        assert found == ("1", "2", str(2**70), str(2**70 + 1))

    def test_declared_in_pandas_counts_in_a_file_too(self, tmp_path: Path) -> None:
        data = pd.DataFrame({"y": Y, "t": pd.Categorical(["z", "a", "m"] * 2, categories=["m", "z", "a"])})
        data.to_parquet(tmp_path / "a.parquet")
        assert levels(tmp_path / "a.parquet") == levels(data) == ("m", "z", "a")

    def test_a_table_without_pyarrow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """polars by itself cannot make a pandas frame; its columns are read one by one."""
        table = polars.DataFrame(
            {
                "y": Y,
                "t": [BIG + 1, None, BIG, BIG, 1, 2],
                "c": polars.Series(["z", "a", "m"] * 2, dtype=polars.Categorical),
                "e": polars.Series(["z", "a", "m"] * 2, dtype=polars.Enum(["m", "z", "a"])),
            }
        )

        def absent(*_: object, **__: object) -> None:
            raise ImportError("pyarrow")

        whole = as_frame(table)
        monkeypatch.setattr(polars.DataFrame, "to_pandas", absent)
        alone = as_frame(table)
        for frame in (whole, alone):
            assert levels(frame, dropna=True) == ("1", "2", str(BIG), str(BIG + 1))
            assert list(frame["c"].cat.categories) == ["a", "m", "z"]
            assert list(frame["e"].cat.categories) == ["m", "z", "a"]


def _ordered_dictionary(texts: list[str], declared: list[str]) -> Any:
    codes = pyarrow.array([declared.index(text) for text in texts], type=pyarrow.int32())
    return pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(declared), ordered=True)


DAY = pd.to_datetime(["2020-01-01", "2020-01-02"])
SAME = [  # levels of a fit, and the same levels held by another type
    ([1, 2], ["1", "2"]),
    (["1", "2"], [1, 2]),
    (["1", "2"], [1.0, 2.0]),
    ([1, 2], [Decimal("1"), Decimal("2.0")]),
    ([1, 2], np.array([1, 2], dtype=np.uint8)),
    ([1, 2], pd.array([1, 2], dtype="Int64")),
    ([1, 2], pd.Categorical(["1", "2"])),
    ([1.0, 2.0], ["1", "2"]),
    ([BIG, BIG + 1], [str(BIG), str(BIG + 1)]),
    ([0.5, 1.0], [0.5, 1]),
    ([0.1, 0.2], np.array([0.1, 0.2], dtype=np.float32)),
    ([0.1, 0.2], ["0.1", "0.2"]),
    ([False, True], ["False", "True"]),
    ([False, True], [0, 1]),
    ([0, 1], [False, True]),
    (["a", "b"], np.array([b"a", b"b"])),
    (["a", "b"], np.array(["a", "b"], dtype=object)),
    (["a", "b"], pd.array(["a", "b"], dtype="string")),
    (DAY, ["2020-01-01", "2020-01-02"]),
    (DAY, [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]),
    (["2020-01-01", "2020-01-02"], DAY),
    (pd.cut([0.5, 1.5], [0, 1, 2]), pd.cut([0.5, 1.5], [0.0, 1.0, 2.0])),
    (pd.PeriodIndex(["2020-01", "2020-02"], freq="M"), ["2020-01", "2020-02"]),
]
ALIKE = [  # a level of a fit, and a new one that reads like it
    ("1", "1.0"),
    (1, "01"),
    ("01", 1),
    ("1.0", 1),
    (1, " 1"),
    (0.3, 0.1 + 0.2),
    (0.5, "0.50"),
    ("a", "a "),
    ("\u00e9", "e\u0301"),
    (True, "TRUE"),
    ("true", True),
    (dt.date(2020, 1, 1), "2020-01-01 00:00:00"),
    (1000, "1e3"),
]


def repeated(values: Any) -> Any:
    return pd.concat([pd.Series(values)] * 3, ignore_index=True)


class TestLater:
    @pytest.mark.parametrize(("learned", "later"), SAME)
    def test_levels_are_found_by_name(self, learned: Any, later: Any) -> None:
        model = build_design("y ~ C(t) + (1|t)", {"y": Y, "t": repeated(learned)}, categorical=["t"])
        new = model.evaluate(pd.DataFrame({"t": pd.Series(later)}))
        np.testing.assert_array_equal(new.factors["t"].index, [0, 1])
        np.testing.assert_array_equal(new.predictors["mu"].matrix, [[0.0, 1.0]])

    @pytest.mark.parametrize(("learned", "later"), SAME[:10])
    def test_also_in_interactions_and_responses(self, learned: Any, later: Any) -> None:
        data = {"y": Y, "t": repeated(learned), "h": list("uuuvvv")}
        new = build_design("y ~ (1|h:t)", data).evaluate(pd.DataFrame({"t": pd.Series(later), "h": "u"}))
        np.testing.assert_array_equal(new.factors["h:t"].index, [0, 1])
        success = pd.Series(learned)[1]
        two = build_design(f"t[{success!r}] ~ 1" if isinstance(success, str) else "C(t) ~ 1", data)
        new = two.evaluate(pd.DataFrame({"t": pd.Series(later)}), response=True)
        np.testing.assert_array_equal(new.response.values, [[0.0, 1.0]])

    @pytest.mark.parametrize(("known", "new"), ALIKE)
    def test_what_reads_alike_is_refused(self, known: Any, new: Any) -> None:
        model = design(pd.Series([known, "other"] * 3, dtype=object), categorical=["t"])
        with pytest.raises(DataError, match="reads like the level"):
            model.evaluate(pd.DataFrame({"t": [new]}))

    @pytest.mark.parametrize("new", ["A", "b", "1a", "10", 7, "nan", "2020-01-02", "1_0", "١"])
    def test_what_is_new_is_new(self, new: Any) -> None:
        model = design(pd.Series(["a", 1, "2020-01-01"] * 2, dtype=object), categorical=["t"])
        found = model.evaluate(pd.DataFrame({"t": [new]})).factors["t"]
        assert found.new_levels == (str(new),)

    def test_ids_that_float64_cannot_tell_apart_are_different(self) -> None:
        found = design([BIG, BIG + 2] * 3).evaluate({"t": [BIG + 1, BIG + 2]}).factors["t"]
        assert found.index.tolist() == [-1, 1]
        with pytest.raises(DataError, match="lost their last digits"):
            design([BIG, BIG + 2] * 3).evaluate({"t": [float(BIG), float(BIG + 2)]})

    def test_levels_are_compared_by_name_in_formulas(self) -> None:
        data = {"y": Y, "t": list("121212"), "u": [1, 2, 1, 2, 2, 1]}
        same = build_design("y ~ I(t == u) + T(t, 2) + C(t, levels=[2, 1])", data, categorical=["u"])
        first, second, third = same.predictors["mu"].matrix
        np.testing.assert_array_equal(first, [1, 1, 1, 1, 0, 0])
        np.testing.assert_array_equal(second, third)

    @pytest.mark.parametrize("new", [{"g": ["a"], "h": ["b:c"]}, {"g": ["x:y", "x"], "h": ["z", "y:z"]}])
    def test_colons_that_make_two_combinations_one_name(self, new: dict[str, list[str]]) -> None:
        data = {"y": Y, "g": ["a:b", "d"] * 3, "h": ["c", "e"] * 3}
        with pytest.raises(DataError, match="'g:h' would have the same name"):
            build_design("y ~ (1|g:h)", data).evaluate(new)


class TestWithoutGroups:
    """Predictions without group effects need nothing that only groups use."""

    FORMULA = Formula("y ~ x + g + (z|s/h) + offset(o)", "sigma ~ w + (1|s)")

    @pytest.fixture
    def learned(self) -> Design:
        rng = np.random.default_rng(0)
        data = {name: rng.normal(size=24) for name in ("y", "x", "z", "o", "w")}
        return build_design(self.FORMULA, {**data, "g": list("abc") * 8, "s": list("uv") * 12, "h": list("pppq") * 6})

    @pytest.mark.parametrize(
        "others", [{}, {"s": ["never seen", None], "h": [1, "x"]}, {"z": [np.inf, np.nan], "s": [[1], [2]]}]
    )
    def test_their_columns_may_be_absent_or_anything(self, learned: Design, others: dict[str, Any]) -> None:
        common = pd.DataFrame({"x": [1.0, 2.0], "g": ["b", "a"], "o": 0.5, "w": [3.0, 4.0]})
        found = learned.evaluate(common.assign(**others), groups=False)
        assert not found.group_terms
        assert not found.factors
        whole = learned.evaluate(common.assign(z=1.0, s="u", h="p"))
        for parameter, predictor in found.predictors.items():
            np.testing.assert_array_equal(predictor.matrix, whole.predictors[parameter].matrix)

    @pytest.mark.parametrize("column", ["x", "g", "o", "w"])
    def test_columns_of_common_terms_and_offsets_are_needed(self, learned: Design, column: str) -> None:
        common = pd.DataFrame({"x": [1.0], "g": ["b"], "o": 0.5, "w": [3.0]})
        with pytest.raises(DataError, match=f"lack the column '{column}'"):
            learned.evaluate(common.drop(columns=column), groups=False)

    def test_a_column_of_both_is_needed(self) -> None:
        design = build_design("y ~ x + (x|s)", {"y": Y, "x": Y**2, "s": list("uvuvuv")})
        with pytest.raises(DataError, match="lack the column 'x'"):
            design.evaluate({"s": ["u"]}, groups=False)

    @pytest.mark.parametrize("family", ["gaussian", "poisson"])
    @pytest.mark.parametrize("kind", ["response_params", "response"])
    def test_in_predictions(self, family: str, kind: str) -> None:
        data = pd.DataFrame({"y": np.arange(12) % 5, "x": np.arange(12.0) ** 2, "s": list("uv") * 6})
        model = nl.Model("y ~ scale(x) + (1|s)", data, family)
        prior = model.prior_predictive(draws=20, random_seed=1)
        results = build_container({"posterior": get_group(prior, "prior").drop_vars("mu", errors="ignore")})
        options: dict[str, Any] = {"kind": kind, "include_group_specific": False, "random_seed": 1, "inplace": False}
        without = model.predict(results, data=pd.DataFrame({"x": [1.0, 7.0]}), **options)
        having = model.predict(results, data=pd.DataFrame({"x": [1.0, 7.0], "s": "u"}), **options)
        added = set(group_names(without)) - {"posterior"}
        assert added
        for group in added:
            for name, values in get_group(without, group).data_vars.items():
                np.testing.assert_array_equal(values, get_group(having, group)[name])
        with pytest.raises(DataError, match="lack the column 's'"):
            model.predict(results, data=pd.DataFrame({"x": [1.0]}), inplace=False)


def test_known_groups_have_their_own_effects_whatever_type_holds_them() -> None:
    """Groups far apart, learned as texts: predictions for the numbers are theirs, not draws from the population."""
    rng = np.random.default_rng(0)
    k = np.repeat([1, 2, 10, 20], 30)
    data = pd.DataFrame({"y": k + rng.normal(size=120), "k": k.astype(str)})
    model = nl.Model("y ~ 1 + (1|k)", data)
    results = model.fit(draws=100, chains=2, random_seed=1, progressbar=False)
    new = pd.DataFrame({"k": [1, 20]})
    numbers, texts = (
        model.predict(results, data=rows, sample_new_groups=True, random_seed=1, inplace=False)
        for rows in (new, new.astype(str))
    )
    ours, theirs = (_predicted(each) for each in (numbers, texts))
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(ours.mean(axis=(0, 1)), [1, 20], atol=0.6)


def _predicted(results: Any) -> Any:
    """mu of new rows, which are in a group of their own."""
    return get_group(results, "predictions" if "predictions" in group_names(results) else "posterior")["mu"].values


@pytest.mark.parametrize("rows_at_once", [1, 7, 1_000])
@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).integers(-40, 40, 500),
        np.random.default_rng(2).permutation(500),
        np.array([0.5, -0.0, 0.0, 2.0**40, -3.0]),
        np.array([2**62, -1, 5, 5]),
    ],
    ids=["repeated", "all different", "floats", "large"],
)
def test_levels_of_numbers_some_rows_at_a_time_are_those_of_all(monkeypatch, values, rows_at_once):
    codes, levels = pd.factorize(values, sort=True)
    monkeypatch.setattr("nutslite.formula.columns.categories._ROWS_AT_ONCE", rows_at_once)
    found = categories_of(values, "g")
    np.testing.assert_array_equal(found.codes, codes)
    assert found.codes.dtype == np.int32
    assert list(map(repr, found.levels)) == list(map(repr, levels.tolist()))
