"""Potentials: terms that a user adds to the log density, functions of named variables on their natural scale.

They enter the joint density where the likelihood does, as a function of `values` and `effects`, so that all Jacobians
and the way back to the position are those of the model. Nothing can be integrated out of a density with a potential.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from nutslite._numba import INDEX_VECTOR, VECTOR, jit_disabled, kernel, kernel_with_signature
from nutslite.derivatives.derivatives import packed_gradient
from nutslite.exceptions import ArgumentError, did_you_mean
from nutslite.families.record.censoring import LOGLIKS
from nutslite.posterior.density.effects import add_effects_prior, fill_group_effects
from nutslite.posterior.density.joint import compile_in_halves, natural_scale
from nutslite.posterior.density.many_positions import values_and_gradients
from nutslite.posterior.density.shared_rows import add_loglik
from nutslite.posterior.nodes.program import PRIORS, fill_derived, pull_back_derived
from nutslite.posterior.pilot.start import starting_position
from nutslite.posterior.record.assembled import Assembled
from nutslite.posterior.record.head import add_head_priors, constrain_head, pull_back_head
from nutslite.posterior.record.layout import Layout, Variable
from nutslite.posterior.record.model_data import MODEL_REFERENCE, ModelData
from nutslite.posterior.record.potential import Potential
from nutslite.posterior.targets.target import JointTarget
from nutslite.priors.densities.densities import density_at

FloatArray = NDArray[np.float64]

POTENTIAL = types.FunctionType(types.float64(VECTOR, VECTOR))
"""Type of all potentials as one function: potential(arguments, slopes) -> value; `slopes` is overwritten."""


class Gather(NamedTuple):
    """Where the arguments of all potentials are, one after the other."""

    effect: NDArray[np.int64]  # 1: an element of `effects`, 0: of `values`
    element: NDArray[np.int64]
    # An intercept is told without centring: the sampled one minus column means times coefficients, which are elements
    # of `values`, or effects, noted as -1 - effect.
    shift_start: NDArray[np.int64]
    shift_index: NDArray[np.int64]
    shift_weight: FloatArray


GATHER = types.NamedTuple([INDEX_VECTOR, INDEX_VECTOR, INDEX_VECTOR, INDEX_VECTOR, VECTOR], Gather)
POTENTIAL_DATA = types.Tuple([MODEL_REFERENCE, GATHER, PRIORS, LOGLIKS, POTENTIAL])
"""As `joint.JOINT_DATA`, with the potentials."""


class PotentialTarget(JointTarget):
    """The joint density with potentials added. It has no pilot: that would look for the mode of the model without."""

    def __init__(self, assembled: Assembled, merged: ModelData | None = None) -> None:
        super().__init__(assembled, use_pilot=False, merged=merged)
        self.data_type = POTENTIAL_DATA
        self.gather, self.potential = compile_potentials(assembled)

    @property
    def logdensity(self) -> Callable[..., float]:
        """With its gradient; compiled when it is asked for."""
        return compiled_density()

    @property
    def data(self) -> Any:
        """The model's record, the arguments of the potentials, and three functions."""
        return (self.reference, self.gather, self.priors, self.loglik, self.potential)

    def log_densities(self, positions: FloatArray, cores: int) -> FloatArray:
        """One after the other and with their gradients, whatever `cores`: potentials may be called in Python."""
        values, _ = values_and_gradients(self.logdensity, self.data, self.data_type, positions)
        return values


@functools.cache
def compiled_density() -> Callable[..., float]:
    """`potential_logdensity`, compiled (or read from the disk cache) for the one type of data."""
    compile_in_halves()
    return kernel_with_signature(potential_logdensity, types.float64(VECTOR, VECTOR, POTENTIAL_DATA))


def potential_logdensity(position: Any, gradient: Any, data: Any) -> float:
    """As `joint.joint_logdensity`, with the potentials."""
    model, gather, (derived, address), loglik, potential = data
    head, density = model.head, density_at(address)
    n_head = head.transforms.shape[0]
    values = np.empty(n_head + head.fixed.shape[0])
    adjoint = np.zeros(values.shape[0])
    effects = np.empty(position.shape[0] - n_head)
    for i in range(gradient.shape[0]):  # assigning to a slice takes longer to compile
        gradient[i] = 0.0

    total = constrain_head(position, head, values)
    total += fill_derived(head.nodes, derived, values)
    fill_group_effects(model, position, values, effects)
    total += add_loglik(model, loglik, values, effects, adjoint, gradient[n_head:])
    total += add_potentials(gather, potential, values, effects, adjoint, gradient[n_head:])
    total += add_effects_prior(model, density, position, values, effects, adjoint, gradient)
    total += add_head_priors(head, density, values, adjoint, np.empty(5))
    pull_back_derived(head.nodes, derived, values, adjoint)
    pull_back_head(position, head, adjoint, gradient)
    return float(total)


