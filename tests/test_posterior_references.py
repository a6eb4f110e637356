"""Records by reference: compiled code reads the same of them as of the records themselves."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest

from nutslite._numba import VECTOR, inner, jit_disabled, kernel
from nutslite.sampler.transition.reference import Reference, Referred, by_reference, refer


class Part(NamedTuple):
    weights: np.ndarray
    count: int


class Record(NamedTuple):
    matrix: np.ndarray
    part: Part
    scale: float


@inner
def through(record: Any) -> Any:
    """Whatever it is given: a record, or a reference to one."""
    total = 0.0
    for i in range(record.matrix.shape[0]):
        total += record.scale * record.matrix[i, record.part.count] * record.part.weights[i]
    return total


@kernel
def by_value(record: Any) -> Any:
    return through(record)


@kernel
def referred(record: Any) -> Any:
    return through(by_reference(by_reference(record)))


@kernel
def kept(record: Any) -> Any:
    """An array that outlives the reference."""
    return by_reference(record).part.weights[1:]


def record(n: int = 5) -> Record:
    return Record(np.arange(2.0 * n).reshape(n, 2), Part(np.linspace(0.5, 2.0, n), 1), 3.0)


def expected() -> float:
    one = record()
    return one.scale * float(one.matrix[:, 1] @ one.part.weights)


def test_the_same_as_by_value() -> None:
    assert referred(record()) == by_value(record()) == pytest.approx(expected())


def test_arrays_read_of_a_reference_are_counted() -> None:
    for _ in range(100):
        found = kept(record())
        np.testing.assert_array_equal(found, np.linspace(0.5, 2.0, 5)[1:])


class Sized(NamedTuple):
    matrix: np.ndarray
    part: Part


@kernel
def summed(sized: Any) -> Any:
    total = 0.0
    for i in range(sized.matrix.shape[0]):
        total += sized.matrix[i, sized.part.count] * sized.part.weights[i]
    return total


def sized() -> tuple[Sized, Any]:
    one = Sized(*record()[:2])
    return one, None if jit_disabled() else Reference(numba.typeof(one))


def test_python_hands_over_a_reference() -> None:
    one, kind = sized()
    assert summed(refer(one, kind)) == pytest.approx(expected() / 3.0)
    one.part.weights[:] *= 2.0
    assert summed(refer(one, kind)) == pytest.approx(2.0 * expected() / 3.0)


@pytest.mark.skipif(jit_disabled(), reason="types are Numba's")
def test_a_referred_record_survives_pickling() -> None:
    assert summed(pickle.loads(pickle.dumps(Referred(*sized())))) == pytest.approx(expected() / 3.0)


@pytest.mark.skipif(jit_disabled(), reason="types are Numba's")
def test_what_is_not_of_the_type_is_refused() -> None:
    one, kind = sized()
    for wrong in (one.matrix[:, :1], one.matrix.astype(np.float32), one.matrix[0]):
        with pytest.raises(TypeError, match="array"):
            Referred(one._replace(matrix=wrong), kind)
    with pytest.raises(TypeError, match="float64"):
        Referred(record(), Reference(numba.typeof(record())))


@pytest.mark.skipif(jit_disabled(), reason="types are Numba's")
def test_a_field_that_is_not_there_is_no_attribute() -> None:
    kind = numba.typeof(record())
    assert Reference(kind) == Reference(kind)
    assert Reference(kind) != Reference(numba.types.NamedTuple([VECTOR, numba.types.int64], Part))

    @numba.njit
    def wrong(record: Any) -> Any:
        return by_reference(record).nothing

    with pytest.raises(numba.TypingError, match="nothing"):
        wrong(record())
