"""Derivatives of users' functions: every rule of both kinds of dual numbers, and the choice between the methods."""

from __future__ import annotations

import inspect
import math
import operator
from typing import Any

import numba
import numpy as np
import pytest
from numba import types
from scipy import special

from nutslite._numba import VECTOR, jit_disabled
from nutslite.derivatives import scipy_slopes, ufunc_slopes
from nutslite.derivatives.derivatives import compiled_gradient, differences, gradient_of, packed_gradient
from nutslite.derivatives.dual_arrays import DualArray, NoDerivativeError
from nutslite.exceptions import UserFunctionError

compiling = pytest.mark.skipif(jit_disabled(), reason="nothing compiles")

BEYOND_ONE = (math.acosh, np.arccosh)
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
OPERATORS += [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow]


def at_of(function: Any) -> float:
    return 1.7 if function in (*BEYOND_ONE, special.polygamma) else 0.37


# ------------------------------------------------------------------------------------------------- rules, one by one


@compiling
def test_compiled_rules_are_the_derivatives() -> None:
    """Every function that compiled duals know, in one kernel, because a kernel each would take minutes."""
    from nutslite.derivatives import dual_functions as rules
    from nutslite.derivatives.duals import seeds, store_partials

    one = [function for functions, _ in rules._ONE for function in functions]
    two = [function for functions, _ in rules._TWO for function in functions] + [math.pow, *OPERATORS]
    names = {f"f{i}": function for i, function in enumerate([*one, *two])}
    lines = ["def run(x, values, slopes):", "    a, b = seeds(x[:2], 2)", "    c, d = seeds(x[2:], 2)"]
    for i, function in enumerate([*one, *two]):
        first = "c" if function in BEYOND_ONE else "a"
        call = f"f{i}({first})" if i < len(one) else f"f{i}({first}, b)"
        lines.append(f"    values[{i}] = store_partials({call}, slopes[{i}])")
    space: dict[str, Any] = {**names, "seeds": seeds, "store_partials": store_partials}
    exec("\n".join(lines), space)
    run = numba.njit(error_model="numpy")(space["run"])
    values, slopes = np.empty(len(names)), np.empty((len(names), 2))
    run(np.array([0.37, 1.6, 1.7, 0.0]), values, slopes)
    for i, function in enumerate([*one, *two]):
        x = 1.7 if function in BEYOND_ONE else 0.37
        arguments = [x] if i < len(one) else [x, 1.6]
        assert values[i] == pytest.approx(float(function(*arguments)), rel=1e-14), function
        for j in range(2):
            expected = numeric(function, arguments, j) if j < len(arguments) else 0.0
            assert slopes[i, j] == pytest.approx(expected, rel=1e-8, abs=1e-8), function


def numeric(function: Any, arguments: list[float], which: int) -> float:
    """Fourth-order central difference; the test of `differences` is another one."""
    h, total = 1e-3, 0.0
    for shift, factor in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
        moved = list(arguments)
        moved[which] += shift * h
        total += factor * float(function(*moved))
    return total / (12.0 * h)


@pytest.mark.parametrize("function", [*ufunc_slopes.ONE, *scipy_slopes.ONE], ids=lambda f: f.__name__)
def test_array_rules_of_one_argument(function: Any) -> None:
    x = np.array([at_of(function) if function is not np.arccosh else 1.7, 1.2 if function is np.arccosh else 0.8])
    result = function(DualArray(x, np.eye(2)))
    np.testing.assert_allclose(result.value, function(x), rtol=1e-15)
    expected = [numeric(function, [value], 0) for value in x]
    np.testing.assert_allclose(np.diag(result.partials), expected, rtol=1e-8, atol=1e-8)
    assert result.partials[0, 1] == 0.0


