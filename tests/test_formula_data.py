"""Containers, column types and missing values."""

from __future__ import annotations

import decimal
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nutslite.exceptions import DataError
from nutslite.formula.design import build_design
from nutslite.formula.formula import Formula

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [1.0, 2.0, 4.0, 3.0, 5.0, 0.5],
            "x": [0.1, 0.4, 0.2, 0.8, 0.5, 0.9],
            "g": ["a", "b", "a", "c", "b", "c"],
            "s": [1, 1, 2, 2, 3, 3],
        }
    )


def matrix(data: Any, formula: str = "y ~ x + g + (1|s)", **kwargs: Any) -> np.ndarray:
    return build_design(formula, data, **kwargs).predictors["mu"].matrix


class TestContainers:
    def test_polars(self) -> None:
        polars = pytest.importorskip("polars")
        table = polars.DataFrame(frame().to_dict("list"))
        np.testing.assert_array_equal(matrix(table), matrix(frame()))
        np.testing.assert_array_equal(matrix(table.lazy()), matrix(frame()))
        text = table.with_columns(polars.col("g").cast(polars.Categorical))
        np.testing.assert_array_equal(matrix(text), matrix(frame()))

    def test_pyarrow(self) -> None:
        pyarrow = pytest.importorskip("pyarrow")
        np.testing.assert_array_equal(matrix(pyarrow.Table.from_pandas(frame())), matrix(frame()))

    def test_dict_of_arrays_and_lists(self) -> None:
        columns = frame().to_dict("list")
        np.testing.assert_array_equal(matrix(columns), matrix(frame()))
        np.testing.assert_array_equal(matrix({k: np.array(v) for k, v in columns.items()}), matrix(frame()))

    def test_structured_array(self) -> None:
        data = frame()[["y", "x", "s"]].to_records(index=False)
        np.testing.assert_array_equal(matrix(np.asarray(data), "y ~ x"), matrix(frame(), "y ~ x"))

    @pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".parquet"])
    def test_files(self, suffix: str, tmp_path: Path) -> None:
        path = tmp_path / f"data{suffix}"
        if suffix == ".parquet":
            pytest.importorskip("pyarrow")
            frame().to_parquet(path)
        else:
            frame().to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
        np.testing.assert_array_equal(matrix(path), matrix(frame()))
        np.testing.assert_array_equal(matrix(str(path)), matrix(frame()))

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            ([1, 2], "a list"),
            (None, "a NoneType"),
            (np.zeros((3, 2)), "a NumPy array"),
            ("nothing.csv", "no file"),
            ({"y": [1, 2], "x": [1, 2, 3]}, "no table"),
            ({"y": [1, 2], "x": np.zeros((2, 2))}, r"'x' has 2 dimensions; a column has one\.$"),
            (pd.Series([1.0, 2.0]), "a Series"),
        ],
    )
    def test_refused(self, data: Any, message: str) -> None:
        with pytest.raises(DataError, match=message):
            build_design("y ~ x", data)

    def test_unknown_file_type(self, tmp_path: Path) -> None:
        (tmp_path / "data.xls").write_text("x")
        with pytest.raises(DataError, match="ends in"):
            build_design("y ~ x", tmp_path / "data.xls")

    def test_the_users_frame_is_left_alone(self) -> None:
        data = frame()
        data.loc[1, "x"] = np.nan
        before = data.copy()
        build_design("y ~ scale(x) + g + (x|s)", data, dropna=True)
        pd.testing.assert_frame_equal(data, before)

    def test_the_index_does_not_matter(self) -> None:
        data = frame().set_axis([5, 5, 3, 1, 1, 0])
        np.testing.assert_array_equal(matrix(data), matrix(frame()))

    def test_no_rows(self) -> None:
        with pytest.raises(DataError, match="no rows"):
            build_design("y ~ x", frame().iloc[:0])

    def test_names_that_are_not_texts(self) -> None:
        data = frame().rename(columns={"x": 1})
        build_design("y ~ g", data)
        with pytest.raises(DataError, match="its name is not a text"):
            build_design("y ~ `1`", data)

    def test_duplicate_names(self) -> None:
        data = pd.concat([frame(), frame()[["x"]]], axis=1)
        build_design("y ~ g", data)
        with pytest.raises(DataError, match="several columns named 'x'"):
            build_design("y ~ x", data)


