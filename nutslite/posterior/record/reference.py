"""Records by reference: one pointer in place of hundreds of numbers.

Numba hands a record of arrays on as all of its numbers, seven and more for each array, and copies them once more for
every function that is copied into its caller. To compile these copies, and to make them in every call, took longer than
many a gradient. Of a reference a function loads what it reads. It is valid while the function that made it runs, and
nobody changes a record meanwhile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

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
