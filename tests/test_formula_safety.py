"""What a formula may not do, and that what it may do is computed right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nutslite.exceptions import DataError, FormulaError, NutsliteError
from nutslite.formula.design import build_design

X = np.array([0.5, -1.0, 2.0, 3.5, 0.25, 7.0])
Z = np.array([1.0, 2.0, 0.0, -3.0, 4.0, 1.5])


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": np.arange(6.0),
            "x": X,
            "z": Z,
            "k": np.array([100, 120, -100, 7, 3, 1], dtype=np.int8),
            "b": [True, False, True, True, False, False],
            "g": list("abcabc"),
            "log": np.arange(6.0) ** 2,
            "np": np.arange(6.0) ** 3,
        }
    )


ESCAPES = [
    "().__class__",
    "x.__class__",
    "x.__class__.__base__.__subclasses__()",
    "x.sum()",
    "x.values",
    "x.T",
    "np.linalg.inv(x)",
    "np.load('f.npy')",
    "np.save('f.npy', x)",
    "np.fromfile('f')",
    "np.loadtxt('f')",
    "np.genfromtxt('f')",
    "np.memmap('f')",
    "np.lib",
    "np.os.system('true')",
    "np.__builtins__",
    "np.__loader__",
    "np.f2py",
    "np.vectorize(x)",
    "np.frompyfunc(x, 1, 1)",
    "np.apply_along_axis(x, 0, x)",
    "np.fromfunction(x, 3)",
    "np.testing.rundocs()",
    "np.ctypeslib",
    "np.log.__self__",
    "np.log.reduce(x)",
    "np.add.at(x, 0, 1)",
    "np.log(x, out=x)",
    "np.log(x, x)",
    "np.clip(x, 0, 1, x)",
    "np.round(x, 1, x)",
    "np.add(x, z, x)",
    "np.where(x > 0)",
    "np.log(x, where=b)",
    "np.log(x, dtype='object')",
    "np.mean(x)",
    "np",
    "__import__('os')",
    "__import__('os').system('true')",
    "__builtins__",
    "eval('x')",
    "exec('x')",
    "compile('x', 'f', 'eval')",
    "open('f')",
    "open('f', 'w').write('x')",
    "globals()",
    "locals()",
    "vars()",
    "dir()",
    "getattr(x, 'T')",
    "setattr(x, 'T', 1)",
    "type(x)",
    "object()",
    "print(x)",
    "input()",
    "breakpoint()",
    "help()",
    "exit()",
    "memoryview(x)",
    "os.system('true')",
    "sys.exit()",
    "pd.read_pickle('f')",
    "pickle.loads(b'')",
    "subprocess.run('true')",
    "self",
    "I(lambda: 0)",
    "I((lambda: 0)())",
    "I([i for i in x])",
    "I({i for i in x})",
    "I(sum(i for i in x))",
    "I(f'{x}')",
    "I(f'{x.__class__}')",
    "I((v := x))",
    "I(x if b else z)",
    "x[0]",
    "x[x > 0]",
    "I(x[:2])",
    "x[()]",
    "I(*x)",
    "I(**{'x': x})",
    "log(*[x])",
    "np.log(**{})",
    "I(x @ z)",
    "I(x << 3)",
    "I(x >> 1)",
    "I(x ^ 2)",
    "I(x is z)",
    "I(x is not None)",
    "I(x in [1, 2])",
    "I('a' not in g)",
    "I(await_)",
    "I(yield_)",
    "I((yield))",
    "I((await x))",
    "I(b'x')",
    "I(1j)",
    "I(...)",
    "I([x, z])",
    "I((x, z))",
    "bs(x, knots=[x])",
    "bs(x, knots=[open('f')])",
    "C(g, levels=[__import__('os')])",
    "C(g, {'a': eval('1')})",
    "C(g, contrast=g.__class__)",
    "center(x)(z)",
    "center.__init__(x)",
    "(center)(x).T",
    "Treatment.__init__(x)",
    "Q(g)",
    "Q('x').T",
    "Q('x', 'y')",
    "`x`()",
    "`np`.log(x)",
    "`center`(x)",
    "g.str.upper()",
    "''.join(g)",
    "'a'.__class__",
    "'%s' % x",
    "I('a' * 1000000000)",
    "I('a' + 'b')",
    "I([1] * 1000000000)",
    "I(10 ** 10 ** 10)",
    "log",
    "I(center)",
    "C",
]


@pytest.mark.parametrize("code", ESCAPES)
def test_escape_is_refused(code: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    data = frame().drop(columns=["log", "np"])
    before = data.copy()
    monkeypatch.chdir(str(tmp_path))
    for text in (f"y ~ {code}", f"{code} ~ x", f"y ~ (1|{code})", f"y ~ offset({code})", f"weighted(y, {code}) ~ x"):
        if text == "x[0] ~ x" or (code == "C" and "|" in text):
            continue
        with pytest.raises(NutsliteError):
            build_design(text, data)
    pd.testing.assert_frame_equal(data, before)


def test_there_are_enough_escapes() -> None:
    assert len(ESCAPES) == len(set(ESCAPES)) >= 50


@settings(max_examples=120, deadline=None)
@given(st.text(alphabet="xzgbI()[]{}.,:'\"=+-*/<>&|~!@`_0129 lognp\\", max_size=30))
def test_any_factor_is_computed_or_refused(code: str) -> None:
    data = frame()
    before = data.copy()
    with contextlib.suppress(NutsliteError):
        build_design(f"y ~ 1 + I({code})", data)
    pd.testing.assert_frame_equal(data, before)


COMPUTED = {
    "x + z": X + Z,
    "-x": -X,
    "x - 2 * z": X - 2 * Z,
    "x / 2": X / 2,
    "x ** 2": X**2,
    "2 ** x": 2**X,
    "x // 1": X // 1,
    "x % 2": X % 2,
    "k + k": 2.0 * np.array([100, 120, -100, 7, 3, 1]),  # int8 would wrap around
    "k ** 4": np.array([100, 120, -100, 7, 3, 1]) ** 4.0,
    "k ** -1": 1 / np.array([100, 120, -100, 7, 3, 1]),
    "-k": -np.array([100, 120, -100, 7, 3, 1.0]),
    "b + b": np.array([2, 0, 2, 2, 0, 0.0]),
    "1 - b": np.array([0, 1, 0, 0, 1, 1.0]),
    "x > 0": X > 0,
    "0 < x < 3": (X > 0) & (X < 3),
    "(x > 0) & (z > 0)": (X > 0) & (Z > 0),
    "(x > 0) | (z > 0)": (X > 0) | (Z > 0),
    "x > 0 and z > 0": (X > 0) & (Z > 0),
    "x > 0 or not b": (X > 0) | ~np.array([True, False, True, True, False, False]),
    "~b": np.array([0, 1, 0, 0, 1, 1.0]),
    "g == 'a'": np.array([1, 0, 0, 1, 0, 0.0]),
    "'a' == g": np.array([1, 0, 0, 1, 0, 0.0]),
    "g != 'a'": np.array([0, 1, 1, 0, 1, 1.0]),
    "(g == 'a') | (g == 'b')": np.array([1, 1, 0, 1, 1, 0.0]),
    "(x > 0) * z": (X > 0) * Z,
    "np.where(x > 0, x, 0)": np.where(X > 0, X, 0),
    "np.clip(x, 0, 2)": np.clip(X, 0, 2),
    "np.maximum(x, z)": np.maximum(X, Z),
    "np.pi * x": np.pi * X,
    "numpy.exp(x)": np.exp(X),
    "exp(x)": np.exp(X),
    "abs(x)": np.abs(X),
    "sqrt(abs(x))": np.sqrt(np.abs(X)),
    "log1p(x + 1)": np.log1p(X + 1),
    "log2(x + 2)": np.log2(X + 2),
    "log10(x + 2)": np.log10(X + 2),
    "exp2(x)": np.exp2(X),
    "log": np.arange(6.0) ** 2,  # a column of that name
    "log(log + 1)": np.log(np.arange(6.0) ** 2 + 1),
    "np + np.exp(x)": np.arange(6.0) ** 3 + np.exp(X),
    "center(x)": X - X.mean(),
    "scale(x)": (X - X.mean()) / X.std(),
    "standardize(x, ddof=1)": (X - X.mean()) / X.std(ddof=1),
    "binary(g, 'b')": np.array([0, 1, 0, 0, 1, 0.0]),
    "2.5e0 * x": 2.5 * X,
    "exp(b)": np.exp(np.array([1, 0, 1, 1, 0, 0.0])),  # NumPy's exp of a Boolean is float16
    "np.exp(x > 0)": np.exp((X > 0) * 1.0),
    "np.where(b, x, z)": np.where([1, 0, 1, 1, 0, 0], X, Z),
    "np.logical_and(b, x > 0)": np.array([1, 0, 1, 1, 0, 0]) * (X > 0),
}


@pytest.mark.parametrize("code", COMPUTED)
def test_computed(code: str) -> None:
    design = build_design(f"y ~ 0 + {{{code}}}", frame())
    np.testing.assert_allclose(design.predictors["mu"].matrix, [COMPUTED[code]], rtol=1e-14)


class TestUnknownNames:
    def test_column_is_suggested(self) -> None:
        data = pd.DataFrame({"y": [1.0, 2.0], "condition": [0.0, 1.0]})
        with pytest.raises(
            DataError, match=r"column 'conditon' not found in the data; did you mean 'condition'\?"
        ) as got:
            build_design("y ~ conditon", data)
        assert "        ^^^^^^^^" in str(got.value)

    def test_columns_are_listed(self) -> None:
        with pytest.raises(DataError, match=r"column 'nothing' not found in the data\. It has: y, x, z"):
            build_design("y ~ nothing", frame())

    def test_function_is_suggested(self) -> None:
        with pytest.raises(FormulaError, match=r"'standardise' is not known\. Did you mean 'standardize'\?"):
            build_design("y ~ standardise(x)", frame())

    def test_numpy_function_is_suggested(self) -> None:
        with pytest.raises(FormulaError, match=r"np\.sqart .* Did you mean 'sqrt'"):
            build_design("y ~ np.sqart(x)", frame())

    def test_summaries_point_to_stateful_transforms(self) -> None:
        with pytest.raises(FormulaError, match="center"):
            build_design("y ~ I(x - np.mean(x))", frame())

    @pytest.mark.parametrize("name", ["mmc", "me", "ar"])
    def test_known_but_unsupported(self, name: str) -> None:
        with pytest.raises(FormulaError, match=rf"{name}\(\) is not supported"):
            build_design(f"y ~ {name}(x)", frame())

    def test_level_is_suggested(self) -> None:
        data = pd.DataFrame({"y": [1.0, 2.0], "g": ["control", "treated"]})
        with pytest.raises(DataError, match=r"'contrl' is not a level of 'g' .* Did you mean 'control'"):
            build_design("y ~ I(g == 'contrl')", data)


class TestExtraNamespace:
    def test_functions_and_constants(self) -> None:
        extra = {"twice": lambda x: 2 * x, "knots": [0.0, 1.0], "two": 2}
        design = build_design("y ~ 0 + twice(x) + bs(x, knots=knots) + I(two * z)", frame(), extra_namespace=extra)
        np.testing.assert_array_equal(design.predictors["mu"].matrix[0], 2 * X)
        np.testing.assert_array_equal(design.predictors["mu"].matrix[-1], 2 * Z)

    @pytest.mark.parametrize("place", ["{}", "I(x * {})", "log({})", "offset({})", "scale({})", "C({})", "x:{}"])
    @pytest.mark.parametrize("make", [list, np.array, pd.Series, pl.Series], ids=["list", "array", "pandas", "polars"])
    def test_an_array_is_no_column(self, place: str, make: Callable[[list[float]], Any]) -> None:
        values = make([float(k + 1) for k in range(len(X))])
        with pytest.raises(DataError, match=r"'v' in extra_namespace holds .* Put it into the data"):
            build_design(f"y ~ x + {place.format('v')}", frame(), extra_namespace={"v": values})

    @pytest.mark.parametrize(
        ("call", "value"),
        [
            ("I(x * v)", 2),
            ("I(x * v)", np.float64(2)),
            ("I(x * v)", np.array(2.0)),
            ("f(x, v)", [1, 2]),
            ("f(v, x)", [1]),
        ],
    )
    def test_single_values_and_arguments_of_own_functions_are_not_refused(self, call: str, value: Any) -> None:
        extra = {"v": value, "f": lambda first, second: X + 1.0}
        build_design(f"y ~ {call}", frame(), extra_namespace=extra)

    def test_functions_get_the_values_of_categories(self) -> None:
        extra = {"upper": lambda g: np.array([level.upper() for level in g])}
        design = build_design("y ~ upper(g)", frame(), extra_namespace=extra)
        assert design.predictors["mu"].terms[0].labels == ("B", "C")

    def test_users_cannot_replace_our_functions(self) -> None:
        with pytest.raises(FormulaError, match="'log' already means"):
            build_design("y ~ log(x)", frame(), extra_namespace={"log": np.sqrt})

    def test_functions_cannot_write_into_the_data(self) -> None:
        def overwrite(x: np.ndarray) -> np.ndarray:
            x[:] = 0.0
            return x

        data = frame()
        with pytest.raises(FormulaError, match="overwrite"):
            build_design("y ~ overwrite(x)", data, extra_namespace={"overwrite": overwrite})
        np.testing.assert_array_equal(data["x"], X)

    def test_errors_of_user_functions_name_the_term(self) -> None:
        def fail(x: np.ndarray) -> np.ndarray:
            raise ZeroDivisionError("oops")

        with pytest.raises(FormulaError, match=r"'fail\(x\)' cannot be computed: oops"):
            build_design("y ~ fail(x)", frame(), extra_namespace={"fail": fail})

    def test_rows_belong_into_the_data(self) -> None:
        with pytest.raises(DataError, match="Put it into the data"):
            build_design("y ~ w", frame(), extra_namespace={"w": np.arange(7.0)})
