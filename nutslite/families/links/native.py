"""Linear predictors from the user's link to the link that a family's kernel is written in, a whole row at a time.

The way does not lead through the parameter itself, which would underflow or round to one in the tails: the log of a
softplus, the logit of a probit. The link is looked at once, before the loop over rows; the loops have no branches and
call no library, so that LLVM turns them into vector instructions (see `nutslite._special`). A probit takes 3 ns a row
in place of 33 with ``erfc`` and branches. There are as few loops as possible, because the first fit on a machine waits
for their compilation: all exponentials are taken in one, all logarithms in another.

Probit. With Mills' ratio ``M(a) = Phi(-a) / phi(a)`` and ``a = |eta| >= 0`` the logit is
``a^2 / 2 + log(sqrt(2 pi) Phi(a) / M(a))`` and its derivative ``1 / (M(a) Phi(a))``, where
``Phi(a) = 1 - phi(a) M(a)`` loses nothing, being one half or more. ``(a + 5) M(a)`` is smooth in
``t = (a - 5) / (a + 5)``, also where a is infinite: a polynomial of degree 22 has a relative error of 5e-17.

Cauchit. The probabilities are angles over pi, the smaller one ``arctan(1 / a)``.

The coefficients interpolate at Chebyshev nodes, solved for with 60 digits; with mpmath::

    def interpolate(f, degree, low, high):
        nodes = [(low + high + (high - low) * cos(pi * (k + mpf(1) / 2) / (degree + 1))) / 2 for k in range(degree + 1)]
        powers = matrix([[x**j for j in range(degree + 1)] for x in nodes])
        return lu_solve(powers, matrix([f(x) for x in nodes]))

    interpolate(lambda t: (a(t) + 5) * mills(a(t)), 22, -1, 1)                              # a(t) = 5 (1 + t) / (1 - t)
    interpolate(lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, 10, 0, 1.0001 * (3 - sqrt(8)))
"""

from __future__ import annotations

import math

from nutslite._numba import inlined, inner
from nutslite._special import exp, expm1, log, log1p_unit
from nutslite.families.links.codes import (
    CAUCHIT,
    CLOGLOG,
    IDENTITY,
    INVERSE,
    INVERSE_SQUARED,
    LOG,
    LOGIT,
    PROBIT,
    SOFTPLUS,
    SQRT,
)

_ROOT_2PI = math.sqrt(2.0 * math.pi)
_DENSITY_AT_0 = 1.0 / _ROOT_2PI
_LINEAR = -37.0  # below this eta, ``log(softplus(eta))`` and the like are eta to the last bit
_LARGEST_RATE = 700.0  # of the logarithm of a rate
_FAR = 1e150
_EXPONENTIAL = sum(1 << code for code in (PROBIT, CLOGLOG, SOFTPLUS, LOG))  # a bit for each link that needs `exp`

# (a + 5) M(a) as a polynomial in (a - 5) / (a + 5)
_MIDDLE = 5.0
(
    _M0, _M1, _M2, _M3, _M4, _M5, _M6, _M7, _M8, _M9, _M10, _M11, _M12, _M13, _M14, _M15, _M16, _M17, _M18, _M19, _M20,
    _M21, _M22,
) = (
    1.9280810471531578, -1.667866595188962, 1.241547061573868, -0.7859110755463757,
    0.41364471573254236, -0.17325473409151876, 0.05212550241608068, -0.007503282768653042,
    -0.001999962021267729, 0.0013658588163496476, -0.00014883274148516504, -0.0001247342626600514,
    4.181331469574555e-05, 9.971148298923085e-06, -6.941700609564945e-06, -8.298689394855559e-07,
    1.0879424939523628e-06, 8.978341548404004e-08, -1.7001344922544334e-07, -1.2572369954898982e-08,
    2.367968496638553e-08, 1.262664393784261e-09, -2.0469609328476833e-09,
)  # fmt: skip

# (arctan(w) / w - 1) / w^2 as a polynomial in w^2, |w| <= sqrt(2) - 1
_EIGHTH_TURN = math.sqrt(2.0) - 1.0
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8, _A9, _A10 = (
    -0.3333333333333333, 0.19999999999995516, -0.14285714284665682, 0.11111111015187018,
    -0.0909090457530649, 0.07692183125376892, -0.06664510525508936, 0.05858140904866328,
    -0.050854078345894844, 0.03923044778479309, -0.019175404711104935,
)  # fmt: skip


@inner
def relink_rows(native, code, eta, value, slope, scratch):
    """``link(native, inverse(code, eta))`` and its derivative, exact where theta itself is not a double any more.

    Parameters
    ----------
    native : int
        IDENTITY, LOG or LOGIT: the link a kernel is written in.
    code : int
        The link of `eta`. `links.RELINKED` says which links each native one accepts; nan for others.
    eta : ndarray, shape (rows,)
    value, slope : ndarray, shape (rows,)
        Overwritten.
    scratch : ndarray, shape (rows,)
        Overwritten; nothing of use is left there.
    """
    rows = eta.shape[0]
    if native == code:
        for i in range(rows):
            value[i] = eta[i]
            slope[i] = 1.0
        return
    power = 1.0
    _exponentials(code, eta, scratch)
    if native == LOGIT or (native == LOG and code == CLOGLOG):
        _probabilities(native, code, eta, scratch, value, slope)
    elif code == SOFTPLUS:
        _softplus(native, eta, scratch, value, slope)
    else:
        power = _powers(native, code, eta, scratch, value, slope)
    if native != IDENTITY:
        turned = -1.0 if native == LOGIT and code != CLOGLOG and code != IDENTITY else 1.0  # -1 for symmetric links
        for i in range(rows):
            upper = value[i] + power * log(scratch[i])
            value[i] = upper if eta[i] > 0.0 else turned * upper


