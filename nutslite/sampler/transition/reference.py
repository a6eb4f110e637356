"""Records by reference: one pointer in place of hundreds of numbers.

Numba hands a record of arrays on as all of its numbers, seven and more for each array, and copies them once more for
every function that is copied into its caller. To compile these copies, and to make them in every call, took longer than
many a gradient. Of a reference a function loads what it reads, and nobody changes a record meanwhile.

Python refers to a record by a `Referred`, which lays its numbers down in memory: an entry for Python that takes apart a
record of hundreds of numbers compiles longer than most functions behind it. Compiled code makes references to records
that it was given by value; these are valid while the function that made them runs.
"""

from __future__ import annotations

import functools
from array import array
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    intrinsic,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np.numpy_support import as_dtype

from nutslite._numba import jit_disabled


class Reference(types.Type):  # type: ignore[misc]  # Numba has no types
    """The type of a reference to a record, which is a NamedTuple."""

    def __init__(self, record: Any) -> None:
        self.record = record
        super().__init__(name=f"reference({record})")


@register_model(Reference)
class _Pointer(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.record).get_value_type().as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):  # type: ignore[misc]
    key = Reference

    def generic_resolve(self, reference: Any, name: str) -> Any:
        """The type of a field."""
        record = reference.record
        return record.types[record.fields.index(name)] if name in record.fields else None


@lower_getattr_generic(Reference)  # type: ignore[untyped-decorator]
def _field(context: Any, builder: Any, reference: Any, place: Any, name: str) -> Any:
    at = reference.record.fields.index(name)
    value = _loaded(builder, cgutils.gep_inbounds(builder, place, 0, at))
    return impl_ret_borrowed(context, builder, reference.record.types[at], value)


def _loaded(builder: Any, place: Any) -> Any:
    """What is at a place, number by number: those that nobody reads are left out, loops read the others once."""
    kind = place.type.pointee
    if isinstance(kind, ir.Aggregate):
        size = kind.count if isinstance(kind, ir.ArrayType) else len(kind.elements)
        value = ir.Constant(kind, ir.Undefined)
        for at in range(size):
            value = builder.insert_value(value, _loaded(builder, cgutils.gep_inbounds(builder, place, 0, at)), at)
        return value
    load = builder.load(place)
    load.set_metadata("invariant.load", builder.module.add_metadata([]))
    return load


def _by_reference(typing_context: Any, record: Any) -> Any:
    """A reference to a record, for compiled code; itself without compilation, and where it is one already."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if isinstance(record, Reference):
            return arguments[0]
        place = cgutils.alloca_once(builder, arguments[0].type)
        builder.store(arguments[0], place)
        return place

    return (record if isinstance(record, Reference) else Reference(record))(record), generate


by_reference: Any = (lambda record: record) if jit_disabled() else intrinsic(_by_reference)


class Referred:
    """A record, and its numbers in memory, at an address that compiled code is given; it borrows the arrays.

    Parameters
    ----------
    record : NamedTuple
        Whole numbers, C-contiguous arrays, what is `Referred` itself, named tuples of them.
    kind : Reference
        Its type, which must be that of the record.

    Raises
    ------
    TypeError
        If an array is not what the type says.
    """

    __slots__ = ("address", "kind", "numbers", "record")

    def __init__(self, record: Any, kind: Reference) -> None:
        self.record, self.kind = record, kind
        numbers: list[int] = []
        _add_numbers(kind.record, record, numbers)
        self.numbers = array("q", numbers)
        self.address = self.numbers.buffer_info()[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return Referred, (self.record, self.kind)


def refer(record: Any, kind: Reference) -> Any:
    """What compiled code is handed in place of a record; without compilation the record itself."""
    return record if jit_disabled() else Referred(record, kind)


def _add_numbers(kind: Any, value: Any, numbers: list[int]) -> None:
    """Add what Numba makes of a value, in units of 8 bytes; nobody owns the arrays' memory, so that nobody counts."""
    if isinstance(kind, types.BaseTuple):
        for each, part in zip(kind.types, value, strict=True):
            _add_numbers(each, part, numbers)
    elif isinstance(kind, types.Array):
        if value.dtype != _dtype(kind) or value.ndim != kind.ndim or not value.flags.c_contiguous:
            raise TypeError(f"an array of {value.dtype} with {value.ndim} dimensions is no {kind}")
        start = value.__array_interface__["data"][0]
        numbers += (0, 0, value.size, value.itemsize, start, *value.shape, *value.strides)
    elif kind == types.int64:
        numbers.append(int(value))
    elif isinstance(kind, Reference):
        numbers.append(value.address)
    else:
        raise TypeError(f"there is a {kind} in a record by reference")


@functools.cache
def _dtype(kind: Any) -> Any:
    return as_dtype(kind.dtype)


@typeof_impl.register(Referred)  # type: ignore[untyped-decorator]
def _type_of(referred: Referred, context: Any) -> Reference:
    return referred.kind


@unbox(Reference)  # type: ignore[untyped-decorator]
def _address(kind: Any, referred: Any, c: Any) -> Any:
    number = c.pyapi.object_getattr_string(referred, "address")
    failed = cgutils.is_null(c.builder, number)
    place = cgutils.alloca_once_value(c.builder, c.context.get_constant_null(types.voidptr))
    with cgutils.if_likely(c.builder, c.builder.not_(failed)):
        c.builder.store(c.pyapi.long_as_voidptr(number), place)
        c.pyapi.decref(number)
    pointer = c.builder.bitcast(c.builder.load(place), c.context.get_value_type(kind))
    return NativeValue(pointer, is_error=failed)