class TestColumnTypes:
    @pytest.mark.parametrize(
        "dtype", ["int8", "uint8", "int32", "float32", "float16", "Int64", "UInt8", "Float64", "int64[pyarrow]"]
    )
    def test_numbers(self, dtype: str) -> None:
        if "pyarrow" in dtype:
            pytest.importorskip("pyarrow")
        data = frame().assign(x=pd.Series([1, 4, 2, 8, 5, 9]).astype(dtype))
        np.testing.assert_array_equal(matrix(data, "y ~ x + I(100 * x)"), np.outer([1, 100], [1, 4, 2, 8, 5, 9]))

    @pytest.mark.parametrize("dtype", ["object", "str", "string", "category", "string[pyarrow]"])
    def test_texts(self, dtype: str) -> None:
        if "pyarrow" in dtype:
            pytest.importorskip("pyarrow")
        data = frame()
        data["g"] = data["g"].astype(dtype)
        np.testing.assert_array_equal(matrix(data), matrix(frame()))
        assert build_design("y ~ (1|g)", data).factors["g"].levels == ("a", "b", "c")

    @pytest.mark.parametrize("dtype", ["bool", "object", "boolean"])
    def test_booleans_are_numbers(self, dtype: str) -> None:
        data = frame().assign(x=pd.Series([True, False, True, True, False, False]).astype(dtype))
        np.testing.assert_array_equal(matrix(data, "y ~ x"), [[1, 0, 1, 1, 0, 0]])

    def test_objects_that_are_numbers(self) -> None:
        data = frame().assign(x=pd.Series([1, 2.5, 3, 4, 5, 6], dtype=object))
        np.testing.assert_array_equal(matrix(data, "y ~ x"), [[1, 2.5, 3, 4, 5, 6]])
        data["x"] = [decimal.Decimal(text) for text in ("0.5", "1", "2", "3", "4", "5")]
        np.testing.assert_array_equal(matrix(data, "y ~ x"), [[0.5, 1, 2, 3, 4, 5]])

    def test_unordered_categoricals_keep_their_order(self) -> None:
        data = frame().assign(g=lambda d: pd.Categorical(d.g, categories=["c", "a", "b"]))
        assert build_design("y ~ g", data).predictors["mu"].terms[0].labels == ("a", "b")

    @pytest.mark.parametrize("values", [pd.date_range("2020", periods=6), pd.to_timedelta(range(6)), [1j] * 6])
    def test_other_types_are_refused(self, values: Any) -> None:
        with pytest.raises(DataError, match="Column 'x' holds"):
            build_design("y ~ x", frame().assign(x=values))


def with_gaps() -> pd.DataFrame:
    data = frame()
    data.loc[0, "x"] = np.nan
    data.loc[1, "g"] = None
    data["s"] = data["s"].astype("Int64")
    data.loc[2, "s"] = pd.NA
    data["other"] = np.nan
    return data


