"""Arithmetic on draws, written as text: a few operations and functions, evaluated from a list of what is allowed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nutslite.exceptions import ArgumentError

FloatArray = NDArray[np.float64]
Resolve = Callable[[ast.expr], Any]

_OPERATIONS: dict[type, Callable[..., FloatArray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
FUNCTIONS: dict[str, Callable[..., FloatArray]] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs}


def evaluate(side: str, whole: str, resolve: Resolve, known: str) -> Any:
    """The value of an expression.

    Parameters
    ----------
    side : str
    whole : str
        The text that it is a side of, for messages.
    resolve : callable
        The draws that a name stands for, or None.
    known : str
        What names there are, for messages.

    Raises
    ------
    ArgumentError
        For what is no expression, and for what it may not hold.
    """
    try:
        tree = ast.parse(side.strip(), mode="eval").body
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return _value(tree, whole, resolve, known)
    except SyntaxError:
        raise ArgumentError(f"hypothesis={whole!r}: '{side.strip()}' is no arithmetic. {known}.") from None
    except RecursionError:
        raise ArgumentError("hypothesis is nested too deeply, or too long a sum.") from None


def _value(tree: ast.expr, whole: str, resolve: Resolve, known: str) -> Any:
    def inner(part: ast.expr) -> Any:
        return _value(part, whole, resolve, known)

    found = resolve(tree)
    if found is not None:
        return found
    match tree:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.BinOp(left, operation, right) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](inner(left), inner(right))
        case ast.UnaryOp(operation, operand) if type(operation) in _OPERATIONS:
            return _OPERATIONS[type(operation)](inner(operand))
        case ast.Call(ast.Name(name), [argument], []) if name in FUNCTIONS:
            return FUNCTIONS[name](inner(argument))
    raise ArgumentError(
        f"hypothesis={whole!r}: '{ast.unparse(tree)}' is not understood. {known}; there are numbers, + - * / **, and "
        f"{', '.join(FUNCTIONS)}."
    )
