"""The log likelihood of all rows and its derivatives, part by part: by the chain's thread alone or with helpers."""

from __future__ import annotations

import numpy as np

from nutslite._numba import inlined
from nutslite.posterior.density.predictor import rows_loglik
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.shared_work import DONE, NEXT, WORDS, n_parts
from nutslite.sampler.atomics import add_one, load, store


@inlined
def add_loglik(model: ModelData, loglik, values, effects, adjoint, effects_adjoint):
    """Return the log likelihood; add its derivatives to `adjoint` and `effects_adjoint`."""
    parts = n_parts(model.y.shape[1], effects.shape[0])
    shared = model.shared
    helped = shared.signals.shape[0] > 0
    signals = shared.signals if helped else np.empty(WORDS, np.int64)
    totals = shared.totals if helped else np.empty(parts)
    if parts == 1:  # no sums over parts: straight to where they belong
        adjoints = adjoint.reshape((1, adjoint.shape[0]))
        effects_adjoints = effects_adjoint.reshape((1, effects_adjoint.shape[0]))
    else:
        adjoints = shared.adjoints if helped else np.empty((parts, values.shape[0]))
        effects_adjoints = shared.effects_adjoints if helped else np.empty((parts, effects.shape[0]))
    if helped:
        for i in range(values.shape[0]):
            shared.values[i] = values[i]
        for i in range(effects.shape[0]):
            shared.effects[i] = effects[i]
    store(signals, DONE, 0)
    store(signals, NEXT, 0)  # from here on helpers take parts
    take_parts(model, loglik, values, effects, parts, signals, totals, adjoints, effects_adjoints)
    while load(signals, DONE) < parts:
        pass
    total = totals[0]
    if parts > 1:
        for part in range(1, parts):
            total += totals[part]
        for part in range(parts):
            for i in range(adjoint.shape[0]):
                adjoint[i] += adjoints[part, i]
            for i in range(effects_adjoint.shape[0]):
                effects_adjoint[i] += effects_adjoints[part, i]
    return total


@inlined
def take_parts(model: ModelData, loglik, values, effects, parts, signals, totals, adjoints, effects_adjoints):
    """Compute parts that nobody has taken, until there is none."""
    n = model.y.shape[1]
    part = add_one(signals, NEXT)
    while part < parts:
        if parts > 1:
            for i in range(adjoints.shape[1]):
                adjoints[part, i] = 0.0
            for i in range(effects_adjoints.shape[1]):
                effects_adjoints[part, i] = 0.0
        first, last = n * part // parts, n * (part + 1) // parts
        totals[part] = rows_loglik(model, loglik, values, effects, first, last, adjoints[part], effects_adjoints[part])
        add_one(signals, DONE)
        part = add_one(signals, NEXT)
