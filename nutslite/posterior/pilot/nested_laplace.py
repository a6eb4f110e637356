"""Coordinates of `warp` for a model of few rows: nested Laplace approximations, one for each knot.

Given one parameter of the likelihood (sigma, a shape, ...) the others have a mode and a curvature; these are followed
from knot to knot, as far as the posterior reaches. It is the idea of Rue, Martino and Chopin (2009), but what comes of
it is a change of coordinates only: the draws are of the posterior itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nutslite.families.links.codes import IDENTITY, INVERSE, INVERSE_SQUARED, SQRT
from nutslite.families.record.family import Family
from nutslite.posterior.pilot.centring import scale_columns
from nutslite.posterior.pilot.mode import Mode, find_mode
from nutslite.posterior.record import model_data as md
from nutslite.posterior.record.model_data import ModelData
from nutslite.posterior.record.transforms import BENT_LOG, LOG, LOGIT_INTERVAL
from nutslite.posterior.record.transforms import IDENTITY as UNCHANGED
from nutslite.posterior.record.warp import MEAN, POSITIVE, UNIT, Warp, no_warp

FloatArray = NDArray[np.float64]
LogDensities = Callable[[FloatArray], FloatArray]

MOST_ROWS = 25
MOST_DIMENSIONS = 24
STEP = 0.7  # between knots: of a logarithm
MOST_KNOTS = 40  # to either side
FIRST_KNOTS = (0.0, 1.0, -1.0, 2.0, -2.0, 4.0, -4.0)  # tried one after the other
MOST_WIDENING, MOST_SHIFT = 2.5, 6.0  # from knot to knot: of a width's logarithm; of a centre, in the larger widths
DROP = 14.0  # of the log density: e^-14 of the posterior is beyond the last knot
TAIL_SDS, TAIL_DROP = 4.0, 6.0  # a normal log density falls by 8 over so many sds; heavy tails by less than 6
MOST_CENTRED = 0.9  # weight of an effect: at 1 it has no width at a scale of zero, and no conditional mode there
LOWEST_PREDICTOR = 0.02  # least that a direction has to add to each row's predictor, to the mean of one


def has_few_rows(model: ModelData, dimension: int) -> bool:
    """Whether rows and parameters to sample are so few that slices may replace NUTS."""
    return model.y.shape[1] <= MOST_ROWS and dimension <= MOST_DIMENSIONS


def is_small(model: ModelData) -> bool:
    """Whether the coordinates are worth looking for."""
    dimension = model.head.transforms.size + model.centring.size
    return has_few_rows(model, dimension) and not model.codes.blocks.size


def bounded(model: ModelData, support: str) -> Warp:
    """The coordinates that put a mean in the place of the intercept, and change nothing else.

    `support` of the family's parent says where its link has to keep predictors.
    """
    head = model.head.transforms
    dimension = head.size + model.centring.size
    zeros = np.zeros((2, 1, dimension))
    plain = no_warp()._replace(
        members=np.arange(dimension, dtype=np.int64),
        scale=np.array([0.0, 1.0]),
        knots=np.zeros(1),
        centers=zeros,
        logs=zeros,
        lowers=np.zeros((2, 1, dimension * (dimension - 1) // 2)),
        stretched=np.zeros(dimension),
    )
    predictor = model.predictors[0]
    kind = range_of(int(model.links[0]), support)
    if not predictor[md.VARIES] or (kind == UNIT and (model.blocks.size or predictor[md.OFFSET] >= 0)):
        return plain
    columns = parent_columns(model)
    used = model.coefficients[predictor[md.COLUMN_START] : predictor[md.COLUMN_STOP]]
    if kind == UNIT and (head[used] != UNCHANGED).any():
        return plain
    direction = _direction(columns, int(predictor[md.INTERCEPT]), kind)
    if direction is None or (head[direction != 0.0] != UNCHANGED).any():
        return plain
    if predictor[md.INTERCEPT] >= 0:
        columns[predictor[md.INTERCEPT]] = 1.0
    return plain._replace(
        kind=kind,
        pivot=int(np.argmax(np.abs(direction))),
        direction=direction,
        raised=np.ascontiguousarray(direction @ columns),
    )


def start_inside(model: ModelData, support: str, position: FloatArray, eta: float) -> None:
    """Set coefficients so that all predictors are about `eta`, where there is no intercept and zero is not allowed."""
    if model.predictors[0, md.INTERCEPT] >= 0 or range_of(int(model.links[0]), support) == MEAN:
        return
    direction = _direction(parent_columns(model), -1, POSITIVE)
    if direction is not None and (model.head.transforms[direction != 0.0] == UNCHANGED).all():
        position[: direction.size] += eta * direction


def parent_columns(model: ModelData) -> FloatArray:
    """Columns of the parent's coefficients (n_head, n); those of other parameters are zero."""
    columns = np.zeros((model.head.transforms.size, model.y.shape[1]))
    used = slice(model.predictors[0, md.COLUMN_START], model.predictors[0, md.COLUMN_STOP])
    columns[model.coefficients[used]] = model.matrix[used]
    return columns


