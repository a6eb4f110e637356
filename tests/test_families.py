"""Properties that every family has; a new file in nutslite/families/ is tested without another word.

``pytest tests/test_families.py -k <name>`` checks one family: gradient for every link of every parameter, varying and
constant; the density sums or integrates to one; random draws follow it; extremes; weights; blocks; metadata.
Add a line to `tests/family_references.py` to compare the density with SciPy's as well.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from family_cases import ROWS, Case, expectation, settings, some_values
from family_references import REFERENCES
from numba import types

from nutslite._numba import INDEX_VECTOR, MATRIX, VECTOR, jit_disabled, kernel_with_signature
from nutslite.exceptions import DataError, FamilyError
from nutslite.families.links.codes import CODES, inverse_array, inverse_derivative, link_array
from nutslite.families.record.family import LOGLIK, Family, compiled_loglik, has_total
from nutslite.families.record.pointwise import pointwise_loglik
from nutslite.families.record.register import get_family
from nutslite.families.user.built_in import built_in, family_names
from nutslite.formula.records import Response

NAMES = [name for name in family_names() if get_family(name).bind is None]  # test_families_categories.py has the others
LINKED = [(name, p.name, link) for name in NAMES for p in get_family(name).parameters for link in p.links]


def numeric_derivative(case: Case) -> np.ndarray:
    """Fourth-order central differences of the summed log likelihood by every element of eta that is in use."""
    derivative = np.full(case.eta.shape, np.nan)
    for j, i in zip(*np.nonzero(np.isfinite(case.eta)), strict=True):
        step = 2e-3 * min(1.0, abs(case.eta[j, i]) + 0.1)
        total = 0.0
        for shift, factor in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
            moved = case.eta.copy()
            moved[j, i] += shift * step
            total += factor * float(np.sum(case.loglik(moved)[0]))
        derivative[j, i] = total / (12.0 * step)
    return derivative


def subsets(family: Family) -> list[set[str]]:
    """Which parameters vary: all, none, the parent alone, all but the parent."""
    names = [p.name for p in family.parameters]
    return [set(names), set(), {names[0]}, set(names[1:])]


@pytest.mark.parametrize(("name", "parameter", "link"), LINKED)
def test_gradient(name: str, parameter: str, link: str) -> None:
    family = get_family(name)
    for seed, varying in enumerate(subsets(family)):
        case = Case(family, {parameter: link}, varying, seed)
        out, derivative = case.loglik()
        assert np.all(np.isfinite(out))
        np.testing.assert_allclose(derivative, numeric_derivative(case), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("name", "parameter", "link"), LINKED)
def test_every_link_gives_the_same_density(name: str, parameter: str, link: str) -> None:
    """The kernel's own links and the chain rule agree: equal densities, derivatives in the ratio of the slopes."""
    family = get_family(name)
    record = family.parameter(parameter)
    j = family.parameters.index(record)
    native = next(text for text, code in CODES.items() if code == record.native_link)
    if native not in record.links or link == "cloglog" != native:
        native = record.default_link
    for varying in subsets(family):
        case = Case(family, {parameter: link}, varying, seed=4)
        expected, slopes = case.loglik()
        theta = case.theta[parameter]
        other = Case(family, {parameter: native}, varying, seed=4)
        other.y, other.eta = case.y, case.eta.copy()
        other.eta[j, : theta.size] = link_array(native, theta)
        out, derivative = other.loglik()
        np.testing.assert_allclose(out, expected, rtol=1e-10, atol=1e-11)
        ours = [inverse_derivative(CODES[link], x) for x in case.eta[j, : theta.size]]
        theirs = [inverse_derivative(CODES[native], x) for x in other.eta[j, : theta.size]]
        np.testing.assert_allclose(
            derivative[j, : theta.size] / theirs, slopes[j, : theta.size] / ours, rtol=1e-8, atol=1e-9
        )


