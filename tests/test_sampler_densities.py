"""The doors of the sampler: C callbacks, functions of Python with a gradient and without, and the way out to C."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import time
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from numba import types

from nutslite._numba import jit_disabled
from nutslite.exceptions import SamplingError, SettingError, UserFunctionError
from nutslite.sampler import (
    Callback,
    CallbackDensity,
    CompiledDensity,
    DifferentiatedDensity,
    PythonDensity,
    sample,
)

X = np.array([0.3, -1.2, 2.0])
compiling = pytest.mark.skipif(jit_disabled(), reason="nothing compiles")
SHORT = {"draws": 60, "tune": 100, "chains": 2, "random_seed": 5, "cores": 1}


def normal(position):
    """Standard normal: value and gradient."""
    return -0.5 * float(position @ position), -position


def shifted(position, data):
    """A normal about `data`: the value alone, in a loop."""
    total = 0.0
    for i in range(position.shape[0]):
        total -= 0.5 * (position[i] - data) ** 2
    return total


def funnel(position, data):
    """Neal's funnel, in NumPy's functions of arrays."""
    scale = np.exp(position[0] / 2.0)
    return (
        -0.5 * (position[0] / data) ** 2
        - 0.5 * np.sum((position[1:] / scale) ** 2)
        - 0.5 * (len(position) - 1) * position[0]
    )


def funnel_gradient(position, data):
    v, x = position[0], position[1:]
    first = -v / data**2 + 0.5 * np.sum(x**2) * math.exp(-v) - 0.5 * x.size
    return np.array([first, *(-x * math.exp(-v))])


# ------------------------------------------------------------------------------------------------------ functions of C

SOURCE = r"""
#include <stddef.h>
#include <stdbool.h>
struct data { double mean; double limit; int code; };
int density(size_t n, const double *position, double *gradient, double *logp, void *pointer) {
    const struct data *data = pointer;
    *logp = 0.0;
    for (size_t i = 0; i < n; i++) {
        double away = position[i] - data->mean;
        gradient[i] = -away;
        *logp -= 0.5 * away * away;
    }
    return position[0] > data->limit ? data->code : 0;
}
struct model { int n; double mean; };
int bs_log_density_gradient(const struct model *m, bool propto, bool jacobian, const double *theta, double *val,
                            double *grad, char **error_msg) {
    if (!propto || !jacobian || error_msg) return -1;
    if (theta[0] > 100.0) return -1;
    *val = 0.0;
    for (int i = 0; i < m->n; i++) {
        grad[i] = m->mean - theta[i];
        *val -= 0.5 * grad[i] * grad[i];
    }
    return 0;
}
"""


class Data(ctypes.Structure):
    _fields_ = (("mean", ctypes.c_double), ("limit", ctypes.c_double), ("code", ctypes.c_int))


class BridgeStanModel(ctypes.Structure):
    _fields_ = (("n", ctypes.c_int), ("mean", ctypes.c_double))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("c")
    (folder / "density.c").write_text(SOURCE)
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(folder / "density.so"), str(folder / "density.c")]
    subprocess.run(command, check=True, capture_output=True)
    return ctypes.CDLL(str(folder / "density.so"))


def test_a_c_function_with_data(library):
    data = Data(1.0, 100.0, 0)
    density = CallbackDensity(library.density, ctypes.pointer(data))
    value, gradient = density.evaluate(X)
    assert value == pytest.approx(-0.5 * np.sum((X - 1.0) ** 2), rel=1e-14)
    np.testing.assert_allclose(gradient, 1.0 - X, rtol=1e-14)
    address = ctypes.cast(library.density, ctypes.c_void_p).value
    assert CallbackDensity(address, ctypes.addressof(data)).evaluate(X)[0] == value


def test_codes_above_zero_reject_and_below_zero_end_the_run(library):
    rejecting, ending = Data(0.0, 0.5, 7), Data(0.0, 0.5, -4)
    assert CallbackDensity(library.density, ctypes.pointer(rejecting)).evaluate([0.6])[0] == -np.inf
    draws = sample(CallbackDensity(library.density, ctypes.pointer(rejecting)), initial=[-1.0], **SHORT)
    assert draws.positions.max() <= 0.5
    assert draws.n_warmup_divergences.sum() + draws.stats["diverging"].sum() > 0
    with pytest.raises(SamplingError, match="error code -4"):
        sample(CallbackDensity(library.density, ctypes.pointer(ending)), initial=[-1.0], **SHORT)


def test_a_pointer_for_each_chain(library):
    data = [Data(-3.0, 100.0, 0), Data(3.0, 100.0, 0)]
    density = CallbackDensity(library.density, [ctypes.pointer(each) for each in data])
    means = sample(density, initial=[0.0, 0.0], **SHORT).positions.mean(axis=(1, 2))
    np.testing.assert_allclose(means, [-3.0, 3.0], atol=0.6)
    with pytest.raises(SettingError, match="2 pointers"):
        sample(density, initial=[0.0, 0.0], **{**SHORT, "chains": 3})


def test_the_same_draws_as_from_python(library):
    data = Data(0.0, 1e9, 0)
    from_c = sample(CallbackDensity(library.density, ctypes.pointer(data)), initial=X, **SHORT)
    np.testing.assert_allclose(from_c.positions, sample(PythonDensity(normal), initial=X, **SHORT).positions, rtol=1e-9)


def test_bridgestans_function(library):
    model = BridgeStanModel(3, 2.0)
    density = CallbackDensity(library.bs_log_density_gradient, ctypes.pointer(model), convention="bridgestan")
    value, gradient = density.evaluate(X)
    assert value == pytest.approx(-0.5 * np.sum((X - 2.0) ** 2), rel=1e-14)
    np.testing.assert_allclose(gradient, 2.0 - X, rtol=1e-14)
    assert density.evaluate([101.0, 0.0, 0.0])[0] == -np.inf
    draws = sample(density, initial=X, **SHORT)
    assert abs(draws.positions.mean() - 2.0) < 0.5


@compiling
def test_a_function_of_numba():
    pointer = types.CPointer(types.float64)

    @numba.cfunc(types.int64(types.uint64, pointer, pointer, pointer, types.voidptr))
    def density(n, position, gradient, logp, data):
        total = 0.0
        for i in range(n):
            gradient[i] = -position[i]
            total -= 0.5 * position[i] ** 2
        logp[0] = total
        return 0

    assert CallbackDensity(density).evaluate(X)[0] == pytest.approx(normal(X)[0], rel=1e-14)


@pytest.mark.parametrize(("address", "data"), [(0, None), ("f", None), (normal, None), (8, "data"), (8, [])])
def test_no_addresses(address, data):
    with pytest.raises(SettingError):
        CallbackDensity(address, data)


def test_a_checkpoint_needs_a_name_for_a_callback(library, tmp_path):
    data = Data(0.0, 100.0, 0)
    pointer = ctypes.pointer(data)
    with pytest.raises(SettingError, match="identity"):
        sample(CallbackDensity(library.density, pointer), initial=[0.0], checkpoint=tmp_path / "a", **SHORT)
    named = CallbackDensity(library.density, pointer, identity="standard normal")
    first = sample(named, initial=[0.0], checkpoint=tmp_path / "b", **SHORT)
    again = CallbackDensity(library.density, pointer, identity="standard normal")
    np.testing.assert_array_equal(
        first.positions, sample(again, initial=[0.0], checkpoint=tmp_path / "b", **SHORT).positions
    )


# ------------------------------------------------------------------------------------------------- functions of Python


def test_a_function_of_python():
    draws = sample(PythonDensity(normal), initial=X, **{**SHORT, "cores": 2})
    again = sample(PythonDensity(normal), initial=X, **SHORT)
    np.testing.assert_array_equal(draws.positions, again.positions)
    assert abs(draws.positions.mean()) < 0.5


def test_chains_take_turns():
    inside, most = [], []

    def slow(position):
        inside.append(1)
        most.append(len(inside))
        time.sleep(1e-4)  # lets another thread in
        inside.pop()
        return normal(position)

    sample(PythonDensity(slow), initial=X, **{**SHORT, "draws": 20, "tune": 20, "cores": 2})
    assert max(most) == 1


def test_positions_may_be_kept():
    kept = []

    def keeping(position):
        kept.append(position)
        return normal(position)

    sample(PythonDensity(keeping), initial=X, **SHORT)
    assert len({tuple(position) for position in kept}) > 20


def test_what_is_not_finite_rejects():
    value, gradient = PythonDensity(lambda position: (-np.inf, None)).evaluate(X)
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda position: 1.0, "DifferentiatedDensity"),
        (lambda position: (1.0, position[:2]), r"shape \(3,\)"),
        (lambda position: ("much", position), "one number"),
        (lambda position: (1.0, "steep"), "numbers as gradient"),
        (lambda position: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_wrong_answers_are_told(function, words):
    with pytest.raises(UserFunctionError, match=words):
        PythonDensity(function).evaluate(X)


def test_an_error_ends_the_run_by_its_own_words():
    def limited(position):
        if position[0] > -0.5:
            raise LookupError("beyond the table")
        return normal(position)

    with pytest.raises(UserFunctionError, match="beyond the table") as raised:
        sample(PythonDensity(limited), initial=[-0.6], jitter=0.0, **SHORT)
    assert isinstance(raised.value.__cause__, LookupError)


def test_single_precision_is_told(caplog):
    PythonDensity(lambda position: (0.0, position.astype(np.float32))).evaluate(X)
    assert "single precision" in caplog.text


# --------------------------------------------------------------------------------------------- functions without slopes


@compiling
def test_loops_are_compiled_with_dual_numbers():
    density = DifferentiatedDensity(shifted, 2.0)
    at = np.linspace(-1.0, 1.0, 11)  # two chunks of partials, the second not full
    value, gradient = density.evaluate(at)
    assert density.method == "compiled"
    assert value == pytest.approx(shifted(at, 2.0), rel=1e-14)
    np.testing.assert_allclose(gradient, 2.0 - at, rtol=1e-14)


def test_arrays_are_differentiated_from_python():
    density = DifferentiatedDensity(funnel, 3.0)
    value, gradient = density.evaluate(X)
    assert density.method == "arrays"
    assert value == pytest.approx(funnel(X, 3.0), rel=1e-14)
    np.testing.assert_allclose(gradient, funnel_gradient(X, 3.0), rtol=1e-13)


def test_differences_where_they_are_asked_for():
    def awkward(position, data):
        return float(funnel(np.array([float(x) for x in position]), data["scale"]))

    with pytest.raises(UserFunctionError, match="differences=True"):
        DifferentiatedDensity(awkward, {"scale": 3.0}).evaluate(X)
    density = DifferentiatedDensity(awkward, {"scale": 3.0}, differences=True)
    np.testing.assert_allclose(density.evaluate(X)[1], funnel_gradient(X, 3.0), rtol=1e-9)
    assert density.method == "differences"


@compiling
def test_differences_are_compiled_where_numba_can():
    value, gradient = DifferentiatedDensity(shifted, 2.0, differences=True).evaluate(X)
    assert value == pytest.approx(shifted(X, 2.0), rel=1e-14)
    np.testing.assert_allclose(gradient, 2.0 - X, rtol=1e-9)


def test_errors_of_the_users_own_stay_theirs():
    def wrong(position):
        return position.no_such_thing

    with pytest.raises(UserFunctionError, match="no_such_thing"):
        DifferentiatedDensity(wrong).evaluate(X)


# ------------------------------------------------------------------------------------------------------ what is common


def test_a_density_has_its_own_data():
    with pytest.raises(SettingError, match="leave data out"):
        sample(PythonDensity(normal), 1.0, initial=X)
    for position in ([], [[0.0]], "here"):
        with pytest.raises(SettingError, match="position"):
            PythonDensity(normal).evaluate(position)


@compiling
def test_the_way_out_is_the_way_in():
    """Our density as a C callback, taken as one of somebody else's."""

    def logdensity(position, gradient, data):
        total = 0.0
        for i in range(position.shape[0]):
            gradient[i] = data - position[i]
            total -= 0.5 * gradient[i] ** 2
        return total if position[0] < 5.0 else -np.inf

    density = CompiledDensity(logdensity, 2.0)
    out = Callback(density, 3)
    back = CallbackDensity(out.address, out.data)
    assert back.evaluate(X)[0] == density.evaluate(X)[0]
    np.testing.assert_array_equal(back.evaluate(X)[1], 2.0 - X)
    assert back.evaluate([6.0, 0.0, 0.0])[0] == -np.inf
    with pytest.raises(SamplingError, match="error code -1"):
        back.evaluate([0.0, 0.0])  # of another length than it is of


