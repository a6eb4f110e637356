"""Dual numbers as a Numba type: derivatives of users' functions, exact to rounding, by forward differentiation.

A dual number is a value and its partial derivatives with respect to `width` variables. Numba compiles a function anew
for every type of argument, so a user's ``f(y, mu, sigma)`` called with duals *is* its own derivative: branches, loops
and calls of further compiled functions included. This file is the type, its arithmetic and its comparisons;
`dual_functions.py` has the elementary functions. Importing either compiles nothing.

A partial that is exactly zero stays zero whatever it is multiplied by: ``sqrt(mu)`` at zero must not turn the
derivative with respect to sigma into ``inf * 0``.

Source: forward accumulation, Griewank and Walther (2008), "Evaluating Derivatives", chapter 3.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_cast, models, overload, register_jitable, register_model

NUMBERS = (types.Float, types.Integer, types.Boolean)


class DualType(types.Type):
    """Numba's type of a value with `width` partial derivatives."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Dual({width})")

    def can_convert_from(self, typing_context: Any, other: Any) -> Any:
        """Plain numbers become duals without derivatives."""
        return Conversion.safe if isinstance(other, NUMBERS) else None

    def unify(self, typing_context: Any, other: Any) -> Any:
        """A variable that is a number on one branch and a dual on the other is a dual."""
        return self if isinstance(other, NUMBERS) else None


@register_model(DualType)
class _DualModel(models.StructModel):
    def __init__(self, manager: Any, dual: DualType) -> None:
        members = [("value", types.float64), ("partials", types.UniTuple(types.float64, dual.width))]
        super().__init__(manager, dual, members)


# --- how duals are made and taken apart ------------------------------------------------------------------------------


def _parts(context: Any, builder: Any, dual: DualType, value: Any) -> tuple[Any, list[Any]]:
    record = cgutils.create_struct_proxy(dual)(context, builder, value=value)
    return record.value, [builder.extract_value(record.partials, i) for i in range(dual.width)]


def _whole(context: Any, builder: Any, dual: DualType, value: Any, partials: list[Any]) -> Any:
    record = cgutils.create_struct_proxy(dual)(context, builder)
    record.value = value
    packed = record.partials
    for i, partial in enumerate(partials):
        packed = builder.insert_value(packed, partial, i)
    record.partials = packed
    return record._getvalue()


def _times(context: Any, builder: Any, slope: Any, partial: Any) -> Any:
    zero = context.get_constant(types.float64, 0.0)
    return builder.select(builder.fcmp_ordered("==", partial, zero), zero, builder.fmul(slope, partial))


@lower_cast(types.Float, DualType)
@lower_cast(types.Integer, DualType)
@lower_cast(types.Boolean, DualType)
def _from_number(context: Any, builder: Any, source: Any, dual: DualType, number: Any) -> Any:
    zero = context.get_constant(types.float64, 0.0)
    value = context.cast(builder, number, source, types.float64)
    return _whole(context, builder, dual, value, [zero] * dual.width)


@intrinsic
def value_of(typing_context: Any, dual: Any) -> Any:
    """The value of a dual number."""
    if not isinstance(dual, DualType):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _parts(context, builder, signature.args[0], arguments[0])[0]

    return types.float64(dual), generate


@intrinsic
def chain(typing_context: Any, value: Any, slope: Any, dual: Any) -> Any:
    """``f(x)`` by the chain rule from its value and slope at x: value, slope * partials."""
    if not isinstance(dual, DualType):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[2]
        _, partials = _parts(context, builder, kind, arguments[2])
        moved = [_times(context, builder, arguments[1], partial) for partial in partials]
        return _whole(context, builder, kind, arguments[0], moved)

    return dual(types.float64, types.float64, dual), generate


@intrinsic
def chain_both(typing_context: Any, value: Any, slope: Any, dual: Any, other_slope: Any, other: Any) -> Any:
    """``f(x, y)`` of two duals: value, slope * partials of x + other_slope * partials of y."""
    if not (isinstance(dual, DualType) and dual == other):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[2]
        _, left = _parts(context, builder, kind, arguments[2])
        _, right = _parts(context, builder, kind, arguments[4])
        both = [
            builder.fadd(_times(context, builder, arguments[1], a), _times(context, builder, arguments[3], b))
            for a, b in zip(left, right, strict=True)
        ]
        return _whole(context, builder, kind, arguments[0], both)

    return dual(types.float64, types.float64, dual, types.float64, other), generate


@intrinsic(prefer_literal=True)
def seeds(typing_context: Any, theta: Any, width: Any) -> Any:
    """Tuple of `width` duals: the elements of the vector `theta`, each with derivative one by itself."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    dual = DualType(width.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        made = []
        for i in range(dual.width):
            partials = [context.get_constant(types.float64, float(i == j)) for j in range(dual.width)]
            element = _element(context, builder, signature.args[0], array, i)
            made.append(_whole(context, builder, dual, element, partials))
        return context.make_tuple(builder, signature.return_type, made)

    return types.UniTuple(dual, dual.width)(theta, width), generate


@intrinsic(prefer_literal=True)
def numbers(typing_context: Any, theta: Any, width: Any) -> Any:
    """Tuple of the first `width` elements of the vector `theta`."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    count = width.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        elements = [_element(context, builder, signature.args[0], array, i) for i in range(count)]
        return context.make_tuple(builder, signature.return_type, elements)

    return types.UniTuple(types.float64, count)(theta, width), generate