@pytest.mark.parametrize("function", [*ufunc_slopes.TWO, *scipy_slopes.TWO], ids=lambda f: f.__name__)
def test_array_rules_of_two_arguments(function: Any) -> None:
    a, b = DualArray(0.37, [1.0, 0.0]), DualArray(1.6, [0.0, 1.0])
    both = function(a, b)
    for j in range(2):
        assert both.partials[j] == pytest.approx(numeric(function, [0.37, 1.6], j), rel=1e-8, abs=1e-8)
    assert function(a, 1.6).partials[0] == pytest.approx(both.partials[0])
    assert function(0.37, b).partials[1] == pytest.approx(both.partials[1])


MATRIX = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2]])
ARRAY_FUNCTIONS = {
    "sum": lambda x: np.sum(x),
    "method sum": lambda x: (x * x).sum(),
    "sum along an axis": lambda x: np.sum(np.sum(x[:, None] * MATRIX.T, axis=1) ** 2),
    "mean": lambda x: np.mean(np.exp(x)),
    "variance": lambda x: np.var(x),
    "sd": lambda x: np.std(x, ddof=1),
    "dot": lambda x: np.dot(x, x),
    "inner": lambda x: np.inner(x, x),
    "matrix": lambda x: np.sum((MATRIX @ x) ** 2),
    "matrix from the right": lambda x: np.sum((x @ MATRIX.T) ** 2),
    "where": lambda x: np.sum(np.where(x > 0.5, x**2, -x)),
    "clip": lambda x: np.sum(np.clip(x, 0.3, 0.7) ** 2),
    "norm": lambda x: np.linalg.norm(x),
    "max": lambda x: np.max(x) ** 2,
    "min": lambda x: np.min(x) ** 2,
    "product": lambda x: np.prod(x),
    "concatenate": lambda x: np.sum(np.concatenate([x, x[:1] * 2.0, np.ones(1)]) ** 3),
    "stack": lambda x: np.sum(np.stack([x, x**2]) @ x),
    "differences": lambda x: np.sum(np.diff(x) ** 2),
    "running sum": lambda x: np.sum(np.cumsum(x) ** 2),
    "reshape and transpose": lambda x: np.sum((x.reshape(3, 1).T * MATRIX) ** 2),
    "loop": lambda x: sum(item**2 for item in x) + x[0] * x[-1],
    "slices": lambda x: np.sum(x[1:] * x[:-1]),
    "branch": lambda x: x[0] ** 2 if x[1] > x[0] else x[2],
    "masks": lambda x: np.sum(x[np.array([True, False, True])] ** 2),
    "zeros and ones": lambda x: np.sum(x * np.ones_like(x) + np.full_like(x, 2.0) * x + np.zeros_like(x)),
    "scipy": lambda x: np.sum(special.gammaln(x) + special.expit(x) * special.log_ndtr(x)),
    "math": lambda x: math.exp(x[0]) + math.lgamma(x[1]) + math.atan2(x[0], x[2]) + math.erf(x[1]) * math.pi,
}


@pytest.mark.parametrize("name", list(ARRAY_FUNCTIONS))
def test_functions_of_arrays(name: str) -> None:
    function = ARRAY_FUNCTIONS[name]
    x = np.array([0.37, 0.61, 1.3])
    value_and_gradient, method = gradient_of(function, 1, example=(x,))
    assert method == "arrays"
    value, (gradient,) = value_and_gradient(x)
    assert value == pytest.approx(float(function(x)), rel=1e-14)
    expected = [numeric(lambda *items: function(np.array(items)), list(x), j) for j in range(3)]
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    "function",
    [np.round, np.median, special.jv, np.fft.fft, np.linalg.det, np.asarray, float, lambda x: np.max(x, axis=0)],
)
def test_what_dual_arrays_do_not_know_raises(function: Any) -> None:
    dual = DualArray(np.ones((2, 2)), np.ones((1, 2, 2)))
    with pytest.raises(NoDerivativeError):
        function(1, dual) if function is special.jv else function(dual)


def test_a_zero_partial_stays_zero_beside_an_infinite_slope() -> None:
    def function(x, y):
        return math.sqrt(x) + y * y

    for example in (None, (0.0, 3.0)):
        value_and_gradient, _ = gradient_of(function, 2, example)
        _, (by_x, by_y) = value_and_gradient(0.0, 3.0)
        assert by_x == math.inf
        assert by_y == 6.0