@kernel
def add_potentials(gather, potential, values, effects, adjoint, effects_adjoint):
    """Return the sum of the potentials; add its derivatives to `adjoint` and `effects_adjoint`."""
    n = gather.element.shape[0]
    arguments = np.empty(n)
    slopes = np.zeros(n)
    for k in range(n):
        if gather.effect[k] == 1:
            arguments[k] = effects[gather.element[k]]
        else:
            arguments[k] = values[gather.element[k]]
            for s in range(gather.shift_start[k], gather.shift_start[k + 1]):
                at = gather.shift_index[s]
                arguments[k] -= gather.shift_weight[s] * (values[at] if at >= 0 else effects[-1 - at])
    total = potential(arguments, slopes)
    for k in range(n):
        if gather.effect[k] == 1:
            effects_adjoint[gather.element[k]] += slopes[k]
        else:
            adjoint[gather.element[k]] += slopes[k]
            for s in range(gather.shift_start[k], gather.shift_start[k + 1]):
                at = gather.shift_index[s]
                if at >= 0:
                    adjoint[at] -= gather.shift_weight[s] * slopes[k]
                else:
                    effects_adjoint[-1 - at] -= gather.shift_weight[s] * slopes[k]
    return total


def check_potentials(assembled: Assembled) -> None:
    """Try all potentials at the values where chains start.

    Raises
    ------
    ArgumentError
        If one names a variable that does not exist, or fails.
    """
    start = _named_start(assembled)
    for number, potential in enumerate(assembled.spec.potentials):
        names = [_variable(assembled.layout, name, potential).name for name in potential.names]
        _checked(potential, number, [start[name] for name in names])


def compile_potentials(assembled: Assembled) -> tuple[Gather, Callable[..., float]]:
    """Where the arguments are, and all potentials as one function of them.

    Raises
    ------
    ArgumentError
        As `check_potentials`.
    """
    start = _named_start(assembled)
    variables: list[Variable] = []
    kernels = []
    for number, potential in enumerate(assembled.spec.potentials):
        own = [_variable(assembled.layout, name, potential) for name in potential.names]
        function = _checked(potential, number, [start[variable.name] for variable in own])
        derived, _ = packed_gradient(
            function, [np.shape(variable.index) for variable in own], f"The potential of {potential.shown}"
        )
        kernels.append((derived, sum(np.size(variable.index) for variable in own)))
        variables += own
    return _gather(variables), _sum_of(kernels)


def _named_start(assembled: Assembled) -> dict[str, FloatArray]:
    """Natural values of all variables where chains start."""
    layout, model = assembled.layout, assembled.data
    values = np.empty((1, layout.n_head + model.head.fixed.size))
    effects = np.empty((1, layout.dimension - layout.n_head))
    natural_scale(starting_position(assembled)[None], model, values, effects)
    return {name: array[0] for name, array in layout.unpack(values, effects).items()}


def _variable(layout: Layout, name: str, potential: Potential) -> Variable:
    known = {variable.name: variable for variable in layout.variables}
    if name not in known:
        raise ArgumentError(
            f"The potential of {potential.shown} names '{name}', which the model does not draw."
            f"{did_you_mean(name, known)} It draws {', '.join(known)}."
        )
    if known[name].source == "correlation":
        raise ArgumentError(
            f"The potential of {potential.shown} is a function of correlations, '{name}', which potentials cannot "
            "read. Their prior is LKJ: priors_cor={...} makes it narrower."
        )
    if known[name].mix.size:
        raise ArgumentError(
            f"The potential of {potential.shown} is a function of '{name}', effects with a known covariance, which "
            "potentials cannot read."
        )
    return known[name]


def _checked(potential: Potential, number: int, arguments: Sequence[FloatArray]) -> Callable[..., Any]:
    """The function, tried at the starting values; one that returns an array is summed."""
    try:
        result = potential.function(*(float(array) if array.ndim == 0 else array for array in arguments))
        array = np.asarray(result, dtype=float)
    except Exception as error:
        raise ArgumentError(
            f"Potential {number}, of {potential.shown}, fails at the values where chains start: "
            f"{type(error).__name__}: {error}."
        ) from error
    if array.ndim == 0:
        return potential.function
    function = potential.function

    def summed(*values: Any) -> Any:
        return np.sum(function(*values))

    return summed


def _gather(variables: Sequence[Variable]) -> Gather:
    effect, index, shifts = [], [], []
    for variable in variables:
        flat = np.ravel(variable.index).tolist()
        index += flat
        effect += [int(variable.source == "effects")] * len(flat)
        shifts += [(variable.columns, variable.means)] * len(flat)
    return Gather(
        effect=np.array(effect, dtype=np.int64),
        element=np.array(index, dtype=np.int64),
        shift_start=np.cumsum([0, *(len(columns) for columns, _ in shifts)], dtype=np.int64),
        shift_index=np.concatenate([np.empty(0, np.int64), *(columns for columns, _ in shifts)]).astype(np.int64),
        shift_weight=np.concatenate([np.empty(0), *(means for _, means in shifts)]),
    )


def _sum_of(kernels: Sequence[tuple[Any, int]]) -> Callable[..., float]:
    """One function of all arguments for functions that each have their own, one after the other."""
    (first, n), *rest = kernels
    if not rest:
        return _for_pointer(first)
    others = _sum_of(rest)

    def both(arguments: Any, slopes: Any) -> Any:
        return first(arguments[:n], slopes[:n]) + others(arguments[n:], slopes[n:])

    return _for_pointer(both)


def _for_pointer(function: Callable[..., float]) -> Callable[..., float]:
    """The function compiled for `POTENTIAL`."""
    if jit_disabled():
        return function
    compiled: Any = function
    if not hasattr(compiled, "compile"):
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    compiled.compile(POTENTIAL.signature)
    return compiled  # type: ignore[no-any-return]
