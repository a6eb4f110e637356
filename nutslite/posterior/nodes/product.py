"""Products: each output is the product of as many inputs as every other, its own, which stand one after the other."""

from __future__ import annotations

from nutslite.sampler.transition.compiling import uncounted


@uncounted
def fill_product(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density."""
    size = n_inputs // n_out
    for k in range(n_out):
        product = 1.0
        for i in range(k * size, (k + 1) * size):
            product *= values[inputs[i]]
        values[out + k] = product
    return 0.0


@uncounted
def pull_back_product(values, adjoint, inputs, n_inputs, out, n_out):
    """Each factor's derivative is the product of the others, so that a factor may be zero."""
    size = n_inputs // n_out
    for k in range(n_out):
        for i in range(k * size, (k + 1) * size):
            others = adjoint[out + k]
            for j in range(k * size, (k + 1) * size):
                if j != i:
                    others *= values[inputs[j]]
            adjoint[inputs[i]] += others