# ------------------------------------------------------------------------------------------- which functions compile


def helper(x):
    return x * x if x > 1.0 else 2.0 * x - 1.0


@numba.njit
def compiled_helper(x, power):
    total = 0.0
    for _ in range(power):
        total += x
    return total


def factorial_like(x, n):
    if n < 1:
        return x
    return n * factorial_like(x, n - 1)


def with_helpers(x, y):
    return helper(x) + compiled_helper(y, 3) * math.exp(-x)


def with_branches(x, y):
    result = 0.0
    if x > y:
        result = x * y
    elif x < 0:
        return 0.0
    for i in range(4):
        result += x**i / (1 + i)
    return result if result > 1 else -result


def with_tuples(x, y):
    parts = (x * y, x + y, math.log(abs(x)))
    total = 0.0
    for part in parts:
        total += part
    return max(total, -1.0) + np.where(x > 0, x * x, 0.0)


offset = 2.5


def closure(scale):
    def inner(x, y):
        return scale * x * x + offset * helper(y)

    return inner


COMPILED = [with_helpers, with_branches, with_tuples, closure(3.0), numba.njit(with_branches), np.hypot, math.pow]
COMPILED += [lambda x, y: 3.0, lambda x, y: -np.inf if x > 1e6 else x * y, lambda x, y: float(x) + (y == 1) + (x >= 0)]


@compiling
@pytest.mark.parametrize("function", COMPILED)
def test_functions_of_numbers_are_compiled(function: Any) -> None:
    value_and_gradient, method = gradient_of(function, 2)
    assert method == "compiled"
    plain = getattr(function, "py_func", function)
    for arguments in ([1.7, 0.4], [0.4, 1.7]):
        value, gradient = value_and_gradient(*arguments)
        assert value == pytest.approx(float(plain(*arguments)), rel=1e-14)
        for j in range(2):
            assert gradient[j] == pytest.approx(numeric(plain, arguments, j), rel=1e-8, abs=1e-8)


@compiling
def test_a_division_by_zero_is_infinite_and_does_not_raise() -> None:
    for function in (lambda x: 1.0 / x, numba.njit(lambda x: 1.0 / x)):
        value, (slope,) = gradient_of(function, 1)[0](0.0)
        assert value == math.inf
        assert slope == -math.inf


def test_numbers_that_numba_cannot_compile_go_by_arrays() -> None:
    def function(x, y):
        return special.xlogy(x, y) + factorial_like(x, 3)

    value_and_gradient, method = gradient_of(function, 2)
    assert method == "arrays"
    value, (by_x, by_y) = value_and_gradient(0.7, 1.9)
    assert (value, by_x, by_y) == pytest.approx((0.7 * math.log(1.9) + 4.2, math.log(1.9) + 6.0, 0.7 / 1.9), rel=1e-13)


def test_the_rest_goes_by_differences_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    def bessel(x, y):
        return special.jv(1, x) * y

    value_and_gradient, method = gradient_of(bessel, 2, example=(2.0, 3.0))
    assert method == "differences"
    assert "'bessel' is differentiated by differences" in caplog.text
    value, (by_x, by_y) = value_and_gradient(2.0, 3.0)
    assert value == pytest.approx(3.0 * special.jv(1, 2.0), rel=1e-15)
    assert by_x == pytest.approx(3.0 * special.jvp(1, 2.0), rel=1e-10)
    assert by_y == pytest.approx(special.jv(1, 2.0), rel=1e-10)


def test_an_error_of_the_users_own_is_theirs() -> None:
    def raises(x):
        raise ValueError(f"mine: {special.expit(0.0)}")

    with pytest.raises(ValueError, match=r"mine: 0\.5"):
        gradient_of(raises, 1)[0](np.ones(2))
    with pytest.raises(ValueError, match="must return one number"):
        gradient_of(lambda x: x, 1)[0](np.ones(2))
    with pytest.raises(TypeError, match="takes 2 arguments, not 1"):
        gradient_of(lambda x, y: x, 2)[0](1.0)


