"""The largest grouping factor of a marginal density, eliminated level by level, and the way back.

Levels that differ in their standard deviations (``gr(g, sd=z)``) have effects f u, f the size of the level, and u is
integrated out: Z'WZ is s = f^2 times what it is, Z'W[rest, y] is f times that. So the prior precision P of u is one for
all levels, and levels with one Z'WZ and one f are a class.
"""

from __future__ import annotations

from nutslite._numba import inlined, spliced
from nutslite.posterior.density.linalg import cholesky_in_place, invert_lower


@inlined
def size_of_class(data, values, k):
    """What the effects of a class's levels are times; 1 where all levels have one standard deviation."""
    return 1.0 if data.class_sizes.shape[0] == 0 else values[data.class_sizes[k]]


@spliced
def eliminate(data, values, t, group_precision, schur, inverses, work):
    """Subtract the eliminated factor from `schur`; fill `inverses`, M_k = (t s_k G_k + P)^-1.

    Returns 1/2 sum n log|M|. `work` is scratch, as for `fill_system`.
    """
    q = data.eliminated
    total = 0.0
    size = schur.shape[0]
    precision, lower = work[0], work[1]
    for k in range(data.class_counts.shape[0]):
        size_of = size_of_class(data, values, k)
        own = t * size_of * size_of
        for c in range(q):
            for d in range(c + 1):
                precision[c, d] = own * data.class_gram[k * q + c, d] + group_precision[c, d]
        total -= 0.5 * data.class_counts[k] * cholesky_in_place(precision, q)
        invert_lower(precision, q, lower)
        pair = k * (q * (q + 1) // 2)
        for c in range(q):
            for d in range(c + 1):
                m = 0.0
                for e in range(c, q):
                    m += lower[e, c] * lower[e, d]
                inverses[k, c, d] = m
                inverses[k, d, c] = m
                cross = data.class_cross[pair]
                for i in range(size):
                    row = schur[i]
                    offset = i * size
                    for j in range(i + 1):
                        row[j] -= t * own * m * cross[offset + j]
                pair += 1
    return total


@inlined
def pull_back_classes(data, values, t, sensitivity, inverses, precision_adjoint, adjoint, work):
    """Add to `precision_adjoint` (full, symmetric), and derivatives with respect to sizes of classes to `adjoint`.

    Returns the derivative with respect to t through the elimination.

    `work` is scratch, as for `fill_system`.
    """
    q = data.eliminated
    size = sensitivity.shape[0]
    d_t = 0.0
    m_adjoint, left = work[0], work[1]
    for k in range(data.class_counts.shape[0]):
        size_of = size_of_class(data, values, k)
        squared = size_of * size_of
        d_squared = 0.0
        pair = k * (q * (q + 1) // 2)
        m = inverses[k]
        for c in range(q):
            for d in range(c + 1):
                cross = data.class_cross[pair]
                total = 0.0
                for i in range(size):
                    row = sensitivity[i]
                    offset = i * size
                    for j in range(i + 1):
                        total += row[j] * cross[offset + j]
                d_t -= 2.0 * t * squared * m[c, d] * total
                d_squared -= t * t * m[c, d] * total
                # `class_cross` of c != d holds both (c, d) and (d, c).
                value = -t * t * squared * total * (1.0 if c == d else 0.5)
                m_adjoint[c, d] = value
                m_adjoint[d, c] = value
                pair += 1
        for c in range(q):
            for d in range(q):
                total = 0.0
                for e in range(q):
                    total += m[c, e] * m_adjoint[e, d]
                left[c, d] = total
        for c in range(q):
            for d in range(q):
                total = 0.5 * data.class_counts[k] * m[c, d]
                for e in range(q):
                    total += left[c, e] * m[e, d]
                precision_adjoint[c, d] -= total
                d_t -= total * squared * data.class_gram[k * q + c, d]
                d_squared -= total * t * data.class_gram[k * q + c, d]
        if data.class_sizes.shape[0] > 0:
            adjoint[data.class_sizes[k]] += 2.0 * size_of * d_squared
    return d_t