@pytest.mark.parametrize("name", NAMES)
def test_weights_multiply(name: str) -> None:
    family = get_family(name)
    weights = np.random.default_rng(2).uniform(0.0, 3.0, ROWS)
    weights[2] = 0.0
    every = {p.name for p in family.parameters}
    plain, plain_slopes = Case(family, {}, every).loglik()
    case = Case(family, {}, every)
    out, slopes = case.loglik(weights=weights)
    np.testing.assert_allclose(out, weights * plain, rtol=1e-14)
    np.testing.assert_allclose(slopes[:, :ROWS], weights * plain_slopes[:, :ROWS], rtol=1e-14)
    ones, one_slopes = case.loglik(weights=np.ones(ROWS))
    np.testing.assert_array_equal(ones, plain)
    np.testing.assert_array_equal(one_slopes, plain_slopes)
    constant = Case(family, {}, set())
    constant.y = case.y
    _, summed = constant.loglik(weights=np.full(ROWS, 2.0))
    np.testing.assert_allclose(summed[:, 0], 2.0 * constant.loglik()[1][:, 0], rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_add_up(name: str) -> None:
    """Two blocks of rows give what one gives; constants' derivatives add."""
    family = get_family(name)
    weights = np.random.default_rng(3).uniform(0.5, 2.0, ROWS)
    for varying in subsets(family):
        case = Case(family, {}, varying, seed=8)
        whole, slopes = case.loglik(weights=weights)
        summed = np.zeros(len(family.parameters))
        for start, stop in ((0, 3), (3, ROWS)):
            eta = np.full_like(case.eta, np.nan)
            for j, varies in enumerate(case.varies):
                if varies:
                    eta[j, : stop - start] = case.eta[j, start:stop]
                else:
                    eta[j, 0] = case.eta[j, 0]
            out, part = case.loglik(eta, weights, start, stop - start)
            np.testing.assert_allclose(out, whole[start:stop], rtol=1e-13)
            for j, varies in enumerate(case.varies):
                if varies:
                    np.testing.assert_allclose(part[j, : stop - start], slopes[j, start:stop], rtol=1e-13)
                else:
                    summed[j] += part[j, 0]
        constant = case.varies == 0
        np.testing.assert_allclose(summed[constant], slopes[constant, 0], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_density_has_total_one_and_its_mean(name: str, seed: int) -> None:
    family = get_family(name)
    values, companions = settings(family, seed)
    assert expectation(family, values, companions, np.ones_like) == pytest.approx(1.0, abs=1e-8)
    if family.response_support == "angle":
        with pytest.raises(DataError, match="direction, no mean"):
            family.mean({}, {})
        return
    mean = expectation(family, values, companions, lambda y: y)
    claimed = family.mean({k: np.array(v) for k, v in values.items()}, {k: np.array(v) for k, v in companions.items()})
    assert float(claimed) == pytest.approx(mean, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [1, 2])
def test_random_draws_follow_the_density(name: str, seed: int) -> None:
    """Empirical and exact distribution functions at seven points, within 4.5 standard errors."""
    family = get_family(name)
    values, companions = settings(family, seed)
    size = 40_000
    parameters = {k: np.full(size, v) for k, v in values.items()}
    draws = family.random(np.random.default_rng(seed), parameters, {k: np.full(size, v) for k, v in companions.items()})
    assert draws.shape == (size,)
    for point in np.unique(np.quantile(draws, [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99], method="lower")):
        exact = expectation(family, values, companions, np.ones_like, to=float(point))
        error = math.sqrt(max(exact * (1.0 - exact), 1e-6) / size)
        assert abs(np.mean(draws <= point) - exact) < 4.5 * error


@pytest.mark.parametrize("name", NAMES)
def test_random_and_mean_broadcast(name: str) -> None:
    """Draws of parameters down, observations across, as predictions use them; the seed decides the result."""
    family = get_family(name)
    values, companions = settings(family, 5)
    parameters = {k: np.full((3, 1), v) for k, v in values.items()}
    parameters[family.parent.name] = np.full((3, 4), values[family.parent.name])
    others = {k: np.full(4, v) for k, v in companions.items()}
    first = family.random(np.random.default_rng(1), parameters, others)
    assert first.shape == (3, 4)
    np.testing.assert_array_equal(first, family.random(np.random.default_rng(1), parameters, others))
    assert family.response_support == "angle" or family.mean(parameters, others).shape == (3, 4)
    if family.discrete:
        assert np.issubdtype(first.dtype, np.integer)


@pytest.mark.parametrize("name", [name for name in NAMES if name in REFERENCES])
def test_density_agrees_with_scipy(name: str) -> None:
    family = get_family(name)
    for seed in range(5):
        case = Case(family, {}, {p.name for p in family.parameters}, seed)
        distribution = REFERENCES[name](case.theta, case.companions)
        expected = (distribution.logpmf if family.discrete else distribution.logpdf)(case.values[0])
        np.testing.assert_allclose(case.loglik()[0], expected, rtol=1e-10, atol=1e-11)


def response_of(family: Family, values: np.ndarray) -> Response:
    kind = {"binary": "binary", "trials": "proportion"}.get(family.response_support, "numeric")
    return Response("y", values, companions=family.companions, kind=kind)


@pytest.mark.parametrize("name", NAMES)
def test_own_draws_are_accepted_and_others_refused(name: str) -> None:
    family = get_family(name)
    case = Case(family, {}, {p.name for p in family.parameters})
    family.check_response(response_of(family, case.values))
    outside = {"real": np.inf, "positive": -1.0, "unit": 1.5, "binary": 2.0, "count": 0.5, "trials": 99.0}
    outside |= {"nonnegative": -1.0, "angle": 4.0, "closed_unit": 1.5}
    for wrong in (outside[family.response_support], np.nan):
        values = case.values.copy()
        values[0, 3] = wrong
        with pytest.raises(DataError, match=r"'y'.*row 3"):
            family.check_response(response_of(family, values))
    with pytest.raises(DataError, match="'y'"):
        family.check_response(Response("y", case.values, kind="categorical", levels=("a", "b", "c")))


UNBOUNDED = ("log", "logit", "probit", "cloglog", "softplus", "cauchit")  # every linear predictor stays in the support
EXTREME = [
    (name, parameter, link)
    for name, parameter, link in LINKED
    if link in UNBOUNDED or (get_family(name).parameter(parameter).support == "real" and link != "sqrt")
]


@pytest.mark.parametrize(("name", "parameter", "link"), EXTREME)
def test_extremes_give_no_nan(name: str, parameter: str, link: str) -> None:
    """Linear predictors far out: never nan, and derivatives are finite wherever the density is."""
    family = get_family(name)
    record = family.parameter(parameter)
    j = family.parameters.index(record)
    for varying in subsets(family):
        for eta in (-700.0, -60.0, -20.0, 20.0, 60.0, 700.0):
            case = Case(family, {parameter: link}, varying, seed=11)
            case.eta[j, : ROWS if case.varies[j] else 1] = eta
            out, derivative = case.loglik()
            assert not np.any(np.isnan(out)), eta
            assert not np.any(np.isposinf(out)), eta
            if np.all(np.isfinite(out)):
                for i, varies in enumerate(case.varies):
                    assert np.all(np.isfinite(derivative[i, : ROWS if varies else 1])), (eta, i)


@pytest.mark.parametrize("name", NAMES)
def test_infinite_linear_predictors_are_not_mistaken_for_finite_ones(name: str) -> None:
    """A position that overflowed must not look like a good one: at least one row has no finite density."""
    family = get_family(name)
    for j, parameter in enumerate(family.parameters):
        for eta in (math.inf, -math.inf, math.nan):
            case = Case(family, {}, {p.name for p in family.parameters}, seed=11)
            case.eta[j, :ROWS] = eta
            out, derivative = case.loglik()
            finite = np.isfinite(out) & np.all(np.isfinite(derivative[:, :ROWS]), axis=0)
            assert not np.all(finite), (parameter.name, eta)
            assert not math.isnan(eta) or not np.any(finite), parameter.name


@pytest.mark.parametrize("name", NAMES)
def test_record(name: str) -> None:
    family = get_family(name)
    assert family.name == name
    assert family.parent.default_prior is None
    for parameter in family.auxiliary:
        assert parameter.default_prior is not None, f"{parameter.name} needs a default prior"
    for parameter in family.parameters:
        native = next(text for text, code in CODES.items() if code == parameter.native_link)
        assert native in parameter.links
    case = Case(family, {}, set())
    assert case.y.dtype == np.float64
    assert case.y.flags.c_contiguous
    np.testing.assert_array_equal(case.y[: case.values.shape[0]], case.values)


@pytest.mark.parametrize("name", NAMES)
def test_kernel_for_native_links_is_the_general_one(name: str) -> None:
    family = get_family(name)
    names = {code: text for text, code in CODES.items()}
    links = {parameter.name: names[parameter.native_link] for parameter in family.parameters}
    native = compiled_loglik(family, family.link_codes(links))
    assert jit_disabled() or native is not compiled_loglik(family)
    assert native is compiled_loglik(get_family(name), family.link_codes(links))
    for number in range(2 ** len(family.parameters)):
        varying = {parameter.name for j, parameter in enumerate(family.parameters) if number >> j & 1}
        case = Case(family, links, varying)
        for weights in (None, np.linspace(0.5, 2.0, ROWS)):
            expected = case.loglik(weights=weights)
            case.family = replace(family, kernel=native)
            for got, want in zip(case.loglik(weights=weights), expected, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-13)
            case.family = family


def test_links_other_than_native_have_the_general_kernel() -> None:
    family = get_family("bernoulli")
    assert compiled_loglik(family, family.link_codes("probit")) is compiled_loglik(family)


def test_parameters_without_a_formula_are_on_native_links() -> None:
    family = get_family("negativebinomial")
    given = {"mu": "identity", "alpha": "identity"}
    assert family.link_codes(given, varying={"mu"}).tolist() == [CODES["identity"], CODES["log"]]
    assert family.link_codes(given, varying={"mu", "alpha"}).tolist() == [CODES["identity"]] * 2


@pytest.mark.parametrize(("link", "code"), [("identity", CODES["identity"]), ("sqrt", None)])
def test_kernels_of_ones_own_may_not_know_native_links(link: str, code: int | None) -> None:
    plain = get_family("negativebinomial")
    own = replace(plain, parameters=(plain.parameters[0], replace(plain.parameters[1], links=(link,))))
    if code is None:
        with pytest.raises(FamilyError, match=r"'alpha' has no formula here.*'log' or 'identity'"):
            own.link_codes(varying={"mu"})
    else:
        assert own.link_codes(varying={"mu"})[1] == code


@pytest.mark.parametrize("name", NAMES)
def test_kernel_travels_as_a_function_pointer(name: str) -> None:
    family = get_family(name)
    compiled_loglik(family)
    case = Case(family, {}, {family.parent.name})
    expected, _ = case.loglik()
    out, derivative = np.empty(ROWS), np.empty_like(case.eta)
    caller()(case.y, np.empty(0), case.eta, case.varies, case.links, out, derivative, family.kernel)
    np.testing.assert_allclose(out, expected, rtol=1e-14)


@functools.cache
def caller() -> Callable[..., None]:
    def call(y, weights, eta, varies, links, out, derivative, loglik):  # type: ignore[no-untyped-def]
        loglik(y, weights, 0, eta, varies, links, out, derivative)

    if jit_disabled():
        return call
    arguments = (MATRIX, VECTOR, MATRIX, INDEX_VECTOR, INDEX_VECTOR, VECTOR, MATRIX, LOGLIK)
    return kernel_with_signature(call, types.void(*arguments))


def test_names_and_lookup() -> None:
    assert {"gaussian", "t", "bernoulli", "binomial", "beta", "gamma", "poisson", "negativebinomial", "wald"} <= set(
        NAMES
    )
    family = get_family("gamma")
    assert get_family(family) is family
    with pytest.raises(FamilyError, match="Did you mean 'poisson'"):
        get_family("poison")
    with pytest.raises(FamilyError, match="no family"):
        get_family("_rows")
    with pytest.raises(FamilyError, match="Did you mean 'sigma'"):
        get_family("gaussian").parameter("sigm")
    with pytest.raises(FamilyError, match="does not allow the link 'logit'"):
        get_family("gaussian").link_codes("logit")
    np.testing.assert_array_equal(family.link_codes({"mu": "log"}), [CODES["log"], CODES["log"]])
    with pytest.raises(FamilyError, match="also needs sigma"):
        pointwise_loglik(get_family("gaussian"), [0.0], {"mu": 0.0})


def test_inverse_links_invert_for_every_family() -> None:
    for name, parameter, link in LINKED:
        record = get_family(name).parameter(parameter)
        values = some_values(record, link, np.random.default_rng(1), 5)
        np.testing.assert_allclose(inverse_array(link, link_array(link, values)), values, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in NAMES if get_family(name).total is not None])
@pytest.mark.parametrize("rows", [1, 7, 1300])
def test_the_total_is_the_sum_of_the_kernel(name, rows):
    family, rng = get_family(name), np.random.default_rng(rows)
    links = family.link_codes()
    eta = rng.normal(scale=4.0, size=(len(links), rows + 3))
    eta[:, 0] = rng.choice([-800.0, 0.0, 800.0])
    y = family.prepare(rng.integers(0, 2, (1, rows + 2)).astype(float))
    out, slopes = np.empty(rows), np.empty((len(links), rows))
    kernel, total = compiled_loglik(family, links), built_in(name).total
    kernel(y, np.empty(0), 2, eta, np.ones(len(links), dtype=np.int64), links, out, slopes)
    assert total(y, 2, rows, eta) == pytest.approx(out.sum(), rel=1e-13)
    eta[0, rows - 1] = np.nan
    assert np.isnan(total(y, 2, rows, eta))
    assert has_total(family, links)
    assert not has_total(replace(family, kernel=kernel_of_another), links)
    assert not has_total(family, links + 1)


def kernel_of_another(*arguments):
    """Not the family's own."""