class TestMissing:
    def test_counts_and_remedy_are_named(self) -> None:
        with pytest.raises(DataError, match=r"3 incomplete rows.*'x' \(1\), 'g' \(1\), 's' \(1\).*dropna=True"):
            build_design("y ~ x + g + (1|s)", with_gaps())

    def test_only_used_columns_count(self) -> None:
        assert build_design("y ~ 1", with_gaps()).n_dropped == 0
        assert build_design("y ~ x", with_gaps(), dropna=True).n_rows == 5

    def test_one_mask_for_everything(self, caplog: pytest.LogCaptureFixture) -> None:
        formula = Formula("weighted(y, w) ~ np.log(x) + offset(o)", "sigma ~ g + (1|s)")
        data = with_gaps().assign(w=[1, 1, 1, np.nan, 1, 1], o=[1.0] * 4 + [np.nan, 1])
        data = pd.concat([data, data.iloc[[5]].assign(x=0.3, g="a")])
        with caplog.at_level(logging.INFO, logger="nutslite"):
            design = build_design(formula, data, dropna=True)
        assert (design.n_rows, design.n_dropped) == (2, 5)
        assert [record.message for record in caplog.records] == ["Automatically removing 5/7 rows from the dataset."]
        assert design.response.values.shape == (1, 2)
        assert design.predictors["mu"].matrix.shape == (1, 2)
        assert design.factors["s"].index.shape == (2,)
        assert design.weights is not None
        assert design.weights.shape == (2,)

    def test_nothing_is_said_when_nothing_is_missing(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, logger="nutslite"):
            build_design("y ~ x", frame(), dropna=True)
        assert not caplog.records

    def test_levels_of_dropped_rows_are_gone(self) -> None:
        data = frame().assign(x=[0.1, 0.4, 0.2, np.nan, 0.5, np.nan])
        design = build_design("y ~ x + g + (1|s)", data, dropna=True)
        assert design.predictors["mu"].terms[1].labels == ("b",)

    @pytest.mark.parametrize(
        "column",
        [
            pd.Series([1, None, 3, 4, 5, 6], dtype="Int64"),
            pd.Series([1, None, 3, 4, 5, 6], dtype="Float64"),
            pd.Series([True, None, False, True, True, False], dtype="boolean"),
            pd.Series([True, None, False, True, True, False], dtype=object),
            pd.Series([1.5, None, 3, 4, 5, 6], dtype=object),
            pd.Series(["a", None, "b", "a", "b", "a"], dtype="string"),
            pd.Series(["a", None, "b", "a", "b", "a"], dtype="str"),
            pd.Series(["a", np.nan, "b", "a", "b", "a"], dtype=object),
            pd.Series(["a", None, "b", "a", "b", "a"], dtype="category"),
        ],
        ids=lambda column: str(column.dtype),
    )
    def test_every_kind_of_gap(self, column: pd.Series) -> None:
        data = frame().assign(v=column)
        with pytest.raises(DataError, match=r"'v' \(1\)"):
            build_design("y ~ v", data)
        design = build_design("y ~ v + (1|s)", data, dropna=True)
        assert design.n_dropped == 1
        complete = build_design("y ~ v + (1|s)", data.drop(index=1))
        np.testing.assert_array_equal(design.predictors["mu"].matrix, complete.predictors["mu"].matrix)
        grouped = build_design("y ~ (1|v)", data, dropna=True).factors["v"]
        assert "nan" not in grouped.levels
        assert grouped.index.min() == 0

    def test_no_complete_row(self) -> None:
        with pytest.raises(DataError, match="No row of the data is complete"):
            build_design("y ~ other", with_gaps(), dropna=True)

    def test_users_see_the_message_on_stderr(self) -> None:
        code = (
            "import numpy as np, pandas as pd\n"
            "from nutslite.formula.design import build_design\n"
            "build_design('y ~ x', pd.DataFrame({'y': [1., 2, 3], 'x': [1., np.nan, 2]}), dropna=True)\n"
            "build_design('y ~ x', pd.DataFrame({'y': [1., 2, 3], 'x': [1., np.nan, 2]}), dropna=True)\n"
        )
        root = Path(__file__).resolve().parents[1]
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
        assert done.stderr.splitlines() == ["Automatically removing 1/3 rows from the dataset."] * 2

    def test_the_getting_started_counts(self, caplog: pytest.LogCaptureFixture) -> None:
        path = SHARED / "rrr_long.csv"
        if not path.exists():
            pytest.skip("the shared data sets are not next to the repository")
        with caplog.at_level(logging.INFO, logger="nutslite"):
            first = build_design("value ~ condition + age + gender + (1|uid)", path, dropna=True)
            second = build_design("value ~ condition + (1|uid)", path, dropna=True)
        assert [record.message for record in caplog.records] == [
            "Automatically removing 33/6940 rows from the dataset.",
            "Automatically removing 9/6940 rows from the dataset.",
        ]
        assert (first.n_rows, second.n_rows) == (6907, 6931)
        y, x = first.response.values[0], first.predictors["mu"].matrix
        np.testing.assert_allclose(y.mean(), 4.5457, atol=5e-5)
        np.testing.assert_allclose(2.5 * y.std() / x.std(axis=1), [12.0966, 1.3011, 13.1286], atol=5e-5)


@pytest.mark.parametrize(
    ("name", "formula", "rows", "columns", "levels"),
    [
        ("sleepstudy", "Reaction ~ Days + (Days|Subject)", 180, 1, {"Subject": 18}),
        ("cbpp", "p(incidence, size) ~ C(period) + (1|herd)", 56, 3, {"herd": 15}),
        ("Penicillin", "diameter ~ 1 + (1|plate) + (1|sample)", 144, 0, {"plate": 24, "sample": 6}),
        ("Pastes", "strength ~ 1 + (1|batch/cask)", 60, 0, {"batch": 10, "batch:cask": 30}),
        ("VerbAgg", "r2 == 'Y' ~ Anger + Gender + btype + situ + (1|id) + (1|item)", 7584, 5, {"id": 316, "item": 24}),
        ("cake", "angle ~ recipe * C(temperature) + (1|recipe:replicate)", 270, 17, {"recipe:replicate": 45}),
        ("epil", "y ~ lbase*trt + lage + V4 + (1|subject)", 236, 5, {"subject": 59}),
        (
            "Owls",
            "SiblingNegotiation ~ FoodTreatment*SexParent + offset(log(BroodSize)) + (1|Nest)",
            599,
            3,
            {"Nest": 27},
        ),
        ("women", "weight ~ height + I(height**2)", 15, 2, {}),
        ("iris", "`Sepal.Length` ~ `Sepal.Width` + Species", 150, 3, {}),
        ("InstEval_10k", "y ~ service + (1|s) + (1|d) + (1|dept:service)", 10000, 1, {"dept:service": 28}),
    ],
)
def test_classical_models(name: str, formula: str, rows: int, columns: int, levels: dict[str, int]) -> None:
    path = SHARED / f"{name}.csv"
    if not path.exists():
        pytest.skip("the shared data sets are not next to the repository")
    design = build_design(formula, path)
    assert (design.n_rows, design.predictors["mu"].matrix.shape[0]) == (rows, columns)
    for factor, number in levels.items():
        assert len(design.factors[factor].levels) == number