def range_of(link: int, support: str) -> int:
    """Which mean of linear predictors keeps them inside a link's range: `warp.MEAN` where any number is."""
    if link == IDENTITY and support == "unit":
        return UNIT
    positive = link in (INVERSE_SQUARED, SQRT) or (support == "positive" and link in (IDENTITY, INVERSE))
    return POSITIVE if positive else MEAN


def has_edge(model: ModelData, family: Family) -> bool:
    """Whether a linear predictor can leave the range of its link."""
    pairs = zip(family.eta_parameters, model.links, model.predictors, strict=True)
    return any(predictor[md.VARIES] and range_of(int(link), p.support) != MEAN for p, link, predictor in pairs)


def _direction(columns: FloatArray, intercept: int, kind: int) -> FloatArray | None:
    """Coefficients that raise every row's predictor: the intercept alone, or as nearly by one as columns can."""
    direction: FloatArray = np.zeros(len(columns))
    if intercept >= 0:
        direction[intercept] = 1.0
        return direction
    if kind != POSITIVE:
        return None
    found = np.asarray(np.linalg.lstsq(columns.T, np.ones(columns.shape[1]), rcond=1e-10)[0], dtype=float)
    found[np.abs(found) < 1e-12] = 0.0
    return found if np.all(found @ columns > LOWEST_PREDICTOR) else None


def start_at_mean(warp: Warp, start: FloatArray, eta: float) -> None:
    """Set the mean of the predictors that stands in the intercept's place to `eta`, or inside its range."""
    if warp.kind == UNIT:
        inside = min(max(eta, 0.05), 0.95)
        start[warp.pivot] = np.log(inside / (1.0 - inside))
    elif warp.kind == POSITIVE:
        start[warp.pivot] = np.log(max(eta, 1e-2))
    elif warp.kind == MEAN:
        start[warp.pivot] = eta


def bent_scales(model: ModelData, position: FloatArray) -> ModelData:
    """The model with its effects' scales on bent logarithms around those of a position."""
    transforms, bounds = model.head.transforms.copy(), model.head.bounds.copy()
    for place in scale_columns(model):
        if transforms[place] == LOG:
            transforms[place] = BENT_LOG
            bounds[1, place] = np.exp(position[place])
    return model._replace(head=model.head._replace(transforms=transforms, bounds=bounds))


def less_centred(model: ModelData) -> ModelData:
    """The model with no effect as good as fully centred, but those whose scale is a fixed number.

    What a pilot says of a level's information is right for its own sigma only. Here sigma may be anything, and where
    there are as many effects as rows that of the pilot may be nearly zero.
    """
    centring = model.centring.copy()
    for columns in scale_columns(model).values():
        for effects in columns:
            centring[effects] = np.minimum(centring[effects], MOST_CENTRED)
    return model._replace(centring=centring)


def given_parameter(model: ModelData, names: list[str]) -> int:
    """Place of the parameter that the others' width depends on: of the likelihood, or a scale of effects; or -1."""
    found = []
    for name, predictor in zip(names, model.predictors, strict=True):
        at = int(predictor[md.CONSTANT])
        if predictor[md.VARIES] or at >= model.head.transforms.size:
            continue
        if model.head.transforms[at] in (LOG, LOGIT_INTERVAL):
            found.append((name == "nu", model.head.transforms[at] != LOG, at))
    return min(found)[2] if found else next(iter(scale_columns(model)), -1)


@dataclass(frozen=True)
class _Knot:
    t: float
    mode: Mode

    @property
    def factor(self) -> FloatArray:
        return np.asarray(np.linalg.cholesky(self.mode.covariance))

    @property
    def log_marginal(self) -> float:
        """Laplace's approximation, up to a constant."""
        return self.mode.logdensity + float(np.log(np.diag(self.factor)).sum())