def test_gradients_have_the_shapes_of_their_arguments() -> None:
    value_and_gradient, _ = gradient_of(lambda x, s, m: np.sum(x**2) * s + np.sum(m @ x), 3)
    x, m = np.array([1.0, 2.0]), np.arange(6.0).reshape(3, 2)
    value, (by_x, by_s, by_m) = value_and_gradient(x, 3.0, m)
    assert value == pytest.approx(15.0 + float(np.sum(m @ x)))
    np.testing.assert_allclose(by_x, 6.0 * x + m.sum(axis=0))
    assert by_s == 5.0
    np.testing.assert_allclose(by_m, np.tile(x, (3, 1)))


@pytest.mark.parametrize(
    ("function", "shapes", "method"),
    [
        (lambda x, s: -0.5 * (x / s) ** 2, [(), ()], "compiled"),
        (lambda x, s: -0.5 * np.sum((x / s) ** 2), [(3,), ()], "arrays"),
        (lambda x, s: -0.5 * np.sum(special.xlogy(x, s)), [(2, 2), ()], "arrays"),
    ],
)
def test_packed_gradients_are_called_by_pointer(function: Any, shapes: Any, method: str) -> None:
    kernel, found = packed_gradient(function, shapes)
    assert found == ("arrays" if jit_disabled() else method)
    pointer = types.FunctionType(types.float64(VECTOR, VECTOR))

    def call(theta, gradient, function):
        return function(theta, gradient)

    caller = call if jit_disabled() else numba.njit(types.float64(VECTOR, VECTOR, pointer))(call)
    size = sum(int(np.prod(shape)) for shape in shapes)
    theta, gradient = np.linspace(0.5, 1.5, size), np.empty(size)
    stops = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def flat(*items: float) -> float:
        parts = np.split(np.array(items), stops)
        return float(function(*(part.reshape(shape)[()] for part, shape in zip(parts, shapes, strict=True))))

    assert caller(theta, gradient, kernel) == pytest.approx(flat(*theta), rel=1e-14)
    expected = [numeric(flat, list(theta), j) for j in range(size)]
    np.testing.assert_allclose(gradient, expected, rtol=1e-8)


def test_exceptions_pass_through_packed_functions_and_are_named() -> None:
    def function(x):
        if x[0] > 2.0:
            raise RuntimeError("no further")
        return np.sum(x)

    kernel, _ = packed_gradient(function, [(2,)])
    assert kernel(np.ones(2), np.empty(2)) == 2.0
    with pytest.raises(UserFunctionError, match="'function' failed: RuntimeError: no further"):
        kernel(np.full(2, 3.0), np.empty(2))


# --------------------------------------------------------------------------------------------------------- differences


@pytest.mark.parametrize("x", [0.3, -2.0, 1e-6, 50.0, 0.0])
def test_differences_have_ten_digits(x: float) -> None:
    assert float(differences(np.sin, x)) == pytest.approx(math.cos(x), rel=1e-10, abs=1e-11)


def test_differences_beside_the_end_of_the_domain() -> None:
    x = np.array([1e-9, 1e-4, 2.0])
    np.testing.assert_allclose(differences(np.log, x), 1.0 / x, rtol=1e-9)


def test_method_names_are_documented() -> None:
    import nutslite.derivatives.derivatives as module

    text = inspect.getdoc(module) or ""
    assert all(f'"{name}"' in text for name in (module.COMPILED, module.ARRAYS, module.DIFFERENCES))


@compiling
def test_numba_switched_off_means_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert compiled_gradient(with_branches, 2) is None
    value_and_gradient, method = gradient_of(with_helpers, 2)
    assert method == "arrays"
    assert value_and_gradient(1.7, 0.4)[0] == pytest.approx(with_helpers(1.7, 0.4), rel=1e-14)