@intrinsic(prefer_literal=True)
def store_numbers(typing_context: Any, values: Any, out: Any) -> Any:
    """Overwrite the vector `out` with a tuple of numbers, or with one number."""
    kinds = tuple(values) if isinstance(values, types.BaseTuple) else (values,)
    if not all(isinstance(kind, NUMBERS) for kind in kinds):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = arguments[0]
        several = isinstance(signature.args[0], types.BaseTuple)
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        for i, kind in enumerate(kinds):
            value = builder.extract_value(whole, i) if several else whole
            at = cgutils.get_item_pointer(
                context, builder, signature.args[1], array, [context.get_constant(types.intp, i)]
            )
            builder.store(context.cast(builder, value, kind, types.float64), at)
        return context.get_dummy_value()

    return types.none(values, out), generate


def _element(context: Any, builder: Any, kind: Any, array: Any, *index: int) -> Any:
    places = [context.get_constant(types.intp, i) for i in index]
    return builder.load(cgutils.get_item_pointer(context, builder, kind, array, places))


@intrinsic
def store_partials(typing_context: Any, dual: Any, out: Any) -> Any:
    """Overwrite the vector `out` with the partials of `dual`; return its value. A plain number has partials zero."""
    if not isinstance(dual, DualType):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, partials = _parts(context, builder, signature.args[0], arguments[0])
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        for i, partial in enumerate(partials):
            index = [context.get_constant(types.intp, i)]
            builder.store(partial, cgutils.get_item_pointer(context, builder, signature.args[1], array, index))
        return value

    return types.float64(dual, out), generate


@intrinsic
def divide(typing_context: Any, a: Any, b: Any) -> Any:
    """``a / b`` as the processor has it: inf or nan for a zero divisor, whatever the caller's error model."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments)

    return types.float64(types.float64, types.float64), generate


# --- arithmetic ------------------------------------------------------------------------------------------------------


def is_dual(kind: Any) -> bool:
    """Whether a Numba type is that of a dual number."""
    return isinstance(kind, DualType)


def define_two(function: Callable[..., Any], rule: Callable[..., Any]) -> None:
    """Teach `function` of two numbers duals; ``rule(a, b) -> value, d/da, d/db`` in plain numbers, jitable."""

    def typed(a: Any, b: Any) -> Any:
        if is_dual(a) and is_dual(b):

            def both(a: Any, b: Any) -> Any:
                value, slope, other = rule(value_of(a), value_of(b))
                return chain_both(value, slope, a, other, b)

            return both
        if is_dual(a) and isinstance(b, NUMBERS):

            def first(a: Any, b: Any) -> Any:
                value, slope, _ = rule(value_of(a), 1.0 * b)
                return chain(value, slope, a)

            return first
        if is_dual(b) and isinstance(a, NUMBERS):

            def second(a: Any, b: Any) -> Any:
                value, _, slope = rule(1.0 * a, value_of(b))
                return chain(value, slope, b)

            return second
        return None

    overload(function)(typed)


def define_one(function: Callable[..., Any], rule: Callable[..., Any]) -> None:
    """Teach `function` of one number duals; ``rule(x) -> value, slope`` in plain numbers, jitable."""

    def typed(x: Any) -> Any:
        if not is_dual(x):
            return None

        def one(x: Any) -> Any:
            value, slope = rule(value_of(x))
            return chain(value, slope, x)

        return one

    overload(function)(typed)


@register_jitable
def power(a, b):
    """``a**b`` and its slopes."""
    value = a**b
    # at a = 0 the slope by b is that of 0**b = 0, and the slope by a is exact for whole powers
    slope = 0.0 if b == 0.0 else b * a ** (b - 1.0)
    return value, slope, (value * math.log(a) if a > 0.0 else 0.0 if a == 0.0 else math.nan)


_ARITHMETIC: dict[tuple[Any, ...], Callable[..., Any]] = {
    (operator.add, operator.iadd): lambda a, b: (a + b, 1.0, 1.0),
    (operator.sub, operator.isub): lambda a, b: (a - b, 1.0, -1.0),
    (operator.mul, operator.imul): lambda a, b: (a * b, b, a),
    (operator.truediv, operator.itruediv): lambda a, b: (divide(a, b), divide(1.0, b), -divide(divide(a, b), b)),
    (operator.pow, operator.ipow, math.pow): power,
}
for _operators, _rule in _ARITHMETIC.items():
    for _operator in _operators:
        define_two(_operator, register_jitable(_rule))

define_one(operator.neg, register_jitable(lambda x: (-x, -1.0)))
define_one(operator.pos, register_jitable(lambda x: (x, 1.0)))
define_one(abs, register_jitable(lambda x: (abs(x), 0.0 if x == 0.0 else math.copysign(1.0, x))))
define_one(float, register_jitable(lambda x: (x, 1.0)))


def _define_comparison(compare: Callable[..., Any]) -> None:
    # implementations are spelled like the function that picks them: Numba compares the two signatures
    def typed(a: Any, b: Any) -> Any:
        if is_dual(a) and is_dual(b):

            def both(a: Any, b: Any) -> Any:
                return compare(value_of(a), value_of(b))

            return both
        if is_dual(a) and isinstance(b, NUMBERS):

            def first(a: Any, b: Any) -> Any:
                return compare(value_of(a), b)

            return first
        if is_dual(b) and isinstance(a, NUMBERS):

            def second(a: Any, b: Any) -> Any:
                return compare(a, value_of(b))

            return second
        return None

    overload(compare)(typed)


for _compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
    _define_comparison(_compare)