def nested_warp(plain: Warp, given: int, log_densities: LogDensities, start: FloatArray) -> Warp | None:
    """`plain` with the tables of conditional modes; None where no conditional mode was found.

    Parameters
    ----------
    plain : Warp
        As `bounded` made it.
    given : int
        Place of the parameter that stays outside, or -1.
    log_densities : callable
        Of coordinates (points, dimension) as `plain` has them.
    start : ndarray, shape (dimension,)
    """
    places = np.array([i for i in plain.members if i != given], dtype=np.int64)

    def conditional(t: float) -> LogDensities:
        def values(points: FloatArray) -> FloatArray:
            full = np.empty((len(points), start.size))
            full[:, places] = points
            if given >= 0:
                full[:, given] = t
            return log_densities(full)

        return values

    knots = _knots(conditional, start[places], float(start[given]) if given >= 0 else None)
    if not knots:
        return None
    return _stretched(_tabulated(plain, places, given, knots), places, given, knots, conditional)


def _knots(conditional: Callable[[float], LogDensities], start: FloatArray, t: float | None) -> list[_Knot]:
    """Conditional modes in the order of t."""
    if t is None:
        mode = find_mode(conditional(0.0), start, roughly=True)
        return [] if mode is None else [_Knot(0.0, mode)]
    if start.size == 0:
        return []
    found: list[_Knot] = []
    for shift in FIRST_KNOTS:
        if (mode := find_mode(conditional(t + shift), start, roughly=True)) is not None:
            found = [_Knot(t + shift, mode)]
            break
    if not found:
        return []
    highest = found[0].log_marginal
    for direction in (STEP, -STEP):
        last = found[0] if direction < 0 else found[-1]
        for _ in range(MOST_KNOTS):
            scales = np.sqrt(np.diag(last.mode.covariance))
            mode = find_mode(conditional(last.t + direction), last.mode.position, scales, roughly=True)
            if mode is None or _is_another(last.mode, mode):
                break
            last = _Knot(last.t + direction, mode)
            found.insert(0 if direction < 0 else len(found), last)
            highest = max(highest, last.log_marginal)
            if last.log_marginal < highest - DROP:
                break
    return found


def _is_another(mode: Mode, found: Mode) -> bool:
    """Whether it is not the same mode a little further on: nothing could lie between the two."""
    here, there = np.sqrt(np.diag(mode.covariance)), np.sqrt(np.diag(found.covariance))
    shift = np.abs(found.position - mode.position) / np.maximum(here, there)
    return bool((np.abs(np.log(there / here)) > MOST_WIDENING).any() or (shift > MOST_SHIFT).any())


def _tabulated(plain: Warp, places: NDArray[np.int64], given: int, knots: list[_Knot]) -> Warp:
    t = np.array([knot.t for knot in knots])
    logs = np.array([knot.log_marginal for knot in knots])
    shares = np.exp(logs - logs.max())
    center = float(shares @ t / shares.sum())
    width = float(np.sqrt(shares @ (t - center) ** 2 / shares.sum()))
    factors = np.array([knot.factor for knot in knots])
    diagonals = np.einsum("kii->ki", factors)
    i, j = np.tril_indices(places.size, -1)
    return plain._replace(
        members=places,
        given=np.array([given] if given >= 0 else [], dtype=np.int64),
        scale=np.array([center, max(width, 0.05)]),
        knots=t,
        centers=_with_slopes(t, np.array([knot.mode.position for knot in knots]), 0.0),
        logs=_with_slopes(t, np.log(diagonals), 1.0),
        lowers=_with_slopes(t, (factors / diagonals[:, None, :])[:, i, j], 0.0),
        stretched=np.zeros(places.size),
    )


def _with_slopes(t: FloatArray, values: FloatArray, at_ends: float) -> FloatArray:
    """Values and slopes of a cubic through them; at both ends times `at_ends`, where it goes on as a straight line."""
    slopes = np.zeros_like(values)
    if t.size > 1:
        slopes = np.gradient(values, t, axis=0)
        slopes[[0, -1]] *= at_ends
    return np.ascontiguousarray([values, slopes])


def _stretched(
    warp: Warp,
    places: NDArray[np.int64],
    given: int,
    knots: list[_Knot],
    conditional: Callable[[float], LogDensities],
) -> Warp:
    """Heavy tails of the others at the likeliest knot."""
    best = max(knots, key=lambda knot: knot.log_marginal)
    reach = TAIL_SDS * best.factor.T
    values = conditional(best.t)(np.concatenate([best.mode.position + reach, best.mode.position - reach]))
    heavy = (values > best.mode.logdensity - TAIL_DROP).reshape(2, -1).any(axis=0)
    return warp._replace(stretched=heavy.astype(float))
