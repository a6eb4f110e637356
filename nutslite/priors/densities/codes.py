"""Integer codes of the prior densities: what kernels branch on, grouped by support."""

from __future__ import annotations

# the whole real line; NORMAL to MOYAL have a location and a scale and nothing else
(FLAT, NORMAL, CAUCHY, LAPLACE, LOGISTIC, GUMBEL, MOYAL) = range(7)
(STUDENT_T, ASYMMETRIC_LAPLACE, SKEW_NORMAL, EX_GAUSSIAN, SKEW_STUDENT_T) = range(7, 12)
# positive numbers (or everything above an argument)
(
    HALF_FLAT,
    HALF_NORMAL,
    HALF_STUDENT_T,
    HALF_CAUCHY,
    LOG_NORMAL,
    GAMMA,
    INVERSE_GAMMA,
    EXPONENTIAL,
    CHI_SQUARED,
    WEIBULL,
    PARETO,
    WALD,
    RICE,
) = range(20, 33)
# an interval
(UNIFORM, BETA, KUMARASWAMY, LOGIT_NORMAL, TRUNCATED_NORMAL, TRIANGULAR, VON_MISES) = range(40, 47)
# any of these between bounds of the user's: its code plus this (truncated.py)
BETWEEN = 100
# not elementwise: a whole correlation matrix (correlations.py)
LKJ = 60

FIRST_POSITIVE = HALF_FLAT
FIRST_BOUNDED = UNIFORM