@inlined
def _exponentials(code, eta, out):
    """``exp`` of: ``-eta^2 / 2`` for a probit, ``-|eta|`` for softplus, eta at most 700 for cloglog, eta for log."""
    square = -0.5 if code == PROBIT else 0.0
    linear = 0.0 if code == PROBIT else 1.0
    mirrored = -1.0 if code == SOFTPLUS else 1.0
    highest = _LARGEST_RATE if code == CLOGLOG else _FAR  # far, not inf: zero times infinity is not a number
    for i in range(eta.shape[0] * ((_EXPONENTIAL >> code) & 1)):
        x = eta[i] if eta[i] < mirrored * eta[i] else mirrored * eta[i]
        x = highest if x > highest else x
        x = -_FAR if x < -_FAR else x
        out[i] = exp(x * (square * x + linear))


@inlined
def _probabilities(native, code, eta, scratch, value, slope):
    """Scratch: of the exponentials to what `relink_rows` adds the logarithm of. And so on below."""
    rows = eta.shape[0]
    if code == PROBIT:
        for i in range(rows):
            a = abs(eta[i])
            inverse = 1.0 / (a + _MIDDLE)
            t = 1.0 - 2.0 * _MIDDLE * inverse
            t2 = t * t
            t4 = t2 * t2
            t8 = t4 * t4
            low = ((_M0 + t * _M1) + t2 * (_M2 + t * _M3)) + t4 * ((_M4 + t * _M5) + t2 * (_M6 + t * _M7))
            middle = ((_M8 + t * _M9) + t2 * (_M10 + t * _M11)) + t4 * ((_M12 + t * _M13) + t2 * (_M14 + t * _M15))
            high = ((_M16 + t * _M17) + t2 * (_M18 + t * _M19)) + t4 * ((_M20 + t * _M21) + t2 * _M22)
            mills = inverse * (low + t8 * (middle + t8 * high))
            larger = 1.0 - _DENSITY_AT_0 * scratch[i] * mills
            slope[i] = 1.0 / (mills * larger)
            value[i] = 0.5 * a * a
            scratch[i] = _ROOT_2PI * larger * larger * slope[i]
    elif code == CAUCHIT:
        for i in range(rows):
            a = abs(eta[i])
            over = a if a < 1.0 else 1.0
            under = 1.0 if a < 1.0 else a
            turned = over > _EIGHTH_TURN * under  # arctan(u) = pi / 4 + arctan((u - 1) / (u + 1))
            w = (over - under if turned else over) / (over + under if turned else under)
            z = w * w
            z2 = z * z
            low = ((_A0 + z * _A1) + z2 * (_A2 + z * _A3)) + (z2 * z2) * ((_A4 + z * _A5) + z2 * (_A6 + z * _A7))
            series = low + (z2 * z2) * (z2 * z2) * ((_A8 + z * _A9) + z2 * _A10)
            angle = (0.25 * math.pi if turned else 0.0) + (w + w * z * series)
            smaller = 0.5 * math.pi - angle if a < 1.0 else angle
            larger = math.pi - smaller
            slope[i] = math.pi / (smaller * larger * (1.0 + a * a))
            value[i] = 0.0
            scratch[i] = larger / smaller
    elif code == CLOGLOG:
        logit = 1.0 if native == LOGIT else 0.0
        for i in range(rows):
            rate = scratch[i]
            inverse = 1.0 / expm1(rate)  # of the odds
            small = eta[i] < _LINEAR
            value[i] = eta[i] if small else logit * rate
            slope[i] = 1.0 if small else logit * rate + rate * inverse
            scratch[i] = 1.0 if small else 1.0 / (1.0 + inverse)
    else:
        valid = 1.0 if code == IDENTITY else math.nan
        for i in range(rows):
            p = eta[i]
            value[i] = 0.0
            slope[i] = valid / (p * (1.0 - p))
            scratch[i] = valid * p / (1.0 - p)


@inlined
def _softplus(native, eta, scratch, value, slope):
    rows = eta.shape[0]
    for i in range(rows):
        e = scratch[i]
        value[i] = (eta[i] if eta[i] > 0.0 else 0.0) + log1p_unit(e)
        slope[i] = (e if eta[i] < 0.0 else 1.0) / (1.0 + e)
    if native == LOG:
        for i in range(rows):
            small = eta[i] < _LINEAR
            scratch[i] = 1.0 if small else value[i]
            slope[i] = 1.0 if small else slope[i] / value[i]
            value[i] = eta[i] if small else 0.0


@inlined
def _powers(native, code, eta, scratch, value, slope):
    """Also returns the parameter as a power of the linear predictor; nan where it is none."""
    rows = eta.shape[0]
    power = math.nan
    if native == IDENTITY and code == LOG:
        for i in range(rows):
            value[i] = scratch[i]
            slope[i] = scratch[i]
        return power
    if code == IDENTITY:
        power = 1.0
    elif code == INVERSE:
        power = -1.0
    elif code == INVERSE_SQUARED and native == LOG:
        power = -0.5
    elif code == SQRT:
        power = 2.0
    if native == IDENTITY:
        for i in range(rows):
            x = eta[i]
            inverse = 1.0 / x
            inside = 0.0 if code != SQRT or x >= 0.0 else math.nan
            value[i] = inside * power + (x * x if power > 0.0 else inverse)
            slope[i] = power * (x if power > 0.0 else inverse * inverse)
    else:
        for i in range(rows):
            x = eta[i]
            value[i] = 0.0
            slope[i] = power / x
            scratch[i] = x
    return power