def test_groups_for_arviz():
    draws = sample(PythonDensity(normal), initial=X, **SHORT)
    groups = draws.groups({"mu": (), "theta": 2})
    assert {name: values.shape for name, values in groups["posterior"].items()} == {
        "mu": (2, 60),
        "theta": (2, 60, 2),
    }
    np.testing.assert_array_equal(groups["posterior"]["theta"], draws.positions[:, :, 1:])
    np.testing.assert_array_equal(groups["sample_stats"]["lp"], draws.stats["lp"])
    natural = draws.groups(lambda position: {"scale": np.exp(position[0])})["posterior"]
    np.testing.assert_allclose(natural["scale"], np.exp(draws.positions[:, :, 0]))
    with pytest.raises(SettingError, match="2 elements"):
        draws.groups({"mu": 2})
    with pytest.raises(SettingError, match="shape of 'mu'"):
        draws.groups({"mu": 3.0})
    with pytest.raises(SettingError, match="dict"):
        draws.groups(lambda position: SimpleNamespace())


def test_arviz_containers():
    import nutslite as nl

    draws = sample(PythonDensity(normal), initial=X, **SHORT)
    results = nl.from_draws(draws, {"theta": 3}, dims={"theta": ["side"]}, coords={"side": ["a", "b", "c"]})
    assert results["posterior"]["theta"].sel(side="b").shape == (2, 60)
    assert results["sample_stats"]["diverging"].shape == (2, 60)
    with pytest.raises(nl.DataError, match="draws"):
        nl.from_draws(draws.positions)
