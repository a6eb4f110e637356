"""Weighted sums: each output is the sum of weight times value over pairs of inputs of its own."""

from __future__ import annotations

from nutslite.sampler.transition.compiling import uncounted


@uncounted
def fill_weighted_sum(values, inputs, n_inputs, out, n_out):
    """Overwrite the outputs; nothing is added to the log density."""
    size = n_inputs // n_out
    for k in range(n_out):
        total = 0.0
        for i in range(k * size, (k + 1) * size, 2):
            total += values[inputs[i]] * values[inputs[i + 1]]
        values[out + k] = total
    return 0.0


@uncounted
def pull_back_weighted_sum(values, adjoint, inputs, n_inputs, out, n_out):
    """A weight may be a value that is sampled, too."""
    size = n_inputs // n_out
    for k in range(n_out):
        slope = adjoint[out + k]
        for i in range(k * size, (k + 1) * size, 2):
            adjoint[inputs[i]] += slope * values[inputs[i + 1]]
            adjoint[inputs[i + 1]] += slope * values[inputs[i]]
